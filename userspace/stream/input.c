// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the stream comes from. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "receive.h"

#define PIPE_SIZE (1 << 20)

/* A signal comes while input is waited for, and nowhere else: a command is never cut in two. */
static volatile sig_atomic_t caught;

static void catch (int sig)
{
	caught = sig;
}

int input_signal(void)
{
	return caught;
}

/* ppoll(2) lets none in where input is ready at once. */
static void look_for_signal(const struct input *in)
{
	const struct timespec now = {0};
	int sig = sigtimedwait(&in->ending, NULL, &now);

	if (sig > 0)
		caught = sig;
}

static void block_signals(struct input *in)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction act = {.sa_handler = catch}, old;

	sigemptyset(&in->ending);
	for (unsigned i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		if (sigaction(ending[i], NULL, &old) || old.sa_handler == SIG_IGN)
			continue;
		sigaction(ending[i], &act, NULL);
		sigaddset(&in->ending, ending[i]);
	}
	pthread_sigmask(SIG_BLOCK, &in->ending, NULL);
}

int input_open(struct input *in, const char *file)
{
	struct stat st;

	*in = (struct input){.fd = STDIN_FILENO, .copy = -1};
	if (file)
		in->fd = open(file, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0)
		return errno;
	if (!fstat(in->fd, &st) && S_ISREG(st.st_mode)) {
		in->size = (uint64_t)st.st_size;
		posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	/* Fewer turns between two processes; who may not has a smaller one. */
	fcntl(in->fd, F_SETPIPE_SZ, PIPE_SIZE);
	block_signals(in);
	return 0;
}

static bool ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static int copy_input(int fd, const char *buf, size_t len)
{
	ssize_t n;

	for (; len; buf += n, len -= (size_t)n) {
		n = write(fd, buf, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0)
			n = 0;
	}
	return 0;
}

ssize_t input_read(void *arg, void *buf, size_t len)
{
	struct input *in = arg;
	struct pollfd p = {.fd = in->fd, .events = POLLIN};
	sigset_t none;
	ssize_t n;

	if (in->waiting && !in->size && !ready(in->fd))
		in->waiting(in->arg);
	look_for_signal(in);
	sigemptyset(&none);
	do
		n = caught ? 0 : ppoll(&p, 1, NULL, &none);
	while (n < 0 && errno == EINTR && !caught);
	if (caught)
		return -EINTR;
	do
		n = read(in->fd, buf, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (in->copy >= 0)
		in->copy_err = copy_input(in->copy, buf, (size_t)n);
	return in->copy_err ? in->copy_err : n;
}

static int unnamed_file(void)
{
	const char *dir = getenv("TMPDIR");
	char *name;
	int fd;

	if (!dir || !*dir)
		dir = "/var/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd >= 0 ? fd : -errno;
	if (asprintf(&name, "%s/ocp-receive.XXXXXX", dir) < 0)
		return -ENOMEM;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	else
		unlink(name);
	free(name);
	return fd;
}

int input_keep(struct input *in)
{
	int fd;

	in->begin = lseek(in->fd, 0, SEEK_CUR);
	if (in->begin >= 0)
		return 0;
	fd = unnamed_file();
	if (fd < 0)
		in->copy_err = fd;
	else
		in->copy = fd;
	return fd < 0 ? fd : 0;
}

int input_again(struct input *in)
{
	struct stat st;

	if (in->copy >= 0) {
		in->fd = in->copy;
		in->copy = -1;
		in->begin = 0;
		if (!fstat(in->fd, &st))
			in->size = (uint64_t)st.st_size;
	}
	return lseek(in->fd, in->begin, SEEK_SET) < 0 ? -errno : 0;
}
