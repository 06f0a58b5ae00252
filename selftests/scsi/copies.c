// SPDX-License-Identifier: GPL-2.0-or-later
/* EXTENDED COPY and tokens, by the engine without sockets. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "lab.h"
#include "lib/bytes.h"
#include "scsi/target/tpc.h"

#define SIZE  ((uint64_t)16 << 20)
#define CHUNK ((size_t)1 << 20)

#define GOOD(call) ASSERT_EQ(STATUS_GOOD, call)
#define WRONG(k, a, call)                                                                          \
	do {                                                                                       \
		ASSERT_EQ(STATUS_CHECK_CONDITION, call);                                           \
		EXPECT_EQ(k, self->lab.why.key);                                                   \
		EXPECT_EQ(a, self->lab.why.asc);                                                   \
	} while (0)
#define RW(lba, blocks) ((struct cdb_rw){lba, blocks, 0})

FIXTURE(copies)
{
	struct lab lab;
	uint8_t list[16384];
	uint8_t *a, *b;
};

FIXTURE_VARIANT(copies)
{
	const char *type;
};

FIXTURE_VARIANT_ADD(copies, xfs){
	.type = "xfs",
};
FIXTURE_VARIANT_ADD(copies, tmpfs){
	.type = "tmpfs",
};

/* LUN 0 has a pattern, LUN 1 another one, LUN 2 is a hole. */
FIXTURE_SETUP(copies)
{
	const char *dir = fixture_fs(variant->type, 300, NULL);

	if (!dir)
		SKIP(return, "%s", fixture_why());
	lab_begin(&self->lab, dir, SIZE, NULL);
	self->a = malloc(CHUNK);
	self->b = malloc(CHUNK);
	for (unsigned lun = 0; lun < 2; lun++)
		for (unsigned i = 0; i < SIZE / CHUNK; i++) {
			lab_fill(self->a, CHUNK, 1 + lun * 1000 + i);
			if (lab_rw(&self->lab, lun, OP_WRITE_16, RW(i * CHUNK / 512, CHUNK / 512),
				   self->a))
				abort();
		}
	self->lab.copied = (struct copy_result){0};
}

FIXTURE_TEARDOWN(copies)
{
	free(self->a);
	free(self->b);
	lab_end(&self->lab);
}

static int xcopy(struct lab *lab, uint8_t *list, struct xcopy_header head,
		 const struct segment *seg, unsigned n)
{
	size_t len = lab_xcopy_list(lab, head, seg, n, list);
	uint8_t sa = head.lid4 ? SA_EXTENDED_COPY_LID4 : SA_EXTENDED_COPY_LID1;

	return lab_tpc(lab, 0, OP_THIRD_PARTY_COPY_OUT,
		       (struct cdb_tpc){.sa = sa, .len = (uint32_t)len}, list);
}

struct place {
	unsigned lun;
	uint64_t pos;
};

/* Are @len bytes of both the same? */
static bool are_same(struct lab *lab, struct place src, struct place dst, size_t len)
{
	uint8_t *a = malloc(len), *b = malloc(len);
	bool equal;

	lab_peek(lab, src.lun, src.pos, a, len);
	lab_peek(lab, dst.lun, dst.pos, b, len);
	equal = !memcmp(a, b, len);
	free(a);
	free(b);
	return equal;
}

#define same(lab, src, from, dst, to, len)                                                         \
	are_same(lab, (struct place){src, from}, (struct place){dst, to}, len)

TEST_F(copies, a_segment_by_blocks)
{
	struct segment s = {.type = SEGMENT_BLOCKS,
			    .src = 0,
			    .dst = 1,
			    .blocks = 16384,
			    .src_lba = 8,
			    .dst_lba = 4096};

	GOOD(xcopy(&self->lab, self->list, (struct xcopy_header){.list_id = 1}, &s, 1));
	EXPECT_TRUE(same(&self->lab, 0, 4096, 1, 2 << 20, 8 << 20));
	EXPECT_EQ(8u << 20, self->lab.copied.bytes);
	if (!strcmp(variant->type, "xfs")) {
		EXPECT_EQ(8u << 20, self->lab.copied.by[COPY_CLONE].bytes);
	}
}

/* What every tool but ours sends: the middle is shared all the same. */
TEST_F(copies, a_segment_that_is_not_aligned_is_cloned_but_for_its_edges)
{
	struct segment s = {.type = SEGMENT_BLOCKS,
			    .src = 0,
			    .dst = 1,
			    .blocks = 10001,
			    .src_lba = 3,
			    .dst_lba = 8195};

	GOOD(xcopy(&self->lab, self->list, (struct xcopy_header){.list_id = 1}, &s, 1));
	EXPECT_TRUE(same(&self->lab, 0, 3 * 512, 1, 8195 * 512, 10001 * 512));
	if (!strcmp(variant->type, "xfs")) {
		EXPECT_GT(self->lab.copied.by[COPY_CLONE].bytes, 9900u * 512);
	}
}

TEST_F(copies, a_segment_by_bytes)
{
	struct segment s = {.type = SEGMENT_OFFSETS,
			    .src = 0,
			    .dst = 1,
			    .bytes = 5000001,
			    .src_lba = 9,
			    .dst_lba = 100,
			    .src_offset = 7,
			    .dst_offset = 300};

	GOOD(xcopy(&self->lab, self->list, (struct xcopy_header){.list_id = 1}, &s, 1));
	EXPECT_TRUE(same(&self->lab, 0, 9 * 512 + 7, 1, 100 * 512 + 300, 5000001));
	lab_fill(self->a, CHUNK, 1001);
	lab_peek(&self->lab, 1, 0, self->b, 100 * 512 + 300);
	EXPECT_EQ(0, memcmp(self->a, self->b, 100 * 512 + 300));
	lab_peek(&self->lab, 1, 100 * 512 + 300 + 5000001, self->b, 1);
	lab_fill(self->a, CHUNK, 1001 + (100 * 512 + 300 + 5000001) / CHUNK);
	EXPECT_EQ(self->a[(100 * 512 + 300 + 5000001) % CHUNK], *self->b);
}

TEST_F(copies, many_segments_are_done_in_order)
{
	struct segment s[8];

	for (unsigned i = 0; i < 8; i++)
		s[i] = (struct segment){.type = SEGMENT_BLOCKS,
					.src = i % 2,
					.dst = 2,
					.blocks = 100,
					.src_lba = i,
					.dst_lba = i * 10};
	GOOD(xcopy(&self->lab, self->list, (struct xcopy_header){.lid4 = true, .list_id = 0x1234},
		   s, 8));
	for (unsigned i = 0; i < 7; i++)
		EXPECT_TRUE(same(&self->lab, i % 2, i * 512, 2, i * 5120, 5120));
	EXPECT_TRUE(same(&self->lab, 1, 7 * 512, 2, 7 * 5120, 51200));
	GOOD(lab_tpc(&self->lab, 0, OP_THIRD_PARTY_COPY_IN,
		     (struct cdb_tpc){.sa = SA_COPY_STATUS_LID4, .list_id = 0x1234, .len = 200},
		     NULL));
	EXPECT_EQ(COPY_OK, self->lab.data[5]);
	EXPECT_EQ(8 * 51200u, get_be64(self->lab.data + 16));
	EXPECT_EQ(8, get_be16(self->lab.data + 24));
}

TEST_F(copies, a_hole_is_copied_as_zeros)
{
	struct segment s = {
		.type = SEGMENT_BLOCKS, .src = 2, .dst = 1, .blocks = 2048, .dst_lba = 2048};

	GOOD(xcopy(&self->lab, self->list, (struct xcopy_header){0}, &s, 1));
	EXPECT_TRUE(same(&self->lab, 2, 0, 1, 1 << 20, 1 << 20));
}

TEST_F(copies, overlapping_ranges_of_one_LUN_keep_what_was_there)
{
	struct segment s = {.type = SEGMENT_BLOCKS,
			    .src = 0xffff,
			    .dst = 0,
			    .blocks = 6000,
			    .src_lba = 100,
			    .dst_lba = 1000};
	uint8_t *before = malloc(6000 * 512), *after = malloc(6000 * 512);

	for (unsigned turn = 0; turn < 2; turn++) {
		lab_peek(&self->lab, 0, s.src_lba * 512, before, 6000 * 512);
		GOOD(xcopy(&self->lab, self->list, (struct xcopy_header){0}, &s, 1));
		lab_peek(&self->lab, 0, s.dst_lba * 512, after, 6000 * 512);
		EXPECT_EQ(0, memcmp(before, after, 6000 * 512));
		s.src_lba = 3000;
		s.dst_lba = 100;
	}
	free(before);
	free(after);
}

/* CVE-2020-28374: what another target has, nobody here reaches by knowing its name. */
TEST_F(copies, only_what_the_session_sees_is_found)
{
	struct lun_spec spec = {
		.number = 0, .file = self->lab.file[2], .size = SIZE, .physical = 3};
	struct segment s = {.type = SEGMENT_BLOCKS, .src = 2, .dst = 1, .blocks = 8};
	struct token_range r = {0, 8};
	uint8_t token[TOKEN_SIZE];
	struct target *other;
	char why[200];

	ASSERT_EQ(0, target_add(&self->lab.engine, "iqn.2026-11.test:other", &other));
	ASSERT_EQ(0, target_add_lun(other, &spec, why, sizeof(why)));
	/* A token of LUN 2, which this target has still. */
	populate_encode(&(struct populate){.ranges = 1}, self->list);
	token_range_encode(&r, self->list + POPULATE_HEAD, 0);
	GOOD(lab_tpc(&self->lab, 2, 0x83, (struct cdb_tpc){SA_POPULATE_TOKEN, 1, 32}, self->list));
	GOOD(lab_tpc(&self->lab, 2, 0x84, (struct cdb_tpc){SA_ROD_TOKEN_INFORMATION, 1, 1000},
		     NULL));
	memcpy(token, self->lab.data + 38, TOKEN_SIZE);

	GOOD(xcopy(&self->lab, self->list, (struct xcopy_header){0}, &s, 1));
	lab_xcopy_list(&self->lab, (struct xcopy_header){0}, &s, 1, self->list);
	self->lab.target->n = 2;
	WRONG(KEY_COPY_ABORTED, ASC_COPY_TARGET_NOT_REACHABLE,
	      lab_tpc(&self->lab, 0, 0x83, (struct cdb_tpc){0, 0, 16 + 3 * 32 + 28}, self->list));
	redeem_encode(&(struct redeem){.token = token, .ranges = 1}, self->list);
	token_range_encode(&r, self->list + REDEEM_HEAD, 0);
	WRONG(5, ASC_TOKEN_UNKNOWN,
	      lab_tpc(&self->lab, 1, 0x83,
		      (struct cdb_tpc){SA_WRITE_USING_TOKEN, 2, REDEEM_HEAD + 16}, self->list));
	self->lab.target->n = 3;
	GOOD(lab_tpc(&self->lab, 1, 0x83,
		     (struct cdb_tpc){SA_WRITE_USING_TOKEN, 2, REDEEM_HEAD + 16}, self->list));
}

TEST_F(copies, rights_of_both_ends_hold)
{
	struct segment s = {.type = SEGMENT_BLOCKS, .src = 0, .dst = 1, .blocks = 8};
	uint8_t before[4096], after[4096];
	static const uint8_t reserve[6] = {OP_RESERVE_6};

	lab_peek(&self->lab, 1, 0, before, 4096);
	self->lab.target->lun[1].ro = true;
	WRONG(7, ASC_WRITE_PROTECTED,
	      xcopy(&self->lab, self->list, (struct xcopy_header){0}, &s, 1));
	self->lab.target->lun[1].ro = false;
	GOOD(lab_do(&self->lab, &(struct lab_cmd){.nexus = self->lab.b, .lun = 1, .cdb = reserve}));
	EXPECT_EQ(STATUS_RESERVATION_CONFLICT,
		  xcopy(&self->lab, self->list, (struct xcopy_header){0}, &s, 1));
	lab_peek(&self->lab, 1, 0, after, 4096);
	EXPECT_EQ(0, memcmp(before, after, 4096));
}

TEST_F(copies, what_is_wrong_with_a_list)
{
	struct segment s = {.type = SEGMENT_BLOCKS, .src = 0, .dst = 9, .blocks = 8};
	struct xcopy_header head = {.list_id = 3};
	size_t len;

	WRONG(KEY_COPY_ABORTED, ASC_COPY_TARGET_NOT_REACHABLE,
	      xcopy(&self->lab, self->list, head, &s, 1));
	EXPECT_EQ(0u, self->lab.why.specific);
	s.dst = 1;
	s.dst_lba = SIZE / 512 - 7;
	WRONG(KEY_COPY_ABORTED, ASC_NONE, xcopy(&self->lab, self->list, head, &s, 1));
	s.dst_lba = UINT64_MAX - 3;
	WRONG(KEY_COPY_ABORTED, ASC_NONE, xcopy(&self->lab, self->list, head, &s, 1));
	GOOD(lab_tpc(&self->lab, 0, 0x84, (struct cdb_tpc){SA_FAILURE_DETAILS, 3, 200}, NULL));
	EXPECT_EQ(STATUS_CHECK_CONDITION, self->lab.data[56]);
	EXPECT_EQ(KEY_COPY_ABORTED, self->lab.data[62]);
	GOOD(lab_tpc(&self->lab, 0, 0x84, (struct cdb_tpc){SA_COPY_STATUS_LID1, 3, 200}, NULL));
	EXPECT_EQ(COPY_LID1_ERROR, self->lab.data[4] & 0x7f);
	WRONG(5, ASC_INVALID_FIELD_IN_CDB,
	      lab_tpc(&self->lab, 0, 0x84, (struct cdb_tpc){SA_COPY_STATUS_LID1, 4, 200}, NULL));

	len = lab_xcopy_list(&self->lab, head, &s, 1, self->list);
	self->list[16] = 0xe5;
	WRONG(5, ASC_CSCD_TYPE,
	      lab_tpc(&self->lab, 0, 0x83, (struct cdb_tpc){0, 0, (uint32_t)len}, self->list));
	lab_xcopy_list(&self->lab, head, &s, 1, self->list);
	self->list[16 + 96] = 0x04;
	WRONG(5, ASC_SEGMENT_TYPE,
	      lab_tpc(&self->lab, 0, 0x83, (struct cdb_tpc){0, 0, (uint32_t)len}, self->list));
	lab_xcopy_list(&self->lab, head, &s, 1, self->list);
	WRONG(5, ASC_PARAMETER_LIST_LENGTH,
	      lab_tpc(&self->lab, 0, 0x83, (struct cdb_tpc){0, 0, (uint32_t)len - 1}, self->list));
	head.usage = LIST_ID_NONE;
	WRONG(5, ASC_INVALID_FIELD_IN_LIST, xcopy(&self->lab, self->list, head, &s, 1));
}

static void wait_for(struct lab *lab, uint32_t list_id)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	do {
		nanosleep(&ms, NULL);
		lab_tpc(lab, 0, 0x84, (struct cdb_tpc){SA_COPY_STATUS_LID4, list_id, 200}, NULL);
	} while (lab->status == STATUS_GOOD && lab->data[5] == COPY_RUNS);
}

TEST_F(copies, an_immediate_one_goes_on_by_itself)
{
	struct segment s = {.type = SEGMENT_BLOCKS, .src = 0, .dst = 1, .blocks = 16384};
	struct xcopy_header head = {.lid4 = true, .immed = true, .list_id = 77};

	GOOD(xcopy(&self->lab, self->list, head, &s, 1));
	wait_for(&self->lab, 77);
	GOOD(self->lab.status);
	EXPECT_EQ(COPY_OK, self->lab.data[5]);
	EXPECT_EQ(STATUS_GOOD, self->lab.data[12]);
	EXPECT_EQ(8u << 20, get_be64(self->lab.data + 16));
	EXPECT_TRUE(same(&self->lab, 0, 0, 1, 0, 8 << 20));
	EXPECT_FALSE(nexus_busy(self->lab.a));
}

/* It waits for a range that is being written, and the identifier is taken meanwhile. */
TEST_F(copies, one_that_runs_can_be_asked_about_and_aborted)
{
	struct segment s = {.type = SEGMENT_BLOCKS, .src = 0, .dst = 1, .blocks = 8};
	struct xcopy_header head = {.lid4 = true, .immed = true, .list_id = 5};
	struct lu *lu = self->lab.target->lun[1].lu;
	struct range_lock lock = {.from = 0, .to = 4096, .exclusive = true};
	uint8_t before[4096], after[4096];

	lab_peek(&self->lab, 1, 0, before, 4096);
	lu_lock(lu, &lock);
	GOOD(xcopy(&self->lab, self->list, head, &s, 1));
	WRONG(5, ASC_OPERATION_IN_PROGRESS, xcopy(&self->lab, self->list, head, &s, 1));
	GOOD(lab_tpc(&self->lab, 0, 0x84, (struct cdb_tpc){SA_COPY_STATUS_LID4, 5, 200}, NULL));
	EXPECT_EQ(COPY_RUNS, self->lab.data[5]);
	EXPECT_TRUE(nexus_busy(self->lab.a));
	GOOD(lab_tpc(&self->lab, 0, 0x83, (struct cdb_tpc){SA_COPY_OPERATION_ABORT, 5, 0}, NULL));
	lu_unlock(lu, &lock);
	wait_for(&self->lab, 5);
	EXPECT_EQ(COPY_ABORTED, self->lab.data[5]);
	lab_peek(&self->lab, 1, 0, after, 4096);
	EXPECT_EQ(0, memcmp(before, after, 4096));
}

/* Tokens ------------------------------------------------------------------------------------ */

static int populate(struct lab *lab, uint8_t *list, const struct token_range *r, unsigned n)
{
	populate_encode(&(struct populate){.ranges = n, .timeout = 5}, list);
	for (unsigned i = 0; i < n; i++)
		token_range_encode(&r[i], list + POPULATE_HEAD, i);
	return lab_tpc(lab, 0, 0x83, (struct cdb_tpc){SA_POPULATE_TOKEN, 9, POPULATE_HEAD + 16 * n},
		       list);
}

static bool token_of(struct lab *lab, uint8_t *token)
{
	if (lab_tpc(lab, 0, 0x84, (struct cdb_tpc){SA_ROD_TOKEN_INFORMATION, 9, 1000}, NULL))
		return false;
	if (lab->data[5] != COPY_OK || lab->len != 38 + TOKEN_SIZE ||
	    get_be32(lab->data + 32) != 514)
		return false;
	memcpy(token, lab->data + 38, TOKEN_SIZE);
	return true;
}

static int redeem(struct lab *lab, uint8_t *list, const uint8_t *token, uint64_t offset,
		  struct token_range to)
{
	redeem_encode(&(struct redeem){.token = token, .ranges = 1, .offset = offset}, list);
	token_range_encode(&to, list + REDEEM_HEAD, 0);
	return lab_tpc(lab, 1, 0x83, (struct cdb_tpc){SA_WRITE_USING_TOKEN, 10, REDEEM_HEAD + 16},
		       list);
}

TEST_F(copies, a_token_brings_its_ranges_one_after_the_other)
{
	struct token_range r[] = {{2048, 4096}, {8, 100}, {16384, 7}};
	uint8_t token[TOKEN_SIZE];

	GOOD(populate(&self->lab, self->list, r, 3));
	ASSERT_TRUE(token_of(&self->lab, token));
	EXPECT_EQ(4203u, get_be64(self->lab.data + 16));
	EXPECT_EQ(0xf1, self->lab.data[15]);
	GOOD(redeem(&self->lab, self->list, token, 0, (struct token_range){1000, 4203}));
	EXPECT_TRUE(same(&self->lab, 0, 2048 * 512, 1, 1000 * 512, 4096 * 512));
	EXPECT_TRUE(same(&self->lab, 0, 8 * 512, 1, 5096 * 512, 100 * 512));
	EXPECT_TRUE(same(&self->lab, 0, 16384 * 512, 1, 5196 * 512, 7 * 512));
	/* From the middle of one range into the next. */
	GOOD(redeem(&self->lab, self->list, token, 4000, (struct token_range){20000, 150}));
	EXPECT_TRUE(same(&self->lab, 0, (2048 + 4000) * 512, 1, 20000 * 512, 96 * 512));
	EXPECT_TRUE(same(&self->lab, 0, 8 * 512, 1, 20096 * 512, 54 * 512));
	WRONG(5, ASC_INVALID_FIELD_IN_LIST,
	      redeem(&self->lab, self->list, token, 4000, (struct token_range){0, 204}));
}

TEST_F(copies, a_token_is_of_the_moment_or_dies)
{
	struct token_range r = {16, 64};
	uint8_t token[TOKEN_SIZE], before[64 * 512], after[64 * 512];

	lab_peek(&self->lab, 0, 16 * 512, before, sizeof(before));
	GOOD(populate(&self->lab, self->list, &r, 1));
	ASSERT_TRUE(token_of(&self->lab, token));
	EXPECT_EQ(!strcmp(variant->type, "xfs") ? ROD_POINT_IN_TIME : ROD_CHANGE_VULNERABLE,
		  (int)get_be32(token));
	/* Beside it nothing matters. */
	GOOD(lab_rw(&self->lab, 0, OP_WRITE_16, RW(80, 8), self->b));
	GOOD(redeem(&self->lab, self->list, token, 0, (struct token_range){0, 64}));
	GOOD(lab_rw(&self->lab, 0, OP_WRITE_16, RW(79, 1), self->b));
	if (!strcmp(variant->type, "xfs")) {
		GOOD(redeem(&self->lab, self->list, token, 0, (struct token_range){0, 64}));
		lab_peek(&self->lab, 1, 0, after, sizeof(after));
		EXPECT_EQ(0, memcmp(before, after, sizeof(after)));
	} else {
		WRONG(5, ASC_TOKEN_REVOKED,
		      redeem(&self->lab, self->list, token, 0, (struct token_range){0, 64}));
	}
}

TEST_F(copies, every_way_of_changing_a_source_is_seen)
{
	static const struct {
		uint8_t opcode;
		struct cdb_rw rw;
	} rows[] = {{OP_WRITE_16, {16, 1, 0}},
		    {OP_WRITE_SAME_16, {10, 7, 0}},
		    {OP_WRITE_SAME_16, {79, 1, WS_NDOB}},
		    {OP_ORWRITE_16, {20, 1, 0}},
		    {OP_WRITE_AND_VERIFY_10, {20, 1, 0}}};
	struct segment s = {.type = SEGMENT_BLOCKS, .src = 1, .dst = 0, .blocks = 17};
	struct token_range r = {16, 64};
	uint8_t token[TOKEN_SIZE];

	if (!strcmp(variant->type, "xfs"))
		SKIP(return, "a snapshot there");
	for (unsigned i = 0; i < 5; i++) {
		GOOD(populate(&self->lab, self->list, &r, 1));
		ASSERT_TRUE(token_of(&self->lab, token));
		GOOD(lab_rw(&self->lab, 0, rows[i].opcode, rows[i].rw, self->a));
		WRONG(5, ASC_TOKEN_REVOKED,
		      redeem(&self->lab, self->list, token, 0, (struct token_range){0, 64}));
	}
	GOOD(populate(&self->lab, self->list, &r, 1));
	ASSERT_TRUE(token_of(&self->lab, token));
	GOOD(xcopy(&self->lab, self->list, (struct xcopy_header){0}, &s, 1));
	WRONG(5, ASC_TOKEN_REVOKED,
	      redeem(&self->lab, self->list, token, 0, (struct token_range){0, 64}));
}

TEST_F(copies, a_token_with_one_bit_changed_is_none)
{
	struct token_range r = {0, 8};
	uint8_t token[TOKEN_SIZE];

	GOOD(populate(&self->lab, self->list, &r, 1));
	ASSERT_TRUE(token_of(&self->lab, token));
	for (unsigned i = 0; i < TOKEN_SIZE; i += 37) {
		token[i] ^= 1;
		WRONG(5, ASC_TOKEN_UNKNOWN, redeem(&self->lab, self->list, token, 0, r));
		token[i] ^= 1;
	}
	GOOD(redeem(&self->lab, self->list, token, 0, r));
}

TEST_F(copies, no_two_tokens_are_alike_and_there_is_an_end_of_them)
{
	uint8_t token[2][TOKEN_SIZE];
	struct token_range r = {0, 8};

	for (unsigned i = 0; i < 2; i++) {
		GOOD(populate(&self->lab, self->list, &r, 1));
		ASSERT_TRUE(token_of(&self->lab, token[i]));
	}
	for (unsigned at = ROD_TOKEN_SECRET; at < TOKEN_SIZE; at += 16)
		EXPECT_NE(0, memcmp(token[0] + at, token[1] + at, 16));
	for (unsigned i = 2; i < TOKENS_MAX; i++)
		GOOD(populate(&self->lab, self->list, &r, 1));
	WRONG(5, ASC_NO_ROD_RESOURCES, populate(&self->lab, self->list, &r, 1));
	tokens_drop_all(&self->lab.engine);
	GOOD(populate(&self->lab, self->list, &r, 1));
}

TEST_F(copies, the_zero_token_needs_no_other_command)
{
	uint8_t token[TOKEN_SIZE];

	rod_token_zero(token);
	GOOD(redeem(&self->lab, self->list, token, 0, (struct token_range){3, 5000}));
	EXPECT_TRUE(same(&self->lab, 2, 0, 1, 3 * 512, 5000 * 512));
	lab_fill(self->a, CHUNK, 1001);
	lab_peek(&self->lab, 1, 0, self->b, 3 * 512);
	EXPECT_EQ(0, memcmp(self->a, self->b, 3 * 512));
}

TEST_F(copies, ranges_that_overlap_or_leave_the_LUN_are_refused)
{
	struct token_range r[] = {{0, 8}, {7, 8}}, beyond = {SIZE / 512 - 1, 2};
	uint8_t token[TOKEN_SIZE];

	WRONG(5, ASC_INVALID_FIELD_IN_LIST, populate(&self->lab, self->list, r, 2));
	WRONG(5, ASC_LBA_OUT_OF_RANGE, populate(&self->lab, self->list, &beyond, 1));
	WRONG(5, ASC_INVALID_FIELD_IN_LIST, populate(&self->lab, self->list, r, 0));
	rod_token_zero(token);
	WRONG(5, ASC_LBA_OUT_OF_RANGE, redeem(&self->lab, self->list, token, 0, beyond));
}

TEST_F(copies, a_token_expires)
{
	struct token_range r = {0, 8};
	uint8_t token[TOKEN_SIZE];
	const struct timespec wait = {.tv_nsec = 100000000};

	populate_encode(&(struct populate){.ranges = 1, .timeout = 1}, self->list);
	token_range_encode(&r, self->list + POPULATE_HEAD, 0);
	GOOD(lab_tpc(&self->lab, 0, 0x83, (struct cdb_tpc){SA_POPULATE_TOKEN, 9, 32}, self->list));
	ASSERT_TRUE(token_of(&self->lab, token));
	while (self->lab.engine.tokens) {
		nanosleep(&wait, NULL);
		engine_tick(&self->lab.engine);
	}
	WRONG(5, ASC_TOKEN_UNKNOWN, redeem(&self->lab, self->list, token, 0, r));
}

TEST_HARNESS_MAIN
