// SPDX-License-Identifier: GPL-2.0-or-later
/* io.c - the open file behind a stateid. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nfsd/copy.h"
#include "nfsd/export.h"
#include "nfsd/state.h"

struct io *io_new(struct file *file, bool read, bool write)
{
	struct io *io = malloc(sizeof(*io));

	if (!io) {
		cr_close(file);
		return NULL;
	}
	atomic_init(&io->refs, 1);
	io->file = file;
	io->read = read;
	io->write = write;
	atomic_init(&io->no_pipe, false);
	return io;
}

void io_get(struct io *io)
{
	atomic_fetch_add(&io->refs, 1);
}

void io_put(struct io *io)
{
	if (!io || atomic_fetch_sub(&io->refs, 1) != 1)
		return;
	cr_close(io->file);
	free(io);
}

struct io *io_of_anybody(struct nfsd *s, const struct nfs4_fh *fh)
{
	const struct sfile *f;
	struct io *io = NULL;

	pthread_mutex_lock(&s->lock);
	f = sfile_find(s, fh, false);
	for (const struct state *st = f ? f->states : NULL; st && !io; st = st->of_file)
		io = st->io; /* of an open or a delegation */
	if (io)
		io_get(io);
	pthread_mutex_unlock(&s->lock);
	return io;
}

/* Somebody's share reservation forbids it to who has no open of his own. */
static bool denied(struct nfsd *s, const struct obj *obj, bool write)
{
	const struct sfile *f = sfile_find(s, &obj->fh, false);
	uint32_t bit = write ? OPEN4_SHARE_DENY_WRITE : OPEN4_SHARE_DENY_READ;

	for (const struct state *st = f ? f->states : NULL; st; st = st->of_file)
		if (st->type == STATE_OPEN && (st->deny & bit))
			return true;
	return false;
}

/* Without a stateid: opened for this once, as the caller may. */
static uint32_t open_once(struct compound *c, struct obj *obj, bool write, struct io **iop)
{
	struct file *file, *open;
	uint32_t status;
	bool no;
	int err;

	pthread_mutex_lock(&c->s->lock);
	no = denied(c->s, obj, write);
	status = in_grace(c->s) ? NFS4ERR_GRACE : NFS4_OK;
	pthread_mutex_unlock(&c->s->lock);
	if (no || status)
		return no ? NFS4ERR_LOCKED : status;
	if (deleg_in_the_way(c, &obj->fh, write ? DELEG_OPEN_WRITE : DELEG_READ))
		return NFS4ERR_DELAY;
	status = obj_file(c, obj, &file);
	if (status)
		return status;
	cred_caller(c, obj);
	*iop = deleg_io(c, &obj->fh);
	if (*iop) {
		err = cr_access(file, write ? W_OK : R_OK);
		if (err)
			io_put(*iop);
		return nfsd_status(err);
	}
	err = cr_openat(file, "", write ? O_RDWR : O_RDONLY, 0, &open);
	if (err == -EACCES && write)
		err = cr_openat(file, "", O_WRONLY, 0, &open);
	if (err)
		return nfsd_status(err);
	*iop = io_new(open, true, write);
	return *iop ? NFS4_OK : NFS4ERR_DELAY;
}

/* A file whose descriptor cannot read, though the client asks to: the owner may know why. */
static uint32_t by_stateid(struct compound *c, const struct obj *obj, const struct nfs4_stateid *id,
			   bool write, struct io **iop)
{
	struct state *st, *open;
	uint32_t status =
		state_find(c, id, 1u << STATE_OPEN | 1u << STATE_LOCK | 1u << STATE_DELEG, &st);

	if (status)
		return status;
	open = st->type == STATE_LOCK ? st->open : st;
	if (open->file->fh.len != obj->fh.len ||
	    memcmp(open->file->fh.data, obj->fh.data, obj->fh.len) != 0)
		return NFS4ERR_BAD_STATEID;
	if (write && !(open->access & OPEN4_SHARE_ACCESS_WRITE) &&
	    open->deleg != OPEN_DELEGATE_WRITE)
		return NFS4ERR_OPENMODE;
	if (!write && !open->io->read)
		return NFS4ERR_OPENMODE;
	io_get(open->io);
	*iop = open->io;
	return NFS4_OK;
}

uint32_t io_for(struct compound *c, struct obj *obj, const struct nfs4_stateid *given, bool write,
		struct io **iop)
{
	struct nfs4_stateid id;
	uint32_t status = stateid_resolve(c, false, given, &id);

	if (status)
		return status;
	if (obj->node)
		return NFS4ERR_ISDIR;
	if (write && !obj->opts->rw)
		return NFS4ERR_ROFS;
	if (stateid_special(&id)) {
		const struct statx *stx;

		status = obj_stat(c, obj, &stx);
		if (status)
			return status;
		if (!S_ISREG(stx->stx_mode))
			return S_ISDIR(stx->stx_mode)	? NFS4ERR_ISDIR
			       : S_ISLNK(stx->stx_mode) ? NFS4ERR_SYMLINK
							: NFS4ERR_WRONG_TYPE;
		return open_once(c, obj, write, iop);
	}
	pthread_mutex_lock(&c->s->lock);
	if (notify_is(&id))
		status = write ? NFS4ERR_OPENMODE : notify_io(c->s, obj, &id, iop);
	else
		status = by_stateid(c, obj, &id, write, iop);
	pthread_mutex_unlock(&c->s->lock);
	return status;
}
