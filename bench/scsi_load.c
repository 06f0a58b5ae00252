// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * scsi_load.c - keep a LUN busy and say how much went through.
 *
 *	scsi_load URL read|write random|sequential BYTES DEPTH SECONDS
 *
 * DEPTH commands of BYTES are always in flight on one session.  Prints one line: commands,
 * seconds, processor seconds of this process.  fio of Debian has no engine for libiscsi.
 */
#include <inttypes.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEPTH_MAX 128
#define BYTES_MAX ((uint32_t)16 << 20)

struct load {
	struct iscsi_context *iscsi;
	int lun;
	bool writes, random;
	uint32_t bytes, block;
	uint64_t places, next, seed;
	unsigned depth, flying;
	uint64_t done;
	bool ending;
};

struct slot {
	struct load *load;
	struct scsi_iovec iov;
};

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "scsi_load: %s: %s\n", what, why);
	exit(1);
}

static double seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* xorshift: the same places in each run. */
static uint64_t place(struct load *l)
{
	if (!l->random)
		return l->next++ % l->places;
	l->seed ^= l->seed << 13;
	l->seed ^= l->seed >> 7;
	l->seed ^= l->seed << 17;
	return l->seed % l->places;
}

static void ended(struct iscsi_context *iscsi, int status, void *data, void *arg);

static void begin(struct slot *slot)
{
	struct load *l = slot->load;
	uint64_t lba = place(l) * (l->bytes / l->block);
	struct scsi_task *task;

	if (l->writes)
		task = iscsi_write16_iov_task(l->iscsi, l->lun, lba, NULL, l->bytes, (int)l->block,
					      0, 0, 0, 0, 0, ended, slot, &slot->iov, 1);
	else
		task = iscsi_read16_iov_task(l->iscsi, l->lun, lba, l->bytes, (int)l->block, 0, 0,
					     0, 0, 0, ended, slot, &slot->iov, 1);
	if (!task)
		die("command", iscsi_get_error(l->iscsi));
	l->flying++;
}

static void ended(struct iscsi_context *iscsi, int status, void *data, void *arg)
{
	struct slot *slot = arg;

	if (status != SCSI_STATUS_GOOD)
		die("command", iscsi_get_error(iscsi));
	scsi_free_scsi_task(data);
	slot->load->flying--;
	slot->load->done++;
	if (!slot->load->ending)
		begin(slot);
}

static void turn(struct load *l)
{
	struct pollfd p = {.fd = iscsi_get_fd(l->iscsi),
			   .events = (short)iscsi_which_events(l->iscsi)};

	if (poll(&p, 1, 10000) < 1)
		die("poll", "the target does not answer");
	if (iscsi_service(l->iscsi, p.revents))
		die("connection", iscsi_get_error(l->iscsi));
}

static void connect_to(struct load *l, const char *text)
{
	struct iscsi_url *url;
	struct scsi_readcapacity16 *capacity;
	struct scsi_task *task;

	l->iscsi = iscsi_create_context("iqn.2026-11.org.example:load");
	url = l->iscsi ? iscsi_parse_full_url(l->iscsi, text) : NULL;
	if (!url)
		die(text, "not a URL of a LUN");
	l->lun = url->lun;
	iscsi_set_session_type(l->iscsi, ISCSI_SESSION_NORMAL);
	if (iscsi_set_targetname(l->iscsi, url->target) ||
	    iscsi_full_connect_sync(l->iscsi, url->portal, url->lun))
		die(text, iscsi_get_error(l->iscsi));
	iscsi_destroy_url(url);
	task = iscsi_readcapacity16_sync(l->iscsi, l->lun);
	capacity = task && task->status == SCSI_STATUS_GOOD ? scsi_datain_unmarshall(task) : NULL;
	if (!capacity)
		die("capacity", iscsi_get_error(l->iscsi));
	l->block = capacity->block_length;
	l->places = (capacity->returned_lba + 1) * l->block / l->bytes;
	scsi_free_scsi_task(task);
	if (!l->places || l->bytes % l->block)
		die(text, "too small, or other blocks");
}

static void run(struct load *l, double limit)
{
	struct slot slots[DEPTH_MAX];
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), start = seconds(CLOCK_MONOTONIC), took;

	for (unsigned i = 0; i < l->depth; i++) {
		slots[i] = (struct slot){l, {malloc(l->bytes), l->bytes}};
		if (!slots[i].iov.iov_base)
			die("memory", "not enough");
		memset(slots[i].iov.iov_base, (int)('a' + i % 26), l->bytes);
		begin(&slots[i]);
	}
	while (l->flying) {
		turn(l);
		l->ending = l->ending || seconds(CLOCK_MONOTONIC) - start > limit;
	}
	took = seconds(CLOCK_MONOTONIC) - start;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("%" PRIu64 " %.6f %.6f\n", l->done, took, cpu);
	for (unsigned i = 0; i < l->depth; i++)
		free(slots[i].iov.iov_base);
}

int main(int argc, char **argv)
{
	struct load l = {.seed = UINT64_C(0x9e3779b97f4a7c15)};

	if (argc != 7)
		die("usage", "scsi_load URL read|write random|sequential BYTES DEPTH SECONDS");
	l.writes = !strcmp(argv[2], "write");
	l.random = !strcmp(argv[3], "random");
	l.bytes = (uint32_t)strtoul(argv[4], NULL, 10);
	l.depth = (unsigned)strtoul(argv[5], NULL, 10);
	if (!l.bytes || l.bytes > BYTES_MAX || !l.depth || l.depth > DEPTH_MAX)
		die("usage", "up to 16 MiB a command, 128 commands");
	connect_to(&l, argv[1]);
	run(&l, strtod(argv[6], NULL));
	iscsi_logout_sync(l.iscsi);
	iscsi_destroy_context(l.iscsi);
	return 0;
}
