/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preload.h - the parts of libocp-preload.so. */
#ifndef PRELOAD_H
#define PRELOAD_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/served.h"

#define EXPORT __attribute__((visibility("default")))

/* Set once, before main(); nothing else is kept between calls. */
struct preload {
	unsigned flags;	      /* COPY_RANGE_* of OCP_OFFLOAD */
	bool clone_copies;    /* OCP_CLONE=copy */
	bool trace_stderr;    /* OCP_TRACE=stderr */
	char trace[PATH_MAX]; /* or OCP_TRACE=FILE; "": none */
	pid_t pid;	      /* of the process whose memory this is */
	/* What the program would have called without us. */
	ssize_t (*copy_file_range)(int in, int64_t *off_in, int out, int64_t *off_out, size_t len,
				   unsigned flags);
	ssize_t (*sendfile)(int out, int in, off_t *off, size_t len);
	int (*ioctl)(int fd, unsigned long request, ...);
};

extern struct preload preload; /* setup.c */

/*
 * False in a child of vfork(2), which runs on its parent's memory: there no
 * thread may be started and no memory taken.
 */
bool may_take_over(void);

/* take.c: each leaves errno as the call that it stands for. */

ssize_t take_copy(const struct served *call, int64_t *off_in, int64_t *off_out, int saved_errno);

/* Return: 0, when the real call has to do it. */
ssize_t take_sendfile(const struct served *call, int64_t *off_in);

int take_clone(int out, unsigned long request, void *arg, int saved_errno);

/* The core's ioctl(2), which must not come back to ours: the build renames it. */
int next_ioctl(int fd, unsigned long request, ...);

#endif
