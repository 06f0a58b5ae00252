/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vpd.h - INQUIRY data and vital product data pages (SPC-4, 6.6 and 7.8; SBC-3, 6.6). */
#ifndef SCSI_PROTO_VPD_H
#define SCSI_PROTO_VPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcopy.h"

/* Every page that is made here fits. */
#define VPD_MAX 512

enum {
	VPD_SUPPORTED = 0x00,
	VPD_SERIAL = 0x80,
	VPD_IDENTIFICATION = 0x83,
	VPD_THIRD_PARTY_COPY = 0x8f,
	VPD_BLOCK_LIMITS = 0xb0,
	VPD_BLOCK_CHARACTERISTICS = 0xb1,
	VPD_PROVISIONING = 0xb2,
};

struct inquiry {
	uint8_t device; /* peripheral qualifier and device type */
	bool third_party_copy;
	const char *vendor, *product, *revision; /* cut to 8, 16, 4 */
	uint16_t version[8];			 /* version descriptors, 0 ends them */
};

#define INQUIRY_SIZE 74
void inquiry_encode(const struct inquiry *inq, uint8_t *data);

struct inquiry_text {
	uint8_t device;
	bool third_party_copy;
	char vendor[9], product[17]; /* without the blanks behind them */
};
/** inquiry_decode - -EBADMSG: cut off before the names */
int inquiry_decode(struct inquiry_text *inq, const uint8_t *data, size_t len);

/* All return the bytes of the page; @page: VPD_MAX bytes. */
size_t vpd_supported_encode(uint8_t device, const uint8_t *codes, unsigned n, uint8_t *page);
size_t vpd_serial_encode(uint8_t device, const char *serial, uint8_t *page);
/* Designators one after the other; those that do not fit are left out. */
size_t vpd_identification_encode(uint8_t device, const struct designator *d, unsigned n,
				 uint8_t *page);

/**
 * vpd_designator_next - walk page 83h
 * @at: 0 at first
 *
 * Those longer than struct designator holds have their length and no id.
 * Return: true and @d, or false at the end.
 */
bool vpd_designator_next(const uint8_t *page, size_t len, size_t *at, struct designator *d);

/* Numbers are logical blocks unless they say otherwise; 0: not reported. */
struct block_limits {
	bool wsnz; /* WRITE SAME needs a number of blocks */
	uint8_t max_compare;
	uint16_t granularity;
	uint32_t max_transfer, optimal_transfer, max_prefetch;
	uint32_t max_unmap, max_unmap_ranges, unmap_granularity;
	uint64_t max_write_same;
};
size_t vpd_block_limits_encode(const struct block_limits *bl, uint8_t *page);
int vpd_block_limits_decode(struct block_limits *bl, const uint8_t *page, size_t len);

/* Of a medium that does not turn. */
size_t vpd_characteristics_encode(uint8_t *page);

struct provisioning {
	bool lbpu, lbpws, lbpws10, lbprz, anchor;
	uint8_t type; /* 2: thin */
};
size_t vpd_provisioning_encode(const struct provisioning *p, uint8_t *page);
int vpd_provisioning_decode(struct provisioning *p, const uint8_t *page, size_t len);

/* What page 8Fh tells. */
struct tpc_commands {
	uint8_t opcode, n, sa[8];
};
struct tpc_info {
	const struct tpc_commands *commands;
	unsigned n_commands;
	const struct copy_limits_data *limits;
	/* ROD limits */
	uint16_t max_ranges;
	uint32_t max_timeout, default_timeout; /* seconds */
	uint64_t max_transfer, optimal_transfer;
	const uint32_t *rod_types; /* the first is the preferred one */
	unsigned n_rod_types;
};
size_t vpd_tpc_encode(uint8_t device, const struct tpc_info *info, uint8_t *page);

/* What an initiator reads there. */
struct tpc_page {
	uint32_t out, in; /* service actions of 83h and 84h, 1 << each */
	uint8_t codes, code[COPY_LIMITS_CODES];
	uint16_t max_ranges; /* of a token; 0: not said */
	uint32_t default_timeout;
	uint64_t max_transfer, optimal_transfer; /* blocks of a token */
};
/** vpd_tpc_decode - -EBADMSG: not that page; what is cut off is left out */
int vpd_tpc_decode(struct tpc_page *tpc, const uint8_t *page, size_t len);

#endif
