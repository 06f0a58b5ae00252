// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The second reading.  Directories are made when a subvolume begins, each other thing when
 * the stream makes it, all under their last names; further names come at the end.
 */
#include "partial_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "partial.h"

#define HIDDEN_DIR ".ocp-sources" /* in the root of what is received; made longer if taken */

/* The first reading ----------------------------------------------------------------- */

static struct planned *plan_add(struct plan *plan, const struct followed *file)
{
	size_t room = plan->room ? 2 * plan->room : 64;
	struct planned *all;

	if (plan->n == plan->room) {
		all = reallocarray(plan->all, room, sizeof(*all));
		if (!all)
			return NULL;
		plan->all = all;
		plan->room = room;
	}
	all = &plan->all[plan->n++];
	*all = (struct planned){.number = file->number,
				.dir = file->made_by == STREAM_C_MKDIR ||
				       file->made_by == STREAM_C_SUBVOL,
				.hidden = !file->wanted};
	return all;
}

static int add_name(struct planned *planned, const struct follow_name *name)
{
	char *path = follow_path(name), **links;

	if (!path)
		return -ENOMEM;
	if (!planned->path) {
		planned->path = path;
		return 0;
	}
	links = reallocarray(planned->links, planned->nlinks + 1, sizeof(*links));
	if (!links) {
		free(path);
		return -ENOMEM;
	}
	planned->links = links;
	links[planned->nlinks++] = path;
	return 0;
}

/* A name that the root does not have. */
static char *hidden_dir(struct follow *f)
{
	char *name = strdup(HIDDEN_DIR), *longer;

	while (name && follow_find(f, name)) {
		longer = strlen(name) < STREAM_NAME_MAX && asprintf(&longer, "%s_", name) >= 0
				 ? longer
				 : NULL;
		free(name);
		name = longer;
	}
	return name;
}

static int plan_one(struct plan *plan, struct follow *f, const struct followed *file,
		    const char *hidden)
{
	struct planned *planned = plan_add(plan, file);
	int err = 0;

	if (!planned)
		return -ENOMEM;
	for (const struct follow_name *n = file->names; n && !err; n = n->next)
		if (n->wanted)
			err = add_name(planned, n);
	if (err || planned->path)
		return err;
	if (file == f->root)
		planned->path = strdup("");
	else if (asprintf(&planned->path, "%s/%llu", hidden, (unsigned long long)file->number) < 0)
		planned->path = NULL;
	return planned->path ? 0 : -ENOMEM;
}

int plan_subvol(struct plan *plan, struct follow *f)
{
	char *hidden = f->root ? hidden_dir(f) : NULL;
	int err = f->root && !hidden ? -ENOMEM : 0;

	plan->made = f->made;
	for (struct followed *file = f->root; file && !err; file = file->next)
		if (file->wanted || file->needed)
			err = plan_one(plan, f, file, hidden);
	free(hidden);
	return err;
}

void plan_end(struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		for (unsigned k = 0; k < plan->all[i].nlinks; k++)
			free(plan->all[i].links[k]);
		free(plan->all[i].links);
		free(plan->all[i].path);
	}
	free(plan->all);
	free(plan->hidden_dir);
	*plan = (struct plan){0};
}

/* The second one -------------------------------------------------------------------- */

static void put_text(struct stream_cmd *cmd, enum stream_attr_id attr, const char *text)
{
	cmd->have |= STREAM_BIT(attr);
	cmd->at[attr].bytes = (struct stream_bytes){(const uint8_t *)text, strlen(text)};
}

/* A command that the stream does not have. */
static int do_own(struct apply *a, const struct stream_cmd *at, enum stream_cmd_id id,
		  const char *path, const char *link)
{
	struct stream_cmd cmd = {.id = id, .offset = at->offset};

	put_text(&cmd, STREAM_A_PATH, path);
	if (link)
		put_text(&cmd, STREAM_A_PATH_LINK, link);
	return apply_part(a, &cmd);
}

static int shorter(const void *a, const void *b)
{
	size_t x = strlen(*(char *const *)a), y = strlen(*(char *const *)b);

	return (x > y) - (x < y);
}

/* A directory's path is shorter than those of what is in it. */
static int make_dirs(struct plan *plan, struct apply *a, const struct stream_cmd *cmd)
{
	char **paths = calloc(plan->end - plan->first, sizeof(*paths));
	size_t n = 0;
	int err = paths ? 0 : -ENOMEM;

	for (size_t i = plan->first + 1; i < plan->end && !err; i++)
		if (plan->all[i].dir)
			paths[n++] = plan->all[i].path;
	if (n)
		qsort(paths, n, sizeof(*paths), shorter);
	for (size_t i = 0; i < n && !err; i++)
		err = do_own(a, cmd, STREAM_C_MKDIR, paths[i], NULL);
	free(paths);
	return err;
}

static int make_hidden_dir(struct plan *plan, struct apply *a, const struct stream_cmd *cmd)
{
	for (size_t i = plan->first; i < plan->end; i++)
		if (plan->all[i].hidden) {
			plan->hidden_dir =
				strndup(plan->all[i].path, strcspn(plan->all[i].path, "/"));
			return plan->hidden_dir
				       ? do_own(a, cmd, STREAM_C_MKDIR, plan->hidden_dir, NULL)
				       : -ENOMEM;
		}
	return 0;
}

static int begin(struct plan *plan, struct apply *a, const struct stream_cmd *cmd,
		 const struct followed *root)
{
	int err;

	plan->in_subvol = plan->next < plan->n && plan->all[plan->next].number == root->number;
	if (!plan->in_subvol)
		return 0;
	plan->first = plan->next;
	/* Up to the next root. */
	for (plan->end = plan->first + 1; plan->end < plan->n && *plan->all[plan->end].path;
	     plan->end++)
		;
	err = apply_part(a, cmd);
	if (!err)
		err = make_dirs(plan, a, cmd);
	return err ? err : make_hidden_dir(plan, a, cmd);
}

static int remove_hidden(struct plan *plan, struct apply *a, const struct stream_cmd *cmd)
{
	int err = 0;

	if (!plan->hidden_dir)
		return 0;
	for (size_t i = plan->first; i < plan->end && !err; i++)
		if (plan->all[i].hidden)
			err = do_own(a, cmd, STREAM_C_UNLINK, plan->all[i].path, NULL);
	if (!err)
		err = do_own(a, cmd, STREAM_C_RMDIR, plan->hidden_dir, NULL);
	free(plan->hidden_dir);
	plan->hidden_dir = NULL;
	return err;
}

/* What comes behind the last command of a subvolume. */
static int finish(struct plan *plan, struct apply *a, const struct stream_cmd *cmd)
{
	int err = apply_settle(a);

	if (!plan->in_subvol)
		return 0;
	for (size_t i = plan->first; i < plan->end && !err; i++)
		for (unsigned k = 0; k < plan->all[i].nlinks && !err; k++)
			err = do_own(a, cmd, STREAM_C_LINK, plan->all[i].links[k],
				     plan->all[i].path);
	if (!err)
		err = remove_hidden(plan, a, cmd);
	plan->in_subvol = false;
	return err;
}

/* The next one in the plan is that which was made now. */
static void made(struct plan *plan, struct followed *file)
{
	if (plan->next == plan->n || plan->all[plan->next].number != file->number)
		return;
	file->wanted = true;
	file->needed = plan->all[plan->next].hidden;
	/* A place in it, since the array stays where it is now. */
	file->plan = &plan->all[plan->next++];
}

static bool of_contents(const struct stream_cmd *cmd)
{
	switch (cmd->id) {
	case STREAM_C_WRITE:
	case STREAM_C_ENCODED_WRITE:
	case STREAM_C_CLONE:
	case STREAM_C_TRUNCATE:
	case STREAM_C_FALLOCATE:
	case STREAM_C_MKFILE:
		return true;
	default:
		return false;
	}
}

static bool left_out(const struct stream_cmd *cmd, const struct planned *planned)
{
	switch (cmd->id) {
	case STREAM_C_MKDIR:
	case STREAM_C_RENAME:
	case STREAM_C_LINK:
	case STREAM_C_UNLINK:
	case STREAM_C_RMDIR:
		return true;
	default:
		return planned->hidden && !of_contents(cmd);
	}
}

static int changed(struct follow *f)
{
	f->reason = "the input is another one than when it was read for the first time";
	return -EUCLEAN;
}

static int within(struct follow *f, struct apply *a, const struct stream_cmd *cmd,
		  const struct planned *of, const struct followed *from)
{
	struct stream_cmd here = *cmd;

	if (!of || left_out(cmd, of))
		return 0;
	put_text(&here, STREAM_A_PATH, of->path);
	if (from && !from->plan)
		return changed(f);
	if (from)
		put_text(&here, STREAM_A_CLONE_PATH, ((struct planned *)from->plan)->path);
	return apply_part(a, &here);
}

int plan_command(struct plan *plan, struct follow *f, struct apply *a, const struct stream_cmd *cmd)
{
	struct followed *of, *from;
	bool ends = cmd->id == STREAM_C_END, begins = cmd->id == STREAM_C_SUBVOL;
	int err = ends || begins ? finish(plan, a, cmd) : 0;

	if (!err)
		err = follow_command(f, cmd, &of, &from);
	if (err)
		return err;
	if (ends) {
		follow_end(f);
		return plan->next == plan->n || f->made < plan->made ? apply_part(a, cmd)
								     : changed(f);
	}
	if (begins)
		err = begin(plan, a, cmd, f->root);
	if (begins || (cmd->id >= STREAM_C_MKFILE && cmd->id <= STREAM_C_SYMLINK))
		made(plan, begins ? f->root : of);
	return err || begins ? err : within(f, a, cmd, of->plan, from);
}

int partial_drop(struct apply *a)
{
	char *temp = a->temp ? strdup(a->temp) : NULL;
	int err;

	if (!temp)
		return a->temp ? -ENOMEM : 0;
	subvol_forget(a);
	err = copytree_remove(a->target, temp);
	free(temp);
	return err;
}
