// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fh.c - file handles, and the files behind them.
 *
 *	0	1, the version of this layout
 *	1	kind: FH_NODE, FH_FILE
 *	2	bytes of the storage's handle
 *	3	0
 *	4	id of the export, or of the node, 8 bytes
 *	12	type of the storage's handle, 4 bytes
 *	16	the storage's handle
 *	end - 8	signature of all before it
 *
 * The storage's handle opens any file on its file system, in the export or not: the
 * signature is what makes sure that the client got it from us.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "nfsd/export.h"
#include "nfsd/nfsd.h"
#include "nfsd/paths.h"
#include "nfsd/state.h"

enum { FH_NODE, FH_FILE };

#define FH_VERSION 1
#define FH_HEAD	   16u
#define FH_MAC	   8u

#define ROTL(x, n) ((x) << (n) | (x) >> (64 - (n)))

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = ROTL(v[1], 13) ^ v[0];
	v[3] = ROTL(v[3], 16) ^ v[2];
	v[0] = ROTL(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = ROTL(v[1], 17) ^ v[2];
	v[3] = ROTL(v[3], 21) ^ v[0];
	v[2] = ROTL(v[2], 32);
}

/* SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012). */
uint64_t siphash(const uint8_t key[16], const void *data, size_t len)
{
	uint64_t k0 = get_le64(key), k1 = get_le64(key + 8), m;
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
			 k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u};
	const uint8_t *p = data;
	uint8_t last[8] = {0};

	for (size_t left = len; left >= 8; left -= 8, p += 8) {
		m = get_le64(p);
		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	memcpy(last, p, len % 8);
	last[7] = (uint8_t)len;
	m = get_le64(last);
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void fh_sign(const struct nfsd *s, struct nfs4_fh *fh)
{
	put_le64(fh->data + fh->len, siphash(s->key, fh->data, fh->len));
	fh->len += FH_MAC;
}

static void fh_make(const struct nfsd *s, struct nfs4_fh *fh, uint64_t id,
		    const struct file_handle_bytes *h)
{
	memset(fh, 0, sizeof(*fh));
	fh->data[0] = FH_VERSION;
	put_le64(fh->data + 4, id);
	fh->len = FH_HEAD;
	if (h) {
		fh->data[1] = FH_FILE;
		fh->data[2] = h->len;
		put_le32(fh->data + 12, (uint32_t)h->type);
		memcpy(fh->data + FH_HEAD, h->bytes, h->len);
		fh->len += h->len;
	}
	fh_sign(s, fh);
}

/* Is it one of ours? */
static bool fh_good(const struct nfsd *s, const struct nfs4_fh *fh)
{
	const uint8_t *d = fh->data;
	size_t len;

	if (fh->len < FH_HEAD + FH_MAC || d[0] != FH_VERSION || d[1] > FH_FILE || d[3])
		return false;
	len = fh->len - FH_MAC;
	if (d[2] != len - FH_HEAD || d[2] > sizeof(((struct file_handle_bytes *)0)->bytes))
		return false;
	return get_le64(d + len) == siphash(s->key, d, len);
}

void obj_get(struct obj *obj)
{
	obj->refs++;
}

void obj_put(struct obj *obj)
{
	if (!obj || --obj->refs)
		return;
	if (obj->io)
		io_put(obj->io);
	else
		cr_close(obj->file);
	free(obj);
}

void set_current(struct compound *c, struct obj *obj)
{
	obj_put(c->cur);
	c->cur = obj;
	c->has_cur_stateid = false;
}

static struct obj *obj_new(void)
{
	struct obj *obj = calloc(1, sizeof(*obj));

	if (obj)
		obj->refs = 1;
	return obj;
}

/* May this client use the export at all? */
static uint32_t admit(const struct compound *c, const struct export *ex,
		      const struct client_opts **optsp)
{
	const struct client_opts *opts = export_opts(ex, &c->peer);

	*optsp = opts;
	if (!opts)
		return NFS4ERR_ACCESS;
	if (!opts->insecure && rpc_addr_port(&c->peer) >= 1024)
		return NFS4ERR_PERM;
	return NFS4_OK;
}

uint32_t obj_of_node(struct compound *c, const struct node *node, struct obj **objp)
{
	struct file *file;
	struct obj dir;
	int err;

	if (node->export) {
		memset(&dir, 0, sizeof(dir));
		dir.export = node->export;
		cred_root(c->w);
		err = cr_openat(node->export->root, "", O_PATH, 0, &file);
		return err ? nfsd_status(err) : obj_from_file(c, &dir, file, objp);
	}
	*objp = obj_new();
	if (!*objp)
		return NFS4ERR_DELAY;
	(*objp)->node = node;
	fh_make(c->s, &(*objp)->fh, node->id, NULL);
	return NFS4_OK;
}

uint32_t obj_root(struct compound *c, struct obj **objp)
{
	return obj_of_node(c, &c->exports->root, objp);
}

uint32_t obj_from_fh(struct compound *c, const struct nfs4_fh *fh, struct obj **objp)
{
	const struct export *ex;
	struct obj *obj;
	uint64_t id;
	uint32_t status;

	if (!fh_good(c->s, fh))
		return NFS4ERR_BADHANDLE;
	id = get_le64(fh->data + 4);
	if (fh->data[1] == FH_NODE) {
		const struct node *node = node_by_id(c->exports, id);

		return node && !node->export ? obj_of_node(c, node, objp) : NFS4ERR_STALE;
	}
	ex = export_by_id(c->exports, id);
	if (!ex)
		return NFS4ERR_STALE;
	obj = obj_new();
	if (!obj)
		return NFS4ERR_DELAY;
	obj->export = ex;
	obj->fh = *fh;
	status = admit(c, ex, &obj->opts);
	if (status) {
		obj_put(obj);
		return status;
	}
	*objp = obj;
	return NFS4_OK;
}

uint32_t obj_foreign(const struct nfs4_fh *fh, struct obj **objp)
{
	struct obj *obj = obj_new();

	if (!obj)
		return NFS4ERR_DELAY;
	obj->foreign = true;
	obj->fh = *fh;
	*objp = obj;
	return NFS4_OK;
}

/* Its handle, and what the client may do with it; obj->file is open. */
static uint32_t name_obj(struct compound *c, const struct obj *dir, struct obj *obj)
{
	struct file_handle_bytes h;
	uint32_t status = nfsd_status(path_handle(dir->export, obj->file, NULL, &h));

	obj->export = dir->export;
	obj->fresh = true;
	obj->opts = dir->opts;
	if (!status && !obj->opts)
		status = admit(c, dir->export, &obj->opts);
	if (!status)
		fh_make(c->s, &obj->fh, obj->export->id, &h);
	return status;
}

uint32_t obj_from_file(struct compound *c, const struct obj *dir, struct file *file,
		       struct obj **objp)
{
	struct obj *obj = obj_new();
	uint32_t status;

	if (!obj) {
		cr_close(file);
		return NFS4ERR_DELAY;
	}
	obj->file = file;
	status = name_obj(c, dir, obj);
	if (status)
		obj_put(obj);
	else
		*objp = obj;
	return status;
}

uint32_t obj_from_io(struct compound *c, const struct obj *dir, struct io *io, struct obj **objp)
{
	struct obj *obj = obj_new();
	uint32_t status;

	if (!obj)
		return NFS4ERR_DELAY;
	io_get(io);
	obj->io = io;
	obj->file = io->file;
	status = name_obj(c, dir, obj);
	if (status)
		obj_put(obj);
	else
		*objp = obj;
	return status;
}

/* Of other rooms not every open file can be asked and opened again. */
void obj_borrow(struct obj *obj, struct io *io)
{
	if (obj->file || cr_file_fd(io->file) < 0)
		return;
	io_get(io);
	obj->io = io;
	obj->file = io->file;
}

uint32_t fh_of_name(struct compound *c, const struct obj *dir, const char *name, struct nfs4_fh *fh)
{
	struct file_handle_bytes h;
	uint32_t status = nfsd_status(path_handle(dir->export, dir->file, name, &h));

	if (status)
		return status;
	fh_make(c->s, fh, dir->export->id, &h);
	obj_learn(c, dir, name, fh);
	return NFS4_OK;
}

/* What the storage calls it, of a handle that is ours. */
static struct file_handle_bytes storage_handle(const struct nfs4_fh *fh)
{
	struct file_handle_bytes h = {.type = (int32_t)get_le32(fh->data + 12), .len = fh->data[2]};

	memcpy(h.bytes, fh->data + FH_HEAD, h.len);
	return h;
}

void obj_learn(struct compound *c, const struct obj *dir, const char *name,
	       const struct nfs4_fh *fh)
{
	struct file_handle_bytes h, up;

	if (!dir->export || !dir->export->by_path)
		return;
	h = storage_handle(fh);
	up = storage_handle(&dir->fh);
	path_learn(c->s, dir->export, &h, &up, name);
}

bool name_handle(const struct obj *dir, const char *name, struct file_handle_bytes *h)
{
	return dir->export->by_path && !path_handle(dir->export, dir->file, name, h);
}

void name_gone(struct compound *c, const struct obj *dir, const char *name,
	       const struct file_handle_bytes *h)
{
	struct file_handle_bytes up = storage_handle(&dir->fh);

	path_forget(c->s, dir->export, h, &up, name);
}

void name_come(struct compound *c, const struct obj *dir, const char *name,
	       const struct file_handle_bytes *h)
{
	struct file_handle_bytes up = storage_handle(&dir->fh);

	path_learn(c->s, dir->export, h, &up, name);
}

/* A file that is known by its names is not there without one, open or not. */
static void borrow_open(struct compound *c, struct obj *obj)
{
	struct io *io = obj->export->by_path ? NULL : io_of_anybody(c->s, &obj->fh);

	if (io)
		obj_borrow(obj, io);
	io_put(io);
}

uint32_t obj_file(struct compound *c, struct obj *obj, struct file **filep)
{
	struct file_handle_bytes h;
	int err;

	if (!obj->export)
		return NFS4ERR_ROFS; /* nothing of the pseudo root is on any storage */
	if (!obj->file)
		borrow_open(c, obj);
	if (!obj->file) {
		h = storage_handle(&obj->fh);
		cred_root(c->w);
		if (obj->export->by_path)
			err = path_open(c->s, obj->export, &h, &obj->file);
		else
			err = cr_open_handle(obj->export->root, &h, O_PATH | O_NOFOLLOW,
					     &obj->file);
		if (err)
			return err == -EPERM ? NFS4ERR_ACCESS : nfsd_status(err);
		obj->fresh = true;
	}
	*filep = obj->file;
	return NFS4_OK;
}

uint32_t obj_stat(struct compound *c, struct obj *obj, const struct statx **stxp)
{
	struct file *file = NULL;
	uint32_t status;

	*stxp = &obj->stx;
	if (obj->stx.stx_mask)
		return NFS4_OK;
	status = obj_file(c, obj, &file);
	if (status)
		return status;
	/* What opening it saw is as good as asking again. */
	return nfsd_status(obj->fresh ? cr_getattr_open(file, &obj->stx)
				      : cr_getattr(file, NULL, &obj->stx));
}

void obj_changed(struct obj *obj)
{
	obj->stx.stx_mask = 0;
	obj->fresh = false;
}

bool obj_is_root(const struct obj *obj)
{
	const struct file_id *id;

	if (!obj->export || !obj->file)
		return false;
	id = cr_file_id(obj->file);
	return id->ino == obj->export->stx.stx_ino && id->dev == cr_file_id(obj->export->root)->dev;
}
