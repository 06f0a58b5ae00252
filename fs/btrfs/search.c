// SPDX-License-Identifier: GPL-2.0-or-later
#include "fs/btrfs/search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define SEARCH_BUF (20u << 10) /* some more than FIEMAP_BATCH items */

int search_init(struct search *s, int fd, uint64_t tree)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->key.tree_id = tree;
	s->key.max_transid = UINT64_MAX;
	s->args = malloc(sizeof(*s->args) + SEARCH_BUF);
	return s->args ? 0 : -ENOMEM;
}

void search_free(struct search *s)
{
	free(s->args);
}

int search_fetch(struct search *s, uint32_t want)
{
	int r;

	s->key.nr_items = want;
	s->args->key = s->key;
	s->args->buf_size = SEARCH_BUF;
	do
		r = ioctl(s->fd, BTRFS_IOC_TREE_SEARCH_V2, s->args);
	while (r < 0 && errno == EINTR);
	s->left = r < 0 ? 0 : s->args->key.nr_items;
	s->at = 0;
	s->end = s->left == 0;
	return r < 0 ? -errno : 0;
}

bool search_peek(struct search *s, struct item *item, uint32_t want)
{
	if (!s->left && !s->end && !s->err) {
		s->err = search_fetch(s, want);
		if (s->err)
			return false;
	}
	if (!s->left)
		return false;
	if (SEARCH_BUF - s->at < sizeof(item->head))
		goto broken;
	memcpy(&item->head, s->args->buf + s->at, sizeof(item->head));
	item->data = s->args->buf + s->at + sizeof(item->head);
	if (SEARCH_BUF - s->at - sizeof(item->head) < item->head.len)
		goto broken;
	return true;
broken:
	s->err = -EIO;
	return false;
}

void search_pop(struct search *s, const struct item *item)
{
	s->at += sizeof(item->head) + item->head.len;
	s->left--;
	s->key.min_objectid = item->head.objectid;
	s->key.min_type = item->head.type;
	s->key.min_offset = item->head.offset + 1;
}
