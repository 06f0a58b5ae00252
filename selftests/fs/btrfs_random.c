// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files of random layout between two btrfs: every byte arrives, the target is
 * never larger on the disk than the source, and both stay sound.
 * SEED=N in the environment makes other files.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "extentlab.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define FILES  40
#define ROUNDS 200

FIXTURE(layout)
{
	struct lab lab;
	unsigned seed;
};

FIXTURE_VARIANT(layout)
{
	const char *src, *dst;
};

FIXTURE_VARIANT_ADD(layout, zstd_to_none){"compress-force=zstd", NULL};
FIXTURE_VARIANT_ADD(layout, lzo_to_zstd){"compress-force=lzo", "compress-force=zstd"};
FIXTURE_VARIANT_ADD(layout, zlib_to_lzo){"compress=zlib", "compress=lzo"};
FIXTURE_VARIANT_ADD(layout, none_to_zstd){NULL, "compress-force=zstd"};

FIXTURE_SETUP(layout)
{
	const char *seed = getenv("SEED");

	self->seed = seed ? (unsigned)strtoul(seed, NULL, 0) : 1;
	self->lab.src = fixture_fs("btrfs", 400, variant->src);
	self->lab.dst = fixture_fs("btrfs", 400, variant->dst);
	if (!self->lab.src || !self->lab.dst)
		SKIP(return, "%s", fixture_why());
	ASSERT_EQ(0, lab_open(&self->lab));
	srand(self->seed);
	printf("# SEED=%u\n", self->seed);
}

FIXTURE_TEARDOWN(layout)
{
	lab_close(&self->lab);
}

static unsigned below(unsigned n)
{
	return (unsigned)rand() % n;
}

/* Text, noise or zeros at a place that is aligned more often than not. */
static void scribble(int fd, uint64_t size)
{
	static const unsigned lengths[] = {1, 100, 4096, 8192, 65536, 200000};
	static char buf[200000];
	unsigned len = lengths[below(6)], kind = below(10);
	uint64_t pos = below((unsigned)size + 1);

	if (kind < 3)
		fill_noise(buf, len, (unsigned)rand());
	else if (kind < 4)
		memset(buf, 0, len);
	else
		fill_text(buf, len, (unsigned)rand());
	if (below(3))
		pos &= ~4095ull;
	if (pwrite(fd, buf, len, (off_t)pos) < 0)
		perror("pwrite");
}

/* A clone inside the file, where it has room for one. */
static void clone_inside(int fd, uint64_t size)
{
	static const unsigned lengths[] = {4096, 65536, 131072};
	unsigned blocks = (unsigned)(size / 4096), len = lengths[below(3)] / 4096, a, b;

	if (blocks < 2 * len + 1)
		return;
	a = below(blocks - len);
	b = below(blocks - len);
	if (a + len > b && b + len > a)
		return;
	struct file_clone_range fcr = {
		.src_fd = fd,
		.src_offset = a * 4096ull,
		.src_length = len * 4096ull,
		.dest_offset = b * 4096ull,
	};
	ioctl(fd, FICLONERANGE, &fcr);
}

static void change(int fd)
{
	struct stat st;
	uint64_t size;

	fstat(fd, &st);
	size = (uint64_t)st.st_size + 1;
	switch (below(12)) {
	default:
		scribble(fd, size);
		break;
	case 6:
		fsync(fd);
		break;
	case 7:
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, below((unsigned)size),
			  1 + below(200000));
		break;
	case 8:
		fallocate(fd, (int)below(2), below((unsigned)size), 1 + below(100000));
		break;
	case 9:
		if (ftruncate(fd, below((unsigned)size * 2)))
			perror("ftruncate");
		break;
	case 10:
	case 11:
		clone_inside(fd, size - 1);
	}
}

static void make_file(const char *path, unsigned changes)
{
	static const unsigned sizes[] = {1, 500, 2000, 4096, 20000, 131072, 140000, 1 << 20};
	unsigned size = sizes[below(8)];
	char *buf = malloc(size);
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	if (fd < 0 || !buf) {
		perror(path);
		_exit(1);
	}
	fill_text(buf, size, (unsigned)rand());
	if (below(3) && pwrite(fd, buf, size, 0) < 0)
		perror("pwrite");
	for (unsigned n = below(changes); n > 0; n--)
		change(fd);
	close(fd);
	free(buf);
}

static bool sound(struct lab *lab)
{
	bool scrubbed = !fixture_run("btrfs scrub start -B %s | grep -q 'no errors'", lab->dst);

	return scrubbed && !fixture_run("sync -f %s && btrfs check --readonly --force "
					"$(findmnt -no SOURCE %s) 2>&1 | grep -q 'no error found'",
					lab->dst, lab->dst);
}

/* Copying ------------------------------------------------------------------------ */

static void pick_flags(struct lab *lab)
{
	static const unsigned jobs[] = {0, 1, 2, 8};

	lab->jobs = jobs[below(4)];
	lab->flags = below(4) ? 0 : COPY_RANGE_RECOMPRESS;
	if (!below(5))
		lab->flags |= COPY_RANGE_SERIAL;
}

TEST_F_TIMEOUT(layout, whole_files_arrive, 200)
{
	char name[16];

	for (unsigned round = 0; round < ROUNDS; round++) {
		snprintf(name, sizeof(name), "f%u", round % FILES);
		make_file(in_dir(self->lab.src, name), 8);
		if (below(2))
			unlink(in_dir(self->lab.dst, name));
		else
			truncate(in_dir(self->lab.dst, name), 0);
		if (below(2))
			lab_sync(self->lab.src);
		pick_flags(&self->lab);
		ASSERT_EQ(0, lab_copy(&self->lab, name));
		ASSERT_TRUE(lab_same(&self->lab, name));
	}
	EXPECT_TRUE(sound(&self->lab));
}

/* What the target has to be afterwards: as a third file, made by reading and writing. */
static int model(const char *from, const char *to, const struct copy_req *req)
{
	static char buf[4 << 20];
	int in = open(from, O_RDONLY), out = open(to, O_RDWR | O_CREAT, 0644), err = 0;
	ssize_t n = pread(in, buf, MIN(req->len, sizeof(buf)), req->pos_in);

	if (n < 0 || (n > 0 && pwrite(out, buf, (size_t)n, req->pos_out) != n))
		err = -errno;
	close(in);
	close(out);
	return err;
}

TEST_F_TIMEOUT(layout, parts_arrive_and_nothing_else_changes, 200)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct copy_req req = {.pos_in = below(300000), .len = below(400000)};

		fixture_run("rm -f %s/f %s/f %s/f", self->lab.src, self->lab.dst, fixture_dir());
		make_file(in_dir(self->lab.src, "f"), 8);
		make_file(in_dir(self->lab.dst, "f"), 4);
		if (below(2))
			req.pos_in &= ~4095ll;
		req.pos_out = below(3) ? req.pos_in & 4095 : below(100000);
		req.pos_out += below(50) * 4096;
		lab_sync(self->lab.src);
		ASSERT_EQ(0, fixture_run("cp %s/f %s/f", self->lab.dst, fixture_dir()));
		ASSERT_EQ(0, model(in_dir(self->lab.src, "f"), in_dir(fixture_dir(), "f"), &req));
		pick_flags(&self->lab);
		ASSERT_EQ(0, lab_copy_req(&self->lab, in_dir(self->lab.src, "f"),
					  in_dir(self->lab.dst, "f"), &req));
		ASSERT_EQ(0, fixture_run("cmp %s/f %s/f", self->lab.dst, fixture_dir()));
	}
	EXPECT_TRUE(sound(&self->lab));
}

#ifdef CONFIG_SHARE

/* A subvolume with files that share, changes and snapshots of it; the names of all its files. */
static unsigned make_tree(struct lab *lab, char (*names)[16])
{
	unsigned files = 0, snaps = 0, n = 0;

	fixture_run("cd %s && btrfs -q subvolume create v && mkdir %s/v", lab->src, lab->dst);
	for (unsigned step = 0; step < 100; step++) {
		unsigned kind = below(10);
		char path[LAB_PATH];

		snprintf(path, sizeof(path), "%s/v/f%u", lab->src, files);
		if (kind < 3 || !files) {
			make_file(path, 6);
			files++;
		} else if (kind < 6) {
			fixture_run("cp --reflink=always %s/v/f%u %s", lab->src, below(files),
				    path);
			files++;
		} else if (kind < 9) {
			snprintf(path, sizeof(path), "%s/v/f%u", lab->src, below(files));
			int fd = open(path, O_RDWR);

			change(fd);
			close(fd);
		} else if (snaps < 3) {
			fixture_run("cd %s && btrfs -q subvolume snapshot -r v s%u && mkdir %s/s%u",
				    lab->src, snaps, lab->dst, snaps);
			for (unsigned i = 0; i < files; i++)
				snprintf(names[n++], 16, "s%u/f%u", snaps, i);
			snaps++;
		}
	}
	for (unsigned i = 0; i < files; i++)
		snprintf(names[n++], 16, "v/f%u", i);
	return n;
}

TEST_F_TIMEOUT(layout, trees_take_no_more_space_than_in_the_source, 250)
{
	struct lab_usage from, to;
	char names[400][16];
	unsigned n = make_tree(&self->lab, names);

	lab_sync(self->lab.src);
	ASSERT_EQ(0, lab_share(&self->lab));
	for (unsigned left = n; left > 0; left--) { /* in random order */
		unsigned i = below(left);

		ASSERT_EQ(0, lab_copy(&self->lab, names[i]));
		ASSERT_TRUE(lab_same(&self->lab, names[i]));
		memcpy(names[i], names[left - 1], sizeof(names[i]));
	}
	ASSERT_EQ(0, lab_usage(&self->lab, self->lab.src, &from));
	ASSERT_EQ(0, lab_usage(&self->lab, self->lab.dst, &to));
	printf("# %u files, disk %llu and %llu bytes, %u and %u extents\n", n,
	       (unsigned long long)from.disk, (unsigned long long)to.disk, from.extents,
	       to.extents);
	EXPECT_LE(to.disk, from.disk + n * 512); /* inline data may stay plain */
	EXPECT_TRUE(sound(&self->lab));
}

#endif

TEST_HARNESS_MAIN
