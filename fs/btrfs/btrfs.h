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

/* compression.c: the method */
uint32_t btrfs_compression_of(struct file *file);

/* The value of ENCODED_LZO_* for a sector size, 0 for one that it has no name for. */
uint32_t btrfs_lzo_of(uint32_t sectorsize);

#endif
