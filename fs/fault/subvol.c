// SPDX-License-Identifier: GPL-2.0-or-later
/* subvol.c - subvolumes that break on order. */
#include "fs/fault/stacked.h"

int fault_subvol_create(struct file *dir, const char *name)
{
	int err = fail_on(dir, FAULT_subvol_create, name);

	return err ? err : LOWER(dir, subvol_create, -EOPNOTSUPP, name);
}

int fault_snap_create(struct file *subvol, struct file *dir, const char *name, unsigned flags)
{
	struct file *low = dir->lower;
	int err = fail_on(dir, FAULT_snap_create, name);

	if (err)
		return err;
	if (subvol->lower->mnt->type != low->mnt->type)
		return -EXDEV;
	return low->op->snap_create ? low->op->snap_create(subvol->lower, low, name, flags)
				    : -EOPNOTSUPP;
}

int fault_snap_destroy(struct file *dir, const char *name)
{
	int err = fail_on(dir, FAULT_snap_destroy, name);

	return err ? err : LOWER(dir, snap_destroy, -EOPNOTSUPP, name);
}

int fault_subvol_info(struct file *file, struct subvol_info *info)
{
	int err = fail_on(file, FAULT_subvol_info, NULL);

	return err ? err : LOWER(file, subvol_info, -EOPNOTSUPP, info);
}

int fault_subvol_setflags(struct file *subvol, unsigned flags)
{
	int err = fail_on(subvol, FAULT_subvol_setflags, NULL);

	return err ? err : LOWER(subvol, subvol_setflags, -EOPNOTSUPP, flags);
}

int fault_set_received_subvol(struct file *subvol, const uint8_t *uuid, uint64_t stransid)
{
	int err = fail_on(subvol, FAULT_set_received_subvol, NULL);

	return err ? err : LOWER(subvol, set_received_subvol, -EOPNOTSUPP, uuid, stransid);
}

int fault_subvol_find(struct file *file, enum subvol_uuid which, const uint8_t *uuid, uint64_t *id,
		      unsigned n)
{
	int err = fail_on(file, FAULT_subvol_find, NULL);

	return err ? err : LOWER(file, subvol_find, -EOPNOTSUPP, which, uuid, id, n);
}

/* An open like others; the core opens the subvolume below. */
int fault_subvol_open(struct file *at, uint64_t id, struct file *child)
{
	const struct fault_file *ff = at->private;

	return fault_open_stacked(child, ff->set, ff->name);
}
