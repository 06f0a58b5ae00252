// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file.c - names to files, and their life times.
 *
 * "mem:rest", "nfs://rest" go to the room of that scheme when one is built in;
 * everything else is a path of this machine, "./mem:x" included.
 */
#include <stdlib.h>
#include <string.h>

#include "core.h"

static struct file *file_alloc(struct cr_ns *ns, int flags)
{
	struct core_file *cf = calloc(1, sizeof(*cf));

	if (!cf)
		return NULL;
	cf->ns = ns;
	cf->f.fd = -1;
	cf->f.oflags = flags;
	return &cf->f;
}

/* State of the room in this namespace, made by whoever needs it first. */
static int room_of(struct cr_ns *ns, unsigned row, void **room)
{
	const struct fs_type *type = cr_fs_types[row];
	int err = 0;

	if (type->start) {
		pthread_mutex_lock(&ns->lock);
		if (!ns->rooms[row]) {
			err = type->start(&ns->rooms[row]);
			if (!err && type->heed)
				type->heed(ns->rooms[row], ns->stop);
		}
		pthread_mutex_unlock(&ns->lock);
	}
	*room = ns->rooms[row];
	return err;
}

/* The type for a name, and where its own part of the name begins. */
static int type_of(const char *name, const char **rest)
{
	int path_type = -ENODEV;

	for (int i = 0; cr_fs_types[i]; i++) {
		const struct fs_type *type = cr_fs_types[i];
		size_t n;

		if (!type->scheme) {
			if (type->open && path_type < 0)
				path_type = i;
			continue;
		}
		n = strlen(type->scheme);
		if (!strncmp(name, type->scheme, n)) {
			*rest = name + n;
			return i;
		}
	}
	*rest = name;
	return path_type;
}

/* Common end of every open: find the mount, or undo the room's open. */
static int file_attach(struct file *file, const struct fs_type *type, struct file **filep)
{
	int err;

	file->op = type->op;
	err = mount_attach(ns_of(file), file, type);
	if (err) {
		if (file->op->release)
			file->op->release(file);
		return err;
	}
	*filep = file;
	return 0;
}

/* A stacked file is the file below it, by all that tells files apart. */
static int stack_on(struct file *file, const struct file_operations *op, int err)
{
	if (err) {
		if (op->release)
			op->release(file);
		return err;
	}
	file->id = file->lower->id;
	file->fresh = file->lower->fresh;
	return 0;
}

/* The room first, so that what it refuses has not been made below. */
static int open_file(struct file *file, const struct fs_type *type, const char *rest, mode_t mode)
{
	const char *below = NULL;
	int err;

	if (type->lower_name) {
		below = type->lower_name(rest);
		if (!below)
			return -EINVAL;
	}
	err = type->open(file, rest, mode);
	if (err || !below)
		return err;
	err = cr_open(ns_of(file), below, file->oflags, mode, &file->lower);
	return stack_on(file, type->op, err);
}

static int open_as(struct file *file, unsigned row, const char *rest, mode_t mode,
		   struct file **filep)
{
	const struct fs_type *type = cr_fs_types[row];
	int err = room_of(ns_of(file), row, &file->room);

	if (!err)
		err = open_file(file, type, rest, mode);
	return err ? err : file_attach(file, type, filep);
}

/* The next room of the same scheme, or negative. */
static int next_of_scheme(int row)
{
	const char *scheme = cr_fs_types[row]->scheme;

	while (scheme && cr_fs_types[++row])
		if (cr_fs_types[row]->scheme && !strcmp(cr_fs_types[row]->scheme, scheme))
			return row;
	return -1;
}

int cr_open(struct cr_ns *ns, const char *name, int flags, mode_t mode, struct file **filep)
{
	const char *rest;
	struct file *file;
	int row = type_of(name, &rest), err = -EPROTONOSUPPORT;

	*filep = NULL;
	if (row < 0)
		return row;
	file = file_alloc(ns, flags);
	if (!file)
		return -ENOMEM;
	for (; err == -EPROTONOSUPPORT && row >= 0; row = next_of_scheme(row))
		err = open_as(file, (unsigned)row, rest, mode, filep);
	if (err) {
		cr_close(file->lower);
		free(file);
	}
	return err;
}

int cr_openat(struct file *dir, const char *name, int flags, mode_t mode, struct file **filep)
{
	struct file *file;
	int err;

	*filep = NULL;
	if (!dir->op->openat)
		return -EOPNOTSUPP;
	file = file_alloc(ns_of(dir), flags);
	if (!file)
		return -ENOMEM;
	file->room = dir->room;
	err = dir->op->openat(dir, name, mode, file);
	if (!err && dir->lower) {
		err = cr_openat(dir->lower, name, flags, mode, &file->lower);
		err = stack_on(file, dir->op, err);
	}
	if (!err && file->mnt) { /* the room knows that it is its directory's */
		file->op = file->mnt->type->op;
		*filep = file;
		return 0;
	}
	if (!err)
		err = file_attach(file, dir->mnt->type, filep);
	if (err) {
		cr_close(file->lower);
		free(file);
	}
	return err;
}

int cr_open_handle(struct file *at, const struct file_handle_bytes *h, int flags,
		   struct file **filep)
{
	struct file *file;
	int err;

	*filep = NULL;
	if (!at->op->open_handle)
		return -EOPNOTSUPP;
	file = file_alloc(ns_of(at), flags);
	if (!file)
		return -ENOMEM;
	file->room = at->room;
	err = at->op->open_handle(at, h, file);
	if (!err)
		err = file_attach(file, at->mnt->type, filep);
	if (err)
		free(file);
	return err;
}

int cr_subvol_open(struct file *at, uint64_t id, struct file **filep)
{
	struct file *file;
	int err;

	*filep = NULL;
	if (!at->op->subvol_open)
		return -EOPNOTSUPP;
	file = file_alloc(ns_of(at), O_RDONLY | O_DIRECTORY);
	if (!file)
		return -ENOMEM;
	file->room = at->room;
	err = at->op->subvol_open(at, id, file);
	if (!err && at->lower) {
		err = cr_subvol_open(at->lower, id, &file->lower);
		err = stack_on(file, at->op, err);
	}
	if (!err)
		err = file_attach(file, at->mnt->type, filep);
	if (err) {
		cr_close(file->lower);
		free(file);
	}
	return err;
}

int cr_open_fd(struct cr_ns *ns, int fd, struct file **filep)
{
	struct file *file = file_alloc(ns, 0);
	int err = -ENODEV;

	*filep = NULL;
	if (!file)
		return -ENOMEM;
	for (unsigned i = 0; cr_fs_types[i] && err == -ENODEV; i++) {
		const struct fs_type *type = cr_fs_types[i];

		if (!type->open_fd)
			continue;
		err = room_of(ns, i, &file->room);
		if (!err)
			err = type->open_fd(file, fd);
		if (!err)
			err = file_attach(file, type, filep);
	}
	if (err)
		free(file);
	return err;
}

int cr_close(struct file *file)
{
	int err = 0, low;

	if (!file)
		return 0;
	if (file->op->release)
		err = file->op->release(file);
	low = cr_close(file->lower);
	free(file);
	return err ? err : low;
}
