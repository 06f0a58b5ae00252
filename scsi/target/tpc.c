// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tpc.c - EXTENDED COPY: each segment is a request to the core, which clones what it can.
 *
 * A descriptor names a logical unit by its designator.  It is looked for among the LUNs of
 * the session's own target and nowhere else, and both ends are held to what this session
 * may read and write (CVE-2020-28374 was a target that looked everywhere).
 */
#include "tpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of a copy, between two looks at who else wants to work there. */
#define COPY_SLICE ((uint64_t)64 << 20)
#define MOVE_CHUNK ((size_t)1 << 20)
#define SKS_VALID  0x80

struct list {
	struct xcopy_header head;
	unsigned cscds;
	const uint8_t *cscd, *segment;
};

/* COPY ABORTED at a segment: its number, and that there is one. */
static void abort_at(struct scsi_task *t, uint16_t asc, unsigned segment)
{
	task_check(t, KEY_COPY_ABORTED, asc);
	t->sense.has_specific = true;
	t->sense.specific = segment;
	t->sense.has_sks = true;
	t->sense.sks[0] = SKS_VALID | 0x20;
}

/* Moving bytes ------------------------------------------------------------------------ */

static bool overlaps(const struct piece *p)
{
	return p->src == p->dst && p->from < p->to + p->len && p->to < p->from + p->len;
}

/* Within one file the core refuses what overlaps; here it is as memmove(3) would do it. */
static int move_overlapping(struct scsi_task *t, const struct piece *p)
{
	bool backwards = p->to > p->from;
	uint8_t *buf = malloc(MOVE_CHUNK);
	uint64_t done = 0;
	int err = buf ? 0 : -ENOMEM;

	while (!err && done < p->len) {
		size_t n = p->len - done < MOVE_CHUNK ? (size_t)(p->len - done) : MOVE_CHUNK;
		uint64_t at = backwards ? p->len - done - n : done;

		err = task_stopped(t) ? -ECANCELED : lu_read(p->src, buf, n, p->from + at);
		if (!err)
			err = lu_write(p->dst, buf, n, p->to + at);
		done += n;
	}
	free(buf);
	return err;
}

static int copy_by_core(struct scsi_task *t, const struct piece *p)
{
	struct engine *e = t->nexus->target->engine;
	struct copy_req req = {
		.in = p->in,
		.out = p->dst->file,
		.pos_in = (int64_t)p->from,
		.pos_out = (int64_t)p->to,
		.len = p->len,
		.stop = &t->stop,
	};
	struct copy_result res;
	int err = cr_copy_range(&req, &res);

	if (e->copied)
		e->copied(e->wake_arg, &res);
	if (err)
		return err;
	if (res.stopped || task_stopped(t))
		return -ECANCELED;
	/* The source ended: its file was cut. */
	return res.bytes == p->len ? 0 : -EIO;
}

static int copy_locked(struct scsi_task *t, const struct piece *p)
{
	int err;

	if (p->src == p->dst && p->from == p->to)
		return 0;
	tokens_changed(p->dst, p->to, p->to + p->len);
	err = overlaps(p) ? move_overlapping(t, p) : copy_by_core(t, p);
	if (!err && !lu_mode(p->dst).wce)
		err = cr_sync(p->dst->file, true);
	return err;
}

/* Others that want to write there wait meanwhile, and so do the workers that serve them. */
static int copy_slice(struct scsi_task *t, const struct piece *p, bool (*alive)(void *), void *arg)
{
	struct lu_range dst = {.lu = p->dst, .lock = {.from = p->to, .to = p->to + p->len}};
	struct lu_range src = {.lu = p->src, .lock = {.from = p->from, .to = p->from + p->len}};
	int err;

	if (!p->src) {
		/* A snapshot, which nobody else has. */
		dst.lock.exclusive = true;
		lu_lock(dst.lu, &dst.lock);
		err = copy_locked(t, p);
		lu_unlock(dst.lu, &dst.lock);
		return err;
	}
	lu_lock_two(&src, &dst);
	err = alive && !alive(arg) ? -ECANCELED : copy_locked(t, p);
	lu_unlock_two(&src, &dst);
	return err;
}

int copy_piece(struct scsi_task *t, const struct piece *p, bool (*alive)(void *), void *arg)
{
	uint64_t step = overlaps(p) ? p->len : COPY_SLICE;
	int err = 0;

	for (uint64_t done = 0; done < p->len && !err; done += step) {
		struct piece part = *p;

		part.from += done;
		part.to += done;
		part.len = p->len - done < step ? p->len - done : step;
		err = copy_slice(t, &part, alive, arg);
	}
	return err;
}

/* Descriptors --------------------------------------------------------------------------- */

static bool names(const struct designator *d, const struct lu *lu)
{
	if (d->association)
		return false;
	if (d->type == DESIGNATOR_NAA && d->code_set == CODE_BINARY)
		return d->len == sizeof(lu->naa) && memcmp(d->id, lu->naa, d->len) == 0;
	if (d->type == DESIGNATOR_T10)
		return d->len == 20 && memcmp(d->id + 8, lu->serial, 12) == 0;
	return false;
}

static struct lun *resolve(struct scsi_task *t, const struct list *l, uint16_t id)
{
	struct target *target = t->nexus->target;
	struct cscd c;

	if (id == CSCD_THIS_LU)
		return t->lun;
	if (id >= l->cscds || cscd_decode(&c, l->cscd + (size_t)id * CSCD_SIZE))
		return NULL;
	for (unsigned i = 0; i < target->n; i++)
		if (names(&c.designator, target->lun[i].lu))
			return &target->lun[i];
	return NULL;
}

/* What holds for a command to that LUN holds for a copy from or to it. */
static bool may(struct scsi_task *t, struct lun *lun, unsigned flags)
{
	struct lu *lu = lun->lu;
	bool protected, reserved;

	pthread_mutex_lock(&lu->lock);
	protected = (flags & CMD_WRITES) && (lun->ro || lu->mode.swp);
	reserved =
		(lu->reserved && lu->reserved != t->nexus) || !pr_allows(&lu->pr, t->nexus, flags);
	pthread_mutex_unlock(&lu->lock);
	if (reserved)
		t->status = STATUS_RESERVATION_CONFLICT;
	else if (protected)
		task_check(t, KEY_DATA_PROTECT, ASC_WRITE_PROTECTED);
	return !reserved && !protected;
}

static bool in_capacity(const struct lu *lu, uint64_t lba, uint64_t offset, uint64_t len)
{
	return lba <= lu->blocks && offset + len <= (lu->blocks - lba) * BLOCK;
}

static void run_segment(struct scsi_task *t, struct copy_op *op, const struct list *l,
			const struct segment *s)
{
	struct lun *src = resolve(t, l, s->src), *dst = resolve(t, l, s->dst);
	uint64_t len = s->type == SEGMENT_BLOCKS ? (uint64_t)s->blocks * BLOCK : s->bytes;
	struct piece p = {.len = len};
	unsigned number = op->segments;
	int err;

	if (!src || (!dst && s->type != SEGMENT_VERIFY)) {
		abort_at(t, ASC_COPY_TARGET_NOT_REACHABLE, number);
		return;
	}
	if (s->type == SEGMENT_VERIFY || !len)
		return;
	if (!may(t, src, CMD_READS) || !may(t, dst, CMD_WRITES))
		return;
	if (len > SEGMENT_BYTES || !in_capacity(src->lu, s->src_lba, s->src_offset, len) ||
	    !in_capacity(dst->lu, s->dst_lba, s->dst_offset, len)) {
		abort_at(t, ASC_NONE, number);
		return;
	}
	p.in = src->lu->file;
	p.src = src->lu;
	p.dst = dst->lu;
	p.from = s->src_lba * BLOCK + s->src_offset;
	p.to = s->dst_lba * BLOCK + s->dst_offset;
	err = copy_piece(t, &p, NULL, NULL);
	if (err)
		abort_at(t, ASC_THIRD_PARTY_DEVICE_FAILURE, number);
	else
		copy_op_progress(t, op, len, 0);
}

/* The list again from its bytes, which have been checked. */
static void read_list(const struct scsi_task *t, struct list *l)
{
	int head;

	l->head.lid4 = (t->cdb[1] & 0x1f) == SA_EXTENDED_COPY_LID4;
	head = xcopy_header_decode(&l->head, t->data, t->len);
	l->cscd = t->data + head;
	l->segment = l->cscd + l->head.cscd_len;
	l->cscds = l->head.cscd_len / CSCD_SIZE;
}

static void run_list(struct scsi_task *t, struct copy_op *op)
{
	struct segment s;
	struct list l;

	read_list(t, &l);
	for (size_t at = 0; at < l.head.segment_len && t->status == STATUS_GOOD;) {
		at += (size_t)segment_decode(&s, l.segment + at, l.head.segment_len - at);
		if (task_stopped(t))
			abort_at(t, ASC_NONE, op->segments);
		else
			run_segment(t, op, &l, &s);
		if (t->status == STATUS_GOOD)
			copy_op_progress(t, op, 0, 1);
	}
}

/* Checks, before anything is copied --------------------------------------------------------- */

static bool check_header(struct scsi_task *t, struct list *l)
{
	int head;

	l->head.lid4 = (t->cdb[1] & 0x1f) == SA_EXTENDED_COPY_LID4;
	head = xcopy_header_decode(&l->head, t->data, t->len);
	if (head == -EBADMSG) {
		task_bad_list(t, 0);
	} else if (head < 0 || l->head.cscd_len + l->head.segment_len > DESCRIPTORS_MAX ||
		   l->head.cscd_len % CSCD_SIZE) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
	} else if (l->head.inline_len) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_INLINE_TOO_LONG);
	} else if (l->head.usage == 1 || (l->head.usage == LIST_ID_NONE && l->head.list_id) ||
		   (l->head.immed && l->head.usage == LIST_ID_NONE)) {
		task_bad_list(t, l->head.lid4 ? 20 : 0);
	} else if (l->head.cscd_len / CSCD_SIZE > CSCDS_MAX) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_TOO_MANY_CSCDS);
	} else {
		read_list(t, l);
		return true;
	}
	return false;
}

static bool check_cscds(struct scsi_task *t, const struct list *l)
{
	struct cscd c;

	for (unsigned i = 0; i < l->cscds; i++) {
		int err = cscd_decode(&c, l->cscd + (size_t)i * CSCD_SIZE);

		if (c.type != CSCD_IDENTIFICATION) {
			task_check(t, KEY_ILLEGAL_REQUEST, ASC_CSCD_TYPE);
			return false;
		}
		/* Anything else than a disk, or other blocks than ours, is no LUN of ours. */
		if (err || (c.block_size && c.block_size != BLOCK)) {
			task_bad_list(t, (unsigned)(l->cscd - t->data) + i * CSCD_SIZE);
			return false;
		}
	}
	return true;
}

static bool check_segments(struct scsi_task *t, const struct list *l)
{
	struct segment s;
	unsigned n = 0;
	int size;

	for (size_t at = 0; at < l->head.segment_len; at += (size_t)size) {
		size = segment_decode(&s, l->segment + at, l->head.segment_len - at);
		if (++n > SEGMENTS_MAX)
			task_check(t, KEY_ILLEGAL_REQUEST, ASC_TOO_MANY_SEGMENTS);
		else if (size == -EOPNOTSUPP)
			task_check(t, KEY_ILLEGAL_REQUEST, ASC_SEGMENT_TYPE);
		else if (size == -EMSGSIZE)
			task_check(t, KEY_ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
		else if (size < 0)
			task_bad_list(t, (unsigned)(l->segment + at - t->data));
		if (t->status != STATUS_GOOD)
			return false;
	}
	return true;
}

void cmd_extended_copy(struct scsi_task *t)
{
	struct copy_op *op;
	struct list l;

	if (!t->want)
		return;
	if (t->len < t->want) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
		return;
	}
	if (!check_header(t, &l) || !check_cscds(t, &l) || !check_segments(t, &l))
		return;
	op = copy_op_begin(t, l.head.usage == LIST_ID_NONE ? -1 : (int64_t)l.head.list_id);
	if (op)
		copy_run(t, op, l.head.immed, run_list);
}
