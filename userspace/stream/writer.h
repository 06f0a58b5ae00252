/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writer.h - makes send streams.
 *
 *	w = stream_writer_new(stream_write_fd, &fd, 2);
 *	stream_begin(w, STREAM_C_SUBVOL);
 *	stream_put_text(w, STREAM_A_PATH, "name");
 *	...
 *	err = stream_end(w);
 *
 * The header goes before the first command, and again before what follows a
 * STREAM_C_END.  An error is kept: the put functions do nothing after one, and
 * stream_end() returns it.
 */
#ifndef STREAM_WRITER_H
#define STREAM_WRITER_H

#include <sys/types.h>

#include "format.h"

/* All of @len or a negative errno. */
typedef int (*stream_write_fn)(void *arg, const void *buf, size_t len);

/** stream_write_fd - a stream_write_fn; @arg points to the descriptor */
int stream_write_fd(void *arg, const void *buf, size_t len);

/** stream_write_header - what a stream begins with, alone */
int stream_write_header(stream_write_fn write, void *arg, unsigned version);

struct stream_writer;

/** stream_writer_new - write streams of @version; NULL without memory or of an unknown version */
struct stream_writer *stream_writer_new(stream_write_fn write, void *arg, unsigned version);
void stream_writer_free(struct stream_writer *w);

/* Commands in memory; @bytes is of malloc(). */
struct stream_buffer {
	uint8_t *bytes;
	size_t len, size;
};

/**
 * stream_writer_into - put commands at the end of @buffer, without a header, and write nothing
 *
 * The buffer grows as needed and stays the caller's, who may shorten it between commands.
 */
void stream_writer_into(struct stream_writer *w, struct stream_buffer *buffer);

void stream_begin(struct stream_writer *w, enum stream_cmd_id id);
void stream_put_number(struct stream_writer *w, enum stream_attr_id attr, uint64_t value);
void stream_put_time(struct stream_writer *w, enum stream_attr_id attr, struct timespec time);
void stream_put_text(struct stream_writer *w, enum stream_attr_id attr, const char *text);
/* Another value for a number that the command has: for what is known only with its data. */
void stream_set_number(struct stream_writer *w, enum stream_attr_id attr, uint64_t value);
/* A uuid, bytes, or data; in version 2 and later nothing can follow data. */
void stream_put_bytes(struct stream_writer *w, enum stream_attr_id attr, const void *bytes,
		      size_t len);

/*
 * Room for @len bytes of data, which the caller fills before the next call;
 * stream_cut_data() gives the last @less of them back.  NULL after an error.
 */
void *stream_put_room(struct stream_writer *w, size_t len);
void stream_cut_data(struct stream_writer *w, size_t less);

/**
 * stream_end - finish and write the command
 *
 * Return: 0; -EINVAL for a value that does not fit its attribute, an attribute
 * that does not belong to the command, comes twice, is missing, or belongs to a
 * later version; -EMSGSIZE for more than a command holds; the error of writing.
 */
int stream_end(struct stream_writer *w);

#endif
