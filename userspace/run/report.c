// SPDX-License-Identifier: GPL-2.0-or-later
/* report.c - what was done: a line for each call, sums at the end. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "userspace/json.h"

struct report {
	pthread_mutex_t lock;
	int trace; /* -1: none */
	FILE *json;
	uint64_t left, served, failed;
	struct copy_result sum;
};

static int complain(const char *name, int err)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, name, strerror(err));
	return -1;
}

/* Descriptors of our own: the program may have our standard error for itself. */
static int open_end(const char *name, int flags)
{
	int fd = name ? open(name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666)
		      : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	return fd < 0 ? complain(name ? name : "standard error", errno) : fd;
}

struct report *report_new(const struct run_opts *o)
{
	struct report *r = calloc(1, sizeof(*r));
	int fd = -1;

	if (!r) {
		complain("starting", ENOMEM);
		return NULL;
	}
	pthread_mutex_init(&r->lock, NULL);
	r->trace = -1;
	if (o->trace)
		r->trace = open_end(o->trace_file, O_APPEND);
	if (o->json)
		fd = open_end(o->json_file, O_TRUNC);
	if (fd >= 0)
		r->json = fdopen(fd, "w");
	if ((o->trace && r->trace < 0) || (o->json && !r->json)) {
		report_free(r);
		return NULL;
	}
	return r;
}

/* One write(2) a line, so that lines of several supervisors stay whole. */
static void trace(const struct report *r, const struct served_line *l)
{
	char text[SERVED_TEXT];
	size_t n;
	ssize_t put;

	if (r->trace < 0)
		return;
	n = served_text(text, l);
	do
		put = write(r->trace, text, n);
	while (put < 0 && errno == EINTR);
}

void report_served(struct report *r, const struct served_line *l)
{
	trace(r, l);
	pthread_mutex_lock(&r->lock);
	if (l->kernel) {
		r->left++;
	} else {
		r->served++;
		r->failed += l->ret < 0;
		copy_result_add(&r->sum, &l->s->res);
	}
	pthread_mutex_unlock(&r->lock);
}

static void put_strategies(struct json *j, const struct copy_result *sum)
{
	json_begin(j, "strategies", '{');
	for (unsigned i = 0; i < COPY_STRATEGIES; i++) {
		if (!sum->by[i].bytes)
			continue;
		json_begin(j, copy_strategy_name(i), '{');
		json_number(j, "bytes", sum->by[i].bytes);
		json_number(j, "ranges", sum->by[i].ranges);
		json_number(j, "moved", sum->by[i].moved);
		json_end(j, '}');
	}
	json_end(j, '}');
}

int report_end(struct report *r, const struct run_opts *o, int status)
{
	struct json j = {.out = r->json};

	if (!r->json)
		return 0;
	json_begin(&j, NULL, '{');
	json_path(&j, "program", o->argv[0]);
	if (WIFSIGNALED(status))
		json_number(&j, "signal", (uint64_t)WTERMSIG(status));
	else
		json_number(&j, "exit_status", (uint64_t)WEXITSTATUS(status));
	json_number(&j, "calls_served", r->served);
	json_number(&j, "calls_failed", r->failed);
	json_number(&j, "calls_left_to_kernel", r->left);
	json_number(&j, "bytes", r->sum.bytes);
	json_number(&j, "holes", r->sum.holes);
	put_strategies(&j, &r->sum);
	json_end(&j, '}');
	fputc('\n', r->json);
	if (!fflush(r->json) && !ferror(r->json))
		return 0;
	return complain(o->json_file ? o->json_file : "standard error", errno);
}

void report_free(struct report *r)
{
	if (!r)
		return;
	if (r->trace >= 0)
		close(r->trace);
	if (r->json)
		fclose(r->json);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
