/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "message.h"
#include "quote.h"

uint64_t report_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A line of our own among the workers' and the bar. */
static void talk_begin(struct report *r)
{
	pthread_mutex_lock(&r->lock);
	progress_hide(r->progress);
}

static void talk_end(struct report *r)
{
	progress_show(r->progress);
	pthread_mutex_unlock(&r->lock);
}

static int open_json(struct report *r)
{
	char *quoted;

	if (!r->o->json)
		return 0;
	if (!r->o->json_file) {
		r->json = stdout;
		return 0;
	}
	r->json = fopen(r->o->json_file, "we");
	if (r->json)
		return 0;
	quoted = quote_name(r->o->json_file);
	fprintf(stderr, "%s: cannot create %s: %s\n", program_invocation_short_name,
		quoted ? quoted : r->o->json_file, strerror(errno));
	free(quoted);
	return -1;
}

struct report *report_new(const struct ocp_opts *o, struct progress *p)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r) {
		fprintf(stderr, "%s: memory exhausted\n", program_invocation_short_name);
		return NULL;
	}
	r->o = o;
	r->progress = p;
	r->failures_end = &r->failures;
	r->start = report_now();
	r->lines = o->json && !o->json_file ? stderr : stdout;
	if (open_json(r)) {
		free(r);
		return NULL;
	}
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

static void output_failed(struct report *r)
{
	fprintf(stderr, "%s: write error: %s\n", program_invocation_short_name, strerror(errno));
	r->failed = true;
}

int report_finish(struct report *r)
{
	int status;

	if (r->json) {
		summary_print(r);
		if (ferror(r->json) | (r->json == stdout ? fflush(stdout) : fclose(r->json)))
			output_failed(r);
	}
	/* As cp: lines that did not reach a full disk are an error. */
	if (r->json != stdout && (ferror(stdout) || fflush(stdout)))
		output_failed(r);
	status = r->failed || r->errors ? EXIT_FAILURE : EXIT_SUCCESS;
	summary_free(r);
	pthread_mutex_destroy(&r->lock);
	free(r);
	return status;
}

unsigned long report_errors(struct report *r)
{
	unsigned long n;

	pthread_mutex_lock(&r->lock);
	n = r->errors;
	pthread_mutex_unlock(&r->lock);
	return n;
}

void report_file(struct report *r, const char *src, const char *dst, const struct copy_result *res,
		 int err)
{
	bool talk = r->o->explain || (r->o->debug && !err);

	pthread_mutex_lock(&r->lock);
	if (!err)
		r->files++;
	summary_add(r, res);
	if (talk) {
		progress_hide(r->progress);
		if (r->o->debug && !err)
			explain_debug(r, res);
		if (r->o->explain)
			explain_file(r, src, dst, res, err);
		progress_show(r->progress);
	}
	pthread_mutex_unlock(&r->lock);
}

void report_made(struct report *r, enum report_kind kind)
{
	pthread_mutex_lock(&r->lock);
	r->made[kind]++;
	pthread_mutex_unlock(&r->lock);
}

/* One line of a word before and between up to two names, and what comes after them. */
static void line_and(struct report *r, const char *word, const char *src, const char *dst,
		     const char *after)
{
	char *a = quote_name(src), *b = dst ? quote_name(dst) : NULL;

	talk_begin(r);
	fprintf(r->lines, "%s%s%s%s%s\n", word, a ? a : src, dst ? " -> " : "",
		!dst ? ""
		: b  ? b
		     : dst,
		after);
	talk_end(r);
	free(a);
	free(b);
}

static void line(struct report *r, const char *word, const char *src, const char *dst)
{
	line_and(r, word, src, dst, "");
}

void report_verbose(struct report *r, const char *src, const char *dst)
{
	if (r->o->verbose)
		line(r, "", src, dst);
}

void report_verbose_backup(struct report *r, const char *src, const char *dst, const char *backup)
{
	char *name = quote_name(backup), *after = NULL;

	if (r->o->verbose && asprintf(&after, " (backup: %s)", name ? name : backup) >= 0)
		line_and(r, "", src, dst, after);
	free(after);
	free(name);
}

void report_unbackup(struct report *r, const char *backup, const char *dst)
{
	if (r->o->verbose)
		line_and(r, "", backup, dst, " (unbackup)");
}

void report_verbose_parent(struct report *r, const char *src, const char *dst)
{
	if (!r->o->verbose)
		return;
	talk_begin(r);
	fprintf(r->lines, "%s -> %s\n", src, dst);
	talk_end(r);
}

void report_removed(struct report *r, const char *dst)
{
	if (r->o->verbose)
		line(r, "removed ", dst, NULL);
}

void report_skipped(struct report *r, const char *dst)
{
	if (r->o->debug)
		line(r, "skipped ", dst, NULL);
}

void report_dry(struct report *r, const char *action, const char *src, const char *dst)
{
	char word[32];

	snprintf(word, sizeof(word), "%s ", action);
	line(r, word, src, dst);
}

/* The message on standard error; lock held, bar hidden. */
static void print_message(struct report *r, int err, enum ocp_msg msg, const char *text)
{
	/* As cp, so that output and errors in one file keep their order. */
	fflush(stdout);
	if (err)
		fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, text, strerror(err));
	else
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
	if (msg == MSG_PARENTS_DIR)
		opts_try_help();
}

void report_error(struct report *r, int err, enum ocp_msg msg, const char *path, const char *path2)
{
	char *text = message_text(msg, path, path2);
	const char *shown = text ? text : message_of(msg)->operation;

	err = abs(err);
	talk_begin(r);
	r->errors++;
	print_message(r, err, msg, shown);
	if (r->json)
		summary_failure(r, err, message_of(msg)->operation, path ? path : "", shown);
	talk_end(r);
	free(text);
}

void report_warn(struct report *r, int err, enum ocp_msg msg, const char *path, const char *path2)
{
	char *text = message_text(msg, path, path2);

	talk_begin(r);
	print_message(r, abs(err), msg, text ? text : message_of(msg)->operation);
	talk_end(r);
	free(text);
}

/* "rwxr-xr-x" as ls shows it, with s, S, t, T. */
static void mode_text(unsigned mode, char text[10])
{
	static const char letters[] = "rwxrwxrwx";
	unsigned i;

	for (i = 0; i < 9; i++)
		text[i] = mode & 0400u >> i ? letters[i] : '-';
	if (mode & 04000)
		text[2] = mode & 0100 ? 's' : 'S';
	if (mode & 02000)
		text[5] = mode & 0010 ? 's' : 'S';
	if (mode & 01000)
		text[8] = mode & 0001 ? 't' : 'T';
	text[9] = '\0';
}

/* What rpmatch(3) takes for a yes in this language; the rest of the line is read and dropped. */
static bool read_yes(void)
{
	char *answer = NULL;
	size_t size = 0;
	bool yes = getline(&answer, &size, stdin) > 0 && rpmatch(answer) > 0;

	free(answer);
	return yes;
}

bool report_ask(struct report *r, const char *dst, unsigned mode)
{
	char *quoted = quote_name(dst), text[10];
	const char *name = quoted ? quoted : dst;
	bool yes;

	talk_begin(r);
	fflush(stdout);
	mode_text(mode, text);
	if (!mode)
		fprintf(stderr, "%s: overwrite %s? ", program_invocation_short_name, name);
	else if (r->o->force || r->o->remove_dest)
		fprintf(stderr, "%s: replace %s, overriding mode %04o (%s)? ",
			program_invocation_short_name, name, mode & 07777, text);
	else
		fprintf(stderr, "%s: unwritable %s (mode %04o, %s); try anyway? ",
			program_invocation_short_name, name, mode & 07777, text);
	yes = read_yes();
	talk_end(r);
	free(quoted);
	return yes;
}
