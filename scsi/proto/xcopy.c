// SPDX-License-Identifier: GPL-2.0-or-later
#include "xcopy.h"

#include <errno.h>
#include <string.h>

#include "lib/bytes.h"

#define LID4_FORMAT	 0x01
#define LID4_HEADER_LEN	 0x0020
#define LID4_HEADER_CSCD 0xff
#define LID4_CSCD_LEN	 0x001c

static void decode_flags(struct xcopy_header *head, uint8_t flags)
{
	head->str = flags & 0x20;
	head->usage = flags >> 3 & 3;
	head->priority = flags & 7;
}

static int decode_lid4(struct xcopy_header *head, const uint8_t *list, size_t len)
{
	if (len < XCOPY_HEAD_LID4)
		return -EMSGSIZE;
	if (list[0] != LID4_FORMAT || get_be16(list + 2) != LID4_HEADER_LEN)
		return -EBADMSG;
	decode_flags(head, list[1]);
	head->g_sense = list[15] & 2;
	head->immed = list[15] & 1;
	head->list_id = get_be32(list + 20);
	head->cscd_len = get_be16(list + 42);
	head->segment_len = get_be16(list + 44);
	head->inline_len = get_be16(list + 46);
	return XCOPY_HEAD_LID4;
}

static int decode_lid1(struct xcopy_header *head, const uint8_t *list, size_t len)
{
	if (len < XCOPY_HEAD_LID1)
		return -EMSGSIZE;
	head->list_id = list[0];
	decode_flags(head, list[1]);
	head->cscd_len = get_be16(list + 2);
	head->segment_len = get_be32(list + 8);
	head->inline_len = get_be32(list + 12);
	return XCOPY_HEAD_LID1;
}

int xcopy_header_decode(struct xcopy_header *head, const uint8_t *list, size_t len)
{
	bool lid4 = head->lid4;
	int size;

	*head = (struct xcopy_header){.lid4 = lid4};
	size = lid4 ? decode_lid4(head, list, len) : decode_lid1(head, list, len);
	if (size < 0)
		return size;
	if ((uint64_t)head->cscd_len + head->segment_len + head->inline_len > len - (size_t)size)
		return -EMSGSIZE;
	return size;
}

size_t xcopy_header_encode(const struct xcopy_header *head, uint8_t *list)
{
	uint8_t flags =
		(uint8_t)((head->str ? 0x20 : 0) | (head->usage & 3) << 3 | (head->priority & 7));

	memset(list, 0, head->lid4 ? XCOPY_HEAD_LID4 : XCOPY_HEAD_LID1);
	list[1] = flags;
	if (!head->lid4) {
		list[0] = (uint8_t)head->list_id;
		put_be16(list + 2, (uint16_t)head->cscd_len);
		put_be32(list + 8, head->segment_len);
		put_be32(list + 12, head->inline_len);
		return XCOPY_HEAD_LID1;
	}
	list[0] = LID4_FORMAT;
	put_be16(list + 2, LID4_HEADER_LEN);
	list[15] = (uint8_t)((head->g_sense ? 2 : 0) | (head->immed ? 1 : 0));
	list[16] = LID4_HEADER_CSCD;
	put_be16(list + 18, LID4_CSCD_LEN);
	put_be32(list + 20, head->list_id);
	put_be16(list + 42, (uint16_t)head->cscd_len);
	put_be16(list + 44, (uint16_t)head->segment_len);
	put_be16(list + 46, (uint16_t)head->inline_len);
	return XCOPY_HEAD_LID4;
}

int cscd_decode(struct cscd *cscd, const uint8_t *desc)
{
	struct designator *d = &cscd->designator;

	*cscd = (struct cscd){.type = desc[0]};
	if (desc[0] != CSCD_IDENTIFICATION)
		return 0;
	cscd->id_type = desc[1] >> 6;
	cscd->device = desc[1] & 0x1f;
	/* PROTOCOL IDENTIFIER and PIV, as copied from page 83h, are nobody's business. */
	d->code_set = desc[4] & 0x0f;
	d->association = desc[5] >> 4 & 3;
	d->type = desc[5] & 0x0f;
	d->len = desc[7];
	if (d->len > sizeof(d->id))
		return -EBADMSG;
	memcpy(d->id, desc + 8, d->len);
	cscd->pad = desc[28] & 4;
	cscd->block_size = get_be24(desc + 29);
	return 0;
}

void cscd_encode(const struct cscd *cscd, uint8_t *desc)
{
	const struct designator *d = &cscd->designator;

	memset(desc, 0, CSCD_SIZE);
	desc[0] = cscd->type;
	desc[1] = (uint8_t)(cscd->id_type << 6 | (cscd->device & 0x1f));
	desc[4] = d->code_set;
	desc[5] = (uint8_t)(d->association << 4 | d->type);
	desc[7] = d->len;
	memcpy(desc + 8, d->id, d->len <= sizeof(d->id) ? d->len : sizeof(d->id));
	desc[28] = cscd->pad ? 4 : 0;
	put_be24(desc + 29, cscd->block_size);
}

/* Bytes of a descriptor, which its DESCRIPTOR LENGTH repeats without the first 4. */
static unsigned segment_size(uint8_t type)
{
	switch (type) {
	case SEGMENT_BLOCKS:
		return 28;
	case SEGMENT_OFFSETS:
		return 32;
	case SEGMENT_VERIFY:
		return 16;
	default:
		return 0;
	}
}

int segment_decode(struct segment *seg, const uint8_t *desc, size_t len)
{
	unsigned size;

	*seg = (struct segment){0};
	if (!len)
		return -EMSGSIZE;
	seg->type = desc[0];
	size = segment_size(seg->type);
	if (!size)
		return -EOPNOTSUPP;
	if (len < size)
		return -EMSGSIZE;
	if (get_be16(desc + 2) != size - 4)
		return -EBADMSG;
	seg->cat = desc[1] & 1;
	seg->dc = desc[1] & 2;
	seg->src = get_be16(desc + 4);
	seg->dst = get_be16(desc + 6);
	if (seg->type == SEGMENT_VERIFY) {
		seg->tur = desc[8] & 1;
		return (int)size;
	}
	seg->src_lba = get_be64(desc + 12);
	seg->dst_lba = get_be64(desc + 20);
	if (seg->type == SEGMENT_BLOCKS) {
		seg->blocks = get_be16(desc + 10);
	} else {
		seg->bytes = get_be32(desc + 8);
		seg->src_offset = get_be16(desc + 28);
		seg->dst_offset = get_be16(desc + 30);
	}
	return (int)size;
}

size_t segment_encode(const struct segment *seg, uint8_t *desc)
{
	unsigned size = segment_size(seg->type);

	if (!size)
		return 0;
	memset(desc, 0, size);
	desc[0] = seg->type;
	desc[1] = (uint8_t)((seg->cat ? 1 : 0) | (seg->dc ? 2 : 0));
	put_be16(desc + 2, (uint16_t)(size - 4));
	put_be16(desc + 4, seg->src);
	put_be16(desc + 6, seg->dst);
	if (seg->type == SEGMENT_VERIFY) {
		desc[8] = seg->tur ? 1 : 0;
		return size;
	}
	put_be64(desc + 12, seg->src_lba);
	put_be64(desc + 20, seg->dst_lba);
	if (seg->type == SEGMENT_BLOCKS) {
		put_be16(desc + 10, (uint16_t)seg->blocks);
	} else {
		put_be32(desc + 8, seg->bytes);
		put_be16(desc + 28, seg->src_offset);
		put_be16(desc + 30, seg->dst_offset);
	}
	return size;
}
