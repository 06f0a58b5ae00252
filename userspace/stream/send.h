/* SPDX-License-Identifier: GPL-2.0-or-later */
/* send.h - the parts of ocp-send. */
#ifndef STREAM_SEND_H
#define STREAM_SEND_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "format.h"
#include "userspace/progress.h"
#include "vfs.h"

#define PROTO_UNSET UINT32_MAX

enum send_way { SEND_AUTO, SEND_KERNEL, SEND_WALK };

/* The command line. */
struct send_opts {
	char **trees;
	unsigned ntrees;
	char **clones;
	unsigned nclones;
	const char *parent, *file, *manifest, *since, *parent_uuid, *name;
	unsigned proto; /* 0: the highest; PROTO_UNSET */
	int compressed; /* -1: where the version has it */
	enum send_way way;
	enum when progress;
	bool no_end, no_data, quiet, verbose, keep_going, checksum, cross, trust_mtime;
	bool dry_run, json;
};

/** send_opts_parse - Return: -1 to go on, otherwise the exit status to end with */
int send_opts_parse(struct send_opts *o, int argc, char **argv);
void send_opts_free(struct send_opts *o);

/* A file that has its name only when it is whole. */
struct output {
	int fd;
	const char *name;
	char *temp; /* NULL: no regular file, written as it is */
	bool ours;  /* opened here */
};

/** output_open - @name, or standard output for NULL.  Return: 0 or a negative errno */
int output_open(struct output *out, const char *name);
/** output_finish - it gets its name.  Return: 0, or why it is not there in full */
int output_finish(struct output *out);
void output_drop(struct output *out);

/*
 * Signals that end the program: a thread waits for them, takes away what is not
 * whole and lets them do what they do.  Begins before any other thread.
 */
int signals_begin(void);
/* End as SIGPIPE would have. */
void signals_die_of_pipe(void);
/* Files to be taken away; between hold and release none is. */
void signals_hold(void);
void signals_release(void);
void signals_add(const char *temp);
void signals_remove(const char *temp);

/* What has been done, for --json and --verbose. */
struct send_sums {
	uint64_t bytes, entries, files, data, encoded, cloned, holes, changed, failed;
};

/* One run. */
struct send {
	const struct send_opts *o;
	struct cr_ns *ns;
	struct output out, manifest;
	unsigned version; /* of the streams of this tree */
	bool compressed;  /* as asked, or as possible */
	unsigned sent;	  /* subvolumes so far */
	struct send_sums sums;
	__u64 *clone_ids; /* of subvolumes, for the kernel */
	unsigned nclones;
	int status;
	bool walked;
	struct progress *bar;
	struct copy_progress *now; /* bytes of this tree go here, for the bar; may be NULL */
	bool told;		   /* something has been said of what ended it */
};

/** say - "ocp-send: NAME: text", NAME escaped, or without it when that is NULL */
void __attribute__((format(printf, 2, 3))) say(const char *name, const char *fmt, ...);
/** say_error - the same with a reason; Return: @err */
int say_error(const char *name, const char *what, int err);

/** say_beside - @bar is erased while something is said; NULL: there is none */
void say_beside(struct progress *bar);
/** say_nothing_more - the bar is erased for good, and who still wants to say something waits */
void say_nothing_more(void);
/** send_report - the summary that was asked for */
void send_report(const struct send *s, bool whole);

/* One tree: its root directory, and what is known of it when it is a subvolume. */
struct source {
	const char *name; /* as the user gave it */
	struct file *root;
	bool subvol;
	struct subvol_info info;
};

/** source_open - Return: 0, or a negative errno that has been told */
int source_open(struct send *s, const char *name, struct source *src);
void source_close(struct source *src);
/** source_stream_id - what a stream of a read-only subvolume is known by */
void source_stream_id(const struct source *src, uint8_t uuid[16], uint64_t *ctransid);

/** kernel_send_version - the highest version of the kernel; 0: it has no btrfs */
unsigned kernel_send_version(void);
/** kernel_send_why_not - why the kernel cannot send this one; NULL: it can */
const char *kernel_send_why_not(const struct source *src);
/** kernel_send - all checks, then the ioctl.  Return: 0, or a negative errno that has been told */
int kernel_send(struct send *s, struct source *src);

/** walk_send - one tree by walking it.  Return: as kernel_send() */
int walk_send(struct send *s, struct source *src);

#endif
