/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fs.h - what a room (backend) fills in.
 *
 * A room is a struct fs_type at the end of its file: read fs/mem/mem.c as the
 * example.  Methods may be left out; kernel/ops.c is the only caller and gives
 * each missing one its default.  Rooms never include vfs.h and never call up.
 *
 * All methods return 0 or a count, or a negative errno.
 */
#ifndef CR_FS_H
#define CR_FS_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "attr.h"
#include "copy_range.h"
#include "encoded.h"

struct fs_type;

#define COMPRESSION_UNKNOWN UINT32_MAX

/* One mounted file system as one room sees it.  Made by the core, lives as long as its namespace.
 */
struct mount {
	const struct fs_type *type;
	uint64_t dev, mnt_id;
	uint8_t fsid[16];    /* of the storage below: equal on all mounts and subvolumes of it */
	uint32_t magic;	     /* statfs(2) f_type, where there is one */
	uint32_t block_size; /* what clones and encoded writes align to; 1 if nothing */
	atomic_uint compression; /* the method's answer, COMPRESSION_UNKNOWN before */
	bool narrow;	  /* threads that make files here wait for each other in the kernel */
	bool remote;	  /* each request is a journey: many should be under way */
	bool whole;	  /* copy_range() shares a long range out by itself */
	atomic_uint lost; /* 1 << enum copy_strategy_id: never on this mount, */
	struct copy_why why[COPY_STRATEGIES]; /* for this reason */
	struct mount *next;
};

/* An open file.  The core fills mnt and frees it; all else is the room's. */
struct file {
	const struct file_operations *op;
	struct mount *mnt;
	struct file_id id;
	struct statx seen; /* what open saw, where it had to look; stx_mask 0: nothing */
	int oflags;	   /* flags it was opened with */
	int fd;		   /* rooms of this machine; else -1 */
	bool fd_borrowed;
	uint64_t limit;	    /* bytes it can ever hold, 0: it grows */
	bool fresh;	    /* made by this open with O_EXCL: empty, and no other file is it */
	struct file *lower; /* of a stackable room */
	void *room;	    /* what fs_type.start() made for this namespace */
	void *private;
};

/*
 * A promise of the source's server, for the range of one request: the room that made it
 * knows what it says, and the room of the destination hands it to its own server.
 */
#define COPY_GRANT_BYTES 768
struct copy_grant {
	_Alignas(8) uint8_t bytes[COPY_GRANT_BYTES];
};

struct file_operations {
	int (*release)(struct file *); /* frees what the room holds; the struct stays the core's */

	ssize_t (*read)(struct file *, void *, size_t, off_t);
	ssize_t (*write)(struct file *, const void *, size_t, off_t);
	/* As far as that goes without waiting for storage or a lock; -EAGAIN: not at all. */
	ssize_t (*read_nowait)(struct file *, void *, size_t, off_t);
	ssize_t (*write_nowait)(struct file *, const void *, size_t, off_t);
	off_t (*seek)(struct file *, off_t, int whence);
	int (*allocate)(struct file *, int mode, off_t, off_t);
	int (*truncate)(struct file *, off_t);
	int (*sync)(struct file *, bool data_only);
	/* All of the file system that this file is on, as syncfs(2). */
	int (*sync_fs)(struct file *);
	/* What close(2) would report of earlier writes, while the file stays open. */
	int (*flush)(struct file *);
	/*
	 * What was written is on stable storage when *range is empty afterwards; else it
	 * is what a server that restarted has lost, to be written again and then
	 * to be told by the next call, which has it in *range.  The first call: empty.
	 */
	int (*settle)(struct file *, struct file_range *);
	/* -ETXTBSY for a file in use as swap space: such a file is not copied, from or to. */
	int (*busy)(struct file *);

	/* Encoded: shaped like pread and pwrite; what Linux fs/btrfs/ioctl.c offers. */
	ssize_t (*read_encoded)(struct file *, struct encoded_iov *, void *, size_t, off_t);
	ssize_t (*write_encoded)(struct file *, const struct encoded_iov *, const struct iovec *,
				 off_t);
	/*
	 * The same two for io_uring: encoded_cmd() fills a read (ev NULL) or a write
	 * at pos; encoded_answer() is what a read of @n bytes said.
	 */
	void (*encoded_cmd)(struct encoded_cmd *, const struct encoded_iov *ev, off_t pos);
	int (*encoded_answer)(const struct encoded_cmd *, ssize_t n, struct encoded_iov *ev);
	/* enum encoded_compression that new data gets on the mount of this file. */
	uint32_t (*compression)(struct file *);
	/*
	 * Extents from pos on without a gap, holes included, the first one cut at pos
	 * and the last at the end of the file; count put in, 0 beyond the end.  A
	 * plan: the source may change.  how: EXTENTS_*.
	 */
	int (*extents)(struct file *, off_t pos, struct file_extent *, unsigned n, unsigned how);

	/*
	 * Space that is reserved and was never written, from pos on and beyond the
	 * end of the file too, in file order; count put in, 0: no more.
	 */
	int (*unwritten)(struct file *, off_t pos, struct file_range *, unsigned n);

	/*
	 * The two ways of letting the storage copy; called on req->out when both
	 * files are of one family.  They do as much as they can in one call and
	 * say so in res->bytes; decline() when they moved nothing.  copy_range()
	 * of length 0 says whether it would: 0, or decline().
	 */
	int (*clone_range)(const struct copy_req *, struct copy_result *);
	int (*copy_range)(const struct copy_req *, struct copy_result *);

	/*
	 * Two servers of one family, the data go from one to the other: grant() of
	 * req->in makes the promise, redeem() of req->out has its server copy by it, as
	 * copy_range() does, and revoke() of the source's room ends it in any case.
	 * grant() and redeem() decline() as COPY_GRANT.
	 */
	int (*grant)(const struct copy_req *, struct copy_grant *, struct copy_result *);
	int (*redeem)(const struct copy_req *, const struct copy_grant *, struct copy_result *);
	void (*revoke)(struct file *in, const struct copy_grant *);

	/* What storage that has a say in copies tells of itself, for people: lines "name: value".
	 */
	int (*describe)(struct file *, char *text, size_t size);

	/* Attributes of the file (name NULL) or of a name below it, not following it. */
	int (*getattr)(struct file *, const char *name, struct statx *);
	int (*access)(struct file *, int mode); /* R_OK, W_OK, X_OK for whoever calls */
	int (*statfs)(struct file *, struct statfs *);
	int (*setattr)(struct file *, const char *name, const struct iattr *);
	ssize_t (*listxattr)(struct file *, const char *name, char *, size_t);
	ssize_t (*getxattr)(struct file *, const char *name, const char *key, struct iovec *val);
	int (*setxattr)(struct file *, const char *name, const struct xattr *);
	int (*removexattr)(struct file *, const char *name, const char *key);
	int (*fileattr_get)(struct file *, struct fileattr *);
	int (*fileattr_set)(struct file *, const struct fileattr *);
	/* Of a file that nobody has open for writing. */
	int (*enable_verity)(struct file *, const struct verity_descriptor *);

	/* An empty name: the file itself once more, with child->oflags. */
	int (*openat)(struct file *dir, const char *name, mode_t mode, struct file *child);
	/* Bytes that are not used are zero; open_handle takes any file on the file system. */
	int (*get_handle)(struct file *, const char *name, struct file_handle_bytes *);
	int (*open_handle)(struct file *at, const struct file_handle_bytes *, struct file *child);
	ssize_t (*readdir)(struct file *, struct dirbuf *);
	int (*mkdir)(struct file *, const char *, mode_t);
	int (*mknod)(struct file *, const char *, mode_t, dev_t);
	int (*symlink)(struct file *, const char *, const char *target);
	ssize_t (*readlink)(struct file *, const char *, char *, size_t);
	int (*link)(struct file *olddir, const char *old, struct file *dir, const char *name);
	int (*unlink)(struct file *, const char *, int flags);
	int (*rename)(struct file *olddir, const char *old, struct file *dir, const char *name,
		      unsigned flags);

	/*
	 * Subvolumes.  A file that is asked about one stands for the one it is in;
	 * what changes one needs its root directory.
	 */
	int (*subvol_create)(struct file *dir, const char *name);
	int (*snap_create)(struct file *subvol, struct file *dir, const char *name, unsigned flags);
	int (*snap_destroy)(struct file *dir, const char *name);
	int (*subvol_info)(struct file *, struct subvol_info *);
	int (*subvol_setflags)(struct file *subvol, unsigned flags);
	int (*set_received_subvol)(struct file *subvol, const uint8_t *uuid, uint64_t stransid);
	/* Ids of the subvolumes of this file system with that uuid, at most n; count put in. */
	int (*subvol_find)(struct file *, enum subvol_uuid which, const uint8_t *uuid, uint64_t *id,
			   unsigned n);
	/* The root directory of the subvolume, wherever it is and whether mounted or not. */
	int (*subvol_open)(struct file *at, uint64_t id, struct file *child);
};

struct fs_type {
	const char *name;
	const char *scheme; /* how names begin: "mem:", "nfs://"; NULL: paths of this machine */
	const void *family; /* clone and offload are tried between rooms of one family */
	const struct file_operations *op;
	/* State of this room in one namespace, made at first use and ended with it. */
	int (*start)(void **room);
	void (*stop)(void *room);
	/* What waits for another machine gives up soon when *stop is set; NULL: never.  After
	 * start. */
	void (*heed)(void *room, const int *stop);
	/*
	 * Open @name (the part after the scheme), child->oflags are open(2)'s.
	 * -EPROTONOSUPPORT: the next room with the same scheme is asked.  Fills
	 * fd, id, seen, private.  In a stackable room this and openat come
	 * before the core opens child->lower, whose id and attributes the child gets;
	 * when that fails, release is called with lower NULL.
	 */
	int (*open)(struct file *child, const char *name, mode_t mode);
	/* "SCHEME:options:NAME": where the name of the lower file starts; NULL: not stackable. */
	const char *(*lower_name)(const char *name);
	/* Around a descriptor. */
	int (*open_fd)(struct file *child, int fd);
	/*
	 * A short range between two descriptors by one system call, where that can
	 * be all there is to it: true when all of it is done.  False: the rest after
	 * *done bytes, if that is positive, goes the long way.
	 */
	bool (*copy_fds)(const int fd[2], off_t *off[2], size_t len, ssize_t *done);
	/*
	 * The first file on a mount: true when this room knows it better than the
	 * one that opened it, and takes it over.  Fills fsid, block_size, magic.
	 */
	bool (*claim)(struct file *, struct mount *);
};

/* fs/types.c, or a test's own: ends with NULL; later ones claim first. */
extern const struct fs_type *const cr_fs_types[];

/**
 * decline - a strategy says "not me"; it has written nothing
 * @res: where the reason is kept, for explain
 * @s: the strategy that declines
 * @why: how far it reaches, positive errno, text for people, when to ask again
 *
 * Return: what the method returns: -EOPNOTSUPP when the whole mount cannot,
 * else -EXDEV.
 */
int decline(struct copy_result *res, enum copy_strategy_id s, struct copy_why why);

#endif
