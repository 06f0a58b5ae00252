// SPDX-License-Identifier: GPL-2.0-or-later
/* send_walk.c - ocp-send for a tree that is walked: what its stream is called, and its end. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "manifest.h"
#include "reader.h"
#include "send.h"
#include "walk_diff.h"

#define WALK_VERSION 2u /* the highest that walking makes */

static void complain(void *arg, const struct remark *r)
{
	struct send *s = arg;
	const char *path = r->path && *r->path ? r->path : ".";

	if (!r->err)
		say(path, "changed while it was read");
	else if (!r->fatal && (r->err == -ENOENT || r->err == -ESTALE))
		say(path, "gone before it was read");
	else
		say(path, "%s it: %s", r->operation ? r->operation : "sending", strerror(-r->err));
	s->status = EXIT_FAILURE;
	s->told |= r->fatal;
	if (r->err)
		s->sums.failed++;
	else
		s->sums.changed++;
}

static int settle_version(struct send *s, struct walk *w)
{
	w->version = s->o->proto == PROTO_UNSET || !s->o->proto ? WALK_VERSION : s->o->proto;
	if (w->version > WALK_VERSION) {
		say(NULL, "walking makes version %u at most, not %u", WALK_VERSION, w->version);
		return -EPROTO;
	}
	w->compressed = w->version >= 2 && s->o->compressed != 0;
	w->no_data = s->o->no_data || s->o->dry_run;
	s->version = w->version;
	s->compressed = w->compressed;
	return 0;
}

/* A read-only subvolume keeps the name its other streams have; a tree gets a new one. */
static int settle_id(struct walk *w, const struct source *src)
{
	if (src->subvol && (src->info.flags & SUBVOL_RDONLY)) {
		source_stream_id(src, w->uuid, &w->ctransid);
		return 0;
	}
	if (getrandom(w->uuid, sizeof(w->uuid), 0) != (ssize_t)sizeof(w->uuid))
		return -EIO;
	w->uuid[6] = (w->uuid[6] & 0x0f) | 0x40; /* RFC 9562: version 4, variant 10 */
	w->uuid[8] = (w->uuid[8] & 0x3f) | 0x80;
	w->ctransid = 1;
	w->fresh = true;
	return 0;
}

/* The last component of where the tree really is. */
static char *name_of(const struct send *s, const struct source *src)
{
	char *real, *slash, *name;

	if (s->o->name)
		return strdup(s->o->name);
	real = realpath(src->name, NULL);
	slash = strrchr(real ? real : src->name, '/');
	name = strdup(slash ? slash + 1 : src->name);
	free(real);
	if (name && !*name) { /* the root of the machine */
		free(name);
		name = strdup("root");
	}
	return name;
}

static void raise_file_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) || lim.rlim_cur >= lim.rlim_max)
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

static int write_out(void *arg, const void *buf, size_t len)
{
	struct send *s = arg;
	int err = s->o->dry_run ? 0 : stream_write_fd(&s->out.fd, buf, len);

	if (!err && s->now)
		__atomic_fetch_add(&s->now->bytes, len, __ATOMIC_RELAXED);
	if (!err || err == -EPIPE)
		return err;
	s->told = true;
	return say_error(s->o->file ? s->o->file : "stdout", "writing", err);
}

static void add_sums(struct send_sums *sums, const struct walk *w)
{
	sums->bytes += w->bytes;
	sums->entries += w->entries;
	sums->files += w->files;
	sums->data += w->data;
	sums->encoded += w->encoded;
	sums->cloned += w->cloned;
	sums->holes += w->holes;
}

/* "8-4-4-4-12" in hexadecimal, and perhaps ":N". */
static int parse_parent(struct walk *w, const char *text)
{
	unsigned digits = 0, value;
	char *end;

	for (; digits < 32; text++) {
		if (*text == '-' && (digits == 8 || digits == 12 || digits == 16 || digits == 20))
			continue;
		if (!isxdigit((unsigned char)*text))
			return -EINVAL;
		value = *text <= '9' ? (unsigned)(*text - '0')
				     : (unsigned)((*text | 0x20) - 'a' + 10);
		w->parent_uuid[digits / 2] = (uint8_t)(w->parent_uuid[digits / 2] << 4 | value);
		digits++;
	}
	w->parent_ctransid = 1;
	if (!*text)
		return 0;
	if (*text != ':' || !isdigit((unsigned char)text[1]))
		return -EINVAL;
	errno = 0;
	w->parent_ctransid = strtoull(text + 1, &end, 10);
	return *end || errno ? -EINVAL : 0;
}

static ssize_t read_manifest(void *arg, void *buf, size_t len)
{
	return stream_read_fd(arg, buf, len);
}

static int load_manifest(struct send *s, struct walk *w, struct tree *was)
{
	struct manifest_head head;
	const char *reason;
	int fd = open(s->o->since, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return say_error(s->o->since, "opening it", -errno);
	err = manifest_read(read_manifest, &fd, &head, was, &reason);
	close(fd);
	if (err) {
		say(s->o->since, "reading it: %s", reason ? reason : strerror(-err));
		return err;
	}
	memcpy(w->parent_uuid, head.uuid, sizeof(head.uuid));
	w->parent_ctransid = head.ctransid;
	w->checksum |= (head.flags & MANIFEST_HASHES) && s->o->manifest;
	return 0;
}

/* The earlier tree on disk, and what its stream was known by. */
static int open_parent(struct send *s, struct walk *w, struct source *parent)
{
	int err = source_open(s, s->o->parent, parent);

	if (err)
		return err;
	w->earlier = parent->root;
	if (s->o->since)
		return 0;
	if (s->o->parent_uuid) {
		if (!parse_parent(w, s->o->parent_uuid))
			return 0;
		return say_error(NULL, "--parent-uuid takes a UUID, or UUID:NUMBER", 0);
	}
	if (parent->subvol && (parent->info.flags & SUBVOL_RDONLY)) {
		source_stream_id(parent, w->parent_uuid, &w->parent_ctransid);
		return 0;
	}
	return say_error(parent->name,
			 "no read-only subvolume, so nobody knows what its stream was called: "
			 "give the manifest of that by --since, or --parent-uuid",
			 0);
}

/* What the receiver has, when it is not to get all. */
static int settle_parent(struct send *s, struct walk *w, struct source *parent, struct tree *was)
{
	int err = 0;

	w->snapshot = s->o->parent || s->o->since;
	if (s->o->since)
		err = load_manifest(s, w, was);
	if (!err && s->o->parent)
		err = open_parent(s, w, parent);
	if (!err && w->snapshot && w->ctransid <= w->parent_ctransid && w->fresh)
		w->ctransid = w->parent_ctransid + 1;
	return err;
}

static int begin_manifest(struct send *s, struct walk *w)
{
	int err;

	if (!s->o->manifest || s->o->dry_run)
		return 0;
	err = output_open(&s->manifest, s->o->manifest);
	if (err)
		return say_error(s->o->manifest, "opening it", err);
	w->manifest = manifest_begin(s->manifest.fd, w);
	if (!w->manifest)
		output_drop(&s->manifest);
	return w->manifest ? 0 : -ENOMEM;
}

/* The stream is there before its manifest is: the other way round, changes would be lost. */
static int end_manifest(struct send *s, struct walk *w, int err)
{
	int last;

	if (!w->manifest)
		return err;
	if (err) {
		manifest_drop(w->manifest);
		output_drop(&s->manifest);
		return err;
	}
	last = manifest_end(w->manifest);
	if (!last && s->out.ours)
		last = output_finish(&s->out);
	if (!last)
		last = output_finish(&s->manifest);
	else
		output_drop(&s->manifest);
	return last;
}

static int run(struct send *s, struct walk *w, const char *name, struct tree *was)
{
	struct stat st;
	int err;

	w->share = sent_new();
	if (!w->share)
		return -ENOMEM;
	if (!fstat(s->out.fd, &st) && S_ISREG(st.st_mode)) {
		w->skip_dev = st.st_dev;
		w->skip_ino = st.st_ino;
	}
	err = begin_manifest(s, w);
	w->running = !err;
	if (!err)
		err = !w->snapshot ? walk_full(w, name)
		      : w->earlier ? walk_changes(w, name, NULL)
				   : walk_changes(w, name, was);
	sent_free(w->share);
	return end_manifest(s, w, err);
}

int walk_send(struct send *s, struct source *src)
{
	struct walk *w = calloc(1, sizeof(*w));
	struct source parent = {0};
	struct tree was = {0};
	char *name = name_of(s, src);
	int err = w && name ? 0 : -ENOMEM;

	if (err)
		goto out;
	raise_file_limit();
	w->ns = s->ns;
	w->tree = src->name;
	w->root = src->root;
	w->go_on = s->o->no_end && s->sent;
	w->no_end = s->o->no_end && s->sent + 1 < s->o->ntrees;
	w->cross = s->o->cross;
	w->keep_going = s->o->keep_going;
	w->checksum = s->o->checksum;
	w->trust_mtime = s->o->trust_mtime;
	w->write = write_out;
	w->write_arg = s;
	w->complain = complain;
	w->complain_arg = s;
	clock_gettime(CLOCK_REALTIME, &w->began);
	err = settle_version(s, w);
	if (!err)
		err = settle_id(w, src);
	if (!err)
		err = settle_parent(s, w, &parent, &was);
	if (!err)
		err = run(s, w, name, &was);
	source_close(&parent);
	tree_free(&was);
	add_sums(&s->sums, w);
	if (err && err != -EPIPE && w->running && !s->told)
		say_error(src->name, "sending", err);
out:
	free(name);
	free(w);
	return err;
}
