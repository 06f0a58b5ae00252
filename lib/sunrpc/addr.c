// SPDX-License-Identifier: GPL-2.0-or-later
/* addr.c - addresses as people, sockets and RFC 5665 write them. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sunrpc/rpc.h"

socklen_t rpc_addr_len(const struct sockaddr *addr)
{
	return addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					   : sizeof(struct sockaddr_in);
}

static int parse_port(const char *text, uint16_t *port)
{
	unsigned long v;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	v = strtoul(text, &end, 10);
	if (*end || v > 65535)
		return -EINVAL;
	*port = htons((uint16_t)v);
	return 0;
}

/* A numeric host of either family. */
static int parse_host(const char *host, uint16_t port, struct sockaddr_storage *addr)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = port};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = port};

	memset(addr, 0, sizeof(*addr));
	if (inet_pton(AF_INET, host, &in.sin_addr) == 1)
		memcpy(addr, &in, sizeof(in));
	else if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1)
		memcpy(addr, &in6, sizeof(in6));
	else
		return -EINVAL;
	return 0;
}

int rpc_addr_parse(const char *text, struct sockaddr_storage *addr)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 1];
	uint16_t port;
	size_t len;

	if (!colon || parse_port(colon + 1, &port))
		return -EINVAL;
	len = (size_t)(colon - text);
	if (!len)
		return parse_host("::", port, addr);
	if (*text == '[') {
		if (len < 3 || colon[-1] != ']')
			return -EINVAL;
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return -EINVAL;
	}
	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	return parse_host(host, port, addr);
}

uint16_t rpc_addr_port(const struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)addr)->sin6_port);
	return ntohs(((const struct sockaddr_in *)addr)->sin_port);
}

/* The host alone, an IPv4 address that came over an IPv6 socket as what it is. */
static bool host_text(const struct sockaddr_storage *addr, char *host, size_t size)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;

	if (addr->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)addr)->sin_addr, host,
			  (socklen_t)size);
	else if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, (socklen_t)size);
	else
		inet_ntop(AF_INET6, &in6->sin6_addr, host, (socklen_t)size);
	return strchr(host, ':') != NULL;
}

void rpc_addr_text(const struct sockaddr_storage *addr, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (addr->ss_family != AF_INET && addr->ss_family != AF_INET6)
		snprintf(text, size, "?");
	else if (host_text(addr, host, sizeof(host)))
		snprintf(text, size, "[%s]:%u", host, rpc_addr_port(addr));
	else
		snprintf(text, size, "%s:%u", host, rpc_addr_port(addr));
}

/* One to three digits, all of @text, at most 255. */
static bool parse_byte(const char *text, unsigned *byte)
{
	size_t digits = strspn(text, "0123456789");

	*byte = 0;
	for (size_t i = 0; i < digits && i < 3; i++)
		*byte = *byte * 10 + (unsigned)(text[i] - '0');
	return digits && digits <= 3 && !text[digits] && *byte <= 255;
}

int rpc_addr_from_universal(const char *netid, const char *uaddr, struct sockaddr_storage *addr)
{
	char host[INET6_ADDRSTRLEN + 9];
	unsigned high, low;
	char *dot[2];

	if (strcmp(netid, "tcp") != 0 && strcmp(netid, "tcp6") != 0)
		return -EINVAL;
	if (strlen(uaddr) >= sizeof(host))
		return -EINVAL;
	memcpy(host, uaddr, strlen(uaddr) + 1);
	for (int i = 1; i >= 0; i--) {
		dot[i] = strrchr(host, '.');
		if (!dot[i])
			return -EINVAL;
		*dot[i] = '\0';
	}
	if (!parse_byte(dot[0] + 1, &high) || !parse_byte(dot[1] + 1, &low))
		return -EINVAL;
	return parse_host(host, htons((uint16_t)(high << 8 | low)), addr);
}

const char *rpc_addr_to_universal(const struct sockaddr_storage *addr, char *uaddr, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";
	bool six = host_text(addr, host, sizeof(host));
	uint16_t port = rpc_addr_port(addr);

	snprintf(uaddr, size, "%s.%u.%u", host, port >> 8, port & 0xff);
	return six ? "tcp6" : "tcp";
}
