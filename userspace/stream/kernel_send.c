// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kernel_send.c - BTRFS_IOC_SEND: the kernel writes the stream itself.
 *
 * It writes to the output where it can: a pipe, a socket, a file that is empty so
 * far.  The kernel begins at offset 0 of a file whatever its position is, so behind
 * something else, and for devices whose drivers it cannot call, a pipe lies between,
 * from which a thread splices.
 */
#include <errno.h>
#include <linux/btrfs.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reader.h"
#include "send.h"
#include "writer.h"

#define VERSION_FILE "/sys/fs/btrfs/features/send_stream_version"
#define PIPE_SIZE    (1 << 20)
#define NS_PER_S     1000000000L
#define WATCH_NS     100000000L

unsigned kernel_send_version(void)
{
	FILE *f = fopen(VERSION_FILE, "re");
	char line[32] = "";
	unsigned long version;

	if (!f) /* before Linux 6.0 there is no such file */
		return access("/sys/fs/btrfs/features", F_OK) ? 0 : 1;
	version = fgets(line, sizeof(line), f) ? strtoul(line, NULL, 10) : 0;
	fclose(f);
	return version && version <= UINT32_MAX ? (unsigned)version : 1;
}

const char *kernel_send_why_not(const struct source *src)
{
	if (strcmp(cr_file_room(src->root), "btrfs") != 0)
		return "it is not on btrfs";
	if (!src->subvol)
		return "it is not a subvolume";
	if (geteuid() != 0)
		return "the kernel's send needs root";
	return NULL;
}

/* Subvolumes named on the command line -------------------------------------- */

/* A parent or clone source. */
static int check_other(const struct source *src, const struct source *other)
{
	if (!other->subvol)
		return say_error(other->name, "not a subvolume", 0);
	if (!(other->info.flags & SUBVOL_RDONLY))
		return say_error(other->name,
				 "not read-only; only what cannot change is known to "
				 "be the same on the receiver",
				 0);
	if (!cr_same_storage(src->root, other->root))
		return say_error(other->name, "not on the file system of the subvolume to be sent",
				 0);
	return 0;
}

static int other_info(struct send *s, const struct source *src, const char *name,
		      struct subvol_info *info)
{
	struct source other;
	int err = source_open(s, name, &other);

	if (err)
		return err;
	err = check_other(src, &other);
	*info = other.info;
	source_close(&other);
	return err;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/*
 * The parent when only clone sources are given: the one that the subvolume is a
 * snapshot of, or else of its siblings the one that is closest to that in time.
 */
static uint64_t good_parent(const struct source *src, const struct subvol_info *clones, unsigned n)
{
	const uint8_t *parent = src->info.parent_uuid;
	static const uint8_t none[16];
	struct subvol_info info;
	struct file *root;
	uint64_t id, best = 0, nearest = UINT64_MAX;

	if (!memcmp(parent, none, sizeof(none)))
		return 0;
	for (unsigned i = 0; i < n; i++)
		if (!memcmp(clones[i].uuid, parent, sizeof(none)))
			return clones[i].id;
	if (cr_subvol_find(src->root, SUBVOL_UUID, parent, &id, 1) != 1 ||
	    cr_subvol_open(src->root, id, &root))
		return 0;
	if (cr_subvol_info(root, &info))
		info.ctransid = 0;
	cr_close(root);
	for (unsigned i = 0; i < n; i++)
		if (!memcmp(clones[i].parent_uuid, parent, sizeof(none)) &&
		    distance(clones[i].ctransid, info.ctransid) < nearest) {
			nearest = distance(clones[i].ctransid, info.ctransid);
			best = clones[i].id;
		}
	return best;
}

/* The output ----------------------------------------------------------------- */

static bool takes_kernel_writes(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
		return true;
	return S_ISREG(st.st_mode) && !(fcntl(fd, F_GETFL) & O_APPEND) && st.st_size == 0 &&
	       lseek(fd, 0, SEEK_CUR) == 0;
}

struct pump {
	pthread_t thread;
	int from, to, err;
};

static void *pump_run(void *arg)
{
	struct pump *p = arg;
	bool splices = true;
	char *buf = malloc(PIPE_SIZE);
	ssize_t n = 1;

	while (n > 0 && !p->err) {
		n = splices ? splice(p->from, NULL, p->to, NULL, PIPE_SIZE, 0) : -1;
		if (n < 0 && errno == EINVAL)
			splices = false;
		else if (n < 0 && splices && errno != EINTR)
			p->err = -errno;
		if (splices || p->err) {
			n = n < 0 ? 1 : n;
			continue;
		}
		n = buf ? read(p->from, buf, PIPE_SIZE) : -1;
		if (n < 0 && (!buf || errno != EINTR))
			p->err = buf ? -errno : -ENOMEM;
		else if (n > 0)
			p->err = stream_write_fd(&p->to, buf, (size_t)n);
		n = n < 0 ? 1 : n;
	}
	close(p->from); /* the kernel is told that nobody reads */
	free(buf);
	return NULL;
}

/* --dry-run: a stream without data says how much there would be. */
struct counter {
	pthread_t thread;
	int from, err;
	uint64_t data, bytes;
};

static void *count_run(void *arg)
{
	struct counter *c = arg;
	struct stream_reader *r = stream_reader_new(stream_read_fd, &c->from);
	struct stream_cmd cmd = {0};
	char rest[4096];
	int n = r ? 1 : -ENOMEM;

	while (n > 0) {
		n = stream_reader_next(r, &cmd);
		if (n > 0)
			c->bytes += cmd.len;
		if (n > 0 && cmd.id == STREAM_C_UPDATE_EXTENT)
			c->data += stream_number(&cmd, STREAM_A_SIZE);
	}
	c->err = n;
	stream_reader_free(r);
	while (read(c->from, rest, sizeof(rest)) > 0)
		;
	close(c->from);
	return NULL;
}

static int send_ioctl(int subvol, struct btrfs_ioctl_send_args *args)
{
	return ioctl(subvol, BTRFS_IOC_SEND, args) < 0 ? -errno : 0;
}

static int count_stream(struct send *s, int subvol, struct btrfs_ioctl_send_args *args)
{
	struct counter c = {0};
	int fds[2], err;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	c.from = fds[0];
	err = -pthread_create(&c.thread, NULL, count_run, &c);
	if (err) {
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	args->send_fd = fds[1];
	args->flags |= BTRFS_SEND_FLAG_NO_FILE_DATA;
	args->flags &= ~(uint64_t)(BTRFS_SEND_FLAG_OMIT_STREAM_HEADER |
				   BTRFS_SEND_FLAG_OMIT_END_CMD | BTRFS_SEND_FLAG_COMPRESSED);
	err = send_ioctl(subvol, args);
	close(fds[1]);
	pthread_join(c.thread, NULL);
	s->sums.bytes += c.bytes;
	s->sums.data += c.data;
	return err ? err : c.err;
}

static int send_through_pipe(struct send *s, int subvol, struct btrfs_ioctl_send_args *args)
{
	struct pump p = {.to = s->out.fd};
	int fds[2], err;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);
	p.from = fds[0];
	err = -pthread_create(&p.thread, NULL, pump_run, &p);
	if (err) {
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	args->send_fd = fds[1];
	err = send_ioctl(subvol, args);
	close(fds[1]);
	pthread_join(p.thread, NULL);
	return p.err ? p.err : err;
}

/* How much of it the kernel has written: only the accounts of the thread that is in it tell. */
static uint64_t written_by(pid_t tid)
{
	char path[64], line[80];
	unsigned long long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/io", (int)tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "wchar: ", 7)) {
			n = strtoull(line + 7, NULL, 10);
			break;
		}
	if (f)
		fclose(f);
	return n;
}

struct watch {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool end;
	pid_t tid;
	uint64_t before;
	struct copy_progress *now;
};

static void *watch_run(void *arg)
{
	struct watch *w = arg;
	struct timespec until;

	pthread_mutex_lock(&w->lock);
	while (!w->end) {
		__atomic_store_n(&w->now->bytes, written_by(w->tid) - w->before, __ATOMIC_RELAXED);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += WATCH_NS;
		until.tv_sec += until.tv_nsec / NS_PER_S;
		until.tv_nsec %= NS_PER_S;
		pthread_cond_clockwait(&w->ended, &w->lock, CLOCK_MONOTONIC, &until);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static int send_to_out(struct send *s, int subvol, struct btrfs_ioctl_send_args *args)
{
	struct stat st;
	int err;

	if (s->o->dry_run)
		return count_stream(s, subvol, args);
	if (!takes_kernel_writes(s->out.fd))
		return send_through_pipe(s, subvol, args);
	args->send_fd = s->out.fd;
	err = send_ioctl(subvol, args);
	if (!fstat(s->out.fd, &st) && S_ISREG(st.st_mode))
		lseek(s->out.fd, 0, SEEK_END); /* what comes next goes behind it */
	return err;
}

static int send_stream(struct send *s, int subvol, struct btrfs_ioctl_send_args *args)
{
	struct watch w = {.lock = PTHREAD_MUTEX_INITIALIZER,
			  .ended = PTHREAD_COND_INITIALIZER,
			  .tid = gettid(),
			  .now = s->now};
	bool watched;
	int err;

	w.before = written_by(w.tid);
	watched = s->now && !pthread_create(&w.thread, NULL, watch_run, &w);
	err = send_to_out(s, subvol, args);
	if (!s->o->dry_run)
		s->sums.bytes += written_by(w.tid) - w.before;
	if (!watched)
		return err;
	pthread_mutex_lock(&w.lock);
	w.end = true;
	pthread_cond_signal(&w.ended);
	pthread_mutex_unlock(&w.lock);
	pthread_join(w.thread, NULL);
	return err;
}

/* All of it ------------------------------------------------------------------ */

static uint64_t flags_of(const struct send *s)
{
	uint64_t flags = 0;

	if (s->o->no_data)
		flags |= BTRFS_SEND_FLAG_NO_FILE_DATA;
	if (s->o->no_end && s->sent)
		flags |= BTRFS_SEND_FLAG_OMIT_STREAM_HEADER;
	if (s->o->no_end && s->sent + 1 < s->o->ntrees)
		flags |= BTRFS_SEND_FLAG_OMIT_END_CMD;
	if (s->version > 1)
		flags |= BTRFS_SEND_FLAG_VERSION;
	if (s->compressed)
		flags |= BTRFS_SEND_FLAG_COMPRESSED;
	return flags;
}

static int settle_version(struct send *s)
{
	unsigned has = kernel_send_version(), asked = s->o->proto;

	s->version = asked == PROTO_UNSET || !asked ? has : asked;
	if (s->version > STREAM_VERSION_MAX)
		s->version = STREAM_VERSION_MAX;
	if (!has || s->version > has) {
		say(NULL, "the kernel sends version %u at most, not %u", has, s->version);
		return -EPROTO;
	}
	s->compressed = s->version >= 2 && s->o->compressed != 0 && !s->o->no_data;
	if (s->o->compressed == 1 && s->version < 2) {
		say(NULL,
		    "compressed data need version 2 of the stream, which this kernel has not");
		return -EPROTO;
	}
	return 0;
}

/* Clone sources of the command line, the parent, and what was sent before. */
static int settle_sources(struct send *s, const struct source *src,
			  struct btrfs_ioctl_send_args *args)
{
	struct subvol_info *clones = calloc(s->o->nclones + 1, sizeof(*clones)), parent = {0};
	int err = clones ? 0 : -ENOMEM;

	for (unsigned i = 0; i < s->o->nclones && !err; i++)
		err = other_info(s, src, s->o->clones[i], &clones[i]);
	if (!err && s->o->parent) {
		err = other_info(s, src, s->o->parent, &parent);
		if (!err)
			args->parent_root = parent.id;
	}
	if (!err && s->o->nclones && !s->o->parent) {
		args->parent_root = good_parent(src, clones, s->o->nclones);
		if (!args->parent_root)
			err = say_error(src->name,
					"none of the clone sources is its parent or a sibling; "
					"say one with -p",
					0);
	}
	if (!err && !s->nclones) {
		for (unsigned i = 0; i < s->o->nclones; i++)
			s->clone_ids[s->nclones++] = clones[i].id;
		if (s->o->parent)
			s->clone_ids[s->nclones++] = parent.id;
	}
	args->clone_sources = s->clone_ids;
	args->clone_sources_count = s->nclones;
	free(clones);
	return err;
}

static int explain(const struct source *src, int err)
{
	if (err == -EPERM)
		return say_error(src->name, "the kernel's send needs root; --walk does without",
				 err);
	return err == -EPIPE ? err : say_error(src->name, "sending", err);
}

int kernel_send(struct send *s, struct source *src)
{
	struct btrfs_ioctl_send_args args = {0};
	const char *why = kernel_send_why_not(src);
	int err;

	if (why) {
		say(src->name, "%s", why);
		return -EINVAL;
	}
	if (!(src->info.flags & SUBVOL_RDONLY))
		return say_error(src->name,
				 "not read-only; make a read-only snapshot of it, or use --walk",
				 0);
	err = settle_version(s);
	if (!err)
		err = settle_sources(s, src, &args);
	if (err)
		return err;
	args.flags = flags_of(s);
	args.version = s->version;
	err = send_stream(s, cr_file_fd(src->root), &args);
	if (err)
		return explain(src, err);
	if (s->o->nclones || s->o->parent)
		s->clone_ids[s->nclones++] = src->info.id;
	return 0;
}
