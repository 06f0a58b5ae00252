// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names made, moved and removed: by the dispatcher alone, at once, in the order of
 * the stream.  A name that ops are under way for stays until they are over, so
 * that a path of the stream means the same file when an op is done again.
 */
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "apply.h"

/* An earlier run may have made it: then it is of this kind. */
static int made_before(struct apply *a, struct place *at, mode_t type)
{
	struct statx stx;
	int err = cr_getattr(at->dir->file, at->name, &stx);

	if (err)
		return err;
	return (stx.stx_mode & S_IFMT) == type ? 0 : -EEXIST;
}

static int open_made(struct apply *a, struct place *at, int how, struct file **filep)
{
	return cr_openat(at->dir->file, at->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | how, 0600,
			 filep);
}

/* The file stays open, because what it gets comes next. */
static int make_file(struct apply *a, struct place *at)
{
	struct file *file;
	struct statx stx;
	int err = open_made(a, at, O_CREAT | O_EXCL, &file);

	if (err == -EEXIST && a->tolerant && !made_before(a, at, S_IFREG))
		err = open_made(a, at, O_NONBLOCK, &file);
	if (err)
		return err;
	if (at->node)
		tree_remove(a->tree, at->node);
	if (!tree_add(a->tree, at, NODE_FILE)) {
		cr_close(file);
		return -ENOMEM;
	}
	tree_opened(a->tree, at->node, file);
	if (!cr_getattr(file, NULL, &stx)) {
		at->node->owner_known = true;
		at->node->uid = stx.stx_uid;
		at->node->gid = stx.stx_gid;
		at->node->ino = stx.stx_ino;
	}
	a->counts.files++;
	return 0;
}

static int make_dir(struct apply *a, struct place *at)
{
	int err = a->skim ? 0 : cr_mkdir(at->dir->file, at->name, 0700);

	if (err == -EEXIST && a->tolerant)
		err = made_before(a, at, S_IFDIR);
	if (err)
		return err;
	if (at->node)
		tree_remove(a->tree, at->node);
	return tree_add(a->tree, at, NODE_DIR) ? 0 : -ENOMEM;
}

/* The number is as the kernel gives it to user space: minor, major, more of minor. */
static dev_t device(const struct stream_cmd *cmd)
{
	uint64_t dev = stream_number(cmd, STREAM_A_RDEV);

	return makedev((dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00));
}

static int make_node(struct apply *a, struct place *at, const struct stream_cmd *cmd)
{
	mode_t mode = cmd->id == STREAM_C_MKFIFO   ? S_IFIFO
		      : cmd->id == STREAM_C_MKSOCK ? S_IFSOCK
						   : stream_number(cmd, STREAM_A_MODE) & S_IFMT;
	bool is_device = S_ISBLK(mode) || S_ISCHR(mode);
	int err;

	if (is_device && !a->o.devices)
		return refuse(a, -EOPNOTSUPP, "a device, which only --devices allows");
	if (!is_device && !S_ISFIFO(mode) && !S_ISSOCK(mode))
		return refuse(a, -EINVAL, "mknod of something else than a device, fifo or socket");
	err = cr_mknod(at->dir->file, at->name, mode | 0600, is_device ? device(cmd) : 0);
	if (err == -EEXIST && a->tolerant)
		err = made_before(a, at, mode);
	return err;
}

static int make_symlink(struct apply *a, struct place *at, const struct stream_cmd *cmd)
{
	int err = cr_symlink(at->dir->file, at->name, stream_text(cmd, STREAM_A_PATH_LINK));

	if (err == -EEXIST && a->tolerant)
		err = made_before(a, at, S_IFLNK);
	return err;
}

int names_make(struct apply *a, const struct stream_cmd *cmd, const char *path)
{
	struct place at;
	int err = tree_find(a->tree, path, !a->skim, &at);

	if (err)
		return err;
	if (cmd->id == STREAM_C_MKDIR)
		return make_dir(a, &at);
	if (a->skim)
		return 0;
	switch (cmd->id) {
	case STREAM_C_MKFILE:
		return make_file(a, &at);
	case STREAM_C_SYMLINK:
		err = make_symlink(a, &at, cmd);
		break;
	default:
		err = make_node(a, &at, cmd);
		break;
	}
	if (!err && at.node) /* of something that was there before */
		tree_remove(a->tree, at.node);
	return err;
}

/* Nothing is under way for @node or below it. */
static int settled(struct apply *a, struct node *node)
{
	if (!node)
		return 0;
	if (node->children || node->kind != NODE_FILE)
		return queue_wait(a->queue, NULL);
	return queue_wait(a->queue, node);
}

/* What the stream renames is known as it was before. */
static int skim_rename(struct apply *a, const struct stream_cmd *cmd, struct place *from)
{
	struct place to;
	int err = tree_find(a->tree, stream_text(cmd, STREAM_A_PATH_TO), false, &to);

	return err ? err : tree_move(a->tree, from, &to);
}

/* -ENOENT: an earlier run did it, and then the other name is there. */
static int renamed_before(struct apply *a, struct place *to)
{
	struct statx stx;

	return cr_getattr(to->dir->file, to->name, &stx);
}

int names_rename(struct apply *a, const struct stream_cmd *cmd)
{
	struct place from, to;
	int err = tree_find(a->tree, stream_text(cmd, STREAM_A_PATH), !a->skim, &from);

	if (err)
		return err;
	if (a->skim)
		return skim_rename(a, cmd, &from);
	err = tree_find(a->tree, stream_text(cmd, STREAM_A_PATH_TO), true, &to);
	if (!err)
		err = settled(a, from.node);
	if (!err)
		err = settled(a, to.node);
	if (err)
		return err;
	if (from.node && tree_below(to.dir, from.node))
		return refuse(a, -EINVAL, "a directory cannot move into itself");
	err = cr_rename_to(from.dir->file, from.name, to.dir->file, to.name, 0);
	if (err == -ENOENT && a->tolerant)
		err = renamed_before(a, &to);
	return err ? err : tree_move(a->tree, &from, &to);
}

static int linked_before(struct place *old, struct place *at)
{
	struct statx a, b;
	int err = cr_getattr(old->dir->file, old->name, &a);

	if (!err)
		err = cr_getattr(at->dir->file, at->name, &b);
	return err ? err : a.stx_ino == b.stx_ino ? 0 : -EEXIST;
}

int names_link(struct apply *a, const struct stream_cmd *cmd)
{
	struct place old, at;
	int err;

	if (a->skim)
		return 0;
	err = tree_find(a->tree, stream_text(cmd, STREAM_A_PATH_LINK), true, &old);
	if (!err && !old.name)
		err = refuse(a, -EINVAL, "a link to the subvolume itself");
	if (!err)
		err = tree_find(a->tree, stream_text(cmd, STREAM_A_PATH), true, &at);
	if (!err)
		err = settled(a, old.node);
	if (err)
		return err;
	if (old.node)
		old.node->shared = true;
	err = cr_link(old.dir->file, old.name, at.dir->file, at.name);
	if (err == -EEXIST && a->tolerant)
		err = linked_before(&old, &at);
	if (!err && at.node)
		tree_remove(a->tree, at.node);
	return err;
}

int names_remove(struct apply *a, const struct stream_cmd *cmd)
{
	int flags = cmd->id == STREAM_C_RMDIR ? AT_REMOVEDIR : 0;
	struct place at;
	int err = tree_find(a->tree, stream_text(cmd, STREAM_A_PATH), !a->skim, &at);

	if (!err && !a->skim)
		err = settled(a, at.node);
	if (err)
		return err;
	if (!a->skim)
		err = cr_unlink(at.dir->file, at.name, flags);
	if (err == -ENOENT && a->tolerant)
		err = 0;
	if (!err && at.node)
		tree_remove(a->tree, at.node);
	return err;
}
