/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * served.h - a call of an unchanged program, done by copy_range().
 *
 * For doors that take over copy_file_range(2) and its relatives where the
 * kernel refuses: userspace/run from outside of the program, userspace/preload
 * inside of it.  Nothing here is remembered between calls.
 */
#ifndef CR_SERVED_H
#define CR_SERVED_H

#include <stdbool.h>
#include <sys/types.h>

#include "copy_range.h"

/* The most that one call of the kernel moves: MAX_RW_COUNT of <linux/fs.h>. */
#define SERVED_MAX ((size_t)0x7ffff000)

struct served {
	int in, out; /* descriptors of this process */
	off_t pos_in, pos_out;
	size_t len;
	unsigned flags;	  /* COPY_RANGE_* */
	struct cr_ns *ns; /* that remembers refusals; NULL: one for this call */
	bool own_source;  /* open the source once more, so that its position is never moved */
	const int *stop;  /* as copy_req.stop; a call that is stopped has moved something */
	struct copy_result res;
};

/**
 * served_copy - do it
 * Return: bytes, 0 at the end of the source, a negative errno.
 */
ssize_t served_copy(struct served *s);

/**
 * served_clone_range - what a clone asks for, as a copy
 * @size: of the source
 * @limit: the largest size that the target may get
 * Return: 0, -EINVAL for what is not within the source or goes beyond @limit.
 */
struct file_clone_range;
int served_clone_range(struct served *s, const struct file_clone_range *fcr, off_t size,
		       uint64_t limit);

/**
 * served_clone - all of the range, or an error
 *
 * Only @s->stop ends it early, as an error.  Return: 0, a negative errno; then a
 * part may have been written.
 */
int served_clone(struct served *s);

/** served_exdev - is @err an answer of the kernel that says "not between these two"? */
bool served_exdev(int err);

/**
 * served_flags - what a list such as "clone,encoded" leaves out: ocp's --offload
 * Return: 0 and *@flags, -1 for an unknown word.
 */
int served_flags(const char *list, unsigned *flags);

/* What is said of a call. */
struct served_line {
	const char *call;   /* copy_file_range, FICLONE ... */
	pid_t pid;	    /* thread that made it */
	const char *kernel; /* why it is left to the kernel; NULL: it was served */
	const struct served *s;
	ssize_t ret;
};

#define SERVED_TEXT 12288

/**
 * served_text - one line for people, with its end
 * @text: SERVED_TEXT bytes
 * Return: its length.  Needs no memory and no stdio.
 */
size_t served_text(char *text, const struct served_line *l);

#endif
