/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crc32c.h - Castagnoli's checksum, not inverted at either end: send streams take it as it is,
 * iSCSI (RFC 7143, 13.1) begins with ~0 and sends the complement.
 */
#ifndef CR_CRC32C_H
#define CR_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Kept by who computes many, 12 KiB. */
struct crc32c_table {
	uint32_t t[8][256];
	uint32_t past[4][256]; /* for each byte of a sum: what zeros behind it make of it */
	/* The processor's instruction where it has one; NULL: by the tables. */
	uint32_t (*fast)(const struct crc32c_table *table, uint32_t crc, const void *data,
			 size_t len);
};

void crc32c_init(struct crc32c_table *table);

/** crc32c - go on from @crc, 0 at first */
uint32_t crc32c(const struct crc32c_table *table, uint32_t crc, const void *data, size_t len);

#endif
