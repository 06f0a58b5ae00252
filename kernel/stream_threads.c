// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stream_threads.c - the engine that needs nothing: workers that read and
 * write one chunk at a time.  It is the only one that reaches every room, and
 * with a depth of 1 it copies in order on the caller's thread.
 */
#include <stdlib.h>

#include "stream.h"

static bool threads_fit(const struct stream *s)
{
	return true;
}

static void copy_chunk(struct stream *s, struct chunk *c, char *buf)
{
	struct chunk part = *c;
	size_t put = 0;
	int err = stream_read(s, c, buf, &part.len), werr = 0;

	if (part.len)
		werr = stream_write(s, &part, buf, &put);
	stream_done(s, c, put, werr ? werr : err);
}

/* A worker without memory leaves the chunks to the others; the first one has its buffer already. */
struct crew {
	struct stream *s;
	char *first;
	atomic_bool taken;
};

static void threads_worker(void *arg)
{
	struct crew *crew = arg;
	struct stream *s = crew->s;
	bool first = !atomic_exchange(&crew->taken, true);
	char *buf = first ? crew->first : aligned_alloc(s->align, s->buf);
	struct chunk c;

	while (buf && stream_next(s, &c))
		copy_chunk(s, &c, buf);
	if (!first)
		free(buf);
}

static int threads_run(struct stream *s)
{
	struct crew crew = {.s = s, .first = aligned_alloc(s->align, s->buf)};

	if (!crew.first)
		return -ENOMEM;
	workers_run(s->depth, threads_worker, &crew);
	free(crew.first);
	return 0;
}

const struct stream_engine stream_threads = {
	.name = "threads",
	.fits = threads_fit,
	.run = threads_run,
};
