// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resume.c - --resume: a copy that was interrupted goes on.
 *
 * A file that has its name is taken for whole when size and modification time are
 * the source's, which ocp sets after the last byte, and when nothing else than such
 * runs can have put it there since the machine started (the journal of the tree).
 * In any other case its contents are compared.
 *
 * A large file is made as .NAME.ocp-partial, range by range; each is on the storage
 * before the journal .NAME.ocp-journal says so.  It goes on from there if the source
 * is the same inode with the same size and times.  Ranges are as small as they can
 * be for little cost: a tenth of a second, and a twentieth of that to sync and note it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "journal.h"
#include "ocp.h"

#define LARGE	   ((uint64_t)32 << 20)
#define RANGE_MIN  ((uint64_t)256 << 10)
#define RANGE_MAX  ((uint64_t)32 << 20)
#define RANGE_NS   ((uint64_t)100 * 1000 * 1000)
#define MARK_SHARE 20
#define COMPARE	   ((size_t)256 << 10)
#define NAME_LIMIT 255
#define FLAGS_NEW  (O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

struct partial {
	struct journal journal;
	char name[TEMP_MAX]; /* of the journal */
	uint64_t done;	     /* copied by this and earlier runs */
	uint64_t range;	     /* bytes until that is noted again */
	uint64_t rate;	     /* of the last one, bytes a microsecond in 1/1024 */
};

/* @name with a tail that no other name beside it gets; longer ones are cut and numbered. */
static void name_with(const char *name, const char *tail, char out[TEMP_MAX])
{
	size_t len = strlen(name), max = NAME_LIMIT - 1 - strlen(tail);
	uint64_t h = 14695981039346656037u;
	char number[20] = "", *whole;

	while (len > 1 && name[len - 1] == '/')
		len--;
	if (len > max) {
		for (size_t i = 0; i < len; i++)
			h = (h ^ (unsigned char)name[i]) * 1099511628211u;
		snprintf(number, sizeof(number), "-%016llx", (unsigned long long)h);
		for (len = max - 17; len && ((unsigned char)name[len] & 0xc0) == 0x80; len--)
			;
	}
	if (asprintf(&whole, ".%.*s%s%s", (int)len, name, number, tail) < 0)
		whole = NULL;
	snprintf(out, TEMP_MAX, "%s", whole ? whole : "");
	free(whole);
}

void partial_name(const char *name, char out[TEMP_MAX])
{
	name_with(name, ".ocp-partial", out);
}

static ssize_t read_full(struct file *file, char *buf, uint64_t pos)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = cr_read(file, buf + done, COMPARE - done, (off_t)(pos + done));
		done += n > 0 ? (size_t)n : 0;
	} while (n > 0 && done < COMPARE);
	return n < 0 ? n : (ssize_t)done;
}

/* Whether the first @len bytes are equal; what cannot be read is not. */
static bool equal(struct ocp *ocp, struct file *a, struct file *b, uint64_t len)
{
	char *buf = malloc(2 * COMPARE);
	uint64_t pos = 0;
	bool same = buf;

	while (same && pos < len && !ocp_stopped(ocp)) {
		ssize_t n = read_full(a, buf, pos), m = read_full(b, buf + COMPARE, pos);
		uint64_t part = len - pos < COMPARE ? len - pos : COMPARE;

		same = n >= (ssize_t)part && m >= (ssize_t)part &&
		       !memcmp(buf, buf + COMPARE, part);
		pos += part;
	}
	free(buf);
	return same && pos >= len;
}

static bool same_contents(struct worker *w, const struct item *it)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
	int follow = item_follows(w->ocp, it) ? 0 : O_NOFOLLOW;
	struct file *src = NULL, *dst = NULL;
	bool same;

	same = !cr_openat(it->dir->src, it->name, flags | follow, 0, &src) &&
	       !cr_openat(it->dir->dst, it->dname, flags | O_NOFOLLOW, 0, &dst) &&
	       equal(w->ocp, src, dst, it->src.stx_size);
	cr_close(src);
	cr_close(dst);
	return same;
}

static bool same_time(const struct statx *a, const struct statx *b)
{
	return a->stx_mtime.tv_sec == b->stx_mtime.tv_sec &&
	       a->stx_mtime.tv_nsec == b->stx_mtime.tv_nsec;
}

/* resume_whole - what stands at the target needs no byte of the source any more */
bool resume_whole(struct worker *w, const struct item *it)
{
	const struct ocp_opts *o = w->ocp->o;

	if (!o->resume || o->attributes_only || o->hard_link || o->symbolic_link)
		return false;
	if (!S_ISREG(it->src.stx_mode) || !S_ISREG(it->dst.stx_mode) ||
	    it->src.stx_size != it->dst.stx_size)
		return false;
	if (o->checksum)
		return same_contents(w, it);
	if (!same_time(&it->src, &it->dst))
		return false;
	return (it->dir->trusted && !o->verify) || same_contents(w, it);
}

/* The journal of a tree is beside it; one of each part with --shard. */
static void tree_name(const struct ocp_opts *o, const char *dname, char name[TEMP_MAX])
{
	char tail[48] = ".ocp-journal";

	if (o->shards)
		snprintf(tail, sizeof(tail), ".ocp-journal-%u-%u", o->shard, o->shards);
	name_with(dname, tail, name);
}

/* resume_has_tree - a run that made @dname in @dir was interrupted */
bool resume_has_tree(const struct ocp *ocp, struct file *dir, const char *dname)
{
	char name[TEMP_MAX];
	struct statx stx;

	tree_name(ocp->o, dname, name);
	return !cr_getattr(dir, name, &stx) && S_ISREG(stx.stx_mode) && stx.stx_uid == geteuid();
}

static void journal_error(struct worker *w, const struct item *it, int err, const char *name)
{
	char *path = path_dst(it->dir->node, name);

	if (err == -EBUSY)
		report_error(w->ocp->report, 0, MSG_BUSY, path, NULL);
	else
		report_error(w->ocp->report, err, MSG_JOURNAL, path, NULL);
	free(path);
}

/* On the storage before anything depends on it: what it takes back must not come again. */
static int put_durable(struct journal *j, struct file *dir)
{
	int err = journal_put(j);

	if (!err)
		err = cr_sync(j->file, false);
	if (!err)
		err = cr_sync(dir, false);
	return err == -EBADF ? 0 : err; /* a directory that may be entered only */
}

/* What an earlier run's journal @j is worth for what stands in @d now. */
static uint32_t flags_now(const struct ocp *ocp, const struct item *it, const struct dir *d,
			  const struct journal *j, bool same_boot)
{
	const struct journal_state *s = &j->now;

	if (!j->found)
		return d->made || (ocp->team && ocp->team->made) ? JOURNAL_OURS | JOURNAL_SYNCED
								 : 0;
	if (d->made || s->ino != it->src.stx_ino || s->partial_ino != cr_file_id(d->dst)->ino)
		return 0;
	/* After a crash of the machine a file may have its size and time without its bytes. */
	return same_boot || (s->flags & JOURNAL_SYNCED) ? s->flags : 0;
}

/* resume_tree - the operand @it is a directory and became @d; 0 or an error after its message */
int resume_tree(struct worker *w, struct item *it, struct dir *d)
{
	const struct ocp_opts *o = w->ocp->o;
	uint8_t boot[JOURNAL_BOOT];
	char name[TEMP_MAX];
	struct journal *j;
	bool known;
	int err;

	if (!it->operand)
		d->trusted = it->dir->trusted;
	if (!it->operand || !o->resume)
		return 0;
	tree_name(o, it->dname, name);
	j = malloc(sizeof(*j));
	err = j ? journal_open(it->dir->dst, name, j) : -ENOMEM;
	if (err) {
		free(j);
		journal_error(w, it, err, name);
		return err;
	}
	d->journal = j;
	known = journal_boot(boot);
	j->now.flags =
		flags_now(w->ocp, it, d, j, known && !memcmp(boot, j->now.boot, sizeof(boot)));
	if (o->sync != SYNC_FILE)
		j->now.flags &= ~JOURNAL_SYNCED;
	journal_source(&j->now, &it->src);
	j->now.partial_ino = cr_file_id(d->dst)->ino;
	memcpy(j->now.boot, boot, sizeof(boot));
	d->trusted = known && (j->now.flags & JOURNAL_OURS);
	err = put_durable(j, it->dir->dst);
	if (err)
		journal_error(w, it, err, name);
	else if (w->ocp->team && w->ocp->team->begun)
		w->ocp->team->begun(w->ocp->team, d->trusted);
	return err;
}

/* resume_tree_forget - the journals of all shards of what @dname in @dir has become */
void resume_tree_forget(const struct ocp *ocp, struct file *dir, const char *dname)
{
	struct ocp_opts o = *ocp->o;
	char name[TEMP_MAX];

	for (o.shard = 1; o.shard <= o.shards; o.shard++) {
		tree_name(&o, dname, name);
		cr_unlink(dir, name, 0);
	}
}

/* resume_tree_end - everything below @d is done, or this run gives up */
void resume_tree_end(struct worker *w, struct dir *d)
{
	char name[TEMP_MAX];

	if (!d->journal)
		return;
	if (!w->ocp->team && !ocp_stopped(w->ocp) && !report_errors(w->ocp->report) && d->up->dst) {
		tree_name(w->ocp->o, d->node->dst_name, name);
		cr_unlink(d->up->dst, name, 0);
	}
	journal_close(d->journal);
	free(d->journal);
	d->journal = NULL;
}

bool resume_is_large(const struct ocp *ocp, const struct item *it)
{
	return ocp->o->resume && !ocp->o->attributes_only && S_ISREG(it->src.stx_mode) &&
	       it->src.stx_size > LARGE;
}

/* The file that the journal speaks of, as long as it has what that says it has. */
static int partial_again(struct worker *w, struct item *it, struct partial *p, const char *temp,
			 struct file **out)
{
	struct journal_state *s = &p->journal.now;
	struct statx stx;
	int err;

	if (!p->journal.found || !journal_same_source(s, &it->src))
		return -ENOENT;
	err = cr_openat(it->dir->dst, temp, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0, out);
	if (err)
		return -ENOENT;
	err = cr_getattr(*out, NULL, &stx);
	if (err || !S_ISREG(stx.stx_mode) || stx.stx_nlink != 1 || stx.stx_ino != s->partial_ino ||
	    stx.stx_size < s->done || s->done > it->src.stx_size ||
	    (w->ocp->o->checksum && !equal(w->ocp, it->in, *out, s->done)) ||
	    cr_truncate(*out, (off_t)s->done)) {
		cr_close(*out);
		*out = NULL;
		return -ENOENT;
	}
	p->done = s->done;
	return 0;
}

static int partial_new(struct item *it, struct partial *p, mode_t mode, const char *temp,
		       struct file **out)
{
	struct statx stx;
	int err;

	err = cr_unlink(it->dir->dst, temp, 0);
	if (!err || err == -ENOENT)
		err = cr_openat(it->dir->dst, temp, FLAGS_NEW, mode, out);
	if (!err)
		err = cr_getattr(*out, NULL, &stx);
	if (err)
		return err;
	memset(&p->journal.now, 0, sizeof(p->journal.now));
	journal_source(&p->journal.now, &it->src);
	p->journal.now.partial_ino = stx.stx_ino;
	/*
	 * Before this is written the old journal speaks of a file that is gone, of whose number
	 * the new one may have come; a crash must not bring that back.
	 */
	return p->journal.found ? put_durable(&p->journal, it->dir->dst) : journal_put(&p->journal);
}

/*
 * partial_open - what @it becomes until it is complete: that of an earlier run, or new
 * @temp: its name
 *
 * Return: 0 and it->partial, or an error; -EBUSY after a message.
 */
int partial_open(struct worker *w, struct item *it, mode_t mode, char temp[TEMP_MAX],
		 struct file **out)
{
	struct partial *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	partial_name(it->dname, temp);
	name_with(it->dname, ".ocp-journal", p->name);
	err = journal_open(it->dir->dst, p->name, &p->journal);
	if (err) {
		journal_error(w, it, err, p->name);
		free(p);
		return -EBUSY;
	}
	err = partial_again(w, it, p, temp, out);
	if (err)
		err = partial_new(it, p, mode, temp, out);
	p->range = RANGE_MIN;
	it->partial = p;
	return err;
}

/* The bytes up to p->done are there to stay. */
static int partial_mark(struct partial *p, struct file *out)
{
	int err = cr_sync(out, true);

	if (err)
		return err;
	p->journal.now.done = p->done;
	return journal_put(&p->journal);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * The next range, after one that took @copied ns and @marked ns to be noted: larger where
 * that was soon done, or noting was dear, or larger ones were faster.
 */
static void partial_pace(struct partial *p, uint64_t copied, uint64_t marked)
{
	uint64_t took = copied + marked, rate = p->range * 1024 / (took / 1000 + 1);

	if (took < RANGE_NS || marked * MARK_SHARE > copied || rate > p->rate + p->rate / 4)
		p->range = p->range < RANGE_MAX ? p->range * 2 : RANGE_MAX;
	else if (took > 10 * RANGE_NS && p->range > RANGE_MIN)
		p->range /= 2;
	p->rate = rate;
}

static int partial_range(struct ocp *ocp, const struct copy_req *req, uint64_t size,
			 struct copy_result *part)
{
	if (ocp->o->bwlimit)
		return throttle_copy(ocp, size, req, part);
	return cr_copy_range(req, part);
}

/* partial_copy - cr_copy_range() of the rest, range by range */
int partial_copy(struct worker *w, struct item *it, const struct copy_req *req,
		 struct copy_result *sum)
{
	struct partial *p = it->partial;
	struct copy_req rest = *req;
	bool synced = true;
	int err, end;

	*sum = (struct copy_result){0};
	if (rest.progress)
		__atomic_fetch_add(&rest.progress->bytes, p->done, __ATOMIC_RELAXED);
	rest.pos_in = rest.pos_out = (int64_t)p->done;
	err = clone_first(&rest, sum); /* takes no time, so it needs no ranges */
	p->done += sum->bytes;
	for (end = err != 1; !end;) {
		struct copy_result part = {0};
		uint64_t began = now_ns(), copied;

		rest.pos_in = rest.pos_out = (int64_t)p->done;
		rest.len = p->range;
		err = partial_range(w->ocp, &rest, it->src.stx_size, &part);
		copied = now_ns() - began;
		copy_result_add(sum, &part);
		p->done += part.bytes;
		end = err || part.stopped || part.bytes < rest.len;
		if (!end) {
			err = partial_mark(p, req->out);
			synced = !err;
			partial_pace(p, copied, now_ns() - began - copied);
		}
		end |= err != 0;
	}
	/*
	 * What an error or a signal leaves of a range is kept as well.  But the kernel tells
	 * only once of what it could not write: after that no sync says that it is there.
	 */
	if (synced && (err || sum->stopped))
		partial_mark(p, req->out);
	return err;
}

uint64_t partial_done(const struct item *it)
{
	return it->partial->done;
}

/* partial_end - it has its name, or @err says why not: what is kept for the next run stays */
void partial_end(struct item *it, const char *temp, int err)
{
	struct partial *p = it->partial;

	if (!p)
		return;
	it->partial = NULL;
	if (err == -EILSEQ) /* some of it is wrong, nobody knows how much */
		cr_unlink(it->dir->dst, temp, 0);
	if (!err || err == -EILSEQ)
		cr_unlink(it->dir->dst, p->name, 0);
	journal_close(&p->journal);
	free(p);
}

/* partial_note - the first @done bytes of @out are there to stay */
int partial_note(struct item *it, struct file *out, uint64_t done)
{
	it->partial->done = done;
	return partial_mark(it->partial, out);
}

/* partial_is_for_all - @it is large enough for several processes to copy it together */
bool partial_is_for_all(const struct ocp *ocp, const struct item *it)
{
	return ocp->team && it->src.stx_size > ocp->team->split && resume_is_large(ocp, it) &&
	       !((ocp->o->preserve & PRESERVE_LINKS) && it->src.stx_nlink > 1);
}

/* partial_leave - make what it becomes, for the others to open, and leave it at that */
int partial_leave(struct worker *w, struct item *it)
{
	struct file *out = NULL;
	char temp[TEMP_MAX];
	int err = partial_open(w, it, 0600, temp, &out);

	if (err && err != -EBUSY)
		item_error(w, it, err, MSG_CREATE);
	cr_close(out);
	partial_end(it, temp, err ? err : -EINTR);
	if (!err)
		w->ocp->team->large(w->ocp->team, it->dir->node, it->name, it->dname);
	return err;
}
