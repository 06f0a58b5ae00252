/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * partial.h - some files out of a stream, for --path.
 *
 * The stream is read twice.  The first time its names are followed, and at the end of each
 * subvolume it is known which of the things made in it are wanted, and where they end up;
 * the second time those are made there at once, and the others left out.  So no name that a
 * stream uses on the way is ever made.
 */
#ifndef STREAM_PARTIAL_H
#define STREAM_PARTIAL_H

#include "format.h"

struct apply;
struct partial;

/**
 * partial_new - @patterns as pattern_match() has them, from the subvolume's root on
 *
 * A directory that matches is wanted with all that is in it.  The patterns stay the caller's.
 * Return: it, or NULL without memory.
 */
struct partial *partial_new(char **patterns, unsigned n);
void partial_free(struct partial *p);

/** partial_look - a command of the first reading.  Return: 0, or -errno, perhaps with a reason */
int partial_look(struct partial *p, const struct stream_cmd *cmd);

/** partial_looked - the first reading is over.  Return: a pattern that nothing matches, or NULL */
const char *partial_looked(struct partial *p);

/** partial_command - the same command of the second reading, done where it is wanted */
int partial_command(struct partial *p, struct apply *a, const struct stream_cmd *cmd);

/** partial_drop - it did not end well: remove what was made.  Return: 0 or -errno */
int partial_drop(struct apply *a);

/** partial_reason - why the last of these failed, where more than errno is known; or NULL */
const char *partial_reason(const struct partial *p);

#endif
