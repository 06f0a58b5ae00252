// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pool.c - tasks and the threads that run them.
 *
 * Every worker has a stack of its own: what it found last it does first, so a
 * walk goes deep before it goes wide and few directories are open at a time.
 * Who has nothing left takes the oldest task of another: of a tree that is the
 * farthest away, so two workers seldom make files in one directory, where the
 * kernel would let only one of them.  How much may wait here is bounded by the
 * walk, which reads a directory on only when the names it found before have
 * been taken.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "lib/thread.h"
#include "ocp.h"

#define LOOK_NS		 (20 * 1000 * 1000)
#define SECTORS_PER_PAGE 8
#define BUSY_ENOUGH	 70 /* per cent of the time of the processors that the threads could use */

struct stack {
	struct task *top, *bottom;
};

struct pool {
	struct ocp *ocp;
	struct worker *workers;
	pthread_t *threads;
	unsigned n, started; /* workers, and threads beside main's */
	unsigned processors;
	unsigned few;	    /* as many run while storage does not keep them waiting */
	bool narrow;	    /* they wait for each other, too */
	uint64_t wall, cpu; /* of the last look at that, nanoseconds */
	struct rusage used; /* by then */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct stack *stacks; /* one a worker */
	unsigned waiting;     /* threads asleep for want of tasks */
	unsigned busy;	      /* tasks being run */
	unsigned queued;
	bool ending;
};

static uint64_t now(clockid_t clock)
{
	struct timespec ts = {0};

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

struct pool *pool_new(struct ocp *ocp, struct worker *workers, unsigned n)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->ocp = ocp;
	pool->workers = workers;
	pool->n = n;
	pool->few = n;
	pool->processors = opts_processors();
	pool->wall = now(CLOCK_MONOTONIC);
	pool->cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	pool->threads = calloc(n, sizeof(*pool->threads));
	pool->stacks = calloc(n, sizeof(*pool->stacks));
	if (!pool->threads || !pool->stacks) {
		free(pool->threads);
		free(pool->stacks);
		free(pool);
		return NULL;
	}
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	return pool;
}

static void stack_push(struct stack *stack, struct task *task)
{
	task->prev = NULL;
	task->next = stack->top;
	if (task->next)
		task->next->prev = task;
	else
		stack->bottom = task;
	stack->top = task;
}

static void stack_remove(struct stack *stack, struct task *task)
{
	if (task->prev)
		task->prev->next = task->next;
	else
		stack->top = task->next;
	if (task->next)
		task->next->prev = task->prev;
	else
		stack->bottom = task->prev;
}

/* Our newest task, or the oldest of the next worker who has any. */
static struct task *pool_take(struct pool *pool, const struct worker *w)
{
	struct stack *stack = &pool->stacks[w->id];
	struct task *task = stack->top;

	for (unsigned i = 1; !task && i < pool->n; i++) {
		stack = &pool->stacks[(w->id + i) % pool->n];
		task = stack->bottom;
	}
	if (task)
		stack_remove(stack, task);
	return task;
}

/* Take a task of those there are; called and left with the lock held. */
static void pool_run_one(struct pool *pool, struct worker *w)
{
	struct task *task = pool_take(pool, w);

	if (!task)
		return;
	pool->queued--;
	pool->busy++;
	pthread_mutex_unlock(&pool->lock);
	task->run(w, task);
	pthread_mutex_lock(&pool->lock);
	pool->busy--;
	if (!pool->busy && !pool->queued)
		pthread_cond_broadcast(&pool->wake);
}

static void *pool_thread(void *arg)
{
	struct worker *w = arg;
	struct pool *pool = w->ocp->pool;

	pthread_mutex_lock(&pool->lock);
	while (!pool->ending) {
		if (pool->queued) {
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

/**
 * pool_few - @few threads will do, unless they turn out to wait for storage
 * @narrow: sleeping alone does not show that: something has to be read meanwhile, too
 */
void pool_few(struct pool *pool, unsigned few, bool narrow)
{
	pthread_mutex_lock(&pool->lock);
	pool->few = few;
	pool->narrow = narrow;
	pthread_mutex_unlock(&pool->lock);
}

/* Whether threads slept for what was read: a page at least each second time. */
static bool reads(const struct rusage *from, const struct rusage *to)
{
	return (to->ru_inblock - from->ru_inblock) / SECTORS_PER_PAGE * 2 >
	       to->ru_nvcsw - from->ru_nvcsw;
}

/* Whether processors were idle for much of the time since the last look, as threads slept. */
static bool pool_sleepy(struct pool *pool)
{
	uint64_t wall = now(CLOCK_MONOTONIC), cpu, all;
	unsigned usable = pool->started + 1;
	struct rusage used;
	bool sleepy;

	if (wall - pool->wall < LOOK_NS)
		return false;
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	if (usable > pool->processors)
		usable = pool->processors;
	all = (wall - pool->wall) * usable;
	sleepy = (cpu - pool->cpu) * 100 < all * BUSY_ENOUGH;
	getrusage(RUSAGE_SELF, &used);
	if (pool->narrow && !reads(&pool->used, &used))
		sleepy = false;
	pool->used = used;
	pool->wall = wall;
	pool->cpu = cpu;
	return sleepy;
}

/*
 * Threads are started when there is work for them: most runs of cp copy one
 * file.  Beyond the few that can be busy, only those that wait are helped by more.
 */
static void pool_grow(struct pool *pool)
{
	unsigned id = pool->started + 1;

	if (pool->queued < 2 || pool->waiting || id >= pool->n)
		return;
	if (id >= pool->few && !pool_sleepy(pool))
		return;
	if (thread_start(&pool->threads[pool->started], pool_thread, &pool->workers[id]))
		pool->n = id; /* no more to be had: go on with those we have */
	else
		pool->started++;
}

/* pool_push - @task is done by @w unless another has nothing to do before */
void pool_push(struct worker *w, struct task *task)
{
	struct pool *pool = w->ocp->pool;

	pthread_mutex_lock(&pool->lock);
	stack_push(&pool->stacks[w->id], task);
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
	while (pool->queued || pool->busy) {
		if (pool->queued) {
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
	free(pool->stacks);
	free(pool);
}
