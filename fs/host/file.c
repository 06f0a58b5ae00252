// SPDX-License-Identifier: GPL-2.0-or-later
/* file.c - files of this machine: open, read, write; the room's table is at the end. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
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

static int adopt(struct file *file, int fd)
{
	int err;

	if (fd < 0)
		return -errno;
	file->fd = fd;
	err = identify(file);
	if (err) {
		close(fd);
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
	int fd = openat(dir->fd, name, child->oflags | O_CLOEXEC, mode);

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
int host_get_handle(struct file *file, struct file_handle_bytes *h)
{
	union {
		struct file_handle head;
		unsigned char room[sizeof(struct file_handle) + sizeof(h->bytes)];
	} fh = {.head = {.handle_bytes = sizeof(h->bytes)}};
	int mount_id;

	if (name_to_handle_at(file->fd, "", &fh.head, &mount_id, AT_EMPTY_PATH) < 0)
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
 */
static pthread_mutex_t position_lock = PTHREAD_MUTEX_INITIALIZER;

off_t host_seek(struct file *file, off_t pos, int whence)
{
	off_t keep, at;

	if (!file->fd_borrowed)
		return seek(file->fd, pos, whence);
	pthread_mutex_lock(&position_lock);
	keep = lseek(file->fd, 0, SEEK_CUR);
	at = seek(file->fd, pos, whence);
	if (keep >= 0)
		lseek(file->fd, keep, SEEK_SET);
	pthread_mutex_unlock(&position_lock);
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
