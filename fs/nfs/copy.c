// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * copy.c - the server copies: CLONE and COPY (RFC 7862 sections 4 and 15).
 *
 * A COPY is answered at once, or with a stateid when the server goes on by itself.
 * Then its end is told by CB_OFFLOAD; as callbacks get lost, OFFLOAD_STATUS is asked
 * too.  A copy whose outcome nobody knows any more is done again from its start:
 * that changes nothing where it had been done.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/nfs/nfs.h"

#define SYNC_MAX   ((uint64_t)1 << 20) /* up to here the server should answer at once */
#define POLL_FIRST 500u		       /* ms until a copy is asked after, then twice as long ... */
#define POLL_MAX   5000u
#define POLL_SHOWN 1000u /* the most while somebody looks at the progress */
#define TICK_MS	   50u
#define REDRIVES   5u

/* An asynchronous copy that runs: of clp->lock. */
struct nfs_copy {
	struct nfs_copy *next;
	struct nfs4_stateid stateid;
	pthread_cond_t cond;
	bool done;
	struct nfs_offload result;
};

/* A copy to be made: within a server, or (grant) from another one. */
struct drive {
	const struct copy_req *req;
	const struct nfs_grant *grant; /* NULL: none */
	enum copy_strategy_id s;
};

int nfs_refuse(struct copy_result *res, enum copy_strategy_id s, const char *reason, int error,
	       enum copy_scope scope)
{
	return decline(res, s, (struct copy_why){.reason = reason, .error = error, .scope = scope});
}

/* Before the server is asked.  0, or decline()d. */
static int same_session(const struct copy_req *req, struct copy_result *res,
			enum copy_strategy_id s)
{
	struct nfs_file *in = nfs_of(req->in), *out = nfs_of(req->out);

	if (in->clp != out->clp)
		return nfs_refuse(res, s, "source and destination are on different NFS servers",
				  EXDEV, COPY_THIS_PAIR);
	if (in->clp->minor < 2)
		return nfs_refuse(res, s, "the server speaks NFS 4.1, which has no copying",
				  EOPNOTSUPP, COPY_THIS_MOUNT);
	if (!in->open || !out->open)
		return nfs_refuse(res, s, "the file is not open for data", EBADF, COPY_THIS_FILE);
	return 0;
}

/* What a status of CLONE or COPY says to the core. */
static int verdict(struct copy_result *res, enum copy_strategy_id s, uint32_t status)
{
	bool clone = s == COPY_CLONE;

	if (s == COPY_GRANT)
		return nfs_grant_verdict(res, status);
	switch (status) {
	case NFS4ERR_NOTSUPP:
	case NFS4ERR_OP_ILLEGAL:
		return nfs_refuse(
			res, s,
			clone ? "the NFS server cannot share blocks (NFS4ERR_NOTSUPP)"
			      : "the NFS server does not copy by itself (NFS4ERR_NOTSUPP)",
			EOPNOTSUPP, COPY_THIS_MOUNT);
	case NFS4ERR_XDEV:
		return nfs_refuse(
			res, s,
			"the NFS server says that the files are on different file systems "
			"(NFS4ERR_XDEV)",
			EXDEV, COPY_THIS_PAIR);
	case NFS4ERR_OFFLOAD_DENIED:
		return nfs_refuse(
			res, s, "the NFS server refuses to copy this file (NFS4ERR_OFFLOAD_DENIED)",
			EOPNOTSUPP, COPY_THIS_FILE);
	case NFS4ERR_OFFLOAD_NO_REQS:
		return nfs_refuse(res, s,
				  "the NFS server cannot copy as it was asked to "
				  "(NFS4ERR_OFFLOAD_NO_REQS)",
				  EOPNOTSUPP, COPY_THIS_FILE);
	case NFS4ERR_WRONG_TYPE:
	case NFS4ERR_INVAL:
		return nfs_refuse(res, s, "the NFS server refuses this range (NFS4ERR_INVAL)",
				  EINVAL, COPY_THIS_RANGE);
	default:
		return nfs4_status_errno(status);
	}
}

static void two_files(struct nfs_req *req, const struct nfs4_fh *in, struct nfs_file *out)
{
	static struct nfs4_void none;

	nfs_begin(req, out->clp);
	req->once = true;
	nfs_add(req, OP_PUTFH, (void *)in, &none);
	nfs_add(req, OP_SAVEFH, &none, &none);
	nfs_add(req, OP_PUTFH, &out->fh, &none);
}

/* The stateids that a request goes out with. */
struct used {
	struct nfs_file *in, *out; /* in NULL: the source's stateid is a grant */
	struct nfs4_stateid src, dst;
	unsigned tries;
};

static void use(struct used *used, const struct copy_req *req)
{
	used->in = nfs_of(req->in);
	used->out = nfs_of(req->out);
	used->src = nfs_stateid(used->in);
	used->dst = nfs_stateid(used->out);
}

/* Either file's may be the one that the server has forgotten. */
static bool either_again(struct used *used, uint32_t status, int *err)
{
	unsigned tries = used->tries;

	if (!used->in)
		return nfs_state_again(used->out, &used->dst, status, &used->tries, err);
	return nfs_state_again(used->in, &used->src, status, &tries, err) &&
	       nfs_state_again(used->out, &used->dst, status, &used->tries, err);
}

/* The part of the request that CLONE takes: whole blocks, or up to the end of the source. */
static uint64_t clone_len(const struct copy_req *req, uint64_t block, struct copy_result *res,
			  int *err)
{
	uint64_t in = (uint64_t)req->pos_in, out = (uint64_t)req->pos_out, len = req->len;
	struct copy_why why = {.error = EINVAL, .scope = COPY_THIS_RANGE};
	struct statx stx;

	*err = 0;
	if (in % block != out % block) {
		why.reason = "source and destination lie differently in their blocks";
		*err = decline(res, COPY_CLONE, why);
	} else if (in % block) {
		why.reason = "the range does not begin at a block";
		why.after = block - in % block;
		*err = decline(res, COPY_CLONE, why);
	} else if (len % block) {
		*err = nfs_getattr(req->in, NULL, &stx);
		if (!*err && in + len < stx.stx_size)
			len -= len % block;
		if (!*err && !len) {
			why.reason = "the range is shorter than a block";
			*err = decline(res, COPY_CLONE, why);
		}
	}
	return len;
}

int nfs_clone_range(const struct copy_req *creq, struct copy_result *res)
{
	struct nfs_file *in = nfs_of(creq->in), *out = nfs_of(creq->out);
	struct nfs4_clone_args args = {.src_offset = (uint64_t)creq->pos_in,
				       .dst_offset = (uint64_t)creq->pos_out};
	struct used used = {.tries = 0};
	struct nfs4_void none;
	struct nfs_req req;
	bool again;
	int err = same_session(creq, res, COPY_CLONE);

	if (err || !creq->len)
		return err;
	args.count = clone_len(creq, out->fs->clone_block, res, &err);
	if (err)
		return err;
	do {
		use(&used, creq);
		args.src = used.src;
		args.dst = used.dst;
		two_files(&req, &in->fh, out);
		req.stop = creq->stop;
		nfs_add(&req, OP_CLONE, &args, &none);
		err = nfs_call(&req);
		nfs_end(&req);
		again = !err && either_again(&used, req.status, &err);
	} while (again);
	if (err || req.status)
		return err ? err : verdict(res, COPY_CLONE, req.status);
	nfs_touched(out, &(struct nfs_span){args.dst_offset, args.dst_offset + args.count},
		    req.boots);
	res->bytes = args.count;
	return 0;
}

/* nfs_offload_done - a copy has ended; false: nobody knows it.  On the loop's thread. */
bool nfs_offload_done(struct nfs_client *clp, const struct nfs_offload *off)
{
	struct nfs_copy *copy;
	bool known;

	pthread_mutex_lock(&clp->lock);
	for (copy = clp->copies; copy; copy = copy->next)
		if (!memcmp(&copy->stateid, &off->stateid, sizeof(off->stateid)))
			break;
	if (copy) {
		copy->result = *off;
		copy->done = true;
		pthread_cond_broadcast(&copy->cond);
	}
	known = copy;
	/* Its COPY has not been answered yet, as far as we have seen. */
	if (!copy && clp->copies_starting && clp->nearly < NFS_EARLY) {
		clp->early[clp->nearly++] = *off;
		known = true;
	}
	pthread_mutex_unlock(&clp->lock);
	return known;
}

static void copy_add(struct nfs_client *clp, struct nfs_copy *copy)
{
	pthread_mutex_lock(&clp->lock);
	copy->next = clp->copies;
	clp->copies = copy;
	for (unsigned i = 0; i < clp->nearly; i++)
		if (!memcmp(&clp->early[i].stateid, &copy->stateid, sizeof(copy->stateid))) {
			copy->result = clp->early[i];
			copy->done = true;
		}
	pthread_mutex_unlock(&clp->lock);
}

static void copy_del(struct nfs_client *clp, struct nfs_copy *copy)
{
	struct nfs_copy **at;

	pthread_mutex_lock(&clp->lock);
	for (at = &clp->copies; *at != copy;)
		at = &(*at)->next;
	*at = copy->next;
	pthread_mutex_unlock(&clp->lock);
	pthread_cond_destroy(&copy->cond);
}

static void cancel(struct nfs_file *out, const struct nfs4_stateid *stateid)
{
	struct nfs4_stateid_args args = {*stateid};
	struct nfs4_void none;
	struct nfs_req req;

	nfs_begin(&req, out->clp);
	nfs_add(&req, OP_PUTFH, &out->fh, &none);
	nfs_add(&req, OP_OFFLOAD_CANCEL, &args, &none);
	nfs_call(&req);
	nfs_end(&req);
}

/* What OFFLOAD_STATUS says: 1 the copy has ended, 0 it runs, -EAGAIN nobody knows it any more. */
static int ask_after(struct nfs_file *out, struct nfs_copy *copy, struct nfs_offload *end)
{
	struct nfs4_stateid_args args = {copy->stateid};
	struct nfs4_offload_status_res res;
	struct nfs4_void none;
	struct nfs_req req;
	int err;

	nfs_begin(&req, out->clp);
	nfs_add(&req, OP_PUTFH, &out->fh, &none);
	nfs_add(&req, OP_OFFLOAD_STATUS, &args, &res);
	err = nfs_call(&req);
	nfs_end(&req);
	if (err)
		return err;
	if (req.status == NFS4ERR_NOTSUPP || req.status == NFS4ERR_OP_ILLEGAL) {
		out->fs->no_copy_status = true;
		return 0;
	}
	if (req.status)
		return -EAGAIN;
	end->write = (struct nfs4_write_response){.count = res.count, .committed = UNSTABLE4};
	end->status = res.status;
	return res.complete;
}

enum { COPY_TOLD, COPY_ASKED, COPY_UNKNOWN, COPY_STOPPED };

static bool stop_set(const struct copy_req *req)
{
	return req->stop && __atomic_load_n(req->stop, __ATOMIC_RELAXED);
}

/* Live figures while a copy runs; what ended is accounted for by the core, all of it. */
static void show(const struct copy_req *req, uint64_t *shown, uint64_t now)
{
	if (req->progress)
		__atomic_fetch_add(&req->progress->bytes, now - *shown, __ATOMIC_RELAXED);
	*shown = now;
}

static bool told(struct nfs_client *clp, struct nfs_copy *copy, struct nfs_offload *end)
{
	bool done;

	pthread_mutex_lock(&clp->lock);
	if (!copy->done)
		nfs_cond_wait(&copy->cond, &clp->lock, TICK_MS);
	done = copy->done;
	if (done)
		*end = copy->result;
	pthread_mutex_unlock(&clp->lock);
	return done;
}

/* The end of a copy that runs: COPY_*, or an error. */
static int await(const struct copy_req *req, struct nfs_copy *copy, struct nfs_offload *end,
		 uint64_t *shown)
{
	struct nfs_file *out = nfs_of(req->out);
	uint64_t began = ev_now(), next = began + POLL_FIRST, wait = POLL_FIRST;
	const uint64_t most = req->progress ? POLL_SHOWN : POLL_MAX;

	for (;;) {
		int r;

		if (told(out->clp, copy, end))
			return COPY_TOLD;
		if (stop_set(req)) {
			cancel(out, &copy->stateid);
			return COPY_STOPPED;
		}
		if (ev_now() < next)
			continue;
		if (out->fs->no_copy_status) {
			/* Such a server's callback is all there is. */
			if (ev_now() > began + 1000ull * out->clp->url.timeout)
				return -ETIMEDOUT;
			continue;
		}
		r = ask_after(out, copy, end);
		if (r == 1)
			return told(out->clp, copy, end) ? COPY_TOLD : COPY_ASKED;
		if (r == -EAGAIN) /* its callback may be on the way just now */
			return told(out->clp, copy, end) ? COPY_TOLD : COPY_UNKNOWN;
		if (r < 0)
			return r;
		if (!out->fs->no_copy_status && end->write.count <= req->len)
			show(req, shown, end->write.count);
		wait = wait * 2 < most ? wait * 2 : most;
		next = ev_now() + wait;
	}
}

/* One COPY: its answer in @res; the stateids are those of the files as they are now. */
static int send_copy(const struct drive *d, bool sync, struct nfs_req *req,
		     struct nfs4_copy_res *res)
{
	const struct copy_req *creq = d->req;
	struct nfs_file *out = nfs_of(creq->out);
	const struct nfs4_fh *from = d->grant ? &d->grant->fh : &nfs_of(creq->in)->fh;
	struct nfs4_copy_args args = {.src_offset = (uint64_t)creq->pos_in,
				      .dst_offset = (uint64_t)creq->pos_out,
				      .count = creq->len,
				      .consecutive = true,
				      .synchronous = sync};
	struct used used = {.tries = 0};
	bool again;
	int err;

	if (d->grant)
		nfs_grant_locs(d->grant, &args.source);
	do {
		use(&used, creq);
		if (d->grant) {
			used.in = NULL;
			used.src = d->grant->stateid;
		}
		args.src = used.src;
		args.dst = used.dst;
		two_files(req, from, out);
		req->stop = creq->stop;
		nfs_add(req, OP_COPY, &args, res);
		err = nfs_call(req);
		nfs_end(req);
		again = !err && either_again(&used, req->status, &err);
		/* The server says what it would do instead: it is asked for that, once. */
		if (!err && req->status == NFS4ERR_OFFLOAD_NO_REQS && !used.tries &&
		    (args.synchronous != res->synchronous || !res->consecutive)) {
			args.synchronous = res->synchronous;
			args.consecutive = res->consecutive;
			used.tries = NFS_TRIES;
			again = true;
		}
	} while (again);
	return err;
}

/* What has been copied counts; how much the server may still lose is told by its verifier. */
static int took(const struct drive *d, struct copy_result *res, const struct nfs4_write_response *w,
		bool have_verf, uint32_t boots)
{
	struct nfs_file *out = nfs_of(d->req->out);
	const struct nfs_span span = {(uint64_t)d->req->pos_out,
				      (uint64_t)d->req->pos_out + w->count};

	if (w->count > d->req->len)
		return -EREMOTEIO;
	if (!w->count)
		return nfs_refuse(res, d->s, "the NFS server copied nothing", EIO, COPY_THIS_RANGE);
	if (have_verf)
		nfs_wrote(out, &span, w->committed, w->verf);
	else
		nfs_touched(out, &span, boots);
	res->bytes = w->count;
	return 0;
}

/* 1: once more. */
static int asynchronous(const struct drive *d, struct copy_result *res,
			const struct nfs4_copy_res *started, uint32_t boots)
{
	struct nfs_client *clp = nfs_of(d->req->out)->clp;
	struct nfs_copy copy = {.stateid = started->write.callback};
	struct nfs_offload end = {.status = NFS4_OK};
	uint64_t shown = 0;
	int how;

	nfs_cond_init(&copy.cond);
	copy_add(clp, &copy);
	how = await(d->req, &copy, &end, &shown);
	copy_del(clp, &copy);
	show(d->req, &shown, 0);
	switch (how) {
	case COPY_UNKNOWN:
		return 1;
	case COPY_STOPPED:
		return -ECANCELED;
	case COPY_TOLD:
	case COPY_ASKED:
		if (end.status)
			return verdict(res, d->s, end.status);
		return took(d, res, &end.write, how == COPY_TOLD, boots);
	default:
		return how;
	}
}

static void starting(struct nfs_client *clp, bool on)
{
	pthread_mutex_lock(&clp->lock);
	if (on)
		clp->copies_starting++;
	else if (!--clp->copies_starting)
		clp->nearly = 0;
	pthread_mutex_unlock(&clp->lock);
}

/* The handle of another server's file is refused by who does not expect one. */
static uint32_t foreign(const struct drive *d, const struct nfs_req *req)
{
	return d->grant && req->done <= 2 ? NFS4ERR_NOTSUPP : req->status;
}

static int drive(const struct drive *d, struct copy_result *res)
{
	struct nfs_client *clp = nfs_of(d->req->out)->clp;
	struct nfs4_copy_res answer = {.synchronous = false};
	struct nfs_req req;
	int err;

	starting(clp, true);
	err = send_copy(d, d->req->len <= SYNC_MAX, &req, &answer);
	if (!err && !req.status && answer.write.async)
		err = asynchronous(d, res, &answer, req.boots);
	else if (!err && !req.status)
		err = took(d, res, &answer.write, true, req.boots);
	else if (!err)
		err = verdict(res, d->s, foreign(d, &req));
	starting(clp, false);
	if (err == -EINTR && stop_set(d->req))
		err = -ECANCELED;
	return err;
}

static int drive_on(const struct drive *d, struct copy_result *res)
{
	for (unsigned i = 0; i < REDRIVES; i++) {
		int err = drive(d, res);

		if (err != 1)
			return err;
	}
	return nfs_refuse(res, d->s, "the NFS server forgot the copy again and again", EIO,
			  COPY_THIS_FILE);
}

int nfs_copy_range(const struct copy_req *req, struct copy_result *res)
{
	const struct drive d = {.req = req, .s = COPY_OFFLOAD};
	int err = same_session(req, res, COPY_OFFLOAD);

	if (err)
		return err;
	if (req->in->id.ino == req->out->id.ino && req->in->id.dev == req->out->id.dev)
		return nfs_refuse(res, COPY_OFFLOAD, "NFS servers copy no file into itself", EINVAL,
				  COPY_THIS_FILE);
	return req->len ? drive_on(&d, res) : 0;
}

/* nfs_redeem - the destination's server copies from the one that made the grant */
int nfs_redeem(const struct copy_req *req, const struct copy_grant *grant, struct copy_result *res)
{
	const struct drive d = {.req = req, .grant = nfs_grant_of(grant), .s = COPY_GRANT};

	return drive_on(&d, res);
}
