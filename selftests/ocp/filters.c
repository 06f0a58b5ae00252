// SPDX-License-Identifier: GPL-2.0-or-later
/* --exclude and --include: which patterns fit which names. */
#include <errno.h>
#include <string.h>

#include "kselftest_harness.h"
#include "userspace/ocp/filter.h"

static const struct {
	const char *pattern, *text;
	bool matches;
} globs[] = {
	{"abc", "abc", true},
	{"abc", "abcd", false},
	{"a?c", "abc", true},
	{"a?c", "a/c", false},
	{"*.o", "x.o", true},
	{"*.o", "x.oo", false},
	{"*", "a/b", false},
	{"**", "a/b", true},
	{"a/*/c", "a/b/c", true},
	{"a/*/c", "a/b/b/c", false},
	{"a/**/c", "a/b/b/c", true},
	{"**a*b", "xa/ab", true},
	{"*a**b*c", "xa/y/bzc", true},
	{"*a**b*c", "xa/y/bz/c", false},
	{"[abc]x", "bx", true},
	{"[!abc]x", "bx", false},
	{"[^a-c]x", "dx", true},
	{"[]]", "]", true},
	{"[a-]", "-", true},
	{"[!/]", "/", false},
	{"[", "[", true},
	{"[ab", "[ab", true},
	{"\\*", "*", true},
	{"\\*", "a", false},
	{"a\\", "a\\", true},
	{"[\\]]", "]", true},
	{"*a*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 false},
	{"", "", true},
	{"*", "", true},
};

TEST(patterns_match_as_those_of_rsync)
{
	for (unsigned i = 0; i < sizeof(globs) / sizeof(globs[0]); i++)
		EXPECT_EQ(globs[i].matches, filter_match(globs[i].pattern, globs[i].text))
		{
			TH_LOG("'%s' and '%s'", globs[i].pattern, globs[i].text);
		}
}

static const struct {
	const char *rules[4]; /* + or - first */
	const char *dir, *name;
	bool is_dir, wanted;
} rows[] = {
	{{"-*.o"}, "", "x.o", false, false},
	{{"-*.o"}, "a/b/", "x.o", false, false},
	{{"-*.o"}, "", "x.c", false, true},
	{{"+keep.o", "-*.o"}, "a/", "keep.o", false, true},
	{{"-*.o", "+keep.o"}, "a/", "keep.o", false, false},
	{{"-/tmp"}, "", "tmp", true, false},
	{{"-/tmp"}, "a/", "tmp", true, true},
	{{"-/a/tmp"}, "a/", "tmp", true, false},
	{{"-/a/tmp"}, "b/a/", "tmp", true, true},
	{{"-tmp/"}, "a/", "tmp", true, false},
	{{"-tmp/"}, "a/", "tmp", false, true},
	{{"-/tmp/"}, "", "tmp", true, false},
	{{"-a/tmp"}, "b/a/", "tmp", false, false},
	{{"-a/tmp"}, "ba/", "tmp", false, true},
	{{"-/**/x"}, "a/b/", "x", false, false},
	{{"-/**/x"}, "", "x", false, true},
	{{"+*/", "+*.c", "-*"}, "a/", "x.c", false, true},
	{{"+*/", "+*.c", "-*"}, "a/", "x.h", false, false},
	{{"+*/", "+*.c", "-*"}, "a/", "sub", true, true},
};

TEST(the_first_rule_that_fits_decides)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct filter *f = NULL;

		for (unsigned k = 0; k < 4 && rows[i].rules[k]; k++)
			ASSERT_EQ(0,
				  filter_add(&f, rows[i].rules[k][0] == '+', rows[i].rules[k] + 1));
		EXPECT_EQ(rows[i].wanted,
			  filter_wants(f, rows[i].dir, rows[i].name, rows[i].is_dir))
		{
			TH_LOG("row %u: %s and %s%s", i, rows[i].rules[0], rows[i].dir,
			       rows[i].name);
		}
		filter_free(f);
	}
}

TEST(a_rule_that_can_match_nothing_is_refused)
{
	struct filter *f = NULL;

	EXPECT_EQ(-EINVAL, filter_add(&f, false, ""));
	EXPECT_EQ(-EINVAL, filter_add(&f, false, "/"));
	EXPECT_EQ(NULL, f);
}

TEST_HARNESS_MAIN
