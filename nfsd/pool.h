/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool.h - the threads of the server.
 *
 * They take turns: one waits for events of a loop, reads the calls that came, leaves the
 * loop and carries the calls out itself, then goes back to the loop.  So an ordinary call
 * needs no other thread.  A call may block, though.  Therefore one of the threads that have
 * nothing to do looks every millisecond whether a loop was left for so long, or calls wait
 * and processors are free, and if so takes part.
 */
#ifndef NFSD_POOL_H
#define NFSD_POOL_H

#include "nfsd/nfsd.h"

struct pool;

/**
 * pool_new - threads for some loops, which are not theirs before pool_start()
 * @calls: carried out at a time at most; there is a thread more for each loop
 *
 * Return: it, or NULL without memory.
 */
struct pool *pool_new(struct nfsd *s, struct ev_loop *const *loops, unsigned nloops,
		      unsigned calls);
int pool_start(struct pool *pool); /* 0 or a negative errno */
void pool_add(struct pool *pool, struct rpc_call *call);
/* This thread's call is going to take long: others go on at once. */
void pool_block(struct pool *pool);
/* No thread takes another call, and none is at a loop; pool_free() waits for the calls. */
void pool_stop(struct pool *pool);
void pool_free(struct pool *pool); /* NULL is allowed */

#endif
