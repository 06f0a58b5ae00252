// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * share.c - the map that keeps extents shared.
 *
 * While a tree is copied, the map remembers for each extent of the source that
 * others refer to where in the destination its bytes were put; later references
 * become clones of that place (encoded_share.c).  Addresses are those of the
 * source's storage, so files, snapshots and places inside one file are all alike:
 *
 *   plain extents	one space of addresses: bytes on the disk
 *   compressed ones	another: 32 times the disk address, plus the offset in the
 *			decoded bytes.  An extent takes at least 4 KiB on the disk
 *			and decodes to at most 128 KiB, so no two can meet.
 *
 * Destination files are known by their handles, which survive renaming.  Without
 * the privilege to open by handle, up to HELD_MAX of them are held open instead.
 * What could go wrong, and why it does not:
 *
 *   the source reuses an address	the extent's generation differs; where the
 *					source tells none, files changed since the
 *					map began are left out
 *   the source is changed while it	who copies first looks again afterwards and
 *   is copied				does not say share_put() then
 *   this run writes a copy anew	share_overwrite()
 *   another process changes a copy	its mtime is later than our last write
 *
 * Space: 48 bytes for an extent and 72 for a file, SHARE_MEM at most.  Beyond it
 * sharing of further extents is lost, which copy_why of encoded says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/share.h"
#include "kernel/share_tree.h"

#define SHARE_MEM     ((size_t)64 << 20)
#define SLOT_CHUNK    1024u
#define SLOT_BUCKETS  16384u
#define SOURCES_MAX   16u
#define SHARE_LEN_MAX ((uint64_t)1 << 30)
#define HELD_MAX      256u

/* A file of the destination. */
struct share_slot {
	struct file_handle_bytes handle;
	struct file *held;	       /* where handles open nothing */
	struct statx_timestamp sealed; /* our last write to it */
	uint64_t end;		       /* of what the map knows in it */
	uint32_t next;		       /* in its bucket */
	uint16_t writers;
	bool dead;
};

struct copy_share {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* some range is no longer being copied */
	struct file *dir;
	struct share_tree tree;
	void **slots;				    /* chunks of them */
	uint32_t slot_count, buckets[SLOT_BUCKETS]; /* slot 0 is none */
	uint8_t sources[SOURCES_MAX][16];	    /* fsids */
	unsigned source_count;
	struct statx_timestamp began;
	struct share_place pool; /* off: its end */
	atomic_bool useless;	 /* the destination does not share blocks */
	bool probed, hold;	 /* whether handles open nothing here, for want of privilege */
	unsigned held;		 /* files held open instead */
};

static struct statx_timestamp now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (struct statx_timestamp){.tv_sec = ts.tv_sec, .tv_nsec = (uint32_t)ts.tv_nsec};
}

static bool later(struct statx_timestamp a, struct statx_timestamp b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static struct share_slot *slot_at(const struct copy_share *map, uint32_t i)
{
	return (struct share_slot *)map->slots[i / SLOT_CHUNK] + i % SLOT_CHUNK;
}

struct copy_share *copy_share_new(struct file *dst_dir)
{
	struct copy_share *map = calloc(1, sizeof(*map));

	if (!map)
		return NULL;
	pthread_mutex_init(&map->lock, NULL);
	pthread_cond_init(&map->changed, NULL);
	map->dir = dst_dir;
	map->slot_count = 1;
	map->began = now(CLOCK_REALTIME_COARSE);
	return map;
}

void copy_share_free(struct copy_share *map)
{
	if (!map)
		return;
	for (uint32_t i = 1; i < map->slot_count; i++)
		cr_close(slot_at(map, i)->held);
	share_tree_free(&map->tree);
	for (uint32_t i = 0; map->slots && i < map->slot_count; i += SLOT_CHUNK)
		free(map->slots[i / SLOT_CHUNK]);
	free(map->slots);
	pthread_cond_destroy(&map->changed);
	pthread_mutex_destroy(&map->lock);
	free(map);
}

void share_disable(struct share_use *use)
{
	atomic_store(&use->map->useless, true);
}

/* Files of the destination -------------------------------------------------- */

static uint32_t *bucket_of(struct copy_share *map, const struct file_handle_bytes *h)
{
	uint32_t hash = 2166136261u;

	for (unsigned i = 0; i < h->len; i++)
		hash = (hash ^ h->bytes[i]) * 16777619u;
	return &map->buckets[(hash ^ hash >> 15) % SLOT_BUCKETS];
}

static uint32_t slot_find(struct copy_share *map, const struct file_handle_bytes *h)
{
	uint32_t i = *bucket_of(map, h);

	while (i && (slot_at(map, i)->dead || memcmp(&slot_at(map, i)->handle, h, sizeof(*h)) != 0))
		i = slot_at(map, i)->next;
	return i;
}

/* Nodes there may be beside the slots. */
static size_t node_limit(const struct copy_share *map)
{
	return (SHARE_MEM - map->slot_count * sizeof(struct share_slot)) /
	       sizeof(struct share_node);
}

static uint32_t slot_new(struct copy_share *map, const struct file_handle_bytes *h)
{
	uint32_t i = map->slot_count, *bucket = bucket_of(map, h);

	if (node_limit(map) <= map->tree.used)
		return 0;
	if (i % SLOT_CHUNK == 0 || i == 1) {
		size_t n = i / SLOT_CHUNK;
		void **slots = realloc(map->slots, (n + 1) * sizeof(*slots));

		if (!slots)
			return 0;
		map->slots = slots;
		slots[n] = malloc(SLOT_CHUNK * sizeof(struct share_slot));
		if (!slots[n])
			return 0;
	}
	__atomic_store_n(&map->slot_count, i + 1, __ATOMIC_RELAXED);
	*slot_at(map, i) = (struct share_slot){.handle = *h, .next = *bucket};
	*bucket = i;
	return i;
}

/*
 * Opens @file again, to hold it; a descriptor of this machine is all that the
 * privilege to open handles is wanted for.  Called with the lock held.
 */
static struct file *hold(struct copy_share *map, struct file *file,
			 const struct file_handle_bytes *h)
{
	struct file *again = NULL;
	char path[32];

	if (!map->probed) {
		map->hold = cr_open_handle(map->dir, h, O_RDONLY, &again) == -EPERM;
		map->probed = true;
		cr_close(again);
		again = NULL;
	}
	if (!map->hold || map->held >= HELD_MAX)
		return NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", cr_file_fd(file));
	if (!cr_openat(map->dir, path, O_RDONLY, 0, &again))
		map->held++;
	return again;
}

uint32_t share_slot(struct share_use *use, struct file *file)
{
	struct copy_share *map = use->map;
	struct file_handle_bytes h;
	uint32_t i;

	pthread_mutex_lock(&map->lock);
	i = use->slot;
	if (!i && !cr_get_handle(file, NULL, &h)) {
		i = slot_find(map, &h);
		if (!i)
			i = slot_new(map, &h);
		if (i && !slot_at(map, i)->held)
			slot_at(map, i)->held = hold(map, file, &h);
		if (i)
			slot_at(map, i)->writers++;
		use->slot = i;
	}
	pthread_mutex_unlock(&map->lock);
	return i;
}

void share_forget(struct share_use *use, uint32_t slot)
{
	pthread_mutex_lock(&use->map->lock);
	slot_at(use->map, slot)->dead = true;
	pthread_mutex_unlock(&use->map->lock);
}

int share_open(struct share_use *use, uint32_t slot, struct file **filep)
{
	struct copy_share *map = use->map;
	struct share_slot s;

	pthread_mutex_lock(&map->lock);
	s = *slot_at(map, slot);
	pthread_mutex_unlock(&map->lock);
	*filep = s.held;
	if (s.dead)
		return -ESTALE;
	return s.held ? 0 : cr_open_handle(map->dir, &s.handle, O_RDONLY, filep);
}

void share_close(struct share_use *use, uint32_t slot, struct file *file)
{
	bool held;

	if (!file)
		return;
	pthread_mutex_lock(&use->map->lock);
	held = slot_at(use->map, slot)->held == file;
	pthread_mutex_unlock(&use->map->lock);
	if (!held)
		cr_close(file);
}

bool share_intact(struct share_use *use, uint32_t slot, struct file *file)
{
	struct share_slot s;
	struct statx stx;

	pthread_mutex_lock(&use->map->lock);
	s = *slot_at(use->map, slot);
	pthread_mutex_unlock(&use->map->lock);
	if (s.dead || s.writers)
		return !s.dead;
	return !cr_getattr(file, NULL, &stx) && !later(stx.stx_mtime, s.sealed);
}

void share_overwrite(const struct copy_req *req)
{
	struct copy_share *map = req->share;
	struct file_handle_bytes h;
	uint32_t i;

	if (!map || __atomic_load_n(&map->slot_count, __ATOMIC_RELAXED) < 2 ||
	    cr_get_handle(req->out, NULL, &h))
		return;
	pthread_mutex_lock(&map->lock);
	i = slot_find(map, &h);
	if (i && (uint64_t)req->pos_out < slot_at(map, i)->end)
		slot_at(map, i)->dead = true;
	pthread_mutex_unlock(&map->lock);
}

/* The pool ------------------------------------------------------------------- */

/* Made at its first use, with the lock held. */
static int pool_make(struct share_use *use)
{
	struct copy_share *map = use->map;
	struct file_handle_bytes h;
	int err = cr_openat(map->dir, ".", O_TMPFILE | O_RDWR, 0600, &map->pool.file);

	if (err)
		return err;
	if (!cr_get_handle(map->pool.file, NULL, &h))
		map->pool.slot = slot_new(map, &h);
	if (!map->pool.slot) {
		cr_close(map->pool.file);
		map->pool.file = NULL;
		return -EOPNOTSUPP;
	}
	slot_at(map, map->pool.slot)->held = map->pool.file;
	slot_at(map, map->pool.slot)->writers++;
	return 0;
}

int share_pool(struct share_use *use, uint64_t len, struct share_place *place)
{
	struct copy_share *map = use->map;
	int err = 0;

	pthread_mutex_lock(&map->lock);
	if (!map->pool.file)
		err = pool_make(use);
	*place = map->pool;
	if (!err)
		map->pool.off += len;
	pthread_mutex_unlock(&map->lock);
	return err;
}

/* Ranges --------------------------------------------------------------------- */

struct share_range share_range(const struct share_use *use, const struct file_extent *ext,
			       uint64_t pos, uint64_t len)
{
	struct share_range r = {
		.space = use->space + !!ext->compression,
		.generation = (uint32_t)ext->generation,
		.addr = ext->disk_bytenr * (ext->compression ? 32 : 1) + ext->offset + pos -
			ext->pos,
		.len = MIN(len, SHARE_LEN_MAX),
	};

	return r;
}

bool share_wants(const struct share_use *use, const struct file_extent *ext)
{
	const uint32_t never =
		EXTENT_HOLE | EXTENT_PREALLOC | EXTENT_INLINE | EXTENT_DELALLOC | EXTENT_ENCODED;

	if (!use->map || !(ext->flags & EXTENT_SHARED) || (ext->flags & never))
		return false;
	if (!ext->generation && !later(use->map->began, use->source_changed))
		return false;
	return ext->disk_bytenr && ext->disk_bytenr < (uint64_t)1 << 58 &&
	       (!ext->compression || ext->ram_bytes <= ENCODED_MAX);
}

/* A range that nobody can use any more. */
static bool is_stale(const struct copy_share *map, const struct share_node *node,
		     const struct share_range *want)
{
	return node->slot &&
	       (node->generation != want->generation || slot_at(map, node->slot)->dead);
}

/*
 * Walks over what the map knows of @whole.  The answer is FIRST with the gap
 * round want->addr, FOUND, or COPY when another is just copying some of it.
 */
static enum share_answer look_up(struct copy_share *map, const struct share_range *want,
				 const struct share_range *whole, struct share_claim *claim)
{
	uint64_t at = whole->addr, end = whole->addr + whole->len;
	struct share_range gap = *whole;
	bool found = false;
	uint32_t i;

	while (at < end && (i = share_tree_at(&map->tree, whole->space, at))) {
		struct share_node *node = share_node(&map->tree, i);

		if (node->addr >= end)
			break;
		if (is_stale(map, node, want)) {
			share_tree_remove(&map->tree, i);
			continue;
		}
		if (!node->slot)
			return SHARE_COPY;
		at = node->addr + node->len;
		if (node->addr <= want->addr && want->addr < at) {
			claim->range = *want;
			claim->range.len = MIN(want->len, at - want->addr);
			claim->slot = node->slot;
			claim->off = node->off + (want->addr - node->addr);
			found = true;
		} else if (at <= want->addr) {
			gap.addr = at;
		} else if (node->addr > want->addr && node->addr < end) {
			end = node->addr;
		}
	}
	if (found)
		return SHARE_FOUND;
	gap.len = end - gap.addr;
	claim->range = gap;
	return SHARE_FIRST;
}

enum share_answer share_claim(struct share_use *use, const struct share_range *want,
			      const struct share_range *whole, struct share_claim *claim)
{
	struct copy_share *map = use->map;
	enum share_answer answer;
	struct share_node node;

	pthread_mutex_lock(&map->lock);
	while ((answer = look_up(map, want, whole, claim)) == SHARE_COPY)
		pthread_cond_wait(&map->changed, &map->lock);
	if (answer == SHARE_FIRST) {
		node = (struct share_node){
			.space = claim->range.space,
			.addr = claim->range.addr,
			.len = (uint32_t)claim->range.len,
			.generation = claim->range.generation,
		};
		map->tree.max = node_limit(map);
		claim->node = share_tree_insert(&map->tree, &node);
		if (!claim->node)
			answer = SHARE_COPY;
	}
	pthread_mutex_unlock(&map->lock);
	return answer;
}

static void put_end(struct copy_share *map, uint32_t slot, uint64_t end)
{
	struct share_slot *s = slot_at(map, slot);

	s->end = MAX(s->end, end);
}

void share_put(struct share_use *use, struct share_claim *claim, uint32_t slot, uint64_t off,
	       uint64_t len)
{
	struct copy_share *map = use->map;
	struct share_node *node;

	if (!slot || !len) {
		share_drop(use, claim);
		return;
	}
	pthread_mutex_lock(&map->lock);
	node = share_node(&map->tree, claim->node);
	node->slot = slot;
	node->off = off;
	node->len = (uint32_t)MIN(len, claim->range.len);
	put_end(map, slot, off + len);
	pthread_cond_broadcast(&map->changed);
	pthread_mutex_unlock(&map->lock);
}

void share_drop(struct share_use *use, struct share_claim *claim)
{
	struct copy_share *map = use->map;

	pthread_mutex_lock(&map->lock);
	share_tree_remove(&map->tree, claim->node);
	pthread_cond_broadcast(&map->changed);
	pthread_mutex_unlock(&map->lock);
}

void share_add(struct share_use *use, const struct share_range *range, uint32_t slot, uint64_t off)
{
	struct copy_share *map = use->map;
	struct share_node node = {.space = range->space,
				  .addr = range->addr,
				  .off = off,
				  .len = (uint32_t)range->len,
				  .slot = slot,
				  .generation = range->generation};
	uint32_t i;

	if (!slot || !range->len)
		return;
	pthread_mutex_lock(&map->lock);
	i = share_tree_at(&map->tree, range->space, range->addr);
	map->tree.max = node_limit(map);
	if ((!i || share_node(&map->tree, i)->addr >= range->addr + range->len) &&
	    share_tree_insert(&map->tree, &node))
		put_end(map, slot, off + range->len);
	pthread_mutex_unlock(&map->lock);
}

/* Begin and end --------------------------------------------------------------- */

/* The source's number in the map, from 0; SOURCES_MAX when there are too many. */
static unsigned source_of(struct copy_share *map, const uint8_t fsid[16])
{
	unsigned i = 0;

	pthread_mutex_lock(&map->lock);
	while (i < map->source_count && memcmp(map->sources[i], fsid, 16) != 0)
		i++;
	if (i == map->source_count && i < SOURCES_MAX)
		memcpy(map->sources[map->source_count++], fsid, 16);
	pthread_mutex_unlock(&map->lock);
	return i;
}

const char *share_begin(struct share_use *use, const struct copy_req *req)
{
	const struct mount *in = req->in->mnt, *out = req->out->mnt;
	struct copy_share *map = req->share;
	struct statx stx;
	unsigned source;

	*use = (struct share_use){.out = req->out};
	if (!map || (req->flags & COPY_RANGE_NO_CLONE) || !req->in->op->extents ||
	    memcmp(in->fsid, out->fsid, sizeof(in->fsid)) == 0)
		return NULL;
	if (memcmp(out->fsid, map->dir->mnt->fsid, sizeof(out->fsid)) != 0)
		return "the destination is not on the file system whose sharing is kept";
	if (!req->out->op->clone_range || atomic_load(&map->useless) ||
	    (atomic_load(&out->lost) & (1u << COPY_CLONE)))
		return "the destination cannot share blocks";
	source = source_of(map, in->fsid);
	if (source == SOURCES_MAX)
		return "too many file systems are copied at once";
	if (cr_getattr(req->in, NULL, &stx))
		return NULL;
	use->source_changed = stx.stx_ctime;
	use->space = source * 2;
	use->map = map;
	return NULL;
}

void share_end(struct share_use *use)
{
	struct share_slot *s;

	if (!use->map || !use->slot)
		return;
	pthread_mutex_lock(&use->map->lock);
	s = slot_at(use->map, use->slot);
	s->sealed = now(CLOCK_REALTIME);
	s->writers--;
	pthread_mutex_unlock(&use->map->lock);
}
