// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * notify.c - COPY_NOTIFY: another server may read a file of ours with a stateid that one
 * of our clients was given for it (RFC 7862 sections 4.5, 4.9, 15.3).
 *
 * Whoever shows the stateid reads; it is 64 random bits, and the export has to be open
 * to where it comes from.  It holds until the client takes it back by OFFLOAD_CANCEL or
 * is gone, until nobody has begun to read within a lease, or has read for a lease.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/bytes.h"
#include "nfsd/copy.h"

#define NOTIFIES_MAX	    1024u
#define NOTIFIES_CLIENT_MAX 64u
#define NOTIFY_MARK	    0xc0u /* in the last byte, as of no other stateid: see enlist() */

struct notify {
	struct notify *next; /* the newest one first */
	uint64_t clientid;
	uint8_t other[NFS4_OTHER_SIZE];
	struct nfs4_fh fh;
	struct io *io;
	uint64_t until; /* ms */
};

bool notify_is(const struct nfs4_stateid *id)
{
	return (id->other[NFS4_OTHER_SIZE - 1] & NOTIFY_MARK) == NOTIFY_MARK &&
	       id->seqid != UINT32_MAX;
}

static void forget(struct nfsd *s, struct notify **at)
{
	struct notify *n = *at;

	*at = n->next;
	s->copies->nnotifies--;
	io_put(n->io);
	free(n);
}

void notify_drop(struct nfsd *s, uint64_t clientid)
{
	struct notify **at = s->copies ? &s->copies->notifies : NULL;

	while (at && *at)
		if ((*at)->clientid == clientid)
			forget(s, at);
		else
			at = &(*at)->next;
}

void notify_tick(struct nfsd *s)
{
	struct notify **at = &s->copies->notifies;
	uint64_t now = ev_now();

	while (*at)
		if (now > (*at)->until)
			forget(s, at);
		else
			at = &(*at)->next;
}

static struct notify **find(struct nfsd *s, const struct nfs4_stateid *id)
{
	struct notify **at = &s->copies->notifies;

	while (*at && memcmp((*at)->other, id->other, sizeof(id->other)) != 0)
		at = &(*at)->next;
	return at;
}

uint32_t notify_cancel(struct compound *c, const struct nfs4_stateid *id)
{
	struct notify **at = find(c->s, id);

	if (!*at || (*at)->clientid != c->client->id)
		return NFS4ERR_BAD_STATEID;
	forget(c->s, at);
	return NFS4_OK;
}

uint32_t notify_io(struct nfsd *s, const struct obj *obj, const struct nfs4_stateid *id,
		   struct io **iop)
{
	struct notify *n = *find(s, id);

	if (!n || ev_now() > n->until)
		return get_le32(id->other) == s->boot ? NFS4ERR_PARTNER_NO_AUTH
						      : NFS4ERR_STALE_STATEID;
	if (n->fh.len != obj->fh.len || memcmp(n->fh.data, obj->fh.data, obj->fh.len) != 0)
		return NFS4ERR_BAD_STATEID;
	n->until = ev_now() + (uint64_t)s->opt.lease * 1000;
	io_get(n->io);
	*iop = n->io;
	return NFS4_OK;
}

/* Room for one more, at the cost of the client's oldest. */
static bool make_room(struct nfsd *s, uint64_t clientid)
{
	struct notify **at, **oldest = NULL;
	unsigned n = 0;

	for (at = &s->copies->notifies; *at; at = &(*at)->next)
		if ((*at)->clientid == clientid) {
			oldest = at;
			n++;
		}
	if (n >= NOTIFIES_CLIENT_MAX)
		forget(s, oldest);
	return s->copies->nnotifies < NOTIFIES_MAX;
}

static uint32_t add(struct compound *c, struct io *io, struct nfs4_stateid *id)
{
	struct nfsd *s = c->s;
	struct notify *n = calloc(1, sizeof(*n));

	if (!n || !make_room(s, c->client->id) ||
	    getrandom(n->other + 4, sizeof(n->other) - 4, 0) != sizeof(n->other) - 4) {
		free(n);
		return NFS4ERR_DELAY;
	}
	put_le32(n->other, s->boot);
	n->other[NFS4_OTHER_SIZE - 1] |= NOTIFY_MARK;
	n->clientid = c->client->id;
	n->fh = c->cur->fh;
	n->io = io;
	n->until = ev_now() + (uint64_t)s->opt.lease * 1000;
	n->next = s->copies->notifies;
	s->copies->notifies = n;
	s->copies->nnotifies++;
	*id = (struct nfs4_stateid){.seqid = 1};
	memcpy(id->other, n->other, sizeof(id->other));
	return NFS4_OK;
}

/* Where the client has found us, the other server finds us too. */
static bool where(struct compound *c, struct nfs4_netlocs *locs)
{
	struct sockaddr_storage local;
	const char *netid;
	char *uaddr = data_room(c->w, c->data_used, NOTIFY_UADDR);

	rpc_conn_local(c->call->conn, &local);
	if (!uaddr || local.ss_family == AF_UNSPEC)
		return false;
	c->data_used += NOTIFY_UADDR;
	netid = rpc_addr_to_universal(&local, uaddr, NOTIFY_UADDR);
	locs->n = 1;
	locs->loc[0] = (struct nfs4_netloc){NL4_NETADDR, xdr_str(netid), xdr_str(uaddr)};
	return true;
}

uint32_t op_copy_notify(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct nfs4_copy_notify_res *r = &res->copy_notify;
	struct io *io = NULL;
	uint32_t status;

	if (notify_is(&args->copy_notify.src))
		return NFS4ERR_BAD_STATEID; /* who may read may not pass that on */
	status = io_for(c, c->cur, &args->copy_notify.src, false, &io);
	if (status)
		return status;
	status = where(c, &r->source) ? NFS4_OK : NFS4ERR_SERVERFAULT;
	pthread_mutex_lock(&c->s->lock);
	if (!status)
		status = add(c, io, &r->stateid);
	pthread_mutex_unlock(&c->s->lock);
	if (status)
		io_put(io);
	r->lease.sec = c->s->opt.lease;
	return status;
}
