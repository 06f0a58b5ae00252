/* SPDX-License-Identifier: GPL-2.0-or-later */
/* size.h - numbers of bytes for people. */
#ifndef USERSPACE_SIZE_H
#define USERSPACE_SIZE_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#define SIZE_TEXT 16

/**
 * size_text - "100 bytes", "1.5 MiB": cut, not rounded, so it never says too much
 * @text: SIZE_TEXT bytes, returned
 */
static inline const char *size_text(uint64_t bytes, char *text)
{
	const char *unit = "KMGTPE";
	unsigned tenths;

	if (bytes < 1024) {
		snprintf(text, SIZE_TEXT, "%u bytes", (unsigned)bytes);
		return text;
	}
	/* Whole numbers: no rounding up to 1024.0, no decimal comma of the locale. */
	for (; bytes >= 1024 * 1024; unit++)
		bytes /= 1024;
	tenths = (unsigned)(bytes * 10 / 1024);
	snprintf(text, SIZE_TEXT, "%u.%u %ciB", tenths / 10, tenths % 10, *unit);
	return text;
}

#endif
