// SPDX-License-Identifier: GPL-2.0-or-later
/* manifest.c - writes manifests: see manifest.h.  Reading is in manifest_read.c. */
#include "manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crc32c.h"
#include "lib/blake2b.h"
#include "lib/bytes.h"

#define BUFFER	  (256u << 10)
#define VALUE_MAX ((size_t)64 << 10)
#define READ_SIZE ENCODED_MAX

struct manifest_writer {
	int fd, err;
	uint64_t count;
	uint8_t *buf; /* records that are not written yet */
	size_t len, size, record;
	struct crc32c_table crc;
};

static void *grow(struct manifest_writer *m, size_t len)
{
	size_t size = m->size;
	uint8_t *bigger;

	while (size - m->len < len)
		size *= 2;
	if (size != m->size) {
		bigger = realloc(m->buf, size);
		if (!bigger) {
			m->err = -ENOMEM;
			m->len = 0;
			return m->buf;
		}
		m->buf = bigger;
		m->size = size;
	}
	m->len += len;
	return m->buf + m->len - len;
}

static void put(struct manifest_writer *m, const void *bytes, size_t len)
{
	void *at = grow(m, len);

	if (!m->err && len)
		memcpy(at, bytes, len);
}

static void put_number(struct manifest_writer *m, uint64_t value, size_t len)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	put(m, bytes, len);
}

static void put_time(struct manifest_writer *m, int64_t sec, uint32_t nsec)
{
	put_number(m, (uint64_t)sec, 8);
	put_number(m, nsec, 4);
}

static void write_out(struct manifest_writer *m)
{
	if (!m->err)
		m->err = stream_write_fd(&m->fd, m->buf, m->len);
	m->len = 0;
}

static void record_begin(struct manifest_writer *m, uint8_t kind)
{
	m->record = m->len;
	put(m, (const uint8_t[8]){0}, 8);
	put_number(m, kind, 1);
}

static void record_end(struct manifest_writer *m)
{
	uint8_t *head = m->buf + m->record;
	size_t len = m->len - m->record - 8;

	if (m->err)
		return;
	if (len > MANIFEST_RECORD) {
		m->err = -EFBIG;
		return;
	}
	put_le32(head, (uint32_t)len);
	put_le32(head + 4, crc32c(&m->crc, 0, head + 8, len));
	if (m->len >= BUFFER)
		write_out(m);
}

struct manifest_writer *manifest_begin(int fd, const struct walk *w)
{
	struct manifest_writer *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->fd = fd;
	m->size = 2 * (size_t)BUFFER;
	m->buf = malloc(m->size);
	if (!m->buf) {
		free(m);
		return NULL;
	}
	crc32c_init(&m->crc);
	put(m, "ocp-manifest", 13);
	put_number(m, MANIFEST_VERSION, 4);
	put_number(m, w->checksum ? MANIFEST_HASHES : 0, 4);
	put(m, w->uuid, sizeof(w->uuid));
	put_number(m, w->ctransid, 8);
	put_time(m, w->began.tv_sec, (uint32_t)w->began.tv_nsec);
	put_number(m, RANGE_SIZE, 8);
	put_number(m, crc32c(&m->crc, 0, m->buf, m->len), 4);
	return m;
}

struct fields {
	uint32_t number, parent, flags, mode, uid, gid, nlink;
	uint64_t rdev, dev, ino, size;
	struct timespec mtime, ctime, btime;
	const char *name;
};

static void put_entry(struct manifest_writer *m, const struct fields *f)
{
	size_t len = strlen(f->name);

	record_begin(m, 1);
	put_number(m, f->number, 4);
	put_number(m, f->parent, 4);
	put_number(m, f->flags, 4);
	put_number(m, f->mode, 4);
	put_number(m, f->uid, 4);
	put_number(m, f->gid, 4);
	put_number(m, f->nlink, 4);
	put_number(m, f->rdev, 8);
	put_number(m, f->dev, 8);
	put_number(m, f->ino, 8);
	put_number(m, f->size, 8);
	put_time(m, f->mtime.tv_sec, (uint32_t)f->mtime.tv_nsec);
	put_time(m, f->ctime.tv_sec, (uint32_t)f->ctime.tv_nsec);
	put_time(m, f->btime.tv_sec, (uint32_t)f->btime.tv_nsec);
	put_number(m, len, 2);
	put(m, f->name, len);
	m->count++;
}

static struct timespec time_of(struct statx_timestamp t)
{
	return (struct timespec){.tv_sec = t.tv_sec, .tv_nsec = t.tv_nsec};
}

int manifest_step(struct manifest_writer *m, const struct step *s)
{
	const struct statx *stx = &s->stx;
	struct fields f = {
		.number = s->number,
		.parent = s->parent,
		.mode = stx->stx_mode,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.nlink = stx->stx_nlink,
		.rdev = (uint64_t)stx->stx_rdev_major << 32 | stx->stx_rdev_minor,
		.ino = stx->stx_ino,
		.size = stx->stx_size,
		.mtime = time_of(stx->stx_mtime),
		.ctime = time_of(stx->stx_ctime),
		.btime = time_of(stx->stx_btime),
		.name = s->name ? s->name : "",
	};
	bool hashed = s->subject && s->subject->hashes && !s->subject->changed;

	if (!(s->what & STEP_RECORD) || s->gave_up ||
	    (s->subject && s->subject->failed_at != UINT64_MAX))
		return m->err;
	f.dev = s->dev;
	f.flags = (stx->stx_mask & STATX_BTIME ? MANIFEST_BTIME : 0) |
		  (s->subject && s->subject->changed ? MANIFEST_CHANGED : 0) |
		  (hashed ? MANIFEST_HASHED : 0);
	put_entry(m, &f);
	if (s->marks)
		put(m, s->marks, s->marks_len);
	else
		put_number(m, 0, 2);
	put_number(m, hashed ? s->subject->nhashes : 0, 4);
	if (hashed)
		put(m, s->subject->hashes, 16 * s->subject->nhashes);
	record_end(m);
	return m->err;
}

int manifest_end(struct manifest_writer *m)
{
	int err;

	record_begin(m, 2);
	put_number(m, m->count, 8);
	record_end(m);
	write_out(m);
	err = m->err;
	manifest_drop(m);
	return err;
}

void manifest_drop(struct manifest_writer *m)
{
	if (m)
		free(m->buf);
	free(m);
}

/* Workers -------------------------------------------------------------------- */

int manifest_hash(struct work *k, struct step *s)
{
	struct blake2b b;
	uint64_t pos = s->from;
	ssize_t n = 1;

	blake2b_begin(&b, 16);
	while (pos < s->to && n > 0) {
		size_t len = s->to - pos < READ_SIZE ? (size_t)(s->to - pos) : READ_SIZE;

		n = read_full(s->file, k->buf, len, pos);
		if (n > 0)
			blake2b_add(&b, k->buf, (size_t)n);
		pos += n > 0 ? (uint64_t)n : 0;
	}
	if (n < 0) {
		s->operation = "reading";
		return (int)n;
	}
	blake2b_end(&b, s->subject->hashes[s->from / RANGE_SIZE]);
	return 0;
}

/* Names and hashes of the xattrs that a stream carries, as they stand in a record. */
int manifest_marks(struct work *k, struct step *s)
{
	ssize_t len = s->marks ? 0 : step_xattrs(k, s), n;
	size_t size = 2, count = 0;
	struct blake2b b;
	uint8_t *at;

	if (len == -ENOENT && !(s->what & ~STEP_RECORD)) /* it was sent, and is gone by now */
		len = 0;
	if (len < 0 || s->marks)
		return len < 0 ? (int)len : 0;
	for (const char *key = k->names; key < k->names + len; key += strlen(key) + 1)
		size += 1 + strlen(key) + 16;
	s->marks = at = malloc(size);
	if (!at)
		return -ENOMEM;
	at += 2;
	for (const char *key = k->names; key < k->names + len; key += strlen(key) + 1) {
		n = step_xattr(k, s, key);
		if (n == -ENODATA)
			continue;
		if (n < 0)
			return (int)n;
		*at++ = (uint8_t)strlen(key);
		at = (uint8_t *)mempcpy(at, key, strlen(key));
		blake2b_begin(&b, 16);
		blake2b_add(&b, k->value, (size_t)n);
		blake2b_end(&b, at);
		at += 16;
		count++;
	}
	put_le16(s->marks, (uint16_t)count);
	s->marks_len = (size_t)(at - s->marks);
	return 0;
}

int manifest_set_marks(struct step *s, const struct tree_entry *e)
{
	size_t size = 2;
	uint8_t *at;

	for (uint32_t i = 0; i < e->nmarks; i++)
		size += 1 + strlen(e->marks[i].name) + 16;
	s->marks = at = malloc(size);
	if (!at)
		return -ENOMEM;
	put_le16(at, (uint16_t)e->nmarks);
	at += 2;
	for (uint32_t i = 0; i < e->nmarks; i++) {
		size_t len = strlen(e->marks[i].name);

		*at++ = (uint8_t)len;
		at = mempcpy(at, e->marks[i].name, len);
		at = mempcpy(at, e->marks[i].hash, 16);
	}
	s->marks_len = size;
	return 0;
}
