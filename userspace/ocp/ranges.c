// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ranges.c - ranges of one copy as the core tells of them.  Those that go on from each other and
 * were done alike, for the same reason, are one.
 */
#include "ranges.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#define RANGES_MAX 64u /* lines of one copy; more are counted */

struct range {
	uint64_t in, out, len;
	enum copy_strategy_id how;
	const char *command, *reason; /* reason: why it was not offloaded, or NULL */
};

struct ranges {
	struct range range[RANGES_MAX];
	unsigned n;
	uint64_t more;
};

static bool alike(const struct range *a, const struct range *b)
{
	return a->in + a->len == b->in && a->out + a->len == b->out && a->how == b->how &&
	       a->command == b->command && a->reason == b->reason;
}

static void told(void *arg, const struct copy_req *range, const struct copy_result *part)
{
	bool offloaded = part->how == COPY_OFFLOAD;
	struct range new = {.in = (uint64_t)range->pos_in,
			    .out = (uint64_t)range->pos_out,
			    .len = part->bytes,
			    .how = part->how,
			    .command = offloaded ? part->command : NULL,
			    .reason = offloaded ? NULL : part->why[COPY_OFFLOAD].reason};
	struct ranges *r = arg;

	if (r->n && alike(&r->range[r->n - 1], &new))
		r->range[r->n - 1].len += new.len;
	else if (r->n < RANGES_MAX)
		r->range[r->n++] = new;
	else
		r->more++;
}

struct ranges *ranges_new(struct copy_req *req)
{
	struct ranges *r = calloc(1, sizeof(*r));

	if (r) {
		req->told = told;
		req->told_arg = r;
	}
	return r;
}

void ranges_print(FILE *out, const struct ranges *ranges)
{
	for (unsigned i = 0; i < ranges->n; i++) {
		const struct range *r = &ranges->range[i];

		fprintf(out, "  bytes %" PRIu64 " to %" PRIu64, r->in, r->in + r->len - 1);
		if (r->in != r->out)
			fprintf(out, ", at %" PRIu64, r->out);
		fprintf(out, ": %s", copy_strategy_name(r->how));
		if (r->command)
			fprintf(out, ", %s", r->command);
		if (r->reason)
			fprintf(out, "; not offloaded: %s", r->reason);
		fputc('\n', out);
	}
	if (ranges->more)
		fprintf(out, "  and %" PRIu64 " more ranges\n", ranges->more);
}
