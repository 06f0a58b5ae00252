// SPDX-License-Identifier: GPL-2.0-or-later
/* Persistent reservations: who may what, who is told, and what a restart leaves. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "lab.h"
#include "lib/bytes.h"

#define SIZE ((uint64_t)1 << 20)
#define A    (self->lab.a)
#define B    (self->lab.b)

FIXTURE(pr)
{
	struct lab lab;
	char state[300];
};

FIXTURE_SETUP(pr)
{
	snprintf(self->state, sizeof(self->state), "%s", fixture_dir());
	lab_begin(&self->lab, self->state, SIZE, NULL);
}

FIXTURE_TEARDOWN(pr)
{
	lab_end(&self->lab);
	for (unsigned i = 0; i < LAB_LUNS; i++)
		unlink(self->lab.file[i]);
	fixture_run("rm -f %s/*.sqlite", self->state);
}

#define GOOD(call)     ASSERT_EQ(STATUS_GOOD, call)
#define CONFLICT(call) ASSERT_EQ(STATUS_RESERVATION_CONFLICT, call)
#define TOLD(n, what)                                                                              \
	do {                                                                                       \
		ASSERT_EQ(STATUS_CHECK_CONDITION, ready(&self->lab, n));                           \
		EXPECT_EQ(6, self->lab.why.key);                                                   \
		EXPECT_EQ(what, self->lab.why.asc);                                                \
	} while (0)

struct out {
	uint8_t sa, type;
	uint64_t key, action_key;
	uint8_t flags;
};

static int out(struct lab *lab, struct nexus *n, struct out o)
{
	uint8_t list[24] = {0},
		cdb[10] = {OP_PERSISTENT_RESERVE_OUT, o.sa, o.type, 0, 0, 0, 0, 0, 24};

	put_be64(list, o.key);
	put_be64(list + 8, o.action_key);
	list[20] = o.flags;
	return lab_do(lab, &(struct lab_cmd){.nexus = n, .cdb = cdb, .out = list, .len = 24});
}

static int in(struct lab *lab, uint8_t sa)
{
	uint8_t cdb[10] = {OP_PERSISTENT_RESERVE_IN, sa, 0, 0, 0, 0, 0, 4};

	return lab_do(lab, &(struct lab_cmd){.cdb = cdb});
}

static int ready(struct lab *lab, struct nexus *n)
{
	static const uint8_t cdb[6];

	return lab_do(lab, &(struct lab_cmd){.nexus = n, .cdb = cdb});
}

static int rw(struct lab *lab, struct nexus *n, bool writing)
{
	static const uint8_t data[512];
	uint8_t cdb[10] = {writing ? OP_WRITE_10 : OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1};

	return lab_do(lab, &(struct lab_cmd){.nexus = n, .cdb = cdb, .out = data, .len = 512});
}

#define REGISTER(n, old, new) out(&self->lab, n, (struct out){SA_PROUT_REGISTER, 0, old, new, 0})
#define RESERVE(n, k, type)   out(&self->lab, n, (struct out){SA_PROUT_RESERVE, type, k, 0, 0})
#define RELEASE(n, k, type)   out(&self->lab, n, (struct out){SA_PROUT_RELEASE, type, k, 0, 0})

TEST_F(pr, keys_come_and_go)
{
	CONFLICT(REGISTER(A, 5, 1));
	GOOD(REGISTER(A, 0, 1));
	GOOD(REGISTER(B, 0, 2));
	CONFLICT(REGISTER(A, 9, 3));
	GOOD(REGISTER(A, 1, 3));
	GOOD(in(&self->lab, SA_PRIN_KEYS));
	EXPECT_EQ(3u, get_be32(self->lab.data));
	ASSERT_EQ(16u, get_be32(self->lab.data + 4));
	EXPECT_EQ(3u, get_be64(self->lab.data + 8));
	EXPECT_EQ(2u, get_be64(self->lab.data + 16));
	GOOD(REGISTER(A, 3, 0));
	GOOD(out(&self->lab, B, (struct out){SA_PROUT_REGISTER_AND_IGNORE, 0, 77, 8, 0}));
	GOOD(in(&self->lab, SA_PRIN_KEYS));
	ASSERT_EQ(8u, get_be32(self->lab.data + 4));
	EXPECT_EQ(8u, get_be64(self->lab.data + 8));
}

/* Table 65 of SPC-4: who may read and write under each type. */
TEST_F(pr, each_type_keeps_out_whom_it_says)
{
	static const struct {
		uint8_t type;
		bool read, write, reg_read, reg_write;
	} rows[] = {
		{1, true, false, true, false}, {3, false, false, false, false},
		{5, true, false, true, true},  {6, false, false, true, true},
		{7, true, false, true, true},  {8, false, false, true, true},
	};

	for (unsigned i = 0; i < 6; i++) {
		GOOD(REGISTER(A, 0, 1));
		GOOD(RESERVE(A, 1, rows[i].type));
		GOOD(rw(&self->lab, A, false));
		GOOD(rw(&self->lab, A, true));
		EXPECT_EQ(rows[i].read ? STATUS_GOOD : STATUS_RESERVATION_CONFLICT,
			  rw(&self->lab, B, false));
		EXPECT_EQ(rows[i].write ? STATUS_GOOD : STATUS_RESERVATION_CONFLICT,
			  rw(&self->lab, B, true));
		GOOD(REGISTER(B, 0, 2));
		EXPECT_EQ(rows[i].reg_read ? STATUS_GOOD : STATUS_RESERVATION_CONFLICT,
			  rw(&self->lab, B, false));
		EXPECT_EQ(rows[i].reg_write ? STATUS_GOOD : STATUS_RESERVATION_CONFLICT,
			  rw(&self->lab, B, true));
		GOOD(in(&self->lab, SA_PRIN_RESERVATION));
		EXPECT_EQ(rows[i].type >= 7 ? 0u : 1u, get_be64(self->lab.data + 8));
		EXPECT_EQ(rows[i].type, self->lab.data[21]);
		GOOD(out(&self->lab, A, (struct out){SA_PROUT_CLEAR, 0, 1, 0, 0}));
		TOLD(B, ASC_RESERVATIONS_PREEMPTED);
	}
}

TEST_F(pr, reserving_and_releasing)
{
	CONFLICT(RESERVE(A, 0, 1));
	GOOD(REGISTER(A, 0, 1));
	GOOD(REGISTER(B, 0, 2));
	CONFLICT(RESERVE(A, 2, 5));
	GOOD(RESERVE(A, 1, 5));
	GOOD(RESERVE(A, 1, 5));
	CONFLICT(RESERVE(A, 1, 6));
	CONFLICT(RESERVE(B, 2, 5));
	GOOD(RELEASE(B, 2, 5));
	ASSERT_EQ(STATUS_CHECK_CONDITION, RELEASE(A, 1, 6));
	EXPECT_EQ(ASC_INVALID_RELEASE, self->lab.why.asc);
	GOOD(RELEASE(A, 1, 5));
	TOLD(B, ASC_RESERVATIONS_RELEASED);
	GOOD(RESERVE(B, 2, 1));
	/* With its holder it goes. */
	GOOD(REGISTER(B, 2, 0));
	GOOD(RESERVE(A, 1, 3));
}

TEST_F(pr, one_for_all_registrants_goes_with_the_last)
{
	GOOD(REGISTER(A, 0, 1));
	GOOD(REGISTER(B, 0, 2));
	GOOD(RESERVE(A, 1, 7));
	GOOD(RESERVE(B, 2, 7));
	GOOD(REGISTER(A, 1, 0));
	CONFLICT(rw(&self->lab, A, true));
	GOOD(REGISTER(B, 2, 0));
	GOOD(rw(&self->lab, A, true));
}

TEST_F(pr, preempting_takes_the_reservation_and_the_registration)
{
	GOOD(REGISTER(A, 0, 1));
	GOOD(REGISTER(B, 0, 2));
	GOOD(RESERVE(B, 2, 3));
	CONFLICT(rw(&self->lab, A, true));
	CONFLICT(out(&self->lab, A, (struct out){SA_PROUT_PREEMPT, 1, 1, 99, 0}));
	GOOD(out(&self->lab, A, (struct out){SA_PROUT_PREEMPT_AND_ABORT, 1, 1, 2, 0}));
	/* The most important first. */
	TOLD(B, ASC_COMMANDS_CLEARED);
	TOLD(B, ASC_REGISTRATIONS_PREEMPTED);
	GOOD(rw(&self->lab, A, true));
	CONFLICT(rw(&self->lab, B, true));
	GOOD(rw(&self->lab, B, false));
	CONFLICT(RESERVE(B, 2, 3));
	GOOD(in(&self->lab, SA_PRIN_KEYS));
	EXPECT_EQ(8u, get_be32(self->lab.data + 4));
}

TEST_F(pr, preempting_all_registrants_by_no_key)
{
	GOOD(REGISTER(A, 0, 1));
	GOOD(REGISTER(B, 0, 2));
	ASSERT_EQ(STATUS_CHECK_CONDITION,
		  out(&self->lab, A, (struct out){SA_PROUT_PREEMPT, 1, 1, 0, 0}));
	GOOD(RESERVE(B, 2, 8));
	GOOD(out(&self->lab, A, (struct out){SA_PROUT_PREEMPT, 1, 1, 0, 0}));
	TOLD(B, ASC_REGISTRATIONS_PREEMPTED);
	CONFLICT(rw(&self->lab, B, true));
	GOOD(in(&self->lab, SA_PRIN_RESERVATION));
	EXPECT_EQ(1u, get_be64(self->lab.data + 8));
	EXPECT_EQ(1, self->lab.data[21]);
}

/* A command that was sent before does not write afterwards. */
TEST_F(pr, what_was_sent_before_an_abort_does_nothing)
{
	struct scsi_task t = {.cdb = {OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1}};
	uint8_t seen[512];

	GOOD(REGISTER(A, 0, 1));
	GOOD(REGISTER(B, 0, 2));
	t.nexus = B;
	scsi_begin(&t);
	ASSERT_FALSE(t.done);
	memset(t.data, 0x55, 512);
	t.len = t.expected = 512;
	GOOD(out(&self->lab, A, (struct out){SA_PROUT_PREEMPT_AND_ABORT, 1, 1, 2, 0}));
	scsi_run(&t);
	EXPECT_TRUE(t.aborted);
	scsi_end(&t);
	lab_peek(&self->lab, 0, 0, seen, sizeof(seen));
	EXPECT_EQ(0, seen[0]);
}

TEST_F(pr, lists_and_scopes_that_are_wrong)
{
	GOOD(REGISTER(A, 0, 1));
	ASSERT_EQ(STATUS_CHECK_CONDITION, RESERVE(A, 1, 0x11));
	EXPECT_EQ(ASC_INVALID_FIELD_IN_CDB, self->lab.why.asc);
	ASSERT_EQ(STATUS_CHECK_CONDITION, RESERVE(A, 1, 2));
	ASSERT_EQ(STATUS_CHECK_CONDITION,
		  out(&self->lab, A, (struct out){SA_PROUT_REGISTER, 0, 1, 2, 8}));
	EXPECT_EQ(ASC_INVALID_FIELD_IN_LIST, self->lab.why.asc);
	/* Without a place to keep it there is no APTPL. */
	ASSERT_EQ(STATUS_CHECK_CONDITION,
		  out(&self->lab, A, (struct out){SA_PROUT_REGISTER, 0, 1, 2, 1}));
	EXPECT_EQ(ASC_INVALID_FIELD_IN_LIST, self->lab.why.asc);
}

TEST_F(pr, full_status_names_who_registered)
{
	GOOD(REGISTER(A, 0, 1));
	GOOD(RESERVE(A, 1, 1));
	GOOD(in(&self->lab, SA_PRIN_FULL_STATUS));
	EXPECT_EQ(1u, get_be64(self->lab.data + 8));
	EXPECT_EQ(1, self->lab.data[20]);
	EXPECT_EQ(0x45, self->lab.data[32]);
	EXPECT_STREQ("iqn.2026-11.test:a,i,0x800000000001", (char *)self->lab.data + 36);
	EXPECT_EQ(0u, get_be32(self->lab.data + 4) % 4);
	EXPECT_EQ(self->lab.len, get_be32(self->lab.data + 4) + 8);
}

TEST_F(pr, a_restart_keeps_what_was_to_be_kept)
{
	lab_end(&self->lab);
	lab_begin(&self->lab, self->state, SIZE, self->state);
	GOOD(out(&self->lab, A, (struct out){SA_PROUT_REGISTER, 0, 0, 0x1122334455667788, 1}));
	GOOD(out(&self->lab, B, (struct out){SA_PROUT_REGISTER, 0, 0, 0xffffffffffffffff, 1}));
	GOOD(RESERVE(B, 0xffffffffffffffff, 3));
	lab_end(&self->lab);
	lab_begin(&self->lab, self->state, SIZE, self->state);
	CONFLICT(rw(&self->lab, A, true));
	GOOD(rw(&self->lab, B, true));
	GOOD(in(&self->lab, SA_PRIN_KEYS));
	EXPECT_EQ(0x1122334455667788u, get_be64(self->lab.data + 8));
	GOOD(in(&self->lab, SA_PRIN_CAPABILITIES));
	EXPECT_EQ(1, self->lab.data[2]);
	EXPECT_EQ(0x81, self->lab.data[3]);
	/* The last REGISTER says whether it goes on. */
	GOOD(REGISTER(A, 0x1122334455667788, 7));
	lab_end(&self->lab);
	lab_begin(&self->lab, self->state, SIZE, self->state);
	GOOD(rw(&self->lab, A, true));
	GOOD(in(&self->lab, SA_PRIN_KEYS));
	EXPECT_EQ(0u, get_be32(self->lab.data + 4));
}

TEST_F(pr, one_state_folder_serves_one)
{
	struct engine other;
	char why[200] = "";

	lab_end(&self->lab);
	lab_begin(&self->lab, self->state, SIZE, self->state);
	EXPECT_NE(0, engine_init(&other, self->state, why, sizeof(why)));
	EXPECT_NE(NULL, strstr(why, "another ocp-target uses it"));
}

TEST_HARNESS_MAIN
