// SPDX-License-Identifier: GPL-2.0-or-later
/* file.c - files of this machine: open, read, write; the room's table is at the end. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fs/host/fiemap.h"
#include "fs/host/host.h"

/* statfs(2) f_type, of <linux/magic.h> where that has it. */
#define MAGIC_NFS      0x6969u
#define MAGIC_FUSE     0x65735546u
#define MAGIC_SMB      0x517bu
#define MAGIC_CIFS     0xff534d42u
#define MAGIC_SMB2     0xfe534d42u
#define MAGIC_AFS      0x5346414fu
#define MAGIC_ECRYPTFS 0xf15fu

/* What a second open of a device keeps of the first. */
#define DEVICE_FLAGS (O_ACCMODE | O_DIRECT | O_SYNC | O_DSYNC | O_NOATIME | O_NONBLOCK)

#define SELF_NAME 40 /* "/proc/self/fd/N" */

const char host_family[] = "host";

/* What the core wants to know of a file, from one statx(2). */
static int identify(struct file *file)
{
	struct statx *stx = &file->seen;
	int err = host_getattr(file, NULL, stx);

	if (err)
		return err;
	file->id.dev = ((uint64_t)stx->stx_dev_major << 32) | stx->stx_dev_minor;
	file->id.ino = stx->stx_ino;
	file->id.mount = stx->stx_mask & (STATX_MNT_ID | MNT_ID_UNIQUE) ? stx->stx_mnt_id : 0;
	file->id.type = stx->stx_mode & S_IFMT;
	return 0;
}

/*
 * A block device that is going to be written is opened once more for us alone: the kernel
 * refuses that, -EBUSY, while it or a part of it is mounted, used for swap, or below another
 * device.  It is as long as it is.
 */
static int device(struct file *file)
{
	bool write = (file->oflags & O_ACCMODE) != O_RDONLY;
	char self[SELF_NAME];
	int fd;

	if (!S_ISBLK(file->id.type) || (file->oflags & O_PATH))
		return 0;
	file->limit = file->seen.stx_size;
	if (!write)
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
	fd = open(self, (file->oflags & DEVICE_FLAGS) | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return errno == EBUSY ? -EBUSY : 0;
	close(file->fd);
	file->fd = fd;
	return 0;
}

static int adopt(struct file *file, int fd)
{
	int err;

	if (fd < 0)
		return -errno;
	file->fd = fd;
	err = identify(file);
	if (!err)
		err = device(file);
	if (err) {
		close(file->fd);
		file->fd = -1;
	}
	return err;
}

int host_open(struct file *child, const char *name, mode_t mode)
{
	return adopt(child, open(name, child->oflags | O_CLOEXEC, mode));
}

/*
 * A file just made under a plain name is on its directory's mount and can be no
 * file that anyone else has open: no question to the kernel is needed.
 */
int host_openat(struct file *dir, const char *name, mode_t mode, struct file *child)
{
	const int made = O_CREAT | O_EXCL, flags = child->oflags;
	char self[SELF_NAME];
	int fd;

	if (!name[0]) {
		snprintf(self, sizeof(self), "/proc/self/fd/%d", dir->fd);
		return adopt(child, open(self, child->oflags | O_CLOEXEC));
	}
	fd = openat(dir->fd, name, child->oflags | O_CLOEXEC, mode);

	if (fd < 0 || strchr(name, '/') ||
	    ((flags & made) != made && (flags & O_TMPFILE) != O_TMPFILE))
		return adopt(child, fd);
	child->fd = fd;
	child->fresh = true;
	child->mnt = dir->mnt;
	child->id = (struct file_id){
		.dev = dir->id.dev,
		.mount = dir->id.mount,
		.type = S_IFREG,
	};
	return 0;
}

int host_open_fd(struct file *child, int fd)
{
	int flags = fcntl(fd, F_GETFL), err;

	if (flags < 0)
		return -errno;
	child->oflags = flags;
	child->fd = fd;
	child->fd_borrowed = true;
	err = identify(child);
	if (err)
		child->fd = -1;
	return err;
}

/* Needs no privilege; opening by it needs CAP_DAC_READ_SEARCH. */
int host_get_handle(struct file *file, const char *name, struct file_handle_bytes *h)
{
	union {
		struct file_handle head;
		unsigned char room[sizeof(struct file_handle) + sizeof(h->bytes)];
	} fh = {.head = {.handle_bytes = sizeof(h->bytes)}};
	int mount_id;

	if (name_to_handle_at(file->fd, name ? name : "", &fh.head, &mount_id,
			      name ? 0 : AT_EMPTY_PATH) < 0)
		return -errno;
	if (fh.head.handle_bytes > sizeof(h->bytes))
		return -EOVERFLOW;
	h->type = fh.head.handle_type;
	h->len = (uint8_t)fh.head.handle_bytes;
	memcpy(h->bytes, fh.head.f_handle, h->len);
	return 0;
}

int host_open_handle(struct file *at, const struct file_handle_bytes *h, struct file *child)
{
	union {
		struct file_handle head;
		unsigned char room[sizeof(struct file_handle) + sizeof(h->bytes)];
	} fh = {.head = {.handle_bytes = h->len, .handle_type = h->type}};

	memcpy(fh.head.f_handle, h->bytes, h->len);
	return adopt(child, open_by_handle_at(at->fd, &fh.head, child->oflags | O_CLOEXEC));
}

int host_release(struct file *file)
{
	if (file->fd < 0 || file->fd_borrowed)
		return 0;
	return close(file->fd) < 0 ? -errno : 0;
}

ssize_t host_read(struct file *file, void *buf, size_t len, off_t pos)
{
	ssize_t n;

	do
		n = pread(file->fd, buf, len, pos);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t host_write(struct file *file, const void *buf, size_t len, off_t pos)
{
	ssize_t n;

	do
		n = pwrite(file->fd, buf, len, pos);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Kernels say both that a file system cannot do it and that this file cannot. */
static ssize_t nowait_error(void)
{
	return errno == EINVAL || errno == ENOTSUP ? -EOPNOTSUPP : -errno;
}

ssize_t host_read_nowait(struct file *file, void *buf, size_t len, off_t pos)
{
	struct iovec iov = {buf, len};
	ssize_t n = preadv2(file->fd, &iov, 1, pos, RWF_NOWAIT);

	return n < 0 ? nowait_error() : n;
}

ssize_t host_write_nowait(struct file *file, const void *buf, size_t len, off_t pos)
{
	struct iovec iov = {(void *)buf, len};
	ssize_t n = pwritev2(file->fd, &iov, 1, pos, RWF_NOWAIT);

	return n < 0 ? nowait_error() : n;
}

static off_t seek(int fd, off_t pos, int whence)
{
	off_t at = lseek(fd, pos, whence);

	return at < 0 ? -errno : at;
}

/*
 * A search for holes moves the position of the open file.  Where that is the
 * caller's it is put back, and the lock keeps two copies that share it from
 * putting back what the other one made of it.  The lock is the process's, as
 * open files are: no struct of ours knows that two descriptors share one.
 *
 * A second open file would leave the position alone altogether, but closing it
 * drops all locks of fcntl(2) that the process holds on the file.  So a thread
 * that uses the position during a copy may see it elsewhere for a moment.
 *
 * The lock names the process: one that fork(2) copied while another thread held
 * it is nobody's in the child, and is taken.
 */
static _Atomic(pid_t) position_owner;

static void position_lock(void)
{
	const struct timespec moment = {.tv_nsec = 20000};
	pid_t self = getpid(), owner = 0;

	while (!atomic_compare_exchange_weak_explicit(&position_owner, &owner, self,
						      memory_order_acquire, memory_order_relaxed)) {
		if (owner == self) {
			nanosleep(&moment, NULL);
			owner = 0;
		}
	}
}

static void position_unlock(void)
{
	atomic_store_explicit(&position_owner, 0, memory_order_release);
}

off_t host_seek(struct file *file, off_t pos, int whence)
{
	off_t keep, at;

	if (!file->fd_borrowed)
		return seek(file->fd, pos, whence);
	position_lock();
	keep = lseek(file->fd, 0, SEEK_CUR);
	at = seek(file->fd, pos, whence);
	if (keep >= 0)
		lseek(file->fd, keep, SEEK_SET);
	position_unlock();
	return at;
}

int host_allocate(struct file *file, int mode, off_t pos, off_t len)
{
	int r;

	do
		r = fallocate(file->fd, mode, pos, len);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/*
 * XFS reserves space behind what was written, and a larger size makes it part of
 * the file: it is given back, so that a hole at the end is one.
 */
static void release_tail(struct file *file, off_t from, off_t end)
{
	off_t block = file->mnt->block_size;

	from += (block - from % block) % block;
	if (from < end)
		fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, end - from);
}

int host_truncate(struct file *file, off_t size)
{
	bool xfs = file->mnt->magic == MAGIC_XFS;
	struct stat st;
	int r;

	if (xfs && fstat(file->fd, &st) < 0)
		return -errno;
	do
		r = ftruncate(file->fd, size);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (xfs && st.st_size)
		release_tail(file, st.st_size, size);
	return 0;
}

int host_sync(struct file *file, bool data_only)
{
	int r = data_only ? fdatasync(file->fd) : fsync(file->fd);

	return r < 0 ? -errno : 0;
}

int host_sync_fs(struct file *file)
{
	return syncfs(file->fd) < 0 ? -errno : 0;
}

/*
 * File systems with a method for each close(2): there writes that went well may
 * fail at last.  Closing any descriptor of the file calls it.
 */
static bool tells_at_close(uint32_t magic)
{
	switch (magic) {
	case MAGIC_NFS:
	case MAGIC_FUSE:
	case MAGIC_SMB:
	case MAGIC_CIFS:
	case MAGIC_SMB2:
	case MAGIC_AFS:
	case MAGIC_ECRYPTFS:
		return true;
	default:
		return false;
	}
}

int host_flush(struct file *file)
{
	int fd;

	if (!tells_at_close(file->mnt->magic))
		return 0;
	fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	return close(fd) < 0 ? -errno : 0;
}

static const struct file_operations host_file_operations = {
	HOST_FILE_OPERATIONS,
	.extents = host_extents,
};

const struct fs_type host_fs_type = {
	.name = "host",
	.family = host_family,
	.op = &host_file_operations,
	.start = host_start,
	.stop = host_stop,
	.open = host_open,
	.open_fd = host_open_fd,
	.copy_fds = host_copy_fds,
	.claim = host_claim,
};
