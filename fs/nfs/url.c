// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * url.c - nfs://[user@]host[:port]/path[?option=value&...]
 *
 * As libnfs writes them.  Nothing is decoded: what stands between the host and
 * the last "?" that is followed by an option is the path.
 *
 * For servers that copy from another server there are options that nobody types:
 * groups=N,N... of the caller, and fh=HEX, stateid=HEX (its seqid first), which name
 * the file instead of the path and let it be read by what somebody else was granted.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/nfs/url.h"
#include "lib/nfs4/nfs4.h"
#include "lib/bytes.h"

#define TIMEOUT_DEFAULT 180u
#define TIMEOUT_MAX	86400u

static int number(const char *text, size_t len, unsigned long max, unsigned long *v)
{
	char buf[12], *end;

	if (!len || len >= sizeof(buf) || *text < '0' || *text > '9')
		return -EINVAL;
	memcpy(buf, text, len);
	buf[len] = '\0';
	*v = strtoul(buf, &end, 10);
	return *end || *v > max ? -EINVAL : 0;
}

static int set_version(struct nfs_url *url, const char *v, size_t len)
{
	static const struct {
		const char *name;
		unsigned low, high;
		bool v40, v3;
	} rows[] = {
		{"4.2", 2, 2, false, false}, {"4.1", 1, 1, false, false},
		{"4.0", 0, 0, true, false},  {"4", 1, 2, true, false},
		{"3", 0, 0, false, true},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strlen(rows[i].name) != len || memcmp(rows[i].name, v, len) != 0)
			continue;
		url->minor_low = rows[i].low;
		url->minor_high = rows[i].high;
		url->v40 = rows[i].v40;
		url->v3 = rows[i].v3;
		return 0;
	}
	return -EINVAL;
}

static int set_groups(struct nfs_url *url, const char *v, size_t len)
{
	const char *end = v + len;
	unsigned long n;

	while (v < end) {
		const char *comma = memchr(v, ',', (size_t)(end - v));
		size_t digits = (size_t)((comma ? comma : end) - v);

		if (url->ngroups == RPC_GROUPS_MAX || number(v, digits, UINT32_MAX - 1, &n))
			return -EINVAL;
		url->group[url->ngroups++] = (uint32_t)n;
		v += digits + (comma != NULL);
	}
	url->groups = false;
	return 0;
}

static int nibble(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Bytes put in, or -EINVAL. */
static ssize_t hex(const char *v, size_t len, uint8_t *buf, size_t size)
{
	if (!len || len % 2 || len / 2 > size)
		return -EINVAL;
	for (size_t i = 0; i < len / 2; i++) {
		int high = nibble(v[2 * i]), low = nibble(v[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		buf[i] = (uint8_t)(high << 4 | low);
	}
	return (ssize_t)(len / 2);
}

static int set_fh(struct nfs_url *url, const char *v, size_t len)
{
	ssize_t n = hex(v, len, url->fh.data, sizeof(url->fh.data));

	url->fh.len = n > 0 ? (uint32_t)n : 0;
	return n > 0 ? 0 : -EINVAL;
}

static int set_stateid(struct nfs_url *url, const char *v, size_t len)
{
	uint8_t buf[4 + NFS4_OTHER_SIZE];

	if (hex(v, len, buf, sizeof(buf)) != sizeof(buf))
		return -EINVAL;
	url->stateid.seqid = get_be32(buf);
	memcpy(url->stateid.other, buf + 4, NFS4_OTHER_SIZE);
	url->granted = true;
	return 0;
}

#define OPTIONS 10u

static int set_option(struct nfs_url *url, const char *key, size_t klen, const char *v, size_t len)
{
	static const char *const names[OPTIONS] = {"version", "uid",	  "gid",    "nfsport",
						   "sec",     "timeout",  "groups", "fh",
						   "stateid", "mountport"};
	const unsigned long max[OPTIONS] = {
		0, UINT32_MAX - 1, UINT32_MAX - 1, 65535, 0, TIMEOUT_MAX, 0, 0, 0, 65535};
	unsigned long n = 0;
	unsigned i = 0;

	while (i < OPTIONS && (strlen(names[i]) != klen || memcmp(names[i], key, klen) != 0))
		i++;
	if (i == OPTIONS)
		return -EINVAL;
	if (max[i] && number(v, len, max[i], &n))
		return -EINVAL;
	switch (i) {
	case 0:
		return set_version(url, v, len);
	case 1:
		url->uid = (uint32_t)n;
		url->groups = false;
		return 0;
	case 2:
		url->gid = (uint32_t)n;
		url->groups = false;
		return 0;
	case 3:
		url->port = (uint16_t)n;
		url->port_given = true;
		return n ? 0 : -EINVAL;
	case 4:
		return len == 3 && !memcmp(v, "sys", 3) ? 0 : -EOPNOTSUPP;
	case 6:
		return set_groups(url, v, len);
	case 7:
		return set_fh(url, v, len);
	case 8:
		return set_stateid(url, v, len);
	case 9:
		url->mountport = (uint16_t)n;
		return n ? 0 : -EINVAL;
	default:
		url->timeout = (unsigned)n;
		return n ? 0 : -EINVAL;
	}
}

static int options(struct nfs_url *url, const char *at)
{
	while (*at) {
		size_t len = strcspn(at, "&");
		const char *eq = memchr(at, '=', len);
		int err = eq ? set_option(url, at, (size_t)(eq - at), eq + 1,
					  len - (size_t)(eq + 1 - at))
			     : -EINVAL;

		if (err)
			return err;
		at += len;
		at += *at == '&';
	}
	return 0;
}

/* user@: the user's ids as this machine knows them. */
static int set_user(struct nfs_url *url, const char *user, size_t len)
{
	char name[64], buf[4096];
	struct passwd pw, *found = NULL;

	if (!len || len >= sizeof(name))
		return -EINVAL;
	memcpy(name, user, len);
	name[len] = '\0';
	if (getpwnam_r(name, &pw, buf, sizeof(buf), &found) || !found)
		return -EINVAL;
	url->uid = pw.pw_uid;
	url->gid = pw.pw_gid;
	url->groups = url->uid == geteuid();
	return 0;
}

static int set_host(struct nfs_url *url, const char *at, size_t len)
{
	const char *end = at + len, *port = NULL, *close;
	unsigned long n;

	if (len && *at == '[') {
		close = memchr(at, ']', len);
		if (!close)
			return -EINVAL;
		len = (size_t)(close - ++at);
		if (close + 1 < end && close[1] != ':')
			return -EINVAL;
		port = close + 1 < end ? close + 2 : NULL;
	} else {
		const char *colon = memchr(at, ':', len);

		if (colon) {
			port = colon + 1;
			len = (size_t)(colon - at);
		}
	}
	if (port && (number(port, (size_t)(end - port), 65535, &n) || !n))
		return -EINVAL;
	if (port) {
		url->port = (uint16_t)n;
		url->port_given = true;
	}
	if (!len || len >= sizeof(url->host))
		return -EINVAL;
	memcpy(url->host, at, len);
	url->host[len] = '\0';
	return 0;
}

/* nfs_url_parse - see url.h */
int nfs_url_parse(const char *text, struct nfs_url *url)
{
	const char *host = text, *user, *quest;
	size_t len;
	int err = 0;

	memset(url, 0, sizeof(*url));
	url->port = NFS4_PORT;
	url->minor_low = 1;
	url->minor_high = 2;
	url->v3 = url->v40 = true;
	url->timeout = TIMEOUT_DEFAULT;
	url->uid = geteuid();
	url->gid = getegid();
	url->groups = true;
	url->path = host + strcspn(host, "/?");
	url->path_len = strlen(url->path);
	user = memchr(host, '@', (size_t)(url->path - host));
	if (user) {
		err = set_user(url, host, (size_t)(user - host));
		host = user + 1;
	}
	len = (size_t)(url->path - host);
	if (!err)
		err = set_host(url, host, len);
	quest = strrchr(url->path, '?');
	if (err || !quest || !strchr(quest, '='))
		return err;
	url->path_len = (size_t)(quest - url->path);
	err = options(url, quest + 1);
	return !err && url->granted != (url->fh.len != 0) ? -EINVAL : err;
}
