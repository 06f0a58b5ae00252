// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * room.c - NFS servers of versions 3 and 4.0, through libnfs; the room's table is at the end.
 *
 * It is asked for what fs/nfs declines: a server that speaks neither 4.2 nor 4.1, or a
 * URL that wants something older.  Version 3 is tried before 4.0, which libnfs writes
 * by 3 KiB at a time.  Files are known by their paths, as in libnfs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/libnfs/ln.h"

#define NFS_MAGIC 0x6969u

static int ln_start(void **roomp)
{
	struct ln_room *room = calloc(1, sizeof(*room));

	if (!room)
		return -ENOMEM;
	pthread_mutex_init(&room->lock, NULL);
	room->umask = place_umask();
	*roomp = room;
	return 0;
}

static void ln_stop(void *arg)
{
	struct ln_room *room = arg;
	struct ln_session *s;

	while ((s = room->sessions)) {
		room->sessions = s->next;
		ln_session_close(s);
	}
	pthread_mutex_destroy(&room->lock);
	free(room);
}

static void ln_heed(void *arg, const int *stop)
{
	((struct ln_room *)arg)->stop = stop;
}

/* Sessions ------------------------------------------------------------------------ */

static bool same_place(const struct ln_place *a, const struct ln_place *b)
{
	return !strcmp(a->address, b->address) && a->version == b->version && a->port == b->port &&
	       a->mountport == b->mountport && a->uid == b->uid && a->gid == b->gid &&
	       a->ngroups == b->ngroups && !memcmp(a->group, b->group, sizeof(a->group));
}

/* The room is locked. */
static struct ln_session *known(struct ln_room *room, const struct ln_place *place,
				const char *root)
{
	for (struct ln_session *s = room->sessions; s; s = s->next)
		if (same_place(&s->place, place) && !strcmp(s->root, root) && ln_session_alive(s))
			return s;
	return NULL;
}

/* Some servers let files be mounted too, which are no place to begin at. */
static int mount_directory(const struct ln_place *place, const char *root, const int *stop,
			   struct ln_session **sp)
{
	struct statx stx;
	int err = ln_session_open(place, root, stop, sp);

	if (err)
		return err;
	err = ln_stat(*sp, "/", true, &stx);
	if (!err && !S_ISDIR(stx.stx_mode))
		err = -ENOTDIR;
	if (err)
		ln_session_close(*sp);
	return err;
}

static int session_at(struct ln_room *room, const struct ln_place *place, const char *root,
		      struct ln_session **sp)
{
	int err = 0;

	*sp = known(room, place, root);
	if (*sp)
		return 0;
	err = mount_directory(place, root, room->stop, sp);
	if (!err) {
		(*sp)->next = room->sessions;
		room->sessions = *sp;
	}
	return err;
}

/*
 * The room is locked.  By version 3 a file system that is mounted below an export is not
 * seen from there, but the empty directory beneath it is: so one begins as deep
 * as the server lets.
 */
static int session_get(struct ln_room *room, const struct ln_place *place, const char *path,
		       struct ln_session **sp)
{
	char root[LN_PATH];
	int first = 0, err;

	snprintf(root, sizeof(root), "%s", place->version == 4 ? "/" : path);
	for (;;) {
		char *slash = strrchr(root, '/');

		err = session_at(room, place, root, sp);
		if (err != -ENOENT && err != -EACCES && err != -ENOTDIR && err != -EPERM)
			return err;
		first = first ? first : err;
		if (!root[1])
			return first;
		slash[slash == root] = '\0';
	}
}

/* With whichever of the versions that may be the server speaks. */
static int session_for(struct ln_room *room, const struct place_wanted *want,
		       struct ln_session **sp)
{
	int err = -EPROTONOSUPPORT;

	pthread_mutex_lock(&room->lock);
	for (unsigned i = 0; i < want->n && err == -EPROTONOSUPPORT; i++)
		err = session_get(room, &want->place[i], want->path, sp);
	pthread_mutex_unlock(&room->lock);
	return err;
}

/* Files --------------------------------------------------------------------------- */

static int ln_release(struct file *file)
{
	struct ln_file *lf = ln_of(file);
	int err;

	if (!lf)
		return 0;
	err = ln_close_data(lf);
	ln_file_free(lf);
	return err;
}

static void identify(struct file *child, struct ln_file *lf, const struct statx *stx)
{
	const uint64_t dev = (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor;

	pthread_mutex_lock(&lf->s->lock);
	lf->ino = stx->stx_ino;
	lf->dev = dev;
	pthread_mutex_unlock(&lf->s->lock);
	child->private = lf;
	child->fd = -1;
	child->seen = *stx;
	child->id = (struct file_id){
		.dev = dev,
		.ino = stx->stx_ino,
		.mount = (uintptr_t)lf->s,
		.type = stx->stx_mode & S_IFMT,
	};
}

static int check_type(int flags, mode_t type)
{
	if (flags & O_PATH)
		return (flags & O_DIRECTORY) && !S_ISDIR(type) ? -ENOTDIR : 0;
	if (S_ISLNK(type))
		return -ELOOP;
	if ((flags & O_DIRECTORY) && !S_ISDIR(type))
		return -ENOTDIR;
	if (S_ISDIR(type))
		return (flags & O_ACCMODE) != O_RDONLY ? -EISDIR : 0;
	return S_ISREG(type) ? 0 : -ENXIO;
}

static int open_existing(struct file *child, struct ln_file *lf, const struct statx *stx)
{
	int flags = child->oflags, err = check_type(flags, stx->stx_mode & S_IFMT);

	identify(child, lf, stx);
	if (!err && S_ISREG(stx->stx_mode) && !(flags & O_PATH))
		err = ln_open_data(lf, flags & O_ACCMODE, 0);
	if (!err && lf->fh && (flags & O_TRUNC) && stx->stx_size) {
		err = ln_truncate(child, 0);
		child->seen.stx_size = child->seen.stx_blocks = 0;
		if (err)
			ln_close_data(lf);
	}
	return err;
}

static int create(struct file *child, struct ln_file *lf, mode_t mode)
{
	unsigned made = mode & 07777 & ~((struct ln_room *)child->room)->umask;
	struct statx stx;
	int err = ln_open_data(lf, (child->oflags & O_ACCMODE) | O_CREAT | O_EXCL, made);

	if (err)
		return err;
	child->private = lf;
	err = ln_getattr(child, NULL, &stx);
	if (err) {
		ln_close_data(lf);
		return err;
	}
	identify(child, lf, &stx);
	child->fresh = child->oflags & O_EXCL;
	return 0;
}

static int open_file(struct file *child, struct ln_file *lf, mode_t mode)
{
	int flags = child->oflags, err;
	struct statx stx;

	if ((flags & O_TMPFILE) == O_TMPFILE)
		return -EOPNOTSUPP;
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return create(child, lf, mode);
	lf->follow = !(flags & O_NOFOLLOW);
	err = ln_stat(lf->s, lf->path, lf->follow, &stx);
	if (err == -ENOENT && (flags & O_CREAT)) {
		err = create(child, lf, mode);
		if (err == -EEXIST) /* somebody was faster */
			err = ln_stat(lf->s, lf->path, lf->follow, &stx);
		else
			return err;
	}
	return err ? err : open_existing(child, lf, &stx);
}

/* Names are held still. */
static int open_path(struct file *child, struct ln_session *s, char *path, mode_t mode)
{
	struct ln_file *lf = ln_file_new(s, path);
	int err = lf ? open_file(child, lf, mode) : -ENOMEM;

	if (err && lf) {
		child->private = NULL;
		ln_file_free(lf);
	}
	return err;
}

static int ln_openat(struct file *dir, const char *name, mode_t mode, struct file *child)
{
	struct ln_session *s = ln_of(dir)->s;
	int err;

	pthread_rwlock_rdlock(&s->names);
	err = open_path(child, s, ln_below(dir, *name ? name : NULL), mode);
	pthread_rwlock_unlock(&s->names);
	return err;
}

static int ln_open(struct file *child, const char *name, mode_t mode)
{
	struct place_wanted want;
	struct ln_session *s;
	const char *below;
	int err = place_parse(name, &want);

	if (!err)
		err = session_for(child->room, &want, &s);
	if (err)
		return err;
	below = want.path + (s->root[1] ? strlen(s->root) : 0);
	pthread_rwlock_rdlock(&s->names);
	err = open_path(child, s, strdup(*below ? below : "/"), mode);
	pthread_rwlock_unlock(&s->names);
	return err;
}

static bool ln_claim(struct file *file, struct mount *mnt)
{
	mnt->magic = NFS_MAGIC;
	mnt->remote = true;
	return true;
}

static const struct file_operations ln_file_operations = {
	.release = ln_release,
	.read = ln_read,
	.write = ln_write,
	.truncate = ln_truncate,
	.clone_range = ln_clone_range,
	.copy_range = ln_copy_range,
	.getattr = ln_getattr,
	.setattr = ln_setattr,
	.openat = ln_openat,
	.readdir = ln_readdir,
	.mkdir = ln_mkdir,
	.mknod = ln_mknod,
	.symlink = ln_symlink,
	.readlink = ln_readlink,
	.link = ln_link,
	.unlink = ln_unlink,
	.rename = ln_rename,
};

const struct fs_type libnfs_fs_type = {
	.name = "libnfs",
	.scheme = "nfs://",
	.family = &libnfs_fs_type,
	.op = &ln_file_operations,
	.start = ln_start,
	.stop = ln_stop,
	.heed = ln_heed,
	.open = ln_open,
	.claim = ln_claim,
};
