// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/crc32c: both ways to compute it. */
#include "lib/crc32c.h"

#include "kselftest_harness.h"

/* Processors that have no instruction for it go by the tables. */
TEST(digests_by_instruction_and_by_tables_are_the_same)
{
	struct crc32c_table fast, slow;
	static uint8_t data[10000];

	crc32c_init(&fast);
	slow = fast;
	slow.fast = NULL;
	if (!fast.fast)
		SKIP(return, "this processor has no instruction for CRC32C");
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + (i >> 8));
	for (size_t len = 0; len < sizeof(data) - 7; len = len < 64 ? len + 1 : len * 9 / 8)
		for (unsigned from = 0; from < 7; from++)
			ASSERT_EQ(crc32c(&slow, ~0u, data + from, len),
				  crc32c(&fast, ~0u, data + from, len));
}

TEST_HARNESS_MAIN
