/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the table of options, between options.c (rows) and opts.c (reading them). */
#ifndef OCP_OPTIONS_H
#define OCP_OPTIONS_H

#include <stddef.h>

#include "optvals.h"
#include "opts.h"

/* Results and what is known only while options are read. */
struct parse {
	struct ocp_opts o;
	unsigned keep_out; /* COPY_RANGE_NO_* of --offload */
	int deref;	   /* enum ocp_deref, -1: not said */
	int recompress;
	bool no_clobber, strip_slashes, copy_contents;
	bool backup; /* -b or -S was given */
	const char *backup_control, *backup_suffix;
	const char *context; /* --context=CTX, with SELinux */
};

struct option_row {
	char letter;
	char arg; /* no_argument, required_argument, optional_argument */
	const char *name;
	/* Return: -1 to go on, or an exit status to end with. */
	int (*set)(struct parse *p, const struct option_row *row, const char *arg);
	size_t at; /* in struct parse: a bool for set_true, else an int or enum */
	int value; /* for set_value, and for set_word without an argument */
	const struct word *words;
	const char *usage, *text; /* the line of --help, without usage a heading */
	bool own;		  /* not an option of cp */
	bool last;		  /* ends the table */
};

extern const struct option_row option_rows[];

/* opts.c: messages that end a wrong command line; each returns EXIT_FAILURE. */
int misuse(const char *text); /* and "Try 'ocp --help'"; NULL: only that */
int fatal(const char *text);
int print_help(void);

/* files0.c: o->sources from o->files0_from; -1, or an exit status after a message. */
int files0_read(struct ocp_opts *o);
void files0_free(struct ocp_opts *o);

int settle_context(struct parse *p); /* returns as option_row.set */
int settle_backup(struct parse *p);  /* returns as option_row.set */

#endif
