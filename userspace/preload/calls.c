// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * calls.c - libocp-preload.so: the functions of the C library that it stands
 * before.  Each asks the real one first, but for sendfile(2) between files:
 * that never fails for being slow.
 *
 *   setup.c   the environment, once
 *   calls.c   what programs call
 *   take.c    a call done by copy_range()
 *
 * The core is linked in with all of its names hidden, so that nothing of it
 * meets a name of the program's.
 */
#include <errno.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload.h"

/* <sys/sendfile.h> makes one name of these two, which are the same on 64 bits alone. */
_Static_assert(sizeof(long) == sizeof(int64_t), "sendfile() has another kind of offset here");
EXPORT ssize_t sendfile(int out, int in, off_t *off, size_t len);
EXPORT ssize_t sendfile64(int out, int in, int64_t *off, size_t len);

static ssize_t real_copy(const struct served *c, int64_t *off_in, int64_t *off_out, unsigned flags)
{
	if (preload.copy_file_range)
		return preload.copy_file_range(c->in, off_in, c->out, off_out, c->len, flags);
	return syscall(SYS_copy_file_range, c->in, off_in, c->out, off_out, c->len, flags);
}

EXPORT ssize_t copy_file_range(int in, int64_t *off_in, int out, int64_t *off_out, size_t len,
			       unsigned int flags)
{
	const struct served call = {.in = in, .out = out, .len = len};
	int saved = errno;
	ssize_t n = real_copy(&call, off_in, off_out, flags);

	if (n >= 0 || flags || !served_exdev(errno) || !may_take_over())
		return n;
	return take_copy(&call, off_in, off_out, saved);
}

EXPORT ssize_t sendfile64(int out, int in, int64_t *off, size_t len)
{
	const struct served call = {.in = in, .out = out, .len = len};
	ssize_t n = take_sendfile(&call, off);

	if (n > 0)
		return n;
	if (preload.sendfile)
		return preload.sendfile(out, in, off, len);
	return syscall(SYS_sendfile, out, in, off, len);
}

EXPORT ssize_t sendfile(int out, int in, off_t *off, size_t len)
{
	return sendfile64(out, in, off, len);
}

int next_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (preload.ioctl)
		return preload.ioctl(fd, request, arg);
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	unsigned what = (unsigned)request;
	int saved = errno, ret;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	ret = next_ioctl(fd, request, arg);
	if (ret >= 0 || !preload.clone_copies || (what != FICLONE && what != FICLONERANGE))
		return ret;
	if ((!served_exdev(errno) && errno != ENOTTY) || !may_take_over())
		return ret;
	return take_clone(fd, request, arg, saved);
}
