/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xdr.h - External Data Representation (RFC 4506): one cursor, both directions.
 *
 * A codec is written once and runs either way: xdr_u32(x, &v) reads v from the
 * buffer when x decodes and puts it there when x encodes.  So both ends of a wire
 * share it and cannot differ.  The first error sticks (x->error), everything
 * after it does nothing and leaves zeros; look at it once, at the end.
 *
 * Decoding never reads past the end and never copies opaque data: it hands out
 * references into the buffer.  Encoding never writes past the end; opaque data
 * of XDR_REF_MIN bytes and more is referred to, and xdr_iov() gives the pieces.
 */
#ifndef CR_XDR_H
#define CR_XDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define XDR_REFS    16	 /* pieces of opaque data that are not copied; more are */
#define XDR_REF_MIN 2048 /* copying less is cheaper than a piece of its own */
#define XDR_IOVS    (2 * XDR_REFS + 1)

/* Opaque data or a string (without a zero at its end), somewhere else. */
struct xdr_bytes {
	const void *data;
	uint32_t len;
};

struct xdr_ref {
	size_t at; /* bytes of the buffer before it */
	struct xdr_bytes bytes;
};

struct xdr {
	bool encode;
	int error; /* 0, -EBADMSG (decode: not what it should be), -EMSGSIZE (encode: no room) */
	uint8_t *base, *p, *end;
	size_t ref_bytes; /* of all refs, padding not counted */
	unsigned nrefs;
	struct xdr_ref ref[XDR_REFS];
};

/* The buffer of a decoder is not written to. */
void xdr_decode(struct xdr *x, const void *buf, size_t len);
void xdr_encode(struct xdr *x, void *buf, size_t len);

/* Sets the error that fits the direction, unless there is one. */
void xdr_fail(struct xdr *x);

static inline size_t xdr_left(const struct xdr *x)
{
	return (size_t)(x->end - x->p);
}

/* Bytes encoded so far, those referred to included; bytes decoded. */
static inline size_t xdr_len(const struct xdr *x)
{
	return (size_t)(x->p - x->base) + x->ref_bytes;
}

void xdr_u32(struct xdr *x, uint32_t *v);
void xdr_i32(struct xdr *x, int32_t *v);
void xdr_u64(struct xdr *x, uint64_t *v);
void xdr_i64(struct xdr *x, int64_t *v);
void xdr_bool(struct xdr *x, bool *v); /* anything but 0 and 1 is an error */

/* @len bytes of a fixed-length opaque, copied, and its padding. */
void xdr_fixed(struct xdr *x, void *buf, size_t len);
/* Variable length, at most @max bytes. */
void xdr_var(struct xdr *x, struct xdr_bytes *b, uint32_t max);
/* As xdr_var(), into memory of the caller: at most @max bytes, length in *len. */
void xdr_buf(struct xdr *x, void *buf, uint32_t *len, uint32_t max);
/* @b->len bytes as they are, which are whole words: something encoded before. */
void xdr_raw(struct xdr *x, struct xdr_bytes *b);
/* A count of elements, at most @max. */
void xdr_count(struct xdr *x, uint32_t *n, uint32_t max);
/* A decoder steps over @len bytes; an encoder puts zeros. */
void xdr_skip(struct xdr *x, size_t len);

/* Encoders only: a value by itself, and one that is put in place later. */
void xdr_put_u32(struct xdr *x, uint32_t v);
void xdr_put_u64(struct xdr *x, uint64_t v);
void xdr_patch_u32(struct xdr *x, size_t pos, uint32_t v); /* pos: from xdr_mark() */
/* Room for @len bytes in the buffer itself (and their padding); NULL when there is none. */
void *xdr_reserve(struct xdr *x, size_t len);

/* Decoders only: a value by itself; 0 after an error. */
uint32_t xdr_get_u32(struct xdr *x);
uint64_t xdr_get_u64(struct xdr *x);

/* Where the buffer's cursor is; going back to it forgets what came after, errors too. */
size_t xdr_mark(const struct xdr *x);
void xdr_rewind(struct xdr *x, size_t mark);

/* The pieces of what was encoded, in order: how many of XDR_IOVS were filled. */
unsigned xdr_iov(const struct xdr *x, struct iovec *iov);

static inline struct xdr_bytes xdr_str(const char *s)
{
	return (struct xdr_bytes){s, (uint32_t)__builtin_strlen(s)};
}

#endif
