// SPDX-License-Identifier: GPL-2.0-or-later
/* types.c - the list of rooms: the only file that knows them all.  Later ones claim mounts first.
 */
#include <stddef.h>

#include "fs.h"
#include "fs/rooms.h"

const struct fs_type *const cr_fs_types[] = {
	HOST_ROOM BTRFS_ROOM MEM_ROOM NFS_ROOM LIBNFS_ROOM BLOCK_ROOM FAULT_ROOM NULL,
};
