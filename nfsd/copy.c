// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * copy.c - COPY and CLONE: RFC 7862 sections 15.2 and 15.13.
 *
 * Both are one call of cr_copy_range().  COPY is answered when it ends within about a
 * second; one that takes longer goes on behind a copy stateid when the client can be
 * called back, and else is stopped and answered with what it has copied.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nfsd/copy.h"
#include "nfsd/export.h"

/* Source and destination of both operations, checked. */
struct pair {
	struct io *in, *out;
	uint64_t size; /* of the source */
	struct statx dst;
	bool same_file, same_mount;
};

static uint32_t regular(struct compound *c, struct obj *obj, struct statx *stx)
{
	const struct statx *seen;
	uint32_t status = obj->node ? NFS4ERR_WRONG_TYPE : NFS4_OK;

	obj_changed(obj);
	if (!status)
		status = obj_stat(c, obj, &seen);
	if (status)
		return status;
	*stx = *seen;
	return S_ISREG(stx->stx_mode) ? NFS4_OK : NFS4ERR_WRONG_TYPE;
}

static void pair_put(struct pair *p)
{
	io_put(p->in);
	io_put(p->out);
}

static uint32_t pair_get(struct compound *c, const struct nfs4_stateid *src,
			 const struct nfs4_stateid *dst, struct pair *p)
{
	struct nfs4_stateid from_id;
	struct statx from;
	uint32_t status = regular(c, c->saved, &from);

	p->in = p->out = NULL;
	if (!status)
		status = regular(c, c->cur, &p->dst);
	if (!status)
		status = stateid_resolve(c, true, src, &from_id);
	if (!status)
		status = io_for(c, c->saved, &from_id, false, &p->in);
	if (!status)
		status = io_for(c, c->cur, dst, true, &p->out);
	if (status) {
		pair_put(p);
		return status;
	}
	p->size = from.stx_size;
	p->same_file = c->saved->fh.len == c->cur->fh.len &&
		       !memcmp(c->saved->fh.data, c->cur->fh.data, c->cur->fh.len);
	p->same_mount = cr_file_id(p->in->file)->mount == cr_file_id(p->out->file)->mount;
	return NFS4_OK;
}

static bool same_file(const struct pair *p)
{
	const struct file_id *a = cr_file_id(p->in->file), *b = cr_file_id(p->out->file);

	return p->same_file || (a->dev == b->dev && a->ino == b->ino);
}

/* Of the source: nothing beyond its end.  count 0: all up to it. */
static uint32_t range(const struct pair *p, uint64_t src, uint64_t dst, uint64_t *count)
{
	if (src > p->size || *count > p->size - src)
		return NFS4ERR_INVAL;
	if (!*count)
		*count = p->size - src;
	return dst > INT64_MAX || *count > INT64_MAX - dst ? NFS4ERR_FBIG : NFS4_OK;
}

/* The list ---------------------------------------------------------------------- */

int copies_start(struct nfsd *s)
{
	pthread_condattr_t attr;

	s->copies = calloc(1, sizeof(*s->copies));
	if (!s->copies)
		return -ENOMEM;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->copies->done, &attr);
	pthread_condattr_destroy(&attr);
	return 0;
}

void acopy_get(struct acopy *a)
{
	a->refs++;
}

void acopy_put(struct acopy *a)
{
	if (--a->refs)
		return;
	io_put(a->in);
	io_put(a->out);
	free(a);
}

void acopy_unlist(struct acopy *a)
{
	struct acopy **at = &a->s->copies->list;

	if (!a->listed)
		return;
	a->listed = false;
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	acopy_put(a);
}

unsigned copies_of(struct nfsd *s, uint64_t clientid)
{
	unsigned n = 0;

	for (const struct acopy *a = s->copies->list; a; a = a->next)
		n += a->clientid == clientid && !a->orphan;
	return n;
}

static bool works(const struct acopy *a)
{
	return a->job || a->far;
}

static void work_stop(struct acopy *a)
{
	if (a->far)
		far_stop(a->far);
	else if (a->job)
		cr_job_stop(a->job);
}

/* Who does a copy. */
struct work {
	struct copy_job *job;
	struct far *far;
};

/* Taken from @a: with the lock held where others may see it. */
static struct work work_take(struct acopy *a)
{
	struct work work = {a->job, a->far};

	a->job = NULL;
	a->far = NULL;
	return work;
}

/* To be called without the lock unless it is done. */
static int work_wait(const struct work *work, struct copy_result *res)
{
	return work->far ? far_wait(work->far, res) : cr_job_wait(work->job, res);
}

/* They are stopped; those that still run are forgotten when they have ended. */
void copies_drop(struct nfsd *s, uint64_t clientid)
{
	for (struct acopy *a = s->copies ? s->copies->list : NULL; a; a = a->next) {
		if (a->clientid != clientid)
			continue;
		a->orphan = true;
		if (!a->done)
			work_stop(a);
	}
}

void acopy_cancel(struct acopy *a)
{
	a->cancelled = true;
	if (!a->done)
		work_stop(a);
}

void copy_done(void *arg, int err, const struct copy_result *res)
{
	struct acopy *a = arg;
	struct nfsd *s = a->s;

	file_changed(s, a->out->file);
	pthread_mutex_lock(&s->lock);
	a->done = true;
	a->err = err;
	a->res = *res;
	if (a->clientid && !a->orphan && !a->cancelled)
		cb_offload(s, a);
	pthread_cond_broadcast(&s->copies->done);
	pthread_mutex_unlock(&s->lock);
}

/* The thread of a copy that is done is at its end: it does not take the lock again. */
static void reap(struct acopy *a)
{
	struct copy_result res;
	struct work work;

	if (!works(a) || !a->done)
		return;
	work = work_take(a);
	work_wait(&work, &res);
}

void copies_tick(struct nfsd *s)
{
	struct acopy *a, *next;

	pthread_mutex_lock(&s->lock);
	for (a = s->copies->list; a; a = next) {
		next = a->next;
		reap(a);
		if (!works(a) && !a->sending && (a->orphan || a->cancelled))
			acopy_unlist(a);
	}
	notify_tick(s);
	pthread_mutex_unlock(&s->lock);
	copies_kick(s);
}

void copies_kick(struct nfsd *s)
{
	pthread_mutex_lock(&s->lock);
	for (struct acopy *a = s->copies->list; a; a = a->next)
		if (a->done && !a->sending && !a->orphan && !a->cancelled)
			cb_offload(s, a);
	pthread_mutex_unlock(&s->lock);
}

void copies_stop(struct nfsd *s)
{
	struct copy_result res;
	struct work work;
	struct acopy *a;

	if (!s->copies)
		return;
	pthread_mutex_lock(&s->lock);
	while ((a = s->copies->list)) {
		a->orphan = true;
		a->listed = false; /* the list's reference is ours */
		s->copies->list = a->next;
		if (works(a)) {
			work_stop(a);
			work = work_take(a); /* nobody else waits for it then */
			pthread_mutex_unlock(&s->lock);
			work_wait(&work, &res);
			pthread_mutex_lock(&s->lock);
		}
		acopy_put(a);
	}
	pthread_mutex_unlock(&s->lock);
}

#define TRIES_MAX 30u

/* What the client made of CB_OFFLOAD. */
void acopy_told(struct acopy *a, uint32_t status)
{
	a->sending = false;
	switch (status) {
	case NFS4ERR_CB_PATH_DOWN: /* again on the next connection */
		break;
	case NFS4ERR_DELAY:
		if (++a->tries < TRIES_MAX)
			break;
		__attribute__((fallthrough));
	default: /* taken, or the client does not know of it */
		reap(a);
		a->cancelled = true;
		assert(a->refs > (a->listed ? 1u : 0u)); /* the callback's own, and the list's */
		if (!works(a))
			acopy_unlist(a);
	}
	acopy_put(a);
}

uint32_t acopy_status(const struct acopy *a)
{
	if (!a->err || a->res.bytes)
		return NFS4_OK;
	return a->in ? nfsd_status(a->err) : far_status(a->err);
}

/* COPY -------------------------------------------------------------------------- */

static struct acopy *acopy_new(struct compound *c, const struct pair *p)
{
	struct acopy *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->s = c->s;
	a->refs = 1;
	a->in = p->in;
	a->out = p->out;
	a->dst = c->cur->fh;
	put_write_verf(c->s, a->verf);
	return a;
}

/* With the lock held: until it is done, but not longer than is good for a reply. */
static void wait_for(struct acopy *a)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += a->s->opt.copy_wait / 1000;
	end.tv_nsec += a->s->opt.copy_wait % 1000 * 1000000l;
	if (end.tv_nsec >= 1000000000l) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000l;
	}
	/* Half of the workers at most: the others have other things to do. */
	if (a->s->copies->waiting >= (a->s->opt.workers + 1) / 2)
		return;
	a->s->copies->waiting++;
	while (!a->done)
		if (pthread_cond_timedwait(&a->s->copies->done, &a->s->lock, &end))
			break;
	a->s->copies->waiting--;
}

static bool may_go_on(struct compound *c, const struct nfs4_copy_args *a)
{
	unsigned n = 0;

	if (a->synchronous || c->copies || c->client->gone)
		return false;
	for (const struct acopy *other = c->s->copies->list; other; other = other->next)
		n++;
	if (n >= COPIES_MAX || copies_of(c->s, c->client->id) >= COPIES_CLIENT_MAX)
		return false;
	for (const struct session *ss = c->client->sessions; ss; ss = ss->of_client)
		if (ss->cb_conn)
			return true;
	return false;
}

static void enlist(struct compound *c, struct acopy *a)
{
	struct copies *all = c->s->copies;

	a->clientid = c->client->id;
	a->id.seqid = 1;
	memcpy(a->id.other, &c->s->boot, 4);
	all->next_id++;
	memcpy(a->id.other + 4, &all->next_id, 8);
	a->id.other[11] |= 0x80; /* no number of an open or a lock gets there */
	a->next = all->list;
	all->list = a;
	a->listed = true;
	c->copies++;
}

static void result(const struct acopy *a, struct nfs4_copy_res *r)
{
	memset(r, 0, sizeof(*r));
	r->write.count = a->res.bytes;
	r->write.committed = UNSTABLE4;
	memcpy(r->write.verf, a->verf, sizeof(a->verf));
	r->consecutive = r->synchronous = true;
}

/* Stopped if need be: what was copied up to then. */
static uint32_t end_now(struct acopy *a, struct nfs4_copy_res *r)
{
	struct work work;
	int err;

	work_stop(a);
	work = work_take(a);
	err = work_wait(&work, &a->res);
	result(a, r);
	if (a->res.bytes)
		return NFS4_OK;
	if (!a->in && err)
		return far_status(err);
	if (err == -EOPNOTSUPP || err == -EXDEV)
		return NFS4ERR_OFFLOAD_DENIED;
	if (!err && a->res.stopped)
		return NFS4ERR_DELAY; /* not a byte in a second */
	return nfsd_status(err);
}

static uint32_t copy(struct compound *c, const struct nfs4_copy_args *args, struct acopy *a,
		     struct nfs4_copy_res *r)
{
	pthread_mutex_lock(&c->s->lock);
	wait_for(a);
	if (!a->done && may_go_on(c, args)) {
		enlist(c, a);
		memset(r, 0, sizeof(*r));
		r->write.async = true;
		r->write.callback = a->id;
		memcpy(r->write.verf, a->verf, sizeof(a->verf));
		r->consecutive = true;
		pthread_mutex_unlock(&c->s->lock);
		return NFS4_OK;
	}
	pthread_mutex_unlock(&c->s->lock);
	return end_now(a, r);
}

/* The work is under way, unless @status says why not: its reply. */
static uint32_t answer(struct compound *c, const struct nfs4_copy_args *args, struct acopy *a,
		       uint32_t status, struct nfs4_copy_res *r)
{
	obj_changed(c->cur);
	if (!status)
		status = copy(c, args, a, r);
	if (!status && r->write.async) /* it is the list's, and may have ended already */
		return status;
	pthread_mutex_lock(&c->s->lock);
	acopy_put(a);
	pthread_mutex_unlock(&c->s->lock);
	return status;
}

static uint32_t copy_here(struct compound *c, const struct nfs4_copy_args *ca,
			  struct nfs4_copy_res *r)
{
	struct copy_req req = {.pos_in = (int64_t)ca->src_offset,
			       .pos_out = (int64_t)ca->dst_offset};
	struct acopy *a;
	struct pair p;
	uint64_t count = ca->count;
	uint32_t status = pair_get(c, &ca->src, &ca->dst, &p);
	int err;

	if (status)
		return status;
	status = same_file(&p) ? NFS4ERR_INVAL : range(&p, ca->src_offset, ca->dst_offset, &count);
	a = status ? NULL : acopy_new(c, &p);
	if (!a) {
		pair_put(&p);
		return status ? status : NFS4ERR_DELAY;
	}
	req.in = p.in->file;
	req.out = p.out->file;
	req.len = count;
	req.progress = &a->progress;
	cred_caller(c, c->cur); /* the copy's threads have the ids of this one */
	err = cr_job_start(&req, copy_done, a, &a->job);
	return answer(c, ca, a, err ? NFS4ERR_DELAY : NFS4_OK, r);
}

/* From another server: the saved filehandle is that one's, and so is the source's stateid. */
static uint32_t copy_far(struct compound *c, const struct nfs4_copy_args *ca,
			 struct nfs4_copy_res *r)
{
	struct pair p = {.in = NULL};
	struct acopy *a;
	uint32_t status = regular(c, c->cur, &p.dst);

	if (!status)
		status = io_for(c, c->cur, &ca->dst, true, &p.out);
	if (status)
		return status;
	a = acopy_new(c, &p);
	if (!a) {
		pair_put(&p);
		return NFS4ERR_DELAY;
	}
	return answer(c, ca, a, far_start(c, ca, a), r);
}

uint32_t op_copy(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfs4_copy_args *ca = &args->copy;

	if (!ca->source.n)
		return c->saved->foreign ? NFS4ERR_BADHANDLE : copy_here(c, ca, &res->copy);
	return c->s->opt.inter ? copy_far(c, ca, &res->copy) : NFS4ERR_OFFLOAD_DENIED;
}

/* CLONE ------------------------------------------------------------------------- */

static uint32_t aligned(const struct pair *p, const struct nfs4_clone_args *a, uint64_t count)
{
	uint64_t block = p->dst.stx_blksize;

	if (block < 512 || block > 65536)
		block = 4096;
	if (a->src_offset % block || a->dst_offset % block)
		return NFS4ERR_INVAL;
	if (count % block && a->src_offset + count != p->size)
		return NFS4ERR_INVAL;
	if (same_file(p) && a->src_offset < a->dst_offset + count &&
	    a->dst_offset < a->src_offset + count)
		return NFS4ERR_INVAL;
	return NFS4_OK;
}

static uint32_t clone_pair(const struct pair *p, const struct nfs4_clone_args *a, uint64_t count)
{
	const struct copy_req req = {
		.in = p->in->file,
		.out = p->out->file,
		.pos_in = (int64_t)a->src_offset,
		.pos_out = (int64_t)a->dst_offset,
		.len = count,
		.flags = COPY_RANGE_CLONE_ONLY,
	};
	struct copy_result res;
	int err = count ? cr_copy_range(&req, &res) : 0;

	if (err == -EOPNOTSUPP || err == -EXDEV)
		return p->same_mount ? NFS4ERR_NOTSUPP : NFS4ERR_XDEV;
	if (!err && count && res.bytes != count)
		return NFS4ERR_INVAL; /* the source shrank meanwhile */
	return nfsd_status(err);
}

uint32_t op_clone(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfs4_clone_args *a = &args->clone;
	uint64_t count = a->count;
	struct pair p;
	uint32_t status = pair_get(c, &a->src, &a->dst, &p);

	if (status)
		return status;
	status = range(&p, a->src_offset, a->dst_offset, &count);
	if (!status)
		status = aligned(&p, a, count);
	cred_caller(c, c->cur);
	if (!status)
		status = clone_pair(&p, a, count);
	file_changed(c->s, p.out->file);
	pair_put(&p);
	obj_changed(c->cur);
	return status;
}
