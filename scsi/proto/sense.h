/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sense.h - sense data, fixed and with descriptors (SPC-4, 4.5). */
#ifndef SCSI_PROTO_SENSE_H
#define SCSI_PROTO_SENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sense_key {
	KEY_NO_SENSE = 0x0,
	KEY_NOT_READY = 0x2,
	KEY_MEDIUM_ERROR = 0x3,
	KEY_HARDWARE_ERROR = 0x4,
	KEY_ILLEGAL_REQUEST = 0x5,
	KEY_UNIT_ATTENTION = 0x6,
	KEY_DATA_PROTECT = 0x7,
	KEY_COPY_ABORTED = 0xa,
	KEY_ABORTED_COMMAND = 0xb,
	KEY_MISCOMPARE = 0xe,
};

/* Additional sense code and qualifier as one number. */
enum sense_asc {
	ASC_NONE = 0x0000,
	ASC_OPERATION_IN_PROGRESS = 0x0016,
	ASC_WRITE_ERROR = 0x0c00,
	ASC_THIRD_PARTY_DEVICE_FAILURE = 0x0d01,
	ASC_COPY_TARGET_NOT_REACHABLE = 0x0d02,
	ASC_READ_ERROR = 0x1100,
	ASC_PARAMETER_LIST_LENGTH = 0x1a00,
	ASC_MISCOMPARE = 0x1d00,
	ASC_INVALID_OPCODE = 0x2000,
	ASC_LBA_OUT_OF_RANGE = 0x2100,
	ASC_TOKEN_UNKNOWN = 0x2304,
	ASC_TOKEN_UNSUPPORTED = 0x2301,
	ASC_TOKEN_CORRUPT = 0x2305,
	ASC_TOKEN_REVOKED = 0x2306,
	ASC_TOKEN_EXPIRED = 0x2307,
	ASC_TOKEN_CANCELLED = 0x2308,
	ASC_INVALID_FIELD_IN_CDB = 0x2400,
	ASC_LUN_NOT_SUPPORTED = 0x2500,
	ASC_INVALID_FIELD_IN_LIST = 0x2600,
	ASC_PARAMETER_VALUE_INVALID = 0x2602,
	ASC_INVALID_RELEASE = 0x2604,
	ASC_TOO_MANY_CSCDS = 0x2606,
	ASC_CSCD_TYPE = 0x2607,
	ASC_TOO_MANY_SEGMENTS = 0x2608,
	ASC_SEGMENT_TYPE = 0x2609,
	ASC_INLINE_TOO_LONG = 0x260b,
	ASC_WRITE_PROTECTED = 0x2700,
	ASC_SPACE_ALLOCATION_FAILED = 0x2707,
	ASC_POWER_ON = 0x2900,
	ASC_BUS_DEVICE_RESET = 0x2903,
	ASC_MODE_CHANGED = 0x2a01,
	ASC_RESERVATIONS_PREEMPTED = 0x2a03,
	ASC_RESERVATIONS_RELEASED = 0x2a04,
	ASC_REGISTRATIONS_PREEMPTED = 0x2a05,
	ASC_COMMANDS_CLEARED = 0x2f00,
	ASC_SAVING_NOT_SUPPORTED = 0x3900,
	ASC_INTERNAL_FAILURE = 0x4400,
	ASC_DATA_PHASE_ERROR = 0x4b00,
	ASC_INSUFFICIENT_RESOURCES = 0x5503,
	ASC_INSUFFICIENT_REGISTRATIONS = 0x5504,
	ASC_NO_ROD_RESOURCES = 0x550c,
};

struct sense {
	uint8_t key;
	uint16_t asc;  /* enum sense_asc */
	bool deferred; /* about an earlier command */
	bool has_info, has_specific, has_sks;
	uint64_t info, specific; /* INFORMATION, COMMAND-SPECIFIC INFORMATION */
	/* SENSE KEY SPECIFIC: a field pointer for 05h, a segment pointer for 0Ah */
	uint8_t sks[3];
};

#define SENSE_MAX 64

/**
 * sense_encode - what a target sends
 * @descriptor: with descriptors; else the fixed format, which drops what takes more than 32 bits
 * @buf: SENSE_MAX bytes
 *
 * Return: bytes.
 */
size_t sense_encode(const struct sense *sense, bool descriptor, uint8_t *buf);

/**
 * sense_decode - either format; what is missing or cut off is 0
 * Return: 0, or -EBADMSG when it is no sense data.
 */
int sense_decode(struct sense *sense, const uint8_t *buf, size_t len);

/** sense_field - a field pointer: byte @at of the CDB, or of the parameter list */
void sense_field(struct sense *sense, bool in_cdb, unsigned at);

#endif
