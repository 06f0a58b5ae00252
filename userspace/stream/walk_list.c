// SPDX-License-Identifier: GPL-2.0-or-later
/* walk_list.c - a tree on disk as a list of entries, about 250 bytes and a name each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "walk.h"
#include "walk_diff.h"

#define DIRBUF	    (32u << 10)
#define DIRBUF_DEEP (4u << 10)
#define DEEP	    64u
#define LEVELS_MAX  2048u

struct lister {
	struct walk *w;
	struct tree *t;
	uint64_t dev;
	bool earlier; /* the earlier tree, for what is said */
};

static struct timespec time_of(struct statx_timestamp t)
{
	return (struct timespec){.tv_sec = t.tv_sec, .tv_nsec = t.tv_nsec};
}

static uint64_t dev_of(const struct statx *stx)
{
	return makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

static int list_add(struct lister *l, uint32_t parent, const char *name, const struct statx *stx)
{
	struct tree_entry *e = tree_add(l->t);

	if (!e)
		return -ENOMEM;
	*e = (struct tree_entry){
		.parent = parent,
		.name = strdup(name),
		.mode = stx->stx_mode,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.nlink = stx->stx_nlink,
		.rdev = (uint64_t)stx->stx_rdev_major << 32 | stx->stx_rdev_minor,
		.dev = dev_of(stx) == l->dev ? 0 : dev_of(stx),
		.ino = stx->stx_ino,
		.size = stx->stx_size,
		.mtime = time_of(stx->stx_mtime),
		.ctime = time_of(stx->stx_ctime),
		.btime = time_of(stx->stx_btime),
		.has_btime = stx->stx_mask & STATX_BTIME,
	};
	return e->name ? 0 : -ENOMEM;
}

static int complain(struct lister *l, uint32_t dir, const char *name, const char *operation,
		    int err)
{
	char *path = tree_path(l->t, dir), *whole = NULL;
	struct remark r = {.err = err, .fatal = true, .operation = (char *)(uintptr_t)operation};

	if (path && asprintf(&whole, "%s%s%s", path, *path ? "/" : "", name) >= 0) {
		r.path = whole;
		l->w->complain(l->w->complain_arg, &r);
	}
	free(whole);
	free(path);
	return err;
}

/* A directory that is gone through. */
struct at {
	struct file *dir;
	uint32_t self;
	size_t len; /* of its path */
	unsigned level;
};

static int list_dir(struct lister *l, const struct at *at);

static int list_below(struct lister *l, const struct at *at, const char *name, size_t len)
{
	struct at child = {.self = l->t->n - 1, .len = len, .level = at->level + 1};
	int err = cr_openat(at->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0,
			    &child.dir);

	if (err == -ENOENT)
		return 0;
	if (err)
		return complain(l, at->self, name, l->earlier ? "opening the earlier" : "opening",
				err);
	err = list_dir(l, &child);
	cr_close(child.dir);
	return err;
}

static int list_one(struct lister *l, const struct at *at, const char *name)
{
	size_t len = at->len + strlen(name) + (at->len > 0);
	struct statx stx;
	int err = cr_getattr(at->dir, name, &stx);

	if (err == -ENOENT)
		return 0;
	if (!err && l->w->skip_ino && stx.stx_ino == l->w->skip_ino &&
	    dev_of(&stx) == l->w->skip_dev)
		return 0;
	if (!err && (len > STREAM_PATH_MAX || at->level >= LEVELS_MAX))
		err = -ENAMETOOLONG;
	if (err)
		return complain(l, at->self, name,
				l->earlier ? "looking at the earlier" : "looking at", err);
	err = list_add(l, at->self, name, &stx);
	if (err || !S_ISDIR(stx.stx_mode) || (!l->w->cross && dev_of(&stx) != l->dev))
		return err;
	return list_below(l, at, name, len);
}

static int list_dir(struct lister *l, const struct at *at)
{
	struct dirbuf buf = {.size = at->level < DEEP ? DIRBUF : DIRBUF_DEEP};
	struct dirent_view view;
	ssize_t n = 1;
	int err = 0;

	buf.data = malloc(buf.size);
	if (!buf.data)
		return -ENOMEM;
	while (!err && (n = cr_readdir(at->dir, &buf)) > 0)
		while (!err && !l->w->stop && dirbuf_next(&buf, &view))
			err = list_one(l, at, view.name);
	free(buf.data);
	if (!err && n < 0)
		err = complain(l, at->self, "", "reading the directory", (int)n);
	return err;
}

int walk_list(struct walk *w, struct file *root, struct tree *t)
{
	struct lister l = {.w = w, .t = t, .earlier = root == w->earlier};
	struct file *again = NULL;
	struct statx stx;
	int err = cr_getattr(root, NULL, &stx);

	*t = (struct tree){0};
	if (!err)
		err = cr_openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &again);
	if (err)
		return err;
	l.dev = dev_of(&stx);
	err = list_add(&l, TREE_NONE, "", &stx);
	if (!err)
		err = list_dir(&l, &(struct at){.dir = again, .level = 1});
	cr_close(again);
	return err;
}
