/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmdline.h - command lines of long options from one table, and what every program says of
 * them in the same way.  Messages name the program as it was called.
 */
#ifndef CR_CMDLINE_H
#define CR_CMDLINE_H

#include <stdbool.h>

struct option;

struct cmdline_row {
	int value;	   /* what getopt_long(3) returns for it */
	int arg;	   /* no_argument and its like */
	const char *name;  /* without the dashes */
	const char *usage; /* how --help shows it; NULL: not at all */
	const char *text;  /* what --help says of it */
};

/** cmdline_longs - @n rows as getopt_long(3) wants them: @longs has room for one more */
void cmdline_longs(const struct cmdline_row *rows, unsigned n, struct option *longs);

/**
 * cmdline_help - print @head, and a line for each of @n rows
 * Return: the status to exit with: EXIT_FAILURE where it could not be written.
 */
int cmdline_help(const char *head, const struct cmdline_row *rows, unsigned n);

/** cmdline_version - print the version of @program, as cmdline_help() returns */
int cmdline_version(const char *program);

/**
 * cmdline_misuse - "PROGRAM: TEXT: ARG" and where help is, on standard error
 * @text: NULL where getopt_long(3) has said it
 * @arg: NULL for none
 * Return: EXIT_FAILURE.
 */
int cmdline_misuse(const char *text, const char *arg);

/** cmdline_number - @text is digits alone and from @min to @max: true, and @value */
bool cmdline_number(const char *text, unsigned min, unsigned max, unsigned *value);

#endif
