// SPDX-License-Identifier: GPL-2.0-or-later
/* state.c - tables of clients, sessions, open files and stateids; leases and grace. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "nfsd/copy.h"
#include "nfsd/state.h"

unsigned state_hash(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t h = 2166136261u; /* FNV-1a */

	while (len--)
		h = (h ^ *p++) * 16777619u;
	return h % BUCKETS;
}

/* A lease long; up to two while clients go on reclaiming, see grace_more(). */
static void grace_begin(struct nfsd *s)
{
	const uint64_t lease = (uint64_t)s->opt.lease * 1000;

	s->state->grace_end = ev_now() + lease;
	s->state->grace_max = s->state->grace_end + lease;
}

int state_start(struct nfsd *s)
{
	pthread_condattr_t attr;

	s->state = calloc(1, sizeof(*s->state));
	if (!s->state)
		return -ENOMEM;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->state->answered, &attr);
	pthread_condattr_destroy(&attr);
	s->state->next_client = s->state->next_state = s->state->next_session = 1;
	if (db_waiting(s))
		grace_begin(s);
	return 0;
}

void state_free(struct nfsd *s)
{
	struct client *c;

	if (!s->state)
		return;
	pthread_mutex_lock(&s->lock);
	while ((c = s->state->clients)) {
		client_get(c); /* its record stays: it comes back after the restart */
		client_drop(s, c);
		client_put(c);
	}
	pthread_mutex_unlock(&s->lock);
	pthread_cond_destroy(&s->state->answered);
	free(s->state);
	s->state = NULL;
}

/* Clients ----------------------------------------------------------------------- */

struct client *client_find(struct nfsd *s, uint64_t id)
{
	struct client *c;

	for (c = s->state->clients; c; c = c->next)
		if (c->id == id)
			break;
	return c;
}

void client_get(struct client *c)
{
	c->refs++;
}

void client_put(struct client *c)
{
	if (!c || --c->refs)
		return;
	free((void *)(uintptr_t)c->owner.data);
	free(c);
}

bool client_holds(const struct client *c)
{
	return c->states || c->sessions;
}

void client_drop(struct nfsd *s, struct client *c)
{
	struct client **at = &s->state->clients;

	if (c->gone)
		return;
	c->gone = true;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	s->state->nclients--;
	/* Each of them leaves its list: NOLINTBEGIN(clang-analyzer-unix.Malloc) */
	while (c->sessions)
		session_drop(s, c->sessions);
	while (c->states)
		state_drop(s, c->states);
	notify_drop(s, c->id);
	copies_drop(s, c->id);
	/* NOLINTEND(clang-analyzer-unix.Malloc) */
	client_put(c);
}

/* Sessions ---------------------------------------------------------------------- */

struct session *session_find(struct nfsd *s, const uint8_t *id)
{
	struct session *ss = s->state->sessions[state_hash(id, NFS4_SESSIONID_SIZE)];

	while (ss && memcmp(ss->id, id, NFS4_SESSIONID_SIZE) != 0)
		ss = ss->next;
	return ss;
}

void session_put(struct session *ss)
{
	if (--ss->refs)
		return;
	for (uint32_t i = 0; i < ss->nslots; i++)
		free(ss->slot[i].reply);
	rpc_conn_put(ss->cb_conn);
	client_put(ss->client);
	free(ss->slot);
	free(ss);
}

void session_drop(struct nfsd *s, struct session *ss)
{
	struct session **at = &s->state->sessions[state_hash(ss->id, sizeof(ss->id))];

	ss->dead = true;
	while (*at != ss)
		at = &(*at)->next;
	*at = ss->next;
	for (at = &ss->client->sessions; *at != ss; at = &(*at)->of_client)
		;
	*at = ss->of_client;
	ss->client->nsessions--;
	s->state->nsessions--;
	session_put(ss);
}

void state_conn_gone(struct nfsd *s, struct rpc_conn *conn)
{
	pthread_mutex_lock(&s->lock);
	for (struct client *c = s->state->clients; c; c = c->next)
		for (struct session *ss = c->sessions; ss; ss = ss->of_client)
			if (ss->cb_conn == conn) {
				ss->cb_conn = NULL;
				rpc_conn_put(conn);
			}
	pthread_mutex_unlock(&s->lock);
}

/* Files and stateids ------------------------------------------------------------ */

struct sfile *sfile_find(struct nfsd *s, const struct nfs4_fh *fh, bool make)
{
	struct sfile **bucket = &s->state->files[state_hash(fh->data, fh->len)], *f;

	for (f = *bucket; f; f = f->next)
		if (f->fh.len == fh->len && !memcmp(f->fh.data, fh->data, fh->len))
			return f;
	f = make ? calloc(1, sizeof(*f)) : NULL;
	if (!f)
		return NULL;
	f->fh = *fh;
	f->next = *bucket;
	*bucket = f;
	return f;
}

void sfile_done(struct nfsd *s, struct sfile *f)
{
	struct sfile **at = &s->state->files[state_hash(f->fh.data, f->fh.len)];

	if (f->states)
		return;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	free(f);
}

bool owner_is(const struct state *st, const struct xdr_bytes *owner)
{
	return st->owner.len == owner->len && !memcmp(st->owner.data, owner->data, owner->len);
}

struct state *state_new(struct nfsd *s, struct client *c, struct sfile *f, enum state_type type,
			const struct xdr_bytes *owner)
{
	struct state *st = s->state->nstates < STATES_MAX ? calloc(1, sizeof(*st)) : NULL;
	struct state **bucket;

	if (!st)
		return NULL;
	st->owner.data = malloc(owner->len + 1);
	if (!st->owner.data) {
		free(st);
		return NULL;
	}
	memcpy(st->owner.data, owner->data, owner->len);
	st->owner.len = owner->len;
	st->type = type;
	st->client = c;
	st->file = f;
	put_le32(st->other, s->boot);
	put_le64(st->other + 4, s->state->next_state++);
	bucket = &s->state->states[state_hash(st->other, sizeof(st->other))];
	st->next = *bucket;
	*bucket = st;
	st->of_client = c->states;
	c->states = st;
	st->of_file = f->states;
	f->states = st;
	s->state->nstates++;
	return st;
}

/* Locks go with the open they were made under. */
static void drop_locks_of(struct nfsd *s, struct state *open)
{
	struct state *st = open->file->states, *next;

	for (; st; st = next) {
		next = st->of_file;
		if (st->type == STATE_LOCK && st->open == open)
			state_drop(s, st);
	}
}

void state_drop(struct nfsd *s, struct state *st)
{
	struct state **at;

	if (st->type == STATE_OPEN)
		drop_locks_of(s, st);
	else if (st->type == STATE_LOCK)
		ranges_drop(s, st);
	else
		deleg_gone(s, st);
	at = &s->state->states[state_hash(st->other, sizeof(st->other))];
	while (*at != st)
		at = &(*at)->next;
	*at = st->next;
	for (at = &st->client->states; *at != st; at = &(*at)->of_client)
		;
	*at = st->of_client;
	for (at = &st->file->states; *at && *at != st; at = &(*at)->of_file)
		;
	assert(*at == st);
	*at = st->of_file;
	s->state->nstates--;
	sfile_done(s, st->file);
	if (st->io)
		io_put(st->io);
	free(st->owner.data);
	free(st);
}

void state_id(const struct state *st, struct nfs4_stateid *id)
{
	id->seqid = st->seqid;
	memcpy(id->other, st->other, sizeof(id->other));
}

static bool all_bytes(const struct nfs4_stateid *id, uint8_t v)
{
	for (unsigned i = 0; i < sizeof(id->other); i++)
		if (id->other[i] != v)
			return false;
	return true;
}

bool stateid_special(const struct nfs4_stateid *id)
{
	return (id->seqid == 0 && all_bytes(id, 0)) ||
	       (id->seqid == UINT32_MAX && all_bytes(id, 0xff));
}

uint32_t stateid_resolve(const struct compound *c, bool saved, const struct nfs4_stateid *in,
			 struct nfs4_stateid *out)
{
	*out = *in;
	if (in->seqid != 1 || !all_bytes(in, 0))
		return NFS4_OK;
	if (saved ? !c->has_saved_stateid : !c->has_cur_stateid)
		return NFS4ERR_BAD_STATEID;
	*out = saved ? c->saved_stateid : c->cur_stateid;
	return NFS4_OK;
}

uint32_t state_find(struct compound *c, const struct nfs4_stateid *id, unsigned types,
		    struct state **stp)
{
	struct state *st = c->s->state->states[state_hash(id->other, sizeof(id->other))];

	if (all_bytes(id, 0) || all_bytes(id, 0xff))
		return NFS4ERR_BAD_STATEID;
	while (st && memcmp(st->other, id->other, sizeof(st->other)) != 0)
		st = st->next;
	if (!st)
		return get_le32(id->other) == c->s->boot ? NFS4ERR_BAD_STATEID
							 : NFS4ERR_STALE_STATEID;
	if (st->client != c->client || !(types & 1u << st->type))
		return NFS4ERR_BAD_STATEID;
	if (id->seqid && id->seqid < st->seqid)
		return NFS4ERR_OLD_STATEID;
	if (id->seqid > st->seqid)
		return NFS4ERR_BAD_STATEID;
	*stp = st;
	return st->revoked ? NFS4ERR_DELEG_REVOKED : NFS4_OK;
}

/* Time -------------------------------------------------------------------------- */

bool in_grace(struct nfsd *s)
{
	return s->state->grace_end && ev_now() < s->state->grace_end;
}

/* Many clients, or a slow disk, may need longer than a lease: time for the next one. */
void grace_more(struct nfsd *s)
{
	uint64_t end = ev_now() + (uint64_t)s->opt.lease * 1000 / 4;

	if (end > s->state->grace_max)
		end = s->state->grace_max;
	if (in_grace(s) && end > s->state->grace_end)
		s->state->grace_end = end;
}

/* Over when its time is, or when all who were waited for have said RECLAIM_COMPLETE. */
void grace_check(struct nfsd *s)
{
	if (!s->state->grace_end)
		return;
	if (ev_now() < s->state->grace_end && db_waiting(s))
		return;
	s->state->grace_end = 0;
	for (struct client *c = s->state->clients; c; c = c->next)
		c->may_reclaim = false;
	db_end_grace(s);
}

static void expire(struct nfsd *s, struct client *c, uint64_t now)
{
	uint64_t lease = (uint64_t)s->opt.lease * 1000;

	if (now < c->renewed + lease || c->refs > 1 + c->nsessions)
		return;
	if (!c->confirmed || !client_holds(c) || now > c->renewed + COURTESY_SECONDS * 1000ul ||
	    s->state->nclients > CLIENTS_MAX / 2) {
		if (c->confirmed)
			db_remove_client(s, &c->owner);
		client_drop(s, c);
		return;
	}
	c->courtesy = true;
}

void state_tick(struct nfsd *s)
{
	uint64_t now = ev_now();
	struct client *c, *next;

	pthread_mutex_lock(&s->lock);
	grace_check(s);
	deleg_tick(s);
	for (c = s->state->clients; c; c = next) {
		next = c->next;
		expire(s, c, now);
	}
	pthread_mutex_unlock(&s->lock);
}
