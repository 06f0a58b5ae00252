// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hole.c - holes of the source, and holes in the target.
 *
 * What SEEK_DATA and SEEK_HOLE say is a hint: the file may change between two
 * questions, and file systems have answered wrongly.  So a question that fails,
 * or whose answer does not lead forward, makes the rest data: reading it tells
 * the truth, and no caller can loop without progress.  A caller that trusts no
 * hole at all sets COPY_RANGE_FILL_HOLES and never comes here.
 */
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "stream.h"

#define ZEROS_MAX ((size_t)256 << 10)

static int segment_set(struct segment *seg, uint64_t len, uint64_t max, bool hole)
{
	seg->len = MIN(len, max);
	seg->hole = hole;
	return 0;
}

/*
 * No data from here on: a hole up to the size, or the end.  ENXIO is also what a
 * file says that has become too short, so the hole has to be confirmed.
 */
static int segment_tail(const struct copy_req *req, uint64_t max, struct segment *seg)
{
	uint64_t size;

	if (size_of(req->in, &size))
		return segment_set(seg, max, max, false);
	if (size <= (uint64_t)req->pos_in)
		return segment_set(seg, 0, max, false);
	if (cr_seek(req->in, req->pos_in, SEEK_HOLE) != req->pos_in)
		return segment_set(seg, max, max, false);
	return segment_set(seg, size - (uint64_t)req->pos_in, max, true);
}

int segment_next(const struct copy_req *req, struct segment *seg)
{
	uint64_t max = MIN(req->len, (uint64_t)(INT64_MAX - req->pos_in));
	off_t data, hole;

	if (!max)
		return segment_set(seg, 0, 0, false);
	if (req->flags & COPY_DENSE)
		return segment_set(seg, max, max, false);
	data = cr_seek(req->in, req->pos_in, SEEK_DATA);
	if (data == -ENXIO)
		return segment_tail(req, max, seg);
	if (data < req->pos_in)
		return segment_set(seg, max, max, false);
	if (data > req->pos_in)
		return segment_set(seg, (uint64_t)(data - req->pos_in), max, true);
	hole = cr_seek(req->in, req->pos_in, SEEK_HOLE);
	if (hole <= req->pos_in)
		return segment_set(seg, max, max, false);
	return segment_set(seg, (uint64_t)(hole - req->pos_in), max, false);
}

static int zeros_write(const struct place *out, uint64_t len)
{
	size_t size = (size_t)MIN(len, ZEROS_MAX);
	char *zeros = calloc(1, size);
	struct place at = *out;
	int err = 0;

	if (!zeros)
		return -ENOMEM;
	while (len && !err) {
		size_t done;

		err = full_write(&at, zeros, (size_t)MIN(len, size), &done);
		at.pos += (off_t)done;
		len -= done;
		if (!err && len && place_stopped(&at))
			err = -ECANCELED;
	}
	free(zeros);
	return err;
}

/*
 * Any refusal to punch leads to zeros being written: if there is a real
 * obstacle the write meets it too, and its error is the one to report.
 */
int hole_punch(const struct place *out, uint64_t len)
{
	int err;

	do {
		err = cr_allocate(out->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, out->pos,
				  (off_t)len);
	} while (err == -EINTR);
	return err ? zeros_write(out, len) : 0;
}

int hole_inside(const struct copy_req *req, uint64_t len)
{
	const struct place out = {req->out, req->pos_out, req->stop};
	uint64_t pos = (uint64_t)req->pos_out, size;
	int err;

	if (len > (uint64_t)INT64_MAX - pos)
		return -EFBIG;
	err = size_of(req->out, &size);
	if (err || pos >= size)
		return err;
	return hole_punch(&out, MIN(len, size - pos));
}

/*
 * A block at the end of the file holds its size up; where that is a whole block
 * of ours it is given back.  Whatever the reason it cannot be had, a zero as
 * the last byte says whether it is a real one.
 */
static int reach_by_block(struct file *out, uint64_t size, uint64_t end)
{
	const struct place last = {.file = out, .pos = (off_t)end - 1};
	uint64_t block = out->mnt->block_size;
	size_t done;

	if (cr_allocate(out, 0, last.pos, 1))
		return full_write(&last, "", 1, &done);
	if (end % block == 0 && size <= end - block)
		cr_allocate(out, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(end - block),
			    (off_t)block);
	return 0;
}

/*
 * ftruncate(2) to @end would shorten a file that another copy, of a range behind
 * this one, has extended since the look at its size.  So it is for files that
 * nobody else has, and those that cannot be extended by a byte (O_DIRECT).
 */
int target_reach(struct file *out, uint64_t end)
{
	struct place at = {.file = out};
	uint64_t size;
	int err = size_of(out, &size);

	if (err || size >= end)
		return err;
	at.pos = (off_t)size;
	err = out->fresh ? -EINVAL : reach_by_block(out, size, end);
	if (err == -EINVAL)
		err = cr_truncate(out, (off_t)end);
	return err == -EOPNOTSUPP ? zeros_write(&at, end - size) : err;
}

int hole_make(const struct copy_req *req, uint64_t len)
{
	int err = len ? hole_inside(req, len) : 0;

	return err || !len ? err : target_reach(req->out, (uint64_t)req->pos_out + len);
}
