/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core.h - what the files of kernel/ share. */
#ifndef CR_CORE_H
#define CR_CORE_H

#include <errno.h>
#include <pthread.h>

#include "fs.h"
#include "vfs.h"

#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))
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
	_Atomic(struct mount *) mounts; /* both lists grow only: readers need no lock */
	_Atomic(struct mount_pair *) pairs;
	void **rooms;	     /* one per row of cr_fs_types */
	uint64_t file_limit; /* RLIMIT_FSIZE when the namespace began */
	const int *stop;     /* cr_ns_stop() */
};

/* What the core holds beside a file: the room never sees it. */
struct core_file {
	struct file f;
	struct cr_ns *ns;
};

/* mount.c */
int mount_attach(struct cr_ns *ns, struct file *file, const struct fs_type *opener);
struct mount_pair *pair_of(struct cr_ns *ns, const struct mount *in, const struct mount *out);
struct cr_ns *ns_of(const struct file *file);

/* What check.c found out about a request beside what it put into it. */
struct copy_limits {
	bool to_eof;   /* follow the source while it grows */
	bool unsized;  /* the source has data but no size: /proc and its like */
	uint64_t room; /* bytes until the target is as long as a file may become */
	uint64_t cut;  /* bytes of the request that are beyond that */
};

/* In copy_req.flags, set by check.c alone: the source is not asked for holes. */
#define COPY_DENSE (1u << 31)

/* check.c: settles everything about a request before any strategy sees it. */
int copy_check(struct copy_req *req, struct copy_limits *lim);
bool copy_same_file(const struct copy_req *req);

/* copy_range.c */
bool copy_stopped(const struct copy_req *req);
void copy_account(const struct copy_req *req, struct copy_result *res, enum copy_strategy_id s,
		  uint64_t bytes, uint64_t moved);
void copy_account_hole(const struct copy_req *req, struct copy_result *res, enum copy_strategy_id s,
		       uint64_t bytes);

/* Strategy by strategy, but for those in @gone; and settle.c's, which survives a server's restart.
 */
int copy_clipped(const struct copy_req *req, unsigned gone, struct copy_result *res);
int copy_settled(const struct copy_req *req, unsigned gone, struct copy_result *res);

/* COPY_RANGE_STABLE at the end of a copy. */
int copy_stable(const struct copy_req *req, struct copy_result *res);

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
/* Its two halves: zeros as far as the target goes; the target at least @end long. */
int hole_inside(const struct copy_req *req, uint64_t len);
int target_reach(struct file *out, uint64_t end);

/*
 * slice.c: a request in slices of @slice bytes over @jobs workers, each slice by
 * run().  res->bytes is the contiguous part; on error the target is cut back to
 * the larger of its old size and that part, unless someone else extended it.
 */
int slices_run(const struct copy_req *req, struct copy_result *res, uint64_t slice,
	       int (*run)(const struct copy_req *, struct copy_result *));

/* stream.c, grant.c, encoded.c: strategies with a file of their own. */
int grant_copy(const struct copy_req *req, struct copy_result *res);
int stream_copy(const struct copy_req *req, struct copy_result *res);
#ifdef CONFIG_ENCODED
int encoded_copy(const struct copy_req *req, struct copy_result *res);
#else
static inline int encoded_copy(const struct copy_req *req, struct copy_result *res)
{
	return decline(res, COPY_ENCODED,
		       (struct copy_why){.reason = "left out of this build",
					 .error = EOPNOTSUPP,
					 .scope = COPY_THIS_PAIR});
}
#endif

/* ops.c: -ETXTBSY for swap space. */
int op_busy(struct file *file);
int op_settle(struct file *file, struct file_range *range);

/* ops.c: clone and offload of the room, when both files are of one family. */
int op_clone_range(const struct copy_req *req, struct copy_result *res);
int op_copy_range(const struct copy_req *req, struct copy_result *res);
/* Whether there is such a thing between these rooms: 0, or decline()d. */
int op_can_grant(const struct copy_req *req, struct copy_result *res);
int op_grant(const struct copy_req *req, struct copy_grant *grant, struct copy_result *res);
int op_redeem(const struct copy_req *req, const struct copy_grant *grant, struct copy_result *res);
void op_revoke(struct file *in, const struct copy_grant *grant);
uint32_t op_compression(struct file *file);
int op_extents(struct file *file, off_t pos, struct file_extent *ext, unsigned n, unsigned how);

#endif
