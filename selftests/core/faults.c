// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every error path of the core: methods fail, fall short or are interrupted at
 * the Nth call, and what the core then says is compared with the bytes.
 */
#include <errno.h>
#include <string.h>

#include "kernel/core.h"
#include "faultrig.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define KIB	    ((size_t)1024)
#define SRC_LEN	    (6144 * KIB + 1234) /* enough for several workers */
#define STREAM_ONLY (COPY_RANGE_STRATEGIES & ~COPY_RANGE_NO_STREAM)
#define NO_MATTER   UINT64_MAX

/* Rules, what the copy has to answer, and by whom it must have been done. */
struct row {
	const char *rules;
	int err;
	uint64_t bytes; /* exactly; NO_MATTER: any, but all when err is 0 */
	int how;	/* -1: no matter */
};

/* One row on one rig: the text of what went wrong, or NULL. */
static const char *run_row(struct rig *rig, const struct row *row, struct copy_req req,
			   struct copy_result *res)
{
	const char *lie;
	int err;

	if (rig_again(rig) || rig_open(rig, row->rules, &req)) {
		rig_close(&req);
		return "cannot begin";
	}
	err = cr_copy_range(&req, res);
	rig_close(&req);
	lie = rig_lie(rig, &req, err, res);
	if (lie)
		return lie;
	if (err != row->err)
		return err ? strerrorname_np(-err) : "no error";
	if (!err && res->bytes != req.len && row->bytes == NO_MATTER)
		return "success, but not all bytes";
	if (row->bytes != NO_MATTER && res->bytes != row->bytes)
		return "another count";
	if (row->how >= 0 && res->how != (unsigned)row->how)
		return "another strategy";
	return NULL;
}

#define RUN_ROWS(rig_, rows_, req_)                                                                \
	for (unsigned i_ = 0; i_ < ARRAY_SIZE(rows_); i_++) {                                      \
		struct copy_result res_;                                                           \
		const char *wrong_ = run_row(rig_, &(rows_)[i_], req_, &res_);                     \
		EXPECT_EQ(NULL, wrong_)                                                            \
		{                                                                                  \
			TH_LOG("%s: %s (%llu bytes, %s)", (rows_)[i_].rules, wrong_,               \
			       (unsigned long long)res_.bytes, copy_strategy_name(res_.how));      \
		}                                                                                  \
	}

/* Stream: in memory and on disk, over nothing, less and more than the source, by one and by
 * many workers. */
FIXTURE(stream)
{
	struct rig rig;
	struct copy_req req;
};

FIXTURE_VARIANT(stream)
{
	bool mem;
	size_t old_len;
	unsigned jobs;
};

FIXTURE_VARIANT_ADD(stream, mem){.mem = true, .jobs = 1};
FIXTURE_VARIANT_ADD(stream, mem_over_longer){.mem = true, .old_len = 7168 * KIB, .jobs = 1};
FIXTURE_VARIANT_ADD(stream, mem_by_four){.mem = true, .jobs = 4};
FIXTURE_VARIANT_ADD(stream, host){.jobs = 1};
FIXTURE_VARIANT_ADD(stream, host_over_shorter_by_four){.old_len = 777 * KIB + 5, .jobs = 4};
FIXTURE_VARIANT_ADD(stream, host_over_longer_by_four){.old_len = 7168 * KIB, .jobs = 4};

FIXTURE_SETUP(stream)
{
	struct rig_plan plan = {
		.dir = variant->mem ? NULL : fixture_dir(),
		.len = SRC_LEN,
		.old_len = variant->old_len,
	};

	ASSERT_EQ(0, rig_make(&self->rig, &plan));
	self->req.flags = STREAM_ONLY | (variant->jobs == 1 ? COPY_RANGE_SERIAL : 0);
	self->req.jobs = variant->jobs;
}

FIXTURE_TEARDOWN(stream)
{
	rig_free(&self->rig);
}

TEST_F(stream, goes_on_after_short_and_interrupted_calls)
{
	static const struct row rows[] = {
		{"", 0, NO_MATTER, COPY_STREAM},
		{"read@2=EINTR", 0, NO_MATTER, COPY_STREAM},
		{"read@2*=EINTR", 0, NO_MATTER, COPY_STREAM},
		{"write@1=EINTR,write@2=EINTR", 0, NO_MATTER, COPY_STREAM},
		{"write@3*=EINTR,read@3*=EINTR", 0, NO_MATTER, COPY_STREAM},
		{"read@2=EAGAIN", 0, NO_MATTER, COPY_STREAM},
		{"write@2=EAGAIN", 0, NO_MATTER, COPY_STREAM},
		{"read@1+=short30011", 0, NO_MATTER, COPY_STREAM},
		{"write@1+=short30011", 0, NO_MATTER, COPY_STREAM},
		{"read@2*=short1,write@3*=short4095", 0, NO_MATTER, COPY_STREAM},
	};

	RUN_ROWS(&self->rig, rows, self->req);
}

TEST_F(stream, ends_at_an_error_of_the_source)
{
	static const struct row rows[] = {
		{"read@1=EIO", -EIO, 0, -1},
		{"read@2=EIO", -EIO, NO_MATTER, -1},
		{"read@5+=EIO", -EIO, NO_MATTER, -1},
		{"read@3=short512,read@4+=EIO", -EIO, NO_MATTER, -1},
		{"read@2=short100,read@2=EIO", -EIO, NO_MATTER, -1},
		{"read@3=ENOMEM", -ENOMEM, NO_MATTER, -1},
		{"read@3=ESTALE", -ESTALE, NO_MATTER, -1},
	};

	RUN_ROWS(&self->rig, rows, self->req);
}

TEST_F(stream, ends_at_an_error_of_the_target)
{
	static const struct row rows[] = {
		{"write@1+=ENOSPC", -ENOSPC, 0, -1},
		{"write@2+=ENOSPC", -ENOSPC, NO_MATTER, -1},
		{"write@5=EIO", -EIO, NO_MATTER, -1},
		{"write@2=short100,write@3+=ENOSPC", -ENOSPC, NO_MATTER, -1},
		{"write@4+=EDQUOT", -EDQUOT, NO_MATTER, -1},
		{"write@2=EFBIG", -EFBIG, NO_MATTER, -1},
		{"write@2=EROFS", -EROFS, NO_MATTER, -1},
		{"write@3=EPERM", -EPERM, NO_MATTER, -1},
	};

	RUN_ROWS(&self->rig, rows, self->req);
}

/* The one that fails is slow, so that pieces behind it are written: they must go again. */
TEST_F(stream, what_was_written_beyond_an_error_does_not_stay)
{
	static const struct row rows[] = {
		{"read@2=delay100,read@2=EIO", -EIO, NO_MATTER, -1},
		{"write@1=delay100,write@1=ENOSPC", -ENOSPC, NO_MATTER, -1},
		{"write@2=delay100,write@2=ENOSPC", -ENOSPC, NO_MATTER, -1},
		{"read@2=delay100,read@2=short0", 0, NO_MATTER, -1},
	};

	RUN_ROWS(&self->rig, rows, self->req);
}

TEST_F(stream, a_source_that_shrank_is_just_short)
{
	struct row row = {"read@3+=short0", 0, 0, -1};
	struct copy_req req = self->req;
	struct copy_result res;

	ASSERT_EQ(0, rig_open(&self->rig, row.rules, &req));
	EXPECT_EQ(0, cr_copy_range(&req, &res));
	rig_close(&req);
	EXPECT_EQ(NULL, rig_lie(&self->rig, &req, 0, &res));
	EXPECT_LT(0, res.bytes);
	EXPECT_GT(SRC_LEN, res.bytes);
	EXPECT_EQ(0, res.stopped);
}

TEST_F(stream, a_target_that_takes_nothing_is_an_error)
{
	struct copy_req req = self->req;
	struct copy_result res;

	ASSERT_EQ(0, rig_open(&self->rig, "write@3+=short0", &req));
	EXPECT_GT(0, cr_copy_range(&req, &res));
	rig_close(&req);
	EXPECT_EQ(NULL, rig_lie(&self->rig, &req, -EIO, &res));
}

TEST_F(stream, the_middle_of_files_is_all_it_touches)
{
	static const struct row rows[] = {
		{"", 0, NO_MATTER, COPY_STREAM},
		{"write@2+=ENOSPC", -ENOSPC, NO_MATTER, -1},
		{"read@2=EIO", -EIO, NO_MATTER, -1},
		{"read=short4000", 0, NO_MATTER, -1},
	};

	self->req.pos_in = 5000;
	self->req.pos_out = 70001;
	self->req.len = 5120 * KIB + 3;
	RUN_ROWS(&self->rig, rows, self->req);
}

/* Questions at the start, and what comes after the bytes. */
FIXTURE(host)
{
	struct rig rig;
	struct copy_req req;
};

FIXTURE_SETUP(host)
{
	struct rig_plan plan = {.dir = fixture_dir(), .len = SRC_LEN, .old_len = 5000};

	ASSERT_EQ(0, rig_make(&self->rig, &plan));
}

FIXTURE_TEARDOWN(host)
{
	rig_free(&self->rig);
}

TEST_F(host, an_error_of_the_checks_ends_it_before_the_first_byte)
{
	static const struct row rows[] = {
		{"getattr@1=EIO", -EIO, 0, -1},
		{"getattr@2=ESTALE", -ESTALE, 0, -1},
	};

	RUN_ROWS(&self->rig, rows, self->req);
}

TEST_F(host, a_failed_sync_is_reported_beside_all_bytes)
{
	static const struct row rows[] = {{"sync=EIO", -EIO, SRC_LEN, -1}};
	struct copy_req req = {.flags = COPY_RANGE_STABLE};

	RUN_ROWS(&self->rig, rows, req);
}

TEST_F(host, what_is_not_synced_is_not_stable)
{
	struct copy_req req = {.flags = COPY_RANGE_STABLE};
	struct copy_result res;

	ASSERT_EQ(0, rig_open(&self->rig, "sync@1=EIO", &req));
	EXPECT_EQ(-EIO, cr_copy_range(&req, &res));
	EXPECT_EQ(0, res.stable);
	EXPECT_EQ(0, cr_copy_range(&req, &res));
	EXPECT_EQ(1, res.stable);
	rig_close(&req);
}

/* In order and by one: what was taken and written is known to the byte. */
TEST_F(host, a_stream_counts_to_the_byte)
{
	static const struct row rows[] = {
		{"write@1=short100,write@2+=ENOSPC", -ENOSPC, 100, -1},
		{"read@1=short5000,read@2+=EIO", -EIO, 5000, -1},
		{"read@1=short5000,read@2+=short0", 0, 5000, -1},
		{"write@1=short1,write@2=short1,write@3=EIO", -EIO, 2, -1},
	};

	self->req.flags = STREAM_ONLY | COPY_RANGE_SERIAL;
	RUN_ROWS(&self->rig, rows, self->req);
}

/* Offload. ----------------------------------------------------------------------- */

TEST_F(host, a_refused_offload_is_streamed)
{
	static const struct row rows[] = {
		{"copy_range@1=EINVAL", 0, NO_MATTER, COPY_STREAM},
		{"copy_range@1=EPERM", 0, NO_MATTER, COPY_STREAM},
		{"copy_range@1=EACCES", 0, NO_MATTER, COPY_STREAM},
		{"copy_range@1=EBADF", 0, NO_MATTER, COPY_STREAM},
		{"copy_range@1=EXDEV", 0, NO_MATTER, COPY_STREAM},
	};

	self->req.flags = COPY_RANGE_NO_CLONE | COPY_RANGE_NO_ENCODED;
	RUN_ROWS(&self->rig, rows, self->req);
}

TEST_F(host, an_offload_this_mount_lacks_is_streamed)
{
	static const struct row rows[] = {{"copy_range=EOPNOTSUPP", 0, NO_MATTER, COPY_STREAM}};

	RUN_ROWS(&self->rig, rows, self->req);
}

/* Were the stream asked, its first write would say EDOM. */
TEST_F(host, an_error_of_an_offload_is_final)
{
	static const struct row rows[] = {
		{"copy_range=EIO,write=EDOM", -EIO, 0, -1},
		{"copy_range=ENOSPC,write=EDOM", -ENOSPC, 0, -1},
		{"copy_range=ENOMEM,write=EDOM", -ENOMEM, 0, -1},
		{"copy_range=EDQUOT,write=EDOM", -EDQUOT, 0, -1},
		{"copy_range=ETXTBSY,write=EDOM", -ETXTBSY, 0, -1},
		{"copy_range=ESTALE,write=EDOM", -ESTALE, 0, -1},
	};

	RUN_ROWS(&self->rig, rows, self->req);
}

TEST_F(host, an_error_after_part_of_an_offload_is_final)
{
	static const struct row rows[] = {
		{"copy_range@1=short8192,copy_range@2=EIO,write=EDOM", -EIO, 8192, -1},
		{"copy_range@1=short1,copy_range@2=ENOSPC,write=EDOM", -ENOSPC, 1, -1},
		{"copy_range@1=short8192,copy_range@1=EIO,write=EDOM", -EIO, 8192, -1},
		{"copy_range@1=short4096,copy_range@2=short4096,copy_range@3=ENOMEM,write=EDOM",
		 -ENOMEM, 8192, -1},
	};

	self->req.flags = COPY_RANGE_SERIAL;
	RUN_ROWS(&self->rig, rows, self->req);
}

/* Slices of 64 MiB by several workers: the slow one fails when those behind it are done. */
TEST_F(host, slices_beyond_a_failed_one_do_not_count)
{
	static const struct row rows[] = {
		{"copy_range@2=delay300,copy_range@2=EIO,write=EDOM", -EIO, NO_MATTER, -1},
		{"copy_range@2=delay300,copy_range@2=short8192,copy_range@2=ENOSPC,write=EDOM",
		 -ENOSPC, NO_MATTER, -1},
	};
	struct rig_plan plan = {.dir = fixture_dir(), .len = 160 * 1024 * KIB};
	struct rig rig;

	ASSERT_EQ(0, rig_make(&rig, &plan));
	self->req.jobs = 2;
	RUN_ROWS(&rig, rows, self->req);
	rig_free(&rig);
}

TEST_F(host, a_short_offload_goes_on)
{
	static const struct row rows[] = {
		{"copy_range@1=short8192", 0, NO_MATTER, COPY_OFFLOAD},
		{"copy_range=short100000", 0, NO_MATTER, COPY_OFFLOAD},
		{"copy_range@2*=short1", 0, NO_MATTER, COPY_OFFLOAD},
	};

	RUN_ROWS(&self->rig, rows, self->req);
}

TEST_F(host, an_offload_refused_after_a_part_is_finished_by_others)
{
	static const struct row rows[] = {
		{"copy_range@1=short8192,copy_range@2+=EINVAL", 0, NO_MATTER, COPY_STREAM},
		{"copy_range@1=short8192,copy_range@2+=EINVAL,write@1+=ENOSPC", -ENOSPC, 8192, -1},
		{"copy_range@1=short8192,copy_range@1=EINVAL", 0, NO_MATTER, -1},
	};

	self->req.flags = COPY_RANGE_SERIAL;
	RUN_ROWS(&self->rig, rows, self->req);
}

TEST_F(host, without_a_way_left_the_last_refusal_is_the_error)
{
	static const struct row rows[] = {{"copy_range=EACCES", -EACCES, 0, -1}};

	self->req.flags = STREAM_ONLY ^ COPY_RANGE_NO_OFFLOAD ^ COPY_RANGE_NO_STREAM;
	RUN_ROWS(&self->rig, rows, self->req);
}

/* Holes. ------------------------------------------------------------------------- */

FIXTURE(holes)
{
	struct rig rig;
};

FIXTURE_VARIANT(holes)
{
	size_t old_len;
	unsigned flags;
};

FIXTURE_VARIANT_ADD(holes, offload){.flags = 0};
FIXTURE_VARIANT_ADD(holes, offload_over_data){.old_len = 7168 * KIB};
FIXTURE_VARIANT_ADD(holes, stream){.flags = STREAM_ONLY};
FIXTURE_VARIANT_ADD(holes, stream_over_data){.flags = STREAM_ONLY, .old_len = 7168 * KIB};

FIXTURE_SETUP(holes)
{
	struct rig_plan plan = {
		.dir = fixture_dir(),
		.len = 2048 * KIB,
		.old_len = variant->old_len,
		.hole = 256 * KIB,
	};

	ASSERT_EQ(0, rig_make(&self->rig, &plan));
}

FIXTURE_TEARDOWN(holes)
{
	rig_free(&self->rig);
}

/* SEEK_DATA and SEEK_HOLE are hints: without them all is data. */
TEST_F(holes, a_failing_seek_makes_all_of_it_data)
{
	static const struct row rows[] = {
		{"seek=EIO", 0, NO_MATTER, -1},
		{"seek=EINVAL", 0, NO_MATTER, -1},
		{"seek@2=EIO", 0, NO_MATTER, -1},
	};
	struct copy_req req = {.flags = variant->flags};

	RUN_ROWS(&self->rig, rows, req);
}

TEST_F(holes, what_cannot_be_punched_is_written)
{
	static const struct row rows[] = {
		{"allocate=EOPNOTSUPP", 0, NO_MATTER, -1},
		{"allocate@2=EINTR", 0, NO_MATTER, -1},
		{"allocate=ENOSPC", 0, NO_MATTER, -1},
	};
	struct copy_req req = {.flags = variant->flags};

	RUN_ROWS(&self->rig, rows, req);
}

TEST_F(holes, zeros_that_cannot_be_written_are_an_error)
{
	static const struct row rows[] = {
		{"allocate=EOPNOTSUPP,write@1+=ENOSPC,copy_range@2+=ENOSPC", -ENOSPC, NO_MATTER,
		 -1}};
	struct copy_req req = {.flags = variant->flags};

	RUN_ROWS(&self->rig, rows, req);
}

/* The last run is a hole: beyond the old end, and only there, it has to be made. */
TEST_F(holes, an_end_that_cannot_be_set_is_an_error)
{
	const struct row rows[] = {
		variant->old_len
			? (struct row){"truncate=EIO", 0, NO_MATTER, -1}
			: (struct row){"allocate=EIO,write=EIO,truncate=EIO", -EIO, NO_MATTER, -1},
	};
	struct copy_req req = {.flags = variant->flags};

	RUN_ROWS(&self->rig, rows, req);
}

TEST_F(holes, data_that_fails_between_holes_ends_the_count_there)
{
	static const struct row rows[] = {
		{"write@2+=ENOSPC,copy_range@2+=ENOSPC", -ENOSPC, NO_MATTER, -1},
		{"read@3+=EIO,copy_range@3+=EIO", -EIO, NO_MATTER, -1},
	};
	struct copy_req req = {.flags = variant->flags};

	RUN_ROWS(&self->rig, rows, req);
}

TEST_HARNESS_MAIN
