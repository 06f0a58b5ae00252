// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * operand.c - what the operands of this run have made, so that one does not
 * overwrite what another has just written, and none is copied into itself.
 */
#include <stdlib.h>
#include <string.h>

#include "ocp.h"

/* Something remembered by a name, an inode, or both. */
struct memo {
	struct memo *next;
	uint64_t dev, ino;
	char name[];
};

#define TABLE 1024

struct memos {
	struct memo *table[TABLE];
};

struct operands {
	pthread_mutex_t lock;
	struct memos sources; /* files given so far, by their directory's inode */
	struct memos targets; /* and where they go */
	struct memos made;    /* what stands there now */
	struct memos dirs;    /* source directories, name: their destination */
	struct memos tops;    /* directories made for them */
};

struct operands *operands_new(void)
{
	struct operands *ops = calloc(1, sizeof(*ops));

	if (ops)
		pthread_mutex_init(&ops->lock, NULL);
	return ops;
}

static void memos_free(struct memos *m)
{
	for (unsigned i = 0; i < TABLE; i++)
		for (struct memo *memo; (memo = m->table[i]);) {
			m->table[i] = memo->next;
			free(memo);
		}
}

void operands_free(struct operands *ops)
{
	if (!ops)
		return;
	memos_free(&ops->sources);
	memos_free(&ops->targets);
	memos_free(&ops->made);
	memos_free(&ops->dirs);
	memos_free(&ops->tops);
	pthread_mutex_destroy(&ops->lock);
	free(ops);
}

static unsigned slot_of_name(const char *name)
{
	uint32_t h = 2166136261u;

	while (*name)
		h = (h ^ (unsigned char)*name++) * 16777619u;
	return h % TABLE;
}

static unsigned slot_of_ino(uint64_t ino)
{
	return (unsigned)(ino * 0x9e3779b97f4a7c15u >> 32) % TABLE;
}

static void remember(struct memos *m, unsigned slot, const struct memo *what, const char *name)
{
	size_t len = strlen(name) + 1;
	struct memo *memo = malloc(sizeof(*memo) + len);

	if (!memo) /* only a warning is lost */
		return;
	*memo = *what;
	memcpy(memo->name, name, len);
	memo->next = m->table[slot];
	m->table[slot] = memo;
}

static uint64_t dev_of(const struct statx *stx)
{
	return ((uint64_t)stx->stx_dev_major << 32) | stx->stx_dev_minor;
}

static struct memo *find_name(const struct memos *m, const char *name, const struct statx *stx)
{
	struct memo *memo = m->table[slot_of_name(name)];

	for (; memo; memo = memo->next)
		if (!strcmp(memo->name, name) &&
		    (!stx || (memo->ino == stx->stx_ino && memo->dev == dev_of(stx))))
			break;
	return memo;
}

static struct memo *find_ino(const struct memos *m, uint64_t dev, uint64_t ino)
{
	struct memo *memo = m->table[slot_of_ino(ino)];

	while (memo && (memo->ino != ino || memo->dev != dev))
		memo = memo->next;
	return memo;
}

/* operands_seen_target - whether such a destination was given before; it is now */
bool operands_seen_target(struct operands *ops, const char *name)
{
	bool found;

	pthread_mutex_lock(&ops->lock);
	found = find_name(&ops->targets, name, NULL);
	if (!found)
		remember(&ops->targets, slot_of_name(name), &(struct memo){0}, name);
	pthread_mutex_unlock(&ops->lock);
	return found;
}

/* operands_seen_source - the same for entry @name of directory @dir, however it was spelt */
bool operands_seen_source(struct operands *ops, const struct file_id *dir, const char *name)
{
	struct memo what = {.dev = dir->dev, .ino = dir->ino}, *memo;

	pthread_mutex_lock(&ops->lock);
	memo = ops->sources.table[slot_of_name(name)];
	while (memo &&
	       (memo->ino != what.ino || memo->dev != what.dev || strcmp(memo->name, name) != 0))
		memo = memo->next;
	if (!memo)
		remember(&ops->sources, slot_of_name(name), &what, name);
	pthread_mutex_unlock(&ops->lock);
	return memo;
}

void operands_made(struct operands *ops, const char *name, const struct statx *stx)
{
	struct memo memo = {.dev = dev_of(stx), .ino = stx->stx_ino};

	pthread_mutex_lock(&ops->lock);
	remember(&ops->made, slot_of_name(name), &memo, name);
	pthread_mutex_unlock(&ops->lock);
}

bool operands_is_made(struct operands *ops, const char *name, const struct statx *stx)
{
	bool made;

	pthread_mutex_lock(&ops->lock);
	made = find_name(&ops->made, name, stx);
	pthread_mutex_unlock(&ops->lock);
	return made;
}

const char *operands_dir(struct operands *ops, const struct statx *stx, const char *dst)
{
	struct memo memo = {.dev = dev_of(stx), .ino = stx->stx_ino}, *found;

	pthread_mutex_lock(&ops->lock);
	found = find_ino(&ops->dirs, memo.dev, memo.ino);
	if (!found)
		remember(&ops->dirs, slot_of_ino(memo.ino), &memo, dst);
	pthread_mutex_unlock(&ops->lock);
	return found ? found->name : NULL;
}

void operands_add_top(struct operands *ops, const struct file_id *id)
{
	struct memo memo = {.dev = id->dev, .ino = id->ino};

	pthread_mutex_lock(&ops->lock);
	remember(&ops->tops, slot_of_ino(id->ino), &memo, "");
	pthread_mutex_unlock(&ops->lock);
}

bool operands_is_top(struct operands *ops, const struct file_id *id)
{
	bool top;

	pthread_mutex_lock(&ops->lock);
	top = find_ino(&ops->tops, id->dev, id->ino);
	pthread_mutex_unlock(&ops->lock);
	return top;
}
