// SPDX-License-Identifier: GPL-2.0-or-later
/* options.c - from one table, the command line and the file. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmdline.h"

enum { OPT_CONFIG = 300, OPT_FOREGROUND, OPT_LIST, OPT_VERBOSE, OPT_HELP, OPT_VERSION };

#define DEPTH 1 /* a file does not name another */

static const struct cmdline_row rows[] = {
	{SET_LISTEN, required_argument, "listen", "--listen=ADDRESS:PORT",
	 "where to listen; port 0: any that is free"},
	{SET_TARGET, required_argument, "target", "--target=IQN",
	 "a target, whose LUNs are those that follow"},
	{SET_LUN, required_argument, "lun", "--lun=N=FILE[,OPTION]...",
	 "a file, device or nfs:// URL as LUN N: size=SIZE, physical=512, ro"},
	{SET_CHAP, required_argument, "chap", "--chap=USER:FILE",
	 "who logs in proves to know the secret in FILE"},
	{SET_CHAP_MUTUAL, required_argument, "chap-mutual", "--chap-mutual=USER:FILE",
	 "what we prove to who asks"},
	{SET_STATE, required_argument, "state", "--state=DIR", "keep reservations in DIR"},
	{OPT_CONFIG, required_argument, "config", "--config=FILE",
	 "read such options, without --, from FILE"},
	{OPT_FOREGROUND, no_argument, "foreground", "--foreground", "do not go to the background"},
	{OPT_LIST, no_argument, "list", "--list", "say what would be served"},
	{OPT_VERBOSE, no_argument, "verbose", "--verbose",
	 "say who comes and goes, and how each copy was made"},
	{OPT_HELP, no_argument, "help", "--help, --version", "say this, or the version"},
	{OPT_VERSION, no_argument, "version", NULL, NULL},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const char head[] = "Usage: ocp-target [OPTION]... --target=IQN --lun=N=FILE...\n"
			   "Serve files and block devices as LUNs by iSCSI; see ocp-target(8).\n";

static int no_memory(void)
{
	fprintf(stderr, "ocp-target: %s\n", strerror(ENOMEM));
	return EXIT_FAILURE;
}

static int add(struct options *o, int option, const char *value, const char *where)
{
	struct setting *more = realloc(o->set, (o->n + 1) * sizeof(*more));

	if (!more)
		return no_memory();
	o->set = more;
	more[o->n] = (struct setting){option, strdup(value), strdup(where)};
	o->n++;
	return more[o->n - 1].value && more[o->n - 1].where ? -1 : no_memory();
}

/* "word value" of a line; blanks around them, and what follows # at its start, are nothing. */
static int take_line(struct options *o, char *line, const char *where)
{
	char *word = line + strspn(line, " \t"), *value, *end = word + strlen(word);

	while (end > word && isspace((unsigned char)end[-1]))
		*--end = 0;
	if (!*word || *word == '#')
		return -1;
	value = word + strcspn(word, " \t=");
	if (*value)
		*value++ = 0;
	value += strspn(value, " \t");
	for (unsigned i = 0; i < ROWS; i++)
		if (rows[i].value < OPT_CONFIG && !strcmp(rows[i].name, word))
			return *value ? add(o, rows[i].value, value, where)
				      : cmdline_misuse(where, "a value is missing");
	return cmdline_misuse(where, "not an option that a file can hold");
}

static int read_file(struct options *o, const char *name)
{
	FILE *f = fopen(name, "re");
	char *line = NULL, *where;
	unsigned number = 0;
	size_t room = 0;
	int status = -1;

	while (f && status < 0 && getline(&line, &room, f) > 0) {
		if (asprintf(&where, "%s:%u", name, ++number) < 0)
			return no_memory();
		status = take_line(o, line, where);
		free(where);
	}
	if (!f || ferror(f)) {
		fprintf(stderr, "ocp-target: %s: cannot be read: %s\n", name, strerror(errno));
		status = EXIT_FAILURE;
	}
	if (f)
		fclose(f);
	free(line);
	return status;
}

static int take(struct options *o, int c)
{
	char where[32];

	switch (c) {
	case OPT_CONFIG:
		return read_file(o, optarg);
	case OPT_FOREGROUND:
		o->foreground = true;
		return -1;
	case OPT_LIST:
		o->list = true;
		return -1;
	case OPT_VERBOSE:
		o->verbose = true;
		return -1;
	case OPT_HELP:
		return cmdline_help(head, rows, ROWS);
	case OPT_VERSION:
		return cmdline_version("ocp-target");
	default:
		break;
	}
	for (unsigned i = 0; i < ROWS; i++)
		if (rows[i].value == c && c < OPT_CONFIG) {
			snprintf(where, sizeof(where), "--%s", rows[i].name);
			return add(o, c, optarg, where);
		}
	return cmdline_misuse(NULL, NULL);
}

int options_parse(struct options *o, int argc, char **argv)
{
	struct option longs[ROWS + 1];
	int c, status = -1;

	cmdline_longs(rows, ROWS, longs);
	*o = (struct options){0};
	while (status < 0 && (c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		status = take(o, c);
	if (status < 0 && optind < argc)
		status = cmdline_misuse(argv[optind], "not an option; files are named by --lun");
	return status;
}

void options_free(struct options *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		free(o->set[i].value);
		free(o->set[i].where);
	}
	free(o->set);
	*o = (struct options){0};
}
