// SPDX-License-Identifier: GPL-2.0-or-later
/* The core's table of strategies: who is asked, how often, and what becomes of each answer. */
#include "kselftest_harness.h"

#include "copytest.h"
#include "fake.h"
#include "vfs.h"

#define SIZE 40000

FIXTURE(table)
{
	struct cr_ns *ns;
	struct file *in, *out;
	struct copy_req req;
	struct copy_result res;
};

FIXTURE_SETUP(table)
{
	self->ns = cr_ns_new();
	self->in = fake_open(self->ns, "fake:0/in", SIZE, 1);
	self->out = fake_open(self->ns, "fake:0/out", 0, 0);
	self->req = (struct copy_req){.in = self->in, .out = self->out, .len = COPY_LEN_EOF};
}

FIXTURE_TEARDOWN(table)
{
	cr_close(self->in);
	cr_close(self->out);
	cr_ns_free(self->ns);
}

static bool copied(const struct copy_req *req, uint64_t len)
{
	return fake_of(req->out)->size >= (uint64_t)req->pos_out + len &&
	       !memcmp(fake_of(req->in)->data + req->pos_in, fake_of(req->out)->data + req->pos_out,
		       len);
}

static void refuse(enum fake_way way, enum copy_scope scope, int error)
{
	fake.script[way] =
		(struct fake_script){.refuse = "on order", .scope = scope, .error = error};
}

TEST_F(table, the_first_that_can_does_it)
{
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(SIZE, self->res.bytes);
	EXPECT_EQ(COPY_CLONE, self->res.how);
	EXPECT_EQ(1, fake.calls[FAKE_CLONE]);
	EXPECT_EQ(0, fake.calls[FAKE_OFFLOAD] + fake.reads);
	EXPECT_TRUE(copied(&self->req, SIZE));
	for (unsigned s = 0; s < COPY_STRATEGIES; s++)
		EXPECT_NULL(self->res.why[s].reason);
}

TEST_F(table, who_does_part_is_asked_for_the_rest)
{
	fake.script[FAKE_CLONE].most = 16384;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(SIZE, self->res.by[COPY_CLONE].bytes);
	EXPECT_EQ(3, self->res.by[COPY_CLONE].ranges);
	EXPECT_EQ(3, fake.calls[FAKE_CLONE]);
}

TEST_F(table, refusal_of_a_mount_is_remembered)
{
	struct file *other = fake_open(self->ns, "fake:1/out", 0, 0);

	refuse(FAKE_CLONE, COPY_THIS_MOUNT, EOPNOTSUPP);
	for (unsigned i = 0; i < 3; i++) {
		EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
		EXPECT_EQ(COPY_OFFLOAD, self->res.how);
		EXPECT_STREQ("on order", self->res.why[COPY_CLONE].reason);
		EXPECT_EQ(EOPNOTSUPP, self->res.why[COPY_CLONE].error);
		EXPECT_EQ(1, self->res.why[COPY_CLONE].count);
	}
	EXPECT_EQ(1, fake.calls[FAKE_CLONE]);
	self->req.out = other;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(2, fake.calls[FAKE_CLONE]);
	cr_close(other);
}

TEST_F(table, refusal_of_a_pair_is_remembered_for_that_direction)
{
	struct file *other = fake_open(self->ns, "fake:1/out", 0, 0);

	self->req.out = other;
	refuse(FAKE_CLONE, COPY_THIS_PAIR, EXDEV);
	for (unsigned i = 0; i < 3; i++)
		EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(1, fake.calls[FAKE_CLONE]);
	EXPECT_EQ(EXDEV, self->res.why[COPY_CLONE].error);
	self->req.in = other;
	self->req.out = self->out;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(2, fake.calls[FAKE_CLONE]);
	self->req.in = self->in;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(3, fake.calls[FAKE_CLONE]);
	cr_close(other);
}

TEST_F(table, refusal_of_a_file_holds_for_one_call)
{
	refuse(FAKE_CLONE, COPY_THIS_FILE, EINVAL);
	fake.script[FAKE_OFFLOAD].most = 4096;
	for (unsigned i = 1; i <= 3; i++) {
		EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
		EXPECT_EQ(i, fake.calls[FAKE_CLONE]);
		EXPECT_EQ(1, self->res.why[COPY_CLONE].count);
	}
}

TEST_F(table, refusal_of_a_range_holds_for_one_call)
{
	refuse(FAKE_CLONE, COPY_THIS_RANGE, EINVAL);
	fake.script[FAKE_OFFLOAD].most = 4096;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(1, fake.calls[FAKE_CLONE]);
	EXPECT_EQ(SIZE, self->res.by[COPY_OFFLOAD].bytes);
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(2, fake.calls[FAKE_CLONE]);
}

TEST_F(table, memory_is_the_namespace_s)
{
	struct cr_ns *ns = cr_ns_new();
	struct copy_req req = self->req;

	refuse(FAKE_CLONE, COPY_THIS_MOUNT, EOPNOTSUPP);
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	req.in = fake_open(ns, "fake:0/in", SIZE, 1);
	req.out = fake_open(ns, "fake:0/out", 0, 0);
	EXPECT_EQ(0, cr_copy_range(&req, &self->res));
	EXPECT_EQ(2, fake.calls[FAKE_CLONE]);
	cr_close(req.in);
	cr_close(req.out);
	cr_ns_free(ns);
}

TEST_F(table, files_of_two_namespaces_are_einval)
{
	struct cr_ns *ns = cr_ns_new();

	self->req.out = fake_open(ns, "fake:0/out", 0, 0);
	EXPECT_EQ(-EINVAL, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(0, fake.calls[FAKE_CLONE] + fake.writes);
	cr_close(self->req.out);
	cr_ns_free(ns);
}

/* Head by the next one, body by the one that asked to wait for it, tail by the next one again. */
TEST_F(table, after_says_where_to_ask_again)
{
	const struct fake_call want[] = {
		{FAKE_CLONE, 1000, 30000, 0},	   {FAKE_OFFLOAD, 1000, 3096, 3096},
		{FAKE_CLONE, 4096, 26904, 24576},  {FAKE_CLONE, 28672, 2328, 0},
		{FAKE_OFFLOAD, 28672, 2328, 2328},
	};

	fake.script[FAKE_CLONE].block = 4096;
	self->req.pos_in = self->req.pos_out = 1000;
	self->req.len = 30000;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	ASSERT_EQ(ARRAY_SIZE(want), fake.logged);
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		EXPECT_EQ(want[i].way, fake.log[i].way);
		EXPECT_EQ(want[i].pos, fake.log[i].pos);
		EXPECT_EQ(want[i].len, fake.log[i].len);
		EXPECT_EQ(want[i].done, fake.log[i].done);
	}
	EXPECT_EQ(24576, self->res.by[COPY_CLONE].bytes);
	EXPECT_EQ(5424, self->res.by[COPY_OFFLOAD].bytes);
	EXPECT_EQ(COPY_CLONE, self->res.how);
	EXPECT_EQ(2, self->res.why[COPY_CLONE].count);
	EXPECT_TRUE(copied(&self->req, 30000));
}

TEST_F(table, after_beyond_the_range_is_no_more_question)
{
	fake.script[FAKE_CLONE].block = 4096;
	self->req.pos_in = 1000;
	self->req.len = 3096;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(1, fake.calls[FAKE_CLONE]);
	EXPECT_EQ(3096, self->res.by[COPY_OFFLOAD].bytes);
}

/* The stream shortens to the same place when the offload is not there either. */
TEST_F(table, after_holds_for_all_that_follow)
{
	fake.script[FAKE_CLONE].block = 4096;
	refuse(FAKE_OFFLOAD, COPY_THIS_MOUNT, ENOSYS);
	self->req.pos_in = self->req.pos_out = 1;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(32768, self->res.by[COPY_CLONE].bytes);
	EXPECT_EQ(SIZE - 1 - 32768, self->res.by[COPY_STREAM].bytes);
	EXPECT_EQ(1, fake.calls[FAKE_OFFLOAD]);
	EXPECT_TRUE(copied(&self->req, SIZE - 1));
}

TEST_F(table, error_after_progress_is_final)
{
	fake.script[FAKE_CLONE] = (struct fake_script){.error = EIO, .before_error = 4096};
	EXPECT_EQ(-EIO, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(4096, self->res.bytes);
	EXPECT_EQ(4096, self->res.by[COPY_CLONE].bytes);
	EXPECT_EQ(0, fake.calls[FAKE_OFFLOAD] + fake.reads + fake.writes);
	EXPECT_EQ(4096, fake_of(self->out)->size);
}

TEST_F(table, refusal_after_progress_is_final_too)
{
	fake.script[FAKE_CLONE] = (struct fake_script){.error = EOPNOTSUPP, .before_error = 4096};
	EXPECT_EQ(-EOPNOTSUPP, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(4096, self->res.bytes);
	EXPECT_EQ(0, fake.calls[FAKE_OFFLOAD] + fake.reads + fake.writes);
}

TEST_F(table, error_without_progress_is_final)
{
	const int errors[] = {EIO, ENOSPC, ENOMEM, EDQUOT, ETXTBSY, EFBIG, EROFS};

	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		fake.script[FAKE_CLONE].error = errors[i];
		EXPECT_EQ(-errors[i], cr_copy_range(&self->req, &self->res));
		EXPECT_EQ(0, self->res.bytes);
		EXPECT_EQ(0, fake.calls[FAKE_OFFLOAD] + fake.reads + fake.writes);
	}
}

/* The same numbers as a refusal's, but from a read: nobody is left to be asked. */
TEST_F(table, error_of_a_read_is_no_refusal)
{
	const int errors[] = {-EOPNOTSUPP, -EXDEV, -EIO};

	self->req.flags = ONLY_STREAM;
	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		fake.read_error = errors[i];
		EXPECT_EQ(errors[i], cr_copy_range(&self->req, &self->res));
		EXPECT_EQ(0, self->res.bytes);
	}
}

TEST_F(table, error_of_a_write_is_no_refusal)
{
	self->req.flags = ONLY_STREAM;
	fake.write_error = -EOPNOTSUPP;
	EXPECT_EQ(-EOPNOTSUPP, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(0, self->res.bytes);
}

TEST_F(table, all_refuse_gives_the_last_one_s_errno)
{
	refuse(FAKE_CLONE, COPY_THIS_PAIR, ENOTTY);
	self->req.flags = COPY_RANGE_CLONE_ONLY;
	for (unsigned i = 0; i < 2; i++)
		EXPECT_EQ(-ENOTTY, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(1, fake.calls[FAKE_CLONE]);
	refuse(FAKE_OFFLOAD, COPY_THIS_FILE, EINVAL);
	self->req.flags = COPY_RANGE_NO_ENCODED | COPY_RANGE_NO_GRANT | COPY_RANGE_NO_STREAM;
	EXPECT_EQ(-EINVAL, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(0, fake.writes + fake_of(self->out)->size);
}

TEST_F(table, missing_methods_have_reasons)
{
	struct file *a = fake_open(self->ns, "other:1/in", SIZE, 1);
	struct file *b = fake_open(self->ns, "other:1/out", 0, 0);

	self->req.in = a;
	self->req.out = b;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(SIZE, self->res.by[COPY_STREAM].bytes);
	EXPECT_EQ(SIZE, self->res.by[COPY_STREAM].moved);
	for (unsigned s = 0; s < COPY_STREAM; s++)
		EXPECT_NE(NULL, self->res.why[s].reason);
	EXPECT_EQ(EOPNOTSUPP, self->res.why[COPY_CLONE].error);
	cr_close(a);
	cr_close(b);
}

TEST_F(table, two_families_stream)
{
	struct file *b = fake_open(self->ns, "other:1/out", 0, 0);

	self->req.out = b;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(SIZE, self->res.by[COPY_STREAM].bytes);
	EXPECT_EQ(EXDEV, self->res.why[COPY_CLONE].error);
	EXPECT_EQ(0, fake.calls[FAKE_CLONE] + fake.calls[FAKE_OFFLOAD]);
	cr_close(b);
}

TEST_F(table, left_out_by_flag_is_not_asked)
{
	self->req.flags = COPY_RANGE_NO_CLONE | COPY_RANGE_NO_OFFLOAD;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(0, fake.calls[FAKE_CLONE] + fake.calls[FAKE_OFFLOAD]);
	EXPECT_NULL(self->res.why[COPY_CLONE].reason);
	EXPECT_NULL(self->res.why[COPY_OFFLOAD].reason);
	EXPECT_EQ(SIZE, self->res.by[COPY_STREAM].bytes);
}

TEST_F(table, nobody_is_asked_for_nothing)
{
	self->req.len = 0;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	self->req.len = 10;
	self->req.pos_in = SIZE;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(0, fake.calls[FAKE_CLONE] + fake.calls[FAKE_OFFLOAD] + fake.writes);
}

/* An offload that cannot be must not make the hole at the start of the file. */
TEST_F(table, offload_is_asked_before_it_makes_a_hole)
{
	fake.holes = true;
	refuse(FAKE_CLONE, COPY_THIS_MOUNT, EOPNOTSUPP);
	refuse(FAKE_OFFLOAD, COPY_THIS_PAIR, EXDEV);
	self->req.flags = COPY_RANGE_NO_STREAM;
	EXPECT_GT(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(0, self->res.bytes);
	EXPECT_EQ(0, fake.truncates + fake.allocates + fake.writes);
	EXPECT_EQ(0, fake_of(self->out)->size);
}

static int stop_flag;

static void stop_at_third(void)
{
	if (fake.calls[FAKE_OFFLOAD] == 3)
		__atomic_store_n(&stop_flag, 1, __ATOMIC_RELAXED);
}

TEST_F(table, stop_in_the_middle)
{
	self->req.flags = COPY_RANGE_NO_CLONE | COPY_RANGE_SERIAL;
	self->req.stop = &stop_flag;
	fake.script[FAKE_OFFLOAD].most = 4096;
	fake.script[FAKE_OFFLOAD].hook = stop_at_third;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(1, self->res.stopped);
	EXPECT_EQ(3 * 4096, self->res.bytes);
	EXPECT_EQ(3 * 4096, fake_of(self->out)->size);
	EXPECT_EQ(3, fake.calls[FAKE_OFFLOAD]);
}

TEST_F(table, progress_counts_the_bytes)
{
	struct copy_progress progress = {0};

	fake.script[FAKE_CLONE].block = 4096;
	self->req.progress = &progress;
	self->req.pos_in = 1;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(SIZE - 1, progress.bytes);
	EXPECT_EQ(COPY_OFFLOAD, progress.strategy);
}

static struct fake_file *growing;

static void grow(void)
{
	if (fake.calls[FAKE_CLONE] < 4)
		growing->size += 5000;
}

/* More than is copied at one go, where growth cannot be told from an earlier end. */
TEST_F(table, growth_is_followed_to_the_end_and_only_then)
{
	const uint64_t size = 300000;

	growing = fake_of(self->in);
	growing->size = size;
	fake.script[FAKE_CLONE].hook = grow;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(size + 3 * 5000, self->res.bytes);
	self->req.len = size + 4 * 5000;
	fake.calls[FAKE_CLONE] = 3;
	growing->size = size;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(size, self->res.bytes);
}

TEST_F(table, stable_syncs_once)
{
	self->req.flags = COPY_RANGE_STABLE;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(1, fake.syncs);
	EXPECT_EQ(1, self->res.stable);
}

TEST_F(table, probe_tells_each_way_and_leaves_nothing)
{
	refuse(FAKE_CLONE, COPY_THIS_MOUNT, EOPNOTSUPP);
	EXPECT_EQ(0, cr_probe(&self->req, &self->res));
	EXPECT_EQ(0, self->res.by[COPY_CLONE].bytes);
	EXPECT_EQ(EOPNOTSUPP, self->res.why[COPY_CLONE].error);
	EXPECT_EQ(SIZE, self->res.by[COPY_OFFLOAD].bytes);
	EXPECT_EQ(SIZE, self->res.by[COPY_STREAM].bytes);
	EXPECT_EQ(0, fake_of(self->out)->size);
}

/* Many threads learn the same refusals: for the sanitizers. */
static void *copy_often(void *arg)
{
	const FIXTURE_DATA(table) *self = arg;

	for (unsigned i = 0; i < 50; i++) {
		struct copy_req req = self->req;
		struct copy_result res;

		req.pos_in = req.pos_out = (int64_t)i * 100;
		req.len = 100;
		if (cr_copy_range(&req, &res) || res.bytes != 100)
			return arg;
	}
	return NULL;
}

TEST_F(table, threads_share_a_namespace)
{
	pthread_t threads[8];
	void *ret;

	refuse(FAKE_CLONE, COPY_THIS_MOUNT, EOPNOTSUPP);
	refuse(FAKE_OFFLOAD, COPY_THIS_PAIR, EXDEV);
	for (unsigned i = 0; i < 8; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, copy_often, self));
	for (unsigned i = 0; i < 8; i++) {
		pthread_join(threads[i], &ret);
		EXPECT_NULL(ret);
	}
	EXPECT_GE(8, fake.calls[FAKE_CLONE]);
	EXPECT_GE(8, fake.calls[FAKE_OFFLOAD]);
	EXPECT_TRUE(copied(&self->req, 5000));
}

TEST_HARNESS_MAIN
