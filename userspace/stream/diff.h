/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diff.h - two trees as lists of entries, and the operations that make one of
 * the other.
 */
#ifndef STREAM_DIFF_H
#define STREAM_DIFF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define TREE_NONE UINT32_MAX

/* An xattr: its name, and a hash of its value. */
struct tree_mark {
	char *name;
	uint8_t hash[16];
};

/* One name in a tree.  Names of one inode repeat what is the inode's. */
struct tree_entry {
	uint32_t parent; /* index, before this one; TREE_NONE: the tree itself */
	char *name;
	uint32_t mode, uid, gid, nlink;
	uint64_t rdev, dev, ino, size; /* dev 0: that of the tree itself */
	struct timespec mtime, ctime, btime;
	bool has_btime;
	bool dirty;   /* times do not tell whether it is what was sent */
	bool changed; /* it changed while it was sent: nothing is known of its contents */
	uint32_t nmarks, nhashes;
	struct tree_mark *marks;
	uint8_t (*hashes)[16];
	bool hashed;
};

/* Each directory comes before what is in it. */
struct tree {
	struct tree_entry *v;
	uint32_t n, room;
};

/** tree_add - room for one more entry, zeroed; NULL without memory or of too many */
struct tree_entry *tree_add(struct tree *t);
void tree_free(struct tree *t);
/** tree_path - "a/b/c" of malloc(), "" for the tree itself; NULL without memory */
char *tree_path(const struct tree *t, uint32_t entry);

enum diff_op {
	DIFF_UNLINK, /* path */
	DIFF_RMDIR,
	DIFF_RENAME, /* path becomes path2 */
	DIFF_CREATE, /* path: b, which nobody has yet */
	DIFF_LINK, /* path: b, one more name of what is at path2, and is entry a of the new tree */
	DIFF_UPDATE, /* path: b was a; contents and attributes may differ, of a directory neither
			yet */
	DIFF_ENTRY,  /* path: b is where it belongs, and came as said or was there as a */
	DIFF_LEAVE,  /* path: all in directory b is done; it was a, or TREE_NONE */
};

struct diff_item {
	enum diff_op op;
	uint32_t a, b; /* TREE_NONE where there is none */
	const char *path, *path2;
	bool touched; /* DIFF_LEAVE: names in it have been made or removed */
};

/**
 * diff_trees - what to do so that @a becomes @b
 * @op: called for each operation in order; what is not 0 ends all
 *
 * First old names go away, deepest first: removed, or as orphans into the tree
 * itself.  Then the new tree is gone through from the top, and each name is put
 * where it belongs: at that time every directory above is in its place.  So old
 * paths are right in the first part and new ones in the second, but for what is
 * still an orphan or below one.
 * DIFF_UPDATE comes once for an inode, with the first name that is met, DIFF_LEAVE
 * for each directory after all that is in it, the tree itself at the very end.
 *
 * Inodes are the same when number, birth time and type are, and otherwise,
 * for directories and files, when they have the same place.
 *
 * Return: 0, -ENOMEM, or what @op said.
 */
int diff_trees(const struct tree *a, const struct tree *b,
	       int (*op)(void *arg, const struct diff_item *item), void *arg);

#endif
