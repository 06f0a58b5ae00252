// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * target.c - what stands at the destination, and whether it may be replaced.
 *
 * The rules and their order are those of GNU cp (coreutils 9, cp(1) and the
 * manual's "cp invocation"): the same file is refused, -u and -n skip, -i asks,
 * kinds that cannot replace each other are refused, and what cannot be written
 * in place is removed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ocp.h"

static bool is_reg(const struct ocp *ocp, const struct item *it)
{
	return S_ISREG(it->src.stx_mode) ||
	       (ocp->o->copy_contents && !S_ISDIR(it->src.stx_mode) && !S_ISLNK(it->src.stx_mode));
}

static bool backs_up(const struct ocp *ocp, const struct item *it)
{
	return ocp->o->backup && !it->no_backup;
}

/* Whether a symbolic link at the target is written through instead of replaced. */
static bool writes_through(const struct ocp *ocp, const struct item *it)
{
	const struct ocp_opts *o = ocp->o;

	if (S_ISDIR(it->src.stx_mode))
		return o->keep_dir_symlink;
	return is_reg(ocp, it) && !o->symbolic_link && !o->hard_link && !o->remove_dest &&
	       !o->atomic && !backs_up(ocp, it);
}

static int target_stat(struct worker *w, struct item *it)
{
	struct file *file;
	int err;

	it->dangling = it->through = false;
	err = cr_getattr(it->dir->dst, it->dname, &it->dst);
	if (err == -ENOENT) {
		it->fresh = true;
		return 0;
	}
	if (err || !S_ISLNK(it->dst.stx_mode) || !writes_through(w->ocp, it))
		return err;
	err = cr_openat(it->dir->dst, it->dname, O_PATH | O_CLOEXEC, 0, &file);
	if (err == -ENOENT) {
		it->dangling = true;
		return 0;
	}
	if (err == -ELOOP && w->ocp->o->force)
		return 0; /* it cannot be opened either, and goes then */
	if (err)
		return err;
	it->through = true;
	err = cr_getattr(file, NULL, &it->dst);
	cr_close(file);
	return err;
}

static bool same_inode(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor;
}

/* The same entry of the same directory, however the paths to it are spelt. */
static bool same_entry(const struct item *it)
{
	const struct file_id *a = cr_file_id(it->dir->src), *b = cr_file_id(it->dir->dst);

	return a->dev == b->dev && a->ino == b->ino && !strcmp(it->name, it->dname);
}

/* What @it leads to when links are followed. */
static int followed(struct file *dir, const char *name, struct statx *stx)
{
	struct file *file;
	int err = cr_openat(dir, name, O_PATH | O_CLOEXEC, 0, &file);

	if (err)
		return err;
	err = cr_getattr(file, NULL, stx);
	cr_close(file);
	return err;
}

/*
 * The same with -b: what stands at the target stays, under another name, so only
 * the same entry is refused, and a link whose target would go away.
 */
static bool same_file_backup(const struct item *it)
{
	bool src_link = S_ISLNK(it->src.stx_mode), dst_link = S_ISLNK(it->dst.stx_mode);
	struct statx stx;

	if (src_link != dst_link || !same_inode(&it->src, &it->dst))
		return false;
	if (same_entry(it))
		return true;
	return !dst_link && !cr_getattr(it->dir->src, it->name, &stx) && S_ISLNK(stx.stx_mode);
}

/* True when copying would destroy the source, or its only way to be reached. */
static bool same_file(const struct worker *w, const struct item *it)
{
	const struct ocp_opts *o = w->ocp->o;
	bool src_link = S_ISLNK(it->src.stx_mode), dst_link = S_ISLNK(it->dst.stx_mode);
	struct statx stx;

	if (backs_up(w->ocp, it))
		return same_file_backup(it);
	if (o->hard_link) /* writes to neither of them */
		return false;
	if (src_link && dst_link)
		return same_inode(&it->src, &it->dst) && same_entry(it);
	if (src_link)
		return !followed(it->dir->src, it->name, &stx) && same_inode(&stx, &it->dst);
	if (dst_link) /* it will be replaced, not followed */
		return !o->remove_dest && !o->symbolic_link && !o->atomic &&
		       !followed(it->dir->dst, it->dname, &stx) && same_inode(&it->src, &stx);
	if (!same_inode(&it->src, &it->dst))
		return false;
	return !(o->remove_dest && it->dst.stx_nlink > 1 && !same_entry(it));
}

static bool not_older(const struct ocp_opts *o, const struct item *it)
{
	const struct statx_timestamp *src = &it->src.stx_mtime, *dst = &it->dst.stx_mtime;

	if (src->tv_sec != dst->tv_sec)
		return dst->tv_sec > src->tv_sec;
	/* A file system without fractions of a second cuts them off when times are kept. */
	return dst->tv_nsec >= src->tv_nsec || ((o->preserve & PRESERVE_TIMES) && !dst->tv_nsec);
}

static bool asked(struct worker *w, struct item *it)
{
	char *dst = path_dst(it->dir->node, it->dname);
	bool writable = true, yes;

	if (!S_ISLNK(it->dst.stx_mode) && !w->ocp->root)
		writable = it->dst.stx_uid == geteuid() ? it->dst.stx_mode & 0200
							: it->dst.stx_mode & 0022;
	yes = report_ask(w->ocp->report, dst, writable ? -1 : (int)(it->dst.stx_mode & 07777));
	free(dst);
	return yes;
}

/* -u, -n, -i: whether an existing target that is no problem is left as it is. */
static enum target target_wanted(struct worker *w, struct item *it)
{
	const struct ocp_opts *o = w->ocp->o;

	if (S_ISDIR(it->src.stx_mode))
		return TARGET_GO;
	if (o->update == UPDATE_OLDER && not_older(o, it))
		return TARGET_SKIP;
	if (o->update == UPDATE_NONE)
		return TARGET_SKIP;
	if (o->update == UPDATE_NONE_FAIL) {
		item_error(w, it, 0, MSG_NOT_REPLACING);
		return TARGET_ERROR;
	}
	if (o->interactive && !asked(w, it))
		return TARGET_SKIP;
	return TARGET_GO;
}

/* Kinds that do not replace each other, and what this very run has made. */
static int target_kind(struct worker *w, struct item *it)
{
	bool src_dir = S_ISDIR(it->src.stx_mode), dst_dir = S_ISDIR(it->dst.stx_mode);
	struct statx stx;
	enum ocp_msg msg = MSG_COUNT;

	if (src_dir && !dst_dir)
		msg = MSG_DIR_OVER_FILE;
	else if (!src_dir && dst_dir)
		msg = MSG_FILE_OVER_DIR;
	else if (it->clash && !src_dir && w->ocp->o->backup != BACKUP_NUMBERED &&
		 operands_is_made(w->ocp->operands, it->dname, &it->dst))
		msg = MSG_JUST_CREATED;
	else if (it->clash && it->through && !cr_getattr(it->dir->dst, it->dname, &stx) &&
		 operands_is_made(w->ocp->operands, it->dname, &stx))
		msg = MSG_COPY_SYMLINK_JUST;
	if (msg == MSG_COUNT)
		return 0;
	item_error(w, it, 0, msg);
	return -EEXIST;
}

int target_remove(struct worker *w, struct item *it)
{
	int err;

	if (item_dry(w, it, "remove"))
		return 0;
	err = cr_unlink(it->dir->dst, it->dname, 0);
	if (err && err != -ENOENT) {
		item_error(w, it, err, MSG_REMOVE);
		return err;
	}
	if (w->ocp->o->verbose) {
		char *dst = path_dst(it->dir->node, it->dname);

		report_removed(w->ocp->report, dst);
		free(dst);
	}
	it->fresh = true;
	return 0;
}

/* What is not written in place: a link to be broken, or something that is no file. */
static bool must_go(const struct worker *w, const struct item *it)
{
	const struct ocp_opts *o = w->ocp->o;

	if (S_ISDIR(it->src.stx_mode) || o->hard_link || o->symbolic_link)
		return o->remove_dest && !S_ISDIR(it->src.stx_mode);
	if (o->remove_dest)
		return true;
	if (o->attributes_only)
		return false;
	if (o->atomic && is_reg(w->ocp, it))
		return false;
	if ((o->preserve & PRESERVE_LINKS) && it->dst.stx_nlink > 1)
		return true;
	return o->deref == DEREF_NEVER && !S_ISREG(it->src.stx_mode);
}

/* -l: the target is the source already, or what the source, a symbolic link, leads to. */
static bool linked_already(const struct worker *w, const struct item *it)
{
	struct statx stx;

	if (!w->ocp->o->hard_link || S_ISDIR(it->src.stx_mode))
		return false;
	if (same_inode(&it->src, &it->dst))
		return true;
	return S_ISLNK(it->src.stx_mode) && !S_ISLNK(it->dst.stx_mode) && !backs_up(w->ocp, it) &&
	       !followed(it->dir->src, it->name, &stx) && same_inode(&stx, &it->dst);
}

/* A symbolic link to nothing is no place to write to, but where POSIX wants it so. */
static enum target target_dangling(struct worker *w, struct item *it)
{
	if (it->clash && operands_is_made(w->ocp->operands, it->dname, &it->dst)) {
		item_error(w, it, 0, MSG_COPY_SYMLINK_JUST);
		return TARGET_ERROR;
	}
	if (w->ocp->o->through_dangling)
		return TARGET_GO;
	item_error(w, it, 0, MSG_DANGLING);
	return TARGET_ERROR;
}

/* target_settle - look at the target and make way for @it, or not */
enum target target_settle(struct worker *w, struct item *it)
{
	enum target answer;
	int err;

	if (it->fresh || !it->dir->dst) {
		it->fresh = true;
		return TARGET_GO;
	}
	err = target_stat(w, it);
	if (err) {
		char *dst = path_dst(it->dir->node, it->dname);

		report_error(w->ocp->report, err, MSG_STAT, dst, NULL);
		free(dst);
		return TARGET_ERROR;
	}
	if (it->fresh)
		return TARGET_GO;
	if (it->dangling)
		return target_dangling(w, it);
	if (linked_already(w, it))
		return TARGET_SKIP;
	if (same_file(w, it)) {
		item_error(w, it, 0, MSG_SAME_FILE);
		return TARGET_ERROR;
	}
	answer = target_wanted(w, it);
	if (answer != TARGET_GO)
		return answer;
	if (target_kind(w, it))
		return TARGET_ERROR;
	it->whole = resume_whole(w, it);
	if (it->whole)
		return TARGET_GO;
	if (backs_up(w->ocp, it) && !S_ISDIR(it->dst.stx_mode))
		return backup_make(w, it) ? TARGET_ERROR : TARGET_GO;
	if (must_go(w, it) && target_remove(w, it))
		return TARGET_ERROR;
	return TARGET_GO;
}
