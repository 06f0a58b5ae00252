// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tokens.c - POPULATE TOKEN and WRITE USING TOKEN.
 *
 * Where the file system shares blocks, a token stands for a snapshot: its ranges are cloned,
 * each to where it was, into a file without a name beside the unit's own.  Elsewhere
 * the token stands for the unit itself and dies when one of its ranges is written, which the
 * standard calls change vulnerable.  Half of a token's bytes are random.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "tpc.h"

/* Ranges are cloned with what is around them, up to this: any block size divides it. */
#define CLONE_ALIGN ((uint64_t)64 << 10)

struct token {
	struct token *next;
	uint8_t bytes[TOKEN_SIZE];
	struct lu *lu;
	struct file *snapshot; /* NULL: the unit itself */
	uint64_t blocks;
	uint32_t timeout;
	uint64_t expires; /* seconds */
	unsigned refs;	  /* one is the list's */
	atomic_bool dead;
	unsigned n;
	struct token_range range[TOKEN_RANGES_MAX];
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec;
}

static struct engine *engine_of(const struct scsi_task *t)
{
	return t->nexus->target->engine;
}

/* With token_lock held. */
static void token_put(struct engine *e, struct token *k, unsigned refs)
{
	k->refs -= refs;
	if (k->refs)
		return;
	if (k->snapshot)
		cr_close(k->snapshot);
	else
		atomic_fetch_sub(&k->lu->tokens, 1);
	e->n_tokens--;
	free(k);
}

/* References to be put: that of the list, if it was there. */
static unsigned take_out(struct engine *e, struct token *k)
{
	struct token **at = &e->tokens;

	while (*at && *at != k)
		at = &(*at)->next;
	if (!*at)
		return 0;
	*at = k->next;
	return 1;
}

void tokens_expire(struct engine *e)
{
	uint64_t time = now();

	pthread_mutex_lock(&e->token_lock);
	for (struct token *k = e->tokens, *next; k; k = next) {
		next = k->next;
		if (k->expires <= time)
			token_put(e, k, take_out(e, k));
	}
	pthread_mutex_unlock(&e->token_lock);
}

void tokens_drop_all(struct engine *e)
{
	pthread_mutex_lock(&e->token_lock);
	while (e->tokens) {
		struct token *k = e->tokens;

		token_put(e, k, take_out(e, k));
	}
	pthread_mutex_unlock(&e->token_lock);
}

static bool touches(const struct token *k, uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < k->n; i++) {
		uint64_t pos = k->range[i].lba * BLOCK;

		if (pos < to && from < pos + (uint64_t)k->range[i].blocks * BLOCK)
			return true;
	}
	return false;
}

/* Called with the range locked, so that no one redeems while it is being written. */
void tokens_changed(struct lu *lu, uint64_t from, uint64_t to)
{
	struct engine *e = lu->engine;

	if (!atomic_load(&lu->tokens))
		return;
	pthread_mutex_lock(&e->token_lock);
	for (struct token *k = e->tokens; k; k = k->next)
		if (k->lu == lu && !k->snapshot && touches(k, from, to))
			atomic_store(&k->dead, true);
	pthread_mutex_unlock(&e->token_lock);
}

/* Ranges of both commands ---------------------------------------------------------------- */

/* Within the unit, not one over the other, not more than there may be; all blocks, or 0. */
static uint64_t check_ranges(struct scsi_task *t, const uint8_t *ranges, unsigned n, unsigned at)
{
	struct token_range a, b;
	uint64_t blocks = 0;

	if (n > TOKEN_RANGES_MAX) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_TOO_MANY_SEGMENTS);
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		token_range_decode(&a, ranges, i);
		blocks += a.blocks;
		if (a.lba > t->lu->blocks || a.blocks > t->lu->blocks - a.lba) {
			task_check(t, KEY_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
			return 0;
		}
		for (unsigned k = 0; k < i; k++) {
			token_range_decode(&b, ranges, k);
			if (a.lba < b.lba + b.blocks && b.lba < a.lba + a.blocks) {
				task_bad_list(t, at + i * TOKEN_RANGE);
				return 0;
			}
		}
	}
	if (blocks > TOKEN_BLOCKS_MAX) {
		task_bad_list(t, at);
		return 0;
	}
	return blocks;
}

/* POPULATE TOKEN ----------------------------------------------------------------------- */

static int clone_range(struct token *k, const struct token_range *r)
{
	uint64_t from = r->lba * BLOCK, to = from + (uint64_t)r->blocks * BLOCK;
	struct copy_req req = {
		.in = k->lu->file, .out = k->snapshot, .flags = COPY_RANGE_CLONE_ONLY};
	struct copy_result res;
	int err;

	if (!r->blocks)
		return 0;
	from -= from % CLONE_ALIGN;
	to = (to + CLONE_ALIGN - 1) / CLONE_ALIGN * CLONE_ALIGN;
	req.pos_in = req.pos_out = (int64_t)from;
	req.len = to - from;
	err = cr_copy_range(&req, &res);
	if (err)
		return err;
	/* Less only where the file ends. */
	return from + res.bytes >= (r->lba + r->blocks) * BLOCK ? 0 : -EIO;
}

static int open_unnamed(struct engine *e, const struct lu *lu, struct file **filep)
{
	const char *slash = strrchr(lu->name, '/');
	char *dir;
	int err;

	if (cr_file_fd(lu->file) < 0)
		return -EOPNOTSUPP;
	dir = slash ? strndup(lu->name, (size_t)(slash - lu->name) + 1) : strdup("./");
	if (!dir)
		return -ENOMEM;
	err = cr_open(e->ns, dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600, filep);
	free(dir);
	return err;
}

/* False where the file system has no clones. */
static bool take_snapshot(struct engine *e, struct token *k)
{
	int err = open_unnamed(e, k->lu, &k->snapshot);

	if (err) {
		k->snapshot = NULL;
		return false;
	}
	for (unsigned i = 0; i < k->n && !err; i++)
		err = clone_range(k, &k->range[i]);
	if (!err)
		return true;
	cr_close(k->snapshot);
	k->snapshot = NULL;
	return false;
}

static int fill_bytes(struct engine *e, struct token *k)
{
	struct rod_token r = {
		.type = k->snapshot ? ROD_POINT_IN_TIME : ROD_CHANGE_VULNERABLE,
		.owner = {.type = CSCD_IDENTIFICATION,
			  .designator = {CODE_BINARY, 0, DESIGNATOR_NAA, sizeof(k->lu->naa), {0}},
			  .block_size = BLOCK},
		.bytes = k->blocks * BLOCK,
		.block_size = BLOCK,
	};
	size_t size = TOKEN_SIZE - ROD_TOKEN_SECRET;

	memcpy(r.owner.designator.id, k->lu->naa, sizeof(k->lu->naa));
	pthread_mutex_lock(&e->token_lock);
	r.id = ++e->next_token;
	pthread_mutex_unlock(&e->token_lock);
	rod_token_encode(&r, k->bytes);
	return getrandom(k->bytes + ROD_TOKEN_SECRET, size, 0) == (ssize_t)size ? 0 : -EIO;
}

/* From lowest to highest byte of all ranges. */
static struct range_lock hull(const struct token *k)
{
	struct range_lock l = {.from = UINT64_MAX};

	for (unsigned i = 0; i < k->n; i++) {
		uint64_t from = k->range[i].lba * BLOCK;
		uint64_t to = from + (uint64_t)k->range[i].blocks * BLOCK;

		if (from < l.from)
			l.from = from;
		if (to > l.to)
			l.to = to;
	}
	return l;
}

static bool admit(struct engine *e, struct token *k)
{
	bool ok;

	pthread_mutex_lock(&e->token_lock);
	ok = e->n_tokens < TOKENS_MAX;
	if (ok) {
		k->refs = 2; /* the list's, and the caller's */
		k->expires = now() + k->timeout;
		k->next = e->tokens;
		e->tokens = k;
		e->n_tokens++;
		if (!k->snapshot)
			atomic_fetch_add(&k->lu->tokens, 1);
	}
	pthread_mutex_unlock(&e->token_lock);
	return ok;
}

/* Whether it is in the list; else the status says why not. */
static bool make_token(struct scsi_task *t, struct token *k, uint32_t type)
{
	struct engine *e = engine_of(t);
	struct range_lock lock = hull(k);
	bool made = false, ok = false;

	lu_lock(k->lu, &lock);
	if (type != ROD_CHANGE_VULNERABLE && !take_snapshot(e, k) && type == ROD_POINT_IN_TIME)
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_TOKEN_UNSUPPORTED);
	else if (fill_bytes(e, k))
		task_check(t, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
	else
		made = true;
	if (made)
		ok = admit(e, k);
	lu_unlock(k->lu, &lock);
	if (made && !ok)
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_NO_ROD_RESOURCES);
	return ok;
}

static void populate(struct scsi_task *t, struct copy_op *op)
{
	struct token *k = calloc(1, sizeof(*k));
	struct populate p;

	if (!k) {
		t->status = STATUS_BUSY;
		return;
	}
	populate_decode(&p, t->data, t->len);
	k->lu = t->lu;
	k->n = p.ranges;
	k->timeout = p.timeout ? p.timeout : TOKEN_TIMEOUT;
	for (unsigned i = 0; i < k->n; i++) {
		token_range_decode(&k->range[i], p.range, i);
		k->blocks += k->range[i].blocks;
	}
	if (make_token(t, k, p.rtv ? p.type : ROD_ANY)) {
		pthread_mutex_lock(&engine_of(t)->ops_lock);
		memcpy(op->token, k->bytes, TOKEN_SIZE);
		op->has_token = true;
		op->bytes = k->blocks * BLOCK;
		pthread_mutex_unlock(&engine_of(t)->ops_lock);
		pthread_mutex_lock(&engine_of(t)->token_lock);
		token_put(engine_of(t), k, 1);
		pthread_mutex_unlock(&engine_of(t)->token_lock);
		return;
	}
	if (k->snapshot)
		cr_close(k->snapshot);
	free(k);
}

static bool list_is_whole(struct scsi_task *t, int err)
{
	if (!err && t->len == t->want)
		return true;
	if (err == -EBADMSG)
		task_bad_list(t, 0);
	else
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
	return false;
}

void cmd_populate_token(struct scsi_task *t)
{
	struct copy_op *op;
	struct populate p;
	struct cdb_tpc cdb;

	if (!t->want || !list_is_whole(t, populate_decode(&p, t->data, t->len)))
		return;
	cdb_tpc_decode(&cdb, t->cdb);
	if (p.timeout > TOKEN_LIFE) {
		task_bad_list(t, 4);
		return;
	}
	if (p.rtv && p.type != ROD_POINT_IN_TIME && p.type != ROD_CHANGE_VULNERABLE &&
	    p.type != ROD_ANY) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_TOKEN_UNSUPPORTED);
		return;
	}
	if (!check_ranges(t, p.range, p.ranges, POPULATE_HEAD)) {
		if (t->status == STATUS_GOOD)
			task_bad_list(t, 14);
		return;
	}
	op = copy_op_begin(t, cdb.list_id);
	if (op)
		copy_run(t, op, p.immed, populate);
}

/* WRITE USING TOKEN ------------------------------------------------------------------------ */

/* A token is ours when all of its bytes are; the time this takes tells nothing of them. */
static bool equal(const uint8_t *a, const uint8_t *b)
{
	unsigned differ = 0;

	for (unsigned i = 0; i < TOKEN_SIZE; i++)
		differ |= (unsigned)(a[i] ^ b[i]);
	return !differ;
}

static bool sees(const struct target *target, const struct lu *lu)
{
	for (unsigned i = 0; i < target->n; i++)
		if (target->lun[i].lu == lu)
			return true;
	return false;
}

static struct token *find_token(struct scsi_task *t, const uint8_t *bytes)
{
	struct engine *e = engine_of(t);
	struct token *k;

	tokens_expire(e);
	pthread_mutex_lock(&e->token_lock);
	for (k = e->tokens; k && !equal(k->bytes, bytes);)
		k = k->next;
	if (k && !sees(t->nexus->target, k->lu))
		k = NULL;
	if (k) {
		k->refs++;
		k->expires = now() + k->timeout;
	}
	pthread_mutex_unlock(&e->token_lock);
	return k;
}

static bool alive(void *arg)
{
	struct token *k = arg;

	return !atomic_load(&k->dead);
}

/* One destination range from @skip blocks on in what the token stands for. */
static int redeem_range(struct scsi_task *t, struct copy_op *op, struct token *k,
			const struct token_range *to, uint64_t skip)
{
	uint64_t done = 0;
	int err = 0;

	for (unsigned i = 0; i < k->n && done < to->blocks && !err; i++) {
		const struct token_range *r = &k->range[i];
		struct piece p = {.in = k->snapshot ? k->snapshot : k->lu->file,
				  .src = k->snapshot ? NULL : k->lu,
				  .dst = t->lu};
		uint64_t n;

		if (skip >= r->blocks) {
			skip -= r->blocks;
			continue;
		}
		n = r->blocks - skip < to->blocks - done ? r->blocks - skip : to->blocks - done;
		p.from = (r->lba + skip) * BLOCK;
		p.to = (to->lba + done) * BLOCK;
		p.len = n * BLOCK;
		err = copy_piece(t, &p, k->snapshot ? NULL : alive, k);
		if (!err)
			copy_op_progress(t, op, p.len, 0);
		done += n;
		skip = 0;
	}
	return err;
}

static int zero_range(struct scsi_task *t, struct copy_op *op, const struct token_range *to)
{
	struct range_lock lock = {.from = to->lba * BLOCK, .exclusive = true};
	uint64_t len = (uint64_t)to->blocks * BLOCK;
	int err;

	if (!len)
		return 0;
	lock.to = lock.from + len;
	lu_lock(t->lu, &lock);
	tokens_changed(t->lu, lock.from, lock.to);
	err = lu_zero(t->lu, lock.from, len, t->lu->punches, &t->stop);
	if (!err && !lu_mode(t->lu).wce)
		err = cr_sync(t->lu->file, true);
	lu_unlock(t->lu, &lock);
	if (!err)
		copy_op_progress(t, op, len, 0);
	return err;
}

static void failed(struct scsi_task *t, const struct token *k, int err)
{
	if (k && atomic_load(&k->dead))
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_TOKEN_REVOKED);
	else if (err == -ECANCELED)
		task_check(t, KEY_COPY_ABORTED, ASC_NONE);
	else
		task_error(t, err, true);
}

static void redeem_all(struct scsi_task *t, struct copy_op *op, const struct redeem *r,
		       struct token *k)
{
	uint64_t at = r->offset;
	struct token_range to;
	int err = 0;

	for (unsigned i = 0; i < r->ranges && !err; i++) {
		token_range_decode(&to, r->range, i);
		if (!to.blocks)
			continue;
		if (task_stopped(t))
			err = -ECANCELED;
		else
			err = k ? redeem_range(t, op, k, &to, at) : zero_range(t, op, &to);
		at += to.blocks;
	}
	if (err)
		failed(t, k, err);
}

static bool is_zero_token(const struct redeem *r)
{
	struct rod_token rod;

	return !rod_token_decode(&rod, r->token) && rod.type == ROD_ZERO;
}

static void redeem(struct scsi_task *t, struct copy_op *op)
{
	struct engine *e = engine_of(t);
	struct token *k = NULL;
	uint64_t blocks;
	struct redeem r;

	redeem_decode(&r, t->data, t->len);
	blocks = check_ranges(t, r.range, r.ranges, REDEEM_HEAD);
	if (!blocks)
		return;
	if (is_zero_token(&r)) {
		redeem_all(t, op, &r, NULL);
		return;
	}
	k = find_token(t, r.token);
	if (!k) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_TOKEN_UNKNOWN);
		return;
	}
	if (r.offset > k->blocks || blocks > k->blocks - r.offset)
		task_bad_list(t, 8);
	else
		redeem_all(t, op, &r, k);
	pthread_mutex_lock(&e->token_lock);
	token_put(e, k, 1 + (r.delete_token && t->status == STATUS_GOOD ? take_out(e, k) : 0));
	pthread_mutex_unlock(&e->token_lock);
}

void cmd_write_using_token(struct scsi_task *t)
{
	struct copy_op *op;
	struct cdb_tpc cdb;
	struct redeem r;

	if (!t->want || !list_is_whole(t, redeem_decode(&r, t->data, t->len)))
		return;
	cdb_tpc_decode(&cdb, t->cdb);
	op = copy_op_begin(t, cdb.list_id);
	if (op)
		copy_run(t, op, r.immed, redeem);
}
