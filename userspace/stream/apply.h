/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apply.h - the commands of a stream, done below a directory.
 *
 *   apply.c     what each command leads to; where in the stream we are
 *   subvol.c    a subvolume from its first command to its name
 *   parent.c    subvolumes that were received earlier: parents, sources of clones
 *   record.c    what is remembered of them where there are no subvolumes
 *   copytree.c  a snapshot where there are none
 *   names.c     names made, moved and removed
 *   inode.c     attributes
 *   content.c   ops of what changes contents
 *   data.c      the same, done by a worker
 *   tree.c      names and open files; queue.c the workers
 *   state.c     how far it got; checkpoint.c going on there
 *   partial.c   some files only: it calls for what is wanted, see partial.h
 */
#ifndef STREAM_APPLY_H
#define STREAM_APPLY_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "format.h"
#include "queue.h"
#include "reader.h"
#include "state.h"
#include "tree.h"
#include "vfs.h"

/* Beside what is received, in the target. */
#define RECEIVE_DIR ".ocp-receive"

#define SUBVOL_ROOT_INO 256u /* BTRFS_FIRST_FREE_OBJECTID: every subvolume begins there */

struct again;
struct codec_ctx;
struct verify;

struct apply_opts {
	bool devices;	       /* device nodes may be made */
	bool trust;	       /* payloads are planted without decoding them once */
	bool force_decompress; /* none is planted */
	bool resume;	       /* go on where an earlier run ended */
	bool partial;	       /* some files only, which make no subvolume */
	unsigned jobs;
};

/* A subvolume that clones were taken from. */
struct clone_source {
	uint8_t uuid[16];
	struct file *root;
	struct tree *tree; /* its directories */
	struct clone_source *next;
};

struct apply_counts {
	atomic_uint_least64_t encoded, encoded_bytes; /* planted as they are: extents, file bytes */
	atomic_uint_least64_t decoded, decoded_bytes;
	atomic_uint_least64_t plain_bytes, cloned_bytes, copied_bytes;
	atomic_uint_least64_t xattrs_left_out;
	uint64_t files, flags_left_out;
};

struct apply {
	struct apply_opts o;
	struct file *target; /* the directory that gets the subvolumes */
	struct stream_reader *reader;
	struct queue *queue;
	struct state *state;
	uint64_t count; /* of the command in hand */

	/* The subvolume in hand. */
	char *name; /* NULL: none */
	char *temp; /* what it is called until it is whole */
	bool subvolume, incremental;
	struct file *root;
	struct tree *tree;
	uint8_t uuid[16];
	uint64_t ctransid;

	/* A name to be made, held back in case the next command gives it another. */
	struct stream_cmd *make;
	uint64_t make_count, make_hash;
	bool make_failed;

	/* Of an earlier run, with --resume. */
	struct state_position resume;
	struct again *again; /* commands that it had under way */
	bool renamed;	     /* the subvolume has its name already */
	char *checkpoint;    /* snapshot that holds the last durable position, or NULL */

	bool skim; /* what the stream says was done by an earlier run: names are followed only */
	bool tolerant; /* this command may have been done by it */
	struct clone_source *sources;
	struct verify *verify;
	atomic_bool no_encoded;	       /* refused once, for good */
	atomic_uint refused_encodings; /* 1 << compression */
	struct apply_counts counts;
	const char *reason; /* why the last command failed, where more than errno is known */
	char reason_text[200];
	uid_t fsuid;
	void (*say)(const char *text);	/* for -v; may be NULL */
	void (*warn)(const char *text); /* what the user has to know; not NULL */
};

/** apply_init - Return: 0 or a negative errno */
int apply_init(struct apply *a, struct file *target, struct stream_reader *reader);

/** apply_command - do one command.  Return: 0 or a negative errno, perhaps with a->reason */
int apply_command(struct apply *a, const struct stream_cmd *cmd);

/** apply_part - do it at once, and remember nothing of it: for who calls for some commands only */
int apply_part(struct apply *a, const struct stream_cmd *cmd);

/** apply_settle - wait for all that is under way.  Return: the first error of it */
int apply_settle(struct apply *a);

/**
 * apply_checkpoint - where the target has snapshots, make all so far durable
 *
 * Another run can go back to here even when the machine goes down.  Does nothing where
 * that cannot be.
 */
int apply_checkpoint(struct apply *a);

/** apply_complete - the input is over: nothing is left that another run could go on with */
int apply_complete(struct apply *a);

/** apply_stop - the input broke off: keep what another run needs.  Return: whether it can go on */
bool apply_stop(struct apply *a);

/** apply_end - close all; a subvolume that is not whole stays under its temporary name */
void apply_end(struct apply *a);

/* For the parts of it. --------------------------------------------------------------- */

/* checkpoint.c: with the first command.  Return: 0, -EEXIST ... with a reason */
int apply_begin_state(struct apply *a, const char *name);
/* One that is needed no more. */
void checkpoint_drop(struct apply *a);

/* Says why: returns @err. */
int refuse(struct apply *a, int err, const char *reason);
__attribute__((format(printf, 2, 3))) void say(struct apply *a, const char *format, ...);
__attribute__((format(printf, 2, 3))) void warn_user(struct apply *a, const char *format, ...);

/* subvol.c */
int subvol_begin(struct apply *a, const struct stream_cmd *cmd);
int subvol_finish(struct apply *a);
void subvol_forget(struct apply *a);
int subvol_put_off(struct apply *a); /* sets what was put off */
/* The subvolume of an earlier run, which ended within it. */
int subvol_again(struct apply *a, const struct stream_cmd *cmd, uint64_t root_ino);

/* parent.c: the root directory of what was received from this subvolume; the caller closes it. */
int parent_open(struct apply *a, const uint8_t *uuid, uint64_t ctransid, struct file **rootp);
/* The file of that subvolume which a clone takes its bytes from; stays open until the end. */
int source_open(struct apply *a, const struct stream_cmd *cmd, struct file **filep);
void sources_close(struct apply *a);

/* record.c: text files below RECEIVE_DIR, named by uuid. */
struct record {
	uint8_t uuid[16];
	uint64_t ctransid;
	/* Of its directory; a number is given again, with another time of birth. */
	uint64_t ino;
	struct statx_timestamp born; /* zeros where the file system does not tell */
	char name[256];
};
/* Whether @root is the directory that the record is of. */
bool record_is_of(const struct record *r, struct file *root);
/* Fills in what record_is_of() compares. */
void record_of(struct record *r, struct file *root);
int record_write(struct apply *a, const struct record *r);
int record_read(struct apply *a, const uint8_t *uuid, struct record *r);

/* copytree.c: all of @from into the empty directory @to; a name with all below it removed. */
int copytree(struct apply *a, struct file *from, struct file *to);
int copytree_remove(struct file *dir, const char *name);

/* names.c */
int names_make(struct apply *a, const struct stream_cmd *cmd, const char *path);
int names_rename(struct apply *a, const struct stream_cmd *cmd);
int names_link(struct apply *a, const struct stream_cmd *cmd);
int names_remove(struct apply *a, const struct stream_cmd *cmd);

/* inode.c */
int inode_attr(struct apply *a, const struct stream_cmd *cmd);
int inode_xattr(struct apply *a, const struct stream_cmd *cmd);
int inode_flags(struct apply *a, const struct stream_cmd *cmd);
int inode_verity(struct apply *a, const struct stream_cmd *cmd);

/* content.c */
int content_op(struct apply *a, const struct stream_cmd *cmd);
/* The node of a path with its file open for writing; @node is in the tree. */
int content_open(struct apply *a, struct place *at, struct node **node);

#endif
