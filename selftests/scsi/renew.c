// SPDX-License-Identifier: GPL-2.0-or-later
/* A session is lost in the middle of a copy: what is done again in the next one, and what not. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "loop.h"
#include "vfs.h"

#define MIB  ((uint64_t)1 << 20)
#define SIZE (16 * MIB)

FIXTURE(renew)
{
	struct loop loop;
	struct cr_ns *ns;
	struct file *file[2];
	uint8_t *want, *have;
};

FIXTURE_SETUP(renew)
{
	loop_begin(&self->loop, fixture_dir(), SIZE);
	self->ns = cr_ns_new();
	self->want = malloc(SIZE);
	self->have = malloc(SIZE);
	ASSERT_EQ(0, cr_open(self->ns, "lab:0", O_RDWR, 0, &self->file[0]));
	ASSERT_EQ(0, cr_open(self->ns, "lab:1", O_RDWR, 0, &self->file[1]));
	lab_fill(self->want, SIZE, 1);
	for (uint64_t at = 0; at < SIZE; at += MIB)
		ASSERT_EQ((ssize_t)MIB, cr_write(self->file[0], self->want + at, MIB, (off_t)at));
	ASSERT_EQ(0, cr_sync(self->file[0], true));
	memset(self->loop.sent, 0, sizeof(self->loop.sent));
}

FIXTURE_TEARDOWN(renew)
{
	cr_close(self->file[0]);
	cr_close(self->file[1]);
	cr_ns_free(self->ns);
	free(self->want);
	free(self->have);
	loop_end(&self->loop);
}

#define LOOP (&self->loop)
#define COPY(...)                                                                                  \
	{                                                                                          \
		.opcode = OP_THIRD_PARTY_COPY_OUT, .sa = ANY_SA, .count = 1, __VA_ARGS__           \
	}

static int copy(FIXTURE_DATA(renew) * self, unsigned flags, struct copy_result *res)
{
	struct copy_req req = {
		.in = self->file[0], .out = self->file[1], .len = SIZE, .flags = flags};

	*res = (struct copy_result){0};
	return cr_copy_range(&req, res);
}

/* Whether LUN 1 has what LUN 0 had. */
static bool whole(FIXTURE_DATA(renew) * self)
{
	for (uint64_t at = 0; at < SIZE; at += MIB)
		if (cr_read(self->file[1], self->have + at, MIB, (off_t)at) != (ssize_t)MIB)
			return false;
	return !memcmp(self->want, self->have, SIZE);
}

/* Which command loses the session, and by what strategy the copy is made. */
static const struct row {
	const char *what;
	struct fault fault;
	bool tokens;
	unsigned flags;
} rows[] = {
	{"EXTENDED COPY, done", COPY(.lost = true), false, COPY_RANGE_NO_STREAM},
	{"EXTENDED COPY, half done", COPY(.lost = true, .half = true), false, COPY_RANGE_NO_STREAM},
	{"the third EXTENDED COPY", COPY(.lost = true, .half = true, .skip = 2), false,
	 COPY_RANGE_NO_STREAM},
	{"POPULATE TOKEN", COPY(.lost = true), true, COPY_RANGE_NO_STREAM},
	{"WRITE USING TOKEN", COPY(.lost = true, .skip = 1), true, COPY_RANGE_NO_STREAM},
	{"the question after a token",
	 {.opcode = OP_THIRD_PARTY_COPY_IN, .sa = ANY_SA, .count = 1, .lost = true},
	 true,
	 COPY_RANGE_NO_STREAM},
	{"READ",
	 {.opcode = OP_READ_16, .sa = ANY_SA, .skip = 3, .count = 2, .lost = true},
	 false,
	 COPY_RANGE_NO_OFFLOAD},
	{"WRITE",
	 {.opcode = OP_WRITE_16, .sa = ANY_SA, .skip = 3, .count = 2, .lost = true},
	 false,
	 COPY_RANGE_NO_OFFLOAD},
	{"the question who the unit is",
	 {.opcode = OP_INQUIRY, .sa = ANY_SA, .count = 3, .lost = true},
	 false,
	 COPY_RANGE_NO_STREAM},
};

static void check_row(struct __test_metadata *_metadata, FIXTURE_DATA(renew) * self,
		      const struct row *r)
{
	unsigned before = LOOP->session;
	struct copy_result res;

	TH_LOG("%s", r->what);
	memset(self->have, 'x', SIZE);
	for (uint64_t at = 0; at < SIZE; at += MIB)
		ASSERT_EQ((ssize_t)MIB, cr_write(self->file[1], self->have + at, MIB, (off_t)at));
	/* So that there are several commands. */
	LOOP->unit[1].lu.copy.segments = 1;
	LOOP->unit[1].lu.copy.segment_bytes = 2 * MIB;
	LOOP->unit[1].lu.copies = !r->tokens;
	LOOP->fault[0] = r->fault;
	if (r->fault.opcode == OP_INQUIRY)
		LOOP->fault[1] = (struct fault)COPY(.lost = true);
	EXPECT_EQ(0, copy(self, r->flags, &res));
	EXPECT_EQ(SIZE, res.bytes);
	EXPECT_LT(before, LOOP->session);
	EXPECT_EQ(0, LOOP->fault[0].count);
	EXPECT_TRUE(whole(self));
}

TEST_F(renew, whatever_was_under_way_is_done_again)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(_metadata, self, &rows[i]);
}

TEST_F(renew, another_unit_by_the_same_number_is_not_written)
{
	struct copy_result res;

	LOOP->swapped = true;
	LOOP->fault[0] = (struct fault){
		.opcode = OP_WRITE_16, .sa = ANY_SA, .skip = 1, .count = 1, .lost = true};
	EXPECT_EQ(-ESTALE, copy(self, COPY_RANGE_NO_OFFLOAD, &res));
	EXPECT_EQ(-ESTALE, cr_write(self->file[1], self->have, 512, 0));
	LOOP->swapped = false;
	LOOP->unit[0].lu.session = LOOP->session;
	for (uint64_t at = 0; at < SIZE; at += MIB)
		ASSERT_EQ((ssize_t)MIB, cr_read(self->file[0], self->have + at, MIB, (off_t)at));
	EXPECT_EQ(0, memcmp(self->want, self->have, SIZE));
}

/* What the next TEST UNIT READY says, and the loss that makes it be asked. */
static void lose(struct loop *loop, uint8_t opcode, uint16_t asc)
{
	loop->fault[0] = (struct fault){.opcode = opcode, .sa = ANY_SA, .count = 1, .lost = true};
	loop->fault[1] = (struct fault){.opcode = OP_TEST_UNIT_READY,
					.sa = ANY_SA,
					.count = asc ? 1 : 0,
					.status = STATUS_CHECK_CONDITION,
					.key = KEY_UNIT_ATTENTION,
					.asc = asc};
}

TEST_F(renew, a_sync_tells_of_what_a_cache_may_have_lost)
{
	lose(LOOP, OP_WRITE_16, 0x2900);
	ASSERT_EQ((ssize_t)MIB, cr_write(self->file[1], self->want, MIB, 0));
	EXPECT_EQ(-EIO, cr_sync(self->file[1], true));
	/* Once: what is written from then on is another matter. */
	ASSERT_EQ((ssize_t)MIB, cr_write(self->file[1], self->want, MIB, 0));
	EXPECT_EQ(0, cr_sync(self->file[1], true));
}

TEST_F(renew, a_sync_tells_of_what_a_cache_lost_while_it_was_saved)
{
	ASSERT_EQ((ssize_t)MIB, cr_write(self->file[1], self->want, MIB, 0));
	lose(LOOP, OP_SYNCHRONIZE_CACHE_10, 0x2900);
	EXPECT_EQ(-EIO, cr_sync(self->file[1], true));
	/* Once, and nothing where there was nothing to save. */
	EXPECT_EQ(0, cr_sync(self->file[1], true));
	lose(LOOP, OP_SYNCHRONIZE_CACHE_10, 0x2900);
	EXPECT_EQ(0, cr_sync(self->file[1], true));
}

TEST_F(renew, nothing_is_doubted_that_was_saved_or_had_no_reason_to_be_lost)
{
	/* Only the session was lost. */
	lose(LOOP, OP_WRITE_16, 0x2907);
	ASSERT_EQ((ssize_t)MIB, cr_write(self->file[1], self->want, MIB, 0));
	EXPECT_EQ(0, cr_sync(self->file[1], true));
	/* All was saved before. */
	lose(LOOP, OP_READ_16, 0x2900);
	ASSERT_EQ((ssize_t)MIB, cr_read(self->file[1], self->have, MIB, 0));
	EXPECT_EQ(0, cr_sync(self->file[1], true));
}

TEST_F(renew, what_does_not_come_back_is_an_error)
{
	struct copy_result res;

	LOOP->fault[0] = (struct fault)COPY(.err = -ECONNREFUSED);
	EXPECT_EQ(-ECONNREFUSED, copy(self, 0, &res));
	/* Over and over. */
	LOOP->fault[0] =
		(struct fault){.opcode = OP_WRITE_16, .sa = ANY_SA, .count = 1000, .lost = true};
	EXPECT_EQ(-ECONNRESET, copy(self, COPY_RANGE_NO_OFFLOAD, &res));
	EXPECT_GT(100, LOOP->sent[OP_WRITE_16]);
}

TEST_HARNESS_MAIN
