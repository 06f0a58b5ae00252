// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * signals.c - ocp-run is what the shell sees of the program, so it stops and
 * ends as the program does, and hands on what is sent to it.
 *
 * Both are of one process group: what the terminal sends (Control-C, Control-Z)
 * the program gets by itself, and it is not sent again.  What somebody sent to
 * ocp-run alone is handed on; that it was sent to the whole group cannot be
 * told, then the program gets it twice.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

#define BY_SIGNAL 128

int signals_open(void *old_mask)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
	sigset_t set;

	sigfillset(&set);
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&set, faults[i]);
	if (sigprocmask(SIG_BLOCK, &set, old_mask))
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* SIGSTOP itself is somebody's who wants the program stopped and not its job. */
static bool stops_job(int sig)
{
	return sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

/* Return: true, it has ended. */
static bool reap(pid_t program, int *status)
{
	while (waitpid(program, status, WNOHANG | WUNTRACED) == program) {
		if (!WIFSTOPPED(*status))
			return true;
		if (!stops_job(WSTOPSIG(*status)))
			continue;
		raise(SIGSTOP); /* here the shell takes over, until it continues the job */
		kill(program, SIGCONT);
	}
	return false;
}

static void hand_on(const struct signalfd_siginfo *info, pid_t program)
{
	int sig = (int)info->ssi_signo;

	/* Ours alone: the pipe that a trace goes to, and our writes. */
	if (sig == SIGPIPE || sig == SIGXFSZ || sig == SIGTTOU || sig == SIGTTIN)
		return;
	/* Terminal and timers, and the program itself, which meant the group. */
	if (info->ssi_code > 0 || (pid_t)info->ssi_pid == program)
		return;
	kill(program, sig);
}

bool signals_handle(int fd, pid_t program, int *status)
{
	struct signalfd_siginfo info;
	bool ended = false;

	while (read(fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo == SIGCHLD)
			ended = reap(program, status) || ended;
		else
			hand_on(&info, program);
	return ended;
}

int end_as(int status)
{
	const struct rlimit none = {0, 0};
	sigset_t one;
	int sig;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	sig = WTERMSIG(status);
	setrlimit(RLIMIT_CORE, &none); /* the program's own is the one of interest */
	signal(sig, SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, sig);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	raise(sig);
	return BY_SIGNAL + sig;
}
