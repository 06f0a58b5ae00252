// SPDX-License-Identifier: GPL-2.0-or-later
#include "cdb.h"

#include <errno.h>
#include <string.h>

#include "lib/bytes.h"

void cdb_rw_decode(struct cdb_rw *rw, const uint8_t *cdb)
{
	rw->flags = cdb[1];
	switch (scsi_cdb_size(cdb[0])) {
	case 6:
		rw->flags = 0;
		rw->lba = get_be24(cdb + 1) & 0x1fffff;
		rw->blocks = cdb[4] ? cdb[4] : 256;
		break;
	case 10:
		rw->lba = get_be32(cdb + 2);
		rw->blocks = get_be16(cdb + 7);
		break;
	case 12:
		rw->lba = get_be32(cdb + 2);
		rw->blocks = get_be32(cdb + 6);
		break;
	default:
		rw->lba = get_be64(cdb + 2);
		rw->blocks = cdb[0] == OP_COMPARE_AND_WRITE ? cdb[13] : get_be32(cdb + 10);
		break;
	}
}

static unsigned encode_6(uint8_t *cdb, const struct cdb_rw *rw)
{
	if (rw->lba > 0x1fffff || !rw->blocks || rw->blocks > 256 || rw->flags)
		return 0;
	put_be24(cdb + 1, (uint32_t)rw->lba);
	cdb[4] = (uint8_t)rw->blocks;
	return 6;
}

unsigned cdb_rw_encode(uint8_t *cdb, uint8_t opcode, const struct cdb_rw *rw)
{
	unsigned size = scsi_cdb_size(opcode);

	memset(cdb, 0, CDB_MAX);
	cdb[0] = opcode;
	if (size == 6)
		return encode_6(cdb, rw);
	cdb[1] = rw->flags;
	if (size == 16) {
		put_be64(cdb + 2, rw->lba);
		if (opcode != OP_COMPARE_AND_WRITE)
			put_be32(cdb + 10, rw->blocks);
		else if (rw->blocks > UINT8_MAX)
			return 0;
		else
			cdb[13] = (uint8_t)rw->blocks;
		return size;
	}
	if (rw->lba > UINT32_MAX || (size == 10 && rw->blocks > UINT16_MAX))
		return 0;
	put_be32(cdb + 2, (uint32_t)rw->lba);
	if (size == 10)
		put_be16(cdb + 7, (uint16_t)rw->blocks);
	else
		put_be32(cdb + 6, rw->blocks);
	return size;
}

enum list_id_place { NO_LIST_ID, LIST_ID_BYTE_2, LIST_ID_BYTES_2, LIST_ID_BYTES_6 };

static enum list_id_place list_id_place(uint8_t opcode, uint8_t sa)
{
	if (opcode == OP_THIRD_PARTY_COPY_OUT) {
		if (sa == SA_POPULATE_TOKEN || sa == SA_WRITE_USING_TOKEN)
			return LIST_ID_BYTES_6;
		return sa == SA_COPY_OPERATION_ABORT ? LIST_ID_BYTES_2 : NO_LIST_ID;
	}
	if (sa == SA_OPERATING_PARAMETERS)
		return NO_LIST_ID;
	return sa < SA_COPY_STATUS_LID4 ? LIST_ID_BYTE_2 : LIST_ID_BYTES_2;
}

void cdb_tpc_decode(struct cdb_tpc *tpc, const uint8_t *cdb)
{
	tpc->sa = cdb[1] & 0x1f;
	tpc->len = get_be32(cdb + 10);
	switch (list_id_place(cdb[0], tpc->sa)) {
	case LIST_ID_BYTE_2:
		tpc->list_id = cdb[2];
		break;
	case LIST_ID_BYTES_2:
		tpc->list_id = get_be32(cdb + 2);
		break;
	case LIST_ID_BYTES_6:
		tpc->list_id = get_be32(cdb + 6);
		break;
	case NO_LIST_ID:
		tpc->list_id = 0;
		break;
	}
	if (cdb[0] == OP_THIRD_PARTY_COPY_OUT && tpc->sa == SA_COPY_OPERATION_ABORT)
		tpc->len = 0;
}

unsigned cdb_tpc_encode(uint8_t *cdb, uint8_t opcode, const struct cdb_tpc *tpc)
{
	memset(cdb, 0, CDB_MAX);
	cdb[0] = opcode;
	cdb[1] = tpc->sa;
	put_be32(cdb + 10, tpc->len);
	switch (list_id_place(opcode, tpc->sa)) {
	case LIST_ID_BYTE_2:
		cdb[2] = (uint8_t)tpc->list_id;
		break;
	case LIST_ID_BYTES_2:
		put_be32(cdb + 2, tpc->list_id);
		break;
	case LIST_ID_BYTES_6:
		put_be32(cdb + 6, tpc->list_id);
		break;
	case NO_LIST_ID:
		break;
	}
	return CDB_MAX;
}

int unmap_count(const uint8_t *list, size_t len)
{
	size_t bytes;

	if (len < UNMAP_HEAD)
		return -EBADMSG;
	bytes = get_be16(list + 2);
	if (bytes > len - UNMAP_HEAD || get_be16(list) < bytes + UNMAP_HEAD - 2)
		return -EBADMSG;
	/* SBC-3, 5.28: what is left of a descriptor is ignored. */
	return (int)(bytes / UNMAP_DESC);
}

void unmap_range_decode(struct unmap_range *range, const uint8_t *list, unsigned i)
{
	const uint8_t *desc = list + UNMAP_HEAD + (size_t)i * UNMAP_DESC;

	range->lba = get_be64(desc);
	range->blocks = get_be32(desc + 8);
}

int lun_decode(const uint8_t *lun)
{
	static const uint8_t zeros[6];
	unsigned method = lun[0] >> 6;

	if (memcmp(lun + 2, zeros, sizeof(zeros)) != 0 || method > 1)
		return -1;
	if (method == 0)
		return lun[0] ? -1 : lun[1];
	return get_be16(lun) & 0x3fff;
}

void lun_encode(uint8_t *lun, unsigned number)
{
	memset(lun, 0, 8);
	put_be16(lun, (uint16_t)(number < 256 ? number : number | 0x4000));
}

int lba_status_decode(const uint8_t *data, size_t len, uint64_t lba, uint64_t *blocks, bool *hole)
{
	uint64_t at = lba;

	*blocks = 0;
	if (len < LBA_STATUS_HEAD + LBA_STATUS_DESC)
		return -EBADMSG;
	if (len > (uint64_t)get_be32(data) + 4)
		len = (size_t)get_be32(data) + 4;
	for (size_t i = LBA_STATUS_HEAD; i + LBA_STATUS_DESC <= len; i += LBA_STATUS_DESC) {
		uint64_t from = get_be64(data + i), n = get_be32(data + i + 8);
		bool is_hole = (data[i + 12] & 0x0f) != 0;

		if (from > at || from + n < from || from + n <= at ||
		    (at > lba && is_hole != *hole))
			break;
		*hole = is_hole;
		at = from + n;
	}
	*blocks = at - lba;
	return at > lba ? 0 : -EBADMSG;
}
