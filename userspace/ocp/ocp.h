/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ocp.h - what the files of ocp that copy share: one run, its workers, the
 * directories it is in, the entry in hand.
 */
#ifndef OCP_H
#define OCP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "opts.h"
#include "userspace/progress.h"
#include "report.h"
#include "vfs.h"

struct links;
struct manifest;
struct node;
struct journal;
struct operands;
struct partial;
struct pool;
struct sync_fs;
struct verify;

/*
 * Several processes that copy one tree, each a shard of it (ocp-mpi): files larger than
 * @split are left for all of them to copy together.
 */
struct team {
	uint64_t split;
	bool made; /* the tree is from such runs alone: JOURNAL_OURS for all */
	void (*begun)(struct team *team, bool made); /* the tree's directory is there; or NULL */
	/* A large one, whose partial file is there.  From any worker. */
	void (*large)(struct team *team, const struct node *dir, const char *name,
		      const char *dname);
};

/* One run of ocp. */
struct ocp {
	const struct ocp_opts *o;
	struct report *report;
	struct progress *progress;
	struct cr_ns *ns;
	struct copy_share *share; /* NULL: not wanted or not possible */
	struct file *share_dir;	  /* what it needs open */
	struct pool *pool;
	struct links *links;
	struct operands *operands;
	struct manifest *manifest; /* NULL: none */
	struct team *team;	   /* NULL: we are alone */
	bool again;		   /* a second run of the same: the manifest goes on */
	bool root;		   /* we may give files away */
	mode_t umask;
	unsigned workers;
	int *stop; /* not 0: a signal or --stop-after-errors asks us to end */

	pthread_mutex_t throttle_lock;
	uint64_t throttle_paid;	 /* until when all that was moved is paid for, ns */
	struct sync_fs *sync_fs; /* ocp->tree guards it */
	bool sync_lost;
	atomic_bool context_warned;

	pthread_mutex_t tree; /* guards pending, users, parked of every dir */
	atomic_uint open_dirs;
	unsigned max_open_dirs;
};

/* A thread that copies; number 0 is main's. */
struct worker {
	struct ocp *ocp;
	unsigned id;
	char *xattrs;	       /* XATTR_BUF bytes: names, then values behind them */
	struct node *made_in;  /* where the last file was made, */
	mode_t made_asked;     /* with this mode, */
	struct iattr made_got; /* and what it got */
	struct node *link_dir; /* the directory last linked from, kept open */
	struct file *link_file;
	struct copy_result last; /* of the file in hand, for --json=lines */
	struct verify *verify;	 /* NULL: copies are not read back */
	char *label;		 /* --preserve=context: of the name in hand, or NULL */
	struct ranges *ranges;	 /* of the file in hand, for --explain, or NULL */
	uint64_t rnd;		 /* state of temporary names */
};

#define XATTR_BUF ((size_t)128 << 10)

/*
 * A place in both trees, kept as long as anybody may need its name: paths are
 * built from it on demand, because a path of a deep tree is long.
 */
struct node {
	struct node *up;
	atomic_uint refs;
	struct file *dst; /* of a root: the directory, held open; else NULL */
	bool top;	  /* of an operand: what --exclude calls / */
	bool root;	  /* its names are written as they are, no slash after them */
	char *temp;	  /* the name it has while its first files are made; ocp->tree guards it */
	const char *src_name, *dst_name; /* the same string but for roots */
	char names[];
};

struct task {
	struct task *next, *prev;
	void (*run)(struct worker *w, struct task *task); /* frees it */
};

/* Names of one directory that wait: a type byte and a string each. */
struct names {
	struct task task; /* first */
	struct dir *dir;
	unsigned n;
	struct dir *guard; /* has a temporary name until they are done, or NULL */
	size_t len;
	char data[];
};

/* What one buffer of a directory is taken apart into. */
struct harvest {
	struct task *dirs;
	struct names *files; /* the last one is not full; the others hang behind it */
	unsigned n;	     /* names in all */
};

/* A pair of directories being copied. */
struct dir {
	struct dir *up;
	struct node *node;
	struct file *src, *dst; /* NULL while parked; dst also in a dry run */
	struct file_id src_id, dst_id;
	struct iattr want, have; /* attributes of the source, and those dst has got so far */
	struct dirbuf buf;
	struct harvest harvest;	 /* the first names, read before dst was made */
	struct dir *guard;	 /* NULL, this one, or one above: see mkdir.c */
	atomic_uint guards;	 /* of a guard: bundles until it gets its name, */
	atomic_uint guarded;	 /* and how many names they had in all */
	uint32_t flags;		 /* inode flags of dst: new files inherit some */
	unsigned pending;	 /* reading, queued entries, children: at 0 it is finished */
	unsigned users;		 /* threads that use src and dst now */
	struct journal *journal; /* of an operand, with --resume */
	bool trusted;		 /* files in it with the right size and time are whole */
	mode_t loosened;	 /* mode bits that dst got for the time we work in it */
	bool made;		 /* dst was made by us: nothing stands in it */
	bool root;    /* no directory to copy: what the command line's names are relative to */
	bool read;    /* its names are wanted */
	bool listed;  /* all of them have been read */
	bool parked;  /* src and dst are closed for now */
	bool has_dst; /* false below what a dry run would make */
	dev_t dev;    /* of the source, for -x */
	bool acl;     /* dst has a default ACL */
	atomic_bool no_tmpfile; /* O_TMPFILE does not work here */
};

/* One name in hand. */
struct item {
	struct dir *dir;
	const char *name;	 /* below dir->src */
	const char *dname;	 /* below dir->dst */
	unsigned char type;	 /* DT_* where readdir knew it */
	bool operand;		 /* it stands on the command line */
	bool parent;		 /* a directory above it that --parents makes */
	bool alone;		 /* a task of its own: a directory may be entered */
	bool clash;		 /* an earlier operand has the same destination */
	bool fresh;		 /* nothing stands at dname */
	struct dir *guard;	 /* has a temporary name until this is done, or NULL */
	bool through;		 /* a symbolic link stands there, and dst is what it points to */
	bool dangling;		 /* it points to nothing */
	bool named;		 /* the new file has its name from the start */
	bool no_backup;		 /* it is the backup */
	char *backup;		 /* the name that stood at dname is this now; of malloc() */
	bool linked;		 /* owner of an entry of the table of hard links */
	struct file *in;	 /* source, once open */
	uint64_t sum[2];	 /* XXH3-128 of its copy, high half first, */
	bool summed;		 /* where it was read back */
	struct partial *partial; /* a large file with --resume */
	bool whole;		 /* what stands there has its contents already */
	bool reported;		 /* worker->last is its result */
	struct dir *child;	 /* it was a directory: to be walked by the caller */
	struct statx src;
	struct statx dst; /* where not fresh */
};

/* names.c: what is in a directory */
struct names *names_new(struct worker *w, struct dir *d, size_t size);
void names_add(struct names *names, const char *name, unsigned char type);
void harvest_read(struct worker *w, struct dir *d, struct harvest *h);
unsigned harvest_drop(struct harvest *h);

/* walk.c: made into tasks */
void walk_later(struct worker *w, struct item *it);
void walk_tree(struct worker *w, struct dir *d);

/* mkdir.c: directories, made and finished */
#define GUARD_MAX ((uint64_t)1 << 20) /* larger files are not waited for */
int mkdir_enter(struct worker *w, struct item *it);
int mkdir_target(struct worker *w, struct item *it, struct dir *d);
void mkdir_finish(struct worker *w, struct dir *d);
void guard_done(struct worker *w, struct dir *d);

/* dir.c: life of struct dir and struct node */
struct dir *dir_new(struct dir *up, const char *src_name, const char *dst_name);
void dir_free(struct dir *d);
void dir_inherits(struct ocp *ocp, struct dir *d);
int dir_hold(struct ocp *ocp, struct dir *d);
void dir_release(struct ocp *ocp, struct dir *d);
void dir_opened(struct ocp *ocp, struct dir *d);
void dir_pend(struct ocp *ocp, struct dir *d);
void dir_done(struct worker *w, struct dir *d);
struct node *node_get(struct node *node);
void node_put(struct node *node);
int node_open(struct ocp *ocp, struct node *node, struct file **filep);
/* A path for people: of malloc(); "?" where there is no memory for it. */
char *path_src(const struct node *node, const char *name);
char *path_dst(const struct node *node, const char *name);
/* Below its operand, with a slash at the end; NULL where there is no memory. */
char *path_below(const struct node *node);

/* entry.c: what becomes of one name */
void item_copy(struct worker *w, struct item *it);
bool item_follows(const struct ocp *ocp, const struct item *it);
void item_error(struct worker *w, const struct item *it, int err, enum ocp_msg msg);

/* device.c: block devices as targets */
void device_error(struct worker *w, const struct item *it, int err);
int device_sync(struct worker *w, const struct item *it, struct file *out);
/* Whether it has bytes at offsets, and a size: what the core copies. */
static inline bool has_ranges(mode_t mode)
{
	return S_ISREG(mode) || S_ISBLK(mode);
}
void item_verbose(struct worker *w, const struct item *it);
/* With --dry-run: says what would be done, and true. */
bool item_dry(struct worker *w, const struct item *it, const char *action);

/* target.c: what stands at the destination, and whether it may go */
enum target { TARGET_GO, TARGET_SKIP, TARGET_ERROR };
enum target target_settle(struct worker *w, struct item *it);
int target_remove(struct worker *w, struct item *it);

/* backup.c */
int backup_make(struct worker *w, struct item *it);
void backup_undo(struct worker *w, struct item *it);
char *backup_of_self(struct worker *w, const struct item *it);

/* data.c: one regular file */
int file_copy(struct worker *w, struct item *it);

/*
 * verify.c: the copy read back and compared.  verify_feed() hears the bytes of a
 * source that cannot be read again, from verify_begin() on.
 */
#ifdef CONFIG_OCP_VERIFY
int verify_new(struct worker *w);
void verify_free(struct verify *v);
void verify_begin(struct worker *w);
void verify_feed(struct worker *w, const void *data, size_t len);
int verify_copy(struct worker *w, struct item *it, struct file *out, uint64_t bytes);
int manifest_open(struct ocp *ocp);
void manifest_add(struct worker *w, const struct item *it);
void manifest_close(struct ocp *ocp);
#else
static inline int verify_new(struct worker *w)
{
	return 0;
}
static inline void verify_free(struct verify *v)
{
}
static inline void verify_begin(struct worker *w)
{
}
static inline void verify_feed(struct worker *w, const void *data, size_t len)
{
}
static inline int verify_copy(struct worker *w, struct item *it, struct file *out, uint64_t bytes)
{
	return 0;
}
static inline int manifest_open(struct ocp *ocp)
{
	return 0;
}
static inline void manifest_add(struct worker *w, const struct item *it)
{
}
static inline void manifest_close(struct ocp *ocp)
{
}
#endif

/* make.c: everything that is no regular file and no directory */
int make_symlink(struct worker *w, struct item *it);
int make_special(struct worker *w, struct item *it);
int make_hard_link(struct worker *w, struct item *it);	   /* -l */
int make_symbolic_link(struct worker *w, struct item *it); /* -s */
int make_link_again(struct worker *w, struct item *it, struct node *node, const char *name);

/* temp.c: temporary names */
#define TEMP_MAX 256
void temp_name(struct worker *w, const char *name, char temp[TEMP_MAX]);
int temp_create(struct worker *w, struct item *it, mode_t mode, char temp[TEMP_MAX],
		struct file **out);
int temp_commit(struct worker *w, struct item *it, const char *temp, struct file *out);
int rename_new(struct file *dir, const char *from, const char *to); /* -EEXIST: @to is there */
void temp_drop(struct item *it, const char *temp);

/*
 * attr.c, xattr.c, flags.c: attributes.  A pair says from where to where: an
 * open file (name NULL) or a name below a directory.
 */
struct attr_pair {
	struct item *it; /* for messages; of a directory: its own name */
	struct file *in, *out;
	const char *in_name, *out_name;
	struct iattr want, have;
	mode_t type; /* S_IFMT bits */
	bool made;   /* out is new */
	bool named;  /* out has a name that others can open already */
	bool acl;    /* out may have got an ACL from its directory */
	bool early;  /* xattrs that matter before the data are set */
	bool owner_failed;
	bool has_flags; /* either side has inode flags */
	uint32_t flags; /* those of the source that are kept */
	mode_t extra;	/* mode bits added for ourselves while we work */
	ssize_t xattrs; /* bytes of names in worker->xattrs; 0 none, negative unknown */
};
struct iattr attr_of(const struct statx *stx);
mode_t attr_create_mode(const struct ocp *ocp, struct attr_pair *p);
int attr_apply(struct worker *w, struct attr_pair *p);
/* Names of the source's xattrs, kept in the worker until the next call. */
void xattr_list(struct worker *w, struct attr_pair *p);
int xattr_before_data(struct worker *w, struct attr_pair *p);
int xattr_apply(struct worker *w, struct attr_pair *p);
int acl_apply(struct worker *w, struct attr_pair *p);
bool acl_has_default(struct file *dir);
void flags_read(struct worker *w, struct attr_pair *p);
void flags_before_data(struct worker *w, struct attr_pair *p);
uint32_t flags_of(struct file *file);
void flags_last(struct worker *w, struct attr_pair *p);

/* context.c: SELinux */
int context_create(struct worker *w, const struct item *it);
int context_relabel(struct worker *w, const struct item *it, struct file *out);

/* prealloc.c: reserved space */
void prealloc_keep(struct worker *w, struct item *it, struct file *out,
		   const struct copy_result *res);

/* throttle.c: --bwlimit */
void throttle_pay(struct ocp *ocp, uint64_t bytes);
/* Clones cost nothing, so they are tried for all of @req; 1: the rest has to be moved. */
int clone_first(const struct copy_req *req, struct copy_result *sum);
int throttle_copy(struct ocp *ocp, uint64_t size, const struct copy_req *req,
		  struct copy_result *sum);

/* shard.c: --shard */
bool shard_skips_early(const struct ocp *ocp, const struct item *it);
bool shard_skips(const struct ocp *ocp, const struct item *it);

/* resume.c: --resume */
void partial_name(const char *name, char out[TEMP_MAX]);
bool resume_whole(struct worker *w, const struct item *it);
bool resume_has_tree(const struct ocp *ocp, struct file *dir, const char *dname);
int resume_tree(struct worker *w, struct item *it, struct dir *d);
void resume_tree_end(struct worker *w, struct dir *d);
bool resume_is_large(const struct ocp *ocp, const struct item *it);
int partial_open(struct worker *w, struct item *it, mode_t mode, char temp[TEMP_MAX],
		 struct file **out);
int partial_copy(struct worker *w, struct item *it, const struct copy_req *req,
		 struct copy_result *sum);
uint64_t partial_done(const struct item *it);
int partial_note(struct item *it, struct file *out, uint64_t done);
bool partial_is_for_all(const struct ocp *ocp, const struct item *it);
int partial_leave(struct worker *w, struct item *it);
void resume_tree_forget(const struct ocp *ocp, struct file *dir, const char *dname);
void partial_end(struct item *it, const char *temp, int err);

/* sync.c: --sync */
void sync_note(struct ocp *ocp, struct file *dir);
void sync_all(struct ocp *ocp);
int sync_file(struct worker *w, const struct item *it, struct file *out);
void sync_dir(struct worker *w, const struct dir *d);

/* links.c: hard links of the source */
struct links *links_new(bool forget);
void links_free(struct links *links);
/*
 * The first to come gets 0 and must call links_done(), with a @node of NULL where it
 * failed and @sum where there is one; everyone after it waits for that and gets 1 and
 * where the copy is, with a reference on the node and a name of malloc().
 */
struct link_place {
	struct node *node;
	char *name;
	uint64_t sum[2]; /* of its bytes, */
	bool summed;	 /* where they were read back */
};
int links_claim(struct links *links, const struct statx *stx, struct link_place *place);
void links_done(struct links *links, const struct statx *stx, struct node *node, const char *name,
		const uint64_t *sum);

/* operand.c: what the command line has made so far */
struct operands *operands_new(void);
void operands_free(struct operands *ops);
bool operands_seen_source(struct operands *ops, const struct file_id *dir, const char *name);
bool operands_seen_target(struct operands *ops, const char *name);
void operands_made(struct operands *ops, const char *name, const struct statx *stx);
bool operands_is_made(struct operands *ops, const char *name, const struct statx *stx);
/* Directories named there: NULL, or the destination of the same directory before. */
const char *operands_dir(struct operands *ops, const struct statx *stx, const char *dst);
void operands_add_top(struct operands *ops, const struct file_id *id);
bool operands_is_top(struct operands *ops, const struct file_id *id);

/* plan.c: the operands, one after the other */
void plan_run(struct worker *w);

/* count.c: the total for the bar */
struct count;
struct count *count_start(struct ocp *ocp);
void count_end(struct count *count);

/* pool.c */
struct pool *pool_new(struct ocp *ocp, struct worker *workers, unsigned n);
void pool_few(struct pool *pool, unsigned few, bool narrow);
void pool_push(struct worker *w, struct task *task);
void pool_drain(struct pool *pool, struct worker *w);
void pool_free(struct pool *pool);

/* run.c */
int *ocp_signals(void);
int ocp_signal(void);
void ocp_block_usr1(void);
int ocp_set_ioprio(const struct ocp_opts *o);
void ocp_run(struct ocp *ocp);
static inline bool ocp_stopped(const struct ocp *ocp)
{
	return __atomic_load_n(ocp->stop, __ATOMIC_RELAXED);
}

#endif
