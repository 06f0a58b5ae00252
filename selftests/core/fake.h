/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake.h - a room on order: counts what it is asked and answers as told.
 *
 *	fake:DEV/NAME	a file of at most FAKE_MAX bytes on mount DEV (a digit)
 *	other:DEV/NAME	the same, of another family, without clone and offload
 *
 * A test that links fake.o has these two rooms and mem, nothing else.  All
 * state is that of the process: one test, one process.
 */
#ifndef FAKE_H
#define FAKE_H

#include <pthread.h>

#include "fs.h"

#define FAKE_MAX (512 << 10)

enum fake_way { FAKE_CLONE, FAKE_OFFLOAD, FAKE_WAYS };

/* What clone_range or copy_range does.  All zero: declines nothing, does all at once. */
struct fake_script {
	const char *refuse; /* reason; with the three below it declines every time */
	enum copy_scope scope;
	int error;	       /* positive; without a reason: fails with it */
	uint64_t block;	       /* declines what does not start on it, until the next one */
	uint64_t most;	       /* bytes a call does at most; 0: all */
	uint64_t before_error; /* bytes it does before it fails with error */
	void (*hook)(void);    /* called at each call */
};

/* One call of it, in order. */
struct fake_call {
	enum fake_way way;
	int64_t pos;
	uint64_t len, done;
};

struct fake {
	struct fake_script script[FAKE_WAYS];
	unsigned calls[FAKE_WAYS];
	struct fake_call log[64];
	unsigned logged;
	unsigned reads, writes, syncs, busy, allocates, truncates;
	int read_error, write_error; /* negative errno of every read, write */
	bool holes;		     /* the first half of every file is a hole */
	uint64_t largest_write;
};

extern struct fake fake;

/* The bytes of an open file of this room. */
struct fake_file {
	char name[16];
	uint64_t dev, size;
	pthread_mutex_t lock;
	unsigned char data[FAKE_MAX];
};
struct fake_file *fake_of(struct file *file);

/* Makes or empties a file and gives it @size bytes of content(@seed). */
struct file *fake_open(struct cr_ns *ns, const char *name, size_t size, unsigned seed);

#endif
