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
#include "filter.h"
#include "labels.h"

#ifdef CONFIG_OCP_VERIFY
#define CAN_VERIFY true
#else
#define CAN_VERIFY false
#endif

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
static const struct word sync_words[] = {
	{"none", SYNC_NONE}, {"file", SYNC_FILE}, {"all", SYNC_ALL}, {NULL, 0}};
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
	p->o.json_lines = arg && !strncmp(arg, "lines", 5) && (!arg[5] || arg[5] == ':');
	if (p->o.json_lines)
		arg = arg[5] ? arg + 6 : NULL;
	p->o.json_file = arg;
	return -1;
}

static int set_filter(struct parse *p, const struct option_row *row, const char *arg)
{
	int err = filter_add(&p->o.filter, row->value, arg);

	if (err == -EINVAL)
		return fatal("a pattern of --exclude and --include must not be empty");
	return err ? fatal("memory exhausted") : -1;
}

static int set_shard(struct parse *p, const struct option_row *row, const char *arg)
{
	return shard_match(arg, &p->o.shard, &p->o.shards) ? misuse(NULL) : -1;
}

static int set_stop_after(struct parse *p, const struct option_row *row, const char *arg)
{
	return number_match("number of errors", arg, UINT32_MAX, &p->o.stop_after) ? misuse(NULL)
										   : -1;
}

static int set_bwlimit(struct parse *p, const struct option_row *row, const char *arg)
{
	return rate_match("bandwidth", arg, &p->o.bwlimit) ? misuse(NULL) : -1;
}

static int set_ioprio(struct parse *p, const struct option_row *row, const char *arg)
{
	return ioprio_match("--ioprio", arg, &p->o.ioprio) ? misuse(NULL) : -1;
}

static int set_verify(struct parse *p, const struct option_row *row, const char *arg)
{
	if (!CAN_VERIFY)
		return fatal("this build cannot --verify");
	p->o.verify = true;
	return -1;
}

static int set_text(struct parse *p, const struct option_row *row, const char *arg)
{
	*(const char **)((char *)p + row->at) = arg;
	return -1;
}

static int set_jobs(struct parse *p, const struct option_row *row, const char *arg)
{
	return number_match("number of jobs", arg, JOBS_MAX, &p->o.jobs) ? misuse(NULL) : -1;
}

static int labels_error(int err, const char *text)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, text,
		err == -EOPNOTSUPP ? "this build knows nothing of SELinux" : strerror(-err));
	return EXIT_FAILURE;
}

/* SELinux, where it is in use: in p->o.labels, else NULL. */
static int need_labels(struct parse *p)
{
	return p->o.labels ? 0 : labels_open(&p->o.labels);
}

/* As cp does, -Z is nothing and a context a warning on a kernel without SELinux. */
static int set_context(struct parse *p, const struct option_row *row, const char *arg)
{
	int err = need_labels(p);

	if (err)
		return labels_error(err, "cannot set a security context");
	if (!p->o.labels) {
		if (arg)
			fatal("warning: ignoring --context; it requires an SELinux-enabled kernel");
		return -1;
	}
	if (arg) {
		p->context = arg;
		return -1;
	}
	err = labels_use_policy(p->o.labels);
	if (err)
		labels_error(err, "warning: ignoring --context");
	else
		p->o.policy_context = true;
	return -1;
}

static int context_refused(const char *context, int err)
{
	fprintf(stderr, "%s: failed to set default file creation context to ",
		program_invocation_short_name);
	put_quoted(context);
	fprintf(stderr, ": %s\n", strerror(-err));
	return EXIT_FAILURE;
}

/* What -a keeps of contexts gives way to one that is set. */
int settle_context(struct parse *p)
{
	struct ocp_opts *o = &p->o;
	bool strict = o->preserve_strict & PRESERVE_CONTEXT;
	bool sets = o->policy_context || p->context;
	int err;

	if (sets && strict)
		return fatal("cannot set target context and preserve it");
	if (sets)
		o->preserve &= ~PRESERVE_CONTEXT;
	err = need_labels(p);
	if (err && strict)
		return labels_error(err, "cannot preserve security context");
	if (strict && !o->labels)
		return fatal("cannot preserve security context without an SELinux-enabled kernel");
	if (!o->labels)
		o->preserve &= ~PRESERVE_CONTEXT;
	err = p->context ? labels_use(o->labels, p->context) : 0;
	if (err)
		return context_refused(p->context, err);
	o->one_context = p->context;
	o->contexts = sets || (o->preserve & PRESERVE_CONTEXT);
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
	{'a', NO, "archive", set_archive, .usage = "-a, --archive; -d",
	 .text = "as -dR --preserve=all; as -P --preserve=links"},
	{'R', NO, "recursive", set_true, AT(o.recursive), .usage = "-r, -R, --recursive",
	 .text = "copy directories and what is below them"},
	{'r', NO, NULL, set_true, AT(o.recursive)},
	{'d', NO, NULL, .set = set_d},
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
	{0, REQUIRED, "exclude", set_filter, .value = false,
	 .usage = "    --exclude, --include=PAT",
	 .text = "leave out, or not; the first to fit decides", .own = true},
	{0, REQUIRED, "include", set_filter, .value = true, .own = true},
	{0, REQUIRED, "files0-from", set_text, AT(o.files0_from),
	 .usage = "    --files0-from, --shard=I/N",
	 .text = "SOURCEs out of a file; the Ith of N runs", .own = true},
	{0, REQUIRED, "shard", set_shard, .own = true},
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
	{'f', NO, "force", set_true, AT(o.force), .usage = "-f, --remove-destination",
	 .text = "remove a file that cannot be opened; each first"},
	{0, NO, "remove-destination", set_true, AT(o.remove_dest)},
	{0, NO, "resume", set_true, AT(o.resume), .usage = "    --resume, --checksum",
	 .text = "go on with an interrupted copy; compare bytes", .own = true},
	{0, NO, "checksum", set_true, AT(o.checksum), .own = true},
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
	 .text = "SELinux: policy's type for the path, or CTX"},
	{.text = "How the data go"},
	{0, OPTIONAL, "reflink", set_word, AT(o.reflink), WHEN_ALWAYS, reflink_words,
	 "    --reflink[=WHEN]", "share blocks: auto, always (or fail), never"},
	{0, REQUIRED, "sparse", set_word, AT(o.sparse), WHEN_AUTO, sparse_words,
	 "    --sparse=WHEN", "holes: auto (kept), always (from zeros), never"},
	{0, REQUIRED, "offload", set_offload, .usage = "    --offload=HOW",
	 .text = "auto, always (or fail), never, or strategies", .own = true},
	{0, REQUIRED, "recompress", set_word, AT(recompress), 0, recompress_words,
	 "    --recompress=WHEN", "keep: compressed as stored; auto: if worse, anew", .own = true},
	{0, NO, "verify", set_verify, .usage = "    --verify, --manifest=FILE",
	 .text = "read copies back, compare; list for xxhsum -c", .own = true},
	{0, REQUIRED, "manifest", set_text, AT(o.manifest), .own = true},
	{0, REQUIRED, "sync", set_word, AT(o.sync), SYNC_NONE, sync_words, "    --sync=WHAT",
	 "make durable: none, each file, all at the end", .own = true},
	{0, REQUIRED, "bwlimit", set_bwlimit, .usage = "    --bwlimit=RATE, --ioprio=CLASS[:N]",
	 .text = "K, M, G a second; idle, best-effort", .own = true},
	{0, REQUIRED, "ioprio", set_ioprio, .own = true},
	{'j', REQUIRED, "jobs", set_jobs, .usage = "-j, --jobs=N", .text = "N workers",
	 .own = true},
	{.text = "What is said"},
	{'v', NO, "verbose", set_true, AT(o.verbose), .usage = "-v, --verbose, --debug",
	 .text = "name each file; and cp's line about offload"},
	{0, NO, "debug", .set = set_debug},
	{0, NO, "explain", set_true, AT(o.explain), .usage = "    --explain",
	 .text = "each file's strategies, and why no better one", .own = true},
	{0, OPTIONAL, "json", set_json, .usage = "    --json[=FILE], --json=lines",
	 .text = "a summary in JSON; each file and error too", .own = true},
	{0, OPTIONAL, "progress", set_word, AT(o.progress), WHEN_ALWAYS, progress_words,
	 "    --progress[=WHEN]", "bar: auto (terminal, after 2 s), always, never", .own = true},
	{0, NO, "summary", set_true, AT(o.summary), .usage = "    --summary, --stop-after-errors=N",
	 .text = "figures and reasons at the end; an end", .own = true},
	{0, REQUIRED, "stop-after-errors", set_stop_after, .own = true},
	{0, NO, "dry-run", set_true, AT(o.dry_run), .usage = "    --dry-run",
	 .text = "say what would be done", .own = true},
	{0, NO, "probe", set_true, AT(o.probe), .usage = "    --probe A B",
	 .text = "what is possible from A to B; copies nothing", .own = true},
	{0, NO, "help", set_help, .usage = "    --help, --version",
	 .text = "say this, or the version"},
	{0, NO, "version", .set = set_version},
	{.last = true},
};
