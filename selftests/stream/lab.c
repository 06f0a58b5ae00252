// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab.h"

#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"

void lab_free(struct lab *lab)
{
	free(lab->bytes);
	*lab = (struct lab){0};
}

void lab_append(struct lab *lab, const void *bytes, size_t len)
{
	if (lab->size - lab->len < len) {
		lab->size = 2 * (lab->len + len);
		lab->bytes = realloc(lab->bytes, lab->size);
		if (!lab->bytes)
			abort();
	}
	if (len)
		memcpy(lab->bytes + lab->len, bytes, len);
	lab->len += len;
}

int lab_write(void *lab, const void *buf, size_t len)
{
	lab_append(lab, buf, len);
	return 0;
}

ssize_t lab_read(void *arg, void *buf, size_t len)
{
	struct lab *lab = arg;

	if (len > lab->len - lab->at)
		len = lab->len - lab->at;
	if (lab->chunk && len > lab->chunk)
		len = lab->chunk;
	if (len)
		memcpy(buf, lab->bytes + lab->at, len);
	lab->at += len;
	return (ssize_t)len;
}

void lab_header(struct lab *lab, uint32_t version)
{
	uint8_t v[4];

	put_le32(v, version);
	lab_append(lab, "btrfs-stream", 13);
	lab_append(lab, v, sizeof(v));
}

void lab_begin(struct lab *lab, unsigned id)
{
	uint8_t head[10] = {0};

	put_le16(head + 4, (uint16_t)id);
	lab->begun = lab->len;
	lab_append(lab, head, sizeof(head));
}

void lab_attr(struct lab *lab, unsigned attr, const void *bytes, size_t len)
{
	uint8_t head[4];

	put_le16(head, (uint16_t)attr);
	put_le16(head + 2, (uint16_t)len);
	lab_append(lab, head, sizeof(head));
	lab_append(lab, bytes, len);
}

void lab_text(struct lab *lab, unsigned attr, const char *text)
{
	lab_attr(lab, attr, text, strlen(text));
}

void lab_number(struct lab *lab, unsigned attr, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	lab_attr(lab, attr, bytes, sizeof(bytes));
}

void lab_number4(struct lab *lab, unsigned attr, uint32_t value)
{
	uint8_t bytes[4];

	put_le32(bytes, value);
	lab_attr(lab, attr, bytes, sizeof(bytes));
}

uint32_t lab_crc32c(uint32_t crc, const uint8_t *bytes, size_t len)
{
	while (len--) {
		crc ^= *bytes++;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

void lab_end(struct lab *lab)
{
	uint8_t *cmd = lab->bytes + lab->begun;
	size_t len = lab->len - lab->begun;

	put_le32(cmd, (uint32_t)(len - 10));
	put_le32(cmd + 6, lab_crc32c(0, cmd, len));
}

void lab_subvol(struct lab *lab)
{
	lab_begin(lab, STREAM_C_SUBVOL);
	lab_text(lab, STREAM_A_PATH, "vol");
	lab_attr(lab, STREAM_A_UUID, "0123456789abcdef", 16);
	lab_number(lab, STREAM_A_CTRANSID, 7);
	lab_end(lab);
}

uint64_t lab_value(enum stream_attr_id attr)
{
	switch (attr) {
	case STREAM_A_UNENCODED_FILE_LEN:
		return 4096;
	case STREAM_A_UNENCODED_LEN:
		return 131072;
	case STREAM_A_UNENCODED_OFFSET:
		return 126976;
	case STREAM_A_COMPRESSION:
		return 2;
	case STREAM_A_ENCRYPTION:
		return 0;
	case STREAM_A_CLONE_LEN: /* and a mode that btrfs-progs 6.2 prints right */
	case STREAM_A_FALLOCATE_MODE:
		return 0x05060708;
	case STREAM_A_FILE_OFFSET:
	case STREAM_A_CLONE_OFFSET:
	case STREAM_A_SIZE:
		return UINT64_C(0x0102030405060708);
	default:
		return stream_attr_row(attr)->max - 1;
	}
}

static void fill_attr(struct stream_writer *w, enum stream_attr_id attr)
{
	switch (stream_attr_row(attr)->class) {
	case STREAM_NUMBER:
		stream_put_number(w, attr, lab_value(attr));
		break;
	case STREAM_TIME:
		stream_put_time(w, attr, (struct timespec){-5 - (time_t)attr, 999999999});
		break;
	case STREAM_UUID:
		stream_put_bytes(w, attr,
				 "\0\xff"
				 "23456789abcdef",
				 16);
		break;
	case STREAM_PATH:
	case STREAM_STRING:
		stream_put_text(w, attr, stream_attr_row(attr)->name);
		break;
	case STREAM_BYTES:
	case STREAM_DATA:
		stream_put_bytes(w, attr, "by\0tes", 6);
		break;
	}
}

int lab_fill(struct stream_writer *w, enum stream_cmd_id id)
{
	const struct stream_cmd_row *row = stream_cmd_row(id);

	stream_begin(w, id);
	for (unsigned attr = 1; attr < STREAM_ATTRS; attr++)
		if (attr != STREAM_A_DATA && ((row->must | row->may) & STREAM_BIT(attr)))
			fill_attr(w, attr);
	if (row->must & STREAM_BIT(STREAM_A_DATA))
		fill_attr(w, STREAM_A_DATA);
	return stream_end(w);
}
