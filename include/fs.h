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
	bool fresh;	    /* made by this open with O_EXCL: empty, and no other file is it */
	struct file *lower; /* of a stackable room */
	void *room;	    /* what fs_type.start() made for this namespace */
	void *private;
};

struct file_operations {
	int (*release)(struct file *); /* frees what the room holds; the struct stays the core's */

	ssize_t (*read)(struct file *, void *, size_t, off_t);
	ssize_t (*write)(struct file *, const void *, size_t, off_t);
	off_t (*seek)(struct file *, off_t, int whence);
	int (*allocate)(struct file *, int mode, off_t, off_t);
	int (*truncate)(struct file *, off_t);
	int (*sync)(struct file *, bool data_only);
	/* What close(2) would report of earlier writes, while the file stays open. */
	int (*flush)(struct file *);
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

	/* Attributes of the file (name NULL) or of a name below it, not following it. */
	int (*getattr)(struct file *, const char *name, struct statx *);
	int (*setattr)(struct file *, const char *name, const struct iattr *);
	ssize_t (*listxattr)(struct file *, const char *name, char *, size_t);
	ssize_t (*getxattr)(struct file *, const char *name, const char *key, struct iovec *val);
	int (*setxattr)(struct file *, const char *name, const struct xattr *);
	int (*fileattr_get)(struct file *, struct fileattr *);
	int (*fileattr_set)(struct file *, const struct fileattr *);

	int (*openat)(struct file *dir, const char *name, mode_t mode, struct file *child);
	/* Bytes that are not used are zero; open_handle takes any file on the file system. */
	int (*get_handle)(struct file *, struct file_handle_bytes *);
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
};

struct fs_type {
	const char *name;
	const char *scheme; /* "mem" for mem:...; NULL: paths of this machine */
	const void *family; /* clone and offload are tried between rooms of one family */
	const struct file_operations *op;
	/* State of this room in one namespace, made at first use and ended with it. */
	int (*start)(void **room);
	void (*stop)(void *room);
	/*
	 * Open @name (the part after "SCHEME:"), child->oflags are open(2)'s.  Fills
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
