// SPDX-License-Identifier: GPL-2.0-or-later
/* ops_data.c - data in and out: RFC 8881 section 18, RFC 7862 section 15. */
#include "lib/nfs4/ops.h"

#define DATA_MAX     (64u << 20) /* of one READ or WRITE; the record's limit is below */
#define SEGMENTS_MAX 65536u

void x_read(struct xdr *x, void *p)
{
	struct nfs4_read_args *a = p;

	nfs4_stateid(x, &a->stateid);
	xdr_u64(x, &a->offset);
	xdr_u32(x, &a->count);
}

void r_read(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_read_res *res = p;

	if (status != NFS4_OK)
		return;
	xdr_bool(x, &res->eof);
	xdr_var(x, &res->data, DATA_MAX);
}

void x_write(struct xdr *x, void *p)
{
	struct nfs4_write_args *a = p;

	nfs4_stateid(x, &a->stateid);
	xdr_u64(x, &a->offset);
	xdr_u32(x, &a->stable);
	if (a->stable > FILE_SYNC4)
		xdr_fail(x);
	xdr_var(x, &a->data, DATA_MAX);
}

void r_write(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_write_res *res = p;

	if (status != NFS4_OK)
		return;
	xdr_u32(x, &res->count);
	xdr_u32(x, &res->committed);
	xdr_fixed(x, res->verf, sizeof(res->verf));
}

void x_commit(struct xdr *x, void *p)
{
	struct nfs4_commit_args *a = p;

	xdr_u64(x, &a->offset);
	xdr_u32(x, &a->count);
}

void r_commit(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_commit_res *res = p;

	if (status == NFS4_OK)
		xdr_fixed(x, res->verf, sizeof(res->verf));
}

void x_range(struct xdr *x, void *p)
{
	struct nfs4_range_args *a = p;

	nfs4_stateid(x, &a->stateid);
	xdr_u64(x, &a->offset);
	xdr_u64(x, &a->length);
}

void x_seek(struct xdr *x, void *p)
{
	struct nfs4_seek_args *a = p;

	nfs4_stateid(x, &a->stateid);
	xdr_u64(x, &a->offset);
	xdr_u32(x, &a->what);
}

void r_seek(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_seek_res *res = p;

	if (status != NFS4_OK)
		return;
	xdr_bool(x, &res->eof);
	xdr_u64(x, &res->offset);
}

void x_io_advise(struct xdr *x, void *p)
{
	struct nfs4_io_advise_args *a = p;

	nfs4_stateid(x, &a->stateid);
	xdr_u64(x, &a->offset);
	xdr_u64(x, &a->count);
	nfs4_bitmap(x, &a->hints);
}

void r_io_advise(struct xdr *x, void *p, uint32_t status)
{
	if (status == NFS4_OK)
		x_map(x, p);
}

void nfs4_content(struct xdr *x, struct nfs4_content *content)
{
	xdr_u32(x, &content->type);
	xdr_u64(x, &content->offset);
	if (content->type == NFS4_CONTENT_DATA) {
		xdr_var(x, &content->data, DATA_MAX);
		content->length = content->data.len;
	} else if (content->type == NFS4_CONTENT_HOLE) {
		xdr_u64(x, &content->length);
	} else {
		xdr_fail(x);
	}
}

void r_read_plus(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_read_plus_res *res = p;
	struct nfs4_content content;
	const uint8_t *from;

	if (status != NFS4_OK)
		return;
	xdr_bool(x, &res->eof);
	xdr_count(x, &res->segments, SEGMENTS_MAX);
	if (x->encode) {
		xdr_raw(x, &res->contents);
		return;
	}
	from = x->p;
	for (uint32_t i = 0; i < res->segments && !x->error; i++)
		nfs4_content(x, &content);
	res->contents = (struct xdr_bytes){from, x->error ? 0 : (uint32_t)(x->p - from)};
}

void x_write_same(struct xdr *x, void *p)
{
	struct nfs4_write_same_args *a = p;

	nfs4_stateid(x, &a->stateid);
	xdr_u32(x, &a->stable);
	xdr_u64(x, &a->offset);
	xdr_u64(x, &a->block_size);
	xdr_u64(x, &a->block_count);
	xdr_u64(x, &a->reloff_blocknum);
	xdr_u32(x, &a->block_num);
	xdr_u64(x, &a->reloff_pattern);
	xdr_var(x, &a->pattern, DATA_MAX);
}

void r_write_response(struct xdr *x, void *p, uint32_t status)
{
	if (status == NFS4_OK)
		nfs4_write_response(x, p);
}
