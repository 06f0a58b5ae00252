// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * uncached.c - reading back what the storage holds, not what memory remembers.
 *
 * What was written goes to the storage and its pages are dropped, so that even a
 * buffered read asks the storage.  O_DIRECT beside that keeps others from filling
 * the cache again, but alone it is no proof: btrfs answers it from the cache for
 * compressed extents (Linux fs/btrfs/direct-io.c).  Dropped pages are a request to
 * the kernel; those that are mapped elsewhere may stay.
 */
#include "core.h"

static void set_direct(struct file *file, bool direct)
{
	int flags = fcntl(file->fd, F_GETFL);

	/* The description of a borrowed descriptor is its owner's. */
	if (flags < 0 || file->fd_borrowed)
		return;
	if (!fcntl(file->fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT))
		file->oflags = direct ? file->oflags | O_DIRECT : file->oflags & ~O_DIRECT;
}

int cr_uncached(struct file *file, bool direct)
{
	int err = cr_sync(file, true);

	if (err || file->fd < 0)
		return err;
	posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
	set_direct(file, direct);
	return 0;
}
