// SPDX-License-Identifier: GPL-2.0-or-later
/* make.c - links of both kinds, pipes, sockets, devices. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "ocp.h"

#define REPLACE_TRIES 100

/* Attributes of what has just been made at dname and cannot be opened. */
static int named_attrs(struct worker *w, struct item *it)
{
	struct attr_pair p = {.it = it,
			      .in = it->dir->src,
			      .in_name = it->name,
			      .out = it->dir->dst,
			      .out_name = it->dname,
			      .want = attr_of(&it->src),
			      .type = it->src.stx_mode & S_IFMT,
			      .made = true,
			      .named = true,
			      .acl = it->dir->acl};
	struct statx stx;
	int err;

	if (!w->ocp->o->preserve && !w->ocp->o->no_mode)
		return 0;
	err = cr_getattr(it->dir->dst, it->dname, &stx);
	if (err) {
		item_error(w, it, err, MSG_STAT);
		return err;
	}
	p.have = attr_of(&stx);
	xattr_list(w, &p);
	attr_apply(w, &p);
	return 0;
}

int make_symlink(struct worker *w, struct item *it)
{
	char text[PATH_MAX + 1];
	ssize_t n;
	int err;

	if (item_dry(w, it, "make symbolic link"))
		return 0;
	item_verbose(w, it);
	n = cr_readlink(it->dir->src, it->name, text, PATH_MAX);
	if (n < 0) {
		item_error(w, it, (int)n, MSG_READLINK);
		return (int)n;
	}
	text[n] = '\0';
	err = cr_symlink(it->dir->dst, it->dname, text);
	if (err) {
		item_error(w, it, err, MSG_SYMLINK);
		return err;
	}
	report_made(w->ocp->report, MADE_SYMLINK);
	return named_attrs(w, it);
}

/* Until it has its owner, a pipe or device is for nobody but us. */
int make_special(struct worker *w, struct item *it)
{
	mode_t mode = it->src.stx_mode & (S_IFMT | 0777);
	int err;

	if (item_dry(w, it, "make special file"))
		return 0;
	item_verbose(w, it);
	if (w->ocp->o->no_mode)
		mode = (mode & S_IFMT) | 0666;
	if (w->ocp->o->preserve & PRESERVE_OWNERSHIP)
		mode &= ~(mode_t)077;
	err = cr_mknod(it->dir->dst, it->dname, mode,
		       makedev(it->src.stx_rdev_major, it->src.stx_rdev_minor));
	if (err) {
		item_error(w, it, err, S_ISFIFO(mode) ? MSG_MKFIFO : MSG_MKNOD);
		return err;
	}
	report_made(w->ocp->report, MADE_SPECIAL);
	return named_attrs(w, it);
}

/* What is to get another name: an open file (@old NULL) or a name below a directory. */
struct link_source {
	struct file *file;
	const char *old;
	const char *text; /* not NULL: a symbolic link with this text */
};

static int link_once(struct item *it, const struct link_source *from, const char *name)
{
	if (from->text)
		return cr_symlink(it->dir->dst, name, from->text);
	return cr_link(from->file, from->old, it->dir->dst, name);
}

/* In place of what stands there: under another name, then renamed over it. */
static int link_replace(struct worker *w, struct item *it, const struct link_source *from)
{
	char temp[TEMP_MAX];
	int err = -EEXIST;

	for (unsigned i = 0; i < REPLACE_TRIES && err == -EEXIST; i++) {
		temp_name(w, it->dname, temp);
		err = link_once(it, from, temp);
	}
	if (err)
		return err;
	err = cr_rename(it->dir->dst, temp, it->dname, 0);
	/* Renaming over another link to the same file does nothing at all. */
	cr_unlink(it->dir->dst, temp, 0);
	return err;
}

static int link_make(struct worker *w, struct item *it, const struct link_source *from,
		     bool replace)
{
	int err = it->fresh || !replace ? link_once(it, from, it->dname) : -EEXIST;

	return err == -EEXIST && replace ? link_replace(w, it, from) : err;
}

static void link_error(struct worker *w, const struct item *it, int err, enum ocp_msg msg,
		       const char *to)
{
	char *dst = path_dst(it->dir->node, it->dname);

	report_error(w->ocp->report, err, msg, dst, to);
	free(dst);
}

int make_hard_link(struct worker *w, struct item *it)
{
	const struct ocp_opts *o = w->ocp->o;
	struct link_source from = {.file = it->dir->src, .old = it->name};
	struct file *followed = NULL;
	int err = 0;

	if (item_dry(w, it, "link"))
		return 0;
	item_verbose(w, it);
	if (item_follows(w->ocp, it)) {
		err = cr_openat(it->dir->src, it->name, O_PATH | O_CLOEXEC, 0, &followed);
		from = (struct link_source){.file = followed};
	}
	if (!err)
		err = link_make(w, it, &from, o->force || o->interactive);
	cr_close(followed);
	if (err) {
		char *src = path_src(it->dir->node, it->name);

		link_error(w, it, err, MSG_LINK, src);
		free(src);
		return err;
	}
	report_made(w->ocp->report, MADE_HARDLINK);
	return 0;
}

static bool in_current_dir(struct item *it)
{
	const struct file_id *id = cr_file_id(it->dir->dst);
	struct stat st;

	return !stat(".", &st) && st.st_ino == id->ino &&
	       (((uint64_t)major(st.st_dev) << 32) | minor(st.st_dev)) == id->dev;
}

int make_symbolic_link(struct worker *w, struct item *it)
{
	char *src;
	struct link_source from;
	int err = -EINVAL;

	if (item_dry(w, it, "make symbolic link"))
		return 0;
	item_verbose(w, it);
	src = path_src(it->dir->node, it->name);
	from = (struct link_source){.text = src};
	if (src[0] != '/' && !in_current_dir(it)) {
		item_error(w, it, 0, MSG_RELATIVE_SYMLINK);
	} else {
		err = link_make(w, it, &from, w->ocp->o->force);
		if (err)
			link_error(w, it, err, MSG_SYMLINK_TO, src);
		else
			report_made(w->ocp->report, MADE_SYMLINK);
	}
	free(src);
	return err;
}

/* The directory of an earlier copy; links come in runs, so the last one is kept open. */
static int link_dir(struct worker *w, struct node *node)
{
	struct file *dir;
	int err;

	if (w->link_dir == node)
		return 0;
	err = node_open(w->ocp, node, &dir);
	if (err)
		return err;
	cr_close(w->link_file);
	node_put(w->link_dir);
	w->link_file = dir;
	w->link_dir = node_get(node);
	return 0;
}

/* make_link_again - the source was copied before: @name in @node becomes @it too */
int make_link_again(struct worker *w, struct item *it, struct node *node, const char *name)
{
	struct link_source from = {.file = it->dir->dst, .old = name};
	int err = 0;

	item_verbose(w, it);
	if (node != it->dir->node) {
		err = link_dir(w, node);
		from.file = w->link_file;
	}
	if (!err)
		err = link_make(w, it, &from, true);
	if (err) {
		char *to = path_dst(node, name);

		link_error(w, it, err, MSG_LINK, to);
		free(to);
		return err;
	}
	report_made(w->ocp->report, MADE_HARDLINK);
	return 0;
}
