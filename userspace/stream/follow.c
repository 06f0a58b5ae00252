// SPDX-License-Identifier: GPL-2.0-or-later
#include "follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 1024u

static int refused(struct follow *f, int err, const char *reason)
{
	f->reason = reason;
	return err;
}

static struct follow_name **bucket_of(struct follow *f, const struct followed *dir,
				      const char *text, size_t len)
{
	uint64_t h = dir->number * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return &f->bucket[(h ^ h >> 29) % f->buckets];
}

static struct follow_name *lookup(struct follow *f, const struct followed *dir, const char *text,
				  size_t len)
{
	struct follow_name *n = *bucket_of(f, dir, text, len);

	while (n && (n->dir != dir || n->len != len || memcmp(n->text, text, len) != 0))
		n = n->hash_next;
	return n;
}

/* Twice as many, when there are as many names. */
static int grow(struct follow *f)
{
	size_t old_buckets = f->buckets;
	struct follow_name **old = f->bucket, *n;

	if (f->names < f->buckets)
		return 0;
	f->buckets = old_buckets ? 2 * old_buckets : FIRST_BUCKETS;
	f->bucket = calloc(f->buckets, sizeof(*f->bucket));
	if (!f->bucket) {
		f->bucket = old;
		f->buckets = old_buckets;
		return -ENOMEM;
	}
	for (size_t i = 0; i < old_buckets; i++)
		while ((n = old[i])) {
			struct follow_name **at = bucket_of(f, n->dir, n->text, n->len);

			old[i] = n->hash_next;
			n->hash_next = *at;
			*at = n;
		}
	free(old);
	return 0;
}

static bool is_dir(const struct followed *file)
{
	return file->made_by == STREAM_C_MKDIR || file->made_by == STREAM_C_SUBVOL;
}

static int name_add(struct follow *f, struct followed *dir, const char *text, struct followed *of)
{
	size_t len = strlen(text);
	struct follow_name *n = malloc(sizeof(*n) + len + 1), **at;
	int err = n ? grow(f) : -ENOMEM;

	if (err) {
		free(n);
		return err;
	}
	*n = (struct follow_name){.dir = dir, .of = of, .len = len, .next = of->names};
	memcpy(n->text, text, len + 1);
	at = bucket_of(f, dir, text, len);
	n->hash_next = *at;
	*at = n;
	of->names = n;
	dir->children++;
	f->names++;
	return 0;
}

static void name_remove(struct follow *f, struct follow_name *n)
{
	struct follow_name **at = bucket_of(f, n->dir, n->text, n->len);

	while (*at != n)
		at = &(*at)->hash_next;
	*at = n->hash_next;
	at = &n->of->names;
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	n->dir->children--;
	f->names--;
	free(n);
}

/* The directory of a path, and where its last component begins; NULL: none. */
static struct followed *find_dir(struct follow *f, const char **path)
{
	struct followed *dir = f->root;
	struct follow_name *n;
	const char *slash;

	while (dir && (slash = strchr(*path, '/'))) {
		n = f->names ? lookup(f, dir, *path, (size_t)(slash - *path)) : NULL;
		dir = n && is_dir(n->of) ? n->of : NULL;
		*path = slash + 1;
	}
	return dir;
}

static struct follow_name *find_name(struct follow *f, const char *path)
{
	struct followed *dir = find_dir(f, &path);

	return dir && *path && f->names ? lookup(f, dir, path, strlen(path)) : NULL;
}

struct followed *follow_find(struct follow *f, const char *path)
{
	struct follow_name *n;

	if (!*path)
		return f->root;
	n = find_name(f, path);
	return n ? n->of : NULL;
}

static struct followed *followed_new(struct follow *f, enum stream_cmd_id made_by)
{
	struct followed *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->number = ++f->made;
	file->made_by = made_by;
	if (f->last)
		f->last->next = file;
	f->last = file;
	return file;
}

static void followed_free(struct followed *file)
{
	struct follow_source *s;
	struct follow_name *n;

	while ((s = file->sources)) {
		file->sources = s->next;
		free(s);
	}
	while ((n = file->names)) {
		file->names = n->next;
		free(n);
	}
	free(file);
}

void follow_end(struct follow *f)
{
	struct followed *file;

	while ((file = f->root)) {
		f->root = file->next;
		followed_free(file);
	}
	f->last = NULL;
	free(f->bucket);
	f->bucket = NULL;
	f->buckets = f->names = 0;
}

static int begin(struct follow *f, const struct stream_cmd *cmd)
{
	follow_end(f);
	if (cmd->id == STREAM_C_SNAPSHOT)
		return refused(f, -EOPNOTSUPP,
			       "an incremental stream has only what has changed, and single files "
			       "come out of full ones: receive it whole, where its parent is");
	memcpy(f->uuid, cmd->at[STREAM_A_UUID].bytes.data, sizeof(f->uuid));
	f->root = followed_new(f, STREAM_C_SUBVOL);
	return f->root ? 0 : -ENOMEM;
}

static int make(struct follow *f, const struct stream_cmd *cmd, struct followed **of)
{
	const char *path = stream_text(cmd, STREAM_A_PATH);
	struct followed *dir = find_dir(f, &path);

	if (!dir)
		return -ENOENT;
	if (f->names && lookup(f, dir, path, strlen(path)))
		return -EEXIST;
	*of = followed_new(f, cmd->id);
	return *of ? name_add(f, dir, path, *of) : -ENOMEM;
}

static bool below(const struct followed *file, const struct followed *dir)
{
	while (file != dir && file->names)
		file = file->names->dir;
	return file == dir;
}

/* Something else had this name. */
static int replace(struct follow *f, struct follow_name *n, const struct followed *by)
{
	if (is_dir(n->of) != is_dir(by))
		return is_dir(by) ? -ENOTDIR : -EISDIR;
	if (n->of->children)
		return -ENOTEMPTY;
	name_remove(f, n);
	return 0;
}

static int rename_it(struct follow *f, const struct stream_cmd *cmd, struct followed **of)
{
	const char *path = stream_text(cmd, STREAM_A_PATH_TO);
	struct follow_name *from = find_name(f, stream_text(cmd, STREAM_A_PATH)), *to;
	struct followed *dir = find_dir(f, &path);
	int err;

	if (!from || !dir)
		return -ENOENT;
	*of = from->of;
	if (is_dir(*of) && below(dir, *of))
		return refused(f, -EINVAL, "a directory cannot move into itself");
	to = lookup(f, dir, path, strlen(path));
	if (to && to->of == *of)
		return 0;
	err = to ? replace(f, to, *of) : 0;
	if (!err)
		err = name_add(f, dir, path, *of);
	if (!err)
		name_remove(f, from);
	return err;
}

static int link_it(struct follow *f, const struct stream_cmd *cmd, struct followed **of)
{
	const char *path = stream_text(cmd, STREAM_A_PATH);
	struct followed *dir = find_dir(f, &path);

	*of = follow_find(f, stream_text(cmd, STREAM_A_PATH_LINK));
	if (!*of || !dir)
		return -ENOENT;
	if (is_dir(*of))
		return refused(f, -EPERM, "a link to a directory");
	if (lookup(f, dir, path, strlen(path)))
		return -EEXIST;
	return name_add(f, dir, path, *of);
}

static int remove_it(struct follow *f, const struct stream_cmd *cmd, struct followed **of)
{
	struct follow_name *n = find_name(f, stream_text(cmd, STREAM_A_PATH));

	if (!n)
		return -ENOENT;
	*of = n->of;
	if (is_dir(*of) != (cmd->id == STREAM_C_RMDIR))
		return is_dir(*of) ? -EISDIR : -ENOTDIR;
	if ((*of)->children)
		return -ENOTEMPTY;
	name_remove(f, n);
	return 0;
}

/* Once for each run of clones from the same file. */
static int clone_of(struct follow *f, const struct stream_cmd *cmd, struct followed *of,
		    struct followed **from)
{
	struct follow_source *s;

	if (memcmp(cmd->at[STREAM_A_CLONE_UUID].bytes.data, f->uuid, sizeof(f->uuid)) != 0)
		return 0;
	*from = follow_find(f, stream_text(cmd, STREAM_A_CLONE_PATH));
	if (!*from)
		return refused(f, -ENOENT, "what is to be cloned is not there");
	if ((*from)->made_by != STREAM_C_MKFILE)
		return refused(f, -EINVAL, "what is to be cloned is no regular file");
	if (*from == of || (of->sources && of->sources->from == *from))
		return 0;
	s = malloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct follow_source){.from = *from, .next = of->sources};
	of->sources = s;
	return 0;
}

int follow_command(struct follow *f, const struct stream_cmd *cmd, struct followed **of,
		   struct followed **from)
{
	*of = *from = NULL;
	f->reason = NULL;
	if (cmd->id == STREAM_C_SUBVOL || cmd->id == STREAM_C_SNAPSHOT)
		return begin(f, cmd);
	if (cmd->id == STREAM_C_END)
		return 0;
	if (!f->root)
		return refused(f, -EINVAL, "it belongs to no subvolume");
	if (cmd->id >= STREAM_C_MKFILE && cmd->id <= STREAM_C_SYMLINK)
		return make(f, cmd, of);
	switch (cmd->id) {
	case STREAM_C_RENAME:
		return rename_it(f, cmd, of);
	case STREAM_C_LINK:
		return link_it(f, cmd, of);
	case STREAM_C_UNLINK:
	case STREAM_C_RMDIR:
		return remove_it(f, cmd, of);
	default:
		*of = follow_find(f, stream_text(cmd, STREAM_A_PATH));
		if (!*of)
			return -ENOENT;
		return cmd->id == STREAM_C_CLONE ? clone_of(f, cmd, *of, from) : 0;
	}
}

char *follow_path(const struct follow_name *name)
{
	const struct follow_name *n;
	size_t size = 1, len;
	char *path;

	for (n = name; n; n = n->dir->names)
		size += n->len + 1;
	path = malloc(size);
	if (!path)
		return NULL;
	len = size - 1;
	for (n = name; n; n = n->dir->names) {
		len -= n->len + 1;
		memcpy(path + len, n->text, n->len);
		path[len + n->len] = '/';
	}
	path[size - 2] = '\0';
	return path;
}
