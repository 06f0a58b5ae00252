// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * walk.c - what is in a directory becomes tasks.
 *
 * The names of a buffer are spread over the workers: a task per subdirectory
 * and per bundle of other names; the rest of the directory is a task below them
 * on the stack, so however large it is, only one buffer of it waits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ocp.h"

static void names_run(struct worker *w, struct names *names)
{
	struct dir *d = names->dir;
	const char *at = names->data;
	int err = dir_hold(w->ocp, d);

	for (unsigned i = 0; i < names->n && !err && !ocp_stopped(w->ocp); i++) {
		struct item it = {.dir = d,
				  .type = (unsigned char)at[0],
				  .fresh = d->made,
				  .guard = names->guard};

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
	if (names->guard)
		guard_done(w, names->guard);
	dir_done(w, d);
	free(names);
}

static void files_task(struct worker *w, struct task *task)
{
	names_run(w, (struct names *)task);
}

/* A single name, as a rule a subdirectory to be walked.  The caller need not hold its parent. */
static struct dir *subdir_enter(struct worker *w, struct names *names)
{
	struct dir *d = names->dir;
	struct item it = {.dir = d, .fresh = d->made, .alone = true, .guard = names->guard};
	int err = ocp_stopped(w->ocp) ? -EINTR : dir_hold(w->ocp, d);

	it.type = (unsigned char)names->data[0];
	it.name = it.dname = names->data + 1;
	if (!err) {
		item_copy(w, &it);
		dir_release(w->ocp, d);
	} else if (err != -EINTR) {
		item_error(w, &it, err, MSG_ACCESS);
	}
	if (names->guard)
		guard_done(w, names->guard);
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

static void push(struct worker *w, struct dir *d, struct task *task,
		 void (*run)(struct worker *, struct task *))
{
	task->run = run;
	dir_pend(w->ocp, d);
	pool_push(w, task);
}

static void push_list(struct worker *w, struct dir *d, struct task *list,
		      void (*run)(struct worker *, struct task *))
{
	while (list) {
		struct task *next = list->next;

		push(w, d, list, run);
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

/*
 * Everything of one buffer goes to the pool but a last bundle, which we do
 * ourselves.  Order matters: the rest of the directory lies below its
 * subdirectories, these below its files.
 */
static struct dir *dir_spread(struct worker *w, struct dir *d)
{
	struct harvest h = d->harvest; /* read before the directory was made */
	struct names *sub, *more = NULL;

	d->harvest = (struct harvest){0};
	if (!h.dirs && !h.files && !d->listed)
		harvest_read(w, d, &h);
	sub = keep_one(w, d, &h);
	if (!d->listed)
		more = names_new(w, d, 0);
	if (more)
		push(w, d, &more->task, more_task);
	else
		d->listed = true;
	push_list(w, d, h.dirs, dir_task);
	if (h.files) {
		push_list(w, d, h.files->task.next, files_task);
		dir_pend(w->ocp, d);
		names_run(w, h.files);
	}
	return sub ? subdir_enter(w, sub) : NULL;
}

/* Stopped: what was found in @d is not taken any more, so no guard waits for it either. */
static void dir_leave(struct worker *w, struct dir *d)
{
	unsigned guarded = harvest_drop(&d->harvest);

	d->listed = true;
	while (guarded--)
		guard_done(w, d->guard);
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
			dir_leave(w, d);
		dir_release(w->ocp, d);
		dir_done(w, d);
		d = child;
	}
}

/*
 * walk_later - @it becomes a task of its own
 *
 * A directory found among other names, behind a link or where readdir() gives
 * no types, so that these do not pile up open; and a large file that others
 * should not wait for.
 */
void walk_later(struct worker *w, struct item *it)
{
	struct names *names = names_new(w, it->dir, strlen(it->name) + 2);

	if (!names)
		return;
	names_add(names, it->name, it->type);
	push(w, it->dir, &names->task, dir_task);
}
