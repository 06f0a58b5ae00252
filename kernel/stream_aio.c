// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stream_aio.c - the engine on Linux native AIO, for kernels where io_uring is
 * missing or switched off.  io_submit(2) only returns early for O_DIRECT, so it
 * is used where both sides have it; the ragged ends go through the page cache
 * inside io_submit, which is right though it blocks.
 */
#include <libaio.h>
#include <stdlib.h>

#include "stream.h"

struct aio {
	io_context_t ctx;
	struct iocb *iocb; /* one per slot */
};

static bool aio_fits(const struct stream *s)
{
	return s->din && s->dout && s->depth > 1 && !(s->req->flags & COPY_RANGE_PUNCH_ZEROS);
}

static int aio_start(struct stream *s, char *mem, void **queue)
{
	struct aio *a = calloc(1, sizeof(*a));
	int err = -ENOMEM;

	(void)mem;
	if (!a)
		return err;
	a->iocb = calloc(s->depth, sizeof(*a->iocb));
	if (a->iocb)
		err = io_setup((int)s->depth, &a->ctx);
	if (err) {
		free(a->iocb);
		free(a);
		return err;
	}
	*queue = a;
	return 0;
}

static int aio_submit(void *queue, struct slot *slot, const struct slot_io *io)
{
	struct aio *a = queue;
	struct iocb *iocb = &a->iocb[slot->index];
	unsigned tries = 0;
	int n;

	if (io->write)
		io_prep_pwrite(iocb, io->fd, io->buf, io->len, io->pos);
	else
		io_prep_pread(iocb, io->fd, io->buf, io->len, io->pos);
	iocb->data = slot;
	do {
		n = io_submit(a->ctx, 1, &iocb);
	} while (rw_retry(n, &tries));
	return n == 1 ? 0 : n < 0 ? n : -EAGAIN;
}

static int aio_wait(void *queue, struct slot **slot, ssize_t *res)
{
	struct aio *a = queue;
	struct io_event ev;
	int n;

	do {
		n = io_getevents(a->ctx, 1, 1, &ev, NULL);
	} while (n == -EINTR || n == 0);
	if (n < 0)
		return n;
	*slot = ev.data;
	*res = (ssize_t)(long)ev.res;
	return 0;
}

static void aio_end(void *queue)
{
	struct aio *a = queue;

	io_destroy(a->ctx);
	free(a->iocb);
	free(a);
}

static int aio_run(struct stream *s)
{
	static const struct async_ops ops = {aio_start, aio_submit, aio_wait, aio_end};

	return async_run(s, &ops);
}

const struct stream_engine stream_aio = {
	.name = "aio",
	.fits = aio_fits,
	.run = aio_run,
};
