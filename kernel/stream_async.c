// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stream_async.c - one thread, many buffers, each waiting for one operation:
 * read a chunk, write it, take the next.  io_uring and libaio differ only in
 * how an operation is queued and awaited (struct async_ops).
 */
#include <stdlib.h>

#include "stream.h"

struct async {
	struct stream *s;
	const struct async_ops *ops;
	void *queue;
	unsigned busy; /* slots that wait */
};

static bool aligned(const struct stream *s, uint64_t pos, uint64_t len)
{
	return !(pos % s->align) && !(len % s->align);
}

/* Direct where positions allow; the last bytes of a file go through the page cache. */
static struct slot_io slot_wants(const struct stream *s, struct slot *slot)
{
	size_t done = slot->writing ? slot->put : slot->got;
	struct slot_io io = {.write = slot->writing, .buf = slot->buf + done};
	struct file *direct = slot->writing ? s->dout : s->din;

	io.pos = (slot->writing ? chunk_out(s, &slot->c) : chunk_in(s, &slot->c)) + (off_t)done;
	io.len = (slot->writing ? slot->got : slot->c.len) - done;
	if (direct && !slot->refused && aligned(s, (uint64_t)io.pos | done, 0)) {
		size_t len = slot->writing ? io.len - io.len % s->align
					   : (size_t)align_up(io.len, s->align);

		slot->direct = len != 0;
		io.len = len ? len : io.len;
	} else {
		slot->direct = false;
	}
	io.fd = (slot->direct ? direct : slot->writing ? s->out : s->in)->fd;
	return io;
}

/*
 * The slot's operation ended with @res: true when it has to be queued again.
 * A stop leaves the rest of the piece; the core sees the flag as well.
 */
static bool slot_advance(const struct stream *s, struct slot *slot, ssize_t res)
{
	if (res < 0 && rw_retry((int)res, &slot->tries))
		return true;
	if (res == -EINVAL && slot->direct) {
		slot->refused = true;
		return true;
	}
	if (res > 0)
		slot->tries = 0;
	if (slot->writing) {
		if (res <= 0)
			slot->error = res ? (int)res : -ENOSPC;
		else
			slot->put += (size_t)res;
		return res > 0 && slot->put < slot->got && !copy_stopped(s->req);
	}
	if (res < 0)
		slot->error = (int)res;
	else
		slot->got = MIN(slot->got + (size_t)res, slot->c.len);
	if (res > 0 && slot->got < slot->c.len && !copy_stopped(s->req))
		return true;
	slot->writing = true;
	return slot->got != 0;
}

static bool slot_fill(struct stream *s, struct slot *slot)
{
	struct chunk c;

	if (!stream_next(s, &c))
		return false;
	*slot = (struct slot){.c = c, .buf = slot->buf, .index = slot->index};
	return true;
}

static void slot_queue(struct async *a, struct slot *slot)
{
	struct slot_io io = slot_wants(a->s, slot);
	int err = a->ops->submit(a->queue, slot, &io);

	if (!err) {
		slot->busy = true;
		a->busy++;
		return;
	}
	stream_done(a->s, &slot->c, slot->put, err);
}

/* The kernel may still write into the buffers when this fails: they are not freed then. */
static int async_loop(struct async *a, struct slot *slots)
{
	unsigned depth = a->s->depth;

	for (unsigned i = 0; i < depth; i++)
		if (slot_fill(a->s, &slots[i]))
			slot_queue(a, &slots[i]);
	while (a->busy) {
		struct slot *slot;
		ssize_t res;
		int err = a->ops->wait(a->queue, &slot, &res);

		if (err)
			return err;
		slot->busy = false;
		a->busy--;
		if (slot_advance(a->s, slot, res)) {
			slot_queue(a, slot);
			continue;
		}
		stream_done(a->s, &slot->c, slot->put, slot->error);
		if (slot_fill(a->s, slot))
			slot_queue(a, slot);
	}
	return 0;
}

static void async_abandon(struct stream *s, const struct slot *slots, int err)
{
	for (unsigned i = 0; i < s->depth; i++)
		if (slots[i].busy)
			stream_done(s, &slots[i].c, slots[i].put, err);
}

int async_run(struct stream *s, const struct async_ops *ops)
{
	struct async a = {.s = s, .ops = ops};
	struct slot *slots = calloc(s->depth, sizeof(*slots));
	char *mem = aligned_alloc(s->align, s->buf * s->depth);
	int err = slots && mem ? ops->start(s, mem, &a.queue) : -ENOMEM;

	if (err)
		goto out;
	for (unsigned i = 0; i < s->depth; i++) {
		slots[i].index = i;
		slots[i].buf = mem + i * s->buf;
	}
	err = async_loop(&a, slots);
	if (err) {
		async_abandon(s, slots, err);
		mem = NULL;
	}
	ops->end(a.queue);
	err = 0;
out:
	free(mem);
	free(slots);
	return err;
}
