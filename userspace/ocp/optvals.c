/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "optvals.h"

#include <ctype.h>
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
void put_quoted(const char *text)
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

static int invalid(const char *what, const char *arg)
{
	fprintf(stderr, "%s: invalid %s: ", program_invocation_short_name, what);
	put_quoted(arg);
	fputc('\n', stderr);
	return -1;
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
	return invalid(what, arg);
}

/* Digits and perhaps a fraction of them; NULL: there is none, or more than a double holds. */
static const char *decimal(const char *at, double *value)
{
	double unit = 1;

	if (*at < '0' || *at > '9')
		return NULL;
	for (*value = 0; *at >= '0' && *at <= '9'; at++)
		*value = *value * 10 + (*at - '0');
	if (*at != '.')
		return at;
	for (at++; *at >= '0' && *at <= '9'; at++)
		*value += (*at - '0') * (unit /= 10);
	return at;
}

int rate_match(const char *what, const char *arg, uint64_t *value)
{
	static const char units[] = "KMGT";
	const char *at, *unit;
	double number, base = 1024;

	at = decimal(arg, &number);
	if (!at)
		return invalid(what, arg);
	unit = *at ? strchr(units, toupper((unsigned char)*at)) : units;
	if (unit) {
		at += *at != '\0';
		if (!strcasecmp(at, "B"))
			base = 1000;
		if (*at && strcasecmp(at, "B") != 0 && strcasecmp(at, "iB") != 0)
			return invalid(what, arg);
		for (long i = unit - units; i >= 0; i--)
			number *= base;
	} else if (strcasecmp(at, "B") != 0) {
		return invalid(what, arg);
	}
	if (number >= 1e18 || (number > 0 && number < 1))
		return invalid(what, arg);
	*value = (uint64_t)number;
	return 0;
}

int shard_match(const char *arg, unsigned *shard, unsigned *shards)
{
	unsigned long i, n = 0;
	char *end = NULL;

	errno = 0;
	i = *arg >= '1' && *arg <= '9' ? strtoul(arg, &end, 10) : 0;
	if (end && *end == '/' && end[1] >= '1' && end[1] <= '9')
		n = strtoul(end + 1, &end, 10);
	if (errno || !n || *end || n > UINT32_MAX || i > n)
		return invalid("shard (I/N)", arg);
	*shard = (unsigned)i;
	*shards = (unsigned)n;
	return 0;
}

int ioprio_match(const char *option, const char *arg, int *value)
{
	/* ioprio_set(2); Linux include/uapi/linux/ioprio.h */
	static const struct word classes[] = {{"realtime", 1}, {"rt", 1},   {"best-effort", 2},
					      {"be", 2},       {"idle", 3}, {NULL, 0}};
	char name[16];
	size_t len = strcspn(arg, ":");
	const char *level = arg + len;
	int class;

	snprintf(name, sizeof(name), "%.*s", (int)len, arg);
	if (word_match(option, name, classes, &class))
		return -1;
	if (*level && (class == 3 || level[1] < '0' || level[1] > '7' || level[2]))
		return invalid("level of priority", arg);
	*value = class << 13 | (*level ? level[1] - '0' : class == 3 ? 0 : 4);
	return 0;
}
