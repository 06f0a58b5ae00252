// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * open.c - OPEN: RFC 8881 section 18.16.
 *
 * First the file is found or made and opened as the caller, which may block; then,
 * under the lock, its share reservations are compared and the stateid is made.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "nfsd/export.h"
#include "nfsd/state.h"

struct opening {
	struct compound *c;
	const struct nfs4_open_args *a;
	struct nfs4_open_res *r;
	uint32_t access, want;
	struct obj *obj;   /* the file */
	struct file *file; /* opened for access; becomes io's */
	bool can_read, made, both, narrow;
	struct nfs4_attrs attrs; /* to be set */
	struct io *io;
};

static uint32_t check_args(struct opening *o)
{
	o->access = o->a->share_access & OPEN4_SHARE_ACCESS_BOTH;
	o->want = o->a->share_access & OPEN4_SHARE_ACCESS_WANT_MASK;
	if (!o->access || o->a->share_deny > OPEN4_SHARE_DENY_BOTH)
		return NFS4ERR_INVAL;
	if (o->a->opentype == OPEN4_CREATE && o->a->claim != CLAIM_NULL)
		return NFS4ERR_INVAL;
	switch (o->a->claim) {
	case CLAIM_NULL:
	case CLAIM_FH:
	case CLAIM_PREVIOUS:
		return NFS4_OK;
	case CLAIM_DELEGATE_CUR:
	case CLAIM_DELEG_CUR_FH:
		return deleg_claim(o->c, &o->a->delegation);
	default: /* delegations do not outlive the client's restart */
		return NFS4ERR_NOTSUPP;
	}
}

/* Who may open what while the server waits for those who had files open: section 8.4.2. */
static uint32_t check_grace(const struct opening *o)
{
	struct client *client = o->c->client;
	bool grace, reclaim = o->a->claim == CLAIM_PREVIOUS;
	uint32_t status = NFS4_OK;

	pthread_mutex_lock(&o->c->s->lock);
	grace = in_grace(o->c->s);
	if (reclaim && (!grace || client->reclaim_done))
		status = NFS4ERR_NO_GRACE;
	else if (reclaim && !client->may_reclaim)
		status = NFS4ERR_RECLAIM_BAD;
	else if (!reclaim && (grace || !client->reclaim_done))
		status = NFS4ERR_GRACE;
	else if (reclaim)
		grace_more(o->c->s);
	pthread_mutex_unlock(&o->c->s->lock);
	return status;
}

static uint32_t check_type(const struct obj *obj)
{
	assert(obj); /* what was found */
	switch (cr_file_id(obj->file)->type) {
	case S_IFREG:
		return NFS4_OK;
	case S_IFDIR:
		return NFS4ERR_ISDIR;
	case S_IFLNK:
		return NFS4ERR_SYMLINK;
	default:
		return NFS4ERR_WRONG_TYPE;
	}
}

static int reopen(struct file *file, uint32_t access, struct file **filep, bool *can_read)
{
	int err;

	*can_read = true;
	if (access == OPEN4_SHARE_ACCESS_READ)
		return cr_openat(file, "", O_RDONLY, 0, filep);
	err = cr_openat(file, "", O_RDWR, 0, filep);
	/* Clients read around what they write; who may only write does without. */
	if (err != -EACCES || access == OPEN4_SHARE_ACCESS_BOTH)
		return err;
	*can_read = false;
	return cr_openat(file, "", O_WRONLY, 0, filep);
}

/* After a restart the owner may have what the mode forbids: it was open before (created 0444). */
static int reopen_reclaimed(struct opening *o, struct file *file)
{
	const struct statx *stx;
	struct who who;
	int err = reopen(file, o->access, &o->file, &o->can_read);

	if (err != -EACCES || o->a->claim != CLAIM_PREVIOUS || obj_stat(o->c, o->obj, &stx))
		return err;
	cred_map(o->c, o->obj, &who);
	if (stx->stx_uid != who.uid)
		return err;
	cred_root(o->c->w);
	return reopen(file, o->access, &o->file, &o->can_read);
}

static int access_mode(uint32_t access)
{
	return (access & OPEN4_SHARE_ACCESS_READ ? R_OK : 0) |
	       (access & OPEN4_SHARE_ACCESS_WRITE ? W_OK : 0);
}

static uint32_t open_existing(struct opening *o)
{
	uint32_t status = check_type(o->obj);

	if (status)
		return status;
	if ((o->access & OPEN4_SHARE_ACCESS_WRITE) && !o->obj->opts->rw)
		return NFS4ERR_ROFS;
	if (deleg_in_the_way(o->c, &o->obj->fh,
			     (o->access & OPEN4_SHARE_ACCESS_WRITE) || o->a->share_deny
				     ? DELEG_OPEN_WRITE
				     : DELEG_READ))
		return NFS4ERR_DELAY;
	cred_caller(o->c, o->obj);
	o->io = deleg_io(o->c, &o->obj->fh);
	if (o->io)
		return nfsd_status(cr_access(o->obj->file, access_mode(o->access)));
	return nfsd_status(reopen_reclaimed(o, o->obj->file));
}

static uint32_t open_fh(struct opening *o)
{
	struct file *file;
	uint32_t status = o->c->cur->node ? NFS4ERR_ISDIR : obj_file(o->c, o->c->cur, &file);

	if (status)
		return status;
	obj_get(o->c->cur);
	o->obj = o->c->cur;
	return open_existing(o);
}

static uint32_t opened_name(struct opening *o, struct file *file, const char *name)
{
	uint32_t status = obj_from_file(o->c, o->c->cur, file, &o->obj);

	if (!status)
		obj_learn(o->c, o->c->cur, name, &o->obj->fh);
	return status;
}

static uint32_t look_up(struct opening *o, struct file *dir, const char *name)
{
	struct file *file;
	int err;

	cred_caller(o->c, o->c->cur);
	err = cr_openat(dir, name, O_PATH | O_NOFOLLOW, 0, &file);
	if (err)
		return nfsd_status(err);
	if (cr_file_id(file)->mount != cr_file_id(dir)->mount) {
		cr_close(file);
		return NFS4ERR_NOENT;
	}
	return opened_name(o, file, name);
}

/* The verifier of an exclusive create is in the file's times until the client sets them. */
static void verifier_times(const uint8_t verf[8], struct nfs4_attrs *a)
{
	a->time_access_set =
		(struct nfs4_set_time){SET_TO_CLIENT_TIME4, {get_le32(verf) & INT32_MAX, 0}};
	a->time_modify_set =
		(struct nfs4_set_time){SET_TO_CLIENT_TIME4, {get_le32(verf + 4) & INT32_MAX, 0}};
	nfs4_bit_set(&a->map, FATTR4_TIME_ACCESS_SET);
	nfs4_bit_set(&a->map, FATTR4_TIME_MODIFY_SET);
}

static bool made_by_this(struct opening *o)
{
	const struct statx *stx;

	if (obj_stat(o->c, o->obj, &stx))
		return false;
	return stx->stx_size == 0 &&
	       stx->stx_atime.tv_sec == (int64_t)(get_le32(o->a->createverf) & INT32_MAX) &&
	       stx->stx_mtime.tv_sec == (int64_t)(get_le32(o->a->createverf + 4) & INT32_MAX);
}

static bool exclusive(const struct opening *o)
{
	return o->a->createmode == EXCLUSIVE4 || o->a->createmode == EXCLUSIVE4_1;
}

/* There already: what that means for each way of creating. */
static uint32_t open_there(struct opening *o, struct file *dir, const char *name)
{
	bool truncate = nfs4_bit(&o->attrs.map, FATTR4_SIZE) && o->attrs.size == 0;
	uint32_t status = look_up(o, dir, name);

	if (status)
		return status;
	if (o->a->createmode == GUARDED4)
		return NFS4ERR_EXIST;
	if (exclusive(o) && (check_type(o->obj) || !made_by_this(o)))
		return NFS4ERR_EXIST;
	memset(&o->attrs.map, 0, sizeof(o->attrs.map));
	if (truncate && !exclusive(o)) {
		nfs4_bit_set(&o->attrs.map, FATTR4_SIZE);
		o->attrs.size = 0;
		if (!(o->access & OPEN4_SHARE_ACCESS_WRITE))
			return NFS4ERR_INVAL;
	}
	if (exclusive(o) && nfs4_bit(&o->a->createattrs.map, FATTR4_MODE))
		nfs4_bit_set(&o->r->attrset, FATTR4_MODE);
	return open_existing(o);
}

static uint32_t take_attrs(struct opening *o)
{
	uint32_t status;

	if (o->a->createmode == EXCLUSIVE4)
		return NFS4_OK;
	status = attrs_take(&o->a->createattrs, &o->attrs, true);
	if (status || o->a->createmode != EXCLUSIVE4_1)
		return status;
	if (nfs4_bit(&o->attrs.map, FATTR4_SIZE) ||
	    nfs4_bit(&o->attrs.map, FATTR4_TIME_ACCESS_SET) ||
	    nfs4_bit(&o->attrs.map, FATTR4_TIME_MODIFY_SET))
		return NFS4ERR_INVAL; /* not in suppattr_exclcreat */
	return NFS4_OK;
}

/*
 * As ./NAME, because of a plain name that is made anew the room asks nothing: but this
 * file will be compared with others, and needs its number.
 */
static int make_file(struct opening *o, struct file *dir, const char *name, mode_t mode)
{
	char path[NFSD_NAME + 2];

	snprintf(path, sizeof(path), "./%s", name);
	return cr_openat(dir, path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, mode, &o->file);
}

/*
 * The verifier is in the file before it has its name: who asks again, because the server was
 * killed in between, finds his own file.  No directory but "./" is asked for, see make_file().
 */
static int make_exclusive(struct opening *o, struct file *dir, const char *name, mode_t mode)
{
	const struct iattr times = {
		.valid = ATTR_TIMES,
		.atime.tv_sec = get_le32(o->a->createverf) & INT32_MAX,
		.mtime.tv_sec = get_le32(o->a->createverf + 4) & INT32_MAX,
	};
	int err = cr_openat(dir, "./", O_TMPFILE | O_RDWR, mode, &o->file);

	if (err)
		return err;
	err = cr_setattr(o->file, NULL, &times);
	cred_root(o->c->w); /* the caller may write here, or there were no file */
	if (!err)
		err = cr_link(o->file, NULL, dir, name);
	cred_caller(o->c, o->c->cur);
	if (!err) {
		nfs4_bit_set(&o->r->attrset, FATTR4_TIME_ACCESS_SET);
		nfs4_bit_set(&o->r->attrset, FATTR4_TIME_MODIFY_SET);
		return 0;
	}
	cr_close(o->file);
	o->file = NULL;
	return err;
}

/* Storage that has no files without a name gets the verifier as soon as may be. */
static int make(struct opening *o, struct file *dir, const char *name, mode_t mode)
{
	int err = exclusive(o) ? make_exclusive(o, dir, name, mode) : -EOPNOTSUPP;

	if (!err || err == -EEXIST)
		return err;
	err = make_file(o, dir, name, mode);
	if (!err && exclusive(o))
		verifier_times(o->a->createverf, &o->attrs);
	return err;
}

/* What was just made is open to write, too, which a delegation for reading forbids. */
static void narrow(struct opening *o)
{
	struct file *file;

	if (deleg_wanted(o->a) != OPEN_DELEGATE_READ || nfs4_bit(&o->attrs.map, FATTR4_SIZE))
		return;
	if (cr_openat(o->file, "", O_RDONLY, 0, &file))
		return;
	cr_close(o->file);
	o->file = file;
	o->narrow = true;
}

static uint32_t made_io(struct opening *o)
{
	o->io = io_new(o->file, true, !o->narrow);
	o->file = NULL;
	return o->io ? NFS4_OK : NFS4ERR_DELAY;
}

/* What was made is open already; where that serves for all, it is not opened once more. */
static uint32_t obj_of_made(struct opening *o)
{
	struct file *path;
	int err;

	if (cr_file_fd(o->io->file) >= 0)
		return obj_from_io(o->c, o->c->cur, o->io, &o->obj);
	err = cr_openat(o->io->file, "", O_PATH, 0, &path);
	return err ? nfsd_status(err) : obj_from_file(o->c, o->c->cur, path, &o->obj);
}

static uint32_t create(struct opening *o, struct file *dir, const char *name)
{
	mode_t mode = nfs4_bit(&o->attrs.map, FATTR4_MODE) ? o->attrs.mode & 0777 : 0600;
	uint32_t status;
	int err;

	cred_caller(o->c, o->c->cur);
	err = make(o, dir, name, mode);
	if (err == -EEXIST)
		return open_there(o, dir, name);
	if (err)
		return nfsd_status(err);
	o->can_read = o->made = true;
	narrow(o);
	status = made_io(o);
	if (status)
		return status;
	if (nfs4_bit(&o->attrs.map, FATTR4_MODE) && !(o->attrs.mode & ~0777u)) {
		nfs4_bit_clear(&o->attrs.map, FATTR4_MODE);
		nfs4_bit_set(&o->r->attrset, FATTR4_MODE);
	}
	status = obj_of_made(o);
	if (!status)
		obj_learn(o->c, o->c->cur, name, &o->obj->fh);
	return status;
}

static uint32_t open_name(struct opening *o)
{
	char name[NFSD_NAME];
	struct file *dir;
	bool creates = o->a->opentype == OPEN4_CREATE;
	uint32_t status = take_name(&o->a->name, name);

	if (!status)
		status = dir_of(o->c, o->c->cur, creates, &dir);
	if (status)
		return status;
	dir_before(o->c, o->c->cur, &o->r->cinfo);
	if (!creates) {
		status = look_up(o, dir, name);
		if (!status)
			status = open_existing(o);
	} else {
		status = take_attrs(o);
		if (!status)
			status = create(o, dir, name);
	}
	if (!status)
		dir_after(o->c, o->c->cur, &o->r->cinfo);
	return status;
}

/* Attributes after the stateid: by then a share reservation may have forbidden it. */
static uint32_t set_attrs(struct opening *o)
{
	int err = 0;

	if (nfs4_bit(&o->attrs.map, FATTR4_SIZE)) {
		err = cr_truncate(o->io->file, (off_t)o->attrs.size);
		file_changed(o->c->s, o->io->file);
		if (err)
			return nfsd_status(err);
		nfs4_bit_set(&o->r->attrset, FATTR4_SIZE);
		obj_changed(o->obj);
	}
	return attrs_apply(o->c, o->obj, &o->attrs, &o->r->attrset);
}

static struct state *open_of(struct sfile *f, const struct compound *c,
			     const struct xdr_bytes *owner)
{
	for (struct state *st = f->states; st; st = st->of_file)
		if (st->type == STATE_OPEN && st->client == c->client && owner_is(st, owner))
			return st;
	return NULL;
}

static bool conflicts(const struct opening *o, const struct state *st)
{
	return (o->access & st->deny) || (o->a->share_deny & st->access);
}

/* Another owner's reservation in the way; that of a client out of courtesy goes. */
static bool shares_denied(struct opening *o, struct sfile *f, const struct state *own)
{
	struct nfsd *s = o->c->s;

again:
	for (struct state *st = f->states; st; st = st->of_file) {
		struct client *c = st->client;

		if (st->type != STATE_OPEN || st == own || !conflicts(o, st))
			continue;
		if (!c->courtesy)
			return true;
		db_remove_client(s, &c->owner);
		client_drop(s, c);
		f = sfile_find(s, &o->obj->fh, true);
		if (!f)
			return true;
		own = open_of(f, o->c, &o->a->owner.owner);
		goto again;
	}
	return false;
}

static void widen(struct opening *o, struct state *st)
{
	bool read, write;

	st->access |= o->access;
	st->deny |= o->a->share_deny;
	st->accesses |= (uint8_t)(1u << o->access);
	st->denies |= (uint8_t)(1u << o->a->share_deny);
	st->seqid = st->seqid == UINT32_MAX ? 1 : st->seqid + 1;
	read = st->access & OPEN4_SHARE_ACCESS_READ;
	write = st->access & OPEN4_SHARE_ACCESS_WRITE;
	if (!st->io || (read && !st->io->read) || (write && !st->io->write)) {
		io_get(o->io);
		io_put(st->io);
		st->io = o->io;
	}
}

static uint32_t make_state(struct opening *o)
{
	struct compound *c = o->c;
	struct sfile *f;
	struct state *st;

	if (c->client->gone)
		return NFS4ERR_EXPIRED;
	f = sfile_find(c->s, &o->obj->fh, true);
	if (!f)
		return NFS4ERR_DELAY;
	st = open_of(f, c, &o->a->owner.owner);
	if (shares_denied(o, f, st)) {
		f = sfile_find(c->s, &o->obj->fh, false);
		if (f)
			sfile_done(c->s, f);
		return NFS4ERR_SHARE_DENIED;
	}
	f = sfile_find(c->s, &o->obj->fh, true);
	st = f ? open_of(f, c, &o->a->owner.owner) : NULL;
	if (!st && f)
		st = state_new(c->s, c->client, f, STATE_OPEN, &o->a->owner.owner);
	if (!st) {
		if (f)
			sfile_done(c->s, f);
		return NFS4ERR_RESOURCE;
	}
	widen(o, st);
	state_id(st, &o->r->stateid);
	return NFS4_OK;
}

/* The descriptor of an open that is widened has to be able to do both. */
static uint32_t both_ways(struct opening *o)
{
	struct file *file, *more;
	struct sfile *f;
	struct state *st;
	uint32_t access = o->access;
	bool can_read;
	int err;

	pthread_mutex_lock(&o->c->s->lock);
	f = sfile_find(o->c->s, &o->obj->fh, false);
	st = f ? open_of(f, o->c, &o->a->owner.owner) : NULL;
	if (st)
		access |= st->access;
	pthread_mutex_unlock(&o->c->s->lock);
	if (access != OPEN4_SHARE_ACCESS_BOTH || access == o->access)
		return NFS4_OK;
	if (obj_file(o->c, o->obj, &file))
		return NFS4_OK;
	cred_caller(o->c, o->obj);
	err = reopen(file, access, &more, &can_read);
	if (err)
		return nfsd_status(err);
	cr_close(o->file);
	o->file = more;
	o->can_read = can_read;
	o->both = true;
	return NFS4_OK;
}

/* Those who do not ask get none. */
static void say_delegation(struct opening *o)
{
	struct nfs4_delegation *d = &o->r->delegation;
	struct deleg_offer offer = {&o->obj->fh, o->io, deleg_wanted(o->a), 0};
	struct statx stx;
	bool given = false;

	if (offer.type == OPEN_DELEGATE_READ || offer.type == OPEN_DELEGATE_WRITE) {
		if (!cr_getattr(o->io->file, NULL, &stx))
			offer.change = change_of(o->c->s, &stx);
		pthread_mutex_lock(&o->c->s->lock);
		given = deleg_give(o->c, &offer, d);
		pthread_mutex_unlock(&o->c->s->lock);
	}
	if (given)
		return;
	d->type = OPEN_DELEGATE_NONE;
	if (!o->want)
		return;
	d->type = OPEN_DELEGATE_NONE_EXT;
	d->why = o->want == OPEN4_SHARE_ACCESS_WANT_NO_DELEG ? WND4_NOT_WANTED : WND4_RESOURCE;
	d->will_signal = false;
}

static uint32_t find_and_open(struct opening *o)
{
	uint32_t status = check_args(o);

	if (!status)
		status = check_grace(o);
	if (status)
		return status;
	status = o->a->claim == CLAIM_NULL || o->a->claim == CLAIM_DELEGATE_CUR ? open_name(o)
										: open_fh(o);
	if (!status && !o->made && !o->io)
		status = both_ways(o);
	return status;
}

uint32_t op_open(struct compound *c, union nfs4_args *args, union nfs4_res *res)
{
	struct opening o = {.c = c, .a = &args->open, .r = &res->open};
	uint32_t status = find_and_open(&o);
	bool write = o.access & OPEN4_SHARE_ACCESS_WRITE || o.made || o.both;

	if (!status && !o.io) {
		o.io = io_new(o.file, o.can_read, write);
		o.file = NULL;
		if (!o.io)
			status = NFS4ERR_DELAY;
	}
	if (!status) {
		pthread_mutex_lock(&c->s->lock);
		status = make_state(&o);
		pthread_mutex_unlock(&c->s->lock);
	}
	if (!status) {
		status = set_attrs(&o);
		if (o.made && status == NFS4ERR_PERM)
			status = NFS4_OK; /* it is there and open; attrset says what was set */
	}
	if (!status)
		say_delegation(&o);
	io_put(o.io);
	cr_close(o.file);
	if (status) {
		obj_put(o.obj);
		return status;
	}
	o.r->rflags = OPEN4_RESULT_LOCKTYPE_POSIX;
	set_current(c, o.obj);
	set_stateid(c, &o.r->stateid);
	return NFS4_OK;
}
