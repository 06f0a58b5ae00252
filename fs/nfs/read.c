// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * read.c - READ and READ_PLUS.
 *
 * READ_PLUS (RFC 7862 section 15.10) is asked for where holes save something: for a
 * file that had fewer blocks than its size needs when it was opened.  A server that does
 * not know it, or answers it with what makes no sense, is asked to READ from then on:
 * there are some whose READ_PLUS is broken.
 */
#include <errno.h>
#include <string.h>

#include "fs/nfs/nfs.h"

union results {
	struct nfs4_read_res read;
	struct nfs4_read_plus_res plus;
};

/* Both: how many bytes are in @buf; -EREMOTEIO: the reply makes no sense. */
static ssize_t take_data(const struct nfs4_read_args *args, const struct nfs4_read_res *res,
			 uint8_t *buf)
{
	if (res->data.len > args->count || (!res->data.len && !res->eof))
		return -EREMOTEIO;
	memcpy(buf, res->data.data, res->data.len);
	return res->data.len;
}

/* The segments follow each other without a gap; a hole may be longer than what was asked for. */
static ssize_t take_contents(const struct nfs4_read_args *args,
			     const struct nfs4_read_plus_res *res, uint8_t *buf)
{
	struct nfs4_content seg;
	uint32_t done = 0;
	struct xdr x;

	xdr_decode(&x, res->contents.data, res->contents.len);
	for (uint32_t i = 0; i < res->segments && done < args->count; i++) {
		uint32_t left = args->count - done;

		nfs4_content(&x, &seg);
		if (x.error || seg.offset != args->offset + done)
			return -EREMOTEIO;
		if (seg.type == NFS4_CONTENT_HOLE) {
			left = seg.length < left ? (uint32_t)seg.length : left;
			memset(buf + done, 0, left);
			done += left;
		} else if (seg.data.len > left) {
			return -EREMOTEIO;
		} else {
			memcpy(buf + done, seg.data.data, seg.data.len);
			done += seg.data.len;
		}
	}
	return done || res->eof ? (ssize_t)done : -EREMOTEIO;
}

/* @status: of the operation */
static ssize_t ask(struct nfs_file *nf, uint32_t op, struct nfs4_read_args *args, uint8_t *buf,
		   uint32_t *status)
{
	union results res;
	struct nfs4_void none;
	struct nfs_req req;
	unsigned tries = 0;
	ssize_t n;
	bool again;
	int err;

	do {
		args->stateid = nfs_stateid(nf);
		nfs_begin(&req, nf->clp);
		nfs_add(&req, OP_PUTFH, &nf->fh, &none);
		nfs_add(&req, op, args, &res);
		err = nfs_call(&req);
		again = !err && nfs_state_again(nf, &args->stateid, req.status, &tries, &err);
		*status = err ? NFS4_OK : req.status;
		n = nfs_result(&req, err);
		if (!n)
			n = op == OP_READ ? take_data(args, &res.read, buf)
					  : take_contents(args, &res.plus, buf);
		nfs_end(&req);
	} while (again);
	return n;
}

static bool sparse(const struct file *file)
{
	return file->seen.stx_blocks < file->seen.stx_size / 512;
}

ssize_t nfs_read(struct file *file, void *buf, size_t len, off_t pos)
{
	struct nfs_file *nf = nfs_of(file);
	struct nfs4_read_args args = {.offset = (uint64_t)pos};
	uint32_t status;
	ssize_t n;

	if (!len)
		return 0;
	args.count = len < nf->fs->rsize ? (uint32_t)len : nf->fs->rsize;
	/* What was granted may be good for READ alone. */
	if (sparse(file) && !nf->fs->no_read_plus && !nf->granted) {
		n = ask(nf, OP_READ_PLUS, &args, buf, &status);
		if (!nfs_not_known(status) && n != -EREMOTEIO && n != -EBADMSG)
			return n;
		nf->fs->no_read_plus = true;
	}
	return ask(nf, OP_READ, &args, buf, &status);
}
