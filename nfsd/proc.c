// SPDX-License-Identifier: GPL-2.0-or-later
/* proc.c - COMPOUND, and one row per operation that is served: RFC 8881 section 16.2. */
#include <errno.h>
#include <string.h>

#include "nfsd/copy.h"
#include "nfsd/export.h"
#include "nfsd/nfsd.h"
#include "nfsd/pool.h"
#include "nfsd/state.h"

/* What the result of an operation that changes something takes at most; LOCK may name an owner. */
#define RESULT_MAX 200u
#define LOCK_MAX   1200u

static const struct nfsd_op ops[NFS4_OPS] = {
	[OP_ACCESS] = {op_access, OPF_FH},
	[OP_CLOSE] = {op_close, OPF_FH | OPF_MODIFIES},
	[OP_COMMIT] = {op_commit, OPF_FH | OPF_MODIFIES},
	[OP_CREATE] = {op_create, OPF_FH | OPF_MODIFIES},
	[OP_DELEGRETURN] = {op_delegreturn, OPF_FH | OPF_MODIFIES},
	[OP_GETATTR] = {op_getattr, OPF_FH},
	[OP_GETFH] = {op_getfh, OPF_FH},
	[OP_LINK] = {op_link, OPF_FH | OPF_SAVED | OPF_MODIFIES},
	[OP_LOCK] = {op_lock, OPF_FH | OPF_MODIFIES},
	[OP_LOCKT] = {op_lockt, OPF_FH},
	[OP_LOCKU] = {op_locku, OPF_FH | OPF_MODIFIES},
	[OP_LOOKUP] = {op_lookup, OPF_FH},
	[OP_LOOKUPP] = {op_lookupp, OPF_FH},
	[OP_NVERIFY] = {op_nverify, OPF_FH},
	[OP_OPEN] = {op_open, OPF_FH | OPF_MODIFIES},
	[OP_OPEN_DOWNGRADE] = {op_open_downgrade, OPF_FH | OPF_MODIFIES},
	[OP_PUTFH] = {op_putfh, 0},
	[OP_PUTPUBFH] = {op_putrootfh, 0},
	[OP_PUTROOTFH] = {op_putrootfh, 0},
	[OP_READ] = {op_read, OPF_FH},
	[OP_READDIR] = {op_readdir, OPF_FH},
	[OP_READLINK] = {op_readlink, OPF_FH},
	[OP_REMOVE] = {op_remove, OPF_FH | OPF_MODIFIES},
	[OP_RENAME] = {op_rename, OPF_FH | OPF_SAVED | OPF_MODIFIES},
	[OP_RESTOREFH] = {op_restorefh, 0},
	[OP_SAVEFH] = {op_savefh, OPF_FH | OPF_FOREIGN},
	[OP_SECINFO] = {op_secinfo, OPF_FH},
	[OP_SETATTR] = {op_setattr, OPF_FH | OPF_MODIFIES},
	[OP_VERIFY] = {op_verify, OPF_FH},
	[OP_WRITE] = {op_write, OPF_FH | OPF_MODIFIES},
	[OP_BACKCHANNEL_CTL] = {op_backchannel_ctl, OPF_MODIFIES},
	[OP_BIND_CONN_TO_SESSION] = {op_bind_conn, OPF_ALONE},
	[OP_EXCHANGE_ID] = {op_exchange_id, OPF_ALONE},
	[OP_CREATE_SESSION] = {op_create_session, OPF_ALONE},
	[OP_DESTROY_SESSION] = {op_destroy_session, OPF_ALONE},
	[OP_FREE_STATEID] = {op_free_stateid, OPF_MODIFIES},
	[OP_SECINFO_NO_NAME] = {op_secinfo_no_name, OPF_FH},
	[OP_SEQUENCE] = {op_sequence, OPF_FIRST},
	[OP_TEST_STATEID] = {op_test_stateid, 0},
	[OP_DESTROY_CLIENTID] = {op_destroy_clientid, OPF_ALONE},
	[OP_RECLAIM_COMPLETE] = {op_reclaim_complete, OPF_MODIFIES},
	[OP_ALLOCATE] = {op_allocate, OPF_FH | OPF_MODIFIES},
	[OP_COPY_NOTIFY] = {op_copy_notify, OPF_FH | OPF_MODIFIES},
	[OP_COPY] = {op_copy, OPF_FH | OPF_SAVED | OPF_MODIFIES | OPF_FOREIGN | OPF_LONG},
	[OP_DEALLOCATE] = {op_deallocate, OPF_FH | OPF_MODIFIES},
	[OP_IO_ADVISE] = {op_io_advise, OPF_FH},
	[OP_OFFLOAD_CANCEL] = {op_offload_cancel, OPF_FH | OPF_MODIFIES},
	[OP_OFFLOAD_STATUS] = {op_offload_status, OPF_FH},
	[OP_READ_PLUS] = {op_read_plus, OPF_FH},
	[OP_SEEK] = {op_seek, OPF_FH},
	[OP_CLONE] = {op_clone, OPF_FH | OPF_SAVED | OPF_MODIFIES | OPF_LONG},
	[OP_GETXATTR] = {op_getxattr, OPF_FH},
	[OP_SETXATTR] = {op_setxattr, OPF_FH | OPF_MODIFIES},
	[OP_LISTXATTRS] = {op_listxattrs, OPF_FH},
	[OP_REMOVEXATTR] = {op_removexattr, OPF_FH | OPF_MODIFIES},
};

#define OP_MAX_41 OP_RECLAIM_COMPLETE

static bool known(const struct compound *c, uint32_t op)
{
	return nfs4_op(op) && (c->head.minor >= 2 || op <= OP_MAX_41);
}

/* Where an operation may stand: RFC 8881 section 2.10.6.1. */
static uint32_t position(const struct compound *c, const struct nfsd_op *row)
{
	if (row->flags & OPF_FIRST)
		return c->index ? NFS4ERR_SEQUENCE_POS : NFS4_OK;
	if (c->session)
		return NFS4_OK;
	if (!(row->flags & OPF_ALONE))
		return NFS4ERR_OP_NOT_IN_SESSION;
	return c->head.nops > 1 ? NFS4ERR_NOT_ONLY_OP : NFS4_OK;
}

/* Room in what the session allows for the whole reply, and for what its slot has to keep. */
static uint32_t room_left(const struct compound *c, size_t need)
{
	size_t len;

	if (!c->session)
		return NFS4_OK;
	len = xdr_len(&c->out) + need;
	if (len > c->session->fore.maxresponse)
		return NFS4ERR_REP_TOO_BIG;
	if (c->cachethis && len > c->session->fore.maxresponse_cached)
		return NFS4ERR_REP_TOO_BIG_TO_CACHE;
	return NFS4_OK;
}

/* The handle of another server's file is good for little. */
static uint32_t ours(const struct compound *c, const struct nfsd_op *row)
{
	bool saved = (row->flags & OPF_SAVED) && c->saved->foreign;

	if (row->flags & OPF_FOREIGN) /* SAVEFH; the source of COPY, never its destination */
		return saved || !(row->flags & OPF_SAVED) || !c->cur->foreign ? NFS4_OK
									      : NFS4ERR_BADHANDLE;
	return saved || c->cur->foreign ? NFS4ERR_BADHANDLE : NFS4_OK;
}

static uint32_t prepare(struct compound *c, uint32_t op)
{
	const struct nfsd_op *row = &ops[op];
	uint32_t status = position(c, row);

	if (!status && (row->flags & OPF_FH) && !c->cur)
		status = NFS4ERR_NOFILEHANDLE;
	if (!status && (row->flags & OPF_SAVED) && !c->saved)
		status = NFS4ERR_NOFILEHANDLE;
	if (!status && (row->flags & (OPF_FH | OPF_SAVED)))
		status = ours(c, row);
	if (!status && (row->flags & OPF_MODIFIES))
		status = room_left(c, op == OP_LOCK ? LOCK_MAX : RESULT_MAX);
	return status;
}

static uint32_t run(struct compound *c, uint32_t op, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfsd_op *row = &ops[op];
	const struct nfs4_op *codec = nfs4_op(op);
	uint32_t status;

	if (!row->run)
		return c->session ? NFS4ERR_NOTSUPP : NFS4ERR_OP_NOT_IN_SESSION;
	status = position(c, row);
	if (status)
		return status;
	codec->args(c->in, args);
	if (c->in->error)
		return NFS4ERR_BADXDR;
	status = prepare(c, op);
	if (!status && (row->flags & OPF_LONG))
		pool_block(c->s->pool);
	return status ? status : row->run(c, args, res);
}

/* The next operation; its status. */
static uint32_t one(struct compound *c)
{
	uint32_t op = xdr_get_u32(c->in), status;
	union nfs4_args args;
	union nfs4_res res;
	size_t mark = xdr_mark(&c->out);

	if (c->in->error || !known(c, op)) {
		status = c->in->error ? NFS4ERR_BADXDR : NFS4ERR_OP_ILLEGAL;
		nfs4_put_res(&c->out, &c->reply, OP_ILLEGAL, status, NULL);
		return status;
	}
	memset(&args, 0, sizeof(args));
	memset(&res, 0, sizeof(res));
	status = run(c, op, &args, &res);
	if (c->replayed)
		return status;
	nfs4_put_res(&c->out, &c->reply, op, status, &res);
	if (!c->out.error && (status || !room_left(c, 0)))
		return status;
	/* The result is too long: of operations that change nothing alone, prepare() saw to that.
	 */
	status = c->out.error ? NFS4ERR_REP_TOO_BIG : room_left(c, 0);
	xdr_rewind(&c->out, mark);
	c->reply.nres--;
	memset(&res, 0, sizeof(res));
	nfs4_put_res(&c->out, &c->reply, op, status, &res);
	return status;
}

static uint32_t all(struct compound *c)
{
	uint32_t status = NFS4_OK;

	for (c->index = 0; c->index < c->head.nops && !status && !c->replayed; c->index++)
		status = one(c);
	return status;
}

static void reply_begin(struct compound *c)
{
	xdr_encode(&c->out, c->w->head, NFSD_HEAD_ROOM);
	rpc_reply_begin(c->call, &c->out);
	c->reply.tag = c->head.tag;
	nfs4_reply_begin(&c->out, &c->reply);
}

static void finish(struct compound *c)
{
	obj_put(c->cur);
	obj_put(c->saved);
	if (c->slot)
		slot_finish(c);
	exports_put(c->exports);
}

void proc_compound(struct worker *w, struct rpc_call *call)
{
	struct compound c = {.s = w->s, .w = w, .call = call, .in = &call->args};

	nfs4_call_begin(c.in, &c.head);
	if (c.in->error) {
		rpc_reply_error(call, RPC_GARBAGE_ARGS, 0, 0);
		return;
	}
	rpc_conn_peer(call->conn, &c.peer);
	reply_begin(&c);
	if (c.head.minor < 1 || c.head.minor > 2) {
		c.reply.status = NFS4ERR_MINOR_VERS_MISMATCH;
	} else {
		c.exports = exports_get(w->s);
		all(&c);
	}
	if (!c.replayed)
		nfs4_reply_end(&c.out, &c.reply);
	finish(&c);
	rpc_send_pipe(call->conn, &c.out, c.pipe);
}
