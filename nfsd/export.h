/* SPDX-License-Identifier: GPL-2.0-or-later */
/* export.h - what is exported, to whom, and the pseudo root above it. */
#ifndef NFSD_EXPORT_H
#define NFSD_EXPORT_H

#include "nfsd/nfsd.h"

/* exports(5): what one client, network or everyone may do. */
struct client_opts {
	struct client_opts *next;
	struct in6_addr net; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;	     /* of the network; 0: everyone */
	bool rw, insecure, root_squash, all_squash;
	uint32_t anonuid, anongid;
};

struct export
{
	struct export *next;
	char *path;
	uint64_t id; /* of the path */
	struct file *root;
	struct statx stx;
	struct client_opts *opts;
	bool by_path; /* its files cannot be opened by handle: paths.c */
};

/* A directory of the pseudo root: a piece of an export's path. */
struct node {
	struct node *parent, *next, *kids;
	char *name;
	uint64_t id;	       /* of its path */
	struct export *export; /* exported here: what is below is on the storage */
};

struct exports {
	atomic_uint refs;
	struct export *list;
	struct node root;
	uint64_t generation;
};

/* All of --export and --exports: NULL and what is wrong on stderr. */
struct exports *exports_load(struct nfsd *s);
struct exports *exports_get(struct nfsd *s); /* the ones of now, held */
void exports_put(struct exports *e);
void exports_set(struct nfsd *s, struct exports *e); /* takes the reference */

const struct export *export_by_id(const struct exports *e, uint64_t id);
const struct node *node_by_id(const struct exports *e, uint64_t id);
/* What the export lets this address do; NULL: nothing. */
const struct client_opts *export_opts(const struct export *ex, const struct sockaddr_storage *peer);

/* parse.c: "PATH CLIENT(OPTIONS) ...", one line; 0 or -EINVAL, with a message in @why */
struct export *export_parse(const char *line, char *why, size_t size);
void export_free(struct export *ex);

/* "ADDRESS,NETWORK,...", as clients of exports are written: NULL and a message in @why. */
struct client_opts *network_parse(const char *list, char *why, size_t size);
void network_free(struct client_opts *list);
bool network_has(const struct client_opts *list, const struct sockaddr_storage *addr);

#endif
