// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON is valid whatever is in it; bytes that are no UTF-8 come a second time in hexadecimal. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "userspace/json.h"

/* One member "p" with @value, as text of malloc(). */
static char *one_path(const char *value)
{
	char *text;
	size_t size;
	struct json j = {.out = open_memstream(&text, &size)};

	json_begin(&j, NULL, '{');
	json_path(&j, "p", value);
	json_end(&j, '}');
	fclose(j.out);
	return text;
}

static const struct {
	const char *value, *json;
} rows[] = {
	{"", "{\"p\":\"\"}"},
	{"a/b c", "{\"p\":\"a/b c\"}"},
	{"\"\\", "{\"p\":\"\\\"\\\\\"}"},
	{"\t\n\x01\x7f", "{\"p\":\"\\u0009\\u000a\\u0001\\u007f\"}"},
	{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
	 "{\"p\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}"},
	{"a\xff", "{\"p\":\"a\\ufffd\",\"p_hex\":\"61ff\"}"},
	{"\xe2\x82", "{\"p\":\"\\ufffd\\ufffd\",\"p_hex\":\"e282\"}"},
	{"\xc0\xaf", "{\"p\":\"\\ufffd\\ufffd\",\"p_hex\":\"c0af\"}"},		    /* overlong */
	{"\xed\xa0\x80", "{\"p\":\"\\ufffd\\ufffd\\ufffd\",\"p_hex\":\"eda080\"}"}, /* surrogate */
	{"\xf4\x90\x80\x80", "{\"p\":\"\\ufffd\\ufffd\\ufffd\\ufffd\",\"p_hex\":\"f4908080\"}"},
	{"\xe0\x9f\xbf", "{\"p\":\"\\ufffd\\ufffd\\ufffd\",\"p_hex\":\"e09fbf\"}"},
};

TEST(strings_are_escaped)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = one_path(rows[i].value);

		EXPECT_STREQ(rows[i].json, text);
		free(text);
	}
}

TEST(commas_and_brackets_nest)
{
	char *text;
	size_t size;
	struct json j = {.out = open_memstream(&text, &size)};

	json_begin(&j, NULL, '{');
	json_number(&j, "n", UINT64_MAX);
	json_begin(&j, "empty", '[');
	json_end(&j, ']');
	json_begin(&j, "list", '[');
	json_begin(&j, NULL, '{');
	json_bool(&j, "yes", true);
	json_bool(&j, "no", false);
	json_end(&j, '}');
	json_string(&j, NULL, "x");
	json_end(&j, ']');
	json_seconds(&j, "s", 61002003999u);
	json_end(&j, '}');
	fclose(j.out);
	EXPECT_STREQ(
		"{\"n\":18446744073709551615,\"empty\":[],\"list\":[{\"yes\":true,\"no\":false},"
		"\"x\"],\"s\":61.002003}",
		text);
	free(text);
}

/* Random bytes through a parser that takes nothing but JSON. */
TEST(a_parser_accepts_random_bytes)
{
	FILE *python;
	unsigned seed = 7;

	if (system("python3 -c 'import json' 2>/dev/null"))
		SKIP(return, "no python3");
	python = popen("python3 -c '\nimport sys, json\n"
		       "for line in sys.stdin.buffer:\n"
		       "  o = json.loads(line.decode(\"utf-8\", \"strict\"))\n"
		       "  if \"p_hex\" in o: bytes.fromhex(o[\"p_hex\"])\n"
		       "'",
		       "w");
	ASSERT_NE(NULL, python);
	for (unsigned i = 0; i < 2000; i++) {
		char value[16] = "", *text;

		for (unsigned k = 0; k < 1 + i % 12; k++) {
			seed = seed * 1103515245 + 12345;
			value[k] = (char)(1 + (seed >> 16) % 255);
		}
		text = one_path(value);
		fprintf(python, "%s\n", text);
		free(text);
	}
	EXPECT_EQ(0, pclose(python));
}

TEST_HARNESS_MAIN
