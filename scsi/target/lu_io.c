// SPDX-License-Identifier: GPL-2.0-or-later
/* lu_io.c - locks on ranges of a logical unit, and its bytes. */
#include <errno.h>
#include <stdlib.h>

#include "lu.h"

#define ZEROS ((size_t)256 << 10)
/* Between two looks at *stop. */
#define ZERO_SLICE ((uint64_t)64 << 20)

/* An empty one is in nobody's way. */
static bool conflict(const struct range_lock *a, const struct range_lock *b)
{
	if (a->from == a->to || b->from == b->to)
		return false;
	return (a->exclusive || b->exclusive) && a->from < b->to && b->from < a->to;
}

static bool blocked(const struct lu *lu, const struct range_lock *l)
{
	for (const struct range_lock *r = lu->ranges; r; r = r->next)
		if (conflict(r, l))
			return true;
	return false;
}

void lu_lock(struct lu *lu, struct range_lock *l)
{
	pthread_mutex_lock(&lu->lock);
	while (blocked(lu, l))
		pthread_cond_wait(&lu->unlocked, &lu->lock);
	l->next = lu->ranges;
	lu->ranges = l;
	pthread_mutex_unlock(&lu->lock);
}

bool lu_try_lock(struct lu *lu, struct range_lock *l)
{
	bool got;

	pthread_mutex_lock(&lu->lock);
	got = !blocked(lu, l);
	if (got) {
		l->next = lu->ranges;
		lu->ranges = l;
	}
	pthread_mutex_unlock(&lu->lock);
	return got;
}

void lu_unlock(struct lu *lu, struct range_lock *l)
{
	struct range_lock **at = &lu->ranges;

	pthread_mutex_lock(&lu->lock);
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	pthread_cond_broadcast(&lu->unlocked);
	pthread_mutex_unlock(&lu->lock);
}

/*
 * Everybody who holds one range and waits for another waits for a higher one, so nobody
 * waits in a circle.
 */
void lu_lock_two(struct lu_range *src, struct lu_range *dst)
{
	struct range_lock *s = &src->lock, *d = &dst->lock;
	bool src_first =
		src->lu == dst->lu ? s->from < d->from : (uintptr_t)src->lu < (uintptr_t)dst->lu;

	s->exclusive = false;
	d->exclusive = true;
	if (src->lu == dst->lu && conflict(s, d)) {
		d->from = s->from < d->from ? s->from : d->from;
		d->to = s->to > d->to ? s->to : d->to;
		s->to = s->from; /* nothing, which conflicts with nobody */
	}
	if (src_first)
		lu_lock(src->lu, s);
	lu_lock(dst->lu, d);
	if (!src_first)
		lu_lock(src->lu, s);
}

void lu_unlock_two(struct lu_range *src, struct lu_range *dst)
{
	lu_unlock(src->lu, &src->lock);
	lu_unlock(dst->lu, &dst->lock);
}

int lu_read(struct lu *lu, void *buf, size_t len, uint64_t pos)
{
	char *p = buf;

	while (len) {
		ssize_t n = cr_read(lu->file, p, len, (off_t)pos);

		if (n < 0)
			return (int)n;
		/* The file became shorter under us: what is not there is no data. */
		if (n == 0)
			return -EIO;
		p += n;
		pos += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int lu_write(struct lu *lu, const void *buf, size_t len, uint64_t pos)
{
	const char *p = buf;

	while (len) {
		ssize_t n = cr_write(lu->file, p, len, (off_t)pos);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EIO;
		p += n;
		pos += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Whatever is wrong is found again, and told, by who may wait. */
static int all_or_again(ssize_t n, size_t len, atomic_bool *waits)
{
	if (n == -EOPNOTSUPP)
		atomic_store(waits, true);
	return n == (ssize_t)len ? 0 : -EAGAIN;
}

int lu_read_nowait(struct lu *lu, void *buf, size_t len, uint64_t pos)
{
	if (atomic_load(&lu->read_waits))
		return -EAGAIN;
	return all_or_again(cr_read_nowait(lu->file, buf, len, (off_t)pos), len, &lu->read_waits);
}

int lu_write_nowait(struct lu *lu, const void *buf, size_t len, uint64_t pos)
{
	if (atomic_load(&lu->write_waits))
		return -EAGAIN;
	return all_or_again(cr_write_nowait(lu->file, buf, len, (off_t)pos), len, &lu->write_waits);
}

static int write_zeros(struct lu *lu, uint64_t pos, uint64_t len)
{
	size_t size = len < ZEROS ? (size_t)len : ZEROS;
	void *zeros = calloc(1, size);
	int err = zeros ? 0 : -ENOMEM;

	while (!err && len) {
		size_t n = len < size ? (size_t)len : size;

		err = lu_write(lu, zeros, n, pos);
		pos += n;
		len -= n;
	}
	free(zeros);
	return err;
}

static int zero_slice(struct lu *lu, uint64_t pos, uint64_t len, bool hole)
{
	int mode = (hole ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE) | FALLOC_FL_KEEP_SIZE;
	int err = cr_allocate(lu->file, mode, (off_t)pos, (off_t)len);

	return err == -EOPNOTSUPP || err == -ENOSYS ? write_zeros(lu, pos, len) : err;
}

int lu_zero(struct lu *lu, uint64_t pos, uint64_t len, bool hole, const int *stop)
{
	while (len) {
		uint64_t n = len < ZERO_SLICE ? len : ZERO_SLICE;
		int err = __atomic_load_n(stop, __ATOMIC_RELAXED) ? -ECANCELED
								  : zero_slice(lu, pos, n, hole);

		if (err)
			return err;
		pos += n;
		len -= n;
	}
	return 0;
}
