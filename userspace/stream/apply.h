/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply.h - the commands of a stream, done below a directory of any file system. */
#ifndef STREAM_APPLY_H
#define STREAM_APPLY_H

#include "format.h"
#include "vfs.h"

struct codec_ctx;

struct apply {
	struct cr_ns *ns;
	struct file *target; /* the directory that gets the subvolumes */
	bool devices;	     /* device nodes may be made */
	char *name;	     /* of the subvolume in hand; NULL: none */
	char *temp;	     /* what it is called until it is whole */
	struct file *root;
	uint8_t uuid[16];
	char *open_path;   /* the file that was written last, */
	struct file *open; /* kept open for the next piece */
	struct codec_ctx *codec;
	const char *reason; /* why the last command failed, where more than errno is known */
};

/** apply_command - do one command.  Return: 0 or a negative errno, perhaps with a->reason */
int apply_command(struct apply *a, const struct stream_cmd *cmd);

/** apply_end - close all; a subvolume that is not whole stays under its temporary name */
void apply_end(struct apply *a);

/* For the parts of it. */

/*
 * place_find - the directory that holds the last component of @path, and that component
 *
 * Each component is opened by itself and must be a directory, no symbolic link.
 * For "" the directory is the root, and the name NULL.  @dir is to be closed by
 * place_put().
 */
int place_find(struct apply *a, const char *path, struct file **dir, const char **name);
void place_put(struct apply *a, struct file *dir);

/* The file of @path, no symbolic link, for writing: kept until another is asked for. */
int place_open(struct apply *a, const char *path, struct file **filep);
int place_close(struct apply *a);

int apply_write(struct apply *a, const struct stream_cmd *cmd);
int apply_encoded(struct apply *a, const struct stream_cmd *cmd);
int apply_clone(struct apply *a, const struct stream_cmd *cmd);
int apply_truncate(struct apply *a, const struct stream_cmd *cmd);

#endif
