// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * encoded.c - compressed extents move as they are stored.
 *
 * The source lists its extents (a plan: it may change meanwhile), several
 * workers take them in file order.  A compressed one is read encoded, and what
 * that read answers is the truth; it is written encoded when that costs no more
 * space than its plain bytes would.  Everything else of the range - plain
 * extents, unaligned ends, small remains of an extent, what one side refuses -
 * is read and written plain, for that extent only, and counted as stream.
 * Holes and preallocated space become holes.
 *
 * A long run of plain data is the stream's business: it ends the call, or is
 * declined with its length when the range begins with it.
 *
 * The first compressed extents are tried before anything else happens to the
 * target, so that a refusal (no privilege, a nodatacow file) leaves it untouched.
 * Then its final size is set and the workers start: growing a file whose end is
 * in the middle of a block makes btrfs rewrite that block.
 */
#include <assert.h>
#include <linux/fs.h>
#include <stdlib.h>

#include "core.h"

#define PLAN_EXTENTS 64
#define SCAN_PLANS   64			 /* how far to look for something to keep */
#define LONG_RUN     ((uint64_t)4 << 20) /* plain bytes that the stream does better */
#define PLAIN_ITEM   ((uint64_t)1 << 20) /* plain bytes that one worker takes at once */
#define BUF_SIZE     ((size_t)ENCODED_MAX)
#define JOBS_MAX     8

#define WHY(text, scope_, err)                                                                     \
	((struct copy_why){.reason = (text), .scope = (scope_), .error = (err)})

/* One call, shared by its workers. */
struct encoder {
	const struct copy_req *req;
	uint64_t sector;
	uint64_t old_size, new_size; /* of the target, before and after */
	bool sized;		     /* new_size is set */
	atomic_bool proved;	     /* the target took an encoded extent */

	pthread_mutex_t lock; /* all below */
	struct file_extent plan[PLAN_EXTENTS];
	unsigned n, at;
	uint64_t next, end; /* position of the source: not handed out yet, and the last */
	uint64_t run;	    /* plain bytes handed out since the last extent that was kept */
	uint64_t broken;    /* the lowest position that was not reached */
	int err;
	struct copy_why gave_up; /* reason set: the target takes no encoded extents at all */
};

struct worker {
	struct encoder *e;
	struct copy_result res;
	uint64_t pos, end; /* what is left of the item in work, in the source */
	unsigned char *buf;
	pthread_t thread;
};

/* What the functions below return beside 0 and a negative errno. */
enum { SOURCE_ENDED = 1, REFUSED, GAVE_UP };

static uint64_t out_of(const struct encoder *e, uint64_t pos)
{
	return pos - (uint64_t)e->req->pos_in + (uint64_t)e->req->pos_out;
}

static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

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

/* LZO is framed by the sector; btrfs takes only that of its own sector size. */
static bool lzo_fits(const struct encoder *e, uint32_t compression)
{
	return compression < ENCODED_LZO_4K || e->sector == 4096u << (compression - ENCODED_LZO_4K);
}

static bool is_hole(const struct file_extent *ext)
{
	return ext->flags & (EXTENT_HOLE | EXTENT_PREALLOC);
}

/* Why an extent is not kept as it is stored, as far as the plan can tell; NULL: it is. */
static const char *why_plain(const struct encoder *e, const struct file_extent *ext)
{
	if ((ext->flags & EXTENT_DELALLOC) || is_hole(ext))
		return "not on the disk yet";
	if (ext->flags & EXTENT_ENCODED)
		return NULL;
	if (!ext->compression)
		return "stored uncompressed";
	if (!lzo_fits(e, ext->compression))
		return "compressed with LZO for another block size";
	if ((e->req->flags & COPY_RANGE_RECOMPRESS) &&
	    rank(ext->compression) < rank(e->req->out->mnt->compression))
		return "the destination compresses better";
	if (ext->disk_len > round_up(ext->len, e->sector))
		return "only a small part of the compressed extent is used";
	return NULL;
}

static void note(struct worker *w, const char *reason, int error)
{
	struct copy_why *why = &w->res.why[COPY_ENCODED];

	if (!why->reason)
		*why = WHY(reason, COPY_THIS_RANGE, error);
	why->count++;
}

/* Items ------------------------------------------------------------------ */

static int plan_fill(struct encoder *e, uint64_t pos)
{
	int got = op_extents(e->req->in, (off_t)pos, e->plan, PLAN_EXTENTS, 0);

	e->at = 0;
	e->n = got > 0 ? (unsigned)got : 0;
	return got;
}

/*
 * The next extent of the plan; neighbours that are plain alike are taken
 * together, long ones in pieces.  False: nothing more to hand out.
 */
static bool next_locked(struct encoder *e, struct file_extent *ext)
{
	const char *why;

	if (e->next >= e->end || copy_stopped(e->req))
		return false;
	if (e->at == e->n && plan_fill(e, e->next) <= 0) {
		e->end = e->next; /* the source ends here, or will list no more: the core asks again
				   */
		return false;
	}
	*ext = e->plan[e->at];
	assert(ext->pos == e->next && ext->len);
	why = why_plain(e, ext);
	while (++e->at < e->n && why && ext->len < PLAIN_ITEM &&
	       why_plain(e, &e->plan[e->at]) == why && is_hole(&e->plan[e->at]) == is_hole(ext))
		ext->len += e->plan[e->at].len;
	if (why && !is_hole(ext)) {
		if (e->run + ext->len > LONG_RUN) {
			e->end = e->next;
			return false;
		}
		if (ext->len > PLAIN_ITEM) {
			struct file_extent *rest = &e->plan[--e->at];

			rest->len = ext->len - PLAIN_ITEM;
			rest->pos = ext->pos + PLAIN_ITEM;
			ext->len = PLAIN_ITEM;
		}
		e->run += ext->len;
	} else if (!why) {
		e->run = 0;
	}
	ext->len = MIN(ext->len, e->end - ext->pos);
	e->next = ext->pos + ext->len;
	return true;
}

static bool next_item(struct encoder *e, struct file_extent *ext)
{
	bool more;

	pthread_mutex_lock(&e->lock);
	more = next_locked(e, ext);
	pthread_mutex_unlock(&e->lock);
	return more;
}

/* A worker stopped at @pos: everything after it is undone. */
static void broke_at(struct encoder *e, uint64_t pos, int err)
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

/* Moving ----------------------------------------------------------------- */

static int write_all(struct worker *w, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = cr_write(w->e->req->out, w->buf + done, len - done,
				     (off_t)(out_of(w->e, w->pos)));

		if (n <= 0)
			return n ? (int)n : -EIO;
		copy_account(w->e->req, &w->res, COPY_STREAM, (uint64_t)n, (uint64_t)n);
		done += (size_t)n;
		w->pos += (uint64_t)n;
	}
	return 0;
}

/*
 * Plain bytes at w->pos, past the page cache: reading them through it would
 * read ahead into compressed neighbours, which would be read twice then.
 */
static ssize_t read_direct(struct worker *w, size_t len)
{
	struct encoded_iov ev;
	ssize_t n = cr_read_encoded(w->e->req->in, &ev, w->buf, BUF_SIZE, (off_t)w->pos);

	if (n <= 0 || ev.compression != ENCODED_NONE)
		return -EAGAIN;
	return MIN(n, (ssize_t)len);
}

static int copy_plain(struct worker *w, uint64_t end, bool direct)
{
	while (w->pos < end && !copy_stopped(w->e->req)) {
		size_t len = (size_t)MIN(end - w->pos, BUF_SIZE);
		ssize_t n = direct ? read_direct(w, len) : -EAGAIN;
		int err;

		if (n < 0)
			n = cr_read(w->e->req->in, w->buf, len, (off_t)w->pos);
		if (n <= 0)
			return n ? (int)n : SOURCE_ENDED;
		err = write_all(w, (size_t)n);
		if (err)
			return err;
	}
	return 0;
}

/* The hole is there already where the target did not reach before. */
static int copy_hole(struct worker *w)
{
	struct encoder *e = w->e;
	uint64_t len = w->end - w->pos;
	int err = 0;

	if (out_of(e, w->pos) < e->old_size) {
		struct copy_req rest = copy_rest(e->req, w->pos - (uint64_t)e->req->pos_in, len);

		err = hole_make(&rest, len);
	} else if (!e->sized && out_of(e, w->end) == e->new_size) {
		err = target_extend(e->req, e->new_size);
	}
	if (err)
		return err;
	copy_account_hole(e->req, &w->res, COPY_ENCODED, len);
	w->pos = w->end;
	return 0;
}

/* One side does not want the extent at w->pos: for good, or this one only? */
static int refused(struct worker *w, const char *reason, int err)
{
	struct encoder *e = w->e;
	struct copy_why why = WHY(reason, COPY_THIS_MOUNT, err);
	struct fileattr fa;

	if (atomic_load(&e->proved)) {
		note(w, reason, err);
		return REFUSED;
	}
	if (err == EOPNOTSUPP && (e->req->flags & COPY_RANGE_VALIDATE)) {
		why.reason = "this build cannot decode it, to validate it first";
		why.scope = COPY_THIS_FILE;
	} else if (err == EPERM) {
		why.reason = "needs root (CAP_SYS_ADMIN)";
	} else if (err == ENOTTY || err == ENOSYS || err == EOPNOTSUPP) {
		why.reason = "this kernel does not read and write compressed extents";
	} else if (err == EINVAL && !cr_fileattr_get(e->req->out, &fa) &&
		   (fa.flags & FS_NOCOW_FL)) {
		why.reason =
			"the destination is nodatacow (chattr +C): it holds no compressed data";
		why.scope = COPY_THIS_FILE;
	} else {
		note(w, reason, err);
		return REFUSED;
	}
	pthread_mutex_lock(&e->lock);
	e->gave_up = why;
	pthread_mutex_unlock(&e->lock);
	return GAVE_UP;
}

/*
 * How many bytes of the file the extent just read can stand for in the target;
 * 0 when it is better written plain.
 */
static uint64_t planted_len(struct worker *w, const struct encoded_iov *ev, uint64_t payload)
{
	struct encoder *e = w->e;
	uint64_t len = MIN(ev->len, w->end - w->pos), out_end = out_of(e, w->pos) + len;

	if (ev->unencoded_offset % e->sector || ev->unencoded_offset > ev->unencoded_len ||
	    len > ev->unencoded_len - ev->unencoded_offset || !lzo_fits(e, ev->compression))
		return 0;
	if (out_end % e->sector && out_end < e->new_size)
		len -= MIN(len, out_end % e->sector);
	return round_up(payload, e->sector) <= round_up(len, e->sector) ? len : 0;
}

/* The extent at w->pos, which is on a sector, as it is stored. */
static int copy_stored(struct worker *w)
{
	struct encoder *e = w->e;
	struct encoded_iov ev;
	ssize_t n = cr_read_encoded(e->req->in, &ev, w->buf, BUF_SIZE, (off_t)w->pos), put;
	struct iovec payload = {w->buf, n > 0 ? (size_t)n : 0};
	uint64_t len;

	if (n < 0)
		return refused(w, "the source does not give the extent as it is stored", (int)-n);
	if (n == 0)
		return SOURCE_ENDED;
	if (ev.compression == ENCODED_NONE) {
		note(w, "stored uncompressed", EOPNOTSUPP);
		return write_all(w, MIN((size_t)n, (size_t)(w->end - w->pos)));
	}
	len = planted_len(w, &ev, (uint64_t)n);
	if (!len) {
		note(w, "only a small part of the compressed extent is used", EOPNOTSUPP);
		return REFUSED;
	}
	ev.len = len;
	put = cr_write_encoded(e->req->out, &ev, &payload, (off_t)out_of(e, w->pos),
			       e->req->flags & COPY_RANGE_VALIDATE);
	if (put != n)
		return refused(w, "the destination does not take the extent as it is stored",
			       put < 0 ? (int)-put : EIO);
	atomic_store(&e->proved, true);
	copy_account(e->req, &w->res, COPY_ENCODED, len, (uint64_t)n);
	w->pos += len;
	return 0;
}

static int copy_kept(struct worker *w)
{
	struct encoder *e = w->e;
	int err = 0;

	while (!err && w->pos < w->end && !copy_stopped(e->req)) {
		uint64_t head = out_of(e, w->pos) % e->sector;

		if (head) {
			note(w, "the range does not start on a block", EINVAL);
			err = copy_plain(w, MIN(w->end, w->pos + e->sector - head), false);
			continue;
		}
		err = copy_stored(w);
		if (err == REFUSED)
			err = copy_plain(w, w->end, false);
	}
	return err;
}

static int copy_item(struct worker *w, const struct file_extent *ext)
{
	const char *why = why_plain(w->e, ext);

	w->pos = ext->pos;
	w->end = ext->pos + ext->len;
	if (is_hole(ext))
		return copy_hole(w);
	if (!why)
		return copy_kept(w);
	note(w, why, EOPNOTSUPP);
	return copy_plain(w, w->end, !ext->compression && !(ext->flags & EXTENT_DELALLOC));
}

/* Workers ---------------------------------------------------------------- */

/* Takes items until there are none, or, with @until_proved, until the target took an extent. */
static void work(struct worker *w, bool until_proved)
{
	struct encoder *e = w->e;
	struct file_extent ext;

	while (!(until_proved && atomic_load(&e->proved)) && next_item(e, &ext)) {
		int err = copy_item(w, &ext);

		if (err || w->pos < w->end)
			broke_at(e, w->pos, err < 0 ? err : 0);
	}
}

static void *work_thread(void *arg)
{
	work(arg, false);
	return NULL;
}

static unsigned job_count(const struct encoder *e)
{
	uint64_t most = (e->end - e->next) / (4 * ENCODED_MAX) + 1;
	size_t mem = e->req->mem_max ? e->req->mem_max : COPY_MEM_DEFAULT;

	if (e->req->flags & COPY_RANGE_SERIAL)
		return 1;
	most = MIN(most, e->req->jobs ? e->req->jobs : JOBS_MAX);
	return (unsigned)MAX(MIN(most, mem / BUF_SIZE), 1);
}

/* The rest of the range by several workers, this thread being the first. */
static void work_together(struct encoder *e, struct worker *first)
{
	struct worker more[JOBS_MAX * 4];
	unsigned jobs = MIN(job_count(e), ARRAY_SIZE(more)), n = 0;

	if (jobs > 1 && e->new_size > e->old_size) {
		e->sized = !target_extend(e->req, e->new_size);
		if (!e->sized)
			jobs = 1;
	}
	while (n + 1 < jobs) {
		struct worker *w = &more[n];

		*w = (struct worker){.e = e, .buf = malloc(BUF_SIZE)};
		if (!w->buf || pthread_create(&w->thread, NULL, work_thread, w)) {
			free(w->buf);
			break;
		}
		n++;
	}
	work(first, false);
	while (n-- > 0) {
		pthread_join(more[n].thread, NULL);
		copy_result_add(&first->res, &more[n].res);
		free(more[n].buf);
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

static int encode(struct encoder *e, struct copy_result *res)
{
	struct worker first = {.e = e, .buf = malloc(BUF_SIZE)};
	uint64_t reached;

	if (!first.buf)
		return -ENOMEM;
	work(&first, true);
	if (e->next < e->end)
		work_together(e, &first);
	free(first.buf);
	reached = MIN(e->next, e->broken) - (uint64_t)e->req->pos_in;
	if (!reached && e->gave_up.reason)
		return decline(res, COPY_ENCODED, e->gave_up);
	if (e->sized)
		cut_back(e, reached);
	copy_result_add(res, &first.res);
	res->bytes = reached;
	return e->err;
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
	for (unsigned plan = 0; plan < SCAN_PLANS && a->pos < e->end; plan++) {
		int got = plan_fill(e, a->pos);

		if (got <= 0)
			return got;
		for (unsigned i = 0; i < e->n && a->pos < e->end; i++) {
			const struct file_extent *ext = &e->plan[i];
			const char *plain = why_plain(e, ext);

			a->found = !plain;
			if (a->found)
				return 0;
			if (ext->compression)
				a->reason = plain;
			a->run += is_hole(ext) ? 0 : ext->len;
			a->pos = ext->pos + ext->len;
		}
	}
	return 0;
}

/* Goes on when the first extent to keep is near; else declines, with the way to it where it is far.
 */
static int begin(struct encoder *e, struct copy_result *res)
{
	struct ahead a = {.pos = e->next, .reason = "nothing here is stored compressed"};
	struct copy_why why = WHY(NULL, COPY_THIS_FILE, EOPNOTSUPP);
	int err = look_ahead(e, &a);

	if (err < 0)
		return decline(res, COPY_ENCODED,
			       WHY("the source does not list its extents", COPY_THIS_FILE, -err));
	if (a.found && a.run <= LONG_RUN) {
		if (e->plan[0].pos != e->next)
			e->n = 0;
		return 0;
	}
	why.reason = a.reason;
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
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.next = (uint64_t)req->pos_in,
		.end = (uint64_t)req->pos_in + req->len,
		.broken = UINT64_MAX,
	};

	if (!req->in->op->read_encoded || !req->out->op->write_encoded)
		return decline(res, COPY_ENCODED,
			       WHY("not both files are on btrfs", COPY_THIS_PAIR, EOPNOTSUPP));
	return start(&e, res);
}
