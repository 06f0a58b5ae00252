// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lock.c - byte ranges: RFC 8881 sections 18.10 to 18.12.
 *
 * Kept here alone: programs on the server itself do not see them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nfsd/export.h"
#include "nfsd/state.h"

struct span {
	uint64_t from, to; /* to: the last byte */
	bool write;
};

static uint32_t take_span(uint32_t type, uint64_t offset, uint64_t length, struct span *sp)
{
	if (!length)
		return NFS4ERR_INVAL;
	sp->from = offset;
	sp->to = length == UINT64_MAX ? UINT64_MAX : offset + length - 1;
	sp->write = type == WRITE_LT || type == WRITEW_LT;
	return sp->to < offset ? NFS4ERR_INVAL : NFS4_OK;
}

static bool same_lock_owner(const struct state *lock, const struct client *client,
			    const struct xdr_bytes *owner)
{
	return lock->client == client && owner_is(lock, owner);
}

/* What is in the way, but for the ranges of @owner. Clients out of courtesy lose theirs. */
static struct range *in_the_way(struct compound *c, const struct nfs4_fh *fh, const struct span *sp,
				const struct xdr_bytes *owner)
{
	struct sfile *f;
	struct range *r;

again:
	f = sfile_find(c->s, fh, false);
	for (r = f ? f->ranges : NULL; r; r = r->next) {
		if (r->to < sp->from || r->from > sp->to || !(r->write || sp->write))
			continue;
		if (same_lock_owner(r->lock, c->client, owner))
			continue;
		if (!r->lock->client->courtesy)
			return r;
		db_remove_client(c->s, &r->lock->client->owner);
		client_drop(c->s, r->lock->client);
		goto again;
	}
	return NULL;
}

static void say_denied(const struct range *r, struct nfs4_lock_denied *d)
{
	d->offset = r->from;
	d->length = r->to == UINT64_MAX ? UINT64_MAX : r->to - r->from + 1;
	d->type = r->write ? WRITE_LT : READ_LT;
	d->owner.clientid = r->lock->client->id;
	d->owner.owner = (struct xdr_bytes){r->lock->owner.data, r->lock->owner.len};
}

static struct range *range_new(struct compound *c)
{
	return c->s->state->nranges < LOCKS_MAX ? malloc(sizeof(struct range)) : NULL;
}

static void range_add(struct compound *c, struct range *r, struct state *lock,
		      const struct span *sp)
{
	*r = (struct range){.next = lock->file->ranges,
			    .from = sp->from,
			    .to = sp->to,
			    .write = sp->write,
			    .lock = lock};
	lock->file->ranges = r;
	c->s->state->nranges++;
}

static void range_free(struct nfsd *s, struct range **at)
{
	struct range *r = *at;

	*at = r->next;
	free(r);
	s->state->nranges--;
}

/*
 * Takes @sp out of the ranges of @lock.  A range that it splits needs one more,
 * which is made before anything is changed.
 */
static uint32_t carve(struct compound *c, struct state *lock, const struct span *sp)
{
	struct range **at = &lock->file->ranges, *r;

	for (r = *at; r; r = r->next)
		if (r->lock == lock && r->from < sp->from && r->to > sp->to) {
			const struct span rest = {sp->to + 1, r->to, r->write};
			struct range *more = range_new(c);

			if (!more)
				return NFS4ERR_RESOURCE;
			range_add(c, more, lock, &rest);
			r->to = sp->from - 1;
			return NFS4_OK;
		}
	while ((r = *at)) {
		if (r->lock != lock || r->to < sp->from || r->from > sp->to) {
			at = &r->next;
		} else if (r->from >= sp->from && r->to <= sp->to) {
			range_free(c->s, at);
		} else {
			if (r->from < sp->from)
				r->to = sp->from - 1;
			else
				r->from = sp->to + 1;
			at = &r->next;
		}
	}
	return NFS4_OK;
}

void ranges_drop(struct nfsd *s, struct state *lock)
{
	struct range **at = &lock->file->ranges;

	while (*at) {
		if ((*at)->lock == lock)
			range_free(s, at);
		else
			at = &(*at)->next;
	}
}

/* Room for the new range first: an error leaves what was held before. */
static uint32_t put(struct compound *c, struct state *lock, const struct span *sp)
{
	struct range *r = range_new(c);
	uint32_t status = r ? carve(c, lock, sp) : NFS4ERR_RESOURCE;

	if (status)
		free(r);
	else
		range_add(c, r, lock, sp);
	return status;
}

static struct state *lock_of(const struct state *open, const struct client *client,
			     const struct xdr_bytes *owner)
{
	for (struct state *st = open->file->states; st; st = st->of_file)
		if (st->type == STATE_LOCK && st->open == open &&
		    same_lock_owner(st, client, owner))
			return st;
	return NULL;
}

static bool here(const struct compound *c, const struct state *st)
{
	return st->file->fh.len == c->cur->fh.len &&
	       !memcmp(st->file->fh.data, c->cur->fh.data, c->cur->fh.len);
}

/* The open that the lock is made under, and the lock's own state where there is one. */
static uint32_t find(struct compound *c, const struct nfs4_lock_args *a, struct state **openp,
		     struct state **lockp)
{
	struct nfs4_stateid id;
	uint32_t status;

	*lockp = NULL;
	if (a->new_owner) {
		status = stateid_resolve(c, false, &a->open_stateid, &id);
		if (!status)
			status = state_find(c, &id, 1u << STATE_OPEN, openp);
		if (!status)
			*lockp = lock_of(*openp, c->client, &a->owner.owner);
	} else {
		status = stateid_resolve(c, false, &a->lock_stateid, &id);
		if (!status)
			status = state_find(c, &id, 1u << STATE_LOCK, lockp);
		if (!status)
			*openp = (*lockp)->open;
	}
	if (!status && !here(c, *openp))
		status = NFS4ERR_BAD_STATEID;
	return status;
}

static uint32_t check_grace(const struct compound *c, const struct nfs4_lock_args *a)
{
	bool grace = in_grace(c->s);

	if (a->reclaim && (!grace || c->client->reclaim_done))
		return NFS4ERR_NO_GRACE;
	if (a->reclaim && !c->client->may_reclaim)
		return NFS4ERR_RECLAIM_BAD;
	if (a->reclaim)
		grace_more(c->s);
	return !a->reclaim && grace ? NFS4ERR_GRACE : NFS4_OK;
}

static uint32_t lock(struct compound *c, const struct nfs4_lock_args *a, struct nfs4_lock_res *r)
{
	struct xdr_bytes owner;
	struct state *open, *st;
	struct range *other;
	struct span sp;
	uint32_t status = take_span(a->type, a->offset, a->length, &sp);
	bool made = false;

	if (!status)
		status = find(c, a, &open, &st);
	if (!status)
		status = check_grace(c, a);
	if (status)
		return status;
	if (sp.write && !(open->access & OPEN4_SHARE_ACCESS_WRITE))
		return NFS4ERR_OPENMODE;
	if (!sp.write && !(open->access & OPEN4_SHARE_ACCESS_READ))
		return NFS4ERR_OPENMODE;
	owner = st ? (struct xdr_bytes){st->owner.data, st->owner.len} : a->owner.owner;
	other = in_the_way(c, &c->cur->fh, &sp, &owner);
	if (other) {
		say_denied(other, &r->denied);
		return NFS4ERR_DENIED;
	}
	if (!st) {
		st = state_new(c->s, c->client, open->file, STATE_LOCK, &owner);
		if (!st)
			return NFS4ERR_RESOURCE;
		st->open = open;
		made = true;
	}
	status = put(c, st, &sp);
	if (status) {
		if (made)
			state_drop(c->s, st);
		return status;
	}
	st->seqid = st->seqid == UINT32_MAX ? 1 : st->seqid + 1;
	state_id(st, &r->stateid);
	return NFS4_OK;
}

static uint32_t regular(struct compound *c)
{
	const struct statx *stx;
	uint32_t status = c->cur->node ? NFS4ERR_ISDIR : obj_stat(c, c->cur, &stx);

	if (status || S_ISREG(stx->stx_mode))
		return status;
	return S_ISDIR(stx->stx_mode)	? NFS4ERR_ISDIR
	       : S_ISLNK(stx->stx_mode) ? NFS4ERR_SYMLINK
					: NFS4ERR_WRONG_TYPE;
}

/* A result that names an owner is copied before the lock goes: that owner may go too. */
static void keep_owner(struct compound *c, struct nfs4_lock_denied *d)
{
	uint32_t len = d->owner.owner.len;
	void *buf = data_room(c->w, c->data_used, len);

	if (buf && len)
		memcpy(buf, d->owner.owner.data, len);
	d->owner.owner = (struct xdr_bytes){buf, buf ? len : 0};
	c->data_used += (len + 7u) & ~7u;
}

uint32_t op_lock(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	uint32_t status = regular(c);

	if (status)
		return status;
	pthread_mutex_lock(&c->s->lock);
	status = c->client->gone ? NFS4ERR_EXPIRED : lock(c, &args->lock, &res->lock);
	if (status == NFS4ERR_DENIED)
		keep_owner(c, &res->lock.denied);
	pthread_mutex_unlock(&c->s->lock);
	if (!status)
		set_stateid(c, &res->lock.stateid);
	return status;
}

uint32_t op_lockt(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfs4_lockt_args *a = &args->lockt;
	struct range *other = NULL;
	struct span sp;
	uint32_t status = take_span(a->type, a->offset, a->length, &sp);

	if (!status)
		status = regular(c);
	if (status)
		return status;
	pthread_mutex_lock(&c->s->lock);
	if (in_grace(c->s))
		status = NFS4ERR_GRACE;
	else
		other = in_the_way(c, &c->cur->fh, &sp, &a->owner.owner);
	if (other) {
		say_denied(other, &res->lock.denied);
		keep_owner(c, &res->lock.denied);
		status = NFS4ERR_DENIED;
	}
	pthread_mutex_unlock(&c->s->lock);
	return status;
}

uint32_t op_locku(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfs4_locku_args *a = &args->locku;
	struct nfs4_stateid id;
	struct state *st;
	struct span sp;
	uint32_t status = take_span(a->type, a->offset, a->length, &sp);

	if (!status)
		status = stateid_resolve(c, false, &a->stateid, &id);
	if (status)
		return status;
	pthread_mutex_lock(&c->s->lock);
	status = state_find(c, &id, 1u << STATE_LOCK, &st);
	if (!status && !here(c, st))
		status = NFS4ERR_BAD_STATEID;
	if (!status)
		status = carve(c, st, &sp);
	if (!status) {
		st->seqid = st->seqid == UINT32_MAX ? 1 : st->seqid + 1;
		state_id(st, &res->stateid.stateid);
	}
	pthread_mutex_unlock(&c->s->lock);
	if (!status)
		set_stateid(c, &res->stateid.stateid);
	return status;
}
