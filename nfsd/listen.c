// SPDX-License-Identifier: GPL-2.0-or-later
/* listen.c - the socket that a service manager hands over: sd_listen_fds(3). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nfsd/nfsd.h"

#define FIRST_FD 3

static long number(const char *name)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : 0;
}

int listen_inherited(void)
{
	long pid = number("LISTEN_PID"), n = number("LISTEN_FDS");
	socklen_t len = sizeof(int);
	int listens = 0, fd = FIRST_FD;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (pid != getpid() || !n)
		return -ENOENT;
	if (n != 1 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) || !listens)
		return -EINVAL;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
		return -errno;
	return fd;
}
