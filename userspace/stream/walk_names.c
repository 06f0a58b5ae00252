// SPDX-License-Identifier: GPL-2.0-or-later
#include "walk_names.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

struct inode {
	uint64_t dev, ino;
	uint32_t left; /* names that may still come */
	struct subject *subject;
};

struct names_seen {
	void *root;
};

static int compare(const void *a, const void *b)
{
	const struct inode *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->dev < y->dev ? -1 : x->dev > y->dev;
}

static void inode_free(void *p)
{
	struct inode *i = p;

	subject_put(i->subject);
	free(i);
}

struct names_seen *names_new(void)
{
	return calloc(1, sizeof(struct names_seen));
}

void names_free(struct names_seen *seen)
{
	if (!seen)
		return;
	tdestroy(seen->root, inode_free);
	free(seen);
}

static struct inode key_of(const struct statx *stx)
{
	return (struct inode){.dev = makedev(stx->stx_dev_major, stx->stx_dev_minor),
			      .ino = stx->stx_ino};
}

struct subject *names_find(struct names_seen *seen, const struct statx *stx)
{
	struct inode key = key_of(stx), **node = tfind(&key, &seen->root, compare), *i;
	struct subject *subject;

	if (!node)
		return NULL;
	i = *node;
	subject = subject_get(i->subject);
	if (--i->left == 0) {
		tdelete(&key, &seen->root, compare);
		inode_free(i);
	}
	return subject;
}

int names_add(struct names_seen *seen, const struct statx *stx, struct subject *subject)
{
	struct inode *i = calloc(1, sizeof(*i)), **node;

	if (!i)
		return -ENOMEM;
	*i = key_of(stx);
	i->left = stx->stx_nlink - 1;
	i->subject = subject_get(subject);
	node = tsearch(i, &seen->root, compare);
	if (node && *node == i)
		return 0;
	inode_free(i);
	return node ? 0 : -ENOMEM;
}
