// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inter.c - a COPY whose source is on another server: RFC 7862 section 4.
 *
 * A thread opens the file there with our own client, by the handle and the stateid that
 * the client was given by COPY_NOTIFY, and then it is an ordinary cr_copy_range().  It
 * asks in the name of the caller as the export of the destination sees him.  Addresses
 * come from clients: only those of --inter-server are connected to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/thread.h"
#include "nfsd/copy.h"
#include "nfsd/export.h"

#define PATIENCE 5u /* s that the other server may be gone: a restart ends what it has granted */
#define URL_MAX	 (256u + 2 * NFS4_FHSIZE + 2 * NFS4_OTHER_SIZE + 11 * NFSD_GROUPS)

struct far {
	struct acopy *a;
	char url[URL_MAX];
	uint64_t src, dst, count;
	pthread_t thread;
	int stop, err;
	struct copy_result res;
};

static size_t put_hex(char *to, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		snprintf(to + 2 * i, 3, "%02x", bytes[i]);
	return 2 * len;
}

/* Where and as whom the source is to be read: see fs/nfs/url.c. */
static void name_source(struct far *f, const struct sockaddr_storage *addr, const struct who *who,
			const struct nfs4_fh *fh, const struct nfs4_stateid *id)
{
	char host[64];
	uint8_t seqid[4];
	size_t n;

	rpc_addr_text(addr, host, sizeof(host));
	put_be32(seqid, id->seqid);
	n = (size_t)snprintf(f->url, URL_MAX, "nfs://%s/?version=4.2&timeout=%u&uid=%u&gid=%u",
			     host, PATIENCE, who->uid, who->gid);
	for (uint32_t i = 0; i < who->ngroups && i < RPC_GROUPS_MAX; i++)
		n += (size_t)snprintf(f->url + n, URL_MAX - n, "%s%u",
				      i ? "," : "&groups=", who->group[i]);
	n += (size_t)snprintf(f->url + n, URL_MAX - n, "&stateid=");
	n += put_hex(f->url + n, seqid, sizeof(seqid));
	n += put_hex(f->url + n, id->other, sizeof(id->other));
	n += (size_t)snprintf(f->url + n, URL_MAX - n, "&fh=");
	put_hex(f->url + n, fh->data, fh->len);
}

/* The first of the addresses that may be connected to. */
static bool allowed(struct nfsd *s, const struct nfs4_netlocs *locs, struct sockaddr_storage *addr)
{
	char netid[8], uaddr[80];

	for (uint32_t i = 0; i < locs->n; i++) {
		const struct nfs4_netloc *loc = &locs->loc[i];

		if (loc->type != NL4_NETADDR || loc->name.len >= sizeof(netid) ||
		    loc->uaddr.len >= sizeof(uaddr))
			continue; /* names would have to be looked up */
		memcpy(netid, loc->name.data, loc->name.len);
		netid[loc->name.len] = '\0';
		memcpy(uaddr, loc->uaddr.data, loc->uaddr.len);
		uaddr[loc->uaddr.len] = '\0';
		if (!rpc_addr_from_universal(netid, uaddr, addr) && network_has(s->opt.inter, addr))
			return true;
	}
	return false;
}

/* What an error says of the other server, where it does. */
uint32_t far_status(int err)
{
	switch (err) {
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
	case -ENOTCONN:
	case -EPIPE:
	case -ETIMEDOUT:
	case -EBADMSG:
	case -EREMOTEIO:
	case -EPROTONOSUPPORT:
	case -EOPNOTSUPP:
	case -EXDEV:
	case -ENOENT:
	case -ESTALE:
		return NFS4ERR_PARTNER_NOTSUPP;
	case -EACCES:
	case -EPERM:
		return NFS4ERR_PARTNER_NO_AUTH;
	default:
		return nfsd_status(err);
	}
}

static int run(struct far *f, struct cr_ns *ns, struct file *in, struct file *out)
{
	struct copy_req req = {.in = in,
			       .out = out,
			       .pos_in = (int64_t)f->src,
			       .pos_out = (int64_t)f->dst,
			       .len = f->count,
			       .stop = &f->stop,
			       .progress = &f->a->progress};
	struct statx stx;
	int err = cr_getattr(in, NULL, &stx);

	if (err)
		return err;
	if (f->src > stx.stx_size || f->count > stx.stx_size - f->src)
		return -EINVAL;
	if (!req.len)
		req.len = stx.stx_size - f->src;
	if (req.len > INT64_MAX - f->dst)
		return -EFBIG;
	return cr_copy_range(&req, &f->res);
}

static int copy_from(struct far *f)
{
	struct cr_ns *ns = cr_ns_new(); /* of its own: what it learns ends with it */
	struct file *in = NULL, *out = NULL;
	int err;

	if (!ns)
		return -ENOMEM;
	cr_ns_stop(ns, &f->stop);
	err = cr_open(ns, f->url, O_RDONLY, 0, &in);
	if (!err)
		err = cr_open_fd(ns, cr_file_fd(f->a->out->file), &out);
	if (!err)
		err = run(f, ns, in, out);
	cr_close(out);
	cr_close(in);
	cr_ns_free(ns);
	return err;
}

static void *far_main(void *arg)
{
	struct far *f = arg;

	f->err = copy_from(f);
	if (f->err == -EINTR && __atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		f->err = 0;
		f->res.stopped = 1;
	}
	copy_done(f->a, f->err, &f->res);
	return NULL;
}

uint32_t far_start(struct compound *c, const struct nfs4_copy_args *args, struct acopy *a)
{
	struct sockaddr_storage addr;
	struct far *f;
	struct who who;

	if (!allowed(c->s, &args->source, &addr))
		return NFS4ERR_OFFLOAD_DENIED;
	if (args->dst_offset > INT64_MAX || args->src_offset > INT64_MAX)
		return NFS4ERR_INVAL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NFS4ERR_DELAY;
	f->a = a;
	f->src = args->src_offset;
	f->dst = args->dst_offset;
	f->count = args->count;
	cred_map(c, c->cur, &who);
	name_source(f, &addr, &who, &c->saved->fh, &args->src);
	cred_caller(c, c->cur); /* the thread has the ids of this one */
	if (thread_start(&f->thread, far_main, f)) {
		free(f);
		return NFS4ERR_DELAY;
	}
	a->far = f;
	return NFS4_OK;
}

void far_stop(struct far *f)
{
	__atomic_store_n(&f->stop, 1, __ATOMIC_RELAXED);
}

int far_wait(struct far *f, struct copy_result *res)
{
	int err;

	pthread_join(f->thread, NULL);
	err = f->err;
	*res = f->res;
	free(f);
	return err;
}
