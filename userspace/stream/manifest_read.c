// SPDX-License-Identifier: GPL-2.0-or-later
/* manifest_read.c - reads manifests, of which nothing is believed: see manifest.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crc32c.h"
#include "lib/bytes.h"
#include "manifest.h"

#define HEADER (13 + 4 + 4 + 16 + 8 + 12 + 8)
#define BUFFER (256u << 10)
#define GIGA   1000000000u
#define RACY_SEC                                                                                   \
	2 /* a change time this close to the beginning may be that of a later change, too */

struct reader {
	ssize_t (*read)(void *arg, void *buf, size_t len);
	void *arg;
	uint8_t *buf; /* bytes not looked at yet begin at at */
	size_t at, len, size;
	struct crc32c_table crc;
	struct manifest_head *head;
	struct tree *tree;
	uint32_t *index; /* number of a record: index of its entry */
	uint32_t nindex;
	const char **reason;
};

static int broken(struct reader *r, const char *reason)
{
	*r->reason = reason;
	return -EUCLEAN;
}

/* At least @len bytes are in the buffer: its size grows with what comes, not with what is promised.
 */
static int fill(struct reader *r, size_t len)
{
	uint8_t *bigger;
	ssize_t n;

	memmove(r->buf, r->buf + r->at, r->len - r->at);
	r->len -= r->at;
	r->at = 0;
	while (r->len < len) {
		if (r->len == r->size) {
			bigger = realloc(r->buf, r->size * 2);
			if (!bigger)
				return -ENOMEM;
			r->buf = bigger;
			r->size *= 2;
		}
		n = r->read(r->arg, r->buf + r->len, r->size - r->len);
		if (n < 0)
			return (int)n;
		if (!n)
			return broken(r, "it ends too early");
		r->len += (size_t)n;
	}
	return 0;
}

static int need(struct reader *r, size_t len)
{
	return r->len - r->at >= len ? 0 : fill(r, len);
}

/* What is left of one record; a read beyond its end gives zeros and is remembered. */
struct cursor {
	const uint8_t *at, *end;
	bool wrong;
};

static const uint8_t *take(struct cursor *c, size_t len)
{
	const uint8_t *p = c->at;

	if ((size_t)(c->end - c->at) < len) {
		c->wrong = true;
		return NULL;
	}
	c->at += len;
	return p;
}

static uint64_t number(struct cursor *c, size_t len)
{
	const uint8_t *p = take(c, len);
	uint8_t bytes[8] = {0};

	if (p)
		memcpy(bytes, p, len);
	return get_le64(bytes);
}

static struct timespec time_in(struct cursor *c)
{
	struct timespec t;
	uint32_t nsec;

	t.tv_sec = (time_t)number(c, 8);
	nsec = (uint32_t)number(c, 4);
	c->wrong |= nsec >= GIGA;
	t.tv_nsec = nsec;
	return t;
}

static int read_head(struct reader *r)
{
	struct cursor c;
	int err = need(r, HEADER + 4);
	uint32_t version;

	if (err)
		return err == -EUCLEAN ? broken(r, "it is no manifest") : err;
	if (memcmp(r->buf + r->at, "ocp-manifest", 13) != 0)
		return broken(r, "it is no manifest");
	c = (struct cursor){r->buf + r->at + 13, r->buf + r->at + HEADER, false};
	version = (uint32_t)number(&c, 4);
	if (version != MANIFEST_VERSION) {
		*r->reason = "it is of a later version";
		return -EOPNOTSUPP;
	}
	if (crc32c(&r->crc, 0, r->buf + r->at, HEADER) != get_le32(r->buf + r->at + HEADER))
		return broken(r, "its header is damaged");
	r->head->flags = (uint32_t)number(&c, 4);
	memcpy(r->head->uuid, take(&c, 16), 16);
	r->head->ctransid = number(&c, 8);
	r->head->began = time_in(&c);
	if (c.wrong || number(&c, 8) != RANGE_SIZE)
		return broken(r, "its header makes no sense");
	r->at += HEADER + 4;
	return 0;
}

/* A name of a directory entry, and no way out of it. */
static char *name_in(struct cursor *c, size_t len, bool root)
{
	const uint8_t *p = take(c, len);
	char *name;

	if (!p || (root ? len != 0 : !len || memchr(p, '/', len) || stream_path_wrong(p, len))) {
		c->wrong = true;
		return NULL;
	}
	name = strndup((const char *)p, len);
	return name;
}

static int marks_in(struct cursor *c, struct tree_entry *e)
{
	uint32_t n = (uint32_t)number(c, 2);
	const uint8_t *p;
	size_t len;

	if (c->wrong || !n)
		return 0;
	if ((size_t)(c->end - c->at) / 18 < n) { /* each takes that at least */
		c->wrong = true;
		return 0;
	}
	e->marks = calloc(n, sizeof(*e->marks));
	if (!e->marks)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && !c->wrong; i++) {
		len = (size_t)number(c, 1);
		p = take(c, len);
		if (!p || !len || memchr(p, 0, len)) {
			c->wrong = true;
			break;
		}
		e->marks[i].name = strndup((const char *)p, len);
		if (!e->marks[i].name)
			return -ENOMEM;
		e->nmarks = i + 1;
		p = take(c, 16);
		if (p)
			memcpy(e->marks[i].hash, p, 16);
	}
	return 0;
}

static int hashes_in(struct cursor *c, struct tree_entry *e)
{
	uint32_t n = (uint32_t)number(c, 4);
	const uint8_t *p = take(c, (size_t)n * 16);

	if (!p || !n)
		return 0;
	if (!S_ISREG(e->mode) || n != (e->size + RANGE_SIZE - 1) / RANGE_SIZE) {
		c->wrong = true;
		return 0;
	}
	e->hashes = malloc((size_t)n * 16);
	if (!e->hashes)
		return -ENOMEM;
	memcpy(e->hashes, p, (size_t)n * 16);
	e->nhashes = n;
	return 0;
}

static bool is_type(uint32_t mode)
{
	return mode <= 0177777 &&
	       (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) ||
		S_ISFIFO(mode) || S_ISSOCK(mode));
}

static bool is_racy(const struct reader *r, struct timespec ctime)
{
	return ctime.tv_sec >= r->head->began.tv_sec - RACY_SEC;
}

/* Remembers where record @num is; numbers grow, so the table does, too. */
static int set_index(struct reader *r, uint32_t num)
{
	uint32_t *bigger, size;

	if (num >= r->nindex) {
		/* Some are left out by a sender, but never so many. */
		if (num > 2 * (uint64_t)r->tree->n + 65536)
			return broken(r, "a number is left out");
		size = num + num / 2 + 64;
		bigger = realloc(r->index, size * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		memset(bigger + r->nindex, 0xff, (size_t)(size - r->nindex) * sizeof(*bigger));
		r->index = bigger;
		r->nindex = size;
	}
	r->index[num] = r->tree->n - 1;
	return 0;
}

static int entry_in(struct reader *r, struct cursor *c, uint32_t *last)
{
	uint32_t num = (uint32_t)number(c, 4), parent = (uint32_t)number(c, 4), flags;
	bool root = !r->tree->n;
	struct tree_entry *e;
	int err;

	if (root ? num != 0 || parent != MANIFEST_NONE
		 : num <= *last || parent >= num || parent >= r->nindex ||
			    r->index[parent] == TREE_NONE ||
			    !S_ISDIR(r->tree->v[r->index[parent]].mode))
		return broken(r, "an entry is out of order");
	e = tree_add(r->tree);
	if (!e)
		return -ENOMEM;
	e->parent = root ? TREE_NONE : r->index[parent];
	*last = num;
	flags = (uint32_t)number(c, 4);
	e->mode = (uint32_t)number(c, 4);
	e->uid = (uint32_t)number(c, 4);
	e->gid = (uint32_t)number(c, 4);
	e->nlink = (uint32_t)number(c, 4);
	e->rdev = number(c, 8);
	e->dev = number(c, 8);
	e->ino = number(c, 8);
	e->size = number(c, 8);
	e->mtime = time_in(c);
	e->ctime = time_in(c);
	e->btime = time_in(c);
	e->has_btime = flags & MANIFEST_BTIME;
	e->hashed = flags & MANIFEST_HASHED;
	e->changed = flags & MANIFEST_CHANGED;
	e->dirty = e->changed || is_racy(r, e->ctime);
	c->wrong |= !is_type(e->mode) || (root && !S_ISDIR(e->mode)) || e->size > INT64_MAX;
	e->name = name_in(c, (size_t)number(c, 2), root);
	if (!c->wrong && !e->name)
		return -ENOMEM;
	err = c->wrong ? 0 : marks_in(c, e);
	if (!err && !c->wrong)
		err = hashes_in(c, e);
	if (!err && (c->wrong || c->at != c->end))
		err = broken(r, "an entry makes no sense");
	if (e->hashed && e->nhashes != (e->size + RANGE_SIZE - 1) / RANGE_SIZE)
		e->hashed = false;
	return err ? err : set_index(r, num);
}

/* One record: 1 when it was the last. */
static int record_in(struct reader *r, uint32_t *last)
{
	struct cursor c;
	uint32_t len;
	uint8_t kind;
	int err = need(r, 8);

	if (err)
		return err;
	len = get_le32(r->buf + r->at);
	if (!len || len > MANIFEST_RECORD)
		return broken(r, "the length of a record makes no sense");
	err = need(r, 8 + (size_t)len);
	if (err)
		return err;
	if (crc32c(&r->crc, 0, r->buf + r->at + 8, len) != get_le32(r->buf + r->at + 4))
		return broken(r, "a record is damaged");
	c = (struct cursor){r->buf + r->at + 8, r->buf + r->at + 8 + len, false};
	r->at += 8 + (size_t)len;
	kind = (uint8_t)number(&c, 1);
	if (kind == 1)
		return entry_in(r, &c, last);
	if (kind != 2 || number(&c, 8) != r->tree->n || c.wrong || c.at != c.end || !r->tree->n)
		return broken(r, "its last record makes no sense");
	return 1;
}

static int name_order(const void *x, const void *y, void *arg)
{
	const struct tree *t = arg;
	const struct tree_entry *a = &t->v[*(const uint32_t *)x], *b = &t->v[*(const uint32_t *)y];

	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* No directory has a name twice. */
static int check_names(struct reader *r)
{
	struct tree *t = r->tree;
	uint32_t *v = malloc(t->n * sizeof(*v));
	int err = 0;

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n; i++)
		v[i] = i;
	qsort_r(v, t->n, sizeof(*v), name_order, t);
	for (uint32_t i = 1; i < t->n && !err; i++)
		if (!name_order(&v[i - 1], &v[i], t))
			err = broken(r, "a directory has a name twice");
	free(v);
	return err;
}

int manifest_read(ssize_t (*read)(void *arg, void *buf, size_t len), void *arg,
		  struct manifest_head *head, struct tree *tree, const char **reason)
{
	struct reader r = {.read = read, .arg = arg, .head = head, .tree = tree, .reason = reason};
	uint32_t last = 0;
	int err;

	*head = (struct manifest_head){0};
	*tree = (struct tree){0};
	*reason = NULL;
	r.size = BUFFER;
	r.buf = malloc(r.size);
	if (!r.buf)
		return -ENOMEM;
	crc32c_init(&r.crc);
	err = read_head(&r);
	while (!err)
		err = record_in(&r, &last);
	err = err > 0 ? check_names(&r) : err;
	free(r.buf);
	free(r.index);
	return err;
}
