// SPDX-License-Identifier: GPL-2.0-or-later
/* Directories in use, and the files of the stream that others refer to. */
#include <stdlib.h>
#include <string.h>

#include "walk.h"

struct place *place_new(struct place *up, struct file *file)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!p) {
		cr_close(file);
		return NULL;
	}
	p->file = file;
	p->up = up ? place_get(up) : NULL;
	atomic_init(&p->refs, 1);
	return p;
}

struct place *place_get(struct place *p)
{
	atomic_fetch_add(&p->refs, 1);
	return p;
}

/* Level by level: a deep tree must not need a deep stack. */
void place_put_dir(struct place *p)
{
	while (p && atomic_fetch_sub(&p->refs, 1) == 1) {
		struct place *up = p->up;

		cr_close(p->file);
		free(p);
		p = up;
	}
}

struct subject *subject_new(const char *path, uint64_t size)
{
	size_t len = strlen(path) + 1;
	struct subject *s = calloc(1, sizeof(*s) + len);

	if (!s)
		return NULL;
	atomic_init(&s->refs, 1);
	atomic_init(&s->failed_at, UINT64_MAX);
	s->size = size;
	memcpy(s->path, path, len);
	return s;
}

struct subject *subject_get(struct subject *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void subject_put(struct subject *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	free(s->hashes);
	free(s);
}

struct earlier *earlier_get(struct earlier *e)
{
	if (e)
		atomic_fetch_add(&e->refs, 1);
	return e;
}

void earlier_put(struct earlier *e)
{
	if (!e || atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	for (size_t i = 0; i < e->nxattrs; i++)
		free(e->xattrs[i]);
	free(e->xattrs);
	free(e->hashes);
	free(e->path);
	free(e);
}
