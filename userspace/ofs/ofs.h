/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ofs.h - what the parts of ocp-mount share; main.c tells what they are.
 *
 * Functions of ours return 0 or a negative errno.  Those of the table of libfuse
 * (ofs_*) answer their request themselves.
 */
#ifndef OFS_H
#define OFS_H

#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vfs.h"

#define OFS_READ_MAX ((size_t)1 << 20)

/* A folder at the top of the mount. */
struct room {
	char *name, *arg;
	const char *where; /* path or URL, in arg */
	struct node *top;
};

/*
 * A file that the kernel knows by a number, which is this struct's address.  Lives while
 * the kernel has looked it up more often than it forgot it.
 */
struct node {
	struct node *next; /* in its bucket */
	struct file *file; /* opened with O_PATH: named, not read */
	struct file_id id;
	struct statx_timestamp born; /* tells apart two files that had one number on a server */
	bool known_birth, hashed;
	uint64_t lookups;
	/* What the kernel's pages of the file were read from: of lock. */
	pthread_mutex_t lock;
	uint64_t cached_size;
	struct statx_timestamp cached_mtime, cached_ctime;
	/* Passthrough: how often it is open, and the kernel's number of it or 0: of lock. */
	unsigned opens;
	int backing;
	struct lock_owner *owners; /* of byte-range locks, see lock.c */
	int lock_file;		   /* where the room has no locks; -1: not made */
};

struct ofs_opts {
	bool foreground, debug, single, allow_other, help, version;
	int clone_fd, no_passthrough;
	unsigned threads;
	double entry_timeout, attr_timeout, negative_timeout;
	char *mountpoint;
	struct room *rooms;
	unsigned nrooms;
};

/* What is open, so that the end of the mount can close it; first in what it is part of. */
struct opened {
	struct opened *next, *prev;
	void (*end)(struct opened *self);
};

struct copy_pool;
struct nodes {
	pthread_mutex_t lock;
	struct opened *opened;
	struct node **bucket;
	size_t nbuckets;
	atomic_size_t n;
	/* Of prune.c: how many there may be, where in the table it was, whose turn it is. */
	atomic_size_t most;
	size_t cursor;
	atomic_uint turn;
};

/* One mount. */
struct ofs {
	struct ofs_opts *opts;
	struct cr_ns *ns;
	struct nodes nodes;
	struct copy_pool *copies;
	int dev; /* /dev/fuse; libfuse's */
	atomic_bool passthrough;
	bool as_caller; /* files are made with the ids of who asks */
	time_t since;
	atomic_bool tuned;   /* after the first open: read_ahead_kb */
	atomic_uint waiters; /* threads that wait for a lock */
	int stop;	     /* not zero: ends soon, what waits for a server gives up */
};

/* An open file; fi->fh is its address. */
struct handle {
	struct opened link;
	struct file *file;
	struct node *node;
	int flock; /* where the room has no locks: a descriptor of its own; else -1 */
};

static inline struct ofs *ofs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh; /* NOLINT(performance-no-int-to-ptr) */
}

/* NULL: the top of the mount, where the rooms are. */
static inline struct node *node_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? NULL : (struct node *)(uintptr_t)ino;
}

/* options.c */
int ofs_options(struct ofs_opts *o, struct fuse_args *args);
void ofs_options_free(struct ofs_opts *o);
void ofs_usage(void);

/* main.c: once the kernel has begun with the mount */
void ofs_read_more_ahead(const struct ofs *o);

/* node.c */
int nodes_init(struct nodes *t);
void nodes_free(struct nodes *t);
void opened_add(struct nodes *t, struct opened *it, void (*end)(struct opened *self));
void opened_del(struct nodes *t, struct opened *it);
/* The node that @file, just opened with O_PATH, stands for, one lookup more; @file is taken. */
int node_get(struct nodes *t, struct file *file, struct node **nodep);
void node_forget(struct nodes *t, struct node *node, uint64_t n);
uint64_t node_ino(const struct file_id *id);
void node_stat(const struct file_id *id, const struct statx *stx, struct stat *st);
/* Looks up @name below @dir: @e and one lookup more. */
int node_lookup(struct ofs *o, struct node *dir, const char *name, struct fuse_entry_param *e);
/* Answers a request for an entry: with @name below @dir, or with @err. */
void node_reply(fuse_req_t req, struct node *dir, const char *name, int err);
int root_lookup(struct ofs *o, const char *name, struct fuse_entry_param *e);
void root_stat(const struct ofs *o, struct stat *st);

/* prune.c: how many files there may be; what is done about it before one more is looked up */
void prune_start(struct nodes *t);
void prune(struct ofs *o);
/* There is no descriptor: after a while there may be, other threads hear what is forgotten. */
bool prune_more(struct ofs *o);

/* ids.c: around what makes files */
void ids_enter(fuse_req_t req);
void ids_leave(fuse_req_t req);
mode_t ids_mode(fuse_req_t req, const struct node *dir, mode_t mode);

/* passthrough.c */
/* Between mounting and serving. */
void passthrough_start(struct ofs *o, struct fuse_session *se);
/* By ofs_init(): this thread's next reply is that to INIT. */
void passthrough_init(const struct ofs *o);
/*
 * @node is opened once more: the kernel's number of it, which passthrough_reply() puts
 * into this thread's next reply, 0: its requests come here, or an error.
 */
int passthrough_open(struct ofs *o, struct node *node, struct fuse_file_info *fi);
void passthrough_reply(int backing);
void passthrough_close(struct ofs *o, struct node *node);

/* copy.c */
struct copy_pool *copies_new(void);
void copies_stop(struct copy_pool *pool);
void copies_free(struct copy_pool *pool);
void ofs_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
			 struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
			 struct fuse_file_info *fi_out, size_t len, int flags);

/* lock.c */
void locks_init(struct node *node);
void locks_free(struct node *node);
void locks_stop(struct ofs *o);
void locks_drop(struct node *node, uint64_t owner);
void ofs_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock);
void ofs_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock,
	       int sleep);
void ofs_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op);

/* attr.c, names.c, dir.c, file.c, xattr.c: rows of the table in main.c */
void ofs_init(void *arg, struct fuse_conn_info *conn);
void ofs_lookup(fuse_req_t req, fuse_ino_t dir, const char *name);
void ofs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n);
void ofs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void ofs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ofs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int what,
		 struct fuse_file_info *fi);
void ofs_access(fuse_req_t req, fuse_ino_t ino, int mask);
void ofs_statfs(fuse_req_t req, fuse_ino_t ino);
void ofs_readlink(fuse_req_t req, fuse_ino_t ino);
void ofs_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t dev);
void ofs_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode);
void ofs_unlink(fuse_req_t req, fuse_ino_t dir, const char *name);
void ofs_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name);
void ofs_symlink(fuse_req_t req, const char *text, fuse_ino_t dir, const char *name);
void ofs_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t newdir,
		const char *newname, unsigned flags);
void ofs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t dir, const char *name);
void ofs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ofs_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
		struct fuse_file_info *fi);
void ofs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void ofs_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t off,
		   struct fuse_file_info *fi);
void ofs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ofs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ofs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void ofs_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
		   struct fuse_file_info *fi);
void ofs_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi);
void ofs_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi,
	       unsigned flags, const void *in, size_t in_size, size_t out_size);
void ofs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ofs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void ofs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi);
void ofs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ofs_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void ofs_setxattr(fuse_req_t req, fuse_ino_t ino, const char *key, const char *value, size_t size,
		  int flags);
void ofs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *key, size_t size);
void ofs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void ofs_removexattr(fuse_req_t req, fuse_ino_t ino, const char *key);

/* The kernel takes ENOSYS for "never again, of any file". */
static inline int reply_error(int err)
{
	return err == -ENOSYS ? EOPNOTSUPP : -err;
}

#endif
