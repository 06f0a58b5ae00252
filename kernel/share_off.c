// SPDX-License-Identifier: GPL-2.0-or-later
/* share_off.c - for builds without CONFIG_SHARE: there is no map, and copies do without. */
#include "core.h"

struct copy_share *copy_share_new(struct file *dst_dir)
{
	return NULL;
}

void copy_share_free(struct copy_share *share)
{
}
