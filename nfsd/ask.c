// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ask.c - what the holder of a write delegation alone knows: RFC 8881 sections 10.4.3, 20.1.
 *
 * Its client may have changed the file and not written that yet.  So when another one wants
 * to know the size or whether anything changed, CB_GETATTR asks the holder, and the other
 * waits.  A holder that does not answer in time is called back instead, and the other one
 * has to try again; nor is it asked for other files, until it answers some call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nfsd/pool.h"
#include "nfsd/state.h"

#define ASK_MS 200u

/* One CB_GETATTR; of two, its sender and its callback, the last frees it. */
struct asking {
	unsigned refs;
	bool done;
	uint32_t status;
	struct deleg_news news;
};

static void asking_put(struct asking *a)
{
	if (a && !--a->refs)
		free(a);
}

static uint32_t take(struct asking *a, const struct nfs4_fattr *fattr)
{
	struct nfs4_attrs attrs;

	if (nfs4_attrs_decode(fattr, &attrs) || !nfs4_bit(&attrs.map, FATTR4_SIZE) ||
	    !nfs4_bit(&attrs.map, FATTR4_CHANGE) || attrs.size > INT64_MAX)
		return NFS4ERR_BADXDR;
	a->news.size = attrs.size;
	a->news.change = attrs.change;
	a->news.asked = a->news.waited = true;
	return NFS4_OK;
}

static void told(void *arg, uint32_t status, const union nfs4_cb_res *res)
{
	struct asking *a = arg;

	a->status = status ? status : take(a, &res->getattr.attr);
	a->done = true;
	asking_put(a);
}

/* NULL: it cannot be asked now. */
static struct asking *ask(struct nfsd *s, const struct state *st)
{
	struct asking *a = calloc(1, sizeof(*a));
	union nfs4_cb_args args;

	if (!a)
		return NULL;
	a->refs = 2;
	a->news.change_given = st->change_given;
	memcpy(a->news.other, st->other, sizeof(st->other));
	memset(&args, 0, sizeof(args));
	args.getattr.fh = st->file->fh;
	nfs4_bit_set(&args.getattr.map, FATTR4_CHANGE);
	nfs4_bit_set(&args.getattr.map, FATTR4_SIZE);
	if (call_client(s, st->client, &(struct callback){OP_CB_GETATTR, &args, told, a}))
		return a;
	free(a);
	return NULL;
}

/*
 * Until it answers: false when it is too late.  There may be no call at first, if its sessions
 * are all in others.
 */
static bool answer(struct compound *c, const struct nfs4_fh *fh, const struct timespec *until,
		   struct asking **ap)
{
	struct state *st;

	while ((st = deleg_writer(c, fh)) && !(*ap && (*ap)->done)) {
		if (st->recalled || st->client->silent || !has_path(st->client))
			return false;
		if (!*ap)
			*ap = ask(c->s, st);
		if (pthread_cond_timedwait(&c->s->state->answered, &c->s->lock, until)) {
			st = deleg_writer(c, fh);
			if (st && *ap && !(*ap)->done)
				st->client->silent = true;
			return !st || (*ap && (*ap)->done);
		}
	}
	return true;
}

static bool told_of(const struct asking *a, const struct state *st)
{
	return a && a->done && !a->status && !memcmp(a->news.other, st->other, sizeof(st->other));
}

static struct timespec in_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ASK_MS * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

uint32_t deleg_ask(struct compound *c, const struct nfs4_fh *fh, struct deleg_news *news)
{
	const struct timespec until = in_time();
	struct asking *a = NULL;
	struct state *st = NULL;
	bool in;

	if (!c->s->state->ndelegs)
		return NFS4_OK;
	pthread_mutex_lock(&c->s->lock);
	if (deleg_writer(c, fh)) {
		pool_block(c->s->pool);
		in = answer(c, fh, &until, &a);
		news->waited = true;
		st = deleg_writer(c, fh); /* NULL: returned meanwhile, with all that there was */
		if (st && in && told_of(a, st))
			*news = a->news;
		else if (st)
			deleg_recall(c->s, st);
		asking_put(a);
	}
	pthread_mutex_unlock(&c->s->lock);
	return st && !news->asked ? NFS4ERR_DELAY : NFS4_OK;
}

/* A size that is not ours is a change as well, which was written just now or will be. */
bool deleg_modified(const struct deleg_news *news, const struct statx *stx)
{
	return news->asked && S_ISREG(stx->stx_mode) &&
	       (news->change != news->change_given || news->size != stx->stx_size);
}

uint64_t deleg_change(struct nfsd *s, const struct deleg_news *news, const struct statx *stx)
{
	uint64_t change;
	struct state *st;

	pthread_mutex_lock(&s->lock);
	for (st = s->state->delegs; st; st = st->next_deleg)
		if (!memcmp(st->other, news->other, sizeof(st->other)))
			break;
	change = change_held(s, stx, st ? st->change_told : 0);
	if (st)
		st->change_told = change;
	pthread_mutex_unlock(&s->lock);
	return change;
}
