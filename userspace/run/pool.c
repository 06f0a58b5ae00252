// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pool.c - workers that take calls, look at them, and of which some copy.
 *
 * Each waits for notifications by itself, so that a call which is left to the
 * kernel costs no hand-over between threads.  At most COPIES_MAX copies run at
 * once; further calls that are ours wait in a queue, and while one waits, the
 * copies that run end after SLICE with a short count, as copy_file_range(2)
 * may: their programs come again and stand at the end of the queue.
 *
 * The main thread looks after the copies that run: one whose program is gone
 * ends, and so does one whose program is sent a signal.  A clone is all or
 * nothing and ends only with its program.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

#define COPIES_MAX 4 /* each has buffers of COPY_MEM_DEFAULT at most */
#define WORKERS	   (COPIES_MAX + 2)
#define LOOK	   10  /* milliseconds between two looks at what runs, */
#define SLICE	   250 /* and until others are let in */

struct waiting {
	struct call call;
	struct waiting *next;
};

struct running {
	bool used, whole;
	uint64_t id;
	pid_t tid;
	uint64_t began;
	int stop;
};

struct pool {
	int listener;
	int begun; /* eventfd: a copy began, the main thread should look after it */
	int end;   /* eventfd: workers are to leave */
	const struct run_opts *o;
	struct report *report;
	struct cr_ns *ns;
	pthread_mutex_t lock;
	bool ending;
	struct waiting *first,
		**last; /* ours, when there is room; not empty only while there is none */
	unsigned copies;
	struct running running[COPIES_MAX];
	unsigned n;
	pthread_t worker[WORKERS];
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Both with the lock held. */
static void queue_put(struct pool *p, struct waiting *w)
{
	w->next = NULL;
	*p->last = w;
	p->last = &w->next;
}

static struct waiting *queue_take(struct pool *p)
{
	struct waiting *w = p->first;

	if (!w || p->copies == COPIES_MAX)
		return NULL;
	p->first = w->next;
	if (!p->first)
		p->last = &p->first;
	return w;
}

/* -ENOENT, for a program that is gone, is as good as an answer. */
static void answer(const struct pool *p, const struct call *call, int64_t ret, uint32_t flags)
{
	struct seccomp_notif_resp resp = {.id = call->id, .flags = flags};

	if (ret < 0)
		resp.error = (int32_t)ret;
	else
		resp.val = ret;
	seccomp_notify_respond(p->listener, &resp);
}

static bool is_valid(const struct pool *p, uint64_t id)
{
	return !seccomp_notify_id_valid(p->listener, id);
}

/*
 * Everything else comes before the answer: by then the program may end, and with
 * it the trace, and its files may be closed for good, and their mount be gone.
 */
static void answer_kernel(struct pool *p, struct serving *sv)
{
	const struct served_line line = {
		.call = sv->name,
		.pid = sv->call->tid,
		.kernel = sv->why,
		.s = sv->s.in >= 0 && sv->s.out >= 0 ? &sv->s : NULL,
	};

	if (is_valid(p, sv->call->id))
		report_served(p->report, &line);
	serve_drop(sv);
	answer(p, sv->call, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

static void answer_served(struct pool *p, struct serving *sv, ssize_t ret)
{
	struct served_line line = {.call = sv->name, .pid = sv->call->tid, .s = &sv->s, .ret = ret};

	if (!is_valid(p, sv->call->id))
		return;
	line.ret = serve_commit(sv, ret);
	report_served(p->report, &line);
	serve_drop(sv);
	answer(p, sv->call, line.ret, 0);
}

/* With the lock held: the place of a copy, NULL when too many run. */
static struct running *running_take(struct pool *p, const struct serving *sv)
{
	struct running *r = p->running;

	if (p->copies == COPIES_MAX)
		return NULL;
	while (r->used)
		r++;
	*r = (struct running){.used = true,
			      .whole = sv->whole,
			      .id = sv->call->id,
			      .tid = sv->call->tid,
			      .began = now()};
	r->stop = p->ending && !sv->whole;
	if (!p->copies++)
		eventfd_write(p->begun, 1);
	return r;
}

/* Return: false, @w is in the queue. */
static bool copy(struct pool *p, struct serving *sv, struct waiting *w)
{
	struct running *r;
	ssize_t ret;

	pthread_mutex_lock(&p->lock);
	r = running_take(p, sv);
	if (!r)
		queue_put(p, w);
	pthread_mutex_unlock(&p->lock);
	if (!r)
		return false;
	ret = serve_copy(sv, &r->stop);
	pthread_mutex_lock(&p->lock);
	r->used = false;
	p->copies--;
	pthread_mutex_unlock(&p->lock);
	answer_served(p, sv, ret);
	return true;
}

static void handle(struct pool *p, struct waiting *w)
{
	struct serving sv;
	enum verdict verdict = serve_begin(&sv, &w->call, p->o, p->ns);
	bool done = true;

	/* What was learnt is about this call only if its number is still its own. */
	if (is_valid(p, w->call.id)) {
		if (verdict == LEAVE)
			answer_kernel(p, &sv);
		else
			done = copy(p, &sv, w);
	}
	serve_drop(&sv);
	if (done)
		free(w);
}

/* Whoever ends a copy, or finds nothing else to do, sees to those that wait. */
static void handle_queue(struct pool *p)
{
	struct waiting *w;

	do {
		pthread_mutex_lock(&p->lock);
		w = queue_take(p);
		pthread_mutex_unlock(&p->lock);
		if (w)
			handle(p, w);
	} while (w);
}

/* Without memory for it the call is the kernel's. */
static void receive(struct pool *p, struct seccomp_notif *req)
{
	struct waiting *w;
	struct call call;

	memset(req, 0, sizeof(*req));
	if (seccomp_notify_receive(p->listener, req))
		return; /* the program is gone, or was interrupted before we had it */
	call = (struct call){
		.id = req->id, .tid = (pid_t)req->pid, .nr = req->data.nr, .arch = req->data.arch};
	memcpy(call.args, req->data.args, sizeof(call.args));
	w = malloc(sizeof(*w));
	if (!w) {
		answer(p, &call, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
		return;
	}
	w->call = call;
	handle(p, w);
}

/* One worker is woken for a notification, all of them at the end. */
static int wait_open(const struct pool *p)
{
	struct epoll_event calls = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = p->listener},
			   end = {.events = EPOLLIN, .data.fd = p->end};
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -1;
	if (!epoll_ctl(fd, EPOLL_CTL_ADD, p->listener, &calls) &&
	    !epoll_ctl(fd, EPOLL_CTL_ADD, p->end, &end))
		return fd;
	close(fd);
	return -1;
}

static void work(struct pool *p, int wait, struct seccomp_notif *req)
{
	struct epoll_event ev;

	for (;;) {
		if (epoll_wait(wait, &ev, 1, -1) != 1)
			continue;
		if (ev.data.fd == p->end)
			break;
		if (ev.events & EPOLLIN)
			receive(p, req);
		else /* nobody is left who could call */
			epoll_ctl(wait, EPOLL_CTL_DEL, p->listener, NULL);
		handle_queue(p);
	}
	handle_queue(p);
}

static void *worker_main(void *arg)
{
	struct pool *p = arg;
	struct seccomp_notif_resp *unused = NULL;
	struct seccomp_notif *req = NULL;
	int wait = wait_open(p);

	if (wait >= 0 && !seccomp_notify_alloc(&req, &unused))
		work(p, wait, req);
	seccomp_notify_free(req, unused);
	if (wait >= 0)
		close(wait);
	return NULL;
}

struct pool *pool_new(int listener, const struct run_opts *o, struct report *r)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->listener = listener;
	p->o = o;
	p->report = r;
	p->last = &p->first;
	p->ns = cr_ns_new();
	p->begun = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&p->lock, NULL);
	if (p->ns && p->begun >= 0 && p->end >= 0)
		while (p->n < WORKERS && !pthread_create(&p->worker[p->n], NULL, worker_main, p))
			p->n++;
	/* One that copies must leave one that looks. */
	if (p->n < 2) {
		pool_free(p);
		return NULL;
	}
	return p;
}

int pool_fd(const struct pool *p)
{
	return p->begun;
}

static bool should_stop(const struct pool *p, const struct running *r, uint64_t time)
{
	if (!is_valid(p, r->id))
		return true;
	if (r->whole)
		return false;
	return (p->first && time - r->began >= SLICE) || target_is_signalled(r->tid);
}

int pool_look(struct pool *p)
{
	uint64_t time = now();
	eventfd_t none;
	bool busy;

	eventfd_read(p->begun, &none);
	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < COPIES_MAX; i++) {
		struct running *r = &p->running[i];

		if (r->used && time - r->began >= LOOK && should_stop(p, r, time))
			__atomic_store_n(&r->stop, 1, __ATOMIC_RELAXED);
	}
	busy = p->copies || p->first;
	pthread_mutex_unlock(&p->lock);
	return busy ? LOOK : -1;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->ending = true;
	for (unsigned i = 0; i < COPIES_MAX; i++)
		if (!p->running[i].whole)
			__atomic_store_n(&p->running[i].stop, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&p->lock);
	eventfd_write(p->end, 1);
	while (pool_look(p) >= 0) /* clones go on as long as their programs do */
		nanosleep(&(struct timespec){.tv_nsec = LOOK * 1000000L}, NULL);
	while (p->n)
		pthread_join(p->worker[--p->n], NULL);
	cr_ns_free(p->ns);
	if (p->begun >= 0)
		close(p->begun);
	if (p->end >= 0)
		close(p->end);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
