/* SPDX-License-Identifier: GPL-2.0-or-later */
/* url.h - what an nfs:// URL says; for the rooms that open them. */
#ifndef CR_NFS_URL_H
#define CR_NFS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "lib/nfs4/types.h"
#include "lib/sunrpc/rpc.h"

#define NFS_NAME_SIZE 256u

struct nfs_url {
	char host[NFS_NAME_SIZE];
	uint16_t port;
	bool port_given;
	uint16_t mountport;		/* 0: the portmapper knows; of version 3 */
	unsigned minor_low, minor_high; /* minor versions allowed; high 0: neither 4.1 nor 4.2 */
	bool v3, v40;			/* those of libnfs allowed */
	unsigned timeout;		/* s that a server may be gone */
	uint32_t uid, gid;
	bool groups;	  /* those of this process too: no other identity was given */
	uint32_t ngroups; /* or these */
	uint32_t group[RPC_GROUPS_MAX];
	/* A file by its handle, to be read with a stateid that another client was granted. */
	bool granted;
	struct nfs4_fh fh;
	struct nfs4_stateid stateid;
	const char *path; /* in the URL, "" or with its first slash; not terminated */
	size_t path_len;
};

/* @text is what follows "nfs://"; 0, -EINVAL, -EOPNOTSUPP */
int nfs_url_parse(const char *text, struct nfs_url *url);

/* As umask(2) has it. */
mode_t nfs_process_umask(void);

#endif
