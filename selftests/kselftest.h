/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kselftest.h - KTAP output for test programs.
 *
 * Same names and meaning as the kernel's tools/testing/selftests/kselftest.h,
 * so that a test builds with either; the code here is our own.  As there, the
 * caller of a ksft_test_result_*() ends the text with a newline.
 *
 * Format: Linux Documentation/dev-tools/ktap.rst.
 */
#ifndef KSELFTEST_H
#define KSELFTEST_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

/* Exit codes of a test program. */
#define KSFT_PASS  0
#define KSFT_FAIL  1
#define KSFT_XFAIL 2
#define KSFT_XPASS 3
#define KSFT_SKIP  4

#define __ksft_unused	    __attribute__((unused))
#define __ksft_printf(f, a) __attribute__((unused, format(printf, f, a)))

struct ksft_count {
	unsigned int ksft_pass, ksft_fail, ksft_xfail, ksft_xpass, ksft_xskip, ksft_error;
};

static __ksft_unused struct ksft_count ksft_cnt;
static __ksft_unused unsigned int ksft_plan;

static __ksft_unused unsigned int ksft_test_num(void)
{
	return ksft_cnt.ksft_pass + ksft_cnt.ksft_fail + ksft_cnt.ksft_xfail + ksft_cnt.ksft_xpass +
	       ksft_cnt.ksft_xskip + ksft_cnt.ksft_error;
}

static __ksft_unused void ksft_inc_pass_cnt(void)
{
	ksft_cnt.ksft_pass++;
}

static __ksft_unused void ksft_inc_fail_cnt(void)
{
	ksft_cnt.ksft_fail++;
}

static __ksft_unused void ksft_inc_xfail_cnt(void)
{
	ksft_cnt.ksft_xfail++;
}

static __ksft_unused void ksft_inc_xpass_cnt(void)
{
	ksft_cnt.ksft_xpass++;
}

static __ksft_unused void ksft_inc_xskip_cnt(void)
{
	ksft_cnt.ksft_xskip++;
}

static __ksft_unused void ksft_inc_error_cnt(void)
{
	ksft_cnt.ksft_error++;
}

static __ksft_unused int ksft_get_pass_cnt(void)
{
	return (int)ksft_cnt.ksft_pass;
}

static __ksft_unused int ksft_get_fail_cnt(void)
{
	return (int)ksft_cnt.ksft_fail;
}

static __ksft_unused int ksft_get_xfail_cnt(void)
{
	return (int)ksft_cnt.ksft_xfail;
}

static __ksft_unused int ksft_get_xpass_cnt(void)
{
	return (int)ksft_cnt.ksft_xpass;
}

static __ksft_unused int ksft_get_xskip_cnt(void)
{
	return (int)ksft_cnt.ksft_xskip;
}

static __ksft_unused int ksft_get_error_cnt(void)
{
	return (int)ksft_cnt.ksft_error;
}

/* Line buffered, so that a test which dies later has said what it knew. */
static __ksft_unused void ksft_print_header(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n");
}

static __ksft_unused void ksft_set_plan(unsigned int plan)
{
	ksft_plan = plan;
	printf("1..%u\n", plan);
}

static __ksft_unused void ksft_print_cnts(void)
{
	if (ksft_plan != ksft_test_num())
		printf("# Planned tests != run tests (%u != %u)\n", ksft_plan, ksft_test_num());
	printf("# Totals: pass:%u fail:%u xfail:%u xpass:%u skip:%u error:%u\n", ksft_cnt.ksft_pass,
	       ksft_cnt.ksft_fail, ksft_cnt.ksft_xfail, ksft_cnt.ksft_xpass, ksft_cnt.ksft_xskip,
	       ksft_cnt.ksft_error);
}

static __ksft_printf(1, 2) void ksft_print_msg(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	printf("# ");
	errno = saved;
	vprintf(fmt, ap);
	va_end(ap);
}

static __ksft_unused void ksft_perror(const char *msg)
{
	int err = errno;

	ksft_print_msg("%s: %s (%d)\n", msg, strerror(err), err);
}

/*
 * One result line: "ok N text", or "ok N # SKIP text" with a directive, which
 * must not be split from its text.
 */
static __attribute__((unused, format(printf, 3, 0))) void __ksft_result(const char *word,
									const char *directive,
									const char *fmt, va_list ap)
{
	int saved = errno;

	printf("%s %u %s", word, ksft_test_num(), directive);
	errno = saved;
	vprintf(fmt, ap);
}

#define __KSFT_RESULT(name, counter, word, directive)                                              \
	static __ksft_printf(1, 2) void ksft_test_result_##name(const char *fmt, ...)              \
	{                                                                                          \
		va_list ap;                                                                        \
                                                                                                   \
		ksft_cnt.ksft_##counter++;                                                         \
		va_start(ap, fmt);                                                                 \
		__ksft_result(word, directive, fmt, ap);                                           \
		va_end(ap);                                                                        \
	}

__KSFT_RESULT(pass, pass, "ok", "")
__KSFT_RESULT(fail, fail, "not ok", "")
__KSFT_RESULT(xfail, xfail, "ok", "# XFAIL ")
__KSFT_RESULT(xpass, xpass, "ok", "# XPASS ")
__KSFT_RESULT(skip, xskip, "ok", "# SKIP ")
__KSFT_RESULT(error, error, "not ok", "# error ")

#define ksft_test_result(condition, fmt, ...)                                                      \
	do {                                                                                       \
		if (condition)                                                                     \
			ksft_test_result_pass(fmt, ##__VA_ARGS__);                                 \
		else                                                                               \
			ksft_test_result_fail(fmt, ##__VA_ARGS__);                                 \
	} while (0)

/**
 * ksft_test_result_code - one result from an exit code
 * @exit_code: KSFT_*; anything else is a failure
 * @test_name: name of the test
 * @fmt: reason, shown after a directive; NULL: none
 */
static __ksft_printf(3, 4) void ksft_test_result_code(int exit_code, const char *test_name,
						      const char *fmt, ...)
{
	static const char *const directives[] = {
		[KSFT_XFAIL] = " # XFAIL ",
		[KSFT_XPASS] = " # XPASS ",
		[KSFT_SKIP] = " # SKIP ",
	};
	unsigned int *const counters[] = {
		[KSFT_PASS] = &ksft_cnt.ksft_pass,   [KSFT_FAIL] = &ksft_cnt.ksft_fail,
		[KSFT_XFAIL] = &ksft_cnt.ksft_xfail, [KSFT_XPASS] = &ksft_cnt.ksft_xpass,
		[KSFT_SKIP] = &ksft_cnt.ksft_xskip,
	};
	int known = exit_code >= KSFT_PASS && exit_code <= KSFT_SKIP ? exit_code : KSFT_FAIL;
	const char *directive = directives[known];
	va_list ap;

	++*counters[known];
	printf("%s %u %s%s", known == KSFT_FAIL ? "not ok" : "ok", ksft_test_num(), test_name,
	       directive ? directive
	       : fmt	 ? " # "
			 : "");
	if (fmt) {
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
	}
	putchar('\n');
}

static __ksft_unused __attribute__((noreturn)) void ksft_exit_pass(void)
{
	ksft_print_cnts();
	exit(KSFT_PASS);
}

static __ksft_unused __attribute__((noreturn)) void ksft_exit_fail(void)
{
	ksft_print_cnts();
	exit(KSFT_FAIL);
}

static __ksft_unused __attribute__((noreturn)) void ksft_exit_xfail(void)
{
	ksft_print_cnts();
	exit(KSFT_XFAIL);
}

static __ksft_unused __attribute__((noreturn)) void ksft_exit_xpass(void)
{
	ksft_print_cnts();
	exit(KSFT_XPASS);
}

/* Everything planned had a result, and none of them bad: pass, else fail. */
#define ksft_exit(condition)                                                                       \
	do {                                                                                       \
		if (condition)                                                                     \
			ksft_exit_pass();                                                          \
		else                                                                               \
			ksft_exit_fail();                                                          \
	} while (0)

static __ksft_unused __attribute__((noreturn)) void ksft_finished(void)
{
	ksft_exit(ksft_plan == ksft_cnt.ksft_pass + ksft_cnt.ksft_xfail + ksft_cnt.ksft_xpass +
				       ksft_cnt.ksft_xskip);
}

static __attribute__((noreturn, unused, format(printf, 1, 2))) void ksft_exit_fail_msg(
	const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	printf("Bail out! ");
	errno = saved;
	vprintf(fmt, ap);
	va_end(ap);
	ksft_print_cnts();
	exit(KSFT_FAIL);
}

static __ksft_unused __attribute__((noreturn)) void ksft_exit_fail_perror(const char *msg)
{
	int err = errno;

	ksft_exit_fail_msg("%s: %s (%d)\n", msg, strerror(err), err);
}

/* The whole program is skipped; after results were given, the rest of the plan is. */
static __attribute__((noreturn, unused, format(printf, 1, 2))) void ksft_exit_skip(const char *fmt,
										   ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	if (!ksft_plan && !ksft_test_num()) {
		printf("1..0 # SKIP ");
		errno = saved;
		vprintf(fmt, ap);
		va_end(ap);
		exit(KSFT_SKIP);
	}
	ksft_cnt.ksft_xskip++;
	__ksft_result("ok", "# SKIP ", fmt, ap);
	va_end(ap);
	ksft_print_cnts();
	exit(KSFT_SKIP);
}

#endif /* KSELFTEST_H */
