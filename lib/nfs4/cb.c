// SPDX-License-Identifier: GPL-2.0-or-later
/* cb.c - callbacks: RFC 8881 section 20, RFC 7862 section 16. */
#include <string.h>

#include "lib/nfs4/ops.h"

#define REFERRING_MAX 64u

static void x_cb_getattr(struct xdr *x, void *p)
{
	struct nfs4_cb_getattr_args *a = p;

	nfs4_fh(x, &a->fh);
	nfs4_bitmap(x, &a->map);
}

static void x_cb_recall(struct xdr *x, void *p)
{
	struct nfs4_cb_recall_args *a = p;

	nfs4_stateid(x, &a->stateid);
	xdr_bool(x, &a->truncate);
	nfs4_fh(x, &a->fh);
}

static void x_cb_recall_any(struct xdr *x, void *p)
{
	struct nfs4_cb_recall_any_args *a = p;

	xdr_u32(x, &a->keep);
	nfs4_bitmap(x, &a->types);
}

static void x_cb_recall_slot(struct xdr *x, void *p)
{
	xdr_u32(x, &((struct nfs4_cb_recall_slot_args *)p)->target_slot);
}

static void put_referring(struct xdr *x, struct nfs4_cb_sequence_args *a)
{
	xdr_put_u32(x, a->referring);
	if (!a->referring)
		return;
	xdr_fixed(x, a->ref_sessionid, sizeof(a->ref_sessionid));
	xdr_put_u32(x, 1);
	xdr_put_u32(x, a->ref_seqid);
	xdr_put_u32(x, a->ref_slot);
}

static void get_referring(struct xdr *x, struct nfs4_cb_sequence_args *a)
{
	uint8_t session[NFS4_SESSIONID_SIZE];
	uint32_t lists = 0, calls = 0;

	a->referring = false;
	xdr_count(x, &lists, REFERRING_MAX);
	for (uint32_t i = 0; i < lists && !x->error; i++) {
		xdr_fixed(x, session, sizeof(session));
		xdr_count(x, &calls, REFERRING_MAX);
		for (uint32_t j = 0; j < calls && !x->error; j++) {
			uint32_t seqid = xdr_get_u32(x), slot = xdr_get_u32(x);

			if (a->referring)
				continue;
			a->referring = true;
			memcpy(a->ref_sessionid, session, sizeof(session));
			a->ref_seqid = seqid;
			a->ref_slot = slot;
		}
	}
}

static void x_cb_sequence(struct xdr *x, void *p)
{
	struct nfs4_cb_sequence_args *a = p;

	xdr_fixed(x, a->sessionid, sizeof(a->sessionid));
	xdr_u32(x, &a->seqid);
	xdr_u32(x, &a->slot);
	xdr_u32(x, &a->highest_slot);
	xdr_bool(x, &a->cachethis);
	if (x->encode)
		put_referring(x, a);
	else
		get_referring(x, a);
}

static void r_cb_sequence(struct xdr *x, void *p, uint32_t status)
{
	struct nfs4_cb_sequence_res *res = p;

	if (status != NFS4_OK)
		return;
	xdr_fixed(x, res->sessionid, sizeof(res->sessionid));
	xdr_u32(x, &res->seqid);
	xdr_u32(x, &res->slot);
	xdr_u32(x, &res->highest_slot);
	xdr_u32(x, &res->target_slot);
}

static void x_cb_notify_lock(struct xdr *x, void *p)
{
	struct nfs4_cb_notify_lock_args *a = p;

	nfs4_fh(x, &a->fh);
	nfs4_owner(x, &a->owner);
}

static void x_cb_offload(struct xdr *x, void *p)
{
	struct nfs4_cb_offload_args *a = p;

	nfs4_fh(x, &a->fh);
	nfs4_stateid(x, &a->stateid);
	xdr_u32(x, &a->status);
	if (a->status == NFS4_OK)
		nfs4_write_response(x, &a->write);
	else
		xdr_u64(x, &a->bytes_copied);
}

static const struct nfs4_op cb_ops[NFS4_CB_OPS] = {
	[OP_CB_GETATTR] = {"CB_GETATTR", x_cb_getattr, r_fattr},
	[OP_CB_RECALL] = {"CB_RECALL", x_cb_recall, r_none},
	[OP_CB_LAYOUTRECALL] = {.name = "CB_LAYOUTRECALL"},
	[OP_CB_NOTIFY] = {.name = "CB_NOTIFY"},
	[OP_CB_PUSH_DELEG] = {.name = "CB_PUSH_DELEG"},
	[OP_CB_RECALL_ANY] = {"CB_RECALL_ANY", x_cb_recall_any, r_none},
	[OP_CB_RECALLABLE_OBJ_AVAIL] = {"CB_RECALLABLE_OBJ_AVAIL", x_cb_recall_any, r_none},
	[OP_CB_RECALL_SLOT] = {"CB_RECALL_SLOT", x_cb_recall_slot, r_none},
	[OP_CB_SEQUENCE] = {"CB_SEQUENCE", x_cb_sequence, r_cb_sequence},
	[OP_CB_WANTS_CANCELLED] = {.name = "CB_WANTS_CANCELLED"},
	[OP_CB_NOTIFY_LOCK] = {"CB_NOTIFY_LOCK", x_cb_notify_lock, r_none},
	[OP_CB_NOTIFY_DEVICEID] = {.name = "CB_NOTIFY_DEVICEID"},
	[OP_CB_OFFLOAD] = {"CB_OFFLOAD", x_cb_offload, r_none},
};

const struct nfs4_op *nfs4_cb_op(uint32_t op)
{
	return op < NFS4_CB_OPS && cb_ops[op].name ? &cb_ops[op] : NULL;
}
