// SPDX-License-Identifier: GPL-2.0-or-later
/* zeros.c - finding zeros in what was read. */
#include <string.h>

#include "stream.h"

/* Data differs in the first word nearly always; the rest is memcmp's with itself, one word on. */
static bool all_zero(const char *buf, size_t len)
{
	uint64_t word;

	if (len < sizeof(word)) {
		for (size_t i = 0; i < len; i++)
			if (buf[i])
				return false;
		return true;
	}
	memcpy(&word, buf, sizeof(word));
	return !word && !memcmp(buf, buf + sizeof(word), len - sizeof(word));
}

size_t zero_run(const char *buf, size_t len, bool *zero)
{
	size_t at = 0;

	*zero = len >= ZERO_BLOCK && all_zero(buf, ZERO_BLOCK);
	while (len - at >= ZERO_BLOCK && all_zero(buf + at, ZERO_BLOCK) == *zero)
		at += ZERO_BLOCK;
	if (len - at < ZERO_BLOCK && (!*zero || all_zero(buf + at, len - at)))
		at = len;
	return at;
}

bool zero_any(const char *buf, size_t len)
{
	for (size_t at = 0; at < len; at += ZERO_BLOCK)
		if (all_zero(buf + at, MIN(ZERO_BLOCK, len - at)))
			return true;
	return false;
}
