/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * token.h - offloaded data transfer: POPULATE TOKEN, WRITE USING TOKEN (SBC-3, 5.14 and 5.48)
 * and the ROD token (SPC-4, 5.17.6).
 */
#ifndef SCSI_PROTO_TOKEN_H
#define SCSI_PROTO_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcopy.h"

#define TOKEN_SIZE 512

enum {
	ROD_ON_REFERENCE = 0x00010000,
	ROD_POINT_IN_TIME = 0x00800000,
	ROD_CHANGE_VULNERABLE = 0x00800001,
	ROD_PERSISTENT = 0x00800002,
	ROD_ANY = 0x0080ffff,
};
#define ROD_ZERO 0xffff0001u

struct token_range {
	uint64_t lba;
	uint32_t blocks;
};

#define TOKEN_RANGE 16

/* Parameter list of POPULATE TOKEN. */
struct populate {
	bool immed, rtv;
	uint32_t timeout; /* of inactivity, seconds; 0: the default */
	uint32_t type;	  /* ROD_*, with rtv */
	unsigned ranges;
	const uint8_t *range; /* in the list, for token_range_decode() */
};

/* Parameter list of WRITE USING TOKEN. */
struct redeem {
	bool immed, delete_token;
	uint64_t offset; /* into what the token stands for, blocks */
	const uint8_t *token;
	unsigned ranges;
	const uint8_t *range;
};

#define POPULATE_HEAD 16
#define REDEEM_HEAD   536

/** populate_decode - 0, -EMSGSIZE: shorter than it says, -EBADMSG: lengths that contradict */
int populate_decode(struct populate *p, const uint8_t *list, size_t len);
int redeem_decode(struct redeem *r, const uint8_t *list, size_t len);
void token_range_decode(struct token_range *range, const uint8_t *ranges, unsigned i);

/**
 * populate_encode - @list: POPULATE_HEAD bytes and TOKEN_RANGE for each of p->ranges; p->range is
 * not looked at: give them to token_range_encode().  Return: bytes
 */
size_t populate_encode(const struct populate *p, uint8_t *list);
size_t redeem_encode(const struct redeem *r, uint8_t *list);
void token_range_encode(const struct token_range *range, uint8_t *ranges, unsigned i);

/* What anyone may read in a token. */
struct rod_token {
	uint32_t type;
	uint64_t id;	   /* of the copy manager's choice */
	struct cscd owner; /* the logical unit it came from */
	uint64_t bytes;
	uint32_t block_size;
};

/** rod_token_encode - the bytes from ROD_TOKEN_SECRET on are left to the caller */
void rod_token_encode(const struct rod_token *t, uint8_t *token);
#define ROD_TOKEN_SECRET 256
/** rod_token_decode - -EBADMSG: no token; a zero token has nothing but its type */
int rod_token_decode(struct rod_token *t, const uint8_t *token);
/** rod_token_zero - the token that stands for zeros */
void rod_token_zero(uint8_t *token);

/**
 * token_info_encode - one token behind the head of RECEIVE ROD TOKEN INFORMATION
 * @data: TOKEN_INFO_SIZE bytes; @token NULL: there is none.  Return: bytes
 */
#define TOKEN_INFO_SIZE (4 + 2 + TOKEN_SIZE)
size_t token_info_encode(const uint8_t *token, uint8_t *data);
/** token_info_decode - the token, or NULL: none, or cut off */
const uint8_t *token_info_decode(const uint8_t *data, size_t len);

#endif
