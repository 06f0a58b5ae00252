// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bufs.c - memory of records: large ones are kept for the next.
 *
 * The allocator gives memory of a megabyte back to the kernel when it is freed, and then each
 * of its pages costs a fault and is cleared, which is more than copying the data.  The one used
 * last is used first, because the processor's cache has most of it.
 */
#include <stdlib.h>

#include "lib/sunrpc/conn.h"

#define BUFS_MAX 32u /* kept at most */

struct rpc_bufs {
	atomic_uint refs;
	uint32_t room; /* of each */
	pthread_mutex_t lock;
	struct rpc_rec *spare[BUFS_MAX];
	unsigned n;
};

struct rpc_bufs *rpc_bufs_new(uint32_t room)
{
	struct rpc_bufs *bufs = calloc(1, sizeof(*bufs));

	if (!bufs)
		return NULL;
	atomic_init(&bufs->refs, 1);
	bufs->room = room;
	pthread_mutex_init(&bufs->lock, NULL);
	return bufs;
}

void rpc_bufs_put(struct rpc_bufs *bufs)
{
	if (!bufs || atomic_fetch_sub(&bufs->refs, 1) != 1)
		return;
	while (bufs->n)
		free(bufs->spare[--bufs->n]);
	pthread_mutex_destroy(&bufs->lock);
	free(bufs);
}

static struct rpc_rec *spare(struct rpc_bufs *bufs)
{
	struct rpc_rec *rec;

	pthread_mutex_lock(&bufs->lock);
	rec = bufs->n ? bufs->spare[--bufs->n] : NULL;
	pthread_mutex_unlock(&bufs->lock);
	return rec;
}

static bool give_back(struct rpc_bufs *bufs, struct rpc_rec *rec)
{
	bool kept;

	pthread_mutex_lock(&bufs->lock);
	kept = bufs->n < BUFS_MAX;
	if (kept)
		bufs->spare[bufs->n++] = rec;
	pthread_mutex_unlock(&bufs->lock);
	return kept;
}

struct rpc_rec *rec_new(struct rpc_bufs *bufs, uint32_t *room)
{
	bool large = bufs && *room >= RPC_REC_LARGE && *room <= bufs->room;
	struct rpc_rec *rec = large ? spare(bufs) : NULL;

	if (large)
		*room = bufs->room;
	if (!rec)
		rec = malloc(sizeof(*rec) + *room);
	if (!rec)
		return NULL;
	atomic_init(&rec->refs, 1);
	rec->len = 0;
	rec->bufs = large ? bufs : NULL;
	if (large)
		atomic_fetch_add(&bufs->refs, 1);
	return rec;
}

void rpc_rec_get(struct rpc_rec *rec)
{
	atomic_fetch_add(&rec->refs, 1);
}

void rpc_rec_put(struct rpc_rec *rec)
{
	struct rpc_bufs *bufs;

	if (!rec || atomic_fetch_sub(&rec->refs, 1) != 1)
		return;
	bufs = rec->bufs;
	if (!bufs || !give_back(bufs, rec))
		free(rec);
	rpc_bufs_put(bufs);
}
