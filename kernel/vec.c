// SPDX-License-Identifier: GPL-2.0-or-later
/* vec.c - several ranges between two files in one call: see cr_copy_rangev(). */
#include <string.h>

#include "core.h"

/* Whether @v begins where @len bytes from @first on end, and both can be counted. */
static bool continues(const struct copy_vec *first, uint64_t len, const struct copy_vec *v)
{
	const uint64_t max = INT64_MAX;

	if (!v->len || v->len > max - len || v->pos_in < 0 || v->pos_out < 0)
		return false;
	return (uint64_t)v->pos_in == (uint64_t)first->pos_in + len &&
	       (uint64_t)v->pos_out == (uint64_t)first->pos_out + len;
}

/*
 * How many elements from @vec on can be one range.  Inside one file joined
 * ranges could overlap where the single ones do not, so they stay single.
 */
static unsigned run_length(const struct copy_req *req, const struct copy_vec *vec, unsigned n,
			   uint64_t *len)
{
	unsigned i = 1;

	*len = vec[0].len;
	if (!*len || *len > INT64_MAX || copy_same_file(req))
		return 1;
	while (i < n && continues(vec, *len, &vec[i]))
		*len += vec[i++].len;
	return i;
}

/* The first @run elements as one range of @len bytes. */
static int copy_run(const struct copy_req *req, struct copy_vec *vec, unsigned run, uint64_t len,
		    struct copy_result *res)
{
	struct copy_req one = *req;
	struct copy_result part;
	uint64_t left;
	int err;

	one.pos_in = vec[0].pos_in;
	one.pos_out = vec[0].pos_out;
	one.len = len;
	one.flags &= ~COPY_RANGE_STABLE; /* once, at the end */
	err = cr_copy_range(&one, &part);
	left = part.bytes;
	for (unsigned i = 0; i < run; i++) {
		vec[i].done = MIN(left, vec[i].len);
		left -= vec[i].done;
	}
	copy_result_add(res, &part);
	return err;
}

int cr_copy_rangev(const struct copy_req *req, struct copy_vec *vec, unsigned n,
		   struct copy_result *res)
{
	int err = 0;

	memset(res, 0, sizeof(*res));
	for (unsigned i = 0; i < n; i++)
		vec[i].done = 0;
	for (unsigned at = 0, run; at < n && !err && !res->stopped; at += run) {
		uint64_t len;

		run = run_length(req, &vec[at], n - at, &len);
		err = copy_run(req, &vec[at], run, len, res);
	}
	return err ? err : copy_stable(req, res);
}
