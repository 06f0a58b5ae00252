/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec.h - payloads of btrfs compressed extents, decoded and encoded here
 * instead of in the kernel.  Internal: not installed.
 *
 * One payload is what BTRFS_IOC_ENCODED_READ returns: one zlib stream, one
 * zstd frame, or btrfs's own framing of lzo segments, and zeros up to the end
 * of its sector.  Compression numbers are enum encoded_compression.
 *
 * Errors of every function here:
 *   -EUCLEAN     damaged: does not decode, decodes to a wrong length, a second
 *                frame, or something else than zeros after the first
 *   -EINVAL      no such compression; lengths that no extent can have; for
 *                codec_validate() also sound data that the kernel refuses
 *   -EOPNOTSUPP  this codec was not built in
 *   -E2BIG       codec_encode() only: not worth compressing
 *   -ENOMEM
 */
#ifndef CR_CODEC_H
#define CR_CODEC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "encoded.h"

/*
 * What is kept between calls: zstd decodes a sixth slower when it is set up for
 * each extent (bench/codec.c), the others hardly.  One thread at a time.
 *
 * Memory: 128 KiB, and from their first use on: lzo 200 KiB; zstd 100 KiB to
 * decode, up to 3 MiB to encode; zlib 12 KiB to decode, 0.7 MiB to encode, 9 MiB
 * above level 9.
 */
struct codec_ctx;

/** codec_ctx_new - an empty context, or NULL without memory */
struct codec_ctx *codec_ctx_new(void);

/** codec_ctx_free - ends a context; NULL is allowed */
void codec_ctx_free(struct codec_ctx *ctx);

/**
 * codec_decode - decode exactly one payload
 * @ctx: context, or NULL to make one for this call
 * @compression: enum encoded_compression, not ENCODED_NONE
 * @in: the payload, with or without its padding, at most ENCODED_MAX bytes
 * @out: room for the decoded bytes
 *
 * Nothing outside @in is read and nothing outside @out is written, whatever
 * the payload says.  On error the contents of @out are undefined.
 *
 * Return: bytes decoded; an error above.  More than @out holds is -EUCLEAN: an
 * extent's decoded size is known beforehand.
 */
int codec_decode(struct codec_ctx *ctx, uint32_t compression, const struct iovec *in,
		 const struct iovec *out);

/**
 * codec_extract - decode a payload and find the file's bytes in it
 * @ctx: context, not NULL
 * @ev: what the payload is said to be
 * @payload: the payload
 * @plain: set to the @ev->len bytes of the file; they lie in @ctx until its
 *	next use
 *
 * @ev is checked before use: no sum can overflow, nothing exceeds ENCODED_MAX.
 * A payload that ends before unencoded_offset + len is -EUCLEAN, where the
 * kernel would read zeros.
 *
 * Return: 0; an error above.
 */
int codec_extract(struct codec_ctx *ctx, const struct encoded_iov *ev, const struct iovec *payload,
		  struct iovec *plain);

/**
 * codec_validate - true when the kernel would give these bytes back later
 * @ctx: context, or NULL to make one for this call
 * @ev: what the payload is said to be
 * @payload: the payload
 *
 * BTRFS_IOC_ENCODED_WRITE looks at lengths only, and a zstd payload that was
 * cut short then reads back as zeros without an error.  So this decodes
 * everything as codec_extract() does, and on top holds the payload against the
 * limits of the kernel's ioctl and decoders (Linux fs/btrfs/inode.c
 * btrfs_do_encoded_write(), zlib.c, zstd.c, lzo.c).  Alignment to the target's
 * sectors, and that the lzo sector size is the target's, is left to the ioctl.
 *
 * Doubt: a zlib stream with 4 KiB of nothing but empty blocks decodes here and
 * is EIO in the kernel, which gives up on a page that yields no byte.  No
 * encoder makes one, and the error is a loud one.
 *
 * Return: 0; -EINVAL when it decodes but the kernel would not take it: write
 * the decoded bytes instead; other errors above.
 */
int codec_validate(struct codec_ctx *ctx, const struct encoded_iov *ev,
		   const struct iovec *payload);

/**
 * codec_encode - encode one extent in btrfs's framing
 * @ctx: context, or NULL to make one for this call
 * @compression: enum encoded_compression, not ENCODED_NONE
 * @level: 0: the kernel's default; zlib 1 to 12, zstd ZSTD_minCLevel() to 22,
 *	ignored by lzo; what is out of range is cut to it
 * @in: 1 to ENCODED_MAX bytes
 * @out: room for the payload
 *
 * The payload is not padded.  It is at least one sector smaller than @in, both
 * rounded up to sectors (the kernel's rule in compress_file_range()), or, when
 * @in is no more than one sector, one byte.  The sector is that of the lzo
 * type, else 4 KiB: on larger ones make @out that much smaller than @in.
 *
 * Return: bytes of the payload; -E2BIG when they do not fit that rule or @out;
 * an error above.
 */
int codec_encode(struct codec_ctx *ctx, uint32_t compression, int level, const struct iovec *in,
		 const struct iovec *out);

/**
 * codec_name - "zlib", "zstd" or "lzo"; NULL for a codec that is not there
 */
const char *codec_name(uint32_t compression);

#endif
