// SPDX-License-Identifier: GPL-2.0-or-later
/* Streams that are wrong in one way each, and what the reader says to them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lab.h"
#include "lib/bytes.h"

/* What reading all of @lab ends with; the message in @text. */
static int verdict(struct lab *lab, char *text, size_t size)
{
	struct stream_reader *r = stream_reader_new(lab_read, lab);
	struct stream_cmd *cmd = malloc(sizeof(*cmd));
	int ret;

	lab->at = 0;
	do
		ret = stream_reader_next(r, cmd);
	while (ret > 0);
	*text = '\0';
	if (ret < 0)
		stream_error_text(stream_error(r), text, size);
	if (ret != stream_reader_next(r, cmd)) /* an end is for ever */
		ret = 1;
	free(cmd);
	stream_reader_free(r);
	return ret;
}

static void expect(struct __test_metadata *_metadata, struct lab *lab, int err, const char *words)
{
	char text[400];

	EXPECT_EQ(err, verdict(lab, text, sizeof(text)))
	{
		TH_LOG("wanted \"%s\", got \"%s\"", words, text);
	}
	EXPECT_NE(NULL, strstr(text, words))
	{
		TH_LOG("wanted \"%s\", got \"%s\"", words, text);
	}
	lab_free(lab);
}

/* Header, subvol, and the beginning of a command. */
static struct lab begun(unsigned version, unsigned id)
{
	struct lab lab = {0};

	lab_header(&lab, version);
	lab_subvol(&lab);
	lab_begin(&lab, id);
	return lab;
}

/* Ends the command and the stream. */
static void whole(struct lab *lab)
{
	lab_end(lab);
	lab_begin(lab, STREAM_C_END);
	lab_end(lab);
}

TEST(what_is_no_stream)
{
	struct lab lab = {0};

	expect(_metadata, &lab, -ENODATA, "offset 0: no stream: the input is empty");
	lab_append(&lab, "hello", 5);
	expect(_metadata, &lab, -EINVAL, "offset 0: this is no send stream of btrfs");
	lab_append(&lab, "btrfs-st", 8);
	expect(_metadata, &lab, -ENODATA, "offset 8: the stream ends within its header");
	lab_append(&lab, "btrfs-stream", 13);
	expect(_metadata, &lab, -ENODATA, "offset 13: the stream ends within its header");
	lab_header(&lab, 4);
	expect(_metadata, &lab, -EOPNOTSUPP, "offset 13: a stream of version 4; known are 1 to 3");
	lab_header(&lab, 0);
	expect(_metadata, &lab, -EOPNOTSUPP, "a stream of version 0");
}

TEST(an_end_must_come_and_only_a_stream_follow)
{
	struct lab lab = {0};

	lab_header(&lab, 2);
	expect(_metadata, &lab, -ENODATA, "offset 17: the stream ends without an end command");
	lab_header(&lab, 2);
	lab_subvol(&lab);
	expect(_metadata, &lab, -ENODATA, "offset 66, command 1: the stream ends without an end");
	lab = begun(2, STREAM_C_MKFILE);
	lab_text(&lab, STREAM_A_PATH, "f");
	whole(&lab);
	lab_append(&lab, "x", 1);
	expect(_metadata, &lab, -EINVAL, "what follows the end is no send stream");
}

TEST(a_subvolume_comes_first)
{
	struct lab lab = {0};

	lab_header(&lab, 1);
	lab_begin(&lab, STREAM_C_MKFILE);
	lab_text(&lab, STREAM_A_PATH, "f");
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "offset 17, command 1 (mkfile): the first command is");
	lab_header(&lab, 1);
	lab_begin(&lab, STREAM_C_END);
	lab_end(&lab);
	expect(_metadata, &lab, -EINVAL, "command 1 (end): the first command is neither");
}

TEST(commands_that_are_unknown_or_too_new)
{
	static const unsigned unknown[] = {0, 27, 255, 65535};
	struct lab lab;

	for (unsigned i = 0; i < 4; i++) {
		lab = begun(3, unknown[i]);
		whole(&lab);
		expect(_metadata, &lab, -EOPNOTSUPP, "unknown command");
	}
	lab = begun(1, STREAM_C_FALLOCATE);
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "a command of version 2 in a stream of version 1");
	lab = begun(2, STREAM_C_ENABLE_VERITY);
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "a command of version 3 in a stream of version 2");
}

/* The limit is looked at before memory is taken or anything read. */
TEST(lengths_of_commands_are_bounded)
{
	static const struct {
		unsigned version;
		uint32_t len;
	} rows[] = {{1, 65537}, {1, UINT32_MAX}, {2, (16u << 20) + 1}, {3, UINT32_MAX}};
	struct lab lab;

	for (unsigned i = 0; i < 4; i++) {
		lab = begun(rows[i].version, STREAM_C_WRITE);
		put_le32(lab.bytes + lab.begun, rows[i].len);
		expect(_metadata, &lab, -EUCLEAN, "bytes; in version");
	}
	lab = begun(2, STREAM_C_WRITE);
	put_le32(lab.bytes + lab.begun, 16u << 20);
	expect(_metadata, &lab, -ENODATA, "(write): the stream ends within a command");
}

TEST(attributes_that_do_not_fit_their_command)
{
	struct lab lab = begun(2, STREAM_C_MKFILE);

	lab_text(&lab, STREAM_A_PATH, "file");
	lab_append(&lab, "\x03", 1);
	whole(&lab);
	expect(_metadata, &lab, -EUCLEAN, "1 bytes are no attribute");
	lab = begun(2, STREAM_C_MKFILE);
	lab_text(&lab, STREAM_A_PATH, "file");
	lab_append(&lab, "\x03\0\x08", 3);
	whole(&lab);
	expect(_metadata, &lab, -EUCLEAN, "3 bytes are no attribute");
	lab = begun(2, STREAM_C_MKFILE);
	lab_text(&lab, STREAM_A_PATH, "file");
	lab.bytes[lab.begun + 12]++;
	whole(&lab);
	expect(_metadata, &lab, -EUCLEAN, "attribute 15 of 5 bytes where 4 are left");
	lab = begun(2, STREAM_C_MKFILE);
	lab_number4(&lab, STREAM_A_INO, 5);
	lab_text(&lab, STREAM_A_PATH, "file");
	whole(&lab);
	expect(_metadata, &lab, -EUCLEAN, "attribute ino of 4 bytes");
	lab = begun(2, STREAM_C_UTIMES);
	lab_number(&lab, STREAM_A_ATIME, 5);
	whole(&lab);
	expect(_metadata, &lab, -EUCLEAN, "attribute atime of 8 bytes");
	lab = begun(2, STREAM_C_SUBVOL);
	lab_attr(&lab, STREAM_A_UUID, "0123456789abcdef", 15);
	whole(&lab);
	expect(_metadata, &lab, -EUCLEAN, "attribute uuid of 15 bytes");
}

TEST(attributes_that_are_missing_double_or_stray)
{
	struct lab lab = begun(2, STREAM_C_WRITE);

	lab_text(&lab, STREAM_A_PATH, "f");
	lab_number(&lab, STREAM_A_FILE_OFFSET, 0);
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "attribute data is missing");
	lab = begun(2, STREAM_C_UNLINK);
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "attribute path is missing");
	lab = begun(2, STREAM_C_UNLINK);
	lab_text(&lab, STREAM_A_PATH, "f");
	lab_text(&lab, STREAM_A_PATH, "g");
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "attribute path twice");
	lab = begun(2, STREAM_C_UNLINK);
	lab_text(&lab, STREAM_A_PATH, "f");
	lab_number(&lab, STREAM_A_SIZE, 1);
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "attribute 4 (size) does not belong there");
	lab = begun(2, STREAM_C_UNLINK);
	lab_text(&lab, STREAM_A_PATH, "f");
	lab_number(&lab, 99, 1);
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "attribute 99 (unknown) does not belong there");
}

TEST(version_3_may_bring_attributes_nobody_knows)
{
	struct lab lab = begun(3, STREAM_C_UNLINK);
	char text[400];

	lab_text(&lab, STREAM_A_PATH, "f");
	lab_number(&lab, 99, 1);
	lab_number(&lab, 0, 1);
	lab_number(&lab, STREAM_A_SIZE, 1);
	whole(&lab);
	EXPECT_EQ(0, verdict(&lab, text, sizeof(text)));
	lab_free(&lab);
}

TEST(paths_that_lead_out)
{
	static const char *const paths[] = {"../f", "/etc/passwd", "a/../../b", "a//b", "a/", "."};
	struct lab lab;

	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		lab = begun(1, STREAM_C_MKFILE);
		lab_text(&lab, STREAM_A_PATH, paths[i]);
		whole(&lab);
		expect(_metadata, &lab, -EINVAL, "(mkfile): path refused, ");
		lab = begun(1, STREAM_C_RENAME);
		lab_text(&lab, STREAM_A_PATH, "a");
		lab_text(&lab, STREAM_A_PATH_TO, paths[i]);
		whole(&lab);
		expect(_metadata, &lab, -EINVAL, "(rename): path_to refused, ");
		lab = begun(1, STREAM_C_LINK);
		lab_text(&lab, STREAM_A_PATH, "a");
		lab_text(&lab, STREAM_A_PATH_LINK, paths[i]);
		whole(&lab);
		expect(_metadata, &lab, -EINVAL, "command 2 (link): ");
	}
	lab = begun(1, STREAM_C_MKFILE);
	lab_text(&lab, STREAM_A_PATH, "../\x1b[2J");
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "component \"..\": ../\\e[2J");
	lab = begun(1, STREAM_C_MKFILE);
	lab_attr(&lab, STREAM_A_PATH, "a\0b", 3);
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "NUL in it");
	lab = begun(1, STREAM_C_UNLINK);
	lab_text(&lab, STREAM_A_PATH, "");
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "path refused, empty");
}

TEST(a_symlink_may_say_anything_but_nothing)
{
	struct lab lab = begun(1, STREAM_C_SYMLINK);
	char text[400];

	lab_text(&lab, STREAM_A_PATH, "l");
	lab_text(&lab, STREAM_A_PATH_LINK, "../../etc//passwd/");
	whole(&lab);
	EXPECT_EQ(0, verdict(&lab, text, sizeof(text)));
	lab_free(&lab);
	lab = begun(1, STREAM_C_SYMLINK);
	lab_text(&lab, STREAM_A_PATH, "l");
	lab_text(&lab, STREAM_A_PATH_LINK, "");
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "attribute path_link is empty or has a NUL");
}

TEST(numbers_out_of_range)
{
	struct lab lab = begun(1, STREAM_C_CHOWN);

	lab_text(&lab, STREAM_A_PATH, "f");
	lab_number(&lab, STREAM_A_UID, 0xffffffff);
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "attribute uid is 4294967295, at most 4294967294");
	lab = begun(1, STREAM_C_CHMOD);
	lab_number(&lab, STREAM_A_MODE, 0200000);
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "attribute mode is 65536");
	lab = begun(1, STREAM_C_TRUNCATE);
	lab_number(&lab, STREAM_A_SIZE, UINT64_C(1) << 63);
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "attribute size is 9223372036854775808");
	lab = begun(1, STREAM_C_UTIMES);
	lab_attr(&lab, STREAM_A_MTIME, "\0\0\0\0\0\0\0\0\0\xca\x9a\x3b", 12);
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "attribute mtime has 1000000000 nanoseconds");
	lab = begun(1, STREAM_C_WRITE);
	lab_text(&lab, STREAM_A_PATH, "f");
	lab_number(&lab, STREAM_A_FILE_OFFSET, INT64_MAX);
	lab_text(&lab, STREAM_A_DATA, "x");
	whole(&lab);
	expect(_metadata, &lab, -EINVAL, "range beyond the largest offset");
}

/* An encoded extent of @in[0] at @in[1] in @in[2], compression @in[3], @in[4] bytes of data. */
static struct lab encoded(const uint32_t in[6])
{
	static const uint8_t data[131073];
	struct lab lab = begun(2, STREAM_C_ENCODED_WRITE);

	lab_text(&lab, STREAM_A_PATH, "f");
	lab_number(&lab, STREAM_A_FILE_OFFSET, 4096);
	lab_number(&lab, STREAM_A_UNENCODED_FILE_LEN, in[0]);
	lab_number(&lab, STREAM_A_UNENCODED_OFFSET, in[1]);
	lab_number(&lab, STREAM_A_UNENCODED_LEN, in[2]);
	lab_number4(&lab, STREAM_A_COMPRESSION, in[3]);
	lab_number4(&lab, STREAM_A_ENCRYPTION, in[5]);
	lab_append(&lab, "\x13\0", 2);
	lab_append(&lab, data, in[4]);
	whole(&lab);
	return lab;
}

TEST(encoded_extents_that_contradict_themselves)
{
	static const struct {
		uint32_t in[6];
		const char *words;
	} rows[] = {
		{{4097, 0, 4096, 2, 10, 0}, "exceed what it decodes to"},
		{{4096, 1, 4096, 2, 10, 0}, "exceed what it decodes to"},
		{{131073, 0, 131073, 2, 10, 0}, "at most 131072"},
		{{0, 0, 4096, 2, 10, 0}, "no length"},
		{{4096, 0, 4096, 2, 0, 0}, "not 1 to 131072 bytes"},
		{{4096, 0, 4096, 2, 131073, 0}, "not 1 to 131072 bytes"},
		{{4096, 0, 4096, 0, 10, 0}, "unknown compression"},
		{{4096, 0, 4096, 8, 10, 0}, "unknown compression"},
		{{4096, 0, 4096, 2, 10, 1}, "encryption"},
		{{4096, 0, 4096, 2, 131072, 0}, ""},
	};
	struct lab lab;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lab = encoded(rows[i].in);
		expect(_metadata, &lab, *rows[i].words ? -EINVAL : 0, rows[i].words);
	}
}

/* Every command of a version, then an end. */
static struct lab everything(unsigned version)
{
	struct lab lab = {0};
	struct stream_writer *w = stream_writer_new(lab_write, &lab, version);

	for (unsigned id = 1; id < STREAM_CMDS; id++)
		if (id != STREAM_C_END && stream_cmd_row(id)->version <= version)
			lab_fill(w, id);
	lab_fill(w, STREAM_C_END);
	stream_writer_free(w);
	return lab;
}

TEST(truncated_at_every_byte)
{
	for (unsigned version = 1; version <= 3; version++) {
		struct lab lab = everything(version);
		size_t all = lab.len;
		char text[400];

		EXPECT_EQ(0, verdict(&lab, text, sizeof(text)));
		for (lab.len = 0; lab.len < all; lab.len++) {
			ASSERT_EQ(-ENODATA, verdict(&lab, text, sizeof(text)))
			{
				TH_LOG("%zu bytes: %s", lab.len, text);
			}
		}
		lab_free(&lab);
	}
}

/* Only the version has no checksum: from one that is known to another nobody can tell. */
TEST(every_single_bit_counts)
{
	for (unsigned version = 1; version <= 3; version++) {
		struct lab lab = everything(version);
		char text[400];

		for (size_t bit = 0; bit < lab.len * 8; bit++) {
			if (bit / 8 == STREAM_MAGIC_LEN && bit % 8 < 2)
				continue;
			lab.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			ASSERT_GT(0, verdict(&lab, text, sizeof(text)))
			{
				TH_LOG("byte %zu bit %zu", bit / 8, bit % 8);
			}
			lab.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		lab_free(&lab);
	}
}

static ssize_t read_fails(void *arg, void *buf, size_t len)
{
	return -EIO;
}

TEST(an_error_of_reading_is_told)
{
	struct stream_reader *r = stream_reader_new(read_fails, NULL);
	struct stream_cmd *cmd = malloc(sizeof(*cmd));

	EXPECT_EQ(-EIO, stream_reader_next(r, cmd));
	EXPECT_STREQ("cannot read: Input/output error", stream_error(r)->reason);
	free(cmd);
	stream_reader_free(r);
}

TEST_HARNESS_MAIN
