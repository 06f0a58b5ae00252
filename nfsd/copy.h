/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * copy.h - COPY and CLONE, and the copies that go on after their reply.
 *
 * An asynchronous copy lives from the reply that names its stateid until the client has
 * acknowledged CB_OFFLOAD, cancels it, or is gone.  A callback that got lost is sent
 * again on the next connection; OFFLOAD_STATUS answers all the while.
 */
#ifndef NFSD_COPY_H
#define NFSD_COPY_H

#include "nfsd/nfsd.h"
#include "nfsd/state.h"

#define COPIES_MAX	  64u /* asynchronous ones, of all clients */
#define COPIES_CLIENT_MAX 16u

struct acopy {
	struct acopy *next;
	struct nfsd *s;
	uint64_t clientid; /* 0: not asynchronous, somebody waits */
	struct nfs4_stateid id;
	struct nfs4_fh dst;
	struct io *in, *out;  /* in NULL: from another server */
	struct copy_job *job; /* both NULL: waited for */
	struct far *far;
	struct copy_progress progress;
	bool listed, done, cancelled, orphan, sending;
	unsigned tries;
	int err;
	struct copy_result res;
	uint8_t verf[NFS4_VERIFIER_SIZE];
	unsigned refs; /* the list or the waiter, a callback that is under way */
};

struct copies {
	struct notify *notifies;
	unsigned nnotifies;
	struct acopy *list;
	uint64_t next_id;
	pthread_cond_t done;
	unsigned waiting; /* workers that wait for a copy's end */
};

int copies_start(struct nfsd *s);
void copies_stop(struct nfsd *s); /* ends all that runs */
void copies_tick(struct nfsd *s);
void copies_kick(struct nfsd *s); /* sends callbacks that wait */

/* With nfsd.lock held. */
unsigned copies_of(struct nfsd *s, uint64_t clientid);
void copies_drop(struct nfsd *s, uint64_t clientid);
void acopy_get(struct acopy *a);
void acopy_put(struct acopy *a);
void acopy_unlist(struct acopy *a); /* acknowledged, or of no interest to anybody */
void acopy_cancel(struct acopy *a);
uint32_t acopy_status(const struct acopy *a);
/* Sends CB_OFFLOAD when the client has a path for it; acopy_told() follows. */
void cb_offload(struct nfsd *s, struct acopy *a);
void acopy_told(struct acopy *a, uint32_t status); /* NFS4ERR_CB_PATH_DOWN: no answer */

/* On the copy's own thread, as the last thing it does. */
void copy_done(void *arg, int err, const struct copy_result *res);

/* inter.c: from another server, as cr_job_*(); copy_done() follows.  0 or an nfsstat4. */
uint32_t far_start(struct compound *c, const struct nfs4_copy_args *args, struct acopy *a);
void far_stop(struct far *f);
int far_wait(struct far *f, struct copy_result *res);
uint32_t far_status(int err);

/* notify.c, with nfsd.lock held: stateids of COPY_NOTIFY */
#define NOTIFY_UADDR 64u
bool notify_is(const struct nfs4_stateid *id);
/* What @obj is read by: 0, PARTNER_NO_AUTH when it holds no longer, or another nfsstat4. */
uint32_t notify_io(struct nfsd *s, const struct obj *obj, const struct nfs4_stateid *id,
		   struct io **iop);
uint32_t notify_cancel(struct compound *c, const struct nfs4_stateid *id);
void notify_drop(struct nfsd *s, uint64_t clientid); /* all that it has given out */
void notify_tick(struct nfsd *s);

uint32_t op_copy_notify(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_copy(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_clone(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_offload_cancel(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_offload_status(struct compound *c, union nfs4_args *args, union nfs4_res *res);

#endif
