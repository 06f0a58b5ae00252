// SPDX-License-Identifier: GPL-2.0-or-later
/* The report: sums from many threads, a summary that a JSON parser reads, lines as cp writes them.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "userspace/ocp/report.h"

#define THREADS 8
#define FILES	2000

FIXTURE(report)
{
	struct ocp_opts o;
	char json[40], out[40], err[40];
	int saved_out, saved_err;
	char text[1 << 16];
};

static void redirect(int fd, char *path)
{
	int to;

	strcpy(path, "/tmp/report.XXXXXX");
	to = mkstemp(path);
	fflush(NULL);
	dup2(to, fd);
	close(to);
}

FIXTURE_SETUP(report)
{
	int fd;

	memset(&self->o, 0, sizeof(self->o));
	program_invocation_short_name = (char *)"ocp";
	strcpy(self->json, "/tmp/report.XXXXXX");
	fd = mkstemp(self->json);
	ASSERT_LE(0, fd);
	close(fd);
	self->saved_out = dup(STDOUT_FILENO);
	self->saved_err = dup(STDERR_FILENO);
	redirect(STDOUT_FILENO, self->out);
	redirect(STDERR_FILENO, self->err);
}

FIXTURE_TEARDOWN(report)
{
	unlink(self->json);
	unlink(self->out);
	unlink(self->err);
}

/* Put the streams back, for the harness. */
static void restore(int out, int err)
{
	fflush(NULL);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
}

static const char *contents(const char *path, char *text, size_t size)
{
	FILE *in = fopen(path, "r");
	size_t n = fread(text, 1, size - 1, in);

	text[n] = '\0';
	fclose(in);
	return text;
}

static bool have_jq(void)
{
	return !system("jq --version >/dev/null 2>&1");
}

static bool jq(const char *file, const char *expression)
{
	char command[500];

	snprintf(command, sizeof(command), "jq -e '%s' %s >/dev/null", expression, file);
	return !system(command);
}

static struct copy_result one_file(void)
{
	struct copy_result res = {.bytes = 3000, .how = COPY_ENCODED, .holes = 1000};

	res.by[COPY_ENCODED] = (struct copy_tally){2000, 2, 500};
	res.by[COPY_STREAM] = (struct copy_tally){1000, 1, 0};
	res.why[COPY_CLONE] = (struct copy_why){"the files are on different file systems", EXDEV,
						COPY_THIS_PAIR, 0, 1};
	return res;
}

static void *work(void *arg)
{
	struct report *r = arg;
	struct copy_result res = one_file();

	for (unsigned i = 0; i < FILES; i++) {
		report_verbose(r, "a", "b");
		report_file(r, &(struct explained){"a", "b", NULL}, &res, 0);
		if (i % 10 == 0)
			report_made(r, MADE_DIRECTORY);
		if (i % 1000 == 0)
			report_error(r, -ENOSPC, MSG_WRITE, "b", NULL);
	}
	return NULL;
}

TEST_F(report, threads_add_up)
{
	pthread_t threads[THREADS];
	struct report *r;
	int status;

	if (!have_jq())
		SKIP(return, "no jq");
	self->o.json = true;
	self->o.json_file = self->json;
	self->o.verbose = true;
	r = report_new(&self->o, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, r);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(2ul * THREADS, report_errors(r));
	status = report_finish(r);
	restore(self->saved_out, self->saved_err);
	EXPECT_EQ(1, status);
	EXPECT_TRUE(jq(self->json, ".files == 16000 and .directories == 1600"));
	EXPECT_TRUE(jq(self->json, ".bytes == 48000000 and .holes == 16000000"));
	EXPECT_TRUE(jq(self->json, ".strategies.encoded == {bytes:32000000,ranges:32000,"
				   "moved:8000000}"));
	EXPECT_TRUE(jq(self->json, "(.strategies | keys) == [\"encoded\",\"stream\"]"));
	EXPECT_TRUE(jq(self->json, ".declined == [{strategy:\"clone\",reason:\"the files are on "
				   "different file systems\",count:16000}]"));
	EXPECT_TRUE(jq(self->json, "(.errors | length) == 16 and .errors_dropped == 0"));
	EXPECT_TRUE(jq(self->json, ".errors[0] == {path:\"b\",operation:\"write\",error:\"No space "
				   "left on device\",errno:\"ENOSPC\"}"));
	EXPECT_TRUE(jq(self->json, ".seconds >= 0"));
}

TEST_F(report, errors_are_bounded)
{
	struct report *r;
	char path[200];

	if (!have_jq())
		SKIP(return, "no jq");
	self->o.json = true;
	self->o.json_file = self->json;
	r = report_new(&self->o, NULL);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "dir/file\xff%u", i);
		report_error(r, EIO, MSG_READ, path, NULL);
	}
	EXPECT_EQ(1, report_finish(r));
	restore(self->saved_out, self->saved_err);
	EXPECT_TRUE(jq(self->json, "(.errors | length) == 1000 and .errors_dropped == 4000"));
	EXPECT_TRUE(jq(self->json, ".errors[0].path_hex == \"6469722f66696c65ff30\""));
}

TEST_F(report, errors_of_long_paths_are_bounded_in_bytes)
{
	static char path[100000];
	struct report *r;

	if (!have_jq())
		SKIP(return, "no jq");
	memset(path, 'x', sizeof(path) - 1);
	self->o.json = true;
	self->o.json_file = self->json;
	r = report_new(&self->o, NULL);
	for (unsigned i = 0; i < 100; i++)
		report_error(r, EIO, MSG_READ, path, NULL);
	report_finish(r);
	restore(self->saved_out, self->saved_err);
	EXPECT_TRUE(jq(self->json, "(.errors | length) == 10 and .errors_dropped == 90"));
}

TEST_F(report, a_message_without_errno_is_the_error)
{
	struct report *r;

	if (!have_jq())
		SKIP(return, "no jq");
	self->o.json = true;
	self->o.json_file = self->json;
	r = report_new(&self->o, NULL);
	report_error(r, 0, MSG_OMIT_DIR, "d", NULL);
	report_finish(r);
	restore(self->saved_out, self->saved_err);
	EXPECT_TRUE(jq(self->json, ".errors == [{path:\"d\",operation:\"check\",error:\"-r not "
				   "specified; omitting directory \\u0027d\\u0027\"}]"));
	EXPECT_STREQ("ocp: -r not specified; omitting directory 'd'\n",
		     contents(self->err, self->text, sizeof(self->text)));
}

TEST_F(report, lines_are_those_of_cp)
{
	struct report *r;

	self->o.verbose = self->o.debug = true;
	r = report_new(&self->o, NULL);
	report_verbose(r, "a b", "it's");
	report_removed(r, "x\n");
	report_skipped(r, "y");
	report_error(r, ENOENT, MSG_STAT, "a b", NULL);
	report_error(r, -EIO, MSG_COPY, "a", "b");
	report_warn(r, 0, MSG_TWICE, "a", NULL);
	report_error(r, 0, MSG_PARENTS_DIR, NULL, NULL);
	EXPECT_EQ(3ul, report_errors(r));
	EXPECT_EQ(1, report_finish(r));
	restore(self->saved_out, self->saved_err);
	EXPECT_STREQ("'a b' -> \"it's\"\nremoved 'x'$'\\n'\nskipped 'y'\n",
		     contents(self->out, self->text, sizeof(self->text)));
	EXPECT_STREQ("ocp: cannot stat 'a b': No such file or directory\n"
		     "ocp: error copying 'a' to 'b': Input/output error\n"
		     "ocp: warning: source file 'a' specified more than once\n"
		     "ocp: with --parents, the destination must be a directory\n"
		     "Try 'ocp --help' for more information.\n",
		     contents(self->err, self->text, sizeof(self->text)));
}

TEST_F(report, explain_names_strategies_and_reasons)
{
	struct copy_result res = one_file();
	struct report *r;

	self->o.explain = true;
	r = report_new(&self->o, NULL);
	res.why[COPY_CLONE].count = 3;
	report_file(r, &(struct explained){"a", "b", NULL}, &res, 0);
	EXPECT_EQ(0, report_finish(r));
	restore(self->saved_out, self->saved_err);
	EXPECT_STREQ("'a' -> 'b': 2.9 KiB (3000 bytes)\n"
		     "  encoded  1.9 KiB in 2 ranges, 500 bytes through this process\n"
		     "  stream   1000 bytes in 1 range, nothing through this process\n"
		     "           1000 bytes kept as holes\n"
		     "  not by clone: the files are on different file systems (3 times)\n",
		     contents(self->out, self->text, sizeof(self->text)));
}

TEST_F(report, json_on_standard_output_is_alone_there)
{
	struct copy_result res = one_file();
	struct report *r;

	if (!have_jq())
		SKIP(return, "no jq");
	self->o.json = self->o.explain = self->o.verbose = true;
	r = report_new(&self->o, NULL);
	report_verbose(r, "a", "b");
	report_file(r, &(struct explained){"a", "b", NULL}, &res, 0);
	EXPECT_EQ(0, report_finish(r));
	restore(self->saved_out, self->saved_err);
	EXPECT_TRUE(jq(self->out, ".files == 1"));
	EXPECT_NE(NULL, strstr(contents(self->err, self->text, sizeof(self->text)), "'a' -> 'b'"));
}

TEST_F(report, a_full_disk_below_the_output_is_an_error)
{
	struct report *r;
	int status;

	if (!freopen("/dev/full", "w", stdout))
		SKIP(return, "no /dev/full");
	self->o.verbose = true;
	r = report_new(&self->o, NULL);
	report_verbose(r, "a", "b");
	status = report_finish(r);
	restore(self->saved_out, self->saved_err);
	EXPECT_EQ(1, status);
	EXPECT_STREQ("ocp: write error: No space left on device\n",
		     contents(self->err, self->text, sizeof(self->text)));
}

TEST_F(report, questions_are_those_of_cp)
{
	struct report *r;
	FILE *answers = tmpfile();

	fputs("y\nno\nyes please\n", answers);
	rewind(answers);
	dup2(fileno(answers), STDIN_FILENO);
	r = report_new(&self->o, NULL);
	EXPECT_TRUE(report_ask(r, "a b", -1));
	EXPECT_FALSE(report_ask(r, "a", 0444));
	self->o.force = true;
	EXPECT_TRUE(report_ask(r, "a", 04644));
	EXPECT_FALSE(report_ask(r, "at the end of input", -1));
	report_finish(r);
	restore(self->saved_out, self->saved_err);
	EXPECT_STREQ("ocp: overwrite 'a b'? "
		     "ocp: unwritable 'a' (mode 0444, r--r--r--); try anyway? "
		     "ocp: replace 'a', overriding mode 4644 (rwSr--r--)? "
		     "ocp: overwrite 'at the end of input'? ",
		     contents(self->err, self->text, sizeof(self->text)));
}

TEST_HARNESS_MAIN
