// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backup.c - -b: what stands at the destination gets another name and stays.
 *
 * It is moved away before the new file is made, and moved back when that fails.
 * After SIGKILL in between it is found under its other name.  Names and rules
 * are those of GNU cp: NAME~ (or another suffix), or NAME.~1~, NAME.~2~ ...
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ocp.h"

#define NAME_LIMIT 255
#define READ_SIZE  ((size_t)32 << 10)
#define TRIES	   100

/* N of @name = BASE.~N~, without leading zeros; 0: it is none. */
static unsigned long number_of(const char *name, const char *base, size_t len)
{
	unsigned long n = 0;
	const char *at = name + len;

	if (strncmp(name, base, len) != 0 || at[0] != '.' || at[1] != '~')
		return 0;
	for (at += 2; *at >= '0' && *at <= '9' && (n || *at > '0'); at++) {
		if (n > (INT64_MAX - 9) / 10)
			return 0;
		n = n * 10 + (unsigned long)(*at - '0');
	}
	return n && !strcmp(at, "~") ? n : 0;
}

/* The highest number of a backup of @name in @dir. */
static int highest(struct file *dir, const char *name, unsigned long *max)
{
	struct dirbuf buf = {.data = malloc(READ_SIZE), .size = READ_SIZE};
	size_t len = strlen(name);
	struct dirent_view e;
	struct file *list;
	ssize_t n;

	*max = 0;
	if (!buf.data)
		return -ENOMEM;
	n = cr_openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &list);
	if (!n) {
		while ((n = cr_readdir(list, &buf)) > 0)
			while (dirbuf_next(&buf, &e)) {
				unsigned long number = number_of(e.name, name, len);

				*max = number > *max ? number : *max;
			}
		cr_close(list);
	}
	free(buf.data);
	return (int)n;
}

/* A name too long for its suffix loses its end, not in the middle of a UTF-8 sequence. */
static void put_suffix(char to[TEMP_MAX], const char *name, const char *suffix)
{
	size_t len = strlen(name), max = NAME_LIMIT - strlen(suffix);

	if (len > max)
		for (len = max; len && ((unsigned char)name[len] & 0xc0) == 0x80; len--)
			;
	snprintf(to, TEMP_MAX, "%.*s%s", (int)len, name, suffix);
}

/* The name that the backup gets; *numbered: one that must not exist yet. */
static int backup_name(const struct ocp_opts *o, const struct item *it, char name[TEMP_MAX],
		       bool *numbered)
{
	unsigned long max = 0;
	char suffix[32];
	int err = 0;

	*numbered = false;
	if (o->backup != BACKUP_SIMPLE)
		err = highest(it->dir->dst, it->dname, &max);
	if (err && o->backup == BACKUP_NUMBERED)
		return err;
	*numbered = max || o->backup == BACKUP_NUMBERED;
	snprintf(suffix, sizeof(suffix), ".~%lu~", max + 1);
	/* A shorter name would have numbers of its own. */
	if (*numbered && strlen(it->dname) + strlen(suffix) > NAME_LIMIT)
		return -ENAMETOOLONG;
	put_suffix(name, it->dname, *numbered ? suffix : o->backup_suffix);
	return 0;
}

/* Whether the backup would replace the source: copying A~ to A. */
static bool would_hit_source(const struct ocp_opts *o, const struct item *it)
{
	size_t len = strlen(it->dname);
	char name[TEMP_MAX];
	struct statx stx;

	if (o->backup == BACKUP_NUMBERED || strncmp(it->name, it->dname, len) != 0 ||
	    strcmp(it->name + len, o->backup_suffix) != 0)
		return false;
	put_suffix(name, it->dname, o->backup_suffix);
	return !cr_getattr(it->dir->dst, name, &stx) && stx.stx_ino == it->src.stx_ino &&
	       stx.stx_dev_major == it->src.stx_dev_major &&
	       stx.stx_dev_minor == it->src.stx_dev_minor;
}

static void target_error(struct worker *w, const struct item *it, int err, enum ocp_msg msg)
{
	char *dst = path_dst(it->dir->node, it->dname);

	report_error(w->ocp->report, err, msg, dst, NULL);
	free(dst);
}

/* backup_make - move what stands at the target away; its name then is in it->backup */
int backup_make(struct worker *w, struct item *it)
{
	struct file *dir = it->dir->dst;
	char name[TEMP_MAX];
	int err = -EEXIST;
	bool numbered;

	if (would_hit_source(w->ocp->o, it)) {
		item_error(w, it, 0, MSG_BACKUP_SOURCE);
		return -EINVAL;
	}
	for (unsigned i = 0; i < TRIES && err == -EEXIST; i++) {
		err = backup_name(w->ocp->o, it, name, &numbered);
		if (!err && !w->ocp->o->dry_run)
			err = numbered ? rename_new(dir, it->dname, name)
				       : cr_rename(dir, it->dname, name, 0);
	}
	if (!err || err == -ENOENT) {
		it->fresh = true;
		it->backup = err ? NULL : strdup(name);
		return 0;
	}
	target_error(w, it, err, MSG_BACKUP);
	return err;
}

/* backup_undo - nothing came of the new file: the old one gets its name back */
void backup_undo(struct worker *w, struct item *it)
{
	char *from, *to;
	int err;

	if (!it->backup || w->ocp->o->dry_run)
		return;
	err = rename_new(it->dir->dst, it->backup, it->dname);
	if (err == -EEXIST) /* something came of it after all */
		return;
	if (err) {
		target_error(w, it, err, MSG_UNBACKUP);
		return;
	}
	from = path_dst(it->dir->node, it->backup);
	to = path_dst(it->dir->node, it->dname);
	report_unbackup(w->ocp->report, from, to);
	free(from);
	free(to);
}

/* backup_of_self - "cp -bf A A": the name under which A is copied beside itself; NULL: it is not */
char *backup_of_self(struct worker *w, const struct item *it)
{
	const struct ocp_opts *o = w->ocp->o;
	char name[TEMP_MAX];
	struct file *file;
	bool regular, numbered;

	if (!o->backup || !o->force || o->nsources != 1 || o->target ||
	    strcmp(o->sources[0], o->dest) != 0 || !it->dir->dst ||
	    cr_openat(it->dir->dst, it->dname, O_PATH | O_CLOEXEC, 0, &file))
		return NULL;
	regular = S_ISREG(cr_file_id(file)->type);
	cr_close(file);
	return regular && !backup_name(o, it, name, &numbered) ? strdup(name) : NULL;
}
