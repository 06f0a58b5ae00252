/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bar.  Workers only add to counters; a thread reads them ten times a
 * second, keeps a rate and draws.  Two kinds of lock, taken in this order:
 * p->lock is held while something is on its way to the terminal, which may
 * block for as long as its user pleases; slot->lock is never held meanwhile,
 * so that a stopped terminal does not stop the copy.
 */
#include "lib/thread.h"
#include "progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "bar.h"

#define TICK_NS	       100000000
#define SECOND_NS      1000000000
#define AUTO_WAIT      (2 * (int64_t)SECOND_NS)
#define RATE_TAU       3.0	  /* seconds over which the rate forgets, */
#define LEFT_TAU       15.0	  /* and the one that the time left is reckoned with */
#define NAMED_SIZE     (1u << 20) /* without a bar only such files are noted by name */
#define SIGNAL_WAIT    (SECOND_NS / 10)
#define BIG_FILE       (64u << 20) /* worth a percentage of its own */
#define LINE_MAX_BYTES 2048
#define LOG_COLUMNS    200

struct slot {
	_Alignas(64) struct copy_progress now; /* written by the core */
	pthread_mutex_t lock;		       /* the rest */
	bool busy, known;		       /* known: streamed was said */
	uint64_t size, streamed;
	char name[256]; /* its end, if it is longer */
};

struct progress {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool ending, terminal, drawn;
	bool silent;	  /* no bar */
	atomic_bool runs; /* the thread does */
	int64_t start, shown_from, last_draw;
	uint64_t done, files;	     /* atomics: bytes, files */
	uint64_t found, found_files; /* the same, of those who count ahead */
	uint64_t skipped, skipped_files;
	uint64_t streamed; /* of done */
	bool found_all;
	uint64_t last_bytes, last_work;
	int64_t last_time;
	double rate, left_rate, work_rate;
	unsigned nslots;
	struct slot slots[];
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * SECOND_NS + ts.tv_nsec;
}

/* Asked at every drawing, which needs no handler for SIGWINCH. */
static unsigned columns(const struct progress *p)
{
	struct winsize ws;

	if (!p->terminal)
		return LOG_COLUMNS;
	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) && ws.ws_col)
		return ws.ws_col;
	return 80;
}

static void put_terminal(const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(STDERR_FILENO, text, len);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static void erase(struct progress *p)
{
	if (p->drawn && p->terminal)
		put_terminal("\r\033[K", 4);
	p->drawn = false;
}

/* What a worker is at, of the one with the most to do. */
struct current {
	char name[256];
	uint64_t size, bytes, sum, streamed;
	unsigned strategy, busy;
};

/* What its caller said at the end, and until then what the strategy that runs suggests. */
static uint64_t slot_streamed(const struct slot *s)
{
	if (s->known)
		return s->streamed;
	if (__atomic_load_n(&s->now.strategy, __ATOMIC_RELAXED) != COPY_STREAM)
		return 0;
	return __atomic_load_n(&s->now.bytes, __ATOMIC_RELAXED);
}

static void look_at_slots(struct progress *p, struct current *c)
{
	unsigned i;

	for (i = 0; i < p->nslots; i++) {
		struct slot *s = &p->slots[i];
		uint64_t bytes;

		pthread_mutex_lock(&s->lock);
		bytes = __atomic_load_n(&s->now.bytes, __ATOMIC_RELAXED);
		c->sum += bytes;
		c->streamed += slot_streamed(s);
		if (s->busy && (!c->busy++ || s->size > c->size)) {
			c->size = s->size;
			c->bytes = bytes;
			c->strategy = __atomic_load_n(&s->now.strategy, __ATOMIC_RELAXED);
			memcpy(c->name, s->name, sizeof(c->name));
		}
		pthread_mutex_unlock(&s->lock);
	}
}

/* An average that forgets: what counts is how it goes now. */
static void average(double *rate, double tau, const uint64_t *now_and_last, double dt, double since)
{
	uint64_t all = now_and_last[0], last = now_and_last[1];

	if (since < tau) /* at first there is little to forget */
		*rate = (double)all / since;
	else
		*rate += dt / (tau + dt) * ((double)(all - last) / dt - *rate);
}

static void update_rate(struct progress *p, const struct bar *bar, int64_t now)
{
	double dt = (double)(now - p->last_time) / SECOND_NS;
	double since = (double)(now - p->start) / SECOND_NS;
	uint64_t bytes[] = {bar->done, p->last_bytes};
	uint64_t work[] = {bar_work(bar->done, bar->files), p->last_work};

	if (dt <= 0)
		return;
	average(&p->rate, RATE_TAU, bytes, dt, since);
	average(&p->left_rate, LEFT_TAU, bytes, dt, since);
	average(&p->work_rate, LEFT_TAU, work, dt, since);
	p->last_time = now;
	p->last_bytes = bar->done;
	p->last_work = work[0];
}

/* Of two counters that both only grow, the second part of the first. */
static uint64_t less(const uint64_t *all, const uint64_t *part)
{
	uint64_t p = __atomic_load_n(part, __ATOMIC_RELAXED);
	uint64_t a = __atomic_load_n(all, __ATOMIC_RELAXED);

	return a > p ? a - p : 0;
}

static void fill_bar(struct progress *p, struct bar *bar, struct current *c)
{
	*bar = (struct bar){.percent = -1, .strategy = "", .name = ""};
	/* In this order a file that ends in between is missed, not counted twice. */
	bar->done = __atomic_load_n(&p->done, __ATOMIC_ACQUIRE);
	look_at_slots(p, c);
	bar->done += c->sum;
	if (bar->done < p->last_bytes)
		bar->done = p->last_bytes;
	bar->files = __atomic_load_n(&p->files, __ATOMIC_RELAXED);
	bar->counted = __atomic_load_n(&p->found_all, __ATOMIC_ACQUIRE);
	bar->total = less(&p->found, &p->skipped);
	bar->all_files = less(&p->found_files, &p->skipped_files);
	c->streamed += __atomic_load_n(&p->streamed, __ATOMIC_RELAXED);
	if (bar->done > c->streamed)
		bar->offloaded = (int)((double)(bar->done - c->streamed) / (double)bar->done * 100);
	if (!c->busy)
		return;
	/* One large file so far, as when a single one is copied. */
	if (!bar->all_files && !bar->files && c->busy == 1 && c->size >= BIG_FILE) {
		bar->total = c->size;
		bar->counted = true;
	}
	bar->name = c->name;
	if (c->bytes && copy_strategy_name(c->strategy))
		bar->strategy = copy_strategy_name(c->strategy);
	if (!bar->counted && c->size >= BIG_FILE)
		bar->percent = c->bytes >= c->size ? 100 : (int)(c->bytes * 100.0 / c->size);
}

static bool in_foreground(void)
{
	pid_t group = tcgetpgrp(STDERR_FILENO);

	return group < 0 || group == getpgrp();
}

/* The line as it is now; bytes put into @line. */
static size_t line_now(struct progress *p, int64_t now, char line[LINE_MAX_BYTES])
{
	struct current c = {0};
	struct bar bar;

	fill_bar(p, &bar, &c);
	update_rate(p, &bar, now);
	bar.rate = (uint64_t)p->rate;
	bar.left_rate = (uint64_t)p->left_rate;
	bar.work_rate = (uint64_t)p->work_rate;
	/* The last column stays free, or some terminals go to the next line. */
	return bar_line(&bar, columns(p) - 1, line, LINE_MAX_BYTES - 8);
}

static void draw(struct progress *p, int64_t now)
{
	char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 8];
	size_t len = 0, n = line_now(p, now, text);

	if (p->silent || now < p->shown_from || (p->terminal && !in_foreground()))
		return;
	if (!p->terminal && p->last_draw && now - p->last_draw < SECOND_NS && !p->ending)
		return;
	if (p->terminal)
		line[len++] = '\r';
	memcpy(line + len, text, n);
	len += n;
	len = (size_t)((char *)mempcpy(line + len, p->terminal ? "\033[K" : "\n",
				       p->terminal ? 3 : 1) -
		       line);
	put_terminal(line, len);
	p->last_draw = now;
	p->drawn = true;
}

/* SIGUSR1: the line once, to stay. */
static void answer(struct progress *p)
{
	const struct timespec at_once = {0};
	char line[LINE_MAX_BYTES];
	sigset_t usr1;
	size_t len;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	if (sigtimedwait(&usr1, NULL, &at_once) != SIGUSR1)
		return;
	len = line_now(p, now_ns(), line);
	line[len++] = '\n';
	erase(p);
	put_terminal(line, len);
}

static void *run(void *arg)
{
	struct progress *p = arg;
	struct timespec until;

	pthread_mutex_lock(&p->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	while (!p->ending) {
		until.tv_nsec += TICK_NS;
		until.tv_sec += until.tv_nsec / SECOND_NS;
		until.tv_nsec %= SECOND_NS;
		while (!p->ending &&
		       !pthread_cond_clockwait(&p->wake, &p->lock, CLOCK_MONOTONIC, &until))
			;
		if (!p->ending) {
			answer(p);
			draw(p, now_ns());
		}
		/* After a stop of the whole process: no burst of missed ticks. */
		clock_gettime(CLOCK_MONOTONIC, &until);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static bool wanted(enum when when, bool terminal)
{
	const char *term = getenv("TERM");

	if (when == WHEN_NEVER)
		return false;
	if (when == WHEN_ALWAYS)
		return true;
	return terminal && !(term && !strcmp(term, "dumb"));
}

static struct progress *progress_make(unsigned workers)
{
	size_t size = sizeof(struct progress) + (size_t)workers * sizeof(struct slot);
	struct progress *p = aligned_alloc(_Alignof(struct progress), size);

	if (!p)
		return NULL;
	memset(p, 0, size);
	p->nslots = workers;
	p->terminal = isatty(STDERR_FILENO);
	p->start = p->last_time = now_ns();
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	for (unsigned i = 0; i < workers; i++)
		pthread_mutex_init(&p->slots[i].lock, NULL);
	return p;
}

bool progress_when(const char *word, enum when *when)
{
	static const char *const words[] = {
		[WHEN_AUTO] = "auto", [WHEN_ALWAYS] = "always", [WHEN_NEVER] = "never"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i])) {
			*when = (enum when)i;
			return true;
		}
	return false;
}

struct progress *progress_new(enum when when, unsigned workers)
{
	struct progress *p;

	if (!wanted(when, isatty(STDERR_FILENO)))
		return NULL;
	p = progress_make(workers);
	if (!p)
		return NULL;
	p->shown_from = when == WHEN_ALWAYS ? 0 : p->start + AUTO_WAIT;
	if (thread_start(&p->thread, run, p)) {
		free(p);
		return NULL;
	}
	p->runs = true;
	return p;
}

struct progress *progress_on_signal(unsigned workers)
{
	struct progress *p = progress_make(workers);

	if (p)
		p->silent = true;
	return p;
}

bool progress_shown(const struct progress *p)
{
	return p && !p->silent;
}

bool progress_wants_name(const struct progress *p, uint64_t size)
{
	return p && (!p->silent || !size || size >= NAMED_SIZE);
}

/* Most runs are over before anybody could ask. */
static void run_late(struct progress *p, uint64_t size)
{
	if (atomic_load_explicit(&p->runs, memory_order_relaxed) ||
	    (size && size < NAMED_SIZE && now_ns() - p->start < SIGNAL_WAIT))
		return;
	pthread_mutex_lock(&p->lock);
	if (!p->runs && !thread_start(&p->thread, run, p))
		p->runs = true;
	pthread_mutex_unlock(&p->lock);
}

void progress_free(struct progress *p)
{
	unsigned i;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->ending = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	if (p->runs)
		pthread_join(p->thread, NULL);
	/* A log gets the last figures, a terminal its line back. */
	if (!p->terminal)
		draw(p, now_ns());
	erase(p);
	for (i = 0; i < p->nslots; i++)
		pthread_mutex_destroy(&p->slots[i].lock);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

struct copy_progress *progress_begin(struct progress *p, unsigned worker, const char *name,
				     uint64_t size)
{
	struct slot *s;
	size_t len;

	if (!p || worker >= p->nslots)
		return NULL;
	run_late(p, size);
	s = &p->slots[worker];
	name = name ? name : "";
	len = strlen(name) + 1;
	if (len > sizeof(s->name)) {
		name += len - sizeof(s->name);
		len = sizeof(s->name);
	}
	pthread_mutex_lock(&s->lock);
	s->busy = true;
	s->size = size;
	memcpy(s->name, name, len);
	pthread_mutex_unlock(&s->lock);
	return &s->now;
}

void progress_streamed(struct progress *p, unsigned worker, uint64_t bytes)
{
	struct slot *s;

	if (!p || worker >= p->nslots)
		return;
	s = &p->slots[worker];
	pthread_mutex_lock(&s->lock);
	s->streamed = bytes;
	s->known = true;
	pthread_mutex_unlock(&s->lock);
}

void progress_end(struct progress *p, unsigned worker)
{
	struct slot *s;
	uint64_t streamed;

	if (!p || worker >= p->nslots)
		return;
	s = &p->slots[worker];
	pthread_mutex_lock(&s->lock);
	s->busy = false;
	streamed = slot_streamed(s);
	s->known = false;
	if (streamed)
		__atomic_fetch_add(&p->streamed, streamed, __ATOMIC_RELAXED);
	__atomic_fetch_add(&p->done, __atomic_exchange_n(&s->now.bytes, 0, __ATOMIC_RELAXED),
			   __ATOMIC_RELEASE);
	pthread_mutex_unlock(&s->lock);
	__atomic_fetch_add(&p->files, 1, __ATOMIC_RELAXED);
}

void progress_found(struct progress *p, uint64_t bytes)
{
	if (!p)
		return;
	__atomic_fetch_add(&p->found, bytes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&p->found_files, 1, __ATOMIC_RELAXED);
}

void progress_skip(struct progress *p, uint64_t bytes)
{
	if (!p)
		return;
	__atomic_fetch_add(&p->skipped, bytes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&p->skipped_files, 1, __ATOMIC_RELAXED);
}

void progress_found_all(struct progress *p)
{
	if (p)
		__atomic_store_n(&p->found_all, true, __ATOMIC_RELEASE);
}

void progress_hide(struct progress *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	erase(p);
}

void progress_show(struct progress *p)
{
	if (p)
		pthread_mutex_unlock(&p->lock);
}
