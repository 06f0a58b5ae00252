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
 * Calls that wait for another machine give up soon, with -EINTR, when *stop is set.
 * For the whole namespace, before its first file is opened.
 */
void cr_ns_stop(struct cr_ns *ns, const int *stop);

/*
 * Files.  A name is one component or a relative path without a scheme; the
 * call is relative to @dir as in openat(2).  NULL or "" as name of an *at call
 * that takes one means the file itself; files opened with O_PATH will do.
 */
int cr_openat(struct file *dir, const char *name, int flags, mode_t mode, struct file **filep);
/*
 * A name that stays a file's however it is renamed, also after a restart; of @file
 * (name NULL) or of @name below it.  cr_open_handle() opens any file on the file
 * system of @at by it, which needs CAP_DAC_READ_SEARCH: -EPERM without, -ESTALE when
 * the file is gone, -EOVERFLOW: too long for this struct.
 */
int cr_get_handle(struct file *file, const char *name, struct file_handle_bytes *h);
int cr_open_handle(struct file *at, const struct file_handle_bytes *h, int flags,
		   struct file **filep);
ssize_t cr_read(struct file *file, void *buf, size_t len, off_t pos);
ssize_t cr_write(struct file *file, const void *buf, size_t len, off_t pos);
/*
 * The same by the page cache alone, for threads that must not wait (RWF_NOWAIT of preadv2(2)): may
 * fall short; -EAGAIN: nothing can be done without waiting; -EOPNOTSUPP: never on this file.
 */
ssize_t cr_read_nowait(struct file *file, void *buf, size_t len, off_t pos);
ssize_t cr_write_nowait(struct file *file, const void *buf, size_t len, off_t pos);
/* SEEK_DATA, SEEK_HOLE; SEEK_SET in a directory, to where an entry's next says. */
off_t cr_seek(struct file *file, off_t pos, int whence);
int cr_allocate(struct file *file, int mode, off_t pos, off_t len); /* fallocate(2) */
/* Reserved space that was never written, from @pos on, beyond the end too: count put in, 0 at the
 * end. */
int cr_unwritten(struct file *file, off_t pos, struct file_range *range, unsigned n);
/*
 * Extents from @pos on without a gap, holes included, cut at @pos and at the end of the file; count
 * put in, 0 beyond the end.  A plan: the source may change.  @how: EXTENTS_*.  -EOPNOTSUPP where
 * files cannot share extents.
 */
int cr_extents(struct file *file, off_t pos, struct file_extent *ext, unsigned n, unsigned how);
int cr_truncate(struct file *file, off_t size);
int cr_sync(struct file *file, bool data_only);
int cr_sync_fs(struct file *file); /* all of its file system: syncfs(2) */
/*
 * From here on reads of @file, whose writes are over, come from its storage: it is
 * synced and its cached pages are dropped.  @direct: and with O_DIRECT where that is
 * possible, so buffers, offsets and lengths should be multiples of 4096 (else -EINVAL
 * from the read); false takes that back.
 */
int cr_uncached(struct file *file, bool direct);
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
/* Whether the caller may: R_OK, W_OK, X_OK; 0 or -EACCES. */
int cr_access(struct file *file, int mode);
int cr_statfs(struct file *file, struct statfs *st);
int cr_setattr(struct file *file, const char *name, const struct iattr *attr);
ssize_t cr_listxattr(struct file *file, const char *name, char *list, size_t size);
ssize_t cr_getxattr(struct file *file, const char *name, const char *key, void *val, size_t size);
int cr_setxattr(struct file *file, const char *name, const struct xattr *xattr);
int cr_removexattr(struct file *file, const char *name, const char *key);
int cr_fileattr_get(struct file *file, struct fileattr *fa);
int cr_fileattr_set(struct file *file, const struct fileattr *fa);
/* fs-verity, of a file opened for reading that nobody has open for writing (-ETXTBSY). */
int cr_enable_verity(struct file *file, const struct verity_descriptor *desc);

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

/*
 * Subvolumes; -EOPNOTSUPP where there are none.  @subvol is the root directory of
 * one.  Flags are SUBVOL_*.
 */
int cr_subvol_create(struct file *dir, const char *name);
int cr_snap_create(struct file *subvol, struct file *dir, const char *name, unsigned flags);
int cr_snap_destroy(struct file *dir, const char *name); /* a subvolume with all that is in it */
int cr_subvol_info(struct file *file, struct subvol_info *info); /* of the one @file is in */
int cr_subvol_setflags(struct file *subvol, unsigned flags);
/* What it was received from.  Needs CAP_SYS_ADMIN; -EROFS when it is read-only by then. */
int cr_set_received_subvol(struct file *subvol, const uint8_t *uuid, uint64_t stransid);
/*
 * Subvolumes of the file system of @file that have this uuid or received uuid:
 * ids put in, at most @n, 0 when there are none.  Needs CAP_SYS_ADMIN.
 */
int cr_subvol_find(struct file *file, enum subvol_uuid which, const uint8_t *uuid, uint64_t *id,
		   unsigned n);
/* The root directory of subvolume @id.  Needs CAP_DAC_READ_SEARCH; -ESTALE: there is no such. */
int cr_subvol_open(struct file *at, uint64_t id, struct file **filep);

/* What is known about an open file without asking its storage. */
const struct file_id *cr_file_id(const struct file *file);
const char *cr_file_room(const struct file *file); /* "host", "btrfs", "mem" ... */
/* Bytes that it can ever hold, as a device; 0: it grows. */
uint64_t cr_file_limit(const struct file *file);
int cr_file_fd(const struct file *file); /* -1 where it is no file of this machine */
/* What clones and encoded writes align to; 1 if nothing. */
uint32_t cr_file_block_size(const struct file *file);
/*
 * What storage that has a say in copies tells of itself, for people: lines "name: value", cut off
 * where @size ends.  -EOPNOTSUPP: nothing.
 */
int cr_describe(struct file *file, char *text, size_t size);
/* Whether both are on one file system, whatever mounts and subvolumes they are reached through. */
bool cr_same_storage(const struct file *a, const struct file *b);
/* Whether threads that make files here sleep for each other, so that no more of them help. */
bool cr_file_narrow(const struct file *file);

/* The next entry of a filled dirbuf: true and @view, or false at its end.  "." and ".." are left
 * out. */
bool dirbuf_next(struct dirbuf *buf, struct dirent_view *view);

/*
 * What could be done between two places: copies a little of req->in to req->out
 * by each strategy alone and cuts req->out back to nothing after each, so
 * req->out must be the caller's own, best an O_TMPFILE.  For each strategy,
 * res->by[].bytes tells that it works and res->why[] why it does not.  Where
 * req->out has a size of its own, as devices have, nothing is written: it is only asked.
 */
int cr_probe(const struct copy_req *req, struct copy_result *res);

#endif
