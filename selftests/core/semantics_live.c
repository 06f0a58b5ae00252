// SPDX-License-Identifier: GPL-2.0-or-later
/* What happens meanwhile: files that shrink, grow and fill up, signals, the stop flag. */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "call.h"

#define MIB ((off_t)1 << 20)

static void sleep_us(long us)
{
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct meddler {
	int fd;
	off_t size;
	long us;
	int stop;
};

static void *shrink(void *arg)
{
	const struct meddler *m = arg;

	sleep_us(m->us);
	if (ftruncate(m->fd, m->size))
		return arg;
	return NULL;
}

TEST_F(call, source_that_shrinks)
{
	for_each_way(w) for (unsigned i = 0; i < 8; i++)
	{
		struct call c = {.in = self->in, .out = self->out, .flags = *w};
		struct meddler m = {self->in, MIB + 77, 1000L * i, 0};
		pthread_t thread;

		put(self->in, 0, 24 * MIB, IN_SEED);
		ASSERT_EQ(0, ftruncate(self->out, 0));
		ASSERT_EQ(0, pthread_create(&thread, NULL, shrink, &m));
		c.len = COPY_LEN_EOF;
		EXPECT_EQ(0, call(&c));
		pthread_join(thread, NULL);
		EXPECT_LE(MIB + 77, c.res.bytes);
		EXPECT_EQ(c.res.bytes, size_of_fd(self->out));
		EXPECT_EQ(-1, differs(self->out, 0, MIB + 77, IN_SEED, 0));
	}
}

static void *grow(void *arg)
{
	struct meddler *m = arg;

	while (!__atomic_load_n(&m->stop, __ATOMIC_RELAXED) && m->size < 32 * MIB) {
		static unsigned char buf[65536];

		content_fill(buf, sizeof(buf), IN_SEED, m->size);
		if (pwrite(m->fd, buf, sizeof(buf), m->size) != sizeof(buf))
			return arg;
		m->size += (off_t)sizeof(buf);
	}
	return NULL;
}

/* Its end is wherever it is when the copy gets there. */
TEST_F(call, source_that_grows_is_followed_to_its_end)
{
	for_each_way(w)
	{
		struct call c = {.in = self->in, .out = self->out, .flags = *w};
		struct meddler m = {self->in, MIB, 0, 0};
		pthread_t thread;

		ASSERT_EQ(0, ftruncate(self->out, 0));
		ASSERT_EQ(0, ftruncate(self->in, 0));
		put(self->in, 0, (size_t)m.size, IN_SEED);
		ASSERT_EQ(0, pthread_create(&thread, NULL, grow, &m));
		c.len = COPY_LEN_EOF;
		EXPECT_EQ(0, call(&c));
		__atomic_store_n(&m.stop, 1, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		EXPECT_LE(MIB, c.res.bytes);
		EXPECT_GE(m.size, c.res.bytes);
		EXPECT_EQ(c.res.bytes, size_of_fd(self->out));
		EXPECT_EQ(-1, differs(self->out, 0, c.res.bytes, IN_SEED, 0));
	}
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* The system call stops short at each signal; read and write may give EINTR without SA_RESTART. */
TEST_F(call, signals_do_not_end_a_copy)
{
	const struct sigaction sa = {.sa_handler = on_alarm};
	const struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};

	put(self->in, 0, 32 * MIB + 5, IN_SEED);
	sigaction(SIGALRM, &sa, NULL);
	for_each_way(w)
	{
		off_t a = 0, b = 0;

		ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
		EXPECT_EQ(32 * MIB + 5, copy_range(self->in, &a, self->out, &b, SIZE_MAX, *w));
		setitimer(ITIMER_REAL, &never, NULL);
		EXPECT_TRUE(same_bytes(self->in, self->out));
		EXPECT_EQ(0, ftruncate(self->out, 0));
	}
	TH_LOG("%d signals", (int)alarms);
}

TEST_F(call, stop_before_the_start_copies_nothing)
{
	const int stop = 1;

	for_each_way(w)
	{
		struct call c = {.in = self->in, .out = self->out, .len = 5000, .flags = *w};

		c.stop = &stop;
		EXPECT_EQ(0, call(&c));
		EXPECT_EQ(1, c.res.stopped);
		EXPECT_EQ(0, c.res.bytes);
		EXPECT_EQ(0, size_of_fd(self->out));
	}
}

static void *stop_soon(void *arg)
{
	struct meddler *m = arg;

	sleep_us(m->us);
	__atomic_store_n(&m->stop, 1, __ATOMIC_RELAXED);
	return NULL;
}

/*
 * Exact: the bytes counted are there and the file ends with them.  So many seconds
 * are far more than a slice takes, on a busy machine too.
 */
TEST_F(call, stop_ends_soon_with_an_exact_count)
{
	unsigned stopped = 0;

	put(self->in, 0, 96 * MIB, IN_SEED);
	for (unsigned i = 0; i < 6 || (!stopped && i < 40); i++) {
		struct call c = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};
		struct meddler m = {.us = 2000L * (i % 6)};
		pthread_t thread;
		double begin = now();

		c.flags = copy_ways[1 + i % 2];
		c.stop = &m.stop;
		ASSERT_EQ(0, ftruncate(self->out, 0));
		ASSERT_EQ(0, pthread_create(&thread, NULL, stop_soon, &m));
		EXPECT_EQ(0, call(&c));
		EXPECT_GT(20.0, now() - begin);
		pthread_join(thread, NULL);
		stopped += (unsigned)c.res.stopped;
		EXPECT_EQ(c.res.stopped, c.res.bytes < 96 * MIB);
		EXPECT_EQ(c.res.bytes, size_of_fd(self->out));
		EXPECT_EQ(-1, differs(self->out, 0, c.res.bytes, IN_SEED, 0));
	}
	EXPECT_LT(0u, stopped);
	TH_LOG("%u stopped on the way", stopped);
}

/* One piece of data and hole of a file that others copy too. */
struct piece {
	pthread_t thread;
	int in, out;
	off_t at;
	unsigned flags;
};

#define PIECE 65536

static void *copy_piece(void *arg)
{
	struct piece *p = arg;
	off_t a = p->at, b = p->at;

	return copy_range(p->in, &a, p->out, &b, PIECE, p->flags) == PIECE ? NULL : arg;
}

/* Each ends in a hole, which must not cut off what another one has put behind it. */
TEST_F(call, disjoint_ranges_at_once)
{
	ASSERT_EQ(0, ftruncate(self->in, 0));
	ASSERT_EQ(0, ftruncate(self->in, 8 * PIECE));
	for (off_t at = 0; at < 8 * PIECE; at += PIECE)
		put(self->in, at, 5000, IN_SEED);
	for (unsigned i = 0; i < 60; i++) {
		struct piece p[8];
		void *ret;

		ASSERT_EQ(0, ftruncate(self->out, 0));
		for (unsigned j = 0; j < 8; j++) {
			p[j] = (struct piece){0, self->in, self->out, j * PIECE, copy_ways[i % 3]};
			ASSERT_EQ(0, pthread_create(&p[j].thread, NULL, copy_piece, &p[j]));
		}
		for (unsigned j = 0; j < 8; j++) {
			pthread_join(p[j].thread, &ret);
			EXPECT_NULL(ret);
		}
		EXPECT_TRUE(same_bytes(self->in, self->out));
	}
}

/* Takes all space of the file system but about @leave bytes. */
static void fill_up(struct __test_metadata *_metadata, const char *dir, off_t leave)
{
	int fd = file_open(dir, "filler", O_RDWR | O_CREAT);
	off_t size = 0;

	for (off_t step = 64 * MIB; step >= 65536; step /= 2)
		while (posix_fallocate(fd, size, step) == 0)
			size += step;
	ASSERT_EQ(0, ftruncate(fd, size - leave));
	ASSERT_EQ(0, syncfs(fd));
	close(fd);
}

/*
 * Short first, then the error; the count is the bytes that are there, and the file ends with
 * them.  It may be 0: workers further on in the file may have had the last of the space.
 */
TEST_F(call, disk_full_in_the_middle)
{
	put(self->in, 0, 40 * MIB, IN_SEED);
	fsync(self->in);
	fill_up(_metadata, self->dir, 12 * MIB);
	for (const unsigned *w = copy_ways + 1; w < copy_ways + 3; w++) {
		off_t a = 0, b = 0;
		ssize_t n;

		ASSERT_EQ(0, ftruncate(self->out, 0));
		fsync(self->out);
		do {
			n = copy_range(self->in, &a, self->out, &b, SIZE_MAX, *w);
		} while (n > 0);
		EXPECT_EQ(-1, n);
		EXPECT_EQ(ENOSPC, errno);
		EXPECT_GT(40 * MIB, a);
		EXPECT_EQ(a, b);
		EXPECT_EQ(b, size_of_fd(self->out));
		EXPECT_EQ(-1, differs(self->out, 0, (size_t)b, IN_SEED, 0));
	}
}

TEST_F(call, disk_full_keeps_the_error_beside_the_count)
{
	struct call c = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};

	put(self->in, 0, 40 * MIB, IN_SEED);
	fsync(self->in);
	fill_up(_metadata, self->dir, 12 * MIB);
	c.flags = COPY_RANGE_NO_CLONE;
	EXPECT_EQ(-ENOSPC, call(&c));
	EXPECT_GT(40 * MIB, c.res.bytes);
	EXPECT_EQ(c.res.bytes, size_of_fd(self->out));
	EXPECT_EQ(-1, differs(self->out, 0, c.res.bytes, IN_SEED, 0));
}

TEST_F(call, clone_needs_no_space)
{
	if (!variant->clones)
		SKIP(return, "%s has no clones", variant->fs);
	put(self->in, 0, 40 * MIB, IN_SEED);
	fsync(self->in);
	fill_up(_metadata, self->dir, 12 * MIB);
	EXPECT_EQ(40 * MIB, copy_at(self->in, 0, self->out, 0, SIZE_MAX));
	EXPECT_TRUE(same_bytes(self->in, self->out));
}

COPYTEST_MAIN("btrfs", "xfs", "ext4", "tmpfs")
