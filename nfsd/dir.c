// SPDX-License-Identifier: GPL-2.0-or-later
/* dir.c - making, removing and renaming names: RFC 8881 sections 18.4, 18.9, 18.25, 18.26. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "nfsd/export.h"
#include "nfsd/nfsd.h"
#include "nfsd/paths.h"
#include "nfsd/state.h"

uint32_t dir_of(struct compound *c, struct obj *obj, bool change, struct file **filep)
{
	uint32_t status;

	if (obj->node)
		return NFS4ERR_ROFS;
	if (change && !obj->opts->rw)
		return NFS4ERR_ROFS;
	status = obj_file(c, obj, filep);
	if (status)
		return status;
	if (cr_file_id(*filep)->type != S_IFDIR)
		return cr_file_id(*filep)->type == S_IFLNK ? NFS4ERR_SYMLINK : NFS4ERR_NOTDIR;
	return NFS4_OK;
}

/* Nobody can ask for both numbers at once with the change, so they are not atomic. */
void dir_before(struct compound *c, struct obj *dir, struct nfs4_change_info *cinfo)
{
	const struct statx *stx;

	*cinfo = (struct nfs4_change_info){.atomic = false};
	if (!dir->fresh)
		obj_changed(dir);
	if (!obj_stat(c, dir, &stx))
		cinfo->before = change_of(c->s, stx);
}

void dir_after(struct compound *c, struct obj *dir, struct nfs4_change_info *cinfo)
{
	const struct statx *stx;

	obj_changed(dir);
	if (obj_stat(c, dir, &stx))
		return;
	change_made(c->s, stx);
	cinfo->after = change_of(c->s, stx);
}

static int make(struct file *dir, const struct nfs4_create_args *a, const char *name, mode_t mode)
{
	char target[4097];

	switch (a->type) {
	case NF4DIR:
		return cr_mkdir(dir, name, mode);
	case NF4LNK:
		if (!a->link.len || memchr(a->link.data, '\0', a->link.len))
			return -EINVAL;
		memcpy(target, a->link.data, a->link.len);
		target[a->link.len] = '\0';
		return cr_symlink(dir, name, target);
	case NF4BLK:
		return cr_mknod(dir, name, S_IFBLK | mode, makedev(a->major, a->minor));
	case NF4CHR:
		return cr_mknod(dir, name, S_IFCHR | mode, makedev(a->major, a->minor));
	case NF4SOCK:
		return cr_mknod(dir, name, S_IFSOCK | mode, 0);
	default:
		return cr_mknod(dir, name, S_IFIFO | mode, 0);
	}
}

static uint32_t may_create(const struct nfs4_create_args *a)
{
	switch (a->type) {
	case NF4DIR:
	case NF4LNK:
	case NF4BLK:
	case NF4CHR:
	case NF4SOCK:
	case NF4FIFO:
		return NFS4_OK;
	default:
		return NFS4ERR_BADTYPE;
	}
}

uint32_t op_create(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfs4_create_args *a = &args->create;
	struct nfs4_create_res *r = &res->create;
	struct file *dir, *file;
	char name[NFSD_NAME];
	struct nfs4_attrs attrs;
	struct obj *obj = NULL;
	uint32_t status = may_create(a);
	int err;

	if (!status)
		status = take_name(&a->name, name);
	if (!status)
		status = dir_of(c, c->cur, true, &dir);
	if (!status)
		status = attrs_take(&a->attr, &attrs, true);
	if (status)
		return status;
	nfs4_bit_clear(&attrs.map, FATTR4_SIZE);
	if (!nfs4_bit(&attrs.map, FATTR4_MODE))
		attrs.mode = a->type == NF4DIR ? 0777 : 0666;
	dir_before(c, c->cur, &r->cinfo);
	cred_caller(c, c->cur);
	err = make(dir, a, name, attrs.mode & 0777);
	if (!err)
		err = cr_openat(dir, name, O_PATH | O_NOFOLLOW, 0, &file);
	if (err)
		return nfsd_status(err);
	status = obj_from_file(c, c->cur, file, &obj);
	if (status)
		return status;
	obj_learn(c, c->cur, name, &obj->fh);
	dir_after(c, c->cur, &r->cinfo);
	memset(&r->attrset, 0, sizeof(r->attrset));
	if (nfs4_bit(&attrs.map, FATTR4_MODE) && !(attrs.mode & ~0777u)) {
		nfs4_bit_clear(&attrs.map, FATTR4_MODE); /* has it already */
		nfs4_bit_set(&r->attrset, FATTR4_MODE);
	}
	status = attrs_apply(c, obj, &attrs, &r->attrset);
	set_current(c, obj);
	return status == NFS4ERR_PERM ? NFS4_OK : status; /* made; what is set is said */
}

/* Is it open with something that forbids this?  Linux clients rename such files instead. */
uint32_t op_remove(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct nfs4_change_info *cinfo = &res->change.cinfo;
	struct file_handle_bytes h;
	struct file *dir;
	char name[NFSD_NAME];
	struct statx stx;
	uint32_t status = take_name(&args->name.name, name);
	bool known;
	int err;

	if (!status)
		status = dir_of(c, c->cur, true, &dir);
	if (status)
		return status;
	if (deleg_on_name(c, c->cur, name))
		return NFS4ERR_DELAY;
	dir_before(c, c->cur, cinfo);
	cred_caller(c, c->cur);
	known = name_handle(c->cur, name, &h);
	err = cr_getattr(dir, name, &stx);
	if (!err)
		err = cr_unlink(dir, name, S_ISDIR(stx.stx_mode) ? AT_REMOVEDIR : 0);
	if (!err && known)
		name_gone(c, c->cur, name, &h);
	dir_after(c, c->cur, cinfo);
	return nfsd_status(err == -EEXIST ? -ENOTEMPTY : err);
}

/* Renaming over something of another kind has an error of its own: RFC 8881 section 18.26.3. */
static uint32_t rename_status(struct file *dir, const char *to, int err)
{
	struct statx stx;

	switch (err) {
	case -ENOTEMPTY:
	case -EEXIST:
		return NFS4ERR_EXIST;
	case -EISDIR:
	case -ENOTDIR:
		return !cr_getattr(dir, to, &stx) ? NFS4ERR_EXIST : NFS4ERR_NOTDIR;
	default:
		return nfsd_status(err);
	}
}

uint32_t op_rename(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct nfs4_rename_res *r = &res->rename;
	char from[NFSD_NAME], to[NFSD_NAME];
	struct file_handle_bytes h, victim;
	struct file *olddir, *newdir;
	uint32_t status = take_name(&args->rename.from, from);
	bool known, replaced, moves;
	int err;

	if (!status)
		status = take_name(&args->rename.to, to);
	if (!status)
		status = dir_of(c, c->saved, true, &olddir);
	if (!status)
		status = dir_of(c, c->cur, true, &newdir);
	if (status)
		return status;
	if (c->saved->export != c->cur->export)
		return NFS4ERR_XDEV;
	if (deleg_on_name(c, c->saved, from) || deleg_on_name(c, c->cur, to))
		return NFS4ERR_DELAY;
	dir_before(c, c->saved, &r->source);
	dir_before(c, c->cur, &r->target);
	cred_caller(c, c->cur);
	moves = path_moves(c->s, c->cur->export);
	known = name_handle(c->saved, from, &h);
	replaced = name_handle(c->cur, to, &victim);
	err = cr_rename_to(olddir, from, newdir, to, 0);
	if (!err && replaced)
		name_gone(c, c->cur, to, &victim);
	if (!err && known) {
		name_gone(c, c->saved, from, &h);
		name_come(c, c->cur, to, &h);
	}
	path_moved(c->s, moves);
	status = err ? rename_status(newdir, to, err) : NFS4_OK;
	dir_after(c, c->saved, &r->source);
	dir_after(c, c->cur, &r->target);
	return status;
}

/*
 * SAVED_FH gets another name.  linkat(2) on a descriptor of the server's wants more than
 * the caller may have, so it is made with the server's ids, when the caller may change
 * the directory; a directory's own rules (sticky) do not forbid new names.
 */
uint32_t op_link(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct nfs4_change_info *cinfo = &res->change.cinfo;
	struct file *file, *dir;
	char name[NFSD_NAME];
	uint32_t status = take_name(&args->name.name, name);
	int err;

	if (!status)
		status = dir_of(c, c->cur, true, &dir);
	if (!status)
		status = obj_file(c, c->saved, &file);
	if (status)
		return status;
	if (cr_file_id(file)->type == S_IFDIR)
		return NFS4ERR_ISDIR;
	if (c->saved->export != c->cur->export)
		return NFS4ERR_XDEV;
	if (deleg_in_the_way(c, &c->saved->fh, DELEG_CHANGE))
		return NFS4ERR_DELAY;
	dir_before(c, c->cur, cinfo);
	cred_caller(c, c->cur);
	err = cr_access(dir, W_OK | X_OK);
	cred_root(c->w);
	if (!err)
		err = cr_link(file, NULL, dir, name);
	obj_changed(c->saved);
	if (!err) {
		obj_learn(c, c->cur, name, &c->saved->fh);
		file_changed(c->s, file);
	}
	dir_after(c, c->cur, cinfo);
	return nfsd_status(err);
}

uint32_t op_readlink(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct file *file;
	char *buf = data_room(c->w, c->data_used, PATH_MAX);
	uint32_t status = c->cur->node ? NFS4ERR_INVAL : obj_file(c, c->cur, &file);
	ssize_t n;

	if (status)
		return status;
	if (!buf)
		return NFS4ERR_REP_TOO_BIG;
	if (cr_file_id(file)->type != S_IFLNK)
		return NFS4ERR_WRONG_TYPE;
	cred_caller(c, c->cur);
	n = cr_readlink(file, "", buf, PATH_MAX);
	if (n < 0)
		return nfsd_status((int)n);
	c->data_used += (size_t)n;
	res->readlink.name = (struct xdr_bytes){buf, (uint32_t)n};
	return NFS4_OK;
}
