// SPDX-License-Identifier: GPL-2.0-or-later
/* send_report.c - what a run did, for people and in JSON; lines that do not run into the bar. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "send.h"
#include "userspace/json.h"
#include "userspace/size.h"

/* The bar that is erased while something is said: one for the program, as is standard error. */
static struct progress *shown;

void say_beside(struct progress *bar)
{
	shown = bar;
}

void say_nothing_more(void)
{
	progress_hide(shown);
}

void say(const char *name, const char *fmt, ...)
{
	char text[700];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	progress_hide(shown);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	if (name) {
		size_t len = strlen(name);
		size_t n = stream_escape(NULL, 0, (const uint8_t *)name, len) + 1;
		char *printable = malloc(n);

		if (printable)
			stream_escape(printable, n, (const uint8_t *)name, len);
		fprintf(stderr, "%s: ", printable ? printable : "?");
		free(printable);
	}
	fprintf(stderr, "%s\n", text);
	progress_show(shown);
}

int say_error(const char *name, const char *what, int err)
{
	if (err)
		say(name, "%s: %s", what, strerror(-err));
	else
		say(name, "%s", what);
	return err ? err : -EINVAL;
}

static void put_sums(const struct send *s)
{
	const struct send_sums *n = &s->sums;
	char bytes[SIZE_TEXT], data[SIZE_TEXT], encoded[SIZE_TEXT], cloned[SIZE_TEXT];

	if (s->o->dry_run) {
		say(NULL, "%s of data would be sent, and %s of commands", size_text(n->data, data),
		    size_text(n->bytes, bytes));
		return;
	}
	if (!n->entries) {
		say(NULL, "%s", size_text(n->bytes, bytes));
		return;
	}
	say(NULL, "%s: %" PRIu64 " new names; %s plain, %s compressed, %s cloned",
	    size_text(n->bytes, bytes), n->entries, size_text(n->data, data),
	    size_text(n->encoded, encoded), size_text(n->cloned, cloned));
}

/* Where the stream is not. */
static void put_json(const struct send *s, bool whole)
{
	const struct send_sums *n = &s->sums;
	struct json json = {.out = s->o->file || s->o->dry_run ? stdout : stderr};

	json_begin(&json, NULL, '{');
	json_bool(&json, "whole", whole);
	json_bool(&json, "dry_run", s->o->dry_run);
	json_begin(&json, "sources", '[');
	for (unsigned i = 0; i < s->o->ntrees; i++) {
		json_begin(&json, NULL, '{');
		json_path(&json, "path", s->o->trees[i]);
		json_end(&json, '}');
	}
	json_end(&json, ']');
	json_string(&json, "way", s->walked ? "walk" : "kernel");
	json_number(&json, "version", s->version);
	json_bool(&json, "compressed_data", s->compressed);
	json_number(&json, "bytes", n->bytes);
	if (s->walked || s->o->dry_run)
		json_number(&json, "data_bytes", n->data);
	if (s->walked) {
		json_number(&json, "encoded_bytes", n->encoded);
		json_number(&json, "cloned_bytes", n->cloned);
		json_number(&json, "hole_bytes", n->holes);
		json_number(&json, "entries", n->entries);
		json_number(&json, "changed", n->changed);
		json_number(&json, "failed", n->failed);
	}
	json_end(&json, '}');
	fputc('\n', json.out);
	fflush(json.out);
}

void send_report(const struct send *s, bool whole)
{
	if (s->o->json)
		put_json(s, whole);
	else if (whole && (s->o->verbose || s->o->dry_run))
		put_sums(s);
}
