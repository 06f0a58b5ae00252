/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal.h - what --resume writes down about one file or tree that is not done. */
#ifndef OCP_JOURNAL_H
#define OCP_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "vfs.h"

#define JOURNAL_BOOT 16

/* Bits of a tree. */
#define JOURNAL_OURS   0x1u /* nothing stood there before: all files in it are from such runs */
#define JOURNAL_SYNCED 0x2u /* each was on the storage before it had its name */

/* The source as it was, and how far the copy has come. */
struct journal_state {
	uint64_t ino, size;   /* of the source */
	int64_t mtime, ctime; /* seconds */
	uint32_t mtime_ns, ctime_ns;
	uint64_t partial_ino;	    /* of the target: what has the bytes, or the directory */
	uint64_t done;		    /* of these, on the storage */
	uint32_t flags;		    /* of a tree */
	uint8_t boot[JOURNAL_BOOT]; /* the boot of the machine that wrote it */
};

struct journal {
	struct file *file;
	uint64_t seq;
	struct journal_state now;
	bool found; /* there was one that is whole */
};

/**
 * journal_open - open or make the journal @name in @dir, and read it
 *
 * Return: 0; -EBUSY where another process has it; -EPERM where it is not a regular
 * file of our own; another negative errno.
 */
int journal_open(struct file *dir, const char *name, struct journal *j);
/* Write j->now; the record before it stays until this one is whole. */
int journal_put(struct journal *j);
void journal_close(struct journal *j);

/** journal_parse - one record of JOURNAL_RECORD bytes; false where it is none or damaged */
#define JOURNAL_RECORD 128
bool journal_parse(const uint8_t *record, uint64_t *seq, struct journal_state *state);

/* What a journal says of this source. */
void journal_source(struct journal_state *state, const struct statx *stx);
bool journal_same_source(const struct journal_state *state, const struct statx *stx);

/* The running boot; false (and zeros) where the kernel does not tell. */
bool journal_boot(uint8_t boot[JOURNAL_BOOT]);

#endif
