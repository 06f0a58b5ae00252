/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk_diff.h - streams of what differs between two trees. */
#ifndef STREAM_WALK_DIFF_H
#define STREAM_WALK_DIFF_H

#include "diff.h"
#include "walk.h"

/** walk_list - all of a tree; tree_free() in any case.  Return: 0 or an error, told if it is a
 * file's */
int walk_list(struct walk *w, struct file *root, struct tree *t);

/**
 * walk_changes - what makes the subvolume of @was the tree
 * @was: of a manifest; NULL: w->earlier is listed
 *
 * Memory: about 350 bytes and a name for each entry of both trees.
 * Return: 0 or what ended it.
 */
int walk_changes(struct walk *w, const char *name, struct tree *was);

/* For the parts of it. */

/* Directories on the way to the entry at hand, open. */
struct level {
	uint32_t entry;
	struct place *place; /* NULL: it cannot be opened any more */
};

struct changes {
	struct walk *w;
	struct tree *a, *b;
	struct file *earlier; /* the earlier tree on disk, or NULL */
	struct level *levels;
	uint32_t nlevels, room;
	struct subject **subjects; /* by entry of b: the files that other names may follow */
	uint32_t acl_dir;	   /* of a: the directory asked last for a default ACL, */
	bool acl_has;		   /* and the answer */
	uint32_t old_dir;	   /* of a: the directory of the earlier tree that is open */
	struct file *old;
	struct timespec latest; /* change time in the earlier tree */
	char *names;
};

/* walk_earlier.c: what the receiver has of a step's file goes into @s; after an error, which is
 * told,
 * @s is freed. */
int add_earlier(struct changes *c, struct step *s, uint32_t a);
/* Whether new names in this directory of the earlier tree got an ACL from it. */
bool had_default_acl(struct changes *c, uint32_t a);

#endif
