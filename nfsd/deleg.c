// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * deleg.c - delegations: RFC 8881 sections 10.4, 18.6, 20.2.
 *
 * A client that asks for one with OPEN may keep what it knows of the file, or of its
 * writes, until another one wants the file: then it is called back.  Who does not give it
 * back within a lease loses it.  Programs on the server count too: a delegation is given
 * only together with a lease of the kernel's, fcntl(2), which stops them until it is
 * returned; the kernel also knows whether somebody has the file open in a way that
 * forbids it.  Storage without such leases has no delegations.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "nfsd/export.h"
#include "nfsd/state.h"

#define DELEGS_MAX 16384u

uint32_t deleg_wanted(const struct nfs4_open_args *a)
{
	bool write = a->share_access & OPEN4_SHARE_ACCESS_WRITE;

	if (a->claim == CLAIM_PREVIOUS) /* it had one before the restart */
		return a->delegate_type == (write ? OPEN_DELEGATE_WRITE : OPEN_DELEGATE_READ)
			       ? a->delegate_type
			       : OPEN_DELEGATE_NONE;
	switch (a->share_access & OPEN4_SHARE_ACCESS_WANT_MASK) {
	case OPEN4_SHARE_ACCESS_WANT_READ_DELEG:
		return write ? OPEN_DELEGATE_NONE : OPEN_DELEGATE_READ;
	case OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG:
		return write ? OPEN_DELEGATE_WRITE : OPEN_DELEGATE_NONE;
	case OPEN4_SHARE_ACCESS_WANT_ANY_DELEG:
		return write ? OPEN_DELEGATE_WRITE : OPEN_DELEGATE_READ;
	default:
		return OPEN_DELEGATE_NONE;
	}
}

/* The kernel's lease ------------------------------------------------------------- */

static int lease_of(uint32_t type)
{
	return type == OPEN_DELEGATE_WRITE ? F_WRLCK : F_RDLCK;
}

static bool guard(const struct io *io, uint32_t type)
{
	int fd = cr_file_fd(io->file);

	return fd >= 0 && !fcntl(fd, F_SETLEASE, lease_of(type));
}

static void unguard(struct state *st)
{
	if (st->guarded)
		fcntl(cr_file_fd(st->io->file), F_SETLEASE, F_UNLCK);
	st->guarded = false;
}

/* A program on this machine waits for the file. */
static bool is_broken(const struct state *st)
{
	return st->guarded && fcntl(cr_file_fd(st->io->file), F_GETLEASE) != lease_of(st->deleg);
}

/* Giving -------------------------------------------------------------------------- */

static bool may_have(const struct compound *c, const struct sfile *f)
{
	bool path = has_path(c->client);

	for (const struct state *st = f->states; st; st = st->of_file)
		path &= st->type != STATE_DELEG || st->client != c->client;
	return path && !c->client->gone && c->s->state->ndelegs < DELEGS_MAX;
}

bool deleg_give(struct compound *c, const struct deleg_offer *offer, struct nfs4_delegation *d)
{
	static const struct xdr_bytes nobody = {"", 0};
	struct sfile *f = sfile_find(c->s, offer->fh, false);
	struct io *io = offer->io;
	struct state *st;

	if (!f || !may_have(c, f) || !guard(io, offer->type))
		return false;
	st = state_new(c->s, c->client, f, STATE_DELEG, &nobody);
	if (!st) {
		fcntl(cr_file_fd(io->file), F_SETLEASE, F_UNLCK);
		return false;
	}
	io_get(io);
	st->io = io;
	st->seqid = 1;
	st->deleg = offer->type;
	st->change_given = offer->change;
	st->guarded = true;
	st->next_deleg = c->s->state->delegs;
	c->s->state->delegs = st;
	c->s->state->ndelegs++;
	*d = (struct nfs4_delegation){.type = offer->type, .limit_by = 1, .limit_size = UINT64_MAX};
	d->ace.who = xdr_str(""); /* allows nobody anything: opens are asked for with ACCESS */
	state_id(st, &d->stateid);
	return true;
}

void deleg_gone(struct nfsd *s, struct state *st)
{
	struct state **at = &s->state->delegs;

	unguard(st);
	st->client->nrevoked -= st->revoked;
	while (*at != st)
		at = &(*at)->next_deleg;
	*at = st->next_deleg;
	s->state->ndelegs--;
}

/* Taking back --------------------------------------------------------------------- */

struct recall {
	struct nfsd *s;
	uint8_t other[NFS4_OTHER_SIZE]; /* it may have been returned before the answer */
};

static void told(void *arg, uint32_t status, const union nfs4_cb_res *res)
{
	struct recall *r = arg;

	for (struct state *st = r->s->state->delegs; st; st = st->next_deleg)
		if (!memcmp(st->other, r->other, sizeof(r->other)))
			st->called = status == NFS4_OK;
	free(r);
}

/* One that does not get there is made again by the clock. */
void deleg_recall(struct nfsd *s, struct state *st)
{
	struct recall *r;
	union nfs4_cb_args args;

	if (!st->recalled)
		st->recalled = ev_now();
	r = st->called ? NULL : malloc(sizeof(*r));
	if (!r)
		return;
	r->s = s;
	memcpy(r->other, st->other, sizeof(r->other));
	memset(&args, 0, sizeof(args));
	state_id(st, &args.recall.stateid);
	args.recall.fh = st->file->fh;
	st->called = call_client(s, st->client, &(struct callback){OP_CB_RECALL, &args, told, r});
	if (!st->called)
		free(r);
}

static void take_away(struct state *st)
{
	unguard(st);
	io_put(st->io);
	st->io = NULL;
	st->revoked = true;
	st->client->nrevoked++;
}

void deleg_tick(struct nfsd *s)
{
	uint64_t now = ev_now();

	for (struct state *st = s->state->delegs; st; st = st->next_deleg) {
		if (st->revoked)
			continue;
		if (st->recalled && now > st->recalled + (uint64_t)s->opt.lease * 1000)
			take_away(st);
		else if (st->recalled || is_broken(st))
			deleg_recall(s, st);
	}
}

/*
 * Of the client itself a read delegation goes, too, when it opens the file to write: the
 * kernel's lease would stop that.  It is still allowed to: nobody else is.
 */
static bool conflicts(struct compound *c, struct state *st, enum deleg_use use)
{
	if (st->type != STATE_DELEG || st->revoked)
		return false;
	if (st->client != c->client)
		return use != DELEG_READ || st->deleg == OPEN_DELEGATE_WRITE;
	if (use == DELEG_OPEN_WRITE && st->deleg == OPEN_DELEGATE_READ) {
		unguard(st);
		deleg_recall(c->s, st);
	}
	return false;
}

bool deleg_in_the_way(struct compound *c, const struct nfs4_fh *fh, enum deleg_use use)
{
	struct sfile *f;
	bool found = false;

	if (!c->s->state->ndelegs)
		return false;
	pthread_mutex_lock(&c->s->lock);
again:
	f = sfile_find(c->s, fh, false);
	for (struct state *st = f ? f->states : NULL; st; st = st->of_file) {
		if (!conflicts(c, st, use))
			continue;
		if (st->client->courtesy) {
			db_remove_client(c->s, &st->client->owner);
			client_drop(c->s, st->client);
			goto again;
		}
		deleg_recall(c->s, st);
		found = true;
	}
	pthread_mutex_unlock(&c->s->lock);
	return found;
}

struct state *deleg_writer(struct compound *c, const struct nfs4_fh *fh)
{
	struct sfile *f = sfile_find(c->s, fh, false);
	struct state *st = f ? f->states : NULL;

	while (st && !conflicts(c, st, DELEG_READ))
		st = st->of_file;
	if (!st || !st->client->courtesy)
		return st;
	db_remove_client(c->s, &st->client->owner);
	client_drop(c->s, st->client);
	return deleg_writer(c, fh);
}

bool deleg_on_name(struct compound *c, const struct obj *dir, const char *name)
{
	struct nfs4_fh fh;

	return c->s->state->ndelegs && !fh_of_name(c, dir, name, &fh) &&
	       deleg_in_the_way(c, &fh, DELEG_CHANGE);
}

struct io *deleg_io(struct compound *c, const struct nfs4_fh *fh)
{
	const struct sfile *f;
	struct io *io = NULL;

	if (!c->s->state->ndelegs)
		return NULL;
	pthread_mutex_lock(&c->s->lock);
	f = sfile_find(c->s, fh, false);
	for (const struct state *st = f ? f->states : NULL; st && !io; st = st->of_file)
		if (st->type == STATE_DELEG && st->client == c->client && !st->revoked &&
		    st->deleg == OPEN_DELEGATE_WRITE)
			io = st->io;
	if (io)
		io_get(io);
	pthread_mutex_unlock(&c->s->lock);
	return io;
}

static uint32_t held(struct compound *c, const struct nfs4_stateid *given, struct state **stp)
{
	struct nfs4_stateid id;
	uint32_t status = stateid_resolve(c, false, given, &id);

	return status ? status : state_find(c, &id, 1u << STATE_DELEG, stp);
}

uint32_t deleg_claim(struct compound *c, const struct nfs4_stateid *id)
{
	struct state *st;
	uint32_t status;

	pthread_mutex_lock(&c->s->lock);
	status = held(c, id, &st);
	pthread_mutex_unlock(&c->s->lock);
	return status;
}

uint32_t op_delegreturn(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct state *st;
	uint32_t status;

	pthread_mutex_lock(&c->s->lock);
	status = held(c, &args->stateid.stateid, &st);
	if (!status && (st->file->fh.len != c->cur->fh.len ||
			memcmp(st->file->fh.data, c->cur->fh.data, c->cur->fh.len) != 0))
		status = NFS4ERR_BAD_STATEID;
	if (!status)
		state_drop(c->s, st);
	pthread_mutex_unlock(&c->s->lock);
	return status;
}
