/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nfsd.h - what the files of the server share.
 *
 * Who calls whom: svc.c takes calls from the connections, threads of pool.c carry them out,
 * proc.c goes through a COMPOUND, one row of its table per operation, and the rows are
 * functions of open.c, file.c, dir.c, copy.c ... , which ask state.c for stateids and
 * the core (vfs.h) for files.  A worker has one COMPOUND at a time and may block: before what
 * takes long it calls pool_block().
 *
 * Locks: nfsd.lock guards everything in state.h (clients, sessions, slots, stateids,
 * byte ranges) and is never held over a call that may block.  Export tables do not
 * change once made; a COMPOUND keeps the one it began with.
 */
#ifndef NFSD_H
#define NFSD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/nfs4/attr.h"
#include "lib/nfs4/proto.h"
#include "lib/sunrpc/rpc.h"
#include "vfs.h"

#define NFSD_IO_MAX	 (1u << 20)	       /* bytes of one READ or WRITE */
#define NFSD_MESSAGE_MAX (NFSD_IO_MAX + 4096u) /* of a call or reply */
#define NFSD_CACHED_MAX	 8192u		       /* of a reply that a slot keeps */
#define NFSD_HEAD_ROOM	 (128u << 10)	       /* of a reply, but for the data of READ */
#define NFSD_DIR_ROOM	 (32u << 10)
#define NFSD_OPS	 64u /* in a COMPOUND */
#define NFSD_SLOTS	 64u
#define NFSD_SYNCS	 64u /* locks */
#define NFSD_GROUPS	 (RPC_GROUPS_MAX + 1)

struct nfsd_db;
struct state_table;
struct exports;
struct copies;
struct changes;
struct io;
struct pool;

/* --landlock: where it can; or end; not at all. */
enum nfsd_landlock { NFSD_LANDLOCK_AUTO, NFSD_LANDLOCK_ON, NFSD_LANDLOCK_OFF };

struct nfsd_options {
	struct sockaddr_storage listen;
	const char *exports_file; /* NULL: none */
	const char **exports;
	unsigned nexports;
	const char *state_dir;
	bool foreground;
	enum nfsd_landlock landlock;
	unsigned lease;	    /* seconds */
	unsigned copy_wait; /* ms until a COPY goes on behind its reply */
	unsigned workers, loops;
	struct client_opts *inter; /* servers that COPY may read from; NULL: none */
};

struct nfsd {
	struct nfsd_options opt;
	struct cr_ns *ns;
	bool privileged; /* may act as other users, and open by handle */
	bool landlocked; /* and opens nothing beside what was exported then */

	uint8_t key[16];       /* signs file handles */
	uint8_t server_id[16]; /* of this state directory: stays over restarts */
	uint32_t boot;	       /* counts starts */
	_Atomic uint64_t write_verf;
	pthread_rwlock_t syncs[NFSD_SYNCS]; /* each of many files, see file_sync() */
	_Atomic uint32_t sync_us;	    /* what fsync(2) took of late */
	struct nfsd_db *db;

	pthread_mutex_t exports_lock;
	struct exports *exports;

	pthread_mutex_t lock;
	struct state_table *state;
	struct copies *copies;
	struct changes *changes;
	struct paths *paths; /* NULL: files are opened by handle */

	struct svc *svc;
	struct pool *pool;
	struct rpc_pipes *pipes; /* of NFSD_IO_MAX bytes */
};

/* Whose ids a thread has for files now. */
struct who {
	uint32_t uid, gid;
	uint32_t ngroups;
	uint32_t group[NFSD_GROUPS];
};

struct worker {
	struct nfsd *s;
	pthread_t thread;
	struct who as;
	uint8_t *head; /* NFSD_HEAD_ROOM: a reply without the data of READ */
	uint8_t *data; /* NFSD_MESSAGE_MAX */
	uint8_t *dir;  /* NFSD_DIR_ROOM: a piece of a directory as the storage gives it */
	uint8_t attr[4096];
};

/* Room in w->data for what a result refers to until the reply is sent: NULL when there is none. */
static inline void *data_room(struct worker *w, size_t used, size_t want)
{
	return want <= NFSD_MESSAGE_MAX - used ? w->data + used : NULL;
}

/* A file that a COMPOUND deals with; refs are of that COMPOUND alone. */
struct obj {
	unsigned refs;
	struct nfs4_fh fh;
	bool foreign;			/* of another server: the source of a COPY from there */
	const struct export *export;	/* NULL: of the pseudo root */
	const struct node *node;	/* of the pseudo root */
	const struct client_opts *opts; /* what the export lets this client do */
	struct file *file;		/* opened with O_PATH when it is first needed, or io's */
	struct io *io;			/* held: whose file it is; NULL: it has one of its own */
	bool fresh;			/* the file was opened just now: its attributes are those */
	struct statx stx;		/* stx_mask 0: not asked yet */
};

struct compound {
	struct nfsd *s;
	struct worker *w;
	struct rpc_call *call;
	struct sockaddr_storage peer;
	struct exports *exports;
	struct xdr *in, out;
	struct nfs4_call_head head;
	struct nfs4_reply_head reply;
	uint32_t index; /* of the operation */

	struct session *session; /* held by the slot in use; NULL: none */
	struct client *client;	 /* of the session; held with it */
	struct slot *slot;
	bool cachethis, replayed;
	uint32_t copies; /* asynchronous ones begun here: one is allowed */

	struct obj *cur, *saved;
	bool has_cur_stateid, has_saved_stateid;
	struct nfs4_stateid cur_stateid, saved_stateid;
	size_t data_used;      /* of w->data */
	struct rpc_pipe *pipe; /* held: has the data of a READ; NULL: none */
};

/* One row of proc.c's table. */
struct nfsd_op {
	uint32_t (*run)(struct compound *, union nfs4_args *, union nfs4_res *);
	unsigned flags;
};

#define OPF_FH	     0x1u /* needs a current filehandle */
#define OPF_SAVED    0x2u /* and a saved one */
#define OPF_ALONE    0x4u /* allowed without SEQUENCE, as the only operation */
#define OPF_MODIFIES 0x8u /* room for its result has to be there before */
#define OPF_FIRST    0x10u
#define OPF_FOREIGN  0x40u /* another server's handle is allowed */
#define OPF_LONG     0x80u /* may take so long that others should not wait for it to show */
#define OPF_SETS_FH  0x20u /* a new current filehandle: there is no current stateid then */

/* db.c: an empty file for a database, if there is none, that nobody else may read */
void db_private(const char *path);

/* errno.c */
uint32_t nfsd_status(int err); /* 0 or a negative errno, as an nfsstat4 */

/* cred.c */
void cred_root(struct worker *w);
void cred_caller(struct compound *c, const struct obj *obj);
void cred_map(const struct compound *c, const struct obj *obj, struct who *who);

/* listen.c: a listening socket that we were started with; -ENOENT: none, -EINVAL: no good one */
int listen_inherited(void);

/* confine.c: for all threads that are made from now on; false: the kernel cannot */
bool confine(void);
/* landlock.c */
int landlock_confine(struct nfsd *s, const struct exports *e);

/* svc.c */
int svc_start(struct nfsd *s, int fd);
void svc_stop(struct nfsd *s);
bool svc_due(struct nfsd *s);
void svc_chores(struct worker *w); /* once when they are due, on any thread of the pool */

/* proc.c */
void proc_compound(struct worker *w, struct rpc_call *call);

/* fh.c: 0 or an nfsstat4 */
void obj_get(struct obj *obj);
void obj_put(struct obj *obj);			       /* NULL is allowed */
void set_current(struct compound *c, struct obj *obj); /* takes the reference */
uint32_t obj_from_fh(struct compound *c, const struct nfs4_fh *fh, struct obj **objp);
/* A handle that another server made: nothing but SAVEFH and COPY takes it. */
uint32_t obj_foreign(const struct nfs4_fh *fh, struct obj **objp);
uint32_t obj_root(struct compound *c, struct obj **objp);
/* Around a file of @dir's export; takes @file over, on errors too. */
uint32_t obj_from_file(struct compound *c, const struct obj *dir, struct file *file,
		       struct obj **objp);
/* Around an open file, which is held. */
uint32_t obj_from_io(struct compound *c, const struct obj *dir, struct io *io, struct obj **objp);
/* Somebody has it open: where that serves as well, it is not opened once more. */
void obj_borrow(struct obj *obj, struct io *io);
/* It is found in @dir as @name: for exports that have no other way to a file. */
void obj_learn(struct compound *c, const struct obj *dir, const char *name,
	       const struct nfs4_fh *fh);
/* What has a name, to be asked before that changes; and what became of it. */
bool name_handle(const struct obj *dir, const char *name, struct file_handle_bytes *h);
void name_gone(struct compound *c, const struct obj *dir, const char *name,
	       const struct file_handle_bytes *h);
void name_come(struct compound *c, const struct obj *dir, const char *name,
	       const struct file_handle_bytes *h);
/* The handle of @name below @dir, without opening it. */
uint32_t fh_of_name(struct compound *c, const struct obj *dir, const char *name,
		    struct nfs4_fh *fh);
uint32_t obj_of_node(struct compound *c, const struct node *node, struct obj **objp);
uint32_t obj_file(struct compound *c, struct obj *obj, struct file **filep);
uint32_t obj_stat(struct compound *c, struct obj *obj, const struct statx **stxp);
void obj_changed(struct obj *obj);	 /* what was known of its attributes is not so any more */
bool obj_is_root(const struct obj *obj); /* of its export */
uint64_t siphash(const uint8_t key[16], const void *data, size_t len);

/* names.c */
#define NFSD_NAME (NFS4_NAME_MAX + 1)
uint32_t take_name(const struct xdr_bytes *name, char buf[NFSD_NAME]);
uint32_t op_lookup(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_lookupp(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_putfh(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_putrootfh(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_getfh(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_savefh(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_restorefh(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_secinfo(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_secinfo_no_name(struct compound *c, union nfs4_args *args, union nfs4_res *res);

/* dir.c: the current filehandle has to be a directory that may be changed */
uint32_t dir_of(struct compound *c, struct obj *obj, bool change, struct file **filep);
void dir_before(struct compound *c, struct obj *dir, struct nfs4_change_info *cinfo);
void dir_after(struct compound *c, struct obj *dir, struct nfs4_change_info *cinfo);
uint32_t op_create(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_remove(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_rename(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_link(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_readlink(struct compound *c, union nfs4_args *args, union nfs4_res *res);

/* readdir.c */
uint32_t op_readdir(struct compound *c, union nfs4_args *args, union nfs4_res *res);

/* change.c */
int changes_start(struct nfsd *s);
uint64_t change_of(struct nfsd *s, const struct statx *stx);
/* After each change that is made here, and before it is answered. */
void change_made(struct nfsd *s, const struct statx *after);
void file_changed(struct nfsd *s, struct file *file);
/* A change that a client holds back and nobody has seen: more than was, and than @beyond. */
uint64_t change_held(struct nfsd *s, const struct statx *stx, uint64_t beyond);
/* The same, of data written to @io, which is @obj: its attributes are known then. */
void obj_written(struct compound *c, struct obj *obj, struct io *io);

/* getattr.c */
/* Attributes of @obj that are in @want and supported, encoded into @out. */
uint32_t attrs_encode(struct compound *c, struct obj *obj, const struct nfs4_bitmap *want,
		      struct xdr *out);
struct nfs4_bitmap attrs_supported(void);
uint32_t op_getattr(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_verify(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_nverify(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_access(struct compound *c, union nfs4_args *args, union nfs4_res *res);

/* setattr.c */
uint32_t attrs_take(const struct nfs4_fattr *fattr, struct nfs4_attrs *a, bool creating);
/* All but size; done: what was set. */
uint32_t attrs_apply(struct compound *c, struct obj *obj, const struct nfs4_attrs *a,
		     struct nfs4_bitmap *done);
uint32_t op_setattr(struct compound *c, union nfs4_args *args, union nfs4_res *res);

/* file.c */
uint32_t op_read(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_write(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_commit(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_allocate(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_deallocate(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_seek(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_io_advise(struct compound *c, union nfs4_args *args, union nfs4_res *res);
void put_write_verf(struct nfsd *s, uint8_t verf[NFS4_VERIFIER_SIZE]);
uint32_t file_sync(struct nfsd *s, struct file *file, bool data_only);
void file_syncs_init(struct nfsd *s);

/* read_plus.c */
uint32_t op_read_plus(struct compound *c, union nfs4_args *args, union nfs4_res *res);

/* xattr.c */
uint32_t op_getxattr(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_setxattr(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_listxattrs(struct compound *c, union nfs4_args *args, union nfs4_res *res);
uint32_t op_removexattr(struct compound *c, union nfs4_args *args, union nfs4_res *res);

#endif
