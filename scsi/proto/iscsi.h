/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iscsi.h - PDUs and text of RFC 7143. */
#ifndef SCSI_PROTO_ISCSI_H
#define SCSI_PROTO_ISCSI_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bytes.h"
#include "lib/crc32c.h"

#define ISCSI_BHS    48
#define ISCSI_DIGEST 4
#define ISCSI_PORT   3260

enum iscsi_opcode {
	ISCSI_NOP_OUT = 0x00,
	ISCSI_COMMAND = 0x01,
	ISCSI_TASK_REQUEST = 0x02,
	ISCSI_LOGIN_REQUEST = 0x03,
	ISCSI_TEXT_REQUEST = 0x04,
	ISCSI_DATA_OUT = 0x05,
	ISCSI_LOGOUT_REQUEST = 0x06,
	ISCSI_SNACK = 0x10,
	ISCSI_NOP_IN = 0x20,
	ISCSI_RESPONSE = 0x21,
	ISCSI_TASK_RESPONSE = 0x22,
	ISCSI_LOGIN_RESPONSE = 0x23,
	ISCSI_TEXT_RESPONSE = 0x24,
	ISCSI_DATA_IN = 0x25,
	ISCSI_LOGOUT_RESPONSE = 0x26,
	ISCSI_R2T = 0x31,
	ISCSI_ASYNC = 0x32,
	ISCSI_REJECT = 0x3f,
};

#define ISCSI_NO_TAG 0xffffffffu

/*
 * The 48 bytes that every PDU begins with.  Fields are named for what they are in most
 * PDUs; what they are elsewhere is said beside them.
 */
struct iscsi_bhs {
	uint8_t opcode;	  /* and ISCSI_IMMEDIATE */
	uint8_t flags;	  /* ISCSI_FINAL and others by opcode */
	uint8_t response; /* SCSI, task and logout response, reject reason; VERSION-MAX of login */
	uint8_t status;	  /* SCSI status; VERSION-MIN, VERSION-ACTIVE of login */
	uint8_t ahs_words;
	uint8_t data_len[3];
	uint8_t lun[8]; /* ISID and TSIH of login */
	uint8_t itt[4];
	uint8_t ttt[4];	   /* EXPECTED DATA TRANSFER LENGTH of a command; referenced tag of a task
			      request; CID of login */
	uint8_t sn[4];	   /* CmdSN or StatSN */
	uint8_t exp_sn[4]; /* ExpStatSN or ExpCmdSN */
	union {
		uint8_t cdb[16];
		struct {
			uint8_t max_sn[4];   /* MaxCmdSN; RefCmdSN of a task request */
			uint8_t data_sn[4];  /* DataSN, R2TSN, ExpDataSN; STATUS of login (2 bytes)
					      */
			uint8_t offset[4];   /* BUFFER OFFSET */
			uint8_t residual[4]; /* or DESIRED DATA TRANSFER LENGTH */
		};
	};
};
static_assert(sizeof(struct iscsi_bhs) == ISCSI_BHS, "BHS");

#define ISCSI_IMMEDIATE 0x40
#define ISCSI_OPCODE	0x3f
#define ISCSI_FINAL	0x80
/* Flags of a command */
#define ISCSI_READ  0x40
#define ISCSI_WRITE 0x20
/* Flags of login: transit, continue, stages */
#define ISCSI_TRANSIT  0x80
#define ISCSI_CONTINUE 0x40
/* Flags of a response and of Data-In */
#define ISCSI_OVERFLOW	 0x04
#define ISCSI_UNDERFLOW	 0x02
#define ISCSI_HAS_STATUS 0x01

enum { STAGE_SECURITY = 0, STAGE_OPERATIONAL = 1, STAGE_FULL = 3 };

/* Functions of a task request, and its response. */
enum {
	TASK_ABORT = 1,
	TASK_ABORT_SET = 2,
	TASK_CLEAR_ACA = 3,
	TASK_CLEAR_SET = 4,
	TASK_LUN_RESET = 5,
	TASK_WARM_RESET = 6,
	TASK_COLD_RESET = 7,
	TASK_REASSIGN = 8,
};
enum {
	TASK_COMPLETE = 0,
	TASK_UNKNOWN = 1,
	TASK_NO_LUN = 2,
	TASK_NOT_SUPPORTED = 5,
	TASK_REJECTED = 255,
};

/* Status-Class and Status-Detail of login. */
enum {
	LOGIN_OK = 0x0000,
	LOGIN_INITIATOR_ERROR = 0x0200,
	LOGIN_AUTHENTICATION = 0x0201,
	LOGIN_FORBIDDEN = 0x0202,
	LOGIN_NOT_FOUND = 0x0203,
	LOGIN_VERSION = 0x0205,
	LOGIN_TOO_MANY = 0x0206,
	LOGIN_MISSING = 0x0207,
	LOGIN_SESSION_TYPE = 0x0209,
	LOGIN_NO_SESSION = 0x020a,
	LOGIN_INVALID = 0x020b,
	LOGIN_RESOURCES = 0x0302,
};

enum {
	REJECT_DIGEST = 0x02,
	REJECT_PROTOCOL = 0x04,
	REJECT_NOT_SUPPORTED = 0x05,
	REJECT_INVALID = 0x09,
};

/* What a PDU announces behind its BHS. */
struct iscsi_size {
	uint32_t ahs, data, pad;
};

static inline void iscsi_size(struct iscsi_size *size, const struct iscsi_bhs *bhs)
{
	size->ahs = bhs->ahs_words * 4u;
	size->data = get_be24(bhs->data_len);
	size->pad = -size->data & 3;
}

/** iscsi_digest - of any number of bytes; 4 bytes as they go over the wire */
void iscsi_digest(const struct crc32c_table *table, const void *data, size_t len,
		  uint8_t digest[ISCSI_DIGEST]);
/** iscsi_digest_padded - of data and the zeros that fill its last word */
void iscsi_digest_padded(const struct crc32c_table *table, const void *data, size_t len,
			 uint8_t digest[ISCSI_DIGEST]);

/*
 * Text: "key=value" and NUL, one after the other.
 */

/**
 * iscsi_text_next - walk text that was received
 * @text: changed: '=' becomes NUL
 * @at: 0 at first
 *
 * Return: 1 and key and value, 0 at the end, -EBADMSG: not closed by NUL, no '=', no key or a
 * key of more than 63 bytes.
 */
int iscsi_text_next(char *text, size_t len, size_t *at, char **key, char **value);

/** iscsi_text_add - append to @text of @room bytes; -EMSGSIZE and unchanged where it is full */
int iscsi_text_add(char *text, size_t room, size_t *len, const char *key, const char *value);

/** iscsi_text_number - decimal or 0x; -EBADMSG: no number, or outside of @min and @max */
int iscsi_text_number(const char *value, uint32_t min, uint32_t max, uint32_t *number);

/**
 * iscsi_text_binary - "0x..." or "0b..." (base64)
 * Return: bytes, or -EBADMSG: neither, or more than @room.
 */
int iscsi_text_binary(const char *value, uint8_t *bytes, size_t room);
/** iscsi_text_hex - @text: 2 * len + 3 bytes */
void iscsi_text_hex(const uint8_t *bytes, size_t len, char *text);

#endif
