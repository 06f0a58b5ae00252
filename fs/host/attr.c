// SPDX-License-Identifier: GPL-2.0-or-later
/* attr.c - attributes of files of this machine, by descriptor or by name below a directory. */
#include <errno.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs/host/host.h"

#define SYS_FCHMODAT2 452 /* on all architectures; headers before Linux 6.6 lack it */
#define PROC_NAME     300 /* "/proc/self/fd/N/" and one name */

static ssize_t ret(ssize_t r)
{
	return r < 0 ? -errno : r;
}

/* Opened only to be named (O_PATH): the calls on descriptors refuse it. */
static bool is_path(const struct file *file)
{
	return file->oflags & O_PATH;
}

/* A name below an open directory, or the file itself, for calls that have no *at form. */
static int proc_name(const struct file *dir, const char *name, char *buf)
{
	int n = snprintf(buf, PROC_NAME, name ? "/proc/self/fd/%d/%s" : "/proc/self/fd/%d", dir->fd,
			 name);

	return n < PROC_NAME ? 0 : -ENAMETOOLONG;
}

int host_getattr(struct file *file, const char *name, struct statx *stx)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_STATX_SYNC_AS_STAT | (name ? 0 : AT_EMPTY_PATH);
	unsigned mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID | MNT_ID_UNIQUE;
	uint64_t size;

	if (statx(file->fd, name ? name : "", flags, mask, stx) < 0)
		return -errno;
	/* A device has no size there. */
	if (!name && S_ISBLK(stx->stx_mode) && !is_path(file) &&
	    ioctl(file->fd, BLKGETSIZE64, &size) == 0)
		stx->stx_size = size;
	return 0;
}

/* faccessat(2) of glibc looks at mode bits itself where it may not; the call sees ACLs too. */
int host_access(struct file *file, int mode)
{
	return (int)ret(syscall(SYS_faccessat2, file->fd, "", mode, AT_EMPTY_PATH | AT_EACCESS));
}

int host_statfs(struct file *file, struct statfs *st)
{
	return (int)ret(fstatfs(file->fd, st));
}

static int set_owner(struct file *file, const char *name, const struct iattr *attr)
{
	if (!name)
		return (int)ret(fchownat(file->fd, "", attr->uid, attr->gid, AT_EMPTY_PATH));
	return (int)ret(fchownat(file->fd, name, attr->uid, attr->gid, AT_SYMLINK_NOFOLLOW));
}

/* Without fchmodat2(2): by a descriptor that names the file itself, through /proc. */
static int chmod_nofollow(int dir, const char *name, mode_t mode)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), err;
	char path[40];
	struct stat st;

	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = fstat(fd, &st) < 0 ? -errno : 0;
	if (!err && S_ISLNK(st.st_mode))
		err = -EOPNOTSUPP;
	if (!err && chmod(path, mode) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* fchmodat(2) follows a symlink; fchmodat2(2) of Linux 6.6 says EOPNOTSUPP to one. */
static int set_mode(struct file *file, const char *name, const struct iattr *attr)
{
	char path[PROC_NAME];

	if (!name && is_path(file)) {
		proc_name(file, NULL, path);
		return (int)ret(chmod(path, attr->mode));
	}
	if (!name)
		return (int)ret(fchmod(file->fd, attr->mode));
	if (!syscall(SYS_FCHMODAT2, file->fd, name, attr->mode, AT_SYMLINK_NOFOLLOW))
		return 0;
	return errno == ENOSYS ? chmod_nofollow(file->fd, name, attr->mode) : -errno;
}

static int set_times(struct file *file, const char *name, const struct iattr *attr)
{
	struct timespec times[2] = {attr->atime, attr->mtime};

	if (!name && is_path(file))
		return (int)ret(utimensat(file->fd, "", times, AT_EMPTY_PATH));
	if (!name)
		return (int)ret(futimens(file->fd, times));
	return (int)ret(utimensat(file->fd, name, times, AT_SYMLINK_NOFOLLOW));
}

/* Owner before mode: chown(2) clears set-id bits. */
int host_setattr(struct file *file, const char *name, const struct iattr *attr)
{
	int err = 0;

	if (attr->valid & ATTR_OWNER)
		err = set_owner(file, name, attr);
	if (!err && (attr->valid & ATTR_MODE))
		err = set_mode(file, name, attr);
	if (!err && (attr->valid & ATTR_TIMES))
		err = set_times(file, name, attr);
	return err;
}

ssize_t host_listxattr(struct file *file, const char *name, char *list, size_t size)
{
	char path[PROC_NAME];
	int err;

	if (!name && !is_path(file))
		return ret(flistxattr(file->fd, list, size));
	err = proc_name(file, name, path);
	if (err)
		return err;
	return ret(name ? llistxattr(path, list, size) : listxattr(path, list, size));
}

ssize_t host_getxattr(struct file *file, const char *name, const char *key, struct iovec *val)
{
	char path[PROC_NAME];
	int err;

	if (!name && !is_path(file))
		return ret(fgetxattr(file->fd, key, val->iov_base, val->iov_len));
	err = proc_name(file, name, path);
	if (err)
		return err;
	return ret(name ? lgetxattr(path, key, val->iov_base, val->iov_len)
			: getxattr(path, key, val->iov_base, val->iov_len));
}

int host_setxattr(struct file *file, const char *name, const struct xattr *xattr)
{
	char path[PROC_NAME];
	int err;

	if (!name && !is_path(file))
		return (int)ret(
			fsetxattr(file->fd, xattr->key, xattr->value, xattr->len, xattr->flags));
	err = proc_name(file, name, path);
	if (err)
		return err;
	if (name)
		return (int)ret(
			lsetxattr(path, xattr->key, xattr->value, xattr->len, xattr->flags));
	return (int)ret(setxattr(path, xattr->key, xattr->value, xattr->len, xattr->flags));
}

int host_removexattr(struct file *file, const char *name, const char *key)
{
	char path[PROC_NAME];
	int err;

	if (!name && !is_path(file))
		return (int)ret(fremovexattr(file->fd, key));
	err = proc_name(file, name, path);
	if (err)
		return err;
	return (int)ret(name ? lremovexattr(path, key) : removexattr(path, key));
}

int host_fileattr_get(struct file *file, struct fileattr *fa)
{
	int flags = 0;

	if (ioctl(file->fd, FS_IOC_GETFLAGS, &flags) < 0)
		return errno == ENOTTY ? -EOPNOTSUPP : -errno;
	fa->flags = (uint32_t)flags;
	return 0;
}

int host_fileattr_set(struct file *file, const struct fileattr *fa)
{
	int flags = (int)fa->flags;

	if (ioctl(file->fd, FS_IOC_SETFLAGS, &flags) < 0)
		return errno == ENOTTY ? -EOPNOTSUPP : -errno;
	return 0;
}

int host_enable_verity(struct file *file, const struct verity_descriptor *desc)
{
	struct fsverity_enable_arg arg = {
		.version = 1,
		.hash_algorithm = desc->hash_algorithm,
		.block_size = desc->block_size,
		.salt_size = (uint32_t)desc->salt.iov_len,
		.salt_ptr = (uintptr_t)desc->salt.iov_base,
		.sig_size = (uint32_t)desc->signature.iov_len,
		.sig_ptr = (uintptr_t)desc->signature.iov_base,
	};

	if (ioctl(file->fd, FS_IOC_ENABLE_VERITY, &arg) < 0)
		return errno == ENOTTY ? -EOPNOTSUPP : -errno;
	return 0;
}
