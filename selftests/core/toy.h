/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * toy.h - a file in memory that counts the calls it gets and answers searches
 * for holes by a script.  For the parts of the core that take files without a
 * namespace.
 */
#ifndef SELFTESTS_CORE_TOY_H
#define SELFTESTS_CORE_TOY_H

#include "fs.h"

#define TOY_SIZE ((size_t)8 << 20)

/* The answer to a search; beyond the script the file is all data. */
struct toy_seek {
	int whence;
	off_t answer;
};

struct toy {
	struct file f;
	struct mount mnt;
	pthread_mutex_t lock;
	char *data; /* TOY_SIZE bytes, of which size are the file */
	uint64_t size;
	uint64_t last_write; /* where the last one ended */
	unsigned backwards;  /* writes that began before that */
	unsigned reads, writes, seeks, getattrs, allocates, truncates;
	const struct toy_seek *script;
	unsigned script_len;
	int punch_error; /* 0: punches */
};

/* A file of @size bytes that are zero nowhere, and of nobody else.  Return: 0 or -ENOMEM. */
int toy_make(struct toy *toy, uint64_t size);
void toy_free(struct toy *toy);

#endif
