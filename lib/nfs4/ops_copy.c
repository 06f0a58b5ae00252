// SPDX-License-Identifier: GPL-2.0-or-later
/* ops_copy.c - copies: RFC 7862 sections 15.2 to 15.13. */
#include "lib/nfs4/ops.h"

void x_copy(struct xdr *x, void *p)
{
	struct nfs4_copy_args *a = p;

	nfs4_stateid(x, &a->src);
	nfs4_stateid(x, &a->dst);
	xdr_u64(x, &a->src_offset);
	xdr_u64(x, &a->dst_offset);
	xdr_u64(x, &a->count);
	xdr_bool(x, &a->consecutive);
	xdr_bool(x, &a->synchronous);
	nfs4_netlocs(x, &a->source);
}

void r_copy(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_copy_res *res = p;

	if (status != NFS4_OK && status != NFS4ERR_OFFLOAD_NO_REQS)
		return;
	if (status == NFS4_OK)
		nfs4_write_response(x, &res->write);
	xdr_bool(x, &res->consecutive);
	xdr_bool(x, &res->synchronous);
}

void x_copy_notify(struct xdr *x, void *p)
{
	struct nfs4_copy_notify_args *a = p;

	nfs4_stateid(x, &a->src);
	nfs4_netloc(x, &a->dst);
}

void r_copy_notify(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_copy_notify_res *res = p;

	if (status != NFS4_OK)
		return;
	nfs4_time(x, &res->lease);
	nfs4_stateid(x, &res->stateid);
	nfs4_netlocs(x, &res->source);
}

void r_offload_status(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_offload_status_res *res = p;
	uint32_t n = x->encode && res->complete;

	if (status != NFS4_OK)
		return;
	xdr_u64(x, &res->count);
	xdr_count(x, &n, 1);
	res->complete = n == 1;
	if (res->complete)
		xdr_u32(x, &res->status);
}

void x_clone(struct xdr *x, void *p)
{
	struct nfs4_clone_args *a = p;

	nfs4_stateid(x, &a->src);
	nfs4_stateid(x, &a->dst);
	xdr_u64(x, &a->src_offset);
	xdr_u64(x, &a->dst_offset);
	xdr_u64(x, &a->count);
}
