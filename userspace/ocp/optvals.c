/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "optvals.h"

#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * cp quotes words of its own language, unlike names, with the quotes of the
 * locale (gnulib quote()).
 */
struct quotes {
	const char *open, *close;
};

static struct quotes locale_quotes(void)
{
	if (!strcmp(nl_langinfo(CODESET), "UTF-8"))
		return (struct quotes){"\xe2\x80\x98", "\xe2\x80\x99"};
	return (struct quotes){"'", "'"};
}

/* Control bytes as octal, so that a message cannot steer the terminal. */
static void put_quoted(const char *text)
{
	struct quotes q = locale_quotes();

	fputs(q.open, stderr);
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			fprintf(stderr, "\\%03o", (unsigned char)*text);
		else
			fputc(*text, stderr);
	fputs(q.close, stderr);
}

static void complain(const char *kind, const char *option, const char *arg,
		     const struct word *words)
{
	const struct word *w;

	fprintf(stderr, "%s: %s argument ", program_invocation_short_name, kind);
	put_quoted(arg);
	fputs(" for ", stderr);
	put_quoted(option);
	fputs("\nValid arguments are:", stderr);
	for (w = words; w->name; w++) {
		fputs(w > words && w[-1].value == w->value ? ", " : "\n  - ", stderr);
		put_quoted(w->name);
	}
	fputc('\n', stderr);
}

int word_match(const char *option, const char *arg, const struct word *words, int *value)
{
	const struct word *w, *found = NULL;
	size_t len = strlen(arg);

	for (w = words; w->name; w++) {
		if (strncmp(w->name, arg, len) != 0)
			continue;
		if (!w->name[len]) {
			*value = w->value;
			return 0;
		}
		if (found && found->value != w->value) {
			complain("ambiguous", option, arg, words);
			return -1;
		}
		found = w;
	}
	if (!found) {
		complain("invalid", option, arg, words);
		return -1;
	}
	*value = found->value;
	return 0;
}

int word_mask(const char *option, const char *arg, const struct word *words, unsigned *mask)
{
	char *list = strdup(arg), *at = list, *item;
	int err = list ? 0 : -1, value;

	*mask = 0;
	while (!err && (item = strsep(&at, ","))) {
		err = word_match(option, item, words, &value);
		if (!err)
			*mask |= 1u << value;
	}
	free(list);
	return err;
}

int number_match(const char *what, const char *arg, unsigned max, unsigned *value)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(arg, &end, 10);
	if (*arg >= '0' && *arg <= '9' && !*end && !errno && n >= 1 && n <= max) {
		*value = (unsigned)n;
		return 0;
	}
	fprintf(stderr, "%s: invalid %s: ", program_invocation_short_name, what);
	put_quoted(arg);
	fputc('\n', stderr);
	return -1;
}
