// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/codec against the kernel: extents that btrfs made are decoded here, and
 * extents made here are read by btrfs.
 *
 * Real extents on a loop device; the raw ioctls, without the core between.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "codec_util.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define FILE_LEN ((size_t)3 << 20)
#define EXTENTS	 64

FIXTURE(btrfs)
{
	struct codec_ctx *ctx;
	const char *mnt;
	char path[256];
	uint8_t *plain, *back; /* FILE_LEN each */
	uint8_t payload[ENCODED_MAX];
};

FIXTURE_VARIANT(btrfs)
{
	const char *mount;
	uint32_t compression;
};

FIXTURE_VARIANT_ADD(btrfs, zlib){.mount = "compress-force=zlib", .compression = ENCODED_ZLIB};
FIXTURE_VARIANT_ADD(btrfs, zlib_9){.mount = "compress-force=zlib:9", .compression = ENCODED_ZLIB};
FIXTURE_VARIANT_ADD(btrfs, zstd){.mount = "compress-force=zstd", .compression = ENCODED_ZSTD};
FIXTURE_VARIANT_ADD(btrfs, zstd_15){.mount = "compress-force=zstd:15", .compression = ENCODED_ZSTD};
FIXTURE_VARIANT_ADD(btrfs, lzo){.mount = "compress-force=lzo", .compression = ENCODED_LZO_4K};

FIXTURE_SETUP(btrfs)
{
	if (!codec_name(variant->compression))
		SKIP(return, "codec not built in");
	self->mnt = fixture_fs("btrfs", 256, variant->mount);
	if (!self->mnt)
		SKIP(return, "%s", fixture_why());
	snprintf(self->path, sizeof(self->path), "%s/file", self->mnt);
	self->ctx = codec_ctx_new();
	self->plain = calloc(1, FILE_LEN);
	self->back = calloc(1, FILE_LEN);
	ASSERT_NE(NULL, self->ctx);
	ASSERT_NE(NULL, self->plain);
	ASSERT_NE(NULL, self->back);
}

FIXTURE_TEARDOWN(btrfs)
{
	codec_ctx_free(self->ctx);
	free(self->plain);
	free(self->back);
}

/* One call of BTRFS_IOC_ENCODED_READ. */
static ssize_t read_encoded(int fd, struct encoded_iov *ev, struct iovec buf, size_t pos)
{
	struct btrfs_ioctl_encoded_io_args args = {
		.iov = &buf, .iovcnt = 1, .offset = (int64_t)pos};
	int n = ioctl(fd, BTRFS_IOC_ENCODED_READ, &args);

	ev->len = args.len;
	ev->unencoded_len = args.unencoded_len;
	ev->unencoded_offset = args.unencoded_offset;
	ev->compression = args.compression;
	ev->encryption = args.encryption;
	return n < 0 ? -errno : n;
}

/* One call of BTRFS_IOC_ENCODED_WRITE. */
static ssize_t write_encoded(int fd, const struct encoded_iov *ev, struct iovec buf, size_t pos)
{
	struct btrfs_ioctl_encoded_io_args args = {
		.iov = &buf,
		.iovcnt = 1,
		.offset = (int64_t)pos,
		.len = ev->len,
		.unencoded_len = ev->unencoded_len,
		.unencoded_offset = ev->unencoded_offset,
		.compression = ev->compression,
	};
	int n = ioctl(fd, BTRFS_IOC_ENCODED_WRITE, &args);

	return n < 0 ? -errno : n;
}

/* Writes the first @len bytes of self->plain by ordinary calls. */
static int write_plain(struct __test_metadata *const _metadata, FIXTURE_DATA(btrfs) * self,
		       size_t len)
{
	int fd = open(self->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)len, pwrite(fd, self->plain, len, 0));
	ASSERT_EQ(0, fsync(fd));
	return fd;
}

/* Reads the file's extents encoded and compares what they decode to; counts those that are
 * compressed. */
static int decode_file(struct __test_metadata *const _metadata, FIXTURE_DATA(btrfs) * self, int fd,
		       uint32_t compression)
{
	struct iovec buf = bytes(self->payload, ENCODED_MAX), payload, plain;
	struct encoded_iov ev;
	int compressed = 0;
	struct stat st;

	ASSERT_EQ(0, fstat(fd, &st));
	for (size_t pos = 0; pos < (size_t)st.st_size; pos += ev.len) {
		ssize_t n = read_encoded(fd, &ev, buf, pos);

		if (n == -EPERM)
			SKIP(exit(KSFT_SKIP), "encoded reads need CAP_SYS_ADMIN");
		ASSERT_LT(0, n);
		ASSERT_LT(0, ev.len);
		plain = payload = bytes(self->payload, (size_t)n);
		if (ev.compression != ENCODED_NONE) {
			ASSERT_EQ(compression, ev.compression);
			/* Small extents may not have shrunk; the kernel would not take those again.
			 */
			ASSERT_EQ((uint64_t)n < ev.unencoded_len ? 0 : -EINVAL,
				  codec_validate(self->ctx, &ev, &payload));
			ASSERT_EQ(0, codec_extract(self->ctx, &ev, &payload, &plain));
			compressed++;
		}
		ASSERT_LE(ev.len, plain.iov_len);
		ASSERT_EQ(0, memcmp(self->plain + pos, plain.iov_base, ev.len));
	}
	return compressed;
}

TEST_F(btrfs, extents_of_the_kernel_decode)
{
	int fd;

	fill(self->plain, FILE_LEN, CONTENT_MIXED, 11);
	fill(self->plain, FILE_LEN / 4, CONTENT_WORDS, 12);
	fill(self->plain + FILE_LEN / 2, FILE_LEN / 8, CONTENT_ZEROS, 0);
	fd = write_plain(_metadata, self, FILE_LEN - 1234);
	EXPECT_LE(FILE_LEN / ENCODED_MAX / 2,
		  decode_file(_metadata, self, fd, variant->compression));
	close(fd);
}

TEST_F(btrfs, extents_of_real_files_decode)
{
	int self_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), fd;
	ssize_t n;

	ASSERT_LE(0, self_fd);
	n = read(self_fd, self->plain, FILE_LEN);
	ASSERT_LT(0, n);
	close(self_fd);
	fd = write_plain(_metadata, self, (size_t)n);
	EXPECT_LT(0, decode_file(_metadata, self, fd, variant->compression));
	close(fd);
}

TEST_F(btrfs, inline_extents_of_the_kernel_decode)
{
	for (size_t len = 64; len <= 4096; len += len < 200 ? 17 : 333) {
		int fd;

		fill(self->plain, len, CONTENT_WORDS, len);
		fd = write_plain(_metadata, self, len);
		EXPECT_EQ(1, decode_file(_metadata, self, fd, variant->compression));
		close(fd);
	}
}

TEST_F(btrfs, parts_of_extents_decode)
{
	size_t hole = 3 * ENCODED_MAX + 4096;
	int fd;

	fill(self->plain, FILE_LEN, CONTENT_WORDS, 13);
	fd = write_plain(_metadata, self, FILE_LEN);
	for (size_t pos = 40960; pos < FILE_LEN; pos += 200000) { /* bookends */
		size_t at = pos / 4096 * 4096;

		fill(self->plain + at, 4096, CONTENT_RANDOM, pos);
		ASSERT_EQ(4096, pwrite(fd, self->plain + at, 4096, (off_t)at));
		ASSERT_EQ(0, fsync(fd));
	}
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)hole, 8192));
	memset(self->plain + hole, 0, 8192);
	ASSERT_EQ(0, ftruncate(fd, (off_t)FILE_LEN - 70001));
	EXPECT_LT(30, decode_file(_metadata, self, fd, variant->compression));
	close(fd);
}

/* Encodes @ev->unencoded_len bytes at @plain and writes what @ev refers to at @pos; 0 when done. */
static int plant(struct __test_metadata *const _metadata, FIXTURE_DATA(btrfs) * self, int fd,
		 const struct encoded_iov *ev, const uint8_t *plain, size_t pos)
{
	const struct iovec in = bytes(plain, ev->unencoded_len),
			   room = bytes(self->payload, ENCODED_MAX);
	int n = codec_encode(self->ctx, ev->compression, 0, &in, &room);
	ssize_t ret;

	if (n < 0)
		return n;
	ret = write_encoded(fd, ev, bytes(self->payload, (size_t)n), pos);
	if (ret == -EPERM)
		SKIP(exit(KSFT_SKIP), "encoded writes need CAP_SYS_ADMIN");
	ASSERT_EQ(n, ret);
	return 0;
}

/* Cold caches: what is read now comes from the device through the kernel's decoder. */
static void read_cold(struct __test_metadata *const _metadata, FIXTURE_DATA(btrfs) * self,
		      size_t len)
{
	int fd;

	fixture_remount(self->mnt, NULL);
	fd = open(self->path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	memset(self->back, 0xee, len);
	ASSERT_EQ((ssize_t)len, pread(fd, self->back, len, 0));
	close(fd);
}

TEST_F(btrfs, the_kernel_reads_extents_made_here)
{
	int fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), planted = 0;

	ASSERT_LE(0, fd);
	fill(self->plain, FILE_LEN, CONTENT_MIXED, 21);
	fill(self->plain, FILE_LEN / 2, CONTENT_WORDS, 22);
	ASSERT_EQ(0, ftruncate(fd, (off_t)FILE_LEN));
	for (size_t pos = 0, len = 4096; pos < FILE_LEN;
	     pos += len, len = len % ENCODED_MAX + 4096) {
		struct encoded_iov ev = {.compression = variant->compression};

		len = len < FILE_LEN - pos ? len : FILE_LEN - pos;
		ev.len = ev.unencoded_len = len;
		if (plant(_metadata, self, fd, &ev, self->plain + pos, pos)) {
			ASSERT_EQ((ssize_t)len, pwrite(fd, self->plain + pos, len, (off_t)pos));
		} else {
			planted++;
		}
	}
	ASSERT_EQ(0, fsync(fd));
	EXPECT_LE(planted, decode_file(_metadata, self, fd, variant->compression));
	EXPECT_LT(20, planted);
	close(fd);
	read_cold(_metadata, self, FILE_LEN);
	EXPECT_EQ(0, memcmp(self->plain, self->back, FILE_LEN));
}

TEST_F(btrfs, the_kernel_reads_every_level_made_here)
{
	int fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	size_t pos = 0;

	ASSERT_LE(0, fd);
	fill(self->plain, FILE_LEN, CONTENT_WORDS, 23);
	for (int level = -5; level <= 22; level++, pos += 100000 / 4096 * 4096) {
		const struct encoded_iov ev = {
			.len = 98304, .unencoded_len = 98304, .compression = variant->compression};
		struct iovec in = bytes(self->plain + pos, 98304);
		struct iovec out = bytes(self->payload, ENCODED_MAX);
		int n = codec_encode(self->ctx, ev.compression, level, &in, &out);

		ASSERT_LT(0, n);
		out.iov_len = (size_t)n;
		ASSERT_EQ(n, write_encoded(fd, &ev, out, pos));
	}
	close(fd);
	read_cold(_metadata, self, pos);
	EXPECT_EQ(0, memcmp(self->plain, self->back, pos));
}

TEST_F(btrfs, the_kernel_reads_inline_extents_made_here)
{
	for (size_t len = 20; len <= 4096; len += len < 200 ? 61 : 617) {
		const struct encoded_iov ev = {
			.len = len, .unencoded_len = len, .compression = variant->compression};
		int fd = open(self->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		ASSERT_LE(0, fd);
		fill(self->plain, len, CONTENT_WORDS, len);
		memset(self->plain, 'i', len / 2);
		if (plant(_metadata, self, fd, &ev, self->plain, 0) == -E2BIG) {
			close(fd);
			continue;
		}
		ASSERT_EQ(0, fsync(fd));
		close(fd);
		read_cold(_metadata, self, len);
		EXPECT_EQ(0, memcmp(self->plain, self->back, len));
	}
}

TEST_F(btrfs, the_kernel_reads_a_part_of_an_extent_made_here)
{
	const struct encoded_iov ev = {.len = 50000,
				       .unencoded_len = ENCODED_MAX,
				       .unencoded_offset = 20480,
				       .compression = variant->compression};
	int fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ASSERT_LE(0, fd);
	fill(self->plain, ENCODED_MAX, CONTENT_WORDS, 24);
	ASSERT_EQ(0, plant(_metadata, self, fd, &ev, self->plain, 0));
	close(fd);
	read_cold(_metadata, self, 50000);
	EXPECT_EQ(0, memcmp(self->plain + 20480, self->back, 50000));
}

/* Changes some bytes of @p, cuts it or pads it; returns its new length. */
static size_t mutate(uint8_t *p, size_t len, uint64_t *seed)
{
	for (uint32_t n = codec_random(seed) % 3; n; n--)
		p[codec_random(seed) % len] ^= (uint8_t)(1u << codec_random(seed) % 8);
	switch (codec_random(seed) % 8) {
	case 0:
		return 1 + codec_random(seed) % len;
	case 1:
		memset(p + len, 0, 5000);
		return len + codec_random(seed) % 5000;
	default:
		return len;
	}
}

/* Plants one damaged extent that validates; false when it does not. */
static bool plant_damaged(struct __test_metadata *const _metadata, FIXTURE_DATA(btrfs) * self,
			  int fd, uint32_t compression, size_t pos)
{
	uint64_t seed = pos + compression;
	size_t len = 8192 + codec_random(&seed) % 4 * 8192, size;
	struct encoded_iov ev = {.len = 8192, .unencoded_len = len, .compression = compression};
	struct iovec payload, plain;
	uint8_t whole[40960];
	int n;

	fill(whole, len, CONTENT_MIXED, seed);
	memset(whole + len / 2, 'z', len / 4);
	n = encode(self->ctx, compression, bytes(whole, len), bytes(self->payload, ENCODED_MAX));
	if (n < 0)
		return false;
	ev.unencoded_offset = codec_random(&seed) % (len / 8192) * 8192;
	size = mutate(self->payload, (size_t)n, &seed);
	payload = bytes(self->payload, size);
	if (codec_validate(self->ctx, &ev, &payload))
		return false;
	ASSERT_EQ(0, codec_extract(self->ctx, &ev, &payload, &plain));
	memcpy(self->plain + pos, plain.iov_base, 8192);
	ASSERT_EQ((ssize_t)size, write_encoded(fd, &ev, payload, pos));
	return true;
}

/*
 * What validate promises, held against the kernel: whatever it lets through,
 * damaged or not, the kernel reads back as the same bytes.
 */
TEST_F_TIMEOUT(btrfs, what_validates_reads_back_the_same, 120)
{
	int fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), planted = 0;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, (off_t)FILE_LEN));
	for (int i = 0; i < 384 * 20; i++) {
		size_t pos = (size_t)(i % 384) * 8192;

		planted += plant_damaged(_metadata, self, fd, variant->compression, pos);
	}
	ASSERT_LT(100, planted);
	close(fd);
	read_cold(_metadata, self, FILE_LEN);
	EXPECT_EQ(0, memcmp(self->plain, self->back, FILE_LEN));
}

TEST_HARNESS_MAIN
