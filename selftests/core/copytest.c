// SPDX-License-Identifier: GPL-2.0-or-later
/* copytest.c - what the tests of copy_range() share. */
#include <endian.h>
#include <ftw.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "copytest.h"
#include "kselftest.h"

#define FS_MAX 12

static struct {
	const char *name, *path;
	char why[128];
} places[FS_MAX];

const unsigned copy_ways[3] = {0, COPY_RANGE_NO_CLONE, ONLY_STREAM};

static __attribute__((noreturn)) void die(const char *what)
{
	printf("# %s: %s\n", what, strerror(errno));
	fflush(NULL);
	_exit(KSFT_FAIL);
}

static const char *place_make(const char *name)
{
	static const struct {
		const char *name, *type;
		unsigned size;
	} kinds[] = {
		{"xfs-plain", "xfs:-m reflink=0", 300},
		{"btrfs", "btrfs", 512},
		{"xfs", "xfs", 320},
		{"ext4", "ext4", 256},
		{"tmpfs", "tmpfs", 256},
	};
	const char *on = getenv("COPYTEST_ON");
	char path[256];

	/* Somebody has them mounted, or something else in their place. */
	if (on) {
		snprintf(path, sizeof(path), "%s/%s", on, name);
		return access(path, F_OK) ? NULL : strdup(path);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strncmp(name, kinds[i].name, strlen(kinds[i].name)))
			return fixture_fs(kinds[i].type, kinds[i].size, NULL);
	errno = EINVAL;
	die(name);
}

void fs_make(int argc, char **argv, const char *const *names)
{
	if (argc > 1 && argv[1][0] == '-')
		return;
	for (unsigned i = 0; names[i] && i < FS_MAX; i++) {
		places[i].name = names[i];
		places[i].path = place_make(names[i]);
		if (!places[i].path)
			snprintf(places[i].why, sizeof(places[i].why), "%s", fixture_why());
	}
}

static unsigned place_of(const char *name)
{
	for (unsigned i = 0; i < FS_MAX; i++)
		if (places[i].name && !strcmp(places[i].name, name))
			return i;
	errno = ENOENT;
	die(name);
}

const char *fs_path(const char *name)
{
	return places[place_of(name)].path;
}

const char *fs_why(const char *name)
{
	return places[place_of(name)].why;
}

void dir_make(const char *fs, char *path, size_t size)
{
	snprintf(path, size, "%s/%d", fs_path(fs), getpid());
	if (mkdir(path, 0755))
		die(path);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

void dir_remove(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

int file_open(const char *dir, const char *name, int flags)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		die(path);
	return fd;
}

/* Eight bytes at a time, none of them zero. */
static uint64_t word(unsigned seed, uint64_t index)
{
	uint64_t x = index + ((uint64_t)seed << 40);

	x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15u;
	return (x ^ (x >> 29)) | 0x0101010101010101u;
}

unsigned char content(unsigned seed, off_t pos)
{
	return (unsigned char)(word(seed, (uint64_t)pos / 8) >> (pos % 8 * 8));
}

void content_fill(unsigned char *buf, size_t len, unsigned seed, off_t from)
{
	size_t i = 0;

	for (; i < len && (from + (off_t)i) % 8; i++)
		buf[i] = content(seed, from + (off_t)i);
	for (; i + 8 <= len; i += 8) {
		uint64_t x = htole64(word(seed, (uint64_t)(from + (off_t)i) / 8));

		memcpy(buf + i, &x, 8);
	}
	for (; i < len; i++)
		buf[i] = content(seed, from + (off_t)i);
}

void put_from(int fd, off_t pos, size_t len, unsigned seed, off_t from)
{
	static unsigned char buf[65536];

	while (len) {
		size_t n = len < sizeof(buf) ? len : sizeof(buf);

		content_fill(buf, n, seed, from);
		if (pwrite(fd, buf, n, pos) != (ssize_t)n)
			die("writing a test file");
		pos += (off_t)n;
		from += (off_t)n;
		len -= n;
	}
}

void put(int fd, off_t pos, size_t len, unsigned seed)
{
	put_from(fd, pos, len, seed, pos);
}

/* Compares with content, or with zeros when @from is negative. */
static off_t compare(int fd, off_t pos, size_t len, unsigned seed, off_t from)
{
	static unsigned char buf[65536], wanted[65536];

	while (len) {
		size_t want = len < sizeof(buf) ? len : sizeof(buf);
		ssize_t n = pread(fd, buf, want, pos);

		if (n < 0)
			die("reading a test file");
		if (n == 0)
			return pos;
		if (from >= 0)
			content_fill(wanted, (size_t)n, seed, from);
		else
			memset(wanted, 0, (size_t)n);
		for (ssize_t i = 0; memcmp(buf, wanted, (size_t)n) != 0 && i < n; i++)
			if (buf[i] != wanted[i])
				return pos + i;
		pos += n;
		from += from < 0 ? 0 : n;
		len -= (size_t)n;
	}
	return -1;
}

off_t differs(int fd, off_t pos, size_t len, unsigned seed, off_t from)
{
	return compare(fd, pos, len, seed, from);
}

off_t not_zero(int fd, off_t pos, size_t len)
{
	return compare(fd, pos, len, 0, -1);
}

/* As much as fits or there is: files of /proc give a page at a time. */
static size_t fill(int fd, char *buf, size_t size, off_t pos)
{
	size_t have = 0;
	ssize_t n;

	do {
		n = pread(fd, buf + have, size - have, pos + (off_t)have);
		if (n < 0)
			die("reading a test file");
		have += (size_t)n;
	} while (n && have < size);
	return have;
}

bool same_bytes(int fd_a, int fd_b)
{
	static char a[65536], b[65536];
	off_t pos = 0;
	size_t n;

	do {
		n = fill(fd_a, a, sizeof(a), pos);
		if (fill(fd_b, b, sizeof(b), pos) != n || memcmp(a, b, n) != 0)
			return false;
		pos += (off_t)n;
	} while (n);
	return true;
}

off_t size_of_fd(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		die("fstat");
	return st.st_size;
}

uint64_t blocks_of(int fd)
{
	struct stat st;

	if (fsync(fd) || fstat(fd, &st))
		die("fstat");
	return (uint64_t)st.st_blocks * 512;
}

struct timespec mtime_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		die("fstat");
	return st.st_mtim;
}

static uint64_t within(const struct fiemap_extent *e, uint64_t pos, uint64_t len)
{
	uint64_t from = e->fe_logical > pos ? e->fe_logical : pos,
		 end = e->fe_logical + e->fe_length;

	if (end > pos + len)
		end = pos + len;
	return end > from ? end - from : 0;
}

uint64_t shared_bytes(int fd, off_t pos, uint64_t len)
{
	enum { EXTENTS = 512 };
	struct fiemap *map = calloc(1, sizeof(*map) + EXTENTS * sizeof(map->fm_extents[0]));
	uint64_t sum = 0;

	if (!map)
		die("calloc");
	map->fm_start = (uint64_t)pos;
	map->fm_length = len;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = EXTENTS;
	if (ioctl(fd, FS_IOC_FIEMAP, map) < 0)
		die("FIEMAP");
	for (unsigned i = 0; i < map->fm_mapped_extents; i++)
		if (map->fm_extents[i].fe_flags & FIEMAP_EXTENT_SHARED)
			sum += within(&map->fm_extents[i], (uint64_t)pos, len);
	free(map);
	return sum;
}

void inode_flags(int fd, int set, int clear)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		die("FS_IOC_GETFLAGS");
	flags = (flags | set) & ~clear;
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		die("FS_IOC_SETFLAGS");
}

ssize_t copy_at(int in, off_t pos_in, int out, off_t pos_out, size_t len)
{
	ssize_t n = copy_range(in, &pos_in, out, &pos_out, len, 0);

	return n < 0 ? -errno : n;
}

int call(struct call *c)
{
	struct copy_req req = {
		.pos_in = c->pos_in,
		.pos_out = c->pos_out,
		.len = c->len,
		.flags = c->flags,
		.stop = c->stop,
	};
	struct cr_ns *ns = cr_ns_new();
	int err;

	if (!ns)
		die("cr_ns_new");
	memset(&c->res, 0, sizeof(c->res));
	err = cr_open_fd(ns, c->in, &req.in);
	if (!err)
		err = cr_open_fd(ns, c->out, &req.out);
	if (!err)
		err = cr_copy_range(&req, &c->res);
	cr_close(req.in);
	cr_close(req.out);
	cr_ns_free(ns);
	return err;
}
