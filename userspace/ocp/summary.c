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

static void add_reason(struct report *r, enum copy_strategy_id s, const char *reason,
		       uint64_t count)
{
	struct report_reason *at = find_reason(r, s, reason);

	/* The last rows are kept for one such sentence a strategy. */
	if (!at && r->nreasons >= REPORT_REASONS_MAX - COPY_STRATEGIES) {
		reason = "other reasons";
		at = find_reason(r, s, reason);
	}
	if (!at) {
		at = &r->reasons[r->nreasons++];
		*at = (struct report_reason){s, reason, 0};
	}
	at->count += count;
}

void summary_add(struct report *r, const struct copy_result *res)
{
	unsigned s;

	for (s = 0; s < COPY_STRATEGIES; s++) {
		const struct copy_why *why = &res->why[s];

		if (why_text(why))
			add_reason(r, (enum copy_strategy_id)s, why_text(why),
				   why->count ? why->count : 1);
	}
	copy_result_add(&r->sum, res);
}

void summary_failure(struct report *r, int err, const char *operation, const char *path,
		     const char *sentence)
{
	size_t len = strlen(path) + 1, extra = err ? 0 : strlen(sentence) + 1;
	struct report_failure *f = NULL;

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

static void print_strategies(struct report *r, struct json *j)
{
	unsigned s;

	json_begin(j, "strategies", '{');
	for (s = 0; s < COPY_STRATEGIES; s++) {
		const struct copy_tally *t = &r->sum.by[s];

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

/* Errors in English and by name, so that a program can compare them. */
static void print_failures(struct report *r, struct json *j)
{
	const struct report_failure *f;
	const char *text, *name;

	json_begin(j, "errors", '[');
	for (f = r->failures; f; f = f->next) {
		text = f->err ? strerrordesc_np(f->err) : f->sentence;
		name = f->err ? strerrorname_np(f->err) : NULL;
		json_begin(j, NULL, '{');
		json_path(j, "path", f->path);
		json_string(j, "operation", f->operation);
		json_string(j, "error", text ? text : "unknown error");
		if (name)
			json_string(j, "errno", name);
		json_end(j, '}');
	}
	json_end(j, ']');
	json_number(j, "errors_dropped", r->failures_dropped);
}

void summary_print(struct report *r)
{
	struct json j = {.out = r->json};

	json_begin(&j, NULL, '{');
	json_number(&j, "files", r->files);
	json_number(&j, "directories", r->made[MADE_DIRECTORY]);
	json_number(&j, "symlinks", r->made[MADE_SYMLINK]);
	json_number(&j, "hardlinks", r->made[MADE_HARDLINK]);
	json_number(&j, "specials", r->made[MADE_SPECIAL]);
	json_number(&j, "bytes", r->sum.bytes);
	json_number(&j, "holes", r->sum.holes);
	json_seconds(&j, "seconds", report_now() - r->start);
	print_strategies(r, &j);
	print_reasons(r, &j);
	print_failures(r, &j);
	json_end(&j, '}');
	fputc('\n', r->json);
}

void summary_free(struct report *r)
{
	struct report_failure *f;

	while ((f = r->failures)) {
		r->failures = f->next;
		free(f);
	}
}
