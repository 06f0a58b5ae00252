// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file.c - open files: their bytes.
 *
 * Writes go through to the room before they are answered, so that nothing is lost with
 * this process that a program was told is written, and so that a search for holes sees
 * all of them.  Those of this machine the kernel does by itself where it can, see
 * passthrough.c.  Pages that the kernel keeps for reading are dropped when a file is
 * opened that has changed since.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ofs.h"

/* Not given on: what the kernel has done, and what would bind our buffers. */
#define NOT_OURS (O_CREAT | O_EXCL | O_NOFOLLOW | O_DIRECT | O_NOCTTY | O_PATH)

static int handle_free(struct handle *h)
{
	int err = cr_close(h->file);

	if (h->flock >= 0)
		close(h->flock);
	free(h);
	return err;
}

static void handle_end(struct opened *it)
{
	handle_free((struct handle *)it);
}

/* One more open file of @node, as fi->fh: what passthrough_reply() wants, or an error. */
static int handle_new(struct ofs *o, struct file *file, struct node *node,
		      struct fuse_file_info *fi)
{
	struct handle *h = calloc(1, sizeof(*h));
	int backing = h ? passthrough_open(o, node, fi) : -ENOMEM;

	if (backing < 0) {
		free(h);
		return backing;
	}
	h->file = file;
	h->node = node;
	h->flock = -1;
	opened_add(&o->nodes, &h->link, handle_end);
	fi->fh = (uintptr_t)h;
	return backing;
}

static int handle_close(struct ofs *o, struct handle *h)
{
	struct node *node = h->node;
	int err;

	opened_del(&o->nodes, &h->link);
	err = handle_free(h);
	passthrough_close(o, node);
	return err;
}

static bool same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Whether the file is as it was when it was opened the last time; it is remembered as it is. */
static bool is_unchanged(struct node *node, struct file *file)
{
	struct statx stx;
	bool same;

	if (cr_getattr_open(file, &stx))
		return false;
	pthread_mutex_lock(&node->lock);
	same = node->cached_size == stx.stx_size &&
	       same_time(&node->cached_mtime, &stx.stx_mtime) &&
	       same_time(&node->cached_ctime, &stx.stx_ctime);
	node->cached_size = stx.stx_size;
	node->cached_mtime = stx.stx_mtime;
	node->cached_ctime = stx.stx_ctime;
	pthread_mutex_unlock(&node->lock);
	return same;
}

void ofs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct ofs *o = ofs_of(req);
	struct node *node = node_of(ino);
	struct file *file = NULL;
	int err = node ? cr_openat(node->file, "", fi->flags & ~NOT_OURS, 0, &file) : -EISDIR;
	int backing = err ? err : handle_new(o, file, node, fi);

	if (backing < 0) {
		cr_close(file);
		fuse_reply_err(req, reply_error(backing));
		return;
	}
	if (!atomic_exchange(&o->tuned, true))
		ofs_read_more_ahead(o);
	fi->keep_cache = !backing && is_unchanged(node, file);
	passthrough_reply(backing);
	if (fuse_reply_open(req, fi) < 0)
		handle_close(o, handle_of(fi));
}

/* The node of a file that was just made and opened: of the file itself, not of its name. */
static int node_of_open(struct ofs *o, struct file *file, struct fuse_entry_param *e)
{
	struct file *path;
	struct node *node;
	struct statx stx;
	int err = cr_openat(file, "", O_PATH, 0, &path);

	if (err)
		return err;
	err = cr_getattr_open(path, &stx);
	if (err) {
		cr_close(path);
		return err;
	}
	err = node_get(&o->nodes, path, &node);
	if (err)
		return err;
	memset(e, 0, sizeof(*e));
	e->ino = (uintptr_t)node;
	e->attr_timeout = o->opts->attr_timeout;
	e->entry_timeout = o->opts->entry_timeout;
	node_stat(&node->id, &stx, &e->attr);
	return 0;
}

struct file_mode {
	int flags;
	mode_t mode;
};

/* As the caller of the request would. */
static int create(fuse_req_t req, struct node *dir, const char *name, struct file **file,
		  const struct file_mode *want)
{
	int flags = (want->flags & ~(NOT_OURS & ~O_EXCL)) | O_CREAT | O_NOFOLLOW, err;

	ids_enter(req);
	err = cr_openat(dir->file, name, flags, ids_mode(req, dir, want->mode), file);
	ids_leave(req);
	return err;
}

void ofs_create(fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode,
		struct fuse_file_info *fi)
{
	const struct file_mode want = {fi->flags, mode};
	struct ofs *o = ofs_of(req);
	struct node *dir = node_of(ino);
	struct fuse_entry_param e;
	struct file *file = NULL;
	int backing = 0, err = dir ? create(req, dir, name, &file, &want) : -EPERM;

	if (!err)
		err = node_of_open(o, file, &e);
	if (!err) {
		backing = handle_new(o, file, node_of(e.ino), fi);
		err = backing < 0 ? backing : 0;
		if (err)
			node_forget(&o->nodes, node_of(e.ino), 1);
	}
	if (err) {
		cr_close(file);
		fuse_reply_err(req, reply_error(err));
		return;
	}
	passthrough_reply(backing);
	if (fuse_reply_create(req, &e, fi) < 0) {
		handle_close(o, handle_of(fi));
		node_forget(&o->nodes, node_of(e.ino), 1);
	}
}

/* Up to the whole length or the end of the file: a short answer is the end to the kernel. */
static ssize_t read_all(struct file *file, char *buf, size_t size, off_t off)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = cr_read(file, buf + done, size - done, off + (off_t)done);

		if (n < 0)
			return done ? (ssize_t)done : n;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/*
 * By a buffer: with splice(2) from the file to the kernel's pipe the same took twice the
 * processor time (300 MB of a tmpfs, Linux 6.18).
 */
void ofs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	char *buf;
	ssize_t n;

	size = size < OFS_READ_MAX ? size : OFS_READ_MAX;
	buf = malloc(size ? size : 1);
	n = buf ? read_all(handle_of(fi)->file, buf, size, off) : -ENOMEM;
	if (n < 0)
		fuse_reply_err(req, reply_error((int)n));
	else
		fuse_reply_buf(req, buf, (size_t)n);
	free(buf);
}

static ssize_t write_all(struct file *file, const char *buf, size_t size, off_t off)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = cr_write(file, buf + done, size - done, off + (off_t)done);

		if (n <= 0)
			return done ? (ssize_t)done : n ? n : -EIO;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* To a room without descriptors: out of the kernel's pipe, if it is there, and on. */
static ssize_t write_remote(struct file *file, struct fuse_bufvec *in, off_t off)
{
	size_t size = fuse_buf_size(in);
	struct fuse_bufvec out = FUSE_BUFVEC_INIT(size);
	ssize_t n;

	if (in->count == 1 && !(in->buf[0].flags & FUSE_BUF_IS_FD) && !in->off)
		return write_all(file, in->buf[0].mem, size, off);
	out.buf[0].mem = malloc(size ? size : 1);
	if (!out.buf[0].mem)
		return -ENOMEM;
	n = fuse_buf_copy(&out, in, 0);
	if (n > 0)
		n = write_all(file, out.buf[0].mem, (size_t)n, off);
	free(out.buf[0].mem);
	return n;
}

void ofs_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t off,
		   struct fuse_file_info *fi)
{
	struct file *file = handle_of(fi)->file;
	struct fuse_bufvec out = FUSE_BUFVEC_INIT(fuse_buf_size(in));
	ssize_t n;

	if (cr_file_fd(file) < 0) {
		n = write_remote(file, in, off);
	} else {
		out.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK | FUSE_BUF_FD_RETRY;
		out.buf[0].fd = cr_file_fd(file);
		out.buf[0].pos = off;
		n = fuse_buf_copy(&out, in, 0);
	}
	if (n < 0)
		fuse_reply_err(req, reply_error((int)n));
	else
		fuse_reply_write(req, (size_t)n);
}

/* At each close(2): errors of earlier writes, and the end of the closer's locks. */
void ofs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *h = handle_of(fi);

	locks_drop(h->node, fi->lock_owner);
	fuse_reply_err(req, reply_error(cr_flush(h->file)));
}

void ofs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_reply_err(req, reply_error(handle_close(ofs_of(req), handle_of(fi))));
}

void ofs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	fuse_reply_err(req, reply_error(cr_sync(handle_of(fi)->file, datasync)));
}

void ofs_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
		   struct fuse_file_info *fi)
{
	fuse_reply_err(req, reply_error(cr_allocate(handle_of(fi)->file, mode, off, len)));
}

void ofs_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	off_t at = cr_seek(handle_of(fi)->file, off, whence);

	if (at < 0)
		fuse_reply_err(req, reply_error((int)at));
	else
		fuse_reply_lseek(req, at);
}
