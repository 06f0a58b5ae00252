// SPDX-License-Identifier: GPL-2.0-or-later
/* lab.c - see lab.h. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "selftests/nfs/lab.h"

static const char *why = "";

const char *lab_why(void)
{
	return why;
}

static bool fail(const char *reason)
{
	why = reason;
	return false;
}

/* The server --------------------------------------------------------------------- */

bool lab_export(struct lab_server *srv, const char *path)
{
	return asprintf(&srv->exports[srv->nexports++],
			"%s 127.0.0.0/8(rw,no_root_squash,insecure)", path) > 0;
}

static void run_server(const struct lab_server *srv, int err)
{
	char program[PATH_MAX + 32], self[PATH_MAX];
	const char *argv[32] = {"ocp-nfsd",	  "--foreground",
				"--state",	  srv->state,
				"--listen",	  srv->port,
				"--lease",	  srv->lease ? srv->lease : "5",
				"--copy-wait",	  srv->copy_wait ? srv->copy_wait : "1000",
				"--inter-server", srv->inter ? srv->inter : "off"};
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	unsigned argc = 12;

	for (unsigned i = 0; i < srv->nexports; i++) {
		argv[argc++] = "--export";
		argv[argc++] = srv->exports[i];
	}
	self[n > 0 ? n : 0] = '\0';
	*strrchr(self, '/') = '\0'; /* O/selftests/nfs/test */
	snprintf(program, sizeof(program), "%s/../../ocp-nfsd", self);
	dup2(err, 2);
	if (srv->uid && (setgroups(0, NULL) || setgid((gid_t)srv->uid) || setuid((uid_t)srv->uid)))
		_exit(126);
	execv(program, (char **)(uintptr_t)argv);
	_exit(127);
}

/* "ocp-nfsd: serving on 127.0.0.1:PORT": what comes before it is a reason. */
static bool read_port(struct lab_server *srv, int fd)
{
	static char text[1000];
	size_t len = 0;
	char *at;
	ssize_t n;

	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0) {
		len += (size_t)n;
		text[len] = '\0';
		at = strstr(text, "serving on ");
		if (at && strchr(at, '\n')) {
			*strchr(at, '\n') = '\0';
			return !rpc_addr_parse(at + 11, &srv->addr) || fail(at);
		}
	}
	text[len] = '\0';
	return fail(text);
}

void lab_source(const char *dir, size_t size)
{
	char path[400];
	uint8_t *data = malloc(size);
	int fd;

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 7 + i / 1000);
	snprintf(path, sizeof(path), "%s/src", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	if (write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	free(data);
}

bool lab_start(struct lab_server *srv)
{
	int fds[2];
	bool good;
	pid_t pid;

	if (geteuid() != 0)
		return fail("needs root");
	if (!srv->state[0]) {
		snprintf(srv->state, sizeof(srv->state), "/tmp/nfsd-state.XXXXXX");
		if (!mkdtemp(srv->state))
			return fail("mkdtemp");
		if (srv->uid && chown(srv->state, (uid_t)srv->uid, (gid_t)srv->uid))
			return fail("chown");
		snprintf(srv->port, sizeof(srv->port), "127.0.0.1:0");
	}
	if (pipe2(fds, O_CLOEXEC))
		return fail("pipe");
	pid = fork(); /* a fixture is memory that the child shares */
	if (!pid)
		run_server(srv, fds[1]);
	srv->pid = pid;
	close(fds[1]);
	good = srv->pid > 0 && read_port(srv, fds[0]);
	srv->err = fds[0]; /* stays open, so that the server may go on talking */
	if (good)
		snprintf(srv->port, sizeof(srv->port), "127.0.0.1:%u", rpc_addr_port(&srv->addr));
	return good;
}

static void show(int fd)
{
	char line[400];
	FILE *f = fdopen(fd, "r");

	while (f && fgets(line, sizeof(line), f))
		printf("# %s", line);
	if (f)
		fclose(f);
}

int lab_kill(struct lab_server *srv, int sig)
{
	int status = 0;

	if (srv->pid <= 0)
		return 0;
	kill(srv->pid, sig);
	waitpid(srv->pid, &status, 0);
	srv->pid = 0;
	if (status && sig != SIGKILL)
		show(srv->err);
	else
		close(srv->err);
	return status;
}

int lab_stop(struct lab_server *srv)
{
	char cmd[100];
	int status = lab_kill(srv, SIGTERM);

	for (unsigned i = 0; i < srv->nexports; i++)
		free(srv->exports[i]);
	if (!strncmp(srv->state, "/tmp/nfsd-state.", 16)) {
		snprintf(cmd, sizeof(cmd), "rm -rf %s", srv->state);
		if (system(cmd)) /* NOLINT(cert-env33-c): our own mktemp name */
			fprintf(stderr, "# %s is left\n", srv->state);
	}
	return status;
}

/* Callbacks ---------------------------------------------------------------------- */

static uint32_t cb_getattr(const struct lab *lab, uint8_t vals[16], struct nfs4_fattr *attr)
{
	nfs4_bit_set(&attr->map, FATTR4_CHANGE);
	nfs4_bit_set(&attr->map, FATTR4_SIZE);
	put_be64(vals, lab->cb_change);
	put_be64(vals + 8, lab->cb_size);
	attr->vals = (struct xdr_bytes){vals, 16};
	return lab->knows ? NFS4_OK : NFS4ERR_NOTSUPP;
}

static uint32_t cb_sequence(struct lab *lab, const struct nfs4_cb_sequence_args *a,
			    struct nfs4_cb_sequence_res *r)
{
	bool again = lab->counts && a->seqid == lab->cb_seqid;

	memcpy(r->sessionid, a->sessionid, NFS4_SESSIONID_SIZE);
	r->seqid = lab->cb_seqid = a->seqid;
	return again ? NFS4ERR_RETRY_UNCACHED_REP : NFS4_OK;
}

/* Whether it was CB_GETATTR. */
static bool put_cb_res(struct lab *lab, struct xdr *in, struct xdr *out)
{
	uint8_t vals[16];
	uint32_t status = NFS4_OK;
	bool getattr = false;
	struct nfs4_call_head head = {.cb = true};
	struct nfs4_reply_head reply = {.cb = true};
	union nfs4_cb_args args;
	union nfs4_cb_res res;

	nfs4_call_begin(in, &head);
	nfs4_reply_begin(out, &reply);
	for (uint32_t i = 0; i < head.nops && !status; i++) {
		uint32_t op = xdr_get_u32(in);

		memset(&args, 0, sizeof(args));
		memset(&res, 0, sizeof(res));
		if (!nfs4_cb_op(op) || !nfs4_cb_op(op)->args)
			break;
		nfs4_cb_op(op)->args(in, &args);
		if (op == OP_CB_SEQUENCE) {
			status = cb_sequence(lab, &args.sequence, &res.sequence);
		} else if (op == OP_CB_OFFLOAD) {
			lab->cb_stateid = args.offload.stateid;
			lab->cb_status = args.offload.status;
			lab->cb_count = args.offload.write.count;
		} else if (op == OP_CB_RECALL) {
			lab->cb_stateid = args.recall.stateid;
		} else if (op == OP_CB_GETATTR) {
			getattr = true;
			status = cb_getattr(lab, vals, &res.getattr.attr);
		}
		nfs4_put_res(out, &reply, op, status, &res);
	}
	nfs4_reply_end(out, &reply);
	return getattr;
}

static void called(void *ctx, struct rpc_call *call)
{
	struct lab *lab = ctx;
	uint8_t buf[RPC_HEAD_MAX + 1024];
	struct xdr x;
	bool getattr;

	xdr_encode(&x, buf, sizeof(buf));
	rpc_reply_begin(call, &x);
	getattr = put_cb_res(lab, &call->args, &x);
	if (!lab->deaf)
		rpc_send(call->conn, &x);
	rpc_call_done(call);
	if (!getattr)
		sem_post(&lab->called_back);
}

/* COMPOUND ----------------------------------------------------------------------- */

void lab_begin(struct lab *lab)
{
	const struct rpc_cred cred = {.flavor = RPC_AUTH_SYS, .uid = lab->uid, .gid = lab->uid};
	const struct rpc_target to = {NFS4_PROGRAM, NFS4_VERSION, NFS4_PROC_COMPOUND, &cred};

	xdr_encode(&lab->x, lab->buf, sizeof(lab->buf));
	rpc_call_begin(lab->conn, &lab->x, &to);
	lab->call = (struct nfs4_call_head){.minor = 2};
	nfs4_call_begin(&lab->x, &lab->call);
}

void lab_op(struct lab *lab, uint32_t op, const void *args, size_t size)
{
	union nfs4_args copy;

	memcpy(&copy, args, size);
	nfs4_put_op(&lab->x, &lab->call, op, &copy);
}

static void put_sequence(struct lab *lab, uint32_t slot, uint32_t seqid)
{
	struct nfs4_sequence_args seq = {.seqid = seqid,
					 .slot = slot,
					 .highest_slot = LAB_SLOTS - 1,
					 .cachethis = !lab->uncached};

	memcpy(seq.sessionid, lab->session, sizeof(seq.sessionid));
	lab_begin(lab);
	LAB_OP(lab, OP_SEQUENCE, .sequence = seq);
}

void lab_sequence(struct lab *lab, uint32_t slot)
{
	put_sequence(lab, slot, ++lab->seq[slot]);
}

static void answered(void *arg, int err, struct xdr *reply, struct rpc_rec *rec)
{
	struct lab *lab = arg;

	lab->err = err;
	if (!err) {
		rpc_rec_get(rec);
		lab->rec = rec;
		lab->x = *reply;
	}
	sem_post(&lab->came);
}

uint32_t lab_send(struct lab *lab)
{
	union nfs4_res res;
	uint32_t status;
	struct xdr peek;
	int err;

	nfs4_call_end(&lab->x, &lab->call);
	rpc_rec_put(lab->rec);
	lab->rec = NULL;
	err = rpc_call_send(lab->conn, &lab->x, 20000, answered, lab);
	if (err)
		lab->err = err;
	else
		sem_wait(&lab->came);
	if (lab->err)
		return ~0u;
	lab->reply = (struct nfs4_reply_head){.cb = false};
	nfs4_reply_begin(&lab->x, &lab->reply);
	status = lab->reply.status;
	peek = lab->x;
	if (lab->reply.nres && xdr_get_u32(&peek) == OP_SEQUENCE)
		nfs4_get_res(&lab->x, &lab->reply, OP_SEQUENCE, &res);
	return status;
}

uint32_t lab_res(struct lab *lab, uint32_t op, union nfs4_res *res)
{
	union nfs4_res none;

	return nfs4_get_res(&lab->x, &lab->reply, op, res ? res : &none);
}

/* Clients ------------------------------------------------------------------------ */

bool lab_connect(struct lab *lab, const struct lab_server *srv)
{
	const struct rpc_options opt = {.record_max = 4 << 20, .call = called, .ctx = lab};

	lab_disconnect(lab);
	rpc_conn_put(lab->conn);
	lab->conn = NULL;
	return !rpc_connect(lab->loop, (const struct sockaddr *)&srv->addr, false, &opt,
			    &lab->conn) ||
	       fail("cannot connect");
}

void lab_disconnect(struct lab *lab)
{
	if (lab->conn)
		rpc_conn_close(lab->conn);
}

static bool make_session(struct lab *lab, uint32_t seqid)
{
	struct nfs4_create_session_args cs = {
		.clientid = lab->clientid,
		.seqid = seqid,
		.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
		.fore = {0, 1 << 20, 1 << 20, 8192, 32, LAB_SLOTS, 0, 0},
		.back = {0, 4096, 4096, 0, 2, 1, 0, 0},
		.cb_program = 0x40000000,
		.nsecs = 1,
	};
	union nfs4_res res;

	lab_begin(lab);
	LAB_OP(lab, OP_CREATE_SESSION, .create_session = cs);
	if (lab_send(lab) || lab_res(lab, OP_CREATE_SESSION, &res))
		return fail("CREATE_SESSION");
	memcpy(lab->session, res.create_session.sessionid, sizeof(lab->session));
	memset(lab->seq, 0, sizeof(lab->seq));
	return true;
}

bool lab_client(struct lab *lab, const struct lab_server *srv, const char *name, bool reclaiming)
{
	struct nfs4_exchange_id_args id = {.owner = xdr_str(name), .verf = "verifier"};
	union nfs4_res res;

	if (!lab->loop) {
		sem_init(&lab->came, 0, 0);
		sem_init(&lab->called_back, 0, 0);
		lab->loop = ev_loop_new();
		if (!lab->loop || ev_start(lab->loop))
			return fail("no loop");
	}
	lab->name = name;
	if (!lab_connect(lab, srv))
		return false;
	lab_begin(lab);
	LAB_OP(lab, OP_EXCHANGE_ID, .exchange_id = id);
	if (lab_send(lab) || lab_res(lab, OP_EXCHANGE_ID, &res))
		return fail("EXCHANGE_ID");
	lab->clientid = res.exchange_id.clientid;
	if (!make_session(lab, res.exchange_id.seqid))
		return false;
	if (reclaiming)
		return true;
	lab_sequence(lab, 0);
	LAB_OP(lab, OP_RECLAIM_COMPLETE, .reclaim_complete = {false});
	return !lab_send(lab) || fail("RECLAIM_COMPLETE");
}

void lab_end(struct lab *lab)
{
	lab_disconnect(lab);
	rpc_conn_put(lab->conn);
	rpc_rec_put(lab->rec);
	if (lab->loop) {
		ev_join(lab->loop);
		ev_loop_free(lab->loop);
	}
	memset(lab, 0, sizeof(*lab));
}

/* Paths -------------------------------------------------------------------------- */

uint32_t lab_fh(struct lab *lab, const char *path, struct nfs4_fh *fh)
{
	union nfs4_res res;
	unsigned n = 0;

	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTROOTFH, .none = {0});
	while (*path) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (!len)
			break;
		LAB_OP(lab, OP_LOOKUP, .name = {{path, (uint32_t)len}});
		n++;
		path += len;
	}
	LAB_OP(lab, OP_GETFH, .none = {0});
	if (lab_send(lab))
		return lab->reply.status;
	lab_res(lab, OP_PUTROOTFH, &res);
	while (n--)
		lab_res(lab, OP_LOOKUP, &res);
	lab_res(lab, OP_GETFH, &res);
	*fh = res.getfh.fh;
	return NFS4_OK;
}

struct nfs4_open_args lab_create(const char *name, const char *owner, uint32_t access,
				 uint32_t deny)
{
	static uint8_t vals[4] = {0, 0, 1, 0xa4}; /* 0644 */
	struct nfs4_open_args a = {
		.share_access = access,
		.share_deny = deny,
		.owner.owner = xdr_str(owner),
		.opentype = OPEN4_CREATE,
		.createmode = UNCHECKED4,
		.claim = CLAIM_NULL,
		.name = xdr_str(name),
	};

	nfs4_bit_set(&a.createattrs.map, FATTR4_MODE);
	a.createattrs.vals = (struct xdr_bytes){vals, sizeof(vals)};
	return a;
}

uint32_t lab_open(struct lab *lab, const struct nfs4_open_args *open, const struct nfs4_fh *dir,
		  struct nfs4_open_res *out, struct nfs4_fh *fh)
{
	struct nfs4_open_args a = *open;
	union nfs4_res res;

	a.owner.clientid = lab->clientid;
	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {*dir});
	LAB_OP(lab, OP_OPEN, .open = a);
	LAB_OP(lab, OP_GETFH, .none = {0});
	if (lab_send(lab))
		return lab->reply.status;
	lab_res(lab, OP_PUTFH, &res);
	lab_res(lab, OP_OPEN, &res);
	*out = res.open;
	lab_res(lab, OP_GETFH, &res);
	if (fh)
		*fh = res.getfh.fh;
	return NFS4_OK;
}
