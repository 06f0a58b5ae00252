// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * filter.c - the program is started with a seccomp filter that lets every call
 * through but those that may be ours: these wait until we answer.
 *
 * libseccomp makes the filter, for 32-bit programs too, but its version 2.5
 * cannot load it as we need it: with SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
 * so that a call which we work on is not restarted behind our back when a
 * signal comes.  Kernels before 5.19 do not know the flag.
 *
 * Reference: seccomp(2), seccomp_unotify(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run.h"

/* The descriptor of an ioctl(2) request has 32 bits; what stands above does not count. */
static int notify_ioctl(scmp_filter_ctx ctx, unsigned request)
{
	return seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(ioctl), 1,
				SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, request));
}

static int filter_rules(scmp_filter_ctx ctx, const struct run_opts *o)
{
	int err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);

	if (!err && seccomp_arch_native() == SCMP_ARCH_X86_64)
		err = seccomp_arch_add(ctx, SCMP_ARCH_X86);
	if (!err && seccomp_arch_native() == SCMP_ARCH_AARCH64)
		err = seccomp_arch_add(ctx, SCMP_ARCH_ARM);
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(copy_file_range), 0);
	if (!err && o->clone_copies)
		err = notify_ioctl(ctx, FICLONE);
	if (!err && o->clone_copies)
		err = notify_ioctl(ctx, FICLONERANGE);
	return err;
}

/* The instructions, in @code.  Return: how many, -errno. */
static int filter_make(const struct run_opts *o, struct sock_filter *code, size_t max)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int fd = memfd_create("filter", MFD_CLOEXEC), err = -ENOMEM;
	ssize_t n = 0;

	if (ctx && fd >= 0)
		err = filter_rules(ctx, o);
	if (!err)
		err = seccomp_export_bpf(ctx, fd);
	if (!err)
		n = pread(fd, code, max * sizeof(*code), 0);
	if (!err && (n <= 0 || n % (ssize_t)sizeof(*code) || n == (ssize_t)(max * sizeof(*code))))
		err = -EINVAL;
	seccomp_release(ctx);
	if (fd >= 0)
		close(fd);
	return err ? err : (int)(n / (ssize_t)sizeof(*code));
}

/*
 * Who may do without it keeps no_new_privs off, so that nothing changes for
 * the program.  Return: the listener, -errno.
 */
static int filter_load(const struct run_opts *o)
{
	const unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER |
			       SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV |
			       SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	struct sock_filter code[256];
	int n = filter_make(o, code, sizeof(code) / sizeof(code[0])), fd;
	struct sock_fprog prog = {.len = (unsigned short)n, .filter = code};

	if (n < 0)
		return n;
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (fd < 0 && errno == EACCES && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	return fd < 0 ? -errno : fd;
}

/* To the parent: an error, or 0 and the listener. */
struct parcel {
	int err;
	struct iovec iov;
	struct msghdr msg;
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
};

static void parcel_init(struct parcel *p)
{
	memset(p, 0, sizeof(*p));
	p->iov = (struct iovec){&p->err, sizeof(p->err)};
	p->msg = (struct msghdr){.msg_iov = &p->iov,
				 .msg_iovlen = 1,
				 .msg_control = p->control.room,
				 .msg_controllen = sizeof(p->control.room)};
}

static bool parcel_send(int sock, int err, int fd)
{
	struct parcel p;

	parcel_init(&p);
	p.err = err;
	p.control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
					  .cmsg_level = SOL_SOCKET,
					  .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&p.control.head), &fd, sizeof(fd));
	if (fd < 0)
		p.msg.msg_controllen = 0;
	return sendmsg(sock, &p.msg, MSG_NOSIGNAL) == sizeof(p.err);
}

/* Return: the listener, or -errno; -EPIPE: the child is gone. */
static int parcel_take(int sock)
{
	struct parcel p;
	struct cmsghdr *head;
	ssize_t n;
	int fd = -EPIPE;

	parcel_init(&p);
	do
		n = recvmsg(sock, &p.msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(p.err))
		return -EPIPE;
	head = CMSG_FIRSTHDR(&p.msg);
	if (!p.err && head && head->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return p.err ? p.err : fd;
}

static _Noreturn void fail(const char *what, int err, int status)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(err));
	_exit(status);
}

/* In the child. */
static _Noreturn void program_run(const struct run_opts *o, const sigset_t *mask, int sock)
{
	char pid[24];
	int fd;

	snprintf(pid, sizeof(pid), "%d", (int)getppid());
	setenv("OCP_RUN", pid, 1);
	fd = filter_load(o);
	if (!parcel_send(sock, fd < 0 ? fd : 0, fd))
		fail("telling the supervisor", errno, EXIT_OURS);
	if (fd == -EINVAL)
		fail("seccomp: this kernel has not what is needed (Linux 5.19)", EINVAL, EXIT_OURS);
	if (fd < 0 && fd != -EBUSY)
		fail("seccomp", -fd, EXIT_OURS);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(o->argv[0], o->argv);
	fail(o->argv[0], errno, errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN);
}

pid_t program_start(const struct run_opts *o, const void *mask, int *listener)
{
	bool inside = getenv("OCP_RUN") != NULL;
	int sock[2] = {-1, -1};
	pid_t pid = -1;

	if (!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		pid = fork();
	if (pid < 0) {
		fprintf(stderr, "%s: fork: %s\n", program_invocation_short_name, strerror(errno));
		return 0;
	}
	if (!pid)
		program_run(o, mask, sock[1]);
	close(sock[1]);
	*listener = parcel_take(sock[0]);
	close(sock[0]);
	/* What else went wrong the child has said, and its exit status says it too. */
	if (*listener == -EBUSY && !inside)
		fprintf(stderr,
			"%s: calls are another supervisor's already (a container's?), nothing is "
			"served\n",
			program_invocation_short_name);
	if (*listener < 0)
		*listener = -1;
	return pid;
}
