// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * target.c - what is asked of the thread that waits for an answer.
 *
 * A thread's number can become another's when it dies.  So what is learnt here
 * counts only when the notification is still valid afterwards, and the caller
 * asks that before it acts on it.
 *
 * Reference: pidfd_open(2), pidfd_getfd(2), proc_pid_status(5).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "run.h"

#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#define STATUS_MAX   8192

/* /proc/PID/FILE; false: no such thread. */
static bool proc_read(pid_t pid, const char *name, char *text)
{
	char path[64];
	ssize_t n;
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	else
		snprintf(path, sizeof(path), "/proc/thread-self/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, STATUS_MAX - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* The rest of the line "KEY:\t..." of a status file, NULL without it. */
static const char *status_line(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (; text && *text; text = strchr(text, '\n'), text += text != NULL)
		if (!strncmp(text, key, n) && text[n] == ':')
			return text + n + 1;
	return NULL;
}

static uint64_t status_hex(const char *text, const char *key)
{
	const char *line = status_line(text, key);

	return line ? strtoull(line, NULL, 16) : 0;
}

pid_t target_process(pid_t tid)
{
	char text[STATUS_MAX];
	const char *line = proc_read(tid, "status", text) ? status_line(text, "Tgid") : NULL;

	return line ? (pid_t)strtol(line, NULL, 10) : 0;
}

/*
 * Before Linux 6.9 there are pidfds of processes alone, whose descriptors the
 * thread may have left (unshare(2), CLONE_FILES).
 */
static int open_process(pid_t tid)
{
	pid_t process = target_process(tid);

	if (!process) {
		errno = ESRCH;
		return -1;
	}
	if (process != tid && syscall(SYS_kcmp, tid, process, KCMP_FILES, 0, 0)) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_pidfd_open, process, 0);
}

int target_open(struct target *t, pid_t tid)
{
	*t = (struct target){.tid = tid};
	t->pidfd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);
	if (t->pidfd < 0 && errno == EINVAL)
		t->pidfd = open_process(tid);
	return t->pidfd < 0 ? -errno : 0;
}

void target_close(struct target *t)
{
	if (t->pidfd >= 0)
		close(t->pidfd);
	t->pidfd = -1;
}

int target_take(const struct target *t, int fd)
{
	int taken = (int)syscall(SYS_pidfd_getfd, t->pidfd, fd, 0);

	return taken < 0 ? -errno : taken;
}

static bool same_line(const char *a, const char *b, const char *key)
{
	const char *x = status_line(a, key), *y = status_line(b, key);
	size_t n = x ? strcspn(x, "\n") : 0;

	return x && y && n == strcspn(y, "\n") && !memcmp(x, y, n);
}

static bool same_user_ns(pid_t tid)
{
	struct stat a, b;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)tid);
	return !stat(path, &a) && !stat("/proc/self/ns/user", &b) && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/*
 * Writing by root keeps set-user-ID bits and ignores quotas, and only root may
 * move encoded extents: what we do must be what the program itself may do.
 */
bool target_is_like_us(const struct target *t)
{
	static const char *const keys[] = {"Uid", "Gid", "Groups", "CapEff"};
	char theirs[STATUS_MAX], ours[STATUS_MAX];

	if (!proc_read(t->tid, "status", theirs) || !proc_read(0, "status", ours))
		return false;
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!same_line(theirs, ours, keys[i]))
			return false;
	return same_user_ns(t->tid);
}

int target_read(const struct target *t, uint64_t from, void *to, size_t len)
{
	struct iovec local = {to, len}, remote = {(void *)(uintptr_t)from, len};
	ssize_t n = process_vm_readv(t->tid, &local, 1, &remote, 1, 0);

	return n < 0 ? -errno : n == (ssize_t)len ? 0 : -EFAULT;
}

/* Memory that the program itself could not write is EFAULT, unlike by /proc/PID/mem. */
int target_write(const struct target *t, uint64_t to, const void *from, size_t len)
{
	struct iovec local = {(void *)(uintptr_t)from, len}, remote = {(void *)(uintptr_t)to, len};
	ssize_t n = process_vm_writev(t->tid, &local, 1, &remote, 1, 0);

	return n < 0 ? -errno : n == (ssize_t)len ? 0 : -EFAULT;
}

int target_file_limit(const struct target *t, uint64_t *limit)
{
	struct rlimit lim;

	if (prlimit(t->tid, RLIMIT_FSIZE, NULL, &lim))
		return -errno;
	*limit = lim.rlim_cur == RLIM_INFINITY ? UINT64_MAX : lim.rlim_cur;
	return 0;
}

/* The kernel drops what is ignored when it is sent: what is pending and not blocked will come. */
bool target_is_signalled(pid_t tid)
{
	char text[STATUS_MAX];

	if (!proc_read(tid, "status", text))
		return true;
	return (status_hex(text, "SigPnd") | status_hex(text, "ShdPnd")) &
	       ~status_hex(text, "SigBlk");
}
