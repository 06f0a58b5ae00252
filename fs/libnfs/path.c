// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * path.c - libnfs knows files by their paths: those that are open follow when they, or
 * a directory above them, are renamed here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/libnfs/ln.h"

/* ln_file_new - takes @path over; NULL: no memory */
struct ln_file *ln_file_new(struct ln_session *s, char *path)
{
	struct ln_file *lf = path ? calloc(1, sizeof(*lf)) : NULL;

	if (!lf) {
		free(path);
		return NULL;
	}
	lf->s = s;
	lf->path = path;
	pthread_mutex_init(&lf->lock, NULL);
	pthread_mutex_lock(&s->lock);
	lf->next = s->files;
	if (s->files)
		s->files->prev = lf;
	s->files = lf;
	pthread_mutex_unlock(&s->lock);
	return lf;
}

void ln_file_free(struct ln_file *lf)
{
	struct ln_session *s = lf->s;

	pthread_mutex_lock(&s->lock);
	if (lf->prev)
		lf->prev->next = lf->next;
	else
		s->files = lf->next;
	if (lf->next)
		lf->next->prev = lf->prev;
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_destroy(&lf->lock);
	free(lf->entry);
	free(lf->names);
	free(lf->path);
	free(lf);
}

/* ln_path - where @file is now, to be freed; NULL: no memory */
char *ln_path(const struct file *file)
{
	struct ln_file *lf = ln_of(file);
	char *path;

	pthread_mutex_lock(&lf->s->lock);
	path = strdup(lf->path);
	pthread_mutex_unlock(&lf->s->lock);
	return path;
}

/* ln_below - the path of @name in @dir, as ln_path() */
char *ln_below(const struct file *dir, const char *name)
{
	struct ln_file *lf = ln_of(dir);
	char *below;
	int len;

	pthread_mutex_lock(&lf->s->lock);
	len = asprintf(&below, "%s%s%s", lf->path, lf->path[1] ? "/" : "", name);
	pthread_mutex_unlock(&lf->s->lock);
	return len < 0 ? NULL : below;
}

/* ln_renamed - what is open at @old and below it is at @now */
int ln_renamed(struct ln_session *s, const char *old, const char *now)
{
	size_t len = strlen(old);
	int err = 0;

	pthread_mutex_lock(&s->lock);
	for (struct ln_file *lf = s->files; lf && !err; lf = lf->next) {
		char *path;

		if (strncmp(lf->path, old, len) != 0 || (lf->path[len] && lf->path[len] != '/'))
			continue;
		if (asprintf(&path, "%s%s", now, lf->path + len) < 0) {
			err = -ENOMEM;
		} else {
			free(lf->path);
			lf->path = path;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return err;
}
