/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.h - the bar on the terminal, drawn by a thread of its own. */
#ifndef USERSPACE_PROGRESS_H
#define USERSPACE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "copy_range.h"

enum when { WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER };

struct progress;

/** progress_when - @word, "auto", "always" or "never", as @when; false for any other */
bool progress_when(const char *word, enum when *when);

/**
 * progress_new - start the bar, or not
 * @when: --progress of the command line
 * @workers: how many threads will copy; they number themselves from 0
 *
 * --progress=auto shows it on a terminal after two seconds, always shows it at
 * once, and where standard error is no terminal as a line every second.
 * Return: the bar; NULL where none is wanted or possible.  All calls below
 * accept NULL and then do nothing.
 */
struct progress *progress_new(enum when when, unsigned workers);

/**
 * progress_on_signal - no bar, but its line when SIGUSR1 comes
 *
 * SIGUSR1 must be blocked in all threads, also where there is a bar: its thread asks
 * for it.  This one's begins with the first file that is large, has no size, or
 * comes after the first tenth of a second, and until then a signal waits.
 */
struct progress *progress_on_signal(unsigned workers);

/** progress_shown - there is a bar; false for NULL and for one on signal alone */
bool progress_shown(const struct progress *p);

/** progress_wants_name - a file of @size bytes is shown by its name */
bool progress_wants_name(const struct progress *p, uint64_t size);

/** progress_free - erase the bar, end its thread */
void progress_free(struct progress *p);

/**
 * progress_begin - worker @worker starts on a file
 * @name: NULL where progress_wants_name() says no
 * @size: bytes expected, 0 if not known
 *
 * Return: counters for copy_req.progress (zeroed), or NULL.
 */
struct copy_progress *progress_begin(struct progress *p, unsigned worker, const char *name,
				     uint64_t size);

/** progress_streamed - of the bytes of the file of @worker, @bytes went through this process */
void progress_streamed(struct progress *p, unsigned worker, uint64_t bytes);

/** progress_end - the file of @worker is done, well or not */
void progress_end(struct progress *p, unsigned worker);

/** progress_found - who counts ahead has seen one more file, of @bytes bytes */
void progress_found(struct progress *p, uint64_t bytes);

/** progress_skip - one of those files will not be copied */
void progress_skip(struct progress *p, uint64_t bytes);

/** progress_found_all - all are counted: from now on the bar shows percent and time left */
void progress_found_all(struct progress *p);

/* Lines of others: between these two the bar is erased and not drawn. */
void progress_hide(struct progress *p);
void progress_show(struct progress *p);

#endif
