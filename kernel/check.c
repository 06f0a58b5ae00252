// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check.c - everything about a request that can be settled before a strategy
 * sees it: once, here.
 *
 * The order and the errors are those of Linux fs/read_write.c
 * generic_copy_file_checks() and generic_file_rw_checks(), with these
 * differences, each of which a caller can only gain from: any negative offset
 * is EINVAL; a length that would wrap is shortened; the end of the source is
 * found before limits of the target are looked at, so nothing to copy is never
 * EFBIG.
 */
#include <signal.h>
#include <sys/stat.h>

#include "core.h"

#define DENSE_MAX ((uint64_t)128 << 10)

/* Block devices that were opened by name are copied too; of descriptors copy_file_range(2) refuses
 * them. */
static bool has_ranges(const struct file *file)
{
	return S_ISREG(file->id.type) || (S_ISBLK(file->id.type) && !file->fd_borrowed);
}

static int check_types(const struct copy_req *req)
{
	mode_t in = req->in->id.type, out = req->out->id.type;

	if (S_ISDIR(in) || S_ISDIR(out))
		return -EISDIR;
	if (!has_ranges(req->in) || !has_ranges(req->out))
		return -EINVAL;
	return 0;
}

static int check_modes(const struct copy_req *req)
{
	int in = req->in->oflags, out = req->out->oflags;

	/* The fourth mode, O_WRONLY | O_RDWR, can neither read nor write. */
	if ((in & O_ACCMODE) != O_RDONLY && (in & O_ACCMODE) != O_RDWR)
		return -EBADF;
	if ((out & O_ACCMODE) != O_WRONLY && (out & O_ACCMODE) != O_RDWR)
		return -EBADF;
	return out & O_APPEND ? -EBADF : 0;
}

/* A file opened before it became immutable is still refused; append-only is not. */
static int check_target(const struct copy_req *req)
{
	struct statx stx;
	int err;

	if (req->out->fresh)
		return 0;
	err = cr_getattr(req->out, NULL, &stx);
	if (!err && (stx.stx_attributes & STATX_ATTR_IMMUTABLE))
		err = -EPERM;
	return err;
}

/*
 * The kernel refuses swap space on either side.  Where it will be asked to copy
 * it says so by itself; elsewhere the rooms are asked, since read(2) of such a
 * file is allowed.
 */
static int check_busy(const struct copy_req *req)
{
	const unsigned not_kernel = COPY_RANGE_NO_CLONE | COPY_RANGE_NO_OFFLOAD |
				    COPY_RANGE_FILL_HOLES | COPY_RANGE_PUNCH_ZEROS;
	const unsigned lost = 1u << COPY_OFFLOAD;
	struct mount *mnt = req->out->mnt;
	int err;

	if (req->len && req->in->mnt == mnt && !(req->flags & not_kernel) &&
	    !(atomic_load_explicit(&mnt->lost, memory_order_relaxed) & lost))
		return 0;
	err = op_busy(req->in);
	return err ? err : op_busy(req->out);
}

/*
 * A small file that takes as much storage as it is long has no holes worth two
 * questions for each of thousands of such files.  Storage set aside beyond its
 * end could hide one: then zeros are copied, which is only less compact.
 */
static bool is_dense(const struct statx *stx)
{
	return stx->stx_size <= DENSE_MAX && stx->stx_blocks * 512 >= stx->stx_size;
}

/*
 * The end of the source.  Files of /proc and their like have content and no
 * size: one read tells, and only the stream can copy them.
 */
static int clip_to_source(struct copy_req *req, struct copy_limits *lim)
{
	struct statx stx;
	char byte;
	ssize_t n;
	int err = req->flags & COPY_RANGE_AS_OPENED ? cr_getattr_open(req->in, &stx)
						    : cr_getattr(req->in, NULL, &stx);

	if (err)
		return err;
	if ((uint64_t)req->pos_in < stx.stx_size) {
		req->len = MIN(req->len, stx.stx_size - (uint64_t)req->pos_in);
		if (is_dense(&stx))
			req->flags |= COPY_DENSE;
		return 0;
	}
	if (stx.stx_size || !req->len) {
		req->len = 0;
		return 0;
	}
	n = cr_read(req->in, &byte, 1, req->pos_in);
	if (n < 0)
		return (int)n;
	if (n == 0)
		req->len = 0;
	else
		lim->unsized = true;
	return 0;
}

/* The largest file the target may become: RLIMIT_FSIZE, as generic_write_check_limits(). */
static int clip_to_target(struct copy_req *req, struct copy_limits *lim)
{
	uint64_t limit = MIN(ns_of(req->out)->file_limit, (uint64_t)INT64_MAX);
	uint64_t pos = (uint64_t)req->pos_out, len = req->len;

	if (!len)
		return 0;
	/* What cannot become larger is not begun when it is too small. */
	if (req->out->limit && (pos > req->out->limit || len > req->out->limit - pos))
		return -ENOSPC;
	if (pos >= limit) {
		if (limit < INT64_MAX)
			raise(SIGXFSZ);
		return -EFBIG;
	}
	lim->room = limit - pos;
	req->len = MIN(len, lim->room);
	lim->cut = len - req->len;
	return 0;
}

/* Another name, another open, another mount of one inode are one file. */
bool copy_same_file(const struct copy_req *req)
{
	const struct file_id *in = &req->in->id, *out = &req->out->id;

	if (req->in == req->out)
		return true;
	if (req->out->fresh || req->in->mnt->type->family != req->out->mnt->type->family)
		return false;
	return in->dev == out->dev && in->ino == out->ino;
}

static int check_overlap(const struct copy_req *req)
{
	uint64_t a = (uint64_t)req->pos_in, b = (uint64_t)req->pos_out;

	if (!copy_same_file(req))
		return 0;
	return b + req->len > a && b < a + req->len ? -EINVAL : 0;
}

int copy_check(struct copy_req *req, struct copy_limits *lim)
{
	int err;

	/* A file copied into itself grows by that: its end is where it is now. */
	*lim = (struct copy_limits){.to_eof = req->len == COPY_LEN_EOF && !copy_same_file(req)};
	if ((req->in->oflags | req->out->oflags) & O_PATH)
		return -EBADF;
	if (req->flags & ~COPY_RANGE_FLAGS || ns_of(req->in) != ns_of(req->out))
		return -EINVAL;
	err = check_types(req);
	if (!err)
		err = check_modes(req);
	if (!err && (req->pos_in < 0 || req->pos_out < 0))
		err = -EINVAL;
	if (!err)
		err = check_target(req);
	if (!err)
		err = check_busy(req);
	if (!err)
		err = clip_to_source(req, lim);
	if (!err)
		err = clip_to_target(req, lim);
	if (!err)
		err = check_overlap(req);
	return err;
}
