/* SPDX-License-Identifier: GPL-2.0-or-later */
/* receive.h - the parts of ocp-receive. */
#ifndef STREAM_RECEIVE_H
#define STREAM_RECEIVE_H

#include <signal.h>
#include <stdio.h>

#include "format.h"
#include "userspace/json.h"
#include "userspace/progress.h"

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

/* "ocp-receive: NAME: TEXT" on standard error; without a name where it is "". */
void complain(const char *name, const char *text);

/* The command line. */
struct receive_opts {
	const char *file;   /* NULL: standard input */
	const char *target; /* where to receive; NULL with --dump and --list */
	bool dump, list, json, devices;
	bool resume, verify, trust, force_decompress, end_marker;
	char **paths; /* patterns of what is received of it; allocated */
	unsigned npaths;
	unsigned verbose;
	unsigned jobs;	     /* 0: as many as seem good */
	unsigned checkpoint; /* seconds between two; 0: none */
	enum when progress;
};

/** receive_opts_parse - Return: -1 to go on, otherwise the exit status to end with */
int receive_opts_parse(struct receive_opts *o, int argc, char **argv);

struct stream_reader;

/* What standard input or the file gives: interruptible, and with a word before waiting. */
struct input {
	int fd;
	sigset_t ending;	    /* signals that end it, taken while input is waited for */
	uint64_t size;		    /* of a regular file; 0: not known */
	void (*waiting)(void *arg); /* before input is waited for; may be NULL */
	void *arg;
	off_t begin;  /* of what can be read twice */
	int copy;     /* of what is read, or -1 */
	int copy_err; /* negative errno: it cannot be kept */
};

/** input_open - Return: 0 or a positive errno */
int input_open(struct input *in, const char *file);

/** input_read - a stream_read_fn of a struct input; -EINTR after a signal to end */
ssize_t input_read(void *arg, void *buf, size_t len);

/**
 * input_keep - before anything is read: it will be read twice
 *
 * What cannot seek is copied into a file without a name in $TMPDIR, or /var/tmp.
 * Return: 0 or a negative errno.
 */
int input_keep(struct input *in);

/** input_again - from the beginning.  Return: 0 or a negative errno */
int input_again(struct input *in);

/** input_signal - the signal that asked to end, or 0 */
int input_signal(void);

/** apply_run - receive all of it; @reader may become another one.  Return: the exit status */
int apply_run(const struct receive_opts *o, struct stream_reader **reader, struct input *in);

#endif
