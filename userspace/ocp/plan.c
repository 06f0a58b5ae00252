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
	char *dest;			      /* the last operand, without the options of a URL */
	const char *dest_opts;		      /* and these */
	const char *source_url, *source_opts; /* of the operand in hand */
	const char *root_opts;		      /* of that with which the root was opened */
	const char *target; /* directory into which all goes, or NULL: dest is the name itself */
	struct dir *root;   /* of the last operand: the next one often has the same */
	bool ordered;
};

struct operand_task {
	struct task task; /* first */
	struct item item;
	char name[];
};

/* What of a name is no path: "mem:", "nfs://host/", "iscsi://host/". */
static size_t scheme_len(const char *path)
{
	size_t n;

	if (!strncmp(path, "mem:", 4))
		return 4;
	if (!strncmp(path, "nfs://", 6))
		n = 6;
	else if (!strncmp(path, "iscsi://", 8))
		n = 8;
	else
		return 0;
	path += n;
	return n + strcspn(path, "/") + (strchr(path, '/') != NULL);
}

/* Where the options of a URL begin, "?uid=0&gid=0": they are the server's, not the last name's. */
static const char *url_opts(const char *path)
{
	const char *end = path + strlen(path), *at = strrchr(path, '?');

	return scheme_len(path) > 6 && at && strchr(at, '=') ? at : end;
}

/* Length of the directory part, its last slash (or the scheme) included. */
static size_t dir_len(const char *path)
{
	const char *end = path + strlen(path), *least = path + scheme_len(path);

	while (end > least && end[-1] == '/')
		end--;
	while (end > least && end[-1] != '/')
		end--;
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

static int open_as(struct ocp *ocp, const char *path, const char *opts, int flags,
		   struct file **filep)
{
	char *name;
	int err;

	flags |= O_DIRECTORY | O_CLOEXEC;
	if (!*opts)
		return cr_open(ocp->ns, *path ? path : ".", flags, 0, filep);
	if (asprintf(&name, "%s%s", path, opts) < 0)
		return -ENOMEM;
	err = cr_open(ocp->ns, name, flags, 0, filep);
	free(name);
	return err;
}

static int open_target(struct ocp *ocp, const char *path, const char *opts, struct file **filep)
{
	int err = open_as(ocp, path, opts, O_RDONLY, filep);

	return err == -EACCES ? open_as(ocp, path, opts, O_PATH, filep) : err;
}

/* A pair of open directories that names of the command line are relative to. */
static struct dir *root_new(struct plan *p, const char *src, const char *dst, int *errp)
{
	struct dir *d = dir_new(NULL, src, dst);
	int err = d ? open_as(p->ocp, src, p->source_opts, O_PATH, &d->src) : -ENOMEM;

	*errp = 0;
	if (err) {
		report_error(p->ocp->report, err, err == -ENOMEM ? MSG_NO_MEMORY : MSG_STAT, src,
			     NULL);
		goto fail;
	}
	*errp = open_target(p->ocp, dst, p->dest_opts, &d->node->dst);
	if (*errp)
		goto fail;
	d->dst = d->node->dst;
	d->src_id = *cr_file_id(d->src);
	sync_note(p->ocp, d->dst);
	if (!p->ocp->o->jobs)
		pool_few(p->ocp->pool, opts_processors(), cr_file_narrow(d->dst));
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
	if (src && dst && p->root && !strcmp(src, p->root->node->src_name) &&
	    !strcmp(p->root_opts, p->source_opts))
		goto out;
	root_drop(p);
	p->root_opts = p->source_opts;
	if (src && dst)
		p->root = !p->target && dest && !*dest ? NULL : root_new(p, src, dst, &err);
	if (!p->root && err)
		no_target(p, p->source_url, p->target ? p->target : dest, err);
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
	else if (context_create(p->w, &it) || mkdir_target(p->w, &it, d))
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
	size_t skip = scheme_len(source);
	char *path = dup_n(source, dir_len(source)), *save = NULL, *name;
	char *top = skip ? dup_n(source, skip) : NULL;
	struct dir *d;

	root_drop(p);
	d = root_for(p, top ? top : source[0] == '/' ? "/." : ".", NULL);
	free(top);
	p->root = NULL;
	for (name = path ? strtok_r(path + skip, "/", &save) : NULL; name && d;
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

	/* p->root has it: NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	it.dir = root_for(p, source, p->dest);
	if (!it.dir)
		return;
	it.name = source + dir_len(source);
	if (!*it.name)
		it.name = *source == '/' || scheme_len(source) ? "." : source;
	dname = p->target ? last_name(source) : strdup(p->dest + dir_len(p->dest));
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

static void operand_start_at(struct plan *p, const char *source)
{
	char *path;

	p->source_url = source;
	p->source_opts = url_opts(source);
	path = dup_n(source, (size_t)(p->source_opts - source));
	if (!path)
		report_error(p->ocp->report, ENOMEM, MSG_NO_MEMORY, NULL, NULL);
	else if (!*path) /* the core takes "" for the directory itself */
		report_error(p->ocp->report, ENOENT, MSG_STAT, source, NULL);
	else if (p->ocp->o->parents)
		operand_parents(p, path);
	else
		operand(p, path);
	free(path);
}

/*
 * --resume: the same command line again goes on with the tree that it made, also now
 * that it stands there and cp would copy into it.
 */
static bool goes_on(struct plan *p)
{
	const struct ocp_opts *o = p->ocp->o;
	struct file *dir;
	char *parent;
	bool found;

	if (!o->resume || o->nsources != 1 || o->parents)
		return false;
	parent = dup_n(p->dest, dir_len(p->dest));
	if (!parent || open_as(p->ocp, parent, p->dest_opts, O_PATH, &dir)) {
		free(parent);
		return false;
	}
	found = resume_has_tree(p->ocp, dir, p->dest + dir_len(p->dest));
	cr_close(dir);
	free(parent);
	return found;
}

/* Whether the last operand is a directory to copy into; false after a message and *failed. */
static bool find_target(struct plan *p, bool *failed)
{
	const struct ocp_opts *o = p->ocp->o;
	const char *name = o->target ? o->target : o->dest;
	struct file *file;
	int err;

	*failed = false;
	if (!o->target && (o->no_target_dir || goes_on(p)))
		return false;
	err = cr_open(p->ocp->ns, name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, &file);
	if (!err) {
		cr_close(file);
		p->target = p->dest;
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
	const char *name = o->target ? o->target : o->dest;
	struct plan p = {.w = w, .ocp = w->ocp, .source_opts = "", .root_opts = ""};
	bool failed;

	p.dest_opts = url_opts(name);
	p.dest = dup_n(name, (size_t)(p.dest_opts - name));
	if (!p.dest) {
		report_error(w->ocp->report, ENOMEM, MSG_NO_MEMORY, NULL, NULL);
		return;
	}
	p.ordered = o->nsources < 2 || o->interactive || o->verbose || o->explain || o->dry_run ||
		    o->backup;
	if (!find_target(&p, &failed) && !failed && o->parents) {
		report_error(w->ocp->report, 0, MSG_PARENTS_DIR, NULL, NULL);
		failed = true;
	}
	for (unsigned i = 0; i < o->nsources && !failed && !ocp_stopped(w->ocp); i++) {
		operand_start_at(&p, o->sources[i]);
	}
	root_drop(&p);
	pool_drain(w->ocp->pool, w);
	free(p.dest);
}
