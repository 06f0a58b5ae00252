// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * temp.c - a new file has no name, or a temporary one, until it is complete.
 *
 * Where the file system can, a new file is made without any name (O_TMPFILE)
 * and linked when it is done: whatever kills us leaves nothing behind, and on
 * ext4, XFS and btrfs it costs less than making a name and renaming it (50,000
 * files of 5 KB on two threads, seconds, named at once / rename / O_TMPFILE:
 * ext4 0.37 0.65 0.55, XFS 0.45 0.70 0.52, btrfs 2.6 3.0 2.6).  Elsewhere it
 * is called .NAME.ocp-XXXXXX.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ocp.h"

#define TEMP_TRIES 100
#define NAME_LIMIT 255
#define NEW_FLAGS  (O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

/* temp_name - another try at a name beside @name, shortened to what a directory takes */
void temp_name(struct worker *w, const char *name, char temp[TEMP_MAX])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz012345";
	char tail[] = ".ocp-XXXXXX";
	size_t len = strlen(name), max = NAME_LIMIT - sizeof(tail);
	uint64_t r = w->rnd;

	while (len && name[len - 1] == '/')
		len--;
	if (len > max) /* not in the middle of a UTF-8 sequence: some file systems mind */
		for (len = max; len && ((unsigned char)name[len] & 0xc0) == 0x80; len--)
			;
	r = r * 6364136223846793005u + 1442695040888963407u;
	w->rnd = r;
	for (unsigned i = 0; i < 6; i++)
		tail[5 + i] = digits[(r >> (30 + 5 * i)) & 31];
	snprintf(temp, TEMP_MAX, ".%.*s%s", (int)len, name, tail);
}

/* O_TMPFILE is not everywhere: what a file system or an old kernel says then. */
static bool no_tmpfile(int err)
{
	return err == -EOPNOTSUPP || err == -EISDIR || err == -ENOENT || err == -EINVAL;
}

/*
 * temp_create - a new empty file that will become @it
 * @temp: its name for now, "" when it has none
 */
int temp_create(struct worker *w, struct item *it, mode_t mode, char temp[TEMP_MAX],
		struct file **out)
{
	const int rw = w->ocp->o->verify ? O_RDWR : O_WRONLY;
	struct dir *d = it->dir;
	int err;

	temp[0] = '\0';
	if (resume_is_large(w->ocp, it))
		return partial_open(w, it, mode, temp, out);
	if (it->guard || it->named) /* its directory has the temporary name, or none is wanted */
		return cr_openat(d->dst, it->dname, NEW_FLAGS | rw, mode, out);
	if (!d->no_tmpfile && it->fresh) {
		err = cr_openat(d->dst, ".", O_TMPFILE | rw | O_CLOEXEC, mode, out);
		if (!no_tmpfile(err))
			return err;
		d->no_tmpfile = true;
	}
	if (w->ocp->o->resume) { /* always the same, so that kills leave no more than one */
		partial_name(it->dname, temp);
		cr_unlink(d->dst, temp, 0);
		return cr_openat(d->dst, temp, NEW_FLAGS | rw, mode, out);
	}
	for (unsigned i = 0; i < TEMP_TRIES; i++) {
		temp_name(w, it->dname, temp);
		err = cr_openat(d->dst, temp, NEW_FLAGS | rw, mode, out);
		if (err != -EEXIST)
			return err;
	}
	return -EEXIST;
}

/* Not every file system knows RENAME_NOREPLACE: a hard link does not replace either. */
int rename_new(struct file *dir, const char *temp, const char *name)
{
	int err = cr_rename(dir, temp, name, RENAME_NOREPLACE);

	if (err != -EINVAL && err != -ENOSYS)
		return err;
	err = cr_link(dir, temp, dir, name);
	if (!err)
		return cr_unlink(dir, temp, 0);
	if (err != -EPERM && err != -EOPNOTSUPP && err != -EMLINK)
		return err;
	return cr_rename(dir, temp, name, 0);
}

/* temp_commit - the file is complete: give it its name; with -EEXIST where one came between */
int temp_commit(struct worker *w, struct item *it, const char *temp, struct file *out)
{
	struct file *dir = it->dir->dst;

	if (it->guard || it->named)
		return 0;
	if (!temp[0])
		return cr_link(out, NULL, dir, it->dname);
	if (it->fresh)
		return rename_new(dir, temp, it->dname);
	return cr_rename(dir, temp, it->dname, 0);
}

/* temp_drop - it will not be complete */
void temp_drop(struct item *it, const char *temp)
{
	if (it->guard || it->named)
		cr_unlink(it->dir->dst, it->dname, 0);
	else if (temp[0])
		cr_unlink(it->dir->dst, temp, 0);
}
