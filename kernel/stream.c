// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stream.c - the last strategy: read here, write there.
 *
 * Small ranges are one read and one write on the caller's stack or one buffer:
 * trees of small files live here, so nothing else is done for them.  Larger
 * ones get a plan (engine, buffers, depth), and the engine moves the pieces
 * that stream_walk.c hands out.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream.h"

#define TINY  ((size_t)64 << 10)  /* on the stack: no page of it is touched in vain */
#define SMALL ((size_t)256 << 10) /* one buffer, one read, one write */

/*
 * One read, one write.  False: there are zeros in it that want a look for
 * holes, and nothing is written.  Holes smaller than a block are filled here.
 */
static bool copy_small(const struct copy_req *req, struct copy_result *res, char *buf, int *err)
{
	const struct place in = {req->in, req->pos_in, req->stop};
	const struct place out = {req->out, req->pos_out, req->stop};
	size_t got, put = 0;
	int werr = 0;

	*err = full_read(&in, buf, (size_t)req->len, &got);
	if ((!(req->flags & COPY_RANGE_FILL_HOLES) || (req->flags & COPY_RANGE_PUNCH_ZEROS)) &&
	    zero_any(buf, got))
		return false;
	if (got)
		werr = full_write(&out, buf, got, &put);
	if (put)
		copy_account(req, res, COPY_STREAM, put, put);
	*err = werr ? werr : *err;
	return true;
}

/* No page of the stack beyond what is read is touched. */
static __attribute__((noinline)) bool copy_tiny(const struct copy_req *req, struct copy_result *res,
						int *err)
{
	_Alignas(16) char buf[TINY];

	return copy_small(req, res, buf, err);
}

static bool copy_at_once(const struct copy_req *req, struct copy_result *res, int *err)
{
	size_t max = MIN(SMALL, stream_mem(req));
	bool done;
	char *buf;

	if (req->len > max || ((req->in->oflags | req->out->oflags) & O_DIRECT))
		return false;
	if (req->len <= TINY)
		return copy_tiny(req, res, err);
	buf = malloc((size_t)req->len);
	done = buf && copy_small(req, res, buf, err);
	free(buf);
	return done;
}

/*
 * Second descriptions of both files: without O_DIRECT where the caller's has
 * it, because the ends of a range are ragged, and with it where the plan says so.
 */
struct twins {
	struct file in, out, din, dout;
};

/*
 * Closing any description of a file drops the locks of fcntl(2) which the
 * process has on it.  So a descriptor that is the caller's gets no twin for
 * speed alone; the one it cannot do without is opened by stream_apart().
 */
static bool lends_buffered(const struct file *file)
{
	return file->fd_borrowed && !(file->oflags & O_DIRECT);
}

static bool lends_direct(const struct file *file)
{
	return file->fd_borrowed && (file->oflags & O_DIRECT);
}

static struct file *twin_plain(struct file *file, struct file *twin)
{
	if (file->fd < 0 || !(file->oflags & O_DIRECT) || twin_open(file, false, twin))
		return file;
	return twin;
}

static struct file *twin_direct(struct file *file, struct file *twin, bool wanted)
{
	if (!wanted || file->fd < 0 || lends_buffered(file))
		return NULL;
	return twin_open(file, true, twin) ? NULL : twin;
}

static void twins_open(struct stream *s, struct twins *t, const struct stream_plan *plan)
{
	const struct copy_req *req = s->req;
	uint32_t a_in = plan->direct_in ? direct_align(req->in) : 0;
	uint32_t a_out = plan->direct_out ? direct_align(req->out) : 0;

	s->align = MAX((uint32_t)ZERO_BLOCK, MAX(a_in, a_out));
	s->buf = align_up(s->buf, s->align);
	s->in = twin_plain(req->in, &t->in);
	s->out = twin_plain(req->out, &t->out);
	s->din = twin_direct(req->in, &t->din, a_in != 0);
	s->dout = twin_direct(req->out, &t->dout, a_out != 0);
}

static void twins_close(struct twins *t)
{
	twin_close(&t->in);
	twin_close(&t->out);
	twin_close(&t->din);
	twin_close(&t->dout);
}

/* Holes at the end were left out: the file has to reach over them, or the count ends before them.
 */
static int stream_extend(struct stream *s, uint64_t *good)
{
	uint64_t pos = (uint64_t)s->req->pos_out, size, from;
	struct copy_req tail;
	int err;

	if (!s->skipped)
		return 0;
	err = size_of(s->out, &size);
	if (err || size >= pos + *good)
		return err;
	from = size > pos ? size - pos : 0;
	tail = copy_rest(s->req, from, *good - from);
	err = hole_make(&tail, tail.len);
	if (err)
		*good = from;
	return err;
}

static int stream_finish(struct stream *s, struct copy_result *res)
{
	uint64_t good = frontier_good(&s->f);
	uint64_t holes = s->f.bad < s->f.next ? s->f.bad_holes : s->f.holes;
	int err = s->f.error, more;

	more = frontier_cut(&s->f, s->req, s->old_size);
	err = err ? err : more;
	more = stream_extend(s, &good);
	err = err ? err : more;
	holes = MIN(holes, good);
	res->bytes += good;
	res->holes += holes;
	res->by[COPY_STREAM].bytes += good;
	res->by[COPY_STREAM].moved += good - holes;
	res->by[COPY_STREAM].ranges += s->chunks;
	res->stopped |= s->stopped;
	return err;
}

int stream_run(const struct copy_req *req, struct copy_result *res, const struct stream_plan *plan)
{
	struct stream s = {.req = req,
			   .buf = plan->buf,
			   .depth = plan->depth,
			   .walk = plan->walk,
			   .f = FRONTIER_START};
	struct twins t = {{.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}};
	int err = size_of(req->out, &s.old_size);

	if (err)
		return err;
	twins_open(&s, &t, plan);
	pthread_mutex_init(&s.lock, NULL);
	if (req->progress)
		__atomic_store_n(&req->progress->strategy, COPY_STREAM, __ATOMIC_RELAXED);
	if (!plan->engine->fits(&s) || plan->engine->run(&s))
		err = STREAM_NOT_STARTED;
	else
		err = stream_finish(&s, res);
	pthread_mutex_destroy(&s.lock);
	twins_close(&t);
	return err;
}

/* What the files themselves refuse has to look like a refusal, or like the end of a good part. */
static int stream_refused(const struct copy_req *req, struct copy_result *res, int err)
{
	if (res->bytes)
		return 0;
	return decline(res, COPY_STREAM,
		       (struct copy_why){.reason = "the file cannot be read or written",
					 .error = -err,
					 .scope = COPY_THIS_FILE});
}

struct planned {
	const struct copy_req *req;
	struct copy_result *res;
	int err;
};

static void planned_run(void *arg)
{
	struct planned *p = arg;

	p->err = stream_planned(p->req, p->res);
}

/*
 * With a table of descriptors of its own, in which closing costs the caller no
 * lock.  What the caller closes meanwhile stays open until the copy ends.
 */
static int stream_apart(const struct copy_req *req, struct copy_result *res)
{
	struct planned p = {req, res, 0};

	if (!workers_apart(planned_run, &p))
		planned_run(&p);
	return p.err;
}

int stream_copy(const struct copy_req *req, struct copy_result *res)
{
	int err = 0;

	if (copy_at_once(req, res, &err))
		;
	else if (lends_direct(req->in) || lends_direct(req->out))
		err = stream_apart(req, res);
	else
		err = stream_planned(req, res);
	if (err == -EXDEV || err == -EOPNOTSUPP)
		err = stream_refused(req, res, err);
	return err;
}
