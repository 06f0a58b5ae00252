// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stream_uring.c - the engine on io_uring.
 *
 * The ring may be forbidden (sysctl kernel.io_uring_disabled, seccomp) or not
 * be there at all: then start() fails and the next engine is asked.
 * Reference: io_uring_setup(2), io_uring_register(2).
 */
#include <liburing.h>
#include <stdlib.h>

#include "stream.h"

struct uring {
	struct io_uring ring;
	bool fixed; /* buffers are registered */
};

static bool uring_fits(const struct stream *s)
{
	return s->in->fd >= 0 && s->out->fd >= 0 && s->depth > 1 &&
	       !(s->req->flags & COPY_RANGE_PUNCH_ZEROS);
}

/* Registering pins the pages once instead of at each operation; RLIMIT_MEMLOCK may forbid it. */
static bool uring_register(struct uring *u, struct stream *s, char *mem)
{
	struct iovec *iov = calloc(s->depth, sizeof(*iov));
	int err = -ENOMEM;

	if (!iov)
		return false;
	for (unsigned i = 0; i < s->depth; i++)
		iov[i] = (struct iovec){mem + i * s->buf, s->buf};
	err = io_uring_register_buffers(&u->ring, iov, s->depth);
	free(iov);
	return !err;
}

static int uring_start(struct stream *s, char *mem, void **queue)
{
	struct uring *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	/* One thread uses the ring; kernels before 6.1 do not know the flags. */
	err = io_uring_queue_init(s->depth, &u->ring,
				  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	if (err == -EINVAL)
		err = io_uring_queue_init(s->depth, &u->ring, 0);
	if (err) {
		free(u);
		return err;
	}
	u->fixed = uring_register(u, s, mem);
	*queue = u;
	return 0;
}

static int uring_submit(void *queue, struct slot *slot, const struct slot_io *io)
{
	struct uring *u = queue;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	unsigned len = (unsigned)io->len;

	if (!sqe)
		return -EBUSY;
	if (io->write && u->fixed)
		io_uring_prep_write_fixed(sqe, io->fd, io->buf, len, (uint64_t)io->pos,
					  (int)slot->index);
	else if (io->write)
		io_uring_prep_write(sqe, io->fd, io->buf, len, (uint64_t)io->pos);
	else if (u->fixed)
		io_uring_prep_read_fixed(sqe, io->fd, io->buf, len, (uint64_t)io->pos,
					 (int)slot->index);
	else
		io_uring_prep_read(sqe, io->fd, io->buf, len, (uint64_t)io->pos);
	io_uring_sqe_set_data(sqe, slot);
	return 0;
}

/* Submits what was queued since the last call, then waits for one: one system call for both. */
static int uring_wait(void *queue, struct slot **slot, ssize_t *res)
{
	struct uring *u = queue;
	struct io_uring_cqe *cqe;
	unsigned tries = 0;
	int err;

	if (io_uring_sq_ready(&u->ring) || io_uring_peek_cqe(&u->ring, &cqe)) {
		do {
			err = io_uring_submit_and_wait(&u->ring, 1);
		} while (err == -EINTR || err == -EBUSY ||
			 (err == -EAGAIN && rw_retry(err, &tries)));
		if (err < 0)
			return err;
	}
	do {
		err = io_uring_wait_cqe(&u->ring, &cqe);
	} while (err == -EINTR);
	if (err)
		return err;
	*slot = io_uring_cqe_get_data(cqe);
	*res = cqe->res;
	io_uring_cqe_seen(&u->ring, cqe);
	return 0;
}

static void uring_end(void *queue)
{
	struct uring *u = queue;

	io_uring_queue_exit(&u->ring);
	free(u);
}

static int uring_run(struct stream *s)
{
	static const struct async_ops ops = {uring_start, uring_submit, uring_wait, uring_end};

	return async_run(s, &ops);
}

const struct stream_engine stream_uring = {
	.name = "uring",
	.fits = uring_fits,
	.run = uring_run,
};
