// SPDX-License-Identifier: GPL-2.0-or-later
/* msg.c - heads of calls and replies: RFC 5531 sections 8.2 and 9, appendix A for AUTH_SYS. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sunrpc/conn.h"

#define RPC_VERSION 2u

enum { MSG_ACCEPTED, MSG_DENIED };
enum { RPC_MISMATCH, AUTH_ERROR };

static void auth_sys(struct xdr *x, struct rpc_cred *cred)
{
	xdr_u32(x, &cred->stamp);
	xdr_buf(x, cred->machine, &cred->machine_len, 255);
	xdr_u32(x, &cred->uid);
	xdr_u32(x, &cred->gid);
	xdr_count(x, &cred->ngroups, RPC_GROUPS_MAX);
	for (uint32_t i = 0; i < cred->ngroups; i++)
		xdr_u32(x, &cred->group[i]);
}

static int decode_cred(struct xdr *x, struct rpc_cred *cred)
{
	struct xdr_bytes body;
	struct xdr in;

	xdr_u32(x, &cred->flavor);
	xdr_var(x, &body, RPC_AUTH_MAX);
	if (x->error || cred->flavor != RPC_AUTH_SYS)
		return 0;
	xdr_decode(&in, body.data, body.len);
	auth_sys(&in, cred);
	return in.error;
}

static void encode_cred(struct xdr *x, const struct rpc_cred *cred)
{
	struct rpc_cred copy;
	size_t at;

	xdr_put_u32(x, cred ? cred->flavor : RPC_AUTH_NONE);
	at = xdr_mark(x);
	xdr_put_u32(x, 0);
	if (!cred || cred->flavor != RPC_AUTH_SYS)
		return;
	copy = *cred;
	auth_sys(x, &copy);
	xdr_patch_u32(x, at, (uint32_t)(xdr_mark(x) - at - 4));
}

static void verifier_none(struct xdr *x)
{
	xdr_put_u32(x, RPC_AUTH_NONE);
	xdr_put_u32(x, 0);
}

static void head(struct xdr *x, uint32_t xid, uint32_t type)
{
	x->error = 0;
	xdr_put_u32(x, 0); /* the record mark, by rpc_send() */
	xdr_put_u32(x, xid);
	xdr_put_u32(x, type);
}

void rpc_call_begin(struct rpc_conn *conn, struct xdr *x, const struct rpc_target *to)
{
	head(x, atomic_fetch_add(&conn->next_xid, 1), RPC_MSG_CALL);
	xdr_put_u32(x, RPC_VERSION);
	xdr_put_u32(x, to->prog);
	xdr_put_u32(x, to->vers);
	xdr_put_u32(x, to->proc);
	encode_cred(x, to->cred);
	verifier_none(x);
}

static void accepted(struct xdr *x, uint32_t xid, enum rpc_accept how)
{
	head(x, xid, RPC_MSG_REPLY);
	xdr_put_u32(x, MSG_ACCEPTED);
	verifier_none(x);
	xdr_put_u32(x, how);
}

void rpc_reply_begin(const struct rpc_call *call, struct xdr *x)
{
	accepted(x, call->xid, RPC_SUCCESS);
}

int rpc_reply_error(const struct rpc_call *call, enum rpc_accept why, uint32_t low, uint32_t high)
{
	uint8_t buf[64];
	struct xdr x;

	xdr_encode(&x, buf, sizeof(buf));
	accepted(&x, call->xid, why);
	if (why == RPC_PROG_MISMATCH) {
		xdr_put_u32(&x, low);
		xdr_put_u32(&x, high);
	}
	return rpc_send(call->conn, &x);
}

static int denied(struct rpc_conn *conn, uint32_t xid, uint32_t how, uint32_t why)
{
	uint8_t buf[64];
	struct xdr x;

	xdr_encode(&x, buf, sizeof(buf));
	head(&x, xid, RPC_MSG_REPLY);
	xdr_put_u32(&x, MSG_DENIED);
	xdr_put_u32(&x, how);
	xdr_put_u32(&x, why);
	if (how == RPC_MISMATCH)
		xdr_put_u32(&x, RPC_VERSION);
	return rpc_send(conn, &x);
}

int rpc_reply_auth_error(const struct rpc_call *call, enum rpc_auth_stat why)
{
	return denied(call->conn, call->xid, AUTH_ERROR, why);
}

void rpc_call_done(struct rpc_call *call)
{
	struct rpc_conn *conn = call->conn;

	rpc_rec_put(call->rec);
	free(call);
	if (atomic_fetch_sub(&conn->calls, 1) == conn->opt.calls_max)
		conn_kick(conn);
	rpc_conn_put(conn);
}

/* A call: its head is looked at here, the rest is for the owner. */
static int take_call(struct rpc_conn *conn, uint32_t xid, struct xdr *x, struct rpc_rec *rec)
{
	uint32_t version = xdr_get_u32(x);
	struct rpc_call *call;
	struct xdr_bytes verf;
	int bad;

	if (!x->error && version != RPC_VERSION)
		return denied(conn, xid, RPC_MISMATCH, RPC_VERSION);
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	call->xid = xid;
	xdr_u32(x, &call->prog);
	xdr_u32(x, &call->vers);
	xdr_u32(x, &call->proc);
	bad = decode_cred(x, &call->cred);
	xdr_get_u32(x);
	xdr_var(x, &verf, RPC_AUTH_MAX);
	if (x->error) {
		free(call);
		return -EBADMSG;
	}
	xdr_decode(&call->args, x->p, xdr_left(x));
	rpc_conn_get(conn);
	rpc_rec_get(rec);
	call->conn = conn;
	call->rec = rec;
	atomic_fetch_add(&conn->calls, 1);
	if (bad || !conn->opt.call) {
		if (bad)
			rpc_reply_auth_error(call, RPC_AUTH_BADCRED);
		else
			rpc_reply_error(call, RPC_PROG_UNAVAIL, 0, 0);
		rpc_call_done(call);
		return 0;
	}
	conn->opt.call(conn->opt.ctx, call);
	return 0;
}

void conn_message(struct rpc_conn *conn, struct rpc_rec *rec)
{
	struct xdr x;
	uint32_t xid, type;
	int err = 0;

	xdr_decode(&x, rec->data, rec->len);
	xid = xdr_get_u32(&x);
	type = xdr_get_u32(&x);
	if (x.error || type > RPC_MSG_REPLY)
		err = -EBADMSG;
	else if (type == RPC_MSG_CALL)
		err = take_call(conn, xid, &x, rec);
	else
		client_reply(conn, xid, &x, rec);
	if (err && err != -ENOTCONN)
		conn_fail(conn, err);
}
