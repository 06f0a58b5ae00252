// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * subvol.c - subvolumes and snapshots: made, described, found and removed.
 *
 * Anyone may make one where a directory may be made, and ask about it (Linux
 * 4.18).  Looking one up by its uuid and saying what it was received from need
 * CAP_SYS_ADMIN.
 */
#include <errno.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "fs/btrfs/btrfs.h"
#include "fs/btrfs/search.h"
#include "fs/host/host.h"
#include "lib/bytes.h"

_Static_assert(SUBVOL_UUID_LEN == BTRFS_UUID_SIZE, "a uuid is a uuid");

/* Of include/linux/exportfs.h: objectid, root_objectid, generation, 0 from Linux 6.2 on. */
#define FILEID_BTRFS_WITHOUT_PARENT 0x4d
#define FILEID_BTRFS_LEN	    20

static int call(const struct file *file, unsigned long cmd, void *arg)
{
	if (ioctl(file->fd, cmd, arg) < 0)
		return errno == ENOTTY ? -EOPNOTSUPP : -errno;
	return 0;
}

static int vol_args(struct btrfs_ioctl_vol_args_v2 *args, const char *name)
{
	size_t len = strlen(name);

	memset(args, 0, sizeof(*args));
	if (!len || strchr(name, '/'))
		return -EINVAL;
	if (len > BTRFS_VOL_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(args->name, name, len);
	return 0;
}

int btrfs_subvol_create(struct file *dir, const char *name)
{
	struct btrfs_ioctl_vol_args_v2 args;
	int err = vol_args(&args, name);

	return err ? err : call(dir, BTRFS_IOC_SUBVOL_CREATE_V2, &args);
}

int btrfs_snap_create(struct file *subvol, struct file *dir, const char *name, unsigned flags)
{
	struct btrfs_ioctl_vol_args_v2 args;
	int err = vol_args(&args, name);

	if (err)
		return err;
	args.fd = subvol->fd;
	args.flags = flags & SUBVOL_RDONLY ? BTRFS_SUBVOL_RDONLY : 0;
	return call(dir, BTRFS_IOC_SNAP_CREATE_V2, &args);
}

/* BTRFS_IOC_SNAP_DESTROY, which Linux before 5.7 has too. */
int btrfs_snap_destroy(struct file *dir, const char *name)
{
	struct btrfs_ioctl_vol_args_v2 check;
	struct btrfs_ioctl_vol_args args = {0};
	int err = vol_args(&check, name);

	if (err)
		return err;
	memcpy(args.name, check.name, BTRFS_VOL_NAME_MAX + 1);
	return call(dir, BTRFS_IOC_SNAP_DESTROY, &args);
}

int btrfs_subvol_info(struct file *file, struct subvol_info *info)
{
	struct btrfs_ioctl_get_subvol_info_args args = {0};
	int err = call(file, BTRFS_IOC_GET_SUBVOL_INFO, &args);

	if (err)
		return err;
	*info = (struct subvol_info){
		.id = args.treeid,
		.parent_id = args.parent_id,
		.generation = args.generation,
		.ctransid = args.ctransid,
		.otransid = args.otransid,
		.stransid = args.stransid,
		.rtransid = args.rtransid,
		/* The flag as a root item has it: BTRFS_ROOT_SUBVOL_RDONLY. */
		.flags = args.flags & BTRFS_ROOT_SUBVOL_RDONLY ? SUBVOL_RDONLY : 0,
	};
	memcpy(info->uuid, args.uuid, sizeof(info->uuid));
	memcpy(info->parent_uuid, args.parent_uuid, sizeof(info->parent_uuid));
	memcpy(info->received_uuid, args.received_uuid, sizeof(info->received_uuid));
	memcpy(info->name, args.name, sizeof(info->name) - 1);
	return 0;
}

int btrfs_subvol_setflags(struct file *subvol, unsigned flags)
{
	uint64_t now, next;
	int err = call(subvol, BTRFS_IOC_SUBVOL_GETFLAGS, &now);

	if (err)
		return err;
	next = now & ~(uint64_t)BTRFS_SUBVOL_RDONLY;
	next |= flags & SUBVOL_RDONLY ? BTRFS_SUBVOL_RDONLY : 0;
	return next == now ? 0 : call(subvol, BTRFS_IOC_SUBVOL_SETFLAGS, &next);
}

int btrfs_set_received_subvol(struct file *subvol, const uint8_t *uuid, uint64_t stransid)
{
	struct btrfs_ioctl_received_subvol_args args = {.stransid = stransid};
	struct timespec now;

	memcpy(args.uuid, uuid, sizeof(args.uuid));
	clock_gettime(CLOCK_REALTIME, &now);
	args.stime.sec = (uint64_t)now.tv_sec;
	args.stime.nsec = (uint32_t)now.tv_nsec;
	return call(subvol, BTRFS_IOC_SET_RECEIVED_SUBVOL, &args);
}

/* An item of the uuid tree: the uuid is its key, the ids of subvolumes are its bytes. */
int btrfs_subvol_find(struct file *file, enum subvol_uuid which, const uint8_t *uuid, uint64_t *id,
		      unsigned n)
{
	struct search s;
	struct item item;
	unsigned put = 0;

	if (search_init(&s, file->fd, BTRFS_UUID_TREE_OBJECTID))
		return -ENOMEM;
	s.key.min_objectid = s.key.max_objectid = get_le64(uuid);
	s.key.min_offset = s.key.max_offset = get_le64(uuid + 8);
	s.key.min_type = s.key.max_type =
		which == SUBVOL_UUID ? BTRFS_UUID_KEY_SUBVOL : BTRFS_UUID_KEY_RECEIVED_SUBVOL;
	if (search_peek(&s, &item, 1))
		for (uint32_t at = 0; at + 8 <= item.head.len && put < n; at += 8)
			id[put++] = get_le64(item.data + at);
	search_free(&s);
	if (s.err == -ENOENT) /* made before there was such a tree */
		return 0;
	return s.err ? s.err : (int)put;
}

/* Of the root directory's inode, which a snapshot has from where it was taken.  0: not found */
static uint32_t root_generation(struct file *file, uint64_t id)
{
	struct search s;
	struct item item;
	uint64_t generation = 0;

	if (search_init(&s, file->fd, id))
		return 0;
	s.key.min_objectid = s.key.max_objectid = BTRFS_FIRST_FREE_OBJECTID;
	s.key.min_offset = s.key.max_offset = 0;
	s.key.min_type = s.key.max_type = BTRFS_INODE_ITEM_KEY;
	if (search_peek(&s, &item, 1) && item.head.len >= 8)
		generation = get_le64(item.data + offsetof(struct btrfs_inode_item, generation));
	search_free(&s);
	return (uint32_t)generation;
}

/* By handle, because a path would have to lead there: what is mounted may be another subvolume. */
int btrfs_subvol_open(struct file *at, uint64_t id, struct file *child)
{
	struct file_handle_bytes h = {.type = FILEID_BTRFS_WITHOUT_PARENT, .len = FILEID_BTRFS_LEN};
	const uint64_t root = BTRFS_FIRST_FREE_OBJECTID;
	uint32_t generation;
	int err;

	memcpy(h.bytes, &root, 8);
	memcpy(h.bytes + 8, &id, 8);
	err = host_open_handle(at, &h, child);
	if (err != -ESTALE)
		return err;
	generation = root_generation(at, id);
	memcpy(h.bytes + 16, &generation, sizeof(generation));
	return generation ? host_open_handle(at, &h, child) : err;
}
