// SPDX-License-Identifier: GPL-2.0-or-later
/* describe.c - what a unit says of itself and of its copies, for people: lines "name: value". */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fs/block/block.h"

struct text {
	char *at;
	size_t left;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->at, t->left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= t->left)
		n = t->left ? (int)t->left - 1 : 0;
	t->at += n;
	t->left -= (size_t)n;
}

static int trimmed(const char *s)
{
	size_t n = strlen(s);

	while (n && s[n - 1] == ' ')
		n--;
	return (int)n;
}

static void say_unit(struct text *t, const struct scsi_lu *lu)
{
	say(t,
	    "unit: %.*s %.*s, %" PRIu64 " blocks of %" PRIu32 " bytes (%" PRIu32 " physical)%s\n",
	    trimmed(lu->vendor), lu->vendor, trimmed(lu->product), lu->product, lu->blocks,
	    lu->block, lu->physical, lu->thin ? ", thin" : "");
	if (!lu->names)
		return;
	say(t, "name: ");
	for (unsigned i = 0; i < lu->name[0].len; i++)
		say(t, lu->name[0].type == DESIGNATOR_T10 ? "%c" : "%02x", lu->name[0].id[i]);
	say(t, "\n");
}

static void say_limits(struct text *t, const struct scsi_lu *lu)
{
	say(t, "blocks at once: read and write %" PRIu32, lu->max_transfer / lu->block);
	if (lu->limits.max_write_same)
		say(t, ", WRITE SAME %" PRIu64, lu->limits.max_write_same);
	if (lu->limits.max_unmap)
		say(t, ", UNMAP %" PRIu32, lu->limits.max_unmap);
	if (lu->limits.unmap_granularity)
		say(t, ", granularity of UNMAP %" PRIu32, lu->limits.unmap_granularity);
	say(t, "\n");
}

static void say_copies(struct text *t, const struct scsi_lu *lu)
{
	const struct copy_limits_data *c = &lu->copy;

	if (!lu->copies && !lu->tokens) {
		say(t, "copies by itself: none\n");
		return;
	}
	say(t, "copies by itself: %s%s%s\n",
	    !lu->copies ? ""
	    : lu->lid4	? "EXTENDED COPY (LID1, LID4)"
			: "EXTENDED COPY (LID1)",
	    lu->copies && lu->tokens ? ", " : "", lu->tokens ? "tokens (ODX)" : "");
	if (lu->copies) {
		say(t, "EXTENDED COPY: %u segments a command, ", c->segments);
		if (c->segment_bytes)
			say(t, "%" PRIu32 " bytes a segment, ", c->segment_bytes);
		say(t, "%u commands at once, granularity %" PRIu64 " bytes, descriptors", c->copies,
		    c->granularity < 63 ? (uint64_t)1 << c->granularity : 0);
		for (unsigned i = 0; i < c->codes; i++)
			say(t, " %02Xh", c->code[i]);
		say(t, "\n");
	}
	if (lu->tokens)
		say(t,
		    "tokens: %u ranges, %" PRIu64 " blocks at most, %" PRIu64 " at best, %" PRIu32
		    " seconds\n",
		    lu->tpc.max_ranges, lu->tpc.max_transfer, lu->tpc.optimal_transfer,
		    lu->tpc.default_timeout);
}

void lu_describe(const struct scsi_lu *lu, char *text, size_t size)
{
	struct text t = {text, size};

	say_unit(&t, lu);
	say_limits(&t, lu);
	say_copies(&t, lu);
}

int block_describe(struct file *file, char *text, size_t size)
{
	if (!block_of(file)->unit)
		return -EOPNOTSUPP;
	lu_describe(&block_of(file)->unit->lu, text, size);
	return 0;
}
