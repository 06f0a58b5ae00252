// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ocp-nfsd - a server of NFSv4.1 and 4.2 whose COPY and CLONE are cr_copy_range().
 *
 * One process: event loops that own the connections, workers that carry out COMPOUNDs
 * and may block, a thread per copy that outlives its reply, and this one, which waits
 * for signals.  HUP reads the exports anew, TERM and INT end it.
 */
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nfsd/copy.h"
#include "nfsd/export.h"
#include "nfsd/options.h"
#include "nfsd/paths.h"
#include "nfsd/state.h"

#define FILES_WANTED 65536u

static int fail(const char *what, int err)
{
	fprintf(stderr, "ocp-nfsd: %s: %s\n", what, strerror(-err));
	return err;
}

static void more_files(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	if (lim.rlim_max < FILES_WANTED)
		lim.rlim_max = FILES_WANTED;
	lim.rlim_cur = lim.rlim_max;
	if (!setrlimit(RLIMIT_NOFILE, &lim) || getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

/* Daemons report over this pipe that they serve, so that the command returns then. */
static int go_background(void)
{
	int pipefd[2];
	char served;
	pid_t pid;

	if (pipe(pipefd))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid) {
		close(pipefd[1]);
		_exit(read(pipefd[0], &served, 1) == 1 ? 0 : 1);
	}
	close(pipefd[0]);
	setsid();
	return pipefd[1];
}

static void say_serving(struct nfsd *s, int fd, int background)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char text[64];

	memset(&addr, 0, sizeof(addr));
	getsockname(fd, (struct sockaddr *)&addr, &len);
	rpc_addr_text(&addr, text, sizeof(text));
	fprintf(stderr, "ocp-nfsd: serving on %s\n", text);
	if (background >= 0) {
		if (write(background, "1", 1) != 1)
			fprintf(stderr, "ocp-nfsd: nobody waits for it\n");
		close(background);
	}
}

static void reload(struct nfsd *s)
{
	struct exports *e = exports_load(s);

	if (!e || paths_open(s, e)) {
		exports_put(e);
		fprintf(stderr, "ocp-nfsd: the exports stay as they were\n");
		return;
	}
	exports_set(s, e);
	fprintf(stderr, "ocp-nfsd: exports read\n");
}

static void wait_for_end(struct nfsd *s, const sigset_t *set)
{
	int sig;

	while (!sigwait(set, &sig)) {
		if (sig != SIGHUP)
			return;
		reload(s);
	}
}

static int begin(struct nfsd *s)
{
	struct exports *e;

	s->ns = cr_ns_new();
	if (!s->ns)
		return fail("no memory", -ENOMEM);
	e = exports_load(s);
	if (!e)
		return -EINVAL;
	exports_set(s, e);
	if (db_open(s) || paths_open(s, e))
		return -EIO;
	if (landlock_confine(s, e))
		return -EPERM;
	if (copies_start(s) || changes_start(s) || state_start(s))
		return fail("no memory", -ENOMEM);
	return 0;
}

static void end(struct nfsd *s)
{
	copies_stop(s);
	svc_stop(s);
	state_free(s);
	exports_put(s->exports);
	if (s->copies)
		pthread_cond_destroy(&s->copies->done);
	free(s->copies);
	free(s->changes);
	paths_close(s);
	db_close(s);
	cr_ns_free(s->ns);
}

/* @fd: inherited, or negative. */
static int serve(struct nfsd *s, int fd, int background)
{
	char text[64];
	sigset_t set;
	int copy, err;

	if (fd < 0)
		fd = rpc_socket((struct sockaddr *)&s->opt.listen);
	if (fd < 0) {
		rpc_addr_text(&s->opt.listen, text, sizeof(text));
		return fail(text, fd);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGIO, SIG_IGN); /* a lease is wanted: deleg_tick() sees that */
	copy = dup(fd);
	err = svc_start(s, fd);
	if (err) {
		close(copy);
		return fail("cannot start", err);
	}
	say_serving(s, copy, background);
	close(copy);
	wait_for_end(s, &set);
	return 0;
}

int main(int argc, char **argv)
{
	struct nfsd s = {.boot = 0};
	int background = -1, inherited = listen_inherited(), err;

	if (!options_parse(argc, argv, &s.opt))
		return 2;
	if (inherited < 0 && inherited != -ENOENT)
		return fail("the inherited socket: one that listens is wanted", inherited) ? 1 : 0;
	umask(0);
	more_files();
	s.privileged = geteuid() == 0;
	if (s.privileged && setgroups(0, NULL))
		return fail("setgroups", -errno) ? 1 : 0;
	pthread_mutex_init(&s.lock, NULL);
	pthread_mutex_init(&s.exports_lock, NULL);
	file_syncs_init(&s);
	if (!confine())
		fprintf(stderr, "ocp-nfsd: system calls cannot be restricted here\n");
	if (!s.opt.foreground) {
		background = go_background();
		if (background < 0)
			return fail("cannot go into the background", background) ? 1 : 0;
	}
	err = begin(&s);
	if (!err)
		err = serve(&s, inherited, background);
	end(&s);
	options_free(&s.opt);
	return err ? 1 : 0;
}
