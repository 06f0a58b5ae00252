/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - clients, sessions, and what they hold.  All of it is under nfsd.lock.
 *
 * A client that lets its lease expire is kept out of courtesy until somebody needs
 * what it holds, or for a day; only then its record and state are dropped.
 */
#ifndef NFSD_STATE_H
#define NFSD_STATE_H

#include "nfsd/nfsd.h"

#define BUCKETS		 1024u
#define CLIENTS_MAX	 4096u
#define SESSIONS_MAX	 64u /* of a client */
#define SESSIONS_ALL	 4096u
#define STATES_MAX	 200000u /* stateids in all */
#define LOCKS_MAX	 200000u /* byte ranges in all */
#define COURTESY_SECONDS (24u * 3600)

struct slot {
	uint32_t seqid;
	bool in_use, used, cached;
	uint32_t len, room;
	uint8_t *reply; /* COMPOUND's results */
};

struct session {
	struct session *next;	   /* in the bucket */
	struct session *of_client; /* the client's next one */
	struct client *client;
	uint8_t id[NFS4_SESSIONID_SIZE];
	unsigned refs; /* slots in use, callbacks; it is freed when it is dead and they are gone */
	bool dead;
	struct nfs4_channel fore, back;
	uint32_t nslots;
	struct slot *slot;
	uint32_t cb_program, cb_flavor, cb_uid, cb_gid;
	struct rpc_conn *cb_conn; /* held; NULL: the path is down */
	uint32_t cb_seqid;
	bool cb_busy;
};

struct client {
	struct client *next; /* of all */
	uint64_t id;
	struct xdr_bytes owner; /* its own memory */
	uint8_t verf[NFS4_VERIFIER_SIZE];
	uint32_t flavor, uid; /* the principal of EXCHANGE_ID */
	bool confirmed, courtesy, reclaim_done, may_reclaim, gone;
	bool silent;	  /* the last call to it was not answered in time */
	unsigned refs;	  /* COMPOUNDs at work, sessions, 1 while it is listed */
	uint64_t renewed; /* ms */
	uint32_t cs_seqid;
	bool cs_done; /* csa_sequence cs_seqid was answered with cs_res */
	struct nfs4_create_session_res cs_res;
	struct session *sessions;
	unsigned nsessions;
	struct state *states;
	unsigned nrevoked; /* of them, delegations */
};

/* An open file, shared by the stateid and the COMPOUNDs that use it. */
struct io {
	atomic_uint refs;
	struct file *file;
	bool read, write;    /* what the descriptor can */
	atomic_bool no_pipe; /* splice(2) does not take its data */
};

enum state_type { STATE_OPEN = 1, STATE_LOCK, STATE_DELEG };

struct owner {
	uint32_t len;
	uint8_t *data;
};

/* A file that somebody holds open. */
struct sfile {
	struct sfile *next;
	struct nfs4_fh fh;
	struct state *states; /* opens, locks, delegations */
	struct range *ranges;
};

struct range {
	struct range *next;
	uint64_t from, to; /* to: the last byte */
	bool write;
	struct state *lock;
};

struct state {
	struct state *next; /* in the bucket */
	struct state *of_client, *of_file;
	enum state_type type;
	uint32_t seqid;
	uint8_t other[NFS4_OTHER_SIZE];
	struct client *client;
	struct sfile *file;
	struct owner owner;
	/* STATE_OPEN */
	uint32_t access, deny;
	uint8_t accesses,
		denies; /* bit n: an OPEN with n was made: OPEN_DOWNGRADE goes back to one */
	struct io *io;
	/* STATE_LOCK */
	struct state *open;
	/* STATE_DELEG; io is its own */
	struct state *next_deleg;
	uint32_t deleg; /* OPEN_DELEGATE_READ or _WRITE */
	bool guarded;	/* by a lease of the kernel on io */
	bool called, revoked;
	uint64_t recalled; /* ms; 0: not yet */
	/* The change attribute when it was given, and the last one that was made up since. */
	uint64_t change_given, change_told;
};

struct state_table {
	struct client *clients;
	unsigned nclients;
	struct session *sessions[BUCKETS];
	struct state *states[BUCKETS];
	unsigned nstates, nranges, nsessions;
	struct state *delegs;
	atomic_uint ndelegs;
	struct sfile *files[BUCKETS];
	pthread_cond_t answered; /* a callback; uses CLOCK_MONOTONIC */
	uint64_t next_client, next_state, next_session;
	uint64_t grace_end; /* ms; 0: no grace period */
	uint64_t grace_max;
};

/* state.c: with nfsd.lock held */
unsigned state_hash(const void *data, size_t len); /* a bucket */
int state_start(struct nfsd *s);
void state_free(struct nfsd *s);
struct client *client_find(struct nfsd *s, uint64_t id);
void client_get(struct client *c);
void client_put(struct client *c);
void client_drop(struct nfsd *s, struct client *c); /* with all it holds */
bool client_holds(const struct client *c);
struct session *session_find(struct nfsd *s, const uint8_t *id);
void session_drop(struct nfsd *s, struct session *ss);
void session_put(struct session *ss);
bool in_grace(struct nfsd *s);
void grace_more(struct nfsd *s);			     /* somebody has just reclaimed */
void grace_check(struct nfsd *s);			     /* ends it when it is over */
void state_tick(struct nfsd *s);			     /* takes the lock itself */
void state_conn_gone(struct nfsd *s, struct rpc_conn *conn); /* likewise */

struct sfile *sfile_find(struct nfsd *s, const struct nfs4_fh *fh, bool make);
void sfile_done(struct nfsd *s, struct sfile *f); /* forgets it when nobody holds it open */
struct state *state_new(struct nfsd *s, struct client *c, struct sfile *f, enum state_type type,
			const struct xdr_bytes *owner);
void state_drop(struct nfsd *s, struct state *st);
void state_id(const struct state *st, struct nfs4_stateid *id);
bool owner_is(const struct state *st, const struct xdr_bytes *owner);

/* Whether the caller's client holds this stateid: 0 or an nfsstat4. */
uint32_t state_find(struct compound *c, const struct nfs4_stateid *id, unsigned types,
		    struct state **stp);
/* The stateid that "current" stands for. */
uint32_t stateid_resolve(const struct compound *c, bool saved, const struct nfs4_stateid *in,
			 struct nfs4_stateid *out);
bool stateid_special(const struct nfs4_stateid *id); /* anonymous, or READ bypass */

/* callback.c: an operation behind CB_SEQUENCE. */
struct callback {
	uint32_t op;
	const union nfs4_cb_args *args;
	/*
	 * With the lock held.  NFS4ERR_CB_PATH_DOWN: there was no answer; @res is there with
	 * NFS4_OK only, and until this returns.
	 */
	void (*told)(void *arg, uint32_t status, const union nfs4_cb_res *res);
	void *arg;
};
/* On a session of @c that has a path and is not in a call: false when there is none. */
bool call_client(struct nfsd *s, struct client *c, const struct callback *cb);
bool has_path(const struct client *c); /* for calls, if not just now */

/* io.c: takes the lock itself; the file to read or write for a stateid */
struct io *io_new(struct file *file, bool read, bool write);
/* The file as somebody has it open, held, or NULL: any of them will do to ask or sync it. */
struct io *io_of_anybody(struct nfsd *s, const struct nfs4_fh *fh);
void io_get(struct io *io);
void io_put(struct io *io);
uint32_t io_for(struct compound *c, struct obj *obj, const struct nfs4_stateid *id, bool write,
		struct io **iop);

/* client.c */
uint32_t op_exchange_id(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_destroy_clientid(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_reclaim_complete(struct compound *c, union nfs4_args *args, union nfs4_res *res);

/* session.c */
uint32_t op_create_session(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_destroy_session(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_bind_conn(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_backchannel_ctl(struct compound *c, union nfs4_args *args, union nfs4_res *res);

/* sequence.c */
uint32_t op_sequence(struct compound *c, union nfs4_args *args, union nfs4_res *res);
void slot_finish(struct compound *c); /* the reply is whole: keep it, and free the slot */

/* open.c */
uint32_t op_open(struct compound *c, union nfs4_args *args, union nfs4_res *res);

/* close.c */
uint32_t op_close(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_open_downgrade(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_test_stateid(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_free_stateid(struct compound *c, union nfs4_args *args, union nfs4_res *res);
void set_stateid(struct compound *c, const struct nfs4_stateid *id);

/* deleg.c, with nfsd.lock held */
uint32_t deleg_wanted(const struct nfs4_open_args *a); /* enum open_delegation_type4 */
/* Of a file that is open as @io and has now this change attribute. */
struct deleg_offer {
	const struct nfs4_fh *fh;
	struct io *io;
	uint32_t type;
	uint64_t change;
};
/* False when it cannot be given now. */
bool deleg_give(struct compound *c, const struct deleg_offer *offer, struct nfs4_delegation *d);
void deleg_gone(struct nfsd *s, struct state *st); /* of state_drop() alone */
void deleg_tick(struct nfsd *s);
void deleg_recall(struct nfsd *s, struct state *st);
/* Another client's delegation to write, or NULL. */
struct state *deleg_writer(struct compound *c, const struct nfs4_fh *fh);
/*
 * These take the lock.  Another client's delegation stands against @use: it is called back,
 * and the operation has to be tried again, NFS4ERR_DELAY.
 */
enum deleg_use { DELEG_READ, DELEG_CHANGE, DELEG_OPEN_WRITE };
bool deleg_in_the_way(struct compound *c, const struct nfs4_fh *fh, enum deleg_use use);
/* The same for what has a name, which is about to lose it. */
bool deleg_on_name(struct compound *c, const struct obj *dir, const char *name);
/*
 * The file as the client's own write delegation has it open, held; NULL: it has none.  To be
 * taken where there is one: another open(2) would wait for it to be returned.
 */
struct io *deleg_io(struct compound *c, const struct nfs4_fh *fh);
uint32_t deleg_claim(struct compound *c, const struct nfs4_stateid *id); /* it has this one */
uint32_t op_delegreturn(struct compound *c, union nfs4_args *args, union nfs4_res *res);

/* ask.c; they take the lock */
struct deleg_news {
	bool waited; /* what was known of the file here may be of the time before */
	bool asked;  /* another client holds it, and told what follows */
	uint64_t size, change;
	uint8_t other[NFS4_OTHER_SIZE]; /* of its delegation */
	uint64_t change_given;
};
/* What another client that writes the file knows of it: 0 or NFS4ERR_DELAY. */
uint32_t deleg_ask(struct compound *c, const struct nfs4_fh *fh, struct deleg_news *news);
/* The file has changed by @news, if it is here as @stx says. */
bool deleg_modified(const struct deleg_news *news, const struct statx *stx);
/* A change attribute for it that no client has seen. */
uint64_t deleg_change(struct nfsd *s, const struct deleg_news *news, const struct statx *stx);

/* lock.c */
void ranges_drop(struct nfsd *s, struct state *lock);
uint32_t op_lock(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_lockt(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_locku(struct compound *c, union nfs4_args *args, union nfs4_res *res);

/* db.c: what survives kill -9 */
int db_open(struct nfsd *s);
void db_close(struct nfsd *s);
bool db_has_client(struct nfsd *s, const struct xdr_bytes *owner);
int db_add_client(struct nfsd *s, const struct xdr_bytes *owner);
void db_remove_client(struct nfsd *s, const struct xdr_bytes *owner);
/* Clients of earlier starts that have not come back: how many; and forget them. */
unsigned db_waiting(struct nfsd *s);
void db_end_grace(struct nfsd *s);

#endif
