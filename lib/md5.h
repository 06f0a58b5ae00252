/* SPDX-License-Identifier: GPL-2.0-or-later */
/* md5.h - RFC 1321: what CHAP is made of.  Not for anything that has to be safe today. */
#ifndef CR_MD5_H
#define CR_MD5_H

#include <stddef.h>
#include <stdint.h>

#define MD5_SIZE 16

struct md5 {
	uint32_t state[4];
	uint64_t len;
	uint8_t block[64];
};

void md5_init(struct md5 *m);
void md5_add(struct md5 *m, const void *data, size_t len);
void md5_end(struct md5 *m, uint8_t digest[MD5_SIZE]);

#endif
