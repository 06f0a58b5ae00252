// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file.c - data of files.
 *
 * libnfs compares no write verifiers, so nobody would hear of what a server has lost:
 * each write is stored before it is answered (O_SYNC), and there is nothing to commit.
 */
#include <errno.h>
#include <string.h>

#include "fs/libnfs/ln.h"

static int start_open(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_open2_async(s->ctx, c->path, c->flags, (int)c->mode, ln_answer, c);
}

static void take_fh(struct ln_call *c, void *data)
{
	c->fh = data;
}

static int start_close(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_close_async(s->ctx, c->fh, ln_answer, c);
}

/*
 * To a server of version 4.0 all that libnfs opens is one owner's: two opens of a file
 * are one, which the first close ends, and opens and closes are counted.  So there is
 * one of them at a time, and a file that is open already is not opened again.
 */
static void turn_begin(struct ln_session *s)
{
	if (s->place.version == 4)
		pthread_mutex_lock(&s->turn);
}

static void turn_end(struct ln_session *s)
{
	if (s->place.version == 4)
		pthread_mutex_unlock(&s->turn);
}

static bool same_open(const struct ln_file *a, const struct ln_file *b)
{
	return a != b && b->fh && a->access == b->access && a->ino == b->ino && a->dev == b->dev;
}

/* What another file has open of the same, or NULL. */
static struct nfsfh *opened(struct ln_file *lf)
{
	struct ln_session *s = lf->s;
	struct ln_file *other;
	struct nfsfh *fh;

	pthread_mutex_lock(&s->lock);
	for (other = s->files; other && !same_open(lf, other);)
		other = other->next;
	fh = other ? other->fh : NULL;
	pthread_mutex_unlock(&s->lock);
	return fh;
}

static bool shared(struct ln_file *lf, const struct nfsfh *fh)
{
	struct ln_session *s = lf->s;
	struct ln_file *other;

	pthread_mutex_lock(&s->lock);
	for (other = s->files; other && (other == lf || other->fh != fh);)
		other = other->next;
	pthread_mutex_unlock(&s->lock);
	return other;
}

static void set_fh(struct ln_file *lf, struct nfsfh *fh)
{
	pthread_mutex_lock(&lf->s->lock);
	lf->fh = fh;
	pthread_mutex_unlock(&lf->s->lock);
}

/* ln_open_data - lf->path as the O_* of @flags say, made with @mode */
int ln_open_data(struct ln_file *lf, int flags, unsigned mode)
{
	struct ln_call call = {.start = start_open,
			       .take = take_fh,
			       .path = lf->path,
			       .flags = flags | O_SYNC,
			       .mode = mode};
	struct nfsfh *fh = NULL;
	int err = 0;

	lf->access = flags & O_ACCMODE;
	turn_begin(lf->s);
	if (lf->s->place.version == 4 && !(flags & O_CREAT))
		fh = opened(lf);
	if (!fh) {
		err = ln_do(lf->s, &call);
		fh = err ? NULL : call.fh;
	}
	set_fh(lf, fh);
	turn_end(lf->s);
	return err;
}

int ln_close_data(struct ln_file *lf)
{
	struct ln_call call = {.start = start_close, .fh = lf->fh};
	int err = 0;

	if (!lf->fh)
		return 0;
	turn_begin(lf->s);
	set_fh(lf, NULL);
	if (!shared(lf, call.fh))
		err = ln_do(lf->s, &call);
	turn_end(lf->s);
	return err;
}

static int start_read(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_pread_async(s->ctx, c->fh, c->pos, c->len, ln_answer, c);
}

static void take_data(struct ln_call *c, void *data)
{
	if ((size_t)c->status > c->len)
		c->status = -EREMOTEIO;
	else
		memcpy(c->out, data, (size_t)c->status);
}

ssize_t ln_read(struct file *file, void *buf, size_t len, off_t pos)
{
	struct ln_file *lf = ln_of(file);
	struct ln_call call = {.start = start_read,
			       .take = take_data,
			       .fh = lf->fh,
			       .pos = (uint64_t)pos,
			       .len = len < lf->s->rsize ? len : lf->s->rsize,
			       .out = buf};

	if (!lf->fh)
		return -EBADF;
	return len ? ln_do(lf->s, &call) : 0;
}

static int start_write(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_pwrite_async(s->ctx, c->fh, c->pos, c->len, c->in, ln_answer, c);
}

ssize_t ln_write(struct file *file, const void *buf, size_t len, off_t pos)
{
	struct ln_file *lf = ln_of(file);
	struct ln_call call = {.start = start_write,
			       .fh = lf->fh,
			       .pos = (uint64_t)pos,
			       .len = len < lf->s->wsize ? len : lf->s->wsize,
			       .in = buf};
	int n;

	if (!lf->fh)
		return -EBADF;
	if (!len)
		return 0;
	n = ln_do(lf->s, &call);
	return n > (int)call.len || !n ? -EREMOTEIO : n;
}

static int start_truncate(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_ftruncate_async(s->ctx, c->fh, c->pos, ln_answer, c);
}

int ln_truncate(struct file *file, off_t size)
{
	struct ln_file *lf = ln_of(file);
	struct ln_call call = {.start = start_truncate, .fh = lf->fh, .pos = (uint64_t)size};

	if (size < 0)
		return -EINVAL;
	return lf->fh ? ln_do(lf->s, &call) : -EBADF;
}

static int refuse(const struct copy_req *req, struct copy_result *res, enum copy_strategy_id s)
{
	static const char *const reasons[2][2] = {
		{"the server speaks NFS 3, neither 4.2 nor 4.1: it has no CLONE and no COPY",
		 "the URL asks for NFS 3, which has no CLONE and no COPY"},
		{"the server speaks NFS 4.0, neither 4.2 nor 4.1: it has no CLONE and no COPY",
		 "the URL asks for NFS 4.0, which has no CLONE and no COPY"},
	};
	const struct ln_place *place = &ln_of(req->out)->s->place;

	return decline(res, s,
		       (struct copy_why){.reason = reasons[place->version == 4][place->chosen],
					 .error = EOPNOTSUPP,
					 .scope = COPY_THIS_MOUNT});
}

int ln_clone_range(const struct copy_req *req, struct copy_result *res)
{
	return refuse(req, res, COPY_CLONE);
}

int ln_copy_range(const struct copy_req *req, struct copy_result *res)
{
	return refuse(req, res, COPY_OFFLOAD);
}
