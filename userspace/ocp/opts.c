/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: reads the table of options.c, then settles what the options mean together. */
#include "opts.h"

#define JOBS_MOST 16 /* by default */

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "copy_range.h"
#include "filter.h"
#include "labels.h"
#include "options.h"
#include "quote.h"

void opts_try_help(void)
{
	fprintf(stderr, "Try '%s --help' for more information.\n", program_invocation_short_name);
}

/* Bad use, after which cp shows where help is. */
int misuse(const char *text)
{
	if (text)
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
	opts_try_help();
	return EXIT_FAILURE;
}

int fatal(const char *text)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
	return EXIT_FAILURE;
}

int print_help(void)
{
	const struct option_row *r;

	printf("Usage: %s [OPTION]... [-T] SOURCE DEST\n"
	       "  or:  %s [OPTION]... SOURCE... DIRECTORY\n"
	       "  or:  %s [OPTION]... -t DIRECTORY SOURCE...\n"
	       "Copy as cp(1) does, by the cheapest way the storage offers; see ocp(1).\n",
	       program_invocation_short_name, program_invocation_short_name,
	       program_invocation_short_name);
	for (r = option_rows; !r->last; r++)
		if (r->usage)
			printf("  %-28s %s\n", r->usage, r->text);
		else if (r->text)
			printf("%s:\n", r->text);
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* What getopt_long() wants, made from the table. */
#define ROWS_MAX  128
#define LONG_ONLY 0x100 /* row n without a letter is LONG_ONLY + n to getopt */
struct getopt_tables {
	char letters[1 + 3 * ROWS_MAX];
	struct option longs[ROWS_MAX + 1];
};

static bool begins(const char *name, const char *start, size_t len)
{
	return name && !strncmp(name, start, len);
}

/*
 * A short form that means an option of cp keeps meaning it: --rec is
 * --recursive beside our --recompress.  So getopt hears of an option of ours
 * only where the command line has a form of it that is none of cp's.
 */
static bool own_option_used(const struct option_row *own, char **argv)
{
	const struct option_row *r;
	size_t len;

	for (; *argv; argv++) {
		if (strncmp(*argv, "--", 2) != 0)
			continue;
		len = strcspn(*argv + 2, "=");
		if (!len || !begins(own->name, *argv + 2, len))
			continue;
		for (r = option_rows; !r->last; r++)
			if (!r->own && begins(r->name, *argv + 2, len))
				break;
		if (r->last)
			return true;
	}
	return false;
}

static int getopt_value(const struct option_row *r)
{
	/* Two names of one thing, as --parents and --path, are no ambiguity to getopt. */
	if (r > option_rows && r[-1].set == r->set && r[-1].at == r->at && r[-1].value == r->value)
		r--;
	return r->letter ? r->letter : LONG_ONLY + (int)(r - option_rows);
}

static void getopt_tables_make(struct getopt_tables *t, char **argv)
{
	char *letter = t->letters;
	struct option *l = t->longs;
	const struct option_row *r;

	memset(t, 0, sizeof(*t));
	for (r = option_rows; !r->last && r < option_rows + ROWS_MAX; r++) {
		if (r->letter) {
			*letter++ = r->letter;
			/* The one letter form of an optional argument takes none: -u, -b, -Z. */
			if (r->arg == required_argument)
				*letter++ = ':';
		}
		if (r->name && (!r->own || own_option_used(r, argv)))
			*l++ = (struct option){r->name, r->arg, NULL, getopt_value(r)};
	}
}

static const struct option_row *row_of(int c)
{
	const struct option_row *r;

	if (c >= LONG_ONLY)
		return &option_rows[c - LONG_ONLY];
	for (r = option_rows; !r->last; r++)
		if (r->letter && r->letter == c)
			return r;
	return NULL;
}

static int read_options(struct parse *p, int argc, char **argv)
{
	struct getopt_tables t;
	const struct option_row *row;
	int c, status = -1;

	getopt_tables_make(&t, argv);
	optind = 0;
	while (status < 0 && (c = getopt_long(argc, argv, t.letters, t.longs, NULL)) != -1) {
		row = row_of(c);
		status = row ? row->set(p, row, optarg) : misuse(NULL);
	}
	return status;
}

/* The strategies and ways of copying that all data options together leave. */
static int settle_data(struct parse *p)
{
	struct ocp_opts *o = &p->o;
	unsigned flags = p->keep_out, left;

	if (o->reflink == WHEN_ALWAYS && o->sparse != WHEN_AUTO)
		return misuse("--reflink can be used only with --sparse=auto");
	if (o->sparse == WHEN_NEVER && o->reflink == WHEN_AUTO)
		o->reflink = WHEN_NEVER; /* a clone would keep the holes */
	if (o->sparse == WHEN_NEVER)
		flags |= COPY_RANGE_FILL_HOLES;
	if (o->sparse == WHEN_ALWAYS)
		flags |= COPY_RANGE_PUNCH_ZEROS;
	if (o->reflink == WHEN_ALWAYS)
		flags |= COPY_RANGE_CLONE_ONLY;
	if (o->reflink == WHEN_NEVER) {
		flags |= COPY_RANGE_NO_CLONE;
		o->preserve &= ~PRESERVE_SHARING;
	}
	if (p->recompress)
		flags |= COPY_RANGE_RECOMPRESS;
	/* What looks at the data can only be done here. */
	left = ~flags & COPY_RANGE_STRATEGIES;
	if (flags & (COPY_RANGE_FILL_HOLES | COPY_RANGE_PUNCH_ZEROS))
		left &= COPY_RANGE_NO_STREAM;
	if (!left)
		return misuse("--offload, --reflink and --sparse together leave no way to copy");
	o->copy_flags = flags;
	return -1;
}

/* Combinations, after all options are read.  Order and words are cp's. */
static int settle(struct parse *p)
{
	struct ocp_opts *o = &p->o;
	int status;

	if (o->hard_link && o->symbolic_link)
		return misuse("cannot make both hard and symbolic links");
	status = settle_backup(p);
	if (status >= 0)
		return status;
	if (p->no_clobber)
		o->update = UPDATE_NONE;
	status = settle_data(p);
	if (status >= 0)
		return status;
	if (p->deref >= 0)
		o->deref = (enum ocp_deref)p->deref;
	else
		o->deref = o->recursive && !o->hard_link ? DEREF_NEVER : DEREF_ALWAYS;
	if (o->manifest && !o->verify)
		return misuse("--manifest needs --verify");
	if (o->checksum && !o->resume)
		return misuse("--checksum needs --resume");
	if (o->resume && !o->checksum && !(o->preserve & PRESERVE_TIMES))
		return misuse("--resume needs times to be kept (-a, -p), or --checksum");
	if (o->resume && o->backup)
		return misuse("options --resume and --backup are mutually exclusive");
	o->atomic |= o->resume; /* so that no file is half old and half new */
	o->copy_contents = !o->recursive || p->copy_contents;
	o->through_dangling = getenv("POSIXLY_CORRECT") && !o->atomic;
	status = settle_context(p);
	if (status >= 0)
		return status;
	o->preserve_strict &= PRESERVE_XATTR | PRESERVE_CONTEXT;
	o->preserve_strict |= o->preserve & PRESERVE_BASIC;
	return -1;
}

static int complain_operand(const char *what, const char *name)
{
	char *quoted = quote_name(name);

	fprintf(stderr, "%s: %s %s\n", program_invocation_short_name, what, quoted ? quoted : name);
	free(quoted);
	return misuse(NULL);
}

static void strip_slashes(char *name)
{
	size_t len = strlen(name);

	while (len > 1 && name[len - 1] == '/')
		name[--len] = '\0';
}

/* --files0-from: all go into a directory, so that one name is treated as many are. */
static int operands_listed(struct parse *p, unsigned n, char **args)
{
	struct ocp_opts *o = &p->o;
	int status;

	if (o->no_target_dir || o->probe)
		return misuse("--files0-from needs a directory to copy into");
	if (n > !o->target)
		return complain_operand("file operands cannot be combined with --files0-from:",
					args[0]);
	if (!o->target && !n)
		return misuse("missing destination directory");
	if (!o->target)
		o->target = args[0];
	status = files0_read(o);
	for (unsigned i = 0; status < 0 && p->strip_slashes && i < o->nsources; i++)
		strip_slashes(o->sources[i]);
	return status;
}

static int operands(struct parse *p, unsigned n, char **args)
{
	struct ocp_opts *o = &p->o;
	unsigned i;

	if (o->files0_from)
		return operands_listed(p, n, args);
	if (!n)
		return misuse("missing file operand");
	if (n == 1 && !o->target)
		return complain_operand("missing destination file operand after", args[0]);
	if (o->no_target_dir && o->target)
		return fatal("cannot combine --target-directory (-t) and "
			     "--no-target-directory (-T)");
	if (n > 2 && (o->no_target_dir || o->probe))
		return complain_operand("extra operand", args[2]);
	o->sources = args;
	o->nsources = o->target ? n : n - 1;
	o->dest = o->target ? NULL : args[n - 1];
	for (i = 0; p->strip_slashes && i < o->nsources; i++)
		strip_slashes(args[i]);
	return -1;
}

int opts_parse(struct ocp_opts *o, int argc, char **argv)
{
	struct parse p = {.deref = -1, .o.ioprio = -1};
	char *name = argc ? argv[0] : NULL;
	int status;

	/* getopt's messages begin as ours do, also under another name of the program. */
	if (argc)
		argv[0] = program_invocation_short_name;
	status = read_options(&p, argc, argv);
	if (argc)
		argv[0] = name;
	if (status < 0)
		status = settle(&p);
	if (status < 0)
		status = operands(&p, (unsigned)(argc - optind), argv + optind);
	*o = p.o;
	return status;
}

void opts_free(struct ocp_opts *o)
{
	files0_free(o);
	filter_free(o->filter);
	o->filter = NULL;
	labels_free(o->labels);
	o->labels = NULL;
}

/*
 * Trees of small files are bound by system calls, big files by the storage, so
 * a few more than processors pay off while memory stays small.
 */
unsigned opts_processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : (unsigned)n;
}

/* More than processors, because some wait for storage; see pool_grow(). */
unsigned opts_jobs(const struct ocp_opts *o)
{
	unsigned n = opts_processors();

	if (o->jobs)
		return o->jobs;
	return n > JOBS_MOST ? n : JOBS_MOST;
}
