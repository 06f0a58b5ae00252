// SPDX-License-Identifier: GPL-2.0-or-later
/* Tokens that go from one initiator to another. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "loop.h"
#include "vfs.h"

#define MIB  ((uint64_t)1 << 20)
#define SIZE (8 * MIB)

FIXTURE(grants)
{
	struct loop loop;
	struct cr_ns *ns;
	struct file *file[2];
	uint8_t *want, *have;
};

/* Unit 0 is asked by one initiator, unit 1 by the other. */
FIXTURE_SETUP(grants)
{
	loop_begin(&self->loop, fixture_dir(), SIZE);
	self->loop.other[1] = true;
	self->loop.unit[1].session = (struct block_session *)&self->loop; /* not the same as NULL */
	self->ns = cr_ns_new();
	self->want = malloc(SIZE);
	self->have = malloc(SIZE);
	ASSERT_EQ(0, cr_open(self->ns, "lab:0", O_RDWR, 0, &self->file[0]));
	ASSERT_EQ(0, cr_open(self->ns, "lab:1", O_RDWR, 0, &self->file[1]));
	lab_fill(self->want, SIZE, 1);
	for (uint64_t at = 0; at < SIZE; at += MIB)
		ASSERT_EQ((ssize_t)MIB, cr_write(self->file[0], self->want + at, MIB, (off_t)at));
	memset(self->loop.sent, 0, sizeof(self->loop.sent));
}

FIXTURE_TEARDOWN(grants)
{
	cr_close(self->file[0]);
	cr_close(self->file[1]);
	cr_ns_free(self->ns);
	free(self->want);
	free(self->have);
	loop_end(&self->loop);
}

#define LOOP (&self->loop)

static int copy(FIXTURE_DATA(grants) * self, unsigned flags, struct copy_result *res)
{
	return cr_copy_range(
		&(struct copy_req){
			.in = self->file[0], .out = self->file[1], .len = SIZE, .flags = flags},
		res);
}

static bool whole(FIXTURE_DATA(grants) * self)
{
	lab_peek(&self->loop.lab, 1, 0, self->have, SIZE);
	return !memcmp(self->want, self->have, SIZE);
}

TEST_F(grants, a_token_of_one_initiator_is_used_by_another)
{
	struct copy_result res;

	ASSERT_EQ(0, copy(self, COPY_RANGE_NO_OFFLOAD | COPY_RANGE_NO_STREAM, &res));
	EXPECT_EQ(SIZE, res.by[COPY_GRANT].bytes);
	EXPECT_EQ(0, LOOP->sent[OP_READ_16] + LOOP->sent[OP_WRITE_16]);
	EXPECT_TRUE(whole(self));
}

TEST_F(grants, where_the_array_does_not_reach_the_source_a_token_does)
{
	struct copy_result res;

	LOOP->fault[0] = (struct fault){.opcode = OP_THIRD_PARTY_COPY_OUT,
					.sa = SA_EXTENDED_COPY_LID4,
					.count = 1000,
					.status = STATUS_CHECK_CONDITION,
					.key = KEY_COPY_ABORTED,
					.asc = 0x0d02};
	ASSERT_EQ(0, copy(self, 0, &res));
	EXPECT_STREQ("the array does not reach the other one", res.why[COPY_OFFLOAD].reason);
	EXPECT_EQ(SIZE, res.by[COPY_GRANT].bytes);
	EXPECT_TRUE(whole(self));
}

TEST_F(grants, a_token_that_the_other_side_does_not_take_is_no_error)
{
	struct copy_result res;

	LOOP->fault[0] = (struct fault){.opcode = OP_THIRD_PARTY_COPY_OUT,
					.sa = SA_WRITE_USING_TOKEN,
					.count = 1000,
					.status = STATUS_CHECK_CONDITION,
					.key = KEY_ILLEGAL_REQUEST,
					.asc = ASC_TOKEN_UNKNOWN};
	ASSERT_EQ(0, copy(self, COPY_RANGE_NO_OFFLOAD, &res));
	EXPECT_STREQ("the target does not take tokens of the source", res.why[COPY_GRANT].reason);
	EXPECT_EQ(SIZE, res.by[COPY_STREAM].bytes);
	EXPECT_TRUE(whole(self));
}

/* As between hosts: nothing but the bytes of the token is known to who redeems it. */
TEST_F(grants, a_token_is_all_that_goes_from_one_to_the_other)
{
	struct xcopy give = {.src = &LOOP->unit[0].lu,
			     .dst = &LOOP->unit[1].lu,
			     .from = 2 * MIB,
			     .len = 4 * MIB};
	struct xcopy take = {.src = &LOOP->unit[0].lu, .dst = &LOOP->unit[1].lu, .to = MIB};
	uint8_t token[TOKEN_SIZE];

	ASSERT_EQ(0, odx_grant(&give, token));
	ASSERT_EQ(4 * MIB, give.len);
	take.len = give.len;
	ASSERT_EQ(0, odx_redeem(&take, token));
	EXPECT_EQ(4 * MIB, take.done);
	lab_peek(&LOOP->lab, 1, MIB, self->have, 4 * MIB);
	EXPECT_EQ(0, memcmp(self->want + 2 * MIB, self->have, 4 * MIB));
	/* It was deleted when it was used. */
	EXPECT_EQ(-EOPNOTSUPP, odx_redeem(&take, token));
	EXPECT_STREQ("the target does not take tokens of the source", take.reason);
}

TEST_HARNESS_MAIN
