// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dir.c - directories.  libnfs reads one whole, by as many requests as its cookies take;
 * the names are kept until the directory is closed.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/libnfs/ln.h"
#include "lib/dirbuf.h"

/* The types of both versions have the same numbers. */
static unsigned char dirent_type(uint32_t type)
{
	static const unsigned char types[] = {DT_UNKNOWN, DT_REG, DT_DIR,  DT_BLK,
					      DT_CHR,	  DT_LNK, DT_SOCK, DT_FIFO};

	return type < sizeof(types) ? types[type] : DT_UNKNOWN;
}

/* Room for @want of @size bytes, twice as much each time; false: no memory. */
static bool grow(void **at, size_t *room, size_t want, size_t size)
{
	size_t more = *room ? *room : 64;
	void *bigger;

	while (more < want)
		more *= 2;
	bigger = more > *room ? realloc(*at, more * size) : *at;
	if (!bigger)
		return false;
	*at = bigger;
	*room = more;
	return true;
}

static int add_entry(struct ln_file *lf, const struct nfsdirent *from)
{
	size_t len = strlen(from->name) + 1;

	if (!grow((void **)&lf->entry, &lf->room, lf->n + 1, sizeof(*lf->entry)) ||
	    !grow((void **)&lf->names, &lf->names_room, lf->names_len + len, 1))
		return -ENOMEM;
	memcpy(lf->names + lf->names_len, from->name, len);
	lf->entry[lf->n++] = (struct ln_entry){from->inode, lf->names_len, dirent_type(from->type)};
	lf->names_len += len;
	return 0;
}

static bool is_plain(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void take_entries(struct ln_call *c, void *data)
{
	struct ln_session *s = c->s;
	struct ln_file *lf = c->out;
	const struct nfsdirent *ent;
	int err = 0;

	while (!err && (ent = s->lib.nfs_readdir(s->ctx, data)))
		if (is_plain(ent->name))
			err = add_entry(lf, ent);
	s->lib.nfs_closedir(s->ctx, data);
	c->status = err;
}

static int start_opendir(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_opendir_async(s->ctx, c->path, ln_answer, c);
}

/* lf->lock is held */
static int list(struct file *file)
{
	struct ln_file *lf = ln_of(file);
	char *path = lf->listed ? NULL : ln_hold(file, NULL);
	struct ln_call call = {
		.start = start_opendir, .take = take_entries, .path = path, .out = lf};
	int err = 0;

	if (!lf->listed)
		err = path ? ln_do(lf->s, &call) : -ENOMEM;
	ln_let_go(lf->s, path);
	lf->listed |= !err;
	return err;
}

ssize_t ln_readdir(struct file *file, struct dirbuf *buf)
{
	struct ln_file *lf = ln_of(file);
	ssize_t n = 0;
	int err;

	pthread_mutex_lock(&lf->lock);
	err = list(file);
	while (!err && lf->at < lf->n) {
		const struct ln_entry *e = &lf->entry[lf->at];
		const struct dirent_view view = {
			.name = lf->names + e->name, .ino = e->ino, .type = e->type};

		if (!dirbuf_put(buf, &view)) {
			err = n ? 0 : -EINVAL;
			break;
		}
		lf->at++;
		n++;
	}
	pthread_mutex_unlock(&lf->lock);
	return err ? err : n;
}

/* What makes or takes away the name @name in @dir. */
static int change(struct file *dir, const char *name, struct ln_call *call)
{
	char *path = ln_hold(dir, name);
	int err = -ENOMEM;

	call->path = path;
	if (path)
		err = ln_do(ln_of(dir)->s, call);
	ln_let_go(ln_of(dir)->s, path);
	return err;
}

static unsigned made_with(const struct file *dir, mode_t mode)
{
	return mode & 07777 & ~((struct ln_room *)dir->room)->umask;
}

static int start_mkdir(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_mkdir2_async(s->ctx, c->path, (int)c->mode, ln_answer, c);
}

int ln_mkdir(struct file *dir, const char *name, mode_t mode)
{
	struct ln_call call = {.start = start_mkdir, .mode = made_with(dir, mode)};

	return change(dir, name, &call);
}

static int start_mknod(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_mknod_async(s->ctx, c->path, (int)c->mode, (int)c->dev, ln_answer, c);
}

static int make_node_v4(struct file *dir, const char *name, mode_t mode)
{
	char *path = ln_hold(dir, NULL);
	int err = path ? ln_create_v4(ln_of(dir)->s, path, name, mode) : -ENOMEM;

	ln_let_go(ln_of(dir)->s, path);
	return err;
}

/* An empty file, as mknod(2) makes one. */
static int make_file(struct file *dir, const char *name, mode_t mode)
{
	struct ln_session *s = ln_of(dir)->s;
	struct ln_file *lf;
	int err = -ENOMEM;

	pthread_rwlock_rdlock(&s->names);
	lf = ln_file_new(s, ln_below(dir, name));
	if (lf)
		err = ln_open_data(lf, O_CREAT | O_EXCL | O_WRONLY, made_with(dir, mode));
	pthread_rwlock_unlock(&s->names);
	if (!err)
		err = ln_close_data(lf);
	if (lf)
		ln_file_free(lf);
	return err;
}

int ln_mknod(struct file *dir, const char *name, mode_t mode, dev_t dev)
{
	mode_t type = mode & S_IFMT;
	struct ln_call call = {
		.start = start_mknod, .mode = made_with(dir, mode) | type, .dev = (unsigned)dev};

	if (type == S_IFREG || !type)
		return make_file(dir, name, mode);
	if (ln_of(dir)->s->place.version == 4 && (type == S_IFIFO || type == S_IFSOCK))
		return make_node_v4(dir, name, call.mode);
	return change(dir, name, &call);
}

static int start_symlink(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_symlink_async(s->ctx, c->path2, c->path, ln_answer, c);
}

int ln_symlink(struct file *dir, const char *name, const char *target)
{
	struct ln_call call = {.start = start_symlink, .path2 = target};

	return change(dir, name, &call);
}

static int start_readlink(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_readlink_async(s->ctx, c->path, ln_answer, c);
}

static void take_link(struct ln_call *c, void *data)
{
	size_t len = strlen(data);

	c->len = len < c->len ? len : c->len;
	memcpy(c->out, data, c->len);
}

ssize_t ln_readlink(struct file *dir, const char *name, char *buf, size_t size)
{
	struct ln_call call = {.start = start_readlink, .take = take_link, .len = size, .out = buf};
	int err = change(dir, name, &call);

	return err ? err : (ssize_t)call.len;
}

static int start_unlink(struct ln_session *s, struct ln_call *c)
{
	return c->flags & AT_REMOVEDIR ? s->lib.nfs_rmdir_async(s->ctx, c->path, ln_answer, c)
				       : s->lib.nfs_unlink_async(s->ctx, c->path, ln_answer, c);
}

/* Version 4 has one REMOVE for all: what is of the other kind is refused here. */
int ln_unlink(struct file *dir, const char *name, int flags)
{
	struct ln_call call = {.start = start_unlink, .flags = flags};
	bool whole = flags & AT_REMOVEDIR;
	struct statx stx;
	int err = ln_of(dir)->s->place.version == 4 ? ln_getattr(dir, name, &stx) : 1;

	if (!err && S_ISDIR(stx.stx_mode) != whole)
		return whole ? -ENOTDIR : -EISDIR;
	return err < 0 ? err : change(dir, name, &call);
}

static int start_rename(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_rename_async(s->ctx, c->path2, c->path, ln_answer, c);
}

static int start_link(struct ln_session *s, struct ln_call *c)
{
	return s->lib.nfs_link_async(s->ctx, c->path2, c->path, ln_answer, c);
}

/* From the name @old, or NULL: olddir itself, to the name @name; names are held still. */
static int two_names(struct file *olddir, const char *old, struct file *dir, const char *name,
		     struct ln_call *call)
{
	char *from = ln_below(olddir, old), *to = ln_below(dir, name);
	int err = -ENOMEM;

	call->path2 = from;
	call->path = to;
	if (from && to)
		err = ln_of(olddir)->s == ln_of(dir)->s ? ln_do(ln_of(dir)->s, call) : -EXDEV;
	if (!err && call->start == start_rename)
		err = ln_renamed(ln_of(dir)->s, from, to);
	free(from);
	free(to);
	return err;
}

int ln_link(struct file *olddir, const char *old, struct file *dir, const char *name)
{
	struct ln_call call = {.start = start_link};
	struct ln_session *s = ln_of(dir)->s;
	int err;

	pthread_rwlock_rdlock(&s->names);
	err = two_names(olddir, old, dir, name, &call);
	pthread_rwlock_unlock(&s->names);
	return err;
}

/* Beside other requests, where nobody has it open: most files are closed by then.  1: it is open.
 */
static int rename_closed(struct file *olddir, const char *old, struct file *dir, const char *name)
{
	struct ln_call call = {.start = start_rename};
	struct ln_session *s = ln_of(olddir)->s;
	struct ln_moving move = {.path = ln_hold(olddir, old)};
	int err = move.path ? 1 : -ENOMEM;

	if (move.path && ln_move_begin(s, &move)) {
		err = two_names(olddir, old, dir, name, &call);
		ln_move_end(s, &move);
	}
	ln_let_go(s, move.path);
	return err;
}

/* The protocol has no flags: who must not replace anything makes a link first. */
int ln_rename(struct file *olddir, const char *old, struct file *dir, const char *name,
	      unsigned flags)
{
	struct ln_call call = {.start = start_rename};
	struct ln_session *s = ln_of(dir)->s;
	int err;

	if (flags)
		return -EINVAL;
	err = rename_closed(olddir, old, dir, name);
	if (err <= 0)
		return err;
	pthread_rwlock_wrlock(&s->names);
	err = two_names(olddir, old, dir, name, &call);
	pthread_rwlock_unlock(&s->names);
	return err;
}
