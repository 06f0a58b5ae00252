/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sbc.h - how everything that changes a medium goes about it. */
#ifndef SCSI_TARGET_SBC_H
#define SCSI_TARGET_SBC_H

#include "lu.h"

/* Nobody else works there, and tokens that stand for it are told. */
void change_begin(struct lu *lu, struct range_lock *lock, uint64_t pos, uint64_t len);
/* Made durable where that was asked for; sets the task's status by @err and returns it. */
int change_end(struct scsi_task *t, struct range_lock *lock, bool durable, int err);

#endif
