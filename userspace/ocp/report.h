/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.h - all that ocp says: -v lines, --explain, --json, prompts, errors.
 *
 * Every call may come from any worker; one lock inside keeps lines whole and
 * the progress bar out of them.  A path is written as cp quotes it.
 */
#ifndef OCP_REPORT_H
#define OCP_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "copy_range.h"
#include "opts.h"

struct ranges; /* see ranges.h */

/* What --explain says of a file beside its result. */
struct explained {
	const char *src, *dst;
	const struct ranges *ranges; /* which part was copied how, or NULL */
};

struct report;
struct progress;

/* Things made that are no regular file with data of its own. */
enum report_kind { MADE_DIRECTORY, MADE_SYMLINK, MADE_HARDLINK, MADE_SPECIAL, MADE_KINDS };

/*
 * What went wrong: cp's sentence and the word that --json gives as "operation".
 * The table is in message.c; %1 and %2 there are the two paths.  A message
 * about which errno says nothing is used with err 0.
 */
enum ocp_msg {
	MSG_STAT,	       /* cannot stat 'a' */
	MSG_ACCESS,	       /* cannot access 'a': a directory that cannot be read */
	MSG_OPEN,	       /* cannot open 'a' for reading */
	MSG_FSTAT,	       /* cannot fstat 'a' */
	MSG_READ,	       /* error reading 'a' */
	MSG_WRITE,	       /* error writing 'a' */
	MSG_COPY,	       /* error copying 'a' to 'b' */
	MSG_CLONE,	       /* failed to clone 'a' from 'b': 'a' is the destination */
	MSG_CREATE,	       /* cannot create regular file 'a' */
	MSG_MKDIR,	       /* cannot create directory 'a' */
	MSG_MKDIR_PARENT,      /* cannot make directory 'a': --parents */
	MSG_MKFIFO,	       /* cannot create fifo 'a' */
	MSG_MKNOD,	       /* cannot create special file 'a' */
	MSG_SYMLINK,	       /* cannot create symbolic link 'a' */
	MSG_SYMLINK_TO,	       /* cannot create symbolic link 'a' to 'b' */
	MSG_LINK,	       /* cannot create hard link 'a' to 'b' */
	MSG_READLINK,	       /* cannot read symbolic link 'a' */
	MSG_REMOVE,	       /* cannot remove 'a' */
	MSG_RENAME,	       /* cannot rename 'a' to 'b': temporary name to its own */
	MSG_TRUNCATE,	       /* failed to extend 'a' */
	MSG_CLOSE,	       /* failed to close 'a' */
	MSG_SYNC,	       /* cannot sync 'a' */
	MSG_TIMES,	       /* preserving times for 'a' */
	MSG_OWNER,	       /* failed to preserve ownership for 'a' */
	MSG_MODE,	       /* preserving permissions for 'a' */
	MSG_SET_MODE,	       /* setting permissions for 'a' */
	MSG_LISTXATTR,	       /* listing attributes of 'a' */
	MSG_GETXATTR,	       /* getting attribute 'b' of 'a' */
	MSG_SETXATTR,	       /* setting attribute 'b' for 'a' */
	MSG_CONTEXT_GET,       /* failed to get security context of 'a' */
	MSG_CONTEXT_SET,       /* failed to set the security context of 'a' */
	MSG_CONTEXT_TO,	       /* failed to set default file creation context to 'a' */
	MSG_CONTEXT_FOR,       /* failed to set default file creation context for 'a' */
	MSG_CONTEXT_ROOM,      /* warning: ignoring --context: 'a' ...; err 0, no error */
	MSG_BACKUP,	       /* cannot backup 'a' */
	MSG_UNBACKUP,	       /* cannot un-backup 'a' */
	MSG_BACKUP_SOURCE,     /* backing up 'a' might destroy source;  'b' not copied */
	MSG_RESERVE,	       /* reserving space for 'a' */
	MSG_FLAGS,	       /* preserving file flags for 'a' */
	MSG_TARGET_DIR,	       /* target directory 'a' (with -t) */
	MSG_TARGET,	       /* target 'a' */
	MSG_TARGET_NOT_DIR,    /* target 'a' is not a directory; err 0 */
	MSG_NOT_DIR,	       /* 'a' exists but is not a directory; err 0 */
	MSG_OMIT_DIR,	       /* -r not specified; omitting directory 'a'; err 0 */
	MSG_SAME_FILE,	       /* 'a' and 'b' are the same file; err 0 */
	MSG_INTO_ITSELF,       /* cannot copy a directory, 'a', into itself, 'b'; err 0 */
	MSG_LINK_TO_DIR,       /* will not create hard link 'a' to directory 'b'; err 0 */
	MSG_DIR_OVER_FILE,     /* cannot overwrite non-directory 'a' with directory 'b'; err 0 */
	MSG_FILE_OVER_DIR,     /* cannot overwrite directory 'a' with non-directory; err 0 */
	MSG_JUST_CREATED,      /* will not overwrite just-created 'a' with 'b'; err 0 */
	MSG_COPY_SYMLINK_JUST, /* will not copy 'a' through just-created symlink 'b'; err 0 */
	MSG_TWICE,     /* warning: source file 'a' specified more than once; err 0, no error */
	MSG_TWICE_DIR, /* warning: source directory 'a' ... ; err 0, no error */
	MSG_DANGLING,  /* not writing through dangling symlink 'a'; err 0 */
	MSG_CYCLE,     /* cannot copy cyclic symbolic link 'a'; err 0 */
	MSG_RELATIVE_SYMLINK, /* 'a': can make relative symbolic links only in current directory */
	MSG_REPLACED,	      /* skipping file 'a', as it was replaced while being copied; err 0 */
	MSG_UNKNOWN_TYPE,     /* 'a' has unknown file type; err 0 */
	MSG_NOT_REPLACING,    /* not replacing 'a'; err 0 */
	MSG_PARENTS_DIR,      /* with --parents, the destination must be a directory; err 0 */
	MSG_CHANGED,	      /* 'a' became shorter while it was copied; err 0 */
	MSG_JOURNAL,	      /* cannot keep the journal 'a': --resume */
	MSG_BUSY,	      /* 'a' is in use by another ocp; err 0 */
	MSG_DIFFERS,	      /* when read back, 'a' differs from 'b' ...; err 0 */
	MSG_READ_BACK,	      /* cannot read back 'a' */
	MSG_MANIFEST,	      /* cannot create 'a': --manifest */
	MSG_MANIFEST_WRITE,   /* error writing 'a': --manifest */
	MSG_DEVICE_MOUNTED,   /* not writing to 'a', which is mounted on 'b'; err EBUSY */
	MSG_DEVICE_USED,      /* not writing to 'a', which is used by 'b'; err EBUSY */
	MSG_INTERRUPTED,      /* interrupted: 'a' was not completed; err 0 */
	MSG_NO_MEMORY,	      /* memory exhausted */
	MSG_COUNT
};

/**
 * report_new - start the report
 * @o: must outlive it
 * @p: the bar to keep out of the lines, or NULL
 *
 * Return: the report, or NULL after a message (no memory, --json file not writable).
 */
struct report *report_new(const struct ocp_opts *o, struct progress *p);

/**
 * report_finish - say what is said at the end (--json) and free the report
 * Return: the exit status: 1 when an error was reported or output failed, else 0.
 */
int report_finish(struct report *r);

/**
 * report_pack - what it came to, for report_add() of another process on a machine of this kind
 * @len: of the answer, in bytes
 *
 * Frees the report.  Return: bytes of malloc(), NULL without memory.
 */
void *report_pack(struct report *r, size_t *len);
/** report_add - add what another has packed; -EINVAL and nothing where it makes no sense */
int report_add(struct report *r, const void *data, size_t len);
/** report_collect - errors are kept for report_pack(), and nothing is said at the end */
void report_collect(struct report *r);
/** report_part - bytes of a file that others copy too, and that is counted by another */
void report_part(struct report *r, const struct copy_result *res);

/** report_stops - --stop-after-errors sets *@stop */
void report_stops(struct report *r, int *stop);

/** report_errors - how many errors so far */
unsigned long report_errors(struct report *r);

/**
 * report_file - the data of one regular file went through cr_copy_range()
 * @what: NULL without --explain
 * @err: 0, or the negative errno that ended it; the caller gives it to report_error() as well
 *
 * Prints --explain and --debug.  Counts the file when @err is 0, bytes and
 * strategies always.  Call it once a file, also for an empty one (zeroed @res).
 */
void report_file(struct report *r, const struct explained *what, const struct copy_result *res,
		 int err);

/**
 * report_line - with --json=lines: what became of one regular file, when it is done
 * @err: 0, or why it has not got its name; the error itself had a line of its own
 */
void report_line(struct report *r, const char *src, const char *dst, const struct copy_result *res,
		 int err);

/** report_verified - a file was read back and is as it should be */
void report_verified(struct report *r);

/** report_made - count something else that was made */
void report_made(struct report *r, enum report_kind kind);

/** report_verbose - with -v: 'src' -> 'dst'; call it before the work, as cp does */
void report_verbose(struct report *r, const char *src, const char *dst);

/** report_verbose_backup - the same, and the name that the old file has got */
void report_verbose_backup(struct report *r, const char *src, const char *dst, const char *backup);
/** report_unbackup - with -v: it got its old name back */
void report_unbackup(struct report *r, const char *backup, const char *dst);

/** report_verbose_parent - the same for a directory that --parents made: cp quotes nothing there */
void report_verbose_parent(struct report *r, const char *src, const char *dst);

/** report_removed - with -v: removed 'dst' */
void report_removed(struct report *r, const char *dst);

/** report_skipped - with --debug: skipped 'dst' (-n, -u, --update=none) */
void report_skipped(struct report *r, const char *dst);

/** report_dry - with --dry-run: one line that says what would be done: "copy 'src' -> 'dst'" */
void report_dry(struct report *r, const char *action, const char *src, const char *dst);

/**
 * report_error - an error message, remembered for --json and the exit status
 * @err: errno, positive or negative; 0: the sentence says it all
 * @path2: NULL where the message names one path
 */
void report_error(struct report *r, int err, enum ocp_msg msg, const char *path, const char *path2);

/**
 * report_differs - --verify: @dst is not what @src holds
 * @pos: the first byte that differs, or UINT64_MAX where it is not known
 */
void report_differs(struct report *r, const char *dst, const char *src, uint64_t pos);

/** report_warn - as report_error() but no error: exit status and --json do not change */
void report_warn(struct report *r, int err, enum ocp_msg msg, const char *path, const char *path2);

/**
 * report_ask - -i: "overwrite 'dst'? " on standard error, the answer from standard input
 * @mode: -1, or the permission bits of a @dst that may not be written: cp's longer question
 */
bool report_ask(struct report *r, const char *dst, int mode);

#endif
