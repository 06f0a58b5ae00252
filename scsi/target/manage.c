// SPDX-License-Identifier: GPL-2.0-or-later
/* manage.c - task management, and the end of sessions. */
#include <stdlib.h>
#include <string.h>

#include "iscsi.h"

/* Sessions ----------------------------------------------------------------------------------------
 */

struct session *session_find(struct server *s, const struct login *l)
{
	struct session *x = s->sessions;

	while (x &&
	       !(x->target && x->target == l->target &&
		 !memcmp(x->isid, l->isid, sizeof(x->isid)) && !strcmp(x->initiator, l->initiator)))
		x = x->next;
	return x;
}

void session_free_if_done(struct server *s, struct session *session)
{
	struct session **at = &s->sessions;

	if (session->conn || session->running || (session->nexus && nexus_busy(session->nexus)))
		return;
	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
	if (session->nexus)
		nexus_put(session->nexus);
	free(session);
}

/* What runs of it is told to end; it stays until then, so that nobody takes its place before. */
void session_close(struct session *session)
{
	struct conn *c = session->conn;
	struct server *s = c->server;

	session->conn = NULL;
	c->session = NULL;
	while (c->tasks)
		task_abort(c->tasks, NULL);
	if (session->nexus)
		nexus_lost(session->nexus);
	session_free_if_done(s, session);
}

/* Aborting
 * ------------------------------------------------------------------------------------------ */

struct which {
	const struct conn *conn; /* NULL: of every session */
	const struct lu *lu;	 /* NULL: of every unit of the target */
	const struct target *target;
};

static bool is_meant(const struct task *t, const struct which *w)
{
	return t->scsi.nexus->target == w->target && (!w->lu || t->scsi.lu == w->lu);
}

/* A unit may be seen through other targets, too. */
static bool is_meant_anywhere(const struct task *t, const struct which *w)
{
	return w->lu && !w->conn ? t->scsi.lu == w->lu : is_meant(t, w);
}

static void abort_tasks(struct server *s, const struct which *w, struct tmf *tmf)
{
	for (struct conn *c = s->conns; c; c = c->next) {
		if (w->conn && c != w->conn)
			continue;
		for (struct task *t = c->tasks, *next; t; t = next) {
			next = t->next;
			if (is_meant_anywhere(t, w))
				task_abort(t, tmf);
		}
	}
}

static const struct lun *find_lun(const struct conn *c)
{
	const struct target *t = c->session->target;
	int number = lun_decode(c->bhs.lun);

	for (unsigned i = 0; number >= 0 && i < t->n; i++)
		if (t->lun[i].number == (unsigned)number)
			return &t->lun[i];
	return NULL;
}

static uint8_t abort_one(struct conn *c, struct tmf *tmf)
{
	uint32_t itt = get_be32(c->bhs.ttt);

	for (struct task *t = c->tasks; t; t = t->next)
		if (t->itt == itt) {
			task_abort(t, tmf);
			return TASK_COMPLETE;
		}
	return TASK_UNKNOWN;
}

static uint8_t abort_lun(struct conn *c, struct tmf *tmf, uint8_t function)
{
	struct server *s = c->server;
	const struct lun *lun = find_lun(c);
	struct which w = {.target = c->session->target};

	if (!lun)
		return TASK_NO_LUN;
	w.lu = lun->lu;
	w.conn = function == TASK_ABORT_SET ? c : NULL;
	abort_tasks(s, &w, tmf);
	if (function == TASK_CLEAR_SET)
		attention_raise(&s->engine, lun->lu, ATTENTION_CLEARED, c->session->nexus);
	else if (function == TASK_LUN_RESET)
		lu_reset(&s->engine, lun->lu);
	return TASK_COMPLETE;
}

static uint8_t reset_target(struct conn *c, struct tmf *tmf, bool cold)
{
	struct server *s = c->server;
	struct target *t = c->session->target;
	struct which w = {.target = t};

	abort_tasks(s, &w, tmf);
	for (unsigned i = 0; i < t->n; i++)
		lu_reset(&s->engine, t->lun[i].lu);
	for (struct conn *x = s->conns; cold && x; x = x->next)
		if (x->session && x->session->target == t && x != c)
			conn_drop(x, "the target was reset");
	return TASK_COMPLETE;
}

void tmf_done(struct tmf *tmf)
{
	struct conn *c = tmf->conn;
	struct tx *tx = NULL;

	if (c) {
		struct tmf **at = &c->tmfs;

		while (*at != tmf)
			at = &(*at)->next;
		*at = tmf->next;
		tx = conn_tx(c, ISCSI_TASK_RESPONSE, 0);
	}
	if (tx) {
		tx->head[2] = tmf->response;
		put_be32(tx->head + 16, tmf->itt);
		c->closing = c->closing || tmf->closes;
		conn_stamp(c, (struct iscsi_bhs *)tx->head, true);
		conn_send(c, tx);
	}
	free(tmf);
}

void conn_forget_tmfs(struct conn *c)
{
	for (; c->tmfs; c->tmfs = c->tmfs->next)
		c->tmfs->conn = NULL;
}

static uint8_t manage(struct conn *c, struct tmf *tmf, uint8_t function)
{
	switch (function) {
	case TASK_ABORT:
		return abort_one(c, tmf);
	case TASK_ABORT_SET:
	case TASK_CLEAR_SET:
	case TASK_LUN_RESET:
		return abort_lun(c, tmf, function);
	case TASK_WARM_RESET:
	case TASK_COLD_RESET:
		return reset_target(c, tmf, function == TASK_COLD_RESET);
	default:
		return TASK_NOT_SUPPORTED;
	}
}

/* The answer goes when all that it aborted has ended. */
bool manage_request(struct conn *c)
{
	struct tmf *tmf = c->session->nexus ? calloc(1, sizeof(*tmf)) : NULL;

	if (!tmf)
		return pdu_reject(c, REJECT_PROTOCOL);
	tmf->conn = c;
	tmf->itt = get_be32(c->bhs.itt);
	tmf->next = c->tmfs;
	c->tmfs = tmf;
	tmf->waiting = 1;
	tmf->closes = (c->bhs.flags & 0x7f) == TASK_COLD_RESET;
	tmf->response = manage(c, tmf, c->bhs.flags & 0x7f);
	if (--tmf->waiting == 0)
		tmf_done(tmf);
	return !c->closing;
}
