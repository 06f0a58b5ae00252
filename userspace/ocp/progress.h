/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.h - the bar on the terminal, drawn by a thread of its own. */
#ifndef OCP_PROGRESS_H
#define OCP_PROGRESS_H

#include <stdint.h>

#include "copy_range.h"
#include "opts.h"

struct progress;

/**
 * progress_new - start the bar, or not
 * @workers: how many threads will copy; they number themselves from 0
 *
 * --progress=auto shows it on a terminal after two seconds, always shows it at
 * once, and where standard error is no terminal as a line every second.
 * Return: the bar; NULL where none is wanted or possible.  All calls below
 * accept NULL and then do nothing.
 */
struct progress *progress_new(const struct ocp_opts *o, unsigned workers);

/** progress_free - erase the bar, end its thread */
void progress_free(struct progress *p);

/**
 * progress_begin - worker @worker starts on a file
 * @size: bytes expected, 0 if not known
 *
 * Return: counters for copy_req.progress (zeroed), or NULL.
 */
struct copy_progress *progress_begin(struct progress *p, unsigned worker, const char *name,
				     uint64_t size);

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
