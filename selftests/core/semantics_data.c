// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the bytes of a copy come from and where they lie: holes, shared blocks, ragged ends. */
#include <linux/fs.h>

#include "call.h"

#define MIB  ((off_t)1 << 20)
#define KEEP 65536 /* what a file system may add to the storage of a few small islands */

/* Data of 4 KiB at each of these places of a file of 64 MiB, so holes lead, part, and trail. */
static const off_t islands[] = {5 * MIB, 20 * MIB + 8192, 33 * MIB};

static void make_sparse(int fd)
{
	ftruncate(fd, 0);
	ftruncate(fd, 64 * MIB);
	for (unsigned i = 0; i < ARRAY_SIZE(islands); i++)
		put(fd, islands[i], 4096, IN_SEED);
}

TEST_F(call, holes_stay_holes)
{
	make_sparse(self->in);
	for_each_way(w)
	{
		struct call c = {.in = self->in, .out = self->out, .len = 64 * MIB, .flags = *w};

		EXPECT_EQ(0, call(&c));
		EXPECT_EQ(64 * MIB, c.res.bytes);
		EXPECT_TRUE(same_bytes(self->in, self->out));
		EXPECT_GE(blocks_of(self->in) + 3 * KEEP, blocks_of(self->out));
		if (c.res.how != COPY_CLONE)
			EXPECT_LE(63 * MIB, c.res.holes);
		EXPECT_EQ(0, ftruncate(self->out, 0));
	}
}

TEST_F(call, file_of_one_hole)
{
	ftruncate(self->in, 0);
	ftruncate(self->in, 64 * MIB + 1);
	for_each_way(w)
	{
		off_t a = 0, b = 3;

		EXPECT_EQ(64 * MIB + 1, copy_range(self->in, &a, self->out, &b, SIZE_MAX, *w));
		EXPECT_EQ(64 * MIB + 4, size_of_fd(self->out));
		EXPECT_GE(2 * KEEP, blocks_of(self->out));
		EXPECT_EQ(0, ftruncate(self->out, 0));
	}
}

TEST_F(call, holes_replace_data_of_the_target)
{
	make_sparse(self->in);
	for_each_way(w)
	{
		off_t a = 0, b = 0;

		uint64_t before;

		put(self->out, 0, 34 * MIB, 2);
		before = blocks_of(self->out);
		EXPECT_EQ(33 * MIB + 4096,
			  copy_range(self->in, &a, self->out, &b, 33 * MIB + 4096, *w));
		EXPECT_EQ(-1, not_zero(self->out, 0, (size_t)islands[0]));
		for (unsigned i = 0; i < ARRAY_SIZE(islands); i++)
			EXPECT_EQ(-1, differs(self->out, islands[i], 4096, IN_SEED, islands[i]));
		EXPECT_EQ(-1, differs(self->out, b, (size_t)(34 * MIB - b), 2, b));
		EXPECT_LE(blocks_of(self->out) + 32 * MIB, before);
	}
}

/* A hole of less than a block, and at odd offsets, is zeros in the target. */
TEST_F(call, holes_at_odd_offsets)
{
	make_sparse(self->in);
	for_each_way(w)
	{
		off_t a = islands[1] - 5000, b = 777;

		put(self->out, 0, 20000, 2);
		EXPECT_EQ(12345, copy_range(self->in, &a, self->out, &b, 12345, *w));
		EXPECT_EQ(-1, differs(self->out, 0, 777, 2, 0));
		EXPECT_EQ(-1, not_zero(self->out, 777, 5000));
		EXPECT_EQ(-1, differs(self->out, 5777, 4096, IN_SEED, islands[1]));
		EXPECT_EQ(-1, not_zero(self->out, 9873, 12345 - 9096));
		EXPECT_EQ(-1, differs(self->out, b, (size_t)(20000 - b), 2, b));
	}
}

TEST_F(call, fill_holes_writes_every_byte)
{
	struct call c = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};

	ftruncate(self->in, 16 * MIB);
	c.flags = COPY_RANGE_FILL_HOLES;
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(16 * MIB, c.res.bytes);
	EXPECT_EQ(0, c.res.holes);
	EXPECT_LE(16 * MIB, blocks_of(self->out));
	EXPECT_TRUE(same_bytes(self->in, self->out));
}

TEST_F(call, punch_zeros_makes_holes_of_zeros)
{
	struct call c = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};
	static char zeros[1 << 20];

	for (off_t at = 0; at < 16 * MIB; at += MIB)
		ASSERT_EQ(MIB, pwrite(self->in, zeros, sizeof(zeros), at));
	put(self->in, 7 * MIB, 4096, IN_SEED);
	c.flags = COPY_RANGE_PUNCH_ZEROS;
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(16 * MIB, c.res.bytes);
	EXPECT_GE(2 * KEEP, blocks_of(self->out));
	EXPECT_TRUE(same_bytes(self->in, self->out));
}

/* Bytes that clone and nothing else accounts for, and that the file system agrees to. */
#define EXPECT_SHARED(c, at, len_)                                                                 \
	do {                                                                                       \
		EXPECT_EQ(len_, (c).res.by[COPY_CLONE].bytes);                                     \
		EXPECT_EQ(len_, shared_bytes((c).out, at, len_));                                  \
	} while (0)

TEST_F(call, ragged_tail_to_eof_is_cloned)
{
	struct call c = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};

	if (!variant->clones)
		SKIP(return, "%s has no clones", variant->fs);
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(IN_SIZE, c.res.bytes);
	EXPECT_EQ(IN_SIZE, c.res.by[COPY_CLONE].bytes);
	EXPECT_EQ(98304, shared_bytes(self->out, 0, 98304));
	EXPECT_TRUE(same_bytes(self->in, self->out));
}

TEST_F(call, unaligned_start_and_end_clone_the_body)
{
	struct call c = {.in = self->in, .out = self->out, .pos_in = 1000, .pos_out = 5096};

	if (!variant->clones)
		SKIP(return, "%s has no clones", variant->fs);
	c.len = 50000;
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(50000, c.res.bytes);
	EXPECT_SHARED(c, 8192, 45056); /* 4096..49152 of the source */
	EXPECT_EQ(4944, c.res.by[COPY_OFFLOAD].bytes);
	EXPECT_EQ(0, c.res.by[COPY_STREAM].bytes);
	EXPECT_EQ(-1, differs(self->out, 5096, 50000, IN_SEED, 1000));
	EXPECT_EQ(-1, not_zero(self->out, 0, 5096));
}

TEST_F(call, unaligned_body_is_cloned_beside_a_stream)
{
	struct call c = {.in = self->in, .out = self->out, .pos_in = 1000, .pos_out = 1000};

	if (!variant->clones)
		SKIP(return, "%s has no clones", variant->fs);
	c.len = 50000;
	c.flags = COPY_RANGE_NO_OFFLOAD;
	EXPECT_EQ(0, call(&c));
	EXPECT_SHARED(c, 4096, 45056);
	EXPECT_EQ(4944, c.res.by[COPY_STREAM].bytes);
	EXPECT_EQ(-1, differs(self->out, 1000, 50000, IN_SEED, 1000));
}

/* The kernel's call stops short at the last block here. */
TEST_F(call, tail_inside_a_longer_target)
{
	struct call c = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};

	put(self->out, 0, 2 * IN_SIZE, 2);
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(IN_SIZE, c.res.bytes);
	if (variant->clones)
		EXPECT_SHARED(c, 0, 98304);
	EXPECT_EQ(-1, differs(self->out, 0, IN_SIZE, IN_SEED, 0));
	EXPECT_EQ(-1, differs(self->out, IN_SIZE, IN_SIZE, 2, IN_SIZE));
}

TEST_F(call, different_phases_cannot_clone)
{
	struct call c = {.in = self->in, .out = self->out, .pos_out = 1, .len = COPY_LEN_EOF};

	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(IN_SIZE, c.res.bytes);
	EXPECT_EQ(0, c.res.by[COPY_CLONE].bytes);
	EXPECT_EQ(-1, differs(self->out, 1, IN_SIZE, IN_SEED, 0));
}

/* Nothing of a file that was written a moment ago is lost: data is not on the device yet. */
TEST_F(call, unflushed_data_is_copied)
{
	for_each_way(w)
	{
		off_t a = 0, b = 0;

		put(self->in, 0, IN_SIZE, 5);
		EXPECT_EQ(IN_SIZE, copy_range(self->in, &a, self->out, &b, SIZE_MAX, *w));
		EXPECT_EQ(-1, differs(self->out, 0, IN_SIZE, 5, 0));
	}
}

TEST_F(call, preallocated_extents_are_zeros)
{
	ASSERT_EQ(0, posix_fallocate(self->in, 0, 16 * MIB));
	for_each_way(w)
	{
		off_t a = 0, b = 0;

		EXPECT_EQ(16 * MIB, copy_range(self->in, &a, self->out, &b, SIZE_MAX, *w));
		EXPECT_TRUE(same_bytes(self->in, self->out));
		EXPECT_EQ(0, ftruncate(self->out, 0));
	}
}

COPYTEST_MAIN("btrfs", "xfs", "ext4", "tmpfs")
