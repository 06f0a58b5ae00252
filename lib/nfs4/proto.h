/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proto.h - the table of operations, and COMPOUND around them.
 *
 * A client builds a call with nfs4_call_begin(), nfs4_put_op() for each operation,
 * nfs4_call_end(), and reads the reply with nfs4_reply_begin() and nfs4_get_res().
 * A server reads with nfs4_call_begin() and nfs4_get_op(), answers each operation
 * with nfs4_put_res() before it looks at the next.  Callbacks: the same with cb set.
 */
#ifndef CR_NFS4_PROTO_H
#define CR_NFS4_PROTO_H

#include "lib/nfs4/args.h"

#define NFS4_OPS_MAX 1024u /* in one COMPOUND, whatever the session allows */

/* Codecs run in the direction of @x.  A NULL codec: the operation is known by name alone. */
struct nfs4_op {
	const char *name;
	void (*args)(struct xdr *x, void *args);		/* union nfs4_args */
	void (*res)(struct xdr *x, void *res, uint32_t status); /* union nfs4_res */
};

/* The row of an operation, or NULL: OP_ILLEGAL is the answer. */
const struct nfs4_op *nfs4_op(uint32_t op);
const struct nfs4_op *nfs4_cb_op(uint32_t op);

/* The head of a COMPOUND or CB_COMPOUND call. */
struct nfs4_call_head {
	bool cb;
	struct xdr_bytes tag;
	uint32_t minor, ident; /* ident: of callbacks, no meaning in 4.1 */
	uint32_t nops;
	size_t mark; /* encoding: where nops is put at the end */
};

void nfs4_call_begin(struct xdr *x, struct nfs4_call_head *head);
void nfs4_put_op(struct xdr *x, struct nfs4_call_head *head, uint32_t op, void *args);
void nfs4_call_end(struct xdr *x, struct nfs4_call_head *head);

/* Of a reply. */
struct nfs4_reply_head {
	bool cb;
	uint32_t status;
	struct xdr_bytes tag;
	uint32_t nres;
	size_t mark;
};

void nfs4_reply_begin(struct xdr *x, struct nfs4_reply_head *head);
/* Encoding: the status of the whole is that of the last operation. */
void nfs4_put_res(struct xdr *x, struct nfs4_reply_head *head, uint32_t op, uint32_t status,
		  void *res);
void nfs4_reply_end(struct xdr *x, struct nfs4_reply_head *head);

/**
 * nfs4_get_res - the next result of a reply, which has to be that of @op
 *
 * @res is filled as far as the operation's status has a body.  Return: its status;
 * NFS4ERR_BADXDR with x->error set when the reply is not understood.
 */
uint32_t nfs4_get_res(struct xdr *x, const struct nfs4_reply_head *head, uint32_t op, void *res);

/* Pieces that several files use; all run in both directions. */
void nfs4_stateid(struct xdr *x, struct nfs4_stateid *stateid);
void nfs4_fh(struct xdr *x, struct nfs4_fh *fh);
void nfs4_bitmap(struct xdr *x, struct nfs4_bitmap *map);
void nfs4_time(struct xdr *x, struct nfs4_time *time);
void nfs4_fattr(struct xdr *x, struct nfs4_fattr *fattr);
void nfs4_change_info(struct xdr *x, struct nfs4_change_info *cinfo);
void nfs4_owner(struct xdr *x, struct nfs4_owner *owner);
void nfs4_netloc(struct xdr *x, struct nfs4_netloc *loc);
void nfs4_netlocs(struct xdr *x, struct nfs4_netlocs *locs);
void nfs4_write_response(struct xdr *x, struct nfs4_write_response *w);
void nfs4_name(struct xdr *x, struct xdr_bytes *name); /* at most NFS4_OPAQUE_LIMIT bytes */

/* What is inside lists: one item at a time, to and from struct xdr over their bytes. */
void nfs4_entry(struct xdr *x, struct nfs4_entry *entry);
void nfs4_content(struct xdr *x, struct nfs4_content *content);
/* Stateid number @i of TEST_STATEID's, i < n; status number @i of its reply. */
struct nfs4_stateid nfs4_stateid_at(const struct nfs4_test_stateid_args *args, uint32_t i);
uint32_t nfs4_status_at(const struct nfs4_test_stateid_res *res, uint32_t i);

#endif
