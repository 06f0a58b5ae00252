// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resolve.c - a place on a block device becomes a place on a SCSI disk.
 *
 * Partitions are followed by what sysfs says of them, linear and striped devices of the device
 * mapper, such as logical volumes, by their tables, and of multipath devices one path that works
 * is taken.  Anything else is named and not followed.  What was read of a device is kept, since
 * a striped one leads to the same disks over and over.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/block/disk.h"

#define SECTOR	   512u /* of all sizes in sysfs and tables */
#define SYSFS_MAX  512
#define TABLE_SIZE ((size_t)64 << 10)
#define DEPTH_MAX  8

/* A device on the way down, and where on it we are: bytes. */
struct step {
	struct disk_node *node;
	dev_t dev;
	uint64_t pos, len; /* len: how far that goes on */
	const char *reason;
};

static bool read_line(const char *dir, const char *file, char *line, size_t size)
{
	char path[SYSFS_MAX];
	bool got;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "re");
	got = f && fgets(line, (int)size, f);
	if (f)
		fclose(f);
	if (got)
		line[strcspn(line, "\n")] = '\0';
	return got;
}

static bool is_there(const char *dir, const char *file)
{
	char path[SYSFS_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return !stat(path, &st);
}

/* "8:16", and what follows it */
static bool parse_number(const char *text, dev_t *dev, char **end)
{
	unsigned long maj = strtoul(text, end, 10), min;

	if (*end == text || **end != ':')
		return false;
	min = strtoul(*end + 1, end, 10);
	*dev = makedev((unsigned)maj, (unsigned)min);
	return true;
}

static bool read_number(const char *dir, dev_t *dev)
{
	char line[64], *end;

	return read_line(dir, "dev", line, sizeof(line)) && parse_number(line, dev, &end) && !*end;
}

/* Device mapper ------------------------------------------------------------------------ */

static const struct {
	const char *type, *reason;
} mapped[] = {
	{"crypt", "what is encrypted (dm-crypt) cannot be copied by the disk"},
	{"thin", "a thin volume (dm-thin) has its blocks anywhere"},
	{"thin-pool", "a pool of thin volumes (dm-thin) is not copied by the disk"},
	{"snapshot", "a snapshot (dm-snapshot) has its blocks anywhere"},
	{"snapshot-origin",
	 "what snapshots depend on (dm-snapshot) has to be written through them"},
	{"mirror", "a mirror (dm-mirror) is on several disks"},
	{"raid", "what is on several disks (dm-raid) cannot be copied by one"},
	{"cache", "what is cached (dm-cache) cannot be copied by the disk"},
	{"writecache", "what is cached (dm-writecache) cannot be copied by the disk"},
	{"integrity", "what has checksums (dm-integrity) cannot be copied by the disk"},
	{"verity", "what has checksums (dm-verity) cannot be copied by the disk"},
};

static const char *why_not_mapped(const char *type)
{
	for (unsigned i = 0; i < sizeof(mapped) / sizeof(*mapped); i++)
		if (!strcmp(mapped[i].type, type))
			return mapped[i].reason;
	return "a device of this type of the device mapper is not followed to its disk";
}

/* The table of @dev, to be freed; NULL: it cannot be had. */
static struct dm_ioctl *table_of(dev_t dev)
{
	struct dm_ioctl *dm = calloc(1, TABLE_SIZE);
	int fd = dm ? open("/dev/mapper/control", O_RDWR | O_CLOEXEC) : -1;
	bool got = false;

	if (fd >= 0) {
		*dm = (struct dm_ioctl){
			.version = {DM_VERSION_MAJOR, 0, 0},
			.data_size = TABLE_SIZE,
			.data_start = sizeof(*dm),
			.flags = DM_STATUS_TABLE_FLAG | DM_NOFLUSH_FLAG,
			.dev = dev,
		};
		got = !ioctl(fd, DM_TABLE_STATUS, dm) && !(dm->flags & DM_BUFFER_FULL_FLAG) &&
		      dm->data_start < TABLE_SIZE;
		close(fd);
	}
	if (got)
		return dm;
	free(dm);
	return NULL;
}

/* A target's line: "MAJOR:MINOR START" of what is below it. */
static int follow_linear(struct step *s, const struct dm_target_spec *t, const char *params)
{
	uint64_t first = t->sector_start * SECTOR, end = first + t->length * SECTOR, start;
	char *rest;

	if (!parse_number(params, &s->dev, &rest))
		return -ENODEV;
	start = strtoull(rest, NULL, 10);
	if (s->len > end - s->pos)
		s->len = end - s->pos;
	s->pos = start * SECTOR + (s->pos - first);
	return 0;
}

/* "STRIPES CHUNK", and of each stripe "MAJOR:MINOR START": chunks go from one to the next. */
static int follow_striped(struct step *s, const struct dm_target_spec *t, const char *params)
{
	uint64_t at = s->pos - t->sector_start * SECTOR, stripes, chunk, start = 0;
	char *rest;

	stripes = strtoull(params, &rest, 10);
	chunk = strtoull(rest, &rest, 10) * SECTOR;
	if (!stripes || !chunk)
		return -ENODEV;
	for (uint64_t i = 0; i <= at / chunk % stripes; i++) {
		if (!parse_number(rest, &s->dev, &rest))
			return -ENODEV;
		start = strtoull(rest, &rest, 10);
	}
	if (s->len > chunk - at % chunk)
		s->len = chunk - at % chunk;
	s->pos = start * SECTOR + at / chunk / stripes * chunk + at % chunk;
	return 0;
}

static int follow_path(struct step *s, const struct dm_target_spec *t, const char *params)
{
	s->dev = s->node->below;
	s->reason = "no path of the multipath device works";
	return s->dev ? 0 : -ENODEV;
}

static const struct {
	const char *type;
	int (*follow)(struct step *s, const struct dm_target_spec *t, const char *params);
} followed[] = {
	{"linear", follow_linear},
	{"striped", follow_striped},
	{"multipath", follow_path},
};

static int follow_target(struct step *s, const struct dm_target_spec *t, const char *params)
{
	s->reason = "the table of the device mapper cannot be read";
	for (unsigned i = 0; i < sizeof(followed) / sizeof(*followed); i++)
		if (!strcmp(t->target_type, followed[i].type))
			return followed[i].follow(s, t, params);
	s->reason = why_not_mapped(t->target_type);
	return -ENODEV;
}

static int follow_table(struct step *s)
{
	const struct dm_ioctl *dm = s->node->table;
	const char *data = (const char *)dm + dm->data_start;
	size_t size = TABLE_SIZE - dm->data_start, at = 0;

	for (unsigned i = 0; i < dm->target_count && at + sizeof(struct dm_target_spec) < size;
	     i++) {
		struct dm_target_spec t;
		const char *params = data + at + sizeof(t);

		memcpy(&t, data + at, sizeof(t));
		t.target_type[sizeof(t.target_type) - 1] = '\0';
		if (!memchr(params, '\0', size - at - sizeof(t)))
			break;
		if (s->pos / SECTOR >= t.sector_start &&
		    s->pos / SECTOR - t.sector_start < t.length)
			return follow_target(s, &t, params);
		if (t.next <= at)
			break;
		at = t.next;
	}
	s->reason = "the table of the device mapper has nothing there";
	return -ENODEV;
}

/* The first path that the kernel says is running: the same bytes by any of them. */
static dev_t path_of(const char *dir)
{
	char path[SYSFS_MAX], state[32];
	struct dirent *e;
	dev_t dev = 0;
	DIR *slaves;

	snprintf(path, sizeof(path), "%s/slaves", dir);
	slaves = opendir(path);
	/* The stream is ours alone: NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while (slaves && !dev && (e = readdir(slaves))) {
		snprintf(path, sizeof(path), "%s/slaves/%s", dir, e->d_name);
		if (e->d_name[0] == '.' || !read_line(path, "device/state", state, sizeof(state)) ||
		    strcmp(state, "running") != 0 || !read_number(path, &dev))
			dev = 0;
	}
	if (slaves)
		closedir(slaves);
	return dev;
}

/* Down to the disk ------------------------------------------------------------------------ */

static void learn_partition(struct disk_node *n, const char *dir)
{
	char line[64], disk[SYSFS_MAX];

	if (!read_line(dir, "start", line, sizeof(line)))
		return;
	n->start = strtoull(line, NULL, 10) * SECTOR;
	snprintf(disk, sizeof(disk), "%s/..", dir);
	if (read_number(disk, &n->below))
		n->kind = IS_PARTITION;
}

static void learn_mapped(struct disk_node *n, const char *dir)
{
	n->reason = "the table of the device mapper cannot be read (root)";
	n->table = table_of(n->dev);
	if (!n->table)
		return;
	n->below = path_of(dir);
	n->kind = IS_MAPPED;
}

static void learn_disk(struct disk_node *n, const char *dir)
{
	n->kind = is_there(dir, "device/scsi_device") ? IS_DISK : IS_NEITHER;
	if (n->kind == IS_DISK)
		return;
	n->reason = is_there(dir, "md") ? "what is on several disks (md) cannot be copied by one"
		    : is_there(dir, "loop") ? "a loop device is a file: it is copied without the "
					      "device"
					    : "it is no SCSI disk";
}

static void learn(struct disk_node *n)
{
	char dir[64], target[SYSFS_MAX];
	const char *name;
	ssize_t len;

	n->kind = IS_NEITHER;
	n->reason = "the kernel does not say what device it is";
	snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u", major(n->dev), minor(n->dev));
	len = readlink(dir, target, sizeof(target) - 1);
	if (len <= 0)
		return;
	target[len] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (strlen(name) >= sizeof(n->name))
		return;
	memcpy(n->name, name, strlen(name) + 1);
	if (is_there(dir, "partition"))
		learn_partition(n, dir);
	else if (is_there(dir, "dm"))
		learn_mapped(n, dir);
	else
		learn_disk(n, dir);
}

static struct disk_node *node_of(struct disk_map *map, dev_t dev)
{
	struct disk_node *n = map->nodes;

	while (n && n->dev != dev)
		n = n->next;
	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->dev = dev;
	learn(n);
	n->next = map->nodes;
	return map->nodes = n;
}

void disk_map_free(struct disk_map *map)
{
	struct disk_node *n;

	while ((n = map->nodes)) {
		map->nodes = n->next;
		free(n->table);
		free(n);
	}
}

/* One device down: 1, or 0 at the disk. */
static int step_down(struct step *s, struct disk_place *place)
{
	const struct disk_node *n = s->node;
	int err;

	switch (n->kind) {
	case IS_PARTITION:
		s->pos += n->start;
		s->dev = n->below;
		return 1;
	case IS_MAPPED:
		err = follow_table(s);
		return err ? err : 1;
	case IS_DISK:
		place->disk = n;
		place->start = s->pos;
		place->len = s->len;
		return 0;
	default:
		s->reason = n->reason;
		return -ENODEV;
	}
}

int disk_resolve(struct disk_map *map, dev_t dev, uint64_t pos, struct disk_place *place,
		 const char **reason)
{
	struct step s = {.dev = dev, .pos = pos, .len = UINT64_MAX};
	int err = 1;

	*place = (struct disk_place){.start = 0};
	s.reason = "it stands on too many others";
	for (unsigned depth = 0; err > 0 && depth < DEPTH_MAX; depth++) {
		s.node = node_of(map, s.dev);
		if (!s.node)
			return -ENOMEM;
		err = step_down(&s, place);
	}
	*reason = s.reason;
	return err > 0 ? -ENODEV : err;
}
