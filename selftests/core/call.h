/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call.h - FIXTURE(call): two files on each kind of file system.  "in" has
 * IN_SIZE bytes of content(IN_SEED), "out" is empty; both are open for reading
 * and writing.
 */
#ifndef CALL_H
#define CALL_H

#include "kselftest_harness.h"

#include "copytest.h"

#define IN_SIZE 100001
#define IN_SEED 1

FIXTURE(call)
{
	char dir[200];
	int in, out;
};

FIXTURE_VARIANT(call)
{
	const char *fs;
	bool clones;
};

FIXTURE_VARIANT_ADD(call, btrfs){.fs = "btrfs", .clones = true};
FIXTURE_VARIANT_ADD(call, xfs){.fs = "xfs", .clones = true};
FIXTURE_VARIANT_ADD(call, ext4){.fs = "ext4"};
FIXTURE_VARIANT_ADD(call, tmpfs){.fs = "tmpfs"};

FIXTURE_SETUP(call)
{
	if (!fs_path(variant->fs))
		SKIP(return, "%s", fs_why(variant->fs));
	dir_make(variant->fs, self->dir, sizeof(self->dir));
	self->in = file_open(self->dir, "in", O_RDWR | O_CREAT);
	self->out = file_open(self->dir, "out", O_RDWR | O_CREAT);
	put(self->in, 0, IN_SIZE, IN_SEED);
}

FIXTURE_TEARDOWN(call)
{
	close(self->in);
	close(self->out);
	dir_remove(self->dir);
}

#endif
