/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.h - PDUs of an initiator, made by hand. */
#ifndef SELFTESTS_SCSI_WIRE_H
#define SELFTESTS_SCSI_WIRE_H

#include "scsi/proto/iscsi.h"

#define WIRE_MAX    4096
#define WIRE_TARGET "iqn.2026-11.test:t"

struct wire {
	uint8_t bytes[WIRE_MAX];
	size_t len;
};

/* A BHS; the caller fills in what it is about. */
static inline struct iscsi_bhs *wire_bhs(struct wire *w, uint8_t opcode, uint8_t flags)
{
	struct iscsi_bhs *b = (struct iscsi_bhs *)w->bytes;

	memset(w, 0, sizeof(*w));
	b->opcode = opcode;
	b->flags = flags;
	put_be32(b->itt, 0x10);
	w->len = ISCSI_BHS;
	return b;
}

static inline void wire_data(struct wire *w, const void *data, size_t len)
{
	memcpy(w->bytes + ISCSI_BHS, data, len);
	put_be24(((struct iscsi_bhs *)w->bytes)->data_len, (uint32_t)len);
	w->len = ISCSI_BHS + ((len + 3) & ~(size_t)3);
}

/* In one step from nothing to full feature phase. */
static inline void wire_login(struct wire *w, const char *more, size_t more_len)
{
	struct iscsi_bhs *b = wire_bhs(w, ISCSI_LOGIN_REQUEST | ISCSI_IMMEDIATE,
				       ISCSI_TRANSIT | STAGE_OPERATIONAL << 2 | STAGE_FULL);
	char text[WIRE_MAX - 100];
	size_t len = 0;

	b->lun[0] = 0x80;
	put_be32(b->sn, 1);
	iscsi_text_add(text, sizeof(text), &len, "InitiatorName", "iqn.2026-11.test:wire");
	iscsi_text_add(text, sizeof(text), &len, "TargetName", WIRE_TARGET);
	iscsi_text_add(text, sizeof(text), &len, "SessionType", "Normal");
	if (more_len)
		memcpy(text + len, more, more_len);
	wire_data(w, text, len + more_len);
}

/* A command; @sn: CmdSN. */
static inline struct iscsi_bhs *wire_command(struct wire *w, uint8_t flags, uint32_t sn,
					     const uint8_t *cdb)
{
	struct iscsi_bhs *b = wire_bhs(w, ISCSI_COMMAND, flags);

	put_be32(b->itt, 0x100 + sn);
	put_be32(b->sn, sn);
	memcpy(b->cdb, cdb, 16);
	return b;
}

#endif
