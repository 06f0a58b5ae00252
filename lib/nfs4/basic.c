// SPDX-License-Identifier: GPL-2.0-or-later
/* basic.c - the small types of RFC 8881 section 3 and RFC 7862 section 3.1. */
#include <string.h>

#include "lib/nfs4/proto.h"

#define WORDS_MAX 32u	     /* of a bitmap on the wire */
#define FATTR_MAX (1u << 17) /* bytes of attribute values: an ACL is the largest */

void nfs4_stateid(struct xdr *x, struct nfs4_stateid *stateid)
{
	xdr_u32(x, &stateid->seqid);
	xdr_fixed(x, stateid->other, sizeof(stateid->other));
}

void nfs4_fh(struct xdr *x, struct nfs4_fh *fh)
{
	xdr_buf(x, fh->data, &fh->len, NFS4_FHSIZE);
}

/* Zero words at the end are left out; words beyond those that have names are only looked at. */
void nfs4_bitmap(struct xdr *x, struct nfs4_bitmap *map)
{
	uint32_t n = NFS4_MAP_WORDS;

	if (x->encode)
		while (n && !map->word[n - 1])
			n--;
	else
		memset(map, 0, sizeof(*map));
	xdr_count(x, &n, WORDS_MAX);
	for (uint32_t i = 0; i < n; i++) {
		if (i < NFS4_MAP_WORDS)
			xdr_u32(x, &map->word[i]);
		else if (xdr_get_u32(x))
			map->beyond = true;
	}
}

void nfs4_time(struct xdr *x, struct nfs4_time *time)
{
	xdr_i64(x, &time->sec);
	xdr_u32(x, &time->nsec);
}

void nfs4_fattr(struct xdr *x, struct nfs4_fattr *fattr)
{
	nfs4_bitmap(x, &fattr->map);
	xdr_var(x, &fattr->vals, FATTR_MAX);
}

void nfs4_change_info(struct xdr *x, struct nfs4_change_info *cinfo)
{
	xdr_bool(x, &cinfo->atomic);
	xdr_u64(x, &cinfo->before);
	xdr_u64(x, &cinfo->after);
}

void nfs4_owner(struct xdr *x, struct nfs4_owner *owner)
{
	xdr_u64(x, &owner->clientid);
	xdr_var(x, &owner->owner, NFS4_OPAQUE_LIMIT);
}

void nfs4_name(struct xdr *x, struct xdr_bytes *name)
{
	xdr_var(x, name, NFS4_OPAQUE_LIMIT);
}

void nfs4_netloc(struct xdr *x, struct nfs4_netloc *loc)
{
	xdr_u32(x, &loc->type);
	if (loc->type < NL4_NAME || loc->type > NL4_NETADDR)
		xdr_fail(x);
	nfs4_name(x, &loc->name);
	if (loc->type == NL4_NETADDR)
		nfs4_name(x, &loc->uaddr);
	else if (!x->encode)
		loc->uaddr = (struct xdr_bytes){NULL, 0};
}

void nfs4_netlocs(struct xdr *x, struct nfs4_netlocs *locs)
{
	xdr_count(x, &locs->n, NFS4_NETLOCS_MAX);
	for (uint32_t i = 0; i < locs->n; i++)
		nfs4_netloc(x, &locs->loc[i]);
}

void nfs4_write_response(struct xdr *x, struct nfs4_write_response *w)
{
	uint32_t n = x->encode && w->async;

	xdr_count(x, &n, 1);
	w->async = n == 1;
	if (w->async)
		nfs4_stateid(x, &w->callback);
	xdr_u64(x, &w->count);
	xdr_u32(x, &w->committed);
	xdr_fixed(x, w->verf, sizeof(w->verf));
}
