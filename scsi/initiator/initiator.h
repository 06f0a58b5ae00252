/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * initiator.h - commands to logical units, whatever carries them.
 *
 * A transport is a small table (struct scsi_transport): libiscsi.c, and the loopback of
 * selftests/scsi.  Above it, command.c sends one command and settles what may be tried
 * again, renew.c goes on in a new session where one was lost, probe.c learns what a unit is
 * and can, disk.c has the commands of a disk, xcopy.c lets the array copy.
 *
 * Any thread may call; several commands may be under way at once.  All return 0 or a
 * negative errno.
 */
#ifndef SCSI_INITIATOR_H
#define SCSI_INITIATOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scsi/proto/cdb.h"
#include "scsi/proto/sense.h"
#include "scsi/proto/vpd.h"

struct scsi_lu;

/* One command; the struct is the transport's from start() until done() is called. */
struct scsi_cmd {
	struct scsi_lu *lu;
	uint8_t cdb[CDB_MAX];
	const void *out;  /* data that go out, or */
	void *in;	  /* a buffer for those that come */
	uint32_t len;	  /* of either */
	unsigned timeout; /* seconds */
	/* Called once, on any thread, maybe before start() returns. */
	void (*done)(struct scsi_cmd *cmd);
	void *arg;

	/* The answer */
	int err; /* of the transport: nothing below is known; -ECONNRESET: see struct scsi_transport
		  */
	uint8_t status;
	bool sensed;
	struct sense sense;
	uint32_t got; /* bytes that came */

	void *priv; /* the transport's */
	struct scsi_cmd *next;
};

struct scsi_transport {
	const char *name;
	void (*start)(struct scsi_cmd *cmd);
	/* Once, when the unit is not used any more; may be NULL. */
	void (*release)(struct scsi_lu *lu);
	/*
	 * The number of the session that carries its commands; may be NULL.  When a session is
	 * lost, what was under way is answered with -ECONNRESET, and so is all that follows
	 * until the unit's number is that of the new session: see scsi_renew().  A target that
	 * has let a session come back has ended what was under way in the old one (RFC 7143
	 * 6.3.5), so the same command may be sent again.
	 */
	unsigned (*session)(struct scsi_lu *lu);
};

/* A logical unit: what carries its commands, and what scsi_probe() learned. */
struct scsi_lu {
	const struct scsi_transport *transport;
	void *port; /* the transport's */
	unsigned lun;

	uint64_t blocks;
	uint32_t block;			 /* bytes */
	uint32_t physical, max_transfer; /* bytes */
	char vendor[9], product[17];
	bool thin, zeros; /* what is not mapped reads as zeros */
	struct provisioning prov;
	struct block_limits limits;
	struct designator name[4]; /* best first, to be named by in copies */
	unsigned names;

	/* Copies by the array: nothing of it without @copies. */
	bool copies, lid4, lid4_status, copy_abort, tokens;
	bool may_copy; /* it says that it does, and was not asked how */
	struct copy_limits_data copy;
	struct tpc_page tpc;

	pthread_mutex_t lock; /* of what follows */
	uint32_t list_id;
	bool no_status; /* GET LBA STATUS is not known there */
	bool no_write_same;

	/* Of renew.c */
	pthread_mutex_t renewal;
	unsigned session; /* by __atomic: for which the unit is known to be what it was */
	bool probed;	  /* what stands above is what it has to be in another session too */
	bool unsaved;	  /* by __atomic: written to, and not saved since */
	unsigned saving;  /* by __atomic: of scsi_sync() that have something to save */
	bool doubt;	  /* by __atomic: what it had in its cache may be lost */
};

/* scsi_lu_init - @lu with its transport, port and lun set; scsi_lu_end() undoes it and releases */
void scsi_lu_init(struct scsi_lu *lu);
void scsi_lu_end(struct scsi_lu *lu);

/* command.c ------------------------------------------------------------------------ */

/**
 * scsi_exec - one command, and again where that may help: unit attentions, a busy unit
 *
 * Return: 0, or what its status and sense mean (scsi_errno()); both stay in @cmd.
 */
int scsi_exec(struct scsi_cmd *cmd);
/* The same, one time, whatever the answer. */
int scsi_exec_once(struct scsi_cmd *cmd);
/* What the answer of @cmd means, as a negative errno; 0: it went well. */
int scsi_errno(const struct scsi_cmd *cmd);
/*
 * Whether the same command may go well in a moment, and how often that happened.  A session
 * that was lost is waited for; cmd->err says why it did not come back.
 */
bool scsi_again(struct scsi_cmd *cmd, unsigned *tries);

/* renew.c */

/**
 * scsi_renew - the unit is asked in a new session whether it is still the same
 *
 * Return: 0: commands may be sent again; -ESTALE: by its name or size it is another one; or
 * why the session did not come back.  When the unit has a cache that a loss of power empties,
 * was written to since scsi_sync(), and says that it may have lost power, the next scsi_sync()
 * fails.
 */
int scsi_renew(struct scsi_lu *lu);

/* probe.c */

/* What the unit is; -ENODEV: no such, -EMEDIUMTYPE: no disk. */
int scsi_probe(struct scsi_lu *lu);
/* Of a unit that is only copied from: its limits are not asked. */
int scsi_probe_source(struct scsi_lu *lu);
/* Then whether it copies by itself, which tokens need to know; at most once. */
void scsi_probe_copies(struct scsi_lu *lu);
/*
 * No more than name and size; @attention: of the unit attention that was met, ASC and ASCQ, or
 * 0.
 */
int scsi_identify(struct scsi_lu *lu, uint16_t *attention);
/* The capacity and the limits again, after a unit attention said that they changed. */
int scsi_probe_limits(struct scsi_lu *lu);
/**
 * scsi_reserved - whether a persistent reservation keeps us, who have no key, from it
 * Return: 0, -EBUSY
 */
int scsi_reserved(struct scsi_lu *lu, bool write);

/* disk.c: blocks are logical ones, at most max_transfer bytes at once */

int scsi_read(struct scsi_lu *lu, void *buf, uint64_t lba, uint32_t blocks);
int scsi_write(struct scsi_lu *lu, const void *buf, uint64_t lba, uint32_t blocks);
/* -EIO also when what was written before may be lost: see scsi_renew(). */
int scsi_sync(struct scsi_lu *lu);
/* Something is going to be written that scsi_sync() has to save. */
static inline void scsi_unsaved(struct scsi_lu *lu)
{
	__atomic_store_n(&lu->unsaved, true, __ATOMIC_SEQ_CST);
}
/* Zeros, given back to the array where it is thin; -EOPNOTSUPP: only by writing them. */
int scsi_zero(struct scsi_lu *lu, uint64_t lba, uint64_t blocks);
/* What stands at @lba, and how many blocks of it; -EOPNOTSUPP: the unit cannot tell. */
int scsi_lba_status(struct scsi_lu *lu, uint64_t lba, uint64_t *blocks, bool *hole);

/* xcopy.c -------------------------------------------------------------------------- */

/* How far a refusal reaches. */
enum xcopy_scope { XCOPY_RANGE, XCOPY_PAIR, XCOPY_UNIT };

/* A part of what is copied: bytes; @at: the sum of what stands before it. */
struct xcopy_extent {
	uint64_t at, from, to, len;
};

struct xcopy {
	struct scsi_lu *src, *dst;
	uint64_t from, to, len; /* bytes */
	/* In parts, in the place of from and to: their sum is len.  NULL: it is in one. */
	const struct xcopy_extent *extent;
	unsigned extents;
	const int *stop; /* may be NULL */
	/*
	 * By __atomic: while commands run for long, bytes are added that the array says it
	 * has copied; they are taken back before the end.  May be NULL.
	 */
	uint64_t *progress;

	uint64_t done;	     /* bytes from the start that are copied */
	uint64_t commands;   /* that were sent */
	const char *command; /* their name, for people */
	/* Of a refusal */
	const char *reason;
	enum xcopy_scope scope;
	uint64_t after; /* bytes after which asking again is worth it; 0: not in this range */
};

/**
 * xcopy_run - let the array copy as much as it does
 *
 * Return: 0: x->done is not 0, and more may be possible; -EOPNOTSUPP: nothing is copied by it,
 * x->reason and scope say why, and what of the range was touched is to be written in another
 * way; another error is final.  -ECANCELED: stopped before the first byte.
 */
int xcopy_run(struct xcopy *x);
/** odx_run - the same by tokens, for arrays without EXTENDED COPY */
int odx_run(struct xcopy *x);
/*
 * The same in two steps: odx_grant() asks the source for a token of what begins at x->from, as
 * much of x->len as it then says; odx_redeem() has the target write that from x->to on, x->done
 * bytes of it.  @token: TOKEN_SIZE bytes.  Return: as xcopy_run().
 */
int odx_grant(struct xcopy *x, uint8_t *token);
int odx_redeem(struct xcopy *x, const uint8_t *token);

/* sgio.c: a unit's port is one of these; the descriptor is the caller's. */
struct sgio_port {
	int fd;
};
extern const struct scsi_transport sgio_transport;

#ifdef CONFIG_FS_BLOCK_ISCSI
struct iscsi_place {
	char portal[256]; /* host[:port] */
	char target[224];
	char user[256], password[256];
	unsigned timeout;		    /* seconds for which the target may be gone */
	char peer[256], peer_password[256]; /* what the target has to prove; "": nothing */
};
/* A session with a target; its units are made by setting transport and port. */
struct iscsi_session;
/*
 * @stop: when *stop is set a session that was lost is waited for no longer; may be NULL.
 * Return: 0; -EACCES: CHAP; -ENOENT: no such target; -ELIBACC: libiscsi is not installed; what
 * the network says.
 */
int iscsi_session_open(const struct iscsi_place *place, const int *stop,
		       struct iscsi_session **sessionp);
void iscsi_session_close(struct iscsi_session *session);
/* False: it was lost and did not come back in time. */
bool iscsi_session_alive(struct iscsi_session *session);
extern const struct scsi_transport iscsi_transport;
#endif

#endif
