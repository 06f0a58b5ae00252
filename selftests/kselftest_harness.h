/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kselftest_harness.h - tests as functions, each in a process of its own.
 *
 * Same macros as the kernel's tools/testing/selftests/kselftest_harness.h, so
 * that a test builds with either; the code here is our own.  The shape:
 *
 *	TEST(name) { ASSERT_EQ(expected, seen); }
 *
 *	FIXTURE(box) { int fd; };
 *	FIXTURE_VARIANT(box) { const char *type; };
 *	FIXTURE_VARIANT_ADD(box, ext4) { .type = "ext4" };
 *	FIXTURE_SETUP(box) { self->fd = ...; }
 *	FIXTURE_TEARDOWN(box) { close(self->fd); }
 *	TEST_F(box, name) { EXPECT_LE(0, self->fd); }
 *
 *	TEST_HARNESS_MAIN
 *
 * main() forks once per test.  The child leads a process group, which is killed
 * with whatever is left in it when the test ends or its time (30 s, more under
 * a sanitizer) is over.  Setup, test and teardown run in the child; teardown
 * runs after a failed ASSERT too, but not after a crash: what must not outlive
 * a test belongs to its process (see fixture.h).  An EXPECT or ASSERT that fails in
 * a thread or in a child of the test fails the test.
 *
 * Where this differs from the kernel's: a failed ASSERT outside the test's own
 * thread ends that process at once, and the child leaves by exit(), so that
 * LeakSanitizer has its say.
 */
#ifndef KSELFTEST_HARNESS_H
#define KSELFTEST_HARNESS_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "kselftest.h"

#define TEST_TIMEOUT_DEFAULT 30 /* seconds */

#ifndef TH_LOG_STREAM
#define TH_LOG_STREAM stdout
#endif

/* What a test's processes share with main(). */
struct __test_results {
	int failed;
	int is_set_up;
	char reason[256];
};

struct __fixture_variant_metadata {
	const char *name;
	const void *data;
	struct __fixture_variant_metadata *next;
};

struct __test_metadata {
	const char *name;
	/* One of the two: a plain test, or one that gets its fixture and variant. */
	void (*fn)(struct __test_metadata *_metadata);
	void (*fixture_fn)(struct __test_metadata *_metadata, void *self, const void *variant);
	struct __fixture_metadata *fixture;
	int termsig; /* the signal that must end it, or 0 */
	int timeout;
	int exit_code; /* KSFT_* */
	pid_t tid;
	struct __test_results *results;
	sigjmp_buf env;
	struct __test_metadata *next;
};

struct __test_xfail {
	const struct __fixture_variant_metadata *variant;
	const struct __test_metadata *test;
	struct __test_xfail *next;
};

struct __fixture_metadata {
	const char *name;
	size_t size;
	void (*setup)(struct __test_metadata *_metadata, void *self, const void *variant);
	void (*teardown)(struct __test_metadata *_metadata, void *self, const void *variant);
	bool teardown_parent;
	struct __fixture_variant_metadata *variants;
	struct __test_xfail *xfails;
};

static __ksft_unused struct __test_metadata *__test_list;

/* Thread-local, so that threads which only check do not race. */
static __ksft_unused __thread int __test_trigger;

/* Registering: constructors run in source order; both lists keep it. ----------- */

#define __KSFT_APPEND(head, item)                                                                  \
	do {                                                                                       \
		__typeof__(head) *__at = &(head);                                                  \
		while (*__at)                                                                      \
			__at = &(*__at)->next;                                                     \
		*__at = (item);                                                                    \
	} while (0)

#define __KSFT_CONSTRUCTOR(name) static void __attribute__((constructor)) name(void)

#define TEST(test_name)		       __TEST(test_name, 0)
#define TEST_SIGNAL(test_name, signal) __TEST(test_name, signal)

#define __TEST(test_name, signal)                                                                  \
	static void test_name(__ksft_unused struct __test_metadata *_metadata);                    \
	static struct __test_metadata _##test_name##_object = {                                    \
		.name = #test_name,                                                                \
		.fn = test_name,                                                                   \
		.termsig = signal,                                                                 \
		.timeout = TEST_TIMEOUT_DEFAULT,                                                   \
	};                                                                                         \
	__KSFT_CONSTRUCTOR(_register_##test_name)                                                  \
	{                                                                                          \
		__KSFT_APPEND(__test_list, &_##test_name##_object);                                \
	}                                                                                          \
	static void test_name(__ksft_unused struct __test_metadata *_metadata)

#define FIXTURE_DATA(fixture_name)    struct _test_data_##fixture_name
#define FIXTURE_VARIANT(fixture_name) struct _fixture_variant_##fixture_name

#define FIXTURE(fixture_name)                                                                      \
	FIXTURE_VARIANT(fixture_name);                                                             \
	static struct __fixture_metadata _##fixture_name##_fixture_object = {                      \
		.name = #fixture_name,                                                             \
	};                                                                                         \
	FIXTURE_DATA(fixture_name)

#define FIXTURE_VARIANT_ADD(fixture_name, variant_name)                                            \
	static const FIXTURE_VARIANT(fixture_name) _##fixture_name##_##variant_name##_variant;     \
	static struct __fixture_variant_metadata _##fixture_name##_##variant_name##_object = {     \
		.name = #variant_name,                                                             \
		.data = &_##fixture_name##_##variant_name##_variant,                               \
	};                                                                                         \
	__KSFT_CONSTRUCTOR(_register_##fixture_name##_##variant_name)                              \
	{                                                                                          \
		__KSFT_APPEND(_##fixture_name##_fixture_object.variants,                           \
			      &_##fixture_name##_##variant_name##_object);                         \
	}                                                                                          \
	static const FIXTURE_VARIANT(fixture_name) _##fixture_name##_##variant_name##_variant =

/* The parameters of setup, teardown and test, as their bodies know them. */
#define __FIXTURE_ARGS(fixture_name)                                                               \
	__ksft_unused struct __test_metadata *_metadata,                                           \
		__ksft_unused FIXTURE_DATA(fixture_name) * self,                                   \
		__ksft_unused const FIXTURE_VARIANT(fixture_name) * variant

/* A function with those parameters and its twin with void pointers for the tables. */
#define __FIXTURE_FN(fixture_name, fn)                                                             \
	static void fn(__FIXTURE_ARGS(fixture_name));                                              \
	static void _wrap_##fn(struct __test_metadata *_metadata, void *self, const void *variant) \
	{                                                                                          \
		fn(_metadata, self, variant);                                                      \
	}

#define __FIXTURE_METHOD(fixture_name, method, in_parent)                                          \
	__FIXTURE_FN(fixture_name, fixture_name##_##method)                                        \
	__KSFT_CONSTRUCTOR(_register_##fixture_name##_##method)                                    \
	{                                                                                          \
		_##fixture_name##_fixture_object.method = _wrap_##fixture_name##_##method;         \
		_##fixture_name##_fixture_object.teardown_parent |= (in_parent);                   \
	}                                                                                          \
	static void fixture_name##_##method(__FIXTURE_ARGS(fixture_name))

#define FIXTURE_SETUP(fixture_name)    __FIXTURE_METHOD(fixture_name, setup, false)
#define FIXTURE_TEARDOWN(fixture_name) __FIXTURE_METHOD(fixture_name, teardown, false)
/* Teardown in the parent of the process that ran setup and test. */
#define FIXTURE_TEARDOWN_PARENT(fixture_name) __FIXTURE_METHOD(fixture_name, teardown, true)

#define TEST_F(fixture_name, test_name) __TEST_F(fixture_name, test_name, 0, TEST_TIMEOUT_DEFAULT)
#define TEST_F_SIGNAL(fixture_name, test_name, signal)                                             \
	__TEST_F(fixture_name, test_name, signal, TEST_TIMEOUT_DEFAULT)
#define TEST_F_TIMEOUT(fixture_name, test_name, seconds)                                           \
	__TEST_F(fixture_name, test_name, 0, seconds)

#define __TEST_F(fixture_name, test_name, signal, seconds)                                         \
	__FIXTURE_FN(fixture_name, fixture_name##_##test_name)                                     \
	static struct __test_metadata _##fixture_name##_##test_name##_object = {                   \
		.name = #test_name,                                                                \
		.fixture_fn = _wrap_##fixture_name##_##test_name,                                  \
		.fixture = &_##fixture_name##_fixture_object,                                      \
		.termsig = signal,                                                                 \
		.timeout = seconds,                                                                \
	};                                                                                         \
	__KSFT_CONSTRUCTOR(_register_##fixture_name##_##test_name)                                 \
	{                                                                                          \
		_##fixture_name##_fixture_object.size = sizeof(FIXTURE_DATA(fixture_name));        \
		__KSFT_APPEND(__test_list, &_##fixture_name##_##test_name##_object);               \
	}                                                                                          \
	static void fixture_name##_##test_name(__FIXTURE_ARGS(fixture_name))

/* This test of this variant is known to fail. */
#define XFAIL_ADD(fixture_name, variant_name, test_name)                                           \
	static struct __test_xfail _##fixture_name##_##variant_name##_##test_name##_xfail = {      \
		.variant = &_##fixture_name##_##variant_name##_object,                             \
		.test = &_##fixture_name##_##test_name##_object,                                   \
	};                                                                                         \
	__KSFT_CONSTRUCTOR(_register_xfail_##fixture_name##_##variant_name##_##test_name)          \
	{                                                                                          \
		__KSFT_APPEND(_##fixture_name##_fixture_object.xfails,                             \
			      &_##fixture_name##_##variant_name##_##test_name##_xfail);            \
	}

/* Inside a test ---------------------------------------------------------------- */

/* One line of diagnosis, given without a newline. */
#define TH_LOG(...) __test_log(_metadata, __FILE__, __LINE__, __VA_ARGS__)

/* The ability is missing: SKIP(return, "no %s", what). */
#define SKIP(statement, ...)                                                                       \
	do {                                                                                       \
		snprintf(_metadata->results->reason, sizeof(_metadata->results->reason),           \
			 __VA_ARGS__);                                                             \
		_metadata->exit_code = KSFT_SKIP;                                                  \
		statement;                                                                         \
	} while (0)

/*
 * ASSERT_x ends the test when it fails, EXPECT_x lets it go on.  A block may
 * follow, which runs on failure: ASSERT_EQ(0, err) { TH_LOG("..."); }
 */
#define ASSERT_EQ(expected, seen)    __EXPECT(expected, #expected, ==, seen, #seen, true)
#define ASSERT_NE(expected, seen)    __EXPECT(expected, #expected, !=, seen, #seen, true)
#define ASSERT_LT(expected, seen)    __EXPECT(expected, #expected, <, seen, #seen, true)
#define ASSERT_LE(expected, seen)    __EXPECT(expected, #expected, <=, seen, #seen, true)
#define ASSERT_GT(expected, seen)    __EXPECT(expected, #expected, >, seen, #seen, true)
#define ASSERT_GE(expected, seen)    __EXPECT(expected, #expected, >=, seen, #seen, true)
#define ASSERT_NULL(seen)	     __EXPECT(NULL, "NULL", ==, seen, #seen, true)
#define ASSERT_TRUE(seen)	     __EXPECT(0, "0", !=, !!(seen), #seen, true)
#define ASSERT_FALSE(seen)	     __EXPECT(0, "0", ==, !!(seen), #seen, true)
#define ASSERT_STREQ(expected, seen) __EXPECT_STR(expected, seen, true, true)
#define ASSERT_STRNE(expected, seen) __EXPECT_STR(expected, seen, false, true)

#define EXPECT_EQ(expected, seen)    __EXPECT(expected, #expected, ==, seen, #seen, false)
#define EXPECT_NE(expected, seen)    __EXPECT(expected, #expected, !=, seen, #seen, false)
#define EXPECT_LT(expected, seen)    __EXPECT(expected, #expected, <, seen, #seen, false)
#define EXPECT_LE(expected, seen)    __EXPECT(expected, #expected, <=, seen, #seen, false)
#define EXPECT_GT(expected, seen)    __EXPECT(expected, #expected, >, seen, #seen, false)
#define EXPECT_GE(expected, seen)    __EXPECT(expected, #expected, >=, seen, #seen, false)
#define EXPECT_NULL(seen)	     __EXPECT(NULL, "NULL", ==, seen, #seen, false)
#define EXPECT_TRUE(seen)	     __EXPECT(0, "0", !=, !!(seen), #seen, false)
#define EXPECT_FALSE(seen)	     __EXPECT(0, "0", ==, !!(seen), #seen, false)
#define EXPECT_STREQ(expected, seen) __EXPECT_STR(expected, seen, true, false)
#define EXPECT_STRNE(expected, seen) __EXPECT_STR(expected, seen, false, false)

/* One value of a failed comparison, as it will be printed. */
struct __test_value {
	const char *text;
	unsigned long long value;
	bool is_signed;
};

/* The comparison follows C's own conversions, as the kernel's does; its warnings are off. */
#define __KSFT_QUIET                                                                               \
	_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wsign-compare\"")        \
		_Pragma("GCC diagnostic ignored \"-Wextra\"")
#define __KSFT_LOUD _Pragma("GCC diagnostic pop")

#define __KSFT_VALUE(name, var)                                                                    \
	((struct __test_value){name, (unsigned long long)(var),                                    \
			       (__typeof__(var))-1 < (__typeof__(var))1})

/* A loop, so that a block may follow it; its condition is evaluated once or, failing, twice. */
#define __KSFT_ON_FAILURE(failed, is_assert)                                                       \
	for (__test_trigger = (failed); __test_trigger;                                            \
	     __test_trigger = __test_bail(_metadata, is_assert))

#define __EXPECT(_exp, _exp_text, _op, _seen, _seen_text, _is_assert)                              \
	__KSFT_ON_FAILURE(__EXPECT_FAILED(_exp, _exp_text, _op, _seen, _seen_text), _is_assert)

#define __EXPECT_FAILED(_exp, _exp_text, _op, _seen, _seen_text)                                   \
	({                                                                                         \
		__KSFT_QUIET                                                                       \
		__typeof__(_exp) __exp = (_exp);                                                   \
		__typeof__(_seen) __seen = (_seen);                                                \
		bool __failed = !(__exp _op __seen);                                               \
		if (__failed)                                                                      \
			__test_compared(_metadata, __FILE__ ":" __KSFT_STRING(__LINE__),           \
					__KSFT_VALUE(_exp_text, __exp), #_op,                      \
					__KSFT_VALUE(_seen_text, __seen));                         \
		__KSFT_LOUD                                                                        \
		__failed;                                                                          \
	})

#define __EXPECT_STR(_exp, _seen, _equal, _is_assert)                                              \
	__KSFT_ON_FAILURE(!__test_strings(_metadata, __FILE__ ":" __KSFT_STRING(__LINE__), _exp,   \
					  _equal, _seen),                                          \
			  _is_assert)

#define __KSFT_STRING_(x) #x
#define __KSFT_STRING(x)  __KSFT_STRING_(x)

static __attribute__((unused, format(printf, 4, 5))) void __test_log(
	struct __test_metadata *_metadata, const char *file, int line, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* One call, so that lines of several processes do not mix. */
	fprintf(TH_LOG_STREAM, "# %s:%d:%s:%s\n", file, line, _metadata->name, text);
}

static __ksft_unused void __test_fail(struct __test_metadata *_metadata)
{
	__atomic_store_n(&_metadata->exit_code, KSFT_FAIL, __ATOMIC_RELAXED);
	__atomic_store_n(&_metadata->results->failed, 1, __ATOMIC_RELAXED);
}

static __ksft_unused void __test_print_value(char *out, size_t size, struct __test_value v)
{
	if (v.is_signed)
		snprintf(out, size, "%s (%lld)", v.text, (long long)v.value);
	else
		snprintf(out, size, "%s (%llu)", v.text, v.value);
}

static __ksft_unused void __test_compared(struct __test_metadata *_metadata, const char *where,
					  struct __test_value expected, const char *op,
					  struct __test_value seen)
{
	char left[256], right[256];

	__test_print_value(left, sizeof(left), expected);
	__test_print_value(right, sizeof(right), seen);
	fprintf(TH_LOG_STREAM, "# %s:%s:Expected %s %s %s\n", where, _metadata->name, left, op,
		right);
	__test_fail(_metadata);
}

static __ksft_unused bool __test_strings(struct __test_metadata *_metadata, const char *where,
					 const char *expected, bool equal, const char *seen)
{
	bool same = expected && seen ? strcmp(expected, seen) == 0 : expected == seen;

	if (same == equal)
		return true;
	fprintf(TH_LOG_STREAM, "# %s:%s:Expected '%s' %s '%s'\n", where, _metadata->name,
		expected ? expected : "(null)", equal ? "==" : "!=", seen ? seen : "(null)");
	__test_fail(_metadata);
	return false;
}

/* After a failed check and its block: on (0), or out of the test. */
static __ksft_unused int __test_bail(struct __test_metadata *_metadata, bool is_assert)
{
	if (!is_assert)
		return 0;
	if (gettid() == _metadata->tid)
		siglongjmp(_metadata->env, 1);
	fflush(NULL);
	_exit(KSFT_FAIL);
}

#include "kselftest_main.h"

#define TEST_HARNESS_MAIN                                                                          \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return test_harness_run(argc, argv);                                               \
	}

#endif /* KSELFTEST_HARNESS_H */
