// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * read_plus.c - READ_PLUS: RFC 7862 section 15.10.
 *
 * A file with as many blocks as its size needs is one piece of data, without a question
 * for holes.  In others a hole is told as one from HOLE_MIN bytes on, and data between
 * shorter ones in one piece: so a reply is never longer than that of READ, for which
 * clients have room, whatever the holes are.
 */
#include <errno.h>

#include "nfsd/state.h"

#define HOLE_MIN  4096u
#define SEGMENTS  64u /* in a reply; the last one is data to the end */
#define DATA_HEAD 16u

struct reader {
	struct file *file;
	struct xdr x; /* the contents */
	uint64_t pos, end;
	uint32_t segments;
	bool cut; /* the file is shorter by now */
};

/* Where data begins, from @pos on: @end at the latest. */
static uint64_t next_data(const struct reader *r, uint64_t pos)
{
	off_t at = cr_seek(r->file, (off_t)pos, SEEK_DATA);

	if (at == -ENXIO)
		return r->end;
	if (at < 0 || (uint64_t)at < pos)
		return pos; /* it cannot tell: data */
	return (uint64_t)at < r->end ? (uint64_t)at : r->end;
}

/* Where the data at @pos end, for a hole that is worth it. */
static uint64_t data_end(const struct reader *r, uint64_t pos)
{
	while (pos < r->end) {
		off_t hole = cr_seek(r->file, (off_t)pos, SEEK_HOLE);

		if (hole < 0 || (uint64_t)hole < pos || (uint64_t)hole + HOLE_MIN > r->end)
			return r->end;
		pos = next_data(r, (uint64_t)hole);
		if (pos - (uint64_t)hole >= HOLE_MIN)
			return (uint64_t)hole;
		pos += pos == (uint64_t)hole; /* filled meanwhile */
	}
	return r->end;
}

static void put_hole(struct reader *r, uint64_t end)
{
	xdr_put_u32(&r->x, NFS4_CONTENT_HOLE);
	xdr_put_u64(&r->x, r->pos);
	xdr_put_u64(&r->x, end - r->pos);
	r->pos = end;
	r->segments++;
}

static ssize_t read_all(struct file *file, uint8_t *buf, size_t len, uint64_t pos)
{
	size_t done = 0;
	ssize_t n = 0;

	while (done < len) {
		n = cr_read(file, buf + done, len - done, (off_t)(pos + done));
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done || n >= 0 ? (ssize_t)done : n;
}

/* 0, or an error of reading: then there is no such segment. */
static int put_data(struct reader *r, uint64_t end)
{
	size_t want = (size_t)(end - r->pos), mark = xdr_mark(&r->x);
	ssize_t n;
	uint8_t *buf;

	xdr_reserve(&r->x, DATA_HEAD);
	buf = xdr_reserve(&r->x, want);
	n = buf ? read_all(r->file, buf, want, r->pos) : -EMSGSIZE;
	xdr_rewind(&r->x, mark);
	if (n <= 0) {
		r->cut = true;
		return (int)n;
	}
	xdr_put_u32(&r->x, NFS4_CONTENT_DATA);
	xdr_put_u64(&r->x, r->pos);
	xdr_put_u32(&r->x, (uint32_t)n);
	xdr_reserve(&r->x, (size_t)n);
	r->pos += (uint64_t)n;
	r->segments++;
	r->cut = (size_t)n < want;
	return 0;
}

static int put_contents(struct reader *r, bool sparse)
{
	uint64_t to;
	int err = 0;

	while (r->pos < r->end && !r->cut) {
		bool ask = sparse && r->segments + 1 < SEGMENTS;

		to = ask ? next_data(r, r->pos) : r->pos;
		if (to - r->pos >= HOLE_MIN)
			put_hole(r, to);
		else
			err = put_data(r, ask ? data_end(r, to) : r->end);
	}
	return r->segments ? 0 : err; /* what was read before an error is good */
}

static uint32_t read_plus(struct io *io, const struct nfs4_read_args *a, struct reader *r,
			  struct nfs4_read_plus_res *res)
{
	struct statx stx;
	int err = cr_getattr(io->file, NULL, &stx);

	if (err)
		return nfsd_status(err);
	res->eof = a->offset >= stx.stx_size;
	if (res->eof || !a->count)
		return NFS4_OK;
	r->file = io->file;
	r->pos = a->offset;
	r->end = stx.stx_size - a->offset < a->count ? stx.stx_size : a->offset + a->count;
	err = put_contents(r, stx.stx_blocks < stx.stx_size / 512);
	if (err)
		return nfsd_status(err);
	res->segments = r->segments;
	if (r->cut)
		err = cr_getattr(io->file, NULL, &stx);
	res->eof = !err && r->pos >= stx.stx_size;
	return NFS4_OK;
}

uint32_t op_read_plus(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct nfs4_read_args a = args->read;
	struct reader r = {.segments = 0};
	struct io *io;
	uint8_t *buf;
	size_t room;
	uint32_t status = io_for(c, c->cur, &a.stateid, false, &io);

	if (status)
		return status;
	if (a.count > NFSD_IO_MAX)
		a.count = NFSD_IO_MAX;
	room = (size_t)a.count + 2 * DATA_HEAD;
	buf = data_room(c->w, c->data_used, room);
	if (buf) {
		xdr_encode(&r.x, buf, room);
		status = read_plus(io, &a, &r, &res->read_plus);
		res->read_plus.contents = (struct xdr_bytes){buf, (uint32_t)xdr_len(&r.x)};
		c->data_used += (xdr_len(&r.x) + 7) & ~(size_t)7;
	} else {
		status = NFS4ERR_REP_TOO_BIG;
	}
	io_put(io);
	return status;
}
