// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * prealloc.c - space that the source has reserved and not written, inside the
 * file or beyond its end (fallocate(1)), is reserved in the copy too.
 *
 * Every strategy makes a hole of it, and a clone drops what is beyond the end.
 * So it is looked for after the data, and only where there may be some: that
 * costs a call or two, which a small file without holes must not pay.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "ocp.h"

#define RANGES	     64
#define BLOCK	     4096u
#define CLONE_LOOKED ((uint64_t)64 << 10) /* smaller clones are not looked at for it */

static uint64_t allocated(const struct statx *stx)
{
	return stx->stx_blocks * 512;
}

/* XFS clones data only; btrfs all there is up to the end. */
static bool clone_lost_some(const struct item *it, struct file *out, const struct copy_result *res)
{
	struct statx stx;

	return res->by[COPY_CLONE].bytes >= CLONE_LOOKED && !cr_getattr(out, NULL, &stx) &&
	       stx.stx_blocks < it->src.stx_blocks;
}

/* From where on it is worth looking; -1: nowhere. */
static off_t look_from(const struct item *it, struct file *out, const struct copy_result *res)
{
	uint64_t size = it->src.stx_size;

	if (res->holes || clone_lost_some(it, out, res))
		return allocated(&it->src) ? 0 : -1;
	if (allocated(&it->src) > (size + BLOCK - 1) / BLOCK * BLOCK)
		return (off_t)size;
	return -1;
}

/* What a file system reserves before it finds that it has not enough is given back. */
static int reserve(struct file *out, const struct file_range *r)
{
	int err = cr_allocate(out, FALLOC_FL_KEEP_SIZE, (off_t)r->pos, (off_t)r->len);

	if (err == -ENOSPC || err == -EDQUOT)
		cr_allocate(out, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)r->pos,
			    (off_t)r->len);
	return err;
}

static int reserve_all(const struct item *it, struct file *out, off_t pos)
{
	struct file_range ranges[RANGES];
	int n, err = 0;

	do {
		n = cr_unwritten(it->in, pos, ranges, RANGES);
		for (int i = 0; i < n && !err; i++)
			err = reserve(out, &ranges[i]);
		if (n > 0)
			pos = (off_t)(ranges[n - 1].pos + ranges[n - 1].len);
	} while (n == RANGES && !err);
	return n < 0 ? n : err;
}

/* prealloc_keep - after the data: told like any attribute that cannot be kept */
void prealloc_keep(struct worker *w, struct item *it, struct file *out,
		   const struct copy_result *res)
{
	const struct ocp_opts *o = w->ocp->o;
	off_t pos;
	int err;

	if (!(o->preserve & PRESERVE_FLAGS) || o->sparse != WHEN_AUTO)
		return;
	pos = look_from(it, out, res);
	err = pos < 0 ? 0 : reserve_all(it, out, pos);
	if (err && !o->reduce_diagnostics) {
		char *dst = path_dst(it->dir->node, it->dname);

		report_warn(w->ocp->report, err, MSG_RESERVE, dst, NULL);
		free(dst);
	}
}
