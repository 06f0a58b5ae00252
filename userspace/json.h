/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json.h - writes JSON as it comes, no tree: memory does not grow.
 *
 * A key is NULL inside an array.  Strings that are not UTF-8 keep their valid
 * part and get U+FFFD for each byte that is not; json_path() then adds a
 * second member with the exact bytes in hexadecimal.
 */
#ifndef CR_JSON_H
#define CR_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	bool comma; /* a value went before on this level */
};

void json_begin(struct json *j, const char *key, char bracket); /* '{' or '[' */
void json_end(struct json *j, char bracket);			/* '}' or ']' */
void json_number(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);
/* @ns nanoseconds as decimal seconds, whatever the locale's decimal point. */
void json_seconds(struct json *j, const char *key, uint64_t ns);
void json_string(struct json *j, const char *key, const char *value);
/* As json_string(), and KEY_hex when @value is not UTF-8. */
void json_path(struct json *j, const char *key, const char *value);

#endif
