/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifest.h - what a stream brought, kept in a file so that a later one can
 * bring what has changed since.
 *
 *	header	"ocp-manifest\0", version (32 bits), flags (32), uuid (16 bytes),
 *		transaction number (64), when it began (64 seconds, 32 nanoseconds),
 *		bytes of a content hash's range (64), CRC32C of all that (32)
 *	records	length (32) and CRC32C (32) of what follows: a kind (8), then
 *	  1	an entry: see put_entry() in manifest.c.  Its directory comes before
 *		it, the tree itself is the first one, and numbers grow.
 *	  2	the end: how many entries there are (64)
 *
 * All integers little endian.  CRC32C as in the streams.
 */
#ifndef STREAM_MANIFEST_H
#define STREAM_MANIFEST_H

#include "diff.h"
#include "walk.h"

#define MANIFEST_VERSION 1u
#define MANIFEST_HASHES	 0x1u	    /* flag: contents are hashed */
#define MANIFEST_NONE	 UINT32_MAX /* the parent of the tree itself */
#define MANIFEST_RECORD	 (64u << 20)

#define MANIFEST_BTIME	 0x1u /* flags of an entry: it has a birth time */
#define MANIFEST_CHANGED 0x2u /* it changed while it was read */
#define MANIFEST_HASHED	 0x4u

/** manifest_begin - write to @fd; NULL without memory.  Fills in what @w says of the stream */
struct manifest_writer *manifest_begin(int fd, const struct walk *w);
/** manifest_step - the entry of a step that has STEP_RECORD */
int manifest_step(struct manifest_writer *m, const struct step *s);
/** manifest_end - the last record; @m is freed.  Return: the first error */
int manifest_end(struct manifest_writer *m);
void manifest_drop(struct manifest_writer *m);

/* For workers: what the manifest will say of a step's contents and xattrs. */
int manifest_hash(struct work *k, struct step *s);
int manifest_marks(struct work *k, struct step *s);
/** manifest_set_marks - those of an entry that did not change.  Return: 0, -ENOMEM */
int manifest_set_marks(struct step *s, const struct tree_entry *e);

/* What a manifest says of its stream. */
struct manifest_head {
	uint32_t flags;
	uint8_t uuid[16];
	uint64_t ctransid;
	struct timespec began;
};

/**
 * manifest_read - a whole manifest
 * @read, @arg: as stream_reader_new() has them
 * @head, @tree: filled; the tree is to be given to tree_free() in any case
 * @reason: why it cannot be used, for people, where that is not the errno alone
 *
 * Nothing in it is believed: lengths, numbers, names, order and checksums are
 * looked at, and without its last record it is not whole.
 * Return: 0; -EUCLEAN, -EOPNOTSUPP (a later version), -ENOMEM, an error of @read.
 */
int manifest_read(ssize_t (*read)(void *arg, void *buf, size_t len), void *arg,
		  struct manifest_head *head, struct tree *tree, const char **reason);

#endif
