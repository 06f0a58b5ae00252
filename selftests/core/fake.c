// SPDX-License-Identifier: GPL-2.0-or-later
/* fake.c - a room on order; the list of rooms for tests that link it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "copytest.h"
#include "fake.h"
#include "kselftest.h"

#define FILES 8

struct fake fake;

static struct fake_file *files[FILES];
static pthread_mutex_t files_lock = PTHREAD_MUTEX_INITIALIZER;

static void count(unsigned *what)
{
	__atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

struct fake_file *fake_of(struct file *file)
{
	return file->private;
}

static struct fake_file *fake_find(const char *name)
{
	unsigned i = 0;

	while (i < FILES && files[i] && strcmp(files[i]->name, name) != 0)
		i++;
	if (i == FILES)
		return NULL;
	if (!files[i]) {
		files[i] = calloc(1, sizeof(*files[i]));
		if (!files[i])
			return NULL;
		snprintf(files[i]->name, sizeof(files[i]->name), "%s", name);
		files[i]->dev = (uint64_t)(name[0] - '0') + 1;
		pthread_mutex_init(&files[i]->lock, NULL);
	}
	return files[i];
}

static int fake_room_open(struct file *child, const char *name, mode_t mode)
{
	struct fake_file *ff;

	(void)mode;
	pthread_mutex_lock(&files_lock);
	ff = fake_find(name);
	pthread_mutex_unlock(&files_lock);
	if (!ff)
		return -ENOSPC;
	child->private = ff;
	child->id = (struct file_id){.dev = ff->dev, .ino = (uintptr_t)ff, .type = S_IFREG};
	return 0;
}

static ssize_t fake_read(struct file *file, void *buf, size_t len, off_t pos)
{
	struct fake_file *ff = fake_of(file);
	size_t n = 0;

	count(&fake.reads);
	if (fake.read_error)
		return fake.read_error;
	pthread_mutex_lock(&ff->lock);
	if ((uint64_t)pos < ff->size)
		n = len < ff->size - (uint64_t)pos ? len : ff->size - (uint64_t)pos;
	memcpy(buf, ff->data + pos, n);
	pthread_mutex_unlock(&ff->lock);
	return (ssize_t)n;
}

static ssize_t fake_write(struct file *file, const void *buf, size_t len, off_t pos)
{
	struct fake_file *ff = fake_of(file);

	count(&fake.writes);
	if (fake.write_error)
		return fake.write_error;
	if ((uint64_t)pos + len > FAKE_MAX)
		return -EFBIG;
	pthread_mutex_lock(&ff->lock);
	memcpy(ff->data + pos, buf, len);
	if ((uint64_t)pos + len > ff->size)
		ff->size = (uint64_t)pos + len;
	pthread_mutex_unlock(&ff->lock);
	return (ssize_t)len;
}

static off_t fake_seek(struct file *file, off_t pos, int whence)
{
	off_t size = (off_t)fake_of(file)->size, data = fake.holes ? size / 2 : 0;

	if (pos >= size)
		return -ENXIO;
	if (whence == SEEK_DATA)
		return pos < data ? data : pos;
	return pos < data ? pos : size;
}

static int fake_truncate(struct file *file, off_t size)
{
	struct fake_file *ff = fake_of(file);

	count(&fake.truncates);
	if (size > FAKE_MAX)
		return -EFBIG;
	if ((uint64_t)size > ff->size)
		memset(ff->data + ff->size, 0, (uint64_t)size - ff->size);
	ff->size = (uint64_t)size;
	return 0;
}

static int fake_allocate(struct file *file, int mode, off_t pos, off_t len)
{
	(void)mode;
	count(&fake.allocates);
	memset(fake_of(file)->data + pos, 0, (size_t)len);
	return 0;
}

static int fake_sync(struct file *file, bool data_only)
{
	(void)file;
	(void)data_only;
	count(&fake.syncs);
	return 0;
}

static int fake_busy(struct file *file)
{
	(void)file;
	count(&fake.busy);
	return 0;
}

static int fake_getattr(struct file *file, const char *name, struct statx *stx)
{
	struct fake_file *ff = fake_of(file);

	(void)name;
	memset(stx, 0, sizeof(*stx));
	stx->stx_mode = S_IFREG | 0600;
	pthread_mutex_lock(&ff->lock);
	stx->stx_size = ff->size;
	pthread_mutex_unlock(&ff->lock);
	return 0;
}

static void move(const struct copy_req *req, uint64_t len)
{
	struct fake_file *in = fake_of(req->in), *out = fake_of(req->out);
	uint64_t end = (uint64_t)req->pos_out + len;

	pthread_mutex_lock(&in->lock);
	if (in != out)
		pthread_mutex_lock(&out->lock);
	memmove(out->data + req->pos_out, in->data + req->pos_in, len);
	if (end > out->size)
		out->size = end;
	if (in != out)
		pthread_mutex_unlock(&out->lock);
	pthread_mutex_unlock(&in->lock);
}

static void log_call(enum fake_way way, const struct copy_req *req, uint64_t done)
{
	unsigned at = __atomic_fetch_add(&fake.logged, 1, __ATOMIC_RELAXED);

	if (at < ARRAY_SIZE(fake.log))
		fake.log[at] = (struct fake_call){way, req->pos_in, req->len, done};
}

static int act(enum fake_way way, const struct copy_req *req, struct copy_result *res)
{
	const struct fake_script *sc = &fake.script[way];
	const enum copy_strategy_id s = way == FAKE_CLONE ? COPY_CLONE : COPY_OFFLOAD;
	struct copy_why why = {.reason = sc->refuse, .error = sc->error, .scope = sc->scope};
	uint64_t len = req->len;

	count(&fake.calls[way]);
	if (sc->hook)
		sc->hook();
	if (sc->block && (uint64_t)req->pos_in % sc->block) {
		why.reason = "not on a block";
		why.error = EINVAL;
		why.after = sc->block - (uint64_t)req->pos_in % sc->block;
	} else if (sc->block && len < sc->block) {
		why.reason = "less than a block";
		why.error = EINVAL;
	}
	if (why.reason) {
		log_call(way, req, 0);
		return decline(res, s, why);
	}
	if (sc->most && len > sc->most)
		len = sc->most;
	if (sc->block)
		len -= len % sc->block;
	if (sc->error && len > sc->before_error)
		len = sc->before_error;
	move(req, len);
	res->bytes = len;
	log_call(way, req, len);
	return -sc->error;
}

static int fake_clone_range(const struct copy_req *req, struct copy_result *res)
{
	return act(FAKE_CLONE, req, res);
}

static int fake_copy_range(const struct copy_req *req, struct copy_result *res)
{
	return act(FAKE_OFFLOAD, req, res);
}

#define FAKE_OPERATIONS                                                                            \
	.read = fake_read, .write = fake_write, .seek = fake_seek, .truncate = fake_truncate,      \
	.allocate = fake_allocate, .sync = fake_sync, .busy = fake_busy, .getattr = fake_getattr

static const struct file_operations fake_operations = {
	FAKE_OPERATIONS,
	.clone_range = fake_clone_range,
	.copy_range = fake_copy_range,
};

static const struct file_operations other_operations = {FAKE_OPERATIONS};

static const struct fs_type fake_type = {
	.name = "fake",
	.scheme = "fake:",
	.family = &fake_type,
	.op = &fake_operations,
	.open = fake_room_open,
};

static const struct fs_type other_type = {
	.name = "other",
	.scheme = "other:",
	.family = &other_type,
	.op = &other_operations,
	.open = fake_room_open,
};

extern const struct fs_type mem_fs_type;

const struct fs_type *const cr_fs_types[] = {&fake_type, &other_type, &mem_fs_type, NULL};

struct file *fake_open(struct cr_ns *ns, const char *name, size_t size, unsigned seed)
{
	struct file *file;

	if (cr_open(ns, name, O_RDWR | O_CREAT, 0600, &file)) {
		printf("# fake_open: %s\n", name);
		exit(KSFT_FAIL);
	}
	content_fill(fake_of(file)->data, size, seed, 0);
	fake_of(file)->size = size;
	return file;
}
