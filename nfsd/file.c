// SPDX-License-Identifier: GPL-2.0-or-later
/* file.c - data of files: RFC 8881 sections 18.3, 18.22, 18.32; RFC 7862 section 15. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib/thread.h"
#include "nfsd/export.h"
#include "nfsd/pool.h"
#include "nfsd/state.h"

/*
 * The same in all replies until the server starts anew, or data may have been lost: then
 * clients send again what they have not committed.
 */
void put_write_verf(struct nfsd *s, uint8_t verf[NFS4_VERIFIER_SIZE])
{
	uint64_t v = atomic_load(&s->write_verf);

	memcpy(verf, &v, NFS4_VERIFIER_SIZE);
}

#define SYNC_LONG_US 200u
#define WRITE_TRIES  3u

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int timed_sync(struct nfsd *s, struct file *file, bool data_only)
{
	uint32_t mean = atomic_load(&s->sync_us);
	uint64_t start = now_us(), took;
	int err = cr_sync(file, data_only);

	took = now_us() - start;
	if (took > UINT32_MAX / 8)
		took = UINT32_MAX / 8;
	atomic_store(&s->sync_us, (uint32_t)(((uint64_t)mean * 7 + took) / 8));
	return err;
}

/*
 * After a failed fsync(2) the kernel forgets what it could not write: it must be sent again,
 * which the write verifier says.  And of those that wait for the same it tells one alone.  So
 * who hears of nothing waits for the others that are under way, and the verifier that is told
 * after that knows of all.
 */
uint32_t file_sync(struct nfsd *s, struct file *file, bool data_only)
{
	pthread_rwlock_t *others = &s->syncs[cr_file_id(file)->ino % NFSD_SYNCS];
	int err;

	/* In memory it takes nothing, on a disk milliseconds: by those before. */
	if (atomic_load(&s->sync_us) > SYNC_LONG_US)
		pool_block(s->pool);
	pthread_rwlock_rdlock(others);
	err = timed_sync(s, file, data_only);
	if (err)
		atomic_fetch_add(&s->write_verf, 1);
	pthread_rwlock_unlock(others);
	if (err)
		return nfsd_status(err);
	pthread_rwlock_wrlock(others);
	pthread_rwlock_unlock(others);
	return NFS4_OK;
}

void file_syncs_init(struct nfsd *s)
{
	for (unsigned i = 0; i < NFSD_SYNCS; i++)
		rwlock_init(&s->syncs[i]);
}

/* All of it, or as much as went before an error. */
static ssize_t write_all(struct file *file, const struct xdr_bytes *data, uint64_t offset)
{
	const uint8_t *p = data->data;
	size_t done = 0;
	ssize_t n = 0;

	while (done < data->len) {
		n = cr_write(file, p + done, data->len - done, (off_t)(offset + done));
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done || n >= 0 ? (ssize_t)done : n;
}

/* Again, where the sync of another may have taken some of it along. */
static uint32_t write_out(struct compound *c, struct io *io, const struct nfs4_write_args *a,
			  uint8_t verf[NFS4_VERIFIER_SIZE], ssize_t *n)
{
	uint8_t after[NFS4_VERIFIER_SIZE];
	uint32_t status = NFS4_OK;

	for (unsigned i = 0; i < WRITE_TRIES; i++) {
		put_write_verf(c->s, verf); /* before: a loss meanwhile shows */
		*n = write_all(io->file, &a->data, a->offset);
		obj_written(c, c->cur, io);
		if (*n <= 0 || a->stable == UNSTABLE4)
			return NFS4_OK;
		status = file_sync(c->s, io->file, a->stable == DATA_SYNC4);
		obj_changed(c->cur);
		put_write_verf(c->s, after);
		if (status || !memcmp(verf, after, sizeof(after)))
			return status;
	}
	return NFS4ERR_IO;
}

uint32_t op_write(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfs4_write_args *a = &args->write;
	struct nfs4_write_res *r = &res->write;
	uint32_t status;
	struct io *io;
	ssize_t n;

	if (a->offset > INT64_MAX - (uint64_t)a->data.len)
		return NFS4ERR_FBIG;
	status = io_for(c, c->cur, &a->stateid, true, &io);
	if (status)
		return status;
	status = write_out(c, io, a, r->verf, &n);
	io_put(io);
	if (n < 0)
		return nfsd_status((int)n);
	r->count = (uint32_t)n;
	r->committed = a->stable;
	return status;
}

uint32_t op_commit(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const struct statx *stx;
	struct file *file, *open;
	struct io *io;
	uint32_t status;
	int err;

	if (c->cur->node)
		return NFS4ERR_ISDIR;
	if (args->commit.offset > UINT64_MAX - args->commit.count)
		return NFS4ERR_INVAL;
	io = io_of_anybody(c->s, &c->cur->fh);
	if (io) {
		status = file_sync(c->s, io->file, false);
		put_write_verf(c->s, res->commit.verf);
		io_put(io);
		return status;
	}
	status = obj_stat(c, c->cur, &stx);
	if (status)
		return status;
	if (!S_ISREG(stx->stx_mode))
		return S_ISDIR(stx->stx_mode)	? NFS4ERR_ISDIR
		       : S_ISLNK(stx->stx_mode) ? NFS4ERR_SYMLINK
						: NFS4ERR_WRONG_TYPE;
	status = obj_file(c, c->cur, &file);
	if (status)
		return status;
	/* Durability is nobody's privilege: whoever wrote may have had it open then. */
	cred_root(c->w);
	err = cr_openat(file, "", O_RDONLY, 0, &open);
	if (err)
		return nfsd_status(err);
	status = file_sync(c->s, open, false);
	put_write_verf(c->s, res->commit.verf);
	cr_close(open);
	return status;
}

static uint32_t allocate(struct compound *c, const struct nfs4_range_args *a, int mode)
{
	struct io *io;
	uint32_t status;
	int err;

	if (!a->length || a->offset > INT64_MAX || a->length > INT64_MAX - a->offset)
		return a->length ? NFS4ERR_FBIG : NFS4ERR_INVAL;
	status = io_for(c, c->cur, &a->stateid, true, &io);
	if (status)
		return status;
	err = cr_allocate(io->file, mode, (off_t)a->offset, (off_t)a->length);
	file_changed(c->s, io->file);
	io_put(io);
	obj_changed(c->cur);
	return nfsd_status(err);
}

uint32_t op_allocate(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	return allocate(c, &args->range, 0);
}

uint32_t op_deallocate(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	return allocate(c, &args->range, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

/* lseek(2) says ENXIO both beyond the end and where no data follows: RFC 7862 tells them apart. */
static uint32_t seek(struct io *io, const struct nfs4_seek_args *a, struct nfs4_seek_res *r)
{
	struct statx stx;
	off_t at;
	int err = cr_getattr(io->file, NULL, &stx);

	if (err)
		return nfsd_status(err);
	if (a->offset >= stx.stx_size)
		return NFS4ERR_NXIO;
	at = cr_seek(io->file, (off_t)a->offset,
		     a->what == NFS4_CONTENT_DATA ? SEEK_DATA : SEEK_HOLE);
	if (at < 0 && at != -ENXIO)
		return nfsd_status((int)at);
	r->eof = at == -ENXIO || (uint64_t)at >= stx.stx_size;
	r->offset = at == -ENXIO ? stx.stx_size : (uint64_t)at;
	return NFS4_OK;
}

uint32_t op_seek(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfs4_seek_args *a = &args->seek;
	struct io *io;
	uint32_t status;

	if (a->what > NFS4_CONTENT_HOLE)
		return NFS4ERR_UNION_NOTSUPP;
	status = io_for(c, c->cur, &a->stateid, false, &io);
	if (status)
		return status;
	status = seek(io, a, &res->seek);
	io_put(io);
	return status;
}

/* No hint is followed: none is in the answer, which is what RFC 7862 section 15.5 wants then. */
uint32_t op_io_advise(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct io *io;
	uint32_t status = io_for(c, c->cur, &args->io_advise.stateid, false, &io);

	if (status)
		return status;
	io_put(io);
	memset(&res->io_advise, 0, sizeof(res->io_advise));
	return NFS4_OK;
}
