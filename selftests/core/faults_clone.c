// SPDX-License-Identifier: GPL-2.0-or-later
/* Clones that fail, fall short or are refused: btrfs below, sharing blocks for real. */
#include <errno.h>
#include <string.h>

#include "faultrig.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define KIB ((size_t)1024)
#define LEN (2048 * KIB)

FIXTURE(clone)
{
	struct rig rig;
	struct copy_req req;
	struct copy_result res;
	int err;
};

FIXTURE_SETUP(clone)
{
	struct rig_plan plan = {.dir = fixture_fs("btrfs", 128, NULL), .len = LEN, .old_len = 9000};

	if (!plan.dir)
		SKIP(return, "%s", fixture_why());
	ASSERT_EQ(0, rig_make(&self->rig, &plan));
}

FIXTURE_TEARDOWN(clone)
{
	if (self->rig.ns)
		rig_free(&self->rig);
}

/* What the copy answered stays in self; EDOM tells that a slower way was asked too. */
#define COPY(rules_)                                                                               \
	do {                                                                                       \
		ASSERT_EQ(0, rig_open(&self->rig, rules_, &self->req));                            \
		self->err = cr_copy_range(&self->req, &self->res);                                 \
		rig_close(&self->req);                                                             \
		EXPECT_STREQ(NULL, rig_lie(&self->rig, &self->req, self->err, &self->res));        \
	} while (0)

TEST_F(clone, the_whole_is_shared_when_nothing_breaks)
{
	COPY("read=EDOM,write=EDOM,copy_range=EDOM");
	EXPECT_EQ(0, self->err);
	EXPECT_EQ(LEN, self->res.bytes);
	EXPECT_EQ(COPY_CLONE, self->res.how);
}

TEST_F(clone, lack_of_space_is_final)
{
	COPY("clone_range=ENOSPC,copy_range=EDOM,write=EDOM");
	EXPECT_EQ(-ENOSPC, self->err);
	EXPECT_EQ(0, self->res.bytes);
}

TEST_F(clone, an_io_error_is_final)
{
	COPY("clone_range=EIO,copy_range=EDOM,write=EDOM");
	EXPECT_EQ(-EIO, self->err);
	EXPECT_EQ(0, self->res.bytes);
}

TEST_F(clone, lack_of_memory_is_final)
{
	COPY("clone_range=ENOMEM,copy_range=EDOM,write=EDOM");
	EXPECT_EQ(-ENOMEM, self->err);
}

TEST_F(clone, an_error_after_a_part_is_final)
{
	COPY("clone_range@1=short65536,clone_range@2=EIO,copy_range=EDOM,write=EDOM");
	EXPECT_EQ(-EIO, self->err);
	EXPECT_EQ(65536, self->res.bytes);
	EXPECT_EQ(65536, self->res.by[COPY_CLONE].bytes);
}

TEST_F(clone, an_error_beside_bytes_counts_them)
{
	COPY("clone_range@1=short65536,clone_range@1=EIO,copy_range=EDOM,write=EDOM");
	EXPECT_EQ(-EIO, self->err);
	EXPECT_EQ(65536, self->res.bytes);
}

TEST_F(clone, a_short_clone_goes_on)
{
	COPY("clone_range=short65536,copy_range=EDOM,write=EDOM");
	EXPECT_EQ(0, self->err);
	EXPECT_EQ(LEN, self->res.by[COPY_CLONE].bytes);
	EXPECT_EQ(LEN / 65536, self->res.by[COPY_CLONE].ranges);
}

TEST_F(clone, a_refused_clone_is_offloaded)
{
	COPY("clone_range=EXDEV,write=EDOM");
	EXPECT_EQ(0, self->err);
	EXPECT_EQ(COPY_OFFLOAD, self->res.how);
	EXPECT_EQ(LEN, self->res.bytes);
	EXPECT_STREQ("refused on order", self->res.why[COPY_CLONE].reason);
	EXPECT_EQ(EXDEV, self->res.why[COPY_CLONE].error);
}

TEST_F(clone, a_clone_refused_after_a_part_is_finished_by_the_next)
{
	COPY("clone_range@1=short65536,clone_range@2+=EINVAL,write=EDOM");
	EXPECT_EQ(0, self->err);
	EXPECT_EQ(65536, self->res.by[COPY_CLONE].bytes);
	EXPECT_EQ(LEN - 65536, self->res.by[COPY_OFFLOAD].bytes);
}

/* Clone gives up, offload gives up after a part, and the stream runs out of space. */
TEST_F(clone, three_ways_one_count)
{
	self->req.flags = COPY_RANGE_SERIAL | COPY_RANGE_NO_ENCODED;
	COPY("clone_range@1=short65536,clone_range@2+=EINVAL,copy_range@1=short65536,"
	     "copy_range@2+=EINVAL,write@1=short10,write@2+=ENOSPC");
	EXPECT_EQ(-ENOSPC, self->err);
	EXPECT_EQ(2 * 65536 + 10, self->res.bytes);
	EXPECT_EQ(65536, self->res.by[COPY_CLONE].bytes);
	EXPECT_EQ(65536, self->res.by[COPY_OFFLOAD].bytes);
	EXPECT_EQ(10, self->res.by[COPY_STREAM].bytes);
}

/* "Never on this mount" is heard once and not asked again. */
TEST_F(clone, a_mount_that_cannot_is_asked_once)
{
	ASSERT_EQ(0,
		  rig_open(&self->rig, "clone_range@1=EOPNOTSUPP,clone_range@2+=EDOM", &self->req));
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(COPY_OFFLOAD, self->res.how);
	EXPECT_EQ(COPY_THIS_MOUNT, self->res.why[COPY_CLONE].scope);
	rig_close(&self->req);
}

/* "Not this file" holds for this file alone. */
TEST_F(clone, a_file_that_cannot_says_nothing_of_the_mount)
{
	ASSERT_EQ(0, rig_open(&self->rig, "clone_range@1=EINVAL", &self->req));
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(COPY_OFFLOAD, self->res.how);
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(COPY_CLONE, self->res.how);
	rig_close(&self->req);
}

TEST_HARNESS_MAIN
