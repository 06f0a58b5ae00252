/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --json: sums, reasons and errors of the whole run, in bounded memory. */
#include "report_impl.h"
#include "userspace/json.h"

#include <stdlib.h>
#include <string.h>

static struct report_reason *find_reason(struct report *r, enum copy_strategy_id s,
					 const char *reason)
{
	struct report_reason *at;

	for (at = r->reasons; at < r->reasons + r->nreasons; at++)
		if (at->strategy == s && !strcmp(at->reason, reason))
			return at;
	return NULL;
}

static struct report_reason *reason_row(struct report *r, enum copy_strategy_id s,
					const char *reason)
{
	struct report_reason *at = find_reason(r, s, reason);

	/* The last rows are kept for one such sentence a strategy. */
	if (!at && r->nreasons >= REPORT_REASONS_MAX - COPY_STRATEGIES) {
		reason = "other reasons";
		at = find_reason(r, s, reason);
	}
	if (!at) {
		at = &r->reasons[r->nreasons++];
		*at = (struct report_reason){.strategy = s, .reason = reason};
	}
	return at;
}

void summary_reason(struct report *r, enum copy_strategy_id s, const char *reason, uint64_t count,
		    uint64_t streamed)
{
	struct report_reason *row = reason_row(r, s, reason);

	row->count += count;
	row->streamed += streamed;
}

void summary_add(struct report *r, const struct copy_result *res)
{
	unsigned s;

	for (s = 0; s < COPY_STRATEGIES; s++) {
		const struct copy_why *why = &res->why[s];
		uint64_t count = why->count ? why->count : 1;

		if (why_text(why))
			summary_reason(r, (enum copy_strategy_id)s, why_text(why), count,
				       res->by[COPY_STREAM].bytes ? count : 0);
	}
	copy_result_add(&r->sum, res);
}

/* Errors in English and by name, so that a program can compare them. */
static void print_failure(struct json *j, int err, const char *operation, const char *path,
			  const char *sentence)
{
	const char *text = err ? strerrordesc_np(err) : sentence;
	const char *name = err ? strerrorname_np(err) : NULL;

	json_path(j, "path", path);
	json_string(j, "operation", operation);
	json_string(j, "error", text ? text : "unknown error");
	if (name)
		json_string(j, "errno", name);
}

static void line_begin(struct json *j, const char *type)
{
	json_begin(j, NULL, '{');
	json_string(j, "type", type);
}

static void line_end(struct json *j)
{
	json_end(j, '}');
	fputc('\n', j->out);
}

void summary_failure(struct report *r, int err, const char *operation, const char *path,
		     const char *sentence)
{
	size_t len = strlen(path) + 1, extra = err ? 0 : strlen(sentence) + 1;
	struct report_failure *f = NULL;
	struct json j = {.out = r->json};

	if (r->o->json_lines) {
		line_begin(&j, "error");
		print_failure(&j, err, operation, path, sentence);
		line_end(&j);
		return;
	}
	if (r->nfailures < REPORT_ERRORS_MAX &&
	    r->failure_bytes + len + extra <= REPORT_ERROR_BYTES_MAX)
		f = malloc(sizeof(*f) + len + extra);
	if (!f) {
		r->failures_dropped++;
		return;
	}
	f->next = NULL;
	f->operation = operation;
	f->err = err;
	memcpy(f->path, path, len);
	f->sentence = err ? NULL : memcpy(f->path + len, sentence, extra);
	*r->failures_end = f;
	r->failures_end = &f->next;
	r->nfailures++;
	r->failure_bytes += len + extra;
}

static void print_strategies(const struct copy_result *res, struct json *j)
{
	unsigned s;

	json_begin(j, "strategies", '{');
	for (s = 0; s < COPY_STRATEGIES; s++) {
		const struct copy_tally *t = &res->by[s];

		if (!t->bytes && !t->ranges)
			continue;
		json_begin(j, copy_strategy_name(s), '{');
		json_number(j, "bytes", t->bytes);
		json_number(j, "ranges", t->ranges);
		json_number(j, "moved", t->moved);
		json_end(j, '}');
	}
	json_end(j, '}');
}

static void print_reasons(struct report *r, struct json *j)
{
	struct report_reason *at;

	json_begin(j, "declined", '[');
	for (at = r->reasons; at < r->reasons + r->nreasons; at++) {
		json_begin(j, NULL, '{');
		json_string(j, "strategy", copy_strategy_name(at->strategy));
		json_string(j, "reason", at->reason);
		json_number(j, "count", at->count);
		json_end(j, '}');
	}
	json_end(j, ']');
}

static void print_failures(struct report *r, struct json *j)
{
	const struct report_failure *f;

	json_number(j, "failed", r->errors);
	if (r->o->json_lines) /* each had a line */
		return;
	json_begin(j, "errors", '[');
	for (f = r->failures; f; f = f->next) {
		json_begin(j, NULL, '{');
		print_failure(j, f->err, f->operation, f->path, f->sentence);
		json_end(j, '}');
	}
	json_end(j, ']');
	json_number(j, "errors_dropped", r->failures_dropped);
}

void summary_line(struct report *r, const char *src, const char *dst, const struct copy_result *res,
		  bool done)
{
	struct json j = {.out = r->json};

	line_begin(&j, "file");
	json_path(&j, "source", src);
	json_path(&j, "destination", dst);
	json_bool(&j, "done", done);
	json_number(&j, "bytes", res->bytes);
	json_number(&j, "holes", res->holes);
	print_strategies(res, &j);
	line_end(&j);
}

void summary_print(struct report *r)
{
	struct json j = {.out = r->json};

	json_begin(&j, NULL, '{');
	if (r->o->json_lines)
		json_string(&j, "type", "summary");
	json_number(&j, "files", r->files);
	json_number(&j, "directories", r->made[MADE_DIRECTORY]);
	json_number(&j, "symlinks", r->made[MADE_SYMLINK]);
	json_number(&j, "hardlinks", r->made[MADE_HARDLINK]);
	json_number(&j, "specials", r->made[MADE_SPECIAL]);
	json_number(&j, "bytes", r->sum.bytes);
	json_number(&j, "holes", r->sum.holes);
	if (r->o->verify)
		json_number(&j, "verified", r->verified);
	json_seconds(&j, "seconds", report_now() - r->start);
	print_strategies(&r->sum, &j);
	print_reasons(r, &j);
	print_failures(r, &j);
	json_end(&j, '}');
	fputc('\n', r->json);
}

void summary_free(struct report *r)
{
	struct report_failure *f;
	struct report_text *text;

	while ((text = r->texts)) {
		r->texts = text->next;
		free(text);
	}
	while ((f = r->failures)) {
		r->failures = f->next;
		free(f);
	}
}
