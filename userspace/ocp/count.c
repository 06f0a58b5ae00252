// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * count.c - how much there is to copy, for the bar's percentage.
 *
 * The workers walk deep before wide and know the total only when they are
 * done.  So a thread walks the sources once more by itself, without touching a
 * file, and not before the copy has lasted two seconds: short ones do not pay
 * for it.  What it reads the copy finds in the cache.  With a lower priority it
 * never comes ahead of workers that keep all processors busy; as it is it costs
 * a tree of empty files a twentieth of the time, and others less.  It may be
 * wrong (files come, go, are left out): then the percentage is.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "filter.h"
#include "lib/thread.h"
#include "ocp.h"

#define WAIT_S	  2
#define DEPTH_MAX 64 /* directories open at a time; what is deeper leaves the total unknown */
#define READ_SIZE ((size_t)32 << 10)

struct count {
	struct ocp *ocp;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	atomic_bool ending;
	char *path;   /* of the directory in hand below its operand, for --exclude */
	bool partial; /* something was not counted */
};

static bool over(const struct count *c)
{
	return atomic_load(&c->ending) || ocp_stopped(c->ocp);
}

static void count_dir(struct count *c, struct file *dir, unsigned depth);

/* The same with @name at the end of c->path meanwhile. */
static void count_below(struct count *c, struct file *dir, const char *name, unsigned depth)
{
	char *before = c->path;

	if (asprintf(&c->path, "%s%s%s", before ? before : "", name, *name ? "/" : "") < 0)
		c->path = NULL;
	if (c->path)
		count_dir(c, dir, depth);
	else
		c->partial = true;
	free(c->path);
	c->path = before;
}

/* A directory below @up, or one that a link there leads to. */
static void enter(struct count *c, struct file *up, const char *name, unsigned depth)
{
	const struct ocp_opts *o = c->ocp->o;
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	struct file *dir;

	if (depth == DEPTH_MAX) {
		c->partial = true;
		return;
	}
	if (o->deref != DEREF_ALWAYS && depth)
		flags |= O_NOFOLLOW;
	if (up ? cr_openat(up, name, flags, 0, &dir) : cr_open(c->ocp->ns, name, flags, 0, &dir))
		return;
	if (!up || !o->one_file_system || cr_file_id(dir)->dev == cr_file_id(up)->dev)
		count_below(c, dir, up ? name : "", depth + 1);
	cr_close(dir);
}

static void count_name(struct count *c, struct file *dir, const struct dirent_view *e,
		       unsigned depth)
{
	struct statx stx;
	struct file *file;
	int err;

	if (e->type == DT_DIR) {
		enter(c, dir, e->name, depth);
		return;
	}
	if (e->type != DT_REG && e->type != DT_UNKNOWN && e->type != DT_LNK)
		return;
	if (e->type == DT_LNK && c->ocp->o->deref != DEREF_ALWAYS)
		return;
	err = cr_getattr(dir, e->name, &stx);
	if (!err && S_ISLNK(stx.stx_mode) && c->ocp->o->deref == DEREF_ALWAYS) {
		err = cr_openat(dir, e->name, O_PATH | O_CLOEXEC, 0, &file);
		if (!err) {
			err = cr_getattr_open(file, &stx);
			cr_close(file);
		}
	}
	if (!err && S_ISDIR(stx.stx_mode))
		enter(c, dir, e->name, depth);
	else if (!err && S_ISREG(stx.stx_mode))
		progress_found(c->ocp->progress, stx.stx_size);
}

static void count_dir(struct count *c, struct file *dir, unsigned depth)
{
	struct dirbuf buf = {.data = malloc(READ_SIZE), .size = READ_SIZE};
	const struct filter *f = c->ocp->o->filter;
	struct dirent_view e;

	while (buf.data && !over(c) && cr_readdir(dir, &buf) > 0)
		while (!over(c) && dirbuf_next(&buf, &e))
			if (!f || filter_wants(f, c->path, e.name, e.type == DT_DIR))
				count_name(c, dir, &e, depth);
	free(buf.data);
}

static void count_source(struct count *c, const char *name)
{
	struct file *file;
	struct statx stx;

	if (cr_open(c->ocp->ns, name, O_PATH | O_CLOEXEC, 0, &file))
		return;
	if (!cr_getattr_open(file, &stx)) {
		if (S_ISREG(stx.stx_mode))
			progress_found(c->ocp->progress, stx.stx_size);
		else if (S_ISDIR(stx.stx_mode) && c->ocp->o->recursive)
			enter(c, NULL, name, 0);
	}
	cr_close(file);
}

static void *run(void *arg)
{
	struct count *c = arg;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&c->lock);
	while (!atomic_load(&c->ending) &&
	       !pthread_cond_clockwait(&c->wake, &c->lock, CLOCK_MONOTONIC, &until))
		;
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->ocp->o->nsources && !over(c); i++)
		count_source(c, c->ocp->o->sources[i]);
	if (!over(c) && !c->partial)
		progress_found_all(c->ocp->progress);
	return NULL;
}

/* count_start - where there is a bar and something for it to tell; NULL else */
struct count *count_start(struct ocp *ocp)
{
	const struct ocp_opts *o = ocp->o;
	struct count *c;

	if (!progress_shown(ocp->progress) || o->shards || o->hard_link || o->symbolic_link ||
	    o->attributes_only)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->ocp = ocp;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	if (!thread_start(&c->thread, run, c))
		return c;
	free(c);
	return NULL;
}

/* count_end - the copy is done: nobody needs the total any more */
void count_end(struct count *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	atomic_store(&c->ending, true);
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
