// SPDX-License-Identifier: GPL-2.0-or-later
/* Copies that take long enough for something to happen meanwhile. */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "calls.h"

CALLS_FIXTURE

#define LONG_SIZE ((off_t)96 << 20)

/* Every write waits for the device: some seconds for all of it. */
static int slow_target(const char *dir)
{
	return file_open(dir, "slow", O_RDWR | O_CREAT | O_SYNC);
}

static volatile sig_atomic_t rung;

static void on_alarm(int sig)
{
	(void)sig;
	rung = 1;
}

static void ring_in(unsigned ms)
{
	const struct sigaction act = {.sa_handler = on_alarm};
	const struct itimerval when = {.it_value = {.tv_usec = ms * 1000}};

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &when, NULL);
}

/* Where the whole copy was quicker than the signal, there is nothing to see. */
TEST_F_TIMEOUT(calls, a_signal_ends_a_copy_with_the_exact_count, 60)
{
	int out = slow_target(self->dir[1]);
	ssize_t n;

	if (!by_supervisor() || !strcmp(variant->to, "tmpfs"))
		SKIP(return, "%s",
			   by_supervisor() ? "nothing is slow there" : "signals end none here");
	put(self->in, 0, LONG_SIZE, IN_SEED);
	lseek(self->in, 0, SEEK_SET);
	do { /* EINTR: on a busy machine it came before the supervisor had heard of the call */
		rung = 0;
		ring_in(50);
		n = call_copy(self->in, NULL, out, NULL, SIZE_MAX);
	} while (n == -EINTR);
	EXPECT_EQ(1, rung);
	EXPECT_LT(0, n);
	EXPECT_GT(LONG_SIZE, n);
	EXPECT_EQ(n, lseek(self->in, 0, SEEK_CUR));
	EXPECT_EQ(n, lseek(out, 0, SEEK_CUR));
	EXPECT_EQ(-1, differs(out, 0, (size_t)n, IN_SEED, 0));
	/* And goes on from there. */
	while (n > 0 && lseek(out, 0, SEEK_CUR) < LONG_SIZE)
		n = call_copy(self->in, NULL, out, NULL, SIZE_MAX);
	EXPECT_TRUE(same_bytes(self->in, out));
	close(out);
}

static off_t blocks_now(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_size + st.st_blocks;
}

TEST_F_TIMEOUT(calls, killing_the_program_ends_the_writing, 60)
{
	int out = slow_target(self->dir[1]), status;
	off_t then = 0;
	pid_t pid;

	if (!strcmp(variant->to, "tmpfs"))
		SKIP(return, "nothing is slow there");
	put(self->in, 0, LONG_SIZE, IN_SEED);
	lseek(self->in, 0, SEEK_SET);
	pid = fork();
	if (!pid) {
		call_copy(self->in, NULL, out, NULL, SIZE_MAX);
		_exit(0);
	}
	while (!blocks_now(out))
		usleep(1000);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
	/* The supervisor looks every hundredth of a second, if it gets its turn. */
	for (unsigned i = 0; i < 60; i++) {
		then = blocks_now(out);
		usleep(300000);
		if (then == blocks_now(out))
			break;
	}
	EXPECT_EQ(then, blocks_now(out));
	EXPECT_GT(LONG_SIZE, then);
	close(out);
}

struct one {
	int in, out;
	ssize_t sum;
};

static void *copy_loop(void *arg)
{
	struct one *o = arg;
	off_t a = 0, b = 0;
	ssize_t n;

	do {
		n = call_copy(o->in, &a, o->out, &b, SIZE_MAX);
		o->sum += n;
	} while (n > 0);
	return NULL;
}

/* More than are copied at one time: each gets its turns, and all come to their end. */
TEST_F_TIMEOUT(calls, many_long_copies_at_once, 60)
{
	pthread_t thread[9];
	struct one one[9];
	char name[16];

	put(self->in, 0, LONG_SIZE / 8, IN_SEED);
	for (unsigned i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "out-%u", i);
		one[i] = (struct one){self->in,
				      file_open(self->dir[1], name, O_RDWR | O_CREAT | O_SYNC), 0};
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, copy_loop, &one[i]));
	}
	for (unsigned i = 0; i < 9; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(LONG_SIZE / 8, one[i].sum);
		EXPECT_TRUE(same_bytes(self->in, one[i].out));
		close(one[i].out);
	}
}

/* A search for holes in the supervisor is on an open file of its own. */
TEST_F_TIMEOUT(calls, a_position_is_the_programs_while_another_thread_copies, 60)
{
	struct one one = {self->in, self->out, 0};
	pthread_t thread;

	if (!by_supervisor())
		SKIP(return, "see copy_range(3)");
	for (off_t pos = 0; pos < LONG_SIZE; pos += 1 << 20)
		put(self->in, pos, 4096, IN_SEED);
	lseek(self->in, 12345, SEEK_SET);
	ASSERT_EQ(0, pthread_create(&thread, NULL, copy_loop, &one));
	for (unsigned i = 0; i < 20000; i++) {
		ASSERT_EQ(12345, lseek(self->in, 0, SEEK_CUR));
	}
	pthread_join(thread, NULL);
	EXPECT_TRUE(same_bytes(self->in, self->out));
}

CALLS_MAIN
