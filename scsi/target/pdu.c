// SPDX-License-Identifier: GPL-2.0-or-later
/* pdu.c - what each PDU of an initiator leads to. */
#include <string.h>

#include "iscsi.h"

static uint8_t opcode(const struct conn *c)
{
	return c->bhs.opcode & ISCSI_OPCODE;
}

/*
 * Commands are taken in order.  One outside of the window is ignored (RFC 7143, 4.2.2.1); within
 * it a gap cannot be on a single connection that does not lose anything.
 */
static bool in_order(struct conn *c)
{
	uint32_t sn = get_be32(c->bhs.sn);

	if (c->bhs.opcode & ISCSI_IMMEDIATE)
		return true;
	if ((int32_t)(sn - c->exp_cmdsn) < 0 || (int32_t)(sn - c->max_cmdsn) > 0) {
		c->ignored = true;
		return true;
	}
	if (sn != c->exp_cmdsn) {
		conn_drop(c, "a gap in the command numbers");
		return false;
	}
	c->exp_cmdsn++;
	return true;
}

static bool numbered(uint8_t op)
{
	return op == ISCSI_NOP_OUT || op == ISCSI_COMMAND || op == ISCSI_TASK_REQUEST ||
	       op == ISCSI_TEXT_REQUEST || op == ISCSI_LOGOUT_REQUEST;
}

/* The head is there: where do its data go?  False: the connection is done with. */
bool pdu_begin(struct conn *c)
{
	uint8_t op = opcode(c);

	if (c->state != CONN_FULL) {
		if (op == ISCSI_LOGIN_REQUEST && c->state == CONN_LOGIN)
			return true;
		conn_drop(c, "something else than a login");
		return false;
	}
	if (numbered(op) && !in_order(c))
		return false;
	if (c->ignored)
		return true;
	if (op == ISCSI_COMMAND)
		return command_begin(c);
	if (op == ISCSI_DATA_OUT)
		return data_out_begin(c);
	return true;
}

bool pdu_reject(struct conn *c, uint8_t reason)
{
	struct tx *tx = conn_tx(c, ISCSI_REJECT, ISCSI_BHS);
	struct iscsi_bhs *bhs;

	if (!tx)
		return false;
	bhs = (struct iscsi_bhs *)tx->head;
	bhs->response = reason;
	put_be32(bhs->itt, ISCSI_NO_TAG);
	memcpy(tx->bytes, &c->bhs, ISCSI_BHS);
	conn_stamp(c, bhs, true);
	conn_send(c, tx);
	return true;
}

static bool nop_out(struct conn *c)
{
	uint32_t len = c->size.data < c->params.segment ? c->size.data : c->params.segment;
	struct tx *tx;

	/* An answer of its, or a sign of life. */
	if (get_be32(c->bhs.itt) == ISCSI_NO_TAG)
		return true;
	tx = conn_tx(c, ISCSI_NOP_IN, len);
	if (!tx)
		return false;
	if (len)
		memcpy(tx->bytes, c->data, len);
	memcpy(tx->head + 8, c->bhs.lun, 8);
	memcpy(tx->head + 16, c->bhs.itt, 4);
	put_be32(tx->head + 20, ISCSI_NO_TAG);
	conn_stamp(c, (struct iscsi_bhs *)tx->head, true);
	conn_send(c, tx);
	return true;
}

static bool logout(struct conn *c)
{
	struct tx *tx = conn_tx(c, ISCSI_LOGOUT_RESPONSE, 0);
	uint8_t reason = c->bhs.flags & 0x7f;

	if (!tx)
		return false;
	/* To remove a connection for recovery is not of level 0. */
	tx->head[2] = reason == 2 ? 2 : 0;
	memcpy(tx->head + 16, c->bhs.itt, 4);
	conn_stamp(c, (struct iscsi_bhs *)tx->head, true);
	c->closing = reason != 2;
	conn_send(c, tx);
	return true;
}

/* All of it is there, and right. */
bool pdu_end(struct conn *c)
{
	if (c->ignored)
		return true;
	switch (opcode(c)) {
	case ISCSI_LOGIN_REQUEST:
		if (c->state == CONN_LOGIN)
			return login_request(c);
		return pdu_reject(c, REJECT_PROTOCOL);
	case ISCSI_NOP_OUT:
		return nop_out(c);
	case ISCSI_COMMAND:
		return command_end(c);
	case ISCSI_TASK_REQUEST:
		return manage_request(c);
	case ISCSI_TEXT_REQUEST:
		return text_request(c);
	case ISCSI_DATA_OUT:
		return data_out_end(c);
	case ISCSI_LOGOUT_REQUEST:
		return logout(c);
	default:
		return pdu_reject(c, REJECT_NOT_SUPPORTED);
	}
}
