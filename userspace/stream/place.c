// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where a path of a stream leads.  Never through a symbolic link, not even when
 * somebody else puts one there meanwhile: paths are walked by open directories.
 */
#include "apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int place_find(struct apply *a, const char *path, struct file **dirp, const char **name)
{
	struct file *dir = a->root, *next;
	char component[STREAM_NAME_MAX + 1];
	const char *slash;
	int err;

	while ((slash = strchr(path, '/'))) {
		memcpy(component, path, (size_t)(slash - path));
		component[slash - path] = '\0';
		err = cr_openat(dir, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0,
				&next);
		place_put(a, dir);
		if (err)
			return err;
		dir = next;
		path = slash + 1;
	}
	*dirp = dir;
	*name = *path ? path : NULL;
	return 0;
}

void place_put(struct apply *a, struct file *dir)
{
	if (dir != a->root)
		cr_close(dir);
}

int place_close(struct apply *a)
{
	int err = a->open ? cr_close(a->open) : 0;

	a->open = NULL;
	free(a->open_path);
	a->open_path = NULL;
	return err;
}

int place_open(struct apply *a, const char *path, struct file **filep)
{
	struct file *dir;
	const char *name;
	int err;

	if (a->open && !strcmp(path, a->open_path)) {
		*filep = a->open;
		return 0;
	}
	err = place_close(a);
	if (!err)
		err = place_find(a, path, &dir, &name);
	if (err)
		return err;
	/* O_NONBLOCK: a fifo is an error, nothing to wait for. */
	err = cr_openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0, &a->open);
	place_put(a, dir);
	if (err) {
		a->open = NULL;
		return err;
	}
	if (cr_file_id(a->open)->type != S_IFREG) {
		place_close(a);
		a->reason = "no regular file";
		return -EINVAL;
	}
	a->open_path = strdup(path);
	if (!a->open_path) {
		place_close(a);
		return -ENOMEM;
	}
	*filep = a->open;
	return 0;
}
