// SPDX-License-Identifier: GPL-2.0-or-later
/* svc.c - from the wire to the threads that carry calls out, and back. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "nfsd/copy.h"
#include "nfsd/nfsd.h"
#include "nfsd/pool.h"
#include "nfsd/state.h"

#define LOOPS_MAX    16u
#define CONNS_MAX    1024u
#define UNKNOWN_IDLE 60000u /* ms until a connection that makes no call is dropped */
#define STALL_MS     60000u
#define TICK_MS	     1000u
#define PIPES_MAX    64u /* what a READ has taken from a file and no client has got yet */

struct svc {
	struct nfsd *s;
	struct ev_loop *loops[LOOPS_MAX];
	unsigned nloops;
	struct rpc_listener *listener;
	struct ev_timer tick;
	atomic_bool due, at_work; /* what is done once in a while; a thread does it */
	struct rpc_bufs *bufs;
};

static void answer_null(struct rpc_call *call)
{
	uint8_t buf[64];
	struct xdr x;

	xdr_encode(&x, buf, sizeof(buf));
	rpc_reply_begin(call, &x);
	rpc_send(call->conn, &x);
}

/* On a loop's thread.  What needs no worker is answered here. */
static void called(void *ctx, struct rpc_call *call)
{
	struct svc *svc = ctx;

	if (call->prog != NFS4_PROGRAM)
		rpc_reply_error(call, RPC_PROG_UNAVAIL, 0, 0);
	else if (call->vers != NFS4_VERSION)
		rpc_reply_error(call, RPC_PROG_MISMATCH, NFS4_VERSION, NFS4_VERSION);
	else if (call->proc == NFS4_PROC_NULL)
		answer_null(call);
	else if (call->proc != NFS4_PROC_COMPOUND)
		rpc_reply_error(call, RPC_PROC_UNAVAIL, 0, 0);
	else if (call->cred.flavor != RPC_AUTH_SYS && call->cred.flavor != RPC_AUTH_NONE)
		rpc_reply_auth_error(call, RPC_AUTH_TOOWEAK);
	else {
		pool_add(svc->s->pool, call);
		return;
	}
	rpc_call_done(call);
}

static void closed(void *ctx, struct rpc_conn *conn, int err)
{
	struct svc *svc = ctx;

	state_conn_gone(svc->s, conn);
}

static void tick(struct ev_timer *timer)
{
	struct svc *svc = (struct svc *)((char *)timer - offsetof(struct svc, tick));

	atomic_store(&svc->due, true);
	ev_timer_set(svc->loops[0], timer, TICK_MS);
}

bool svc_due(struct nfsd *s)
{
	return atomic_load(&s->svc->due) && !atomic_load(&s->svc->at_work);
}

/* The database is touched with the server's ids, by one thread at a time. */
void svc_chores(struct worker *w)
{
	struct svc *svc = w->s->svc;

	if (atomic_exchange(&svc->at_work, true))
		return;
	atomic_store(&svc->due, false);
	cred_root(w);
	state_tick(svc->s);
	copies_tick(svc->s);
	atomic_store(&svc->at_work, false);
}

int svc_start(struct nfsd *s, int fd)
{
	struct svc *svc = calloc(1, sizeof(*svc));
	struct rpc_options opt = {
		.record_max = NFSD_MESSAGE_MAX + RPC_HEAD_MAX,
		.stall_ms = STALL_MS,
		.calls_max = NFSD_SLOTS + 8,
		.idle_ms = s->opt.lease * 1000 * 4 + UNKNOWN_IDLE,
		.conns_max = CONNS_MAX,
		.call = called,
		.closed = closed,
		.ctx = svc,
	};
	int err = 0;

	if (!svc)
		return -ENOMEM;
	s->svc = svc;
	svc->s = s;
	opt.bufs = svc->bufs = rpc_bufs_new(opt.record_max);
	s->pipes = rpc_pipes_new(NFSD_IO_MAX, PIPES_MAX);
	if (!svc->bufs || !s->pipes)
		return -ENOMEM;
	for (; svc->nloops < s->opt.loops && svc->nloops < LOOPS_MAX; svc->nloops++) {
		svc->loops[svc->nloops] = ev_loop_new();
		if (!svc->loops[svc->nloops])
			return -ENOMEM;
	}
	s->pool = pool_new(s, svc->loops, svc->nloops, s->opt.workers);
	if (!s->pool)
		return -ENOMEM;
	svc->tick.fire = tick;
	if (!err)
		err = ev_timer_set(svc->loops[0], &svc->tick, TICK_MS);
	if (!err) {
		svc->listener = rpc_listen(svc->loops, svc->nloops, fd, &opt);
		err = svc->listener ? pool_start(s->pool) : -ENOMEM;
	}
	return err;
}

/* No more calls; then an end to the copies that some may wait for; then connections. */
void svc_stop(struct nfsd *s)
{
	struct svc *svc = s->svc;

	if (!svc)
		return;
	if (s->pool)
		pool_stop(s->pool);
	copies_stop(s);
	pool_free(s->pool);
	s->pool = NULL;
	rpc_listener_free(svc->listener);
	state_free(s);
	for (unsigned i = 0; i < svc->nloops; i++)
		ev_loop_free(svc->loops[i]);
	rpc_bufs_put(svc->bufs);
	rpc_pipes_put(s->pipes);
	free(svc);
	s->svc = NULL;
}
