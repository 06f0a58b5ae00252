/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share.h - the map of extents already copied: see share.c.
 */
#ifndef CR_SHARE_H
#define CR_SHARE_H

#include "core.h"

/* One copy's use of the map.  map is NULL when this copy does without. */
struct share_use {
	struct copy_share *map;
	struct file *out;
	uint32_t space; /* first of the source's two spaces of addresses */
	uint32_t slot;	/* of out, once something of it is in the map */
	struct statx_timestamp source_changed;
};

/* Bytes of one extent. */
struct share_range {
	uint32_t space, generation;
	uint64_t addr, len;
};

enum share_answer {
	SHARE_COPY,  /* not in the map, nor may it go there */
	SHARE_FIRST, /* copy range, then say share_put() or share_drop() */
	SHARE_FOUND, /* range is in file slot at off */
};

struct share_claim {
	struct share_range range;
	uint64_t off;
	uint32_t slot, node;
};

#ifdef CONFIG_SHARE

/*
 * Begins the use for one request; where the map is no help, use->map stays NULL
 * and the reason is returned, or NULL when none was asked for.
 */
const char *share_begin(struct share_use *use, const struct copy_req *req);
void share_end(struct share_use *use);

/* Whether the map may know @ext, or should. */
bool share_wants(const struct share_use *use, const struct file_extent *ext);

/* The @len bytes from @pos of the file on, which belong to @ext, in the map's words. */
struct share_range share_range(const struct share_use *use, const struct file_extent *ext,
			       uint64_t pos, uint64_t len);

/*
 * Asks for the first bytes of @want.  What is to be copied first reaches as far
 * as nobody else has it, within @whole, which contains @want.  Waits for who
 * copies a part of @whole just now.
 */
enum share_answer share_claim(struct share_use *use, const struct share_range *want,
			      const struct share_range *whole, struct share_claim *claim);

/* The claimed range, or its first @len bytes, now are at @off of file @slot. */
void share_put(struct share_use *use, struct share_claim *claim, uint32_t slot, uint64_t off,
	       uint64_t len);
/* The claimed range was not copied, or the source changed meanwhile. */
void share_drop(struct share_use *use, struct share_claim *claim);
/* As share_put(), of a range that nobody claimed. */
void share_add(struct share_use *use, const struct share_range *range, uint32_t slot, uint64_t off);

/* The slot of @file, which is use->out; 0 where it has no handle or there is no room. */
uint32_t share_slot(struct share_use *use, struct file *file);
/* Opens the file of a slot to clone from it, to be given back by share_close(). */
int share_open(struct share_use *use, uint32_t slot, struct file **filep);
void share_close(struct share_use *use, uint32_t slot, struct file *file);
/* Whether nobody else has written to the file since. */
bool share_intact(struct share_use *use, uint32_t slot, struct file *file);
/* Forgets a file: what was found there has to be copied again. */
void share_forget(struct share_use *use, uint32_t slot);

/* A place for whole extents of which a file needs a part. */
struct share_place {
	struct file *file;
	uint64_t off;
	uint32_t slot;
};

/* @len bytes of a file without a name in the destination, which lives as long as the map. */
int share_pool(struct share_use *use, uint64_t len, struct share_place *place);

/* The destination cannot share blocks at all. */
void share_disable(struct share_use *use);
/* A request is about to write to req->out: what the map knew there ends. */
void share_overwrite(const struct copy_req *req);

#else

static inline const char *share_begin(struct share_use *use, const struct copy_req *req)
{
	return NULL;
}

static inline void share_end(struct share_use *use)
{
}

static inline void share_close(struct share_use *use, uint32_t slot, struct file *file)
{
}

static inline bool share_wants(const struct share_use *use, const struct file_extent *ext)
{
	return false;
}

static inline void share_overwrite(const struct copy_req *req)
{
}

#endif
#endif
