// SPDX-License-Identifier: GPL-2.0-or-later
#include "socket.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_PORT "3260"

void socket_text(int fd, bool peer, char *text, size_t room)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char host[64], port[16];
	int err = peer ? getpeername(fd, (struct sockaddr *)&a, &len)
		       : getsockname(fd, (struct sockaddr *)&a, &len);

	if (err || getnameinfo((struct sockaddr *)&a, len, host, sizeof(host), port, sizeof(port),
			       NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(text, room, "?");
	else
		snprintf(text, room, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

/* HOST and PORT of @address, cut out of @copy. */
static bool split(char *copy, const char **host, const char **port)
{
	char *colon = strrchr(copy, ':'), *end;

	*port = DEFAULT_PORT;
	*host = copy;
	if (*copy == '[') {
		end = strchr(copy, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		*end = 0;
		*host = copy + 1;
		if (end[1])
			*port = end + 2;
	} else if (colon) {
		*colon = 0;
		*port = colon + 1;
	}
	return **port;
}

static int listen_on(const struct addrinfo *a, const char **why)
{
	int one = 1, fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*why = NULL;
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 64) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int socket_listen(const char *address, const char **why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
			*list;
	const char *host, *port;
	char copy[256];
	int rc, fd;

	*why = "not ADDRESS:PORT";
	if ((size_t)snprintf(copy, sizeof(copy), "%s", address) >= sizeof(copy) ||
	    !split(copy, &host, &port))
		return -EINVAL;
	rc = getaddrinfo(*host ? host : NULL, port, &hints, &list);
	if (rc) {
		*why = gai_strerror(rc);
		return -EINVAL;
	}
	fd = listen_on(list, why);
	freeaddrinfo(list);
	return fd;
}
