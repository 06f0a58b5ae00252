/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab.h - a client for tests of ocp-nfsd: a server of one's own, sessions, and
 * COMPOUNDs that are sent and waited for.
 */
#ifndef NFS_LAB_H
#define NFS_LAB_H

#include <semaphore.h>

#include "lib/nfs4/attr.h"
#include "lib/nfs4/proto.h"
#include "lib/sunrpc/rpc.h"

#define LAB_SLOTS 8u
#define LAB_ROOM  (64u << 10)

struct lab_server {
	char *exports[4]; /* lines of exports(5), freed by lab_stop() */
	unsigned nexports;
	char state[64];
	char port[16];
	const char *lease, *copy_wait; /* NULL: 5 s, 1000 ms */
	const char *inter;	       /* NULL: off */
	int uid;		       /* it runs as this user, 0: root */
	int pid, err;		       /* err: its stderr */
	struct sockaddr_storage addr;
};

/* A client with one session. */
struct lab {
	struct ev_loop *loop;
	struct rpc_conn *conn;
	const char *name;
	uint64_t clientid;
	uint8_t session[NFS4_SESSIONID_SIZE];
	uint32_t seq[LAB_SLOTS];
	uint32_t uid;
	bool uncached; /* replies may be longer than what a slot keeps */

	/* The COMPOUND being made, or its reply. */
	uint8_t buf[LAB_ROOM];
	struct xdr x;
	struct nfs4_call_head call;
	struct nfs4_reply_head reply;
	struct rpc_rec *rec;
	int err; /* of the RPC */
	sem_t came;

	/* CB_OFFLOAD, CB_RECALL; CB_GETATTR raises no called_back */
	sem_t called_back;
	_Atomic bool deaf; /* callbacks are not answered */
	struct nfs4_stateid cb_stateid;
	uint32_t cb_status;
	uint64_t cb_count;
	bool knows; /* the answer to CB_GETATTR; else there is none */
	uint64_t cb_change, cb_size;
	bool counts; /* and refuses a callback that it has seen before */
	uint32_t cb_seqid;
};

/* True when it serves; else the reason is in lab_why(). */
bool lab_start(struct lab_server *srv);
/* And waits for its end: its status as of waitpid(2), what it said on stderr if that is not 0. */
int lab_kill(struct lab_server *srv, int sig);
int lab_stop(struct lab_server *srv); /* by SIGTERM; 0 when it ended well, or ran no more */
bool lab_export(struct lab_server *srv, const char *path);
const char *lab_why(void);
/* A file "src" of @size bytes in @dir. */
void lab_source(const char *dir, size_t size);

bool lab_connect(struct lab *lab, const struct lab_server *srv);
void lab_disconnect(struct lab *lab);
/* Connection, EXCHANGE_ID, CREATE_SESSION and, unless @reclaiming, RECLAIM_COMPLETE. */
bool lab_client(struct lab *lab, const struct lab_server *srv, const char *name, bool reclaiming);
void lab_end(struct lab *lab);

/* A COMPOUND: lab_begin() or lab_sequence(), lab_op()..., lab_send(); then lab_res() for each. */
void lab_begin(struct lab *lab);
void lab_sequence(struct lab *lab, uint32_t slot);
void lab_op(struct lab *lab, uint32_t op, const void *args, size_t size);
#define LAB_OP(lab, op, ...)                                                                       \
	lab_op(lab, op, &(union nfs4_args){__VA_ARGS__}, sizeof(union nfs4_args))
/* The status of the whole; SEQUENCE's result is taken.  ~0u: no reply, see lab->err. */
uint32_t lab_send(struct lab *lab);
uint32_t lab_res(struct lab *lab, uint32_t op, union nfs4_res *res);

/* Way to a path by LOOKUPs; its handle. */
uint32_t lab_fh(struct lab *lab, const char *path, struct nfs4_fh *fh);
uint32_t lab_open(struct lab *lab, const struct nfs4_open_args *open, const struct nfs4_fh *dir,
		  struct nfs4_open_res *res, struct nfs4_fh *fh);
/* OPEN4_CREATE UNCHECKED of @name with this access and deny, by owner @owner. */
struct nfs4_open_args lab_create(const char *name, const char *owner, uint32_t access,
				 uint32_t deny);

#endif
