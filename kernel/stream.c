// SPDX-License-Identifier: GPL-2.0-or-later
#include "core.h"

int stream_copy(const struct copy_req *req, struct copy_result *res)
{
	char buf[65536];

	while (res->bytes < req->len && !copy_stopped(req)) {
		struct copy_req rest = copy_rest(req, res->bytes, sizeof(buf));
		ssize_t n = cr_read(rest.in, buf, rest.len, rest.pos_in), w;

		if (n <= 0)
			return (int)n;
		w = cr_write(rest.out, buf, (size_t)n, rest.pos_out);
		if (w <= 0)
			return w ? (int)w : -EIO;
		copy_account(req, res, COPY_STREAM, (uint64_t)w, (uint64_t)w);
	}
	return 0;
}
