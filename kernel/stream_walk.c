// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stream_walk.c - what every engine does with a stream: take the next piece of
 * data, read it, write it, give it back.
 *
 * Holes never become pieces.  Inside the target's old size they are punched
 * when the walk meets them; beyond it nothing is done at all, a later write or
 * the end of the stream extends the file over them.  So a sparse image of any
 * size costs its data.
 */
#include "stream.h"

static void stream_progress(struct stream *s, uint64_t bytes)
{
	struct copy_progress *p = s->req->progress;

	if (p && bytes)
		__atomic_fetch_add(&p->bytes, bytes, __ATOMIC_RELAXED);
}

/* Leaves [at, at + len) of the request out; needs no lock when inside one chunk. */
static int hole_leave(struct stream *s, uint64_t at, uint64_t len)
{
	uint64_t pos = (uint64_t)s->req->pos_out + at;
	const struct place out = {s->out, (off_t)pos, s->req->stop};

	return pos < s->old_size ? hole_punch(&out, MIN(len, s->old_size - pos)) : 0;
}

static void hole_note(struct stream *s, uint64_t end)
{
	if ((uint64_t)s->req->pos_out + end > s->old_size)
		s->skipped = MAX(s->skipped, end);
}

/* Moves over holes to the next data.  Where the source says it ends, reading has the last word. */
static void walk_on(struct stream *s)
{
	while (s->walk && s->f.next == s->data_end && s->f.next < s->req->len) {
		struct copy_req rest = copy_rest(s->req, s->f.next, UINT64_MAX);
		struct segment seg;
		int err = segment_next(&rest, &seg);

		if (!err && seg.hole) {
			err = hole_leave(s, s->f.next, seg.len);
			hole_note(s, s->f.next + seg.len);
		}
		if (err) {
			frontier_bad(&s->f, s->f.next, s->f.holes, err);
			s->ended = true;
			return;
		}
		s->data_end += seg.len;
		if (seg.hole) {
			s->f.next += seg.len;
			s->f.holes += seg.len;
			stream_progress(s, seg.len);
		}
		s->walk = seg.len != 0;
	}
	if (!s->walk)
		s->data_end = s->req->len;
}

/*
 * Chunks end at multiples of the buffer size, so that all but the ends are
 * aligned: in the target, or in the source if only that is read with O_DIRECT.
 */
static size_t chunk_len(const struct stream *s)
{
	int64_t start = s->din && !s->dout ? s->req->pos_in : s->req->pos_out;
	uint64_t room = s->buf - ((uint64_t)start + s->f.next) % s->buf;

	return (size_t)MIN(room, s->data_end - s->f.next);
}

bool stream_next(struct stream *s, struct chunk *c)
{
	bool got = false;

	pthread_mutex_lock(&s->lock);
	if (s->f.next < s->req->len && copy_stopped(s->req))
		s->stopped = s->ended = true;
	if (!s->ended)
		walk_on(s);
	if (!s->ended && s->f.next < s->req->len) {
		*c = (struct chunk){s->f.next, chunk_len(s), s->f.holes};
		s->f.next += c->len;
		got = true;
	}
	pthread_mutex_unlock(&s->lock);
	return got;
}

void stream_done(struct stream *s, const struct chunk *c, size_t n, int err)
{
	stream_progress(s, n);
	pthread_mutex_lock(&s->lock);
	if (n)
		s->f.high = MAX(s->f.high, c->at + n);
	if (n < c->len) {
		frontier_bad(&s->f, c->at + n, c->holes, err);
		s->ended = true;
	}
	s->chunks++;
	pthread_mutex_unlock(&s->lock);
}

/*
 * O_DIRECT may be refused for reasons that cannot be known before (a file
 * system's own alignment, an extent that is stored inline): the page cache
 * takes what it leaves, here the bytes after a short end too.
 */
int stream_read(struct stream *s, const struct chunk *c, char *buf, size_t *got)
{
	struct place at = {s->din, chunk_in(s, c), s->req->stop};
	size_t more;
	int err;

	*got = 0;
	if (s->din && !((uint64_t)at.pos % s->align)) {
		err = full_read(&at, buf, (size_t)align_up(c->len, s->align), got);
		*got = MIN(*got, c->len);
		if (*got == c->len || (err && err != -EINVAL))
			return err;
	}
	at.file = s->in;
	at.pos += (off_t)*got;
	err = full_read(&at, buf + *got, c->len - *got, &more);
	*got += more;
	return err;
}

static int write_plain(struct stream *s, const char *buf, size_t len, off_t pos, size_t *put)
{
	size_t direct = s->dout && !((uint64_t)pos % s->align) ? len - len % s->align : 0, more;
	struct place at = {s->dout, pos, s->req->stop};
	int err;

	*put = 0;
	if (direct) {
		err = full_write(&at, buf, direct, put);
		if (err && err != -EINVAL)
			return err;
	}
	if (*put == len)
		return 0;
	at.file = s->out;
	at.pos += (off_t)*put;
	err = full_write(&at, buf + *put, len - *put, &more);
	*put += more;
	return err;
}

/* Zero runs are left out; up to the first whole block of the target all is data. */
static int write_runs(struct stream *s, const struct chunk *c, const char *buf, size_t *put)
{
	size_t len = c->len, run = (size_t)(-(uint64_t)chunk_out(s, c) % ZERO_BLOCK), done;
	bool zero = false;
	int err = 0;

	run = MIN(run, len);
	for (*put = 0; *put < len && !err; *put += done) {
		if (!run)
			run = zero_run(buf + *put, len - *put, &zero);
		if (zero) {
			err = hole_leave(s, c->at + *put, run);
			done = err ? 0 : run;
		} else {
			err = write_plain(s, buf + *put, run, chunk_out(s, c) + (off_t)*put, &done);
		}
		run = 0;
	}
	return err;
}

int stream_write(struct stream *s, const struct chunk *c, const char *buf, size_t *put)
{
	int err;

	if (!(s->req->flags & COPY_RANGE_PUNCH_ZEROS))
		return write_plain(s, buf, c->len, chunk_out(s, c), put);
	err = write_runs(s, c, buf, put);
	pthread_mutex_lock(&s->lock);
	hole_note(s, c->at + *put);
	pthread_mutex_unlock(&s->lock);
	return err;
}
