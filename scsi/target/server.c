// SPDX-License-Identifier: GPL-2.0-or-later
/* server.c - the loop: who has something to say, what workers have done, whose time is over. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "iscsi.h"
#include "socket.h"

#define IO_WORKERS   4
#define COPY_WORKERS 4
#define EVENTS	     64

static uint64_t seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec;
}

static int watch(struct server *s, int fd, int *place)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = place};

	*place = fd;
	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int server_listen(struct server *s, const char *address, char *text, size_t room, const char **why)
{
	int fd;

	*why = "too many addresses";
	if (s->n_listen == LISTEN_MAX)
		return -EINVAL;
	fd = socket_listen(address, why);
	if (fd < 0)
		return fd;
	socket_text(fd, false, text, room);
	s->listen[s->n_listen++] = fd;
	return 0;
}

/* On any thread. */
static void wake(void *arg)
{
	struct server *s = arg;
	uint64_t one = 1;

	if (write(s->event, &one, sizeof(one)) < 0 && errno != EAGAIN)
		abort();
}

static void run_task(struct work *work)
{
	struct task *t = (struct task *)work;
	struct server *s = (struct server *)t->scsi.nexus->target->engine->wake_arg;
	bool first;

	scsi_run(&t->scsi);
	pthread_mutex_lock(&s->done_lock);
	first = !s->done;
	t->done_next = s->done;
	s->done = t;
	pthread_mutex_unlock(&s->done_lock);
	if (first)
		wake(s);
}

void server_submit(struct server *s, struct task *t)
{
	t->work.fn = run_task;
	workers_add(scsi_copies(&t->scsi) ? s->copy : s->io, &t->work);
}

static int make_descriptors(struct server *s)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->epoll < 0 || s->event < 0 || s->signals < 0)
		return -errno;
	err = watch(s, s->event, &s->event);
	if (!err)
		err = watch(s, s->signals, &s->signals);
	for (unsigned i = 0; i < s->n_listen && !err; i++)
		err = watch(s, s->listen[i], &s->listen[i]);
	return err;
}

int server_init(struct server *s)
{
	crc32c_init(&s->crc);
	pthread_mutex_init(&s->done_lock, NULL);
	s->now = seconds();
	s->engine.wake = wake;
	s->engine.wake_arg = s;
	s->io = workers_new(IO_WORKERS);
	s->copy = workers_new(COPY_WORKERS);
	return s->io && s->copy ? make_descriptors(s) : -ENOMEM;
}

static void accept_some(struct server *s, int fd)
{
	for (unsigned i = 0; i < EVENTS; i++) {
		int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (peer < 0)
			return;
		conn_new(s, peer);
	}
}

static void finish_tasks(struct server *s)
{
	struct task *t, *next, *in_order = NULL;

	pthread_mutex_lock(&s->done_lock);
	t = s->done;
	s->done = NULL;
	pthread_mutex_unlock(&s->done_lock);
	/* What was done first is answered first. */
	for (; t; t = next) {
		next = t->done_next;
		t->done_next = in_order;
		in_order = t;
	}
	for (t = in_order; t; t = next) {
		next = t->done_next;
		task_finished(t);
	}
}

/* What others wait for may have ended. */
static void settle(struct server *s)
{
	for (struct session *x = s->sessions, *next; x; x = next) {
		next = x->next;
		session_free_if_done(s, x);
	}
	for (struct conn *c = s->conns; c; c = c->next)
		login_try_again(c);
}

static void event(struct server *s, const struct epoll_event *e)
{
	struct signalfd_siginfo info;
	uint64_t count;

	if (e->data.ptr == &s->event) {
		if (read(s->event, &count, sizeof(count)) > 0)
			finish_tasks(s);
		return;
	}
	if (e->data.ptr == &s->signals) {
		s->ending = read(s->signals, &info, sizeof(info)) > 0;
		return;
	}
	for (unsigned i = 0; i < s->n_listen; i++)
		if (e->data.ptr == &s->listen[i]) {
			accept_some(s, s->listen[i]);
			return;
		}
	if (e->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		conn_read(e->data.ptr);
}

static void tick(struct server *s)
{
	uint64_t now = seconds();

	if (now == s->now)
		return;
	s->now = now;
	engine_tick(&s->engine);
	for (struct conn *c = s->conns; c; c = c->next)
		conn_check_time(c);
}

/* Send what was queued, and be done with those that are gone. */
static void flush(struct server *s)
{
	struct conn *c, *next;

	for (c = s->conns; c; c = c->next)
		if (c->out || c->closing)
			conn_write(c);
	for (c = s->conns; c; c = next) {
		next = c->next;
		if (c->dead)
			conn_free(c);
	}
}

int server_turn(struct server *s, int timeout)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(s->epoll, events, EVENTS, timeout);

	if (n < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < n; i++)
		event(s, &events[i]);
	tick(s);
	settle(s);
	flush(s);
	return n < 0 ? 0 : n;
}

int server_run(struct server *s)
{
	int n = 0;

	while (!s->ending && n >= 0)
		n = server_turn(s, 1000);
	return n < 0 ? n : 0;
}

/* Commands that run are told to end and waited for. */
void server_end(struct server *s)
{
	for (struct conn *c = s->conns; c; c = c->next)
		c->dead = true;
	flush(s);
	workers_free(s->io);
	workers_free(s->copy);
	finish_tasks(s);
	/* Copies that run by themselves hold their nexus until they have seen it. */
	workers_free(s->engine.copies);
	s->engine.copies = NULL;
	settle(s);
	for (unsigned i = 0; i < s->n_listen; i++)
		close(s->listen[i]);
	close(s->epoll);
	close(s->event);
	close(s->signals);
	pthread_mutex_destroy(&s->done_lock);
}
