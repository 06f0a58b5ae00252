// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * filter.c - the simplest forms of rsync's patterns, read by rsync(1).
 *
 *	NAME	the last component, wherever it is
 *	/A/B	the path below SOURCE
 *	A/B	the end of that path, whole components; so with **
 *	NAME/	a directory
 */
#include "filter.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/pattern.h"

struct rule {
	const char *pattern; /* without the slash of anchored */
	size_t len;	     /* without the slash of dirs_only */
	bool include, anchored, dirs_only, whole;
};

struct filter {
	unsigned n;
	bool asks_kind;
	struct rule rules[];
};

int filter_add(struct filter **filterp, bool include, const char *pattern)
{
	struct filter *filter = *filterp;
	unsigned n = filter ? filter->n : 0;
	struct rule rule = {.pattern = pattern, .include = include};

	rule.anchored = *pattern == '/';
	rule.pattern += rule.anchored;
	rule.len = strlen(rule.pattern);
	rule.dirs_only = rule.len && rule.pattern[rule.len - 1] == '/';
	rule.len -= rule.dirs_only;
	if (!rule.len)
		return -EINVAL;
	rule.whole = memchr(rule.pattern, '/', rule.len) || memmem(rule.pattern, rule.len, "**", 2);
	filter = realloc(filter, sizeof(*filter) + (n + 1) * sizeof(rule));
	if (!filter)
		return -ENOMEM;
	if (!n)
		filter->asks_kind = false;
	filter->asks_kind |= rule.dirs_only;
	filter->rules[n] = rule;
	filter->n = n + 1;
	*filterp = filter;
	return 0;
}

void filter_free(struct filter *filter)
{
	free(filter);
}

bool filter_asks_kind(const struct filter *filter)
{
	return filter->asks_kind;
}

bool filter_match(const char *pattern, const char *text)
{
	return pattern_match(span_of(pattern, strlen(pattern)), span_of(text, strlen(text)));
}

/* @rule against the path that is @dir and @name. */
static bool rule_matches(const struct rule *rule, const char *dir, const char *name)
{
	struct span pattern = span_of(rule->pattern, rule->len);
	size_t a = strlen(dir), b = strlen(name);
	bool found = false;
	char *path;

	if (!rule->anchored && !rule->whole)
		return pattern_match(pattern, span_of(name, b));
	if (rule->anchored && !rule->whole) /* directly below SOURCE */
		return !a && pattern_match(pattern, span_of(name, b));
	path = malloc(a + b + 1);
	if (!path)
		return false;
	memcpy(path, dir, a);
	memcpy(path + a, name, b + 1);
	for (const char *at = path; at && !found; at = strchr(at, '/')) {
		at += *at == '/';
		found = pattern_match(pattern, span_of(at, strlen(at)));
		if (rule->anchored)
			break;
	}
	free(path);
	return found;
}

bool filter_wants(const struct filter *filter, const char *dir, const char *name, bool is_dir)
{
	for (unsigned i = 0; i < filter->n; i++) {
		const struct rule *rule = &filter->rules[i];

		if ((is_dir || !rule->dirs_only) && rule_matches(rule, dir, name))
			return rule->include;
	}
	return true;
}
