// SPDX-License-Identifier: GPL-2.0-or-later
/* lu.c - a file becomes a logical unit. */
#include "lu.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

#include "lib/md5.h"

#define NAA_LOCAL 0x30 /* locally assigned: no one gave us a company's number */

static int fail(struct lu_answer *a, int err, const char *what)
{
	snprintf(a->why, a->room, "%s%s%s", what, err ? ": " : "", err ? strerror(-err) : "");
	return err ? err : -EINVAL;
}

/*
 * What initiators know the unit by.  It stays as long as the target's name and the file's, so
 * that renumbering LUNs does not exchange disks, and no two servers give the same.
 */
static void name_it(struct lu *lu, const char *owner)
{
	char real[PATH_MAX];
	const char *file = realpath(lu->name, real) ? real : lu->name;
	uint8_t digest[MD5_SIZE];
	struct md5 m;

	md5_init(&m);
	md5_add(&m, owner, strlen(owner) + 1);
	md5_add(&m, file, strlen(file));
	md5_end(&m, digest);
	for (unsigned i = 0; i < MD5_SIZE; i++)
		snprintf(lu->serial + 2 * (size_t)i, 3, "%02x", digest[i]);
	memcpy(lu->naa, digest, sizeof(lu->naa));
	lu->naa[0] = (uint8_t)(NAA_LOCAL | (lu->naa[0] & 0x0f));
}

static bool same_file(const struct lu *lu, struct file *file)
{
	const struct file_id *a = cr_file_id(lu->file), *b = cr_file_id(file);

	return a->dev == b->dev && a->ino == b->ino;
}

/* The unit on this device, which could not be opened a second time: whoever writes it has it alone.
 */
static struct lu *find_device(struct engine *e, const char *name)
{
	struct lu *lu = e->lus;
	struct stat st;

	if (stat(name, &st) || !S_ISBLK(st.st_mode))
		return NULL;
	while (lu && lu->device != st.st_rdev)
		lu = lu->next;
	return lu;
}

/* Two servers on one file would not see each other's reservations and locks. */
static int claim(struct file *file, bool ro)
{
	int fd = cr_file_fd(file);

	if (fd >= 0 && flock(fd, (ro ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0)
		return -errno;
	return 0;
}

/* Its size, made or checked by what was asked for. */
static int size_it(struct lu *lu, const struct lun_spec *spec, struct lu_answer *a)
{
	struct statx stx;
	int err = cr_getattr(lu->file, NULL, &stx);
	uint64_t size;

	if (err)
		return fail(a, err, "its size");
	if (S_ISBLK(stx.stx_mode))
		lu->device = makedev(stx.stx_rdev_major, stx.stx_rdev_minor);
	else if (!S_ISREG(stx.stx_mode))
		return fail(a, 0, "neither a regular file nor a block device");
	size = stx.stx_size;
	if (spec->size && size > spec->size)
		return fail(a, 0, "the file is larger than size= says, and is not cut");
	if (spec->size && size < spec->size) {
		err = lu->ro ? -EROFS : cr_truncate(lu->file, (off_t)spec->size);
		if (err)
			return fail(a, err, "cannot be made as large as size= says");
		size = spec->size;
	}
	lu->blocks = size / BLOCK;
	return lu->blocks ? 0 : fail(a, 0, "the file is empty: give its size by size=");
}

static int open_file(struct engine *e, struct lu *lu, const struct lun_spec *spec)
{
	int create = spec->size && !spec->ro ? O_CREAT : 0;

	return cr_open(e->ns, lu->name, (lu->ro ? O_RDONLY : O_RDWR) | create | O_CLOEXEC, 0600,
		       &lu->file);
}

/* Whether a device makes zeros by itself; its partitions have no folder of their own for that. */
static bool device_zeroes(dev_t device)
{
	static const char *const places[] = {"queue", "../queue"};
	unsigned long long most = 0;
	char path[96], line[32];

	for (unsigned i = 0; i < 2 && !most; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/write_zeroes_max_bytes",
			 major(device), minor(device), places[i]);
		f = fopen(path, "re");
		if (f && fgets(line, sizeof(line), f))
			most = strtoull(line, NULL, 10);
		if (f)
			fclose(f);
	}
	return most;
}

/* A hole behind the end changes nothing and tells whether there can be holes. */
static bool makes_holes(struct lu *lu)
{
	off_t end = (off_t)(((lu->blocks * BLOCK) | 0xfffff) + 1);

	if (lu->device)
		return !lu->ro && device_zeroes(lu->device);
	return !lu->ro &&
	       !cr_allocate(lu->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, end, 4096);
}

static int load(struct engine *e, struct lu *lu, struct lu_answer *a)
{
	int err = e->state ? state_load(e->state, lu->serial, &lu->pr) : 0;

	return err ? fail(a, err, "its kept reservations cannot be read") : 0;
}

static int set_up(struct engine *e, const char *owner, struct lu *lu, const struct lun_spec *spec,
		  struct lu_answer *a)
{
	int err = claim(lu->file, lu->ro);

	if (err)
		return fail(a, err == -EWOULDBLOCK ? 0 : err,
			    err == -EWOULDBLOCK ? "another process serves or uses this file"
						: "cannot be locked");
	err = size_it(lu, spec, a);
	if (err)
		return err;
	name_it(lu, owner);
	lu->punches = makes_holes(lu);
	return load(e, lu, a);
}

static struct lu *lu_new(struct engine *e, const struct lun_spec *spec)
{
	struct lu *lu = calloc(1, sizeof(*lu));

	if (!lu)
		return NULL;
	lu->name = strdup(spec->file);
	if (!lu->name) {
		free(lu);
		return NULL;
	}
	lu->engine = e;
	lu->ro = spec->ro;
	lu->mode.wce = true;
	lu->physical = (uint8_t)spec->physical;
	pthread_mutex_init(&lu->lock, NULL);
	pthread_cond_init(&lu->unlocked, NULL);
	return lu;
}

void lu_close(struct lu *lu)
{
	cr_close(lu->file);
	free(lu->pr.reg);
	pthread_cond_destroy(&lu->unlocked);
	pthread_mutex_destroy(&lu->lock);
	free(lu->name);
	free(lu);
}

/* The unit of this file by another target; it has to be the same in what cannot differ. */
static int join(struct lu *known, const struct lu *lu, const struct lun_spec *spec,
		struct lu_answer *a)
{
	if (known->ro && !lu->ro)
		return fail(a, 0, "another target has this file, read-only; name that one later");
	if (spec->size && spec->size / BLOCK != known->blocks)
		return fail(a, 0, "another target has this file with another size");
	a->lu = known;
	return 0;
}

int lu_open(struct engine *e, const char *owner, const struct lun_spec *spec, struct lu_answer *a)
{
	struct lu *lu = lu_new(e, spec), **last = &e->lus, *known = find_device(e, spec->file);
	int err;

	if (!lu)
		return fail(a, -ENOMEM, "memory");
	err = known ? join(known, lu, spec, a) : open_file(e, lu, spec);
	if (err || known) {
		lu->file = NULL;
		lu_close(lu);
		return known ? err : fail(a, err, "cannot be opened");
	}
	while (*last && !same_file(*last, lu->file))
		last = &(*last)->next;
	err = *last ? join(*last, lu, spec, a) : set_up(e, owner, lu, spec, a);
	if (err || *last) {
		lu_close(lu);
		return err;
	}
	*last = a->lu = lu;
	return 0;
}

struct lu_mode lu_mode(struct lu *lu)
{
	struct lu_mode mode;

	pthread_mutex_lock(&lu->lock);
	mode = lu->mode;
	pthread_mutex_unlock(&lu->lock);
	return mode;
}
