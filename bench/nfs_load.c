// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nfs_load.c - the cheapest client of an NFSv4.2 server, so that the server is what a run measures.
 *
 *	nfs_load ADDRESS:PORT DIR write FILE MIB
 *	nfs_load ADDRESS:PORT DIR read FILE MIB
 *	nfs_load ADDRESS:PORT DIR create PREFIX FILES
 *
 * One connection, SLOTS requests under way.  What is written is one buffer that stays in the
 * processor's cache; what is read is dropped by the kernel without a copy (MSG_TRUNC).  A small
 * file is made as the client of Linux does: OPEN with GETFH, ACCESS and GETATTR, one WRITE of
 * 4 KiB that is stable, CLOSE.  The last line on stdout is the time in seconds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/nfs4/attr.h"
#include "lib/nfs4/proto.h"
#include "lib/sunrpc/rpc.h"

#define SLOTS	   8u
#define PIECE	   (1u << 20)
#define SMALL	   4096u
#define HEAD_MAX   4096u /* of a call without its data, and of what is looked at of a reply */
#define MESSAGE	   (PIECE + 4096u)
#define LAST_PIECE 0x80000000u

struct slot {
	uint32_t seq;
	unsigned step; /* of a small file */
	struct nfs4_stateid id;
	struct nfs4_fh fh;
};

struct load {
	int fd;
	uint64_t clientid;
	uint8_t session[NFS4_SESSIONID_SIZE];
	struct slot slot[SLOTS];
	struct nfs4_fh dir, fh;
	struct nfs4_stateid id;
	const char *name;
	uint32_t piece;	    /* bytes of a READ or WRITE */
	uint64_t next, end; /* pieces or files */
	uint8_t out[HEAD_MAX], in[HEAD_MAX], data[PIECE];
	struct xdr x;
	struct nfs4_call_head call;
	struct nfs4_reply_head reply;
};

static _Noreturn void die(const char *what, uint32_t status)
{
	fprintf(stderr, "nfs_load: %s: %u %s\n", what, status, errno ? strerror(errno) : "");
	exit(EXIT_FAILURE);
}

/* A COMPOUND: begin(), op()..., finish(). */

static void begin(struct load *l, uint32_t xid)
{
	static const uint32_t head[] = {0,
					0,
					0,
					2,
					NFS4_PROGRAM,
					NFS4_VERSION,
					NFS4_PROC_COMPOUND,
					RPC_AUTH_SYS,
					20,
					0,
					0,
					0,
					0,
					0,
					RPC_AUTH_NONE,
					0};

	xdr_encode(&l->x, l->out, sizeof(l->out));
	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		xdr_put_u32(&l->x, i == 1 ? xid : head[i]);
	l->call = (struct nfs4_call_head){.minor = 2};
	nfs4_call_begin(&l->x, &l->call);
}

static void op(struct load *l, uint32_t number, union nfs4_args *args)
{
	nfs4_put_op(&l->x, &l->call, number, args);
}

#define OP(l, number, ...) op(l, number, &(union nfs4_args){__VA_ARGS__})

static void sequence(struct load *l, uint32_t n)
{
	struct nfs4_sequence_args seq = {
		.seqid = ++l->slot[n].seq, .slot = n, .highest_slot = SLOTS - 1};

	memcpy(seq.sessionid, l->session, sizeof(seq.sessionid));
	begin(l, n);
	OP(l, OP_SEQUENCE, .sequence = seq);
}

static void finish(struct load *l)
{
	struct iovec iov[XDR_IOVS];
	struct msghdr msg = {.msg_iov = iov};
	size_t left = xdr_len(&l->x);

	nfs4_call_end(&l->x, &l->call);
	xdr_patch_u32(&l->x, 0, LAST_PIECE | (uint32_t)(left - 4));
	msg.msg_iovlen = xdr_iov(&l->x, iov);
	/* The socket blocks: the call is sent whole. */
	if (l->x.error || sendmsg(l->fd, &msg, MSG_NOSIGNAL) != (ssize_t)left)
		die("send", 0);
}

static void receive(struct load *l, void *buf, size_t len, int flags)
{
	while (len) {
		ssize_t n = recv(l->fd, buf, len, flags);

		if (n <= 0)
			die("receive", 0);
		buf = (char *)buf + (flags & MSG_TRUNC ? 0 : n);
		len -= (size_t)n;
	}
}

/* A reply, of which the first bytes are kept; its slot. */
static uint32_t take(struct load *l)
{
	uint32_t len, xid, status;
	uint8_t mark[4];
	struct xdr x;
	size_t kept;

	receive(l, mark, sizeof(mark), 0);
	xdr_decode(&x, mark, sizeof(mark));
	len = xdr_get_u32(&x);
	if (!(len & LAST_PIECE))
		die("a reply of several fragments", 0);
	len &= ~LAST_PIECE;
	kept = len < 1024 ? len : 256;
	receive(l, l->in, kept, 0);
	receive(l, l->data, len - kept, MSG_TRUNC);
	xdr_decode(&l->x, l->in, kept);
	xid = xdr_get_u32(&l->x);
	xdr_skip(&l->x, 4 * sizeof(uint32_t)); /* REPLY, accepted, a verifier of nothing */
	status = xdr_get_u32(&l->x);
	if (l->x.error || status)
		die("RPC", status);
	l->reply = (struct nfs4_reply_head){.cb = false};
	nfs4_reply_begin(&l->x, &l->reply);
	if (l->reply.status)
		die("COMPOUND", l->reply.status);
	return xid;
}

static void result(struct load *l, uint32_t number, union nfs4_res *res)
{
	union nfs4_res none;

	if (nfs4_get_res(&l->x, &l->reply, number, res ? res : &none))
		die("result", number);
}

/* Beginning ----------------------------------------------------------------------- */

/* The largest power of two that the server takes, up to PIECE. */
static void choose_piece(struct load *l, const struct nfs4_channel *fore)
{
	l->piece = PIECE;
	while (l->piece > SMALL && (l->piece > fore->maxrequest - SMALL / 4 ||
				    l->piece > fore->maxresponse - SMALL / 4))
		l->piece /= 2;
}

static void make_session(struct load *l)
{
	struct nfs4_exchange_id_args id = {.verf = "verifier"};
	struct nfs4_create_session_args cs = {
		.fore = {0, MESSAGE, MESSAGE, 2048, 16, SLOTS, 0, 0},
		.back = {0, 4096, 4096, 0, 2, 1, 0, 0},
		.cb_program = 0x40000000,
		.nsecs = 1,
	};
	union nfs4_res res;
	uint64_t boot = (uint64_t)getpid() << 32 | (uint64_t)time(NULL);
	char me[32]; /* of each process, or the last one to come ends the sessions of the others */

	snprintf(me, sizeof(me), "nfs_load %d", getpid());
	id.owner = xdr_str(me);
	memcpy(id.verf, &boot, sizeof(id.verf));
	begin(l, 0);
	OP(l, OP_EXCHANGE_ID, .exchange_id = id);
	finish(l);
	take(l);
	result(l, OP_EXCHANGE_ID, &res);
	l->clientid = cs.clientid = res.exchange_id.clientid;
	cs.seqid = res.exchange_id.seqid;
	begin(l, 0);
	OP(l, OP_CREATE_SESSION, .create_session = cs);
	finish(l);
	take(l);
	result(l, OP_CREATE_SESSION, &res);
	if (res.create_session.fore.maxrequests < SLOTS)
		die("slots given", res.create_session.fore.maxrequests);
	choose_piece(l, &res.create_session.fore);
	memcpy(l->session, res.create_session.sessionid, sizeof(l->session));
	sequence(l, 0);
	OP(l, OP_RECLAIM_COMPLETE, .reclaim_complete = {false});
	finish(l);
	take(l);
}

static void find_dir(struct load *l, const char *path)
{
	union nfs4_res res;
	unsigned n = 0;

	sequence(l, 0);
	OP(l, OP_PUTROOTFH, .none = {0});
	while (*(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");

		OP(l, OP_LOOKUP, .name = {{path, (uint32_t)len}});
		n++;
		path += len;
	}
	OP(l, OP_GETFH, .none = {0});
	finish(l);
	take(l);
	result(l, OP_SEQUENCE, NULL);
	result(l, OP_PUTROOTFH, NULL);
	while (n--)
		result(l, OP_LOOKUP, NULL);
	result(l, OP_GETFH, &res);
	l->dir = res.getfh.fh;
}

static void put_open(struct load *l, uint32_t n, const char *name, bool create)
{
	static const uint8_t mode[4] = {0, 0, 1, 0xa4}; /* 0644 */
	struct nfs4_open_args a = {
		.share_access = create ? OPEN4_SHARE_ACCESS_BOTH : OPEN4_SHARE_ACCESS_READ,
		.owner = {l->clientid, {name, (uint32_t)strlen(name)}},
		.opentype = create ? OPEN4_CREATE : OPEN4_NOCREATE,
		.createmode = UNCHECKED4,
		.claim = CLAIM_NULL,
		.name = xdr_str(name),
	};
	struct nfs4_bitmap map = {.beyond = false};

	nfs4_bit_set(&a.createattrs.map, FATTR4_MODE);
	a.createattrs.vals = (struct xdr_bytes){mode, sizeof(mode)};
	nfs4_bit_set(&map, FATTR4_TYPE);
	nfs4_bit_set(&map, FATTR4_CHANGE);
	nfs4_bit_set(&map, FATTR4_SIZE);
	nfs4_bit_set(&map, FATTR4_FILEID);
	nfs4_bit_set(&map, FATTR4_MODE);
	nfs4_bit_set(&map, FATTR4_NUMLINKS);
	nfs4_bit_set(&map, FATTR4_OWNER);
	nfs4_bit_set(&map, FATTR4_OWNER_GROUP);
	nfs4_bit_set(&map, FATTR4_SPACE_USED);
	nfs4_bit_set(&map, FATTR4_TIME_ACCESS);
	nfs4_bit_set(&map, FATTR4_TIME_METADATA);
	nfs4_bit_set(&map, FATTR4_TIME_MODIFY);
	sequence(l, n);
	OP(l, OP_PUTFH, .putfh = {l->dir});
	OP(l, OP_OPEN, .open = a);
	OP(l, OP_GETFH, .none = {0});
	OP(l, OP_ACCESS, .access = {0x3f});
	OP(l, OP_GETATTR, .getattr = {map});
	finish(l);
}

static void take_open(struct load *l, struct nfs4_fh *fh, struct nfs4_stateid *id)
{
	union nfs4_res res;

	result(l, OP_SEQUENCE, NULL);
	result(l, OP_PUTFH, NULL);
	result(l, OP_OPEN, &res);
	*id = res.open.stateid;
	id->seqid = 0; /* the newest */
	result(l, OP_GETFH, &res);
	*fh = res.getfh.fh;
}

/* A large file -------------------------------------------------------------------- */

static void put_read(struct load *l, uint32_t n)
{
	sequence(l, n);
	OP(l, OP_PUTFH, .putfh = {l->fh});
	OP(l, OP_READ, .read = {l->id, l->next++ * l->piece, l->piece});
	finish(l);
}

static void took_read(struct load *l)
{
	uint32_t count;

	result(l, OP_SEQUENCE, NULL);
	result(l, OP_PUTFH, NULL);
	xdr_skip(&l->x, 3 * sizeof(uint32_t)); /* READ, NFS4_OK, eof; the data is not here */
	count = xdr_get_u32(&l->x);
	if (l->x.error || count != l->piece)
		die("READ was short", count);
}

static void put_write(struct load *l, uint32_t n)
{
	sequence(l, n);
	OP(l, OP_PUTFH, .putfh = {l->fh});
	OP(l, OP_WRITE, .write = {l->id, l->next++ * l->piece, UNSTABLE4, {l->data, l->piece}});
	finish(l);
}

static void took_write(struct load *l)
{
	union nfs4_res res;

	result(l, OP_SEQUENCE, NULL);
	result(l, OP_PUTFH, NULL);
	result(l, OP_WRITE, &res);
	if (res.write.count != l->piece)
		die("WRITE was short", res.write.count);
}

static void pieces(struct load *l, void (*put)(struct load *, uint32_t),
		   void (*took)(struct load *))
{
	uint64_t under_way = 0;

	for (uint32_t n = 0; n < SLOTS && l->next < l->end; n++, under_way++)
		put(l, n);
	for (; under_way; under_way--) {
		uint32_t n = take(l);

		took(l);
		if (l->next < l->end) {
			put(l, n);
			under_way++;
		}
	}
}

static void large(struct load *l, bool write)
{
	put_open(l, 0, l->name, write);
	take(l);
	take_open(l, &l->fh, &l->id);
	l->end = l->end * PIECE / l->piece;
	if (write)
		pieces(l, put_write, took_write);
	else
		pieces(l, put_read, took_read);
	sequence(l, 0);
	OP(l, OP_PUTFH, .putfh = {l->fh});
	if (write)
		OP(l, OP_COMMIT, .commit = {0, 0});
	OP(l, OP_CLOSE, .close = {0, l->id});
	finish(l);
	take(l);
}

/* Small files --------------------------------------------------------------------- */

static void put_small(struct load *l, uint32_t n)
{
	struct slot *s = &l->slot[n];
	char name[64];

	if (s->step == 0) {
		snprintf(name, sizeof(name), "%s%llu", l->name, (unsigned long long)l->next++);
		put_open(l, n, name, true);
		return;
	}
	sequence(l, n);
	OP(l, OP_PUTFH, .putfh = {s->fh});
	if (s->step == 1)
		OP(l, OP_WRITE, .write = {s->id, 0, FILE_SYNC4, {l->data, SMALL}});
	else
		OP(l, OP_CLOSE, .close = {0, s->id});
	finish(l);
}

static void small(struct load *l)
{
	unsigned under_way = 0;

	for (uint32_t n = 0; n < SLOTS && l->next < l->end; n++, under_way++)
		put_small(l, n);
	while (under_way) {
		uint32_t n = take(l);
		struct slot *s = &l->slot[n];

		if (s->step == 0)
			take_open(l, &s->fh, &s->id);
		s->step = (s->step + 1) % 3;
		if (s->step || l->next < l->end)
			put_small(l, n);
		else
			under_way--;
	}
}

static void connect_to(struct load *l, const char *text)
{
	struct sockaddr_storage addr;

	if (rpc_addr_parse(text, &addr))
		die(text, 0);
	l->fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || connect(l->fd, (const struct sockaddr *)&addr,
				 rpc_addr_len((const struct sockaddr *)&addr)) < 0)
		die(text, 0);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static struct load l;
	double start;

	if (argc != 6) {
		fprintf(stderr, "usage: nfs_load ADDRESS:PORT DIR write|read|create NAME COUNT\n");
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < sizeof(l.data); i++)
		l.data[i] = (uint8_t)(i * 2654435761u >> 13);
	l.name = argv[4];
	l.end = strtoull(argv[5], NULL, 10);
	connect_to(&l, argv[1]);
	make_session(&l);
	find_dir(&l, argv[2]);
	start = now();
	if (!strcmp(argv[3], "create"))
		small(&l);
	else
		large(&l, !strcmp(argv[3], "write"));
	printf("%.6f\n", now() - start);
	return EXIT_SUCCESS;
}
