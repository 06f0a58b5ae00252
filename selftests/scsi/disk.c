// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands of a disk, by the engine without sockets. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "lab.h"
#include "lib/bytes.h"
#include "scsi/proto/vpd.h"

#define SIZE ((uint64_t)4 << 20)

FIXTURE(disk)
{
	struct lab lab;
	uint8_t a[65536], b[65536];
};

FIXTURE_SETUP(disk)
{
	lab_begin(&self->lab, fixture_dir(), SIZE, NULL);
	lab_fill(self->a, sizeof(self->a), 1);
	lab_fill(self->b, sizeof(self->b), 2);
}

FIXTURE_TEARDOWN(disk)
{
	lab_end(&self->lab);
	for (unsigned i = 0; i < LAB_LUNS; i++)
		unlink(self->lab.file[i]);
}

#define GOOD(call) ASSERT_EQ(STATUS_GOOD, call)
#define WRONG(k, a, call)                                                                          \
	do {                                                                                       \
		ASSERT_EQ(STATUS_CHECK_CONDITION, call);                                           \
		EXPECT_EQ(k, self->lab.why.key);                                                   \
		EXPECT_EQ(a, self->lab.why.asc);                                                   \
	} while (0)
#define RW(lba, blocks) ((struct cdb_rw){lba, blocks, 0})
#define CMD(...)	(&(struct lab_cmd){.cdb = (const uint8_t[16]){__VA_ARGS__}})

TEST_F(disk, what_is_written_is_read)
{
	static const uint8_t writes[] = {OP_WRITE_6,
					 OP_WRITE_10,
					 OP_WRITE_12,
					 OP_WRITE_16,
					 OP_WRITE_AND_VERIFY_10,
					 OP_WRITE_AND_VERIFY_12,
					 OP_WRITE_AND_VERIFY_16};
	static const uint8_t reads[] = {OP_READ_6, OP_READ_10, OP_READ_12, OP_READ_16};

	for (unsigned i = 0; i < sizeof(writes); i++) {
		lab_fill(self->a, 8192, 10 + i);
		GOOD(lab_rw(&self->lab, 0, writes[i], RW(100 + i, 16), self->a));
		for (unsigned k = 0; k < sizeof(reads); k++) {
			GOOD(lab_rw(&self->lab, 0, reads[k], RW(100 + i, 16), NULL));
			ASSERT_EQ(8192u, self->lab.len);
			ASSERT_EQ(0, memcmp(self->a, self->lab.data, 8192));
		}
		lab_peek(&self->lab, 0, (100 + i) * 512, self->b, 8192);
		ASSERT_EQ(0, memcmp(self->a, self->b, 8192));
	}
}

/* What the kernel says of a LUN's file. */
static bool knows_nowait(struct lab *lab)
{
	struct iovec iov = {(char[512]){0}, 512};
	int fd = open(lab->file[0], O_RDONLY | O_CLOEXEC);
	bool knows = preadv2(fd, &iov, 1, 0, RWF_NOWAIT) >= 0 || errno == EAGAIN;

	close(fd);
	return knows;
}

/* What is in the page cache is read by the transport's own thread. */
TEST_F(disk, a_read_of_what_is_cached_does_not_wait)
{
	GOOD(lab_rw(&self->lab, 0, OP_WRITE_16, RW(0, 128), self->a));
	if (!knows_nowait(&self->lab))
		SKIP(return, "no RWF_NOWAIT on this file system");
	for (unsigned i = 0; i < 500; i++) { /* where memory is short it may be gone again */
		GOOD(lab_rw(&self->lab, 0, OP_READ_16, RW(0, 128), NULL));
		if (self->lab.at_once)
			break;
		usleep(10000);
	}
	EXPECT_TRUE(self->lab.at_once);
	EXPECT_EQ(0, memcmp(self->a, self->lab.data, 65536));
	/* So much is nothing for that thread, wherever it is. */
	GOOD(lab_rw(&self->lab, 0, OP_READ_16, RW(0, 4096), NULL));
	EXPECT_FALSE(self->lab.at_once);
	EXPECT_EQ(4096u * 512, self->lab.len);
}

static void drop_cached(struct lab *lab)
{
	int fd = open(lab->file[0], O_RDWR | O_CLOEXEC);

	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

TEST(a_read_of_what_is_on_the_disk_alone_waits)
{
	static uint8_t data[65536];
	const char *dir = fixture_fs("xfs", 300, NULL);
	struct lab lab;

	if (!dir)
		SKIP(return, "%s", fixture_why());
	lab_begin(&lab, dir, SIZE, NULL);
	lab_fill(data, sizeof(data), 3);
	ASSERT_EQ(STATUS_GOOD, lab_rw(&lab, 0, OP_WRITE_16, RW(0, 128), data));
	for (unsigned i = 0; i < 500;
	     i++) { /* the kernel begins to read, and may be done at once */
		drop_cached(&lab);
		ASSERT_EQ(STATUS_GOOD, lab_rw(&lab, 0, OP_READ_16, RW(0, 128), NULL));
		ASSERT_EQ(0, memcmp(data, lab.data, sizeof(data)));
		if (!lab.at_once)
			break;
	}
	EXPECT_FALSE(lab.at_once);
	lab_end(&lab);
}

/* XFS and btrfs take writes without waiting; ext4 does not. */
TEST(a_write_does_not_wait_unless_it_is_to_be_durable)
{
	static uint8_t data[4096];
	static const uint8_t no_cache[] = {0, 0, 0, 0, 0x08, 18, 0, 0};
	uint8_t list[24] = {0};
	const char *dir = fixture_fs("xfs", 300, NULL);
	struct lab lab;

	if (!dir)
		SKIP(return, "%s", fixture_why());
	lab_begin(&lab, dir, SIZE, NULL);
	lab_fill(data, sizeof(data), 3);
	/* Space is found for it once; and the file has to have the time of this tick already. */
	for (unsigned i = 0; i < 10000; i++) {
		ASSERT_EQ(STATUS_GOOD, lab_rw(&lab, 0, OP_WRITE_16, RW(8, 8), data));
		if (lab.at_once)
			break;
	}
	EXPECT_TRUE(lab.at_once);
	ASSERT_EQ(STATUS_GOOD, lab_rw(&lab, 0, OP_WRITE_16, ((struct cdb_rw){8, 8, RW_FUA}), data));
	EXPECT_FALSE(lab.at_once);
	memcpy(list, no_cache, sizeof(no_cache));
	ASSERT_EQ(STATUS_GOOD,
		  lab_do(&lab, &(struct lab_cmd){.cdb = (const uint8_t[6]){OP_MODE_SELECT_6, 0x10,
									   0, 0, sizeof(list)},
						 .out = list,
						 .len = sizeof(list)}));
	ASSERT_EQ(STATUS_GOOD, lab_rw(&lab, 0, OP_WRITE_16, RW(8, 8), data));
	EXPECT_FALSE(lab.at_once);
	lab_end(&lab);
}

TEST_F(disk, where_another_one_works_is_waited_for)
{
	struct lu *lu = self->lab.target->lun[0].lu;
	struct range_lock lock = {.from = 0, .to = 4096, .exclusive = true};
	struct scsi_task t = {.nexus = self->lab.a};

	GOOD(lab_rw(&self->lab, 0, OP_WRITE_16, RW(0, 128), self->a));
	lun_encode(t.lun_field, 0);
	cdb_rw_encode(t.cdb, OP_READ_16, &RW(7, 2));
	scsi_begin(&t);
	ASSERT_FALSE(t.done);
	lu_lock(lu, &lock);
	EXPECT_FALSE(scsi_try(&t));
	EXPECT_FALSE(t.done);
	lu_unlock(lu, &lock);
	scsi_run(&t);
	EXPECT_EQ(STATUS_GOOD, t.status);
	EXPECT_EQ(0, memcmp(self->a + (size_t)7 * 512, t.data, 1024));
	scsi_end(&t);
}

TEST_F(disk, the_end_is_where_it_is)
{
	uint64_t end = SIZE / 512;

	GOOD(lab_rw(&self->lab, 0, OP_WRITE_16, RW(end - 1, 1), self->a));
	WRONG(5, ASC_LBA_OUT_OF_RANGE, lab_rw(&self->lab, 0, OP_WRITE_16, RW(end, 1), self->a));
	WRONG(5, ASC_LBA_OUT_OF_RANGE, lab_rw(&self->lab, 0, OP_READ_16, RW(end - 1, 2), NULL));
	WRONG(5, ASC_LBA_OUT_OF_RANGE, lab_rw(&self->lab, 0, OP_READ_16, RW(UINT64_MAX, 2), NULL));
	WRONG(5, ASC_LBA_OUT_OF_RANGE, lab_rw(&self->lab, 0, OP_VERIFY_16, RW(end, 1), NULL));
	GOOD(lab_rw(&self->lab, 0, OP_READ_16, RW(end, 0), NULL));
}

TEST_F(disk, capacity)
{
	GOOD(lab_do(&self->lab, CMD(OP_READ_CAPACITY_10)));
	EXPECT_EQ(SIZE / 512 - 1, get_be32(self->lab.data));
	EXPECT_EQ(512u, get_be32(self->lab.data + 4));
	GOOD(lab_do(&self->lab, CMD(OP_SERVICE_ACTION_IN_16, SA_READ_CAPACITY_16, 0, 0, 0, 0, 0, 0,
				    0, 0, 0, 0, 0, 32)));
	EXPECT_EQ(SIZE / 512 - 1, get_be64(self->lab.data));
	EXPECT_EQ(3, self->lab.data[13]);
}

TEST_F(disk, fewer_data_than_the_CDB_says_write_whole_blocks)
{
	uint8_t cdb[16];

	cdb_rw_encode(cdb, OP_WRITE_10, &RW(0, 4));
	GOOD(lab_do(&self->lab, &(struct lab_cmd){.cdb = cdb, .out = self->b, .len = 2048}));
	GOOD(lab_do(&self->lab,
		    &(struct lab_cmd){.cdb = cdb, .out = self->a, .len = 1000, .expect = 1000}));
	GOOD(lab_rw(&self->lab, 0, OP_READ_10, RW(0, 4), NULL));
	EXPECT_EQ(0, memcmp(self->a, self->lab.data, 512));
	EXPECT_EQ(0, memcmp(self->b + 512, self->lab.data + 512, 1536));
}

TEST_F(disk, bits_that_a_row_does_not_allow_are_refused)
{
	/* RDPROTECT, a service action that is not there, an opcode that is not there. */
	WRONG(5, ASC_INVALID_FIELD_IN_CDB, lab_do(&self->lab, CMD(OP_READ_10, 0x20)));
	EXPECT_EQ(1, self->lab.why.sks[2]);
	EXPECT_EQ(0xc0, self->lab.why.sks[0]);
	WRONG(5, ASC_INVALID_FIELD_IN_CDB, lab_do(&self->lab, CMD(OP_SERVICE_ACTION_IN_16, 0x1f)));
	WRONG(5, ASC_INVALID_OPCODE, lab_do(&self->lab, CMD(0xff)));
	WRONG(5, ASC_INVALID_OPCODE, lab_do(&self->lab, CMD(0x48)));
}

/* What REPORT SUPPORTED OPERATION CODES says of each is what holds for it. */
TEST_F(disk, every_bit_of_every_row_is_checked)
{
	for (unsigned i = 0; i < cmd_rows_n; i++) {
		const struct cmd_row *row = &cmd_rows[i];
		unsigned size = scsi_cdb_size(row->opcode);

		for (unsigned bit = 8; bit < size * 8; bit++) {
			struct scsi_task t = {.nexus = self->lab.a, .cdb = {row->opcode}};

			if (row->sa >= 0)
				t.cdb[1] = (uint8_t)row->sa;
			if (row->usage[bit / 8 - 1] & 1 << bit % 8 || (row->sa >= 0 && bit < 13))
				continue;
			t.cdb[bit / 8] |= (uint8_t)(1 << bit % 8);
			scsi_begin(&t);
			ASSERT_TRUE(t.done);
			ASSERT_EQ(ASC_INVALID_FIELD_IN_CDB, t.sense.asc)
			{
				TH_LOG("%s, bit %u", row->name, bit);
			}
			scsi_end(&t);
		}
	}
}

TEST_F(disk, supported_operation_codes)
{
	uint32_t len;

	GOOD(lab_do(&self->lab,
		    CMD(OP_MAINTENANCE_IN, SA_REPORT_OPCODES, 0, 0, 0, 0, 0, 0, 0xff, 0xff)));
	len = get_be32(self->lab.data);
	EXPECT_EQ(cmd_rows_n * 8, len);
	EXPECT_EQ(len + 4, self->lab.len);
	/* One with a service action, one without, one that is not there. */
	GOOD(lab_do(&self->lab,
		    CMD(OP_MAINTENANCE_IN, SA_REPORT_OPCODES, 2, 0x83, 0, 0x11, 0, 0, 0, 64)));
	EXPECT_EQ(3, self->lab.data[1] & 7);
	EXPECT_EQ(0x11, self->lab.data[5]);
	GOOD(lab_do(&self->lab,
		    CMD(OP_MAINTENANCE_IN, SA_REPORT_OPCODES, 1, 0x28, 0, 0, 0, 0, 0, 64)));
	EXPECT_EQ(10, get_be16(self->lab.data + 2));
	GOOD(lab_do(&self->lab,
		    CMD(OP_MAINTENANCE_IN, SA_REPORT_OPCODES, 3, 0x48, 0, 1, 0, 0, 0, 64)));
	EXPECT_EQ(1, self->lab.data[1] & 7);
	WRONG(5, ASC_INVALID_FIELD_IN_CDB,
	      lab_do(&self->lab,
		     CMD(OP_MAINTENANCE_IN, SA_REPORT_OPCODES, 1, 0x83, 0, 0, 0, 0, 0, 64)));
}

TEST_F(disk, a_LUN_that_is_not_there)
{
	static const uint8_t inquiry[6] = {OP_INQUIRY, 0, 0, 0, 36}, ready[6];

	GOOD(lab_do(&self->lab, &(struct lab_cmd){.lun = 9, .cdb = inquiry}));
	EXPECT_EQ(0x7f, self->lab.data[0]);
	WRONG(5, ASC_LUN_NOT_SUPPORTED,
	      lab_do(&self->lab, &(struct lab_cmd){.lun = 9, .cdb = ready}));
	GOOD(lab_do(&self->lab, &(struct lab_cmd){.lun = 9,
						  .cdb = (uint8_t[12]){OP_REPORT_LUNS, 0, 0, 0, 0,
								       0, 0, 0, 0, 64}}));
	EXPECT_EQ(8u * LAB_LUNS, get_be32(self->lab.data));
}

TEST_F(disk, vital_product_data)
{
	static const uint8_t pages[] = {0x00, 0x80, 0x83, 0x8f, 0xb0, 0xb1, 0xb2};

	for (unsigned i = 0; i < sizeof(pages); i++) {
		GOOD(lab_do(&self->lab, CMD(OP_INQUIRY, 1, pages[i], 2, 0)));
		EXPECT_EQ(pages[i], self->lab.data[1]);
		EXPECT_EQ(self->lab.len, get_be16(self->lab.data + 2) + 4u);
		if (i == 0) {
			EXPECT_EQ(0, memcmp(pages, self->lab.data + 4, sizeof(pages)));
		}
	}
	WRONG(5, ASC_INVALID_FIELD_IN_CDB, lab_do(&self->lab, CMD(OP_INQUIRY, 1, 0x84, 2, 0)));
	WRONG(5, ASC_INVALID_FIELD_IN_CDB, lab_do(&self->lab, CMD(OP_INQUIRY, 0, 0x80, 2, 0)));
}

TEST_F(disk, compare_and_write)
{
	memcpy(self->b, self->a, 1024);
	GOOD(lab_rw(&self->lab, 0, OP_WRITE_16, RW(8, 2), self->a));
	lab_fill(self->b + 1024, 1024, 7);
	GOOD(lab_rw(&self->lab, 0, OP_COMPARE_AND_WRITE, RW(8, 2), self->b));
	WRONG(KEY_MISCOMPARE, ASC_MISCOMPARE,
	      lab_rw(&self->lab, 0, OP_COMPARE_AND_WRITE, RW(8, 2), self->b));
	EXPECT_TRUE(self->lab.why.has_info);
	GOOD(lab_rw(&self->lab, 0, OP_READ_16, RW(8, 2), NULL));
	EXPECT_EQ(0, memcmp(self->b + 1024, self->lab.data, 1024));
	/* The first difference is told. */
	memcpy(self->b, self->b + 1024, 1024);
	self->b[600] ^= 1;
	WRONG(KEY_MISCOMPARE, ASC_MISCOMPARE,
	      lab_rw(&self->lab, 0, OP_COMPARE_AND_WRITE, RW(8, 2), self->b));
	EXPECT_EQ(600u, self->lab.why.info);
}

TEST_F(disk, orwrite)
{
	GOOD(lab_rw(&self->lab, 0, OP_WRITE_16, RW(0, 8), self->a));
	GOOD(lab_rw(&self->lab, 0, OP_ORWRITE_16, RW(0, 8), self->b));
	GOOD(lab_rw(&self->lab, 0, OP_READ_16, RW(0, 8), NULL));
	for (unsigned i = 0; i < 4096; i++)
		ASSERT_EQ(self->a[i] | self->b[i], self->lab.data[i]);
}

TEST_F(disk, verify_compares)
{
	struct cdb_rw rw = {0, 8, 2}, one = {0, 8, 6};

	GOOD(lab_rw(&self->lab, 0, OP_WRITE_16, RW(0, 8), self->a));
	GOOD(lab_rw(&self->lab, 0, OP_VERIFY_16, rw, self->a));
	WRONG(KEY_MISCOMPARE, ASC_MISCOMPARE, lab_rw(&self->lab, 0, OP_VERIFY_16, rw, self->b));
	WRONG(KEY_MISCOMPARE, ASC_MISCOMPARE, lab_rw(&self->lab, 0, OP_VERIFY_10, one, self->a));
	for (unsigned i = 1; i < 8; i++)
		memcpy(self->a + 512 * i, self->a, 512);
	GOOD(lab_rw(&self->lab, 0, OP_WRITE_16, RW(0, 8), self->a));
	GOOD(lab_rw(&self->lab, 0, OP_VERIFY_10, one, self->a));
}

TEST_F(disk, write_same_of_a_pattern_and_of_nothing)
{
	GOOD(lab_rw(&self->lab, 0, OP_WRITE_SAME_16, RW(3, 1000), self->a));
	lab_peek(&self->lab, 0, 1002 * 512, self->b, 512);
	EXPECT_EQ(0, memcmp(self->a, self->b, 512));
	GOOD(lab_rw(&self->lab, 0, OP_WRITE_SAME_16, ((struct cdb_rw){4, 998, WS_NDOB}), NULL));
	lab_peek(&self->lab, 0, 4 * 512, self->b, 512);
	memset(self->b + 512, 0, 512);
	EXPECT_EQ(0, memcmp(self->b, self->b + 512, 512));
	lab_peek(&self->lab, 0, 1002 * 512, self->b, 512);
	EXPECT_EQ(0, memcmp(self->a, self->b, 512));
	/* With UNMAP data are data: only zeros become a hole. */
	GOOD(lab_rw(&self->lab, 0, OP_WRITE_SAME_10, ((struct cdb_rw){0, 8, WS_UNMAP}), self->a));
	lab_peek(&self->lab, 0, 7 * 512, self->b, 512);
	EXPECT_EQ(0, memcmp(self->a, self->b, 512));
	WRONG(5, ASC_INVALID_FIELD_IN_CDB,
	      lab_rw(&self->lab, 0, OP_WRITE_SAME_16, RW(3, 0), self->a));
}

static int unmap(struct lab *lab, uint64_t lba, uint32_t blocks)
{
	uint8_t list[24] = {0, 22, 0, 16};

	put_be64(list + 8, lba);
	put_be32(list + 16, blocks);
	return lab_do(lab,
		      &(struct lab_cmd){.cdb = (uint8_t[10]){OP_UNMAP, 0, 0, 0, 0, 0, 0, 0, 24},
					.out = list,
					.len = 24});
}

TEST_F(disk, unmap_leaves_zeros_and_nothing_else)
{
	GOOD(lab_rw(&self->lab, 0, OP_WRITE_16, RW(0, 64), self->a));
	GOOD(unmap(&self->lab, 5, 40));
	lab_peek(&self->lab, 0, 0, self->b, 32768);
	memset(self->a + 5 * 512, 0, 40 * 512);
	EXPECT_EQ(0, memcmp(self->a, self->b, 32768));
	WRONG(5, ASC_LBA_OUT_OF_RANGE, unmap(&self->lab, SIZE / 512 - 1, 2));
}

TEST_F(disk, status_of_blocks)
{
	static const uint8_t cdb[16] = {
		OP_SERVICE_ACTION_IN_16, SA_GET_LBA_STATUS, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0};

	GOOD(lab_rw(&self->lab, 1, OP_WRITE_16, RW(1024, 128), self->a));
	GOOD(lab_do(&self->lab, &(struct lab_cmd){.lun = 1, .cdb = cdb}));
	ASSERT_EQ(8u + 3 * 16, self->lab.len);
	EXPECT_EQ(0u, get_be64(self->lab.data + 8));
	EXPECT_EQ(1024u, get_be32(self->lab.data + 16));
	EXPECT_EQ(1, self->lab.data[20]);
	EXPECT_EQ(1024u, get_be64(self->lab.data + 24));
	EXPECT_EQ(128u, get_be32(self->lab.data + 32));
	EXPECT_EQ(0, self->lab.data[36]);
	EXPECT_EQ(SIZE / 512 - 1152, get_be32(self->lab.data + 48));
}

TEST_F(disk, descriptor_sense_and_software_write_protection)
{
	uint8_t sense[SENSE_MAX], list[16] = {0};
	static const uint8_t select[6] = {OP_MODE_SELECT_6, 0x10, 0, 0, 16};
	struct lab_cmd change = {.cdb = select, .out = list, .len = 16};

	GOOD(lab_do(&self->lab, CMD(OP_MODE_SENSE_6, 8, 0x0a, 0, 255)));
	ASSERT_EQ(16u, self->lab.len);
	memcpy(list, self->lab.data, 16);
	list[0] = list[2] = 0;
	list[4 + 2] |= 4;
	list[4 + 4] |= 8;
	GOOD(lab_do(&self->lab, &change));
	WRONG(7, ASC_WRITE_PROTECTED, lab_rw(&self->lab, 0, OP_WRITE_16, RW(0, 1), self->a));
	scsi_sense(&self->lab.task, sense);
	EXPECT_EQ(0x72, sense[0]);
	/* The other initiator is told. */
	EXPECT_EQ(STATUS_CHECK_CONDITION,
		  lab_do(&self->lab, &(struct lab_cmd){.nexus = self->lab.b, .cdb = select}));
	EXPECT_EQ(ASC_MODE_CHANGED, self->lab.why.asc);
	list[4 + 3] ^= 1;
	WRONG(5, ASC_INVALID_FIELD_IN_LIST, lab_do(&self->lab, &change));
}

/* Every length of a list, with what is in it cut off anywhere. */
TEST_F(disk, lists_that_are_cut_off_do_no_harm)
{
	static const uint8_t rows[][16] = {
		{OP_UNMAP},
		{OP_MODE_SELECT_6, 0x10},
		{OP_MODE_SELECT_10, 0x10},
		{OP_PERSISTENT_RESERVE_OUT},
		{0x83, 0},
		{0x83, 1},
		{0x83, 0x10},
		{0x83, 0x11},
	};
	uint8_t list[600];

	memset(list, 0xff, sizeof(list));
	for (unsigned i = 0; i < 8; i++)
		for (uint32_t len = 0; len < sizeof(list); len++) {
			uint8_t cdb[16];
			const struct cmd_row *row;

			memcpy(cdb, rows[i], 16);
			row = cmd_find(cdb);
			if (row->len_bytes == 1 && len > 255)
				continue;
			if (row->len_bytes == 1)
				cdb[row->len_at] = (uint8_t)len;
			else if (row->len_bytes == 2)
				put_be16(cdb + row->len_at, (uint16_t)len);
			else
				put_be32(cdb + row->len_at, len);
			lab_do(&self->lab, &(struct lab_cmd){.cdb = cdb, .out = list, .len = len});
			/* As much is announced, and less comes. */
			lab_do(&self->lab,
			       &(struct lab_cmd){
				       .cdb = cdb, .out = list, .len = len / 2, .expect = len});
		}
	GOOD(lab_rw(&self->lab, 0, OP_READ_16, RW(0, 1), NULL));
}

TEST_F(disk, a_read_only_LUN_is_not_written)
{
	self->lab.target->lun[0].ro = true;
	WRONG(7, ASC_WRITE_PROTECTED, lab_rw(&self->lab, 0, OP_WRITE_16, RW(0, 1), self->a));
	WRONG(7, ASC_WRITE_PROTECTED, lab_rw(&self->lab, 0, OP_WRITE_SAME_16, RW(0, 1), self->a));
	WRONG(7, ASC_WRITE_PROTECTED, unmap(&self->lab, 0, 1));
	GOOD(lab_do(&self->lab, CMD(OP_MODE_SENSE_6, 8, 0x3f, 0, 255)));
	EXPECT_EQ(0x80, self->lab.data[2] & 0x80);
}

TEST_F(disk, memory_is_bounded)
{
	self->lab.engine.memory_max = 1 << 20;
	EXPECT_EQ(STATUS_BUSY, lab_rw(&self->lab, 0, OP_READ_16, RW(0, 4096), NULL));
	EXPECT_EQ(0u, atomic_load(&self->lab.engine.memory));
	GOOD(lab_rw(&self->lab, 0, OP_READ_16, RW(0, 1024), NULL));
	EXPECT_EQ(0u, atomic_load(&self->lab.engine.memory));
}

TEST_F(disk, reserve_keeps_others_out)
{
	static const uint8_t reserve[6] = {OP_RESERVE_6}, release[6] = {OP_RELEASE_6}, ready[6],
			     inquiry[6] = {OP_INQUIRY, 0, 0, 0, 36};
	struct lab_cmd other = {.nexus = self->lab.b, .cdb = ready};

	GOOD(lab_do(&self->lab, &(struct lab_cmd){.cdb = reserve}));
	GOOD(lab_do(&self->lab, &(struct lab_cmd){.cdb = ready}));
	EXPECT_EQ(STATUS_RESERVATION_CONFLICT, lab_do(&self->lab, &other));
	other.cdb = inquiry;
	GOOD(lab_do(&self->lab, &other));
	other.cdb = release;
	GOOD(lab_do(&self->lab, &other));
	other.cdb = ready;
	EXPECT_EQ(STATUS_RESERVATION_CONFLICT, lab_do(&self->lab, &other));
	nexus_lost(self->lab.a);
	GOOD(lab_do(&self->lab, &other));
}

TEST_HARNESS_MAIN
