// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * passthrough.c - the kernel reads and writes files of this machine by itself (FUSE
 * passthrough, Linux 6.9): read(2), write(2), mmap(2) and splice(2) do not come here.
 *
 * libfuse knows it from 3.17 on.  With an older one the three words that the kernel
 * wants to hear are put into libfuse's replies on their way to it: that we want it, into
 * that to INIT; which file it is, into those to OPEN and CREATE.
 *
 * While a file is open the kernel wants all opens of it to be alike, by one number that
 * it gave for the file below: the first open decides, the last close ends it.  Where the
 * kernel refuses the number (it does to others than root, and for files of another FUSE
 * mount with passthrough or of an overlay) requests come here as ever.
 *
 * Not with O_DIRECT: the kernel would keep to it below after fcntl(2) took it away, as
 * dd(1) does for the last block.  Such reads and writes come here, and go to the same
 * pages.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ofs.h"

/* linux/fuse.h of Linux 6.9; Debian 12's has not all of it. */
struct out_header {
	uint32_t len;
	int32_t error;
	uint64_t unique;
};

struct init_out {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion_threshold;
	uint32_t max_write, time_gran;
	uint16_t max_pages, map_alignment;
	uint32_t flags2, max_stack_depth, unused[6];
};

struct open_out {
	uint64_t fh;
	uint32_t open_flags;
	int32_t backing_id;
};

struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};

_Static_assert(sizeof(struct init_out) == 64, "as the kernel has it");

#define INIT_EXT	  (1u << 30) /* in flags: there are flags2 */
#define INIT2_PASSTHROUGH (1u << 5)
#define STACK_DEPTH	  1u /* an overlay may still be mounted on top */
#define OPEN_PASSTHROUGH  (1u << 7)
#define BACKING_OPEN	  _IOW(229, 1, struct backing_map)
#define BACKING_CLOSE	  _IOW(229, 2, uint32_t)

/* What this thread's next reply is to say beside what libfuse says. */
static _Thread_local struct {
	bool init;
	int32_t backing;
} next;

static void put_words(const struct iovec *iov, int count)
{
	const struct iovec *last = &iov[count - 1];
	const struct out_header *head = iov[0].iov_base;

	if (count < 2 || iov[0].iov_len != sizeof(*head) || head->error)
		return;
	if (next.init && last->iov_len == sizeof(struct init_out)) {
		struct init_out *out = last->iov_base;

		out->flags |= INIT_EXT;
		out->flags2 |= INIT2_PASSTHROUGH;
		out->max_stack_depth = STACK_DEPTH;
	} else if (next.backing > 0 && last->iov_len >= sizeof(struct open_out)) {
		char *end = (char *)last->iov_base + last->iov_len;
		struct open_out out;

		memcpy(&out, end - sizeof(out), sizeof(out)); /* after the entry, of CREATE */
		out.open_flags |= OPEN_PASSTHROUGH;
		out.backing_id = next.backing;
		memcpy(end - sizeof(out), &out, sizeof(out));
	}
}

static ssize_t reply(int fd, struct iovec *iov, int count, void *arg)
{
	if (next.init || next.backing > 0)
		put_words(iov, count);
	next.init = false;
	next.backing = 0;
	return writev(fd, iov, count);
}

static ssize_t receive(int fd, void *buf, size_t size, void *arg)
{
	return read(fd, buf, size);
}

static ssize_t ofs_splice(int from, off_t *from_off, int to, off_t *to_off, size_t len,
			  unsigned flags, void *arg)
{
	return splice(from, from_off, to, to_off, len, flags);
}

static void say(const struct ofs *o, const char *why)
{
	if (o->opts->debug)
		fuse_log(FUSE_LOG_DEBUG, "passthrough: %s\n", why);
}

static void turn_off(struct ofs *o, const char *why)
{
	atomic_store(&o->passthrough, false);
	say(o, why);
}

void passthrough_start(struct ofs *o, struct fuse_session *se)
{
	static const struct fuse_custom_io io = {
		.writev = reply, .read = receive, .splice_receive = ofs_splice};
	int err;

	if (o->opts->no_passthrough) {
		say(o, "off, as -o says");
		return;
	}
	if (geteuid()) {
		say(o, "off: it is for root");
		return;
	}
	err = fuse_session_custom_io(se, &io, o->dev);
	if (err)
		say(o, strerror(-err));
	atomic_store(&o->passthrough, !err);
}

void passthrough_init(const struct ofs *o)
{
	next.init = atomic_load(&o->passthrough);
}

void passthrough_reply(int backing)
{
	next.backing = backing;
}

/* A number for the file of @node, by its own descriptor: that of an open file would keep locks. */
static int backing_of(struct ofs *o, const struct node *node)
{
	struct backing_map map = {.fd = cr_file_fd(node->file)};
	struct file *file;
	int id = ioctl(o->dev, BACKING_OPEN, &map), err;

	if (id >= 0 || errno != EBADF) /* before Linux 6.17 none with O_PATH will do */
		return id < 0 ? -errno : id;
	err = cr_openat(node->file, "", O_RDONLY | O_NONBLOCK, 0, &file);
	if (err)
		return err;
	map.fd = cr_file_fd(file);
	id = ioctl(o->dev, BACKING_OPEN, &map);
	id = id < 0 ? -errno : id;
	cr_close(file);
	return id;
}

static int first_open(struct ofs *o, const struct node *node)
{
	int id;

	if (cr_file_fd(node->file) < 0 || !atomic_load(&o->passthrough))
		return 0;
	id = backing_of(o, node);
	if (id == -ENOTTY || id == -EOPNOTSUPP)
		turn_off(o, "off: the kernel has none");
	else if (id == -EPERM)
		turn_off(o, "off: the kernel does not let us");
	else if (id < 0)
		say(o, strerror(-id));
	return id > 0 ? id : 0;
}

/* The kernel opens the file below with the flags of open(2), and says EIO for any error. */
static int check_direct(const struct node *node, int flags)
{
	struct file *file;
	int err;

	if (!(flags & O_DIRECT))
		return 0;
	err = cr_openat(node->file, "", flags & (O_ACCMODE | O_DIRECT), 0, &file);
	return err ? err : cr_close(file);
}

int passthrough_open(struct ofs *o, struct node *node, struct fuse_file_info *fi)
{
	int id, err = 0;

	pthread_mutex_lock(&node->lock);
	if (!node->opens)
		node->backing = first_open(o, node);
	id = node->backing;
	node->opens++;
	if (id) /* what the kernel has kept of it is old at the next open without */
		node->cached_ctime = (struct statx_timestamp){0};
	pthread_mutex_unlock(&node->lock);
	if (id) {
		fi->direct_io = !!(fi->flags & O_DIRECT);
		err = check_direct(node, fi->flags);
	}
	if (err)
		passthrough_close(o, node);
	return err ? err : id;
}

void passthrough_close(struct ofs *o, struct node *node)
{
	uint32_t id = 0;

	pthread_mutex_lock(&node->lock);
	if (!--node->opens && node->backing > 0) {
		id = (uint32_t)node->backing;
		node->backing = 0;
	}
	pthread_mutex_unlock(&node->lock);
	if (id && ioctl(o->dev, BACKING_CLOSE, &id) < 0)
		say(o, strerror(errno));
}
