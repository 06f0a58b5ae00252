// SPDX-License-Identifier: GPL-2.0-or-later
/* Real file systems for tests; see fixture.h. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/loop.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest.h"

#define FIXTURE_MAX 16

struct fixture {
	char path[128];
	char device[32]; /* "" for tmpfs */
	char type[16];
	char *opts;
	int fd; /* the loop device, held so that it stays across a remount; -1 for tmpfs */
};

static struct fixture fixtures[FIXTURE_MAX];
static unsigned int fixture_count;
static char fixture_base[100];
static char fixture_reason[256];
static pid_t fixture_owner;

int fixture_seccomp(struct sock_filter *filter, unsigned short n)
{
	struct sock_fprog prog = {n, filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) ? -errno : 0;
}

const char *fixture_why(void)
{
	return fixture_reason;
}

static __attribute__((noreturn, format(printf, 1, 2))) void fixture_die(const char *fmt, ...)
{
	int err = errno;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("# fixture: %s: %s\n", text, strerror(err));
	exit(KSFT_FAIL);
}

/* "exited with N" and the like for a status of system() or pclose(). */
static int exit_status(int status)
{
	if (status == -1)
		fixture_die("running a command");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int fixture_run(const char *fmt, ...)
{
	char command[4096], line[1024];
	va_list ap;
	FILE *out;
	int len;

	len = snprintf(command, sizeof(command), "exec 2>&1 </dev/null; ");
	va_start(ap, fmt);
	vsnprintf(command + len, sizeof(command) - (size_t)len, fmt, ap);
	va_end(ap);
	fflush(stdout);
	out = popen(command, "re");
	if (!out)
		fixture_die("popen %s", command);
	while (fgets(line, sizeof(line), out))
		printf("# %s%s", line, strchr(line, '\n') ? "" : "\n");
	return exit_status(pclose(out));
}

/* As fixture_run(), but silent while all is well: what mkfs and mount say then helps nobody. */
static int run_quiet(const char *command)
{
	char *output = NULL, line[1024];
	size_t len = 0;
	FILE *out = popen(command, "re"), *copy = open_memstream(&output, &len);
	int status;

	if (!out || !copy)
		fixture_die("popen %s", command);
	while (fgets(line, sizeof(line), out))
		fprintf(copy, "# %s", line);
	fclose(copy);
	status = exit_status(pclose(out));
	if (status)
		printf("# %s: status %d\n%s", command, status, output);
	free(output);
	return status;
}

static bool have_program(const char *name)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", name);
	return exit_status(system(command)) == 0;
}

/* Loop devices ------------------------------------------------------------------- */

/* Where the runner wants it, else below $TMPDIR. */
static int storage_file(unsigned int size_mb)
{
	const char *dir = getenv("SELFTEST_STORAGE");
	int fd;

	if (!dir || !*dir)
		dir = getenv("TMPDIR");
	if (!dir || !*dir)
		dir = "/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fixture_die("a nameless file in %s", dir);
	if (ftruncate(fd, (off_t)size_mb << 20) < 0)
		fixture_die("ftruncate to %u MiB", size_mb);
	return fd;
}

/*
 * The number that GET_FREE names is not reserved: another process may be first,
 * and then CONFIGURE answers EBUSY and we ask again.
 */
static int loop_attach(int backing, char *device, size_t size)
{
	struct loop_config config = {
		.fd = (unsigned int)backing,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int tries;

	if (control < 0)
		return -1;
	for (tries = 0; tries < 1000; tries++) {
		int fd, n = ioctl(control, LOOP_CTL_GET_FREE);

		if (n < 0)
			break;
		snprintf(device, size, "/dev/loop%d", n);
		fd = open(device, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
			close(control);
			return fd;
		}
		if (fd >= 0)
			close(fd);
		if (fd >= 0 && errno != EBUSY)
			break;
		usleep(1000);
	}
	close(control);
	return -1;
}

static int loop_make(unsigned int size_mb, char *device, size_t size)
{
	int backing, fd;

	if (geteuid() != 0) {
		snprintf(fixture_reason, sizeof(fixture_reason), "loop devices need root");
		return -1;
	}
	backing = storage_file(size_mb);
	fd = loop_attach(backing, device, size);
	if (fd < 0)
		snprintf(fixture_reason, sizeof(fixture_reason), "no loop device: %s",
			 strerror(errno));
	close(backing);
	return fd;
}

/* File systems --------------------------------------------------------------------- */

static const struct {
	const char *type, *mkfs;
} makers[] = {
	{"btrfs", "mkfs.btrfs -q -f"},
	{"xfs", "mkfs.xfs -q -f"},
	{"ext4", "mkfs.ext4 -q -F"},
};

/* Split "xfs:-m reflink=0"; the part behind the colon is returned. */
static const char *split_type(const char *type, char *name, size_t size)
{
	const char *colon = strchr(type, ':');
	size_t len = colon ? (size_t)(colon - type) : strlen(type);

	if (len >= size)
		len = size - 1;
	memcpy(name, type, len);
	name[len] = '\0';
	return colon ? colon + 1 : "";
}

static void make_fs(const char *type, const char *mkfs_opts, const char *device)
{
	char command[512];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(makers) && strcmp(makers[i].type, type) != 0; i++)
		;
	errno = EINVAL;
	if (i == ARRAY_SIZE(makers))
		fixture_die("file system type %s", type);
	snprintf(command, sizeof(command), "exec %s %s %s </dev/null 2>&1", makers[i].mkfs,
		 mkfs_opts, device);
	if (run_quiet(command))
		exit(KSFT_FAIL);
}

static void mount_fs(const struct fixture *f, const char *dir)
{
	char command[512];

	snprintf(command, sizeof(command), "exec mount -t %s %s%s %s %s </dev/null 2>&1", f->type,
		 f->opts ? "-o " : "", f->opts ? f->opts : "", f->device[0] ? f->device : "none",
		 dir);
	if (run_quiet(command))
		exit(KSFT_FAIL);
}

static bool kernel_has_fs(const char *type)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "grep -qw %s /proc/filesystems || modprobe -q %s 2>/dev/null", type, type);
	return exit_status(system(command)) == 0;
}

/* Can such a file system exist here? */
static bool fs_possible(const char *type)
{
	char program[32];

	if (geteuid() != 0) {
		snprintf(fixture_reason, sizeof(fixture_reason), "mounting needs root");
		return false;
	}
	if (!kernel_has_fs(type)) {
		snprintf(fixture_reason, sizeof(fixture_reason), "this kernel has no %s", type);
		return false;
	}
	snprintf(program, sizeof(program), "mkfs.%s", type);
	if (strcmp(type, "tmpfs") == 0 || have_program(program))
		return true;
	snprintf(fixture_reason, sizeof(fixture_reason), "no %s", program);
	return false;
}

static int fs_make(struct fixture *f, const char *type, unsigned int size_mb, const char *opts)
{
	const char *mkfs_opts = split_type(type, f->type, sizeof(f->type));
	int len;

	if (!fs_possible(f->type))
		return -1;
	f->fd = -1;
	f->device[0] = '\0';
	if (strcmp(f->type, "tmpfs") == 0) {
		len = asprintf(&f->opts, "size=%um%s%s", size_mb, opts ? "," : "",
			       opts ? opts : "");
		return len < 0 ? -1 : 0;
	}
	f->opts = opts ? strdup(opts) : NULL;
	f->fd = loop_make(size_mb, f->device, sizeof(f->device));
	if (f->fd < 0)
		return -1;
	make_fs(f->type, mkfs_opts, f->device);
	return 0;
}

int fixture_mount(const char *dir, const char *type, unsigned int size_mb, const char *opts)
{
	struct fixture f;

	if (fs_make(&f, type, size_mb, opts) < 0)
		return -1;
	mount_fs(&f, dir);
	if (f.fd >= 0)
		close(f.fd);
	free(f.opts);
	return 0;
}

/* Of a test's process ---------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

static void fixture_exit(void)
{
	unsigned int i;

	if (getpid() != fixture_owner)
		return;
	for (i = fixture_count; i > 0; i--) {
		if (fixtures[i - 1].path[0])
			umount2(fixtures[i - 1].path, MNT_DETACH);
		free(fixtures[i - 1].opts);
	}
	nftw(fixture_base, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

const char *fixture_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (fixture_owner == getpid())
		return fixture_base;
	snprintf(fixture_base, sizeof(fixture_base), "%s/fixture.XXXXXX",
		 tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(fixture_base))
		fixture_die("mkdtemp %s", fixture_base);
	fixture_owner = getpid();
	fixture_count = 0;
	atexit(fixture_exit);
	return fixture_base;
}

/* Mounts from here on are this process's and its children's alone. */
static bool enter_namespace(void)
{
	static pid_t entered;

	if (entered == getpid())
		return true;
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		snprintf(fixture_reason, sizeof(fixture_reason), "no mount namespace: %s",
			 strerror(errno));
		return false;
	}
	entered = getpid();
	return true;
}

static struct fixture *fixture_new(void)
{
	struct fixture *f;

	fixture_dir();
	errno = ENFILE;
	if (fixture_count == FIXTURE_MAX)
		fixture_die("more than %d fixtures", FIXTURE_MAX);
	f = &fixtures[fixture_count];
	memset(f, 0, sizeof(*f));
	return f;
}

const char *fixture_loop(unsigned int size_mb)
{
	struct fixture *f = fixture_new();

	f->fd = loop_make(size_mb, f->device, sizeof(f->device));
	if (f->fd < 0)
		return NULL;
	fixture_count++;
	return f->device;
}

const char *fixture_fs(const char *type, unsigned int size_mb, const char *opts)
{
	struct fixture *f = fixture_new();

	if (!enter_namespace() || fs_make(f, type, size_mb, opts) < 0)
		return NULL;
	snprintf(f->path, sizeof(f->path), "%s/%u", fixture_base, fixture_count);
	if (mkdir(f->path, 0755) < 0)
		fixture_die("mkdir %s", f->path);
	mount_fs(f, f->path);
	fixture_count++;
	return f->path;
}

void fixture_remount(const char *path, const char *opts)
{
	struct fixture *f = fixtures;

	while (f < fixtures + fixture_count && strcmp(f->path, path) != 0)
		f++;
	errno = ENOENT;
	if (f == fixtures + fixture_count)
		fixture_die("remount of %s", path);
	if (umount2(path, 0) < 0)
		fixture_die("umount %s", path);
	if (opts) {
		free(f->opts);
		f->opts = strdup(opts);
	}
	mount_fs(f, path);
}
