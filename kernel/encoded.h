/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encoded.h - what the files of the encoded strategy share: encoded.c plans and
 * runs the workers, encoded_move.c moves an extent, encoded_share.c clones one.
 */
#ifndef CR_CORE_ENCODED_H
#define CR_CORE_ENCODED_H

#include "core.h"
#include "kernel/share.h"

#define PLAN_EXTENTS 64
#define ITEM_EXTENTS 16
#define ENCODED_BUF  ((size_t)ENCODED_MAX)
#define WHY(text, scope_, err)                                                                     \
	((struct copy_why){.reason = (text), .scope = (scope_), .error = (err)})

/* One call, shared by its workers. */
struct encoder {
	const struct copy_req *req;
	uint64_t sector;
	uint64_t old_size, new_size; /* of the target, before and after */
	bool can_encode;	     /* both rooms can */
	bool sized;		     /* new_size is set */
	atomic_bool proved;	     /* the target took an extent */
	struct share_use share;

	pthread_mutex_t lock; /* all below */
	struct file_extent plan[PLAN_EXTENTS];
	unsigned n, at;
	uint64_t next, end; /* position of the source: not handed out yet, and the last */
	uint64_t run;	    /* plain bytes handed out since the last extent that was kept */
	uint64_t broken;    /* the lowest position that was not reached */
	int err;
	struct copy_why gave_up; /* reason set: the target takes no encoded extents at all */
};

/* What a worker takes at once: an extent, or several in a row that are shared. */
struct item {
	struct file_extent ext[ITEM_EXTENTS];
	unsigned n;
};

struct worker {
	struct encoder *e;
	struct copy_result res;
	uint64_t pos, end; /* what is left of the item in work, in the source */
	unsigned char *buf;
	struct file *from;  /* file of the destination last cloned from, */
	uint32_t from_slot; /* and its number in the map */
};

/* What the functions below return beside 0 and a negative errno. */
enum { SOURCE_ENDED = 1, REFUSED, GAVE_UP };

static inline uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

/* Where byte @pos of the source goes. */
static inline uint64_t out_of(const struct encoder *e, uint64_t pos)
{
	return pos - (uint64_t)e->req->pos_in + (uint64_t)e->req->pos_out;
}

static inline bool is_hole(const struct file_extent *ext)
{
	return ext->flags & (EXTENT_HOLE | EXTENT_PREALLOC);
}

/* How an item goes. */
enum way { WAY_HOLE, WAY_PLAIN, WAY_ENCODED, WAY_SHARED };

/* encoded.c: the next item, false at the end; an item by its way; where a worker had to end. */
bool next_item(struct encoder *e, struct item *item, enum way *way);
int copy_item(struct worker *w, const struct item *item, enum way way);
void broke_at(struct encoder *e, uint64_t pos, int err);
void worker_end(struct worker *w);

/* encoded.c: why an extent is not kept as it is stored, whatever its size; NULL: it may be. */
const char *why_not_encoded(const struct encoder *e, const struct file_extent *ext);
/* An extent, or some of it, goes another way, for this reason. */
void note(struct worker *w, const char *reason, int error);

/* encoded_move.c: from w->pos on, which they advance. */
int copy_plain(struct worker *w, uint64_t end, bool direct);
int copy_extent_plain(struct worker *w, const struct file_extent *ext);
int copy_hole(struct worker *w);
int copy_stored(struct worker *w);
int copy_kept(struct worker *w);
bool lzo_fits(const struct encoder *e, uint32_t compression);
/* How many bytes of the file the extent just read stands for in the target; 0: better plain. */
uint64_t planted_len(struct worker *w, const struct encoded_iov *ev, uint64_t payload);

/*
 * encoded_uring.c: items by one thread and many commands in flight, as long as
 * that works.  What it leaves is for the workers.
 */
#ifdef CONFIG_ENCODED_URING
void uring_work(struct encoder *e, struct copy_result *sum);
#else
static inline void uring_work(struct encoder *e, struct copy_result *sum)
{
}
#endif

/* encoded_share.c: all extents of the item, which the map wants. */
#ifdef CONFIG_SHARE
int copy_shared(struct worker *w, const struct item *item);
#else
static inline int copy_shared(struct worker *w, const struct item *item)
{
	return REFUSED;
}
#endif

#endif
