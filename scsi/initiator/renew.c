// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * renew.c - a unit in the session that took the place of a lost one.
 *
 * What has the same number there may be another disk, after the array was set up anew, and
 * what it was asked to write may be lost with its cache.  So nothing is sent before the unit
 * has told its name and its size.
 */
#include <errno.h>
#include <string.h>

#include "initiator.h"
#include "scsi/proto/scsi.h"

#define LOST_MAX	 8u /* sessions in a row that are lost while the unit is asked */
#define MODE_SIZE	 255u
#define MODE_HEAD	 4u
#define MODE_CACHING	 0x08u
#define DISABLE_BLOCKS	 0x08u
#define CACHING_WCE	 0x04u
#define ASC_RESET	 0x29 /* power on, resets; by the qualifier */
#define ASCQ_NEXUS_LOSS	 0x07
#define ASC_OF(asc_ascq) ((asc_ascq) >> 8)

/* Whether writes are in a cache first (SBC-3 6.5.6); true where the unit does not tell. */
static bool caches(struct scsi_lu *lu)
{
	uint8_t data[MODE_SIZE] = {0};
	struct scsi_cmd cmd = {.lu = lu, .in = data, .len = sizeof(data)};
	size_t at;

	cmd.cdb[0] = OP_MODE_SENSE_6;
	cmd.cdb[1] = DISABLE_BLOCKS;
	cmd.cdb[2] = MODE_CACHING;
	cmd.cdb[4] = sizeof(data);
	if (scsi_exec(&cmd) || cmd.got < MODE_HEAD)
		return true;
	at = MODE_HEAD + data[3];
	if (at + 3 > cmd.got || (data[at] & 0x3f) != MODE_CACHING)
		return true;
	return data[at + 2] & CACHING_WCE;
}

/* Only the loss of the session itself is known to leave the cache alone. */
static bool lost_power(uint16_t attention)
{
	return ASC_OF(attention) == ASC_RESET && (attention & 0xff) != ASCQ_NEXUS_LOSS;
}

/* What is being saved when the power goes is not saved by what comes after it. */
static bool unsaved(struct scsi_lu *lu)
{
	return __atomic_load_n(&lu->unsaved, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&lu->saving, __ATOMIC_SEQ_CST);
}

static bool same(const struct scsi_lu *a, const struct scsi_lu *b)
{
	if (a->block != b->block || a->blocks != b->blocks || a->names != b->names ||
	    strcmp(a->vendor, b->vendor) != 0 || strcmp(a->product, b->product) != 0)
		return false;
	for (unsigned i = 0; i < a->names; i++)
		if (a->name[i].type != b->name[i].type || a->name[i].len != b->name[i].len ||
		    memcmp(a->name[i].id, b->name[i].id, a->name[i].len) != 0)
			return false;
	return true;
}

static int renew(struct scsi_lu *lu)
{
	struct scsi_lu now = {.transport = lu->transport, .port = lu->port, .lun = lu->lun};
	uint16_t attention;
	int err;

	scsi_lu_init(&now);
	err = scsi_identify(&now, &attention);
	if (!err && !same(lu, &now))
		err = -ESTALE;
	if (!err && lost_power(attention) && unsaved(lu) && caches(&now))
		__atomic_store_n(&lu->doubt, true, __ATOMIC_SEQ_CST);
	if (!err)
		__atomic_store_n(&lu->session, now.session, __ATOMIC_SEQ_CST);
	pthread_mutex_destroy(&now.renewal);
	pthread_mutex_destroy(&now.lock);
	return err;
}

static bool current(struct scsi_lu *lu)
{
	return lu->transport->session && lu->transport->session(lu) == lu->session;
}

int scsi_renew(struct scsi_lu *lu)
{
	unsigned tries = 0;
	int err;

	pthread_mutex_lock(&lu->renewal);
	do
		err = current(lu) ? 0 : renew(lu);
	while (err == -ECONNRESET && ++tries < LOST_MAX);
	pthread_mutex_unlock(&lu->renewal);
	return err;
}
