// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * codec_lzo.c - btrfs's framing of lzo1x segments, by lzo2.
 *
 *	le32 total: bytes of the payload, this header included
 *	le32 length of a segment, the segment: one sector of the file
 *	le32 length of the next, ...
 *
 * A length never crosses the end of a sector of the payload: with less than
 * four bytes left in it, they are skipped and count into the total.  Segments
 * do cross.  (Linux fs/btrfs/lzo.c, comment at its top.)
 *
 * Not every Linux holds a segment's length against the payload's before it copies
 * the segment, so a lying length must never get there.
 */
#include <lzo/lzo1x.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/codec_table.h"

#define LEN_SIZE    4u
#define SECTOR_MAX  65536u
#define SEGMENT_MIN 3u /* the end mark alone */

/* The most lzo1x makes of @n bytes: from lzo.txt, and what the kernel's buffer holds. */
#define WORST(n) ((n) + (n) / 16 + 64 + 3)

struct lzo_state {
	uint8_t segment[WORST(SECTOR_MAX)];
	lzo_align_t work[LZO1X_1_MEM_COMPRESS / sizeof(lzo_align_t) + 1];
};

static void *lzo_state_new(void)
{
	return lzo_init() == LZO_E_OK ? malloc(sizeof(struct lzo_state)) : NULL;
}

static void lzo_state_free(void *state)
{
	free(state);
}

static size_t round_up(size_t n, size_t sector)
{
	return (n + sector - 1) / sector * sector;
}

/* Where the length after offset @at stands. */
static size_t next_length(size_t at, size_t sector)
{
	size_t left = sector - at % sector;

	return left < LEN_SIZE ? at + left : at;
}

/* Decodes the segment at @at of a payload of @total bytes; returns where it ends. */
static int decode_segment(const struct codec_io *io, size_t at, size_t total, size_t *done)
{
	lzo_uint n = io->out_len - *done;
	size_t len;

	if (total - at < LEN_SIZE)
		return -EUCLEAN;
	len = get_le32(io->in + at);
	at += LEN_SIZE;
	if (len < SEGMENT_MIN || len > WORST(io->sector) || len > total - at)
		return -EUCLEAN;
	if (n > io->sector)
		n = io->sector;
	if (lzo1x_decompress_safe(io->in + at, len, io->out + *done, &n, NULL) != LZO_E_OK)
		return -EUCLEAN;
	*done += n;
	return (int)(at + len);
}

static int lzo_decode(void *state, struct codec_io *io)
{
	size_t at = LEN_SIZE, done = 0, total;

	if (io->in_len < LEN_SIZE)
		return -EUCLEAN;
	total = get_le32(io->in);
	/* The kernel wants the padding to stay inside the last sector. */
	if (total <= LEN_SIZE || total > io->in_len || io->in_len > round_up(total, io->sector))
		return -EUCLEAN;
	while (at < total) {
		int end = decode_segment(io, at, total, &done);

		if (end < 0)
			return end;
		at = next_length((size_t)end, io->sector);
	}
	io->used = total;
	return (int)done;
}

/* Appends one sector's segment at @at; returns where the next length stands. */
static int encode_segment(struct lzo_state *s, const struct codec_io *io, size_t at, size_t done)
{
	size_t n = io->in_len - done, end;
	lzo_uint len;

	if (n > io->sector)
		n = io->sector;
	if (lzo1x_1_compress(io->in + done, n, s->segment, &len, s->work) != LZO_E_OK)
		return -EUCLEAN; /* documented never to fail */
	if (at + LEN_SIZE + len > io->out_len)
		return -E2BIG;
	put_le32(io->out + at, (uint32_t)len);
	memcpy(io->out + at + LEN_SIZE, s->segment, len);
	at += LEN_SIZE + len;
	end = next_length(at, io->sector);
	if (end > io->out_len)
		return -E2BIG;
	memset(io->out + at, 0, end - at);
	return (int)end;
}

static int lzo_encode(void *state, const struct codec_io *io)
{
	int at = LEN_SIZE;

	for (size_t done = 0; done < io->in_len; done += io->sector) {
		at = encode_segment(state, io, (size_t)at, done);
		if (at < 0)
			return at;
	}
	put_le32(io->out, (uint32_t)at);
	return at;
}

/*
 * An extent of one sector is stored in the metadata; the kernel then wants one
 * segment and no padding at all.
 */
static bool lzo_kernel_reads(const struct codec_io *io, const struct encoded_iov *ev)
{
	if (ev->unencoded_len > io->sector)
		return true;
	return io->used == io->in_len && get_le32(io->in + LEN_SIZE) + 2 * LEN_SIZE == io->used;
}

const struct codec codec_lzo = {
	.name = "lzo",
	.state_new = lzo_state_new,
	.state_free = lzo_state_free,
	.decode = lzo_decode,
	.encode = lzo_encode,
	.kernel_reads = lzo_kernel_reads,
};
