// SPDX-License-Identifier: GPL-2.0-or-later
/* sense_map.c - an errno as an initiator understands it: the only place. */
#include <errno.h>

#include "engine.h"

static const struct {
	int err;
	uint8_t key;
	uint16_t asc;
} rows[] = {
	{ENOSPC, KEY_DATA_PROTECT, ASC_SPACE_ALLOCATION_FAILED},
	{EDQUOT, KEY_DATA_PROTECT, ASC_SPACE_ALLOCATION_FAILED},
	{EFBIG, KEY_DATA_PROTECT, ASC_SPACE_ALLOCATION_FAILED},
	{EROFS, KEY_DATA_PROTECT, ASC_WRITE_PROTECTED},
	{EPERM, KEY_DATA_PROTECT, ASC_WRITE_PROTECTED},
	{EACCES, KEY_DATA_PROTECT, ASC_WRITE_PROTECTED},
	{EBADF, KEY_DATA_PROTECT, ASC_WRITE_PROTECTED},
	{ETXTBSY, KEY_DATA_PROTECT, ASC_WRITE_PROTECTED},
	{ENOMEM, KEY_ABORTED_COMMAND, ASC_INSUFFICIENT_RESOURCES},
};

void sense_of_errno(struct sense *sense, int err, bool writing)
{
	*sense = (struct sense){
		.key = KEY_MEDIUM_ERROR,
		.asc = writing ? ASC_WRITE_ERROR : ASC_READ_ERROR,
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].err == -err) {
			sense->key = rows[i].key;
			sense->asc = rows[i].asc;
		}
}

void task_error(struct scsi_task *t, int err, bool writing)
{
	sense_of_errno(&t->sense, err, writing);
	t->status = STATUS_CHECK_CONDITION;
}
