// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * codec_zlib.c - one zlib stream (RFC 1950) an extent, by libdeflate.
 *
 * libdeflate and not zlib: see the figures in bench/codec.c.
 */
#include <libdeflate.h>
#include <stdlib.h>

#include "lib/codec_table.h"

#define LEVEL_DEFAULT 3 /* BTRFS_ZLIB_DEFAULT_LEVEL */
#define LEVEL_MAX     12

struct zlib_state {
	struct libdeflate_decompressor *d;
	struct libdeflate_compressor *c;
	int level; /* of c */
};

static void *zlib_state_new(void)
{
	return calloc(1, sizeof(struct zlib_state));
}

static void zlib_state_free(void *state)
{
	struct zlib_state *s = state;

	libdeflate_free_decompressor(s->d);
	libdeflate_free_compressor(s->c);
	free(s);
}

static int zlib_decode(void *state, struct codec_io *io)
{
	struct zlib_state *s = state;
	enum libdeflate_result res;
	size_t n;

	if (!s->d)
		s->d = libdeflate_alloc_decompressor();
	if (!s->d)
		return -ENOMEM;
	/* Checks the Adler-32 at the end, which the kernel does not. */
	res = libdeflate_zlib_decompress_ex(s->d, io->in, io->in_len, io->out, io->out_len,
					    &io->used, &n);
	return res == LIBDEFLATE_SUCCESS ? (int)n : -EUCLEAN;
}

static int zlib_encode(void *state, const struct codec_io *io)
{
	struct zlib_state *s = state;
	int level = io->level ? io->level : LEVEL_DEFAULT;
	size_t n;

	if (level < 1)
		level = 1;
	if (level > LEVEL_MAX)
		level = LEVEL_MAX;
	if (!s->c || s->level != level) {
		libdeflate_free_compressor(s->c);
		s->c = libdeflate_alloc_compressor(level);
		s->level = level;
	}
	if (!s->c)
		return -ENOMEM;
	n = libdeflate_zlib_compress(s->c, io->in, io->in_len, io->out, io->out_len);
	return n ? (int)n : -E2BIG;
}

/*
 * The kernel inflates with the window that the stream's first byte names;
 * libdeflate always with the largest.  A stream that names a smaller one and
 * reaches farther back decodes here and is EIO there.  All usual encoders name
 * the largest.
 */
static bool zlib_kernel_reads(const struct codec_io *io, const struct encoded_iov *ev)
{
	return io->in[0] == 0x78;
}

const struct codec codec_zlib = {
	.name = "zlib",
	.state_new = zlib_state_new,
	.state_free = zlib_state_free,
	.decode = zlib_decode,
	.encode = zlib_encode,
	.kernel_reads = zlib_kernel_reads,
};
