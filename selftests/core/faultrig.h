/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * faultrig.h - a source and a target that break by rules, what both held before,
 * and the check that a copy between them told the truth.
 */
#ifndef SELFTESTS_CORE_FAULTRIG_H
#define SELFTESTS_CORE_FAULTRIG_H

#include <stdbool.h>
#include <stddef.h>

#include "vfs.h"

/* What a rig is made of. */
struct rig_plan {
	const char *dir;     /* where the files are; NULL: the mem room */
	const char *out_dir; /* where the target is, if elsewhere */
	size_t len;	     /* of the source */
	size_t old_len;	     /* of the target before the copy */
	size_t hole; /* of the source, every other run of this many bytes is a hole; 0: none */
};

struct rig {
	struct cr_ns *ns;
	struct rig_plan plan;
	char *src, *old;       /* contents before the copy */
	struct file *in, *out; /* the files without rules */
};

/* All return 0 or a negative errno. */
int rig_make(struct rig *rig, const struct rig_plan *plan);
/* Opens both files with @rules: fills in, out and, where it is 0, len of @req. */
int rig_open(struct rig *rig, const char *rules, struct copy_req *req);
void rig_close(struct copy_req *req);
/* Gives the target its old content again. */
int rig_again(struct rig *rig);
void rig_free(struct rig *rig);

/*
 * Whether the files bear out what the copy answered: the count is contiguous
 * and equal, nothing else changed but the rest of the range, the target is no
 * longer than it may be, and the strategies' shares add up.
 * Return: NULL, or what is wrong, in words.
 */
const char *rig_lie(const struct rig *rig, const struct copy_req *req, int err,
		    const struct copy_result *res);

#endif
