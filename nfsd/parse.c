// SPDX-License-Identifier: GPL-2.0-or-later
/* parse.c - a line of exports(5): PATH CLIENT(OPTION,...) ... */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nfsd/export.h"

struct parse {
	const char *p;
	char *why;
	size_t size;
};

static int fail(struct parse *ps, const char *what, const char *word, size_t len)
{
	snprintf(ps->why, ps->size, "%s: %.*s", what, (int)len, word);
	return -EINVAL;
}

static void blanks(struct parse *ps)
{
	ps->p += strspn(ps->p, " \t\n");
}

/* The path: up to a blank, or quoted; \040 and the like are bytes. */
static char *take_path(struct parse *ps)
{
	bool quoted = *ps->p == '"';
	char *path = malloc(strlen(ps->p) + 1), *to = path;

	if (!path)
		return NULL;
	ps->p += quoted;
	while (*ps->p && (quoted ? *ps->p != '"' : !strchr(" \t\n", *ps->p))) {
		unsigned v = 0;

		if (ps->p[0] == '\\' && strspn(ps->p + 1, "01234567") >= 3)
			for (int i = 1; i <= 3; i++)
				v = v << 3 | (unsigned)(ps->p[i] - '0');
		if (v && v < 256) {
			*to++ = (char)v;
			ps->p += 4;
		} else {
			*to++ = *ps->p++;
		}
	}
	if (quoted && *ps->p == '"')
		ps->p++;
	while (to > path + 1 && to[-1] == '/')
		to--;
	*to = '\0';
	return path;
}

struct flag {
	const char *name;
	size_t offset;
	bool value;
};

#define FLAG(name, member, value)                                                                  \
	{                                                                                          \
		name, offsetof(struct client_opts, member), value                                  \
	}

static const struct flag flags[] = {
	FLAG("rw", rw, true),
	FLAG("ro", rw, false),
	FLAG("insecure", insecure, true),
	FLAG("secure", insecure, false),
	FLAG("root_squash", root_squash, true),
	FLAG("no_root_squash", root_squash, false),
	FLAG("all_squash", all_squash, true),
	FLAG("no_all_squash", all_squash, false),
};

/* Accepted for the sake of files written for other servers; they change nothing here. */
static const char *const ignored[] = {
	"sync",	      "async",	  "subtree_check",  "no_subtree_check", "wdelay",
	"no_wdelay",  "hide",	  "nohide",	    "crossmnt",		"acl",
	"no_acl",     "auth_nlm", "insecure_locks", "mountpoint",	"mp",
	"nordirplus", "sec=sys",  "secure_locks",   "no_auth_nlm",
};

static bool is(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && !strncmp(word, name, len);
}

static int take_id(const char *word, size_t len, uint32_t *id)
{
	char buf[16], *end;
	long v;

	if (!len || len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, word, len);
	buf[len] = '\0';
	v = strtol(buf, &end, 10);
	if (*end || v < -2 || v > (long)UINT32_MAX)
		return -EINVAL;
	*id = (uint32_t)v;
	return 0;
}

static int take_option(struct parse *ps, const char *word, size_t len, struct client_opts *o)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (is(word, len, flags[i].name)) {
			*(bool *)((char *)o + flags[i].offset) = flags[i].value;
			return 0;
		}
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (is(word, len, ignored[i]))
			return 0;
	if (len > 8 && !strncmp(word, "anonuid=", 8) && !take_id(word + 8, len - 8, &o->anonuid))
		return 0;
	if (len > 8 && !strncmp(word, "anongid=", 8) && !take_id(word + 8, len - 8, &o->anongid))
		return 0;
	if (len > 5 && !strncmp(word, "fsid=", 5))
		return 0;
	if (len > 4 && !strncmp(word, "sec=", 4))
		return fail(ps, "only sec=sys is served", word, len);
	return fail(ps, "unknown option", word, len);
}

static int take_options(struct parse *ps, struct client_opts *o)
{
	int err = 0;

	if (*ps->p != '(')
		return 0;
	ps->p++;
	while (!err && *ps->p != ')') {
		size_t len = strcspn(ps->p, ",) \t\n");

		if (!ps->p[len] || strchr(" \t\n", ps->p[len]))
			return fail(ps, "no ) after", ps->p, len);
		if (len)
			err = take_option(ps, ps->p, len, o);
		ps->p += len + (ps->p[len] == ',');
	}
	ps->p += *ps->p == ')';
	return err;
}

static int take_prefix(const char *text, unsigned max, unsigned *bits)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);
	struct in_addr mask;

	if (!*text)
		return -EINVAL;
	if (!*end && v <= max) {
		*bits = (unsigned)v;
		return 0;
	}
	if (max != 32 || inet_pton(AF_INET, text, &mask) != 1)
		return -EINVAL;
	v = ntohl(mask.s_addr);
	*bits = v ? 32u - (unsigned)__builtin_ctzl(v) : 0;
	return (uint32_t)v == (uint32_t)((uint64_t)0xffffffff << (32 - *bits)) ? 0 : -EINVAL;
}

/* "*", an address, or ADDRESS/PREFIX. */
static int take_client(struct parse *ps, struct client_opts *o)
{
	size_t len = strcspn(ps->p, "( \t\n");
	char buf[128], *slash;
	const char *word = ps->p;
	struct in_addr in;
	unsigned bits;

	ps->p += len;
	if (!len || is(word, len, "*") || is(word, len, "0.0.0.0/0"))
		return 0;
	if (len >= sizeof(buf))
		return fail(ps, "client is too long", word, len);
	memcpy(buf, word, len);
	buf[len] = '\0';
	slash = strchr(buf, '/');
	if (slash)
		*slash++ = '\0';
	if (inet_pton(AF_INET, buf, &in) == 1) {
		bits = 32;
		if (slash && take_prefix(slash, 32, &bits))
			return fail(ps, "bad network", word, len);
		memset(&o->net, 0, 10);
		memset(o->net.s6_addr + 10, 0xff, 2);
		memcpy(o->net.s6_addr + 12, &in, 4);
		o->bits = 96 + bits;
		return 0;
	}
	if (inet_pton(AF_INET6, buf, &o->net) != 1)
		return fail(ps, "neither * nor an address nor a network", word, len);
	o->bits = 128;
	if (slash && take_prefix(slash, 128, &o->bits))
		return fail(ps, "bad network", word, len);
	return 0;
}

void network_free(struct client_opts *list)
{
	struct client_opts *o;

	while ((o = list)) {
		list = o->next;
		free(o);
	}
}

static int take_network(struct parse *ps, struct client_opts **list)
{
	size_t len = strcspn(ps->p, ",");
	char *word = strndup(ps->p, len);
	struct client_opts *o = calloc(1, sizeof(*o));
	struct parse one = {word, ps->why, ps->size};
	int err = word && o ? 0 : -ENOMEM;

	if (!err && (!len || strcspn(word, "( \t\n") != len))
		err = fail(ps, "neither * nor an address nor a network", ps->p, len);
	if (!err)
		err = take_client(&one, o);
	free(word);
	if (err) {
		free(o);
		return err;
	}
	o->next = *list;
	*list = o;
	ps->p += len;
	return 0;
}

struct client_opts *network_parse(const char *text, char *why, size_t size)
{
	struct parse ps = {.p = text, .why = why, .size = size};
	struct client_opts *list = NULL;

	snprintf(why, size, "no memory");
	do {
		if (take_network(&ps, &list)) {
			network_free(list);
			return NULL;
		}
	} while (*ps.p++);
	return list;
}

void export_free(struct export *ex)
{
	if (!ex)
		return;
	network_free(ex->opts);
	cr_close(ex->root);
	free(ex->path);
	free(ex);
}

static int take_clients(struct parse *ps, struct export *ex)
{
	struct client_opts base = {.root_squash = true, .anonuid = 65534, .anongid = 65534};
	struct client_opts **tail = &ex->opts, *o;
	int err = 0;

	blanks(ps);
	if (*ps->p == '-') { /* options of all that follow */
		size_t len;

		for (ps->p++; !err && (len = strcspn(ps->p, ", \t\n")); ps->p += *ps->p == ',') {
			err = take_option(ps, ps->p, len, &base);
			ps->p += len;
		}
	}
	for (blanks(ps); !err && *ps->p; blanks(ps)) {
		o = malloc(sizeof(*o));
		if (!o)
			return -ENOMEM;
		*o = base;
		o->next = NULL;
		*tail = o;
		tail = &o->next;
		err = take_client(ps, o);
		if (!err)
			err = take_options(ps, o);
	}
	if (!err && !ex->opts)
		err = fail(ps, "exported to nobody, add *(ro) or an address", ex->path,
			   strlen(ex->path));
	return err;
}

struct export *export_parse(const char *line, char *why, size_t size)
{
	struct parse ps = {.p = line, .why = why, .size = size};
	struct export *ex = calloc(1, sizeof(*ex));
	int err = 0;

	snprintf(why, size, "no memory");
	if (!ex)
		return NULL;
	blanks(&ps);
	ex->path = take_path(&ps);
	if (!ex->path)
		err = -ENOMEM;
	else if (ex->path[0] != '/')
		err = fail(&ps, "path does not begin with /", ex->path, strlen(ex->path));
	if (!err)
		err = take_clients(&ps, ex);
	if (!err)
		return ex;
	export_free(ex);
	return NULL;
}
