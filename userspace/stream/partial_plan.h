/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partial_plan.h - what is wanted of a stream, kept between its two readings. */
#ifndef STREAM_PARTIAL_PLAN_H
#define STREAM_PARTIAL_PLAN_H

#include "follow.h"

struct apply;

/* One thing that is made, in the order of the stream. */
struct planned {
	uint64_t number; /* struct followed's; of the root first */
	char *path;	 /* where; "" is the root */
	char **links;	 /* its other names */
	unsigned nlinks;
	bool dir, hidden; /* hidden: needed for what others take from it */
};

struct plan {
	struct planned *all;
	size_t n, room;
	size_t next;	   /* in the second reading */
	size_t first, end; /* of the subvolume in hand then */
	bool in_subvol;	   /* and something of it is wanted */
	char *hidden_dir;  /* of the subvolume in hand; NULL: none */
	uint64_t made;	   /* things that the first reading met */
};

/** plan_subvol - at the end of a subvolume: keep what is wanted or needed of it */
int plan_subvol(struct plan *plan, struct follow *f);

/** plan_command - a command of the second reading; @f begins anew with the first of them */
int plan_command(struct plan *plan, struct follow *f, struct apply *a,
		 const struct stream_cmd *cmd);

void plan_end(struct plan *plan);

#endif
