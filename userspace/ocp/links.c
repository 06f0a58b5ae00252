// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * links.c - which inodes with several names have been copied, and where to.
 *
 * About 60 bytes and its name an inode, which is the only memory that grows with
 * a tree; where the whole tree is copied once, an entry is forgotten with the
 * last name of its inode.  Whoever meets an inode that
 * another worker is copying waits for it: nobody waits while copying.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "ocp.h"

#define FIRST_SIZE 256 /* a power of two */

enum state { COPYING, COPIED, FAILED };

struct entry {
	struct entry *next;
	uint64_t ino;
	struct node *node;
	uint32_t major, minor;
	uint32_t left; /* names of the inode not seen yet */
	uint32_t waiters : 24, state : 7, summed : 1;
	char name[]; /* once it is copied; behind it its sum, where it has one */
};

struct links {
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct entry **table;
	size_t size, n;
	bool forget;
};

struct links *links_new(bool forget)
{
	struct links *links = calloc(1, sizeof(*links));

	if (!links)
		return NULL;
	pthread_mutex_init(&links->lock, NULL);
	pthread_cond_init(&links->done, NULL);
	links->forget = forget;
	return links;
}

static void entry_free(struct entry *e)
{
	node_put(e->node);
	free(e);
}

void links_free(struct links *links)
{
	if (!links)
		return;
	for (size_t i = 0; i < links->size; i++) {
		struct entry *e;

		while ((e = links->table[i])) {
			links->table[i] = e->next;
			entry_free(e);
		}
	}
	free(links->table);
	pthread_mutex_destroy(&links->lock);
	pthread_cond_destroy(&links->done);
	free(links);
}

static size_t hash(uint64_t ino, uint32_t minor, size_t size)
{
	uint64_t h = (ino + minor) * 0x9e3779b97f4a7c15u;

	return (size_t)(h >> 20) & (size - 1);
}

static int grow(struct links *links)
{
	size_t size = links->size ? links->size * 2 : FIRST_SIZE;
	struct entry **table = calloc(size, sizeof(*table));

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < links->size; i++) {
		struct entry *e;

		while ((e = links->table[i])) {
			struct entry **slot = &table[hash(e->ino, e->minor, size)];

			links->table[i] = e->next;
			e->next = *slot;
			*slot = e;
		}
	}
	free(links->table);
	links->table = table;
	links->size = size;
	return 0;
}

static struct entry **find(struct links *links, const struct statx *stx)
{
	struct entry **slot = &links->table[hash(stx->stx_ino, stx->stx_dev_minor, links->size)];

	while (*slot && ((*slot)->ino != stx->stx_ino || (*slot)->minor != stx->stx_dev_minor ||
			 (*slot)->major != stx->stx_dev_major))
		slot = &(*slot)->next;
	return slot;
}

static int add(struct links *links, struct entry **slot, const struct statx *stx)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->ino = stx->stx_ino;
	e->major = stx->stx_dev_major;
	e->minor = stx->stx_dev_minor;
	e->left = stx->stx_nlink - 1;
	e->state = COPYING;
	e->next = *slot;
	*slot = e;
	links->n++;
	return 0;
}

/* The copy is there: hand out its place, and forget it after the last name. */
static int take(struct links *links, struct entry **slot, struct link_place *place)
{
	struct entry *e = *slot;

	place->node = node_get(e->node);
	place->name = strdup(e->name);
	place->summed = e->summed;
	if (e->summed)
		memcpy(place->sum, e->name + strlen(e->name) + 1, sizeof(place->sum));
	if (e->left)
		e->left--;
	if (links->forget && !e->left && !e->waiters) {
		*slot = e->next;
		links->n--;
		entry_free(e);
	}
	if (place->name)
		return 1;
	node_put(place->node);
	return -ENOMEM;
}

int links_claim(struct links *links, const struct statx *stx, struct link_place *place)
{
	struct entry **slot, *e;
	int ret = 0;

	pthread_mutex_lock(&links->lock);
	if (links->n >= links->size)
		ret = grow(links);
	if (ret)
		goto out;
	slot = find(links, stx);
	e = *slot;
	if (!e) {
		ret = add(links, slot, stx);
		goto out;
	}
	e->waiters++; /* it stays, but not where it is */
	for (; e->state == COPYING; e = *find(links, stx))
		pthread_cond_wait(&links->done, &links->lock);
	e->waiters--;
	if (e->state == FAILED) /* our turn to try */
		e->state = COPYING;
	else
		ret = take(links, find(links, stx), place);
out:
	pthread_mutex_unlock(&links->lock);
	return ret;
}

/* A copied one gets room for its name, and for its sum. */
static bool give_name(struct entry **slot, struct node *node, const char *name, const uint64_t *sum)
{
	size_t len = strlen(name) + 1, more = sum ? 2 * sizeof(*sum) : 0;
	struct entry *e = realloc(*slot, sizeof(*e) + len + more);

	if (!e)
		return false;
	memcpy(e->name, name, len);
	if (sum)
		memcpy(e->name + len, sum, more);
	e->summed = sum != NULL;
	e->node = node_get(node);
	*slot = e;
	return true;
}

void links_done(struct links *links, const struct statx *stx, struct node *node, const char *name,
		const uint64_t *sum)
{
	struct entry **slot;

	pthread_mutex_lock(&links->lock);
	slot = find(links, stx);
	if (*slot) { /* links_claim() put it there */
		bool named = node && give_name(slot, node, name, sum);

		(*slot)->state = named ? COPIED : FAILED;
	}
	pthread_cond_broadcast(&links->done);
	pthread_mutex_unlock(&links->lock);
}
