// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fault.c - a room that breaks on order, stacked on any other.
 *
 *	fault:RULES:NAME	the file NAME (a path or a URL), which breaks by RULES
 *
 * RULES is a comma list without colons, perhaps empty, of
 * METHOD[(GLOB)][@WHEN]=ACTION:
 *
 *	METHOD	a name out of FAULT_METHODS, or * for every one
 *	GLOB	only calls on files whose last name component matches it
 *	WHEN	N the Nth such call, N+ from the Nth on, N* every Nth; default 1+
 *	ACTION	ENOSPC...	fail with that errno, nothing done
 *		shortN		move at most N bytes; with an errno due on the same
 *				call that is answered after the N bytes
 *		delayN		take N ms longer
 *		flip		spoil a byte of what read or read_encoded gives
 *		kill int term hup usr1	a signal to this process, then go on
 *
 *	fault:write@3=ENOSPC,read@1=short512:/path
 *
 * All files of a namespace opened with the same RULES, and all below such a
 * directory, count their calls together.  clone_range, copy_range and link count
 * for the destination.  A file has no descriptor here, so nothing goes round it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/fault/stacked.h"

/* All rules of one namespace. */
struct fault_root {
	pthread_mutex_t lock;
	struct fault_set *sets;
};

static int fault_start(void **room)
{
	struct fault_root *root = calloc(1, sizeof(*root));

	if (!root)
		return -ENOMEM;
	pthread_mutex_init(&root->lock, NULL);
	*room = root;
	return 0;
}

static void fault_stop(void *room)
{
	struct fault_root *root = room;
	struct fault_set *set;

	while ((set = root->sets)) {
		root->sets = *fault_set_next(set);
		free(set);
	}
	pthread_mutex_destroy(&root->lock);
	free(root);
}

static int set_of(struct fault_root *root, const char *text, size_t len, struct fault_set **setp)
{
	struct fault_set *set;
	int err = 0;

	pthread_mutex_lock(&root->lock);
	for (set = root->sets; set && !fault_set_is(set, text, len); set = *fault_set_next(set))
		;
	if (!set) {
		err = fault_set_parse(text, len, &set);
		if (!err) {
			*fault_set_next(set) = root->sets;
			root->sets = set;
		}
	}
	pthread_mutex_unlock(&root->lock);
	*setp = set;
	return err;
}

static const char *fault_lower_name(const char *name)
{
	const char *colon = strchr(name, ':');

	return colon && colon[1] ? colon + 1 : NULL;
}

/* The last component of @path, slashes at its end aside; the whole where there is none. */
static struct fault_file *file_new(struct fault_set *set, const char *path)
{
	size_t end = strlen(path), start;
	struct fault_file *ff;

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	if (start == end)
		start = 0;
	ff = calloc(1, sizeof(*ff) + end - start + 1);
	if (!ff)
		return NULL;
	memcpy(ff->name, path + start, end - start);
	ff->set = set;
	return ff;
}

int fault_open_stacked(struct file *child, struct fault_set *set, const char *path)
{
	struct fault_file *ff = file_new(set, path);
	int err;

	if (!ff)
		return -ENOMEM;
	err = fault_hit(set, FAULT_open, ff->name).err;
	if (err)
		free(ff);
	else
		child->private = ff;
	return err;
}

static int fault_open(struct file *child, const char *name, mode_t mode)
{
	const char *below = fault_lower_name(name);
	struct fault_set *set;
	int err = set_of(child->room, name, (size_t)(below - name) - 1, &set);

	return err ? err : fault_open_stacked(child, set, below);
}

static int fault_openat(struct file *dir, const char *name, mode_t mode, struct file *child)
{
	const struct fault_file *ff = dir->private;

	return fault_open_stacked(child, ff->set, name && name[0] ? name : ff->name);
}

/* Without a file below, its open failed: no call to be counted. */
static int fault_release(struct file *file)
{
	int err = file->lower ? fail_on(file, FAULT_release, NULL) : 0;

	free(file->private);
	return err;
}

static bool fault_claim(struct file *file, struct mount *mnt)
{
	const struct mount *low = file->lower->mnt;

	memcpy(mnt->fsid, low->fsid, sizeof(mnt->fsid));
	mnt->magic = low->magic;
	mnt->block_size = low->block_size;
	mnt->narrow = low->narrow;
	memcpy(mnt->why, low->why, sizeof(mnt->why));
	atomic_store(&mnt->lost, atomic_load(&low->lost));
	return true;
}

static size_t at_most(size_t len, uint64_t max)
{
	return len < max ? len : (size_t)max;
}

static void spoil(const struct fault_hit *hit, void *buf, ssize_t n)
{
	if (hit->flip && n > 0)
		((unsigned char *)buf)[n / 2] ^= 0xff;
}

static ssize_t fault_read(struct file *file, void *buf, size_t len, off_t pos)
{
	struct fault_hit hit = hit_on(file, FAULT_read, NULL);
	ssize_t n = 0;

	if (hit.max)
		n = LOWER(file, read, -EOPNOTSUPP, buf, at_most(len, hit.max), pos);
	spoil(&hit, buf, n);
	return hit.err ? hit.err : n;
}

static ssize_t fault_write(struct file *file, const void *buf, size_t len, off_t pos)
{
	struct fault_hit hit = hit_on(file, FAULT_write, NULL);
	ssize_t n = 0;

	if (hit.max)
		n = LOWER(file, write, -EROFS, buf, at_most(len, hit.max), pos);
	return hit.err ? hit.err : n;
}

static int lower_getattr(struct file *file, const char *name, struct statx *stx)
{
	return LOWER(file, getattr, -EOPNOTSUPP, name, stx);
}

/* A room without seek has one run of data, as cr_seek() has it. */
static off_t all_data(struct file *file, off_t pos, int whence)
{
	struct statx stx;
	int err = lower_getattr(file, NULL, &stx);

	if (err)
		return err;
	if (pos < 0 || (uint64_t)pos >= stx.stx_size)
		return -ENXIO;
	return whence == SEEK_DATA ? pos : (off_t)stx.stx_size;
}

static off_t fault_seek(struct file *file, off_t pos, int whence)
{
	int err = fail_on(file, FAULT_seek, NULL);

	if (err)
		return err;
	if (!file->lower->op->seek)
		return all_data(file, pos, whence);
	return file->lower->op->seek(file->lower, pos, whence);
}

static int fault_allocate(struct file *file, int mode, off_t pos, off_t len)
{
	int err = fail_on(file, FAULT_allocate, NULL);

	return err ? err : LOWER(file, allocate, -EOPNOTSUPP, mode, pos, len);
}

static int fault_truncate(struct file *file, off_t size)
{
	int err = fail_on(file, FAULT_truncate, NULL);

	return err ? err : LOWER(file, truncate, -EOPNOTSUPP, size);
}

static int fault_sync(struct file *file, bool data_only)
{
	int err = fail_on(file, FAULT_sync, NULL);

	return err ? err : LOWER(file, sync, 0, data_only);
}

static int fault_sync_fs(struct file *file)
{
	int err = fail_on(file, FAULT_sync_fs, NULL);

	if (err || !file->lower->op->sync_fs)
		return err;
	return file->lower->op->sync_fs(file->lower);
}

static int fault_flush(struct file *file)
{
	int err = fail_on(file, FAULT_flush, NULL);

	if (err || !file->lower->op->flush)
		return err;
	return file->lower->op->flush(file->lower);
}

static int fault_settle(struct file *file, struct file_range *range)
{
	int err = fail_on(file, FAULT_settle, NULL);

	return err ? err : LOWER(file, settle, 0, range);
}

static int fault_busy(struct file *file)
{
	int err = fail_on(file, FAULT_busy, NULL);

	if (err || !file->lower->op->busy)
		return err;
	return file->lower->op->busy(file->lower);
}

static ssize_t fault_read_encoded(struct file *file, struct encoded_iov *ev, void *buf, size_t size,
				  off_t pos)
{
	struct fault_hit hit = hit_on(file, FAULT_read_encoded, NULL);
	ssize_t n;

	if (hit.err)
		return hit.err;
	n = LOWER(file, read_encoded, -EOPNOTSUPP, ev, buf, at_most(size, hit.max), pos);
	spoil(&hit, buf, n);
	return n;
}

static ssize_t fault_write_encoded(struct file *file, const struct encoded_iov *ev,
				   const struct iovec *payload, off_t pos)
{
	int err = fail_on(file, FAULT_write_encoded, NULL);

	return err ? err : LOWER(file, write_encoded, -EOPNOTSUPP, ev, payload, pos);
}

/* The mount's, not a call on the file: no rule breaks it. */
static uint32_t fault_compression(struct file *file)
{
	const struct file_operations *op = file->lower->op;

	return op->compression ? op->compression(file->lower) : ENCODED_NONE;
}

static int fault_extents(struct file *file, off_t pos, struct file_extent *ext, unsigned n,
			 unsigned how)
{
	int err = fail_on(file, FAULT_extents, NULL);

	return err ? err : LOWER(file, extents, -EOPNOTSUPP, pos, ext, n, how);
}

static int fault_unwritten(struct file *file, off_t pos, struct file_range *range, unsigned n)
{
	int err = fail_on(file, FAULT_unwritten, NULL);

	return err ? err : LOWER(file, unwritten, 0, pos, range, n);
}

/* As the host room has it: these say "not here", all others are final. */
static bool refusal(int err, enum copy_scope *scope)
{
	switch (-err) {
	case EXDEV:
		*scope = COPY_THIS_PAIR;
		return true;
	case EOPNOTSUPP:
	case ENOTTY:
	case ENOSYS:
		*scope = COPY_THIS_MOUNT;
		return true;
	case EINVAL:
	case EBADF:
	case EPERM:
	case EACCES:
		*scope = COPY_THIS_FILE;
		return true;
	default:
		return false;
	}
}

static int refuse(struct copy_result *res, enum copy_strategy_id s, const char *reason, int err)
{
	struct copy_why why = {.reason = reason, .error = -err};

	refusal(err, &why.scope);
	return decline(res, s, why);
}

static int lower_move(const struct copy_req *req, struct copy_result *res, enum copy_strategy_id s)
{
	const struct file_operations *op = req->out->op;
	int (*move)(const struct copy_req *, struct copy_result *) =
		s == COPY_CLONE ? op->clone_range : op->copy_range;

	if (req->in->mnt->type->family != req->out->mnt->type->family)
		return refuse(res, s, "below, source and destination are of different kinds",
			      -EXDEV);
	if (!move)
		return refuse(res, s, "the room below has no such method", -EOPNOTSUPP);
	return move(req, res);
}

/* Both ways of moving a range inside the storage; a refusal after progress is just short. */
static int fault_move(const struct copy_req *req, struct copy_result *res, enum copy_strategy_id s)
{
	enum fault_method m = s == COPY_CLONE ? FAULT_clone_range : FAULT_copy_range;
	struct fault_hit hit = hit_on(req->out, m, NULL);
	struct copy_req low = *req;
	enum copy_scope scope;
	int err;

	low.in = req->in->lower;
	low.out = req->out->lower;
	if (low.len > hit.max)
		low.len = hit.max;
	err = low.len ? lower_move(&low, res, s) : 0;
	if (err || !hit.err)
		return err;
	if (!refusal(hit.err, &scope))
		return hit.err;
	return res->bytes ? 0 : refuse(res, s, "refused on order", hit.err);
}

static int fault_clone_range(const struct copy_req *req, struct copy_result *res)
{
	return fault_move(req, res, COPY_CLONE);
}

static int fault_copy_range(const struct copy_req *req, struct copy_result *res)
{
	return fault_move(req, res, COPY_OFFLOAD);
}

static int fault_getattr(struct file *file, const char *name, struct statx *stx)
{
	int err = fail_on(file, FAULT_getattr, name);

	return err ? err : lower_getattr(file, name, stx);
}

static int fault_setattr(struct file *file, const char *name, const struct iattr *attr)
{
	int err = fail_on(file, FAULT_setattr, name);

	return err ? err : LOWER(file, setattr, -EOPNOTSUPP, name, attr);
}

static ssize_t fault_listxattr(struct file *file, const char *name, char *list, size_t size)
{
	int err = fail_on(file, FAULT_listxattr, name);

	return err ? err : LOWER(file, listxattr, -EOPNOTSUPP, name, list, size);
}

static ssize_t fault_getxattr(struct file *file, const char *name, const char *key,
			      struct iovec *val)
{
	int err = fail_on(file, FAULT_getxattr, name);

	return err ? err : LOWER(file, getxattr, -EOPNOTSUPP, name, key, val);
}

static int fault_setxattr(struct file *file, const char *name, const struct xattr *xattr)
{
	int err = fail_on(file, FAULT_setxattr, name);

	return err ? err : LOWER(file, setxattr, -EOPNOTSUPP, name, xattr);
}

static int fault_removexattr(struct file *file, const char *name, const char *key)
{
	int err = fail_on(file, FAULT_removexattr, name);

	return err ? err : LOWER(file, removexattr, -EOPNOTSUPP, name, key);
}

static int fault_access(struct file *file, int mode)
{
	int err = fail_on(file, FAULT_access, NULL);

	return err ? err : LOWER(file, access, -EOPNOTSUPP, mode);
}

static int fault_statfs(struct file *file, struct statfs *st)
{
	int err = fail_on(file, FAULT_statfs, NULL);

	return err ? err : LOWER(file, statfs, -EOPNOTSUPP, st);
}

static int fault_fileattr_get(struct file *file, struct fileattr *fa)
{
	int err = fail_on(file, FAULT_fileattr_get, NULL);

	return err ? err : LOWER(file, fileattr_get, -EOPNOTSUPP, fa);
}

static int fault_fileattr_set(struct file *file, const struct fileattr *fa)
{
	int err = fail_on(file, FAULT_fileattr_set, NULL);

	return err ? err : LOWER(file, fileattr_set, -EOPNOTSUPP, fa);
}

static int fault_enable_verity(struct file *file, const struct verity_descriptor *desc)
{
	int err = fail_on(file, FAULT_enable_verity, NULL);

	return err ? err : LOWER(file, enable_verity, -EOPNOTSUPP, desc);
}

static ssize_t fault_readdir(struct file *dir, struct dirbuf *buf)
{
	int err = fail_on(dir, FAULT_readdir, NULL);

	return err ? err : LOWER(dir, readdir, -ENOTDIR, buf);
}

static int fault_mkdir(struct file *dir, const char *name, mode_t mode)
{
	int err = fail_on(dir, FAULT_mkdir, name);

	return err ? err : LOWER(dir, mkdir, -EOPNOTSUPP, name, mode);
}

static int fault_mknod(struct file *dir, const char *name, mode_t mode, dev_t dev)
{
	int err = fail_on(dir, FAULT_mknod, name);

	return err ? err : LOWER(dir, mknod, -EOPNOTSUPP, name, mode, dev);
}

static int fault_symlink(struct file *dir, const char *name, const char *target)
{
	int err = fail_on(dir, FAULT_symlink, name);

	return err ? err : LOWER(dir, symlink, -EOPNOTSUPP, name, target);
}

static ssize_t fault_readlink(struct file *dir, const char *name, char *buf, size_t size)
{
	int err = fail_on(dir, FAULT_readlink, name);

	return err ? err : LOWER(dir, readlink, -EOPNOTSUPP, name, buf, size);
}

static int fault_link(struct file *olddir, const char *old, struct file *dir, const char *name)
{
	struct file *low_old = olddir->lower, *low = dir->lower;
	int err = fail_on(dir, FAULT_link, name);

	if (err)
		return err;
	if (low_old->mnt->type->family != low->mnt->type->family)
		return -EXDEV;
	return low->op->link ? low->op->link(low_old, old, low, name) : -EOPNOTSUPP;
}

static int fault_unlink(struct file *dir, const char *name, int flags)
{
	int err = fail_on(dir, FAULT_unlink, name);

	return err ? err : LOWER(dir, unlink, -EOPNOTSUPP, name, flags);
}

static int fault_rename(struct file *olddir, const char *old, struct file *dir, const char *name,
			unsigned flags)
{
	struct file *low_old = olddir->lower, *low = dir->lower;
	int err = fail_on(dir, FAULT_rename, name);

	if (err)
		return err;
	if (low_old->mnt->type->family != low->mnt->type->family)
		return -EXDEV;
	return low->op->rename ? low->op->rename(low_old, old, low, name, flags) : -EOPNOTSUPP;
}

static const struct file_operations fault_file_operations = {
	.release = fault_release,
	.read = fault_read,
	.write = fault_write,
	.seek = fault_seek,
	.allocate = fault_allocate,
	.truncate = fault_truncate,
	.sync = fault_sync,
	.sync_fs = fault_sync_fs,
	.flush = fault_flush,
	.settle = fault_settle,
	.busy = fault_busy,
	.read_encoded = fault_read_encoded,
	.write_encoded = fault_write_encoded,
	.compression = fault_compression,
	.extents = fault_extents,
	.unwritten = fault_unwritten,
	.clone_range = fault_clone_range,
	.copy_range = fault_copy_range,
	.getattr = fault_getattr,
	.access = fault_access,
	.statfs = fault_statfs,
	.setattr = fault_setattr,
	.listxattr = fault_listxattr,
	.getxattr = fault_getxattr,
	.setxattr = fault_setxattr,
	.removexattr = fault_removexattr,
	.fileattr_get = fault_fileattr_get,
	.fileattr_set = fault_fileattr_set,
	.openat = fault_openat,
	.enable_verity = fault_enable_verity,
	.readdir = fault_readdir,
	.mkdir = fault_mkdir,
	.mknod = fault_mknod,
	.symlink = fault_symlink,
	.readlink = fault_readlink,
	.link = fault_link,
	.unlink = fault_unlink,
	.rename = fault_rename,
	FAULT_SUBVOL_OPERATIONS,
};

const struct fs_type fault_fs_type = {
	.name = "fault",
	.scheme = "fault:",
	.family = &fault_fs_type,
	.op = &fault_file_operations,
	.start = fault_start,
	.stop = fault_stop,
	.open = fault_open,
	.lower_name = fault_lower_name,
	.claim = fault_claim,
};
