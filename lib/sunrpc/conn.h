/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn.h - what the files of lib/sunrpc share. */
#ifndef CR_SUNRPC_CONN_H
#define CR_SUNRPC_CONN_H

#include <pthread.h>

#include "lib/sunrpc/rpc.h"

#define RPC_MARK    4u /* bytes before each fragment */
#define RPC_LAST    (1u << 31)
#define RPC_SCRATCH 16384u /* read at once beyond the record that is being filled */
#define RPC_BUCKETS 64u	   /* of calls that wait for their reply */

enum { RPC_MSG_CALL, RPC_MSG_REPLY };

/* A section of a message that waits to be sent. */
struct rpc_out {
	struct rpc_out *next;
	size_t len, sent;
	struct rpc_pipe *pipe; /* held, it has what is left; NULL: data has all */
	uint8_t data[];
};

struct rpc_pending {
	struct rpc_pending *next;
	uint32_t xid;
	uint64_t deadline; /* ms, 0: none */
	rpc_done *done;
	void *arg;
};

struct rpc_conn {
	atomic_uint refs;
	struct ev_loop *loop;
	struct ev_fd ev;
	struct ev_work work;
	struct ev_timer tick;
	struct rpc_options opt;
	void *user;
	struct rpc_listener *listener;
	struct rpc_conn *prev, *next; /* of the listener's list */

	/* Input: the loop's thread alone. */
	struct rpc_rec *rec; /* being filled */
	uint32_t room;	     /* bytes it can hold */
	uint32_t frag_left;  /* of the current fragment */
	bool frag_last;
	unsigned frags;
	uint8_t mark[RPC_MARK];
	unsigned mark_len;
	uint64_t last_in;
	bool attached, gone, connecting, paused;
	bool full; /* a large record came */
	uint8_t scratch[RPC_SCRATCH];
	size_t scratch_len, scratch_at; /* read and not looked at yet */

	atomic_uint calls; /* of the peer, not done */

	pthread_mutex_t out_lock; /* of what follows, and of closing the descriptor */
	struct rpc_out *out, **out_tail;
	size_t out_bytes;
	uint64_t out_moved; /* when some of it was sent last, ms */
	bool closing, shut;
	int why;
	struct sockaddr_storage peer; /* AF_UNSPEC: not asked for yet */

	pthread_mutex_t pending_lock;
	struct rpc_pending *pending[RPC_BUCKETS];
	unsigned npending;
	bool pending_closed;
	atomic_uint next_xid;
};

/* conn.c */
/* Not on its loop before the first kick; takes @fd over, on errors too. */
struct rpc_conn *conn_alloc(struct ev_loop *loop, int fd, const struct rpc_options *opt);
void conn_fail(struct rpc_conn *conn, int err); /* loop's thread */
void conn_kick(struct rpc_conn *conn);		/* any thread: look at out, closing, calls */

/* send.c */
int conn_flush(struct rpc_conn *conn); /* sends what waits; out_lock is held.  0, negative errno */
void conn_out_free(struct rpc_out *out);

/* ref.c */
void conn_drop_output(struct rpc_conn *conn); /* what waits to be sent; out_lock is held */

/* bufs.c: a record for *room bytes or more, which is put there; @bufs may be NULL */
#define RPC_REC_LARGE 65536u
struct rpc_rec *rec_new(struct rpc_bufs *bufs, uint32_t *room);

/* conn_in.c: records */
void conn_readable(struct rpc_conn *conn);
void conn_drop_input(struct rpc_conn *conn);

/* msg.c: a whole record */
void conn_message(struct rpc_conn *conn, struct rpc_rec *rec);

/* client.c */
void client_reply(struct rpc_conn *conn, uint32_t xid, struct xdr *x, struct rpc_rec *rec);
void client_closed(struct rpc_conn *conn, int err);
bool client_tick(struct rpc_conn *conn, uint64_t now); /* true: calls with a time limit wait */

/* listen.c */
void listener_conn_gone(struct rpc_conn *conn);

#endif
