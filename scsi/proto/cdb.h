/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cdb.h - command descriptor blocks: the fields that more than one command has. */
#ifndef SCSI_PROTO_CDB_H
#define SCSI_PROTO_CDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scsi.h"

#define CDB_MAX 16

/* Of READ, WRITE, VERIFY and their like, byte 1. */
#define RW_PROTECT 0xe0
#define RW_DPO	   0x10
#define RW_FUA	   0x08
#define RW_BYTCHK  0x06
/* Of WRITE SAME, byte 1. */
#define WS_ANCHOR 0x10
#define WS_UNMAP  0x08
#define WS_NDOB	  0x01

/* Where on the medium. */
struct cdb_rw {
	uint64_t lba;
	uint32_t blocks; /* of READ (6) and WRITE (6), 0 is given as 256 */
	uint8_t flags;	 /* byte 1; 0 of 6-byte CDBs */
};

/**
 * cdb_rw_decode - LBA and number of blocks of any command that has them where READ has
 * @cdb: as long as scsi_cdb_size() says
 *
 * COMPARE AND WRITE, which counts in one byte, too.
 */
void cdb_rw_decode(struct cdb_rw *rw, const uint8_t *cdb);

/**
 * cdb_rw_encode - the other way
 * @cdb: CDB_MAX bytes
 *
 * Return: bytes of the CDB; 0 when LBA or blocks do not fit into it.
 */
unsigned cdb_rw_encode(uint8_t *cdb, uint8_t opcode, const struct cdb_rw *rw);

/* THIRD-PARTY COPY OUT and IN (83h, 84h). */
struct cdb_tpc {
	uint8_t sa;
	uint32_t list_id; /* 8 bits of the LID1 forms of 84h; none of 83h/00h and 01h */
	uint32_t len;	  /* of the parameter list, or allocated */
};

void cdb_tpc_decode(struct cdb_tpc *tpc, const uint8_t *cdb);
unsigned cdb_tpc_encode(uint8_t *cdb, uint8_t opcode, const struct cdb_tpc *tpc);

/* One unmap block descriptor, and its whole list. */
#define UNMAP_HEAD 8
#define UNMAP_DESC 16
struct unmap_range {
	uint64_t lba;
	uint32_t blocks;
};

/** unmap_count - descriptors in the list of @len bytes, or -EBADMSG: lengths that contradict */
int unmap_count(const uint8_t *list, size_t len);
void unmap_range_decode(struct unmap_range *range, const uint8_t *list, unsigned i);

/* GET LBA STATUS */
#define LBA_STATUS_HEAD 8
#define LBA_STATUS_DESC 16
/**
 * lba_status_decode - what stands at @lba: @hole, deallocated or anchored, for @blocks blocks
 * Return: 0, or -EBADMSG: the data do not say.  Descriptors that agree are taken as one.
 */
int lba_status_decode(const uint8_t *data, size_t len, uint64_t lba, uint64_t *blocks, bool *hole);

/** lun_decode - a LUN of 8 bytes, of one level: its number, or -1 */
int lun_decode(const uint8_t *lun);
/** lun_encode - by the peripheral method up to 255, by the flat one up to 16383 */
void lun_encode(uint8_t *lun, unsigned number);

#endif
