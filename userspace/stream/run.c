// SPDX-License-Identifier: GPL-2.0-or-later
/* Receiving from the first command to the last, and what is said about it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apply.h"
#include "partial.h"
#include "receive.h"
#include "userspace/size.h"
#include "verify.h"

struct run {
	const struct receive_opts *o;
	struct stream_reader *reader;
	struct input *in;
	struct partial *partial; /* with --path */
	struct apply a;
	struct cr_ns *ns;
	struct progress *progress;
	struct copy_progress *now;
	time_t started, saved;
	uint64_t bytes, subvolumes;
};

static struct progress *bar; /* messages come from within, and there is one terminal */

static void tell(const char *text)
{
	progress_hide(bar);
	complain("", text);
	progress_show(bar);
}

static void waiting(void *arg)
{
	queue_kick(((struct run *)arg)->a.queue);
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

/* A command that could not be done, in the words for one that cannot be read. */
static void complain_command(struct run *r, const struct stream_error *e, const char *path)
{
	char text[800];

	stream_error_text(e, text, 400);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), ": %s", *path ? path : ".");
	complain(r->o->file ? r->o->file : "", text);
}

static void complain_op(struct run *r, const struct op_error *op)
{
	struct stream_error e = {.err = op->err,
				 .offset = op->offset,
				 .command = op->command,
				 .id = (unsigned)op->id};

	snprintf(e.reason, sizeof(e.reason), "%s", *op->reason ? op->reason : strerror(-op->err));
	complain_command(r, &e, op->path);
}

static const char *reason_of(struct run *r, int err)
{
	const char *reason = r->a.reason;

	if (!reason && r->partial)
		reason = partial_reason(r->partial);
	return reason ? reason : strerror(-err);
}

static void complain_here(struct run *r, const struct stream_cmd *cmd, int err)
{
	bool make = r->a.make && r->a.make_failed;
	const struct stream_cmd *of = make ? r->a.make : cmd;
	struct stream_error e = {.err = err,
				 .offset = of->offset,
				 .command = make ? r->a.make_count : r->a.count,
				 .id = of->id};
	const char *path = stream_text(of, STREAM_A_PATH);
	char name[256];

	stream_escape(name, sizeof(name), (const uint8_t *)path, strlen(path));
	snprintf(e.reason, sizeof(e.reason), "%s", reason_of(r, err));
	complain_command(r, &e, name);
}

static void complain_copy(struct run *r)
{
	char text[200];

	snprintf(text, sizeof(text),
		 "cannot keep a copy of the input, which --path reads twice: %s. Set TMPDIR to a "
		 "place with room for all of it, or read a file with -f",
		 strerror(-r->in->copy_err));
	complain("", text);
}

static void complain_read(struct run *r)
{
	char text[400];

	if (r->in->copy_err) {
		complain_copy(r);
		return;
	}
	stream_error_text(stream_error(r->reader), text, sizeof(text));
	complain(r->o->file ? r->o->file : "", input_signal() ? "interrupted" : text);
}

/* The first error in the order of the stream is the one that counts. */
static void complain_about(struct run *r, const struct stream_cmd *cmd, int err, int ret)
{
	const struct op_error *op = queue_error(r->a.queue);

	if (op)
		complain_op(r, op);
	else if (err && cmd)
		complain_here(r, cmd, err);
	else if (err)
		complain(r->o->file ? r->o->file : "", r->a.reason ? r->a.reason : strerror(-err));
	else if (ret < 0)
		complain_read(r);
}

static int at_times(struct run *r, const struct stream_cmd *cmd)
{
	time_t now;

	r->bytes = cmd->offset + cmd->len;
	if (r->now)
		__atomic_store_n(&r->now->bytes, r->bytes, __ATOMIC_RELAXED);
	if (!r->o->checkpoint)
		return 0;
	now = seconds();
	if (now - r->saved < (time_t)r->o->checkpoint)
		return 0;
	r->saved = now;
	return apply_checkpoint(&r->a);
}

static int receive_all(struct run *r)
{
	struct stream_cmd cmd = {0};
	bool at_cmd = true;
	int ret = 0, err = 0;

	while (!err && !input_signal() && (ret = stream_reader_next(r->reader, &cmd)) > 0) {
		err = r->partial ? partial_command(r->partial, &r->a, &cmd)
				 : apply_command(&r->a, &cmd);
		if (!err)
			err = at_times(r, &cmd);
		if (!err && cmd.id == STREAM_C_END) {
			r->subvolumes++;
			if (r->o->end_marker) {
				ret = 0;
				break;
			}
		}
	}
	if (input_signal() && ret >= 0)
		ret = -EINTR;
	if (!err)
		err = apply_settle(&r->a);
	if (!err && !ret) {
		at_cmd = false;
		err = apply_complete(&r->a);
	}
	if (err || ret < 0)
		complain_about(r, at_cmd ? &cmd : NULL, err, ret < 0 ? ret : 0);
	return err ? err : ret < 0 ? ret : 0;
}

/* With --path nothing can be gone on with. */
static bool dropped(struct run *r)
{
	return r->partial && (!r->a.name || !partial_drop(&r->a));
}

static void left_behind(struct run *r)
{
	bool again = apply_stop(&r->a);
	char text[700];

	if (dropped(r) || !r->a.name)
		return;
	snprintf(text, sizeof(text), "what was received of it is in %.300s%s", r->a.temp,
		 again ? "; --resume goes on with the same stream" : "");
	complain(r->a.name, text);
}

/* What became of it. ----------------------------------------------------------------- */

static void summary_json(struct run *r, bool whole)
{
	const struct apply_counts *c = &r->a.counts;
	struct json json = {.out = stdout};

	json_begin(&json, NULL, '{');
	json_bool(&json, "complete", whole);
	json_number(&json, "subvolumes", r->subvolumes);
	json_number(&json, "commands", r->a.count);
	json_number(&json, "stream_bytes", r->bytes);
	json_number(&json, "files", c->files);
	json_number(&json, "encoded_extents", c->encoded);
	json_number(&json, "encoded_bytes", c->encoded_bytes);
	json_number(&json, "decoded_extents", c->decoded);
	json_number(&json, "decoded_bytes", c->decoded_bytes);
	json_number(&json, "data_bytes", c->plain_bytes);
	json_number(&json, "cloned_bytes", c->cloned_bytes);
	json_number(&json, "copied_bytes", c->copied_bytes);
	json_number(&json, "xattrs_left_out", c->xattrs_left_out);
	json_number(&json, "flags_left_out", c->flags_left_out);
	json_end(&json, '}');
	fputc('\n', stdout);
}

static void summary_text(struct run *r)
{
	const struct apply_counts *c = &r->a.counts;
	char all[SIZE_TEXT], encoded[SIZE_TEXT], decoded[SIZE_TEXT], plain[SIZE_TEXT],
		cloned[SIZE_TEXT], copied[SIZE_TEXT];
	char text[512];

	snprintf(text, sizeof(text),
		 "%s of stream, %" PRIu64
		 " files: %s planted compressed, %s decompressed, %s plain, "
		 "%s cloned, %s copied",
		 size_text(r->bytes, all), c->files, size_text(c->encoded_bytes, encoded),
		 size_text(c->decoded_bytes, decoded), size_text(c->plain_bytes, plain),
		 size_text(c->cloned_bytes, cloned), size_text(c->copied_bytes, copied));
	tell(text);
}

/* Files and directories stay open: as many as we may. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static unsigned jobs(const struct receive_opts *o)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (o->jobs)
		return o->jobs;
	return n < 2 ? 2 : n > 8 ? 8 : (unsigned)n;
}

static int set_up(struct run *r)
{
	const struct receive_opts *o = r->o;
	struct file *target;
	int err;

	r->a.o = (struct apply_opts){
		.devices = o->devices,
		.trust = o->trust,
		.force_decompress = o->force_decompress,
		.resume = o->resume,
		.partial = o->npaths,
		.jobs = jobs(o),
	};
	r->a.warn = tell;
	r->a.say = o->verbose ? tell : NULL;
	r->ns = cr_ns_new();
	if (!r->ns)
		return -ENOMEM;
	err = cr_open(r->ns, o->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &target);
	if (!err && o->verify)
		r->a.verify = verify_new();
	if (!err && o->verify && !r->a.verify)
		err = -ENOMEM;
	return err ? err : apply_init(&r->a, target, r->reader);
}

static void start_bar(struct run *r)
{
	bar = r->progress = progress_new(r->o->progress, 1);
	r->now = progress_begin(r->progress, 0, r->o->file ? r->o->file : "", r->in->size);
	if (!r->in->size)
		return;
	progress_found(r->progress, r->in->size);
	progress_found_all(r->progress);
}

static void end_bar(struct run *r)
{
	progress_end(r->progress, 0);
	progress_free(r->progress);
	bar = r->progress = NULL;
}

/* Until the end of the input, or of its first stream: which files there are. */
static int look(struct run *r)
{
	struct stream_cmd cmd = {0};
	int ret = 0, err = 0;

	while (!err && !input_signal() && (ret = stream_reader_next(r->reader, &cmd)) > 0) {
		r->a.count++;
		err = partial_look(r->partial, &cmd);
		if (!err && r->o->end_marker && cmd.id == STREAM_C_END)
			break;
	}
	if (err)
		complain_here(r, &cmd, err);
	else if (input_signal() || ret < 0)
		complain_read(r);
	r->a.count = 0;
	return err ? err : input_signal() ? -EINTR : ret < 0 ? ret : 0;
}

static int read_again(struct run *r)
{
	int err = input_again(r->in);

	stream_reader_free(r->reader);
	r->reader = stream_reader_new(input_read, r->in);
	if (!r->reader && !err)
		err = -ENOMEM;
	r->a.reader = r->reader;
	if (err)
		complain(r->o->file ? r->o->file : "", strerror(-err));
	return err;
}

/* With --path: nothing is made before all of the input was seen and found right. */
static int look_first(struct run *r)
{
	const struct receive_opts *o = r->o;
	const char *unmatched;
	int err;

	if (!o->npaths)
		return 0;
	r->partial = partial_new(o->paths, o->npaths);
	err = r->partial ? input_keep(r->in) : -ENOMEM;
	if (err && r->partial)
		complain_copy(r);
	else if (err)
		complain("", strerror(-err));
	else
		err = look(r);
	if (err)
		return err;
	unmatched = partial_looked(r->partial);
	if (unmatched) {
		complain(unmatched, "--path matches nothing in the input");
		return -ENOENT;
	}
	return read_again(r);
}

int apply_run(const struct receive_opts *o, struct stream_reader **reader, struct input *in)
{
	struct run r = {.o = o, .reader = *reader, .in = in};
	int err;

	raise_limit();
	umask(077);
	err = set_up(&r);
	if (err)
		complain(o->target, strerror(-err));
	else
		err = look_first(&r);
	*reader = r.reader;
	if (!err) {
		in->waiting = waiting;
		in->arg = &r;
		r.saved = seconds();
		start_bar(&r);
		err = receive_all(&r);
		end_bar(&r);
		if (err)
			left_behind(&r);
		if (o->json)
			summary_json(&r, !err);
		else if (!err && o->verbose)
			summary_text(&r);
	}
	apply_end(&r.a);
	partial_free(r.partial);
	verify_free(r.a.verify);
	cr_close(r.a.target);
	cr_ns_free(r.ns);
	if (fflush(stdout) && !err)
		err = -EIO;
	return input_signal() ? 128 + input_signal() : err ? EXIT_FAILURE : EXIT_SUCCESS;
}
