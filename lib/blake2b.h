/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blake2b.h - the hash BLAKE2b without a key (RFC 7693): any bytes to at most 64. */
#ifndef CR_BLAKE2B_H
#define CR_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

struct blake2b {
	uint64_t h[8], counted;
	uint8_t block[128];
	size_t filled, size;
};

/** blake2b_begin - @size bytes of hash, 1 to 64 */
void blake2b_begin(struct blake2b *b, size_t size);
void blake2b_add(struct blake2b *b, const void *bytes, size_t len);
/** blake2b_end - @hash gets what blake2b_begin() asked for */
void blake2b_end(struct blake2b *b, uint8_t *hash);

#endif
