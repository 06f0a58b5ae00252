// SPDX-License-Identifier: GPL-2.0-or-later
/* What a copy does to open files beside their bytes: positions, locks, mode bits, O_DIRECT. */
#include <linux/capability.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "call.h"

#define BLOCK 4096

TEST_F(call, offsets_move_and_positions_stay)
{
	for_each_way(w)
	{
		off_t a = 100, b = 5;

		lseek(self->in, 11, SEEK_SET);
		lseek(self->out, 22, SEEK_SET);
		EXPECT_EQ(1000, copy_range(self->in, &a, self->out, &b, 1000, *w));
		EXPECT_EQ(1100, a);
		EXPECT_EQ(1005, b);
		EXPECT_EQ(11, lseek(self->in, 0, SEEK_CUR));
		EXPECT_EQ(22, lseek(self->out, 0, SEEK_CUR));
	}
}

TEST_F(call, positions_are_used_and_moved_where_offsets_are_null)
{
	for_each_way(w)
	{
		lseek(self->in, 100, SEEK_SET);
		lseek(self->out, 5, SEEK_SET);
		EXPECT_EQ(1000, copy_range(self->in, NULL, self->out, NULL, 1000, *w));
		EXPECT_EQ(1100, lseek(self->in, 0, SEEK_CUR));
		EXPECT_EQ(1005, lseek(self->out, 0, SEEK_CUR));
		EXPECT_EQ(-1, differs(self->out, 5, 1000, IN_SEED, 100));
	}
}

TEST_F(call, one_offset_null_moves_one_position)
{
	off_t b = 5;

	lseek(self->in, 100, SEEK_SET);
	EXPECT_EQ(1000, copy_range(self->in, NULL, self->out, &b, 1000, 0));
	EXPECT_EQ(1100, lseek(self->in, 0, SEEK_CUR));
	EXPECT_EQ(0, lseek(self->out, 0, SEEK_CUR));
	EXPECT_EQ(1005, b);
}

TEST_F(call, errors_move_nothing)
{
	int out = file_open(self->dir, "out", O_RDONLY);
	off_t a = 100, b = 5;

	lseek(self->in, 11, SEEK_SET);
	EXPECT_EQ(-1, copy_range(self->in, NULL, out, &b, 1000, 0));
	EXPECT_EQ(-1, copy_range(self->in, &a, out, NULL, 1000, 0));
	EXPECT_EQ(11, lseek(self->in, 0, SEEK_CUR));
	EXPECT_EQ(0, lseek(out, 0, SEEK_CUR));
	EXPECT_EQ(100, a);
	EXPECT_EQ(5, b);
}

TEST_F(call, one_variable_for_both_offsets)
{
	off_t at = 100;

	EXPECT_EQ(1000, copy_range(self->in, &at, self->out, &at, 1000, 0));
	EXPECT_EQ(1100, at);
	EXPECT_EQ(-1, differs(self->out, 100, 1000, IN_SEED, 100));
}

struct sharer {
	int in, out;
	unsigned n;
};

/* Copies pieces of a sparse file, which makes the core look for holes. */
static void *share_descriptors(void *arg)
{
	const struct sharer *s = arg;

	for (off_t at = s->n * BLOCK; at < 256 * BLOCK; at += 4 * BLOCK) {
		off_t a = at, b = at;

		copy_range(s->in, &a, s->out, &b, BLOCK, COPY_RANGE_NO_CLONE);
	}
	return NULL;
}

TEST_F(call, threads_that_share_descriptors_leave_positions_alone)
{
	pthread_t threads[4];
	struct sharer s[4];

	put(self->in, 0, IN_SIZE, IN_SEED);
	ftruncate(self->in, 256 * BLOCK);
	for (unsigned i = 0; i < 256; i += 2)
		put(self->in, i * BLOCK, 100, IN_SEED);
	lseek(self->in, 11, SEEK_SET);
	lseek(self->out, 22, SEEK_SET);
	for (unsigned i = 0; i < 4; i++) {
		s[i] = (struct sharer){self->in, self->out, i};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, share_descriptors, &s[i]));
	}
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(11, lseek(self->in, 0, SEEK_CUR));
	EXPECT_EQ(22, lseek(self->out, 0, SEEK_CUR));
	EXPECT_TRUE(same_bytes(self->in, self->out));
}

/* Whether a write lock of this process is on the file, as another process sees it. */
static bool locked(int fd)
{
	struct flock lk = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fcntl(fd, F_GETLK, &lk) == 0 && lk.l_type != F_UNLCK ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

/* tmpfs takes O_DIRECT since Linux 6.6. */
static bool takes_o_direct(const char *dir)
{
	int dirfd = open(dir, O_PATH | O_DIRECTORY);
	int fd = openat(dirfd, "in", O_RDONLY | O_DIRECT);

	close(dirfd);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/*
 * close(2) of any descriptor of a file drops all locks of fcntl(2) that the process has on it.
 * Files of 16 MiB, and cold, so that a stream takes its widest ways.
 */
static void locks_stay(struct __test_metadata *_metadata, FIXTURE_DATA(call) * self, int flags)
{
	const off_t size = (off_t)16 << 20;
	int in = file_open(self->dir, "in", O_RDWR | flags);
	int out = file_open(self->dir, "out", O_RDWR | flags);

	put(self->in, 0, (size_t)size, IN_SEED);
	for_each_way(w)
	{
		struct flock lk = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		off_t a = 0, b = 0;

		fsync(self->in);
		posix_fadvise(self->in, 0, 0, POSIX_FADV_DONTNEED);
		ASSERT_EQ(0, fcntl(in, F_SETLK, &lk));
		ASSERT_EQ(0, fcntl(out, F_SETLK, &lk));
		EXPECT_EQ(size, copy_range(in, &a, out, &b, SIZE_MAX, *w));
		EXPECT_TRUE(locked(in));
		EXPECT_TRUE(locked(out));
		EXPECT_EQ(0, ftruncate(self->out, 0));
	}
}

TEST_F(call, record_locks_of_the_caller_stay)
{
	locks_stay(_metadata, self, 0);
}

TEST_F(call, record_locks_of_the_caller_stay_with_o_direct)
{
	if (!takes_o_direct(self->dir))
		SKIP(return, "no O_DIRECT here");
	locks_stay(_metadata, self, O_DIRECT);
}

/* Become a user without rights who may not keep set-id bits: 65534 owns nothing else here. */
static void drop_rights(void)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		_exit(KSFT_FAIL);
}

static mode_t mode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_mode & 07777;
}

TEST_F(call, set_id_bits_go_when_the_owner_lacks_cap_fsetid)
{
	for_each_way(w)
	{
		int status;
		pid_t pid;

		ASSERT_EQ(0, fchown(self->out, 65534, 65534));
		ASSERT_EQ(0, fchmod(self->out, 06777));
		pid = fork();
		if (pid == 0) {
			off_t a = 0, b = 0;

			drop_rights();
			_exit(copy_range(self->in, &a, self->out, &b, IN_SIZE, *w) != IN_SIZE);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_EQ(0777, mode_of(self->out));
	}
}

TEST_F(call, set_id_bits_stay_for_root)
{
	for_each_way(w)
	{
		off_t a = 0, b = 0;

		ASSERT_EQ(0, fchmod(self->out, 06777));
		EXPECT_EQ(IN_SIZE, copy_range(self->in, &a, self->out, &b, IN_SIZE, *w));
		EXPECT_EQ(06777, mode_of(self->out));
	}
}

TEST_F(call, mtime_of_the_target_moves)
{
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	for_each_way(w)
	{
		off_t a = 0, b = 0;

		ASSERT_EQ(0, futimens(self->out, old));
		EXPECT_EQ(IN_SIZE, copy_range(self->in, &a, self->out, &b, IN_SIZE, *w));
		EXPECT_LT(1, mtime_of(self->out).tv_sec);
	}
}

/* The kernel's own call gives EINVAL or stops short for a length that is no multiple. */
TEST_F(call, o_direct_descriptors_copy_any_range)
{
	static const struct {
		off_t in, out, len;
	} ranges[] = {{0, 0, IN_SIZE}, {0, 0, 8192}, {0, 0, 5001}, {1, 1, 5001}, {4096, 3, 90000}};

	if (!takes_o_direct(self->dir))
		SKIP(return, "no O_DIRECT here");
	for_each_way(w) for (unsigned i = 0; i < 4 * ARRAY_SIZE(ranges); i++)
	{
		int in = file_open(self->dir, "in", O_RDONLY | (i & 1 ? O_DIRECT : 0));
		int out = file_open(self->dir, "out", O_RDWR | (i & 2 ? O_DIRECT : 0));
		off_t a = ranges[i / 4].in, b = ranges[i / 4].out, len = ranges[i / 4].len;

		EXPECT_EQ(len, copy_range(in, &a, out, &b, (size_t)len, *w))
		{
			TH_LOG("row %u, flags %x: %s", i, *w, strerror(errno));
		}
		EXPECT_EQ(-1, differs(self->out, b - len, (size_t)len, IN_SEED, a - len));
		EXPECT_EQ(b, size_of_fd(self->out));
		EXPECT_EQ(0, ftruncate(self->out, 0));
		close(in);
		close(out);
	}
}

TEST_F(call, o_direct_source_at_eof_is_0)
{
	int in, empty;

	if (!takes_o_direct(self->dir))
		SKIP(return, "no O_DIRECT here");
	in = file_open(self->dir, "in", O_RDONLY | O_DIRECT);
	empty = file_open(self->dir, "empty", O_RDONLY | O_CREAT | O_DIRECT);
	for_each_way(w)
	{
		EXPECT_EQ(0, copy_range(empty, NULL, self->out, NULL, 10, *w));
		lseek(in, IN_SIZE, SEEK_SET);
		EXPECT_EQ(0, copy_range(in, NULL, self->out, NULL, 10, *w));
	}
}

COPYTEST_MAIN("btrfs", "xfs", "ext4", "tmpfs")
