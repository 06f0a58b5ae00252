// SPDX-License-Identifier: GPL-2.0-or-later
/* pr_in.c - PERSISTENT RESERVE IN (SPC-4, 6.15). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lu.h"

#define TRANSPORT_ISCSI 0x45 /* iSCSI, with the session's identifier */
#define FULL_HEAD	24
/* Head, name, ",i,0x", 12 digits, NUL, and what fills the last word. */
#define FULL_MAX (FULL_HEAD + 4 + NAME_MAX_ISCSI + 5 + 12 + 4)

static size_t put_keys(const struct pr *pr, uint8_t *data)
{
	put_be32(data, pr->generation);
	put_be32(data + 4, pr->n * 8);
	for (unsigned i = 0; i < pr->n; i++)
		put_be64(data + 8 + 8 * (size_t)i, pr->reg[i].key);
	return 8 + 8 * (size_t)pr->n;
}

static bool all_registrants(const struct pr *pr)
{
	return pr->type == PR_WRITE_ALL || pr->type == PR_EXCLUSIVE_ALL;
}

static size_t put_reservation(const struct pr *pr, uint8_t *data)
{
	put_be32(data, pr->generation);
	if (pr->type == PR_NONE)
		return 8;
	put_be32(data + 4, 16);
	put_be64(data + 8, all_registrants(pr) ? 0 : pr->reg[pr->holder].key);
	data[21] = pr->type;
	return 24;
}

static size_t put_capabilities(const struct scsi_task *t, uint8_t *data)
{
	bool kept = t->nexus->target->engine->state;

	put_be16(data, 8);
	data[2] = kept ? 0x01 : 0;
	data[3] = (uint8_t)(0x80 | (t->lu->pr.aptpl ? 0x01 : 0));
	data[4] = 0xea; /* all types */
	data[5] = 0x01;
	return 8;
}

static size_t put_full_one(const struct pr *pr, unsigned i, uint8_t *d)
{
	const struct registration *r = &pr->reg[i];
	uint8_t *id = d + FULL_HEAD;
	int len;

	memset(d, 0, FULL_MAX);
	put_be64(d, r->key);
	if (pr->type != PR_NONE && (all_registrants(pr) || pr->holder == i)) {
		d[12] = 1;
		d[13] = pr->type;
	}
	put_be16(d + 18, 1); /* RELATIVE TARGET PORT IDENTIFIER */
	id[0] = TRANSPORT_ISCSI;
	len = snprintf((char *)id + 4, FULL_MAX - FULL_HEAD - 4, "%s,i,0x%02x%02x%02x%02x%02x%02x",
		       r->initiator, r->isid[0], r->isid[1], r->isid[2], r->isid[3], r->isid[4],
		       r->isid[5]);
	len = (len + 4) & ~3; /* with a NUL at least */
	put_be16(id + 2, (uint16_t)len);
	put_be32(d + 20, (uint32_t)len + 4);
	return FULL_HEAD + 4 + (size_t)len;
}

static size_t put_full(const struct pr *pr, uint8_t *data)
{
	size_t at = 8;

	put_be32(data, pr->generation);
	for (unsigned i = 0; i < pr->n; i++)
		at += put_full_one(pr, i, data + at);
	put_be32(data + 4, (uint32_t)(at - 8));
	return at;
}

void cmd_pr_in(struct scsi_task *t)
{
	uint8_t *data = calloc(1, 8 + (size_t)REGISTRATIONS_MAX * FULL_MAX);
	size_t len = 0;

	if (!data) {
		t->status = STATUS_BUSY;
		return;
	}
	pthread_mutex_lock(&t->lu->lock);
	switch (t->cdb[1] & 0x1f) {
	case SA_PRIN_KEYS:
		len = put_keys(&t->lu->pr, data);
		break;
	case SA_PRIN_RESERVATION:
		len = put_reservation(&t->lu->pr, data);
		break;
	case SA_PRIN_CAPABILITIES:
		len = put_capabilities(t, data);
		break;
	default:
		len = put_full(&t->lu->pr, data);
		break;
	}
	pthread_mutex_unlock(&t->lu->lock);
	task_reply(t, data, len);
	free(data);
}
