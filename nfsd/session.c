// SPDX-License-Identifier: GPL-2.0-or-later
/* session.c - making and ending sessions: RFC 8881 sections 18.33, 18.34, 18.36, 18.37. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/bytes.h"
#include "nfsd/copy.h"
#include "nfsd/state.h"

/*
 * With less than this no call or reply fits that has a SEQUENCE and something to do;
 * callbacks have the CB_SEQUENCE and one operation, with a file handle at most.
 */
#define FORE_MIN      200u
#define BACK_CALL_MIN 512u
#define BACK_RES_MIN  128u
#define BACK_OPS_MIN  2u

static uint32_t min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* What we grant of what was asked: never more. */
static uint32_t negotiate(const struct nfs4_create_session_args *a,
			  struct nfs4_create_session_res *r)
{
	r->fore = a->fore;
	r->fore.headerpad = 0;
	r->fore.nrdma = r->back.nrdma = 0;
	if (a->fore.maxrequest < FORE_MIN || a->fore.maxresponse < FORE_MIN)
		return NFS4ERR_TOOSMALL;
	if (a->back.maxrequest < BACK_CALL_MIN || a->back.maxresponse < BACK_RES_MIN ||
	    a->back.maxops < BACK_OPS_MIN)
		return NFS4ERR_TOOSMALL;
	if (!a->fore.maxops || !a->fore.maxrequests)
		return NFS4ERR_INVAL;
	r->fore.maxrequest = min(a->fore.maxrequest, NFSD_MESSAGE_MAX);
	r->fore.maxresponse = min(a->fore.maxresponse, NFSD_MESSAGE_MAX);
	r->fore.maxresponse_cached = min(a->fore.maxresponse_cached, NFSD_CACHED_MAX);
	r->fore.maxops = min(a->fore.maxops, NFSD_OPS);
	r->fore.maxrequests = min(a->fore.maxrequests, NFSD_SLOTS);
	r->back = a->back;
	r->back.headerpad = 0;
	r->back.nrdma = 0;
	r->flags = a->flags & CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
	return NFS4_OK;
}

/* How we may call back: the first kind that we can. */
static void back_security(struct session *ss, uint32_t n, const struct nfs4_cb_sec *sec)
{
	ss->cb_flavor = RPC_AUTH_NONE;
	for (uint32_t i = 0; i < n; i++) {
		if (sec[i].flavor > RPC_AUTH_SYS)
			continue;
		ss->cb_flavor = sec[i].flavor;
		ss->cb_uid = sec[i].uid;
		ss->cb_gid = sec[i].gid;
		return;
	}
}

static struct session *session_new(struct nfsd *s, struct client *c,
				   const struct nfs4_create_session_args *a,
				   const struct nfs4_create_session_res *r)
{
	struct session *ss = calloc(1, sizeof(*ss));

	if (!ss)
		return NULL;
	ss->nslots = r->fore.maxrequests;
	ss->slot = calloc(ss->nslots, sizeof(*ss->slot));
	if (!ss->slot) {
		free(ss);
		return NULL;
	}
	put_le32(ss->id, s->boot);
	put_le64(ss->id + 4, s->state->next_session++);
	if (getrandom(ss->id + 12, 4, 0) != 4)
		memset(ss->id + 12, 0, 4);
	ss->refs = 1;
	ss->client = c;
	ss->fore = r->fore;
	ss->back = r->back;
	ss->cb_program = a->cb_program;
	ss->cb_seqid = 1;
	back_security(ss, a->nsecs, a->sec);
	client_get(c);
	return ss;
}

static void session_add(struct nfsd *s, struct session *ss)
{
	struct session **bucket = &s->state->sessions[state_hash(ss->id, sizeof(ss->id))];

	ss->next = *bucket;
	*bucket = ss;
	ss->of_client = ss->client->sessions;
	ss->client->sessions = ss;
	ss->client->nsessions++;
	s->state->nsessions++;
}

static void set_back(struct session *ss, struct rpc_conn *conn)
{
	if (ss->cb_conn == conn)
		return;
	rpc_conn_get(conn);
	rpc_conn_put(ss->cb_conn);
	ss->cb_conn = conn;
}

/* The new record of a client takes the place of the one it had before it was started anew. */
static uint32_t confirm(struct compound *cp, struct client *c)
{
	struct client *old;

	for (old = cp->s->state->clients; old; old = old->next)
		if (old != c && old->confirmed && old->owner.len == c->owner.len &&
		    !memcmp(old->owner.data, c->owner.data, c->owner.len))
			break;
	if (old) {
		client_drop(cp->s, old);
		db_remove_client(cp->s, &c->owner);
	} else {
		c->may_reclaim = in_grace(cp->s) && db_has_client(cp->s, &c->owner);
	}
	c->confirmed = true;
	return NFS4_OK;
}

static uint32_t create(struct compound *cp, const struct nfs4_create_session_args *a,
		       struct nfs4_create_session_res *r)
{
	struct client *c = client_find(cp->s, a->clientid);
	struct session *ss;
	uint32_t status;

	if (!c)
		return NFS4ERR_STALE_CLIENTID;
	if (c->cs_done && a->seqid == c->cs_seqid) {
		*r = c->cs_res;
		return NFS4_OK;
	}
	if (a->seqid != c->cs_seqid + 1)
		return NFS4ERR_SEQ_MISORDERED;
	if (!c->confirmed && (c->flavor != cp->call->cred.flavor || c->uid != cp->call->cred.uid))
		return NFS4ERR_CLID_INUSE;
	status = negotiate(a, r);
	if (status)
		return status;
	if (c->nsessions >= SESSIONS_MAX || cp->s->state->nsessions >= SESSIONS_ALL)
		return NFS4ERR_NOSPC;
	ss = session_new(cp->s, c, a, r);
	if (!ss)
		return NFS4ERR_DELAY;
	if (!c->confirmed)
		confirm(cp, c);
	session_add(cp->s, ss);
	if (a->flags & CREATE_SESSION4_FLAG_CONN_BACK_CHAN)
		set_back(ss, cp->call->conn);
	memcpy(r->sessionid, ss->id, sizeof(ss->id));
	r->seqid = a->seqid;
	c->cs_seqid = a->seqid;
	c->cs_done = true;
	c->cs_res = *r;
	c->renewed = ev_now();
	c->courtesy = false;
	return NFS4_OK;
}

uint32_t op_create_session(struct compound *cp, union nfs4_args *args, union nfs4_res *res)
{
	const uint32_t known = CREATE_SESSION4_FLAG_PERSIST | CREATE_SESSION4_FLAG_CONN_BACK_CHAN |
			       CREATE_SESSION4_FLAG_CONN_RDMA;
	uint32_t status;

	if (args->create_session.flags & ~known)
		return NFS4ERR_INVAL;
	pthread_mutex_lock(&cp->s->lock);
	status = create(cp, &args->create_session, &res->create_session);
	pthread_mutex_unlock(&cp->s->lock);
	if (!status)
		copies_kick(cp->s); /* there may be a path for callbacks now */
	return status;
}

/* Slots in use by others have to end first; our own is the last operation's at best. */
static uint32_t destroy(struct compound *cp, struct session *ss)
{
	for (uint32_t i = 0; i < ss->nslots; i++)
		if (ss->slot[i].in_use && &ss->slot[i] != cp->slot)
			return NFS4ERR_DELAY;
	session_drop(cp->s, ss);
	return NFS4_OK;
}

uint32_t op_destroy_session(struct compound *cp, union nfs4_args *args, union nfs4_res *res)
{
	struct session *ss;
	uint32_t status;

	pthread_mutex_lock(&cp->s->lock);
	ss = session_find(cp->s, args->sessionid.sessionid);
	if (!ss)
		status = NFS4ERR_BADSESSION;
	else if (ss == cp->session && cp->index + 1 != cp->head.nops)
		status = NFS4ERR_NOT_ONLY_OP;
	else
		status = destroy(cp, ss);
	pthread_mutex_unlock(&cp->s->lock);
	return status;
}

uint32_t op_bind_conn(struct compound *cp, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfs4_bind_conn *a = &args->bind_conn;
	struct nfs4_bind_conn *r = &res->bind_conn;
	struct session *ss;
	uint32_t status = NFS4_OK;

	if (cp->head.nops != 1)
		return NFS4ERR_NOT_ONLY_OP;
	if (a->dir != CDFC4_FORE && a->dir != CDFC4_BACK && a->dir != CDFC4_FORE_OR_BOTH &&
	    a->dir != CDFC4_BACK_OR_BOTH)
		return NFS4ERR_INVAL;
	pthread_mutex_lock(&cp->s->lock);
	ss = session_find(cp->s, a->sessionid);
	if (!ss) {
		status = NFS4ERR_BADSESSION;
	} else {
		memcpy(r->sessionid, a->sessionid, sizeof(r->sessionid));
		r->rdma = false;
		r->dir = a->dir == CDFC4_FORE	? CDFS4_FORE
			 : a->dir == CDFC4_BACK ? CDFS4_BACK
						: CDFS4_BOTH;
		if (r->dir & CDFS4_BACK)
			set_back(ss, cp->call->conn);
		ss->client->renewed = ev_now();
	}
	pthread_mutex_unlock(&cp->s->lock);
	if (!status)
		copies_kick(cp->s);
	return status;
}

uint32_t op_backchannel_ctl(struct compound *cp, union nfs4_args *args, union nfs4_res *res)
{
	pthread_mutex_lock(&cp->s->lock);
	cp->session->cb_program = args->backchannel_ctl.cb_program;
	back_security(cp->session, args->backchannel_ctl.nsecs, args->backchannel_ctl.sec);
	pthread_mutex_unlock(&cp->s->lock);
	return NFS4_OK;
}
