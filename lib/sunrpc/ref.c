// SPDX-License-Identifier: GPL-2.0-or-later
/* ref.c - who holds a connection, and its end when nobody does. */
#include <stdlib.h>
#include <unistd.h>

#include "lib/sunrpc/conn.h"

void rpc_conn_get(struct rpc_conn *conn)
{
	atomic_fetch_add(&conn->refs, 1);
}

void conn_drop_output(struct rpc_conn *conn)
{
	struct rpc_out *out;

	while ((out = conn->out)) {
		conn->out = out->next;
		conn_out_free(out);
	}
	conn->out_tail = &conn->out;
	conn->out_bytes = 0;
}

void rpc_conn_put(struct rpc_conn *conn)
{
	if (!conn || atomic_fetch_sub(&conn->refs, 1) != 1)
		return;
	conn_drop_output(conn);
	conn_drop_input(conn);
	if (conn->ev.fd >= 0)
		close(conn->ev.fd);
	pthread_mutex_destroy(&conn->out_lock);
	pthread_mutex_destroy(&conn->pending_lock);
	free(conn);
}
