// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * extent.c - where a file's extents are and how they are stored.
 *
 * FIEMAP leads: it needs no privilege, sees data that is not on the disk yet,
 * and says what is shared.  What it does not tell of a compressed extent (size
 * on the disk, algorithm, which part of it is used) comes from the file extent
 * items of the subvolume tree by BTRFS_IOC_TREE_SEARCH_V2, with CAP_SYS_ADMIN.
 * The tree alone would not do: it knows nothing of data that waits in memory,
 * and a file just written looks like one hole in it.
 *
 * FIEMAP calls an extent shared when another inode refers to it; two references
 * inside one file are found by the count in the extent tree.  That count is
 * behind by the references of the running transaction, hence the reserve in
 * EXTENTS_SHARED; and it is no proof of the contrary, because snapshots share
 * whole leaves of references.
 */
#include <endian.h>
#include <errno.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "fs/btrfs/btrfs.h"
#include "fs/btrfs/search.h"
#include "fs/host/fiemap.h"

#define EXTENT_SPAN  ((uint64_t)256 << 20) /* no file extent item but a hole is longer */
#define ITEM_INLINE  offsetof(struct btrfs_file_extent_item, disk_bytenr)
#define ITEM_REGULAR sizeof(struct btrfs_file_extent_item)

static uint32_t compression_of(const struct file *file, uint8_t on_disk)
{
	switch (on_disk) {
	case 0:
		return ENCODED_NONE;
	case 1:
		return ENCODED_ZLIB;
	case 2:
		return btrfs_lzo_of(file->mnt->block_size);
	case 3:
		return ENCODED_ZSTD;
	default:
		return ENCODED_NONE;
	}
}

/* Makes an extent of a file extent item; false when the item makes no sense. */
static bool parse_item(const struct file *file, const struct item *item, struct file_extent *ext)
{
	struct btrfs_file_extent_item fi = {0};

	if (item->head.len < ITEM_INLINE)
		return false;
	memcpy(&fi, item->data, item->head.len < ITEM_REGULAR ? ITEM_INLINE : ITEM_REGULAR);
	*ext = (struct file_extent){
		.pos = item->head.offset,
		.ram_bytes = le64toh(fi.ram_bytes),
		.compression = compression_of(file, fi.compression),
		.generation = le64toh(fi.generation),
	};
	if (fi.compression && !ext->compression) /* newer than this code */
		ext->flags = EXTENT_ENCODED;
	if (fi.type == BTRFS_FILE_EXTENT_INLINE) {
		ext->flags |= EXTENT_INLINE;
		ext->len = ext->ram_bytes;
		ext->disk_len = item->head.len - ITEM_INLINE;
		return ext->len && ext->len <= EXTENT_SPAN;
	}
	if (item->head.len < ITEM_REGULAR)
		return false;
	ext->len = le64toh(fi.num_bytes);
	ext->disk_bytenr = le64toh(fi.disk_bytenr);
	ext->disk_len = le64toh(fi.disk_num_bytes);
	ext->offset = le64toh(fi.offset);
	if (fi.type == BTRFS_FILE_EXTENT_PREALLOC)
		ext->flags |= EXTENT_PREALLOC;
	if (!ext->disk_bytenr)
		ext->flags |= EXTENT_HOLE;
	return ext->len && ext->len <= UINT64_MAX - ext->pos &&
	       (!ext->disk_bytenr ||
		(ext->ram_bytes >= ext->len && ext->offset <= ext->ram_bytes - ext->len));
}

/* Only the part of @ext from @pos on and before @end. */
static void extent_clip(struct file_extent *ext, uint64_t pos, uint64_t end)
{
	if (ext->pos < pos) {
		ext->offset += pos - ext->pos;
		ext->len -= pos - ext->pos;
		ext->pos = pos;
	}
	if (ext->len > end - ext->pos)
		ext->len = end - ext->pos;
}

/* The item that holds byte @pos of the file, if there is one. */
static bool item_at(struct search *s, const struct file *file, uint64_t pos,
		    struct file_extent *ext)
{
	struct item item;

	while (search_peek(s, &item, FIEMAP_BATCH)) {
		if (item.head.type != BTRFS_EXTENT_DATA_KEY || !parse_item(file, &item, ext)) {
			search_pop(s, &item);
			continue;
		}
		if (ext->pos > pos)
			return false;
		if (ext->pos + ext->len > pos)
			return true; /* not taken: it may hold the next position too */
		search_pop(s, &item);
	}
	return false;
}

static void search_file(struct search *s, uint64_t ino, uint64_t from)
{
	s->left = 0;
	s->end = false;
	s->key.min_objectid = s->key.max_objectid = ino;
	s->key.min_type = s->key.max_type = BTRFS_EXTENT_DATA_KEY;
	s->key.min_offset = from;
	s->key.max_offset = UINT64_MAX;
}

/* One run of extents that the items are to tell more about. */
struct detail {
	struct search items;
	const struct file *file;
	uint64_t ino;
	struct file_extent *ext;
	unsigned n, put;
};

/* Replaces what FIEMAP said of @fe by its items, as far as there is room. */
static void detail_extent(struct detail *d, const struct file_extent *fe)
{
	uint64_t at = fe->pos, end = fe->pos + fe->len;

	while (at < end && d->put < d->n) {
		struct file_extent *ext = &d->ext[d->put];

		if (!item_at(&d->items, d->file, at, ext)) {
			*ext = *fe;
			extent_clip(ext, at, end);
			ext->flags = fe->flags | EXTENT_DELALLOC;
			d->put++;
			return;
		}
		extent_clip(ext, at, end);
		ext->flags |= fe->flags & EXTENT_SHARED;
		at += ext->len;
		d->put++;
	}
}

/*
 * @map is what FIEMAP said, from @pos on.  Its first entry may be many items
 * that continue each other, so the search starts at @pos and goes back only when
 * that is in the middle of one.
 */
static int detail_map(struct detail *d, const struct file_extent *map, unsigned n, uint64_t pos,
		      bool all)
{
	struct file_extent ext;

	if (search_init(&d->items, d->file->fd, 0))
		return -ENOMEM;
	search_file(&d->items, d->ino, pos);
	if (map->pos < pos && !item_at(&d->items, d->file, pos, &ext) && !d->items.err)
		search_file(&d->items, d->ino,
			    pos - map->pos > EXTENT_SPAN ? pos - EXTENT_SPAN : map->pos);
	for (unsigned i = 0; i < n && d->put < d->n; i++) {
		struct file_extent fe = map[i];

		extent_clip(&fe, pos, UINT64_MAX);
		if ((fe.flags & (EXTENT_HOLE | EXTENT_DELALLOC)) ||
		    !(all || (fe.flags & (EXTENT_ENCODED | EXTENT_SHARED))))
			d->ext[d->put++] = fe;
		else
			detail_extent(d, &fe);
	}
	search_free(&d->items);
	return d->items.err;
}

/* Looks for the extent at @bytenr among the items fetched; false when they end before it. */
static bool find_refs(struct search *s, uint64_t bytenr, uint64_t *refs)
{
	struct btrfs_extent_item ei;
	struct item item;

	while (s->left && search_peek(s, &item, 0)) {
		if (item.head.objectid > bytenr)
			return true;
		search_pop(s, &item);
		if (item.head.objectid < bytenr || item.head.type != BTRFS_EXTENT_ITEM_KEY ||
		    item.head.len < sizeof(ei))
			continue;
		memcpy(&ei, item.data, sizeof(ei));
		*refs = le64toh(ei.refs);
		return true;
	}
	return false;
}

/* References of the extent at @bytenr in the extent tree; 0: not told. */
static uint64_t count_refs(struct search *s, uint64_t bytenr)
{
	uint64_t refs = 0;

	if (bytenr >= s->key.min_objectid && find_refs(s, bytenr, &refs))
		return refs;
	s->left = 0;
	s->end = false;
	s->key.min_objectid = bytenr;
	s->key.min_type = 0;
	s->key.min_offset = 0;
	s->err = search_fetch(s, FIEMAP_BATCH);
	if (!s->err)
		find_refs(s, bytenr, &refs);
	return refs;
}

/* Marks those with several references that FIEMAP did not; files lie on the disk in runs. */
static int mark_shared(const struct file *file, struct file_extent *ext, unsigned n)
{
	uint64_t last = 0, refs = 0;
	struct search s;

	if (search_init(&s, file->fd, BTRFS_EXTENT_TREE_OBJECTID))
		return -ENOMEM;
	s.key.max_objectid = s.key.max_offset = UINT64_MAX;
	s.key.max_type = UINT32_MAX;
	for (unsigned i = 0; i < n && !s.err; i++) {
		uint64_t bytenr = ext[i].disk_bytenr;

		if (!bytenr || (ext[i].flags & (EXTENT_SHARED | EXTENT_INLINE | EXTENT_DELALLOC)))
			continue;
		if (bytenr != last)
			refs = count_refs(&s, bytenr);
		last = bytenr;
		if (refs > 1)
			ext[i].flags |= EXTENT_SHARED;
	}
	search_free(&s);
	return s.err;
}

static bool any_with(const struct file_extent *ext, unsigned n, uint32_t flags)
{
	while (n-- > 0)
		if (ext[n].flags & flags)
			return true;
	return false;
}

/* Whether anything in @map lies on the disk. */
static bool any_stored(const struct file_extent *map, unsigned n)
{
	while (n-- > 0)
		if (!(map[n].flags & (EXTENT_HOLE | EXTENT_PREALLOC | EXTENT_DELALLOC)))
			return true;
	return false;
}

/*
 * What the items add to @map.  Where they cannot be had, for want of privilege
 * or otherwise, FIEMAP's word stands, and is enough for a right copy.
 */
static int add_details(struct detail *d, struct file_extent *map, unsigned n, uint64_t pos,
		       bool shared)
{
	bool more = shared ? any_stored(map, n) : any_with(map, n, EXTENT_ENCODED | EXTENT_SHARED);

	d->put = 0;
	if (more && !detail_map(d, map, n, pos, shared)) {
		if (shared)
			mark_shared(d->file, d->ext, d->put);
		return (int)d->put;
	}
	extent_clip(&map[0], pos, UINT64_MAX);
	memcpy(d->ext, map, (size_t)n * sizeof(map[0]));
	return (int)n;
}

/*
 * A shared extent with newer data above it that is not on the disk yet must not
 * be taken for the content of the file: then all is written out and listed
 * again.  Others need no flush, because they are read, and that sees all.
 */
static int list_extents(struct detail *d, struct fiemap_range *range, bool shared)
{
	struct file_extent map[FIEMAP_BATCH];
	unsigned room = d->n < FIEMAP_BATCH ? d->n : FIEMAP_BATCH;
	int got = fiemap_read(d->file->fd, range, map, room);

	if (got > 0 && shared && !range->sync && any_with(map, (unsigned)got, EXTENT_SHARED)) {
		range->sync = true;
		got = fiemap_read(d->file->fd, range, map, room);
	}
	return got > 0 ? add_details(d, map, (unsigned)got, range->pos, shared) : got;
}

int btrfs_extents(struct file *file, off_t pos, struct file_extent *ext, unsigned n, unsigned how)
{
	struct detail d = {.file = file, .ext = ext, .n = n};
	struct fiemap_range range = {.pos = (uint64_t)pos, .sync = how & EXTENTS_FLUSH};
	bool shared = how & EXTENTS_SHARED;
	struct stat st;
	int got;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	if (pos < 0 || !n)
		return -EINVAL;
	range.size = (uint64_t)st.st_size;
	d.ino = st.st_ino;
	got = list_extents(&d, &range, shared);
	/* Shared inside the file, which only the extent tree told. */
	if (got > 0 && shared && !range.sync && any_with(ext, (unsigned)got, EXTENT_SHARED)) {
		range.sync = true;
		got = list_extents(&d, &range, shared);
	}
	return got;
}
