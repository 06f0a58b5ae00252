// SPDX-License-Identifier: GPL-2.0-or-later
/* attr.c - attribute values: RFC 8881 section 5, RFC 7862 section 12.2, RFC 8276 section 8.2, RFC
 * 9754. */
#include <errno.h>
#include <string.h>

#include "lib/nfs4/attr.h"
#include "lib/nfs4/proto.h"

#define OWNER_MAX 1024u

static void a_u32(struct xdr *x, void *v)
{
	xdr_u32(x, v);
}

static void a_u64(struct xdr *x, void *v)
{
	xdr_u64(x, v);
}

static void a_bool(struct xdr *x, void *v)
{
	xdr_bool(x, v);
}

static void a_map(struct xdr *x, void *v)
{
	nfs4_bitmap(x, v);
}

static void a_time(struct xdr *x, void *v)
{
	nfs4_time(x, v);
}

static void a_fh(struct xdr *x, void *v)
{
	nfs4_fh(x, v);
}

static void a_owner(struct xdr *x, void *v)
{
	xdr_var(x, v, OWNER_MAX);
}

static void a_fsid(struct xdr *x, void *v)
{
	struct nfs4_fsid *fsid = v;

	xdr_u64(x, &fsid->major);
	xdr_u64(x, &fsid->minor);
}

static void a_specdata(struct xdr *x, void *v)
{
	struct nfs4_specdata *spec = v;

	xdr_u32(x, &spec->major);
	xdr_u32(x, &spec->minor);
}

static void a_set_time(struct xdr *x, void *v)
{
	struct nfs4_set_time *set = v;

	xdr_u32(x, &set->how);
	if (set->how > SET_TO_CLIENT_TIME4)
		xdr_fail(x);
	if (set->how == SET_TO_CLIENT_TIME4)
		nfs4_time(x, &set->time);
}

static void a_mode_umask(struct xdr *x, void *v)
{
	struct nfs4_mode_umask *mu = v;

	xdr_u32(x, &mu->mode);
	xdr_u32(x, &mu->umask);
}

static void a_open_arguments(struct xdr *x, void *v)
{
	struct nfs4_open_arguments *oa = v;

	nfs4_bitmap(x, &oa->access);
	nfs4_bitmap(x, &oa->deny);
	nfs4_bitmap(x, &oa->want);
	nfs4_bitmap(x, &oa->claim);
	nfs4_bitmap(x, &oa->createmode);
}

#define LAYOUTS_MAX 32u

/* The list counts; a struct of its own would be no clearer. */
static void a_layouts(struct xdr *x, void *v)
{
	struct nfs4_attrs *a = v;
	uint32_t n = a->nlayouts, room = sizeof(a->layouts) / sizeof(a->layouts[0]);

	xdr_count(x, &n, x->encode ? room : LAYOUTS_MAX);
	for (uint32_t i = 0; i < n; i++) {
		if (i < room)
			xdr_u32(x, &a->layouts[i]);
		else
			xdr_get_u32(x);
	}
	a->nlayouts = n < room ? n : room;
}

struct attr_row {
	void (*code)(struct xdr *x, void *v);
	size_t offset;
};

#define ROW(number, fn, member) [number] = {fn, offsetof(struct nfs4_attrs, member)}

static const struct attr_row rows[NFS4_ATTRS] = {
	ROW(FATTR4_SUPPORTED_ATTRS, a_map, supported),
	ROW(FATTR4_TYPE, a_u32, type),
	ROW(FATTR4_FH_EXPIRE_TYPE, a_u32, fh_expire_type),
	ROW(FATTR4_CHANGE, a_u64, change),
	ROW(FATTR4_SIZE, a_u64, size),
	ROW(FATTR4_LINK_SUPPORT, a_bool, link_support),
	ROW(FATTR4_SYMLINK_SUPPORT, a_bool, symlink_support),
	ROW(FATTR4_NAMED_ATTR, a_bool, named_attr),
	ROW(FATTR4_FSID, a_fsid, fsid),
	ROW(FATTR4_UNIQUE_HANDLES, a_bool, unique_handles),
	ROW(FATTR4_LEASE_TIME, a_u32, lease_time),
	ROW(FATTR4_RDATTR_ERROR, a_u32, rdattr_error),
	ROW(FATTR4_ACLSUPPORT, a_u32, aclsupport),
	ROW(FATTR4_CANSETTIME, a_bool, cansettime),
	ROW(FATTR4_CASE_INSENSITIVE, a_bool, case_insensitive),
	ROW(FATTR4_CASE_PRESERVING, a_bool, case_preserving),
	ROW(FATTR4_CHOWN_RESTRICTED, a_bool, chown_restricted),
	ROW(FATTR4_FILEHANDLE, a_fh, filehandle),
	ROW(FATTR4_FILEID, a_u64, fileid),
	ROW(FATTR4_FILES_AVAIL, a_u64, files_avail),
	ROW(FATTR4_FILES_FREE, a_u64, files_free),
	ROW(FATTR4_FILES_TOTAL, a_u64, files_total),
	ROW(FATTR4_HOMOGENEOUS, a_bool, homogeneous),
	ROW(FATTR4_MAXFILESIZE, a_u64, maxfilesize),
	ROW(FATTR4_MAXLINK, a_u32, maxlink),
	ROW(FATTR4_MAXNAME, a_u32, maxname),
	ROW(FATTR4_MAXREAD, a_u64, maxread),
	ROW(FATTR4_MAXWRITE, a_u64, maxwrite),
	ROW(FATTR4_MODE, a_u32, mode),
	ROW(FATTR4_NO_TRUNC, a_bool, no_trunc),
	ROW(FATTR4_NUMLINKS, a_u32, numlinks),
	ROW(FATTR4_OWNER, a_owner, owner),
	ROW(FATTR4_OWNER_GROUP, a_owner, owner_group),
	ROW(FATTR4_RAWDEV, a_specdata, rawdev),
	ROW(FATTR4_SPACE_AVAIL, a_u64, space_avail),
	ROW(FATTR4_SPACE_FREE, a_u64, space_free),
	ROW(FATTR4_SPACE_TOTAL, a_u64, space_total),
	ROW(FATTR4_SPACE_USED, a_u64, space_used),
	ROW(FATTR4_TIME_ACCESS, a_time, time_access),
	ROW(FATTR4_TIME_ACCESS_SET, a_set_time, time_access_set),
	ROW(FATTR4_TIME_CREATE, a_time, time_create),
	ROW(FATTR4_TIME_DELTA, a_time, time_delta),
	ROW(FATTR4_TIME_METADATA, a_time, time_metadata),
	ROW(FATTR4_TIME_MODIFY, a_time, time_modify),
	ROW(FATTR4_TIME_MODIFY_SET, a_set_time, time_modify_set),
	ROW(FATTR4_MOUNTED_ON_FILEID, a_u64, mounted_on_fileid),
	[FATTR4_FS_LAYOUT_TYPES] = {a_layouts, 0},
	ROW(FATTR4_LAYOUT_BLKSIZE, a_u32, layout_blksize),
	ROW(FATTR4_MODE_SET_MASKED, a_mode_umask, mode_set_masked),
	ROW(FATTR4_SUPPATTR_EXCLCREAT, a_map, suppattr_exclcreat),
	ROW(FATTR4_CLONE_BLKSIZE, a_u32, clone_blksize),
	ROW(FATTR4_SPACE_FREED, a_u64, space_freed),
	ROW(FATTR4_CHANGE_ATTR_TYPE, a_u32, change_attr_type),
	ROW(FATTR4_MODE_UMASK, a_mode_umask, mode_umask),
	ROW(FATTR4_XATTR_SUPPORT, a_bool, xattr_support),
	ROW(FATTR4_TIME_DELEG_ACCESS, a_time, time_deleg_access),
	ROW(FATTR4_TIME_DELEG_MODIFY, a_time, time_deleg_modify),
	ROW(FATTR4_OPEN_ARGUMENTS, a_open_arguments, open_arguments),
};

struct nfs4_bitmap nfs4_attrs_known(void)
{
	struct nfs4_bitmap map = {.beyond = false};

	for (unsigned i = 0; i < NFS4_ATTRS; i++)
		if (rows[i].code)
			nfs4_bit_set(&map, i);
	return map;
}

void nfs4_attr_values(struct xdr *x, struct nfs4_attrs *a)
{
	if (a->map.beyond)
		xdr_fail(x);
	for (unsigned i = 0; i < NFS4_ATTRS && !x->error; i++) {
		if (!nfs4_bit(&a->map, i))
			continue;
		if (rows[i].code)
			rows[i].code(x, (char *)a + rows[i].offset);
		else
			xdr_fail(x);
	}
}

void nfs4_attrs(struct xdr *x, struct nfs4_attrs *a)
{
	uint32_t len = 0;
	size_t at;

	nfs4_bitmap(x, &a->map);
	at = xdr_mark(x);
	xdr_u32(x, &len);
	if (!x->encode && (x->error || len > xdr_left(x))) {
		xdr_fail(x);
		return;
	}
	nfs4_attr_values(x, a);
	if (x->encode)
		xdr_patch_u32(x, at, (uint32_t)(xdr_mark(x) - at - 4));
	else if (xdr_mark(x) - at - 4 != len)
		xdr_fail(x);
}

int nfs4_attrs_decode(const struct nfs4_fattr *fattr, struct nfs4_attrs *a)
{
	struct nfs4_bitmap known = nfs4_attrs_known();
	struct xdr x;

	memset(a, 0, sizeof(*a));
	a->map = fattr->map;
	for (unsigned i = 0; i < NFS4_MAP_WORDS; i++)
		if (a->map.word[i] & ~known.word[i])
			return -EOPNOTSUPP;
	if (a->map.beyond)
		return -EOPNOTSUPP;
	xdr_decode(&x, fattr->vals.data, fattr->vals.len);
	nfs4_attr_values(&x, a);
	return x.error || xdr_left(&x) ? -EBADMSG : 0;
}
