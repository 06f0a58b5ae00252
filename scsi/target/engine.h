/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.h - logical units, nexuses and commands, without a transport.
 *
 * A transport makes a nexus for each session and a struct scsi_task for each command:
 *
 *	scsi_begin()	finds the logical unit, checks the CDB and who may send it; says how
 *			much data it takes (want, out).  done: that was all, status is set.
 *	scsi_try()	does it if that can be without waiting: for the transport's own thread
 *	scsi_run()	does it; blocks on files, so a worker calls it
 *	scsi_end()	frees what it held
 *
 * Every command is a row of cmd_table.c.  A copy that was asked to go on by itself (IMMED)
 * runs on the engine's workers.
 */
#ifndef SCSI_TARGET_ENGINE_H
#define SCSI_TARGET_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scsi/proto/cdb.h"
#include "scsi/proto/scsi.h"
#include "scsi/proto/sense.h"
#include "scsi/proto/xcopy.h"
#include "vfs.h"

#define BLOCK	       512u
#define NAME_MAX_ISCSI 223
#define LUNS_MAX       64 /* of one target */
/* The most that one READ or WRITE moves; also bounds the buffer a command gets. */
#define TRANSFER_MAX	 ((uint32_t)32 << 20)
#define TRANSFER_OPTIMAL ((uint32_t)1 << 20)
/* Parameter lists are shorter. */
#define LIST_MAX ((uint32_t)64 << 10)

#define UNMAP_RANGES_MAX 1024
/* Blocks of one WRITE SAME. */
#define WRITE_SAME_MAX ((uint32_t)1 << 23)

struct engine;
struct lu;
struct pr;

/* A LUN of a target. */
struct lun {
	unsigned number;
	bool ro;
	struct lu *lu;
};

struct target {
	struct target *next;
	struct engine *engine;
	char name[NAME_MAX_ISCSI + 1];
	unsigned n;
	struct lun lun[LUNS_MAX]; /* by number */
};

/* An initiator port and a target port that know each other: a session. */
struct nexus {
	struct nexus *next;
	struct target *target;
	char initiator[NAME_MAX_ISCSI + 1];
	uint8_t isid[6];
	atomic_uint attention[LUNS_MAX]; /* 1 << enum attention, by index into target->lun */
	/* Counted up to abort what was sent before; how many commands run. */
	atomic_uint epoch[LUNS_MAX], running[LUNS_MAX];
	atomic_uint refs;
	atomic_uint busy;    /* copies that run by themselves */
	atomic_bool gone;    /* the session has ended */
	struct copy_op *ops; /* under engine->ops_lock */
	unsigned n_ops;
};

/* What a nexus is told of at its next command, the most important first. */
enum attention {
	ATTENTION_POWER_ON,
	ATTENTION_RESET,
	ATTENTION_CLEARED,
	ATTENTION_PREEMPTED,
	ATTENTION_UNREGISTERED,
	ATTENTION_RELEASED,
	ATTENTION_MODE,
	ATTENTIONS
};

enum data_dir { DATA_NONE, DATA_IN, DATA_OUT };

struct scsi_task {
	struct nexus *nexus;
	uint8_t lun_field[8];
	uint8_t cdb[CDB_MAX];

	/* scsi_begin() fills these. */
	const struct cmd_row *row;
	struct lun *lun; /* NULL: there is none of this number */
	struct lu *lu;
	bool done;
	bool aborted; /* by another nexus: it gets no answer */
	bool nowait;  /* scsi_try(), which left it to scsi_run() when again is set */
	bool again;
	unsigned epoch;
	enum data_dir dir;
	uint32_t want; /* bytes that the CDB speaks of */

	uint32_t expected; /* what the initiator expects to go over, set by the transport */

	/*
	 * DATA_OUT: the transport puts what came in @data, of want bytes, and says in @len how
	 * much that is.  DATA_IN: scsi_run() leaves @len bytes there.
	 */
	uint8_t *data;
	uint32_t len;
	uint32_t charged; /* what of the engine's memory it has */

	uint8_t status;
	struct sense sense;
	int stop; /* by __atomic: end soon */
};

/* Threads and a queue. */
struct work {
	struct work *next;
	void (*fn)(struct work *work);
};
struct workers;
struct workers *workers_new(unsigned n);
void workers_add(struct workers *w, struct work *work);
/* Ends them when their queue is empty. */
void workers_free(struct workers *w);

struct token;
struct state;

struct engine {
	struct cr_ns *ns;
	struct target *targets;
	struct lu *lus;
	struct workers *copies; /* for what runs by itself */
	struct state *state;	/* reservations that outlive us; NULL: none do */
	size_t memory_max;
	atomic_size_t memory;

	pthread_mutex_t nexus_lock; /* the list */
	struct nexus *nexuses;
	pthread_mutex_t ops_lock;
	pthread_mutex_t token_lock;
	struct token *tokens;
	unsigned n_tokens;
	uint64_t next_token;
	atomic_uint copying;

	/* Told when a copy has ended by itself, on its thread; may be NULL. */
	void (*wake)(void *arg);
	/* Told what became of each request to the core, on the thread that made it; may be NULL. */
	void (*copied)(void *arg, const struct copy_result *res);
	void *wake_arg;
};

/**
 * engine_init - targets and LUNs are added afterwards; nexuses only then
 * @state_dir: where reservations are kept, or NULL
 * @why: what failed, for people: @room bytes
 *
 * Return: 0 or a negative errno.
 */
int engine_init(struct engine *e, const char *state_dir, char *why, size_t room);
/* With all nexuses put. */
void engine_end(struct engine *e);
/* Once a second or so: tokens and results that nobody asked for in time are dropped. */
void engine_tick(struct engine *e);

/* -EINVAL: no iSCSI name; -EEXIST; -ENOMEM */
int target_add(struct engine *e, const char *name, struct target **targetp);
struct target *target_find(struct engine *e, const char *name);

struct lun_spec {
	unsigned number;
	const char *file;
	uint64_t size;	   /* bytes; 0: that of the file */
	unsigned physical; /* exponent: blocks of a physical one, 0 to 3 */
	bool ro;
};
int target_add_lun(struct target *t, const struct lun_spec *spec, char *why, size_t room);

struct nexus *nexus_new(struct target *t, const char *initiator, const uint8_t isid[6]);
/* The session has ended: its reservations by RESERVE, its copies. */
void nexus_lost(struct nexus *nexus);
void nexus_get(struct nexus *nexus);
void nexus_put(struct nexus *nexus);
/* Whether a copy of it still runs. */
bool nexus_busy(struct nexus *nexus);

/* Tell all nexuses that see @lu, but @except (may be NULL). */
void attention_raise(struct engine *e, struct lu *lu, enum attention what,
		     const struct nexus *except);
void attention_one(struct nexus *nexus, struct lu *lu, enum attention what);
/* The LU reset of task management: reservations by RESERVE and mode pages as at the start. */
void lu_reset(struct engine *e, struct lu *lu);

void scsi_begin(struct scsi_task *t);
/* False: it has to wait, and nothing was done. */
bool scsi_try(struct scsi_task *t);
void scsi_run(struct scsi_task *t);
void scsi_end(struct scsi_task *t);
/* Whether scsi_run() may take long. */
bool scsi_copies(const struct scsi_task *t);
/* Sense data as this logical unit gives them: SENSE_MAX bytes; returns how many. */
size_t scsi_sense(const struct scsi_task *t, uint8_t *buf);

/* For commands ------------------------------------------------------------------ */

/* What a command is checked by, answered with, and done by. */
enum cmd_data {
	NO_DATA,
	IN_BLOCKS, /* as many as the CDB says */
	OUT_BLOCKS,
	OUT_VERIFY, /* by BYTCHK */
	OUT_ONE,    /* one block, or none with NDOB */
	OUT_TWICE,
	IN_ALLOC, /* a field says how much */
	OUT_LIST,
};
#define CMD_WORKER   0x01u  /* waits for files */
#define CMD_COPY     0x02u  /* may take long */
#define CMD_ANY_LUN  0x04u  /* answered where there is no logical unit, too */
#define CMD_NO_UA    0x08u  /* goes before a unit attention */
#define CMD_READS    0x10u  /* conflicts with exclusive access */
#define CMD_WRITES   0x20u  /* conflicts with write exclusive, too */
#define CMD_RESERVED 0x40u  /* goes even where another one did RESERVE (6) */
#define CMD_CHANGES  0x80u  /* not on a LUN that is read-only */
#define CMD_BLOCKS   0x100u /* a range of blocks is checked against the capacity */
#define CMD_TRIES    0x200u /* knows nowait */

struct cmd_row {
	uint8_t opcode;
	int8_t sa; /* -1: none */
	uint8_t data;
	uint8_t len_at, len_bytes; /* the field of IN_ALLOC and OUT_LIST */
	unsigned flags;
	void (*run)(struct scsi_task *t);
	const char *name;
	uint8_t usage[CDB_MAX]; /* bits that may be set, from byte 1 on */
};

#define CMD_ROWS_MAX 96
extern const struct cmd_row cmd_rows[];
extern const unsigned cmd_rows_n;
const struct cmd_row *cmd_find(const uint8_t *cdb);

void task_check(struct scsi_task *t, uint8_t key, uint16_t asc);
/* ILLEGAL REQUEST about byte @at of the CDB, or of the parameter list. */
void task_bad_cdb(struct scsi_task *t, unsigned at);
void task_bad_list(struct scsi_task *t, unsigned at);
/* By a negative errno of reading or writing. */
void task_error(struct scsi_task *t, int err, bool writing);
void sense_of_errno(struct sense *sense, int err, bool writing);
/* Answer with at most as much as was asked for. */
void task_reply(struct scsi_task *t, const void *data, size_t len);
/* A buffer of t->want bytes for what is to be sent; NULL and BUSY without memory. */
uint8_t *task_buffer(struct scsi_task *t);
/* Whether someone wants it to end. */
static inline bool task_stopped(const struct scsi_task *t)
{
	return __atomic_load_n(&t->stop, __ATOMIC_RELAXED);
}

#define DECLARE_CMD(name) void name(struct scsi_task *t)
DECLARE_CMD(cmd_test_unit_ready);
DECLARE_CMD(cmd_request_sense);
DECLARE_CMD(cmd_inquiry);
DECLARE_CMD(cmd_report_luns);
DECLARE_CMD(cmd_report_opcodes);
DECLARE_CMD(cmd_report_tmf);
DECLARE_CMD(cmd_mode_sense);
DECLARE_CMD(cmd_mode_select);
DECLARE_CMD(cmd_start_stop);
DECLARE_CMD(cmd_prevent_allow);
DECLARE_CMD(cmd_read_capacity_10);
DECLARE_CMD(cmd_read_capacity_16);
DECLARE_CMD(cmd_read);
DECLARE_CMD(cmd_write);
DECLARE_CMD(cmd_verify);
DECLARE_CMD(cmd_prefetch);
DECLARE_CMD(cmd_compare_and_write);
DECLARE_CMD(cmd_orwrite);
DECLARE_CMD(cmd_write_same);
DECLARE_CMD(cmd_unmap);
DECLARE_CMD(cmd_sync_cache);
DECLARE_CMD(cmd_get_lba_status);
DECLARE_CMD(cmd_read_defects);
DECLARE_CMD(cmd_reserve);
DECLARE_CMD(cmd_release);
DECLARE_CMD(cmd_pr_in);
DECLARE_CMD(cmd_pr_out);
DECLARE_CMD(cmd_extended_copy);
DECLARE_CMD(cmd_populate_token);
DECLARE_CMD(cmd_write_using_token);
DECLARE_CMD(cmd_copy_abort);
DECLARE_CMD(cmd_copy_status);
DECLARE_CMD(cmd_copy_limits);
DECLARE_CMD(cmd_copy_failure);
DECLARE_CMD(cmd_rod_token_info);

#endif
