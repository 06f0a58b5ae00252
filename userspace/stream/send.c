// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ocp-send - streams of btrfs subvolumes by the kernel, and of any tree by
 * walking it.
 *
 *   send_options.c	what the command line says
 *   send_report.c	what is said
 *   send_output.c	files that get their names when they are whole; signals
 *   kernel_send.c	BTRFS_IOC_SEND
 *   send_walk.c	what a walk begins and ends with; walk.h says how it goes
 */
#include "send.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUBVOL_INO 256u /* BTRFS_FIRST_FREE_OBJECTID: the root directory of each */

int source_open(struct send *s, const char *name, struct source *src)
{
	struct statx stx;
	int err;

	*src = (struct source){.name = name};
	err = cr_open(s->ns, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &src->root);
	if (!err)
		err = cr_getattr(src->root, NULL, &stx);
	if (err) {
		source_close(src);
		return say_error(name, "opening it", err);
	}
	src->subvol = !strcmp(cr_file_room(src->root), "btrfs") && stx.stx_ino == SUBVOL_INO &&
		      !cr_subvol_info(src->root, &src->info);
	return 0;
}

void source_close(struct source *src)
{
	cr_close(src->root);
	src->root = NULL;
}

void source_stream_id(const struct source *src, uint8_t uuid[16], uint64_t *ctransid)
{
	static const uint8_t none[SUBVOL_UUID_LEN];
	bool received = memcmp(src->info.received_uuid, none, sizeof(none)) != 0;

	memcpy(uuid, received ? src->info.received_uuid : src->info.uuid, 16);
	*ctransid = received ? src->info.stransid : src->info.ctransid;
}

/* By the kernel where it can, and said where it cannot. */
static bool walks(const struct send *s, const struct source *src)
{
	const char *why;

	if (s->o->way != SEND_AUTO)
		return s->o->way == SEND_WALK;
	why = kernel_send_why_not(src);
	if (!why || s->o->nclones)
		return false;
	if (!s->o->quiet)
		say(src->name, "walking the tree: %s", why);
	return true;
}

static int send_one(struct send *s, const char *name)
{
	struct source src;
	int err = source_open(s, name, &src);

	if (err)
		return err;
	s->walked = walks(s, &src);
	s->now = progress_begin(s->bar, 0, name, 0);
	if (s->now)
		s->now->strategy = COPY_STRATEGIES; /* none of these */
	err = s->walked ? walk_send(s, &src) : kernel_send(s, &src);
	progress_end(s->bar, 0);
	s->now = NULL;
	source_close(&src);
	if (!err)
		s->sent++;
	return err;
}

static int send_all(struct send *s)
{
	int err = 0;

	s->clone_ids = calloc(s->o->nclones + s->o->ntrees + 1, sizeof(*s->clone_ids));
	s->ns = cr_ns_new();
	if (!s->clone_ids || !s->ns)
		err = say_error(NULL, "starting", -ENOMEM);
	for (unsigned i = 0; i < s->o->ntrees && !err; i++)
		err = send_one(s, s->o->trees[i]);
	cr_ns_free(s->ns);
	free(s->clone_ids);
	return err;
}

static int open_out(struct send *s)
{
	int err = output_open(&s->out, s->o->dry_run ? "/dev/null" : s->o->file);

	if (err)
		return say_error(s->o->file ? s->o->file : "stdout", "opening it", err);
	if (!isatty(s->out.fd))
		return 0;
	output_drop(&s->out);
	return say_error(NULL, "a stream is not for a terminal: use -f or a pipe", 0);
}

static int run(struct send *s)
{
	int err = open_out(s);

	if (err)
		return EXIT_FAILURE;
	if (!s->o->quiet && !s->o->dry_run)
		s->bar = progress_new(s->o->progress, 1);
	say_beside(s->bar);
	err = send_all(s);
	if (err)
		output_drop(&s->out);
	else
		err = output_finish(&s->out);
	say_beside(NULL);
	progress_free(s->bar);
	if (err == -EPIPE)
		signals_die_of_pipe();
	send_report(s, !err);
	return err ? EXIT_FAILURE : s->status;
}

int main(int argc, char **argv)
{
	struct send_opts o;
	struct send s = {.o = &o};
	int status;

	setlocale(LC_ALL, "");
	status = send_opts_parse(&o, argc, argv);
	if (status < 0 && signals_begin())
		status = EXIT_FAILURE;
	if (status < 0)
		status = run(&s);
	send_opts_free(&o);
	return status;
}
