// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * encoded_uring.c - encoded reads and writes as commands of one io_uring.
 *
 * One thread keeps DEPTH extents in flight; each goes through a read and a
 * write.  Whatever is not such an extent, or is refused, is done by the same
 * functions that the workers use, while the others stay in flight.  The engine
 * gives up, and leaves the rest to the workers, when the kernel has no such
 * commands (before Linux 6.13 and 6.14) or no ring for us.
 *
 * Kernel bugs in this path were still being fixed when Linux 7.3 came out: the
 * option is off by default.
 */
#include <liburing.h>
#include <stdlib.h>

#include "kernel/encoded.h"

#define DEPTH 32

struct slot {
	struct worker w;
	struct encoded_cmd cmd;
	struct encoded_iov ev;
	uint64_t len; /* bytes of the file in the write under way; 0: a read is */
	ssize_t payload;
	bool busy;
};

struct engine {
	struct encoder *e;
	struct io_uring ring;
	struct slot slot[DEPTH];
	unsigned busy;
	bool unable; /* the kernel has no such commands */
};

static void submit(struct engine *en, struct slot *s, struct file *file)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&en->ring); /* as many as slots: never NULL */

	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, file->fd, s->cmd.args, 0, 0);
	sqe->cmd_op = s->cmd.op;
	io_uring_sqe_set_data(sqe, s);
	if (!s->busy)
		en->busy++;
	s->busy = true;
}

static void start_read(struct engine *en, struct slot *s)
{
	struct file *in = en->e->req->in;

	s->len = 0;
	s->cmd.iov = (struct iovec){s->w.buf, ENCODED_BUF};
	in->op->encoded_cmd(&s->cmd, NULL, (off_t)s->w.pos);
	submit(en, s, in);
}

static void start_write(struct engine *en, struct slot *s)
{
	struct file *out = en->e->req->out;

	s->cmd.iov = (struct iovec){s->w.buf, (size_t)s->payload};
	out->op->encoded_cmd(&s->cmd, &s->ev, (off_t)out_of(en->e, s->w.pos));
	submit(en, s, out);
}

static void slot_end(struct engine *en, struct slot *s, int err)
{
	if (s->busy)
		en->busy--;
	s->busy = false;
	if (err || s->w.pos < s->w.end)
		broke_at(en->e, s->w.pos, err < 0 ? err : 0);
}

/* The rest of the item by the way of the workers, which also finds out why. */
static void do_here(struct engine *en, struct slot *s)
{
	slot_end(en, s, copy_kept(&s->w));
}

static void after_read(struct engine *en, struct slot *s, ssize_t n)
{
	struct encoder *e = en->e;

	if (n == -EOPNOTSUPP || n == -ENOTTY || n == -ENOSYS)
		en->unable = true;
	if (n <= 0 || e->req->in->op->encoded_answer(&s->cmd, n, &s->ev) ||
	    s->ev.compression == ENCODED_NONE) {
		do_here(en, s);
		return;
	}
	s->payload = n;
	s->len = planted_len(&s->w, &s->ev, (uint64_t)n);
	s->ev.len = s->len;
	if (s->len)
		start_write(en, s);
	else
		do_here(en, s);
}

static void after_write(struct engine *en, struct slot *s, ssize_t n)
{
	struct worker *w = &s->w;

	if (n != s->payload) {
		en->unable |= n == -EOPNOTSUPP || n == -ENOTTY || n == -ENOSYS;
		do_here(en, s);
		return;
	}
	copy_account(en->e->req, &w->res, COPY_ENCODED, s->len, (uint64_t)n);
	w->pos += s->len;
	if (w->pos < w->end && !copy_stopped(en->e->req))
		start_read(en, s);
	else
		slot_end(en, s, 0);
}

/* Give every free slot an item; what is no extent to keep is done at once. */
static bool feed(struct engine *en)
{
	struct encoder *e = en->e;

	for (unsigned i = 0; i < DEPTH; i++) {
		struct slot *s = &en->slot[i];

		while (!s->busy) {
			struct item item;
			enum way way;

			if (en->unable || !next_item(e, &item, &way))
				return false;
			s->w.pos = item.ext[0].pos;
			s->w.end = s->w.pos + item.ext[0].len;
			if (way == WAY_ENCODED && !(out_of(e, s->w.pos) % e->sector))
				start_read(en, s);
			else
				slot_end(en, s, copy_item(&s->w, &item, way));
		}
	}
	return true;
}

static void reap(struct engine *en)
{
	struct io_uring_cqe *cqe;
	int err;

	do
		err = io_uring_submit_and_wait(&en->ring, 1);
	while (err == -EINTR || err == -EAGAIN || err == -EBUSY);
	while (!io_uring_peek_cqe(&en->ring, &cqe)) {
		struct slot *s = io_uring_cqe_get_data(cqe);
		ssize_t n = cqe->res;

		io_uring_cqe_seen(&en->ring, cqe);
		if (s->len)
			after_write(en, s, n);
		else
			after_read(en, s, n);
	}
}

static bool slots_new(struct engine *en)
{
	for (unsigned i = 0; i < DEPTH; i++) {
		en->slot[i].w.e = en->e;
		en->slot[i].w.buf = malloc(ENCODED_BUF);
		if (!en->slot[i].w.buf)
			return false;
	}
	return true;
}

static bool fits(const struct encoder *e)
{
	const struct copy_req *req = e->req;
	size_t mem = req->mem_max ? req->mem_max : COPY_MEM_DEFAULT;

	return req->in->op->encoded_cmd && req->out->op->encoded_cmd &&
	       !(req->flags & COPY_RANGE_VALIDATE) && mem >= DEPTH * ENCODED_BUF;
}

void uring_work(struct encoder *e, struct copy_result *sum)
{
	struct engine *en = fits(e) ? calloc(1, sizeof(*en)) : NULL;

	if (!en)
		return;
	en->e = e;
	if (slots_new(en) && !io_uring_queue_init(DEPTH, &en->ring, 0)) {
		while (feed(en) || en->busy)
			reap(en);
		io_uring_queue_exit(&en->ring);
	}
	for (unsigned i = 0; i < DEPTH; i++) {
		copy_result_add(sum, &en->slot[i].w.res);
		worker_end(&en->slot[i].w);
	}
	free(en);
}
