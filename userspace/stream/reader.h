/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reader.h - send streams, one command at a time.
 *
 * Nothing in a stream is trusted: what comes out of stream_reader_next() has a right
 * checksum, all attributes its command must have and none twice, paths without
 * "..", and numbers that fit together.  Memory is bounded by the largest
 * payload allowed (format.h).
 */
#ifndef STREAM_READER_H
#define STREAM_READER_H

#include <sys/types.h>

#include "format.h"

/* As read(2), but a negative errno; 0 at the end. */
typedef ssize_t (*stream_read_fn)(void *arg, void *buf, size_t len);

/** stream_read_fd - a stream_read_fn; @arg points to the descriptor */
ssize_t stream_read_fd(void *arg, void *buf, size_t len);

/* Why and where a stream cannot be read any further. */
struct stream_error {
	int err;	  /* negative errno */
	uint64_t offset;  /* of what is wrong, in bytes from the beginning of the input */
	uint64_t command; /* counted from 1 over all streams of the input; 0: none was begun */
	unsigned id;	  /* its number in the stream; 0 where that is not known */
	char reason[256];
};

struct stream_reader;

/**
 * stream_reader_new - read streams from the beginning of an input
 * Return: it, or NULL without memory.
 */
struct stream_reader *stream_reader_new(stream_read_fn read, void *arg);
void stream_reader_free(struct stream_reader *r);

/**
 * stream_reader_next - the next command
 * @cmd: filled; what it points to is there until the next call
 *
 * Streams that follow each other are read as one, and each ends with
 * STREAM_C_END; several subvolumes may stand in one stream, too.  The reader
 * reads ahead: what comes after the last END must be another stream.
 *
 * Return: 1; 0 at the end of the input, after an END; a negative errno, and
 * stream_error() tells more: -ENODATA truncated or empty, -EUCLEAN damaged,
 * -EINVAL what no stream may hold, -EOPNOTSUPP an unknown version or command,
 * or what reading said.  An error is final.
 */
int stream_reader_next(struct stream_reader *r, struct stream_cmd *cmd);

/* What commands lie in. */
struct stream_memory;

/**
 * stream_hold - keep what the last command points to beyond the next call
 *
 * That is its bytes; the NUL behind a text may go with the next call.
 * Return: to be given to stream_release() by any thread, once for each hold.
 */
struct stream_memory *stream_hold(struct stream_reader *r);
void stream_release(struct stream_memory *memory);

/** stream_version - version of the stream the last command was in; 0 before the first */
unsigned stream_version(const struct stream_reader *r);

/** stream_error - what the last negative answer meant */
const struct stream_error *stream_error(const struct stream_reader *r);

/** stream_error_text - "offset 1234, command 17 (write): reason" */
void stream_error_text(const struct stream_error *e, char *text, size_t size);

#endif
