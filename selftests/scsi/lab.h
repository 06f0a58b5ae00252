/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab.h - the target's engine without sockets: LUNs on files, commands as function calls. */
#ifndef SELFTESTS_SCSI_LAB_H
#define SELFTESTS_SCSI_LAB_H

#include "scsi/proto/token.h"
#include "scsi/target/engine.h"
#include "scsi/target/lu.h"

#define LAB_LUNS 3

struct lab {
	struct engine engine;
	struct target *target;
	struct nexus *a, *b; /* two initiators */
	char file[LAB_LUNS][256];
	struct copy_result copied; /* all of it */
	/* Of the last command */
	struct scsi_task task;
	uint8_t status, sense[SENSE_MAX];
	struct sense why;
	uint8_t *data;
	uint32_t len;
	bool at_once; /* it did not have to wait */
};

/**
 * lab_begin - a target with LUNs 0, 1, ... on files lunN of @size bytes in @dir; a unit
 * attention is taken from each.  Ends the process when that fails.
 */
void lab_begin(struct lab *lab, const char *dir, uint64_t size, const char *state);
void lab_end(struct lab *lab);

struct lab_cmd {
	struct nexus *nexus; /* NULL: a */
	unsigned lun;
	const void *cdb;
	const void *out;
	uint32_t len;	 /* of out */
	uint32_t expect; /* what the initiator expects; 0: as much as the CDB says */
};
/* Return: status; the rest is in @lab until the next one. */
int lab_do(struct lab *lab, const struct lab_cmd *cmd);

/* Shorter ones, by the first nexus. */
int lab_rw(struct lab *lab, unsigned lun, uint8_t opcode, struct cdb_rw rw, const void *out);
int lab_tpc(struct lab *lab, unsigned lun, uint8_t opcode, struct cdb_tpc tpc, const void *out);
/* As many bytes of a pattern that differs by @seed. */
void lab_fill(void *data, size_t len, unsigned seed);
/* Bytes of a LUN's file. */
void lab_peek(struct lab *lab, unsigned lun, uint64_t pos, void *data, size_t len);

/* A whole EXTENDED COPY list; returns its length.  CSCD 0 to n - 1 are the LUNs. */
size_t lab_xcopy_list(struct lab *lab, struct xcopy_header head, const struct segment *seg,
		      unsigned n, uint8_t *list);

#endif
