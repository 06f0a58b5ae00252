// SPDX-License-Identifier: GPL-2.0-or-later
/* attr.c - attributes, as statx(2) has them, and extended ones (RFC 8276). */
#include <errno.h>
#include <pwd.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/nfs/nfs.h"

#define NOBODY	     65534u
#define DEV_MAJOR    0x4e4653u /* "NFS": no device of this machine */
#define XATTR_USER   "user."
#define USER_LEN     5u
#define LIST_MAX     65536u
#define OWNER_CHARS  12u
#define STATFS_BLOCK 4096u

#define BIT0(n) (1u << (n))
#define BIT1(n) (1u << ((n)-32))

const struct nfs4_bitmap nfs_stat_map = {
	.word = {BIT0(FATTR4_TYPE) | BIT0(FATTR4_SIZE) | BIT0(FATTR4_FSID) | BIT0(FATTR4_FILEID),
		 BIT1(FATTR4_MODE) | BIT1(FATTR4_NUMLINKS) | BIT1(FATTR4_OWNER) |
			 BIT1(FATTR4_OWNER_GROUP) | BIT1(FATTR4_RAWDEV) | BIT1(FATTR4_SPACE_USED) |
			 BIT1(FATTR4_TIME_ACCESS) | BIT1(FATTR4_TIME_CREATE) |
			 BIT1(FATTR4_TIME_METADATA) | BIT1(FATTR4_TIME_MODIFY)}};

static mode_t type_mode(uint32_t type)
{
	static const mode_t modes[] = {
		[NF4REG] = S_IFREG,  [NF4DIR] = S_IFDIR,     [NF4BLK] = S_IFBLK,
		[NF4CHR] = S_IFCHR,  [NF4LNK] = S_IFLNK,     [NF4SOCK] = S_IFSOCK,
		[NF4FIFO] = S_IFIFO, [NF4ATTRDIR] = S_IFDIR, [NF4NAMEDATTR] = S_IFREG,
	};

	return type < sizeof(modes) / sizeof(modes[0]) ? modes[type] : 0;
}

/* "0", or "root@domain", which this machine may know. */
static uint32_t owner_id(const struct xdr_bytes *who, bool group)
{
	char name[128], buf[4096], *end;
	struct passwd pw, *user = NULL;
	struct group gr, *grp = NULL;
	size_t len = who->len;
	unsigned long n;

	if (!len || len >= sizeof(name))
		return NOBODY;
	memcpy(name, who->data, len);
	name[len] = '\0';
	n = strtoul(name, &end, 10);
	if (!*end && end != name && n <= UINT32_MAX)
		return (uint32_t)n;
	name[strcspn(name, "@")] = '\0';
	if (group)
		return getgrnam_r(name, &gr, buf, sizeof(buf), &grp) || !grp ? NOBODY : gr.gr_gid;
	return getpwnam_r(name, &pw, buf, sizeof(buf), &user) || !user ? NOBODY : pw.pw_uid;
}

static struct statx_timestamp stamp(const struct nfs4_time *time)
{
	return (struct statx_timestamp){.tv_sec = time->sec, .tv_nsec = time->nsec % 1000000000u};
}

static void fill(const struct nfs4_attrs *a, struct statx *stx)
{
	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_mode = (uint16_t)(type_mode(a->type) | (a->mode & 07777)),
		.stx_nlink = a->numlinks,
		.stx_uid = owner_id(&a->owner, false),
		.stx_gid = owner_id(&a->owner_group, true),
		.stx_ino = a->fileid,
		.stx_size = a->size,
		.stx_blocks = a->space_used / 512 + (a->space_used % 512 != 0),
		.stx_blksize = 4096,
		.stx_rdev_major = a->rawdev.major,
		.stx_rdev_minor = a->rawdev.minor,
		.stx_atime = stamp(&a->time_access),
		.stx_mtime = stamp(&a->time_modify),
		.stx_ctime = stamp(&a->time_metadata),
	};
	if (nfs4_bit(&a->map, FATTR4_TIME_CREATE)) {
		stx->stx_mask |= STATX_BTIME;
		stx->stx_btime = stamp(&a->time_create);
	}
}

/* nfs_stat - attributes asked for by nfs_stat_map */
int nfs_stat(const struct nfs4_fattr *fattr, struct nfs_node *node)
{
	static const uint8_t need[] = {FATTR4_TYPE, FATTR4_SIZE, FATTR4_FSID, FATTR4_FILEID,
				       FATTR4_MODE};
	struct nfs4_attrs a;
	int err = nfs4_attrs_decode(fattr, &a);

	if (err)
		return -EREMOTEIO;
	for (unsigned i = 0; i < sizeof(need); i++)
		if (!nfs4_bit(&a.map, need[i]))
			return -EREMOTEIO;
	if (!type_mode(a.type) || a.size > INT64_MAX)
		return -EREMOTEIO;
	if (!nfs4_bit(&a.map, FATTR4_NUMLINKS))
		a.numlinks = 1;
	if (!nfs4_bit(&a.map, FATTR4_SPACE_USED))
		a.space_used = 0;
	fill(&a, &node->stx);
	node->fsid = a.fsid;
	return 0;
}

/* nfs_pack - attributes to be set, encoded into @buf */
int nfs_pack(struct nfs4_attrs *attrs, struct nfs4_fattr *fattr, uint8_t *buf, size_t size)
{
	struct xdr x = {.encode = true};

	xdr_encode(&x, buf, size);
	nfs4_attr_values(&x, attrs);
	fattr->map = attrs->map;
	fattr->vals = (struct xdr_bytes){buf, (uint32_t)xdr_len(&x)};
	return x.error;
}

void nfs_set_dev(const struct nfs_fs *fs, struct statx *stx)
{
	stx->stx_dev_major = DEV_MAJOR;
	stx->stx_dev_minor = fs->dev;
}

int nfs_getattr(struct file *file, const char *name, struct statx *stx)
{
	struct nfs_file *nf = nfs_of(file);
	struct nfs4_map_args map = {nfs_stat_map};
	struct nfs4_name_args look = {.name = xdr_str(name ? name : "")};
	struct nfs4_fattr_args res;
	struct nfs4_void none;
	struct nfs_node node;
	struct nfs_req req;
	struct nfs_fs *fs = nf->fs;
	int err;

	if (name && (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))) {
		err = nfs_walk(nf->clp, &(struct nfs_path){&nf->fh, name, strlen(name)}, false,
			       &node);
	} else {
		nfs_begin(&req, nf->clp);
		nfs_add(&req, OP_PUTFH, &nf->fh, &none);
		if (name)
			nfs_add(&req, OP_LOOKUP, &look, &none);
		nfs_add(&req, OP_GETFH, &none, &node.fh);
		nfs_add(&req, OP_GETATTR, &map, &res);
		err = nfs_result(&req, nfs_call(&req));
		if (!err)
			err = nfs_stat(&res.attr, &node);
		nfs_end(&req);
	}
	if (!err)
		err = nfs_fs_get(nf->clp, &node.fh, &node.fsid, &fs);
	if (err)
		return err;
	*stx = node.stx;
	nfs_set_dev(fs, stx);
	return 0;
}

/* What a server does not tell is 0. */
static void fill_statfs(const struct nfs4_attrs *a, struct statfs *st)
{
	*st = (struct statfs){
		.f_bsize = STATFS_BLOCK,
		.f_frsize = STATFS_BLOCK,
		.f_blocks = a->space_total / STATFS_BLOCK,
		.f_bfree = a->space_free / STATFS_BLOCK,
		.f_bavail = a->space_avail / STATFS_BLOCK,
		.f_files = a->files_total,
		.f_ffree = a->files_free,
		.f_namelen = nfs4_bit(&a->map, FATTR4_MAXNAME) ? a->maxname : NFS4_NAME_MAX,
	};
}

/* nfs_statfs - the file system that @file is on, at its server */
int nfs_statfs(struct file *file, struct statfs *st)
{
	struct nfs_file *nf = nfs_of(file);
	struct nfs4_map_args map = {
		{.word = {BIT0(FATTR4_FILES_AVAIL) | BIT0(FATTR4_FILES_FREE) |
				  BIT0(FATTR4_FILES_TOTAL) | BIT0(FATTR4_MAXNAME),
			  BIT1(FATTR4_SPACE_AVAIL) | BIT1(FATTR4_SPACE_FREE) |
				  BIT1(FATTR4_SPACE_TOTAL)}}};
	struct nfs4_fattr_args res;
	struct nfs4_attrs attrs;
	struct nfs4_void none;
	struct nfs_req req;
	int err;

	nfs_begin(&req, nf->clp);
	nfs_add(&req, OP_PUTFH, &nf->fh, &none);
	nfs_add(&req, OP_GETATTR, &map, &res);
	err = nfs_result(&req, nfs_call(&req));
	if (!err && nfs4_attrs_decode(&res.attr, &attrs))
		err = -EREMOTEIO;
	if (!err) {
		fill_statfs(&attrs, st);
		st->f_type = file->mnt->magic;
	}
	nfs_end(&req);
	return err;
}

static void set_time(struct nfs4_attrs *a, unsigned bit, struct nfs4_set_time *set,
		     const struct timespec *ts)
{
	if (ts->tv_nsec == UTIME_OMIT)
		return;
	nfs4_bit_set(&a->map, bit);
	set->how = ts->tv_nsec == UTIME_NOW ? SET_TO_SERVER_TIME4 : SET_TO_CLIENT_TIME4;
	set->time = (struct nfs4_time){ts->tv_sec, (uint32_t)ts->tv_nsec};
}

/* Numbers as text: what AUTH_SYS servers take (RFC 8881 section 5.9). */
static void set_owner(struct nfs4_attrs *a, const struct iattr *attr, char *uid, char *gid)
{
	if (attr->uid != (uid_t)-1) {
		snprintf(uid, OWNER_CHARS, "%u", attr->uid);
		a->owner = xdr_str(uid);
		nfs4_bit_set(&a->map, FATTR4_OWNER);
	}
	if (attr->gid != (gid_t)-1) {
		snprintf(gid, OWNER_CHARS, "%u", attr->gid);
		a->owner_group = xdr_str(gid);
		nfs4_bit_set(&a->map, FATTR4_OWNER_GROUP);
	}
}

static int send_setattr(struct nfs_file *nf, const char *name, struct nfs4_setattr_args *args)
{
	struct nfs4_name_args look = {.name = xdr_str(name ? name : "")};
	struct nfs4_setattr_res res;
	struct nfs4_void none;
	struct nfs_req req;
	int err;

	nfs_begin(&req, nf->clp);
	req.once = true;
	nfs_add(&req, OP_PUTFH, &nf->fh, &none);
	if (name)
		nfs_add(&req, OP_LOOKUP, &look, &none);
	nfs_add(&req, OP_SETATTR, args, &res);
	err = nfs_result(&req, nfs_call(&req));
	nfs_end(&req);
	return err == -EREMOTEIO && req.status == NFS4ERR_BADOWNER ? -EINVAL : err;
}

/* One at a time, owner first: in one SETATTR the order is the server's. */
static int setattr_once(struct nfs_file *nf, const char *name, const struct iattr *attr,
			unsigned what)
{
	struct nfs4_setattr_args args = {.stateid = {0}};
	struct nfs4_attrs a = {.map = {.beyond = false}};
	char uid[OWNER_CHARS], gid[OWNER_CHARS];
	uint8_t buf[128];
	int err;

	if (what == ATTR_OWNER)
		set_owner(&a, attr, uid, gid);
	if (what == ATTR_MODE) {
		a.mode = attr->mode & 07777;
		nfs4_bit_set(&a.map, FATTR4_MODE);
	}
	if (what == ATTR_TIMES) {
		set_time(&a, FATTR4_TIME_ACCESS_SET, &a.time_access_set, &attr->atime);
		set_time(&a, FATTR4_TIME_MODIFY_SET, &a.time_modify_set, &attr->mtime);
	}
	if (!a.map.word[0] && !a.map.word[1])
		return 0;
	err = nfs_pack(&a, &args.attr, buf, sizeof(buf));
	return err ? err : send_setattr(nf, name, &args);
}

int nfs_setattr(struct file *file, const char *name, const struct iattr *attr)
{
	static const unsigned order[] = {ATTR_OWNER, ATTR_MODE, ATTR_TIMES};
	struct nfs_file *nf = nfs_of(file);
	int err = 0;

	if (name && strchr(name, '/'))
		return -EINVAL;
	/* Data that is not written yet would get its time later. */
	if (!name && (attr->valid & ATTR_TIMES))
		err = nfs_commit(nf);
	for (unsigned i = 0; i < 3 && !err; i++)
		if (attr->valid & order[i])
			err = setattr_once(nf, name, attr, order[i]);
	return err;
}

/* What a new size changes: where it was longer, nothing that is written again can undo it. */
static struct nfs_span resized(const struct nfs4_fattr *before, uint64_t size)
{
	struct nfs4_attrs old;
	struct nfs_span span = {size ? size - 1 : 0, UINT64_MAX};

	if (size && !nfs4_attrs_decode(before, &old) && nfs4_bit(&old.map, FATTR4_SIZE) &&
	    old.size <= size)
		span.to = size;
	return span;
}

int nfs_truncate(struct file *file, off_t size)
{
	struct nfs_file *nf = nfs_of(file);
	struct nfs4_attrs a = {.map = {.word = {1u << FATTR4_SIZE}}, .size = (uint64_t)size};
	struct nfs4_map_args map = {a.map};
	struct nfs4_fattr_args before;
	struct nfs_span span;
	struct nfs4_setattr_args args;
	struct nfs4_setattr_res res;
	struct nfs4_void none;
	struct nfs_req req;
	uint8_t buf[16];
	unsigned tries = 0;
	int err = nfs_pack(&a, &args.attr, buf, sizeof(buf));

	if (size < 0)
		return -EINVAL;
	while (!err) {
		args.stateid = nfs_stateid(nf);
		nfs_begin(&req, nf->clp);
		req.once = true;
		nfs_add(&req, OP_PUTFH, &nf->fh, &none);
		nfs_add(&req, OP_GETATTR, &map, &before);
		nfs_add(&req, OP_SETATTR, &args, &res);
		err = nfs_call(&req);
		if (!err && !req.status) {
			span = resized(&before.attr, a.size);
			nfs_touched(nf, &span, req.boots);
		}
		nfs_end(&req);
		if (err || !nfs_state_again(nf, &args.stateid, req.status, &tries, &err))
			break;
	}
	return nfs_result(&req, err);
}

/* Extended attributes ------------------------------------------------------------ */

/* The name on the wire, or NULL: only those of users are served. */
static const char *wire_key(const char *key)
{
	return strncmp(key, XATTR_USER, USER_LEN) != 0 || !key[USER_LEN] ? NULL : key + USER_LEN;
}

static int xattr_error(struct nfs_file *nf, const struct nfs_req *req, int err)
{
	if (!err && (req->status == NFS4ERR_NOTSUPP || req->status == NFS4ERR_OP_ILLEGAL))
		nf->fs->no_xattr = true;
	return nfs_result(req, err);
}

static void xattr_begin(struct nfs_req *req, struct nfs_file *nf, struct nfs4_name_args *look,
			const char *name)
{
	static struct nfs4_void none;

	nfs_begin(req, nf->clp);
	nfs_add(req, OP_PUTFH, &nf->fh, &none);
	if (!name)
		return;
	look->name = xdr_str(name);
	nfs_add(req, OP_LOOKUP, look, &none);
}

/* The names of one reply behind those that are in @list; @size 0: only counted. */
static int take_names(const struct nfs4_listxattrs_res *res, char *list, size_t size, size_t *len)
{
	struct xdr_bytes name;
	struct xdr x;

	xdr_decode(&x, res->names.data, res->names.len);
	for (uint32_t i = 0; i < res->n; i++) {
		xdr_var(&x, &name, NFS4_XATTR_NAME_MAX);
		if (x.error || memchr(name.data, 0, name.len))
			return -EREMOTEIO;
		if (size && USER_LEN + name.len + 1 > size - *len)
			return -ERANGE;
		if (size) {
			memcpy(list + *len, XATTR_USER, USER_LEN);
			memcpy(list + *len + USER_LEN, name.data, name.len);
			list[*len + USER_LEN + name.len] = '\0';
		}
		*len += USER_LEN + name.len + 1;
		if (*len > LIST_MAX)
			return -E2BIG;
	}
	return 0;
}

ssize_t nfs_listxattr(struct file *file, const char *name, char *list, size_t size)
{
	struct nfs_file *nf = nfs_of(file);
	struct nfs4_listxattrs_args args = {.maxcount = 32768};
	struct nfs4_listxattrs_res res = {.eof = false};
	struct nfs4_name_args look;
	struct nfs_req req;
	size_t len = 0;
	int err = nf->fs->no_xattr ? -EOPNOTSUPP : 0;

	while (!err && !res.eof) {
		xattr_begin(&req, nf, &look, name);
		nfs_add(&req, OP_LISTXATTRS, &args, &res);
		err = xattr_error(nf, &req, nfs_call(&req));
		if (err && req.status == NFS4ERR_WRONG_TYPE) { /* such a file has none */
			nfs_end(&req);
			return 0;
		}
		if (!err)
			err = take_names(&res, list, size, &len);
		nfs_end(&req);
		if (!err && !res.eof && (!res.n || res.cookie == args.cookie))
			err = -EREMOTEIO;
		args.cookie = res.cookie;
	}
	return err ? err : (ssize_t)len;
}

ssize_t nfs_getxattr(struct file *file, const char *name, const char *key, struct iovec *val)
{
	struct nfs_file *nf = nfs_of(file);
	const char *wire = wire_key(key);
	struct nfs4_name_args args, look;
	struct nfs4_getxattr_res res;
	struct nfs_req req;
	ssize_t n;

	if (!wire || nf->fs->no_xattr)
		return -EOPNOTSUPP;
	args.name = xdr_str(wire);
	xattr_begin(&req, nf, &look, name);
	nfs_add(&req, OP_GETXATTR, &args, &res);
	n = xattr_error(nf, &req, nfs_call(&req));
	if (!n && val->iov_len && res.value.len > val->iov_len)
		n = -ERANGE;
	if (!n) {
		n = res.value.len;
		if (val->iov_len && n)
			memcpy(val->iov_base, res.value.data, res.value.len);
	}
	nfs_end(&req);
	return n;
}

int nfs_removexattr(struct file *file, const char *name, const char *key)
{
	struct nfs_file *nf = nfs_of(file);
	const char *wire = wire_key(key);
	struct nfs4_name_args args, look;
	struct nfs4_change_res res;
	struct nfs_req req;
	int err;

	if (!wire || nf->fs->no_xattr)
		return -EOPNOTSUPP;
	args.name = xdr_str(wire);
	xattr_begin(&req, nf, &look, name);
	req.once = true;
	nfs_add(&req, OP_REMOVEXATTR, &args, &res);
	err = xattr_error(nf, &req, nfs_call(&req));
	nfs_end(&req);
	return err == -ENODATA && req.uncertain ? 0 : err;
}

int nfs_setxattr(struct file *file, const char *name, const struct xattr *xattr)
{
	struct nfs_file *nf = nfs_of(file);
	const char *wire = wire_key(xattr->key);
	struct nfs4_setxattr_args args = {.option = SETXATTR4_EITHER};
	struct nfs4_change_res res;
	struct nfs4_name_args look;
	struct nfs_req req;
	int err;

	if (!wire || nf->fs->no_xattr)
		return -EOPNOTSUPP;
	if (xattr->len > NFS4_XATTR_MAX)
		return -E2BIG;
	args.name = xdr_str(wire);
	args.value = (struct xdr_bytes){xattr->value, (uint32_t)xattr->len};
	xattr_begin(&req, nf, &look, name);
	req.once = true;
	nfs_add(&req, OP_SETXATTR, &args, &res);
	err = xattr_error(nf, &req, nfs_call(&req));
	nfs_end(&req);
	return err;
}
