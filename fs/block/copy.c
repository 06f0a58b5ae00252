// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * copy.c - the array copies: what the core asks for becomes EXTENDED COPY.
 *
 * A grant is a token (ODX): for units of different sessions, whose target may know tokens of
 * the other's although it does not reach its units.  It ends when it is redeemed, or by itself.
 */
#include <assert.h>
#include <errno.h>

#include "fs/block/block.h"
#include "scsi/proto/token.h"

struct block_grant {
	uint8_t token[TOKEN_SIZE];
	uint64_t len; /* what it stands for */
};
static_assert(sizeof(struct block_grant) <= COPY_GRANT_BYTES, "a grant fits");

static int refused(const struct xcopy *x, enum copy_strategy_id s, struct copy_result *res)
{
	static const enum copy_scope scopes[] = {[XCOPY_RANGE] = COPY_THIS_RANGE,
						 [XCOPY_PAIR] = COPY_THIS_PAIR,
						 [XCOPY_UNIT] = COPY_THIS_MOUNT};

	return decline(res, s,
		       (struct copy_why){.reason = x->reason,
					 .error = x->scope == XCOPY_UNIT ? EOPNOTSUPP : EXDEV,
					 .scope = scopes[x->scope],
					 .after = x->after});
}

static struct xcopy request(const struct copy_req *req)
{
	return (struct xcopy){
		.src = &block_of(req->in)->unit->lu,
		.dst = &block_of(req->out)->unit->lu,
		.from = (uint64_t)req->pos_in,
		.to = (uint64_t)req->pos_out,
		.len = req->len,
		.stop = req->stop,
		.progress = req->progress ? &req->progress->bytes : NULL,
	};
}

static int finish(const struct copy_req *req, const struct xcopy *x, enum copy_strategy_id s,
		  int err, struct copy_result *res)
{
	if (err == -EOPNOTSUPP)
		return refused(x, s, res);
	res->bytes = x->done;
	res->command = x->command;
	/* The session was lost, and not waited for. */
	if (err == -EINTR && req->stop && __atomic_load_n(req->stop, __ATOMIC_RELAXED))
		return -ECANCELED;
	return err;
}

int block_copy_range(const struct copy_req *req, struct copy_result *res)
{
	struct xcopy x = request(req);
	int err = x.dst->copies || !x.dst->tokens ? xcopy_run(&x) : odx_run(&x);

	return finish(req, &x, COPY_OFFLOAD, err, res);
}

int block_grant(const struct copy_req *req, struct copy_grant *to, struct copy_result *res)
{
	struct block_grant *grant = (struct block_grant *)to->bytes;
	struct xcopy x = request(req);
	int err;

	if (block_of(req->in)->session == block_of(req->out)->session)
		return decline(res, COPY_GRANT,
			       (struct copy_why){.reason = "one session reaches both units: what "
							   "the array can do there is offload",
						 .error = EOPNOTSUPP,
						 .scope = COPY_THIS_PAIR});
	err = odx_grant(&x, grant->token);

	grant->len = x.len;
	return finish(req, &x, COPY_GRANT, err, res);
}

int block_redeem(const struct copy_req *req, const struct copy_grant *from, struct copy_result *res)
{
	const struct block_grant *grant = (const struct block_grant *)from->bytes;
	struct xcopy x = request(req);

	x.len = x.len < grant->len ? x.len : grant->len;
	return finish(req, &x, COPY_GRANT, odx_redeem(&x, grant->token), res);
}
