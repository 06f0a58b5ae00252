/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kselftest_main.h - second half of kselftest_harness.h, which includes it: how
 * tests are started, waited for and judged.
 */
#ifndef KSELFTEST_MAIN_H
#define KSELFTEST_MAIN_H

#include <fnmatch.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

/* The test's process ------------------------------------------------------------ */

struct __test_run {
	struct __test_metadata *test;
	const struct __fixture_variant_metadata *variant;
	char name[256];
};

typedef void (*__test_step)(struct __test_metadata *_metadata, void *self, const void *variant);

static const void *__test_variant_data(const struct __test_run *run)
{
	return run->variant ? run->variant->data : NULL;
}

/* One of setup, test, teardown; a failed ASSERT in it ends here. */
static void __test_do_step(const struct __test_run *run, __test_step step, void *self)
{
	struct __test_metadata *t = run->test;

	t->tid = gettid();
	if (sigsetjmp(t->env, 0) == 0)
		step(t, self, __test_variant_data(run));
}

/* Neither failed nor skipped so far, in any process. */
static bool __test_ok(const struct __test_metadata *t)
{
	return t->exit_code == KSFT_PASS && !__atomic_load_n(&t->results->failed, __ATOMIC_RELAXED);
}

static void __test_do_child(const struct __test_run *run, void *self)
{
	struct __test_metadata *t = run->test;

	if (t->fixture->setup)
		__test_do_step(run, t->fixture->setup, self);
	t->results->is_set_up = __test_ok(t);
	if (t->results->is_set_up)
		__test_do_step(run, t->fixture_fn, self);
}

/* Setup and test in a child, so that this process can tear down what they left. */
static void __test_fork_child(const struct __test_run *run, void *self)
{
	struct __test_metadata *t = run->test;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		__test_do_child(run, self);
		exit(t->exit_code);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || WIFSIGNALED(status) ||
	    (WEXITSTATUS(status) != KSFT_PASS && WEXITSTATUS(status) != KSFT_SKIP)) {
		printf("# the child that ran the test failed\n");
		__test_fail(t);
	} else {
		t->exit_code = WEXITSTATUS(status);
	}
}

static void __test_do_fixture(const struct __test_run *run)
{
	struct __test_metadata *t = run->test;
	struct __fixture_metadata *f = t->fixture;
	/* Shared, because teardown may run in the parent of the test. */
	size_t size = f->size ? f->size : 1;
	void *self = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (self == MAP_FAILED) {
		ksft_perror("mmap");
		__test_fail(t);
		return;
	}
	if (f->teardown_parent)
		__test_fork_child(run, self);
	else
		__test_do_child(run, self);
	/* Failed or skipped in setup: there is nothing to tear down. */
	if (t->results->is_set_up && f->teardown)
		__test_do_step(run, f->teardown, self);
}

static void __test_plain_step(struct __test_metadata *_metadata, __ksft_unused void *self,
			      __ksft_unused const void *variant)
{
	_metadata->fn(_metadata);
}

static __attribute__((noreturn)) void __test_child(const struct __test_run *run, pid_t parent)
{
	struct __test_metadata *t = run->test;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(KSFT_FAIL);
	if (t->fixture)
		__test_do_fixture(run);
	else
		__test_do_step(run, __test_plain_step, NULL);
	exit(__atomic_load_n(&t->results->failed, __ATOMIC_RELAXED) ? KSFT_FAIL : t->exit_code);
}

/* main()'s process --------------------------------------------------------------- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define __KSFT_SLOWDOWN 5
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define __KSFT_SLOWDOWN 5
#endif
#ifndef __KSFT_SLOWDOWN
#define __KSFT_SLOWDOWN 1
#endif

/* Wait for the end of the child, at most @seconds; false: it was still running. */
static bool __test_wait(pid_t pid, int seconds)
{
	struct timespec now, end, left;
	siginfo_t info = {0};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	for (;;) {
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid == pid)
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		left.tv_sec = end.tv_sec - now.tv_sec;
		left.tv_nsec = end.tv_nsec - now.tv_nsec;
		if (left.tv_nsec < 0) {
			left.tv_sec--;
			left.tv_nsec += 1000000000;
		}
		if (left.tv_sec < 0)
			return false;
		sigtimedwait(&set, NULL, &left);
	}
}

/* What the child's end means; the reason, if any, is left in results->reason. */
static int __test_judge(const struct __test_metadata *t, int status)
{
	char *reason = t->results->reason;
	const size_t size = sizeof(t->results->reason);
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : KSFT_FAIL;

	if (code != KSFT_SKIP || __atomic_load_n(&t->results->failed, __ATOMIC_RELAXED))
		reason[0] = '\0';
	if (WIFSIGNALED(status)) {
		if (WTERMSIG(status) == t->termsig)
			return t->results->failed ? KSFT_FAIL : KSFT_PASS;
		snprintf(reason, size, "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
		return KSFT_FAIL;
	}
	if (code == KSFT_PASS && t->termsig) {
		snprintf(reason, size, "not killed by signal %d (%s)", t->termsig,
			 strsignal(t->termsig));
		return KSFT_FAIL;
	}
	if (code == KSFT_PASS || code == KSFT_SKIP)
		return t->results->failed ? KSFT_FAIL : code;
	if (code != KSFT_FAIL)
		snprintf(reason, size, "exited with status %d", code);
	else if (!t->results->failed)
		snprintf(reason, size, "exited with status 1 outside of a check");
	return KSFT_FAIL;
}

/* Fork, wait, judge.  Return: KSFT_*. */
static int __test_spawn(const struct __test_run *run)
{
	struct __test_metadata *t = run->test;
	int seconds = t->timeout * __KSFT_SLOWDOWN;
	pid_t pid, self = getpid();
	sigset_t block, old;
	bool ended;
	int status;

	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &old);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		__test_child(run, self);
	}
	if (pid < 0) {
		snprintf(t->results->reason, sizeof(t->results->reason), "fork: %s",
			 strerror(errno));
		sigprocmask(SIG_SETMASK, &old, NULL);
		return KSFT_FAIL;
	}
	setpgid(pid, pid);
	ended = __test_wait(pid, seconds);
	/* Not reaped yet, so the number still names this group, with all that is left in it. */
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (ended)
		return __test_judge(t, status);
	snprintf(t->results->reason, sizeof(t->results->reason), "TIMEOUT after %d s", seconds);
	return KSFT_FAIL;
}

static bool __test_is_xfail(const struct __test_run *run)
{
	const struct __test_xfail *x = run->test->fixture ? run->test->fixture->xfails : NULL;

	for (; x; x = x->next)
		if (x->test == run->test && x->variant == run->variant)
			return true;
	return false;
}

static bool __test_run_one(const struct __test_run *run, struct __test_results *results)
{
	int code;

	memset(results, 0, sizeof(*results));
	run->test->results = results;
	run->test->exit_code = KSFT_PASS;
	code = __test_spawn(run);
	if (__test_is_xfail(run)) {
		snprintf(results->reason, sizeof(results->reason), "%s",
			 code == KSFT_FAIL ? "known to fail" : "known to fail, but did not");
		code = code == KSFT_FAIL ? KSFT_XFAIL : KSFT_FAIL;
	}
	ksft_test_result_code(code, run->name, results->reason[0] ? "%s" : NULL, results->reason);
	return code != KSFT_FAIL;
}

/* The next test with its variant; start with a zeroed @run.  False at the end. */
static bool __test_next(struct __test_run *run)
{
	struct __test_metadata *t;

	if (run->variant && run->variant->next) {
		run->variant = run->variant->next;
	} else {
		run->test = run->test ? run->test->next : __test_list;
		if (!run->test)
			return false;
		run->variant = run->test->fixture ? run->test->fixture->variants : NULL;
	}
	t = run->test;
	snprintf(run->name, sizeof(run->name), "%s%s%s.%s",
		 t->fixture ? t->fixture->name : "global", run->variant ? "." : "",
		 run->variant ? run->variant->name : "", t->name);
	return true;
}

/* Patterns as of the shell, of the test's name or of the whole "fixture.variant.test". */
static bool __test_wanted(const struct __test_run *run, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (fnmatch(argv[i], run->name, 0) == 0 ||
		    fnmatch(argv[i], run->test->name, 0) == 0)
			return true;
	return argc <= 1;
}

static __ksft_unused int test_harness_run(int argc, char **argv)
{
	struct __test_results *results;
	struct __test_run run = {0};
	bool ok = true, list = argc > 1 && strcmp(argv[1], "-l") == 0;
	unsigned int count = 0;

	if (argc > 1 && argv[1][0] == '-' && !list) {
		fprintf(stderr, "usage: %s [-l | PATTERN...]\n", argv[0]);
		return KSFT_FAIL;
	}
	while (__test_next(&run)) {
		if (list)
			puts(run.name);
		else
			count += __test_wanted(&run, argc, argv);
	}
	if (list)
		return KSFT_PASS;
	results = mmap(NULL, sizeof(*results), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (results == MAP_FAILED)
		ksft_exit_fail_perror("mmap");
	signal(SIGCHLD, SIG_DFL);
	ksft_print_header();
	ksft_set_plan(count);
	while (__test_next(&run))
		if (__test_wanted(&run, argc, argv))
			ok &= __test_run_one(&run, results);
	if (ok && count)
		ksft_exit_pass();
	ksft_exit_fail();
}

#endif /* KSELFTEST_MAIN_H */
