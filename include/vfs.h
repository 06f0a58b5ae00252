/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vfs.h - what a door may ask of any file, wherever it lives.
 *
 * Doors (ocp, streams, servers) include this; rooms include fs.h instead.
 * Each call is checked and handed to the file's room by kernel/ops.c.  All
 * return 0 or a count, or a negative errno; -EOPNOTSUPP where a room lacks it.
 */
#ifndef CR_VFS_H
#define CR_VFS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attr.h"
#include "copy_range.h"
#include "encoded.h"

/*
 * Files.  A name is one component or a relative path without a scheme; the
 * call is relative to @dir as in openat(2).  NULL or "" as name of an *at call
 * that takes one means the file itself.
 */
int cr_openat(struct file *dir, const char *name, int flags, mode_t mode, struct file **filep);
ssize_t cr_read(struct file *file, void *buf, size_t len, off_t pos);
ssize_t cr_write(struct file *file, const void *buf, size_t len, off_t pos);
off_t cr_seek(struct file *file, off_t pos, int whence);	    /* SEEK_DATA, SEEK_HOLE */
int cr_allocate(struct file *file, int mode, off_t pos, off_t len); /* fallocate(2) */
/* Reserved space that was never written, from @pos on, beyond the end too: count put in, 0 at the
 * end. */
int cr_unwritten(struct file *file, off_t pos, struct file_range *range, unsigned n);
int cr_truncate(struct file *file, off_t size);
int cr_sync(struct file *file, bool data_only);
/* What cr_close() would report of the writes so far; costs nothing where it reports nothing. */
int cr_flush(struct file *file);
ssize_t cr_read_encoded(struct file *f, struct encoded_iov *ev, void *buf, size_t size, off_t pos);
/* VALIDATE in @flags (COPY_RANGE_VALIDATE): the payload is decoded once before it is planted. */
ssize_t cr_write_encoded(struct file *f, const struct encoded_iov *ev, const struct iovec *payload,
			 off_t pos, unsigned flags);

/* Attributes of @file (name NULL) or of @name below it, symlinks not followed. */
int cr_getattr(struct file *file, const char *name, struct statx *stx);
/* As they were when @file was opened: for use right after that, when it saves a question. */
int cr_getattr_open(struct file *file, struct statx *stx);
int cr_setattr(struct file *file, const char *name, const struct iattr *attr);
ssize_t cr_listxattr(struct file *file, const char *name, char *list, size_t size);
ssize_t cr_getxattr(struct file *file, const char *name, const char *key, void *val, size_t size);
int cr_setxattr(struct file *file, const char *name, const struct xattr *xattr);
int cr_fileattr_get(struct file *file, struct fileattr *fa);
int cr_fileattr_set(struct file *file, const struct fileattr *fa);

/* Directories. */
ssize_t cr_readdir(struct file *dir, struct dirbuf *buf); /* entries put in, 0 at the end */
int cr_mkdir(struct file *dir, const char *name, mode_t mode);
int cr_mknod(struct file *dir, const char *name, mode_t mode, dev_t dev);
int cr_symlink(struct file *dir, const char *name, const char *target);
ssize_t cr_readlink(struct file *dir, const char *name, char *buf, size_t size);
/* Hard link: @old below @olddir (or the open @olddir itself, old NULL) gets @name below @dir. */
int cr_link(struct file *olddir, const char *old, struct file *dir, const char *name);
int cr_unlink(struct file *dir, const char *name, int flags); /* AT_REMOVEDIR */
int cr_rename(struct file *dir, const char *old, const char *name, unsigned flags);
/* From one directory into another. */
int cr_rename_to(struct file *olddir, const char *old, struct file *dir, const char *name,
		 unsigned flags);

/* What is known about an open file without asking its storage. */
const struct file_id *cr_file_id(const struct file *file);
const char *cr_file_room(const struct file *file); /* "host", "btrfs", "mem" ... */
int cr_file_fd(const struct file *file);	   /* -1 where it is no file of this machine */
/* Whether one thread makes many small files here as fast as several, and with less effort. */
bool cr_file_narrow(const struct file *file);

/* The next entry of a filled dirbuf: true and @view, or false at its end.  "." and ".." are left
 * out. */
bool dirbuf_next(struct dirbuf *buf, struct dirent_view *view);

/*
 * What could be done between two places: copies a little of req->in to req->out
 * by each strategy alone and cuts req->out back to nothing after each, so
 * req->out must be the caller's own, best an O_TMPFILE.  For each strategy,
 * res->by[].bytes tells that it works and res->why[] why it does not.
 */
int cr_probe(const struct copy_req *req, struct copy_result *res);

#endif
