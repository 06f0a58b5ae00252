// SPDX-License-Identifier: GPL-2.0-or-later
/* What goes over the wire, byte by byte, and what comes back of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/md5.h"
#include "scsi/proto/cdb.h"
#include "scsi/proto/iscsi.h"
#include "scsi/proto/sense.h"
#include "scsi/proto/token.h"
#include "scsi/proto/vpd.h"

#define EXPECT_BYTES(text, data, len)                                                              \
	do {                                                                                       \
		char hex_[4096];                                                                   \
		hex(hex_, data, len);                                                              \
		EXPECT_STREQ(text, hex_);                                                          \
	} while (0)

/* What was decoded becomes the same bytes again. */
#define EXPECT_AGAIN(encode, data, len)                                                            \
	do {                                                                                       \
		uint8_t first_[1024], *was_ = data;                                                \
		memcpy(first_, was_, len);                                                         \
		memset(was_, 0xa5, len);                                                           \
		encode;                                                                            \
		EXPECT_EQ(0, memcmp(first_, was_, len));                                           \
	} while (0)

static void hex(char *to, const void *data, size_t len)
{
	const uint8_t *p = data;

	*to = 0;
	for (size_t i = 0; i < len && i < 2000; i++)
		sprintf(to + 2 * i, "%02x", p[i]);
}

TEST(sense_in_the_fixed_format)
{
	struct sense s = {.key = KEY_COPY_ABORTED, .asc = ASC_THIRD_PARTY_DEVICE_FAILURE}, back;
	uint8_t buf[SENSE_MAX];

	s.has_specific = true;
	s.specific = 3;
	s.has_info = true;
	s.info = 0x11223344;
	sense_field(&s, true, 2);
	ASSERT_EQ(18u, sense_encode(&s, false, buf));
	EXPECT_BYTES("f0000a112233440a000000030d0100c00002", buf, 18);
	ASSERT_EQ(0, sense_decode(&back, buf, 18));
	EXPECT_AGAIN(sense_encode(&back, false, buf), buf, 18);
}

TEST(sense_with_descriptors)
{
	struct sense s = {.key = KEY_MISCOMPARE, .asc = ASC_MISCOMPARE}, back;
	uint8_t buf[SENSE_MAX];

	s.has_info = true;
	s.info = 0x1122334455667788;
	sense_field(&s, false, 0x102);
	ASSERT_EQ(28u, sense_encode(&s, true, buf));
	EXPECT_BYTES("720e1d0000000014"
		     "000a80001122334455667788"
		     "0206000080010200",
		     buf, 28);
	ASSERT_EQ(0, sense_decode(&back, buf, 28));
	EXPECT_AGAIN(sense_encode(&back, true, buf), buf, 28);
}

TEST(sense_cut_anywhere_is_read_as_far_as_it_goes)
{
	struct sense s = {.key = 5, .asc = 0x2400, .has_info = true, .info = 1}, back;
	uint8_t buf[SENSE_MAX], *cut;

	for (unsigned form = 0; form < 2; form++) {
		size_t len = sense_encode(&s, form, buf);

		for (size_t n = 0; n <= len; n++) {
			cut = malloc(n ? n : 1);
			memcpy(cut, buf, n);
			EXPECT_EQ(n < 3 ? -EBADMSG : 0, sense_decode(&back, cut, n));
			free(cut);
		}
	}
}

TEST(read_and_write_of_every_length)
{
	static const struct {
		uint8_t opcode;
		struct cdb_rw rw;
		const char *bytes;
	} rows[] = {
		{OP_READ_6, {0x123456, 256, 0}, "081234560000"},
		{OP_READ_10, {0x12345678, 0x9abc, RW_FUA}, "280812345678009abc00"},
		{OP_WRITE_12, {0x12345678, 0x9abcdef0, RW_DPO}, "aa10123456789abcdef00000"},
		{OP_WRITE_16, {0x123456789a, 7, 0}, "8a00000000123456789a000000070000"},
		{OP_COMPARE_AND_WRITE, {5, 2, 0}, "89000000000000000005000000020000"},
	};
	struct cdb_rw back;
	uint8_t cdb[CDB_MAX];

	for (unsigned i = 0; i < 5; i++) {
		unsigned len = cdb_rw_encode(cdb, rows[i].opcode, &rows[i].rw);

		EXPECT_BYTES(rows[i].bytes, cdb, len);
		cdb_rw_decode(&back, cdb);
		EXPECT_EQ(rows[i].rw.lba, back.lba);
		EXPECT_EQ(rows[i].rw.blocks, back.blocks);
		EXPECT_EQ(rows[i].rw.flags, back.flags);
	}
}

TEST(what_does_not_fit_into_a_CDB_is_refused)
{
	uint8_t cdb[CDB_MAX];

	EXPECT_EQ(0u, cdb_rw_encode(cdb, OP_READ_6, &(struct cdb_rw){0x200000, 1, 0}));
	EXPECT_EQ(0u, cdb_rw_encode(cdb, OP_READ_6, &(struct cdb_rw){0, 257, 0}));
	EXPECT_EQ(0u, cdb_rw_encode(cdb, OP_READ_10, &(struct cdb_rw){1ull << 32, 1, 0}));
	EXPECT_EQ(0u, cdb_rw_encode(cdb, OP_READ_10, &(struct cdb_rw){0, 65536, 0}));
	EXPECT_EQ(0u, cdb_rw_encode(cdb, OP_COMPARE_AND_WRITE, &(struct cdb_rw){0, 256, 0}));
}

TEST(third_party_copy_commands)
{
	static const struct {
		uint8_t opcode;
		struct cdb_tpc tpc;
		const char *bytes;
	} rows[] = {
		{0x83, {SA_EXTENDED_COPY_LID1, 0, 0x6c}, "830000000000000000000000006c0000"},
		{0x83, {SA_POPULATE_TOKEN, 0x01020304, 32}, "83100000000001020304000000200000"},
		{0x83,
		 {SA_COPY_OPERATION_ABORT, 0x01020304, 0},
		 "831c0102030400000000000000000000"},
		{0x84, {SA_COPY_STATUS_LID1, 0x42, 12}, "840042000000000000000000000c0000"},
		{0x84, {SA_OPERATING_PARAMETERS, 0, 256}, "84030000000000000000000001000000"},
		{0x84,
		 {SA_ROD_TOKEN_INFORMATION, 0x01020304, 600},
		 "84070102030400000000000002580000"},
	};
	struct cdb_tpc back;
	uint8_t cdb[CDB_MAX];

	for (unsigned i = 0; i < 6; i++) {
		EXPECT_BYTES(rows[i].bytes, cdb, cdb_tpc_encode(cdb, rows[i].opcode, &rows[i].tpc));
		cdb_tpc_decode(&back, cdb);
		EXPECT_EQ(rows[i].tpc.sa, back.sa);
		EXPECT_EQ(rows[i].tpc.list_id, back.list_id);
		EXPECT_EQ(rows[i].tpc.len, back.len);
	}
}

TEST(a_LUN_of_eight_bytes)
{
	uint8_t lun[8];

	lun_encode(lun, 7);
	EXPECT_BYTES("0007000000000000", lun, 8);
	lun_encode(lun, 300);
	EXPECT_BYTES("412c000000000000", lun, 8);
	for (unsigned n = 0; n < 16384; n++) {
		lun_encode(lun, n);
		ASSERT_EQ((int)n, lun_decode(lun));
	}
	lun[5] = 1;
	EXPECT_EQ(-1, lun_decode(lun));
}

static const struct cscd a_cscd = {
	.type = CSCD_IDENTIFICATION,
	.designator = {CODE_BINARY, 0, DESIGNATOR_NAA, 8, {0x31, 2, 3, 4, 5, 6, 7, 8}},
	.block_size = 512,
};

TEST(a_CSCD_descriptor)
{
	uint8_t desc[CSCD_SIZE];
	struct cscd back;

	cscd_encode(&a_cscd, desc);
	EXPECT_BYTES("e4000000010300083102030405060708000000000000000000000000"
		     "00000200",
		     desc, sizeof(desc));
	ASSERT_EQ(0, cscd_decode(&back, desc));
	EXPECT_AGAIN(cscd_encode(&back, desc), desc, sizeof(desc));
	/* As sg_xcopy sends it: with the protocol of page 83h. */
	desc[4] |= 0x50;
	desc[5] |= 0x80;
	ASSERT_EQ(0, cscd_decode(&back, desc));
	EXPECT_EQ(CODE_BINARY, back.designator.code_set);
	EXPECT_EQ(0, back.designator.association);
	EXPECT_EQ(DESIGNATOR_NAA, back.designator.type);
	desc[7] = 21;
	EXPECT_EQ(-EBADMSG, cscd_decode(&back, desc));
}

TEST(segment_descriptors)
{
	static const struct {
		struct segment s;
		const char *bytes;
	} rows[] = {
		{{.type = 2,
		  .dc = true,
		  .src = 0,
		  .dst = 1,
		  .blocks = 0xfff8,
		  .src_lba = 1,
		  .dst_lba = 0x1122},
		 "0202001800000001"
		 "0000fff8"
		 "0000000000000001"
		 "0000000000001122"},
		{{.type = 0x0a,
		  .src = 0xffff,
		  .dst = 1,
		  .bytes = 0x4000000,
		  .src_lba = 2,
		  .dst_lba = 3,
		  .dst_offset = 9},
		 "0a00001cffff0001"
		 "04000000"
		 "0000000000000002"
		 "0000000000000003"
		 "00000009"},
		{{.type = 7, .src = 1, .tur = true}, "0700000c000100000100000000000000"},
	};
	uint8_t desc[SEGMENT_MAX];
	struct segment back;

	for (unsigned i = 0; i < 3; i++) {
		size_t len = segment_encode(&rows[i].s, desc);

		EXPECT_BYTES(rows[i].bytes, desc, len);
		ASSERT_EQ((int)len, segment_decode(&back, desc, len));
		EXPECT_AGAIN(segment_encode(&back, desc), desc, len);
		EXPECT_EQ(-EMSGSIZE, segment_decode(&back, desc, len - 1));
		desc[3]++;
		EXPECT_EQ(-EBADMSG, segment_decode(&back, desc, len));
	}
	desc[0] = 0xbe;
	EXPECT_EQ(-EOPNOTSUPP, segment_decode(&back, desc, SEGMENT_MAX));
}

TEST(heads_of_copy_lists)
{
	struct xcopy_header h = {.list_id = 0x81,
				 .usage = LIST_ID_DISCARD,
				 .priority = 1,
				 .cscd_len = 64,
				 .segment_len = 28},
			    back = {0};
	uint8_t list[200] = {0};

	ASSERT_EQ(16u, xcopy_header_encode(&h, list));
	EXPECT_BYTES("81110040000000000000001c00000000", list, 16);
	ASSERT_EQ(16, xcopy_header_decode(&back, list, 16 + 92));
	EXPECT_AGAIN(xcopy_header_encode(&back, list), list, 16);
	EXPECT_EQ(-EMSGSIZE, xcopy_header_decode(&back, list, 16 + 91));

	h.lid4 = h.immed = true;
	h.list_id = 0x01020304;
	ASSERT_EQ(48u, xcopy_header_encode(&h, list));
	EXPECT_BYTES("0111002000000000000000000000000"
		     "1ff00001c01020304000000000000000000000000000000000000"
		     "0040001c0000",
		     list, 48);
	back.lid4 = true;
	ASSERT_EQ(48, xcopy_header_decode(&back, list, 48 + 92));
	EXPECT_AGAIN(xcopy_header_encode(&back, list), list, 48);
	list[0] = 2;
	EXPECT_EQ(-EBADMSG, xcopy_header_decode(&back, list, 48 + 92));
}

/* Four lengths of 32 bits have to be added in more. */
TEST(lengths_that_wrap_are_refused)
{
	struct xcopy_header h = {0};
	uint8_t list[64] = {0};

	memset(list + 8, 0xff, 8);
	EXPECT_EQ(-EMSGSIZE, xcopy_header_decode(&h, list, sizeof(list)));
}

TEST(operating_parameters)
{
	struct copy_limits_data l = {.snlid = true,
				     .cscds = 2,
				     .segments = 8,
				     .list_len = 1024,
				     .segment_bytes = 0x10000000,
				     .total_copies = 16,
				     .copies = 4,
				     .granularity = 9,
				     .codes = 2,
				     .code = {0x02, 0xe4}},
				back;
	uint8_t data[COPY_LIMITS_MAX];

	ASSERT_EQ(46u, copy_limits_encode(&l, data));
	EXPECT_BYTES("0000002a010000000002000800000400100000000000000000000000"
		     "0000000000000010"
		     "0409000000000002"
		     "02e4",
		     data, 46);
	ASSERT_EQ(0, copy_limits_decode(&l, data, 46));
	ASSERT_EQ(0, copy_limits_decode(&back, data, 45));
	EXPECT_EQ(1, back.codes);
	EXPECT_EQ(-EBADMSG, copy_limits_decode(&back, data, 43));
}

TEST(copy_status_of_both_forms)
{
	struct copy_status_lid1 one = {.held_discarded = true,
				       .status = 1,
				       .segments = 3,
				       .units = 1,
				       .count = 9},
				one_back;
	struct copy_status_lid4 four = {.response_to = 0x10,
					.status = COPY_ERROR,
					.counter = 1,
					.delay_ms = 500,
					.completion = 2,
					.units = 0xf1,
					.count = 77,
					.segments = 2,
					.sense_len = 18,
					.sense = {0x70, 0, 5}},
				four_back;
	uint8_t data[COPY_STATUS_LID4_MAX];

	copy_status_lid1_encode(&one, data);
	EXPECT_BYTES("0000000881000301"
		     "00000009",
		     data, 12);
	ASSERT_EQ(0, copy_status_lid1_decode(&one_back, data, 12));
	EXPECT_AGAIN(copy_status_lid1_encode(&one_back, data), data, 12);
	ASSERT_EQ(52u, copy_status_lid4_encode(&four, 518, data));
	EXPECT_BYTES("000002361002000100000"
		     "1f4021412f1000000000000004d0002000000000000"
		     "7000050000000000000000000000000000000000",
		     data, 52);
	ASSERT_EQ(52, copy_status_lid4_decode(&four_back, data, 52));
	EXPECT_AGAIN(copy_status_lid4_encode(&four_back, 518, data), data, 52);
	EXPECT_EQ(-EBADMSG, copy_status_lid4_decode(&four_back, data, 51));
}

TEST(failure_details)
{
	struct copy_failure f = {.status = 2, .sense_len = 3, .sense = {0x70, 0, 0x0a}}, back;
	uint8_t data[COPY_FAILURE_MAX];

	ASSERT_EQ(63u, copy_failure_encode(&f, data));
	EXPECT_BYTES("0000003b", data, 4);
	EXPECT_BYTES("0200000370000a", data + 56, 7);
	ASSERT_EQ(0, copy_failure_decode(&back, data, 63));
	EXPECT_AGAIN(copy_failure_encode(&back, data), data, 63);
	EXPECT_EQ(-EBADMSG, copy_failure_decode(&back, data, 62));
}

TEST(a_list_of_populate_token)
{
	struct populate p = {.rtv = true,
			     .immed = true,
			     .timeout = 60,
			     .type = ROD_POINT_IN_TIME,
			     .ranges = 1},
			back;
	struct token_range r = {.lba = 0x1000, .blocks = 8}, r_back;
	uint8_t list[32];

	ASSERT_EQ(32u, populate_encode(&p, list));
	token_range_encode(&r, list + POPULATE_HEAD, 0);
	EXPECT_BYTES("001e03000000003c"
		     "0080000000000010"
		     "0000000000001000"
		     "0000000800000000",
		     list, 32);
	ASSERT_EQ(0, populate_decode(&back, list, 32));
	token_range_decode(&r_back, back.range, 0);
	EXPECT_EQ(r.lba, r_back.lba);
	EXPECT_EQ(r.blocks, r_back.blocks);
	EXPECT_EQ(60u, back.timeout);
	EXPECT_EQ(-EMSGSIZE, populate_decode(&back, list, 31));
	list[15] = 8;
	EXPECT_EQ(-EBADMSG, populate_decode(&back, list, 32));
}

TEST(a_list_of_write_using_token)
{
	uint8_t token[TOKEN_SIZE], list[REDEEM_HEAD + 2 * TOKEN_RANGE];
	struct redeem r = {.delete_token = true, .offset = 5, .token = token, .ranges = 2}, back;
	struct rod_token rod;

	rod_token_zero(token);
	ASSERT_EQ(sizeof(list), redeem_encode(&r, list));
	EXPECT_BYTES("02360200000000000000000000000005ffff0001000001f8", list, 24);
	EXPECT_BYTES("0020", list + 534, 2);
	ASSERT_EQ(0, redeem_decode(&back, list, sizeof(list)));
	EXPECT_EQ(2u, back.ranges);
	EXPECT_EQ(0, memcmp(token, back.token, TOKEN_SIZE));
	ASSERT_EQ(0, rod_token_decode(&rod, back.token));
	EXPECT_EQ(ROD_ZERO, rod.type);
}

TEST(a_token_and_what_brings_it)
{
	struct rod_token t = {.type = ROD_POINT_IN_TIME,
			      .id = 7,
			      .owner = a_cscd,
			      .bytes = 4096,
			      .block_size = 512},
			 back;
	uint8_t token[TOKEN_SIZE] = {0}, info[TOKEN_INFO_SIZE];

	rod_token_encode(&t, token);
	EXPECT_BYTES("00800000000001f80000000000000007e4", token, 17);
	EXPECT_BYTES("00000000000000000000000000001000", token + 48, 16);
	ASSERT_EQ(0, rod_token_decode(&back, token));
	EXPECT_AGAIN(rod_token_encode(&back, token), token, ROD_TOKEN_SECRET);
	ASSERT_EQ(sizeof(info), token_info_encode(token, info));
	EXPECT_BYTES("000002020000", info, 6);
	EXPECT_EQ(info + 6, token_info_decode(info, sizeof(info)));
	EXPECT_EQ(NULL, token_info_decode(info, sizeof(info) - 1));
	EXPECT_EQ(4u, token_info_encode(NULL, info));
}

TEST(designators_of_page_83h)
{
	struct designator d[2] = {a_cscd.designator,
				  {CODE_ASCII, 0, DESIGNATOR_T10, 9, "COPYRNGE1"}},
			  back;
	uint8_t page[VPD_MAX];
	size_t len = vpd_identification_encode(0, d, 2, page), at = 0;

	EXPECT_BYTES("0083001901030008310203040506070802010009"
		     "434f5059524e474531",
		     page, len);
	for (unsigned i = 0; i < 2; i++) {
		ASSERT_TRUE(vpd_designator_next(page, len, &at, &back));
		EXPECT_EQ(d[i].len, back.len);
		EXPECT_EQ(d[i].type, back.type);
		EXPECT_EQ(0, memcmp(d[i].id, back.id, back.len));
	}
	EXPECT_FALSE(vpd_designator_next(page, len, &at, &back));
}

TEST(block_limits_and_provisioning)
{
	struct block_limits bl = {.wsnz = true,
				  .max_compare = 255,
				  .granularity = 8,
				  .max_transfer = 0x10000,
				  .optimal_transfer = 0x800,
				  .max_unmap = ~0u,
				  .max_unmap_ranges = 256,
				  .unmap_granularity = 8,
				  .max_write_same = 0x800000},
			    bl_back;
	struct provisioning p = {.lbpu = true,
				 .lbpws = true,
				 .lbpws10 = true,
				 .lbprz = true,
				 .type = 2},
			    p_back;
	uint8_t page[VPD_MAX];

	ASSERT_EQ(64u, vpd_block_limits_encode(&bl, page));
	EXPECT_BYTES("00b0003c01ff00080001000000000800"
		     "00000000ffffffff0000010000000008"
		     "80000000000000000080000000000000",
		     page, 48);
	ASSERT_EQ(0, vpd_block_limits_decode(&bl_back, page, 64));
	EXPECT_AGAIN(vpd_block_limits_encode(&bl_back, page), page, 64);
	ASSERT_EQ(8u, vpd_provisioning_encode(&p, page));
	EXPECT_BYTES("00b2000400e40200", page, 8);
	ASSERT_EQ(0, vpd_provisioning_decode(&p_back, page, 8));
	EXPECT_AGAIN(vpd_provisioning_encode(&p_back, page), page, 8);
}

TEST(text_is_walked_and_made)
{
	char text[64];
	size_t len = 0, at = 0;
	char *key, *value;

	ASSERT_EQ(0, iscsi_text_add(text, sizeof(text), &len, "A", "b"));
	ASSERT_EQ(0, iscsi_text_add(text, sizeof(text), &len, "Key", ""));
	EXPECT_EQ(-EMSGSIZE, iscsi_text_add(text, len + 3, &len, "x", "yy"));
	EXPECT_BYTES("413d62004b65793d00", text, len);
	ASSERT_EQ(1, iscsi_text_next(text, len, &at, &key, &value));
	EXPECT_STREQ("A", key);
	EXPECT_STREQ("b", value);
	ASSERT_EQ(1, iscsi_text_next(text, len, &at, &key, &value));
	EXPECT_STREQ("Key", key);
	EXPECT_STREQ("", value);
	EXPECT_EQ(0, iscsi_text_next(text, len, &at, &key, &value));
}

TEST(text_that_is_none)
{
	static const struct {
		const char *text;
		size_t len;
	} rows[] = {{"abc", 4}, {"=b", 3}, {"a=b", 3}};
	char copy[8], *key, *value;

	for (unsigned i = 0; i < 3; i++) {
		size_t at = 0;

		memcpy(copy, rows[i].text, rows[i].len);
		EXPECT_EQ(-EBADMSG, iscsi_text_next(copy, rows[i].len, &at, &key, &value));
	}
}

TEST(numbers_and_binary_of_text)
{
	uint8_t bytes[4];
	char text[16];
	uint32_t n;

	EXPECT_EQ(0, iscsi_text_number("0x200", 512, 512, &n));
	EXPECT_EQ(512u, n);
	EXPECT_EQ(-EBADMSG, iscsi_text_number("511", 512, 1000, &n));
	EXPECT_EQ(-EBADMSG, iscsi_text_number("-1", 0, 1000, &n));
	EXPECT_EQ(-EBADMSG, iscsi_text_number("12x", 0, 1000, &n));
	EXPECT_EQ(-EBADMSG, iscsi_text_number("99999999999", 0, ~0u, &n));
	ASSERT_EQ(4, iscsi_text_binary("0xdeadBEEF", bytes, 4));
	EXPECT_BYTES("deadbeef", bytes, 4);
	ASSERT_EQ(4, iscsi_text_binary("0b3q2+7w==", bytes, 4));
	EXPECT_BYTES("deadbeef", bytes, 4);
	EXPECT_EQ(-EBADMSG, iscsi_text_binary("0xdeadbeef00", bytes, 4));
	EXPECT_EQ(-EBADMSG, iscsi_text_binary("0b3q2+7w=", bytes, 4));
	EXPECT_EQ(-EBADMSG, iscsi_text_binary("deadbeef", bytes, 4));
	iscsi_text_hex((const uint8_t *)"\xde\xad", 2, text);
	EXPECT_STREQ("0xdead", text);
}

/* RFC 7143, A.4: 32 bytes of zeros, and of ones. */
TEST(digests_of_the_standard)
{
	struct crc32c_table t;
	uint8_t data[32] = {0}, digest[4];

	crc32c_init(&t);
	iscsi_digest(&t, data, 32, digest);
	EXPECT_BYTES("aa36918a", digest, 4);
	memset(data, 0xff, 32);
	iscsi_digest(&t, data, 32, digest);
	EXPECT_BYTES("43aba862", digest, 4);
	memset(data + 29, 0, 3);
	iscsi_digest(&t, data, 32, digest);
	{
		uint8_t padded[4];

		iscsi_digest_padded(&t, data, 29, padded);
		EXPECT_EQ(0, memcmp(digest, padded, 4));
	}
}

/* RFC 1321, A.5 */
TEST(md5_of_the_standard)
{
	static const struct {
		const char *text, *digest;
	} rows[] = {
		{"", "d41d8cd98f00b204e9800998ecf8427e"},
		{"abc", "900150983cd24fb0d6963f7d28e17f72"},
		{"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
		 "57edf4a22be3c955ac49da2e2107b67a"},
	};
	uint8_t digest[MD5_SIZE];
	struct md5 m;

	for (unsigned i = 0; i < 3; i++) {
		md5_init(&m);
		md5_add(&m, rows[i].text, strlen(rows[i].text));
		md5_end(&m, digest);
		EXPECT_BYTES(rows[i].digest, digest, sizeof(digest));
	}
}

TEST_HARNESS_MAIN
