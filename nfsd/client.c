// SPDX-License-Identifier: GPL-2.0-or-later
/* client.c - EXCHANGE_ID and the end of clients: RFC 8881 sections 18.35, 18.50, 18.51. */
#include <stdlib.h>
#include <string.h>

#include "nfsd/copy.h"
#include "nfsd/state.h"

static bool same_owner(const struct client *c, const struct xdr_bytes *owner)
{
	return c->owner.len == owner->len && !memcmp(c->owner.data, owner->data, owner->len);
}

static struct client *by_owner(struct nfsd *s, const struct xdr_bytes *owner, bool confirmed)
{
	for (struct client *c = s->state->clients; c; c = c->next)
		if (c->confirmed == confirmed && same_owner(c, owner))
			return c;
	return NULL;
}

static bool same_principal(const struct compound *cp, const struct client *c)
{
	return cp->call->cred.flavor == c->flavor && cp->call->cred.uid == c->uid;
}

static struct client *client_new(struct compound *cp, const struct nfs4_exchange_id_args *a)
{
	struct nfsd *s = cp->s;
	struct client *c = s->state->nclients < CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;
	void *owner;

	if (!c)
		return NULL;
	owner = malloc(a->owner.len + 1);
	if (!owner) {
		free(c);
		return NULL;
	}
	memcpy(owner, a->owner.data, a->owner.len);
	c->owner = (struct xdr_bytes){owner, a->owner.len};
	memcpy(c->verf, a->verf, sizeof(c->verf));
	c->id = (uint64_t)s->boot << 32 | s->state->next_client++;
	c->flavor = cp->call->cred.flavor;
	c->uid = cp->call->cred.uid;
	c->refs = 1;
	c->renewed = ev_now();
	c->next = s->state->clients;
	s->state->clients = c;
	s->state->nclients++;
	return c;
}

static uint32_t update(struct compound *cp, const struct nfs4_exchange_id_args *a,
		       struct client *conf, struct client **cpp)
{
	if (!conf)
		return NFS4ERR_NOENT;
	if (memcmp(conf->verf, a->verf, sizeof(a->verf)) != 0)
		return NFS4ERR_NOT_SAME;
	if (!same_principal(cp, conf))
		return NFS4ERR_PERM;
	*cpp = conf;
	return NFS4_OK;
}

/* The cases of RFC 8881 section 18.35.4. */
static uint32_t exchange(struct compound *cp, const struct nfs4_exchange_id_args *a,
			 struct client **cpp)
{
	struct client *conf = by_owner(cp->s, &a->owner, true);
	struct client *unconf = by_owner(cp->s, &a->owner, false);

	if (a->flags & EXCHGID4_FLAG_UPD_CONFIRMED_REC_A)
		return update(cp, a, conf, cpp);
	if (conf && !same_principal(cp, conf)) {
		/* Another user of the same name: unless nothing is left of the first. */
		if (client_holds(conf) && !conf->courtesy)
			return NFS4ERR_CLID_INUSE;
		client_drop(cp->s, conf);
	} else if (conf && !memcmp(conf->verf, a->verf, sizeof(a->verf))) {
		*cpp = conf;
		return NFS4_OK;
	}
	/* The client was started anew: its old record goes when the new one is confirmed. */
	if (unconf)
		client_drop(cp->s, unconf);
	*cpp = client_new(cp, a);
	return *cpp ? NFS4_OK : NFS4ERR_DELAY;
}

uint32_t op_exchange_id(struct compound *cp, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfs4_exchange_id_args *a = &args->exchange_id;
	struct nfs4_exchange_id_res *r = &res->exchange_id;
	struct client *c = NULL;
	uint32_t status;

	if (a->flags & ~EXCHGID4_FLAG_MASK_A)
		return NFS4ERR_INVAL;
	if (a->protect == SP4_SSV)
		return NFS4ERR_ENCR_ALG_UNSUPP;
	if (a->protect != SP4_NONE)
		return NFS4ERR_INVAL; /* needs RPCSEC_GSS */
	pthread_mutex_lock(&cp->s->lock);
	status = exchange(cp, a, &c);
	if (!status) {
		r->clientid = c->id;
		r->seqid = c->cs_seqid + 1;
		r->flags =
			EXCHGID4_FLAG_USE_NON_PNFS | (c->confirmed ? EXCHGID4_FLAG_CONFIRMED_R : 0);
	}
	pthread_mutex_unlock(&cp->s->lock);
	r->protect = SP4_NONE;
	r->server_major = r->scope = (struct xdr_bytes){cp->s->server_id, sizeof(cp->s->server_id)};
	r->impl.given = true;
	r->impl.domain = xdr_str("copy-range.invalid");
	r->impl.name = xdr_str("ocp-nfsd " CR_VERSION);
	return status;
}

uint32_t op_destroy_clientid(struct compound *cp, union nfs4_args *args, union nfs4_res *res)
{
	uint64_t id = args->clientid.clientid;
	uint32_t status = NFS4_OK;
	struct client *c;

	pthread_mutex_lock(&cp->s->lock);
	c = client_find(cp->s, id);
	if (!c)
		status = NFS4ERR_STALE_CLIENTID;
	else if (client_holds(c) || copies_of(cp->s, id))
		status = NFS4ERR_CLIENTID_BUSY;
	else {
		if (c->confirmed)
			db_remove_client(cp->s, &c->owner);
		client_drop(cp->s, c);
	}
	pthread_mutex_unlock(&cp->s->lock);
	return status;
}

uint32_t op_reclaim_complete(struct compound *cp, union nfs4_args *args, union nfs4_res *res)
{
	uint32_t status = NFS4_OK;

	if (args->reclaim_complete.one_fs) /* no file system moves between servers here */
		return cp->cur ? NFS4_OK : NFS4ERR_NOFILEHANDLE;
	pthread_mutex_lock(&cp->s->lock);
	if (cp->client->reclaim_done)
		status = NFS4ERR_COMPLETE_ALREADY;
	else if (db_add_client(cp->s, &cp->client->owner))
		status = NFS4ERR_DELAY;
	else {
		cp->client->reclaim_done = true;
		if (cp->client->may_reclaim)
			grace_more(cp->s);
		grace_check(cp->s);
	}
	pthread_mutex_unlock(&cp->s->lock);
	return status;
}
