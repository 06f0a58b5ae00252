// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * serve.c - one call: is it ours, what comes of it, what the program sees.
 *
 * The kernel is asked first, with a length of 0 on the program's own
 * descriptors, and whatever it does not refuse as EXDEV stays its business:
 * within one file system it clones or copies better than anyone, and its
 * errors are the contract.  Arguments that it would look at again after
 * "continue" are never what a decision of ours protects: the kernel checks
 * them as ever, so a program that changes them meanwhile gains nothing.
 *
 * Descriptors are taken once and then are the same open files whatever the
 * program does with its numbers.  Positions and offsets in the program's memory
 * move at the end, when the answer is sure to be taken.
 *
 * Reference: Linux fs/read_write.c copy_file_range(), fs/ioctl.c ioctl_file_clone().
 */
#include <errno.h>
#include <linux/fs.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run.h"

static enum verdict leave(struct serving *sv, const char *why)
{
	sv->why = why;
	return LEAVE;
}

static bool take(struct serving *sv, uint64_t in, uint64_t out)
{
	sv->s.in = target_take(&sv->target, (int)in);
	sv->s.out = target_take(&sv->target, (int)out);
	return sv->s.in >= 0 && sv->s.out >= 0;
}

/* NULL, or why only the kernel may act for this program. */
static const char *not_for_us(struct serving *sv, uint64_t *limit)
{
	if (!target_is_like_us(&sv->target))
		return "the program has other rights than ocp-run";
	if (target_file_limit(&sv->target, limit))
		return "its limit of file sizes cannot be read";
	return NULL;
}

/* The errno of the kernel's own call with nothing to copy, 0 when it would do it. */
static int kernel_refuses(const struct served *s)
{
	loff_t in = 0, out = 0;

	return syscall(SYS_copy_file_range, s->in, &in, s->out, &out, (size_t)0, 0u) < 0 ? errno
											 : 0;
}

static int position(const struct serving *sv, uint64_t at, int fd, off_t *pos)
{
	if (at)
		return target_read(&sv->target, at, pos, sizeof(*pos));
	*pos = lseek(fd, 0, SEEK_CUR);
	return *pos < 0 ? -errno : 0;
}

static enum verdict begin_copy(struct serving *sv)
{
	const uint64_t *args = sv->call->args;
	struct served *s = &sv->s;
	const char *why;
	int err;

	sv->name = "copy_file_range";
	if ((unsigned)args[5])
		return leave(sv, "it has flags");
	if (!take(sv, args[0], args[2]))
		return leave(sv, "its descriptors cannot be had");
	err = kernel_refuses(s);
	if (!served_exdev(err))
		return leave(sv, err ? strerrordesc_np(err) : "it can do this");
	why = not_for_us(sv, &sv->limit);
	if (why)
		return leave(sv, why);
	sv->off_in = args[1];
	sv->off_out = args[3];
	if (position(sv, sv->off_in, s->in, &s->pos_in) ||
	    position(sv, sv->off_out, s->out, &s->pos_out))
		return leave(sv, "its offsets cannot be read");
	s->len = (size_t)args[4];
	return SERVE;
}

/* Why the kernel cannot clone, asked of nothing: the end of the source. */
static int kernel_cannot_clone(const struct served *s, off_t size)
{
	struct file_clone_range none = {.src_fd = s->in, .src_offset = (uint64_t)size};

	return ioctl(s->out, FICLONERANGE, &none) < 0 ? errno : 0;
}

/* args: target, request, source descriptor or where the range stands. */
static enum verdict begin_clone(struct serving *sv)
{
	const uint64_t *args = sv->call->args;
	struct file_clone_range fcr = {.src_fd = (int)args[2]};
	struct stat st;
	const char *why;
	int err;

	sv->name = (unsigned)args[1] == FICLONE ? "FICLONE" : "FICLONERANGE";
	sv->whole = true;
	if ((unsigned)args[1] == FICLONERANGE &&
	    target_read(&sv->target, args[2], &fcr, sizeof(fcr)))
		return leave(sv, "its range cannot be read");
	if (!take(sv, (uint64_t)fcr.src_fd, args[0]) || fstat(sv->s.in, &st))
		return leave(sv, "its descriptors cannot be had");
	err = kernel_cannot_clone(&sv->s, st.st_size);
	if (!served_exdev(err) && err != ENOTTY)
		return leave(sv, err ? strerrordesc_np(err) : "it can do this");
	why = not_for_us(sv, &sv->limit);
	if (why)
		return leave(sv, why);
	if (served_clone_range(&sv->s, &fcr, st.st_size, sv->limit))
		return leave(sv, "the range is not within the source or the limit of file sizes");
	return SERVE;
}

enum verdict serve_begin(struct serving *sv, const struct call *call, const struct run_opts *o,
			 struct cr_ns *ns)
{
	bool copy = call->nr == seccomp_syscall_resolve_name_arch(call->arch, "copy_file_range");

	*sv = (struct serving){
		.call = call,
		.name = copy ? "copy_file_range" : "ioctl",
		.s = {.in = -1, .out = -1, .flags = o->flags, .own_source = true, .ns = ns}};
	if (target_open(&sv->target, call->tid))
		return leave(sv, "the program cannot be reached");
	return copy ? begin_copy(sv) : begin_clone(sv);
}

static ssize_t is_at_end(const struct served *s)
{
	struct stat st;
	ssize_t n;
	char byte;

	if (fstat(s->in, &st))
		return -errno;
	if (st.st_size)
		return s->pos_in >= st.st_size;
	n = pread(s->in, &byte, 1, s->pos_in);
	return n < 0 ? -errno : !n;
}

/*
 * Nothing fits any more: EFBIG and SIGXFSZ as from write(2), unless something
 * else is wrong with the call, or nothing is left to copy.
 */
static ssize_t at_limit(struct serving *sv)
{
	struct served look = sv->s;
	ssize_t n;

	look.len = 0;
	n = served_copy(&look);
	if (!n)
		n = is_at_end(&look);
	if (n)
		return n < 0 ? n : 0;
	sv->signal = SIGXFSZ;
	return -EFBIG;
}

ssize_t serve_copy(struct serving *sv, const int *stop)
{
	struct served *s = &sv->s;
	uint64_t out = (uint64_t)s->pos_out;

	s->stop = stop;
	if (sv->whole)
		return served_clone(s);
	if (s->pos_out >= 0 && s->len && out >= sv->limit)
		return at_limit(sv);
	if (s->pos_out >= 0 && s->len > sv->limit - out)
		s->len = (size_t)(sv->limit - out);
	return served_copy(s);
}

static int move(const struct serving *sv, uint64_t at, int fd, off_t pos)
{
	if (at)
		return target_write(&sv->target, at, &pos, sizeof(pos)) ? -EFAULT : 0;
	return lseek(fd, pos, SEEK_SET) < 0 ? -errno : 0;
}

ssize_t serve_commit(const struct serving *sv, ssize_t ret)
{
	const struct served *s = &sv->s;
	pid_t process;
	int in, out;

	if (sv->signal) {
		process = target_process(sv->target.tid);
		if (process)
			syscall(SYS_tgkill, process, sv->target.tid, sv->signal);
	}
	if (ret <= 0 || sv->whole)
		return ret;
	in = move(sv, sv->off_in, s->in, s->pos_in + ret);
	out = move(sv, sv->off_out, s->out, s->pos_out + ret);
	return in ? in : out ? out : ret;
}

void serve_drop(struct serving *sv)
{
	if (sv->s.in >= 0)
		close(sv->s.in);
	if (sv->s.out >= 0)
		close(sv->s.out);
	sv->s.in = sv->s.out = -1;
	target_close(&sv->target);
}
