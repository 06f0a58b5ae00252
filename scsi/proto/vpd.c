// SPDX-License-Identifier: GPL-2.0-or-later
#include "vpd.h"

#include <errno.h>
#include <string.h>

#include "lib/bytes.h"

#define VERSION_SPC_4	 0x06
#define RESPONSE_FORMAT	 0x02
#define HISUP		 0x10
#define THIRD_PARTY_COPY 0x08
#define CMDQUE		 0x02

/* Left-justified, filled with blanks, cut. */
static void put_text(uint8_t *to, const char *text, size_t size)
{
	size_t len = strlen(text);

	memset(to, ' ', size);
	memcpy(to, text, len < size ? len : size);
}

void inquiry_encode(const struct inquiry *inq, uint8_t *data)
{
	memset(data, 0, INQUIRY_SIZE);
	data[0] = inq->device;
	data[2] = VERSION_SPC_4;
	data[3] = HISUP | RESPONSE_FORMAT;
	data[4] = INQUIRY_SIZE - 5;
	data[5] = inq->third_party_copy ? THIRD_PARTY_COPY : 0;
	data[7] = CMDQUE;
	put_text(data + 8, inq->vendor, 8);
	put_text(data + 16, inq->product, 16);
	put_text(data + 32, inq->revision, 4);
	for (unsigned i = 0; i < 8 && inq->version[i]; i++)
		put_be16(data + 58 + 2 * (size_t)i, inq->version[i]);
}

/* What is no printable ASCII becomes "?": it is shown to people. */
static void get_text(char *to, const uint8_t *from, size_t size)
{
	size_t len = size;

	while (len && (from[len - 1] == ' ' || !from[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++)
		to[i] = (char)(from[i] >= ' ' && from[i] < 0x7f ? from[i] : '?');
	to[len] = '\0';
}

int inquiry_decode(struct inquiry_text *inq, const uint8_t *data, size_t len)
{
	if (len < 36)
		return -EBADMSG;
	inq->device = data[0];
	inq->third_party_copy = data[5] & THIRD_PARTY_COPY;
	get_text(inq->vendor, data + 8, 8);
	get_text(inq->product, data + 16, 16);
	return 0;
}

static size_t begin(uint8_t device, uint8_t code, size_t len, uint8_t *page)
{
	memset(page, 0, VPD_MAX);
	page[0] = device;
	page[1] = code;
	put_be16(page + 2, (uint16_t)(len - 4));
	return len;
}

size_t vpd_supported_encode(uint8_t device, const uint8_t *codes, unsigned n, uint8_t *page)
{
	size_t len = begin(device, VPD_SUPPORTED, 4 + (size_t)n, page);

	memcpy(page + 4, codes, n);
	return len;
}

size_t vpd_serial_encode(uint8_t device, const char *serial, uint8_t *page)
{
	size_t n = strnlen(serial, VPD_MAX - 4), len = begin(device, VPD_SERIAL, 4 + n, page);

	memcpy(page + 4, serial, n);
	return len;
}

size_t vpd_identification_encode(uint8_t device, const struct designator *d, unsigned n,
				 uint8_t *page)
{
	size_t at = 4;

	begin(device, VPD_IDENTIFICATION, 4, page);
	for (unsigned i = 0; i < n && d[i].len <= sizeof(d[i].id) && at + 4 + d[i].len <= VPD_MAX;
	     i++) {
		page[at] = d[i].code_set;
		page[at + 1] = (uint8_t)(d[i].association << 4 | d[i].type);
		page[at + 3] = d[i].len;
		memcpy(page + at + 4, d[i].id, d[i].len);
		at += 4u + d[i].len;
	}
	put_be16(page + 2, (uint16_t)(at - 4));
	return at;
}

bool vpd_designator_next(const uint8_t *page, size_t len, size_t *at, struct designator *d)
{
	size_t from = *at ? *at : 4, end;

	if (len < 4)
		return false;
	end = 4u + get_be16(page + 2);
	if (end > len)
		end = len;
	if (from + 4 > end || end - from - 4 < page[from + 3])
		return false;
	*d = (struct designator){
		.code_set = page[from] & 0x0f,
		.association = page[from + 1] >> 4 & 3,
		.type = page[from + 1] & 0x0f,
		.len = page[from + 3],
	};
	if (d->len <= sizeof(d->id))
		memcpy(d->id, page + from + 4, d->len);
	*at = from + 4 + d->len;
	return true;
}

#define BLOCK_LIMITS_SIZE 64
#define UGAVALID	  0x80000000u

size_t vpd_block_limits_encode(const struct block_limits *bl, uint8_t *page)
{
	size_t len = begin(0, VPD_BLOCK_LIMITS, BLOCK_LIMITS_SIZE, page);

	page[4] = bl->wsnz ? 1 : 0;
	page[5] = bl->max_compare;
	put_be16(page + 6, bl->granularity);
	put_be32(page + 8, bl->max_transfer);
	put_be32(page + 12, bl->optimal_transfer);
	put_be32(page + 16, bl->max_prefetch);
	put_be32(page + 20, bl->max_unmap);
	put_be32(page + 24, bl->max_unmap_ranges);
	put_be32(page + 28, bl->unmap_granularity);
	if (bl->unmap_granularity)
		put_be32(page + 32, UGAVALID); /* aligned to 0 */
	put_be64(page + 36, bl->max_write_same);
	return len;
}

int vpd_block_limits_decode(struct block_limits *bl, const uint8_t *page, size_t len)
{
	*bl = (struct block_limits){0};
	if (len < 16 || page[1] != VPD_BLOCK_LIMITS)
		return -EBADMSG;
	bl->wsnz = page[4] & 1;
	bl->max_compare = page[5];
	bl->granularity = get_be16(page + 6);
	bl->max_transfer = get_be32(page + 8);
	bl->optimal_transfer = get_be32(page + 12);
	/* SBC-2 ends here. */
	if (len < BLOCK_LIMITS_SIZE || get_be16(page + 2) < BLOCK_LIMITS_SIZE - 4)
		return 0;
	bl->max_prefetch = get_be32(page + 16);
	bl->max_unmap = get_be32(page + 20);
	bl->max_unmap_ranges = get_be32(page + 24);
	bl->unmap_granularity = get_be32(page + 28);
	bl->max_write_same = get_be64(page + 36);
	return 0;
}

size_t vpd_characteristics_encode(uint8_t *page)
{
	size_t len = begin(0, VPD_BLOCK_CHARACTERISTICS, 64, page);

	put_be16(page + 4, 1); /* non-rotating */
	return len;
}

size_t vpd_provisioning_encode(const struct provisioning *p, uint8_t *page)
{
	size_t len = begin(0, VPD_PROVISIONING, 8, page);

	page[5] = (uint8_t)((p->lbpu ? 0x80 : 0) | (p->lbpws ? 0x40 : 0) | (p->lbpws10 ? 0x20 : 0) |
			    (p->lbprz ? 0x04 : 0) | (p->anchor ? 0x02 : 0));
	page[6] = p->type & 7;
	return len;
}

int vpd_provisioning_decode(struct provisioning *p, const uint8_t *page, size_t len)
{
	*p = (struct provisioning){0};
	if (len < 7 || page[1] != VPD_PROVISIONING)
		return -EBADMSG;
	p->lbpu = page[5] & 0x80;
	p->lbpws = page[5] & 0x40;
	p->lbpws10 = page[5] & 0x20;
	p->lbprz = page[5] & 0x1c;
	p->anchor = page[5] & 0x02;
	p->type = page[6] & 7;
	return 0;
}

/* Third-party copy descriptors: type, length, and each a multiple of 4. */
enum {
	TPC_ROD_LIMITS = 0x0000,
	TPC_COMMANDS = 0x0001,
	TPC_PARAMETERS = 0x0004,
	TPC_DESCRIPTORS = 0x0008,
	TPC_CSCD_IDS = 0x000c,
	TPC_ROD_FEATURES = 0x0106,
	TPC_ROD_TYPES = 0x0108,
	TPC_GENERAL = 0x8001,
};

/* Place for a descriptor of @len bytes after type and length; there is always room. */
static uint8_t *descriptor(uint8_t *page, size_t *at, uint16_t type, size_t len)
{
	uint8_t *d = page + *at;

	len = (len + 3) & ~(size_t)3;
	put_be16(d, type);
	put_be16(d + 2, (uint16_t)len);
	*at += 4 + len;
	return d;
}

static void put_rod_limits(const struct tpc_info *info, uint8_t *page, size_t *at)
{
	uint8_t *d = descriptor(page, at, TPC_ROD_LIMITS, 0x20);

	put_be16(d + 10, info->max_ranges);
	put_be32(d + 12, info->max_timeout);
	put_be32(d + 16, info->default_timeout);
	put_be64(d + 20, info->max_transfer);
	put_be64(d + 28, info->optimal_transfer);
}

static void put_commands(const struct tpc_info *info, uint8_t *page, size_t *at)
{
	size_t len = 1;
	uint8_t *d;

	for (unsigned i = 0; i < info->n_commands; i++)
		len += 2u + info->commands[i].n;
	d = descriptor(page, at, TPC_COMMANDS, len);
	d[4] = (uint8_t)(len - 1);
	d += 5;
	for (unsigned i = 0; i < info->n_commands; i++) {
		const struct tpc_commands *c = &info->commands[i];

		d[0] = c->opcode;
		d[1] = c->n;
		memcpy(d + 2, c->sa, c->n);
		d += 2u + c->n;
	}
}

static void put_parameters(const struct copy_limits_data *limits, uint8_t *page, size_t *at)
{
	uint8_t *d = descriptor(page, at, TPC_PARAMETERS, 0x1c);

	put_be16(d + 8, limits->cscds);
	put_be16(d + 10, limits->segments);
	put_be32(d + 12, limits->list_len);
	put_be32(d + 16, limits->inline_bytes);
	d = descriptor(page, at, TPC_DESCRIPTORS, 1u + limits->codes);
	d[4] = limits->codes;
	memcpy(d + 5, limits->code, limits->codes);
	d = descriptor(page, at, TPC_CSCD_IDS, 4);
	put_be16(d + 4, 2);
	put_be16(d + 6, CSCD_THIS_LU);
	d = descriptor(page, at, TPC_GENERAL, 0x20);
	put_be32(d + 4, limits->total_copies);
	put_be32(d + 8, limits->copies);
	put_be32(d + 12, limits->segment_bytes);
	d[16] = limits->granularity;
	d[17] = limits->inline_granularity;
}

static void put_rod_types(const struct tpc_info *info, uint8_t *page, size_t *at)
{
	uint8_t *d = descriptor(page, at, TPC_ROD_FEATURES, 0x2c);

	put_be32(d + 20, info->max_timeout); /* longest life */
	put_be32(d + 24, info->max_timeout);
	d = descriptor(page, at, TPC_ROD_TYPES, 4 + 64 * (size_t)info->n_rod_types);
	put_be16(d + 6, (uint16_t)(64 * info->n_rod_types));
	for (unsigned i = 0; i < info->n_rod_types; i++) {
		uint8_t *t = d + 8 + 64 * (size_t)i;

		put_be32(t, info->rod_types[i]);
		t[4] = 0x03; /* goes out and comes in by tokens */
		put_be16(t + 6, (uint16_t)(i ? 2 : 1));
	}
}

size_t vpd_tpc_encode(uint8_t device, const struct tpc_info *info, uint8_t *page)
{
	size_t at = 4;

	begin(device, VPD_THIRD_PARTY_COPY, 4, page);
	if (info->n_rod_types)
		put_rod_limits(info, page, &at);
	put_commands(info, page, &at);
	put_parameters(info->limits, page, &at);
	if (info->n_rod_types)
		put_rod_types(info, page, &at);
	put_be16(page + 2, (uint16_t)(at - 4));
	return at;
}

static void get_commands(struct tpc_page *tpc, const uint8_t *d, size_t len)
{
	size_t end = len > 1 ? 1u + d[0] : 0;

	if (end > len)
		end = len;
	for (size_t at = 1; at + 2 <= end; at += 2u + d[at + 1]) {
		uint32_t *set = d[at] == 0x83 ? &tpc->out : d[at] == 0x84 ? &tpc->in : NULL;

		for (unsigned i = 0; set && i < d[at + 1] && at + 2 + i < end; i++)
			*set |= 1u << (d[at + 2 + i] & 0x1f);
	}
}

static void get_descriptor(struct tpc_page *tpc, uint16_t type, const uint8_t *d, size_t len)
{
	switch (type) {
	case TPC_ROD_LIMITS:
		if (len < 32)
			return;
		tpc->max_ranges = get_be16(d + 6);
		tpc->default_timeout = get_be32(d + 12);
		tpc->max_transfer = get_be64(d + 16);
		tpc->optimal_transfer = get_be64(d + 24);
		return;
	case TPC_COMMANDS:
		get_commands(tpc, d, len);
		return;
	case TPC_DESCRIPTORS:
		for (size_t i = 1; i < len && i <= d[0] && tpc->codes < COPY_LIMITS_CODES; i++)
			tpc->code[tpc->codes++] = d[i];
		return;
	default:
		return;
	}
}

int vpd_tpc_decode(struct tpc_page *tpc, const uint8_t *page, size_t len)
{
	size_t end;

	*tpc = (struct tpc_page){0};
	if (len < 4 || page[1] != VPD_THIRD_PARTY_COPY)
		return -EBADMSG;
	end = 4u + get_be16(page + 2);
	if (end > len)
		end = len;
	for (size_t at = 4; at + 4 <= end;) {
		size_t size = get_be16(page + at + 2);

		if (size > end - at - 4)
			break;
		get_descriptor(tpc, get_be16(page + at), page + at + 4, size);
		at += 4 + size;
	}
	return 0;
}
