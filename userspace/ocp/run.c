// SPDX-License-Identifier: GPL-2.0-or-later
/* run.c - one run: what it needs is made, the operands are copied, all is taken down. */
#include <errno.h>
#include <linux/ioprio.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ocp.h"

#define ONE_SIGNAL_MS 250 /* sent again within this, it is still the same one */

/* Handlers have no argument: the globals of the program. */
static volatile sig_atomic_t ended_by;
static int ended;
static atomic_llong first_at[SIGTERM + 1]; /* ms; 0: not heard yet.  Of SIGHUP, SIGINT, SIGTERM */

/*
 * The second one of a kind ends us at once.  But timeout(1) sends each twice, to us and
 * to our process group, and so may any supervisor: it tells a moment from a second wish.
 */
static void on_signal(int sig)
{
	struct timespec ts;
	long long now, first = 0;

	ended_by = sig;
	__atomic_store_n(&ended, 1, __ATOMIC_RELAXED);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = 1 + ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
	if (atomic_compare_exchange_strong(&first_at[sig], &first, now) ||
	    now < first + ONE_SIGNAL_MS)
		return;
	signal(sig, SIG_DFL);
	raise(sig); /* taken when this handler returns */
}

/* ocp_signals - from now on they set what is returned, and so ask for an end */
int *ocp_signals(void)
{
	const int sigs[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction old, act = {.sa_handler = on_signal};

	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		if (!sigaction(sigs[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(sigs[i], &act, NULL);
	return &ended;
}

/* The signal that ended us, or 0. */
int ocp_signal(void)
{
	return ended_by;
}

/* The thread of the bar waits for it; nobody else is disturbed. */
void ocp_block_usr1(void)
{
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
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
		if (ocp->o->verify && verify_new(&workers[i]))
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
		verify_free(workers[i].verify);
		free(workers[i].xattrs);
		free(workers[i].label);
	}
	free(workers);
}

/* ocp_run - all that the command line asks for; what it came to is in ocp->report */
void ocp_run(struct ocp *ocp)
{
	struct worker *workers = NULL;
	struct count *count;
	int err = -ENOMEM;

	ocp->max_open_dirs = dir_limit(ocp->workers);
	pthread_mutex_init(&ocp->tree, NULL);
	pthread_mutex_init(&ocp->throttle_lock, NULL);
	ocp->ns = cr_ns_new();
	if (ocp->ns)
		cr_ns_stop(ocp->ns, ocp->stop);
	ocp->operands = operands_new();
	ocp->links = links_new(ocp->o->nsources == 1 && ocp->o->deref == DEREF_NEVER);
	if (ocp->ns && ocp->operands && ocp->links)
		err = workers_start(ocp, &workers);
	if (err) {
		report_error(ocp->report, err, MSG_NO_MEMORY, NULL, NULL);
	} else if (!manifest_open(ocp)) {
		copy_share_start(ocp);
		count = count_start(ocp);
		plan_run(&workers[0]);
		count_end(count);
		sync_all(ocp);
	}
	workers_end(ocp, workers);
	manifest_close(ocp);
	links_free(ocp->links);
	operands_free(ocp->operands);
	copy_share_free(ocp->share);
	cr_close(ocp->share_dir);
	cr_ns_free(ocp->ns);
	pthread_mutex_destroy(&ocp->throttle_lock);
	pthread_mutex_destroy(&ocp->tree);
}

/* For all threads: those that are made later inherit it. */
int ocp_set_ioprio(const struct ocp_opts *o)
{
	if (o->ioprio < 0 || !syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, o->ioprio))
		return 0;
	fprintf(stderr, "%s: cannot set --ioprio: %s\n", program_invocation_short_name,
		strerror(errno));
	return -1;
}
