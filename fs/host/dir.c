// SPDX-License-Identifier: GPL-2.0-or-later
/* dir.c - directories of this machine. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/host/host.h"

/* The layout of getdents64(2) is that of a dirbuf: see lib/dirbuf.c. */
ssize_t host_readdir(struct file *dir, struct dirbuf *buf)
{
	long n;

	do
		n = syscall(SYS_getdents64, dir->fd, buf->data, buf->size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	buf->len = (size_t)n;
	return n;
}

int host_mkdir(struct file *dir, const char *name, mode_t mode)
{
	return mkdirat(dir->fd, name, mode) < 0 ? -errno : 0;
}

int host_mknod(struct file *dir, const char *name, mode_t mode, dev_t dev)
{
	return mknodat(dir->fd, name, mode, dev) < 0 ? -errno : 0;
}

int host_symlink(struct file *dir, const char *name, const char *target)
{
	return symlinkat(target, dir->fd, name) < 0 ? -errno : 0;
}

ssize_t host_readlink(struct file *dir, const char *name, char *buf, size_t size)
{
	ssize_t n = readlinkat(dir->fd, name, buf, size);

	return n < 0 ? -errno : n;
}

/*
 * An open file is linked by its descriptor, which needs CAP_DAC_READ_SEARCH or,
 * since Linux 6.10, the credentials it was opened with (fs/namei.c do_linkat());
 * else through /proc, which costs a walk through that.
 */
static int link_open(const struct file *file, const struct file *dir, const char *name)
{
	char path[40];
	int r = linkat(file->fd, "", dir->fd, name, AT_EMPTY_PATH);

	if (r < 0 && (errno == ENOENT || errno == EINVAL)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
		r = linkat(AT_FDCWD, path, dir->fd, name, AT_SYMLINK_FOLLOW);
	}
	return r;
}

int host_link(struct file *olddir, const char *old, struct file *dir, const char *name)
{
	int r = old ? linkat(olddir->fd, old, dir->fd, name, 0) : link_open(olddir, dir, name);

	return r < 0 ? -errno : 0;
}

int host_unlink(struct file *dir, const char *name, int flags)
{
	return unlinkat(dir->fd, name, flags) < 0 ? -errno : 0;
}

int host_rename(struct file *olddir, const char *old, struct file *dir, const char *name,
		unsigned flags)
{
	int r = flags ? renameat2(olddir->fd, old, dir->fd, name, flags)
		      : renameat(olddir->fd, old, dir->fd, name);

	return r < 0 ? -errno : 0;
}
