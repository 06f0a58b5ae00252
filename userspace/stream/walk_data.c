// SPDX-License-Identifier: GPL-2.0-or-later
/* walk_data.c - the commands for the bytes of a range. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "walk.h"

#define DATA_V1	     (48u << 10)  /* what the kernel puts into one command, */
#define DATA_V2	     (128u << 10) /* and every receiver takes */
#define BLOCK	     4096u
#define UNWRITTEN    64
#define PUNCH	     3u /* FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, as they are in the stream */
#define KEEP_SIZE    1u
#define SECTOR_BYTES 512u
#define UNTOLD_DATA  UINT32_MAX /* as a mode: there are data */

_Static_assert(PUNCH == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) &&
		       KEEP_SIZE == FALLOC_FL_KEEP_SIZE,
	       "the stream has Linux's numbers");

ssize_t read_full(struct file *file, void *buf, size_t len, uint64_t pos)
{
	size_t done = 0;
	ssize_t n = 1;

	while (done < len && n > 0) {
		n = cr_read(file, (char *)buf + done, len - done, (off_t)(pos + done));
		done += n > 0 ? (size_t)n : 0;
	}
	return n < 0 ? n : (ssize_t)done;
}

static size_t most_data(const struct work *k)
{
	return k->w->version == 1 ? DATA_V1 : DATA_V2;
}

static void begin_data(struct work *k, enum stream_cmd_id id, const struct step *s, uint64_t pos)
{
	stream_begin(k->out, id);
	stream_put_text(k->out, STREAM_A_PATH, s->path);
	stream_put_number(k->out, STREAM_A_FILE_OFFSET, pos);
}

static int emit_span(struct work *k, const struct step *s, unsigned mode, uint64_t pos,
		     uint64_t len)
{
	stream_begin(k->out, mode == UNTOLD_DATA ? STREAM_C_UPDATE_EXTENT : STREAM_C_FALLOCATE);
	stream_put_text(k->out, STREAM_A_PATH, s->path);
	if (mode != UNTOLD_DATA)
		stream_put_number(k->out, STREAM_A_FALLOCATE_MODE, mode);
	stream_put_number(k->out, STREAM_A_FILE_OFFSET, pos);
	stream_put_number(k->out, STREAM_A_SIZE, len);
	return stream_end(k->out);
}

static int emit_truncate(struct work *k, const struct step *s, uint64_t size)
{
	stream_begin(k->out, STREAM_C_TRUNCATE);
	stream_put_text(k->out, STREAM_A_PATH, s->path);
	stream_put_number(k->out, STREAM_A_SIZE, size);
	return stream_end(k->out);
}

/* Read right into the command.  What a shrinking file has no more stays away: 1. */
static int emit_plain(struct work *k, struct step *s, uint64_t pos, uint64_t len)
{
	while (len) {
		size_t want = len < most_data(k) ? (size_t)len : most_data(k);
		ssize_t n;
		void *room;

		begin_data(k, STREAM_C_WRITE, s, pos);
		room = stream_put_room(k->out, want);
		n = room ? read_full(s->file, room, want, pos) : 0;
		if (n < 0)
			s->operation = "reading";
		if (n <= 0)
			return n < 0 ? (int)n : room ? 1 : stream_end(k->out);
		stream_cut_data(k->out, want - (size_t)n);
		if (stream_end(k->out))
			return stream_end(k->out);
		atomic_fetch_add(&k->w->data, (uint64_t)n);
		if ((size_t)n < want)
			return 1;
		pos += want;
		len -= want;
	}
	return 0;
}

static bool agrees(const struct encoded_iov *ev, const struct piece *p)
{
	return ev->compression && ev->len == p->len && ev->unencoded_len <= ENCODED_MAX &&
	       ev->unencoded_offset + ev->len <= ev->unencoded_len;
}

/*
 * As it is stored, when the kernel says the same of it as the list did.  It is read right into
 * the command; what it is comes with it, and stands before it.
 */
static int emit_encoded(struct work *k, struct step *s, const struct piece *p)
{
	struct encoded_iov ev;
	void *room;
	ssize_t n;

	begin_data(k, STREAM_C_ENCODED_WRITE, s, p->pos);
	stream_put_number(k->out, STREAM_A_UNENCODED_FILE_LEN, 0);
	stream_put_number(k->out, STREAM_A_UNENCODED_LEN, 0);
	stream_put_number(k->out, STREAM_A_UNENCODED_OFFSET, 0);
	stream_put_number(k->out, STREAM_A_COMPRESSION, 0);
	stream_put_number(k->out, STREAM_A_ENCRYPTION, 0);
	room = stream_put_room(k->out, ENCODED_MAX);
	if (!room)
		return stream_end(k->out);
	n = cr_read_encoded(s->file, &ev, room, ENCODED_MAX, (off_t)p->pos);
	if (n == -EIO) {
		s->operation = "reading";
		return (int)n;
	}
	if (n <= 0 || !agrees(&ev, p))
		return emit_plain(k, s, p->pos, p->len);
	stream_set_number(k->out, STREAM_A_UNENCODED_FILE_LEN, ev.len);
	stream_set_number(k->out, STREAM_A_UNENCODED_LEN, ev.unencoded_len);
	stream_set_number(k->out, STREAM_A_UNENCODED_OFFSET, ev.unencoded_offset);
	stream_set_number(k->out, STREAM_A_COMPRESSION, ev.compression);
	stream_cut_data(k->out, ENCODED_MAX - (size_t)n);
	atomic_fetch_add(&k->w->encoded, (uint64_t)n);
	return stream_end(k->out);
}

static int emit_clone(struct work *k, struct step *s, const struct piece *p)
{
	stream_begin(k->out, STREAM_C_CLONE);
	stream_put_number(k->out, STREAM_A_FILE_OFFSET, p->pos);
	stream_put_number(k->out, STREAM_A_CLONE_LEN, p->len);
	stream_put_text(k->out, STREAM_A_PATH, s->path);
	stream_put_bytes(k->out, STREAM_A_CLONE_UUID, k->w->uuid, sizeof(k->w->uuid));
	stream_put_number(k->out, STREAM_A_CLONE_CTRANSID, k->w->ctransid);
	stream_put_text(k->out, STREAM_A_CLONE_PATH, p->from->path);
	stream_put_number(k->out, STREAM_A_CLONE_OFFSET, p->from_pos);
	k->job->clones = true;
	return stream_end(k->out);
}

/* Holes of a new file are there already. */
static int emit_hole(struct work *k, struct step *s, uint64_t pos, uint64_t len)
{
	atomic_fetch_add(&k->w->holes, len);
	if (!s->earlier || !s->earlier->compare || pos >= s->earlier->size)
		return 0;
	if (k->w->version == 1)
		return emit_plain(k, s, pos, len);
	return emit_span(k, s, PUNCH, pos, len);
}

static int emit_piece(struct work *k, struct step *s, const struct piece *p)
{
	switch (p->kind) {
	case PIECE_UNWRITTEN:
		s->subject->unwritten = true;
		return emit_hole(k, s, p->pos, p->len);
	case PIECE_HOLE:
		return emit_hole(k, s, p->pos, p->len);
	case PIECE_ENCODED:
		return emit_encoded(k, s, p);
	case PIECE_CLONE:
		if (!k->no_clones)
			return emit_clone(k, s, p);
		break;
	case PIECE_SAME:
		return 0;
	default:
		break;
	}
	return emit_plain(k, s, p->pos, p->len);
}

/* Comparing ------------------------------------------------------------------ */

/* From the first block that differs to the last one; false: none does. */
static bool differing(const uint8_t *a, const uint8_t *b, size_t len, size_t *from, size_t *to)
{
	size_t at = 0, end = len;

	while (at < len && !memcmp(a + at, b + at, len - at < BLOCK ? len - at : BLOCK))
		at += BLOCK;
	if (at >= len)
		return false;
	for (; end > at; end = (end - 1) / BLOCK * BLOCK) {
		size_t begin = (end - 1) / BLOCK * BLOCK;

		if (memcmp(a + begin, b + begin, end - begin) != 0)
			break;
	}
	*from = at;
	*to = end;
	return true;
}

/*
 * What differs of a piece; beyond the end of the earlier file there are zeros.
 * Plain data go block by block, all else as a whole.
 */
static int emit_differing(struct work *k, struct step *s, const struct piece *p)
{
	uint8_t *is = k->buf, *was = k->buf + ENCODED_MAX;
	uint64_t pos = p->pos, end = p->pos + p->len;
	size_t from, to;
	int err = 0;

	for (; pos < end && !err; pos += ENCODED_MAX) {
		size_t len = end - pos < ENCODED_MAX ? (size_t)(end - pos) : ENCODED_MAX;
		ssize_t n = read_full(s->file, is, len, pos), m;

		if (n >= 0)
			m = read_full(s->old, was, len, pos);
		if (n < 0 || m < 0) {
			s->operation = n < 0 ? "reading" : "reading the earlier file of";
			return n < 0 ? (int)n : (int)m;
		}
		memset(is + n, 0, len - (size_t)n);
		memset(was + m, 0, len - (size_t)m);
		if (!differing(is, was, len, &from, &to))
			continue;
		if (p->kind != PIECE_PLAIN)
			return emit_piece(k, s, p);
		err = emit_plain(k, s, pos + from, to - from);
	}
	return err;
}

/* Around the data ------------------------------------------------------------ */

static uint64_t allocated(const struct step *s)
{
	return s->stx.stx_blocks * SECTOR_BYTES;
}

static bool only_plain(const struct step *s)
{
	for (size_t i = 0; i < s->pieces.n; i++)
		if (s->pieces.v[i].kind != PIECE_PLAIN)
			return false;
	return true;
}

/* The size comes first: encoded data then end where the file does, and holes need nothing. */
static int emit_size(struct work *k, struct step *s)
{
	uint64_t size = s->subject->size;
	int err = 0;

	if (s->earlier && !s->earlier->compare) {
		if (s->earlier->size)
			err = emit_truncate(k, s, 0);
	} else if (s->earlier) {
		return s->earlier->size != size ? emit_truncate(k, s, size) : 0;
	}
	if (err || !size || ((s->what & STEP_DATA_LAST) && only_plain(s)))
		return err;
	return emit_truncate(k, s, size);
}

/* Space that is reserved, in the file and beyond its end, where there may be some. */
static int emit_reserved(struct work *k, struct step *s)
{
	uint64_t size = s->subject->size, pos = 0;
	struct file_range r[UNWRITTEN];
	int n = UNWRITTEN, err = 0;

	if (k->w->version < 2 || (s->earlier && s->earlier->compare))
		return 0;
	if (allocated(s) > (size + BLOCK - 1) / BLOCK * BLOCK)
		pos = s->subject->unwritten ? 0 : size;
	else if (!s->subject->unwritten && (s->listed || allocated(s) >= size || !allocated(s)))
		return 0;
	while (n == UNWRITTEN && !err) {
		n = cr_unwritten(s->file, (off_t)pos, r, UNWRITTEN);
		for (int i = 0; i < n && !err; i++) {
			err = emit_span(k, s, KEEP_SIZE, r[i].pos, r[i].len);
			pos = r[i].pos + r[i].len;
		}
	}
	return err;
}

static bool same_time(struct statx_timestamp a, struct statx_timestamp b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/*
 * Its change time tells of all that could have happened while it was read.  Parts of a file are
 * read by several, and the last one may be read first: so each looks, and one tells.
 */
static void look_again(struct work *k, struct step *s, bool short_read)
{
	struct statx now;

	if (!cr_getattr(s->file, NULL, &now) && now.stx_size == s->stx.stx_size && !short_read &&
	    same_time(now.stx_mtime, s->stx.stx_mtime) &&
	    same_time(now.stx_ctime, s->stx.stx_ctime))
		return;
	if (!atomic_exchange(&s->subject->changed, true))
		job_remark(k->job, 0, false, "reading", s->path);
}

/* Without data: where some are. */
static int emit_extent(struct work *k, const struct step *s, const struct piece *p)
{
	if (p->kind < PIECE_PLAIN)
		return 0;
	atomic_fetch_add(&k->w->data, p->len);
	return emit_span(k, s, UNTOLD_DATA, p->pos, p->len);
}

int data_emit(struct work *k, struct step *s)
{
	bool compare = s->earlier && s->earlier->compare && s->old, short_read = false;
	int err = 0;

	if (s->what & STEP_DATA_FIRST)
		err = emit_size(k, s);
	for (size_t i = 0; i < s->pieces.n && err >= 0; i++) {
		const struct piece *p = &s->pieces.v[i];

		if (k->w->no_data)
			err = emit_extent(k, s, p);
		else if (compare && p->kind != PIECE_SAME && p->kind != PIECE_CLONE)
			err = emit_differing(k, s, p);
		else
			err = emit_piece(k, s, p);
		short_read |= err > 0;
	}
	if (err < 0)
		return err;
	err = k->w->no_data || !(s->what & STEP_DATA_LAST) ? 0 : emit_reserved(k, s);
	if (!err)
		look_again(k, s, short_read);
	return err;
}
