// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mkdir.c - a directory: made so that we can work in it, finished when all
 * below it is done.
 *
 * A new directory with more than a few names in it has a temporary one until
 * its first files are complete.  These are then made under their own names at
 * once: whatever kills us, no incomplete file is found where it is looked for,
 * and the directory costs one more call instead of one or two a file (50,000
 * files in 7,500 directories on ext4: 10 to 15 % of all processor time).  New
 * directories below it come under the same guard until that has seen
 * GUARD_NAMES names, because a rename costs as much as a few files (btrfs: 9 %
 * of all time with one a directory).
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "ocp.h"

#define GUARD_LEAST 3
#define GUARD_NAMES 500
#define TEMP_TRIES  100

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
 * may until it has its owner.  The real mode comes in mkdir_finish().
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

static int open_made(struct item *it, struct dir *d, const char *name, int flags)
{
	struct iattr attr = {.valid = ATTR_MODE, .mode = 0700};
	int err = cr_openat(it->dir->dst, name, flags, 0, &d->dst);

	/* A default ACL or an odd umask may have taken our own rights. */
	if (err != -EACCES || !d->made || cr_setattr(it->dir->dst, name, &attr))
		return err;
	return cr_openat(it->dir->dst, name, flags, 0, &d->dst);
}

static int mkdir_guarded(struct worker *w, struct item *it, struct dir *d, mode_t mode)
{
	char temp[TEMP_MAX];
	int err = -EEXIST;

	for (unsigned i = 0; i < TEMP_TRIES && err == -EEXIST; i++) {
		temp_name(w, it->dname, temp);
		err = cr_mkdir(it->dir->dst, temp, mode);
	}
	if (err)
		return err;
	d->node->temp = strdup(temp);
	if (!d->node->temp) {
		cr_unlink(it->dir->dst, temp, AT_REMOVEDIR);
		return -ENOMEM;
	}
	d->guard = d;
	return 0;
}

/* All that was found in @d so far comes under its guard, which nobody can have lifted yet. */
static void guard_harvest(struct dir *d)
{
	struct task *lists[] = {d->harvest.dirs, d->harvest.files ? &d->harvest.files->task : NULL};
	unsigned bundles = 0;

	for (unsigned i = 0; i < 2; i++)
		for (struct task *t = lists[i]; t; t = t->next, bundles++)
			((struct names *)t)->guard = d->guard;
	atomic_fetch_add(&d->guard->guards, bundles);
}

/* The guard that @it is under, as long as it takes more. */
static struct dir *guard_join(const struct item *it, const struct dir *d)
{
	if (!it->guard || atomic_load(&it->guard->guarded) >= GUARD_NAMES)
		return NULL;
	atomic_fetch_add(&it->guard->guarded, d->harvest.n + 1);
	return it->guard;
}

static void made(struct worker *w, struct item *it, struct dir *d)
{
	d->made = true;
	item_verbose(w, it);
	report_made(w->ocp->report, MADE_DIRECTORY);
}

/* With --shard another run may have been there first. */
static int make_shared(struct worker *w, struct item *it, struct dir *d, mode_t mode)
{
	int err = cr_mkdir(it->dir->dst, it->dname, mode);

	if (!err)
		made(w, it, d);
	return err == -EEXIST ? 0 : err;
}

/* Make the directory, under a temporary name where enough files will profit by it. */
static int make_new(struct worker *w, struct item *it, struct dir *d)
{
	mode_t mode = dir_mode(w->ocp, it->src.stx_mode);
	int err;

	if (w->ocp->o->shards) /* no temporary name: others work in it as well */
		return make_shared(w, it, d, mode);
	d->guard = guard_join(it, d);
	/* What --resume finds must have its name. */
	if (!d->guard && d->harvest.n >= GUARD_LEAST && !w->ocp->o->resume)
		err = mkdir_guarded(w, it, d, mode);
	else
		err = cr_mkdir(it->dir->dst, it->dname, mode);
	if (err)
		return err;
	made(w, it, d);
	return 0;
}

/* The first files of @d are complete: it may have its name. */
static int publish(struct worker *w, struct dir *d)
{
	struct node *node = d->node;
	struct file *up;
	int err = dir_hold(w->ocp, d->up);

	if (err)
		return err;
	up = d->up->dst;
	err = cr_rename(up, node->temp, node->dst_name, RENAME_NOREPLACE);
	if (err && err != -EEXIST) /* the flag is not known everywhere; without it only an empty
				      directory is replaced */
		err = cr_rename(up, node->temp, node->dst_name, 0);
	dir_release(w->ocp, d->up);
	return err;
}

/* guard_done - a bundle of files of @d that was guarded by its temporary name is done */
void guard_done(struct worker *w, struct dir *d)
{
	int err;

	if (atomic_fetch_sub(&d->guards, 1) != 1)
		return;
	err = publish(w, d);
	if (err) {
		char *temp = path_dst(d->up->node, d->node->temp);
		char *name = path_dst(d->up->node, d->node->dst_name);

		report_error(w->ocp->report, err, MSG_RENAME, temp, name);
		free(temp);
		free(name);
		return;
	}
	pthread_mutex_lock(&w->ocp->tree);
	free(d->node->temp);
	d->node->temp = NULL;
	pthread_mutex_unlock(&w->ocp->tree);
}

/* A temporary name that nothing will replace does not stay. */
static void unmake(struct item *it, struct dir *d)
{
	if (!d->node->temp)
		return;
	cr_unlink(it->dir->dst, d->node->temp, AT_REMOVEDIR);
	free(d->node->temp);
	d->node->temp = NULL;
}

/* With --shard a directory may have got its final mode from another run. */
static void loosen(struct worker *w, struct item *it, struct dir *d)
{
	struct iattr attr = {.valid = ATTR_MODE, .mode = d->have.mode | 0700};
	mode_t missing = 0700 & ~d->have.mode;

	if (!w->ocp->o->shards || d->made || w->ocp->root || !missing)
		return;
	if (cr_setattr(it->dir->dst, it->dname, &attr))
		return;
	d->loosened = missing;
	d->have.mode = attr.mode;
}

/* mkdir_target - make or open the destination directory of @it, which becomes @d's */
int mkdir_target(struct worker *w, struct item *it, struct dir *d)
{
	const struct ocp_opts *o = w->ocp->o;
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC |
		    (it->through && o->keep_dir_symlink ? 0 : O_NOFOLLOW);
	struct statx stx;
	int err = 0;

	if (it->fresh)
		err = make_new(w, it, d);
	if (!err)
		err = open_made(it, d, d->node->temp ? d->node->temp : it->dname, flags);
	if (!err)
		err = cr_getattr_open(d->dst, &stx);
	if (err) {
		unmake(it, d);
		item_error(w, it, err, MSG_MKDIR);
		return err;
	}
	if (!it->fresh && !it->parent) {
		err = context_relabel(w, it, d->dst);
		if (err)
			return err;
	}
	d->have = attr_of(&stx);
	loosen(w, it, d);
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
	d->node->top = it->operand;
	d->want = attr_of(&it->src);
	d->dev = makedev(it->src.stx_dev_major, it->src.stx_dev_minor);
	d->read = !w->ocp->o->one_file_system || it->operand || d->dev == it->dir->dev;
	err = open_source(w, it, d);
	if (err == -ELOOP)
		goto fail;
	if (!err && d->read)
		harvest_read(w, d, &d->harvest);
	if (item_dry(w, it, "make directory"))
		d->made = it->fresh;
	else if (mkdir_target(w, it, d) || resume_tree(w, it, d))
		goto fail;
	if (err) {
		item_error(w, it, err, MSG_ACCESS);
		mkdir_finish(w,
			     d); /* an empty directory with the right attributes, as cp leaves it */
		goto fail;
	}
	return d;
fail:
	resume_tree_end(w, d);
	harvest_drop(&d->harvest);
	dir_free(d);
	return NULL;
}

/* mkdir_enter - make the copy of a directory and leave it in it->child, held */
int mkdir_enter(struct worker *w, struct item *it)
{
	struct dir *d = dir_make(w, it);

	if (!d)
		return -EIO;
	if (it->operand && d->dst && d->made)
		operands_add_top(w->ocp->operands, cr_file_id(d->dst));
	if (d->guard)
		guard_harvest(d);
	dir_opened(w->ocp, d);
	it->child = d;
	return 0;
}

/* mkdir_finish - all is done below @d: attributes that working in it would have spoilt */
void mkdir_finish(struct worker *w, struct dir *d)
{
	struct item it = {.dir = d->up, .type = DT_DIR};
	struct attr_pair p = {.it = &it,
			      .in = d->src,
			      .out = d->dst,
			      .want = d->want,
			      .have = d->have,
			      .type = S_IFDIR,
			      .made = d->made || d->loosened,
			      .acl = d->acl || d->loosened,
			      .extra = d->made ? 0700 & ~d->want.mode : d->loosened};

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
	sync_dir(w, d);
}
