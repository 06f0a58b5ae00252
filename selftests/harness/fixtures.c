// SPDX-License-Identifier: GPL-2.0-or-later
/* The fixtures of fixture.h give what they promise. */
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

FIXTURE(fs)
{
	const char *dir;
	char path[200];
};

FIXTURE_VARIANT(fs)
{
	const char *type;
	unsigned int size_mb;
	const char *opts;
	long magic;
};

FIXTURE_VARIANT_ADD(fs, btrfs){"btrfs", 112, NULL, BTRFS_SUPER_MAGIC};

FIXTURE_VARIANT_ADD(fs, btrfs_zlib){"btrfs", 112, "compress-force=zlib:3", BTRFS_SUPER_MAGIC};

FIXTURE_VARIANT_ADD(fs, btrfs_lzo){"btrfs", 112, "compress-force=lzo", BTRFS_SUPER_MAGIC};

FIXTURE_VARIANT_ADD(fs, btrfs_zstd){"btrfs", 112, "compress-force=zstd:3", BTRFS_SUPER_MAGIC};

FIXTURE_VARIANT_ADD(fs, xfs){"xfs", 300, NULL, XFS_SUPER_MAGIC};

FIXTURE_VARIANT_ADD(fs, xfs_without_reflink){"xfs:-m reflink=0", 300, NULL, XFS_SUPER_MAGIC};

FIXTURE_VARIANT_ADD(fs, ext4){"ext4", 16, NULL, EXT4_SUPER_MAGIC};

FIXTURE_VARIANT_ADD(fs, tmpfs){"tmpfs", 16, NULL, TMPFS_MAGIC};

FIXTURE_SETUP(fs)
{
	self->dir = fixture_fs(variant->type, variant->size_mb, variant->opts);
	if (!self->dir)
		SKIP(return, "%s", fixture_why());
	snprintf(self->path, sizeof(self->path), "%s/file", self->dir);
}

FIXTURE_TEARDOWN(fs)
{
}

TEST_F(fs, has_its_type_and_options)
{
	struct statfs st;

	ASSERT_EQ(0, statfs(self->dir, &st));
	EXPECT_EQ(variant->magic, st.f_type);
	if (variant->opts)
		EXPECT_EQ(0, fixture_run("grep ' %s .*%s' /proc/self/mounts", self->dir,
					 variant->opts));
}

/* All but tmpfs, which forgets: so it is really unmounted. */
TEST_F(fs, keeps_files_across_a_remount)
{
	struct stat st;
	int fd;

	fd = open(self->path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(5, write(fd, "hello", 5));
	ASSERT_EQ(0, close(fd));
	fixture_remount(self->dir, NULL);
	if (variant->magic == TMPFS_MAGIC) {
		ASSERT_EQ(-1, stat(self->path, &st));
	} else {
		ASSERT_EQ(0, stat(self->path, &st));
		EXPECT_EQ(5, st.st_size);
	}
}

TEST(two_at_once_are_different)
{
	const char *a = fixture_fs("ext4", 16, NULL), *b = fixture_fs("ext4", 16, NULL);
	struct stat sa, sb;

	if (!a || !b)
		SKIP(return, "%s", fixture_why());
	ASSERT_EQ(0, stat(a, &sa));
	ASSERT_EQ(0, stat(b, &sb));
	EXPECT_NE(sa.st_dev, sb.st_dev);
}

TEST(loop_device_has_its_size)
{
	const char *device = fixture_loop(3);
	int fd;

	if (!device)
		SKIP(return, "%s", fixture_why());
	fd = open(device, O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(3 << 20, lseek(fd, 0, SEEK_END));
}

TEST(directory_stays_the_same)
{
	const char *dir = fixture_dir();

	EXPECT_EQ(0, access(dir, W_OK | X_OK));
	EXPECT_STREQ(dir, fixture_dir());
}

TEST_HARNESS_MAIN
