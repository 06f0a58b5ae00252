// SPDX-License-Identifier: GPL-2.0-or-later
/* extentlab.c - see extentlab.h. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "extentlab.h"
#include "fixture.h"

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

void fill_text(void *buf, size_t len, unsigned seed)
{
	uint32_t state = seed * 2654435761u + 1;
	char word[16];

	for (size_t at = 0; at < len;) {
		int n = snprintf(word, sizeof(word), "word%u-", next_random(&state) % 300);
		size_t take = MIN((size_t)n, len - at);

		memcpy((char *)buf + at, word, take);
		at += take;
	}
}

void fill_noise(void *buf, size_t len, unsigned seed)
{
	uint32_t state = seed * 2654435761u + 1;

	for (size_t at = 0; at < len; at++)
		((unsigned char *)buf)[at] = (unsigned char)(next_random(&state) >> 7);
}

const char *in_dir(const char *dir, const char *name)
{
	static char ring[3][LAB_PATH];
	static unsigned at;
	char *path = ring[at++ % ARRAY_SIZE(ring)];

	snprintf(path, LAB_PATH, "%s/%s", dir, name);
	return path;
}

static int put(const char *path, uint64_t pos, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644), err = 0;

	if (fd < 0)
		return -errno;
	if (pwrite(fd, data, len, (off_t)pos) != (ssize_t)len)
		err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

static int lab_put(const char *path, uint64_t pos, size_t len,
		   void (*fill)(void *, size_t, unsigned))
{
	void *buf = malloc(len);
	int err;

	if (!buf)
		return -ENOMEM;
	fill(buf, len, (unsigned)(pos + len));
	err = put(path, pos, buf, len);
	free(buf);
	return err;
}

int lab_text(const char *dir, const char *name, uint64_t pos, size_t len)
{
	return lab_put(in_dir(dir, name), pos, len, fill_text);
}

int lab_noise(const char *dir, const char *name, uint64_t pos, size_t len)
{
	return lab_put(in_dir(dir, name), pos, len, fill_noise);
}

void lab_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	if (fd >= 0) {
		syncfs(fd);
		close(fd);
	}
}

void drop_privilege(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	if (syscall(SYS_capset, &head, none)) {
		perror("capset");
		_exit(1);
	}
}

int lab_open(struct lab *lab)
{
	lab->ns = cr_ns_new();
	return lab->ns ? 0 : -ENOMEM;
}

int lab_share(struct lab *lab)
{
	int err = cr_open(lab->ns, lab->dst, O_RDONLY | O_DIRECTORY, 0, &lab->share_dir);

	if (err)
		return err;
	lab->share = copy_share_new(lab->share_dir);
	return lab->share ? 0 : -ENOMEM;
}

void lab_close(struct lab *lab)
{
	copy_share_free(lab->share);
	cr_close(lab->share_dir);
	cr_ns_free(lab->ns);
}

int lab_copy_req(struct lab *lab, const char *from, const char *to, struct copy_req *req)
{
	int err = cr_open(lab->ns, from, O_RDONLY, 0, &req->in);

	if (err)
		return err;
	err = cr_open(lab->ns, to, O_RDWR | O_CREAT, 0644, &req->out);
	if (!err) {
		req->flags |= lab->flags;
		req->jobs = req->jobs ? req->jobs : lab->jobs;
		req->share = lab->share;
		err = cr_copy_range(req, &lab->res);
		cr_close(req->out);
	}
	cr_close(req->in);
	return err;
}

int lab_copy(struct lab *lab, const char *name)
{
	struct copy_req req = {.len = COPY_LEN_EOF};

	return lab_copy_req(lab, in_dir(lab->src, name), in_dir(lab->dst, name), &req);
}

/* Read anew: the page cache would hide what is wrong on the disk. */
static void *read_whole(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY);
	char *buf = NULL;
	off_t size;

	*len = 0;
	if (fd < 0)
		return NULL;
	fdatasync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	size = lseek(fd, 0, SEEK_END);
	if (size >= 0)
		buf = malloc((size_t)size + 1);
	while (buf && *len < (size_t)size) {
		ssize_t n = pread(fd, buf + *len, (size_t)size - *len, (off_t)*len);

		if (n <= 0)
			break;
		*len += (size_t)n;
	}
	close(fd);
	if (buf && *len < (size_t)size) {
		free(buf);
		buf = NULL;
	}
	return buf;
}

bool lab_same(struct lab *lab, const char *name)
{
	size_t alen, blen, i = 0;
	char *a = read_whole(in_dir(lab->src, name), &alen);
	char *b = read_whole(in_dir(lab->dst, name), &blen);
	bool same = a && b && alen == blen && !memcmp(a, b, alen);

	if (!a || !b) {
		printf("# %s cannot be read\n", name);
	} else if (!same) {
		while (i < MIN(alen, blen) && a[i] == b[i])
			i++;
		printf("# %s: %zu and %zu bytes, differ from %zu on\n", name, alen, blen, i);
	}
	free(a);
	free(b);
	return same;
}

int lab_extents(struct lab *lab, const char *path, struct file_extent *ext, unsigned max)
{
	struct file *file;
	uint64_t pos = 0;
	unsigned n = 0;
	int err = cr_open(lab->ns, path, O_RDONLY, 0, &file), got = 1;

	if (err)
		return err;
	while (got > 0 && n < max) {
		got = op_extents(file, (off_t)pos, &ext[n], max - n, EXTENTS_SHARED);
		if (got > 0) {
			n += (unsigned)got;
			pos = ext[n - 1].pos + ext[n - 1].len;
		}
	}
	cr_close(file);
	return got < 0 ? got : (int)n;
}

/* State of the walk: nftw() hands its callback none. */
static struct {
	struct lab *lab;
	struct lab_usage *usage;
	void *seen;
} count;

static int by_bytenr(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void count_extent(const struct file_extent *ext)
{
	const uint32_t none = EXTENT_HOLE | EXTENT_PREALLOC;
	uint64_t *key;

	if (ext->flags & none)
		return;
	count.usage->refs++;
	count.usage->referenced += ext->len;
	count.usage->encoded += !!ext->compression;
	if (ext->flags & EXTENT_INLINE) {
		count.usage->disk += ext->disk_len;
		return;
	}
	if (tfind(&ext->disk_bytenr, &count.seen, by_bytenr))
		return;
	key = malloc(sizeof(*key));
	*key = ext->disk_bytenr;
	tsearch(key, &count.seen, by_bytenr);
	count.usage->extents++;
	count.usage->disk += ext->disk_len;
}

static int count_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static struct file_extent ext[8192];
	int n;

	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	n = lab_extents(count.lab, path, ext, ARRAY_SIZE(ext));
	for (int i = 0; i < n; i++)
		count_extent(&ext[i]);
	return n < 0 ? n : 0;
}

int lab_usage(struct lab *lab, const char *dir, struct lab_usage *usage)
{
	int err;

	memset(usage, 0, sizeof(*usage));
	lab_sync(dir);
	count.lab = lab;
	count.usage = usage;
	err = nftw(dir, count_file, 16, FTW_PHYS);
	tdestroy(count.seen, free);
	count.seen = NULL;
	return err;
}
