/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_impl.h - the report itself, shared by report.c, explain.c and summary.c. */
#ifndef OCP_REPORT_IMPL_H
#define OCP_REPORT_IMPL_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#include "userspace/progress.h"
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
	uint64_t count, streamed; /* of these, of files that were streamed at least in part */
};

struct report_text {
	struct report_text *next;
	char text[];
};

struct report {
	pthread_mutex_t lock; /* all below, and whole lines on the terminal */
	const struct ocp_opts *o;
	struct progress *progress;
	FILE *lines;	/* -v, --explain: standard output, or error when --json is there */
	FILE *json;	/* NULL: none */
	uint64_t start; /* CLOCK_MONOTONIC, ns */
	bool seen;	/* there is a bar, so somebody is looking */
	uint64_t files, made[MADE_KINDS];
	uint64_t verified;
	unsigned long errors;
	int *stop;    /* what --stop-after-errors sets, or NULL */
	bool collect; /* for another process: see report_pack() */
	bool failed;  /* output could not be written */
	struct copy_result sum;
	struct report_reason reasons[REPORT_REASONS_MAX];
	unsigned nreasons;
	struct report_failure *failures, **failures_end;
	unsigned nfailures;
	size_t failure_bytes;
	uint64_t failures_dropped;
	struct report_text *texts; /* of other processes */
};

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t report_now(void);

/* explain.c: to r->lines, lock held. */
void explain_file(struct report *r, const struct explained *what, const struct copy_result *res,
		  int err);
void explain_debug(struct report *r, const struct copy_result *res);

/* What a strategy says for having declined; NULL when it did not. */
const char *why_text(const struct copy_why *why);

/* summary.c: what --json prints and what it is collected from, lock held. */
void summary_add(struct report *r, const struct copy_result *res);
void summary_failure(struct report *r, int err, const char *operation, const char *path,
		     const char *sentence);
void summary_print(struct report *r);
void summary_line(struct report *r, const char *src, const char *dst, const struct copy_result *res,
		  bool done);
void summary_free(struct report *r);
void summary_reason(struct report *r, enum copy_strategy_id s, const char *reason, uint64_t count,
		    uint64_t streamed);
void report_free(struct report *r);

/* recap.c: the summary for people. */
bool recap_wanted(const struct report *r);
void recap_print(struct report *r);

#endif
