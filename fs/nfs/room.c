// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * room.c - NFS servers, reached without a mount; the room's table is at the end.
 *
 *	room.c		open and close, the table
 *	url.c		what a URL says		client.c	one session per server and identity
 *	walk.c		path to file		call.c		a request in a slot
 *	state.c		open files		recover.c	what was lost comes back
 *	commit.c	what a server lost	callback.c	what the server calls us for
 *	attr.c dir.c data.c copy.c grant.c
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/nfs/nfs.h"

#define NFS_MAGIC 0x6969u

/* nfs_process_umask - asked of /proc, because umask(2) would change it for a moment */
mode_t nfs_process_umask(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long mask = 022;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "Umask:", 6)) {
			mask = strtoul(line + 6, NULL, 8);
			break;
		}
	if (f)
		fclose(f);
	return mask & 0777;
}

static int nfs_start(void **roomp)
{
	struct nfs_room *room = calloc(1, sizeof(*room));

	if (!room)
		return -ENOMEM;
	pthread_mutex_init(&room->lock, NULL);
	pthread_mutex_init(&room->devs_lock, NULL);
	room->umask = nfs_process_umask();
	*roomp = room;
	return 0;
}

static void nfs_stop(void *arg)
{
	struct nfs_room *room = arg;
	struct nfs_client *clp;
	struct nfs_dev *dev;

	while ((clp = room->clients)) {
		room->clients = clp->next;
		nfs_client_free(clp);
	}
	while ((dev = room->devs)) {
		room->devs = dev->next;
		free(dev);
	}
	pthread_mutex_destroy(&room->devs_lock);
	pthread_mutex_destroy(&room->lock);
	free(room);
}

static void nfs_heed(void *arg, const int *stop)
{
	((struct nfs_room *)arg)->stop = stop;
}

static int nfs_release(struct file *file)
{
	struct nfs_file *nf = nfs_of(file);
	int err;

	if (!nf)
		return 0;
	err = nfs_close(nf);
	nfs_file_put(nf);
	return err;
}

static uint32_t access_of(int oflags)
{
	static const uint32_t access[] = {[O_RDONLY] = OPEN4_SHARE_ACCESS_READ,
					  [O_WRONLY] = OPEN4_SHARE_ACCESS_WRITE,
					  [O_RDWR] = OPEN4_SHARE_ACCESS_BOTH};

	return access[(oflags & O_ACCMODE) % 3];
}

/* @child stands for what is at @node: open it as child->oflags say. */
static int open_node(struct file *child, struct nfs_client *clp, const struct nfs_node *node)
{
	mode_t type = node->stx.stx_mode & S_IFMT;
	int flags = child->oflags, err;

	if (S_ISLNK(type) && !(flags & O_PATH))
		return -ELOOP;
	if ((flags & O_DIRECTORY) && !S_ISDIR(type))
		return -ENOTDIR;
	if (S_ISDIR(type) && (flags & O_ACCMODE) != O_RDONLY && !(flags & O_PATH))
		return -EISDIR;
	if (!S_ISDIR(type) && !S_ISREG(type) && !(flags & O_PATH))
		return -ENXIO; /* a device or pipe of the server's cannot be used from here */
	err = nfs_adopt(child, clp, node);
	if (err || (flags & O_PATH) || !S_ISREG(type))
		return err;
	err = nfs_open_fh(nfs_of(child), access_of(flags));
	if (!err && (flags & O_TRUNC) && node->stx.stx_size) {
		err = nfs_truncate(child, 0);
		child->seen.stx_size = child->seen.stx_blocks = 0;
	}
	if (err)
		nfs_release(child);
	return err;
}

static int open_path(struct file *child, struct nfs_client *clp, const struct nfs_path *path)
{
	struct nfs_node node;
	int err = nfs_walk(clp, path, !(child->oflags & O_NOFOLLOW), &node);

	return err ? err : open_node(child, clp, &node);
}

/* OPEN by name in a directory; what turns out to be no file is opened as what it is. */
static int open_in(struct file *child, struct nfs_client *clp, const struct nfs4_fh *dir,
		   const char *name, mode_t mode)
{
	const struct nfs_path path = {dir, name, strlen(name)};
	int flags = child->oflags, err;

	if ((flags & O_TMPFILE) == O_TMPFILE)
		return -EOPNOTSUPP;
	if (flags & (O_PATH | O_DIRECTORY))
		return open_path(child, clp, &path);
	err = nfs_open_name(clp, dir, name, child, mode);
	if (err == -EISDIR || err == -ENXIO || err == -ELOOP) {
		if ((flags & O_CREAT) && (flags & O_EXCL))
			return -EEXIST;
		return open_path(child, clp, &path);
	}
	if (!err && (flags & O_TRUNC) && child->seen.stx_size) {
		err = nfs_truncate(child, 0);
		child->seen.stx_size = child->seen.stx_blocks = 0;
		if (err)
			nfs_release(child);
	}
	return err;
}

static bool is_plain(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* A path of several names: to the directory, then the last one in it. */
static int open_below(struct file *child, struct nfs_client *clp, const struct nfs_path *path,
		      mode_t mode)
{
	struct nfs_path up = *path;
	char name[NFS4_NAME_MAX + 1];
	struct nfs_node dir;
	size_t len;
	int err;

	if ((child->oflags & O_TMPFILE) == O_TMPFILE)
		return -EOPNOTSUPP;
	while (up.len && up.name[up.len - 1] != '/')
		up.len--;
	len = path->len - up.len;
	if (!(child->oflags & O_CREAT) || !len)
		return open_path(child, clp, path);
	if (len > NFS4_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, path->name + up.len, len);
	name[len] = '\0';
	if (!is_plain(name))
		return -EISDIR;
	err = nfs_walk(clp, &up, true, &dir);
	return err ? err : open_in(child, clp, &dir.fh, name, mode);
}

static int nfs_openat(struct file *dir, const char *name, mode_t mode, struct file *child)
{
	struct nfs_file *nf = nfs_of(dir);

	if (!is_plain(name))
		return open_below(child, nf->clp, &(struct nfs_path){&nf->fh, name, strlen(name)},
				  mode);
	return open_in(child, nf->clp, &nf->fh, name, mode);
}

/* A file by its handle, with a stateid that is not ours: neither opened nor closed. */
static int open_granted(struct file *child, struct nfs_client *clp, const struct nfs_url *url)
{
	const struct nfs_path path = {&url->fh, "", 0};
	struct nfs_node node;
	int err;

	if ((child->oflags & O_ACCMODE) != O_RDONLY)
		return -EACCES;
	err = nfs_walk(clp, &path, false, &node);
	if (!err && !S_ISREG(node.stx.stx_mode))
		err = -EINVAL;
	if (!err)
		err = nfs_adopt(child, clp, &node);
	if (err)
		return err;
	nfs_of(child)->stateid = url->stateid;
	nfs_of(child)->granted = true;
	return 0;
}

static int nfs_open(struct file *child, const char *name, mode_t mode)
{
	struct nfs_client *clp;
	struct nfs_url url;
	int err = nfs_url_parse(name, &url);

	if (!err && !url.minor_high)
		err = -EPROTONOSUPPORT;
	if (!err)
		err = nfs_client_get(child->room, &url, &clp);
	if (err)
		return err;
	if (url.granted)
		return open_granted(child, clp, &url);
	return open_below(child, clp, &(struct nfs_path){NULL, url.path, url.path_len}, mode);
}

static bool nfs_claim(struct file *file, struct mount *mnt)
{
	struct nfs_file *nf = nfs_of(file);

	memcpy(mnt->fsid, &nf->fs->fsid, sizeof(mnt->fsid));
	mnt->magic = NFS_MAGIC;
	mnt->block_size = nf->fs->clone_block;
	mnt->remote = true;
	return true;
}

static const struct file_operations nfs_file_operations = {
	.release = nfs_release,
	.read = nfs_read,
	.write = nfs_write,
	.seek = nfs_seek,
	.allocate = nfs_allocate,
	.truncate = nfs_truncate,
	.sync = nfs_sync,
	.flush = nfs_flush,
	.settle = nfs_settle,
	.clone_range = nfs_clone_range,
	.copy_range = nfs_copy_range,
	.grant = nfs_grant,
	.redeem = nfs_redeem,
	.revoke = nfs_revoke,
	.getattr = nfs_getattr,
	.statfs = nfs_statfs,
	.setattr = nfs_setattr,
	.listxattr = nfs_listxattr,
	.getxattr = nfs_getxattr,
	.setxattr = nfs_setxattr,
	.removexattr = nfs_removexattr,
	.openat = nfs_openat,
	.readdir = nfs_readdir,
	.mkdir = nfs_mkdir,
	.mknod = nfs_mknod,
	.symlink = nfs_symlink,
	.readlink = nfs_readlink,
	.link = nfs_link,
	.unlink = nfs_unlink,
	.rename = nfs_rename,
};

const struct fs_type nfs_fs_type = {
	.name = "nfs",
	.scheme = "nfs://",
	.family = &nfs_fs_type,
	.op = &nfs_file_operations,
	.start = nfs_start,
	.stop = nfs_stop,
	.heed = nfs_heed,
	.open = nfs_open,
	.claim = nfs_claim,
};
