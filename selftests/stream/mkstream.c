// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mkstream - streams for shell tests, on standard output.
 *
 *	mkstream all VERSION		each command of a version once, with all its attributes
 *	mkstream names			names with each byte there is
 *	mkstream path PATH		makes a file of this name, which may lead out
 *	mkstream trap LINK PATH		a symbolic link l to LINK, then PATH is made and written
 *	mkstream script VERSION		commands of standard input, a line each, unchecked:
 *					NAME ATTRIBUTE=VALUE ...; @FILE as a value is its bytes,
 *					a time is SECONDS.NANOSECONDS; a subvol comes first by
 *					itself
 *	mkstream flip BYTE MASK		standard input with some bits of one byte turned round
 *	mkstream cuts DIR		DIR/N for each N: the first N bytes of standard input
 *	mkstream flips DIR		DIR/N for each N: standard input with one bit of byte N
 *					turned round
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"
#include "lib/bytes.h"

static int put(struct lab *lab)
{
	int fd = STDOUT_FILENO, err = stream_write_fd(&fd, lab->bytes, lab->len);

	lab_free(lab);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int make_all(unsigned version)
{
	struct lab lab = {0};
	struct stream_writer *w = stream_writer_new(lab_write, &lab, version);
	int err = w ? 0 : -1;

	for (unsigned id = 1; !err && id < STREAM_CMDS; id++)
		if (id != STREAM_C_END && stream_cmd_row(id)->version <= version)
			err = lab_fill(w, id);
	if (!err)
		err = lab_fill(w, STREAM_C_END);
	stream_writer_free(w);
	return put(&lab) || err;
}

static void make_file(struct lab *lab, const char *path)
{
	lab_begin(lab, STREAM_C_MKFILE);
	lab_text(lab, STREAM_A_PATH, path);
	lab_number(lab, STREAM_A_INO, 257);
	lab_end(lab);
}

static struct lab begun(void)
{
	struct lab lab = {0};

	lab_header(&lab, 1);
	lab_subvol(&lab);
	return lab;
}

static int ended(struct lab *lab)
{
	lab_begin(lab, STREAM_C_END);
	lab_end(lab);
	return put(lab);
}

static int make_names(void)
{
	struct lab lab = begun();
	char name[8];

	for (int c = 1; c < 256; c++) {
		if (c == '/')
			continue;
		snprintf(name, sizeof(name), "a%c1", c);
		make_file(&lab, name);
	}
	return ended(&lab);
}

static int make_path(const char *path)
{
	struct lab lab = begun();

	make_file(&lab, path);
	return ended(&lab);
}

/* PATH is "l" itself, or below it. */
static int make_trap(const char *link, const char *path)
{
	struct lab lab = begun();

	lab_begin(&lab, STREAM_C_SYMLINK);
	lab_text(&lab, STREAM_A_PATH, "l");
	lab_number(&lab, STREAM_A_INO, 258);
	lab_text(&lab, STREAM_A_PATH_LINK, link);
	lab_end(&lab);
	if (strchr(path, '/'))
		make_file(&lab, path);
	lab_begin(&lab, STREAM_C_WRITE);
	lab_text(&lab, STREAM_A_PATH, path);
	lab_number(&lab, STREAM_A_FILE_OFFSET, 0);
	lab_text(&lab, STREAM_A_DATA, "evil");
	lab_end(&lab);
	return ended(&lab);
}

static unsigned command_named(const char *name)
{
	for (unsigned id = 1; id < STREAM_CMDS; id++)
		if (stream_cmd_row(id) && !strcmp(stream_cmd_row(id)->name, name))
			return id;
	fprintf(stderr, "no command %s\n", name);
	exit(EXIT_FAILURE);
}

static unsigned attribute_named(const char *name)
{
	for (unsigned id = 1; id < STREAM_ATTRS; id++)
		if (stream_attr_row(id) && !strcmp(stream_attr_row(id)->name, name))
			return id;
	fprintf(stderr, "no attribute %s\n", name);
	exit(EXIT_FAILURE);
}

/* From version 2 on data have no length. */
static void put_bytes(struct lab *lab, unsigned id, unsigned version, const char *value)
{
	static char bytes[1 << 20];
	size_t len = strlen(value);
	uint8_t type[2] = {(uint8_t)id, 0};
	FILE *file;

	if (*value == '@') {
		file = fopen(value + 1, "r");
		if (!file)
			exit(EXIT_FAILURE);
		len = fread(bytes, 1, sizeof(bytes), file);
		fclose(file);
		value = bytes;
	}
	if (id == STREAM_A_DATA && version >= 2) {
		lab_append(lab, type, sizeof(type));
		lab_append(lab, value, len);
	} else {
		lab_attr(lab, id, value, len);
	}
}

static void put_value(struct lab *lab, unsigned id, unsigned version, const char *value)
{
	const struct stream_attr_row *row = stream_attr_row(id);
	uint8_t number[12] = {0};
	char *dot;

	switch (row->class) {
	case STREAM_NUMBER:
		put_le64(number, strtoull(value, NULL, 0));
		lab_attr(lab, id, number, row->bytes);
		break;
	case STREAM_TIME:
		put_le64(number, (uint64_t)strtoll(value, &dot, 10));
		put_le32(number + 8, *dot ? (uint32_t)strtoul(dot + 1, NULL, 10) : 0);
		lab_attr(lab, id, number, sizeof(number));
		break;
	default:
		put_bytes(lab, id, version, value);
		break;
	}
}

static int make_script(unsigned version)
{
	struct lab lab = {0};
	char line[8192], *word, *save, *value;

	lab_header(&lab, version);
	lab_subvol(&lab);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		word = strtok_r(line, " ", &save);
		if (!word)
			continue;
		lab_begin(&lab, command_named(word));
		while ((word = strtok_r(NULL, " ", &save))) {
			value = strchr(word, '=');
			if (!value)
				return EXIT_FAILURE;
			*value++ = '\0';
			put_value(&lab, attribute_named(word), version, value);
		}
		lab_end(&lab);
	}
	return ended(&lab);
}

static struct lab input(void)
{
	struct lab lab = {0};
	char buf[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		lab_append(&lab, buf, (size_t)n);
	return lab;
}

/* All at once, because a process for each takes longer than what is tested. */
static int break_each(const char *dir, bool cut)
{
	struct lab lab = input();
	int err = 0;

	for (size_t n = 0; n < lab.len && !err; n++) {
		/* The version has no checksum, and 1 must not become 3. */
		uint8_t bit = (uint8_t)(cut ? 0 : n == STREAM_MAGIC_LEN ? 0x80 : 1 << n % 8);
		char name[4096];
		int fd;

		snprintf(name, sizeof(name), "%s/%zu", dir, n);
		fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		lab.bytes[n] ^= bit;
		err = fd < 0 ? -1 : stream_write_fd(&fd, lab.bytes, cut ? n : lab.len);
		lab.bytes[n] ^= bit;
		close(fd);
	}
	lab_free(&lab);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int flip(size_t byte, unsigned mask)
{
	struct lab lab = input();

	if (byte >= lab.len)
		return EXIT_FAILURE;
	lab.bytes[byte] ^= (uint8_t)mask;
	return put(&lab);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "all"))
		return make_all((unsigned)strtoul(argv[2], NULL, 0));
	if (argc == 2 && !strcmp(argv[1], "names"))
		return make_names();
	if (argc == 3 && !strcmp(argv[1], "path"))
		return make_path(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "trap"))
		return make_trap(argv[2], argv[3]);
	if (argc == 3 && !strcmp(argv[1], "script"))
		return make_script((unsigned)strtoul(argv[2], NULL, 0));
	if (argc == 3 && (!strcmp(argv[1], "cuts") || !strcmp(argv[1], "flips")))
		return break_each(argv[2], !strcmp(argv[1], "cuts"));
	if (argc == 4 && !strcmp(argv[1], "flip"))
		return flip(strtoul(argv[2], NULL, 0), (unsigned)strtoul(argv[3], NULL, 0));
	return EXIT_FAILURE;
}
