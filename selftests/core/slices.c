// SPDX-License-Identifier: GPL-2.0-or-later
/* slices_run(): pieces over several workers, by a run() that fails on order. */
#include <string.h>
#include <unistd.h>

#include "kernel/core.h"
#include "kselftest_harness.h"
#include "toy.h"

#define MIB   ((uint64_t)1 << 20)
#define SLICE (256u << 10)

FIXTURE(slices)
{
	struct toy in, out;
	struct copy_req req;
	struct copy_result res;
	int stop;
};

FIXTURE_VARIANT(slices)
{
	unsigned jobs, flags;
};

FIXTURE_VARIANT_ADD(slices, inline){.jobs = 1};
FIXTURE_VARIANT_ADD(slices, serial){.jobs = 4, .flags = COPY_RANGE_SERIAL};
FIXTURE_VARIANT_ADD(slices, two){.jobs = 2};
FIXTURE_VARIANT_ADD(slices, eight){.jobs = 8};
FIXTURE_VARIANT_ADD(slices, chosen){.jobs = 0};

/* What run() does when it gets to a place; read by all workers. */
static struct {
	uint64_t fail_at; /* request bytes from pos_out 0 that cannot be copied from here on */
	int error;
	uint64_t most;	  /* bytes of one call */
	uint64_t stop_at; /* sets *stop when it comes here */
	int *stop;
	unsigned slow_first; /* microseconds that calls below fail_at take */
	unsigned calls;
} plan;

FIXTURE_SETUP(slices)
{
	ASSERT_EQ(0, toy_make(&self->in, 4 * MIB + 777));
	ASSERT_EQ(0, toy_make(&self->out, 0));
	self->req = (struct copy_req){.in = &self->in.f,
				      .out = &self->out.f,
				      .len = 4 * MIB + 777,
				      .jobs = variant->jobs,
				      .flags = variant->flags,
				      .stop = &self->stop};
	memset(&plan, 0, sizeof(plan));
	plan.fail_at = plan.stop_at = UINT64_MAX;
	plan.most = UINT64_MAX;
	plan.stop = &self->stop;
}

FIXTURE_TEARDOWN(slices)
{
	toy_free(&self->in);
	toy_free(&self->out);
}

static int toy_copy(const struct copy_req *req, struct copy_result *res)
{
	uint64_t at = (uint64_t)req->pos_out, len = MIN(MIN(req->len, plan.most), (uint64_t)SLICE);
	char buf[SLICE];
	ssize_t n;

	__atomic_fetch_add(&plan.calls, 1, __ATOMIC_RELAXED);
	if (at <= plan.stop_at && plan.stop_at < at + len)
		__atomic_store_n(plan.stop, 1, __ATOMIC_RELAXED);
	if (at >= plan.fail_at)
		return plan.error;
	if (plan.slow_first)
		usleep(plan.slow_first);
	len = MIN(len, plan.fail_at - at);
	n = cr_read(req->in, buf, len, req->pos_in);
	if (n > 0)
		n = cr_write(req->out, buf, (size_t)n, req->pos_out);
	if (n > 0)
		copy_account(req, res, COPY_OFFLOAD, (uint64_t)n, 0);
	return n < 0 ? (int)n : 0;
}

static bool copied(struct toy *in, struct toy *out, uint64_t len)
{
	return !memcmp(in->data, out->data, len);
}

TEST_F(slices, copy_all)
{
	EXPECT_EQ(0, slices_run(&self->req, &self->res, SLICE, toy_copy));
	EXPECT_EQ(self->req.len, self->res.bytes);
	EXPECT_EQ(self->req.len, self->res.by[COPY_OFFLOAD].bytes);
	EXPECT_EQ(self->req.len, self->out.size);
	EXPECT_TRUE(copied(&self->in, &self->out, self->req.len));
}

TEST_F(slices, go_on_after_short_calls)
{
	plan.most = 10007;
	EXPECT_EQ(0, slices_run(&self->req, &self->res, SLICE, toy_copy));
	EXPECT_EQ(self->req.len, self->res.bytes);
	EXPECT_TRUE(copied(&self->in, &self->out, self->req.len));
}

/* The error of the lowest place, the exact count, and nothing of the file beyond it. */
TEST_F(slices, end_at_an_error)
{
	static const uint64_t places[] = {
		0,	 1,	  SLICE - 1, SLICE,	     SLICE + 1,	  MIB,
		MIB + 5, 2 * MIB, 3 * MIB,   3 * MIB + 4095, 4 * MIB + 1, 4 * MIB + 776};

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		struct copy_result res = {0};

		self->out.size = 0;
		plan.fail_at = places[i];
		plan.error = -EIO;
		plan.slow_first = 100;
		EXPECT_EQ(-EIO, slices_run(&self->req, &res, SLICE, toy_copy));
		EXPECT_EQ(places[i], res.bytes);
		EXPECT_EQ(places[i], res.by[COPY_OFFLOAD].bytes);
		EXPECT_EQ(places[i], self->out.size);
		EXPECT_TRUE(copied(&self->in, &self->out, places[i]));
	}
}

TEST_F(slices, keep_what_the_target_had_beyond_an_error)
{
	ASSERT_EQ(0, cr_truncate(self->req.out, 2 * MIB));
	plan.fail_at = MIB + 5;
	plan.error = -EIO;
	EXPECT_EQ(-EIO, slices_run(&self->req, &self->res, SLICE, toy_copy));
	EXPECT_EQ(MIB + 5, self->res.bytes);
	EXPECT_EQ(2 * MIB, self->out.size);
}

/* Not even the place where it would have begun. */
TEST_F(slices, leave_the_size_alone_when_nothing_was_copied)
{
	self->req.pos_out = 70001;
	self->req.len = 4 * MIB;
	plan.fail_at = 70001;
	plan.error = -EIO;
	EXPECT_EQ(-EIO, slices_run(&self->req, &self->res, SLICE, toy_copy));
	EXPECT_EQ(0, self->res.bytes);
	EXPECT_EQ(0, self->out.size);
}

/* Someone else wrote beyond all that this copy could have written. */
static int toy_copy_while_another_extends(const struct copy_req *req, struct copy_result *res)
{
	int err = toy_copy(req, res);

	if (err)
		cr_write(req->out, "x", 1, 6 * MIB);
	return err;
}

TEST_F(slices, leave_a_file_that_another_extended)
{
	plan.fail_at = MIB + 5;
	plan.error = -EIO;
	EXPECT_EQ(-EIO, slices_run(&self->req, &self->res, SLICE, toy_copy_while_another_extends));
	EXPECT_EQ(MIB + 5, self->res.bytes);
	EXPECT_EQ(6 * MIB + 1, self->out.size);
}

TEST_F(slices, say_a_refusal_before_any_worker_starts)
{
	plan.fail_at = 0;
	plan.error = -EXDEV;
	EXPECT_EQ(-EXDEV, slices_run(&self->req, &self->res, SLICE, toy_copy));
	EXPECT_EQ(0, self->res.bytes);
	EXPECT_EQ(1, plan.calls);
	EXPECT_EQ(0, self->out.writes);
}

TEST_F(slices, count_a_refusal_after_a_part_as_progress)
{
	plan.fail_at = 3 * MIB + 1;
	plan.error = -EOPNOTSUPP;
	EXPECT_EQ(0, slices_run(&self->req, &self->res, SLICE, toy_copy));
	EXPECT_EQ(3 * MIB + 1, self->res.bytes);
}

TEST_F(slices, end_where_the_source_shrank_to)
{
	self->in.size = 2 * MIB + 99;
	EXPECT_EQ(0, slices_run(&self->req, &self->res, SLICE, toy_copy));
	EXPECT_EQ(2 * MIB + 99, self->res.bytes);
	EXPECT_EQ(2 * MIB + 99, self->out.size);
	EXPECT_EQ(0, self->res.stopped);
}

TEST_F(slices, stop_soon_with_an_exact_count)
{
	plan.stop_at = MIB;
	EXPECT_EQ(0, slices_run(&self->req, &self->res, SLICE, toy_copy));
	EXPECT_EQ(1, self->res.stopped);
	EXPECT_LE(MIB, self->res.bytes);
	EXPECT_GT(self->req.len, self->res.bytes);
	EXPECT_EQ(self->res.bytes, self->out.size);
	EXPECT_TRUE(copied(&self->in, &self->out, self->res.bytes));
}

TEST_F(slices, do_nothing_when_stopped_before)
{
	self->stop = 1;
	EXPECT_EQ(0, slices_run(&self->req, &self->res, SLICE, toy_copy));
	EXPECT_EQ(1, self->res.stopped);
	EXPECT_EQ(0, self->res.bytes);
	EXPECT_EQ(0, plan.calls);
}

TEST_F(slices, report_progress_of_every_byte)
{
	struct copy_progress progress = {0};

	self->req.progress = &progress;
	EXPECT_EQ(0, slices_run(&self->req, &self->res, SLICE, toy_copy));
	EXPECT_EQ(self->req.len, progress.bytes);
}

TEST_F(slices, of_one_piece_ask_for_nothing)
{
	self->req.len = SLICE;
	EXPECT_EQ(0, slices_run(&self->req, &self->res, SLICE, toy_copy));
	EXPECT_EQ(1, plan.calls);
	EXPECT_EQ(0, self->in.getattrs + self->out.getattrs);
}

TEST_HARNESS_MAIN
