// SPDX-License-Identifier: GPL-2.0-or-later
/* workers.c - threads that live for one call. */
#include <sched.h>

#include "lib/thread.h"
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
	unsigned started = 0;

	while (started + 1 < MIN(n, WORKERS_MAX) &&
	       !thread_start(&thread[started], worker_main, &w))
		started++;
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
	bool started = !thread_start(&thread, apart_main, &a);

	if (started)
		pthread_join(thread, NULL);
	return started && a.unshared;
}
