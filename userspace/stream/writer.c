// SPDX-License-Identifier: GPL-2.0-or-later
/* A command is put together in a buffer, and written when its length and checksum are known. */
#include "writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "lib/crc32c.h"

#define BUFFER_FIRST (64u << 10)

struct stream_writer {
	stream_write_fn write;
	void *arg;
	unsigned version;
	bool header; /* is written */
	bool closed; /* data without a length: nothing can follow */
	int err;
	enum stream_cmd_id id;
	uint64_t have;
	struct stream_buffer own, *buffer; /* the command lies behind what is finished */
	size_t len;			   /* of the command */
	size_t room;			   /* of data that stand last, for stream_cut_data() */
	size_t at[STREAM_ATTRS];	   /* in the command: values, for stream_set_number() */
	struct crc32c_table crc;
};

int stream_write_fd(void *arg, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	ssize_t n;

	for (; len; p += n, len -= (size_t)n) {
		n = write(*(const int *)arg, p, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0)
			return -errno;
	}
	return 0;
}

struct stream_writer *stream_writer_new(stream_write_fn fn, void *arg, unsigned version)
{
	struct stream_writer *w;

	if (!version || version > STREAM_VERSION_MAX)
		return NULL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->write = fn;
	w->arg = arg;
	w->version = version;
	w->buffer = &w->own;
	crc32c_init(&w->crc);
	return w;
}

void stream_writer_into(struct stream_writer *w, struct stream_buffer *buffer)
{
	w->buffer = buffer;
	w->write = NULL;
	w->header = true;
}

void stream_writer_free(struct stream_writer *w)
{
	if (!w)
		return;
	free(w->own.bytes);
	free(w);
}

static void broken(struct stream_writer *w, int err)
{
	if (!w->err)
		w->err = err;
}

int stream_write_header(stream_write_fn fn, void *arg, unsigned version)
{
	uint8_t header[STREAM_HEADER_LEN] = STREAM_MAGIC;

	put_le32(header + STREAM_MAGIC_LEN, version);
	return fn(arg, header, sizeof(header));
}

static void write_header(struct stream_writer *w)
{
	int err = stream_write_header(w->write, w->arg, w->version);

	if (err)
		broken(w, err);
	w->header = true;
}

static uint8_t *command(const struct stream_writer *w)
{
	return w->buffer->bytes + w->buffer->len;
}

/* Room for @len bytes behind what there is of the command. */
static int make_room(struct stream_writer *w, size_t len)
{
	struct stream_buffer *b = w->buffer;
	size_t need = b->len + w->len + len, size = b->size ? b->size : BUFFER_FIRST;
	uint8_t *bigger;

	if (need <= b->size)
		return 0;
	while (size < need)
		size *= 2;
	bigger = realloc(b->bytes, size);
	if (!bigger)
		return -ENOMEM;
	b->bytes = bigger;
	b->size = size;
	return 0;
}

void stream_begin(struct stream_writer *w, enum stream_cmd_id id)
{
	const struct stream_cmd_row *row = stream_cmd_row(id);

	if (!row || row->version > w->version)
		broken(w, -EINVAL);
	if (!w->header && !w->err)
		write_header(w);
	w->id = id;
	w->have = 0;
	w->closed = false;
	w->room = 0;
	w->len = 0;
	if (make_room(w, STREAM_CMD_LEN)) {
		broken(w, -ENOMEM);
		return;
	}
	memset(command(w), 0, STREAM_CMD_LEN);
	w->len = STREAM_CMD_LEN;
}

/* @bytes NULL: room for them, which the caller fills. */
static void append(struct stream_writer *w, const void *bytes, size_t len)
{
	size_t most = w->version == 1 ? STREAM_PAYLOAD_V1 : STREAM_PAYLOAD_MAX;

	if (!w->err && len > most + STREAM_CMD_LEN - w->len)
		broken(w, -EMSGSIZE);
	if (w->err || !len)
		return;
	if (make_room(w, len)) {
		broken(w, -ENOMEM);
		return;
	}
	if (bytes)
		memcpy(command(w) + w->len, bytes, len);
	w->len += len;
}

/* Whether the attribute may stand here; marks it as there. */
static bool belongs(struct stream_writer *w, enum stream_attr_id attr)
{
	const struct stream_cmd_row *row = stream_cmd_row(w->id);
	uint64_t bit = stream_attr_row(attr) ? STREAM_BIT(attr) : 0;

	if (w->err)
		return false;
	if (w->closed || (w->have & bit) || !((row->must | row->may) & bit)) {
		broken(w, -EINVAL);
		return false;
	}
	w->have |= bit;
	return true;
}

static bool is_class(enum stream_attr_id attr, unsigned classes)
{
	const struct stream_attr_row *row = stream_attr_row(attr);

	return row && (classes & 1u << row->class);
}

static void put(struct stream_writer *w, enum stream_attr_id attr, const void *bytes, size_t len)
{
	uint8_t head[4];

	if (!belongs(w, attr))
		return;
	put_le16(head, (uint16_t)attr);
	put_le16(head + 2, (uint16_t)len);
	if (attr == STREAM_A_DATA && w->version >= 2) {
		w->closed = true;
		append(w, head, 2);
	} else if (len > UINT16_MAX) {
		broken(w, -EMSGSIZE);
	} else {
		append(w, head, 4);
	}
	w->at[attr] = w->len;
	append(w, bytes, len);
}

void stream_put_number(struct stream_writer *w, enum stream_attr_id attr, uint64_t value)
{
	uint8_t bytes[8];

	if (!is_class(attr, 1u << STREAM_NUMBER) || value > stream_attr_row(attr)->max) {
		broken(w, -EINVAL);
		return;
	}
	put_le64(bytes, value);
	put(w, attr, bytes, stream_attr_row(attr)->bytes);
}

void stream_set_number(struct stream_writer *w, enum stream_attr_id attr, uint64_t value)
{
	uint8_t bytes[8];

	if (!is_class(attr, 1u << STREAM_NUMBER) || value > stream_attr_row(attr)->max ||
	    !(w->have & STREAM_BIT(attr)))
		broken(w, -EINVAL);
	if (w->err)
		return;
	put_le64(bytes, value);
	memcpy(command(w) + w->at[attr], bytes, stream_attr_row(attr)->bytes);
}

void stream_put_time(struct stream_writer *w, enum stream_attr_id attr, struct timespec time)
{
	uint8_t bytes[12];

	if (!is_class(attr, 1u << STREAM_TIME) || time.tv_nsec < 0 || time.tv_nsec >= 1000000000L) {
		broken(w, -EINVAL);
		return;
	}
	put_le64(bytes, (uint64_t)time.tv_sec);
	put_le32(bytes + 8, (uint32_t)time.tv_nsec);
	put(w, attr, bytes, sizeof(bytes));
}

void stream_put_text(struct stream_writer *w, enum stream_attr_id attr, const char *text)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t len = strlen(text);

	if (!is_class(attr, 1u << STREAM_PATH | 1u << STREAM_STRING) ||
	    (is_class(attr, 1u << STREAM_PATH) && stream_path_wrong(bytes, len)) ||
	    (is_class(attr, 1u << STREAM_STRING) && (!len || len > stream_attr_row(attr)->max))) {
		broken(w, -EINVAL);
		return;
	}
	put(w, attr, text, len);
}

void stream_put_bytes(struct stream_writer *w, enum stream_attr_id attr, const void *bytes,
		      size_t len)
{
	if (!is_class(attr, 1u << STREAM_UUID | 1u << STREAM_BYTES | 1u << STREAM_DATA) ||
	    (is_class(attr, 1u << STREAM_UUID) && len != 16)) {
		broken(w, -EINVAL);
		return;
	}
	put(w, attr, bytes, len);
}

void *stream_put_room(struct stream_writer *w, size_t len)
{
	put(w, STREAM_A_DATA, NULL, len);
	w->room = w->err ? 0 : len;
	return w->err ? NULL : command(w) + w->len - len;
}

/* Its length stands before the data in version 1. */
void stream_cut_data(struct stream_writer *w, size_t less)
{
	if (less > w->room) {
		broken(w, -EINVAL);
		return;
	}
	if (w->version == 1)
		put_le16(command(w) + w->len - w->room - 2, (uint16_t)(w->room - less));
	w->len -= less;
	w->room -= less;
}

/* Behind the finished commands, or out. */
static int put_out(struct stream_writer *w)
{
	if (w->write)
		return w->write(w->arg, command(w), w->len);
	w->buffer->len += w->len;
	return 0;
}

int stream_end(struct stream_writer *w)
{
	uint8_t *cmd;
	int err;

	if (!w->err && (stream_cmd_row(w->id)->must & ~w->have))
		broken(w, -EINVAL);
	if (w->err)
		return w->err;
	cmd = command(w);
	put_le32(cmd, (uint32_t)(w->len - STREAM_CMD_LEN));
	put_le16(cmd + 4, (uint16_t)w->id);
	put_le32(cmd + 6, crc32c(&w->crc, 0, cmd, w->len));
	err = put_out(w);
	if (err)
		broken(w, err);
	if (w->id == STREAM_C_END)
		w->header = !w->write;
	return err;
}
