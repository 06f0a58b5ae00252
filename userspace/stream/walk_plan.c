// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * walk_plan.c - how the bytes of a range go into the stream.
 *
 * A compressed extent belongs to the range in which it begins, and goes whole.
 * Ranges are looked at by several workers at different times, and what is
 * rewritten meanwhile (by defragmenting, which no time stamp tells) could leave
 * a gap between them: so plan_share(), in order, sees to it that each range goes on
 * where the last one ended.
 */
#include <errno.h>
#include <stdlib.h>

#include "walk.h"

#define EXTENTS	     64
#define SECTOR	     4096u /* what a receiver can clone at least */
#define NS_IN_SECOND 1000000000

int piece_add(struct pieces *p, const struct piece *piece)
{
	struct piece *last = p->n ? &p->v[p->n - 1] : NULL, *v;

	if (last && last->kind == piece->kind && last->pos + last->len == piece->pos &&
	    ((piece->kind <= PIECE_UNWRITTEN && piece->kind != PIECE_SAME) ||
	     (piece->kind == PIECE_PLAIN && !sent_can(&last->ext) && !sent_can(&piece->ext)))) {
		last->len += piece->len;
		return 0;
	}
	if (p->n == p->room) {
		v = realloc(p->v, (p->room * 2 + 4) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		p->v = v;
		p->room = p->room * 2 + 4;
	}
	p->v[p->n++] = *piece;
	return 0;
}

static void cut_front(struct piece *p, uint64_t pos)
{
	uint64_t n = pos - p->pos;

	p->pos += n;
	p->len -= n;
	p->ext.pos += n;
	p->ext.len -= n;
	p->ext.offset += n;
}

static bool is_kept(const struct walk *w, const struct file_extent *ext)
{
	return w->compressed && ext->compression && !(ext->flags & EXTENT_ENCODED) &&
	       ext->disk_len <= ext->len;
}

static struct piece piece_of(const struct walk *w, const struct file_extent *ext)
{
	struct piece p = {.kind = PIECE_PLAIN, .pos = ext->pos, .len = ext->len, .ext = *ext};

	if (ext->flags & EXTENT_DELALLOC)
		return p;
	if (ext->flags & EXTENT_PREALLOC)
		p.kind = PIECE_UNWRITTEN;
	else if (ext->flags & EXTENT_HOLE)
		p.kind = PIECE_HOLE;
	else if (is_kept(w, ext))
		p.kind = PIECE_ENCODED;
	return p;
}

/* What is of one piece in the range, and whether more may follow. */
static int take_extent(struct step *s, struct piece p)
{
	uint64_t end = p.pos + p.len;

	if (end <= s->from || p.pos >= s->to)
		return 0;
	if (p.kind == PIECE_ENCODED && s->earlier && (p.pos < s->from || end > s->to))
		p.kind = PIECE_PLAIN; /* what is compared is compared range by range */
	if (p.kind == PIECE_ENCODED)
		return p.pos < s->from ? 0 : piece_add(&s->pieces, &p);
	if (p.pos < s->from)
		cut_front(&p, s->from);
	if (end > s->to)
		p.len = p.ext.len = s->to - p.pos;
	return piece_add(&s->pieces, &p);
}

static int plan_extents(struct work *k, struct step *s)
{
	struct file_extent ext[EXTENTS];
	uint64_t pos = s->from > ENCODED_MAX ? s->from - ENCODED_MAX : 0;
	int err = 0, n;

	while (pos < s->to) {
		n = cr_extents(s->file, (off_t)pos, ext, EXTENTS, EXTENTS_SHARED);
		if (n <= 0)
			return n;
		for (int i = 0; i < n && !err; i++)
			err = take_extent(s, piece_of(k->w, &ext[i]));
		if (err)
			return err;
		pos = ext[n - 1].pos + ext[n - 1].len;
	}
	return 0;
}

/* By SEEK_DATA and SEEK_HOLE; where these are not known, all is data. */
static int plan_seek(struct step *s)
{
	uint64_t pos = s->from;
	int err = 0;

	while (pos < s->to && !err) {
		off_t data = cr_seek(s->file, (off_t)pos, SEEK_DATA);
		off_t hole = data < 0 ? data : cr_seek(s->file, data, SEEK_HOLE);
		struct piece p = {.kind = PIECE_HOLE, .pos = pos, .len = s->to - pos};

		if (data == -ENXIO)
			return piece_add(&s->pieces, &p);
		if (data < (off_t)pos || hole <= data) { /* no answer, or no sense in it */
			p.kind = PIECE_PLAIN;
			return piece_add(&s->pieces, &p);
		}
		if ((uint64_t)data > pos) {
			p.len = (uint64_t)data < s->to ? (uint64_t)data - pos : s->to - pos;
			err = piece_add(&s->pieces, &p);
			pos += p.len;
		}
		if (pos >= s->to || err)
			break;
		p = (struct piece){.kind = PIECE_PLAIN, .pos = pos};
		p.len = (uint64_t)hole < s->to ? (uint64_t)hole - pos : s->to - pos;
		err = piece_add(&s->pieces, &p);
		pos += p.len;
	}
	return err;
}

int plan_range(struct work *k, struct step *s)
{
	struct piece all = {.kind = PIECE_PLAIN, .pos = s->from, .len = s->to - s->from};
	int err;

	if (!all.len)
		return 0;
	err = plan_extents(k, s);
	s->listed = !err;
	if (err != -EOPNOTSUPP)
		return err;
	if (s->stx.stx_blocks * 512 < s->stx.stx_size)
		return plan_seek(s);
	return piece_add(&s->pieces, &all);
}

/* Whether all of @p lies in the earlier file as it does here. */
static bool lies_there(const struct pieces *old, const struct piece *p)
{
	const uint32_t never = EXTENT_INLINE | EXTENT_DELALLOC | EXTENT_ENCODED;
	struct sent_range is = sent_range_of(&p->ext);
	uint64_t at = p->pos;

	for (size_t i = 0; i < old->n && at < p->pos + p->len; i++) {
		const struct piece *o = &old->v[i];
		struct sent_range was = sent_range_of(&o->ext);

		if (o->pos + o->len <= at)
			continue;
		if (o->pos > at || (o->ext.flags & never))
			return false;
		if (p->kind == PIECE_HOLE
			    ? o->kind != PIECE_HOLE
			    : o->kind < PIECE_PLAIN || was.generation != is.generation ||
				      was.addr - o->pos != is.addr - p->pos)
			return false;
		at = o->pos + o->len;
	}
	return at >= p->pos + p->len;
}

int plan_same(struct work *k, struct step *s)
{
	struct step old = {.file = s->old, .from = s->from, .to = s->to, .earlier = s->earlier};
	int err = plan_extents(k, &old);

	for (size_t i = 0; i < s->pieces.n && !err; i++) {
		struct piece *p = &s->pieces.v[i];
		bool placed = p->ext.disk_bytenr &&
			      !(p->ext.flags & (EXTENT_INLINE | EXTENT_DELALLOC | EXTENT_ENCODED));

		if ((placed || p->kind == PIECE_HOLE) && p->kind != PIECE_UNWRITTEN &&
		    lies_there(&old.pieces, p))
			p->kind = PIECE_SAME;
	}
	free(old.pieces.v);
	return err == -EOPNOTSUPP ? 0 : err;
}

/* In order from here on ------------------------------------------------------ */

/* The pieces of a range without gaps, from where the last range ended. */
static int go_on(struct step *s, struct pieces *to)
{
	struct subject *f = s->subject;
	uint64_t at = s->what & STEP_DATA_FIRST ? s->from : f->planned;
	struct piece gap = {.kind = PIECE_PLAIN};
	int err = 0;

	for (size_t i = 0; i < s->pieces.n && !err; i++) {
		struct piece p = s->pieces.v[i];

		if (p.pos + p.len <= at || p.pos >= f->size)
			continue;
		gap.pos = at;
		gap.len = p.pos > at ? p.pos - at : 0;
		if (gap.len)
			err = piece_add(to, &gap);
		if (p.kind == PIECE_ENCODED && (p.pos < at || p.pos + p.len > f->size))
			p.kind = PIECE_PLAIN;
		if (p.pos < at)
			cut_front(&p, at);
		if (p.pos + p.len > f->size)
			p.len = p.ext.len = f->size - p.pos;
		if (!err)
			err = piece_add(to, &p);
		at = p.pos + p.len;
	}
	gap.pos = at;
	gap.len = s->to > at ? s->to - at : 0;
	if (gap.len && !err)
		err = piece_add(to, &gap);
	f->planned = at + gap.len;
	return err;
}

/* Where no generation tells extents apart, an address may have got another file's bytes since. */
static bool is_settled(const struct walk *w, const struct step *s, const struct file_extent *ext)
{
	return ext->generation || s->stx.stx_ctime.tv_sec < w->began.tv_sec ||
	       (s->stx.stx_ctime.tv_sec == w->began.tv_sec &&
		(long)s->stx.stx_ctime.tv_nsec < w->began.tv_nsec);
}

static struct piece part_of(const struct piece *p, uint64_t skip, uint64_t len)
{
	struct piece part = *p;

	cut_front(&part, p->pos + skip);
	part.len = part.ext.len = len;
	if (part.kind == PIECE_ENCODED && (skip || len < p->len))
		part.kind = PIECE_PLAIN;
	return part;
}

/* What of a known range can be cloned by whole sectors, or up to both ends. */
static void align(const struct walk *w, const struct subject *to, struct piece *clone)
{
	uint64_t sector = cr_file_block_size(w->root), over;

	sector = sector < SECTOR ? SECTOR : sector;
	over = (sector - clone->pos % sector) % sector;
	if (clone->pos % sector != clone->from_pos % sector || over >= clone->len) {
		clone->len = 0;
		return;
	}
	clone->pos += over;
	clone->from_pos += over;
	clone->len -= over;
	over = (clone->pos + clone->len) % sector;
	if (!over || (clone->pos + clone->len == to->size &&
		      clone->from_pos + clone->len == clone->from->size))
		return;
	clone->len -= over < clone->len ? over : clone->len;
}

/* One extent: what of it was sent before is cloned, the rest is remembered. */
static int share_piece(struct walk *w, struct step *s, const struct piece *p, struct pieces *to)
{
	uint64_t at = 0;
	int err = 0;

	while (at < p->len && !err) {
		struct piece rest = part_of(p, at, p->len - at);
		struct piece clone = {.kind = PIECE_CLONE};
		struct sent_range r = sent_range_of(&rest.ext);
		uint64_t skip = rest.len, own;

		own = clone.len = sent_find(w->share, &r, &skip, &clone.from, &clone.from_pos);
		clone.pos = rest.pos + skip;
		own += skip;
		if (clone.len)
			align(w, s->subject, &clone);
		r.len = skip;
		if (r.len)
			sent_add(w->share, &r, s->subject, rest.pos);
		if (clone.len)
			own = clone.pos - rest.pos;
		if (own) {
			rest = at || own < p->len ? part_of(p, at, own) : *p;
			err = piece_add(to, &rest);
		}
		if (clone.len && !err) {
			subject_get(clone.from);
			err = piece_add(to, &clone);
			atomic_fetch_add(&w->cloned, clone.len);
		}
		at += own + clone.len;
	}
	return err;
}

static int share_all(struct walk *w, struct step *s, const struct pieces *have, struct pieces *to)
{
	int err = 0;

	for (size_t i = 0; i < have->n && !err; i++) {
		const struct piece *p = &have->v[i];
		bool data = p->kind == PIECE_PLAIN || p->kind == PIECE_ENCODED;

		if (p->kind == PIECE_SAME && sent_can(&p->ext) && is_settled(w, s, &p->ext)) {
			struct sent_range r = sent_range_of(&p->ext);

			sent_add(w->share, &r, s->subject, p->pos);
		}
		if (data && sent_can(&p->ext) && is_settled(w, s, &p->ext))
			err = share_piece(w, s, p, to);
		else
			err = piece_add(to, p);
	}
	return err;
}

void plan_share(struct walk *w, struct step *s)
{
	struct pieces whole = {0}, shared = {0};

	if (go_on(s, &whole) || share_all(w, s, &whole, &shared)) {
		s->err = -ENOMEM;
		s->operation = "listing extents";
		for (size_t i = 0; i < shared.n; i++)
			subject_put(shared.v[i].from);
		free(shared.v);
		free(whole.v);
		return;
	}
	free(whole.v);
	free(s->pieces.v);
	s->pieces = shared;
}
