// SPDX-License-Identifier: GPL-2.0-or-later
#include "token.h"

#include <errno.h>
#include <string.h>

#include "lib/bytes.h"

#define TOKEN_LEN 0x01f8 /* ROD TOKEN LENGTH */

/* What both lists have: their length, and the ranges after @head bytes. */
static int ranges_decode(const uint8_t *list, size_t len, size_t head, unsigned *ranges)
{
	size_t bytes;

	if (len < head)
		return -EMSGSIZE;
	bytes = get_be16(list + head - 2);
	if (bytes % TOKEN_RANGE || get_be16(list) < head + bytes - 2)
		return -EBADMSG;
	if (bytes > len - head)
		return -EMSGSIZE;
	*ranges = (unsigned)(bytes / TOKEN_RANGE);
	return 0;
}

int populate_decode(struct populate *p, const uint8_t *list, size_t len)
{
	int err;

	*p = (struct populate){0};
	err = ranges_decode(list, len, POPULATE_HEAD, &p->ranges);
	if (err)
		return err;
	p->rtv = list[2] & 2;
	p->immed = list[2] & 1;
	p->timeout = get_be32(list + 4);
	p->type = get_be32(list + 8);
	p->range = list + POPULATE_HEAD;
	return 0;
}

int redeem_decode(struct redeem *r, const uint8_t *list, size_t len)
{
	int err;

	*r = (struct redeem){0};
	err = ranges_decode(list, len, REDEEM_HEAD, &r->ranges);
	if (err)
		return err;
	r->delete_token = list[2] & 2;
	r->immed = list[2] & 1;
	r->offset = get_be64(list + 8);
	r->token = list + 16;
	r->range = list + REDEEM_HEAD;
	return 0;
}

void token_range_decode(struct token_range *range, const uint8_t *ranges, unsigned i)
{
	const uint8_t *desc = ranges + (size_t)i * TOKEN_RANGE;

	range->lba = get_be64(desc);
	range->blocks = get_be32(desc + 8);
}

void token_range_encode(const struct token_range *range, uint8_t *ranges, unsigned i)
{
	uint8_t *desc = ranges + (size_t)i * TOKEN_RANGE;

	memset(desc, 0, TOKEN_RANGE);
	put_be64(desc, range->lba);
	put_be32(desc + 8, range->blocks);
}

size_t populate_encode(const struct populate *p, uint8_t *list)
{
	size_t bytes = (size_t)p->ranges * TOKEN_RANGE;

	memset(list, 0, POPULATE_HEAD);
	put_be16(list, (uint16_t)(POPULATE_HEAD + bytes - 2));
	list[2] = (uint8_t)((p->rtv ? 2 : 0) | (p->immed ? 1 : 0));
	put_be32(list + 4, p->timeout);
	put_be32(list + 8, p->type);
	put_be16(list + 14, (uint16_t)bytes);
	return POPULATE_HEAD + bytes;
}

size_t redeem_encode(const struct redeem *r, uint8_t *list)
{
	size_t bytes = (size_t)r->ranges * TOKEN_RANGE;

	memset(list, 0, REDEEM_HEAD);
	put_be16(list, (uint16_t)(REDEEM_HEAD + bytes - 2));
	list[2] = (uint8_t)((r->delete_token ? 2 : 0) | (r->immed ? 1 : 0));
	put_be64(list + 8, r->offset);
	memcpy(list + 16, r->token, TOKEN_SIZE);
	put_be16(list + 534, (uint16_t)bytes);
	return REDEEM_HEAD + bytes;
}

void rod_token_encode(const struct rod_token *t, uint8_t *token)
{
	memset(token, 0, ROD_TOKEN_SECRET);
	put_be32(token, t->type);
	put_be16(token + 6, TOKEN_LEN);
	put_be64(token + 8, t->id);
	cscd_encode(&t->owner, token + 16);
	put_be64(token + 56, t->bytes); /* of 128 bits from 48 on */
	put_be32(token + 96, t->block_size);
}

int rod_token_decode(struct rod_token *t, const uint8_t *token)
{
	*t = (struct rod_token){.type = get_be32(token)};
	if (get_be16(token + 6) != TOKEN_LEN)
		return -EBADMSG;
	if (t->type == ROD_ZERO)
		return 0;
	t->id = get_be64(token + 8);
	t->bytes = get_be64(token + 56);
	t->block_size = get_be32(token + 96);
	return get_be64(token + 48) ? -EBADMSG : cscd_decode(&t->owner, token + 16);
}

void rod_token_zero(uint8_t *token)
{
	memset(token, 0, TOKEN_SIZE);
	put_be32(token, ROD_ZERO);
	put_be16(token + 6, TOKEN_LEN);
}

size_t token_info_encode(const uint8_t *token, uint8_t *data)
{
	memset(data, 0, 6);
	if (!token)
		return 4;
	put_be32(data, 2 + TOKEN_SIZE);
	memcpy(data + 6, token, TOKEN_SIZE);
	return TOKEN_INFO_SIZE;
}

const uint8_t *token_info_decode(const uint8_t *data, size_t len)
{
	if (len < TOKEN_INFO_SIZE || get_be32(data) < 2 + TOKEN_SIZE)
		return NULL;
	return data + 6;
}
