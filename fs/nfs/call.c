// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * call.c - a COMPOUND in a slot of the session: RFC 8881 section 2.10.6.
 *
 * A request keeps its slot and its sequence number until the server has answered it,
 * over as many connections as that takes: so the server does it once.  Only a server
 * that has lost the session (BADSESSION) makes it uncertain whether the request was
 * done, and the caller is told.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/nfs/nfs.h"

#define BUF_SIZE    16384u
#define REPLY_MS    60000u /* without a reply for so long, the connection is given up */
#define TICK_MS	    100u
#define GRACE_MS    2000u /* after the stop flag, for what has to be tidied up */
#define STALL_MS    8000u /* the same while the server says nothing at all: it may come to itself */
#define LAST_TRY_MS 2000u /* for what begins when the server has been gone for too long */
#define DELAY_MIN   50u
#define DELAY_MAX   5000u

/* Of the caller and of the connection: the later one frees it. */
struct nfs_wait {
	atomic_uint refs;
	struct nfs_client *clp;
	pthread_cond_t cond;
	bool done;
	int err;
	struct rpc_rec *rec;
	struct xdr x;
};

void nfs_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

void nfs_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, unsigned ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(cond, lock, &ts);
}

/* The user wants an end: what began at @since has had its time. clp->lock is held. */
bool nfs_gives_up(struct nfs_client *clp, uint64_t since, const int *stop)
{
	const int *all = clp->room->stop;
	uint64_t now;

	if (clp->ending)
		return true;
	if (!(all && __atomic_load_n(all, __ATOMIC_RELAXED)) &&
	    !(stop && __atomic_load_n(stop, __ATOMIC_RELAXED)))
		return false;
	now = ev_now();
	if (!clp->stopped_at)
		clp->stopped_at = now;
	if (now <= clp->stopped_at + GRACE_MS)
		return false;
	return now > (clp->heard < clp->stopped_at ? clp->stopped_at + STALL_MS : since + GRACE_MS);
}

/* 0, or -EINTR: see nfs_gives_up() */
int nfs_sleep(struct nfs_client *clp, uint64_t since, unsigned ms, const int *stop)
{
	uint64_t until = ev_now() + ms;
	int err = 0;

	pthread_mutex_lock(&clp->lock);
	while (!err && ev_now() < until) {
		unsigned left = (unsigned)(until - ev_now());

		if (nfs_gives_up(clp, since, stop))
			err = -EINTR;
		else
			nfs_cond_wait(&clp->changed, &clp->lock, left < TICK_MS ? left : TICK_MS);
	}
	pthread_mutex_unlock(&clp->lock);
	return err;
}

/* How long to wait for one reply: several attempts fit into the URL's timeout. */
uint32_t nfs_patience(const struct nfs_client *clp, uint32_t most)
{
	uint32_t ms = 1000 * clp->url.timeout / 3;

	return ms < most ? ms : most;
}

void nfs_begin(struct nfs_req *req, struct nfs_client *clp)
{
	req->clp = clp;
	req->n = req->done = 0;
	req->status = NFS4_OK;
	req->once = req->uncertain = false;
	req->stop = NULL;
	req->rec = NULL;
}

void nfs_add(struct nfs_req *req, uint32_t op, void *args, void *res)
{
	if (req->n < NFS_REQ_OPS)
		req->op[req->n] = (struct nfs_op){op, 0, args, res};
	req->n++;
}

void nfs_end(struct nfs_req *req)
{
	rpc_rec_put(req->rec);
	req->rec = NULL;
}

static void wait_put(struct nfs_wait *w)
{
	if (atomic_fetch_sub(&w->refs, 1) != 1)
		return;
	rpc_rec_put(w->rec);
	pthread_cond_destroy(&w->cond);
	free(w);
}

static void replied(void *arg, int err, struct xdr *reply, struct rpc_rec *rec)
{
	struct nfs_wait *w = arg;
	struct nfs_client *clp = w->clp;

	pthread_mutex_lock(&clp->lock);
	w->err = err;
	if (!err) {
		clp->heard = ev_now();
		rpc_rec_get(rec);
		w->rec = rec;
		w->x = *reply;
	}
	w->done = true;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&clp->lock);
	wait_put(w);
}

/* lock is held */
static int wait_reply(struct nfs_wait *w, const struct nfs_req *req, uint64_t since)
{
	while (!w->done) {
		if (nfs_gives_up(w->clp, since, req->stop))
			return -EINTR;
		nfs_cond_wait(&w->cond, &w->clp->lock, TICK_MS);
	}
	return w->err;
}

static void encode(const struct nfs_req *req, struct xdr *x, struct nfs4_sequence_args *seq)
{
	struct nfs4_call_head head = {.minor = req->clp->minor};

	nfs4_call_begin(x, &head);
	if (seq)
		nfs4_put_op(x, &head, OP_SEQUENCE, seq);
	for (unsigned i = 0; i < req->n; i++)
		nfs4_put_op(x, &head, req->op[i].op, req->op[i].args);
	nfs4_call_end(x, &head);
}

struct nfs_try {
	struct nfs4_sequence_args *seq; /* NULL: outside of a session */
	struct nfs4_sequence_res res;
	uint32_t status; /* of SEQUENCE */
	uint32_t timeout_ms;
	uint64_t since;
	bool sent; /* the server may have got it */
};

/* The results of the operations. */
static int decode(struct nfs_req *req, struct nfs_wait *w, struct nfs_try *try)
{
	struct nfs4_reply_head head = {.cb = false};
	struct xdr *x = &w->x;
	bool in = try->seq != NULL;

	try->status = NFS4_OK;
	req->done = 0;
	nfs4_reply_begin(x, &head);
	req->status = head.status;
	if (in && !x->error && head.nres)
		try->status = nfs4_get_res(x, &head, OP_SEQUENCE, &try->res);
	else if (in)
		try->status = head.status ? head.status : NFS4ERR_BADXDR;
	if (x->error || try->status)
		return x->error;
	while (req->done < req->n && req->done + in < head.nres) {
		struct nfs_op *op = &req->op[req->done++];

		op->status = nfs4_get_res(x, &head, op->op, op->res);
		req->status = op->status;
		if (x->error || op->status)
			break;
	}
	if (!x->error && !req->status && (head.status || req->done < req->n))
		return -EBADMSG;
	if (!x->error && !req->done && req->n && !req->status)
		req->status = head.status;
	return x->error;
}

static int transmit(struct nfs_req *req, struct nfs_wait *w, struct rpc_conn *conn,
		    const struct nfs_try *try)
{
	const struct rpc_target to = {NFS4_PROGRAM, NFS4_VERSION, NFS4_PROC_COMPOUND,
				      &req->clp->cred};
	uint8_t *buf = malloc(BUF_SIZE);
	struct xdr x;
	int err;

	if (!buf)
		return -ENOMEM;
	xdr_encode(&x, buf, BUF_SIZE);
	rpc_call_begin(conn, &x, &to);
	encode(req, &x, try->seq);
	atomic_fetch_add(&w->refs, 1);
	err = rpc_call_send(conn, &x, try->timeout_ms, replied, w);
	if (err) /* nobody but the caller has it */
		atomic_fetch_sub(&w->refs, 1);
	free(buf);
	return err;
}

/* One request, one reply; 0: both statuses are set. */
static int once(struct nfs_req *req, struct nfs_try *try)
{
	struct nfs_client *clp = req->clp;
	struct nfs_wait *w = calloc(1, sizeof(*w));
	struct rpc_conn *conn;
	int err;

	try->sent = false;
	if (!w)
		return -ENOMEM;
	if (req->n > NFS_REQ_OPS) {
		free(w);
		return -EMSGSIZE;
	}
	atomic_init(&w->refs, 1);
	w->clp = clp;
	nfs_cond_init(&w->cond);
	pthread_mutex_lock(&clp->lock);
	conn = clp->conn;
	if (conn)
		rpc_conn_get(conn);
	pthread_mutex_unlock(&clp->lock);
	err = conn ? transmit(req, w, conn, try) : -ENOTCONN;
	if (!err) {
		try->sent = true;
		pthread_mutex_lock(&clp->lock);
		err = wait_reply(w, req, try->since);
		pthread_mutex_unlock(&clp->lock);
		if (err == -ETIMEDOUT)
			rpc_conn_close(conn);
	}
	if (!err) {
		err = decode(req, w, try);
		nfs_end(req);
		req->rec = w->rec;
		w->rec = NULL;
	}
	rpc_conn_put(conn);
	wait_put(w);
	return err;
}

/* nfs_call_bare - outside of the session, for those who make it */
int nfs_call_bare(struct nfs_req *req, uint32_t timeout_ms)
{
	struct nfs_try try = {.timeout_ms = timeout_ms, .since = ev_now()};

	return once(req, &try);
}

/* The session's slot 0, while nobody else uses it; a refused SEQUENCE is the request's status. */
int nfs_call_slot0(struct nfs_req *req, uint32_t timeout_ms)
{
	struct nfs_client *clp = req->clp;
	struct nfs4_sequence_args seq = {.seqid = clp->s.slot[0].seq};
	struct nfs_try try = {.seq = &seq, .timeout_ms = timeout_ms, .since = ev_now()};
	int err;

	memcpy(seq.sessionid, clp->s.id, sizeof(seq.sessionid));
	err = once(req, &try);
	if (err)
		return err;
	if (try.status)
		req->status = try.status;
	else
		clp->s.slot[0].seq++;
	return 0;
}

/* Where a request is on its way. */
struct nfs_trip {
	struct nfs_req *req;
	uint64_t since, until; /* ms; what the server refuses for now is tried until then */
	int slot;	       /* -1: none */
	uint32_t gen;	       /* of the session that the slot is of */
	bool sent;	       /* in this slot, without an answer */
	bool busy;	       /* the server asks for time */
	unsigned delay;
};

/* No server, and for too long: what was met last.  lock is held. */
static int given_up(const struct nfs_trip *trip)
{
	struct nfs_client *clp = trip->req->clp;
	uint64_t gone;

	if (nfs_gives_up(clp, trip->since, trip->req->stop))
		return -EINTR;
	gone = clp->heard + 1000ull * clp->url.timeout;
	if (gone < trip->since + LAST_TRY_MS)
		gone = trip->since + LAST_TRY_MS;
	if (ev_now() < gone)
		return 0;
	return clp->last_err ? clp->last_err : -ETIMEDOUT;
}

/* One thread brings back what was lost.  lock is held, and let go meanwhile. */
static void bring_back(struct nfs_client *clp)
{
	int err;

	clp->recovering = true;
	pthread_mutex_unlock(&clp->lock);
	err = nfs_recover(clp);
	if (err)
		nfs_sleep(clp, ev_now(), 500, NULL);
	pthread_mutex_lock(&clp->lock);
	clp->recovering = false;
	clp->last_err = err;
	pthread_cond_broadcast(&clp->changed);
}

static int free_slot(const struct nfs_session *s)
{
	for (unsigned i = 0; i < s->target && i < s->nslots; i++)
		if (!s->slot[i].busy)
			return (int)i;
	return -1;
}

/* Nobody will ever get off: a new session is all that helps. */
static bool all_left(const struct nfs_session *s)
{
	for (unsigned i = 0; i < s->target && i < s->nslots; i++)
		if (!s->slot[i].left)
			return false;
	return true;
}

static uint32_t highest_slot(const struct nfs_session *s)
{
	uint32_t high = 0;

	for (unsigned i = 0; i < s->nslots; i++)
		if (s->slot[i].busy)
			high = i;
	return high;
}

/* A session and a slot in it, the one it has if the session is still the same.  lock is held. */
static int board(struct nfs_trip *trip)
{
	struct nfs_client *clp = trip->req->clp;
	int err;

	while (!(err = given_up(trip))) {
		if (!clp->conn_up || !clp->session_up) {
			if (clp->recovering)
				nfs_cond_wait(&clp->changed, &clp->lock, TICK_MS);
			else
				bring_back(clp);
			continue;
		}
		if (trip->slot >= 0 && trip->gen == clp->s.gen)
			return 0;
		trip->req->uncertain |= trip->sent;
		trip->sent = false;
		trip->gen = clp->s.gen;
		trip->slot = free_slot(&clp->s);
		if (trip->slot >= 0) {
			clp->s.slot[trip->slot].busy = true;
			return 0;
		}
		if (all_left(&clp->s))
			clp->session_up = false;
		else
			nfs_cond_wait(&clp->changed, &clp->lock, TICK_MS);
	}
	return err;
}

/* A slot whose last request was never answered is of no use any more.  lock is held. */
static void get_off(struct nfs_trip *trip, bool answered)
{
	struct nfs_session *s = &trip->req->clp->s;

	if (trip->slot >= 0 && trip->gen == s->gen) {
		s->slot[trip->slot].seq += answered;
		s->slot[trip->slot].busy = trip->sent && !answered;
		s->slot[trip->slot].left = s->slot[trip->slot].busy;
	}
	trip->slot = -1;
	trip->sent = false;
	pthread_cond_broadcast(&trip->req->clp->changed);
}

static void session_news(struct nfs_client *clp, const struct nfs4_sequence_res *res)
{
	if (res->target_slot + 1 >= 1 && res->target_slot < NFS_SLOTS)
		clp->s.target = res->target_slot + 1;
	if (res->status_flags & (SEQ4_STATUS_CB_PATH_DOWN | SEQ4_STATUS_CB_PATH_DOWN_SESSION))
		clp->bind_wanted = true;
	if (res->status_flags & SEQ4_STATUS_RESTART_RECLAIM_NEEDED) {
		clp->reclaim = true;
		clp->session_up = false;
	}
}

/*
 * What SEQUENCE said.  True: the request was done, its operations have their status.
 * lock is held.
 */
static bool arrived(struct nfs_trip *trip, const struct nfs_try *try)
{
	struct nfs_client *clp = trip->req->clp;
	bool same = trip->gen == clp->s.gen;

	trip->busy = try->status == NFS4ERR_DELAY;
	switch (try->status) {
	case NFS4_OK:
		get_off(trip, true);
		if (same)
			session_news(clp, &try->res);
		/* Done before, and the server did not keep its answer: once more. */
		if (trip->req->done != 1 || trip->req->status != NFS4ERR_RETRY_UNCACHED_REP)
			return true;
		trip->req->uncertain = true;
		return false;
	case NFS4ERR_DELAY: /* still at it, or too busy: the same again, later */
		return false;
	case NFS4ERR_CONN_NOT_BOUND_TO_SESSION:
		clp->bind_wanted = true;
		clp->conn_up = false;
		return false;
	case NFS4ERR_REQ_TOO_BIG:
	case NFS4ERR_REP_TOO_BIG:
	case NFS4ERR_REP_TOO_BIG_TO_CACHE:
	case NFS4ERR_TOO_MANY_OPS:
		trip->req->status = try->status;
		trip->sent = false;
		get_off(trip, false);
		return true;
	default: /* BADSESSION, DEADSESSION, BADSLOT, SEQ_MISORDERED, SEQ_FALSE_RETRY ... */
		if (same)
			clp->session_up = false;
		return false;
	}
}

static int travel(struct nfs_trip *trip, bool *done)
{
	struct nfs_req *req = trip->req;
	struct nfs_client *clp = req->clp;
	struct nfs4_sequence_args seq = {.cachethis = req->once};
	struct nfs_try try = {
		.seq = &seq, .timeout_ms = nfs_patience(clp, REPLY_MS), .since = trip->since};
	struct rpc_conn *conn;
	int err;

	*done = trip->busy = false;
	pthread_mutex_lock(&clp->lock);
	err = board(trip);
	if (!err) {
		memcpy(seq.sessionid, clp->s.id, sizeof(seq.sessionid));
		seq.slot = (uint32_t)trip->slot;
		seq.seqid = clp->s.slot[trip->slot].seq;
		seq.highest_slot = highest_slot(&clp->s);
		req->boots = clp->boots;
	}
	conn = clp->conn;
	pthread_mutex_unlock(&clp->lock);
	if (err)
		return err;
	err = once(req, &try);
	pthread_mutex_lock(&clp->lock);
	trip->sent |= try.sent;
	if (!err)
		*done = arrived(trip, &try);
	else if (conn == clp->conn && err != -EINTR && err != -ENOMEM && err != -EMSGSIZE)
		clp->conn_up = false;
	pthread_mutex_unlock(&clp->lock);
	/* A reply that nobody understands comes again as often as it is asked for. */
	return err == -EINTR || err == -ENOMEM || err == -EMSGSIZE || err == -EBADMSG ||
			       err == -EACCES
		       ? err
		       : 0;
}

static bool is_delay(uint32_t status)
{
	return status == NFS4ERR_DELAY || status == NFS4ERR_GRACE;
}

/* DELAY and GRACE: 0 to go on, an error to end with. */
static int linger(struct nfs_trip *trip)
{
	struct nfs_client *clp = trip->req->clp;
	int err;

	trip->delay = trip->delay ? trip->delay * 2 : DELAY_MIN;
	if (trip->delay > DELAY_MAX)
		trip->delay = DELAY_MAX;
	err = nfs_sleep(clp, trip->since, trip->delay, trip->req->stop);
	if (!err && ev_now() >= trip->until)
		err = -ETIMEDOUT;
	return err;
}

/**
 * nfs_call - do @req, however often the server goes away meanwhile
 *
 * Return: 0 and req->status, that of the last operation that was done; -EINTR (the
 * stop flag), -ETIMEDOUT or what was met last when the server was gone for longer
 * than the URL's timeout; -EBADMSG: it does not speak this protocol.
 */
int nfs_call(struct nfs_req *req)
{
	struct nfs_client *clp = req->clp;
	struct nfs_trip trip = {.req = req, .since = ev_now(), .slot = -1};
	bool done = false;
	int err;

	trip.until = trip.since + 1000ull * clp->url.timeout;
	do {
		err = travel(&trip, &done);
		if (!err && (done ? is_delay(req->status) : trip.busy)) {
			err = linger(&trip);
			done = false;
		}
	} while (!err && !done);
	pthread_mutex_lock(&clp->lock);
	get_off(&trip, false);
	pthread_mutex_unlock(&clp->lock);
	return err;
}
