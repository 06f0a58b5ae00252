// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/codec: what is encoded comes back, and what an extent says is checked. */
#include <errno.h>

#include "codec_util.h"
#include "kselftest_harness.h"

FIXTURE(codec)
{
	struct codec_ctx *ctx;
	struct guarded plain, payload, back;
};

FIXTURE_VARIANT(codec)
{
	uint32_t compression;
};

FIXTURE_VARIANT_ADD(codec, zlib){.compression = ENCODED_ZLIB};
FIXTURE_VARIANT_ADD(codec, zstd){.compression = ENCODED_ZSTD};
FIXTURE_VARIANT_ADD(codec, lzo_4k){.compression = ENCODED_LZO_4K};
FIXTURE_VARIANT_ADD(codec, lzo_8k){.compression = ENCODED_LZO_8K};
FIXTURE_VARIANT_ADD(codec, lzo_16k){.compression = ENCODED_LZO_16K};
FIXTURE_VARIANT_ADD(codec, lzo_32k){.compression = ENCODED_LZO_32K};
FIXTURE_VARIANT_ADD(codec, lzo_64k){.compression = ENCODED_LZO_64K};

FIXTURE_SETUP(codec)
{
	self->plain = guarded_new();
	self->payload = guarded_new();
	self->back = guarded_new();
	self->ctx = codec_ctx_new();
	ASSERT_NE(NULL, self->ctx);
	if (!codec_name(variant->compression))
		SKIP(return, "codec not built in");
}

FIXTURE_TEARDOWN(codec)
{
	codec_ctx_free(self->ctx);
}

/* The first @n bytes of self->payload are a payload of @plain; so they are with zeros up to @size.
 */
static void comes_back(struct __test_metadata *const _metadata, FIXTURE_DATA(codec) * self,
		       const struct encoded_iov *ev, size_t n, size_t size)
{
	struct iovec in = bytes(guarded_end(self->payload, size), size);
	struct iovec out = bytes(guarded_end(self->back, ev->len), ev->len);

	memset(in.iov_base, 0, size);
	memcpy(in.iov_base, self->payload.start, n);
	memset(out.iov_base, 0xee, ev->len);
	ASSERT_EQ((int)ev->len, codec_decode(self->ctx, ev->compression, &in, &out));
	ASSERT_EQ(0, memcmp(guarded_end(self->plain, ev->len), out.iov_base, ev->len));
	ASSERT_EQ(0, codec_validate(self->ctx, ev, &in));
}

/* Encodes and decodes the last @len bytes of self->plain; true when they shrank. */
static bool round_trip(struct __test_metadata *const _metadata, FIXTURE_DATA(codec) * self,
		       uint32_t compression, size_t len)
{
	const struct encoded_iov ev = {
		.len = len, .unencoded_len = len, .compression = compression};
	size_t sector = codec_sector(compression), padded;
	int n = encode(self->ctx, compression, bytes(guarded_end(self->plain, len), len),
		       bytes(self->payload.start, ENCODED_MAX));

	if (n == -E2BIG)
		return false;
	ASSERT_LT(0, n);
	ASSERT_LT((size_t)n, len);
	comes_back(_metadata, self, &ev, (size_t)n, (size_t)n);
	if (len <= sector) /* stored inline: never padded */
		return true;
	padded = codec_round_up((size_t)n, sector);
	ASSERT_LT(padded, codec_round_up(len, sector));
	comes_back(_metadata, self, &ev, (size_t)n, padded);
	return true;
}

TEST_F(codec, every_size_comes_back)
{
	static const size_t sizes[] = {1,     2,     3,	     4,	     5,	     7,	    64,	   100,
				       1000,  2047,  2048,   4095,   4096,   4097,  5000,  8191,
				       8192,  8193,  12288,  16384,  20000,  32768, 65535, 65536,
				       65537, 98304, 100000, 126976, 131071, 131072};
	int shrank = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (enum content c = 0; c < CONTENTS; c++) {
			fill(guarded_end(self->plain, sizes[i]), sizes[i], c, i);
			shrank += round_trip(_metadata, self, variant->compression, sizes[i]);
		}
	EXPECT_LT(10, shrank);
}

TEST_F(codec, random_extents_come_back)
{
	uint64_t seed = variant->compression;
	int shrank = 0;

	for (int i = 0; i < 300; i++) {
		size_t len = 1 + codec_random(&seed) % ENCODED_MAX;

		fill(guarded_end(self->plain, len), len, CONTENT_MIXED, seed);
		shrank += round_trip(_metadata, self, variant->compression, len);
	}
	EXPECT_LT(10, shrank);
}

TEST_F(codec, what_does_not_shrink_is_e2big)
{
	fill(self->plain.start, ENCODED_MAX, CONTENT_RANDOM, 1);
	for (size_t len = 1; len <= ENCODED_MAX; len *= 2) {
		uint8_t *out = guarded_end(self->payload, len);

		EXPECT_EQ(-E2BIG, encode(self->ctx, variant->compression,
					 bytes(self->plain.start, len), bytes(out, len)));
	}
}

TEST_F(codec, a_payload_never_exceeds_its_room)
{
	int n, least;

	fill(self->plain.start, ENCODED_MAX, CONTENT_WORDS, 1);
	least = encode(self->ctx, variant->compression, bytes(self->plain.start, ENCODED_MAX),
		       bytes(self->payload.start, ENCODED_MAX));
	ASSERT_LT(0, least);
	for (size_t room = 0; room < (size_t)least + 64; room += 1 + room / 64) {
		n = encode(self->ctx, variant->compression, bytes(self->plain.start, ENCODED_MAX),
			   bytes(guarded_end(self->payload, room), room));
		if (n != -E2BIG)
			EXPECT_LE(n, (int)room);
		if (room + 1 < (size_t)least / 2)
			EXPECT_EQ(-E2BIG, n);
	}
}

TEST_F(codec, empty_and_oversized_extents_are_einval)
{
	const struct iovec room = bytes(self->back.start, GUARDED_MAX);

	EXPECT_EQ(-EINVAL, encode(self->ctx, variant->compression, bytes("", 0), room));
	EXPECT_EQ(-EINVAL, encode(self->ctx, variant->compression,
				  bytes(self->plain.start, ENCODED_MAX + 1), room));
	EXPECT_EQ(-EINVAL, decode(self->ctx, variant->compression, bytes("", 0), room));
	EXPECT_EQ(-EINVAL, decode(self->ctx, variant->compression,
				  bytes(self->payload.start, ENCODED_MAX + 1), room));
}

TEST_F(codec, every_level_makes_a_sound_payload)
{
	const struct iovec in = bytes(self->plain.start, 70000);

	fill(self->plain.start, in.iov_len, CONTENT_WORDS, 9);
	for (int level = -20; level <= 30; level += 1 + (level > 0 && level < 12 ? 2 : 6)) {
		struct iovec out = bytes(self->payload.start, ENCODED_MAX);
		int n = codec_encode(self->ctx, variant->compression, level, &in, &out);

		ASSERT_LT(0, n);
		EXPECT_EQ(0, validate(self->ctx, variant->compression,
				      bytes(self->payload.start, (size_t)n), in.iov_len));
	}
}

TEST_F(codec, a_context_for_the_call_is_made)
{
	int n;

	fill(self->plain.start, 9000, CONTENT_WORDS, 3);
	n = encode(NULL, variant->compression, bytes(self->plain.start, 9000),
		   bytes(self->payload.start, ENCODED_MAX));
	ASSERT_LT(0, n);
	EXPECT_EQ(9000, decode(NULL, variant->compression, bytes(self->payload.start, (size_t)n),
			       bytes(self->back.start, 9000)));
	EXPECT_EQ(0, memcmp(self->plain.start, self->back.start, 9000));
	EXPECT_EQ(0, validate(NULL, variant->compression, bytes(self->payload.start, (size_t)n),
			      9000));
}

TEST_F(codec, extract_finds_the_referenced_part)
{
	struct encoded_iov ev = {.len = 5000,
				 .unencoded_len = 20000,
				 .unencoded_offset = 8192,
				 .compression = variant->compression};
	struct iovec payload, plain;
	int n;

	fill(self->plain.start, 20000, CONTENT_WORDS, 5);
	n = encode(self->ctx, variant->compression, bytes(self->plain.start, 20000),
		   bytes(self->payload.start, ENCODED_MAX));
	if (n == -E2BIG)
		SKIP(return, "one sector holds the whole extent");
	ASSERT_LT(0, n);
	payload = bytes(self->payload.start, (size_t)n);
	ASSERT_EQ(0, codec_extract(self->ctx, &ev, &payload, &plain));
	ASSERT_EQ(5000, plain.iov_len);
	EXPECT_EQ(0, memcmp(self->plain.start + 8192, plain.iov_base, 5000));
}

/* What an extent may say, about a payload of 20000 bytes. */
struct claim {
	uint64_t len, unencoded_len, unencoded_offset;
	uint32_t encryption;
	int want;
};

static const struct claim claims[] = {
	{20000, 20000, 0, 0, 0},
	{20480, 20480, 0, 0, -EUCLEAN}, /* more than it decodes to: zeros in the kernel */
	{20000, 20480, 0, 0, 0},
	{0, 20000, 0, 0, 0},
	{0, 20000, 20000, 0, 0},
	{1, 20000, 20000, 0, -EINVAL},
	{20000, 19999, 0, 0, -EINVAL},
	{19999, 19999, 0, 0, -EUCLEAN}, /* less: the kernel would cut it */
	{4096, 8192, 4096, 0, -EUCLEAN},
	{20000, 20000, 1, 0, -EINVAL},
	{20000, 131072, 0, 0, 0},
	{20000, 131073, 0, 0, -EINVAL},
	{UINT64_MAX, 20000, 1, 0, -EINVAL},
	{UINT64_MAX, UINT64_MAX, 0, 0, -EINVAL},
	{2, UINT64_MAX, UINT64_MAX - 1, 0, -EINVAL},
	{20000, 20000, UINT64_MAX - 19999, 0, -EINVAL},
	{1 + (UINT64_C(1) << 32), 20000, 0, 0, -EINVAL},
	{0, 0, 0, 0, -EINVAL},
	{20000, 20000, 0, 1, -EINVAL},
};

TEST_F(codec, what_an_extent_says_is_checked)
{
	struct iovec payload;
	int n;

	fill(self->plain.start, 20000, CONTENT_WORDS, 5);
	memset(self->plain.start, 'x', 16000);
	n = encode(self->ctx, variant->compression, bytes(self->plain.start, 20000),
		   bytes(self->payload.start, 19999));
	if (n == -E2BIG)
		SKIP(return, "one sector holds the whole extent");
	ASSERT_LT(0, n);
	payload = bytes(self->payload.start, (size_t)n);
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		const struct encoded_iov ev = {
			.len = claims[i].len,
			.unencoded_len = claims[i].unencoded_len,
			.unencoded_offset = claims[i].unencoded_offset,
			.encryption = claims[i].encryption,
			.compression = variant->compression,
		};

		EXPECT_EQ(claims[i].want, codec_validate(self->ctx, &ev, &payload))
		{
			TH_LOG("claim %zu", i);
		}
	}
}

TEST_F(codec, a_payload_not_smaller_than_its_extent_is_einval)
{
	int n;

	fill(self->plain.start, 3000, CONTENT_ZEROS, 0);
	n = encode(self->ctx, variant->compression, bytes(self->plain.start, 3000),
		   bytes(self->payload.start, ENCODED_MAX));
	ASSERT_LT(0, n);
	memset(self->payload.start + n, 0, 4096);
	EXPECT_EQ(-EINVAL, validate(self->ctx, variant->compression,
				    bytes(self->payload.start, 3000), 3000));
}

TEST(unknown_compressions_are_einval)
{
	static const uint32_t unknown[] = {ENCODED_NONE, 8, 9, 255, UINT32_MAX};
	uint8_t in[64] = {0}, out[64];

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		EXPECT_EQ(-EINVAL, decode(NULL, unknown[i], bytes(in, 64), bytes(out, 64)));
		EXPECT_EQ(-EINVAL, encode(NULL, unknown[i], bytes(in, 64), bytes(out, 64)));
		EXPECT_EQ(-EINVAL, validate(NULL, unknown[i], bytes(in, 10), 64));
		EXPECT_EQ(NULL, codec_name(unknown[i]));
	}
}

TEST(codecs_left_out_are_eopnotsupp)
{
	uint8_t in[64] = {0}, out[64];
	bool left_out = false;

	for (uint32_t c = ENCODED_ZLIB; c < ENCODED_COMPRESSION_TYPES; c++) {
		if (codec_name(c))
			continue;
		left_out = true;
		EXPECT_EQ(-EOPNOTSUPP, decode(NULL, c, bytes(in, 64), bytes(out, 64)));
		EXPECT_EQ(-EOPNOTSUPP, encode(NULL, c, bytes(in, 64), bytes(out, 64)));
		EXPECT_EQ(-EOPNOTSUPP, validate(NULL, c, bytes(in, 10), 64));
	}
	if (!left_out)
		SKIP(return, "every codec is built in");
}

TEST(one_context_serves_all_codecs_in_turn)
{
	struct codec_ctx *ctx = codec_ctx_new();
	static uint8_t plain[50000], payload[ENCODED_MAX], back[50000];

	ASSERT_NE(NULL, ctx);
	fill(plain, sizeof(plain), CONTENT_WORDS, 2);
	for (int i = 0; i < 40; i++) {
		uint32_t c = ENCODED_ZLIB + (uint32_t)i % (ENCODED_COMPRESSION_TYPES - 1);
		const struct iovec in = bytes(plain, sizeof(plain)),
				   out = bytes(payload, sizeof(payload));
		int n;

		if (!codec_name(c))
			continue;
		n = codec_encode(ctx, c, 1 + i % 5, &in, &out);
		if (n == -E2BIG)
			continue; /* less than one sector of 64 KiB */
		ASSERT_LT(0, n);
		ASSERT_EQ(50000,
			  decode(ctx, c, bytes(payload, (size_t)n), bytes(back, sizeof(back))));
		ASSERT_EQ(0, memcmp(plain, back, sizeof(plain)));
	}
	codec_ctx_free(ctx);
	codec_ctx_free(NULL);
}

TEST_HARNESS_MAIN
