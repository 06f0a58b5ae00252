// SPDX-License-Identifier: GPL-2.0-or-later
#include "core.h"

int encoded_copy(const struct copy_req *req, struct copy_result *res)
{
	return decline(res, COPY_ENCODED,
		       (struct copy_why){.reason = "not both files are on btrfs",
					 .error = EOPNOTSUPP,
					 .scope = COPY_THIS_PAIR});
}
