// SPDX-License-Identifier: GPL-2.0-or-later
/* errno.c - the one place where an errno becomes an nfsstat4. */
#include <errno.h>
#include <stddef.h>

#include "nfsd/nfsd.h"

struct row {
	int error;
	uint32_t status;
};

static const struct row rows[] = {
	{EPERM, NFS4ERR_PERM},
	{ENOENT, NFS4ERR_NOENT},
	{EIO, NFS4ERR_IO},
	{ENXIO, NFS4ERR_NXIO},
	{EACCES, NFS4ERR_ACCESS},
	{EEXIST, NFS4ERR_EXIST},
	{EXDEV, NFS4ERR_XDEV},
	{ENOTDIR, NFS4ERR_NOTDIR},
	{EISDIR, NFS4ERR_ISDIR},
	{EINVAL, NFS4ERR_INVAL},
	{EFBIG, NFS4ERR_FBIG},
	{ENOSPC, NFS4ERR_NOSPC},
	{EROFS, NFS4ERR_ROFS},
	{EMLINK, NFS4ERR_MLINK},
	{ENAMETOOLONG, NFS4ERR_NAMETOOLONG},
	{ENOTEMPTY, NFS4ERR_NOTEMPTY},
	{EDQUOT, NFS4ERR_DQUOT},
	{ESTALE, NFS4ERR_STALE},
	{EOPNOTSUPP, NFS4ERR_NOTSUPP},
	{ENOSYS, NFS4ERR_NOTSUPP},
	{ENOTTY, NFS4ERR_NOTSUPP},
	{ELOOP, NFS4ERR_SYMLINK},
	{ETXTBSY, NFS4ERR_FILE_OPEN},
	{EBUSY, NFS4ERR_FILE_OPEN},
	{EAGAIN, NFS4ERR_DELAY},
	{ENOMEM, NFS4ERR_DELAY},
	{EMFILE, NFS4ERR_DELAY},
	{ENFILE, NFS4ERR_DELAY},
	{EINTR, NFS4ERR_DELAY},
	{ENODATA, NFS4ERR_NOXATTR},
	{E2BIG, NFS4ERR_XATTR2BIG},
	{ERANGE, NFS4ERR_XATTR2BIG},
	{ENODEV, NFS4ERR_NXIO},
	{EOVERFLOW, NFS4ERR_INVAL},
};

uint32_t nfsd_status(int err)
{
	if (err >= 0)
		return NFS4_OK;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].error == -err)
			return rows[i].status;
	return NFS4ERR_SERVERFAULT;
}
