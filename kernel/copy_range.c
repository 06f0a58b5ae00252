// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * copy_range.c - the page to read first.
 *
 * A copy is a request that check.c has made sound, and a table of strategies,
 * cheapest first.  Each is asked for as much of the rest as it can do; who
 * declines has written nothing and says why, how far that reaches (this range,
 * this file, this pair of mounts, this mount), and after how many bytes asking
 * again is worth it.  So the unaligned head of a range can be offloaded, its
 * body cloned and its tail offloaded again.  This is the only fallback of the
 * project: no room calls another strategy by itself.
 */
#include <string.h>

#include "core.h"
#include "kernel/share.h"
#include "kernel/stream.h"

#define OFFLOAD_SLICE ((uint64_t)64 << 20)

static int clone_copy(const struct copy_req *req, struct copy_result *res)
{
	int err = op_clone_range(req, res);

	if (res->bytes) {
		uint64_t bytes = res->bytes;

		res->bytes = 0;
		copy_account(req, res, COPY_CLONE, bytes, 0);
	}
	return err;
}

static int offload_slice(const struct copy_req *req, struct copy_result *res)
{
	int err = op_copy_range(req, res);

	if (res->bytes) {
		uint64_t bytes = res->bytes;

		res->bytes = 0;
		copy_account(req, res, COPY_OFFLOAD, bytes, 0);
	}
	return err;
}

/* Before a hole is made in its name: who declines has written nothing. */
static int offload_possible(const struct copy_req *req, struct copy_result *res)
{
	struct copy_req none = copy_rest(req, 0, 0);

	return op_copy_range(&none, res);
}

/* The hole of @gap bytes behind the copied part is part of the copy too. */
static int offload_gap(const struct copy_req *req, struct copy_result *res, uint64_t gap)
{
	int err = target_reach(req->out, (uint64_t)req->pos_out + res->bytes + gap);

	if (!err)
		copy_account_hole(req, res, COPY_OFFLOAD, gap);
	return err;
}

/* A run of data behind a hole, which the target reaches over when something is copied. */
static int offload_data(const struct copy_req *req, struct copy_result *res, uint64_t *gap,
			uint64_t len)
{
	struct copy_req rest = copy_rest(req, res->bytes + *gap, len);
	bool whole = req->out->mnt->whole || S_ISBLK(req->out->id.type);
	struct copy_result part = {0};
	int err;

	/* Cached data is copied under the lock of the target: two would only wait for it. */
	if (!rest.jobs && len > OFFLOAD_SLICE && !source_is_cold(&rest, len))
		rest.jobs = 1;
	err = slices_run(&rest, &part, whole ? UINT64_MAX : OFFLOAD_SLICE, offload_slice);

	if (part.bytes && *gap) {
		copy_account_hole(req, res, COPY_OFFLOAD, *gap);
		*gap = 0;
	}
	copy_result_add(res, &part);
	return err;
}

/*
 * Data by the storage's own copy, slice by slice; holes are made here, because
 * such copies fill them.  A hole beyond the end of the target needs nothing
 * while data follows.
 */
static int offload_copy(const struct copy_req *req, struct copy_result *res)
{
	uint64_t gap = 0;
	int err = 0, more;

	while (!err && res->bytes + gap < req->len && !copy_stopped(req)) {
		uint64_t before = res->bytes + gap;
		struct copy_req rest = copy_rest(req, before, UINT64_MAX);
		struct segment seg;

		err = segment_next(&rest, &seg);
		if (err || !seg.len)
			break;
		if (seg.hole) {
			err = before ? 0 : offload_possible(&rest, res);
			err = err ? err : hole_inside(&rest, seg.len);
			gap += err ? 0 : seg.len;
			continue;
		}
		err = offload_data(req, res, &gap, seg.len);
		if (res->bytes + gap < before + seg.len)
			break;
	}
	more = gap ? offload_gap(req, res, gap) : 0;
	if ((err == -EXDEV || err == -EOPNOTSUPP) && res->bytes)
		err = 0;
	return err ? err : more;
}

static const struct copy_strategy strategies[COPY_STRATEGIES] = {
	[COPY_CLONE] = {"clone", clone_copy},	    [COPY_OFFLOAD] = {"offload", offload_copy},
	[COPY_ENCODED] = {"encoded", encoded_copy}, [COPY_GRANT] = {"grant", grant_copy},
	[COPY_STREAM] = {"stream", stream_copy},
};

const char *copy_strategy_name(unsigned s)
{
	return s < COPY_STRATEGIES ? strategies[s].name : NULL;
}

bool copy_stopped(const struct copy_req *req)
{
	return req->stop && __atomic_load_n(req->stop, __ATOMIC_RELAXED);
}

void copy_account(const struct copy_req *req, struct copy_result *res, enum copy_strategy_id s,
		  uint64_t bytes, uint64_t moved)
{
	res->bytes += bytes;
	res->by[s].bytes += bytes;
	res->by[s].moved += moved;
	res->by[s].ranges++;
	if (req->progress) {
		__atomic_fetch_add(&req->progress->bytes, bytes, __ATOMIC_RELAXED);
		__atomic_store_n(&req->progress->strategy, s, __ATOMIC_RELAXED);
	}
}

void copy_account_hole(const struct copy_req *req, struct copy_result *res, enum copy_strategy_id s,
		       uint64_t bytes)
{
	copy_account(req, res, s, bytes, 0);
	res->holes += bytes;
}

struct copy_req copy_rest(const struct copy_req *req, uint64_t done, uint64_t max)
{
	struct copy_req rest = *req;

	rest.pos_in += (int64_t)done;
	rest.pos_out += (int64_t)done;
	rest.len = MIN(req->len - done, max);
	return rest;
}

void copy_result_add(struct copy_result *sum, const struct copy_result *add)
{
	if (add->bytes)
		sum->stable = add->stable && (sum->stable || !sum->bytes);
	sum->bytes += add->bytes;
	sum->holes += add->holes;
	sum->stopped |= add->stopped;
	if (add->command)
		sum->command = add->command;
	for (unsigned s = 0; s < COPY_STRATEGIES; s++) {
		uint64_t count = sum->why[s].count + add->why[s].count;

		sum->by[s].bytes += add->by[s].bytes;
		sum->by[s].ranges += add->by[s].ranges;
		sum->by[s].moved += add->by[s].moved;
		if (!sum->why[s].reason)
			sum->why[s] = add->why[s];
		sum->why[s].count = count;
		if (sum->by[s].bytes > sum->by[sum->how].bytes)
			sum->how = s;
	}
}

/* A refusal that was heard before on these mounts, if any. */
static const struct copy_why *known_refusal(const struct copy_req *req,
					    const struct mount_pair *pair, unsigned s)
{
	unsigned bit = 1u << s;

	if (atomic_load_explicit(&req->out->mnt->lost, memory_order_acquire) & bit)
		return &req->out->mnt->why[s];
	if (pair && (atomic_load_explicit(&pair->lost, memory_order_acquire) & bit))
		return &pair->why[s];
	return NULL;
}

static void remember_refusal(const struct copy_req *req, struct mount_pair *pair, unsigned s,
			     const struct copy_why *why)
{
	struct cr_ns *ns = ns_of(req->out);
	struct mount *mnt = req->out->mnt;

	if (why->scope < COPY_THIS_PAIR)
		return;
	pthread_mutex_lock(&ns->lock);
	if (why->scope == COPY_THIS_MOUNT && !(mnt->lost & (1u << s))) {
		mnt->why[s] = *why;
		atomic_fetch_or_explicit(&mnt->lost, 1u << s, memory_order_release);
	} else if (why->scope == COPY_THIS_PAIR && pair && !(pair->lost & (1u << s))) {
		pair->why[s] = *why;
		atomic_fetch_or_explicit(&pair->lost, 1u << s, memory_order_release);
	}
	pthread_mutex_unlock(&ns->lock);
}

/*
 * A refusal is one of two errors and a reason from decline().  The same errors without a
 * reason come from a read or a write (some files of /sys answer EOPNOTSUPP) and are final.
 */
static bool is_refusal(int err, const struct copy_result *part, unsigned s)
{
	return (err == -EXDEV || err == -EOPNOTSUPP) && part->why[s].reason && !part->bytes;
}

/* Ask the strategies in order for a prefix of @req; @gone are out for the rest of the call. */
static int copy_step(struct copy_req *req, unsigned *gone, struct copy_result *part)
{
	struct mount_pair *pair = pair_of(ns_of(req->out), req->in->mnt, req->out->mnt);
	int err = -EOPNOTSUPP;

	for (unsigned s = 0; s < COPY_STRATEGIES; s++) {
		const struct copy_why *known;

		if (*gone & (1u << s))
			continue;
		known = known_refusal(req, pair, s);
		if (known) {
			decline(part, s, *known);
			err = -known->error;
			*gone |= 1u << s;
			continue;
		}
		err = strategies[s].run(req, part);
		if (!is_refusal(err, part, s))
			return err;
		remember_refusal(req, pair, s, &part->why[s]);
		if (part->why[s].after && part->why[s].after < req->len)
			req->len = part->why[s].after;
		else
			*gone |= 1u << s;
		err = -part->why[s].error;
	}
	return err;
}

/* The kernel copies no block devices, but disks may copy by themselves. */
static unsigned left_to_disks(struct copy_result *res, unsigned gone)
{
	const unsigned kept = COPY_RANGE_NO_OFFLOAD | COPY_RANGE_NO_STREAM | gone;

	for (unsigned s = 0; s < COPY_STRATEGIES; s++)
		if (!(kept & (1u << s)))
			decline(res, s,
				(struct copy_why){.reason = "block devices share no blocks",
						  .error = EINVAL});
	return COPY_RANGE_STRATEGIES & ~kept;
}

/* What flags and the kind of source leave out, with the reason where it is not the caller's. */
static unsigned left_out(const struct copy_req *req, const struct copy_limits *lim,
			 struct copy_result *res)
{
	const unsigned by_storage = COPY_RANGE_STRATEGIES & ~COPY_RANGE_NO_STREAM;
	unsigned gone = req->flags & COPY_RANGE_STRATEGIES;
	const char *reason = NULL;

	if (lim->unsized)
		reason = "the source has content but no size";
	else if (req->flags & COPY_RANGE_FILL_HOLES)
		reason = "every byte is to be written, holes too";
	else if (req->flags & COPY_RANGE_PUNCH_ZEROS)
		reason = "the data has to be looked at to find zeros";
	for (unsigned s = 0; reason && s < COPY_STREAM; s++)
		if (!(gone & (1u << s)))
			decline(res, s, (struct copy_why){.reason = reason, .error = EINVAL});
	if (reason)
		return gone | by_storage;
	if (S_ISBLK(req->in->id.type) || S_ISBLK(req->out->id.type))
		gone |= left_to_disks(res, gone);
	return gone;
}

/* A range is done. */
static void tell(const struct copy_req *req, const struct copy_req *range, struct copy_result *part)
{
	if (!req->told || !part->bytes)
		return;
	for (unsigned s = 0; s < COPY_STRATEGIES; s++)
		if (part->by[s].bytes > part->by[part->how].bytes)
			part->how = s;
	req->told(req->told_arg, range, part);
}

int copy_clipped(const struct copy_req *req, unsigned gone, struct copy_result *res)
{
	while (res->bytes < req->len) {
		struct copy_req rest = copy_rest(req, res->bytes, UINT64_MAX);
		struct copy_result part = {0};
		int err;

		if (copy_stopped(req)) {
			res->stopped = 1;
			return 0;
		}
		err = copy_step(&rest, &gone, &part);
		tell(req, &rest, &part);
		copy_result_add(res, &part);
		if (err == -ECANCELED && copy_stopped(req))
			continue;
		if (err)
			return err;
		if (!part.bytes && !copy_stopped(req))
			break;
	}
	return 0;
}

/* What is copied at one go cannot be told from what was copied before the source grew. */
#define AT_ONE_GO ((uint64_t)256 << 10)

/* The source may have grown while it was copied: true when there is more to do. */
static bool source_grew(struct copy_req *req, struct copy_limits *lim,
			const struct copy_result *res)
{
	struct statx stx;
	uint64_t len;

	if (res->bytes <= AT_ONE_GO)
		return false;
	if (cr_getattr(req->in, NULL, &stx) || stx.stx_size <= (uint64_t)req->pos_in + res->bytes)
		return false;
	len = stx.stx_size - (uint64_t)req->pos_in;
	req->len = MIN(len, lim->room);
	lim->cut = len - req->len;
	return req->len > res->bytes;
}

int copy_stable(const struct copy_req *req, struct copy_result *res)
{
	int err = 0;

	if (res->bytes && (req->flags & COPY_RANGE_STABLE)) {
		err = cr_sync(req->out, true);
		res->stable = !err;
	}
	return err;
}

int cr_copy_range(const struct copy_req *user, struct copy_result *res)
{
	struct copy_req req = *user;
	struct copy_limits lim;
	unsigned gone;
	int err;

	memset(res, 0, sizeof(*res));
	err = copy_check(&req, &lim);
	if (err || !req.len)
		return err;
	share_overwrite(&req);
	gone = left_out(&req, &lim, res);
	do {
		uint64_t before = req.len;

		err = copy_settled(&req, gone, res);
		if (err || res->stopped || res->bytes < before || lim.unsized)
			break;
	} while (lim.to_eof && source_grew(&req, &lim, res));
	/* The target is full while the source goes on; the signal is for who begins there. */
	if (!err && lim.cut && res->bytes == req.len)
		err = -EFBIG;
	if (err)
		res->stopped = 0; /* the error came first, or as well */
	return err ? err : copy_stable(&req, res);
}

/* A device is asked, and nothing is written there. */
static int probe_device(const struct copy_req *user, struct copy_result *res)
{
	const struct copy_limits lim = {0};
	struct copy_req req = *user;
	unsigned gone = left_out(&req, &lim, res);
	int err = 0;

	req.len = 0;
	if (!(gone & COPY_RANGE_NO_CLONE))
		op_clone_range(&req, res);
	if (!(gone & COPY_RANGE_NO_OFFLOAD)) {
		err = op_copy_range(&req, res);
		res->by[COPY_OFFLOAD].bytes = !err;
	}
	if (!(gone & COPY_RANGE_NO_ENCODED))
		decline(res, COPY_ENCODED,
			(struct copy_why){.reason = "a device has no encoded extents",
					  .error = EOPNOTSUPP});
	if (!(gone & COPY_RANGE_NO_GRANT))
		res->by[COPY_GRANT].bytes = !op_can_grant(&req, res);
	res->by[COPY_STREAM].bytes = !(gone & COPY_RANGE_NO_STREAM);
	return err && !res->why[COPY_OFFLOAD].reason ? err : 0;
}

int cr_probe(const struct copy_req *user, struct copy_result *res)
{
	memset(res, 0, sizeof(*res));
	if (user->out->limit)
		return probe_device(user, res);
	for (unsigned s = 0; s < COPY_STRATEGIES; s++) {
		struct copy_req req = *user;
		struct copy_result one;
		int err;

		req.len = MIN(req.len, (uint64_t)1 << 20);
		req.flags |= COPY_RANGE_STRATEGIES & ~(1u << s);
		if (user->flags & (1u << s))
			continue;
		err = cr_copy_range(&req, &one);
		if (err && !one.why[s].reason)
			return err;
		res->by[s] = one.by[s];
		res->why[s] = one.why[s];
		err = cr_truncate(req.out, 0);
		if (err)
			return err;
	}
	return 0;
}
