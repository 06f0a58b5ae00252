// SPDX-License-Identifier: GPL-2.0-or-later
#include "iscsi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 63

void iscsi_digest(const struct crc32c_table *table, const void *data, size_t len,
		  uint8_t digest[ISCSI_DIGEST])
{
	put_le32(digest, ~crc32c(table, ~0u, data, len));
}

void iscsi_digest_padded(const struct crc32c_table *table, const void *data, size_t len,
			 uint8_t digest[ISCSI_DIGEST])
{
	static const uint8_t zeros[4];
	uint32_t crc = crc32c(table, ~0u, data, len);

	put_le32(digest, ~crc32c(table, crc, zeros, -len & 3));
}

int iscsi_text_next(char *text, size_t len, size_t *at, char **key, char **value)
{
	char *nul, *equals;

	/* NUL bytes that fill the last word are no text. */
	while (*at < len && !text[*at])
		(*at)++;
	if (*at == len)
		return 0;
	*key = text + *at;
	nul = memchr(*key, 0, len - *at);
	if (!nul)
		return -EBADMSG;
	equals = strchr(*key, '=');
	if (!equals || equals == *key || equals - *key > KEY_MAX)
		return -EBADMSG;
	*equals = 0;
	*value = equals + 1;
	*at = (size_t)(nul - text) + 1;
	return 1;
}

int iscsi_text_add(char *text, size_t room, size_t *len, const char *key, const char *value)
{
	size_t k = strlen(key), v = strlen(value);

	if (k + v + 2 > room - *len)
		return -EMSGSIZE;
	snprintf(text + *len, room - *len, "%s=%s", key, value);
	*len += k + v + 2;
	return 0;
}

int iscsi_text_number(const char *value, uint32_t min, uint32_t max, uint32_t *number)
{
	bool hex = value[0] == '0' && (value[1] | 0x20) == 'x';
	const char *digits = hex ? value + 2 : value;
	size_t n = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
	unsigned long long v;

	if (!n || digits[n] || n > 10)
		return -EBADMSG;
	v = strtoull(digits, NULL, hex ? 16 : 10);
	if (v < min || v > max)
		return -EBADMSG;
	*number = (uint32_t)v;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int from_hex(const char *text, uint8_t *bytes, size_t room)
{
	size_t len = strlen(text), n = 0;
	int high, low;

	if (!len || len % 2 || len / 2 > room)
		return -EBADMSG;
	for (; *text; text += 2) {
		high = hex_digit(text[0]);
		low = hex_digit(text[1]);
		if (high < 0 || low < 0)
			return -EBADMSG;
		bytes[n++] = (uint8_t)(high << 4 | low);
	}
	return (int)n;
}

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = strchr(digits, c);

	return at && c ? (int)(at - digits) : -1;
}

static int from_base64(const char *text, uint8_t *bytes, size_t room)
{
	size_t len = strlen(text), n = 0;
	uint32_t bits = 0;

	if (!len || len % 4)
		return -EBADMSG;
	for (unsigned pad = 0; pad < 2 && text[len - 1] == '='; pad++)
		len--;
	if (len * 3 / 4 > room)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++) {
		int digit = base64_digit(text[i]);

		if (digit < 0)
			return -EBADMSG;
		bits = bits << 6 | (uint32_t)digit;
		if (i % 4)
			bytes[n++] = (uint8_t)(bits >> (6 - i % 4 * 2));
	}
	return (int)n;
}

int iscsi_text_binary(const char *value, uint8_t *bytes, size_t room)
{
	if (value[0] != '0')
		return -EBADMSG;
	if ((value[1] | 0x20) == 'x')
		return from_hex(value + 2, bytes, room);
	if ((value[1] | 0x20) == 'b')
		return from_base64(value + 2, bytes, room);
	return -EBADMSG;
}

void iscsi_text_hex(const uint8_t *bytes, size_t len, char *text)
{
	static const char digits[] = "0123456789abcdef";

	*text++ = '0';
	*text++ = 'x';
	for (size_t i = 0; i < len; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = 0;
}
