// SPDX-License-Identifier: GPL-2.0-or-later
/* data.c - bytes of a unit: whole blocks as they are, parts of one through a buffer. */
#include <errno.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/block/block.h"

static uint64_t size_of_unit(const struct scsi_lu *lu)
{
	return lu->blocks * lu->block;
}

/* A part of one block, up to its end; @buf NULL: zeros. */
static ssize_t part_of_block(struct block_unit *unit, void *in, const void *out, size_t len,
			     uint64_t pos)
{
	struct scsi_lu *lu = &unit->lu;
	uint64_t lba = pos / lu->block;
	size_t at = (size_t)(pos % lu->block), n = lu->block - at;
	uint8_t *block = malloc(lu->block);
	int err = block ? 0 : -ENOMEM;

	if (n > len)
		n = len;
	if (!in)
		pthread_mutex_lock(&unit->tail);
	if (!err)
		err = scsi_read(lu, block, lba, 1);
	if (!err && in) {
		memcpy(in, block + at, n);
	} else if (!err) {
		if (out)
			memcpy(block + at, out, n);
		else
			memset(block + at, 0, n);
		err = scsi_write(lu, block, lba, 1);
	}
	if (!in)
		pthread_mutex_unlock(&unit->tail);
	free(block);
	return err ? err : (ssize_t)n;
}

/* How much of @len goes by whole blocks at once from @pos on; 0: a part of one comes first. */
static uint32_t whole(const struct scsi_lu *lu, size_t len, uint64_t pos)
{
	if (pos % lu->block || len < lu->block)
		return 0;
	return (uint32_t)((len < lu->max_transfer ? len : lu->max_transfer) / lu->block);
}

ssize_t block_read(struct file *file, void *buf, size_t len, off_t pos)
{
	struct block_unit *unit = block_of(file)->unit;
	struct scsi_lu *lu = &unit->lu;
	uint64_t size = size_of_unit(lu), at = (uint64_t)pos;
	uint32_t n;
	int err;

	if (at >= size || !len)
		return 0;
	if (len > size - at)
		len = (size_t)(size - at);
	n = whole(lu, len, at);
	if (!n)
		return part_of_block(unit, buf, NULL, len, at);
	err = scsi_read(lu, buf, at / lu->block, n);
	return err ? err : (ssize_t)n * lu->block;
}

ssize_t block_write(struct file *file, const void *buf, size_t len, off_t pos)
{
	struct block_unit *unit = block_of(file)->unit;
	struct scsi_lu *lu = &unit->lu;
	uint64_t size = size_of_unit(lu), at = (uint64_t)pos;
	uint32_t n;
	int err;

	if (!len)
		return 0;
	if (at >= size)
		return -ENOSPC;
	if (len > size - at)
		len = (size_t)(size - at);
	n = whole(lu, len, at);
	if (!n)
		return part_of_block(unit, NULL, buf, len, at);
	err = scsi_write(lu, buf, at / lu->block, n);
	return err ? err : (ssize_t)n * lu->block;
}

/* Blocks that are not mapped and read as zeros are a hole; where nobody can tell all is data. */
off_t block_seek(struct file *file, off_t pos, int whence)
{
	struct scsi_lu *lu = &block_of(file)->unit->lu;
	uint64_t size = size_of_unit(lu), at = (uint64_t)pos, n;
	bool hole = false;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	if (pos < 0 || at >= size)
		return -ENXIO;
	while (at < size) {
		int err = scsi_lba_status(lu, at / lu->block, &n, &hole);

		if (err == -EOPNOTSUPP) {
			hole = false;
			n = lu->blocks - at / lu->block;
		} else if (err) {
			return err;
		}
		if (hole == (whence == SEEK_HOLE))
			return (off_t)at;
		at = (at / lu->block + n) * lu->block;
	}
	return whence == SEEK_DATA ? -ENXIO : (off_t)size;
}

/* The blocks that a hole has for itself alone are given back, the rest of it is written. */
static int punch(struct block_unit *unit, uint64_t pos, uint64_t len)
{
	struct scsi_lu *lu = &unit->lu;
	uint64_t blocks;

	while (len && (pos % lu->block || len < lu->block)) {
		ssize_t n = part_of_block(unit, NULL, NULL,
					  (size_t)(len < lu->block ? len : lu->block), pos);

		if (n < 0)
			return (int)n;
		pos += (uint64_t)n;
		len -= (uint64_t)n;
	}
	blocks = len / lu->block;
	if (blocks) {
		int err = scsi_zero(lu, pos / lu->block, blocks);

		if (err)
			return err;
	}
	len -= blocks * lu->block;
	return len ? punch(unit, pos + blocks * lu->block, len) : 0;
}

int block_allocate(struct file *file, int mode, off_t pos, off_t len)
{
	struct block_unit *unit = block_of(file)->unit;
	uint64_t size = size_of_unit(&unit->lu), at = (uint64_t)pos, n = (uint64_t)len;

	if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (pos < 0 || len <= 0)
		return -EINVAL;
	if (at >= size)
		return 0;
	return punch(unit, at, n < size - at ? n : size - at);
}

/* A unit is as long as it is. */
int block_truncate(struct file *file, off_t size)
{
	uint64_t have = size_of_unit(&block_of(file)->unit->lu);

	if (size < 0)
		return -EINVAL;
	return (uint64_t)size == have ? 0 : (uint64_t)size > have ? -ENOSPC : -EINVAL;
}

int block_sync(struct file *file, bool data_only)
{
	return block_of(file)->unit ? scsi_sync(&block_of(file)->unit->lu) : 0;
}
