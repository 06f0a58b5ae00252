// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stream_direct.c - the same open file with and without O_DIRECT.
 *
 * O_DIRECT belongs to the open file description, which is the caller's: it is
 * not changed behind his back.  /proc/thread-self/fd/N opens a second description of
 * the same inode instead.  That may be refused (no /proc, a mode that changed
 * since the first open): then the copy goes on with what there is.
 */
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stream.h"

#ifndef STATX_DIOALIGN
#define STATX_DIOALIGN 0x2000U
#endif

#define DIRECT_ALIGN 4096u
#define COLD_SAMPLES 8u
#define KEEP_FLAGS   (O_ACCMODE | O_NOATIME | O_DSYNC | O_SYNC)

int twin_open(const struct file *file, bool direct, struct file *twin)
{
	char path[sizeof("/proc/thread-self/fd/") + 12];
	int flags = (file->oflags & KEEP_FLAGS) | O_CLOEXEC | O_NONBLOCK;

	*twin = *file;
	twin->oflags = direct ? file->oflags | O_DIRECT : file->oflags & ~O_DIRECT;
	twin->fd = -1;
	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", file->fd);
	twin->fd = open(path, direct ? flags | O_DIRECT : flags);
	return twin->fd < 0 ? -errno : 0;
}

void twin_close(struct file *twin)
{
	if (twin && twin->fd >= 0)
		close(twin->fd);
}

/* What O_DIRECT wants offsets, lengths and memory to be multiples of; 0: it is not supported. */
uint32_t direct_align(struct file *file)
{
	struct statx stx;

	if (statx(file->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) ||
	    !(stx.stx_mask & STATX_DIOALIGN))
		return DIRECT_ALIGN; /* Linux before 6.1, or a file system that does not say */
	if (!stx.stx_dio_offset_align)
		return 0;
	return MAX(DIRECT_ALIGN, MAX(stx.stx_dio_offset_align, stx.stx_dio_mem_align));
}

/* A byte of data at or after @pos that can be read without waiting; a hole is no sample. */
static int sample(struct file *file, off_t pos)
{
	off_t data = cr_seek(file, pos, SEEK_DATA);
	char byte;
	struct iovec iov = {&byte, 1};

	if (data == -ENXIO)
		return 0;
	return preadv2(file->fd, &iov, 1, data < 0 ? pos : data, RWF_NOWAIT) < 0 ? -errno : 1;
}

/*
 * Samples of one byte that must not wait: most of them refused means that the
 * range would have to come from the device.  A file system that cannot tell
 * counts as cached, since reading through the page cache is never wrong.
 */
bool source_is_cold(const struct copy_req *req, uint64_t len)
{
	unsigned cold = 0, cached = 0;

	for (unsigned i = 0; i < COLD_SAMPLES; i++) {
		int r = sample(req->in, req->pos_in + (off_t)(len / COLD_SAMPLES * i));

		if (r < 0 && r != -EAGAIN)
			return false;
		cold += r < 0;
		cached += r > 0;
	}
	return cold > cached;
}
