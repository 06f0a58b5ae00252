// SPDX-License-Identifier: GPL-2.0-or-later
/* Tests that go wrong or are skipped on purpose; harness.sh runs them one by one and looks at the
 * report. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"

TEST(passes)
{
	ASSERT_TRUE(1);
}

TEST(expects_two_wrong_things)
{
	EXPECT_EQ(1, 2)
	{
		TH_LOG("the block ran");
	}
	EXPECT_STREQ("left", "right");
	TH_LOG("went on");
}

TEST(aborts)
{
	abort();
}

TEST(leaves_by_exit)
{
	exit(0x17);
}

TEST(leaves_by_exit_1)
{
	exit(1);
}

TEST_SIGNAL(survives_its_signal, SIGUSR1)
{
}

TEST(fails_in_a_child)
{
	pid_t pid = fork();

	if (pid == 0) {
		EXPECT_EQ(1, 2);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void *assert_wrong(void *arg)
{
	struct __test_metadata *_metadata = arg;

	ASSERT_EQ(1, 2);
	return NULL;
}

TEST(asserts_in_a_thread)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, assert_wrong, _metadata));
	pthread_join(thread, NULL);
}

/* The file named by $LEFT gets the number of a process that never ends. */
TEST(leaves_a_process)
{
	FILE *f = fopen(getenv("LEFT"), "w");
	pid_t pid;

	ASSERT_NE(NULL, f);
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	fprintf(f, "%d\n", pid);
	fclose(f);
}

FIXTURE(torn)
{
	int unused;
};

FIXTURE_SETUP(torn)
{
	printf("# setup\n");
}

FIXTURE_TEARDOWN(torn)
{
	printf("# teardown\n");
}

TEST_F(torn, fails_an_assert)
{
	ASSERT_EQ(1, 2);
	TH_LOG("never here");
}

TEST_F_TIMEOUT(torn, hangs, 1)
{
	for (;;)
		pause();
}

TEST(skips)
{
	SKIP(return, "no %s here", "such thing");
}

FIXTURE(absent)
{
	int unused;
};

FIXTURE_SETUP(absent)
{
	SKIP(return, "nothing to set up");
}

FIXTURE_TEARDOWN(absent)
{
	ASSERT_TRUE(0);
}

TEST_F(absent, is_skipped_by_setup)
{
	ASSERT_TRUE(0);
}

FIXTURE(unfit)
{
	int unused;
};

FIXTURE_SETUP(unfit)
{
	ASSERT_EQ(1, 2);
}

FIXTURE_TEARDOWN(unfit)
{
	printf("# never here\n");
}

TEST_F(unfit, is_not_run)
{
	TH_LOG("never here");
}

TEST(dies_with_a_mount)
{
	const char *dir = fixture_fs("ext4", 16, NULL);

	if (!dir)
		SKIP(return, "%s", fixture_why());
	fixture_run("grep %s /proc/self/mounts", dir);
	raise(SIGKILL);
}

TEST_HARNESS_MAIN
