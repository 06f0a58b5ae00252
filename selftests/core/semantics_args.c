// SPDX-License-Identifier: GPL-2.0-or-later
/* What copy_range() says to descriptors and flags, before any byte: as copy_file_range(2). */
#include <linux/fs.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "call.h"

static int try(int in, int out, size_t len, unsigned flags)
{
	off_t a = 0, b = 0;

	return copy_range(in, &a, out, &b, len, flags) < 0 ? -errno : 0;
}

/* The answer with a length, if it is the one without a length too; else 1. */
static int answer(int in, int out)
{
	int err = try(in, out, 10, 0);

	return try(in, out, 0, 0) == err ? err : 1;
}

TEST_F(call, unknown_flag_is_einval)
{
	for (unsigned bit = 0; bit < 32; bit++) {
		int want = COPY_RANGE_FLAGS & (1u << bit) ? 0 : -EINVAL;

		EXPECT_EQ(want, try(self->in, self->out, 0, 1u << bit))
		{
			TH_LOG("bit %u", bit);
		}
	}
	EXPECT_EQ(-EINVAL, try(self->in, self->out, 10, 1u << 31));
	EXPECT_EQ(0, size_of_fd(self->out));
}

TEST_F(call, bad_descriptor_comes_before_unknown_flag)
{
	EXPECT_EQ(-EBADF, try(-1, self->out, 10, 1u << 31));
	EXPECT_EQ(-EBADF, try(self->in, -1, 10, 1u << 31));
}

TEST_F(call, closed_descriptor_is_ebadf)
{
	int closed = dup(self->in);

	close(closed);
	EXPECT_EQ(-EBADF, answer(closed, self->out));
	EXPECT_EQ(-EBADF, answer(self->in, closed));
	EXPECT_EQ(-EBADF, answer(-1, -1));
}

TEST_F(call, o_path_is_ebadf)
{
	int in = file_open(self->dir, "in", O_PATH), out = file_open(self->dir, "out", O_PATH);
	int dir = file_open(self->dir, ".", O_PATH | O_DIRECTORY);

	EXPECT_EQ(-EBADF, answer(in, self->out));
	EXPECT_EQ(-EBADF, answer(self->in, out));
	EXPECT_EQ(-EBADF, answer(dir, self->out));
	EXPECT_EQ(-EBADF, answer(self->in, dir));
	EXPECT_EQ(-EBADF, try(in, self->out, 10, 1u << 31));
}

TEST_F(call, source_not_readable_is_ebadf)
{
	int in = file_open(self->dir, "in", O_WRONLY);

	EXPECT_EQ(-EBADF, answer(in, self->out));
}

TEST_F(call, target_not_writable_is_ebadf)
{
	int out = file_open(self->dir, "out", O_RDONLY);

	EXPECT_EQ(-EBADF, answer(self->in, out));
}

/* Mode 3 is for ioctl(2) alone: see open(2), "File access mode". */
TEST_F(call, access_mode_3_is_ebadf)
{
	int in = file_open(self->dir, "in", O_ACCMODE),
	    out = file_open(self->dir, "out", O_ACCMODE);

	EXPECT_EQ(-EBADF, answer(in, self->out));
	EXPECT_EQ(-EBADF, answer(self->in, out));
}

TEST_F(call, append_target_is_ebadf)
{
	int out = file_open(self->dir, "out", O_WRONLY | O_APPEND);

	EXPECT_EQ(-EBADF, answer(self->in, out));
	EXPECT_EQ(0, size_of_fd(out));
}

TEST_F(call, append_source_copies)
{
	int in = file_open(self->dir, "in", O_RDWR | O_APPEND);

	EXPECT_EQ(IN_SIZE, copy_at(in, 0, self->out, 0, SIZE_MAX));
	EXPECT_TRUE(same_bytes(self->in, self->out));
}

/* Not checked by the kernel either: only opening such a file for writing is refused. */
TEST_F(call, append_only_attribute_set_after_open_copies)
{
	ssize_t n;

	inode_flags(self->out, FS_APPEND_FL, 0);
	n = copy_at(self->in, 0, self->out, 0, IN_SIZE);
	inode_flags(self->out, 0, FS_APPEND_FL);
	EXPECT_EQ(IN_SIZE, n);
	EXPECT_TRUE(same_bytes(self->in, self->out));
}

/* The stream too: btrfs and XFS would let write(2) through. */
TEST_F(call, immutable_attribute_set_after_open_is_eperm)
{
	inode_flags(self->out, FS_IMMUTABLE_FL, 0);
	for_each_way(w) EXPECT_EQ(-EPERM, try(self->in, self->out, 10, *w));
	EXPECT_EQ(-EPERM, answer(self->in, self->out));
	EXPECT_EQ(0, size_of_fd(self->out));
	inode_flags(self->out, 0, FS_IMMUTABLE_FL);
}

TEST_F(call, immutable_source_copies)
{
	ssize_t n;

	inode_flags(self->in, FS_IMMUTABLE_FL, 0);
	n = copy_at(self->in, 0, self->out, 0, IN_SIZE);
	inode_flags(self->in, 0, FS_IMMUTABLE_FL);
	EXPECT_EQ(IN_SIZE, n);
}

TEST_F(call, directory_is_eisdir)
{
	int dir = file_open(self->dir, ".", O_RDONLY | O_DIRECTORY);

	EXPECT_EQ(-EISDIR, answer(dir, self->out));
	EXPECT_EQ(-EISDIR, answer(self->in, dir));
	EXPECT_EQ(-EISDIR, answer(dir, dir));
	EXPECT_EQ(-1, copy_range(dir, NULL, self->out, NULL, 10, 0));
	EXPECT_EQ(EISDIR, errno);
}

TEST_F(call, pipe_is_einval)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(-EINVAL, answer(fds[0], self->out));
	EXPECT_EQ(-EINVAL, answer(self->in, fds[1]));
	EXPECT_EQ(-1, copy_range(fds[0], NULL, self->out, NULL, 10, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(call, socket_is_einval)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	EXPECT_EQ(-EINVAL, answer(fds[0], self->out));
	EXPECT_EQ(-EINVAL, answer(self->in, fds[1]));
}

TEST_F(call, character_device_is_einval)
{
	int zero = open("/dev/zero", O_RDWR);

	ASSERT_LE(0, zero);
	EXPECT_EQ(-EINVAL, answer(zero, self->out));
	EXPECT_EQ(-EINVAL, answer(self->in, zero));
}

TEST_F(call, block_device_is_einval)
{
	const char *loop = fixture_loop(1);
	int dev;

	if (!loop)
		SKIP(return, "%s", fixture_why());
	dev = open(loop, O_RDWR);
	ASSERT_LE(0, dev);
	EXPECT_EQ(-EINVAL, answer(dev, self->out));
	EXPECT_EQ(-EINVAL, answer(self->in, dev));
}

TEST_F(call, count_zero_copies_nothing)
{
	struct timespec before = mtime_of(self->out), after;

	for_each_way(w) EXPECT_EQ(0, try(self->in, self->out, 0, *w));
	after = mtime_of(self->out);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	EXPECT_EQ(0, size_of_fd(self->out));
}

COPYTEST_MAIN("btrfs", "xfs", "ext4", "tmpfs")
