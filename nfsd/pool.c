// SPDX-License-Identifier: GPL-2.0-or-later
/* pool.c - see pool.h. */
#include "lib/thread.h"
#include "nfsd/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LOOPS_MAX   16u
#define TICK_NS	    1000000
#define QUIET_TICKS 20u /* after so many with nothing to do nobody watches */

struct turn_loop {
	struct ev_loop *ev;
	bool owned;	/* a thread waits for its events or serves them */
	unsigned turns; /* that ended */
};

struct pool {
	struct nfsd *s;
	struct worker *workers;
	unsigned nworkers, started;
	unsigned calls_max, processors;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t more;  /* for those that have nothing to do */
	pthread_cond_t tick;  /* for the one that watches; nobody signals it but pool_stop() */
	struct rpc_call *head, **tail;
	unsigned calls;	  /* being carried out */
	unsigned taken;	  /* so far */
	unsigned waiting; /* threads, for more */
	unsigned chores;  /* threads at them */
	bool watched, summoned, stop;
	struct turn_loop loops[LOOPS_MAX];
	unsigned nloops;
};

/* What the watching thread saw a tick ago. */
struct seen {
	bool calls; /* waited */
	unsigned taken, turns[LOOPS_MAX];
};

static struct rpc_call *take_call(struct pool *p)
{
	struct rpc_call *call = p->calls < p->calls_max ? p->head : NULL;

	if (!call)
		return NULL;
	p->head = call->next;
	if (!p->head)
		p->tail = &p->head;
	p->calls++;
	p->taken++;
	if (!p->watched && p->waiting) {
		p->watched = p->summoned = true;
		pthread_cond_signal(&p->more);
	}
	return call;
}

static struct turn_loop *free_loop(struct pool *p)
{
	for (unsigned i = 0; i < p->nloops; i++)
		if (!p->loops[i].owned)
			return &p->loops[i];
	return NULL;
}

static void carry_out(struct pool *p, struct worker *w, struct rpc_call *call)
{
	pthread_mutex_unlock(&p->lock);
	proc_compound(w, call);
	rpc_call_done(call);
	pthread_mutex_lock(&p->lock);
	p->calls--;
}

/* With no loop in hand, because a database may take its time. */
static void chores(struct pool *p, struct worker *w)
{
	p->chores++;
	pthread_mutex_unlock(&p->lock);
	pool_block(p);
	svc_chores(w);
	pthread_mutex_lock(&p->lock);
	p->chores--;
	if (p->stop)
		pthread_cond_broadcast(&p->more);
}

static void take_turn(struct pool *p, struct turn_loop *loop)
{
	loop->owned = true;
	pthread_mutex_unlock(&p->lock);
	ev_turn(loop->ev);
	pthread_mutex_lock(&p->lock);
	loop->owned = false;
	loop->turns++;
	if (p->stop)
		pthread_cond_broadcast(&p->more);
}

static void look(const struct pool *p, struct seen *seen)
{
	*seen = (struct seen){.calls = p->head && p->calls < p->calls_max, .taken = p->taken};
	for (unsigned i = 0; i < p->nloops; i++)
		seen->turns[i] = p->loops[i].turns;
}

/* Whether one thread more would help, by what was so a tick ago already. */
static bool help_needed(const struct pool *p, const struct seen *seen)
{
	for (unsigned i = 0; i < p->nloops; i++)
		if (!p->loops[i].owned && p->loops[i].turns == seen->turns[i])
			return true;
	return seen->calls && p->head && p->calls < p->calls_max &&
	       (p->taken == seen->taken || p->calls < p->processors);
}

static bool quiet(struct pool *p)
{
	return !p->head && !p->calls && !free_loop(p);
}

static void one_tick(struct pool *p)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&p->tick, &p->lock, &until);
}

/* Until help is needed, or it has been quiet for a while. */
static void watch(struct pool *p)
{
	unsigned idle = 0;
	struct seen seen;

	p->watched = true;
	do {
		look(p, &seen);
		one_tick(p);
		idle = quiet(p) ? idle + 1 : 0;
	} while (!p->stop && idle < QUIET_TICKS && !help_needed(p, &seen));
	p->watched = false;
}

static void wait_for_more(struct pool *p)
{
	p->waiting++;
	pthread_cond_wait(&p->more, &p->lock);
	p->waiting--;
	if (!p->summoned)
		return;
	p->summoned = false;
	watch(p);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->s->pool;
	struct turn_loop *loop;
	struct rpc_call *call;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		if ((call = take_call(p)))
			carry_out(p, w, call);
		else if (svc_due(p->s))
			chores(p, w);
		else if ((loop = free_loop(p)))
			take_turn(p, loop);
		else if (p->watched || quiet(p))
			wait_for_more(p);
		else
			watch(p);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

void pool_add(struct pool *p, struct rpc_call *call)
{
	call->next = NULL;
	pthread_mutex_lock(&p->lock);
	*p->tail = call;
	p->tail = (struct rpc_call **)&call->next;
	pthread_mutex_unlock(&p->lock);
}

void pool_block(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	if (p->waiting && !p->summoned && ((p->head && p->calls < p->calls_max) || free_loop(p)))
		pthread_cond_signal(&p->more);
	pthread_mutex_unlock(&p->lock);
}

struct pool *pool_new(struct nfsd *s, struct ev_loop *const *loops, unsigned nloops, unsigned calls)
{
	struct pool *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (!p)
		return NULL;
	p->s = s;
	p->tail = &p->head;
	p->calls_max = calls;
	p->processors = n > 0 ? (unsigned)n : 1;
	for (; p->nloops < nloops && p->nloops < LOOPS_MAX; p->nloops++)
		p->loops[p->nloops].ev = loops[p->nloops];
	p->nworkers = calls + p->nloops;
	p->workers = calloc(p->nworkers, sizeof(*p->workers));
	if (!p->workers) {
		free(p);
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->tick, &attr);
	pthread_condattr_destroy(&attr);
	return p;
}

static int worker_start(struct pool *p, struct worker *w)
{
	int err;

	w->s = p->s;
	w->head = malloc(NFSD_HEAD_ROOM);
	w->data = malloc(NFSD_MESSAGE_MAX);
	w->dir = malloc(NFSD_DIR_ROOM);
	if (!w->head || !w->data || !w->dir)
		return -ENOMEM;
	err = thread_start(&w->thread, work, w);
	if (!err)
		p->started++;
	return err;
}

int pool_start(struct pool *p)
{
	int err = 0;

	for (unsigned i = 0; i < p->nworkers && !err; i++)
		err = worker_start(p, &p->workers[i]);
	return err;
}

/* Calls do not count. */
static bool any_at_work(const struct pool *p)
{
	for (unsigned i = 0; i < p->nloops; i++)
		if (p->loops[i].owned)
			return true;
	return p->chores;
}

void pool_stop(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->more);
	pthread_cond_broadcast(&p->tick);
	for (unsigned i = 0; i < p->nloops; i++)
		ev_stop(p->loops[i].ev);
	while (any_at_work(p))
		pthread_cond_wait(&p->more, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void pool_free(struct pool *p)
{
	struct rpc_call *call;

	if (!p)
		return;
	for (unsigned i = 0; i < p->started; i++)
		pthread_join(p->workers[i].thread, NULL);
	while ((call = p->head)) {
		p->head = call->next;
		rpc_call_done(call);
	}
	for (unsigned i = 0; i < p->nworkers; i++) {
		free(p->workers[i].head);
		free(p->workers[i].data);
		free(p->workers[i].dir);
	}
	free(p->workers);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->more);
	pthread_cond_destroy(&p->tick);
	free(p);
}
