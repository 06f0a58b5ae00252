// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ocp-run - runs an unchanged program whose copy_file_range(2) also works where
 * the kernel's does not: between file systems.
 *
 *   options.c   what the command line says
 *   filter.c    forks, and starts the program under a seccomp filter
 *   signals.c   stops, ends and is signalled as the program
 *   pool.c      takes the calls that wait for an answer, and bounds how many copy
 *   serve.c     decides about one call, and does it
 *   target.c    what has to be known of the thread that made it
 *   report.c    --trace and --json
 *
 *	shell --- ocp-run (this process: main thread, workers)
 *	             |  \__ listener: notifications, answers
 *	          program and whatever it starts
 *
 * Nothing but these calls is seen, and where ocp-run dies they answer ENOSYS,
 * after which programs copy by themselves.  Processes that outlive the program
 * are served by a child of ocp-run, until the last of them is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "run.h"

/* The program's limit of file sizes is looked up for each call; ours must not be below it. */
static void raise_file_limit(void)
{
	struct rlimit lim;

	if (!getrlimit(RLIMIT_FSIZE, &lim) && lim.rlim_cur != lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_FSIZE, &lim);
	}
}

/* Is a process left that the filter holds? */
static bool is_used(int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};

	return poll(&p, 1, 0) <= 0 || !(p.revents & POLLHUP);
}

/* Until the program has ended; without one (0) until nobody is left. */
static int look_after(struct pool *p, int listener, int signals, pid_t program)
{
	struct pollfd fds[3] = {{.fd = signals, .events = POLLIN},
				{.fd = p ? pool_fd(p) : -1, .events = POLLIN},
				{.fd = program ? -1 : listener}};
	int status = 0, wait = -1;

	for (;;) {
		if (poll(fds, 3, wait) < 0 && errno != EINTR)
			return EXIT_OURS << 8;
		if ((fds[0].revents & POLLIN) && signals_handle(signals, program, &status))
			return status;
		wait = p ? pool_look(p) : -1;
		if ((fds[2].revents & POLLHUP) && wait < 0)
			return 0;
	}
}

/* What is the shell's and the user's goes; kill(1) ends this process. */
static void stand_back(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t ends;

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	if (chdir("/"))
		perror("/");
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &ends, NULL);
}

/* Processes that the program left behind; no thread runs here. */
static void serve_the_rest(const struct run_opts *o, struct report *r, int listener)
{
	struct pool *p;

	if (!is_used(listener) || fork())
		return;
	stand_back();
	p = pool_new(listener, o, r);
	if (p)
		look_after(p, listener, -1, 0);
	_exit(EXIT_SUCCESS);
}

static int run(const struct run_opts *o, struct report *r)
{
	int signals, listener = -1, status;
	struct pool *p = NULL;
	sigset_t mask;
	pid_t program;

	signals = signals_open(&mask);
	program = signals < 0 ? 0 : program_start(o, &mask, &listener);
	if (!program)
		return EXIT_OURS;
	raise_file_limit();
	if (listener >= 0)
		p = pool_new(listener, o, r);
	if (listener >= 0 && !p) {
		fprintf(stderr, "%s: no threads or memory: nothing is served\n",
			program_invocation_short_name);
		close(listener); /* from here on: ENOSYS */
		listener = -1;
	}
	status = look_after(p, listener, signals, program);
	pool_free(p);
	if (listener >= 0)
		serve_the_rest(o, r, listener);
	if (report_end(r, o, status))
		return EXIT_OURS;
	report_free(r);
	return end_as(status);
}

/* Buffers are used again from call to call: on some machines fresh pages cost more than the copy.
 */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, (int)COPY_MEM_DEFAULT);
	mallopt(M_TRIM_THRESHOLD, (int)COPY_MEM_DEFAULT);
}

int main(int argc, char **argv)
{
	struct report *r;
	struct run_opts o;
	int rc;

	setlocale(LC_ALL, "");
	rc = run_opts_parse(&o, argc, argv);
	if (rc >= 0)
		return rc;
	keep_memory();
	r = report_new(&o);
	return r ? run(&o, r) : EXIT_OURS;
}
