/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xcopy_impl.h - what xcopy.c and xcopy_judge.c share. */
#ifndef SCSI_INITIATOR_XCOPY_IMPL_H
#define SCSI_INITIATOR_XCOPY_IMPL_H

#include "initiator.h"

struct driver;

/* One command that is under way, and the piece of the range that it works off. */
struct slot {
	struct scsi_cmd cmd;
	struct driver *d;
	uint64_t at, len; /* what is left of the piece, from the start of the range */
	uint64_t now;	  /* bytes of this command */
	uint64_t sent;	  /* ms */
	uint8_t *list;
	uint32_t id;
	uint8_t usage, type; /* as this command was sent */
	bool lid4;
	bool busy;     /* the driver's */
	bool answered; /* under driver.lock */
	unsigned tries, again;
	uint64_t asked; /* ms: when the array was last asked how far it is */
	uint64_t told;	/* bytes that x->progress has of it */
};

struct driver {
	struct xcopy *x;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct slot *slot;
	uint8_t *lists;

	/* The plan, which answers change. */
	unsigned flight, segments;	      /* commands at once, segments of one */
	uint64_t align, segment_max, command; /* bytes */
	uint8_t type, usage;
	bool lid4, usage_tried;
	unsigned name_src, name_dst;

	uint64_t began;	 /* ms */
	uint64_t next;	 /* where the next piece begins */
	uint64_t bad;	 /* lowest place that is not copied */
	uint64_t failed; /* bytes of the command that failed there */
	bool ended, aborted;
	int err;
};

enum xcopy_verdict { XCOPY_DONE, XCOPY_AGAIN, XCOPY_OVER };

/*
 * What the answer to a slot's command means: it went well; it is to be sent again, by what has
 * been learned; or there will be no more commands, and d->err or x->reason say why.
 */
enum xcopy_verdict xcopy_judge(struct driver *d, struct slot *slot);
/* After d->type has changed. */
void xcopy_segments(struct driver *d);
/* TRANSFER COUNT in bytes; 0: in units that are not known, or too many. */
uint64_t xcopy_bytes(const struct copy_status_lid4 *s, uint32_t block);
/* Where byte @at of the range is at both ends; how many go on from there. */
uint64_t xcopy_at(const struct xcopy *x, uint64_t at, uint64_t *from, uint64_t *to);
/* Whether the range is one of whole blocks. */
int xcopy_blocks(struct xcopy *x);
/* -EOPNOTSUPP, and why */
int xcopy_refuse(struct xcopy *x, enum xcopy_scope scope, const char *reason, uint64_t after);

#endif
