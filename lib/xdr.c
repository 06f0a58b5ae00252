// SPDX-License-Identifier: GPL-2.0-or-later
/* xdr.c - the cursor: see xdr.h. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "lib/xdr.h"

void xdr_decode(struct xdr *x, const void *buf, size_t len)
{
	uint8_t *p = (uint8_t *)(uintptr_t)buf;

	*x = (struct xdr){.base = p, .p = p, .end = p + len};
}

void xdr_encode(struct xdr *x, void *buf, size_t len)
{
	x->encode = true;
	x->error = 0;
	x->base = x->p = buf;
	x->end = x->base + len;
	x->ref_bytes = 0;
	x->nrefs = 0;
}

void xdr_fail(struct xdr *x)
{
	if (!x->error)
		x->error = x->encode ? -EMSGSIZE : -EBADMSG;
}

/* The next @len bytes of the buffer, or NULL. */
static uint8_t *advance(struct xdr *x, size_t len)
{
	uint8_t *p = x->p;

	if (x->error)
		return NULL;
	if (len > xdr_left(x)) {
		xdr_fail(x);
		return NULL;
	}
	x->p += len;
	return p;
}

static size_t padding(size_t len)
{
	return -len & 3;
}

static void pad(struct xdr *x, size_t len)
{
	uint8_t *p = advance(x, padding(len));

	if (p && x->encode)
		memset(p, 0, padding(len));
}

void xdr_u32(struct xdr *x, uint32_t *v)
{
	uint8_t *p = advance(x, 4);
	uint32_t be;

	if (x->encode) {
		be = htobe32(*v);
		if (p)
			memcpy(p, &be, 4);
		return;
	}
	*v = 0;
	if (!p)
		return;
	memcpy(&be, p, 4);
	*v = be32toh(be);
}

void xdr_i32(struct xdr *x, int32_t *v)
{
	uint32_t u = (uint32_t)*v;

	xdr_u32(x, &u);
	*v = (int32_t)u;
}

void xdr_u64(struct xdr *x, uint64_t *v)
{
	uint8_t *p = advance(x, 8);
	uint64_t be;

	if (x->encode) {
		be = htobe64(*v);
		if (p)
			memcpy(p, &be, 8);
		return;
	}
	*v = 0;
	if (!p)
		return;
	memcpy(&be, p, 8);
	*v = be64toh(be);
}

void xdr_i64(struct xdr *x, int64_t *v)
{
	uint64_t u = (uint64_t)*v;

	xdr_u64(x, &u);
	*v = (int64_t)u;
}

void xdr_bool(struct xdr *x, bool *v)
{
	uint32_t u = x->encode ? *v : 0;

	xdr_u32(x, &u);
	if (u > 1)
		xdr_fail(x);
	if (!x->encode)
		*v = u == 1;
}

void xdr_fixed(struct xdr *x, void *buf, size_t len)
{
	uint8_t *p = advance(x, len);

	if (!p) {
		if (!x->encode)
			memset(buf, 0, len);
		return;
	}
	if (x->encode)
		memcpy(p, buf, len);
	else
		memcpy(buf, p, len);
	pad(x, len);
}

static bool refer(struct xdr *x, const struct xdr_bytes *b)
{
	if (b->len < XDR_REF_MIN || x->nrefs == XDR_REFS)
		return false;
	x->ref[x->nrefs++] = (struct xdr_ref){(size_t)(x->p - x->base), *b};
	x->ref_bytes += b->len;
	return true;
}

void xdr_raw(struct xdr *x, struct xdr_bytes *b)
{
	uint8_t *p;

	if (x->encode && !x->error && refer(x, b)) {
		pad(x, b->len);
		return;
	}
	p = advance(x, b->len);
	if (!p && !x->encode)
		*b = (struct xdr_bytes){NULL, 0};
	if (!p)
		return;
	if (!x->encode)
		b->data = p;
	else if (b->len)
		memcpy(p, b->data, b->len);
	pad(x, b->len);
	if (x->error && !x->encode)
		*b = (struct xdr_bytes){NULL, 0};
}

void xdr_count(struct xdr *x, uint32_t *n, uint32_t max)
{
	xdr_u32(x, n);
	if (*n <= max)
		return;
	xdr_fail(x);
	if (!x->encode)
		*n = 0;
}

void xdr_var(struct xdr *x, struct xdr_bytes *b, uint32_t max)
{
	xdr_count(x, &b->len, max);
	xdr_raw(x, b);
}

void xdr_buf(struct xdr *x, void *buf, uint32_t *len, uint32_t max)
{
	xdr_count(x, len, max);
	if (x->error)
		return;
	xdr_fixed(x, buf, *len);
	if (x->error && !x->encode)
		*len = 0;
}

void xdr_skip(struct xdr *x, size_t len)
{
	uint8_t *p = advance(x, len);

	if (p && x->encode)
		memset(p, 0, len);
}

void xdr_put_u32(struct xdr *x, uint32_t v)
{
	xdr_u32(x, &v);
}

void xdr_put_u64(struct xdr *x, uint64_t v)
{
	xdr_u64(x, &v);
}

uint32_t xdr_get_u32(struct xdr *x)
{
	uint32_t v = 0;

	xdr_u32(x, &v);
	return v;
}

uint64_t xdr_get_u64(struct xdr *x)
{
	uint64_t v = 0;

	xdr_u64(x, &v);
	return v;
}

void xdr_patch_u32(struct xdr *x, size_t pos, uint32_t v)
{
	v = htobe32(v);
	if (pos + 4 <= (size_t)(x->p - x->base))
		memcpy(x->base + pos, &v, 4);
}

void *xdr_reserve(struct xdr *x, size_t len)
{
	uint8_t *p = advance(x, len);

	if (p)
		pad(x, len);
	return x->error ? NULL : p;
}

size_t xdr_mark(const struct xdr *x)
{
	return (size_t)(x->p - x->base);
}

void xdr_rewind(struct xdr *x, size_t mark)
{
	x->error = 0;
	x->p = x->base + mark;
	while (x->nrefs && x->ref[x->nrefs - 1].at >= mark)
		x->ref_bytes -= x->ref[--x->nrefs].bytes.len;
}

unsigned xdr_iov(const struct xdr *x, struct iovec *iov)
{
	size_t from = 0, end = (size_t)(x->p - x->base);
	unsigned n = 0;

	for (unsigned i = 0; i < x->nrefs; i++) {
		const struct xdr_ref *ref = &x->ref[i];

		if (ref->at > from)
			iov[n++] = (struct iovec){x->base + from, ref->at - from};
		iov[n++] = (struct iovec){(void *)(uintptr_t)ref->bytes.data, ref->bytes.len};
		from = ref->at;
	}
	if (end > from)
		iov[n++] = (struct iovec){x->base + from, end - from};
	return n;
}
