// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target for lib/nfs4: a call as a server reads it, a reply as a client
 * reads it, and callbacks.  What was taken can be said again, and says the same.
 *
 *	make fuzz; build/selftests/fuzz/nfs4_fuzz -max_total_time=60
 */
#include <stdlib.h>
#include <string.h>

#include "lib/nfs4/attr.h"
#include "lib/nfs4/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM (256u << 10)

union any {
	union nfs4_args args;
	union nfs4_res res;
	union nfs4_cb_args cb_args;
	union nfs4_cb_res cb_res;
};

struct way {
	const struct nfs4_op *op;
	bool res;
	uint32_t status;
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void code(struct xdr *x, const struct way *w, union any *any)
{
	if (w->res)
		w->op->res(x, any, w->status);
	else
		w->op->args(x, any);
}

static size_t flat(const struct xdr *x, uint8_t *to)
{
	struct iovec iov[XDR_IOVS];
	unsigned n = xdr_iov(x, iov);
	size_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		memcpy(to + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	check(len == xdr_len(x));
	return len;
}

/* Said again twice: the second time from what the first one said. */
static void again(const struct way *w, union any *any)
{
	static uint8_t buf[ROOM], one[ROOM], two[ROOM];
	union any back;
	struct xdr x;
	size_t len;

	memset(&back, 0, sizeof(back));
	xdr_encode(&x, buf, sizeof(buf));
	code(&x, w, any);
	if (x.error) /* too long, or SP4_SSV and the like, which are read only */
		return;
	len = flat(&x, one);
	xdr_decode(&x, one, len);
	code(&x, w, &back);
	check(!x.error && !xdr_left(&x));
	xdr_encode(&x, buf, sizeof(buf));
	code(&x, w, &back);
	check(!x.error && flat(&x, two) == len && !memcmp(one, two, len));
}

static void attributes(const struct nfs4_fattr *fattr)
{
	static uint8_t buf[ROOM];
	struct nfs4_attrs a;
	struct xdr x;

	if (nfs4_attrs_decode(fattr, &a))
		return;
	xdr_encode(&x, buf, sizeof(buf));
	nfs4_attrs(&x, &a);
	check(!x.error);
}

static void inside(uint32_t op, const struct way *w, const union any *any)
{
	struct nfs4_content content;
	struct nfs4_entry entry;
	struct xdr x;

	if (!w->res && op == OP_SETATTR)
		attributes(&any->args.setattr.attr);
	if (!w->res && op == OP_TEST_STATEID)
		for (uint32_t i = 0; i < any->args.test_stateid.n; i++)
			nfs4_stateid_at(&any->args.test_stateid, i);
	if (!w->res || w->status)
		return;
	if (op == OP_GETATTR)
		attributes(&any->res.getattr.attr);
	if (op == OP_READDIR) {
		xdr_decode(&x, any->res.readdir.entries.data, any->res.readdir.entries.len);
		while (xdr_left(&x)) {
			check(xdr_get_u32(&x) == 1);
			nfs4_entry(&x, &entry);
			check(!x.error);
			attributes(&entry.attr);
		}
	}
	if (op == OP_READ_PLUS) {
		xdr_decode(&x, any->res.read_plus.contents.data, any->res.read_plus.contents.len);
		for (uint32_t i = 0; i < any->res.read_plus.segments; i++)
			nfs4_content(&x, &content);
		check(!x.error && !xdr_left(&x));
	}
}

static void read_call(struct xdr *x, bool cb)
{
	struct nfs4_call_head head = {.cb = cb};
	union any any;

	nfs4_call_begin(x, &head);
	for (uint32_t i = 0; i < head.nops && !x->error; i++) {
		uint32_t op = xdr_get_u32(x);
		struct way w = {.op = cb ? nfs4_cb_op(op) : nfs4_op(op)};

		if (!w.op || !w.op->args)
			return;
		memset(&any, 0, sizeof(any));
		code(x, &w, &any);
		if (x->error)
			return;
		if (!cb)
			inside(op, &w, &any);
		again(&w, &any);
	}
}

static void read_reply(struct xdr *x, bool cb)
{
	struct nfs4_reply_head head = {.cb = cb};
	union any any;

	nfs4_reply_begin(x, &head);
	for (uint32_t i = 0; i < head.nres && !x->error; i++) {
		struct xdr peek = *x;
		uint32_t op = xdr_get_u32(&peek);
		struct way w = {.op = cb ? nfs4_cb_op(op) : nfs4_op(op), .res = true};

		if (!w.op || !w.op->res)
			return;
		memset(&any, 0, sizeof(any));
		w.status = nfs4_get_res(x, &head, op, &any);
		if (x->error)
			return;
		if (!cb)
			inside(op, &w, &any);
		again(&w, &any);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xdr x;

	if (!size)
		return 0;
	xdr_decode(&x, data + 1, size - 1);
	switch (data[0] % 4) {
	case 0:
		read_call(&x, false);
		break;
	case 1:
		read_reply(&x, false);
		break;
	case 2:
		read_call(&x, true);
		break;
	default:
		read_reply(&x, true);
	}
	return 0;
}
