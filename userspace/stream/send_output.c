// SPDX-License-Identifier: GPL-2.0-or-later
/* send_output.c - files that have their names only when they are whole, whatever ends the program.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "send.h"

#define TEMPS 4

/* A signal knows no argument: what it has to take away is the program's own. */
static struct {
	pthread_mutex_t lock;
	const char *temps[TEMPS];
	sigset_t set;
} pending = {.lock = PTHREAD_MUTEX_INITIALIZER};

void signals_hold(void)
{
	pthread_mutex_lock(&pending.lock);
}

void signals_release(void)
{
	pthread_mutex_unlock(&pending.lock);
}

static void replace(const char *was, const char *is)
{
	for (unsigned i = 0; i < TEMPS; i++)
		if (pending.temps[i] == was) {
			pending.temps[i] = is;
			return;
		}
}

void signals_add(const char *temp)
{
	replace(NULL, temp);
}

void signals_remove(const char *temp)
{
	replace(temp, NULL);
}

static void die_of(int sig)
{
	sigset_t one;

	signal(sig, SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, sig);
	pthread_sigmask(SIG_UNBLOCK, &one, NULL);
	kill(getpid(), sig);
	_exit(128 + sig);
}

static void *wait_for_signals(void *arg)
{
	int sig;

	if (sigwait(&pending.set, &sig))
		return NULL;
	signals_hold();
	for (unsigned i = 0; i < TEMPS; i++)
		if (pending.temps[i])
			unlink(pending.temps[i]);
	say_nothing_more();
	die_of(sig);
	return arg;
}

int signals_begin(void)
{
	const int sigs[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction old;
	pthread_t thread;
	int err;

	signal(SIGPIPE, SIG_IGN); /* the write says it */
	sigemptyset(&pending.set);
	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		if (!sigaction(sigs[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaddset(&pending.set, sigs[i]);
	pthread_sigmask(SIG_BLOCK, &pending.set, NULL);
	err = pthread_create(&thread, NULL, wait_for_signals, NULL);
	if (!err)
		pthread_detach(thread);
	return -err;
}

void signals_die_of_pipe(void)
{
	die_of(SIGPIPE);
}

/* A name beside @name that is not taken; its rights are those a new file gets. */
static int open_temp(struct output *out)
{
	const char *slash = strrchr(out->name, '/');
	int dir = slash ? (int)(slash - out->name + 1) : 0;
	mode_t mask = umask(0);

	umask(mask);
	if (asprintf(&out->temp, "%.*s.%.200s.ocp-XXXXXX", dir, out->name,
		     slash ? slash + 1 : out->name) < 0) {
		out->temp = NULL;
		return -ENOMEM;
	}
	signals_hold();
	out->fd = mkostemp(out->temp, O_CLOEXEC);
	if (out->fd >= 0) {
		signals_add(out->temp);
		fchmod(out->fd, 0666 & ~mask);
	}
	signals_release();
	return out->fd < 0 ? -errno : 0;
}

int output_open(struct output *out, const char *name)
{
	struct stat st;
	int err;

	*out = (struct output){.fd = STDOUT_FILENO, .name = name};
	if (!name)
		return 0;
	if (!stat(name, &st) && !S_ISREG(st.st_mode)) {
		out->fd = open(name, O_WRONLY | O_CLOEXEC);
		out->ours = out->fd >= 0;
		return out->fd < 0 ? -errno : 0;
	}
	err = open_temp(out);
	out->ours = !err;
	if (err) {
		free(out->temp);
		out->temp = NULL;
	}
	return err;
}

int output_finish(struct output *out)
{
	int err = 0;

	if (out->ours && close(out->fd) < 0)
		err = -errno;
	out->ours = false;
	if (!out->temp)
		return err;
	signals_hold();
	if (!err && rename(out->temp, out->name) < 0)
		err = -errno;
	if (err)
		unlink(out->temp);
	signals_remove(out->temp);
	signals_release();
	free(out->temp);
	out->temp = NULL;
	return err;
}

void output_drop(struct output *out)
{
	if (out->ours)
		close(out->fd);
	out->ours = false;
	if (!out->temp)
		return;
	signals_hold();
	unlink(out->temp);
	signals_remove(out->temp);
	signals_release();
	free(out->temp);
	out->temp = NULL;
}
