// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libiscsi.c - commands through sessions of libiscsi.
 *
 * A context of libiscsi 1.19 is for one thread, so each session has one: others queue their
 * commands and ring.  Libiscsi never connects again by itself, because it would send commands
 * once more to units that nobody has looked at.  The thread does it: it answers what was under
 * way with -ECONNRESET and logs in again by the same name and ISID, which ends in the target
 * what is left of the old session; see struct scsi_transport.
 *
 * The library is loaded at the first session: it brings others (RDMA) that a copy between
 * files should not wait for, nor a program in which libocp-preload.so is.
 */
#include <dlfcn.h>
#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "initiator.h"
#include "lib/thread.h"
#include "scsi/proto/scsi.h"

#define LIBRARY		"libiscsi.so.7"
#define CONNECT_TIMEOUT 30  /* seconds, of the first login */
#define RETURN_TIMEOUT	3   /* of one that takes the place of a lost session */
#define RETURN_MS	100 /* between two of these */
#define SILENT_S	15  /* without a sign of the other machine the connection is lost */
#define SYN_MAX		3
#define TICK_MS		1000

#define CALLS(X)                                                                                   \
	X(iscsi_create_context)                                                                    \
	X(iscsi_destroy_context)                                                                   \
	X(iscsi_set_session_type)                                                                  \
	X(iscsi_set_header_digest)                                                                 \
	X(iscsi_set_targetname)                                                                    \
	X(iscsi_set_initiator_username_pwd)                                                        \
	X(iscsi_set_tcp_keepalive)                                                                 \
	X(iscsi_set_tcp_syncnt)                                                                    \
	X(iscsi_set_tcp_user_timeout)                                                              \
	X(iscsi_set_target_username_pwd)                                                           \
	X(iscsi_set_timeout)                                                                       \
	X(iscsi_set_isid_random)                                                                   \
	X(iscsi_set_noautoreconnect)                                                               \
	X(iscsi_connect_sync)                                                                      \
	X(iscsi_login_sync)                                                                        \
	X(iscsi_logout_sync)                                                                       \
	X(iscsi_disconnect)                                                                        \
	X(iscsi_get_error)                                                                         \
	X(iscsi_get_fd)                                                                            \
	X(iscsi_which_events)                                                                      \
	X(iscsi_service)                                                                           \
	X(iscsi_scsi_command_async)                                                                \
	X(iscsi_scsi_cancel_all_tasks)                                                             \
	X(scsi_create_task)                                                                        \
	X(scsi_free_scsi_task)                                                                     \
	X(scsi_task_set_iov_in)

struct calls {
#define CALL(name) __typeof__ (&(name))(name);
	CALLS(CALL)
#undef CALL
};

struct iscsi_session {
	struct calls lib;
	void *handle;
	struct iscsi_context *ctx;
	struct iscsi_place place;
	uint32_t isid; /* the same in all sessions that follow each other */
	const int *stop;
	pthread_t thread;
	int bell;
	unsigned number; /* by __atomic: of the session, 0 is the first */

	pthread_mutex_t lock; /* of what follows */
	struct scsi_cmd *queue, **queue_end;
	bool ending;
	int dead; /* why there is no session any more */

	/* The thread's own */
	struct sent *sent;
	bool stuck; /* a command was not answered in time */
};

/* A command that libiscsi has. */
struct sent {
	struct sent *next; /* of session->sent */
	struct iscsi_session *session;
	struct scsi_cmd *cmd;
	struct scsi_task *task;
	struct scsi_iovec iov;
	struct iscsi_data data;
};

static int load(struct iscsi_session *s)
{
	s->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!s->handle)
		return -ELIBACC;
#define LOOK_UP(name)                                                                              \
	*(void **)&s->lib.name = dlsym(s->handle, #name);                                          \
	if (!s->lib.name)                                                                          \
		return -ELIBBAD;
	CALLS(LOOK_UP)
#undef LOOK_UP
	return 0;
}

static void answered(struct scsi_cmd *cmd, int err)
{
	cmd->err = err;
	cmd->done(cmd);
}

/* Sense data come behind two bytes of their length; libiscsi keeps them as data. */
static void take_sense(struct scsi_cmd *cmd, const struct scsi_task *task)
{
	if (task->datain.data && task->datain.size > 2)
		cmd->sensed = !sense_decode(&cmd->sense, task->datain.data + 2,
					    (size_t)task->datain.size - 2);
	if (!cmd->sensed && task->sense.key) {
		cmd->sense = (struct sense){.key = (uint8_t)task->sense.key,
					    .asc = (uint16_t)task->sense.ascq};
		cmd->sensed = true;
	}
}

static int status_errno(int status)
{
	switch (status) {
	case SCSI_STATUS_TIMEOUT:
	case SCSI_STATUS_CANCELLED:
	case SCSI_STATUS_ERROR:
		return -ECONNRESET;
	default:
		return status < 0 || status > 0xff ? -EIO : 0;
	}
}

static void sent_add(struct iscsi_session *s, struct sent *sent)
{
	sent->next = s->sent;
	s->sent = sent;
}

static void sent_remove(struct iscsi_session *s, const struct sent *sent)
{
	struct sent **at = &s->sent;

	while (*at != sent)
		at = &(*at)->next;
	*at = sent->next;
}

/* Nothing more is heard of it; it is out of the list. */
static void sent_end(struct sent *sent, int err)
{
	struct scsi_cmd *cmd = sent->cmd;

	sent->session->lib.scsi_free_scsi_task(sent->task);
	free(sent);
	answered(cmd, err);
}

static void on_answer(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct sent *sent = arg;
	struct scsi_cmd *cmd = sent->cmd;
	struct iscsi_session *s = sent->session;
	struct scsi_task *task = sent->task;
	int err = status_errno(status);

	/* The target may be about to do it: only the end of the session ends that. */
	if (status == SCSI_STATUS_TIMEOUT)
		s->stuck = true;
	if (!err) {
		cmd->status = (uint8_t)status;
		cmd->got = cmd->in ? cmd->len : 0;
		if (task->residual_status == SCSI_RESIDUAL_UNDERFLOW)
			cmd->got =
				task->residual < cmd->got ? cmd->got - (uint32_t)task->residual : 0;
		if (status == SCSI_STATUS_CHECK_CONDITION) {
			cmd->got = 0;
			take_sense(cmd, task);
		}
	}
	sent_remove(s, sent);
	sent_end(sent, err);
}

static void send_one(struct iscsi_session *s, struct scsi_cmd *cmd)
{
	struct sent *sent;
	int dir = cmd->out ? SCSI_XFER_WRITE : cmd->in ? SCSI_XFER_READ : SCSI_XFER_NONE;
	unsigned size = scsi_cdb_size(cmd->cdb[0]);
	struct scsi_task *task = NULL;

	if (__atomic_load_n(&cmd->lu->session, __ATOMIC_SEQ_CST) != s->number) {
		answered(cmd, -ECONNRESET);
		return;
	}
	sent = calloc(1, sizeof(*sent));
	if (sent)
		task = s->lib.scsi_create_task((int)(size ? size : CDB_MAX), cmd->cdb, dir,
					       (int)cmd->len);
	if (!task) {
		free(sent);
		answered(cmd, -ENOMEM);
		return;
	}
	*sent = (struct sent){.session = s,
			      .cmd = cmd,
			      .task = task,
			      .iov = {cmd->in, cmd->len},
			      .data = {.size = cmd->len, .data = (unsigned char *)cmd->out}};
	if (cmd->in)
		s->lib.scsi_task_set_iov_in(task, &sent->iov, 1);
	sent_add(s, sent);
	s->lib.iscsi_set_timeout(s->ctx, (int)cmd->timeout);
	if (s->lib.iscsi_scsi_command_async(s->ctx, (int)cmd->lu->lun, task, on_answer,
					    cmd->out ? &sent->data : NULL, sent)) {
		sent_remove(s, sent);
		sent_end(sent, -ECONNRESET);
	}
}

static struct scsi_cmd *take_all(struct iscsi_session *s, bool *ending)
{
	struct scsi_cmd *cmd;

	pthread_mutex_lock(&s->lock);
	cmd = s->queue;
	s->queue = NULL;
	s->queue_end = &s->queue;
	*ending = s->ending;
	pthread_mutex_unlock(&s->lock);
	return cmd;
}

static int serve(struct iscsi_session *s)
{
	struct pollfd fds[2] = {
		{.fd = s->lib.iscsi_get_fd(s->ctx),
		 .events = (short)s->lib.iscsi_which_events(s->ctx)},
		{.fd = s->bell, .events = POLLIN},
	};
	uint64_t rings;

	if (fds[0].fd < 0) /* it has ended the connection */
		return -ENOTCONN;
	if (poll(fds, 2, TICK_MS) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[1].revents && read(s->bell, &rings, sizeof(rings)) < 0 && errno != EAGAIN)
		return -errno;
	return s->lib.iscsi_service(s->ctx, fds[0].revents) < 0 ? -ENOTCONN : 0;
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* libiscsi tells why only in words, which end with a number: of errno, or class and detail. */
static int reason(struct iscsi_session *s, int otherwise)
{
	const char *text = s->lib.iscsi_get_error(s->ctx), *at = text ? strrchr(text, '(') : NULL;
	long n = at ? strtol(at + 1, NULL, 10) : 0;

	/* The target's own proof was wrong, or missing. */
	if (text && strstr(text, "CHAP"))
		return -EACCES;
	switch (n) {
	case 0x201:
	case 0x202:
		return -EACCES;
	case 0x203:
		return -ENOENT;
	default:
		return n > 0 && n < 0x85 ? -(int)n : otherwise;
	}
}

static int log_in(struct iscsi_session *s, int timeout)
{
	const struct iscsi_place *place = &s->place;
	time_t began = now();
	char name[64];

	snprintf(name, sizeof(name), "iqn.2026-11.org.copy-range:%ld-%d", gethostid() & 0xffffffff,
		 (int)getpid());
	s->ctx = s->lib.iscsi_create_context(name);
	if (!s->ctx)
		return -ENOMEM;
	s->lib.iscsi_set_noautoreconnect(s->ctx, 1);
	s->lib.iscsi_set_isid_random(s->ctx, s->isid, 0);
	s->lib.iscsi_set_session_type(s->ctx, ISCSI_SESSION_NORMAL);
	s->lib.iscsi_set_header_digest(s->ctx, ISCSI_HEADER_DIGEST_NONE_CRC32C);
	s->lib.iscsi_set_timeout(s->ctx, timeout);
	s->lib.iscsi_set_tcp_syncnt(s->ctx, SYN_MAX);
	s->lib.iscsi_set_tcp_user_timeout(s->ctx, SILENT_S * 1000);
	if (s->lib.iscsi_set_targetname(s->ctx, place->target))
		return -EINVAL;
	if (place->user[0] &&
	    s->lib.iscsi_set_initiator_username_pwd(s->ctx, place->user, place->password))
		return -EINVAL;
	if (place->peer[0] &&
	    s->lib.iscsi_set_target_username_pwd(s->ctx, place->peer, place->peer_password))
		return -EINVAL;
	/* Often it does not tell why; but who refuses does so at once. */
	if (s->lib.iscsi_connect_sync(s->ctx, place->portal))
		return reason(s, now() - began < SILENT_S / 3 ? -ECONNREFUSED : -ETIMEDOUT);
	s->lib.iscsi_set_tcp_keepalive(s->ctx, SILENT_S / 3, 3, SILENT_S / 3);
	if (s->lib.iscsi_login_sync(s->ctx))
		return reason(s, -ECONNABORTED);
	return 0;
}

/* What was under way, which nobody knows to be done or not. */
static void lose(struct iscsi_session *s)
{
	s->lib.iscsi_scsi_cancel_all_tasks(s->ctx);
	s->lib.iscsi_destroy_context(s->ctx);
	s->ctx = NULL;
	s->stuck = false;
	/* What was about to be sent. */
	for (struct sent *sent = s->sent, *next; sent; sent = next) {
		next = sent->next;
		s->sent = next;
		sent_end(sent, -ECONNRESET);
	}
}

static void give_up(struct iscsi_session *s, int err)
{
	bool ending;

	pthread_mutex_lock(&s->lock);
	s->dead = err;
	pthread_mutex_unlock(&s->lock);
	for (struct scsi_cmd *cmd = take_all(s, &ending), *next; cmd; cmd = next) {
		next = cmd->next;
		answered(cmd, err);
	}
}

/* Whether nobody waits for the session any more. */
static int unwanted(struct iscsi_session *s)
{
	bool ending;

	pthread_mutex_lock(&s->lock);
	ending = s->ending;
	pthread_mutex_unlock(&s->lock);
	if (ending || (s->stop && __atomic_load_n(s->stop, __ATOMIC_RELAXED)))
		return -EINTR;
	return 0;
}

/* Another session in the place of the lost one: 0, or why there is none. */
static int come_back(struct iscsi_session *s)
{
	time_t end = now() + (time_t)s->place.timeout;
	int err, over;

	lose(s);
	do {
		err = log_in(s, RETURN_TIMEOUT);
		if (!err) {
			__atomic_fetch_add(&s->number, 1, __ATOMIC_SEQ_CST);
			return 0;
		}
		if (s->ctx)
			s->lib.iscsi_destroy_context(s->ctx);
		s->ctx = NULL;
		poll(NULL, 0, RETURN_MS);
		over = unwanted(s);
	} while (!over && now() < end);
	/* Somebody listens there who is no target any more. */
	if (err == -ECONNABORTED)
		err = -ETIMEDOUT;
	return over ? over : err;
}

static void *session_thread(void *arg)
{
	struct iscsi_session *s = arg;
	bool ending = false;
	int err = 0;

	while (!ending && !err) {
		for (struct scsi_cmd *cmd = take_all(s, &ending), *next; cmd; cmd = next) {
			next = cmd->next;
			send_one(s, cmd);
		}
		if (!ending && (s->stuck || serve(s)))
			err = come_back(s);
	}
	if (err)
		give_up(s, err);
	else if (s->lib.iscsi_logout_sync(s->ctx))
		s->lib.iscsi_disconnect(s->ctx);
	return NULL;
}

static void start(struct scsi_cmd *cmd)
{
	struct iscsi_session *s = cmd->lu->port;
	uint64_t one = 1;
	int dead;

	pthread_mutex_lock(&s->lock);
	dead = s->dead;
	if (!dead) {
		cmd->next = NULL;
		*s->queue_end = cmd;
		s->queue_end = &cmd->next;
	}
	pthread_mutex_unlock(&s->lock);
	if (dead)
		answered(cmd, dead);
	else if (write(s->bell, &one, sizeof(one)) < 0)
		(void)0; /* it is full: it has been rung */
}

bool iscsi_session_alive(struct iscsi_session *s)
{
	bool alive;

	pthread_mutex_lock(&s->lock);
	alive = !s->dead;
	pthread_mutex_unlock(&s->lock);
	return alive;
}

static void session_free(struct iscsi_session *s)
{
	if (s->ctx)
		s->lib.iscsi_destroy_context(s->ctx);
	/* The library stays: its libraries keep thread-local data that would dangle. */
	if (s->bell >= 0)
		close(s->bell);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* So that no two sessions are taken for one; it need not be a secret. */
static uint32_t new_isid(void)
{
	uint32_t isid;

	if (getrandom(&isid, sizeof(isid), 0) != sizeof(isid))
		isid = (uint32_t)now() ^ (uint32_t)getpid();
	return isid & 0xffffff;
}

int iscsi_session_open(const struct iscsi_place *place, const int *stop,
		       struct iscsi_session **sessionp)
{
	struct iscsi_session *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->queue_end = &s->queue;
	s->place = *place;
	s->stop = stop;
	s->isid = new_isid();
	pthread_mutex_init(&s->lock, NULL);
	s->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = s->bell < 0 ? -errno : load(s);
	if (!err)
		err = log_in(s, CONNECT_TIMEOUT);
	if (!err)
		err = thread_start(&s->thread, session_thread, s);
	if (err)
		session_free(s);
	else
		*sessionp = s;
	return err;
}

/* With no command under way. */
void iscsi_session_close(struct iscsi_session *s)
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

static unsigned number(struct scsi_lu *lu)
{
	struct iscsi_session *s = lu->port;

	return __atomic_load_n(&s->number, __ATOMIC_SEQ_CST);
}

const struct scsi_transport iscsi_transport = {
	.name = "iscsi",
	.start = start,
	.session = number,
};
