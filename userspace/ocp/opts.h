/* SPDX-License-Identifier: GPL-2.0-or-later */
/* opts.h - the command line of ocp: every option's parsed value. */
#ifndef OCP_OPTS_H
#define OCP_OPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "userspace/progress.h"

/* When a symbolic link of the source is followed. */
enum ocp_deref {
	DEREF_NEVER,	    /* -P, and the default with -R but not -l */
	DEREF_COMMAND_LINE, /* -H */
	DEREF_ALWAYS,	    /* -L, and the default otherwise */
};

/* Which existing destinations are replaced.  -n is UPDATE_NONE, whatever --update says. */
enum ocp_update {
	UPDATE_ALL,
	UPDATE_OLDER,	  /* -u: when the source is newer */
	UPDATE_NONE,	  /* skipped in silence, exit 0 */
	UPDATE_NONE_FAIL, /* "not replacing 'x'", exit 1 */
};

/* Bits of preserve and preserve_strict. */
#define PRESERVE_MODE	   0x01u
#define PRESERVE_OWNERSHIP 0x02u
#define PRESERVE_TIMES	   0x04u
#define PRESERVE_LINKS	   0x08u
#define PRESERVE_XATTR	   0x10u
#define PRESERVE_CONTEXT   0x20u /* of SELinux, where it is in use */
#define PRESERVE_SHARING   0x40u /* extents shared in the source stay shared */
#define PRESERVE_FLAGS	   0x80u /* chattr(1) attributes; only with all or -a */
#define PRESERVE_ALL	   0xffu
#define PRESERVE_BASIC	   0x07u /* what -p keeps */

/* -b: the name that a file gets which stands in the way */
enum ocp_backup { BACKUP_NONE, BACKUP_SIMPLE, BACKUP_EXISTING, BACKUP_NUMBERED };

/* --sync: what is on the storage when it is done */
enum ocp_sync { SYNC_NONE, SYNC_FILE, SYNC_ALL };

struct filter;
struct labels;

struct ocp_opts {
	/* Operands.  With -t the directory is target and dest is NULL. */
	char **sources; /* trailing slashes are gone where --strip-trailing-slashes asks for it */
	unsigned nsources;
	const char *files0_from; /* --files0-from=FILE: where they were read from, or NULL */
	char *files0;		 /* their text then */
	const char *dest;	 /* last operand, or NULL with -t */
	const char *target;	 /* -t DIRECTORY, or NULL */
	bool no_target_dir;	 /* -T */

	/* What is copied. */
	bool recursive;	      /* -r -R -a */
	bool parents;	      /* --parents */
	bool one_file_system; /* -x */
	bool hard_link;	      /* -l */
	bool symbolic_link;   /* -s */
	bool attributes_only; /* --attributes-only */
	bool copy_contents; /* read special files instead of making them: no -r, or --copy-contents
			     */
	bool keep_dir_symlink; /* --keep-directory-symlink */
	enum ocp_deref deref;
	unsigned shard, shards; /* --shard=I/N; 0: all */
	struct filter *filter;	/* --exclude, --include; NULL: none */

	/* An existing destination. */
	enum ocp_update update;
	bool interactive;      /* -i: ask before one is replaced, after update has been settled */
	bool force;	       /* -f: one that cannot be opened is removed, then tried again */
	bool through_dangling; /* POSIXLY_CORRECT: a file is made where a link to nothing points */
	bool remove_dest;      /* --remove-destination: removed before it is opened */
	enum ocp_backup backup;
	const char *backup_suffix;
	bool resume;   /* --resume */
	bool checksum; /* --checksum, with it */
	bool atomic;   /* --atomic: written under a temporary name and renamed, always */

	/* Attributes. */
	unsigned preserve;	  /* PRESERVE_*: what to keep */
	unsigned preserve_strict; /* of these, what was asked for by name: failure is an error */
	bool reduce_diagnostics;  /* -a: failing to keep what is not strict is not told */
	struct labels *labels;	  /* SELinux, where it is in use; else NULL */
	bool contexts;		  /* of it are kept or set: by these two, or PRESERVE_CONTEXT */
	bool one_context;	  /* --context=CTX */
	bool policy_context;	  /* -Z */
	bool no_mode;		  /* --no-preserve=mode: as a new file, 0666 or 0777 less umask */

	/* Data. */
	unsigned copy_flags; /* COPY_RANGE_* of --offload, --reflink, --sparse, --recompress */
	enum when reflink, sparse; /* as given, for messages; copy_flags says what to do */
	bool verify;		   /* --verify: each copy is read back */
	const char *manifest;	   /* --manifest=FILE, or NULL */
	enum ocp_sync sync;
	uint64_t bwlimit;    /* bytes a second, 0: no limit */
	int ioprio;	     /* of ioprio_set(2), -1: as it is */
	unsigned stop_after; /* errors, 0: never */
	unsigned jobs;	     /* -j; 0: chosen by the machine */

	/* Talk. */
	bool verbose;	       /* -v, --debug */
	bool debug;	       /* --debug: cp's line about offload, reflink, sparse detection */
	bool explain;	       /* --explain */
	bool json;	       /* --json */
	bool json_lines;       /* --json=lines: an object a line, as it happens */
	const char *json_file; /* NULL: standard output */
	enum when progress;
	bool summary; /* --summary */
	bool dry_run;

	/* --probe A B: then sources[0] is A and dest is B. */
	bool probe;
};

/**
 * opts_parse - read the command line
 * @o: filled; strings point into @argv
 * @argc, @argv: of main(); permuted unless POSIXLY_CORRECT is set
 *
 * Messages go to standard error in cp's words; --help and --version print and
 * ask for exit 0.
 * Return: -1 to go on, otherwise the exit status to end with.
 */
int opts_parse(struct ocp_opts *o, int argc, char **argv);

/** opts_free - what opts_parse() made */
void opts_free(struct ocp_opts *o);

/** opts_try_help - "Try 'ocp --help' ..." on standard error, after a message about bad use */
void opts_try_help(void);

/** opts_processors - those that are online, at least 1 */
unsigned opts_processors(void);

/** opts_jobs - workers to run: -j, or a number that suits the machine */
unsigned opts_jobs(const struct ocp_opts *o);

#endif
