// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * call_cost: what one copy_file_range(2) costs, for call_cost.sh.
 *
 *	call_cost FROM TO BYTES CALLS
 *
 * Makes CALLS copies of BYTES each from one place of FROM to one of TO and prints
 * microseconds a call.  Where the kernel answers EXDEV, one pread(2) and one
 * pwrite(2) follow, as programs do.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int copy(int in, int out, char *buf, size_t len)
{
	off_t a = 0, b = 0;
	ssize_t n = copy_file_range(in, &a, out, &b, len, 0);

	if (n < 0 && errno == EXDEV) {
		n = pread(in, buf, len, 0);
		n = n > 0 ? pwrite(out, buf, (size_t)n, 0) : n;
	}
	return n == (ssize_t)len ? 0 : -1;
}

int main(int argc, char **argv)
{
	size_t len = argc == 5 ? strtoul(argv[3], NULL, 10) : 0;
	unsigned long calls = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
	char *buf = malloc(len + 1);
	int in, out;
	double start;

	if (!len || !calls || !buf)
		return 2;
	in = open(argv[1], O_RDONLY | O_CLOEXEC);
	out = open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	start = now();
	for (unsigned long i = 0; i < calls; i++)
		if (copy(in, out, buf, len)) {
			perror("call_cost");
			return 1;
		}
	printf("%.2f\n", (now() - start) * 1e6 / (double)calls);
	free(buf);
	return 0;
}
