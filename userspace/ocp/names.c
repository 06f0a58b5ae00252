// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * names.c - a directory read one buffer at a time, its names put into bundles:
 * one per subdirectory, one per BATCH other names.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "ocp.h"

#define BATCH	   64
#define BATCH_SIZE 4096
#define READ_SIZE  ((size_t)32 << 10)
#define HARVEST	   1000 /* names at a time, about what fits in READ_SIZE */

/* names_new - room for @size bytes of names of @d; NULL after a message */
struct names *names_new(struct worker *w, struct dir *d, size_t size)
{
	struct names *names = malloc(sizeof(*names) + size);

	if (!names) {
		report_error(w->ocp->report, ENOMEM, MSG_NO_MEMORY, NULL, NULL);
		return NULL;
	}
	*names = (struct names){.dir = d};
	return names;
}

/* names_add - the caller has made room */
void names_add(struct names *names, const char *name, unsigned char type)
{
	size_t len = strlen(name) + 1;

	names->data[names->len] = (char)type;
	memcpy(names->data + names->len + 1, name, len);
	names->len += len + 1;
	names->n++;
}

static int harvest_dir(struct worker *w, struct dir *d, const char *name, struct harvest *h)
{
	struct names *names = names_new(w, d, strlen(name) + 2);

	if (!names)
		return -ENOMEM;
	names_add(names, name, DT_DIR);
	names->task.next = h->dirs;
	h->dirs = &names->task;
	return 0;
}

static int harvest_file(struct worker *w, struct dir *d, const struct dirent_view *e,
			struct harvest *h)
{
	struct names *names = h->files;

	if (!names || names->n == BATCH || names->len + strlen(e->name) + 2 > BATCH_SIZE) {
		names = names_new(w, d, BATCH_SIZE);
		if (!names)
			return -ENOMEM;
		names->task.next = h->files ? &h->files->task : NULL;
		h->files = names;
	}
	names_add(names, e->name, e->type);
	return 0;
}

/* Whether a name is, or leads to, a directory that is going to be entered. */
static bool is_dir(struct worker *w, struct dir *d, const struct dirent_view *e)
{
	bool follow = w->ocp->o->deref == DEREF_ALWAYS;
	struct statx stx;
	struct file *file;
	bool dir;

	if (e->type != DT_UNKNOWN && !(e->type == DT_LNK && follow))
		return e->type == DT_DIR;
	if (!follow)
		return !cr_getattr(d->src, e->name, &stx) && S_ISDIR(stx.stx_mode);
	if (cr_openat(d->src, e->name, O_PATH | O_CLOEXEC, 0, &file))
		return false;
	dir = S_ISDIR(cr_file_id(file)->type);
	cr_close(file);
	return dir;
}

/* --exclude and --include; @path: of @d below its operand, NULL without any. */
static bool is_wanted(struct worker *w, struct dir *d, const char *path,
		      const struct dirent_view *e)
{
	const struct filter *f = w->ocp->o->filter;

	return !path || filter_wants(f, path, e->name, filter_asks_kind(f) && is_dir(w, d, e));
}

/* Read a buffer; a name longer than the batch cannot come: NAME_MAX is 255. */
static int dir_read(struct worker *w, struct dir *d, struct harvest *h)
{
	struct dirent_view e;
	ssize_t n = cr_readdir(d->src, &d->buf);
	char *path = NULL;
	int err = 0;

	if (n <= 0)
		return (int)n;
	if (w->ocp->o->filter) {
		path = path_below(d->node);
		if (!path)
			return -ENOMEM;
	}
	while (!err && dirbuf_next(&d->buf, &e)) {
		if (!is_wanted(w, d, path, &e))
			continue;
		err = e.type == DT_DIR && w->ocp->o->recursive ? harvest_dir(w, d, e.name, h)
							       : harvest_file(w, d, &e, h);
		h->n++;
	}
	free(path);
	return err ? err : 1;
}

/*
 * harvest_read - the next names of @d
 *
 * One buffer, and a second look when it was not full, which as a rule only
 * shows the end.  Sets d->listed at the end, or after an error.
 */
void harvest_read(struct worker *w, struct dir *d, struct harvest *h)
{
	int err = 0;

	if (!d->buf.data) {
		d->buf.size = READ_SIZE;
		d->buf.data = malloc(READ_SIZE);
		if (!d->buf.data)
			err = -ENOMEM;
	}
	do {
		err = err < 0 ? err : dir_read(w, d, h);
	} while (err > 0 && d->buf.len < READ_SIZE / 2 && h->n < HARVEST);
	if (err > 0)
		return;
	if (err < 0) {
		char *path = path_src(d->node, "");

		report_error(w->ocp->report, err, MSG_ACCESS, path, NULL);
		free(path);
	}
	d->listed = true;
	free(d->buf.data);
	d->buf.data = NULL;
}

/* harvest_drop - nobody will take these; returns how many bundles were guarded */
unsigned harvest_drop(struct harvest *h)
{
	struct task *lists[] = {h->dirs, h->files ? &h->files->task : NULL};
	unsigned guarded = 0;

	for (unsigned i = 0; i < 2; i++)
		for (struct task *task; (task = lists[i]);) {
			lists[i] = task->next;
			guarded += ((struct names *)task)->guard != NULL;
			free(task);
		}
	*h = (struct harvest){0};
	return guarded;
}
