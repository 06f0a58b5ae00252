// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mem.c - files in memory: the smallest room, read it as the example.
 *
 *	mem:NAME	one file of that name per namespace, made by O_CREAT
 *
 * A room is the table at the end of its file and the functions it names.  What
 * is not in the table, the core does without: there are no directories here, no
 * encoded extents and no holes, and a clone would save nothing.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

#define MEM_FILE_MAX ((uint64_t)1 << 30) /* bytes; a room for tests, not for data */

struct mem_file {
	struct mem_file *next;
	pthread_rwlock_t lock; /* data and size */
	char *data;
	uint64_t size, room;
	char name[];
};

/* All files of one namespace. */
struct mem_root {
	pthread_mutex_t lock;
	struct mem_file *files;
};

static int mem_start(void **room)
{
	struct mem_root *root = calloc(1, sizeof(*root));

	if (!root)
		return -ENOMEM;
	pthread_mutex_init(&root->lock, NULL);
	*room = root;
	return 0;
}

static void mem_stop(void *room)
{
	struct mem_root *root = room;
	struct mem_file *mf;

	while ((mf = root->files)) {
		root->files = mf->next;
		pthread_rwlock_destroy(&mf->lock);
		free(mf->data);
		free(mf);
	}
	pthread_mutex_destroy(&root->lock);
	free(root);
}

static struct mem_file *mem_find(struct mem_root *root, const char *name)
{
	struct mem_file *mf = root->files;

	while (mf && strcmp(mf->name, name) != 0)
		mf = mf->next;
	return mf;
}

static struct mem_file *mem_create(struct mem_root *root, const char *name)
{
	size_t len = strlen(name) + 1;
	struct mem_file *mf = calloc(1, sizeof(*mf) + len);

	if (!mf)
		return NULL;
	pthread_rwlock_init(&mf->lock, NULL);
	memcpy(mf->name, name, len);
	mf->next = root->files;
	root->files = mf;
	return mf;
}

static int mem_resize(struct mem_file *mf, uint64_t size)
{
	if (size > MEM_FILE_MAX)
		return -EFBIG;
	if (size > mf->room) {
		uint64_t room = size + size / 2;
		char *data = realloc(mf->data, room);

		if (!data)
			return -ENOSPC;
		mf->data = data;
		mf->room = room;
	}
	if (size > mf->size)
		memset(mf->data + mf->size, 0, size - mf->size);
	mf->size = size;
	return 0;
}

static int mem_open(struct file *child, const char *name, mode_t mode)
{
	struct mem_root *root = child->room;
	struct mem_file *mf;
	int err = 0;

	pthread_mutex_lock(&root->lock);
	mf = mem_find(root, name);
	if (mf && (child->oflags & O_CREAT) && (child->oflags & O_EXCL))
		err = -EEXIST;
	else if (!mf && !(child->oflags & O_CREAT))
		err = -ENOENT;
	else if (!mf && !(mf = mem_create(root, name)))
		err = -ENOMEM;
	else if (child->oflags & O_TRUNC)
		err = mem_resize(mf, 0);
	pthread_mutex_unlock(&root->lock);
	if (err)
		return err;
	child->private = mf;
	child->id = (struct file_id){.ino = (uintptr_t)mf, .type = S_IFREG};
	return 0;
}

static ssize_t mem_read(struct file *file, void *buf, size_t len, off_t pos)
{
	struct mem_file *mf = file->private;
	uint64_t at = (uint64_t)pos;

	pthread_rwlock_rdlock(&mf->lock);
	if (at >= mf->size)
		len = 0;
	else if (len > mf->size - at)
		len = mf->size - at;
	if (len)
		memcpy(buf, mf->data + at, len);
	pthread_rwlock_unlock(&mf->lock);
	return (ssize_t)len;
}

static ssize_t mem_write(struct file *file, const void *buf, size_t len, off_t pos)
{
	struct mem_file *mf = file->private;
	uint64_t at = (uint64_t)pos;
	int err = 0;

	if (at > MEM_FILE_MAX || len > MEM_FILE_MAX - at)
		return -EFBIG;
	pthread_rwlock_wrlock(&mf->lock);
	if (at + len > mf->size)
		err = mem_resize(mf, at + len);
	if (!err && len)
		memcpy(mf->data + at, buf, len);
	pthread_rwlock_unlock(&mf->lock);
	return err ? err : (ssize_t)len;
}

static int mem_truncate(struct file *file, off_t size)
{
	struct mem_file *mf = file->private;
	int err;

	pthread_rwlock_wrlock(&mf->lock);
	err = mem_resize(mf, (uint64_t)size);
	pthread_rwlock_unlock(&mf->lock);
	return err;
}

static int mem_getattr(struct file *file, const char *name, struct statx *stx)
{
	struct mem_file *mf = file->private;

	if (name)
		return -ENOTDIR;
	memset(stx, 0, sizeof(*stx));
	pthread_rwlock_rdlock(&mf->lock);
	stx->stx_size = mf->size;
	pthread_rwlock_unlock(&mf->lock);
	stx->stx_mode = S_IFREG | 0600;
	stx->stx_ino = file->id.ino;
	stx->stx_nlink = 1;
	return 0;
}

static const struct file_operations mem_file_operations = {
	.read = mem_read,
	.write = mem_write,
	.truncate = mem_truncate,
	.getattr = mem_getattr,
};

const struct fs_type mem_fs_type = {
	.name = "mem",
	.scheme = "mem:",
	.family = &mem_fs_type,
	.op = &mem_file_operations,
	.start = mem_start,
	.stop = mem_stop,
	.open = mem_open,
};
