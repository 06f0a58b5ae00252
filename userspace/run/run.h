/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.h - the parts of ocp-run. */
#ifndef RUN_H
#define RUN_H

#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/served.h"

/* Exit statuses of env(1) and timeout(1). */
#define EXIT_OURS      125 /* ocp-run itself failed */
#define EXIT_NOT_RUN   126
#define EXIT_NOT_FOUND 127

/* options.c: the command line. */
struct run_opts {
	bool trace, json;
	const char *trace_file, *json_file; /* NULL: standard error */
	bool clone_copies;		    /* FICLONE between file systems copies */
	unsigned flags;			    /* COPY_RANGE_* of --offload */
	char **argv;			    /* the program */
};

/* run_opts_parse - Return: -1 to go on, otherwise the exit status to end with */
int run_opts_parse(struct run_opts *o, int argc, char **argv);

/* filter.c: the program, and the kernel's notifications of its calls. */

/**
 * program_start - fork, and run @o->argv there under the filter
 * @listener: for the notifications; -1: another supervisor above has them already
 *
 * Signals are as @mask has them in the program.
 * Return: its process, or 0 after a message.
 */
pid_t program_start(const struct run_opts *o, const void *mask, int *listener);

/* target.c: the thread that waits for an answer. */
struct target {
	pid_t tid;
	int pidfd;
};

pid_t target_process(pid_t tid);	      /* that it is a thread of; 0: gone */
int target_open(struct target *t, pid_t tid); /* 0, -errno */
void target_close(struct target *t);
int target_take(const struct target *t, int fd); /* a descriptor of ours, -errno */
/* Same users, groups, capabilities and user namespace as this process. */
bool target_is_like_us(const struct target *t);
int target_read(const struct target *t, uint64_t from, void *to, size_t len);
int target_write(const struct target *t, uint64_t to, const void *from, size_t len);
/* RLIMIT_FSIZE of the target: 0, -errno. */
int target_file_limit(const struct target *t, uint64_t *limit);
/* Would the kernel deliver a signal to the thread when its call returns? */
bool target_is_signalled(pid_t tid);

/* report.c */
struct report;
/* report_new - NULL after a message */
struct report *report_new(const struct run_opts *o);
void report_served(struct report *r, const struct served_line *l);
/* report_end - the summary of --json; @status of wait(2).  Return: 0, -errno */
int report_end(struct report *r, const struct run_opts *o, int status);
void report_free(struct report *r);

/* serve.c: one call. */
struct call {
	uint64_t id;
	pid_t tid;
	int nr; /* of the architecture @arch */
	uint32_t arch;
	uint64_t args[6];
};

/* What to do with it. */
enum verdict {
	LEAVE, /* to the kernel */
	SERVE, /* it is ours */
};

/* Held between the two halves. */
struct serving {
	const struct call *call;
	const char *name; /* copy_file_range ... */
	struct target target;
	struct served s;
	uint64_t off_in, off_out; /* where the program has its offsets; 0: the file positions */
	uint64_t limit;		  /* RLIMIT_FSIZE of the program */
	int signal;		  /* to be sent with the answer */
	bool whole;		  /* all or an error: a clone */
	const char *why;	  /* LEAVE: the reason */
};

/* serve_begin - look at the call, with @ns for a copy; serve_drop() in any case */
enum verdict serve_begin(struct serving *sv, const struct call *call, const struct run_opts *o,
			 struct cr_ns *ns);
/* serve_copy - Return: what the call returns, or -errno; nothing is told to the program yet */
ssize_t serve_copy(struct serving *sv, const int *stop);
/* serve_commit - offsets or positions move by @ret.  Return: @ret, or -EFAULT as the kernel has it
 */
ssize_t serve_commit(const struct serving *sv, ssize_t ret);
void serve_drop(struct serving *sv);

/* pool.c: workers that answer. */
struct pool;
struct pool *pool_new(int listener, const struct run_opts *o, struct report *r);
/* pool_fd - readable when something began that wants looks */
int pool_fd(const struct pool *p);
/* pool_look - end what need not go on; milliseconds until the next look, -1: no need */
int pool_look(struct pool *p);
/* pool_free - running calls end early with what they have */
void pool_free(struct pool *p);

/* signals.c: what the terminal, the shell and kill(1) want of the program. */

/* signals_open - block them all.  Return: a descriptor to poll, -1: errno */
int signals_open(void *old_mask);
/* signals_handle - Return: true when the program has ended, with *@status of wait(2) */
bool signals_handle(int fd, pid_t program, int *status);
/* end_as - leave as the program did */
int end_as(int status);

#endif
