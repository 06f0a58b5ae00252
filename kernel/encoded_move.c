// SPDX-License-Identifier: GPL-2.0-or-later
/* encoded_move.c - how the bytes of one extent get across: see encoded.c. */
#include <linux/fs.h>

#include "kernel/encoded.h"
#include "kernel/stream.h"

/* LZO is framed by the sector; btrfs takes only that of its own sector size. */
bool lzo_fits(const struct encoder *e, uint32_t compression)
{
	return compression < ENCODED_LZO_4K || e->sector == 4096u << (compression - ENCODED_LZO_4K);
}

static int write_all(struct worker *w, size_t len)
{
	const struct copy_req *req = w->e->req;
	const struct place out = {req->out, (off_t)out_of(w->e, w->pos), req->stop};
	size_t done;
	int err = full_write(&out, w->buf, len, &done);

	if (done)
		copy_account(req, &w->res, COPY_STREAM, done, done);
	w->pos += done;
	return err;
}

/* Some bytes at w->pos, for once not all of them. */
static ssize_t read_some(struct worker *w, size_t len)
{
	unsigned tries = 0;
	ssize_t n;

	do {
		n = cr_read(w->e->req->in, w->buf, len, (off_t)w->pos);
	} while (n < 0 && rw_retry((int)n, &tries));
	return n;
}

/*
 * Plain bytes at w->pos, past the page cache: reading them through it would
 * read ahead into compressed neighbours, which would be read twice then.
 */
static ssize_t read_direct(struct worker *w, size_t len)
{
	struct encoded_iov ev;
	ssize_t n = cr_read_encoded(w->e->req->in, &ev, w->buf, ENCODED_BUF, (off_t)w->pos);

	if (n <= 0 || ev.compression != ENCODED_NONE)
		return -EAGAIN;
	return MIN(n, (ssize_t)len);
}

int copy_plain(struct worker *w, uint64_t end, bool direct)
{
	while (w->pos < end && !copy_stopped(w->e->req)) {
		size_t len = (size_t)MIN(end - w->pos, ENCODED_BUF);
		ssize_t n = direct ? read_direct(w, len) : -EAGAIN;
		int err;

		if (n < 0)
			n = read_some(w, len);
		if (n <= 0)
			return n ? (int)n : SOURCE_ENDED;
		err = write_all(w, (size_t)n);
		if (err)
			return err;
	}
	return 0;
}

/* The hole is there already where the target did not reach before. */
int copy_hole(struct worker *w)
{
	struct encoder *e = w->e;
	uint64_t len = w->end - w->pos;
	int err = 0;

	if (out_of(e, w->pos) < e->old_size) {
		struct copy_req rest = copy_rest(e->req, w->pos - (uint64_t)e->req->pos_in, len);

		err = hole_make(&rest, len);
	} else if (!e->sized && out_of(e, w->end) == e->new_size) {
		err = target_reach(e->req->out, e->new_size);
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
		if (e->share.map) /* shared extents can be cloned without it */
			why.scope = COPY_THIS_FILE;
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

uint64_t planted_len(struct worker *w, const struct encoded_iov *ev, uint64_t payload)
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
int copy_stored(struct worker *w)
{
	struct encoder *e = w->e;
	struct encoded_iov ev;
	ssize_t n = cr_read_encoded(e->req->in, &ev, w->buf, ENCODED_BUF, (off_t)w->pos), put;
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

int copy_kept(struct worker *w)
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

int copy_extent_plain(struct worker *w, const struct file_extent *ext)
{
	bool direct = w->e->can_encode && !ext->compression && !(ext->flags & EXTENT_DELALLOC);

	const char *why = why_not_encoded(w->e, ext);

	note(w, why ? why : "only a small part of the compressed extent is used", EOPNOTSUPP);
	return copy_plain(w, w->end, direct);
}
