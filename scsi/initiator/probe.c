// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * probe.c - what a unit is: INQUIRY and its pages, READ CAPACITY, and where it copies by
 * itself, the operating parameters of that.
 *
 * Pages that are missing leave their part of struct scsi_lu empty; only capacity must be.
 */
#include <errno.h>
#include <string.h>

#include "initiator.h"
#include "lib/bytes.h"
#include "scsi/proto/scsi.h"

#define PAGE_MAX     2048
#define BLOCK_MIN    512u
#define BLOCK_MAX    65536u
#define TRANSFER_MAX ((uint32_t)4 << 20)
#define TRANSFER_DEF ((uint32_t)1 << 20)
#define EVPD	     0x01

static int inquiry(struct scsi_lu *lu, int page, uint8_t *data, uint16_t size, uint32_t *got)
{
	struct scsi_cmd cmd = {.lu = lu, .in = data, .len = size};
	int err;

	memset(data, 0, size);
	cmd.cdb[0] = OP_INQUIRY;
	if (page >= 0) {
		cmd.cdb[1] = EVPD;
		cmd.cdb[2] = (uint8_t)page;
	}
	put_be16(cmd.cdb + 3, size);
	err = scsi_exec(&cmd);
	*got = cmd.got;
	return err;
}

static int identity(struct scsi_lu *lu, bool *third_party)
{
	struct inquiry_text inq;
	uint8_t data[INQUIRY_SIZE];
	uint32_t got;
	int err = inquiry(lu, -1, data, sizeof(data), &got);

	if (err)
		return err;
	if (inquiry_decode(&inq, data, got))
		return -EREMOTEIO;
	if (inq.device >> 5)
		return -ENODEV;
	if (inq.device) /* no disk */
		return -EMEDIUMTYPE;
	memcpy(lu->vendor, inq.vendor, sizeof(lu->vendor));
	memcpy(lu->product, inq.product, sizeof(lu->product));
	*third_party = inq.third_party_copy;
	return 0;
}

static int capacity(struct scsi_lu *lu)
{
	uint8_t data[32] = {0};
	struct scsi_cmd cmd = {.lu = lu, .in = data, .len = sizeof(data)};
	int err;

	cmd.cdb[0] = OP_SERVICE_ACTION_IN_16;
	cmd.cdb[1] = SA_READ_CAPACITY_16;
	put_be32(cmd.cdb + 10, sizeof(data));
	err = scsi_exec(&cmd);
	if (err)
		return err;
	if (cmd.got < 12)
		return -EREMOTEIO;
	lu->block = get_be32(data + 8);
	lu->blocks = get_be64(data) + 1;
	if (lu->block < BLOCK_MIN || lu->block > BLOCK_MAX || (lu->block & (lu->block - 1)))
		return -EMEDIUMTYPE;
	if (!lu->blocks || lu->blocks > INT64_MAX / lu->block)
		return -EFBIG;
	lu->physical = lu->block << (data[13] & 0x0f);
	lu->thin = data[14] & 0x80;
	lu->zeros = data[14] & 0x40;
	return 0;
}

static uint32_t whole_blocks(const struct scsi_lu *lu, uint32_t bytes)
{
	return bytes < lu->block ? lu->block : bytes - bytes % lu->block;
}

static void limits(struct scsi_lu *lu)
{
	uint8_t page[PAGE_MAX];
	uint64_t max = 0;
	uint32_t got;

	lu->limits = (struct block_limits){0};
	lu->prov = (struct provisioning){0};
	if (!inquiry(lu, VPD_BLOCK_LIMITS, page, sizeof(page), &got))
		vpd_block_limits_decode(&lu->limits, page, got);
	if (lu->thin && !inquiry(lu, VPD_PROVISIONING, page, sizeof(page), &got))
		vpd_provisioning_decode(&lu->prov, page, got);
	lu->zeros |= lu->prov.lbprz;
	max = (uint64_t)lu->limits.max_transfer * lu->block;
	lu->max_transfer = whole_blocks(lu, max && max < TRANSFER_MAX ? (uint32_t)max
					    : max		      ? TRANSFER_MAX
								      : TRANSFER_DEF);
}

/* How good a name it is: NAA before EUI-64 before what begins with the vendor. */
static int worth(const struct designator *d)
{
	if (d->association || !d->len || d->len > sizeof(d->id))
		return 0;
	switch (d->type) {
	case DESIGNATOR_NAA:
		return 3;
	case DESIGNATOR_EUI64:
		return 2;
	case DESIGNATOR_T10:
		return 1;
	default:
		return 0;
	}
}

static void identification(struct scsi_lu *lu)
{
	uint8_t page[PAGE_MAX];
	struct designator d;
	uint32_t got;

	lu->names = 0;
	if (inquiry(lu, VPD_IDENTIFICATION, page, sizeof(page), &got))
		return;
	for (int value = 3; value; value--) {
		size_t at = 0;

		while (lu->names < 4 && vpd_designator_next(page, got, &at, &d))
			if (worth(&d) == value)
				lu->name[lu->names++] = d;
	}
}

static int copy_limits(struct scsi_lu *lu)
{
	uint8_t data[256] = {0}, cdb[CDB_MAX];
	struct scsi_cmd cmd = {.lu = lu, .in = data, .len = sizeof(data)};
	int err;

	cdb_tpc_encode(cdb, OP_THIRD_PARTY_COPY_IN,
		       &(struct cdb_tpc){.sa = SA_OPERATING_PARAMETERS, .len = sizeof(data)});
	memcpy(cmd.cdb, cdb, sizeof(cdb));
	err = scsi_exec(&cmd);
	if (err)
		return err;
	return copy_limits_decode(&lu->copy, data, cmd.got);
}

/* What page 8Fh does not list is not there; without that page EXTENDED COPY (LID1) may be. */
static void third_party(struct scsi_lu *lu)
{
	uint8_t page[PAGE_MAX];
	uint32_t got;

	lu->lid4 = lu->lid4_status = lu->copy_abort = lu->tokens = false;
	lu->tpc = (struct tpc_page){0};
	if (!inquiry(lu, VPD_THIRD_PARTY_COPY, page, sizeof(page), &got))
		vpd_tpc_decode(&lu->tpc, page, got);
	lu->lid4 = lu->tpc.out & 1u << SA_EXTENDED_COPY_LID4;
	lu->lid4_status = lu->tpc.in & 1u << SA_COPY_STATUS_LID4;
	lu->copy_abort = lu->tpc.out & 1u << SA_COPY_OPERATION_ABORT;
	lu->tokens = lu->tpc.out & 1u << SA_POPULATE_TOKEN &&
		     lu->tpc.out & 1u << SA_WRITE_USING_TOKEN &&
		     lu->tpc.in & 1u << SA_ROD_TOKEN_INFORMATION;
	lu->copies = !copy_limits(lu);
}

int scsi_probe_limits(struct scsi_lu *lu)
{
	int err = capacity(lu);

	if (err)
		return err;
	limits(lu);
	if (lu->copies)
		lu->copies = !copy_limits(lu);
	return 0;
}

/* What every unit is asked. */
static int basics(struct scsi_lu *lu, bool *third)
{
	int err;

	lu->probed = lu->copies = false;
	err = identity(lu, third);
	/* Unit attentions of a new session are taken here: INQUIRY does not tell of them. */
	if (!err)
		err = capacity(lu);
	if (!err)
		identification(lu);
	return err;
}

int scsi_probe(struct scsi_lu *lu)
{
	bool third = false;
	int err = basics(lu, &third);

	if (err)
		return err;
	limits(lu);
	if (third)
		third_party(lu);
	lu->probed = true;
	return 0;
}

int scsi_probe_source(struct scsi_lu *lu)
{
	bool third = false;
	int err = basics(lu, &third);

	lu->may_copy = third;
	lu->probed = !err;
	return err;
}

void scsi_probe_copies(struct scsi_lu *lu)
{
	if (lu->may_copy)
		third_party(lu);
	lu->may_copy = false;
}

int scsi_identify(struct scsi_lu *lu, uint16_t *attention)
{
	struct scsi_cmd cmd = {.lu = lu};
	bool third;
	int err;

	cmd.cdb[0] = OP_TEST_UNIT_READY;
	*attention = 0;
	err = scsi_exec_once(&cmd);
	if (cmd.sensed && cmd.sense.key == KEY_UNIT_ATTENTION)
		*attention = cmd.sense.asc;
	if (cmd.err)
		return err;
	err = identity(lu, &third);
	if (!err)
		err = capacity(lu);
	if (!err)
		identification(lu);
	return err;
}

int scsi_reserved(struct scsi_lu *lu, bool write)
{
	uint8_t data[24] = {0};
	struct scsi_cmd cmd = {.lu = lu, .in = data, .len = sizeof(data)};
	bool exclusive;

	cmd.cdb[0] = OP_PERSISTENT_RESERVE_IN;
	cmd.cdb[1] = SA_PRIN_RESERVATION;
	put_be16(cmd.cdb + 7, sizeof(data));
	/* What is not known here is met by the first command. */
	if (scsi_exec(&cmd) || cmd.got < 22 || get_be32(data + 4) < 16)
		return 0;
	/* Type 3, 6, 8: exclusive access, of one, of registrants, of all of them. */
	exclusive = (data[21] & 0x0f) == 3 || (data[21] & 0x0f) == 6 || (data[21] & 0x0f) == 8;
	return write || exclusive ? -EBUSY : 0;
}
