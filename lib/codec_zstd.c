// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * codec_zstd.c - one zstd frame (RFC 8878) an extent, by libzstd.
 *
 * libzstd decodes as many frames as it finds and skips skippable ones; the
 * kernel stops after the first of either kind and gives zeros for the rest.
 * So the frame is measured first and decoded by itself.
 */
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "lib/bytes.h"
#include "lib/codec_table.h"

#define LEVEL_DEFAULT 3	 /* ZSTD_BTRFS_DEFAULT_LEVEL */
#define WINDOW_LOG    17 /* what uapi/linux/btrfs.h allows */
#define FRAME_MAGIC   0xfd2fb528u
#define FRAME_MIN     6u /* magic, descriptor, window or content size */

struct zstd_state {
	ZSTD_DCtx *d;
	ZSTD_CCtx *c;
};

static void *zstd_state_new(void)
{
	return calloc(1, sizeof(struct zstd_state));
}

static void zstd_state_free(void *state)
{
	struct zstd_state *s = state;

	ZSTD_freeDCtx(s->d);
	ZSTD_freeCCtx(s->c);
	free(s);
}

static int zstd_error(size_t code)
{
	switch (ZSTD_getErrorCode(code)) {
	case ZSTD_error_memory_allocation:
		return -ENOMEM;
	default:
		return -EUCLEAN;
	}
}

static int zstd_decode(void *state, struct codec_io *io)
{
	struct zstd_state *s = state;
	size_t n;

	if (io->in_len < FRAME_MIN || get_le32(io->in) != FRAME_MAGIC)
		return -EUCLEAN;
	if (!s->d)
		s->d = ZSTD_createDCtx();
	if (!s->d)
		return -ENOMEM;
	n = ZSTD_findFrameCompressedSize(io->in, io->in_len);
	if (ZSTD_isError(n) || n > io->in_len)
		return -EUCLEAN;
	io->used = n;
	n = ZSTD_decompressDCtx(s->d, io->out, io->out_len, io->in, io->used);
	return ZSTD_isError(n) ? zstd_error(n) : (int)n;
}

static int zstd_encode(void *state, const struct codec_io *io)
{
	struct zstd_state *s = state;
	size_t n;

	if (!s->c) {
		s->c = ZSTD_createCCtx();
		if (!s->c)
			return -ENOMEM;
		ZSTD_CCtx_setParameter(s->c, ZSTD_c_windowLog, WINDOW_LOG);
	}
	n = ZSTD_CCtx_setParameter(s->c, ZSTD_c_compressionLevel,
				   io->level ? io->level : LEVEL_DEFAULT);
	if (!ZSTD_isError(n))
		n = ZSTD_compress2(s->c, io->out, io->out_len, io->in, io->in_len);
	if (!ZSTD_isError(n))
		return (int)n;
	return ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall ? -E2BIG : zstd_error(n);
}

/* Bytes a decoder must keep to decode this frame: RFC 8878, 3.1.1.1. */
static uint64_t frame_window(const uint8_t *frame, size_t len)
{
	unsigned descriptor = frame[4];
	uint64_t base;

	if (descriptor & 0x20) /* a single segment: all of the content */
		return ZSTD_getFrameContentSize(frame, len);
	base = UINT64_C(1) << (10 + (frame[5] >> 3));
	return base + base / 8 * (frame[5] & 7);
}

static bool zstd_kernel_reads(const struct codec_io *io, const struct encoded_iov *ev)
{
	return frame_window(io->in, io->in_len) <= UINT64_C(1) << WINDOW_LOG;
}

const struct codec codec_zstd = {
	.name = "zstd",
	.state_new = zstd_state_new,
	.state_free = zstd_state_free,
	.decode = zstd_decode,
	.encode = zstd_encode,
	.kernel_reads = zstd_kernel_reads,
};
