// SPDX-License-Identifier: GPL-2.0-or-later
/* provisioning.c - WRITE SAME, UNMAP and GET LBA STATUS: holes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "sbc.h"

#define PATTERN ((size_t)256 << 10)

static bool is_zero(const uint8_t *block)
{
	return !block[0] && memcmp(block, block + 1, BLOCK - 1) == 0;
}

static int write_pattern(struct scsi_task *t, uint64_t pos, uint64_t len)
{
	size_t size = len < PATTERN ? (size_t)len : PATTERN;
	uint8_t *buf = malloc(size);
	int err = buf ? 0 : -ENOMEM;

	for (size_t at = 0; !err && at < size; at += BLOCK)
		memcpy(buf + at, t->data, BLOCK);
	while (!err && len) {
		size_t n = len < size ? (size_t)len : size;

		err = task_stopped(t) ? -ECANCELED : lu_write(t->lu, buf, n, pos);
		pos += n;
		len -= n;
	}
	free(buf);
	return err;
}

/* What is wrong beyond what every CDB is checked for.  0 blocks would be all up to the end (WSNZ).
 */
static bool same_allowed(struct scsi_task *t, const struct cdb_rw *rw)
{
	bool ten = t->cdb[0] == OP_WRITE_SAME_10;
	uint32_t blocks = rw->blocks;

	/* Data of another length than a block are a mistake, and could be ours. */
	if ((rw->flags & WS_ANCHOR) || (t->want && t->expected != t->want) ||
	    ((rw->flags & WS_UNMAP) && !t->lu->punches) || t->len < t->want)
		task_bad_cdb(t, 1);
	else if (!blocks || blocks > WRITE_SAME_MAX)
		task_bad_cdb(t, ten ? 7 : 10);
	return t->status == STATUS_GOOD;
}

void cmd_write_same(struct scsi_task *t)
{
	struct range_lock lock;
	uint64_t blocks, pos;
	struct cdb_rw rw;
	int err;

	cdb_rw_decode(&rw, t->cdb);
	blocks = rw.blocks;
	if (!same_allowed(t, &rw))
		return;
	pos = rw.lba * BLOCK;
	change_begin(t->lu, &lock, pos, blocks * BLOCK);
	if (!t->want || is_zero(t->data))
		err = lu_zero(t->lu, pos, blocks * BLOCK, rw.flags & WS_UNMAP, &t->stop);
	else
		err = write_pattern(t, pos, blocks * BLOCK);
	change_end(t, &lock, false, err);
}

static bool ranges_allowed(struct scsi_task *t, unsigned n)
{
	struct unmap_range r;

	if (n > UNMAP_RANGES_MAX) {
		task_bad_list(t, 2);
		return false;
	}
	for (unsigned i = 0; i < n; i++) {
		unmap_range_decode(&r, t->data, i);
		if (r.lba > t->lu->blocks || r.blocks > t->lu->blocks - r.lba) {
			task_check(t, KEY_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
			return false;
		}
	}
	return true;
}

void cmd_unmap(struct scsi_task *t)
{
	struct range_lock lock;
	struct unmap_range r;
	int n, err = 0;

	if (!t->lu->punches) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
		return;
	}
	if (!t->len)
		return;
	n = unmap_count(t->data, t->len);
	if (n < 0) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
		return;
	}
	if (!ranges_allowed(t, (unsigned)n))
		return;
	for (int i = 0; i < n && !err; i++) {
		unmap_range_decode(&r, t->data, (unsigned)i);
		if (!r.blocks)
			continue;
		change_begin(t->lu, &lock, r.lba * BLOCK, (uint64_t)r.blocks * BLOCK);
		err = lu_zero(t->lu, r.lba * BLOCK, (uint64_t)r.blocks * BLOCK, true, &t->stop);
		err = change_end(t, &lock, false, err);
	}
}

/* GET LBA STATUS ----------------------------------------------------------------- */

#define STATUS_HEAD 8
#define STATUS_DESC 16
#define STATUS_MAX  256

/* Where what stands at @lba ends, in blocks; a block that is data in part is data. */
static int64_t run_end(struct lu *lu, uint64_t lba, bool *hole)
{
	off_t pos = (off_t)(lba * BLOCK), data, end;

	/* A device does not tell. */
	*hole = false;
	if (lu->device)
		return (int64_t)lu->blocks;
	data = cr_seek(lu->file, pos, SEEK_DATA);
	if (data == -ENXIO) {
		*hole = true;
		return (int64_t)lu->blocks;
	}
	if (data < 0)
		return data;
	*hole = data >= pos + (off_t)BLOCK;
	if (*hole)
		return data / BLOCK;
	end = cr_seek(lu->file, data, SEEK_HOLE);
	if (end < 0)
		return end;
	return end <= pos ? (int64_t)lba + 1 : (end + (off_t)BLOCK - 1) / BLOCK;
}

static unsigned put_status(uint8_t *data, unsigned n, uint64_t lba, uint64_t end, bool hole)
{
	for (; lba < end && n < STATUS_MAX; n++) {
		uint64_t blocks = end - lba < UINT32_MAX ? end - lba : UINT32_MAX;
		uint8_t *d = data + STATUS_HEAD + STATUS_DESC * (size_t)n;

		put_be64(d, lba);
		put_be32(d + 8, (uint32_t)blocks);
		d[12] = hole ? 1 : 0; /* deallocated, mapped */
		lba += blocks;
	}
	return n;
}

void cmd_get_lba_status(struct scsi_task *t)
{
	uint8_t data[STATUS_HEAD + STATUS_DESC * STATUS_MAX] = {0};
	uint64_t lba = get_be64(t->cdb + 2), from = lba;
	bool hole = false, before = false;
	unsigned n = 0;

	if (lba >= t->lu->blocks) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
		return;
	}
	while (lba < t->lu->blocks && n < STATUS_MAX && n * STATUS_DESC + STATUS_HEAD < t->want) {
		int64_t end = run_end(t->lu, lba, &hole);

		if (end < 0) {
			task_error(t, (int)end, false);
			return;
		}
		if ((uint64_t)end > t->lu->blocks)
			end = (int64_t)t->lu->blocks;
		if (lba > from && hole != before) {
			n = put_status(data, n, from, lba, before);
			from = lba;
		}
		before = hole;
		lba = (uint64_t)end;
	}
	n = put_status(data, n, from, lba, before);
	put_be32(data, 4 + STATUS_DESC * n);
	task_reply(t, data, STATUS_HEAD + STATUS_DESC * (size_t)n);
}
