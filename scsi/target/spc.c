// SPDX-License-Identifier: GPL-2.0-or-later
/* spc.c - what every device answers: INQUIRY, sense, LUNs, which commands there are. */
#include <string.h>

#include "lib/bytes.h"
#include "lu.h"
#include "scsi/proto/vpd.h"
#include "tpc.h"

#define NO_DEVICE 0x7f /* not capable of one at this LUN */
#define VENDOR	  "COPYRNGE"
#define PRODUCT	  "ocp-target LUN"

/* SAM-5, SPC-4, SBC-3, iSCSI: no version claimed. */
static const struct inquiry standard = {
	.third_party_copy = true,
	.vendor = VENDOR,
	.product = PRODUCT,
	.revision = CR_VERSION,
	.version = {0x00a0, 0x0460, 0x04c0, 0x0960},
};

static const uint8_t pages[] = {
	VPD_SUPPORTED,	      VPD_SERIAL,	VPD_IDENTIFICATION,
	VPD_THIRD_PARTY_COPY, VPD_BLOCK_LIMITS, VPD_BLOCK_CHARACTERISTICS,
	VPD_PROVISIONING,
};

static size_t identification(const struct lu *lu, uint8_t *page)
{
	struct designator d[2] = {
		{.code_set = CODE_BINARY, .type = DESIGNATOR_NAA, .len = sizeof(lu->naa)},
		{.code_set = CODE_ASCII, .type = DESIGNATOR_T10, .len = 20},
	};

	memcpy(d[0].id, lu->naa, sizeof(lu->naa));
	memcpy(d[1].id, VENDOR, 8);
	memcpy(d[1].id + 8, lu->serial, 12);
	return vpd_identification_encode(0, d, 2, page);
}

static size_t block_limits(const struct lu *lu, uint8_t *page)
{
	struct block_limits bl = {
		.wsnz = true,
		.max_compare = 255,
		.granularity = 8,
		.max_transfer = TRANSFER_MAX / BLOCK,
		.optimal_transfer = TRANSFER_OPTIMAL / BLOCK,
		.max_unmap = lu->punches ? UINT32_MAX : 0,
		.max_unmap_ranges = lu->punches ? UNMAP_RANGES_MAX : 0,
		.unmap_granularity = lu->punches ? 8 : 0,
		.max_write_same = WRITE_SAME_MAX,
	};

	return vpd_block_limits_encode(&bl, page);
}

static size_t provisioning(const struct lu *lu, uint8_t *page)
{
	struct provisioning p = {
		.lbpu = lu->punches,
		.lbpws = lu->punches,
		.lbpws10 = lu->punches,
		.lbprz = lu->punches,
		.type = lu->punches ? 2 : 0,
	};

	return vpd_provisioning_encode(&p, page);
}

static size_t vpd_page(const struct lu *lu, uint8_t code, uint8_t *page)
{
	switch (code) {
	case VPD_SUPPORTED:
		return vpd_supported_encode(0, pages, sizeof(pages), page);
	case VPD_SERIAL:
		return vpd_serial_encode(0, lu->serial, page);
	case VPD_IDENTIFICATION:
		return identification(lu, page);
	case VPD_THIRD_PARTY_COPY:
		return tpc_vpd(page);
	case VPD_BLOCK_LIMITS:
		return block_limits(lu, page);
	case VPD_BLOCK_CHARACTERISTICS:
		return vpd_characteristics_encode(page);
	case VPD_PROVISIONING:
		return provisioning(lu, page);
	default:
		return 0;
	}
}

void cmd_inquiry(struct scsi_task *t)
{
	uint8_t data[VPD_MAX];
	size_t len = INQUIRY_SIZE;

	if (!(t->cdb[1] & 1)) {
		if (t->cdb[2]) {
			task_bad_cdb(t, 2);
			return;
		}
		inquiry_encode(&standard, data);
		if (!t->lu)
			data[0] = NO_DEVICE;
	} else {
		len = t->lu ? vpd_page(t->lu, t->cdb[2], data) : 0;
		if (!len) {
			task_bad_cdb(t, 2);
			return;
		}
	}
	task_reply(t, data, len);
}

void cmd_test_unit_ready(struct scsi_task *t)
{
}

/* What was pending went with the command it was about: autosense is always there. */
void cmd_request_sense(struct scsi_task *t)
{
	struct sense sense = {.key = KEY_NO_SENSE};
	uint8_t data[SENSE_MAX];

	if (!t->lu)
		sense = (struct sense){.key = KEY_ILLEGAL_REQUEST, .asc = ASC_LUN_NOT_SUPPORTED};
	task_reply(t, data, sense_encode(&sense, t->cdb[1] & 1, data));
}

void cmd_report_luns(struct scsi_task *t)
{
	uint8_t data[8 + 8 * LUNS_MAX] = {0};
	const struct target *target = t->nexus->target;
	unsigned n = target->n;

	/* SELECT REPORT: all, or none for well-known ones, of which there are none. */
	if (t->cdb[2] > 2 || t->want < 16) {
		task_bad_cdb(t, t->cdb[2] > 2 ? 2 : 6);
		return;
	}
	if (t->cdb[2] == 1)
		n = 0;
	put_be32(data, 8 * n);
	for (unsigned i = 0; i < n; i++)
		lun_encode(data + 8 + 8 * (size_t)i, target->lun[i].number);
	task_reply(t, data, 8 + 8 * (size_t)n);
}

/* MODE SENSE has no start and stop; both are the medium's, which is always there. */
void cmd_start_stop(struct scsi_task *t)
{
	int err;

	/* What stops flushes first, unless NO_FLUSH. */
	if ((t->cdb[4] & 1) || (t->cdb[4] & 4))
		return;
	err = t->lu->ro ? 0 : cr_sync(t->lu->file, true);
	if (err)
		task_error(t, err, true);
}

void cmd_prevent_allow(struct scsi_task *t)
{
}

void cmd_reserve(struct scsi_task *t)
{
	pthread_mutex_lock(&t->lu->lock);
	if (t->lu->pr.n || (t->lu->reserved && t->lu->reserved != t->nexus))
		t->status = STATUS_RESERVATION_CONFLICT;
	else
		t->lu->reserved = t->nexus;
	pthread_mutex_unlock(&t->lu->lock);
}

void cmd_release(struct scsi_task *t)
{
	pthread_mutex_lock(&t->lu->lock);
	if (t->lu->pr.n)
		t->status = STATUS_RESERVATION_CONFLICT;
	else if (t->lu->reserved == t->nexus)
		t->lu->reserved = NULL;
	pthread_mutex_unlock(&t->lu->lock);
}

/* REPORT SUPPORTED OPERATION CODES ------------------------------------------------ */

#define RCTD	 0x80
#define TIMEOUTS 12

/* Command timeouts descriptor: nothing is promised. */
static size_t put_timeouts(uint8_t *to)
{
	memset(to, 0, TIMEOUTS);
	put_be16(to, TIMEOUTS - 2);
	return TIMEOUTS;
}

static size_t put_all(bool timeouts, uint8_t *data)
{
	size_t at = 4;

	for (unsigned i = 0; i < cmd_rows_n; i++) {
		const struct cmd_row *row = &cmd_rows[i];
		uint8_t *d = data + at;

		memset(d, 0, 8);
		d[0] = row->opcode;
		if (row->sa >= 0)
			put_be16(d + 2, (uint16_t)row->sa);
		d[5] = (uint8_t)((timeouts ? 2 : 0) | (row->sa >= 0 ? 1 : 0));
		put_be16(d + 6, (uint16_t)scsi_cdb_size(row->opcode));
		at += 8;
		if (timeouts)
			at += put_timeouts(data + at);
	}
	put_be32(data, (uint32_t)(at - 4));
	return at;
}

static size_t put_one(const struct cmd_row *row, bool timeouts, uint8_t *data)
{
	unsigned size = row ? scsi_cdb_size(row->opcode) : 0;
	size_t at = 4 + (size_t)size;

	memset(data, 0, 4);
	data[1] = row ? 3 : 1; /* as the standard says, or not supported */
	if (!row)
		return 4;
	put_be16(data + 2, (uint16_t)size);
	data[4] = row->opcode;
	memcpy(data + 5, row->usage, size - 1);
	/* The service action itself, in the place of its mask. */
	if (row->sa >= 0)
		data[5] = (uint8_t)((data[5] & 0xe0) | row->sa);
	if (timeouts) {
		data[1] |= 0x80;
		at += put_timeouts(data + at);
	}
	return at;
}

/* REPORTING OPTIONS 1 to 3: of a code without service actions, with one, either. */
static bool wanted_row(struct scsi_task *t, unsigned how, const struct cmd_row **row)
{
	uint8_t cdb[2] = {t->cdb[3], (uint8_t)(get_be16(t->cdb + 4) & 0x1f)};
	bool beyond = get_be16(t->cdb + 4) > 0x1f;

	*row = NULL;
	for (unsigned i = 0; i < cmd_rows_n; i++) {
		if (cmd_rows[i].opcode != cdb[0])
			continue;
		if (how != 3 && (how == 1) != (cmd_rows[i].sa < 0)) {
			task_bad_cdb(t, 2);
			return false;
		}
		break;
	}
	*row = beyond ? NULL : cmd_find(cdb);
	if (*row && (*row)->sa < 0 && how == 3 && (cdb[1] || beyond))
		*row = NULL;
	return true;
}

void cmd_report_opcodes(struct scsi_task *t)
{
	uint8_t data[4 + CMD_ROWS_MAX * (8 + TIMEOUTS)];
	unsigned how = t->cdb[2] & 7;
	bool timeouts = t->cdb[2] & RCTD;
	const struct cmd_row *row;

	if (how > 3)
		task_bad_cdb(t, 2);
	else if (how == 0)
		task_reply(t, data, put_all(timeouts, data));
	else if (wanted_row(t, how, &row))
		task_reply(t, data, put_one(row, timeouts, data));
}

void cmd_report_tmf(struct scsi_task *t)
{
	/* ABORT TASK, ABORT TASK SET, CLEAR TASK SET, LOGICAL UNIT RESET, TARGET RESET */
	static const uint8_t data[16] = {0x80 | 0x40 | 0x10 | 0x08 | 0x02, 0, 0, 12};

	task_reply(t, data, t->cdb[2] & 0x80 ? 16 : 4);
}
