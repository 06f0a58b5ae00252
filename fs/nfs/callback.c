// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * callback.c - what the server calls us for: RFC 8881 section 20, RFC 7862
 * section 16.  On the loop's thread; nothing here waits.
 *
 * There is one slot.  Its last reply is kept, for a server that did not get it.
 */
#include <errno.h>
#include <string.h>

#include "fs/nfs/nfs.h"

#define OPS_MAX 16u

struct callback {
	struct nfs_client *clp;
	struct rpc_call *call;
	struct nfs4_call_head head;
	struct nfs4_reply_head reply;
	struct xdr out;
	uint8_t buf[RPC_HEAD_MAX + 1024];
	bool in; /* CB_SEQUENCE was there */
	bool replay;
};

/* Of CB_SEQUENCE: this session, one slot, and the next number or the last one again. */
static uint32_t check_sequence(struct callback *cb, const struct nfs4_cb_sequence_args *args)
{
	struct nfs_client *clp = cb->clp;
	uint32_t status = NFS4_OK;

	pthread_mutex_lock(&clp->lock);
	if (memcmp(args->sessionid, clp->s.id, sizeof(clp->s.id)) != 0)
		status = NFS4ERR_BADSESSION;
	else if (args->slot)
		status = NFS4ERR_BADSLOT;
	else if (args->seqid == clp->cb_seq && clp->cb_len)
		cb->replay = true;
	else if (args->seqid != clp->cb_seq + 1)
		status = NFS4ERR_SEQ_MISORDERED;
	else
		clp->cb_seq = args->seqid;
	pthread_mutex_unlock(&clp->lock);
	return status;
}

static uint32_t do_sequence(struct callback *cb, const union nfs4_cb_args *args,
			    union nfs4_cb_res *res)
{
	const struct nfs4_cb_sequence_args *seq = &args->sequence;

	memcpy(res->sequence.sessionid, seq->sessionid, sizeof(seq->sessionid));
	res->sequence.seqid = seq->seqid;
	res->sequence.slot = seq->slot;
	res->sequence.highest_slot = res->sequence.target_slot = 0;
	cb->in = true;
	return check_sequence(cb, seq);
}

static uint32_t do_offload(struct callback *cb, const union nfs4_cb_args *args)
{
	const struct nfs4_cb_offload_args *a = &args->offload;
	struct nfs_offload off = {.stateid = a->stateid, .status = a->status, .write = a->write};

	if (a->status)
		off.write.count = a->bytes_copied;
	return nfs_offload_done(cb->clp, &off) ? NFS4_OK : NFS4ERR_BAD_STATEID;
}

static uint32_t run(struct callback *cb, uint32_t op, const union nfs4_cb_args *args,
		    union nfs4_cb_res *res)
{
	if (op == OP_CB_SEQUENCE)
		return cb->in ? NFS4ERR_SEQUENCE_POS : do_sequence(cb, args, res);
	if (!cb->in)
		return NFS4ERR_OP_NOT_IN_SESSION;
	switch (op) {
	case OP_CB_OFFLOAD:
		return do_offload(cb, args);
	case OP_CB_RECALL_ANY:
	case OP_CB_RECALL_SLOT:
	case OP_CB_RECALLABLE_OBJ_AVAIL:
		return NFS4_OK;
	case OP_CB_GETATTR:
	case OP_CB_RECALL: /* no delegation is kept */
		return NFS4ERR_BADHANDLE;
	default:
		return NFS4ERR_NOTSUPP;
	}
}

static void answer(struct callback *cb, const uint8_t *body, size_t len)
{
	struct xdr_bytes raw = {body, (uint32_t)len};
	struct xdr x = {.encode = true};
	uint8_t buf[RPC_HEAD_MAX + 1024];

	xdr_encode(&x, buf, sizeof(buf));
	rpc_reply_begin(cb->call, &x);
	xdr_raw(&x, &raw);
	rpc_send(cb->call->conn, &x);
}

static void one_op(struct callback *cb, bool *more)
{
	union nfs4_cb_args args;
	union nfs4_cb_res res;
	uint32_t op = xdr_get_u32(&cb->call->args), status;
	const struct nfs4_op *row = nfs4_cb_op(op);

	memset(&args, 0, sizeof(args));
	memset(&res, 0, sizeof(res));
	if (cb->call->args.error) {
		*more = false;
		return;
	}
	if (row && row->args)
		row->args(&cb->call->args, &args);
	if (!row)
		status = NFS4ERR_OP_ILLEGAL;
	else if (cb->call->args.error)
		status = NFS4ERR_BADXDR;
	else
		status = row->args ? run(cb, op, &args, &res) : NFS4ERR_NOTSUPP;
	*more = status == NFS4_OK && !cb->replay;
	nfs4_put_res(&cb->out, &cb->reply, row ? op : OP_CB_ILLEGAL, status, &res);
}

/* The whole reply, which is also what a replay gets. */
static void compound(struct callback *cb)
{
	struct nfs_client *clp = cb->clp;
	bool more = true;
	size_t len;

	xdr_encode(&cb->out, cb->buf, sizeof(cb->buf));
	cb->reply = (struct nfs4_reply_head){.cb = true};
	nfs4_reply_begin(&cb->out, &cb->reply);
	if (cb->head.minor != clp->minor) {
		cb->reply.status = NFS4ERR_MINOR_VERS_MISMATCH;
		more = false;
	}
	for (unsigned i = 0; i < cb->head.nops && i < OPS_MAX && more; i++)
		one_op(cb, &more);
	nfs4_reply_end(&cb->out, &cb->reply);
	len = xdr_len(&cb->out);
	pthread_mutex_lock(&clp->lock);
	if (cb->replay) {
		len = clp->cb_len;
		memcpy(cb->buf, clp->cb_reply, len);
	} else if (cb->in && len <= sizeof(clp->cb_reply) && cb->reply.nres > 0) {
		clp->cb_len = (uint32_t)len;
		memcpy(clp->cb_reply, cb->buf, len);
	}
	pthread_mutex_unlock(&clp->lock);
	if (!cb->out.error)
		answer(cb, cb->buf, len);
}

/* nfs_callback - a call of the server */
void nfs_callback(void *ctx, struct rpc_call *call)
{
	struct callback cb = {.clp = ctx, .call = call, .head = {.cb = true}};

	if (call->prog != NFS_CB_PROGRAM || call->vers != NFS4_CB_VERSION) {
		rpc_reply_error(call, RPC_PROG_UNAVAIL, 0, 0);
	} else if (call->proc == NFS4_PROC_NULL) {
		answer(&cb, NULL, 0);
	} else if (call->proc != NFS4_PROC_COMPOUND) {
		rpc_reply_error(call, RPC_PROC_UNAVAIL, 0, 0);
	} else {
		nfs4_call_begin(&call->args, &cb.head);
		if (call->args.error)
			rpc_reply_error(call, RPC_GARBAGE_ARGS, 0, 0);
		else
			compound(&cb);
	}
	rpc_call_done(call);
}
