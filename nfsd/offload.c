// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * offload.c - a copy that goes on: OFFLOAD_STATUS, OFFLOAD_CANCEL (RFC 7862 sections 15.8,
 * 15.9) and the callback at its end (section 16.1).
 */
#include <string.h>

#include "nfsd/copy.h"

static uint32_t find(struct compound *c, const struct nfs4_stateid *id, struct acopy **ap)
{
	struct acopy *a;

	for (a = c->s->copies->list; a; a = a->next)
		if (a->clientid == c->client->id && !a->orphan && !a->cancelled &&
		    !memcmp(a->id.other, id->other, sizeof(id->other)))
			break;
	if (!a || id->seqid != a->id.seqid)
		return NFS4ERR_BAD_STATEID;
	*ap = a;
	return NFS4_OK;
}

uint32_t op_offload_status(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct nfs4_offload_status_res *r = &res->offload_status;
	struct acopy *a;
	uint32_t status;

	pthread_mutex_lock(&c->s->lock);
	status = find(c, &args->stateid.stateid, &a);
	if (!status && a->done) {
		r->count = a->res.bytes;
		r->complete = true;
		r->status = acopy_status(a);
	} else if (!status) {
		r->count = __atomic_load_n(&a->progress.bytes, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&c->s->lock);
	return status;
}

/* No callback follows; the copy ends soon after the reply.  Or what COPY_NOTIFY gave ends. */
uint32_t op_offload_cancel(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct acopy *a;
	uint32_t status;

	pthread_mutex_lock(&c->s->lock);
	if (notify_is(&args->stateid.stateid)) {
		status = notify_cancel(c, &args->stateid.stateid);
		pthread_mutex_unlock(&c->s->lock);
		return status;
	}
	status = find(c, &args->stateid.stateid, &a);
	if (!status)
		acopy_cancel(a);
	pthread_mutex_unlock(&c->s->lock);
	return status;
}

/* The callback ------------------------------------------------------------------ */

static void told(void *arg, uint32_t status, const union nfs4_cb_res *res)
{
	acopy_told(arg, status);
}

void cb_offload(struct nfsd *s, struct acopy *a)
{
	union nfs4_cb_args args;
	const struct callback cb = {OP_CB_OFFLOAD, &args, told, a};

	memset(&args, 0, sizeof(args));
	args.offload.fh = a->dst;
	args.offload.stateid = a->id;
	args.offload.status = acopy_status(a);
	args.offload.write.count = args.offload.bytes_copied = a->res.bytes;
	args.offload.write.committed = UNSTABLE4;
	memcpy(args.offload.write.verf, a->verf, sizeof(a->verf));
	a->sending = true;
	acopy_get(a);
	if (call_client(s, client_find(s, a->clientid), &cb))
		return;
	a->sending = false;
	a->refs--;
}
