// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line: each row is what a user types and what it means. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "copy_range.h"
#include "kselftest_harness.h"
#include "userspace/ocp/opts.h"

#define ARGS_MAX 16

/* A command line in words; kept, because options point into it. */
struct line {
	char text[256];
	char *argv[ARGS_MAX];
	int argc;
	char err[4096]; /* what was said on standard error */
};

static void split(struct line *l, const char *args)
{
	char *at = l->text, *word;

	memset(l, 0, sizeof(*l));
	snprintf(l->text, sizeof(l->text), "ocp %s", args);
	while (l->argc < ARGS_MAX - 1 && (word = strsep(&at, " ")))
		if (*word)
			l->argv[l->argc++] = strcmp(word, "''") ? word : word + 2;
}

static int parse(struct line *l, const char *args, struct ocp_opts *o)
{
	FILE *said = tmpfile();
	int err = dup(STDERR_FILENO), out = dup(STDOUT_FILENO), status;
	size_t n;

	split(l, args);
	program_invocation_short_name = l->argv[0];
	fflush(stdout);
	dup2(fileno(said), STDERR_FILENO);
	dup2(fileno(said), STDOUT_FILENO);
	status = opts_parse(o, l->argc, l->argv);
	fflush(stdout);
	dup2(err, STDERR_FILENO);
	dup2(out, STDOUT_FILENO);
	close(err);
	close(out);
	rewind(said);
	n = fread(l->err, 1, sizeof(l->err) - 1, said);
	l->err[n] = '\0';
	fclose(said);
	return status;
}

static void add(char *text, const char *word)
{
	strcat(text, *text ? " " : "");
	strcat(text, word);
}

static void add_flags(char *text, const struct ocp_opts *o)
{
	const struct {
		bool on;
		const char *word;
	} flags[] = {
		{o->recursive, "recursive"},
		{o->parents, "parents"},
		{o->one_file_system, "one-fs"},
		{o->hard_link, "hard"},
		{o->symbolic_link, "symbolic"},
		{o->attributes_only, "attributes-only"},
		{o->copy_contents, "contents"},
		{o->keep_dir_symlink, "keep-symlink"},
		{o->interactive, "ask"},
		{o->force, "force"},
		{o->remove_dest, "remove"},
		{o->atomic, "atomic"},
		{o->reduce_diagnostics, "quietly"},
		{o->no_mode, "no-mode"},
		{o->verbose, "verbose"},
		{o->debug, "debug"},
		{o->explain, "explain"},
		{o->json, "json"},
		{o->dry_run, "dry-run"},
		{o->probe, "probe"},
		{o->no_target_dir, "no-target"},
	};

	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].on)
			add(text, flags[i].word);
}

static void add_strategies(char *text, unsigned flags)
{
	for (unsigned s = 0; s < COPY_STRATEGIES; s++)
		if (flags & 1u << s) {
			add(text, "no-");
			strcat(text, copy_strategy_name(s));
		}
	if (flags & COPY_RANGE_FILL_HOLES)
		add(text, "fill");
	if (flags & COPY_RANGE_PUNCH_ZEROS)
		add(text, "punch");
	if (flags & COPY_RANGE_RECOMPRESS)
		add(text, "recompress");
}

/* All that differs from "ocp a b", in a fixed order; operands come last. */
static const char *say(const struct ocp_opts *o, char *text)
{
	static const char *const deref[] = {"P", "H", "L"};
	static const char *const update[] = {"all", "older", "none", "none-fail"};
	char word[300];

	*text = '\0';
	add_flags(text, o);
	snprintf(word, sizeof(word), "%s", deref[o->deref]);
	add(text, word);
	if (o->update) {
		snprintf(word, sizeof(word), "update=%s", update[o->update]);
		add(text, word);
	}
	if (o->preserve) {
		snprintf(word, sizeof(word), "keep=%02x/%02x", o->preserve, o->preserve_strict);
		add(text, word);
	}
	add_strategies(text, o->copy_flags);
	if (o->jobs) {
		snprintf(word, sizeof(word), "j%u", o->jobs);
		add(text, word);
	}
	if (o->progress) {
		snprintf(word, sizeof(word), "bar=%d", o->progress);
		add(text, word);
	}
	if (o->json_file)
		add(text, o->json_file);
	add(text, ":");
	for (unsigned i = 0; i < o->nsources; i++)
		add(text, o->sources[i]);
	add(text, ">");
	add(text, o->target ? o->target : o->dest);
	return text;
}

static const struct {
	const char *args, *meaning;
} meanings[] = {
	{"a b", "contents L: a > b"},
	{"a b c", "contents L: a b > c"},
	{"a b -r", "recursive P: a > b"},
	{"-r -- -a b", "recursive P: -a > b"},
	{"-R a b", "recursive P: a > b"},
	{"--recursive a b", "recursive P: a > b"},
	{"--rec a b", "recursive P: a > b"},
	{"-a a b", "recursive quietly P keep=df/07: a > b"},
	{"-aL a b", "recursive quietly L keep=df/07: a > b"},
	{"-L -P a b", "contents P: a > b"},
	{"-rH a b", "recursive H: a > b"},
	{"-rL a b", "recursive L: a > b"},
	{"--no-dereference a b", "contents P: a > b"},
	{"--dereference -r a b", "recursive L: a > b"},
	{"-d a b", "contents P keep=08/00: a > b"},
	{"-p a b", "contents L keep=07/07: a > b"},
	{"--preserve a b", "contents L keep=07/07: a > b"},
	{"--pr a b", "contents L keep=07/07: a > b"},
	{"--preserve=mode a b", "contents L keep=01/01: a > b"},
	{"--preserve=xattr,links a b", "contents L keep=18/10: a > b"},
	{"--preserve=all a b", "contents L keep=df/07: a > b"},
	{"--preserve=all,xattr a b", "contents L keep=df/17: a > b"},
	{"--preserve=sharing,t a b", "contents L keep=44/04: a > b"},
	{"-a --no-preserve=own,xattr a b", "recursive quietly P keep=cd/05: a > b"},
	{"-a --no-preserve=all a b", "recursive quietly no-mode P: a > b"},
	{"--no-preserve=mode a b", "contents no-mode L: a > b"},
	{"--no-preserve=mode --preserve=mode a b", "contents L keep=01/01: a > b"},
	{"-l a b", "hard contents L: a > b"},
	{"-rl a b", "recursive hard L: a > b"},
	{"-s a b", "symbolic contents L: a > b"},
	{"-fs a b", "symbolic contents force L: a > b"},
	{"-f a b", "contents force L: a > b"},
	{"-i a b", "contents ask L: a > b"},
	{"-n a b", "contents L update=none: a > b"},
	{"-i -n a b", "contents L update=none: a > b"},
	{"-n -i a b", "contents ask L: a > b"},
	{"-u a b", "contents L update=older: a > b"},
	{"-iu a b", "contents ask L update=older: a > b"},
	{"--update a b", "contents L update=older: a > b"},
	{"--update=none-fail a b", "contents L update=none-fail: a > b"},
	{"--update=none a b", "contents L update=none: a > b"},
	{"--update=all -u a b", "contents L update=older: a > b"},
	{"-u --update=all a b", "contents L: a > b"},
	{"-n --update=all a b", "contents L update=none: a > b"},
	{"-t d a b", "contents L: a b > d"},
	{"--target-directory=d a", "contents L: a > d"},
	{"-td a", "contents L: a > d"},
	{"-T a b", "contents no-target L: a > b"},
	{"-x --parents a b", "parents one-fs contents L: a > b"},
	{"--path a b", "parents contents L: a > b"},
	{"--attributes-only --remove-destination a b", "attributes-only contents remove L: a > b"},
	{"--copy-contents -r a b", "recursive contents P: a > b"},
	{"--keep-directory-symlink -v a b", "contents keep-symlink verbose L: a > b"},
	{"--debug a b", "contents verbose debug L: a > b"},
	{"--strip-trailing-slashes a// / b/", "contents L: a / > b/"},
	{"a/ b", "contents L: a/ > b"},
	{"--reflink a b", "contents L no-offload no-encoded no-grant no-stream: a > b"},
	{"--reflink=always a b", "contents L no-offload no-encoded no-grant no-stream: a > b"},
	{"--reflink=auto a b", "contents L: a > b"},
	{"-a --reflink=never a b", "recursive quietly P keep=9f/07 no-clone: a > b"},
	{"--sparse=auto a b", "contents L: a > b"},
	{"--sparse=always a b", "contents L punch: a > b"},
	{"--sparse=never a b", "contents L no-clone fill: a > b"},
	{"--offload=auto a b", "contents L: a > b"},
	{"--offload=always a b", "contents L no-stream: a > b"},
	{"--offload=never a b", "contents L no-clone no-offload no-encoded no-grant: a > b"},
	{"--offload=clone,str a b", "contents L no-offload no-encoded no-grant: a > b"},
	{"--offload=never --offload=auto a b", "contents L: a > b"},
	{"--recompress=auto a b", "contents L recompress: a > b"},
	{"--recompress=keep a b", "contents L: a > b"},
	{"-j 3 a b", "contents L j3: a > b"},
	{"--jobs=12 a b", "contents L j12: a > b"},
	{"--explain --json --dry-run a b", "contents explain json dry-run L: a > b"},
	{"--json=f.json a b", "contents json L f.json: a > b"},
	{"--progress a b", "contents L bar=1: a > b"},
	{"--progress=never a b", "contents L bar=2: a > b"},
	{"--prog=if-tty a b", "contents L: a > b"},
	{"--probe a b", "contents probe L: a > b"},
	{"--atomic a b", "contents atomic L: a > b"},
	{"--backup=none a b", "contents L: a > b"},
	{"--backup=off a b", "contents L: a > b"},
};

TEST(each_option_means_what_the_table_says)
{
	struct ocp_opts o;
	struct line l;
	char text[1024];

	if (!access("/sys/fs/selinux/enforce", F_OK))
		SKIP(return, "SELinux changes what -a keeps");
	for (unsigned i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		char wanted[1024], *colon;

		ASSERT_EQ(-1, parse(&l, meanings[i].args, &o))
		{
			TH_LOG("%s: %s", meanings[i].args, l.err);
		}
		/* The colon stands close in the table, to be read. */
		strcpy(wanted, meanings[i].meaning);
		colon = strchr(wanted, ':');
		snprintf(colon, sizeof(wanted) - (size_t)(colon - wanted), " %s",
			 strchr(meanings[i].meaning, ':'));
		EXPECT_STREQ(wanted, say(&o, text))
		{
			TH_LOG("of: %s", meanings[i].args);
		}
		EXPECT_STREQ("", l.err);
	}
}

#define TRY "Try 'ocp --help' for more information.\n"

static const struct {
	const char *args, *message;
} refusals[] = {
	{"", "ocp: missing file operand\n" TRY},
	{"a", "ocp: missing destination file operand after 'a'\n" TRY},
	{"-T a b c", "ocp: extra operand 'c'\n" TRY},
	{"--probe a b c", "ocp: extra operand 'c'\n" TRY},
	{"-t d -T a", "ocp: cannot combine --target-directory (-t) and "
		      "--no-target-directory (-T)\n"},
	{"-t a -t b c", "ocp: multiple target directories specified\n"},
	{"--foo a b", "ocp: unrecognized option '--foo'\n" TRY},
	{"-Q a b", "ocp: invalid option -- 'Q'\n" TRY},
	{"-t", "ocp: option requires an argument -- 't'\n" TRY},
	{"--force=1 a b", "ocp: option '--force' doesn't allow an argument\n" TRY},
	{"--re a b", "ocp: option '--re' is ambiguous; possibilities: '--recursive' "
		     "'--remove-destination' '--reflink'\n" TRY},
	{"-l -s a b", "ocp: cannot make both hard and symbolic links\n" TRY},
	{"--reflink --sparse=always a b",
	 "ocp: --reflink can be used only with --sparse=auto\n" TRY},
	{"--reflink --offload=never a b",
	 "ocp: --offload, --reflink and --sparse together leave no way to copy\n" TRY},
	{"--sparse=never --offload=clone a b",
	 "ocp: --offload, --reflink and --sparse together leave no way to copy\n" TRY},
	{"--sparse=x a b", "ocp: invalid argument 'x' for '--sparse'\nValid arguments are:\n"
			   "  - 'never'\n  - 'auto'\n  - 'always'\n" TRY},
	{"--sparse=a a b", "ocp: ambiguous argument 'a' for '--sparse'\nValid arguments are:\n"
			   "  - 'never'\n  - 'auto'\n  - 'always'\n" TRY},
	{"--backup=x a b", "ocp: invalid argument 'x' for 'backup type'\nValid arguments are:\n"
			   "  - 'none', 'off'\n  - 'simple', 'never'\n  - 'existing', 'nil'\n"
			   "  - 'numbered', 't'\n" TRY},
	{"--preserve=mode, a b",
	 "ocp: ambiguous argument '' for '--preserve'\nValid arguments are:\n"
	 "  - 'mode'\n  - 'timestamps'\n  - 'ownership'\n  - 'links'\n  - 'context'\n"
	 "  - 'xattr'\n  - 'sharing'\n  - 'all'\n" TRY},
	{"-j 0 a b", "ocp: invalid number of jobs: '0'\n" TRY},
	{"-j -1 a b", "ocp: invalid number of jobs: '-1'\n" TRY},
	{"-j 4x a b", "ocp: invalid number of jobs: '4x'\n" TRY},
	{"-j 99999999999999999999 a b",
	 "ocp: invalid number of jobs: '99999999999999999999'\n" TRY},
	{"--bwlimit=x a b", "ocp: invalid bandwidth: 'x'\n" TRY},
	{"--bwlimit=1.5Q a b", "ocp: invalid bandwidth: '1.5Q'\n" TRY},
	{"--bwlimit=0.1B a b", "ocp: invalid bandwidth: '0.1B'\n" TRY},
	{"--bwlimit=99999999999T a b", "ocp: invalid bandwidth: '99999999999T'\n" TRY},
	{"--ioprio=be:8 a b", "ocp: invalid level of priority: 'be:8'\n" TRY},
	{"--ioprio=idle:1 a b", "ocp: invalid level of priority: 'idle:1'\n" TRY},
	{"--stop-after-errors=0 a b", "ocp: invalid number of errors: '0'\n" TRY},
	{"--resume a b", "ocp: --resume needs times to be kept (-a, -p), or --checksum\n" TRY},
	{"-a --checksum a b", "ocp: --checksum needs --resume\n" TRY},
	{"-ab --resume a b", "ocp: options --resume and --backup are mutually exclusive\n" TRY},
	{"--shard=0/2 a b", "ocp: invalid shard (I/N): '0/2'\n" TRY},
	{"--shard=3/2 a b", "ocp: invalid shard (I/N): '3/2'\n" TRY},
	{"--shard=1/ a b", "ocp: invalid shard (I/N): '1/'\n" TRY},
	{"--shard=1/2x a b", "ocp: invalid shard (I/N): '1/2x'\n" TRY},
	{"--files0-from=/dev/null a b",
	 "ocp: file operands cannot be combined with --files0-from: 'a'\n" TRY},
	{"--files0-from=/dev/null -t d a",
	 "ocp: file operands cannot be combined with --files0-from: 'a'\n" TRY},
	{"--files0-from=/dev/null", "ocp: missing destination directory\n" TRY},
	{"--files0-from=/dev/null -T a", "ocp: --files0-from needs a directory to copy into\n" TRY},
	{"--files0-from=/nowhere a",
	 "ocp: cannot open for reading '/nowhere': No such file or directory\n"},
	{"--exclude=/ a b", "ocp: a pattern of --exclude and --include must not be empty\n"},
	{"-bn a b", "ocp: options --backup and --no-clobber are mutually exclusive\n"
		    "Try 'ocp --help' for more information.\n"},
};

TEST(a_wrong_command_line_ends_with_the_message_of_cp)
{
	struct ocp_opts o;
	struct line l;

	for (unsigned i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		EXPECT_EQ(1, parse(&l, refusals[i].args, &o))
		{
			TH_LOG("of: %s", refusals[i].args);
		}
		EXPECT_STREQ(refusals[i].message, l.err);
	}
}

TEST(posixly_correct_ends_options_at_the_first_operand)
{
	struct ocp_opts o;
	struct line l;

	setenv("POSIXLY_CORRECT", "1", 1);
	ASSERT_EQ(-1, parse(&l, "a -r b", &o));
	EXPECT_FALSE(o.recursive);
	EXPECT_EQ(2u, o.nsources);
	EXPECT_STREQ("-r", o.sources[1]);
}

TEST(a_context_is_ignored_without_selinux)
{
	struct ocp_opts o;
	struct line l;

	if (!access("/sys/fs/selinux/enforce", F_OK))
		SKIP(return, "this kernel has SELinux");
	ASSERT_EQ(-1, parse(&l, "-Z a b", &o));
	EXPECT_STREQ("", l.err);
	ASSERT_EQ(-1, parse(&l, "--context=x a b", &o));
	EXPECT_STREQ("ocp: warning: ignoring --context; it requires an SELinux-enabled kernel\n",
		     l.err);
	ASSERT_EQ(1, parse(&l, "--preserve=context a b", &o));
}

TEST(help_fits_two_screens)
{
	struct ocp_opts o;
	struct line l;
	unsigned lines = 0, column = 0, widest = 0;

	ASSERT_EQ(0, parse(&l, "--help", &o));
	for (const char *at = l.err; *at; at++) {
		column = *at == '\n' ? 0 : column + 1;
		lines += *at == '\n';
		widest = column > widest ? column : widest;
	}
	EXPECT_LE(lines, 48u);
	EXPECT_LT(widest, 80u);
	EXPECT_EQ(0, parse(&l, "--version", &o));
	EXPECT_NE(NULL, strstr(l.err, "ocp"));
}

TEST(rates_and_priorities_are_read)
{
	static const struct {
		const char *args;
		uint64_t rate;
	} rates[] = {
		{"--bwlimit=100 a b", 102400},		 {"--bwlimit=1.5m a b", 1572864},
		{"--bwlimit=2MB a b", 2000000},		 {"--bwlimit=2MiB a b", 2097152},
		{"--bwlimit=70000B a b", 70000},	 {"--bwlimit=0 a b", 0},
		{"--bwlimit=1G a b", (uint64_t)1 << 30},
	};
	struct ocp_opts o;
	struct line l;

	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		EXPECT_EQ(-1, parse(&l, rates[i].args, &o));
		EXPECT_EQ(rates[i].rate, o.bwlimit);
	}
	EXPECT_EQ(-1, o.ioprio);
	ASSERT_EQ(-1, parse(&l, "--ioprio=idle a b", &o));
	EXPECT_EQ(3 << 13, o.ioprio);
	ASSERT_EQ(-1, parse(&l, "--ioprio=best-effort:7 a b", &o));
	EXPECT_EQ(2 << 13 | 7, o.ioprio);
}

TEST(jobs_follow_the_option_or_the_machine)
{
	struct ocp_opts o = {.jobs = 7};

	EXPECT_EQ(7u, opts_jobs(&o));
	o.jobs = 0;
	EXPECT_GE(opts_jobs(&o), 1u);
	EXPECT_LE(opts_jobs(&o), 16u);
}

TEST_HARNESS_MAIN
