// SPDX-License-Identifier: GPL-2.0-or-later
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "vfs.h"

#define BUCKETS 4096u

struct tree {
	struct node *root;
	struct node *newest, *oldest; /* with an open file */
	unsigned open;
	bool keep_dirs;
	struct node *put_off, **put_off_end;
	unsigned put_off_count;
	struct node *dead; /* removed; with uses perhaps */
	struct node *last; /* directory that was found last */
	struct node *bucket[BUCKETS];
};

static struct node *node_new(const char *name, size_t len, enum node_kind kind)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->name = strndup(name, len);
	if (!n->name) {
		free(n);
		return NULL;
	}
	n->name_len = len;
	n->kind = kind;
	return n;
}

static void node_free(struct node *n)
{
	free(n->name);
	free(n);
}

struct tree *tree_new(struct file *root)
{
	struct tree *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->put_off_end = &t->put_off;
	t->root = node_new("", 0, NODE_DIR);
	if (!t->root) {
		free(t);
		return NULL;
	}
	t->root->file = root;
	return t;
}

struct node *tree_root(struct tree *t)
{
	return t->root;
}

static struct node **bucket_of(struct tree *t, const struct node *dir, const char *name, size_t len)
{
	uint64_t h = (uintptr_t)dir * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
	return &t->bucket[(h ^ h >> 29) % BUCKETS];
}

static struct node *lookup(struct tree *t, const struct node *dir, const char *name, size_t len)
{
	struct node *n = *bucket_of(t, dir, name, len);

	while (n && (n->parent != dir || n->name_len != len || memcmp(n->name, name, len) != 0))
		n = n->hash_next;
	return n;
}

static void hash_in(struct tree *t, struct node *n, struct node *dir)
{
	struct node **bucket = bucket_of(t, dir, n->name, n->name_len);

	n->parent = dir;
	n->hash_next = *bucket;
	*bucket = n;
	dir->children++;
}

static void hash_out(struct tree *t, struct node *n)
{
	struct node **at = bucket_of(t, n->parent, n->name, n->name_len);

	while (*at != n)
		at = &(*at)->hash_next;
	*at = n->hash_next;
	n->parent->children--;
	n->parent = NULL;
}

static void lru_out(struct tree *t, struct node *n)
{
	*(n->newer ? &n->newer->older : &t->newest) = n->older;
	*(n->older ? &n->older->newer : &t->oldest) = n->newer;
	n->newer = n->older = NULL;
	t->open--;
}

static void lru_in(struct tree *t, struct node *n)
{
	n->older = t->newest;
	n->newer = NULL;
	*(t->newest ? &t->newest->newer : &t->oldest) = n;
	t->newest = n;
	t->open++;
}

void tree_opened(struct tree *t, struct node *node, struct file *file)
{
	node->file = file;
	lru_in(t, node);
}

static void used(struct tree *t, struct node *n)
{
	if (n == t->root || t->newest == n)
		return;
	lru_out(t, n);
	lru_in(t, n);
}

int tree_close(struct tree *t, struct node *n)
{
	struct file *file = n->file;

	if (!file || n == t->root)
		return 0;
	lru_out(t, n);
	n->file = NULL;
	return cr_close(file);
}

static void put_off_out(struct tree *t, struct node *n)
{
	if (!n->put_off_at)
		return;
	*n->put_off_at = n->put_off_next;
	if (n->put_off_next)
		n->put_off_next->put_off_at = n->put_off_at;
	else
		t->put_off_end = n->put_off_at;
	n->put_off_at = NULL;
	n->put_off_next = NULL;
	t->put_off_count--;
}

static void put_off_in(struct tree *t, struct node *n)
{
	if (n->put_off_at)
		return;
	n->put_off_at = t->put_off_end;
	n->put_off_next = NULL;
	*t->put_off_end = n;
	t->put_off_end = &n->put_off_next;
	t->put_off_count++;
}

static bool idle(const struct tree *t, struct node *n)
{
	if (t->keep_dirs && n->kind == NODE_DIR)
		return false;
	return !n->file && !n->children && !node_busy(n) && !n->put_off_at && n != t->root;
}

void tree_keep_dirs(struct tree *t, bool keep)
{
	t->keep_dirs = keep;
}

/* Nodes up to the root that hold nothing. */
static void prune(struct tree *t, struct node *n)
{
	while (n && idle(t, n) && n->parent) {
		struct node *dir = n->parent;

		hash_out(t, n);
		if (t->last == n)
			t->last = NULL;
		node_free(n);
		n = dir;
	}
}

int tree_open_dir(struct tree *t, struct node *dir)
{
	struct file *file;
	int err;

	if (dir->file) {
		used(t, dir);
		return dir->kind == NODE_FILE ? -ENOTDIR : 0;
	}
	if (dir->kind == NODE_FILE)
		return -ENOTDIR;
	err = tree_open_dir(t, dir->parent);
	if (!err)
		err = cr_openat(dir->parent->file, dir->name,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, &file);
	if (err)
		return err;
	dir->kind = NODE_DIR;
	tree_opened(t, dir, file);
	return 0;
}

/* The node of one component of a path that goes on. */
static struct node *step(struct tree *t, struct node *dir, const char *name, size_t len)
{
	struct node *n = lookup(t, dir, name, len);

	if (n)
		return n;
	n = node_new(name, len, NODE_UNKNOWN);
	if (n)
		hash_in(t, n, dir);
	return n;
}

int tree_find(struct tree *t, const char *path, bool open, struct place *at)
{
	struct node *before = t->last;
	const char *slash;

	t->last = NULL;
	prune(t, before);
	*at = (struct place){.dir = t->root};
	while ((slash = strchr(path, '/'))) {
		at->dir = step(t, at->dir, path, (size_t)(slash - path));
		if (!at->dir)
			return -ENOMEM;
		if (at->dir->kind == NODE_FILE)
			return -ENOTDIR;
		path = slash + 1;
	}
	if (*path) {
		at->name = path;
		at->node = lookup(t, at->dir, path, strlen(path));
	} else {
		at->node = t->root;
	}
	if (at->node && at->node->file)
		used(t, at->node);
	t->last = at->dir;
	return open ? tree_open_dir(t, at->dir) : 0;
}

struct node *tree_add(struct tree *t, struct place *at, enum node_kind kind)
{
	struct node *n = node_new(at->name, strlen(at->name), kind);

	if (n)
		hash_in(t, n, at->dir);
	at->node = n;
	return n;
}

static void forget_below(struct tree *t, struct node *dir);

void tree_remove(struct tree *t, struct node *n)
{
	put_off_out(t, n);
	if (n->children)
		forget_below(t, n);
	hash_out(t, n);
	n->unlinked = true;
	if (t->last == n)
		t->last = NULL;
	n->hash_next = t->dead;
	t->dead = n;
}

/* A directory that has been removed had nothing in it: these are leftovers. */
static void forget_below(struct tree *t, struct node *dir)
{
	for (unsigned b = 0; b < BUCKETS && dir->children; b++)
		for (struct node *n = t->bucket[b], *next; n; n = next) {
			next = n->hash_next;
			if (n->parent == dir) {
				tree_remove(t, n);
				next = t->bucket[b];
			}
		}
}

int tree_move(struct tree *t, struct place *from, struct place *to)
{
	struct node *n = from->node;
	char *name;

	if (to->node == n && n)
		return 0;
	if (to->node)
		tree_remove(t, to->node);
	to->node = NULL;
	if (!n)
		return 0;
	name = strdup(to->name);
	if (!name)
		return -ENOMEM;
	hash_out(t, n);
	free(n->name);
	n->name = name;
	n->name_len = strlen(name);
	hash_in(t, n, to->dir);
	return 0;
}

bool tree_below(const struct node *node, const struct node *dir)
{
	while (node && node != dir)
		node = node->parent;
	return node == dir;
}

/* Those that were removed and are used no more. */
static int free_dead(struct tree *t, char *path, size_t size)
{
	struct node **at = &t->dead, *n;
	int err = 0, ret;

	while ((n = *at)) {
		if (node_busy(n)) {
			at = &n->hash_next;
			continue;
		}
		*at = n->hash_next;
		ret = tree_close(t, n);
		if (ret && !err) {
			err = ret;
			node_path(n, path, size);
		}
		node_free(n);
	}
	return err;
}

int tree_trim(struct tree *t, unsigned most, char *path, size_t size)
{
	struct node *n = t->oldest, *newer;
	int err = t->dead ? free_dead(t, path, size) : 0, ret;

	for (; n && t->open > most; n = newer) {
		newer = n->newer;
		if (node_busy(n))
			continue;
		ret = tree_close(t, n);
		if (ret && !err) {
			err = ret;
			node_path(n, path, size);
		}
		prune(t, n);
		if (newer && !newer->file) /* gone with it */
			newer = t->oldest;
	}
	return err;
}

void tree_put_off(struct tree *t, struct node *n, const struct iattr *attr)
{
	if (attr->valid & ATTR_MODE)
		n->put_off.mode = attr->mode;
	if (attr->valid & ATTR_TIMES) {
		n->put_off.atime = attr->atime;
		n->put_off.mtime = attr->mtime;
	}
	n->put_off.valid |= attr->valid;
	put_off_in(t, n);
}

void tree_put_off_flags(struct tree *t, struct node *n, uint32_t flags)
{
	n->flags_put_off = flags;
	n->has_flags_put_off = true;
	put_off_in(t, n);
}

struct node *tree_put_off_next(struct tree *t)
{
	struct node *n = t->put_off;

	if (n)
		put_off_out(t, n);
	return n;
}

unsigned tree_put_off_count(const struct tree *t)
{
	return t->put_off_count;
}

void tree_free(struct tree *t)
{
	char path[8];

	if (!t)
		return;
	free_dead(t, path, sizeof(path));
	for (unsigned b = 0; b < BUCKETS; b++)
		for (struct node *n = t->bucket[b], *next; n; n = next) {
			next = n->hash_next;
			if (n->file)
				cr_close(n->file);
			node_free(n);
		}
	node_free(t->root);
	free(t);
}

/* From the end to the beginning: what does not fit loses its front. */
void node_path(const struct node *node, char *text, size_t size)
{
	char all[4200], piece[1100];
	size_t at = sizeof(all) - 1, len;

	all[at] = '\0';
	for (; node && node->name_len; node = node->parent) {
		len = stream_escape(piece, sizeof(piece), (const uint8_t *)node->name,
				    node->name_len);
		if (len + 1 > at)
			break;
		if (all[at])
			all[--at] = '/';
		at -= len;
		memcpy(all + at, piece, len);
	}
	if (!all[at])
		all[--at] = '.';
	len = sizeof(all) - 1 - at;
	if (len >= size)
		at += len - size + 1;
	memcpy(text, all + at, sizeof(all) - at);
}
