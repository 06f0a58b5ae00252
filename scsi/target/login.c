// SPDX-License-Identifier: GPL-2.0-or-later
/* login.c - from a connection to a session (RFC 7143, 6). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "iscsi.h"

int login_answer(struct login *l, const char *key, const char *value)
{
	return iscsi_text_add(l->answer, sizeof(l->answer), &l->answer_len, key, value);
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == len && !strncmp(list, word, n))
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

/* Keys that are agreed upon ------------------------------------------------------------------- */

/* The first of those offered that we have. */
static const char *choose_digest(const char *offered, bool *on)
{
	while (*offered) {
		size_t n = strcspn(offered, ",");

		if (n == 6 && !strncmp(offered, "CRC32C", n)) {
			*on = true;
			return "CRC32C";
		}
		if (n == 4 && !strncmp(offered, "None", n)) {
			*on = false;
			return "None";
		}
		offered += n + (offered[n] == ',');
	}
	return "Reject";
}

static bool number_key(struct conn *c, const char *key, const char *value, const char **answer)
{
	static const struct {
		const char *key;
		uint32_t min, max, ours;
		bool larger; /* the larger of both holds */
	} rows[] = {
		{"MaxConnections", 1, 65535, 1, false},
		{"MaxBurstLength", 512, 0xffffff, OUR_BURST, false},
		{"FirstBurstLength", 512, 0xffffff, OUR_FIRST, false},
		{"DefaultTime2Wait", 0, 3600, 2, true},
		{"DefaultTime2Retain", 0, 3600, 0, false},
		{"MaxOutstandingR2T", 1, 65535, 1, false},
		{"ErrorRecoveryLevel", 0, 2, 0, false},
		{"iSCSIProtocolLevel", 0, 31, 1, false},
	};
	static const char reject[] = "Reject";
	struct params *p = &c->agreed;
	uint32_t n;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[16];

		if (strcmp(key, rows[i].key) != 0)
			continue;
		*answer = NULL;
		if (iscsi_text_number(value, rows[i].min, rows[i].max, &n)) {
			*answer = reject;
			return true;
		}
		if ((n > rows[i].ours) != rows[i].larger)
			n = rows[i].ours;
		if (i == 1)
			p->max_burst = n;
		else if (i == 2)
			p->first_burst = n;
		snprintf(text, sizeof(text), "%u", n);
		login_answer(c->login, key, text);
		return true;
	}
	return false;
}

static bool boolean_key(struct conn *c, const char *key, const char *value, const char **answer)
{
	struct params *p = &c->agreed;
	bool yes = !strcmp(value, "Yes");

	if (!strcmp(key, "InitialR2T")) {
		p->initial_r2t = yes;
	} else if (!strcmp(key, "ImmediateData")) {
		p->immediate = yes;
	} else if (!strcmp(key, "DataPDUInOrder") || !strcmp(key, "DataSequenceInOrder")) {
		yes = true;
	} else if (!strcmp(key, "IFMarker") || !strcmp(key, "OFMarker")) {
		yes = false;
	} else {
		return false;
	}
	if (!yes && strcmp(value, "No") != 0 && strcmp(value, "Yes") != 0)
		*answer = "Reject";
	else
		*answer = yes ? "Yes" : "No";
	return true;
}

/* False: a value that ends the login. */
bool params_key(struct conn *c, const char *key, char *value, bool login)
{
	const char *answer = "NotUnderstood";
	uint32_t n;

	if (!strcmp(key, "MaxRecvDataSegmentLength")) {
		if (iscsi_text_number(value, 512, 0xffffff, &n))
			return false;
		c->agreed.segment = n;
		return true;
	}
	if (!login)
		answer = "Reject";
	else if (!strcmp(key, "HeaderDigest"))
		answer = choose_digest(value, &c->agreed.header_digest);
	else if (!strcmp(key, "DataDigest"))
		answer = choose_digest(value, &c->agreed.data_digest);
	else if (!strcmp(key, "TaskReporting"))
		answer = has_word(value, "RFC3720") ? "RFC3720" : "Reject";
	else if (!number_key(c, key, value, &answer))
		boolean_key(c, key, value, &answer);
	return !answer || !login_answer(c->login, key, answer);
}

/* Keys that say who and what ----------------------------------------------------------------- */

static int name_key(struct login *l, const char *key, const char *value)
{
	char *to = !strcmp(key, "InitiatorName") ? l->initiator : l->name;

	/* Who is who does not change on the way. */
	if ((size_t)snprintf(to, NAME_MAX_ISCSI + 1, "%s", value) > NAME_MAX_ISCSI)
		return LOGIN_INITIATOR_ERROR;
	return LOGIN_OK;
}

static int auth_method(struct conn *c, const char *value)
{
	struct login *l = c->login;
	bool needed = *c->server->in.user;
	const char *method = needed ? "CHAP" : "None";

	if (!has_word(value, method)) {
		login_answer(l, "AuthMethod", "Reject");
		return LOGIN_AUTHENTICATION;
	}
	if (l->step != AUTH_NONE)
		return LOGIN_INITIATOR_ERROR;
	l->step = needed ? AUTH_CHOSEN : AUTH_DONE;
	return login_answer(l, "AuthMethod", method) ? LOGIN_INITIATOR_ERROR : LOGIN_OK;
}

static int session_type(struct login *l, const char *value)
{
	if (strcmp(value, "Discovery") != 0 && strcmp(value, "Normal") != 0)
		return LOGIN_SESSION_TYPE;
	l->discovery = *value == 'D';
	return LOGIN_OK;
}

static int take_key(struct conn *c, const char *key, char *value)
{
	struct login *l = c->login;

	if (!strcmp(key, "InitiatorName") || !strcmp(key, "TargetName"))
		return l->begun ? LOGIN_OK : name_key(l, key, value);
	if (!strcmp(key, "SessionType"))
		return l->begun ? LOGIN_OK : session_type(l, value);
	if (!strcmp(key, "InitiatorAlias"))
		return LOGIN_OK;
	if (l->stage == STAGE_SECURITY) {
		if (!strcmp(key, "AuthMethod"))
			return auth_method(c, value);
		if (!strncmp(key, "CHAP_", 5))
			return chap_key(l, key, value) ? LOGIN_OK : LOGIN_AUTHENTICATION;
	}
	return params_key(c, key, value, true) ? LOGIN_OK : LOGIN_INITIATOR_ERROR;
}

static int take_text(struct conn *c)
{
	struct login *l = c->login;
	char *key, *value;
	size_t at = 0;
	int more;

	*l->chap_a = *l->chap_n = *l->chap_r = *l->chap_c = *l->chap_i = 0;
	while ((more = iscsi_text_next(l->text, l->text_len, &at, &key, &value)) > 0) {
		int status = take_key(c, key, value);

		if (status != LOGIN_OK)
			return status;
	}
	l->text_len = 0;
	return more < 0 ? LOGIN_INITIATOR_ERROR : LOGIN_OK;
}

/* The first request names both ends. */
static int find_target(struct conn *c)
{
	struct login *l = c->login;

	if (l->begun)
		return LOGIN_OK;
	if (!*l->initiator || (!l->discovery && !*l->name))
		return LOGIN_MISSING;
	l->begun = true;
	if (l->discovery)
		return LOGIN_OK;
	l->target = target_find(&c->server->engine, l->name);
	return l->target ? LOGIN_OK : LOGIN_NOT_FOUND;
}

/* Answering ------------------------------------------------------------------------------------ */

static bool respond(struct conn *c, int status, uint8_t flags)
{
	struct login *l = c->login;
	size_t len = status == LOGIN_OK ? l->answer_len : 0;
	struct tx *tx = conn_tx(c, ISCSI_LOGIN_RESPONSE, len);
	struct iscsi_bhs *bhs;

	if (!tx)
		return false;
	bhs = (struct iscsi_bhs *)tx->head;
	bhs->flags = flags;
	memcpy(bhs->lun, l->isid, sizeof(l->isid));
	if (c->session && (flags & ISCSI_TRANSIT) && (flags & 3) == STAGE_FULL)
		put_be16(bhs->lun + 6, c->session->tsih);
	memcpy(bhs->itt, c->bhs.itt, sizeof(bhs->itt));
	conn_stamp(c, bhs, true);
	put_be16(bhs->data_sn, (uint16_t)status);
	memcpy(tx->bytes, l->answer, len);
	l->answer_len = 0;
	conn_send(c, tx);
	if (status != LOGIN_OK)
		c->closing = true;
	return true;
}

static bool make_session(struct conn *c)
{
	struct server *s = c->server;
	struct login *l = c->login;
	struct session *n = calloc(1, sizeof(*n));

	if (!n)
		return false;
	n->target = l->target;
	memcpy(n->initiator, l->initiator, sizeof(n->initiator));
	memcpy(n->isid, l->isid, sizeof(n->isid));
	if (l->target) {
		n->nexus = nexus_new(l->target, l->initiator, l->isid);
		if (!n->nexus) {
			free(n);
			return false;
		}
	}
	n->tsih = ++s->last_tsih ? s->last_tsih : ++s->last_tsih;
	n->conn = c;
	n->next = s->sessions;
	s->sessions = n;
	c->session = n;
	return true;
}

static bool enter_full_phase(struct conn *c)
{
	struct login *l = c->login;

	if (!make_session(c))
		return respond(c, LOGIN_RESOURCES, 0);
	if (!respond(c, LOGIN_OK, (uint8_t)(ISCSI_TRANSIT | l->stage << 2 | STAGE_FULL)))
		return false;
	if (c->agreed.first_burst > c->agreed.max_burst)
		c->agreed.first_burst = c->agreed.max_burst;
	c->params = c->agreed;
	c->state = CONN_FULL;
	return true;
}

/*
 * A session of the same two ends takes the place of the one before, but not while a command of
 * that still runs: it could write what the new one has written already.
 */
void login_try_again(struct conn *c)
{
	struct session *old;

	if (c->state != CONN_WAIT || c->dead)
		return;
	old = session_find(c->server, c->login);
	if (old && old->conn) {
		struct conn *before = old->conn;

		conn_drop(before, "the initiator logged in anew");
		before->session = NULL;
		session_close(old);
		old = session_find(c->server, c->login);
	}
	if (old)
		return;
	if (!enter_full_phase(c))
		conn_drop(c, "no memory");
}

static bool may_leave_security(const struct conn *c)
{
	return !*c->server->in.user || c->login->step == AUTH_DONE;
}

static int sent_once(struct conn *c)
{
	struct login *l = c->login;
	char number[16];
	int err = 0;

	if (!l->tpgt_sent && l->target) {
		snprintf(number, sizeof(number), "%d", PORTAL_GROUP);
		err = login_answer(l, "TargetPortalGroupTag", number);
	}
	l->tpgt_sent = true;
	if (!err && l->stage == STAGE_OPERATIONAL && !l->segment_sent) {
		snprintf(number, sizeof(number), "%u", OUR_SEGMENT);
		err = login_answer(l, "MaxRecvDataSegmentLength", number);
		l->segment_sent = true;
	}
	return err ? LOGIN_INITIATOR_ERROR : LOGIN_OK;
}

/* Where it wants to go from here. */
static bool transit(struct conn *c, uint8_t flags)
{
	struct login *l = c->login;
	uint8_t from = l->stage, to = flags & 3;

	if (!(flags & ISCSI_TRANSIT))
		return respond(c, LOGIN_OK, (uint8_t)(from << 2));
	if (to <= from || to == 2)
		return respond(c, LOGIN_INITIATOR_ERROR, 0);
	/* In the middle of CHAP the answer goes without leaving. */
	if (from == STAGE_SECURITY && !may_leave_security(c)) {
		if (l->step == AUTH_NONE)
			return respond(c, LOGIN_AUTHENTICATION, 0);
		return respond(c, LOGIN_OK, (uint8_t)(from << 2));
	}
	if (to == STAGE_FULL) {
		c->state = CONN_WAIT;
		login_try_again(c);
		return true;
	}
	if (!respond(c, LOGIN_OK, (uint8_t)(ISCSI_TRANSIT | from << 2 | to)))
		return false;
	l->stage = to;
	return true;
}

static bool has_session(const struct server *s, uint16_t tsih)
{
	const struct session *x = s->sessions;

	while (x && x->tsih != tsih)
		x = x->next;
	return x;
}

static int check_request(struct conn *c)
{
	struct login *l = c->login;
	const struct iscsi_bhs *b = &c->bhs;
	uint8_t stage = b->flags >> 2 & 3;

	if (b->status > 0) /* VERSION-MIN */
		return LOGIN_VERSION;
	if (!l->begun && !l->text_len) {
		memcpy(l->isid, b->lun, sizeof(l->isid));
		l->stage = stage;
		c->cid = get_be16(b->ttt);
		c->exp_cmdsn = get_be32(b->sn);
		c->max_cmdsn = c->exp_cmdsn - 1;
		if (stage == STAGE_OPERATIONAL && *c->server->in.user)
			return LOGIN_AUTHENTICATION;
	}
	if (memcmp(l->isid, b->lun, sizeof(l->isid)) != 0 || stage != l->stage || stage > 1)
		return LOGIN_INITIATOR_ERROR;
	/* Another connection of a session: we have one a session. */
	if (get_be16(b->lun + 6))
		return has_session(c->server, get_be16(b->lun + 6)) ? LOGIN_TOO_MANY
								    : LOGIN_NO_SESSION;
	if ((b->flags & ISCSI_CONTINUE) && (b->flags & ISCSI_TRANSIT))
		return LOGIN_INITIATOR_ERROR;
	if (c->size.data > sizeof(l->text) - l->text_len)
		return LOGIN_INITIATOR_ERROR;
	return LOGIN_OK;
}

bool login_request(struct conn *c)
{
	struct login *l = c->login;
	int status = check_request(c);

	if (status != LOGIN_OK)
		return respond(c, status, 0);
	if (c->size.data)
		memcpy(l->text + l->text_len, c->data, c->size.data);
	l->text_len += c->size.data;
	if (c->bhs.flags & ISCSI_CONTINUE)
		return respond(c, LOGIN_OK, (uint8_t)(l->stage << 2));
	status = take_text(c);
	if (status == LOGIN_OK)
		status = find_target(c);
	if (status == LOGIN_OK && l->stage == STAGE_SECURITY)
		status = chap_step(c);
	if (status == LOGIN_OK)
		status = sent_once(c);
	if (status != LOGIN_OK)
		return respond(c, status, 0);
	return transit(c, c->bhs.flags);
}
