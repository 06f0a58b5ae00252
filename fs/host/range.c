// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * range.c - what the kernel copies by itself: FICLONERANGE and
 * copy_file_range(2), and what their errors mean.
 *
 * An error is a refusal only while nothing has moved, and only one of those
 * that say "not here": a lack of space or memory, or an I/O error, is final, so
 * that no slower way writes over a half-done one.
 */
#include <errno.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "fs/block/disk.h"
#include "fs/host/host.h"

#define XFS_MAGIC     0x58465342
#define CLONE_MAX     ((uint64_t)16 << 30) /* between two looks at the stop flag */
#define COPY_FILE_MAX ((uint64_t)1 << 30)  /* FUSE and glibc count in 32 bits */
#define BLOCK_MAX     65536		   /* of the file systems that can clone */
#define BLOCK_GUESS   4096

#define WHY(text, scope_, err)                                                                     \
	((struct copy_why){.reason = (text), .scope = (scope_), .error = (err)})

/* Why a clone inside one file system was EINVAL: the commonest cause has a name. */
static const char *clone_einval(const struct copy_req *req)
{
	unsigned in = 0, out = 0;

	if (req->in->mnt->magic == BTRFS_SUPER_MAGIC && !ioctl(req->in->fd, FS_IOC_GETFLAGS, &in) &&
	    !ioctl(req->out->fd, FS_IOC_GETFLAGS, &out) && ((in ^ out) & FS_NOCOW_FL))
		return in & FS_NOCOW_FL ? "the source is NOCOW (chattr +C), the destination is not"
					: "the destination is NOCOW (chattr +C), the source is not";
	return "the file system refuses to share these blocks";
}

/*
 * A file that became immutable during the copy: some file systems still let
 * write(2) through, so no other way may be tried.
 */
static bool is_immutable(const struct file *file)
{
	struct statx stx;

	return !statx(file->fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx) &&
	       (stx.stx_attributes & STATX_ATTR_IMMUTABLE);
}

/* Files of one overlay are on several file systems: what one says is not true of the next. */
static enum copy_scope scope_of(const struct copy_req *req, enum copy_scope scope)
{
	return req->out->mnt->magic == OVERLAYFS_SUPER_MAGIC ? COPY_THIS_FILE : scope;
}

static int clone_refused(const struct copy_req *req, struct copy_result *res, int err)
{
	switch (err) {
	case EXDEV:
		return decline(res, COPY_CLONE,
			       WHY("the files are on different file systems",
				   scope_of(req, COPY_THIS_PAIR), err));
	case EOPNOTSUPP:
	case ENOTTY:
	case ENOSYS:
		return decline(res, COPY_CLONE,
			       WHY("this file system cannot share blocks (no reflink)",
				   scope_of(req, COPY_THIS_MOUNT), err));
	case EINVAL:
		return decline(res, COPY_CLONE, WHY(clone_einval(req), COPY_THIS_FILE, err));
	case EPERM:
		if (is_immutable(req->out))
			return -err;
		/* fall through */
	case EACCES:
	case EBADF:
		return decline(res, COPY_CLONE,
			       WHY("sharing blocks is not permitted here", COPY_THIS_FILE, err));
	default:
		return -err;
	}
}

static int ficlonerange(const struct copy_req *req, uint64_t len)
{
	struct file_clone_range fcr = {
		.src_fd = req->in->fd,
		.src_offset = (uint64_t)req->pos_in,
		.src_length = len,
		.dest_offset = (uint64_t)req->pos_out,
	};
	int r;

	do
		r = ioctl(req->out->fd, FICLONERANGE, &fcr);
	while (r < 0 && errno == EINTR);
	return r < 0 ? errno : 0;
}

/*
 * A clone starts and ends on a block, but for an end that is the end of both
 * files.  The whole length is tried first, which is right for a whole file and
 * asks for no sizes; what is left of a block goes back to the core.
 */
int host_clone_range(const struct copy_req *req, struct copy_result *res)
{
	uint64_t bs = req->out->mnt->block_size, len = req->len < CLONE_MAX ? req->len : CLONE_MAX;
	uint64_t head_in = (uint64_t)req->pos_in % bs, head_out = (uint64_t)req->pos_out % bs;
	int err;

	err = ficlonerange(req, len);
	if (err == EINVAL && (head_in || head_out)) {
		struct copy_why why = WHY("the range does not start on a block of the file system",
					  COPY_THIS_RANGE, EINVAL);

		why.after = head_in == head_out ? bs - head_in : 0;
		return decline(res, COPY_CLONE, why);
	}
	if (err == EINVAL && len % bs) {
		len -= len % bs;
		if (!len)
			return decline(res, COPY_CLONE,
				       WHY("the range is less than a block of the file system",
					   COPY_THIS_RANGE, EINVAL));
		err = ficlonerange(req, len);
	}
	if (err)
		return clone_refused(req, res, err);
	res->bytes = len;
	return 0;
}

/* copy_file_range(2) clones where it can: with clones forbidden it is safe only where none exist.
 */
static bool may_clone(const struct mount *mnt)
{
	return mnt->magic != EXT4_SUPER_MAGIC && mnt->magic != TMPFS_MAGIC;
}

static int copy_refused(const struct copy_req *req, struct copy_result *res, int err)
{
	switch (err) {
	case EXDEV:
		return decline(res, COPY_OFFLOAD,
			       WHY("the files are on different file systems",
				   scope_of(req, COPY_THIS_PAIR), err));
	case EOPNOTSUPP:
	case ENOTTY:
	case ENOSYS:
		return decline(res, COPY_OFFLOAD,
			       WHY("this kernel or file system has no copy_file_range",
				   scope_of(req, COPY_THIS_MOUNT), err));
	case EINVAL:
	case EBADF:
	case ENOENT: /* CIFS */
	case EFBIG:  /* at the end of the source; a write tells the truth */
		return decline(res, COPY_OFFLOAD,
			       WHY("copy_file_range refuses this file", COPY_THIS_FILE, err));
	case EPERM:
		if (is_immutable(req->out))
			return -err;
		/* fall through */
	case EACCES:
		return decline(res, COPY_OFFLOAD,
			       WHY("copy_file_range is not permitted here", COPY_THIS_FILE, err));
	default:
		return -err;
	}
}

/*
 * The raw call: wrappers of glibc 2.41 and 2.42 misreport large counts.  Without
 * a length the kernel only looks whether it would.
 */
int host_copy_range(const struct copy_req *req, struct copy_result *res)
{
	uint64_t len = req->len < COPY_FILE_MAX ? req->len : COPY_FILE_MAX;
	loff_t in = req->pos_in, out = req->pos_out;
	long n;

	if (S_ISBLK(req->in->id.type) || S_ISBLK(req->out->id.type))
		return disk_copy_range(req, res);
	if ((req->flags & COPY_RANGE_NO_CLONE) && may_clone(req->out->mnt))
		return decline(res, COPY_OFFLOAD,
			       WHY("copy_file_range might share blocks, which is not wanted",
				   COPY_THIS_FILE, EOPNOTSUPP));
	do
		n = syscall(SYS_copy_file_range, req->in->fd, &in, req->out->fd, &out, len, 0u);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return copy_refused(req, res, errno);
	if (n == 0 && len) /* kernels before 5.19 say so of /proc files, some stacked ones of any */
		return decline(res, COPY_OFFLOAD,
			       WHY("copy_file_range copied nothing", COPY_THIS_FILE, EIO));
	res->bytes = (uint64_t)n;
	return 0;
}

int host_describe(struct file *file, char *text, size_t size)
{
	return S_ISBLK(file->id.type) ? disk_describe(file, text, size) : -EOPNOTSUPP;
}

/* copy_file_range(2) of kernels before 5.3 lost data in several ways. */
static bool kernel_is_old(void)
{
	unsigned long major, minor;
	struct utsname uts;
	char *end;

	if (uname(&uts) < 0)
		return false;
	major = strtoul(uts.release, &end, 10);
	if (end == uts.release || *end != '.')
		return false;
	minor = strtoul(end + 1, NULL, 10);
	return major < 5 || (major == 5 && minor < 3);
}

/*
 * What costs one call of the system must not cost ten.  Only for a range that is
 * all there, of a file without holes (the kernel would fill them), and within
 * the limit of sizes: whatever else there is to know about a range is found out
 * on the long way, as is why the kernel does not like it.
 */
#define SHORT_COPY ((size_t)16 << 10)

static bool is_plain_range(int fd, const off_t *off, size_t len)
{
	off_t pos = off ? *off : lseek(fd, 0, SEEK_CUR);
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && pos >= 0 && pos <= st.st_size &&
	       len <= (uint64_t)(st.st_size - pos) &&
	       (uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size;
}

static bool is_within_limit(int fd, const off_t *off, size_t len)
{
	off_t pos = off ? *off : lseek(fd, 0, SEEK_CUR);
	struct rlimit lim;

	return pos >= 0 && (uint64_t)pos <= INT64_MAX - len && !getrlimit(RLIMIT_FSIZE, &lim) &&
	       (lim.rlim_cur == RLIM_INFINITY || (uint64_t)pos + len <= lim.rlim_cur);
}

bool host_copy_fds(const int fd[2], off_t *off[2], size_t len, ssize_t *done)
{
	if (!len || len > SHORT_COPY || !is_plain_range(fd[0], off[0], len) ||
	    !is_within_limit(fd[1], off[1], len) || kernel_is_old())
		return false;
	*done = syscall(SYS_copy_file_range, fd[0], off[0], fd[1], off[1], len, 0u);
	return *done == (ssize_t)len;
}

/* True for every file of this machine: the base that better rooms refine. */
bool host_claim(struct file *file, struct mount *mnt)
{
	struct statfs sfs;

	if (mnt->magic) /* another room has asked already, and wants it not */
		return true;
	if (!fstatfs(file->fd, &sfs)) {
		mnt->magic = (uint32_t)sfs.f_type;
		/* Servers say here what they like to transfer, not what they allocate. */
		mnt->block_size = sfs.f_bsize > 0 && sfs.f_bsize <= BLOCK_MAX
					  ? (uint32_t)sfs.f_bsize
					  : BLOCK_GUESS;
		if (sfs.f_fsid.__val[0] || sfs.f_fsid.__val[1])
			memcpy(mnt->fsid, &sfs.f_fsid, sizeof(sfs.f_fsid));
	}
	if (kernel_is_old()) {
		mnt->why[COPY_OFFLOAD] = WHY("copy_file_range of this kernel is not to be trusted",
					     COPY_THIS_MOUNT, ENOSYS);
		atomic_fetch_or(&mnt->lost, 1u << COPY_OFFLOAD);
	}
	return true;
}
