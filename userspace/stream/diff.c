// SPDX-License-Identifier: GPL-2.0-or-later
/* diff.c - from two trees to operations: see diff.h. */
#include "diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "diff_match.h"

/* What becomes of the old tree while the operations are done. */
struct diff {
	const struct tree *a, *b;
	struct match m;
	uint32_t *kept_a, *kept_b; /* by entry: the same name in the other tree, or TREE_NONE */
	uint32_t *kept_names;	   /* by inode of a: how many of its names are kept */
	char **orphans; /* by inode of a: its name in the tree itself, while it has one */
	uint32_t *met;	/* by inode of b: the entry that was met first */
	bool *placed;	/* by entry of b: it is where it belongs */
	bool *touched_a, *touched_b; /* by entry: names in this directory change */
	uint32_t *child, *sibling;   /* of b */
	uint64_t norphans;
	int (*op)(void *arg, const struct diff_item *item);
	void *arg;
};

static int tell(struct diff *d, struct diff_item item)
{
	return item.path ? d->op(d->arg, &item) : -ENOMEM;
}

/* Names that stay --------------------------------------------------------------- */

/* A name is kept when its inode and its directory are the same as before, and it is, too. */
static void find_kept(struct diff *d)
{
	for (uint32_t e = 1; e < d->a->n; e++) {
		uint32_t dir = match_to_b(&d->m, d->a->v[e].parent);
		uint32_t is =
			dir == TREE_NONE ? TREE_NONE : match_child_b(&d->m, dir, d->a->v[e].name);

		if (is == TREE_NONE || d->m.b_of[d->m.inode_a[e]] != d->m.inode_b[is])
			continue;
		d->kept_a[e] = is;
		d->kept_b[is] = e;
		d->kept_names[d->m.inode_a[e]]++;
	}
	d->kept_a[0] = d->kept_b[0] = 0;
}

/* Old names that go ----------------------------------------------------------- */

/* A name that the tree itself has neither before nor after. */
static char *orphan_name(struct diff *d, uint32_t e)
{
	char *name;

	do {
		if (asprintf(&name, "o%llu-%llu", (unsigned long long)d->a->v[e].ino,
			     (unsigned long long)d->norphans++) < 0)
			return NULL;
		if (match_child_a(&d->m, 0, name) == TREE_NONE &&
		    match_child_b(&d->m, 0, name) == TREE_NONE)
			return name;
		free(name);
	} while (true);
}

static int let_go(struct diff *d, uint32_t e)
{
	uint32_t i = d->m.inode_a[e];
	bool lives = d->m.b_of[i] != TREE_NONE && !d->kept_names[i] && !d->orphans[i];
	enum diff_op op = S_ISDIR(d->a->v[e].mode) ? DIFF_RMDIR : DIFF_UNLINK;
	char *path = tree_path(d->a, e);
	int err;

	d->touched_a[d->a->v[e].parent] = true;
	if (lives) {
		d->orphans[i] = orphan_name(d, e);
		err = d->orphans[i] ? tell(d, (struct diff_item){DIFF_RENAME, e, TREE_NONE, path,
								 d->orphans[i], false})
				    : -ENOMEM;
	} else {
		err = tell(d, (struct diff_item){op, e, TREE_NONE, path, NULL, false});
	}
	free(path);
	return err;
}

/* Directories stand before what is in them, so this is from the leaves up. */
static int let_all_go(struct diff *d)
{
	int err = 0;

	for (uint32_t e = d->a->n - 1; e && !err; e--)
		if (d->kept_a[e] == TREE_NONE)
			err = let_go(d, e);
	return err;
}

/* New names that come --------------------------------------------------------- */

/* Where an entry of the new tree is at this time: perhaps still below an orphan. */
static char *path_now(const struct diff *d, uint32_t entry)
{
	const struct tree *b = d->b;
	const char *top = NULL;
	char *above = NULL, *path;
	size_t len = 0, n, at;
	uint32_t e = entry;

	while (!d->placed[e] && d->kept_b[e] != TREE_NONE) {
		len += strlen(b->v[e].name) + 1;
		e = b->v[e].parent;
	}
	if (d->placed[e])
		top = above = tree_path(b, e);
	else
		top = d->orphans[d->m.a_of[d->m.inode_b[e]]];
	if (!top)
		return NULL;
	at = len + strlen(top);
	path = malloc(at + 1);
	if (path) {
		path[at] = '\0';
		for (uint32_t i = entry; i != e; i = b->v[i].parent) {
			n = strlen(b->v[i].name);
			at -= n + 1;
			memcpy(path + at + 1, b->v[i].name, n);
			path[at] = '/';
		}
		memcpy(path, top, at);
		if (*path == '/') /* below the tree itself */
			memmove(path, path + 1, strlen(path));
	}
	free(above);
	return path;
}

/* A name of this inode that is there already: met, or kept and not yet met. */
static uint32_t other_name(const struct diff *d, uint32_t e)
{
	uint32_t i = d->m.inode_b[e], a = d->m.a_of[i];

	if (d->met[i] != TREE_NONE)
		return d->met[i];
	if (a == TREE_NONE || !d->kept_names[a])
		return TREE_NONE;
	for (uint32_t n = d->m.first_a[a]; n != TREE_NONE; n = d->m.next_a[n])
		if (d->kept_a[n] != TREE_NONE)
			return d->kept_a[n];
	return TREE_NONE;
}

static int name_it(struct diff *d, uint32_t e, const char *path)
{
	uint32_t i = d->m.inode_b[e], a = d->m.a_of[i], other;
	char *from;
	int err;

	d->touched_b[d->b->v[e].parent] = true;
	if (a != TREE_NONE && d->orphans[a]) {
		err = tell(d, (struct diff_item){DIFF_RENAME, TREE_NONE, e, d->orphans[a], path,
						 false});
		free(d->orphans[a]);
		d->orphans[a] = NULL;
		return err;
	}
	other = other_name(d, e);
	if (other == TREE_NONE)
		return tell(d, (struct diff_item){DIFF_CREATE, TREE_NONE, e, path, NULL, false});
	from = path_now(d, other);
	err = from ? tell(d, (struct diff_item){DIFF_LINK, other, e, path, from, false}) : -ENOMEM;
	free(from);
	return err;
}

static int enter(struct diff *d, uint32_t e)
{
	uint32_t i = d->m.inode_b[e], a = d->m.a_of[i];
	char *path = tree_path(d->b, e);
	int err = path ? 0 : -ENOMEM;

	if (!err && d->kept_b[e] == TREE_NONE)
		err = name_it(d, e, path);
	d->placed[e] = true;
	if (d->met[i] == TREE_NONE) {
		d->met[i] = e;
		if (!err && a != TREE_NONE)
			err = tell(d, (struct diff_item){DIFF_UPDATE, d->m.first_a[a], e, path,
							 NULL, false});
	}
	if (!err)
		err = tell(d, (struct diff_item){DIFF_ENTRY,
						 a != TREE_NONE ? d->m.first_a[a] : TREE_NONE, e,
						 path, NULL, false});
	free(path);
	return err;
}

static int leave(struct diff *d, uint32_t e)
{
	uint32_t a = d->m.a_of[d->m.inode_b[e]];
	char *path = tree_path(d->b, e);
	struct diff_item item = {.op = DIFF_LEAVE, .a = TREE_NONE, .b = e, .path = path};
	int err;

	if (a != TREE_NONE)
		item.a = d->m.first_a[a];
	/* Orphans came into the tree itself and left it. */
	item.touched = d->touched_b[e] || item.a == TREE_NONE || d->touched_a[item.a] ||
		       (!e && d->norphans);
	err = path ? d->op(d->arg, &item) : -ENOMEM;
	free(path);
	return err;
}

static void find_children(struct diff *d)
{
	for (uint32_t e = d->b->n - 1; e; e--) {
		uint32_t dir = d->b->v[e].parent;

		d->sibling[e] = d->child[dir];
		d->child[dir] = e;
	}
}

static int come_all(struct diff *d)
{
	uint32_t e = 0;
	int err = enter(d, 0);

	while (!err) {
		if (d->child[e] != TREE_NONE) {
			e = d->child[e];
			err = enter(d, e);
			continue;
		}
		for (;;) {
			if (!err && S_ISDIR(d->b->v[e].mode))
				err = leave(d, e);
			if (err || !e)
				return err;
			if (d->sibling[e] != TREE_NONE)
				break;
			e = d->b->v[e].parent;
			d->child[e] = TREE_NONE; /* it has been gone through */
		}
		e = d->sibling[e];
		err = enter(d, e);
	}
	return err;
}

/* ------------------------------------------------------------------------------- */

static uint32_t *numbers(uint32_t n)
{
	uint32_t *v = malloc(((size_t)n + 1) * sizeof(*v));

	if (v)
		memset(v, 0xff, ((size_t)n + 1) * sizeof(*v)); /* TREE_NONE */
	return v;
}

static int diff_alloc(struct diff *d)
{
	uint32_t na = d->a->n, nb = d->b->n;

	d->kept_a = numbers(na);
	d->kept_b = numbers(nb);
	d->met = numbers(nb);
	d->child = numbers(nb);
	d->sibling = numbers(nb);
	d->kept_names = calloc((size_t)na + 1, sizeof(*d->kept_names));
	d->orphans = calloc((size_t)na + 1, sizeof(*d->orphans));
	d->placed = calloc((size_t)nb + 1, sizeof(*d->placed));
	d->touched_a = calloc((size_t)na + 1, sizeof(*d->touched_a));
	d->touched_b = calloc((size_t)nb + 1, sizeof(*d->touched_b));
	return d->kept_a && d->kept_b && d->met && d->child && d->sibling && d->kept_names &&
			       d->orphans && d->placed && d->touched_a && d->touched_b
		       ? 0
		       : -ENOMEM;
}

static void diff_free(struct diff *d)
{
	for (uint32_t i = 0; d->orphans && i < d->a->n; i++)
		free(d->orphans[i]);
	free(d->orphans);
	free(d->kept_a);
	free(d->kept_b);
	free(d->met);
	free(d->child);
	free(d->sibling);
	free(d->kept_names);
	free(d->placed);
	free(d->touched_a);
	free(d->touched_b);
	match_end(&d->m);
}

int diff_trees(const struct tree *a, const struct tree *b,
	       int (*op)(void *arg, const struct diff_item *item), void *arg)
{
	struct diff d = {.a = a, .b = b, .op = op, .arg = arg};
	int err = a->n && b->n ? diff_alloc(&d) : -EINVAL;

	if (!err)
		err = match_begin(&d.m, a, b);
	if (!err) {
		find_kept(&d);
		find_children(&d);
		err = let_all_go(&d);
	}
	if (!err)
		err = come_all(&d);
	diff_free(&d);
	return err;
}
