// SPDX-License-Identifier: GPL-2.0-or-later
/* In place of state.c where SQLite was left out. */
#include <errno.h>
#include <stdio.h>

#include "pr.h"

int state_open(const char *dir, struct state **statep, char *why, size_t room)
{
	snprintf(why, room, "%s: built without CONFIG_OCP_TARGET_STATE", dir);
	return -ENOSYS;
}

void state_close(struct state *s)
{
}

int state_save(struct state *s, const char *serial, const struct pr *pr)
{
	return -ENOSYS;
}

int state_load(struct state *s, const char *serial, struct pr *pr)
{
	return -ENOSYS;
}
