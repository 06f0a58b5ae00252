// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * read.c - READ: RFC 8881 section 18.22.
 *
 * Much data goes from the page cache to the socket through a pipe, without a copy.  The pipe
 * is filled before the reply is begun: then its length is known and errors can be told, and
 * the storage cannot hold up the sending.  What is written to the file before the data is
 * sent may be sent instead, as if READ had come later.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>

#include "nfsd/export.h"
#include "nfsd/state.h"

#define PIPE_MIN 16384u /* less is copied sooner */
#define PAGE	 4096u

/* Slots keep short replies, which therefore have to be in memory. */
static_assert(PIPE_MIN > NFSD_CACHED_MAX, "a reply that is kept has its data in memory");

/* A pipe holds so many pieces of pages; and one READ of a COMPOUND is enough. */
static bool by_pipe(const struct compound *c, const struct io *io, const struct nfs4_read_args *a,
		    uint32_t count)
{
	return count >= PIPE_MIN && !c->pipe && !c->out.nrefs && cr_file_fd(io->file) >= 0 &&
	       !atomic_load(&io->no_pipe) && a->offset % PAGE + count <= NFSD_IO_MAX;
}

/* File to pipe: a count, 0 at the end of the file, or a negative errno. */
static ssize_t fill(struct rpc_pipe *pipe, const struct io *io, off_t at, uint32_t count)
{
	while (pipe->left < count) {
		ssize_t n = splice(cr_file_fd(io->file), &at, pipe->in, NULL, count - pipe->left,
				   SPLICE_F_NONBLOCK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !pipe->left)
			return -errno;
		if (n <= 0)
			break;
		pipe->left += (uint32_t)n;
	}
	return (ssize_t)pipe->left;
}

/* What turned out to be little, out of the pipe into memory. */
static ssize_t empty(struct rpc_pipe *pipe, uint8_t *buf)
{
	uint32_t done = 0;

	while (pipe->left) {
		ssize_t n = read(pipe->out, buf + done, pipe->left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (uint32_t)n;
		pipe->left -= (uint32_t)n;
	}
	return done;
}

/* As cr_read(), into c->pipe when it is much: *data is NULL then.  -EOPNOTSUPP: not so. */
static ssize_t read_pipe(struct compound *c, struct io *io, const struct nfs4_read_args *a,
			 uint32_t count, uint8_t **data)
{
	struct rpc_pipe *pipe = by_pipe(c, io, a, count) ? rpc_pipe_get(c->s->pipes) : NULL;
	ssize_t n;

	if (!pipe)
		return -EOPNOTSUPP;
	n = fill(pipe, io, (off_t)a->offset, count);
	if (n >= (ssize_t)PIPE_MIN) {
		c->pipe = pipe;
		*data = NULL;
		return n;
	}
	if (n > 0)
		n = empty(pipe, *data);
	rpc_pipe_put(pipe);
	if (n == -EINVAL || n == -EAGAIN) { /* the file system has no splice */
		atomic_store(&io->no_pipe, true);
		return -EOPNOTSUPP;
	}
	return n;
}

static ssize_t read_data(struct compound *c, struct io *io, const struct nfs4_read_args *a,
			 uint32_t count, uint8_t **data)
{
	ssize_t n = read_pipe(c, io, a, count, data);

	return n == -EOPNOTSUPP ? cr_read(io->file, *data, count, (off_t)a->offset) : n;
}

/* A full read may end where the file does, a short one before it: only its size tells. */
static bool at_end(struct io *io, uint64_t end)
{
	struct statx stx;

	return !cr_getattr(io->file, NULL, &stx) && end >= stx.stx_size;
}

uint32_t op_read(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	const struct nfs4_read_args *a = &args->read;
	uint32_t count = a->count < NFSD_IO_MAX ? a->count : NFSD_IO_MAX, status;
	struct io *io;
	uint8_t *data;
	ssize_t n = 0;

	status = io_for(c, c->cur, &a->stateid, false, &io);
	if (status)
		return status;
	data = data_room(c->w, c->data_used, count);
	if (!data) {
		io_put(io);
		return NFS4ERR_REP_TOO_BIG;
	}
	if (a->offset < INT64_MAX)
		n = read_data(c, io, a, count, &data);
	res->read.eof = n >= 0 && ((!n && count) || at_end(io, a->offset + (uint64_t)n));
	io_put(io);
	if (n < 0)
		return nfsd_status((int)n);
	res->read.data = (struct xdr_bytes){data, (uint32_t)n};
	if (data)
		c->data_used += ((size_t)n + 7) & ~(size_t)7;
	return NFS4_OK;
}
