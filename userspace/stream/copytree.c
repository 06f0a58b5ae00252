// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A snapshot where there are none: a copy of the tree that shares blocks where the
 * file system can, with owners, modes, times, attributes, hard links and holes.
 */
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "apply.h"

#define READ_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define BUCKETS	 4096u
#define NAMES	 32768u

/* The first name that a file with several got in the copy. */
struct first_name {
	uint64_t ino;
	struct first_name *next;
	char path[];
};

struct copy {
	struct apply *a;
	struct file *top; /* of the copy */
	struct first_name *bucket[BUCKETS];
	char *path; /* of the directory in hand, below top, with a slash at its end, or "" */
	size_t len, size;
};

/* A directory and its copy, and one name in both. */
struct pair {
	struct file *from, *to;
	const char *name;
};

static int path_push(struct copy *c, const char *name, size_t *before)
{
	size_t len = strlen(name);

	*before = c->len;
	if (c->size < c->len + len + 2) {
		char *more = realloc(c->path, 2 * (c->len + len + 2));

		if (!more)
			return -ENOMEM;
		c->path = more;
		c->size = 2 * (c->len + len + 2);
	}
	memcpy(c->path + c->len, name, len);
	c->len += len;
	c->path[c->len] = '\0';
	return 0;
}

static void path_pop(struct copy *c, size_t before)
{
	c->len = before;
	c->path[before] = '\0';
}

/* A path of the copy, component by component: it may be longer than one call takes. */
static int open_parent(struct copy *c, const char *path, struct file **dirp, const char **name)
{
	struct file *dir = c->top, *next;
	const char *slash;
	char component[256];
	int err = 0;

	while (!err && (slash = strchr(path, '/'))) {
		snprintf(component, sizeof(component), "%.*s", (int)(slash - path), path);
		err = cr_openat(dir, component, READ_DIR, 0, &next);
		if (dir != c->top)
			cr_close(dir);
		dir = next;
		path = slash + 1;
	}
	*dirp = dir;
	*name = path;
	return err;
}

/* Of a file with several names: 1 when the copy has it already and got this name, too. */
static int link_first(struct copy *c, const struct pair *p, uint64_t ino)
{
	struct first_name **at = &c->bucket[ino % BUCKETS], *first = *at;
	const char *name;
	struct file *dir;
	size_t before;
	int err;

	while (first && first->ino != ino)
		first = first->next;
	if (first) {
		err = open_parent(c, first->path, &dir, &name);
		if (err)
			return err;
		err = cr_link(dir, name, p->to, p->name);
		if (dir != c->top)
			cr_close(dir);
		return err ? err : 1;
	}
	err = path_push(c, p->name, &before);
	if (err)
		return err;
	first = malloc(sizeof(*first) + c->len + 1);
	if (first) {
		memcpy(first->path, c->path, c->len + 1);
		first->ino = ino;
		first->next = *at;
		*at = first;
	}
	path_pop(c, before);
	return first ? 0 : -ENOMEM;
}

static int copy_xattr(struct file *from, struct file *to, const char *name, const char *key)
{
	ssize_t len = cr_getxattr(from, name, key, NULL, 0);
	struct xattr x = {.key = key};
	void *value;
	int err;

	if (len < 0)
		return (int)len;
	value = malloc((size_t)len + 1);
	if (!value)
		return -ENOMEM;
	len = cr_getxattr(from, name, key, value, (size_t)len);
	x.value = value;
	x.len = len < 0 ? 0 : (size_t)len;
	err = len < 0 ? (int)len : cr_setxattr(to, name, &x);
	free(value);
	return err;
}

/* Of names below two directories, or of the directories (name NULL). */
static int copy_xattrs(struct file *from, struct file *to, const char *name)
{
	ssize_t len = cr_listxattr(from, name, NULL, 0);
	char *list;
	int err = 0;

	if (len <= 0)
		return len == -EOPNOTSUPP ? 0 : (int)len;
	list = malloc((size_t)len);
	if (!list)
		return -ENOMEM;
	len = cr_listxattr(from, name, list, (size_t)len);
	if (len < 0)
		err = (int)len;
	for (const char *key = list; !err && key < list + len; key += strlen(key) + 1)
		err = copy_xattr(from, to, name, key);
	free(list);
	return err;
}

/* Owner first, or what it clears would be lost: capabilities are among the attributes. */
static int copy_attrs(struct file *from, struct file *to, const char *name, const struct statx *stx)
{
	struct iattr attr = {
		.valid = ATTR_OWNER | (S_ISLNK(stx->stx_mode) ? 0 : ATTR_MODE),
		.mode = stx->stx_mode & 07777,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.atime = {stx->stx_atime.tv_sec, stx->stx_atime.tv_nsec},
		.mtime = {stx->stx_mtime.tv_sec, stx->stx_mtime.tv_nsec},
	};
	int err = cr_setattr(to, name, &attr);

	if (!err)
		err = copy_xattrs(from, to, name);
	attr.valid = ATTR_TIMES;
	return err ? err : cr_setattr(to, name, &attr);
}

static int copy_data(struct file *from, struct file *to, uint64_t size)
{
	struct copy_req req = {.in = from, .out = to, .len = size, .jobs = 1};
	struct copy_result res;
	struct fileattr fa;
	int err = 0;

	/* Without checksums blocks are shared only between files that both have none. */
	if (!cr_fileattr_get(from, &fa) && (fa.flags & FS_NOCOW_FL)) {
		fa.flags = FS_NOCOW_FL;
		cr_fileattr_set(to, &fa);
	}
	if (size)
		err = cr_copy_range(&req, &res);
	if (!err && size && res.bytes != size)
		return -EIO;
	return err ? err : cr_truncate(to, (off_t)size);
}

static int copy_file(const struct pair *p, const struct statx *stx)
{
	struct file *from, *to;
	int err = cr_openat(p->from, p->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0,
			    &from);

	if (err)
		return err;
	err = cr_openat(p->to, p->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600,
			&to);
	if (!err) {
		int closed;

		err = copy_data(from, to, stx->stx_size);
		closed = cr_close(to);
		err = err ? err : closed;
	}
	cr_close(from);
	return err;
}

static int copy_symlink(const struct pair *p)
{
	char target[4096];
	ssize_t n = cr_readlink(p->from, p->name, target, sizeof(target));

	if (n < 0 || n == sizeof(target))
		return n < 0 ? (int)n : -ENAMETOOLONG;
	target[n] = '\0';
	return cr_symlink(p->to, p->name, target);
}

static dev_t device(const struct statx *stx)
{
	return makedev(stx->stx_rdev_major, stx->stx_rdev_minor);
}

static int copy_names(struct copy *c, struct file *from, struct file *to);

static int copy_dir(struct copy *c, const struct pair *p)
{
	struct file *from, *to;
	size_t before;
	int err = cr_mkdir(p->to, p->name, 0700);

	if (!err)
		err = cr_openat(p->from, p->name, READ_DIR, 0, &from);
	if (err)
		return err;
	err = cr_openat(p->to, p->name, READ_DIR, 0, &to);
	if (!err)
		err = path_push(c, p->name, &before);
	if (!err) {
		size_t slash;

		err = path_push(c, "/", &slash);
		if (!err)
			err = copy_names(c, from, to);
		path_pop(c, before);
	}
	cr_close(to);
	cr_close(from);
	return err;
}

static int copy_name(struct copy *c, const struct pair *p)
{
	struct statx stx;
	int err = cr_getattr(p->from, p->name, &stx);

	if (err)
		return err;
	if (!S_ISDIR(stx.stx_mode) && stx.stx_nlink > 1) {
		err = link_first(c, p, stx.stx_ino);
		if (err)
			return err > 0 ? 0 : err;
	}
	switch (stx.stx_mode & S_IFMT) {
	case S_IFDIR:
		err = copy_dir(c, p);
		break;
	case S_IFREG:
		err = copy_file(p, &stx);
		break;
	case S_IFLNK:
		err = copy_symlink(p);
		break;
	default:
		err = cr_mknod(p->to, p->name, (stx.stx_mode & S_IFMT) | 0600, device(&stx));
		break;
	}
	return err ? err : copy_attrs(p->from, p->to, p->name, &stx);
}

static int copy_names(struct copy *c, struct file *from, struct file *to)
{
	struct dirbuf buf = {.data = malloc(NAMES), .size = NAMES};
	struct dirent_view view;
	ssize_t n = 1;
	int err = buf.data ? 0 : -ENOMEM;

	while (!err && (n = cr_readdir(from, &buf)) > 0)
		while (!err && dirbuf_next(&buf, &view)) {
			const struct pair p = {from, to, view.name};

			err = copy_name(c, &p);
			if (err && !c->a->reason) {
				snprintf(c->a->reason_text, sizeof(c->a->reason_text),
					 "copying %.120s of the parent: %s", view.name,
					 strerror(-err));
				refuse(c->a, err, c->a->reason_text);
			}
		}
	free(buf.data);
	return err ? err : n < 0 ? (int)n : 0;
}

int copytree(struct apply *a, struct file *from, struct file *to)
{
	struct copy c = {.a = a, .top = to};
	struct first_name *first;
	struct file *again;
	struct statx stx;
	size_t before;
	/* Read anew: where @from was read to is not ours to move. */
	int err = cr_openat(from, ".", READ_DIR, 0, &again);

	if (err)
		return err;
	err = path_push(&c, "", &before);
	if (!err)
		err = copy_names(&c, again, to);
	if (!err)
		err = cr_getattr(from, NULL, &stx);
	if (!err)
		err = copy_attrs(from, to, NULL, &stx);
	cr_close(again);
	for (unsigned b = 0; b < BUCKETS; b++)
		while ((first = c.bucket[b])) {
			c.bucket[b] = first->next;
			free(first);
		}
	free(c.path);
	return err;
}

/* All names of a directory that is to go. */
static int remove_names(struct file *dir)
{
	char *data = malloc(NAMES);
	struct dirbuf buf = {.data = data, .size = NAMES};
	struct dirent_view view;
	ssize_t n = 1;
	int err = data ? 0 : -ENOMEM;

	while (!err && (n = cr_readdir(dir, &buf)) > 0)
		while (!err && dirbuf_next(&buf, &view))
			err = copytree_remove(dir, view.name);
	free(data);
	return err ? err : n < 0 ? (int)n : 0;
}

int copytree_remove(struct file *dir, const char *name)
{
	struct statx stx;
	struct file *sub;
	int err = cr_getattr(dir, name, &stx);

	if (err)
		return err == -ENOENT ? 0 : err;
	if (!S_ISDIR(stx.stx_mode))
		return cr_unlink(dir, name, 0);
	if (stx.stx_ino == SUBVOL_ROOT_INO && !cr_snap_destroy(dir, name))
		return 0;
	err = cr_openat(dir, name, READ_DIR, 0, &sub);
	if (err)
		return err;
	err = remove_names(sub);
	cr_close(sub);
	return err ? err : cr_unlink(dir, name, AT_REMOVEDIR);
}
