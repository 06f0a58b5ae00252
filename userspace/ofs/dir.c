// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dir.c - reading folders.
 *
 * What was read stays with the open folder, piece by piece as rooms give it, and an
 * entry's place is its number: so places work for rooms that have none (servers), and
 * removing while reading skips nothing.  From the start on it is read anew.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ofs.h"

#define PIECE	    ((size_t)32 << 10)
#define UNKNOWN_INO 0xffffffffu /* of "..": what libfuse says too */

struct piece {
	struct piece *next;
	uint64_t first, at; /* number of its first entry, of the one that the cursor is at */
	struct dirbuf buf;
	char data[];
};

struct ofs_dir {
	struct opened link;
	struct node *node; /* NULL: the top */
	pthread_mutex_t lock;
	struct file *file;
	struct piece *pieces, *last;
	uint64_t n; /* entries that were read */
	bool end;
};

static struct ofs_dir *dir_of(const struct fuse_file_info *fi)
{
	return (struct ofs_dir *)(uintptr_t)fi->fh;
}

static void drop_pieces(struct ofs_dir *d)
{
	struct piece *p;

	while ((p = d->pieces)) {
		d->pieces = p->next;
		free(p);
	}
	d->last = NULL;
	d->n = 0;
	d->end = false;
}

static void dir_free(struct ofs_dir *d)
{
	drop_pieces(d);
	cr_close(d->file);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static void dir_end(struct opened *it)
{
	dir_free((struct ofs_dir *)it);
}

static int dir_open(struct ofs_dir *d)
{
	return cr_openat(d->node->file, "", O_RDONLY | O_DIRECTORY, 0, &d->file);
}

void ofs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct ofs_dir *d = calloc(1, sizeof(*d));
	int err = d ? 0 : -ENOMEM;

	if (d) {
		d->node = node_of(ino);
		pthread_mutex_init(&d->lock, NULL);
		if (d->node)
			err = dir_open(d);
	}
	if (err) {
		free(d);
		fuse_reply_err(req, reply_error(err));
		return;
	}
	fi->fh = (uintptr_t)d;
	opened_add(&ofs_of(req)->nodes, &d->link, dir_end);
	if (fuse_reply_open(req, fi) < 0) {
		opened_del(&ofs_of(req)->nodes, &d->link);
		dir_free(d);
	}
}

void ofs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct ofs_dir *d = dir_of(fi);

	opened_del(&ofs_of(req)->nodes, &d->link);
	dir_free(d);
	fuse_reply_err(req, 0);
}

void ofs_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct ofs_dir *d = dir_of(fi);
	int err = d->file ? cr_sync(d->file, datasync) : 0;

	/* A server has done what it answered. */
	if (err == -EBADF || err == -EISDIR || err == -EINVAL)
		err = 0;
	fuse_reply_err(req, reply_error(err));
}

/* One more piece; nothing is added at the end. */
static int read_piece(struct ofs_dir *d)
{
	struct piece *p = malloc(sizeof(*p) + PIECE);
	struct dirent_view view;
	ssize_t n;

	if (!p)
		return -ENOMEM;
	*p = (struct piece){.first = d->n, .at = d->n};
	p->buf = (struct dirbuf){.data = p->data, .size = PIECE};
	n = cr_readdir(d->file, &p->buf);
	if (n <= 0) {
		d->end = !n;
		free(p);
		return (int)n;
	}
	while (dirbuf_next(&p->buf, &view))
		d->n++;
	p->buf.at = 0;
	if (d->last)
		d->last->next = p;
	else
		d->pieces = p;
	d->last = p;
	return 0;
}

/* Entry number @i of the folder, "." and ".." left out: 1, 0 at the end, or an error. */
static int entry_at(struct ofs_dir *d, uint64_t i, struct dirent_view *view)
{
	struct piece *p;

	while (i >= d->n && !d->end) {
		int err = read_piece(d);

		if (err)
			return err;
	}
	if (i >= d->n)
		return 0;
	p = d->last && i >= d->last->first ? d->last : d->pieces;
	while (p->next && i >= p->next->first)
		p = p->next;
	if (i < p->at) {
		p->at = p->first;
		p->buf.at = 0;
	}
	while (dirbuf_next(&p->buf, view))
		if (p->at++ == i)
			return 1;
	return -EIO;
}

/* One answer. */
struct listing {
	fuse_req_t req;
	struct ofs_dir *dir;
	char *buf;
	size_t size, len;
	bool plus;
};

/* An entry into the answer; false: it does not fit. */
static bool put(struct listing *l, const char *name, const struct fuse_entry_param *e, off_t next)
{
	char *at = l->buf + l->len;
	size_t left = l->size - l->len, n;

	n = l->plus ? fuse_add_direntry_plus(l->req, at, left, name, e, next)
		    : fuse_add_direntry(l->req, at, left, name, &e->attr, next);
	if (n > left)
		return false;
	l->len += n;
	return true;
}

/* What readdir says of an entry: its number and kind; for readdirplus it is looked up. */
static bool put_entry(struct listing *l, const struct dirent_view *view, off_t next)
{
	struct ofs *o = ofs_of(l->req);
	struct file_id id = {.ino = view->ino};
	struct fuse_entry_param e;
	struct stat st;

	memset(&e, 0, sizeof(e));
	if (l->dir->node)
		id.dev = l->dir->node->id.dev;
	e.attr.st_ino = node_ino(&id);
	e.attr.st_mode = DTTOIF(view->type);
	if (!l->plus)
		return put(l, view->name, &e, next);
	if (fuse_add_direntry_plus(l->req, NULL, 0, view->name, NULL, 0) > l->size - l->len)
		return false;
	st = e.attr;
	if (node_lookup(o, l->dir->node, view->name, &e)) {
		memset(&e, 0, sizeof(e)); /* no number: the kernel will look it up by itself */
		e.attr = st;
	}
	return put(l, view->name, &e, next);
}

static bool put_dot(struct listing *l, unsigned which)
{
	struct fuse_entry_param e;

	memset(&e, 0, sizeof(e));
	e.attr.st_mode = S_IFDIR;
	e.attr.st_ino = UNKNOWN_INO;
	if (which == 0)
		e.attr.st_ino = l->dir->node ? node_ino(&l->dir->node->id) : FUSE_ROOT_ID;
	return put(l, which ? ".." : ".", &e, which + 1);
}

static int top_entry(const struct ofs *o, uint64_t i, struct dirent_view *view)
{
	if (i >= o->opts->nrooms)
		return 0;
	*view = (struct dirent_view){
		.ino = o->opts->rooms[i].top->id.ino,
		.type = DT_DIR,
		.name = o->opts->rooms[i].name,
	};
	return 1;
}

static int fill(struct listing *l, uint64_t off)
{
	struct ofs_dir *d = l->dir;
	struct dirent_view view = {0};
	int got;

	for (;; off++) {
		if (off < 2) {
			if (!put_dot(l, (unsigned)off))
				return 0;
			continue;
		}
		got = d->node ? entry_at(d, off - 2, &view)
			      : top_entry(ofs_of(l->req), off - 2, &view);
		if (got <= 0)
			return l->len ? 0 : got;
		if (!put_entry(l, &view, (off_t)off + 1))
			return 0;
	}
}

/* From the start again: what is there by now. */
static int rewind_dir(struct ofs_dir *d)
{
	drop_pieces(d);
	cr_close(d->file);
	return dir_open(d);
}

static void list(fuse_req_t req, size_t size, off_t off, const struct fuse_file_info *fi, bool plus)
{
	struct listing l = {.req = req, .dir = dir_of(fi), .size = size, .plus = plus};
	int err = off < 0 ? -EINVAL : 0;

	l.buf = malloc(size ? size : 1);
	if (!l.buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	pthread_mutex_lock(&l.dir->lock);
	if (!off && (l.dir->pieces || l.dir->end))
		err = rewind_dir(l.dir);
	if (!err)
		err = fill(&l, (uint64_t)off);
	pthread_mutex_unlock(&l.dir->lock);
	if (err)
		fuse_reply_err(req, reply_error(err));
	else
		fuse_reply_buf(req, l.buf, l.len);
	free(l.buf);
}

void ofs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	list(req, size, off, fi, false);
}

void ofs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	list(req, size, off, fi, true);
}
