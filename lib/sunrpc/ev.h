/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ev.h - an event loop: descriptors, timers, and work handed over by other threads.
 *
 * One thread runs the loop at a time.  Descriptors and timers belong to that thread: other
 * threads reach it by ev_post() alone.  Callbacks run on the loop's thread.
 */
#ifndef CR_EV_H
#define CR_EV_H

#include <stdbool.h>
#include <stdint.h>

struct ev_loop;

/* A descriptor of the loop, part of the caller's struct.  @events are EPOLL*. */
struct ev_fd {
	int fd;
	void (*ready)(struct ev_fd *, uint32_t events);
	uint32_t events;
};

/* A timer, part of the caller's struct; it fires once. */
struct ev_timer {
	void (*fire)(struct ev_timer *);
	uint64_t at;	/* ms, ev_now() */
	unsigned place; /* in the heap, from 1; 0: not set */
};

/* Something to do on the loop's thread, part of the caller's struct; queued at most once. */
struct ev_work {
	void (*run)(struct ev_work *);
	struct ev_work *next;
	bool queued; /* under the loop's lock */
};

/** ev_loop_new - a loop, or NULL without memory or descriptors */
struct ev_loop *ev_loop_new(void);
/* After ev_run() returned; what was posted since is run here. */
void ev_loop_free(struct ev_loop *loop);

/** ev_run - serve events until ev_stop(); 0, or a negative errno of epoll_wait(2) */
int ev_run(struct ev_loop *loop);
void ev_stop(struct ev_loop *loop); /* from any thread, or a signal handler */

/**
 * ev_turn - wait for events once, and serve them; as ev_run()
 *
 * For threads that take turns at a loop: whoever is in ev_turn() is the loop's thread, and
 * they keep each other out by a lock of their own.  After ev_stop() it does nothing.
 */
int ev_turn(struct ev_loop *loop);

/** ev_start, ev_join - run the loop on a thread of its own, with all signals blocked */
int ev_start(struct ev_loop *loop);
void ev_join(struct ev_loop *loop); /* stops it and waits; without ev_start() it does nothing */

/** ev_on_loop - is this the loop's thread? */
bool ev_on_loop(const struct ev_loop *loop);

/** ev_post - run @work on the loop's thread; false: it was queued already and runs once */
bool ev_post(struct ev_loop *loop, struct ev_work *work);

int ev_add(struct ev_loop *loop, struct ev_fd *fd); /* 0 or a negative errno */
void ev_change(struct ev_loop *loop, struct ev_fd *fd, uint32_t events);
/* No callback of it comes after this, not even one that epoll has already reported. */
void ev_del(struct ev_loop *loop, struct ev_fd *fd);

uint64_t ev_now(void); /* ms of CLOCK_MONOTONIC */
/** ev_timer_set - fire in @ms from now on; a timer that is set is moved. 0, -ENOMEM */
int ev_timer_set(struct ev_loop *loop, struct ev_timer *timer, uint64_t ms);
void ev_timer_cancel(struct ev_loop *loop, struct ev_timer *timer);

#endif
