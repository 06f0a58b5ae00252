// SPDX-License-Identifier: GPL-2.0-or-later
/* Every macro of the harness once; all of it passes or is known to fail; SKIP is in samples.c. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

TEST(asserts_nothing)
{
}

TEST(compares_numbers)
{
	const size_t big = SIZE_MAX;
	const char byte = -1;
	const bool yes = true;

	ASSERT_EQ(1, 1);
	ASSERT_EQ(SIZE_MAX, big);
	ASSERT_NE(0, byte);
	ASSERT_LT(byte, 0);
	ASSERT_LE(1, 1L);
	ASSERT_GT(2u, 1u);
	EXPECT_GE(2, 1);
	EXPECT_EQ(2ULL, sizeof(short));
	EXPECT_TRUE(big);
	EXPECT_EQ(true, yes);
	EXPECT_NE(false, yes);
	EXPECT_LT(0.5, 1);
	EXPECT_FALSE(big == 0);
}

TEST(compares_pointers_and_strings)
{
	const char *s = "abc", *none = NULL;

	ASSERT_EQ(s, s);
	ASSERT_NE(NULL, s);
	ASSERT_NULL(none);
	ASSERT_TRUE(s != none);
	EXPECT_STREQ("abc", s);
	EXPECT_STRNE("abd", s);
}

TEST(evaluates_arguments_once)
{
	int calls = 0;

	EXPECT_EQ(1, ++calls);
	EXPECT_EQ(1, calls)
	{
		TH_LOG("called %d times", calls);
	}
}

TEST_SIGNAL(dies_as_announced, SIGUSR1)
{
	raise(SIGUSR1);
}

static void *check_often(void *arg)
{
	struct __test_metadata *_metadata = arg;
	int i;

	for (i = 0; i < 1000; i++)
		EXPECT_LE(0, i);
	return NULL;
}

TEST(checks_in_threads)
{
	pthread_t threads[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, check_often, _metadata));
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
}

FIXTURE(box)
{
	int value;
	pid_t pid;
	char *text;
};

FIXTURE_VARIANT(box)
{
	int start;
};

FIXTURE_VARIANT_ADD(box, one){
	.start = 1,
};

FIXTURE_VARIANT_ADD(box, two){
	.start = 2,
};

FIXTURE_SETUP(box)
{
	self->value = variant->start;
	self->pid = getpid();
	self->text = strdup("text");
	ASSERT_NE(NULL, self->text);
}

FIXTURE_TEARDOWN(box)
{
	ASSERT_EQ(variant->start + 1, self->value);
	free(self->text);
}

TEST_F(box, has_its_variant_and_own_data)
{
	EXPECT_EQ(variant->start, self->value);
	EXPECT_EQ(getpid(), self->pid);
	self->value++;
}

TEST_F_TIMEOUT(box, may_have_its_own_time, 5)
{
	self->value++;
}

TEST_F(box, fails_for_two)
{
	self->value++;
	ASSERT_EQ(1, variant->start);
}

XFAIL_ADD(box, two, fails_for_two)

FIXTURE(plain){};

FIXTURE_SETUP(plain)
{
}

FIXTURE_TEARDOWN(plain)
{
}

TEST_F_SIGNAL(plain, may_die, SIGKILL)
{
	raise(SIGKILL);
}

FIXTURE(outer)
{
	pid_t pid;
};

FIXTURE_SETUP(outer)
{
	self->pid = getpid();
}

FIXTURE_TEARDOWN_PARENT(outer)
{
	EXPECT_NE(getpid(), self->pid);
	EXPECT_NE(0, self->pid);
}

TEST_F(outer, is_torn_down_by_the_parent)
{
	EXPECT_EQ(getpid(), self->pid);
}

TEST_HARNESS_MAIN
