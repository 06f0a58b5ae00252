// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The encoded strategy's commands of io_uring: they carry extents, and a ring
 * that fails on the way loses none.
 */
#include <errno.h>
#include <linux/btrfs.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "extentlab.h"
#include "fixture.h"
#include "kernel/encoded.h"
#include "kselftest_harness.h"

#define LEN   ((uint64_t)12 << 20)
#define DEPTH 32 /* commands in flight */

FIXTURE(uring)
{
	struct lab lab;
	struct copy_req req;
	struct encoder e;
	struct copy_result res;
};

FIXTURE_SETUP(uring)
{
	self->lab.src = fixture_fs("btrfs", 256, "compress-force=zstd");
	self->lab.dst = fixture_fs("btrfs", 256, NULL);
	if (!self->lab.src || !self->lab.dst)
		SKIP(return, "%s", fixture_why());
	ASSERT_EQ(0, lab_open(&self->lab));
	ASSERT_EQ(0, lab_text(self->lab.src, "f", 0, LEN));
	lab_sync(self->lab.src);
	ASSERT_EQ(0, cr_open(self->lab.ns, in_dir(self->lab.src, "f"), O_RDONLY, 0, &self->req.in));
	ASSERT_EQ(0, cr_open(self->lab.ns, in_dir(self->lab.dst, "f"), O_RDWR | O_CREAT, 0600,
			     &self->req.out));
	ASSERT_EQ(0, cr_truncate(self->req.out, (off_t)LEN));
	self->req.len = LEN;
	self->e = (struct encoder){
		.req = &self->req,
		.sector = self->req.out->mnt->block_size,
		.new_size = LEN,
		.can_encode = true,
		.sized = true,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.end = LEN,
		.broken = UINT64_MAX,
	};
}

FIXTURE_TEARDOWN(uring)
{
	cr_close(self->req.in);
	cr_close(self->req.out);
	lab_close(&self->lab);
}

/* From now on system call @nr fails with @error if the low word of argument @arg is @word, or is
 * not. */
static int forbid(int nr, int error, unsigned arg, uint32_t word, bool is)
{
	const unsigned low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args) + arg * 8 + low),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word, is ? 0 : 1, is ? 1 : 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return fixture_seccomp(filter, ARRAY_SIZE(filter));
}

TEST_F(uring, carries_every_extent)
{
	struct btrfs_ioctl_encoded_io_args args = {0};

	if (forbid(SYS_ioctl, EPERM, 1, (uint32_t)BTRFS_IOC_ENCODED_READ, true) ||
	    forbid(SYS_ioctl, EPERM, 1, (uint32_t)BTRFS_IOC_ENCODED_WRITE, true))
		SKIP(return, "no seccomp filters");
	ASSERT_NE(0, ioctl(self->req.in->fd, BTRFS_IOC_ENCODED_READ, &args));
	uring_work(&self->e, &self->res);
	if (!self->res.by[COPY_ENCODED].bytes)
		SKIP(return, "this kernel has no encoded commands for io_uring");
	EXPECT_EQ(LEN, self->e.next);
	EXPECT_EQ(UINT64_MAX, self->e.broken);
	EXPECT_EQ(LEN, self->res.by[COPY_ENCODED].bytes);
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(uring, leaves_payloads_that_are_validated_to_the_workers)
{
	self->req.flags = COPY_RANGE_VALIDATE;
	uring_work(&self->e, &self->res);
	EXPECT_EQ(0, self->res.bytes);
	EXPECT_EQ(0, self->e.next);
}

/* What was under way when the ring failed is complete; the rest is for the workers. */
static void check_failed(struct __test_metadata *_metadata, FIXTURE_DATA(uring) * self)
{
	EXPECT_EQ(UINT64_MAX, self->e.broken);
	EXPECT_EQ(0, self->e.err);
	EXPECT_GT(LEN, self->e.next);
	EXPECT_EQ(self->e.next, self->res.bytes);
	ASSERT_EQ(0, cr_truncate(self->req.out, (off_t)self->e.next));
	self->req.pos_in = self->req.pos_out = (off_t)self->e.next;
	self->req.len = COPY_LEN_EOF;
	ASSERT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_TRUE(lab_same(&self->lab, "f"));
}

TEST_F(uring, that_never_starts_is_done_otherwise)
{
	if (forbid(SYS_io_uring_enter, EBADR, 0, UINT32_MAX, false))
		SKIP(return, "no seccomp filters");
	uring_work(&self->e, &self->res);
	EXPECT_LT(0, self->e.next);
	check_failed(_metadata, self);
}

TEST_F(uring, that_fails_with_commands_under_way_loses_none)
{
	/* The first call submits all there is room for, later ones what has come free. */
	if (forbid(SYS_io_uring_enter, EIO, 1, DEPTH, false))
		SKIP(return, "no seccomp filters");
	uring_work(&self->e, &self->res);
	EXPECT_LT(0, self->e.next);
	check_failed(_metadata, self);
}

TEST_HARNESS_MAIN
