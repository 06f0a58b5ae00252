// SPDX-License-Identifier: GPL-2.0-or-later
/* Copies in the background: start, progress, stop, wait, and many at once. */
#include <signal.h>

#include "kselftest_harness.h"

#include "copytest.h"
#include "fake.h"

#define SIZE 60000

FIXTURE(job)
{
	struct cr_ns *ns;
	struct copy_req req;
	struct copy_result res;
};

FIXTURE_SETUP(job)
{
	self->ns = cr_ns_new();
	self->req.in = fake_open(self->ns, "fake:0/in", SIZE, 1);
	self->req.out = fake_open(self->ns, "fake:0/out", 0, 0);
	self->req.len = COPY_LEN_EOF;
}

FIXTURE_TEARDOWN(job)
{
	cr_close(self->req.in);
	cr_close(self->req.out);
	cr_ns_free(self->ns);
}

/* A gate in the fake room: each call waits until it may go on. */
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static unsigned arrived, let_through;

static void gate(void)
{
	pthread_mutex_lock(&gate_lock);
	arrived++;
	pthread_cond_broadcast(&gate_moved);
	while (let_through < arrived)
		pthread_cond_wait(&gate_moved, &gate_lock);
	pthread_mutex_unlock(&gate_lock);
}

static void wait_for_arrival(unsigned n)
{
	pthread_mutex_lock(&gate_lock);
	while (arrived < n)
		pthread_cond_wait(&gate_moved, &gate_lock);
	pthread_mutex_unlock(&gate_lock);
}

static void let(unsigned n)
{
	pthread_mutex_lock(&gate_lock);
	let_through = n;
	pthread_cond_broadcast(&gate_moved);
	pthread_mutex_unlock(&gate_lock);
}

TEST_F(job, runs_and_gives_its_result)
{
	struct copy_job *job;

	ASSERT_EQ(0, cr_job_start(&self->req, NULL, NULL, &job));
	EXPECT_EQ(0, cr_job_wait(job, &self->res));
	EXPECT_EQ(SIZE, self->res.bytes);
	EXPECT_EQ(0, self->res.stopped);
	EXPECT_EQ(COPY_CLONE, self->res.how);
	EXPECT_EQ(0, memcmp(fake_of(self->req.in)->data, fake_of(self->req.out)->data, SIZE));
}

TEST_F(job, the_request_is_copied_at_the_start)
{
	struct copy_job *job;

	fake.script[FAKE_CLONE].hook = gate;
	ASSERT_EQ(0, cr_job_start(&self->req, NULL, NULL, &job));
	memset(&self->req.len, 0, sizeof(self->req.len));
	self->req.pos_in = -1;
	let(1);
	EXPECT_EQ(0, cr_job_wait(job, &self->res));
	EXPECT_EQ(SIZE, self->res.bytes);
}

TEST_F(job, an_error_is_the_result)
{
	struct copy_job *job;

	fake.script[FAKE_CLONE] = (struct fake_script){.error = EIO, .before_error = 4096};
	ASSERT_EQ(0, cr_job_start(&self->req, NULL, NULL, &job));
	EXPECT_EQ(-EIO, cr_job_wait(job, &self->res));
	EXPECT_EQ(4096, self->res.bytes);
}

TEST_F(job, status_tells_what_is_done_so_far)
{
	struct copy_progress now;
	struct copy_job *job;

	fake.script[FAKE_CLONE] = (struct fake_script){.hook = gate, .most = 10000};
	ASSERT_EQ(0, cr_job_start(&self->req, NULL, NULL, &job));
	for (unsigned i = 0; i < 6; i++) {
		wait_for_arrival(i + 1);
		EXPECT_EQ(1, cr_job_status(job, &now));
		EXPECT_EQ(10000 * i, now.bytes);
		EXPECT_EQ(COPY_CLONE, now.strategy);
		let(i + 1);
	}
	let(10); /* the end is looked for once more */
	while (cr_job_status(job, &now))
		sched_yield();
	EXPECT_EQ(SIZE, now.bytes);
	EXPECT_EQ(0, cr_job_wait(job, &self->res));
}

TEST_F(job, progress_of_the_caller_is_used)
{
	struct copy_progress mine = {0}, now;
	struct copy_job *job;

	self->req.progress = &mine;
	ASSERT_EQ(0, cr_job_start(&self->req, NULL, NULL, &job));
	while (cr_job_status(job, &now))
		sched_yield();
	EXPECT_EQ(SIZE, now.bytes);
	EXPECT_EQ(0, cr_job_wait(job, &self->res));
	EXPECT_EQ(SIZE, mine.bytes);
}

TEST_F(job, stop_ends_it_with_an_exact_count)
{
	struct copy_job *job;

	fake.script[FAKE_CLONE] = (struct fake_script){.hook = gate, .most = 10000};
	ASSERT_EQ(0, cr_job_start(&self->req, NULL, NULL, &job));
	let(2);
	wait_for_arrival(3);
	cr_job_stop(job);
	let(10);
	EXPECT_EQ(0, cr_job_wait(job, &self->res));
	EXPECT_EQ(1, self->res.stopped);
	EXPECT_EQ(30000, self->res.bytes);
	EXPECT_EQ(30000, fake_of(self->req.out)->size);
	EXPECT_EQ(3, fake.calls[FAKE_CLONE]);
}

TEST_F(job, stop_after_the_end_changes_nothing)
{
	struct copy_progress now;
	struct copy_job *job;

	ASSERT_EQ(0, cr_job_start(&self->req, NULL, NULL, &job));
	while (cr_job_status(job, &now))
		sched_yield();
	cr_job_stop(job);
	EXPECT_EQ(0, cr_job_wait(job, &self->res));
	EXPECT_EQ(0, self->res.stopped);
	EXPECT_EQ(SIZE, self->res.bytes);
}

struct ending {
	unsigned calls;
	int err;
	uint64_t bytes;
	pthread_t thread;
	sigset_t blocked;
};

static void on_end(void *arg, int err, const struct copy_result *res)
{
	struct ending *end = arg;

	end->calls++;
	end->err = err;
	end->bytes = res->bytes;
	end->thread = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &end->blocked);
}

TEST_F(job, done_is_called_once_on_the_job_s_thread)
{
	struct ending end = {0};
	struct copy_job *job;

	fake.script[FAKE_CLONE] = (struct fake_script){.error = ENOSPC, .before_error = 5000};
	ASSERT_EQ(0, cr_job_start(&self->req, on_end, &end, &job));
	EXPECT_EQ(-ENOSPC, cr_job_wait(job, &self->res));
	EXPECT_EQ(1, end.calls);
	EXPECT_EQ(-ENOSPC, end.err);
	EXPECT_EQ(5000, end.bytes);
	EXPECT_FALSE(pthread_equal(end.thread, pthread_self()));
}

/* The program's signals are for threads that it knows. */
TEST_F(job, its_thread_takes_no_signals)
{
	struct ending end = {0};
	struct copy_job *job;
	sigset_t mine;

	ASSERT_EQ(0, cr_job_start(&self->req, on_end, &end, &job));
	EXPECT_EQ(0, cr_job_wait(job, &self->res));
	EXPECT_EQ(1, sigismember(&end.blocked, SIGINT));
	EXPECT_EQ(1, sigismember(&end.blocked, SIGALRM));
	pthread_sigmask(SIG_SETMASK, NULL, &mine);
	EXPECT_EQ(0, sigismember(&mine, SIGINT));
}

TEST_F(job, a_stop_flag_of_the_caller_is_einval)
{
	struct copy_job *job = (void *)1;
	int stop = 0;

	self->req.stop = &stop;
	EXPECT_EQ(-EINVAL, cr_job_start(&self->req, NULL, NULL, &job));
	EXPECT_NULL(job);
}

TEST_F(job, many_at_once)
{
	enum { JOBS = 24 };
	struct copy_job *jobs[JOBS];
	struct copy_progress now;
	struct copy_result res;

	fake.script[FAKE_CLONE] = (struct fake_script){.refuse = "no", .scope = COPY_THIS_MOUNT};
	fake.script[FAKE_CLONE].error = EOPNOTSUPP;
	fake.script[FAKE_OFFLOAD].most = 500;
	for (unsigned i = 0; i < JOBS; i++) {
		struct copy_req req = self->req;

		req.pos_in = req.pos_out = (int64_t)i * (SIZE / JOBS);
		req.len = SIZE / JOBS;
		req.flags = i % 3 ? 0 : ONLY_STREAM;
		ASSERT_EQ(0, cr_job_start(&req, NULL, NULL, &jobs[i]));
	}
	for (unsigned i = 0; i < JOBS; i++)
		cr_job_status(jobs[i], &now);
	for (unsigned i = 0; i < JOBS; i++) {
		EXPECT_EQ(0, cr_job_wait(jobs[i], &res));
		EXPECT_EQ(SIZE / JOBS, res.bytes);
	}
	EXPECT_EQ(0, memcmp(fake_of(self->req.in)->data, fake_of(self->req.out)->data, SIZE));
}

TEST_F(job, many_are_stopped_at_once)
{
	enum { JOBS = 16 };
	struct copy_job *jobs[JOBS];
	struct copy_result res;

	fake.script[FAKE_CLONE].most = 100;
	for (unsigned i = 0; i < JOBS; i++)
		ASSERT_EQ(0, cr_job_start(&self->req, NULL, NULL, &jobs[i]));
	for (unsigned i = 0; i < JOBS; i++)
		cr_job_stop(jobs[i]);
	for (unsigned i = 0; i < JOBS; i++) {
		EXPECT_EQ(0, cr_job_wait(jobs[i], &res));
		EXPECT_EQ(res.stopped, res.bytes < SIZE);
		EXPECT_EQ(0, res.bytes % 100);
	}
}

TEST_HARNESS_MAIN
