// SPDX-License-Identifier: GPL-2.0-or-later
/* vec.c - several ranges between two files in one call: see cr_copy_rangev(). */
#include <string.h>

#include "core.h"

static bool same_file(const struct copy_req *req)
{
	return req->in->id.dev == req->out->id.dev && req->in->id.ino == req->out->id.ino;
}

/*
 * How many elements from @at on can be one range.  Inside one file joined
 * ranges could overlap where the single ones do not, so they stay single.
 */
static unsigned run_length(const struct copy_req *req, const struct copy_vec *vec, unsigned n,
			   uint64_t *len)
{
	unsigned i = 1;

	*len = vec[0].len;
	if (*len == COPY_LEN_EOF || *len == 0 || same_file(req))
		return 1;
	while (i < n && vec[i].len && vec[i].len < INT64_MAX - *len &&
	       vec[i].pos_in == vec[0].pos_in + (int64_t)*len &&
	       vec[i].pos_out == vec[0].pos_out + (int64_t)*len)
		*len += vec[i++].len;
	return i;
}

int cr_copy_rangev(const struct copy_req *req, struct copy_vec *vec, unsigned n,
		   struct copy_result *res)
{
	unsigned at = 0;

	memset(res, 0, sizeof(*res));
	for (unsigned i = 0; i < n; i++)
		vec[i].done = 0;
	while (at < n && !res->stopped) {
		struct copy_req one = *req;
		struct copy_result part;
		unsigned run = run_length(req, &vec[at], n - at, &one.len);
		uint64_t left;
		int err;

		one.pos_in = vec[at].pos_in;
		one.pos_out = vec[at].pos_out;
		err = cr_copy_range(&one, &part);
		left = part.bytes;
		for (unsigned i = at; i < at + run; i++) {
			vec[i].done = MIN(left, vec[i].len);
			left -= vec[i].done;
		}
		copy_result_add(res, &part);
		if (err)
			return err;
		at += run;
	}
	return 0;
}
