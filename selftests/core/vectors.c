// SPDX-License-Identifier: GPL-2.0-or-later
/* cr_copy_rangev(): several ranges in one call, as if one call had followed the other. */
#include "kselftest_harness.h"

#include "copytest.h"
#include "fake.h"

#define SIZE 40000

FIXTURE(vec)
{
	struct cr_ns *ns;
	struct copy_req req;
	struct copy_result res;
};

FIXTURE_SETUP(vec)
{
	self->ns = cr_ns_new();
	self->req.in = fake_open(self->ns, "fake:0/in", SIZE, 1);
	self->req.out = fake_open(self->ns, "fake:0/out", 0, 0);
	/* A range would start where another ends: that must not matter. */
	self->req.pos_in = self->req.pos_out = -1;
	self->req.len = 77;
}

FIXTURE_TEARDOWN(vec)
{
	cr_close(self->req.in);
	cr_close(self->req.out);
	cr_ns_free(self->ns);
}

/* Bytes of the target at @pos that are not the source's from @from on. */
static size_t wrong(const struct copy_req *req, int64_t pos, size_t len, int64_t from)
{
	const unsigned char *in = fake_of(req->in)->data + from;
	const unsigned char *out = fake_of(req->out)->data + pos;
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += in[i] != out[i];
	return n;
}

static uint64_t target_size(const struct copy_req *req)
{
	return fake_of(req->out)->size;
}

TEST_F(vec, none)
{
	EXPECT_EQ(0, cr_copy_rangev(&self->req, NULL, 0, &self->res));
	EXPECT_EQ(0, self->res.bytes);
	EXPECT_EQ(0, fake.calls[FAKE_CLONE]);
}

TEST_F(vec, one)
{
	struct copy_vec v = {.pos_in = 100, .pos_out = 200, .len = 1000, .done = 5};

	EXPECT_EQ(0, cr_copy_rangev(&self->req, &v, 1, &self->res));
	EXPECT_EQ(1000, v.done);
	EXPECT_EQ(1000, self->res.bytes);
	EXPECT_EQ(0, wrong(&self->req, 200, 1000, 100));
}

TEST_F(vec, neighbours_are_one_call)
{
	struct copy_vec v[] = {{0, 50, 100, 0}, {100, 150, 200, 0}, {300, 350, 1, 0}};

	EXPECT_EQ(0, cr_copy_rangev(&self->req, v, 3, &self->res));
	EXPECT_EQ(1, fake.calls[FAKE_CLONE]);
	EXPECT_EQ(301, fake.log[0].len);
	EXPECT_EQ(100, v[0].done);
	EXPECT_EQ(200, v[1].done);
	EXPECT_EQ(1, v[2].done);
	EXPECT_EQ(301, self->res.bytes);
	EXPECT_EQ(0, wrong(&self->req, 50, 301, 0));
}

TEST_F(vec, neighbours_on_one_side_only_are_not)
{
	struct copy_vec v[] = {{0, 0, 100, 0}, {100, 200, 100, 0}, {300, 300, 100, 0}};

	EXPECT_EQ(0, cr_copy_rangev(&self->req, v, 3, &self->res));
	EXPECT_EQ(3, fake.calls[FAKE_CLONE]);
	EXPECT_EQ(0, wrong(&self->req, 200, 100, 100));
}

TEST_F(vec, sparse_leaves_the_rest_alone)
{
	struct copy_vec v[] = {{20000, 20000, 10, 0}, {5, 5, 10, 0}, {39990, 39990, 10, 0}};

	content_fill(fake_of(self->req.out)->data, SIZE, 2, 0);
	fake_of(self->req.out)->size = SIZE;
	EXPECT_EQ(0, cr_copy_rangev(&self->req, v, 3, &self->res));
	EXPECT_EQ(30, self->res.bytes);
	EXPECT_EQ(0, wrong(&self->req, 20000, 10, 20000));
	EXPECT_EQ(content(2, 4), fake_of(self->req.out)->data[4]);
	EXPECT_EQ(content(2, 15), fake_of(self->req.out)->data[15]);
	EXPECT_EQ(content(2, 39989), fake_of(self->req.out)->data[39989]);
}

TEST_F(vec, the_last_wins_where_targets_overlap)
{
	struct copy_vec v[] = {{0, 1000, 500, 0}, {5000, 1200, 500, 0}, {9000, 900, 200, 0}};

	EXPECT_EQ(0, cr_copy_rangev(&self->req, v, 3, &self->res));
	EXPECT_EQ(1200, self->res.bytes);
	EXPECT_EQ(0, wrong(&self->req, 900, 200, 9000));
	EXPECT_EQ(0, wrong(&self->req, 1100, 100, 100));
	EXPECT_EQ(0, wrong(&self->req, 1200, 500, 5000));
}

TEST_F(vec, a_later_element_sees_what_an_earlier_wrote)
{
	struct copy_vec v[] = {{0, 1000, 100, 0}, {1000, 2000, 100, 0}, {2000, 3000, 100, 0}};
	struct file *out = self->req.out;

	self->req.out = self->req.in;
	EXPECT_EQ(0, cr_copy_rangev(&self->req, v, 3, &self->res));
	EXPECT_EQ(0, wrong(&self->req, 3000, 100, 0));
	self->req.out = out;
}

/* Joined, they would overlap. */
TEST_F(vec, neighbours_inside_one_file_stay_single)
{
	struct copy_vec v[] = {{0, 100, 100, 0}, {100, 200, 100, 0}};
	struct file *out = self->req.out;

	self->req.out = self->req.in;
	EXPECT_EQ(0, cr_copy_rangev(&self->req, v, 2, &self->res));
	EXPECT_EQ(200, self->res.bytes);
	EXPECT_EQ(2, fake.calls[FAKE_CLONE]);
	EXPECT_EQ(content(1, 5), fake_of(self->req.in)->data[205]);
	self->req.out = out;
}

TEST_F(vec, empty_elements_are_checked_and_skipped)
{
	struct copy_vec v[] = {{0, 0, 100, 0}, {7, 7, 0, 9}, {100, 100, 100, 0}};
	struct copy_vec bad[] = {{0, 300, 100, 0}, {-7, 7, 0, 0}, {100, 400, 100, 0}};

	EXPECT_EQ(0, cr_copy_rangev(&self->req, v, 3, &self->res));
	EXPECT_EQ(200, self->res.bytes);
	EXPECT_EQ(0, v[1].done);
	EXPECT_EQ(-EINVAL, cr_copy_rangev(&self->req, bad, 3, &self->res));
	EXPECT_EQ(100, bad[0].done);
	EXPECT_EQ(0, bad[2].done);
	EXPECT_EQ(400, target_size(&self->req));
}

TEST_F(vec, to_the_end_in_any_element)
{
	struct copy_vec v[] = {{39000, 0, COPY_LEN_EOF, 0},
			       {0, 1000, 10, 0},
			       {39990, 2000, COPY_LEN_EOF, 0},
			       {SIZE, 3000, COPY_LEN_EOF, 0}};

	EXPECT_EQ(0, cr_copy_rangev(&self->req, v, 4, &self->res));
	EXPECT_EQ(1000, v[0].done);
	EXPECT_EQ(10, v[1].done);
	EXPECT_EQ(10, v[2].done);
	EXPECT_EQ(0, v[3].done);
	EXPECT_EQ(1020, self->res.bytes);
	EXPECT_EQ(2010, target_size(&self->req));
}

TEST_F(vec, the_end_inside_joined_elements)
{
	struct copy_vec v[] = {{39900, 0, 50, 0}, {39950, 50, 100, 0}, {40050, 150, 100, 0}};

	EXPECT_EQ(0, cr_copy_rangev(&self->req, v, 3, &self->res));
	EXPECT_EQ(50, v[0].done);
	EXPECT_EQ(50, v[1].done);
	EXPECT_EQ(0, v[2].done);
	EXPECT_EQ(100, target_size(&self->req));
}

TEST_F(vec, the_first_error_ends_it_and_shares_are_told)
{
	struct copy_vec v[] = {
		{0, 0, 3000, 0}, {3000, 3000, 3000, 0}, {6000, 6000, 10, 0}, {0, 20000, 10, 9}};

	fake.script[FAKE_CLONE] = (struct fake_script){.error = EIO, .before_error = 4096};
	EXPECT_EQ(-EIO, cr_copy_rangev(&self->req, v, 4, &self->res));
	EXPECT_EQ(4096, self->res.bytes);
	EXPECT_EQ(3000, v[0].done);
	EXPECT_EQ(1096, v[1].done);
	EXPECT_EQ(0, v[2].done);
	EXPECT_EQ(0, v[3].done);
	EXPECT_EQ(1, fake.calls[FAKE_CLONE]);
}

TEST_F(vec, error_in_a_middle_element)
{
	struct copy_vec v[] = {{0, 0, 100, 0}, {0, -5, 100, 0}, {0, 200, 100, 0}};

	EXPECT_EQ(-EINVAL, cr_copy_rangev(&self->req, v, 3, &self->res));
	EXPECT_EQ(100, v[0].done);
	EXPECT_EQ(0, v[1].done);
	EXPECT_EQ(0, v[2].done);
	EXPECT_EQ(100, self->res.bytes);
}

/* Sums that do not fit an offset: for the sanitizers too. */
TEST_F(vec, huge_numbers)
{
	struct copy_vec v[] = {{INT64_MAX - 5, 0, 100, 0},
			       {INT64_MIN + 94, 100, 100, 0},
			       {0, 0, UINT64_MAX - 1, 0},
			       {-2, -2, 100, 0}};

	EXPECT_EQ(0, cr_copy_rangev(&self->req, v, 1, &self->res));
	EXPECT_EQ(-EINVAL, cr_copy_rangev(&self->req, v, 2, &self->res));
	EXPECT_EQ(-EINVAL, cr_copy_rangev(&self->req, v + 2, 2, &self->res));
	EXPECT_EQ(SIZE, v[2].done);
}

TEST_F(vec, stable_syncs_once_for_all)
{
	struct copy_vec v[] = {{0, 0, 100, 0}, {0, 500, 100, 0}, {0, 700, 100, 0}};

	self->req.flags = COPY_RANGE_STABLE;
	EXPECT_EQ(0, cr_copy_rangev(&self->req, v, 3, &self->res));
	EXPECT_EQ(1, fake.syncs);
	EXPECT_EQ(1, self->res.stable);
}

static int stop_flag;

static void stop_at_second(void)
{
	if (fake.calls[FAKE_CLONE] == 2)
		stop_flag = 1;
}

TEST_F(vec, stop_between_elements)
{
	struct copy_vec v[] = {{0, 0, 100, 0}, {0, 500, 100, 0}, {0, 700, 100, 0}};

	self->req.stop = &stop_flag;
	fake.script[FAKE_CLONE].hook = stop_at_second;
	EXPECT_EQ(0, cr_copy_rangev(&self->req, v, 3, &self->res));
	EXPECT_EQ(1, self->res.stopped);
	EXPECT_EQ(200, self->res.bytes);
	EXPECT_EQ(100, v[1].done);
	EXPECT_EQ(0, v[2].done);
}

/* Any vector against the same elements one by one on another file. */
TEST_F(vec, as_single_calls_in_order)
{
	struct copy_req single = self->req;
	unsigned x = 1;

	single.out = fake_open(self->ns, "fake:0/single", 0, 0);
	for (unsigned round = 0; round < 200; round++) {
		struct copy_vec v[6];
		struct copy_result res;

		for (unsigned i = 0; i < 6; i++) {
			x = x * 1103515245 + 12345;
			v[i].pos_in = (x >> 8) % SIZE;
			v[i].pos_out = (x >> 12) % SIZE;
			v[i].len = x % 5 ? (x >> 16) % 9000 : 0;
			if (i && x % 3 == 0) {
				v[i].pos_in = v[i - 1].pos_in + (int64_t)v[i - 1].len;
				v[i].pos_out = v[i - 1].pos_out + (int64_t)v[i - 1].len;
			}
		}
		EXPECT_EQ(0, cr_copy_rangev(&self->req, v, 6, &self->res));
		for (unsigned i = 0; i < 6; i++) {
			single.pos_in = v[i].pos_in;
			single.pos_out = v[i].pos_out;
			single.len = v[i].len;
			EXPECT_EQ(0, cr_copy_range(&single, &res));
			EXPECT_EQ(res.bytes, v[i].done);
		}
		EXPECT_EQ(target_size(&single), target_size(&self->req));
		ASSERT_EQ(0, memcmp(fake_of(single.out)->data, fake_of(self->req.out)->data,
				    FAKE_MAX));
	}
	cr_close(single.out);
}

TEST_HARNESS_MAIN
