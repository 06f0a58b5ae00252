/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fiemap.h - extents of a file of this machine, as any file system with FIEMAP tells them. */
#ifndef CR_FIEMAP_H
#define CR_FIEMAP_H

#include "fs.h"

/* Extents that one call asks for: a list that costs 4 KiB of stack and few calls. */
#define FIEMAP_BATCH 64

/* What fiemap_read() is asked. */
struct fiemap_range {
	uint64_t pos, size; /* from where, and the size of the file */
	bool sync;	    /* write to the disk what is not there yet, first */
};

/**
 * fiemap_read - extents from range->pos on, holes included
 * @fd: a regular file
 * @range: where, and whether to flush
 * @ext: filled; the first may begin before range->pos, as it does in the file;
 *	the last is cut at the end of the file
 * @n: room in @ext
 *
 * Neighbours that continue each other on the disk may come as one.  Of a
 * compressed extent only pos, len, disk_bytenr and EXTENT_ENCODED are told.
 * Without range->sync, newer data above an extent that is on the disk is not
 * seen; data above a hole is (EXTENT_DELALLOC).
 *
 * Return: extents put in, 0 at the end of the file, a negative errno:
 * -EOPNOTSUPP where the file system has no FIEMAP.
 * Reference: Linux Documentation/filesystems/fiemap.rst, fs/btrfs/fiemap.c.
 */
int fiemap_read(int fd, const struct fiemap_range *range, struct file_extent *ext, unsigned n);

/* The method extents, where several files can share blocks: XFS, ocfs2, bcachefs. */
int host_extents(struct file *file, off_t pos, struct file_extent *ext, unsigned n, unsigned how);

#endif
