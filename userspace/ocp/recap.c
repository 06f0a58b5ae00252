// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * recap.c - --summary: what a big copy came to, and what would have made it cheaper.
 *
 * Reasons are the fixed sentences of the rooms; the advice to each stands here,
 * because what a person can do about it is no business of theirs.
 */
#include "report_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/size.h"

#define RECAP_AFTER   ((uint64_t)10 * 1000000000) /* on a terminal, without being asked */
#define RECAP_REASONS 3

static const struct advice {
	const char *reason, *text;
} advices[] = {
	{"the files are on different file systems",
	 "nothing, or keep both on one file system with reflinks, such as btrfs or XFS"},
	{"this file system cannot share blocks (no reflink)",
	 "XFS shares blocks when it was made with reflink=1, btrfs always"},
	{"the source is NOCOW (chattr +C), the destination is not",
	 "copy into a directory with chattr +C, or use -a, which keeps it"},
	{"the destination is NOCOW (chattr +C), the source is not",
	 "chattr -C on the directory of the destination"},
	{"the file system refuses to share these blocks",
	 "see whether a swap file, DAX or quotas of the file system are in the way"},
	{"sharing blocks is not permitted here", "look for a sandbox (seccomp) or run as root"},
	{"copy_file_range is not permitted here", "look for a sandbox (seccomp) or run as root"},
	{"copy_file_range might share blocks, which is not wanted",
	 "leave out --reflink=never or --offload without clone"},
	{"this kernel or file system has no copy_file_range",
	 "mount it by a newer kernel or protocol (NFS 4.2, SMB 3)"},
	{"the range does not start on a block of the file system",
	 "nothing: a whole file would be cloned"},
	{"needs root (CAP_SYS_ADMIN)", "run ocp as root, then compressed extents move as stored"},
	{"not both files are on btrfs",
	 "with btrfs on both sides compressed extents move as stored"},
	{"nothing here is stored compressed",
	 "nothing, or mount the source with compress=zstd before it is written"},
	{"stored uncompressed",
	 "nothing, or mount the source with compress=zstd before it is written"},
	{"not on the disk yet", "sync the source first"},
	{"this kernel does not read and write compressed extents", "use Linux 5.18 or newer"},
	{"the destination compresses better", "leave out --recompress=auto"},
	{"the destination is nodatacow (chattr +C): it holds no compressed data",
	 "chattr -C on the directory of the destination"},
	{"every byte is to be written, holes too", "leave out --sparse=never"},
	{"the data has to be looked at to find zeros", "leave out --sparse=always"},
	{"the source has content but no size", "nothing: files of /proc and /sys are read"},
	{"left out of this build", "build with CONFIG_ENCODED=y"},
};

static const char *advice_to(const char *reason)
{
	for (unsigned i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (!strcmp(advices[i].reason, reason))
			return advices[i].text;
	return NULL;
}

bool recap_wanted(const struct report *r)
{
	if (r->o->dry_run)
		return false;
	return r->o->summary || (r->seen && report_now() - r->start >= RECAP_AFTER);
}

static void print_count(FILE *out, uint64_t n, const char *one, const char *many)
{
	if (n)
		fprintf(out, ", %" PRIu64 " %s", n, n == 1 ? one : many);
}

static void print_head(struct report *r, FILE *out)
{
	uint64_t ms = (report_now() - r->start) / 1000000;
	char size[SIZE_TEXT];

	fprintf(out, "%" PRIu64 " %s", r->files, r->files == 1 ? "file" : "files");
	print_count(out, r->made[MADE_DIRECTORY], "directory", "directories");
	print_count(out, r->made[MADE_SYMLINK], "symbolic link", "symbolic links");
	print_count(out, r->made[MADE_HARDLINK], "hard link", "hard links");
	print_count(out, r->made[MADE_SPECIAL], "special file", "special files");
	fprintf(out, ", %s in %" PRIu64 ".%" PRIu64 " s", size_text(r->sum.bytes, size), ms / 1000,
		ms / 100 % 10);
	if (r->sum.bytes)
		fprintf(out, ", %s/s",
			size_text((uint64_t)((double)r->sum.bytes * 1000 / (double)(ms ? ms : 1)),
				  size));
	if (r->verified)
		fprintf(out, ", %" PRIu64 " verified", r->verified);
	print_count(out, r->errors, "error", "errors");
	fputc('\n', out);
}

static void print_strategies(struct report *r, FILE *out)
{
	char size[SIZE_TEXT];

	for (unsigned s = 0; s < COPY_STRATEGIES; s++)
		if (r->sum.by[s].bytes)
			fprintf(out, "  %-8s %s (%u%%)\n", copy_strategy_name(s),
				size_text(r->sum.by[s].bytes, size),
				(unsigned)((double)r->sum.by[s].bytes * 100 /
					   (double)r->sum.bytes));
	if (r->sum.holes)
		fprintf(out, "  %-8s %s of these\n", "holes", size_text(r->sum.holes, size));
}

/* How often a reason was given for what was streamed in the end, by any strategy. */
static uint64_t times(const struct report *r, const char *reason)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < r->nreasons; i++)
		if (r->reasons[i].reason && !strcmp(r->reasons[i].reason, reason))
			n += r->reasons[i].streamed;
	return n;
}

/* The most frequent one below the last; NULL: no more. */
static const char *next_reason(const struct report *r, const char *const *said, unsigned n)
{
	const char *best = NULL;

	for (unsigned i = 0; i < r->nreasons; i++) {
		const struct report_reason *at = &r->reasons[i];
		bool known = false;

		for (unsigned k = 0; k < n; k++)
			known |= !strcmp(said[k], at->reason);
		if (known || !at->streamed || at->strategy == COPY_GRANT)
			continue;
		if (!best || times(r, at->reason) > times(r, best))
			best = at->reason;
	}
	return best;
}

static void print_reasons(struct report *r, FILE *out)
{
	const char *said[RECAP_REASONS], *reason, *advice;
	unsigned n = 0;

	while (n < RECAP_REASONS && (reason = next_reason(r, said, n))) {
		if (!n)
			fputs("Why not all was offloaded, and what to do about it:\n", out);
		fprintf(out, "  %s (%" PRIu64 " %s)\n", reason, times(r, reason),
			times(r, reason) == 1 ? "time" : "times");
		advice = advice_to(reason);
		if (advice)
			fprintf(out, "    -> %s\n", advice);
		said[n++] = reason;
	}
}

void recap_print(struct report *r)
{
	fflush(stdout);
	print_head(r, stderr);
	print_strategies(r, stderr);
	print_reasons(r, stderr);
}
