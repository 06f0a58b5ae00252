// SPDX-License-Identifier: GPL-2.0-or-later
/* walk_emit.c - the commands of a step: names and attributes; contents are in walk_data.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "manifest.h"
#include "walk.h"

#define NAMES_MAX ((size_t)64 << 10) /* the kernel's XATTR_LIST_MAX and XATTR_SIZE_MAX */
#define VALUE_MAX ((size_t)64 << 10)

#define CAPABILITY  "security.capability"
#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

static int put_end(struct work *k)
{
	return stream_end(k->out);
}

static void begin(struct work *k, enum stream_cmd_id id, const struct step *s)
{
	stream_begin(k->out, id);
	stream_put_text(k->out, STREAM_A_PATH, s->path);
}

static int failed(struct step *s, const char *operation, ssize_t err)
{
	s->operation = operation;
	return (int)err;
}

/* Names ---------------------------------------------------------------------- */

static int make_symlink(struct work *k, struct step *s)
{
	ssize_t n = cr_readlink(s->dir->file, s->name, (char *)k->buf, STREAM_PATH_MAX + 1);

	if (n < 0)
		return failed(s, "reading the symbolic link", n);
	if (!n || n > (ssize_t)STREAM_PATH_MAX)
		return failed(s, "reading the symbolic link", -ENAMETOOLONG);
	k->buf[n] = '\0';
	begin(k, STREAM_C_SYMLINK, s);
	stream_put_number(k->out, STREAM_A_INO, s->stx.stx_ino);
	stream_put_text(k->out, STREAM_A_PATH_LINK, (const char *)k->buf);
	return put_end(k);
}

/* Numbers of devices are written as the kernel gives them to user space. */
static int make_node(struct work *k, struct step *s)
{
	uint64_t major = s->stx.stx_rdev_major, minor = s->stx.stx_rdev_minor;

	begin(k,
	      S_ISFIFO(s->stx.stx_mode)	  ? STREAM_C_MKFIFO
	      : S_ISSOCK(s->stx.stx_mode) ? STREAM_C_MKSOCK
					  : STREAM_C_MKNOD,
	      s);
	stream_put_number(k->out, STREAM_A_INO, s->stx.stx_ino);
	stream_put_number(k->out, STREAM_A_RDEV,
			  (minor & 0xff) | major << 8 | (minor & ~UINT64_C(0xff)) << 12);
	stream_put_number(k->out, STREAM_A_MODE, s->stx.stx_mode);
	return put_end(k);
}

static int make(struct work *k, struct step *s)
{
	atomic_fetch_add(&k->w->entries, 1);
	switch (s->stx.stx_mode & S_IFMT) {
	case S_IFLNK:
		return make_symlink(k, s);
	case S_IFREG:
	case S_IFDIR:
		begin(k, S_ISREG(s->stx.stx_mode) ? STREAM_C_MKFILE : STREAM_C_MKDIR, s);
		stream_put_number(k->out, STREAM_A_INO, s->stx.stx_ino);
		return put_end(k);
	default:
		return make_node(k, s);
	}
}

static int make_link(struct work *k, struct step *s)
{
	k->job->clones = true; /* it needs its target: see is_spoilt() */
	if (s->target->failed_at <= k->job->number)
		return failed(s, "linking to what could not be read", -EIO);
	atomic_fetch_add(&k->w->entries, 1);
	begin(k, STREAM_C_LINK, s);
	stream_put_text(k->out, STREAM_A_PATH_LINK, s->target->path);
	return put_end(k);
}

static int rename_or_remove(struct work *k, struct step *s)
{
	if (s->what & STEP_RENAME) {
		begin(k, STREAM_C_RENAME, s);
		stream_put_text(k->out, STREAM_A_PATH_TO, s->path2);
	} else {
		begin(k, s->what & STEP_RMDIR ? STREAM_C_RMDIR : STREAM_C_UNLINK, s);
	}
	return put_end(k);
}

static int begin_subvol(struct work *k, struct step *s)
{
	const struct walk *w = k->w;

	begin(k, w->snapshot ? STREAM_C_SNAPSHOT : STREAM_C_SUBVOL, s);
	stream_put_bytes(k->out, STREAM_A_UUID, w->uuid, sizeof(w->uuid));
	stream_put_number(k->out, STREAM_A_CTRANSID, w->ctransid);
	if (w->snapshot) {
		stream_put_bytes(k->out, STREAM_A_CLONE_UUID, w->parent_uuid,
				 sizeof(w->parent_uuid));
		stream_put_number(k->out, STREAM_A_CLONE_CTRANSID, w->parent_ctransid);
	}
	return put_end(k);
}

/* Attributes ----------------------------------------------------------------- */

static bool starts(const char *key, const char *prefix)
{
	return !strncmp(key, prefix, strlen(prefix));
}

/* What is no attribute to carry over: permissions in another form, statements about this very
 * inode.
 */
bool xattr_is_sent(const char *key)
{
	if (starts(key, "system."))
		return starts(key, "system.posix_acl_");
	return strcmp(key, "security.evm") != 0 && strcmp(key, "security.ima") != 0 &&
	       !starts(key, "trusted.SGI_ACL_") && !starts(key, "xfsroot.") &&
	       strlen(key) <= STREAM_NAME_MAX;
}

static struct file *attr_file(const struct step *s)
{
	return s->file ? s->file : s->dir->file;
}

static const char *attr_name(const struct step *s)
{
	return s->file ? NULL : s->name;
}

ssize_t step_xattrs(struct work *k, struct step *s)
{
	ssize_t len = cr_listxattr(attr_file(s), attr_name(s), k->names, NAMES_MAX);
	char *at = k->names, *to = k->names;

	if (len == -EOPNOTSUPP)
		return 0;
	if (len < 0)
		return failed(s, "listing the attributes of", len);
	for (size_t n; at < k->names + len; at += n) {
		n = strlen(at) + 1;
		if (xattr_is_sent(at))
			to = (char *)memmove(to, at, n) + n;
	}
	return to - k->names;
}

ssize_t step_xattr(struct work *k, struct step *s, const char *key)
{
	ssize_t n = cr_getxattr(attr_file(s), attr_name(s), key, k->value, VALUE_MAX);

	return n < 0 && n != -ENODATA ? failed(s, "reading an attribute of", n) : n;
}

static int set_xattr(struct work *k, struct step *s, const char *key)
{
	ssize_t n = step_xattr(k, s, key);

	if (n < 0) /* -ENODATA: gone since it was listed */
		return n == -ENODATA ? 0 : (int)n;
	begin(k, STREAM_C_SET_XATTR, s);
	stream_put_text(k->out, STREAM_A_XATTR_NAME, key);
	stream_put_bytes(k->out, STREAM_A_XATTR_DATA, k->value, (size_t)n);
	return put_end(k);
}

static int remove_xattr(struct work *k, struct step *s, const char *key)
{
	begin(k, STREAM_C_REMOVE_XATTR, s);
	stream_put_text(k->out, STREAM_A_XATTR_NAME, key);
	return put_end(k);
}

/* What a new file got from its directory. */
static int remove_acls(struct work *k, struct step *s)
{
	int err = remove_xattr(k, s, ACL_ACCESS);

	return !err && S_ISDIR(s->stx.stx_mode) ? remove_xattr(k, s, ACL_DEFAULT) : err;
}

static bool has_name(const char *names, ssize_t len, const char *key)
{
	for (const char *at = names; at < names + len; at += strlen(at) + 1)
		if (!strcmp(at, key))
			return true;
	return false;
}

/* Those it had in the earlier stream and has no more.  Capabilities went with the owner's change.
 */
static int emit_removed(struct work *k, struct step *s, ssize_t len)
{
	int err = 0;

	for (size_t i = 0; s->earlier && i < s->earlier->nxattrs && !err; i++)
		if (!has_name(k->names, len, s->earlier->xattrs[i]) &&
		    strcmp(s->earlier->xattrs[i], CAPABILITY) != 0)
			err = remove_xattr(k, s, s->earlier->xattrs[i]);
	return err;
}

/* Capabilities go last: changing the owner takes them away. */
static int emit_xattrs(struct work *k, struct step *s, ssize_t len, bool capability)
{
	int err = 0;

	for (const char *at = k->names; at < k->names + len && !err; at += strlen(at) + 1)
		if (!strcmp(at, CAPABILITY) == capability)
			err = set_xattr(k, s, at);
	return err;
}

static struct timespec time_of(struct statx_timestamp t)
{
	return (struct timespec){.tv_sec = t.tv_sec, .tv_nsec = t.tv_nsec};
}

static int emit_times(struct work *k, const struct step *s)
{
	begin(k, STREAM_C_UTIMES, s);
	stream_put_time(k->out, STREAM_A_ATIME, time_of(s->stx.stx_atime));
	stream_put_time(k->out, STREAM_A_MTIME, time_of(s->stx.stx_mtime));
	stream_put_time(k->out, STREAM_A_CTIME, time_of(s->stx.stx_ctime));
	if (k->w->version >= 2 && (s->stx.stx_mask & STATX_BTIME))
		stream_put_time(k->out, STREAM_A_OTIME, time_of(s->stx.stx_btime));
	return put_end(k);
}

static int emit_owner(struct work *k, const struct step *s)
{
	begin(k, STREAM_C_CHOWN, s);
	stream_put_number(k->out, STREAM_A_UID, s->stx.stx_uid);
	stream_put_number(k->out, STREAM_A_GID, s->stx.stx_gid);
	return put_end(k);
}

static int emit_mode(struct work *k, const struct step *s)
{
	begin(k, STREAM_C_CHMOD, s);
	stream_put_number(k->out, STREAM_A_MODE, s->stx.stx_mode & 07777);
	return put_end(k);
}

/* Owner, lists, mode, capabilities, times: each may undo what comes after it. */
static int emit_attrs(struct work *k, struct step *s)
{
	ssize_t len = 0;
	int err = 0;

	if (s->what & STEP_XATTR) {
		len = step_xattrs(k, s);
		if (len < 0)
			return (int)len;
	}
	if (s->what & STEP_OWNER)
		err = emit_owner(k, s);
	if (!err && (s->what & STEP_XATTR))
		err = emit_removed(k, s, len);
	if (!err)
		err = emit_xattrs(k, s, len, false);
	if (!err && (s->what & STEP_MODE) && !S_ISLNK(s->stx.stx_mode))
		err = emit_mode(k, s);
	if (!err)
		err = emit_xattrs(k, s, len, true);
	if (!err && (s->what & STEP_TIMES))
		err = emit_times(k, s);
	return err;
}

/* Whole steps ---------------------------------------------------------------- */

/* Opened once more when it was closed since; it must be the file that was found. */
static int open_source(struct work *k, struct step *s)
{
	struct statx stx;
	int err = cr_openat(s->dir->file, s->name,
			    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0, &s->file);

	if (err)
		return failed(s, "opening", err);
	err = cr_getattr_open(s->file, &stx);
	if (!err && (stx.stx_ino != s->stx.stx_ino || !S_ISREG(stx.stx_mode)))
		err = -ESTALE;
	if (err)
		return failed(s, "opening", err);
	if (s->earlier && s->earlier->compare && s->earlier->path && !s->old) {
		err = cr_openat(k->w->earlier, s->earlier->path,
				O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0,
				&s->old);
		if (err)
			return failed(s, "opening the earlier file of", err);
	}
	return 0;
}

/* Whether the range is as the manifest has it: then none of its pieces are sent. */
static int compare_hash(struct work *k, struct step *s)
{
	const struct earlier *e = s->earlier;
	uint64_t i = s->from / RANGE_SIZE;
	uint64_t was = e && e->size > s->from ? e->size - s->from : 0;

	if (!e || !e->compare || e->path || i >= e->nhashes || !s->subject->hashes)
		return 0;
	was = was < RANGE_SIZE ? was : RANGE_SIZE;
	if (was != s->to - s->from || memcmp(e->hashes[i], s->subject->hashes[i], 16) != 0)
		return 0;
	for (size_t p = 0; p < s->pieces.n; p++)
		s->pieces.v[p].kind = PIECE_SAME;
	return 0;
}

static int look(struct work *k, struct step *s)
{
	int err = open_source(k, s);

	if (!err && s->to - s->from == RANGE_SIZE && cr_file_fd(s->file) >= 0)
		posix_fadvise(cr_file_fd(s->file), (off_t)s->from, (off_t)RANGE_SIZE,
			      POSIX_FADV_WILLNEED);
	if (!err) {
		err = plan_range(k, s);
		s->operation = err ? "listing the extents of" : NULL;
	}
	if (!err && s->old && s->listed && cr_same_storage(s->file, s->old))
		err = plan_same(k, s);
	if (!err && s->subject->hashes && s->to > s->from)
		err = manifest_hash(k, s);
	return err ? err : compare_hash(k, s);
}

int step_look(struct work *k, struct step *s)
{
	if ((s->what & STEP_DATA) && s->subject->failed_at == UINT64_MAX)
		s->err = look(k, s);
	return s->err;
}

void step_decide(struct work *k, struct step *s)
{
	if ((s->what & STEP_DATA) && !s->err && !k->w->no_data)
		plan_share(k->w, s);
	for (size_t i = 0; i < s->pieces.n; i++)
		k->job->clones |= s->pieces.v[i].kind == PIECE_CLONE;
}

static int emit(struct work *k, struct step *s)
{
	int err = s->err;

	if (!err && (s->what & STEP_DATA) && !s->file)
		err = open_source(k, s); /* for the second time: look() had it open */
	if (!err && (s->what & STEP_SUBVOL))
		err = begin_subvol(k, s);
	if (!err && (s->what & STEP_MAKE))
		err = make(k, s);
	if (!err && (s->what & STEP_PLAIN_ACL))
		err = remove_acls(k, s);
	if (!err && (s->what & STEP_LINK))
		err = make_link(k, s);
	if (!err && (s->what & (STEP_RENAME | STEP_UNLINK | STEP_RMDIR)))
		err = rename_or_remove(k, s);
	if (!err && (s->what & STEP_DATA))
		err = data_emit(k, s);
	if (!err && (s->what & STEP_ATTRS))
		err = emit_attrs(k, s);
	if (!err && (s->what & STEP_END)) {
		stream_begin(k->out, STREAM_C_END);
		err = put_end(k);
	}
	return err;
}

static int emit_unlink(struct work *k, struct step *s)
{
	begin(k, STREAM_C_UNLINK, s);
	return put_end(k);
}

static void fail_from(struct subject *f, uint64_t number)
{
	uint_fast64_t was = f->failed_at;

	while (number < was && !atomic_compare_exchange_weak(&f->failed_at, &was, number))
		;
}

/*
 * What could not be read is not in the stream, where that is allowed: what of it
 * went before is taken away.  A file that the receiver has from an earlier stream
 * would stay and look right: that ends the sending.
 */
static int give_up(struct work *k, struct step *s, size_t before, int err)
{
	struct walk *w = k->w;
	bool gone = (err == -ENOENT || err == -ESTALE) && !s->target;
	bool fatal = !(w->keep_going || gone) || s->earlier || !s->name || err == -ENOMEM ||
		     !(s->what & (STEP_MAKE | STEP_LINK | STEP_DATA));

	job_remark(k->job, err, fatal, s->operation ? s->operation : "sending", s->path);
	if (fatal)
		return err;
	k->job->out.len = before;
	if (!s->gave_up)
		atomic_fetch_add(&w->failed, 1);
	s->gave_up = true;
	if (s->subject)
		fail_from(s->subject, k->job->number);
	err = work_again(k);
	if (!err && !(s->what & (STEP_MAKE | STEP_LINK)))
		err = emit_unlink(k, s);
	if (err)
		job_remark(k->job, err, true, "sending", s->path);
	return err;
}

int step_emit(struct work *k, struct step *s)
{
	size_t before = k->job->out.len;
	int err;

	if (s->subject && s->subject->failed_at <= k->job->number) {
		if (s->gave_up && s->subject->failed_at == k->job->number && !(s->what & STEP_MAKE))
			return emit_unlink(k, s);
		return 0;
	}
	err = emit(k, s);
	if (!err && k->w->manifest && (s->what & STEP_RECORD))
		err = manifest_marks(k, s);
	if (s->old)
		cr_close(s->old);
	s->old = NULL;
	return err ? give_up(k, s, before, err) : 0;
}
