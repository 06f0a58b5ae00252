// SPDX-License-Identifier: GPL-2.0-or-later
/* The text of the progress line, for every width of terminal. */
#include <locale.h>
#include <string.h>

#include "kselftest_harness.h"
#include "userspace/bar.h"
#include "userspace/size.h"

#define GIB ((uint64_t)1 << 30)

static const struct {
	struct bar bar;
	unsigned columns;
	const char *text;
} rows[] = {
	{{.done = GIB,
	  .counted = true,
	  .total = 2 * GIB,
	  .rate = GIB / 2,
	  .strategy = "encoded",
	  .name = "disk.img",
	  .percent = -1},
	 100,
	 "[##########          ] 50%  1.0 GiB of 2.0 GiB 512.0 MiB/s 0:02 left  encoded  disk.img"},
	{{.done = 2 * GIB,
	  .counted = true,
	  .total = GIB,
	  .strategy = "",
	  .name = "",
	  .percent = -1},
	 100,
	 "[####################] 100%  2.0 GiB of 1.0 GiB"},
	{{.done = 3 << 20,
	  .files = 120,
	  .strategy = "stream",
	  .name = "x",
	  .percent = -1,
	  .offloaded = 80},
	 79,
	 "3.0 MiB  120 files  stream  80% offloaded  x"},
	{{.done = 3 << 20,
	  .files = 2,
	  .strategy = "clone",
	  .name = "x",
	  .percent = -1,
	  .offloaded = 100},
	 79,
	 "3.0 MiB  2 files  clone  x"},
	{{.done = GIB,
	  .counted = true,
	  .total = 2 * GIB,
	  .rate = GIB,
	  .left_rate = GIB / 10,
	  .strategy = "",
	  .name = "",
	  .percent = -1},
	 79,
	 "[#####     ] 50%  1.0 GiB of 2.0 GiB 1.0 GiB/s 0:10 left"},
	{{.done = 3 << 20, .files = 120, .strategy = "clone", .name = "x", .percent = -1},
	 79,
	 "3.0 MiB  120 files  clone  x"},
	{{.done = GIB, .files = 3, .strategy = "stream", .name = "big", .percent = 43},
	 79,
	 "1.0 GiB  3 files  stream  43% of big"},
	{{.done = 0,
	  .counted = true,
	  .total = 400 * GIB,
	  .rate = 1 << 20,
	  .strategy = "",
	  .name = "",
	  .percent = -1},
	 79,
	 "[          ] 0%  0 bytes of 400.0 GiB 1.0 MiB/s days left"},
	{{.done = 0,
	  .counted = true,
	  .total = 4 * GIB,
	  .rate = 1 << 20,
	  .strategy = "",
	  .name = "",
	  .percent = -1},
	 79,
	 "[          ] 0%  0 bytes of 4.0 GiB 1.0 MiB/s 1:08:16 left"},
	{{.done = 1, .counted = true, .total = GIB, .strategy = "", .name = "name", .percent = -1},
	 10,
	 "[         "},
	{{.done = GIB,
	  .total = 3 * GIB,
	  .files = 5,
	  .all_files = 12,
	  .rate = GIB,
	  .work_rate = GIB,
	  .strategy = "clone",
	  .name = "x",
	  .percent = -1},
	 79,
	 "1.0 GiB of at least 3.0 GiB  5 of 12 files 1.0 GiB/s  clone  x"},
	{{.done = GIB,
	  .total = 3 * GIB,
	  .files = 5,
	  .all_files = 12,
	  .counted = true,
	  .rate = GIB,
	  .work_rate = GIB,
	  .strategy = "",
	  .name = "",
	  .percent = -1},
	 79,
	 "[###       ] 33%  1.0 GiB of 3.0 GiB  5 of 12 files 1.0 GiB/s 0:02 left"},
	{{.files = 250000,
	  .all_files = 1000000,
	  .counted = true,
	  .work_rate = (uint64_t)32768 * 100000,
	  .strategy = "",
	  .name = "",
	  .percent = -1},
	 79,
	 "[##        ] 25%  0 bytes  250000 of 1000000 files 0:07 left"},
	{{.done = 5, .files = 1, .strategy = "", .name = "a/very/long/path/name", .percent = -1},
	 29,
	 "5 bytes  1 file  ...path/name"},
	{{.done = 5, .files = 1, .strategy = "", .name = "new\nline\xff", .percent = -1},
	 79,
	 "5 bytes  1 file  new?line?"},
};

TEST(lines_as_the_table_has_them)
{
	char text[1024];

	setlocale(LC_ALL, "C.UTF-8");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = bar_line(&rows[i].bar, rows[i].columns, text, sizeof(text));

		EXPECT_STREQ(rows[i].text, text);
		EXPECT_EQ(strlen(text), len);
	}
}

TEST(no_width_and_no_name_overflow)
{
	struct bar bar = {.done = 1,
			  .files = UINT64_MAX,
			  .rate = UINT64_MAX,
			  .strategy = "offload",
			  .percent = 100};
	char name[300], text[2048];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	bar.name = name;
	for (unsigned columns = 0; columns < 500; columns++) {
		ASSERT_LE(bar_line(&bar, columns, text, sizeof(text)), columns);
		ASSERT_LE(strlen(text), columns);
	}
}

TEST(wide_characters_count_twice)
{
	struct bar bar = {.strategy = "",
			  .percent = -1,
			  .name = "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2"};
	char text[256];

	if (!setlocale(LC_ALL, "C.UTF-8"))
		SKIP(return, "no locale C.UTF-8");
	bar_line(&bar, 19, text, sizeof(text));
	EXPECT_STREQ("0 bytes  \xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2", text);
	bar_line(&bar, 18, text, sizeof(text));
	EXPECT_STREQ("0 bytes  ...\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2", text);
}

TEST(sizes_are_cut_not_rounded)
{
	char text[SIZE_TEXT];

	EXPECT_STREQ("0 bytes", size_text(0, text));
	EXPECT_STREQ("1023 bytes", size_text(1023, text));
	EXPECT_STREQ("1.0 KiB", size_text(1024, text));
	EXPECT_STREQ("1023.9 KiB", size_text((1 << 20) - 1, text));
	EXPECT_STREQ("1.0 MiB", size_text(1 << 20, text));
	EXPECT_STREQ("15.9 EiB", size_text(UINT64_MAX, text));
}

TEST_HARNESS_MAIN
