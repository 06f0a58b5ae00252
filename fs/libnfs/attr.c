// SPDX-License-Identifier: GPL-2.0-or-later
/* attr.c - attributes as libnfs reads them, and those of version 3 as it sets them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "fs/libnfs/ln.h"

#define BLOCK 512u

static int start_stat(struct ln_session *s, struct ln_call *c)
{
	return c->flags ? s->lib.nfs_stat64_async(s->ctx, c->path, ln_answer, c)
			: s->lib.nfs_lstat64_async(s->ctx, c->path, ln_answer, c);
}

static int start_fstat(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_fstat64_async(s->ctx, c->fh, ln_answer, c);
}

static void take_stat(struct ln_call *c, void *data)
{
	memcpy(c->out, data, sizeof(struct nfs_stat_64));
}

static struct statx_timestamp stamp(uint64_t sec, uint64_t nsec)
{
	return (struct statx_timestamp){.tv_sec = (int64_t)sec, .tv_nsec = (uint32_t)nsec};
}

/* FNV-1a */
static uint32_t hash(const char *text)
{
	uint32_t h = 2166136261u;

	while (*text)
		h = (h ^ (unsigned char)*text++) * 16777619u;
	return h;
}

/* Devices are told apart by the server's address and what it calls them. */
static void fill(const struct ln_session *s, const struct nfs_stat_64 *st, struct statx *stx)
{
	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = s->rsize,
		.stx_nlink = (uint32_t)st->nfs_nlink,
		.stx_uid = (uint32_t)st->nfs_uid,
		.stx_gid = (uint32_t)st->nfs_gid,
		.stx_mode = (uint16_t)st->nfs_mode,
		.stx_ino = st->nfs_ino,
		.stx_size = st->nfs_size,
		.stx_blocks = (st->nfs_used + BLOCK - 1) / BLOCK,
		.stx_atime = stamp(st->nfs_atime, st->nfs_atime_nsec),
		.stx_mtime = stamp(st->nfs_mtime, st->nfs_mtime_nsec),
		.stx_ctime = stamp(st->nfs_ctime, st->nfs_ctime_nsec),
		.stx_rdev_major = major(st->nfs_rdev),
		.stx_rdev_minor = minor(st->nfs_rdev),
		.stx_dev_major = hash(s->place.address) | 1u << 31,
		.stx_dev_minor = (uint32_t)(st->nfs_dev ^ st->nfs_dev >> 32),
	};
}

int ln_stat(struct ln_session *s, const char *path, bool follow, struct statx *stx)
{
	struct nfs_stat_64 st;
	struct ln_call call = {
		.start = start_stat, .take = take_stat, .path = path, .flags = follow, .out = &st};
	int err = ln_do(s, &call);

	if (!err)
		fill(s, &st, stx);
	return err;
}

int ln_getattr(struct file *file, const char *name, struct statx *stx)
{
	struct ln_file *lf = ln_of(file);
	struct nfs_stat_64 st;
	struct ln_call call = {.start = start_fstat, .take = take_stat, .fh = lf->fh, .out = &st};
	char *path;
	int err;

	if (!name && lf->fh) {
		err = ln_do(lf->s, &call);
		if (!err)
			fill(lf->s, &st, stx);
		return err;
	}
	path = ln_hold(file, name);
	err = path ? ln_stat(lf->s, path, !name && lf->follow, stx) : -ENOMEM;
	ln_let_go(lf->s, path);
	return err;
}

static int start_chown(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_lchown_async(s->ctx, c->path, (int)c->attr->uid, (int)c->attr->gid,
				       ln_answer, c);
}

static int start_chmod(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_lchmod_async(s->ctx, c->path, (int)c->attr->mode & 07777, ln_answer, c);
}

/* Microseconds are all that libnfs takes. */
static struct timeval micro(const struct timespec *ts, const struct statx_timestamp *old)
{
	struct timespec now;

	if (ts->tv_nsec == UTIME_OMIT)
		return (struct timeval){old->tv_sec, old->tv_nsec / 1000};
	if (ts->tv_nsec != UTIME_NOW)
		return (struct timeval){ts->tv_sec, ts->tv_nsec / 1000};
	clock_gettime(CLOCK_REALTIME, &now);
	return (struct timeval){now.tv_sec, now.tv_nsec / 1000};
}

static int start_times(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_lutimes_async(s->ctx, c->path, c->out, ln_answer, c);
}

static int set_times(struct ln_session *s, const char *path, const struct iattr *attr)
{
	struct timeval times[2];
	struct ln_call call = {.start = start_times, .path = path, .out = times};
	struct statx stx = {.stx_mask = 0};
	int err = 0;

	if (attr->atime.tv_nsec == UTIME_OMIT || attr->mtime.tv_nsec == UTIME_OMIT)
		err = ln_stat(s, path, false, &stx);
	if (err)
		return err;
	times[0] = micro(&attr->atime, &stx.stx_atime);
	times[1] = micro(&attr->mtime, &stx.stx_mtime);
	return ln_do(s, &call);
}

/* lchown of libnfs sets both: the one that is to stay is asked for. */
static int set_owner(struct ln_session *s, const char *path, const struct iattr *attr)
{
	struct iattr both = *attr;
	struct ln_call call = {.start = start_chown, .path = path, .attr = &both};
	struct statx stx;
	int err;

	if (attr->uid == (uid_t)-1 || attr->gid == (gid_t)-1) {
		err = ln_stat(s, path, false, &stx);
		if (err)
			return err;
		if (attr->uid == (uid_t)-1)
			both.uid = stx.stx_uid;
		if (attr->gid == (gid_t)-1)
			both.gid = stx.stx_gid;
	}
	return ln_do(s, &call);
}

static int setattr_v3(struct ln_session *s, const char *path, const struct iattr *attr)
{
	struct ln_call chmod = {.start = start_chmod, .path = path, .attr = attr};
	int err = 0;

	if (attr->valid & ATTR_OWNER)
		err = set_owner(s, path, attr);
	if (!err && (attr->valid & ATTR_MODE))
		err = ln_do(s, &chmod);
	if (!err && (attr->valid & ATTR_TIMES))
		err = set_times(s, path, attr);
	return err;
}

int ln_setattr(struct file *file, const char *name, const struct iattr *attr)
{
	struct ln_file *lf = ln_of(file);
	char *path = ln_hold(file, name);
	int err = -ENOMEM;

	if (path)
		err = lf->s->place.version == 4 ? ln_setattr_v4(lf->s, path, attr)
						: setattr_v3(lf->s, path, attr);
	ln_let_go(lf->s, path);
	return err;
}
