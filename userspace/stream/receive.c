// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ocp-receive - what send streams of btrfs hold.
 *
 *   options.c   what the command line says
 *   reader.c    the next command, checked
 *   dump.c      each command as a line
 *   list.c      sums for each subvolume
 *
 * An error in the stream ends the reading; what was right before it has been
 * said by then, and the exit status is 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reader.h"
#include "receive.h"

#define OUT_BUFFER (64u << 10)

struct receive {
	const struct receive_opts *o;
	struct stream_reader *reader;
	struct dump dump;
	struct list list;
};

static void complain(const char *name, const char *text)
{
	fprintf(stderr, "%s: ", program_invocation_short_name);
	put_escaped(stderr, (const uint8_t *)name, strlen(name));
	if (*name)
		fputs(": ", stderr);
	fprintf(stderr, "%s\n", text);
}

/* All commands: 0, a negative errno of the stream, or a positive one of ours. */
static int read_all(struct receive *r)
{
	struct stream_cmd cmd;
	int ret, err = 0;

	while ((ret = stream_next(r->reader, &cmd)) > 0 && !err) {
		if (r->o->dump)
			err = dump_command(&r->dump, &cmd);
		else
			err = list_command(&r->list, &cmd, stream_version(r->reader));
		if (!err && ferror(stdout))
			err = errno ? -errno : -EIO;
	}
	return err ? -err : ret;
}

static int receive_run(struct receive *r)
{
	struct json json = {.out = stdout};
	char text[400];
	int ret;

	r->dump.out = r->list.out = stdout;
	if (r->o->json) {
		r->list.json = &json;
		json_begin(&json, NULL, '{');
		json_begin(&json, "subvolumes", '[');
	}
	ret = read_all(r);
	if (r->o->list)
		list_end(&r->list, !ret);
	dump_end(&r->dump);
	if (fflush(stdout) && ret <= 0)
		ret = errno;
	if (ret < 0) {
		stream_error_text(stream_error(r->reader), text, sizeof(text));
		complain(r->o->file ? r->o->file : "", text);
	} else if (ret > 0) {
		complain("stdout", strerror(ret));
	}
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct receive_opts o;
	struct receive r = {.o = &o};
	int fd = STDIN_FILENO, status;

	setlocale(LC_ALL, "");
	status = receive_opts_parse(&o, argc, argv);
	if (status >= 0)
		return status;
	if (o.file)
		fd = open(o.file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		complain(o.file, strerror(errno));
		return EXIT_FAILURE;
	}
	setvbuf(stdout, NULL, _IOFBF, OUT_BUFFER);
	r.reader = stream_reader_new(stream_read_fd, &fd);
	if (!r.reader) {
		complain("", strerror(ENOMEM));
		return EXIT_FAILURE;
	}
	status = receive_run(&r);
	stream_reader_free(r.reader);
	return status;
}
