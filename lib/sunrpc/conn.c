// SPDX-License-Identifier: GPL-2.0-or-later
/* conn.c - a connection: its life, and when it is read from and written to. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/sunrpc/conn.h"

#define TICK_MS 250

static void conn_ready(struct ev_fd *ev, uint32_t events);
static void conn_work(struct ev_work *work);
static void conn_tick(struct ev_timer *timer);

#define conn_of(ptr, member) ((struct rpc_conn *)((char *)(ptr)-offsetof(struct rpc_conn, member)))

static void set_defaults(struct rpc_options *opt)
{
	if (!opt->record_max)
		opt->record_max = (1u << 20) + (64u << 10);
	if (!opt->calls_max)
		opt->calls_max = 256;
	if (!opt->out_max)
		opt->out_max = 8u << 20;
	if (!opt->stall_ms)
		opt->stall_ms = 60000;
}

static void socket_options(int fd)
{
	int one = 1;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

struct rpc_conn *conn_alloc(struct ev_loop *loop, int fd, const struct rpc_options *opt)
{
	struct rpc_conn *conn = calloc(1, sizeof(*conn));
	uint32_t seed = 0;

	if (!conn) {
		close(fd);
		return NULL;
	}
	atomic_init(&conn->refs, 2); /* the caller's, and one until it is closed */
	conn->loop = loop;
	conn->opt = *opt;
	set_defaults(&conn->opt);
	conn->ev = (struct ev_fd){.fd = fd, .ready = conn_ready, .events = EPOLLIN};
	conn->work.run = conn_work;
	conn->tick.fire = conn_tick;
	conn->out_tail = &conn->out;
	pthread_mutex_init(&conn->out_lock, NULL);
	pthread_mutex_init(&conn->pending_lock, NULL);
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed = (uint32_t)ev_now();
	atomic_init(&conn->next_xid, seed);
	conn->last_in = conn->out_moved = ev_now();
	socket_options(fd);
	return conn;
}

struct rpc_conn *rpc_conn_new(struct ev_loop *loop, int fd, const struct rpc_options *opt)
{
	struct rpc_conn *conn = conn_alloc(loop, fd, opt);

	if (conn)
		conn_kick(conn);
	return conn;
}

static int bind_reserved(int fd, sa_family_t family)
{
	int err = -EADDRINUSE;

	for (uint16_t port = 1023; port >= 665 && err == -EADDRINUSE; port--) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
		const struct sockaddr *sa =
			family == AF_INET6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in;

		err = bind(fd, sa, rpc_addr_len(sa)) < 0 ? -errno : 0;
	}
	return err;
}

int rpc_connect(struct ev_loop *loop, const struct sockaddr *addr, bool reserved,
		const struct rpc_options *opt, struct rpc_conn **connp)
{
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;
	struct rpc_conn *conn;

	*connp = NULL;
	if (fd < 0)
		return -errno;
	if (reserved)
		bind_reserved(fd, addr->sa_family); /* or from any port: the server decides */
	if (connect(fd, addr, rpc_addr_len(addr)) < 0 && errno != EINPROGRESS) {
		err = -errno;
		close(fd);
		return err;
	}
	conn = conn_alloc(loop, fd, opt);
	if (!conn)
		return -ENOMEM;
	conn->connecting = true;
	conn->ev.events = EPOLLOUT;
	*connp = conn;
	conn_kick(conn);
	return 0;
}

void conn_kick(struct rpc_conn *conn)
{
	/* The work is one more reference while it is queued. */
	rpc_conn_get(conn);
	if (!ev_post(conn->loop, &conn->work))
		rpc_conn_put(conn);
}

void rpc_conn_close(struct rpc_conn *conn)
{
	pthread_mutex_lock(&conn->out_lock);
	conn->closing = true;
	pthread_mutex_unlock(&conn->out_lock);
	conn_kick(conn);
}

void rpc_conn_idle(struct rpc_conn *conn, uint32_t idle_ms)
{
	conn->opt.idle_ms = idle_ms;
}

/* Ends the connection: no event comes after this, only the owners' references are left. */
void conn_fail(struct rpc_conn *conn, int err)
{
	int fd;

	if (conn->gone)
		return;
	conn->gone = true;
	if (conn->attached)
		ev_del(conn->loop, &conn->ev);
	ev_timer_cancel(conn->loop, &conn->tick);
	pthread_mutex_lock(&conn->out_lock);
	conn->shut = true;
	fd = conn->ev.fd;
	conn->ev.fd = -1;
	conn_drop_output(conn);
	pthread_mutex_unlock(&conn->out_lock);
	close(fd);
	conn_drop_input(conn);
	client_closed(conn, err ? err : -ECONNRESET);
	if (conn->opt.closed)
		conn->opt.closed(conn->opt.ctx, conn, err);
	if (conn->listener)
		listener_conn_gone(conn);
	rpc_conn_put(conn);
}

/* What epoll should wait for now.  Loop's thread. */
static void want_events(struct rpc_conn *conn)
{
	uint32_t events = 0;
	bool full;

	if (conn->gone)
		return;
	pthread_mutex_lock(&conn->out_lock);
	full = conn->out_bytes > conn->opt.out_max;
	if (conn->out || conn->connecting)
		events |= EPOLLOUT;
	pthread_mutex_unlock(&conn->out_lock);
	conn->paused = full || atomic_load(&conn->calls) >= conn->opt.calls_max;
	if (!conn->paused && !conn->connecting)
		events |= EPOLLIN;
	ev_change(conn->loop, &conn->ev, events);
}

/* The outcome of connect(2). */
static int connected(struct rpc_conn *conn)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(conn->ev.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return -errno;
	if (!err)
		conn->connecting = false;
	conn->last_in = ev_now();
	return -err;
}

static void conn_writable(struct rpc_conn *conn)
{
	int err = conn->connecting ? connected(conn) : 0;

	if (!err) {
		pthread_mutex_lock(&conn->out_lock);
		err = conn_flush(conn);
		pthread_mutex_unlock(&conn->out_lock);
	}
	if (err)
		conn_fail(conn, err);
}

/* After anything that may have ended a pause: what it left in the scratch goes on. */
static void settle(struct rpc_conn *conn)
{
	bool paused = conn->paused;

	want_events(conn);
	if (conn->gone || !paused || conn->paused)
		return;
	conn_readable(conn);
	want_events(conn);
}

static void conn_ready(struct ev_fd *ev, uint32_t events)
{
	struct rpc_conn *conn = conn_of(ev, ev);

	rpc_conn_get(conn);
	if (conn->connecting || (events & EPOLLOUT))
		conn_writable(conn);
	if (!conn->gone && !conn->paused && !conn->connecting &&
	    (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		conn_readable(conn);
	else if (!conn->gone && (events & (EPOLLHUP | EPOLLERR)))
		conn_fail(conn, -ECONNRESET); /* paused: nobody is there to take a reply */
	settle(conn);
	rpc_conn_put(conn);
}

static int conn_attach(struct rpc_conn *conn)
{
	int err = ev_add(conn->loop, &conn->ev);

	if (err)
		return err;
	conn->attached = true;
	return ev_timer_set(conn->loop, &conn->tick, TICK_MS);
}

static void look_again(struct rpc_conn *conn)
{
	bool closing;
	int err = 0;

	if (!conn->attached)
		err = conn_attach(conn);
	pthread_mutex_lock(&conn->out_lock);
	closing = conn->closing;
	if (!err)
		err = conn->why;
	pthread_mutex_unlock(&conn->out_lock);
	if (err || closing)
		conn_fail(conn, err ? err : -ECONNABORTED);
	else
		settle(conn);
}

/* Posted by other threads: there is something to send, to close, or to read again. */
static void conn_work(struct ev_work *work)
{
	struct rpc_conn *conn = conn_of(work, work);

	if (!conn->gone)
		look_again(conn);
	rpc_conn_put(conn);
}

static void conn_tick(struct ev_timer *timer)
{
	struct rpc_conn *conn = conn_of(timer, tick);
	uint64_t now = ev_now(), moved;
	uint64_t stall = conn->opt.stall_ms;
	bool half = conn->rec || conn->mark_len, waiting, soon, idle;

	rpc_conn_get(conn);
	soon = client_tick(conn, now);
	pthread_mutex_lock(&conn->out_lock);
	waiting = conn->out != NULL;
	moved = conn->out_moved;
	pthread_mutex_unlock(&conn->out_lock);
	idle = conn->opt.idle_ms && !atomic_load(&conn->calls) &&
	       now > conn->last_in + conn->opt.idle_ms;
	if (idle || (waiting && now > moved + stall) ||
	    (half && !conn->paused && now > conn->last_in + stall))
		conn_fail(conn, -ETIMEDOUT);
	if (!conn->gone)
		ev_timer_set(conn->loop, timer, soon || waiting ? TICK_MS : 4ul * TICK_MS);
	rpc_conn_put(conn);
}

static void address(struct rpc_conn *conn, struct sockaddr_storage *addr,
		    int (*ask)(int, struct sockaddr *, socklen_t *))
{
	socklen_t len = sizeof(*addr);

	memset(addr, 0, sizeof(*addr));
	pthread_mutex_lock(&conn->out_lock); /* the descriptor is not another one's meanwhile */
	if (ask(conn->ev.fd, (struct sockaddr *)addr, &len) < 0)
		addr->ss_family = AF_UNSPEC;
	pthread_mutex_unlock(&conn->out_lock);
}

static int ask_peer(int fd, struct sockaddr *sa, socklen_t *len)
{
	return getpeername(fd, sa, len);
}

static int ask_local(int fd, struct sockaddr *sa, socklen_t *len)
{
	return getsockname(fd, sa, len);
}

/* Asked for with each call: the system is asked once. */
void rpc_conn_peer(struct rpc_conn *conn, struct sockaddr_storage *addr)
{
	bool known;

	pthread_mutex_lock(&conn->out_lock);
	*addr = conn->peer;
	known = addr->ss_family != AF_UNSPEC;
	pthread_mutex_unlock(&conn->out_lock);
	if (known)
		return;
	address(conn, addr, ask_peer);
	pthread_mutex_lock(&conn->out_lock);
	conn->peer = *addr;
	pthread_mutex_unlock(&conn->out_lock);
}

void rpc_conn_local(struct rpc_conn *conn, struct sockaddr_storage *addr)
{
	address(conn, addr, ask_local);
}

void rpc_conn_set_user(struct rpc_conn *conn, void *user)
{
	conn->user = user;
}

void *rpc_conn_user(const struct rpc_conn *conn)
{
	return conn->user;
}
