// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * take.c - a call done by copy_range() in the program's own process.
 *
 * The program's signal handlers run as ever meanwhile; so that it also gets to
 * look at what they set, one call moves STEP bytes at most and is short.  Its
 * cancellation waits: threads and memory of ours must not be left behind.  Only
 * sendfile(2) goes on to its end, as the kernel's does between files: there are
 * programs that take a short count for an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "preload.h"

#define STEP	       ((size_t)128 << 20)
#define SENDFILE_LEAST ((size_t)128 << 10) /* below, asking costs more than it can save */

static void trace(const char *name, const struct served *s, ssize_t ret)
{
	const struct served_line line = {.call = name, .pid = gettid(), .s = s, .ret = ret};
	char text[SERVED_TEXT];
	size_t n;
	int fd = STDERR_FILENO;

	if (!preload.trace_stderr && !preload.trace[0])
		return;
	/* Not kept open: the program may close what it does not know. */
	if (!preload.trace_stderr)
		fd = open(preload.trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	n = served_text(text, &line);
	while (write(fd, text, n) < 0 && errno == EINTR)
		;
	if (fd != STDERR_FILENO)
		close(fd);
}

/* The kernel has read it, but writing there may still be EFAULT. */
static int put_offset(int64_t *off, int64_t value)
{
	struct iovec from = {&value, sizeof(value)}, to = {off, sizeof(value)};

	if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) == (ssize_t)sizeof(value))
		return 0;
	if (errno == EFAULT)
		return -EFAULT;
	*off = value; /* the call is forbidden or missing here */
	return 0;
}

static int position(int fd, const int64_t *off, off_t *pos)
{
	*pos = off ? *off : lseek(fd, 0, SEEK_CUR);
	return !off && *pos < 0 ? -errno : 0;
}

static int advance(int fd, int64_t *off, off_t pos)
{
	if (off)
		return put_offset(off, pos);
	return lseek(fd, pos, SEEK_SET) < 0 ? -errno : 0;
}

/* The count, or a negative errno; offsets and positions have moved by it. */
static ssize_t copy(struct served *s, int64_t *off_in, int64_t *off_out)
{
	int err = position(s->in, off_in, &s->pos_in), out;
	ssize_t n;

	if (!err)
		err = position(s->out, off_out, &s->pos_out);
	if (err)
		return err;
	if (s->len > STEP)
		s->len = STEP;
	n = served_copy(s);
	if (n <= 0)
		return n;
	err = advance(s->in, off_in, s->pos_in + n);
	out = advance(s->out, off_out, s->pos_out + n);
	return err ? err : out ? out : n;
}

ssize_t take_copy(const struct served *call, int64_t *off_in, int64_t *off_out, int saved_errno)
{
	struct served s = *call;
	int state;
	ssize_t n;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	s.flags = preload.flags;
	n = copy(&s, off_in, off_out);
	trace("copy_file_range", &s, n);
	pthread_setcancelstate(state, NULL);
	errno = n < 0 ? (int)-n : saved_errno;
	return n < 0 ? -1 : n;
}

static bool is_file(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode);
}

/* Whatever is out of the ordinary is the real call's, with its own answers. */
static bool sendfile_is_plain(const struct served *call)
{
	struct rlimit lim;
	int flags;

	if (call->len < SENDFILE_LEAST || !is_file(call->in) || !is_file(call->out))
		return false;
	flags = fcntl(call->out, F_GETFL);
	return flags >= 0 && !(flags & O_APPEND) && !getrlimit(RLIMIT_FSIZE, &lim) &&
	       lim.rlim_cur == RLIM_INFINITY && may_take_over();
}

/* Step by step, as far as that goes: the count, or what the first step says. */
static ssize_t send_all(struct served *s, int64_t *off_in)
{
	struct copy_result sum = {0};
	size_t left = s->len < SERVED_MAX ? s->len : SERVED_MAX;
	off_t from_in = 0, from_out = 0;
	ssize_t n, done = 0;

	do {
		s->len = left;
		n = copy(s, off_in, NULL);
		if (!done) {
			from_in = s->pos_in;
			from_out = s->pos_out;
		}
		if (n <= 0)
			break;
		copy_result_add(&sum, &s->res);
		done += n;
		left -= (size_t)n;
	} while (left);
	if (!done)
		return n;
	s->res = sum;
	s->pos_in = from_in;
	s->pos_out = from_out;
	s->len = (size_t)done + left;
	return done;
}

/* Only what spares reading and writing: that the kernel does as well. */
ssize_t take_sendfile(const struct served *call, int64_t *off_in)
{
	struct served s = *call;
	int saved = errno, state;
	ssize_t n;

	if (!sendfile_is_plain(call)) {
		errno = saved;
		return 0;
	}
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	s.flags = preload.flags | COPY_RANGE_NO_STREAM;
	n = send_all(&s, off_in);
	if (n > 0)
		trace("sendfile", &s, n);
	pthread_setcancelstate(state, NULL);
	errno = saved;
	return n > 0 ? n : 0;
}

int take_clone(int out, unsigned long request, void *arg, int saved_errno)
{
	const struct file_clone_range whole = {.src_fd = (int)(intptr_t)arg};
	const struct file_clone_range *fcr = (unsigned)request == FICLONE ? &whole : arg;
	struct served s = {.in = (int)fcr->src_fd, .out = out, .flags = preload.flags};
	int refused = errno, state, err;
	struct rlimit lim;
	struct stat st;

	if (fstat(s.in, &st) || getrlimit(RLIMIT_FSIZE, &lim) ||
	    served_clone_range(&s, fcr, st.st_size, lim.rlim_cur)) {
		errno = refused;
		return -1;
	}
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	err = served_clone(&s);
	trace((unsigned)request == FICLONE ? "FICLONE" : "FICLONERANGE", &s, err);
	pthread_setcancelstate(state, NULL);
	errno = err ? -err : saved_errno;
	return err ? -1 : 0;
}
