// SPDX-License-Identifier: GPL-2.0-or-later
/* names.c - what is made, moved and removed in folders. */
#include <errno.h>
#include <limits.h>

#include "ofs.h"

/* The top holds the rooms and nothing else. */
static bool at_top(fuse_req_t req, const struct node *dir)
{
	if (!dir)
		fuse_reply_err(req, EPERM);
	return !dir;
}

void ofs_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct node *node = node_of(ino);
	char text[PATH_MAX + 1];
	ssize_t n;

	if (!node) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	n = cr_readlink(node->file, cr_file_fd(node->file) >= 0 ? "" : NULL, text, PATH_MAX);
	if (n < 0) {
		fuse_reply_err(req, reply_error((int)n));
		return;
	}
	text[n] = '\0';
	fuse_reply_readlink(req, text);
}

void ofs_mknod(fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode, dev_t dev)
{
	struct node *dir = node_of(ino);
	int err;

	if (at_top(req, dir))
		return;
	ids_enter(req);
	err = cr_mknod(dir->file, name, ids_mode(req, dir, mode), dev);
	ids_leave(req);
	node_reply(req, dir, name, err);
}

void ofs_mkdir(fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode)
{
	struct node *dir = node_of(ino);
	int err;

	if (at_top(req, dir))
		return;
	ids_enter(req);
	err = cr_mkdir(dir->file, name, ids_mode(req, dir, mode));
	ids_leave(req);
	node_reply(req, dir, name, err);
}

void ofs_symlink(fuse_req_t req, const char *text, fuse_ino_t ino, const char *name)
{
	struct node *dir = node_of(ino);
	int err;

	if (at_top(req, dir))
		return;
	ids_enter(req);
	err = cr_symlink(dir->file, name, text);
	ids_leave(req);
	node_reply(req, dir, name, err);
}

void ofs_unlink(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct node *dir = node_of(ino);

	if (!at_top(req, dir))
		fuse_reply_err(req, reply_error(cr_unlink(dir->file, name, 0)));
}

void ofs_rmdir(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct node *dir = node_of(ino);

	if (!at_top(req, dir))
		fuse_reply_err(req, reply_error(cr_unlink(dir->file, name, AT_REMOVEDIR)));
}

void ofs_rename(fuse_req_t req, fuse_ino_t ino, const char *name, fuse_ino_t newino,
		const char *newname, unsigned flags)
{
	struct node *dir = node_of(ino), *to = node_of(newino);

	if (!at_top(req, dir && to ? dir : NULL))
		fuse_reply_err(
			req, reply_error(cr_rename_to(dir->file, name, to->file, newname, flags)));
}

void ofs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t dirino, const char *name)
{
	struct node *node = node_of(ino), *dir = node_of(dirino);

	if (at_top(req, node && dir ? dir : NULL))
		return;
	node_reply(req, dir, name, cr_link(node->file, NULL, dir->file, name));
}
