// SPDX-License-Identifier: GPL-2.0-or-later
/* Eight bytes a turn, each by a table of its own.  The processor's instruction would be faster. */
#include "crc32c.h"

#include "lib/bytes.h"

#define POLYNOMIAL 0x82f63b78u /* bits reversed */

void crc32c_init(struct crc32c_table *table)
{
	for (unsigned i = 0; i < 256; i++) {
		uint32_t c = i;

		for (unsigned bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
		table->t[0][i] = c;
	}
	for (unsigned i = 0; i < 256; i++)
		for (unsigned k = 1; k < 8; k++) {
			uint32_t c = table->t[k - 1][i];

			table->t[k][i] = c >> 8 ^ table->t[0][c & 0xff];
		}
}

uint32_t crc32c(const struct crc32c_table *table, uint32_t crc, const void *data, size_t len)
{
	const uint32_t(*t)[256] = table->t;
	const uint8_t *p = data;

	for (; len >= 8; len -= 8, p += 8) {
		uint32_t a = crc ^ get_le32(p), b = get_le32(p + 4);

		crc = t[7][a & 0xff] ^ t[6][a >> 8 & 0xff] ^ t[5][a >> 16 & 0xff] ^ t[4][a >> 24] ^
		      t[3][b & 0xff] ^ t[2][b >> 8 & 0xff] ^ t[1][b >> 16 & 0xff] ^ t[0][b >> 24];
	}
	for (; len; len--)
		crc = crc >> 8 ^ t[0][(crc ^ *p++) & 0xff];
	return crc;
}
