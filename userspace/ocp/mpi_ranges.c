// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mpi_ranges.c - a large file, copied by all ranks at once.
 *
 * In each round every rank copies one range, the next one behind that of the rank before
 * it, and syncs it; then the owner notes in the journal that the file is whole up to the
 * end of the round.  The partial file has its full size from the start, which nobody
 * believes without the journal.
 */
#include "mpi_group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define RANGE ((uint64_t)32 << 20)

/* One file in hand. */
struct shared {
	struct worker w;
	struct item it;
	struct file *out;
	char temp[TEMP_MAX];
	bool owner;
};

/* What the owner tells before the first round. */
struct start {
	int64_t err;
	uint64_t done, size;
};

static char *dir_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("");
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int open_dir(struct group *g, const char *path, struct file **filep)
{
	return cr_open(g->ocp->ns, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0,
		       filep);
}

/* The directories of both sides, and the source. */
static int open_source(struct group *g, struct shared *s, const struct shared_file *f)
{
	char *src = dir_part(f->src), *dst = dir_part(f->dst);
	struct dir *d = src && dst ? dir_new(NULL, src, dst) : NULL;
	int err = d ? open_dir(g, src, &d->src) : -ENOMEM;

	if (!err)
		err = open_dir(g, dst, &d->node->dst);
	free(src);
	free(dst);
	if (err) {
		if (d)
			dir_free(d);
		return err;
	}
	d->dst = d->node->dst;
	s->it = (struct item){.dir = d, .name = last_part(f->src), .dname = last_part(f->dst)};
	err = cr_openat(d->src, s->it.name, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0, &s->it.in);
	return err ? err : cr_getattr(s->it.in, NULL, &s->it.src);
}

/* The owner opens it first, and makes it what it will be; the others then find it. */
static int open_target(struct group *g, struct shared *s, int err, struct start *start, int owner)
{
	if (s->owner && !err)
		err = partial_open(&s->w, &s->it, 0600, s->temp, &s->out);
	if (s->owner && !err)
		err = cr_truncate(s->out, (off_t)s->it.src.stx_size);
	if (s->owner)
		*start = (struct start){err, err ? 0 : partial_done(&s->it), s->it.src.stx_size};
	group_tell(g, start, sizeof(*start), owner);
	if (s->owner || err || start->err)
		return err ? err : (int)start->err;
	partial_name(s->it.dname, s->temp);
	return cr_openat(s->it.dir->dst, s->temp, O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0, &s->out);
}

/* Ours of this round; a source that has become shorter is an error. */
static int copy_range_at(struct group *g, struct shared *s, uint64_t pos, uint64_t size)
{
	uint64_t end = pos + RANGE < size ? pos + RANGE : size;
	int err = 0;

	while (!err && pos < end) {
		struct copy_req req = {.in = s->it.in,
				       .out = s->out,
				       .pos_in = (int64_t)pos,
				       .pos_out = (int64_t)pos,
				       .len = end - pos,
				       .flags = g->o->copy_flags,
				       .stop = g->ocp->stop};
		struct copy_result res = {0};

		err = g->o->bwlimit ? throttle_copy(g->ocp, size, &req, &res)
				    : cr_copy_range(&req, &res);
		report_part(g->ocp->report, &res);
		pos += res.bytes;
		if (!err && res.stopped)
			err = -EINTR;
		if (!err && !res.bytes)
			err = -ESTALE;
	}
	return err ? err : cr_sync(s->out, true);
}

static int rounds(struct group *g, struct shared *s, const struct start *start, int *mine,
		  int owner)
{
	uint64_t round = RANGE * (uint64_t)g->size;
	int worst = 0;

	for (uint64_t pos = start->done; pos < start->size && !worst; pos += round) {
		uint64_t at = pos + RANGE * (uint64_t)g->rank, end = pos + round;

		*mine = at < start->size ? copy_range_at(g, s, at, start->size) : 0;
		worst = group_worst(g, *mine);
		if (!worst && s->owner)
			*mine = partial_note(&s->it, s->out, end < start->size ? end : start->size);
		worst = group_worst(g, *mine);
	}
	group_tell(g, &worst, sizeof(worst), owner);
	return worst;
}

int ranges_copy(struct group *g, const struct shared_file *f)
{
	struct shared s = {.w = {.ocp = g->ocp}, .owner = f->owner == g->rank};
	struct start start = {0};
	int mine = open_source(g, &s, f), worst;

	mine = open_target(g, &s, mine, &start, f->owner);
	worst = group_worst(g, mine);
	if (!worst)
		worst = rounds(g, &s, &start, &mine, f->owner);
	group_check(g);
	if (mine == -ESTALE)
		report_error(g->ocp->report, 0, MSG_CHANGED, f->src, f->dst);
	else if (mine && mine != -EBUSY)
		report_error(g->ocp->report, mine, MSG_COPY, f->src, f->dst);
	partial_end(&s.it, s.temp, -EINTR);
	cr_close(s.out);
	cr_close(s.it.in);
	if (s.it.dir)
		dir_free(s.it.dir);
	return worst;
}
