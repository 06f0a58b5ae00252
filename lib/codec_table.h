/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codec_table.h - what one codec fills in; only lib/codec*.c include this. */
#ifndef CR_CODEC_TABLE_H
#define CR_CODEC_TABLE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "encoded.h"

/* One call of a codec. */
struct codec_io {
	const uint8_t *in;
	size_t in_len; /* decode: 1 to ENCODED_MAX; encode as well */
	uint8_t *out;
	size_t out_len;
	size_t used;	 /* decode fills: bytes of in that belong to the payload */
	uint32_t sector; /* lzo's sector size, 4 KiB for the others */
	int level;	 /* encode; 0: the codec's default */
};

/*
 * A codec keeps its library's contexts in a state of its own, so that they
 * outlive a call.  decode() and encode() return the bytes put in out, or a
 * negative errno of codec.h.
 */
struct codec {
	const char *name;
	void *(*state_new)(void);
	void (*state_free)(void *state);
	int (*decode)(void *state, struct codec_io *io);
	int (*encode)(void *state, const struct codec_io *io);
	/* After decode(): can the kernel's decoder read it, as the extent that @ev says? */
	bool (*kernel_reads)(const struct codec_io *io, const struct encoded_iov *ev);
};

/* Kconfig decides which exist; the others stand as NULL in the table. */
#ifdef CONFIG_CODEC_ZLIB
extern const struct codec codec_zlib;
#define CODEC_ZLIB (&codec_zlib)
#else
#define CODEC_ZLIB NULL
#endif

#ifdef CONFIG_CODEC_ZSTD
extern const struct codec codec_zstd;
#define CODEC_ZSTD (&codec_zstd)
#else
#define CODEC_ZSTD NULL
#endif

#ifdef CONFIG_CODEC_LZO
extern const struct codec codec_lzo;
#define CODEC_LZO (&codec_lzo)
#else
#define CODEC_LZO NULL
#endif

#endif
