// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Encoded copies between two btrfs: each kind of extent arrives as it was
 * stored, what cannot goes plain alone, and who declines says why.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "extentlab.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define KB ((uint64_t)1024)

FIXTURE(encoded)
{
	struct lab lab;
	struct file_extent from[128], to[128];
};

FIXTURE_VARIANT(encoded)
{
	const char *src, *dst;
};

FIXTURE_VARIANT_ADD(encoded, zlib_to_none){"compress-force=zlib", NULL};
FIXTURE_VARIANT_ADD(encoded, zstd_to_none){"compress-force=zstd:3", NULL};
FIXTURE_VARIANT_ADD(encoded, lzo_to_none){"compress-force=lzo", NULL};
FIXTURE_VARIANT_ADD(encoded, zstd_to_lzo){"compress-force=zstd", "compress-force=lzo"};
FIXTURE_VARIANT_ADD(encoded, lzo_to_zstd){"compress-force=lzo", "compress-force=zstd"};

FIXTURE_SETUP(encoded)
{
	self->lab.src = fixture_fs("btrfs", 256, variant->src);
	self->lab.dst = fixture_fs("btrfs", 256, variant->dst);
	if (!self->lab.src || !self->lab.dst)
		SKIP(return, "%s", fixture_why());
	ASSERT_EQ(0, lab_open(&self->lab));
}

FIXTURE_TEARDOWN(encoded)
{
	lab_close(&self->lab);
}

static const struct copy_tally *by(FIXTURE_DATA(encoded) * self, enum copy_strategy_id s)
{
	return &self->lab.res.by[s];
}

static const char *why(FIXTURE_DATA(encoded) * self)
{
	return self->lab.res.why[COPY_ENCODED].reason ? self->lab.res.why[COPY_ENCODED].reason : "";
}

static bool is_hole(const struct file_extent *ext)
{
	return ext->flags & (EXTENT_HOLE | EXTENT_PREALLOC);
}

/* Whether @name is stored in the same way on both sides, extent by extent. */
static bool stored_alike(FIXTURE_DATA(encoded) * self, const char *name)
{
	int n, m;

	lab_sync(self->lab.dst);
	n = lab_extents(&self->lab, in_dir(self->lab.src, name), self->from, 128);
	m = lab_extents(&self->lab, in_dir(self->lab.dst, name), self->to, 128);
	if (n != m || n < 0) {
		printf("# %d extents became %d\n", n, m);
		return false;
	}
	for (int i = 0; i < n; i++) {
		const struct file_extent *a = &self->from[i], *b = &self->to[i];

		if (a->pos != b->pos || a->len != b->len || a->disk_len != b->disk_len ||
		    a->offset != b->offset || a->ram_bytes != b->ram_bytes ||
		    a->compression != b->compression) {
			printf("# extent %d at %llu differs\n", i, (unsigned long long)a->pos);
			return false;
		}
	}
	return true;
}

TEST_F(encoded, a_compressed_file_arrives_as_it_is)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 3000001));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(3000001, self->lab.res.bytes);
	EXPECT_EQ(3000001, by(self, COPY_ENCODED)->bytes);
	EXPECT_GT(3000001 * 2 / 3, by(self, COPY_ENCODED)->moved);
	EXPECT_EQ(COPY_ENCODED, self->lab.res.how);
	EXPECT_TRUE(stored_alike(self, "f"));
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(encoded, one_worker_does_it_in_order)
{
	self->lab.flags = COPY_RANGE_SERIAL;
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 2000000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(2000000, by(self, COPY_ENCODED)->bytes);
	EXPECT_TRUE(stored_alike(self, "f"));
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(encoded, payloads_pass_validation)
{
	self->lab.flags = COPY_RANGE_VALIDATE;
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 1000000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(1000000, by(self, COPY_ENCODED)->bytes);
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(encoded, an_inline_extent_stays_inline)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 1500));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(1500, by(self, COPY_ENCODED)->bytes);
	EXPECT_TRUE(stored_alike(self, "f"));
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(encoded, holes_stay_holes_and_preallocated_space_becomes_one)
{
	int fd, n;

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 128 * KB));
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 512 * KB, 128 * KB));
	lab_sync(self->lab.src);
	fd = open(in_dir(self->lab.src, "f"), O_RDWR);
	ASSERT_EQ(0, fallocate(fd, 0, 640 * KB, 64 * KB));
	ASSERT_EQ(0, ftruncate(fd, 1000 * KB + 1));
	close(fd);
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(1000 * KB + 1, self->lab.res.bytes);
	EXPECT_EQ(1000 * KB + 1 - 256 * KB, self->lab.res.holes);
	EXPECT_TRUE(lab_same(&self->lab, "f"));
	lab_sync(self->lab.dst);
	n = lab_extents(&self->lab, in_dir(self->lab.dst, "f"), self->to, 128);
	for (int i = 0; i < n; i++) {
		bool data = self->to[i].pos < 128 * KB ||
			    (self->to[i].pos >= 512 * KB && self->to[i].pos < 640 * KB);

		/* A file that was there before is extended by its last block. */
		if (self->to[i].len > 4096)
			EXPECT_EQ(!data, is_hole(&self->to[i]));
	}
}

TEST_F(encoded, plain_extents_between_compressed_ones_are_streamed)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 256 * KB));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_noise(self->lab.src, "f", 128 * KB, 4096));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(252 * KB, by(self, COPY_ENCODED)->bytes);
	EXPECT_EQ(4096, by(self, COPY_STREAM)->bytes);
	EXPECT_STREQ("stored uncompressed", why(self));
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(encoded, a_part_that_is_most_of_an_extent_refers_to_a_part)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 128 * KB));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_noise(self->lab.src, "f", 0, 4096));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(124 * KB, by(self, COPY_ENCODED)->bytes);
	EXPECT_TRUE(lab_same(&self->lab, "f"));
	lab_sync(self->lab.dst);
	ASSERT_EQ(2, lab_extents(&self->lab, in_dir(self->lab.dst, "f"), self->to, 128));
	EXPECT_EQ(4096, self->to[1].offset);
	EXPECT_EQ(128 * KB, self->to[1].ram_bytes);
}

TEST_F(encoded, a_small_rest_of_an_extent_is_written_plain)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 128 * KB));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_noise(self->lab.src, "f", 0, 120 * KB));
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 128 * KB, 128 * KB));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(128 * KB, by(self, COPY_ENCODED)->bytes);
	EXPECT_EQ(128 * KB, by(self, COPY_STREAM)->bytes);
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(encoded, data_that_is_not_on_the_disk_yet_is_right)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 256 * KB));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_noise(self->lab.src, "f", 100000, 5000));
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 400 * KB, 10000));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(400 * KB + 10000, self->lab.res.bytes);
	EXPECT_LT(0, by(self, COPY_ENCODED)->bytes);
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(encoded, a_file_just_written_is_copied)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 500000));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(500000, self->lab.res.bytes);
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(encoded, a_file_without_compressed_data_is_left_to_the_stream)
{
	int fd = open(in_dir(self->lab.src, "f"), O_RDWR | O_CREAT, 0644);
	unsigned flags = FS_NOCOW_FL;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, FS_IOC_SETFLAGS, &flags));
	close(fd);
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_STREQ("nothing here is stored compressed", why(self));
	EXPECT_EQ(COPY_THIS_FILE, self->lab.res.why[COPY_ENCODED].scope);
	EXPECT_EQ(300000, by(self, COPY_STREAM)->bytes);
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(encoded, a_long_plain_part_is_left_to_the_stream_and_the_rest_is_not)
{
	const uint64_t plain = 9 << 20;

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 512 * KB));
	ASSERT_EQ(0, lab_noise(self->lab.src, "f", 512 * KB, plain));
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 512 * KB + plain, 512 * KB));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(1024 * KB, by(self, COPY_ENCODED)->bytes);
	EXPECT_EQ(plain, by(self, COPY_STREAM)->bytes);
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

/* Ranges --------------------------------------------------------------------- */

static int copy_part(FIXTURE_DATA(encoded) * self, int64_t in, int64_t out, uint64_t len)
{
	struct copy_req req = {.pos_in = in, .pos_out = out, .len = len};

	return lab_copy_req(&self->lab, in_dir(self->lab.src, "f"), in_dir(self->lab.dst, "f"),
			    &req);
}

/* Whether bytes [@out, @out + @len) of the copy are those from @in on. */
static bool part_same(FIXTURE_DATA(encoded) * self, uint64_t in, uint64_t out, uint64_t len)
{
	return !fixture_run("sync; cmp -n %llu -i %llu:%llu %s/f %s/f", (unsigned long long)len,
			    (unsigned long long)in, (unsigned long long)out, self->lab.src,
			    self->lab.dst);
}

TEST_F(encoded, ends_within_a_block_are_streamed_and_the_body_is_not)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 1000000));
	ASSERT_EQ(0, lab_text(self->lab.dst, "f", 0, 1000000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, copy_part(self, 1000, 1000, 900000));
	EXPECT_EQ(900000, self->lab.res.bytes);
	EXPECT_LT(600000, by(self, COPY_ENCODED)->bytes);
	EXPECT_TRUE(part_same(self, 0, 0, 1000000));
}

TEST_F(encoded, offsets_may_differ_by_blocks)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 1000000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, copy_part(self, 128 * KB, 40960, 500000));
	EXPECT_LT(300000, by(self, COPY_ENCODED)->bytes);
	EXPECT_TRUE(part_same(self, 128 * KB, 40960, 500000));
}

TEST_F(encoded, offsets_that_differ_within_a_block_are_declined)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 1000000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, copy_part(self, 0, 100, 500000));
	EXPECT_EQ(0, by(self, COPY_ENCODED)->bytes);
	EXPECT_STREQ("the offsets differ within a block", why(self));
	EXPECT_TRUE(part_same(self, 0, 100, 500000));
}

TEST_F(encoded, what_lies_round_the_range_is_kept)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 600000));
	ASSERT_EQ(0, lab_noise(self->lab.dst, "f", 0, 900000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, fixture_run("cp %s/f %s/old", self->lab.dst, self->lab.dst));
	ASSERT_EQ(0, copy_part(self, 4096, 8192, 500001));
	EXPECT_TRUE(part_same(self, 4096, 8192, 500001));
	EXPECT_EQ(0, fixture_run("cd %s; cmp -n 8192 f old && cmp -i 508193 f old", self->lab.dst));
}

/* Refusals --------------------------------------------------------------------- */

TEST_F(encoded, without_privilege_the_mount_declines_and_the_stream_copies)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 500000));
	ASSERT_EQ(0, lab_text(self->lab.src, "g", 0, 500000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, fixture_run("chmod 777 %s %s", self->lab.src, self->lab.dst));
	drop_privilege();
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_STREQ("needs root (CAP_SYS_ADMIN)", why(self));
	EXPECT_EQ(COPY_THIS_MOUNT, self->lab.res.why[COPY_ENCODED].scope);
	EXPECT_EQ(500000, by(self, COPY_STREAM)->bytes);
	EXPECT_TRUE(lab_same(&self->lab, "f"));
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_STREQ("needs root (CAP_SYS_ADMIN)", why(self));
}

TEST_F(encoded, a_nodatacow_target_declines)
{
	int fd = open(in_dir(self->lab.dst, "f"), O_RDWR | O_CREAT, 0644);
	unsigned flags = FS_NOCOW_FL;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, FS_IOC_SETFLAGS, &flags));
	close(fd);
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 500000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(0, by(self, COPY_ENCODED)->bytes);
	EXPECT_STREQ("the destination is nodatacow (chattr +C): it holds no compressed data",
		     why(self));
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(encoded, another_file_system_declines_for_the_pair)
{
	struct copy_req req = {.len = COPY_LEN_EOF};

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 500000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy_req(&self->lab, in_dir(self->lab.src, "f"),
				  in_dir(fixture_dir(), "f"), &req));
	EXPECT_STREQ("not both files are on btrfs", why(self));
	EXPECT_EQ(COPY_THIS_PAIR, self->lab.res.why[COPY_ENCODED].scope);
}

TEST_F(encoded, recompress_leaves_what_the_target_does_better)
{
	bool better = variant->dst && strstr(variant->dst, "zstd");

	self->lab.flags = COPY_RANGE_RECOMPRESS;
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 500000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(better ? 0 : 500000, by(self, COPY_ENCODED)->bytes);
	if (better)
		EXPECT_STREQ("the destination compresses better", why(self));
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

#ifdef CONFIG_FS_FAULT

/* As lab_copy() of f, with @rules for the target and @in_rules for the source. */
static int copy_with_faults(FIXTURE_DATA(encoded) * self, const char *in_rules, const char *rules)
{
	struct copy_req req = {.len = COPY_LEN_EOF};
	char from[LAB_PATH + 64], to[LAB_PATH + 64];

	snprintf(from, sizeof(from), "fault:%s:%s/f", in_rules, self->lab.src);
	snprintf(to, sizeof(to), "fault:%s:%s/f", rules, self->lab.dst);
	self->lab.flags |= COPY_RANGE_NO_CLONE | COPY_RANGE_NO_OFFLOAD;
	return lab_copy_req(&self->lab, from, to, &req);
}

TEST_F(encoded, one_refused_extent_is_streamed_and_the_rest_is_not)
{
	static const char *const rules[] = {"write_encoded@5=EINVAL", "write_encoded@1=ENOSPC",
					    "write_encoded@1=EINVAL", "write_encoded@3=E2BIG",
					    "write_encoded@7=ENOTTY"};

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 1024 * KB));
	lab_sync(self->lab.src);
	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
		ASSERT_EQ(0, copy_with_faults(self, "", rules[i]));
		EXPECT_EQ(896 * KB, by(self, COPY_ENCODED)->bytes);
		EXPECT_EQ(128 * KB, by(self, COPY_STREAM)->bytes);
		EXPECT_STREQ("the destination does not take the extent as it is stored", why(self));
		EXPECT_EQ(1, self->lab.res.why[COPY_ENCODED].count);
		EXPECT_TRUE(lab_same(&self->lab, "f"));
		unlink(in_dir(self->lab.dst, "f"));
	}
}

TEST_F(encoded, an_extent_the_source_does_not_give_is_streamed)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 1024 * KB));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, copy_with_faults(self, "read_encoded@4=EIO", ""));
	EXPECT_EQ(128 * KB, by(self, COPY_STREAM)->bytes);
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(encoded, without_a_list_of_extents_the_stream_copies)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, copy_with_faults(self, "extents=EIO", ""));
	EXPECT_EQ(300000, by(self, COPY_STREAM)->bytes);
	EXPECT_STREQ("the source does not list its extents", why(self));
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(encoded, after_an_error_the_count_is_exact_and_the_target_no_longer)
{
	static const char *const rules[] = {
		"write_encoded@6=EINVAL,write@1=ENOSPC",
		"write_encoded@1=EINVAL,write@1=EIO",
		"write_encoded@20=EINVAL,write=ENOSPC",
	};

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 4096 * KB));
	lab_sync(self->lab.src);
	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct copy_result *res = &self->lab.res;
		struct stat st;

		EXPECT_GT(0, copy_with_faults(self, "", rules[i]));
		EXPECT_GT(4096 * KB, res->bytes);
		EXPECT_EQ(res->bytes, by(self, COPY_ENCODED)->bytes + by(self, COPY_STREAM)->bytes);
		ASSERT_EQ(0, stat(in_dir(self->lab.dst, "f"), &st));
		EXPECT_EQ(res->bytes, st.st_size);
		EXPECT_TRUE(!res->bytes || part_same(self, 0, 0, res->bytes));
		unlink(in_dir(self->lab.dst, "f"));
	}
}

/* Raised by the signal that a rule sends, so that it comes at a known call. */
static int stop_flag;

static void set_stop(int sig)
{
	__atomic_store_n(&stop_flag, 1, __ATOMIC_RELAXED);
}

TEST_F(encoded, a_stop_ends_it_with_an_exact_count)
{
	struct copy_req req = {.len = COPY_LEN_EOF, .stop = &stop_flag};
	char from[LAB_PATH + 64];
	struct stat st;

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 8192 * KB));
	lab_sync(self->lab.src);
	signal(SIGUSR1, set_stop);
	/* The reads that follow take long, so that the signal is there before the end. */
	snprintf(from, sizeof(from), "fault:read_encoded@20=usr1,read_encoded@21+=delay100:%s/f",
		 self->lab.src);
	ASSERT_EQ(0, lab_copy_req(&self->lab, from, in_dir(self->lab.dst, "f"), &req));
	EXPECT_EQ(1, self->lab.res.stopped);
	EXPECT_GT(8192 * KB, self->lab.res.bytes);
	ASSERT_EQ(0, stat(in_dir(self->lab.dst, "f"), &st));
	EXPECT_EQ(self->lab.res.bytes, st.st_size);
	EXPECT_TRUE(part_same(self, 0, 0, self->lab.res.bytes));
}

#endif

TEST_HARNESS_MAIN
