// SPDX-License-Identifier: GPL-2.0-or-later
/* The server over a socket, and an initiator that does what none should. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "scsi/target/iscsi.h"
#include "scsi/target/lu.h"
#include "wire.h"

#define SIZE ((uint64_t)4 << 20)

FIXTURE(wire)
{
	struct server *s;
	pthread_t thread;
	char file[300];
	uint16_t port;
	int fd;
	struct wire w;
	struct iscsi_bhs got;
	uint8_t data[1 << 16];
	uint32_t len;
};

static void *serve(void *arg)
{
	server_run(arg);
	return NULL;
}

FIXTURE_SETUP(wire)
{
	struct lun_spec spec = {.file = self->file, .size = SIZE, .physical = 3};
	char where[80], text[200];
	struct target *t;
	const char *why;

	self->s = calloc(1, sizeof(*self->s));
	snprintf(self->file, sizeof(self->file), "%s/lun", fixture_dir());
	ASSERT_EQ(0, engine_init(&self->s->engine, NULL, text, sizeof(text)));
	ASSERT_EQ(0, target_add(&self->s->engine, WIRE_TARGET, &t));
	ASSERT_EQ(0, target_add_lun(t, &spec, text, sizeof(text)));
	ASSERT_EQ(0, server_listen(self->s, "127.0.0.1:0", where, sizeof(where), &why));
	self->port = (uint16_t)atoi(strrchr(where, ':') + 1);
	ASSERT_EQ(0, server_init(self->s));
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, serve, self->s));
	self->fd = -1;
}

/* All that it had is given back. */
FIXTURE_TEARDOWN(wire)
{
	if (self->fd >= 0)
		close(self->fd);
	kill(getpid(), SIGTERM);
	pthread_join(self->thread, NULL);
	server_end(self->s);
	EXPECT_EQ(NULL, self->s->sessions);
	EXPECT_EQ(NULL, self->s->engine.nexuses);
	EXPECT_EQ(0u, atomic_load(&self->s->engine.memory));
	engine_end(&self->s->engine);
	free(self->s);
	unlink(self->file);
}

static int dial(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		abort();
	return fd;
}

static void put(int fd, const struct wire *w)
{
	if (send(fd, w->bytes, w->len, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		abort();
}

static bool get_bytes(int fd, void *to, size_t len)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (uint8_t *at = to; len;) {
		ssize_t n;

		if (poll(&p, 1, 5000) <= 0)
			return false;
		n = recv(fd, at, len, 0);
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* The next PDU without digests, or false when the connection is over. */
static bool get(FIXTURE_DATA(wire) * self)
{
	struct iscsi_size z;

	if (!get_bytes(self->fd, &self->got, ISCSI_BHS))
		return false;
	iscsi_size(&z, &self->got);
	self->len = z.data;
	return z.data + z.pad <= sizeof(self->data) &&
	       get_bytes(self->fd, self->data, z.data + z.pad);
}

static bool login(FIXTURE_DATA(wire) * self, const char *more, size_t len)
{
	if (self->fd >= 0)
		close(self->fd);
	self->fd = dial(self->port);
	wire_login(&self->w, more, len);
	put(self->fd, &self->w);
	return get(self) && self->got.opcode == ISCSI_LOGIN_RESPONSE &&
	       !get_be16(self->got.data_sn);
}

/* One that is in full feature phase answers a ping, after whatever else it has to say. */
static bool alive(FIXTURE_DATA(wire) * self)
{
	struct iscsi_bhs *b = wire_bhs(&self->w, ISCSI_NOP_OUT | ISCSI_IMMEDIATE, ISCSI_FINAL);

	put_be32(b->itt, 0x77);
	put_be32(b->ttt, ISCSI_NO_TAG);
	put(self->fd, &self->w);
	while (get(self))
		if (self->got.opcode == ISCSI_NOP_IN && get_be32(self->got.itt) == 0x77)
			return true;
	return false;
}

/* Any answer, or the end, but never silence: a new initiator is served. */
static void send_and_leave(FIXTURE_DATA(wire) * self, const struct wire *w, bool logged_in)
{
	struct wire first;
	int fd = dial(self->port);

	if (logged_in) {
		wire_login(&first, NULL, 0);
		first.bytes[8 + 5] = 9; /* of another ISID */
		put(fd, &first);
	}
	put(fd, w);
	shutdown(fd, SHUT_WR);
	while (recv(fd, self->data, sizeof(self->data), 0) > 0)
		;
	close(fd);
}

TEST_F(wire, login_and_ping)
{
	ASSERT_TRUE(login(self, NULL, 0));
	EXPECT_NE(0, get_be16(self->got.lun + 6));
	ASSERT_TRUE(alive(self));
}

TEST_F(wire, every_byte_of_a_login_may_be_wrong)
{
	static const uint8_t changes[] = {0x01, 0x80, 0xff};
	struct wire good, bad;

	wire_login(&good, NULL, 0);
	for (size_t at = 0; at < good.len; at++)
		for (unsigned i = 0; i < sizeof(changes); i++) {
			bad = good;
			bad.bytes[at] ^= changes[i];
			send_and_leave(self, &bad, false);
		}
	ASSERT_TRUE(login(self, NULL, 0));
	ASSERT_TRUE(alive(self));
}

static unsigned examples(struct wire *w)
{
	static const uint8_t write_10[16] = {0x2a, 0, 0, 0, 0, 0, 0, 0, 2},
			     read_10[16] = {0x28, 0, 0, 0, 0, 0, 0, 0, 2},
			     xcopy[16] = {0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16};
	static const uint8_t zeros[1024];
	struct iscsi_bhs *b;

	b = wire_command(&w[0], ISCSI_FINAL | ISCSI_WRITE, 1, write_10);
	put_be32(b->ttt, 1024);
	wire_data(&w[0], zeros, 1024);
	b = wire_command(&w[1], ISCSI_FINAL | ISCSI_READ, 1, read_10);
	put_be32(b->ttt, 1024);
	b = wire_command(&w[2], ISCSI_FINAL | ISCSI_WRITE, 1, xcopy);
	put_be32(b->ttt, 16);
	wire_data(&w[2], zeros, 16);
	b = wire_bhs(&w[3], ISCSI_TASK_REQUEST | ISCSI_IMMEDIATE, ISCSI_FINAL | TASK_LUN_RESET);
	b = wire_bhs(&w[4], ISCSI_TEXT_REQUEST, ISCSI_FINAL);
	put_be32(b->ttt, ISCSI_NO_TAG);
	put_be32(b->sn, 1);
	wire_data(&w[4], "SendTargets=All", 16);
	b = wire_bhs(&w[5], ISCSI_NOP_OUT, ISCSI_FINAL);
	put_be32(b->sn, 1);
	wire_data(&w[5], "ping", 4);
	b = wire_bhs(&w[6], ISCSI_DATA_OUT, ISCSI_FINAL);
	put_be32(b->ttt, ISCSI_NO_TAG);
	wire_data(&w[6], zeros, 512);
	wire_bhs(&w[7], ISCSI_LOGOUT_REQUEST | ISCSI_IMMEDIATE, ISCSI_FINAL);
	wire_bhs(&w[8], ISCSI_SNACK, ISCSI_FINAL);
	return 9;
}

TEST_F(wire, every_byte_of_any_PDU_may_be_wrong)
{
	struct wire w[16], bad;
	unsigned n = examples(w);

	for (unsigned i = 0; i < n; i++)
		for (size_t at = 0; at < ISCSI_BHS; at++) {
			bad = w[i];
			bad.bytes[at] ^= at % 2 ? 0xff : 0x81;
			send_and_leave(self, &bad, true);
		}
	ASSERT_TRUE(login(self, NULL, 0));
	ASSERT_TRUE(alive(self));
}

TEST_F(wire, a_PDU_may_end_at_every_byte)
{
	struct wire w[16], cut;
	unsigned n = examples(w);

	for (unsigned i = 0; i < n; i++)
		for (size_t len = 1; len < w[i].len; len += len < 60 ? 1 : 97) {
			cut = w[i];
			cut.len = len;
			send_and_leave(self, &cut, true);
		}
	ASSERT_TRUE(login(self, NULL, 0));
	ASSERT_TRUE(alive(self));
}

/* Data by R2T only: nothing is written until all of it is there, in order. */
TEST_F(wire, a_write_by_request)
{
	static const uint8_t cdb[16] = {0x2a, 0, 0, 0, 0, 8, 0, 0, 4};
	uint8_t data[2048], seen[2048];
	struct iscsi_bhs *b;
	FILE *f;

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i / 3);
	ASSERT_TRUE(login(self, NULL, 0));
	b = wire_command(&self->w, ISCSI_FINAL | ISCSI_WRITE, 1, cdb);
	put_be32(b->ttt, 2048);
	put(self->fd, &self->w);
	/* The first command is answered with a unit attention. */
	ASSERT_TRUE(get(self));
	ASSERT_EQ(ISCSI_RESPONSE, self->got.opcode);
	b = wire_command(&self->w, ISCSI_FINAL | ISCSI_WRITE, 2, cdb);
	put_be32(b->ttt, 2048);
	put(self->fd, &self->w);
	ASSERT_TRUE(get(self));
	ASSERT_EQ(ISCSI_R2T, self->got.opcode);
	ASSERT_EQ(2048u, get_be32(self->got.residual));
	for (unsigned i = 0; i < 4; i++) {
		b = wire_bhs(&self->w, ISCSI_DATA_OUT, i == 3 ? ISCSI_FINAL : 0);
		put_be32(b->itt, 0x102);
		memcpy(b->ttt, self->got.ttt, 4);
		put_be32(b->data_sn, i);
		put_be32(b->offset, i * 512);
		wire_data(&self->w, data + i * 512, 512);
		put(self->fd, &self->w);
	}
	ASSERT_TRUE(get(self));
	ASSERT_EQ(ISCSI_RESPONSE, self->got.opcode);
	EXPECT_EQ(0, self->got.status);
	f = fopen(self->file, "re");
	fseek(f, 4096, SEEK_SET);
	ASSERT_EQ(sizeof(seen), fread(seen, 1, sizeof(seen), f));
	fclose(f);
	EXPECT_EQ(0, memcmp(data, seen, sizeof(seen)));
}

TEST_F(wire, data_that_were_not_agreed_on_end_the_connection)
{
	static const char no_data[] = "ImmediateData=No";
	static const uint8_t cdb[16] = {0x2a, 0, 0, 0, 0, 0, 0, 0, 2};
	struct iscsi_bhs *b;

	for (unsigned i = 0; i < 4; i++) {
		ASSERT_TRUE(login(self, no_data, i == 0 ? sizeof(no_data) : 0));
		b = wire_command(&self->w, ISCSI_FINAL | ISCSI_WRITE, 1, cdb);
		/* Immediate; more than is expected; of a read; unsolicited. */
		put_be32(b->ttt, i == 1 ? 100 : 1024);
		if (i == 2)
			b->flags = ISCSI_FINAL | ISCSI_READ;
		if (i == 3)
			b->flags = ISCSI_WRITE;
		else
			wire_data(&self->w, self->data, 1024);
		put(self->fd, &self->w);
		EXPECT_FALSE(alive(self));
	}
}

TEST_F(wire, wrong_digests_end_the_connection)
{
	static const char both[] = "HeaderDigest=CRC32C\0DataDigest=CRC32C";
	struct iscsi_bhs *b;
	uint8_t digest[4];

	for (unsigned i = 0; i < 3; i++) {
		ASSERT_TRUE(login(self, both, sizeof(both)));
		b = wire_bhs(&self->w, ISCSI_NOP_OUT | ISCSI_IMMEDIATE, ISCSI_FINAL);
		put_be32(b->ttt, ISCSI_NO_TAG);
		wire_data(&self->w, "ping", 4);
		memmove(self->w.bytes + 52, self->w.bytes + 48, 4);
		iscsi_digest(&self->s->crc, self->w.bytes, 48, digest);
		memcpy(self->w.bytes + 48, digest, 4);
		iscsi_digest(&self->s->crc, "ping", 4, digest);
		memcpy(self->w.bytes + 56, digest, 4);
		self->w.len = 60;
		if (i)
			self->w.bytes[i == 1 ? 50 : 58] ^= 4;
		put(self->fd, &self->w);
		EXPECT_EQ(!i, get_bytes(self->fd, self->data, 60));
		if (!i) {
			EXPECT_EQ(0, memcmp(self->data + 52, "ping", 4));
		}
	}
}

/* The PDU that was made gets its digests. */
static void put_digested(FIXTURE_DATA(wire) * self)
{
	uint8_t *head_end = self->w.bytes + ISCSI_BHS;
	size_t data = self->w.len - ISCSI_BHS;

	memmove(head_end + ISCSI_DIGEST, head_end, data);
	iscsi_digest(&self->s->crc, self->w.bytes, ISCSI_BHS, head_end);
	self->w.len += ISCSI_DIGEST;
	if (data) {
		iscsi_digest(&self->s->crc, head_end + ISCSI_DIGEST, data,
			     self->w.bytes + self->w.len);
		self->w.len += ISCSI_DIGEST;
	}
	put(self->fd, &self->w);
}

static bool get_digested(FIXTURE_DATA(wire) * self)
{
	uint8_t digest[ISCSI_DIGEST], want[ISCSI_DIGEST];
	struct iscsi_size z;

	if (!get_bytes(self->fd, &self->got, ISCSI_BHS) || !get_bytes(self->fd, digest, 4))
		return false;
	iscsi_digest(&self->s->crc, &self->got, ISCSI_BHS, want);
	iscsi_size(&z, &self->got);
	self->len = z.data;
	if (memcmp(digest, want, 4) != 0 || z.data + z.pad > sizeof(self->data))
		return false;
	if (!z.data)
		return true;
	if (!get_bytes(self->fd, self->data, z.data + z.pad) || !get_bytes(self->fd, digest, 4))
		return false;
	iscsi_digest(&self->s->crc, self->data, z.data + z.pad, want);
	return !memcmp(digest, want, 4);
}

TEST_F(wire, data_with_digests_go_both_ways)
{
	static const char both[] = "HeaderDigest=CRC32C\0DataDigest=CRC32C";
	static const uint8_t ready[16], write[16] = {0x2a, 0, 0, 0, 0, 3, 0, 0, 2},
					read[16] = {0x28, 0, 0, 0, 0, 3, 0, 0, 2};
	uint8_t data[1024];
	struct iscsi_bhs *b;

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 / 5);
	ASSERT_TRUE(login(self, both, sizeof(both)));
	wire_command(&self->w, ISCSI_FINAL, 1, ready);
	put_digested(self);
	/* A unit attention, whose sense data have a digest too. */
	ASSERT_TRUE(get_digested(self));
	EXPECT_EQ(STATUS_CHECK_CONDITION, self->got.status);
	b = wire_command(&self->w, ISCSI_FINAL | ISCSI_WRITE, 2, write);
	put_be32(b->ttt, sizeof(data));
	wire_data(&self->w, data, sizeof(data));
	put_digested(self);
	ASSERT_TRUE(get_digested(self));
	EXPECT_EQ(STATUS_GOOD, self->got.status);
	b = wire_command(&self->w, ISCSI_FINAL | ISCSI_READ, 3, read);
	put_be32(b->ttt, sizeof(data));
	put_digested(self);
	ASSERT_TRUE(get_digested(self));
	EXPECT_EQ(ISCSI_DATA_IN, self->got.opcode);
	ASSERT_EQ(sizeof(data), self->len);
	EXPECT_EQ(0, memcmp(data, self->data, sizeof(data)));
}

static void ask(FIXTURE_DATA(wire) * self, uint8_t function, uint8_t lun, uint32_t tag)
{
	struct iscsi_bhs *b = wire_bhs(&self->w, ISCSI_TASK_REQUEST | ISCSI_IMMEDIATE,
				       (uint8_t)(ISCSI_FINAL | function));

	b->lun[1] = lun;
	put_be32(b->itt, 0x55);
	put_be32(b->ttt, tag);
	put(self->fd, &self->w);
}

/* One ready unit, and a write that waits for a lock of somebody else; it has the tag 0x102. */
static bool begin_write(FIXTURE_DATA(wire) * self)
{
	static const uint8_t ready[16], cdb[16] = {0x2a, 0, 0, 0, 0, 0, 0, 0, 1};
	struct iscsi_bhs *b;

	if (!login(self, NULL, 0))
		return false;
	wire_command(&self->w, ISCSI_FINAL, 1, ready);
	put(self->fd, &self->w);
	if (!get(self))
		return false;
	b = wire_command(&self->w, ISCSI_FINAL | ISCSI_WRITE, 2, cdb);
	put_be32(b->ttt, 512);
	wire_data(&self->w, self->data, 512);
	put(self->fd, &self->w);
	return alive(self);
}

/* The answer tells that nothing of what was aborted will happen any more. */
TEST_F(wire, an_abort_is_answered_when_the_command_has_ended)
{
	static const uint8_t functions[] = {TASK_ABORT, TASK_ABORT_SET, TASK_CLEAR_SET,
					    TASK_LUN_RESET, TASK_WARM_RESET};
	struct lu *lu = self->s->engine.lus;

	for (unsigned i = 0; i < sizeof(functions); i++) {
		struct range_lock lock = {.to = 512, .exclusive = true};

		lu_lock(lu, &lock);
		ASSERT_TRUE(begin_write(self));
		ask(self, functions[i], 0, 0x102);
		wire_bhs(&self->w, ISCSI_NOP_OUT | ISCSI_IMMEDIATE, ISCSI_FINAL);
		put_be32(((struct iscsi_bhs *)self->w.bytes)->ttt, ISCSI_NO_TAG);
		put(self->fd, &self->w);
		ASSERT_TRUE(get(self));
		EXPECT_EQ(ISCSI_NOP_IN, self->got.opcode);
		lu_unlock(lu, &lock);
		ASSERT_TRUE(get(self));
		EXPECT_EQ(ISCSI_TASK_RESPONSE, self->got.opcode);
		EXPECT_EQ(0x55u, get_be32(self->got.itt));
		EXPECT_EQ(TASK_COMPLETE, self->got.response);
		/* What was aborted has no answer of its own. */
		put(self->fd, &self->w);
		ASSERT_TRUE(get(self));
		EXPECT_EQ(ISCSI_NOP_IN, self->got.opcode);
	}
}

TEST_F(wire, what_cannot_be_aborted_is_said)
{
	static const struct {
		uint8_t function, lun, answer;
	} rows[] = {
		{TASK_ABORT, 0, TASK_UNKNOWN},		{TASK_ABORT_SET, 9, TASK_NO_LUN},
		{TASK_CLEAR_SET, 9, TASK_NO_LUN},	{TASK_LUN_RESET, 9, TASK_NO_LUN},
		{TASK_REASSIGN, 0, TASK_NOT_SUPPORTED}, {TASK_CLEAR_ACA, 0, TASK_NOT_SUPPORTED},
	};

	ASSERT_TRUE(login(self, NULL, 0));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(self, rows[i].function, rows[i].lun, 0x999);
		ASSERT_TRUE(get(self));
		EXPECT_EQ(ISCSI_TASK_RESPONSE, self->got.opcode);
		EXPECT_EQ(rows[i].answer, self->got.response);
	}
}

TEST_F(wire, a_command_outside_of_the_window_is_ignored)
{
	static const uint8_t ready[16];

	ASSERT_TRUE(login(self, NULL, 0));
	wire_command(&self->w, ISCSI_FINAL, 1 + WINDOW, ready);
	put(self->fd, &self->w);
	wire_command(&self->w, ISCSI_FINAL, 0, ready);
	put(self->fd, &self->w);
	ASSERT_TRUE(alive(self));
	EXPECT_EQ(1u, get_be32(self->got.exp_sn));
}

TEST_F(wire, who_logs_in_anew_takes_the_place_of_the_old_session)
{
	int old;

	ASSERT_TRUE(login(self, NULL, 0));
	old = self->fd;
	self->fd = -1;
	ASSERT_TRUE(login(self, NULL, 0));
	ASSERT_TRUE(alive(self));
	EXPECT_FALSE(get_bytes(old, self->data, 1));
	close(old);
}

/* What the old session wrote is done before the new one can write. */
TEST_F(wire, a_new_session_waits_for_commands_of_the_old_one)
{
	static const uint8_t cdb[16] = {0x2a, 0, 0, 0, 0, 0, 0, 0, 1};
	struct lu *lu = self->s->engine.lus;
	struct range_lock lock = {.to = 512, .exclusive = true};
	struct pollfd p = {.events = POLLIN};
	struct iscsi_bhs *b;

	ASSERT_TRUE(login(self, NULL, 0));
	lu_lock(lu, &lock);
	for (unsigned sn = 1; sn < 3; sn++) {
		b = wire_command(&self->w, ISCSI_FINAL | ISCSI_WRITE, sn, cdb);
		put_be32(b->ttt, 512);
		wire_data(&self->w, self->data, 512);
		put(self->fd, &self->w);
		if (sn == 1)
			ASSERT_TRUE(get(self));
	}
	ASSERT_TRUE(alive(self));
	close(self->fd);
	self->fd = p.fd = dial(self->port);
	wire_login(&self->w, NULL, 0);
	put(self->fd, &self->w);
	EXPECT_EQ(0, poll(&p, 1, 200));
	lu_unlock(lu, &lock);
	ASSERT_TRUE(get(self));
	EXPECT_EQ(ISCSI_LOGIN_RESPONSE, self->got.opcode);
}

TEST_F(wire, another_connection_of_a_session_is_refused)
{
	struct iscsi_bhs *b;

	ASSERT_TRUE(login(self, NULL, 0));
	close(self->fd);
	self->fd = dial(self->port);
	wire_login(&self->w, NULL, 0);
	b = (struct iscsi_bhs *)self->w.bytes;
	put_be16(b->lun + 6, 0x7777);
	put(self->fd, &self->w);
	ASSERT_TRUE(get(self));
	EXPECT_EQ(LOGIN_NO_SESSION, get_be16(self->got.data_sn));
}

TEST_HARNESS_MAIN
