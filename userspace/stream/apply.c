// SPDX-License-Identifier: GPL-2.0-or-later
#include "apply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

int refuse(struct apply *a, int err, const char *reason)
{
	a->reason = reason;
	return err;
}

void say(struct apply *a, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!a->say)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	a->say(text);
}

void warn_user(struct apply *a, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	a->warn(text);
}

int apply_init(struct apply *a, struct file *target, struct stream_reader *reader)
{
	a->target = target;
	a->reader = reader;
	a->fsuid = geteuid();
	return queue_new(a, a->o.jobs) ? 0 : -ENOMEM;
}

/* With all that it points to; free() ends it. */
static struct stream_cmd *cmd_copy(const struct stream_cmd *cmd)
{
	struct stream_cmd *copy = malloc(sizeof(*copy) + cmd->len + 1);
	uint8_t *bytes = (uint8_t *)(copy + 1);

	if (!copy)
		return NULL;
	*copy = *cmd;
	memcpy(bytes, cmd->bytes, cmd->len);
	bytes[cmd->len] = '\0';
	copy->bytes = bytes;
	for (unsigned id = 1; id < STREAM_ATTRS; id++)
		if (stream_has(cmd, id))
			copy->at[id].bytes.data = bytes + (cmd->at[id].bytes.data - cmd->bytes);
	return copy;
}

static bool makes_name(const struct stream_cmd *cmd)
{
	return cmd->id >= STREAM_C_MKFILE && cmd->id <= STREAM_C_SYMLINK;
}

static bool begins_subvol(const struct stream_cmd *cmd)
{
	return cmd->id == STREAM_C_SUBVOL || cmd->id == STREAM_C_SNAPSHOT;
}

/* Commands within a subvolume. */
static int within(struct apply *a, const struct stream_cmd *cmd)
{
	switch (cmd->id) {
	case STREAM_C_MKFILE:
	case STREAM_C_MKDIR:
	case STREAM_C_MKNOD:
	case STREAM_C_MKFIFO:
	case STREAM_C_MKSOCK:
	case STREAM_C_SYMLINK:
		return names_make(a, cmd, stream_text(cmd, STREAM_A_PATH));
	case STREAM_C_RENAME:
		return names_rename(a, cmd);
	case STREAM_C_LINK:
		return names_link(a, cmd);
	case STREAM_C_UNLINK:
	case STREAM_C_RMDIR:
		return names_remove(a, cmd);
	case STREAM_C_SET_XATTR:
	case STREAM_C_REMOVE_XATTR:
		return inode_xattr(a, cmd);
	case STREAM_C_CHMOD:
	case STREAM_C_CHOWN:
	case STREAM_C_UTIMES:
		return inode_attr(a, cmd);
	case STREAM_C_FILEATTR:
		return inode_flags(a, cmd);
	case STREAM_C_ENABLE_VERITY:
		return inode_verity(a, cmd);
	case STREAM_C_UPDATE_EXTENT:
		return refuse(a, -EOPNOTSUPP,
			      "a stream without data, of which no files can be made");
	default:
		return content_op(a, cmd);
	}
}

static int run(struct apply *a, const struct stream_cmd *cmd)
{
	char path[256];
	int err;

	if (begins_subvol(cmd))
		return subvol_begin(a, cmd);
	if (cmd->id == STREAM_C_END)
		return subvol_finish(a);
	if (!a->tree)
		return refuse(a, -EINVAL, "it belongs to no subvolume");
	err = within(a, cmd);
	if (err || a->skim)
		return err;
	err = tree_trim(a->tree, TREE_OPEN, path, sizeof(path));
	if (err) {
		snprintf(a->reason_text, sizeof(a->reason_text), "closing %.150s: %s", path,
			 strerror(-err));
		a->reason = a->reason_text;
	}
	return err;
}

static void forget_make(struct apply *a)
{
	free(a->make);
	a->make = NULL;
}

/* Under the name that it has. */
static int flush_make(struct apply *a)
{
	uint64_t now = a->count;
	int err;

	if (!a->make)
		return 0;
	a->count = a->make_count;
	a->tolerant = a->count <= a->resume.begun;
	state_begun(a->state, a->count);
	err = run(a, a->make);
	a->make_failed = err != 0;
	if (err)
		return err;
	state_done(a->state, a->count, a->make_hash);
	a->count = now;
	forget_make(a);
	return 0;
}

/* An earlier run that was cut off either held it back, too, or gave it this name at once. */
static bool renames_make(const struct apply *a, const struct stream_cmd *cmd)
{
	if (cmd->id != STREAM_C_RENAME || !a->make)
		return false;
	if (a->make_count <= a->resume.begun && a->count > a->resume.begun)
		return false;
	return !strcmp(stream_text(cmd, STREAM_A_PATH), stream_text(a->make, STREAM_A_PATH));
}

/* What is there already must be replaced by a rename. */
static int make_renamed(struct apply *a, const struct stream_cmd *cmd)
{
	int err;

	a->tolerant = a->make_count <= a->resume.begun;
	state_begun(a->state, a->count);
	err = names_make(a, a->make, stream_text(cmd, STREAM_A_PATH_TO));
	a->make_failed = err && (err != -EEXIST || a->tolerant);
	if (!err)
		forget_make(a);
	if (!err || a->make_failed)
		return err;
	a->reason = NULL;
	err = flush_make(a);
	if (err)
		return err;
	state_begun(a->state, a->count);
	return names_rename(a, cmd);
}

/* One of the commands that the earlier run had under way, kept until the stream is known. */
static bool was_under_way(const struct apply *a, uint64_t count)
{
	for (unsigned i = 0; i < STATE_SLOTS; i++)
		if (a->resume.slots[i] == count)
			return true;
	return false;
}

struct again {
	struct stream_cmd *cmd;
	uint64_t count;
	struct again *next;
};

static int keep_again(struct apply *a, const struct stream_cmd *cmd)
{
	struct again *again = malloc(sizeof(*again)), **at = &a->again;

	if (!again)
		return -ENOMEM;
	*again = (struct again){.cmd = cmd_copy(cmd), .count = a->count};
	if (!again->cmd) {
		free(again);
		return -ENOMEM;
	}
	while (*at)
		at = &(*at)->next;
	*at = again;
	return 0;
}

static void forget_again(struct apply *a)
{
	struct again *again;

	while ((again = a->again)) {
		a->again = again->next;
		free(again->cmd);
		free(again);
	}
}

/* The stream is the same one so far: what was under way is done now, in its order. */
static int do_again(struct apply *a)
{
	uint64_t now = a->count;
	int err = 0;

	a->tolerant = true;
	if (a->tree)
		tree_keep_dirs(a->tree, false);
	for (struct again *again = a->again; again && !err; again = again->next) {
		a->count = again->count;
		err = run(a, again->cmd);
		/* Its bytes are ours, and not the reader's. */
		if (!err)
			err = queue_wait(a->queue, NULL);
		if (!err)
			state_forget(a->state, again->count);
	}
	if (err)
		return err;
	a->count = now;
	forget_again(a);
	return 0;
}

/* A command that the earlier run has done. */
static int skim(struct apply *a, const struct stream_cmd *cmd, uint64_t hash)
{
	int err = 0;

	if (a->count == a->resume.subvol)
		err = subvol_again(a, cmd, a->resume.root_ino);
	else if (a->tree && !begins_subvol(cmd) && cmd->id != STREAM_C_END)
		err = was_under_way(a, a->count) ? keep_again(a, cmd) : 0;
	if (!err && a->tree && a->count != a->resume.subvol && !begins_subvol(cmd) &&
	    cmd->id != STREAM_C_END && !was_under_way(a, a->count)) {
		a->skim = true;
		err = within(a, cmd);
		a->skim = false;
	}
	if (err || a->count < a->resume.done)
		return err;
	if (hash != a->resume.hash)
		return refuse(a, -EUCLEAN,
			      "up to here this is not the stream that the earlier run received");
	return do_again(a);
}

int apply_command(struct apply *a, const struct stream_cmd *cmd)
{
	uint64_t hash;
	int err = 0;

	a->reason = NULL;
	a->count++;
	if (a->count == 1 && begins_subvol(cmd))
		err = apply_begin_state(a, stream_text(cmd, STREAM_A_PATH));
	if (err)
		return err;
	hash = state_command(a->state, cmd);
	if (a->count <= a->resume.done)
		return skim(a, cmd, hash);
	if (renames_make(a, cmd)) {
		err = make_renamed(a, cmd);
	} else {
		err = flush_make(a);
		if (!err && makes_name(cmd) && a->tree) {
			a->make = cmd_copy(cmd);
			a->make_count = a->count;
			a->make_hash = hash;
			return a->make ? 0 : -ENOMEM;
		}
		a->tolerant = a->count <= a->resume.begun;
		if (!err)
			state_begun(a->state, a->count);
		if (!err)
			err = run(a, cmd);
	}
	if (!err && a->tolerant) {
		err = queue_wait(a->queue, NULL);
		if (!err)
			state_forget(a->state, a->count);
	}
	if (!err)
		state_done(a->state, a->count, hash);
	return err;
}

int apply_part(struct apply *a, const struct stream_cmd *cmd)
{
	a->reason = NULL;
	return run(a, cmd);
}

int apply_settle(struct apply *a)
{
	return queue_wait(a->queue, NULL);
}

void apply_end(struct apply *a)
{
	queue_free(a->queue);
	a->queue = NULL;
	forget_make(a);
	forget_again(a);
	subvol_forget(a);
	sources_close(a);
	state_free(a->state);
	a->state = NULL;
	free(a->checkpoint);
	a->checkpoint = NULL;
}
