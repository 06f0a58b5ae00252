// SPDX-License-Identifier: GPL-2.0-or-later
/* job.c - a copy in the background: start, progress, stop, wait. */
#include <stdlib.h>

#include "core.h"
#include "lib/thread.h"

struct copy_job {
	struct copy_req req;
	struct copy_result res;
	struct copy_progress progress;
	pthread_t thread;
	void (*done)(void *arg, int err, const struct copy_result *res);
	void *arg;
	int stop, err, over;
};

static void *job_main(void *arg)
{
	struct copy_job *job = arg;

	job->err = cr_copy_range(&job->req, &job->res);
	if (job->done)
		job->done(job->arg, job->err, &job->res);
	__atomic_store_n(&job->over, 1, __ATOMIC_RELEASE);
	return NULL;
}

int cr_job_start(const struct copy_req *req,
		 void (*done)(void *arg, int err, const struct copy_result *res), void *arg,
		 struct copy_job **jobp)
{
	struct copy_job *job;
	int err;

	*jobp = NULL;
	if (req->stop)
		return -EINVAL;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->req = *req;
	job->req.stop = &job->stop;
	if (!job->req.progress)
		job->req.progress = &job->progress;
	job->done = done;
	job->arg = arg;
	err = thread_start(&job->thread, job_main, job);
	if (err) {
		free(job);
		return err;
	}
	*jobp = job;
	return 0;
}

int cr_job_status(struct copy_job *job, struct copy_progress *now)
{
	const struct copy_progress *p = job->req.progress;

	now->bytes = __atomic_load_n(&p->bytes, __ATOMIC_RELAXED);
	now->strategy = __atomic_load_n(&p->strategy, __ATOMIC_RELAXED);
	return !__atomic_load_n(&job->over, __ATOMIC_ACQUIRE);
}

void cr_job_stop(struct copy_job *job)
{
	__atomic_store_n(&job->stop, 1, __ATOMIC_RELAXED);
}

int cr_job_wait(struct copy_job *job, struct copy_result *res)
{
	int err;

	pthread_join(job->thread, NULL);
	err = job->err;
	*res = job->res;
	free(job);
	return err;
}
