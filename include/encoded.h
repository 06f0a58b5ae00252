/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encoded.h - an extent as it is stored: the words that the core, the rooms
 * and the streams share.  Field meanings follow struct btrfs_ioctl_encoded_io_args
 * (Linux include/uapi/linux/btrfs.h).
 */
#ifndef CR_ENCODED_H
#define CR_ENCODED_H

#include <stdint.h>
#include <sys/uio.h>

/* Values of BTRFS_ENCODED_IO_COMPRESSION_*. */
enum encoded_compression {
	ENCODED_NONE = 0,
	ENCODED_ZLIB = 1,
	ENCODED_ZSTD = 2,
	ENCODED_LZO_4K = 3,
	ENCODED_LZO_8K = 4,
	ENCODED_LZO_16K = 5,
	ENCODED_LZO_32K = 6,
	ENCODED_LZO_64K = 7,
	ENCODED_COMPRESSION_TYPES
};

/* The kernel's limits for one extent, encoded and decoded (BTRFS_MAX_COMPRESSED). */
#define ENCODED_MAX 131072u

/* How a payload of an extent relates to the file's bytes. */
struct encoded_iov {
	uint64_t len;		   /* bytes of the file this extent stands for */
	uint64_t unencoded_len;	   /* bytes the whole payload decodes to */
	uint64_t unencoded_offset; /* where in the decoded bytes the file's begin */
	uint32_t compression;	   /* enum encoded_compression */
	uint32_t encryption;	   /* 0 */
};

/* struct file_extent.flags */
#define EXTENT_HOLE	0x01u /* no storage: reads as zeros */
#define EXTENT_PREALLOC 0x02u /* reserved, unwritten: reads as zeros */
#define EXTENT_INLINE	0x04u /* stored inside the metadata */
#define EXTENT_SHARED	0x08u /* other references to disk_bytenr exist, or may */
#define EXTENT_DELALLOC 0x10u /* not on disk yet */
#define EXTENT_ENCODED	0x20u /* compressed, but how is not known: only pos and len count */

/* One extent reference of a file, in file order. */
struct file_extent {
	uint64_t pos, len;    /* bytes of the file */
	uint64_t disk_bytenr; /* address on the file system; names the extent */
	uint64_t disk_len;    /* bytes it takes on disk */
	uint64_t offset;      /* of this reference inside the decoded extent */
	uint64_t ram_bytes;   /* bytes the whole extent decodes to */
	uint32_t compression; /* enum encoded_compression, LZO as the mount's sector size */
	uint32_t flags;	      /* EXTENT_* */
	uint64_t generation;  /* tells extents apart that had disk_bytenr one after the other */
};

/*
 * What to ask for with a list of extents: EXTENT_SHARED is to be exact but for
 * clones of the last seconds inside one file, and such an extent has no newer
 * data above it that is not on the disk yet.
 */
#define EXTENTS_SHARED 0x1u
#define EXTENTS_FLUSH  0x2u /* there surely are shared ones: flush without a look before */

/*
 * An encoded read or write as a command of io_uring (IORING_OP_URING_CMD). The
 * caller sets @iov, the room the rest; all of it stays where it is until the
 * answer has come.
 */
struct encoded_cmd {
	struct iovec iov;
	uint64_t args[16]; /* what the kernel reads, and answers into */
	uint32_t op;	   /* sqe->cmd_op; sqe->addr is args */
};

#endif
