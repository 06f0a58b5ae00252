// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * context.c - SELinux contexts of copies: --preserve=context, -Z, --context=CTX.
 *
 * What is new is made with its context, so that there is no time without it; the kernel
 * keeps what to make as by thread, and whoever copies a name makes all of it.  An existing
 * file gets one once it is open, because the new one may forbid that.  Which of the two
 * when, and what is an error, is as in GNU cp (coreutils 9.1, observed).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labels.h"
#include "ocp.h"

static bool unsupported(int err)
{
	return err == -EOPNOTSUPP || err == -ENODATA;
}

/* An error where a context was asked for by name, else a warning or nothing; @what is named. */
static int say(struct worker *w, int err, enum ocp_msg msg, const char *what)
{
	const struct ocp_opts *o = w->ocp->o;
	bool quiet = o->reduce_diagnostics && msg != MSG_CONTEXT_FOR;

	if (o->preserve_strict & PRESERVE_CONTEXT) {
		report_error(w->ocp->report, err, msg, what, NULL);
		return err;
	}
	if (!unsupported(err) && !quiet)
		report_warn(w->ocp->report, err, msg, what, NULL);
	return 0;
}

static int complain(struct worker *w, const struct item *it, int err, enum ocp_msg msg)
{
	char *path = msg == MSG_CONTEXT_GET ? path_src(it->dir->node, it->name)
					    : path_dst(it->dir->node, it->dname);

	err = say(w, err, msg, path);
	free(path);
	return err;
}

/* A context of @file, or of @name in it: of malloc(). */
static int label_get(struct file *file, const char *name, char **labelp)
{
	char *label = calloc(1, LABEL_MAX + 1);
	ssize_t n;

	if (!label)
		return -ENOMEM;
	n = cr_getxattr(file, name, LABEL_XATTR, label, LABEL_MAX);
	if (n <= 0) {
		free(label);
		return n ? (int)n : -ENODATA;
	}
	*labelp = label;
	return 0;
}

static int label_set(struct file *file, const char *label)
{
	const struct xattr xattr = {LABEL_XATTR, label, strlen(label) + 1, 0};

	return cr_setxattr(file, NULL, &xattr);
}

/* Of what is copied: of a link that is followed, what it leads to. */
static int source_label(struct worker *w, const struct item *it, char **labelp)
{
	struct file *file;
	int err;

	if (it->in)
		return label_get(it->in, NULL, labelp);
	if (!item_follows(w->ocp, it))
		return label_get(it->dir->src, it->name, labelp);
	err = cr_openat(it->dir->src, it->name, O_PATH | O_CLOEXEC, 0, &file);
	if (err)
		return err;
	err = label_get(file, NULL, labelp);
	cr_close(file);
	return err;
}

static bool is_new(const struct worker *w, const struct item *it)
{
	return it->fresh || it->dangling || w->ocp->o->atomic;
}

static void remember(struct worker *w, char *label)
{
	free(w->label);
	w->label = label;
}

/*
 * What is there already, or gets its name at once, the kernel labels by itself.  A regular
 * file without a guard and a directory get theirs later: policy shall see it nevertheless.
 * To ask costs about as much as to make an empty file on tmpfs.
 */
static void create_as_kernel(struct worker *w, const struct item *it)
{
	struct labels *l = w->ocp->o->labels;
	bool later = S_ISDIR(it->src.stx_mode) || (S_ISREG(it->src.stx_mode) && !it->guard);
	char *dir = NULL, *label = NULL;

	if (later && is_new(w, it) && !label_get(it->dir->dst, NULL, &dir))
		labels_by_kernel(l, it->dname, it->src.stx_mode, dir, &label);
	if (labels_create_as(l, label) && label)
		labels_create_as(l, NULL); /* this process may not choose */
	free(label);
	free(dir);
}

static int create_as_source(struct worker *w, const struct item *it)
{
	struct labels *l = w->ocp->o->labels;
	char *label = NULL;
	int err = source_label(w, it, &label);

	remember(w, label);
	if (err) {
		create_as_kernel(w, it);
		return complain(w, it, err, MSG_CONTEXT_GET);
	}
	err = labels_create_as(l, label);
	if (!err)
		return 0;
	create_as_kernel(w, it);
	return say(w, err, MSG_CONTEXT_TO, label);
}

/*
 * The name of @it from / on, as policy knows it.  A name that the user gave from there is
 * taken as it is; otherwise what it begins in is, by the kernel's word, where it is now.
 */
static char *absolute(const struct item *it)
{
	char *path = path_dst(it->dir->node, it->dname), *real, link[32], *full = NULL;
	const struct node *root = it->dir->node;

	real = path && it->through ? realpath(path, NULL) : NULL;
	if (real || !path || path[0] == '/') {
		if (real)
			free(path);
		return real ? real : path;
	}
	while (root->up)
		root = root->up;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", root->dst ? cr_file_fd(root->dst) : -1);
	real = realpath(link, NULL);
	if (real && asprintf(&full, "%s/%s", strcmp(real, "/") ? real : "",
			     path + strlen(root->dst_name)) < 0)
		full = NULL;
	free(real);
	free(path);
	return full;
}

/* -Z: by its path, where policy has anything for it */
static void create_as_policy(struct worker *w, const struct item *it)
{
	struct labels *l = w->ocp->o->labels;
	char *path = absolute(it), *dir = NULL, *label = NULL;
	int err = path ? label_get(it->dir->dst, NULL, &dir) : -ENOMEM;

	if (!err)
		err = labels_for_new(l, path, it->src.stx_mode, dir, &label);
	if (!err)
		err = labels_create_as(l, label);
	if (err) {
		create_as_kernel(w, it);
		complain(w, it, err, MSG_CONTEXT_FOR);
	}
	free(label);
	free(dir);
	free(path);
}

/* Elsewhere SELinux has no say, and contexts no effect.  Said once. */
static int elsewhere(struct worker *w, const struct item *it)
{
	char *dst;

	if (w->ocp->o->preserve & PRESERVE_CONTEXT)
		return complain(w, it, -EOPNOTSUPP, MSG_CONTEXT_SET);
	if (atomic_exchange(&w->ocp->context_warned, true))
		return 0;
	dst = path_dst(it->dir->node, it->dname);
	report_warn(w->ocp->report, 0, MSG_CONTEXT_ROOM, dst, NULL);
	free(dst);
	return 0;
}

/* context_create - what is going to be made for @it by this thread gets its context at once */
int context_create(struct worker *w, const struct item *it)
{
	const struct ocp_opts *o = w->ocp->o;

	if (!o->labels || o->dry_run || !it->dir->dst)
		return 0;
	if (cr_file_fd(it->dir->dst) < 0)
		return o->contexts ? elsewhere(w, it) : 0;
	if (o->preserve & PRESERVE_CONTEXT)
		return create_as_source(w, it);
	if (o->one_context)
		labels_create_as(o->labels, NULL); /* it was tried when the command line was read */
	else if (o->policy_context && is_new(w, it))
		create_as_policy(w, it);
	else
		create_as_kernel(w, it);
	return 0;
}

/* -Z: the type that policy has for the path of @out; the rest of its context stays */
static int relabel_by_policy(struct worker *w, const struct item *it, struct file *out)
{
	char *path = absolute(it), *old = NULL, *label = NULL;
	struct statx stx;
	int err = path ? label_get(out, NULL, &old) : -ENOMEM;

	if (!err)
		err = cr_getattr(out, NULL, &stx);
	if (!err)
		err = labels_for_old(w->ocp->o->labels, path, stx.stx_mode, old, &label);
	if (!err && strcmp(label, old) != 0)
		err = label_set(out, label);
	free(label);
	free(old);
	free(path);
	return err;
}

/* context_relabel - @out, which was there before, gets the context that context_create() found */
int context_relabel(struct worker *w, const struct item *it, struct file *out)
{
	const struct ocp_opts *o = w->ocp->o;
	int err;

	if (!o->labels || cr_file_fd(out) < 0)
		return 0;
	if (o->preserve & PRESERVE_CONTEXT)
		err = w->label ? label_set(out, w->label) : -ENODATA;
	else if (o->policy_context)
		err = relabel_by_policy(w, it, out);
	else
		return 0;
	return err ? complain(w, it, err, MSG_CONTEXT_SET) : 0;
}
