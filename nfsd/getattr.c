// SPDX-License-Identifier: GPL-2.0-or-later
/* getattr.c - attributes of files: RFC 8881 section 5. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "nfsd/export.h"
#include "nfsd/nfsd.h"
#include "nfsd/state.h"

#define CLONE_BLOCK_MIN 512u

static const uint8_t supported[] = {
	FATTR4_SUPPORTED_ATTRS,
	FATTR4_TYPE,
	FATTR4_FH_EXPIRE_TYPE,
	FATTR4_CHANGE,
	FATTR4_SIZE,
	FATTR4_LINK_SUPPORT,
	FATTR4_SYMLINK_SUPPORT,
	FATTR4_NAMED_ATTR,
	FATTR4_FSID,
	FATTR4_UNIQUE_HANDLES,
	FATTR4_LEASE_TIME,
	FATTR4_RDATTR_ERROR,
	FATTR4_ACLSUPPORT,
	FATTR4_CANSETTIME,
	FATTR4_CASE_INSENSITIVE,
	FATTR4_CASE_PRESERVING,
	FATTR4_CHOWN_RESTRICTED,
	FATTR4_FILEHANDLE,
	FATTR4_FILEID,
	FATTR4_FILES_AVAIL,
	FATTR4_FILES_FREE,
	FATTR4_FILES_TOTAL,
	FATTR4_HOMOGENEOUS,
	FATTR4_MAXFILESIZE,
	FATTR4_MAXLINK,
	FATTR4_MAXNAME,
	FATTR4_MAXREAD,
	FATTR4_MAXWRITE,
	FATTR4_MODE,
	FATTR4_NO_TRUNC,
	FATTR4_NUMLINKS,
	FATTR4_OWNER,
	FATTR4_OWNER_GROUP,
	FATTR4_RAWDEV,
	FATTR4_SPACE_AVAIL,
	FATTR4_SPACE_FREE,
	FATTR4_SPACE_TOTAL,
	FATTR4_SPACE_USED,
	FATTR4_TIME_ACCESS,
	FATTR4_TIME_ACCESS_SET,
	FATTR4_TIME_CREATE,
	FATTR4_TIME_DELTA,
	FATTR4_TIME_METADATA,
	FATTR4_TIME_MODIFY,
	FATTR4_TIME_MODIFY_SET,
	FATTR4_MOUNTED_ON_FILEID,
	FATTR4_SUPPATTR_EXCLCREAT,
	FATTR4_CLONE_BLKSIZE,
	FATTR4_SPACE_FREED,
	FATTR4_CHANGE_ATTR_TYPE,
	FATTR4_XATTR_SUPPORT,
	FATTR4_OPEN_ARGUMENTS,
};

struct nfs4_bitmap attrs_supported(void)
{
	struct nfs4_bitmap map = {.beyond = false};

	for (size_t i = 0; i < sizeof(supported); i++)
		nfs4_bit_set(&map, supported[i]);
	return map;
}

/* What EXCLUSIVE4_1 may set at once: not the times, which hold the verifier. */
static struct nfs4_bitmap exclusive_attrs(void)
{
	struct nfs4_bitmap map = {.beyond = false};

	nfs4_bit_set(&map, FATTR4_MODE);
	nfs4_bit_set(&map, FATTR4_OWNER);
	nfs4_bit_set(&map, FATTR4_OWNER_GROUP);
	return map;
}

static uint32_t type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return NF4DIR;
	case S_IFBLK:
		return NF4BLK;
	case S_IFCHR:
		return NF4CHR;
	case S_IFLNK:
		return NF4LNK;
	case S_IFSOCK:
		return NF4SOCK;
	case S_IFIFO:
		return NF4FIFO;
	default:
		return NF4REG;
	}
}

static struct nfs4_time time_of(const struct statx_timestamp *t)
{
	return (struct nfs4_time){t->tv_sec, t->tv_nsec};
}

/* What OPEN does: those of its kinds of want that have a name there. */
static struct nfs4_open_arguments open_arguments(void)
{
	struct nfs4_open_arguments oa = {
		.access.word = {1u << OPEN4_SHARE_ACCESS_READ | 1u << OPEN4_SHARE_ACCESS_WRITE |
				1u << OPEN4_SHARE_ACCESS_BOTH},
		.deny.word = {1u | 1u << OPEN4_SHARE_DENY_READ | 1u << OPEN4_SHARE_DENY_WRITE |
			      1u << OPEN4_SHARE_DENY_BOTH},
		.want.word = {1u << (OPEN4_SHARE_ACCESS_WANT_ANY_DELEG >> 8) |
			      1u << (OPEN4_SHARE_ACCESS_WANT_NO_DELEG >> 8)},
		.claim.word = {1u << CLAIM_NULL | 1u << CLAIM_PREVIOUS | 1u << CLAIM_DELEGATE_CUR |
			       1u << CLAIM_FH | 1u << CLAIM_DELEG_CUR_FH},
		.createmode.word = {1u << UNCHECKED4 | 1u << GUARDED4 | 1u << EXCLUSIVE4 |
				    1u << EXCLUSIVE4_1},
	};

	return oa;
}

/* What is the same for all files. */
static void server_attrs(const struct compound *c, struct nfs4_attrs *a)
{
	a->supported = attrs_supported();
	if (c->head.minor < 2) {
		nfs4_bit_clear(&a->supported, FATTR4_CLONE_BLKSIZE);
		nfs4_bit_clear(&a->supported, FATTR4_SPACE_FREED);
		nfs4_bit_clear(&a->supported, FATTR4_CHANGE_ATTR_TYPE);
		nfs4_bit_clear(&a->supported, FATTR4_XATTR_SUPPORT);
		nfs4_bit_clear(&a->supported, FATTR4_OPEN_ARGUMENTS);
	}
	a->suppattr_exclcreat = exclusive_attrs();
	a->fh_expire_type = FH4_PERSISTENT;
	a->lease_time = c->s->opt.lease;
	a->link_support = a->symlink_support = a->unique_handles = true;
	a->cansettime = a->case_preserving = a->chown_restricted = a->no_trunc = true;
	a->homogeneous = true;
	a->maxfilesize = INT64_MAX;
	a->maxlink = 32000;
	a->maxname = NFS4_NAME_MAX;
	a->maxread = a->maxwrite = NFSD_IO_MAX;
	a->time_delta = (struct nfs4_time){0, 1};
	a->change_attr_type = NFS4_CHANGE_TYPE_IS_UNDEFINED;
	a->open_arguments = open_arguments();
}

static void node_attrs(const struct compound *c, const struct obj *obj, struct nfs4_attrs *a)
{
	const struct node *node = obj->node;

	a->type = NF4DIR;
	a->mode = 0555;
	a->numlinks = 2;
	a->change = c->exports->generation;
	a->fileid = a->mounted_on_fileid = node->id;
	a->size = 4096;
	a->fsid = (struct nfs4_fsid){0, 0};
	a->owner = a->owner_group = xdr_str("0");
}

/* A btrfs subvolume has numbers of its own, so it is a file system of its own to clients. */
static void fsid_of(const struct obj *obj, struct nfs4_attrs *a)
{
	uint64_t dev = cr_file_id(obj->file)->dev;

	a->fsid.major = obj->export->id;
	a->fsid.minor = dev == cr_file_id(obj->export->root)->dev ? 0 : dev;
}

static void stat_attrs(struct nfsd *s, const struct statx *stx, struct nfs4_attrs *a)
{
	a->type = type_of(stx->stx_mode);
	a->mode = stx->stx_mode & 07777;
	a->change = change_of(s, stx);
	a->size = stx->stx_size;
	a->fileid = a->mounted_on_fileid = stx->stx_ino;
	a->numlinks = stx->stx_nlink;
	a->space_used = stx->stx_blocks * 512;
	a->rawdev = (struct nfs4_specdata){stx->stx_rdev_major, stx->stx_rdev_minor};
	a->time_access = time_of(&stx->stx_atime);
	a->time_create = time_of(&stx->stx_btime);
	a->time_metadata = time_of(&stx->stx_ctime);
	a->time_modify = time_of(&stx->stx_mtime);
	if (!(stx->stx_mask & STATX_BTIME))
		nfs4_bit_clear(&a->map, FATTR4_TIME_CREATE);
}

static bool any_of(const struct nfs4_bitmap *map, const uint8_t *bits, size_t n)
{
	while (n--)
		if (nfs4_bit(map, bits[n]))
			return true;
	return false;
}

static uint32_t space_attrs(struct obj *obj, struct nfs4_attrs *a)
{
	static const uint8_t space[] = {FATTR4_FILES_AVAIL, FATTR4_FILES_FREE, FATTR4_FILES_TOTAL,
					FATTR4_SPACE_AVAIL, FATTR4_SPACE_FREE, FATTR4_SPACE_TOTAL};
	struct statfs st;
	uint64_t unit;
	int err;

	if (!any_of(&a->map, space, sizeof(space)))
		return NFS4_OK;
	err = cr_statfs(obj->export->root, &st);
	if (err)
		return nfsd_status(err);
	unit = (uint64_t)(st.f_frsize ? st.f_frsize : st.f_bsize);
	a->files_avail = a->files_free = st.f_ffree;
	a->files_total = st.f_files;
	a->space_avail = st.f_bavail * unit;
	a->space_free = st.f_bfree * unit;
	a->space_total = st.f_blocks * unit;
	return NFS4_OK;
}

/* Time attributes that only SETATTR may name. */
static const uint8_t write_only[] = {FATTR4_TIME_ACCESS_SET, FATTR4_TIME_MODIFY_SET};

/*
 * What its writer holds back.  The file's own times stay as they are: the writer may have set
 * them.  And what takes no space here yet would look like a hole.
 */
static void held_attrs(struct nfsd *s, const struct deleg_news *news, const struct statx *stx,
		       struct nfs4_attrs *a)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	a->time_modify = a->time_metadata = (struct nfs4_time){now.tv_sec, (uint32_t)now.tv_nsec};
	a->change = deleg_change(s, news, stx);
	a->size = news->size;
	if (a->size > stx->stx_size)
		a->space_used += a->size - stx->stx_size;
}

static uint32_t encode(struct compound *c, struct obj *obj, const struct nfs4_bitmap *want,
		       const struct deleg_news *news, struct xdr *out)
{
	char owner[2][16];
	struct nfs4_attrs a;
	const struct statx *stx;
	uint32_t status;

	memset(&a, 0, sizeof(a));
	server_attrs(c, &a);
	a.map = *want;
	a.map.beyond = false;
	for (unsigned i = 0; i < NFS4_MAP_WORDS; i++)
		a.map.word[i] &= a.supported.word[i];
	for (size_t i = 0; i < sizeof(write_only); i++)
		nfs4_bit_clear(&a.map, write_only[i]);
	a.filehandle = obj->fh;
	if (obj->node) {
		node_attrs(c, obj, &a);
	} else {
		status = obj_stat(c, obj, &stx);
		if (!status)
			status = space_attrs(obj, &a);
		if (status)
			return status;
		stat_attrs(c->s, stx, &a);
		if (deleg_modified(news, stx))
			held_attrs(c->s, news, stx, &a);
		fsid_of(obj, &a);
		snprintf(owner[0], sizeof(owner[0]), "%u", stx->stx_uid);
		snprintf(owner[1], sizeof(owner[1]), "%u", stx->stx_gid);
		a.owner = xdr_str(owner[0]);
		a.owner_group = xdr_str(owner[1]);
		a.clone_blksize = stx->stx_blksize;
		if (a.clone_blksize < CLONE_BLOCK_MIN || a.clone_blksize > 65536)
			a.clone_blksize = 4096;
		a.xattr_support = true;
	}
	nfs4_attrs(out, &a);
	return out->error ? NFS4ERR_REP_TOO_BIG : NFS4_OK;
}

uint32_t attrs_encode(struct compound *c, struct obj *obj, const struct nfs4_bitmap *want,
		      struct xdr *out)
{
	const struct deleg_news none = {.asked = false};

	return encode(c, obj, want, &none, out);
}

/* With what a client that has a write delegation may have changed without saying so yet. */
static uint32_t encode_news(struct compound *c, const struct nfs4_bitmap *want, struct xdr *out)
{
	static const uint8_t held[] = {FATTR4_SIZE, FATTR4_CHANGE, FATTR4_TIME_MODIFY,
				       FATTR4_TIME_METADATA, FATTR4_SPACE_USED};
	struct deleg_news news = {.asked = false};
	uint32_t status = NFS4_OK;

	if (any_of(want, held, sizeof(held)))
		status = deleg_ask(c, &c->cur->fh, &news);
	if (news.waited)
		obj_changed(c->cur);
	return status ? status : encode(c, c->cur, want, &news, out);
}

/* The result is encoded at once, behind the room where it is put from. */
uint32_t op_getattr(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct xdr x;
	uint32_t status;

	for (size_t i = 0; i < sizeof(write_only); i++)
		if (nfs4_bit(&args->getattr.map, write_only[i]))
			return NFS4ERR_INVAL;
	xdr_encode(&x, c->w->attr, sizeof(c->w->attr));
	status = encode_news(c, &args->getattr.map, &x);
	if (status)
		return status;
	xdr_decode(&x, c->w->attr, xdr_len(&x));
	nfs4_fattr(&x, &res->getattr.attr);
	return x.error ? NFS4ERR_SERVERFAULT : NFS4_OK;
}

/* 0: all of them are as given, 1: not; else an nfsstat4. */
static uint32_t compare(struct compound *c, const struct nfs4_fattr *want)
{
	struct nfs4_bitmap ours = attrs_supported();
	struct nfs4_fattr have;
	struct xdr x;
	uint32_t status;

	for (unsigned i = 0; i < NFS4_MAP_WORDS; i++)
		if (want->map.word[i] & ~ours.word[i])
			return NFS4ERR_ATTRNOTSUPP;
	if (want->map.beyond)
		return NFS4ERR_ATTRNOTSUPP;
	if (nfs4_bit(&want->map, FATTR4_RDATTR_ERROR) ||
	    nfs4_bit(&want->map, FATTR4_TIME_ACCESS_SET) ||
	    nfs4_bit(&want->map, FATTR4_TIME_MODIFY_SET))
		return NFS4ERR_INVAL;
	xdr_encode(&x, c->w->attr, sizeof(c->w->attr));
	status = encode_news(c, &want->map, &x);
	if (status)
		return status;
	xdr_decode(&x, c->w->attr, xdr_len(&x));
	nfs4_fattr(&x, &have);
	return have.vals.len == want->vals.len &&
			       !memcmp(have.vals.data, want->vals.data, have.vals.len)
		       ? NFS4ERR_SAME
		       : NFS4ERR_NOT_SAME;
}

uint32_t op_verify(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	uint32_t status = compare(c, &args->verify.attr);

	return status == NFS4ERR_SAME ? NFS4_OK : status;
}

uint32_t op_nverify(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	uint32_t status = compare(c, &args->verify.attr);

	return status == NFS4ERR_NOT_SAME ? NFS4_OK : status;
}

/* Nobody executes what nobody may, an access control list shows in the bits of the group. */
static bool never_executed(struct compound *c, struct obj *obj)
{
	const struct statx *stx;

	return !obj_stat(c, obj, &stx) && S_ISREG(stx->stx_mode) && !(stx->stx_mode & 0111);
}

/* Which question to the storage stands for which bit, of directories and of other files. */
static uint32_t allowed(struct compound *c, struct obj *obj, uint32_t want)
{
	const bool dir = cr_file_id(obj->file)->type == S_IFDIR;
	const struct {
		uint32_t bits;
		int mode;
	} ask[] = {
		{ACCESS4_READ | ACCESS4_XAREAD | ACCESS4_XALIST, R_OK},
		{ACCESS4_MODIFY | ACCESS4_EXTEND | ACCESS4_XAWRITE | (dir ? ACCESS4_DELETE : 0),
		 W_OK},
		{dir ? ACCESS4_LOOKUP : ACCESS4_EXECUTE, X_OK},
	};
	uint32_t may = 0;
	int all = 0;

	if (!obj->opts->rw)
		want &= ~ask[1].bits;
	if ((want & ask[2].bits) && never_executed(c, obj))
		want &= ~ask[2].bits;
	for (size_t i = 0; i < sizeof(ask) / sizeof(ask[0]); i++)
		all |= want & ask[i].bits ? ask[i].mode : 0;
	if (!all || !cr_access(obj->file, all)) /* mostly: one question for all */
		return want;
	for (size_t i = 0; i < sizeof(ask) / sizeof(ask[0]); i++)
		if ((want & ask[i].bits) && !cr_access(obj->file, ask[i].mode))
			may |= ask[i].bits;
	return may & want;
}

uint32_t op_access(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const uint32_t known = c->head.minor < 2 ? 0x3fu : 0x1ffu;
	uint32_t want = args->access.access & known, status;
	struct file *file;
	bool dir;

	if (c->cur->node) {
		res->access.supported = want;
		res->access.access = want & (ACCESS4_READ | ACCESS4_LOOKUP);
		return NFS4_OK;
	}
	status = obj_file(c, c->cur, &file);
	if (status)
		return status;
	dir = cr_file_id(file)->type == S_IFDIR;
	want &= ~(dir ? ACCESS4_EXECUTE : ACCESS4_LOOKUP | ACCESS4_DELETE);
	cred_caller(c, c->cur);
	res->access.supported = want;
	res->access.access = allowed(c, c->cur, want);
	return NFS4_OK;
}
