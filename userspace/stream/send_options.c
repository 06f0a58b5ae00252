// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of ocp-send, from one table. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmdline.h"
#include "send.h"

enum {
	OPT_PROTO = 256,
	OPT_COMPRESSED,
	OPT_NO_COMPRESSED,
	OPT_NO_DATA,
	OPT_WALK,
	OPT_KERNEL,
	OPT_MANIFEST,
	OPT_SINCE,
	OPT_PARENT_UUID,
	OPT_NAME,
	OPT_CHECKSUM,
	OPT_TRUST_MTIME,
	OPT_CROSS,
	OPT_KEEP_GOING,
	OPT_PROGRESS,
	OPT_DRY_RUN,
	OPT_JSON,
	OPT_HELP,
	OPT_VERSION
};

static const struct cmdline_row rows[] = {
	{'f', required_argument, "file", "-f, --file=FILE", "write FILE, not standard output"},
	{'p', required_argument, "parent", "-p, --parent=PARENT", "send what differs from PARENT"},
	{'c', required_argument, "clone-source", "-c, --clone-source=SNAPSHOT",
	 "data may be cloned from SNAPSHOT (repeatable)"},
	{'e', no_argument, "no-end", "-e, --no-end",
	 "one stream of several subvolumes, not one for each"},
	{OPT_PROTO, required_argument, "proto", "    --proto=N",
	 "version of the stream; 0, and by default: the highest"},
	{OPT_COMPRESSED, no_argument, "compressed-data", "    --compressed-data",
	 "keep compressed extents as they are (the default from 2 on)"},
	{OPT_NO_COMPRESSED, no_argument, "no-compressed-data", "    --no-compressed-data",
	 "send all data plain"},
	{OPT_NO_DATA, no_argument, "no-data", "    --no-data", "say where data are, not which"},
	{OPT_WALK, no_argument, "walk", "    --walk", "walk the tree, even if it is a subvolume"},
	{OPT_KERNEL, no_argument, "kernel", "    --kernel", "by the kernel's send or not at all"},
	{OPT_MANIFEST, required_argument, "manifest", "    --manifest=FILE",
	 "keep in FILE what was sent, for --since"},
	{OPT_SINCE, required_argument, "since", "    --since=FILE",
	 "send what differs from what manifest FILE says"},
	{OPT_CHECKSUM, no_argument, "checksum", "    --checksum",
	 "hash contents for the manifest, and compare by them"},
	{OPT_TRUST_MTIME, no_argument, "trust-mtime", "    --trust-mtime",
	 "same size and modification time: not changed"},
	{OPT_PARENT_UUID, required_argument, "parent-uuid", "    --parent-uuid=UUID[:N]",
	 "what the stream of PARENT was known by"},
	{OPT_NAME, required_argument, "name", "    --name=NAME", "call the subvolume so"},
	{OPT_CROSS, no_argument, "cross-mounts", "    --cross-mounts",
	 "go into other file systems and subvolumes, too"},
	{OPT_KEEP_GOING, no_argument, "keep-going", "    --keep-going",
	 "leave out what cannot be read"},
	{OPT_DRY_RUN, no_argument, "dry-run", "    --dry-run", "say what would be sent"},
	{OPT_PROGRESS, required_argument, "progress", "    --progress=WHEN",
	 "auto, always or never"},
	{OPT_JSON, no_argument, "json", "    --json", "a summary in JSON on standard error"},
	{'q', no_argument, "quiet", "-q, --quiet", "errors only"},
	{'v', no_argument, "verbose", "-v, --verbose", "say how much was sent, and how"},
	{OPT_HELP, no_argument, "help", "    --help, --version", "say this, or the version"},
	{OPT_VERSION, no_argument, "version", NULL, NULL},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const char head[] =
	"Usage: ocp-send [OPTION]... SUBVOLUME...\n"
	"  or:  ocp-send [OPTION]... TREE\n"
	"Send read-only btrfs subvolumes, or any tree, as streams; see ocp-send(1).\n";

static int misuse(const char *text)
{
	return cmdline_misuse(text, NULL);
}

static int take_proto(struct send_opts *o)
{
	return cmdline_number(optarg, 0, STREAM_VERSION_MAX, &o->proto)
		       ? -1
		       : misuse("--proto takes a version from 0 to 3");
}

/* What carries a value. */
static int take_value(struct send_opts *o, int c)
{
	switch (c) {
	case 'f':
		o->file = optarg;
		return -1;
	case 'p':
		o->parent = optarg;
		return -1;
	case 'c':
		o->clones[o->nclones++] = optarg;
		return -1;
	case OPT_PROTO:
		return take_proto(o);
	case OPT_MANIFEST:
		o->manifest = optarg;
		return -1;
	case OPT_SINCE:
		o->since = optarg;
		return -1;
	case OPT_PARENT_UUID:
		o->parent_uuid = optarg;
		return -1;
	case OPT_NAME:
		o->name = optarg;
		return -1;
	default:
		return progress_when(optarg, &o->progress)
			       ? -1
			       : misuse("--progress takes auto, always or never");
	}
}

/* What is said or not. */
static bool take_flag(struct send_opts *o, int c)
{
	bool *const flags[] = {
		[OPT_NO_DATA - OPT_PROTO] = &o->no_data,
		[OPT_CHECKSUM - OPT_PROTO] = &o->checksum,
		[OPT_TRUST_MTIME - OPT_PROTO] = &o->trust_mtime,
		[OPT_CROSS - OPT_PROTO] = &o->cross,
		[OPT_KEEP_GOING - OPT_PROTO] = &o->keep_going,
		[OPT_DRY_RUN - OPT_PROTO] = &o->dry_run,
		[OPT_JSON - OPT_PROTO] = &o->json,
	};
	bool *flag = c == 'e' ? &o->no_end : c == 'q' ? &o->quiet : c == 'v' ? &o->verbose : NULL;

	if (c >= OPT_PROTO && (unsigned)(c - OPT_PROTO) < sizeof(flags) / sizeof(flags[0]))
		flag = flags[c - OPT_PROTO];
	if (flag)
		*flag = true;
	return flag != NULL;
}

/* Status to end with, or -1. */
static int take(struct send_opts *o, int c)
{
	if (take_flag(o, c))
		return -1;
	switch (c) {
	case OPT_COMPRESSED:
	case OPT_NO_COMPRESSED:
		o->compressed = c == OPT_COMPRESSED;
		return -1;
	case OPT_WALK:
		o->way = SEND_WALK;
		return -1;
	case OPT_KERNEL:
		o->way = SEND_KERNEL;
		return -1;
	case OPT_HELP:
		return cmdline_help(head, rows, ROWS);
	case OPT_VERSION:
		return cmdline_version("ocp-send");
	case '?':
		return misuse(NULL);
	default:
		return take_value(o, c);
	}
}

static int settle(struct send_opts *o)
{
	bool walks = o->manifest || o->since || o->name || o->checksum || o->cross ||
		     o->keep_going || o->parent_uuid || o->trust_mtime;

	if (!o->ntrees)
		return misuse("missing subvolume or tree");
	if (walks && o->way == SEND_KERNEL)
		return misuse("the kernel's send knows no manifests, names, checksums, mounts or "
			      "errors to leave out");
	if (walks)
		o->way = SEND_WALK;
	if (o->way == SEND_WALK && o->nclones)
		return misuse("clone sources are for the kernel's send; walking takes -p");
	if (o->way == SEND_WALK && o->ntrees > 1 && (o->manifest || o->since || o->name))
		return misuse("a manifest or a name is of one tree");
	if (o->compressed == 1 && o->proto == 1)
		return misuse("compressed data need version 2 of the stream");
	if (o->name && (!*o->name || strchr(o->name, '/') ||
			stream_path_wrong((const uint8_t *)o->name, strlen(o->name))))
		return misuse("--name takes one component of a path");
	return -1;
}

int send_opts_parse(struct send_opts *o, int argc, char **argv)
{
	struct option longs[ROWS + 1];
	int c, status = -1;

	cmdline_longs(rows, ROWS, longs);
	*o = (struct send_opts){.proto = PROTO_UNSET, .compressed = -1};
	o->clones = calloc((size_t)argc + 1, sizeof(*o->clones));
	if (!o->clones)
		return misuse("no memory");
	if (argc)
		argv[0] = program_invocation_short_name;
	while (status < 0 && (c = getopt_long(argc, argv, "f:p:c:eqv", longs, NULL)) != -1)
		status = take(o, c);
	o->trees = argv + optind;
	o->ntrees = (unsigned)(argc - optind);
	return status >= 0 ? status : settle(o);
}

void send_opts_free(struct send_opts *o)
{
	free(o->clones);
}
