// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * copy.c - copy_file_range(2) below the mount, from any room to any.
 *
 * The threads that take requests from the kernel only note a copy down; threads of this
 * file do it.  So however many copies run, other requests go on, among them the one
 * that says that a copying program got a signal: that ends the copy soon, with the count
 * of what is copied.
 *
 * The bytes at the end of a range come last, when all before them are written: where
 * this process is killed in the middle the copy is shorter than its source.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "lib/thread.h"
#include "ofs.h"

#define COPIES_MAX 8u			 /* at once; the others wait for their turn */
#define STEP	   ((uint64_t)256 << 20) /* between two looks at what is written */
#define LAST	   ((uint64_t)1 << 20)	 /* of a range: written in order, after all others */

struct copy {
	struct copy *next;
	fuse_req_t req;
	struct copy_req range;
	int stop;
};

struct copy_pool {
	pthread_mutex_t lock;
	pthread_cond_t more, fewer;
	struct copy *first, **last; /* that wait */
	struct copy *running[COPIES_MAX];
	unsigned threads, idle, waiting;
	bool ends;
};

static void interrupted(fuse_req_t req, void *arg)
{
	struct copy *c = arg;

	__atomic_store_n(&c->stop, 1, __ATOMIC_RELAXED);
}

/* What of the rest goes in the next step, in bytes. */
static uint64_t step_of(const struct copy *c, uint64_t done, uint64_t size)
{
	uint64_t left = c->range.len - done, end = (uint64_t)c->range.pos_in + c->range.len;

	if (end > size) /* the last bytes of the source */
		left = size > (uint64_t)c->range.pos_in + done
			       ? size - ((uint64_t)c->range.pos_in + done)
			       : 0;
	if (left <= LAST)
		return left;
	return left - LAST < STEP ? left - LAST : STEP;
}

/* All of it as one clone, which is there or is not; else step by step. */
static int copy_whole(struct copy *c, uint64_t *done)
{
	struct copy_req req = c->range;
	struct copy_result res;

	req.flags = COPY_RANGE_CLONE_ONLY;
	cr_copy_range(&req, &res);
	*done = res.bytes;
	return 0;
}

static int copy_steps(struct copy *c, uint64_t *done)
{
	struct statx stx;
	int err = cr_getattr(c->range.in, NULL, &stx);

	while (!err && *done < c->range.len && !__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		struct copy_req req = c->range;
		struct copy_result res;

		req.pos_in += (int64_t)*done;
		req.pos_out += (int64_t)*done;
		req.len = step_of(c, *done, stx.stx_size);
		if (!req.len) /* it ends here, or says no size (files of /proc) */
			req.len = c->range.len - *done;
		if (req.len <= LAST)
			req.flags |= COPY_RANGE_SERIAL;
		err = cr_copy_range(&req, &res);
		*done += res.bytes;
		if (res.bytes < req.len)
			break;
	}
	return err;
}

static void copy_run(struct copy *c)
{
	uint64_t done = 0;
	int err;

	err = copy_whole(c, &done);
	if (!err && done < c->range.len)
		err = copy_steps(c, &done);
	fuse_req_interrupt_func(c->req, NULL, NULL);
	if (!done && !err && __atomic_load_n(&c->stop, __ATOMIC_RELAXED))
		err = -EINTR;
	if (done || !err)
		fuse_reply_write(c->req, (size_t)done);
	else
		fuse_reply_err(c->req, reply_error(err));
}

static void *worker(void *arg)
{
	struct copy_pool *p = arg;
	unsigned at;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct copy *c = p->first;

		if (!c) {
			if (p->ends)
				break;
			p->idle++;
			pthread_cond_wait(&p->more, &p->lock);
			p->idle--;
			continue;
		}
		p->first = c->next;
		p->waiting--;
		if (!p->first)
			p->last = &p->first;
		for (at = 0; p->running[at]; at++)
			;
		p->running[at] = c;
		pthread_mutex_unlock(&p->lock);
		copy_run(c);
		pthread_mutex_lock(&p->lock);
		p->running[at] = NULL;
		free(c);
		pthread_cond_broadcast(&p->fewer);
	}
	p->threads--;
	pthread_cond_broadcast(&p->fewer);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static int add_thread(struct copy_pool *p)
{
	pthread_t thread;
	int err = thread_start(&thread, worker, p);

	if (!err) {
		pthread_detach(thread);
		p->threads++;
	}
	return err;
}

struct copy_pool *copies_new(void)
{
	struct copy_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	pthread_cond_init(&p->fewer, NULL);
	p->last = &p->first;
	return p;
}

static bool is_busy(const struct copy_pool *p)
{
	bool busy = p->first;

	for (unsigned i = 0; i < COPIES_MAX; i++)
		busy |= !!p->running[i];
	return busy;
}

/* The mount ends: each copy ends soon, with the count of what is copied. */
void copies_stop(struct copy_pool *p)
{
	pthread_mutex_lock(&p->lock);
	for (struct copy *c = p->first; c; c = c->next)
		__atomic_store_n(&c->stop, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < COPIES_MAX; i++)
		if (p->running[i])
			__atomic_store_n(&p->running[i]->stop, 1, __ATOMIC_RELAXED);
	while (is_busy(p))
		pthread_cond_wait(&p->fewer, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

/* The mount is gone: nobody waits for a copy any more. */
void copies_free(struct copy_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->ends = true;
	pthread_cond_broadcast(&p->more);
	while (p->threads)
		pthread_cond_wait(&p->fewer, &p->lock);
	pthread_mutex_unlock(&p->lock);
	pthread_cond_destroy(&p->fewer);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* Notes a copy down: 0, or that nobody can be had to do it. */
static int enqueue(struct copy_pool *p, struct copy *c)
{
	int err = 0;

	pthread_mutex_lock(&p->lock);
	/* Who is idle may be wanted by one that came before, and not have woken yet. */
	if (p->waiting >= p->idle && p->threads < COPIES_MAX)
		err = add_thread(p);
	if (p->threads) /* one of those that there are will do it */
		err = 0;
	if (!err) {
		*p->last = c;
		p->last = &c->next;
		p->waiting++;
		pthread_cond_signal(&p->more);
	}
	pthread_mutex_unlock(&p->lock);
	return err;
}

void ofs_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
			 struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
			 struct fuse_file_info *fi_out, size_t len, int flags)
{
	struct copy *c = calloc(1, sizeof(*c));
	int err = c ? 0 : -ENOMEM;

	if (flags)
		err = -EINVAL;
	if (!err) {
		c->req = req;
		c->range = (struct copy_req){
			.in = handle_of(fi_in)->file,
			.out = handle_of(fi_out)->file,
			.pos_in = off_in,
			.pos_out = off_out,
			.len = len,
			.stop = &c->stop,
		};
		fuse_req_interrupt_func(req, interrupted, c);
		err = enqueue(ofs_of(req)->copies, c);
		if (err)
			fuse_req_interrupt_func(req, NULL, NULL);
	}
	if (err) {
		free(c);
		fuse_reply_err(req, reply_error(err));
	}
}
