// SPDX-License-Identifier: GPL-2.0-or-later
/* ops_file.c - operations on names, directories and attributes: RFC 8881 section 18. */
#include <string.h>

#include "lib/nfs4/ops.h"

#define LINK_MAX_LEN  4096u
#define ENTRIES_MAX   (4u << 20) /* bytes of a directory's piece */
#define SECS_WIRE_MAX 32u

void x_none(struct xdr *x, void *p)
{
}

void r_none(struct xdr *x, void *p, uint32_t status)
{
}

void x_name(struct xdr *x, void *p)
{
	nfs4_name(x, &((struct nfs4_name_args *)p)->name);
}

void x_stateid(struct xdr *x, void *p)
{
	nfs4_stateid(x, &((struct nfs4_stateid_args *)p)->stateid);
}

void r_stateid(struct xdr *x, void *p, uint32_t status)
{
	if (status == NFS4_OK)
		x_stateid(x, p);
}

void x_clientid(struct xdr *x, void *p)
{
	xdr_u64(x, &((struct nfs4_clientid_args *)p)->clientid);
}

void r_change(struct xdr *x, void *p, uint32_t status)
{
	if (status == NFS4_OK)
		nfs4_change_info(x, &((struct nfs4_change_res *)p)->cinfo);
}

void x_access(struct xdr *x, void *p)
{
	xdr_u32(x, &((struct nfs4_access_args *)p)->access);
}

void r_access(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_access_res *res = p;

	if (status != NFS4_OK)
		return;
	xdr_u32(x, &res->supported);
	xdr_u32(x, &res->access);
}

void x_create(struct xdr *x, void *p)
{
	struct nfs4_create_args *a = p;

	xdr_u32(x, &a->type);
	if (a->type == NF4LNK) {
		xdr_var(x, &a->link, LINK_MAX_LEN);
	} else if (a->type == NF4BLK || a->type == NF4CHR) {
		xdr_u32(x, &a->major);
		xdr_u32(x, &a->minor);
	}
	nfs4_name(x, &a->name);
	nfs4_fattr(x, &a->attr);
}

void r_create(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_create_res *res = p;

	if (status != NFS4_OK)
		return;
	nfs4_change_info(x, &res->cinfo);
	nfs4_bitmap(x, &res->attrset);
}

void x_map(struct xdr *x, void *p)
{
	nfs4_bitmap(x, &((struct nfs4_map_args *)p)->map);
}

void x_fattr(struct xdr *x, void *p)
{
	nfs4_fattr(x, &((struct nfs4_fattr_args *)p)->attr);
}

void r_fattr(struct xdr *x, void *p, uint32_t status)
{
	if (status == NFS4_OK)
		x_fattr(x, p);
}

void x_fh(struct xdr *x, void *p)
{
	nfs4_fh(x, &((struct nfs4_fh_args *)p)->fh);
}

void r_fh(struct xdr *x, void *p, uint32_t status)
{
	if (status == NFS4_OK)
		x_fh(x, p);
}

void r_readlink(struct xdr *x, void *p, uint32_t status)
{
	if (status == NFS4_OK)
		xdr_var(x, &((struct nfs4_name_args *)p)->name, LINK_MAX_LEN);
}

void x_rename(struct xdr *x, void *p)
{
	struct nfs4_rename_args *a = p;

	nfs4_name(x, &a->from);
	nfs4_name(x, &a->to);
}

void r_rename(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_rename_res *res = p;

	if (status != NFS4_OK)
		return;
	nfs4_change_info(x, &res->source);
	nfs4_change_info(x, &res->target);
}

void x_readdir(struct xdr *x, void *p)
{
	struct nfs4_readdir_args *a = p;

	xdr_u64(x, &a->cookie);
	xdr_fixed(x, a->verf, sizeof(a->verf));
	xdr_u32(x, &a->dircount);
	xdr_u32(x, &a->maxcount);
	nfs4_bitmap(x, &a->attrs);
}

void nfs4_entry(struct xdr *x, struct nfs4_entry *entry)
{
	xdr_u64(x, &entry->cookie);
	nfs4_name(x, &entry->name);
	nfs4_fattr(x, &entry->attr);
}

/*
 * On the wire each entry has a word "one more" before it; in entries, it is there
 * too: nfs4_entry() is what follows a word of 1.
 */
void r_readdir(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_readdir_res *res = p;
	struct nfs4_entry entry;
	const uint8_t *from;

	if (status != NFS4_OK)
		return;
	xdr_fixed(x, res->verf, sizeof(res->verf));
	if (x->encode) {
		xdr_raw(x, &res->entries);
		xdr_put_u32(x, 0);
	} else {
		from = x->p;
		while (xdr_get_u32(x) == 1)
			nfs4_entry(x, &entry);
		res->entries = (struct xdr_bytes){NULL, 0};
		if (!x->error && x->p - from <= ENTRIES_MAX)
			res->entries = (struct xdr_bytes){from, (uint32_t)(x->p - from) - 4};
		else
			xdr_fail(x);
	}
	xdr_bool(x, &res->eof);
}

void x_secinfo_no_name(struct xdr *x, void *p)
{
	xdr_u32(x, &((struct nfs4_secinfo_no_name_args *)p)->style);
}

static void secinfo(struct xdr *x, struct nfs4_secinfo *sec)
{
	xdr_u32(x, &sec->flavor);
	if (sec->flavor != 6) /* RPCSEC_GSS */
		return;
	nfs4_name(x, &sec->oid);
	xdr_u32(x, &sec->qop);
	xdr_u32(x, &sec->service);
}

void r_secinfo(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_secinfo_res *res = p;
	struct nfs4_secinfo more;
	uint32_t n = res->n;

	if (status != NFS4_OK)
		return;
	xdr_count(x, &n, x->encode ? NFS4_SECS_MAX : SECS_WIRE_MAX);
	for (uint32_t i = 0; i < n; i++)
		secinfo(x, i < NFS4_SECS_MAX ? &res->sec[i] : &more);
	res->n = n < NFS4_SECS_MAX ? n : NFS4_SECS_MAX;
}

void x_setattr(struct xdr *x, void *p)
{
	struct nfs4_setattr_args *a = p;

	nfs4_stateid(x, &a->stateid);
	nfs4_fattr(x, &a->attr);
}

void r_setattr(struct xdr *x, void *p, uint32_t status)
{
	nfs4_bitmap(x, &((struct nfs4_setattr_res *)p)->attrset);
}

void x_openattr(struct xdr *x, void *p)
{
	xdr_bool(x, &((struct nfs4_openattr_args *)p)->createdir);
}
