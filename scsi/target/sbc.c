// SPDX-License-Identifier: GPL-2.0-or-later
/* sbc.c - commands of a disk that read, write and compare. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lu.h"
#include "sbc.h"
#include "tpc.h"

#define CHUNK ((size_t)1 << 20)

struct extent {
	uint64_t pos, len; /* bytes */
	uint8_t flags;
};

static struct extent extent_of(const struct scsi_task *t)
{
	struct cdb_rw rw;

	cdb_rw_decode(&rw, t->cdb);
	return (struct extent){rw.lba * BLOCK, (uint64_t)rw.blocks * BLOCK, rw.flags};
}

void change_begin(struct lu *lu, struct range_lock *lock, uint64_t pos, uint64_t len)
{
	*lock = (struct range_lock){.from = pos, .to = pos + len, .exclusive = true};
	lu_lock(lu, lock);
	tokens_changed(lu, pos, pos + len);
}

int change_end(struct scsi_task *t, struct range_lock *lock, bool durable, int err)
{
	lu_unlock(t->lu, lock);
	if (!err && (durable || !lu_mode(t->lu).wce))
		err = cr_sync(t->lu->file, true);
	if (err == -ECANCELED)
		task_check(t, KEY_ABORTED_COMMAND, ASC_NONE);
	else if (err)
		task_error(t, err, true);
	return err;
}

static int read_nowait(struct scsi_task *t, struct range_lock *lock)
{
	int err = -EAGAIN;

	if (lu_try_lock(t->lu, lock)) {
		err = lu_read_nowait(t->lu, t->data, t->want, lock->from);
		lu_unlock(t->lu, lock);
	}
	t->again = err;
	return err;
}

static int read_waiting(struct scsi_task *t, struct range_lock *lock)
{
	int err;

	lu_lock(t->lu, lock);
	err = lu_read(t->lu, t->data, t->want, lock->from);
	lu_unlock(t->lu, lock);
	if (err)
		task_error(t, err, false);
	return err;
}

void cmd_read(struct scsi_task *t)
{
	struct extent x = extent_of(t);
	struct range_lock lock = {.from = x.pos, .to = x.pos + x.len};

	if (!t->want || !task_buffer(t))
		return;
	if (!(t->nowait ? read_nowait(t, &lock) : read_waiting(t, &lock)))
		t->len = t->want;
}

/* The whole medium, or what is to be compared with @data; the offset of a difference. */
static int compare(struct scsi_task *t, const uint8_t *data, size_t step, struct extent x)
{
	uint8_t *buf = malloc(CHUNK);
	int err = buf ? 0 : -ENOMEM;

	for (uint64_t at = 0; !err && at < x.len && !task_stopped(t); at += CHUNK) {
		size_t n = x.len - at < CHUNK ? (size_t)(x.len - at) : CHUNK;

		err = lu_read(t->lu, buf, n, x.pos + at);
		for (size_t i = 0; !err && data && i < n; i++)
			if (buf[i] != data[step ? i % step : at + i]) {
				task_check(t, KEY_MISCOMPARE, ASC_MISCOMPARE);
				t->sense.has_info = true;
				t->sense.info = at + i;
				free(buf);
				return 0;
			}
	}
	free(buf);
	return err;
}

static void write_and_verify(struct scsi_task *t, struct extent x)
{
	int err = compare(t, (x.flags & RW_BYTCHK) ? t->data : NULL, 0, x);

	if (err)
		task_error(t, err, false);
}

static bool verifies(uint8_t opcode)
{
	return opcode == OP_WRITE_AND_VERIFY_10 || opcode == OP_WRITE_AND_VERIFY_12 ||
	       opcode == OP_WRITE_AND_VERIFY_16;
}

/* To the cache alone, and where it need not be durable; false: not so. */
static bool write_nowait(struct scsi_task *t, struct extent x)
{
	struct range_lock lock = {.from = x.pos, .to = x.pos + x.len, .exclusive = true};
	int err;

	if ((x.flags & RW_FUA) || !lu_mode(t->lu).wce || !lu_try_lock(t->lu, &lock))
		return false;
	tokens_changed(t->lu, lock.from, lock.to);
	err = lu_write_nowait(t->lu, t->data, x.len, x.pos);
	lu_unlock(t->lu, &lock);
	return !err;
}

/* Of less data than the CDB speaks of, the whole blocks that came. */
void cmd_write(struct scsi_task *t)
{
	struct extent x = extent_of(t);
	struct range_lock lock;
	bool verify = verifies(t->cdb[0]);
	int err;

	x.len = t->len - t->len % BLOCK;
	if (!x.len)
		return;
	if (t->nowait) {
		t->again = !write_nowait(t, x);
		return;
	}
	change_begin(t->lu, &lock, x.pos, x.len);
	err = lu_write(t->lu, t->data, x.len, x.pos);
	if (!err && verify)
		write_and_verify(t, x);
	change_end(t, &lock, verify || (x.flags & RW_FUA), err);
}

void cmd_verify(struct scsi_task *t)
{
	struct extent x = extent_of(t);
	struct range_lock lock = {.from = x.pos, .to = x.pos + x.len};
	int err;

	/* BYTCHK 10b is reserved. */
	if ((x.flags & RW_BYTCHK) == 4 || t->len < t->want) {
		task_bad_cdb(t, 1);
		return;
	}
	if (!x.len)
		return;
	lu_lock(t->lu, &lock);
	err = compare(t, t->want ? t->data : NULL, (x.flags & RW_BYTCHK) == RW_BYTCHK ? BLOCK : 0,
		      x);
	lu_unlock(t->lu, &lock);
	if (err)
		task_error(t, err, false);
}

void cmd_prefetch(struct scsi_task *t)
{
	struct extent x = extent_of(t);
	int fd = cr_file_fd(t->lu->file);

	if (fd >= 0)
		posix_fadvise(fd, (off_t)x.pos, (off_t)x.len, POSIX_FADV_WILLNEED);
}

void cmd_sync_cache(struct scsi_task *t)
{
	int err = t->lu->ro ? 0 : cr_sync(t->lu->file, true);

	if (err)
		task_error(t, err, true);
}

void cmd_compare_and_write(struct scsi_task *t)
{
	struct extent x = extent_of(t);
	struct range_lock lock;
	int err;

	if (t->expected != t->want || t->len != t->want) {
		task_bad_cdb(t, 13);
		return;
	}
	if (!x.len)
		return;
	change_begin(t->lu, &lock, x.pos, x.len);
	err = compare(t, t->data, 0, x);
	if (!err && t->status == STATUS_GOOD && !task_stopped(t))
		err = lu_write(t->lu, t->data + x.len, x.len, x.pos);
	change_end(t, &lock, x.flags & RW_FUA, err);
}

void cmd_orwrite(struct scsi_task *t)
{
	struct extent x = extent_of(t);
	struct range_lock lock;
	uint8_t *old;
	int err;

	x.len = t->len - t->len % BLOCK;
	if (!x.len)
		return;
	old = malloc(x.len);
	change_begin(t->lu, &lock, x.pos, x.len);
	err = old ? lu_read(t->lu, old, x.len, x.pos) : -ENOMEM;
	for (size_t i = 0; !err && i < x.len; i++)
		old[i] |= t->data[i];
	if (!err)
		err = lu_write(t->lu, old, x.len, x.pos);
	free(old);
	change_end(t, &lock, x.flags & RW_FUA, err);
}

static void put_provisioning(const struct lu *lu, uint8_t *byte)
{
	*byte = lu->punches ? 0xc0 : 0; /* LBPME, LBPRZ */
}

void cmd_read_capacity_16(struct scsi_task *t)
{
	uint8_t data[32] = {0};

	if (!(t->cdb[14] & 1) && get_be64(t->cdb + 2)) {
		task_bad_cdb(t, 2);
		return;
	}
	put_be64(data, t->lu->blocks - 1);
	put_be32(data + 8, BLOCK);
	data[13] = t->lu->physical; /* logical blocks of a physical one, as an exponent */
	put_provisioning(t->lu, data + 14);
	task_reply(t, data, sizeof(data));
}

void cmd_read_capacity_10(struct scsi_task *t)
{
	uint8_t data[8];
	uint64_t last = t->lu->blocks - 1;

	if (!(t->cdb[8] & 1) && get_be32(t->cdb + 2)) {
		task_bad_cdb(t, 2);
		return;
	}
	put_be32(data, last > UINT32_MAX ? UINT32_MAX : (uint32_t)last);
	put_be32(data + 4, BLOCK);
	task_reply(t, data, sizeof(data));
}

/* A medium without defects, whatever list is asked for. */
void cmd_read_defects(struct scsi_task *t)
{
	uint8_t data[8] = {0};
	bool ten = t->cdb[0] == OP_READ_DEFECT_DATA_10;

	data[1] = (ten ? t->cdb[2] : t->cdb[1]) & 0x1f;
	task_reply(t, data, ten ? 4 : 8);
}
