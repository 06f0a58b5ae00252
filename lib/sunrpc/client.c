// SPDX-License-Identifier: GPL-2.0-or-later
/* client.c - calls of our own that wait for their reply. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sunrpc/conn.h"

static struct rpc_pending **bucket(struct rpc_conn *conn, uint32_t xid)
{
	return &conn->pending[xid % RPC_BUCKETS];
}

/* Takes the call with this xid out, or NULL: a reply that nobody waits for (any more). */
static struct rpc_pending *take(struct rpc_conn *conn, uint32_t xid)
{
	struct rpc_pending **at, *p;

	pthread_mutex_lock(&conn->pending_lock);
	for (at = bucket(conn, xid); (p = *at); at = &p->next)
		if (p->xid == xid)
			break;
	if (p) {
		*at = p->next;
		conn->npending--;
	}
	pthread_mutex_unlock(&conn->pending_lock);
	return p;
}

static int add(struct rpc_conn *conn, struct rpc_pending *p)
{
	struct rpc_pending **at = bucket(conn, p->xid);
	int err = 0;

	pthread_mutex_lock(&conn->pending_lock);
	if (conn->pending_closed) {
		err = -ENOTCONN;
	} else {
		p->next = *at;
		*at = p;
		conn->npending++;
	}
	pthread_mutex_unlock(&conn->pending_lock);
	return err;
}

int rpc_call_send(struct rpc_conn *conn, struct xdr *x, uint32_t timeout_ms, rpc_done *done,
		  void *arg)
{
	struct rpc_pending *p;
	uint32_t xid;
	int err;

	if (x->error)
		return x->error;
	p = malloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	memcpy(&xid, x->base + RPC_MARK, sizeof(xid));
	xid = be32toh(xid);
	*p = (struct rpc_pending){.xid = xid, .done = done, .arg = arg};
	if (timeout_ms)
		p->deadline = ev_now() + timeout_ms;
	err = add(conn, p);
	if (err) {
		free(p);
		return err;
	}
	err = rpc_send(conn, x);
	/* Not sent: unless the connection's end has told @done already, nobody has. */
	if (err) {
		p = take(conn, xid);
		if (!p)
			return 0;
		free(p);
	}
	return err;
}

static int accept_error(uint32_t stat)
{
	switch (stat) {
	case RPC_SUCCESS:
		return 0;
	case RPC_PROG_UNAVAIL:
	case RPC_PROG_MISMATCH:
	case RPC_PROC_UNAVAIL:
		return -EOPNOTSUPP;
	case RPC_GARBAGE_ARGS:
		return -EBADMSG;
	default:
		return -EREMOTEIO;
	}
}

static int reply_head(struct xdr *x)
{
	struct xdr_bytes verf;
	uint32_t stat;

	if (xdr_get_u32(x) != 0) { /* MSG_DENIED */
		stat = xdr_get_u32(x);
		return x->error ? x->error : stat == 1 ? -EACCES : -EOPNOTSUPP;
	}
	xdr_get_u32(x);
	xdr_var(x, &verf, RPC_AUTH_MAX);
	stat = xdr_get_u32(x);
	return x->error ? x->error : accept_error(stat);
}

void client_reply(struct rpc_conn *conn, uint32_t xid, struct xdr *x, struct rpc_rec *rec)
{
	struct rpc_pending *p = take(conn, xid);
	int err;

	if (!p)
		return;
	err = reply_head(x);
	p->done(p->arg, err, err ? NULL : x, rec);
	free(p);
}

static void end_list(struct rpc_pending *list, int err)
{
	struct rpc_pending *p;

	while ((p = list)) {
		list = p->next;
		p->done(p->arg, err, NULL, NULL);
		free(p);
	}
}

void client_closed(struct rpc_conn *conn, int err)
{
	struct rpc_pending *list = NULL, *p;

	pthread_mutex_lock(&conn->pending_lock);
	conn->pending_closed = true;
	for (unsigned i = 0; i < RPC_BUCKETS; i++)
		while ((p = conn->pending[i])) {
			conn->pending[i] = p->next;
			p->next = list;
			list = p;
		}
	conn->npending = 0;
	pthread_mutex_unlock(&conn->pending_lock);
	end_list(list, err);
}

bool client_tick(struct rpc_conn *conn, uint64_t now)
{
	struct rpc_pending *late = NULL, **at, *p;
	bool timed = false;

	pthread_mutex_lock(&conn->pending_lock);
	for (unsigned i = 0; conn->npending && i < RPC_BUCKETS; i++)
		for (at = &conn->pending[i]; (p = *at);) {
			if (!p->deadline || p->deadline > now) {
				timed |= p->deadline != 0;
				at = &p->next;
				continue;
			}
			*at = p->next;
			p->next = late;
			late = p;
			conn->npending--;
		}
	pthread_mutex_unlock(&conn->pending_lock);
	end_list(late, -ETIMEDOUT);
	return timed;
}
