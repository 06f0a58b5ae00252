// SPDX-License-Identifier: GPL-2.0-or-later
/* client.c - one client for each server and identity in a namespace; its life. */
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "fs/nfs/nfs.h"
#include "lib/thread.h"

#define LEASE_DEFAULT 30u
#define IO_HEAD	      512u /* of a READ's reply and a WRITE's call beside the data */
#define IO_LEAST      4096u
#define CLONE_DEFAULT 4096u /* knfsd before 6.12 does not say; it refuses what does not fit */

/* Renews the lease: any request does, so this thread asks for nothing (RFC 8881 section 8.3). */
static void *keep(void *arg)
{
	struct nfs_client *clp = arg;
	struct nfs_req req;
	unsigned ms;

	for (;;) {
		pthread_mutex_lock(&clp->lock);
		ms = 1000 * clp->lease / 3;
		pthread_mutex_unlock(&clp->lock);
		nfs_sleep(clp, ev_now(), ms, NULL);
		pthread_mutex_lock(&clp->lock);
		if (clp->ending) {
			pthread_mutex_unlock(&clp->lock);
			return NULL;
		}
		if (clp->bind_wanted) /* BIND_CONN_TO_SESSION comes with the recovery of one */
			clp->conn_up = false;
		pthread_mutex_unlock(&clp->lock);
		nfs_begin(&req, clp);
		nfs_call(&req);
		nfs_end(&req);
	}
}

static void set_cred(struct nfs_client *clp)
{
	struct rpc_cred *cred = &clp->cred;
	gid_t groups[NGROUPS_MAX];
	int n;

	*cred = (struct rpc_cred){.flavor = RPC_AUTH_SYS, .uid = clp->url.uid, .gid = clp->url.gid};
	n = clp->url.groups ? getgroups(NGROUPS_MAX, groups) : 0;
	for (int i = 0; i < n && cred->ngroups < RPC_GROUPS_MAX; i++)
		if (groups[i] != cred->gid)
			cred->group[cred->ngroups++] = groups[i];
	for (uint32_t i = 0; i < clp->url.ngroups; i++)
		cred->group[cred->ngroups++] = clp->url.group[i];
	if (gethostname(cred->machine, sizeof(cred->machine)) < 0)
		cred->machine[0] = '\0';
	cred->machine[sizeof(cred->machine) - 1] = '\0';
	cred->machine_len = (uint32_t)strlen(cred->machine);
}

/* An owner of its own for each client: two of them never disturb each other's state. */
static int set_owner(struct nfs_client *clp)
{
	uint64_t rnd[2];

	if (getrandom(rnd, sizeof(rnd), 0) < 0)
		return -errno;
	snprintf(clp->owner, sizeof(clp->owner), "copy_range %.100s %ld %016llx", clp->cred.machine,
		 (long)getpid(), (unsigned long long)rnd[0]);
	memcpy(clp->verf, &rnd[1], sizeof(clp->verf));
	return 0;
}

void nfs_client_free(struct nfs_client *clp)
{
	struct nfs_fs *fs;

	if (clp->kept) {
		pthread_mutex_lock(&clp->lock);
		clp->ending = true;
		pthread_cond_broadcast(&clp->changed);
		pthread_mutex_unlock(&clp->lock);
		pthread_join(clp->keeper, NULL);
		clp->ending = false;
	}
	if (clp->loop) {
		nfs_goodbye(clp);
		ev_join(clp->loop);
		ev_loop_free(clp->loop);
	}
	while ((fs = clp->fs)) {
		clp->fs = fs->next;
		free(fs);
	}
	pthread_cond_destroy(&clp->changed);
	pthread_mutex_destroy(&clp->lock);
	free(clp);
}

static struct nfs_client *client_new(struct nfs_room *room, const struct nfs_url *url)
{
	struct nfs_client *clp = calloc(1, sizeof(*clp));

	if (!clp)
		return NULL;
	clp->room = room;
	clp->url = *url;
	clp->url.path = "";
	clp->url.path_len = 0;
	clp->minor = url->minor_high;
	clp->lease = LEASE_DEFAULT;
	pthread_mutex_init(&clp->lock, NULL);
	nfs_cond_init(&clp->changed);
	set_cred(clp);
	clp->loop = ev_loop_new();
	if (!clp->loop || set_owner(clp) || ev_start(clp->loop)) {
		nfs_client_free(clp);
		return NULL;
	}
	return clp;
}

static int resolve_error(int gai)
{
	switch (gai) {
	case EAI_SYSTEM:
		return errno ? -errno : -EIO;
	case EAI_MEMORY:
		return -ENOMEM;
	default:
		return -EHOSTUNREACH;
	}
}

/* The first address that answers; else what the last one said. */
static int contact(struct nfs_client *clp)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list, *at;
	char port[8];
	int err;

	snprintf(port, sizeof(port), "%u", clp->url.port);
	err = getaddrinfo(clp->url.host, port, &hints, &list);
	if (err)
		return resolve_error(err);
	err = -EHOSTUNREACH;
	for (at = list; at && err; at = at->ai_next) {
		if (at->ai_addrlen > sizeof(clp->addr))
			continue;
		memcpy(&clp->addr, at->ai_addr, at->ai_addrlen);
		err = nfs_first_contact(clp);
	}
	freeaddrinfo(list);
	return err;
}

static bool same_client(const struct nfs_client *clp, const struct nfs_url *url)
{
	const struct nfs_url *a = &clp->url;

	return !strcasecmp(a->host, url->host) && a->port == url->port && a->uid == url->uid &&
	       a->gid == url->gid && a->groups == url->groups && a->ngroups == url->ngroups &&
	       !memcmp(a->group, url->group, sizeof(a->group)) && clp->minor <= url->minor_high &&
	       clp->minor >= url->minor_low;
}

/* nfs_client_get - the client for @url, with a session; it lives as long as the namespace */
int nfs_client_get(struct nfs_room *room, const struct nfs_url *url, struct nfs_client **clpp)
{
	struct nfs_client *clp;
	int err = 0;

	pthread_mutex_lock(&room->lock);
	for (clp = room->clients; clp && !same_client(clp, url);)
		clp = clp->next;
	if (!clp) {
		clp = client_new(room, url);
		err = clp ? contact(clp) : -ENOMEM;
		if (!err)
			err = thread_start(&clp->keeper, keep, clp);
		if (err && clp) {
			nfs_client_free(clp);
		} else if (clp) {
			clp->kept = true;
			clp->next = room->clients;
			room->clients = clp;
		}
	}
	pthread_mutex_unlock(&room->lock);
	*clpp = clp;
	return err;
}

/* The number of a device: one for a file system of a server, by whatever address it is reached. */
static uint32_t dev_of(struct nfs_client *clp, const struct nfs4_fsid *fsid)
{
	struct nfs_room *room = clp->room;
	struct nfs_dev *dev;
	uint32_t number = 1;

	pthread_mutex_lock(&room->devs_lock);
	for (dev = room->devs; dev; dev = dev->next) {
		if (dev->major_len == clp->major_len && dev->fsid.major == fsid->major &&
		    dev->fsid.minor == fsid->minor &&
		    !memcmp(dev->major, clp->major, clp->major_len))
			break;
		number++;
	}
	if (!dev && (dev = calloc(1, sizeof(*dev)))) {
		dev->fsid = *fsid;
		dev->major_len = clp->major_len;
		memcpy(dev->major, clp->major, clp->major_len);
		dev->dev = number;
		dev->next = room->devs;
		room->devs = dev;
	}
	pthread_mutex_unlock(&room->devs_lock);
	return dev ? dev->dev : 0;
}

static uint32_t io_size(uint64_t attr, uint32_t channel)
{
	uint64_t size = channel - IO_HEAD;

	if (size > NFS_IO_MAX)
		size = NFS_IO_MAX;
	if (attr && size > attr)
		size = attr;
	return size < IO_LEAST ? (uint32_t)size : (uint32_t)(size & ~(uint64_t)(IO_LEAST - 1));
}

static int ask_for(struct nfs_client *clp, const struct nfs4_fh *fh, const struct nfs4_bitmap *map,
		   struct nfs4_attrs *a)
{
	struct nfs4_map_args args = {*map};
	struct nfs4_fattr_args res;
	struct nfs4_void none;
	struct nfs4_fh at = *fh;
	struct nfs_req req;
	int err;

	nfs_begin(&req, clp);
	nfs_add(&req, OP_PUTFH, &at, &none);
	nfs_add(&req, OP_GETATTR, &args, &res);
	err = nfs_result(&req, nfs_call(&req));
	if (!err)
		err = nfs4_attrs_decode(&res.attr, a);
	nfs_end(&req);
	return err;
}

/* Some servers refuse the whole question for an attribute that they do not know: first what they
 * do. */
static int ask(struct nfs_client *clp, const struct nfs4_fh *fh, struct nfs4_attrs *a)
{
	static const uint8_t wanted[] = {FATTR4_LEASE_TIME,    FATTR4_MAXREAD,
					 FATTR4_MAXWRITE,      FATTR4_SUPPATTR_EXCLCREAT,
					 FATTR4_CLONE_BLKSIZE, FATTR4_XATTR_SUPPORT};
	struct nfs4_bitmap map = {.word = {1u << FATTR4_SUPPORTED_ATTRS}};
	struct nfs4_bitmap known;
	int err = ask_for(clp, fh, &map, a);

	if (err)
		return err;
	known = a->supported;
	map.word[0] = 0;
	for (unsigned i = 0; i < sizeof(wanted); i++)
		if (nfs4_bit(&known, wanted[i]))
			nfs4_bit_set(&map, wanted[i]);
	err = ask_for(clp, fh, &map, a);
	a->supported = known;
	return err;
}

static int fs_new(struct nfs_client *clp, const struct nfs4_fh *fh, const struct nfs4_fsid *fsid,
		  struct nfs_fs **fsp)
{
	struct nfs_fs *fs = calloc(1, sizeof(*fs));
	struct nfs4_attrs a;
	int err = fs ? ask(clp, fh, &a) : -ENOMEM;

	if (err) {
		free(fs);
		return err;
	}
	fs->fsid = *fsid;
	fs->dev = dev_of(clp, fsid);
	fs->clone_block = CLONE_DEFAULT;
	if (nfs4_bit(&a.map, FATTR4_CLONE_BLKSIZE) && a.clone_blksize)
		fs->clone_block = a.clone_blksize;
	fs->excl_mode = nfs4_bit(&a.map, FATTR4_SUPPATTR_EXCLCREAT) &&
			nfs4_bit(&a.suppattr_exclcreat, FATTR4_MODE);
	fs->no_xattr = !nfs4_bit(&a.map, FATTR4_XATTR_SUPPORT) || !a.xattr_support;
	fs->no_seek = fs->no_alloc = fs->no_dealloc = fs->no_read_plus = clp->minor < 2;
	pthread_mutex_lock(&clp->lock);
	fs->rsize = io_size(a.maxread, clp->s.maxresponse);
	fs->wsize = io_size(a.maxwrite, clp->s.maxrequest);
	if (nfs4_bit(&a.map, FATTR4_LEASE_TIME) && a.lease_time >= 3)
		clp->lease = a.lease_time < 3600 ? a.lease_time : 3600;
	pthread_mutex_unlock(&clp->lock);
	*fsp = fs;
	return 0;
}

static struct nfs_fs *fs_find(struct nfs_client *clp, const struct nfs4_fsid *fsid)
{
	struct nfs_fs *fs = clp->fs;

	while (fs && (fs->fsid.major != fsid->major || fs->fsid.minor != fsid->minor))
		fs = fs->next;
	return fs;
}

/* nfs_fs_get - what is known of the file system of @fh, asked for once */
int nfs_fs_get(struct nfs_client *clp, const struct nfs4_fh *fh, const struct nfs4_fsid *fsid,
	       struct nfs_fs **fsp)
{
	struct nfs_fs *fs, *again;
	int err;

	pthread_mutex_lock(&clp->lock);
	*fsp = fs_find(clp, fsid);
	pthread_mutex_unlock(&clp->lock);
	if (*fsp)
		return 0;
	err = fs_new(clp, fh, fsid, &fs);
	if (err)
		return err;
	pthread_mutex_lock(&clp->lock);
	again = fs_find(clp, fsid);
	if (!again) {
		fs->next = clp->fs;
		clp->fs = fs;
	}
	pthread_mutex_unlock(&clp->lock);
	if (again)
		free(fs);
	*fsp = again ? again : fs;
	return 0;
}
