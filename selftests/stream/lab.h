/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab.h - streams in memory: made by the writer, or byte by byte where they are to be wrong. */
#ifndef STREAM_LAB_H
#define STREAM_LAB_H

#include <stdint.h>
#include <sys/types.h>

#include "userspace/stream/reader.h"
#include "userspace/stream/writer.h"

struct lab {
	uint8_t *bytes;
	size_t len, size;
	size_t at;    /* read so far */
	size_t chunk; /* most that one read gives; 0: all */
	size_t begun; /* where the raw command begins */
};

void lab_free(struct lab *lab);
void lab_append(struct lab *lab, const void *bytes, size_t len);
int lab_write(void *lab, const void *buf, size_t len); /* a stream_write_fn */
ssize_t lab_read(void *lab, void *buf, size_t len);    /* a stream_read_fn */

/* Without any check, checksum by a loop over bits. */
void lab_header(struct lab *lab, uint32_t version);
void lab_begin(struct lab *lab, unsigned id);
void lab_attr(struct lab *lab, unsigned attr, const void *bytes, size_t len);
void lab_text(struct lab *lab, unsigned attr, const char *text);
void lab_number(struct lab *lab, unsigned attr, uint64_t value); /* 8 bytes */
void lab_number4(struct lab *lab, unsigned attr, uint32_t value);
void lab_end(struct lab *lab);
void lab_subvol(struct lab *lab); /* a whole subvol command */

uint32_t lab_crc32c(uint32_t crc, const uint8_t *bytes, size_t len);

/* A command with all its attributes, filled from the tables; -errno of stream_end(). */
int lab_fill(struct stream_writer *w, enum stream_cmd_id id);

/* The value lab_fill() gives a number; big enough to need all its bytes where it can. */
uint64_t lab_value(enum stream_attr_id attr);

#endif
