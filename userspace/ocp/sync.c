// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sync.c - --sync: how much of a copy is on the storage when it is said to be done.
 *
 * file: a file before it gets its name, a directory when all below it is done.
 * all: the file systems that were written to, once, at the end.
 */
#include <errno.h>
#include <stdlib.h>

#include "ocp.h"

struct sync_fs {
	struct sync_fs *next;
	uint64_t dev;
	struct file *dir;
};

/* sync_note - @dir will be written to; its file system is synced at the end */
void sync_note(struct ocp *ocp, struct file *dir)
{
	uint64_t dev = cr_file_id(dir)->dev;
	struct sync_fs *fs;

	if (ocp->o->sync != SYNC_ALL)
		return;
	pthread_mutex_lock(&ocp->tree);
	for (fs = ocp->sync_fs; fs && fs->dev != dev; fs = fs->next)
		;
	if (!fs && (fs = calloc(1, sizeof(*fs)))) {
		fs->dev = dev;
		fs->next = ocp->sync_fs;
		ocp->sync_fs = fs;
		/* Opened now: it tells of writes that fail from here on. */
		if (cr_openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &fs->dir))
			fs->dir = NULL;
	} else if (!fs) {
		ocp->sync_lost = true;
	}
	pthread_mutex_unlock(&ocp->tree);
}

/* sync_all - at the end, whatever came of the copy */
void sync_all(struct ocp *ocp)
{
	const char *name = ocp->o->target ? ocp->o->target : ocp->o->dest;
	int err = ocp->sync_lost ? -ENOMEM : 0, e;
	struct sync_fs *fs;

	while ((fs = ocp->sync_fs)) {
		ocp->sync_fs = fs->next;
		e = fs->dir ? cr_sync_fs(fs->dir) : -EACCES;
		err = err ? err : e;
		cr_close(fs->dir);
		free(fs);
	}
	if (err)
		report_error(ocp->report, err, MSG_SYNC, name, NULL);
}

/* sync_file - with --sync=file, before @it gets its name; 0 or an error after its message */
int sync_file(struct worker *w, const struct item *it, struct file *out)
{
	bool wanted = w->ocp->o->sync == SYNC_FILE;
	int err;

	/* Through a link it may be on a file system that no directory here is on. */
	wanted |= w->ocp->o->sync == SYNC_ALL && it->through;
	err = wanted ? cr_sync(out, false) : 0;
	if (err)
		item_error(w, it, err, MSG_SYNC);
	return err;
}

/* sync_dir - with --sync=file, when all in @d is done */
void sync_dir(struct worker *w, const struct dir *d)
{
	struct file *dir = NULL;
	char *path;
	int err;

	if (w->ocp->o->sync != SYNC_FILE || w->ocp->o->dry_run || !d->dst)
		return;
	err = cr_sync(d->dst, false);
	if (err == -EBADF) { /* one that may be entered only */
		err = cr_openat(d->dst, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &dir);
		if (!err)
			err = cr_sync(dir, false);
		cr_close(dir);
	}
	if (!err)
		return;
	path = path_dst(d->node, "");
	report_error(w->ocp->report, err, MSG_SYNC, path, NULL);
	free(path);
}
