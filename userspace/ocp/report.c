/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
	r->json = r->o->json_file ? fopen(r->o->json_file, "we") : stdout;
	if (r->json) {
		if (r->o->json_lines) /* as it happens, and whole lines */
			setvbuf(r->json, NULL, _IOLBF, 0);
		return 0;
	}
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
	r->seen = progress_shown(p) && isatty(STDERR_FILENO);
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

void report_free(struct report *r)
{
	summary_free(r);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

int report_finish(struct report *r)
{
	int status;

	if (recap_wanted(r))
		recap_print(r);
	if (r->json) {
		summary_print(r);
		if (ferror(r->json) | (r->json == stdout ? fflush(stdout) : fclose(r->json)))
			output_failed(r);
	}
	/* As cp: lines that did not reach a full disk are an error. */
	if (r->json != stdout && (ferror(stdout) || fflush(stdout)))
		output_failed(r);
	status = r->failed || r->errors ? EXIT_FAILURE : EXIT_SUCCESS;
	report_free(r);
	return status;
}

void report_stops(struct report *r, int *stop)
{
	r->stop = stop;
}

unsigned long report_errors(struct report *r)
{
	unsigned long n;

	pthread_mutex_lock(&r->lock);
	n = r->errors;
	pthread_mutex_unlock(&r->lock);
	return n;
}

void report_file(struct report *r, const struct explained *what, const struct copy_result *res,
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
			explain_file(r, what, res, err);
		progress_show(r->progress);
	}
	pthread_mutex_unlock(&r->lock);
}

void report_line(struct report *r, const char *src, const char *dst, const struct copy_result *res,
		 int err)
{
	pthread_mutex_lock(&r->lock);
	summary_line(r, src, dst, res, !err);
	pthread_mutex_unlock(&r->lock);
}

void report_verified(struct report *r)
{
	pthread_mutex_lock(&r->lock);
	r->verified++;
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

static void error_text(struct report *r, int err, enum ocp_msg msg, const char *path,
		       const char *text)
{
	talk_begin(r);
	r->errors++;
	print_message(r, err, msg, text);
	if (r->json || r->collect)
		summary_failure(r, err, message_of(msg)->operation, path ? path : "", text);
	if (r->errors == r->o->stop_after && r->stop) {
		fprintf(stderr, "%s: stopping after %u %s\n", program_invocation_short_name,
			r->o->stop_after, r->o->stop_after == 1 ? "error" : "errors");
		__atomic_store_n(r->stop, 1, __ATOMIC_RELAXED);
	}
	talk_end(r);
}

void report_error(struct report *r, int err, enum ocp_msg msg, const char *path, const char *path2)
{
	char *text = message_text(msg, path, path2);

	error_text(r, abs(err), msg, path, text ? text : message_of(msg)->operation);
	free(text);
}

void report_differs(struct report *r, const char *dst, const char *src, uint64_t pos)
{
	char *text = message_text(MSG_DIFFERS, dst, src), *where = NULL;

	if (text && pos != UINT64_MAX && asprintf(&where, "%s at byte %" PRIu64, text, pos) < 0)
		where = NULL;
	error_text(r, 0, MSG_DIFFERS, dst,
		   where  ? where
		   : text ? text
			  : message_of(MSG_DIFFERS)->operation);
	free(where);
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

bool report_ask(struct report *r, const char *dst, int mode)
{
	char *quoted = quote_name(dst), text[10];
	const char *name = quoted ? quoted : dst;
	bool yes;

	talk_begin(r);
	fflush(stdout);
	mode_text((unsigned)mode, text);
	if (mode < 0)
		fprintf(stderr, "%s: overwrite %s? ", program_invocation_short_name, name);
	else if (r->o->force || r->o->remove_dest)
		fprintf(stderr, "%s: replace %s, overriding mode %04o (%s)? ",
			program_invocation_short_name, name, (unsigned)mode, text);
	else
		fprintf(stderr, "%s: unwritable %s (mode %04o, %s); try anyway? ",
			program_invocation_short_name, name, (unsigned)mode, text);
	yes = read_yes();
	talk_end(r);
	free(quoted);
	return yes;
}
