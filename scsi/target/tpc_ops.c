// SPDX-License-Identifier: GPL-2.0-or-later
/* tpc_ops.c - copies that run or have run, and what is asked about them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scsi/proto/vpd.h"
#include "tpc.h"

/* Results that a nexus does not ask for are dropped, the oldest first. */
#define OPS_MAX	 64
#define DELAY_MS 100

static struct engine *engine_of(const struct scsi_task *t)
{
	return t->nexus->target->engine;
}

static struct copy_op *find(struct nexus *n, uint32_t list_id)
{
	struct copy_op *op = n->ops;

	while (op && !(op->listed && op->list_id == list_id))
		op = op->next;
	return op;
}

static void take_out(struct nexus *n, struct copy_op *op)
{
	struct copy_op **at = &n->ops;

	while (*at != op)
		at = &(*at)->next;
	*at = op->next;
	n->n_ops--;
	free(op);
}

/* Those that came last stand first. */
static void make_room(struct nexus *n)
{
	struct copy_op *oldest = NULL;

	if (n->n_ops < OPS_MAX)
		return;
	for (struct copy_op *op = n->ops; op; op = op->next)
		if (!op->running)
			oldest = op;
	if (oldest)
		take_out(n, oldest);
}

struct copy_op *copy_op_begin(struct scsi_task *t, int64_t list_id)
{
	struct engine *e = engine_of(t);
	struct copy_op *op = calloc(1, sizeof(*op)), *old;

	if (!op) {
		t->status = STATUS_BUSY;
		return NULL;
	}
	op->lu = t->lu;
	op->listed = list_id >= 0;
	op->list_id = (uint32_t)list_id;
	op->sa = t->cdb[1] & 0x1f;
	op->running = true;
	op->stop = &t->stop;
	pthread_mutex_lock(&e->ops_lock);
	old = op->listed ? find(t->nexus, op->list_id) : NULL;
	if (old && old->running) {
		pthread_mutex_unlock(&e->ops_lock);
		free(op);
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_OPERATION_IN_PROGRESS);
		return NULL;
	}
	if (old)
		take_out(t->nexus, old);
	make_room(t->nexus);
	op->next = t->nexus->ops;
	t->nexus->ops = op;
	t->nexus->n_ops++;
	pthread_mutex_unlock(&e->ops_lock);
	return op;
}

void copy_op_progress(struct scsi_task *t, struct copy_op *op, uint64_t bytes, unsigned segments)
{
	pthread_mutex_lock(&engine_of(t)->ops_lock);
	op->bytes += bytes;
	op->segments = (uint16_t)(op->segments + segments);
	pthread_mutex_unlock(&engine_of(t)->ops_lock);
}

void copy_op_end(struct scsi_task *t, struct copy_op *op)
{
	struct engine *e = engine_of(t);

	pthread_mutex_lock(&e->ops_lock);
	op->running = false;
	op->stop = NULL;
	op->completion = t->status;
	op->sense = t->sense;
	if (t->status == STATUS_GOOD)
		op->status = COPY_OK;
	else
		op->status = task_stopped(t) ? COPY_ABORTED : COPY_ERROR;
	if (!op->listed)
		take_out(t->nexus, op);
	pthread_mutex_unlock(&e->ops_lock);
}

/* After the answer ------------------------------------------------------------------ */

struct background {
	struct work work;
	struct scsi_task task;
	struct copy_op *op;
	copy_fn *fn;
};

static void background(struct work *work)
{
	struct background *b = (struct background *)work;
	struct nexus *n = b->task.nexus;
	struct engine *e = n->target->engine;

	if (task_stopped(&b->task))
		task_check(&b->task, KEY_COPY_ABORTED, ASC_NONE);
	else
		b->fn(&b->task, b->op);
	copy_op_end(&b->task, b->op);
	scsi_end(&b->task);
	free(b);
	atomic_fetch_sub(&n->busy, 1);
	nexus_put(n);
	if (e->wake)
		e->wake(e->wake_arg);
}

static void start(struct scsi_task *t, struct copy_op *op, copy_fn *fn)
{
	struct background *b = calloc(1, sizeof(*b));

	if (!b) {
		t->status = STATUS_BUSY;
		copy_op_end(t, op);
		return;
	}
	b->work.fn = background;
	b->task = *t;
	b->op = op;
	b->fn = fn;
	t->data = NULL;
	t->charged = 0;
	nexus_get(t->nexus);
	atomic_fetch_add(&t->nexus->busy, 1);
	pthread_mutex_lock(&engine_of(t)->ops_lock);
	op->stop = &b->task.stop;
	if (atomic_load(&t->nexus->gone) || task_stopped(t))
		__atomic_store_n(op->stop, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&engine_of(t)->ops_lock);
	workers_add(engine_of(t)->copies, &b->work);
}

void copy_run(struct scsi_task *t, struct copy_op *op, bool immed, copy_fn *fn)
{
	if (immed) {
		start(t, op, fn);
		return;
	}
	fn(t, op);
	copy_op_end(t, op);
}

/* Stopping them ---------------------------------------------------------------------- */

static void stop_those(struct nexus *n, const struct lu *lu)
{
	for (struct copy_op *op = n->ops; op; op = op->next)
		if (op->running && (!lu || op->lu == lu))
			__atomic_store_n(op->stop, 1, __ATOMIC_RELAXED);
}

void copy_ops_stop_on(struct nexus *nexus, const struct lu *lu)
{
	pthread_mutex_lock(&nexus->target->engine->ops_lock);
	stop_those(nexus, lu);
	pthread_mutex_unlock(&nexus->target->engine->ops_lock);
}

void copy_ops_stop(struct nexus *nexus)
{
	copy_ops_stop_on(nexus, NULL);
}

void copy_ops_stop_lu(struct engine *e, const struct lu *lu)
{
	pthread_mutex_lock(&e->nexus_lock);
	for (struct nexus *n = e->nexuses; n; n = n->next)
		copy_ops_stop_on(n, lu);
	pthread_mutex_unlock(&e->nexus_lock);
}

void copy_ops_drop(struct nexus *nexus)
{
	pthread_mutex_lock(&nexus->target->engine->ops_lock);
	while (nexus->ops)
		take_out(nexus, nexus->ops);
	pthread_mutex_unlock(&nexus->target->engine->ops_lock);
}

void cmd_copy_abort(struct scsi_task *t)
{
	struct cdb_tpc cdb;
	struct copy_op *op;

	cdb_tpc_decode(&cdb, t->cdb);
	pthread_mutex_lock(&engine_of(t)->ops_lock);
	op = find(t->nexus, cdb.list_id);
	if (op && op->running)
		__atomic_store_n(op->stop, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&engine_of(t)->ops_lock);
	if (!op)
		task_bad_cdb(t, 2);
}

/* What is asked about them ----------------------------------------------------------- */

static const struct tpc_commands commands[] = {
	{OP_THIRD_PARTY_COPY_OUT,
	 5,
	 {SA_EXTENDED_COPY_LID1, SA_EXTENDED_COPY_LID4, SA_POPULATE_TOKEN, SA_WRITE_USING_TOKEN,
	  SA_COPY_OPERATION_ABORT}},
	{OP_THIRD_PARTY_COPY_IN,
	 5,
	 {SA_COPY_STATUS_LID1, SA_OPERATING_PARAMETERS, SA_FAILURE_DETAILS, SA_COPY_STATUS_LID4,
	  SA_ROD_TOKEN_INFORMATION}},
};

static const struct copy_limits_data limits = {
	.snlid = true,
	.cscds = CSCDS_MAX,
	.segments = SEGMENTS_MAX,
	.list_len = DESCRIPTORS_MAX,
	.segment_bytes = SEGMENT_BYTES,
	.total_copies = OPS_MAX,
	.copies = 8,
	.granularity = 9,
	.codes = 4,
	.code = {SEGMENT_BLOCKS, SEGMENT_VERIFY, SEGMENT_OFFSETS, CSCD_IDENTIFICATION},
};

static const uint32_t rod_types[] = {ROD_POINT_IN_TIME, ROD_CHANGE_VULNERABLE};

size_t tpc_vpd(uint8_t *page)
{
	static const struct tpc_info info = {
		.commands = commands,
		.n_commands = 2,
		.limits = &limits,
		.max_ranges = TOKEN_RANGES_MAX,
		.max_timeout = TOKEN_LIFE,
		.default_timeout = TOKEN_TIMEOUT,
		.max_transfer = TOKEN_BLOCKS_MAX,
		.optimal_transfer = TOKEN_BLOCKS_MAX / 16,
		.rod_types = rod_types,
		.n_rod_types = 2,
	};

	return vpd_tpc_encode(0, &info, page);
}

void cmd_copy_limits(struct scsi_task *t)
{
	uint8_t data[COPY_LIMITS_MAX];

	task_reply(t, data, copy_limits_encode(&limits, data));
}

/* A copy of what is known of the list identifier in the CDB, or false and an error. */
static bool look_up(struct scsi_task *t, struct copy_op *known)
{
	struct copy_op *op;
	struct cdb_tpc cdb;

	cdb_tpc_decode(&cdb, t->cdb);
	pthread_mutex_lock(&engine_of(t)->ops_lock);
	op = find(t->nexus, cdb.list_id);
	if (op)
		*known = *op;
	pthread_mutex_unlock(&engine_of(t)->ops_lock);
	if (!op)
		task_bad_cdb(t, 2);
	return op;
}

static bool is_token_op(const struct copy_op *op)
{
	return op->sa == SA_POPULATE_TOKEN || op->sa == SA_WRITE_USING_TOKEN;
}

static void status_lid1(struct scsi_task *t, const struct copy_op *op)
{
	struct copy_status_lid1 s = {.held_discarded = true, .segments = op->segments};
	uint64_t count = op->bytes;
	uint8_t data[COPY_STATUS_LID1_SIZE];

	s.status = op->running		   ? COPY_LID1_RUNS
		   : op->status == COPY_OK ? COPY_LID1_DONE
					   : COPY_LID1_ERROR;
	for (; count > UINT32_MAX; count >>= 10)
		s.units++;
	s.count = (uint32_t)count;
	copy_status_lid1_encode(&s, data);
	task_reply(t, data, sizeof(data));
}

static void fill_lid4(const struct copy_op *op, struct copy_status_lid4 *s)
{
	*s = (struct copy_status_lid4){
		.response_to = op->sa,
		.status = op->running ? COPY_RUNS : op->status,
		.delay_ms = op->running ? DELAY_MS : ~0u - 1,
		.completion = op->running ? 0 : op->completion,
		.units = is_token_op(op) ? COPY_UNIT_BLOCKS : COPY_UNIT_BYTES,
		.count = is_token_op(op) ? op->bytes / BLOCK : op->bytes,
		.segments = op->segments,
	};
	if (!op->running && op->completion == STATUS_CHECK_CONDITION)
		s->sense_len = (uint8_t)sense_encode(&op->sense, true, s->sense);
}

void cmd_copy_status(struct scsi_task *t)
{
	uint8_t data[COPY_STATUS_LID4_MAX];
	struct copy_status_lid4 s;
	struct copy_op op;

	if (!look_up(t, &op))
		return;
	if ((t->cdb[1] & 0x1f) == SA_COPY_STATUS_LID1) {
		status_lid1(t, &op);
		return;
	}
	fill_lid4(&op, &s);
	task_reply(t, data, copy_status_lid4_encode(&s, 0, data));
}

void cmd_copy_failure(struct scsi_task *t)
{
	struct copy_failure f = {0};
	uint8_t data[COPY_FAILURE_MAX] = {0};
	struct copy_op op;

	if (!look_up(t, &op))
		return;
	if (op.running || op.completion != STATUS_CHECK_CONDITION) {
		task_reply(t, data, 4);
		return;
	}
	f.status = op.completion;
	f.sense_len = (uint16_t)sense_encode(&op.sense, false, f.sense);
	task_reply(t, data, copy_failure_encode(&f, data));
}

void cmd_rod_token_info(struct scsi_task *t)
{
	uint8_t info[TOKEN_INFO_SIZE], data[COPY_STATUS_LID4_MAX + TOKEN_INFO_SIZE];
	struct copy_status_lid4 s;
	struct copy_op op;
	size_t more, len;

	if (!look_up(t, &op))
		return;
	if (!is_token_op(&op)) {
		task_bad_cdb(t, 2);
		return;
	}
	fill_lid4(&op, &s);
	more = token_info_encode(op.has_token ? op.token : NULL, info);
	len = copy_status_lid4_encode(&s, more, data);
	memcpy(data + len, info, more);
	task_reply(t, data, len + more);
}
