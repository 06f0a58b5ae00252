/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.h - what stream.c, its engines, slice.c and hole.c share. */
#ifndef CR_STREAM_H
#define CR_STREAM_H

#include "core.h"

/*
 * rw.c: all of @len, or up to the end of the file; *done is right on error too.
 * -ECANCELED: stopped between two calls; the core makes a stop of it.
 */
struct place {
	struct file *file;
	off_t pos;
	const int *stop; /* as in struct copy_req; may be NULL */
};
static inline bool place_stopped(const struct place *at)
{
	return at->stop && __atomic_load_n(at->stop, __ATOMIC_RELAXED);
}
int full_read(const struct place *at, void *buf, size_t len, size_t *done);
int full_write(const struct place *at, const void *buf, size_t len, size_t *done);
bool rw_retry(int err, unsigned *tries);

/* hole.c: makes a range inside the file read as zeros, without storage if possible. */
int hole_punch(const struct place *out, uint64_t len);

/*
 * frontier.c: how far a copy by several hands got.  Pieces are handed out in
 * order, each comes back exactly once, and nothing is handed out after a bad
 * one.  So when all are back, everything before the lowest bad place is copied,
 * and no list of pieces is needed.  Offsets count from the start of the request.
 */
struct frontier {
	uint64_t next;	    /* where the next piece begins */
	uint64_t holes;	    /* hole bytes before it */
	uint64_t bad;	    /* lowest place not copied; UINT64_MAX: none */
	uint64_t bad_holes; /* hole bytes before that */
	uint64_t high;	    /* one past the highest byte written */
	int error;	    /* why it ends at bad; 0: the source ended there */
};
#define FRONTIER_START ((struct frontier){.bad = UINT64_MAX})
void frontier_bad(struct frontier *f, uint64_t at, uint64_t holes, int error);
static inline uint64_t frontier_good(const struct frontier *f)
{
	return MIN(f->next, f->bad);
}
/*
 * Cuts the target back to the larger of @old_size and the good part, if it
 * ends where this copy left it: a longer file was extended by someone else.
 */
int frontier_cut(const struct frontier *f, const struct copy_req *req, uint64_t old_size);
int size_of(struct file *file, uint64_t *size);

/* workers.c */
unsigned workers_default(void);
void workers_run(unsigned n, void (*fn)(void *arg), void *arg);

/* Run @fn on a thread with a table of descriptors of its own; false: it did not run. */
bool workers_apart(void (*fn)(void *arg), void *arg);

/* A piece of data on its way through one buffer. */
struct chunk {
	uint64_t at;	/* from the start of the request */
	size_t len;	/* bytes wanted, at most stream.buf */
	uint64_t holes; /* hole bytes before it */
};

/* One stream under way: what its engine needs to know and report. */
struct stream {
	const struct copy_req *req;
	struct file *in, *out;	 /* through the page cache */
	struct file *din, *dout; /* the same with O_DIRECT, or NULL */
	uint32_t align;		 /* of buffers, offsets and lengths of din and dout */
	size_t buf;		 /* bytes of one buffer */
	unsigned depth;		 /* buffers in flight */
	uint64_t old_size;	 /* of the target */

	pthread_mutex_t lock; /* of all below */
	struct frontier f;
	uint64_t data_end; /* data is known up to here */
	uint64_t skipped;  /* one past the last byte left out beyond old_size */
	uint64_t chunks;   /* given back */
	bool walk;	   /* the source is asked for holes */
	bool ended;	   /* no more chunks */
	bool stopped;	   /* by req->stop */
};

/*
 * stream_walk.c.  Engines ask for chunks until there are none and give each
 * back with the bytes that reached the target: fewer than its length with error
 * 0 means that the source ended.
 */
bool stream_next(struct stream *s, struct chunk *c);
void stream_done(struct stream *s, const struct chunk *c, size_t n, int err);
int stream_read(struct stream *s, const struct chunk *c, char *buf, size_t *got);
int stream_write(struct stream *s, const struct chunk *c, const char *buf, size_t *put);

static inline off_t chunk_in(const struct stream *s, const struct chunk *c)
{
	return s->req->pos_in + (off_t)c->at;
}

static inline off_t chunk_out(const struct stream *s, const struct chunk *c)
{
	return s->req->pos_out + (off_t)c->at;
}

static inline uint64_t align_up(uint64_t x, uint64_t a)
{
	return (x + a - 1) / a * a;
}

/* zeros.c: the run of blocks at the start of @buf that are all zero, or all not. */
#define ZERO_BLOCK ((size_t)4096)
size_t zero_run(const char *buf, size_t len, bool *zero);
/* Whether one of its blocks is all zero, a ragged last one included. */
bool zero_any(const char *buf, size_t len);

/* A way to move the chunks.  run() fails only before it took the first chunk. */
struct stream_engine {
	const char *name;
	bool (*fits)(const struct stream *s);
	int (*run)(struct stream *s);
};
extern const struct stream_engine stream_threads, stream_uring, stream_aio;
/* stream_async.c: buffers that each wait for one read or write. */
struct slot {
	struct chunk c;
	char *buf;
	unsigned index;
	size_t got, put; /* read and written so far */
	bool writing;	 /* what it waits for */
	bool direct;	 /* ... through din or dout */
	bool refused;	 /* O_DIRECT did not like this chunk */
	bool busy;	 /* queued */
	int error;	 /* of the read, kept until its bytes are written */
	unsigned tries;
};

/* The operation a slot wants next. */
struct slot_io {
	int fd;
	bool write;
	char *buf;
	size_t len;
	off_t pos;
};

struct async_ops {
	/* Makes the queue for s->depth slots; buffers start at @mem, s->buf each. */
	int (*start)(struct stream *s, char *mem, void **queue);
	int (*submit)(void *queue, struct slot *slot, const struct slot_io *io);
	/* Waits for one; *res as from pread(2) or a negative errno. */
	int (*wait)(void *queue, struct slot **slot, ssize_t *res);
	void (*end)(void *queue);
};
int async_run(struct stream *s, const struct async_ops *ops);

/* stream_direct.c */
int twin_open(const struct file *file, bool direct, struct file *twin);
void twin_close(struct file *twin);
uint32_t direct_align(struct file *file);
bool source_is_cold(const struct copy_req *req, uint64_t len);

/* How a stream goes.  stream_plan.c chooses, stream.c does it. */
struct stream_plan {
	const struct stream_engine *engine;
	size_t buf;
	unsigned depth;
	bool direct_in, direct_out;
	bool walk; /* ask the source for holes */
};
#define STREAM_NOT_STARTED 1 /* by this engine; nothing was copied */
int stream_run(const struct copy_req *req, struct copy_result *res, const struct stream_plan *plan);
int stream_planned(const struct copy_req *req, struct copy_result *res);
size_t stream_mem(const struct copy_req *req); /* bound on its buffers, whole blocks */

#endif
