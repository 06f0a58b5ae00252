// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A subvolume grows in a directory with a temporary name and gets its own when
 * its last command has been done.  Names, attributes and dispatch are here,
 * contents in apply_data.c, the way to a file in place.c.
 */
#include "apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "lib/codec.h"

static int unserved(struct apply *a, const char *reason)
{
	a->reason = reason;
	return -EOPNOTSUPP;
}

static void forget(struct apply *a)
{
	cr_close(a->root);
	a->root = NULL;
	free(a->name);
	free(a->temp);
	a->name = a->temp = NULL;
}

/* Whole: what was written is heard of, then it gets its name. */
static int finish(struct apply *a)
{
	int err;

	if (!a->root)
		return 0;
	err = place_close(a);
	if (!err)
		err = cr_rename(a->target, a->temp, a->name, RENAME_NOREPLACE);
	if (err == -EINVAL || err == -EOPNOTSUPP) /* no such flag there; looked at in begin() */
		err = cr_rename(a->target, a->temp, a->name, 0);
	if (!err)
		forget(a);
	return err;
}

static int begin(struct apply *a, const struct stream_cmd *cmd)
{
	const char *name = stream_text(cmd, STREAM_A_PATH);
	struct statx stx;
	int err = finish(a);

	if (err)
		return err;
	if (strchr(name, '/'))
		return unserved(a, "a subvolume below another directory");
	if (!cr_getattr(a->target, name, &stx)) {
		a->reason = "the target has this name already";
		return -EEXIST;
	}
	a->name = strdup(name);
	if (!a->name || asprintf(&a->temp, ".%.200s.receiving", name) < 0) {
		free(a->name);
		a->name = a->temp = NULL;
		return -ENOMEM;
	}
	memcpy(a->uuid, cmd->at[STREAM_A_UUID].bytes.data, sizeof(a->uuid));
	err = cr_mkdir(a->target, a->temp, 0700);
	if (err == -EEXIST)
		a->reason = "what an earlier run has left stands in the way";
	if (!err)
		err = cr_openat(a->target, a->temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				0, &a->root);
	if (err) {
		a->root = NULL;
		forget(a);
	}
	return err;
}

static int make_file(struct file *dir, const char *name)
{
	struct file *file;
	int err = cr_openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600,
			    &file);

	return err ? err : cr_close(file);
}

/* The number is as the kernel gives it to user space: minor, major, more of minor. */
static int make_node(struct apply *a, struct file *dir, const char *name,
		     const struct stream_cmd *cmd)
{
	mode_t mode = (mode_t)stream_number(cmd, STREAM_A_MODE);
	uint64_t dev = stream_number(cmd, STREAM_A_RDEV);

	if ((S_ISBLK(mode) || S_ISCHR(mode)) && !a->devices)
		return unserved(a, "a device, which only --devices allows");
	if (!S_ISBLK(mode) && !S_ISCHR(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode)) {
		a->reason = "mknod of something else than a device, fifo or socket";
		return -EINVAL;
	}
	return cr_mknod(dir, name, (mode & S_IFMT) | 0600,
			makedev((dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)));
}

static int two_places(struct apply *a, const struct stream_cmd *cmd, struct file *dir,
		      const char *name)
{
	bool rename = cmd->id == STREAM_C_RENAME;
	const char *path = stream_text(cmd, rename ? STREAM_A_PATH_TO : STREAM_A_PATH_LINK);
	const char *other;
	struct file *there;
	int err = place_find(a, path, &there, &other);

	if (err)
		return err;
	err = rename ? cr_rename_to(dir, name, there, other, 0) : cr_link(there, other, dir, name);
	place_put(a, there);
	return err;
}

/* What btrfs keeps in these means nothing elsewhere. */
static int set_xattr(struct file *dir, const char *name, const struct stream_cmd *cmd)
{
	bool set = cmd->id == STREAM_C_SET_XATTR;
	const struct xattr x = {
		.key = stream_text(cmd, STREAM_A_XATTR_NAME),
		.value = set ? cmd->at[STREAM_A_XATTR_DATA].bytes.data : NULL,
		.len = set ? cmd->at[STREAM_A_XATTR_DATA].bytes.len : 0,
	};
	int err = cr_setxattr(dir, name, &x);

	return err == -EOPNOTSUPP && !strncmp(x.key, "btrfs.", 6) ? 0 : err;
}

static int set_attr(struct file *dir, const char *name, const struct stream_cmd *cmd)
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
	return cr_setattr(dir, name, &attr);
}

/* Commands about the name @name in @dir, or with NULL about the root. */
static int at_place(struct apply *a, const struct stream_cmd *cmd, struct file *dir,
		    const char *name)
{
	switch (cmd->id) {
	case STREAM_C_MKFILE:
		return make_file(dir, name);
	case STREAM_C_MKDIR:
		return cr_mkdir(dir, name, 0700);
	case STREAM_C_MKNOD:
		return make_node(a, dir, name, cmd);
	case STREAM_C_MKFIFO:
		return cr_mknod(dir, name, S_IFIFO | 0600, 0);
	case STREAM_C_MKSOCK:
		return cr_mknod(dir, name, S_IFSOCK | 0600, 0);
	case STREAM_C_SYMLINK:
		return cr_symlink(dir, name, stream_text(cmd, STREAM_A_PATH_LINK));
	case STREAM_C_RENAME:
	case STREAM_C_LINK:
		return two_places(a, cmd, dir, name);
	case STREAM_C_UNLINK:
		return cr_unlink(dir, name, 0);
	case STREAM_C_RMDIR:
		return cr_unlink(dir, name, AT_REMOVEDIR);
	case STREAM_C_SET_XATTR:
		return set_xattr(dir, name, cmd);
	case STREAM_C_CHMOD:
	case STREAM_C_CHOWN:
	case STREAM_C_UTIMES:
		return set_attr(dir, name, cmd);
	default:
		return unserved(a, "a command that this version does not serve");
	}
}

static int names_and_attributes(struct apply *a, const struct stream_cmd *cmd)
{
	struct file *dir;
	const char *name;
	int err = place_close(a); /* its times and names may be what changes */

	if (!err)
		err = place_find(a, stream_text(cmd, STREAM_A_PATH), &dir, &name);
	if (err)
		return err;
	err = at_place(a, cmd, dir, name);
	place_put(a, dir);
	return err;
}

int apply_command(struct apply *a, const struct stream_cmd *cmd)
{
	a->reason = NULL;
	switch (cmd->id) {
	case STREAM_C_SUBVOL:
		return begin(a, cmd);
	case STREAM_C_SNAPSHOT:
		return unserved(a, "an incremental stream, which this version does not serve");
	case STREAM_C_END:
		return finish(a);
	case STREAM_C_WRITE:
		return apply_write(a, cmd);
	case STREAM_C_ENCODED_WRITE:
		return apply_encoded(a, cmd);
	case STREAM_C_CLONE:
		return apply_clone(a, cmd);
	case STREAM_C_TRUNCATE:
		return apply_truncate(a, cmd);
	case STREAM_C_UPDATE_EXTENT:
		return unserved(a, "a stream without data, of which no files can be made");
	default:
		return names_and_attributes(a, cmd);
	}
}

void apply_end(struct apply *a)
{
	place_close(a);
	codec_ctx_free(a->codec);
	a->codec = NULL;
	if (a->root)
		forget(a);
}
