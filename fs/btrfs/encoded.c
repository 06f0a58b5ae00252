// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * encoded.c - BTRFS_IOC_ENCODED_READ and BTRFS_IOC_ENCODED_WRITE (Linux 5.18),
 * shaped like pread and pwrite.  Both go past the page cache, need
 * CAP_SYS_ADMIN in the first user namespace, and take one extent a call.
 */
#include <errno.h>
#include <linux/btrfs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "fs/btrfs/btrfs.h"

/* What a read said, checked before anyone believes it. */
static int answer(const struct btrfs_ioctl_encoded_io_args *args, ssize_t n, size_t size,
		  struct encoded_iov *ev)
{
	if ((size_t)n > size || args->compression >= ENCODED_COMPRESSION_TYPES || args->encryption)
		return -EIO;
	*ev = (struct encoded_iov){
		.len = args->len,
		.unencoded_len = args->unencoded_len,
		.unencoded_offset = args->unencoded_offset,
		.compression = args->compression,
	};
	return 0;
}

static struct btrfs_ioctl_encoded_io_args write_args(const struct encoded_iov *ev,
						     const struct iovec *payload, off_t pos)
{
	return (struct btrfs_ioctl_encoded_io_args){
		.iov = payload,
		.iovcnt = 1,
		.offset = pos,
		.len = ev->len,
		.unencoded_len = ev->unencoded_len,
		.unencoded_offset = ev->unencoded_offset,
		.compression = ev->compression,
		.encryption = ev->encryption,
	};
}

/*
 * Reading starts and awaits the writeback of newer data first, so the answer is
 * always what the file contains.  A hole or preallocated space comes as zeros
 * without compression.  The kernel verifies the checksum of the stored bytes.
 */
ssize_t btrfs_read_encoded(struct file *file, struct encoded_iov *ev, void *buf, size_t size,
			   off_t pos)
{
	struct iovec iov = {buf, size};
	struct btrfs_ioctl_encoded_io_args args = {.iov = &iov, .iovcnt = 1, .offset = pos};
	int n, err;

	do
		n = ioctl(file->fd, BTRFS_IOC_ENCODED_READ, &args);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	err = answer(&args, n, size, ev);
	return err ? err : n;
}

/*
 * The payload is not looked at: what does not decode is planted all the same.
 * pos + ev->len is a multiple of the sector size or becomes the end of the
 * file.  Returns once the write is under way; fsync tells of its errors.
 */
ssize_t btrfs_write_encoded(struct file *file, const struct encoded_iov *ev,
			    const struct iovec *payload, off_t pos)
{
	struct btrfs_ioctl_encoded_io_args args = write_args(ev, payload, pos);
	int n;

	do
		n = ioctl(file->fd, BTRFS_IOC_ENCODED_WRITE, &args);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

_Static_assert(sizeof(struct btrfs_ioctl_encoded_io_args) ==
		       sizeof(((struct encoded_cmd *)0)->args),
	       "the kernel's struct fits a command exactly");

/* The ioctls as commands: reads since Linux 6.13, writes since 6.14. */
void btrfs_encoded_cmd(struct encoded_cmd *cmd, const struct encoded_iov *ev, off_t pos)
{
	struct btrfs_ioctl_encoded_io_args args = {.iov = &cmd->iov, .iovcnt = 1, .offset = pos};

	if (ev)
		args = write_args(ev, &cmd->iov, pos);
	memcpy(cmd->args, &args, sizeof(args));
	cmd->op = ev ? (uint32_t)BTRFS_IOC_ENCODED_WRITE : (uint32_t)BTRFS_IOC_ENCODED_READ;
}

int btrfs_encoded_answer(const struct encoded_cmd *cmd, ssize_t n, struct encoded_iov *ev)
{
	struct btrfs_ioctl_encoded_io_args args;

	memcpy(&args, cmd->args, sizeof(args));
	return answer(&args, n, cmd->iov.iov_len, ev);
}
