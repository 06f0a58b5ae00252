// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attributes.  Those of a file that is open are ops behind its data; others are set
 * at once, by name.  Times of a directory change with everything made in it, so the
 * last ones are set at the end; flags that forbid changes are, too.
 */
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"

#define PUT_OFF_MOST 65536u

static struct iattr attr_of(const struct stream_cmd *cmd)
{
	struct iattr attr = {0};

	if (cmd->id == STREAM_C_CHMOD) {
		attr.valid = ATTR_MODE;
		attr.mode = (mode_t)stream_number(cmd, STREAM_A_MODE) & 07777;
	} else if (cmd->id == STREAM_C_CHOWN) {
		attr.valid = ATTR_OWNER;
		attr.uid = (uid_t)stream_number(cmd, STREAM_A_UID);
		attr.gid = (gid_t)stream_number(cmd, STREAM_A_GID);
	} else {
		attr.valid = ATTR_TIMES;
		attr.atime = cmd->at[STREAM_A_ATIME].time;
		attr.mtime = cmd->at[STREAM_A_MTIME].time;
	}
	return attr;
}

static struct op *op_new(struct apply *a, const struct stream_cmd *cmd, struct node *node)
{
	struct op *op = calloc(1, sizeof(*op));

	if (!op)
		return NULL;
	op->id = cmd->id;
	op->command = a->count;
	op->offset = cmd->offset;
	op->to = (struct use){.node = node, .end = UINT64_MAX, .write = true};
	return op;
}

static bool open_file(const struct place *at)
{
	return at->node && at->node->kind == NODE_FILE && at->node->file;
}

/* Behind what is under way for an open file. */
static int attr_op(struct apply *a, const struct stream_cmd *cmd, struct node *node)
{
	const struct iattr attr = attr_of(cmd);
	struct op *op;

	if (attr.valid == ATTR_OWNER && node->owner_known && node->uid == attr.uid &&
	    node->gid == attr.gid)
		return 0;
	if (attr.valid != ATTR_TIMES)
		node->owner_known = false;
	op = op_new(a, cmd, node);
	if (!op)
		return -ENOMEM;
	op->attr = attr;
	return queue_add(a->queue, op, true);
}

/*
 * Who is not root could not go on in a directory without rights in it: it gets
 * them until the end.
 */
static int dir_attr(struct apply *a, struct place *at, struct iattr attr)
{
	if (attr.valid == ATTR_TIMES ||
	    (attr.valid == ATTR_MODE && a->fsuid && (attr.mode & 0700) != 0700))
		tree_put_off(a->tree, at->node, &attr);
	if (attr.valid == ATTR_TIMES || a->skim)
		return tree_put_off_count(a->tree) > PUT_OFF_MOST && !a->skim ? subvol_put_off(a)
									      : 0;
	if (attr.valid == ATTR_MODE && a->fsuid)
		attr.mode |= 0700;
	return cr_setattr(at->dir->file, at->name, &attr);
}

/* Whether it is a directory, which then has a node. */
static int is_dir(struct apply *a, struct place *at, bool *dir)
{
	struct statx stx;
	int err;

	if (at->node && at->node->kind != NODE_UNKNOWN) {
		*dir = at->node->kind == NODE_DIR;
		return 0;
	}
	err = cr_getattr(at->dir->file, at->name, &stx);
	if (err)
		return err;
	*dir = S_ISDIR(stx.stx_mode);
	if (*dir && !at->node && !tree_add(a->tree, at, NODE_DIR))
		return -ENOMEM;
	if (*dir)
		at->node->kind = NODE_DIR;
	return 0;
}

/*
 * What an earlier run had put off.  Of an incremental stream it is not known yet
 * what is a directory: subvol_put_off() looks.
 */
static int skim_attr(struct apply *a, struct place *at, const struct stream_cmd *cmd)
{
	if (cmd->id == STREAM_C_CHOWN || (cmd->id == STREAM_C_CHMOD && !a->fsuid))
		return 0;
	if (!at->node && !a->incremental)
		return 0;
	if (!at->node && !tree_add(a->tree, at, NODE_UNKNOWN))
		return -ENOMEM;
	return dir_attr(a, at, attr_of(cmd));
}

int inode_attr(struct apply *a, const struct stream_cmd *cmd)
{
	struct iattr attr = attr_of(cmd);
	struct place at;
	bool dir;
	int err = tree_find(a->tree, stream_text(cmd, STREAM_A_PATH), !a->skim, &at);

	if (err)
		return err;
	if (a->skim)
		return skim_attr(a, &at, cmd);
	if (open_file(&at))
		return attr_op(a, cmd, at.node);
	err = is_dir(a, &at, &dir);
	if (err)
		return err;
	return dir ? dir_attr(a, &at, attr) : cr_setattr(at.dir->file, at.name, &attr);
}

/* What btrfs keeps in these means nothing elsewhere. */
static int xattr_result(struct apply *a, const char *key, int err)
{
	if (err == -ENODATA && a->tolerant)
		return 0;
	if (err != -EOPNOTSUPP || strncmp(key, "btrfs.", 6) != 0)
		return err;
	a->counts.xattrs_left_out++;
	return 0;
}

static int set_xattr(struct apply *a, struct place *at, const struct xattr *x, bool set)
{
	int err = set ? cr_setxattr(at->dir->file, at->name, x)
		      : cr_removexattr(at->dir->file, at->name, x->key);

	return xattr_result(a, x->key, err);
}

static int xattr_op(struct apply *a, const struct stream_cmd *cmd, struct node *node,
		    const struct xattr *x)
{
	size_t len = strlen(x->key) + 1;
	struct op *op = op_new(a, cmd, node);

	node->owner_known = false;
	if (op)
		op->name = malloc(len + x->len);
	if (!op || !op->name) {
		free(op);
		return -ENOMEM;
	}
	memcpy(op->name, x->key, len);
	if (x->len)
		memcpy(op->name + len, x->value, x->len);
	op->bytes = (struct stream_bytes){(uint8_t *)op->name + len, x->len};
	op->number = a->tolerant;
	return queue_add(a->queue, op, true);
}

int inode_xattr(struct apply *a, const struct stream_cmd *cmd)
{
	bool set = cmd->id == STREAM_C_SET_XATTR;
	const struct xattr x = {
		.key = stream_text(cmd, STREAM_A_XATTR_NAME),
		.value = set ? cmd->at[STREAM_A_XATTR_DATA].bytes.data : NULL,
		.len = set ? cmd->at[STREAM_A_XATTR_DATA].bytes.len : 0,
	};
	struct place at;
	int err;

	if (a->skim)
		return 0;
	err = tree_find(a->tree, stream_text(cmd, STREAM_A_PATH), true, &at);
	if (err)
		return err;
	return open_file(&at) ? xattr_op(a, cmd, at.node, &x) : set_xattr(a, &at, &x, set);
}

/* BTRFS_INODE_* of include/uapi/linux/btrfs_tree.h, and what chattr(1) calls them. */
static const struct {
	uint32_t btrfs, fs;
} flag_rows[] = {
	{1u << 1, FS_NOCOW_FL},	    {1u << 3, FS_NOCOMP_FL},   {1u << 5, FS_SYNC_FL},
	{1u << 6, FS_IMMUTABLE_FL}, {1u << 7, FS_APPEND_FL},   {1u << 8, FS_NODUMP_FL},
	{1u << 9, FS_NOATIME_FL},   {1u << 10, FS_DIRSYNC_FL}, {1u << 11, FS_COMPR_FL},
};

#define FLAGS_THAT_FORBID ((uint32_t)(FS_IMMUTABLE_FL | FS_APPEND_FL))

static uint32_t flags_of(uint64_t btrfs)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < sizeof(flag_rows) / sizeof(flag_rows[0]); i++)
		if (btrfs & flag_rows[i].btrfs)
			flags |= flag_rows[i].fs;
	return flags;
}

/* Opened for this alone, so nothing is waited for but what is under way. */
static int flags_file(struct apply *a, struct place *at, struct file **filep)
{
	struct statx stx;
	int err = at->node ? queue_wait(a->queue, at->node) : 0;

	*filep = NULL;
	if (!err)
		err = cr_getattr(at->dir->file, at->name, &stx);
	if (err)
		return err;
	if (!S_ISREG(stx.stx_mode) && !S_ISDIR(stx.stx_mode))
		return 0;
	return cr_openat(at->dir->file, at->name ? at->name : ".",
			 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0, filep);
}

/* What the file system does not have is left out, and told with -v. */
static int set_flags(struct apply *a, struct file *file, const char *path, uint32_t flags)
{
	struct fileattr fa;
	int err = cr_fileattr_get(file, &fa);

	if (!err && (fa.flags & flags_of(UINT64_MAX)) == flags)
		return 0;
	fa.flags = (fa.flags & ~flags_of(UINT64_MAX)) | flags;
	if (!err)
		err = cr_fileattr_set(file, &fa);
	if (err != -EOPNOTSUPP && err != -EINVAL && err != -EPERM)
		return err;
	a->counts.flags_left_out++;
	say(a, "inode flags %#x cannot be set here: %s", flags, path);
	return 0;
}

int inode_flags(struct apply *a, const struct stream_cmd *cmd)
{
	uint32_t flags = flags_of(stream_number(cmd, STREAM_A_FILEATTR));
	const char *path = stream_text(cmd, STREAM_A_PATH);
	bool later = flags & FLAGS_THAT_FORBID;
	struct place at;
	struct file *file;
	int err = tree_find(a->tree, path, !a->skim, &at);

	if (!err && (later || (at.node && at.node->has_flags_put_off))) {
		if (!at.node && !tree_add(a->tree, &at, NODE_UNKNOWN))
			return -ENOMEM;
		tree_put_off_flags(a->tree, at.node, flags);
	}
	if (err || a->skim)
		return err;
	err = flags_file(a, &at, &file);
	if (!err && file)
		err = set_flags(a, file, path, flags & ~FLAGS_THAT_FORBID);
	cr_close(file);
	return err;
}

/* Nobody may have the file open for writing: it is opened anew. */
int inode_verity(struct apply *a, const struct stream_cmd *cmd)
{
	const struct stream_value *v = cmd->at;
	const struct verity_descriptor desc = {
		.hash_algorithm = (uint32_t)stream_number(cmd, STREAM_A_VERITY_ALGORITHM),
		.block_size = (uint32_t)stream_number(cmd, STREAM_A_VERITY_BLOCK_SIZE),
		.salt = {(void *)(uintptr_t)v[STREAM_A_VERITY_SALT_DATA].bytes.data,
			 v[STREAM_A_VERITY_SALT_DATA].bytes.len},
		.signature = {(void *)(uintptr_t)v[STREAM_A_VERITY_SIG_DATA].bytes.data,
			      v[STREAM_A_VERITY_SIG_DATA].bytes.len},
	};
	struct file *file = NULL;
	struct place at;
	int err;

	if (a->skim)
		return 0;
	err = tree_find(a->tree, stream_text(cmd, STREAM_A_PATH), true, &at);
	if (!err)
		err = flags_file(a, &at, &file);
	if (!err && at.node)
		err = tree_close(a->tree, at.node);
	if (!err)
		err = file ? cr_enable_verity(file, &desc) : -EINVAL;
	cr_close(file);
	if (err == -EEXIST && a->tolerant)
		return 0;
	if (err == -EOPNOTSUPP)
		refuse(a, err, "fs-verity, which this file system does not have");
	return err;
}
