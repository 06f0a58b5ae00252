// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ocp - copy files and trees like cp(1), by the cheapest way the storage has.
 *
 *   opts.c       what the command line says
 *   plan.c       operands: where each of them goes
 *   entry.c      one name: target.c settles what stands at its destination, then
 *                walk.c makes a directory, data.c a file, make.c anything else
 *   attr.c ...   owner, xattr.c, mode, times, flags.c, in an order that works
 *   report.c     everything that is said
 *
 * The walk feeds a pool of workers (pool.c): each takes a subdirectory or a
 * batch of names of one directory.  A directory is finished, with its own
 * attributes, by whichever worker ends the last thing below it (dir.c).  Every
 * file is reached by one name relative to an open directory, never by a path,
 * so trees may be deeper than PATH_MAX and cannot be swapped under us.
 *
 * Bytes move in one place: cr_copy_range(), called by data.c.
 *
 * SIGINT and friends set a flag; workers give up the file in hand, which has
 * no name yet unless it is written in place, and the exit status is 128 + the
 * signal.  The same signal again kills at once.
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ocp.h"
#include "probe.h"

/* Handlers have no argument: the one global of the program. */
static volatile sig_atomic_t ended_by;
static int ended;

static void on_signal(int sig)
{
	ended_by = sig;
	__atomic_store_n(&ended, 1, __ATOMIC_RELAXED);
}

static void catch_signals(void)
{
	const int sigs[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction old, act = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		if (!sigaction(sigs[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(sigs[i], &act, NULL);
}

/* Directories to keep open, from what the system allows; more is taken where it may be. */
static unsigned dir_limit(unsigned workers)
{
	const rlim_t enough = 4096, most = 512, least = 4;
	rlim_t spare = 24 + 8 * (rlim_t)workers;
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return least;
	if (lim.rlim_cur < enough) {
		lim.rlim_cur = lim.rlim_max < enough ? lim.rlim_max : enough;
		setrlimit(RLIMIT_NOFILE, &lim);
		getrlimit(RLIMIT_NOFILE, &lim);
	}
	if (lim.rlim_cur < spare + 2 * least)
		return least;
	return (unsigned)(lim.rlim_cur / 2 > most + spare ? most : (lim.rlim_cur - spare) / 2);
}

static void copy_share_start(struct ocp *ocp)
{
	const struct ocp_opts *o = ocp->o;
	const char *name = o->target ? o->target : o->dest;
	struct file *dir;
	char *parent, *slash;

	if (!(o->preserve & PRESERVE_SHARING) || !name || o->dry_run)
		return;
	if (!cr_open(ocp->ns, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &dir)) {
		ocp->share_dir = dir;
	} else {
		parent = strdup(name);
		slash = parent ? strrchr(parent, '/') : NULL;
		if (slash)
			slash[slash == parent] = '\0';
		if (parent && !cr_open(ocp->ns, slash ? parent : ".",
				       O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &dir))
			ocp->share_dir = dir;
		free(parent);
	}
	if (ocp->share_dir)
		ocp->share = copy_share_new(ocp->share_dir);
}

static int workers_start(struct ocp *ocp, struct worker **workersp)
{
	struct worker *workers = calloc(ocp->workers, sizeof(*workers));

	if (!workers)
		return -ENOMEM;
	*workersp = workers;
	for (unsigned i = 0; i < ocp->workers; i++) {
		workers[i].ocp = ocp;
		workers[i].id = i;
		workers[i].xattrs = malloc(XATTR_BUF);
		if (!workers[i].xattrs || getrandom(&workers[i].rnd, sizeof(workers[i].rnd), 0) < 0)
			return -ENOMEM;
	}
	ocp->pool = pool_new(ocp, workers, ocp->workers);
	return ocp->pool ? 0 : -ENOMEM;
}

static void workers_end(struct ocp *ocp, struct worker *workers)
{
	pool_free(ocp->pool);
	for (unsigned i = 0; workers && i < ocp->workers; i++) {
		cr_close(workers[i].link_file);
		node_put(workers[i].link_dir);
		node_put(workers[i].made_in);
		free(workers[i].xattrs);
	}
	free(workers);
}

static void ocp_run(struct ocp *ocp)
{
	struct worker *workers = NULL;
	struct count *count;
	int err = -ENOMEM;

	ocp->max_open_dirs = dir_limit(ocp->workers);
	pthread_mutex_init(&ocp->tree, NULL);
	ocp->ns = cr_ns_new();
	ocp->operands = operands_new();
	ocp->links = links_new(ocp->o->nsources == 1 && ocp->o->deref == DEREF_NEVER);
	if (ocp->ns && ocp->operands && ocp->links)
		err = workers_start(ocp, &workers);
	if (err) {
		report_error(ocp->report, err, MSG_NO_MEMORY, NULL, NULL);
	} else {
		copy_share_start(ocp);
		count = count_start(ocp);
		plan_run(&workers[0]);
		count_end(count);
	}
	workers_end(ocp, workers);
	links_free(ocp->links);
	operands_free(ocp->operands);
	copy_share_free(ocp->share);
	cr_close(ocp->share_dir);
	cr_ns_free(ocp->ns);
	pthread_mutex_destroy(&ocp->tree);
}

int main(int argc, char **argv)
{
	struct ocp_opts o;
	struct ocp ocp = {.o = &o, .signal = &ended_by, .stop = &ended};
	int rc;

	setlocale(LC_ALL, "");
	rc = opts_parse(&o, argc, argv);
	if (rc >= 0)
		return rc;
	if (o.probe)
		return probe_run(&o);
	ocp.workers = o.interactive ? 1 : opts_jobs(&o);
	ocp.root = geteuid() == 0;
	ocp.umask = umask(0);
	umask(ocp.umask);
	ocp.progress = progress_new(&o, ocp.workers);
	ocp.report = report_new(&o, ocp.progress);
	if (!ocp.report)
		return EXIT_FAILURE;
	catch_signals();
	ocp_run(&ocp);
	progress_free(ocp.progress);
	rc = report_finish(ocp.report);
	return ended_by ? 128 + ended_by : rc;
}
