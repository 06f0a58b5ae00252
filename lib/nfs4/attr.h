/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attr.h - what is inside a fattr4: attributes with their values, on one struct.
 *
 * ACLs, quotas, locations and layouts are not among them; nfs4_attrs_known() says
 * which are.
 */
#ifndef CR_NFS4_ATTR_H
#define CR_NFS4_ATTR_H

#include "lib/nfs4/types.h"

struct nfs4_specdata {
	uint32_t major, minor;
};

struct nfs4_set_time {
	uint32_t how; /* enum time_how4 */
	struct nfs4_time time;
};

struct nfs4_mode_umask {
	uint32_t mode, umask;
};

/* What OPEN takes: RFC 9754 section 4.  Bit n stands for the value n of its argument. */
struct nfs4_open_arguments {
	struct nfs4_bitmap access, deny, want, claim, createmode;
};

struct nfs4_attrs {
	struct nfs4_bitmap map; /* what is valid below */
	struct nfs4_bitmap supported, suppattr_exclcreat;
	uint32_t type, fh_expire_type, lease_time, rdattr_error, aclsupport;
	uint32_t maxlink, maxname, mode, numlinks, clone_blksize, change_attr_type;
	uint32_t layout_blksize;
	bool link_support, symlink_support, named_attr, unique_handles, cansettime;
	bool case_insensitive, case_preserving, chown_restricted, homogeneous, no_trunc;
	bool xattr_support;
	uint64_t change, size, fileid, mounted_on_fileid;
	uint64_t files_avail, files_free, files_total;
	uint64_t maxfilesize, maxread, maxwrite;
	uint64_t space_avail, space_free, space_total, space_used, space_freed;
	struct nfs4_fsid fsid;
	struct nfs4_fh filehandle;
	struct xdr_bytes owner, owner_group; /* "0" or "root@domain" */
	struct nfs4_specdata rawdev;
	struct nfs4_time time_access, time_create, time_delta, time_metadata, time_modify;
	struct nfs4_time time_deleg_access, time_deleg_modify;
	struct nfs4_set_time time_access_set, time_modify_set;
	struct nfs4_mode_umask mode_umask;
	struct nfs4_open_arguments open_arguments;
	uint32_t nlayouts, layouts[4];		/* fs_layout_types: of more the first are kept */
	struct nfs4_mode_umask mode_set_masked; /* umask: the mask of bits to set */
};

/* Every attribute that this codec has. */
struct nfs4_bitmap nfs4_attrs_known(void);

/* The values in the order of a->map's bits, without bitmap and length around them.  A bit that
 * is not known is an error. */
void nfs4_attr_values(struct xdr *x, struct nfs4_attrs *a);

/* A whole fattr4: bitmap, length and values, which must fill it exactly. */
void nfs4_attrs(struct xdr *x, struct nfs4_attrs *a);

/* Values of a fattr4 that was decoded before: 0, or -EBADMSG; -EOPNOTSUPP: a bit is not known. */
int nfs4_attrs_decode(const struct nfs4_fattr *fattr, struct nfs4_attrs *a);

#endif
