/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pr.h - persistent reservations of one logical unit (SPC-4, 5.13). */
#ifndef SCSI_TARGET_PR_H
#define SCSI_TARGET_PR_H

#include "engine.h"

#define REGISTRATIONS_MAX 64

enum pr_type {
	PR_NONE = 0,
	PR_WRITE_EXCLUSIVE = 1,
	PR_EXCLUSIVE = 3,
	PR_WRITE_REGISTRANTS = 5,
	PR_EXCLUSIVE_REGISTRANTS = 6,
	PR_WRITE_ALL = 7,
	PR_EXCLUSIVE_ALL = 8,
};

/* Who registered; a session that comes back is the same one. */
struct registration {
	uint64_t key;
	char initiator[NAME_MAX_ISCSI + 1];
	char target[NAME_MAX_ISCSI + 1];
	uint8_t isid[6];
};

struct pr {
	uint32_t generation;
	bool aptpl; /* kept over a restart */
	uint8_t type;
	unsigned holder; /* index; of the types for all registrants nobody's */
	unsigned n;
	struct registration *reg; /* REGISTRATIONS_MAX, or NULL before the first */
};

/** pr_allows - may @nexus send a command of CMD_READS or CMD_WRITES; the caller holds lu->lock */
bool pr_allows(const struct pr *pr, const struct nexus *nexus, unsigned flags);

/* What outlives us ---------------------------------------------------------------- */

/* -ENOSYS: built without it */
int state_open(const char *dir, struct state **statep, char *why, size_t room);
void state_close(struct state *s);
/** state_save - put @pr of the unit @serial in place of what was there; durable on return */
int state_save(struct state *s, const char *serial, const struct pr *pr);
/** state_load - fill @pr; nothing kept leaves it empty */
int state_load(struct state *s, const char *serial, struct pr *pr);

#endif
