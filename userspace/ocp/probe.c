/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --probe A B: each strategy is tried alone, from A's first bytes into a file
 * without a name beside B, which is gone afterwards whatever happens.  Where A
 * is a directory one of its files is taken, or a file without a name in it.  Where B is a
 * device or a unit nothing is written: it is asked.
 */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message.h"
#include "quote.h"
#include "vfs.h"
#include "userspace/json.h"

#define SCRATCH_BYTES (256u << 10)
#define DESCRIPTION   2048
#define ENTRIES_MAX   10000u /* of A, in search of a file with content */

#define TYPE_MAX 32

struct ends {
	struct cr_ns *ns;
	struct file *in, *out;
	char in_type[TYPE_MAX], out_type[TYPE_MAX]; /* file systems, for people */
};

static int complain(int err, enum ocp_msg msg, const char *path, const char *path2)
{
	char *text = message_text(msg, path, path2);

	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, text ? text : path,
		strerror(abs(err)));
	free(text);
	return EXIT_FAILURE;
}

/*
 * "ext4" and not "host": from /proc/self/mountinfo, where the type follows the
 * first " - ".  The room's own name where there is no such mount.
 */
static void type_of_mount(struct file *file, char type[TYPE_MAX])
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *at;
	struct statx stx;
	size_t size = 0;

	snprintf(type, TYPE_MAX, "%s", cr_file_room(file));
	if (mounts && cr_file_fd(file) >= 0 &&
	    !statx(cr_file_fd(file), "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) &&
	    (stx.stx_mask & STATX_MNT_ID))
		while (getline(&line, &size, mounts) > 0) {
			if (strtoull(line, NULL, 10) != stx.stx_mnt_id)
				continue;
			at = strstr(line, " - ");
			if (at)
				snprintf(type, TYPE_MAX, "%.*s", (int)strcspn(at + 3, " "), at + 3);
			break;
		}
	free(line);
	if (mounts)
		fclose(mounts);
}

/* A new file in directory @dir: without a name, or where that is unknown unlinked at once. */
static int open_scratch(struct cr_ns *ns, const char *dir, struct file **filep)
{
	int err = cr_open(ns, dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600, filep);
	struct file *parent;
	char name[40];

	if (err != -EOPNOTSUPP && err != -EISDIR && err != -EINVAL)
		return err;
	err = cr_open(ns, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &parent);
	if (err)
		return err;
	snprintf(name, sizeof(name), ".ocp-probe-%ld", (long)getpid());
	err = cr_openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, filep);
	if (!err)
		cr_unlink(parent, name, 0);
	cr_close(parent);
	return err;
}

/* The directory a file of this name is in, or would be: a string of malloc(). */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static bool is_directory(struct cr_ns *ns, const char *path)
{
	struct file *file;
	int err = cr_open(ns, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &file);

	if (!err)
		cr_close(file);
	return !err;
}

static bool has_content(struct file *file)
{
	struct statx stx;

	return !cr_getattr(file, NULL, &stx) && stx.stx_size;
}

/* Some file with content in the directory, or NULL; what cannot be read is passed over. */
static struct file *some_file(struct file *dir)
{
	char data[32 << 10];
	struct dirbuf buf = {.data = data, .size = sizeof(data)};
	struct dirent_view entry;
	struct file *file;
	unsigned seen = 0;

	while (cr_readdir(dir, &buf) > 0 && seen < ENTRIES_MAX) {
		while (dirbuf_next(&buf, &entry) && seen++ < ENTRIES_MAX) {
			if (entry.type != DT_REG ||
			    cr_openat(dir, entry.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0, &file))
				continue;
			if (has_content(file))
				return file;
			cr_close(file);
		}
	}
	return NULL;
}

/* Not zeros, or a file system might keep no block of it. */
static int fill_scratch(struct file *file)
{
	char block[4096];
	off_t pos;

	memset(block, 'x', sizeof(block));
	for (pos = 0; pos < SCRATCH_BYTES; pos += (off_t)sizeof(block)) {
		ssize_t n = cr_write(file, block, sizeof(block), pos);

		if (n < 0)
			return (int)n;
		if (n != sizeof(block))
			return -ENOSPC;
	}
	return cr_sync(file, true);
}

static int open_source(struct cr_ns *ns, const char *path, struct file **filep)
{
	struct file *dir;
	int err;

	if (!is_directory(ns, path))
		return cr_open(ns, path, O_RDONLY | O_CLOEXEC, 0, filep);
	err = cr_open(ns, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &dir);
	if (err)
		return err;
	*filep = some_file(dir);
	cr_close(dir);
	if (*filep)
		return 0;
	err = open_scratch(ns, path, filep);
	if (!err)
		err = fill_scratch(*filep);
	return err;
}

/* What has a size of its own. */
static bool open_device(struct cr_ns *ns, const char *path, struct file **filep)
{
	if (cr_open(ns, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0, filep))
		return false;
	if (cr_file_limit(*filep))
		return true;
	cr_close(*filep);
	*filep = NULL;
	return false;
}

static int open_target(struct cr_ns *ns, const char *path, struct file **filep)
{
	char *dir;
	int err;

	if (open_device(ns, path, filep))
		return 0;
	dir = is_directory(ns, path) ? strdup(path) : directory_of(path);
	err = dir ? open_scratch(ns, dir, filep) : -ENOMEM;
	free(dir);
	return err;
}

static int open_ends(struct ends *e, const struct ocp_opts *o)
{
	int err;

	e->ns = cr_ns_new();
	if (!e->ns)
		return complain(ENOMEM, MSG_NO_MEMORY, NULL, NULL);
	err = open_source(e->ns, o->sources[0], &e->in);
	if (err)
		return complain(err, MSG_OPEN, o->sources[0], NULL);
	err = open_target(e->ns, o->dest, &e->out);
	if (err)
		return complain(err, MSG_CREATE, o->dest, NULL);
	type_of_mount(e->in, e->in_type);
	type_of_mount(e->out, e->out_type);
	return EXIT_SUCCESS;
}

static void close_ends(struct ends *e)
{
	cr_close(e->in);
	cr_close(e->out);
	if (e->ns)
		cr_ns_free(e->ns);
}

static const char *answer(const struct ocp_opts *o, const struct copy_result *res, unsigned s)
{
	if (res->by[s].bytes)
		return NULL;
	if (o->copy_flags & 1u << s)
		return "left out by an option";
	if (res->why[s].reason)
		return res->why[s].reason;
	return res->why[s].error ? strerrordesc_np(res->why[s].error)
				 : "nothing to copy here to try it with";
}

/* The cheapest that works, or NULL. */
static const char *best(const struct copy_result *res)
{
	for (unsigned s = 0; s < COPY_STRATEGIES; s++)
		if (res->by[s].bytes)
			return copy_strategy_name(s);
	return NULL;
}

/* What the storage says, each line behind two blanks more. */
static void print_description(struct file *file, const char *name)
{
	char text[DESCRIPTION], *line, *rest = text;

	if (cr_describe(file, text, sizeof(text)))
		return;
	printf("%s\n", name);
	while ((line = strsep(&rest, "\n")) && *line)
		printf("  %s\n", line);
}

static void print_text(const struct ocp_opts *o, const struct ends *e,
		       const struct copy_result *res)
{
	char *a = quote_name(o->sources[0]), *b = quote_name(o->dest);

	printf("%s (%s) -> %s (%s)\n", a ? a : "", e->in_type, b ? b : "", e->out_type);
	for (unsigned s = 0; s < COPY_STRATEGIES; s++) {
		const char *no = answer(o, res, s);

		printf("  %-8s %s%s\n", copy_strategy_name(s), no ? "no: " : "possible",
		       no ? no : "");
	}
	print_description(e->in, a ? a : "");
	print_description(e->out, b ? b : "");
	free(a);
	free(b);
}

static void json_description(struct json *j, const char *name, struct file *file)
{
	char text[DESCRIPTION];

	if (!cr_describe(file, text, sizeof(text)))
		json_string(j, name, text);
}

static void print_json(FILE *out, const struct ocp_opts *o, const struct ends *e,
		       const struct copy_result *res)
{
	struct json j = {.out = out};
	const char *first = best(res);

	json_begin(&j, NULL, '{');
	json_path(&j, "source", o->sources[0]);
	json_string(&j, "source_type", e->in_type);
	json_path(&j, "destination", o->dest);
	json_string(&j, "destination_type", e->out_type);
	if (first)
		json_string(&j, "best", first);
	json_begin(&j, "strategies", '{');
	for (unsigned s = 0; s < COPY_STRATEGIES; s++) {
		const char *no = answer(o, res, s);

		json_begin(&j, copy_strategy_name(s), '{');
		json_bool(&j, "possible", !no);
		if (no)
			json_string(&j, "reason", no);
		json_end(&j, '}');
	}
	json_end(&j, '}');
	json_description(&j, "source_says", e->in);
	json_description(&j, "destination_says", e->out);
	json_end(&j, '}');
	fputc('\n', out);
}

static int print_answer(const struct ocp_opts *o, const struct ends *e,
			const struct copy_result *res)
{
	FILE *out = stdout;

	if (!o->json || o->json_file)
		print_text(o, e, res);
	if (o->json && o->json_file)
		out = fopen(o->json_file, "we");
	if (!out)
		return complain(errno, MSG_CREATE, o->json_file, NULL);
	if (o->json)
		print_json(out, o, e, res);
	if (out != stdout && fclose(out))
		return complain(errno, MSG_WRITE, o->json_file, NULL);
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int probe_run(const struct ocp_opts *o)
{
	struct ends e = {0};
	struct copy_result res;
	struct copy_req req = {.len = SCRATCH_BYTES, .flags = o->copy_flags};
	int status = open_ends(&e, o), err;

	if (status == EXIT_SUCCESS) {
		req.in = e.in;
		req.out = e.out;
		err = cr_probe(&req, &res);
		status = err ? complain(err, MSG_COPY, o->sources[0], o->dest)
			     : print_answer(o, &e, &res);
		/* Something has to be possible for a copy to be. */
		if (status == EXIT_SUCCESS && !best(&res))
			status = EXIT_FAILURE;
	}
	close_ends(&e);
	return status;
}
