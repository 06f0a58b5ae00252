// SPDX-License-Identifier: GPL-2.0-or-later
/* What the writer of streams makes, the reader gives back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lab.h"
#include "lib/bytes.h"
#include "lib/crc32c.h"

TEST(checksum_of_the_digits)
{
	struct crc32c_table t;

	crc32c_init(&t);
	/* The check value of CRC-32C, which is inverted at both ends. */
	EXPECT_EQ(0xe3069283u, ~crc32c(&t, ~0u, "123456789", 9));
	EXPECT_EQ(0u, crc32c(&t, 0, "\0\0\0", 3));
}

static void any_length_and_place(struct __test_metadata *_metadata, const struct crc32c_table *t)
{
	uint8_t bytes[64];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37 + 11);
	for (unsigned at = 0; at < 18; at++)
		for (unsigned len = 0; len + at <= sizeof(bytes); len++) {
			ASSERT_EQ(lab_crc32c(at, bytes + at, len), crc32c(t, at, bytes + at, len));
		}
}

/* Where three pieces are summed side by side, and just before. */
TEST(checksum_of_long_data)
{
	static uint8_t bytes[3 * 3072 + 17];
	struct crc32c_table t;

	crc32c_init(&t);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i / 7 + i);
	for (unsigned n = 1; n <= 3; n++)
		for (unsigned len = n * 3072 - 1; len < n * 3072 + 10; len += 3)
			ASSERT_EQ(lab_crc32c(n * 77, bytes + n, len),
				  crc32c(&t, n * 77, bytes + n, len));
}

TEST(checksum_of_any_length_and_place)
{
	struct crc32c_table t;

	crc32c_init(&t);
	any_length_and_place(_metadata, &t);
}

TEST(checksum_without_the_processor_s_instruction)
{
	struct crc32c_table t;

	crc32c_init(&t);
	t.fast = NULL;
	any_length_and_place(_metadata, &t);
}

static void expect_attr(struct __test_metadata *_metadata, const struct stream_cmd *cmd,
			unsigned attr)
{
	const struct stream_value *v = &cmd->at[attr];
	const char *name = stream_attr_row(attr)->name;

	switch (stream_attr_row(attr)->class) {
	case STREAM_NUMBER:
		ASSERT_EQ(lab_value(attr), v->number);
		break;
	case STREAM_TIME:
		ASSERT_EQ(-5 - (time_t)attr, v->time.tv_sec);
		ASSERT_EQ(999999999, v->time.tv_nsec);
		break;
	case STREAM_UUID:
		ASSERT_EQ(0, memcmp(v->bytes.data,
				    "\0\xff"
				    "23456789abcdef",
				    16));
		break;
	case STREAM_PATH:
	case STREAM_STRING:
		ASSERT_EQ(strlen(name), v->bytes.len);
		ASSERT_STREQ(name, (const char *)v->bytes.data);
		break;
	case STREAM_BYTES:
	case STREAM_DATA:
		ASSERT_EQ(6u, v->bytes.len);
		ASSERT_EQ(0, memcmp(v->bytes.data, "by\0tes", 6));
		break;
	}
}

/* Every command of @version twice, read @chunk bytes at a time. */
static void round_trip(struct __test_metadata *_metadata, unsigned version, size_t chunk)
{
	struct lab lab = {.chunk = chunk};
	struct stream_writer *w = stream_writer_new(lab_write, &lab, version);
	struct stream_reader *r = stream_reader_new(lab_read, &lab);
	struct stream_cmd *cmd = malloc(sizeof(*cmd));
	uint64_t offset;

	for (unsigned turn = 0; turn < 2; turn++) {
		for (unsigned id = 1; id < STREAM_CMDS; id++)
			if (id != STREAM_C_END && stream_cmd_row(id)->version <= version) {
				ASSERT_EQ(0, lab_fill(w, id));
			}
		ASSERT_EQ(0, lab_fill(w, STREAM_C_END));
	}
	for (unsigned turn = 0; turn < 2; turn++) {
		for (unsigned id = 1; id <= STREAM_CMDS; id++) {
			const struct stream_cmd_row *row =
				stream_cmd_row(id < STREAM_CMDS ? id : STREAM_C_END);

			if (id == STREAM_C_END || row->version > version)
				continue;
			ASSERT_EQ(1, stream_reader_next(r, cmd))
			{
				TH_LOG("%s: %s", row->name, stream_error(r)->reason);
			}
			ASSERT_EQ(row, stream_cmd_row(cmd->id));
			ASSERT_EQ(row->must | row->may, cmd->have);
			offset = cmd->offset + cmd->len;
			for (unsigned attr = 1; attr < STREAM_ATTRS; attr++)
				if (stream_has(cmd, attr))
					expect_attr(_metadata, cmd, attr);
		}
	}
	EXPECT_EQ(0, stream_reader_next(r, cmd));
	EXPECT_EQ(0, stream_reader_next(r, cmd));
	EXPECT_EQ(version, stream_version(r));
	EXPECT_EQ(lab.len, offset);
	free(cmd);
	stream_reader_free(r);
	stream_writer_free(w);
	lab_free(&lab);
}

TEST(every_command_of_version_1_comes_back)
{
	round_trip(_metadata, 1, 0);
}

TEST(every_command_of_version_2_comes_back)
{
	round_trip(_metadata, 2, 0);
}

TEST(every_command_of_version_3_comes_back)
{
	round_trip(_metadata, 3, 0);
}

TEST(reading_in_small_pieces_makes_no_difference)
{
	round_trip(_metadata, 1, 1);
	round_trip(_metadata, 2, 7);
	round_trip(_metadata, 3, 1);
}

/* Data of @len bytes through both, more than one buffer of them when it is long. */
static int data_trip(unsigned version, size_t len)
{
	struct lab lab = {.chunk = 100000};
	struct stream_writer *w = stream_writer_new(lab_write, &lab, version);
	struct stream_reader *r = stream_reader_new(lab_read, &lab);
	struct stream_cmd *cmd = calloc(1, sizeof(*cmd));
	uint8_t *data = malloc(len + 1);
	int err, count = 0;

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + i / 1000);
	lab_fill(w, STREAM_C_SUBVOL);
	for (unsigned i = 0; i < 9; i++) {
		stream_begin(w, STREAM_C_WRITE);
		stream_put_text(w, STREAM_A_PATH, "file");
		stream_put_number(w, STREAM_A_FILE_OFFSET, i * len);
		stream_put_bytes(w, STREAM_A_DATA, data, len);
		stream_end(w);
	}
	err = lab_fill(w, STREAM_C_END);
	while (!err && stream_reader_next(r, cmd) == 1)
		if (cmd->id == STREAM_C_WRITE && cmd->at[STREAM_A_DATA].bytes.len == len &&
		    !memcmp(cmd->at[STREAM_A_DATA].bytes.data, data, len))
			count++;
	free(data);
	free(cmd);
	stream_reader_free(r);
	stream_writer_free(w);
	lab_free(&lab);
	return err ? err : count;
}

TEST(data_of_all_sizes_come_back)
{
	EXPECT_EQ(9, data_trip(1, 0));
	EXPECT_EQ(9, data_trip(1, 49152));
	EXPECT_EQ(9, data_trip(1, 65000));
	EXPECT_EQ(-EMSGSIZE, data_trip(1, 65536));
	EXPECT_EQ(9, data_trip(2, 0));
	EXPECT_EQ(9, data_trip(2, 131072));
	EXPECT_EQ(9, data_trip(2, 3000000));
	EXPECT_EQ(-EMSGSIZE, data_trip(2, STREAM_PAYLOAD_MAX));
}

TEST(several_subvolumes_may_stand_in_one_stream)
{
	struct lab lab = {0};
	struct stream_reader *r = stream_reader_new(lab_read, &lab);
	struct stream_cmd *cmd = malloc(sizeof(*cmd));

	lab_header(&lab, 1);
	lab_subvol(&lab);
	lab_subvol(&lab);
	lab_begin(&lab, STREAM_C_END);
	lab_end(&lab);
	EXPECT_EQ(1, stream_reader_next(r, cmd));
	EXPECT_EQ(1, stream_reader_next(r, cmd));
	EXPECT_EQ(STREAM_C_SUBVOL, cmd->id);
	EXPECT_EQ(1, stream_reader_next(r, cmd));
	EXPECT_EQ(STREAM_C_END, cmd->id);
	EXPECT_EQ(0, stream_reader_next(r, cmd));
	free(cmd);
	stream_reader_free(r);
	lab_free(&lab);
}

TEST(paths_below_a_subvolume_and_others)
{
	static const struct {
		const char *path;
		bool right;
	} rows[] = {
		{"", true},	  {"a", true},	   {"a/b/c", true},   {"...", true},
		{"..a", true},	  {"a/.b", true},  {" ", true},	      {"/", false},
		{"/a", false},	  {"a/", false},   {"a//b", false},   {".", false},
		{"..", false},	  {"a/..", false}, {"../a", false},   {"a/../b", false},
		{"a/./b", false}, {"./a", false},  {"a/b/..", false},
	};
	char longest[4200];

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *wrong =
			stream_path_wrong((const uint8_t *)rows[i].path, strlen(rows[i].path));

		EXPECT_EQ(rows[i].right, !wrong)
		{
			TH_LOG("'%s': %s", rows[i].path, wrong ? wrong : "");
		}
	}
	for (unsigned i = 0; i < sizeof(longest); i++)
		longest[i] = i % 256 == 255 ? '/' : 'a';
	EXPECT_EQ(NULL, stream_path_wrong((uint8_t *)longest, 255));
	EXPECT_EQ(NULL, stream_path_wrong((uint8_t *)longest, 4095));
	EXPECT_NE(NULL, stream_path_wrong((uint8_t *)longest, 4097));
	longest[255] = 'a';
	EXPECT_NE(NULL, stream_path_wrong((uint8_t *)longest, 256));
	EXPECT_NE(NULL, stream_path_wrong((const uint8_t *)"a\0b", 3));
}

TEST(odd_bytes_are_escaped)
{
	char text[100], small[6];

	EXPECT_EQ(28u, stream_escape(text, sizeof(text),
				     (const uint8_t *)"a b\n\t\\\x01\x7f\xff\x1b\0", 11));
	EXPECT_STREQ("a\\ b\\n\\t\\\\\\001\\177\\377\\e\\000", text);
	EXPECT_EQ(9u, stream_escape(small, sizeof(small),
				    (const uint8_t *)"abc\x01"
						     "de",
				    6));
	EXPECT_STREQ("abc", small);
}

static int put_wrong(struct stream_writer *w, unsigned what)
{
	stream_begin(w, what == 6 ? STREAM_C_ENABLE_VERITY : STREAM_C_WRITE);
	if (what != 0)
		stream_put_text(w, STREAM_A_PATH, what == 1 ? "../x" : "x");
	if (what == 2)
		stream_put_text(w, STREAM_A_PATH, "x");
	if (what == 3)
		stream_put_number(w, STREAM_A_SIZE, 1);
	stream_put_number(w, STREAM_A_FILE_OFFSET, what == 4 ? UINT64_MAX : 0);
	stream_put_bytes(w, STREAM_A_DATA, "x", 1);
	if (what == 5)
		stream_put_number(w, STREAM_A_INO, 1);
	return stream_end(w);
}

/* Missing, wrong path, twice, of another command, out of range, after the data, of version 3. */
TEST(the_writer_refuses_what_the_reader_would)
{
	for (unsigned what = 0; what <= 7; what++) {
		struct lab lab = {0};
		struct stream_writer *w = stream_writer_new(lab_write, &lab, 2);

		EXPECT_EQ(what == 7 ? 0 : -EINVAL, put_wrong(w, what))
		{
			TH_LOG("case %u", what);
		}
		EXPECT_EQ(what == 7 ? 0 : -EINVAL, put_wrong(w, 7));
		stream_writer_free(w);
		lab_free(&lab);
	}
	EXPECT_EQ(NULL, stream_writer_new(lab_write, NULL, 4));
}

/* Commands in memory are those that would have been written, numbers that came late among them. */
TEST(the_writer_puts_the_same_into_memory)
{
	static const uint8_t payload[5000] = {1, 2, 3};
	struct lab lab = {0};
	struct stream_buffer buffer = {0};
	struct stream_writer *out = stream_writer_new(lab_write, &lab, 2);
	struct stream_writer *in = stream_writer_new(NULL, NULL, 2);
	uint8_t *room;

	ASSERT_TRUE(out && in);
	stream_writer_into(in, &buffer);
	for (enum stream_cmd_id id = STREAM_C_SUBVOL; id < STREAM_C_ENABLE_VERITY; id++) {
		if (id == STREAM_C_ENCODED_WRITE || id == STREAM_C_END)
			continue;
		ASSERT_EQ(0, lab_fill(out, id));
		ASSERT_EQ(0, lab_fill(in, id));
	}
	for (unsigned late = 0; late < 2; late++) {
		struct stream_writer *w = late ? in : out;

		stream_begin(w, STREAM_C_ENCODED_WRITE);
		stream_put_text(w, STREAM_A_PATH, "file");
		stream_put_number(w, STREAM_A_FILE_OFFSET, 4096);
		stream_put_number(w, STREAM_A_UNENCODED_FILE_LEN, late ? 0 : 8192);
		stream_put_number(w, STREAM_A_UNENCODED_LEN, late ? 0 : 12288);
		stream_put_number(w, STREAM_A_UNENCODED_OFFSET, 4096);
		stream_put_number(w, STREAM_A_COMPRESSION, late ? 0 : 2);
		room = stream_put_room(w, sizeof(payload) + 100);
		ASSERT_NE(NULL, room);
		memcpy(room, payload, sizeof(payload));
		stream_cut_data(w, 100);
		if (late) {
			stream_set_number(w, STREAM_A_UNENCODED_FILE_LEN, 8192);
			stream_set_number(w, STREAM_A_UNENCODED_LEN, 12288);
			stream_set_number(w, STREAM_A_COMPRESSION, 2);
		}
		ASSERT_EQ(0, stream_end(w));
	}
	ASSERT_EQ(lab.len, buffer.len + STREAM_HEADER_LEN);
	EXPECT_EQ(0, memcmp(lab.bytes + STREAM_HEADER_LEN, buffer.bytes, buffer.len));

	stream_begin(in, STREAM_C_TRUNCATE); /* a number that it does not have */
	stream_set_number(in, STREAM_A_SIZE, 1);
	EXPECT_EQ(-EINVAL, stream_end(in));
	stream_writer_free(out);
	stream_writer_free(in);
	free(buffer.bytes);
	lab_free(&lab);
}

TEST(what_is_held_stays)
{
	enum { COUNT = 200, SIZE = 40000 };
	struct lab lab = {.chunk = 70000};
	struct stream_writer *w = stream_writer_new(lab_write, &lab, 2);
	struct stream_reader *r = stream_reader_new(lab_read, &lab);
	struct stream_memory *memory[COUNT];
	struct stream_bytes data[COUNT];
	struct stream_cmd *cmd = malloc(sizeof(*cmd));
	uint8_t *bytes = malloc(SIZE);

	ASSERT_TRUE(w && r && cmd && bytes);
	ASSERT_EQ(0, lab_fill(w, STREAM_C_SUBVOL));
	for (int i = 0; i < COUNT; i++) {
		stream_begin(w, STREAM_C_WRITE);
		stream_put_text(w, STREAM_A_PATH, "file");
		stream_put_number(w, STREAM_A_FILE_OFFSET, 0);
		memset(bytes, i, SIZE);
		stream_put_bytes(w, STREAM_A_DATA, bytes, SIZE);
		ASSERT_EQ(0, stream_end(w));
	}
	ASSERT_EQ(0, lab_fill(w, STREAM_C_END));
	ASSERT_EQ(1, stream_reader_next(r, cmd));
	for (int i = 0; i < COUNT; i++) {
		ASSERT_EQ(1, stream_reader_next(r, cmd));
		memory[i] = stream_hold(r);
		data[i] = cmd->at[STREAM_A_DATA].bytes;
	}
	ASSERT_EQ(1, stream_reader_next(r, cmd));
	EXPECT_EQ(0, stream_reader_next(r, cmd));
	stream_reader_free(r);
	for (int i = 0; i < COUNT; i++) {
		EXPECT_EQ(SIZE, data[i].len);
		for (size_t k = 0; k < SIZE; k++) {
			ASSERT_EQ(i, data[i].data[k]);
		}
		stream_release(memory[i]);
	}
	stream_writer_free(w);
	free(cmd);
	free(bytes);
	lab_free(&lab);
}

TEST_HARNESS_MAIN
