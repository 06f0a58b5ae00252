/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * extentlab.h - two file systems to copy between, files with extents of every
 * kind, and what became of them on the disk.
 */
#ifndef SELFTESTS_FS_EXTENTLAB_H
#define SELFTESTS_FS_EXTENTLAB_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/core.h"

#define LAB_PATH 256

struct lab {
	struct cr_ns *ns;
	const char *src, *dst;	  /* mount points */
	struct copy_share *share; /* given to every copy when set */
	struct file *share_dir;
	unsigned flags, jobs;	/* of every copy */
	struct copy_result res; /* of the last copy */
};

/* Bytes that compress well, and bytes that do not; the same for the same seed. */
void fill_text(void *buf, size_t len, unsigned seed);
void fill_noise(void *buf, size_t len, unsigned seed);

/* The file NAME below @dir, made anew of @len bytes of text, or noise, from @pos on.  0 or -errno.
 */
int lab_text(const char *dir, const char *name, uint64_t pos, size_t len);
int lab_noise(const char *dir, const char *name, uint64_t pos, size_t len);

/* Paths without malloc: valid until the third call from now. */
const char *in_dir(const char *dir, const char *name);

/* All of @dir is on the disk, its references counted. */
void lab_sync(const char *dir);

/* As setpriv would: this process may no longer do what root may. */
void drop_privilege(void);

int lab_open(struct lab *lab);
void lab_close(struct lab *lab);
/* From now on sharing is kept, as in one run of a program. */
int lab_share(struct lab *lab);

/* Copies NAME from src to dst, to the end; the result is in lab->res too. */
int lab_copy(struct lab *lab, const char *name);
/* As this request says, whose files are filled in from URLs or paths. */
int lab_copy_req(struct lab *lab, const char *from, const char *to, struct copy_req *req);

/* Whether NAME has the same bytes on both sides, read from the disk. */
bool lab_same(struct lab *lab, const char *name);

/* All extents of a file into @ext, at most @max; their number or a negative errno. */
int lab_extents(struct lab *lab, const char *path, struct file_extent *ext, unsigned max);

/* What compsize(8) shows of all files below a directory. */
struct lab_usage {
	uint64_t disk, referenced;
	unsigned extents, refs, encoded; /* encoded: refs to compressed extents */
};
int lab_usage(struct lab *lab, const char *dir, struct lab_usage *usage);

#endif
