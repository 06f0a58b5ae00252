// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mkstream - streams for shell tests, on standard output.
 *
 *	mkstream all VERSION		each command of a version once, with all its attributes
 *	mkstream names			names with each byte there is
 *	mkstream path PATH		makes a file of this name, which may lead out
 *	mkstream trap LINK PATH		a symbolic link l to LINK, then PATH is made and written
 *	mkstream flip BYTE MASK		standard input with some bits of one byte turned round
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

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

static int flip(size_t byte, unsigned mask)
{
	struct lab lab = {0};
	char buf[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		lab_append(&lab, buf, (size_t)n);
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
	if (argc == 4 && !strcmp(argv[1], "flip"))
		return flip(strtoul(argv[2], NULL, 0), (unsigned)strtoul(argv[3], NULL, 0));
	return EXIT_FAILURE;
}
