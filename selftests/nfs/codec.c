// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/nfs4: every operation's bytes are those of the standard, and no others are taken. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "kselftest_harness.h"
#include "lib/nfs4/attr.h"
#include "lib/nfs4/proto.h"

#define ROOM 4096

union any {
	union nfs4_args args;
	union nfs4_res res;
	union nfs4_cb_args cb_args;
	union nfs4_cb_res cb_res;
};

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; *hex; hex += 2) {
		char pair[3] = {hex[0], hex[1], '\0'};

		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

static void code(struct xdr *x, const struct golden *g, union any *any)
{
	const struct nfs4_op *op =
		g->kind == GOLD_ARGS || g->kind == GOLD_RES ? nfs4_op(g->op) : nfs4_cb_op(g->op);

	if (g->kind == GOLD_ARGS || g->kind == GOLD_CB_ARGS)
		op->args(x, any);
	else
		op->res(x, any, g->status);
}

/* A copy of exactly that many bytes, so that a sanitizer sees each step beyond. */
static uint8_t *exact(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (copy && len)
		memcpy(copy, bytes, len);
	return copy;
}

TEST(bytes_of_each_operation_come_back)
{
	uint8_t bytes[ROOM], again[ROOM];

	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		size_t len = from_hex(golden[i].hex, bytes);
		union any any;
		struct xdr x;

		memset(&any, 0x5a, sizeof(any));
		xdr_decode(&x, bytes, len);
		code(&x, &golden[i], &any);
		ASSERT_EQ(0, x.error)
		TH_LOG("row %zu, operation %u", i, golden[i].op);
		ASSERT_EQ(0, xdr_left(&x))
		TH_LOG("row %zu, operation %u", i, golden[i].op);
		xdr_encode(&x, again, sizeof(again));
		code(&x, &golden[i], &any);
		ASSERT_EQ(0, x.error);
		ASSERT_EQ(len, xdr_len(&x))
		TH_LOG("row %zu, operation %u", i, golden[i].op);
		ASSERT_EQ(0, memcmp(bytes, again, len))
		TH_LOG("row %zu, operation %u", i, golden[i].op);
	}
}

TEST(every_operation_of_the_table_has_golden_bytes)
{
	for (uint32_t op = 0; op < NFS4_OPS; op++) {
		unsigned args = 0, res = 0;

		if (!nfs4_op(op) || !nfs4_op(op)->args)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
			args += golden[i].op == op && golden[i].kind == GOLD_ARGS;
			res += golden[i].op == op && golden[i].kind == GOLD_RES;
		}
		EXPECT_LT(0, args);
		EXPECT_LT(0, res);
	}
}

TEST(what_is_cut_short_anywhere_is_refused)
{
	uint8_t bytes[ROOM];

	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		size_t len = from_hex(golden[i].hex, bytes);

		for (size_t cut = 0; cut < len; cut++) {
			uint8_t *part = exact(bytes, cut);
			union any any;
			struct xdr x;

			ASSERT_NE(NULL, part);
			xdr_decode(&x, part, cut);
			code(&x, &golden[i], &any);
			EXPECT_EQ(-EBADMSG, x.error);
			free(part);
		}
	}
}

TEST(encoding_into_too_little_room_writes_nothing_beyond_it)
{
	uint8_t bytes[ROOM];

	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		size_t len = from_hex(golden[i].hex, bytes);
		union any any;
		struct xdr x;

		memset(&any, 0, sizeof(any));
		xdr_decode(&x, bytes, len);
		code(&x, &golden[i], &any);
		for (size_t room = 0; room < len; room++) {
			uint8_t *out = malloc(room ? room : 1);

			ASSERT_NE(NULL, out);
			xdr_encode(&x, out, room);
			code(&x, &golden[i], &any);
			EXPECT_EQ(-EMSGSIZE, x.error);
			free(out);
		}
	}
}

TEST(a_compound_is_framed_as_the_standard_says)
{
	/* tag "t", minor 2, two operations: PUTROOTFH and GETFH */
	static const char want[] = "0000000174000000"
				   "00000002"
				   "00000002"
				   "00000018"
				   "0000000a";
	/* status of the last, tag, two results */
	static const char reply[] = "00002724"
				    "0000000174000000"
				    "00000002"
				    "0000001800000000"
				    "0000000a00002724";
	struct nfs4_call_head call = {.tag = xdr_str("t"), .minor = 2};
	struct nfs4_reply_head head = {.tag = xdr_str("t")};
	uint8_t bytes[ROOM], out[ROOM];
	union nfs4_args args = {0};
	union nfs4_res res = {0};
	struct xdr x;

	xdr_encode(&x, out, sizeof(out));
	nfs4_call_begin(&x, &call);
	nfs4_put_op(&x, &call, OP_PUTROOTFH, &args);
	nfs4_put_op(&x, &call, OP_GETFH, &args);
	nfs4_call_end(&x, &call);
	ASSERT_EQ(0, x.error);
	ASSERT_EQ(from_hex(want, bytes), xdr_len(&x));
	ASSERT_EQ(0, memcmp(bytes, out, xdr_len(&x)));

	xdr_encode(&x, out, sizeof(out));
	nfs4_reply_begin(&x, &head);
	nfs4_put_res(&x, &head, OP_PUTROOTFH, NFS4_OK, &res);
	nfs4_put_res(&x, &head, OP_GETFH, NFS4ERR_NOFILEHANDLE, &res);
	nfs4_reply_end(&x, &head);
	ASSERT_EQ(from_hex(reply, bytes), xdr_len(&x));
	ASSERT_EQ(0, memcmp(bytes, out, xdr_len(&x)));

	xdr_decode(&x, bytes, xdr_len(&x));
	nfs4_reply_begin(&x, &head);
	EXPECT_EQ(NFS4ERR_NOFILEHANDLE, head.status);
	EXPECT_EQ(2, head.nres);
	EXPECT_EQ(NFS4_OK, nfs4_get_res(&x, &head, OP_PUTROOTFH, &res));
	EXPECT_EQ(NFS4ERR_NOFILEHANDLE, nfs4_get_res(&x, &head, OP_GETFH, &res));
	EXPECT_EQ(0, xdr_left(&x));
}

TEST(every_attribute_comes_back)
{
	struct nfs4_attrs a, b;
	uint8_t out[ROOM];
	struct xdr x;

	memset(&a, 0, sizeof(a));
	a.map = nfs4_attrs_known();
	a.size = 0x123456789abcdefull;
	a.mode = 0640;
	a.owner = xdr_str("root@example.org");
	a.owner_group = xdr_str("0");
	a.time_modify = (struct nfs4_time){-5, 7};
	a.time_modify_set.how = SET_TO_CLIENT_TIME4;
	a.time_modify_set.time = (struct nfs4_time){9, 10};
	a.clone_blksize = 4096;
	a.xattr_support = true;
	a.filehandle.len = 5;
	a.supported = a.map;
	a.nlayouts = 1;
	xdr_encode(&x, out, sizeof(out));
	nfs4_attrs(&x, &a);
	ASSERT_EQ(0, x.error);
	xdr_decode(&x, out, xdr_len(&x));
	nfs4_attrs(&x, &b);
	ASSERT_EQ(0, x.error);
	EXPECT_EQ(a.size, b.size);
	EXPECT_EQ(a.mode, b.mode);
	EXPECT_EQ(16, b.owner.len);
	EXPECT_EQ(-5, b.time_modify.sec);
	EXPECT_EQ(9, b.time_modify_set.time.sec);
	EXPECT_EQ(4096, b.clone_blksize);
	EXPECT_TRUE(b.xattr_support);
	EXPECT_EQ(1, b.nlayouts);
	EXPECT_EQ(0, memcmp(&a.supported, &b.supported, sizeof(a.supported)));
}

TEST(attributes_must_fill_their_length)
{
	/* bitmap of size alone, length 12 instead of 8 */
	static const char hex[] = "00000001"
				  "00000010"
				  "0000000c"
				  "000000000000000500000000";
	uint8_t bytes[ROOM];
	struct nfs4_fattr fattr;
	struct nfs4_attrs a;
	struct xdr x;

	xdr_decode(&x, bytes, from_hex(hex, bytes));
	nfs4_fattr(&x, &fattr);
	ASSERT_EQ(0, x.error);
	EXPECT_EQ(-EBADMSG, nfs4_attrs_decode(&fattr, &a));
	fattr.vals.len = 8;
	EXPECT_EQ(0, nfs4_attrs_decode(&fattr, &a));
	EXPECT_EQ(5, a.size);
}

TEST(attributes_without_a_codec_are_not_guessed_at)
{
	struct nfs4_fattr fattr = {.vals = {"\0\0\0\0\0\0\0\0", 8}};
	struct nfs4_attrs a;

	nfs4_bit_set(&fattr.map, FATTR4_ACL);
	EXPECT_EQ(-EOPNOTSUPP, nfs4_attrs_decode(&fattr, &a));
	nfs4_bit_clear(&fattr.map, FATTR4_ACL);
	fattr.map.beyond = true;
	EXPECT_EQ(-EOPNOTSUPP, nfs4_attrs_decode(&fattr, &a));
}

TEST(large_data_is_referred_to_and_padded)
{
	static char big[5001];
	struct nfs4_read_res res = {.eof = true, .data = {big, sizeof(big)}};
	struct iovec iov[XDR_IOVS];
	uint8_t out[64];
	struct xdr x;

	xdr_encode(&x, out, sizeof(out));
	nfs4_op(OP_READ)->res(&x, &res, NFS4_OK);
	ASSERT_EQ(0, x.error);
	EXPECT_EQ(8 + 5004, xdr_len(&x));
	ASSERT_EQ(3, xdr_iov(&x, iov));
	EXPECT_EQ(8, iov[0].iov_len);
	EXPECT_EQ((void *)big, iov[1].iov_base);
	EXPECT_EQ(sizeof(big), iov[1].iov_len);
	EXPECT_EQ(3, iov[2].iov_len);
}

TEST(statuses_have_names)
{
	EXPECT_STREQ("NFS4_OK", nfs4_status_name(0));
	EXPECT_STREQ("NFS4ERR_OFFLOAD_NO_REQS", nfs4_status_name(10094));
	EXPECT_STREQ("NFS4ERR_XATTR2BIG", nfs4_status_name(10096));
	EXPECT_STREQ("NFS4ERR_CLIENTID_BUSY", nfs4_status_name(10074));
	EXPECT_STREQ("NFS4ERR_?", nfs4_status_name(12345));
	EXPECT_EQ(-ENOENT, nfs4_status_errno(NFS4ERR_NOENT));
}

TEST_HARNESS_MAIN
