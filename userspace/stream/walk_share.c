// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * walk_share.c - extents that the stream holds already, and where.
 *
 * Addresses are those of the source's storage.  Plain bytes are numbered by
 * where they lie; those of a compressed extent by 32 times its address (it takes
 * at least 4 KiB and decodes to at most 128 KiB) plus their place in it, in the
 * upper half of the numbers.  Ranges in the tree never overlap.
 *
 * Space: 120 bytes for an extent, and SHARE_MAX of them at most; of what comes
 * later sharing is lost, which costs bytes and nothing else.
 */
#include <search.h>
#include <stdlib.h>

#include "walk.h"

#define SHARE_MAX	1000000u
#define ADDRESS_MAX	((uint64_t)1 << 57)
#define COMPRESSED_HALF ((uint64_t)1 << 63)

struct known {
	struct sent_range range;
	struct subject *subject;
	uint64_t pos;
};

struct sent {
	void *root;
	unsigned n;
};

/* Two ranges that overlap are equal: the tree finds one by a part of it. */
static int compare(const void *a, const void *b)
{
	const struct sent_range *x = a, *y = b;

	if (x->generation != y->generation)
		return x->generation < y->generation ? -1 : 1;
	if (x->addr + x->len <= y->addr)
		return -1;
	return y->addr + y->len <= x->addr;
}

struct sent *sent_new(void)
{
	return calloc(1, sizeof(struct sent));
}

static void known_free(void *p)
{
	struct known *k = p;

	subject_put(k->subject);
	free(k);
}

void sent_free(struct sent *share)
{
	if (!share)
		return;
	tdestroy(share->root, known_free);
	free(share);
}

bool sent_can(const struct file_extent *ext)
{
	const uint32_t never =
		EXTENT_HOLE | EXTENT_PREALLOC | EXTENT_INLINE | EXTENT_DELALLOC | EXTENT_ENCODED;

	return (ext->flags & EXTENT_SHARED) && !(ext->flags & never) && ext->disk_bytenr &&
	       ext->disk_bytenr < ADDRESS_MAX &&
	       (!ext->compression || ext->ram_bytes <= ENCODED_MAX);
}

struct sent_range sent_range_of(const struct file_extent *ext)
{
	uint64_t addr = ext->disk_bytenr + ext->offset;

	if (ext->compression)
		addr = (ext->disk_bytenr * 32 + ext->offset) | COMPRESSED_HALF;
	return (struct sent_range){addr, ext->len, ext->generation};
}

uint64_t sent_find(struct sent *share, const struct sent_range *r, uint64_t *skip,
		   struct subject **from, uint64_t *pos)
{
	struct sent_range rest = *r;
	struct known *found = NULL, **node;

	/* The first one that overlaps: any, then any before that. */
	while (rest.len && (node = tfind(&rest, &share->root, compare))) {
		found = *node;
		rest.len = found->range.addr > rest.addr ? found->range.addr - rest.addr : 0;
	}
	if (!found)
		return 0;
	*from = found->subject;
	if (found->range.addr >= r->addr) {
		*skip = found->range.addr - r->addr;
		*pos = found->pos;
		return found->range.len < r->len - *skip ? found->range.len : r->len - *skip;
	}
	*skip = 0;
	*pos = found->pos + (r->addr - found->range.addr);
	rest.len = found->range.addr + found->range.len - r->addr;
	return rest.len < r->len ? rest.len : r->len;
}

void sent_add(struct sent *share, const struct sent_range *r, struct subject *subject, uint64_t pos)
{
	struct known *k = share->n < SHARE_MAX ? malloc(sizeof(*k)) : NULL, **node;

	if (!k)
		return;
	*k = (struct known){*r, subject_get(subject), pos};
	node = tsearch(k, &share->root, compare);
	if (node && *node == k)
		share->n++;
	else
		known_free(k);
}
