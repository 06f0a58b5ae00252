// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * data.c - one regular file: open, copy, attributes, name.
 *
 * A new file gets its name when it is complete (temp.c), but for what comes out of
 * a pipe or terminal, which people like to watch growing.  One that is
 * overwritten is written in place, as cp does, so that its hard links and its
 * inode stay what they are; with --atomic it is replaced like a new one.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ocp.h"
#include "ranges.h"

#define PLAIN_BUF   ((size_t)128 << 10)
#define MEM_ALL	    ((size_t)64 << 20) /* for the buffers of all workers together */
#define FOLLOW_SIZE ((uint64_t)1 << 20)
#define FIXED	    (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)

static int source_open(struct worker *w, struct item *it)
{
	int flags = O_RDONLY | O_CLOEXEC | (item_follows(w->ocp, it) ? 0 : O_NOFOLLOW);
	struct statx stx;
	int err;

	if (it->in)
		return 0;
	if (S_ISREG(it->src.stx_mode))
		flags |= O_NONBLOCK; /* should it be a pipe by now */
	err = cr_openat(it->dir->src, it->name, flags, 0, &it->in);
	if (err) {
		item_error(w, it, err, MSG_OPEN);
		return err;
	}
	err = cr_getattr(it->in, NULL, &stx);
	if (!err && (stx.stx_ino != it->src.stx_ino || stx.stx_dev_minor != it->src.stx_dev_minor ||
		     stx.stx_dev_major != it->src.stx_dev_major)) {
		item_error(w, it, 0, MSG_REPLACED);
		return -ESTALE;
	}
	if (err)
		item_error(w, it, err, MSG_FSTAT);
	else
		it->src = stx;
	return err;
}

/* Wait for something to read, but not longer than a signal may be kept waiting. */
static bool plain_ready(struct file *in)
{
	struct pollfd pfd = {.fd = cr_file_fd(in), .events = POLLIN};

	return pfd.fd < 0 || poll(&pfd, 1, 200) > 0;
}

/* read(2) and write(2) as they come: pipes, terminals and devices have no offsets. */
static ssize_t plain_step(struct worker *w, const struct copy_req *req, char *buf, uint64_t pos)
{
	struct file *in = req->in, *out = req->out;
	int fd_in = cr_file_fd(in), fd_out = cr_file_fd(out);
	ssize_t n, done = 0;

	n = fd_in >= 0 ? read(fd_in, buf, PLAIN_BUF) : cr_read(in, buf, PLAIN_BUF, (off_t)pos);
	if (n < 0 && fd_in >= 0)
		n = errno == EINTR ? -EINTR : -errno;
	if (n > 0)
		verify_feed(w, buf, (size_t)n);
	while (n > 0 && done < n) {
		ssize_t k = fd_out >= 0 ? write(fd_out, buf + done, (size_t)(n - done))
					: cr_write(out, buf + done, (size_t)(n - done),
						   (off_t)pos + done);

		if (k < 0 && fd_out >= 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k && fd_out < 0 ? k : k ? -errno : -EIO;
		done += k;
	}
	return n;
}

static int plain_copy(struct worker *w, const struct copy_req *req, struct copy_result *res)
{
	char *buf;
	ssize_t n = 0;

	*res = (struct copy_result){.how = COPY_STREAM};
	if (req->flags & COPY_RANGE_NO_STREAM)
		return -EOPNOTSUPP;
	buf = malloc(PLAIN_BUF);
	if (!buf)
		return -ENOMEM;
	verify_begin(w);
	do {
		res->bytes += n > 0 ? (uint64_t)n : 0;
		res->by[COPY_STREAM].ranges += n > 0;
		if (n > 0 && w->ocp->o->bwlimit)
			throttle_pay(w->ocp, (uint64_t)n);
		if (ocp_stopped(w->ocp)) {
			res->stopped = 1;
			break;
		}
		n = plain_ready(req->in) ? plain_step(w, req, buf, res->bytes) : -EINTR;
	} while (n > 0 || n == -EINTR);
	res->by[COPY_STREAM].bytes = res->by[COPY_STREAM].moved = res->bytes;
	free(buf);
	return n < 0 ? (int)n : 0;
}

static enum ocp_msg copy_message(const struct ocp *ocp, int err)
{
	if (ocp->o->reflink == WHEN_ALWAYS)
		return MSG_CLONE;
	switch (-err) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EROFS:
		return MSG_WRITE;
	default:
		return MSG_COPY;
	}
}

static void data_report(struct worker *w, struct item *it, const struct copy_result *res, int err,
			bool said)
{
	struct ocp *ocp = w->ocp;
	char *src, *dst;

	if (!ocp->o->explain) {
		report_file(ocp->report, NULL, res, res->stopped ? -EINTR : err);
	} else {
		src = path_src(it->dir->node, it->name);
		dst = path_dst(it->dir->node, it->dname);
		report_file(ocp->report, &(struct explained){src, dst, w->ranges}, res,
			    res->stopped ? -EINTR : err);
		free(src);
		free(dst);
	}
	if (ocp->o->json_lines) {
		w->last = *res;
		it->reported = true;
	}
	if (res->stopped)
		item_error(w, it, 0, MSG_INTERRUPTED);
	else if (err && !said)
		item_error(w, it, err, copy_message(ocp, err));
}

/*
 * Small files are copied as long as they were when they were looked at, which
 * spares a question; large ones, and those of /proc that seem empty, to where
 * they end by then.
 */
static uint64_t data_len(const struct item *it)
{
	return it->src.stx_size && it->src.stx_size < FOLLOW_SIZE ? it->src.stx_size : COPY_LEN_EOF;
}

static int data_copy(struct worker *w, struct item *it, struct file *out)
{
	struct ocp *ocp = w->ocp;
	struct copy_req req = {
		.in = it->in,
		.out = out,
		.len = data_len(it),
		.flags = ocp->o->copy_flags |
			 (data_len(it) != COPY_LEN_EOF ? COPY_RANGE_AS_OPENED : 0),
		.stop = ocp->stop,
		.share = ocp->share,
		.mem_max = MEM_ALL / ocp->workers,
		.jobs = it->src.stx_size < FOLLOW_SIZE,
	};
	struct copy_result res;
	char *name = NULL;
	bool copied;
	int err;

	if (ocp->o->explain && (cr_file_limit(it->in) || cr_file_limit(out)))
		w->ranges = ranges_new(&req);
	if (req.mem_max > COPY_MEM_DEFAULT)
		req.mem_max = COPY_MEM_DEFAULT;
	if (progress_wants_name(ocp->progress, it->src.stx_size))
		name = path_src(it->dir->node, it->name);
	req.progress = progress_begin(ocp->progress, w->id, name, it->src.stx_size);
	if (has_ranges(it->src.stx_mode) && has_ranges(cr_file_id(out)->type))
		err = it->partial	? partial_copy(w, it, &req, &res)
		      : ocp->o->bwlimit ? throttle_copy(ocp, it->src.stx_size, &req, &res)
					: cr_copy_range(&req, &res);
	else
		err = plain_copy(w, &req, &res);
	copied = !err && !res.stopped;
	if (copied)
		prealloc_keep(w, it, out, &res);
	if (copied && w->verify && has_ranges(cr_file_id(out)->type))
		err = verify_copy(w, it, out, it->partial ? partial_done(it) : res.bytes);
	progress_streamed(ocp->progress, w->id, res.by[COPY_STREAM].bytes);
	progress_end(ocp->progress, w->id);
	free(name);
	data_report(w, it, &res, err, copied);
	free(w->ranges);
	w->ranges = NULL;
	return err ? err : res.stopped ? -EINTR : 0;
}

/* Inode flags and properties that only an empty file takes, then the data, then the rest. */
static int file_fill(struct worker *w, struct item *it, struct attr_pair *p)
{
	int err = 0;

	flags_before_data(w, p);
	xattr_before_data(w, p);
	if (!w->ocp->o->attributes_only)
		err = data_copy(w, it, p->out);
	if (!err)
		attr_apply(w, p);
	return err;
}

static int file_close(struct worker *w, struct item *it, struct file **file)
{
	int err = cr_close(*file);

	*file = NULL;
	if (err)
		item_error(w, it, err, MSG_CLOSE);
	return err;
}

/*
 * Network file systems tell of failed writes no sooner than at close(2).  So a
 * named file is closed before it gets its final name.  A nameless one can be
 * linked only while it is open, and immutable only after that: these are asked
 * what closing would say.
 */
static int file_commit(struct worker *w, struct item *it, struct attr_pair *p, const char *temp)
{
	bool named = temp[0] || it->guard || it->named;
	int err = sync_file(w, it, p->out);

	if (err)
		return err;
	err = named && !p->has_flags ? file_close(w, it, &p->out) : cr_flush(p->out);

	if (err) {
		if (p->out)
			item_error(w, it, err, MSG_CLOSE);
		return err;
	}
	err = temp_commit(w, it, temp, p->out);
	if (err == -ENOENT && !named)
		return err;
	if (err)
		item_error(w, it, err, MSG_CREATE);
	if (!err && p->has_flags)
		flags_last(w, p);
	return err;
}

/*
 * Owner and mode that a new file got.  Below a temporary name nobody else works,
 * so the next one in the same directory, made with the same mode, gets the same:
 * that spares a call for most small files.
 */
static int new_attrs(struct worker *w, struct attr_pair *p, mode_t asked)
{
	const struct dir *d = p->it->dir;
	struct statx stx;
	int err;

	if (p->it->guard && w->made_in == d->node && w->made_asked == asked) {
		p->have = w->made_got;
		return 0;
	}
	err = cr_getattr_open(p->out, &stx); /* it was made just now */
	if (err)
		return err;
	p->have = attr_of(&stx);
	node_put(w->made_in);
	w->made_in = node_get(d->node);
	w->made_asked = asked;
	w->made_got = p->have;
	return 0;
}

static int file_new_once(struct worker *w, struct item *it, struct attr_pair p)
{
	char temp[TEMP_MAX];
	mode_t mode;
	int err;

	it->named = it->fresh && !it->guard && !w->ocp->o->atomic &&
		    (S_ISFIFO(it->src.stx_mode) || S_ISCHR(it->src.stx_mode));
	p.named = it->named || (!it->guard &&
				(it->dir->no_tmpfile || !it->fresh || resume_is_large(w->ocp, it)));
	mode = attr_create_mode(w->ocp, &p);
	err = temp_create(w, it, mode, temp, &p.out);
	if (err) {
		if (err != -EBUSY)
			item_error(w, it, err, MSG_CREATE);
		partial_end(it, temp, err);
		return err;
	}
	if (p.extra || w->ocp->o->preserve & (PRESERVE_MODE | PRESERVE_OWNERSHIP)) {
		err = new_attrs(w, &p, mode);
		if (err)
			item_error(w, it, err, MSG_CREATE);
	}
	if (!err)
		err = file_fill(w, it, &p);
	if (!err)
		err = file_commit(w, it, &p, temp);
	if (err && !it->partial)
		temp_drop(it, temp);
	partial_end(it, temp, err);
	if (err) {
		cr_close(p.out);
	} else if (p.out && file_close(w, it, &p.out)) {
		/* It has its name already: what cannot be trusted does not keep it. */
		if (it->fresh)
			cr_unlink(it->dir->dst, it->dname, 0);
		err = -EIO;
	}
	return err;
}

static int file_new(struct worker *w, struct item *it)
{
	struct attr_pair p = {.it = it,
			      .in = it->in,
			      .want = attr_of(&it->src),
			      .type = S_IFREG,
			      .made = true,
			      .acl = it->dir->acl};
	int err;

	if (it->dname[strlen(it->dname) - 1] == '/') {
		item_error(w, it, ENOTDIR, MSG_CREATE);
		return -ENOTDIR;
	}
	flags_read(w, &p);
	xattr_list(w, &p);
	err = file_new_once(w, it, p);
	if (err != -ENOENT || it->dir->no_tmpfile || it->guard || it->named)
		return err;
	/* Without /proc and the right to link by descriptor, a nameless file stays nameless. */
	it->dir->no_tmpfile = true;
	return file_new_once(w, it, p);
}

/* Nobody who may read the old file but not the new one gets a look in between. */
static void narrow_mode(struct worker *w, struct attr_pair *p)
{
	struct iattr attr = {.valid = ATTR_MODE};

	if (!(w->ocp->o->preserve & PRESERVE_MODE) || !(w->ocp->o->preserve & PRESERVE_OWNERSHIP))
		return;
	if (p->want.uid == p->have.uid && p->want.gid == p->have.gid)
		return;
	attr.mode = p->want.mode & p->have.mode & 0700;
	if (!cr_setattr(p->out, NULL, &attr))
		p->have.mode = attr.mode;
}

/* What stands at the target, for writing; POSIX has what a symbolic link there lacks made. */
static int over_open(struct worker *w, const struct item *it, struct attr_pair *p)
{
	const struct ocp_opts *o = w->ocp->o;
	int flags = (o->verify ? O_RDWR : O_WRONLY) | O_CLOEXEC;
	struct statx stx;
	int err;

	if (!o->attributes_only)
		flags |= O_TRUNC;
	if (!it->dangling)
		return cr_openat(it->dir->dst, it->dname, flags | (it->through ? 0 : O_NOFOLLOW), 0,
				 &p->out);
	p->made = p->named = true;
	err = cr_openat(it->dir->dst, it->dname, flags | O_CREAT, attr_create_mode(w->ocp, p),
			&p->out);
	if (err)
		return err;
	err = cr_getattr(p->out, NULL, &stx);
	if (!err)
		p->have = attr_of(&stx);
	return err;
}

static int file_over(struct worker *w, struct item *it)
{
	const struct ocp_opts *o = w->ocp->o;
	struct attr_pair p = {.it = it,
			      .in = it->in,
			      .want = attr_of(&it->src),
			      .have = attr_of(&it->dst),
			      .type = S_IFREG};
	bool busy;
	int err;

	err = over_open(w, it, &p);
	busy = err == -EBUSY && S_ISBLK(it->dst.stx_mode); /* to take its node away helps nobody */
	if (err && o->force && err != -ENOENT && !busy && !p.out) {
		err = target_remove(w, it);
		if (!err)
			err = context_create(w, it);
		return err ? err : file_new(w, it);
	}
	if (err) {
		device_error(w, it, err);
		cr_close(p.out);
		return err;
	}
	if (!it->dangling)
		err = context_relabel(w, it, p.out);
	if (err) {
		cr_close(p.out);
		return err;
	}
	if (!S_ISREG(cr_file_id(p.out)->type)) { /* /dev/null stays what it is */
		err = data_copy(w, it, p.out);
		/* Closing a device tells of no write that failed. */
		if (!err && S_ISBLK(cr_file_id(p.out)->type))
			err = device_sync(w, it, p.out);
	} else {
		flags_read(w, &p);
		xattr_list(w, &p);
		narrow_mode(w, &p);
		err = file_fill(w, it, &p);
		if (!err && p.has_flags)
			flags_last(w, &p);
		if (!err)
			err = sync_file(w, it, p.out);
	}
	return file_close(w, it, &p.out) ? -EIO : err;
}

/*
 * --resume: the contents are there.  Most attributes are as well, because a file gets
 * its name after them; those of chattr(1) come behind it, and where they forbid
 * changes they were the last of all.
 */
static int file_keep(struct worker *w, struct item *it)
{
	struct attr_pair p = {
		.it = it, .want = attr_of(&it->src), .have = attr_of(&it->dst), .type = S_IFREG};
	int err;

	progress_skip(w->ocp->progress, it->src.stx_size);
	if (w->ocp->o->dry_run || (it->dst.stx_attributes & FIXED))
		return 0;
	err = source_open(w, it);
	if (err)
		return err;
	p.in = it->in;
	if (cr_openat(it->dir->dst, it->dname, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0,
		      &p.out))
		return 0; /* for others alone: it got its mode, so it got all the rest */
	if (w->verify)
		err = verify_copy(w, it, p.out, it->src.stx_size);
	if (!err) {
		flags_read(w, &p);
		xattr_list(w, &p);
		attr_apply(w, &p);
		flags_last(w, &p);
		err = context_relabel(w, it, p.out);
	}
	return file_close(w, it, &p.out) ? -EIO : err;
}

/* --json=lines: it has its name, or will not get it. */
static void file_line(struct worker *w, const struct item *it, int err)
{
	char *src = path_src(it->dir->node, it->name), *dst = path_dst(it->dir->node, it->dname);

	report_line(w->ocp->report, src, dst, &w->last, err);
	free(src);
	free(dst);
}

/* file_copy - copy @it as a regular file */
int file_copy(struct worker *w, struct item *it)
{
	int err;

	if (!it->whole) {
		if (item_dry(w, it, "copy"))
			return 0;
		item_verbose(w, it);
		err = source_open(w, it);
		if (err)
			return err;
		if (partial_is_for_all(w->ocp, it))
			return partial_leave(w, it);
	}
	err = it->whole			       ? file_keep(w, it)
	      : it->fresh || w->ocp->o->atomic ? file_new(w, it)
					       : file_over(w, it);
	if (!err && it->summed && w->ocp->manifest)
		manifest_add(w, it);
	if (it->reported)
		file_line(w, it, err);
	return err;
}
