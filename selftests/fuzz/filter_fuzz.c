// SPDX-License-Identifier: GPL-2.0-or-later
/* Patterns of --exclude against names: no byte beyond either, and always an end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/ocp/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct filter *f = NULL;
	const uint8_t *zero = memchr(data, 0, size);
	size_t len = zero ? (size_t)(zero - data) : size;
	char *pattern = strndup((const char *)data, len);
	char *text = zero ? strndup((const char *)zero + 1, size - len - 1) : strdup("a/b/c.o");

	if (pattern && text) {
		filter_match(pattern, text);
		if (!filter_add(&f, true, pattern))
			filter_wants(f, "a/b/", text, size & 1);
		filter_free(f);
	}
	free(pattern);
	free(text);
	return 0;
}
