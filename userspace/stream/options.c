// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of ocp-receive, from one table. */
#include "receive.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmdline.h"

#define JOBS_MAX       64u
#define CHECKPOINT_MAX 86400u

enum {
	OPT_DUMP = 256,
	OPT_LIST,
	OPT_JSON,
	OPT_DEVICES,
	OPT_PATH,
	OPT_RESUME,
	OPT_VERIFY,
	OPT_TRUST,
	OPT_FORCE_DECOMPRESS,
	OPT_JOBS,
	OPT_CHECKPOINT,
	OPT_PROGRESS,
	OPT_HELP,
	OPT_VERSION,
};

static const struct cmdline_row rows[] = {
	{OPT_PATH, required_argument, "path", "    --path=PATTERN",
	 "only these files and directories of each subvolume; again for more"},
	{OPT_RESUME, no_argument, "resume", "    --resume", "go on where an earlier run broke off"},
	{OPT_VERIFY, no_argument, "verify", "    --verify",
	 "read contents back and compare them with the stream"},
	{OPT_TRUST, no_argument, "trust", "    --trust",
	 "plant compressed data without decoding them first"},
	{OPT_FORCE_DECOMPRESS, no_argument, "force-decompress", "    --force-decompress",
	 "write compressed data decompressed"},
	{OPT_DEVICES, no_argument, "devices", "    --devices", "make device nodes, too"},
	{OPT_JOBS, required_argument, "jobs", "    --jobs=N", "threads that write contents"},
	{OPT_CHECKPOINT, required_argument, "checkpoint", "    --checkpoint=SECONDS",
	 "time between checkpoints on btrfs; 60, 0 for none"},
	{OPT_DUMP, no_argument, "dump", "    --dump", "a line for each command of the stream"},
	{OPT_LIST, no_argument, "list", "    --list",
	 "the subvolumes in the stream, and their sizes"},
	{OPT_JSON, no_argument, "json", "    --json", "the summary, or with --list that, in JSON"},
	{'f', required_argument, "file", "-f, --file=FILE", "read FILE, not standard input"},
	{'e', no_argument, "end", "-e, --end", "stop after the first stream that ends"},
	{'v', no_argument, "verbose", "-v, --verbose", "say what is done"},
	{OPT_PROGRESS, required_argument, "progress", "    --progress=WHEN",
	 "the bar: auto, always or never"},
	{OPT_HELP, no_argument, "help", "    --help, --version", "say this, or the version"},
	{OPT_VERSION, no_argument, "version", NULL, NULL},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const char head[] =
	"Usage: ocp-receive [OPTION]... [-f FILE] DIRECTORY\n"
	"  or:  ocp-receive --dump [-f FILE]\n"
	"  or:  ocp-receive --list [--json] [-f FILE]\n"
	"Receive the send streams of btrfs, or look into them; see ocp-receive(1).\n";

static int misuse(const char *text)
{
	return cmdline_misuse(text, NULL);
}

static int add_path(struct receive_opts *o)
{
	char **paths = reallocarray(o->paths, o->npaths + 1, sizeof(*paths));

	if (!paths)
		return misuse(strerror(ENOMEM));
	o->paths = paths;
	paths[o->npaths++] = optarg;
	return -1;
}

/* Options with a value, and those that end.  Status to end with, or -1. */
static int take_value(struct receive_opts *o, int c)
{
	switch (c) {
	case 'f':
		o->file = optarg;
		return -1;
	case OPT_JOBS:
		return cmdline_number(optarg, 1, JOBS_MAX, &o->jobs)
			       ? -1
			       : misuse("--jobs is a number from 1 to 64");
	case OPT_CHECKPOINT:
		return cmdline_number(optarg, 0, CHECKPOINT_MAX, &o->checkpoint)
			       ? -1
			       : misuse("--checkpoint is a number of seconds up to 86400");
	case OPT_PROGRESS:
		return progress_when(optarg, &o->progress)
			       ? -1
			       : misuse("--progress is auto, always or never");
	case OPT_PATH:
		return add_path(o);
	case 'v':
		o->verbose++;
		return -1;
	case OPT_HELP:
		return cmdline_help(head, rows, ROWS);
	case OPT_VERSION:
		return cmdline_version("ocp-receive");
	default:
		return misuse(NULL);
	}
}

static bool *switch_of(struct receive_opts *o, int c)
{
	switch (c) {
	case OPT_DUMP:
		return &o->dump;
	case OPT_LIST:
		return &o->list;
	case OPT_JSON:
		return &o->json;
	case OPT_DEVICES:
		return &o->devices;
	case OPT_RESUME:
		return &o->resume;
	case OPT_VERIFY:
		return &o->verify;
	case OPT_TRUST:
		return &o->trust;
	case OPT_FORCE_DECOMPRESS:
		return &o->force_decompress;
	case 'e':
		return &o->end_marker;
	default:
		return NULL;
	}
}

static int take(struct receive_opts *o, int c)
{
	bool *on = switch_of(o, c);

	if (!on)
		return take_value(o, c);
	*on = true;
	return -1;
}

static int settle(struct receive_opts *o, unsigned n, char **operands)
{
	bool look = o->dump || o->list;

	if (o->dump && o->list)
		return misuse("--dump and --list exclude each other");
	if (o->json && o->dump)
		return misuse("--json goes with --list, or with receiving");
	if (look && n)
		return misuse("--dump and --list take no operand; a file is read with -f");
	if (look && (o->resume || o->verify || o->npaths))
		return misuse("--path, --resume and --verify are for receiving");
	if (o->resume && o->npaths)
		return misuse("--path begins anew each time: not with --resume");
	if (o->resume && o->verify)
		return misuse(
			"--verify cannot know what an earlier run received: not with --resume");
	if (!look && n != 1)
		return misuse(n ? "more than one directory" : "missing directory");
	o->target = n ? operands[0] : NULL;
	return -1;
}

int receive_opts_parse(struct receive_opts *o, int argc, char **argv)
{
	struct option longs[ROWS + 1];
	int c, status = -1;

	cmdline_longs(rows, ROWS, longs);
	*o = (struct receive_opts){.checkpoint = 60};
	if (argc)
		argv[0] = program_invocation_short_name;
	while (status < 0 && (c = getopt_long(argc, argv, "f:ev", longs, NULL)) != -1)
		status = take(o, c);
	return status >= 0 ? status : settle(o, (unsigned)(argc - optind), argv + optind);
}
