// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmdline.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

void cmdline_longs(const struct cmdline_row *rows, unsigned n, struct option *longs)
{
	for (unsigned i = 0; i < n; i++)
		longs[i] = (struct option){rows[i].name, rows[i].arg, NULL, rows[i].value};
	longs[n] = (struct option){0};
}

static int written(void)
{
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cmdline_help(const char *head, const struct cmdline_row *rows, unsigned n)
{
	fputs(head, stdout);
	for (unsigned i = 0; i < n; i++)
		if (rows[i].usage)
			printf("  %-30s %s\n", rows[i].usage, rows[i].text);
	return written();
}

int cmdline_version(const char *program)
{
	printf("%s (copy_range) " CR_VERSION "\n"
	       "License GPL-2.0-or-later: GNU GPL version 2 or later.\n"
	       "There is NO WARRANTY, to the extent permitted by law.\n",
	       program);
	return written();
}

int cmdline_misuse(const char *text, const char *arg)
{
	if (text)
		fprintf(stderr, "%s: %s%s%s\n", program_invocation_short_name, text,
			arg ? ": " : "", arg ? arg : "");
	fprintf(stderr, "Try '%s --help' for more information.\n", program_invocation_short_name);
	return EXIT_FAILURE;
}

bool cmdline_number(const char *text, unsigned min, unsigned max, unsigned *value)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n < min || n > max)
		return false;
	*value = (unsigned)n;
	return true;
}
