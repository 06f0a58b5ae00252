// SPDX-License-Identifier: GPL-2.0-or-later
/* command.c - a SCSI command over iSCSI: its data come in, it runs, data and status go out. */
#include <stdlib.h>
#include <string.h>

#include "iscsi.h"

#define TASKS_MAX (WINDOW + 32) /* with those sent as immediate */
#define AHS_TYPE  2

/* Tasks ---------------------------------------------------------------------------------------- */

struct task *task_new(struct conn *c)
{
	struct task *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->conn = c;
	t->session = c->session;
	t->itt = get_be32(c->bhs.itt);
	t->edtl = get_be32(c->bhs.ttt);
	t->flags = c->bhs.flags;
	memcpy(t->lun, c->bhs.lun, sizeof(t->lun));
	t->scsi.nexus = c->session->nexus;
	memcpy(t->scsi.lun_field, c->bhs.lun, sizeof(t->lun));
	memcpy(t->scsi.cdb, c->bhs.cdb, sizeof(c->bhs.cdb));
	nexus_get(t->scsi.nexus);
	t->next = c->tasks;
	c->tasks = t;
	c->n_tasks++;
	return t;
}

/* Out of its connection's list: it is answered, or never will be. */
static void leave(struct task *t)
{
	struct task **at;

	if (!t->conn)
		return;
	for (at = &t->conn->tasks; *at != t;)
		at = &(*at)->next;
	*at = t->next;
	t->conn->n_tasks--;
	if (t->conn->task == t)
		conn_forget(t->conn);
	t->conn = NULL;
}

void task_free(struct task *t)
{
	struct nexus *n = t->scsi.nexus;

	leave(t);
	scsi_end(&t->scsi);
	nexus_put(n);
	free(t);
}

static struct task *find(struct conn *c, uint32_t itt)
{
	struct task *t = c->tasks;

	while (t && t->itt != itt)
		t = t->next;
	return t;
}

void task_abort(struct task *t, struct tmf *tmf)
{
	t->aborted = true;
	__atomic_store_n(&t->scsi.stop, 1, __ATOMIC_RELAXED);
	if (!t->running) {
		task_free(t);
		return;
	}
	leave(t);
	if (tmf && !t->tmf) {
		t->tmf = tmf;
		tmf->waiting++;
	}
}

/* Answering -------------------------------------------------------------------------------------
 */

static uint32_t moved(const struct task *t)
{
	const struct scsi_task *s = &t->scsi;

	return s->dir == DATA_IN ? s->len : s->dir == DATA_OUT ? s->want : 0;
}

/* What goes over less or more than the initiator expected. */
static void put_residual(const struct task *t, struct iscsi_bhs *bhs)
{
	uint32_t n = moved(t);

	if (n > t->edtl) {
		bhs->flags |= ISCSI_OVERFLOW;
		put_be32(bhs->residual, n - t->edtl);
	} else if (n < t->edtl) {
		bhs->flags |= ISCSI_UNDERFLOW;
		put_be32(bhs->residual, t->edtl - n);
	}
}

static void send_status(struct task *t, struct conn *c)
{
	bool check = t->scsi.status == STATUS_CHECK_CONDITION;
	uint8_t sense[SENSE_MAX];
	size_t len = check ? scsi_sense(&t->scsi, sense) : 0;
	struct tx *tx = conn_tx(c, ISCSI_RESPONSE, check ? len + 2 : 0);
	struct iscsi_bhs *bhs;

	if (!tx)
		return;
	bhs = (struct iscsi_bhs *)tx->head;
	bhs->status = t->scsi.status;
	put_be32(bhs->itt, t->itt);
	if (check) {
		put_be16(tx->bytes, (uint16_t)len);
		memcpy(tx->bytes + 2, sense, len);
	}
	put_residual(t, bhs);
	leave(t);
	conn_stamp(c, bhs, true);
	tx->task = t;
	conn_send(c, tx);
}

/* As PDUs that it takes, in bursts; the last one brings the status with it. */
static void send_data(struct task *t, struct conn *c, uint32_t len)
{
	uint32_t sn = 0, burst = 0;

	for (uint32_t at = 0; at < len;) {
		uint32_t n = len - at < c->params.segment ? len - at : c->params.segment;
		struct tx *tx;
		struct iscsi_bhs *bhs;
		bool last;

		if (n > c->params.max_burst - burst)
			n = c->params.max_burst - burst;
		last = at + n == len;
		burst = burst + n == c->params.max_burst ? 0 : burst + n;
		tx = conn_tx(c, ISCSI_DATA_IN, 0);
		if (!tx)
			return;
		bhs = (struct iscsi_bhs *)tx->head;
		bhs->flags = last || !burst ? ISCSI_FINAL : 0;
		put_be32(bhs->itt, t->itt);
		put_be32(bhs->ttt, ISCSI_NO_TAG);
		if (last) {
			bhs->flags |= ISCSI_HAS_STATUS;
			bhs->status = t->scsi.status;
			put_residual(t, bhs);
			leave(t);
			tx->task = t;
		}
		conn_stamp(c, bhs, last);
		if (!last)
			put_be32(bhs->sn, 0);
		put_be32(bhs->data_sn, sn++);
		put_be32(bhs->offset, at);
		tx->data = t->scsi.data + at;
		tx->len = n;
		conn_send(c, tx);
		at += n;
	}
}

void task_respond(struct task *t)
{
	struct conn *c = t->conn;
	uint32_t expected = t->flags & ISCSI_READ ? t->edtl : 0;
	uint32_t len = t->scsi.len < expected ? t->scsi.len : expected;

	if (t->scsi.dir == DATA_IN && len && t->scsi.status == STATUS_GOOD)
		send_data(t, c, len);
	else
		send_status(t, c);
}

/* A worker is done with it. */
void task_finished(struct task *t)
{
	struct session *session = t->session;
	struct tmf *tmf = t->tmf;

	session->running--;
	t->running = false;
	if (t->conn && !t->aborted && !t->scsi.aborted && !t->conn->dead)
		task_respond(t);
	else
		task_free(t);
	if (tmf && --tmf->waiting == 0)
		tmf_done(tmf);
}

/* Running ----------------------------------------------------------------------------------------
 */

static void submit(struct task *t)
{
	t->scsi.expected = t->edtl;
	t->scsi.len = t->scsi.dir == DATA_OUT ? t->received : 0;
	if (!t->scsi.done && !scsi_try(&t->scsi)) {
		t->running = true;
		t->session->running++;
		server_submit(t->conn->server, t);
	} else if (t->scsi.aborted) {
		task_free(t);
	} else {
		task_respond(t);
	}
}

static bool ask_for_data(struct task *t)
{
	struct conn *c = t->conn;
	struct tx *tx = conn_tx(c, ISCSI_R2T, 0);
	uint32_t n = t->needed - t->received;
	struct iscsi_bhs *bhs;

	if (!tx)
		return false;
	if (n > c->params.max_burst)
		n = c->params.max_burst;
	t->solicited = true;
	t->burst_end = t->received + n;
	t->data_sn = 0;
	t->ttt = c->next_ttt++;
	if (t->ttt == ISCSI_NO_TAG)
		t->ttt = c->next_ttt++;
	bhs = (struct iscsi_bhs *)tx->head;
	memcpy(bhs->lun, t->lun, sizeof(bhs->lun));
	put_be32(bhs->itt, t->itt);
	put_be32(bhs->ttt, t->ttt);
	conn_stamp(c, bhs, false);
	put_be32(bhs->data_sn, t->r2t_sn++);
	put_be32(bhs->offset, t->received);
	put_be32(bhs->residual, n);
	conn_send(c, tx);
	return true;
}

static void fail_data(struct task *t)
{
	t->failed = true;
	if (!t->scsi.done)
		task_check(&t->scsi, KEY_ABORTED_COMMAND, ASC_DATA_PHASE_ERROR);
	t->scsi.done = true;
}

/* A burst has ended, or there was none: more of it, or go. */
static bool go_on(struct task *t)
{
	if (t->unsolicited || t->solicited)
		return true;
	if (!t->scsi.done && t->received < t->needed)
		return ask_for_data(t);
	submit(t);
	return true;
}

/* Requests ----------------------------------------------------------------------------------------
 */

static bool refuse(struct conn *c, const char *why)
{
	conn_drop(c, why);
	return false;
}

/* Data that come with it, or after it without being asked for. */
static bool check_unsolicited(struct conn *c, const struct task *t)
{
	uint32_t most = c->params.first_burst < t->edtl ? c->params.first_burst : t->edtl;

	if (c->size.data && (!c->params.immediate || !(t->flags & ISCSI_WRITE)))
		return refuse(c, "immediate data that were not agreed on");
	if (c->size.data > most)
		return refuse(c, "more immediate data than were agreed on");
	if (!(t->flags & ISCSI_FINAL) && (c->params.initial_r2t || !(t->flags & ISCSI_WRITE)))
		return refuse(c, "unsolicited data that were not agreed on");
	return true;
}

bool command_begin(struct conn *c)
{
	struct task *t;

	if (!c->session->nexus)
		return refuse(c, "a command in a discovery session");
	if (c->n_tasks >= TASKS_MAX || find(c, get_be32(c->bhs.itt)))
		return refuse(c, c->n_tasks >= TASKS_MAX ? "too many commands"
							 : "a task tag that is in use");
	t = task_new(c);
	if (!t)
		return refuse(c, "no memory");
	if (!check_unsolicited(c, t)) {
		task_free(t);
		return false;
	}
	scsi_begin(&t->scsi);
	if (t->scsi.dir == DATA_OUT && (t->flags & ISCSI_WRITE))
		t->needed = t->scsi.want < t->edtl ? t->scsi.want : t->edtl;
	t->unsolicited = !(t->flags & ISCSI_FINAL);
	t->burst_end = c->params.first_burst < t->edtl ? c->params.first_burst : t->edtl;
	c->task = t;
	if (c->size.data <= t->needed)
		c->data = t->scsi.data;
	return true;
}

/* What came of it: what is beyond what the command takes is dropped. */
static void took(struct conn *c, struct task *t)
{
	uint32_t n = c->size.data, left = t->received < t->needed ? t->needed - t->received : 0;

	if (c->data == c->scratch && n && left)
		memcpy(t->scsi.data + t->received, c->data, n < left ? n : left);
	t->received += n;
}

bool command_end(struct conn *c)
{
	struct task *t = c->task;

	c->task = NULL;
	if (!t)
		return true;
	if (c->size.data)
		took(c, t);
	if (!t->unsolicited && t->received > t->needed)
		t->received = t->needed;
	return go_on(t);
}

/*
 * Data-Out of a task that is not there is of one that was aborted, and is dropped.  What is out
 * of order fails the command; the rest of its burst is waited for.
 */
bool data_out_begin(struct conn *c)
{
	struct task *t = find(c, get_be32(c->bhs.itt));
	uint32_t ttt = get_be32(c->bhs.ttt), at = get_be32(c->bhs.offset);
	bool expected;

	if (!t || t->running) {
		c->ignored = true;
		return true;
	}
	expected = ttt == ISCSI_NO_TAG ? t->unsolicited : t->solicited && ttt == t->ttt;
	if (!expected) {
		c->ignored = true;
		return true;
	}
	c->task = t;
	if (t->failed)
		return true;
	if (get_be32(c->bhs.data_sn) != t->data_sn || at != t->received ||
	    c->size.data > t->burst_end - t->received) {
		fail_data(t);
		return true;
	}
	t->data_sn++;
	if (t->received + c->size.data <= t->needed)
		c->data = t->scsi.data + t->received;
	return true;
}

bool data_out_end(struct conn *c)
{
	struct task *t = c->task;

	c->task = NULL;
	if (!t)
		return true;
	if (!t->failed && c->size.data)
		took(c, t);
	if (!(c->bhs.flags & ISCSI_FINAL))
		return true;
	/* What was asked for has to come whole. */
	if (t->solicited && !t->failed && t->received != t->burst_end)
		fail_data(t);
	t->unsolicited = t->solicited = false;
	if (t->received > t->needed)
		t->received = t->needed;
	t->data_sn = 0;
	return go_on(t);
}
