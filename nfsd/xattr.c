// SPDX-License-Identifier: GPL-2.0-or-later
/* xattr.c - extended attributes of users: RFC 8276. */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "nfsd/export.h"
#include "nfsd/nfsd.h"
#include "nfsd/state.h"

#define PREFIX	   "user."
#define PREFIX_LEN 5u
#define KEY_MAX	   (PREFIX_LEN + NFS4_XATTR_NAME_MAX + 1)
#define LIST_MAX   65536u

static uint32_t take_key(const struct xdr_bytes *name, char key[KEY_MAX])
{
	if (!name->len)
		return NFS4ERR_INVAL;
	if (name->len + PREFIX_LEN > NFS4_XATTR_NAME_MAX)
		return NFS4ERR_NAMETOOLONG;
	if (memchr(name->data, '\0', name->len))
		return NFS4ERR_BADCHAR;
	memcpy(key, PREFIX, PREFIX_LEN);
	memcpy(key + PREFIX_LEN, name->data, name->len);
	key[PREFIX_LEN + name->len] = '\0';
	return NFS4_OK;
}

/* Regular files and directories have attributes of users; others do not. */
static uint32_t of_file(struct compound *c, bool change, struct file **filep)
{
	uint32_t status;
	mode_t type;

	if (c->cur->node)
		return change ? NFS4ERR_ROFS : NFS4ERR_NOXATTR;
	if (change && !c->cur->opts->rw)
		return NFS4ERR_ROFS;
	if (change && deleg_in_the_way(c, &c->cur->fh, DELEG_CHANGE))
		return NFS4ERR_DELAY;
	status = obj_file(c, c->cur, filep);
	if (status)
		return status;
	type = cr_file_id(*filep)->type;
	cred_caller(c, c->cur);
	return type == S_IFREG || type == S_IFDIR ? NFS4_OK : NFS4ERR_WRONG_TYPE;
}

uint32_t op_getxattr(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	uint8_t *buf = data_room(c->w, c->data_used, NFS4_XATTR_MAX);
	char key[KEY_MAX];
	struct file *file;
	uint32_t status = take_key(&args->name.name, key);
	ssize_t n;

	if (!status)
		status = of_file(c, false, &file);
	if (!status && !buf)
		status = NFS4ERR_REP_TOO_BIG;
	if (status)
		return status;
	n = cr_getxattr(file, NULL, key, buf, NFS4_XATTR_MAX);
	if (n < 0)
		return nfsd_status((int)n);
	c->data_used += ((size_t)n + 7) & ~(size_t)7;
	res->getxattr.value = (struct xdr_bytes){buf, (uint32_t)n};
	return NFS4_OK;
}

uint32_t op_setxattr(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfs4_setxattr_args *a = &args->setxattr;
	char key[KEY_MAX];
	struct xattr x = {.key = key, .value = a->value.data, .len = a->value.len};
	struct file *file;
	uint32_t status = take_key(&a->name, key);
	int err;

	if (!status && a->value.len > NFS4_XATTR_MAX)
		status = NFS4ERR_XATTR2BIG;
	if (!status)
		status = of_file(c, true, &file);
	if (status)
		return status;
	x.flags = a->option == SETXATTR4_CREATE	   ? XATTR_CREATE
		  : a->option == SETXATTR4_REPLACE ? XATTR_REPLACE
						   : 0;
	dir_before(c, c->cur, &res->change.cinfo);
	cred_caller(c, c->cur);
	err = cr_setxattr(file, NULL, &x);
	dir_after(c, c->cur, &res->change.cinfo);
	return nfsd_status(err);
}

uint32_t op_removexattr(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	char key[KEY_MAX];
	struct file *file;
	uint32_t status = take_key(&args->name.name, key);
	int err;

	if (!status)
		status = of_file(c, true, &file);
	if (status)
		return status;
	dir_before(c, c->cur, &res->change.cinfo);
	cred_caller(c, c->cur);
	err = cr_removexattr(file, NULL, key);
	dir_after(c, c->cur, &res->change.cinfo);
	return nfsd_status(err);
}

struct names {
	const char *list;
	size_t len;
	uint64_t skip; /* names of users before the first to be told */
	struct xdr x;
	uint32_t n;
	bool eof;
};

/* The cookie is the number of names told so far. */
static void tell(struct names *names)
{
	size_t at = 0, step;
	uint64_t i = 0;

	for (; at < names->len; at += step) {
		const char *key = names->list + at;
		struct xdr_bytes name;
		size_t mark;

		step = strnlen(key, names->len - at) + 1;
		if (strncmp(key, PREFIX, PREFIX_LEN) != 0 || i++ < names->skip)
			continue;
		name = (struct xdr_bytes){key + PREFIX_LEN, (uint32_t)(step - 1 - PREFIX_LEN)};
		mark = xdr_mark(&names->x);
		xdr_var(&names->x, &name, NFS4_XATTR_NAME_MAX);
		if (names->x.error) {
			xdr_rewind(&names->x, mark);
			return;
		}
		names->n++;
	}
	names->eof = true;
}

/* What LISTXATTRS4resok has around the names: cookie, count, eof. */
#define AROUND 16u

uint32_t op_listxattrs(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfs4_listxattrs_args *a = &args->listxattrs;
	uint32_t room = a->maxcount < LIST_MAX ? a->maxcount : LIST_MAX, status;
	uint8_t *buf = data_room(c->w, c->data_used, room);
	char *list = data_room(c->w, c->data_used + LIST_MAX, LIST_MAX);
	struct names names = {.list = list, .skip = a->cookie};
	struct file *file;
	ssize_t n;

	status = of_file(c, false, &file);
	if (status == NFS4ERR_WRONG_TYPE) { /* it has none: that is no error */
		res->listxattrs = (struct nfs4_listxattrs_res){.cookie = a->cookie, .eof = true};
		return NFS4_OK;
	}
	if (status)
		return status;
	if (!buf || !list)
		return NFS4ERR_REP_TOO_BIG;
	if (room < AROUND)
		return NFS4ERR_TOOSMALL;
	n = cr_listxattr(file, NULL, list, LIST_MAX);
	if (n < 0)
		return nfsd_status((int)n);
	names.len = (size_t)n;
	xdr_encode(&names.x, buf, room - AROUND);
	tell(&names);
	if (!names.n && !names.eof)
		return NFS4ERR_TOOSMALL;
	res->listxattrs.cookie = a->cookie + names.n;
	res->listxattrs.n = names.n;
	res->listxattrs.names = (struct xdr_bytes){buf, (uint32_t)xdr_len(&names.x)};
	res->listxattrs.eof = names.eof;
	c->data_used += (xdr_len(&names.x) + 7) & ~(size_t)7;
	return NFS4_OK;
}
