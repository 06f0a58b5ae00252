// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xcopy.c - EXTENDED COPY: the array copies from one unit to another.
 *
 * The range is cut into commands, a few of which are under way at once, and each command into
 * segments.  How long both are is first what the unit says it takes, then what its answers
 * teach: a sense code that names a limit lowers it and the same piece is sent again; one that
 * says the array cannot do this ends it.  xcopy_judge.c has what each means.
 *
 * What a command that was aborted has written is not known (SPC-4 6.4.3.1): its piece counts
 * as not copied, and the caller writes it in another way.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scsi/proto/scsi.h"
#include "xcopy_impl.h"

#define TIMEOUT	    600u
#define FLIGHT	    4u
#define SEGMENTS    256u
#define COMMAND_MIN ((uint64_t)1 << 20)
#define COMMAND_MAX ((uint64_t)4 << 30)
#define COMMAND_DEF ((uint64_t)256 << 20)
#define SLOW_MS	    3000u /* a command that takes longer was too large */
#define FAST_MS	    1000u
#define CLONE_MS    20u	  /* one that moved data would have taken longer */
#define WINDOW_MS   4000u /* after that the caller hears how far it is */
#define TICK_MS	    50u
#define ASK_MS	    500u   /* between questions how far a command is */
#define BLOCKS_MAX  65535u /* of a segment of type 02h */
#define ALIGN_MIN   4096u  /* what file systems below arrays share by */
#define LIST_MAX    (XCOPY_HEAD_LID4 + 2 * CSCD_SIZE + SEGMENTS * SEGMENT_MAX)

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool stopped(const struct xcopy *x)
{
	return x->stop && __atomic_load_n(x->stop, __ATOMIC_RELAXED);
}

static uint64_t round_down(uint64_t n, uint64_t to)
{
	return n < to ? n : n - n % to;
}

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Which blocks belong together at the array: cuts are made there. */
static uint64_t granularity(const struct scsi_lu *lu)
{
	uint64_t g = ALIGN_MIN, unmap = (uint64_t)lu->limits.unmap_granularity * lu->block;

	if (lu->copy.granularity < 32)
		g = max64(g, (uint64_t)1 << lu->copy.granularity);
	g = max64(g, lu->physical);
	/* 65528 blocks hold no more than that. */
	if (unmap && unmap <= (uint64_t)16 << 20 && !(unmap & (unmap - 1)))
		g = max64(g, unmap);
	return g;
}

static bool lists(const struct scsi_lu *lu, uint8_t type)
{
	for (unsigned i = 0; i < lu->copy.codes; i++)
		if (lu->copy.code[i] == type)
			return true;
	for (unsigned i = 0; i < lu->tpc.codes; i++)
		if (lu->tpc.code[i] == type)
			return true;
	return false;
}

void xcopy_segments(struct driver *d)
{
	const struct scsi_lu *src = d->x->src, *dst = d->x->dst;
	uint64_t max = d->type == SEGMENT_OFFSETS ? UINT32_MAX : (uint64_t)BLOCKS_MAX * dst->block;

	if (dst->copy.segment_bytes)
		max = min64(max, dst->copy.segment_bytes);
	if (src->copies && src->copy.segment_bytes)
		max = min64(max, src->copy.segment_bytes);
	d->segment_max = max64(round_down(max, d->align), dst->block);
	d->segment_max -= d->segment_max % dst->block;
	if (!d->segment_max)
		d->segment_max = dst->block;
}

static void plan(struct driver *d)
{
	const struct scsi_lu *dst = d->x->dst;
	uint32_t room = dst->copy.list_len ? dst->copy.list_len : LIST_MAX;

	d->align = max64(granularity(dst), granularity(d->x->src));
	d->type = lists(dst, SEGMENT_OFFSETS) ? SEGMENT_OFFSETS : SEGMENT_BLOCKS;
	xcopy_segments(d);
	d->segments = dst->copy.segments ? dst->copy.segments : 1;
	if (room > 2 * CSCD_SIZE && (room - 2 * CSCD_SIZE) / SEGMENT_MAX < d->segments)
		d->segments = (room - 2 * CSCD_SIZE) / SEGMENT_MAX;
	if (d->segments > SEGMENTS)
		d->segments = SEGMENTS;
	if (!d->segments)
		d->segments = 1;
	d->flight = 1;
	d->command = COMMAND_DEF;
	d->lid4 = dst->lid4 && dst->lid4_status;
	d->usage = d->lid4 || !dst->copy.snlid ? LIST_ID_DISCARD : LIST_ID_NONE;
}

/* Identifiers are the unit's and ours: no two commands under way have the same. */
static uint32_t next_id(struct driver *d)
{
	struct scsi_lu *lu = d->x->dst;
	uint32_t id;

	if (d->usage == LIST_ID_NONE)
		return 0;
	pthread_mutex_lock(&lu->lock);
	id = ++lu->list_id;
	pthread_mutex_unlock(&lu->lock);
	return d->lid4 ? id : id % 255 + 1;
}

static size_t put_names(struct driver *d, uint8_t *list)
{
	struct cscd c = {.type = CSCD_IDENTIFICATION, .block_size = d->x->src->block};

	c.designator = d->x->src->name[d->name_src];
	cscd_encode(&c, list);
	c.designator = d->x->dst->name[d->name_dst];
	cscd_encode(&c, list + CSCD_SIZE);
	return 2 * (size_t)CSCD_SIZE;
}

/* Segments from @slot->at on; how many bytes they are is left in @slot->now. */
static size_t put_segments(struct driver *d, struct slot *slot, uint8_t *list)
{
	const struct xcopy *x = d->x;
	uint64_t want = min64(slot->len, d->command), done = 0;
	uint32_t block = x->dst->block;
	size_t at = 0;

	for (unsigned i = 0; i < d->segments && done < want; i++) {
		struct segment s = {.type = d->type, .src = 0, .dst = 1};
		uint64_t from, to, n = xcopy_at(x, slot->at + done, &from, &to);

		n = min64(n, min64(want - done, d->segment_max));
		if (to % d->align)
			n = min64(n, d->align - to % d->align);
		s.src_lba = from / block;
		s.dst_lba = to / block;
		s.blocks = (uint32_t)(n / block);
		s.bytes = (uint32_t)n;
		at += segment_encode(&s, list + at);
		done += n;
	}
	slot->now = done;
	return at;
}

static void answered(struct scsi_cmd *cmd)
{
	struct slot *slot = cmd->arg;
	struct driver *d = slot->d;

	pthread_mutex_lock(&d->lock);
	slot->answered = true;
	pthread_cond_signal(&d->cond);
	pthread_mutex_unlock(&d->lock);
}

static void send(struct driver *d, struct slot *slot)
{
	struct xcopy_header head = {.lid4 = d->lid4, .usage = d->usage};
	size_t from = d->lid4 ? XCOPY_HEAD_LID4 : XCOPY_HEAD_LID1, at = from;
	uint8_t cdb[CDB_MAX];

	slot->id = next_id(d);
	head.list_id = slot->id;
	at += put_names(d, slot->list + at);
	head.cscd_len = (uint32_t)(at - from);
	from = at;
	at += put_segments(d, slot, slot->list + at);
	head.segment_len = (uint32_t)(at - from);
	xcopy_header_encode(&head, slot->list);
	slot->lid4 = d->lid4;
	slot->usage = d->usage;
	slot->type = d->type;
	slot->cmd = (struct scsi_cmd){.lu = d->x->dst,
				      .out = slot->list,
				      .len = (uint32_t)at,
				      .timeout = TIMEOUT,
				      .done = answered,
				      .arg = slot};
	cdb_tpc_encode(
		cdb, OP_THIRD_PARTY_COPY_OUT,
		&(struct cdb_tpc){.sa = d->lid4 ? SA_EXTENDED_COPY_LID4 : SA_EXTENDED_COPY_LID1,
				  .len = (uint32_t)at});
	memcpy(slot->cmd.cdb, cdb, sizeof(cdb));
	slot->busy = true;
	slot->answered = false;
	slot->sent = now_ms();
	d->x->commands++;
	scsi_unsaved(d->x->dst);
	slot->cmd.lu->transport->start(&slot->cmd);
}

/*
 * Commands that take long are made shorter, quick ones longer.  The first is sent alone: where the
 * array shares blocks, others at the same time would only wait for it.
 */
static void learn(struct driver *d, uint64_t took)
{
	uint32_t limit = d->x->dst->copy.copies;

	if (took > SLOW_MS)
		d->command = max64(d->command / 2, COMMAND_MIN);
	else if (took < FAST_MS)
		d->command = min64(d->command * (took < CLONE_MS ? 4 : 2), COMMAND_MAX);
	if (took >= CLONE_MS)
		d->flight = limit && limit < FLIGHT ? limit : FLIGHT;
}

/* What the answer makes of the slot's piece: true, it is to be sent again, or the next of it. */
static bool settle(struct driver *d, struct slot *slot)
{
	switch (xcopy_judge(d, slot)) {
	case XCOPY_DONE:
		learn(d, now_ms() - slot->sent);
		slot->at += slot->now;
		slot->len -= slot->now;
		slot->tries = 0;
		return slot->len && !stopped(d->x) && !d->ended;
	case XCOPY_AGAIN:
		return !stopped(d->x);
	default:
		d->ended = true;
		return false;
	}
}

static bool take(struct driver *d, struct slot *slot)
{
	struct xcopy *x = d->x;
	uint64_t from, to;

	if (d->ended || stopped(x) || d->next == x->len)
		return false;
	if (d->next && now_ms() - d->began > WINDOW_MS)
		return false;
	slot->at = d->next;
	slot->len = min64(x->len - d->next, d->command);
	/* The next piece begins where blocks of the array do. */
	if (slot->len < x->len - d->next && slot->len > d->align) {
		xcopy_at(x, slot->at + slot->len, &from, &to);
		slot->len -= to % d->align;
	}
	slot->tries = 0;
	d->next += slot->len;
	return true;
}

/* What the progress has of a command: nothing any more, when the command has ended. */
static void tell(struct driver *d, struct slot *slot, uint64_t bytes)
{
	if (!d->x->progress || bytes == slot->told)
		return;
	__atomic_fetch_add(d->x->progress, bytes - slot->told, __ATOMIC_RELAXED);
	slot->told = bytes;
}

/* How far a command is that runs for long: what its segments and bytes make. */
static void ask(struct driver *d, struct slot *slot)
{
	uint8_t data[COPY_STATUS_LID4_MAX] = {0};
	struct scsi_cmd cmd = {.lu = d->x->dst, .in = data, .len = sizeof(data)};
	struct copy_status_lid4 status;
	uint64_t bytes;

	slot->asked = now_ms();
	cdb_tpc_encode(cmd.cdb, OP_THIRD_PARTY_COPY_IN,
		       &(struct cdb_tpc){SA_COPY_STATUS_LID4, slot->id, sizeof(data)});
	if (scsi_exec(&cmd) || copy_status_lid4_decode(&status, data, cmd.got) < 0)
		return;
	bytes = xcopy_bytes(&status, d->x->dst->block);
	tell(d, slot, min64(bytes, slot->now));
}

/* While commands run that can be asked after. */
static void ask_all(struct driver *d)
{
	for (unsigned i = 0; i < FLIGHT; i++) {
		struct slot *slot = &d->slot[i];

		if (d->x->progress && slot->busy && slot->lid4 &&
		    now_ms() - (slot->asked > slot->sent ? slot->asked : slot->sent) > ASK_MS)
			ask(d, slot);
	}
}

/* The copies that run end soon, and say so. */
static void abort_all(struct driver *d)
{
	for (unsigned i = 0; i < FLIGHT; i++) {
		struct scsi_cmd cmd = {.lu = d->x->dst};
		uint8_t cdb[CDB_MAX];

		if (!d->slot[i].busy || !d->slot[i].lid4 || !d->x->dst->copy_abort)
			continue;
		cdb_tpc_encode(
			cdb, OP_THIRD_PARTY_COPY_OUT,
			&(struct cdb_tpc){.sa = SA_COPY_OPERATION_ABORT, .list_id = d->slot[i].id});
		memcpy(cmd.cdb, cdb, sizeof(cdb));
		scsi_exec(&cmd);
	}
}

static struct slot *wait_for_one(struct driver *d)
{
	struct slot *found = NULL;
	struct timespec t;

	while (!found) {
		pthread_mutex_lock(&d->lock);
		for (unsigned i = 0; i < FLIGHT && !found; i++)
			if (d->slot[i].busy && d->slot[i].answered)
				found = &d->slot[i];
		if (!found) {
			clock_gettime(CLOCK_REALTIME, &t);
			t.tv_nsec += TICK_MS * 1000000L;
			if (t.tv_nsec >= 1000000000L) {
				t.tv_sec++;
				t.tv_nsec -= 1000000000L;
			}
			pthread_cond_timedwait(&d->cond, &d->lock, &t);
		}
		pthread_mutex_unlock(&d->lock);
		if (!found)
			ask_all(d);
		if (!found && stopped(d->x) && !d->aborted) {
			d->aborted = true;
			abort_all(d);
		}
	}
	found->busy = false;
	tell(d, found, 0);
	return found;
}

/* Everything before the first piece that is not whole. */
static void piece_over(struct driver *d, const struct slot *slot)
{
	if (slot->len)
		d->bad = min64(d->bad, slot->at);
}

/* As many commands as may be under way; how many are new. */
static unsigned send_more(struct driver *d)
{
	unsigned sent = 0;

	for (unsigned i = 0; i < d->flight; i++)
		if (!d->slot[i].busy && take(d, &d->slot[i])) {
			send(d, &d->slot[i]);
			sent++;
		}
	return sent;
}

static void run(struct driver *d)
{
	unsigned busy = send_more(d);

	while (busy) {
		struct slot *slot = wait_for_one(d);

		if (settle(d, slot)) {
			send(d, slot);
		} else {
			piece_over(d, slot);
			busy--;
		}
		busy += send_more(d);
	}
}

uint64_t xcopy_at(const struct xcopy *x, uint64_t at, uint64_t *from, uint64_t *to)
{
	unsigned low = 0, high = x->extents;
	const struct xcopy_extent *e;

	if (!x->extent) {
		*from = x->from + at;
		*to = x->to + at;
		return x->len - at;
	}
	while (high - low > 1) {
		unsigned middle = low + (high - low) / 2;

		if (x->extent[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	e = &x->extent[low];
	*from = e->from + (at - e->at);
	*to = e->to + (at - e->at);
	return e->len - (at - e->at);
}

static bool all_blocks(const struct xcopy *x)
{
	uint32_t block = x->dst->block;

	for (unsigned i = 0; i < x->extents; i++)
		if ((x->extent[i].from | x->extent[i].to | x->extent[i].len) % block)
			return false;
	return true;
}

int xcopy_blocks(struct xcopy *x)
{
	uint32_t block = x->dst->block;

	if (x->src->block != block)
		return xcopy_refuse(x, XCOPY_PAIR,
				    "source and target have blocks of different size", 0);
	if (!all_blocks(x) || (!x->extent && x->from % block != x->to % block))
		return xcopy_refuse(x, XCOPY_RANGE, "the array copies whole blocks only", 0);
	if (!x->extent && x->len && x->from % block)
		return xcopy_refuse(x, XCOPY_RANGE, "the array copies whole blocks only",
				    block - x->from % block);
	if (x->len && x->len < block)
		return xcopy_refuse(x, XCOPY_RANGE, "the array copies whole blocks only", 0);
	return 0;
}

/* What can be said before a command is sent. */
static int possible(struct xcopy *x)
{
	const struct scsi_lu *src = x->src, *dst = x->dst;

	if (!dst->copies)
		return xcopy_refuse(x, XCOPY_UNIT, "the array has no EXTENDED COPY", 0);
	if (!dst->names)
		return xcopy_refuse(x, XCOPY_UNIT, "the target has no name for EXTENDED COPY", 0);
	if (!src->names)
		return xcopy_refuse(x, XCOPY_PAIR, "the source has no name for EXTENDED COPY", 0);
	if (strcmp(src->vendor, dst->vendor) != 0 || strcmp(src->product, dst->product) != 0)
		return xcopy_refuse(x, XCOPY_PAIR, "source and target are of different arrays", 0);
	return xcopy_blocks(x);
}

static int finish(struct driver *d)
{
	struct xcopy *x = d->x;

	x->done = min64(d->next, d->bad);
	x->command = d->lid4 ? "EXTENDED COPY (LID4)" : "EXTENDED COPY (LID1)";
	if (d->err)
		return d->err;
	if (x->done)
		return 0;
	if (stopped(x))
		return -ECANCELED;
	if (!x->reason)
		return -EIO;
	/* What the failed command may have touched is done by others; then it is asked again. */
	if (x->scope == XCOPY_RANGE && !x->after)
		x->after = d->failed;
	return -EOPNOTSUPP;
}

int xcopy_run(struct xcopy *x)
{
	struct driver d = {.x = x, .bad = UINT64_MAX, .began = now_ms()};
	int err = possible(x);

	if (err || !x->len)
		return err;
	x->len -= x->len % x->dst->block;
	plan(&d);
	d.slot = calloc(FLIGHT, sizeof(*d.slot));
	d.lists = malloc(FLIGHT * LIST_MAX);
	if (!d.slot || !d.lists) {
		err = -ENOMEM;
		goto out;
	}
	for (unsigned i = 0; i < FLIGHT; i++) {
		d.slot[i].d = &d;
		d.slot[i].list = d.lists + (size_t)i * LIST_MAX;
	}
	pthread_mutex_init(&d.lock, NULL);
	pthread_cond_init(&d.cond, NULL);
	run(&d);
	err = finish(&d);
	pthread_cond_destroy(&d.cond);
	pthread_mutex_destroy(&d.lock);
out:
	free(d.lists);
	free(d.slot);
	return err;
}
