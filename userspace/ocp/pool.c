// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pool.c - tasks and the threads that run them.
 *
 * A stack, not a queue: what was found last is done first, so a walk goes deep
 * before it goes wide and few directories are open at a time.  How much may
 * wait here is bounded by the walk, which reads a directory on only when the
 * names it found before have been taken.
 */
#include <stdlib.h>

#include "ocp.h"

struct pool {
	struct ocp *ocp;
	struct worker *workers;
	pthread_t *threads;
	unsigned n, started; /* workers, and threads beside main's */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct task *top;
	unsigned waiting; /* threads asleep for want of tasks */
	unsigned busy;	  /* tasks being run */
	unsigned queued;
	bool ending;
};

struct pool *pool_new(struct ocp *ocp, struct worker *workers, unsigned n)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->ocp = ocp;
	pool->workers = workers;
	pool->n = n;
	pool->threads = calloc(n, sizeof(*pool->threads));
	if (!pool->threads) {
		free(pool);
		return NULL;
	}
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	return pool;
}

/* Take the top task; called and left with the lock held. */
static void pool_run_one(struct pool *pool, struct worker *w)
{
	struct task *task = pool->top;

	pool->top = task->next;
	pool->queued--;
	pool->busy++;
	pthread_mutex_unlock(&pool->lock);
	task->run(w, task);
	pthread_mutex_lock(&pool->lock);
	pool->busy--;
	if (!pool->busy && !pool->top)
		pthread_cond_broadcast(&pool->wake);
}

static void *pool_thread(void *arg)
{
	struct worker *w = arg;
	struct pool *pool = w->ocp->pool;

	pthread_mutex_lock(&pool->lock);
	while (!pool->ending) {
		if (pool->top) {
			pool_run_one(pool, w);
			continue;
		}
		pool->waiting++;
		pthread_cond_wait(&pool->wake, &pool->lock);
		pool->waiting--;
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Threads are started when there is work for them: most runs of cp copy one file. */
static void pool_grow(struct pool *pool)
{
	unsigned id = pool->started + 1;
	sigset_t all, old;

	if (pool->queued < 2 || pool->waiting || id >= pool->n)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	if (pthread_create(&pool->threads[pool->started], NULL, pool_thread, &pool->workers[id]))
		pool->n = id; /* no more to be had: go on with those we have */
	else
		pool->started++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void pool_push(struct pool *pool, struct task *task)
{
	pthread_mutex_lock(&pool->lock);
	task->next = pool->top;
	pool->top = task;
	pool->queued++;
	pool_grow(pool);
	if (pool->waiting)
		pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
}

/* Run tasks until none is left and none is being run anywhere. */
void pool_drain(struct pool *pool, struct worker *w)
{
	pthread_mutex_lock(&pool->lock);
	while (pool->top || pool->busy) {
		if (pool->top) {
			pool_run_one(pool, w);
			continue;
		}
		pool->waiting++;
		pthread_cond_wait(&pool->wake, &pool->lock);
		pool->waiting--;
	}
	pthread_mutex_unlock(&pool->lock);
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->started; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool);
}
