// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * readdir.c - READDIR: RFC 8881 section 18.23.
 *
 * A cookie is where the storage's directory goes on after an entry (d_off of
 * getdents64(2)), which stays what it is over restarts; so the verifier is zero.
 */
#include <errno.h>
#include <string.h>

#include "nfsd/export.h"
#include "nfsd/nfsd.h"

/* What READDIR4resok has around the entries: verifier, end of list, eof. */
#define AROUND 16u

struct fill {
	struct compound *c;
	const struct nfs4_readdir_args *args;
	struct xdr x;
	uint32_t entries;
	bool full;
};

/* Only RDATTR_ERROR, when that was asked for; else the error is that of the operation. */
static uint32_t put_error(struct fill *f, uint32_t status)
{
	struct nfs4_attrs a;

	if (!nfs4_bit(&f->args->attrs, FATTR4_RDATTR_ERROR))
		return status;
	memset(&a, 0, sizeof(a));
	nfs4_bit_set(&a.map, FATTR4_RDATTR_ERROR);
	a.rdattr_error = status;
	nfs4_attrs(&f->x, &a);
	return f->x.error ? NFS4ERR_REP_TOO_BIG : NFS4_OK;
}

static uint32_t put_attrs(struct fill *f, struct obj *obj)
{
	struct nfs4_bitmap want = f->args->attrs;
	size_t mark = xdr_mark(&f->x);
	uint32_t status = attrs_encode(f->c, obj, &want, &f->x);

	if (!status || f->x.error)
		return f->x.error ? NFS4ERR_REP_TOO_BIG : NFS4_OK;
	xdr_rewind(&f->x, mark);
	return put_error(f, status);
}

/* One entry with its attributes, or none of it and f->full. */
static uint32_t put_entry(struct fill *f, uint64_t cookie, const char *name, struct obj *obj)
{
	struct xdr_bytes text = xdr_str(name);
	size_t mark = xdr_mark(&f->x);
	uint32_t status;

	xdr_put_u32(&f->x, 1);
	xdr_put_u64(&f->x, cookie);
	xdr_var(&f->x, &text, NFS4_NAME_MAX);
	status = obj ? put_attrs(f, obj) : put_error(f, NFS4ERR_ACCESS);
	if (!f->x.error && !status) {
		f->entries++;
		return NFS4_OK;
	}
	f->full = f->x.error;
	xdr_rewind(&f->x, mark);
	return f->full ? NFS4_OK : status;
}

static uint32_t fill_nodes(struct fill *f, bool *eof)
{
	uint64_t cookie = 2; /* 0 is the start; 1 and 2 are not used */
	uint32_t status = NFS4_OK;

	for (const struct node *kid = f->c->cur->node->kids; kid && !status; kid = kid->next) {
		struct obj *obj = NULL;

		if (++cookie <= f->args->cookie)
			continue;
		status = obj_of_node(f->c, kid, &obj);
		if (status == NFS4ERR_ACCESS || status == NFS4ERR_PERM) {
			status = NFS4_OK; /* exported to others: not shown */
			continue;
		}
		if (!status)
			status = put_entry(f, cookie, kid->name, obj);
		obj_put(obj);
		if (f->full)
			return status;
	}
	*eof = !status;
	return status;
}

static const uint8_t needs_file[] = {FATTR4_FILEHANDLE};

/* Attributes by name alone, without opening it, unless its handle is wanted or it is elsewhere. */
static uint32_t entry_obj(struct fill *f, struct file *dir, const char *name, struct obj *obj)
{
	const struct obj *parent = f->c->cur;
	uint32_t status;

	memset(obj, 0, sizeof(*obj));
	obj->export = parent->export;
	obj->opts = parent->opts;
	obj->file = dir; /* the same file system, which is what fsid asks for */
	status = nfsd_status(cr_getattr(dir, name, &obj->stx));
	if (!status && nfs4_bit(&f->args->attrs, needs_file[0]))
		status = fh_of_name(f->c, parent, name, &obj->fh);
	return status;
}

static bool other_device(struct file *dir, const struct statx *stx)
{
	return (((uint64_t)stx->stx_dev_major << 32) | stx->stx_dev_minor) != cr_file_id(dir)->dev;
}

static uint32_t put_name(struct fill *f, struct file *dir, const struct dirent_view *e)
{
	struct obj byname, *obj = NULL;
	uint32_t status = entry_obj(f, dir, e->name, &byname);
	struct file *file;

	if (status == NFS4ERR_NOENT)
		return NFS4_OK; /* gone meanwhile */
	if (status || !other_device(dir, &byname.stx))
		return put_entry(f, e->next, e->name, status ? NULL : &byname);
	/* A subvolume has its own numbers; what is mounted there is not ours. */
	if (cr_openat(dir, e->name, O_PATH | O_NOFOLLOW, 0, &file))
		return put_entry(f, e->next, e->name, NULL);
	if (cr_file_id(file)->mount != cr_file_id(dir)->mount) {
		cr_close(file);
		return NFS4_OK;
	}
	status = obj_from_file(f->c, f->c->cur, file, &obj);
	if (!status)
		obj_learn(f->c, f->c->cur, e->name, &obj->fh);
	status = put_entry(f, e->next, e->name, status ? NULL : obj);
	obj_put(obj);
	return status;
}

static uint32_t fill_dir(struct fill *f, struct file *open, bool *eof)
{
	struct dirbuf buf = {.data = (char *)f->c->w->dir, .size = NFSD_DIR_ROOM};
	struct file *dir = f->c->cur->file;
	uint32_t status = NFS4_OK;
	struct dirent_view e;
	ssize_t n;

	if (f->args->cookie) {
		off_t at = cr_seek(open, (off_t)f->args->cookie, SEEK_SET);

		if (at < 0)
			return NFS4ERR_BAD_COOKIE;
	}
	while ((n = cr_readdir(open, &buf)) > 0) {
		while (!status && !f->full && dirbuf_next(&buf, &e))
			status = put_name(f, dir, &e);
		if (status || f->full)
			return status;
	}
	*eof = !n;
	return nfsd_status((int)n);
}

static uint32_t fill_file(struct fill *f, bool *eof)
{
	struct compound *c = f->c;
	struct file *dir, *open;
	uint32_t status = dir_of(c, c->cur, false, &dir);

	if (status)
		return status;
	cred_caller(c, c->cur);
	status = nfsd_status(cr_openat(dir, "", O_RDONLY | O_DIRECTORY, 0, &open));
	if (status)
		return status;
	status = fill_dir(f, open, eof);
	cr_close(open);
	return status;
}

uint32_t op_readdir(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	static const uint8_t zero[NFS4_VERIFIER_SIZE];
	struct nfs4_readdir_res *r = &res->readdir;
	struct fill f = {.c = c, .args = &args->readdir};
	uint32_t room = args->readdir.maxcount, status;
	void *buf;

	if (args->readdir.cookie == 1 || args->readdir.cookie == 2)
		return NFS4ERR_BAD_COOKIE;
	if (args->readdir.cookie && memcmp(args->readdir.verf, zero, sizeof(zero)) != 0)
		return NFS4ERR_NOT_SAME;
	if (nfs4_bit(&args->readdir.attrs, FATTR4_TIME_ACCESS_SET) ||
	    nfs4_bit(&args->readdir.attrs, FATTR4_TIME_MODIFY_SET))
		return NFS4ERR_INVAL;
	if (room > NFSD_HEAD_ROOM)
		room = NFSD_HEAD_ROOM;
	buf = data_room(c->w, c->data_used, room);
	if (!buf)
		return NFS4ERR_REP_TOO_BIG;
	if (room < AROUND)
		return NFS4ERR_TOOSMALL;
	xdr_encode(&f.x, buf, room - AROUND);
	r->eof = false;
	status = c->cur->node ? fill_nodes(&f, &r->eof) : fill_file(&f, &r->eof);
	if (status)
		return status;
	if (!f.entries && f.full)
		return NFS4ERR_TOOSMALL;
	memset(r->verf, 0, sizeof(r->verf));
	r->entries = (struct xdr_bytes){buf, (uint32_t)xdr_len(&f.x)};
	c->data_used += (xdr_len(&f.x) + 7) & ~(size_t)7;
	return NFS4_OK;
}
