/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share_tree.h - ranges of source storage and where each was put.
 *
 * A treap whose nodes are numbers in one growing array: 48 bytes for a range.
 * Ranges of one space never overlap.  No locks: share.c has one.
 */
#ifndef CR_SHARE_TREE_H
#define CR_SHARE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct share_node {
	uint64_t addr;	     /* in its space */
	uint64_t off;	     /* where it begins in the destination file */
	uint32_t len;	     /* bytes */
	uint32_t slot;	     /* destination file; 0: it is being copied */
	uint32_t generation; /* of the extent, its low bits */
	uint32_t space;	     /* of addresses: a file system, compressed or not */
	uint32_t left, right;
};

struct share_tree {
	void **chunks;		   /* of nodes */
	uint32_t used, free, root; /* node 0 is none */
	size_t max;		   /* nodes */
};

struct share_node *share_node(const struct share_tree *tree, uint32_t i);

/* The range that holds the address, or the first one after it; 0: there is none in the space. */
uint32_t share_tree_at(const struct share_tree *tree, uint32_t space, uint64_t addr);

/* Puts a copy of @node in, which must overlap no other; 0 when the tree is full. */
uint32_t share_tree_insert(struct share_tree *tree, const struct share_node *node);

void share_tree_remove(struct share_tree *tree, uint32_t i);
void share_tree_free(struct share_tree *tree);

#endif
