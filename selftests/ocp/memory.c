// SPDX-License-Identifier: GPL-2.0-or-later
/* The memory of ocp does not grow with the tree, but by what hard links need. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif
#define FEW	1000
#define MANY	50000
#define PER_DIR 100

/* An entry of a tree by its number; those before it are there. */
typedef int make_entry(int dir, unsigned n);

static int touch(int dir, const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY, 0644);

	return fd < 0 ? -1 : close(fd);
}

static int make_file(int dir, unsigned n)
{
	char name[32];

	snprintf(name, sizeof(name), "file-%07u", n);
	return touch(dir, name);
}

static int make_dir(int dir, unsigned n)
{
	char name[32];

	snprintf(name, sizeof(name), "%u/%u", n / PER_DIR, n % PER_DIR);
	if (n % PER_DIR == 0) {
		snprintf(name, sizeof(name), "%u", n / PER_DIR);
		if (mkdirat(dir, name, 0755))
			return -1;
		snprintf(name, sizeof(name), "%u/0", n / PER_DIR);
	}
	return mkdirat(dir, name, 0755);
}

/* One name here, the other in a directory that is read later. */
static int make_linked(int dir, unsigned n)
{
	char name[32], other[32];

	snprintf(name, sizeof(name), "file-%07u", n);
	snprintf(other, sizeof(other), "d/%07u", n);
	mkdirat(dir, "d", 0755);
	return touch(dir, name) || linkat(dir, name, dir, other, 0);
}

/* KiB that a copy of such a tree takes at its peak; -1: it failed. */
static long peak(const char *dir, make_entry *make, unsigned n, const char *option)
{
	char src[300], dst[300], ocp[300];
	struct rusage used;
	int fd, status;
	pid_t pid;

	snprintf(src, sizeof(src), "%s/src", dir);
	snprintf(dst, sizeof(dst), "%s/dst", dir);
	snprintf(ocp, sizeof(ocp), "%s/ocp", getenv("O") ? getenv("O") : "build");
	fixture_run("rm -rf %s %s && mkdir %s", src, dst, src);
	fd = open(src, O_RDONLY | O_DIRECTORY);
	for (unsigned i = 0; i < n; i++)
		if (make(fd, i))
			return -1;
	close(fd);
	pid = fork();
	if (pid == 0) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(1);
		execl(ocp, "ocp", "-a", "-j4", option, src, dst, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &used) != pid || status)
		return -1;
	return used.ru_maxrss;
}

FIXTURE(tree)
{
	const char *dir;
};

FIXTURE_VARIANT(tree)
{
	make_entry *make;
	const char *option;
	unsigned bytes; /* per entry, at most */
};

FIXTURE_VARIANT_ADD(tree, one_directory){make_file, "--reflink=auto", 10};
FIXTURE_VARIANT_ADD(tree, one_directory_explained){make_file, "--explain", 10};
FIXTURE_VARIANT_ADD(tree, one_directory_in_json){make_file, "--json", 10};
FIXTURE_VARIANT_ADD(tree, many_directories){make_dir, "--reflink=auto", 10};
FIXTURE_VARIANT_ADD(tree, hard_links){make_linked, "--reflink=auto", 100};

FIXTURE_SETUP(tree)
{
	if (SANITIZED)
		SKIP(return, "a sanitizer's memory is not the program's");
	self->dir = fixture_fs("tmpfs", 512, "nr_inodes=0");
	if (!self->dir)
		SKIP(return, "%s", fixture_why());
}

FIXTURE_TEARDOWN(tree)
{
}

TEST_F_TIMEOUT(tree, does_not_cost_memory, 120)
{
	long few = peak(self->dir, variant->make, FEW, variant->option);
	long many = peak(self->dir, variant->make, MANY, variant->option);

	ASSERT_LT(0, few);
	ASSERT_LT(0, many);
	TH_LOG("%ld KiB for %d entries, %ld KiB for %d", few, FEW, many, MANY);
	EXPECT_LT(many - few, (long)variant->bytes * (MANY - FEW) / 1024 + 512);
}

TEST_HARNESS_MAIN
