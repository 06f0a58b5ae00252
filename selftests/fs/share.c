// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Extents that are shared in the source are shared in the destination: the same
 * bytes on the disk, whatever is copied first, and never wrong ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "extentlab.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define KB ((uint64_t)1024)

FIXTURE(share)
{
	struct lab lab;
	struct lab_usage from, to;
};

FIXTURE_VARIANT(share)
{
	const char *src, *dst;
	unsigned jobs;
};

FIXTURE_VARIANT_ADD(share, zstd){"compress-force=zstd", NULL, 0};
FIXTURE_VARIANT_ADD(share, zstd_alone){"compress-force=zstd", NULL, 1};
FIXTURE_VARIANT_ADD(share, lzo_to_zlib){"compress-force=lzo", "compress-force=zlib", 0};
FIXTURE_VARIANT_ADD(share, plain){NULL, NULL, 0};

FIXTURE_SETUP(share)
{
	self->lab.src = fixture_fs("btrfs", 256, variant->src);
	self->lab.dst = fixture_fs("btrfs", 256, variant->dst);
	if (!self->lab.src || !self->lab.dst)
		SKIP(return, "%s", fixture_why());
	self->lab.jobs = variant->jobs;
	ASSERT_EQ(0, lab_open(&self->lab));
	ASSERT_EQ(0, lab_share(&self->lab));
}

FIXTURE_TEARDOWN(share)
{
	lab_close(&self->lab);
}

static int reflink(FIXTURE_DATA(share) * self, const char *from, const char *to)
{
	return fixture_run("cd %s && cp --reflink=always %s %s && sync -f .", self->lab.src, from,
			   to);
}

static uint64_t cloned(FIXTURE_DATA(share) * self)
{
	return self->lab.res.by[COPY_CLONE].bytes;
}

/*
 * As many bytes on the disk as in the source.  A plain extent that is not used
 * in whole may leave its unused part behind.
 */
static bool as_small(FIXTURE_DATA(share) * self, const FIXTURE_VARIANT(share) * variant)
{
	int err = lab_usage(&self->lab, self->lab.src, &self->from);

	if (!err)
		err = lab_usage(&self->lab, self->lab.dst, &self->to);
	printf("# disk %llu and %llu bytes\n", (unsigned long long)self->from.disk,
	       (unsigned long long)self->to.disk);
	return !err &&
	       (variant->src ? self->to.disk == self->from.disk : self->to.disk <= self->from.disk);
}

TEST_F(share, a_reflinked_copy_is_a_clone)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 1000001));
	ASSERT_EQ(0, reflink(self, "f", "g"));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(0, cloned(self));
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_EQ(1000001, cloned(self));
	EXPECT_EQ(0, self->lab.res.by[COPY_ENCODED].moved + self->lab.res.by[COPY_STREAM].moved);
	EXPECT_TRUE(lab_same(&self->lab, "g"));
	EXPECT_TRUE(as_small(self, variant));
}

#ifdef CONFIG_FS_FAULT

static int stop_flag;

static void set_stop(int sig)
{
	__atomic_store_n(&stop_flag, 1, __ATOMIC_RELAXED);
}

/* Bytes from @from on of "f", at @to of "g". */
static int reflink_part(FIXTURE_DATA(share) * self, uint64_t from, uint64_t to, uint64_t len)
{
	int in = open(in_dir(self->lab.src, "f"), O_RDONLY);
	int out = open(in_dir(self->lab.src, "g"), O_WRONLY | O_CREAT, 0644);
	struct file_clone_range fcr = {in, from, len, to};
	int err = ioctl(out, FICLONERANGE, &fcr) ? -errno : 0;

	close(in);
	close(out);
	lab_sync(self->lab.src);
	return err;
}

/* "g" is two clones, which are refused, and the stop comes while the first is written instead. */
TEST_F(share, a_stop_while_clones_are_refused_counts_no_gap)
{
	struct copy_req req = {.len = COPY_LEN_EOF, .stop = &stop_flag};
	char to[2 * LAB_PATH];

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 2048 * KB));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, reflink_part(self, 0, 0, 512 * KB));
	ASSERT_EQ(0, reflink_part(self, 1024 * KB, 512 * KB, 512 * KB));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	signal(SIGUSR1, set_stop);
	snprintf(to, sizeof(to), "fault:write@1=usr1,write_encoded@1=usr1:%s/g", self->lab.dst);
	EXPECT_EQ(0, lab_copy_req(&self->lab, in_dir(self->lab.src, "g"), to, &req));
	EXPECT_EQ(1, self->lab.res.stopped);
	EXPECT_EQ(0, cloned(self));
	EXPECT_GT(512 * KB, self->lab.res.bytes);
	EXPECT_EQ(0, fixture_run("cmp -n %llu %s/g %s/g", (unsigned long long)self->lab.res.bytes,
				 self->lab.src, self->lab.dst));
}

#endif

TEST_F(share, files_of_snapshots_are_clones)
{
	ASSERT_EQ(0, fixture_run("btrfs -q subvolume create %s/v", self->lab.src));
	ASSERT_EQ(0, lab_text(self->lab.src, "v/f", 0, 700000));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, fixture_run("cd %s; for i in 1 2 3; do btrfs -q subvolume snapshot -r v s$i; "
				 "mkdir -p %s/s$i %s/v; done",
				 self->lab.src, self->lab.dst, self->lab.dst));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "s1/f"));
	ASSERT_EQ(0, lab_copy(&self->lab, "v/f"));
	EXPECT_EQ(700000, cloned(self));
	ASSERT_EQ(0, lab_copy(&self->lab, "s2/f"));
	EXPECT_EQ(700000, cloned(self));
	ASSERT_EQ(0, lab_copy(&self->lab, "s3/f"));
	EXPECT_TRUE(lab_same(&self->lab, "s3/f"));
	EXPECT_TRUE(as_small(self, variant));
}

/* f is whole, g is a clone of it with something new in the middle of each extent. */
static int make_bookends(FIXTURE_DATA(share) * self)
{
	int err = lab_text(self->lab.src, "f", 0, 512 * KB);

	if (!err)
		err = reflink(self, "f", "g");
	for (uint64_t pos = 40 * KB; !err && pos < 512 * KB; pos += 128 * KB)
		err = lab_noise(self->lab.src, "g", pos, 8192);
	lab_sync(self->lab.src);
	return err;
}

TEST_F(share, parts_of_extents_are_clones_of_the_whole)
{
	ASSERT_EQ(0, make_bookends(self));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_EQ(480 * KB, cloned(self));
	EXPECT_TRUE(lab_same(&self->lab, "g"));
	EXPECT_TRUE(as_small(self, variant));
}

TEST_F(share, the_whole_is_found_when_a_part_came_first)
{
	ASSERT_EQ(0, make_bookends(self));
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_TRUE(lab_same(&self->lab, "g"));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_TRUE(lab_same(&self->lab, "f"));
	EXPECT_EQ(variant->src ? 512 * KB : 480 * KB, cloned(self));
	EXPECT_TRUE(as_small(self, variant));
}

TEST_F(share, a_bookend_inside_one_file_is_one_extent)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 128 * KB));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_noise(self->lab.src, "f", 60 * KB, 4096));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_TRUE(lab_same(&self->lab, "f"));
	EXPECT_TRUE(as_small(self, variant));
	if (variant->src)
		EXPECT_EQ(self->from.extents, self->to.extents);
}

TEST_F(share, clones_inside_one_file_stay_clones)
{
	struct file_clone_range fcr = {.src_length = 256 * KB, .dest_offset = 512 * KB};
	int fd;

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 512 * KB));
	lab_sync(self->lab.src);
	fd = open(in_dir(self->lab.src, "f"), O_RDWR);
	fcr.src_fd = fd;
	ASSERT_EQ(0, ioctl(fd, FICLONERANGE, &fcr));
	close(fd);
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	EXPECT_EQ(256 * KB, cloned(self));
	EXPECT_TRUE(lab_same(&self->lab, "f"));
	EXPECT_TRUE(as_small(self, variant));
}

TEST_F(share, ends_in_the_middle_of_a_block_are_shared)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300 * KB));
	ASSERT_EQ(0, reflink(self, "f", "g"));
	ASSERT_EQ(0, reflink(self, "f", "h"));
	ASSERT_EQ(0, truncate(in_dir(self->lab.src, "g"), 200 * KB + 123));
	ASSERT_EQ(0, truncate(in_dir(self->lab.src, "h"), 200 * KB + 123));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_EQ(200 * KB + 123, cloned(self));
	ASSERT_EQ(0, lab_copy(&self->lab, "h"));
	EXPECT_EQ(200 * KB + 123, cloned(self));
	EXPECT_TRUE(lab_same(&self->lab, "g"));
	EXPECT_TRUE(lab_same(&self->lab, "h"));
	EXPECT_TRUE(as_small(self, variant));
}

TEST_F(share, what_is_not_shared_is_no_clone)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300 * KB));
	ASSERT_EQ(0, lab_text(self->lab.src, "g", 0, 300 * KB));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_EQ(0, cloned(self));
	EXPECT_TRUE(as_small(self, variant));
}

TEST_F(share, without_the_map_nothing_is_shared)
{
	copy_share_free(self->lab.share);
	self->lab.share = NULL;
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300 * KB));
	ASSERT_EQ(0, reflink(self, "f", "g"));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_EQ(0, cloned(self));
	EXPECT_TRUE(lab_same(&self->lab, "g"));
}

TEST_F(share, no_clones_where_they_are_forbidden)
{
	self->lab.flags = COPY_RANGE_NO_CLONE;
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300 * KB));
	ASSERT_EQ(0, reflink(self, "f", "g"));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_EQ(0, cloned(self));
}

/* Never wrong bytes -------------------------------------------------------------- */

TEST_F(share, newer_data_in_memory_is_not_lost_in_a_clone)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300 * KB));
	ASSERT_EQ(0, reflink(self, "f", "g"));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	ASSERT_EQ(0, lab_noise(self->lab.src, "g", 100000, 5000));
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_LT(0, cloned(self));
	EXPECT_TRUE(lab_same(&self->lab, "g"));
}

TEST_F(share, a_copy_that_moved_is_found)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300 * KB));
	ASSERT_EQ(0, reflink(self, "f", "g"));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	ASSERT_EQ(0, rename(in_dir(self->lab.dst, "f"), in_dir(self->lab.dst, "moved")));
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_EQ(300 * KB, cloned(self));
}

TEST_F(share, a_copy_that_is_gone_is_copied_again_and_shared_from_there)
{
	bool held;

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300 * KB));
	ASSERT_EQ(0, reflink(self, "f", "g"));
	ASSERT_EQ(0, reflink(self, "f", "h"));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	ASSERT_EQ(0, unlink(in_dir(self->lab.dst, "f")));
	lab_sync(self->lab.dst);
	/* The kernel may still hold the file, and let it be opened: right as well. */
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_TRUE(lab_same(&self->lab, "g"));
	held = cloned(self) > 0;
	ASSERT_EQ(0, lab_copy(&self->lab, "h"));
	if (!held) {
		EXPECT_EQ(300 * KB, cloned(self));
	}
	EXPECT_TRUE(lab_same(&self->lab, "h"));
}

TEST_F(share, a_copy_that_someone_changed_is_not_cloned_from)
{
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300 * KB));
	ASSERT_EQ(0, reflink(self, "f", "g"));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	usleep(20000); /* the kernel's clock for times of files may tick every 10 ms */
	ASSERT_EQ(0, lab_noise(self->lab.dst, "f", 8192, 4096));
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_EQ(0, cloned(self));
	EXPECT_TRUE(lab_same(&self->lab, "g"));
}

TEST_F(share, a_copy_that_this_run_overwrote_is_not_cloned_from)
{
	struct copy_req req = {.len = COPY_LEN_EOF};

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300 * KB));
	ASSERT_EQ(0, reflink(self, "f", "g"));
	ASSERT_EQ(0, lab_noise(self->lab.src, "other", 0, 300 * KB));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	ASSERT_EQ(0, lab_copy_req(&self->lab, in_dir(self->lab.src, "other"),
				  in_dir(self->lab.dst, "f"), &req));
	ASSERT_EQ(0, fixture_run("touch -r /etc/passwd %s/f", self->lab.dst));
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_EQ(0, cloned(self));
	EXPECT_TRUE(lab_same(&self->lab, "g"));
}

TEST_F(share, a_nodatacow_target_gets_its_own_bytes)
{
	unsigned flags = FS_NOCOW_FL;
	int fd;

	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300 * KB));
	ASSERT_EQ(0, reflink(self, "f", "g"));
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	fd = open(in_dir(self->lab.dst, "g"), O_RDWR | O_CREAT, 0644);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, FS_IOC_SETFLAGS, &flags));
	close(fd);
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_EQ(0, cloned(self));
	EXPECT_TRUE(lab_same(&self->lab, "g"));
}

TEST_F(share, without_privilege_plain_extents_are_shared)
{
	if (variant->src)
		SKIP(return, "compressed extents need root");
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, 300 * KB));
	ASSERT_EQ(0, reflink(self, "f", "g"));
	usleep(20000); /* changed since the map began, which is later */
	ASSERT_EQ(0, fixture_run("chmod 777 %s", self->lab.dst));
	copy_share_free(self->lab.share);
	drop_privilege();
	self->lab.share = copy_share_new(self->lab.share_dir);
	ASSERT_EQ(0, lab_copy(&self->lab, "f"));
	ASSERT_EQ(0, lab_copy(&self->lab, "g"));
	EXPECT_EQ(300 * KB, cloned(self));
	EXPECT_TRUE(lab_same(&self->lab, "g"));
}

/* Several at once ------------------------------------------------------------------ */

#define AT_ONCE 8

struct one {
	struct lab *lab;
	char name[8];
	int err;
	struct copy_result res;
};

static void *copy_one(void *arg)
{
	struct one *one = arg;
	struct copy_req req = {.len = COPY_LEN_EOF, .share = one->lab->share};
	char from[LAB_PATH], to[LAB_PATH];

	snprintf(from, sizeof(from), "%s/%s", one->lab->src, one->name);
	snprintf(to, sizeof(to), "%s/%s", one->lab->dst, one->name);
	one->err = cr_open(one->lab->ns, from, O_RDONLY, 0, &req.in);
	if (!one->err)
		one->err = cr_open(one->lab->ns, to, O_RDWR | O_CREAT, 0644, &req.out);
	if (!one->err)
		one->err = cr_copy_range(&req, &one->res);
	cr_close(req.in);
	cr_close(req.out);
	return NULL;
}

TEST_F(share, who_comes_second_waits_for_the_first)
{
	struct one one[AT_ONCE];
	pthread_t thread[AT_ONCE];
	uint64_t sum = 0;

	ASSERT_EQ(0, lab_text(self->lab.src, "f0", 0, 2048 * KB));
	for (unsigned i = 0; i < AT_ONCE; i++) {
		one[i] = (struct one){.lab = &self->lab};
		snprintf(one[i].name, sizeof(one[i].name), "f%u", i);
		if (i)
			ASSERT_EQ(0, reflink(self, "f0", one[i].name));
	}
	for (unsigned i = 0; i < AT_ONCE; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, copy_one, &one[i]));
	for (unsigned i = 0; i < AT_ONCE; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, one[i].err);
		EXPECT_TRUE(lab_same(&self->lab, one[i].name));
		sum += one[i].res.by[COPY_CLONE].bytes;
	}
	EXPECT_EQ((AT_ONCE - 1) * 2048 * KB, sum);
	EXPECT_TRUE(as_small(self, variant));
}

/* So large that the second round has to take the addresses of the first. */
TEST(addresses_that_the_source_uses_anew_are_not_mixed_up)
{
	struct lab lab = {.src = fixture_fs("btrfs", 256, NULL),
			  .dst = fixture_fs("btrfs", 700, NULL)};
	const size_t len = 130 << 20;

	if (!lab.src || !lab.dst)
		SKIP(return, "%s", fixture_why());
	ASSERT_EQ(0, lab_open(&lab));
	ASSERT_EQ(0, lab_share(&lab));
	for (unsigned round = 0; round < 2; round++) {
		ASSERT_EQ(0, lab_noise(lab.src, "f", 0, len + round * 4096));
		ASSERT_EQ(0, fixture_run("cd %s; cp --reflink=always f g; sync", lab.src));
		ASSERT_EQ(0, lab_copy(&lab, "f"));
		EXPECT_EQ(0, lab.res.by[COPY_CLONE].bytes);
		EXPECT_TRUE(lab_same(&lab, "f"));
		ASSERT_EQ(0, lab_copy(&lab, "g"));
		EXPECT_EQ(len + round * 4096, lab.res.by[COPY_CLONE].bytes);
		EXPECT_TRUE(lab_same(&lab, "g"));
		ASSERT_EQ(0, fixture_run("cd %s; rm f g; sync; cd %s; mv f f%u; mv g g%u", lab.src,
					 lab.dst, round, round));
	}
	lab_close(&lab);
}

/* XFS ------------------------------------------------------------------------------- */

TEST(on_xfs_too_a_reflinked_copy_is_a_clone)
{
	struct lab lab = {.src = fixture_fs("xfs", 300, NULL), .dst = fixture_fs("xfs", 300, NULL)};

	if (!lab.src || !lab.dst)
		SKIP(return, "%s", fixture_why());
	ASSERT_EQ(0, lab_text(lab.src, "f", 0, 1000000));
	ASSERT_EQ(0, fixture_run("cd %s; cp --reflink=always f g; cp --reflink=always f h; sync",
				 lab.src));
	ASSERT_EQ(0, lab_noise(lab.src, "g", 50000, 9000));
	lab_sync(lab.src);
	usleep(20000);
	ASSERT_EQ(0, lab_open(&lab));
	ASSERT_EQ(0, lab_share(&lab));
	ASSERT_EQ(0, lab_copy(&lab, "f"));
	EXPECT_EQ(0, lab.res.by[COPY_CLONE].bytes);
	ASSERT_EQ(0, lab_copy(&lab, "g"));
	EXPECT_LT(900000, lab.res.by[COPY_CLONE].bytes);
	ASSERT_EQ(0, lab_copy(&lab, "h"));
	EXPECT_EQ(1000000, lab.res.by[COPY_CLONE].bytes);
	for (const char *name = "fgh"; *name; name++)
		EXPECT_TRUE(lab_same(&lab, (const char[]){*name, 0}));
	lab_close(&lab);
}

TEST(on_xfs_data_in_memory_above_preallocated_space_is_copied)
{
	struct lab lab = {.src = fixture_fs("xfs", 300, NULL), .dst = fixture_fs("xfs", 300, NULL)};
	int fd;

	if (!lab.src || !lab.dst)
		SKIP(return, "%s", fixture_why());
	ASSERT_EQ(0, lab_text(lab.src, "f", 0, 100000));
	ASSERT_EQ(0, fixture_run("cd %s; cp --reflink=always f g; sync; sleep 0.05", lab.src));
	fd = open(in_dir(lab.src, "f"), O_RDWR);
	ASSERT_EQ(0, fallocate(fd, 0, 200 * 1024, 1 << 20));
	close(fd);
	lab_sync(lab.src);
	ASSERT_EQ(0, lab_text(lab.src, "f", 300 * 1024, 50000));
	usleep(20000);
	ASSERT_EQ(0, lab_open(&lab));
	ASSERT_EQ(0, lab_share(&lab));
	ASSERT_EQ(0, lab_copy(&lab, "f"));
	EXPECT_TRUE(lab_same(&lab, "f"));
	lab_close(&lab);
}

TEST_HARNESS_MAIN
