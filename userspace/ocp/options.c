/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options, a row each: getopt's arrays and --help are made from it.  To
 * add an option, add a row; what a combination means is settled in opts.c.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "copy_range.h"

#define JOBS_MAX   256u
#define SUFFIX_MAX 200

static const struct word sparse_words[] = {
	{"never", WHEN_NEVER}, {"auto", WHEN_AUTO}, {"always", WHEN_ALWAYS}, {NULL, 0}};
static const struct word reflink_words[] = {
	{"auto", WHEN_AUTO}, {"always", WHEN_ALWAYS}, {"never", WHEN_NEVER}, {NULL, 0}};
static const struct word progress_words[] = {{"always", WHEN_ALWAYS}, {"yes", WHEN_ALWAYS},
					     {"force", WHEN_ALWAYS},  {"never", WHEN_NEVER},
					     {"no", WHEN_NEVER},      {"none", WHEN_NEVER},
					     {"auto", WHEN_AUTO},     {"tty", WHEN_AUTO},
					     {"if-tty", WHEN_AUTO},   {NULL, 0}};
static const struct word update_words[] = {{"all", UPDATE_ALL},
					   {"none", UPDATE_NONE},
					   {"none-fail", UPDATE_NONE_FAIL},
					   {"older", UPDATE_OLDER},
					   {NULL, 0}};
static const struct word backup_words[] = {
	{"none", BACKUP_NONE},	       {"off", BACKUP_NONE},	      {"simple", BACKUP_SIMPLE},
	{"never", BACKUP_SIMPLE},      {"existing", BACKUP_EXISTING}, {"nil", BACKUP_EXISTING},
	{"numbered", BACKUP_NUMBERED}, {"t", BACKUP_NUMBERED},	      {NULL, 0}};
static const struct word recompress_words[] = {{"keep", 0}, {"auto", 1}, {NULL, 0}};

/* Bit numbers of PRESERVE_*, and one more that stands for all of them. */
#define PRESERVE_BIT_ALL 8
static const struct word preserve_words[] = {
	{"mode", 0},  {"timestamps", 2}, {"ownership", 1},	    {"links", 3}, {"context", 5},
	{"xattr", 4}, {"sharing", 6},	 {"all", PRESERVE_BIT_ALL}, {NULL, 0}};

/* Strategies by enum copy_strategy_id; the first three words stand for sets of them. */
#define OFFLOAD_AUTO   COPY_STRATEGIES
#define OFFLOAD_ALWAYS (COPY_STRATEGIES + 1)
#define OFFLOAD_NEVER  (COPY_STRATEGIES + 2)
static const struct word offload_words[] = {
	{"auto", OFFLOAD_AUTO}, {"always", OFFLOAD_ALWAYS}, {"never", OFFLOAD_NEVER},
	{"clone", COPY_CLONE},	{"offload", COPY_OFFLOAD},  {"encoded", COPY_ENCODED},
	{"grant", COPY_GRANT},	{"stream", COPY_STREAM},    {NULL, 0}};

static int set_true(struct parse *p, const struct option_row *row, const char *arg)
{
	*(bool *)((char *)p + row->at) = true;
	return -1;
}

static int set_value(struct parse *p, const struct option_row *row, const char *arg)
{
	*(int *)((char *)p + row->at) = row->value;
	return -1;
}

static int set_word(struct parse *p, const struct option_row *row, const char *arg)
{
	char option[40];
	int value = row->value;

	snprintf(option, sizeof(option), "--%s", row->name);
	if (arg && word_match(option, arg, row->words, &value))
		return misuse(NULL);
	*(int *)((char *)p + row->at) = value;
	return -1;
}

static int set_refused(struct parse *p, const struct option_row *row, const char *arg)
{
	fprintf(stderr, "%s: option --%s is not supported yet\n", program_invocation_short_name,
		row->name);
	return EXIT_FAILURE;
}

static int set_backup(struct parse *p, const struct option_row *row, const char *arg)
{
	p->backup = true;
	if (arg)
		p->backup_control = arg;
	return -1;
}

static int set_suffix(struct parse *p, const struct option_row *row, const char *arg)
{
	p->backup = true;
	p->backup_suffix = arg;
	return -1;
}

/* What is not said on the command line may be in the environment. */
int settle_backup(struct parse *p)
{
	const char *control = p->backup_control, *suffix = p->backup_suffix;
	bool said = control && *control;
	int kind = BACKUP_EXISTING;

	if (!p->backup)
		return -1;
	if (p->no_clobber)
		return misuse("options --backup and --no-clobber are mutually exclusive");
	if (!said)
		control = getenv("VERSION_CONTROL");
	if (control && *control &&
	    word_match(said ? "backup type" : "$VERSION_CONTROL", control, backup_words, &kind))
		return misuse(NULL);
	if (!suffix)
		suffix = getenv("SIMPLE_BACKUP_SUFFIX");
	if (!suffix || !*suffix || strchr(suffix, '/') || strlen(suffix) > SUFFIX_MAX)
		suffix = "~";
	p->o.backup = (enum ocp_backup)kind;
	p->o.backup_suffix = suffix;
	return -1;
}

static int set_interactive(struct parse *p, const struct option_row *row, const char *arg)
{
	p->o.interactive = true;
	p->no_clobber = false;
	return -1;
}

static int set_no_clobber(struct parse *p, const struct option_row *row, const char *arg)
{
	p->o.interactive = false;
	p->no_clobber = true;
	return -1;
}

static int set_debug(struct parse *p, const struct option_row *row, const char *arg)
{
	p->o.debug = p->o.verbose = true;
	return -1;
}

static int set_basic(struct parse *p, const struct option_row *row, const char *arg)
{
	p->o.preserve |= PRESERVE_BASIC;
	return -1;
}

static int set_archive(struct parse *p, const struct option_row *row, const char *arg)
{
	p->o.preserve |= PRESERVE_ALL;
	p->o.reduce_diagnostics = true;
	p->o.recursive = true;
	p->deref = DEREF_NEVER;
	return -1;
}

static int set_d(struct parse *p, const struct option_row *row, const char *arg)
{
	p->o.preserve |= PRESERVE_LINKS;
	p->deref = DEREF_NEVER;
	return -1;
}

/* What is named is kept strictly; "all" names nothing. */
static int set_preserve(struct parse *p, const struct option_row *row, const char *arg)
{
	unsigned mask;

	if (!arg)
		return set_basic(p, row, arg);
	if (word_mask("--preserve", arg, preserve_words, &mask))
		return misuse(NULL);
	p->o.preserve_strict |= mask & PRESERVE_ALL;
	if (mask & 1u << PRESERVE_BIT_ALL)
		mask |= PRESERVE_ALL;
	if (mask & PRESERVE_MODE)
		p->o.no_mode = false;
	p->o.preserve |= mask & PRESERVE_ALL;
	return -1;
}

static int set_no_preserve(struct parse *p, const struct option_row *row, const char *arg)
{
	unsigned mask;

	if (word_mask("--no-preserve", arg, preserve_words, &mask))
		return misuse(NULL);
	if (mask & 1u << PRESERVE_BIT_ALL)
		mask |= PRESERVE_ALL;
	if (mask & PRESERVE_MODE)
		p->o.no_mode = true;
	p->o.preserve &= ~mask;
	p->o.preserve_strict &= ~mask;
	return -1;
}

static int set_target(struct parse *p, const struct option_row *row, const char *arg)
{
	if (p->o.target)
		return fatal("multiple target directories specified");
	p->o.target = arg;
	return -1;
}

static int set_offload(struct parse *p, const struct option_row *row, const char *arg)
{
	unsigned mask;

	if (word_mask("--offload", arg, offload_words, &mask))
		return misuse(NULL);
	if (mask & 1u << OFFLOAD_AUTO)
		mask |= COPY_RANGE_STRATEGIES;
	if (mask & 1u << OFFLOAD_ALWAYS)
		mask |= COPY_RANGE_STRATEGIES & ~COPY_RANGE_NO_STREAM;
	if (mask & 1u << OFFLOAD_NEVER)
		mask |= COPY_RANGE_NO_STREAM;
	p->keep_out = ~mask & COPY_RANGE_STRATEGIES;
	return -1;
}

static int set_json(struct parse *p, const struct option_row *row, const char *arg)
{
	p->o.json = true;
	p->o.json_file = arg;
	return -1;
}

static int set_jobs(struct parse *p, const struct option_row *row, const char *arg)
{
	return number_match("number of jobs", arg, JOBS_MAX, &p->o.jobs) ? misuse(NULL) : -1;
}

bool selinux_enabled(void)
{
	return !access("/sys/fs/selinux/enforce", F_OK);
}

/* As cp does, -Z is nothing and a context a warning on a kernel without SELinux. */
static int set_context(struct parse *p, const struct option_row *row, const char *arg)
{
	if (selinux_enabled())
		return set_refused(p, row, arg);
	if (arg)
		fatal("warning: ignoring --context; it requires an SELinux-enabled kernel");
	return -1;
}

static int set_help(struct parse *p, const struct option_row *row, const char *arg)
{
	return print_help();
}

static int set_version(struct parse *p, const struct option_row *row, const char *arg)
{
	puts("ocp (copy_range) " CR_VERSION "\n"
	     "License GPL-2.0-or-later: GNU GPL version 2 or later.\n"
	     "There is NO WARRANTY, to the extent permitted by law.");
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define AT(member) .at = offsetof(struct parse, member)
#define NO	   no_argument
#define OPTIONAL   optional_argument
#define REQUIRED   required_argument

const struct option_row option_rows[] = {
	{.text = "What is copied"},
	{'a', NO, "archive", set_archive, .usage = "-a, --archive",
	 .text = "same as -dR --preserve=all"},
	{'R', NO, "recursive", set_true, AT(o.recursive), .usage = "-r, -R, --recursive",
	 .text = "copy directories and what is below them"},
	{'r', NO, NULL, set_true, AT(o.recursive)},
	{'d', NO, NULL, set_d, .usage = "-d", .text = "same as -P --preserve=links"},
	{'H', NO, NULL, set_value, AT(deref), .value = DEREF_COMMAND_LINE, .usage = "-H, -L, -P",
	 .text = "symbolic links: follow SOURCE's own; all; none"},
	{'L', NO, "dereference", set_value, AT(deref), .value = DEREF_ALWAYS},
	{'P', NO, "no-dereference", set_value, AT(deref), .value = DEREF_NEVER},
	{'l', NO, "link", set_true, AT(o.hard_link), .usage = "-l, -s",
	 .text = "make hard links, symbolic links, no copies"},
	{'s', NO, "symbolic-link", set_true, AT(o.symbolic_link)},
	{0, NO, "attributes-only", set_true, AT(o.attributes_only),
	 .usage = "    --attributes-only", .text = "attributes without the data"},
	{0, NO, "copy-contents", set_true, AT(copy_contents), .usage = "    --copy-contents",
	 .text = "with -R, read special files, do not make them"},
	{'x', NO, "one-file-system", set_true, AT(o.one_file_system),
	 .usage = "-x, --one-file-system", .text = "do not enter other file systems"},
	{.text = "Where to, and what stands there"},
	{'t', REQUIRED, "target-directory", set_target, .usage = "-t, --target-directory=DIR",
	 .text = "copy all SOURCEs into DIR"},
	{'T', NO, "no-target-directory", set_true, AT(o.no_target_dir),
	 .usage = "-T, --no-target-directory", .text = "DEST is no directory to copy into"},
	{0, NO, "parents", set_true, AT(o.parents), .usage = "    --parents",
	 .text = "keep the whole path of SOURCE below DIRECTORY"},
	{0, NO, "path", set_true, AT(o.parents)},
	{0, NO, "strip-trailing-slashes", set_true, AT(strip_slashes),
	 .usage = "    --strip-trailing-slashes", .text = "from each SOURCE"},
	{0, NO, "keep-directory-symlink", set_true, AT(o.keep_dir_symlink),
	 .usage = "    --keep-directory-symlink", .text = "follow links to directories in DEST"},
	{'i', NO, "interactive", set_interactive, .usage = "-i, -n",
	 .text = "ask before replacing a file; skip it"},
	{'n', NO, "no-clobber", .set = set_no_clobber},
	{'u', OPTIONAL, "update", set_word, AT(o.update), UPDATE_OLDER, update_words,
	 "-u, --update[=WHICH]", "replace all, none, none-fail, older (-u)"},
	{'f', NO, "force", set_true, AT(o.force), .usage = "-f, --force",
	 .text = "remove a file that cannot be opened, try again"},
	{0, NO, "remove-destination", set_true, AT(o.remove_dest),
	 .usage = "    --remove-destination", .text = "remove each existing file first"},
	{0, NO, "atomic", set_true, AT(o.atomic), .usage = "    --atomic",
	 .text = "write under a temporary name, then rename", .own = true},
	{'b', OPTIONAL, "backup", set_backup, .usage = "-b, --backup[=CONTROL]",
	 .text = "keep what is replaced: simple, numbered, none"},
	{'S', REQUIRED, "suffix", .set = set_suffix},
	{.text = "Attributes"},
	{'p', NO, NULL, set_basic, .usage = "-p, --preserve[=LIST]",
	 .text = "mode,ownership,timestamps; links,xattr,sharing"},
	{0, OPTIONAL, "preserve", .set = set_preserve},
	{0, REQUIRED, "no-preserve", set_no_preserve, .usage = "    --no-preserve=LIST",
	 .text = "do not keep these, or all"},
	{'Z', OPTIONAL, "context", set_context, .usage = "-Z, --context[=CTX]",
	 .text = "ignored on a kernel without SELinux"},
	{.text = "How the data go"},
	{0, OPTIONAL, "reflink", set_word, AT(o.reflink), WHEN_ALWAYS, reflink_words,
	 "    --reflink[=WHEN]", "share blocks: auto, always (or fail), never"},
	{0, REQUIRED, "sparse", set_word, AT(o.sparse), WHEN_AUTO, sparse_words,
	 "    --sparse=WHEN", "holes: auto (kept), always (from zeros), never"},
	{0, REQUIRED, "offload", set_offload, .usage = "    --offload=HOW",
	 .text = "auto, always (or fail), never, or strategies", .own = true},
	{0, REQUIRED, "recompress", set_word, AT(recompress), 0, recompress_words,
	 "    --recompress=WHEN", "keep: compressed as stored; auto: if worse, anew", .own = true},
	{'j', REQUIRED, "jobs", set_jobs, .usage = "-j, --jobs=N", .text = "N workers",
	 .own = true},
	{.text = "What is said"},
	{'v', NO, "verbose", set_true, AT(o.verbose), .usage = "-v, --verbose",
	 .text = "name each file"},
	{0, NO, "debug", set_debug, .usage = "    --debug",
	 .text = "-v, and cp's line about offload and reflink"},
	{0, NO, "explain", set_true, AT(o.explain), .usage = "    --explain",
	 .text = "each file's strategies, and why no better one", .own = true},
	{0, OPTIONAL, "json", set_json, .usage = "    --json[=FILE]",
	 .text = "a summary in JSON at the end", .own = true},
	{0, OPTIONAL, "progress", set_word, AT(o.progress), WHEN_ALWAYS, progress_words,
	 "    --progress[=WHEN]", "bar: auto (terminal, after 2 s), always, never", .own = true},
	{0, NO, "dry-run", set_true, AT(o.dry_run), .usage = "    --dry-run",
	 .text = "say what would be done", .own = true},
	{0, NO, "probe", set_true, AT(o.probe), .usage = "    --probe A B",
	 .text = "what is possible from A to B; copies nothing", .own = true},
	{0, NO, "help", set_help, .usage = "    --help, --version",
	 .text = "say this, or the version"},
	{0, NO, "version", .set = set_version},
	{.last = true},
};
