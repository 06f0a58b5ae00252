// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dir.c - directories in hand: opened once, used by several workers, finished
 * when everything below them is.
 *
 * However deep the tree, the number of open directories is bounded: beyond
 * ocp->max_open_dirs one that nobody uses is parked, that is, closed.  It comes
 * back through ".." of a child on the way up, or from the nearest open ancestor
 * one name at a time.  Either way it must be the inode it was.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ocp.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

struct node *node_get(struct node *node)
{
	atomic_fetch_add(&node->refs, 1);
	return node;
}

void node_put(struct node *node)
{
	while (node && atomic_fetch_sub(&node->refs, 1) == 1) {
		struct node *up = node->up;

		cr_close(node->dst);
		free(node->temp);
		free(node);
		node = up;
	}
}

static struct node *node_new(struct node *up, const char *src_name, const char *dst_name)
{
	size_t a = strlen(src_name) + 1, b = dst_name == src_name ? 0 : strlen(dst_name) + 1;
	struct node *node = calloc(1, sizeof(*node) + a + b);

	if (!node)
		return NULL;
	atomic_init(&node->refs, 1);
	node->src_name = memcpy(node->names, src_name, a);
	node->dst_name = b ? memcpy(node->names + a, dst_name, b) : node->src_name;
	node->up = up ? node_get(up) : NULL;
	return node;
}

static const char *node_name(const struct node *node, bool src)
{
	return src ? node->src_name : node->dst_name;
}

/* The names from the root down to @name, joined from the end. */
static char *path_of(const struct node *node, const char *name, bool src)
{
	size_t len = strlen(name) + 1, n;
	char *path, *at;

	for (const struct node *k = node; k; k = k->up)
		len += strlen(node_name(k, src)) + 1;
	path = malloc(len);
	if (!path)
		return strdup("?");
	n = strlen(name) + 1;
	at = path + len - n;
	memcpy(at, name, n);
	for (const struct node *k = node; k; k = k->up) {
		const char *part = node_name(k, src);

		n = strlen(part);
		if (!k->root && n && part[n - 1] != '/')
			*--at = '/';
		at -= n;
		memcpy(at, part, n);
	}
	memmove(path, at, (size_t)(path + len - at));
	return path;
}

char *path_src(const struct node *node, const char *name)
{
	return path_of(node, name, true);
}

char *path_dst(const struct node *node, const char *name)
{
	return path_of(node, name, false);
}

char *path_below(const struct node *node)
{
	const struct node *k;
	size_t len = 0;
	char *path, *at;

	for (k = node; !k->top && !k->root; k = k->up)
		len += strlen(k->src_name) + 1;
	path = malloc(len + 1);
	if (!path)
		return NULL;
	at = path + len;
	*at = '\0';
	for (k = node; !k->top && !k->root; k = k->up) {
		size_t n = strlen(k->src_name);

		*--at = '/';
		at -= n;
		memcpy(at, k->src_name, n);
	}
	return path;
}

/* Open @node's directory below @up, whether it has its name already or not. */
static int open_step(struct ocp *ocp, struct file *up, struct node *node, struct file **filep)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	char temp[TEMP_MAX] = "";
	int err = -ENOENT;

	pthread_mutex_lock(&ocp->tree);
	if (node->temp)
		snprintf(temp, sizeof(temp), "%s", node->temp);
	pthread_mutex_unlock(&ocp->tree);
	if (temp[0])
		err = cr_openat(up, temp, flags, 0, filep);
	return err == -ENOENT ? cr_openat(up, node->dst_name, flags, 0, filep) : err;
}

/* Open the destination directory of @node anew, from its root, one name at a time. */
int node_open(struct ocp *ocp, struct node *node, struct file **filep)
{
	struct node *at = node, **chain;
	struct file *dir = NULL;
	unsigned depth = 0, i;
	int err = 0;

	for (at = node; !at->dst; at = at->up)
		depth++;
	chain = calloc(depth + 1, sizeof(*chain));
	if (!chain)
		return -ENOMEM;
	i = depth;
	for (struct node *k = node; k != at; k = k->up)
		chain[--i] = k;
	if (!depth)
		err = cr_openat(at->dst, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0, &dir);
	for (i = 0; i < depth && chain[i] && !err; i++) {
		struct file *next = NULL;

		err = open_step(ocp, dir ? dir : at->dst, chain[i], &next);
		cr_close(dir);
		dir = next;
	}
	free(chain);
	*filep = dir;
	return err;
}

/* dir_new - a directory below @up, or a root (NULL); not open yet */
struct dir *dir_new(struct dir *up, const char *src_name, const char *dst_name)
{
	struct dir *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->node = node_new(up ? up->node : NULL, src_name, dst_name);
	if (!d->node) {
		free(d);
		return NULL;
	}
	d->up = up;
	d->pending = 1;
	d->root = !up;
	d->node->root = !up;
	d->no_tmpfile = up && up->no_tmpfile;
	return d;
}

/*
 * dir_inherits - what new files in d->dst get from it, to be undone where the
 * source does not have it.  A directory we made has no more than its parent.
 */
void dir_inherits(struct ocp *ocp, struct dir *d)
{
	unsigned preserve = ocp->o->preserve;
	bool made = d->made && d->up;

	d->acl = (preserve & PRESERVE_MODE) && (made ? d->up->acl : acl_has_default(d->dst));
	d->flags = preserve & PRESERVE_FLAGS && !(made && !d->up->flags) ? flags_of(d->dst) : 0;
}

static bool same_id(const struct file *file, const struct file_id *id)
{
	const struct file_id *now = cr_file_id(file);

	return now->dev == id->dev && now->ino == id->ino;
}

/* Open @name below @dir as the directory it was before. */
static int reopen(struct file *dir, const char *name, int flags, const struct file_id *id,
		  struct file **filep)
{
	struct file *file;
	int err = cr_openat(dir, name, DIR_FLAGS | flags, 0, &file);

	if (err)
		return err;
	if (!same_id(file, id)) {
		cr_close(file);
		return -ESTALE;
	}
	*filep = file;
	return 0;
}

/* The destination of a root belongs to its node. */
static void close_both(struct dir *d)
{
	cr_close(d->src);
	if (!d->root)
		cr_close(d->dst);
	d->src = d->dst = NULL;
}

static int follow_flag(const struct ocp *ocp, const struct dir *d)
{
	if (ocp->o->deref == DEREF_ALWAYS)
		return 0;
	return ocp->o->deref == DEREF_COMMAND_LINE && d->up->root ? 0 : O_NOFOLLOW;
}

static int unpark(struct ocp *ocp, struct dir *d, struct file *src, struct file *dst)
{
	int err = reopen(src, d->node->src_name, follow_flag(ocp, d), &d->src_id, &d->src);

	if (err || !d->has_dst)
		return err;
	err = -ENOENT;
	if (d->node->temp)
		err = reopen(dst, d->node->temp, O_NOFOLLOW, &d->dst_id, &d->dst);
	if (err == -ENOENT)
		err = reopen(dst, d->node->dst_name, ocp->o->keep_dir_symlink ? 0 : O_NOFOLLOW,
			     &d->dst_id, &d->dst);
	if (err)
		close_both(d);
	return err;
}

/*
 * Bring @d back from its nearest open ancestor.  What is opened on the way is
 * closed again at once but for @d itself.  Called with ocp->tree held: rare.
 */
static int dir_unpark(struct ocp *ocp, struct dir *d)
{
	struct dir *open = d, *at, **chain;
	unsigned depth = 0, i;
	int err = 0;

	for (; open->parked; open = open->up)
		depth++;
	chain = calloc(depth, sizeof(*chain));
	if (!chain)
		return -ENOMEM;
	i = depth;
	for (at = d; at != open; at = at->up)
		chain[--i] = at;
	for (i = 0, at = open; i < depth && chain[i] && !err; i++) {
		err = unpark(ocp, chain[i], at->src, at->dst);
		if (at != open)
			close_both(at);
		at = chain[i];
	}
	free(chain);
	if (err)
		return err;
	d->parked = false;
	ocp->open_dirs++;
	return 0;
}

/* dir_hold - make sure that @d is open and stays so until dir_release() */
int dir_hold(struct ocp *ocp, struct dir *d)
{
	int err = 0;

	pthread_mutex_lock(&ocp->tree);
	if (d->parked)
		err = dir_unpark(ocp, d);
	if (!err)
		d->users++;
	pthread_mutex_unlock(&ocp->tree);
	return err;
}

/* Close @d for now when nobody uses it and too many are open.  Called with ocp->tree held. */
static void dir_park(struct ocp *ocp, struct dir *d)
{
	if (d->users || d->root || d->parked || !d->listed || ocp->open_dirs <= ocp->max_open_dirs)
		return;
	close_both(d);
	d->parked = true;
	ocp->open_dirs--;
}

void dir_release(struct ocp *ocp, struct dir *d)
{
	pthread_mutex_lock(&ocp->tree);
	d->users--;
	dir_park(ocp, d);
	pthread_mutex_unlock(&ocp->tree);
}

/* dir_opened - @d is ready: count it, and keep its parent until it is finished */
void dir_opened(struct ocp *ocp, struct dir *d)
{
	d->src_id = *cr_file_id(d->src);
	d->has_dst = d->dst;
	if (d->dst) {
		d->dst_id = *cr_file_id(d->dst);
		sync_note(ocp, d->dst);
	}
	pthread_mutex_lock(&ocp->tree);
	ocp->open_dirs++;
	d->users++;
	if (d->up)
		d->up->pending++;
	pthread_mutex_unlock(&ocp->tree);
}

/* dir_pend - one more thing to wait for before @d is finished */
void dir_pend(struct ocp *ocp, struct dir *d)
{
	pthread_mutex_lock(&ocp->tree);
	d->pending++;
	pthread_mutex_unlock(&ocp->tree);
}

void dir_free(struct dir *d)
{
	close_both(d);
	node_put(d->node);
	free(d->buf.data);
	free(d);
}

/* On the way up a parked parent is next door: ".." of the child. */
static void parent_unpark(struct ocp *ocp, const struct dir *d)
{
	struct dir *up = d->up;

	pthread_mutex_lock(&ocp->tree);
	if (up->parked && !reopen(d->src, "..", 0, &up->src_id, &up->src)) {
		if (up->has_dst && reopen(d->dst, "..", 0, &up->dst_id, &up->dst)) {
			close_both(up);
		} else {
			up->parked = false;
			ocp->open_dirs++;
		}
	}
	pthread_mutex_unlock(&ocp->tree);
}

/* Everything below @d is done: its own attributes come last. */
static void dir_finish(struct worker *w, struct dir *d)
{
	struct ocp *ocp = w->ocp;
	int err = dir_hold(ocp, d);

	if (err) {
		char *path = path_dst(d->up->node, d->node->dst_name);

		report_error(ocp->report, err, MSG_ACCESS, path, NULL);
		free(path);
	} else {
		parent_unpark(ocp, d);
		mkdir_finish(w, d);
	}
	resume_tree_end(w, d);
	pthread_mutex_lock(&ocp->tree);
	if (!err)
		ocp->open_dirs--;
	pthread_mutex_unlock(&ocp->tree);
}

/* dir_done - one of the things that dir_pend() announced is over */
void dir_done(struct worker *w, struct dir *d)
{
	struct ocp *ocp = w->ocp;

	while (d) {
		struct dir *up = d->up;
		unsigned left;

		pthread_mutex_lock(&ocp->tree);
		left = --d->pending;
		if (left) /* a child that has just ended may have brought it back */
			dir_park(ocp, d);
		pthread_mutex_unlock(&ocp->tree);
		if (left)
			return;
		if (!d->root)
			dir_finish(w, d);
		else
			sync_dir(w, d);
		dir_free(d);
		d = up;
	}
}
