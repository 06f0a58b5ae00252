// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"

static void die(const char *what)
{
	printf("# lab: %s\n", what);
	exit(1);
}

/* Copies come from several threads, but one at a time is all that a test starts. */
static void copied(void *arg, const struct copy_result *res)
{
	struct lab *lab = arg;

	copy_result_add(&lab->copied, res);
}

void lab_begin(struct lab *lab, const char *dir, uint64_t size, const char *state)
{
	static const uint8_t isid[2][6] = {{0x80, 0, 0, 0, 0, 1}, {0x80, 0, 0, 0, 0, 2}};
	static const uint8_t ready[6];
	char why[256];

	*lab = (struct lab){0};
	if (engine_init(&lab->engine, state, why, sizeof(why)) ||
	    target_add(&lab->engine, "iqn.2026-11.test:t", &lab->target))
		die(why);
	lab->engine.copied = copied;
	lab->engine.wake_arg = lab;
	for (unsigned i = 0; i < LAB_LUNS; i++) {
		struct lun_spec spec = {
			.number = i, .file = lab->file[i], .size = size, .physical = 3};

		snprintf(lab->file[i], sizeof(lab->file[i]), "%s/lun%u", dir, i);
		if (target_add_lun(lab->target, &spec, why, sizeof(why)))
			die(why);
	}
	lab->a = nexus_new(lab->target, "iqn.2026-11.test:a", isid[0]);
	lab->b = nexus_new(lab->target, "iqn.2026-11.test:b", isid[1]);
	for (unsigned i = 0; i < LAB_LUNS; i++)
		for (unsigned k = 0; k < 2; k++)
			if (lab_do(lab, &(struct lab_cmd){.nexus = k ? lab->b : lab->a,
							  .lun = i,
							  .cdb = ready}) !=
				    STATUS_CHECK_CONDITION ||
			    lab->why.asc != ASC_POWER_ON)
				die("no unit attention at first");
}

void lab_end(struct lab *lab)
{
	free(lab->data);
	/* Copies that run by themselves hold their nexus. */
	workers_free(lab->engine.copies);
	lab->engine.copies = NULL;
	nexus_put(lab->a);
	nexus_put(lab->b);
	engine_end(&lab->engine);
}

int lab_do(struct lab *lab, const struct lab_cmd *cmd)
{
	struct scsi_task *t = &lab->task;

	*t = (struct scsi_task){.nexus = cmd->nexus ? cmd->nexus : lab->a};
	lun_encode(t->lun_field, cmd->lun);
	t->cdb[0] = *(const uint8_t *)cmd->cdb;
	memcpy(t->cdb, cmd->cdb, scsi_cdb_size(t->cdb[0]) ? scsi_cdb_size(t->cdb[0]) : 1);
	scsi_begin(t);
	t->expected = cmd->expect ? cmd->expect : t->want;
	if (!t->done && t->dir == DATA_OUT && t->want) {
		t->len = cmd->len < t->want ? cmd->len : t->want;
		memcpy(t->data, cmd->out, t->len);
	}
	lab->at_once = t->done || scsi_try(t);
	if (!lab->at_once)
		scsi_run(t);
	free(lab->data);
	lab->len = t->dir == DATA_IN ? t->len : 0;
	lab->data = malloc(lab->len + 1);
	if (lab->len)
		memcpy(lab->data, t->data, lab->len);
	lab->why = t->sense;
	lab->status = t->status;
	scsi_end(t);
	return lab->status;
}

int lab_rw(struct lab *lab, unsigned lun, uint8_t opcode, struct cdb_rw rw, const void *out)
{
	uint8_t cdb[CDB_MAX];

	if (!cdb_rw_encode(cdb, opcode, &rw))
		die("no such CDB");
	return lab_do(
		lab,
		&(struct lab_cmd){.lun = lun, .cdb = cdb, .out = out, .len = out ? UINT32_MAX : 0});
}

int lab_tpc(struct lab *lab, unsigned lun, uint8_t opcode, struct cdb_tpc tpc, const void *out)
{
	uint8_t cdb[CDB_MAX];

	cdb_tpc_encode(cdb, opcode, &tpc);
	return lab_do(lab, &(struct lab_cmd){
				   .lun = lun, .cdb = cdb, .out = out, .len = out ? tpc.len : 0});
}

void lab_fill(void *data, size_t len, unsigned seed)
{
	uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 31 + (i >> 9) * 7 + seed * 101 + 1);
}

void lab_peek(struct lab *lab, unsigned lun, uint64_t pos, void *data, size_t len)
{
	FILE *f = fopen(lab->file[lun], "re");

	if (!f || fseeko(f, (off_t)pos, SEEK_SET) || fread(data, 1, len, f) != len)
		die("a LUN's file cannot be read");
	fclose(f);
}

size_t lab_xcopy_list(struct lab *lab, struct xcopy_header head, const struct segment *seg,
		      unsigned n, uint8_t *list)
{
	size_t at = head.lid4 ? XCOPY_HEAD_LID4 : XCOPY_HEAD_LID1, first;

	for (unsigned i = 0; i < LAB_LUNS; i++, at += CSCD_SIZE) {
		struct cscd c = {.type = CSCD_IDENTIFICATION, .block_size = BLOCK};

		c.designator = (struct designator){CODE_BINARY, 0, DESIGNATOR_NAA, 8, {0}};
		memcpy(c.designator.id, lab->target->lun[i].lu->naa, 8);
		cscd_encode(&c, list + at);
	}
	first = at;
	for (unsigned i = 0; i < n; i++)
		at += segment_encode(&seg[i], list + at);
	head.cscd_len = LAB_LUNS * CSCD_SIZE;
	head.segment_len = (uint32_t)(at - first);
	xcopy_header_encode(&head, list);
	return at;
}
