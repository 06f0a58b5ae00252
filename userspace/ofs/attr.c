// SPDX-License-Identifier: GPL-2.0-or-later
/* attr.c - attributes, extended ones, and what is known of a whole file system. */
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "ofs.h"

#define XATTR_MAX 65536u /* of a value or a list: fs/xattr.c */

static void reply_attr(fuse_req_t req, struct node *node, int err)
{
	struct ofs *o = ofs_of(req);
	struct statx stx;
	struct stat st;

	if (!node)
		root_stat(o, &st);
	else if (!err)
		err = cr_getattr(node->file, NULL, &stx);
	if (err) {
		fuse_reply_err(req, reply_error(err));
		return;
	}
	if (node)
		node_stat(&node->id, &stx, &st);
	fuse_reply_attr(req, &st, o->opts->attr_timeout);
}

void ofs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	reply_attr(req, node_of(ino), 0);
}

static int set_size(struct node *node, off_t size, const struct fuse_file_info *fi)
{
	struct file *file;
	int err;

	if (fi)
		return cr_truncate(handle_of(fi)->file, size);
	err = cr_openat(node->file, "", O_WRONLY, 0, &file);
	if (err)
		return err;
	err = cr_truncate(file, size);
	if (!err)
		err = cr_close(file);
	else
		cr_close(file);
	return err;
}

static struct timespec time_of(struct timespec ts, bool set, bool now)
{
	if (now)
		ts.tv_nsec = UTIME_NOW;
	else if (!set)
		ts.tv_nsec = UTIME_OMIT;
	return ts;
}

static int set_attr(struct node *node, const struct stat *st, int what)
{
	const int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
			  FUSE_SET_ATTR_MTIME_NOW;
	struct iattr attr = {.uid = (uid_t)-1, .gid = (gid_t)-1};

	if (what & FUSE_SET_ATTR_UID)
		attr.uid = st->st_uid;
	if (what & FUSE_SET_ATTR_GID)
		attr.gid = st->st_gid;
	if (what & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		attr.valid |= ATTR_OWNER;
	if (what & FUSE_SET_ATTR_MODE) {
		attr.valid |= ATTR_MODE;
		attr.mode = st->st_mode & 07777;
	}
	if (what & times) {
		attr.valid |= ATTR_TIMES;
		attr.atime = time_of(st->st_atim, what & FUSE_SET_ATTR_ATIME,
				     what & FUSE_SET_ATTR_ATIME_NOW);
		attr.mtime = time_of(st->st_mtim, what & FUSE_SET_ATTR_MTIME,
				     what & FUSE_SET_ATTR_MTIME_NOW);
	}
	return attr.valid ? cr_setattr(node->file, NULL, &attr) : 0;
}

void ofs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int what,
		 struct fuse_file_info *fi)
{
	struct node *node = node_of(ino);
	int err = 0;

	if (!node) {
		fuse_reply_err(req, EPERM);
		return;
	}
	/* The size first: it sets times, and takes set-id bits away. */
	if (what & FUSE_SET_ATTR_SIZE)
		err = set_size(node, st->st_size, fi);
	if (!err)
		err = set_attr(node, st, what);
	reply_attr(req, node, err);
}

/* A room that cannot say (a server) decides when it is used. */
void ofs_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct node *node = node_of(ino);
	int err = 0;

	if (node)
		err = cr_access(node->file, mask);
	else if (mask & W_OK)
		err = -EROFS;
	fuse_reply_err(req, err == -EOPNOTSUPP ? 0 : reply_error(err));
}

void ofs_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs out = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255};
	struct node *node = node_of(ino);
	struct statfs st;
	int err = node ? cr_statfs(node->file, &st) : -EOPNOTSUPP;

	if (err && err != -EOPNOTSUPP) {
		fuse_reply_err(req, reply_error(err));
		return;
	}
	if (!err)
		out = (struct statvfs){
			.f_bsize = (unsigned long)st.f_bsize,
			.f_frsize = (unsigned long)(st.f_frsize ? st.f_frsize : st.f_bsize),
			.f_blocks = st.f_blocks,
			.f_bfree = st.f_bfree,
			.f_bavail = st.f_bavail,
			.f_files = st.f_files,
			.f_ffree = st.f_ffree,
			.f_favail = st.f_ffree,
			.f_namemax = (unsigned long)st.f_namelen,
		};
	fuse_reply_statfs(req, &out);
}

/* Extended attributes -------------------------------------------------------------- */

void ofs_setxattr(fuse_req_t req, fuse_ino_t ino, const char *key, const char *value, size_t size,
		  int flags)
{
	const struct xattr xattr = {.key = key, .value = value, .len = size, .flags = flags};
	struct node *node = node_of(ino);
	int err = node ? cr_setxattr(node->file, NULL, &xattr) : -EPERM;

	fuse_reply_err(req, reply_error(err));
}

/* Where a room has no ACLs there is none on any file: the kernel, who enforces them, asks. */
static ssize_t no_acl(const char *key, ssize_t n)
{
	return n == -EOPNOTSUPP && !strncmp(key, "system.posix_acl_", 17) ? -ENODATA : n;
}

/* The answer to a question for a value or a list of up to @size bytes, in @buf. */
static void reply_bytes(fuse_req_t req, ssize_t n, const char *buf, size_t size)
{
	if (n < 0)
		fuse_reply_err(req, reply_error((int)n));
	else if (!size)
		fuse_reply_xattr(req, (size_t)n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

void ofs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *key, size_t size)
{
	struct node *node = node_of(ino);
	char small[256], *buf = small;

	if (!node) {
		fuse_reply_err(req, ENODATA);
		return;
	}
	size = size < XATTR_MAX ? size : XATTR_MAX;
	if (size > sizeof(small))
		buf = malloc(size);
	if (buf)
		reply_bytes(req, no_acl(key, cr_getxattr(node->file, NULL, key, buf, size)), buf,
			    size);
	else
		fuse_reply_err(req, ENOMEM);
	if (buf != small)
		free(buf);
}

void ofs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct node *node = node_of(ino);
	char small[256], *buf = small;
	ssize_t n;

	size = size < XATTR_MAX ? size : XATTR_MAX;
	if (size > sizeof(small))
		buf = malloc(size);
	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	n = node ? cr_listxattr(node->file, NULL, buf, size) : 0;
	reply_bytes(req, n == -EOPNOTSUPP ? 0 : n, buf, size);
	if (buf != small)
		free(buf);
}

void ofs_removexattr(fuse_req_t req, fuse_ino_t ino, const char *key)
{
	struct node *node = node_of(ino);
	int err = node ? cr_removexattr(node->file, NULL, key) : -EPERM;

	fuse_reply_err(req, reply_error(err));
}

/* The request and the answer of an ioctl(2). */
struct ioctl_data {
	unsigned cmd;
	const void *in;
	size_t in_size, out_size, len;
	union {
		unsigned flags;
		struct fsxattr fsx;
	} out;
};

static int do_ioctl(struct file *file, struct ioctl_data *d)
{
	struct fileattr fa = {0};
	unsigned flags;
	int err;

	switch (d->cmd) {
	case FS_IOC_GETFLAGS:
		if (d->out_size < sizeof(flags))
			return -EINVAL;
		err = cr_fileattr_get(file, &fa);
		d->out.flags = fa.flags;
		d->len = sizeof(flags);
		return err;
	case FS_IOC_SETFLAGS:
		if (d->in_size < sizeof(flags))
			return -EINVAL;
		memcpy(&flags, d->in, sizeof(flags));
		fa.flags = flags;
		return cr_fileattr_set(file, &fa);
	case FS_IOC_FSGETXATTR: /* the kernel asks before it sets flags */
		if (d->out_size < sizeof(d->out.fsx))
			return -EINVAL;
		d->len = sizeof(d->out.fsx);
		return ioctl(cr_file_fd(file), FS_IOC_FSGETXATTR, &d->out.fsx) < 0 ? -ENOTTY : 0;
	default:
		return -ENOTTY;
	}
}

/* chattr(1) and lsattr(1); the kernel keeps FICLONE and its like to itself. */
void ofs_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi,
	       unsigned flags, const void *in, size_t in_size, size_t out_size)
{
	struct ioctl_data d = {.cmd = cmd, .in = in, .in_size = in_size, .out_size = out_size};
	struct node *node = node_of(ino);
	struct file *file = NULL;
	int err = node ? cr_openat(node->file, "", O_RDONLY | O_NONBLOCK, 0, &file) : -ENOTTY;

	if (!err)
		err = do_ioctl(file, &d);
	cr_close(file);
	if (err)
		fuse_reply_err(req, err == -EOPNOTSUPP ? ENOTTY : reply_error(err));
	else
		fuse_reply_ioctl(req, 0, &d.out, d.len);
}
