// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the two files are: other file systems, mounts, subvolumes, files that are no storage. */
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "call.h"

static const char *const all_fs[] = {"btrfs", "btrfs2", "xfs",	 "xfs2",  "xfs-plain",
				     "ext4",  "ext42",	"tmpfs", "tmpfs2"};

/* A file on another file system. */
static int file_on(const char *fs, char *dir, size_t size)
{
	if (!fs_path(fs))
		return -1;
	dir_make(fs, dir, size);
	return file_open(dir, "other", O_RDWR | O_CREAT);
}

/* EXDEV from the system call. */
TEST_F(call, every_other_file_system)
{
	for (unsigned i = 0; i < ARRAY_SIZE(all_fs); i++) {
		char dir[200];
		int other;

		if (!strcmp(all_fs[i], variant->fs))
			continue;
		other = file_on(all_fs[i], dir, sizeof(dir));
		if (other < 0)
			continue;
		EXPECT_EQ(50000, copy_at(self->in, 1000, other, 77, 50000))
		{
			TH_LOG("to %s", all_fs[i]);
		}
		EXPECT_EQ(-1, differs(other, 77, 50000, IN_SEED, 1000));
		EXPECT_EQ(-1, not_zero(other, 0, 77));
		EXPECT_EQ(50077, size_of_fd(other));
		close(other);
		dir_remove(dir);
	}
}

TEST_F(call, other_file_system_of_the_same_type_says_why)
{
	struct call c = {.in = self->in, .len = COPY_LEN_EOF};
	char dir[200], fs[16];

	snprintf(fs, sizeof(fs), "%s2", variant->fs);
	c.out = file_on(fs, dir, sizeof(dir));
	if (c.out < 0)
		SKIP(return, "%s", fs_why(fs));
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(IN_SIZE, c.res.bytes);
	EXPECT_EQ(EXDEV, c.res.why[COPY_OFFLOAD].error);
	EXPECT_EQ(0, c.res.by[COPY_CLONE].bytes + c.res.by[COPY_OFFLOAD].bytes);
	EXPECT_NE(NULL, c.res.why[COPY_CLONE].reason);
	dir_remove(dir);
}

/* Two mounts of one file system: st_dev is equal, the mounts are not. */
TEST_F(call, bind_mounts)
{
	struct call c = {.in = self->in, .len = COPY_LEN_EOF};
	char bind[256];

	snprintf(bind, sizeof(bind), "%s/bind", self->dir);
	ASSERT_EQ(0, mkdir(bind, 0700));
	ASSERT_EQ(0, mount(self->dir, bind, NULL, MS_BIND, NULL));
	c.out = file_open(bind, "other", O_RDWR | O_CREAT);
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(IN_SIZE, c.res.bytes);
	EXPECT_EQ(variant->clones ? COPY_CLONE : COPY_OFFLOAD, c.res.how);
	EXPECT_EQ(0, c.res.by[COPY_STREAM].bytes);
	EXPECT_TRUE(same_bytes(self->in, c.out));
	close(c.out);
	c.out = file_open(bind, "in", O_RDWR);
	c.pos_out = 5;
	EXPECT_EQ(-EINVAL, call(&c));
	close(c.out);
	umount2(bind, MNT_DETACH);
}

TEST_F(call, btrfs_subvolumes_clone)
{
	struct call c = {.in = self->in, .len = COPY_LEN_EOF};
	struct btrfs_ioctl_vol_args {
		int64_t fd;
		char name[4088];
	} args = {.name = "sub"};
	int dir = file_open(self->dir, ".", O_RDONLY | O_DIRECTORY);
	char sub[256];
	struct stat a, b;

	if (strcmp(variant->fs, "btrfs") != 0)
		SKIP(return, "btrfs only");
	ASSERT_EQ(0, ioctl(dir, _IOW(0x94, 14, struct btrfs_ioctl_vol_args), &args));
	snprintf(sub, sizeof(sub), "%s/sub", self->dir);
	c.out = file_open(sub, "other", O_RDWR | O_CREAT);
	ASSERT_EQ(0, fstat(self->in, &a) | fstat(c.out, &b));
	EXPECT_NE(a.st_dev, b.st_dev);
	EXPECT_EQ(0, call(&c));
	EXPECT_EQ(IN_SIZE, c.res.by[COPY_CLONE].bytes);
	EXPECT_TRUE(same_bytes(self->in, c.out));
}

/* The system call: EXDEV, and 0 from 5.3 to 5.18. */
TEST_F(call, proc_files_have_content_without_size)
{
	static const char *const names[] = {"/proc/version", "/proc/self/mounts", "/proc/kallsyms"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		int in = open(names[i], O_RDONLY);
		ssize_t n;

		ASSERT_LE(0, in);
		n = copy_at(in, 0, self->out, 0, SIZE_MAX);
		EXPECT_LT(20, n);
		EXPECT_EQ(n, size_of_fd(self->out));
		EXPECT_TRUE(same_bytes(in, self->out));
		EXPECT_EQ(0, copy_at(in, n, self->out, n, SIZE_MAX));
		EXPECT_EQ(0, ftruncate(self->out, 0));
		close(in);
	}
}

TEST_F(call, sys_files_are_shorter_than_their_size)
{
	int in = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
	char buf[200];
	ssize_t want;

	if (in < 0)
		SKIP(return, "no such file in /sys");
	want = read(in, buf, sizeof(buf));
	EXPECT_EQ(want, copy_at(in, 0, self->out, 0, SIZE_MAX));
	EXPECT_EQ(want, size_of_fd(self->out));
	EXPECT_TRUE(same_bytes(in, self->out));
}

/* Such an answer of read(2) must not be taken for a refusal to copy. */
TEST_F(call, sys_file_that_answers_eopnotsupp)
{
	int in = open("/sys/class/net/lo/phys_switch_id", O_RDONLY);
	char buf[10];

	if (in < 0 || pread(in, buf, sizeof(buf), 0) >= 0 || errno != EOPNOTSUPP)
		SKIP(return, "no file of /sys that answers EOPNOTSUPP");
	EXPECT_EQ(-EOPNOTSUPP, copy_at(in, 0, self->out, 0, SIZE_MAX));
	EXPECT_EQ(0, size_of_fd(self->out));
}

/* The system call: 0. */
TEST_F(call, proc_to_proc)
{
	int in = open("/proc/sys/vm/swappiness", O_RDONLY);
	int out = open("/proc/self/oom_score_adj", O_RDWR);
	char want[16], seen[16];
	ssize_t n;

	if (in < 0 || out < 0)
		SKIP(return, "no such files in /proc");
	n = pread(in, want, sizeof(want), 0);
	EXPECT_EQ(n, copy_at(in, 0, out, 0, SIZE_MAX));
	EXPECT_EQ(n, pread(out, seen, sizeof(seen), 0));
	EXPECT_EQ(0, memcmp(want, seen, (size_t)n));
}

TEST_F(call, memfd_to_memfd_and_to_disk)
{
	int a = memfd_create("a", MFD_CLOEXEC), b = memfd_create("b", MFD_CLOEXEC);

	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	EXPECT_EQ(IN_SIZE, copy_at(self->in, 0, a, 0, SIZE_MAX));
	EXPECT_EQ(IN_SIZE, copy_at(a, 0, b, 0, SIZE_MAX));
	EXPECT_EQ(IN_SIZE, copy_at(b, 0, self->out, 0, SIZE_MAX));
	EXPECT_TRUE(same_bytes(self->in, self->out));
}

TEST_F(call, sealed_memfd_is_eperm)
{
	int out = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ASSERT_EQ(0, fcntl(out, F_ADD_SEALS, F_SEAL_WRITE));
	EXPECT_EQ(-EPERM, copy_at(self->in, 0, out, 0, 10));
	EXPECT_EQ(0, size_of_fd(out));
}

TEST_F(call, deleted_files_copy)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/in", self->dir);
	ASSERT_EQ(0, unlink(name));
	snprintf(name, sizeof(name), "%s/out", self->dir);
	ASSERT_EQ(0, unlink(name));
	for_each_way(w) EXPECT_EQ(
		IN_SIZE, copy_range(self->in, &(off_t){0}, self->out, &(off_t){0}, SIZE_MAX, *w));
	EXPECT_TRUE(same_bytes(self->in, self->out));
}

TEST_F(call, overlay_copies_within_and_from_below)
{
	char opts[700], merged[256];
	int below, copy;

	if (fixture_run("cd '%s' && mkdir l u w m && cp in l/below", self->dir))
		SKIP(return, "mkdir");
	snprintf(merged, sizeof(merged), "%s/m", self->dir);
	snprintf(opts, sizeof(opts), "lowerdir=%s/l,upperdir=%s/u,workdir=%s/w", self->dir,
		 self->dir, self->dir);
	if (mount("overlay", merged, "overlay", 0, opts))
		SKIP(return, "overlay: %s", strerror(errno));
	below = file_open(merged, "below", O_RDONLY);
	copy = file_open(merged, "copy", O_RDWR | O_CREAT);
	for_each_way(w)
	{
		EXPECT_EQ(IN_SIZE, copy_range(below, &(off_t){0}, copy, &(off_t){0}, SIZE_MAX, *w));
		EXPECT_TRUE(same_bytes(self->in, copy));
		EXPECT_EQ(0, ftruncate(copy, 0));
	}
	close(below);
	close(copy);
	umount2(merged, MNT_DETACH);
}

COPYTEST_MAIN("btrfs", "btrfs2", "xfs", "xfs2", "xfs-plain", "ext4", "ext42", "tmpfs", "tmpfs2")
