// SPDX-License-Identifier: GPL-2.0-or-later
/* command.c - one command from its start to an errno. */
#include <errno.h>
#include <time.h>

#include "initiator.h"
#include "scsi/proto/scsi.h"

#define TRIES	   8u
#define BUSY_MS	   20u
#define TIMEOUT_S  60u
#define ASC_FORMAT 0x0404

void scsi_lu_init(struct scsi_lu *lu)
{
	pthread_mutex_init(&lu->lock, NULL);
	pthread_mutex_init(&lu->renewal, NULL);
	lu->session = lu->transport->session ? lu->transport->session(lu) : 0;
}

void scsi_lu_end(struct scsi_lu *lu)
{
	if (lu->transport->release)
		lu->transport->release(lu);
	pthread_mutex_destroy(&lu->renewal);
	pthread_mutex_destroy(&lu->lock);
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
};

static void woken(struct scsi_cmd *cmd)
{
	struct waiter *w = cmd->arg;

	pthread_mutex_lock(&w->lock);
	w->done = true;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->lock);
}

static void run_once(struct scsi_cmd *cmd)
{
	struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

	cmd->done = woken;
	cmd->arg = &w;
	cmd->err = 0;
	cmd->status = 0;
	cmd->sensed = false;
	cmd->got = 0;
	cmd->lu->transport->start(cmd);
	pthread_mutex_lock(&w.lock);
	while (!w.done)
		pthread_cond_wait(&w.cond, &w.lock);
	pthread_mutex_unlock(&w.lock);
	pthread_mutex_destroy(&w.lock);
	pthread_cond_destroy(&w.cond);
}

static void pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

/* Becoming ready, and an abort by somebody else, pass; so do unit attentions. */
static bool passes(const struct sense *s)
{
	if (s->key == KEY_UNIT_ATTENTION || s->key == KEY_ABORTED_COMMAND)
		return true;
	return s->key == KEY_NOT_READY && s->asc >> 8 == 0x04 && s->asc != ASC_FORMAT;
}

bool scsi_again(struct scsi_cmd *cmd, unsigned *tries)
{
	bool busy = cmd->status == STATUS_BUSY || cmd->status == STATUS_TASK_SET_FULL;
	bool check = cmd->status == STATUS_CHECK_CONDITION && cmd->sensed;

	if (cmd->err == -ECONNRESET && *tries < TRIES && cmd->lu->probed) {
		(*tries)++;
		cmd->err = scsi_renew(cmd->lu);
		return !cmd->err;
	}
	if (cmd->err || *tries >= TRIES || !(busy || (check && passes(&cmd->sense))))
		return false;
	if (busy || cmd->sense.key == KEY_NOT_READY)
		pause_ms(BUSY_MS << *tries);
	(*tries)++;
	return true;
}

static int sense_errno(const struct sense *s)
{
	switch (s->key) {
	case KEY_NO_SENSE:
	case 0x1: /* RECOVERED ERROR */
		return 0;
	case KEY_NOT_READY:
		return s->asc >> 8 == 0x3a ? -ENOMEDIUM : -EAGAIN;
	case KEY_ILLEGAL_REQUEST:
		if (s->asc == ASC_LUN_NOT_SUPPORTED)
			return -ENODEV;
		if (s->asc == ASC_LBA_OUT_OF_RANGE)
			return -ENOSPC;
		return s->asc == ASC_INVALID_OPCODE || s->asc == ASC_INVALID_FIELD_IN_CDB
			       ? -EOPNOTSUPP
			       : -EREMOTEIO;
	case KEY_DATA_PROTECT:
		return s->asc == ASC_SPACE_ALLOCATION_FAILED ? -ENOSPC : -EROFS;
	default:
		return -EIO;
	}
}

int scsi_errno(const struct scsi_cmd *cmd)
{
	if (cmd->err)
		return cmd->err;
	switch (cmd->status) {
	case STATUS_GOOD:
	case STATUS_CONDITION_MET:
		return 0;
	case STATUS_RESERVATION_CONFLICT:
	case STATUS_BUSY:
	case STATUS_TASK_SET_FULL:
		return -EBUSY;
	case STATUS_CHECK_CONDITION:
		return cmd->sensed ? sense_errno(&cmd->sense) : -EIO;
	default:
		return -EIO;
	}
}

int scsi_exec_once(struct scsi_cmd *cmd)
{
	if (!cmd->timeout)
		cmd->timeout = TIMEOUT_S;
	run_once(cmd);
	return scsi_errno(cmd);
}

int scsi_exec(struct scsi_cmd *cmd)
{
	unsigned tries = 0;

	if (!cmd->timeout)
		cmd->timeout = TIMEOUT_S;
	do
		run_once(cmd);
	while (scsi_again(cmd, &tries));
	return scsi_errno(cmd);
}
