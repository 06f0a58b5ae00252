/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agree.h - the two calls that have to agree, and the random part of that test. */
#ifndef AGREE_H
#define AGREE_H

#include "copytest.h"

typedef ssize_t copy_call(int in, off_t *off_in, int out, off_t *off_out, size_t len);

copy_call copy_kernel; /* the system call itself, not the wrapper of the C library */
copy_call copy_ours;

/*
 * @ops random operations on files below @dir, by the kernel, by us, and on a
 * model in memory.  Returns 0, or prints the first that disagree and returns 1.
 */
int random_agrees(const char *dir, unsigned long seed, unsigned long ops);

#endif
