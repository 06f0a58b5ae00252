// SPDX-License-Identifier: GPL-2.0-or-later
/* Delegations of ocp-nfsd: who gets them, what calls them back, and what becomes of those kept. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "selftests/nfs/lab.h"

#define READ  OPEN4_SHARE_ACCESS_READ
#define WRITE OPEN4_SHARE_ACCESS_WRITE
#define BOTH  OPEN4_SHARE_ACCESS_BOTH

FIXTURE(deleg)
{
	struct lab_server srv;
	struct lab a, b; /* a has the delegations, b is in the way */
	struct nfs4_fh dir, fh;
	struct nfs4_open_res open;
	char path[600];
};

FIXTURE_SETUP(deleg)
{
	const char *dir = fixture_fs("ext4", 64, NULL);

	if (!dir)
		SKIP(return, "%s", fixture_why());
	snprintf(self->path, sizeof(self->path), "%s/f", dir);
	self->srv.lease = "4";
	ASSERT_TRUE(lab_export(&self->srv, dir));
	ASSERT_TRUE(lab_start(&self->srv))
	TH_LOG("%s", lab_why());
	ASSERT_TRUE(lab_client(&self->a, &self->srv, "client a", false));
	ASSERT_TRUE(lab_client(&self->b, &self->srv, "client b", false));
	ASSERT_EQ(NFS4_OK, lab_fh(&self->a, dir, &self->dir));
}

FIXTURE_TEARDOWN(deleg)
{
	lab_end(&self->a);
	lab_end(&self->b);
	EXPECT_EQ(0, lab_stop(&self->srv));
}

static uint32_t open_by(FIXTURE_DATA(deleg) * self, struct lab *lab, uint32_t access)
{
	struct nfs4_open_args a = lab_create("f", "o", access, 0);

	return lab_open(lab, &a, &self->dir, &self->open, &self->fh);
}

/* What kind a gets. */
static uint32_t give(FIXTURE_DATA(deleg) * self, uint32_t access)
{
	return open_by(self, &self->a, access) ? ~0u : self->open.delegation.type;
}

static uint32_t with_stateid(FIXTURE_DATA(deleg) * self, struct lab *lab, uint32_t op,
			     const struct nfs4_stateid *id)
{
	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {self->fh});
	if (op == OP_READ)
		LAB_OP(lab, op, .read = {*id, 0, 10});
	else
		LAB_OP(lab, op, .stateid = {*id});
	return lab_send(lab);
}

static uint32_t give_back(FIXTURE_DATA(deleg) * self, const struct nfs4_stateid *id)
{
	return with_stateid(self, &self->a, OP_DELEGRETURN, id);
}

static bool called_back(FIXTURE_DATA(deleg) * self, const struct nfs4_stateid *id)
{
	sem_wait(&self->a.called_back);
	return !memcmp(&self->a.cb_stateid, id, sizeof(*id));
}

TEST_F(deleg, only_who_asks_gets_one)
{
	static const struct {
		uint32_t access, type;
	} row[] = {
		{READ, OPEN_DELEGATE_NONE},
		{READ | OPEN4_SHARE_ACCESS_WANT_NO_DELEG, OPEN_DELEGATE_NONE_EXT},
		{BOTH | OPEN4_SHARE_ACCESS_WANT_READ_DELEG, OPEN_DELEGATE_NONE_EXT},
		{READ | OPEN4_SHARE_ACCESS_WANT_READ_DELEG, OPEN_DELEGATE_READ},
		{READ | OPEN4_SHARE_ACCESS_WANT_ANY_DELEG, OPEN_DELEGATE_READ},
		{BOTH | OPEN4_SHARE_ACCESS_WANT_ANY_DELEG, OPEN_DELEGATE_WRITE},
		{BOTH | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG, OPEN_DELEGATE_WRITE},
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		EXPECT_EQ(row[i].type, give(self, row[i].access));
		if (row[i].type == OPEN_DELEGATE_READ || row[i].type == OPEN_DELEGATE_WRITE)
			EXPECT_EQ(NFS4_OK, give_back(self, &self->open.delegation.stateid));
		lab_sequence(&self->a, 0);
		LAB_OP(&self->a, OP_PUTFH, .putfh = {self->fh});
		LAB_OP(&self->a, OP_CLOSE, .close = {0, self->open.stateid});
		EXPECT_EQ(NFS4_OK, lab_send(&self->a));
	}
}

TEST_F(deleg, readers_share_and_a_writer_waits_for_what_is_called_back)
{
	struct nfs4_stateid id;

	ASSERT_EQ(OPEN_DELEGATE_READ, give(self, READ | OPEN4_SHARE_ACCESS_WANT_READ_DELEG));
	id = self->open.delegation.stateid;
	EXPECT_EQ(NFS4_OK, with_stateid(self, &self->a, OP_READ, &id));
	EXPECT_EQ(NFS4_OK, open_by(self, &self->b, READ));
	EXPECT_EQ(NFS4ERR_DELAY, open_by(self, &self->b, WRITE));
	EXPECT_TRUE(called_back(self, &id));
	EXPECT_EQ(NFS4ERR_BAD_STATEID, with_stateid(self, &self->b, OP_DELEGRETURN, &id));
	EXPECT_EQ(NFS4_OK, give_back(self, &id));
	EXPECT_EQ(NFS4ERR_BAD_STATEID, with_stateid(self, &self->a, OP_READ, &id));
	EXPECT_EQ(NFS4_OK, open_by(self, &self->b, WRITE));
	/* and while he writes there is none */
	EXPECT_EQ(OPEN_DELEGATE_NONE_EXT, give(self, READ | OPEN4_SHARE_ACCESS_WANT_READ_DELEG));
}

static uint32_t by_b(FIXTURE_DATA(deleg) * self, uint32_t op)
{
	struct nfs4_map_args size = {.map = {.word = {1u << FATTR4_SIZE}}};
	struct nfs4_setattr_args mode = {.attr = lab_create("", "", 0, 0).createattrs};

	lab_sequence(&self->b, 0);
	LAB_OP(&self->b, OP_PUTFH,
	       .putfh = {op == OP_GETATTR || op == OP_SETATTR ? self->fh : self->dir});
	LAB_OP(&self->b, OP_SAVEFH, .none = {0});
	if (op == OP_GETATTR)
		LAB_OP(&self->b, op, .getattr = size);
	else if (op == OP_SETATTR)
		LAB_OP(&self->b, op, .setattr = mode);
	else if (op == OP_REMOVE)
		LAB_OP(&self->b, op, .name = {xdr_str("f")});
	else
		LAB_OP(&self->b, op, .rename = {xdr_str("f"), xdr_str("g")});
	return lab_send(&self->b);
}

TEST_F(deleg, what_others_ask_of_a_file_that_one_writes_waits)
{
	static const uint32_t op[] = {OP_GETATTR, OP_SETATTR, OP_RENAME, OP_REMOVE};
	struct nfs4_stateid id;

	ASSERT_EQ(OPEN_DELEGATE_WRITE, give(self, BOTH | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG));
	id = self->open.delegation.stateid;
	for (unsigned i = 0; i < sizeof(op) / sizeof(op[0]); i++)
		EXPECT_EQ(NFS4ERR_DELAY, by_b(self, op[i]));
	EXPECT_EQ(NFS4ERR_DELAY, open_by(self, &self->b, READ));
	EXPECT_TRUE(called_back(self, &id));
	EXPECT_EQ(NFS4_OK, open_by(self, &self->a, BOTH)); /* its own are not in the way */
	EXPECT_EQ(NFS4_OK, give_back(self, &id));
	EXPECT_EQ(NFS4_OK, by_b(self, OP_GETATTR));
	EXPECT_EQ(NFS4_OK, by_b(self, OP_SETATTR));
	EXPECT_EQ(NFS4_OK, by_b(self, OP_REMOVE));
}

/* Size and change of the file as @lab is told. */
static uint32_t ask(FIXTURE_DATA(deleg) * self, struct lab *lab, struct nfs4_attrs *attrs)
{
	struct nfs4_map_args want = {.map = {.word = {0}}};
	union nfs4_res res;

	nfs4_bit_set(&want.map, FATTR4_CHANGE);
	nfs4_bit_set(&want.map, FATTR4_SIZE);
	nfs4_bit_set(&want.map, FATTR4_SPACE_USED);
	nfs4_bit_set(&want.map, FATTR4_TIME_MODIFY);
	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {self->fh});
	LAB_OP(lab, OP_GETATTR, .getattr = want);
	if (lab_send(lab))
		return lab->reply.status;
	lab_res(lab, OP_PUTFH, &res);
	lab_res(lab, OP_GETATTR, &res);
	return nfs4_attrs_decode(&res.getattr.attr, attrs) ? ~0u : NFS4_OK;
}

/* What a says of the file from now on. */
static void says(FIXTURE_DATA(deleg) * self, uint64_t change, uint64_t size)
{
	self->a.cb_change = change;
	self->a.cb_size = size;
	self->a.knows = true;
}

TEST_F(deleg, who_writes_is_asked_and_keeps_it)
{
	struct nfs4_attrs own, told;

	ASSERT_EQ(OPEN_DELEGATE_WRITE, give(self, BOTH | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG));
	ASSERT_EQ(NFS4_OK, ask(self, &self->a, &own));
	says(self, own.change, 0);
	EXPECT_EQ(NFS4_OK, ask(self, &self->b, &told));
	EXPECT_EQ(own.change, told.change);
	EXPECT_EQ(0, told.size);
	EXPECT_EQ(own.time_modify.nsec, told.time_modify.nsec);
	EXPECT_EQ(-1, sem_trywait(&self->a.called_back));
	EXPECT_EQ(NFS4_OK, give_back(self, &self->open.delegation.stateid));
}

TEST_F(deleg, what_who_writes_holds_back_is_told_to_others)
{
	struct nfs4_write_args w = {.stable = UNSTABLE4, .data = xdr_str("delegated")};
	struct nfs4_attrs own, told[3];
	struct nfs4_stateid id;

	ASSERT_EQ(OPEN_DELEGATE_WRITE, give(self, BOTH | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG));
	id = w.stateid = self->open.delegation.stateid;
	ASSERT_EQ(NFS4_OK, ask(self, &self->a, &own));
	says(self, own.change + 1, 9);
	EXPECT_EQ(NFS4_OK, ask(self, &self->b, &told[0]));
	EXPECT_EQ(NFS4_OK, ask(self, &self->b, &told[1]));
	EXPECT_EQ(9, told[0].size);
	EXPECT_LE(9, told[0].space_used); /* or it would pass for a hole */
	EXPECT_LT(own.change, told[0].change);
	EXPECT_LT(told[0].change, told[1].change); /* it may have changed once more */
	EXPECT_EQ(-1, sem_trywait(&self->a.called_back));

	lab_sequence(&self->a, 0);
	LAB_OP(&self->a, OP_PUTFH, .putfh = {self->fh});
	LAB_OP(&self->a, OP_WRITE, .write = w);
	EXPECT_EQ(NFS4_OK, lab_send(&self->a));
	EXPECT_EQ(NFS4_OK, give_back(self, &id));
	EXPECT_EQ(NFS4_OK, ask(self, &self->b, &told[2]));
	EXPECT_EQ(9, told[2].size);
	EXPECT_NE(told[0].change, told[2].change);
	EXPECT_NE(told[1].change, told[2].change);
}

/* The times of the file itself are those that its writer left. */
TEST_F(deleg, asking_leaves_the_file_alone)
{
	struct nfs4_attrs own, told;
	struct stat before, after;

	ASSERT_EQ(OPEN_DELEGATE_WRITE, give(self, BOTH | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG));
	ASSERT_EQ(0, stat(self->path, &before));
	ASSERT_EQ(NFS4_OK, ask(self, &self->a, &own));
	says(self, own.change + 1, 9);
	usleep(20000);
	EXPECT_EQ(NFS4_OK, ask(self, &self->b, &told));
	ASSERT_EQ(0, stat(self->path, &after));
	EXPECT_TRUE(told.time_modify.sec > own.time_modify.sec ||
		    told.time_modify.nsec > own.time_modify.nsec);
	EXPECT_EQ(0, after.st_size);
	EXPECT_EQ(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	EXPECT_EQ(NFS4_OK, give_back(self, &self->open.delegation.stateid));
}

/* A size that is not the server's is news, too: data may be on its way. */
TEST_F(deleg, a_size_of_its_own_is_a_change)
{
	struct nfs4_attrs own, told;

	ASSERT_EQ(OPEN_DELEGATE_WRITE, give(self, BOTH | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG));
	ASSERT_EQ(NFS4_OK, ask(self, &self->a, &own));
	says(self, own.change, 7);
	EXPECT_EQ(NFS4_OK, ask(self, &self->b, &told));
	EXPECT_EQ(7, told.size);
	EXPECT_NE(own.change, told.change);
	EXPECT_EQ(NFS4_OK, give_back(self, &self->open.delegation.stateid));
}

static bool bind_again(FIXTURE_DATA(deleg) * self)
{
	struct nfs4_bind_conn bind = {.dir = CDFC4_FORE_OR_BOTH};

	lab_disconnect(&self->a);
	if (!lab_connect(&self->a, &self->srv))
		return false;
	memcpy(bind.sessionid, self->a.session, sizeof(bind.sessionid));
	lab_begin(&self->a);
	LAB_OP(&self->a, OP_BIND_CONN_TO_SESSION, .bind_conn = bind);
	return !lab_send(&self->a);
}

/* Its number was used: the one after it is not refused. */
TEST_F(deleg, who_does_not_answer_is_called_back)
{
	struct nfs4_attrs told;
	struct nfs4_stateid id;

	ASSERT_EQ(OPEN_DELEGATE_WRITE, give(self, BOTH | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG));
	id = self->open.delegation.stateid;
	self->a.deaf = self->a.counts = true;
	EXPECT_EQ(NFS4ERR_DELAY, ask(self, &self->b, &told));
	self->a.deaf = false;
	ASSERT_TRUE(bind_again(self));
	do {
		sem_wait(&self->a.called_back);
	} while (memcmp(&self->a.cb_stateid, &id, sizeof(id)) != 0);
	EXPECT_EQ(NFS4ERR_DELAY, ask(self, &self->b, &told));
	EXPECT_EQ(NFS4_OK, give_back(self, &id));
	EXPECT_EQ(NFS4_OK, ask(self, &self->b, &told));
}

TEST_F(deleg, what_open_takes_can_be_asked_for)
{
	struct nfs4_map_args want = {.map = {.word = {0}}};
	struct nfs4_attrs got;
	union nfs4_res res;

	nfs4_bit_set(&want.map, FATTR4_OPEN_ARGUMENTS);
	lab_sequence(&self->b, 0);
	LAB_OP(&self->b, OP_PUTFH, .putfh = {self->dir});
	LAB_OP(&self->b, OP_GETATTR, .getattr = want);
	ASSERT_EQ(NFS4_OK, lab_send(&self->b));
	lab_res(&self->b, OP_PUTFH, &res);
	lab_res(&self->b, OP_GETATTR, &res);
	ASSERT_EQ(0, nfs4_attrs_decode(&res.getattr.attr, &got));
	EXPECT_EQ(0xe, got.open_arguments.access.word[0]); /* each value is a bit */
	EXPECT_EQ(0xf, got.open_arguments.deny.word[0]);
	EXPECT_EQ(1u << 3 | 1u << 4, got.open_arguments.want.word[0]); /* any, none */
	EXPECT_EQ(0x37, got.open_arguments.claim.word[0]); /* none of an earlier client's */
	EXPECT_EQ(0xf, got.open_arguments.createmode.word[0]);
}

TEST_F(deleg, a_program_on_the_server_waits_too)
{
	struct nfs4_stateid id;
	int fd;

	ASSERT_EQ(OPEN_DELEGATE_READ, give(self, READ | OPEN4_SHARE_ACCESS_WANT_READ_DELEG));
	id = self->open.delegation.stateid;
	fd = open(self->path, O_RDONLY | O_NONBLOCK);
	EXPECT_LE(0, fd);
	close(fd);
	EXPECT_EQ(-1, open(self->path, O_WRONLY | O_NONBLOCK));
	EXPECT_EQ(EWOULDBLOCK, errno);
	EXPECT_TRUE(called_back(self, &id));
	EXPECT_EQ(NFS4_OK, give_back(self, &id));
	fd = open(self->path, O_WRONLY | O_NONBLOCK);
	EXPECT_LE(0, fd);
	/* a file that is written here is nobody's to keep */
	EXPECT_EQ(OPEN_DELEGATE_NONE_EXT, give(self, READ | OPEN4_SHARE_ACCESS_WANT_READ_DELEG));
	close(fd);
}

TEST_F(deleg, who_has_one_may_write_and_gives_it_back)
{
	struct nfs4_stateid id;

	ASSERT_EQ(OPEN_DELEGATE_READ, give(self, READ | OPEN4_SHARE_ACCESS_WANT_READ_DELEG));
	id = self->open.delegation.stateid;
	EXPECT_EQ(NFS4_OK, open_by(self, &self->a, BOTH));
	EXPECT_TRUE(called_back(self, &id));
	EXPECT_EQ(NFS4_OK, give_back(self, &id));
}

/* What its client does under a write delegation opens the file once more nowhere: that would wait.
 */
TEST_F(deleg, who_writes_commits_and_truncates_without_an_open)
{
	struct nfs4_setattr_args size = {.attr = {.vals = {"\0\0\0\0\0\0\0\3", 8}}};
	struct nfs4_write_args w = {.stable = UNSTABLE4, .data = xdr_str("delegated")};
	struct nfs4_stateid id;
	char got[20];
	int fd;

	nfs4_bit_set(&size.attr.map, FATTR4_SIZE);
	ASSERT_EQ(OPEN_DELEGATE_WRITE, give(self, BOTH | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG));
	id = w.stateid = self->open.delegation.stateid;
	lab_sequence(&self->a, 0);
	LAB_OP(&self->a, OP_PUTFH, .putfh = {self->fh});
	LAB_OP(&self->a, OP_CLOSE, .close = {0, self->open.stateid});
	LAB_OP(&self->a, OP_WRITE, .write = w);
	LAB_OP(&self->a, OP_COMMIT, .commit = {0});
	LAB_OP(&self->a, OP_SETATTR, .setattr = size);
	EXPECT_EQ(NFS4_OK, lab_send(&self->a));
	EXPECT_EQ(-1, sem_trywait(&self->a.called_back));
	EXPECT_EQ(NFS4_OK, give_back(self, &id));
	fd = open(self->path, O_RDONLY);
	EXPECT_EQ(3, read(fd, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(got, "del", 3));
	close(fd);
}

TEST_F(deleg, opens_of_the_time_before_are_told_with_its_stateid)
{
	struct nfs4_open_args claim = {
		.share_access = READ, .owner.owner = xdr_str("other"), .claim = CLAIM_DELEG_CUR_FH};

	ASSERT_EQ(OPEN_DELEGATE_READ, give(self, READ | OPEN4_SHARE_ACCESS_WANT_READ_DELEG));
	claim.delegation = self->open.delegation.stateid;
	EXPECT_EQ(NFS4ERR_DELAY, open_by(self, &self->b, WRITE));
	EXPECT_EQ(NFS4ERR_BAD_STATEID, lab_open(&self->b, &claim, &self->fh, &self->open, NULL));
	EXPECT_EQ(NFS4_OK, lab_open(&self->a, &claim, &self->fh, &self->open, NULL));
	EXPECT_EQ(NFS4_OK, give_back(self, &claim.delegation));
}

TEST_F(deleg, one_that_is_kept_is_revoked)
{
	struct nfs4_stateid id;
	uint32_t status;

	ASSERT_EQ(OPEN_DELEGATE_READ, give(self, READ | OPEN4_SHARE_ACCESS_WANT_READ_DELEG));
	id = self->open.delegation.stateid;
	self->a.deaf = true;
	while ((status = open_by(self, &self->b, WRITE)) == NFS4ERR_DELAY) {
		EXPECT_NE(~0u, with_stateid(self, &self->a, OP_READ, &id)); /* it is alive */
		usleep(50000);
	}
	EXPECT_EQ(NFS4_OK, status);
	EXPECT_EQ(NFS4ERR_DELEG_REVOKED, with_stateid(self, &self->a, OP_READ, &id));
	EXPECT_EQ(NFS4ERR_DELEG_REVOKED, give_back(self, &id));
	EXPECT_EQ(NFS4_OK, with_stateid(self, &self->a, OP_FREE_STATEID, &id));
	EXPECT_EQ(NFS4ERR_BAD_STATEID, with_stateid(self, &self->a, OP_FREE_STATEID, &id));
}

TEST_HARNESS_MAIN
