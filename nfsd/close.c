// SPDX-License-Identifier: GPL-2.0-or-later
/* close.c - what else is done with stateids: RFC 8881 sections 18.2, 18.18, 18.38, 18.48. */
#include <string.h>

#include "nfsd/state.h"

void set_stateid(struct compound *c, const struct nfs4_stateid *id)
{
	c->cur_stateid = *id;
	c->has_cur_stateid = true;
}

static bool holds_locks(const struct state *open)
{
	for (const struct range *r = open->file->ranges; r; r = r->next)
		if (r->lock->open == open)
			return true;
	return false;
}

static uint32_t of_current(struct compound *c, const struct nfs4_stateid *given, struct state **stp)
{
	struct nfs4_stateid id;
	uint32_t status = stateid_resolve(c, false, given, &id);

	if (!status)
		status = state_find(c, &id, 1u << STATE_OPEN, stp);
	if (status)
		return status;
	if ((*stp)->file->fh.len != c->cur->fh.len ||
	    memcmp((*stp)->file->fh.data, c->cur->fh.data, c->cur->fh.len) != 0)
		return NFS4ERR_BAD_STATEID;
	return NFS4_OK;
}

static uint32_t next_seqid(uint32_t seqid)
{
	return seqid == UINT32_MAX ? 1 : seqid + 1;
}

/* The stateid of the answer is one that is never valid again: section 8.2.4. */
uint32_t op_close(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct io *io = NULL;
	struct state *st;
	uint32_t status;

	pthread_mutex_lock(&c->s->lock);
	status = of_current(c, &args->close.stateid, &st);
	if (!status && holds_locks(st))
		status = NFS4ERR_LOCKS_HELD;
	if (!status) {
		io = st->io; /* closed without the lock */
		io_get(io);
		state_drop(c->s, st);
	}
	pthread_mutex_unlock(&c->s->lock);
	if (status)
		return status;
	obj_borrow(c->cur, io); /* for attributes that may be asked for yet */
	io_put(io);
	memset(&res->stateid.stateid, 0, sizeof(res->stateid.stateid));
	res->stateid.stateid.seqid = UINT32_MAX;
	c->has_cur_stateid = false;
	return NFS4_OK;
}

/* Only to what one of the OPENs before had asked for: section 18.18.3. */
static uint32_t downgrade(const struct nfs4_open_downgrade_args *a, struct state *st)
{
	uint32_t access = a->share_access & OPEN4_SHARE_ACCESS_BOTH;

	if (!access || a->share_access & ~(OPEN4_SHARE_ACCESS_BOTH | OPEN4_SHARE_ACCESS_WANT_MASK))
		return NFS4ERR_INVAL;
	if (a->share_deny > OPEN4_SHARE_DENY_BOTH)
		return NFS4ERR_INVAL;
	if ((access & ~st->access) || (a->share_deny & ~st->deny))
		return NFS4ERR_INVAL;
	if (!(st->accesses & 1u << access) || !(st->denies & 1u << a->share_deny))
		return NFS4ERR_INVAL;
	st->access = access;
	st->deny = a->share_deny;
	for (uint32_t i = 1; i <= OPEN4_SHARE_ACCESS_BOTH; i++) {
		if (i & ~access)
			st->accesses &= (uint8_t) ~(1u << i);
		if (i & ~a->share_deny)
			st->denies &= (uint8_t) ~(1u << i);
	}
	st->seqid = next_seqid(st->seqid);
	return NFS4_OK;
}

uint32_t op_open_downgrade(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct state *st;
	uint32_t status;

	pthread_mutex_lock(&c->s->lock);
	status = of_current(c, &args->open_downgrade.stateid, &st);
	if (!status)
		status = downgrade(&args->open_downgrade, st);
	if (!status)
		state_id(st, &res->stateid.stateid);
	pthread_mutex_unlock(&c->s->lock);
	if (!status)
		set_stateid(c, &res->stateid.stateid);
	return status;
}

#define ANY_STATE (1u << STATE_OPEN | 1u << STATE_LOCK | 1u << STATE_DELEG)

uint32_t op_test_stateid(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfs4_test_stateid_args *a = &args->test_stateid;
	uint8_t *buf = data_room(c->w, c->data_used, (size_t)a->n * 4);
	struct xdr x;

	if (!buf)
		return NFS4ERR_REP_TOO_BIG;
	xdr_encode(&x, buf, (size_t)a->n * 4);
	pthread_mutex_lock(&c->s->lock);
	for (uint32_t i = 0; i < a->n; i++) {
		struct nfs4_stateid id = nfs4_stateid_at(a, i);
		struct state *st;

		xdr_put_u32(&x, state_find(c, &id, ANY_STATE, &st));
	}
	pthread_mutex_unlock(&c->s->lock);
	res->test_stateid.n = a->n;
	res->test_stateid.status = (struct xdr_bytes){buf, a->n * 4};
	c->data_used += ((size_t)a->n * 4 + 7) & ~(size_t)7;
	return NFS4_OK;
}

uint32_t op_free_stateid(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct nfs4_stateid id;
	struct state *st;
	uint32_t status = stateid_resolve(c, false, &args->stateid.stateid, &id);

	if (status)
		return status;
	pthread_mutex_lock(&c->s->lock);
	status = state_find(c, &id, ANY_STATE, &st);
	if (!status && st->type != STATE_LOCK)
		status = NFS4ERR_LOCKS_HELD;
	else if (status == NFS4ERR_DELEG_REVOKED) /* the client has taken note of it */
		status = NFS4_OK;
	for (const struct range *r = status ? NULL : st->file->ranges; r && !status; r = r->next)
		if (r->lock == st)
			status = NFS4ERR_LOCKS_HELD;
	if (!status)
		state_drop(c->s, st);
	pthread_mutex_unlock(&c->s->lock);
	return status;
}
