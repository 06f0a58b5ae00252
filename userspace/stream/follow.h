/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * follow.h - which file each command of a full stream is about, whatever it is called by then.
 *
 * A stream makes files under names that are not their last ones (btrfs: o257-7-0), moves
 * them, and moves directories above them.  This follows the names alone, in memory: nothing
 * is opened or made.  What it holds grows with the names in the subvolume, not with their
 * contents.
 */
#ifndef STREAM_FOLLOW_H
#define STREAM_FOLLOW_H

#include "format.h"

struct followed;

/* A name in a directory. */
struct follow_name {
	struct followed *dir, *of;
	struct follow_name *hash_next;
	struct follow_name *next; /* of the same file */
	bool wanted;		  /* for the caller */
	size_t len;
	char text[]; /* with a NUL */
};

/* A file whose extents another one took over. */
struct follow_source {
	struct followed *from;
	struct follow_source *next;
};

/* What a stream has made: the root of a subvolume, a directory, a file, ... */
struct followed {
	uint64_t number;	    /* counted from 1 over the whole input */
	enum stream_cmd_id made_by; /* STREAM_C_SUBVOL: the root */
	struct follow_name *names;  /* those that it has now; a directory has one, the root none */
	struct follow_source *sources;
	struct followed *next; /* in the order of the stream */
	uint64_t children;
	void *plan; /* for the caller, as are these: */
	bool wanted, needed, judged, covered;
};

struct follow {
	struct followed *root; /* of the subvolume in hand; NULL: none is */
	struct followed *last;
	uint64_t made; /* in the whole input */
	uint8_t uuid[16];
	const char *reason; /* why the last command failed, where more than errno is known */
	struct follow_name **bucket;
	size_t buckets, names;
};

/**
 * follow_command - do what a command does to names
 * @of: the file that it is about; NULL for subvol and end
 * @from: what a clone takes its bytes from; NULL when that is no file of this subvolume
 *
 * A subvol command forgets the subvolume before it.
 * Return: 0; -ENOENT, -EEXIST, ... where it does not fit to the names there are;
 * -EOPNOTSUPP for an incremental stream.
 */
int follow_command(struct follow *f, const struct stream_cmd *cmd, struct followed **of,
		   struct followed **from);

/** follow_find - the file of a path, or NULL */
struct followed *follow_find(struct follow *f, const char *path);

/** follow_path - where a name leads to it from the root; malloc()ed, or NULL without memory */
char *follow_path(const struct follow_name *name);

/** follow_end - forget all of it; it can be used anew, and counts on */
void follow_end(struct follow *f);

#endif
