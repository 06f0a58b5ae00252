// SPDX-License-Identifier: GPL-2.0-or-later
/* device.c - a block device that cannot be written: who uses it. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "ocp.h"

#define LINE_SIZE (2 * PATH_MAX)

/* Whether @name is that device, or one of its partitions. */
static bool names_device(const char *name, dev_t dev)
{
	char link[64], *own, *other;
	struct stat st;
	bool part;

	if (stat(name, &st) || !S_ISBLK(st.st_mode))
		return false;
	if (st.st_rdev == dev)
		return true;
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	own = realpath(link, NULL);
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	other = realpath(link, NULL);
	part = own && other && !strncmp(other, own, strlen(own)) && other[strlen(own)] == '/';
	free(own);
	free(other);
	return part;
}

/* "\040" of the kernel's lists becomes what it stands for. */
static void decode(char *text)
{
	char *to = text;

	for (; *text; text++, to++) {
		bool coded =
			text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3];

		*to = coded ? (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + text[3] - '0')
			    : *text;
		text += coded ? 3 : 0;
	}
	*to = '\0';
}

/* Field @at of a line, from 0; with @behind, of those behind " - ".  NULL: there are fewer. */
static char *field(const char *line, unsigned at, bool behind)
{
	const char *from = behind ? strstr(line, " - ") : line;
	size_t len;
	char *text;

	from = behind && from ? from + 3 : from;
	while (from && at--) {
		from = strchr(from, ' ');
		from = from ? from + 1 : NULL;
	}
	len = from ? strcspn(from, " \t\n") : 0;
	text = len ? strndup(from, len) : NULL;
	if (text)
		decode(text);
	return text;
}

/* Where the device is mounted, here; to be freed. */
static char *mounted_on(dev_t dev)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[LINE_SIZE], *found = NULL;

	while (f && !found && fgets(line, sizeof(line), f)) {
		char *source = field(line, 1, true);

		if (source && names_device(source, dev))
			found = field(line, 4, false);
		free(source);
	}
	if (f)
		fclose(f);
	return found;
}

static bool is_swap(dev_t dev)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[LINE_SIZE];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		char *name = field(line, 0, false);

		found = name && names_device(name, dev);
		free(name);
	}
	if (f)
		fclose(f);
	return found;
}

/* The device above it: of the device mapper, md, bcache ... */
static char *held_by(dev_t dev)
{
	char path[64], *found = NULL;
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(dev), minor(dev));
	dir = opendir(path);
	/* The stream is ours alone: NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while (dir && !found && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			found = strdup(e->d_name);
	if (dir)
		closedir(dir);
	return found;
}

/* device_error - the target cannot be opened; of a device in use, what uses it */
void device_error(struct worker *w, const struct item *it, int err)
{
	dev_t dev = makedev(it->dst.stx_rdev_major, it->dst.stx_rdev_minor);
	enum ocp_msg msg = MSG_DEVICE_MOUNTED;
	char *user, *dst;

	if (err != -EBUSY || !S_ISBLK(it->dst.stx_mode)) {
		item_error(w, it, err, MSG_CREATE);
		return;
	}
	user = mounted_on(dev);
	if (!user) {
		msg = MSG_DEVICE_USED;
		user = is_swap(dev) ? strdup("swap") : held_by(dev);
	}
	dst = path_dst(it->dir->node, it->dname);
	report_error(w->ocp->report, err, user ? msg : MSG_CREATE, dst, user);
	free(dst);
	free(user);
}

/* device_sync - what was written is on the device; 0 or an error after its message */
int device_sync(struct worker *w, const struct item *it, struct file *out)
{
	int err = cr_sync(out, true);

	if (err)
		item_error(w, it, err, MSG_SYNC);
	return err;
}
