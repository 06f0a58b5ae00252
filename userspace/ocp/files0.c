// SPDX-License-Identifier: GPL-2.0-or-later
/* files0.c - --files0-from: the sources are names in a file, each with a NUL behind it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "quote.h"

static int complain(const char *what, const char *name, int err)
{
	char *quoted = quote_name(name);

	fprintf(stderr, "%s: %s %s: %s\n", program_invocation_short_name, what,
		quoted ? quoted : name, strerror(err));
	free(quoted);
	return EXIT_FAILURE;
}

/* All of @in and a NUL; NULL after errno. */
static char *slurp(FILE *in, size_t *len)
{
	char *text = NULL, *more;
	size_t size = 0;

	*len = 0;
	do {
		if (size - *len < 2) {
			size = size ? size * 2 : 1 << 16;
			more = realloc(text, size);
			if (!more) {
				free(text);
				return NULL;
			}
			text = more;
		}
		*len += fread(text + *len, 1, size - *len - 1, in);
	} while (!feof(in) && !ferror(in));
	text[*len] = '\0';
	if (ferror(in)) {
		free(text);
		return NULL;
	}
	return text;
}

/* The names in @text; -1, or an exit status after a message about one that is empty. */
static int split(struct ocp_opts *o, char *text, size_t len)
{
	unsigned n = 0;
	char *at;

	for (at = text; at < text + len; at += strlen(at) + 1) {
		if (*at && n < UINT32_MAX - 1) {
			n++;
			continue;
		}
		fprintf(stderr, "%s: %s:%u: invalid zero-length file name\n",
			program_invocation_short_name, o->files0_from, n + 1);
		return EXIT_FAILURE;
	}
	o->sources = calloc((size_t)n + 1, sizeof(*o->sources));
	if (!o->sources)
		return fatal("memory exhausted");
	for (at = text, n = 0; at < text + len; at += strlen(at) + 1)
		o->sources[n++] = at;
	o->nsources = n;
	return -1;
}

int files0_read(struct ocp_opts *o)
{
	const char *name = o->files0_from;
	bool standard = !strcmp(name, "-");
	FILE *in = standard ? stdin : fopen(name, "re");
	size_t len;
	int status;

	if (!in)
		return complain("cannot open for reading", name, errno);
	o->files0 = slurp(in, &len);
	status = o->files0 ? split(o, o->files0, len) : complain("error reading", name, errno);
	if (!standard)
		fclose(in);
	return status;
}

void files0_free(struct ocp_opts *o)
{
	if (o->files0)
		free(o->sources);
	free(o->files0);
	o->files0 = NULL;
}
