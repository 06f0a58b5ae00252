// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target for lib/codec: any bytes as a payload with any claim about
 * it, and sound payloads with some bytes changed.
 *
 *	make fuzz; build/selftests/fuzz/codec_fuzz -max_total_time=60
 *
 * Buffers end at guard pages, because the compression libraries themselves are
 * not instrumented.
 */
#include <stdbool.h>

#include "selftests/lib/codec_util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The head of an input.  The rest is a payload, or changes of three bytes each to one made here. */
struct head {
	uint8_t compression, mode, level, content;
	uint16_t room, offset, len; /* times three, so that they reach beyond ENCODED_MAX */
};

enum mode { MODE_PAYLOAD, MODE_CHANGED, MODES };

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* The @len bytes at @p, moved to where memory ends. */
static struct iovec guard(struct guarded g, const uint8_t *p, size_t len)
{
	struct iovec v = bytes(guarded_end(g, len), len);

	memcpy(v.iov_base, p, len);
	return v;
}

static void try_payload(struct codec_ctx *ctx, const struct head *h, struct iovec in,
			struct guarded room)
{
	struct iovec out = bytes(guarded_end(room, h->room * 3u), h->room * 3u), plain;
	const struct encoded_iov ev = {
		.len = h->len * 3u,
		.unencoded_len = h->room * 3u,
		.unencoded_offset = h->offset * 3u,
		.compression = h->compression,
	};
	int n = codec_decode(ctx, h->compression, &in, &out);
	int ret = codec_extract(ctx, &ev, &in, &plain);

	check(n <= (int)out.iov_len);
	if (ret == 0) {
		check(plain.iov_len == ev.len && n >= (int)(ev.unencoded_offset + ev.len));
		check(!memcmp(plain.iov_base, (uint8_t *)out.iov_base + ev.unencoded_offset,
			      ev.len));
	}
	/* Validating is extracting and more. */
	check(codec_validate(ctx, &ev, &in) != 0 || ret == 0);
}

/* Encodes @in; what comes back must be the same.  Returns the payload, at the end of memory. */
static struct iovec round_trip(struct codec_ctx *ctx, const struct head *h, struct iovec in,
			       struct guarded payload, struct guarded room)
{
	struct iovec out = bytes(payload.start, h->room * 3u);
	struct iovec back = bytes(guarded_end(room, in.iov_len), in.iov_len);
	int n = codec_encode(ctx, h->compression, h->level % 12, &in, &out);

	if (n < 0)
		return bytes(NULL, 0);
	check((size_t)n < in.iov_len && (size_t)n <= out.iov_len);
	out = bytes(memmove(guarded_end(payload, (size_t)n), payload.start, (size_t)n), (size_t)n);
	check(codec_decode(ctx, h->compression, &out, &back) == (int)in.iov_len);
	check(!memcmp(in.iov_base, back.iov_base, in.iov_len));
	check(validate(ctx, h->compression, out, in.iov_len) == 0);
	return out;
}

static void change(struct iovec payload, const uint8_t *changes, size_t size)
{
	for (size_t i = 0; i + 3 <= size; i += 3)
		((uint8_t *)
			 payload.iov_base)[(changes[i] << 8 | changes[i + 1]) % payload.iov_len] ^=
			changes[i + 2];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct codec_ctx *ctx;
	static struct guarded in, payload, room;
	struct iovec v;
	struct head h;

	if (!ctx) {
		ctx = codec_ctx_new();
		in = guarded_new();
		payload = guarded_new();
		room = guarded_new();
	}
	if (size < sizeof(h))
		return 0;
	memcpy(&h, data, sizeof(h));
	h.compression %= ENCODED_COMPRESSION_TYPES + 1;
	data += sizeof(h);
	size -= sizeof(h);
	if (h.mode % MODES == MODE_PAYLOAD) {
		try_payload(ctx, &h, guard(in, data, size), room);
		return 0;
	}
	v = bytes(guarded_end(in, h.len * 3u), h.len * 3u);
	fill(v.iov_base, v.iov_len, h.content % CONTENTS, (uint64_t)h.len << 16 | h.room);
	v = round_trip(ctx, &h, v, payload, room);
	if (v.iov_len) {
		change(v, data, size);
		try_payload(ctx, &h, v, room);
	}
	return 0;
}
