/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bar.h - one line of progress as text. */
#ifndef USERSPACE_BAR_H
#define USERSPACE_BAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bar {
	uint64_t done, total;	   /* bytes; total is what is counted so far, */
	uint64_t files, all_files; /* as for files */
	bool counted;		   /* and that is all there is */
	uint64_t rate;		   /* bytes a second */
	uint64_t left_rate;	   /* the same over a longer time, for the time left; 0: rate */
	uint64_t work_rate;	   /* bar_work() a second, over that time too */
	int offloaded;		   /* percent of done that did not pass through the process */
	const char *strategy;	   /* of the file below, or "" */
	const char *name;	   /* a file that is being copied, or "" */
	int percent;		   /* of that file, -1: not worth saying */
};

/* Files cost beside their bytes: what percent and time left are reckoned in. */
static inline uint64_t bar_work(uint64_t bytes, uint64_t files)
{
	return bytes + files * 32768;
}

/**
 * bar_line - write @bar into at most @columns columns
 *
 * [#####     ] 50%  1.0 GiB of 2.0 GiB 512.0 MiB/s 0:02 left  clone  80% offloaded  name
 * While not all is counted: "1.0 GiB of at least 2.0 GiB", and no percent.
 * A long name loses its front; bytes that cannot be shown are '?'.
 * Return: bytes put into @text, always NUL-terminated.
 */
size_t bar_line(const struct bar *bar, unsigned columns, char *text, size_t size);

#endif
