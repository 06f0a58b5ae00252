// SPDX-License-Identifier: GPL-2.0-or-later
/* toy.c - see toy.h */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "toy.h"

#define COUNT(toy, what) __atomic_fetch_add(&(toy)->what, 1, __ATOMIC_RELAXED)

static ssize_t toy_read(struct file *file, void *buf, size_t len, off_t pos)
{
	struct toy *toy = file->private;
	uint64_t at = (uint64_t)pos;

	COUNT(toy, reads);
	pthread_mutex_lock(&toy->lock);
	if (at >= toy->size)
		len = 0;
	else if (len > toy->size - at)
		len = toy->size - at;
	memcpy(buf, toy->data + at, len);
	pthread_mutex_unlock(&toy->lock);
	return (ssize_t)len;
}

static ssize_t toy_write(struct file *file, const void *buf, size_t len, off_t pos)
{
	struct toy *toy = file->private;
	uint64_t at = (uint64_t)pos;

	COUNT(toy, writes);
	if (at >= TOY_SIZE)
		return -ENOSPC;
	if (len > TOY_SIZE - at)
		len = TOY_SIZE - at;
	pthread_mutex_lock(&toy->lock);
	memcpy(toy->data + at, buf, len);
	toy->backwards += at < toy->last_write;
	toy->last_write = at + len;
	if (toy->size < at + len)
		toy->size = at + len;
	pthread_mutex_unlock(&toy->lock);
	return (ssize_t)len;
}

static off_t toy_seek(struct file *file, off_t pos, int whence)
{
	struct toy *toy = file->private;
	unsigned n = COUNT(toy, seeks);

	if (n < toy->script_len) {
		if (toy->script[n].whence != whence)
			abort();
		return toy->script[n].answer;
	}
	if ((uint64_t)pos >= toy->size)
		return -ENXIO;
	return whence == SEEK_DATA ? pos : (off_t)toy->size;
}

static int toy_allocate(struct file *file, int mode, off_t pos, off_t len)
{
	struct toy *toy = file->private;

	COUNT(toy, allocates);
	if (toy->punch_error)
		return toy->punch_error;
	if ((uint64_t)(pos + len) > toy->size)
		abort();
	memset(toy->data + pos, 0, (size_t)len);
	return 0;
}

static int toy_truncate(struct file *file, off_t size)
{
	struct toy *toy = file->private;
	uint64_t to = (uint64_t)size;

	COUNT(toy, truncates);
	pthread_mutex_lock(&toy->lock);
	if (to < TOY_SIZE)
		memset(toy->data + to, 0, TOY_SIZE - to);
	toy->size = to;
	pthread_mutex_unlock(&toy->lock);
	return 0;
}

static int toy_getattr(struct file *file, const char *name, struct statx *stx)
{
	struct toy *toy = file->private;

	COUNT(toy, getattrs);
	memset(stx, 0, sizeof(*stx));
	pthread_mutex_lock(&toy->lock);
	stx->stx_size = toy->size;
	pthread_mutex_unlock(&toy->lock);
	return 0;
}

static const struct file_operations toy_operations = {
	.read = toy_read,
	.write = toy_write,
	.seek = toy_seek,
	.allocate = toy_allocate,
	.truncate = toy_truncate,
	.getattr = toy_getattr,
};

int toy_make(struct toy *toy, uint64_t size)
{
	memset(toy, 0, sizeof(*toy));
	toy->data = calloc(1, TOY_SIZE);
	if (!toy->data)
		return -ENOMEM;
	for (size_t i = 0; i < size && i < TOY_SIZE; i++)
		toy->data[i] = (char)(1 + (i * 31 + i / 251) % 255);
	toy->size = size;
	toy->f.op = &toy_operations;
	toy->f.fd = -1;
	toy->f.mnt = &toy->mnt;
	toy->f.private = toy;
	toy->f.fresh = true;
	pthread_mutex_init(&toy->lock, NULL);
	return 0;
}

void toy_free(struct toy *toy)
{
	pthread_mutex_destroy(&toy->lock);
	free(toy->data);
}
