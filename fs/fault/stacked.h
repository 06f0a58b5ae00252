/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stacked.h - what the methods of this room share. */
#ifndef CR_FAULT_STACKED_H
#define CR_FAULT_STACKED_H

#include <errno.h>

#include "fs.h"
#include "fs/fault/fault.h"

struct fault_file {
	struct fault_set *set;
	char name[];
};

/* The method of the file below, or what kernel/ops.c answers where a room has none. */
#define LOWER(file, method, missing, ...)                                                          \
	((file)->lower->op->method ? (file)->lower->op->method((file)->lower, __VA_ARGS__)         \
				   : (missing))

static inline struct fault_hit hit_on(const struct file *file, enum fault_method method,
				      const char *name)
{
	const struct fault_file *ff = file->private;

	return fault_hit(ff->set, method, name && name[0] ? name : ff->name);
}

static inline int fail_on(const struct file *file, enum fault_method method, const char *name)
{
	return hit_on(file, method, name).err;
}

/* The core opens the file below when this has allowed it; @path is for its last component. */
int fault_open_stacked(struct file *child, struct fault_set *set, const char *path);

/* subvol.c */
int fault_subvol_create(struct file *dir, const char *name);
int fault_snap_create(struct file *subvol, struct file *dir, const char *name, unsigned flags);
int fault_snap_destroy(struct file *dir, const char *name);
int fault_subvol_info(struct file *file, struct subvol_info *info);
int fault_subvol_setflags(struct file *subvol, unsigned flags);
int fault_set_received_subvol(struct file *subvol, const uint8_t *uuid, uint64_t stransid);
int fault_subvol_find(struct file *file, enum subvol_uuid which, const uint8_t *uuid, uint64_t *id,
		      unsigned n);
int fault_subvol_open(struct file *at, uint64_t id, struct file *child);

#define FAULT_SUBVOL_OPERATIONS                                                                    \
	.subvol_create = fault_subvol_create, .snap_create = fault_snap_create,                    \
	.snap_destroy = fault_snap_destroy, .subvol_info = fault_subvol_info,                      \
	.subvol_setflags = fault_subvol_setflags,                                                  \
	.set_received_subvol = fault_set_received_subvol, .subvol_find = fault_subvol_find,        \
	.subvol_open = fault_subvol_open

#endif
