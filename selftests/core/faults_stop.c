// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Slow storage, stop flags, jobs and vectors, and many faults at random: the
 * count stays exact whatever happens.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "faultrig.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define KIB	    ((size_t)1024)
#define LEN	    (4096 * KIB)
#define STREAM_ONLY (COPY_RANGE_STRATEGIES & ~COPY_RANGE_NO_STREAM)
#define PROMPT_MS   3500 /* a busy machine's idea of at once */

/* Set by the signal that a rule sends, so that it comes at a known call. */
static int stop_flag;

static void set_stop(int sig)
{
	__atomic_store_n(&stop_flag, 1, __ATOMIC_RELAXED);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

FIXTURE(stop)
{
	struct rig rig;
	struct copy_req req;
	struct copy_result res;
};

FIXTURE_VARIANT(stop)
{
	size_t old_len;
	unsigned jobs;
};

FIXTURE_VARIANT_ADD(stop, serial){.jobs = 1};
FIXTURE_VARIANT_ADD(stop, serial_over_longer){.jobs = 1, .old_len = LEN + 12345};
FIXTURE_VARIANT_ADD(stop, by_four){.jobs = 4};

FIXTURE_SETUP(stop)
{
	struct rig_plan plan = {
		.dir = fixture_dir(), .len = variant->jobs * LEN, .old_len = variant->old_len};

	ASSERT_EQ(0, rig_make(&self->rig, &plan));
	signal(SIGUSR1, set_stop);
	self->req = (struct copy_req){
		.flags = variant->jobs == 1 ? COPY_RANGE_SERIAL : 0,
		.jobs = variant->jobs,
		.stop = &stop_flag,
	};
}

FIXTURE_TEARDOWN(stop)
{
	rig_close(&self->req);
	rig_free(&self->rig);
}

TEST_F(stop, at_the_third_read_of_a_stream)
{
	self->req.flags |= STREAM_ONLY;
	ASSERT_EQ(0, rig_open(&self->rig, "read@3=usr1,read@4+=delay50", &self->req));
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(1, self->res.stopped);
	EXPECT_LT(0, self->res.bytes);
	EXPECT_GT(self->req.len, self->res.bytes);
	EXPECT_STREQ(NULL, rig_lie(&self->rig, &self->req, 0, &self->res));
}

TEST_F(stop, at_the_second_piece_of_an_offload)
{
	self->req.flags |= COPY_RANGE_NO_CLONE;
	ASSERT_EQ(0, rig_open(&self->rig, "copy_range=short65536,copy_range@2=usr1", &self->req));
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(1, self->res.stopped);
	EXPECT_LT(0, self->res.bytes);
	EXPECT_GT(self->req.len, self->res.bytes);
	EXPECT_STREQ(NULL, rig_lie(&self->rig, &self->req, 0, &self->res));
}

TEST_F(stop, before_the_first_call_nothing_is_done)
{
	stop_flag = 1;
	ASSERT_EQ(0, rig_open(&self->rig, "read=EDOM,write=EDOM,copy_range=EDOM,clone_range=EDOM",
			      &self->req));
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(1, self->res.stopped);
	EXPECT_EQ(0, self->res.bytes);
	EXPECT_STREQ(NULL, rig_lie(&self->rig, &self->req, 0, &self->res));
}

TEST_F(stop, that_comes_with_the_last_byte_is_still_complete_or_says_so)
{
	self->req.flags |= STREAM_ONLY;
	self->req.len = 100;
	ASSERT_EQ(0, rig_open(&self->rig, "write@1=usr1", &self->req));
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(100, self->res.bytes);
	EXPECT_STREQ(NULL, rig_lie(&self->rig, &self->req, 0, &self->res));
}

struct later {
	int *flag;
	unsigned ms;
};

static void *set_later(void *arg)
{
	struct later *later = arg;
	struct timespec ts = {.tv_nsec = (long)later->ms * 1000000};

	nanosleep(&ts, NULL);
	__atomic_store_n(later->flag, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* Each call takes long or moves little: to the end it would take longer than is waited for. */
TEST_F(stop, while_every_call_is_slow)
{
	static const struct {
		const char *rules;
		unsigned flags;
		size_t len;
	} slow[] = {
		{"read=delay1000", STREAM_ONLY, 0},
		{"write=delay1000", STREAM_ONLY, 0},
		{"copy_range=delay1000,copy_range=short65536", COPY_RANGE_NO_CLONE, 0},
		{"read=delay10,read=short1", STREAM_ONLY, 0},
		{"write=delay10,write=short1", STREAM_ONLY, 0},
		{"read=delay10,read=short1", STREAM_ONLY, 200 * KIB},
		{"write=delay10,write=short1", STREAM_ONLY, 50 * KIB},
	};

	for (unsigned i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		struct copy_req req = self->req;
		struct later later = {&stop_flag, 300};
		pthread_t thread;
		uint64_t start;

		stop_flag = 0;
		req.flags |= slow[i].flags;
		req.len = slow[i].len;
		ASSERT_EQ(0, rig_again(&self->rig));
		ASSERT_EQ(0, rig_open(&self->rig, slow[i].rules, &req));
		ASSERT_EQ(0, pthread_create(&thread, NULL, set_later, &later));
		start = now_ms();
		EXPECT_EQ(0, cr_copy_range(&req, &self->res));
		EXPECT_GT(PROMPT_MS, now_ms() - start)
		{
			TH_LOG("%s", slow[i].rules);
		}
		pthread_join(thread, NULL);
		rig_close(&req);
		EXPECT_EQ(1, self->res.stopped);
		EXPECT_STREQ(NULL, rig_lie(&self->rig, &req, 0, &self->res));
	}
}

/* A target that takes no holes gets zeros instead, here some at a time. */
TEST_F(stop, while_zeros_are_written_for_a_hole)
{
	struct rig_plan plan = {
		.dir = fixture_dir(), .len = LEN, .old_len = LEN, .hole = 2048 * KIB};
	struct rig rig;

	ASSERT_EQ(0, rig_make(&rig, &plan));
	self->req.flags |= STREAM_ONLY;
	ASSERT_EQ(0, rig_open(&rig, "allocate=usr1,allocate=EOPNOTSUPP,write=short512,write=delay1",
			      &self->req));
	self->req.pos_in = self->req.pos_out = (off_t)plan.hole;
	self->req.len = plan.hole;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(1, self->res.stopped);
	EXPECT_GT(64 * KIB, self->res.bytes);
	EXPECT_STREQ(NULL, rig_lie(&rig, &self->req, 0, &self->res));
	rig_close(&self->req);
	rig_free(&rig);
}

TEST_F(stop, an_error_that_comes_first_is_the_error)
{
	self->req.flags |= STREAM_ONLY;
	ASSERT_EQ(0, rig_open(&self->rig, "read@2=EIO,read@3=usr1", &self->req));
	EXPECT_EQ(-EIO, cr_copy_range(&self->req, &self->res));
	EXPECT_STREQ(NULL, rig_lie(&self->rig, &self->req, -EIO, &self->res));
}

/* Jobs. -------------------------------------------------------------------------- */

FIXTURE(job)
{
	struct rig rig;
	struct copy_req req;
	struct copy_result res;
	struct copy_job *job;
};

FIXTURE_SETUP(job)
{
	struct rig_plan plan = {.dir = fixture_dir(), .len = LEN};

	ASSERT_EQ(0, rig_make(&self->rig, &plan));
	self->req.flags = STREAM_ONLY;
}

FIXTURE_TEARDOWN(job)
{
	rig_close(&self->req);
	rig_free(&self->rig);
}

struct heard {
	int err;
	unsigned calls;
	struct copy_result res;
};

static void hear(void *arg, int err, const struct copy_result *res)
{
	struct heard *heard = arg;

	heard->err = err;
	heard->res = *res;
	heard->calls++;
}

TEST_F(job, that_fails_tells_its_callback_and_its_waiter)
{
	struct heard heard = {0};

	ASSERT_EQ(0, rig_open(&self->rig, "write@3+=ENOSPC", &self->req));
	ASSERT_EQ(0, cr_job_start(&self->req, hear, &heard, &self->job));
	EXPECT_EQ(-ENOSPC, cr_job_wait(self->job, &self->res));
	EXPECT_EQ(1, heard.calls);
	EXPECT_EQ(-ENOSPC, heard.err);
	EXPECT_EQ(self->res.bytes, heard.res.bytes);
	EXPECT_STREQ(NULL, rig_lie(&self->rig, &self->req, -ENOSPC, &self->res));
}

TEST_F(job, on_slow_storage_stops_soon)
{
	struct copy_progress now;
	uint64_t start;

	ASSERT_EQ(0, rig_open(&self->rig, "read=delay1000", &self->req));
	ASSERT_EQ(0, cr_job_start(&self->req, NULL, NULL, &self->job));
	EXPECT_EQ(1, cr_job_status(self->job, &now));
	start = now_ms();
	cr_job_stop(self->job);
	EXPECT_EQ(0, cr_job_wait(self->job, &self->res));
	EXPECT_GT(PROMPT_MS, now_ms() - start);
	EXPECT_EQ(1, self->res.stopped);
	EXPECT_STREQ(NULL, rig_lie(&self->rig, &self->req, 0, &self->res));
}

/* Vectors. ----------------------------------------------------------------------- */

TEST_F(job, a_vector_ends_at_its_first_error)
{
	struct copy_vec vec[] = {
		{.pos_in = 0, .pos_out = 100000, .len = 1000},
		{.pos_in = 5000, .pos_out = 0, .len = 2000},
		{.pos_in = 9000, .pos_out = 200000, .len = 3000},
	};

	self->req.flags |= COPY_RANGE_SERIAL;
	ASSERT_EQ(0, rig_open(&self->rig, "write@2=short700,write@3=EIO", &self->req));
	EXPECT_EQ(-EIO, cr_copy_rangev(&self->req, vec, 3, &self->res));
	EXPECT_EQ(1000, vec[0].done);
	EXPECT_EQ(700, vec[1].done);
	EXPECT_EQ(0, vec[2].done);
	EXPECT_EQ(1700, self->res.bytes);
}

TEST_F(job, an_error_inside_merged_ranges_is_shared_out_to_the_byte)
{
	struct copy_vec vec[] = {
		{.pos_in = 0, .pos_out = 0, .len = 1000},
		{.pos_in = 1000, .pos_out = 1000, .len = 1000},
		{.pos_in = 2000, .pos_out = 2000, .len = 1000},
	};

	self->req.flags |= COPY_RANGE_SERIAL;
	ASSERT_EQ(0, rig_open(&self->rig, "write@1=short1500,write@2+=ENOSPC", &self->req));
	EXPECT_EQ(-ENOSPC, cr_copy_rangev(&self->req, vec, 3, &self->res));
	/* One range or three: what is done is the same prefix, unless they came singly. */
	EXPECT_EQ(self->res.bytes, vec[0].done + vec[1].done + vec[2].done);
	EXPECT_EQ(1000, vec[0].done);
	EXPECT_EQ(0, vec[2].done);
}

/* At random. --------------------------------------------------------------------- */

#ifdef __SANITIZE_THREAD__ /* which needs ten times as long */
#define ROUNDS 40
#else
#define ROUNDS 200
#endif

static unsigned roll(unsigned *seed, unsigned sides)
{
	return (unsigned)rand_r(seed) % sides;
}

/*
 * A few rules, most of them harmless enough for the copy to go on; at most one a
 * method, because no one can tell how far a call wrote that failed after a part.
 */
static void random_rules(unsigned *seed, char *rules, size_t size)
{
	static const char *const methods[] = {"read",	  "write",    "copy_range", "seek",
					      "allocate", "truncate", "clone_range"};
	static const char *const actions[] = {"EINTR",	    "EIO",    "ENOSPC", "EOPNOTSUPP",
					      "EINVAL",	    "short0", "delay5", "short4097",
					      "short70000", "usr1"};
	unsigned n = roll(seed, 5), first = roll(seed, 7);
	size_t at = 0;

	rules[0] = '\0';
	for (unsigned i = 0; i < n && at < size; i++)
		at += (size_t)snprintf(rules + at, size - at, "%s%s@%u%s=%s", i ? "," : "",
				       methods[(first + i) % 7], 1 + roll(seed, 12),
				       roll(seed, 3) ? "" : "*", actions[roll(seed, 10)]);
}

static struct copy_req random_req(unsigned *seed, const struct rig *rig)
{
	static const unsigned flags[] = {0,
					 STREAM_ONLY,
					 STREAM_ONLY | COPY_RANGE_SERIAL,
					 COPY_RANGE_NO_CLONE,
					 COPY_RANGE_FILL_HOLES,
					 COPY_RANGE_PUNCH_ZEROS,
					 COPY_RANGE_STABLE};
	struct copy_req req = {
		.flags = flags[roll(seed, 7)],
		.jobs = roll(seed, 5),
		.stop = &stop_flag,
	};

	if (roll(seed, 2)) {
		req.pos_in = roll(seed, (unsigned)rig->plan.len);
		req.pos_out = roll(seed, 1 << 20);
		req.len = 1 + roll(seed, (unsigned)(rig->plan.len - (size_t)req.pos_in));
	}
	return req;
}

static void random_round(struct __test_metadata *_metadata, struct rig *rig, unsigned round)
{
	struct copy_result res;
	struct copy_req req;
	char rules[256];
	unsigned seed = round;
	const char *lie;
	int err;

	stop_flag = 0;
	random_rules(&seed, rules, sizeof(rules));
	req = random_req(&seed, rig);
	ASSERT_EQ(0, rig_again(rig));
	ASSERT_EQ(0, rig_open(rig, rules, &req));
	err = cr_copy_range(&req, &res);
	rig_close(&req);
	lie = rig_lie(rig, &req, err, &res);
	EXPECT_STREQ(NULL, lie)
	{
		TH_LOG("round %u: %s flags %#x jobs %u in %lld out %lld len %llu: err %d bytes "
		       "%llu",
		       round, rules, req.flags, req.jobs, (long long)req.pos_in,
		       (long long)req.pos_out, (unsigned long long)req.len, err,
		       (unsigned long long)res.bytes);
	}
}

TEST_F_TIMEOUT(job, at_random_the_count_is_never_a_lie, 120)
{
	static const struct rig_plan plans[] = {
		{.len = 700 * KIB + 77},
		{.len = 700 * KIB + 77, .old_len = 900 * KIB},
		{.len = 5120 * KIB + 77},
		{.len = 5120 * KIB + 77, .old_len = 6000 * KIB, .hole = 800 * KIB},
		{.len = 1024 * KIB, .hole = 96 * KIB},
		{.len = 1024 * KIB, .old_len = 1100 * KIB, .hole = 96 * KIB},
	};

	signal(SIGUSR1, set_stop);
	for (unsigned i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct rig_plan plan = plans[i];
		struct rig rig;

		plan.dir = fixture_dir();
		ASSERT_EQ(0, rig_make(&rig, &plan));
		for (unsigned round = 0; round < ROUNDS; round++)
			random_round(_metadata, &rig, i * ROUNDS + round);
		rig_free(&rig);
	}
}

TEST_HARNESS_MAIN
