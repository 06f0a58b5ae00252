/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rooms.h - each room of this build as an element of the list in types.c, or nothing. */
#ifndef CR_ROOMS_H
#define CR_ROOMS_H

#include "fs.h"

#ifdef CONFIG_FS_HOST
extern const struct fs_type host_fs_type;
#define HOST_ROOM &host_fs_type,
#else
#define HOST_ROOM
#endif

#ifdef CONFIG_FS_BTRFS
extern const struct fs_type btrfs_fs_type;
#define BTRFS_ROOM &btrfs_fs_type,
#else
#define BTRFS_ROOM
#endif

#ifdef CONFIG_FS_MEM
extern const struct fs_type mem_fs_type;
#define MEM_ROOM &mem_fs_type,
#else
#define MEM_ROOM
#endif

#ifdef CONFIG_FS_NFS
extern const struct fs_type nfs_fs_type;
#define NFS_ROOM &nfs_fs_type,
#else
#define NFS_ROOM
#endif

#ifdef CONFIG_FS_LIBNFS
extern const struct fs_type libnfs_fs_type;
#define LIBNFS_ROOM &libnfs_fs_type,
#else
#define LIBNFS_ROOM
#endif

#ifdef CONFIG_FS_BLOCK_ISCSI
extern const struct fs_type block_fs_type;
#define BLOCK_ROOM &block_fs_type,
#else
#define BLOCK_ROOM
#endif

#ifdef CONFIG_FS_FAULT
extern const struct fs_type fault_fs_type;
#define FAULT_ROOM &fault_fs_type,
#else
#define FAULT_ROOM
#endif

#endif
