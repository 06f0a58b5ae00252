/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mpi_group.h - ocp-mpi: the ranks, and what they say to each other. */
#ifndef OCP_MPI_GROUP_H
#define OCP_MPI_GROUP_H

#include <mpi.h>

#include "ocp.h"

/* A large file that all copy together; the owner gives it its name. */
struct shared_file {
	int owner;
	const char *src, *dst; /* paths */
	const char *below;     /* of src, below the operand */
};

struct group {
	int rank, size;
	const struct ocp_opts *o;
	char *manifest;	 /* its name for this rank */
	char **args;	 /* what o points into */
	struct ocp *ocp; /* for what needs one: report, names, stop */
	char *list;	 /* of all ranks: owner's number, src, dst, below, as texts */
	struct shared_file *files;
	size_t nfiles;
};

/*
 * All of these wait for every rank.  One that is told to end by a signal, as mpirun does
 * when another is lost, says so and ends here.
 */
/* The least of all ranks' @value: an errno of any, or 0. */
int group_worst(struct group *g, int value);
/* @len bytes of rank @from are everybody's. */
void group_tell(struct group *g, void *data, int len, int from);
/* What each rank has, behind one another, in rank's order; of malloc(), @total bytes; or NULL. */
char *group_gather(struct group *g, const char *data, size_t len, size_t *total);
/* Message and end, where a signal came. */
void group_check(struct group *g);

/**
 * ranges_copy - one large file, all ranks together, range by range
 *
 * Each range is on the storage before the owner notes it in the journal.
 * Return: 0, or the worst error of any rank, after its message.
 */
int ranges_copy(struct group *g, const struct shared_file *f);

#endif
