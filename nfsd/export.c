// SPDX-License-Identifier: GPL-2.0-or-later
/* export.c - the table of exports and the pseudo root made of their paths. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nfsd/export.h"

#define LINE_MAX_LEN 65536

static uint64_t path_id(const char *path)
{
	static const uint8_t key[16] = "ocp-nfsd exports";

	return siphash(key, path, strlen(path));
}

static void free_nodes(struct node *n)
{
	struct node *kid;

	while ((kid = n->kids)) {
		n->kids = kid->next;
		free_nodes(kid);
		free(kid->name);
		free(kid);
	}
}

void exports_put(struct exports *e)
{
	struct export *ex;

	if (!e || atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	free_nodes(&e->root);
	while ((ex = e->list)) {
		e->list = ex->next;
		export_free(ex);
	}
	free(e);
}

struct exports *exports_get(struct nfsd *s)
{
	struct exports *e;

	pthread_mutex_lock(&s->exports_lock);
	e = s->exports;
	atomic_fetch_add(&e->refs, 1);
	pthread_mutex_unlock(&s->exports_lock);
	return e;
}

void exports_set(struct nfsd *s, struct exports *e)
{
	struct exports *old;

	pthread_mutex_lock(&s->exports_lock);
	old = s->exports;
	e->generation = old ? old->generation + 1 : 1;
	s->exports = e;
	pthread_mutex_unlock(&s->exports_lock);
	exports_put(old);
}

static struct node *kid_of(struct node *n, const char *name, size_t len)
{
	for (struct node *kid = n->kids; kid; kid = kid->next)
		if (strlen(kid->name) == len && !strncmp(kid->name, name, len))
			return kid;
	return NULL;
}

static struct node *add_kid(struct node *n, const char *name, size_t len, uint64_t id)
{
	struct node *kid = calloc(1, sizeof(*kid));

	if (!kid)
		return NULL;
	kid->name = strndup(name, len);
	if (!kid->name) {
		free(kid);
		return NULL;
	}
	kid->id = id;
	kid->parent = n;
	kid->next = n->kids;
	n->kids = kid;
	return kid;
}

/* An export below another one is reached through the storage's own tree: not a node. */
static int add_nodes(struct exports *e, struct export *ex)
{
	struct node *n = &e->root, *kid;
	const char *p = ex->path;
	char *upto;

	while (*p) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (!len)
			break;
		kid = kid_of(n, p, len);
		if (!kid) {
			upto = strndup(ex->path, (size_t)(p - ex->path) + len);
			if (!upto)
				return -ENOMEM;
			kid = add_kid(n, p, len, path_id(upto));
			free(upto);
		}
		if (!kid)
			return -ENOMEM;
		n = kid;
		p += len;
	}
	n->export = ex;
	return 0;
}

const struct export *export_by_id(const struct exports *e, uint64_t id)
{
	for (const struct export *ex = e->list; ex; ex = ex->next)
		if (ex->id == id)
			return ex;
	return NULL;
}

static const struct node *find_node(const struct node *n, uint64_t id)
{
	const struct node *found;

	if (n->id == id)
		return n;
	for (const struct node *kid = n->kids; kid; kid = kid->next) {
		found = find_node(kid, id);
		if (found)
			return found;
	}
	return NULL;
}

const struct node *node_by_id(const struct exports *e, uint64_t id)
{
	return find_node(&e->root, id);
}

static void to_in6(const struct sockaddr_storage *peer, struct in6_addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	if (peer->ss_family == AF_INET6) {
		*addr = ((const struct sockaddr_in6 *)peer)->sin6_addr;
	} else if (peer->ss_family == AF_INET) {
		memset(addr->s6_addr + 10, 0xff, 2);
		memcpy(addr->s6_addr + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
	}
}

static bool within(const struct in6_addr *addr, const struct in6_addr *net, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(addr, net, bytes) != 0)
		return false;
	return !rest || !((addr->s6_addr[bytes] ^ net->s6_addr[bytes]) >> (8 - rest));
}

bool network_has(const struct client_opts *list, const struct sockaddr_storage *addr)
{
	struct in6_addr in6;

	to_in6(addr, &in6);
	for (; list; list = list->next)
		if (within(&in6, &list->net, list->bits))
			return true;
	return false;
}

/* The narrowest match, as exports(5): an address before a network before everyone. */
const struct client_opts *export_opts(const struct export *ex, const struct sockaddr_storage *peer)
{
	const struct client_opts *best = NULL;
	struct in6_addr addr;

	to_in6(peer, &addr);
	for (const struct client_opts *o = ex->opts; o; o = o->next)
		if (within(&addr, &o->net, o->bits) && (!best || o->bits > best->bits))
			best = o;
	return best;
}

static int complain(const char *where, const char *what)
{
	fprintf(stderr, "ocp-nfsd: %s: %s\n", where, what);
	return -EINVAL;
}

/* The root is opened for reading: by this first file, rooms say what they know of the storage. */
static int open_root(struct nfsd *s, struct export *ex)
{
	struct file_handle_bytes h;
	struct file *again;
	char why[200];
	bool by_name = s->opt.landlock == NFSD_LANDLOCK_ON;
	int err = cr_open(s->ns, ex->path, O_RDONLY | O_DIRECTORY, 0, &ex->root);

	if (!err)
		err = cr_getattr(ex->root, NULL, &ex->stx);
	if (err) {
		snprintf(why, sizeof(why), "cannot export: %s%s", strerror(-err),
			 err == -EACCES && s->landlocked
				 ? ": the server confined itself to what it exported at its start"
				   " (--landlock): start it again"
				 : "");
		return complain(ex->path, why);
	}
	err = cr_get_handle(ex->root, NULL, &h);
	if (!err && !by_name)
		err = cr_open_handle(ex->root, &h, O_PATH, &again);
	if (!err && !by_name)
		return cr_close(again);
	ex->by_path = by_name || err == -EPERM || err == -EOPNOTSUPP || err == -EOVERFLOW;
	if (ex->by_path)
		return 0;
	snprintf(why, sizeof(why),
		 "cannot export: its file system gives no usable file handles: %s", strerror(-err));
	return complain(ex->path, why);
}

static int add_line(struct nfsd *s, struct exports *e, const char *line, const char *where)
{
	struct export *ex, **tail = &e->list;
	char why[200];

	ex = export_parse(line, why, sizeof(why));
	if (!ex)
		return complain(where, why);
	while (*tail)
		tail = &(*tail)->next;
	*tail = ex;
	ex->id = path_id(ex->path);
	for (const struct export *other = e->list; other != ex; other = other->next)
		if (other->id == ex->id)
			return complain(ex->path, "exported twice");
	return open_root(s, ex) || add_nodes(e, ex) ? -EINVAL : 0;
}

/* Lines end at newlines that no backslash hides; # begins a comment. */
static int add_file(struct nfsd *s, struct exports *e, const char *name)
{
	char *line = calloc(1, LINE_MAX_LEN), where[4200];
	FILE *f = fopen(name, "re");
	size_t len = 0;
	int err = 0, number = 0;

	if (!f || !line) {
		free(line);
		if (f)
			fclose(f);
		return complain(name, f ? "no memory" : strerror(errno));
	}
	while (!err && fgets(line + len, (int)(LINE_MAX_LEN - len), f)) {
		char *hash = strchr(line + len, '#');

		number++;
		if (hash)
			memcpy(hash, "\n", 2); /* in the place of # and what follows */
		len = strlen(line);
		if (len >= 2 && line[len - 1] == '\n' && line[len - 2] == '\\') {
			len -= 2;
			continue;
		}
		snprintf(where, sizeof(where), "%s:%d", name, number);
		if (strspn(line, " \t\n") < len)
			err = add_line(s, e, line, where);
		len = 0;
	}
	fclose(f);
	free(line);
	return err;
}

struct exports *exports_load(struct nfsd *s)
{
	struct exports *e = calloc(1, sizeof(*e));
	int err = 0;

	if (!e)
		return NULL;
	atomic_init(&e->refs, 1);
	e->root.id = path_id("/");
	if (s->opt.exports_file)
		err = add_file(s, e, s->opt.exports_file);
	for (unsigned i = 0; !err && i < s->opt.nexports; i++)
		err = add_line(s, e, s->opt.exports[i], "--export");
	if (!err && !e->list)
		err = complain(s->opt.exports_file ? s->opt.exports_file : "exports",
			       "nothing is exported");
	if (!err)
		return e;
	exports_put(e);
	return NULL;
}
