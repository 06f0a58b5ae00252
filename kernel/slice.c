// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * slice.c - one request in slices over several workers.
 *
 * Used where a single call keeps the device or the other processors idle:
 * copy_file_range(2) on a cold source waits for each read, and one NFS COPY
 * waits for its reply.
 */
#include <string.h>

#include "stream.h"

/*
 * Copied before any worker starts, so that a refusal is met while nothing else
 * is under way: who declines has written nothing.
 */
#define SLICE_FIRST ((uint64_t)1 << 20)

struct slices {
	const struct copy_req *req;
	int (*run)(const struct copy_req *, struct copy_result *);
	uint64_t slice, len;

	pthread_mutex_t lock; /* of all below */
	struct copy_result *sum;
	struct frontier f;
	bool ended;
};

/* run() may be short without being at the end: goes on until it gives nothing. */
static int slice_whole(const struct slices *sl, const struct copy_req *req, struct copy_result *res)
{
	int err;

	do {
		struct copy_req rest = copy_rest(req, res->bytes, UINT64_MAX);
		struct copy_result step = {0};

		err = sl->run(&rest, &step);
		copy_result_add(res, &step);
		if (!step.bytes)
			break;
	} while (!err && !res->stopped && res->bytes < req->len && !copy_stopped(req));
	return err;
}

static bool slice_take(struct slices *sl, uint64_t *at, uint64_t *len)
{
	bool got;

	pthread_mutex_lock(&sl->lock);
	if (copy_stopped(sl->req))
		sl->ended = true;
	got = !sl->ended && sl->f.next < sl->len;
	if (got) {
		*at = sl->f.next;
		*len = MIN(sl->slice, sl->len - *at);
		sl->f.next += *len;
	}
	pthread_mutex_unlock(&sl->lock);
	return got;
}

static void slice_give(struct slices *sl, uint64_t at, uint64_t len, struct copy_result *res,
		       int err)
{
	pthread_mutex_lock(&sl->lock);
	copy_result_add(sl->sum, res);
	if (res->bytes)
		sl->f.high = MAX(sl->f.high, at + res->bytes);
	if (err || res->bytes < len) {
		frontier_bad(&sl->f, at + res->bytes, 0, err);
		sl->ended = true;
	}
	pthread_mutex_unlock(&sl->lock);
}

static bool slice_do(struct slices *sl)
{
	struct copy_result res = {0};
	struct copy_req req;
	uint64_t at, len;

	if (!slice_take(sl, &at, &len))
		return false;
	req = copy_rest(sl->req, at, len);
	slice_give(sl, at, len, &res, slice_whole(sl, &req, &res));
	return true;
}

static void slice_worker(void *arg)
{
	while (slice_do(arg))
		;
}

/* Slices beyond the good part were counted too: taken from whoever moved most. */
static void slices_trim(struct copy_result *res, uint64_t good)
{
	struct copy_tally *most = &res->by[0];
	uint64_t excess = res->bytes - good;

	for (unsigned i = 1; i < COPY_STRATEGIES; i++)
		if (res->by[i].bytes > most->bytes)
			most = &res->by[i];
	most->bytes -= MIN(excess, most->bytes);
	most->moved -= MIN(excess, most->moved);
	res->holes = MIN(res->holes, good);
	res->bytes = good;
}

static bool is_refusal(int err)
{
	return err == -EXDEV || err == -EOPNOTSUPP;
}

static int slices_finish(struct slices *sl, uint64_t old_size)
{
	uint64_t good = frontier_good(&sl->f);
	int err = sl->f.error;

	if (sl->sum->bytes > good) {
		int cut = frontier_cut(&sl->f, sl->req, old_size);

		slices_trim(sl->sum, good);
		err = err ? err : cut;
	}
	if (copy_stopped(sl->req) && good < sl->len)
		sl->sum->stopped = 1;
	/* A refusal after progress: the core asks again from there and hears it then. */
	return is_refusal(err) && good ? 0 : err;
}

/* What there is to share out; COPY_LEN_EOF goes as far as the source does now. */
static int slices_len(const struct copy_req *req, uint64_t *len)
{
	uint64_t size;
	int err;

	*len = req->len;
	if (req->len != COPY_LEN_EOF)
		return 0;
	err = size_of(req->in, &size);
	*len = size > (uint64_t)req->pos_in ? size - (uint64_t)req->pos_in : 0;
	return err;
}

/* One piece here, the rest by all. */
static void slices_share_out(struct slices *sl)
{
	unsigned jobs = sl->req->jobs ? sl->req->jobs : workers_default();
	uint64_t slice = sl->slice;

	sl->slice = MIN(slice, SLICE_FIRST);
	slice_do(sl);
	sl->slice = slice;
	if (!sl->ended)
		workers_run(jobs, slice_worker, sl);
}

int slices_run(const struct copy_req *req, struct copy_result *res, uint64_t slice,
	       int (*run)(const struct copy_req *, struct copy_result *))
{
	struct slices sl = {
		.req = req, .run = run, .slice = slice, .sum = res, .f = FRONTIER_START};
	uint64_t old_size;
	int err = slices_len(req, &sl.len);

	if (err)
		return err;
	if (sl.len <= slice)
		return slice_whole(&sl, req, res);
	err = size_of(req->out, &old_size);
	if (err)
		return err;
	pthread_mutex_init(&sl.lock, NULL);
	if (req->jobs == 1 || (req->flags & COPY_RANGE_SERIAL))
		slice_worker(&sl);
	else
		slices_share_out(&sl);
	pthread_mutex_destroy(&sl.lock);
	return slices_finish(&sl, old_size);
}
