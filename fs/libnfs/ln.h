/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ln.h - what the files of fs/libnfs share.
 *
 * A session is a context of libnfs, which one thread alone may touch: it has one.  All
 * others describe a call (struct ln_call), give it to that thread and wait, so as
 * many are under way as there are callers.
 */
#ifndef CR_LN_H
#define CR_LN_H

#include <nfsc/libnfs.h>
#include <nfsc/libnfs-raw.h>
#include <nfsc/libnfs-raw-nfs4.h>
#include <pthread.h>

#include "fs.h"
#include "fs/libnfs/place.h"

#define LN_IO	 (1u << 20)
#define LN_IO_V4 3072u /* libnfs 4 has 4096 bytes for a request of NFS 4 */

#define LN_CALLS(X)                                                                                \
	X(nfs_init_context)                                                                        \
	X(nfs_destroy_context)                                                                     \
	X(nfs_parse_url_incomplete)                                                                \
	X(nfs_destroy_url)                                                                         \
	X(nfs_set_auth)                                                                            \
	X(libnfs_authunix_create)                                                                  \
	X(nfs_set_timeout)                                                                         \
	X(nfs_get_error)                                                                           \
	X(nfs_get_readmax)                                                                         \
	X(nfs_get_writemax)                                                                        \
	X(nfs_mount)                                                                               \
	X(nfs_get_fd)                                                                              \
	X(nfs_which_events)                                                                        \
	X(nfs_service)                                                                             \
	X(nfs_get_rpc_context)                                                                     \
	X(nfs_stat64_async)                                                                        \
	X(nfs_lstat64_async)                                                                       \
	X(nfs_fstat64_async)                                                                       \
	X(nfs_open2_async)                                                                         \
	X(nfs_close_async)                                                                         \
	X(nfs_pread_async)                                                                         \
	X(nfs_pwrite_async)                                                                        \
	X(nfs_ftruncate_async)                                                                     \
	X(nfs_opendir_async)                                                                       \
	X(nfs_readdir)                                                                             \
	X(nfs_closedir)                                                                            \
	X(nfs_mkdir2_async)                                                                        \
	X(nfs_rmdir_async)                                                                         \
	X(nfs_mknod_async)                                                                         \
	X(nfs_unlink_async)                                                                        \
	X(nfs_rename_async)                                                                        \
	X(nfs_link_async)                                                                          \
	X(nfs_symlink_async)                                                                       \
	X(nfs_readlink_async)                                                                      \
	X(nfs_lchown_async)                                                                        \
	X(nfs_lchmod_async)                                                                        \
	X(nfs_lutimes_async)                                                                       \
	X(rpc_nfs4_compound_async)                                                                 \
	X(nfsstat4_to_errno)

struct ln_lib {
#define LN_CALL(name) __typeof__ (&(name))(name);
	LN_CALLS(LN_CALL)
#undef LN_CALL
};

/* What is at the path, and below it, is not opened before it has its other name. */
struct ln_moving {
	struct ln_moving *next;
	char *path;
};

struct ln_call;
struct ln_session {
	struct ln_session *next;
	struct ln_place place;
	char root[LN_PATH]; /* what is mounted: "/", or an export without a slash at its end */
	struct ln_lib lib;
	struct nfs_context *ctx;
	const int *stop; /* may be NULL */
	pthread_t thread;
	int bell;
	uint32_t rsize, wsize;
	pthread_mutex_t turn; /* of opens and closes of version 4 */
	/*
	 * Held for reading by all that use a path, for writing by renames of what is open, or
	 * has something open below.
	 */
	pthread_rwlock_t names;

	pthread_mutex_t lock; /* of what follows */
	struct ln_call *queue, **queue_end;
	bool ending;
	int dead; /* why nothing more is asked */
	struct ln_file *files;
	struct ln_moving *moving; /* what gets another name, and nobody has open */
	pthread_cond_t moved;
	uint64_t stopped_at; /* ms: the stop flag was seen */

	unsigned running; /* the thread's own */
};

/* One call: what it needs, and what becomes of it. */
struct ln_call {
	struct ln_call *next;
	struct ln_session *s;
	int (*start)(struct ln_session *, struct ln_call *); /* 0, or it did not begin */
	void (*take)(struct ln_call *, void *data);	     /* of its answer, on the thread */
	const char *path, *path2;
	struct nfsfh *fh;
	uint64_t pos;
	size_t len;
	const void *in;
	void *out;
	int flags;
	unsigned mode, dev;
	const struct iattr *attr;

	int status; /* 0 or a count, or a negative errno */
	bool done;
	pthread_cond_t cond;
};

struct ln_room {
	pthread_mutex_t lock;
	struct ln_session *sessions;
	const int *stop;
	mode_t umask;
};

/* An entry of a directory that was read. */
struct ln_entry {
	uint64_t ino;
	size_t name; /* where in the names */
	unsigned char type;
};

struct ln_file {
	struct ln_session *s;
	struct ln_file *prev, *next; /* all of the session: of its lock, as is the path */
	char *path;		     /* below what is mounted, with its slash */
	bool follow;
	uint64_t ino, dev;
	int access;	      /* O_ACCMODE */
	struct nfsfh *fh;     /* NULL: not open for data; of the session's lock */
	pthread_mutex_t lock; /* of all below */
	bool listed;
	struct ln_entry *entry;
	size_t n, at, room;
	char *names;
	size_t names_len, names_room;
};

/* session.c */
int ln_session_open(const struct ln_place *place, const char *root, const int *stop,
		    struct ln_session **sp);
void ln_session_close(struct ln_session *s);
bool ln_session_alive(struct ln_session *s);
int ln_do(struct ln_session *s, struct ln_call *call);
/* What libnfs calls back with: &ln_answer, and the call. */
void ln_answer(int status, struct nfs_context *ctx, void *data, void *arg);
void ln_finish(struct ln_call *call, int status);

/* file.c */
ssize_t ln_read(struct file *file, void *buf, size_t len, off_t pos);
ssize_t ln_write(struct file *file, const void *buf, size_t len, off_t pos);
int ln_truncate(struct file *file, off_t size);
int ln_open_data(struct ln_file *lf, int flags, unsigned mode);
int ln_close_data(struct ln_file *lf);
int ln_clone_range(const struct copy_req *req, struct copy_result *res);
int ln_copy_range(const struct copy_req *req, struct copy_result *res);

/* attr.c */
int ln_stat(struct ln_session *s, const char *path, bool follow, struct statx *stx);
int ln_getattr(struct file *file, const char *name, struct statx *stx);
int ln_setattr(struct file *file, const char *name, const struct iattr *attr);

/* v4.c */
int ln_setattr_v4(struct ln_session *s, const char *path, const struct iattr *attr);
int ln_create_v4(struct ln_session *s, const char *path, const char *name, mode_t mode);

/* path.c */
struct ln_file *ln_file_new(struct ln_session *s, char *path);
void ln_file_free(struct ln_file *lf);
char *ln_hold(const struct file *file, const char *name);
void ln_let_go(struct ln_session *s, char *path);
char *ln_below(const struct file *file, const char *name);
int ln_renamed(struct ln_session *s, const char *old, const char *now);
bool ln_move_begin(struct ln_session *s, struct ln_moving *move);
void ln_move_end(struct ln_session *s, const struct ln_moving *move);

/* dir.c */
ssize_t ln_readdir(struct file *file, struct dirbuf *buf);
int ln_mkdir(struct file *dir, const char *name, mode_t mode);
int ln_mknod(struct file *dir, const char *name, mode_t mode, dev_t dev);
int ln_symlink(struct file *dir, const char *name, const char *target);
ssize_t ln_readlink(struct file *dir, const char *name, char *buf, size_t size);
int ln_link(struct file *olddir, const char *old, struct file *dir, const char *name);
int ln_unlink(struct file *dir, const char *name, int flags);
int ln_rename(struct file *olddir, const char *old, struct file *dir, const char *name,
	      unsigned flags);

static inline struct ln_file *ln_of(const struct file *file)
{
	return file->private;
}

#endif
