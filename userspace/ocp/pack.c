// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pack.c - a report as bytes, so that several processes have one summary.
 *
 * Numbers in the byte order of the machine, then texts with their NULs.  Fixed sentences
 * travel as texts, which are kept with the report that they are added to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report_impl.h"

/* All numbers of a report, and how many reasons and failures follow. */
struct packed {
	uint64_t files, made[MADE_KINDS], verified, errors, failed, dropped;
	uint64_t bytes, holes;
	struct copy_tally by[COPY_STRATEGIES];
	uint64_t reasons, failures;
};

struct packed_reason {
	uint64_t strategy, count, streamed; /* the sentence follows */
};

void report_collect(struct report *r)
{
	r->collect = true;
}

void report_part(struct report *r, const struct copy_result *res)
{
	pthread_mutex_lock(&r->lock);
	summary_add(r, res);
	pthread_mutex_unlock(&r->lock);
}

static void put_text(FILE *out, const char *text)
{
	fwrite(text, 1, strlen(text) + 1, out);
}

void *report_pack(struct report *r, size_t *len)
{
	struct packed p = {.files = r->files,
			   .verified = r->verified,
			   .errors = r->errors,
			   .failed = r->failed,
			   .dropped = r->failures_dropped,
			   .bytes = r->sum.bytes,
			   .holes = r->sum.holes,
			   .reasons = r->nreasons,
			   .failures = r->nfailures};
	char *data = NULL;
	FILE *out = open_memstream(&data, len);

	if (!out) {
		report_free(r);
		return NULL;
	}
	memcpy(p.made, r->made, sizeof(p.made));
	memcpy(p.by, r->sum.by, sizeof(p.by));
	fwrite(&p, sizeof(p), 1, out);
	for (unsigned i = 0; i < r->nreasons; i++) {
		const struct report_reason *at = &r->reasons[i];

		fwrite(&(struct packed_reason){at->strategy, at->count, at->streamed},
		       sizeof(struct packed_reason), 1, out);
		put_text(out, at->reason);
	}
	for (const struct report_failure *f = r->failures; f; f = f->next) {
		uint64_t err = (uint64_t)f->err;

		fwrite(&err, sizeof(err), 1, out);
		put_text(out, f->operation);
		put_text(out, f->path);
		put_text(out, f->sentence ? f->sentence : "");
	}
	report_free(r);
	if (fclose(out)) {
		free(data);
		return NULL;
	}
	return data;
}

struct cursor {
	const char *at, *end;
};

static bool get(struct cursor *c, void *to, size_t len)
{
	if ((size_t)(c->end - c->at) < len)
		return false;
	memcpy(to, c->at, len);
	c->at += len;
	return true;
}

/* NULL where it does not end. */
static const char *get_text(struct cursor *c)
{
	const char *text = c->at, *nul = memchr(c->at, 0, (size_t)(c->end - c->at));

	if (!nul)
		return NULL;
	c->at = nul + 1;
	return text;
}

/* Sentences of a report have to stay as long as that does, and there are few of them. */
static const char *kept(struct report *r, const char *text)
{
	size_t len = strlen(text) + 1;
	struct report_text *copy;

	for (unsigned i = 0; i < r->nreasons; i++)
		if (!strcmp(r->reasons[i].reason, text))
			return r->reasons[i].reason;
	for (const struct report_failure *f = r->failures; f; f = f->next)
		if (!strcmp(f->operation, text))
			return f->operation;
	copy = malloc(sizeof(*copy) + len);
	if (!copy)
		return "other";
	copy->next = r->texts;
	r->texts = copy;
	return memcpy(copy->text, text, len);
}

static int add_reasons(struct report *r, struct cursor *c, uint64_t n)
{
	struct packed_reason p;
	const char *text;

	while (n--) {
		if (!get(c, &p, sizeof(p)) || p.strategy >= COPY_STRATEGIES ||
		    !(text = get_text(c)))
			return -EINVAL;
		summary_reason(r, (enum copy_strategy_id)p.strategy, kept(r, text), p.count,
			       p.streamed);
	}
	return 0;
}

/* With --json=lines each had a line where it happened. */
static int add_failures(struct report *r, struct cursor *c, uint64_t n)
{
	const char *operation, *path, *sentence;
	uint64_t err;

	while (n--) {
		if (!get(c, &err, sizeof(err)) || err > 4095 || !(operation = get_text(c)) ||
		    !(path = get_text(c)) || !(sentence = get_text(c)))
			return -EINVAL;
		if (r->json && !r->o->json_lines)
			summary_failure(r, (int)err, kept(r, operation), path, sentence);
	}
	return 0;
}

int report_add(struct report *r, const void *data, size_t len)
{
	struct cursor c = {.at = data, .end = (const char *)data + len};
	struct packed p;
	int err;

	if (!get(&c, &p, sizeof(p)))
		return -EINVAL;
	r->files += p.files;
	for (unsigned i = 0; i < MADE_KINDS; i++)
		r->made[i] += p.made[i];
	r->verified += p.verified;
	r->errors += p.errors;
	r->failed |= p.failed != 0;
	r->failures_dropped += p.dropped;
	r->sum.bytes += p.bytes;
	r->sum.holes += p.holes;
	for (unsigned s = 0; s < COPY_STRATEGIES; s++) {
		r->sum.by[s].bytes += p.by[s].bytes;
		r->sum.by[s].ranges += p.by[s].ranges;
		r->sum.by[s].moved += p.by[s].moved;
	}
	err = add_reasons(r, &c, p.reasons);
	return err ? err : add_failures(r, &c, p.failures);
}
