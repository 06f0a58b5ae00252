// SPDX-License-Identifier: GPL-2.0-or-later
/* text.c - text requests in full feature phase: SendTargets, and a larger or smaller segment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "iscsi.h"

#define TEXT_MAX ((size_t)256 << 10)

struct text {
	char *bytes;
	size_t len;
	bool full;
};

static void add(struct text *t, const char *key, const char *value)
{
	if (iscsi_text_add(t->bytes, TEXT_MAX, &t->len, key, value))
		t->full = true;
}

/* All, one by its name, or in a session with a target (empty) that one. */
static void send_targets(struct conn *c, struct text *t, const char *which)
{
	char address[sizeof(c->address) + 8];

	snprintf(address, sizeof(address), "%s,%d", c->address, PORTAL_GROUP);
	for (struct target *x = c->server->engine.targets; x; x = x->next) {
		bool own = c->session->target == x;

		if (!strcmp(which, "All") ? c->session->target && !own
		    : *which		  ? strcasecmp(which, x->name) != 0
					  : !own)
			continue;
		add(t, "TargetName", x->name);
		add(t, "TargetAddress", address);
	}
}

static bool answer(struct conn *c, struct text *t, char *text, size_t len)
{
	char *key, *value;
	size_t at = 0;
	int more;

	while ((more = iscsi_text_next(text, len, &at, &key, &value)) > 0) {
		if (!strcmp(key, "SendTargets")) {
			send_targets(c, t, value);
		} else if (!strcmp(key, "MaxRecvDataSegmentLength")) {
			if (!params_key(c, key, value, false))
				return false;
			c->params.segment = c->agreed.segment;
		} else {
			add(t, key, "NotUnderstood");
		}
	}
	return !more && !t->full;
}

/* The next piece of c->text. */
static bool send_piece(struct conn *c)
{
	size_t left = c->text_len - c->text_at;
	size_t n = left < c->params.segment ? left : c->params.segment;
	struct tx *tx = conn_tx(c, ISCSI_TEXT_RESPONSE, n);
	bool last = n == left;

	if (!tx)
		return false;
	if (n)
		memcpy(tx->bytes, c->text + c->text_at, n);
	c->text_at += n;
	tx->head[1] = last ? ISCSI_FINAL : ISCSI_CONTINUE;
	memcpy(tx->head + 8, c->bhs.lun, 8);
	memcpy(tx->head + 16, c->bhs.itt, 4);
	put_be32(tx->head + 20, last ? ISCSI_NO_TAG : 1);
	conn_stamp(c, (struct iscsi_bhs *)tx->head, true);
	if (last) {
		free(c->text);
		c->text = NULL;
	}
	conn_send(c, tx);
	return true;
}

bool text_request(struct conn *c)
{
	struct text t = {0};

	if (get_be32(c->bhs.ttt) != ISCSI_NO_TAG)
		return c->text ? send_piece(c) : pdu_reject(c, REJECT_INVALID);
	/* A request in pieces: nothing that is asked here is that long. */
	if (c->bhs.flags & ISCSI_CONTINUE)
		return pdu_reject(c, REJECT_NOT_SUPPORTED);
	free(c->text);
	c->text = NULL;
	t.bytes = malloc(TEXT_MAX);
	if (!t.bytes || !answer(c, &t, (char *)c->data, c->size.data)) {
		free(t.bytes);
		return pdu_reject(c, REJECT_PROTOCOL);
	}
	c->text = t.bytes;
	c->text_len = t.len;
	c->text_at = 0;
	return send_piece(c);
}
