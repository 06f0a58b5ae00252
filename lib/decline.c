// SPDX-License-Identifier: GPL-2.0-or-later
/* decline.c - how a strategy says "not me": see fs.h. */
#include <errno.h>

#include "fs.h"

int decline(struct copy_result *res, enum copy_strategy_id s, struct copy_why why)
{
	why.count = 1;
	res->why[s] = why;
	return why.scope == COPY_THIS_MOUNT ? -EOPNOTSUPP : -EXDEV;
}
