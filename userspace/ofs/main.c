// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ocp-mount - one file system whose top folders are rooms: folders of this machine and
 * servers.  Whatever copies below it copies by copy_range().
 *
 *   options.c   what the command line says
 *   node.c      the files that the kernel knows, and looking them up
 *   attr.c names.c dir.c file.c lock.c   what requests ask for
 *   prune.c     asks the kernel to forget files
 *   passthrough.c   files that the kernel reads and writes by itself
 *   copy.c      copy_file_range(2), in the background
 *   ids.c       whose new files are
 *
 *	program --- kernel --- /dev/fuse --- libfuse's threads --- vfs.h --- rooms
 *	                                         \__ copies ___/
 *
 * In the background a child does all: it tells the first process when the mount is
 * there, or why not.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "ofs.h"

#define READ_AHEAD_KB 4096u
#define FILES_MAX     (1u << 20) /* what the kernel lets nobody go beyond, as it is set up */

static const struct fuse_lowlevel_ops ops = {
	.init = ofs_init,
	.lookup = ofs_lookup,
	.forget = ofs_forget,
	.forget_multi = ofs_forget_multi,
	.getattr = ofs_getattr,
	.setattr = ofs_setattr,
	.access = ofs_access,
	.statfs = ofs_statfs,
	.readlink = ofs_readlink,
	.mknod = ofs_mknod,
	.mkdir = ofs_mkdir,
	.unlink = ofs_unlink,
	.rmdir = ofs_rmdir,
	.symlink = ofs_symlink,
	.rename = ofs_rename,
	.link = ofs_link,
	.open = ofs_open,
	.create = ofs_create,
	.read = ofs_read,
	.write_buf = ofs_write_buf,
	.flush = ofs_flush,
	.release = ofs_release,
	.fsync = ofs_fsync,
	.fallocate = ofs_fallocate,
	.lseek = ofs_lseek,
	.ioctl = ofs_ioctl,
	.opendir = ofs_opendir,
	.readdir = ofs_readdir,
	.readdirplus = ofs_readdirplus,
	.releasedir = ofs_releasedir,
	.fsyncdir = ofs_fsyncdir,
	.setxattr = ofs_setxattr,
	.getxattr = ofs_getxattr,
	.listxattr = ofs_listxattr,
	.removexattr = ofs_removexattr,
	.getlk = ofs_getlk,
	.setlk = ofs_setlk,
	.flock = ofs_flock,
	.copy_file_range = ofs_copy_file_range,
};

static void want(struct fuse_conn_info *conn, unsigned cap, bool yes)
{
	if (!yes)
		conn->want &= ~cap;
	else if (conn->capable & cap)
		conn->want |= cap;
}

void ofs_init(void *arg, struct fuse_conn_info *conn)
{
	struct ofs *o = arg;

	want(conn, FUSE_CAP_DONT_MASK, true); /* ids.c */
	/* Root's writes leave set-id bits: that the kernel knows who writes takes them away. */
	want(conn, FUSE_CAP_HANDLE_KILLPRIV, false);
	want(conn, FUSE_CAP_POSIX_ACL, o->opts->allow_other);
	want(conn, FUSE_CAP_SPLICE_READ, true);	     /* of what is written; see ofs_read() */
	want(conn, FUSE_CAP_WRITEBACK_CACHE, false); /* file.c */
	passthrough_init(o);
}

/*
 * The kernel offers to read 128 KiB ahead, and lets nobody but root ask for more: each
 * request is a journey to this process, so more in each is faster.  Four of 1 MiB are under
 * way at once (300 MB of a tmpfs, busy machine: at best 0.28 s, with one of them 0.46 s).
 */
void ofs_read_more_ahead(const struct ofs *o)
{
	char line[4096 * 4], dev[32], path[80] = "";
	size_t len = strlen(o->opts->mountpoint);
	FILE *f = fopen("/proc/self/mountinfo", "re");

	/* ID PARENT MAJOR:MINOR ROOT PLACE ...; the newest mount at a place is the last. */
	while (f && fgets(line, sizeof(line), f)) {
		int n = 0;

		if (sscanf(line, "%*s %*s %31s %*s %n", dev, &n) == 1 && n &&
		    !strncmp(line + n, o->opts->mountpoint, len) && line[n + (int)len] == ' ')
			snprintf(path, sizeof(path), "/sys/class/bdi/%s/read_ahead_kb", dev);
	}
	if (f)
		fclose(f);
	f = *path ? fopen(path, "we") : NULL;
	if (!f)
		return;
	fprintf(f, "%u\n", READ_AHEAD_KB);
	fclose(f);
}

static int complain(const char *what, int err)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(-err));
	return err;
}

/* Each file that the kernel knows takes a descriptor; limits of sizes are the callers'. */
static void raise_limits(void)
{
	struct rlimit lim;

	if (!getrlimit(RLIMIT_NOFILE, &lim)) {
		const struct rlimit more = {FILES_MAX, FILES_MAX};

		lim.rlim_cur = lim.rlim_max;
		if (lim.rlim_max >= FILES_MAX || setrlimit(RLIMIT_NOFILE, &more))
			setrlimit(RLIMIT_NOFILE, &lim);
	}
	if (!getrlimit(RLIMIT_FSIZE, &lim)) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_FSIZE, &lim);
	}
	signal(SIGXFSZ, SIG_IGN);
	/* Buffers are used again: fresh pages would cost more than what is read into them. */
	mallopt(M_MMAP_THRESHOLD, (int)COPY_MEM_DEFAULT);
	mallopt(M_TRIM_THRESHOLD, (int)COPY_MEM_DEFAULT);
}

static int open_room(struct ofs *o, struct room *room)
{
	struct file *file, *path = NULL;
	int err;

	/* First for reading: a descriptor by which a room can ask all about its storage. */
	err = cr_open(o->ns, room->where, O_RDONLY | O_DIRECTORY, 0, &file);
	if (err == -ENOTDIR && strstr(room->where, "://")) /* a file of a server: a LUN */
		err = cr_open(o->ns, room->where, O_RDONLY, 0, &file);
	if (!err) {
		err = cr_openat(file, "", O_PATH, 0, &path);
		cr_close(file);
	}
	if (!err)
		err = node_get(&o->nodes, path, &room->top);
	return err ? complain(room->where, err) : 0;
}

/* A mount point inside of a room would be a way from the mount into itself. */
static int check_place(const struct ofs *o)
{
	for (unsigned i = 0; i < o->opts->nrooms; i++) {
		char *room = realpath(o->opts->rooms[i].where, NULL);
		size_t n = room ? strlen(room) : 0;
		bool inside = room && !strncmp(room, o->opts->mountpoint, n) &&
			      (n == 1 || o->opts->mountpoint[n] == '/' || !o->opts->mountpoint[n]);

		free(room);
		if (inside && cr_file_fd(o->opts->rooms[i].top->file) >= 0) {
			fprintf(stderr,
				"%s: the mount point %s is inside of the room %s: mount "
				"elsewhere\n",
				program_invocation_short_name, o->opts->mountpoint,
				o->opts->rooms[i].where);
			return -EINVAL;
		}
	}
	return 0;
}

static int ofs_start(struct ofs *o)
{
	int err;

	raise_limits();
	umask(0); /* before the first room reads it: each request brings its own */
	o->since = time(NULL);
	o->as_caller = !geteuid() && o->opts->allow_other;
	o->ns = cr_ns_new();
	o->copies = copies_new();
	err = o->ns && o->copies ? nodes_init(&o->nodes) : -ENOMEM;
	if (err)
		return complain("start", err);
	prune_start(&o->nodes);
	cr_ns_stop(o->ns, &o->stop);
	for (unsigned i = 0; i < o->opts->nrooms && !err; i++)
		err = open_room(o, &o->opts->rooms[i]);
	return err ? err : check_place(o);
}

static void ofs_end(struct ofs *o)
{
	copies_free(o->copies);
	nodes_free(&o->nodes);
	cr_ns_free(o->ns);
}

static int loop(struct ofs *o, struct fuse_session *se)
{
	struct fuse_loop_config *config;
	int rc;

	if (o->opts->single)
		return fuse_session_loop(se);
	config = fuse_loop_cfg_create();
	if (!config)
		return -ENOMEM;
	fuse_loop_cfg_set_clone_fd(config, (unsigned)o->opts->clone_fd);
	fuse_loop_cfg_set_max_threads(config, o->opts->threads);
	rc = fuse_session_loop_mt(se, config);
	fuse_loop_cfg_destroy(config);
	return rc;
}

/* The first process may go. */
static void tell_ready(int fd)
{
	if (fd < 0)
		return;
	if (write(fd, "", 1) != 1)
		perror(program_invocation_short_name);
	close(fd);
}

static void go_background(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (chdir("/"))
		perror("/");
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
}

/* What the handler of signals ends. */
static struct {
	struct ofs *o;
	struct fuse_session *se;
} ending;

/* Also what waits for a server, or the threads that do would be waited for. */
static void on_end(int sig)
{
	__atomic_store_n(&ending.o->stop, 1, __ATOMIC_RELAXED);
	fuse_session_exit(ending.se);
}

static int handle_signals(struct ofs *o, struct fuse_session *se)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction act = {.sa_handler = on_end}, old;

	ending.o = o;
	ending.se = se;
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (sigaction(ends[i], NULL, &old) ||
		    (old.sa_handler == SIG_DFL && sigaction(ends[i], &act, NULL)))
			return -errno;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* Mounts, serves until the end, unmounts.  @ready: to say that it is mounted, or -1. */
static int serve(struct ofs *o, struct fuse_args *args, int ready)
{
	struct fuse_session *se;
	int rc;

	if (ofs_start(o))
		return EXIT_FAILURE;
	se = fuse_session_new(args, &ops, sizeof(ops), o);
	if (!se)
		return EXIT_FAILURE;
	rc = handle_signals(o, se);
	if (rc)
		complain("signals", rc);
	if (!rc)
		rc = fuse_session_mount(se, o->opts->mountpoint);
	if (!rc) {
		o->dev = fuse_session_fd(se);
		passthrough_start(o, se);
		if (ready >= 0)
			go_background();
		tell_ready(ready);
		rc = loop(o, se);
		__atomic_store_n(&o->stop, 1, __ATOMIC_RELAXED);
		copies_stop(o->copies);
		locks_stop(o);
		fuse_session_unmount(se);
	}
	fuse_session_destroy(se);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS; /* a signal is a way to end it */
}

/* Waits for the child's word: its mount is there, or it has ended. */
static int first_process(pid_t child, int fd)
{
	int status;
	char byte;

	if (read(fd, &byte, 1) == 1)
		return EXIT_SUCCESS;
	if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || !WEXITSTATUS(status))
		return EXIT_FAILURE;
	return WEXITSTATUS(status);
}

static int run(struct ofs *o, struct fuse_args *args)
{
	int fds[2], rc;
	pid_t child;

	if (o->opts->foreground) {
		rc = serve(o, args, -1);
		ofs_end(o);
		return rc;
	}
	if (pipe2(fds, O_CLOEXEC) < 0 || (child = fork()) < 0) {
		perror(program_invocation_short_name);
		return EXIT_FAILURE;
	}
	if (child) {
		close(fds[1]);
		return first_process(child, fds[0]);
	}
	close(fds[0]);
	rc = serve(o, args, fds[1]);
	ofs_end(o);
	return rc;
}

static int version(void)
{
	printf("ocp-mount (copy_range) " CR_VERSION ", libfuse %s\n"
	       "License GPL-2.0-or-later: GNU GPL version 2 or later.\n"
	       "There is NO WARRANTY, to the extent permitted by law.\n",
	       fuse_pkgversion());
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct ofs_opts opts;
	struct ofs o = {.opts = &opts};
	int rc = EXIT_FAILURE, err;
	char *place;

	err = ofs_options(&opts, &args);
	if (err) {
		fprintf(stderr, "Try '%s --help' for more information.\n",
			program_invocation_short_name);
	} else if (opts.help || opts.version) {
		rc = EXIT_SUCCESS;
		if (opts.version)
			rc = version();
		else
			ofs_usage();
	} else {
		place = realpath(opts.mountpoint, NULL);
		if (!place) {
			complain(opts.mountpoint, -errno);
		} else {
			free(opts.mountpoint);
			opts.mountpoint = place;
			rc = run(&o, &args);
		}
	}
	ofs_options_free(&opts);
	fuse_opt_free_args(&args);
	return rc;
}
