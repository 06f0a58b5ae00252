// SPDX-License-Identifier: GPL-2.0-or-later
/* The stream as a strategy: what it asks of files, and how it goes about them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "kernel/core.h"
#include "kselftest_harness.h"
#include "toy.h"

#define KIB	    ((uint64_t)1 << 10)
#define MIB	    ((uint64_t)1 << 20)
#define STREAM_ONLY (COPY_RANGE_STRATEGIES & ~COPY_RANGE_NO_STREAM)

FIXTURE(toys)
{
	struct toy in, out;
	struct copy_req req;
	struct copy_result res;
};

FIXTURE_SETUP(toys)
{
	ASSERT_EQ(0, toy_make(&self->in, 6 * MIB));
	ASSERT_EQ(0, toy_make(&self->out, 0));
	self->req = (struct copy_req){.in = &self->in.f, .out = &self->out.f, .len = 6 * MIB};
}

FIXTURE_TEARDOWN(toys)
{
	toy_free(&self->in);
	toy_free(&self->out);
}

/* Trees of small files: one read, one write, and not a question more. */
TEST_F(toys, a_small_file_is_one_read_and_one_write)
{
	static const uint64_t lens[] = {1, 10, 4096, 64 * KIB, 64 * KIB + 1, 256 * KIB};

	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		struct copy_result res = {0};

		self->in.reads = self->out.writes = 0;
		self->req.len = lens[i];
		EXPECT_EQ(0, stream_copy(&self->req, &res));
		EXPECT_EQ(lens[i], res.bytes);
		EXPECT_EQ(1, self->in.reads);
		EXPECT_EQ(1, self->out.writes);
	}
	EXPECT_EQ(0, self->in.seeks + self->in.getattrs);
	EXPECT_EQ(0, self->out.seeks + self->out.getattrs + self->out.truncates);
	EXPECT_EQ(0, memcmp(self->in.data, self->out.data, 256 * KIB));
}

TEST_F(toys, a_small_file_with_zeros_is_searched_for_holes)
{
	self->req.len = 32 * KIB;
	memset(self->in.data + 8 * KIB, 0, 4 * KIB);
	EXPECT_EQ(0, stream_copy(&self->req, &self->res));
	EXPECT_LT(0, self->in.seeks);
	EXPECT_EQ(32 * KIB, self->res.bytes);
	EXPECT_EQ(0, memcmp(self->in.data, self->out.data, 32 * KIB));
}

TEST_F(toys, fill_holes_never_searches)
{
	self->req.flags = COPY_RANGE_FILL_HOLES;
	memset(self->in.data + 8 * KIB, 0, 4 * KIB);
	EXPECT_EQ(0, stream_copy(&self->req, &self->res));
	self->req.len = 32 * KIB;
	EXPECT_EQ(0, stream_copy(&self->req, &self->res));
	EXPECT_EQ(0, self->in.seeks);
}

TEST_F(toys, all_bytes_arrive_by_any_number_of_workers)
{
	for (unsigned jobs = 0; jobs <= 9; jobs++) {
		struct copy_result res = {0};

		self->req.jobs = jobs;
		ASSERT_EQ(0, cr_truncate(&self->out.f, 0));
		EXPECT_EQ(0, stream_copy(&self->req, &res));
		EXPECT_EQ(6 * MIB, res.bytes);
		EXPECT_EQ(6 * MIB, res.by[COPY_STREAM].moved);
		EXPECT_EQ(0, memcmp(self->in.data, self->out.data, 6 * MIB));
	}
}

TEST_F(toys, serial_writes_in_order)
{
	self->req.flags = COPY_RANGE_SERIAL;
	self->req.jobs = 8;
	EXPECT_EQ(0, stream_copy(&self->req, &self->res));
	EXPECT_EQ(6 * MIB, self->res.bytes);
	EXPECT_EQ(0, self->out.backwards);
}

TEST_F(toys, a_tiny_bound_on_memory_is_kept)
{
	self->req.mem_max = 1;
	self->req.len = 1 * MIB;
	EXPECT_EQ(0, stream_copy(&self->req, &self->res));
	EXPECT_EQ(1 * MIB, self->res.bytes);
	EXPECT_EQ(256, self->out.writes);
	EXPECT_EQ(0, memcmp(self->in.data, self->out.data, 1 * MIB));
}

TEST_F(toys, progress_counts_every_byte_once)
{
	struct copy_progress progress = {0};

	self->req.progress = &progress;
	EXPECT_EQ(0, stream_copy(&self->req, &self->res));
	EXPECT_EQ(6 * MIB, progress.bytes);
	EXPECT_EQ(COPY_STREAM, progress.strategy);
}

TEST_F(toys, a_stop_before_the_first_byte_copies_nothing)
{
	const int stop = 1;

	self->req.stop = &stop;
	EXPECT_EQ(0, stream_copy(&self->req, &self->res));
	EXPECT_EQ(0, self->res.bytes);
	EXPECT_EQ(1, self->res.stopped);
	EXPECT_EQ(0, self->out.writes);
}

/* The end that searches report is not the last word: the file may have grown. */
TEST_F(toys, reading_has_the_last_word_about_the_end)
{
	static const struct toy_seek script[] = {
		{SEEK_DATA, 0}, {SEEK_HOLE, 1 << 20}, {SEEK_DATA, -ENXIO}, {SEEK_HOLE, -ENXIO}};

	self->in.script = script;
	self->in.script_len = ARRAY_SIZE(script);
	EXPECT_EQ(0, stream_copy(&self->req, &self->res));
	EXPECT_EQ(6 * MIB, self->res.bytes);
	EXPECT_EQ(0, memcmp(self->in.data, self->out.data, 6 * MIB));
}

/* A large file of no size: its parts are read in order until there is no more. */
TEST(files_of_proc_are_read_to_their_end)
{
	struct copy_req req = {.len = COPY_LEN_EOF, .flags = STREAM_ONLY};
	char name[300], cmp[400];
	struct copy_result res;
	struct cr_ns *ns = cr_ns_new();

	if (access("/proc/kallsyms", R_OK))
		SKIP(return, "no /proc/kallsyms");
	snprintf(name, sizeof(name), "%s/out", fixture_dir());
	ASSERT_EQ(0, cr_open(ns, "/proc/kallsyms", O_RDONLY, 0, &req.in));
	ASSERT_EQ(0, cr_open(ns, name, O_RDWR | O_CREAT, 0600, &req.out));
	EXPECT_EQ(0, cr_copy_range(&req, &res));
	EXPECT_LT(256 * KIB, res.bytes);
	snprintf(cmp, sizeof(cmp), "cmp /proc/kallsyms %s", name);
	EXPECT_EQ(0, fixture_run("%s", cmp));
	cr_close(req.in);
	cr_close(req.out);
	cr_ns_free(ns);
}

TEST_HARNESS_MAIN
