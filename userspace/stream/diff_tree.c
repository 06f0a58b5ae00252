// SPDX-License-Identifier: GPL-2.0-or-later
/* diff_tree.c - a tree as a list of entries. */
#include <stdlib.h>
#include <string.h>

#include "diff.h"

#define TREE_MAX (TREE_NONE - 1)

struct tree_entry *tree_add(struct tree *t)
{
	struct tree_entry *v = t->v, *e;
	uint32_t room = t->room ? t->room + t->room / 2 : 64;

	if (t->n == TREE_MAX)
		return NULL;
	if (t->n == t->room) {
		if (room < t->room)
			room = TREE_MAX;
		v = realloc(v, room * sizeof(*v));
		if (!v)
			return NULL;
		t->v = v;
		t->room = room;
	}
	e = &t->v[t->n++];
	memset(e, 0, sizeof(*e));
	return e;
}

void tree_free(struct tree *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		struct tree_entry *e = &t->v[i];

		for (uint32_t m = 0; m < e->nmarks; m++)
			free(e->marks[m].name);
		free(e->marks);
		free(e->hashes);
		free(e->name);
	}
	free(t->v);
	*t = (struct tree){0};
}

char *tree_path(const struct tree *t, uint32_t entry)
{
	size_t len = 0, n;
	char *path;
	uint32_t e;

	for (e = entry; t->v[e].parent != TREE_NONE; e = t->v[e].parent)
		len += strlen(t->v[e].name) + 1;
	path = malloc(len + 1);
	if (!path)
		return NULL;
	path[len ? len - 1 : 0] = '\0';
	for (e = entry; t->v[e].parent != TREE_NONE; e = t->v[e].parent) {
		n = strlen(t->v[e].name);
		len -= n + 1;
		memcpy(path + len, t->v[e].name, n);
		if (len)
			path[len - 1] = '/';
	}
	return path;
}
