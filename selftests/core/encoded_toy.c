// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The encoded strategy against a room made for it: block sizes and answers that
 * no file system at hand gives.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/core.h"
#include "kselftest_harness.h"

#define SIZE   (1u << 20)
#define PIECE  131072u
#define PIECES (SIZE / PIECE)

/*
 * A file of SIZE bytes whose extents "decode" by being what they are: the
 * payload of extent i is one block that names it.
 */
struct toy_file {
	unsigned char data[SIZE];
	uint64_t size;
	unsigned planted, written; /* encoded writes, and bytes of plain ones */
	unsigned misaligned;	   /* encoded writes that btrfs would refuse */
	int refuse;		   /* errno of every encoded write */
};

static struct toy {
	struct toy_file file[2]; /* "in", "out" */
	uint32_t compression;	 /* of all extents of the source */
	uint32_t in_block, out_block;
	bool shorter; /* the source shrinks to half at the third read */
	bool lies;    /* extents() calls everything compressed; nothing is */
	unsigned reads;
} * toy;

static struct toy_file *of(struct file *file)
{
	return file->private;
}

static int toy_open(struct file *child, const char *name, mode_t mode)
{
	bool out = !strcmp(name, "out");

	child->private = &toy->file[out];
	child->id = (struct file_id){.dev = 7, .ino = 1 + out, .mount = 1 + out, .type = S_IFREG};
	return 0;
}

static bool toy_claim(struct file *file, struct mount *mnt)
{
	mnt->block_size = file->id.ino == 1 ? toy->in_block : toy->out_block;
	return true;
}

static ssize_t toy_read(struct file *file, void *buf, size_t len, off_t pos)
{
	struct toy_file *f = of(file);
	size_t n = (uint64_t)pos < f->size ? MIN(len, f->size - (uint64_t)pos) : 0;

	memcpy(buf, f->data + pos, n);
	return (ssize_t)n;
}

static ssize_t toy_write(struct file *file, const void *buf, size_t len, off_t pos)
{
	struct toy_file *f = of(file);

	memcpy(f->data + pos, buf, len);
	f->size = MAX(f->size, (uint64_t)pos + len);
	f->written += (unsigned)len;
	return (ssize_t)len;
}

static int toy_truncate(struct file *file, off_t size)
{
	of(file)->size = (uint64_t)size;
	return 0;
}

static int toy_getattr(struct file *file, const char *name, struct statx *stx)
{
	memset(stx, 0, sizeof(*stx));
	stx->stx_size = of(file)->size;
	return 0;
}

static int toy_extents(struct file *file, off_t pos, struct file_extent *ext, unsigned n,
		       unsigned how)
{
	uint64_t at = (uint64_t)pos;
	unsigned put = 0;

	while (put < n && at < of(file)->size) {
		uint64_t start = at - at % PIECE;

		ext[put++] = (struct file_extent){
			.pos = at,
			.len = MIN(start + PIECE, of(file)->size) - at,
			.disk_bytenr = (start / PIECE + 1) << 20,
			.disk_len = 4096,
			.offset = at - start,
			.ram_bytes = PIECE,
			.compression = toy->compression,
		};
		at = start + PIECE;
	}
	return (int)put;
}

static ssize_t toy_read_encoded(struct file *file, struct encoded_iov *ev, void *buf, size_t size,
				off_t pos)
{
	uint64_t at = (uint64_t)pos, start = at - at % PIECE;

	if (++toy->reads == 3 && toy->shorter)
		of(file)->size /= 2;
	if (at >= of(file)->size)
		return 0;
	*ev = (struct encoded_iov){
		.len = MIN(start + PIECE, of(file)->size) - at,
		.unencoded_len = PIECE,
		.unencoded_offset = at - start,
		.compression = toy->lies ? ENCODED_NONE : toy->compression,
	};
	if (toy->lies)
		return toy_read(file, buf, (size_t)ev->len, pos);
	memset(buf, 0, 4096);
	memcpy(buf, &start, sizeof(start));
	return 4096;
}

static ssize_t toy_write_encoded(struct file *file, const struct encoded_iov *ev,
				 const struct iovec *payload, off_t pos)
{
	struct toy_file *f = of(file);
	uint64_t start, at = (uint64_t)pos, end = at + ev->len;

	if (f->refuse)
		return -f->refuse;
	if (at % toy->out_block || ev->unencoded_offset % toy->out_block ||
	    (end % toy->out_block && end < f->size))
		f->misaligned++;
	memcpy(&start, payload->iov_base, sizeof(start));
	memcpy(f->data + at, toy->file[0].data + start + ev->unencoded_offset, ev->len);
	f->size = MAX(f->size, end);
	__atomic_fetch_add(&f->planted, 1, __ATOMIC_RELAXED);
	return (ssize_t)payload->iov_len;
}

static const struct file_operations toy_operations = {
	.read = toy_read,
	.write = toy_write,
	.truncate = toy_truncate,
	.getattr = toy_getattr,
	.extents = toy_extents,
	.read_encoded = toy_read_encoded,
	.write_encoded = toy_write_encoded,
};

static const struct fs_type toy_type = {
	.name = "toy",
	.scheme = "toy:",
	.family = "toy",
	.op = &toy_operations,
	.open = toy_open,
	.claim = toy_claim,
};

const struct fs_type *const cr_fs_types[] = {&toy_type, NULL};

FIXTURE(strategy)
{
	struct cr_ns *ns;
	struct copy_req req;
	struct copy_result res;
};

FIXTURE_SETUP(strategy)
{
	toy = calloc(1, sizeof(*toy));
	ASSERT_NE(NULL, toy);
	toy->compression = ENCODED_ZSTD;
	toy->in_block = toy->out_block = 4096;
	toy->file[0].size = SIZE;
	for (unsigned i = 0; i < SIZE; i++)
		toy->file[0].data[i] = (unsigned char)(i * 7 + i / 251);
	self->ns = cr_ns_new();
	self->req = (struct copy_req){.len = COPY_LEN_EOF};
}

FIXTURE_TEARDOWN(strategy)
{
	cr_close(self->req.in);
	cr_close(self->req.out);
	cr_ns_free(self->ns);
	free(toy);
}

static int copy(FIXTURE_DATA(strategy) * self)
{
	int err = 0;

	if (!self->req.in)
		err = cr_open(self->ns, "toy:in", O_RDONLY, 0, &self->req.in);
	if (!err && !self->req.out)
		err = cr_open(self->ns, "toy:out", O_RDWR, 0, &self->req.out);
	return err ? err : cr_copy_range(&self->req, &self->res);
}

/* Whether the copied part is in the target, and each block was planted where it may be. */
static bool good(FIXTURE_DATA(strategy) * self)
{
	return !memcmp(toy->file[0].data + self->req.pos_in, toy->file[1].data + self->req.pos_out,
		       self->res.bytes) &&
	       !toy->file[1].misaligned;
}

TEST_F(strategy, plants_every_extent)
{
	ASSERT_EQ(0, copy(self));
	EXPECT_EQ(SIZE, self->res.by[COPY_ENCODED].bytes);
	EXPECT_EQ(PIECES * 4096, self->res.by[COPY_ENCODED].moved);
	EXPECT_EQ(PIECES, toy->file[1].planted);
	EXPECT_TRUE(good(self));
}

TEST_F(strategy, lzo_of_another_block_size_is_written_plain)
{
	toy->compression = ENCODED_LZO_16K;
	ASSERT_EQ(0, copy(self));
	EXPECT_EQ(0, toy->file[1].planted);
	EXPECT_EQ(SIZE, self->res.by[COPY_STREAM].bytes);
	EXPECT_STREQ("compressed with LZO for another block size",
		     self->res.why[COPY_ENCODED].reason);
	EXPECT_TRUE(good(self));
}

TEST_F(strategy, lzo_of_the_same_block_size_is_planted)
{
	toy->compression = ENCODED_LZO_16K;
	toy->in_block = toy->out_block = 16384;
	ASSERT_EQ(0, copy(self));
	EXPECT_EQ(PIECES, toy->file[1].planted);
	EXPECT_TRUE(good(self));
}

TEST_F(strategy, larger_blocks_of_the_target_count)
{
	toy->out_block = 65536;
	self->req.pos_in = self->req.pos_out = 4096; /* 60 KiB plain, then whole blocks */
	ASSERT_EQ(0, copy(self));
	EXPECT_EQ(SIZE - 65536, self->res.by[COPY_ENCODED].bytes);
	EXPECT_EQ(61440, self->res.by[COPY_STREAM].bytes);
	EXPECT_TRUE(good(self));
}

TEST_F(strategy, an_end_inside_a_block_of_a_longer_target_is_plain)
{
	toy->file[1].size = SIZE;
	self->req.len = 300000;
	ASSERT_EQ(0, copy(self));
	EXPECT_EQ(300000, self->res.bytes);
	EXPECT_EQ(300000 % 4096, self->res.by[COPY_STREAM].bytes);
	EXPECT_TRUE(good(self));
}

TEST_F(strategy, what_is_read_counts_and_not_the_list)
{
	toy->lies = true;
	ASSERT_EQ(0, copy(self));
	EXPECT_EQ(SIZE, self->res.bytes);
	EXPECT_EQ(0, toy->file[1].planted);
	EXPECT_TRUE(good(self));
}

TEST_F(strategy, a_source_that_shrinks_ends_the_copy)
{
	toy->shorter = true;
	self->req.jobs = 1;
	ASSERT_EQ(0, copy(self));
	EXPECT_EQ(SIZE / 2, self->res.bytes);
	EXPECT_EQ(SIZE / 2, toy->file[1].size);
	EXPECT_TRUE(good(self));
}

TEST_F(strategy, a_target_that_refuses_all_gets_plain_bytes)
{
	toy->file[1].refuse = EINVAL;
	ASSERT_EQ(0, copy(self));
	EXPECT_EQ(SIZE, self->res.by[COPY_STREAM].bytes);
	EXPECT_EQ(PIECES, self->res.why[COPY_ENCODED].count);
	EXPECT_TRUE(good(self));
}

TEST_F(strategy, no_privilege_is_a_refusal_that_writes_nothing)
{
	toy->file[1].refuse = EPERM;
	self->req.flags = COPY_RANGE_NO_STREAM;
	EXPECT_EQ(-EOPNOTSUPP, copy(self));
	EXPECT_EQ(0, self->res.bytes);
	EXPECT_EQ(0, toy->file[1].size);
	EXPECT_STREQ("needs root (CAP_SYS_ADMIN)", self->res.why[COPY_ENCODED].reason);
	EXPECT_EQ(COPY_THIS_MOUNT, self->res.why[COPY_ENCODED].scope);
}

TEST_HARNESS_MAIN
