// SPDX-License-Identifier: GPL-2.0-or-later
/* fd.c - copy_range(2) as a system call would look: the core's call on two descriptors. */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "core.h"

/* The most one call answers for: copy_file_range(2) callers round the same way. */
#define MAX_RW_COUNT (SSIZE_MAX & ~(((ssize_t)1 << 30) - 1))

static int position(int fd, const off_t *off, int64_t *pos)
{
	off_t at = off ? *off : lseek(fd, 0, SEEK_CUR);

	if (!off && at < 0)
		return -errno;
	*pos = at;
	return 0;
}

static int advance(int fd, off_t *off, off_t pos)
{
	if (off)
		*off = pos;
	else if (lseek(fd, pos, SEEK_SET) < 0)
		return -errno;
	return 0;
}

static int copy_files(struct copy_req *req, off_t *offs[2], ssize_t *done)
{
	int fd_in = cr_file_fd(req->in), fd_out = cr_file_fd(req->out), err;
	struct copy_result res = {0};
	bool seekable = S_ISREG(req->in->id.type) && S_ISREG(req->out->id.type);

	err = seekable ? position(fd_in, offs[0], &req->pos_in) : 0;
	if (!err && seekable)
		err = position(fd_out, offs[1], &req->pos_out);
	if (!err)
		err = cr_copy_range(req, &res);
	*done = (ssize_t)res.bytes;
	if (!res.bytes)
		return err;
	err = advance(fd_in, offs[0], req->pos_in + (off_t)res.bytes);
	if (!err)
		err = advance(fd_out, offs[1], req->pos_out + (off_t)res.bytes);
	return err;
}

/* Most calls of programs that copy in small pieces need nothing of all that follows. */
static bool copy_shortly(const int fd[2], off_t *offs[2], size_t len, ssize_t *done)
{
	for (unsigned i = 0; cr_fs_types[i]; i++)
		if (cr_fs_types[i]->copy_fds)
			return cr_fs_types[i]->copy_fds(fd, offs, len, done);
	return false;
}

static int copy_at_length(const int fd[2], off_t *offs[2], struct copy_req *req, ssize_t *done)
{
	struct cr_ns *ns = cr_ns_new();
	int err;

	*done = 0;
	if (!ns)
		return -ENOMEM;
	err = cr_open_fd(ns, fd[0], &req->in);
	if (!err)
		err = cr_open_fd(ns, fd[1], &req->out);
	if (!err)
		err = copy_files(req, offs, done);
	cr_close(req->in);
	cr_close(req->out);
	cr_ns_free(ns);
	return err;
}

ssize_t copy_range(int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t len,
		   unsigned int flags)
{
	struct copy_req req = {.len = MIN(len, (size_t)MAX_RW_COUNT), .flags = flags};
	off_t *offs[2] = {off_in, off_out};
	const int fd[2] = {fd_in, fd_out};
	ssize_t begun = 0, done = 0;
	int err;

	if (!flags && copy_shortly(fd, offs, len, &begun))
		return begun;
	begun = MAX(begun, 0);
	req.len -= (size_t)begun;
	err = copy_at_length(fd, offs, &req, &done);
	if (err && !begun) {
		errno = -err;
		return -1;
	}
	return begun + done;
}
