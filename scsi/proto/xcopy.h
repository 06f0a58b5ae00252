/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xcopy.h - EXTENDED COPY: parameter lists of both forms (SPC-4, 6.4), and what
 * RECEIVE COPY RESULTS says of them (6.23 to 6.26).
 *
 * Decoders get a buffer and its length and look at nothing beyond; encoders
 * write to a buffer of the size that is named.
 */
#ifndef SCSI_PROTO_XCOPY_H
#define SCSI_PROTO_XCOPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XCOPY_HEAD_LID1 16
#define XCOPY_HEAD_LID4 48
#define CSCD_SIZE	32

/* LIST ID USAGE */
enum { LIST_ID_HOLD = 0, LIST_ID_DISCARD = 2, LIST_ID_NONE = 3 };

struct xcopy_header {
	bool lid4;
	uint32_t list_id;
	uint8_t usage, priority;
	bool str;	     /* sequential striped */
	bool g_sense, immed; /* LID4 only */
	uint32_t cscd_len, segment_len, inline_len;
};

/**
 * xcopy_header_decode - the head of a list; its @lid4 says of which form
 * Return: bytes of the head, -EMSGSIZE: the list is shorter than it says, -EBADMSG: LID4 with
 * another format than the one there is.
 */
int xcopy_header_decode(struct xcopy_header *head, const uint8_t *list, size_t len);

/** xcopy_header_encode - @list: XCOPY_HEAD_LID4 bytes.  Return: bytes */
size_t xcopy_header_encode(const struct xcopy_header *head, uint8_t *list);

/* A designator as VPD page 83h has it. */
struct designator {
	uint8_t code_set, association, type, len;
	uint8_t id[20];
};

enum { CODE_BINARY = 1, CODE_ASCII = 2, CODE_UTF8 = 3 };
enum { DESIGNATOR_T10 = 1, DESIGNATOR_EUI64 = 2, DESIGNATOR_NAA = 3, DESIGNATOR_NAME = 8 };

#define CSCD_IDENTIFICATION 0xe4

struct cscd {
	uint8_t type;	 /* CSCD_IDENTIFICATION, or another, of which nothing else is filled */
	uint8_t id_type; /* LU ID TYPE: 0, a designator */
	uint8_t device;	 /* PERIPHERAL DEVICE TYPE */
	struct designator designator;
	bool pad;
	uint32_t block_size;
};

/** cscd_decode - @desc: CSCD_SIZE bytes.  -EBADMSG: a designator longer than its field */
int cscd_decode(struct cscd *cscd, const uint8_t *desc);
void cscd_encode(const struct cscd *cscd, uint8_t *desc);

/* CSCD DESCRIPTOR ID in segments: an index into the list, or one of these. */
#define CSCD_NULL      0xc000
#define CSCD_ROD_TOKEN 0xf800
#define CSCD_THIS_LU   0xffff

#define SEGMENT_BLOCKS	0x02 /* block to block */
#define SEGMENT_OFFSETS 0x0a /* block to block, with byte counts */
#define SEGMENT_VERIFY	0x07 /* is that CSCD there */
#define SEGMENT_MAX	32

struct segment {
	uint8_t type;
	bool cat, dc;
	uint16_t src, dst;
	uint32_t blocks;	   /* 02h: of the source, or with dc of the destination */
	uint32_t bytes;		   /* 0Ah */
	uint64_t src_lba, dst_lba; /* 02h, 0Ah */
	uint16_t src_offset, dst_offset;
	bool tur; /* 07h: by TEST UNIT READY */
};

/**
 * segment_decode - the next of a list
 * @len: bytes left of it
 *
 * Return: its bytes; -EMSGSIZE: cut off; -EBADMSG: a length that is not its type's;
 * -EOPNOTSUPP: of a type that is not known here, only @type is filled.
 */
int segment_decode(struct segment *seg, const uint8_t *desc, size_t len);
/** segment_encode - @desc: SEGMENT_MAX bytes.  Return: bytes, 0: of a type not known here */
size_t segment_encode(const struct segment *seg, uint8_t *desc);

/* What a copy manager can do: RECEIVE COPY OPERATING PARAMETERS. */
#define COPY_LIMITS_CODES 16
struct copy_limits_data {
	bool snlid; /* commands without a list identifier */
	uint16_t cscds, segments;
	uint32_t list_len;	/* of descriptors */
	uint32_t segment_bytes; /* 0: no limit */
	uint32_t inline_bytes, held_bytes, stream_bytes;
	uint16_t total_copies;
	uint8_t copies;
	uint8_t granularity, inline_granularity, held_granularity; /* logarithms of bytes */
	uint8_t codes, code[COPY_LIMITS_CODES];			   /* descriptor types, ascending */
};

#define COPY_LIMITS_MAX (44 + COPY_LIMITS_CODES)

/** copy_limits_encode - @data: COPY_LIMITS_MAX bytes.  Return: bytes */
size_t copy_limits_encode(const struct copy_limits_data *limits, uint8_t *data);
/** copy_limits_decode - -EBADMSG: too short; further codes than fit are left out */
int copy_limits_decode(struct copy_limits_data *limits, const uint8_t *data, size_t len);

/* COPY STATUS of the LID1 form */
enum { COPY_LID1_RUNS = 0, COPY_LID1_DONE = 1, COPY_LID1_ERROR = 2 };
/* COPY OPERATION STATUS of the LID4 form and of RECEIVE ROD TOKEN INFORMATION */
enum {
	COPY_OK = 0x01,
	COPY_ERROR = 0x02,
	COPY_PARTIAL_ROD = 0x03,
	COPY_RESIDUAL = 0x04,
	COPY_RUNS = 0x10,
	COPY_RUNS_FOREGROUND = 0x11,
	COPY_RUNS_BACKGROUND = 0x12,
	COPY_ABORTED = 0x60,
};
/* TRANSFER COUNT UNITS */
enum {
	COPY_UNIT_BYTES = 0x00,
	COPY_UNIT_KIB = 0x01,
	COPY_UNIT_MIB = 0x02,
	COPY_UNIT_BLOCKS = 0xf1
};

struct copy_status_lid1 {
	bool held_discarded;
	uint8_t status;
	uint16_t segments;
	uint8_t units;
	uint32_t count;
};

#define COPY_STATUS_LID1_SIZE 12
void copy_status_lid1_encode(const struct copy_status_lid1 *status, uint8_t *data);
int copy_status_lid1_decode(struct copy_status_lid1 *status, const uint8_t *data, size_t len);

#define COPY_SENSE_MAX 64

/* COPY STATUS (LID4), and the head of ROD TOKEN INFORMATION. */
struct copy_status_lid4 {
	uint8_t response_to; /* service action of the command it is about */
	uint8_t status;	     /* COPY_OK ... */
	uint16_t counter;
	uint32_t delay_ms;  /* until asking again is worth it; ~0 - 1: not known */
	uint8_t completion; /* SCSI status of the command */
	uint8_t units;
	uint64_t count;
	uint16_t segments;
	uint8_t sense_len;
	uint8_t sense[COPY_SENSE_MAX];
};

#define COPY_STATUS_LID4_MAX (32 + COPY_SENSE_MAX)

/** copy_status_lid4_encode - @data: COPY_STATUS_LID4_MAX bytes, @more: what follows.  Return: bytes
 */
size_t copy_status_lid4_encode(const struct copy_status_lid4 *status, size_t more, uint8_t *data);
/** copy_status_lid4_decode - Return: bytes before what follows, -EBADMSG */
int copy_status_lid4_decode(struct copy_status_lid4 *status, const uint8_t *data, size_t len);

/* COPY FAILURE DETAILS (LID1). */
struct copy_failure {
	uint8_t status;
	uint16_t sense_len;
	uint8_t sense[COPY_SENSE_MAX];
};

#define COPY_FAILURE_MAX (60 + COPY_SENSE_MAX)
size_t copy_failure_encode(const struct copy_failure *failure, uint8_t *data);
int copy_failure_decode(struct copy_failure *failure, const uint8_t *data, size_t len);

#endif
