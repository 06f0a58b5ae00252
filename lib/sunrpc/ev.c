// SPDX-License-Identifier: GPL-2.0-or-later
/* ev.c - the event loop: epoll, a heap of timers, an eventfd for other threads. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/sunrpc/ev.h"
#include "lib/thread.h"

#define EV_BATCH 64

struct ev_loop {
	int epoll;
	struct ev_fd wake;
	atomic_bool stop;
	pthread_t thread;
	_Atomic(pthread_t) runner;
	bool started;

	pthread_mutex_t lock; /* of the queue */
	struct ev_work *head, **tail;

	struct ev_timer **heap; /* heap[1] is the next one */
	unsigned timers, room;

	struct epoll_event batch[EV_BATCH];
	int got, at; /* of the batch */
};

uint64_t ev_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void woken(struct ev_fd *fd, uint32_t events)
{
	eventfd_t n;

	eventfd_read(fd->fd, &n);
}

struct ev_loop *ev_loop_new(void)
{
	struct ev_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	pthread_mutex_init(&loop->lock, NULL);
	loop->tail = &loop->head;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->wake = (struct ev_fd){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = woken, .events = EPOLLIN};
	if (loop->epoll < 0 || loop->wake.fd < 0 || ev_add(loop, &loop->wake)) {
		ev_loop_free(loop);
		return NULL;
	}
	return loop;
}

static void wake(struct ev_loop *loop)
{
	eventfd_write(loop->wake.fd, 1);
}

void ev_stop(struct ev_loop *loop)
{
	atomic_store(&loop->stop, true);
	wake(loop);
}

bool ev_post(struct ev_loop *loop, struct ev_work *work)
{
	bool first = false, queued = false;

	pthread_mutex_lock(&loop->lock);
	if (!work->queued) {
		queued = true;
		first = !loop->head;
		work->queued = true;
		work->next = NULL;
		*loop->tail = work;
		loop->tail = &work->next;
	}
	pthread_mutex_unlock(&loop->lock);
	if (first)
		wake(loop);
	return queued;
}

/* One after the other, because the work may free its own struct, or post itself again. */
static void run_posted(struct ev_loop *loop)
{
	struct ev_work *list, *work;

	pthread_mutex_lock(&loop->lock);
	list = loop->head;
	loop->head = NULL;
	loop->tail = &loop->head;
	pthread_mutex_unlock(&loop->lock);
	while ((work = list)) {
		pthread_mutex_lock(&loop->lock);
		list = work->next;
		work->queued = false;
		pthread_mutex_unlock(&loop->lock);
		work->run(work);
	}
}

void ev_loop_free(struct ev_loop *loop)
{
	if (!loop)
		return;
	while (loop->head)
		run_posted(loop);
	if (loop->epoll >= 0)
		close(loop->epoll);
	if (loop->wake.fd >= 0)
		close(loop->wake.fd);
	pthread_mutex_destroy(&loop->lock);
	free(loop->heap);
	free(loop);
}

int ev_add(struct ev_loop *loop, struct ev_fd *fd)
{
	struct epoll_event ee = {.events = fd->events, .data.ptr = fd};

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd->fd, &ee) < 0 ? -errno : 0;
}

void ev_change(struct ev_loop *loop, struct ev_fd *fd, uint32_t events)
{
	struct epoll_event ee = {.events = events, .data.ptr = fd};

	if (fd->events == events)
		return;
	fd->events = events;
	epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd->fd, &ee);
}

void ev_del(struct ev_loop *loop, struct ev_fd *fd)
{
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd->fd, NULL);
	for (int i = loop->at; i < loop->got; i++)
		if (loop->batch[i].data.ptr == fd)
			loop->batch[i].data.ptr = NULL;
}

/* Timers: a binary heap from 1. */

static void place(struct ev_loop *loop, struct ev_timer *t, unsigned i)
{
	loop->heap[i] = t;
	t->place = i;
}

static void sift(struct ev_loop *loop, struct ev_timer *t, unsigned i)
{
	while (i > 1 && loop->heap[i / 2]->at > t->at) {
		place(loop, loop->heap[i / 2], i);
		i /= 2;
	}
	for (unsigned kid; (kid = 2 * i) <= loop->timers; i = kid) {
		if (kid < loop->timers && loop->heap[kid + 1]->at < loop->heap[kid]->at)
			kid++;
		if (loop->heap[kid]->at >= t->at)
			break;
		place(loop, loop->heap[kid], i);
	}
	place(loop, t, i);
}

int ev_timer_set(struct ev_loop *loop, struct ev_timer *timer, uint64_t ms)
{
	timer->at = ev_now() + ms;
	if (!timer->place) {
		if (loop->timers + 2 > loop->room) {
			unsigned room = loop->room ? loop->room * 2 : 64;
			struct ev_timer **heap =
				realloc(loop->heap, room * sizeof(struct ev_timer *));

			if (!heap)
				return -ENOMEM;
			loop->heap = heap;
			loop->room = room;
		}
		timer->place = ++loop->timers;
	}
	sift(loop, timer, timer->place);
	return 0;
}

void ev_timer_cancel(struct ev_loop *loop, struct ev_timer *timer)
{
	unsigned i = timer->place;
	struct ev_timer *last;

	if (!i)
		return;
	timer->place = 0;
	last = loop->heap[loop->timers--];
	if (last != timer)
		sift(loop, last, i);
}

/* Milliseconds until the next timer; fires those that are due. */
static int run_timers(struct ev_loop *loop)
{
	uint64_t now = ev_now();

	while (loop->timers && loop->heap[1]->at <= now) {
		struct ev_timer *t = loop->heap[1];

		ev_timer_cancel(loop, t);
		t->fire(t);
	}
	if (!loop->timers)
		return -1;
	now = loop->heap[1]->at - now;
	return now < 60000 ? (int)now : 60000;
}

bool ev_on_loop(const struct ev_loop *loop)
{
	return pthread_equal(atomic_load(&loop->runner), pthread_self());
}

int ev_turn(struct ev_loop *loop)
{
	int wait;

	atomic_store(&loop->runner, pthread_self());
	if (atomic_load(&loop->stop))
		return 0;
	wait = run_timers(loop);
	loop->at = loop->got = 0;
	loop->got = epoll_wait(loop->epoll, loop->batch, EV_BATCH, wait);
	if (loop->got < 0 && errno != EINTR)
		return -errno;
	while (loop->at < loop->got) {
		struct epoll_event *ee = &loop->batch[loop->at++];
		struct ev_fd *fd = ee->data.ptr;

		if (fd)
			fd->ready(fd, ee->events);
	}
	run_posted(loop);
	return 0;
}

int ev_run(struct ev_loop *loop)
{
	int err = 0;

	while (!err && !atomic_load(&loop->stop))
		err = ev_turn(loop);
	if (!err)
		run_posted(loop);
	return err;
}

static void *loop_thread(void *arg)
{
	ev_run(arg);
	return NULL;
}

int ev_start(struct ev_loop *loop)
{
	int err = thread_start(&loop->thread, loop_thread, loop);

	loop->started = !err;
	return err;
}

void ev_join(struct ev_loop *loop)
{
	if (!loop->started)
		return;
	ev_stop(loop);
	pthread_join(loop->thread, NULL);
	loop->started = false;
}
