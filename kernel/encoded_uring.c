// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * encoded_uring.c - encoded reads and writes as commands of one io_uring.
 *
 * One thread keeps DEPTH extents in flight; each goes through a read and a
 * write.  Whatever is not such an extent, or is refused, is done by the same
 * functions that the workers use, but not before nothing is in flight: a read
 * keeps 128 KiB of the file locked until this thread has taken its completion,
 * and any call that wants the same range would wait for that for ever.  For the
 * same reason the next extents are listed only then.
 *
 * The engine gives up, and leaves the rest to the workers, when the kernel has
 * no such commands (before Linux 6.13 and 6.14) or no ring for us, or when the
 * ring fails on the way: then what is under way is waited for, because the
 * kernel writes into its buffers.  Payloads that are to be validated are for
 * the workers too: decoding wants all processors.
 *
 * Kernel bugs in this path were still being fixed when Linux 7.3 came out: the
 * option is off by default.
 */
#include <liburing.h>
#include <stdlib.h>
#include <time.h>

#include "kernel/encoded.h"
#include "kernel/stream.h"

#define DEPTH	  32
#define SETTLE_MS 30000 /* for commands under way in a ring that fails */

struct lane {
	struct worker w;
	struct encoded_cmd cmd;
	struct encoded_iov ev;
	uint64_t len; /* bytes of the file in the write under way; 0: a read is */
	ssize_t payload;
	unsigned turn; /* number of its last command */
	bool busy;     /* with the kernel */
	bool waits;    /* what is left of its item is not for the ring */
};

struct engine {
	struct encoder *e;
	struct io_uring ring;
	struct lane lane[DEPTH];
	unsigned busy, turns;
	unsigned waiting; /* lanes that wait, and the item put by */
	struct item item; /* not for the ring */
	enum way way;
	bool put_by; /* there is one */
	bool ended;  /* no more items */
	bool unable; /* the kernel has no such commands, or the ring failed: no more of them */
	bool failed;
};

static void submit(struct engine *en, struct lane *s, struct file *file)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&en->ring); /* as many as lanes: never NULL */

	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, file->fd, s->cmd.args, 0, 0);
	sqe->cmd_op = s->cmd.op;
	io_uring_sqe_set_data(sqe, s);
	s->turn = en->turns++;
	if (!s->busy)
		en->busy++;
	s->busy = true;
}

static void start_read(struct engine *en, struct lane *s)
{
	struct file *in = en->e->req->in;

	s->len = 0;
	s->cmd.iov = (struct iovec){s->w.buf, ENCODED_BUF};
	in->op->encoded_cmd(&s->cmd, NULL, (off_t)s->w.pos);
	submit(en, s, in);
}

static void start_write(struct engine *en, struct lane *s)
{
	struct file *out = en->e->req->out;

	s->cmd.iov = (struct iovec){s->w.buf, (size_t)s->payload};
	out->op->encoded_cmd(&s->cmd, &s->ev, (off_t)out_of(en->e, s->w.pos));
	submit(en, s, out);
}

static void lane_free(struct engine *en, struct lane *s)
{
	en->busy -= s->busy;
	en->waiting -= s->waits;
	s->busy = s->waits = false;
}

static void lane_end(struct engine *en, struct lane *s, int err)
{
	lane_free(en, s);
	if (err || s->w.pos < s->w.end)
		broke_at(en->e, s->w.pos, err < 0 ? err : 0);
}

/* The rest of the item goes by the way of the workers, which also finds out why. */
static void not_by_ring(struct engine *en, struct lane *s)
{
	lane_free(en, s);
	s->waits = true;
	en->waiting++;
}

static void after_read(struct engine *en, struct lane *s, ssize_t n)
{
	struct encoder *e = en->e;

	if (n == -EOPNOTSUPP || n == -ENOTTY || n == -ENOSYS)
		en->unable = true;
	if (n <= 0 || e->req->in->op->encoded_answer(&s->cmd, n, &s->ev) ||
	    s->ev.compression == ENCODED_NONE) {
		not_by_ring(en, s);
		return;
	}
	s->payload = n;
	s->len = planted_len(&s->w, &s->ev, (uint64_t)n);
	s->ev.len = s->len;
	if (s->len && !en->unable)
		start_write(en, s);
	else
		not_by_ring(en, s);
}

static void after_write(struct engine *en, struct lane *s, ssize_t n)
{
	struct worker *w = &s->w;

	if (n != s->payload) {
		en->unable |= n == -EOPNOTSUPP || n == -ENOTTY || n == -ENOSYS;
		not_by_ring(en, s);
		return;
	}
	copy_account(en->e->req, &w->res, COPY_ENCODED, s->len, (uint64_t)n);
	w->pos += s->len;
	if (w->pos == w->end || copy_stopped(en->e->req))
		lane_end(en, s, 0);
	else if (en->unable)
		not_by_ring(en, s);
	else
		start_read(en, s);
}

/* Give every free lane an item, as far as that needs no call and something is for the ring. */
static void feed(struct engine *en)
{
	struct encoder *e = en->e;

	for (unsigned i = 0; i < DEPTH && !en->unable && !en->waiting; i++) {
		struct lane *s = &en->lane[i];

		if (s->busy)
			continue;
		if (e->at == e->n && en->busy)
			return;
		en->ended = !next_item(e, &en->item, &en->way);
		if (en->ended)
			return;
		s->w.pos = en->item.ext[0].pos;
		s->w.end = s->w.pos + en->item.ext[0].len;
		en->put_by = en->way != WAY_ENCODED || out_of(e, s->w.pos) % e->sector;
		en->waiting += en->put_by;
		if (!en->put_by)
			start_read(en, s);
	}
}

/* What is not for the ring, while nothing is in flight. */
static void do_waiting(struct engine *en)
{
	struct worker *w = &en->lane[0].w;

	for (unsigned i = 0; i < DEPTH; i++)
		if (en->lane[i].waits)
			lane_end(en, &en->lane[i], copy_kept(&en->lane[i].w));
	if (en->put_by) {
		int err = copy_item(w, &en->item, en->way);

		en->put_by = false;
		en->waiting--;
		if (err || w->pos < w->end)
			broke_at(en->e, w->pos, err < 0 ? err : 0);
	}
}

/* All that the kernel has finished. */
static void collect(struct engine *en)
{
	struct io_uring_cqe *cqe;

	while (!io_uring_peek_cqe(&en->ring, &cqe)) {
		struct lane *s = io_uring_cqe_get_data(cqe);
		ssize_t n = cqe->res;

		io_uring_cqe_seen(&en->ring, cqe);
		if (s->len)
			after_write(en, s, n);
		else
			after_read(en, s, n);
	}
}

/*
 * io_uring_enter(2) fails and will not get better.  Commands that the kernel
 * has not taken are ours again; the others end by themselves, and that is seen
 * in the ring without it.
 */
static void ring_failed(struct engine *en)
{
	static const struct timespec ms = {.tv_nsec = 1000000};
	unsigned ours = io_uring_sq_ready(&en->ring);

	en->unable = en->failed = true;
	for (unsigned i = 0; i < DEPTH; i++)
		if (en->lane[i].busy && en->turns - en->lane[i].turn <= ours)
			not_by_ring(en, &en->lane[i]);
	for (unsigned waited = 0; en->busy && waited < SETTLE_MS; waited++) {
		nanosleep(&ms, NULL);
		collect(en);
	}
}

/* A command that does not end: nothing else can be done, and its buffer is left to it. */
static void ring_lost(struct engine *en)
{
	for (unsigned i = 0; i < DEPTH; i++)
		if (en->lane[i].busy || en->lane[i].waits)
			broke_at(en->e, en->lane[i].w.pos, -EIO);
	if (en->put_by)
		broke_at(en->e, en->item.ext[0].pos, -EIO);
}

static void reap(struct engine *en)
{
	unsigned tries = 0;
	int err;

	do
		err = io_uring_submit_and_wait(&en->ring, 1);
	while (err == -EINTR || ((err == -EAGAIN || err == -EBUSY) && rw_retry(-EAGAIN, &tries)));
	if (err < 0)
		ring_failed(en);
	else
		collect(en);
}

static bool lanes_new(struct engine *en)
{
	for (unsigned i = 0; i < DEPTH; i++) {
		en->lane[i].w.e = en->e;
		en->lane[i].w.buf = malloc(ENCODED_BUF);
		if (!en->lane[i].w.buf)
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

static void ring_run(struct engine *en)
{
	bool more = true;

	while (more) {
		feed(en);
		if (!en->busy)
			do_waiting(en);
		else if (!en->failed)
			reap(en);
		else
			break;
		more = en->busy || en->waiting || !(en->ended || en->unable);
	}
	if (en->busy)
		ring_lost(en);
}

void uring_work(struct encoder *e, struct copy_result *sum)
{
	struct engine *en = fits(e) ? calloc(1, sizeof(*en)) : NULL;

	if (!en)
		return;
	en->e = e;
	if (lanes_new(en) && !io_uring_queue_init(DEPTH, &en->ring, 0)) {
		ring_run(en);
		io_uring_queue_exit(&en->ring);
	}
	for (unsigned i = 0; i < DEPTH; i++) {
		copy_result_add(sum, &en->lane[i].w.res);
		if (!en->lane[i].busy)
			worker_end(&en->lane[i].w);
	}
	if (!en->busy) /* else the kernel may still write into it */
		free(en);
}
