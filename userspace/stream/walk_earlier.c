// SPDX-License-Identifier: GPL-2.0-or-later
/* walk_earlier.c - what the receiver has of a file, by the earlier tree or its manifest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "walk_diff.h"

#define ACL_DEFAULT "system.posix_acl_default"
#define NAMES_MAX   ((size_t)64 << 10)

/* The directory of an entry of the earlier tree on disk, kept open for the next one. */
static int old_place(struct changes *c, uint32_t a, struct file **dir, const char **name)
{
	uint32_t up = a ? c->a->v[a].parent : 0;
	char *path;
	int err;

	*name = a ? c->a->v[a].name : NULL;
	*dir = c->old;
	if (c->old && c->old_dir == up)
		return 0;
	path = tree_path(c->a, up);
	if (!path)
		return -ENOMEM;
	cr_close(c->old);
	err = cr_openat(c->earlier, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0,
			&c->old);
	c->old_dir = up;
	*dir = c->old;
	free(path);
	return err;
}

static ssize_t list_old(struct changes *c, uint32_t a)
{
	struct file *dir;
	const char *name;
	ssize_t len;
	int err;

	if (!c->earlier)
		return 0;
	err = old_place(c, a, &dir, &name);
	if (err)
		return err;
	len = cr_listxattr(dir, name, c->names, NAMES_MAX);
	return len == -EOPNOTSUPP ? 0 : len;
}

/* Names of the xattrs that the receiver has. */
static int list_xattrs(struct changes *c, struct earlier *e, uint32_t a)
{
	const struct tree_entry *was = &c->a->v[a];
	ssize_t len = list_old(c, a);
	size_t n = was->nmarks;

	if (len < 0)
		return (int)len;
	for (const char *at = c->names; at < c->names + len; at += strlen(at) + 1)
		n += xattr_is_sent(at);
	e->xattrs = calloc(n + 1, sizeof(*e->xattrs));
	if (!e->xattrs)
		return -ENOMEM;
	for (uint32_t i = 0; i < was->nmarks; i++)
		e->xattrs[e->nxattrs++] = strdup(was->marks[i].name);
	for (const char *at = c->names; at < c->names + len; at += strlen(at) + 1)
		if (xattr_is_sent(at))
			e->xattrs[e->nxattrs++] = strdup(at);
	for (size_t i = 0; i < e->nxattrs; i++)
		if (!e->xattrs[i])
			return -ENOMEM;
	return 0;
}

static int fill_earlier(struct changes *c, struct earlier *e, uint32_t a)
{
	const struct tree_entry *was = &c->a->v[a];
	int err = list_xattrs(c, e, a);

	e->size = was->size;
	if (err)
		return err;
	if (c->earlier) {
		e->path = tree_path(c->a, a);
		e->compare = S_ISREG(was->mode);
		return e->path ? 0 : -ENOMEM;
	}
	if (!was->hashed || !was->nhashes || was->changed)
		return 0;
	e->compare = true;
	e->nhashes = was->nhashes;
	e->hashes = malloc(16 * (size_t)e->nhashes);
	if (!e->hashes)
		return -ENOMEM;
	memcpy(e->hashes, was->hashes, 16 * (size_t)e->nhashes);
	return 0;
}

/* What the receiver has of it, into @s; that is freed after an error, which is told. */
int add_earlier(struct changes *c, struct step *s, uint32_t a)
{
	int err = -ENOMEM;

	s->earlier = calloc(1, sizeof(*s->earlier));
	if (s->earlier) {
		atomic_init(&s->earlier->refs, 1);
		err = fill_earlier(c, s->earlier, a);
	}
	if (err) {
		err = line_remark(c->w, err, true, "looking at the earlier file of", s->path);
		step_free(s);
	}
	return err;
}

bool had_default_acl(struct changes *c, uint32_t a)
{
	const struct tree_entry *dir = &c->a->v[a];
	struct file *at;
	const char *name;

	if (a == c->acl_dir)
		return c->acl_has;
	c->acl_dir = a;
	c->acl_has = false;
	for (uint32_t i = 0; i < dir->nmarks; i++)
		c->acl_has |= !strcmp(dir->marks[i].name, ACL_DEFAULT);
	if (c->earlier && !old_place(c, a, &at, &name))
		c->acl_has = cr_getxattr(at, name, ACL_DEFAULT, NULL, 0) > 0;
	return c->acl_has;
}
