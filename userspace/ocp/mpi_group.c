// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mpi_group.c - waiting for the others without being deaf.
 *
 * A rank that waits inside of MPI for one that is gone would not hear that it is to end.
 * So everything is started and then asked for, and a signal is looked for in between.
 */
#include "mpi_group.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MOST_NS 2000000

void group_check(struct group *g)
{
	int sig = ocp_signal();

	if (!sig)
		return;
	fprintf(stderr,
		"%s: rank %d of %d was told to end (signal %d)%s; the same command goes on from "
		"there\n",
		program_invocation_short_name, g->rank, g->size, sig,
		sig == SIGTERM ? ", perhaps because another rank is lost" : "");
	fflush(NULL);
	_exit(128 + sig);
}

static void wait_for(struct group *g, MPI_Request *request)
{
	struct timespec pause = {.tv_nsec = 1000};
	int done = 0;

	for (;;) {
		if (MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) {
			fprintf(stderr,
				"%s: rank %d of %d: a rank is lost; the same command goes on from "
				"there\n",
				program_invocation_short_name, g->rank, g->size);
			MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
		}
		if (done)
			return;
		group_check(g);
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < WAIT_MOST_NS)
			pause.tv_nsec *= 2;
	}
}

int group_worst(struct group *g, int value)
{
	MPI_Request request;
	int worst = value;

	MPI_Iallreduce(&value, &worst, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD, &request);
	wait_for(g, &request);
	return worst;
}

void group_tell(struct group *g, void *data, int len, int from)
{
	MPI_Request request;

	MPI_Ibcast(data, len, MPI_BYTE, from, MPI_COMM_WORLD, &request);
	wait_for(g, &request);
}

char *group_gather(struct group *g, const char *data, size_t len, size_t *total)
{
	int *lens = calloc((size_t)g->size * 2, sizeof(*lens)), *at = lens ? lens + g->size : NULL;
	int mine = len > INT_MAX ? INT_MAX : (int)len, fits;
	MPI_Request request;
	char *all = NULL;
	size_t sum = 0;

	if (group_worst(g, lens ? 0 : -ENOMEM) || !lens) {
		free(lens);
		return NULL;
	}
	MPI_Iallgather(&mine, 1, MPI_INT, lens, 1, MPI_INT, MPI_COMM_WORLD, &request);
	wait_for(g, &request);
	for (int i = 0; i < g->size; i++) {
		at[i] = (int)(sum > INT_MAX ? INT_MAX : sum);
		sum += (size_t)lens[i];
	}
	if (sum < INT_MAX)
		all = malloc(sum + 1);
	fits = group_worst(g, all ? 0 : -ENOMEM);
	if (!fits && all) {
		MPI_Iallgatherv(data, mine, MPI_BYTE, all, lens, at, MPI_BYTE, MPI_COMM_WORLD,
				&request);
		wait_for(g, &request);
		all[sum] = '\0';
	} else {
		free(all);
		all = NULL;
	}
	free(lens);
	*total = sum;
	return all;
}
