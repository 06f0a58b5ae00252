// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sequence.c - SEQUENCE, and the replies that slots keep: RFC 8881 sections 2.10.6, 18.46.
 *
 * Every reply that fits is kept, whatever the client asked for: a call that comes again
 * is never done twice.
 */
#include <stdlib.h>
#include <string.h>

#include "nfsd/state.h"

/* The kept reply instead of doing it again: all behind the RPC header. */
static void replay(struct compound *c, const struct slot *slot)
{
	xdr_encode(&c->out, c->w->head, NFSD_HEAD_ROOM);
	rpc_reply_begin(c->call, &c->out);
	memcpy(xdr_reserve(&c->out, slot->len), slot->reply, slot->len);
	c->replayed = true;
}

/* Not kept because it was too long: SEQUENCE is answered, the next operation says so. */
static void uncached(struct compound *c, struct nfs4_sequence_res *r)
{
	struct xdr peek = *c->in;
	uint32_t op = xdr_get_u32(&peek);

	nfs4_put_res(&c->out, &c->reply, OP_SEQUENCE, NFS4_OK, r);
	if (c->head.nops > 1)
		nfs4_put_res(&c->out, &c->reply, nfs4_op(op) ? op : OP_ILLEGAL,
			     NFS4ERR_RETRY_UNCACHED_REP, &(union nfs4_res){0});
	nfs4_reply_end(&c->out, &c->reply);
	c->replayed = true;
}

static void result(struct compound *c, const struct nfs4_sequence_args *a,
		   struct nfs4_sequence_res *r, const struct session *ss)
{
	memcpy(r->sessionid, a->sessionid, sizeof(r->sessionid));
	r->seqid = a->seqid;
	r->slot = a->slot;
	r->highest_slot = r->target_slot = ss->nslots - 1;
	if (ss->client->nrevoked)
		r->status_flags |= SEQ4_STATUS_RECALLABLE_STATE_REVOKED;
	if (!ss->cb_conn)
		r->status_flags |= SEQ4_STATUS_CB_PATH_DOWN_SESSION;
	for (const struct session *other = ss->client->sessions; other; other = other->of_client)
		if (other->cb_conn)
			return;
	r->status_flags |= SEQ4_STATUS_CB_PATH_DOWN;
}

static uint32_t limits(const struct compound *c, const struct session *ss)
{
	if (c->head.nops > ss->fore.maxops)
		return NFS4ERR_TOO_MANY_OPS;
	if (c->call->rec->len > ss->fore.maxrequest)
		return NFS4ERR_REQ_TOO_BIG;
	return NFS4_OK;
}

static uint32_t sequence(struct compound *c, const struct nfs4_sequence_args *a,
			 struct nfs4_sequence_res *r)
{
	struct session *ss = session_find(c->s, a->sessionid);
	struct slot *slot;
	uint32_t status;

	if (!ss)
		return NFS4ERR_BADSESSION;
	if (a->slot >= ss->nslots)
		return NFS4ERR_BADSLOT;
	if (a->highest_slot >= ss->nslots)
		return NFS4ERR_BAD_HIGH_SLOT;
	status = limits(c, ss);
	if (status)
		return status;
	ss->client->renewed = ev_now();
	ss->client->courtesy = false;
	slot = &ss->slot[a->slot];
	result(c, a, r, ss);
	if (a->seqid == slot->seqid && slot->used) {
		if (slot->in_use)
			return NFS4ERR_DELAY;
		if (slot->cached)
			replay(c, slot);
		else
			uncached(c, r);
		return NFS4_OK;
	}
	if (a->seqid != slot->seqid + 1 || slot->in_use)
		return NFS4ERR_SEQ_MISORDERED;
	slot->seqid = a->seqid;
	slot->used = slot->in_use = true;
	slot->cached = false;
	c->session = ss;
	c->client = ss->client;
	c->slot = slot;
	c->cachethis = a->cachethis;
	ss->refs++;
	client_get(c->client);
	return NFS4_OK;
}

uint32_t op_sequence(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	uint32_t status;

	pthread_mutex_lock(&c->s->lock);
	status = sequence(c, &args->sequence, &res->sequence);
	pthread_mutex_unlock(&c->s->lock);
	return status;
}

/* What is kept: the COMPOUND's results, gathered. */
static bool keep(struct compound *c, struct slot *slot)
{
	struct iovec iov[XDR_IOVS];
	unsigned n = xdr_iov(&c->out, iov);
	size_t skip = c->reply.mark, len = xdr_len(&c->out) - skip;

	if (c->out.error || len > NFSD_CACHED_MAX)
		return false;
	if (slot->room < len) {
		uint8_t *more = realloc(slot->reply, len);

		if (!more)
			return false;
		slot->reply = more;
		slot->room = (uint32_t)len;
	}
	slot->len = 0;
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *from = iov[i].iov_base;
		size_t part = iov[i].iov_len, drop = skip < part ? skip : part;

		skip -= drop;
		memcpy(slot->reply + slot->len, from + drop, part - drop);
		slot->len += (uint32_t)(part - drop);
	}
	return true;
}

void slot_finish(struct compound *c)
{
	pthread_mutex_lock(&c->s->lock);
	c->slot->cached = keep(c, c->slot);
	c->slot->in_use = false;
	client_put(c->client);
	session_put(c->session);
	pthread_mutex_unlock(&c->s->lock);
}
