// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * change.c - the change attribute: RFC 8881 section 5.8.1.4.
 *
 * It is the file's ctime, which on many kernels moves in ticks of milliseconds only: two
 * changes within one tick would look like one to other clients, whose caches would keep
 * the first forever.  So what was changed here in the tick of now is remembered, with how
 * often, and that is added.  Nanoseconds leave room for it.  An entry may be lost to
 * another file: then the value goes back, which is why it is not called monotonic.
 */
#include <errno.h>
#include <stdlib.h>

#include "nfsd/state.h"

#define ENTRIES 4096u

struct entry {
	uint64_t dev, ino, ctime, more;
};

struct changes {
	pthread_mutex_t lock;
	struct entry entry[ENTRIES];
};

int changes_start(struct nfsd *s)
{
	s->changes = calloc(1, sizeof(*s->changes));
	if (!s->changes)
		return -ENOMEM;
	pthread_mutex_init(&s->changes->lock, NULL);
	return 0;
}

static uint64_t ctime_of(const struct statx *stx)
{
	return (uint64_t)stx->stx_ctime.tv_sec * 1000000000u + stx->stx_ctime.tv_nsec;
}

static uint64_t dev_of(const struct statx *stx)
{
	return (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor;
}

static struct entry *entry_of(struct changes *all, const struct statx *stx)
{
	return &all->entry[(stx->stx_ino * 0x9e3779b97f4a7c15u ^ dev_of(stx)) >> 20 &
			   (ENTRIES - 1)];
}

static bool matches(const struct entry *e, const struct statx *stx)
{
	return e->ino == stx->stx_ino && e->dev == dev_of(stx) && e->ctime == ctime_of(stx);
}

uint64_t change_of(struct nfsd *s, const struct statx *stx)
{
	struct entry *e = entry_of(s->changes, stx);
	uint64_t change = ctime_of(stx);

	pthread_mutex_lock(&s->changes->lock);
	if (matches(e, stx))
		change += e->more;
	pthread_mutex_unlock(&s->changes->lock);
	return change;
}

void change_made(struct nfsd *s, const struct statx *after)
{
	struct entry *e = entry_of(s->changes, after);

	pthread_mutex_lock(&s->changes->lock);
	if (matches(e, after))
		e->more++;
	else
		*e = (struct entry){after->stx_ino, dev_of(after), ctime_of(after), 0};
	pthread_mutex_unlock(&s->changes->lock);
}

uint64_t change_held(struct nfsd *s, const struct statx *stx, uint64_t beyond)
{
	struct entry *e = entry_of(s->changes, stx);
	uint64_t change;

	pthread_mutex_lock(&s->changes->lock);
	if (!matches(e, stx))
		*e = (struct entry){stx->stx_ino, dev_of(stx), ctime_of(stx), 0};
	e->more++;
	if (e->ctime + e->more <= beyond)
		e->more = beyond + 1 - e->ctime;
	change = e->ctime + e->more;
	pthread_mutex_unlock(&s->changes->lock);
	return change;
}

void file_changed(struct nfsd *s, struct file *file)
{
	struct statx stx;

	if (!cr_getattr(file, NULL, &stx))
		change_made(s, &stx);
}

void obj_written(struct compound *c, struct obj *obj, struct io *io)
{
	obj_changed(obj);
	obj_borrow(obj, io);
	if (obj->file == io->file && !cr_getattr(io->file, NULL, &obj->stx))
		change_made(c->s, &obj->stx);
	else
		file_changed(c->s, io->file);
}
