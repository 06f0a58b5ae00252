// SPDX-License-Identifier: GPL-2.0-or-later
/* attr.c - attributes of files of this machine, by descriptor or by name below a directory. */
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs/host/host.h"

#define PROC_NAME 300 /* "/proc/self/fd/N/" and one name */

static ssize_t ret(ssize_t r)
{
	return r < 0 ? -errno : r;
}

/* A name below an open directory for calls that have no *at form. */
static int proc_name(const struct file *dir, const char *name, char *buf)
{
	int n = snprintf(buf, PROC_NAME, "/proc/self/fd/%d/%s", dir->fd, name);

	return n < PROC_NAME ? 0 : -ENAMETOOLONG;
}

int host_getattr(struct file *file, const char *name, struct statx *stx)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_STATX_SYNC_AS_STAT | (name ? 0 : AT_EMPTY_PATH);
	unsigned mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID | MNT_ID_UNIQUE;

	return (int)ret(statx(file->fd, name ? name : "", flags, mask, stx));
}

static int set_owner(struct file *file, const char *name, const struct iattr *attr)
{
	if (!name)
		return (int)ret(fchown(file->fd, attr->uid, attr->gid));
	return (int)ret(fchownat(file->fd, name, attr->uid, attr->gid, AT_SYMLINK_NOFOLLOW));
}

/* fchmodat() cannot refuse symlinks before Linux 6.6: callers ask for no mode on them. */
static int set_mode(struct file *file, const char *name, const struct iattr *attr)
{
	if (!name)
		return (int)ret(fchmod(file->fd, attr->mode));
	return (int)ret(fchmodat(file->fd, name, attr->mode, 0));
}

static int set_times(struct file *file, const char *name, const struct iattr *attr)
{
	struct timespec times[2] = {attr->atime, attr->mtime};

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

	if (!name)
		return ret(flistxattr(file->fd, list, size));
	err = proc_name(file, name, path);
	return err ? err : ret(llistxattr(path, list, size));
}

ssize_t host_getxattr(struct file *file, const char *name, const char *key, struct iovec *val)
{
	char path[PROC_NAME];
	int err;

	if (!name)
		return ret(fgetxattr(file->fd, key, val->iov_base, val->iov_len));
	err = proc_name(file, name, path);
	return err ? err : ret(lgetxattr(path, key, val->iov_base, val->iov_len));
}

int host_setxattr(struct file *file, const char *name, const struct xattr *xattr)
{
	char path[PROC_NAME];
	int err;

	if (!name)
		return (int)ret(fsetxattr(file->fd, xattr->key, xattr->value, xattr->len, 0));
	err = proc_name(file, name, path);
	return err ? err : (int)ret(lsetxattr(path, xattr->key, xattr->value, xattr->len, 0));
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
