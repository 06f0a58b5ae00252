// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ocp-receive - makes files of the send streams of btrfs, or says what they hold.
 *
 *   options.c   what the command line says
 *   input.c     where the stream comes from
 *   reader.c    the next command, checked
 *   dump.c      each command as a line
 *   list.c      sums for each subvolume
 *   run.c       receiving; apply.c does each command, on any file system
 *   partial.c   which of them, with --path
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

void complain(const char *name, const char *text)
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
	struct stream_cmd cmd = {0};
	int ret, err = 0;

	while ((ret = stream_reader_next(r->reader, &cmd)) > 0 && !err) {
		if (r->o->dump)
			err = dump_command(&r->dump, &cmd);
		else
			err = list_command(&r->list, &cmd, stream_version(r->reader));
		if (!err && ferror(stdout))
			err = errno ? -errno : -EIO;
	}
	return err ? -err : ret;
}

static int look_run(struct receive *r)
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
	struct input in;
	int err, status;

	setlocale(LC_ALL, "");
	status = receive_opts_parse(&o, argc, argv);
	if (status >= 0)
		return status;
	err = input_open(&in, o.file);
	if (err) {
		complain(o.file, strerror(err));
		return EXIT_FAILURE;
	}
	setvbuf(stdout, NULL, _IOFBF, OUT_BUFFER);
	r.reader = stream_reader_new(input_read, &in);
	if (!r.reader) {
		complain("", strerror(ENOMEM));
		return EXIT_FAILURE;
	}
	status = o.target ? apply_run(&o, &r.reader, &in) : look_run(&r);
	stream_reader_free(r.reader);
	free(o.paths);
	return status;
}
