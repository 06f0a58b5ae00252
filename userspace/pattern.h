/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pattern.h - names as people write them for several. */
#ifndef USERSPACE_PATTERN_H
#define USERSPACE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* A pattern or text that ends at a pointer. */
struct span {
	const unsigned char *at, *end;
};

static inline struct span span_of(const char *text, size_t len)
{
	const unsigned char *at = (const unsigned char *)text;

	return (struct span){at, at + len};
}

/**
 * pattern_match - *, ? and [] within a component, ** across them, \ before any of them
 *
 * As rsync's patterns.  Bytes are compared, not characters.
 */
bool pattern_match(struct span pattern, struct span text);

#endif
