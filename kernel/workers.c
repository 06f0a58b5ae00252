// SPDX-License-Identifier: GPL-2.0-or-later
/* workers.c - threads that live for one call. */
#include <sched.h>
#include <signal.h>

#include "stream.h"

#define WORKERS_MAX 64

struct worker {
	void (*fn)(void *arg);
	void *arg;
};

/* Two even on one processor: one waits for the device while the other copies. */
unsigned workers_default(void)
{
	cpu_set_t set;
	int n = 1;

	if (!sched_getaffinity(0, sizeof(set), &set))
		n = CPU_COUNT(&set);
	return (unsigned)MAX(2, MIN(n, 4));
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	w->fn(w->arg);
	return NULL;
}

/*
 * The caller is one of the workers, so that work gets done even when no thread
 * can be had.  The others block all signals: they belong to the program.
 */
void workers_run(unsigned n, void (*fn)(void *arg), void *arg)
{
	struct worker w = {fn, arg};
	pthread_t thread[WORKERS_MAX];
	sigset_t all, old;
	unsigned started = 0;

	if (n > 1) {
		sigfillset(&all);
		pthread_sigmask(SIG_BLOCK, &all, &old);
		while (started < MIN(n, WORKERS_MAX) - 1 &&
		       !pthread_create(&thread[started], NULL, worker_main, &w))
			started++;
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	fn(arg);
	while (started)
		pthread_join(thread[--started], NULL);
}

struct apart {
	struct worker w;
	bool unshared;
};

static void *apart_main(void *arg)
{
	struct apart *a = arg;

	a->unshared = !unshare(CLONE_FILES);
	if (a->unshared)
		a->w.fn(a->w.arg);
	return NULL;
}

bool workers_apart(void (*fn)(void *arg), void *arg)
{
	struct apart a = {.w = {fn, arg}};
	pthread_t thread;
	sigset_t all, old;
	bool started;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	started = !pthread_create(&thread, NULL, apart_main, &a);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (started)
		pthread_join(thread, NULL);
	return started && a.unshared;
}
