// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Eight bytes a turn: by the processor's instruction, or each byte by a table of its own.
 *
 * The instruction answers after three cycles but begins one each cycle: so three pieces that
 * follow each other are summed side by side.  A sum is linear: that of A and B is A's with
 * as many zeros behind it as B has bytes, and B's own by exclusive or.
 */
#include "crc32c.h"

#include "lib/bytes.h"

#define POLYNOMIAL 0x82f63b78u /* bits reversed */

#define PIECE 1024u

typedef uint32_t crc32c_fn(const struct crc32c_table *table, uint32_t crc, const void *data,
			   size_t len);

#if defined(__x86_64__)
static uint32_t past_piece(const struct crc32c_table *table, uint32_t crc)
{
	return table->past[0][crc & 0xff] ^ table->past[1][crc >> 8 & 0xff] ^
	       table->past[2][crc >> 16 & 0xff] ^ table->past[3][crc >> 24];
}

__attribute__((target("sse4.2"))) static void past_init(struct crc32c_table *table)
{
	for (unsigned bit = 0; bit < 32; bit++) {
		uint64_t c = UINT64_C(1) << bit;

		for (unsigned i = 0; i < PIECE / 8; i++)
			c = __builtin_ia32_crc32di(c, 0);
		table->past[bit / 8][1u << bit % 8] = (uint32_t)c;
	}
	for (unsigned k = 0; k < 4; k++)
		for (unsigned i = 1; i < 256; i++)
			table->past[k][i] =
				table->past[k][i & (i - 1)] ^ table->past[k][i & (0u - i)];
}

__attribute__((target("sse4.2"))) static uint32_t by_instruction(const struct crc32c_table *table,
								 uint32_t crc, const void *data,
								 size_t len)
{
	const uint8_t *p = data;
	uint64_t c = crc;

	for (; len >= 3 * (size_t)PIECE; len -= 3 * (size_t)PIECE, p += 3 * (size_t)PIECE) {
		uint64_t b = 0, d = 0;

		for (unsigned i = 0; i < PIECE; i += 8) {
			c = __builtin_ia32_crc32di(c, get_le64(p + i));
			b = __builtin_ia32_crc32di(b, get_le64(p + PIECE + i));
			d = __builtin_ia32_crc32di(d, get_le64(p + 2 * (size_t)PIECE + i));
		}
		c = past_piece(table, past_piece(table, (uint32_t)c) ^ (uint32_t)b) ^ (uint32_t)d;
	}
	for (; len >= 8; len -= 8, p += 8)
		c = __builtin_ia32_crc32di(c, get_le64(p));
	crc = (uint32_t)c;
	for (; len; len--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}

static crc32c_fn *instruction(struct crc32c_table *table)
{
	if (!__builtin_cpu_supports("sse4.2"))
		return NULL;
	past_init(table);
	return by_instruction;
}
#else
static crc32c_fn *instruction(struct crc32c_table *table)
{
	return NULL;
}
#endif

void crc32c_init(struct crc32c_table *table)
{
	*table = (struct crc32c_table){0};
	table->fast = instruction(table);
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

	if (table->fast)
		return table->fast(table, crc, data, len);
	for (; len >= 8; len -= 8, p += 8) {
		uint32_t a = crc ^ get_le32(p), b = get_le32(p + 4);

		crc = t[7][a & 0xff] ^ t[6][a >> 8 & 0xff] ^ t[5][a >> 16 & 0xff] ^ t[4][a >> 24] ^
		      t[3][b & 0xff] ^ t[2][b >> 8 & 0xff] ^ t[1][b >> 16 & 0xff] ^ t[0][b >> 24];
	}
	for (; len; len--)
		crc = crc >> 8 ^ t[0][(crc ^ *p++) & 0xff];
	return crc;
}
