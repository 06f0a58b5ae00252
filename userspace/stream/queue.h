/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * queue.h - commands about files, done by workers.
 *
 * One thread, the dispatcher, reads commands in their order.  What changes a file
 * that it has open becomes an op, and runs when every earlier op is over that
 * touches the same bytes of the same file: writes to different places and files
 * run side by side, all else in the order of the stream.  Where nothing is to be
 * waited for and little is to be done, the dispatcher does it at once.
 *
 * The kernel lets one thread at a time write to a file, and the others spend their time
 * looking for the end of that.  So one of ours writes all that is to be written to a file
 * (its turn), and the others meanwhile prepare more: that is where payloads are decoded.
 *
 * The first op in the order of the stream that fails is the error of the queue;
 * later ops on its file are dropped.
 */
#ifndef STREAM_QUEUE_H
#define STREAM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attr.h"
#include "encoded.h"
#include "format.h"
#include "reader.h"

struct apply;
struct codec_ctx;
struct node;
struct op;

/* An op among those of a file that it reads or writes. */
struct use {
	struct op *op;
	struct node *node; /* NULL: not used */
	uint64_t begin, end;
	bool write;
	struct use *next, *prev;
};

struct op {
	enum stream_cmd_id id;
	uint64_t command, offset; /* in the input */
	struct use to, from;	  /* from: of a clone within the subvolume */
	struct file *source;	  /* of a clone from elsewhere; the op closes it */
	uint64_t pos, from_pos, len;
	struct stream_memory *memory; /* where bytes lie, or NULL */
	struct stream_bytes bytes;    /* data, or the value of an attribute */
	char *name;		      /* of an attribute: the op frees it, and its value with it */
	struct encoded_iov ev;
	struct iattr attr;
	uint32_t number; /* mode of fallocate, flags */
	bool started;
	bool in_turn; /* prepared: one thread at a time may do it with its file */
	int slot;     /* in the record of what is under way */
	struct op *next, *prev;
	struct op *next_ready;
};

/* The first thing that failed. */
struct op_error {
	int err; /* negative errno; 0: nothing */
	int id;	 /* enum stream_cmd_id */
	uint64_t command, offset;
	char reason[160]; /* or "" */
	char path[256];	  /* of the stream, escaped and perhaps cut off */
};

/* What runs an op has of its own. */
struct worker {
	struct apply *a;
	struct codec_ctx *codec;
	const char *reason; /* why the last op failed, where more than errno is known */
};

struct queue;

/** queue_new - with @workers threads that call op_run(); NULL without memory or threads */
struct queue *queue_new(struct apply *a, unsigned workers);

/** queue_free - what has not begun is dropped */
void queue_free(struct queue *q);

/**
 * queue_add - hand over an op of malloc()
 * @here: it may be done at once by the dispatcher, when nothing has to be waited for
 *
 * Return: 0; the error of the queue, when there is one, and the op is dropped.
 */
int queue_add(struct queue *q, struct op *op, bool here);

/** queue_wait - until no op uses @node any more (NULL: no file).  Return: the queue's error */
int queue_wait(struct queue *q, struct node *node);

/** queue_kick - the dispatcher is about to wait for input: let workers begin now */
void queue_kick(struct queue *q);

/** queue_error - NULL when nothing has failed */
const struct op_error *queue_error(struct queue *q);

/** queue_worker - the dispatcher's own */
struct worker *queue_worker(struct queue *q);

/*
 * data.c: first what any thread can do beside others, then the op itself.
 * Return: 0 or a negative errno, perhaps with w->reason.
 */
typedef int op_fn(struct worker *w, struct op *op);
op_fn op_prepare, op_run;

#endif
