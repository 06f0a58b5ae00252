// SPDX-License-Identifier: GPL-2.0-or-later
#include "core.h"

int slices_run(const struct copy_req *req, struct copy_result *res, uint64_t slice,
	       int (*run)(const struct copy_req *, struct copy_result *))
{
	while (res->bytes < req->len && !copy_stopped(req)) {
		struct copy_req rest = copy_rest(req, res->bytes, slice);
		struct copy_result part = {0};
		int err = run(&rest, &part);

		copy_result_add(res, &part);
		if (err || !part.bytes)
			return err;
	}
	return 0;
}
