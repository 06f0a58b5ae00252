// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * throttle.c - --bwlimit: all workers together move no more than so many bytes a
 * second.
 *
 * A bucket that may run into debt: who has moved bytes waits until they are paid
 * for, so a piece is never larger than a fraction of a second's worth.  The copy of
 * a file is asked for piece by piece, whatever strategy does it.  Clones and holes
 * move nothing and cost nothing; encoded bytes count as stored.
 */
#include <errno.h>
#include <time.h>

#include "ocp.h"

#define PIECE_LEAST ((uint64_t)64 << 10)
#define PIECE_ALIGN ((uint64_t)128 << 10) /* the largest compressed extent of btrfs */
#define PIECE_MOST  ((uint64_t)16 << 20)
#define NAP_NS	    100000000 /* a signal is not kept waiting longer */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* throttle_pay - @bytes have been moved: wait until that was allowed */
void throttle_pay(struct ocp *ocp, uint64_t bytes)
{
	uint64_t now = now_ns(), until, cost;

	cost = (uint64_t)((double)bytes / (double)ocp->o->bwlimit * 1e9);
	pthread_mutex_lock(&ocp->throttle_lock);
	if (ocp->throttle_paid < now)
		ocp->throttle_paid = now;
	until = ocp->throttle_paid += cost;
	pthread_mutex_unlock(&ocp->throttle_lock);
	while (now < until && !ocp_stopped(ocp)) {
		uint64_t left = until - now < NAP_NS ? until - now : NAP_NS;
		struct timespec nap = {0, (long)left};

		nanosleep(&nap, NULL);
		now = now_ns();
	}
}

/* An eighth of a second's worth. */
static uint64_t piece_size(uint64_t rate)
{
	uint64_t size = rate / 8;

	if (size < PIECE_ALIGN)
		return PIECE_LEAST;
	return size > PIECE_MOST ? PIECE_MOST : size - size % PIECE_ALIGN;
}

static uint64_t cost_of(const struct copy_result *res)
{
	uint64_t bytes = res->by[COPY_OFFLOAD].bytes + res->by[COPY_STREAM].bytes +
			 res->by[COPY_GRANT].bytes;

	return bytes - (res->holes < bytes ? res->holes : bytes) + res->by[COPY_ENCODED].moved;
}

/* A hole is one piece, however long. */
static uint64_t next_len(const struct copy_req *req, uint64_t piece)
{
	off_t data;

	if (req->flags & COPY_RANGE_FILL_HOLES)
		return piece;
	data = cr_seek(req->in, req->pos_in, SEEK_DATA);
	if (data == -ENXIO)
		return COPY_LEN_EOF;
	return data > req->pos_in ? (uint64_t)(data - req->pos_in) : piece;
}

/* The first piece of @req; *@end where no more will come. */
static int step(struct ocp *ocp, struct copy_req *req, struct copy_result *part, uint64_t piece,
		bool *end)
{
	uint64_t len = next_len(req, piece);
	int err;

	if (req->len != COPY_LEN_EOF && len > req->len)
		len = req->len;
	req->len = len;
	err = cr_copy_range(req, part);
	*end = err || part->stopped || part->bytes < len;
	throttle_pay(ocp, cost_of(part));
	return err;
}

int clone_first(const struct copy_req *req, struct copy_result *sum)
{
	const unsigned others = COPY_RANGE_STRATEGIES & ~COPY_RANGE_NO_CLONE;
	struct copy_req clone = *req;
	int err;

	if ((req->flags & COPY_RANGE_NO_CLONE) || (req->flags & others) == others)
		return 1;
	clone.flags |= COPY_RANGE_CLONE_ONLY;
	err = cr_copy_range(&clone, sum);
	return err == -EOPNOTSUPP || err == -EXDEV ? 1 : err;
}

/* throttle_copy - cr_copy_range() within the limit; @size: of the source, 0 where it has none */
int throttle_copy(struct ocp *ocp, uint64_t size, const struct copy_req *req,
		  struct copy_result *sum)
{
	const uint64_t piece = piece_size(ocp->o->bwlimit);
	int err = 1;
	bool end;

	*sum = (struct copy_result){0};
	if (size <= piece) { /* what has no size, as in /proc, is copied at one go */
		err = cr_copy_range(req, sum);
		throttle_pay(ocp, cost_of(sum));
		return err;
	}
	err = clone_first(req, sum);
	end = err != 1;
	while (!end) {
		struct copy_result part = {0};
		struct copy_req rest = *req;

		rest.pos_in += (int64_t)sum->bytes;
		rest.pos_out += (int64_t)sum->bytes;
		if (rest.len != COPY_LEN_EOF)
			rest.len -= sum->bytes;
		if (!rest.len)
			return 0;
		if ((req->flags & COPY_RANGE_CLONE_ONLY) != COPY_RANGE_CLONE_ONLY)
			rest.flags |= COPY_RANGE_NO_CLONE;
		err = step(ocp, &rest, &part, piece, &end);
		copy_result_add(sum, &part);
	}
	return err;
}
