/* SPDX-License-Identifier: GPL-2.0-or-later */
/* receive.h - the parts of ocp-receive. */
#ifndef STREAM_RECEIVE_H
#define STREAM_RECEIVE_H

#include <stdio.h>

#include "format.h"
#include "userspace/json.h"

#define UUID_TEXT 37 /* 8-4-4-4-12 and a NUL */

/** uuid_text - 16 bytes as people write them */
void uuid_text(char text[UUID_TEXT], const uint8_t *uuid);

/** put_escaped - stream_escape() to a file.  Return: bytes written */
size_t put_escaped(FILE *out, const uint8_t *bytes, size_t len);

/* --dump: a line for each command. */
struct dump {
	FILE *out;
	char *subvol; /* name of the one that the commands are for */
	uint8_t uuid[16];
};

/** dump_command - say what @cmd does.  Return: 0, -ENOMEM */
int dump_command(struct dump *d, const struct stream_cmd *cmd);
void dump_end(struct dump *d);

/* --list: what each subvolume of the input brings. */
struct list {
	FILE *out;
	struct json *json; /* NULL: text */
	bool open;	   /* the members below are of a subvolume that is not printed yet */
	char *name;
	bool snapshot;
	unsigned version;
	uint8_t uuid[16], parent_uuid[16];
	uint64_t ctransid, parent_ctransid;
	uint64_t count[STREAM_CMDS], bytes[STREAM_CMDS]; /* in the stream, by command */
	uint64_t data;					 /* in write */
	uint64_t encoded, unencoded;			 /* in encoded_write, and of files */
	uint64_t cloned;				 /* by clone */
};

/** list_command - count @cmd; prints what ended before it.  Return: 0, -ENOMEM */
int list_command(struct list *l, const struct stream_cmd *cmd, unsigned version);
/** list_end - print what is left, and that the input was whole or not */
void list_end(struct list *l, bool whole);

/* The command line. */
struct receive_opts {
	const char *file;   /* NULL: standard input */
	const char *target; /* where to receive; NULL with --dump and --list */
	bool dump, list, json, devices;
};

/** receive_opts_parse - Return: -1 to go on, otherwise the exit status to end with */
int receive_opts_parse(struct receive_opts *o, int argc, char **argv);

#endif
