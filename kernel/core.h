/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core.h - what the files of kernel/ share. */
#ifndef CR_CORE_H
#define CR_CORE_H

#include <errno.h>
#include <pthread.h>

#include "fs.h"
#include "vfs.h"

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/*
 * A row of the table in copy_range.c.  run() moves a prefix of the request and
 * says how much in res->bytes: 0 and bytes > 0 is progress, 0 and 0 bytes is the
 * end of the source, -EXDEV or -EOPNOTSUPP is a refusal through decline(), any
 * other error is final, and res->bytes counts what came before it.
 */
struct copy_strategy {
	const char *name;
	int (*run)(const struct copy_req *req, struct copy_result *res);
};

/* Refusals of a pair of mounts, remembered. */
struct mount_pair {
	const struct mount *in, *out;
	atomic_uint lost;
	struct copy_why why[COPY_STRATEGIES];
	struct mount_pair *next;
};

struct cr_ns {
	pthread_mutex_t lock;
	struct mount *mounts;	   /* grows only: readers need no lock */
	struct mount_pair *pairs;
};

/* mount.c */
struct mount *mount_of(struct cr_ns *ns, struct file *file);
struct mount_pair *pair_of(struct cr_ns *ns, const struct mount *in, const struct mount *out);

/* check.c: settles everything about a request before any strategy sees it. */
int copy_check(struct copy_req *req, struct copy_result *res);

/* copy_range.c */
bool copy_stopped(const struct copy_req *req);
void copy_account(const struct copy_req *req, struct copy_result *res, enum copy_strategy_id s,
		  uint64_t bytes, uint64_t moved);
void copy_account_hole(const struct copy_req *req, struct copy_result *res,
		       enum copy_strategy_id s, uint64_t bytes);

/* The request without its first @done bytes and no longer than @max. */
struct copy_req copy_rest(const struct copy_req *req, uint64_t done, uint64_t max);

/*
 * hole.c: the source from req->pos_in on is a run of data or a hole.
 * segment_next() gives its kind and length, at most req->len; a source that
 * cannot tell is all data.  hole_make() makes the same range of the target
 * read as zeros without storage where that is possible, extends the file over
 * it, and writes zeros otherwise.
 */
struct segment {
	uint64_t len; /* 0: the source ends here */
	bool hole;
};
int segment_next(const struct copy_req *req, struct segment *seg);
int hole_make(const struct copy_req *req, uint64_t len);

/*
 * slice.c: a request in slices of @slice bytes over @jobs workers, each slice by
 * run().  res->bytes is the contiguous part; on error the target is cut back to
 * the larger of its old size and that part, unless someone else extended it.
 */
int slices_run(const struct copy_req *req, struct copy_result *res, uint64_t slice,
	       int (*run)(const struct copy_req *, struct copy_result *));

/* stream.c, encoded.c: strategies with a file of their own. */
int stream_copy(const struct copy_req *req, struct copy_result *res);
int encoded_copy(const struct copy_req *req, struct copy_result *res);

#endif
