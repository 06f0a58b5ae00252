// SPDX-License-Identifier: GPL-2.0-or-later
/* The fault room, method by method: each can fail, and each works where it is not told to. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faultroom.h"

/* Every method by its name: each row calls it once. ------------------------------ */

struct every {
	struct file *dir, *file;
	char buf[64];
};

static int do_read(struct every *e)
{
	return (int)cr_read(e->file, e->buf, 1, 0);
}

static int do_write(struct every *e)
{
	return (int)cr_write(e->file, e->buf, 1, 0);
}

static int do_seek(struct every *e)
{
	return (int)cr_seek(e->file, 0, SEEK_HOLE);
}

static int do_allocate(struct every *e)
{
	return cr_allocate(e->file, 0, 0, 4096);
}

static int do_truncate(struct every *e)
{
	return cr_truncate(e->file, 0);
}

static int do_sync(struct every *e)
{
	return cr_sync(e->file, true);
}

static int do_sync_fs(struct every *e)
{
	return cr_sync_fs(e->file);
}

static int do_flush(struct every *e)
{
	return cr_flush(e->file);
}

static int do_settle(struct every *e)
{
	struct file_range range = {0, 0};

	return op_settle(e->file, &range);
}

static int do_busy(struct every *e)
{
	return op_busy(e->file);
}

static int do_read_encoded(struct every *e)
{
	struct encoded_iov ev;

	return (int)cr_read_encoded(e->file, &ev, e->buf, sizeof(e->buf), 0);
}

static int do_write_encoded(struct every *e)
{
	struct encoded_iov ev = {.len = 1, .unencoded_len = 1};
	struct iovec iov = {e->buf, 1};

	return (int)cr_write_encoded(e->file, &ev, &iov, 0, 0);
}

static int do_extents(struct every *e)
{
	struct file_extent ext;

	return op_extents(e->file, 0, &ext, 1, 0);
}

static int do_unwritten(struct every *e)
{
	struct file_range range;

	return cr_unwritten(e->file, 0, &range, 1);
}

static int do_clone_range(struct every *e)
{
	struct copy_req req = {.in = e->file, .out = e->file, .len = 1};
	struct copy_result res = {0};

	return op_clone_range(&req, &res);
}

static int do_copy_range(struct every *e)
{
	struct copy_req req = {.in = e->file, .out = e->file, .len = 1};
	struct copy_result res = {0};

	return op_copy_range(&req, &res);
}

static int do_getattr(struct every *e)
{
	struct statx stx;

	return cr_getattr(e->dir, "a", &stx);
}

static int do_setattr(struct every *e)
{
	struct iattr attr = {.valid = ATTR_MODE, .mode = 0600};

	return cr_setattr(e->dir, "a", &attr);
}

static int do_listxattr(struct every *e)
{
	return (int)cr_listxattr(e->dir, "a", e->buf, sizeof(e->buf));
}

static int do_getxattr(struct every *e)
{
	return (int)cr_getxattr(e->dir, "a", "user.x", e->buf, sizeof(e->buf));
}

static int do_setxattr(struct every *e)
{
	struct xattr x = {"user.x", "y", 1, 0};

	return cr_setxattr(e->dir, "a", &x);
}

static int do_fileattr_get(struct every *e)
{
	struct fileattr fa;

	return cr_fileattr_get(e->file, &fa);
}

static int do_fileattr_set(struct every *e)
{
	struct fileattr fa = {0};

	return cr_fileattr_set(e->file, &fa);
}

static int do_open(struct every *e)
{
	struct file *file;
	int err = cr_openat(e->dir, "a", O_RDONLY, 0, &file);

	cr_close(file);
	return err;
}

static int do_release(struct every *e)
{
	struct file *file;
	int err = cr_openat(e->dir, "a", O_RDONLY, 0, &file);

	return err ? err : cr_close(file);
}

static int do_readdir(struct every *e)
{
	char data[4096];
	struct dirbuf buf = {.data = data, .size = sizeof(data)};

	return (int)cr_readdir(e->dir, &buf);
}

static int do_mkdir(struct every *e)
{
	return cr_mkdir(e->dir, "new-dir", 0700);
}

static int do_mknod(struct every *e)
{
	return cr_mknod(e->dir, "new-fifo", S_IFIFO | 0600, 0);
}

static int do_symlink(struct every *e)
{
	return cr_symlink(e->dir, "new-symlink", "target");
}

static int do_readlink(struct every *e)
{
	return (int)cr_readlink(e->dir, "symlink", e->buf, sizeof(e->buf));
}

static int do_link(struct every *e)
{
	return cr_link(e->dir, "a", e->dir, "new-link");
}

static int do_unlink(struct every *e)
{
	return cr_unlink(e->dir, "new-link", 0);
}

static int do_rename(struct every *e)
{
	return cr_rename(e->dir, "new-symlink", "renamed", 0);
}

static int do_removexattr(struct every *e)
{
	return cr_removexattr(e->dir, "a", "user.x");
}

static int do_enable_verity(struct every *e)
{
	const struct verity_descriptor desc = {.hash_algorithm = 1, .block_size = 4096};
	struct file *file;
	int err = cr_openat(e->dir, "sealed", O_RDONLY | O_CREAT, 0600, &file);

	if (!err)
		err = cr_enable_verity(file, &desc);
	cr_close(file);
	return err;
}

static int do_subvol_create(struct every *e)
{
	return cr_subvol_create(e->dir, "subvol");
}

static int do_snap_create(struct every *e)
{
	return cr_snap_create(e->dir, e->dir, "snap", SUBVOL_RDONLY);
}

static int do_snap_destroy(struct every *e)
{
	return cr_snap_destroy(e->dir, "snap");
}

static int do_subvol_info(struct every *e)
{
	struct subvol_info info;

	return cr_subvol_info(e->dir, &info);
}

static int do_subvol_setflags(struct every *e)
{
	return cr_subvol_setflags(e->dir, 0);
}

static int do_set_received_subvol(struct every *e)
{
	return cr_set_received_subvol(e->dir, (const uint8_t *)"0123456789abcdef", 7);
}

static int do_subvol_find(struct every *e)
{
	uint64_t id;

	return cr_subvol_find(e->dir, SUBVOL_UUID, (const uint8_t *)"0123456789abcdef", &id, 1);
}

#define EVERY(name)                                                                                \
	{                                                                                          \
#name, do_##name                                                                   \
	}

/* In an order in which each works where none is told to fail. */
static const struct {
	const char *name;
	int (*call)(struct every *e);
} methods[] = {
	EVERY(open),
	EVERY(release),
	EVERY(write),
	EVERY(read),
	EVERY(seek),
	EVERY(allocate),
	EVERY(truncate),
	EVERY(sync),
	EVERY(sync_fs),
	EVERY(flush),
	EVERY(settle),
	EVERY(busy),
	EVERY(read_encoded),
	EVERY(write_encoded),
	EVERY(extents),
	EVERY(unwritten),
	EVERY(clone_range),
	EVERY(copy_range),
	EVERY(getattr),
	EVERY(setattr),
	EVERY(setxattr),
	EVERY(getxattr),
	EVERY(listxattr),
	EVERY(fileattr_get),
	EVERY(fileattr_set),
	EVERY(readdir),
	EVERY(mkdir),
	EVERY(mknod),
	EVERY(symlink),
	EVERY(readlink),
	EVERY(link),
	EVERY(unlink),
	EVERY(rename),
	EVERY(removexattr),
	EVERY(enable_verity),
	EVERY(subvol_create),
	EVERY(snap_create),
	EVERY(snap_destroy),
	EVERY(subvol_info),
	EVERY(subvol_setflags),
	EVERY(set_received_subvol),
	EVERY(subvol_find),
};

static int every_open(FIXTURE_DATA(fault) * self, const char *rules, struct every *e)
{
	int err = open_dir(self, rules, &e->dir);

	if (!err)
		err = cr_openat(e->dir, "a", O_RDWR | O_CREAT, 0600, &e->file);
	if (!err)
		err = cr_symlink(e->dir, "symlink", "target");
	return err == -EEXIST ? 0 : err;
}

TEST_F(fault, every_method_can_be_told_to_fail)
{
	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
		struct every e = {0};
		char rules[64];
		/* The setup opens two files and makes a symlink. */
		unsigned n = !strcmp(methods[i].name, "open")	   ? 3
			     : !strcmp(methods[i].name, "symlink") ? 2
								   : 1;

		snprintf(rules, sizeof(rules), "%s@%u=EDOM", methods[i].name, n);
		ASSERT_EQ(0, every_open(self, rules, &e));
		EXPECT_EQ(-EDOM, methods[i].call(&e))
		{
			TH_LOG("%s", rules);
		}
		EXPECT_EQ(0, cr_close(e.file));
		EXPECT_EQ(0, cr_close(e.dir));
	}
}

TEST_F(fault, every_method_works_when_nothing_is_due)
{
	struct every e = {0};

	ASSERT_EQ(0, every_open(self, "*@1000=EDOM", &e));
	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
		int ret = methods[i].call(&e);

		/* What the room below does not have is refused as if it had been asked itself. */
		if (ret == -EOPNOTSUPP || ret == -EXDEV || ret == -EINVAL || ret == -ENOTTY)
			TH_LOG("%s: %s", methods[i].name, strerrorname_np(-ret));
		else
			EXPECT_LE(0, ret)
			{
				TH_LOG("%s", methods[i].name);
			}
	}
	cr_close(e.file);
	cr_close(e.dir);
}

TEST_F(fault, star_as_method_counts_all_of_them)
{
	struct file *file;
	struct statx stx;

	/* open is the first */
	ASSERT_EQ(0, open_in(self, "*@4=EDOM", "a", &file));
	EXPECT_EQ(0, cr_sync(file, true));
	EXPECT_EQ(0, cr_getattr(file, NULL, &stx));
	EXPECT_EQ(-EDOM, cr_truncate(file, 0));
	EXPECT_EQ(0, cr_truncate(file, 0));
	cr_close(file);
}

/* clone_range and copy_range ----------------------------------------------------- */

static int fill(struct file *file, size_t len)
{
	char *buf = malloc(len);
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++)
		buf[i] = (char)(i * 7 + i / 251);
	n = cr_write(file, buf, len, 0);
	free(buf);
	return n == (ssize_t)len ? 0 : -EIO;
}

TEST_F(fault, a_copy_is_handed_down)
{
	struct copy_result res = {0};
	struct copy_req req = {.len = 65536};
	char a[65536], b[65536];

	ASSERT_EQ(0, open_in(self, "copy_range@1=short4096", "a", &req.in));
	ASSERT_EQ(0, open_in(self, "copy_range@1=short4096", "b", &req.out));
	ASSERT_EQ(0, fill(req.in, 65536));
	ASSERT_EQ(0, op_copy_range(&req, &res));
	EXPECT_EQ(4096, res.bytes);
	ASSERT_EQ(0, op_copy_range(&req, &res));
	EXPECT_EQ(65536, res.bytes);
	EXPECT_EQ(65536, cr_read(req.in, a, sizeof(a), 0));
	EXPECT_EQ(65536, cr_read(req.out, b, sizeof(b), 0));
	EXPECT_EQ(0, memcmp(a, b, sizeof(a)));
	cr_close(req.in);
	cr_close(req.out);
}

TEST_F(fault, a_clone_is_handed_down)
{
	struct copy_result res = {0};
	struct copy_req req = {.len = 65536};

	self->dir = fixture_fs("btrfs", 128, NULL);
	if (!self->dir)
		SKIP(return, "%s", fixture_why());
	ASSERT_EQ(0, open_in(self, "clone_range@2=short8192", "a", &req.in));
	ASSERT_EQ(0, open_in(self, "clone_range@2=short8192", "b", &req.out));
	ASSERT_EQ(0, fill(req.in, 65536));
	ASSERT_EQ(0, op_clone_range(&req, &res));
	EXPECT_EQ(65536, res.bytes);
	ASSERT_EQ(0, op_clone_range(&req, &res));
	EXPECT_EQ(8192, res.bytes);
	cr_close(req.in);
	cr_close(req.out);
}

TEST_F(fault, a_refusing_errno_declines_with_a_reason)
{
	struct copy_result res = {0};
	struct copy_req req = {.len = 4096};
	const char *rules = "copy_range@1=EXDEV,copy_range@2=EOPNOTSUPP,copy_range@3=EIO";

	ASSERT_EQ(0, open_in(self, rules, "a", &req.in));
	ASSERT_EQ(0, open_in(self, rules, "b", &req.out));
	ASSERT_EQ(0, fill(req.in, 4096));
	EXPECT_EQ(-EXDEV, op_copy_range(&req, &res));
	EXPECT_EQ(COPY_THIS_PAIR, res.why[COPY_OFFLOAD].scope);
	EXPECT_STREQ("refused on order", res.why[COPY_OFFLOAD].reason);
	EXPECT_EQ(-EOPNOTSUPP, op_copy_range(&req, &res));
	EXPECT_EQ(COPY_THIS_MOUNT, res.why[COPY_OFFLOAD].scope);
	EXPECT_EQ(EOPNOTSUPP, res.why[COPY_OFFLOAD].error);
	EXPECT_EQ(-EIO, op_copy_range(&req, &res));
	EXPECT_EQ(0, res.bytes);
	cr_close(req.in);
	cr_close(req.out);
}

TEST_F(fault, an_error_after_part_of_a_copy_counts_that_part)
{
	struct copy_result res = {0};
	struct copy_req req = {.len = 65536};
	const char *rules = "copy_range@1=short4096,copy_range@1=EIO,"
			    "copy_range@2=short4096,copy_range@2=EXDEV";

	ASSERT_EQ(0, open_in(self, rules, "a", &req.in));
	ASSERT_EQ(0, open_in(self, rules, "b", &req.out));
	ASSERT_EQ(0, fill(req.in, 65536));
	EXPECT_EQ(-EIO, op_copy_range(&req, &res));
	EXPECT_EQ(4096, res.bytes);
	/* Who has written something does not decline. */
	EXPECT_EQ(0, op_copy_range(&req, &res));
	EXPECT_EQ(4096, res.bytes);
	cr_close(req.in);
	cr_close(req.out);
}

TEST_F(fault, rooms_of_different_kinds_below_are_refused)
{
	struct copy_result res = {0};
	struct copy_req req = {.len = 16};

	ASSERT_EQ(0, open_in(self, "", "a", &req.in));
	ASSERT_EQ(0, cr_open(self->ns, "fault::mem:x", O_RDWR | O_CREAT, 0600, &req.out));
	ASSERT_EQ(0, fill(req.in, 16));
	EXPECT_EQ(-EXDEV, op_clone_range(&req, &res));
	EXPECT_EQ(-EXDEV, op_copy_range(&req, &res));
	EXPECT_EQ(-EXDEV, cr_link(req.in, NULL, req.out, "x"));
	/* ... and the core streams. */
	EXPECT_EQ(0, cr_copy_range(&req, &res));
	EXPECT_EQ(16, res.bytes);
	EXPECT_EQ(COPY_STREAM, res.how);
	cr_close(req.in);
	cr_close(req.out);
}

TEST_HARNESS_MAIN
