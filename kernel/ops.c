// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ops.c - one wrapper per method of a room.  Nobody else calls a method: what
 * is missing gets its default here, and what a method may answer is asserted
 * here.
 */
#include <assert.h>
#include <string.h>

#include "core.h"
#include "lib/codec.h"

#define METHOD(file, name) ((file)->op->name)

ssize_t cr_read(struct file *file, void *buf, size_t len, off_t pos)
{
	ssize_t n;

	if (!METHOD(file, read))
		return -EOPNOTSUPP;
	n = file->op->read(file, buf, MIN(len, (size_t)1 << 30), pos);
	assert(n <= (ssize_t)len);
	return n;
}

ssize_t cr_write(struct file *file, const void *buf, size_t len, off_t pos)
{
	ssize_t n;

	if (!METHOD(file, write))
		return -EROFS;
	n = file->op->write(file, buf, MIN(len, (size_t)1 << 30), pos);
	assert(n <= (ssize_t)len);
	return n;
}

ssize_t cr_read_nowait(struct file *file, void *buf, size_t len, off_t pos)
{
	ssize_t n = METHOD(file, read_nowait) ? file->op->read_nowait(file, buf, len, pos)
					      : -EOPNOTSUPP;

	assert(n <= (ssize_t)len);
	return n;
}

ssize_t cr_write_nowait(struct file *file, const void *buf, size_t len, off_t pos)
{
	ssize_t n = METHOD(file, write_nowait) ? file->op->write_nowait(file, buf, len, pos)
					       : -EOPNOTSUPP;

	assert(n <= (ssize_t)len);
	return n;
}

/* A room without seek: all is data, and the end of the file is a hole. */
off_t cr_seek(struct file *file, off_t pos, int whence)
{
	struct statx stx;
	int err;

	if (METHOD(file, seek))
		return file->op->seek(file, pos, whence);
	err = cr_getattr(file, NULL, &stx);
	if (err)
		return err;
	if (pos < 0 || (uint64_t)pos >= stx.stx_size)
		return -ENXIO;
	return whence == SEEK_DATA ? pos : (off_t)stx.stx_size;
}

int cr_allocate(struct file *file, int mode, off_t pos, off_t len)
{
	return METHOD(file, allocate) ? file->op->allocate(file, mode, pos, len) : -EOPNOTSUPP;
}

int cr_truncate(struct file *file, off_t size)
{
	return METHOD(file, truncate) ? file->op->truncate(file, size) : -EOPNOTSUPP;
}

int cr_sync(struct file *file, bool data_only)
{
	return METHOD(file, sync) ? file->op->sync(file, data_only) : 0;
}

int cr_sync_fs(struct file *file)
{
	return METHOD(file, sync_fs) ? file->op->sync_fs(file) : 0;
}

int cr_flush(struct file *file)
{
	return METHOD(file, flush) ? file->op->flush(file) : 0;
}

int op_settle(struct file *file, struct file_range *range)
{
	if (METHOD(file, settle))
		return file->op->settle(file, range);
	range->len = 0;
	return 0;
}

int op_busy(struct file *file)
{
	return METHOD(file, busy) ? file->op->busy(file) : 0;
}

ssize_t cr_read_encoded(struct file *f, struct encoded_iov *ev, void *buf, size_t size, off_t pos)
{
	ssize_t n;

	if (!METHOD(f, read_encoded))
		return -EOPNOTSUPP;
	n = f->op->read_encoded(f, ev, buf, size, pos);
	assert(n <= (ssize_t)size);
	return n;
}

ssize_t cr_write_encoded(struct file *f, const struct encoded_iov *ev, const struct iovec *payload,
			 off_t pos, unsigned flags)
{
	if (!METHOD(f, write_encoded))
		return -EOPNOTSUPP;
	if (flags & COPY_RANGE_VALIDATE) {
		int err = codec_validate(NULL, ev, payload);

		if (err)
			return err;
	}
	return f->op->write_encoded(f, ev, payload, pos);
}

int op_extents(struct file *file, off_t pos, struct file_extent *ext, unsigned n, unsigned how)
{
	int got;

	if (!METHOD(file, extents))
		return -EOPNOTSUPP;
	got = file->op->extents(file, pos, ext, n, how);
	assert(got <= (int)n);
	return got;
}

int cr_extents(struct file *file, off_t pos, struct file_extent *ext, unsigned n, unsigned how)
{
	return pos < 0 ? -EINVAL : op_extents(file, pos, ext, n, how);
}

uint32_t op_compression(struct file *file)
{
	unsigned known = atomic_load(&file->mnt->compression);

	if (known == COMPRESSION_UNKNOWN) {
		known = METHOD(file, compression) ? file->op->compression(file) : ENCODED_NONE;
		atomic_store(&file->mnt->compression, known);
	}
	return known;
}

int cr_unwritten(struct file *file, off_t pos, struct file_range *range, unsigned n)
{
	int got = METHOD(file, unwritten) ? file->op->unwritten(file, pos, range, n) : 0;

	assert(got <= (int)n);
	return got;
}

int cr_get_handle(struct file *file, const char *name, struct file_handle_bytes *h)
{
	memset(h, 0, sizeof(*h));
	return METHOD(file, get_handle) ? file->op->get_handle(file, name, h) : -EOPNOTSUPP;
}

static bool same_family(const struct copy_req *req)
{
	return req->in->mnt->type->family == req->out->mnt->type->family;
}

static int other_family(struct copy_result *res, enum copy_strategy_id s)
{
	return decline(res, s,
		       (struct copy_why){.reason = "source and destination are of different kinds "
						   "of storage",
					 .error = EXDEV,
					 .scope = COPY_THIS_PAIR});
}

static int no_method(struct copy_result *res, enum copy_strategy_id s, const char *reason)
{
	return decline(
		res, s,
		(struct copy_why){.reason = reason, .error = EOPNOTSUPP, .scope = COPY_THIS_MOUNT});
}

int op_clone_range(const struct copy_req *req, struct copy_result *res)
{
	int err;

	if (!same_family(req))
		return other_family(res, COPY_CLONE);
	if (!METHOD(req->out, clone_range))
		return no_method(res, COPY_CLONE, "this kind of storage cannot share blocks");
	err = req->out->op->clone_range(req, res);
	assert(res->bytes <= req->len);
	return err;
}

int op_copy_range(const struct copy_req *req, struct copy_result *res)
{
	int err;

	if (!same_family(req))
		return other_family(res, COPY_OFFLOAD);
	if (!METHOD(req->out, copy_range))
		return no_method(res, COPY_OFFLOAD, "this kind of storage cannot copy by itself");
	err = req->out->op->copy_range(req, res);
	assert(res->bytes <= req->len);
	return err;
}

int op_can_grant(const struct copy_req *req, struct copy_result *res)
{
	if (same_family(req) && METHOD(req->in, grant) && METHOD(req->out, redeem))
		return 0;
	return decline(res, COPY_GRANT,
		       (struct copy_why){.reason = "neither side is a server that hands out grants",
					 .error = EOPNOTSUPP,
					 .scope = COPY_THIS_PAIR});
}

int op_grant(const struct copy_req *req, struct copy_grant *grant, struct copy_result *res)
{
	return req->in->op->grant(req, grant, res);
}

int op_redeem(const struct copy_req *req, const struct copy_grant *grant, struct copy_result *res)
{
	int err = req->out->op->redeem(req, grant, res);

	assert(res->bytes <= req->len);
	return err;
}

void op_revoke(struct file *in, const struct copy_grant *grant)
{
	if (METHOD(in, revoke))
		in->op->revoke(in, grant);
}

int cr_getattr(struct file *file, const char *name, struct statx *stx)
{
	return METHOD(file, getattr) ? file->op->getattr(file, name, stx) : -EOPNOTSUPP;
}

int cr_getattr_open(struct file *file, struct statx *stx)
{
	if (!(file->seen.stx_mask & STATX_BASIC_STATS))
		return cr_getattr(file, NULL, stx);
	*stx = file->seen;
	return 0;
}

int cr_access(struct file *file, int mode)
{
	return METHOD(file, access) ? file->op->access(file, mode) : -EOPNOTSUPP;
}

int cr_statfs(struct file *file, struct statfs *st)
{
	return METHOD(file, statfs) ? file->op->statfs(file, st) : -EOPNOTSUPP;
}

int cr_setattr(struct file *file, const char *name, const struct iattr *attr)
{
	return METHOD(file, setattr) ? file->op->setattr(file, name, attr) : -EOPNOTSUPP;
}

ssize_t cr_listxattr(struct file *file, const char *name, char *list, size_t size)
{
	return METHOD(file, listxattr) ? file->op->listxattr(file, name, list, size) : -EOPNOTSUPP;
}

ssize_t cr_getxattr(struct file *file, const char *name, const char *key, void *val, size_t size)
{
	struct iovec iov = {val, size};

	return METHOD(file, getxattr) ? file->op->getxattr(file, name, key, &iov) : -EOPNOTSUPP;
}

int cr_setxattr(struct file *file, const char *name, const struct xattr *xattr)
{
	return METHOD(file, setxattr) ? file->op->setxattr(file, name, xattr) : -EOPNOTSUPP;
}

int cr_removexattr(struct file *file, const char *name, const char *key)
{
	return METHOD(file, removexattr) ? file->op->removexattr(file, name, key) : -EOPNOTSUPP;
}

int cr_fileattr_get(struct file *file, struct fileattr *fa)
{
	return METHOD(file, fileattr_get) ? file->op->fileattr_get(file, fa) : -EOPNOTSUPP;
}

int cr_fileattr_set(struct file *file, const struct fileattr *fa)
{
	return METHOD(file, fileattr_set) ? file->op->fileattr_set(file, fa) : -EOPNOTSUPP;
}

int cr_enable_verity(struct file *file, const struct verity_descriptor *desc)
{
	return METHOD(file, enable_verity) ? file->op->enable_verity(file, desc) : -EOPNOTSUPP;
}

ssize_t cr_readdir(struct file *dir, struct dirbuf *buf)
{
	buf->at = buf->len = 0;
	return METHOD(dir, readdir) ? dir->op->readdir(dir, buf) : -ENOTDIR;
}

int cr_mkdir(struct file *dir, const char *name, mode_t mode)
{
	return METHOD(dir, mkdir) ? dir->op->mkdir(dir, name, mode) : -EOPNOTSUPP;
}

int cr_mknod(struct file *dir, const char *name, mode_t mode, dev_t dev)
{
	return METHOD(dir, mknod) ? dir->op->mknod(dir, name, mode, dev) : -EOPNOTSUPP;
}

int cr_symlink(struct file *dir, const char *name, const char *target)
{
	return METHOD(dir, symlink) ? dir->op->symlink(dir, name, target) : -EOPNOTSUPP;
}

ssize_t cr_readlink(struct file *dir, const char *name, char *buf, size_t size)
{
	return METHOD(dir, readlink) ? dir->op->readlink(dir, name, buf, size) : -EOPNOTSUPP;
}

int cr_link(struct file *olddir, const char *old, struct file *dir, const char *name)
{
	if (olddir->mnt->type->family != dir->mnt->type->family)
		return -EXDEV;
	return METHOD(dir, link) ? dir->op->link(olddir, old, dir, name) : -EOPNOTSUPP;
}

int cr_unlink(struct file *dir, const char *name, int flags)
{
	return METHOD(dir, unlink) ? dir->op->unlink(dir, name, flags) : -EOPNOTSUPP;
}

int cr_rename(struct file *dir, const char *old, const char *name, unsigned flags)
{
	return cr_rename_to(dir, old, dir, name, flags);
}

int cr_rename_to(struct file *olddir, const char *old, struct file *dir, const char *name,
		 unsigned flags)
{
	if (olddir->mnt->type->family != dir->mnt->type->family)
		return -EXDEV;
	return METHOD(dir, rename) ? dir->op->rename(olddir, old, dir, name, flags) : -EOPNOTSUPP;
}

int cr_subvol_create(struct file *dir, const char *name)
{
	return METHOD(dir, subvol_create) ? dir->op->subvol_create(dir, name) : -EOPNOTSUPP;
}

int cr_snap_create(struct file *subvol, struct file *dir, const char *name, unsigned flags)
{
	if (subvol->mnt->type != dir->mnt->type)
		return -EXDEV;
	return METHOD(dir, snap_create) ? dir->op->snap_create(subvol, dir, name, flags)
					: -EOPNOTSUPP;
}

int cr_snap_destroy(struct file *dir, const char *name)
{
	return METHOD(dir, snap_destroy) ? dir->op->snap_destroy(dir, name) : -EOPNOTSUPP;
}

int cr_subvol_info(struct file *file, struct subvol_info *info)
{
	return METHOD(file, subvol_info) ? file->op->subvol_info(file, info) : -EOPNOTSUPP;
}

int cr_subvol_setflags(struct file *subvol, unsigned flags)
{
	return METHOD(subvol, subvol_setflags) ? subvol->op->subvol_setflags(subvol, flags)
					       : -EOPNOTSUPP;
}

int cr_set_received_subvol(struct file *subvol, const uint8_t *uuid, uint64_t stransid)
{
	if (!METHOD(subvol, set_received_subvol))
		return -EOPNOTSUPP;
	return subvol->op->set_received_subvol(subvol, uuid, stransid);
}

int cr_subvol_find(struct file *file, enum subvol_uuid which, const uint8_t *uuid, uint64_t *id,
		   unsigned n)
{
	int got;

	if (!METHOD(file, subvol_find))
		return -EOPNOTSUPP;
	got = file->op->subvol_find(file, which, uuid, id, n);
	assert(got <= (int)n);
	return got;
}

const struct file_id *cr_file_id(const struct file *file)
{
	return &file->id;
}

const char *cr_file_room(const struct file *file)
{
	return file->mnt->type->name;
}

uint32_t cr_file_block_size(const struct file *file)
{
	return file->mnt->block_size;
}

bool cr_same_storage(const struct file *a, const struct file *b)
{
	return a->mnt->type->family == b->mnt->type->family &&
	       !memcmp(a->mnt->fsid, b->mnt->fsid, sizeof(a->mnt->fsid));
}

int cr_describe(struct file *file, char *text, size_t size)
{
	return METHOD(file, describe) ? file->op->describe(file, text, size) : -EOPNOTSUPP;
}

bool cr_file_narrow(const struct file *file)
{
	return file->mnt->narrow;
}

uint64_t cr_file_limit(const struct file *file)
{
	return file->limit;
}

int cr_file_fd(const struct file *file)
{
	return file->fd;
}
