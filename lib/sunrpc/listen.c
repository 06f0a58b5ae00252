// SPDX-License-Identifier: GPL-2.0-or-later
/* listen.c - a listening socket and the connections it accepted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/sunrpc/conn.h"

#define ACCEPTS_AT_ONCE 16
#define NO_ROOM_MS	200 /* without descriptors: until accept(2) is tried again */

struct rpc_listener {
	struct ev_fd ev;
	struct ev_timer retry;
	struct ev_loop *const *loops;
	unsigned nloops, turn;
	struct rpc_options opt;

	pthread_mutex_t lock; /* of the list */
	struct rpc_conn *conns;
	unsigned nconns;
};

#define listener_of(ptr, member)                                                                   \
	((struct rpc_listener *)((char *)(ptr)-offsetof(struct rpc_listener, member)))

int rpc_socket(const struct sockaddr *addr)
{
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, zero = 0, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, addr, rpc_addr_len(addr)) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

void listener_conn_gone(struct rpc_conn *conn)
{
	struct rpc_listener *l = conn->listener;

	pthread_mutex_lock(&l->lock);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		l->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	l->nconns--;
	pthread_mutex_unlock(&l->lock);
}

static void enlist(struct rpc_listener *l, struct rpc_conn *conn)
{
	conn->listener = l;
	pthread_mutex_lock(&l->lock);
	conn->next = l->conns;
	if (conn->next)
		conn->next->prev = conn;
	l->conns = conn;
	l->nconns++;
	pthread_mutex_unlock(&l->lock);
}

static void take_one(struct rpc_listener *l, int fd)
{
	struct ev_loop *loop = l->loops[l->turn++ % l->nloops];
	struct rpc_conn *conn;
	bool full;

	pthread_mutex_lock(&l->lock);
	full = l->nconns >= l->opt.conns_max;
	pthread_mutex_unlock(&l->lock);
	if (full) {
		close(fd);
		return;
	}
	conn = conn_alloc(loop, fd, &l->opt);
	if (!conn)
		return;
	enlist(l, conn);
	if (!l->opt.accepted) {
		conn_kick(conn);
		rpc_conn_put(conn);
		return;
	}
	rpc_conn_get(conn);
	if (l->opt.accepted(l->opt.ctx, conn))
		conn_kick(conn);
	else
		rpc_conn_close(conn);
	rpc_conn_put(conn);
}

static void acceptable(struct ev_fd *ev, uint32_t events)
{
	struct rpc_listener *l = listener_of(ev, ev);

	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(ev->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			take_one(l, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			ev_change(l->loops[0], ev, 0);
			ev_timer_set(l->loops[0], &l->retry, NO_ROOM_MS);
		}
		return;
	}
}

static void retry(struct ev_timer *timer)
{
	struct rpc_listener *l = listener_of(timer, retry);

	ev_change(l->loops[0], &l->ev, EPOLLIN);
}

struct rpc_listener *rpc_listen(struct ev_loop *const *loops, unsigned nloops, int fd,
				const struct rpc_options *opt)
{
	struct rpc_listener *l = calloc(1, sizeof(*l));

	if (!l) {
		close(fd);
		return NULL;
	}
	pthread_mutex_init(&l->lock, NULL);
	l->ev = (struct ev_fd){.fd = fd, .ready = acceptable, .events = EPOLLIN};
	l->retry.fire = retry;
	l->loops = loops;
	l->nloops = nloops;
	l->opt = *opt;
	if (!l->opt.conns_max)
		l->opt.conns_max = 1024;
	if (!ev_add(loops[0], &l->ev))
		return l;
	pthread_mutex_destroy(&l->lock);
	close(fd);
	free(l);
	return NULL;
}

void rpc_listener_free(struct rpc_listener *l)
{
	struct rpc_conn *conn;

	if (!l)
		return;
	while ((conn = l->conns))
		conn_fail(conn, -ECONNABORTED);
	ev_del(l->loops[0], &l->ev);
	ev_timer_cancel(l->loops[0], &l->retry);
	close(l->ev.fd);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
