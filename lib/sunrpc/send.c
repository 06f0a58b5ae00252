// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * send.c - messages to the socket: at once as far as it takes them, the rest when it can.
 *
 * A message is up to three sections: memory, what a pipe holds, memory.  The sections that
 * wait are a list; what is in memory is copied there, a pipe is kept as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sunrpc/conn.h"

/* From the pipe to the socket, what it takes now: a count, or a negative errno. */
static ssize_t send_pipe(struct rpc_conn *conn, struct rpc_pipe *pipe, bool more)
{
	size_t sent = 0;

	while (pipe->left) {
		ssize_t n = splice(pipe->out, NULL, conn->ev.fd, NULL, pipe->left,
				   SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0));

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n <= 0)
			break;
		pipe->left -= (uint32_t)n;
		sent += (size_t)n;
	}
	return (ssize_t)sent;
}

static ssize_t send_memory(struct rpc_conn *conn, const struct iovec *iov, unsigned n, bool more)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n};
	ssize_t sent =
		sendmsg(conn->ev.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));

	if (sent < 0)
		return errno == EAGAIN || errno == EINTR || errno == ENOTCONN ? 0 : -errno;
	return sent;
}

static ssize_t send_waiting(struct rpc_conn *conn, struct rpc_out *out)
{
	const struct iovec rest = {out->data + out->sent, out->len - out->sent};

	return out->pipe ? send_pipe(conn, out->pipe, out->next)
			 : send_memory(conn, &rest, 1, out->next);
}

void conn_out_free(struct rpc_out *out)
{
	rpc_pipe_put(out->pipe);
	free(out);
}

int conn_flush(struct rpc_conn *conn)
{
	while (conn->out) {
		struct rpc_out *out = conn->out;
		ssize_t n = send_waiting(conn, out);

		if (n < 0)
			return (int)n;
		if (n > 0)
			conn->out_moved = ev_now();
		out->sent += (size_t)n;
		conn->out_bytes -= (size_t)n;
		if (out->sent < out->len)
			return 0;
		conn->out = out->next;
		if (!conn->out)
			conn->out_tail = &conn->out;
		conn_out_free(out);
	}
	return 0;
}

/* Puts a section of @len bytes at the end of what waits; its data has @room in memory. */
static struct rpc_out *enqueue(struct rpc_conn *conn, size_t len, size_t room)
{
	struct rpc_out *out = malloc(sizeof(*out) + room);

	if (!out)
		return NULL;
	*out = (struct rpc_out){.len = len};
	if (!conn->out)
		conn->out_moved = ev_now();
	*conn->out_tail = out;
	conn->out_tail = &out->next;
	conn->out_bytes += len;
	return out;
}

/* Sends pieces in memory, or lets them wait; out_lock is held, as below. */
static int put_memory(struct rpc_conn *conn, const struct iovec *iov, unsigned n, bool more)
{
	ssize_t sent = n && !conn->out ? send_memory(conn, iov, n, more) : 0;
	size_t len = 0, skip, at = 0;
	struct rpc_out *out;

	if (sent < 0)
		return (int)sent;
	skip = (size_t)sent;
	for (unsigned i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (len == skip)
		return 0;
	out = enqueue(conn, len - skip, len - skip);
	if (!out)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		size_t drop = skip < iov[i].iov_len ? skip : iov[i].iov_len;

		skip -= drop;
		memcpy(out->data + at, (const char *)iov[i].iov_base + drop, iov[i].iov_len - drop);
		at += iov[i].iov_len - drop;
	}
	return 0;
}

static int put_pipe(struct rpc_conn *conn, struct rpc_pipe *pipe, bool more)
{
	ssize_t sent = !conn->out ? send_pipe(conn, pipe, more) : 0;
	struct rpc_out *out;

	if (sent < 0 || !pipe->left) {
		rpc_pipe_put(pipe);
		return sent < 0 ? (int)sent : 0;
	}
	out = enqueue(conn, pipe->left, 0);
	if (!out) {
		rpc_pipe_put(pipe);
		return -ENOMEM;
	}
	out->pipe = pipe;
	return 0;
}

/* Of these pieces the one without memory is what @pipe has: @n when there is none. */
static unsigned piece_of_pipe(const struct iovec *iov, unsigned n)
{
	unsigned at = 0;

	while (at < n && iov[at].iov_base)
		at++;
	return at;
}

/* A message of which a part was sent must follow whole, or the stream is lost. */
static int put(struct rpc_conn *conn, const struct iovec *iov, unsigned n, struct rpc_pipe *pipe)
{
	unsigned at = pipe ? piece_of_pipe(iov, n) : n;
	int err;

	if (conn->shut || conn->closing || conn->why) {
		rpc_pipe_put(pipe);
		return -ENOTCONN;
	}
	err = put_memory(conn, iov, at, at < n);
	if (err || at == n)
		rpc_pipe_put(pipe);
	else
		err = put_pipe(conn, pipe, at + 1 < n);
	if (!err && at + 1 < n)
		err = put_memory(conn, iov + at + 1, n - at - 1, false);
	if (err)
		conn->why = err;
	return err ? -ENOTCONN : 0;
}

int rpc_send_pipe(struct rpc_conn *conn, struct xdr *x, struct rpc_pipe *pipe)
{
	struct iovec iov[XDR_IOVS];
	bool first, kick;
	unsigned n;
	int err;

	if (x->error) {
		rpc_pipe_put(pipe);
		return x->error;
	}
	xdr_patch_u32(x, 0, RPC_LAST | (uint32_t)(xdr_len(x) - RPC_MARK));
	n = xdr_iov(x, iov);
	pthread_mutex_lock(&conn->out_lock);
	first = !conn->out;
	err = put(conn, iov, n, pipe);
	kick = (first && conn->out) || conn->why;
	pthread_mutex_unlock(&conn->out_lock);
	if (kick)
		conn_kick(conn);
	return err;
}

int rpc_send(struct rpc_conn *conn, struct xdr *x)
{
	return rpc_send_pipe(conn, x, NULL);
}
