// SPDX-License-Identifier: GPL-2.0-or-later
/* unit.c - a logical unit becomes a file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/block/block.h"

#define BLOCK_DEV 0x626c6b00u /* no device of this machine has it as its major number */

static uint64_t hash(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3u;
	return h;
}

/* Without a name of its own every way to it is another one: nothing is known then. */
static uint64_t number_of(const struct block_unit *unit)
{
	const struct scsi_lu *lu = &unit->lu;
	uint64_t h = 0xcbf29ce484222325u;

	if (!lu->names)
		return hash(h, &unit, sizeof(unit));
	h = hash(h, lu->vendor, strlen(lu->vendor));
	return hash(h, lu->name[0].id, lu->name[0].len);
}

int block_unit_init(struct block_unit *unit)
{
	int err;

	scsi_lu_init(&unit->lu);
	err = scsi_probe(&unit->lu);
	if (err) {
		pthread_mutex_destroy(&unit->lu.renewal);
		pthread_mutex_destroy(&unit->lu.lock);
		return err;
	}
	unit->ino = number_of(unit);
	pthread_mutex_init(&unit->tail, NULL);
	return 0;
}

void block_stat(const struct block_unit *unit, struct statx *stx)
{
	uint64_t size = unit->lu.blocks * unit->lu.block;

	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_mode = S_IFREG | 0600,
		.stx_nlink = 1,
		.stx_size = size,
		.stx_blocks = size / 512,
		.stx_blksize = unit->lu.physical,
		.stx_ino = unit->ino,
		.stx_dev_major = BLOCK_DEV,
	};
}

int block_adopt(struct file *child, struct block_unit *unit)
{
	bool write = (child->oflags & O_ACCMODE) != O_RDONLY;
	struct block_file *bf;
	int err;

	if (child->oflags & O_DIRECTORY)
		return -ENOTDIR;
	if ((child->oflags & O_CREAT) && (child->oflags & O_EXCL))
		return -EEXIST;
	if (!(child->oflags & O_PATH)) {
		err = scsi_reserved(&unit->lu, write);
		if (err)
			return err;
	}
	bf = calloc(1, sizeof(*bf));
	if (!bf)
		return -ENOMEM;
	bf->unit = unit;
	bf->session = unit->session;
	block_stat(unit, &child->seen);
	child->id = (struct file_id){.dev = (uint64_t)BLOCK_DEV << 32,
				     .ino = unit->ino,
				     .mount = unit->number,
				     .type = S_IFREG};
	child->private = bf;
	child->limit = child->seen.stx_size;
	return 0;
}

int block_release(struct file *file)
{
	free(file->private);
	file->private = NULL;
	return 0;
}

bool block_claim(struct file *file, struct mount *mnt)
{
	const struct block_unit *unit = block_of(file)->unit;

	memcpy(mnt->fsid, &file->id.mount, sizeof(file->id.mount));
	mnt->block_size = unit ? unit->lu.block : 1;
	mnt->remote = true;
	mnt->whole = true;
	return true;
}
