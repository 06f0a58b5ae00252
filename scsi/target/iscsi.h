/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iscsi.h - the transport: sessions over TCP (RFC 7143), error recovery level 0.
 *
 * One thread runs server.c's loop and owns every connection, session and task; nothing of
 * them needs a lock.  Commands that wait for files go to workers, which touch the struct
 * scsi_task alone and hand it back by a list and an eventfd.
 */
#ifndef SCSI_TARGET_ISCSI_H
#define SCSI_TARGET_ISCSI_H

#include <sys/uio.h>

#include "engine.h"
#include "scsi/proto/iscsi.h"

#define CONNS_MAX     256
#define LISTEN_MAX    16
#define WINDOW	      128		    /* commands of a session at once */
#define OUR_SEGMENT   ((uint32_t)256 << 10) /* MaxRecvDataSegmentLength */
#define LOGIN_SEGMENT 8192u
#define OUR_BURST     ((uint32_t)1 << 20)
#define OUR_FIRST     ((uint32_t)256 << 10)
#define LOGIN_TEXT    16384u
#define RX_BUFFER     16384u
/* Responses that are not taken: nothing is read until some of them are. */
#define OUT_MAX	     1024
#define CHAP_BYTES   16
#define CHAP_MAX     1024 /* of a challenge */
#define PORTAL_GROUP 1

/* Seconds. */
#define LOGIN_TIME 30
#define IDLE_TIME  20 /* then it is asked whether it is there */
#define DEAD_TIME  45
#define STUCK_TIME 30 /* nothing of what is to be sent goes out */
#define PDU_TIME   60 /* for one PDU from its first byte to its last */

struct auth {
	char user[256], secret[256]; /* none: user is "" */
};

struct server {
	struct engine engine;
	struct auth in, out; /* who logs in, and who we say we are */
	int epoll, event, signals;
	int listen[LISTEN_MAX];
	unsigned n_listen;
	struct workers *io, *copy;
	struct crc32c_table crc;
	struct conn *conns;
	unsigned n_conns;
	struct session *sessions;
	uint16_t last_tsih;
	uint64_t now; /* seconds */
	bool ending, verbose;

	pthread_mutex_t done_lock;
	struct task *done;
};

/* What both ends agreed on. */
struct params {
	bool header_digest, data_digest;
	bool initial_r2t, immediate;
	uint32_t max_burst, first_burst;
	uint32_t segment; /* the most that the initiator takes */
};

struct session {
	struct session *next;
	struct target *target; /* NULL: discovery */
	struct nexus *nexus;
	char initiator[NAME_MAX_ISCSI + 1];
	uint8_t isid[6];
	uint16_t tsih;
	struct conn *conn; /* NULL: it ended, and waits for what still runs */
	unsigned running;  /* tasks with workers */
};

/* A request for task management that waits for what it aborted. */
struct tmf {
	struct tmf *next;
	struct conn *conn; /* NULL: nobody waits for the answer */
	uint32_t itt;
	uint8_t response;
	bool closes; /* the connection, when it is answered */
	unsigned waiting;
};

struct task {
	struct work work; /* first */
	struct scsi_task scsi;
	struct task *next, *done_next;
	struct session *session;
	struct conn *conn; /* NULL: it is gone */
	struct tmf *tmf;   /* who waits for its end */
	uint32_t itt, edtl;
	uint8_t flags;
	uint8_t lun[8];
	bool aborted, running;

	/* Data that come */
	uint32_t needed;   /* all that will be taken */
	uint32_t received; /* so far, from 0 on */
	uint32_t burst_end, ttt, data_sn, r2t_sn;
	bool unsolicited; /* more without being asked */
	bool solicited;	  /* asked for, and on its way */
	bool failed;	  /* data were not as they had to be */
};

/* Something to send. */
struct tx {
	struct tx *next;
	uint8_t head[ISCSI_BHS + ISCSI_DIGEST];
	uint8_t tail[4 + ISCSI_DIGEST];
	unsigned head_len, tail_len;
	const uint8_t *data;
	size_t len, sent;
	struct task *task; /* freed when it is out */
	uint8_t bytes[];   /* data of its own */
};

enum conn_state { CONN_LOGIN, CONN_WAIT, CONN_FULL };
enum rx_step { RX_HEAD, RX_REST, RX_DATA, RX_TAIL };
enum login_step { AUTH_NONE, AUTH_CHOSEN, AUTH_CHALLENGED, AUTH_DONE };

struct login {
	uint8_t stage;
	bool begun, discovery, tpgt_sent, segment_sent;
	enum login_step step;
	char initiator[NAME_MAX_ISCSI + 1], name[NAME_MAX_ISCSI + 1];
	uint8_t isid[6];
	struct target *target;
	uint8_t chap_id, challenge[CHAP_BYTES];
	/* CHAP text of the request that is being read */
	char chap_a[64], chap_n[256], chap_r[64], chap_c[2 * CHAP_MAX + 3], chap_i[16];
	bool mutual; /* it asked who we are */
	char text[LOGIN_TEXT];
	size_t text_len;
	char answer[LOGIN_TEXT];
	size_t answer_len;
};

struct conn {
	struct conn *next;
	struct server *server;
	int fd;
	enum conn_state state;
	bool closing;	 /* when all is sent */
	bool dead;	 /* freed at the end of this turn of the loop */
	uint32_t events; /* what epoll tells of */
	uint16_t cid;
	char address[80]; /* of ours, for SendTargets */
	struct session *session;
	struct login *login;
	struct params params, agreed; /* in force, and from full feature phase on */
	uint64_t began, last_rx, pdu_began, last_tx;
	bool pinged;

	uint32_t exp_cmdsn, max_cmdsn, statsn, next_ttt;
	struct task *tasks;
	unsigned n_tasks;
	struct tmf *tmfs;

	/* Text that did not fit into one response */
	char *text;
	size_t text_len, text_at;

	enum rx_step step;
	struct iscsi_bhs bhs;
	uint8_t rest[255 * 4 + ISCSI_DIGEST]; /* AHS and digest */
	uint8_t tail[4 + ISCSI_DIGEST];
	struct iscsi_size size;
	uint8_t *to;
	size_t left;
	uint8_t *data;	   /* where this PDU's data are */
	uint8_t *scratch;  /* OUR_SEGMENT, for data that belong nowhere */
	struct task *task; /* the one it is about */
	bool ignored;	   /* it is read and forgotten */
	uint8_t rx[RX_BUFFER];
	size_t rx_at, rx_len;

	struct tx *out, **out_last;
	unsigned n_out;
};

/* server.c */
int server_init(struct server *s);
int server_listen(struct server *s, const char *address, char *text, size_t room, const char **why);
/* Until a signal ends it. */
int server_run(struct server *s);
/* One turn of its loop, which waits @timeout ms at most: what there was, or a negative errno. */
int server_turn(struct server *s, int timeout);
void server_end(struct server *s);
void server_submit(struct server *s, struct task *task);

/* conn.c */
void conn_new(struct server *s, int fd);
void conn_drop(struct conn *c, const char *why);
void conn_free(struct conn *c);
/* The PDU that is being read belongs to nobody any more. */
void conn_forget(struct conn *c);
void conn_read(struct conn *c);
void conn_write(struct conn *c);
void conn_check_time(struct conn *c);
struct tx *conn_tx(struct conn *c, uint8_t opcode, size_t own);
void conn_send(struct conn *c, struct tx *tx);
/* Numbers of a response: StatSN, which it uses up with @advance, ExpCmdSN, MaxCmdSN. */
void conn_stamp(struct conn *c, struct iscsi_bhs *bhs, bool advance);

/* pdu.c */
bool pdu_begin(struct conn *c);
bool pdu_end(struct conn *c);
bool pdu_reject(struct conn *c, uint8_t reason);

/* login.c, chap.c */
bool login_request(struct conn *c);
void login_try_again(struct conn *c);
int login_answer(struct login *l, const char *key, const char *value);
bool params_key(struct conn *c, const char *key, char *value, bool login);
/* LOGIN_OK, or why not. */
int chap_step(struct conn *c);
bool chap_key(struct login *l, const char *key, const char *value);

/* text.c */
bool text_request(struct conn *c);

/* command.c */
struct task *task_new(struct conn *c);
void task_free(struct task *task);
bool command_begin(struct conn *c);
bool command_end(struct conn *c);
bool data_out_begin(struct conn *c);
bool data_out_end(struct conn *c);
void task_respond(struct task *task);
void task_finished(struct task *task);
/* Ends what waits for data, marks what runs. */
void task_abort(struct task *task, struct tmf *tmf);

/* manage.c */
bool manage_request(struct conn *c);
void tmf_done(struct tmf *tmf);
void conn_forget_tmfs(struct conn *c);
void session_close(struct session *session);
void session_free_if_done(struct server *s, struct session *session);
struct session *session_find(struct server *s, const struct login *l);

#endif
