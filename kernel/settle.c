// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * settle.c - a copy that a server may still lose is one only when it cannot any more.
 *
 * Rooms with a settle method hand data to a server that keeps it in memory for a while.
 * Each piece of a copy ends with the question whether it is safe; what a restart of
 * the server has lost is copied once more, by whatever strategy does it.
 */
#include "core.h"

#define PIECE ((uint64_t)4 << 30) /* at most so much is copied once more */
#define TRIES 5

/* The part of @req that writes @lost, or -EIO where others wrote it too. */
static int part_of(const struct copy_req *req, const struct file_range *lost, struct copy_req *part)
{
	uint64_t out = (uint64_t)req->pos_out;

	if (lost->pos < out || lost->len > req->len || lost->pos - out > req->len - lost->len)
		return -EIO;
	*part = copy_rest(req, lost->pos - out, lost->len);
	part->progress = NULL; /* it has been counted */
	return 0;
}

static int once_more(const struct copy_req *req, unsigned gone, const struct file_range *lost)
{
	struct copy_result again = {0};
	struct copy_req part;
	int err = part_of(req, lost, &part);

	if (!err)
		err = copy_clipped(&part, gone, &again);
	if (!err && again.stopped) /* what was counted before is not there any more */
		return -EINTR;
	return !err && again.bytes < part.len ? -EIO : err;
}

/* All that @req says is on stable storage. */
static int settle(const struct copy_req *req, unsigned gone)
{
	struct file_range range = {.len = 0};
	int err = op_settle(req->out, &range);

	for (int i = 0; !err && range.len; i++) {
		err = i < TRIES ? once_more(req, gone, &range) : -EIO;
		if (!err)
			err = op_settle(req->out, &range);
	}
	return err;
}

/* copy_settled - copy_clipped(), and what it says it copied is safe from a server's restart */
int copy_settled(const struct copy_req *req, unsigned gone, struct copy_result *res)
{
	int err = 0;

	if (!req->out->op->settle)
		return copy_clipped(req, gone, res);
	while (!err && res->bytes < req->len && !res->stopped) {
		struct copy_req piece = copy_rest(req, res->bytes, PIECE);
		struct copy_result part = {0};

		err = copy_clipped(&piece, gone, &part);
		copy_result_add(res, &part);
		piece.len = MIN(piece.len, part.bytes);
		if (!err && part.bytes && !part.stopped)
			err = settle(&piece, gone);
		if (part.bytes < PIECE)
			break;
	}
	return err;
}
