// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stream_plan.c - which engine moves a large range, with how many buffers of
 * what size.
 *
 * The figures come from bench/queue_depth.sh; bench/queue_depth.txt keeps them:
 *
 *	- 512 KiB buffers: half of that costs calls, twice that falls out of the
 *	  processor's cache between the read and the write.
 *	- Through the page cache more than two writers only wait for each other on
 *	  the target's lock; a source that has to come from the device wants more.
 *	- io_uring pays where it is asynchronous in truth, with O_DIRECT on both
 *	  sides.  Through the page cache its writes go to kernel threads, which is
 *	  slower than threads of our own, also when only the reads are O_DIRECT.
 *	- The target goes through the page cache, because the caller is done when
 *	  the cache has the bytes; only what could not stay there anyway is
 *	  written with O_DIRECT, at a fifth of the processor time.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream.h"

enum source_kind {
	SOURCE_ANY,  /* small, cached, or of a room that is not on this machine */
	SOURCE_COLD, /* has to come from the device */
	SOURCE_HUGE, /* more than the page cache can hold */
	SOURCE_AWAY, /* one side is another machine: each piece is a journey */
};

struct choice {
	const struct stream_engine *engine;
	enum source_kind kind;
	unsigned depth; /* 0: one per processor */
	uint32_t kib;
	bool direct_in, direct_out;
};

/* The first that fits and starts; one for each engine and kind of source. */
static const struct choice choices[] = {
	{&stream_threads, SOURCE_COLD, 4, 512, true, false},
#ifdef CONFIG_STREAM_URING
	{&stream_uring, SOURCE_HUGE, 8, 1024, true, true},
	{&stream_uring, SOURCE_COLD, 8, 1024, true, false},
#endif
#ifdef CONFIG_STREAM_AIO
	{&stream_aio, SOURCE_HUGE, 8, 1024, true, true},
#endif
	{&stream_threads, SOURCE_HUGE, 8, 1024, true, true},
	{&stream_threads, SOURCE_AWAY, 8, 1024, false, false},
	{&stream_threads, SOURCE_ANY, 0, 512, false, false},
};

#define PARALLEL_MIN ((uint64_t)4 << 20) /* below, a thread costs more than it helps */
#define SHORT_BUF    ((size_t)64 << 10)
#define DIRECT_MIN   ((uint64_t)64 << 20) /* below, a ring and a second open do */
#define DEPTH_MAX    64u

size_t stream_mem(const struct copy_req *req)
{
	size_t mem = req->mem_max ? req->mem_max : COPY_MEM_DEFAULT;

	return MAX(mem - mem % ZERO_BLOCK, ZERO_BLOCK);
}

static uint64_t memory_size(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
}

static enum source_kind source_kind(const struct copy_req *req, uint64_t len)
{
	if (req->in->mnt->remote || req->out->mnt->remote)
		return SOURCE_AWAY;
	if (req->in->fd < 0 || req->out->fd < 0 || len < DIRECT_MIN)
		return SOURCE_ANY;
	if (len > memory_size() / 2)
		return SOURCE_HUGE;
	return source_is_cold(req, len) ? SOURCE_COLD : SOURCE_ANY;
}

/* Buffers within the bound: first smaller ones, then fewer. */
static void plan_memory(struct stream_plan *plan, size_t mem)
{
	size_t each = mem / plan->depth;

	plan->depth = MIN(plan->depth, (unsigned)(mem / ZERO_BLOCK));
	plan->buf = MIN(plan->buf, MAX(each - each % ZERO_BLOCK, ZERO_BLOCK));
}

/* What the choice depends on. */
struct source {
	uint64_t len;  /* of the range now; 0: unsized, or to be read in order until it ends */
	bool parallel; /* by more than one buffer */
	enum source_kind kind;
};

/*
 * A buffer that malloc(3) has at hand: a large one is new memory each time, which for a call
 * of 1 MiB cost 340 of 520 microseconds of processor time (tmpfs to ext4, Linux 6.18).
 */
static bool is_short(const struct copy_req *req, const struct source *src)
{
	return !src->parallel && src->len && src->len < PARALLEL_MIN && req->in->fd >= 0 &&
	       req->out->fd >= 0 && !req->in->mnt->remote && !req->out->mnt->remote;
}

static int run_choice(const struct copy_req *req, struct copy_result *res, const struct choice *c,
		      const struct source *src)
{
	struct stream_plan plan = {
		.engine = c->engine,
		.buf = (size_t)c->kib << 10,
		.depth = c->depth ? c->depth : workers_default(),
		.direct_in = c->direct_in,
		.direct_out = c->direct_out,
		.walk = src->len && !(req->flags & COPY_RANGE_FILL_HOLES),
	};

	if (req->jobs && c->engine == &stream_threads)
		plan.depth = MIN(req->jobs, DEPTH_MAX);
	if (!src->parallel)
		plan.depth = 1;
	if (is_short(req, src))
		plan.buf = SHORT_BUF;
	plan_memory(&plan, stream_mem(req));
	return stream_run(req, res, &plan);
}

/* By @engine, as this kind of source wants it or else in any way; NULL: by any engine. */
static int run_first(const struct copy_req *req, struct copy_result *res,
		     const struct stream_engine *engine, const struct source *src)
{
	int err = STREAM_NOT_STARTED;

	for (unsigned i = 0; i < ARRAY_SIZE(choices) && err == STREAM_NOT_STARTED; i++)
		if (choices[i].kind == src->kind && (!engine || choices[i].engine == engine))
			err = run_choice(req, res, &choices[i], src);
	for (unsigned i = 0; engine && i < ARRAY_SIZE(choices) && err == STREAM_NOT_STARTED; i++)
		if (choices[i].engine == engine)
			err = run_choice(req, res, &choices[i], src);
	return err;
}

/*
 * CR_ENGINE=threads|uring|aio: that engine, and threads where it cannot do the
 * copy.  Not for set-user-id programs.
 */
static const struct stream_engine *engine_wanted(void)
{
	const char *name = secure_getenv("CR_ENGINE");

	for (unsigned i = 0; name && i < ARRAY_SIZE(choices); i++)
		if (!strcmp(choices[i].engine->name, name))
			return choices[i].engine;
	return NULL;
}

int stream_planned(const struct copy_req *req, struct copy_result *res)
{
	const struct stream_engine *wanted = engine_wanted();
	struct source src = {.kind = SOURCE_ANY};
	uint64_t size;
	int err = size_of(req->in, &size);

	if (err)
		return err;
	if (size > (uint64_t)req->pos_in)
		src.len = MIN(req->len, size - (uint64_t)req->pos_in);
	src.parallel = req->jobs != 1 && !(req->flags & COPY_RANGE_SERIAL) &&
		       src.len >= (wanted ? 1 : PARALLEL_MIN);
	if (src.parallel)
		src.kind = source_kind(req, src.len);
	err = run_first(req, res, wanted, &src);
	if (err == STREAM_NOT_STARTED)
		err = run_first(req, res, &stream_threads, &src);
	return err == STREAM_NOT_STARTED ? -ENOMEM : err;
}
