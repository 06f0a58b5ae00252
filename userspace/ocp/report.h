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

#include "copy_range.h"
#include "opts.h"

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

/** report_errors - how many errors so far */
unsigned long report_errors(struct report *r);

/**
 * report_file - the data of one regular file went through cr_copy_range()
 * @err: 0, or the negative errno that ended it; the caller gives it to report_error() as well
 *
 * Prints --explain and --debug.  Counts the file when @err is 0, bytes and
 * strategies always.  Call it once a file, also for an empty one (zeroed @res).
 */
void report_file(struct report *r, const char *src, const char *dst, const struct copy_result *res,
		 int err);

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

/** report_warn - as report_error() but no error: exit status and --json do not change */
void report_warn(struct report *r, int err, enum ocp_msg msg, const char *path, const char *path2);

/**
 * report_ask - -i: "overwrite 'dst'? " on standard error, the answer from standard input
 * @mode: 0, or the permission bits of a @dst that may not be written: cp's longer question
 */
bool report_ask(struct report *r, const char *dst, unsigned mode);

#endif
