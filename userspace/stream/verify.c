// SPDX-License-Identifier: GPL-2.0-or-later
#include "verify.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "apply.h"

#define BUCKETS 65536u
#define PIECE	(1u << 20)

struct range {
	uint64_t pos, len, sum;
};

/* All of one file. */
struct ranges {
	uint64_t ino;
	struct ranges *next;
	size_t n, size;
	uint64_t skipped;
	struct range *range;
};

struct verify {
	pthread_mutex_t lock;
	struct ranges *bucket[BUCKETS];
};

struct verify *verify_new(void)
{
	struct verify *v = calloc(1, sizeof(*v));

	if (v)
		pthread_mutex_init(&v->lock, NULL);
	return v;
}

static void forget_all(struct verify *v)
{
	struct ranges *r;

	for (unsigned b = 0; b < BUCKETS; b++)
		while ((r = v->bucket[b])) {
			v->bucket[b] = r->next;
			free(r->range);
			free(r);
		}
}

void verify_free(struct verify *v)
{
	if (!v)
		return;
	forget_all(v);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

static struct ranges *find(struct verify *v, uint64_t ino)
{
	struct ranges *r = v->bucket[ino % BUCKETS];

	while (r && r->ino != ino)
		r = r->next;
	return r;
}

/* What overlaps is not what was summed any more. */
static void cut(struct ranges *r, uint64_t begin, uint64_t end)
{
	size_t put = r->n;

	/* As a rule all lies before: streams write from front to back. */
	while (put && r->range[put - 1].pos + r->range[put - 1].len > begin)
		put--;
	for (size_t i = put; i < r->n; i++) {
		struct range *at = &r->range[i];

		if (at->pos < end && begin < at->pos + at->len) {
			uint64_t lost = at->pos < begin ? begin - at->pos : 0;

			lost += at->pos + at->len > end ? at->pos + at->len - end : 0;
			r->skipped += lost;
		} else {
			r->range[put++] = *at;
		}
	}
	r->n = put;
}

static bool overlaps(const struct ranges *r, uint64_t begin, uint64_t end)
{
	for (size_t i = r->n; i-- > 0;) {
		if (r->range[i].pos < end && begin < r->range[i].pos + r->range[i].len)
			return true;
	}
	return false;
}

static int add(struct verify *v, struct node *node, struct range range)
{
	struct ranges *r = find(v, node->ino);
	size_t i;

	if (!r) {
		r = calloc(1, sizeof(*r));
		if (!r)
			return -ENOMEM;
		r->ino = node->ino;
		r->next = v->bucket[r->ino % BUCKETS];
		v->bucket[r->ino % BUCKETS] = r;
	}
	if (r->n && r->range[r->n - 1].pos + r->range[r->n - 1].len > range.pos &&
	    overlaps(r, range.pos, range.pos + range.len))
		cut(r, range.pos, range.pos + range.len);
	if (r->n == r->size) {
		size_t size = r->size ? 2 * r->size : 1;
		struct range *more = realloc(r->range, size * sizeof(*more));

		if (!more)
			return -ENOMEM;
		r->range = more;
		r->size = size;
	}
	for (i = r->n++; i && r->range[i - 1].pos > range.pos; i--)
		r->range[i] = r->range[i - 1];
	r->range[i] = range;
	return 0;
}

int verify_range(struct verify *v, struct node *node, uint64_t pos, const void *data, size_t len)
{
	int err;

	if (!v || !len)
		return 0;
	pthread_mutex_lock(&v->lock);
	err = add(v, node, (struct range){pos, len, XXH3_64bits(data, len)});
	pthread_mutex_unlock(&v->lock);
	return err;
}

/* The sum of a range as it is read; -ENODATA when the file ends in it. */
static int sum_of(struct file *file, struct range *range, uint8_t *buf)
{
	XXH3_state_t *state = XXH3_createState();
	uint64_t at = 0;
	ssize_t n = 1;

	if (!state)
		return -ENOMEM;
	XXH3_64bits_reset(state);
	while (at < range->len && n > 0) {
		size_t want = range->len - at < PIECE ? range->len - at : PIECE;

		n = cr_read(file, buf, want, (off_t)(range->pos + at));
		if (n > 0) {
			XXH3_64bits_update(state, buf, (size_t)n);
			at += (uint64_t)n;
		}
	}
	range->sum = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return n < 0 ? (int)n : n ? 0 : -ENODATA;
}

/* What a clone brings is what its source holds, read now. */
int verify_clone(struct verify *v, struct node *node, const struct copy_req *req)
{
	struct range range = {.pos = (uint64_t)req->pos_in, .len = req->len};
	uint8_t *buf;
	int err;

	if (!v || !req->len)
		return 0;
	buf = malloc(PIECE);
	if (!buf)
		return -ENOMEM;
	err = sum_of(req->in, &range, buf);
	free(buf);
	if (err)
		return err;
	range.pos = (uint64_t)req->pos_out;
	pthread_mutex_lock(&v->lock);
	err = add(v, node, range);
	pthread_mutex_unlock(&v->lock);
	return err;
}

void verify_forget(struct verify *v, struct node *node, uint64_t begin, uint64_t end)
{
	struct ranges *r;

	if (!v)
		return;
	pthread_mutex_lock(&v->lock);
	r = find(v, node->ino);
	if (r)
		cut(r, begin, end);
	pthread_mutex_unlock(&v->lock);
}

/* Reading back ----------------------------------------------------------------------- */

struct walk {
	struct verify *v;
	struct verify_result *res;
	uint8_t *buf;
};

/* Without a trace in the times of access, which the stream has set; that is for owners. */
static int open_quietly(struct file *dir, const char *name, int how, struct file **filep)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | how;
	int err = cr_openat(dir, name, flags | O_NOATIME, 0, filep);

	return err == -EPERM ? cr_openat(dir, name, flags, 0, filep) : err;
}

/* As far as possible from the disk: pages that are clean by now are given up. */
static void drop_pages(struct file *file)
{
	if (cr_file_fd(file) >= 0)
		posix_fadvise(cr_file_fd(file), 0, 0, POSIX_FADV_DONTNEED);
}

static void wrong(struct walk *w, const char *name, uint64_t pos)
{
	if (w->res->wrong++)
		return;
	stream_escape(w->res->path, sizeof(w->res->path), (const uint8_t *)name, strlen(name));
	w->res->pos = pos;
}

static int check_file(struct walk *w, struct file *dir, const char *name, struct ranges *r)
{
	struct file *file;
	int err = open_quietly(dir, name, O_NONBLOCK, &file);

	if (err)
		return err;
	drop_pages(file);
	for (size_t i = 0; i < r->n && !err; i++) {
		struct range seen = r->range[i];

		err = sum_of(file, &seen, w->buf);
		if (err == -ENODATA || err == -EIO || seen.sum != r->range[i].sum) {
			wrong(w, name, seen.pos);
			err = 0;
		}
		w->res->bytes += seen.len;
	}
	w->res->files++;
	w->res->skipped += r->skipped;
	r->n = 0; /* another name of it is not read again */
	cr_close(file);
	return err;
}

static int walk_dir(struct walk *w, struct file *dir);

static int walk_name(struct walk *w, struct file *dir, const struct dirent_view *view)
{
	struct file *sub;
	struct statx stx;
	struct ranges *r;
	int err = cr_getattr(dir, view->name, &stx);

	if (err)
		return err;
	if (S_ISREG(stx.stx_mode)) {
		r = find(w->v, stx.stx_ino);
		return r && r->n ? check_file(w, dir, view->name, r) : 0;
	}
	if (!S_ISDIR(stx.stx_mode))
		return 0;
	err = open_quietly(dir, view->name, O_DIRECTORY, &sub);
	if (err)
		return err;
	err = walk_dir(w, sub);
	cr_close(sub);
	return err;
}

static int walk_dir(struct walk *w, struct file *dir)
{
	enum { NAMES = 32768 };
	struct dirbuf buf = {.data = malloc(NAMES), .size = NAMES};
	struct dirent_view view;
	ssize_t n = 1;
	int err = buf.data ? 0 : -ENOMEM;

	while (!err && (n = cr_readdir(dir, &buf)) > 0)
		while (!err && dirbuf_next(&buf, &view))
			err = walk_name(w, dir, &view);
	free(buf.data);
	return err ? err : n < 0 ? (int)n : 0;
}

int verify_tree(struct verify *v, struct file *root, struct verify_result *res)
{
	struct walk w = {.v = v, .res = res, .buf = malloc(PIECE)};
	struct file *dir;
	int err = w.buf ? open_quietly(root, ".", O_DIRECTORY, &dir) : -ENOMEM;

	memset(res, 0, sizeof(*res));
	if (!err) {
		err = walk_dir(&w, dir);
		cr_close(dir);
	}
	free(w.buf);
	forget_all(v);
	return err;
}
