// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verify.c - --verify: each copy is read back from its storage and compared, before
 * it gets its name; --manifest: the sums of those that were as they should be.
 *
 * Source and copy are compared byte by byte, so that the first difference can be
 * named.  A source that cannot be read twice (a pipe) is compared by the XXH3-128
 * of what was read from it.  Holes are read like data: whether there is one is
 * what the file systems say, and that is not believed here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "ocp.h"

#define READ_BACK ((size_t)512 << 10)
#define ALIGN	  4096

struct verify {
	XXH3_state_t *state;
	unsigned char *copy, *source; /* READ_BACK bytes each */
};

struct manifest {
	pthread_mutex_t lock;
	FILE *out;
};

int verify_new(struct worker *w)
{
	struct verify *v = calloc(1, sizeof(*v));

	w->verify = v;
	if (!v)
		return -ENOMEM;
	v->state = XXH3_createState();
	v->copy = aligned_alloc(ALIGN, READ_BACK);
	v->source = aligned_alloc(ALIGN, READ_BACK);
	return v->state && v->copy && v->source ? 0 : -ENOMEM;
}

void verify_free(struct verify *v)
{
	if (!v)
		return;
	XXH3_freeState(v->state);
	free(v->copy);
	free(v->source);
	free(v);
}

void verify_begin(struct worker *w)
{
	if (w->verify)
		XXH3_128bits_reset(w->verify->state);
}

void verify_feed(struct worker *w, const void *data, size_t len)
{
	if (w->verify)
		XXH3_128bits_update(w->verify->state, data, len);
}

static void digest(struct verify *v, uint64_t sum[2])
{
	XXH128_hash_t hash = XXH3_128bits_digest(v->state);

	sum[0] = hash.high64;
	sum[1] = hash.low64;
}

/* As much as fits, less only at the end. */
static ssize_t read_full(struct file *file, unsigned char *buf, uint64_t pos)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = cr_read(file, buf + done, READ_BACK - done, (off_t)(pos + done));
		done += n > 0 ? (size_t)n : 0;
	} while (n > 0 && done < READ_BACK);
	return n < 0 ? n : (ssize_t)done;
}

/* Some file systems take O_DIRECT and refuse a read by it, or the rest of a short one. */
static ssize_t read_back(struct file *out, unsigned char *buf, uint64_t pos)
{
	ssize_t n = read_full(out, buf, pos);

	if (n != -EINVAL)
		return n;
	n = cr_uncached(out, false);
	return n ? n : read_full(out, buf, pos);
}

static size_t first_difference(const unsigned char *a, const unsigned char *b, size_t len)
{
	size_t i = 0;

	while (i < len && a[i] == b[i])
		i++;
	return i;
}

/* What both sides of a comparison came to. */
struct outcome {
	int err; /* of a read, after its message; or of a difference */
	bool differs, longer;
	uint64_t pos; /* where */
	uint64_t end; /* what is behind it does not count */
};

/* The part at @pos; false where no more follows. */
static bool compare_step(struct worker *w, struct item *it, struct file *out, uint64_t pos,
			 struct outcome *o)
{
	struct verify *v = w->verify;
	ssize_t n = read_back(out, v->copy, pos), m;
	size_t len, same;

	if (n < 0) {
		o->err = (int)n;
		item_error(w, it, o->err, MSG_READ_BACK);
		return false;
	}
	if ((uint64_t)n > o->end - pos)
		n = (ssize_t)(o->end - pos);
	verify_feed(w, v->copy, (size_t)n);
	if (!has_ranges(it->src.stx_mode))
		return n == READ_BACK;
	m = read_full(it->in, v->source, pos);
	if (m < 0) {
		o->err = (int)m;
		item_error(w, it, o->err, MSG_READ);
		return false;
	}
	len = (size_t)(n < m ? n : m);
	same = memcmp(v->copy, v->source, len) ? first_difference(v->copy, v->source, len) : len;
	if (same < len || n != m) {
		o->differs = true;
		o->longer = n > m;
		o->pos = pos + same;
	}
	return !o->differs && n == READ_BACK;
}

static int differs(struct worker *w, const struct item *it, uint64_t pos)
{
	char *src = path_src(it->dir->node, it->name), *dst = path_dst(it->dir->node, it->dname);

	report_differs(w->ocp->report, dst, src, pos);
	free(src);
	free(dst);
	return -EILSEQ;
}

/*
 * verify_copy - read back the @bytes that were copied to @out, which is open for both
 *
 * Return: 0 and it->sum, or an error after its message.
 */
int verify_copy(struct worker *w, struct item *it, struct file *out, uint64_t bytes)
{
	uint64_t read[2] = {0}, pos = 0;
	/* A device may be longer than what was copied to it. */
	struct outcome o = {.end = cr_file_limit(out) ? bytes : UINT64_MAX};
	int err = cr_uncached(out, true);

	if (err) {
		item_error(w, it, err, MSG_READ_BACK);
		return err;
	}
	if (!has_ranges(it->src.stx_mode))
		digest(w->verify, read); /* what went in */
	verify_begin(w);
	while (compare_step(w, it, out, pos, &o)) {
		if (ocp_stopped(w->ocp)) {
			item_error(w, it, 0, MSG_INTERRUPTED);
			return -EINTR;
		}
		pos += READ_BACK;
	}
	if (o.err)
		return o.err;
	digest(w->verify, it->sum);
	it->summed = true;
	/* What the source has got since then is no difference. */
	if (o.differs && (o.longer || o.pos < bytes))
		return differs(w, it, o.pos);
	if (!has_ranges(it->src.stx_mode) && memcmp(read, it->sum, sizeof(read)) != 0)
		return differs(w, it, UINT64_MAX);
	report_verified(w->ocp->report);
	return 0;
}

/* manifest_open - with --manifest; 0 or an error after its message */
int manifest_open(struct ocp *ocp)
{
	const char *name = ocp->o->manifest;
	struct manifest *m;

	if (!name || ocp->o->dry_run)
		return 0;
	m = calloc(1, sizeof(*m));
	if (!m) {
		report_error(ocp->report, ENOMEM, MSG_NO_MEMORY, NULL, NULL);
		return -ENOMEM;
	}
	m->out = fopen(name, ocp->again ? "ae" : "we");
	if (!m->out) {
		int err = -errno;

		report_error(ocp->report, err, MSG_MANIFEST, name, NULL);
		free(m);
		return err;
	}
	setvbuf(m->out, NULL, _IOLBF, 0);
	pthread_mutex_init(&m->lock, NULL);
	ocp->manifest = m;
	return 0;
}

/* A name with a line end is escaped as sha256sum does: a backslash before the sum. */
static void put_name(FILE *out, const char *name)
{
	for (; *name; name++)
		if (*name == '\n')
			fputs("\\n", out);
		else if (*name == '\r')
			fputs("\\r", out);
		else if (*name == '\\')
			fputs("\\\\", out);
		else
			fputc(*name, out);
}

/* manifest_add - @it has its name: it is listed, a whole line at a time */
void manifest_add(struct worker *w, const struct item *it)
{
	struct manifest *m = w->ocp->manifest;
	char *name = path_dst(it->dir->node, it->dname);
	bool escape = strpbrk(name, "\n\r");

	pthread_mutex_lock(&m->lock);
	fprintf(m->out, "%s%016llx%016llx  ", escape ? "\\" : "", (unsigned long long)it->sum[0],
		(unsigned long long)it->sum[1]);
	if (escape)
		put_name(m->out, name);
	else
		fputs(name, m->out);
	fputc('\n', m->out);
	pthread_mutex_unlock(&m->lock);
	free(name);
}

void manifest_close(struct ocp *ocp)
{
	struct manifest *m = ocp->manifest;

	if (!m)
		return;
	if (ferror(m->out) | fclose(m->out))
		report_error(ocp->report, errno, MSG_MANIFEST_WRITE, ocp->o->manifest, NULL);
	pthread_mutex_destroy(&m->lock);
	free(m);
	ocp->manifest = NULL;
}
