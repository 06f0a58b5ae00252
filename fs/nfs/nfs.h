/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nfs.h - what the files of fs/nfs share.
 *
 * A client is a session with one server for one set of credentials.  It has a thread
 * that runs its event loop, and one that renews the lease; all other threads build
 * a request (nfs_add()), send it and wait (nfs_call()).  What was lost - the
 * connection, the session, the server - is brought back by the first caller who
 * meets the loss (recover.c), while the others wait.
 */
#ifndef CR_NFS_H
#define CR_NFS_H

#include <pthread.h>

#include "fs.h"
#include "fs/nfs/url.h"
#include "lib/nfs4/attr.h"
#include "lib/nfs4/proto.h"
#include "lib/sunrpc/rpc.h"

#define NFS_SLOTS      64u
#define NFS_IO_MAX     (1u << 20)
#define NFS_REQ_OPS    48u
#define NFS_SCOPE_MAX  128u
#define NFS_CB_PROGRAM 0x40000000u
#define NFS_TRIES      5u /* of one operation whose open state was lost each time */

struct nfs_slot {
	uint32_t seq; /* of the next request */
	bool busy;
	bool left; /* by who gave up, before its answer came: busy for ever */
};

struct nfs_session {
	uint8_t id[NFS4_SESSIONID_SIZE];
	uint32_t gen; /* grows with every new one */
	unsigned nslots, target;
	uint32_t maxrequest, maxresponse, maxops;
	struct nfs_slot slot[NFS_SLOTS];
};

/* What is the same for all files of one file system on the server. */
struct nfs_fs {
	struct nfs_fs *next;
	struct nfs4_fsid fsid;
	uint32_t dev; /* stx_dev_minor: unique in the namespace */
	uint32_t rsize, wsize;
	uint32_t clone_block;
	bool excl_mode; /* OPEN with EXCLUSIVE4_1 takes a mode */
	atomic_bool no_xattr, no_seek, no_copy_status;
	atomic_bool no_alloc, no_dealloc, no_read_plus;
};

struct nfs_room;
struct nfs_file;
struct nfs_copy;

/* A callback that came before the reply to its COPY. */
#define NFS_EARLY 16u
struct nfs_offload {
	struct nfs4_stateid stateid;
	uint32_t status;
	struct nfs4_write_response write;
};

struct nfs_client {
	struct nfs_client *next;
	struct nfs_room *room;
	struct nfs_url url; /* without its path */
	struct rpc_cred cred;
	struct ev_loop *loop;
	pthread_t keeper;
	bool kept;
	unsigned minor;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	struct sockaddr_storage addr;
	struct rpc_conn *conn;
	bool conn_up, session_up, recovering, bind_wanted, reclaim, ending;
	int last_err;		    /* of the last attempt to recover */
	int conn_err;		    /* why the connection ended */
	unsigned lease;		    /* s */
	uint64_t stopped_at, heard; /* ms: the stop flag was seen; the server answered */

	/* Who we are, and who the server is: set by recovery alone. */
	char owner[NFS_NAME_SIZE];
	uint8_t verf[NFS4_VERIFIER_SIZE];
	uint64_t clientid;
	bool have_clientid;
	uint32_t create_seq;
	uint8_t major[NFS_SCOPE_MAX]; /* server owner and scope, the start of each */
	uint32_t major_len;
	struct nfs_session s;
	uint32_t boots; /* how often the server was found without our state */

	struct nfs_fs *fs;
	struct nfs_file *files;
	uint64_t next_owner;

	/* callback.c */
	uint32_t cb_seq, cb_len;
	uint8_t cb_reply[1024];
	struct nfs_copy *copies;
	unsigned copies_starting, nearly;
	struct nfs_offload early[NFS_EARLY];
};

/* A file system seen through any client: devices are told apart in the whole namespace. */
struct nfs_dev {
	struct nfs_dev *next;
	struct nfs4_fsid fsid;
	uint8_t major[NFS_SCOPE_MAX];
	uint32_t major_len, dev;
};

struct nfs_room {
	pthread_mutex_t lock;
	struct nfs_client *clients;
	pthread_mutex_t devs_lock; /* of devs, and of who the servers are */
	struct nfs_dev *devs;
	const int *stop; /* may be NULL */
	mode_t umask;
};

/* Bytes of a file; none when from >= to. */
struct nfs_span {
	uint64_t from, to;
};

struct nfs_file {
	atomic_uint refs;
	struct nfs_client *clp;
	struct nfs_fs *fs;
	struct nfs4_fh fh;

	/* Open state: of clp->lock. */
	struct nfs_file *prev, *next;
	struct nfs4_stateid stateid;
	bool open;
	bool granted; /* the stateid came from another client: a server copies for it */
	uint32_t access;
	uint64_t owner;
	pthread_mutex_t reopen;

	pthread_mutex_t lock;	      /* of all below */
	bool dirty;		      /* the server has data that it may still lose */
	struct nfs_span unsafe, lost; /* around these; around those that it did lose */
	unsigned losses, told;	      /* as of then nfs_settle() said what was lost */
	uint8_t verf[NFS4_VERIFIER_SIZE];
	bool touched;	/* changed without a verifier, */
	uint32_t boots; /* by the server as of then */
	uint64_t writes;
	uint64_t cookie;
	uint8_t cookie_verf[NFS4_VERIFIER_SIZE];
	bool dir_end;
	struct rpc_rec *page; /* of the directory, read up to page_at */
	struct xdr page_at;
};

/* A COMPOUND.  Arguments and results are the caller's. */
struct nfs_op {
	uint32_t op, status;
	void *args, *res;
};

struct nfs_req {
	struct nfs_client *clp;
	struct nfs_op op[NFS_REQ_OPS];
	unsigned n;
	bool once;	 /* not to be done twice: the server keeps the reply */
	const int *stop; /* ends it, beside the namespace's */
	/* What became of it. */
	unsigned done;	     /* operations answered */
	uint32_t status;     /* of the last one */
	bool uncertain;	     /* it may have been done once before, by a server that forgot it */
	uint32_t boots;	     /* clp->boots when it was sent */
	struct rpc_rec *rec; /* what results refer to, until nfs_end() */
};

/* call.c */
void nfs_begin(struct nfs_req *req, struct nfs_client *clp);
void nfs_add(struct nfs_req *req, uint32_t op, void *args, void *res);
int nfs_call(struct nfs_req *req);
void nfs_end(struct nfs_req *req);
int nfs_call_bare(struct nfs_req *req, uint32_t timeout_ms);
int nfs_call_slot0(struct nfs_req *req, uint32_t timeout_ms);
int nfs_sleep(struct nfs_client *clp, uint64_t since, unsigned ms, const int *stop);
uint32_t nfs_patience(const struct nfs_client *clp, uint32_t most);
bool nfs_gives_up(struct nfs_client *clp, uint64_t since, const int *stop);
void nfs_cond_init(pthread_cond_t *cond);
void nfs_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, unsigned ms);

/* recover.c */
int nfs_recover(struct nfs_client *clp);
int nfs_first_contact(struct nfs_client *clp);
void nfs_goodbye(struct nfs_client *clp);

/* callback.c */
void nfs_callback(void *ctx, struct rpc_call *call);

/* client.c */
int nfs_client_get(struct nfs_room *room, const struct nfs_url *url, struct nfs_client **clpp);
void nfs_client_free(struct nfs_client *clp);
int nfs_fs_get(struct nfs_client *clp, const struct nfs4_fh *fh, const struct nfs4_fsid *fsid,
	       struct nfs_fs **fsp);

/* state.c */
int nfs_open_name(struct nfs_client *clp, const struct nfs4_fh *dir, const char *name,
		  struct file *child, mode_t mode);
int nfs_open_fh(struct nfs_file *nf, uint32_t access);
struct nfs4_stateid nfs_stateid(struct nfs_file *nf);
bool nfs_state_again(struct nfs_file *nf, const struct nfs4_stateid *used, uint32_t status,
		     unsigned *tries, int *err);
int nfs_close(struct nfs_file *nf);
int nfs_reclaim(struct nfs_client *clp);
void nfs_file_put(struct nfs_file *nf);

/* walk.c */
struct nfs_node {
	struct nfs4_fh fh;
	struct nfs4_fsid fsid;
	struct statx stx; /* without its device */
};
/* Names, from a directory or (NULL) the server's root on. */
struct nfs_path {
	const struct nfs4_fh *from;
	const char *name;
	size_t len;
};
int nfs_walk(struct nfs_client *clp, const struct nfs_path *path, bool follow,
	     struct nfs_node *node);
int nfs_adopt(struct file *child, struct nfs_client *clp, const struct nfs_node *node);

/* attr.c */
extern const struct nfs4_bitmap nfs_stat_map;
int nfs_stat(const struct nfs4_fattr *fattr, struct nfs_node *node);
void nfs_set_dev(const struct nfs_fs *fs, struct statx *stx);
int nfs_pack(struct nfs4_attrs *attrs, struct nfs4_fattr *fattr, uint8_t *buf, size_t size);
int nfs_getattr(struct file *file, const char *name, struct statx *stx);
int nfs_statfs(struct file *file, struct statfs *st);
int nfs_setattr(struct file *file, const char *name, const struct iattr *attr);
int nfs_truncate(struct file *file, off_t size);
ssize_t nfs_listxattr(struct file *file, const char *name, char *list, size_t size);
ssize_t nfs_getxattr(struct file *file, const char *name, const char *key, struct iovec *val);
int nfs_removexattr(struct file *file, const char *name, const char *key);
int nfs_setxattr(struct file *file, const char *name, const struct xattr *xattr);

/* dir.c */
ssize_t nfs_readdir(struct file *file, struct dirbuf *buf);
int nfs_mkdir(struct file *dir, const char *name, mode_t mode);
int nfs_mknod(struct file *dir, const char *name, mode_t mode, dev_t dev);
int nfs_symlink(struct file *dir, const char *name, const char *target);
ssize_t nfs_readlink(struct file *dir, const char *name, char *buf, size_t size);
int nfs_link(struct file *olddir, const char *old, struct file *dir, const char *name);
int nfs_unlink(struct file *dir, const char *name, int flags);
int nfs_rename(struct file *olddir, const char *old, struct file *dir, const char *name,
	       unsigned flags);
ssize_t nfs_link_text(struct nfs_client *clp, const struct nfs4_fh *fh, const char *name, char *buf,
		      size_t size);

/* read.c */
ssize_t nfs_read(struct file *file, void *buf, size_t len, off_t pos);

/* data.c */
bool nfs_not_known(uint32_t status);
ssize_t nfs_write(struct file *file, const void *buf, size_t len, off_t pos);
off_t nfs_seek(struct file *file, off_t pos, int whence);
int nfs_allocate(struct file *file, int mode, off_t pos, off_t len);

/* commit.c */
int nfs_sync(struct file *file, bool data_only);
int nfs_flush(struct file *file);
int nfs_settle(struct file *file, struct file_range *range);
void nfs_touched(struct nfs_file *nf, const struct nfs_span *span, uint32_t boots);
void nfs_wrote(struct nfs_file *nf, const struct nfs_span *span, uint32_t committed,
	       const uint8_t *verf);
int nfs_commit(struct nfs_file *nf);
/* The same in a request together with something else. */
struct nfs_commit {
	bool dirty, touched;
	uint64_t writes;
	struct nfs4_commit_args args;
	struct nfs4_commit_res res;
};
bool nfs_commit_begin(struct nfs_file *nf, struct nfs_commit *c);
int nfs_commit_end(struct nfs_file *nf, const struct nfs_commit *c, uint32_t boots, int err);

/* grant.c */
#define NFS_GRANT_LOCS 4u
#define NFS_UADDR_SIZE 64u
struct nfs_grant {
	struct nfs4_fh fh; /* of the source */
	struct nfs4_stateid stateid;
	uint32_t n; /* addresses of its server */
	struct {
		char netid[8], uaddr[NFS_UADDR_SIZE];
	} at[NFS_GRANT_LOCS];
};
const struct nfs_grant *nfs_grant_of(const struct copy_grant *grant);
void nfs_grant_locs(const struct nfs_grant *grant, struct nfs4_netlocs *locs);
int nfs_grant_verdict(struct copy_result *res, uint32_t status);
int nfs_grant(const struct copy_req *req, struct copy_grant *to, struct copy_result *res);
void nfs_revoke(struct file *file, const struct copy_grant *from);

/* copy.c */
int nfs_refuse(struct copy_result *res, enum copy_strategy_id s, const char *reason, int error,
	       enum copy_scope scope);
int nfs_redeem(const struct copy_req *req, const struct copy_grant *grant, struct copy_result *res);
int nfs_clone_range(const struct copy_req *req, struct copy_result *res);
int nfs_copy_range(const struct copy_req *req, struct copy_result *res);
bool nfs_offload_done(struct nfs_client *clp, const struct nfs_offload *off);

static inline struct nfs_file *nfs_of(const struct file *file)
{
	return file->private;
}

/* The outcome of nfs_call() and of the operations in it. */
static inline int nfs_result(const struct nfs_req *req, int err)
{
	return err ? err : nfs4_status_errno(req->status);
}

#endif
