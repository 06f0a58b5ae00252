// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * walk_diff.c - a stream of what differs: the operations of diff.c become steps.
 *
 * The tree is listed first, and looked at again when an entry's turn comes.  What
 * has gone or changed meanwhile is said, and marked in the manifest, so that
 * the next stream brings it.
 */
#include "walk_diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"

#define NAMES_MAX ((size_t)64 << 10)

static bool same_time(struct timespec x, struct timespec y)
{
	return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec;
}

static struct statx_timestamp stx_time(struct timespec t)
{
	return (struct statx_timestamp){.tv_sec = t.tv_sec, .tv_nsec = (uint32_t)t.tv_nsec};
}

/* As it was listed. */
static struct statx listed(const struct tree_entry *e)
{
	return (struct statx){
		.stx_mask = STATX_BASIC_STATS | (e->has_btime ? STATX_BTIME : 0),
		.stx_mode = (uint16_t)e->mode,
		.stx_uid = e->uid,
		.stx_gid = e->gid,
		.stx_nlink = e->nlink,
		.stx_ino = e->ino,
		.stx_size = e->size,
		.stx_rdev_major = (uint32_t)(e->rdev >> 32),
		.stx_rdev_minor = (uint32_t)e->rdev,
		.stx_atime = stx_time(e->mtime),
		.stx_mtime = stx_time(e->mtime),
		.stx_ctime = stx_time(e->ctime),
		.stx_btime = stx_time(e->btime),
	};
}

/* Places ------------------------------------------------------------------------ */

static bool is_above(const struct tree *t, uint32_t dir, uint32_t e)
{
	while (e > dir)
		e = t->v[e].parent;
	return e == dir;
}

static int push_level(struct changes *c, uint32_t dir)
{
	struct place *up = c->levels[c->nlevels - 1].place, *place = NULL;
	struct level *bigger;
	struct file *file;

	if (c->nlevels == c->room) {
		bigger = realloc(c->levels, 2 * c->room * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		c->levels = bigger;
		c->room *= 2;
	}
	if (up && !cr_openat(up->file, c->b->v[dir].name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, &file)) {
		place = place_new(up, file);
		if (!place)
			return -ENOMEM;
	}
	c->levels[c->nlevels++] = (struct level){dir, place};
	return 0;
}

/* @place gets directory @dir of the new tree, or NULL when it is gone. */
static int place_of(struct changes *c, uint32_t dir, struct place **place)
{
	uint32_t top, next;
	int err;

	while (!is_above(c->b, c->levels[c->nlevels - 1].entry, dir))
		place_put_dir(c->levels[--c->nlevels].place);
	while ((top = c->levels[c->nlevels - 1].entry) != dir) {
		for (next = dir; c->b->v[next].parent != top; next = c->b->v[next].parent)
			;
		err = push_level(c, next);
		if (err)
			return err;
	}
	*place = c->levels[c->nlevels - 1].place;
	return 0;
}

/* Steps --------------------------------------------------------------------------- */

static int plain_step(struct changes *c, unsigned what, const char *path, const char *path2)
{
	struct step *s = line_step(c->w, what, NULL, NULL, path);

	if (s && path2) {
		s->path2 = strdup(path2);
		if (!s->path2) {
			step_free(s);
			s = NULL;
		}
	}
	return line_push(c->w, s);
}

/* The step for entry @e, with what it is now; NULL in @sp: it is gone, and has been told. */
static int step_for(struct changes *c, unsigned what, uint32_t e, const char *path,
		    struct step **sp)
{
	struct tree_entry *entry = &c->b->v[e];
	struct place *place;
	struct statx stx = listed(entry);
	struct step *s;
	int err = place_of(c, e ? entry->parent : 0, &place);

	*sp = NULL;
	if (err)
		return err;
	err = !place ? -ENOENT : cr_getattr(place->file, e ? entry->name : NULL, &stx);
	if (!err && (stx.stx_mode & S_IFMT) != (entry->mode & S_IFMT))
		err = -ENOENT;
	if (err) {
		entry->dirty = true;
		if (err != -ENOENT || !S_ISDIR(entry->mode))
			return line_remark(c->w, err, err != -ENOENT, "looking at", path);
		place = NULL;
		what &= ~STEP_XATTR;
		stx = listed(entry);
	}
	s = *sp = line_step(c->w, what, place, e ? entry->name : NULL, path);
	if (!s)
		return -ENOMEM;
	s->stx = stx;
	return 0;
}

/*
 * Its change time is the same: nothing has happened to it, unless so soon after
 * the earlier tree was made that the clock had not moved on.
 */
static bool untouched(const struct changes *c, const struct tree_entry *was,
		      const struct tree_entry *is)
{
	bool racy = c->earlier && was->ctime.tv_sec >= c->latest.tv_sec - 1;

	if (was->dirty || was->changed || racy || !same_time(was->ctime, is->ctime) ||
	    !same_time(was->mtime, is->mtime) || was->size != is->size || was->mode != is->mode ||
	    was->uid != is->uid || was->gid != is->gid)
		return false;
	return !(c->w->checksum && S_ISREG(is->mode));
}

/* Operations --------------------------------------------------------------------- */

/* Files whose names come at several places, and those whose hashes go into the manifest. */
static void keep_subject(struct changes *c, uint32_t e, struct subject *subject)
{
	subject_put(c->subjects[e]);
	c->subjects[e] = subject_get(subject);
}

static int hash_of_same(struct subject *subject, const struct tree_entry *was)
{
	if (!was->hashed)
		return 0;
	subject->nhashes = was->nhashes;
	subject->hashes = calloc(was->nhashes + 1, 16);
	if (!subject->hashes)
		return -ENOMEM;
	if (was->nhashes)
		memcpy(subject->hashes, was->hashes, 16 * (size_t)was->nhashes);
	return 0;
}

static int create(struct changes *c, const struct diff_item *item, uint32_t a_dir)
{
	const struct tree_entry *is = &c->b->v[item->b];
	unsigned what = STEP_MAKE;
	struct step *s;
	int err;

	if (a_dir != TREE_NONE && !S_ISLNK(is->mode) && had_default_acl(c, a_dir))
		what |= STEP_PLAIN_ACL;
	err = step_for(c, what, item->b, item->path, &s);
	if (err)
		return err;
	if (!S_ISDIR(is->mode)) {
		struct subject *subject = subject_new(item->path, s ? s->stx.stx_size : 0);

		if (!subject) {
			step_free(s);
			return -ENOMEM;
		}
		if (!s)
			subject->failed_at = 0;
		keep_subject(c, item->b, subject);
		if (!s) {
			subject_put(subject);
			return 0;
		}
		s->subject = subject;
		if (S_ISREG(is->mode))
			return walk_file_steps(c->w, s, STEP_ATTRS);
		s->what |= STEP_ATTRS;
	}
	return line_push(c->w, s);
}

/* The contents may have changed unless size and time say no, where they are believed. */
static bool same_contents(const struct changes *c, const struct tree_entry *was,
			  const struct tree_entry *is)
{
	return c->w->trust_mtime && !c->w->checksum && !was->changed && was->size == is->size &&
	       same_time(was->mtime, is->mtime);
}

static int update(struct changes *c, const struct diff_item *item)
{
	const struct tree_entry *was = &c->a->v[item->a], *is = &c->b->v[item->b];
	struct subject *subject;
	struct step *s;
	int err;

	if (S_ISDIR(is->mode))
		return 0;
	subject = subject_new(item->path, is->size);
	if (!subject)
		return -ENOMEM;
	keep_subject(c, item->b, subject);
	err = untouched(c, was, is) ? hash_of_same(subject, was)
				    : step_for(c, STEP_ATTRS, item->b, item->path, &s);
	if (err || untouched(c, was, is) || !s) {
		subject->changed =
			!err && !untouched(c, was, is); /* it is gone: the old one stays */
		subject_put(subject);
		return err;
	}
	subject->size = s->stx.stx_size;
	s->subject = subject;
	err = add_earlier(c, s, item->a);
	if (err)
		return err;
	if (!S_ISREG(is->mode))
		return line_push(c->w, s);
	if (same_contents(c, was, is)) {
		err = hash_of_same(subject, was);
		if (!err)
			return line_push(c->w, s);
		step_free(s);
		return err;
	}
	s->what &= ~STEP_ATTRS;
	return walk_file_steps(c->w, s, STEP_ATTRS);
}

static int link_name(struct changes *c, const struct diff_item *item)
{
	struct step *s = line_step(c->w, STEP_LINK, NULL, NULL, item->path);

	if (!s)
		return -ENOMEM;
	s->target = subject_new(item->path2, 0);
	if (!s->target) {
		step_free(s);
		return -ENOMEM;
	}
	if (c->subjects[item->a] && c->subjects[item->a]->failed_at != UINT64_MAX)
		s->target->failed_at = 0;
	keep_subject(c, item->b, c->subjects[item->a] ? c->subjects[item->a] : s->target);
	return line_push(c->w, s);
}

/* What the manifest says of it: as it was listed, which is what the next list is compared with. */
static int record(struct changes *c, const struct diff_item *item)
{
	const struct tree_entry *was = item->a == TREE_NONE ? NULL : &c->a->v[item->a];
	const struct tree_entry *is = &c->b->v[item->b];
	struct place *place;
	struct step *s;
	int err = place_of(c, item->b ? is->parent : 0, &place);

	if (err)
		return err;
	s = line_step(c->w, STEP_RECORD, place, item->b ? is->name : NULL, item->path);
	if (!s)
		return -ENOMEM;
	s->number = item->b;
	s->parent = item->b ? is->parent : MANIFEST_NONE;
	s->dev = is->dev;
	s->stx = listed(is);
	if (c->subjects[item->b])
		s->subject = subject_get(c->subjects[item->b]);
	if (!place || (was && was->nmarks && untouched(c, was, is)))
		err = manifest_set_marks(s, place ? was : is);
	if (!err)
		return line_push(c->w, s);
	step_free(s);
	return err;
}

/* A name is done: nobody asks for its file any more, unless it has others. */
static int entry(struct changes *c, const struct diff_item *item)
{
	int err = c->w->manifest ? record(c, item) : 0;

	if (c->b->v[item->b].nlink < 2) {
		subject_put(c->subjects[item->b]);
		c->subjects[item->b] = NULL;
	}
	return err;
}

static int leave(struct changes *c, const struct diff_item *item)
{
	const struct tree_entry *was = item->a == TREE_NONE ? NULL : &c->a->v[item->a];
	unsigned what = STEP_ATTRS;
	struct step *s;
	int err;

	if (was && untouched(c, was, &c->b->v[item->b]))
		what = item->touched ? STEP_TIMES : 0;
	if (!what)
		return 0;
	err = step_for(c, what, item->b, item->path, &s);
	if (err || !s)
		return err;
	if (was && (what & STEP_XATTR))
		err = add_earlier(c, s, item->a);
	return err ? err : line_push(c->w, s);
}

/* The directory of the earlier tree that @dir of the new one was, as far as it was met. */
struct doing {
	struct changes c;
	uint32_t *was; /* by entry of b */
};

static int one_op(void *arg, const struct diff_item *item)
{
	struct doing *d = arg;
	struct changes *c = &d->c;

	if (c->w->stop)
		return -EINTR;
	switch (item->op) {
	case DIFF_UNLINK:
		return plain_step(c, STEP_UNLINK, item->path, NULL);
	case DIFF_RMDIR:
		return plain_step(c, STEP_RMDIR, item->path, NULL);
	case DIFF_RENAME:
		return plain_step(c, STEP_RENAME, item->path, item->path2);
	case DIFF_CREATE:
		return create(c, item, d->was[c->b->v[item->b].parent]);
	case DIFF_LINK:
		return link_name(c, item);
	case DIFF_UPDATE:
		d->was[item->b] = item->a;
		return update(c, item);
	case DIFF_ENTRY:
		return entry(c, item);
	default:
		return leave(c, item);
	}
}

static int begin(struct changes *c, struct place *root, const char *name)
{
	struct step *s = line_step(c->w, STEP_SUBVOL, root, NULL, name);
	struct statx stx;
	int err;

	c->room = 16;
	c->levels = malloc(c->room * sizeof(*c->levels));
	c->subjects = calloc((size_t)c->b->n + 1, sizeof(*c->subjects));
	c->names = malloc(NAMES_MAX);
	c->acl_dir = TREE_NONE;
	if (!c->levels || !c->subjects || !c->names || !s) {
		step_free(s);
		return -ENOMEM;
	}
	c->levels[c->nlevels++] = (struct level){0, place_get(root)};
	for (uint32_t i = 0; i < c->a->n; i++)
		if (c->a->v[i].ctime.tv_sec > c->latest.tv_sec)
			c->latest = c->a->v[i].ctime;
	err = cr_getattr(root->file, NULL, &stx);
	s->stx = stx;
	if (!err)
		return line_push(c->w, s);
	step_free(s);
	return err;
}

static void end(struct doing *d)
{
	struct changes *c = &d->c;

	while (c->nlevels)
		place_put_dir(c->levels[--c->nlevels].place);
	for (uint32_t i = 0; c->subjects && i < c->b->n; i++)
		subject_put(c->subjects[i]);
	free(c->levels);
	free(c->subjects);
	cr_close(c->old);
	free(c->names);
	free(d->was);
}

static int send_changes(struct doing *d, const char *name)
{
	struct walk *w = d->c.w;
	struct place *root = NULL;
	struct file *again;
	int err = cr_openat(w->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &again), last;

	if (err)
		return err;
	root = place_new(NULL, again);
	d->was = malloc(((size_t)d->c.b->n + 1) * sizeof(*d->was));
	err = root && d->was ? walk_header(w) : -ENOMEM;
	if (!err)
		err = line_start(w);
	if (!err) {
		memset(d->was, 0xff, ((size_t)d->c.b->n + 1) * sizeof(*d->was));
		err = begin(&d->c, root, name);
	}
	if (!err)
		err = diff_trees(d->c.a, d->c.b, one_op, d);
	if (!err && !w->no_end)
		err = line_push(w, line_step(w, STEP_END, NULL, NULL, ""));
	if (err && err != -ECANCELED)
		w->stop = true;
	last = line_end(w);
	end(d);
	place_put_dir(root);
	return last ? last : err;
}

int walk_changes(struct walk *w, const char *name, struct tree *was)
{
	struct tree old = {0}, new = {0};
	struct doing d = {.c = {.w = w, .a = was ? was : &old, .b = &new, .earlier = w->earlier}};
	int err = was ? 0 : walk_list(w, w->earlier, &old);

	if (!err)
		err = walk_list(w, w->root, &new);
	if (!err)
		err = send_changes(&d, name);
	tree_free(&old);
	tree_free(&new);
	return err;
}
