// SPDX-License-Identifier: GPL-2.0-or-later
/* compound.c - COMPOUND and CB_COMPOUND around operations: RFC 8881 sections 16.2 and 20. */
#include <errno.h>
#include <string.h>

#include "lib/nfs4/proto.h"

static const struct nfs4_op *row(bool cb, uint32_t op)
{
	return cb ? nfs4_cb_op(op) : nfs4_op(op);
}

void nfs4_call_begin(struct xdr *x, struct nfs4_call_head *head)
{
	nfs4_name(x, &head->tag);
	xdr_u32(x, &head->minor);
	if (head->cb)
		xdr_u32(x, &head->ident);
	head->mark = xdr_mark(x);
	if (x->encode)
		head->nops = 0;
	xdr_count(x, &head->nops, NFS4_OPS_MAX);
}

void nfs4_put_op(struct xdr *x, struct nfs4_call_head *head, uint32_t op, void *args)
{
	const struct nfs4_op *r = row(head->cb, op);

	xdr_put_u32(x, op);
	if (r && r->args)
		r->args(x, args);
	else
		xdr_fail(x);
	head->nops++;
}

void nfs4_call_end(struct xdr *x, struct nfs4_call_head *head)
{
	xdr_patch_u32(x, head->mark, head->nops);
}

void nfs4_reply_begin(struct xdr *x, struct nfs4_reply_head *head)
{
	if (x->encode) {
		head->status = NFS4_OK;
		head->nres = 0;
	}
	head->mark = xdr_mark(x);
	xdr_u32(x, &head->status);
	nfs4_name(x, &head->tag);
	xdr_count(x, &head->nres, NFS4_OPS_MAX);
}

void nfs4_put_res(struct xdr *x, struct nfs4_reply_head *head, uint32_t op, uint32_t status,
		  void *res)
{
	const struct nfs4_op *r = row(head->cb, op);

	xdr_put_u32(x, op);
	xdr_put_u32(x, status);
	if (r && r->res)
		r->res(x, res, status);
	head->nres++;
	head->status = status;
}

/* The status, the tag with its length, and the count stand one after the other. */
void nfs4_reply_end(struct xdr *x, struct nfs4_reply_head *head)
{
	size_t tag = 4 + ((head->tag.len + 3u) & ~3u);

	xdr_patch_u32(x, head->mark, head->status);
	xdr_patch_u32(x, head->mark + 4 + tag, head->nres);
}

uint32_t nfs4_get_res(struct xdr *x, const struct nfs4_reply_head *head, uint32_t op, void *res)
{
	const struct nfs4_op *r = row(head->cb, op);
	uint32_t got = xdr_get_u32(x), status = xdr_get_u32(x);

	/* An operation the server does not know is answered as ILLEGAL. */
	if (!x->error && got == OP_ILLEGAL && status == NFS4ERR_OP_ILLEGAL)
		return status;
	if (!r || !r->res || got != op) {
		xdr_fail(x);
		return NFS4ERR_BADXDR;
	}
	if (!x->error)
		r->res(x, res, status);
	return x->error ? NFS4ERR_BADXDR : status;
}
