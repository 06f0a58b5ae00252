// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * entry.c - one name: look at the source, settle what stands at the target,
 * hand it to whoever makes that kind of thing.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ocp.h"

/* Whether a symbolic link that is @it is followed. */
bool item_follows(const struct ocp *ocp, const struct item *it)
{
	if (ocp->o->deref == DEREF_ALWAYS)
		return true;
	return it->operand && ocp->o->deref == DEREF_COMMAND_LINE;
}

/* Messages that name the destination, and those that name both. */
static bool names_target(enum ocp_msg msg)
{
	switch (msg) {
	case MSG_WRITE:
	case MSG_CREATE:
	case MSG_MKDIR:
	case MSG_MKFIFO:
	case MSG_MKNOD:
	case MSG_SYMLINK:
	case MSG_SYMLINK_TO:
	case MSG_LINK:
	case MSG_REMOVE:
	case MSG_CLOSE:
	case MSG_TRUNCATE:
	case MSG_SYNC:
	case MSG_TIMES:
	case MSG_OWNER:
	case MSG_MODE:
	case MSG_SET_MODE:
	case MSG_FLAGS:
	case MSG_BACKUP_SOURCE:
	case MSG_FILE_OVER_DIR:
	case MSG_DIR_OVER_FILE:
	case MSG_DANGLING:
	case MSG_NOT_REPLACING:
	case MSG_RELATIVE_SYMLINK:
	case MSG_JUST_CREATED:
	case MSG_CLONE:
	case MSG_READ_BACK:
	case MSG_INTERRUPTED:
		return true;
	default:
		return false;
	}
}

/* item_error - an error of @it; the message decides which of its two names comes first */
void item_error(struct worker *w, const struct item *it, int err, enum ocp_msg msg)
{
	char *src = path_src(it->dir->node, it->name), *dst = path_dst(it->dir->node, it->dname);

	if (names_target(msg))
		report_error(w->ocp->report, err, msg, dst, src);
	else
		report_error(w->ocp->report, err, msg, src, dst);
	free(src);
	free(dst);
}

void item_verbose(struct worker *w, const struct item *it)
{
	char *src, *dst;

	if (!w->ocp->o->verbose)
		return;
	src = path_src(it->dir->node, it->name);
	dst = path_dst(it->dir->node, it->dname);
	if (it->parent) {
		report_verbose_parent(w->ocp->report, src, dst);
	} else if (it->backup) {
		char *backup = path_dst(it->dir->node, it->backup);

		report_verbose_backup(w->ocp->report, src, dst, backup);
		free(backup);
	} else {
		report_verbose(w->ocp->report, src, dst);
	}
	free(src);
	free(dst);
}

bool item_dry(struct worker *w, const struct item *it, const char *action)
{
	char *src, *dst;

	if (!w->ocp->o->dry_run)
		return false;
	src = path_src(it->dir->node, it->name);
	dst = path_dst(it->dir->node, it->dname);
	report_dry(w->ocp->report, action, src, dst);
	free(src);
	free(dst);
	return true;
}

/* A regular file is opened before it is looked at: one call less, and no race between. */
static bool source_open(struct worker *w, struct item *it)
{
	const struct ocp_opts *o = w->ocp->o;

	if (it->type != DT_REG || it->operand || o->hard_link || o->symbolic_link || o->dry_run ||
	    o->attributes_only || !it->fresh)
		return false;
	if (cr_openat(it->dir->src, it->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0,
		      &it->in))
		return false;
	if (!cr_getattr_open(it->in, &it->src) && S_ISREG(it->src.stx_mode))
		return true;
	cr_close(it->in);
	it->in = NULL;
	return false;
}

static int source_stat(struct worker *w, struct item *it)
{
	struct file *file;
	int err;

	if (source_open(w, it))
		return 0;
	if (!item_follows(w->ocp, it) || (it->type != DT_LNK && it->type != DT_UNKNOWN))
		return cr_getattr(it->dir->src, it->name, &it->src);
	err = cr_openat(it->dir->src, it->name, O_PATH | O_CLOEXEC, 0, &file);
	if (err)
		return err;
	err = cr_getattr_open(file, &it->src);
	cr_close(file);
	return err;
}

/* Whether links to the same source are to be links again. */
static bool keeps_links(const struct ocp *ocp, const struct item *it)
{
	const struct ocp_opts *o = ocp->o;

	if (!(o->preserve & PRESERVE_LINKS) || o->hard_link || o->symbolic_link || o->dry_run)
		return false;
	if (it->src.stx_nlink > 1 || o->deref == DEREF_ALWAYS)
		return true;
	return it->operand && o->deref == DEREF_COMMAND_LINE;
}

static int make_other(struct worker *w, struct item *it)
{
	const struct ocp_opts *o = w->ocp->o;
	mode_t type = it->src.stx_mode & S_IFMT;

	if (o->symbolic_link)
		return make_symbolic_link(w, it);
	if (o->hard_link)
		return make_hard_link(w, it);
	if (S_ISREG(type) || (o->copy_contents && !S_ISLNK(type)))
		return file_copy(w, it);
	if (S_ISLNK(type))
		return make_symlink(w, it);
	if (S_ISFIFO(type) || S_ISSOCK(type) || S_ISBLK(type) || S_ISCHR(type))
		return make_special(w, it);
	item_error(w, it, 0, MSG_UNKNOWN_TYPE);
	return -EINVAL;
}

/* Its bytes will not be copied, and the bar need not wait for them. */
static void item_no_data(struct worker *w, const struct item *it)
{
	if (S_ISREG(it->src.stx_mode))
		progress_skip(w->ocp->progress, it->src.stx_size);
}

/* The copy of the same inode that was made before becomes @it too. */
static int link_to_place(struct worker *w, struct item *it, struct link_place *place)
{
	int err = make_link_again(w, it, place->node, place->name);

	it->summed = place->summed;
	memcpy(it->sum, place->sum, sizeof(it->sum));
	if (!err && it->summed && w->ocp->manifest)
		manifest_add(w, it);
	node_put(place->node);
	free(place->name);
	return err;
}

/* One that is no directory, with the table of hard links round it. */
static int item_make(struct worker *w, struct item *it)
{
	struct links *links = w->ocp->links;
	struct link_place place;
	int err;

	if (!keeps_links(w->ocp, it))
		return make_other(w, it);
	err = links_claim(links, &it->src, &place);
	if (err > 0) {
		item_no_data(w, it);
		return link_to_place(w, it, &place);
	}
	if (err < 0) {
		item_error(w, it, err, MSG_NO_MEMORY);
		return err;
	}
	err = make_other(w, it);
	links_done(links, &it->src, err ? NULL : it->dir->node, it->dname,
		   it->summed ? it->sum : NULL);
	return err;
}

/* A target that was left alone is still what later links to this source become links of. */
static void item_skip(struct worker *w, struct item *it)
{
	struct link_place place;
	int err;

	item_no_data(w, it);
	if (w->ocp->o->debug) {
		char *dst = path_dst(it->dir->node, it->dname);

		report_skipped(w->ocp->report, dst);
		free(dst);
	}
	if (w->ocp->o->update != UPDATE_OLDER || !keeps_links(w->ocp, it))
		return;
	err = links_claim(w->ocp->links, &it->src, &place);
	if (err == 0)
		links_done(w->ocp->links, &it->src, it->dir->node, it->dname, NULL);
	else if (err > 0) /* a link of what was copied before, also where this is newer */
		link_to_place(w, it, &place);
}

/* Later operands must know what this one has made. */
static void operand_made(struct worker *w, const struct item *it)
{
	struct statx stx;

	if (w->ocp->o->nsources > 1 && !w->ocp->o->dry_run && it->dir->dst &&
	    !cr_getattr(it->dir->dst, it->dname, &stx))
		operands_made(w->ocp->operands, it->dname, &stx);
}

/*
 * Whether the target lies inside the directory that is to be copied: it would
 * grow while it is read.  Asked before anything is made.
 */
static bool into_itself(const struct item *it)
{
	uint64_t dev = ((uint64_t)it->src.stx_dev_major << 32) | it->src.stx_dev_minor;
	struct file *at = it->dir->dst, *up = NULL;
	bool inside = false, top = !at;

	while (!inside && !top) {
		const struct file_id *id = cr_file_id(at);
		struct file *next;

		inside = id->ino == it->src.stx_ino && id->dev == dev;
		if (cr_openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0, &next))
			break;
		top = cr_file_id(next)->ino == id->ino && cr_file_id(next)->dev == id->dev;
		cr_close(up);
		at = up = next;
	}
	cr_close(up);
	return inside;
}

/* The same directory, to the same place or where it would have to be a link. */
static bool dir_given_before(struct worker *w, struct item *it)
{
	char *dst = path_dst(it->dir->node, it->dname);
	const char *before = operands_dir(w->ocp->operands, &it->src, dst);

	if (before && !strcmp(before, dst)) {
		char *src = path_src(it->dir->node, it->name);

		report_warn(w->ocp->report, 0, MSG_TWICE_DIR, src, NULL);
		free(src);
	} else if (before && !item_follows(w->ocp, it)) {
		report_error(w->ocp->report, 0, MSG_LINK_TO_DIR, dst, before);
	} else {
		before = NULL;
	}
	free(dst);
	return before;
}

static bool dir_refused(struct worker *w, struct item *it)
{
	const struct ocp_opts *o = w->ocp->o;

	if (!o->recursive) {
		item_error(w, it, 0, MSG_OMIT_DIR);
		return true;
	}
	if (it->operand && o->nsources > 1 && dir_given_before(w, it))
		return true;
	if (it->operand && into_itself(it)) {
		item_error(w, it, 0, MSG_INTO_ITSELF);
		return true;
	}
	return false;
}

static bool given_twice(struct worker *w, struct item *it)
{
	char *src;

	if (!it->operand || w->ocp->o->nsources < 2 || w->ocp->o->backup ||
	    !operands_seen_source(w->ocp->operands, cr_file_id(it->dir->src), it->name))
		return false;
	src = path_src(it->dir->node, it->name);
	report_warn(w->ocp->report, 0, MSG_TWICE, src, NULL);
	free(src);
	return true;
}

/* item_copy - copy one name; a directory is only made and left in it->child */
void item_copy(struct worker *w, struct item *it)
{
	bool dir;
	int err;

	if (shard_skips_early(w->ocp, it))
		return;
	err = source_stat(w, it);
	if (err) {
		item_error(w, it, err, MSG_STAT);
		return;
	}
	dir = S_ISDIR(it->src.stx_mode);
	if ((dir && !it->alone && !it->operand && w->ocp->o->recursive) ||
	    (it->guard && it->src.stx_size >= GUARD_MAX)) {
		cr_close(it->in);
		walk_later(w, it);
		return;
	}
	if (shard_skips(w->ocp, it)) {
		cr_close(it->in);
		it->in = NULL;
		return;
	}
	if (dir && dir_refused(w, it))
		return;
	if (!dir && given_twice(w, it))
		return;
	switch (target_settle(w, it)) {
	case TARGET_GO:
		err = context_create(w, it);
		if (!err)
			err = dir ? mkdir_enter(w, it) : item_make(w, it);
		if (err)
			backup_undo(w, it);
		if (!err && it->operand)
			operand_made(w, it);
		break;
	case TARGET_SKIP:
		item_skip(w, it);
		break;
	case TARGET_ERROR:
		break;
	}
	cr_close(it->in);
	it->in = NULL;
	free(it->backup);
	it->backup = NULL;
}
