// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * encoded.c - compressed extents move as they are stored, shared ones stay shared.
 *
 * The source lists its extents (a plan: it may change meanwhile), several
 * workers take them in file order.  A compressed one is read encoded, and what
 * that read answers is the truth; it is written encoded when that costs no more
 * space than its plain bytes would.  Everything else of the range - plain
 * extents, unaligned ends, small remains of an extent, what one side refuses -
 * is read and written plain, for that extent only, and counted as stream.
 * Holes and preallocated space become holes.  Extents that others refer to go by
 * the map of the request, if it has one (share.c), and later ones are clones.
 *
 * A long run of plain data is the stream's business: it ends the call, or is
 * declined with its length when the range begins with it.
 *
 * The first extents are tried before anything else happens to the target, so
 * that a refusal (no privilege, a nodatacow file) leaves it untouched.  Then its
 * final size is set and the workers start: growing a file whose end is in the
 * middle of a block makes btrfs rewrite that block.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/encoded.h"
#include "kernel/stream.h"

#define SCAN_PLANS  64			 /* how far to look for something to keep */
#define LONG_RUN    ((uint64_t)4 << 20)	 /* plain bytes that the stream does better */
#define PLAIN_ITEM  ((uint64_t)1 << 20)	 /* plain bytes that one worker takes at once */
#define SHARED_ITEM ((uint64_t)16 << 20) /* shared ones: a clone for each item */
#define JOBS_MAX    16			 /* workers by default, */
#define JOBS_LIMIT  32			 /* and when they are asked for */

/* Better compression is a larger number, whatever the sector size of LZO. */
static unsigned rank(uint32_t compression)
{
	switch (compression) {
	case ENCODED_NONE:
		return 0;
	case ENCODED_ZLIB:
		return 2;
	case ENCODED_ZSTD:
		return 3;
	default:
		return 1;
	}
}

const char *why_not_encoded(const struct encoder *e, const struct file_extent *ext)
{
	if (ext->flags & EXTENT_DELALLOC)
		return "not on the disk yet";
	if (!e->can_encode)
		return "not both files are on btrfs";
	if (ext->flags & EXTENT_ENCODED)
		return NULL;
	if (!ext->compression)
		return "stored uncompressed";
	if (!lzo_fits(e, ext->compression))
		return "compressed with LZO for another block size";
	if ((e->req->flags & COPY_RANGE_RECOMPRESS) &&
	    rank(ext->compression) < rank(op_compression(e->req->out)))
		return "the destination compresses better";
	return NULL;
}

/* How an extent goes, as far as the plan can tell, and why not a better way. */
static enum way way_of(const struct encoder *e, const struct file_extent *ext, const char **why)
{
	*why = NULL;
	if (is_hole(ext))
		return WAY_HOLE;
	if (share_wants(&e->share, ext))
		return WAY_SHARED;
	*why = why_not_encoded(e, ext);
	if (!*why && !(ext->flags & EXTENT_ENCODED) &&
	    ext->disk_len > round_up(ext->len, e->sector))
		*why = "only a small part of the compressed extent is used";
	return *why ? WAY_PLAIN : WAY_ENCODED;
}

void note(struct worker *w, const char *reason, int error)
{
	struct copy_why *why = &w->res.why[COPY_ENCODED];

	if (!why->reason)
		*why = WHY(reason, COPY_THIS_RANGE, error);
	why->count++;
}

/* Items ------------------------------------------------------------------ */

static int plan_fill(struct encoder *e, uint64_t pos)
{
	int got = op_extents(e->req->in, (off_t)pos, e->plan, PLAN_EXTENTS,
			     e->share.map ? EXTENTS_SHARED : 0);

	e->at = 0;
	e->n = got > 0 ? (unsigned)got : 0;
	return got;
}

/* Adds plain or empty neighbours of one kind to the first extent of the item. */
static void take_alike(struct encoder *e, struct file_extent *ext, enum way way, const char *why)
{
	const char *other;

	while (e->at < e->n && ext->len < PLAIN_ITEM && way_of(e, &e->plan[e->at], &other) == way &&
	       other == why)
		ext->len += e->plan[e->at++].len;
}

/* Leaves what is beyond @max of the extent just taken in the plan. */
static void give_back(struct encoder *e, struct file_extent *ext, uint64_t max)
{
	struct file_extent *rest;

	if (ext->len <= max)
		return;
	rest = &e->plan[--e->at];
	*rest = *ext;
	rest->pos += max;
	rest->offset += max;
	rest->len -= max;
	ext->len = max;
}

/* Plain data: never so much that the stream would do it better, and not all to one worker. */
static bool take_plain(struct encoder *e, struct file_extent *ext)
{
	if (e->run + ext->len > LONG_RUN) {
		e->end = e->next;
		return false;
	}
	give_back(e, ext, PLAIN_ITEM);
	e->run += ext->len;
	return true;
}

static void take_shared(struct encoder *e, struct item *item)
{
	uint64_t len = item->ext[0].len;
	const char *why;

	give_back(e, &item->ext[0], SHARED_ITEM);
	while (e->at < e->n && item->n < ITEM_EXTENTS && len < SHARED_ITEM &&
	       way_of(e, &e->plan[e->at], &why) == WAY_SHARED) {
		struct file_extent *ext = &item->ext[item->n++];

		*ext = e->plan[e->at++];
		give_back(e, ext, SHARED_ITEM);
		len += ext->len;
	}
}

/* The item ends where the range does. */
static void cut_item(struct encoder *e, struct item *item)
{
	struct file_extent *last = &item->ext[item->n - 1];

	while (item->n > 1 && last->pos >= e->end) {
		item->n--;
		last--;
	}
	last->len = MIN(last->len, e->end - last->pos);
	e->next = last->pos + last->len;
}

/* The next item of the plan, in file order; false: nothing more to hand out. */
static bool next_locked(struct encoder *e, struct item *item, enum way *way)
{
	const char *why;

	if (e->next >= e->end || copy_stopped(e->req))
		return false;
	if (e->at == e->n && plan_fill(e, e->next) <= 0) {
		e->end = e->next; /* the source ends, or will list no more: the core asks again */
		return false;
	}
	item->n = 1;
	item->ext[0] = e->plan[e->at++];
	assert(item->ext[0].pos == e->next && item->ext[0].len);
	*way = way_of(e, &item->ext[0], &why);
	if (*way == WAY_SHARED)
		take_shared(e, item);
	else if (*way != WAY_ENCODED)
		take_alike(e, &item->ext[0], *way, why);
	if (*way == WAY_PLAIN && !take_plain(e, &item->ext[0]))
		return false;
	if (*way == WAY_ENCODED || *way == WAY_SHARED)
		e->run = 0;
	cut_item(e, item);
	return true;
}

bool next_item(struct encoder *e, struct item *item, enum way *way)
{
	bool more;

	pthread_mutex_lock(&e->lock);
	more = next_locked(e, item, way);
	pthread_mutex_unlock(&e->lock);
	return more;
}

/* A worker stopped at @pos: everything after it is undone. */
void broke_at(struct encoder *e, uint64_t pos, int err)
{
	pthread_mutex_lock(&e->lock);
	if (pos < e->broken) {
		e->broken = pos;
		e->err = err;
	}
	if (e->end > e->next)
		e->end = e->next;
	pthread_mutex_unlock(&e->lock);
}

int copy_item(struct worker *w, const struct item *item, enum way way)
{
	const struct file_extent *ext = &item->ext[0], *last = &item->ext[item->n - 1];

	w->pos = ext->pos;
	w->end = last->pos + last->len;
	switch (way) {
	case WAY_HOLE:
		return copy_hole(w);
	case WAY_SHARED:
		return copy_shared(w, item);
	case WAY_ENCODED:
		return copy_kept(w);
	default:
		return copy_extent_plain(w, ext);
	}
}

/* Workers ---------------------------------------------------------------- */

/* Takes items until there are none, or, with @until_proved, until the target took an extent. */
static void work(struct worker *w, bool until_proved)
{
	struct encoder *e = w->e;
	struct item item;
	enum way way;

	while (!(until_proved && atomic_load(&e->proved)) && next_item(e, &item, &way)) {
		int err = copy_item(w, &item, way);

		if (err || w->pos < w->end)
			broke_at(e, w->pos, err < 0 ? err : 0);
	}
}

void worker_end(struct worker *w)
{
	share_close(&w->e->share, w->from_slot, w->from);
	free(w->buf);
}

/* The workers of one call; each takes a place. */
struct team {
	struct encoder *e;
	atomic_uint taken;
	struct worker w[JOBS_LIMIT];
};

static void team_work(void *arg)
{
	struct team *team = arg;
	struct worker *w = &team->w[atomic_fetch_add(&team->taken, 1)];

	w->e = team->e;
	w->buf = malloc(ENCODED_BUF);
	if (w->buf)
		work(w, false);
}

static unsigned job_count(const struct encoder *e)
{
	uint64_t most = (e->end - e->next) / (4 * ENCODED_MAX) + 1;
	size_t mem = e->req->mem_max ? e->req->mem_max : COPY_MEM_DEFAULT;

	if (e->req->flags & COPY_RANGE_SERIAL)
		return 1;
	most = MIN(most, e->req->jobs ? e->req->jobs : JOBS_MAX);
	return (unsigned)MAX(MIN(MIN(most, mem / ENCODED_BUF), JOBS_LIMIT), 1);
}

/*
 * The rest of the range by several workers.  Without memory for them it stays
 * undone, and the core asks again.
 */
static void work_together(struct encoder *e, struct copy_result *sum)
{
	struct team team = {.e = e};
	unsigned jobs = job_count(e);

	if (jobs > 1 && e->new_size > e->old_size) {
		e->sized = !target_reach(e->req->out, e->new_size);
		if (!e->sized)
			jobs = 1;
	}
	if (jobs > 1)
		uring_work(e, sum);
	workers_run(e->next < e->end ? jobs : 0, team_work, &team);
	for (unsigned i = 0; i < atomic_load(&team.taken); i++) {
		copy_result_add(sum, &team.w[i].res);
		worker_end(&team.w[i]);
	}
}

/* Cuts the target back to what is there without a gap, unless someone else made it longer. */
static void cut_back(struct encoder *e, uint64_t bytes)
{
	uint64_t size = MAX(e->old_size, (uint64_t)e->req->pos_out + bytes);
	struct statx stx;

	if (size < e->new_size && !cr_getattr(e->req->out, NULL, &stx) &&
	    stx.stx_size == e->new_size)
		cr_truncate(e->req->out, (off_t)size);
}

/* What lies beyond the first gap was counted too: taken from whoever moved most. */
static void uncount(struct copy_result *res, uint64_t excess)
{
	while (excess) {
		struct copy_tally *most = &res->by[0];
		uint64_t some;

		for (unsigned s = 1; s < COPY_STRATEGIES; s++)
			if (res->by[s].bytes > most->bytes)
				most = &res->by[s];
		some = MIN(excess, most->bytes);
		if (!some)
			return;
		most->bytes -= some;
		most->moved -= MIN(some, most->moved);
		excess -= some;
	}
}

static int encode(struct encoder *e, struct copy_result *res)
{
	struct worker first = {.e = e, .buf = malloc(ENCODED_BUF)};
	uint64_t reached;
	int err = 0;

	if (!first.buf)
		return -ENOMEM;
	work(&first, true);
	worker_end(&first);
	if (e->next < e->end)
		work_together(e, &first.res);
	reached = MIN(e->next, e->broken) - (uint64_t)e->req->pos_in;
	if (!reached && e->gave_up.reason)
		return decline(res, COPY_ENCODED, e->gave_up);
	if (e->sized)
		cut_back(e, reached);
	uncount(&first.res, first.res.bytes - reached);
	copy_result_add(res, &first.res);
	res->bytes = reached;
	res->holes = MIN(res->holes, reached);
	/* A hole at the end of what counts is there when the file reaches over it. */
	if (!e->sized && res->holes)
		err = target_reach(e->req->out, (uint64_t)e->req->pos_out + reached);
	return e->err ? e->err : err;
}

/* Whether to begin ------------------------------------------------------- */

/* What lies before the first extent to keep. */
struct ahead {
	uint64_t pos; /* of it, or where the search ended */
	uint64_t run; /* plain bytes before it */
	bool found;
	const char *reason; /* of a compressed one that is not kept */
};

static int look_ahead(struct encoder *e, struct ahead *a)
{
	const char *why;

	for (unsigned plan = 0; plan < SCAN_PLANS && a->pos < e->end; plan++) {
		int got = plan_fill(e, a->pos);

		if (got <= 0)
			return got;
		for (unsigned i = 0; i < e->n && a->pos < e->end; i++) {
			const struct file_extent *ext = &e->plan[i];
			enum way way = way_of(e, ext, &why);

			a->found = way == WAY_ENCODED || way == WAY_SHARED;
			if (a->found)
				return 0;
			if (ext->compression)
				a->reason = why;
			a->run += way == WAY_PLAIN ? ext->len : 0;
			a->pos = ext->pos + ext->len;
		}
	}
	return 0;
}

/* Goes on when the first extent to keep is near; else declines, with the way to it when it is far.
 */
static int begin(struct encoder *e, struct copy_result *res)
{
	struct ahead a = {.pos = e->next, .reason = "nothing here is stored compressed"};
	struct copy_why why = WHY(NULL, COPY_THIS_FILE, EOPNOTSUPP);
	int err = look_ahead(e, &a);

	if (err < 0)
		return decline(res, COPY_ENCODED,
			       WHY("the source does not list its extents",
				   err == -EOPNOTSUPP ? COPY_THIS_PAIR : COPY_THIS_FILE, -err));
	if (a.found && a.run <= LONG_RUN) {
		if (e->plan[0].pos != e->next)
			e->n = 0;
		return 0;
	}
	why.reason = e->can_encode ? a.reason : "not both files are on btrfs";
	if (a.pos < e->end && e->n) {
		why.scope = COPY_THIS_RANGE;
		why.after = a.pos - e->next;
	}
	return decline(res, COPY_ENCODED, why);
}

static int start(struct encoder *e, struct copy_result *res)
{
	const struct copy_req *req = e->req;
	uint64_t head = (uint64_t)req->pos_out % e->sector;
	struct statx stx;
	int err;

	if ((uint64_t)req->pos_in % e->sector != head)
		return decline(res, COPY_ENCODED,
			       WHY("the offsets differ within a block", COPY_THIS_RANGE, EINVAL));
	if (head && req->len <= e->sector - head)
		return decline(res, COPY_ENCODED,
			       WHY("the range is less than a block", COPY_THIS_RANGE, EINVAL));
	err = begin(e, res);
	if (err)
		return err;
	err = cr_getattr(req->out, NULL, &stx);
	if (err)
		return err;
	e->old_size = stx.stx_size;
	e->new_size = MAX(e->old_size, (uint64_t)req->pos_out + req->len);
	return encode(e, res);
}

int encoded_copy(const struct copy_req *req, struct copy_result *res)
{
	struct encoder e = {
		.req = req,
		.sector = req->out->mnt->block_size,
		.can_encode = req->in->op->read_encoded && req->out->op->write_encoded,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.next = (uint64_t)req->pos_in,
		.end = (uint64_t)req->pos_in + req->len,
		.broken = UINT64_MAX,
	};
	const char *alone = share_begin(&e.share, req);
	int err;

	if (!e.can_encode && !e.share.map)
		return decline(res, COPY_ENCODED,
			       WHY("not both files are on btrfs",
				   req->share ? COPY_THIS_FILE : COPY_THIS_PAIR, EOPNOTSUPP));
	err = start(&e, res);
	if (alone && !res->why[COPY_ENCODED].reason)
		res->why[COPY_ENCODED] = WHY(alone, COPY_THIS_RANGE, EXDEV);
	share_end(&e.share);
	return err;
}
