// SPDX-License-Identifier: GPL-2.0-or-later
/* What an initiator reads in answers of units, byte by byte. */
#include <errno.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/bytes.h"
#include "scsi/proto/cdb.h"
#include "scsi/proto/vpd.h"

TEST(what_an_array_says_of_copies_on_page_8Fh)
{
	/* ROD limits; commands 83h: 00 01 10 11 1c, 84h: 03 05 07; descriptors 02 0a e4 */
	static const char bytes[] = "008f0040"
				    "00000020"
				    "000000000000"
				    "0040"
				    "0000003c"
				    "0000001e"
				    "0000000002000000"
				    "0000000000020000"
				    "00010010"
				    "0c"
				    "8305000110111c"
				    "8403030507"
				    "000000"
				    "00080004"
				    "03020ae4";
	uint8_t page[80];
	struct tpc_page tpc;

	for (size_t i = 0; i < sizeof(bytes) / 2; i++)
		sscanf(bytes + 2 * i, "%2hhx", &page[i]);
	ASSERT_EQ(0, vpd_tpc_decode(&tpc, page, sizeof(bytes) / 2));
	EXPECT_EQ(1u << 0 | 1u << 1 | 1u << 0x10 | 1u << 0x11 | 1u << 0x1c, tpc.out);
	EXPECT_EQ(1u << 3 | 1u << 5 | 1u << 7, tpc.in);
	EXPECT_EQ(64, tpc.max_ranges);
	EXPECT_EQ(30, tpc.default_timeout);
	EXPECT_EQ(0x2000000, tpc.max_transfer);
	EXPECT_EQ(0x20000, tpc.optimal_transfer);
	ASSERT_EQ(3, tpc.codes);
	EXPECT_EQ(0, memcmp("\x02\x0a\xe4", tpc.code, 3));
	for (size_t len = 0; len < sizeof(bytes) / 2; len++)
		EXPECT_EQ(len < 4 ? -EBADMSG : 0, vpd_tpc_decode(&tpc, page, len));
	page[1] = 0x83;
	EXPECT_EQ(-EBADMSG, vpd_tpc_decode(&tpc, page, 72));
}

TEST(names_of_INQUIRY)
{
	const struct inquiry inq = {.third_party_copy = true,
				    .vendor = "ACME",
				    .product = "a\tb  \xff of sixteen characters",
				    .revision = "1"};
	uint8_t data[INQUIRY_SIZE];
	struct inquiry_text text;

	inquiry_encode(&inq, data);
	ASSERT_EQ(0, inquiry_decode(&text, data, sizeof(data)));
	EXPECT_STREQ("ACME", text.vendor);
	EXPECT_STREQ("a?b  ? of sixtee", text.product);
	EXPECT_TRUE(text.third_party_copy);
	EXPECT_EQ(-EBADMSG, inquiry_decode(&text, data, 35));
}

TEST(LBA_status)
{
	uint8_t data[8 + 3 * 16] = {0};
	uint64_t blocks;
	bool hole;

	/* 100 mapped, 50 mapped, 10 deallocated */
	put_be32(data, 4 + 3 * 16);
	for (unsigned i = 0; i < 3; i++) {
		put_be64(data + 8 + 16 * (size_t)i, (const uint64_t[]){1000, 1100, 1150}[i]);
		put_be32(data + 16 + 16 * (size_t)i, (const uint32_t[]){100, 50, 10}[i]);
		data[20 + 16 * (size_t)i] = i == 2;
	}
	ASSERT_EQ(0, lba_status_decode(data, sizeof(data), 1020, &blocks, &hole));
	EXPECT_EQ(130, blocks);
	EXPECT_FALSE(hole);
	ASSERT_EQ(0, lba_status_decode(data, sizeof(data) - 16, 1020, &blocks, &hole));
	EXPECT_EQ(130, blocks);
	/* Not from where it was asked, nothing, too much. */
	EXPECT_EQ(-EBADMSG, lba_status_decode(data, sizeof(data), 999, &blocks, &hole));
	EXPECT_EQ(-EBADMSG, lba_status_decode(data, 20, 1000, &blocks, &hole));
	put_be64(data + 8, UINT64_MAX - 5);
	EXPECT_EQ(-EBADMSG, lba_status_decode(data, sizeof(data), UINT64_MAX - 3, &blocks, &hole));
	put_be32(data, 4);
	EXPECT_EQ(-EBADMSG, lba_status_decode(data, sizeof(data), 1000, &blocks, &hole));
}

TEST_HARNESS_MAIN
