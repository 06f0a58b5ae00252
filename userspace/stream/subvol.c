// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A subvolume grows under a temporary name.  When all of it is done and on the disk
 * it is said what it was received from, it becomes read-only, and gets its name: in
 * this order, so that nothing looks whole before it is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "verify.h"

void subvol_forget(struct apply *a)
{
	tree_free(a->tree);
	a->tree = NULL;
	cr_close(a->root);
	a->root = NULL;
	free(a->name);
	free(a->temp);
	a->name = a->temp = NULL;
	a->renamed = false;
}

/* Attributes that were put off, children before their directories. ------------------- */

struct later {
	struct node *node;
	unsigned depth;
};

static int deeper(const void *a, const void *b)
{
	unsigned x = ((const struct later *)a)->depth, y = ((const struct later *)b)->depth;

	return (x < y) - (x > y);
}

static int set_later_flags(struct node *n)
{
	struct fileattr fa;
	struct file *file;
	int err = cr_openat(n->parent->file, n->name,
			    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0, &file);

	if (err)
		return err;
	err = cr_fileattr_get(file, &fa);
	fa.flags |= n->flags_put_off;
	if (!err)
		err = cr_fileattr_set(file, &fa);
	cr_close(file);
	return err == -EOPNOTSUPP || err == -EPERM ? 0 : err;
}

/* Of what an earlier run left it is looked here whether it is a directory. */
static int set_later(struct apply *a, struct node *n)
{
	struct file *dir = n->parent ? n->parent->file : a->root;
	const char *name = n->parent ? n->name : NULL;
	struct statx stx;
	int err = 0;

	if (n->put_off.valid) {
		err = cr_getattr(dir, name, &stx);
		if (!err && S_ISDIR(stx.stx_mode))
			err = cr_setattr(dir, name, &n->put_off);
		n->put_off.valid = 0;
	}
	if (!err && n->has_flags_put_off && n->flags_put_off && n->parent)
		err = set_later_flags(n);
	return err;
}

static int later_error(struct apply *a, struct node *n, int err)
{
	char path[128];

	node_path(n, path, sizeof(path));
	snprintf(a->reason_text, sizeof(a->reason_text), "%s (attributes of %.120s)",
		 strerror(-err), path);
	return refuse(a, err, a->reason_text);
}

int subvol_put_off(struct apply *a)
{
	unsigned most = tree_put_off_count(a->tree), n = 0;
	struct later *later = calloc(most + 1, sizeof(*later));
	struct node *node;
	int err = later ? queue_wait(a->queue, NULL) : -ENOMEM;

	while (!err && n < most && (node = tree_put_off_next(a->tree))) {
		later[n].node = node;
		for (struct node *up = node; up->parent; up = up->parent)
			later[n].depth++;
		n++;
	}
	if (n)
		qsort(later, n, sizeof(*later), deeper);
	for (unsigned i = 0; i < n && !err; i++) {
		node = later[i].node;
		if (node->parent)
			err = tree_open_dir(a->tree, node->parent);
		if (!err)
			err = set_later(a, node);
		if (err)
			err = later_error(a, node, err);
	}
	free(later);
	return err;
}

/* The end ---------------------------------------------------------------------------- */

static int close_files(struct apply *a)
{
	char path[128];
	int err = tree_trim(a->tree, 0, path, sizeof(path));

	if (!err)
		return 0;
	snprintf(a->reason_text, sizeof(a->reason_text), "closing %.120s: %s", path,
		 strerror(-err));
	return refuse(a, err, a->reason_text);
}

static int verify(struct apply *a)
{
	struct verify_result res;
	int err = verify_tree(a->verify, a->root, &res);

	if (err)
		return refuse(a, err, "cannot read back what was received");
	if (res.wrong) {
		snprintf(
			a->reason_text, sizeof(a->reason_text),
			"%llu ranges read back differ from the stream, the first at %llu of %.100s",
			(unsigned long long)res.wrong, (unsigned long long)res.pos, res.path);
		return refuse(a, -EIO, a->reason_text);
	}
	say(a, "verified %llu bytes in %llu files, %llu bytes changed later and were left out",
	    (unsigned long long)res.bytes, (unsigned long long)res.files,
	    (unsigned long long)res.skipped);
	return 0;
}

static int remember(struct apply *a)
{
	struct record r = {.ctransid = a->ctransid};

	record_of(&r, a->root);
	memcpy(r.uuid, a->uuid, sizeof(r.uuid));
	snprintf(r.name, sizeof(r.name), "%s", a->name);
	return record_write(a, &r);
}

/* An earlier run may have come as far as this. */
static bool is_sealed(struct apply *a)
{
	struct subvol_info info;

	return a->tolerant && a->subvolume && !cr_subvol_info(a->root, &info) &&
	       (info.flags & SUBVOL_RDONLY);
}

static int seal(struct apply *a)
{
	int err;

	if (!a->subvolume)
		return 0;
	err = cr_set_received_subvol(a->root, a->uuid, a->ctransid);
	if (err == -EPERM || err == -EACCES) {
		warn_user(a, "%s: cannot be marked as received without being root", a->name);
		err = remember(a);
	}
	return err ? err : cr_subvol_setflags(a->root, SUBVOL_RDONLY);
}

static int give_name(struct apply *a)
{
	int err = cr_rename(a->target, a->temp, a->name, RENAME_NOREPLACE);

	if (err == -EINVAL || err == -EOPNOTSUPP) /* no such flag there; looked at in begin */
		err = cr_rename(a->target, a->temp, a->name, 0);
	return err;
}

static int complete(struct apply *a)
{
	int err;

	if (is_sealed(a))
		return give_name(a);
	err = subvol_put_off(a);
	if (!err)
		err = close_files(a);
	if (!err && !a->subvolume && !a->o.partial)
		err = remember(a); /* counts only when the name is there, too */
	if (!err)
		err = cr_sync_fs(a->root);
	if (!err && a->verify)
		err = verify(a);
	if (!err)
		err = seal(a);
	return err ? err : give_name(a);
}

int subvol_finish(struct apply *a)
{
	int err;

	if (!a->name)
		return 0;
	err = queue_wait(a->queue, NULL);
	if (!err && !a->renamed)
		err = complete(a);
	if (err)
		return err;
	say(a, "%s is complete", a->name);
	state_subvol(a->state, 0, 0, "");
	checkpoint_drop(a);
	subvol_forget(a);
	return 0;
}

/* The beginning ---------------------------------------------------------------------- */

static int temp_name(struct apply *a, const char *name)
{
	const uint8_t *u = a->uuid;

	a->name = strdup(name);
	if (strlen(name) > 230 ? asprintf(&a->temp, ".%.200s.%02x%02x%02x%02x.receiving", name,
					  u[0], u[1], u[2], u[3]) < 0
			       : asprintf(&a->temp, ".%s.receiving", name) < 0)
		a->temp = NULL;
	return a->name && a->temp ? 0 : -ENOMEM;
}

static int take_names(struct apply *a, const struct stream_cmd *cmd)
{
	const char *name = stream_text(cmd, STREAM_A_PATH);

	if (strchr(name, '/'))
		return refuse(a, -EOPNOTSUPP, "a subvolume below another directory");
	if (!strcmp(name, RECEIVE_DIR))
		return refuse(a, -EINVAL, "this name is for what the receiver remembers");
	memcpy(a->uuid, cmd->at[STREAM_A_UUID].bytes.data, sizeof(a->uuid));
	a->ctransid = stream_number(cmd, STREAM_A_CTRANSID);
	a->incremental = cmd->id == STREAM_C_SNAPSHOT;
	return temp_name(a, name);
}

static int make_empty(struct apply *a, const char *name)
{
	int err = a->o.partial ? -EOPNOTSUPP : cr_subvol_create(a->target, name);

	return err == -EOPNOTSUPP ? cr_mkdir(a->target, name, 0700) : err;
}

static int open_dir(struct apply *a, const char *name, struct file **filep)
{
	return cr_openat(a->target, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0,
			 filep);
}

/* Where there are no snapshots: complete before it gets even its temporary name. */
static int copy_parent(struct apply *a, struct file *parent)
{
	struct file *copy;
	char name[300];
	int err;

	snprintf(name, sizeof(name), "%.240s.copy", a->temp);
	err = copytree_remove(a->target, name);
	if (!err)
		err = make_empty(a, name);
	if (!err)
		err = open_dir(a, name, &copy);
	if (err)
		return err;
	say(a, "copying the parent");
	err = copytree(a, parent, copy);
	cr_close(copy);
	return err ? err : cr_rename(a->target, name, a->temp, 0);
}

static int make_snapshot(struct apply *a, const struct stream_cmd *cmd)
{
	struct subvol_info info;
	struct file *parent;
	int err = parent_open(a, cmd->at[STREAM_A_CLONE_UUID].bytes.data,
			      stream_number(cmd, STREAM_A_CLONE_CTRANSID), &parent);

	if (err)
		return err;
	if (!cr_subvol_info(parent, &info) && cr_file_id(parent)->ino == SUBVOL_ROOT_INO)
		err = cr_snap_create(parent, a->target, a->temp, 0);
	else
		err = copy_parent(a, parent);
	cr_close(parent);
	return err;
}

static int open_root(struct apply *a)
{
	struct subvol_info info;
	int err = open_dir(a, a->temp, &a->root);

	if (err) {
		a->root = NULL;
		return err;
	}
	a->subvolume =
		!cr_subvol_info(a->root, &info) && cr_file_id(a->root)->ino == SUBVOL_ROOT_INO;
	a->tree = tree_new(a->root);
	return a->tree ? 0 : -ENOMEM;
}

static int make_root(struct apply *a, const struct stream_cmd *cmd)
{
	struct statx stx;
	int err;

	if (!cr_getattr(a->target, a->name, &stx))
		return refuse(a, -EEXIST, "the target has this name already");
	if (!cr_getattr(a->target, a->temp, &stx))
		return a->tolerant
			       ? 0
			       : refuse(a, -EEXIST,
					a->o.partial ? "what an earlier run has left stands in the "
						       "way: remove it"
						     : "what an earlier run has left stands in the "
						       "way: go on with --resume, or remove it");
	err = cmd->id == STREAM_C_SNAPSHOT ? make_snapshot(a, cmd) : make_empty(a, a->temp);
	return err;
}

int subvol_begin(struct apply *a, const struct stream_cmd *cmd)
{
	int err = subvol_finish(a);

	if (!err)
		err = take_names(a, cmd);
	if (!err)
		err = make_root(a, cmd);
	if (!err)
		err = open_root(a);
	if (err) {
		subvol_forget(a);
		return err;
	}
	say(a, "receiving %s", a->name);
	state_subvol(a->state, a->count, cr_file_id(a->root)->ino, a->temp);
	return 0;
}

int subvol_again(struct apply *a, const struct stream_cmd *cmd, uint64_t root_ino)
{
	struct file *done;
	int err = take_names(a, cmd);

	if (!err)
		err = open_root(a);
	if (err == -ENOENT && !open_dir(a, a->name, &done)) {
		if (cr_file_id(done)->ino == root_ino) {
			a->root = done;
			a->renamed = true;
			a->tree = tree_new(a->root);
			return a->tree ? 0 : -ENOMEM;
		}
		cr_close(done);
	}
	if (!err && cr_file_id(a->root)->ino != root_ino)
		err = refuse(a, -ESTALE, "what the earlier run has left was replaced");
	if (err)
		subvol_forget(a);
	else
		tree_keep_dirs(a->tree, true);
	return err;
}
