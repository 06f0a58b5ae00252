/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tpc.h - third-party copies: what runs, what became of it, and tokens.
 *
 * Copy operations belong to the nexus that asked for them, which finds them again by their
 * list identifier.  Tokens belong to the engine: another initiator may redeem one, if it
 * may see the logical unit that the token came from.
 */
#ifndef SCSI_TARGET_TPC_H
#define SCSI_TARGET_TPC_H

#include "lu.h"
#include "scsi/proto/token.h"

#define CSCDS_MAX	 16
#define SEGMENTS_MAX	 256
#define DESCRIPTORS_MAX	 16384u
#define SEGMENT_BYTES	 ((uint32_t)1 << 30)
#define TOKEN_RANGES_MAX 64
#define TOKEN_BLOCKS_MAX ((uint64_t)1 << 25) /* 16 GiB */
#define TOKENS_MAX	 256
#define TOKEN_TIMEOUT	 60
#define TOKEN_LIFE	 3600

/* One copy; what of it others look at is under engine->ops_lock. */
struct copy_op {
	struct copy_op *next;
	struct lu *lu; /* that was asked */
	uint32_t list_id;
	uint8_t sa;
	bool listed; /* can be asked about */
	bool running;
	int *stop; /* the task's, while it runs */
	uint16_t segments;
	uint64_t bytes;
	uint8_t status; /* COPY_OK ... when it has ended */
	uint8_t completion;
	struct sense sense;
	bool has_token;
	uint8_t token[TOKEN_SIZE];
};

/**
 * copy_op_begin - for the task @t; fails as the standard says while another of this id runs
 * @list_id: or -1: it has none
 *
 * Return: NULL and the status is set.
 */
struct copy_op *copy_op_begin(struct scsi_task *t, int64_t list_id);
/* By the status of the task. */
void copy_op_end(struct scsi_task *t, struct copy_op *op);
void copy_op_progress(struct scsi_task *t, struct copy_op *op, uint64_t bytes, unsigned segments);
/**
 * copy_run - do it now, or after the answer
 * @immed: by the engine's workers; the task's data go there
 */
typedef void copy_fn(struct scsi_task *t, struct copy_op *op);
void copy_run(struct scsi_task *t, struct copy_op *op, bool immed, copy_fn *fn);

void copy_ops_stop(struct nexus *nexus);
void copy_ops_stop_on(struct nexus *nexus, const struct lu *lu);
void copy_ops_stop_lu(struct engine *e, const struct lu *lu);
void copy_ops_drop(struct nexus *nexus);

/* A piece of work: bytes of a file, which is @src's where that is not NULL, to @dst. */
struct piece {
	struct file *in;
	struct lu *src, *dst;
	uint64_t from, to, len;
};
/**
 * copy_piece - by the core
 * @alive: asked when everything is locked; may be NULL
 *
 * Return: 0, -ECANCELED: stopped or not alive, or another negative errno.
 */
int copy_piece(struct scsi_task *t, const struct piece *p, bool (*alive)(void *), void *arg);

size_t tpc_vpd(uint8_t *page);

void tokens_changed(struct lu *lu, uint64_t from, uint64_t to);
void tokens_expire(struct engine *e);
void tokens_drop_all(struct engine *e);

#endif
