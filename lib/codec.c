// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * codec.c - the table of codecs, and all checks that they share.
 *
 * Lengths are settled here, before a codec sees them; what follows a payload
 * is judged here, after it.  A codec only knows its own format.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/codec.h"
#include "lib/codec_table.h"

#define SECTOR_MIN 4096u

/* Rows share a state when they share a codec: lzo has five. */
enum codec_slot { SLOT_ZLIB, SLOT_ZSTD, SLOT_LZO, SLOTS };

static const struct {
	const struct codec *codec; /* NULL: not built in */
	enum codec_slot slot;
	uint32_t sector; /* 0: no such compression */
} codecs[ENCODED_COMPRESSION_TYPES] = {
	[ENCODED_ZLIB] = {CODEC_ZLIB, SLOT_ZLIB, SECTOR_MIN},
	[ENCODED_ZSTD] = {CODEC_ZSTD, SLOT_ZSTD, SECTOR_MIN},
	[ENCODED_LZO_4K] = {CODEC_LZO, SLOT_LZO, SECTOR_MIN},
	[ENCODED_LZO_8K] = {CODEC_LZO, SLOT_LZO, SECTOR_MIN << 1},
	[ENCODED_LZO_16K] = {CODEC_LZO, SLOT_LZO, SECTOR_MIN << 2},
	[ENCODED_LZO_32K] = {CODEC_LZO, SLOT_LZO, SECTOR_MIN << 3},
	[ENCODED_LZO_64K] = {CODEC_LZO, SLOT_LZO, SECTOR_MIN << 4},
};

struct codec_ctx {
	struct {
		const struct codec *codec;
		void *state;
	} slot[SLOTS];
	uint8_t plain[ENCODED_MAX]; /* codec_extract()'s bytes */
};

struct codec_ctx *codec_ctx_new(void)
{
	return calloc(1, sizeof(struct codec_ctx));
}

void codec_ctx_free(struct codec_ctx *ctx)
{
	if (!ctx)
		return;
	for (int i = 0; i < SLOTS; i++)
		if (ctx->slot[i].state)
			ctx->slot[i].codec->state_free(ctx->slot[i].state);
	free(ctx);
}

const char *codec_name(uint32_t compression)
{
	if (compression >= ENCODED_COMPRESSION_TYPES || !codecs[compression].codec)
		return NULL;
	return codecs[compression].codec->name;
}

/* The codec and its state in @ctx, made at first use. */
static int codec_get(struct codec_ctx *ctx, uint32_t compression, const struct codec **codecp,
		     void **statep)
{
	const struct codec *codec;
	int slot;

	if (compression >= ENCODED_COMPRESSION_TYPES || !codecs[compression].sector)
		return -EINVAL;
	codec = codecs[compression].codec;
	if (!codec)
		return -EOPNOTSUPP;
	slot = codecs[compression].slot;
	if (!ctx->slot[slot].state) {
		ctx->slot[slot].codec = codec;
		ctx->slot[slot].state = codec->state_new();
		if (!ctx->slot[slot].state)
			return -ENOMEM;
	}
	*codecp = codec;
	*statep = ctx->slot[slot].state;
	return 0;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

/* Decodes io->in; what follows the payload must be padding. */
static int decode(struct codec_ctx *ctx, uint32_t compression, struct codec_io *io,
		  const struct codec **codecp)
{
	void *state;
	int ret;

	if (!io->in_len || io->in_len > ENCODED_MAX)
		return -EINVAL;
	ret = codec_get(ctx, compression, codecp, &state);
	if (ret)
		return ret;
	io->sector = codecs[compression].sector;
	if (io->out_len > ENCODED_MAX)
		io->out_len = ENCODED_MAX; /* no extent is larger */
	ret = (*codecp)->decode(state, io);
	if (ret < 0)
		return ret;
	if (!all_zero(io->in + io->used, io->in_len - io->used))
		return -EUCLEAN;
	return ret;
}

static struct codec_io io_between(const struct iovec *in, const struct iovec *out)
{
	return (struct codec_io){
		.in = in->iov_base,
		.in_len = in->iov_len,
		.out = out->iov_base,
		.out_len = out->iov_len,
	};
}

int codec_decode(struct codec_ctx *ctx, uint32_t compression, const struct iovec *in,
		 const struct iovec *out)
{
	struct codec_ctx *own = ctx ? NULL : codec_ctx_new();
	struct codec_io io = io_between(in, out);
	const struct codec *codec;
	int ret;

	if (!ctx && !own)
		return -ENOMEM;
	ret = decode(ctx ? ctx : own, compression, &io, &codec);
	codec_ctx_free(own);
	return ret;
}

/* The lengths of @ev agree with each other and with what an extent can be. */
static int check_lengths(const struct encoded_iov *ev, size_t payload_len)
{
	if (ev->encryption || !payload_len || payload_len > ENCODED_MAX)
		return -EINVAL;
	if (!ev->unencoded_len || ev->unencoded_len > ENCODED_MAX ||
	    ev->unencoded_offset > ev->unencoded_len ||
	    ev->len > ev->unencoded_len - ev->unencoded_offset)
		return -EINVAL;
	return 0;
}

/* Decodes into ctx->plain, which then holds all that @ev promises. */
static int decode_extent(struct codec_ctx *ctx, const struct encoded_iov *ev, struct codec_io *io,
			 const struct codec **codecp)
{
	int ret = check_lengths(ev, io->in_len);

	if (ret)
		return ret;
	io->out = ctx->plain;
	io->out_len = ev->unencoded_len;
	ret = decode(ctx, ev->compression, io, codecp);
	if (ret < 0)
		return ret;
	return (uint64_t)ret < ev->unencoded_offset + ev->len ? -EUCLEAN : 0;
}

int codec_extract(struct codec_ctx *ctx, const struct encoded_iov *ev, const struct iovec *payload,
		  struct iovec *plain)
{
	struct codec_io io = {.in = payload->iov_base, .in_len = payload->iov_len};
	const struct codec *codec;
	int ret = decode_extent(ctx, ev, &io, &codec);

	if (ret)
		return ret;
	plain->iov_base = ctx->plain + ev->unencoded_offset;
	plain->iov_len = ev->len;
	return 0;
}

static int validate(struct codec_ctx *ctx, const struct encoded_iov *ev,
		    const struct iovec *payload)
{
	struct codec_io io = {.in = payload->iov_base, .in_len = payload->iov_len};
	const struct codec *codec;
	int ret = decode_extent(ctx, ev, &io, &codec);

	if (ret)
		return ret;
	/* The ioctl takes nothing that is not smaller than what it stands for. */
	if (io.in_len >= ev->unencoded_len || !codec->kernel_reads(&io, ev))
		return -EINVAL;
	return 0;
}

int codec_validate(struct codec_ctx *ctx, const struct encoded_iov *ev, const struct iovec *payload)
{
	struct codec_ctx *own = ctx ? NULL : codec_ctx_new();
	int ret;

	if (!ctx && !own)
		return -ENOMEM;
	ret = validate(ctx ? ctx : own, ev, payload);
	codec_ctx_free(own);
	return ret;
}

/* The most a payload may take so that it is worth having; 0: nothing is. */
static size_t encode_limit(size_t in_len, uint32_t sector)
{
	if (in_len <= sector)
		return in_len - 1;
	return (in_len - 1) / sector * sector;
}

static int encode(struct codec_ctx *ctx, uint32_t compression, struct codec_io *io)
{
	const struct codec *codec;
	size_t limit;
	void *state;
	int ret;

	if (!io->in_len || io->in_len > ENCODED_MAX)
		return -EINVAL;
	ret = codec_get(ctx, compression, &codec, &state);
	if (ret)
		return ret;
	io->sector = codecs[compression].sector;
	limit = encode_limit(io->in_len, io->sector);
	if (io->out_len > limit)
		io->out_len = limit;
	return codec->encode(state, io);
}

int codec_encode(struct codec_ctx *ctx, uint32_t compression, int level, const struct iovec *in,
		 const struct iovec *out)
{
	struct codec_ctx *own = ctx ? NULL : codec_ctx_new();
	struct codec_io io = io_between(in, out);
	int ret;

	if (!ctx && !own)
		return -ENOMEM;
	io.level = level;
	ret = encode(ctx ? ctx : own, compression, &io);
	codec_ctx_free(own);
	return ret;
}
