/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk_names.h - inodes with several names, of which not all have been met. */
#ifndef STREAM_WALK_NAMES_H
#define STREAM_WALK_NAMES_H

#include "walk.h"

struct names_seen;

struct names_seen *names_new(void);
void names_free(struct names_seen *seen);
/** names_find - what the inode was sent as, a reference; NULL when it was not.  Forgets it with its
 * last name. */
struct subject *names_find(struct names_seen *seen, const struct statx *stx);
/** names_add - it is sent as @subject.  Return: 0, -ENOMEM */
int names_add(struct names_seen *seen, const struct statx *stx, struct subject *subject);

#endif
