/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs.h - what the files of this room share. */
#ifndef CR_BTRFS_H
#define CR_BTRFS_H

#include "fs.h"

/* extent.c: the method, see fs.h */
int btrfs_extents(struct file *file, off_t pos, struct file_extent *ext, unsigned n, unsigned how);

/* encoded.c: methods */
ssize_t btrfs_read_encoded(struct file *file, struct encoded_iov *ev, void *buf, size_t size,
			   off_t pos);
ssize_t btrfs_write_encoded(struct file *file, const struct encoded_iov *ev,
			    const struct iovec *payload, off_t pos);

void btrfs_encoded_cmd(struct encoded_cmd *cmd, const struct encoded_iov *ev, off_t pos);
int btrfs_encoded_answer(const struct encoded_cmd *cmd, ssize_t n, struct encoded_iov *ev);

/* subvol.c: methods */
int btrfs_subvol_create(struct file *dir, const char *name);
int btrfs_snap_create(struct file *subvol, struct file *dir, const char *name, unsigned flags);
int btrfs_snap_destroy(struct file *dir, const char *name);
int btrfs_subvol_info(struct file *file, struct subvol_info *info);
int btrfs_subvol_setflags(struct file *subvol, unsigned flags);
int btrfs_set_received_subvol(struct file *subvol, const uint8_t *uuid, uint64_t stransid);
int btrfs_subvol_find(struct file *file, enum subvol_uuid which, const uint8_t *uuid, uint64_t *id,
		      unsigned n);
int btrfs_subvol_open(struct file *at, uint64_t id, struct file *child);

/* compression.c: the method */
uint32_t btrfs_compression_of(struct file *file);

/* The value of ENCODED_LZO_* for a sector size, 0 for one that it has no name for. */
uint32_t btrfs_lzo_of(uint32_t sectorsize);

#endif
