// SPDX-License-Identifier: GPL-2.0-or-later
/* cr_open() by path and URL, cr_open_fd(), and what a copy between them does. */
#include <sys/resource.h>

#include "kselftest_harness.h"

#include "copytest.h"
#include "vfs.h"

FIXTURE(open)
{
	struct cr_ns *ns;
	struct file *f;
	char path[300];
};

FIXTURE_SETUP(open)
{
	self->ns = cr_ns_new();
	snprintf(self->path, sizeof(self->path), "%s/file", fixture_dir());
}

FIXTURE_TEARDOWN(open)
{
	cr_ns_free(self->ns);
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 100; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

TEST_F(open, path)
{
	unsigned before = open_descriptors();

	EXPECT_EQ(0, cr_open(self->ns, self->path, O_RDWR | O_CREAT, 0640, &self->f));
	EXPECT_EQ(5, cr_write(self->f, "hello", 5, 0));
	EXPECT_LE(0, cr_file_fd(self->f));
	EXPECT_EQ(FD_CLOEXEC, fcntl(cr_file_fd(self->f), F_GETFD));
	EXPECT_EQ(0, cr_close(self->f));
	EXPECT_EQ(before, open_descriptors());
}

TEST_F(open, missing_file_is_enoent)
{
	unsigned before = open_descriptors();

	self->f = (void *)1;
	EXPECT_EQ(-ENOENT, cr_open(self->ns, self->path, O_RDONLY, 0, &self->f));
	EXPECT_NULL(self->f);
	EXPECT_EQ(-ENOENT, cr_open(self->ns, "mem:none", O_RDONLY, 0, &self->f));
	EXPECT_NULL(self->f);
	EXPECT_EQ(before, open_descriptors());
}

TEST_F(open, errors_of_open_are_given)
{
	EXPECT_EQ(-EISDIR, cr_open(self->ns, fixture_dir(), O_RDWR, 0, &self->f));
	EXPECT_EQ(0, cr_open(self->ns, self->path, O_RDWR | O_CREAT | O_EXCL, 0600, &self->f));
	EXPECT_EQ(0, cr_close(self->f));
	EXPECT_EQ(-EEXIST,
		  cr_open(self->ns, self->path, O_RDWR | O_CREAT | O_EXCL, 0600, &self->f));
	EXPECT_EQ(-ENOENT, cr_open(self->ns, "", O_RDONLY, 0, &self->f));
}

/* A word and a colon that is no scheme of this build is a name like any other. */
TEST_F(open, unknown_scheme_is_a_path)
{
	struct stat st;

	EXPECT_EQ(-ENOENT, cr_open(self->ns, "gopher:x", O_RDONLY, 0, &self->f));
	ASSERT_EQ(0, chdir(fixture_dir()));
	EXPECT_EQ(0, cr_open(self->ns, "gopher:x", O_RDWR | O_CREAT, 0600, &self->f));
	EXPECT_EQ(0, stat("gopher:x", &st));
	EXPECT_EQ(0, cr_close(self->f));
}

TEST_F(open, a_name_that_begins_like_a_scheme_is_a_path)
{
	struct stat st;

	ASSERT_EQ(0, chdir(fixture_dir()));
	EXPECT_EQ(0, cr_open(self->ns, "memory", O_RDWR | O_CREAT, 0600, &self->f));
	EXPECT_EQ(0, stat("memory", &st));
	EXPECT_EQ(0, cr_close(self->f));
}

TEST_F(open, a_scheme_is_escaped_by_a_folder)
{
	struct stat st;

	ASSERT_EQ(0, chdir(fixture_dir()));
	EXPECT_EQ(0, cr_open(self->ns, "./mem:x", O_RDWR | O_CREAT, 0600, &self->f));
	EXPECT_EQ(0, stat("mem:x", &st));
	EXPECT_EQ(0, cr_close(self->f));
}

TEST_F(open, mem_files_live_as_long_as_the_namespace)
{
	struct cr_ns *other = cr_ns_new();
	char buf[10];

	EXPECT_EQ(0, cr_open(self->ns, "mem:x", O_RDWR | O_CREAT, 0600, &self->f));
	EXPECT_EQ(5, cr_write(self->f, "hello", 5, 0));
	EXPECT_EQ(0, cr_close(self->f));
	EXPECT_EQ(0, cr_open(self->ns, "mem:x", O_RDONLY, 0, &self->f));
	EXPECT_EQ(5, cr_read(self->f, buf, sizeof(buf), 0));
	EXPECT_EQ(0, cr_close(self->f));
	EXPECT_EQ(-ENOENT, cr_open(other, "mem:x", O_RDONLY, 0, &self->f));
	cr_ns_free(other);
}

TEST_F(open, mem_and_host_copy_into_each_other)
{
	struct copy_req req = {.len = COPY_LEN_EOF};
	struct copy_result res;
	struct file *mem;
	int fd;

	ASSERT_EQ(0, cr_open(self->ns, self->path, O_RDWR | O_CREAT, 0600, &self->f));
	put(cr_file_fd(self->f), 0, 300000, 1);
	ASSERT_EQ(0, cr_open(self->ns, "mem:x", O_RDWR | O_CREAT, 0600, &mem));
	req.in = self->f;
	req.out = mem;
	EXPECT_EQ(0, cr_copy_range(&req, &res));
	EXPECT_EQ(300000, res.by[COPY_STREAM].bytes);
	EXPECT_EQ(EXDEV, res.why[COPY_CLONE].error);
	fd = file_open(fixture_dir(), "back", O_RDWR | O_CREAT);
	req.in = mem;
	ASSERT_EQ(0, cr_open_fd(self->ns, fd, &req.out));
	EXPECT_EQ(0, cr_copy_range(&req, &res));
	EXPECT_EQ(-1, differs(fd, 0, 300000, 1, 0));
	EXPECT_EQ(300000, size_of_fd(fd));
	cr_close(req.out);
	cr_close(mem);
	cr_close(self->f);
}

TEST_F(open, descriptor_stays_the_caller_s)
{
	int fd = file_open(fixture_dir(), "mine", O_RDWR | O_CREAT);

	EXPECT_EQ(0, cr_open_fd(self->ns, fd, &self->f));
	EXPECT_EQ(fd, cr_file_fd(self->f));
	EXPECT_EQ(0, cr_close(self->f));
	EXPECT_LE(0, fcntl(fd, F_GETFD));
}

TEST_F(open, closed_descriptor_is_ebadf)
{
	self->f = (void *)1;
	EXPECT_EQ(-EBADF, cr_open_fd(self->ns, -1, &self->f));
	EXPECT_NULL(self->f);
	EXPECT_EQ(-EBADF, cr_open_fd(self->ns, 99999, &self->f));
}

TEST_F(open, no_descriptor_left_is_emfile)
{
	struct rlimit lim, none;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &lim));
	none = (struct rlimit){3, lim.rlim_max};
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, cr_open(self->ns, "/", O_RDONLY, 0, &self->f));
	EXPECT_NULL(self->f);
	setrlimit(RLIMIT_NOFILE, &lim);
}

TEST_F(open, closing_nothing_is_allowed)
{
	EXPECT_EQ(0, cr_close(NULL));
	cr_ns_free(NULL);
}

TEST_F(open, strategies_have_names)
{
	EXPECT_STREQ("clone", copy_strategy_name(COPY_CLONE));
	EXPECT_STREQ("offload", copy_strategy_name(COPY_OFFLOAD));
	EXPECT_STREQ("encoded", copy_strategy_name(COPY_ENCODED));
	EXPECT_STREQ("grant", copy_strategy_name(COPY_GRANT));
	EXPECT_STREQ("stream", copy_strategy_name(COPY_STREAM));
	EXPECT_NULL(copy_strategy_name(COPY_STRATEGIES));
	EXPECT_NULL(copy_strategy_name(~0u));
}

TEST_F(open, copy_range_leaves_no_descriptor_behind)
{
	int in = file_open(fixture_dir(), "in", O_RDWR | O_CREAT);
	int out = file_open(fixture_dir(), "out", O_RDWR | O_CREAT);
	unsigned before = open_descriptors();

	put(in, 0, 5 << 20, 1);
	for_each_way(w)
		EXPECT_EQ(5 << 20, copy_range(in, &(off_t){0}, out, &(off_t){0}, SIZE_MAX, *w));
	EXPECT_EQ(-1, copy_range(in, NULL, -1, NULL, 10, 0));
	EXPECT_EQ(-1, copy_range(in, &(off_t){-1}, out, NULL, 10, 0));
	EXPECT_EQ(before, open_descriptors());
}

/* A mount takes the place of another: same path, device and, soon, number. */
TEST_F(open, a_later_mount_is_not_taken_for_an_earlier_one)
{
	const char *dir = fixture_dir(), *loop = fixture_loop(400);
	struct copy_result res;
	struct statx stx;

	if (!loop)
		SKIP(return, "%s", fixture_why());
	if (statx(AT_FDCWD, dir, 0, 0x4000, &stx) || !(stx.stx_mask & 0x4000))
		SKIP(return,
			   "needs Linux 6.8, which has numbers of mounts that are not used again");
	for (unsigned i = 0; i < 2; i++) {
		struct copy_req req = {.len = 100000};
		char in[300], out[300];

		snprintf(in, sizeof(in), "%s/m/in", dir);
		snprintf(out, sizeof(out), "%s/m/out", dir);
		if (fixture_run("mkdir -p %s/m && mkfs.%s -q %s %s && mount %s %s/m && "
				"head -c 100000 /dev/urandom >%s && sync",
				dir, i ? "xfs" : "ext4", i ? "-f" : "", loop, loop, dir, in))
			SKIP(return, "no ext4 or xfs here");
		ASSERT_EQ(0, cr_open(self->ns, in, O_RDONLY, 0, &req.in));
		ASSERT_EQ(0, cr_open(self->ns, out, O_RDWR | O_CREAT, 0600, &req.out));
		EXPECT_EQ(0, cr_copy_range(&req, &res));
		EXPECT_EQ(i ? 100000 : 0, res.by[COPY_CLONE].bytes);
		cr_close(req.in);
		cr_close(req.out);
		ASSERT_EQ(0, fixture_run("umount %s/m", dir));
	}
}

TEST_F(open, short_calls_go_on_where_the_system_call_ends)
{
	int in = file_open(fixture_dir(), "in", O_RDWR | O_CREAT);
	int out = file_open(fixture_dir(), "out", O_RDWR | O_CREAT);
	off_t from = 9000, to = 10;

	put(in, 0, 10000, 1);
	EXPECT_EQ(1000, copy_range(in, &from, out, &to, 4096, 0));
	EXPECT_EQ(10000, from);
	EXPECT_EQ(1010, to);
	EXPECT_EQ(0, copy_range(in, &from, out, &to, 4096, 0));
	EXPECT_EQ(4096, copy_range(in, NULL, out, NULL, 4096, 0));
	EXPECT_EQ(4096, lseek(in, 0, SEEK_CUR));
	EXPECT_EQ(4096, lseek(out, 0, SEEK_CUR));
	EXPECT_EQ(-1, copy_range(in, &(off_t){-1}, out, NULL, 10, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(open, results_add_up)
{
	struct copy_result sum = {0}, a = {0}, b = {0};

	a.bytes = a.by[COPY_CLONE].bytes = 100;
	a.stable = 1;
	a.how = COPY_CLONE;
	b.bytes = 300;
	b.holes = 50;
	b.by[COPY_STREAM] = (struct copy_tally){250, 3, 250};
	b.by[COPY_CLONE].bytes = 50;
	b.why[COPY_OFFLOAD] = (struct copy_why){"no", EXDEV, COPY_THIS_PAIR, 0, 2};
	copy_result_add(&sum, &a);
	EXPECT_EQ(1, sum.stable);
	copy_result_add(&sum, &b);
	copy_result_add(&sum, &b);
	EXPECT_EQ(700, sum.bytes);
	EXPECT_EQ(100, sum.holes);
	EXPECT_EQ(COPY_STREAM, sum.how);
	EXPECT_EQ(500, sum.by[COPY_STREAM].moved);
	EXPECT_EQ(6, sum.by[COPY_STREAM].ranges);
	EXPECT_EQ(4, sum.why[COPY_OFFLOAD].count);
	EXPECT_STREQ("no", sum.why[COPY_OFFLOAD].reason);
	EXPECT_EQ(0, sum.stable);
}

TEST_HARNESS_MAIN
