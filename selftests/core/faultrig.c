// SPDX-License-Identifier: GPL-2.0-or-later
/* faultrig.c - see faultrig.h */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faultrig.h"

#define URL_SIZE (PATH_MAX + 4200)

static void rig_url(const struct rig *rig, const char *rules, const char *name, char *url)
{
	const char *dir = rig->plan.dir;
	int n = rules ? snprintf(url, URL_SIZE, "fault:%s:", rules) : 0;

	if (rig->plan.out_dir && !strcmp(name, "out"))
		dir = rig->plan.out_dir;
	if (dir)
		snprintf(url + n, URL_SIZE - (size_t)n, "%s/%s", dir, name);
	else
		snprintf(url + n, URL_SIZE - (size_t)n, "mem:%s", name);
}

/* Bytes that are zero nowhere and repeat at no power of two. */
static void pattern(char *buf, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (char)(1 + (i * 31 + i / 251 + seed) % 255);
}

static int write_all(struct file *file, const char *buf, size_t len, off_t pos)
{
	while (len) {
		ssize_t n = cr_write(file, buf, len, pos);

		if (n <= 0)
			return n ? (int)n : -EIO;
		buf += n;
		pos += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Starts with data, so that a hole is at the end when the runs come out even. */
static int fill_source(struct rig *rig)
{
	size_t step = rig->plan.hole ? rig->plan.hole : rig->plan.len;
	int err = cr_truncate(rig->in, 0);

	if (!err)
		err = cr_truncate(rig->in, (off_t)rig->plan.len);
	pattern(rig->src, rig->plan.len, 1);
	for (size_t at = 0; at < rig->plan.len && !err; at += step) {
		size_t len = rig->plan.len - at < step ? rig->plan.len - at : step;

		if (rig->plan.hole && at / step % 2)
			memset(rig->src + at, 0, len);
		else
			err = write_all(rig->in, rig->src + at, len, (off_t)at);
	}
	return err;
}

int rig_again(struct rig *rig)
{
	int err = cr_truncate(rig->out, 0);

	return err ? err : write_all(rig->out, rig->old, rig->plan.old_len, 0);
}

int rig_make(struct rig *rig, const struct rig_plan *plan)
{
	char url[URL_SIZE];
	int err;

	memset(rig, 0, sizeof(*rig));
	rig->plan = *plan;
	rig->ns = cr_ns_new();
	rig->src = malloc(plan->len + 1);
	rig->old = malloc(plan->old_len + 1);
	if (!rig->ns || !rig->src || !rig->old)
		return -ENOMEM;
	pattern(rig->old, plan->old_len, 77);
	rig_url(rig, NULL, "in", url);
	err = cr_open(rig->ns, url, O_RDWR | O_CREAT, 0600, &rig->in);
	rig_url(rig, NULL, "out", url);
	if (!err)
		err = cr_open(rig->ns, url, O_RDWR | O_CREAT, 0600, &rig->out);
	if (!err)
		err = fill_source(rig);
	if (!err)
		err = cr_sync(rig->in, false); /* extents that are on the disk */
	return err ? err : rig_again(rig);
}

int rig_open(struct rig *rig, const char *rules, struct copy_req *req)
{
	char url[URL_SIZE];
	int err;

	rig_url(rig, rules, "in", url);
	err = cr_open(rig->ns, url, O_RDONLY, 0, &req->in);
	if (err)
		return err;
	rig_url(rig, rules, "out", url);
	if (!req->len)
		req->len = rig->plan.len - (size_t)req->pos_in;
	return cr_open(rig->ns, url, O_RDWR, 0, &req->out);
}

void rig_close(struct copy_req *req)
{
	cr_close(req->in);
	cr_close(req->out);
	req->in = req->out = NULL;
}

void rig_free(struct rig *rig)
{
	cr_close(rig->in);
	cr_close(rig->out);
	cr_ns_free(rig->ns);
	free(rig->src);
	free(rig->old);
}

static const char *lie_in_counts(const struct copy_req *req, int err, const struct copy_result *res)
{
	uint64_t sum = 0;

	for (unsigned s = 0; s < COPY_STRATEGIES; s++)
		sum += res->by[s].bytes;
	if (res->bytes > req->len)
		return "more bytes than asked for";
	if (sum != res->bytes)
		return "the strategies' bytes do not add up";
	if (res->holes > res->bytes)
		return "more holes than bytes";
	if (res->stopped && err)
		return "stopped and an error";
	if (err > 0)
		return "a positive error";
	return NULL;
}

/* Where @old had no byte, what the range covers may be anything and the rest is zeros. */
static const char *lie_in_bytes(const struct rig *rig, const struct copy_req *req, const char *now,
				uint64_t size, uint64_t done)
{
	uint64_t start = (uint64_t)req->pos_out, end = start + req->len;

	if (memcmp(now + start, rig->src + req->pos_in, done) != 0)
		return "bytes that count as copied differ";
	for (uint64_t i = 0; i < size; i++) {
		char was = i < rig->plan.old_len ? rig->old[i] : 0;

		if ((i < start || i >= end) && now[i] != was)
			return i < start ? "bytes before the range changed"
					 : "bytes after the range changed";
	}
	return NULL;
}

static int64_t read_all(struct file *file, char **data)
{
	struct statx stx;
	uint64_t at = 0;
	int err = cr_getattr(file, NULL, &stx);

	if (err)
		return err;
	*data = malloc(stx.stx_size + 1);
	while (*data && at < stx.stx_size) {
		ssize_t n = cr_read(file, *data + at, stx.stx_size - at, (off_t)at);

		if (n <= 0)
			return n ? n : -EIO;
		at += (uint64_t)n;
	}
	return *data ? (int64_t)at : -ENOMEM;
}

const char *rig_lie(const struct rig *rig, const struct copy_req *req, int err,
		    const struct copy_result *res)
{
	uint64_t end = (uint64_t)req->pos_out + res->bytes;
	uint64_t most = end > rig->plan.old_len && res->bytes ? end : rig->plan.old_len;
	const char *lie = lie_in_counts(req, err, res);
	char *now = NULL;
	int64_t size;

	if (lie)
		return lie;
	size = read_all(rig->out, &now);
	if (size < 0)
		lie = "the target cannot be read";
	else if ((uint64_t)size < rig->plan.old_len)
		lie = "the target became shorter";
	else if ((uint64_t)size > most)
		lie = "the target is longer than its old size and the copied end";
	else if (res->bytes && (uint64_t)size < end)
		lie = "the target ends before what counts as copied";
	else
		lie = lie_in_bytes(rig, req, now, (uint64_t)size, res->bytes);
	free(now);
	return lie;
}
