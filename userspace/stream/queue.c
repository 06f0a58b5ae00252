// SPDX-License-Identifier: GPL-2.0-or-later
#include "queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "lib/codec.h"
#include "state.h"
#include "tree.h"

#define MOST_OPS    STATE_SLOTS
#define MOST_BYTES  (48u << 20) /* of the stream, from the oldest op on */
#define MOST_READY  (3u << 20)	/* bytes that nobody is at work on: more would leave the cache */
#define WAKE_OPS    8u		/* ready, before a sleeper is woken for them, */
#define WAKE_BYTES  (128u << 10)
#define SMALL_BYTES 16384u /* not worth another thread */
#define DROPPED	    (-ECANCELED)

/* What the dispatcher waits for.  Room is more than one op's: it would be woken for each. */
enum waiting { FOR_NOTHING, FOR_ROOM, FOR_NODE, FOR_ALL };

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t work, progress;
	struct op *first, *last; /* all that are not over, in the order of the stream */
	struct op *ready, **ready_end;
	unsigned ops, blocked, ready_ops, idle;
	size_t ready_bytes;
	enum waiting waiting;
	const struct node *waited_node;
	uint64_t waited_offset; /* of the op that there is no room for */
	bool ending;
	struct op_error error;
	struct worker own;
	unsigned nthreads;
	struct worker *workers;
	pthread_t *threads;
};

static bool conflict(const struct use *a, const struct use *b)
{
	return (a->write || b->write) && a->begin < b->end && b->begin < a->end;
}

/* Whether something earlier of the same file has to end before. */
static bool use_blocked(const struct use *use)
{
	const struct use *earlier;

	if (!use->node)
		return false;
	for (earlier = use->prev; earlier; earlier = earlier->prev)
		if (earlier->op != use->op && conflict(earlier, use))
			return true;
	return false;
}

static bool op_blocked(const struct op *op)
{
	return use_blocked(&op->to) || use_blocked(&op->from);
}

static void use_link(struct use *use, struct op *op)
{
	struct node *node = use->node;

	if (!node)
		return;
	use->op = op;
	atomic_fetch_add_explicit(&node->uses, 1, memory_order_relaxed);
	use->next = NULL;
	use->prev = node->last_use;
	if (use->prev)
		use->prev->next = use;
	else
		node->first_use = use;
	node->last_use = use;
}

static void use_unlink(struct use *use)
{
	struct node *node = use->node;

	if (!node)
		return;
	if (use->prev)
		use->prev->next = use->next;
	else
		node->first_use = use->next;
	if (use->next)
		use->next->prev = use->prev;
	else
		node->last_use = use->prev;
}

/* The last thing that is done with the node: the dispatcher may free it now. */
static void use_end(struct use *use)
{
	if (use->node)
		atomic_fetch_sub_explicit(&use->node->uses, 1, memory_order_release);
}

static void op_free(struct op *op)
{
	cr_close(op->source);
	stream_release(op->memory);
	free(op->name);
	free(op);
}

static void wait_for_turn(struct queue *q, struct op *op)
{
	struct node *node = op->to.node;

	op->next_ready = NULL;
	*node->waiting_end = op;
	node->waiting_end = &op->next_ready;
	q->ready_bytes += op->bytes.len;
}

static void make_ready(struct queue *q, struct op *op)
{
	op->started = true;
	if (op->in_turn && op->to.node->taken) {
		wait_for_turn(q, op);
		return;
	}
	op->next_ready = NULL;
	*q->ready_end = op;
	q->ready_end = &op->next_ready;
	q->ready_ops++;
	q->ready_bytes += op->bytes.len;
}

static struct op *take_ready(struct queue *q)
{
	struct op *op = q->ready;

	q->ready = op->next_ready;
	if (!q->ready)
		q->ready_end = &q->ready;
	q->ready_ops--;
	q->ready_bytes -= op->bytes.len;
	return op;
}

/* Those of one file that waited and need not any more. */
static void unblock(struct queue *q, const struct use *use)
{
	for (; use && q->blocked; use = use->next)
		if (!use->op->started && !op_blocked(use->op)) {
			q->blocked--;
			make_ready(q, use->op);
		}
}

static void op_unlink(struct queue *q, struct op *op)
{
	if (op->prev)
		op->prev->next = op->next;
	else
		q->first = op->next;
	if (op->next)
		op->next->prev = op->prev;
	else
		q->last = op->prev;
	q->ops--;
	use_unlink(&op->to);
	use_unlink(&op->from);
}

static void keep_error(struct queue *q, const struct op *op, int err, const char *reason)
{
	struct op_error *e = &q->error;

	if (e->err && (err == DROPPED || e->command < op->command))
		return;
	*e = (struct op_error){
		.err = err, .id = op->id, .command = op->command, .offset = op->offset};
	snprintf(e->reason, sizeof(e->reason), "%s", reason ? reason : "");
	node_path(op->to.node, e->path, sizeof(e->path));
}

/* Whether an op at @offset may be added when the queue is full to a @part-th of its limits. */
static bool within(const struct queue *q, unsigned part, uint64_t offset)
{
	return q->ops < MOST_OPS / part && q->ready_bytes <= MOST_READY / part &&
	       (!q->first || offset - q->first->offset <= MOST_BYTES / part);
}

static bool come_about(const struct queue *q)
{
	switch (q->waiting) {
	case FOR_ROOM:
		return q->error.err || within(q, 2, q->waited_offset);
	case FOR_NODE:
		return !q->waited_node->first_use;
	case FOR_ALL:
		return !q->first;
	default:
		return false;
	}
}

/* Under the lock: it is over, well or not. */
static void op_over(struct queue *q, struct op *op, int err, const char *reason)
{
	struct node *to = op->to.node, *from = op->from.node;

	if (err) {
		to->failed = true;
		keep_error(q, op, err, reason);
	} else {
		state_slot_clear(q->own.a->state, op->slot);
	}
	op_unlink(q, op);
	unblock(q, to->first_use);
	if (from && from != to)
		unblock(q, from->first_use);
	use_end(&op->to);
	use_end(&op->from);
	if (q->ready && q->idle)
		pthread_cond_signal(&q->work);
	if (come_about(q))
		pthread_cond_signal(&q->progress);
}

/* Whether it is this thread's turn at the file; if not, the one whose it is will do @op too. */
static bool take_turn(struct queue *q, struct op *op)
{
	struct node *node = op->to.node;

	if (node->taken) {
		wait_for_turn(q, op);
		return false;
	}
	node->taken = true;
	node->waiting = NULL;
	node->waiting_end = &node->waiting;
	return true;
}

/* After @op: the next one that waits for its turn at the file.  NULL: nothing more does. */
static struct op *next_in_turn(struct queue *q, const struct op *op)
{
	struct node *node = op->to.node;
	struct op *next = node->waiting;

	if (!next) {
		node->taken = false;
		return NULL;
	}
	node->waiting = next->next_ready;
	if (!node->waiting)
		node->waiting_end = &node->waiting;
	q->ready_bytes -= next->bytes.len;
	return next;
}

/* Ops on a file where an earlier one failed stay in the record of what is not done. */
static int unlocked(struct queue *q, struct worker *w, struct op *op, op_fn *step)
{
	int err;

	w->reason = NULL;
	if (op->to.node->failed)
		return DROPPED;
	pthread_mutex_unlock(&q->lock);
	err = step(w, op);
	pthread_mutex_lock(&q->lock);
	return err;
}

/* All of an op, and those of its file that came to wait for their turn meanwhile.  Frees them. */
static void run_ops(struct queue *q, struct worker *w, struct op *op)
{
	int err = unlocked(q, w, op, op_prepare);
	struct op *next;

	if (op->in_turn && !take_turn(q, op))
		return;
	for (; op; op = next, err = 0) {
		if (!err)
			err = unlocked(q, w, op, op_run);
		next = op->in_turn ? next_in_turn(q, op) : NULL;
		op_over(q, op, err, w->reason);
		pthread_mutex_unlock(&q->lock);
		op_free(op);
		pthread_mutex_lock(&q->lock);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct queue *q = w->a->queue;

	pthread_mutex_lock(&q->lock);
	for (;;) {
		while (!q->ready && !q->ending) {
			q->idle++;
			pthread_cond_wait(&q->work, &q->lock);
			q->idle--;
		}
		if (!q->ready)
			break;
		run_ops(q, w, take_ready(q));
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

static int worker_init(struct worker *w, struct apply *a)
{
	w->a = a;
	w->codec = codec_ctx_new();
	return w->codec ? 0 : -ENOMEM;
}

static int start_threads(struct queue *q, struct apply *a, unsigned workers)
{
	q->workers = calloc(workers, sizeof(*q->workers));
	q->threads = calloc(workers, sizeof(*q->threads));
	if (!q->workers || !q->threads || worker_init(&q->own, a))
		return -ENOMEM;
	for (; q->nthreads < workers; q->nthreads++) {
		if (worker_init(&q->workers[q->nthreads], a))
			return -ENOMEM;
		if (pthread_create(&q->threads[q->nthreads], NULL, work, &q->workers[q->nthreads]))
			break;
	}
	if (q->nthreads)
		return 0;
	codec_ctx_free(q->workers[0].codec);
	return -EAGAIN;
}

struct queue *queue_new(struct apply *a, unsigned workers)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->work, NULL);
	pthread_cond_init(&q->progress, NULL);
	q->ready_end = &q->ready;
	a->queue = q;
	if (!start_threads(q, a, workers))
		return q;
	queue_free(q);
	a->queue = NULL;
	return NULL;
}

void queue_free(struct queue *q)
{
	struct op *op;

	if (!q)
		return;
	pthread_mutex_lock(&q->lock);
	q->ending = true;
	pthread_cond_broadcast(&q->work);
	pthread_mutex_unlock(&q->lock);
	for (unsigned i = 0; i < q->nthreads; i++) {
		pthread_join(q->threads[i], NULL);
		codec_ctx_free(q->workers[i].codec);
	}
	while ((op = q->first)) {
		op_unlink(q, op);
		use_end(&op->to);
		use_end(&op->from);
		op_free(op);
	}
	codec_ctx_free(q->own.codec);
	free(q->workers);
	free(q->threads);
	free(q);
}

static void wake(struct queue *q)
{
	if (q->ready && q->idle)
		pthread_cond_signal(&q->work);
}

static void wait_for(struct queue *q, enum waiting waiting)
{
	q->waiting = waiting;
	pthread_cond_broadcast(&q->work);
	while (!come_about(q))
		pthread_cond_wait(&q->progress, &q->lock);
	q->waiting = FOR_NOTHING;
}

int queue_add(struct queue *q, struct op *op, bool here)
{
	int err;

	pthread_mutex_lock(&q->lock);
	q->waited_offset = op->offset;
	if (!q->error.err && !within(q, 1, op->offset))
		wait_for(q, FOR_ROOM);
	err = q->error.err;
	if (err) {
		pthread_mutex_unlock(&q->lock);
		op_free(op);
		return err;
	}
	op->prev = q->last;
	if (q->last)
		q->last->next = op;
	else
		q->first = op;
	q->last = op;
	q->ops++;
	use_link(&op->to, op);
	use_link(&op->from, op);
	state_slot_set(q->own.a->state, op);
	if (op_blocked(op)) {
		q->blocked++;
	} else if (here && op->bytes.len <= SMALL_BYTES) {
		op->started = true;
		run_ops(q, &q->own, op);
		err = q->error.err;
	} else {
		make_ready(q, op);
		if (q->ready_ops >= WAKE_OPS || q->ready_bytes >= WAKE_BYTES)
			wake(q);
	}
	pthread_mutex_unlock(&q->lock);
	return err;
}

int queue_wait(struct queue *q, struct node *node)
{
	int err;

	pthread_mutex_lock(&q->lock);
	q->waited_node = node;
	if (node ? node->first_use != NULL : q->first != NULL)
		wait_for(q, node ? FOR_NODE : FOR_ALL);
	err = q->error.err;
	pthread_mutex_unlock(&q->lock);
	return err;
}

void queue_kick(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	wake(q);
	pthread_mutex_unlock(&q->lock);
}

const struct op_error *queue_error(struct queue *q)
{
	const struct op_error *e;

	pthread_mutex_lock(&q->lock);
	e = q->error.err ? &q->error : NULL;
	pthread_mutex_unlock(&q->lock);
	return e;
}

struct worker *queue_worker(struct queue *q)
{
	return &q->own;
}
