/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * copytest.h - what the tests of copy_range() share: file systems, files with a
 * known content, questions about files, and calls in one line.
 *
 * Helpers that cannot do their work print why and end the test as failed.
 */
#ifndef COPYTEST_H
#define COPYTEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy_range.h"
#include "fixture.h"

/*
 * File systems, made by main() before the tests and shared by all tests of the
 * program: "btrfs", "xfs", "ext4", "tmpfs", each with a digit behind it for a
 * second one, and "xfs-plain" without reflink.  With COPYTEST_ON=DIR in the environment
 * they are the folders of these names in DIR, and those that are not there are left out.
 */
void fs_make(int argc, char **argv, const char *const *names);

/* Where it is mounted; NULL: it cannot be made here, fs_why() says why. */
const char *fs_path(const char *name);
const char *fs_why(const char *name);

#define COPYTEST_MAIN(...)                                                                         \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		static const char *const names[] = {__VA_ARGS__, NULL};                            \
                                                                                                   \
		fs_make(argc, argv, names);                                                        \
		return test_harness_run(argc, argv);                                               \
	}

/* A folder of this process's own on that file system, and its end. */
void dir_make(const char *fs, char *path, size_t size);
void dir_remove(const char *path);
int file_open(const char *dir, const char *name, int flags); /* 0600 */

/* Content: the byte at offset @pos of the file @seed.  Never zero. */
unsigned char content(unsigned seed, off_t pos);
void content_fill(unsigned char *buf, size_t len, unsigned seed, off_t from);
void put(int fd, off_t pos, size_t len, unsigned seed);
/* Put it there as if it stood at @from. */
void put_from(int fd, off_t pos, size_t len, unsigned seed, off_t from);
/* Offset of the first byte in @pos..@pos+@len that is not content(@seed, @from + i); -1: none. */
off_t differs(int fd, off_t pos, size_t len, unsigned seed, off_t from);
off_t not_zero(int fd, off_t pos, size_t len);
bool same_bytes(int fd_a, int fd_b); /* size and content */

off_t size_of_fd(int fd);
uint64_t blocks_of(int fd); /* bytes of storage, after a sync */
struct timespec mtime_of(int fd);
/* Bytes of the range in extents that another file shares too. */
uint64_t shared_bytes(int fd, off_t pos, uint64_t len);
void inode_flags(int fd, int set, int clear); /* FS_*_FL */

/* copy_range() with explicit offsets and no flags: the count or a negative errno. */
ssize_t copy_at(int in, off_t pos_in, int out, off_t pos_out, size_t len);

/* cr_copy_range() on two descriptors; zero what is not set. */
struct call {
	int in, out;
	off_t pos_in, pos_out;
	uint64_t len;
	unsigned flags;
	const int *stop;
	struct copy_result res;
};
int call(struct call *c);

/* The three ways in which data moves on one machine without encoded extents. */
#define ONLY_OFFLOAD (COPY_RANGE_NO_CLONE | COPY_RANGE_NO_ENCODED | COPY_RANGE_NO_STREAM)
#define ONLY_STREAM  (COPY_RANGE_STRATEGIES & ~COPY_RANGE_NO_STREAM)
extern const unsigned copy_ways[3]; /* flags: cheapest, no clone, stream only */
#define for_each_way(w) for (const unsigned *w = copy_ways; w < copy_ways + 3; w++)

#endif
