/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpc.h - ONC RPC version 2 over TCP (RFC 5531), both ways on one connection.
 *
 * A connection belongs to an event loop (ev.h), whose thread reads it and runs all
 * callbacks.  Calls and replies may be sent from any thread.  Whoever keeps a
 * connection beyond a callback holds a reference.  Either side may call the other:
 * that is how NFS has its callbacks.
 *
 * Bounds: a record and what waits to be sent have limits (struct rpc_options); a
 * peer that leaves too many calls unanswered or too many replies unread is not read
 * from until it takes some; one that stalls or idles too long is dropped.
 */
#ifndef CR_RPC_H
#define CR_RPC_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/sunrpc/ev.h"
#include "lib/xdr.h"

#define RPC_AUTH_NONE  0u
#define RPC_AUTH_SYS   1u
#define RPC_GSS	       6u
#define RPC_AUTH_MAX   400u /* bytes of a credential's body, RFC 5531 section 8.2 */
#define RPC_GROUPS_MAX 16u
#define RPC_HEAD_MAX   1024u /* what a header takes of a buffer at most, record mark included */

/* accept_stat, RFC 5531 section 9 */
enum rpc_accept {
	RPC_SUCCESS,
	RPC_PROG_UNAVAIL,
	RPC_PROG_MISMATCH,
	RPC_PROC_UNAVAIL,
	RPC_GARBAGE_ARGS,
	RPC_SYSTEM_ERR
};

enum rpc_auth_stat { RPC_AUTH_BADCRED = 1, RPC_AUTH_TOOWEAK = 5 };

/* Who calls. AUTH_NONE: nobody is known. */
struct rpc_cred {
	uint32_t flavor; /* RPC_AUTH_NONE, RPC_AUTH_SYS; else uid and groups are not filled */
	uint32_t uid, gid;
	uint32_t ngroups;
	uint32_t group[RPC_GROUPS_MAX];
	uint32_t stamp, machine_len;
	char machine[256]; /* not terminated */
};

struct rpc_conn;

/* Memory for large records, which connections share. */
struct rpc_bufs;

/** rpc_bufs_new - buffers of @room bytes, a few of which are kept for the next; or NULL */
struct rpc_bufs *rpc_bufs_new(uint32_t room);
void rpc_bufs_put(
	struct rpc_bufs *bufs); /* the owner's; records may still have it. NULL is allowed */

/* A record as it came, for as long as anyone refers to its bytes. */
struct rpc_rec {
	atomic_uint refs;
	uint32_t len;
	struct rpc_bufs *bufs; /* held; NULL: it is freed */
	uint8_t data[];
};

void rpc_rec_get(struct rpc_rec *rec);
void rpc_rec_put(struct rpc_rec *rec); /* NULL is allowed */

/* A call of the peer: to be answered and given to rpc_call_done() once, by any thread. */
struct rpc_call {
	struct rpc_conn *conn; /* held */
	struct rpc_rec *rec;   /* held: args refers to it */
	uint32_t xid, prog, vers, proc;
	struct rpc_cred cred;
	struct xdr args; /* at the first byte of the arguments */
	void *next;	 /* for the owner's queue */
};

struct rpc_options {
	uint32_t record_max;   /* bytes of an incoming record; 0: 1 MiB and 64 KiB */
	uint32_t calls_max;    /* calls of the peer that are not done yet; 0: 256 */
	uint32_t out_max;      /* bytes waiting to be sent before reading pauses; 0: 8 MiB */
	uint32_t idle_ms;      /* nothing came for so long and no call is open: dropped; 0: never */
	struct rpc_bufs *bufs; /* of record_max bytes; outlives the connections.  NULL: malloc(3) */
	uint32_t stall_ms;     /* half a record, or replies not taken for so long; 0: 60 s */
	/* A call of the peer; NULL: all are answered PROG_UNAVAIL.  On the loop's thread. */
	void (*call)(void *ctx, struct rpc_call *call);
	/* The connection has ended; the last callback.  @err: why, 0 when the peer closed it. */
	void (*closed)(void *ctx, struct rpc_conn *conn, int err);
	/* Of a listener. Connections at a time, more are closed at once; 0: 1024. */
	uint32_t conns_max;
	/* One has come, nothing is read from it yet; false: it is closed.  May be NULL. */
	bool (*accepted)(void *ctx, struct rpc_conn *conn);
	void *ctx;
};

/* Connections --------------------------------------------------------------------- */

/**
 * rpc_conn_new - a connection around a socket that is or gets connected
 * @fd: taken over, closed on errors too
 *
 * With a reference for the caller.  Return: it, or NULL without memory.
 */
struct rpc_conn *rpc_conn_new(struct ev_loop *loop, int fd, const struct rpc_options *opt);

/**
 * rpc_connect - begin to connect to a server
 * @reserved: from a port below 1024 where this process may have one
 *
 * Calls may be made at once, they are sent when it stands; if it does not come to
 * that, they and closed() get the reason.  Return: 0 or a negative errno.
 */
int rpc_connect(struct ev_loop *loop, const struct sockaddr *addr, bool reserved,
		const struct rpc_options *opt, struct rpc_conn **connp);

void rpc_conn_get(struct rpc_conn *conn);
void rpc_conn_put(struct rpc_conn *conn);		     /* NULL is allowed */
void rpc_conn_close(struct rpc_conn *conn);		     /* from any thread; closed() follows */
void rpc_conn_idle(struct rpc_conn *conn, uint32_t idle_ms); /* changes the option; loop's thread */
/* The peer's address; and ours on this connection.  AF_UNSPEC when not known. */
void rpc_conn_peer(struct rpc_conn *conn, struct sockaddr_storage *addr);
void rpc_conn_local(struct rpc_conn *conn, struct sockaddr_storage *addr);
/* What the owner keeps with it: set and read by the owner alone. */
void rpc_conn_set_user(struct rpc_conn *conn, void *user);
void *rpc_conn_user(const struct rpc_conn *conn);

/**
 * rpc_send - send a message that rpc_call_begin() or rpc_reply_begin() began
 *
 * What the socket does not take at once is copied, so @x and all it refers to is the
 * caller's again.  Return: 0, -EMSGSIZE and the like of @x, -ENOTCONN, -ENOMEM.
 */
int rpc_send(struct rpc_conn *conn, struct xdr *x);

/* Pipes of one size, of which there are @max at most; or NULL. */
struct rpc_pipes;
struct rpc_pipes *rpc_pipes_new(uint32_t size, unsigned max);
void rpc_pipes_put(struct rpc_pipes *pipes); /* the owner's; pipes may still be used. NULL too */

/* Whoever puts data into it by splice(2) counts it in left.  It does not block. */
struct rpc_pipe {
	struct rpc_pipe *next;
	struct rpc_pipes *pipes;
	int in, out;
	uint32_t left; /* bytes in it */
};

struct rpc_pipe *rpc_pipe_get(struct rpc_pipes *pipes); /* an empty one, or NULL */
void rpc_pipe_put(struct rpc_pipe *pipe);		/* with what is left in it; NULL too */

/**
 * rpc_send_pipe - as rpc_send(), of a message a part of which is in a pipe
 * @x: has an opaque of pipe->left bytes, XDR_REF_MIN or more, without memory: its place
 * @pipe: taken over, on errors too; NULL, or no such opaque in @x: it is not sent
 *
 * SIGPIPE is to be blocked or ignored.
 */
int rpc_send_pipe(struct rpc_conn *conn, struct xdr *x, struct rpc_pipe *pipe);

/* Serving ------------------------------------------------------------------------- */

struct rpc_listener;

/**
 * rpc_listen - accept connections
 * @loops, @nloops: connections are given to them in turn; the first one accepts
 * @fd: a listening socket, taken over; see rpc_socket()
 *
 * Return: it, or NULL.
 */
struct rpc_listener *rpc_listen(struct ev_loop *const *loops, unsigned nloops, int fd,
				const struct rpc_options *opt);
/* When no loop runs any more: ends it and the connections that it accepted. */
void rpc_listener_free(struct rpc_listener *l);

/** rpc_socket - a listening TCP socket: descriptor, or a negative errno */
int rpc_socket(const struct sockaddr *addr);

/** rpc_reply_begin - the head of a good reply; results follow, then rpc_send() */
void rpc_reply_begin(const struct rpc_call *call, struct xdr *x);
/* Whole replies that say why not. PROG_MISMATCH gets the versions @low to @high. */
int rpc_reply_error(const struct rpc_call *call, enum rpc_accept why, uint32_t low, uint32_t high);
int rpc_reply_auth_error(const struct rpc_call *call, enum rpc_auth_stat why);
void rpc_call_done(struct rpc_call *call);

/* Calling ------------------------------------------------------------------------- */

/*
 * The end of a call, on the loop's thread.  @err: 0 and the results at *reply, which
 * are valid until it returns unless it takes a reference to @rec; -ETIMEDOUT;
 * -ECONNRESET or another reason why the connection ended (whether the call was
 * executed is unknown); -EACCES (credentials refused), -EOPNOTSUPP (no such program,
 * version or procedure), -EBADMSG (arguments or reply not understood), -EREMOTEIO.
 */
typedef void rpc_done(void *arg, int err, struct xdr *reply, struct rpc_rec *rec);

struct rpc_target {
	uint32_t prog, vers, proc;
	const struct rpc_cred *cred; /* NULL: AUTH_NONE */
};

/** rpc_call_begin - the head of a call; arguments follow, then rpc_call_send() */
void rpc_call_begin(struct rpc_conn *conn, struct xdr *x, const struct rpc_target *to);

/**
 * rpc_call_send - send the call in @x, @done follows exactly once
 * @timeout_ms: 0: as long as the connection lives
 *
 * Return: 0, or a negative errno as of rpc_send(), then @done does not follow.
 */
int rpc_call_send(struct rpc_conn *conn, struct xdr *x, uint32_t timeout_ms, rpc_done *done,
		  void *arg);

/* Addresses ----------------------------------------------------------------------- */

/* "127.0.0.1:2049", "[::1]:0", ":2049" (all addresses) to an address: 0 or -EINVAL. */
int rpc_addr_parse(const char *text, struct sockaddr_storage *addr);
/* And back; at most 64 bytes. */
void rpc_addr_text(const struct sockaddr_storage *addr, char *text, size_t size);
/* As RFC 5665 writes it: "tcp" or "tcp6", "127.0.0.1.8.1". */
int rpc_addr_from_universal(const char *netid, const char *uaddr, struct sockaddr_storage *addr);
const char *rpc_addr_to_universal(const struct sockaddr_storage *addr, char *uaddr, size_t size);
uint16_t rpc_addr_port(const struct sockaddr_storage *addr);
socklen_t rpc_addr_len(const struct sockaddr *addr);

#endif
