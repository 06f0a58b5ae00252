// SPDX-License-Identifier: GPL-2.0-or-later
/* Flags of copy_range(), and what the result says about the ways taken and left. */
#include <linux/fs.h>

#include "call.h"

static uint64_t by_sum(const struct copy_result *res)
{
	uint64_t sum = 0;

	for (unsigned s = 0; s < COPY_STRATEGIES; s++)
		sum += res->by[s].bytes;
	return sum;
}

TEST_F(call, clone_only)
{
	struct call c = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};
	int err;

	c.flags = COPY_RANGE_CLONE_ONLY;
	err = call(&c);
	EXPECT_EQ(variant->clones ? 0 : -EOPNOTSUPP, err);
	EXPECT_EQ(variant->clones ? IN_SIZE : 0, c.res.bytes);
	EXPECT_EQ(variant->clones ? IN_SIZE : 0, size_of_fd(self->out));
	if (!variant->clones)
		EXPECT_EQ(EOPNOTSUPP, c.res.why[COPY_CLONE].error);
}

TEST_F(call, clone_only_of_an_unaligned_range_writes_nothing)
{
	struct call c = {.in = self->in, .out = self->out, .pos_in = 1, .pos_out = 1, .len = 50000};

	c.flags = COPY_RANGE_CLONE_ONLY;
	EXPECT_EQ(variant->clones ? -EINVAL : -EOPNOTSUPP, call(&c));
	EXPECT_EQ(0, c.res.bytes);
	EXPECT_EQ(0, size_of_fd(self->out));
}

TEST_F(call, no_clone_shares_nothing)
{
	struct call c = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};

	c.flags = COPY_RANGE_NO_CLONE;
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(0, c.res.by[COPY_CLONE].bytes);
	EXPECT_NULL(c.res.why[COPY_CLONE].reason);
	EXPECT_TRUE(same_bytes(self->in, self->out));
	if (variant->clones)
		EXPECT_EQ(0, shared_bytes(self->out, 0, IN_SIZE));
}

TEST_F(call, no_offload_does_not_offload)
{
	struct call c = {.in = self->in, .out = self->out, .pos_in = 1, .len = COPY_LEN_EOF};

	c.flags = COPY_RANGE_NO_OFFLOAD;
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(IN_SIZE - 1, c.res.by[COPY_STREAM].bytes);
	EXPECT_EQ(0, c.res.by[COPY_OFFLOAD].bytes);
	EXPECT_NULL(c.res.why[COPY_OFFLOAD].reason);
}

TEST_F(call, no_encoded_and_no_grant_change_nothing_here)
{
	struct call c = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};

	c.flags = COPY_RANGE_NO_ENCODED | COPY_RANGE_NO_GRANT;
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(IN_SIZE, c.res.bytes);
	EXPECT_NULL(c.res.why[COPY_ENCODED].reason);
	EXPECT_NULL(c.res.why[COPY_GRANT].reason);
}

/* To another file system only the stream is left, and that is not wanted. */
TEST_F(call, no_stream_to_another_file_system_writes_nothing)
{
	struct call c = {.in = self->in, .len = COPY_LEN_EOF, .flags = COPY_RANGE_NO_STREAM};

	c.out = file_open(fixture_dir(), "other", O_RDWR | O_CREAT);
	EXPECT_GT(0, call(&c));
	EXPECT_EQ(EXDEV, c.res.why[COPY_OFFLOAD].error);
	EXPECT_EQ(0, c.res.bytes);
	EXPECT_EQ(0, size_of_fd(c.out));
}

/* A hole at the start must not be made in the name of an offload that cannot be. */
TEST_F(call, no_stream_to_another_file_system_makes_no_hole)
{
	struct call c = {.in = self->in, .len = COPY_LEN_EOF, .flags = COPY_RANGE_NO_STREAM};

	ASSERT_EQ(0, ftruncate(self->in, 0));
	ASSERT_EQ(0, ftruncate(self->in, 1 << 20));
	put(self->in, 1 << 20, 4096, IN_SEED);
	c.out = file_open(fixture_dir(), "other", O_RDWR | O_CREAT);
	EXPECT_GT(0, call(&c));
	EXPECT_EQ(0, size_of_fd(c.out));
	EXPECT_EQ(0, c.res.bytes);
	c.flags = 0;
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ((1 << 20) + 4096, c.res.by[COPY_STREAM].bytes);
}

TEST_F(call, no_strategy_left_is_eopnotsupp)
{
	struct call c = {.in = self->in, .out = self->out, .len = 5000};

	c.flags = COPY_RANGE_STRATEGIES;
	EXPECT_EQ(-EOPNOTSUPP, call(&c));
	EXPECT_EQ(0, c.res.bytes);
	EXPECT_EQ(0, size_of_fd(self->out));
	c.len = 0;
	EXPECT_EQ(0, call(&c));
}

TEST_F(call, stream_only_says_nothing_of_the_others)
{
	struct call c = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};

	c.flags = ONLY_STREAM;
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(COPY_STREAM, c.res.how);
	EXPECT_EQ(IN_SIZE, c.res.by[COPY_STREAM].bytes);
	EXPECT_EQ(IN_SIZE, c.res.by[COPY_STREAM].moved);
	for (unsigned s = 0; s < COPY_STRATEGIES; s++)
		EXPECT_NULL(c.res.why[s].reason);
}

/* Whoever comes before the one that moved the bytes was tried, and says why it did not. */
TEST_F(call, every_strategy_tried_has_a_reason)
{
	const unsigned sets[] = {0, COPY_RANGE_FILL_HOLES, COPY_RANGE_PUNCH_ZEROS};

	for (unsigned i = 0; i < ARRAY_SIZE(sets); i++) {
		struct call c = {.in = self->in, .out = self->out, .pos_out = 1, .flags = sets[i]};

		c.len = COPY_LEN_EOF;
		EXPECT_EQ(0, call(&c));
		EXPECT_EQ(IN_SIZE, by_sum(&c.res));
		EXPECT_NE(COPY_CLONE, c.res.how);
		for (unsigned s = 0; s < c.res.how; s++) {
			EXPECT_NE(NULL, c.res.why[s].reason);
			EXPECT_LT(0, c.res.why[s].error);
			EXPECT_LT(0, c.res.why[s].count);
		}
		for (unsigned s = c.res.how + 1; s < COPY_STRATEGIES; s++)
			EXPECT_NULL(c.res.why[s].reason);
	}
}

TEST_F(call, tallies_sum_to_the_bytes)
{
	for (off_t pos = 0; pos < 9000; pos += 1500) {
		struct call c = {.in = self->in, .out = self->out, .pos_in = pos, .len = 60000};

		c.pos_out = pos;
		EXPECT_EQ(0, call(&c));
		EXPECT_EQ(60000, c.res.bytes);
		EXPECT_EQ(60000, by_sum(&c.res));
	}
}

TEST_F(call, to_the_end_from_any_offset)
{
	for_each_way(w)
	{
		struct call c = {.in = self->in, .out = self->out, .pos_in = 12345, .flags = *w};

		c.len = COPY_LEN_EOF;
		EXPECT_EQ(0, call(&c));
		EXPECT_EQ(IN_SIZE - 12345, c.res.bytes);
		EXPECT_EQ(-1, differs(self->out, 0, IN_SIZE - 12345, IN_SEED, 12345));
		c.pos_in = IN_SIZE + 1;
		EXPECT_EQ(0, call(&c));
		EXPECT_EQ(0, c.res.bytes);
	}
}

TEST_F(call, stable_says_that_the_bytes_are_durable)
{
	struct call c = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};

	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(0, c.res.stable);
	c.flags = COPY_RANGE_STABLE;
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(1, c.res.stable);
}

TEST_F(call, every_harmless_flag_copies_the_same)
{
	const unsigned flags[] = {COPY_RANGE_FILL_HOLES, COPY_RANGE_PUNCH_ZEROS, COPY_RANGE_STABLE,
				  COPY_RANGE_RECOMPRESS, COPY_RANGE_VALIDATE,	 COPY_RANGE_SERIAL};

	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		for_each_way(w)
		{
			struct call c = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};

			c.flags = flags[i] | *w;
			EXPECT_EQ(0, call(&c));
			EXPECT_EQ(IN_SIZE, c.res.bytes);
			EXPECT_TRUE(same_bytes(self->in, self->out));
			EXPECT_EQ(0, ftruncate(self->out, 0));
		}
}

/* Opened with IN_SIZE bytes, which then become @size; returns what was copied. */
static uint64_t copied_as_opened(int in, int out, off_t size, unsigned flags)
{
	struct cr_ns *ns = cr_ns_new();
	struct copy_req req = {.len = COPY_LEN_EOF, .flags = flags | COPY_RANGE_AS_OPENED};
	struct copy_result res = {0};
	char name[64];
	int err;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", in);
	err = cr_open(ns, name, O_RDONLY, 0, &req.in);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", out);
	err = err ? err : cr_open(ns, name, O_WRONLY, 0, &req.out);
	if (!err && !ftruncate(in, size))
		err = cr_copy_range(&req, &res);
	cr_close(req.in);
	cr_close(req.out);
	cr_ns_free(ns);
	return err ? UINT64_MAX : res.bytes;
}

TEST_F(call, as_opened_ends_where_the_source_did)
{
	for_each_way(w)
	{
		EXPECT_EQ(IN_SIZE, copied_as_opened(self->in, self->out, IN_SIZE + 5000, *w));
		EXPECT_EQ(IN_SIZE, size_of_fd(self->out));
		ASSERT_EQ(0, ftruncate(self->in, IN_SIZE));
		EXPECT_TRUE(same_bytes(self->in, self->out));
		ASSERT_EQ(0, ftruncate(self->out, 0));
	}
}

TEST_F(call, as_opened_copies_what_is_left_of_a_source_that_shrank)
{
	for_each_way(w)
	{
		put(self->in, 0, IN_SIZE, IN_SEED);
		EXPECT_EQ(5000, copied_as_opened(self->in, self->out, 5000, *w));
		EXPECT_EQ(5000, size_of_fd(self->out));
		EXPECT_TRUE(same_bytes(self->in, self->out));
		ASSERT_EQ(0, ftruncate(self->out, 0));
	}
}

/* FICLONE: EINVAL, which must neither end the copy nor hide the cause. */
TEST_F(call, nocow_source_says_so)
{
	struct call c = {.out = self->out, .len = COPY_LEN_EOF};

	if (strcmp(variant->fs, "btrfs") != 0)
		SKIP(return, "NOCOW is of btrfs");
	c.in = file_open(self->dir, "nocow", O_RDWR | O_CREAT);
	inode_flags(c.in, FS_NOCOW_FL, 0);
	put(c.in, 0, IN_SIZE, 7);
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(IN_SIZE, c.res.bytes);
	EXPECT_EQ(0, c.res.by[COPY_CLONE].bytes);
	EXPECT_TRUE(same_bytes(c.in, self->out));
	EXPECT_EQ(EINVAL, c.res.why[COPY_CLONE].error);
	ASSERT_NE(NULL, c.res.why[COPY_CLONE].reason);
	EXPECT_NE(NULL, strstr(c.res.why[COPY_CLONE].reason, "source is NOCOW"));
}

TEST_F(call, nocow_to_nocow_clones)
{
	struct call c = {.len = COPY_LEN_EOF};

	if (strcmp(variant->fs, "btrfs") != 0)
		SKIP(return, "NOCOW is of btrfs");
	c.in = file_open(self->dir, "nocow", O_RDWR | O_CREAT);
	c.out = file_open(self->dir, "nocow2", O_RDWR | O_CREAT);
	inode_flags(c.in, FS_NOCOW_FL, 0);
	inode_flags(c.out, FS_NOCOW_FL, 0);
	put(c.in, 0, IN_SIZE, 7);
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(IN_SIZE, c.res.by[COPY_CLONE].bytes);
}

COPYTEST_MAIN("btrfs", "xfs", "ext4", "tmpfs")
