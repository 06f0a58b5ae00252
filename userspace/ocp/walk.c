// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * walk.c - directories: made, read, taken apart into tasks, finished.
 *
 * A directory is read one buffer at a time.  The names of a buffer become
 * tasks: one per subdirectory, one per BATCH other names; the rest of the
 * directory is a task below them on the stack, so however large it is, only
 * one buffer of it waits.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "ocp.h"

#define BATCH	   64
#define BATCH_SIZE 4096
#define READ_SIZE  ((size_t)32 << 10)
#define HARVEST	   1000 /* names at a time, about what fits in READ_SIZE */

/* Names of one directory that wait: a type byte and a string each. */
struct names {
	struct task task; /* first */
	struct dir *dir;
	unsigned n;
	size_t len;
	char data[];
};

/* What one buffer of a directory is taken apart into. */
struct harvest {
	struct task *dirs;
	struct names *files; /* the last one is not full; the others hang behind it */
	unsigned n;
};

static void names_run(struct worker *w, struct names *names)
{
	struct dir *d = names->dir;
	const char *at = names->data;
	int err = dir_hold(w->ocp, d);

	for (unsigned i = 0; i < names->n && !err && !ocp_stopped(w->ocp); i++) {
		struct item it = {.dir = d, .type = (unsigned char)at[0], .fresh = d->made};

		it.name = it.dname = at + 1;
		item_copy(w, &it);
		at += strlen(it.name) + 2;
	}
	if (err) {
		char *path = path_src(d->node, names->data + 1);

		report_error(w->ocp->report, err, MSG_ACCESS, path, NULL);
		free(path);
	} else {
		dir_release(w->ocp, d);
	}
	dir_done(w, d);
	free(names);
}

static void files_task(struct worker *w, struct task *task)
{
	names_run(w, (struct names *)task);
}

/* One subdirectory: make it, then walk it.  The caller need not hold @names->dir. */
static struct dir *subdir_enter(struct worker *w, struct names *names)
{
	struct dir *d = names->dir;
	struct item it = {.dir = d, .fresh = d->made, .alone = true};
	int err = ocp_stopped(w->ocp) ? -EINTR : dir_hold(w->ocp, d);

	it.type = (unsigned char)names->data[0];
	it.name = it.dname = names->data + 1;
	if (!err) {
		item_copy(w, &it);
		dir_release(w->ocp, d);
	} else if (err != -EINTR) {
		item_error(w, &it, err, MSG_ACCESS);
	}
	dir_done(w, d);
	free(names);
	return it.child;
}

static void dir_task(struct worker *w, struct task *task)
{
	struct dir *child = subdir_enter(w, (struct names *)task);

	if (child)
		walk_tree(w, child);
}

static void more_task(struct worker *w, struct task *task)
{
	struct dir *d = ((struct names *)task)->dir;

	free(task);
	pthread_mutex_lock(&w->ocp->tree);
	d->users++; /* it cannot be parked: it has not been read to its end */
	pthread_mutex_unlock(&w->ocp->tree);
	walk_tree(w, d);
}

static struct names *names_new(struct worker *w, struct dir *d, size_t size,
			       void (*run)(struct worker *, struct task *))
{
	struct names *names = malloc(sizeof(*names) + size);

	if (!names) {
		report_error(w->ocp->report, ENOMEM, MSG_NO_MEMORY, NULL, NULL);
		return NULL;
	}
	*names = (struct names){.task.run = run, .dir = d};
	return names;
}

static void names_add(struct names *names, const char *name, unsigned char type)
{
	size_t len = strlen(name) + 1;

	names->data[names->len] = (char)type;
	memcpy(names->data + names->len + 1, name, len);
	names->len += len + 1;
	names->n++;
}

static int harvest_dir(struct worker *w, struct dir *d, const char *name, struct harvest *h)
{
	struct names *names = names_new(w, d, strlen(name) + 2, dir_task);

	if (!names)
		return -ENOMEM;
	names_add(names, name, DT_DIR);
	names->task.next = h->dirs;
	h->dirs = &names->task;
	return 0;
}

static int harvest_file(struct worker *w, struct dir *d, const struct dirent_view *e,
			struct harvest *h)
{
	struct names *names = h->files;

	if (!names || names->n == BATCH || names->len + strlen(e->name) + 2 > BATCH_SIZE) {
		names = names_new(w, d, BATCH_SIZE, files_task);
		if (!names)
			return -ENOMEM;
		names->task.next = h->files ? &h->files->task : NULL;
		h->files = names;
	}
	names_add(names, e->name, e->type);
	return 0;
}

/* Read a buffer; a name longer than the batch cannot come: NAME_MAX is 255. */
static int dir_read(struct worker *w, struct dir *d, struct harvest *h)
{
	struct dirent_view e;
	ssize_t n = cr_readdir(d->src, &d->buf);
	int err = 0;

	if (n <= 0)
		return (int)n;
	for (; !err && dirbuf_next(&d->buf, &e); h->n++)
		err = e.type == DT_DIR && w->ocp->o->recursive ? harvest_dir(w, d, e.name, h)
							       : harvest_file(w, d, &e, h);
	return err ? err : 1;
}

/*
 * One buffer, and a second look when it was not full, which as a rule only
 * shows the end.  Sets d->listed at the end, or after an error.
 */
static void dir_harvest(struct worker *w, struct dir *d, struct harvest *h)
{
	int err = 0;

	if (!d->buf.data) {
		d->buf.size = READ_SIZE;
		d->buf.data = malloc(READ_SIZE);
		if (!d->buf.data)
			err = -ENOMEM;
	}
	do {
		err = err < 0 ? err : dir_read(w, d, h);
	} while (err > 0 && d->buf.len < READ_SIZE / 2 && h->n < HARVEST);
	if (err > 0)
		return;
	if (err < 0) {
		char *path = path_src(d->node, "");

		report_error(w->ocp->report, err, MSG_ACCESS, path, NULL);
		free(path);
	}
	d->listed = true;
	free(d->buf.data);
	d->buf.data = NULL;
}

static void push_list(struct worker *w, struct dir *d, struct task *list)
{
	while (list) {
		struct task *next = list->next;

		dir_pend(w->ocp, d);
		pool_push(w->ocp->pool, list);
		list = next;
	}
}

/* With many directories open one subdirectory is entered while its parent is not parked yet. */
static struct names *keep_one(struct worker *w, struct dir *d, struct harvest *h)
{
	struct task *task = h->dirs;

	if (!task || w->ocp->open_dirs < w->ocp->max_open_dirs)
		return NULL;
	h->dirs = task->next;
	dir_pend(w->ocp, d);
	return (struct names *)task;
}

static void push_more(struct worker *w, struct dir *d)
{
	struct names *more = d->listed ? NULL : names_new(w, d, 0, more_task);

	if (!more) {
		d->listed = true;
		return;
	}
	dir_pend(w->ocp, d);
	pool_push(w->ocp->pool, &more->task);
}

/*
 * Everything of one buffer goes to the pool but a last batch, which we do
 * ourselves.  Order matters: the rest of the directory lies below its
 * subdirectories, these below its files.
 */
static struct dir *dir_spread(struct worker *w, struct dir *d)
{
	struct harvest h = {0};
	struct names *sub;

	dir_harvest(w, d, &h);
	sub = keep_one(w, d, &h);
	push_more(w, d);
	push_list(w, d, h.dirs);
	if (h.files) {
		push_list(w, d, h.files->task.next);
		dir_pend(w->ocp, d);
		names_run(w, h.files);
	}
	return sub ? subdir_enter(w, sub) : NULL;
}

/*
 * walk_tree - copy what is in @d
 *
 * The caller holds @d and has one of its pending things; both end here.
 */
void walk_tree(struct worker *w, struct dir *d)
{
	while (d) {
		struct dir *child = NULL;

		if (!ocp_stopped(w->ocp) && d->read)
			child = dir_spread(w, d);
		else
			d->listed = true;
		dir_release(w->ocp, d);
		dir_done(w, d);
		d = child;
	}
}

/* A source that is one of its own ancestors: only a followed link makes it so. */
static bool is_cycle(const struct dir *d, const struct file_id *id)
{
	for (; !d->root; d = d->up)
		if (d->src_id.ino == id->ino && d->src_id.dev == id->dev)
			return true;
	return false;
}

/* Open the source.  -ELOOP, after a message: what the run itself has made, or comes back to. */
static int open_source(struct worker *w, struct item *it, struct dir *d)
{
	bool follow = item_follows(w->ocp, it);
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW);
	int err = cr_openat(it->dir->src, it->name, flags, 0, &d->src);

	if (err)
		return err == -ELOOP ? -ENOTDIR : err;
	if (follow && is_cycle(it->dir, cr_file_id(d->src))) {
		item_error(w, it, 0, MSG_CYCLE);
		return -ELOOP;
	}
	if (operands_is_top(w->ocp->operands, cr_file_id(d->src))) {
		item_error(w, it, 0, MSG_INTO_ITSELF);
		return -ELOOP;
	}
	return 0;
}

/*
 * Made so that we can work in it, whatever the source's mode says; nobody else
 * may until it has its owner.  The real mode comes in walk_finish().
 */
static mode_t dir_mode(const struct ocp *ocp, mode_t src)
{
	mode_t mode = src & 0777;

	if (ocp->o->no_mode)
		mode = 0777;
	if (ocp->o->preserve & PRESERVE_OWNERSHIP)
		mode &= ~(mode_t)077;
	else if (ocp->o->preserve & PRESERVE_MODE)
		mode &= ~(mode_t)022;
	return mode | 0700;
}

static int open_made(struct item *it, struct dir *d, int flags)
{
	struct iattr attr = {.valid = ATTR_MODE, .mode = 0700};
	int err = cr_openat(it->dir->dst, it->dname, flags, 0, &d->dst);

	/* A default ACL or an odd umask may have taken our own rights. */
	if (err != -EACCES || !d->made || cr_setattr(it->dir->dst, it->dname, &attr))
		return err;
	return cr_openat(it->dir->dst, it->dname, flags, 0, &d->dst);
}

/* walk_make_target - make or open the destination directory of @it, which becomes @d's */
int walk_make_target(struct worker *w, struct item *it, struct dir *d)
{
	const struct ocp_opts *o = w->ocp->o;
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC |
		    (it->through && o->keep_dir_symlink ? 0 : O_NOFOLLOW);
	struct statx stx;
	int err = 0;

	d->made = it->fresh;
	if (it->fresh)
		err = cr_mkdir(it->dir->dst, it->dname, dir_mode(w->ocp, it->src.stx_mode));
	if (!err && it->fresh) {
		item_verbose(w, it);
		report_made(w->ocp->report, MADE_DIRECTORY);
	}
	if (!err)
		err = open_made(it, d, flags);
	if (!err)
		err = cr_getattr(d->dst, NULL, &stx);
	if (err) {
		item_error(w, it, err, MSG_MKDIR);
		return err;
	}
	d->have = attr_of(&stx);
	dir_inherits(w->ocp, d);
	return 0;
}

/* The directory behind @it, opened on both sides, or NULL after a message. */
static struct dir *dir_make(struct worker *w, struct item *it)
{
	struct dir *d = dir_new(it->dir, it->name, it->dname);
	int err;

	if (!d) {
		item_error(w, it, ENOMEM, MSG_NO_MEMORY);
		return NULL;
	}
	d->want = attr_of(&it->src);
	d->dev = makedev(it->src.stx_dev_major, it->src.stx_dev_minor);
	d->read = !w->ocp->o->one_file_system || it->operand || d->dev == it->dir->dev;
	err = open_source(w, it, d);
	if (err == -ELOOP)
		goto fail;
	if (item_dry(w, it, "make directory"))
		d->made = it->fresh;
	else if (walk_make_target(w, it, d))
		goto fail;
	if (err) {
		item_error(w, it, err, MSG_ACCESS);
		walk_finish(w,
			    d); /* an empty directory with the right attributes, as cp leaves it */
		goto fail;
	}
	return d;
fail:
	dir_free(d);
	return NULL;
}

/*
 * walk_later - @it has turned out to be a directory
 *
 * One found among other names, behind a link or where readdir() gives no types,
 * becomes a task of its own, so that these do not pile up open.
 */
void walk_later(struct worker *w, struct item *it)
{
	struct names *names = names_new(w, it->dir, strlen(it->name) + 2, dir_task);

	if (!names)
		return;
	names_add(names, it->name, it->type);
	dir_pend(w->ocp, it->dir);
	pool_push(w->ocp->pool, &names->task);
}

/* walk_enter - make the copy of a directory and leave it in it->child, held */
int walk_enter(struct worker *w, struct item *it)
{
	struct dir *d = dir_make(w, it);

	if (!d)
		return -EIO;
	if (it->operand && d->dst && d->made)
		operands_add_top(w->ocp->operands, cr_file_id(d->dst));
	dir_opened(w->ocp, d);
	it->child = d;
	return 0;
}

/* walk_finish - all is done below @d: attributes that working in it would have spoilt */
void walk_finish(struct worker *w, struct dir *d)
{
	struct item it = {.dir = d->up, .type = DT_DIR};
	struct attr_pair p = {.it = &it,
			      .in = d->src,
			      .out = d->dst,
			      .want = d->want,
			      .have = d->have,
			      .type = S_IFDIR,
			      .made = d->made,
			      .acl = d->acl,
			      .extra = d->made ? 0700 & ~d->want.mode : 0};

	it.name = d->node->src_name;
	it.dname = d->node->dst_name;
	if (!d->dst || ocp_stopped(w->ocp))
		return;
	if (!d->src) { /* it may not be read, but be looked at from above */
		p.in = d->up->src;
		p.in_name = it.name;
	}
	xattr_list(w, &p);
	flags_read(w, &p);
	attr_apply(w, &p);
	flags_last(w, &p);
}
