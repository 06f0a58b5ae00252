/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.h - the methods for files of this machine, for rooms that refine them
 * (fs/btrfs).  A refined room copies the table, replaces what it knows better,
 * and uses host_family so that clones and offloads go on between both.
 */
#ifndef CR_HOST_H
#define CR_HOST_H

#include "fs.h"

/* STATX_MNT_ID_UNIQUE of Linux 6.8: a number that no later mount gets, instead of STATX_MNT_ID. */
#define MNT_ID_UNIQUE 0x4000u
#define MAGIC_XFS     0x58465342u /* statfs(2) f_type; <linux/magic.h> has it late */

extern const char host_family[];

/* file.c: opening, reading, writing */
int host_open(struct file *child, const char *name, mode_t mode);
int host_open_fd(struct file *child, int fd);
int host_openat(struct file *dir, const char *name, mode_t mode, struct file *child);
int host_get_handle(struct file *file, const char *name, struct file_handle_bytes *h);
int host_open_handle(struct file *at, const struct file_handle_bytes *h, struct file *child);
int host_release(struct file *file);
ssize_t host_read(struct file *file, void *buf, size_t len, off_t pos);
ssize_t host_write(struct file *file, const void *buf, size_t len, off_t pos);
ssize_t host_read_nowait(struct file *file, void *buf, size_t len, off_t pos);
ssize_t host_write_nowait(struct file *file, const void *buf, size_t len, off_t pos);
off_t host_seek(struct file *file, off_t pos, int whence);
int host_allocate(struct file *file, int mode, off_t pos, off_t len);
int host_truncate(struct file *file, off_t size);
int host_sync(struct file *file, bool data_only);
int host_sync_fs(struct file *file);
int host_flush(struct file *file);

/* fiemap.c */
int host_unwritten(struct file *file, off_t pos, struct file_range *range, unsigned n);

/* swap.c: what the room remembers in one namespace */
int host_start(void **room);
void host_stop(void *room);
int host_busy(struct file *file);

/* range.c: FICLONERANGE and copy_file_range(2) */
int host_clone_range(const struct copy_req *req, struct copy_result *res);
int host_copy_range(const struct copy_req *req, struct copy_result *res);
int host_describe(struct file *file, char *text, size_t size);
bool host_claim(struct file *file, struct mount *mnt);
bool host_copy_fds(const int fd[2], off_t *off[2], size_t len, ssize_t *done);

/* attr.c */
int host_getattr(struct file *file, const char *name, struct statx *stx);
int host_access(struct file *file, int mode);
int host_statfs(struct file *file, struct statfs *st);
int host_setattr(struct file *file, const char *name, const struct iattr *attr);
ssize_t host_listxattr(struct file *file, const char *name, char *list, size_t size);
ssize_t host_getxattr(struct file *file, const char *name, const char *key, struct iovec *val);
int host_setxattr(struct file *file, const char *name, const struct xattr *xattr);
int host_removexattr(struct file *file, const char *name, const char *key);
int host_fileattr_get(struct file *file, struct fileattr *fa);
int host_fileattr_set(struct file *file, const struct fileattr *fa);
int host_enable_verity(struct file *file, const struct verity_descriptor *desc);

/* dir.c */
ssize_t host_readdir(struct file *dir, struct dirbuf *buf);
int host_mkdir(struct file *dir, const char *name, mode_t mode);
int host_mknod(struct file *dir, const char *name, mode_t mode, dev_t dev);
int host_symlink(struct file *dir, const char *name, const char *target);
ssize_t host_readlink(struct file *dir, const char *name, char *buf, size_t size);
int host_link(struct file *olddir, const char *old, struct file *dir, const char *name);
int host_unlink(struct file *dir, const char *name, int flags);
int host_rename(struct file *olddir, const char *old, struct file *dir, const char *name,
		unsigned flags);

/* Every method above, as initialisers of a struct file_operations. */
#define HOST_FILE_OPERATIONS                                                                       \
	.release = host_release, .read = host_read, .write = host_write,                           \
	.read_nowait = host_read_nowait, .write_nowait = host_write_nowait, .seek = host_seek,     \
	.allocate = host_allocate, .truncate = host_truncate, .sync = host_sync,                   \
	.sync_fs = host_sync_fs, .flush = host_flush, .busy = host_busy,                           \
	.unwritten = host_unwritten, .clone_range = host_clone_range,                              \
	.copy_range = host_copy_range, .describe = host_describe, .getattr = host_getattr,         \
	.access = host_access, .statfs = host_statfs, .setattr = host_setattr,                     \
	.listxattr = host_listxattr, .getxattr = host_getxattr, .setxattr = host_setxattr,         \
	.removexattr = host_removexattr, .fileattr_get = host_fileattr_get,                        \
	.fileattr_set = host_fileattr_set, .enable_verity = host_enable_verity,                    \
	.openat = host_openat, .get_handle = host_get_handle, .open_handle = host_open_handle,     \
	.readdir = host_readdir, .mkdir = host_mkdir, .mknod = host_mknod,                         \
	.symlink = host_symlink, .readlink = host_readlink, .link = host_link,                     \
	.unlink = host_unlink, .rename = host_rename

#endif
