// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/sunrpc: calls and replies on real sockets, both ways, whole or in pieces. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/sunrpc/rpc.h"

#define PROG  0x20000001u
#define PIPES 64u

struct answer {
	sem_t came;
	int err;
	uint32_t len, sum;
	bool tail; /* the length follows once more */
	rpc_done *done;
};

FIXTURE(rpc)
{
	struct ev_loop *loop, *client_loop;
	struct rpc_listener *listener;
	struct sockaddr_storage addr;
	struct rpc_conn *conn;
	struct rpc_options serve, call;
	sem_t closed, server_closed;
	_Atomic int server_err;
	struct rpc_pipes *pipes;
	atomic_uint piped; /* replies with a pipe */
};

static uint32_t sum_of(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t sum = 1;

	while (len--)
		sum = sum * 31 + *p++;
	return sum;
}

struct deferred {
	struct rpc_call *call;
	pthread_t thread;
};

static void put_echo(struct rpc_call *call, struct xdr_bytes data)
{
	uint8_t *buf = malloc(RPC_HEAD_MAX + data.len);
	struct xdr x;

	xdr_encode(&x, buf, RPC_HEAD_MAX + data.len);
	rpc_reply_begin(call, &x);
	xdr_var(&x, &data, UINT32_MAX);
	rpc_send(call->conn, &x);
	rpc_call_done(call);
	free(buf);
}

static uint8_t *pattern(uint32_t len)
{
	uint8_t *data = malloc(len);

	for (uint32_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	return data;
}

/* As many bytes as the call asks for, through a pipe, and a word behind them. */
static void put_piped(FIXTURE_DATA(rpc) * self, struct rpc_call *call)
{
	struct rpc_pipe *pipe = rpc_pipe_get(self->pipes);
	uint32_t len = xdr_get_u32(&call->args);
	uint8_t buf[RPC_HEAD_MAX], *data = pattern(len);
	struct xdr x;

	if (pipe && write(pipe->in, data, len) == (ssize_t)len)
		pipe->left = len;
	free(data);
	xdr_encode(&x, buf, sizeof(buf));
	rpc_reply_begin(call, &x);
	xdr_var(&x, &(struct xdr_bytes){NULL, len}, UINT32_MAX);
	xdr_put_u32(&x, len);
	rpc_send_pipe(call->conn, &x, pipe);
	rpc_call_done(call);
	atomic_fetch_add(&self->piped, 1);
}

static void *late_reply(void *arg)
{
	struct rpc_call *call = arg;
	struct xdr_bytes data;

	xdr_var(&call->args, &data, UINT32_MAX);
	put_echo(call, data);
	return NULL;
}

static void ignore(void *arg, int err, struct xdr *reply, struct rpc_rec *rec)
{
}

/* Procedure 1 echoes, 2 echoes from another thread, 3 calls back first, 4 never answers, 5 has a
 * pipe. */
static void serve(void *ctx, struct rpc_call *call)
{
	const struct rpc_target back = {.prog = PROG + 1, .vers = 1, .proc = 1};
	struct xdr_bytes data;
	uint8_t buf[RPC_HEAD_MAX];
	pthread_t thread;
	struct xdr x;

	switch (call->proc) {
	case 1:
		xdr_var(&call->args, &data, UINT32_MAX);
		put_echo(call, data);
		return;
	case 2:
		pthread_create(&thread, NULL, late_reply, call);
		pthread_detach(thread);
		return;
	case 3:
		xdr_encode(&x, buf, sizeof(buf));
		rpc_call_begin(call->conn, &x, &back);
		rpc_call_send(call->conn, &x, 0, ignore, NULL);
		rpc_reply_begin(call, &x);
		rpc_call_done(call);
		return;
	case 4:
		rpc_call_done(call);
		return;
	case 5:
		put_piped(ctx, call);
		return;
	default:
		rpc_reply_error(call, RPC_PROC_UNAVAIL, 0, 0);
		rpc_call_done(call);
	}
}

static void client_closed(void *ctx, struct rpc_conn *conn, int err)
{
	sem_post(&((FIXTURE_DATA(rpc) *)ctx)->closed);
}

static void server_closed(void *ctx, struct rpc_conn *conn, int err)
{
	FIXTURE_DATA(rpc) *self = ctx;

	self->server_err = err;
	sem_post(&self->server_closed);
}

FIXTURE_SETUP(rpc)
{
	socklen_t len = sizeof(self->addr);
	int fd;

	sem_init(&self->closed, 0, 0);
	sem_init(&self->server_closed, 0, 0);
	self->serve = (struct rpc_options){
		.call = serve, .closed = server_closed, .ctx = self, .record_max = 4 << 20};
	self->call =
		(struct rpc_options){.closed = client_closed, .ctx = self, .record_max = 4 << 20};
	self->pipes = rpc_pipes_new(1 << 18, PIPES);
	self->loop = ev_loop_new();
	self->client_loop = ev_loop_new();
	ASSERT_EQ(0, rpc_addr_parse("127.0.0.1:0", &self->addr));
	fd = rpc_socket((struct sockaddr *)&self->addr);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&self->addr, &len));
	self->listener = rpc_listen(&self->loop, 1, fd, &self->serve);
	ASSERT_NE(NULL, self->listener);
	ASSERT_EQ(0, ev_start(self->loop));
	ASSERT_EQ(0, ev_start(self->client_loop));
	ASSERT_EQ(0, rpc_connect(self->client_loop, (struct sockaddr *)&self->addr, false,
				 &self->call, &self->conn));
}

FIXTURE_TEARDOWN(rpc)
{
	rpc_conn_close(self->conn);
	rpc_conn_put(self->conn);
	ev_join(self->client_loop);
	ev_loop_free(self->client_loop);
	ev_join(self->loop);
	rpc_listener_free(self->listener);
	ev_loop_free(self->loop);
	rpc_pipes_put(self->pipes);
}

static void answered(void *arg, int err, struct xdr *reply, struct rpc_rec *rec)
{
	struct answer *a = arg;
	struct xdr_bytes data = {NULL, 0};

	a->err = err;
	if (!err) {
		xdr_var(reply, &data, UINT32_MAX);
		a->len = data.len;
		a->sum = sum_of(data.data, data.len);
		if (a->tail && xdr_get_u32(reply) != data.len)
			a->err = -EBADMSG;
	}
	sem_post(&a->came);
}

static int start(struct rpc_conn *conn, uint32_t proc, struct xdr_bytes data, struct answer *a)
{
	const struct rpc_cred cred = {.flavor = RPC_AUTH_SYS, .uid = 7, .gid = 8, .ngroups = 1};
	const struct rpc_target to = {.prog = PROG, .vers = 1, .proc = proc, .cred = &cred};
	uint8_t buf[RPC_HEAD_MAX + 4 + XDR_REF_MIN];
	struct xdr x;

	sem_init(&a->came, 0, 0);
	a->tail = false;
	xdr_encode(&x, buf, sizeof(buf));
	rpc_call_begin(conn, &x, &to);
	xdr_var(&x, &data, UINT32_MAX);
	return rpc_call_send(conn, &x, proc == 4 ? 300 : 0, answered, a);
}

TEST_F(rpc, small_and_large_calls_are_echoed)
{
	static const uint32_t sizes[] = {0, 1, 3, 4, 2047, 2048, 70000, 1 << 20, (1 << 20) + 7};
	uint8_t *data = malloc(2 << 20);

	for (uint32_t i = 0; i < 2 << 20; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct answer a;

		ASSERT_EQ(0, start(self->conn, 1, (struct xdr_bytes){data, sizes[i]}, &a));
		sem_wait(&a.came);
		ASSERT_EQ(0, a.err);
		ASSERT_EQ(sizes[i], a.len);
		ASSERT_EQ(sum_of(data, sizes[i]), a.sum);
	}
	free(data);
}

TEST_F(rpc, many_calls_in_flight_get_their_own_replies)
{
	static struct answer a[200];
	static uint8_t data[200][300];

	for (unsigned i = 0; i < 200; i++) {
		memset(data[i], (int)i, sizeof(data[i]));
		ASSERT_EQ(0, start(self->conn, i % 7 ? 1 : 2,
				   (struct xdr_bytes){data[i], 100 + i / 2}, &a[i]));
	}
	for (unsigned i = 0; i < 200; i++) {
		sem_wait(&a[i].came);
		ASSERT_EQ(0, a[i].err);
		ASSERT_EQ(sum_of(data[i], 100 + i / 2), a[i].sum);
	}
}

/* Holds the thread that reads replies. */
static void held(void *arg, int err, struct xdr *reply, struct rpc_rec *rec)
{
	sem_wait(arg);
}

/* Asks for more than the sockets take, while nobody reads: the rest waits at the server. */
static int ask_piped(FIXTURE_DATA(rpc) * self, struct answer *a, uint32_t n, sem_t *gate)
{
	struct rpc_target to = {.prog = PROG, .vers = 1, .proc = 1};
	uint8_t buf[RPC_HEAD_MAX];
	struct xdr x;
	int err;

	sem_init(gate, 0, 0);
	xdr_encode(&x, buf, sizeof(buf));
	rpc_call_begin(self->conn, &x, &to);
	xdr_put_u32(&x, 0);
	err = rpc_call_send(self->conn, &x, 0, held, gate);
	to.proc = 5;
	for (uint32_t i = 0; i < n && !err; i++) {
		sem_init(&a[i].came, 0, 0);
		a[i].tail = true;
		xdr_encode(&x, buf, sizeof(buf));
		rpc_call_begin(self->conn, &x, &to);
		xdr_put_u32(&x, 190000 + i * 999);
		err = rpc_call_send(self->conn, &x, 0, answered, &a[i]);
	}
	while (!err && atomic_load(&self->piped) < n)
		usleep(1000);
	return err;
}

TEST_F(rpc, replies_from_pipes_arrive_whole_when_the_peer_reads_late)
{
	static struct answer a[36];
	uint8_t *data = pattern(1 << 18);
	sem_t gate;

	ASSERT_EQ(0, ask_piped(self, a, ARRAY_SIZE(a), &gate));
	sem_post(&gate);
	for (unsigned i = 0; i < ARRAY_SIZE(a); i++) {
		sem_wait(&a[i].came);
		ASSERT_EQ(0, a[i].err);
		ASSERT_EQ(190000 + i * 999, a[i].len);
		ASSERT_EQ(sum_of(data, a[i].len), a[i].sum);
	}
	free(data);
}

/* All that nobody holds, behind the @n that we have. */
static unsigned take_pipes(struct rpc_pipes *pipes, struct rpc_pipe **got, unsigned n)
{
	while (n < PIPES && (got[n] = rpc_pipe_get(pipes)))
		n++;
	return n;
}

TEST_F(rpc, what_waits_in_pipes_is_dropped_with_the_connection)
{
	struct rpc_pipe *got[PIPES];
	static struct answer a[36];
	unsigned lost = 0, n;
	sem_t gate;
	char c;

	ASSERT_EQ(0, ask_piped(self, a, ARRAY_SIZE(a), &gate));
	n = take_pipes(self->pipes, got, 0);
	EXPECT_GT(PIPES, n); /* the others have what waits */
	rpc_conn_close(self->conn);
	sem_post(&gate);
	sem_wait(&self->server_closed);
	for (unsigned i = 0; i < ARRAY_SIZE(a); i++) {
		sem_wait(&a[i].came);
		lost += a[i].err < 0;
	}
	EXPECT_LT(0u, lost);
	for (unsigned i = 0; i < 1000 && n < PIPES; i++) {
		n = take_pipes(self->pipes, got, n);
		usleep(10000);
	}
	EXPECT_EQ(PIPES, n);
	while (n--) {
		EXPECT_EQ(0u, got[n]->left);
		EXPECT_EQ(-1, read(got[n]->out, &c, 1)); /* nothing of the dropped ones */
		EXPECT_EQ(EAGAIN, errno);
		rpc_pipe_put(got[n]);
	}
}

TEST_F(rpc, a_call_without_reply_times_out)
{
	struct answer a;

	ASSERT_EQ(0, start(self->conn, 4, (struct xdr_bytes){"x", 1}, &a));
	sem_wait(&a.came);
	EXPECT_EQ(-ETIMEDOUT, a.err);
}

TEST_F(rpc, an_unknown_procedure_is_an_error)
{
	struct answer a;

	ASSERT_EQ(0, start(self->conn, 99, (struct xdr_bytes){"x", 1}, &a));
	sem_wait(&a.came);
	EXPECT_EQ(-EOPNOTSUPP, a.err);
}

TEST_F(rpc, a_lost_connection_ends_all_calls)
{
	static struct answer a[20];

	/* no time limit on these: procedure 3 is never answered */
	for (unsigned i = 0; i < 20; i++)
		ASSERT_EQ(0, start(self->conn, 3, (struct xdr_bytes){"x", 1}, &a[i]));
	rpc_conn_close(self->conn);
	for (unsigned i = 0; i < 20; i++) {
		sem_wait(&a[i].came);
		EXPECT_GT(0, a[i].err);
	}
	sem_wait(&self->closed);
	EXPECT_EQ(-ENOTCONN, start(self->conn, 1, (struct xdr_bytes){"x", 1}, &a[0]));
}

TEST_F(rpc, nobody_there_is_reported_to_the_call)
{
	struct sockaddr_storage addr;
	struct rpc_conn *conn;
	struct answer a;
	int fd, err;
	socklen_t len = sizeof(addr);

	/* a port that was free a moment ago */
	rpc_addr_parse("127.0.0.1:0", &addr);
	fd = rpc_socket((struct sockaddr *)&addr);
	getsockname(fd, (struct sockaddr *)&addr, &len);
	close(fd);
	err = rpc_connect(self->client_loop, (struct sockaddr *)&addr, false, &self->call, &conn);
	ASSERT_EQ(0, err);
	if (start(conn, 1, (struct xdr_bytes){"x", 1}, &a) == 0) {
		sem_wait(&a.came);
		EXPECT_EQ(-ECONNREFUSED, a.err);
	}
	sem_wait(&self->closed);
	rpc_conn_put(conn);
}

struct back {
	sem_t came;
	uint32_t prog;
};

static void called_back(void *ctx, struct rpc_call *call)
{
	struct back *b = ctx;

	b->prog = call->prog;
	rpc_reply_error(call, RPC_PROC_UNAVAIL, 0, 0);
	rpc_call_done(call);
	sem_post(&b->came);
}

TEST_F(rpc, the_server_calls_back_on_the_same_connection)
{
	struct back b = {.prog = 0};
	const struct rpc_options opt = {.call = called_back, .ctx = &b};
	struct rpc_conn *conn;
	struct answer a;

	sem_init(&b.came, 0, 0);
	ASSERT_EQ(0, rpc_connect(self->client_loop, (struct sockaddr *)&self->addr, false, &opt,
				 &conn));
	ASSERT_EQ(0, start(conn, 3, (struct xdr_bytes){"x", 1}, &a));
	sem_wait(&b.came);
	EXPECT_EQ(PROG + 1, b.prog);
	rpc_conn_close(conn);
	sem_wait(&a.came);
	rpc_conn_put(conn);
}

/* What a raw socket is answered: bytes read until @want came, or the end. */
static ssize_t talk(FIXTURE_DATA(rpc) * self, const void *say, size_t len, void *hear, size_t want)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t got = 0;
	ssize_t n = 0;

	if (connect(fd, (struct sockaddr *)&self->addr, sizeof(struct sockaddr_in)))
		return -1;
	for (size_t i = 0; i < len; i++) /* byte by byte: each boundary is hit */
		if (send(fd, (const char *)say + i, 1, MSG_NOSIGNAL) != 1)
			break;
	while (got < want) {
		n = read(fd, (char *)hear + got, want - got);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	close(fd);
	return (ssize_t)got;
}

static size_t raw_call(uint8_t *buf, uint32_t version)
{
	struct xdr x;

	xdr_encode(&x, buf, 256);
	xdr_put_u32(&x, 0x1234); /* xid */
	xdr_put_u32(&x, 0);
	xdr_put_u32(&x, version);
	xdr_put_u32(&x, PROG);
	xdr_put_u32(&x, 1);
	xdr_put_u32(&x, 1);
	xdr_skip(&x, 16); /* AUTH_NONE twice */
	xdr_put_u32(&x, 4);
	xdr_put_u32(&x, 0x61626364);
	return xdr_len(&x);
}

TEST_F(rpc, a_record_in_many_fragments_is_one_call)
{
	uint8_t call[256], wire[1024], hear[36];
	size_t len = raw_call(call, 2), n = 0;
	struct xdr x;

	/* fragments of 5 bytes, one of none, and the rest */
	for (size_t i = 0; i < len; i += 5) {
		size_t part = len - i < 5 ? len - i : 5;

		xdr_encode(&x, wire + n, 4);
		xdr_put_u32(&x, (uint32_t)part);
		memcpy(wire + n + 4, call + i, part);
		n += 4 + part;
	}
	xdr_encode(&x, wire + n, 4);
	xdr_put_u32(&x, 0x80000000u);
	n += 4;
	ASSERT_EQ(36, talk(self, wire, n, hear, sizeof(hear)));
	xdr_decode(&x, hear, sizeof(hear));
	EXPECT_EQ(0x80000020u, xdr_get_u32(&x));
	EXPECT_EQ(0x1234u, xdr_get_u32(&x));
	EXPECT_EQ(0, memcmp(hear + 32, "abcd", 4));
}

TEST_F(rpc, a_record_that_is_too_long_ends_the_connection)
{
	static const uint8_t mark[4] = {0x80, 0x50, 0, 0}; /* 5 MiB */
	uint8_t hear[4];

	EXPECT_EQ(0, talk(self, mark, sizeof(mark), hear, sizeof(hear)));
	sem_wait(&self->server_closed);
	EXPECT_EQ(-EMSGSIZE, (int)self->server_err);
}

TEST_F(rpc, another_rpc_version_is_refused)
{
	uint8_t wire[260], hear[28];
	struct xdr x;
	size_t len = raw_call(wire + 4, 3);

	xdr_encode(&x, wire, 4);
	xdr_put_u32(&x, 0x80000000u | (uint32_t)len);
	ASSERT_EQ(28, talk(self, wire, len + 4, hear, sizeof(hear)));
	xdr_decode(&x, hear + 8, 20);
	EXPECT_EQ(1, xdr_get_u32(&x)); /* REPLY */
	EXPECT_EQ(1, xdr_get_u32(&x)); /* MSG_DENIED */
	EXPECT_EQ(0, xdr_get_u32(&x)); /* RPC_MISMATCH */
	EXPECT_EQ(2, xdr_get_u32(&x));
}

TEST_F(rpc, addresses_are_read_and_written)
{
	static const char *good[] = {"127.0.0.1:2049", "[::1]:65535", "0.0.0.0:0"};
	static const char *bad[] = {"",	   "1.2.3.4",	    "1.2.3.4:", "::1:5",
				    "x:1", "1.2.3.4:70000", "[]:1"};
	struct sockaddr_storage addr;
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		ASSERT_EQ(0, rpc_addr_parse(good[i], &addr));
		rpc_addr_text(&addr, text, sizeof(text));
		EXPECT_STREQ(good[i], text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, rpc_addr_parse(bad[i], &addr));
	ASSERT_EQ(0, rpc_addr_from_universal("tcp", "10.0.0.1.8.1", &addr));
	EXPECT_EQ(2049, rpc_addr_port(&addr));
	EXPECT_STREQ("tcp", rpc_addr_to_universal(&addr, text, sizeof(text)));
	EXPECT_STREQ("10.0.0.1.8.1", text);
	ASSERT_EQ(0, rpc_addr_from_universal("tcp6", "::1.0.80", &addr));
	EXPECT_EQ(80, rpc_addr_port(&addr));
	EXPECT_EQ(-EINVAL, rpc_addr_from_universal("tcp", "10.0.0.1.8.256", &addr));
	EXPECT_EQ(-EINVAL, rpc_addr_from_universal("udp", "10.0.0.1.8.1", &addr));
	EXPECT_EQ(-EINVAL, rpc_addr_from_universal("tcp", "8.1", &addr));
}

TEST_HARNESS_MAIN
