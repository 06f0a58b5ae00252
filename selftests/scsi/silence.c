// SPDX-License-Identifier: GPL-2.0-or-later
/* The server's patience: its loop turns here, and its clock is set by the test. */
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "scsi/target/iscsi.h"
#include "wire.h"

FIXTURE(silence)
{
	struct server *s;
	char file[300];
	int fd;
	struct wire w;
	struct iscsi_bhs got;
};

FIXTURE_SETUP(silence)
{
	struct lun_spec spec = {.file = self->file, .size = 1 << 20, .physical = 3};
	struct sockaddr_in a = {.sin_family = AF_INET};
	char where[80], text[200];
	struct target *t;
	const char *why;

	self->s = calloc(1, sizeof(*self->s));
	snprintf(self->file, sizeof(self->file), "%s/lun", fixture_dir());
	ASSERT_EQ(0, engine_init(&self->s->engine, NULL, text, sizeof(text)));
	ASSERT_EQ(0, target_add(&self->s->engine, WIRE_TARGET, &t));
	ASSERT_EQ(0, target_add_lun(t, &spec, text, sizeof(text)));
	ASSERT_EQ(0, server_listen(self->s, "127.0.0.1:0", where, sizeof(where), &why));
	ASSERT_EQ(0, server_init(self->s));
	a.sin_port = htons((uint16_t)atoi(strrchr(where, ':') + 1));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(self->fd, (struct sockaddr *)&a, sizeof(a)));
}

FIXTURE_TEARDOWN(silence)
{
	close(self->fd);
	server_end(self->s);
	engine_end(&self->s->engine);
	free(self->s);
	unlink(self->file);
}

/* The loop turns until there is something for us: a PDU without data, or the end (false). */
static bool get(FIXTURE_DATA(silence) * self)
{
	struct pollfd p = {.fd = self->fd, .events = POLLIN};

	for (unsigned turns = 0; poll(&p, 1, 0) == 0; turns++)
		if (turns > 1000 || server_turn(self->s, 10) < 0)
			return false;
	return recv(self->fd, &self->got, ISCSI_BHS, MSG_WAITALL) == ISCSI_BHS;
}

static bool log_in(FIXTURE_DATA(silence) * self)
{
	char rest[4096];

	wire_login(&self->w, NULL, 0);
	if (send(self->fd, self->w.bytes, self->w.len, 0) < 0 || !get(self))
		return false;
	return recv(self->fd, rest, sizeof(rest), 0) > 0; /* what was agreed on */
}

/* Nothing was heard for so long, and a second has begun. */
static void pass(FIXTURE_DATA(silence) * self, uint64_t seconds)
{
	struct conn *c = self->s->conns;

	c->last_rx -= seconds;
	c->last_tx -= seconds;
	self->s->now--;
}

TEST_F(silence, who_is_silent_is_asked_and_then_left)
{
	struct iscsi_bhs *b;

	ASSERT_TRUE(log_in(self));
	for (unsigned i = 0; i < 2; i++) {
		pass(self, IDLE_TIME + 1);
		ASSERT_TRUE(get(self));
		EXPECT_EQ(ISCSI_NOP_IN, self->got.opcode);
		EXPECT_EQ(ISCSI_NO_TAG, get_be32(self->got.itt));
		EXPECT_NE(ISCSI_NO_TAG, get_be32(self->got.ttt));
		b = wire_bhs(&self->w, ISCSI_NOP_OUT | ISCSI_IMMEDIATE, ISCSI_FINAL);
		put_be32(b->itt, ISCSI_NO_TAG);
		memcpy(b->ttt, self->got.ttt, 4);
		ASSERT_EQ((ssize_t)self->w.len, send(self->fd, self->w.bytes, self->w.len, 0));
		/* The answer is read, and is answered by nothing. */
		while (self->s->conns->pinged)
			ASSERT_LE(0, server_turn(self->s, 10));
	}
	pass(self, DEAD_TIME + 1);
	EXPECT_FALSE(get(self));
	EXPECT_EQ(NULL, self->s->conns);
}

TEST_F(silence, who_does_not_log_in_is_left)
{
	while (!self->s->conns)
		ASSERT_LE(0, server_turn(self->s, 10));
	self->s->conns->began -= LOGIN_TIME + 1;
	self->s->now--;
	EXPECT_FALSE(get(self));
	EXPECT_EQ(NULL, self->s->conns);
}

TEST_F(silence, a_PDU_that_does_not_end_is_the_end)
{
	ASSERT_TRUE(log_in(self));
	wire_bhs(&self->w, ISCSI_NOP_OUT | ISCSI_IMMEDIATE, ISCSI_FINAL);
	put_be24(((struct iscsi_bhs *)self->w.bytes)->data_len, 4);
	ASSERT_EQ(ISCSI_BHS, send(self->fd, self->w.bytes, ISCSI_BHS, 0));
	while (self->s->conns->step == RX_HEAD)
		ASSERT_LE(0, server_turn(self->s, 10));
	self->s->conns->pdu_began -= PDU_TIME + 1;
	self->s->now--;
	EXPECT_FALSE(get(self));
	EXPECT_EQ(NULL, self->s->conns);
}

TEST_HARNESS_MAIN
