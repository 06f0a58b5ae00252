// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * v4.c - what libnfs lacks of version 4.0, by COMPOUNDs of our own.
 *
 * Its ways to set attributes open the file for writing first, which does not do for a
 * directory or a symbolic link, and its times have no nanoseconds; it makes no pipes
 * and sockets.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/libnfs/ln.h"
#include "lib/bytes.h"

#define WORDS	 2u
#define VALS_MAX 96u

/* Attributes in the order of their bits. */
struct packed {
	uint32_t map[WORDS];
	char vals[VALS_MAX];
	size_t len;
};

static void put_u32(struct packed *p, uint32_t v)
{
	put_be32((uint8_t *)p->vals + p->len, v);
	p->len += 4;
}

static void put_bit(struct packed *p, unsigned bit)
{
	p->map[bit / 32] |= 1u << bit % 32;
}

static void put_owner(struct packed *p, unsigned bit, uint32_t id)
{
	char text[16];
	int len;

	if (id == (uint32_t)-1)
		return;
	len = snprintf(text, sizeof(text), "%u", id);
	put_bit(p, bit);
	put_u32(p, (uint32_t)len);
	memset(p->vals + p->len, 0, 4 * ((size_t)len / 4 + 1));
	memcpy(p->vals + p->len, text, (size_t)len);
	p->len += ((size_t)len + 3) & ~(size_t)3;
}

static void put_time(struct packed *p, unsigned bit, const struct timespec *ts)
{
	if (ts->tv_nsec == UTIME_OMIT)
		return;
	put_bit(p, bit);
	put_u32(p, ts->tv_nsec == UTIME_NOW ? SET_TO_SERVER_TIME4 : SET_TO_CLIENT_TIME4);
	if (ts->tv_nsec == UTIME_NOW)
		return;
	put_u32(p, (uint32_t)((uint64_t)ts->tv_sec >> 32));
	put_u32(p, (uint32_t)ts->tv_sec);
	put_u32(p, (uint32_t)ts->tv_nsec);
}

static void pack(struct packed *p, const struct iattr *attr, unsigned what)
{
	memset(p, 0, sizeof(*p));
	if (what == ATTR_MODE) {
		put_bit(p, FATTR4_MODE);
		put_u32(p, attr->mode & 07777);
	} else if (what == ATTR_OWNER) {
		put_owner(p, FATTR4_OWNER, attr->uid);
		put_owner(p, FATTR4_OWNER_GROUP, attr->gid);
	} else {
		put_time(p, FATTR4_TIME_ACCESS_SET, &attr->atime);
		put_time(p, FATTR4_TIME_MODIFY_SET, &attr->mtime);
	}
}

static void answered(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct ln_call *call = arg;
	const struct COMPOUND4res *res = data;
	int err = 0;

	if (status == RPC_STATUS_TIMEOUT)
		err = -ETIMEDOUT;
	else if (status != RPC_STATUS_SUCCESS)
		err = -ENOTCONN;
	else if (res->status)
		err = call->s->lib.nfsstat4_to_errno((int)res->status);
	ln_finish(call, err);
}

/* A LOOKUP for each name of @path; operations put in. */
static unsigned lookups(struct nfs_argop4 *op, char *path)
{
	unsigned n = 0;
	char *at = path;

	for (;;) {
		size_t len;

		at += strspn(at, "/");
		len = strcspn(at, "/");
		if (!len)
			return n;
		op[n].argop = OP_LOOKUP;
		op[n].nfs_argop4_u.oplookup.objname.utf8string_len = (unsigned)len;
		op[n++].nfs_argop4_u.oplookup.objname.utf8string_val = at;
		at += len;
	}
}

/* Names down to where @last is to be done. */
static int start_at(struct ln_session *s, struct ln_call *c, const char *where,
		    const struct nfs_argop4 *last)
{
	char *path = strdup(where);
	struct nfs_argop4 *op = calloc(strlen(where) / 2 + 3, sizeof(*op));
	struct COMPOUND4args args = {.argarray = {.argarray_val = op}};
	unsigned n = 0;
	int err = -1;

	if (path && op) {
		op[n++].argop = OP_PUTROOTFH;
		n += lookups(op + n, path);
		op[n++] = *last;
		args.argarray.argarray_len = n;
		err = s->lib.rpc_nfs4_compound_async(s->lib.nfs_get_rpc_context(s->ctx), answered,
						     &args, c);
	}
	free(op);
	free(path);
	return err;
}

static struct fattr4 attributes(struct packed *p)
{
	return (struct fattr4){.attrmask = {WORDS, p->map},
			       .attr_vals = {(unsigned)p->len, p->vals}};
}

/* With the anonymous stateid. */
static int start_setattr(struct ln_session *s, struct ln_call *c)
{
	struct nfs_argop4 op = {.argop = OP_SETATTR};

	op.nfs_argop4_u.opsetattr.obj_attributes = attributes(c->out);
	return start_at(s, c, c->path, &op);
}

/* ln_setattr_v4 - one at a time, owner first: in one SETATTR the order is the server's */
int ln_setattr_v4(struct ln_session *s, const char *path, const struct iattr *attr)
{
	static const unsigned order[] = {ATTR_OWNER, ATTR_MODE, ATTR_TIMES};
	int err = 0;

	for (unsigned i = 0; i < 3 && !err; i++) {
		struct packed p;
		struct ln_call call = {.start = start_setattr, .path = path, .out = &p};

		if (!(attr->valid & order[i]))
			continue;
		pack(&p, attr, order[i]);
		if (p.len)
			err = ln_do(s, &call);
	}
	return err;
}

static int start_create(struct ln_session *s, struct ln_call *c)
{
	struct nfs_argop4 op = {.argop = OP_CREATE};
	struct CREATE4args *args = &op.nfs_argop4_u.opcreate;

	args->objtype.type = S_ISFIFO(c->mode) ? NF4FIFO : NF4SOCK;
	args->objname.utf8string_val = (char *)(uintptr_t)c->path2;
	args->objname.utf8string_len = (unsigned)strlen(c->path2);
	args->createattrs = attributes(c->out);
	return start_at(s, c, c->path, &op);
}

/* ln_create_v4 - a pipe or a socket @name in the directory @path */
int ln_create_v4(struct ln_session *s, const char *path, const char *name, mode_t mode)
{
	const struct iattr attr = {.mode = mode};
	struct packed p;
	struct ln_call call = {
		.start = start_create, .path = path, .path2 = name, .out = &p, .mode = mode};

	pack(&p, &attr, ATTR_MODE);
	return ln_do(s, &call);
}
