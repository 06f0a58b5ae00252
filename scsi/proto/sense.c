// SPDX-License-Identifier: GPL-2.0-or-later
#include "sense.h"

#include <errno.h>
#include <string.h>

#include "lib/bytes.h"

/* RESPONSE CODE */
#define FIXED_CURRENT	    0x70
#define FIXED_DEFERRED	    0x71
#define DESCRIPTOR_CURRENT  0x72
#define DESCRIPTOR_DEFERRED 0x73
#define FIXED_VALID	    0x80
#define FIXED_LEN	    18

/* DESCRIPTOR TYPE */
#define DESC_INFORMATION 0x00
#define DESC_SPECIFIC	 0x01
#define DESC_SKS	 0x02
#define DESC_VALID	 0x80

#define SKS_VALID	 0x80
#define SKS_FIELD_IN_CDB 0x40

void sense_field(struct sense *sense, bool in_cdb, unsigned at)
{
	sense->has_sks = true;
	sense->sks[0] = SKS_VALID | (in_cdb ? SKS_FIELD_IN_CDB : 0);
	put_be16(sense->sks + 1, (uint16_t)at);
}

static size_t encode_fixed(const struct sense *s, uint8_t *buf)
{
	memset(buf, 0, FIXED_LEN);
	buf[0] = s->deferred ? FIXED_DEFERRED : FIXED_CURRENT;
	if (s->has_info && s->info <= UINT32_MAX) {
		buf[0] |= FIXED_VALID;
		put_be32(buf + 3, (uint32_t)s->info);
	}
	buf[2] = s->key;
	buf[7] = FIXED_LEN - 8;
	if (s->has_specific && s->specific <= UINT32_MAX)
		put_be32(buf + 8, (uint32_t)s->specific);
	put_be16(buf + 12, s->asc);
	if (s->has_sks)
		memcpy(buf + 15, s->sks, sizeof(s->sks));
	return FIXED_LEN;
}

static size_t put_u64(uint8_t *desc, uint8_t type, uint64_t value)
{
	memset(desc, 0, 12);
	desc[0] = type;
	desc[1] = 10;
	desc[2] = type == DESC_INFORMATION ? DESC_VALID : 0;
	put_be64(desc + 4, value);
	return 12;
}

static size_t encode_descriptors(const struct sense *s, uint8_t *buf)
{
	size_t len = 8;

	memset(buf, 0, 8);
	buf[0] = s->deferred ? DESCRIPTOR_DEFERRED : DESCRIPTOR_CURRENT;
	buf[1] = s->key;
	put_be16(buf + 2, s->asc);
	if (s->has_info)
		len += put_u64(buf + len, DESC_INFORMATION, s->info);
	if (s->has_specific)
		len += put_u64(buf + len, DESC_SPECIFIC, s->specific);
	if (s->has_sks) {
		memset(buf + len, 0, 8);
		buf[len] = DESC_SKS;
		buf[len + 1] = 6;
		memcpy(buf + len + 4, s->sks, sizeof(s->sks));
		len += 8;
	}
	buf[7] = (uint8_t)(len - 8);
	return len;
}

size_t sense_encode(const struct sense *sense, bool descriptor, uint8_t *buf)
{
	return descriptor ? encode_descriptors(sense, buf) : encode_fixed(sense, buf);
}

static int decode_fixed(struct sense *s, const uint8_t *buf, size_t len)
{
	uint8_t whole[FIXED_LEN] = {0};

	if (len > 8 && len > 8u + buf[7])
		len = 8u + buf[7];
	memcpy(whole, buf, len < FIXED_LEN ? len : FIXED_LEN);
	s->key = whole[2] & 0x0f;
	s->asc = get_be16(whole + 12);
	s->has_info = whole[0] & FIXED_VALID;
	s->info = get_be32(whole + 3);
	/* Nothing tells whether this is meant; 0 says as much as nothing. */
	s->specific = get_be32(whole + 8);
	s->has_specific = s->specific != 0;
	memcpy(s->sks, whole + 15, sizeof(s->sks));
	s->has_sks = s->sks[0] & SKS_VALID;
	return 0;
}

static void decode_one(struct sense *s, const uint8_t *desc, size_t len)
{
	if (desc[0] == DESC_INFORMATION && len >= 12 && (desc[2] & DESC_VALID)) {
		s->has_info = true;
		s->info = get_be64(desc + 4);
	} else if (desc[0] == DESC_SPECIFIC && len >= 12) {
		s->has_specific = true;
		s->specific = get_be64(desc + 4);
	} else if (desc[0] == DESC_SKS && len >= 8) {
		memcpy(s->sks, desc + 4, sizeof(s->sks));
		s->has_sks = s->sks[0] & SKS_VALID;
	}
}

static int decode_descriptors(struct sense *s, const uint8_t *buf, size_t len)
{
	size_t at = 8, size;

	s->key = len > 1 ? buf[1] & 0x0f : 0;
	s->asc = len > 3 ? get_be16(buf + 2) : 0;
	if (len < 8)
		return 0;
	if (len > 8u + buf[7])
		len = 8u + buf[7];
	for (; at + 2 <= len && len - at >= 2u + buf[at + 1]; at += size) {
		size = 2u + buf[at + 1];
		decode_one(s, buf + at, size);
	}
	return 0;
}

int sense_decode(struct sense *sense, const uint8_t *buf, size_t len)
{
	uint8_t code;

	memset(sense, 0, sizeof(*sense));
	if (len < 3)
		return -EBADMSG;
	code = buf[0] & 0x7f;
	sense->deferred = code == FIXED_DEFERRED || code == DESCRIPTOR_DEFERRED;
	if (code == FIXED_CURRENT || code == FIXED_DEFERRED)
		return decode_fixed(sense, buf, len);
	if (code == DESCRIPTOR_CURRENT || code == DESCRIPTOR_DEFERRED)
		return decode_descriptors(sense, buf, len);
	return -EBADMSG;
}
