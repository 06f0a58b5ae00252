/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codec_util.h - contents to encode, and buffers that end where memory ends. */
#ifndef SELFTESTS_CODEC_UTIL_H
#define SELFTESTS_CODEC_UTIL_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/codec.h"

#define GUARDED_MAX ((size_t)ENCODED_MAX * 2)

/*
 * A mapping between two pages that nobody may touch: a byte before its start
 * or after its end is SIGSEGV, also inside a library without a sanitizer.
 */
struct guarded {
	uint8_t *start;
};

static inline struct guarded guarded_new(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *map =
		mmap(NULL, GUARDED_MAX + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || mprotect(map + page, GUARDED_MAX, PROT_READ | PROT_WRITE))
		abort();
	return (struct guarded){map + page};
}

/* The last @len bytes of it. */
static inline uint8_t *guarded_end(struct guarded g, size_t len)
{
	return g.start + GUARDED_MAX - len;
}

/* A small generator with a fixed sequence per seed. */
static inline uint32_t codec_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

enum content { CONTENT_ZEROS, CONTENT_WORDS, CONTENT_MIXED, CONTENT_RANDOM, CONTENTS };

static inline void fill_random(uint8_t *p, size_t len, uint64_t *state)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)codec_random(state);
}

static inline void fill_words(uint8_t *p, size_t len, uint64_t *state)
{
	static const char *const words[] = {"copy",   "range ", "extent", "of ",
					    "sector", "\n",	"the ",	  "encoded "};
	size_t at = 0;

	while (at < len) {
		const char *w = words[codec_random(state) % 8];
		size_t n = strlen(w);

		if (n > len - at)
			n = len - at;
		memcpy(p + at, w, n);
		at += n;
	}
}

/* @len bytes of @content; the same for the same seed. */
static inline void fill(uint8_t *p, size_t len, enum content content, uint64_t seed)
{
	size_t run;

	switch (content) {
	case CONTENT_WORDS:
		fill_words(p, len, &seed);
		return;
	case CONTENT_RANDOM:
		fill_random(p, len, &seed);
		return;
	case CONTENT_MIXED: /* runs that shrink and runs that do not, of odd lengths */
		for (size_t at = 0; at < len; at += run) {
			run = 1 + codec_random(&seed) % 3000;
			if (run > len - at)
				run = len - at;
			if (codec_random(&seed) % 3)
				fill_words(p + at, run, &seed);
			else
				fill_random(p + at, run, &seed);
		}
		return;
	default:
		memset(p, 0, len);
	}
}

static inline uint32_t codec_sector(uint32_t compression)
{
	return compression < ENCODED_LZO_4K ? 4096u : 4096u << (compression - ENCODED_LZO_4K);
}

static inline size_t codec_round_up(size_t n, size_t sector)
{
	return (n + sector - 1) / sector * sector;
}

static inline struct iovec bytes(const void *p, size_t len)
{
	return (struct iovec){(void *)p, len};
}

static inline int decode(struct codec_ctx *ctx, uint32_t compression, struct iovec in,
			 struct iovec out)
{
	return codec_decode(ctx, compression, &in, &out);
}

static inline int encode(struct codec_ctx *ctx, uint32_t compression, struct iovec in,
			 struct iovec out)
{
	return codec_encode(ctx, compression, 0, &in, &out);
}

/* Validates @payload as a whole extent that decodes to @plain_len bytes. */
static inline int validate(struct codec_ctx *ctx, uint32_t compression, struct iovec payload,
			   size_t plain_len)
{
	const struct encoded_iov ev = {
		.len = plain_len,
		.unencoded_len = plain_len,
		.compression = compression,
	};

	return codec_validate(ctx, &ev, &payload);
}

#endif
