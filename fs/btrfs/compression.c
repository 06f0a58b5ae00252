// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * compression.c - what btrfs compresses new data with: the property of the
 * first file seen on the mount, which it has from its folder, else the mount
 * options.  Options changed by a later remount are not noticed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "fs/btrfs/btrfs.h"

static uint32_t by_name(const char *name, uint32_t sectorsize)
{
	if (!strncmp(name, "zlib", 4))
		return ENCODED_ZLIB;
	if (!strncmp(name, "zstd", 4))
		return ENCODED_ZSTD;
	if (!strncmp(name, "lzo", 3))
		return btrfs_lzo_of(sectorsize);
	return ENCODED_NONE;
}

/*
 * A line of /proc/self/mountinfo: ID PARENT MAJ:MIN ROOT POINT OPTIONS [TAGS...]
 * - TYPE SOURCE SUPER_OPTIONS (Documentation/filesystems/proc.rst, 3.5).
 */
static const char *super_options(char *line, uint64_t mnt_id)
{
	char *end, *at;

	if (strtoull(line, &end, 10) != mnt_id || end == line || *end != ' ')
		return NULL;
	at = strstr(end, " - ");
	if (!at)
		return NULL;
	at = strrchr(at + 3, ' ');
	return at ? at + 1 : NULL;
}

/* compress=zstd:3 or compress-force=lzo; the last one counts. */
static uint32_t by_options(const char *options, uint32_t sectorsize)
{
	uint32_t found = ENCODED_NONE;

	for (const char *at = options; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, "compress=", 9))
			found = by_name(at + 9, sectorsize);
		else if (!strncmp(at, "compress-force=", 15))
			found = by_name(at + 15, sectorsize);
	}
	return found;
}

uint32_t btrfs_compression_of(struct file *file)
{
	const struct mount *mnt = file->mnt;
	char value[16] = "", *line = NULL;
	uint32_t found = ENCODED_NONE;
	struct statx stx;
	size_t room = 0;
	FILE *info;

	if (file->fd >= 0 && fgetxattr(file->fd, "btrfs.compression", value, sizeof(value) - 1) > 0)
		return by_name(value, mnt->block_size);
	/* The list has the number that is used again, not the one that mounts are told apart by. */
	if (statx(file->fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 ||
	    !(stx.stx_mask & STATX_MNT_ID))
		return ENCODED_NONE;
	info = fopen("/proc/self/mountinfo", "re");
	if (!info)
		return ENCODED_NONE;
	while (getline(&line, &room, info) > 0) {
		const char *options = super_options(line, stx.stx_mnt_id);

		if (options) {
			found = by_options(options, mnt->block_size);
			break;
		}
	}
	free(line);
	fclose(info);
	return found;
}
