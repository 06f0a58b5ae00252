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

static bool is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return !strncmp(path, top, len) && (!path[len] || path[len] == '/');
}

/* The session is locked. */
static bool is_moving(const struct ln_session *s, const char *path)
{
	const struct ln_moving *move = s->moving;

	while (move && !is_below(path, move->path))
		move = move->next;
	return move;
}

/* ln_file_new - takes @path over; NULL: no memory.  Names are held still. */
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
	while (is_moving(s, path))
		pthread_cond_wait(&s->moved, &s->lock);
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

/**
 * ln_hold - where @name in @file is, or with NULL where @file is itself
 *
 * Until ln_let_go() no directory on the way is renamed by another thread: a request
 * says where a file is by its path, and the server walks it at a time of its own.
 * Nobody holds two at a time, but by ln_hold_two(): a rename that waits comes first.
 *
 * Return: the path, which is the caller's; NULL: no memory, and nothing is held.
 */
char *ln_hold(const struct file *file, const char *name)
{
	struct ln_session *s = ln_of(file)->s;
	char *path;

	pthread_rwlock_rdlock(&s->names);
	path = ln_below(file, name);
	if (!path)
		pthread_rwlock_unlock(&s->names);
	return path;
}

/* ln_let_go - of what ln_hold() gave; NULL: nothing */
void ln_let_go(struct ln_session *s, char *path)
{
	if (path)
		pthread_rwlock_unlock(&s->names);
	free(path);
}

/* ln_below - as ln_hold(), by who holds names still already */
char *ln_below(const struct file *file, const char *name)
{
	struct ln_file *lf = ln_of(file);
	char *path;
	int len;

	pthread_mutex_lock(&lf->s->lock);
	len = asprintf(&path, "%s%s%s", lf->path, name && lf->path[1] ? "/" : "", name ? name : "");
	pthread_mutex_unlock(&lf->s->lock);
	return len < 0 ? NULL : path;
}

/* ln_renamed - what is open at @old and below it is at @now */
int ln_renamed(struct ln_session *s, const char *old, const char *now)
{
	size_t len = strlen(old);
	int err = 0;

	pthread_mutex_lock(&s->lock);
	for (struct ln_file *lf = s->files; lf && !err; lf = lf->next) {
		char *path;

		if (!is_below(lf->path, old))
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

/**
 * ln_move_begin - what is at move->path gets another name, while others use theirs
 *
 * Names are held still, as by all.  False: it is open, or something below it is; a request
 * under way may say where that is, and nobody else may have one then.
 */
bool ln_move_begin(struct ln_session *s, struct ln_moving *move)
{
	const struct ln_file *lf;

	pthread_mutex_lock(&s->lock);
	for (lf = s->files; lf && !is_below(lf->path, move->path);)
		lf = lf->next;
	if (!lf) {
		move->next = s->moving;
		s->moving = move;
	}
	pthread_mutex_unlock(&s->lock);
	return !lf;
}

void ln_move_end(struct ln_session *s, const struct ln_moving *move)
{
	struct ln_moving **at = &s->moving;

	pthread_mutex_lock(&s->lock);
	while (*at != move)
		at = &(*at)->next;
	*at = move->next;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}
