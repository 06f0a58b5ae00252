// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first reading: what is wanted.  A file is when one of its names matches, or lies
 * below a directory that does; then so are the directories above.  A file that a wanted
 * one takes extents from is needed: it is made beside them, without its attributes, and
 * removed again.
 */
#include "partial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "follow.h"
#include "partial_plan.h"
#include "userspace/pattern.h"

struct pattern {
	const char *given;
	char *text; /* without slashes at its ends */
	bool matched;
};

struct partial {
	struct follow follow;
	struct plan plan;
	unsigned n;
	struct pattern pattern[];
};

static char *without_slashes(const char *given)
{
	size_t len;

	while (*given == '/')
		given++;
	len = strlen(given);
	while (len && given[len - 1] == '/')
		len--;
	return strndup(given, len);
}

struct partial *partial_new(char **patterns, unsigned n)
{
	struct partial *p = calloc(1, sizeof(*p) + n * sizeof(p->pattern[0]));

	for (; p && p->n < n; p->n++) {
		struct pattern *pattern = &p->pattern[p->n];

		pattern->given = patterns[p->n];
		pattern->text = without_slashes(pattern->given);
		if (!pattern->text) {
			partial_free(p);
			return NULL;
		}
	}
	return p;
}

void partial_free(struct partial *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->n; i++)
		free(p->pattern[i].text);
	follow_end(&p->follow);
	plan_end(&p->plan);
	free(p);
}

/* "" is all of the subvolume. */
static int matches(struct partial *p, const struct follow_name *name, bool *any)
{
	char *path = follow_path(name);

	if (!path)
		return -ENOMEM;
	*any = false;
	for (unsigned i = 0; i < p->n; i++) {
		struct pattern *pattern = &p->pattern[i];

		if (!*pattern->text || pattern_match(span_of(pattern->text, strlen(pattern->text)),
						     span_of(path, strlen(path))))
			*any = pattern->matched = true;
	}
	free(path);
	return 0;
}

/* Whether a name matches, or a directory above it does: those from the top on. */
static int judge_dirs(struct partial *p, struct followed *dir)
{
	struct followed *up;
	bool any;
	int err;

	while (!dir->judged) {
		for (up = dir; up->names && !up->names->dir->judged; up = up->names->dir)
			;
		if (up->names) {
			err = matches(p, up->names, &any);
			if (err)
				return err;
			up->covered = any || up->names->dir->covered;
		}
		up->judged = true;
	}
	return 0;
}

static void want(struct follow_name *name)
{
	struct followed *dir;

	name->wanted = name->of->wanted = true;
	for (dir = name->dir; !dir->wanted; dir = dir->names->dir) {
		dir->wanted = true;
		if (!dir->names)
			break;
		dir->names->wanted = true;
	}
}

static int judge(struct partial *p, struct followed *file)
{
	bool any;
	int err;

	for (struct follow_name *n = file->names; n; n = n->next) {
		err = judge_dirs(p, n->dir);
		if (!err)
			err = matches(p, n, &any);
		if (err)
			return err;
		if (any || n->dir->covered)
			want(n);
	}
	return 0;
}

/* What a file takes extents from, and so on.  The plan is not used yet: it chains them. */
static void need_sources(struct followed *file)
{
	struct followed *todo = file;

	file->needed = true;
	file->plan = NULL;
	while ((file = todo)) {
		todo = file->plan;
		file->plan = NULL;
		for (struct follow_source *s = file->sources; s; s = s->next)
			if (!s->from->needed) {
				s->from->needed = true;
				s->from->plan = todo;
				todo = s->from;
			}
	}
}

/* A subvolume is over: its names are the last ones. */
static int settle(struct partial *p)
{
	struct followed *file;
	int err = 0;

	for (file = p->follow.root; file && !err; file = file->next)
		err = judge(p, file);
	if (!err && p->follow.root && !*p->pattern[0].text)
		p->follow.root->wanted = true;
	for (file = p->follow.root; file && !err; file = file->next)
		if (file->wanted && !file->needed)
			need_sources(file);
	return err ? err : plan_subvol(&p->plan, &p->follow);
}

int partial_look(struct partial *p, const struct stream_cmd *cmd)
{
	struct followed *of, *from;
	int err = 0;

	p->follow.reason = NULL;
	if (cmd->id == STREAM_C_SUBVOL || cmd->id == STREAM_C_END)
		err = settle(p);
	if (!err)
		err = follow_command(&p->follow, cmd, &of, &from);
	if (!err && cmd->id == STREAM_C_END)
		follow_end(&p->follow);
	return err;
}

const char *partial_looked(struct partial *p)
{
	follow_end(&p->follow);
	p->follow.made = 0;
	for (unsigned i = 0; i < p->n; i++)
		if (!p->pattern[i].matched)
			return p->pattern[i].given;
	return NULL;
}

int partial_command(struct partial *p, struct apply *a, const struct stream_cmd *cmd)
{
	a->count++;
	a->reason = NULL;
	return plan_command(&p->plan, &p->follow, a, cmd);
}

const char *partial_reason(const struct partial *p)
{
	return p->follow.reason;
}
