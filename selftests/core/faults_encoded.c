// SPDX-License-Identifier: GPL-2.0-or-later
/* Encoded copies that break: from one compressing btrfs to another, by one worker and by four. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "faultrig.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define KIB    ((size_t)1024)
#define LEN    (4096 * KIB)
#define EXTENT (128 * KIB) /* of compressed data, at most */

FIXTURE(encoded)
{
	struct rig rig;
	struct copy_req req;
	struct copy_result res;
	int err;
};

FIXTURE_VARIANT(encoded)
{
	size_t old_len;
	unsigned jobs;
};

FIXTURE_VARIANT_ADD(encoded, by_one){.jobs = 1};
FIXTURE_VARIANT_ADD(encoded, by_four){.jobs = 4};
FIXTURE_VARIANT_ADD(encoded, by_four_over_longer){.jobs = 4, .old_len = LEN + 99999};

FIXTURE_SETUP(encoded)
{
	struct rig_plan plan = {.len = LEN, .old_len = variant->old_len};

	plan.dir = fixture_fs("btrfs", 128, "compress-force=zstd");
	if (plan.dir)
		plan.out_dir = fixture_fs("btrfs", 128, NULL);
	if (!plan.dir || !plan.out_dir)
		SKIP(return, "%s", fixture_why());
	ASSERT_EQ(0, rig_make(&self->rig, &plan));
	self->req.jobs = variant->jobs;
	self->req.flags = variant->jobs == 1 ? COPY_RANGE_SERIAL : 0;
	ASSERT_EQ(0, rig_open(&self->rig, "", &self->req));
	self->err = cr_copy_range(&self->req, &self->res);
	rig_close(&self->req);
	if (!self->res.by[COPY_ENCODED].bytes)
		SKIP(return, "%s", self->res.why[COPY_ENCODED].reason);
	ASSERT_EQ(0, rig_again(&self->rig));
}

FIXTURE_TEARDOWN(encoded)
{
	if (self->rig.ns)
		rig_free(&self->rig);
}

#define COPY(rules_)                                                                               \
	do {                                                                                       \
		ASSERT_EQ(0, rig_open(&self->rig, rules_, &self->req));                            \
		self->err = cr_copy_range(&self->req, &self->res);                                 \
		rig_close(&self->req);                                                             \
		EXPECT_STREQ(NULL, rig_lie(&self->rig, &self->req, self->err, &self->res))         \
		{                                                                                  \
			TH_LOG("err %d bytes %llu encoded %llu stream %llu", self->err,            \
			       (unsigned long long)self->res.bytes,                                \
			       (unsigned long long)self->res.by[COPY_ENCODED].bytes,               \
			       (unsigned long long)self->res.by[COPY_STREAM].bytes);               \
		}                                                                                  \
	} while (0)

TEST_F(encoded, nothing_is_read_or_written_plain_when_nothing_breaks)
{
	COPY("read=EDOM,write=EDOM");
	EXPECT_EQ(0, self->err);
	EXPECT_EQ(LEN, self->res.by[COPY_ENCODED].bytes);
	EXPECT_GT(LEN / 2, self->res.by[COPY_ENCODED].moved);
}

TEST_F(encoded, one_refused_extent_is_streamed)
{
	COPY("write_encoded@3=EINVAL");
	EXPECT_EQ(0, self->err);
	EXPECT_EQ(LEN, self->res.bytes);
	EXPECT_LT(0, self->res.by[COPY_STREAM].bytes);
	EXPECT_GE(EXTENT, self->res.by[COPY_STREAM].bytes);
}

TEST_F(encoded, one_extent_that_cannot_be_read_encoded_is_streamed)
{
	COPY("read_encoded@3=ENOBUFS");
	EXPECT_EQ(0, self->err);
	EXPECT_EQ(LEN, self->res.bytes);
	EXPECT_LT(0, self->res.by[COPY_ENCODED].bytes);
}

TEST_F(encoded, without_the_right_to_all_is_streamed)
{
	COPY("read_encoded=EPERM");
	EXPECT_EQ(0, self->err);
	EXPECT_EQ(LEN, self->res.by[COPY_STREAM].bytes);
	EXPECT_EQ(EPERM, self->res.why[COPY_ENCODED].error);
}

TEST_F(encoded, a_kernel_without_it_all_is_streamed)
{
	COPY("write_encoded=ENOTTY");
	EXPECT_EQ(0, self->err);
	EXPECT_EQ(LEN, self->res.by[COPY_STREAM].bytes);
}

TEST_F(encoded, a_source_that_lists_no_extents_is_streamed)
{
	COPY("extents=EIO");
	EXPECT_EQ(0, self->err);
	EXPECT_EQ(LEN, self->res.bytes);
}

TEST_F(encoded, a_list_of_extents_that_ends_early_is_no_end)
{
	COPY("extents@2+=EIO");
	EXPECT_EQ(0, self->err);
	EXPECT_EQ(LEN, self->res.bytes);
}

/* What neither way can read or write ends the copy there. */
TEST_F(encoded, an_unreadable_extent_ends_it)
{
	COPY("read_encoded@5+=EIO,read=EIO");
	EXPECT_EQ(-EIO, self->err);
	EXPECT_LT(0, self->res.bytes);
	EXPECT_GT(LEN, self->res.bytes);
}

TEST_F(encoded, a_full_target_ends_it)
{
	COPY("write_encoded@5+=ENOSPC,write=ENOSPC");
	EXPECT_EQ(-ENOSPC, self->err);
	EXPECT_LT(0, self->res.bytes);
	EXPECT_GT(LEN, self->res.bytes);
}

/* Slow, so that extents behind it are there when it fails. */
TEST_F(encoded, what_was_written_beyond_an_error_does_not_count)
{
	COPY("write_encoded@3=delay200,write_encoded@3=ENOSPC,write=ENOSPC");
	EXPECT_EQ(-ENOSPC, self->err);
	EXPECT_GT(LEN, self->res.bytes);
}

TEST_F(encoded, interrupted_and_short_calls_do_not_show)
{
	COPY("write_encoded@3=EINVAL,write=short1000,read=short3000,read@2*=EINTR,write@3*=EINTR");
	EXPECT_EQ(0, self->err);
	EXPECT_EQ(LEN, self->res.bytes);
}

TEST_F(encoded, a_size_that_cannot_be_set_is_an_error_or_no_matter)
{
	COPY("truncate=EIO,allocate=EIO");
	if (self->err)
		EXPECT_EQ(-EIO, self->err);
	else
		EXPECT_EQ(LEN, self->res.bytes);
}

/* The error comes with the first byte behind a hole. */
TEST_F(encoded, a_hole_that_counts_is_there_when_an_error_follows)
{
	struct rig_plan plan = self->rig.plan;

	plan.hole = 4 * EXTENT;
	rig_free(&self->rig);
	ASSERT_EQ(0, rig_make(&self->rig, &plan));
	COPY("write_encoded@5+=ENOSPC,write=ENOSPC");
	EXPECT_EQ(-ENOSPC, self->err);
	EXPECT_GE(2 * plan.hole, self->res.bytes);
}

static int stop_flag;

static void set_stop(int sig)
{
	__atomic_store_n(&stop_flag, 1, __ATOMIC_RELAXED);
}

TEST_F(encoded, stops_between_extents)
{
	signal(SIGUSR1, set_stop);
	self->req.stop = &stop_flag;
	COPY("write_encoded@3=usr1,write_encoded@4+=delay50");
	EXPECT_EQ(0, self->err);
	EXPECT_EQ(1, self->res.stopped);
	EXPECT_LT(0, self->res.bytes);
	EXPECT_GT(LEN, self->res.bytes);
}

TEST_HARNESS_MAIN
