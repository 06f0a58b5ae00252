/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_impl.h - the report itself, shared by report.c, explain.c and summary.c. */
#ifndef OCP_REPORT_IMPL_H
#define OCP_REPORT_IMPL_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#include "progress.h"
#include "report.h"

/*
 * Bounds, so that no tree makes the report large: errors beyond are counted,
 * reasons beyond are added up as "other reasons".  Reasons are fixed sentences
 * of the rooms, about five a strategy.
 */
#define REPORT_ERRORS_MAX      1000u
#define REPORT_ERROR_BYTES_MAX (1u << 20)
#define REPORT_REASONS_MAX     64u

struct report_failure {
	struct report_failure *next;
	const char *operation;
	int err;	/* positive errno, 0: none */
	char *sentence; /* when err is 0 */
	char path[];
};

struct report_reason {
	enum copy_strategy_id strategy;
	const char *reason;
	uint64_t count;
};

struct report {
	pthread_mutex_t lock; /* all below, and whole lines on the terminal */
	const struct ocp_opts *o;
	struct progress *progress;
	FILE *lines;	/* -v, --explain: standard output, or error when --json is there */
	FILE *json;	/* NULL: none */
	uint64_t start; /* CLOCK_MONOTONIC, ns */
	uint64_t files, made[MADE_KINDS];
	unsigned long errors;
	bool failed; /* output could not be written */
	struct copy_result sum;
	struct report_reason reasons[REPORT_REASONS_MAX];
	unsigned nreasons;
	struct report_failure *failures, **failures_end;
	unsigned nfailures;
	size_t failure_bytes;
	uint64_t failures_dropped;
};

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t report_now(void);

/* explain.c: to r->lines, lock held. */
void explain_file(struct report *r, const char *src, const char *dst, const struct copy_result *res,
		  int err);
void explain_debug(struct report *r, const struct copy_result *res);

/* What a strategy says for having declined; NULL when it did not. */
const char *why_text(const struct copy_why *why);

/* summary.c: what --json prints and what it is collected from, lock held. */
void summary_add(struct report *r, const struct copy_result *res);
void summary_failure(struct report *r, int err, const char *operation, const char *path,
		     const char *sentence);
void summary_print(struct report *r);
void summary_free(struct report *r);

#endif
