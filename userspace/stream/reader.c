// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes come into one buffer; a command is parsed where it lies.  Only when its
 * checksum holds is anything in it looked at, and only when all of it is right
 * does it come out.
 */
#include "reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "lib/crc32c.h"

#define MEMORY_SIZE (512u << 10) /* a few of them stay in a processor's cache */
#define LEAST_READ  65536u
#define SPARES	    16u

/*
 * A large command is read up to where it ends and a little on, so that hardly anything of
 * what follows has to be moved to other memory.  Small ones are read many at a time.
 */
#define LARGE_COMMAND 16384u
#define READ_AHEAD    256u

enum place { AT_HEADER, AT_SUBVOL, INSIDE, BROKEN };

struct stream_memory {
	atomic_uint holds;
	size_t size;
	uint8_t bytes[]; /* one more than size, for a NUL */
};

struct stream_reader {
	stream_read_fn read;
	void *arg;
	struct stream_memory *memory;
	struct stream_memory *spare[SPARES]; /* left full; free again when nobody holds them */
	uint8_t *buf;			     /* of memory */
	size_t size;
	size_t begin, end; /* what is in it */
	uint64_t offset;   /* of begin in the input */
	size_t borrowed;   /* where a NUL ends a text but belongs to the next command; or 0 */
	uint8_t lent;	   /* what was there */
	enum place place;
	unsigned version;
	struct stream_error error;
	struct crc32c_table crc;
};

ssize_t stream_read_fd(void *arg, void *buf, size_t len)
{
	ssize_t n;

	do
		n = read(*(const int *)arg, buf, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static struct stream_memory *memory_new(size_t size)
{
	struct stream_memory *m = malloc(sizeof(*m) + size + 1);

	if (!m)
		return NULL;
	atomic_init(&m->holds, 1);
	m->size = size;
	return m;
}

static bool use_memory(struct stream_reader *r, struct stream_memory *m)
{
	if (!m)
		return false;
	r->memory = m;
	r->buf = m->bytes;
	r->size = m->size;
	return true;
}

struct stream_memory *stream_hold(struct stream_reader *r)
{
	atomic_fetch_add_explicit(&r->memory->holds, 1, memory_order_relaxed);
	return r->memory;
}

void stream_release(struct stream_memory *m)
{
	if (m && atomic_fetch_sub_explicit(&m->holds, 1, memory_order_acq_rel) == 1)
		free(m);
}

static bool held(const struct stream_memory *m)
{
	return atomic_load_explicit(&m->holds, memory_order_acquire) > 1;
}

/* One that was left and is free again, or a new one. */
static struct stream_memory *memory_get(struct stream_reader *r, size_t need)
{
	for (unsigned i = 0; need <= MEMORY_SIZE && i < SPARES; i++) {
		struct stream_memory *m = r->spare[i];

		if (m && !held(m)) {
			r->spare[i] = NULL;
			return m;
		}
	}
	return memory_new(need > MEMORY_SIZE ? need : MEMORY_SIZE);
}

/* Who holds it has it still. */
static void memory_leave(struct stream_reader *r, struct stream_memory *m)
{
	for (unsigned i = 0; m->size == MEMORY_SIZE && i < SPARES; i++)
		if (!r->spare[i]) {
			r->spare[i] = m;
			return;
		}
	stream_release(m);
}

struct stream_reader *stream_reader_new(stream_read_fn fn, void *arg)
{
	struct stream_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->read = fn;
	r->arg = arg;
	crc32c_init(&r->crc);
	if (use_memory(r, memory_new(MEMORY_SIZE)))
		return r;
	free(r);
	return NULL;
}

void stream_reader_free(struct stream_reader *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < SPARES; i++)
		stream_release(r->spare[i]);
	stream_release(r->memory);
	free(r);
}

unsigned stream_version(const struct stream_reader *r)
{
	return r->version;
}

const struct stream_error *stream_error(const struct stream_reader *r)
{
	return &r->error;
}

void stream_error_text(const struct stream_error *e, char *text, size_t size)
{
	const struct stream_cmd_row *row = stream_cmd_row(e->id);
	char name[32] = "";

	if (row)
		snprintf(name, sizeof(name), " (%s)", row->name);
	else if (e->id)
		snprintf(name, sizeof(name), " (number %u)", e->id);
	if (e->command)
		snprintf(text, size, "offset %llu, command %llu%s: %s",
			 (unsigned long long)e->offset, (unsigned long long)e->command, name,
			 e->reason);
	else
		snprintf(text, size, "offset %llu: %s", (unsigned long long)e->offset, e->reason);
}

/* Ends the reading: @at bytes after the one at r->begin something is wrong. */
__attribute__((format(printf, 4, 5))) static int fail(struct stream_reader *r, int err, size_t at,
						      const char *format, ...)
{
	va_list args;

	r->place = BROKEN;
	r->error.err = err;
	r->error.offset = r->offset + at;
	va_start(args, format);
	vsnprintf(r->error.reason, sizeof(r->error.reason), format, args);
	va_end(args);
	return err;
}

static int make_room(struct stream_reader *r, size_t need)
{
	struct stream_memory *old = r->memory, *next = old;
	size_t have = r->end - r->begin;

	/* What is left of it is not worth a read once it is all consumed. */
	if (r->size - r->begin >= need && (have || r->size - r->begin >= LEAST_READ))
		return 0;
	if (r->size < need || held(old))
		next = memory_get(r, need);
	if (!next)
		return fail(r, -ENOMEM, 0, "no memory for a command of %zu bytes", need);
	memmove(next->bytes, r->buf + r->begin, have);
	r->begin = 0;
	r->end = have;
	use_memory(r, next);
	if (next != old)
		memory_leave(r, old);
	return 0;
}

static size_t read_size(const struct stream_reader *r, size_t need)
{
	size_t most = r->size - r->end, want = r->begin + need - r->end + READ_AHEAD;

	return need >= LARGE_COMMAND && want < most ? want : most;
}

/* Bytes there, as many as needed or all up to the end of the input: r->end tells. */
static int fill(struct stream_reader *r, size_t need)
{
	int err = make_room(r, need);
	ssize_t n = 1;

	while (!err && n && r->end - r->begin < need) {
		n = r->read(r->arg, r->buf + r->end, read_size(r, need));
		if (n < 0)
			return fail(r, (int)n, r->end - r->begin, "cannot read: %s",
				    strerror((int)-n));
		r->end += (size_t)n;
	}
	return err;
}

static int truncated(struct stream_reader *r, const char *where)
{
	return fail(r, -ENODATA, r->end - r->begin, "the stream ends %s", where);
}

static void consume(struct stream_reader *r, size_t len)
{
	r->begin += len;
	r->offset += len;
}

/* 1: a stream begins; 0: no more of them. */
static int stream_header(struct stream_reader *r)
{
	const uint8_t *p;
	size_t have, magic;
	int err;

	err = fill(r, STREAM_HEADER_LEN);
	if (err)
		return err;
	have = r->end - r->begin;
	r->error.id = 0;
	if (!have && r->version)
		return 0;
	if (!have)
		return fail(r, -ENODATA, 0, "no stream: the input is empty");
	p = r->buf + r->begin;
	magic = have < STREAM_MAGIC_LEN ? have : STREAM_MAGIC_LEN;
	if (memcmp(p, STREAM_MAGIC, magic) != 0)
		return fail(r, -EINVAL, 0,
			    r->version ? "what follows the end is no send stream of btrfs"
				       : "this is no send stream of btrfs");
	if (have < STREAM_HEADER_LEN)
		return truncated(r, "within its header");
	r->version = get_le32(p + STREAM_MAGIC_LEN);
	if (!r->version || r->version > STREAM_VERSION_MAX)
		return fail(r, -EOPNOTSUPP, STREAM_MAGIC_LEN,
			    "a stream of version %u; known are 1 to %u", r->version,
			    STREAM_VERSION_MAX);
	consume(r, STREAM_HEADER_LEN);
	r->place = AT_SUBVOL;
	return 1;
}

/* The whole command lies at r->begin and its checksum holds. */
static int load_command(struct stream_reader *r, struct stream_cmd *cmd)
{
	static const uint8_t zeros[4];
	uint32_t len, most = r->version == 1 ? STREAM_PAYLOAD_V1 : STREAM_PAYLOAD_MAX;
	uint32_t sum;
	const uint8_t *p;
	int err;

	r->error.id = 0;
	r->error.command++;
	err = fill(r, STREAM_CMD_LEN);
	if (err)
		return err;
	if (r->end == r->begin) {
		r->error.command--;
		return truncated(r, "without an end command");
	}
	if (r->end - r->begin < STREAM_CMD_LEN)
		return truncated(r, "within the header of a command");
	len = get_le32(r->buf + r->begin);
	if (len > most)
		return fail(r, -EUCLEAN, 0, "a command of %u bytes; in version %u up to %u", len,
			    r->version, most);
	err = fill(r, STREAM_CMD_LEN + len);
	if (err)
		return err;
	p = r->buf + r->begin;
	r->error.id = get_le16(p + 4);
	if (r->end - r->begin < STREAM_CMD_LEN + len)
		return truncated(r, "within a command");
	sum = crc32c(&r->crc, 0, p, 6);
	sum = crc32c(&r->crc, sum, zeros, 4);
	sum = crc32c(&r->crc, sum, p + STREAM_CMD_LEN, len);
	if (sum != get_le32(p + 6))
		return fail(r, -EUCLEAN, 0, "wrong checksum: %08x, the stream says %08x", sum,
			    get_le32(p + 6));
	cmd->id = r->error.id;
	cmd->offset = r->offset;
	cmd->bytes = p;
	cmd->len = STREAM_CMD_LEN + len;
	return 1;
}

/* An attribute as it lies in the buffer. */
struct raw {
	size_t at; /* of its header, from r->begin on */
	unsigned id;
	const uint8_t *data;
	size_t len;
};

static int wrong_length(struct stream_reader *r, const struct raw *raw, const char *name)
{
	return fail(r, -EUCLEAN, raw->at, "attribute %s of %zu bytes", name, raw->len);
}

static int take_number(struct stream_reader *r, const struct raw *raw, struct stream_value *v)
{
	const struct stream_attr_row *row = stream_attr_row(raw->id);

	if (raw->len != row->bytes)
		return wrong_length(r, raw, row->name);
	v->number = raw->len == 8   ? get_le64(raw->data)
		    : raw->len == 4 ? get_le32(raw->data)
				    : *raw->data;
	if (v->number > row->max)
		return fail(r, -EINVAL, raw->at, "attribute %s is %llu, at most %llu", row->name,
			    (unsigned long long)v->number, (unsigned long long)row->max);
	return 0;
}

static int take_time(struct stream_reader *r, const struct raw *raw, struct stream_value *v)
{
	const char *name = stream_attr_row(raw->id)->name;

	if (raw->len != 12)
		return wrong_length(r, raw, name);
	v->time.tv_sec = (time_t)get_le64(raw->data);
	v->time.tv_nsec = (long)get_le32(raw->data + 8);
	if (v->time.tv_nsec >= 1000000000L)
		return fail(r, -EINVAL, raw->at, "attribute %s has %ld nanoseconds", name,
			    v->time.tv_nsec);
	return 0;
}

static int wrong_path(struct stream_reader *r, const struct raw *raw, const char *wrong)
{
	char text[120];

	stream_escape(text, sizeof(text), raw->data, raw->len);
	return fail(r, -EINVAL, raw->at, "%s refused, %s: %s", stream_attr_row(raw->id)->name,
		    wrong, text);
}

static int take_path(struct stream_reader *r, const struct raw *raw, uint64_t no_root)
{
	const char *wrong = stream_path_wrong(raw->data, raw->len);

	if (!wrong && !raw->len && (no_root & STREAM_BIT(raw->id)))
		wrong = "empty";
	return wrong ? wrong_path(r, raw, wrong) : 0;
}

static int take_value(struct stream_reader *r, const struct raw *raw, struct stream_cmd *cmd)
{
	const struct stream_attr_row *row = stream_attr_row(raw->id);
	struct stream_value *v = &cmd->at[raw->id];

	v->bytes = (struct stream_bytes){raw->data, raw->len};
	switch (row->class) {
	case STREAM_NUMBER:
		return take_number(r, raw, v);
	case STREAM_TIME:
		return take_time(r, raw, v);
	case STREAM_UUID:
		return raw->len == 16 ? 0 : wrong_length(r, raw, row->name);
	case STREAM_PATH:
		return take_path(r, raw, stream_cmd_row(cmd->id)->no_root);
	case STREAM_STRING:
		if (!raw->len || memchr(raw->data, 0, raw->len))
			return fail(r, -EINVAL, raw->at, "attribute %s is empty or has a NUL",
				    row->name);
		break;
	case STREAM_BYTES:
	case STREAM_DATA:
		break;
	}
	return raw->len > row->max ? wrong_length(r, raw, row->name) : 0;
}

/* The attribute at raw->at; it ends no later than the command, at @end. */
static int read_raw(struct stream_reader *r, struct raw *raw, size_t end)
{
	const uint8_t *p = r->buf + r->begin + raw->at;
	size_t left = end - raw->at, head = 4;

	if (left < 2)
		return fail(r, -EUCLEAN, raw->at, "%zu bytes are no attribute", left);
	raw->id = get_le16(p);
	if (raw->id == STREAM_A_DATA && r->version >= 2) {
		raw->data = p + 2;
		raw->len = left - 2;
		return 0;
	}
	if (left < head)
		return fail(r, -EUCLEAN, raw->at, "%zu bytes are no attribute", left);
	raw->data = p + head;
	raw->len = get_le16(p + 2);
	if (raw->len > left - head)
		return fail(r, -EUCLEAN, raw->at, "attribute %u of %zu bytes where %zu are left",
			    raw->id, raw->len, left - head);
	return 0;
}

/*
 * Version 3 is not settled: attributes that are not known, or stand elsewhere
 * than they were seen, are left out there.  Before, they are an error.
 */
static int attribute(struct stream_reader *r, const struct raw *raw, struct stream_cmd *cmd)
{
	const struct stream_cmd_row *row = stream_cmd_row(cmd->id);
	const struct stream_attr_row *attr = stream_attr_row(raw->id);

	if (!attr || !((row->must | row->may) & STREAM_BIT(raw->id))) {
		if (r->version >= 3)
			return 0;
		return fail(r, -EINVAL, raw->at, "attribute %u (%s) does not belong there", raw->id,
			    attr ? attr->name : "unknown");
	}
	if (stream_has(cmd, raw->id))
		return fail(r, -EINVAL, raw->at, "attribute %s twice", attr->name);
	cmd->have |= STREAM_BIT(raw->id);
	return take_value(r, raw, cmd);
}

static int missing(struct stream_reader *r, uint64_t bits)
{
	unsigned id = (unsigned)__builtin_ctzll(bits);

	return fail(r, -EINVAL, 0, "attribute %s is missing", stream_attr_row(id)->name);
}

/* What came after a text has been read by now, so a NUL can stand there. */
static void end_text(struct stream_reader *r, const struct stream_cmd *cmd,
		     const struct stream_bytes *text)
{
	size_t nul = (size_t)(text->data - r->buf) + text->len;

	if (nul == r->begin + cmd->len) {
		r->borrowed = nul;
		r->lent = r->buf[nul];
	}
	r->buf[nul] = '\0';
}

static void end_texts(struct stream_reader *r, const struct stream_cmd *cmd)
{
	for (unsigned id = 1; id < STREAM_ATTRS; id++) {
		enum stream_class class = stream_attr_row(id)->class;

		if (stream_has(cmd, id) && (class == STREAM_PATH || class == STREAM_STRING))
			end_text(r, cmd, &cmd->at[id].bytes);
	}
}

static void give_back(struct stream_reader *r)
{
	if (r->borrowed)
		r->buf[r->borrowed] = r->lent;
	r->borrowed = 0;
}

static int parse(struct stream_reader *r, struct stream_cmd *cmd)
{
	const struct stream_cmd_row *row = stream_cmd_row(cmd->id);
	struct raw raw = {.at = STREAM_CMD_LEN, .data = r->buf};
	const char *wrong;
	int err;

	if (!row)
		return fail(r, -EOPNOTSUPP, 0, "unknown command");
	if (row->version > r->version)
		return fail(r, -EINVAL, 0, "a command of version %u in a stream of version %u",
			    row->version, r->version);
	while (raw.at < cmd->len) {
		err = read_raw(r, &raw, cmd->len);
		if (!err)
			err = attribute(r, &raw, cmd);
		if (err)
			return err;
		raw.at = (size_t)(raw.data + raw.len - (r->buf + r->begin));
	}
	if (row->must & ~cmd->have)
		return missing(r, row->must & ~cmd->have);
	wrong = stream_cmd_wrong(cmd);
	if (wrong)
		return fail(r, -EINVAL, 0, "%s", wrong);
	return 0;
}

/* Every stream begins with a subvolume. */
static int in_order(struct stream_reader *r, const struct stream_cmd *cmd)
{
	bool subvol = cmd->id == STREAM_C_SUBVOL || cmd->id == STREAM_C_SNAPSHOT;

	if (r->place == AT_SUBVOL && !subvol)
		return fail(r, -EINVAL, 0, "the first command is neither subvol nor snapshot");
	r->place = cmd->id == STREAM_C_END ? AT_HEADER : INSIDE;
	return 0;
}

int stream_reader_next(struct stream_reader *r, struct stream_cmd *cmd)
{
	int ret = 1;

	cmd->have = 0;
	give_back(r);
	if (r->place == BROKEN)
		return r->error.err;
	if (r->place == AT_HEADER)
		ret = stream_header(r);
	if (ret > 0)
		ret = load_command(r, cmd);
	if (ret <= 0)
		return ret;
	ret = parse(r, cmd);
	if (!ret)
		ret = in_order(r, cmd);
	if (ret)
		return ret;
	end_texts(r, cmd);
	consume(r, cmd->len);
	return 1;
}
