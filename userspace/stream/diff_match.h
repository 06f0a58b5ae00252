/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff_match.h - which inode of one tree is which of another. */
#ifndef STREAM_DIFF_MATCH_H
#define STREAM_DIFF_MATCH_H

#include "diff.h"

struct table {
	uint32_t *slots;
	size_t mask;
};

/* Inodes of a tree have numbers from 0; a directory has one entry, other inodes at least one. */
struct match {
	const struct tree *a, *b;
	uint32_t *inode_a, *inode_b; /* by entry */
	uint32_t *first_a, *first_b; /* by inode: its first entry, */
	uint32_t *next_a, *next_b;   /* by entry: the next of the same inode */
	uint32_t *b_of, *a_of;	     /* by inode: the one of the other tree, or TREE_NONE */
	struct table names_a, names_b, inodes_a, inodes_b;
};

/** match_begin - Return: 0, -ENOMEM; match_end() in any case */
int match_begin(struct match *m, const struct tree *a, const struct tree *b);
void match_end(struct match *m);

/** match_to_b - the directory of @b that is directory @dir of @a; TREE_NONE */
uint32_t match_to_b(const struct match *m, uint32_t dir);
/* The entry of this name in a directory; TREE_NONE. */
uint32_t match_child_a(const struct match *m, uint32_t dir, const char *name);
uint32_t match_child_b(const struct match *m, uint32_t dir, const char *name);

#endif
