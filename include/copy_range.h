/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * copy_range: move a byte range between two files by the cheapest way their
 * storage offers, and say which way that was.
 *
 * Everything in this header is safe to include from C++ and is exported by
 * libcopy_range.so.0.  Two layers:
 *
 *   copy_range()      two file descriptors, the contract of copy_file_range(2)
 *   cr_copy_range()   two files opened by cr_open(), a request and a result
 *
 * Errors: copy_range() returns -1 and sets errno.  All cr_*() functions return
 * a negative errno and leave errno unspecified.
 */
#ifndef COPY_RANGE_H
#define COPY_RANGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct file;	   /* an open file of any room */
struct cr_ns;	   /* the mounts a caller has seen and what they can do */
struct copy_job;   /* a copy that runs in the background */
struct copy_share; /* extents already copied, so that sharing is kept */
struct copy_result;

/* Strategies, cheapest first: the order in which they are tried. */
enum copy_strategy_id {
	COPY_CLONE,   /* blocks are shared: FICLONERANGE, NFS CLONE */
	COPY_OFFLOAD, /* the storage copies: copy_file_range(2), NFS COPY, XCOPY */
	COPY_ENCODED, /* compressed extents move as they are stored */
	COPY_GRANT,   /* third-party copy by a promise of the source's server */
	COPY_STREAM,  /* read here, write there */
	COPY_STRATEGIES
};

/*
 * Flags of copy_range() and of copy_req.flags.  Any other bit is EINVAL.
 * COPY_RANGE_NO_x leaves strategy x out; if none is left that can do the copy,
 * the error of the last one that declined is returned.
 */
#define COPY_RANGE_NO_CLONE   (1u << COPY_CLONE)
#define COPY_RANGE_NO_OFFLOAD (1u << COPY_OFFLOAD)
#define COPY_RANGE_NO_ENCODED (1u << COPY_ENCODED)
#define COPY_RANGE_NO_GRANT   (1u << COPY_GRANT)
#define COPY_RANGE_NO_STREAM  (1u << COPY_STREAM)
#define COPY_RANGE_STRATEGIES 0x1fu
#define COPY_RANGE_CLONE_ONLY                                                                      \
	(COPY_RANGE_NO_OFFLOAD | COPY_RANGE_NO_ENCODED | COPY_RANGE_NO_GRANT | COPY_RANGE_NO_STREAM)
#define COPY_RANGE_FILL_HOLES  (1u << 8)  /* never ask for holes: write every byte */
#define COPY_RANGE_PUNCH_ZEROS (1u << 9)  /* runs of zeros become holes (stream only) */
#define COPY_RANGE_STABLE      (1u << 10) /* the bytes are durable on return */
#define COPY_RANGE_RECOMPRESS  (1u << 11) /* do not keep an encoding worse than the target's */
#define COPY_RANGE_VALIDATE    (1u << 12) /* decode an encoded payload before planting it */
#define COPY_RANGE_SERIAL      (1u << 13) /* one worker, bytes written in order */
#define COPY_RANGE_AS_OPENED   (1u << 14) /* the source ends where it did when it was opened */
#define COPY_RANGE_FLAGS       (COPY_RANGE_STRATEGIES | 0x7f00u)

/*
 * copy_req.len: go on until the source ends, wherever that is by then.  Of a
 * file into itself, and of what is small enough for one go (256 KiB): where it
 * ends at the start.
 */
#define COPY_LEN_EOF UINT64_MAX

/* How far a refusal reaches.  Pair and mount refusals are remembered. */
enum copy_scope { COPY_THIS_RANGE, COPY_THIS_FILE, COPY_THIS_PAIR, COPY_THIS_MOUNT };

/* Why a strategy that was tried, or left out, did not move the bytes. */
struct copy_why {
	const char *reason; /* static text for people; NULL: it was not asked */
	int error;	    /* positive errno it declined with */
	enum copy_scope scope;
	uint64_t after; /* bytes after which asking again is worth it; 0: not in this request */
	uint64_t count; /* how often it declined within this request */
};

/* What one strategy did. */
struct copy_tally {
	uint64_t bytes;	 /* bytes of the file it accounted for, holes included */
	uint64_t ranges; /* calls or extents it took */
	uint64_t moved;	 /* bytes that went through this process (encoded: compressed size) */
};

/* Live figures of a running copy; any thread may read them with __atomic_load. */
struct copy_progress {
	uint64_t bytes;	   /* done so far, not always contiguous */
	uint32_t strategy; /* enum copy_strategy_id that runs now */
};

/* One request; both files are of one namespace.  Zero every member you do not set. */
struct copy_req {
	struct file *in, *out;
	int64_t pos_in, pos_out;
	uint64_t len;	 /* 0 copies nothing and checks everything; COPY_LEN_EOF: to the end */
	unsigned flags;	 /* COPY_RANGE_* */
	unsigned jobs;	 /* workers inside this copy; 0: chosen by size and storage */
	size_t mem_max;	 /* bound on buffers, bytes; 0: COPY_MEM_DEFAULT */
	const int *stop; /* not zero: end soon with an exact count; may be NULL */
	struct copy_progress *progress; /* may be NULL */
	struct copy_share *share;	/* may be NULL */
	/*
	 * Told of each range of the request when it is done, in order: where it was, and which
	 * strategy did how much of it and why others did not; may be NULL.
	 */
	void (*told)(void *arg, const struct copy_req *range, const struct copy_result *part);
	void *told_arg;
};

#define COPY_MEM_DEFAULT ((size_t)32 << 20)

/* What became of a request.  Filled on success and on error alike. */
struct copy_result {
	uint64_t bytes;		   /* contiguous from pos_out, valid on error too */
	uint64_t holes;		   /* of these, bytes that were holes and stayed holes */
	enum copy_strategy_id how; /* the strategy that accounted for most bytes */
	struct copy_tally by[COPY_STRATEGIES];
	struct copy_why why[COPY_STRATEGIES];
	int stopped; /* 1: ended early by req->stop */
	int stable;  /* 1: the bytes are durable already */
	uint8_t verf[8];
	const char *command; /* what offload asked the storage for, where that has names: static */
	uint64_t reserved[7];
};

/**
 * copy_range - copy a range between two open file descriptors
 * @fd_in: readable file
 * @off_in: source offset, advanced by the result; NULL: use and move the file position
 * @fd_out: writable file
 * @off_out: destination offset, as @off_in
 * @len: bytes wanted
 * @flags: 0 or COPY_RANGE_*
 *
 * A superset of copy_file_range(2): same offsets, partial progress and errno,
 * but it also copies where the system call answers EXDEV or EOPNOTSUPP, goes on
 * where that stops short, and keeps the source's holes.
 *
 * Return: bytes copied, 0 at the end of the source, -1 and errno.  A count
 * below @len means that the source ended or an error came after that many
 * bytes.  After a short count the bytes of the range beyond it are undefined;
 * the file is never longer than its old size or the copied end, unless another
 * process extended it meanwhile.
 *
 * Several threads may copy disjoint ranges of the same files at once.  A search
 * for holes moves the position of @fd_in for a moment even where @off_in is
 * given: other threads should not rely on it meanwhile.  What of the system
 * call's answers is different: any negative offset is EINVAL; an end beyond the
 * largest offset is shortened, not EOVERFLOW; with nothing left in the source
 * the answer is 0 and never EFBIG; an O_DIRECT descriptor copies any range.
 *
 * Reference: copy_file_range(2); Linux fs/read_write.c vfs_copy_file_range().
 */
ssize_t copy_range(int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t len,
		   unsigned int flags);

/**
 * cr_ns_new - a namespace: remembers per mount what it cannot do
 *
 * Threads may share it.  Return: it, or NULL without memory.  cr_ns_free()
 * needs every file of it closed.
 */
struct cr_ns *cr_ns_new(void);
void cr_ns_free(struct cr_ns *ns);

/**
 * cr_open - open a file by path or URL
 * @ns: namespace that will own the mount
 * @name: a path of this machine, or a name of another room (nfs://host/path, mem:, fault:)
 * @flags: those of open(2)
 * @mode: as open(2), with O_CREAT
 * @filep: the file, to be closed by cr_close()
 *
 * Return: 0, or the negative errno of the room's open.
 */
int cr_open(struct cr_ns *ns, const char *name, int flags, mode_t mode, struct file **filep);

/**
 * cr_open_fd - a file around a descriptor of this machine
 *
 * The descriptor stays the caller's: cr_close() does not close it.
 * Return: 0, -EBADF, -ENOMEM.
 */
int cr_open_fd(struct cr_ns *ns, int fd, struct file **filep);

/** cr_close - end a file; reports what close(2) reports.  NULL is allowed. */
int cr_close(struct file *file);

/**
 * cr_copy_range - copy one range between two open files
 * @req: the request; unchanged
 * @res: the result, filled in any case
 *
 * Return: 0 when all of req->len was copied or the source ended before it (see
 * res->bytes), or was stopped (res->stopped); a negative errno when an error
 * ended the copy, res->bytes then counts what was copied before it.
 * -EFBIG: RLIMIT_FSIZE of when the namespace began, or the largest offset, was
 * reached (where it begins there, with SIGXFSZ as from write(2)).
 * -EOPNOTSUPP or -EXDEV: no allowed strategy could do it and nothing is written
 * beyond res->bytes.
 */
int cr_copy_range(const struct copy_req *req, struct copy_result *res);

/* One element of a vector of ranges. */
struct copy_vec {
	int64_t pos_in, pos_out;
	uint64_t len;  /* COPY_LEN_EOF allowed in any element */
	uint64_t done; /* filled: bytes copied of this element */
};

/**
 * cr_copy_rangev - copy several ranges between two files in one call
 * @req: files, flags and bounds; its pos_in, pos_out and len are ignored
 * @vec: ranges, done in order of the array
 * @n: how many; 0 is legal and does nothing
 * @res: the sum over all elements
 *
 * The effect is that of one cr_copy_range() per element in order, so a later
 * element sees what an earlier one wrote, and the last one wins where
 * destinations overlap.  Elements that continue each other on both sides are
 * merged when that cannot change the outcome.  Empty elements are checked and
 * skipped.  The first error ends the call; done tells each element's share.
 *
 * Return: as cr_copy_range().
 */
int cr_copy_rangev(const struct copy_req *req, struct copy_vec *vec, unsigned n,
		   struct copy_result *res);

/**
 * cr_job_start - run a copy in the background
 * @req: copied; its files, progress and share must outlive the job; req->stop
 *	must be NULL, cr_job_stop() takes its place
 * @done: called once on the job's thread at the end, may be NULL
 * @arg: handed to @done
 * @jobp: the job, to be given to cr_job_wait() exactly once
 *
 * Return: 0, -ENOMEM, -EAGAIN (no thread), -EINVAL (req->stop is set).
 */
int cr_job_start(const struct copy_req *req,
		 void (*done)(void *arg, int err, const struct copy_result *res), void *arg,
		 struct copy_job **jobp);

/** cr_job_status - 1 while it runs, else 0; @now gets the figures so far */
int cr_job_status(struct copy_job *job, struct copy_progress *now);

/** cr_job_stop - ask the job to end soon; does not wait */
void cr_job_stop(struct copy_job *job);

/** cr_job_wait - wait for the end, give its result, free the job; returns the copy's result */
int cr_job_wait(struct copy_job *job, struct copy_result *res);

/**
 * copy_share_new - a map that keeps extents shared across many copies
 * @dst_dir: an open directory on the destination file system
 *
 * Hand it in every copy_req of one run.  Threads may share it.
 * Return: the map or NULL without memory.
 */
struct copy_share *copy_share_new(struct file *dst_dir);
void copy_share_free(struct copy_share *share);

/** copy_strategy_name - "clone", "offload", "encoded", "grant", "stream"; NULL beyond */
const char *copy_strategy_name(unsigned strategy);

/** copy_result_add - sum @add into @sum, as if one copy had followed the other */
void copy_result_add(struct copy_result *sum, const struct copy_result *add);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif /* COPY_RANGE_H */
