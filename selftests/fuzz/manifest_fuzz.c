// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target for the reader of manifests: any bytes, and any records whose
 * checksums are right.  What comes out is a tree that diff.c can work with.
 *
 *	make fuzz; build/selftests/fuzz/manifest_fuzz -max_total_time=60
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "selftests/stream/lab.h"
#include "userspace/stream/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int look_at(void *arg, const struct diff_item *item)
{
	check(item->path != NULL && item->op != DIFF_CREATE && item->op != DIFF_RENAME);
	return 0;
}

static void put(struct lab *lab, uint64_t value, size_t len)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	lab_append(lab, bytes, len);
}

/* A right header, and records of whatever comes: two bytes say how long each is. */
static void wrap(struct lab *lab, const uint8_t *data, size_t size)
{
	size_t len;

	lab_append(lab, "ocp-manifest", 13);
	put(lab, MANIFEST_VERSION, 4);
	put(lab, MANIFEST_HASHES, 4);
	lab_append(lab, "0123456789abcdef", 16);
	put(lab, 7, 8);
	put(lab, 1000, 8);
	put(lab, 0, 4);
	put(lab, RANGE_SIZE, 8);
	put(lab, lab_crc32c(0, lab->bytes, lab->len), 4);
	while (size >= 2) {
		len = get_le16(data) % 512;
		data += 2;
		size -= 2;
		len = len > size ? size : len;
		put(lab, len, 4);
		put(lab, lab_crc32c(0, data, len), 4);
		lab_append(lab, data, len);
		data += len;
		size -= len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab lab = {0};
	struct manifest_head head;
	struct tree tree;
	const char *reason;
	int err;

	if (size < 2)
		return 0;
	lab.chunk = data[1];
	if (data[0] % 4)
		wrap(&lab, data + 2, size - 2);
	else
		lab_append(&lab, data + 2, size - 2);
	err = manifest_read(lab_read, &lab, &head, &tree, &reason);
	if (!err)
		check(!diff_trees(&tree, &tree, look_at, NULL));
	else
		check(err != -EUCLEAN || reason);
	tree_free(&tree);
	lab_free(&lab);
	return 0;
}
