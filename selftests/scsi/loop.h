/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.h - our initiator against our target's engine, without sockets: a transport whose
 * commands are function calls, and a room lab:N of the LUNs behind it.  Answers can be
 * replaced on order.
 */
#ifndef SELFTESTS_SCSI_LOOP_H
#define SELFTESTS_SCSI_LOOP_H

#include "fs/block/block.h"
#include "lab.h"

#define ANY_SA (-1)

/* What becomes of commands of this kind: after @skip of them, of @count. */
struct fault {
	uint8_t opcode;
	int sa;
	unsigned skip, count;
	int err; /* of the transport */
	uint8_t status, key;
	uint16_t asc;
	bool half;    /* it had begun to write */
	bool shorter; /* it is done, and the count that is told is half of it */
	bool hang;    /* there is no answer before a COPY OPERATION ABORT */
	bool lost;    /* done or not, the session is lost with its answer */
};

#define SEGMENTS_SEEN 64

struct loop {
	struct lab lab;
	struct block_unit unit[LAB_LUNS];
	pthread_mutex_t lock;
	struct fault fault[4];
	unsigned sent[256], lid[2], aborts; /* by operation code; EXTENDED COPY by form */
	struct segment seen[SEGMENTS_SEEN]; /* of all EXTENDED COPY commands */
	unsigned segments, most;	    /* of one command */
	uint8_t usage;			    /* of the last one */
	struct scsi_cmd *hanging[8];
	unsigned hangs;
	uint64_t far; /* what is told of those that hang: bytes */
	unsigned session;
	bool other[LAB_LUNS]; /* commands to it come from the second initiator */
	/* What a unit is behind the number of another after the next loss; else as it was. */
	bool swapped;
};

/* Units are made of all LUNs; lab:N opens them.  One loop at a time. */
void loop_begin(struct loop *loop, const char *dir, uint64_t size);
void loop_end(struct loop *loop);

#endif
