// SPDX-License-Identifier: GPL-2.0-or-later
/* share_tree.c - a treap of ranges in an array that never moves: see share_tree.h. */
#include <stdlib.h>

#include "kernel/share_tree.h"

#define CHUNK 4096u

struct share_node *share_node(const struct share_tree *tree, uint32_t i)
{
	return (struct share_node *)tree->chunks[i / CHUNK] + i % CHUNK;
}

/* A node's priority is its number, mixed: random enough, and takes no space. */
static uint32_t priority(uint32_t i)
{
	i = (i ^ (i >> 16)) * 0x45d9f3bu;
	i = (i ^ (i >> 16)) * 0x45d9f3bu;
	return i ^ (i >> 16);
}

static bool before(const struct share_node *node, uint32_t space, uint64_t addr)
{
	return node->space < space || (node->space == space && node->addr < addr);
}

uint32_t share_tree_at(const struct share_tree *tree, uint32_t space, uint64_t addr)
{
	uint32_t at = tree->root, last = 0, next = 0;
	struct share_node *node;

	while (at) {
		node = share_node(tree, at);
		if (before(node, space, addr)) {
			last = at;
			at = node->right;
		} else {
			next = at;
			at = node->left;
		}
	}
	if (last) {
		node = share_node(tree, last);
		if (node->space == space && addr - node->addr < node->len)
			return last;
	}
	return next && share_node(tree, next)->space == space ? next : 0;
}

/* Parts @at into what lies before the address and the rest. */
static void split(struct share_tree *tree, uint32_t at, const struct share_node *key, uint32_t *l,
		  uint32_t *r)
{
	struct share_node *node;

	while (at) {
		node = share_node(tree, at);
		if (before(node, key->space, key->addr)) {
			*l = at;
			l = &node->right;
			at = node->right;
		} else {
			*r = at;
			r = &node->left;
			at = node->left;
		}
	}
	*l = *r = 0;
}

/* Joins two trees, all of @l before all of @r. */
static uint32_t join(struct share_tree *tree, uint32_t l, uint32_t r)
{
	uint32_t root = 0, *to = &root;

	while (l && r) {
		if (priority(l) > priority(r)) {
			*to = l;
			to = &share_node(tree, l)->right;
			l = *to;
		} else {
			*to = r;
			to = &share_node(tree, r)->left;
			r = *to;
		}
	}
	*to = l ? l : r;
	return root;
}

/* The place in the tree that names node @i, or below which it belongs by its priority. */
static uint32_t *place_of(struct share_tree *tree, uint32_t i)
{
	const struct share_node *node = share_node(tree, i);
	uint32_t *at = &tree->root;

	while (*at && *at != i && priority(*at) >= priority(i)) {
		struct share_node *up = share_node(tree, *at);

		at = before(up, node->space, node->addr) ? &up->right : &up->left;
	}
	return at;
}

/* A number for a new node. */
static uint32_t take(struct share_tree *tree)
{
	uint32_t i = tree->free;

	if (i) {
		tree->free = share_node(tree, i)->left;
		return i;
	}
	if (!tree->used)
		tree->used = 1;
	if (tree->used >= tree->max)
		return 0;
	if (tree->used % CHUNK == 0 || tree->used == 1) {
		size_t n = tree->used / CHUNK;
		void **chunks = realloc(tree->chunks, (n + 1) * sizeof(*chunks));

		if (!chunks)
			return 0;
		tree->chunks = chunks;
		chunks[n] = malloc(CHUNK * sizeof(struct share_node));
		if (!chunks[n])
			return 0;
	}
	return tree->used++;
}

uint32_t share_tree_insert(struct share_tree *tree, const struct share_node *node)
{
	uint32_t i = take(tree), *at;
	struct share_node *put;

	if (!i)
		return 0;
	put = share_node(tree, i);
	*put = *node;
	at = place_of(tree, i);
	split(tree, *at, put, &put->left, &put->right);
	*at = i;
	return i;
}

void share_tree_remove(struct share_tree *tree, uint32_t i)
{
	struct share_node *node = share_node(tree, i);
	uint32_t *at = place_of(tree, i);

	*at = join(tree, node->left, node->right);
	node->left = tree->free;
	tree->free = i;
}

void share_tree_free(struct share_tree *tree)
{
	size_t n = tree->chunks ? ((size_t)tree->used + CHUNK - 1) / CHUNK : 0;

	while (n-- > 0)
		free(tree->chunks[n]);
	free(tree->chunks);
}
