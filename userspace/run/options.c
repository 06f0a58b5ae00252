// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of ocp-run.  Options end at the first word that is none: the program. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cmdline.h"
#include "run.h"

enum { OPT_TRACE = 256, OPT_JSON, OPT_OFFLOAD, OPT_CLONE_COPIES, OPT_HELP, OPT_VERSION };

static const struct cmdline_row rows[] = {
	{OPT_TRACE, optional_argument, "trace", "    --trace[=FILE], --explain",
	 "a line for each call: which way, why no cheaper one"},
	{OPT_TRACE, no_argument, "explain", NULL, NULL},
	{OPT_JSON, optional_argument, "json", "    --json[=FILE]", "a summary at the end, in JSON"},
	{OPT_OFFLOAD, required_argument, "offload", "    --offload=HOW",
	 "auto, always, never, or a list of clone, offload, encoded, grant, stream"},
	{OPT_CLONE_COPIES, no_argument, "clone-copies", "    --clone-copies",
	 "where FICLONE cannot share blocks, copy"},
	{OPT_HELP, no_argument, "help", "    --help, --version", "say this, or the version"},
	{OPT_VERSION, no_argument, "version", NULL, NULL},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const char head[] =
	"Usage: ocp-run [OPTION]... PROGRAM [ARGUMENT]...\n"
	"Run PROGRAM; where the kernel refuses its copy_file_range(2), copy; see ocp-run(1).\n";

/* Other statuses are the program's. */
static int ours(int status)
{
	return status ? EXIT_OURS : EXIT_SUCCESS;
}

static int misuse(const char *text, const char *arg)
{
	return ours(cmdline_misuse(text, arg));
}

/* Status to end with, or -1. */
static int take(struct run_opts *o, int c)
{
	switch (c) {
	case OPT_TRACE:
		o->trace = true;
		o->trace_file = optarg;
		return -1;
	case OPT_JSON:
		o->json = true;
		o->json_file = optarg;
		return -1;
	case OPT_OFFLOAD:
		return served_flags(optarg, &o->flags) ? misuse("--offload: not known", optarg)
						       : -1;
	case OPT_CLONE_COPIES:
		o->clone_copies = true;
		return -1;
	case OPT_HELP:
		return ours(cmdline_help(head, rows, ROWS));
	case OPT_VERSION:
		return ours(cmdline_version("ocp-run"));
	default:
		return misuse(NULL, NULL);
	}
}

int run_opts_parse(struct run_opts *o, int argc, char **argv)
{
	struct option longs[ROWS + 1];
	int c, status = -1;

	cmdline_longs(rows, ROWS, longs);
	*o = (struct run_opts){0};
	if (argc)
		argv[0] = program_invocation_short_name;
	while (status < 0 && (c = getopt_long(argc, argv, "+", longs, NULL)) != -1)
		status = take(o, c);
	if (status >= 0)
		return status;
	o->argv = argv + optind;
	return *o->argv ? -1 : misuse("missing program", NULL);
}
