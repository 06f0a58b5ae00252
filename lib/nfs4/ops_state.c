// SPDX-License-Identifier: GPL-2.0-or-later
/* ops_state.c - opens, locks, stateids: RFC 8881 section 18. */
#include <string.h>

#include "lib/nfs4/ops.h"

#define STATEIDS_MAX 4096u
#define STATEID_WIRE 16u

static void open_how(struct xdr *x, struct nfs4_open_args *a)
{
	xdr_u32(x, &a->opentype);
	if (a->opentype == OPEN4_NOCREATE)
		return;
	if (a->opentype != OPEN4_CREATE)
		xdr_fail(x);
	xdr_u32(x, &a->createmode);
	switch (a->createmode) {
	case EXCLUSIVE4:
		xdr_fixed(x, a->createverf, sizeof(a->createverf));
		break;
	case EXCLUSIVE4_1:
		xdr_fixed(x, a->createverf, sizeof(a->createverf));
		nfs4_fattr(x, &a->createattrs);
		break;
	case UNCHECKED4:
	case GUARDED4:
		nfs4_fattr(x, &a->createattrs);
		break;
	default:
		xdr_fail(x);
	}
}

static void open_claim(struct xdr *x, struct nfs4_open_args *a)
{
	xdr_u32(x, &a->claim);
	switch (a->claim) {
	case CLAIM_NULL:
	case CLAIM_DELEGATE_PREV:
		nfs4_name(x, &a->name);
		break;
	case CLAIM_PREVIOUS:
		xdr_u32(x, &a->delegate_type);
		break;
	case CLAIM_DELEGATE_CUR:
		nfs4_stateid(x, &a->delegation);
		nfs4_name(x, &a->name);
		break;
	case CLAIM_DELEG_CUR_FH:
		nfs4_stateid(x, &a->delegation);
		break;
	case CLAIM_FH:
	case CLAIM_DELEG_PREV_FH:
		break;
	default:
		xdr_fail(x);
	}
}

void x_open(struct xdr *x, void *p)
{
	struct nfs4_open_args *a = p;

	xdr_u32(x, &a->seqid);
	xdr_u32(x, &a->share_access);
	xdr_u32(x, &a->share_deny);
	nfs4_owner(x, &a->owner);
	open_how(x, a);
	open_claim(x, a);
}

static void ace(struct xdr *x, struct nfs4_ace *a)
{
	xdr_u32(x, &a->type);
	xdr_u32(x, &a->flag);
	xdr_u32(x, &a->mask);
	nfs4_name(x, &a->who);
}

static void space_limit(struct xdr *x, struct nfs4_delegation *d)
{
	xdr_u32(x, &d->limit_by);
	if (d->limit_by == 1) {
		xdr_u64(x, &d->limit_size);
	} else if (d->limit_by == 2) {
		xdr_u32(x, &d->limit_blocks);
		xdr_u32(x, &d->limit_block_bytes);
	} else {
		xdr_fail(x);
	}
}

static void delegation(struct xdr *x, struct nfs4_delegation *d)
{
	xdr_u32(x, &d->type);
	switch (d->type) {
	case OPEN_DELEGATE_NONE:
		break;
	case OPEN_DELEGATE_READ:
	case OPEN_DELEGATE_WRITE:
		nfs4_stateid(x, &d->stateid);
		xdr_bool(x, &d->recall);
		if (d->type == OPEN_DELEGATE_WRITE)
			space_limit(x, d);
		ace(x, &d->ace);
		break;
	case OPEN_DELEGATE_NONE_EXT:
		xdr_u32(x, &d->why);
		if (d->why == WND4_CONTENTION || d->why == WND4_RESOURCE)
			xdr_bool(x, &d->will_signal);
		break;
	default:
		xdr_fail(x);
	}
}

void r_open(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_open_res *res = p;

	if (status != NFS4_OK)
		return;
	nfs4_stateid(x, &res->stateid);
	nfs4_change_info(x, &res->cinfo);
	xdr_u32(x, &res->rflags);
	nfs4_bitmap(x, &res->attrset);
	delegation(x, &res->delegation);
}

void x_close(struct xdr *x, void *p)
{
	struct nfs4_close_args *a = p;

	xdr_u32(x, &a->seqid);
	nfs4_stateid(x, &a->stateid);
}

void x_open_downgrade(struct xdr *x, void *p)
{
	struct nfs4_open_downgrade_args *a = p;

	nfs4_stateid(x, &a->stateid);
	xdr_u32(x, &a->seqid);
	xdr_u32(x, &a->share_access);
	xdr_u32(x, &a->share_deny);
}

static void lock_type(struct xdr *x, uint32_t *type)
{
	xdr_u32(x, type);
	if (*type < READ_LT || *type > WRITEW_LT)
		xdr_fail(x);
}

void x_lock(struct xdr *x, void *p)
{
	struct nfs4_lock_args *a = p;

	lock_type(x, &a->type);
	xdr_bool(x, &a->reclaim);
	xdr_u64(x, &a->offset);
	xdr_u64(x, &a->length);
	xdr_bool(x, &a->new_owner);
	if (a->new_owner) {
		xdr_u32(x, &a->open_seqid);
		nfs4_stateid(x, &a->open_stateid);
		xdr_u32(x, &a->lock_seqid);
		nfs4_owner(x, &a->owner);
	} else {
		nfs4_stateid(x, &a->lock_stateid);
		xdr_u32(x, &a->lock_seqid);
	}
}

static void lock_denied(struct xdr *x, struct nfs4_lock_denied *d)
{
	xdr_u64(x, &d->offset);
	xdr_u64(x, &d->length);
	lock_type(x, &d->type);
	nfs4_owner(x, &d->owner);
}

void r_lock(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_lock_res *res = p;

	if (status == NFS4_OK)
		nfs4_stateid(x, &res->stateid);
	else if (status == NFS4ERR_DENIED)
		lock_denied(x, &res->denied);
}

void x_lockt(struct xdr *x, void *p)
{
	struct nfs4_lockt_args *a = p;

	lock_type(x, &a->type);
	xdr_u64(x, &a->offset);
	xdr_u64(x, &a->length);
	nfs4_owner(x, &a->owner);
}

void r_lockt(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_lock_res *res = p;

	if (status == NFS4ERR_DENIED)
		lock_denied(x, &res->denied);
}

void x_locku(struct xdr *x, void *p)
{
	struct nfs4_locku_args *a = p;

	lock_type(x, &a->type);
	xdr_u32(x, &a->seqid);
	nfs4_stateid(x, &a->stateid);
	xdr_u64(x, &a->offset);
	xdr_u64(x, &a->length);
}

/* A counted list of items of @size bytes each, taken as it is. */
static void items(struct xdr *x, uint32_t *n, struct xdr_bytes *bytes, uint32_t size)
{
	xdr_count(x, n, STATEIDS_MAX);
	bytes->len = *n * size;
	xdr_raw(x, bytes);
	if (!x->encode && x->error)
		*n = 0;
}

void x_test_stateid(struct xdr *x, void *p)
{
	struct nfs4_test_stateid_args *a = p;

	items(x, &a->n, &a->stateids, STATEID_WIRE);
}

void r_test_stateid(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_test_stateid_res *res = p;

	if (status == NFS4_OK)
		items(x, &res->n, &res->status, 4);
}

struct nfs4_stateid nfs4_stateid_at(const struct nfs4_test_stateid_args *args, uint32_t i)
{
	struct nfs4_stateid stateid;
	struct xdr x;

	xdr_decode(&x, (const char *)args->stateids.data + (size_t)i * STATEID_WIRE, STATEID_WIRE);
	nfs4_stateid(&x, &stateid);
	return stateid;
}

uint32_t nfs4_status_at(const struct nfs4_test_stateid_res *res, uint32_t i)
{
	struct xdr x;

	xdr_decode(&x, (const char *)res->status.data + (size_t)i * 4, 4);
	return xdr_get_u32(&x);
}
