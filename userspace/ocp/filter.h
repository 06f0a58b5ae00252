/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filter.h - --exclude and --include: which names of a tree are copied. */
#ifndef OCP_FILTER_H
#define OCP_FILTER_H

#include <stdbool.h>

struct filter;

/**
 * filter_add - one more rule, behind those there are
 * @filter: NULL at first; made by the first rule
 * @pattern: kept, not copied
 * Return: 0, -ENOMEM, or -EINVAL for a pattern that can match nothing ("", "/").
 */
int filter_add(struct filter **filter, bool include, const char *pattern);
void filter_free(struct filter *filter);

/** filter_asks_kind - some rule is for directories alone */
bool filter_asks_kind(const struct filter *filter);

/**
 * filter_wants - the first rule that matches decides; where none does it is copied
 * @dir: "" or the directory's path below its SOURCE with a slash at the end, "a/b/"
 */
bool filter_wants(const struct filter *filter, const char *dir, const char *name, bool is_dir);

/** filter_match - pattern_match() of texts */
bool filter_match(const char *pattern, const char *text);

#endif
