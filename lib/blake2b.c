// SPDX-License-Identifier: GPL-2.0-or-later
/* BLAKE2b, as RFC 7693 section 3 has it. */
#include "lib/blake2b.h"

#include <string.h>

#include "lib/bytes.h"

#define ROUNDS 12
#define BLOCK  128u

static const uint64_t iv[8] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* Section 2.7; rounds 10 and 11 are as 0 and 1. */
static const uint8_t sigma[10][16] = {
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
	{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
	{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
	{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
	{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
	{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
	{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
	{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
	{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint64_t turn(uint64_t v, unsigned by)
{
	return v >> by | v << (64 - by);
}

static inline void mix(uint64_t *v, const uint8_t i[4], uint64_t x, uint64_t y)
{
	v[i[0]] += v[i[1]] + x;
	v[i[3]] = turn(v[i[3]] ^ v[i[0]], 32);
	v[i[2]] += v[i[3]];
	v[i[1]] = turn(v[i[1]] ^ v[i[2]], 24);
	v[i[0]] += v[i[1]] + y;
	v[i[3]] = turn(v[i[3]] ^ v[i[0]], 16);
	v[i[2]] += v[i[3]];
	v[i[1]] = turn(v[i[1]] ^ v[i[2]], 63);
}

static void compress(struct blake2b *b, const uint8_t *block, int last)
{
	/* Columns, then diagonals. */
	static const uint8_t places[8][4] = {{0, 4, 8, 12},  {1, 5, 9, 13},  {2, 6, 10, 14},
					     {3, 7, 11, 15}, {0, 5, 10, 15}, {1, 6, 11, 12},
					     {2, 7, 8, 13},  {3, 4, 9, 14}};
	uint64_t v[16], m[16];

	for (unsigned i = 0; i < 16; i++)
		m[i] = get_le64(block + 8 * (size_t)i);
	memcpy(v, b->h, sizeof(b->h));
	memcpy(v + 8, iv, sizeof(iv));
	v[12] ^= b->counted;
	v[14] = last ? ~v[14] : v[14];
	for (unsigned r = 0; r < ROUNDS; r++) {
		const uint8_t *s = sigma[r % 10];

		for (unsigned i = 0; i < 8; i++)
			mix(v, places[i], m[s[2 * i]], m[s[2 * i + 1]]);
	}
	for (unsigned i = 0; i < 8; i++)
		b->h[i] ^= v[i] ^ v[i + 8];
}

void blake2b_begin(struct blake2b *b, size_t size)
{
	*b = (struct blake2b){.size = size};
	memcpy(b->h, iv, sizeof(iv));
	b->h[0] ^= 0x01010000 ^ size;
}

/* The last block is told apart, so a full one waits for more. */
void blake2b_add(struct blake2b *b, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len) {
		size_t n = BLOCK - b->filled;

		if (!n) {
			b->counted += BLOCK;
			compress(b, b->block, 0);
			b->filled = 0;
			continue;
		}
		n = n < len ? n : len;
		memcpy(b->block + b->filled, p, n);
		b->filled += n;
		p += n;
		len -= n;
	}
}

void blake2b_end(struct blake2b *b, uint8_t *hash)
{
	uint8_t whole[64];

	memset(b->block + b->filled, 0, BLOCK - b->filled);
	b->counted += b->filled;
	compress(b, b->block, 1);
	for (unsigned i = 0; i < 8; i++)
		put_le64(whole + 8 * (size_t)i, b->h[i]);
	memcpy(hash, whole, b->size);
}
