// SPDX-License-Identifier: GPL-2.0-or-later
/* place.c - a URL into places. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fs/libnfs/place.h"
#include "fs/nfs/url.h"

mode_t place_umask(void)
{
	return nfs_process_umask();
}

/* As a number, IPv4 where there is both: one server has one name then. */
static int resolve(const char *host, char *address, size_t size)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *at;
	int err = getaddrinfo(host, NULL, &hints, &list);

	if (err || !list)
		return err == EAI_MEMORY ? -ENOMEM : -EHOSTUNREACH;
	for (at = list; at && at->ai_family != AF_INET;)
		at = at->ai_next;
	at = at ? at : list;
	err = getnameinfo(at->ai_addr, at->ai_addrlen, address, (socklen_t)size, NULL, 0,
			  NI_NUMERICHOST);
	freeaddrinfo(list);
	return err ? -EHOSTUNREACH : 0;
}

static void set_groups(struct ln_place *place, const struct nfs_url *url)
{
	gid_t mine[1024];
	int n = url->groups ? getgroups(1024, mine) : 0;

	for (int i = 0; i < n && place->ngroups < LN_GROUPS; i++)
		if (mine[i] != place->gid)
			place->group[place->ngroups++] = mine[i];
	for (uint32_t i = 0; i < url->ngroups && place->ngroups < LN_GROUPS; i++)
		place->group[place->ngroups++] = url->group[i];
}

static int set_path(struct place_wanted *want, const struct nfs_url *url)
{
	size_t len = url->path_len;

	if (len >= sizeof(want->path))
		return -ENAMETOOLONG;
	memcpy(want->path, url->path, len);
	while (len && want->path[len - 1] == '/')
		len--;
	want->path[len] = '\0';
	if (!len)
		strcpy(want->path, "/");
	return 0;
}

int place_parse(const char *text, struct place_wanted *want)
{
	struct ln_place place = {.ngroups = 0};
	struct nfs_url url;
	int err = nfs_url_parse(text, &url);

	if (err)
		return err;
	if ((!url.v3 && !url.v40) || url.granted)
		return -EPROTONOSUPPORT;
	err = resolve(url.host, place.address, sizeof(place.address));
	if (!err)
		err = set_path(want, &url);
	if (err)
		return err;
	place.chosen = !url.minor_high;
	place.port = url.port_given ? url.port : 0;
	place.mountport = url.mountport;
	place.timeout = url.timeout;
	place.uid = url.uid;
	place.gid = url.gid;
	set_groups(&place, &url);
	want->n = 0;
	for (unsigned v = 3; v <= 4; v++) {
		if (!(v == 3 ? url.v3 : url.v40))
			continue;
		want->place[want->n] = place;
		want->place[want->n++].version = v;
	}
	return 0;
}
