// SPDX-License-Identifier: GPL-2.0-or-later
/* callback.c - calls to clients, on the connections that they made: RFC 8881 section 2.10.3. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nfsd/state.h"

#define CB_TIMEOUT_MS 30000u

struct calling {
	struct nfsd *s;
	struct session *ss; /* held */
	struct callback cb; /* args is not kept */
};

static uint32_t read_reply(const struct calling *call, struct xdr *x, uint32_t *seq_status,
			   union nfs4_cb_res *res)
{
	struct nfs4_reply_head head = {.cb = true};

	nfs4_reply_begin(x, &head);
	*seq_status = nfs4_get_res(x, &head, OP_CB_SEQUENCE, res);
	if (*seq_status)
		return *seq_status;
	return nfs4_get_res(x, &head, call->cb.op, res);
}

/*
 * A call that was lost is made again with the same number, so that the client can tell
 * that it has seen it.  Then, or when it did not expect the number because it has seen one
 * more, the next number is the right one.
 */
static void answered(void *arg, int err, struct xdr *reply, struct rpc_rec *rec)
{
	struct calling *call = arg;
	uint32_t status = NFS4ERR_CB_PATH_DOWN, seq = NFS4ERR_CB_PATH_DOWN;
	bool seen;
	union nfs4_cb_res res;

	if (!err)
		status = read_reply(call, reply, &seq, &res);
	seen = seq == NFS4ERR_SEQ_MISORDERED || seq == NFS4ERR_RETRY_UNCACHED_REP;
	pthread_mutex_lock(&call->s->lock);
	call->ss->cb_busy = false;
	if (!err)
		call->ss->client->silent = false;
	if (!err && (seq == NFS4_OK || seen))
		call->ss->cb_seqid++;
	if (seen)
		status = NFS4ERR_DELAY;
	if (seq == NFS4ERR_BADSESSION || seq == NFS4ERR_BADXDR || err == -EOPNOTSUPP ||
	    err == -EACCES) {
		/* It cannot be called back there: the client binds another one. */
		rpc_conn_put(call->ss->cb_conn);
		call->ss->cb_conn = NULL;
		status = NFS4ERR_CB_PATH_DOWN;
	}
	call->cb.told(call->cb.arg, status, status ? NULL : &res);
	session_put(call->ss);
	pthread_cond_broadcast(&call->s->state->answered);
	pthread_mutex_unlock(&call->s->lock);
	free(call);
}

static void put_args(struct xdr *x, const struct session *ss, const struct callback *cb)
{
	struct nfs4_call_head head = {.cb = true, .minor = 2};
	union nfs4_cb_args copy;

	nfs4_call_begin(x, &head);
	memset(&copy, 0, sizeof(copy));
	memcpy(copy.sequence.sessionid, ss->id, sizeof(ss->id));
	copy.sequence.seqid = ss->cb_seqid;
	nfs4_put_op(x, &head, OP_CB_SEQUENCE, &copy);
	copy = *cb->args;
	nfs4_put_op(x, &head, cb->op, &copy);
	nfs4_call_end(x, &head);
}

static int call_on(struct nfsd *s, struct session *ss, const struct callback *cb)
{
	const struct rpc_cred cred = {
		.flavor = ss->cb_flavor, .uid = ss->cb_uid, .gid = ss->cb_gid};
	const struct rpc_target to = {
		.prog = ss->cb_program, .vers = NFS4_CB_VERSION, .proc = 1, .cred = &cred};
	struct calling *call = malloc(sizeof(*call));
	uint8_t buf[RPC_HEAD_MAX + 512];
	struct xdr x;
	int err;

	if (!call)
		return -ENOMEM;
	*call = (struct calling){s, ss, *cb};
	xdr_encode(&x, buf, sizeof(buf));
	rpc_call_begin(ss->cb_conn, &x, &to);
	put_args(&x, ss, cb);
	ss->cb_busy = true;
	ss->refs++;
	err = rpc_call_send(ss->cb_conn, &x, CB_TIMEOUT_MS, answered, call);
	if (!err)
		return 0;
	ss->cb_busy = false;
	ss->refs--;
	if (err == -ENOTCONN) { /* it ended before the session got it */
		rpc_conn_put(ss->cb_conn);
		ss->cb_conn = NULL;
	}
	free(call);
	return err;
}

/* Every session has room for two operations: CREATE_SESSION sees to that. */
static bool can_call(const struct session *ss)
{
	return ss->cb_conn && !ss->cb_busy;
}

bool has_path(const struct client *c)
{
	for (const struct session *ss = c->sessions; ss; ss = ss->of_client)
		if (ss->cb_conn)
			return true;
	return false;
}

bool call_client(struct nfsd *s, struct client *c, const struct callback *cb)
{
	for (struct session *ss = c ? c->sessions : NULL; ss; ss = ss->of_client)
		if (can_call(ss) && !call_on(s, ss, cb))
			return true;
	return false;
}
