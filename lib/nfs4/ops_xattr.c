// SPDX-License-Identifier: GPL-2.0-or-later
/* ops_xattr.c - extended attributes: RFC 8276 section 8.4. */
#include "lib/nfs4/ops.h"

#define NAMES_MAX 65536u

void r_getxattr(struct xdr *x, void *p, uint32_t status)
{
	if (status == NFS4_OK)
		xdr_var(x, &((struct nfs4_getxattr_res *)p)->value, NFS4_XATTR_MAX);
}

/* A value may be longer than is served: XATTR2BIG is the answer then, not BADXDR. */
void x_setxattr(struct xdr *x, void *p)
{
	struct nfs4_setxattr_args *a = p;

	xdr_u32(x, &a->option);
	if (a->option > SETXATTR4_REPLACE)
		xdr_fail(x);
	nfs4_name(x, &a->name);
	xdr_var(x, &a->value, UINT32_MAX);
}

void x_listxattrs(struct xdr *x, void *p)
{
	struct nfs4_listxattrs_args *a = p;

	xdr_u64(x, &a->cookie);
	xdr_u32(x, &a->maxcount);
}

void r_listxattrs(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_listxattrs_res *res = p;
	struct xdr_bytes name;
	const uint8_t *from;

	if (status != NFS4_OK)
		return;
	xdr_u64(x, &res->cookie);
	xdr_count(x, &res->n, NAMES_MAX);
	if (x->encode) {
		xdr_raw(x, &res->names);
	} else {
		from = x->p;
		for (uint32_t i = 0; i < res->n && !x->error; i++)
			nfs4_name(x, &name);
		res->names = (struct xdr_bytes){from, x->error ? 0 : (uint32_t)(x->p - from)};
	}
	xdr_bool(x, &res->eof);
}
