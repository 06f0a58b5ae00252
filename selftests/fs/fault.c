// SPDX-License-Identifier: GPL-2.0-or-later
/* The fault room: what its rules say happens, to the call they name, and nothing else does. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "faultroom.h"

TEST_F(fault, without_rules_all_passes_through)
{
	struct file *file;
	struct statx stx;
	char buf[8] = "";

	ASSERT_EQ(0, open_in(self, "", "a", &file));
	EXPECT_EQ(5, cr_write(file, "hello", 5, 0));
	EXPECT_EQ(5, cr_read(file, buf, sizeof(buf), 0));
	EXPECT_STREQ("hello", buf);
	EXPECT_EQ(0, cr_seek(file, 0, SEEK_DATA));
	EXPECT_EQ(0, cr_truncate(file, 3));
	EXPECT_EQ(0, cr_sync(file, false));
	EXPECT_EQ(0, cr_getattr(file, NULL, &stx));
	EXPECT_EQ(3, stx.stx_size);
	EXPECT_EQ(0, cr_close(file));
}

TEST_F(fault, a_file_has_no_descriptor)
{
	struct file *file;

	ASSERT_EQ(0, open_in(self, "", "a", &file));
	EXPECT_EQ(-1, cr_file_fd(file));
	EXPECT_STREQ("fault", cr_file_room(file));
	cr_close(file);
}

TEST_F(fault, the_nth_call_fails_and_no_other)
{
	struct file *file;

	ASSERT_EQ(0, open_in(self, "write@2=ENOSPC", "a", &file));
	EXPECT_EQ(1, cr_write(file, "x", 1, 0));
	EXPECT_EQ(-ENOSPC, cr_write(file, "y", 1, 0));
	EXPECT_EQ(1, cr_write(file, "z", 1, 0));
	cr_close(file);
}

TEST_F(fault, a_failed_call_does_nothing)
{
	struct file *file;
	struct statx stx;

	ASSERT_EQ(0, open_in(self, "write@1=EIO", "a", &file));
	EXPECT_EQ(-EIO, cr_write(file, "x", 1, 0));
	ASSERT_EQ(0, cr_getattr(file, NULL, &stx));
	EXPECT_EQ(0, stx.stx_size);
	cr_close(file);
}

TEST_F(fault, plus_means_from_there_on)
{
	struct file *file;

	ASSERT_EQ(0, open_in(self, "sync@2+=EIO", "a", &file));
	EXPECT_EQ(0, cr_sync(file, true));
	EXPECT_EQ(-EIO, cr_sync(file, true));
	EXPECT_EQ(-EIO, cr_sync(file, true));
	cr_close(file);
}

TEST_F(fault, star_means_every_nth)
{
	struct file *file;

	ASSERT_EQ(0, open_in(self, "sync@2*=EINTR", "a", &file));
	for (int i = 1; i <= 6; i++)
		EXPECT_EQ(i % 2 ? 0 : -EINTR, cr_sync(file, true));
	cr_close(file);
}

TEST_F(fault, a_rule_without_when_is_for_every_call)
{
	struct file *file;

	ASSERT_EQ(0, open_in(self, "sync=EDQUOT", "a", &file));
	EXPECT_EQ(-EDQUOT, cr_sync(file, true));
	EXPECT_EQ(-EDQUOT, cr_sync(file, true));
	cr_close(file);
}

TEST_F(fault, short_counts_move_that_much)
{
	struct file *file;
	char buf[8];

	ASSERT_EQ(0, open_in(self, "write@1=short3,read@1=short2", "a", &file));
	EXPECT_EQ(3, cr_write(file, "abcdef", 6, 0));
	EXPECT_EQ(3, cr_write(file, "def", 3, 3));
	EXPECT_EQ(2, cr_read(file, buf, 6, 0));
	EXPECT_EQ(6, cr_read(file, buf, 6, 0));
	EXPECT_EQ(0, memcmp(buf, "abcdef", 6));
	cr_close(file);
}

TEST_F(fault, short0_reads_as_the_end_of_the_file)
{
	struct file *file;
	char buf[8];

	ASSERT_EQ(0, open_in(self, "read@2+=short0", "a", &file));
	ASSERT_EQ(6, cr_write(file, "abcdef", 6, 0));
	EXPECT_EQ(3, cr_read(file, buf, 3, 0));
	EXPECT_EQ(0, cr_read(file, buf, 3, 3));
	cr_close(file);
}

TEST_F(fault, an_error_beside_a_short_count_comes_after_the_bytes)
{
	struct file *file;
	struct statx stx;

	ASSERT_EQ(0, open_in(self, "write@1=short2,write@1=ENOSPC", "a", &file));
	EXPECT_EQ(-ENOSPC, cr_write(file, "abcdef", 6, 0));
	ASSERT_EQ(0, cr_getattr(file, NULL, &stx));
	EXPECT_EQ(2, stx.stx_size);
	cr_close(file);
}

TEST_F(fault, files_with_the_same_rules_count_together)
{
	struct file *a, *b;

	ASSERT_EQ(0, open_in(self, "sync@2=EIO", "a", &a));
	ASSERT_EQ(0, open_in(self, "sync@2=EIO", "b", &b));
	EXPECT_EQ(0, cr_sync(a, true));
	EXPECT_EQ(-EIO, cr_sync(b, true));
	cr_close(a);
	cr_close(b);
}

TEST_F(fault, files_with_other_rules_count_apart)
{
	struct file *a, *b;

	ASSERT_EQ(0, open_in(self, "sync@2=EIO", "a", &a));
	ASSERT_EQ(0, open_in(self, "sync@2=EROFS", "b", &b));
	EXPECT_EQ(0, cr_sync(a, true));
	EXPECT_EQ(0, cr_sync(b, true));
	EXPECT_EQ(-EROFS, cr_sync(b, true));
	EXPECT_EQ(-EIO, cr_sync(a, true));
	cr_close(a);
	cr_close(b);
}

TEST_F(fault, another_namespace_counts_from_the_start)
{
	struct cr_ns *other = cr_ns_new();
	struct file *a, *b;
	char url[URL_MAX];

	ASSERT_EQ(0, open_in(self, "sync@1=EIO", "a", &a));
	EXPECT_EQ(-EIO, cr_sync(a, true));
	snprintf(url, sizeof(url), "fault:sync@1=EIO:%s/a", self->dir);
	ASSERT_EQ(0, cr_open(other, url, O_RDWR, 0, &b));
	EXPECT_EQ(-EIO, cr_sync(b, true));
	cr_close(a);
	cr_close(b);
	cr_ns_free(other);
}

TEST_F(fault, a_glob_limits_a_rule_to_names)
{
	struct file *dir, *a, *b;
	struct statx stx;

	ASSERT_EQ(0, open_dir(self, "sync(b*)=EIO,getattr(gone)=ESTALE", &dir));
	ASSERT_EQ(0, cr_openat(dir, "a", O_RDWR | O_CREAT, 0600, &a));
	ASSERT_EQ(0, cr_openat(dir, "bb", O_RDWR | O_CREAT, 0600, &b));
	EXPECT_EQ(0, cr_sync(a, true));
	EXPECT_EQ(-EIO, cr_sync(b, true));
	EXPECT_EQ(0, cr_getattr(dir, "a", &stx));
	EXPECT_EQ(-ESTALE, cr_getattr(dir, "gone", &stx));
	cr_close(a);
	cr_close(b);
	cr_close(dir);
}

TEST_F(fault, files_below_a_directory_obey_its_rules)
{
	struct file *dir, *sub, *file;

	ASSERT_EQ(0, open_dir(self, "write@2=EIO", &dir));
	ASSERT_EQ(0, cr_mkdir(dir, "sub", 0700));
	ASSERT_EQ(0, cr_openat(dir, "sub", O_RDONLY | O_DIRECTORY, 0, &sub));
	ASSERT_EQ(0, cr_openat(sub, "a", O_RDWR | O_CREAT | O_EXCL, 0600, &file));
	EXPECT_STREQ("fault", cr_file_room(file));
	EXPECT_EQ(-1, cr_file_fd(file));
	EXPECT_EQ(1, cr_write(file, "x", 1, 0));
	EXPECT_EQ(-EIO, cr_write(file, "x", 1, 0));
	cr_close(file);
	cr_close(sub);
	cr_close(dir);
}

TEST_F(fault, a_refused_open_makes_nothing)
{
	struct file *dir, *file;
	struct statx stx;

	ASSERT_EQ(0, open_dir(self, "open(a)=EMFILE", &dir));
	EXPECT_EQ(-EMFILE, cr_openat(dir, "a", O_RDWR | O_CREAT, 0600, &file));
	EXPECT_EQ(NULL, file);
	EXPECT_EQ(-ENOENT, cr_getattr(dir, "a", &stx));
	EXPECT_EQ(-EMFILE, open_in(self, "open=EMFILE", "a", &file));
	EXPECT_EQ(-ENOENT, cr_getattr(dir, "a", &stx));
	cr_close(dir);
}

TEST_F(fault, an_open_that_fails_below_fails)
{
	struct file *dir, *file;

	ASSERT_EQ(0, open_dir(self, "release=EIO", &dir));
	EXPECT_EQ(-ENOENT, cr_openat(dir, "none", O_RDONLY, 0, &file));
	EXPECT_EQ(-EIO, cr_close(dir));
}

TEST_F(fault, close_reports_and_still_closes)
{
	struct file *file;

	ASSERT_EQ(0, open_in(self, "release@1=EIO", "a", &file));
	EXPECT_EQ(-EIO, cr_close(file));
}

TEST_F(fault, it_stacks_on_any_room_and_on_itself)
{
	struct file *mem, *twice;
	char url[URL_MAX];

	ASSERT_EQ(0, cr_open(self->ns, "fault:write@1=EIO:mem:x", O_RDWR | O_CREAT, 0600, &mem));
	EXPECT_EQ(-EIO, cr_write(mem, "x", 1, 0));
	EXPECT_EQ(1, cr_write(mem, "x", 1, 0));
	EXPECT_EQ(1, cr_seek(mem, 0, SEEK_HOLE));
	EXPECT_EQ(-ENXIO, cr_seek(mem, 1, SEEK_DATA));
	cr_close(mem);

	snprintf(url, sizeof(url), "fault:sync@1=EIO:fault:sync@1=EROFS:%s/a", self->dir);
	ASSERT_EQ(0, cr_open(self->ns, url, O_RDWR | O_CREAT, 0600, &twice));
	EXPECT_EQ(-EIO, cr_sync(twice, true));
	EXPECT_EQ(-EROFS, cr_sync(twice, true));
	EXPECT_EQ(0, cr_sync(twice, true));
	cr_close(twice);
}

TEST_F(fault, a_path_may_hold_colons)
{
	struct file *file;

	ASSERT_EQ(0, open_in(self, "sync(x*y)=EIO", "x:y", &file));
	EXPECT_EQ(-EIO, cr_sync(file, true));
	cr_close(file);
}

TEST_F(fault, bad_rules_are_einval)
{
	static const char *const bad[] = {
		"bogus=EIO",
		"read",
		"read=",
		"read@=EIO",
		"read@0=EIO",
		"read@-1=EIO",
		"read@1x=EIO",
		"read@1++=EIO",
		"read=EBOGUS",
		"read=eio",
		"read=short",
		"read=short-1",
		"read=delay",
		"read=delay3600001",
		"read=short99999999999999999999",
		"read(=EIO",
		"read(a=EIO",
		"read()x=EIO",
		"=EIO",
		"read=EIO,,",
		",",
		"read=killer",
		"read=flip1",
	};
	struct file *file;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, open_in(self, bad[i], "a", &file))
		{
			TH_LOG("%s", bad[i]);
		}
	}
	EXPECT_EQ(-EINVAL, cr_open(self->ns, "fault:", O_RDONLY, 0, &file));
	EXPECT_EQ(-EINVAL, cr_open(self->ns, "fault:read=EIO", O_RDONLY, 0, &file));
	EXPECT_EQ(-EINVAL, cr_open(self->ns, "fault:read=EIO:", O_RDONLY, 0, &file));
}

TEST_F(fault, too_many_rules_are_einval)
{
	char rules[65 * 9 + 1] = "";
	struct file *file;

	for (int i = 0; i < 65; i++)
		strcat(rules, i ? ",read=EIO" : "read=EIO");
	EXPECT_EQ(-EINVAL, open_in(self, rules, "a", &file));
	rules[64 * 9 - 1] = '\0';
	ASSERT_EQ(0, open_in(self, rules, "a", &file));
	cr_close(file);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

TEST_F(fault, a_delay_takes_its_time_and_then_works)
{
	struct file *file;
	uint64_t start;

	ASSERT_EQ(0, open_in(self, "write@1=delay100", "a", &file));
	start = now_ms();
	EXPECT_EQ(1, cr_write(file, "x", 1, 0));
	EXPECT_LE(100, now_ms() - start);
	cr_close(file);
}

TEST_F_SIGNAL(fault, kill_ends_the_process, SIGKILL)
{
	struct file *file;

	ASSERT_EQ(0, open_in(self, "sync@2=kill", "a", &file));
	cr_sync(file, true);
	cr_sync(file, true);
}

static volatile sig_atomic_t signals;

static void count_signal(int sig)
{
	signals++;
}

TEST_F(fault, a_signal_is_sent_and_the_call_goes_on)
{
	struct file *file;

	signal(SIGINT, count_signal);
	signal(SIGTERM, count_signal);
	ASSERT_EQ(0, open_in(self, "sync@1=int,sync@2=term", "a", &file));
	EXPECT_EQ(0, cr_sync(file, true));
	EXPECT_EQ(1, signals);
	EXPECT_EQ(0, cr_sync(file, true));
	EXPECT_EQ(2, signals);
	cr_close(file);
}

TEST_F(fault, flip_spoils_what_is_read)
{
	struct file *file;
	char buf[4];

	ASSERT_EQ(0, open_in(self, "read@1=flip", "a", &file));
	ASSERT_EQ(4, cr_write(file, "abcd", 4, 0));
	EXPECT_EQ(4, cr_read(file, buf, 4, 0));
	EXPECT_NE(0, memcmp(buf, "abcd", 4));
	EXPECT_EQ(4, cr_read(file, buf, 4, 0));
	EXPECT_EQ(0, memcmp(buf, "abcd", 4));
	cr_close(file);
}

/* Threads ------------------------------------------------------------------------ */

#define THREADS 4
#define CALLS	2500
#define EVERY_7 (THREADS * CALLS / 7)

struct hammer {
	struct file *file;
	atomic_uint failed;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;

	for (int i = 0; i < CALLS; i++)
		if (cr_seek(h->file, 0, SEEK_HOLE) == -EIO)
			atomic_fetch_add(&h->failed, 1);
	return NULL;
}

TEST_F(fault, threads_count_exactly)
{
	struct hammer h = {0};
	pthread_t thread[THREADS];

	ASSERT_EQ(0, cr_open(self->ns, "fault:seek@7*=EIO:mem:x", O_RDWR | O_CREAT, 0600, &h.file));
	ASSERT_EQ(1, cr_write(h.file, "x", 1, 0));
	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, hammer, &h));
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(EVERY_7, atomic_load(&h.failed));
	cr_close(h.file);
}

TEST_HARNESS_MAIN
