// SPDX-License-Identifier: GPL-2.0-or-later
/* Offsets, positions, errors, threads and children. */
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "calls.h"

CALLS_FIXTURE

#define EXPECT_COPIED(n, pos_in, pos_out)                                                          \
	EXPECT_EQ(-1, differs(self->out, pos_out, (size_t)(n), IN_SEED, pos_in))

TEST_F(calls, offsets_move_by_the_count_and_positions_stay)
{
	off_t a = 1000, b = 777;

	lseek(self->in, 11, SEEK_SET);
	lseek(self->out, 22, SEEK_SET);
	ASSERT_EQ(100000, call_copy(self->in, &a, self->out, &b, 100000));
	EXPECT_EQ(101000, a);
	EXPECT_EQ(100777, b);
	EXPECT_EQ(11, lseek(self->in, 0, SEEK_CUR));
	EXPECT_EQ(22, lseek(self->out, 0, SEEK_CUR));
	EXPECT_COPIED(100000, 1000, 777);
	EXPECT_EQ(-1, not_zero(self->out, 0, 777));
}

TEST_F(calls, positions_move_by_the_count)
{
	lseek(self->in, 4096, SEEK_SET);
	lseek(self->out, 100, SEEK_SET);
	ASSERT_EQ(50000, call_copy(self->in, NULL, self->out, NULL, 50000));
	EXPECT_EQ(54096, lseek(self->in, 0, SEEK_CUR));
	EXPECT_EQ(50100, lseek(self->out, 0, SEEK_CUR));
	EXPECT_COPIED(50000, 4096, 100);
}

TEST_F(calls, an_offset_and_a_position)
{
	off_t a = IN_SIZE - 10;

	lseek(self->in, 5, SEEK_SET);
	ASSERT_EQ(10, call_copy(self->in, &a, self->out, NULL, SIZE_MAX));
	EXPECT_EQ(IN_SIZE, a);
	EXPECT_EQ(5, lseek(self->in, 0, SEEK_CUR));
	EXPECT_EQ(10, lseek(self->out, 0, SEEK_CUR));
	EXPECT_EQ(0, call_copy(self->in, &a, self->out, NULL, SIZE_MAX));
	EXPECT_COPIED(10, IN_SIZE - 10, 0);
}

TEST_F(calls, errno_stays_on_success)
{
	errno = ENOTUNIQ;
	ASSERT_EQ(IN_SIZE, copy_file_range(self->in, NULL, self->out, NULL, SIZE_MAX, 0));
	EXPECT_EQ(ENOTUNIQ, errno);
}

TEST_F(calls, pointers_are_checked_as_by_the_kernel)
{
	off_t a = 0, *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	off_t *bad = (off_t *)16;

	ASSERT_NE(MAP_FAILED, (void *)ro);
	EXPECT_EQ(-EFAULT, call_copy(self->in, bad, self->out, &a, 10));
	EXPECT_EQ(-EFAULT, call_copy(self->in, &a, self->out, bad, 10));
	EXPECT_EQ(0, size_of_fd(self->out));
	/* Readable and not writable: copied, and then it is an error. */
	EXPECT_EQ(-EFAULT, call_copy(self->in, ro, self->out, &a, 10));
	EXPECT_EQ(10, a);
	EXPECT_COPIED(10, 0, 0);
}

TEST_F(calls, descriptors_are_checked_as_by_the_kernel)
{
	int app = file_open(self->dir[1], "out", O_WRONLY | O_APPEND), pipes[2];
	int ro = file_open(self->dir[1], "out", O_RDONLY);
	int wo = file_open(self->dir[0], "in", O_WRONLY);
	int folder = file_open(self->dir[1], ".", O_RDONLY | O_DIRECTORY);

	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-EBADF, call_copy(self->in, NULL, app, NULL, 10));
	EXPECT_EQ(-EBADF, call_copy(self->in, NULL, ro, NULL, 10));
	EXPECT_EQ(-EBADF, call_copy(wo, NULL, self->out, NULL, 10));
	EXPECT_EQ(-EBADF, call_copy(-1, NULL, self->out, NULL, 10));
	EXPECT_EQ(-EBADF, call_copy(self->in, NULL, 9999, NULL, 10));
	EXPECT_EQ(-EISDIR, call_copy(self->in, NULL, folder, NULL, 10));
	EXPECT_EQ(-EINVAL, call_copy(self->in, NULL, pipes[1], NULL, 10));
	EXPECT_EQ(-1, copy_file_range(self->in, NULL, self->out, NULL, 10, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, size_of_fd(self->out));
}

TEST_F(calls, what_the_kernel_says_of_clones_stays)
{
	struct file_clone_range fcr = {.src_fd = self->in};

	EXPECT_EQ(-1, ioctl(self->out, FICLONE, self->in));
	EXPECT_EQ(EXDEV, errno);
	EXPECT_EQ(-1, ioctl(self->out, FICLONERANGE, &fcr));
	EXPECT_EQ(EXDEV, errno);
}

TEST_F(calls, an_immutable_target_is_eperm)
{
	if (!strcmp(variant->to, "tmpfs"))
		SKIP(return, "a tmpfs with such flags is not everywhere");
	inode_flags(self->out, FS_IMMUTABLE_FL, 0);
	EXPECT_EQ(-EPERM, call_copy(self->in, NULL, self->out, NULL, 10));
	inode_flags(self->out, 0, FS_IMMUTABLE_FL);
}

TEST_F(calls, holes_stay_holes)
{
	int out = file_open(self->dir[1], "sparse", O_RDWR | O_CREAT);

	ASSERT_EQ(0, ftruncate(self->in, 64 << 20));
	lseek(self->in, 0, SEEK_SET);
	for (ssize_t n = 1; n > 0;)
		n = call_copy(self->in, NULL, out, NULL, SIZE_MAX);
	EXPECT_TRUE(same_bytes(self->in, out));
	EXPECT_GT((uint64_t)1 << 20, blocks_of(out));
	close(out);
}

#define PIECE 10000

struct piece {
	int in, out;
	off_t pos;
	ssize_t got;
};

static void *copy_piece(void *arg)
{
	struct piece *p = arg;
	off_t a = p->pos, b = p->pos;

	p->got = call_copy(p->in, &a, p->out, &b, PIECE);
	return NULL;
}

TEST_F(calls, thirty_threads_at_once)
{
	pthread_t thread[30];
	struct piece piece[30];

	for (unsigned i = 0; i < 30; i++) {
		piece[i] = (struct piece){self->in, self->out, i * PIECE, 0};
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, copy_piece, &piece[i]));
	}
	for (unsigned i = 0; i < 30; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(PIECE, piece[i].got);
	}
	EXPECT_COPIED(30 * PIECE, 0, 0);
}

TEST_F(calls, a_child_of_fork)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(call_copy(self->in, NULL, self->out, NULL, SIZE_MAX) == IN_SIZE ? 0 : 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	/* One open file, one position. */
	EXPECT_EQ(IN_SIZE, lseek(self->in, 0, SEEK_CUR));
	EXPECT_COPIED(IN_SIZE, 0, 0);
}

static void *copy_all(void *arg)
{
	struct piece *p = arg;
	off_t a, b;

	for (unsigned i = 0; i < 20; i++) {
		a = b = 0;
		p->got = call_copy(p->in, &a, p->out, &b, SIZE_MAX);
	}
	return NULL;
}

TEST_F(calls, forks_while_a_thread_copies)
{
	struct piece piece = {self->in, self->out, 0, 0};
	int other = file_open(self->dir[1], "child", O_RDWR | O_CREAT), status;
	off_t a = 0, b = 0;
	pthread_t thread;
	pid_t pid;

	ASSERT_EQ(0, ftruncate(self->in, 2 * IN_SIZE)); /* so that holes are looked for */
	ASSERT_EQ(0, pthread_create(&thread, NULL, copy_all, &piece));
	for (unsigned i = 0; i < 20; i++) {
		pid = fork();
		if (!pid)
			_exit(call_copy(self->in, &a, other, &b, SIZE_MAX) == 2 * IN_SIZE ? 0 : 1);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status);
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(2 * IN_SIZE, piece.got);
	EXPECT_TRUE(same_bytes(self->in, other));
	close(other);
}

/* A thread whose descriptors are no longer the process's, with the same number for another file. */
static void *copy_apart(void *arg)
{
	struct piece *p = arg;
	int other;

	if (unshare(CLONE_FILES))
		return NULL;
	other = open("/dev/null", O_RDWR);
	dup2(p->out, other);
	p->got = call_copy(p->in, NULL, other, NULL, SIZE_MAX);
	return NULL;
}

/* Linux 6.9: before it, a supervisor can only have the descriptors of the process. */
static bool has_pidfds_of_threads(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), O_EXCL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

TEST_F(calls, a_thread_with_descriptors_of_its_own)
{
	struct piece piece = {self->in, self->out, 0, 0};
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, copy_apart, &piece));
	pthread_join(thread, NULL);
	if (by_supervisor() && !has_pidfds_of_threads()) {
		EXPECT_EQ(-EXDEV, piece.got);
		return;
	}
	EXPECT_EQ(IN_SIZE, piece.got);
	EXPECT_COPIED(IN_SIZE, 0, 0);
}

TEST_F(calls, a_child_of_vfork_gets_an_honest_answer)
{
	volatile ssize_t got = -1;
	int status;
	pid_t pid;

	pid = vfork();
	if (!pid) {
		got = call_copy(self->in, NULL, self->out, NULL, SIZE_MAX);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(by_supervisor() ? IN_SIZE : -EXDEV, got);
}

/* Root's ocp-run must not copy by root's rights for somebody else. */
TEST_F(calls, another_user_is_not_served_by_root)
{
	int status;
	pid_t pid;

	if (!by_supervisor() || geteuid())
		SKIP(return, "in one process there are no others' rights");
	pid = fork();
	if (!pid)
		_exit(!setuid(1000) && call_copy(self->in, NULL, self->out, NULL, 10) == -EXDEV
			      ? 0
			      : 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(calls, sendfile_between_files_copies_exactly)
{
	off_t a = 17;
	ssize_t sendfile(int out, int in, off_t *off, size_t len);
	int out = file_open(self->dir[0], "sent", O_RDWR | O_CREAT);

	lseek(out, 5, SEEK_SET);
	ASSERT_EQ(IN_SIZE - 17, sendfile(out, self->in, &a, 1 << 20));
	EXPECT_EQ(IN_SIZE, a);
	EXPECT_EQ(IN_SIZE - 12, lseek(out, 0, SEEK_CUR));
	EXPECT_EQ(-1, differs(out, 5, IN_SIZE - 17, IN_SEED, 17));
	EXPECT_EQ(0, lseek(self->in, 0, SEEK_CUR));
	EXPECT_EQ(0, sendfile(out, self->in, &a, 1 << 20));
	close(out);
}

CALLS_MAIN
