// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * walk.c - from a path to a file: all names in one COMPOUND, as a rule.
 *
 * Where a symbolic link is on the way the server stops there, and the path is gone
 * name by name.  A link that begins with a slash starts at the server's root.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "fs/nfs/nfs.h"

#define LINKS_MAX 40
#define AROUND	  4u /* operations of a COMPOUND beside the names */

/* The next name of a path, "." left out; false at its end. */
static bool next_name(const char **at, const char *end, struct xdr_bytes *name)
{
	for (;;) {
		const char *from;

		while (*at < end && **at == '/')
			(*at)++;
		from = *at;
		while (*at < end && **at != '/')
			(*at)++;
		*name = (struct xdr_bytes){from, (uint32_t)(*at - from)};
		if (!name->len)
			return false;
		if (name->len != 1 || *from != '.')
			return true;
	}
}

static bool is_up(const struct xdr_bytes *name)
{
	return name->len == 2 && !memcmp(name->data, "..", 2);
}

static void start_at(struct nfs_req *req, const struct nfs4_fh *from)
{
	static struct nfs4_void none;

	if (from && from->len)
		nfs_add(req, OP_PUTFH, (void *)from, &none);
	else
		nfs_add(req, OP_PUTROOTFH, &none, &none);
}

struct names {
	struct nfs4_name_args arg[NFS_REQ_OPS];
	unsigned n;
};

/* As many names as fit into one COMPOUND; all of them when *at is at the end then. */
static int go(struct nfs_client *clp, const struct nfs4_fh *from, const char **at, const char *end,
	      struct nfs_node *node)
{
	static struct nfs4_void none;
	struct nfs4_map_args map = {nfs_stat_map};
	struct nfs4_fattr_args attr;
	struct names names = {.n = 0};
	struct nfs_req req;
	unsigned max;
	int err;

	pthread_mutex_lock(&clp->lock);
	max = clp->s.maxops - AROUND;
	pthread_mutex_unlock(&clp->lock);
	nfs_begin(&req, clp);
	start_at(&req, from);
	while (names.n < max && next_name(at, end, &names.arg[names.n].name)) {
		struct nfs4_name_args *name = &names.arg[names.n++];

		nfs_add(&req, is_up(&name->name) ? OP_LOOKUPP : OP_LOOKUP, name, &none);
	}
	nfs_add(&req, OP_GETFH, &none, &node->fh);
	nfs_add(&req, OP_GETATTR, &map, &attr);
	err = nfs_result(&req, nfs_call(&req));
	if (!err)
		err = nfs_stat(&attr.attr, node);
	nfs_end(&req);
	if (req.status == NFS4ERR_SYMLINK || req.status == NFS4ERR_NOTDIR)
		return -ELOOP;
	/* The root has nothing above it: ".." is itself, as everywhere. */
	if (req.status == NFS4ERR_NOENT && names.n == 1 && req.done == 2 &&
	    is_up(&names.arg[0].name)) {
		const char *nothing = end;

		return go(clp, from, &nothing, end, node);
	}
	return err;
}

static int straight(struct nfs_client *clp, const struct nfs_path *path, struct nfs_node *node)
{
	const char *at = path->name, *end = at + path->len;
	const struct nfs4_fh *from = path->from;
	struct nfs4_fh here;
	int err;

	do {
		err = go(clp, from, &at, end, node);
		while (!err && at < end && *at == '/')
			at++;
		here = node->fh;
		from = &here;
	} while (!err && at < end);
	return err;
}

/* The text of the link at @node takes the place of its name before the rest. */
static int expand(struct nfs_client *clp, const struct nfs_node *node, char *rest, size_t size)
{
	char text[PATH_MAX];
	ssize_t n = nfs_link_text(clp, &node->fh, NULL, text, sizeof(text));
	size_t len = strlen(rest);

	if (n < 0)
		return (int)n;
	if (!n)
		return -ENOENT;
	if ((size_t)n + 1 + len >= size)
		return -ENAMETOOLONG;
	memmove(rest + n + 1, rest, len + 1);
	memcpy(rest, text, (size_t)n);
	rest[n] = '/';
	return 0;
}

static int step(struct nfs_client *clp, struct nfs_node *here, const struct xdr_bytes *name,
		struct nfs_node *next)
{
	const char *at = name->data, *end = at + name->len;

	return go(clp, here->fh.len ? &here->fh : NULL, &at, end, next);
}

/* Name by name, links resolved here. */
static int winding(struct nfs_client *clp, const struct nfs_path *path, bool follow,
		   struct nfs_node *node)
{
	const struct nfs_path start = {path->from, "", 0};
	char rest[PATH_MAX];
	struct nfs_node here = {.fh = {.len = 0}}, next;
	struct xdr_bytes name;
	unsigned links = 0;
	int err;

	if (path->len >= sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(rest, path->name, path->len);
	rest[path->len] = '\0';
	if (path->from)
		here.fh = *path->from;
	err = straight(clp, &start, node);
	while (!err) {
		const char *at = rest, *end = rest + strlen(rest);
		bool last;

		if (!next_name(&at, end, &name))
			break;
		last = at + strspn(at, "/") == end;
		err = step(clp, &here, &name, &next);
		if (err == -ELOOP)
			err = -ENOTDIR;
		memmove(rest, at, (size_t)(end - at) + 1);
		if (err)
			break;
		if (!S_ISLNK(next.stx.stx_mode) || (last && !follow)) {
			here = *node = next;
			continue;
		}
		if (++links > LINKS_MAX)
			return -ELOOP;
		err = expand(clp, &next, rest, sizeof(rest));
		if (!err && rest[0] == '/')
			here.fh.len = 0;
	}
	return err;
}

/**
 * nfs_walk - the file that @path leads to
 * @follow: a symbolic link at its end too
 */
int nfs_walk(struct nfs_client *clp, const struct nfs_path *path, bool follow,
	     struct nfs_node *node)
{
	int err = straight(clp, path, node);

	if (err == -ELOOP || (!err && follow && S_ISLNK(node->stx.stx_mode)))
		err = winding(clp, path, follow, node);
	return err;
}
