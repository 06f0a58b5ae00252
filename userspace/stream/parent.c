// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Subvolumes that were received before, by the uuid that the stream gives: that of
 * the one they were received from, or their own.  Where there is no way to ask
 * (no btrfs, not root), by the records that earlier runs have left.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "receive.h"

#define CANDIDATES 64u

/*
 * How well it fits.  A stream of a subvolume that was itself received names the
 * transaction on its own file system, so another one is no proof against it; but
 * one that can be written to may have changed.
 */
static unsigned fits(const struct subvol_info *info, enum subvol_uuid which, uint64_t ctransid)
{
	if ((which == SUBVOL_UUID ? info->ctransid : info->stransid) == ctransid)
		return 2;
	return info->flags & SUBVOL_RDONLY ? 1 : 0;
}

/* The best of those with this uuid; 0 and NULL when there is none. */
static int best_of(struct apply *a, enum subvol_uuid which, const uint8_t *uuid, uint64_t ctransid,
		   struct file **best)
{
	uint64_t ids[CANDIDATES];
	struct subvol_info info;
	struct file *file;
	unsigned most = 0;
	int n = cr_subvol_find(a->target, which, uuid, ids, CANDIDATES);

	*best = NULL;
	for (int i = 0; i < n; i++) {
		if (cr_subvol_open(a->target, ids[i], &file))
			continue;
		if (cr_subvol_info(file, &info) || fits(&info, which, ctransid) <= most) {
			cr_close(file);
			continue;
		}
		most = fits(&info, which, ctransid);
		cr_close(*best);
		*best = file;
	}
	return n < 0 ? n : 0;
}

static int by_record(struct apply *a, const uint8_t *uuid, struct file **rootp)
{
	struct record r;
	int err = record_read(a, uuid, &r);

	if (!err)
		err = cr_openat(a->target, r.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				0, rootp);
	if (err)
		return err;
	if (record_is_of(&r, *rootp))
		return 0;
	cr_close(*rootp);
	return -ENOENT;
}

/* Who may not ask the file system looks at the subvolumes in the target. */
static bool entry_is(struct apply *a, const char *name, const uint8_t *uuid, struct file **rootp)
{
	struct subvol_info info;

	if (cr_openat(a->target, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, rootp))
		return false;
	if (cr_file_id(*rootp)->ino == SUBVOL_ROOT_INO && !cr_subvol_info(*rootp, &info) &&
	    (info.flags & SUBVOL_RDONLY) &&
	    (!memcmp(info.received_uuid, uuid, 16) || !memcmp(info.uuid, uuid, 16)))
		return true;
	cr_close(*rootp);
	return false;
}

static int by_looking(struct apply *a, const uint8_t *uuid, struct file **rootp)
{
	char data[32768];
	struct dirbuf buf = {.data = data, .size = sizeof(data)};
	struct dirent_view view;
	struct file *dir;
	int err = cr_openat(a->target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &dir);
	bool found = false;

	if (err)
		return err;
	while (!found && cr_readdir(dir, &buf) > 0)
		while (!found && dirbuf_next(&buf, &view))
			found = entry_is(a, view.name, uuid, rootp);
	cr_close(dir);
	return found ? 0 : -ENOENT;
}

static int not_found(struct apply *a, const uint8_t *uuid)
{
	char text[UUID_TEXT];

	uuid_text(text, uuid);
	snprintf(a->reason_text, sizeof(a->reason_text),
		 "the subvolume it builds on was not received here: uuid %s", text);
	return refuse(a, -ENOENT, a->reason_text);
}

int parent_open(struct apply *a, const uint8_t *uuid, uint64_t ctransid, struct file **rootp)
{
	int err = best_of(a, SUBVOL_RECEIVED_UUID, uuid, ctransid, rootp);

	if (!err && !*rootp)
		err = best_of(a, SUBVOL_UUID, uuid, ctransid, rootp);
	if (!err && *rootp)
		return 0;
	if (!by_record(a, uuid, rootp))
		return 0;
	if (err == -EPERM && !by_looking(a, uuid, rootp))
		return 0;
	*rootp = NULL;
	return not_found(a, uuid);
}

static int source_root(struct apply *a, const struct stream_cmd *cmd, struct clone_source **sourcep)
{
	const uint8_t *uuid = cmd->at[STREAM_A_CLONE_UUID].bytes.data;
	struct clone_source *s;
	int err;

	for (s = a->sources; s; s = s->next)
		if (!memcmp(s->uuid, uuid, sizeof(s->uuid))) {
			*sourcep = s;
			return 0;
		}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	err = parent_open(a, uuid, stream_number(cmd, STREAM_A_CLONE_CTRANSID), &s->root);
	if (!err) {
		s->tree = tree_new(s->root);
		err = s->tree ? 0 : -ENOMEM;
	}
	if (err) {
		cr_close(s->root);
		free(s);
		return err;
	}
	memcpy(s->uuid, uuid, sizeof(s->uuid));
	s->next = a->sources;
	a->sources = s;
	*sourcep = s;
	return 0;
}

int source_open(struct apply *a, const struct stream_cmd *cmd, struct file **filep)
{
	struct clone_source *s;
	char path[8];
	struct statx stx;
	struct place at;
	int err = source_root(a, cmd, &s);

	*filep = NULL;
	if (!err)
		err = tree_trim(s->tree, TREE_OPEN / 4, path, sizeof(path));
	if (!err)
		err = tree_find(s->tree, stream_text(cmd, STREAM_A_CLONE_PATH), true, &at);
	if (!err)
		err = cr_getattr(at.dir->file, at.name, &stx);
	if (!err && !S_ISREG(stx.stx_mode))
		err = -EINVAL;
	if (!err)
		err = cr_openat(at.dir->file, at.name,
				O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0, filep);
	if (err && !a->reason)
		refuse(a, err, "cannot open what is to be cloned");
	return err;
}

void sources_close(struct apply *a)
{
	struct clone_source *s;

	while ((s = a->sources)) {
		a->sources = s->next;
		tree_free(s->tree);
		cr_close(s->root);
		free(s);
	}
}
