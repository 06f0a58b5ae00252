// SPDX-License-Identifier: GPL-2.0-or-later
/* fiemap.c - FS_IOC_FIEMAP in the words of encoded.h: see fiemap.h. */
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "fs/host/fiemap.h"
#include "fs/host/host.h"

/* statfs(2) f_type, of <linux/magic.h> where that has it. */
#define MAGIC_OCFS2    0x7461636fu
#define MAGIC_BCACHEFS 0xca451a4eu

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

static bool any_with(const struct file_extent *ext, int n, uint32_t flags)
{
	while (n-- > 0)
		if (ext[n].flags & flags)
			return true;
	return false;
}

/* XFS may have a second device for data, with addresses of its own: nothing is said of those. */
static bool on_second_device(const struct file *file)
{
	struct fsxattr fsx;

	return ioctl(file->fd, FS_IOC_FSGETXATTR, &fsx) < 0 || (fsx.fsx_xflags & FS_XFLAG_REALTIME);
}

static void cut_front(struct file_extent *ext, uint64_t pos)
{
	if (ext->pos >= pos)
		return;
	ext->offset += pos - ext->pos;
	ext->len -= pos - ext->pos;
	ext->pos = pos;
}

/*
 * Data in memory above preallocated space does not show on XFS, and an extent
 * that is shared may have some above it: then all is written out first.
 */
int host_extents(struct file *file, off_t pos, struct file_extent *ext, unsigned n, unsigned how)
{
	struct fiemap_range range = {.pos = (uint64_t)pos, .sync = how & EXTENTS_FLUSH};
	uint32_t magic = file->mnt->magic;
	struct stat st;
	int got;

	if (magic != MAGIC_XFS && magic != MAGIC_OCFS2 && magic != MAGIC_BCACHEFS)
		return -EOPNOTSUPP;
	if (pos < 0 || !n)
		return -EINVAL;
	if (fstat(file->fd, &st) < 0)
		return -errno;
	range.size = (uint64_t)st.st_size;
	got = fiemap_read(file->fd, &range, ext, n);
	if (!range.sync && any_with(ext, got, EXTENT_SHARED | EXTENT_PREALLOC)) {
		range.sync = true;
		got = fiemap_read(file->fd, &range, ext, n);
	}
	if (got <= 0)
		return got;
	cut_front(&ext[0], range.pos);
	if (any_with(ext, got, EXTENT_SHARED) && on_second_device(file))
		for (int i = 0; i < got; i++)
			ext[i].flags &= ~EXTENT_SHARED;
	return got;
}

/* XFS reserves beyond the end by itself; what was reserved on order is marked. */
static bool tail_is_ordered(const struct file *file)
{
	struct fsxattr fsx;

	if (file->mnt->magic != MAGIC_XFS)
		return true;
	return !ioctl(file->fd, FS_IOC_FSGETXATTR, &fsx) && (fsx.fsx_xflags & FS_XFLAG_PREALLOC);
}

struct unwritten {
	uint64_t pos, end; /* what is looked at */
	struct file_range *range;
	unsigned put, n;
};

/* Takes one extent into the list; false: the end, or no more room. */
static bool unwritten_take(struct unwritten *u, const struct fiemap_extent *fe)
{
	struct file_range *last = u->put ? &u->range[u->put - 1] : NULL;
	uint64_t from = fe->fe_logical, to = from + fe->fe_length;

	from = from < u->pos ? u->pos : from;
	to = to < u->end ? to : u->end;
	if (to < fe->fe_logical || from >= to)
		return false;
	if (fe->fe_flags & FIEMAP_EXTENT_UNWRITTEN) {
		if (last && last->pos + last->len == from)
			last->len = to - last->pos;
		else if (u->put < u->n)
			u->range[u->put++] = (struct file_range){from, to - from};
		else
			return false;
	}
	u->pos = to;
	return true;
}

/* Data in memory above such space may not show: it is reserved all the same. */
int host_unwritten(struct file *file, off_t pos, struct file_range *range, unsigned n)
{
	struct unwritten u = {.pos = (uint64_t)pos, .end = INT64_MAX, .range = range, .n = n};
	union fiemap_list list;
	bool more = true;
	struct stat st;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	if (!tail_is_ordered(file))
		u.end = (uint64_t)st.st_size;
	while (more && u.pos < u.end) {
		const struct fiemap_range rest = {.pos = u.pos, .size = u.end};
		int err = fiemap_ioctl(file->fd, &rest, &list, FIEMAP_BATCH);

		if (err)
			return err == -EOPNOTSUPP ? 0 : err;
		more = list.head.fm_mapped_extents == FIEMAP_BATCH;
		for (unsigned i = 0; i < list.head.fm_mapped_extents; i++)
			if (!unwritten_take(&u, &list.head.fm_extents[i]))
				return (int)u.put;
	}
	return (int)u.put;
}
