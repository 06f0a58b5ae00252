// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lun_copy.c - what one copy between LUNs takes, when both are open.
 *
 *	lun_copy offload|stream SOURCE TARGET
 *
 * Prints the seconds of cr_copy_range() alone, as sg_xcopy tells those of its commands.
 */
#include <copy_range.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct copy_req req = {.len = COPY_LEN_EOF};
	struct copy_result res;
	struct cr_ns *ns = cr_ns_new();
	double start;
	int err;

	if (argc != 4 || !ns) {
		fprintf(stderr, "usage: lun_copy offload|stream SOURCE TARGET\n");
		return 1;
	}
	req.flags = strcmp(argv[1], "stream") ? COPY_RANGE_NO_STREAM : COPY_RANGE_NO_OFFLOAD;
	err = cr_open(ns, argv[2], O_RDONLY, 0, &req.in);
	if (!err)
		err = cr_open(ns, argv[3], O_RDWR, 0, &req.out);
	start = now();
	if (!err)
		err = cr_copy_range(&req, &res);
	if (err)
		fprintf(stderr, "lun_copy: %s\n", strerror(-err));
	else
		printf("%.6f\n", now() - start);
	cr_close(req.out);
	cr_close(req.in);
	cr_ns_free(ns);
	return err ? 1 : 0;
}
