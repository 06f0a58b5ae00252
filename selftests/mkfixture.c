// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mkfixture TYPE[:MKFS-OPTIONS] SIZE-MB DIR [MOUNT-OPTIONS]
 *
 * Makes a file system on a loop device and mounts it on DIR, for shell tests
 * (make_fs in lib.sh).  The device and its storage vanish with the mount.
 * Exit: 0, 4 and a reason when there is no way to do it here, 1 else.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"
#include "kselftest.h"

int main(int argc, char **argv)
{
	char *end;
	unsigned long size;

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: %s TYPE[:MKFS-OPTIONS] SIZE-MB DIR [MOUNT-OPTIONS]\n",
			argv[0]);
		return KSFT_FAIL;
	}
	size = strtoul(argv[2], &end, 10);
	if (*end || size == 0 || size > 1u << 30) {
		fprintf(stderr, "%s: size %s\n", argv[0], argv[2]);
		return KSFT_FAIL;
	}
	if (fixture_mount(argv[3], argv[1], (unsigned int)size, argv[4]) == 0)
		return KSFT_PASS;
	fprintf(stderr, "%s\n", fixture_why());
	return KSFT_SKIP;
}
