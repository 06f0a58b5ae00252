// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of ocp-receive, from one table. */
#include "receive.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

enum { OPT_DUMP = 256, OPT_LIST, OPT_JSON, OPT_DEVICES, OPT_HELP, OPT_VERSION };

static const struct row {
	int value;
	int arg;
	const char *name, *usage, *text;
} rows[] = {
	{OPT_DEVICES, no_argument, "devices", "    --devices", "make device nodes, too"},
	{OPT_DUMP, no_argument, "dump", "    --dump", "a line for each command of the stream"},
	{OPT_LIST, no_argument, "list", "    --list",
	 "the subvolumes in the stream, and their sizes"},
	{OPT_JSON, no_argument, "json", "    --json", "with --list: in JSON"},
	{'f', required_argument, "file", "-f, --file=FILE", "read FILE, not standard input"},
	{OPT_HELP, no_argument, "help", "    --help, --version", "say this, or the version"},
	{OPT_VERSION, no_argument, "version", NULL, NULL},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static int misuse(const char *text)
{
	if (text)
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
	fprintf(stderr, "Try '%s --help' for more information.\n", program_invocation_short_name);
	return EXIT_FAILURE;
}

static int help(void)
{
	printf("Usage: %s [--devices] [-f FILE] DIRECTORY\n"
	       "  or:  %s --dump [-f FILE]\n"
	       "  or:  %s --list [--json] [-f FILE]\n"
	       "Receive the send streams of btrfs, or look into them; see ocp-receive(1).\n",
	       program_invocation_short_name, program_invocation_short_name,
	       program_invocation_short_name);
	for (unsigned i = 0; i < ROWS; i++)
		if (rows[i].usage)
			printf("  %-28s %s\n", rows[i].usage, rows[i].text);
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int version(void)
{
	puts("ocp-receive (copy_range) " CR_VERSION "\n"
	     "License GPL-2.0-or-later: GNU GPL version 2 or later.\n"
	     "There is NO WARRANTY, to the extent permitted by law.");
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Status to end with, or -1. */
static int take(struct receive_opts *o, int c)
{
	switch (c) {
	case OPT_DUMP:
		o->dump = true;
		return -1;
	case OPT_LIST:
		o->list = true;
		return -1;
	case OPT_DEVICES:
		o->devices = true;
		return -1;
	case OPT_JSON:
		o->json = true;
		return -1;
	case 'f':
		o->file = optarg;
		return -1;
	case OPT_HELP:
		return help();
	case OPT_VERSION:
		return version();
	default:
		return misuse(NULL);
	}
}

static int settle(struct receive_opts *o, unsigned n, char **operands)
{
	if (o->dump && o->list)
		return misuse("--dump and --list exclude each other");
	if (o->json && !o->list)
		return misuse("--json needs --list");
	if ((o->dump || o->list) && n)
		return misuse("--dump and --list take no operand; a file is read with -f");
	if (!o->dump && !o->list && n != 1)
		return misuse(n ? "more than one directory" : "missing directory");
	o->target = n ? operands[0] : NULL;
	return -1;
}

int receive_opts_parse(struct receive_opts *o, int argc, char **argv)
{
	struct option longs[ROWS + 1] = {0};
	int c, status = -1;

	for (unsigned i = 0; i < ROWS; i++)
		longs[i] = (struct option){rows[i].name, rows[i].arg, NULL, rows[i].value};
	*o = (struct receive_opts){0};
	if (argc)
		argv[0] = program_invocation_short_name;
	while (status < 0 && (c = getopt_long(argc, argv, "f:", longs, NULL)) != -1)
		status = take(o, c);
	return status >= 0 ? status : settle(o, (unsigned)(argc - optind), argv + optind);
}
