/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json.h"

#include <inttypes.h>
#include <string.h>

/*
 * Length of the UTF-8 character at @s, 0 if there is none: RFC 3629, so no
 * overlong forms, no surrogates, nothing above U+10FFFF.  Independent of the
 * locale, because JSON is.
 */
static unsigned utf8_length(const unsigned char *s)
{
	unsigned n, i;

	if (*s < 0x80)
		return 1;
	n = *s >= 0xc2 && *s < 0xe0   ? 2
	    : *s >= 0xe0 && *s < 0xf0 ? 3
	    : *s >= 0xf0 && *s < 0xf5 ? 4
				      : 0;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] >= 0xa0) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

static bool utf8_valid(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned n;

	for (; *s; s += n) {
		n = utf8_length(s);
		if (!n)
			return false;
	}
	return true;
}

static void put_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned n;

	fputc('"', out);
	for (; *s; s += n ? n : 1) {
		n = utf8_length(s);
		if (!n)
			fputs("\\ufffd", out);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\u%04x", *s);
		else
			fwrite(s, 1, n, out);
	}
	fputc('"', out);
}

static void put_key(struct json *j, const char *key)
{
	if (j->comma)
		fputc(',', j->out);
	j->comma = true;
	if (!key)
		return;
	put_string(j->out, key);
	fputc(':', j->out);
}

void json_begin(struct json *j, const char *key, char bracket)
{
	put_key(j, key);
	fputc(bracket, j->out);
	j->comma = false;
}

void json_end(struct json *j, char bracket)
{
	fputc(bracket, j->out);
	j->comma = true;
}

void json_number(struct json *j, const char *key, uint64_t value)
{
	put_key(j, key);
	fprintf(j->out, "%" PRIu64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	put_key(j, key);
	fputs(value ? "true" : "false", j->out);
}

void json_seconds(struct json *j, const char *key, uint64_t ns)
{
	put_key(j, key);
	fprintf(j->out, "%" PRIu64 ".%06" PRIu64, ns / 1000000000u, ns / 1000u % 1000000u);
}

void json_string(struct json *j, const char *key, const char *value)
{
	put_key(j, key);
	put_string(j->out, value);
}

void json_path(struct json *j, const char *key, const char *value)
{
	json_string(j, key, value);
	if (utf8_valid(value))
		return;
	fprintf(j->out, ",\"%s_hex\":\"", key);
	for (; *value; value++)
		fprintf(j->out, "%02x", (unsigned char)*value);
	fputc('"', j->out);
}
