/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ranges.h - which part of a disk or a unit was copied how, for --explain. */
#ifndef OCP_RANGES_H
#define OCP_RANGES_H

#include <stdio.h>

#include "copy_range.h"

struct ranges;

/* ranges_new - of @req, which tells it of its ranges; free() it.  NULL without memory. */
struct ranges *ranges_new(struct copy_req *req);
/* A line for each. */
void ranges_print(FILE *out, const struct ranges *ranges);

#endif
