// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spent.c - run a command and say what it cost.
 *
 *	spent FILE COMMAND [ARG...]
 *
 * FILE gets one line: seconds, user seconds, system seconds, largest resident
 * set in KiB.  The exit status is the command's, 128 + N for signal N.
 *
 * A process of its own because a large parent spoils both figures: forking it
 * takes milliseconds, and its own size counts as the child's until that runs.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOT_RUN	  127
#define BY_SIGNAL 128

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

/* The command ends with us, should somebody kill us. */
static void run(char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp(argv[0], argv);
	fprintf(stderr, "spent: %s: %s\n", argv[0], strerror(errno));
	_exit(NOT_RUN);
}

int main(int argc, char **argv)
{
	struct rusage usage;
	double start, took;
	int status;
	FILE *out;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: spent FILE COMMAND [ARG...]\n");
		return EXIT_FAILURE;
	}
	start = now();
	pid = fork();
	if (!pid)
		run(argv + 2);
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) {
		perror("spent");
		return EXIT_FAILURE;
	}
	took = now() - start;
	out = fopen(argv[1], "we");
	if (!out ||
	    fprintf(out, "%.6f %.6f %.6f %ld\n", took, seconds(usage.ru_utime),
		    seconds(usage.ru_stime), usage.ru_maxrss) < 0 ||
	    fclose(out)) {
		fprintf(stderr, "spent: %s: %s\n", argv[1], strerror(errno));
		return EXIT_FAILURE;
	}
	return WIFSIGNALED(status) ? BY_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}
