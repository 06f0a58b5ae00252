/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --explain and --debug: what became of one file, for people. */
#include "report_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "quote.h"
#include "ranges.h"
#include "userspace/size.h"

const char *why_text(const struct copy_why *why)
{
	if (why->reason)
		return why->reason;
	/* Static text, which strerror() does not promise. */
	return why->error ? strerrordesc_np(why->error) : NULL;
}

/* The strategies that did something, what they did. */
static void print_done(FILE *out, const struct copy_result *res)
{
	char size[SIZE_TEXT], moved[SIZE_TEXT];
	unsigned s;

	for (s = 0; s < COPY_STRATEGIES; s++) {
		const struct copy_tally *t = &res->by[s];

		if (!t->bytes && !t->ranges)
			continue;
		fprintf(out, "  %-8s %s in %" PRIu64 " %s, ", copy_strategy_name(s),
			size_text(t->bytes, size), t->ranges, t->ranges == 1 ? "range" : "ranges");
		if (t->moved)
			fprintf(out, "%s through this process\n", size_text(t->moved, moved));
		else
			fputs("nothing through this process\n", out);
	}
	if (res->holes)
		fprintf(out, "  %-8s %s kept as holes\n", "", size_text(res->holes, size));
}

/* Why the better ones did not do it, or not all of it. */
static void print_declined(FILE *out, const struct copy_result *res)
{
	unsigned s;

	for (s = 0; s < COPY_STRATEGIES; s++) {
		const char *why = why_text(&res->why[s]);

		if (!why)
			continue;
		fprintf(out, "  %s %s: %s", res->by[s].bytes ? "not all by" : "not by",
			copy_strategy_name(s), why);
		if (res->why[s].count > 1)
			fprintf(out, " (%" PRIu64 " times)", res->why[s].count);
		fputc('\n', out);
	}
}

void explain_file(struct report *r, const struct explained *what, const struct copy_result *res,
		  int err)
{
	char *a = quote_name(what->src), *b = quote_name(what->dst), size[SIZE_TEXT];

	fprintf(r->lines, "%s -> %s: %s", a ? a : what->src, b ? b : what->dst,
		size_text(res->bytes, size));
	if (res->bytes >= 1024)
		fprintf(r->lines, " (%" PRIu64 " bytes)", res->bytes);
	if (err)
		fprintf(r->lines, ", then: %s", strerror(abs(err)));
	else if (res->stopped)
		fputs(", then stopped", r->lines);
	fputc('\n', r->lines);
	print_done(r->lines, res);
	print_declined(r->lines, res);
	if (what->ranges)
		ranges_print(r->lines, what->ranges);
	free(a);
	free(b);
}

/* One answer of cp's line. */
static const char *debug_word(const struct copy_result *res, unsigned s, bool avoided,
			      const char *if_avoided)
{
	if (res->by[s].bytes)
		return "yes";
	if (avoided)
		return if_avoided;
	return res->why[s].error ? "unsupported" : "unknown";
}

/*
 * GNU cp 9.x --debug.  "copy offload" there is copy_file_range(2), which on
 * one machine is our offload; encoded and grant have no word of their own and
 * show only in --explain.
 */
void explain_debug(struct report *r, const struct copy_result *res)
{
	const unsigned avoid = COPY_RANGE_NO_OFFLOAD | COPY_RANGE_NO_CLONE | COPY_RANGE_FILL_HOLES |
			       COPY_RANGE_PUNCH_ZEROS;
	unsigned flags = r->o->copy_flags;
	bool holes = res->holes != 0, zeros = flags & COPY_RANGE_PUNCH_ZEROS;
	const char *sparse = holes && zeros ? "SEEK_HOLE + zeros"
			     : holes	    ? "SEEK_HOLE"
			     : zeros	    ? "zeros"
					    : "no";

	if (res->by[COPY_CLONE].bytes && res->how == COPY_CLONE)
		sparse = "unknown";
	fprintf(r->lines, "copy offload: %s, reflink: %s, sparse detection: %s\n",
		debug_word(res, COPY_OFFLOAD, flags & avoid, "avoided"),
		debug_word(res, COPY_CLONE, flags & COPY_RANGE_NO_CLONE, "no"), sparse);
}
