// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * grant.c - copies from one server to another: RFC 7862 sections 4.4 to 4.9, 15.3.
 *
 * COPY_NOTIFY asks the source's server for a stateid that the destination's may read
 * with, and for the addresses where it is to be found.  copy.c hands both to the other
 * one in a COPY.  OFFLOAD_CANCEL takes the stateid back.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "fs/nfs/nfs.h"

static_assert(sizeof(struct nfs_grant) <= COPY_GRANT_BYTES, "a grant fits");

const struct nfs_grant *nfs_grant_of(const struct copy_grant *grant)
{
	return (const struct nfs_grant *)grant->bytes;
}

/* What the destination's server said, or the source's through it. */
int nfs_grant_verdict(struct copy_result *res, uint32_t status)
{
	switch (status) {
	case NFS4ERR_NOTSUPP:
	case NFS4ERR_OP_ILLEGAL:
		return nfs_refuse(res, COPY_GRANT,
				  "the NFS server of the destination does not copy from other "
				  "servers (NFS4ERR_NOTSUPP)",
				  EOPNOTSUPP, COPY_THIS_PAIR);
	case NFS4ERR_OFFLOAD_DENIED:
		return nfs_refuse(res, COPY_GRANT,
				  "the NFS server of the destination may not copy from the "
				  "source's (NFS4ERR_OFFLOAD_DENIED)",
				  EOPNOTSUPP, COPY_THIS_PAIR);
	case NFS4ERR_OFFLOAD_NO_REQS:
		return nfs_refuse(res, COPY_GRANT,
				  "the NFS server of the destination cannot copy as it was asked "
				  "to (NFS4ERR_OFFLOAD_NO_REQS)",
				  EOPNOTSUPP, COPY_THIS_FILE);
	case NFS4ERR_PARTNER_NOTSUPP:
		return nfs_refuse(res, COPY_GRANT,
				  "the NFS server of the destination cannot read from the "
				  "source's (NFS4ERR_PARTNER_NOTSUPP)",
				  EOPNOTSUPP, COPY_THIS_PAIR);
	case NFS4ERR_PARTNER_NO_AUTH:
		return nfs_refuse(res, COPY_GRANT,
				  "the NFS server of the source does not let the destination's "
				  "read (NFS4ERR_PARTNER_NO_AUTH)",
				  EACCES, COPY_THIS_FILE);
	case NFS4ERR_WRONG_TYPE:
	case NFS4ERR_INVAL:
		return nfs_refuse(res, COPY_GRANT,
				  "the NFS server of the destination refuses this range "
				  "(NFS4ERR_INVAL)",
				  EINVAL, COPY_THIS_RANGE);
	default:
		return nfs4_status_errno(status);
	}
}

/* nfs_grant_locs - where the source is, as COPY wants it; refers to @grant */
void nfs_grant_locs(const struct nfs_grant *grant, struct nfs4_netlocs *locs)
{
	locs->n = grant->n;
	for (uint32_t i = 0; i < grant->n; i++)
		locs->loc[i] = (struct nfs4_netloc){NL4_NETADDR, xdr_str(grant->at[i].netid),
						    xdr_str(grant->at[i].uaddr)};
}

static bool keep(char *to, size_t size, const struct xdr_bytes *from)
{
	if (!from->len || from->len >= size || memchr(from->data, '\0', from->len))
		return false;
	memcpy(to, from->data, from->len);
	to[from->len] = '\0';
	return true;
}

/* Addresses alone: names would be looked up by whoever hears them. */
static void keep_locs(struct nfs_grant *grant, const struct nfs4_netlocs *locs)
{
	grant->n = 0;
	for (uint32_t i = 0; i < locs->n && grant->n < NFS_GRANT_LOCS; i++) {
		const struct nfs4_netloc *loc = &locs->loc[i];

		if (loc->type == NL4_NETADDR &&
		    keep(grant->at[grant->n].netid, sizeof(grant->at[0].netid), &loc->name) &&
		    keep(grant->at[grant->n].uaddr, sizeof(grant->at[0].uaddr), &loc->uaddr))
			grant->n++;
	}
}

static int possible(const struct nfs_file *in, const struct nfs_file *out, struct copy_result *res)
{
	if (in->clp->minor < 2 || out->clp->minor < 2)
		return nfs_refuse(res, COPY_GRANT,
				  "one of the servers speaks NFS 4.1, which has no copying",
				  EOPNOTSUPP, COPY_THIS_PAIR);
	if (!in->open || !out->open)
		return nfs_refuse(res, COPY_GRANT, "the file is not open for data", EBADF,
				  COPY_THIS_FILE);
	return 0;
}

/* One COPY_NOTIFY; its status, or an error. */
static int notify(struct nfs_file *in, const struct copy_req *creq, struct nfs_grant *grant,
		  uint32_t *status)
{
	char uaddr[NFS_UADDR_SIZE];
	const char *netid =
		rpc_addr_to_universal(&nfs_of(creq->out)->clp->addr, uaddr, sizeof(uaddr));
	struct nfs4_copy_notify_args args = {.dst = {NL4_NETADDR, xdr_str(netid), xdr_str(uaddr)}};
	struct nfs4_copy_notify_res answer;
	struct nfs4_void none;
	struct nfs_req req;
	unsigned tries = 0;
	bool again;
	int err;

	do {
		args.src = nfs_stateid(in);
		nfs_begin(&req, in->clp);
		req.once = true;
		req.stop = creq->stop;
		nfs_add(&req, OP_PUTFH, &in->fh, &none);
		nfs_add(&req, OP_COPY_NOTIFY, &args, &answer);
		err = nfs_call(&req);
		again = !err && nfs_state_again(in, &args.src, req.status, &tries, &err);
		if (!err && !req.status) {
			grant->fh = in->fh;
			grant->stateid = answer.stateid;
			keep_locs(grant, &answer.source);
		}
		nfs_end(&req);
	} while (again);
	*status = req.status;
	return err;
}

/* nfs_grant - the source's server lets the destination's read */
int nfs_grant(const struct copy_req *req, struct copy_grant *to, struct copy_result *res)
{
	struct nfs_grant *grant = (struct nfs_grant *)to->bytes;
	struct nfs_file *in = nfs_of(req->in), *out = nfs_of(req->out);
	uint32_t status;
	int err = possible(in, out, res);

	if (!err)
		err = notify(in, req, grant, &status);
	if (err == -EINTR && req->stop && __atomic_load_n(req->stop, __ATOMIC_RELAXED))
		return -ECANCELED;
	if (err)
		return err;
	if (status == NFS4ERR_NOTSUPP || status == NFS4ERR_OP_ILLEGAL)
		return nfs_refuse(res, COPY_GRANT,
				  "the NFS server of the source lets no other server read "
				  "(NFS4ERR_NOTSUPP)",
				  EOPNOTSUPP, COPY_THIS_PAIR);
	if (status)
		return nfs4_status_errno(status);
	if (grant->n)
		return 0;
	nfs_revoke(req->in, to);
	return nfs_refuse(res, COPY_GRANT,
			  "the NFS server of the source does not say at which address it is",
			  EOPNOTSUPP, COPY_THIS_PAIR);
}

/* nfs_revoke - the destination's server has read what it should; best effort, the lease ends too */
void nfs_revoke(struct file *file, const struct copy_grant *from)
{
	const struct nfs_grant *grant = nfs_grant_of(from);
	struct nfs4_stateid_args args = {grant->stateid};
	struct nfs_file *in = nfs_of(file);
	struct nfs4_void none;
	struct nfs_req req;
	bool up;

	pthread_mutex_lock(&in->clp->lock);
	up = in->clp->conn_up && in->clp->session_up;
	pthread_mutex_unlock(&in->clp->lock);
	if (!up)
		return;
	nfs_begin(&req, in->clp);
	nfs_add(&req, OP_PUTFH, &in->fh, &none);
	nfs_add(&req, OP_OFFLOAD_CANCEL, &args, &none);
	nfs_call(&req);
	nfs_end(&req);
}
