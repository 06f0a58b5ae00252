// SPDX-License-Identifier: GPL-2.0-or-later
/* ops_session.c - clients and sessions: RFC 8881 sections 18.33 to 18.51. */
#include <string.h>

#include "lib/nfs4/ops.h"

#define LIST_MAX    32u /* algorithms, handles, security parameters of one call */
#define MACHINE_MAX 255u
#define GROUPS_MAX  16u

static void impl_id(struct xdr *x, struct nfs4_impl_id *impl)
{
	uint32_t n = x->encode && impl->given;

	xdr_count(x, &n, 1);
	impl->given = n == 1;
	if (!impl->given)
		return;
	nfs4_name(x, &impl->domain);
	nfs4_name(x, &impl->name);
	nfs4_time(x, &impl->date);
}

static void skip_list(struct xdr *x)
{
	struct xdr_bytes item;
	uint32_t n = 0;

	xdr_count(x, &n, LIST_MAX);
	for (uint32_t i = 0; i < n; i++)
		nfs4_name(x, &item);
}

/* Nobody here speaks SP4_SSV: its parameters are stepped over, and never sent. */
static void ssv_parms(struct xdr *x)
{
	if (x->encode) {
		xdr_fail(x);
		return;
	}
	skip_list(x);
	skip_list(x);
	xdr_get_u32(x);
	xdr_get_u32(x);
}

static void protect_args(struct xdr *x, struct nfs4_exchange_id_args *a)
{
	xdr_u32(x, &a->protect);
	if (a->protect > SP4_SSV)
		xdr_fail(x);
	if (a->protect == SP4_NONE)
		return;
	nfs4_bitmap(x, &a->must_enforce);
	nfs4_bitmap(x, &a->may_allow);
	if (a->protect == SP4_SSV)
		ssv_parms(x);
}

void x_exchange_id(struct xdr *x, void *p)
{
	struct nfs4_exchange_id_args *a = p;

	xdr_fixed(x, a->verf, sizeof(a->verf));
	xdr_var(x, &a->owner, NFS4_OPAQUE_LIMIT);
	xdr_u32(x, &a->flags);
	protect_args(x, a);
	impl_id(x, &a->impl);
}

void r_exchange_id(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_exchange_id_res *res = p;

	if (status != NFS4_OK)
		return;
	xdr_u64(x, &res->clientid);
	xdr_u32(x, &res->seqid);
	xdr_u32(x, &res->flags);
	xdr_u32(x, &res->protect);
	if (res->protect > SP4_MACH_CRED)
		xdr_fail(x);
	if (res->protect == SP4_MACH_CRED) {
		nfs4_bitmap(x, &res->must_enforce);
		nfs4_bitmap(x, &res->may_allow);
	}
	xdr_u64(x, &res->server_minor);
	xdr_var(x, &res->server_major, NFS4_OPAQUE_LIMIT);
	xdr_var(x, &res->scope, NFS4_OPAQUE_LIMIT);
	impl_id(x, &res->impl);
}

static void channel(struct xdr *x, struct nfs4_channel *ch)
{
	xdr_u32(x, &ch->headerpad);
	xdr_u32(x, &ch->maxrequest);
	xdr_u32(x, &ch->maxresponse);
	xdr_u32(x, &ch->maxresponse_cached);
	xdr_u32(x, &ch->maxops);
	xdr_u32(x, &ch->maxrequests);
	xdr_count(x, &ch->nrdma, 1);
	if (ch->nrdma)
		xdr_u32(x, &ch->rdma);
}

/* authsys_parms: who calls back needs uid and gid alone. */
static void auth_sys(struct xdr *x, struct nfs4_cb_sec *sec)
{
	struct xdr_bytes machine = {NULL, 0};
	uint32_t stamp = 0, n = 0;

	xdr_u32(x, &stamp);
	xdr_var(x, &machine, MACHINE_MAX);
	xdr_u32(x, &sec->uid);
	xdr_u32(x, &sec->gid);
	xdr_count(x, &n, GROUPS_MAX);
	for (uint32_t i = 0; i < n; i++)
		xdr_get_u32(x);
}

static void cb_sec(struct xdr *x, struct nfs4_cb_sec *sec)
{
	struct xdr_bytes handle;

	xdr_u32(x, &sec->flavor);
	switch (sec->flavor) {
	case 0: /* AUTH_NONE */
		break;
	case 1: /* AUTH_SYS */
		auth_sys(x, sec);
		break;
	case 6: /* RPCSEC_GSS: service and two handles, which nobody here uses */
		if (x->encode)
			xdr_fail(x);
		xdr_get_u32(x);
		nfs4_name(x, &handle);
		nfs4_name(x, &handle);
		break;
	default:
		xdr_fail(x);
	}
}

static void cb_secs(struct xdr *x, uint32_t *count, struct nfs4_cb_sec *sec)
{
	uint32_t n = *count;
	struct nfs4_cb_sec more;

	xdr_count(x, &n, x->encode ? NFS4_SECS_MAX : LIST_MAX);
	for (uint32_t i = 0; i < n && !x->error; i++)
		cb_sec(x, i < NFS4_SECS_MAX ? &sec[i] : &more);
	*count = n < NFS4_SECS_MAX ? n : NFS4_SECS_MAX;
}

void x_create_session(struct xdr *x, void *p)
{
	struct nfs4_create_session_args *a = p;

	xdr_u64(x, &a->clientid);
	xdr_u32(x, &a->seqid);
	xdr_u32(x, &a->flags);
	channel(x, &a->fore);
	channel(x, &a->back);
	xdr_u32(x, &a->cb_program);
	cb_secs(x, &a->nsecs, a->sec);
}

void r_create_session(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_create_session_res *res = p;

	if (status != NFS4_OK)
		return;
	xdr_fixed(x, res->sessionid, sizeof(res->sessionid));
	xdr_u32(x, &res->seqid);
	xdr_u32(x, &res->flags);
	channel(x, &res->fore);
	channel(x, &res->back);
}

void x_sessionid(struct xdr *x, void *p)
{
	xdr_fixed(x, ((struct nfs4_sessionid_args *)p)->sessionid, NFS4_SESSIONID_SIZE);
}

void x_bind_conn(struct xdr *x, void *p)
{
	struct nfs4_bind_conn *a = p;

	xdr_fixed(x, a->sessionid, sizeof(a->sessionid));
	xdr_u32(x, &a->dir);
	xdr_bool(x, &a->rdma);
}

void r_bind_conn(struct xdr *x, void *p, uint32_t status)
{
	if (status == NFS4_OK)
		x_bind_conn(x, p);
}

void x_backchannel_ctl(struct xdr *x, void *p)
{
	struct nfs4_backchannel_ctl_args *a = p;

	xdr_u32(x, &a->cb_program);
	cb_secs(x, &a->nsecs, a->sec);
}

void x_sequence(struct xdr *x, void *p)
{
	struct nfs4_sequence_args *a = p;

	xdr_fixed(x, a->sessionid, sizeof(a->sessionid));
	xdr_u32(x, &a->seqid);
	xdr_u32(x, &a->slot);
	xdr_u32(x, &a->highest_slot);
	xdr_bool(x, &a->cachethis);
}

void r_sequence(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_sequence_res *res = p;

	if (status != NFS4_OK)
		return;
	xdr_fixed(x, res->sessionid, sizeof(res->sessionid));
	xdr_u32(x, &res->seqid);
	xdr_u32(x, &res->slot);
	xdr_u32(x, &res->highest_slot);
	xdr_u32(x, &res->target_slot);
	xdr_u32(x, &res->status_flags);
}

void x_reclaim_complete(struct xdr *x, void *p)
{
	xdr_bool(x, &((struct nfs4_reclaim_complete_args *)p)->one_fs);
}
