// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conn_in.c - bytes to records: RFC 5531 section 11.
 *
 * The record being filled is read into directly; what comes behind it lands in the
 * scratch, from where the next records are cut.  So many small records cost one
 * system call, and a large one is not copied but for its start.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "lib/sunrpc/conn.h"

#define FRAGS_MAX 4096u /* of one record: nobody has a reason for more */

void conn_drop_input(struct rpc_conn *conn)
{
	rpc_rec_put(conn->rec);
	conn->rec = NULL;
	conn->scratch_len = conn->scratch_at = 0;
}

/* Room for @need bytes in all, those that came before included. */
static int rec_room(struct rpc_conn *conn, uint32_t need)
{
	struct rpc_rec *old = conn->rec, *rec;
	uint32_t room = need;

	if (old && conn->room >= need)
		return 0;
	if (old && room < conn->room * 2)
		room = conn->room * 2;
	if (room > conn->opt.record_max)
		room = conn->opt.record_max;
	rec = rec_new(conn->opt.bufs, &room);
	if (!rec)
		return -ENOMEM;
	if (old) {
		memcpy(rec->data, old->data, old->len);
		rec->len = old->len;
		rpc_rec_put(old);
	}
	conn->rec = rec;
	conn->room = room;
	return 0;
}

/* A fragment's header is whole. */
static int frag_begin(struct rpc_conn *conn)
{
	uint32_t have = conn->rec ? conn->rec->len : 0, v;

	memcpy(&v, conn->mark, sizeof(v));
	v = be32toh(v);
	conn->mark_len = 0;
	conn->frag_last = v & RPC_LAST;
	conn->frag_left = v & ~RPC_LAST;
	if (++conn->frags > FRAGS_MAX || conn->frag_left > conn->opt.record_max - have)
		return -EMSGSIZE;
	return rec_room(conn, have + conn->frag_left);
}

/* True when the record is whole. */
static bool frag_end(struct rpc_conn *conn)
{
	return conn->rec && !conn->frag_left && conn->frag_last && !conn->mark_len;
}

static void take_record(struct rpc_conn *conn)
{
	struct rpc_rec *rec = conn->rec;

	conn->rec = NULL;
	conn->frags = 0;
	conn->frag_last = false;
	conn->full = rec->len >= RPC_REC_LARGE;
	conn_message(conn, rec);
	rpc_rec_put(rec);
	if (atomic_load(&conn->calls) >= conn->opt.calls_max)
		conn->paused = true; /* until want_events() finds otherwise */
}

/* The scratch into marks and records; stops at a pause. */
static int cut(struct rpc_conn *conn)
{
	while (!conn->gone && !conn->paused) {
		size_t have = conn->scratch_len - conn->scratch_at, n;
		const uint8_t *from = conn->scratch + conn->scratch_at;
		int err;

		if (frag_end(conn)) {
			take_record(conn);
			continue;
		}
		if (!have)
			break;
		if (conn->rec && conn->frag_left) {
			n = have < conn->frag_left ? have : conn->frag_left;
			memcpy(conn->rec->data + conn->rec->len, from, n);
			conn->rec->len += (uint32_t)n;
			conn->frag_left -= (uint32_t)n;
			conn->scratch_at += n;
			continue;
		}
		conn->mark[conn->mark_len++] = *from;
		conn->scratch_at++;
		err = conn->mark_len == RPC_MARK ? frag_begin(conn) : 0;
		if (err)
			return err;
	}
	return 0;
}

static ssize_t fill(struct rpc_conn *conn)
{
	struct iovec iov[2];
	int n = 0;
	ssize_t got;
	size_t direct = 0;

	if (conn->rec && conn->frag_left) {
		direct = conn->frag_left;
		iov[n++] = (struct iovec){conn->rec->data + conn->rec->len, direct};
	}
	iov[n++] = (struct iovec){conn->scratch, RPC_SCRATCH};
	conn->scratch_len = conn->scratch_at = 0;
	do
		got = readv(conn->ev.fd, iov, n);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got < 0 ? -errno : 0;
	if ((size_t)got < direct)
		direct = (size_t)got;
	if (direct) {
		conn->rec->len += (uint32_t)direct;
		conn->frag_left -= (uint32_t)direct;
	}
	conn->scratch_len = (size_t)got - direct;
	return got;
}

#define READS_AT_ONCE 8 /* then other connections get their turn */

static bool may_read(const struct rpc_conn *conn)
{
	return !conn->gone && !conn->paused && !conn->full;
}

/*
 * After a large record nothing more is read at once, so that it is dealt with while it is in
 * the processor's cache.  A socket that gave less than there was room for is empty.
 */

void conn_readable(struct rpc_conn *conn)
{
	int err = cut(conn); /* what a pause left */
	bool drained = false;

	conn->full = false;
	for (int i = 0; !err && i < READS_AT_ONCE && may_read(conn) && !drained; i++) {
		ssize_t n = fill(conn);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			conn_fail(conn, (int)n);
			return;
		}
		conn->last_in = ev_now();
		drained = conn->scratch_len < RPC_SCRATCH;
		err = cut(conn);
	}
	if (err)
		conn_fail(conn, err);
}
