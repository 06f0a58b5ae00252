/* SPDX-License-Identifier: GPL-2.0-or-later */
/* search.h - items of the trees of a file system: BTRFS_IOC_TREE_SEARCH_V2, with CAP_SYS_ADMIN. */
#ifndef CR_BTRFS_SEARCH_H
#define CR_BTRFS_SEARCH_H

#include <linux/btrfs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Items of one tree in key order, fetched by the buffer. */
struct search {
	int fd, err;
	bool end; /* the tree has no more of these */
	struct btrfs_ioctl_search_key key;
	uint32_t left; /* items in buf not looked at yet, */
	size_t at;     /* from here on */
	struct btrfs_ioctl_search_args_v2 *args;
};

/* One item: a copy of its header, because the buffer aligns nothing, and its bytes. */
struct item {
	struct btrfs_ioctl_search_header head;
	const unsigned char *data;
};

/** search_init - a search in @tree (0: the subvolume of @fd); the caller sets the rest of the key
 */
int search_init(struct search *s, int fd, uint64_t tree);
void search_free(struct search *s);

/** search_fetch - up to @want items into the buffer.  Return: 0 or a negative errno */
int search_fetch(struct search *s, uint32_t want);

/** search_peek - the next item without taking it, fetching @want when the buffer is used up */
bool search_peek(struct search *s, struct item *item, uint32_t want);

/** search_pop - take the item that was peeked; a later fetch goes on behind it */
void search_pop(struct search *s, const struct item *item);

#endif
