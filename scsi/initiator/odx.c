// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * odx.c - copies by tokens (SBC-3 5.14, 5.48): the source gives one that stands for a range,
 * and the target, who got it from us, fetches what it stands for.
 *
 * For arrays without EXTENDED COPY, and where source and target are reached by different sessions,
 * maybe of different hosts: a token goes from one to the other as bytes.  Both commands are asked
 * to answer at once (IMMED), and RECEIVE ROD TOKEN INFORMATION tells what became of them; so a stop
 * is heard soon.  Tokens may stand for less than was asked, and writes may fall short: the count
 * that is told is what was done, and the rest is asked for again.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib/bytes.h"
#include "scsi/proto/scsi.h"
#include "scsi/proto/token.h"
#include "xcopy_impl.h"

#define TIMEOUT	  60u
#define CHUNK_DEF ((uint64_t)64 << 20)
#define CHUNK_MAX ((uint64_t)1 << 30)
#define DELAY_MAX 500u /* ms between questions, whatever the array proposes */
#define TRIES	  3u
#define WINDOW_S  4

enum {
	ASC_NO_ROD_RESOURCES_ROD = 0x550d,
	ASC_ROD_NOT_AUTHORIZED = 0x2615,
};

struct odx {
	struct xcopy *x;
	uint64_t at, want; /* the piece, from the start of the range; bytes */
	uint64_t from, to; /* where that is */
	uint8_t token[TOKEN_SIZE];
	struct scsi_cmd cmd; /* the last one */
	struct sense sense;  /* of what failed */
	bool sensed;
	bool forgotten; /* the array knows nothing of the command that it was asked about */
};

static void pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool stopped(const struct xcopy *x)
{
	return x->stop && __atomic_load_n(x->stop, __ATOMIC_RELAXED);
}

static uint32_t next_id(struct scsi_lu *lu)
{
	uint32_t id;

	pthread_mutex_lock(&lu->lock);
	id = ++lu->list_id;
	pthread_mutex_unlock(&lu->lock);
	return id;
}

/* Return: as scsi_exec(); the sense data are kept. */
static int send(struct odx *o, struct scsi_lu *lu, uint8_t opcode, struct cdb_tpc tpc)
{
	int err;

	o->cmd.lu = lu;
	o->cmd.timeout = TIMEOUT;
	o->cmd.len = tpc.len;
	cdb_tpc_encode(o->cmd.cdb, opcode, &tpc);
	err = scsi_exec(&o->cmd);
	o->sensed = o->cmd.sensed;
	o->sense = o->cmd.sense;
	return err;
}

static int send_list(struct odx *o, struct scsi_lu *lu, struct cdb_tpc tpc, const uint8_t *list)
{
	o->cmd = (struct scsi_cmd){.out = list};
	return send(o, lu, OP_THIRD_PARTY_COPY_OUT, tpc);
}

static void forget(struct odx *o, struct scsi_lu *lu, uint32_t id)
{
	if (lu->copy_abort)
		send_list(o, lu, (struct cdb_tpc){.sa = SA_COPY_OPERATION_ABORT, .list_id = id},
			  NULL);
}

/* One question: 1, it has ended and @bytes are done; 0, it runs; or an error. */
static int ask(struct odx *o, struct scsi_lu *lu, uint32_t id, struct copy_status_lid4 *s,
	       uint64_t *bytes)
{
	uint8_t info[COPY_STATUS_LID4_MAX + TOKEN_INFO_SIZE + 256] = {0};
	const uint8_t *token;
	int err, head;

	o->cmd = (struct scsi_cmd){.in = info};
	err = send(o, lu, OP_THIRD_PARTY_COPY_IN,
		   (struct cdb_tpc){SA_ROD_TOKEN_INFORMATION, id, sizeof(info)});
	if (err) {
		o->forgotten = o->sensed && o->sense.key == KEY_ILLEGAL_REQUEST;
		return err;
	}
	head = copy_status_lid4_decode(s, info, o->cmd.got);
	if (head < 0)
		return -EREMOTEIO;
	switch (s->status) {
	case COPY_RUNS:
	case COPY_RUNS_FOREGROUND:
	case COPY_RUNS_BACKGROUND:
		return 0;
	case COPY_OK:
	case COPY_PARTIAL_ROD:
	case COPY_RESIDUAL:
		break;
	default:
		o->sensed = !sense_decode(&o->sense, s->sense, s->sense_len);
		return -EIO;
	}
	*bytes = xcopy_bytes(s, lu->block);
	token = token_info_decode(info + head, o->cmd.got - (size_t)head);
	if (token)
		memcpy(o->token, token, TOKEN_SIZE);
	if (s->response_to == SA_POPULATE_TOKEN && !token)
		return -EREMOTEIO;
	return 1;
}

/* Until it has ended: @bytes are done, whole blocks. */
static int await(struct odx *o, struct scsi_lu *lu, uint32_t id, uint64_t *bytes)
{
	struct copy_status_lid4 s;
	unsigned wait = 1;
	int r;

	while (!(r = ask(o, lu, id, &s, bytes))) {
		unsigned most = s.delay_ms < DELAY_MAX ? s.delay_ms : DELAY_MAX;

		if (stopped(o->x)) {
			forget(o, lu, id);
			return -ECANCELED;
		}
		pause_ms(wait);
		wait = wait * 2 < most ? wait * 2 : most ? most : 1;
	}
	*bytes -= *bytes % lu->block;
	return r < 0 ? r : 0;
}

/* A token for what is wanted; o->want becomes what it stands for. */
static int get_token(struct odx *o)
{
	struct scsi_lu *lu = o->x->src;
	struct token_range range = {o->from / lu->block, (uint32_t)(o->want / lu->block)};
	uint8_t list[POPULATE_HEAD + TOKEN_RANGE];
	uint32_t id = next_id(lu);
	uint64_t bytes = 0;
	int err;

	populate_encode(&(struct populate){.immed = true, .ranges = 1}, list);
	token_range_encode(&range, list + POPULATE_HEAD, 0);
	err = send_list(o, lu, (struct cdb_tpc){SA_POPULATE_TOKEN, id, sizeof(list)}, list);
	if (!err)
		err = await(o, lu, id, &bytes);
	if (!err && bytes < o->want)
		o->want = bytes;
	return err;
}

/* o->want becomes what was written. */
static int use_token(struct odx *o)
{
	struct scsi_lu *lu = o->x->dst;
	struct token_range range = {o->to / lu->block, (uint32_t)(o->want / lu->block)};
	struct redeem redeem = {
		.immed = true, .delete_token = true, .token = o->token, .ranges = 1};
	uint8_t list[REDEEM_HEAD + TOKEN_RANGE];
	uint32_t id = next_id(lu);
	uint64_t bytes = 0;
	int err;

	redeem_encode(&redeem, list);
	token_range_encode(&range, list + REDEEM_HEAD, 0);
	o->x->commands++;
	scsi_unsaved(lu);
	err = send_list(o, lu, (struct cdb_tpc){SA_WRITE_USING_TOKEN, id, sizeof(list)}, list);
	if (!err)
		err = await(o, lu, id, &bytes);
	if (!err && bytes < o->want)
		o->want = bytes;
	return err;
}

/* A new token may do: the old one was lost, or the session, or there was no room for one. */
static bool anew(const struct odx *o)
{
	if (o->forgotten)
		return true;
	if (!o->sensed || o->sense.key != KEY_ILLEGAL_REQUEST)
		return false;
	if (o->sense.asc == ASC_NO_ROD_RESOURCES || o->sense.asc == ASC_NO_ROD_RESOURCES_ROD) {
		pause_ms(DELAY_MAX);
		return true;
	}
	return o->sense.asc >> 8 == 0x23 && o->sense.asc != ASC_TOKEN_UNSUPPORTED;
}

static int judge(struct odx *o, int err)
{
	struct xcopy *x = o->x;
	uint16_t asc = o->sense.asc;

	if (o->cmd.err || err == -EBUSY || err == -EROFS || err == -ENODEV || err == -ENOMEM ||
	    err == -ECANCELED)
		return err;
	if (o->sensed && asc == ASC_LBA_OUT_OF_RANGE)
		return -ENOSPC;
	if (o->sensed && asc == ASC_ROD_NOT_AUTHORIZED)
		return xcopy_refuse(x, XCOPY_PAIR, "the array does not let us copy between these",
				    0);
	if (err == -EOPNOTSUPP)
		return xcopy_refuse(x, XCOPY_PAIR, "the array gives no tokens", 0);
	if (o->sensed && o->sense.key == KEY_ILLEGAL_REQUEST && asc >> 8 == 0x23)
		return xcopy_refuse(x, XCOPY_PAIR, "the target does not take tokens of the source",
				    0);
	return xcopy_refuse(x, XCOPY_RANGE, "the array gave up the copy by a token", o->want);
}

static int piece(struct odx *o, uint64_t chunk)
{
	uint64_t want = xcopy_at(o->x, o->at, &o->from, &o->to);
	unsigned tries = 0;
	int err;

	want = min64(want, min64(chunk, o->x->len - o->at));
	do {
		o->forgotten = false;
		o->want = want;
		err = get_token(o);
		if (!err && o->want)
			err = use_token(o);
	} while (err && anew(o) && ++tries < TRIES && !stopped(o->x));
	if (err) {
		o->want = want;
		return judge(o, err);
	}
	if (!o->want)
		return xcopy_refuse(o->x, XCOPY_RANGE, "the array gave a token for nothing", want);
	o->at += o->want;
	return 0;
}

static uint64_t chunk_of(const struct xcopy *x)
{
	uint64_t chunk = CHUNK_DEF, optimal = x->dst->tpc.optimal_transfer, max;
	uint32_t block = x->dst->block;

	if (optimal > chunk / block && optimal <= CHUNK_MAX / block)
		chunk = optimal * block;
	for (unsigned i = 0; i < 2; i++) {
		max = i ? x->dst->tpc.max_transfer : x->src->tpc.max_transfer;
		if (max && max < chunk / block)
			chunk = max * block;
	}
	return chunk;
}

/* What can be said before a command is sent. */
static int possible(struct xcopy *x, const char *otherwise)
{
	int err;

	x->done = 0;
	x->command = "POPULATE TOKEN and WRITE USING TOKEN";
	if (!x->src->tokens || !x->dst->tokens)
		return xcopy_refuse(x, XCOPY_PAIR, otherwise, 0);
	err = xcopy_blocks(x);
	if (!err)
		x->len -= x->len % x->dst->block;
	return err;
}

int odx_grant(struct xcopy *x, uint8_t *token)
{
	struct odx o = {.x = x};
	int err = possible(x, "not both units know tokens (ODX)");

	if (err)
		return err;
	if (strcmp(x->src->vendor, x->dst->vendor) != 0)
		return xcopy_refuse(x, XCOPY_PAIR, "source and target are of different arrays", 0);
	o.want = min64(xcopy_at(x, 0, &o.from, &o.to), min64(x->len, chunk_of(x)));
	x->len = o.want;
	err = get_token(&o);
	if (err && anew(&o) && !stopped(x)) {
		o.want = x->len;
		err = get_token(&o);
	}
	if (err)
		return judge(&o, err);
	if (!o.want)
		return xcopy_refuse(x, XCOPY_RANGE, "the array gave a token for nothing", x->len);
	memcpy(token, o.token, TOKEN_SIZE);
	x->len = o.want;
	return 0;
}

int odx_redeem(struct xcopy *x, const uint8_t *token)
{
	struct odx o = {.x = x, .want = x->len};
	int err;

	xcopy_at(x, 0, &o.from, &o.to);
	memcpy(o.token, token, TOKEN_SIZE);
	err = use_token(&o);
	if (err) {
		o.want = x->len;
		return judge(&o, err);
	}
	x->done = o.want;
	return x->done ? 0
		       : xcopy_refuse(x, XCOPY_RANGE, "the array wrote nothing by the token",
				      x->len);
}

int odx_run(struct xcopy *x)
{
	struct odx o = {.x = x};
	time_t began = time(NULL);
	uint64_t chunk;
	int err = possible(x, "the array has neither EXTENDED COPY nor tokens");

	if (err || !x->len)
		return err;
	chunk = chunk_of(x);
	while (!err && o.at < x->len && !stopped(x) && (!o.at || time(NULL) - began < WINDOW_S))
		err = piece(&o, chunk);
	x->done = o.at;
	if (err == -EOPNOTSUPP && x->done)
		return 0;
	return !err && !x->done ? -ECANCELED : err;
}
