// SPDX-License-Identifier: GPL-2.0-or-later
#include "served.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfs.h"

/* What a stopped call moves at least: 0 would say that the source has ended. */
#define LEAST ((uint64_t)64 << 10)

/*
 * A search for holes moves the position of an open file, which here is the
 * program's too.  A description of our own has its own position.  Files of
 * /proc have no size, are not searched, and may not like to be opened twice.
 */
static int open_source(struct cr_ns *ns, const struct served *s, struct file **filep)
{
	char path[40];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->in);
	if (s->own_source && !fstat(s->in, &st) && S_ISREG(st.st_mode) && st.st_size &&
	    !cr_open(ns, path, O_RDONLY | O_NONBLOCK, 0, filep))
		return 0;
	return cr_open_fd(ns, s->in, filep);
}

static int copy_files(struct served *s, struct copy_req *req)
{
	int err = cr_copy_range(req, &s->res);

	if (err || s->res.bytes || !s->res.stopped)
		return err;
	req->stop = NULL;
	req->len = req->len < LEAST ? req->len : LEAST;
	err = cr_copy_range(req, &s->res);
	s->res.stopped = 1;
	return err;
}

ssize_t served_copy(struct served *s)
{
	struct copy_req req = {
		.pos_in = s->pos_in,
		.pos_out = s->pos_out,
		.len = s->len < SERVED_MAX ? s->len : SERVED_MAX,
		.flags = s->flags,
		.stop = s->stop,
	};
	struct cr_ns *ns = s->ns ? s->ns : cr_ns_new();
	int err;

	memset(&s->res, 0, sizeof(s->res));
	if (!ns)
		return -ENOMEM;
	err = open_source(ns, s, &req.in);
	if (!err)
		err = cr_open_fd(ns, s->out, &req.out);
	if (!err)
		err = copy_files(s, &req);
	cr_close(req.in);
	cr_close(req.out);
	if (!s->ns)
		cr_ns_free(ns);
	return s->res.bytes ? (ssize_t)s->res.bytes : err;
}

int served_clone_range(struct served *s, const struct file_clone_range *fcr, off_t size,
		       uint64_t limit)
{
	uint64_t end = (uint64_t)size, from = fcr->src_offset;
	uint64_t len = fcr->src_length ? fcr->src_length : end - from;

	if (limit > INT64_MAX)
		limit = INT64_MAX;
	if (from > end || len > end - from || len > limit || fcr->dest_offset > limit - len)
		return -EINVAL;
	s->pos_in = (off_t)from;
	s->pos_out = (off_t)fcr->dest_offset;
	s->len = len;
	return 0;
}

int served_clone(struct served *s)
{
	struct copy_result sum = {0};
	struct served part = *s;
	ssize_t n;

	do {
		n = served_copy(&part);
		copy_result_add(&sum, &part.res);
		if (n <= 0)
			break;
		part.pos_in += n;
		part.pos_out += n;
		part.len -= (size_t)n;
	} while (part.len && !sum.stopped);
	s->res = sum;
	if (n < 0)
		return (int)n;
	return part.len ? -EINVAL : 0; /* stopped, or the source became shorter meanwhile */
}

bool served_exdev(int err)
{
	return err == EXDEV || err == EOPNOTSUPP || err == ENOSYS;
}

/* The three words for sets, and each strategy's own. */
static int word_flags(const char *word, size_t len, unsigned *wanted)
{
	static const struct {
		const char *word;
		unsigned flags;
	} sets[] = {
		{"auto", COPY_RANGE_STRATEGIES},
		{"always", COPY_RANGE_STRATEGIES & ~COPY_RANGE_NO_STREAM},
		{"never", COPY_RANGE_NO_STREAM},
	};

	for (unsigned i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (len == strlen(sets[i].word) && !strncmp(word, sets[i].word, len)) {
			*wanted |= sets[i].flags;
			return 0;
		}
	for (unsigned i = 0; i < COPY_STRATEGIES; i++)
		if (len == strlen(copy_strategy_name(i)) &&
		    !strncmp(word, copy_strategy_name(i), len)) {
			*wanted |= 1u << i;
			return 0;
		}
	return -1;
}

int served_flags(const char *list, unsigned *flags)
{
	unsigned wanted = 0;

	for (;;) {
		size_t len = strcspn(list, ",");

		if (word_flags(list, len, &wanted))
			return -1;
		if (!list[len])
			break;
		list += len + 1;
	}
	*flags = ~wanted & COPY_RANGE_STRATEGIES;
	return 0;
}

/* Text that grows to the end of its room and no further. */
struct text {
	char *at, *end;
};

static __attribute__((format(printf, 2, 3))) void add(struct text *t, const char *fmt, ...)
{
	size_t room = (size_t)(t->end - t->at);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->at, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->at += (size_t)n < room ? (size_t)n : room - 1;
}

/* In quotes; what could steer a terminal or end the line is octal. */
static void add_name(struct text *t, int fd)
{
	char link[40], name[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name));
	add(t, "\"");
	for (ssize_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
			add(t, "\\%03o", c);
		else
			add(t, "%c", c);
	}
	add(t, "\"");
}

static void add_ways(struct text *t, const struct copy_result *res)
{
	const char *between = ": ";

	for (unsigned i = 0; i < COPY_STRATEGIES; i++) {
		const struct copy_tally *by = &res->by[i];

		if (!by->bytes && !by->ranges)
			continue;
		add(t, "%s%s %" PRIu64 " bytes", between, copy_strategy_name(i), by->bytes);
		if (by->moved)
			add(t, " (%" PRIu64 " through this process)", by->moved);
		between = ", ";
	}
	if (res->holes)
		add(t, ", of these %" PRIu64 " in holes", res->holes);
	for (unsigned i = 0; i < COPY_STRATEGIES; i++) {
		const struct copy_why *why = &res->why[i];

		if (why->reason)
			add(t, "; not %s%s: %s", res->by[i].bytes ? "all by " : "by ",
			    copy_strategy_name(i), why->reason);
	}
}

static const char *error_name(int err)
{
	const char *name = strerrorname_np(err);

	return name ? name : "an unknown error";
}

size_t served_text(char *text, const struct served_line *l)
{
	struct text t = {text, text + SERVED_TEXT - 1}; /* the last byte is the line's end */
	const struct served *s = l->s;

	add(&t, "%d %s%s", (int)l->pid, l->call, s ? " " : "");
	if (s) {
		add_name(&t, s->in);
		if (!l->kernel)
			add(&t, " %lld", (long long)s->pos_in);
		add(&t, " ");
		add_name(&t, s->out);
		if (!l->kernel)
			add(&t, " %lld %zu", (long long)s->pos_out, s->len);
	}
	if (l->kernel) {
		add(&t, ": left to the kernel: %s", l->kernel);
	} else if (s) {
		if (l->ret < 0)
			add(&t, " = %s", error_name((int)-l->ret));
		else
			add(&t, " = %zd", l->ret);
		add_ways(&t, &s->res);
		add(&t, "%s", s->res.stopped ? "; ended early" : "");
	}
	*t.at++ = '\n';
	return (size_t)(t.at - text);
}
