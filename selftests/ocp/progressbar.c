// SPDX-License-Identifier: GPL-2.0-or-later
/* The bar on a pseudo terminal: when it is there, when it is not, that it goes away. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "userspace/ocp/opts.h"
#include "userspace/progress.h"

#define MIB ((uint64_t)1 << 20)

FIXTURE(bar)
{
	struct ocp_opts o;
	int reader, saved_err;
	char seen[1 << 16];
	size_t len;
};

FIXTURE_VARIANT(bar)
{
	bool terminal;
};
FIXTURE_VARIANT_ADD(bar, terminal){.terminal = true};
FIXTURE_VARIANT_ADD(bar, pipe){.terminal = false};

static int open_terminal(int *writer, unsigned short columns)
{
	struct winsize ws = {.ws_row = 24, .ws_col = columns};
	int reader = posix_openpt(O_RDWR | O_NOCTTY);

	if (reader < 0 || grantpt(reader) || unlockpt(reader))
		return -1;
	*writer = open(ptsname(reader), O_RDWR | O_NOCTTY);
	ioctl(*writer, TIOCSWINSZ, &ws);
	return reader;
}

FIXTURE_SETUP(bar)
{
	int ends[2] = {-1, -1};

	memset(&self->o, 0, sizeof(self->o));
	setenv("TERM", "xterm", 1);
	self->len = 0;
	self->saved_err = dup(STDERR_FILENO);
	if (variant->terminal)
		ends[0] = open_terminal(&ends[1], 60);
	else if (pipe(ends))
		ends[0] = -1;
	if (ends[0] < 0 || ends[1] < 0)
		SKIP(return, "no pseudo terminals");
	self->reader = ends[0];
	fcntl(self->reader, F_SETFL, O_NONBLOCK);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
}

FIXTURE_TEARDOWN(bar)
{
	dup2(self->saved_err, STDERR_FILENO);
	close(self->reader);
}

static void take(int reader, char *seen, size_t *len, size_t size)
{
	ssize_t n;

	while ((n = read(reader, seen + *len, size - 1 - *len)) > 0)
		*len += (size_t)n;
	seen[*len] = '\0';
}

#define TAKE() take(self->reader, self->seen, &self->len, sizeof(self->seen))

static void pause_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/* Until @text was written, for ten seconds at most. */
static bool wait_for(int reader, char *seen, size_t *len, size_t size, const char *text)
{
	for (unsigned i = 0; i < 1000; i++) {
		take(reader, seen, len, size);
		if (strstr(seen, text))
			return true;
		pause_ms(10);
	}
	return false;
}

#define WAIT_FOR(text) wait_for(self->reader, self->seen, &self->len, sizeof(self->seen), text)

TEST_F(bar, always_shows_bytes_percent_strategy_and_name)
{
	struct copy_progress *now;
	struct progress *p;

	self->o.progress = WHEN_ALWAYS;
	p = progress_new(self->o.progress, 2);
	ASSERT_NE(NULL, p);
	progress_found(p, 200 * MIB);
	progress_found_all(p);
	now = progress_begin(p, 1, "f.img", 200 * MIB);
	ASSERT_NE(NULL, now);
	__atomic_store_n(&now->strategy, COPY_ENCODED, __ATOMIC_RELAXED);
	__atomic_fetch_add(&now->bytes, 100 * MIB, __ATOMIC_RELAXED);
	EXPECT_TRUE(WAIT_FOR("50%  100.0 MiB of 200.0 MiB"));
	progress_end(p, 1);
	progress_free(p);
	TAKE();
	/* A terminal of 60 columns has no room for all of it. */
	if (!variant->terminal) {
		EXPECT_NE(NULL, strstr(self->seen, "encoded  f.img"));
		EXPECT_EQ(NULL, strchr(self->seen, '\r'));
		EXPECT_EQ('\n', self->seen[self->len - 1]);
	}
}

TEST_F(bar, counts_on_while_it_copies)
{
	struct copy_progress *now;
	struct progress *p;

	self->o.progress = WHEN_ALWAYS;
	p = progress_new(self->o.progress, 1);
	ASSERT_NE(NULL, p);
	now = progress_begin(p, 0, "a", 10 * MIB);
	__atomic_fetch_add(&now->bytes, 10 * MIB, __ATOMIC_RELAXED);
	progress_end(p, 0);
	progress_found(p, 10 * MIB);
	progress_found(p, 30 * MIB);
	EXPECT_TRUE(WAIT_FOR("10.0 MiB of at least 40.0 MiB  1 of 2 files"));
	progress_found(p, 10 * MIB);
	progress_found(p, 60 * MIB);
	progress_skip(p, 60 * MIB);
	progress_found_all(p);
	EXPECT_TRUE(WAIT_FOR("20%  10.0 MiB of 50.0 MiB  1 of 3 files"));
	progress_free(p);
}

TEST_F(bar, ends_with_an_empty_line)
{
	struct progress *p;

	if (!variant->terminal)
		SKIP(return, "there is nothing to erase in a pipe");
	self->o.progress = WHEN_ALWAYS;
	p = progress_new(self->o.progress, 1);
	EXPECT_TRUE(WAIT_FOR("0 bytes"));
	progress_free(p);
	TAKE();
	ASSERT_GE(self->len, 4u);
	EXPECT_STREQ("\r\033[K", self->seen + self->len - 4);
}

/* Columns of the last line that is there to its end. */
static size_t last_width(const char *seen)
{
	const char *end = NULL, *start;

	for (const char *at = seen; (at = strstr(at, "\033[K")); at++)
		end = at;
	for (start = end; start && start > seen && start[-1] != '\r'; start--)
		;
	return end ? (size_t)(end - start) : SIZE_MAX;
}

TEST_F(bar, keeps_within_the_terminal_when_that_changes)
{
	struct winsize ws = {.ws_row = 24, .ws_col = 30};
	struct progress *p;
	char *line, *rest;

	if (!variant->terminal)
		SKIP(return, "a pipe has no width");
	self->o.progress = WHEN_ALWAYS;
	p = progress_new(self->o.progress, 1);
	progress_begin(p, 0, "a-name-that-is-far-too-long-for-this-terminal-of-thirty", 5);
	EXPECT_TRUE(WAIT_FOR("..."));
	ioctl(STDERR_FILENO, TIOCSWINSZ, &ws);
	/* One that was on its way may still be wide; none is after one that is not. */
	for (unsigned i = 0; i < 1000 && last_width(self->seen) > 29; i++) {
		pause_ms(10);
		TAKE();
	}
	self->len = 0;
	self->seen[0] = '\0';
	EXPECT_TRUE(WAIT_FOR("\033[K\r"));
	progress_free(p);
	rest = self->seen;
	while ((line = strsep(&rest, "\r")))
		EXPECT_LE(strcspn(line, "\033"), 29u);
}

static long ms_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / 1000000;
}

TEST_F(bar, is_silent_for_two_seconds_by_default)
{
	struct progress *p = NULL;
	struct timespec began;
	long took;

	self->o.progress = WHEN_AUTO;
	do { /* again where a busy machine made two seconds of it */
		progress_free(p);
		TAKE();
		self->len = 0;
		clock_gettime(CLOCK_MONOTONIC, &began);
		p = progress_new(self->o.progress, 1);
		if (!variant->terminal) {
			EXPECT_EQ(NULL, p);
			return;
		}
		pause_ms(1500);
		TAKE();
		took = ms_since(&began);
	} while (took >= 2000);
	EXPECT_EQ(0u, self->len);
	EXPECT_TRUE(WAIT_FOR("0 bytes"));
	progress_free(p);
}

TEST_F(bar, is_not_there_when_not_wanted)
{
	self->o.progress = WHEN_NEVER;
	EXPECT_EQ(NULL, progress_new(self->o.progress, 1));
	self->o.progress = WHEN_AUTO;
	setenv("TERM", "dumb", 1);
	EXPECT_EQ(NULL, progress_new(self->o.progress, 1));
	/* All calls take it. */
	EXPECT_EQ(NULL, progress_begin(NULL, 0, "x", 1));
	progress_end(NULL, 0);
	progress_found(NULL, 1);
	progress_skip(NULL, 1);
	progress_found_all(NULL);
	progress_hide(NULL);
	progress_show(NULL);
	progress_free(NULL);
}

TEST_F(bar, stays_away_while_hidden)
{
	struct progress *p;

	self->o.progress = WHEN_ALWAYS;
	p = progress_new(self->o.progress, 1);
	EXPECT_TRUE(WAIT_FOR("0 bytes"));
	progress_hide(p);
	pause_ms(20);
	TAKE();
	self->len = 0;
	pause_ms(300);
	TAKE();
	EXPECT_EQ(0u, self->len);
	progress_show(p);
	progress_free(p);
}

static void *copy_small_files(void *arg)
{
	struct progress *p = arg;

	for (unsigned i = 0; i < 20000; i++) {
		struct copy_progress *now = progress_begin(p, i % 4, "some/file", 10);

		__atomic_fetch_add(&now->bytes, 10, __ATOMIC_RELAXED);
		progress_end(p, i % 4);
	}
	return NULL;
}

TEST_F(bar, counts_what_all_workers_do)
{
	pthread_t threads[4];
	struct progress *p;

	self->o.progress = WHEN_ALWAYS;
	p = progress_new(self->o.progress, 4);
	/* Workers share slots here, which makes it harder than it will be. */
	for (unsigned i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, copy_small_files, p);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	EXPECT_TRUE(WAIT_FOR("781.2 KiB  80000 files"));
	progress_free(p);
}

TEST_F(bar, says_how_much_was_offloaded)
{
	struct copy_progress *now;
	struct progress *p;

	if (variant->terminal)
		SKIP(return, "60 columns have no room for it");
	p = progress_new(WHEN_ALWAYS, 2);
	ASSERT_NE(NULL, p);
	now = progress_begin(p, 0, "a", 30 * MIB);
	__atomic_fetch_add(&now->bytes, 30 * MIB, __ATOMIC_RELAXED);
	progress_streamed(p, 0, 10 * MIB);
	progress_end(p, 0);
	now = progress_begin(p, 1, "b", 10 * MIB);
	__atomic_store_n(&now->strategy, COPY_STREAM, __ATOMIC_RELAXED);
	__atomic_fetch_add(&now->bytes, 10 * MIB, __ATOMIC_RELAXED);
	EXPECT_TRUE(WAIT_FOR("40.0 MiB  1 file"));
	EXPECT_TRUE(WAIT_FOR("stream  50% offloaded  b"));
	progress_free(p);
}

static void block_usr1(void)
{
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
}

TEST_F(bar, a_signal_prints_the_line_where_there_is_no_bar)
{
	struct copy_progress *now;
	struct progress *p;

	block_usr1();
	p = progress_on_signal(1);
	ASSERT_NE(NULL, p);
	EXPECT_FALSE(progress_shown(p));
	EXPECT_FALSE(progress_wants_name(p, 1000));
	EXPECT_TRUE(progress_wants_name(p, 10 * MIB));
	now = progress_begin(p, 0, "f.img", 10 * MIB);
	__atomic_fetch_add(&now->bytes, 5 * MIB, __ATOMIC_RELAXED);
	pause_ms(300);
	TAKE();
	EXPECT_EQ(0u, self->len);
	kill(getpid(), SIGUSR1);
	EXPECT_TRUE(WAIT_FOR("5.0 MiB"));
	EXPECT_TRUE(WAIT_FOR("f.img"));
	EXPECT_TRUE(WAIT_FOR("\n"));
	progress_end(p, 0);
	TAKE();
	self->len = 0;
	progress_free(p);
	TAKE();
	if (variant->terminal)
		EXPECT_EQ(0u, self->len);
}

TEST_F(bar, a_signal_waits_until_there_is_something_to_say)
{
	struct progress *p;

	block_usr1();
	p = progress_on_signal(1);
	ASSERT_NE(NULL, p);
	progress_begin(p, 0, NULL, 10);
	progress_end(p, 0);
	kill(getpid(), SIGUSR1);
	pause_ms(250);
	TAKE();
	EXPECT_EQ(0u, self->len);
	progress_begin(p, 0, NULL, 10);
	progress_end(p, 0);
	EXPECT_TRUE(WAIT_FOR("2 files"));
	progress_free(p);
}

TEST_F(bar, a_signal_prints_the_line_beside_the_bar)
{
	struct progress *p;

	block_usr1();
	p = progress_new(WHEN_ALWAYS, 1);
	progress_begin(p, 0, "f", 10);
	EXPECT_TRUE(WAIT_FOR("0 bytes"));
	kill(getpid(), SIGUSR1);
	EXPECT_TRUE(WAIT_FOR(variant->terminal ? "\r\033[K0 bytes" : "0 bytes"));
	EXPECT_TRUE(WAIT_FOR("\n"));
	progress_free(p);
}

TEST_HARNESS_MAIN
