// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * walk_tree.c - a full stream: each directory is gone through once, in the order
 * in which it lists its names, and what it holds goes before its attributes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "manifest.h"
#include "walk.h"
#include "walk_names.h"

#define DIRBUF	    (32u << 10)
#define DIRBUF_DEEP (4u << 10) /* below this many levels */
#define DEEP	    64u
#define LEVELS_MAX  2048u /* no path of a stream has more */

struct full {
	struct walk *w;
	struct names_seen *seen;
	char path[STREAM_PATH_MAX + STREAM_NAME_MAX + 2];
	uint32_t number;
	uint64_t dev;
};

static uint64_t dev_of(const struct statx *stx)
{
	return makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

/* A directory that is gone through. */
struct at {
	struct place *place;
	size_t len; /* of its path, at the beginning of f->path */
	unsigned level;
	uint32_t number; /* in the manifest */
};

static int walk_dir(struct full *f, const struct at *at);

/* A step about @name in @d, with what the manifest needs. */
static struct step *step_at(struct full *f, unsigned what, struct place *d, const char *name,
			    const struct statx *stx)
{
	struct step *s = line_step(f->w, what, d, name, f->path);

	if (!s)
		return NULL;
	s->stx = *stx;
	s->dev = dev_of(stx) == f->dev ? 0 : dev_of(stx);
	return s;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Takes @s.  All ranges but the last are steps of their own. */
int walk_file_steps(struct walk *w, struct step *s, unsigned attrs)
{
	uint64_t size = s->stx.stx_size, pos = 0;
	unsigned first = STEP_DATA_FIRST;
	struct step *next;
	int err;

	s->subject->nhashes = (size + RANGE_SIZE - 1) / RANGE_SIZE;
	if ((w->checksum || (s->earlier && s->earlier->compare && !s->earlier->path)) && size) {
		s->subject->hashes = calloc(s->subject->nhashes, sizeof(*s->subject->hashes));
		if (!s->subject->hashes) {
			step_free(s);
			return -ENOMEM;
		}
	}
	for (;;) {
		s->what |= STEP_DATA | first;
		s->from = pos;
		s->to = least(pos + RANGE_SIZE, size);
		if (s->to == size)
			break;
		next = line_step(w, s->what & STEP_RECORD, s->dir, s->name, s->path);
		if (!next) {
			step_free(s);
			return -ENOMEM;
		}
		s->what &= ~STEP_RECORD;
		next->stx = s->stx;
		next->dev = s->dev;
		next->number = s->number;
		next->parent = s->parent;
		next->subject = subject_get(s->subject);
		next->earlier = earlier_get(s->earlier);
		err = line_push(w, s);
		s = next;
		if (err) {
			step_free(s);
			return err;
		}
		first = 0;
		pos += RANGE_SIZE;
	}
	s->what |= STEP_DATA_LAST | attrs;
	return line_push(w, s);
}

/* One more name of an inode of several: 1 when it became a link. */
static int link_step(struct full *f, const struct at *at, const char *name, const struct statx *stx,
		     struct subject **subject)
{
	struct subject *target = names_find(f->seen, stx);
	struct step *s;

	if (target) {
		s = step_at(f, STEP_LINK | STEP_RECORD, at->place, name, stx);
		if (!s) {
			subject_put(target);
			return -ENOMEM;
		}
		s->target = target;
		s->number = f->number++;
		s->parent = at->number;
		return line_push(f->w, s) ? -EINTR : 1;
	}
	*subject = subject_new(f->path, stx->stx_size);
	return *subject ? names_add(f->seen, stx, *subject) : -ENOMEM;
}

static int other_entry(struct full *f, const struct at *at, const char *name,
		       const struct statx *stx)
{
	struct subject *subject = NULL;
	struct step *s;
	int err = 0;

	if (stx->stx_nlink > 1)
		err = link_step(f, at, name, stx, &subject);
	else
		subject = subject_new(f->path, stx->stx_size);
	if (err || !subject) {
		subject_put(subject);
		return err < 0 ? err : err > 0 ? 0 : -ENOMEM;
	}
	s = step_at(f, STEP_MAKE | STEP_RECORD, at->place, name, stx);
	if (!s) {
		subject_put(subject);
		return -ENOMEM;
	}
	s->subject = subject;
	s->number = f->number++;
	s->parent = at->number;
	if (S_ISREG(stx->stx_mode)) {
		atomic_fetch_add(&f->w->files, 1);
		return walk_file_steps(f->w, s, STEP_ATTRS);
	}
	s->what |= STEP_ATTRS;
	return line_push(f->w, s);
}

/* Another file system begins here: it stays an empty directory, unless it is asked for. */
static bool is_outside(const struct full *f, const struct statx *stx)
{
	return !f->w->cross && dev_of(stx) != f->dev;
}

/* What is in the directory just found, whose path is f->path. */
static int dir_below(struct full *f, const struct at *at, const char *name, const struct at *below)
{
	struct at child = *below;
	struct file *file;
	int err = cr_openat(at->place->file, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
			    0, &file);

	if (err) {
		atomic_fetch_add(&f->w->failed, 1);
		return line_remark(f->w, err, !f->w->keep_going && err != -ENOENT,
				   "opening the directory", f->path);
	}
	child.place = place_new(at->place, file);
	err = child.place ? walk_dir(f, &child) : -ENOMEM;
	f->path[child.len] = '\0';
	place_put_dir(child.place);
	return err;
}

static int dir_entry(struct full *f, const struct at *at, const char *name, const struct statx *stx,
		     size_t len)
{
	struct step *s = step_at(f, STEP_MAKE | STEP_RECORD, at->place, name, stx);
	struct at child = {.len = len, .level = at->level + 1, .number = f->number++};
	int err;

	if (!s)
		return -ENOMEM;
	s->number = child.number;
	s->parent = at->number;
	err = line_push(f->w, s);
	if (!err && !is_outside(f, stx))
		err = dir_below(f, at, name, &child);
	if (err)
		return err;
	s = step_at(f, STEP_ATTRS, at->place, name, stx);
	return s ? line_push(f->w, s) : -ENOMEM;
}

static bool is_output(const struct walk *w, const struct statx *stx)
{
	return w->skip_ino && stx->stx_ino == w->skip_ino && dev_of(stx) == w->skip_dev;
}

static int one_entry(struct full *f, const struct at *at, const char *name)
{
	size_t n = strlen(name), len = at->len;
	struct statx stx;
	int err = cr_getattr(at->place->file, name, &stx);

	if (err == -ENOENT) /* gone since it was listed */
		return 0;
	if (len)
		f->path[len++] = '/';
	memcpy(f->path + len, name, n + 1);
	len += n;
	if (!err && is_output(f->w, &stx))
		return 0;
	if (!err && (len > STREAM_PATH_MAX || at->level >= LEVELS_MAX))
		err = -ENAMETOOLONG;
	if (err) {
		atomic_fetch_add(&f->w->failed, 1);
		return line_remark(f->w, err, !f->w->keep_going,
				   err == -ENAMETOOLONG ? "no stream holds such a path, of"
							: "looking at",
				   f->path);
	}
	if (S_ISDIR(stx.stx_mode))
		return dir_entry(f, at, name, &stx, len);
	return other_entry(f, at, name, &stx);
}

static int walk_dir(struct full *f, const struct at *at)
{
	struct dirbuf buf = {.size = at->level < DEEP ? DIRBUF : DIRBUF_DEEP};
	struct dirent_view view;
	ssize_t n = 1;
	int err = 0;

	buf.data = malloc(buf.size);
	if (!buf.data)
		return -ENOMEM;
	while (!err && (n = cr_readdir(at->place->file, &buf)) > 0)
		while (!err && dirbuf_next(&buf, &view)) {
			err = one_entry(f, at, view.name);
			f->path[at->len] = '\0';
		}
	free(buf.data);
	if (!err && n < 0) {
		atomic_fetch_add(&f->w->failed, 1);
		err = line_remark(f->w, (int)n, !f->w->keep_going, "reading the directory",
				  f->path);
	}
	return err;
}

static int walk_all(struct full *f, struct place *root, const char *name)
{
	struct statx stx;
	struct step *s;
	int err = cr_getattr(f->w->root, NULL, &stx);

	if (err)
		return err;
	f->dev = dev_of(&stx);
	s = line_step(f->w, STEP_SUBVOL | STEP_RECORD, root, NULL, name);
	if (!s)
		return -ENOMEM;
	s->stx = stx;
	s->number = f->number++;
	s->parent = MANIFEST_NONE;
	err = line_push(f->w, s);
	if (!err)
		err = walk_dir(f, &(struct at){.place = root, .level = 1});
	if (err)
		return err;
	s = line_step(f->w, STEP_ATTRS | (f->w->no_end ? 0 : STEP_END), root, NULL, "");
	if (!s)
		return -ENOMEM;
	s->stx = stx;
	return line_push(f->w, s);
}

int walk_header(struct walk *w)
{
	if (w->go_on)
		return 0;
	atomic_fetch_add(&w->bytes, STREAM_HEADER_LEN);
	return stream_write_header(w->write, w->write_arg, w->version);
}

int walk_full(struct walk *w, const char *name)
{
	struct full *f = calloc(1, sizeof(*f));
	struct place *root = NULL;
	struct file *again;
	int err = f ? 0 : -ENOMEM, end;

	if (!err)
		err = cr_openat(w->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &again);
	if (!err) {
		f->w = w;
		f->seen = names_new();
		root = place_new(NULL, again);
		err = f->seen && root ? line_start(w) : -ENOMEM;
	}
	if (!err)
		err = walk_header(w);
	if (!err)
		err = walk_all(f, root, name);
	if (err && err != -ECANCELED)
		w->stop = true;
	end = line_end(w);
	place_put_dir(root);
	if (f)
		names_free(f->seen);
	free(f);
	return end ? end : err;
}
