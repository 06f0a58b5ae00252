/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lu.h - a logical unit: a file, what holds for it, and who works where in it. */
#ifndef SCSI_TARGET_LU_H
#define SCSI_TARGET_LU_H

#include "engine.h"
#include "pr.h"

/* A range of bytes that a command works on; the struct is the command's own. */
struct range_lock {
	struct range_lock *next;
	uint64_t from, to;
	bool exclusive;
};

struct lu_mode {
	bool wce, swp, d_sense;
};

struct lu {
	struct lu *next;
	struct engine *engine;
	char *name;	   /* as it was given */
	struct file *file; /* read-only where every LUN of it is */
	dev_t device;	   /* a block device's number; 0: it is a file */
	bool ro;
	uint64_t blocks;
	uint8_t physical; /* exponent: blocks of a physical one */
	char serial[33];
	uint8_t naa[8];
	bool punches;			     /* its room makes holes */
	atomic_bool read_waits, write_waits; /* its room cannot do without */

	pthread_mutex_t lock; /* what follows */
	pthread_cond_t unlocked;
	struct range_lock *ranges;
	struct lu_mode mode;
	struct pr pr;
	struct nexus *reserved; /* by RESERVE (6) */

	atomic_uint tokens; /* that die when what they stand for is written */
};

struct lu_answer {
	struct lu *lu;
	char *why; /* what failed, for people: room bytes */
	size_t room;
};
/* The unit of spec->file, which may be one that is there already, or a new one for target @owner.
 */
int lu_open(struct engine *e, const char *owner, const struct lun_spec *spec, struct lu_answer *a);
void lu_close(struct lu *lu);
struct lu_mode lu_mode(struct lu *lu);

/*
 * Wait until nobody works on [from, to) in a way that excludes this.  Who takes two ranges
 * takes the lower one first, and the unit of the lower address: lu_lock_two() does.
 */
void lu_lock(struct lu *lu, struct range_lock *l);
/* False: it would have to wait. */
bool lu_try_lock(struct lu *lu, struct range_lock *l);
void lu_unlock(struct lu *lu, struct range_lock *l);
struct lu_range {
	struct lu *lu;
	struct range_lock lock;
};
/* A source, shared, and a destination, exclusive; where they overlap, one exclusive lock of both.
 */
void lu_lock_two(struct lu_range *src, struct lu_range *dst);
void lu_unlock_two(struct lu_range *src, struct lu_range *dst);

/* All of it or an error; the caller holds the range. */
int lu_read(struct lu *lu, void *buf, size_t len, uint64_t pos);
int lu_write(struct lu *lu, const void *buf, size_t len, uint64_t pos);
/* The same without waiting; -EAGAIN: not so, and of a write a part may be done. */
int lu_read_nowait(struct lu *lu, void *buf, size_t len, uint64_t pos);
int lu_write_nowait(struct lu *lu, const void *buf, size_t len, uint64_t pos);
/* Zeros, as a hole or as blocks; stops early when *stop. */
int lu_zero(struct lu *lu, uint64_t pos, uint64_t len, bool hole, const int *stop);

#endif
