// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * prune.c - before the files that the kernel knows take the last descriptor it is asked
 * to forget some (FUSE_NOTIFY_PRUNE, Linux 6.18; libfuse 3.14 has no word for it).  It
 * forgets those that nobody uses.  An older kernel forgets only when it wants memory.
 */
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "ofs.h"

#define NOTIFY_PRUNE 9
#define BATCH	     256u /* asked at once, */
#define EVERY	     64u  /* by one of so many who look a file up */

struct prune_message {
	uint32_t len;
	int32_t code;
	uint64_t unique; /* 0: asked by us */
	uint32_t count, padding;
	uint64_t spare;
	uint64_t ids[BATCH];
};

void prune_start(struct nodes *t)
{
	struct rlimit lim;

	t->most = SIZE_MAX;
	if (!getrlimit(RLIMIT_NOFILE, &lim) && lim.rlim_cur != RLIM_INFINITY)
		t->most = lim.rlim_cur / 4 * 3; /* the others are for what is open */
}

/* The next ones in the table, round and round: a guess at who was not looked up for long. */
static uint32_t collect(struct nodes *t, uint64_t *ids)
{
	uint32_t n = 0;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->nbuckets && n < BATCH; i++) {
		t->cursor = (t->cursor + 1) & (t->nbuckets - 1);
		for (struct node *node = t->bucket[t->cursor]; node && n < BATCH; node = node->next)
			ids[n++] = (uintptr_t)node;
	}
	pthread_mutex_unlock(&t->lock);
	return n;
}

static void ask(struct ofs *o)
{
	struct prune_message m = {.code = NOTIFY_PRUNE};

	m.count = collect(&o->nodes, m.ids);
	m.len = (uint32_t)(offsetof(struct prune_message, ids) + m.count * sizeof(m.ids[0]));
	if (write(o->dev, &m, m.len) >= 0)
		return;
	if (o->opts->debug)
		fuse_log(FUSE_LOG_DEBUG, "prune: %s\n", strerror(errno));
	if (errno == EINVAL) /* it knows no such message */
		o->nodes.most = SIZE_MAX;
}

void prune(struct ofs *o)
{
	if (atomic_load(&o->nodes.n) >= o->nodes.most &&
	    atomic_fetch_add(&o->nodes.turn, 1) % EVERY == 0)
		ask(o);
}

bool prune_more(struct ofs *o)
{
	const struct timespec pause = {.tv_nsec = 5000000};

	if (o->nodes.most == SIZE_MAX || o->opts->single)
		return false;
	ask(o);
	nanosleep(&pause, NULL);
	return true;
}
