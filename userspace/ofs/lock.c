// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lock.c - locks of flock(2) and of byte ranges (fcntl(2)), so that programs on the mount
 * and beside it see each other's.
 *
 * A range is locked by its owner, as the kernel numbers the processes that ask: each
 * owner gets a descriptor of its own on the file, whose lock is one of an open file
 * description (F_OFD_SETLK).  A room without locks (a server) gets an empty file in
 * memory instead of each file: its locks hold among the programs of this mount.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>

#include "ofs.h"

#define WAIT_FIRST ((long)1000000) /* ns until a lock is tried again, then twice as long */
#define WAIT_MAX   ((long)50000000)

struct lock_owner {
	struct lock_owner *next;
	uint64_t id;
	int fd;
};

void locks_init(struct node *node)
{
	node->lock_file = -1;
}

void locks_free(struct node *node)
{
	struct lock_owner *owner;

	while ((owner = node->owners)) {
		node->owners = owner->next;
		close(owner->fd);
		free(owner);
	}
	if (node->lock_file >= 0)
		close(node->lock_file);
}

/* A new open file description of what the locks of @node are on; its lock is held. */
static int open_for_locks(struct node *node)
{
	int at = cr_file_fd(node->file), fd;
	char path[40];

	if (at < 0) {
		if (node->lock_file < 0)
			node->lock_file = memfd_create("locks", MFD_CLOEXEC);
		at = node->lock_file;
	}
	if (at < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", at);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) /* then no lock for writing can be asked for, either */
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* The descriptor of an owner, made when @make; -ENOENT: it has none. */
static int owner_fd(struct node *node, uint64_t id, bool make)
{
	struct lock_owner *owner = node->owners;
	int fd;

	while (owner && owner->id != id)
		owner = owner->next;
	if (owner)
		return owner->fd;
	if (!make)
		return -ENOENT;
	fd = open_for_locks(node);
	if (fd < 0)
		return fd;
	owner = malloc(sizeof(*owner));
	if (!owner) {
		close(fd);
		return -ENOMEM;
	}
	*owner = (struct lock_owner){.next = node->owners, .id = id, .fd = fd};
	node->owners = owner;
	return fd;
}

/* A process closes the file: its locks are gone, whichever descriptor it had them by. */
void locks_drop(struct node *node, uint64_t id)
{
	struct lock_owner **at, *owner;

	pthread_mutex_lock(&node->lock);
	at = &node->owners;
	while (*at && (*at)->id != id)
		at = &(*at)->next;
	owner = *at;
	if (owner)
		*at = owner->next;
	pthread_mutex_unlock(&node->lock);
	if (owner) {
		close(owner->fd);
		free(owner);
	}
}

/* One try: 0, -EAGAIN when somebody else has it. */
static int try_range(struct node *node, uint64_t owner, const struct flock *lock)
{
	struct flock want = *lock;
	int fd, err = 0;

	want.l_pid = 0;
	pthread_mutex_lock(&node->lock);
	fd = owner_fd(node, owner, lock->l_type != F_UNLCK);
	if (fd < 0)
		err = fd == -ENOENT ? 0 : fd;
	else if (fcntl(fd, F_OFD_SETLK, &want) < 0)
		err = errno == EACCES ? -EAGAIN : -errno;
	pthread_mutex_unlock(&node->lock);
	return err;
}

void ofs_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock)
{
	struct node *node = handle_of(fi)->node;
	struct flock found = *lock;
	int fd, err = 0;

	found.l_pid = 0;
	pthread_mutex_lock(&node->lock);
	fd = owner_fd(node, fi->lock_owner, true);
	if (fd < 0)
		err = fd;
	else if (fcntl(fd, F_OFD_GETLK, &found) < 0)
		err = -errno;
	pthread_mutex_unlock(&node->lock);
	if (found.l_pid < 0)
		found.l_pid = 0; /* the kernel wants a process or none */
	if (err)
		fuse_reply_err(req, reply_error(err));
	else
		fuse_reply_lock(req, &found);
}

/* flock(2) is of the open file: by its descriptor. */
static int try_flock(struct handle *h, int op)
{
	int fd = cr_file_fd(h->file), err = 0;

	if (fd < 0) {
		pthread_mutex_lock(&h->node->lock);
		if (h->flock < 0)
			h->flock = open_for_locks(h->node);
		fd = h->flock;
		pthread_mutex_unlock(&h->node->lock);
	}
	if (fd < 0)
		err = fd;
	else if (flock(fd, op | LOCK_NB) < 0)
		err = -errno;
	return err;
}

/* Locks that are waited for: a thread of its own tries again and again. */
struct waiter {
	fuse_req_t req;
	struct handle *h;
	bool whole; /* flock(2) */
	int op;
	uint64_t owner;
	struct flock lock;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool over;
};

static int try_again(struct waiter *w)
{
	return w->whole ? try_flock(w->h, w->op) : try_range(w->h->node, w->owner, &w->lock);
}

static void give_up(fuse_req_t req, void *arg)
{
	struct waiter *w = arg;

	pthread_mutex_lock(&w->mutex);
	w->over = true;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->mutex);
}

/* True: somebody has interrupted it. */
static bool wait_a_while(struct waiter *w, long ns)
{
	struct timespec until;
	bool over;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ns;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&w->mutex);
	if (!w->over)
		pthread_cond_timedwait(&w->cond, &w->mutex, &until);
	over = w->over;
	pthread_mutex_unlock(&w->mutex);
	return over;
}

static void *wait_for_lock(void *arg)
{
	struct waiter *w = arg;
	struct ofs *o = ofs_of(w->req);
	long ns = WAIT_FIRST;
	int err;

	while ((err = try_again(w)) == -EAGAIN && !__atomic_load_n(&o->stop, __ATOMIC_RELAXED)) {
		if (wait_a_while(w, ns)) {
			err = -EINTR;
			break;
		}
		ns = ns * 2 < WAIT_MAX ? ns * 2 : WAIT_MAX;
	}
	fuse_req_interrupt_func(w->req, NULL, NULL);
	fuse_reply_err(w->req, reply_error(err));
	pthread_cond_destroy(&w->cond);
	pthread_mutex_destroy(&w->mutex);
	free(w);
	atomic_fetch_sub(&o->waiters, 1);
	return NULL;
}

/* The mount ends, as o->stop says: so does who waits. */
void locks_stop(struct ofs *o)
{
	const struct timespec moment = {.tv_nsec = WAIT_FIRST};

	while (atomic_load(&o->waiters))
		nanosleep(&moment, NULL);
}

static void wait_in_background(const struct waiter *model)
{
	struct waiter *w = malloc(sizeof(*w));
	pthread_condattr_t cond;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	if (!w) {
		fuse_reply_err(model->req, ENOLCK);
		return;
	}
	*w = *model;
	pthread_mutex_init(&w->mutex, NULL);
	pthread_condattr_init(&cond);
	pthread_condattr_setclock(&cond, CLOCK_MONOTONIC);
	pthread_cond_init(&w->cond, &cond);
	pthread_condattr_destroy(&cond);
	fuse_req_interrupt_func(w->req, give_up, w);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	atomic_fetch_add(&ofs_of(w->req)->waiters, 1);
	err = pthread_create(&thread, &attr, wait_for_lock, w);
	pthread_attr_destroy(&attr);
	if (err) {
		atomic_fetch_sub(&ofs_of(w->req)->waiters, 1);
		fuse_req_interrupt_func(w->req, NULL, NULL);
		fuse_reply_err(w->req, ENOLCK);
		free(w);
	}
}

void ofs_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock,
	       int sleep)
{
	struct waiter w = {.req = req, .h = handle_of(fi), .owner = fi->lock_owner, .lock = *lock};
	int err = try_again(&w);

	if (err == -EAGAIN && sleep)
		wait_in_background(&w);
	else
		fuse_reply_err(req, reply_error(err));
}

void ofs_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
	struct waiter w = {.req = req, .h = handle_of(fi), .whole = true, .op = op & ~LOCK_NB};
	int err = try_again(&w);

	if (err == -EAGAIN && !(op & LOCK_NB))
		wait_in_background(&w);
	else
		fuse_reply_err(req, reply_error(err));
}
