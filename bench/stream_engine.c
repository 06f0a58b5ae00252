// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stream_engine: one copy by one stream engine with given buffers, for
 * queue_depth.sh.  Knows the inside of the core, as a unit test does.
 *
 *	stream_engine ENGINE DEPTH KIB buffered|in|out|both SRC DST
 *
 * Prints wall, user and system seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "kernel/stream.h"

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const struct stream_engine *const engines[] = {
#ifdef CONFIG_STREAM_URING
	&stream_uring,
#endif
#ifdef CONFIG_STREAM_AIO
	&stream_aio,
#endif
	&stream_threads,
};

static const struct stream_engine *engine_of(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(engines); i++)
		if (!strcmp(engines[i]->name, name))
			return engines[i];
	return NULL;
}

static int run(char **argv, struct copy_result *res)
{
	struct stream_plan plan = {
		.engine = engine_of(argv[1]),
		.depth = (unsigned)atoi(argv[2]),
		.buf = (size_t)atol(argv[3]) << 10,
		.direct_in = !strcmp(argv[4], "in") || !strcmp(argv[4], "both"),
		.direct_out = !strcmp(argv[4], "out") || !strcmp(argv[4], "both"),
		.walk = true,
	};
	struct copy_req req = {.len = INT64_MAX};
	struct cr_ns *ns = cr_ns_new();
	int err;

	if (!ns || !plan.engine)
		return -EINVAL;
	err = cr_open(ns, argv[5], O_RDONLY, 0, &req.in);
	if (!err)
		err = cr_open(ns, argv[6], O_RDWR | O_CREAT | O_TRUNC, 0600, &req.out);
	if (!err)
		err = stream_run(&req, res, &plan);
	cr_close(req.in);
	cr_close(req.out);
	cr_ns_free(ns);
	return err;
}

int main(int argc, char **argv)
{
	struct copy_result res = {0};
	struct rusage u;
	double start = now();
	int err;

	if (argc != 7)
		return 2;
	err = run(argv, &res);
	if (err) {
		fprintf(stderr, "stream_engine: %s\n", strerror(-err));
		return 1;
	}
	start = now() - start;
	getrusage(RUSAGE_SELF, &u);
	printf("%.3f %.3f %.3f\n", start, seconds(u.ru_utime), seconds(u.ru_stime));
	return 0;
}
