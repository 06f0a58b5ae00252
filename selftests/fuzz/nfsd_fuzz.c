// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target for ocp-nfsd: what comes over a connection, from record marks to the
 * operations on a real file system.  The first byte says how the rest is taken:
 *
 *	0	bytes of a connection
 *	1	operations in a session, with a directory and a file
 *	2	the same with two files, both open
 *	3	the same at the server's root
 *
 *	make fuzz; build/selftests/fuzz/nfsd_fuzz -max_total_time=60	(as root)
 */
#include <ftw.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nfsd/copy.h"
#include "nfsd/export.h"
#include "nfsd/pool.h"
#include "nfsd/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define ROOM	   (64u << 10)
#define REPLY_HEAD 28u /* record mark and head of an accepted reply */
#define FRESH	   4096u

static struct nfsd s;
static struct worker w;
static struct ev_loop *loop;
static sem_t ended;
static char top[] = "/tmp/nfsd-fuzz.XXXXXX", export[64], line[160];
static struct nfs4_fh dir, file[2];
static uint8_t session[NFS4_SESSIONID_SIZE];
static uint32_t seqid;
static uint8_t reply[ROOM + (4u << 20)];

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "nfsd_fuzz: %s\n", what);
	abort();
}

/* As svc.c, without its queue: on the loop's thread, which is the worker too. */
static void called(void *ctx, struct rpc_call *call)
{
	if (call->prog == NFS4_PROGRAM && call->vers == NFS4_VERSION &&
	    call->proc == NFS4_PROC_COMPOUND && call->cred.flavor <= RPC_AUTH_SYS)
		proc_compound(&w, call);
	else
		rpc_reply_error(call, RPC_PROC_UNAVAIL, 0, 0);
	rpc_call_done(call);
}

static void closed(void *ctx, struct rpc_conn *conn, int err)
{
	state_conn_gone(&s, conn);
	sem_post(&ended);
}

/* A connection on which these bytes come, and then its end.  Bytes of the reply. */
static size_t feed(const void *bytes, size_t len)
{
	const struct rpc_options opt = {
		.record_max = NFSD_MESSAGE_MAX + RPC_HEAD_MAX, .call = called, .closed = closed};
	struct rpc_conn *conn;
	size_t got = 0;
	ssize_t n;
	int sp[2];

	check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp), "socketpair");
	conn = rpc_conn_new(loop, sp[0], &opt);
	check(conn != NULL, "no memory");
	check(send(sp[1], bytes, len, MSG_NOSIGNAL) == (ssize_t)len, "send");
	shutdown(sp[1], SHUT_WR);
	while ((n = read(sp[1], reply + got, sizeof(reply) - got)) > 0)
		got += (size_t)n;
	sem_wait(&ended);
	close(sp[1]);
	rpc_conn_put(conn);
	return got;
}

struct say {
	struct xdr x;
	struct nfs4_call_head head;
	uint8_t buf[ROOM];
};

static void say_begin(struct say *say)
{
	static const uint32_t head[] = {
		0, 7, 0, 2, NFS4_PROGRAM, NFS4_VERSION, 1, RPC_AUTH_SYS, 20, 0, 0, 0, 0, 0, 0, 0};

	xdr_encode(&say->x, say->buf, sizeof(say->buf));
	for (unsigned i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		xdr_put_u32(&say->x, head[i]);
	say->head = (struct nfs4_call_head){.minor = 2};
	nfs4_call_begin(&say->x, &say->head);
}

static void say_op(struct say *say, uint32_t op, const union nfs4_args *args)
{
	union nfs4_args copy = *args;

	nfs4_put_op(&say->x, &say->head, op, &copy);
}

static void say_sequence(struct say *say)
{
	union nfs4_args a = {.sequence = {.seqid = ++seqid}};

	memcpy(a.sequence.sessionid, session, sizeof(session));
	say_begin(say);
	say_op(say, OP_SEQUENCE, &a);
}

/* The results of @nops operations are at @x then. */
static void say_end(struct say *say, struct xdr *x, struct nfs4_reply_head *head)
{
	size_t len;

	nfs4_call_end(&say->x, &say->head);
	check(!say->x.error, "too long");
	len = xdr_len(&say->x);
	xdr_patch_u32(&say->x, 0, (uint32_t)(len - 4) | 1u << 31);
	len = feed(say->buf, len);
	if (!x)
		return;
	check(len > REPLY_HEAD, "no reply");
	xdr_decode(x, reply + REPLY_HEAD, len - REPLY_HEAD);
	*head = (struct nfs4_reply_head){.cb = false};
	nfs4_reply_begin(x, head);
}

static void find(const char *name, struct nfs4_fh *fh)
{
	struct nfs4_reply_head head;
	union nfs4_args a;
	union nfs4_res res;
	static struct say say;
	char path[80], *at, *part;
	struct xdr x;
	unsigned n = 0;

	snprintf(path, sizeof(path), "%s/%s", export, name);
	say_sequence(&say);
	say_op(&say, OP_PUTROOTFH, &a);
	for (part = strtok_r(path, "/", &at); part; part = strtok_r(NULL, "/", &at), n++) {
		a.name.name = xdr_str(part);
		say_op(&say, OP_LOOKUP, &a);
	}
	say_op(&say, OP_GETFH, &a);
	say_end(&say, &x, &head);
	nfs4_get_res(&x, &head, OP_SEQUENCE, &res);
	nfs4_get_res(&x, &head, OP_PUTROOTFH, &res);
	while (n--)
		nfs4_get_res(&x, &head, OP_LOOKUP, &res);
	check(!nfs4_get_res(&x, &head, OP_GETFH, &res) && !x.error, "a file is not found");
	*fh = res.getfh.fh;
}

static void new_session(void)
{
	union nfs4_args a = {.exchange_id = {.owner = xdr_str("fuzz")}};
	static struct say say;
	struct client *c;

	pthread_mutex_lock(&s.lock);
	while ((c = s.state->clients))
		client_drop(&s, c);
	pthread_mutex_unlock(&s.lock);
	say_begin(&say);
	say_op(&say, OP_EXCHANGE_ID, &a);
	say_end(&say, NULL, NULL);
	check(s.state->clients != NULL, "EXCHANGE_ID");
	memset(&a, 0, sizeof(a));
	a.create_session.clientid = s.state->clients->id;
	a.create_session.seqid = 1;
	a.create_session.fore = (struct nfs4_channel){.maxrequest = ROOM,
						      .maxresponse = ROOM,
						      .maxresponse_cached = 4096,
						      .maxops = 32,
						      .maxrequests = 1};
	a.create_session.back =
		(struct nfs4_channel){.maxrequest = 4096, .maxresponse = 4096, .maxops = 2};
	say_begin(&say);
	say_op(&say, OP_CREATE_SESSION, &a);
	say_end(&say, NULL, NULL);
	check(s.state->clients->sessions != NULL, "CREATE_SESSION");
	memcpy(session, s.state->clients->sessions->id, sizeof(session));
	seqid = 0;
	memset(&a, 0, sizeof(a));
	say_sequence(&say);
	say_op(&say, OP_RECLAIM_COMPLETE, &a);
	say_end(&say, NULL, NULL);
}

static int delete (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (ftw->level)
		remove(path);
	return 0;
}

static void make_file(const char *name, const char *text)
{
	char path[80];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", export, name);
	f = fopen(path, "w");
	check(f && fputs(text, f) >= 0 && !fclose(f), path);
}

/* Everything as at the start. */
static void fresh(void)
{
	nftw(export, delete, 16, FTW_DEPTH | FTW_PHYS);
	make_file("a", "some data of the first file");
	make_file("b", "");
	new_session();
	find("", &dir);
	find("a", &file[0]);
	find("b", &file[1]);
}

static void clean_up(void)
{
	umount2(top, MNT_DETACH);
	rmdir(top);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *exports[1];
	char why[100];

	if (geteuid() || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || !mkdtemp(top) ||
	    mount("fuzz", top, "tmpfs", 0, "size=32m,nr_inodes=20k")) {
		fprintf(stderr, "nfsd_fuzz: needs root, for a file system of its own\n");
		exit(77);
	}
	atexit(clean_up);
	snprintf(export, sizeof(export), "%s/export", top);
	mkdir(export, 0755);
	snprintf(line, sizeof(line), "%s *(rw,no_root_squash,insecure)", export);
	exports[0] = line;
	s.opt = (struct nfsd_options){.exports = exports,
				      .nexports = 1,
				      .state_dir = top,
				      .lease = 3600,
				      .copy_wait = 5000,
				      .workers = 4};
	s.opt.inter = network_parse("127.9.9.9", why, sizeof(why));
	s.privileged = true;
	pthread_mutex_init(&s.lock, NULL);
	pthread_mutex_init(&s.exports_lock, NULL);
	file_syncs_init(&s);
	sem_init(&ended, 0, 0);
	umask(0);
	s.ns = cr_ns_new();
	s.exports = exports_load(&s);
	s.pool = pool_new(&s, NULL, 0, 1); /* of no threads */
	s.pipes = rpc_pipes_new(NFSD_IO_MAX, 4);
	check(s.pool && s.pipes && s.exports && !db_open(&s) && !copies_start(&s) &&
		      !changes_start(&s) && !state_start(&s),
	      "cannot start");
	w = (struct worker){.s = &s,
			    .head = malloc(NFSD_HEAD_ROOM),
			    .data = malloc(NFSD_MESSAGE_MAX),
			    .dir = malloc(NFSD_DIR_ROOM)};
	loop = ev_loop_new();
	check(loop && !ev_start(loop), "no loop");
	fresh();
	return 0;
}

static void put(struct say *say, const struct nfs4_fh *fh)
{
	const union nfs4_args a = {.putfh = {*fh}};

	say_op(say, OP_PUTFH, &a);
}

static void put_open(struct say *say, const struct nfs4_fh *fh)
{
	union nfs4_args a = {.open = {.share_access = OPEN4_SHARE_ACCESS_BOTH,
				      .owner = {.owner = xdr_str("o")},
				      .claim = CLAIM_FH}};

	put(say, fh);
	say_op(say, OP_OPEN, &a);
}

static void in_session(unsigned mode, const uint8_t *data, size_t size)
{
	static const union nfs4_args none;
	struct xdr_bytes ops = {data + 1, (uint32_t)(size - 1) & ~3u};
	static struct say say;

	if (!session_find(&s, session))
		fresh();
	say_sequence(&say);
	if (mode == 1) {
		put(&say, &file[0]);
		say_op(&say, OP_SAVEFH, &none);
		put(&say, &dir);
	} else if (mode == 2) {
		put_open(&say, &file[0]);
		say_op(&say, OP_SAVEFH, &none);
		put_open(&say, &file[1]);
	} else {
		say_op(&say, OP_PUTROOTFH, &none);
	}
	say.head.nops += 1 + data[0] % 6;
	xdr_raw(&say.x, &ops);
	say_end(&say, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned runs;

	if (size < 6 || size > ROOM / 2)
		return 0;
	if (!(++runs % FRESH))
		fresh();
	if (data[0] % 4)
		in_session(data[0] % 4, data + 1, size - 1);
	else
		feed(data + 1, size - 1);
	copies_tick(&s);
	return 0;
}
