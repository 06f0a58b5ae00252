/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calls.h - copy_file_range(2) between two file systems, as programs call it,
 * under ocp-run and with libocp-preload.so (under_run.sh, under_preload.sh).
 */
#ifndef CALLS_H
#define CALLS_H

#include "core/copytest.h"
#include "kselftest_harness.h"

/* Under ocp-run; false: with the library. */
static inline bool by_supervisor(void)
{
	return getenv("OCP_RUN") != NULL;
}

/* So that the call is theirs, whatever the C library's header knows of it. */
ssize_t copy_file_range(int in, off_t *off_in, int out, off_t *off_out, size_t len, unsigned flags);

#define IN_SIZE ((off_t)300001)
#define IN_SEED 7

FIXTURE(calls)
{
	char dir[2][200];
	int in, out;
};

FIXTURE_VARIANT(calls)
{
	const char *from, *to;
};

/* The call, as -errno. */
static inline ssize_t call_copy(int in, off_t *off_in, int out, off_t *off_out, size_t len)
{
	ssize_t n = copy_file_range(in, off_in, out, off_out, len, 0);

	return n < 0 ? -errno : n;
}

/* IN_SIZE bytes on one side, an empty file on the other. */
#define CALLS_FIXTURE                                                                              \
	FIXTURE_VARIANT_ADD(calls, ext4_to_tmpfs){.from = "ext4", .to = "tmpfs"};                  \
	FIXTURE_VARIANT_ADD(calls, tmpfs_to_xfs){.from = "tmpfs", .to = "xfs"};                    \
	FIXTURE_SETUP(calls)                                                                       \
	{                                                                                          \
		if (!fs_path(variant->from) || !fs_path(variant->to))                              \
			SKIP(return, "%s%s", fs_why(variant->from), fs_why(variant->to));          \
		dir_make(variant->from, self->dir[0], sizeof(self->dir[0]));                       \
		dir_make(variant->to, self->dir[1], sizeof(self->dir[1]));                         \
		self->in = file_open(self->dir[0], "in", O_RDWR | O_CREAT);                        \
		self->out = file_open(self->dir[1], "out", O_RDWR | O_CREAT);                      \
		put(self->in, 0, IN_SIZE, IN_SEED);                                                \
	}                                                                                          \
	FIXTURE_TEARDOWN(calls)                                                                    \
	{                                                                                          \
		close(self->in);                                                                   \
		close(self->out);                                                                  \
		dir_remove(self->dir[0]);                                                          \
		dir_remove(self->dir[1]);                                                          \
	}

#define CALLS_MAIN COPYTEST_MAIN("ext4", "xfs", "tmpfs")

#endif
