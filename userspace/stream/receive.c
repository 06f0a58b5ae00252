// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ocp-receive - makes files of the send streams of btrfs, or says what they hold.
 *
 *   options.c   what the command line says
 *   reader.c    the next command, checked
 *   dump.c      each command as a line
 *   list.c      sums for each subvolume
 *   apply.c     does each command, on any file system
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

#include "apply.h"
#include "reader.h"
#include "receive.h"

#define OUT_BUFFER (64u << 10)

struct receive {
	const struct receive_opts *o;
	struct stream_reader *reader;
	struct dump dump;
	struct list list;
	struct apply apply;
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

/* A command that could not be done, in the words for one that cannot be read. */
static void complain_command(struct receive *r, const struct stream_cmd *cmd, uint64_t count,
			     int err)
{
	struct stream_error e = {
		.err = err, .offset = cmd->offset, .command = count, .id = cmd->id};
	const char *path = stream_text(cmd, STREAM_A_PATH);
	const char *reason = r->apply.reason ? r->apply.reason : strerror(-err);
	char text[700], name[256];

	stream_escape(name, sizeof(name), (const uint8_t *)path, strlen(path));
	snprintf(e.reason, sizeof(e.reason), "%s", reason);
	stream_error_text(&e, text, 400);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), ": %s", *name ? name : ".");
	complain(r->o->file ? r->o->file : "", text);
}

static int apply_run(struct receive *r)
{
	struct stream_cmd cmd;
	uint64_t count = 0;
	char text[700];
	int ret, err = 0;

	while (!err && (ret = stream_reader_next(r->reader, &cmd)) > 0) {
		count++;
		err = apply_command(&r->apply, &cmd);
	}
	if (err) {
		complain_command(r, &cmd, count, err);
	} else if (ret < 0) {
		stream_error_text(stream_error(r->reader), text, sizeof(text));
		complain(r->o->file ? r->o->file : "", text);
	}
	if (r->apply.root) {
		snprintf(text, sizeof(text), "what was received of it is in %.250s", r->apply.temp);
		complain(r->apply.name, text);
	}
	return err || ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int receive_run(struct receive *r)
{
	int err, status;

	if (!r->o->target)
		return look_run(r);
	r->apply.devices = r->o->devices;
	r->apply.ns = cr_ns_new();
	err = r->apply.ns ? cr_open(r->apply.ns, r->o->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				    0, &r->apply.target)
			  : -ENOMEM;
	if (err) {
		complain(r->o->target, strerror(-err));
		status = EXIT_FAILURE;
	} else {
		status = apply_run(r);
		apply_end(&r->apply);
		cr_close(r->apply.target);
	}
	cr_ns_free(r->apply.ns);
	return status;
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
