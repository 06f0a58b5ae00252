// SPDX-License-Identifier: GPL-2.0-or-later
/* rw.c - whole reads and writes over the wrappers that may be short or interrupted. */
#include <time.h>

#include "stream.h"

/*
 * A regular file has no business answering EAGAIN, and EINTR only where a
 * server is slow.  Both are tried again, but a file that says nothing else for
 * a second is broken and its error goes up.
 */
#define RETRY_MAX 1000

bool rw_retry(int err, unsigned *tries)
{
	static const struct timespec ms = {.tv_nsec = 1000000};

	if ((err != -EINTR && err != -EAGAIN) || ++*tries > RETRY_MAX)
		return false;
	if (err == -EAGAIN || *tries > RETRY_MAX / 10)
		nanosleep(&ms, NULL);
	return true;
}

int full_read(struct file *file, void *buf, size_t len, off_t pos, size_t *done)
{
	unsigned tries = 0;

	*done = 0;
	while (*done < len) {
		ssize_t n = cr_read(file, (char *)buf + *done, len - *done, pos + (off_t)*done);

		if (n < 0 && rw_retry((int)n, &tries))
			continue;
		if (n <= 0)
			return (int)n;
		tries = 0;
		*done += (size_t)n;
	}
	return 0;
}

int full_write(struct file *file, const void *buf, size_t len, off_t pos, size_t *done)
{
	unsigned tries = 0;

	*done = 0;
	while (*done < len) {
		ssize_t n =
			cr_write(file, (const char *)buf + *done, len - *done, pos + (off_t)*done);

		if (n < 0 && rw_retry((int)n, &tries))
			continue;
		if (n <= 0)
			return n ? (int)n : -ENOSPC;
		tries = 0;
		*done += (size_t)n;
	}
	return 0;
}
