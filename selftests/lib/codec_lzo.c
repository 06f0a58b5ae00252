// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/codec_lzo: btrfs's framing at its edges, on every sector size.
 *
 * Segments are made here by hand from literals alone, so that they can end
 * anywhere in a sector.
 */
#include <errno.h>

#include "codec_util.h"
#include "kselftest_harness.h"
#include "lib/bytes.h"

FIXTURE(lzo)
{
	struct codec_ctx *ctx;
	struct guarded in;
	uint8_t *payload, *plain;
	size_t sector;
};

FIXTURE_VARIANT(lzo)
{
	uint32_t compression;
};

FIXTURE_VARIANT_ADD(lzo, sector_4k){.compression = ENCODED_LZO_4K};
FIXTURE_VARIANT_ADD(lzo, sector_8k){.compression = ENCODED_LZO_8K};
FIXTURE_VARIANT_ADD(lzo, sector_16k){.compression = ENCODED_LZO_16K};
FIXTURE_VARIANT_ADD(lzo, sector_32k){.compression = ENCODED_LZO_32K};
FIXTURE_VARIANT_ADD(lzo, sector_64k){.compression = ENCODED_LZO_64K};

FIXTURE_SETUP(lzo)
{
	self->ctx = codec_ctx_new();
	self->in = guarded_new();
	self->payload = calloc(2, ENCODED_MAX);
	self->plain = calloc(1, ENCODED_MAX);
	self->sector = codec_sector(variant->compression);
	ASSERT_NE(NULL, self->ctx);
	ASSERT_NE(NULL, self->payload);
	ASSERT_NE(NULL, self->plain);
	if (!codec_name(variant->compression))
		SKIP(return, "codec not built in");
}

FIXTURE_TEARDOWN(lzo)
{
	codec_ctx_free(self->ctx);
	free(self->payload);
	free(self->plain);
}

/* A segment of @n > 18 literals, as long as @len when put so; returns its length. */
static size_t put_literals(uint8_t *p, size_t n)
{
	size_t rest = n - 18, at = 0;

	p[at++] = 0;
	for (; rest > 255; rest -= 255)
		p[at++] = 0;
	p[at++] = (uint8_t)rest;
	memset(p + at, 'l', n);
	at += n;
	memcpy(p + at, "\x11\0", 3);
	return at + 3;
}

/* Literals that make a segment of exactly @len bytes, 0 if none do. */
static size_t literals_for(size_t len, uint8_t *scratch)
{
	for (size_t n = len > 600 ? len - 600 : 19; n < len; n++)
		if (put_literals(scratch, n) == len)
			return n;
	return 0;
}

/* Appends a length and a segment at @at; returns where it ends. */
static size_t append(FIXTURE_DATA(lzo) * self, size_t at, size_t literals)
{
	size_t len = put_literals(self->payload + at + 4, literals);

	put_le32(self->payload + at, (uint32_t)len);
	return at + 4 + len;
}

/* Decodes the first @len bytes of the payload at the end of memory. */
static int decode_it(FIXTURE_DATA(lzo) * self, uint32_t compression, size_t len)
{
	uint8_t *in = guarded_end(self->in, len);

	memcpy(in, self->payload, len);
	return decode(self->ctx, compression, bytes(in, len), bytes(self->plain, ENCODED_MAX));
}

TEST_F(lzo, a_length_is_never_read_across_a_sector)
{
	for (size_t left = 0; left < 9; left++) {
		size_t first = literals_for(self->sector - left - 8, self->payload), end;

		if (!first)
			continue; /* a length that literals cannot have */
		end = append(self, 4, first);
		ASSERT_EQ(self->sector - left, end);
		if (left < 4)
			end = self->sector;
		end = append(self, end, 100);
		put_le32(self->payload, (uint32_t)end);
		EXPECT_EQ((int)(first + 100), decode_it(self, variant->compression, end));
		if (left == 0 || left >= 4)
			continue;
		/* The same without the gap. */
		end = append(self, self->sector - left, 100);
		put_le32(self->payload, (uint32_t)end);
		EXPECT_EQ(-EUCLEAN, decode_it(self, variant->compression, end));
	}
}

TEST_F(lzo, a_gap_at_the_very_end_may_be_counted_or_not)
{
	size_t first = literals_for(self->sector - 2 - 8, self->payload), end;

	if (!first)
		first = literals_for(self->sector - 3 - 8, self->payload);
	end = append(self, 4, first);
	ASSERT_LT(self->sector - 4, end);
	memset(self->payload + end, 0, self->sector - end);
	put_le32(self->payload, (uint32_t)self->sector); /* as Linux does */
	EXPECT_EQ((int)first, decode_it(self, variant->compression, self->sector));
	put_le32(self->payload, (uint32_t)end);
	EXPECT_EQ((int)first, decode_it(self, variant->compression, end));
	EXPECT_EQ((int)first, decode_it(self, variant->compression, self->sector));
}

TEST_F(lzo, lying_lengths_are_refused)
{
	size_t end = append(self, append(self, 4, 50), 60);
	const struct {
		size_t at;
		uint32_t value;
	} lies[] = {
		{0, 0},
		{0, 4},
		{0, 5},
		{0, 7},
		{0, 8},
		{0, (uint32_t)end - 1},
		{0, 0x7fffffff},
		{0, UINT32_MAX},
		{0, (uint32_t)end + 1},
		{4, 0},
		{4, 1},
		{4, 2},
		{4, 3},
		{4, UINT32_MAX},
		{4, UINT32_MAX - 3},
		{4, UINT32_MAX - 7},
		{4, 0x80000000},
		{4, (uint32_t)end - 8},
		{4, (uint32_t)end - 7},
		{4, 131072},
	};

	put_le32(self->payload, (uint32_t)end);
	ASSERT_EQ(110, decode_it(self, variant->compression, end));
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		uint32_t truth = get_le32(self->payload + lies[i].at);

		put_le32(self->payload + lies[i].at, lies[i].value);
		EXPECT_EQ(-EUCLEAN, decode_it(self, variant->compression, end))
		{
			TH_LOG("%#x at %zu", lies[i].value, lies[i].at);
		}
		put_le32(self->payload + lies[i].at, truth);
	}
}

TEST_F(lzo, a_total_that_ends_inside_a_length_is_refused)
{
	size_t end = append(self, append(self, 4, 50), 60);

	memset(self->payload + end, 0, 3);
	for (size_t more = 1; more < 4; more++) {
		put_le32(self->payload, (uint32_t)(end + more));
		EXPECT_EQ(-EUCLEAN, decode_it(self, variant->compression, end + more));
	}
}

/* Four literals and a match of three, again and again: eight bytes for seven. */
static size_t append_swollen(FIXTURE_DATA(lzo) * self, size_t at, size_t units)
{
	size_t len = units * 8 + 3;

	for (size_t i = 0; i < units; i++)
		memcpy(self->payload + at + 4 + i * 8,
		       "\x01"
		       "abcd\x21\0",
		       8);
	memcpy(self->payload + at + 4 + units * 8, "\x11\0", 3);
	put_le32(self->payload + at, (uint32_t)len);
	return at + 4 + len;
}

TEST_F(lzo, a_segment_beyond_the_kernels_buffer_is_refused)
{
	size_t end = append_swollen(self, 4, 100);

	put_le32(self->payload, (uint32_t)end);
	ASSERT_EQ(700, decode_it(self, variant->compression, end));
	end = append_swollen(self, 4, self->sector / 7);
	put_le32(self->payload, (uint32_t)end);
	EXPECT_EQ(-EUCLEAN, decode_it(self, variant->compression, end));
}

TEST_F(lzo, padding_stays_in_the_last_sector)
{
	size_t end = append(self, 4, 500);

	put_le32(self->payload, (uint32_t)end);
	memset(self->payload + end, 0, self->sector);
	EXPECT_EQ(500, decode_it(self, variant->compression, self->sector));
	/* The kernel refuses it as well: a sector that is not used. */
	EXPECT_EQ(-EUCLEAN, decode_it(self, variant->compression, self->sector + 1));
}

TEST_F(lzo, a_segment_is_at_most_a_sector_of_the_file)
{
	size_t end = append(self, 4, self->sector);

	put_le32(self->payload, (uint32_t)end);
	EXPECT_EQ((int)self->sector, decode_it(self, variant->compression, end));
	end = append(self, 4, self->sector + 1);
	put_le32(self->payload, (uint32_t)end);
	EXPECT_EQ(-EUCLEAN, decode_it(self, variant->compression, end));
}

TEST_F(lzo, an_inline_extent_is_one_segment_without_padding)
{
	const struct encoded_iov ev = {
		.len = 110, .unencoded_len = 1000, .compression = variant->compression};
	size_t one = append(self, 4, 110), two;
	struct iovec payload = bytes(self->payload, one);

	put_le32(self->payload, (uint32_t)one);
	EXPECT_EQ(0, codec_validate(self->ctx, &ev, &payload));
	payload.iov_len = one + 1;
	self->payload[one] = 0;
	EXPECT_EQ(-EINVAL, codec_validate(self->ctx, &ev, &payload));
	two = append(self, append(self, 4, 50), 60);
	put_le32(self->payload, (uint32_t)two);
	payload.iov_len = two;
	EXPECT_EQ(-EINVAL, codec_validate(self->ctx, &ev, &payload));
}

/* Follows the lengths of a payload; counts those that had to skip a gap. */
static int walk(struct __test_metadata *const _metadata, FIXTURE_DATA(lzo) * self, size_t len)
{
	size_t at = 4;
	int gaps = 0;

	ASSERT_EQ(len, get_le32(self->payload));
	while (at < len) {
		size_t last = at % self->sector + 3;

		if (last >= self->sector) { /* four bytes do not fit: zeros up to the next */
			for (; at % self->sector; at++)
				ASSERT_EQ(0, self->payload[at]);
			gaps++;
			continue;
		}
		at += 4 + get_le32(self->payload + at);
	}
	ASSERT_EQ(len, at);
	return gaps;
}

TEST_F(lzo, the_encoder_keeps_to_the_framing)
{
	int gaps = 0, payloads = 0, wanted = self->sector <= 8192 ? 1000 : 100;
	uint64_t seed = 7;

	for (int i = 0; i < wanted && gaps < 3; i++) {
		size_t len = ENCODED_MAX - codec_random(&seed) % 4096;
		int n;

		fill(self->plain, len, CONTENT_WORDS, seed);
		fill(self->plain, len / 8 + codec_random(&seed) % (len / 4), CONTENT_RANDOM, seed);
		n = encode(self->ctx, variant->compression, bytes(self->plain, len),
			   bytes(self->payload, ENCODED_MAX));
		if (n == -E2BIG)
			continue;
		ASSERT_LT(0, n);
		payloads++;
		gaps += walk(_metadata, self, (size_t)n);
	}
	EXPECT_LT(0, payloads);
	/* On larger sectors a gap is too rare to wait for. */
	if (self->sector <= 8192)
		EXPECT_LT(0, gaps);
}

TEST_F(lzo, the_gap_at_the_end_fits_its_room_too)
{
	struct iovec room = bytes(guarded_end(self->in, self->sector - 1), self->sector - 1);
	uint64_t seed = 3;

	/* Just so many repetitions that one segment takes about a sector. */
	for (int i = 0; i < 1000; i++) {
		uint32_t n = (uint32_t)self->sector / 340;
		int ret;

		fill(self->plain, self->sector, CONTENT_RANDOM, seed);
		for (n += codec_random(&seed) % n; n; n--)
			memcpy(self->plain + codec_random(&seed) % (self->sector - 20),
			       "copy_range,copy_range", 9 + codec_random(&seed) % 9);
		ret = encode(self->ctx, variant->compression, bytes(self->plain, self->sector),
			     room);
		if (ret != -E2BIG)
			ASSERT_LE(ret, (int)self->sector - 4);
	}
}

TEST_HARNESS_MAIN
