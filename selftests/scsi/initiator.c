// SPDX-License-Identifier: GPL-2.0-or-later
/* Our initiator and its room, against our target's engine: what it asks, and what it makes of
 * answers. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "lib/bytes.h"
#include "loop.h"
#include "vfs.h"

#define SIZE ((uint64_t)48 << 20)
#define DATA ((size_t)4 << 20) /* of LUN 0, at its start; all else is a hole */
#define MIB  ((uint64_t)1 << 20)

FIXTURE(initiator)
{
	struct loop loop;
	struct cr_ns *ns;
	struct file *file[LAB_LUNS];
	uint8_t *want, *have;
};

FIXTURE_SETUP(initiator)
{
	char name[8];

	loop_begin(&self->loop, fixture_dir(), SIZE);
	self->ns = cr_ns_new();
	self->want = malloc(DATA);
	self->have = malloc(DATA);
	for (unsigned i = 0; i < LAB_LUNS; i++) {
		snprintf(name, sizeof(name), "lab:%u", i);
		ASSERT_EQ(0, cr_open(self->ns, name, O_RDWR, 0, &self->file[i]));
	}
	lab_fill(self->want, DATA, 1);
	for (size_t at = 0; at < DATA; at += MIB)
		ASSERT_EQ((ssize_t)MIB, cr_write(self->file[0], self->want + at, MIB, (off_t)at));
	memset(self->loop.sent, 0, sizeof(self->loop.sent));
}

FIXTURE_TEARDOWN(initiator)
{
	for (unsigned i = 0; i < LAB_LUNS; i++)
		cr_close(self->file[i]);
	cr_ns_free(self->ns);
	free(self->want);
	free(self->have);
	loop_end(&self->loop);
}

#define LOOP (&self->loop)

TEST_F(initiator, a_unit_says_what_it_is_and_can)
{
	const struct scsi_lu *lu = &LOOP->unit[1].lu;

	EXPECT_EQ(SIZE / 512, lu->blocks);
	EXPECT_EQ(512, lu->block);
	EXPECT_EQ(4096, lu->physical);
	EXPECT_STREQ("COPYRNGE", lu->vendor);
	EXPECT_TRUE(lu->thin && lu->zeros && lu->prov.lbpws);
	EXPECT_TRUE(lu->copies && lu->lid4 && lu->lid4_status && lu->copy_abort && lu->tokens);
	ASSERT_LT(1, lu->names);
	EXPECT_EQ(DESIGNATOR_NAA, lu->name[0].type);
	EXPECT_EQ(DESIGNATOR_T10, lu->name[lu->names - 1].type);
	EXPECT_LT(0, lu->copy.segments);
	EXPECT_NE(LOOP->unit[0].ino, LOOP->unit[1].ino);
}

TEST_F(initiator, parts_of_blocks_leave_their_neighbours_alone)
{
	lab_fill(self->have, 4096, 9);
	ASSERT_EQ(4096, cr_write(self->file[1], self->have, 4096, 0));
	/* The part of a first block, whole ones, the part of a last one: as many calls. */
	for (size_t at = 0; at < 2000;) {
		ssize_t n = cr_write(self->file[1], self->want + at, 2000 - at, 700 + (off_t)at);

		ASSERT_LT(0, n);
		at += (size_t)n;
	}
	memcpy(self->have + 700, self->want, 2000);
	lab_peek(&LOOP->lab, 1, 0, self->want, 4096);
	EXPECT_EQ(0, memcmp(self->want, self->have, 4096));
	EXPECT_EQ(24, cr_read(self->file[1], self->want, 100, 1000));
	EXPECT_EQ(0, memcmp(self->want, self->have + 1000, 24));
	EXPECT_EQ(0, cr_read(self->file[1], self->want, 100, SIZE));
	EXPECT_EQ(-ENOSPC, cr_write(self->file[1], self->want, 100, SIZE));
}

TEST_F(initiator, what_is_not_mapped_is_a_hole)
{
	off_t end = cr_seek(self->file[0], 0, SEEK_HOLE);

	EXPECT_EQ((off_t)DATA, end);
	EXPECT_EQ(-ENXIO, cr_seek(self->file[0], end, SEEK_DATA));
	EXPECT_EQ(0, cr_seek(self->file[0], 0, SEEK_DATA));
	EXPECT_EQ(-ENXIO, cr_seek(self->file[2], 5, SEEK_DATA));
	EXPECT_EQ(5, cr_seek(self->file[2], 5, SEEK_HOLE));
	/* One that cannot tell is all data. */
	LOOP->unit[2].lu.no_status = true;
	EXPECT_EQ(5, cr_seek(self->file[2], 5, SEEK_DATA));
	EXPECT_EQ((off_t)SIZE, cr_seek(self->file[2], 5, SEEK_HOLE));
}

TEST_F(initiator, a_hole_is_given_back_by_WRITE_SAME_and_its_ends_are_written)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	const off_t from = (off_t)MIB + 100;
	const size_t len = (size_t)MIB + 1000;

	ASSERT_EQ(0, cr_allocate(self->file[0], punch, from, (off_t)len));
	EXPECT_LT(0, LOOP->sent[OP_WRITE_SAME_16]);
	memset(self->want + from, 0, len);
	lab_peek(&LOOP->lab, 0, 0, self->have, DATA);
	EXPECT_EQ(0, memcmp(self->want, self->have, DATA));
	EXPECT_GT((off_t)(2 * MIB), cr_seek(self->file[0], 0, SEEK_HOLE));
}

static int copy(struct file *in, struct file *out, unsigned flags, struct copy_result *res)
{
	return cr_copy_range(
		&(struct copy_req){.in = in, .out = out, .len = COPY_LEN_EOF, .flags = flags}, res);
}

static bool same(struct loop *loop, unsigned lun, const uint8_t *want, uint8_t *have)
{
	lab_peek(&loop->lab, lun, 0, have, DATA);
	return !memcmp(want, have, DATA);
}

TEST_F(initiator, the_array_copies_and_no_data_come_here)
{
	struct copy_result res;

	ASSERT_EQ(0, copy(self->file[0], self->file[1], 0, &res));
	EXPECT_EQ(SIZE, res.by[COPY_OFFLOAD].bytes);
	EXPECT_EQ(SIZE - DATA, res.holes);
	EXPECT_EQ(0, LOOP->sent[OP_READ_16] + LOOP->sent[OP_WRITE_16]);
	EXPECT_EQ(1, LOOP->lid[1]);
	EXPECT_TRUE(same(LOOP, 1, self->want, self->have));
}

TEST_F(initiator, ends_that_are_no_blocks_go_through_the_process)
{
	struct copy_req req = {
		.in = self->file[0], .out = self->file[1], .pos_in = 100, .pos_out = 612};
	struct copy_result res;

	req.len = MIB;
	ASSERT_EQ(0, cr_copy_range(&req, &res));
	EXPECT_EQ(MIB, res.bytes);
	EXPECT_EQ(MIB - 512, res.by[COPY_OFFLOAD].bytes);
	lab_peek(&LOOP->lab, 1, 612, self->have, MIB);
	EXPECT_EQ(0, memcmp(self->want + 100, self->have, MIB));
}

TEST_F(initiator, segments_are_cut_where_the_blocks_of_the_array_are)
{
	struct scsi_lu *dst = &LOOP->unit[1].lu;
	struct xcopy x = {.src = &LOOP->unit[0].lu, .dst = dst, .from = 512, .to = 512};
	uint64_t at = 1;

	dst->copy.codes = dst->tpc.codes = 0;
	x.len = SIZE - 512;
	ASSERT_EQ(0, xcopy_run(&x));
	ASSERT_EQ(SIZE - 512, x.done);
	EXPECT_LT(2, LOOP->segments);
	for (unsigned i = 0; i < LOOP->segments; i++) {
		const struct segment *s = &LOOP->seen[i];

		EXPECT_EQ(SEGMENT_BLOCKS, s->type);
		EXPECT_EQ(at, s->dst_lba);
		EXPECT_EQ(at, s->src_lba);
		EXPECT_GE(65528, s->blocks);
		at += s->blocks;
		if (i + 1 < LOOP->segments)
			EXPECT_EQ(0, at % 8);
	}
	EXPECT_EQ(SIZE / 512, at);
	EXPECT_EQ(LOOP->segments, LOOP->most);
	lab_peek(&LOOP->lab, 1, 512, self->have, DATA - 512);
	EXPECT_EQ(0, memcmp(self->want + 512, self->have, DATA - 512));
}

TEST_F(initiator, limits_of_the_array_are_kept)
{
	struct scsi_lu *dst = &LOOP->unit[1].lu;
	struct xcopy x = {.src = &LOOP->unit[0].lu, .dst = dst, .len = DATA};

	dst->copy.segments = 3;
	dst->copy.segment_bytes = 100000;
	ASSERT_EQ(0, xcopy_run(&x));
	ASSERT_EQ(DATA, x.done);
	EXPECT_EQ(3, LOOP->most);
	for (unsigned i = 0; i < LOOP->segments; i++)
		EXPECT_GE(98304, LOOP->seen[i].bytes);
	EXPECT_TRUE(same(LOOP, 1, self->want, self->have));
	/* List identifiers are left out where they can be. */
	dst->lid4 = false;
	ASSERT_TRUE(dst->copy.snlid);
	ASSERT_EQ(0, xcopy_run(&x));
	EXPECT_EQ(LIST_ID_NONE, LOOP->usage);
	dst->copy.snlid = false;
	ASSERT_EQ(0, xcopy_run(&x));
	EXPECT_EQ(LIST_ID_DISCARD, LOOP->usage);
}

/* Answers to EXTENDED COPY, and what must come of a copy of DATA bytes. */
enum outcome {
	OFFLOADED,  /* all of it, after another try */
	STREAMED,   /* all of it by reading and writing */
	REMEMBERED, /* the same, and a second copy does not ask again */
	FAILED,	    /* with an error, and nothing by reading and writing */
};

struct row {
	const char *what;
	struct fault fault;
	enum outcome outcome;
	int err;
};

#define CHECK  STATUS_CHECK_CONDITION
#define ALWAYS 1000
#define TPC(...)                                                                                   \
	{                                                                                          \
		.opcode = OP_THIRD_PARTY_COPY_OUT, .sa = ANY_SA, __VA_ARGS__                       \
	}
#define SENSE(n, k, a) TPC(.count = n, .status = CHECK, .key = k, .asc = a)

static const struct row rows[] = {
	{"power on", SENSE(1, 6, 0x2900), OFFLOADED, 0},
	{"capacity has changed", SENSE(1, 6, 0x2a09), OFFLOADED, 0},
	{"LUNs have changed", SENSE(1, 6, 0x3f0e), OFFLOADED, 0},
	{"becoming ready", SENSE(2, 2, 0x0401), OFFLOADED, 0},
	{"busy", TPC(.count = 2, .status = STATUS_BUSY), OFFLOADED, 0},
	{"task set full", TPC(.count = 1, .status = STATUS_TASK_SET_FULL), OFFLOADED, 0},
	{"invalid field, once", SENSE(1, 5, 0x2600), OFFLOADED, 0},
	{"invalid field, always", SENSE(ALWAYS, 5, 0x2600), REMEMBERED, 0},
	{"too many CSCDs", SENSE(1, 5, 0x2606), OFFLOADED, 0},
	{"too many segments", SENSE(2, 5, 0x2608), OFFLOADED, 0},
	{"list too long", SENSE(1, 5, 0x1a00), OFFLOADED, 0},
	{"too much inline", SENSE(1, 5, 0x260b), OFFLOADED, 0},
	{"too many, always", SENSE(ALWAYS, 5, 0x2608), REMEMBERED, 0},
	{"CSCD type", SENSE(1, 5, 0x2607), OFFLOADED, 0},
	{"CSCD type, always", SENSE(ALWAYS, 5, 0x2607), REMEMBERED, 0},
	{"segment type", SENSE(1, 5, 0x2609), OFFLOADED, 0},
	{"segment type, always", SENSE(ALWAYS, 5, 0x2609), REMEMBERED, 0},
	{"no LID4",
	 {.opcode = OP_THIRD_PARTY_COPY_OUT,
	  .sa = 1,
	  .count = ALWAYS,
	  .status = CHECK,
	  .key = 5,
	  .asc = 0x2400},
	 OFFLOADED,
	 0},
	{"no such command", SENSE(ALWAYS, 5, 0x2000), REMEMBERED, 0},
	{"granularity", SENSE(ALWAYS, 5, 0x260d), STREAMED, 0},
	{"inexact", SENSE(ALWAYS, 5, 0x260a), STREAMED, 0},
	{"invalid operation", SENSE(ALWAYS, 5, 0x260c), STREAMED, 0},
	{"not authorized", SENSE(ALWAYS, 5, 0x2615), REMEMBERED, 0},
	{"not fast", SENSE(ALWAYS, 5, 0x2616), REMEMBERED, 0},
	{"aborted", SENSE(ALWAYS, 0xa, 0x0000), STREAMED, 0},
	{"aborted, device failed", SENSE(ALWAYS, 0xa, 0x0d01), STREAMED, 0},
	{"aborted, not reachable", SENSE(ALWAYS, 0xa, 0x0d02), REMEMBERED, 0},
	{"aborted, unreachable", SENSE(ALWAYS, 0xa, 0x0804), REMEMBERED, 0},
	{"medium error", SENSE(ALWAYS, 3, 0x1100), STREAMED, 0},
	{"LBA out of range", SENSE(ALWAYS, 5, 0x2100), FAILED, -ENOSPC},
	{"no such LUN", SENSE(ALWAYS, 5, 0x2500), FAILED, -ENODEV},
	{"write protected", SENSE(ALWAYS, 7, 0x2700), FAILED, -EROFS},
	{"out of space", SENSE(ALWAYS, 7, 0x2707), FAILED, -ENOSPC},
	{"reserved", TPC(.count = ALWAYS, .status = STATUS_RESERVATION_CONFLICT), FAILED, -EBUSY},
	{"timeout", TPC(.count = ALWAYS, .err = -ETIMEDOUT), FAILED, -ETIMEDOUT},
	{"link lost", TPC(.count = ALWAYS, .err = -ENOTCONN), FAILED, -ENOTCONN},
};

/* A copy with the fault of @r, and what became of it. */
static void check_row(struct __test_metadata *_metadata, FIXTURE_DATA(initiator) * self,
		      const struct row *r)
{
	bool streamed = r->outcome == STREAMED || r->outcome == REMEMBERED;
	struct cr_ns *ns = cr_ns_new();
	struct file *in, *out;
	struct copy_result res;
	unsigned sent;

	TH_LOG("%s", r->what);
	ASSERT_EQ(0,
		  cr_allocate(self->file[1], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, DATA));
	ASSERT_EQ(0, cr_open(ns, "lab:0", O_RDONLY, 0, &in));
	ASSERT_EQ(0, cr_open(ns, "lab:1", O_WRONLY, 0, &out));
	LOOP->fault[0] = r->fault;
	LOOP->fault[0].half = r->outcome == STREAMED;
	memset(LOOP->sent, 0, sizeof(LOOP->sent));
	EXPECT_EQ(r->err, copy(in, out, 0, &res));
	EXPECT_EQ(streamed ? DATA : 0, res.by[COPY_STREAM].moved);
	if (r->outcome != FAILED)
		EXPECT_TRUE(same(LOOP, 1, self->want, self->have));
	if (streamed)
		EXPECT_NE(NULL, res.why[COPY_OFFLOAD].reason);
	if (r->outcome == REMEMBERED) {
		sent = LOOP->sent[OP_THIRD_PARTY_COPY_OUT];
		EXPECT_EQ(0, copy(in, out, 0, &res));
		EXPECT_EQ(sent, LOOP->sent[OP_THIRD_PARTY_COPY_OUT]);
	}
	/* What fell short is asked for again: another token, another write. */
	if (r->fault.shorter)
		EXPECT_EQ(4, LOOP->sent[OP_THIRD_PARTY_COPY_OUT]);
	if (r->fault.asc == 0x2a09)
		EXPECT_LT(0, LOOP->sent[OP_SERVICE_ACTION_IN_16]);
	cr_close(in);
	cr_close(out);
	cr_ns_free(ns);
}

TEST_F(initiator, each_answer_to_EXTENDED_COPY_has_its_consequence)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(_metadata, self, &rows[i]);
}

#define KIND(op, s, ...)                                                                           \
	{                                                                                          \
		.opcode = OP_THIRD_PARTY_COPY_##op, .sa = s, __VA_ARGS__                           \
	}
#define POPULATE(...)	 KIND(OUT, SA_POPULATE_TOKEN, __VA_ARGS__)
#define WRITE_USING(...) KIND(OUT, SA_WRITE_USING_TOKEN, __VA_ARGS__)
#define INFO(...)	 KIND(IN, SA_ROD_TOKEN_INFORMATION, __VA_ARGS__)
#define SAYS(n, k, a)	 .count = n, .status = CHECK, .key = k, .asc = a

static const struct row token_rows[] = {
	{"all is well", {.count = 0}, OFFLOADED, 0},
	{"power on", WRITE_USING(SAYS(1, 6, 0x2900)), OFFLOADED, 0},
	{"a short token", INFO(.count = 1, .shorter = true), OFFLOADED, 0},
	{"a short write", INFO(.skip = 1, .count = 1, .shorter = true), OFFLOADED, 0},
	{"an expired token", WRITE_USING(SAYS(1, 5, 0x2307)), OFFLOADED, 0},
	{"an unknown token", WRITE_USING(SAYS(ALWAYS, 5, 0x2304)), REMEMBERED, 0},
	{"a type nobody knows", WRITE_USING(SAYS(ALWAYS, 5, 0x2301)), REMEMBERED, 0},
	{"no room for one more", POPULATE(SAYS(1, 5, 0x550c)), OFFLOADED, 0},
	{"no tokens", POPULATE(SAYS(ALWAYS, 5, 0x2000)), REMEMBERED, 0},
	{"not authorized", WRITE_USING(SAYS(ALWAYS, 5, 0x2615)), REMEMBERED, 0},
	{"aborted", WRITE_USING(SAYS(ALWAYS, 0xa, 0x0000)), STREAMED, 0},
	{"write protected", WRITE_USING(SAYS(ALWAYS, 7, 0x2700)), FAILED, -EROFS},
	{"timeout", WRITE_USING(.count = ALWAYS, .err = -ETIMEDOUT), FAILED, -ETIMEDOUT},
};

TEST_F(initiator, without_EXTENDED_COPY_tokens_do_it)
{
	for (unsigned i = 0; i < LAB_LUNS; i++)
		LOOP->unit[i].lu.copies = false;
	for (size_t i = 0; i < sizeof(token_rows) / sizeof(*token_rows); i++)
		check_row(_metadata, self, &token_rows[i]);
	EXPECT_EQ(0, LOOP->lid[0] + LOOP->lid[1]);
}

TEST_F(initiator, without_either_the_stream_does_it)
{
	struct copy_result res;

	LOOP->unit[1].lu.copies = LOOP->unit[1].lu.tokens = false;
	ASSERT_EQ(0, copy(self->file[0], self->file[1], 0, &res));
	EXPECT_STREQ("the array has no EXTENDED COPY", res.why[COPY_OFFLOAD].reason);
	EXPECT_EQ(DATA, res.by[COPY_STREAM].moved);
	EXPECT_EQ(0, LOOP->sent[OP_THIRD_PARTY_COPY_OUT]);
}

TEST_F(initiator, only_what_was_aborted_is_written_by_the_stream)
{
	struct scsi_lu *dst = &LOOP->unit[1].lu;
	struct copy_result res;

	dst->copy.segments = 1;
	dst->copy.segment_bytes = MIB;
	/* The second MiB, also when the rest is asked for again, by the slice and by the core. */
	LOOP->fault[0] = (struct fault)TPC(.skip = 1, .count = 3, .status = CHECK, .key = 0xa,
					   .asc = 0x0d01, .half = true);
	ASSERT_EQ(0, copy(self->file[0], self->file[1], 0, &res));
	EXPECT_EQ(MIB, res.by[COPY_STREAM].moved);
	EXPECT_EQ(SIZE - MIB, res.by[COPY_OFFLOAD].bytes);
	EXPECT_STREQ("the array gave up the copy", res.why[COPY_OFFLOAD].reason);
	EXPECT_TRUE(same(LOOP, 1, self->want, self->have));
}

/* Who did what, a letter for each MiB. */
static void note(void *arg, const struct copy_req *range, const struct copy_result *part)
{
	for (uint64_t at = 0; at < part->bytes; at += MIB)
		((char *)arg)[((uint64_t)range->pos_out + at) / MIB] =
			part->how == COPY_OFFLOAD ? 'o'
			: part->how == COPY_STREAM && !strcmp(part->why[COPY_OFFLOAD].reason,
							      "the array gave up the copy")
				? 's'
				: '?';
}

TEST_F(initiator, it_is_told_which_range_was_copied_how)
{
	char how[SIZE / MIB + 1] = "";
	struct copy_req req = {.in = self->file[0],
			       .out = self->file[1],
			       .len = 4 * MIB,
			       .told = note,
			       .told_arg = how};
	struct copy_result res;

	LOOP->unit[1].lu.copy.segments = 1;
	LOOP->unit[1].lu.copy.segment_bytes = MIB;
	LOOP->fault[0] = (struct fault)TPC(.skip = 1, .count = 3, .status = CHECK, .key = 0xa,
					   .asc = 0x0d01);
	ASSERT_EQ(0, cr_copy_range(&req, &res));
	EXPECT_STREQ("osoo", how);
	EXPECT_STREQ("EXTENDED COPY (LID4)", res.command);
}

TEST_F(initiator, without_the_stream_an_abort_is_an_error)
{
	struct copy_result res;

	LOOP->fault[0] = (struct fault)SENSE(ALWAYS, 0xa, 0x0d01);
	EXPECT_EQ(-EOPNOTSUPP, copy(self->file[0], self->file[1], COPY_RANGE_NO_STREAM, &res));
	EXPECT_EQ(0, res.bytes);
}

TEST_F(initiator, units_of_different_arrays_are_not_asked)
{
	struct copy_result res;

	strcpy(LOOP->unit[1].lu.product, "OTHER");
	ASSERT_EQ(0, copy(self->file[0], self->file[1], 0, &res));
	EXPECT_EQ(0, LOOP->sent[OP_THIRD_PARTY_COPY_OUT]);
	EXPECT_STREQ("source and target are of different arrays", res.why[COPY_OFFLOAD].reason);
	EXPECT_TRUE(same(LOOP, 1, self->want, self->have));
}

struct stopper {
	struct loop *loop;
	int stop;
};

static void *stop_when_it_hangs(void *arg)
{
	struct stopper *s = arg;
	unsigned hangs = 0;

	while (!hangs) {
		usleep(1000);
		pthread_mutex_lock(&s->loop->lock);
		hangs = s->loop->hangs;
		pthread_mutex_unlock(&s->loop->lock);
	}
	__atomic_store_n(&s->stop, 1, __ATOMIC_RELAXED);
	return NULL;
}

TEST_F(initiator, a_stop_aborts_what_the_array_does)
{
	struct stopper s = {.loop = LOOP};
	struct copy_req req = {
		.in = self->file[0], .out = self->file[1], .len = DATA, .stop = &s.stop};
	struct copy_result res;
	pthread_t thread;

	LOOP->fault[0] = (struct fault){.opcode = OP_THIRD_PARTY_COPY_OUT,
					.sa = SA_EXTENDED_COPY_LID4,
					.count = ALWAYS,
					.hang = true};
	ASSERT_EQ(0, pthread_create(&thread, NULL, stop_when_it_hangs, &s));
	EXPECT_EQ(0, cr_copy_range(&req, &res));
	pthread_join(thread, NULL);
	EXPECT_EQ(1, res.stopped);
	EXPECT_EQ(0, res.bytes);
	EXPECT_EQ(1, LOOP->aborts);
	EXPECT_EQ(0, LOOP->sent[OP_READ_16]);
}

/* Others at the same time would get in the way of a clone. */
TEST_F(initiator, the_first_command_of_many_goes_alone)
{
	struct stopper s = {.loop = LOOP};
	struct xcopy x = {.src = &LOOP->unit[0].lu,
			  .dst = &LOOP->unit[1].lu,
			  .len = (uint64_t)8 << 30,
			  .stop = &s.stop};
	pthread_t thread;

	LOOP->fault[0] = (struct fault){.opcode = OP_THIRD_PARTY_COPY_OUT,
					.sa = SA_EXTENDED_COPY_LID4,
					.count = ALWAYS,
					.hang = true};
	ASSERT_EQ(0, pthread_create(&thread, NULL, stop_when_it_hangs, &s));
	EXPECT_EQ(-ECANCELED, xcopy_run(&x));
	pthread_join(thread, NULL);
	EXPECT_EQ(1, x.commands);
	EXPECT_EQ(1, LOOP->aborts);
}

struct watcher {
	struct copy_progress progress;
	uint64_t most;
	int stop;
};

static void *stop_when_it_is_far(void *arg)
{
	struct watcher *w = arg;

	for (unsigned i = 0; i < 30000 && !w->most; i++) {
		usleep(1000);
		w->most = __atomic_load_n(&w->progress.bytes, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&w->stop, 1, __ATOMIC_RELAXED);
	return NULL;
}

TEST_F(initiator, the_array_is_asked_how_far_it_is)
{
	struct watcher w = {.most = 0};
	struct copy_req req = {.in = self->file[0],
			       .out = self->file[1],
			       .len = DATA,
			       .stop = &w.stop,
			       .progress = &w.progress};
	struct copy_result res;
	pthread_t thread;

	LOOP->far = 123 * 512;
	LOOP->fault[0] = (struct fault){.opcode = OP_THIRD_PARTY_COPY_OUT,
					.sa = SA_EXTENDED_COPY_LID4,
					.count = ALWAYS,
					.hang = true};
	ASSERT_EQ(0, pthread_create(&thread, NULL, stop_when_it_is_far, &w));
	EXPECT_EQ(0, cr_copy_range(&req, &res));
	pthread_join(thread, NULL);
	EXPECT_EQ(LOOP->far, w.most);
	/* It was not copied after all. */
	EXPECT_EQ(0, w.progress.bytes);
	EXPECT_EQ(0, res.bytes);
}

/* By the other nexus: register a key, then reserve with it. */
static void reserve(struct lab *lab, unsigned lun, uint8_t type)
{
	uint8_t list[24] = {0}, cdb[10] = {OP_PERSISTENT_RESERVE_OUT, 0, 0, 0, 0, 0, 0, 0, 24};
	struct lab_cmd cmd = {.nexus = lab->b, .lun = lun, .cdb = cdb, .out = list, .len = 24};

	put_be64(list + 8, 7);
	cdb[1] = SA_PROUT_REGISTER;
	if (lab_do(lab, &cmd))
		abort();
	put_be64(list, 7);
	cdb[1] = SA_PROUT_RESERVE;
	cdb[2] = type;
	if (lab_do(lab, &cmd))
		abort();
}

TEST_F(initiator, what_others_have_reserved_is_not_opened)
{
	struct file *file;

	reserve(&LOOP->lab, 1, 1); /* write exclusive */
	EXPECT_EQ(-EBUSY, cr_open(self->ns, "lab:1", O_WRONLY, 0, &file));
	EXPECT_EQ(0, cr_open(self->ns, "lab:1", O_RDONLY, 0, &file));
	cr_close(file);
	reserve(&LOOP->lab, 2, 3); /* exclusive access */
	EXPECT_EQ(-EBUSY, cr_open(self->ns, "lab:2", O_RDONLY, 0, &file));
}

TEST_F(initiator, a_target_that_is_too_small_is_not_begun)
{
	struct copy_req req = {
		.in = self->file[0], .out = self->file[1], .pos_out = 512, .len = COPY_LEN_EOF};
	struct copy_result res;

	EXPECT_EQ(-ENOSPC, cr_copy_range(&req, &res));
	EXPECT_EQ(0, res.bytes);
	EXPECT_EQ(0, LOOP->sent[OP_WRITE_16] + LOOP->sent[OP_THIRD_PARTY_COPY_OUT]);
}

TEST_HARNESS_MAIN
