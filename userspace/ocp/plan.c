// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * plan.c - from operands to items: where each source goes, and in which order.
 *
 * An operand is split into a directory, which is opened as it is spelt, and a
 * last name, which the walk treats like any other.  Operands run side by side
 * unless their order can be seen: two with one destination, -i, -v.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ocp.h"

struct plan {
	struct worker *w;
	struct ocp *ocp;
	const char *target; /* directory into which all goes, or NULL: dest is the name itself */
	struct dir *root;   /* of the last operand: the next one often has the same */
	bool ordered;
};

struct operand_task {
	struct task task; /* first */
	struct item item;
	char name[];
};

/* Length of the directory part, its last slash (or the colon of a scheme) included. */
static size_t dir_len(const char *path)
{
	const char *end = path + strlen(path), *colon = strchr(path, ':');

	while (end > path && end[-1] == '/')
		end--;
	while (end > path && end[-1] != '/')
		end--;
	if (end == path && colon && !strncmp(path, "mem:", 4))
		end = colon + 1;
	return (size_t)(end - path);
}

static char *dup_n(const char *s, size_t n)
{
	char *copy = malloc(n + 1);

	if (copy) {
		memcpy(copy, s, n);
		copy[n] = '\0';
	}
	return copy;
}

static int open_dir(struct ocp *ocp, const char *path, struct file **filep)
{
	return cr_open(ocp->ns, *path ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0, filep);
}

static int open_target(struct ocp *ocp, const char *path, struct file **filep)
{
	int err =
		cr_open(ocp->ns, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, filep);

	return err == -EACCES ? open_dir(ocp, path, filep) : err;
}

/* A pair of open directories that names of the command line are relative to. */
static struct dir *root_new(struct plan *p, const char *src, const char *dst, int *errp)
{
	struct dir *d = dir_new(NULL, src, dst);
	int err = d ? open_dir(p->ocp, src, &d->src) : -ENOMEM;

	*errp = 0;
	if (err) {
		report_error(p->ocp->report, err, err == -ENOMEM ? MSG_NO_MEMORY : MSG_STAT, src,
			     NULL);
		goto fail;
	}
	*errp = open_target(p->ocp, dst, &d->node->dst);
	if (*errp)
		goto fail;
	d->dst = d->node->dst;
	d->src_id = *cr_file_id(d->src);
	if (!p->ocp->o->jobs)
		pool_few(p->ocp->pool, cr_file_narrow(d->dst) ? 1 : opts_processors());
	dir_inherits(p->ocp, d);
	return d;
fail:
	if (d)
		dir_free(d);
	return NULL;
}

/* The directory for the target does not exist: cp says so in the words for what it cannot make. */
static void no_target(struct plan *p, const char *source, const char *dest, int err)
{
	struct report *r = p->ocp->report;
	struct statx stx;
	struct file *file;
	int src_err = cr_open(p->ocp->ns, source, O_PATH | O_CLOEXEC, 0, &file);

	if (src_err) {
		report_error(r, src_err, MSG_STAT, source, NULL);
		return;
	}
	src_err = cr_getattr(file, NULL, &stx);
	cr_close(file);
	if (!src_err && S_ISDIR(stx.stx_mode) && !p->ocp->o->recursive)
		report_error(r, 0, MSG_OMIT_DIR, source, NULL);
	else if (err != -ENOENT)
		report_error(r, err, MSG_STAT, dest, NULL);
	else if (!src_err && S_ISDIR(stx.stx_mode))
		report_error(r, err, MSG_MKDIR, dest, NULL);
	else
		report_error(r, err, MSG_CREATE, dest, NULL);
}

static void root_drop(struct plan *p)
{
	if (p->root)
		dir_done(p->w, p->root);
	p->root = NULL;
}

/* The root for a source below @src and a target below @dst; the last one if it fits. */
static struct dir *root_for(struct plan *p, const char *source, const char *dest)
{
	char *src = dup_n(source, dir_len(source)), *dst = NULL;
	int err = -ENOENT;

	if (p->target) {
		size_t n = strlen(p->target);

		dst = malloc(n + 2);
		if (dst)
			snprintf(dst, n + 2, "%s%s", p->target,
				 n && p->target[n - 1] == '/' ? "" : "/");
	} else if (dest) {
		dst = dup_n(dest, dir_len(dest));
	}
	if (src && dst && p->root && !strcmp(src, p->root->node->src_name))
		goto out;
	root_drop(p);
	if (src && dst)
		p->root = !p->target && !*dest ? NULL : root_new(p, src, dst, &err);
	if (!p->root && err)
		no_target(p, source, p->target ? p->target : dest, err);
out:
	free(src);
	free(dst);
	return p->root;
}

static void operand_run(struct worker *w, struct item *it)
{
	if (ocp_stopped(w->ocp)) {
		dir_done(w, it->dir);
		return;
	}
	dir_hold(w->ocp, it->dir); /* cannot fail: a root is never parked */
	item_copy(w, it);
	dir_release(w->ocp, it->dir);
	if (it->child)
		walk_tree(w, it->child);
	dir_done(w, it->dir);
}

static void operand_task(struct worker *w, struct task *task)
{
	operand_run(w, &((struct operand_task *)task)->item);
	free(task);
}

/* Run @it now, or, where nobody can tell, later on any worker. */
static void operand_start(struct plan *p, const struct item *it)
{
	size_t a = strlen(it->name) + 1, b = strlen(it->dname) + 1;
	struct operand_task *t;
	struct item now = *it;

	dir_pend(p->ocp, it->dir);
	t = p->ordered || it->clash ? NULL : malloc(sizeof(*t) + a + b);
	if (!t) {
		operand_run(p->w, &now);
		return;
	}
	t->task.run = operand_task;
	t->item = *it;
	t->item.name = memcpy(t->name, it->name, a);
	t->item.dname = memcpy(t->name + a, it->dname, b);
	pool_push(p->w, &t->task);
}

/* The last name of a source without slashes; "" and ".." go into the target itself. */
static char *last_name(const char *source)
{
	const char *at = source + dir_len(source);
	size_t n = strlen(at);

	while (n && at[n - 1] == '/')
		n--;
	if (!n || (n == 2 && at[0] == '.' && at[1] == '.'))
		return strdup(".");
	return dup_n(at, n);
}

/* --parents: one directory of the source's path, made below the target like its model. */
static struct dir *parent_make(struct plan *p, struct dir *up, const char *name)
{
	struct item it = {.dir = up, .name = name, .dname = name, .parent = true};
	struct dir *d = dir_new(up, name, name);
	int err;

	if (!d) {
		item_error(p->w, &it, ENOMEM, MSG_NO_MEMORY);
		return NULL;
	}
	err = cr_openat(up->src, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &d->src);
	if (err == -EACCES)
		err = cr_openat(up->src, name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, &d->src);
	if (!err)
		err = cr_getattr(d->src, NULL, &it.src);
	if (err) {
		item_error(p->w, &it, err, MSG_STAT);
		goto fail;
	}
	d->want = attr_of(&it.src);
	d->listed = true;
	it.fresh = up->dst && cr_getattr(up->dst, name, &it.dst) == -ENOENT;
	it.through = true;
	if (!up->dst || (it.fresh && item_dry(p->w, &it, "make directory")))
		d->made = true;
	else if (mkdir_target(p->w, &it, d))
		goto fail;
	dir_opened(p->ocp, d);
	dir_done(p->w, up); /* from here on @d keeps it */
	return d;
fail:
	dir_free(d);
	return NULL;
}

/* --parents: the directories above the last name of @source, below the target. */
static struct dir *parents_make(struct plan *p, const char *source)
{
	char *path = dup_n(source, dir_len(source)), *save = NULL, *name;
	struct dir *d;

	root_drop(p);
	d = root_for(p, source[0] == '/' ? "/." : ".", NULL);
	p->root = NULL;
	for (name = path ? strtok_r(path, "/", &save) : NULL; name && d;
	     name = strtok_r(NULL, "/", &save)) {
		struct dir *next = parent_make(p, d, name);

		if (d->root == false)
			dir_release(p->ocp, d);
		if (!next)
			dir_done(p->w, d);
		d = next;
	}
	free(path);
	return d;
}

static void operand_parents(struct plan *p, const char *source)
{
	struct item it = {.operand = true};
	char *name = last_name(source);

	it.name = it.dname = name;
	it.dir = name ? parents_make(p, source) : NULL;
	if (it.dir) {
		bool root = it.dir->root;

		dir_pend(p->ocp, it.dir);
		operand_run(p->w, &it);
		pool_drain(p->ocp->pool, p->w);
		if (!root)
			dir_release(p->ocp, it.dir);
		dir_done(p->w, it.dir);
	}
	free(name);
}

static void operand(struct plan *p, const char *source)
{
	const struct ocp_opts *o = p->ocp->o;
	struct item it = {.operand = true};
	char *dname, *self;

	it.dir = root_for(p, source, o->dest);
	if (!it.dir)
		return;
	it.name = source + dir_len(source);
	if (!*it.name)
		it.name = *source == '/' ? "." : source;
	dname = p->target ? last_name(source) : strdup(o->dest + dir_len(o->dest));
	if (!dname) {
		item_error(p->w, &it, ENOMEM, MSG_NO_MEMORY);
		return;
	}
	it.dname = *dname ? dname : ".";
	self = backup_of_self(p->w, &it);
	it.no_backup = self != NULL;
	if (self)
		it.dname = self;
	if (o->nsources > 1)
		it.clash = operands_seen_target(p->ocp->operands, it.dname);
	if (it.clash)
		pool_drain(p->ocp->pool, p->w);
	operand_start(p, &it);
	free(self);
	free(dname);
}

/* Whether the last operand is a directory to copy into; false after a message and *failed. */
static bool find_target(struct plan *p, bool *failed)
{
	const struct ocp_opts *o = p->ocp->o;
	const char *name = o->target ? o->target : o->dest;
	struct file *file;
	int err;

	*failed = false;
	if (!o->target && o->no_target_dir)
		return false;
	err = cr_open(p->ocp->ns, name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, &file);
	if (!err) {
		cr_close(file);
		p->target = name;
		return true;
	}
	*failed = o->target || o->nsources > 1;
	if (*failed)
		report_error(p->ocp->report, err, o->target ? MSG_TARGET_DIR : MSG_TARGET, name,
			     NULL);
	return false;
}

/* plan_run - copy all operands; returns when everything is done */
void plan_run(struct worker *w)
{
	const struct ocp_opts *o = w->ocp->o;
	struct plan p = {.w = w, .ocp = w->ocp};
	bool failed;

	p.ordered = o->nsources < 2 || o->interactive || o->verbose || o->explain || o->dry_run ||
		    o->backup;
	if (!find_target(&p, &failed) && !failed && o->parents) {
		report_error(w->ocp->report, 0, MSG_PARENTS_DIR, NULL, NULL);
		failed = true;
	}
	for (unsigned i = 0; i < o->nsources && !failed && !ocp_stopped(w->ocp); i++) {
		if (o->parents)
			operand_parents(&p, o->sources[i]);
		else
			operand(&p, o->sources[i]);
	}
	root_drop(&p);
	pool_drain(w->ocp->pool, w);
}
