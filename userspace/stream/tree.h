/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree.h - what is known of the names in the subvolume that is received.
 *
 * A node is a name in a directory: those that lead to something open, that have
 * ops under way, or something put off until the end.  Nodes move with a rename, so
 * what belongs to a file follows it.  Only the dispatcher uses this; workers see
 * the open file of a node that has a use.
 *
 * Directories stay open, the ones used last, and so do files: no path is walked for
 * each command.  Each component is opened by itself and may not be a symbolic link.
 */
#ifndef STREAM_TREE_H
#define STREAM_TREE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attr.h"

struct file;
struct op;
struct tree;
struct use;

#define TREE_OPEN 512u /* files and directories; more only while one command needs them */

enum node_kind { NODE_UNKNOWN, NODE_DIR, NODE_FILE };

struct node {
	struct node *parent; /* NULL: the root, or no more in the tree */
	struct node *hash_next;
	struct node *newer, *older; /* of those with an open file */
	struct node *put_off_next, **put_off_at;
	enum node_kind kind;
	struct file *file;		  /* open: a directory for reading, a file for both */
	struct use *first_use, *last_use; /* the queue's, under its lock */
	bool taken;			  /* a thread has its turn, and does what waits for one */
	struct op *waiting, **waiting_end;
	atomic_uint uses;
	uint64_t ino;	      /* asked for with --verify only */
	unsigned children;    /* nodes */
	struct iattr put_off; /* to be set at the end */
	uint32_t flags_put_off;
	uid_t uid;
	gid_t gid;
	bool owner_known;
	bool failed;	   /* an op on it did: the queue's lock is for this, uses and turns */
	atomic_bool plain; /* it takes no encoded writes; any worker may find that out */
	bool shared;	   /* it has other names: one op at a time */
	bool unlinked;	   /* in no directory any more */
	bool has_flags_put_off;
	size_t name_len;
	char *name;
};

/** tree_new - for the subvolume whose directory is @root, which stays the caller's */
struct tree *tree_new(struct file *root);
void tree_free(struct tree *t);
struct node *tree_root(struct tree *t);

/* The last component of a path. */
struct place {
	struct node *dir;
	const char *name;  /* NULL: the root itself */
	struct node *node; /* of that name, when there is one */
};

/**
 * tree_find - the directory of @path, opened, and its last component
 * @open: false: nodes only, nothing is opened or made in the file system
 *
 * Return: 0; -ENOTDIR, also for a symbolic link; what opening said.
 */
int tree_find(struct tree *t, const char *path, bool open, struct place *at);

/** tree_keep_dirs - while nothing is done but names are followed: what is a directory stays known
 */
void tree_keep_dirs(struct tree *t, bool keep);

/** tree_add - a node for @at, which has none.  Return: it, or NULL without memory */
struct node *tree_add(struct tree *t, struct place *at, enum node_kind kind);

/** tree_open_dir - see that a directory is open */
int tree_open_dir(struct tree *t, struct node *dir);

/** tree_opened - @node has got a file: it counts among those that are open */
void tree_opened(struct tree *t, struct node *node, struct file *file);

/** tree_close - close the file of a node without uses.  Return: what that said */
int tree_close(struct tree *t, struct node *node);

/** tree_move - @from's node becomes @to's; what was there has been replaced */
int tree_move(struct tree *t, struct place *from, struct place *to);

/** tree_remove - the name is gone; a node in use lives on until it is not */
void tree_remove(struct tree *t, struct node *node);

/** tree_below - whether @node lies below @dir */
bool tree_below(const struct node *node, const struct node *dir);

/** node_busy - ops use it */
static inline bool node_busy(struct node *node)
{
	return atomic_load_explicit(&node->uses, memory_order_acquire) != 0;
}

/**
 * tree_trim - close what was not used for long but for @most; frees nodes that hold nothing
 *
 * For between commands: pointers to nodes do not outlive it.
 * Return: the first error of a close, and @path is the file it was about.
 */
int tree_trim(struct tree *t, unsigned most, char *path, size_t size);

/** tree_put_off - attributes of @node to be set at the end: added to what is there */
void tree_put_off(struct tree *t, struct node *node, const struct iattr *attr);
void tree_put_off_flags(struct tree *t, struct node *node, uint32_t flags);

/** tree_put_off_next - one of those, taken from the list; NULL at the end */
struct node *tree_put_off_next(struct tree *t);
unsigned tree_put_off_count(const struct tree *t);

/** node_path - as messages name it: escaped, "." for the root */
void node_path(const struct node *node, char *text, size_t size);

#endif
