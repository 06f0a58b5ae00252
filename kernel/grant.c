// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * grant.c - third-party copy: the source's server promises the range to whoever shows
 * the grant, and the destination's server fetches it by that (NFS COPY_NOTIFY and COPY
 * with a source server; tokens of SCSI).  Holes are the destination's business.
 */
#include "core.h"

/*
 * The two servers have to meet first, which costs them some twenty round trips: a
 * shorter range is through this process before that.
 */
#define GRANT_MIN ((uint64_t)1 << 20)

static int refuse(struct copy_result *res, const char *reason, int error, enum copy_scope scope)
{
	return decline(res, COPY_GRANT,
		       (struct copy_why){.reason = reason, .error = error, .scope = scope});
}

int grant_copy(const struct copy_req *req, struct copy_result *res)
{
	struct copy_grant grant;
	uint64_t bytes;
	int err = op_can_grant(req, res);

	if (err)
		return err;
	if (req->len < GRANT_MIN && !(req->flags & COPY_RANGE_NO_STREAM))
		return refuse(res, "so short a range is copied before two servers have met",
			      EOPNOTSUPP, COPY_THIS_RANGE);
	err = op_grant(req, &grant, res);
	if (err)
		return err;
	err = op_redeem(req, &grant, res);
	op_revoke(req->in, &grant);
	bytes = res->bytes;
	res->bytes = 0;
	if (bytes)
		copy_account(req, res, COPY_GRANT, bytes, 0);
	return err;
}
