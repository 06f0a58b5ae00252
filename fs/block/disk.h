/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disk.h - block devices of this machine that copy by themselves. */
#ifndef CR_DISK_H
#define CR_DISK_H

#include <errno.h>

#include "fs.h"

/**
 * disk_copy_range - the method copy_range of files of which one is a block device
 *
 * SCSI disks and their partitions are asked by EXTENDED COPY; all else is declined.  What the
 * kernel has cached of both is written before, and what it has of the target is dropped before
 * and after, on the disk and all of its partitions.
 */
#ifdef CONFIG_FS_BLOCK
int disk_copy_range(const struct copy_req *req, struct copy_result *res);
/* The method describe of a block device: of the disk below its first byte. */
int disk_describe(const struct file *file, char *text, size_t size);
#else
static inline int disk_describe(const struct file *file, char *text, size_t size)
{
	return -EOPNOTSUPP;
}
static inline int disk_copy_range(const struct copy_req *req, struct copy_result *res)
{
	return decline(res, COPY_OFFLOAD,
		       (struct copy_why){.reason = "SCSI is left out of this build",
					 .error = EOPNOTSUPP,
					 .scope = COPY_THIS_FILE});
}
#endif

/* resolve.c: where a byte of a device is on its disk */
struct disk_place {
	const struct disk_node *disk; /* of the map */
	uint64_t start;		      /* where the byte is: bytes */
	uint64_t len; /* how many bytes go on from there; UINT64_MAX: all of the device */
};
/* What is known of a device. */
struct disk_node {
	struct disk_node *next;
	dev_t dev;
	char name[64]; /* below /dev: "sda", "sda1", "dm-0" */
	enum { IS_DISK, IS_PARTITION, IS_MAPPED, IS_NEITHER } kind;
	const char *reason; /* IS_NEITHER: why it is not followed */
	dev_t below;	    /* of a partition its disk; of a multipath device a path that works */
	uint64_t start;	    /* of a partition: bytes */
	struct dm_ioctl *table;
};
/* The devices that were met on the way down, as they were then: for one thread. */
struct disk_map {
	struct disk_node *nodes;
};
void disk_map_free(struct disk_map *map);
/**
 * disk_resolve - the SCSI disk below byte @pos of the device @dev
 * @map: empty at first; disk_map_free() it
 * @reason: why there is none, static text
 *
 * Return: 0, -ENODEV and @reason, or -ENOMEM.
 */
int disk_resolve(struct disk_map *map, dev_t dev, uint64_t pos, struct disk_place *place,
		 const char **reason);

#endif
