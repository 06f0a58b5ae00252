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

static int zeros_write(struct file *out, off_t pos, uint64_t len)
{
	size_t size = (size_t)MIN(len, ZEROS_MAX);
	char *zeros = calloc(1, size);
	int err = 0;

	if (!zeros)
		return -ENOMEM;
	while (len && !err) {
		size_t done;

		err = full_write(out, zeros, (size_t)MIN(len, size), pos, &done);
		pos += (off_t)done;
		len -= done;
	}
	free(zeros);
	return err;
}

/*
 * Any refusal to punch leads to zeros being written: if there is a real
 * obstacle the write meets it too, and its error is the one to report.
 */
int hole_punch(struct file *out, off_t pos, uint64_t len)
{
	int err;

	do {
		err = cr_allocate(out, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, (off_t)len);
	} while (err == -EINTR);
	return err ? zeros_write(out, pos, len) : 0;
}

/*
 * The file must not have writers beyond this range meanwhile: there is no way
 * to extend a file that cannot shorten it when two do so at once.
 */
int hole_make(const struct copy_req *req, uint64_t len)
{
	uint64_t pos = (uint64_t)req->pos_out, end = pos + len, inside = 0, size;
	int err;

	if (!len)
		return 0;
	if (len > (uint64_t)INT64_MAX - pos)
		return -EFBIG;
	err = size_of(req->out, &size);
	if (err)
		return err;
	if (pos < size) {
		inside = MIN(len, size - pos);
		err = hole_punch(req->out, req->pos_out, inside);
	}
	if (err || end <= size)
		return err;
	err = cr_truncate(req->out, (off_t)end);
	if (err == -EOPNOTSUPP)
		err = zeros_write(req->out, (off_t)(pos + inside), len - inside);
	return err;
}
