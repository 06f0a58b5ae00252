/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attr.h - attributes and directory entries: the words that doors, core and
 * rooms share.  Names follow the kernel's (include/linux/fs.h, fileattr.h).
 */
#ifndef CR_ATTR_H
#define CR_ATTR_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#define ATTR_MODE  0x1u
#define ATTR_OWNER 0x2u /* uid and gid; (uid_t)-1 or (gid_t)-1 leaves one */
#define ATTR_TIMES 0x4u /* tv_nsec may be UTIME_OMIT or UTIME_NOW */

struct iattr {
	unsigned valid; /* ATTR_* */
	mode_t mode;	/* permission bits, never applied to a symlink */
	uid_t uid;
	gid_t gid;
	struct timespec atime, mtime;
};

struct xattr {
	const char *key;
	const void *value;
	size_t len;
	int flags; /* XATTR_CREATE or XATTR_REPLACE of <sys/xattr.h>, or 0 */
};

/* Inode flags: FS_*_FL of <linux/fs.h>, as chattr(1) and lsattr(1) know them. */
struct fileattr {
	uint32_t flags;
};

/* A part of a file. */
struct file_range {
	uint64_t pos, len;
};

/* What fs-verity is to make of a file: FS_IOC_ENABLE_VERITY of <linux/fsverity.h>. */
struct verity_descriptor {
	uint32_t hash_algorithm; /* FS_VERITY_HASH_ALG_* */
	uint32_t block_size;
	struct iovec salt, signature;
};

#define SUBVOL_UUID_LEN 16

/* struct subvol_info.flags, and of making a snapshot */
#define SUBVOL_RDONLY 0x1u

/* A subvolume, as BTRFS_IOC_GET_SUBVOL_INFO tells it. */
struct subvol_info {
	uint64_t id;	    /* of its tree */
	uint64_t parent_id; /* of the subvolume that holds it; 0: none */
	uint64_t generation;
	uint64_t ctransid, otransid; /* of the last change, of its making */
	uint64_t stransid, rtransid; /* where it was sent and received */
	uint32_t flags;		     /* SUBVOL_* */
	uint8_t uuid[SUBVOL_UUID_LEN];
	uint8_t parent_uuid[SUBVOL_UUID_LEN];	/* it is a snapshot of that; zeros: of none */
	uint8_t received_uuid[SUBVOL_UUID_LEN]; /* zeros: not received */
	char name[256];				/* in the directory that holds it */
};

/* Which uuid of a subvolume is looked for. */
enum subvol_uuid { SUBVOL_UUID, SUBVOL_RECEIVED_UUID };

/* A name that stays a file's however it is renamed, as name_to_handle_at(2) gives it. */
struct file_handle_bytes {
	int32_t type;
	uint8_t len;
	uint8_t bytes[27];
};

/* One name of a directory; entries lie one after the other in a dirbuf. */
struct dirent_view {
	uint64_t ino;
	unsigned char type; /* DT_* */
	const char *name;
	uint64_t next; /* where the directory goes on after it: for cr_seek(dir, next, SEEK_SET) */
};

/*
 * A piece of a directory.  The caller gives data and size (32 KiB is good);
 * the room fills len.  dirbuf_next() walks it without copying.
 */
struct dirbuf {
	char *data;
	size_t size, len, at;
};

/* What tells two files apart: equal ids are one file. */
struct file_id {
	uint64_t dev, ino;
	uint64_t mount; /* distinguishes mounts, where known */
	mode_t type;	/* S_IFMT bits */
};

#endif
