// SPDX-License-Identifier: GPL-2.0-or-later
/* Active swap space is not copied, from or to: ETXTBSY, on one file system and between two. */
#include <linux/fs.h>
#include <sys/swap.h>

#include "kselftest_harness.h"

#include "copytest.h"

#define SWAP_SIZE (1 << 20)

FIXTURE(swap)
{
	char dir[200], path[256];
	int file;  /* the swap space */
	int same;  /* another file on its file system */
	int other; /* a file elsewhere */
	bool on;
};

FIXTURE_VARIANT(swap)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(swap, btrfs){.fs = "btrfs"};
FIXTURE_VARIANT_ADD(swap, xfs){.fs = "xfs"};
FIXTURE_VARIANT_ADD(swap, ext4){.fs = "ext4"};

FIXTURE_SETUP(swap)
{
	if (!fs_path(variant->fs))
		SKIP(return, "%s", fs_why(variant->fs));
	dir_make(variant->fs, self->dir, sizeof(self->dir));
	/* A blank, because /proc/swaps writes it as \040. */
	self->file = file_open(self->dir, "swap file", O_RDWR | O_CREAT);
	self->same = file_open(self->dir, "same", O_RDWR | O_CREAT);
	self->other = file_open(fixture_dir(), "other", O_RDWR | O_CREAT);
	if (!strcmp(variant->fs, "btrfs"))
		inode_flags(self->file, FS_NOCOW_FL, 0);
	put(self->file, 0, SWAP_SIZE, 1);
	put(self->same, 0, 8192, 2);
	put(self->other, 0, 8192, 3);
	fsync(self->file);
	snprintf(self->path, sizeof(self->path), "%s/swap file", self->dir);
	if (fixture_run("mkswap '%s' >/dev/null", self->path))
		SKIP(return, "mkswap failed");
	self->on = swapon(self->path, 0) == 0;
	if (!self->on)
		SKIP(return, "swapon: %s", strerror(errno));
}

FIXTURE_TEARDOWN(swap)
{
	if (self->on)
		swapoff(self->path);
	dir_remove(self->dir);
}

static int try(int in, int out, size_t len, unsigned flags)
{
	off_t a = 0, b = 0;

	return copy_range(in, &a, out, &b, len, flags) < 0 ? -errno : 0;
}

#define EXPECT_BUSY(in, out)                                                                       \
	do {                                                                                       \
		EXPECT_EQ(-ETXTBSY, try(in, out, 0, 0));                                           \
		EXPECT_EQ(-ETXTBSY, try(in, out, 4096, COPY_RANGE_FILL_HOLES));                    \
		EXPECT_EQ(-ETXTBSY, try(in, out, 4096, COPY_RANGE_PUNCH_ZEROS));                   \
		for_each_way(w) EXPECT_EQ(-ETXTBSY, try(in, out, 4096, *w));                       \
	} while (0)

TEST_F(swap, source_on_one_file_system)
{
	EXPECT_BUSY(self->file, self->same);
	EXPECT_EQ(-1, differs(self->same, 0, 8192, 2, 0));
}

TEST_F(swap, target_on_one_file_system)
{
	EXPECT_BUSY(self->same, self->file);
}

TEST_F(swap, source_to_another_file_system)
{
	EXPECT_BUSY(self->file, self->other);
	EXPECT_EQ(-1, differs(self->other, 0, 8192, 3, 0));
}

TEST_F(swap, target_from_another_file_system)
{
	EXPECT_BUSY(self->other, self->file);
}

TEST_F(swap, after_swapoff_it_copies)
{
	ASSERT_EQ(0, swapoff(self->path));
	self->on = false;
	EXPECT_EQ(0, try(self->file, self->same, 4096, 0));
	EXPECT_EQ(0, try(self->other, self->file, 4096, 0));
}

/* One namespace hears of swapon and swapoff that come after its first question. */
TEST_F(swap, a_namespace_notices_changes)
{
	struct cr_ns *ns = cr_ns_new();
	struct copy_req req = {.len = 4096};
	struct copy_result res;

	ASSERT_EQ(0, cr_open_fd(ns, self->file, &req.in));
	ASSERT_EQ(0, cr_open_fd(ns, self->other, &req.out));
	for (unsigned i = 0; i < 3; i++) {
		EXPECT_EQ(-ETXTBSY, cr_copy_range(&req, &res));
		ASSERT_EQ(0, swapoff(self->path));
		EXPECT_EQ(0, cr_copy_range(&req, &res));
		ASSERT_EQ(0, swapon(self->path, 0));
	}
	cr_close(req.in);
	cr_close(req.out);
	cr_ns_free(ns);
}

COPYTEST_MAIN("btrfs", "xfs", "ext4")
