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

/* A room may answer with a byte at a time and take long for it: the flag is asked between calls. */
int full_read(const struct place *at, void *buf, size_t len, size_t *done)
{
	unsigned tries = 0;

	*done = 0;
	while (*done < len) {
		ssize_t n =
			cr_read(at->file, (char *)buf + *done, len - *done, at->pos + (off_t)*done);

		if (n == 0 || (n < 0 && !rw_retry((int)n, &tries)))
			return (int)n;
		if (n > 0) {
			tries = 0;
			*done += (size_t)n;
		}
		if (*done < len && place_stopped(at))
			return -ECANCELED;
	}
	return 0;
}

int full_write(const struct place *at, const void *buf, size_t len, size_t *done)
{
	unsigned tries = 0;

	*done = 0;
	while (*done < len) {
		ssize_t n = cr_write(at->file, (const char *)buf + *done, len - *done,
				     at->pos + (off_t)*done);

		if (n == 0 || (n < 0 && !rw_retry((int)n, &tries)))
			return n ? (int)n : -ENOSPC;
		if (n > 0) {
			tries = 0;
			*done += (size_t)n;
		}
		if (*done < len && place_stopped(at))
			return -ECANCELED;
	}
	return 0;
}
