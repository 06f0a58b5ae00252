/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verify.h - what the stream said of contents, held against what is read back.
 *
 * Of each range written a checksum (XXH3, 64 bits) of its bytes is kept.  At the end
 * all is synced, each file's pages are dropped, and its ranges are read again.
 * A range that a later command changed in part is not looked at.
 */
#ifndef STREAM_VERIFY_H
#define STREAM_VERIFY_H

#include <stddef.h>
#include <stdint.h>

struct copy_req;
struct file;
struct node;
struct verify;

struct verify_result {
	uint64_t files, bytes;
	uint64_t skipped; /* bytes of ranges changed later in part */
	uint64_t wrong;	  /* ranges */
	char path[256];	  /* of the first of those */
	uint64_t pos;
};

struct verify *verify_new(void);
void verify_free(struct verify *v);

/* All of these do nothing for NULL.  Return: 0, -ENOMEM or what reading said. */
int verify_range(struct verify *v, struct node *node, uint64_t pos, const void *data, size_t len);
int verify_clone(struct verify *v, struct node *node, const struct copy_req *req);
void verify_forget(struct verify *v, struct node *node, uint64_t begin, uint64_t end);

/**
 * verify_tree - read back all that is known below @root, and forget it
 *
 * Return: 0 also for wrong contents, which @res tells; a negative errno.
 */
int verify_tree(struct verify *v, struct file *root, struct verify_result *res);

#endif
