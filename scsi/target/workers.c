// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads for what waits for files.  They block all signals: those are the program's.
 *
 * One is woken at a time, and wakes the next one where there is still work by then: of a batch of
 * short pieces the first to wake often does all, and who hands them in pays for one wake.
 */
#include <signal.h>
#include <stdlib.h>

#include "engine.h"
#include "lib/thread.h"

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct work *first, **last;
	bool ending;
	bool waking;   /* one has been woken and is not there yet */
	unsigned idle; /* how many wait for more */
	unsigned n;
	pthread_t thread[];
};

static void wake_one(struct workers *w)
{
	if (!w->first || !w->idle || w->waking)
		return;
	w->waking = true;
	pthread_cond_signal(&w->more);
}

/* The next piece, or NULL: that was all. */
static struct work *take(struct workers *w)
{
	struct work *work;

	while (!w->first && !w->ending) {
		w->idle++;
		pthread_cond_wait(&w->more, &w->lock);
		w->idle--;
		w->waking = false;
	}
	work = w->first;
	if (!work)
		return NULL;
	w->first = work->next;
	if (!w->first)
		w->last = &w->first;
	wake_one(w);
	return work;
}

static void *worker_main(void *arg)
{
	struct workers *w = arg;
	struct work *work;

	pthread_mutex_lock(&w->lock);
	while ((work = take(w))) {
		pthread_mutex_unlock(&w->lock);
		work->fn(work);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct workers *workers_new(unsigned n)
{
	struct workers *w = calloc(1, sizeof(*w) + n * sizeof(w->thread[0]));

	if (!w)
		return NULL;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	w->last = &w->first;
	while (w->n < n && !thread_start(&w->thread[w->n], worker_main, w))
		w->n++;
	if (w->n)
		return w;
	workers_free(w);
	return NULL;
}

void workers_add(struct workers *w, struct work *work)
{
	work->next = NULL;
	pthread_mutex_lock(&w->lock);
	*w->last = work;
	w->last = &work->next;
	wake_one(w);
	pthread_mutex_unlock(&w->lock);
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n; i++)
		pthread_join(w->thread[i], NULL);
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
