// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/codec on payloads that no kernel made: cut, changed, appended to, lying.
 * Inputs and outputs end where memory ends, so that a library that looks or
 * writes one byte too far crashes here, sanitizer or not.
 */
#include <errno.h>

#include "codec_util.h"
#include "kselftest_harness.h"

#define PLAIN_LEN 9000u

FIXTURE(damage)
{
	struct codec_ctx *ctx;
	struct guarded in, out;
	uint8_t plain[PLAIN_LEN], payload[PLAIN_LEN];
	size_t len; /* of payload */
};

FIXTURE_VARIANT(damage)
{
	uint32_t compression;
};

FIXTURE_VARIANT_ADD(damage, zlib){.compression = ENCODED_ZLIB};
FIXTURE_VARIANT_ADD(damage, zstd){.compression = ENCODED_ZSTD};
FIXTURE_VARIANT_ADD(damage, lzo_4k){.compression = ENCODED_LZO_4K};

FIXTURE_SETUP(damage)
{
	int n;

	self->ctx = codec_ctx_new();
	ASSERT_NE(NULL, self->ctx);
	self->in = guarded_new();
	self->out = guarded_new();
	/* Three sectors, the last one not whole; few words, so that the payload is small. */
	fill(self->plain, PLAIN_LEN, CONTENT_ZEROS, 0);
	for (size_t at = 0; at < PLAIN_LEN; at += 900)
		fill(self->plain + at, 80, at % 1800 ? CONTENT_WORDS : CONTENT_RANDOM, at);
	if (!codec_name(variant->compression))
		SKIP(return, "codec not built in");
	n = encode(self->ctx, variant->compression, bytes(self->plain, PLAIN_LEN),
		   bytes(self->payload, PLAIN_LEN));
	ASSERT_LT(0, n);
	self->len = (size_t)n;
}

FIXTURE_TEARDOWN(damage)
{
	codec_ctx_free(self->ctx);
}

/* The first @len bytes of the payload, at the end of memory. */
static struct iovec guard(FIXTURE_DATA(damage) * self, size_t len)
{
	struct iovec in = bytes(guarded_end(self->in, len), len);

	memcpy(in.iov_base, self->payload, len);
	return in;
}

/* The payload with something after it. */
static struct iovec guard_with(FIXTURE_DATA(damage) * self, const void *tail, size_t tail_len)
{
	struct iovec in = bytes(guarded_end(self->in, self->len + tail_len), self->len + tail_len);

	memcpy(in.iov_base, self->payload, self->len);
	memcpy((uint8_t *)in.iov_base + self->len, tail, tail_len);
	return in;
}

TEST_F(damage, a_payload_cut_anywhere_is_refused)
{
	struct iovec out = bytes(guarded_end(self->out, PLAIN_LEN), PLAIN_LEN);

	for (size_t len = 1; len < self->len; len++) {
		struct iovec in = guard(self, len);

		ASSERT_EQ(-EUCLEAN, codec_decode(self->ctx, variant->compression, &in, &out));
		ASSERT_EQ(-EUCLEAN, validate(self->ctx, variant->compression, in, PLAIN_LEN));
	}
}

/* Decodes @in whatever it is; what comes out must fit. */
static int decode_any(struct __test_metadata *const _metadata, FIXTURE_DATA(damage) * self,
		      uint32_t compression, struct iovec in)
{
	struct iovec out = bytes(guarded_end(self->out, PLAIN_LEN), PLAIN_LEN);
	int n = codec_decode(self->ctx, compression, &in, &out);

	ASSERT_LE(n, (int)PLAIN_LEN);
	if (n < 0)
		ASSERT_EQ(-EUCLEAN, n);
	return n;
}

TEST_F_TIMEOUT(damage, a_change_of_any_byte_stays_in_bounds, 120)
{
	struct iovec in = guard(self, self->len);
	uint8_t *p = in.iov_base;
	int refused = 0;

	for (size_t at = 0; at < self->len; at++)
		for (int flip = 1; flip < 256; flip++) {
			p[at] ^= (uint8_t)flip;
			refused += decode_any(_metadata, self, variant->compression, in) < 0;
			p[at] ^= (uint8_t)flip;
		}
	EXPECT_LT((int)self->len * 255 / 100, refused);
	EXPECT_EQ((int)PLAIN_LEN, decode_any(_metadata, self, variant->compression, in));
}

TEST_F_TIMEOUT(damage, many_random_changes_stay_in_bounds, 120)
{
	struct iovec in = guard(self, self->len);
	uint64_t seed = 1;

	for (int round = 0; round < 30000; round++) {
		memcpy(in.iov_base, self->payload, self->len);
		for (uint32_t n = 1 + codec_random(&seed) % 8; n; n--)
			((uint8_t *)in.iov_base)[codec_random(&seed) % self->len] =
				(uint8_t)codec_random(&seed);
		decode_any(_metadata, self, variant->compression, in);
	}
}

TEST_F(damage, too_little_room_is_refused)
{
	struct iovec in = guard(self, self->len);

	for (size_t room = 0; room < PLAIN_LEN; room += 1 + room / 16) {
		struct iovec out = bytes(guarded_end(self->out, room), room);

		ASSERT_EQ(-EUCLEAN, codec_decode(self->ctx, variant->compression, &in, &out));
	}
}

TEST_F(damage, only_zeros_may_follow)
{
	uint8_t tail[64] = {0};

	EXPECT_EQ(0,
		  validate(self->ctx, variant->compression, guard_with(self, tail, 64), PLAIN_LEN));
	for (size_t i = 0; i < sizeof(tail); i++) {
		tail[i] = 1;
		EXPECT_EQ(-EUCLEAN, validate(self->ctx, variant->compression,
					     guard_with(self, tail, 64), PLAIN_LEN));
		tail[i] = 0;
	}
}

TEST_F(damage, a_second_payload_is_refused)
{
	EXPECT_EQ(-EUCLEAN, validate(self->ctx, variant->compression,
				     guard_with(self, self->payload, self->len), ENCODED_MAX));
}

/* Payloads written by hand. */

static int validate_zstd(struct iovec payload, size_t plain_len)
{
	return validate(NULL, ENCODED_ZSTD, payload, plain_len);
}

#define ZSTD_MAGIC 0x28, 0xb5, 0x2f, 0xfd
/* The last block: @n times one byte. */
#define ZSTD_RLE_1000 ((1000u << 3) & 0xff) | 3, 1000u >> 5, 0, 'r'

struct zstd_case {
	const char *name;
	uint8_t frame[64];
	size_t len;
	int decoded, validated;
};

static const struct zstd_case zstd_cases[] = {
	{"window 2^17", {ZSTD_MAGIC, 0, 7 << 3, ZSTD_RLE_1000}, 10, 1000, 0},
	{"window 2^17 and an eighth",
	 {ZSTD_MAGIC, 0, 7 << 3 | 1, ZSTD_RLE_1000},
	 10,
	 1000,
	 -EINVAL},
	{"window 2^18", {ZSTD_MAGIC, 0, 8 << 3, ZSTD_RLE_1000}, 10, 1000, -EINVAL},
	{"a single segment", {ZSTD_MAGIC, 0x60, 0xe8, 2, ZSTD_RLE_1000}, 11, 1000, 0},
	{"a wrong content size",
	 {ZSTD_MAGIC, 0x60, 0xe9, 2, ZSTD_RLE_1000},
	 11,
	 -EUCLEAN,
	 -EUCLEAN},
	{"a dictionary", {ZSTD_MAGIC, 1, 7 << 3, 5, ZSTD_RLE_1000}, 11, -EUCLEAN, -EUCLEAN},
	{"a reserved bit", {ZSTD_MAGIC, 8, 7 << 3, ZSTD_RLE_1000}, 10, -EUCLEAN, -EUCLEAN},
	{"no last block", {ZSTD_MAGIC, 0, 7 << 3, 0x42, 0x1f, 0, 'r'}, 10, -EUCLEAN, -EUCLEAN},
	{"a wrong checksum",
	 {ZSTD_MAGIC, 4, 7 << 3, ZSTD_RLE_1000, 1, 2, 3, 4},
	 14,
	 -EUCLEAN,
	 -EUCLEAN},
	{"an empty skippable frame first",
	 {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0, ZSTD_MAGIC, 0, 7 << 3, ZSTD_RLE_1000},
	 18,
	 -EUCLEAN,
	 -EUCLEAN},
	{"a skippable frame alone", {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0}, 8, -EUCLEAN, -EUCLEAN},
	{"a skippable frame after",
	 {ZSTD_MAGIC, 0, 7 << 3, ZSTD_RLE_1000, 0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0},
	 18,
	 -EUCLEAN,
	 -EUCLEAN},
	{"an old format",
	 {0x27, 0xb5, 0x2f, 0xfd, 0, 7 << 3, ZSTD_RLE_1000},
	 10,
	 -EUCLEAN,
	 -EUCLEAN},
	{"only a magic", {ZSTD_MAGIC}, 4, -EUCLEAN, -EUCLEAN},
};

TEST(zstd_frames_are_held_to_the_kernels_limits)
{
	struct guarded in = guarded_new();
	uint8_t out[1000];

	if (!codec_name(ENCODED_ZSTD))
		SKIP(return, "codec not built in");
	for (size_t i = 0; i < ARRAY_SIZE(zstd_cases); i++) {
		const struct zstd_case *c = &zstd_cases[i];
		struct iovec frame = bytes(guarded_end(in, c->len), c->len);

		memcpy(frame.iov_base, c->frame, c->len);
		EXPECT_EQ(c->decoded, decode(NULL, ENCODED_ZSTD, frame, bytes(out, sizeof(out))))
		{
			TH_LOG("%s", c->name);
		}
		EXPECT_EQ(c->validated, validate_zstd(frame, 1000))
		{
			TH_LOG("%s", c->name);
		}
	}
}

/* A zlib stream of one stored block "abcd", its header and the end of its sum given. */
static struct iovec zlib_stream(uint8_t *p, uint8_t cmf, uint8_t flg, uint8_t adler)
{
	const uint8_t stream[] = {cmf, flg, 1,	 4,    0,    0xfb, 0xff, 'a',
				  'b', 'c', 'd', 0x03, 0xd8, 0x01, adler};

	memcpy(p, stream, sizeof(stream));
	return bytes(p, sizeof(stream));
}

TEST(zlib_streams_are_sound_to_the_last_byte)
{
	static const struct {
		uint8_t cmf, flg, adler;
		int want;
	} rows[] = {
		{0x78, 0x01, 0x8b, 4},	      {0x48, 0x0d, 0x8b, 4}, /* a smaller window */
		{0x78, 0x01, 0x8c, -EUCLEAN}, /* a wrong sum: the kernel does not look */
		{0x78, 0x20, 0x8b, -EUCLEAN}, /* a dictionary */
		{0x78, 0x02, 0x8b, -EUCLEAN}, /* a broken header */
		{0x88, 0x1c, 0x8b, -EUCLEAN}, /* a window beyond the format's */
	};
	uint8_t in[15], out[4];

	if (!codec_name(ENCODED_ZLIB))
		SKIP(return, "codec not built in");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct iovec stream = zlib_stream(in, rows[i].cmf, rows[i].flg, rows[i].adler);

		EXPECT_EQ(rows[i].want, decode(NULL, ENCODED_ZLIB, stream, bytes(out, 4)))
		{
			TH_LOG("row %zu", i);
		}
	}
	zlib_stream(in, 0x78, 0x01, 0x8b);
	EXPECT_EQ(4, decode(NULL, ENCODED_ZLIB, bytes(in, 15), bytes(out, 4)));
	EXPECT_EQ(0, memcmp(out, "abcd", 4));
}

TEST(a_zlib_window_the_kernel_may_find_too_small_is_einval)
{
	uint8_t plain[5000] = {0}, payload[5000];
	struct iovec in;
	int n;

	if (!codec_name(ENCODED_ZLIB))
		SKIP(return, "codec not built in");
	n = encode(NULL, ENCODED_ZLIB, bytes(plain, 5000), bytes(payload, 5000));
	ASSERT_LT(0, n);
	in = bytes(payload, (size_t)n);
	EXPECT_EQ(0, validate(NULL, ENCODED_ZLIB, in, 5000));
	payload[0] = 0x48;
	payload[1] = 0x0d;
	EXPECT_EQ(5000, decode(NULL, ENCODED_ZLIB, in, bytes(plain, 5000)));
	EXPECT_EQ(-EINVAL, validate(NULL, ENCODED_ZLIB, in, 5000));
}

TEST_HARNESS_MAIN
