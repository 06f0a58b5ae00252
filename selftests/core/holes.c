// SPDX-License-Identifier: GPL-2.0-or-later
/* Holes: what a source says about them, and making them in a target. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "kernel/core.h"
#include "kselftest_harness.h"
#include "toy.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* What is asked of a source of 1 MiB at 4096 for 100000 bytes, its answers, and what follows. */
struct answers {
	const char *name;
	struct toy_seek seek[3];
	unsigned n;
	uint64_t len;
	bool hole;
};

static const struct answers rows[] = {
	{"all data", {{SEEK_DATA, 4096}, {SEEK_HOLE, 1048576}}, 2, 100000, false},
	{"data, then a hole", {{SEEK_DATA, 4096}, {SEEK_HOLE, 8192}}, 2, 4096, false},
	{"a hole, then data", {{SEEK_DATA, 8192}}, 1, 4096, true},
	{"a hole beyond the request", {{SEEK_DATA, 900000}}, 1, 100000, true},
	{"a hole to the end", {{SEEK_DATA, -ENXIO}, {SEEK_HOLE, 4096}}, 2, 100000, true},
	{"an end that is no hole", {{SEEK_DATA, -ENXIO}, {SEEK_HOLE, -ENXIO}}, 2, 100000, false},
	{"cannot search", {{SEEK_DATA, -EINVAL}}, 1, 100000, false},
	{"search fails", {{SEEK_DATA, -EIO}}, 1, 100000, false},
	{"data backwards", {{SEEK_DATA, 4095}}, 1, 100000, false},
	{"hole where data was", {{SEEK_DATA, 4096}, {SEEK_HOLE, 4096}}, 2, 100000, false},
	{"hole backwards", {{SEEK_DATA, 4096}, {SEEK_HOLE, 0}}, 2, 100000, false},
	{"shorter meanwhile", {{SEEK_DATA, 4096}, {SEEK_HOLE, -ENXIO}}, 2, 100000, false},
};

TEST(a_search_always_leads_forward)
{
	struct toy in;

	ASSERT_EQ(0, toy_make(&in, MIB));
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct copy_req req = {.in = &in.f, .pos_in = 4096, .len = 100000};
		struct segment seg;

		in.seeks = 0;
		in.script = rows[i].seek;
		in.script_len = rows[i].n;
		EXPECT_EQ(0, segment_next(&req, &seg));
		EXPECT_EQ(rows[i].len, seg.len)
		{
			TH_LOG("%s", rows[i].name);
		}
		EXPECT_EQ(rows[i].hole, seg.hole)
		{
			TH_LOG("%s", rows[i].name);
		}
	}
	toy_free(&in);
}

TEST(the_end_of_the_source_is_a_length_of_zero)
{
	struct copy_req req = {.pos_in = MIB, .len = 5};
	struct segment seg;
	struct toy in;

	ASSERT_EQ(0, toy_make(&in, MIB));
	req.in = &in.f;
	EXPECT_EQ(0, segment_next(&req, &seg));
	EXPECT_EQ(0, seg.len);
	req.pos_in = 0;
	req.len = 0;
	EXPECT_EQ(0, segment_next(&req, &seg));
	EXPECT_EQ(0, seg.len);
	toy_free(&in);
}

TEST(a_length_to_the_end_does_not_overflow)
{
	struct copy_req req = {.pos_in = 4096, .len = COPY_LEN_EOF};
	const struct toy_seek script[] = {{SEEK_DATA, -EINVAL}};
	struct segment seg;
	struct toy in;

	ASSERT_EQ(0, toy_make(&in, MIB));
	in.script = script;
	in.script_len = 1;
	req.in = &in.f;
	EXPECT_EQ(0, segment_next(&req, &seg));
	EXPECT_EQ(INT64_MAX - 4096, seg.len);
	toy_free(&in);
}

/* Making holes in a toy: what is called. */
FIXTURE(make)
{
	struct toy out;
	struct copy_req req;
};

FIXTURE_SETUP(make)
{
	ASSERT_EQ(0, toy_make(&self->out, MIB));
	self->req.out = &self->out.f;
}

FIXTURE_TEARDOWN(make)
{
	toy_free(&self->out);
}

TEST_F(make, beyond_the_end_nothing_is_punched)
{
	self->req.pos_out = MIB;
	EXPECT_EQ(0, hole_make(&self->req, 100 * GIB));
	EXPECT_EQ(MIB + 100 * GIB, self->out.size);
	EXPECT_EQ(0, self->out.allocates);
	EXPECT_EQ(0, self->out.writes);
	EXPECT_EQ(1, self->out.truncates);
}

TEST_F(make, inside_the_file_only_the_range_is_zero)
{
	char was = self->out.data[4999], next = self->out.data[15000];

	self->req.pos_out = 5000;
	EXPECT_EQ(0, hole_make(&self->req, 10000));
	EXPECT_EQ(MIB, self->out.size);
	EXPECT_EQ(was, self->out.data[4999]);
	EXPECT_EQ(0, self->out.data[5000]);
	EXPECT_EQ(0, self->out.data[14999]);
	EXPECT_EQ(next, self->out.data[15000]);
	EXPECT_EQ(0, self->out.truncates);
}

TEST_F(make, across_the_end_punches_and_extends)
{
	self->req.pos_out = MIB - 10;
	EXPECT_EQ(0, hole_make(&self->req, 3 * MIB));
	EXPECT_EQ(4 * MIB - 10, self->out.size);
	EXPECT_EQ(1, self->out.allocates);
	EXPECT_EQ(0, self->out.data[MIB - 1]);
	EXPECT_NE(0, self->out.data[MIB - 11]);
}

TEST_F(make, a_refused_punch_is_zeros_written)
{
	self->out.punch_error = -EOPNOTSUPP;
	self->req.pos_out = 5000;
	EXPECT_EQ(0, hole_make(&self->req, MIB - 5000));
	EXPECT_EQ(MIB, self->out.size);
	EXPECT_LE(1, self->out.writes);
	for (size_t i = 5000; i < MIB; i++)
		ASSERT_EQ(0, self->out.data[i]);
	EXPECT_NE(0, self->out.data[4999]);
}

TEST_F(make, beyond_the_largest_file_is_an_error)
{
	self->req.pos_out = MIB;
	EXPECT_EQ(-EFBIG, hole_make(&self->req, (uint64_t)INT64_MAX));
	EXPECT_EQ(MIB, self->out.size);
}

TEST_F(make, of_no_length_asks_nothing)
{
	EXPECT_EQ(0, hole_make(&self->req, 0));
	EXPECT_EQ(0, self->out.getattrs);
}

/* On real file systems. */
FIXTURE(fs)
{
	const char *dir;
	struct cr_ns *ns;
	struct copy_req req;
	struct copy_result res;
	int in, out;
};

FIXTURE_VARIANT(fs)
{
	const char *type;
	unsigned flags;
};

#define STREAM_ONLY (COPY_RANGE_STRATEGIES & ~COPY_RANGE_NO_STREAM)
#define OFFLOAD	    (STREAM_ONLY & ~COPY_RANGE_NO_OFFLOAD)

FIXTURE_VARIANT_ADD(fs, ext4_stream){.type = "ext4", .flags = STREAM_ONLY};
FIXTURE_VARIANT_ADD(fs, ext4_offload){.type = "ext4", .flags = OFFLOAD};
FIXTURE_VARIANT_ADD(fs, xfs_stream){.type = "xfs", .flags = STREAM_ONLY};
FIXTURE_VARIANT_ADD(fs, btrfs_stream){.type = "btrfs", .flags = STREAM_ONLY};
FIXTURE_VARIANT_ADD(fs, tmpfs_stream){.type = "tmpfs", .flags = STREAM_ONLY};
FIXTURE_VARIANT_ADD(fs, tmpfs_offload){.type = "tmpfs", .flags = OFFLOAD};

FIXTURE_SETUP(fs)
{
	char name[256];

	/* What XFS reserves beyond the end of a growing file would count as stored. */
	self->dir = fixture_fs(variant->type, 320,
			       strcmp(variant->type, "xfs") ? NULL : "allocsize=4k");
	if (!self->dir)
		SKIP(return, "%s", fixture_why());
	snprintf(name, sizeof(name), "%s/in", self->dir);
	self->in = open(name, O_RDWR | O_CREAT, 0600);
	snprintf(name, sizeof(name), "%s/out", self->dir);
	self->out = open(name, O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, self->in);
	ASSERT_LE(0, self->out);
	self->ns = cr_ns_new();
	ASSERT_EQ(0, cr_open_fd(self->ns, self->in, &self->req.in));
	ASSERT_EQ(0, cr_open_fd(self->ns, self->out, &self->req.out));
	self->req.len = COPY_LEN_EOF;
	self->req.flags = variant->flags;
}

FIXTURE_TEARDOWN(fs)
{
	if (!self->dir)
		return;
	cr_close(self->req.in);
	cr_close(self->req.out);
	cr_ns_free(self->ns);
	close(self->in);
	close(self->out);
}

static void put(int fd, off_t pos, size_t len)
{
	char buf[65536];

	memset(buf, 'x', sizeof(buf));
	while (len) {
		ssize_t n = pwrite(fd, buf, MIN(len, sizeof(buf)), pos);

		if (n <= 0)
			_exit(99);
		pos += n;
		len -= (size_t)n;
	}
}

static uint64_t stored(int fd)
{
	struct stat st;

	fsync(fd);
	fstat(fd, &st);
	return (uint64_t)st.st_blocks * 512;
}

static uint64_t size(int fd)
{
	struct stat st;

	fstat(fd, &st);
	return (uint64_t)st.st_size;
}

static bool equal(int a, int b, uint64_t pos, size_t len)
{
	char x[65536], y[65536];

	while (len) {
		ssize_t n = pread(a, x, MIN(len, sizeof(x)), (off_t)pos);

		if (n <= 0 || pread(b, y, (size_t)n, (off_t)pos) != n || memcmp(x, y, (size_t)n))
			return false;
		pos += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

TEST_F(fs, a_sparse_image_costs_its_data)
{
	ASSERT_EQ(0, ftruncate(self->in, 100 * GIB));
	for (unsigned i = 0; i < 16; i++)
		put(self->in, (off_t)(i * 6 * GIB + i * 4096), MIB);
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(100 * GIB, self->res.bytes);
	EXPECT_EQ(100 * GIB - 16 * MIB, self->res.holes);
	EXPECT_EQ(100 * GIB, size(self->out));
	EXPECT_GT(20 * MIB, stored(self->out));
	for (unsigned i = 0; i < 16; i++)
		EXPECT_TRUE(equal(self->in, self->out, i * 6 * GIB, 2 * MIB));
}

TEST_F(fs, a_hole_at_the_end_is_part_of_the_file)
{
	put(self->in, 0, MIB);
	ASSERT_EQ(0, ftruncate(self->in, 3 * MIB + 5));
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(3 * MIB + 5, self->res.bytes);
	EXPECT_EQ(3 * MIB + 5, size(self->out));
	EXPECT_TRUE(equal(self->in, self->out, 0, 3 * MIB + 5));
}

TEST_F(fs, a_file_that_is_one_hole_stays_one)
{
	ASSERT_EQ(0, ftruncate(self->in, 200000));
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(200000, self->res.bytes);
	EXPECT_EQ(200000, size(self->out));
	EXPECT_GE(4096, stored(self->out)); /* of the last block, which is not whole */
}

TEST_F(fs, a_file_that_is_one_hole_of_blocks_has_none)
{
	ASSERT_EQ(0, ftruncate(self->in, 196608));
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(196608, size(self->out));
	EXPECT_EQ(0, stored(self->out));
}

TEST_F(fs, a_small_file_keeps_its_hole)
{
	put(self->in, 0, 4096);
	put(self->in, 65536, 4096);
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(65536 + 4096, self->res.bytes);
	EXPECT_TRUE(equal(self->in, self->out, 0, 65536 + 4096));
	EXPECT_GE(stored(self->in), stored(self->out));
}

TEST_F(fs, holes_over_old_data_read_as_zeros)
{
	put(self->out, 0, 8 * MIB);
	put(self->in, 2 * MIB, MIB);
	ASSERT_EQ(0, ftruncate(self->in, 6 * MIB + 100));
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(6 * MIB + 100, self->res.bytes);
	EXPECT_TRUE(equal(self->in, self->out, 0, 6 * MIB + 100));
	EXPECT_EQ(8 * MIB, size(self->out));
	EXPECT_GT(4 * MIB, stored(self->out));
}

TEST_F(fs, fill_holes_stores_every_byte)
{
	if (!strcmp(variant->type, "btrfs"))
		SKIP(return, "small zero files of btrfs may be stored inline");
	self->req.flags |= COPY_RANGE_FILL_HOLES;
	put(self->in, 0, 4096);
	ASSERT_EQ(0, ftruncate(self->in, 3 * MIB));
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(0, self->res.holes);
	EXPECT_LE(3 * MIB, stored(self->out));
	EXPECT_TRUE(equal(self->in, self->out, 0, 3 * MIB));
}

TEST_F(fs, written_zeros_become_holes_on_request)
{
	char zeros[65536] = {0};

	self->req.flags |= COPY_RANGE_PUNCH_ZEROS;
	for (unsigned i = 0; i < 64; i++)
		ASSERT_EQ(65536, pwrite(self->in, zeros, sizeof(zeros), i * 65536));
	put(self->in, 0, 5000);
	put(self->in, MIB + 300, 4096);
	put(self->in, 3 * MIB, 4096);
	put(self->out, 0, MIB);
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(4 * MIB, self->res.bytes);
	EXPECT_EQ(4 * MIB, size(self->out));
	EXPECT_TRUE(equal(self->in, self->out, 0, 4 * MIB));
	EXPECT_GE(40 * KIB, stored(self->out));
}

/* The same from unaligned places, where the blocks of the target count. */
TEST_F(fs, zeros_at_odd_places_become_holes_too)
{
	char zeros[65536] = {0};

	self->req.flags |= COPY_RANGE_PUNCH_ZEROS;
	self->req.pos_out = 333;
	self->req.pos_in = 77;
	for (unsigned i = 0; i < 32; i++)
		ASSERT_EQ(65536, pwrite(self->in, zeros, sizeof(zeros), i * 65536));
	put(self->in, MIB, 10000);
	put(self->out, 0, 4 * MIB);
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(2 * MIB - 77, self->res.bytes);
	for (uint64_t i = 0; i < 2 * MIB - 77; i += 1000) {
		char a, b;

		ASSERT_EQ(1, pread(self->in, &a, 1, (off_t)(77 + i)));
		ASSERT_EQ(1, pread(self->out, &b, 1, (off_t)(333 + i)));
		ASSERT_EQ(a, b);
	}
	EXPECT_GE(2 * MIB + 40 * KIB, stored(self->out));
}

TEST_HARNESS_MAIN
