// SPDX-License-Identifier: GPL-2.0-or-later
/* RLIMIT_FSIZE of the program: short before it, EFBIG and SIGXFSZ at it. */
#include <signal.h>
#include <sys/resource.h>

#include "calls.h"

CALLS_FIXTURE

static volatile sig_atomic_t xfsz;

static void on_xfsz(int sig)
{
	(void)sig;
	xfsz++;
}

static int limit(rlim_t size)
{
	const struct rlimit lim = {size, RLIM_INFINITY};

	signal(SIGXFSZ, on_xfsz);
	xfsz = 0;
	return setrlimit(RLIMIT_FSIZE, &lim);
}

TEST_F(calls, what_crosses_the_limit_is_short)
{
	off_t a = 0, b = 1000;

	ASSERT_EQ(0, limit(50000));
	EXPECT_EQ(49000, call_copy(self->in, &a, self->out, &b, SIZE_MAX));
	EXPECT_EQ(50000, size_of_fd(self->out));
	EXPECT_EQ(50000, b);
	EXPECT_EQ(0, xfsz);
}

TEST_F(calls, at_the_limit_it_is_efbig_and_a_signal)
{
	off_t a = 0, b = 50000;

	ASSERT_EQ(0, limit(50000));
	EXPECT_EQ(-EFBIG, call_copy(self->in, &a, self->out, &b, 10));
	EXPECT_EQ(1, xfsz);
	EXPECT_EQ(0, a);
	EXPECT_EQ(0, size_of_fd(self->out));
}

TEST_F(calls, nothing_to_copy_is_no_error_at_the_limit)
{
	off_t a = IN_SIZE, b = 60000;

	ASSERT_EQ(0, limit(50000));
	EXPECT_EQ(0, call_copy(self->in, &a, self->out, &b, 10));
	EXPECT_EQ(0, call_copy(self->in, NULL, self->out, &b, 0));
	EXPECT_EQ(0, xfsz);
}

TEST_F(calls, a_limit_that_was_raised_again_counts)
{
	ASSERT_EQ(0, limit(5000));
	ASSERT_EQ(0, limit(RLIM_INFINITY));
	EXPECT_EQ(IN_SIZE, call_copy(self->in, NULL, self->out, NULL, SIZE_MAX));
}

CALLS_MAIN
