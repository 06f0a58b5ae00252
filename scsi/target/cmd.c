// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd.c - what every command goes through: unit, CDB, reservations, then its row's function. */
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lu.h"

/* More is copied by a worker, while the transport goes on. */
#define TRY_MAX ((uint32_t)128 << 10)

static const struct {
	uint16_t asc;
} attentions[ATTENTIONS] = {
	[ATTENTION_POWER_ON] = {ASC_POWER_ON},
	[ATTENTION_RESET] = {ASC_BUS_DEVICE_RESET},
	[ATTENTION_CLEARED] = {ASC_COMMANDS_CLEARED},
	[ATTENTION_PREEMPTED] = {ASC_RESERVATIONS_PREEMPTED},
	[ATTENTION_UNREGISTERED] = {ASC_REGISTRATIONS_PREEMPTED},
	[ATTENTION_RELEASED] = {ASC_RESERVATIONS_RELEASED},
	[ATTENTION_MODE] = {ASC_MODE_CHANGED},
};

void task_check(struct scsi_task *t, uint8_t key, uint16_t asc)
{
	t->status = STATUS_CHECK_CONDITION;
	t->sense = (struct sense){.key = key, .asc = asc};
}

void task_bad_cdb(struct scsi_task *t, unsigned at)
{
	task_check(t, KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
	sense_field(&t->sense, true, at);
}

void task_bad_list(struct scsi_task *t, unsigned at)
{
	task_check(t, KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
	sense_field(&t->sense, false, at);
}

/* Takes of the engine's memory, which all sessions share; who gets none is told to come again. */
static bool charge(struct scsi_task *t, uint32_t bytes)
{
	struct engine *e = t->nexus->target->engine;

	if (atomic_fetch_add(&e->memory, bytes) + bytes <= e->memory_max) {
		t->charged = bytes;
		return true;
	}
	atomic_fetch_sub(&e->memory, bytes);
	t->status = STATUS_BUSY;
	return false;
}

uint8_t *task_buffer(struct scsi_task *t)
{
	if (!t->data && charge(t, t->want)) {
		t->data = malloc(t->want ? t->want : 1);
		if (!t->data)
			t->status = STATUS_BUSY;
	}
	return t->data;
}

void task_reply(struct scsi_task *t, const void *data, size_t len)
{
	if (len > t->want)
		len = t->want;
	t->want = (uint32_t)len;
	if (!task_buffer(t))
		return;
	memcpy(t->data, data, len);
	t->len = (uint32_t)len;
}

static void find_lun(struct scsi_task *t)
{
	struct target *target = t->nexus->target;
	int number = lun_decode(t->lun_field);

	for (unsigned i = 0; number >= 0 && i < target->n; i++)
		if (target->lun[i].number == (unsigned)number) {
			t->lun = &target->lun[i];
			t->lu = t->lun->lu;
		}
}

static unsigned lun_index(const struct scsi_task *t)
{
	return (unsigned)(t->lun - t->nexus->target->lun);
}

/* True when there was something to tell, which is told once. */
static bool attention(struct scsi_task *t)
{
	atomic_uint *bits = &t->nexus->attention[lun_index(t)];

	for (unsigned i = 0; i < ATTENTIONS; i++)
		if (atomic_fetch_and(bits, ~(1u << i)) & 1u << i) {
			task_check(t, KEY_UNIT_ATTENTION, attentions[i].asc);
			return true;
		}
	return false;
}

static bool cdb_allowed(struct scsi_task *t)
{
	unsigned size = scsi_cdb_size(t->cdb[0]);

	for (unsigned i = 1; i < size; i++)
		if (t->cdb[i] & ~t->row->usage[i - 1]) {
			task_bad_cdb(t, i);
			return false;
		}
	return true;
}

static bool other_service_actions(uint8_t opcode)
{
	for (unsigned i = 0; i < cmd_rows_n; i++)
		if (cmd_rows[i].opcode == opcode)
			return true;
	return false;
}

static bool find_row(struct scsi_task *t)
{
	t->row = cmd_find(t->cdb);
	if (t->row)
		return true;
	if (other_service_actions(t->cdb[0]))
		task_bad_cdb(t, 1);
	else
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
	return false;
}

/* Whoever may not read or write now; asked again when it is run, as much may happen meanwhile. */
static bool admitted(struct scsi_task *t)
{
	unsigned flags = t->row->flags;
	bool ok;

	if (!t->lu)
		return true;
	pthread_mutex_lock(&t->lu->lock);
	ok = (flags & CMD_RESERVED) || !t->lu->reserved || t->lu->reserved == t->nexus;
	if (flags & (CMD_READS | CMD_WRITES))
		ok = ok && pr_allows(&t->lu->pr, t->nexus, flags);
	if (ok && (flags & CMD_CHANGES) && (t->lun->ro || t->lu->mode.swp))
		task_check(t, KEY_DATA_PROTECT, ASC_WRITE_PROTECTED);
	pthread_mutex_unlock(&t->lu->lock);
	if (!ok)
		t->status = STATUS_RESERVATION_CONFLICT;
	return t->status == STATUS_GOOD;
}

static uint32_t field(const struct scsi_task *t)
{
	const uint8_t *p = t->cdb + t->row->len_at;

	switch (t->row->len_bytes) {
	case 1:
		return *p;
	case 2:
		return get_be16(p);
	case 8: /* of commands that have none */
		return t->row->len_bytes;
	default:
		return get_be32(p);
	}
}

static uint64_t verify_blocks(const struct scsi_task *t, const struct cdb_rw *rw)
{
	switch (t->cdb[1] & RW_BYTCHK) {
	case 0:
		return 0;
	case RW_BYTCHK:
		return 1;
	default:
		return rw->blocks;
	}
}

/* How much data goes over, by the CDB alone. */
static bool measure(struct scsi_task *t)
{
	struct cdb_rw rw;
	uint64_t bytes = 0;

	cdb_rw_decode(&rw, t->cdb);
	t->dir = t->row->data == IN_BLOCKS || t->row->data == IN_ALLOC ? DATA_IN : DATA_OUT;
	switch (t->row->data) {
	case NO_DATA:
		t->dir = DATA_NONE;
		break;
	case IN_BLOCKS:
	case OUT_BLOCKS:
		bytes = (uint64_t)rw.blocks * BLOCK;
		break;
	case OUT_TWICE:
		bytes = 2 * (uint64_t)rw.blocks * BLOCK;
		break;
	case OUT_VERIFY:
		bytes = verify_blocks(t, &rw) * BLOCK;
		break;
	case OUT_ONE:
		bytes = t->cdb[0] == OP_WRITE_SAME_16 && (t->cdb[1] & WS_NDOB) ? 0 : BLOCK;
		break;
	default:
		bytes = field(t);
		break;
	}
	if (t->row->data == IN_ALLOC && bytes > LIST_MAX)
		bytes = LIST_MAX;
	if (t->row->data == OUT_LIST && bytes > LIST_MAX) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
		return false;
	}
	if (bytes > TRANSFER_MAX) {
		task_bad_cdb(t, scsi_cdb_size(t->cdb[0]) == 12 ? 6 : 10);
		return false;
	}
	t->want = (uint32_t)bytes;
	return true;
}

/* SBC-3: an LBA behind the end is wrong even where nothing is asked of it. */
static bool within_capacity(struct scsi_task *t)
{
	struct cdb_rw rw;

	if (!(t->row->flags & CMD_BLOCKS))
		return true;
	cdb_rw_decode(&rw, t->cdb);
	if (rw.lba <= t->lu->blocks && rw.blocks <= t->lu->blocks - rw.lba &&
	    (rw.lba < t->lu->blocks || !rw.blocks))
		return true;
	task_check(t, KEY_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
	return false;
}

static bool begin(struct scsi_task *t)
{
	bool known = find_row(t);

	if (!t->lu && !(known && (t->row->flags & CMD_ANY_LUN))) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_LUN_NOT_SUPPORTED);
		return false;
	}
	if (t->lu)
		t->epoch = atomic_load(&t->nexus->epoch[lun_index(t)]);
	if (t->lu && !(known && (t->row->flags & CMD_NO_UA)) && attention(t))
		return false;
	if (!known || !cdb_allowed(t) || !admitted(t) || !within_capacity(t) || !measure(t))
		return false;
	return t->dir != DATA_OUT || !t->want || task_buffer(t);
}

void scsi_begin(struct scsi_task *t)
{
	find_lun(t);
	t->done = !begin(t);
	if (t->done)
		t->dir = DATA_NONE;
}

static void run(struct scsi_task *t)
{
	if (admitted(t))
		t->row->run(t);
	if (t->status != STATUS_GOOD && t->status != STATUS_CONDITION_MET)
		t->len = 0;
}

void scsi_run(struct scsi_task *t)
{
	struct nexus *n = t->nexus;
	/* A reservation that aborts others waits for them, so it is not waited for itself. */
	bool counts = t->lu && t->row->opcode != OP_PERSISTENT_RESERVE_OUT;

	if (counts)
		atomic_fetch_add(&n->running[lun_index(t)], 1);
	if ((t->lu && atomic_load(&n->epoch[lun_index(t)]) != t->epoch) || task_stopped(t))
		t->aborted = true;
	else
		run(t);
	if (counts)
		atomic_fetch_sub(&n->running[lun_index(t)], 1);
	t->done = true;
}

bool scsi_try(struct scsi_task *t)
{
	bool waits = t->row->flags & CMD_WORKER;

	if (waits && (!(t->row->flags & CMD_TRIES) || t->want > TRY_MAX))
		return false;
	t->nowait = waits;
	t->again = false;
	scsi_run(t);
	t->nowait = false;
	if (t->again)
		t->done = false;
	return !t->again;
}

void scsi_end(struct scsi_task *t)
{
	free(t->data);
	t->data = NULL;
	atomic_fetch_sub(&t->nexus->target->engine->memory, t->charged);
	t->charged = 0;
}

bool scsi_copies(const struct scsi_task *t)
{
	return t->row->flags & CMD_COPY;
}

size_t scsi_sense(const struct scsi_task *t, uint8_t *buf)
{
	return sense_encode(&t->sense, t->lu && lu_mode(t->lu).d_sense, buf);
}
