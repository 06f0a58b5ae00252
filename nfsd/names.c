// SPDX-License-Identifier: GPL-2.0-or-later
/* names.c - filehandles and the way from one to another: RFC 8881 sections 18.8, 18.10 to 18.21. */
#include <errno.h>
#include <string.h>

#include "nfsd/export.h"
#include "nfsd/nfsd.h"
#include "nfsd/state.h"

uint32_t take_name(const struct xdr_bytes *name, char buf[NFSD_NAME])
{
	if (!name->len)
		return NFS4ERR_INVAL;
	if (name->len > NFS4_NAME_MAX)
		return NFS4ERR_NAMETOOLONG;
	if (memchr(name->data, '\0', name->len))
		return NFS4ERR_BADCHAR;
	if (memchr(name->data, '/', name->len))
		return NFS4ERR_BADCHAR;
	memcpy(buf, name->data, name->len);
	buf[name->len] = '\0';
	return !strcmp(buf, ".") || !strcmp(buf, "..") ? NFS4ERR_BADNAME : NFS4_OK;
}

static uint32_t lookup_node(struct compound *c, const char *name, struct obj **objp)
{
	for (const struct node *kid = c->cur->node->kids; kid; kid = kid->next)
		if (!strcmp(kid->name, name))
			return obj_of_node(c, kid, objp);
	return NFS4ERR_NOENT;
}

/*
 * Another file system mounted below the export is not part of it.  When it is
 * exported itself, the way leads into that export.
 */
static uint32_t cross(struct compound *c, struct file *file, struct obj **objp)
{
	const struct file_id *id = cr_file_id(file);
	struct obj dir = {.refs = 0};

	for (const struct export *ex = c->exports->list; ex; ex = ex->next) {
		const struct file_id *root = cr_file_id(ex->root);

		if (root->dev != id->dev || root->ino != id->ino || root->mount != id->mount)
			continue;
		dir.export = ex;
		return obj_from_file(c, &dir, file, objp);
	}
	cr_close(file);
	return NFS4ERR_NOENT;
}

static uint32_t lookup_file(struct compound *c, const char *name, struct obj **objp)
{
	struct file *dir, *file;
	uint32_t status = obj_file(c, c->cur, &dir);
	mode_t type;
	int err;

	if (status)
		return status;
	type = cr_file_id(dir)->type;
	if (type != S_IFDIR)
		return type == S_IFLNK ? NFS4ERR_SYMLINK : NFS4ERR_NOTDIR;
	cred_caller(c, c->cur);
	err = cr_openat(dir, name, O_PATH | O_NOFOLLOW, 0, &file);
	if (err)
		return nfsd_status(err);
	if (cr_file_id(file)->mount != cr_file_id(dir)->mount)
		return cross(c, file, objp);
	status = obj_from_file(c, c->cur, file, objp);
	if (!status)
		obj_learn(c, c->cur, name, &(*objp)->fh);
	return status;
}

uint32_t op_lookup(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	char name[NFSD_NAME];
	uint32_t status = take_name(&args->name.name, name);
	struct obj *obj = NULL;

	if (status)
		return status;
	status = c->cur->node ? lookup_node(c, name, &obj) : lookup_file(c, name, &obj);
	if (!status)
		set_current(c, obj);
	return status;
}

/* The node that has this export, or NULL: it lies below another export. */
static const struct node *node_of(const struct node *n, const struct export *ex)
{
	const struct node *found = n->export == ex ? n : NULL;

	for (const struct node *kid = n->kids; kid && !found; kid = kid->next)
		found = node_of(kid, ex);
	return found;
}

#define UP_MAX 1000

/* Whether the way up from @file leads to the export's root: it may have been moved out. */
static uint32_t below_root(struct compound *c, struct file *file)
{
	const struct file_id *root = cr_file_id(c->cur->export->root);
	struct file *at, *up;
	int err = cr_openat(file, "", O_PATH, 0, &at);

	for (int i = 0; !err && i < UP_MAX; i++) {
		const struct file_id *id = cr_file_id(at);
		uint64_t ino = id->ino, dev = id->dev;

		if (ino == root->ino && dev == root->dev) {
			cr_close(at);
			return NFS4_OK;
		}
		err = cr_openat(at, "..", O_PATH | O_DIRECTORY, 0, &up);
		if (err)
			break;
		cr_close(at);
		at = up;
		if (cr_file_id(at)->ino == ino && cr_file_id(at)->dev == dev) {
			cr_close(at);
			return NFS4ERR_NOENT; /* the top of everything */
		}
	}
	if (!err)
		cr_close(at);
	return NFS4ERR_NOENT;
}

uint32_t op_lookupp(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const struct node *node = c->cur->node;
	struct file *file, *up;
	struct obj *obj = NULL;
	uint32_t status;

	if (!node) {
		status = obj_file(c, c->cur, &file);
		if (status)
			return status;
		if (cr_file_id(file)->type != S_IFDIR)
			return cr_file_id(file)->type == S_IFLNK ? NFS4ERR_SYMLINK : NFS4ERR_NOTDIR;
		if (obj_is_root(c->cur))
			node = node_of(&c->exports->root, c->cur->export);
	}
	if (node) {
		if (!node->parent)
			return NFS4ERR_NOENT;
		status = obj_of_node(c, node->parent, &obj);
	} else {
		cred_caller(c, c->cur);
		status = nfsd_status(cr_openat(file, "..", O_PATH | O_DIRECTORY, 0, &up));
		if (status)
			return status;
		cred_root(c->w);
		status = below_root(c, up);
		if (status)
			cr_close(up);
		else
			status = obj_from_file(c, c->cur, up, &obj);
	}
	if (!status)
		set_current(c, obj);
	return status;
}

/*
 * The source of a COPY from another server is put and saved, whatever its handle looks
 * like: RFC 7862 section 15.2.3.
 */
static bool may_be_foreign(const struct compound *c)
{
	struct xdr peek = *c->in;

	return c->s->opt.inter && c->head.minor >= 2 && c->index + 1 < c->head.nops &&
	       xdr_get_u32(&peek) == OP_SAVEFH;
}

uint32_t op_putfh(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct obj *obj = NULL;
	uint32_t status = obj_from_fh(c, &args->putfh.fh, &obj);

	if ((status == NFS4ERR_BADHANDLE || status == NFS4ERR_STALE) && may_be_foreign(c))
		status = obj_foreign(&args->putfh.fh, &obj);
	if (!status)
		set_current(c, obj);
	return status;
}

uint32_t op_putrootfh(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct obj *obj = NULL;
	uint32_t status = obj_root(c, &obj);

	if (!status)
		set_current(c, obj);
	return status;
}

uint32_t op_getfh(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	res->getfh.fh = c->cur->fh;
	return NFS4_OK;
}

uint32_t op_savefh(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	obj_get(c->cur);
	obj_put(c->saved);
	c->saved = c->cur;
	c->has_saved_stateid = c->has_cur_stateid;
	c->saved_stateid = c->cur_stateid;
	return NFS4_OK;
}

uint32_t op_restorefh(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	if (!c->saved)
		return NFS4ERR_NOFILEHANDLE;
	obj_get(c->saved);
	set_current(c, c->saved);
	c->has_cur_stateid = c->has_saved_stateid;
	c->cur_stateid = c->saved_stateid;
	return NFS4_OK;
}

static void secinfo(union nfs4_res *res)
{
	res->secinfo.n = 1;
	res->secinfo.sec[0] = (struct nfs4_secinfo){.flavor = RPC_AUTH_SYS};
}

/* Both consume the current filehandle: RFC 8881 section 2.6.3.1.1.8. */
static void consume(struct compound *c)
{
	set_current(c, NULL);
}

uint32_t op_secinfo(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	uint32_t status = op_lookup(c, args, res);

	if (status)
		return status;
	secinfo(res);
	consume(c);
	return NFS4_OK;
}

uint32_t op_secinfo_no_name(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	uint32_t status = NFS4_OK;

	if (args->secinfo_no_name.style == SECINFO_STYLE4_PARENT)
		status = op_lookupp(c, args, res);
	else if (args->secinfo_no_name.style != SECINFO_STYLE4_CURRENT_FH)
		status = NFS4ERR_INVAL;
	if (status)
		return status;
	secinfo(res);
	consume(c);
	return NFS4_OK;
}
