// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * data.c - bytes of files: WRITE, SEEK, ALLOCATE, DEALLOCATE.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <string.h>
#include <unistd.h>

#include "fs/nfs/nfs.h"

#define WHOLE_FILE ((size_t)256 << 10) /* up to here the core's stream is one write */

static ssize_t wrote(struct nfs_file *nf, const struct nfs4_write_args *args,
		     const struct nfs4_write_res *res)
{
	if (!res->count || res->count > args->data.len)
		return -EREMOTEIO;
	nfs_wrote(nf, &(struct nfs_span){args->offset, args->offset + res->count}, res->committed,
		  res->verf);
	return res->count;
}

/*
 * A short write at the start of a new file is most likely all that it will hold: on
 * stable storage at once it needs no COMMIT, which would cost the server the same.
 */
static uint32_t stability(const struct file *file, size_t len, off_t pos)
{
	struct nfs_file *nf = nfs_of(file);
	bool first;

	if (!file->fresh || pos || len > WHOLE_FILE)
		return UNSTABLE4;
	pthread_mutex_lock(&nf->lock);
	first = !nf->writes;
	pthread_mutex_unlock(&nf->lock);
	return first ? FILE_SYNC4 : UNSTABLE4;
}

ssize_t nfs_write(struct file *file, const void *buf, size_t len, off_t pos)
{
	struct nfs_file *nf = nfs_of(file);
	struct nfs4_write_args args = {.offset = (uint64_t)pos};
	struct nfs4_write_res res;
	struct nfs4_void none;
	struct nfs_req req;
	unsigned tries = 0;
	ssize_t n;
	bool again;
	int err;

	if (!len)
		return 0;
	args.stable = stability(file, len, pos);
	args.data = (struct xdr_bytes){buf, len < nf->fs->wsize ? (uint32_t)len : nf->fs->wsize};
	do {
		args.stateid = nfs_stateid(nf);
		nfs_begin(&req, nf->clp);
		nfs_add(&req, OP_PUTFH, &nf->fh, &none);
		nfs_add(&req, OP_WRITE, &args, &res);
		err = nfs_call(&req);
		again = !err && nfs_state_again(nf, &args.stateid, req.status, &tries, &err);
		n = nfs_result(&req, err);
		if (!n)
			n = wrote(nf, &args, &res);
		nfs_end(&req);
	} while (again);
	return n;
}

/* nfs_not_known - the server does not do this operation */
bool nfs_not_known(uint32_t status)
{
	return status == NFS4ERR_NOTSUPP || status == NFS4ERR_OP_ILLEGAL;
}

/* A server that cannot tell: all is data, and a hole is where it ends. */
static off_t seek_plain(struct file *file, off_t pos, int whence)
{
	struct statx stx;
	int err = nfs_getattr(file, NULL, &stx);

	if (err)
		return err;
	if (pos < 0 || (uint64_t)pos >= stx.stx_size)
		return -ENXIO;
	return whence == SEEK_DATA ? pos : (off_t)stx.stx_size;
}

static off_t found(const struct nfs4_seek_res *res, off_t pos, int whence)
{
	if (res->eof && whence == SEEK_DATA)
		return -ENXIO;
	if (res->offset > INT64_MAX || (off_t)res->offset < pos)
		return -EREMOTEIO;
	return (off_t)res->offset;
}

off_t nfs_seek(struct file *file, off_t pos, int whence)
{
	struct nfs_file *nf = nfs_of(file);
	struct nfs4_seek_args args = {.offset = (uint64_t)pos,
				      .what = whence == SEEK_DATA ? NFS4_CONTENT_DATA
								  : NFS4_CONTENT_HOLE};
	struct nfs4_seek_res res;
	struct nfs4_void none;
	struct nfs_req req;
	unsigned tries = 0;
	off_t at;
	bool again;
	int err;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	if (nf->fs->no_seek || pos < 0)
		return seek_plain(file, pos, whence);
	do {
		args.stateid = nfs_stateid(nf);
		nfs_begin(&req, nf->clp);
		nfs_add(&req, OP_PUTFH, &nf->fh, &none);
		nfs_add(&req, OP_SEEK, &args, &res);
		err = nfs_call(&req);
		again = !err && nfs_state_again(nf, &args.stateid, req.status, &tries, &err);
		nfs_end(&req);
	} while (again);
	if (!err && nfs_not_known(req.status))
		nf->fs->no_seek = true;
	/* What was granted may be good for READ alone: that will tell. */
	if (nf->fs->no_seek || (!err && nf->granted && req.status && req.status != NFS4ERR_NXIO))
		return seek_plain(file, pos, whence);
	at = nfs_result(&req, err);
	return at ? at : found(&res, pos, whence);
}

int nfs_allocate(struct file *file, int mode, off_t pos, off_t len)
{
	struct nfs_file *nf = nfs_of(file);
	bool punch = mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
	atomic_bool *lost = punch ? &nf->fs->no_dealloc : &nf->fs->no_alloc;
	struct nfs4_range_args args = {.offset = (uint64_t)pos, .length = (uint64_t)len};
	struct nfs4_void none;
	struct nfs_req req;
	unsigned tries = 0;
	bool again;
	int err;

	if ((mode && !punch) || *lost)
		return -EOPNOTSUPP;
	if (pos < 0 || len <= 0)
		return -EINVAL;
	do {
		args.stateid = nfs_stateid(nf);
		nfs_begin(&req, nf->clp);
		req.once = true;
		nfs_add(&req, OP_PUTFH, &nf->fh, &none);
		nfs_add(&req, punch ? OP_DEALLOCATE : OP_ALLOCATE, &args, &none);
		err = nfs_call(&req);
		again = !err && nfs_state_again(nf, &args.stateid, req.status, &tries, &err);
		nfs_end(&req);
	} while (again);
	if (!err && nfs_not_known(req.status))
		*lost = true;
	if (!err && !req.status)
		nfs_touched(nf, &(struct nfs_span){args.offset, args.offset + args.length},
			    req.boots);
	return nfs_result(&req, err);
}
