// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * swap.c - which files are swap space.
 *
 * Only /proc/swaps tells, and reading it for every file of a tree would cost
 * more than many of the copies.  It can be polled: one call says whether the
 * list of this namespace is still right.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/host/host.h"

#define SWAP_FILES_MAX 64 /* Linux has 29 swap areas at most (MAX_SWAPFILES) */

struct swap_file {
	uint64_t dev, ino;
};

struct host_room {
	pthread_mutex_t lock;
	FILE *swaps; /* NULL before the first question */
	unsigned n;
	struct swap_file file[SWAP_FILES_MAX];
};

int host_start(void **room)
{
	struct host_room *hr = calloc(1, sizeof(*hr));

	if (!hr)
		return -ENOMEM;
	pthread_mutex_init(&hr->lock, NULL);
	*room = hr;
	return 0;
}

void host_stop(void *room)
{
	struct host_room *hr = room;

	if (hr->swaps)
		fclose(hr->swaps);
	pthread_mutex_destroy(&hr->lock);
	free(hr);
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* The name at the start of a line, in place: blanks of a path are octal there. */
static bool swap_name(char *line)
{
	char *end = strchr(line, ' '), *at, *to;

	if (!end || line[0] != '/')
		return false;
	*end = '\0';
	for (at = to = line; *at; at++) {
		if (at[0] == '\\' && is_octal(at[1]) && is_octal(at[2]) && is_octal(at[3])) {
			*to++ = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
			at += 3;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
	return true;
}

/* A name that leads nowhere from here (deleted, another root) cannot be compared. */
static void swaps_read(struct host_room *hr)
{
	char line[4 * 4096 + 100];
	struct stat st;

	hr->n = 0;
	rewind(hr->swaps);
	while (hr->n < SWAP_FILES_MAX && fgets(line, sizeof(line), hr->swaps)) {
		if (!swap_name(line) || stat(line, &st) || !S_ISREG(st.st_mode))
			continue;
		hr->file[hr->n++] = (struct swap_file){
			.dev = ((uint64_t)gnu_dev_major(st.st_dev) << 32) |
			       gnu_dev_minor(st.st_dev),
			.ino = st.st_ino,
		};
	}
}

static void swaps_update(struct host_room *hr)
{
	struct pollfd changed;

	if (!hr->swaps) {
		hr->swaps = fopen("/proc/swaps", "re");
		if (hr->swaps)
			swaps_read(hr);
		return;
	}
	changed = (struct pollfd){.fd = fileno(hr->swaps), .events = POLLPRI};
	if (poll(&changed, 1, 0) > 0 && (changed.revents & (POLLPRI | POLLERR)))
		swaps_read(hr);
}

int host_busy(struct file *file)
{
	struct host_room *hr = file->room;
	bool found = false;

	if (file->fresh)
		return 0;
	pthread_mutex_lock(&hr->lock);
	swaps_update(hr);
	for (unsigned i = 0; i < hr->n; i++)
		found |= hr->file[i].ino == file->id.ino && hr->file[i].dev == file->id.dev;
	pthread_mutex_unlock(&hr->lock);
	return found ? -ETXTBSY : 0;
}
