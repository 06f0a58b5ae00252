// SPDX-License-Identifier: GPL-2.0-or-later
/* frontier.c - the exact end of a copy whose pieces finish in any order. */
#include "stream.h"

void frontier_bad(struct frontier *f, uint64_t at, uint64_t holes, int error)
{
	if (at >= f->bad)
		return;
	f->bad = at;
	f->bad_holes = holes;
	f->error = error;
}

int size_of(struct file *file, uint64_t *size)
{
	struct statx stx;
	int err = cr_getattr(file, NULL, &stx);

	*size = err ? 0 : stx.stx_size;
	return err;
}

/*
 * Between the look at the size and the cut another process may still extend
 * the file: the kernel has no conditional truncate.
 */
int frontier_cut(const struct frontier *f, const struct copy_req *req, uint64_t old_size)
{
	uint64_t pos = (uint64_t)req->pos_out, good = frontier_good(f), size;
	uint64_t want = good ? MAX(old_size, pos + good) : old_size;
	int err;

	if (!f->high || pos + f->high <= want)
		return 0;
	err = size_of(req->out, &size);
	if (err || size <= want || size > pos + f->high)
		return err;
	return cr_truncate(req->out, (off_t)want);
}
