// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * encoded_share.c - extents that others refer to: the first reference is copied,
 * later ones are cloned from where it went.
 *
 * A compressed extent of which the first reference uses only a part is written
 * whole into a pool, a file without a name in the destination, and the part is
 * cloned out of it; so the next reference finds the other parts as well, and the
 * destination holds the same extent with the same references as the source.
 * The pool goes with the map.
 *
 * A file ends in the middle of a block, and a clone may end there only if it is
 * the end of both files.  Where it is not, the whole block is cloned and the file
 * cut back to its size, which changes no block on btrfs (on XFS it may).
 */
#include "kernel/encoded.h"

/* Found pieces that continue each other, to be cloned by one call. */
struct run {
	uint32_t slot;
	uint64_t off, pos, len;
};

/* What is in work of an item. */
struct part {
	const struct file_extent *ext;
	uint64_t pos, len; /* bytes of the file, all of ext */
};

enum { AGAIN = GAVE_UP + 1 };

/* All up to @end, or an end: where a stop came in between nothing behind it is to be done. */
static int copy_unshared(struct worker *w, uint64_t end)
{
	int err;

	w->end = end;
	err = w->e->can_encode ? copy_kept(w) : copy_plain(w, end, false);
	return !err && w->pos < end ? SOURCE_ENDED : err;
}

static int clone_once(struct worker *w, struct file *from, uint64_t off, uint64_t len)
{
	struct copy_req req = {
		.in = from,
		.out = w->e->req->out,
		.pos_in = (int64_t)off,
		.pos_out = (int64_t)out_of(w->e, w->pos),
		.len = len,
	};
	struct copy_result part = {0};
	int err = op_clone_range(&req, &part);

	w->pos += part.bytes;
	return err || part.bytes ? err : -EIO;
}

/* The last bytes of the file, less than a block, from a file that goes on there. */
static int clone_end(struct worker *w, struct file *from, uint64_t off, uint64_t end)
{
	struct encoder *e = w->e;
	uint64_t start = w->pos, len;
	struct statx stx;
	int err;

	if (end - start >= e->sector || out_of(e, end) != e->new_size)
		return -EINVAL;
	/* Nobody may have gone on behind the range: this overwrites the block. */
	err = cr_getattr(e->req->out, NULL, &stx);
	if (!err && stx.stx_size > e->new_size)
		err = -EINVAL;
	if (!err)
		err = cr_getattr(from, NULL, &stx);
	if (!err && stx.stx_size < off + (end - start))
		err = -EINVAL;
	if (err)
		return err;
	len = MIN(e->sector, stx.stx_size - off);
	err = clone_once(w, from, off, len);
	if (!err && w->pos - start != len)
		err = -EINVAL;
	if (!err)
		err = cr_truncate(e->req->out, (off_t)e->new_size);
	w->pos = err ? start : end;
	return err;
}

/* Clones [w->pos, @end) from @off of @from; how far it came shows in w->pos. */
static int clone_from(struct worker *w, struct file *from, uint64_t off, uint64_t end)
{
	uint64_t start = w->pos;
	int err = 0;

	while (!err && w->pos < end)
		err = clone_once(w, from, off + (w->pos - start), end - w->pos);
	if (err == -EXDEV && w->pos < end)
		err = clone_end(w, from, off + (w->pos - start), end);
	return err;
}

static int open_from(struct worker *w, uint32_t slot)
{
	int err;

	if (w->from && w->from_slot == slot)
		return 0;
	share_close(&w->e->share, w->from_slot, w->from);
	w->from = NULL;
	err = share_open(&w->e->share, slot, &w->from);
	w->from_slot = slot;
	return err;
}

/*
 * Makes the clone that was put off.  AGAIN: its file is gone or has changed, so
 * that all from w->pos on has to be asked for again.
 */
static int run_flush(struct worker *w, struct run *run)
{
	struct share_use *share = &w->e->share;
	uint64_t end = run->pos + run->len;
	int err;

	if (!run->len)
		return 0;
	run->len = 0;
	w->pos = run->pos;
	err = open_from(w, run->slot);
	if (err == -EPERM || err == -EACCES) {
		note(w, "shared blocks are copied: no right to open files by handle", -err);
		return copy_unshared(w, end);
	}
	if (err || !share_intact(share, run->slot, w->from)) {
		share_forget(share, run->slot);
		return AGAIN;
	}
	err = clone_from(w, w->from, run->off, end);
	if (w->pos > run->pos) {
		atomic_store(&w->e->proved, true);
		copy_account(w->e->req, &w->res, COPY_CLONE, w->pos - run->pos, 0);
	}
	if (!err)
		return 0;
	if (err == -EOPNOTSUPP)
		share_disable(share);
	note(w, "shared blocks are copied: the destination refuses to share them", -err);
	return copy_unshared(w, end);
}

/*
 * Whether what was just copied was the extent of the plan: it is still there,
 * and there is no newer data above it, which the question flushes.
 */
static bool unchanged(struct worker *w, const struct part *p)
{
	struct share_use *share = &w->e->share;
	struct share_range was, is;
	struct file_extent ext;
	struct statx stx;

	if (op_extents(w->e->req->in, (off_t)p->pos, &ext, 1, EXTENTS_SHARED | EXTENTS_FLUSH) !=
		    1 ||
	    !share_wants(share, &ext) || ext.len < p->len)
		return false;
	was = share_range(share, p->ext, p->pos, p->len);
	is = share_range(share, &ext, p->pos, p->len);
	if (was.space != is.space || was.addr != is.addr || was.generation != is.generation)
		return false;
	if (ext.generation)
		return true;
	return !cr_getattr(w->e->req->in, NULL, &stx) &&
	       stx.stx_ctime.tv_sec == share->source_changed.tv_sec &&
	       stx.stx_ctime.tv_nsec == share->source_changed.tv_nsec;
}

/* The extent that was read into w->buf, whole, into the pool; the file's part from there. */
static bool part_from_pool(struct worker *w, const struct encoded_iov *read, size_t payload,
			   struct share_claim *claim)
{
	struct encoder *e = w->e;
	struct encoded_iov ev = {
		.len = read->unencoded_len,
		.unencoded_len = read->unencoded_len,
		.compression = read->compression,
	};
	struct iovec iov = {w->buf, payload};
	uint64_t start = w->pos;
	struct share_place pool;

	if (share_pool(&e->share, ev.len, &pool) ||
	    cr_write_encoded(pool.file, &ev, &iov, (off_t)pool.off,
			     e->req->flags & COPY_RANGE_VALIDATE) != (ssize_t)payload)
		return false;
	if (clone_from(w, pool.file, pool.off + read->unencoded_offset, w->end)) {
		w->pos = start;
		return false;
	}
	claim->slot = pool.slot;
	claim->off = pool.off;
	return true;
}

/*
 * Copies the first reference to a compressed extent, which is only a part of it,
 * and leaves the whole where claim->slot says.  False: nothing done.
 */
static bool copy_part(struct worker *w, const struct file_extent *ext, struct share_claim *claim)
{
	struct encoder *e = w->e;
	uint64_t len = w->end - w->pos;
	struct encoded_iov ev;
	ssize_t n = cr_read_encoded(e->req->in, &ev, w->buf, ENCODED_BUF, (off_t)w->pos);

	if (n <= 0 || ev.compression != ext->compression || ev.len < len ||
	    ev.unencoded_len != ext->ram_bytes ||
	    ev.unencoded_offset != ext->offset + (w->pos - ext->pos))
		return false;
	if (!part_from_pool(w, &ev, (size_t)n, claim))
		return false;
	atomic_store(&e->proved, true);
	copy_account(e->req, &w->res, COPY_ENCODED, len, (uint64_t)n);
	return true;
}

/* Tells the map where the claimed range is: in the pool, or @p of it in place. */
static void put_copied(struct worker *w, const struct part *p, struct share_claim *claim)
{
	struct share_use *share = &w->e->share;
	struct share_range r = share_range(share, p->ext, p->pos, p->len);
	uint32_t slot = claim->slot ? 0 : share_slot(share, w->e->req->out);

	if (!claim->slot && !slot)
		note(w, "shared blocks are copied: the file cannot be found again", ENOMEM);
	if (claim->slot) {
		share_put(share, claim, claim->slot, claim->off, claim->range.len);
	} else if (r.addr == claim->range.addr) {
		share_put(share, claim, slot, out_of(w->e, p->pos), r.len);
	} else {
		share_drop(share, claim);
		share_add(share, &r, slot, out_of(w->e, p->pos));
	}
}

static int copy_first(struct worker *w, const struct file_extent *ext, struct share_claim *claim)
{
	struct encoder *e = w->e;
	struct part p = {.ext = ext, .pos = w->pos, .len = w->end - w->pos};
	bool keep = !why_not_encoded(e, ext);
	int err = 0;

	claim->slot = 0;
	if (!keep)
		err = copy_extent_plain(w, ext);
	else if (claim->range.len != ext->ram_bytes ||
		 round_up(p.len, e->sector) == ext->ram_bytes || !copy_part(w, ext, claim))
		err = copy_kept(w);
	if (err || w->pos < w->end || !unchanged(w, &p)) {
		share_drop(&e->share, claim);
		return err;
	}
	put_copied(w, &p, claim);
	atomic_store(&e->proved, true);
	return 0;
}

/* Bytes from @at on that share no block with what comes before them. */
static int copy_head(struct worker *w, uint64_t head, uint64_t end)
{
	note(w, "the range does not start on a block", EINVAL);
	return copy_plain(w, MIN(end, w->pos + w->e->sector - head), false);
}

/* The next piece of @ext, from @at on: put off as a clone, or copied. */
static int copy_piece(struct worker *w, const struct file_extent *ext, uint64_t *at,
		      struct run *run)
{
	struct encoder *e = w->e;
	uint64_t end = ext->pos + ext->len, head = out_of(e, *at) % e->sector;
	struct share_range want = share_range(&e->share, ext, *at, end - *at), whole = want;
	struct share_claim claim = {0};
	enum share_answer answer;
	int err;

	if (ext->compression && !why_not_encoded(e, ext)) {
		whole.addr -= ext->offset + (*at - ext->pos);
		whole.len = ext->ram_bytes;
	}
	answer = head ? SHARE_COPY : share_claim(&e->share, &want, &whole, &claim);
	if (answer == SHARE_FOUND) {
		if (run->len && run->slot == claim.slot && run->off + run->len == claim.off) {
			run->len += claim.range.len;
			*at += claim.range.len;
			return 0;
		}
		err = run_flush(w, run);
		if (err)
			return err;
		*run = (struct run){claim.slot, claim.off, *at, claim.range.len};
		*at += claim.range.len;
		return 0;
	}
	err = run_flush(w, run);
	if (err) {
		if (answer == SHARE_FIRST)
			share_drop(&e->share, &claim);
		return err;
	}
	w->pos = *at;
	w->end = MIN(end, *at + want.len);
	if (answer == SHARE_FIRST) {
		w->end = MIN(w->end, *at + (claim.range.addr + claim.range.len - want.addr));
		err = copy_first(w, ext, &claim);
	} else {
		if (!head)
			note(w, "shared blocks are copied: the map of them is full", ENOMEM);
		err = head ? copy_head(w, head, end) : copy_unshared(w, w->end);
	}
	*at = w->pos;
	return err;
}

int copy_shared(struct worker *w, const struct item *item)
{
	const struct file_extent *last = &item->ext[item->n - 1];
	uint64_t at = w->pos, end = last->pos + last->len;
	struct run run = {0};
	unsigned i = 0;
	int err = 0;

	while (!err && !copy_stopped(w->e->req)) {
		while (i > 0 && at < item->ext[i].pos)
			i--;
		while (at >= item->ext[i].pos + item->ext[i].len && i + 1 < item->n)
			i++;
		if (at < end)
			err = copy_piece(w, &item->ext[i], &at, &run);
		else if (run.len)
			err = run_flush(w, &run);
		else
			break;
		if (err == AGAIN) {
			at = w->pos;
			err = 0;
		}
	}
	if (run.len) /* stopped before it was cloned */
		w->pos = run.pos;
	w->end = end;
	return err;
}
