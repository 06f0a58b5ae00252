/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * walk.h - streams of any tree, made by walking it.
 *
 *	walk_tree.c, diff_send.c	what is to be said, in order: steps
 *	walk_line.c			jobs of some steps each; workers make their
 *					commands, one thread writes them in order
 *	walk_emit.c			the commands of a step
 *	walk_plan.c, walk_data.c	how the bytes of a range go, and their commands
 *	walk_share.c			extents that have been sent already
 *	walk_place.c			directories of the source that are in use
 *
 * Memory: at most IN_FLIGHT bytes of data are read or wait to be written (of a server's
 * tree, IN_FLIGHT_FAR), a directory buffer for each level of the tree, what walk_share.c
 * says, and 100 bytes and a name for each file with several names of which not all have been met.
 */
#ifndef STREAM_WALK_H
#define STREAM_WALK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "vfs.h"
#include "writer.h"

#define RANGE_SIZE    ((uint64_t)1 << 20)  /* of a large file: one step */
#define JOB_STEPS     64		   /* at most, in a job */
#define JOB_BYTES     ((uint64_t)1 << 20)  /* of data in a job, about */
#define IN_FLIGHT     ((uint64_t)4 << 20)  /* in all jobs together: more leaves the cache */
#define IN_FLIGHT_FAR ((uint64_t)32 << 20) /* and of a server's tree, where reading is waiting */
#define WORKERS	      8
#define FILE_COST     4096 /* what a step counts beside its data */

struct manifest_writer;

/* A directory of the source, open; closed with the last step that needs it. */
struct place {
	struct place *up;
	struct file *file;
	atomic_uint refs;
};

/** place_new - @file becomes the place's; NULL without memory, and it is closed */
struct place *place_new(struct place *up, struct file *file);
struct place *place_get(struct place *p);
void place_put_dir(struct place *p);

/* A file of the stream, which several steps, clones and hard links may be about. */
struct subject {
	atomic_uint refs;
	atomic_bool changed;		/* while it was read: nothing may be cloned from it */
	atomic_uint_fast64_t failed_at; /* the job that could not read it; from there on it is not
					 * in the stream */
	uint64_t size;
	uint64_t planned;      /* bytes whose pieces are decided; under the turn */
	atomic_bool unwritten; /* some space in it is reserved only */
	size_t nhashes;
	uint8_t (*hashes)[16]; /* of each RANGE_SIZE, where contents are hashed */
	char path[];
};

struct subject *subject_new(const char *path, uint64_t size);
struct subject *subject_get(struct subject *s);
void subject_put(struct subject *s);

/* What a step does, in this order. */
#define STEP_MAKE	0x001u /* the file, empty */
#define STEP_LINK	0x002u /* another name, of step->target */
#define STEP_RENAME	0x004u /* path to path2 */
#define STEP_UNLINK	0x008u
#define STEP_RMDIR	0x010u
#define STEP_DATA	0x020u /* from..to of a file */
#define STEP_DATA_FIRST 0x040u /* ... and nothing of it was sent before */
#define STEP_DATA_LAST	0x080u /* ... and nothing of it comes after */
#define STEP_OWNER	0x100u
#define STEP_XATTR	0x200u
#define STEP_MODE	0x400u
#define STEP_TIMES	0x800u
#define STEP_ATTRS	(STEP_OWNER | STEP_XATTR | STEP_MODE | STEP_TIMES)
#define STEP_PLAIN_ACL	0x1000u /* an ACL it may have got from its directory is taken away */
#define STEP_SUBVOL	0x2000u /* the beginning of the stream: subvol or snapshot */
#define STEP_END	0x4000u
#define STEP_RECORD	0x8000u /* the manifest gets this entry */

/* How the bytes of a range go. */
enum piece_kind {
	PIECE_SAME, /* as it was in the earlier tree */
	PIECE_HOLE,
	PIECE_UNWRITTEN,
	PIECE_PLAIN,
	PIECE_ENCODED,
	PIECE_CLONE
};

struct piece {
	enum piece_kind kind;
	uint64_t pos, len;
	struct subject *from; /* PIECE_CLONE */
	uint64_t from_pos;
	struct file_extent ext; /* where it lies, if that is known; pos and len as here */
};

struct pieces {
	struct piece *v;
	size_t n, room;
};

/* What the earlier stream had at this place. */
struct earlier {
	atomic_uint refs;
	char *path;   /* in the earlier tree; NULL: only the manifest knows it */
	bool compare; /* only what differs is sent; else all of it, from nothing */
	uint64_t size;
	size_t nhashes;
	uint8_t (*hashes)[16];
	size_t nxattrs; /* the names, one after the other */
	char **xattrs;
};

struct step {
	struct step *next;
	unsigned what;
	struct place *dir; /* where the source has it; name NULL: that directory itself */
	char *name;
	char *path, *path2; /* in the stream */
	struct statx stx;
	uint64_t from, to;
	struct subject *subject, *target;
	struct earlier *earlier; /* NULL: it is new */
	uint32_t number, parent; /* in the manifest, with STEP_RECORD */
	uint64_t dev;		 /* 0: that of the tree itself */
	/* A worker's: */
	struct file *file, *old;
	struct pieces pieces;
	int err; /* of what was looked at and decided */
	const char *operation;
	bool gave_up;
	bool listed;	/* its pieces are from a list of extents */
	uint8_t *marks; /* its xattrs, for the manifest */
	size_t marks_len;
};

/* Something a user must hear, in the order of the stream. */
struct remark {
	struct remark *next;
	int err; /* negative errno; 0: it changed while it was read */
	bool fatal;
	char *operation, *path;
};

struct job {
	struct job *next;
	uint64_t number, cost;
	struct step *steps, **end;
	unsigned nsteps;
	struct stream_buffer out; /* the commands */
	struct remark *remarks, **remarks_end;
	bool done, clones;
	int err;
};

struct sent;
struct line;

/* One walk. */
struct walk {
	struct cr_ns *ns;
	const char *tree;	     /* as the user calls it */
	struct file *root, *earlier; /* the tree, and the one before */
	unsigned version;
	bool compressed, no_data, cross, keep_going, checksum, trust_mtime;
	uint8_t uuid[16], parent_uuid[16];
	uint64_t ctransid, parent_ctransid;
	bool snapshot, fresh; /* what differs; no name but ours was known before */
	bool running;	      /* it has begun: who ended it has not told yet */
	bool go_on, no_end;   /* one stream of several: no header, no end */
	struct timespec began;
	stream_write_fn write;
	void *write_arg;
	void (*complain)(void *arg, const struct remark *r);
	void *complain_arg;
	struct manifest_writer *manifest;
	uint64_t skip_dev, skip_ino; /* the output itself */
	struct sent *share;
	struct line *line;
	atomic_bool stop;
	/* Sums, for those who ask. */
	atomic_uint_fast64_t bytes, entries, files, data, cloned, encoded, holes, changed, failed;
};

/* walk_line.c */
int line_start(struct walk *w);
/** line_step - @what at this place; the caller fills the rest, then line_push().  NULL: no memory
 */
struct step *line_step(struct walk *w, unsigned what, struct place *dir, const char *name,
		       const char *path);
/** line_push - @step goes into the stream after all that were pushed.  Return: -EINTR when stopped
 */
int line_push(struct walk *w, struct step *step);
/** line_end - all of it is written, or not.  Return: 0 or what went wrong first */
int line_end(struct walk *w);
/** line_remark - something to say at this place of the stream.  Return: @err when it is fatal, else
 * 0 */
int line_remark(struct walk *w, int err, bool fatal, const char *operation, const char *path);
struct earlier *earlier_get(struct earlier *e); /* NULL stays NULL */
void earlier_put(struct earlier *e);
void step_free(struct step *s);

/* One worker's things. */
struct work {
	struct walk *w;
	struct job *job;
	struct stream_writer *out;
	char *names, *value; /* of xattrs */
	uint8_t *buf;	     /* room for one range */
	bool no_clones;
};

int work_init(struct work *k, struct walk *w);
void work_end(struct work *k);
int work_again(struct work *k); /* another writer: after an error it takes no more commands */
void job_remark(struct job *job, int err, bool fatal, const char *operation, const char *path);

/* walk_emit.c: look at the source; decide, when it is this job's turn; make the commands. */
int step_look(struct work *k, struct step *s);
void step_decide(struct work *k, struct step *s);
int step_emit(struct work *k, struct step *s);
/* Whether an attribute is one to carry over at all. */
bool xattr_is_sent(const char *key);
/* Names of the xattrs that go into a stream, into k->names: bytes, or a negative errno. */
ssize_t step_xattrs(struct work *k, struct step *s);
/* The value of one, into k->value. */
ssize_t step_xattr(struct work *k, struct step *s, const char *key);

/* walk_plan.c */
int plan_range(struct work *k, struct step *s);
/* What lies in the earlier file where it lay becomes PIECE_SAME. */
int plan_same(struct work *k, struct step *s);
void plan_share(struct walk *w, struct step *s);
int piece_add(struct pieces *p, const struct piece *piece);

/* walk_data.c */
int data_emit(struct work *k, struct step *s);
/* All of @len bytes, or what there is: count, or a negative errno. */
ssize_t read_full(struct file *file, void *buf, size_t len, uint64_t pos);

/* walk_share.c */
struct sent *sent_new(void);
void sent_free(struct sent *share);
bool sent_can(const struct file_extent *ext);

/* Bytes of an extent's storage, numbered so that equal numbers are equal bytes. */
struct sent_range {
	uint64_t addr, len, generation;
};
struct sent_range sent_range_of(const struct file_extent *ext);
/* The known part of @r that begins first: its length, 0 if there is none, and @skip bytes before.
 */
uint64_t sent_find(struct sent *share, const struct sent_range *r, uint64_t *skip,
		   struct subject **from, uint64_t *pos);
void sent_add(struct sent *share, const struct sent_range *r, struct subject *subject,
	      uint64_t pos);

/* walk_tree.c */
int walk_header(struct walk *w);
/** walk_full - all of the tree as a subvolume @name.  Return: 0 or what ended it */
int walk_full(struct walk *w, const char *name);
/** walk_file_steps - the contents and attributes of a regular file, @s has its STEP_MAKE or none */
int walk_file_steps(struct walk *w, struct step *s, unsigned attrs);

#endif
