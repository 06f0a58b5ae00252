/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crc32c.h - the checksum of send streams: Castagnoli's polynomial, not inverted at either end. */
#ifndef STREAM_CRC32C_H
#define STREAM_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Kept by who computes many, 8 KiB. */
struct crc32c_table {
	uint32_t t[8][256];
};

void crc32c_init(struct crc32c_table *table);

/** crc32c - go on from @crc, 0 at first */
uint32_t crc32c(const struct crc32c_table *table, uint32_t crc, const void *data, size_t len);

#endif
