// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * offload - for shell tests: one copy by the array, commands of our own through libiscsi.
 *
 *	offload xcopy|odx SOURCE-URL TARGET-URL MIB
 *
 * xcopy: segments by bytes (0Ah) in one command; odx: one token and one redemption.  Prints how
 * many bytes its connections carried, both ways.
 * many seconds that took.
 */
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/bytes.h"
#include "scsi/proto/cdb.h"
#include "scsi/proto/token.h"
#include "scsi/proto/vpd.h"

#define MIB ((uint64_t)1 << 20)

struct lu {
	struct iscsi_context *iscsi;
	int lun;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "offload: %s: %s\n", what, why);
	exit(1);
}

static struct lu lu_open(const char *text)
{
	struct lu lu = {.iscsi = iscsi_create_context("iqn.2026-11.test:offload")};
	struct iscsi_url *url = iscsi_parse_full_url(lu.iscsi, text);

	if (!url)
		die(text, iscsi_get_error(lu.iscsi));
	lu.lun = url->lun;
	iscsi_set_session_type(lu.iscsi, ISCSI_SESSION_NORMAL);
	if (iscsi_set_targetname(lu.iscsi, url->target) ||
	    iscsi_full_connect_sync(lu.iscsi, url->portal, url->lun))
		die(text, iscsi_get_error(lu.iscsi));
	iscsi_destroy_url(url);
	return lu;
}

/* Data that come in are left in @in, whose length is returned. */
static int command(struct lu *lu, const uint8_t *cdb, struct iscsi_data *out, uint8_t *in, int room)
{
	struct scsi_task *task =
		scsi_create_task(16, (unsigned char *)cdb, out ? SCSI_XFER_WRITE : SCSI_XFER_READ,
				 out ? (int)out->size : room);
	int len = 0;

	if (!task || !iscsi_scsi_command_sync(lu->iscsi, lu->lun, task, out))
		die("command", iscsi_get_error(lu->iscsi));
	if (task->status != SCSI_STATUS_GOOD)
		die("command", iscsi_get_error(lu->iscsi));
	if (!out) {
		len = task->datain.size < room ? task->datain.size : room;
		memcpy(in, task->datain.data, (size_t)len);
	}
	scsi_free_scsi_task(task);
	return len;
}

static void tpc_out(struct lu *lu, uint8_t sa, uint32_t id, uint8_t *list, size_t len)
{
	struct iscsi_data data = {.size = len, .data = list};
	uint8_t cdb[CDB_MAX];

	cdb_tpc_encode(cdb, OP_THIRD_PARTY_COPY_OUT, &(struct cdb_tpc){sa, id, (uint32_t)len});
	command(lu, cdb, &data, NULL, 0);
}

/* Page 83h has what a descriptor names it by. */
static struct cscd name(struct lu *lu)
{
	struct scsi_task *task = iscsi_inquiry_sync(lu->iscsi, lu->lun, 1, VPD_IDENTIFICATION, 252);
	struct cscd c = {.type = CSCD_IDENTIFICATION, .block_size = 512};
	size_t at = 0;

	if (!task || task->status != SCSI_STATUS_GOOD)
		die("page 83h", iscsi_get_error(lu->iscsi));
	while (vpd_designator_next(task->datain.data, (size_t)task->datain.size, &at,
				   &c.designator))
		if (c.designator.type == DESIGNATOR_NAA) {
			scsi_free_scsi_task(task);
			return c;
		}
	die("page 83h", "no NAA designator");
	return c;
}

static void xcopy(struct lu *src, struct lu *dst, uint64_t mib)
{
	static uint8_t list[16 + 2 * CSCD_SIZE + 64 * SEGMENT_MAX];
	struct xcopy_header head = {.usage = LIST_ID_NONE, .cscd_len = 2 * CSCD_SIZE};
	uint64_t done = 0, step = 1024 * MIB;
	size_t at = 16 + 2 * CSCD_SIZE;
	struct cscd c = name(src);

	cscd_encode(&c, list + 16);
	c = name(dst);
	cscd_encode(&c, list + 16 + CSCD_SIZE);
	for (; done < mib * MIB; done += step) {
		uint64_t left = mib * MIB - done;
		struct segment s = {.type = SEGMENT_OFFSETS,
				    .dst = 1,
				    .bytes = (uint32_t)(left < step ? left : step),
				    .src_lba = done / 512,
				    .dst_lba = done / 512};

		at += segment_encode(&s, list + at);
	}
	head.segment_len = (uint32_t)(at - 16 - 2 * CSCD_SIZE);
	xcopy_header_encode(&head, list);
	tpc_out(dst, SA_EXTENDED_COPY_LID1, 0, list, at);
}

static void odx(struct lu *src, struct lu *dst, uint64_t mib)
{
	static uint8_t list[REDEEM_HEAD + TOKEN_RANGE], info[1024];
	struct token_range all = {0, (uint32_t)(mib * MIB / 512)};
	struct copy_status_lid4 status;
	const uint8_t *token = NULL;
	uint8_t cdb[CDB_MAX];
	int len, head;

	populate_encode(&(struct populate){.ranges = 1}, list);
	token_range_encode(&all, list + POPULATE_HEAD, 0);
	tpc_out(src, SA_POPULATE_TOKEN, 1, list, POPULATE_HEAD + TOKEN_RANGE);
	cdb_tpc_encode(cdb, OP_THIRD_PARTY_COPY_IN,
		       &(struct cdb_tpc){SA_ROD_TOKEN_INFORMATION, 1, sizeof(info)});
	len = command(src, cdb, NULL, info, sizeof(info));
	head = copy_status_lid4_decode(&status, info, (size_t)len);
	if (head > 0 && status.status == COPY_OK && status.count == all.blocks)
		token = token_info_decode(info + head, (size_t)(len - head));
	if (!token)
		die("token", "there is none");
	redeem_encode(&(struct redeem){.token = token, .ranges = 1, .delete_token = true}, list);
	token_range_encode(&all, list + REDEEM_HEAD, 0);
	tpc_out(dst, SA_WRITE_USING_TOKEN, 2, list, sizeof(list));
}

static uint64_t carried(const struct lu *lu)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(iscsi_get_fd(lu->iscsi), IPPROTO_TCP, TCP_INFO, &info, &len))
		die("connection", "its bytes are not counted");
	return info.tcpi_bytes_sent + info.tcpi_bytes_received;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct lu src, dst;
	uint64_t mib;
	double start, took;

	if (argc != 5)
		die("usage", "offload xcopy|odx SOURCE-URL TARGET-URL MIB");
	mib = strtoull(argv[4], NULL, 10);
	src = lu_open(argv[2]);
	dst = lu_open(argv[3]);
	start = now();
	if (!strcmp(argv[1], "xcopy"))
		xcopy(&src, &dst, mib);
	else
		odx(&src, &dst, mib);
	took = now() - start;
	printf("%llu %.6f\n", (unsigned long long)(carried(&src) + carried(&dst)), took);
	iscsi_logout_sync(src.iscsi);
	iscsi_logout_sync(dst.iscsi);
	iscsi_destroy_context(src.iscsi);
	iscsi_destroy_context(dst.iscsi);
	return 0;
}
