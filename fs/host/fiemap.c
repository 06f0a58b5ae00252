// SPDX-License-Identifier: GPL-2.0-or-later
/* fiemap.c - FS_IOC_FIEMAP in the words of encoded.h: see fiemap.h. */
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "fs/host/fiemap.h"

/* Kernel flags that mean: do not trust the place, read the file instead. */
#define FIEMAP_NO_PLACE                                                                            \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_DATA_ENCRYPTED)

union fiemap_list {
	struct fiemap head;
	unsigned char room[sizeof(struct fiemap) + FIEMAP_BATCH * sizeof(struct fiemap_extent)];
};

static int fiemap_ioctl(int fd, const struct fiemap_range *range, union fiemap_list *list,
			unsigned n)
{
	int r;

	memset(&list->head, 0, sizeof(list->head));
	list->head.fm_start = range->pos;
	list->head.fm_length = range->size - range->pos;
	list->head.fm_flags = range->sync ? FIEMAP_FLAG_SYNC : 0;
	list->head.fm_extent_count = n;
	do
		r = ioctl(fd, FS_IOC_FIEMAP, &list->head);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == ENOTTY ? -EOPNOTSUPP : -errno;
	return list->head.fm_mapped_extents > n ? -EIO : 0;
}

static struct file_extent from_kernel(const struct fiemap_extent *fe, uint64_t size)
{
	uint64_t len =
		fe->fe_length < size - fe->fe_logical ? fe->fe_length : size - fe->fe_logical;
	struct file_extent ext = {.pos = fe->fe_logical, .len = len};

	if (fe->fe_flags & FIEMAP_NO_PLACE)
		ext.flags = EXTENT_DELALLOC;
	else if (fe->fe_flags & FIEMAP_EXTENT_UNWRITTEN)
		ext.flags = EXTENT_PREALLOC;
	else if (fe->fe_flags & FIEMAP_EXTENT_ENCODED)
		ext.flags = EXTENT_ENCODED;
	if (fe->fe_flags & (FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED))
		ext.flags |= EXTENT_INLINE;
	if (fe->fe_flags & FIEMAP_EXTENT_SHARED)
		ext.flags |= EXTENT_SHARED;
	if (ext.flags & EXTENT_DELALLOC)
		return ext;
	ext.disk_bytenr = fe->fe_physical;
	ext.disk_len = ext.ram_bytes = ext.flags & EXTENT_ENCODED ? 0 : fe->fe_length;
	return ext;
}

static struct file_extent hole(uint64_t from, uint64_t to)
{
	return (struct file_extent){.pos = from, .len = to - from, .flags = EXTENT_HOLE};
}

int fiemap_read(int fd, const struct fiemap_range *range, struct file_extent *ext, unsigned n)
{
	union fiemap_list list;
	uint64_t at = range->pos;
	unsigned put = 0, want = n < FIEMAP_BATCH ? n : FIEMAP_BATCH;
	int err;

	if (range->pos >= range->size)
		return 0;
	err = fiemap_ioctl(fd, range, &list, want);
	if (err)
		return err;
	for (unsigned i = 0; i < list.head.fm_mapped_extents && put < n; i++) {
		const struct fiemap_extent *fe = &list.head.fm_extents[i];

		if (fe->fe_logical >= range->size)
			break;
		if (fe->fe_logical > UINT64_MAX - fe->fe_length ||
		    fe->fe_logical + fe->fe_length <= at)
			continue;
		if (fe->fe_logical > at) {
			ext[put++] = hole(at, fe->fe_logical);
			at = fe->fe_logical;
			if (put == n)
				break;
		}
		ext[put] = from_kernel(fe, range->size);
		if (put && fe->fe_logical < at) /* it changes while it is listed: read it */
			ext[put] = (struct file_extent){.pos = at,
							.len = ext[put].pos + ext[put].len - at,
							.flags = EXTENT_DELALLOC};
		at = ext[put].pos + ext[put].len;
		put++;
	}
	if (list.head.fm_mapped_extents < want && at < range->size && put < n)
		ext[put++] = hole(at, range->size);
	return (int)put;
}
