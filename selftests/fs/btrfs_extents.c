// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The btrfs room: what it says of extents of every kind, of its mounts, and how
 * extents are read and written as they are stored.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "extentlab.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define KB ((uint64_t)1024)

FIXTURE(room)
{
	struct lab lab;
	struct file_extent ext[64];
};

FIXTURE_VARIANT(room)
{
	const char *mount;
	uint32_t compression;
};

FIXTURE_VARIANT_ADD(room, zlib){"compress-force=zlib", ENCODED_ZLIB};
FIXTURE_VARIANT_ADD(room, zstd){"compress-force=zstd:3", ENCODED_ZSTD};
FIXTURE_VARIANT_ADD(room, lzo){"compress-force=lzo", ENCODED_LZO_4K};
FIXTURE_VARIANT_ADD(room, none){NULL, ENCODED_NONE};

FIXTURE_SETUP(room)
{
	self->lab.src = self->lab.dst = fixture_fs("btrfs", 256, variant->mount);
	if (!self->lab.src)
		SKIP(return, "%s", fixture_why());
	ASSERT_EQ(0, lab_open(&self->lab));
}

FIXTURE_TEARDOWN(room)
{
	lab_close(&self->lab);
}

static int list(FIXTURE_DATA(room) * self, const char *name)
{
	return lab_extents(&self->lab, in_dir(self->lab.src, name), self->ext, 64);
}

/* The lengths add up to the file, without a gap. */
static bool whole(FIXTURE_DATA(room) * self, int n, uint64_t size)
{
	uint64_t pos = 0;

	for (int i = 0; i < n; i++) {
		if (self->ext[i].pos != pos || !self->ext[i].len)
			return false;
		pos += self->ext[i].len;
	}
	return pos == size;
}

TEST_F(room, claims_its_mounts)
{
	struct file *file;

	ASSERT_EQ(0, cr_open(self->lab.ns, self->lab.src, O_RDONLY | O_DIRECTORY, 0, &file));
	EXPECT_STREQ("btrfs", cr_file_room(file));
	EXPECT_EQ(variant->compression, op_compression(file));
	EXPECT_EQ(4096, file->mnt->block_size);
	cr_close(file);
}

TEST_F(room, subvolumes_are_mounts_of_one_file_system)
{
	struct file *top, *sub;

	ASSERT_EQ(0, fixture_run("btrfs -q subvolume create %s/sub", self->lab.src));
	ASSERT_EQ(0, cr_open(self->lab.ns, self->lab.src, O_RDONLY, 0, &top));
	ASSERT_EQ(0, cr_open(self->lab.ns, in_dir(self->lab.src, "sub"), O_RDONLY, 0, &sub));
	EXPECT_NE(top->mnt, sub->mnt);
	EXPECT_EQ(0, memcmp(top->mnt->fsid, sub->mnt->fsid, sizeof(top->mnt->fsid)));
	cr_close(top);
	cr_close(sub);
}

TEST_F(room, extents_tell_how_data_is_stored)
{
	uint32_t kind = variant->compression;
	int n;

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300000));
	lab_sync(self->lab.src);
	n = list(self, "f");
	ASSERT_LT(0, n);
	EXPECT_TRUE(whole(self, n, 300000));
	EXPECT_EQ(kind ? 3 : 1, n);
	for (int i = 0; i < n; i++) {
		EXPECT_EQ(kind, self->ext[i].compression);
		EXPECT_EQ(0, self->ext[i].flags);
		EXPECT_EQ(0, self->ext[i].offset);
		EXPECT_EQ(0, self->ext[i].disk_len % 4096);
		EXPECT_LT(0, self->ext[i].generation);
		if (kind)
			EXPECT_GT(self->ext[i].len, self->ext[i].disk_len);
		EXPECT_LE(self->ext[i].len, self->ext[i].ram_bytes);
	}
}

TEST_F(room, a_small_file_is_inline)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 1500));
	lab_sync(self->lab.src);
	ASSERT_EQ(1, list(self, "f"));
	EXPECT_EQ(EXTENT_INLINE, self->ext[0].flags);
	EXPECT_EQ(1500, self->ext[0].len);
	EXPECT_EQ(variant->compression, self->ext[0].compression);
}

TEST_F(room, holes_and_preallocated_space_are_told_apart)
{
	int n, fd;

	ASSERT_EQ(0, lab_noise(self->lab.src, "f", 64 * KB, 4096));
	fd = open(in_dir(self->lab.src, "f"), O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fallocate(fd, 0, 128 * KB, 64 * KB));
	ASSERT_EQ(0, ftruncate(fd, 256 * KB + 77));
	close(fd);
	lab_sync(self->lab.src);
	n = list(self, "f");
	ASSERT_EQ(5, n);
	EXPECT_TRUE(whole(self, n, 256 * KB + 77));
	EXPECT_EQ(EXTENT_HOLE, self->ext[0].flags);
	EXPECT_EQ(0, self->ext[1].flags & ~EXTENT_ENCODED);
	EXPECT_EQ(EXTENT_HOLE, self->ext[2].flags);
	EXPECT_EQ(EXTENT_PREALLOC, self->ext[3].flags);
	EXPECT_EQ(EXTENT_HOLE, self->ext[4].flags);
}

TEST_F(room, a_bookend_tells_its_part_of_the_extent)
{
	int n;

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 128 * KB));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_noise(self->lab.src, "f", 64 * KB, 4096));
	lab_sync(self->lab.src);
	n = list(self, "f");
	ASSERT_EQ(3, n);
	EXPECT_TRUE(whole(self, n, 128 * KB));
	EXPECT_EQ(self->ext[0].disk_bytenr, self->ext[2].disk_bytenr);
	EXPECT_EQ(0, self->ext[0].offset);
	EXPECT_EQ(68 * KB, self->ext[2].offset);
	EXPECT_EQ(128 * KB, self->ext[2].ram_bytes);
	EXPECT_NE(self->ext[0].generation, self->ext[1].generation);
	/* Two references in one file are shared too. */
	EXPECT_TRUE(self->ext[0].flags & EXTENT_SHARED);
	EXPECT_FALSE(self->ext[1].flags & EXTENT_SHARED);
}

TEST_F(room, extents_begin_where_they_are_asked_for)
{
	struct file_extent ext;
	struct file *file;

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, cr_open(self->lab.ns, in_dir(self->lab.src, "f"), O_RDONLY, 0, &file));
	ASSERT_EQ(1, op_extents(file, 200000, &ext, 1, 0));
	EXPECT_EQ(200000, ext.pos);
	if (variant->compression) {
		EXPECT_EQ(200000 - 128 * KB, ext.offset);
		EXPECT_EQ(256 * KB - 200000, ext.len);
	}
	EXPECT_EQ(0, op_extents(file, 300000, &ext, 1, 0));
	EXPECT_EQ(0, op_extents(file, 400000, &ext, 1, 0));
	cr_close(file);
}

TEST_F(room, data_in_memory_is_no_hole)
{
	int n;

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 8192, 100000));
	n = list(self, "f");
	ASSERT_LT(1, n);
	EXPECT_TRUE(whole(self, n, 108192));
	for (int i = 1; i < n; i++)
		EXPECT_FALSE(self->ext[i].flags & EXTENT_HOLE);
}

TEST_F(room, newer_data_above_a_shared_extent_is_flushed)
{
	int n;

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 64 * KB));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, fixture_run("cp --reflink=always %s/f %s/g", self->lab.src, self->lab.src));
	ASSERT_EQ(0, lab_noise(self->lab.src, "f", 8192, 4096));
	n = list(self, "f");
	ASSERT_EQ(3, n);
	EXPECT_TRUE(self->ext[0].flags & EXTENT_SHARED);
	EXPECT_FALSE(self->ext[1].flags & EXTENT_SHARED);
	EXPECT_TRUE(self->ext[2].flags & EXTENT_SHARED);
}

TEST_F(room, without_privilege_extents_come_without_details)
{
	int n;

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300000));
	lab_sync(self->lab.src);
	drop_privilege();
	n = list(self, "f");
	ASSERT_LT(0, n);
	EXPECT_TRUE(whole(self, n, 300000));
	if (variant->compression)
		EXPECT_EQ(EXTENT_ENCODED, self->ext[0].flags);
}

TEST_F(room, many_extents_come_in_batches)
{
	static struct file_extent ext[2048];
	uint64_t pos = 0;
	int n;

	for (unsigned i = 0; i < 500; i++)
		ASSERT_EQ(0, lab_noise(self->lab.src, "f", i * 8192, 4096));
	lab_sync(self->lab.src);
	n = lab_extents(&self->lab, in_dir(self->lab.src, "f"), ext, 2048);
	ASSERT_EQ(999, n);
	for (int i = 0; i < n; i++) {
		ASSERT_EQ(pos, ext[i].pos);
		EXPECT_EQ(i % 2 ? EXTENT_HOLE : 0, ext[i].flags & EXTENT_HOLE);
		pos += ext[i].len;
	}
}

TEST_F(room, an_extent_read_as_stored_can_be_written_elsewhere)
{
	static unsigned char buf[ENCODED_MAX];
	struct iovec payload = {buf, 0};
	struct encoded_iov ev;
	struct file *in, *out;
	ssize_t n;

	if (!variant->compression)
		SKIP(return, "nothing is compressed here");
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 100000));
	ASSERT_EQ(0, lab_text(self->lab.src, "f2", 0, 0));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, cr_open(self->lab.ns, in_dir(self->lab.src, "f"), O_RDONLY, 0, &in));
	ASSERT_EQ(0, cr_open(self->lab.ns, in_dir(self->lab.src, "f2"), O_RDWR, 0, &out));
	n = cr_read_encoded(in, &ev, buf, sizeof(buf), 0);
	ASSERT_LT(0, n);
	EXPECT_EQ(100000, ev.len);
	EXPECT_EQ(variant->compression, ev.compression);
	payload.iov_len = (size_t)n;
	EXPECT_EQ(n, cr_write_encoded(out, &ev, &payload, 0, COPY_RANGE_VALIDATE));
	EXPECT_EQ(0, fixture_run("cmp %s/f %s/f2", self->lab.src, self->lab.src));
	/* Spoilt bytes are found out before they are planted. */
	payload.iov_len = (size_t)n / 2;
	EXPECT_GT(0, cr_write_encoded(out, &ev, &payload, 0, COPY_RANGE_VALIDATE));
	cr_close(in);
	cr_close(out);
}

TEST(the_property_of_a_folder_counts_for_its_files)
{
	const char *dir = fixture_fs("btrfs", 256, NULL);
	struct cr_ns *ns = cr_ns_new();
	struct file *file;

	if (!dir)
		SKIP(return, "%s", fixture_why());
	ASSERT_EQ(0, setxattr(dir, "btrfs.compression", "lzo", 3, 0));
	ASSERT_EQ(0, cr_open(ns, in_dir(dir, "f"), O_RDWR | O_CREAT, 0644, &file));
	EXPECT_EQ(ENCODED_LZO_4K, op_compression(file));
	cr_close(file);
	cr_ns_free(ns);
}

TEST_HARNESS_MAIN
