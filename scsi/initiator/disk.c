// SPDX-License-Identifier: GPL-2.0-or-later
/* disk.c - what a disk is asked to do (SBC-3). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "initiator.h"
#include "lib/bytes.h"
#include "scsi/proto/scsi.h"

#define SYNC_TIMEOUT 600u
/* Of one WRITE SAME where the unit names no limit: blocks. */
#define SAME_DEFAULT ((uint64_t)1 << 16)

static int transfer(struct scsi_lu *lu, struct scsi_cmd *cmd, uint8_t opcode, uint64_t lba,
		    uint32_t blocks)
{
	int err;

	cmd->lu = lu;
	cmd->len = blocks * lu->block;
	cdb_rw_encode(cmd->cdb, opcode, &(struct cdb_rw){.lba = lba, .blocks = blocks});
	if (cmd->out)
		scsi_unsaved(lu);
	err = scsi_exec(cmd);
	/* Nothing is taken for read that did not come. */
	return !err && cmd->in && cmd->got != cmd->len ? -EREMOTEIO : err;
}

int scsi_read(struct scsi_lu *lu, void *buf, uint64_t lba, uint32_t blocks)
{
	struct scsi_cmd cmd = {.in = buf};

	return transfer(lu, &cmd, OP_READ_16, lba, blocks);
}

int scsi_write(struct scsi_lu *lu, const void *buf, uint64_t lba, uint32_t blocks)
{
	struct scsi_cmd cmd = {.out = buf};

	return transfer(lu, &cmd, OP_WRITE_16, lba, blocks);
}

int scsi_sync(struct scsi_lu *lu)
{
	struct scsi_cmd cmd = {.lu = lu, .timeout = SYNC_TIMEOUT};
	unsigned some;
	int err;

	cmd.cdb[0] = OP_SYNCHRONIZE_CACHE_10;
	some = __atomic_load_n(&lu->unsaved, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&lu->saving, some, __ATOMIC_SEQ_CST);
	/* What is written from here on is not saved by it. */
	__atomic_store_n(&lu->unsaved, false, __ATOMIC_SEQ_CST);
	err = scsi_exec(&cmd);
	__atomic_fetch_sub(&lu->saving, some, __ATOMIC_SEQ_CST);
	/* Without a cache there is nothing to do. */
	if (err == -EOPNOTSUPP)
		err = 0;
	if (err)
		scsi_unsaved(lu);
	else if (__atomic_exchange_n(&lu->doubt, false, __ATOMIC_SEQ_CST))
		err = -EIO;
	return err;
}

/*
 * WRITE SAME with UNMAP leaves zeros in any case (SBC-3 5.53): what it does not give back it
 * writes.  UNMAP alone promises nothing for what it leaves mapped.
 */
static int write_same(struct scsi_lu *lu, uint64_t lba, uint32_t blocks, const void *zeros)
{
	struct scsi_cmd cmd = {.lu = lu, .out = zeros, .len = lu->block};

	cdb_rw_encode(cmd.cdb, OP_WRITE_SAME_16, &(struct cdb_rw){.lba = lba, .blocks = blocks});
	if (lu->thin && lu->zeros && lu->prov.lbpws)
		cmd.cdb[1] |= WS_UNMAP;
	scsi_unsaved(lu);
	return scsi_exec(&cmd);
}

int scsi_zero(struct scsi_lu *lu, uint64_t lba, uint64_t blocks)
{
	uint64_t max = lu->limits.max_write_same ? lu->limits.max_write_same : SAME_DEFAULT;
	bool never = __atomic_load_n(&lu->no_write_same, __ATOMIC_RELAXED);
	void *zeros = never ? NULL : calloc(1, lu->block);
	int err = zeros ? 0 : never ? -EOPNOTSUPP : -ENOMEM;

	if (max > UINT32_MAX)
		max = UINT32_MAX;
	while (!err && blocks) {
		uint32_t n = (uint32_t)(blocks < max ? blocks : max);

		err = write_same(lu, lba, n, zeros);
		lba += n;
		blocks -= n;
	}
	free(zeros);
	if (err == -EOPNOTSUPP)
		__atomic_store_n(&lu->no_write_same, true, __ATOMIC_RELAXED);
	return err;
}

#define STATUS_SIZE (LBA_STATUS_HEAD + 64 * LBA_STATUS_DESC)

int scsi_lba_status(struct scsi_lu *lu, uint64_t lba, uint64_t *blocks, bool *hole)
{
	uint8_t data[STATUS_SIZE] = {0};
	struct scsi_cmd cmd = {.lu = lu, .in = data, .len = sizeof(data)};
	int err;

	if (!lu->thin || !lu->zeros || __atomic_load_n(&lu->no_status, __ATOMIC_RELAXED))
		return -EOPNOTSUPP;
	cmd.cdb[0] = OP_SERVICE_ACTION_IN_16;
	cmd.cdb[1] = SA_GET_LBA_STATUS;
	put_be64(cmd.cdb + 2, lba);
	put_be32(cmd.cdb + 10, sizeof(data));
	err = scsi_exec(&cmd);
	if (!err)
		err = lba_status_decode(data, cmd.got, lba, blocks, hole);
	if (!err && *blocks > lu->blocks - lba)
		*blocks = lu->blocks - lba;
	if (err == -EOPNOTSUPP || err == -EBADMSG) {
		__atomic_store_n(&lu->no_status, true, __ATOMIC_RELAXED);
		err = -EOPNOTSUPP;
	}
	return err;
}
