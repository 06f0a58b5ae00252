// SPDX-License-Identifier: GPL-2.0-or-later
/* setattr.c - attributes that clients set: RFC 8881 section 18.30. */
#include <errno.h>
#include <string.h>

#include "nfsd/export.h"
#include "nfsd/nfsd.h"
#include "nfsd/state.h"

static const uint8_t settable[] = {FATTR4_SIZE,
				   FATTR4_MODE,
				   FATTR4_OWNER,
				   FATTR4_OWNER_GROUP,
				   FATTR4_TIME_ACCESS_SET,
				   FATTR4_TIME_MODIFY_SET};

/* 0, -EINVAL: a name that stands for nobody here.  Names are numbers, as AUTH_SYS has them. */
static int take_owner(const struct xdr_bytes *owner, uint32_t *id)
{
	const char *p = owner->data;
	uint64_t v = 0;

	if (!owner->len || owner->len > 10)
		return -EINVAL;
	for (uint32_t i = 0; i < owner->len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(p[i] - '0');
	}
	*id = (uint32_t)v;
	return v < UINT32_MAX ? 0 : -EINVAL;
}

uint32_t attrs_take(const struct nfs4_fattr *fattr, struct nfs4_attrs *a, bool creating)
{
	struct nfs4_bitmap may = {.beyond = false}, ours = attrs_supported();
	int err;

	memset(a, 0, sizeof(*a));
	for (size_t i = 0; i < sizeof(settable); i++)
		nfs4_bit_set(&may, settable[i]);
	for (unsigned i = 0; i < NFS4_MAP_WORDS; i++) {
		if (fattr->map.word[i] & ~ours.word[i])
			return NFS4ERR_ATTRNOTSUPP;
		if (fattr->map.word[i] & ~may.word[i])
			return NFS4ERR_INVAL; /* read-only */
	}
	if (fattr->map.beyond)
		return NFS4ERR_ATTRNOTSUPP;
	err = nfs4_attrs_decode(fattr, a);
	if (err)
		return err == -EOPNOTSUPP ? NFS4ERR_ATTRNOTSUPP : NFS4ERR_BADXDR;
	if (nfs4_bit(&a->map, FATTR4_MODE) && (a->mode & ~07777u))
		return NFS4ERR_INVAL;
	if (nfs4_bit(&a->map, FATTR4_SIZE) && a->size > INT64_MAX)
		return NFS4ERR_FBIG;
	if (a->time_access_set.time.nsec > 999999999 || a->time_modify_set.time.nsec > 999999999)
		return NFS4ERR_INVAL;
	return NFS4_OK;
}

static struct timespec time_set(const struct nfs4_attrs *a, unsigned bit,
				const struct nfs4_set_time *t)
{
	if (!nfs4_bit(&a->map, bit))
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	if (t->how == SET_TO_SERVER_TIME4)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	return (struct timespec){.tv_sec = t->time.sec, .tv_nsec = t->time.nsec};
}

static uint32_t set_owner(struct file *file, const struct nfs4_attrs *a, struct nfs4_bitmap *done)
{
	struct iattr attr = {.valid = ATTR_OWNER, .uid = (uid_t)-1, .gid = (gid_t)-1};
	int err;

	if (nfs4_bit(&a->map, FATTR4_OWNER) && take_owner(&a->owner, &attr.uid))
		return NFS4ERR_BADOWNER;
	if (nfs4_bit(&a->map, FATTR4_OWNER_GROUP) && take_owner(&a->owner_group, &attr.gid))
		return NFS4ERR_BADOWNER;
	if (attr.uid == (uid_t)-1 && attr.gid == (gid_t)-1)
		return NFS4_OK;
	err = cr_setattr(file, NULL, &attr);
	if (err)
		return nfsd_status(err);
	if (attr.uid != (uid_t)-1)
		nfs4_bit_set(done, FATTR4_OWNER);
	if (attr.gid != (gid_t)-1)
		nfs4_bit_set(done, FATTR4_OWNER_GROUP);
	return NFS4_OK;
}

static uint32_t set_mode(struct file *file, const struct nfs4_attrs *a, struct nfs4_bitmap *done)
{
	struct iattr attr = {.valid = ATTR_MODE, .mode = a->mode};
	int err;

	if (!nfs4_bit(&a->map, FATTR4_MODE))
		return NFS4_OK;
	/* The mode of a symbolic link means nothing, and is not set. */
	err = cr_file_id(file)->type == S_IFLNK ? 0 : cr_setattr(file, NULL, &attr);
	if (!err)
		nfs4_bit_set(done, FATTR4_MODE);
	return nfsd_status(err);
}

static uint32_t set_times(struct file *file, const struct nfs4_attrs *a, struct nfs4_bitmap *done)
{
	struct iattr attr = {.valid = ATTR_TIMES};
	int err;

	if (!nfs4_bit(&a->map, FATTR4_TIME_ACCESS_SET) &&
	    !nfs4_bit(&a->map, FATTR4_TIME_MODIFY_SET))
		return NFS4_OK;
	attr.atime = time_set(a, FATTR4_TIME_ACCESS_SET, &a->time_access_set);
	attr.mtime = time_set(a, FATTR4_TIME_MODIFY_SET, &a->time_modify_set);
	err = cr_setattr(file, NULL, &attr);
	if (err)
		return nfsd_status(err);
	if (nfs4_bit(&a->map, FATTR4_TIME_ACCESS_SET))
		nfs4_bit_set(done, FATTR4_TIME_ACCESS_SET);
	if (nfs4_bit(&a->map, FATTR4_TIME_MODIFY_SET))
		nfs4_bit_set(done, FATTR4_TIME_MODIFY_SET);
	return NFS4_OK;
}

static bool nothing_set(const struct nfs4_attrs *a)
{
	static const uint8_t apply[] = {FATTR4_OWNER, FATTR4_OWNER_GROUP, FATTR4_MODE,
					FATTR4_TIME_ACCESS_SET, FATTR4_TIME_MODIFY_SET};

	for (size_t i = 0; i < sizeof(apply); i++)
		if (nfs4_bit(&a->map, apply[i]))
			return false;
	return true;
}

/* Owner before mode: chown(2) clears set-id bits. */
uint32_t attrs_apply(struct compound *c, struct obj *obj, const struct nfs4_attrs *a,
		     struct nfs4_bitmap *done)
{
	struct file *file;
	uint32_t status;

	if (nothing_set(a))
		return NFS4_OK;
	status = obj_file(c, obj, &file);
	if (status)
		return status;
	cred_caller(c, obj);
	status = set_owner(file, a, done);
	if (!status)
		status = set_mode(file, a, done);
	if (!status)
		status = set_times(file, a, done);
	file_changed(c->s, file);
	obj_changed(obj);
	return status;
}

static uint32_t set_size(struct compound *c, const struct nfs4_setattr_args *args,
			 const struct nfs4_attrs *a, struct nfs4_bitmap *done)
{
	const struct statx *stx;
	struct io *io;
	uint32_t status = obj_stat(c, c->cur, &stx);
	int err;

	if (status)
		return status;
	if (!S_ISREG(stx->stx_mode))
		return S_ISDIR(stx->stx_mode) ? NFS4ERR_ISDIR : NFS4ERR_INVAL;
	status = io_for(c, c->cur, &args->stateid, true, &io);
	if (status)
		return status;
	err = cr_truncate(io->file, (off_t)a->size);
	file_changed(c->s, io->file);
	io_put(io);
	if (!err)
		nfs4_bit_set(done, FATTR4_SIZE);
	obj_changed(c->cur);
	return nfsd_status(err);
}

uint32_t op_setattr(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct nfs4_bitmap *done = &res->setattr.attrset;
	struct nfs4_attrs a;
	uint32_t status;

	memset(done, 0, sizeof(*done));
	if (c->cur->node)
		return NFS4ERR_ROFS;
	if (!c->cur->opts->rw)
		return NFS4ERR_ROFS;
	status = attrs_take(&args->setattr.attr, &a, false);
	if (!status && deleg_in_the_way(c, &c->cur->fh, DELEG_CHANGE))
		status = NFS4ERR_DELAY;
	if (!status && nfs4_bit(&a.map, FATTR4_SIZE))
		status = set_size(c, &args->setattr, &a, done);
	if (!status)
		status = attrs_apply(c, c->cur, &a, done);
	return status;
}
