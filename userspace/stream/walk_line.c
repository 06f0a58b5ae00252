// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * walk_line.c - steps become commands, in parallel and in order.
 *
 * The walk fills jobs with steps.  Workers take jobs in order and go through
 * three parts: they look at the source, decide what is cloned from what came
 * before, and make the commands.  The second part is done in the order of the stream:
 * each job waits for its turn.  One thread writes the commands in that order.
 *
 * A file from which something is cloned may turn out to have been changed while
 * it was read.  That is known by the time the clone is to be written, because its
 * source comes before it: then the job is done again, without clones.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "walk.h"

#define SPARES	   (2 * WORKERS)
#define SPARE_SIZE ((size_t)2 << 20) /* larger ones are not kept */

struct line {
	struct walk *w;
	pthread_mutex_t lock;
	pthread_cond_t work, turn_came, room, done;
	struct job *head, *take, **tail; /* not written yet; not taken yet */
	struct job *open;		 /* being filled, by the walk alone */
	uint64_t numbers, turn, in_flight, most;
	bool ending;
	int err;
	unsigned nthreads, nspares;
	struct stream_buffer spares[SPARES]; /* of jobs that were written: the last one is warm */
	pthread_t threads[WORKERS], writer;
};

void step_free(struct step *s)
{
	if (!s)
		return;
	cr_close(s->file);
	cr_close(s->old);
	for (size_t i = 0; i < s->pieces.n; i++)
		subject_put(s->pieces.v[i].from);
	free(s->pieces.v);
	place_put_dir(s->dir);
	subject_put(s->subject);
	subject_put(s->target);
	earlier_put(s->earlier);
	free(s->name);
	free(s->path);
	free(s->path2);
	free(s->marks);
	free(s);
}

static void remarks_free(struct job *job)
{
	struct remark *r;

	while ((r = job->remarks)) {
		job->remarks = r->next;
		free(r->operation);
		free(r->path);
		free(r);
	}
	job->remarks_end = &job->remarks;
}

static void job_free(struct job *job)
{
	struct step *s;

	while ((s = job->steps)) {
		job->steps = s->next;
		step_free(s);
	}
	remarks_free(job);
	free(job->out.bytes);
	free(job);
}

void job_remark(struct job *job, int err, bool fatal, const char *operation, const char *path)
{
	struct remark *r;

	if (fatal && !job->err)
		job->err = err;
	for (r = job->remarks; r; r = r->next) /* it was done before: see job_again() */
		if (r->err == err && r->path && !strcmp(r->path, path))
			return;
	r = calloc(1, sizeof(*r));
	if (!r)
		return;
	r->err = err;
	r->fatal = fatal;
	r->operation = strdup(operation);
	r->path = strdup(path);
	*job->remarks_end = r;
	job->remarks_end = &r->next;
}

/* Under the lock: memory that has been used is there already, and perhaps in the cache. */
static void spare_take(struct line *l, struct job *job)
{
	if (l->nspares)
		job->out = l->spares[--l->nspares];
}

static void spare_give(struct line *l, struct job *job)
{
	if (!job->out.bytes || job->out.size > SPARE_SIZE || l->nspares == SPARES)
		return;
	job->out.len = 0;
	l->spares[l->nspares++] = job->out;
	job->out = (struct stream_buffer){0};
}

int work_init(struct work *k, struct walk *w)
{
	*k = (struct work){.w = w};
	k->out = stream_writer_new(NULL, NULL, w->version);
	k->names = malloc((size_t)64 << 10);
	k->value = malloc((size_t)64 << 10);
	k->buf = malloc(2 * ENCODED_MAX);
	if (!k->out || !k->names || !k->value || !k->buf) {
		work_end(k);
		return -ENOMEM;
	}
	return 0;
}

void work_end(struct work *k)
{
	stream_writer_free(k->out);
	free(k->names);
	free(k->value);
	free(k->buf);
}

int work_again(struct work *k)
{
	stream_writer_free(k->out);
	k->out = stream_writer_new(NULL, NULL, k->w->version);
	if (!k->out)
		return -ENOMEM;
	stream_writer_into(k->out, &k->job->out);
	return 0;
}

static void emit_all(struct work *k, struct job *job)
{
	stream_writer_into(k->out, &job->out);
	for (struct step *s = job->steps; s && !job->err; s = s->next) {
		step_emit(k, s);
		cr_close(s->file);
		s->file = NULL;
	}
}

static void wait_turn(struct line *l, const struct job *job)
{
	pthread_mutex_lock(&l->lock);
	while (l->turn != job->number)
		pthread_cond_wait(&l->turn_came, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

static void pass_turn(struct line *l)
{
	pthread_mutex_lock(&l->lock);
	l->turn++;
	pthread_cond_broadcast(&l->turn_came);
	pthread_mutex_unlock(&l->lock);
}

static void job_do(struct line *l, struct work *k, struct job *job)
{
	struct step *s;

	k->job = job;
	for (s = job->steps; s && !l->w->stop; s = s->next)
		step_look(k, s);
	wait_turn(l, job);
	for (s = job->steps; s && !l->w->stop; s = s->next)
		step_decide(k, s);
	pass_turn(l);
	if (!l->w->stop)
		emit_all(k, job);
}

static void *worker(void *arg)
{
	struct line *l = arg;
	struct work k;
	int err = work_init(&k, l->w);
	struct job *job;

	pthread_mutex_lock(&l->lock);
	for (;;) {
		while (!l->take && !l->ending)
			pthread_cond_wait(&l->work, &l->lock);
		job = l->take;
		if (!job)
			break;
		l->take = job->next;
		spare_take(l, job);
		pthread_mutex_unlock(&l->lock);
		if (err) {
			job_remark(job, err, true, "sending", "");
			wait_turn(l, job);
			pass_turn(l);
		} else {
			job_do(l, &k, job);
		}
		pthread_mutex_lock(&l->lock);
		job->done = true;
		if (job == l->head)
			pthread_cond_signal(&l->done);
	}
	pthread_mutex_unlock(&l->lock);
	if (!err)
		work_end(&k);
	return NULL;
}

/* Whether something that this job refers to is not in the stream as it was thought. */
static bool is_spoilt(const struct job *job)
{
	for (const struct step *s = job->steps; s; s = s->next) {
		for (size_t i = 0; i < s->pieces.n && job->clones; i++)
			if (s->pieces.v[i].from && (s->pieces.v[i].from->changed ||
						    s->pieces.v[i].from->failed_at <= job->number))
				return true;
		if ((s->target && s->target->failed_at <= job->number) ||
		    (s->subject && s->subject->failed_at < job->number))
			return true;
	}
	return false;
}

static int job_again(struct work *k, struct job *job)
{
	int err = k->w ? 0 : -ENOMEM;

	if (err)
		return err;
	job->out.len = 0;
	k->job = job;
	k->no_clones = true;
	emit_all(k, job);
	return 0;
}

/* The end of a job: what is to be said, its commands, its lines of the manifest. */
static int job_write(struct line *l, struct work *k, struct job *job)
{
	struct walk *w = l->w;
	int err = 0;

	if (!w->stop && is_spoilt(job))
		err = job_again(k, job);
	for (struct remark *r = job->remarks; r && !w->stop; r = r->next)
		w->complain(w->complain_arg, r);
	if (!err)
		err = job->err;
	if (!err && job->out.len && !w->stop) {
		err = w->write(w->write_arg, job->out.bytes, job->out.len);
		atomic_fetch_add(&w->bytes, job->out.len);
	}
	for (struct step *s = job->steps; s && !err && w->manifest && !w->stop; s = s->next)
		err = manifest_step(w->manifest, s);
	return err;
}

static void *writer(void *arg)
{
	struct line *l = arg;
	struct work k;
	struct job *job;
	int err = work_init(&k, l->w);
	bool ready = !err;

	if (!ready)
		k = (struct work){0};
	pthread_mutex_lock(&l->lock);
	for (;;) {
		while (!(l->head && l->head->done) && !(l->ending && !l->head))
			pthread_cond_wait(&l->done, &l->lock);
		job = l->head;
		if (!job)
			break;
		l->head = job->next;
		if (!l->head)
			l->tail = &l->head;
		pthread_mutex_unlock(&l->lock);
		err = l->err ? 0 : job_write(l, &k, job);
		pthread_mutex_lock(&l->lock);
		if (err) {
			l->err = err;
			l->w->stop = true;
		}
		l->in_flight -= job->cost;
		spare_give(l, job);
		pthread_cond_signal(&l->room);
		pthread_mutex_unlock(&l->lock);
		job_free(job);
		pthread_mutex_lock(&l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	if (ready)
		work_end(&k);
	return NULL;
}

int line_start(struct walk *w)
{
	struct line *l = calloc(1, sizeof(*l));
	int err = 0;

	if (!l)
		return -ENOMEM;
	l->w = w;
	l->most = cr_file_fd(w->root) >= 0 ? IN_FLIGHT : IN_FLIGHT_FAR;
	l->tail = &l->head;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->work, NULL);
	pthread_cond_init(&l->turn_came, NULL);
	pthread_cond_init(&l->room, NULL);
	pthread_cond_init(&l->done, NULL);
	w->line = l;
	err = pthread_create(&l->writer, NULL, writer, l);
	if (err) {
		free(l);
		w->line = NULL;
		return -err;
	}
	for (; l->nthreads < WORKERS && !err; l->nthreads += !err)
		err = pthread_create(&l->threads[l->nthreads], NULL, worker, l);
	return l->nthreads ? 0 : -err;
}

/* The open job goes to the workers; waits while too much is under way. */
static int line_flush(struct line *l)
{
	struct job *job = l->open;

	if (!job)
		return 0;
	l->open = NULL;
	pthread_mutex_lock(&l->lock);
	while (l->in_flight && l->in_flight + job->cost > l->most && !l->w->stop)
		pthread_cond_wait(&l->room, &l->lock);
	l->in_flight += job->cost;
	job->number = l->numbers++;
	*l->tail = job;
	l->tail = &job->next;
	if (!l->take)
		l->take = job;
	pthread_cond_signal(&l->work);
	pthread_mutex_unlock(&l->lock);
	return l->w->stop ? -EINTR : 0;
}

struct step *line_step(struct walk *w, unsigned what, struct place *dir, const char *name,
		       const char *path)
{
	struct step *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->what = what;
	s->dir = dir ? place_get(dir) : NULL;
	s->name = name ? strdup(name) : NULL;
	s->path = strdup(path);
	if (s->path && (s->name || !name))
		return s;
	step_free(s);
	return NULL;
}

static struct job *line_open(struct line *l)
{
	struct job *job = l->open;

	if (job)
		return job;
	job = l->open = calloc(1, sizeof(*job));
	if (job) {
		job->end = &job->steps;
		job->remarks_end = &job->remarks;
	}
	return job;
}

int line_push(struct walk *w, struct step *step)
{
	struct line *l = w->line;
	struct job *job = step ? line_open(l) : NULL;

	if (!job) {
		step_free(step);
		return -ENOMEM;
	}
	*job->end = step;
	job->end = &step->next;
	job->nsteps++;
	job->cost += FILE_COST + (step->to - step->from);
	if (job->nsteps < JOB_STEPS && job->cost < JOB_BYTES)
		return w->stop ? -EINTR : 0;
	return line_flush(l);
}

int line_remark(struct walk *w, int err, bool fatal, const char *operation, const char *path)
{
	struct job *job = line_open(w->line);

	if (!job)
		return -ENOMEM;
	job_remark(job, err, fatal, operation, path);
	return fatal ? -ECANCELED : 0;
}

int line_end(struct walk *w)
{
	struct line *l = w->line;
	int err;

	if (!l)
		return 0;
	line_flush(l);
	pthread_mutex_lock(&l->lock);
	l->ending = true;
	pthread_cond_broadcast(&l->work);
	pthread_cond_signal(&l->done);
	pthread_mutex_unlock(&l->lock);
	for (unsigned i = 0; i < l->nthreads; i++)
		pthread_join(l->threads[i], NULL);
	pthread_mutex_lock(&l->lock);
	pthread_cond_signal(&l->done);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->writer, NULL);
	err = l->err;
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->work);
	pthread_cond_destroy(&l->turn_came);
	pthread_cond_destroy(&l->room);
	pthread_cond_destroy(&l->done);
	while (l->nspares)
		free(l->spares[--l->nspares].bytes);
	free(l);
	w->line = NULL;
	return err;
}
