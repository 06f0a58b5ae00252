// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * session.c - calls through contexts of libnfs, which are for one thread each.
 *
 * The library is loaded at the first session and not linked: its functions have the
 * names that those of fs/nfs have too, and a program that is linked with it would have
 * it call them.  What a broken connection has not answered libnfs sends again by
 * itself; a call that stays without an answer for the URL's timeout fails.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "fs/libnfs/ln.h"
#include "lib/thread.h"

#define LIBRARY	   "libnfs.so.13"
#define TICK_MS	   100
#define CONTACT_MS 15000 /* for the answer of a server that has not been heard yet */
#define GRACE_MS   2000u /* after the stop flag, for what has to be tidied up */

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int load(struct ln_lib *lib)
{
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		return -ELIBACC;
#define LOOK_UP(name)                                                                              \
	*(void **)&lib->name = dlsym(handle, #name);                                               \
	if (!lib->name)                                                                            \
		return -ELIBBAD;
	LN_CALLS(LOOK_UP)
#undef LOOK_UP
	return 0;
}

void ln_finish(struct ln_call *call, int status)
{
	struct ln_session *s = call->s;

	s->running--;
	pthread_mutex_lock(&s->lock);
	call->status = status;
	call->done = true;
	pthread_cond_signal(&call->cond);
	pthread_mutex_unlock(&s->lock);
}

/*
 * libnfs says EINTR for its timeout, EFAULT for whatever is wrong with the connection, and
 * ERANGE for what a server says that it does not know.
 */
static int status_errno(int status)
{
	switch (status) {
	case -EINTR:
		return -ETIMEDOUT;
	case -EFAULT:
		return -ENOTCONN;
	case -ERANGE:
		return -EREMOTEIO;
	default:
		return status < -4095 ? -EREMOTEIO : status;
	}
}

void ln_answer(int status, struct nfs_context *ctx, void *data, void *arg)
{
	struct ln_call *call = arg;

	call->status = status_errno(status);
	if (call->status >= 0 && call->take)
		call->take(call, data);
	ln_finish(call, call->status);
}

static struct ln_call *take_all(struct ln_session *s, bool *ending)
{
	struct ln_call *call;

	pthread_mutex_lock(&s->lock);
	call = s->queue;
	s->queue = NULL;
	s->queue_end = &s->queue;
	*ending = s->ending;
	pthread_mutex_unlock(&s->lock);
	return call;
}

static void begin_all(struct ln_session *s, struct ln_call *call)
{
	for (struct ln_call *next; call; call = next) {
		next = call->next;
		s->running++;
		if (call->start(s, call))
			ln_finish(call, -ENOTCONN);
	}
}

static int serve(struct ln_session *s)
{
	struct pollfd fds[2] = {
		{.fd = s->lib.nfs_get_fd(s->ctx), .events = (short)s->lib.nfs_which_events(s->ctx)},
		{.fd = s->bell, .events = POLLIN},
	};
	const struct timespec pause = {.tv_nsec = TICK_MS * 1000000L};
	uint64_t rings;

	if (poll(fds, 2, TICK_MS) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[1].revents && read(s->bell, &rings, sizeof(rings)) < 0 && errno != EAGAIN)
		return -errno;
	/* It connects again at once, and would do nothing else while nobody is there. */
	if (fds[0].revents & (POLLERR | POLLHUP))
		nanosleep(&pause, NULL);
	return s->lib.nfs_service(s->ctx, fds[0].revents) < 0 ? -ENOTCONN : 0;
}

/* The stop flag is set, and what tidies up had its time. */
static bool gives_up(struct ln_session *s)
{
	if (!s->stop || !__atomic_load_n(s->stop, __ATOMIC_RELAXED))
		return false;
	if (!s->stopped_at)
		s->stopped_at = now_ms();
	return s->running && now_ms() > s->stopped_at + GRACE_MS;
}

/* With the context end all calls that it has: whose memory it may use until then. */
static void end_context(struct ln_session *s, int err)
{
	bool ending;

	pthread_mutex_lock(&s->lock);
	s->dead = err;
	pthread_mutex_unlock(&s->lock);
	s->lib.nfs_destroy_context(s->ctx);
	for (struct ln_call *call = take_all(s, &ending), *next; call; call = next) {
		next = call->next;
		s->running++;
		ln_finish(call, err);
	}
}

static void *session_thread(void *arg)
{
	struct ln_session *s = arg;
	bool ending = false;
	int err = 0;

	while (!ending && !err) {
		begin_all(s, take_all(s, &ending));
		if (!ending)
			err = serve(s);
		if (!err && gives_up(s))
			err = -EINTR;
	}
	end_context(s, err ? err : -ENOTCONN);
	return NULL;
}

/* ln_do - the call, to its end; its status */
int ln_do(struct ln_session *s, struct ln_call *call)
{
	uint64_t one = 1;

	call->s = s;
	call->next = NULL;
	call->done = false;
	pthread_cond_init(&call->cond, NULL);
	pthread_mutex_lock(&s->lock);
	if (s->dead) {
		call->status = s->dead;
		call->done = true;
	} else {
		*s->queue_end = call;
		s->queue_end = &call->next;
		if (write(s->bell, &one, sizeof(one)) < 0)
			(void)0; /* it is full: it has been rung */
	}
	while (!call->done)
		pthread_cond_wait(&call->cond, &s->lock);
	pthread_mutex_unlock(&s->lock);
	pthread_cond_destroy(&call->cond);
	return call->status;
}

bool ln_session_alive(struct ln_session *s)
{
	bool alive;

	pthread_mutex_lock(&s->lock);
	alive = !s->dead;
	pthread_mutex_unlock(&s->lock);
	return alive;
}

/* Ports and the version can be set by a URL alone. */
static int set_up(struct ln_session *s)
{
	const struct ln_place *p = &s->place;
	struct nfs_url *parsed;
	char url[256];
	int len;

	s->ctx = s->lib.nfs_init_context();
	if (!s->ctx)
		return -ENOMEM;
	len = snprintf(url, sizeof(url),
		       "nfs://%s/?version=%u&dircache=0&auto-traverse-mounts=0&autoreconnect=-1",
		       "server", p->version);
	if (p->port)
		len += snprintf(url + len, sizeof(url) - (size_t)len, "&nfsport=%u", p->port);
	if (p->mountport)
		snprintf(url + len, sizeof(url) - (size_t)len, "&mountport=%u", p->mountport);
	parsed = s->lib.nfs_parse_url_incomplete(s->ctx, url);
	if (!parsed)
		return -EINVAL;
	s->lib.nfs_destroy_url(parsed);
	s->lib.nfs_set_auth(s->ctx,
			    s->lib.libnfs_authunix_create("copy_range", p->uid, p->gid, p->ngroups,
							  (uint32_t *)p->group));
	return 0;
}

/* Why there is no mount: where it is no errno of the server's, libnfs has words. */
static int mount_error(struct ln_session *s, int err)
{
	static const struct {
		const char *words;
		int err;
	} rows[] = {
		{"refused", -ECONNREFUSED},	      {"unreachable", -EHOSTUNREACH},
		{"No route", -EHOSTUNREACH},	      {"timed out", -ETIMEDOUT},
		{"Failed to connect", -ECONNREFUSED},
	};
	const char *text = s->lib.nfs_get_error(s->ctx);

	if (err != -EFAULT && err != -EINTR && err != -EIO)
		return err;
	for (unsigned i = 0; text && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcasestr(text, rows[i].words))
			return rows[i].err;
	return err == -EINTR ? -ETIMEDOUT : -EPROTONOSUPPORT;
}

static int mount_root(struct ln_session *s)
{
	int ms = (int)s->place.timeout * 1000, err = set_up(s);

	if (err)
		return err;
	s->lib.nfs_set_timeout(s->ctx, ms < CONTACT_MS ? ms : CONTACT_MS);
	err = s->lib.nfs_mount(s->ctx, s->place.address, s->root);
	if (err)
		return mount_error(s, err);
	s->lib.nfs_set_timeout(s->ctx, ms);
	s->rsize = s->wsize = LN_IO;
	if (s->place.version == 4) {
		s->wsize = LN_IO_V4;
	} else {
		uint64_t r = s->lib.nfs_get_readmax(s->ctx), w = s->lib.nfs_get_writemax(s->ctx);

		if (r && r < s->rsize)
			s->rsize = (uint32_t)r;
		if (w && w < s->wsize)
			s->wsize = (uint32_t)w;
	}
	return 0;
}

static void session_free(struct ln_session *s)
{
	/* The library stays: another session will need it, and unloading is at its mercy. */
	if (s->bell >= 0)
		close(s->bell);
	pthread_rwlock_destroy(&s->names);
	pthread_cond_destroy(&s->moved);
	pthread_mutex_destroy(&s->turn);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/**
 * ln_session_open - mount @root of a server
 * Return: 0; -ELIBACC: libnfs is not installed; what the server or the network says.
 */
int ln_session_open(const struct ln_place *place, const char *root, const int *stop,
		    struct ln_session **sp)
{
	struct ln_session *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->place = *place;
	s->stop = stop;
	s->queue_end = &s->queue;
	snprintf(s->root, sizeof(s->root), "%s", root);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->turn, NULL);
	rwlock_init(&s->names);
	pthread_cond_init(&s->moved, NULL);
	s->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = s->bell < 0 ? -errno : load(&s->lib);
	if (!err)
		err = mount_root(s);
	if (!err)
		err = thread_start(&s->thread, session_thread, s);
	if (err) {
		if (s->ctx)
			s->lib.nfs_destroy_context(s->ctx);
		session_free(s);
	} else {
		*sp = s;
	}
	return err;
}

/* With no call under way. */
void ln_session_close(struct ln_session *s)
{
	uint64_t one = 1;

	pthread_mutex_lock(&s->lock);
	s->ending = true;
	pthread_mutex_unlock(&s->lock);
	if (write(s->bell, &one, sizeof(one)) < 0)
		(void)0;
	pthread_join(s->thread, NULL);
	session_free(s);
}
