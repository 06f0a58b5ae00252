/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bar.h - one line of progress as text. */
#ifndef OCP_BAR_H
#define OCP_BAR_H

#include <stddef.h>
#include <stdint.h>

struct bar {
	uint64_t done, total; /* bytes; total 0: not known yet */
	uint64_t files;	      /* finished */
	uint64_t rate;	      /* bytes a second */
	const char *strategy; /* of the file below, or "" */
	const char *name;     /* a file that is being copied, or "" */
	int percent;	      /* of that file, -1: not worth saying */
};

/**
 * bar_line - write @bar into at most @columns columns
 *
 * [#####     ] 50%  1.0 GiB of 2.0 GiB 512.0 MiB/s 0:02 left  clone  name
 * A long name loses its front; bytes that cannot be shown are '?'.
 * Return: bytes put into @text, always NUL-terminated.
 */
size_t bar_line(const struct bar *bar, unsigned columns, char *text, size_t size);

#endif
