// SPDX-License-Identifier: GPL-2.0-or-later
/* Offsets, lengths, the ends of files and of what a file may be, overlap inside one file. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include "call.h"

#define BLOCK 4096

static volatile sig_atomic_t xfsz;

static void on_xfsz(int sig)
{
	(void)sig;
	xfsz++;
}

/* For this process from now on; it cannot be raised again. */
static void limit_files(off_t size)
{
	struct rlimit lim = {(rlim_t)size, (rlim_t)size};

	signal(SIGXFSZ, on_xfsz);
	if (setrlimit(RLIMIT_FSIZE, &lim))
		_exit(KSFT_FAIL);
}

/* On ext4 a file has at most 2^32 - 1 blocks. */
static off_t longest_file(int fd, const char *fs)
{
	struct statvfs st;

	if (strcmp(fs, "ext4") != 0)
		return INT64_MAX;
	return fstatvfs(fd, &st) ? 0 : (off_t)st.f_bsize * UINT32_MAX;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Different from the system call, which says EOVERFLOW of some of them. */
TEST_F(call, negative_offset_is_einval)
{
	static const off_t bad[] = {-1, -BLOCK, INT64_MIN};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		for (size_t len = 0; len <= 10; len += 10) {
			EXPECT_EQ(-EINVAL, copy_at(self->in, bad[i], self->out, 0, len));
			EXPECT_EQ(-EINVAL, copy_at(self->in, 0, self->out, bad[i], len));
			EXPECT_EQ(-EINVAL, copy_at(self->in, IN_SIZE, self->out, bad[i], len));
		}
	EXPECT_EQ(0, size_of_fd(self->out));
}

TEST_F(call, length_size_max_ends_at_eof)
{
	EXPECT_EQ(IN_SIZE, copy_at(self->in, 0, self->out, 0, SIZE_MAX));
	EXPECT_TRUE(same_bytes(self->in, self->out));
}

/* The system call: EOVERFLOW. */
TEST_F(call, offset_plus_length_beyond_2_64_ends_at_eof)
{
	EXPECT_EQ(IN_SIZE - 1, copy_at(self->in, 1, self->out, 1, SIZE_MAX));
	EXPECT_EQ(-1, differs(self->out, 1, IN_SIZE - 1, IN_SEED, 1));
}

TEST_F(call, length_beyond_ssize_max_ends_at_eof)
{
	size_t len = SIZE_MAX / 2 + 1;

	EXPECT_EQ(IN_SIZE - BLOCK, copy_at(self->in, BLOCK, self->out, BLOCK, len));
	EXPECT_EQ(-1, differs(self->out, BLOCK, IN_SIZE - BLOCK, IN_SEED, BLOCK));
}

TEST_F(call, source_at_eof_is_0_and_target_unchanged)
{
	struct timespec before = mtime_of(self->out);

	for_each_way(w)
	{
		for (off_t pos = IN_SIZE; pos < IN_SIZE + 2 * BLOCK; pos += BLOCK) {
			off_t a = pos, b = 7;

			EXPECT_EQ(0, copy_range(self->in, &a, self->out, &b, 10, *w));
			EXPECT_EQ(pos, a);
			EXPECT_EQ(7, b);
		}
	}
	EXPECT_TRUE(same_time(before, mtime_of(self->out)));
	EXPECT_EQ(0, size_of_fd(self->out));
}

TEST_F(call, empty_source_is_0)
{
	int empty = file_open(self->dir, "empty", O_RDWR | O_CREAT);

	for_each_way(w) EXPECT_EQ(0, copy_range(empty, NULL, self->out, NULL, 10, *w));
}

/* The system call: EFBIG, coreutils met it (cf36efedc). */
TEST_F(call, source_at_eof_is_0_at_any_target_offset)
{
	EXPECT_EQ(0, copy_at(self->in, IN_SIZE, self->out, INT64_MAX, 10));
	EXPECT_EQ(0, copy_at(self->in, IN_SIZE, self->out, INT64_MAX - 1, SIZE_MAX));
}

TEST_F(call, source_at_eof_is_0_beyond_the_size_limit)
{
	limit_files(BLOCK);
	EXPECT_EQ(0, copy_at(self->in, IN_SIZE, self->out, BLOCK, 10));
	EXPECT_EQ(0, copy_at(self->in, IN_SIZE, self->out, 10 * BLOCK, 10));
	EXPECT_EQ(0, xfsz);
}

/* To the byte, where XFS and btrfs stop at the last whole block. */
TEST_F(call, crossing_the_size_limit_is_short)
{
	limit_files(10000);
	for_each_way(w)
	{
		off_t a = 0, b = 0;

		EXPECT_EQ(10000, copy_range(self->in, &a, self->out, &b, IN_SIZE, *w));
		EXPECT_EQ(10000, size_of_fd(self->out));
		EXPECT_EQ(-1, differs(self->out, 0, 10000, IN_SEED, 0));
		EXPECT_EQ(0, ftruncate(self->out, 0));
	}
	EXPECT_EQ(0, xfsz);
}

TEST_F(call, crossing_the_size_limit_is_efbig_with_the_bytes)
{
	struct call c = {.in = self->in, .out = self->out, .len = IN_SIZE};
	struct call to_eof = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};

	limit_files(10000);
	EXPECT_EQ(-EFBIG, call(&c));
	EXPECT_EQ(10000, c.res.bytes);
	EXPECT_EQ(-EFBIG, call(&to_eof));
	EXPECT_EQ(10000, to_eof.res.bytes);
	EXPECT_EQ(10000, size_of_fd(self->out));
	EXPECT_EQ(0, xfsz);
}

TEST_F(call, reaching_the_size_limit_exactly_is_whole)
{
	struct call c = {.in = self->in, .out = self->out, .len = COPY_LEN_EOF};

	limit_files(IN_SIZE);
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(IN_SIZE, c.res.bytes);
	EXPECT_EQ(0, xfsz);
}

TEST_F(call, at_the_size_limit_is_efbig_and_a_signal)
{
	limit_files(10000);
	EXPECT_EQ(-EFBIG, copy_at(self->in, 0, self->out, 10000, 10));
	EXPECT_EQ(1, xfsz);
	EXPECT_EQ(-EFBIG, copy_at(self->in, 0, self->out, 10001, SIZE_MAX));
	EXPECT_EQ(2, xfsz);
	EXPECT_EQ(0, size_of_fd(self->out));
}

TEST_F_SIGNAL(call, at_the_size_limit_the_signal_kills, SIGXFSZ)
{
	limit_files(10000);
	signal(SIGXFSZ, SIG_DFL);
	copy_at(self->in, 0, self->out, 10000, 10);
}

TEST_F(call, beyond_the_largest_file_is_efbig)
{
	if (strcmp(variant->fs, "ext4") != 0)
		SKIP(return, "files of %s may be as long as an offset can say", variant->fs);
	for_each_way(w)
	{
		off_t a = 0, b = (off_t)16 << 40;

		EXPECT_EQ(-1, copy_range(self->in, &a, self->out, &b, 10, *w));
		EXPECT_EQ(EFBIG, errno);
	}
	EXPECT_EQ(0, size_of_fd(self->out));
}

TEST_F(call, crossing_the_largest_file_is_short)
{
	const off_t max = longest_file(self->in, variant->fs);

	for_each_way(w)
	{
		off_t a = 0, b = max - 10;

		EXPECT_EQ(10, copy_range(self->in, &a, self->out, &b, 100, *w));
		EXPECT_EQ(max, size_of_fd(self->out));
		EXPECT_EQ(-1, differs(self->out, max - 10, 10, IN_SEED, 0));
		EXPECT_EQ(0, ftruncate(self->out, 0));
	}
}

TEST_F(call, range_into_itself_is_einval)
{
	for_each_way(w) for (off_t shift = -9; shift <= 9; shift++)
	{
		off_t a = 50, b = 50 + shift;

		EXPECT_EQ(-1, copy_range(self->in, &a, self->in, &b, 10, *w));
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(-1, differs(self->in, 0, IN_SIZE, IN_SEED, 0));
}

TEST_F(call, one_position_for_both_is_einval)
{
	EXPECT_EQ(-1, copy_range(self->in, NULL, self->in, NULL, 10, 0));
	EXPECT_EQ(0, errno == EINVAL ? 0 : errno);
	EXPECT_EQ(IN_SIZE, lseek(self->in, 0, SEEK_END));
	EXPECT_EQ(0, copy_range(self->in, NULL, self->in, NULL, 10, 0));
}

TEST_F(call, overlap_is_seen_through_two_descriptors_and_links)
{
	char name[256], link_name[256];
	int again = file_open(self->dir, "in", O_RDWR), other;

	snprintf(name, sizeof(name), "%s/in", self->dir);
	snprintf(link_name, sizeof(link_name), "%s/link", self->dir);
	ASSERT_EQ(0, link(name, link_name));
	other = file_open(self->dir, "link", O_RDWR);
	EXPECT_EQ(-EINVAL, copy_at(self->in, 0, again, 5, 10));
	EXPECT_EQ(-EINVAL, copy_at(self->in, 0, other, 5, 10));
	EXPECT_EQ(-EINVAL, copy_at(other, 5, self->in, 0, 10));
}

TEST_F(call, touching_ranges_of_one_file_copy)
{
	for_each_way(w)
	{
		off_t a = 100, b = 110;

		put(self->in, 0, 200, IN_SEED);
		EXPECT_EQ(10, copy_range(self->in, &a, self->in, &b, 10, *w));
		EXPECT_EQ(-1, differs(self->in, 110, 10, IN_SEED, 100));
		a = 100, b = 90;
		EXPECT_EQ(10, copy_range(self->in, &a, self->in, &b, 10, *w));
		EXPECT_EQ(-1, differs(self->in, 90, 10, IN_SEED, 100));
	}
}

TEST_F(call, length_is_clipped_before_overlap_is_judged)
{
	const off_t last = IN_SIZE - 100;

	EXPECT_EQ(100, copy_at(self->in, last, self->in, IN_SIZE, SIZE_MAX));
	EXPECT_EQ(-1, differs(self->in, IN_SIZE, 100, IN_SEED, last));
}

/* Its end moves with the copy; it is where it was at the start. */
TEST_F(call, file_into_itself_to_the_end_ends)
{
	struct call c = {.in = self->in, .out = self->in, .pos_out = IN_SIZE, .len = COPY_LEN_EOF};

	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(IN_SIZE, c.res.bytes);
	EXPECT_EQ(2 * IN_SIZE, size_of_fd(self->in));
	EXPECT_EQ(-1, differs(self->in, IN_SIZE, IN_SIZE, IN_SEED, 0));
}

/* One system call stops at 0x7ffff000. */
TEST_F(call, more_than_2_gib_in_one_call)
{
	const off_t size = ((off_t)3 << 30) + 5, spots[] = {0, (off_t)1 << 31, size - 1000};

	for (unsigned i = 0; i < ARRAY_SIZE(spots); i++)
		put(self->in, spots[i], 1000, IN_SEED);
	for_each_way(w)
	{
		off_t a = 0, b = 0;

		EXPECT_EQ(size, copy_range(self->in, &a, self->out, &b, SIZE_MAX, *w));
		EXPECT_EQ(size, a);
		EXPECT_EQ(size, b);
		EXPECT_EQ(size, size_of_fd(self->out));
		for (unsigned i = 0; i < ARRAY_SIZE(spots); i++)
			EXPECT_EQ(-1, differs(self->out, spots[i], 1000, IN_SEED, spots[i]));
		EXPECT_GT((uint64_t)32 << 20, blocks_of(self->out));
		EXPECT_EQ(0, ftruncate(self->out, 0));
	}
}

COPYTEST_MAIN("btrfs", "xfs", "ext4", "tmpfs")
