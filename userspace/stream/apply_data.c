// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands that change the contents of files. */
#include "apply.h"

#include <errno.h>
#include <string.h>

#include "lib/codec.h"

static int write_all(struct file *file, const uint8_t *data, size_t len, uint64_t pos)
{
	ssize_t n;

	for (; len; data += n, len -= (size_t)n, pos += (uint64_t)n) {
		n = cr_write(file, data, len, (off_t)pos);
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
	}
	return 0;
}

int apply_write(struct apply *a, const struct stream_cmd *cmd)
{
	const struct stream_bytes *data = &cmd->at[STREAM_A_DATA].bytes;
	struct file *file;
	int err = place_open(a, stream_text(cmd, STREAM_A_PATH), &file);

	return err ? err
		   : write_all(file, data->data, data->len,
			       stream_number(cmd, STREAM_A_FILE_OFFSET));
}

/* Decoded as a whole and compared with what it is said to be, then written. */
int apply_encoded(struct apply *a, const struct stream_cmd *cmd)
{
	const struct stream_bytes *data = &cmd->at[STREAM_A_DATA].bytes;
	struct iovec payload = {(void *)(uintptr_t)data->data, data->len}, plain;
	const struct encoded_iov ev = {
		.len = stream_number(cmd, STREAM_A_UNENCODED_FILE_LEN),
		.unencoded_len = stream_number(cmd, STREAM_A_UNENCODED_LEN),
		.unencoded_offset = stream_number(cmd, STREAM_A_UNENCODED_OFFSET),
		.compression = (uint32_t)stream_number(cmd, STREAM_A_COMPRESSION),
	};
	struct file *file;
	int err;

	if (!a->codec)
		a->codec = codec_ctx_new();
	if (!a->codec)
		return -ENOMEM;
	err = codec_extract(a->codec, &ev, &payload, &plain);
	if (err) {
		a->reason = err == -EUCLEAN	 ? "the compressed data are damaged"
			    : err == -EOPNOTSUPP ? "no codec for this compression was built in"
						 : NULL;
		return err;
	}
	err = place_open(a, stream_text(cmd, STREAM_A_PATH), &file);
	return err ? err
		   : write_all(file, plain.iov_base, plain.iov_len,
			       stream_number(cmd, STREAM_A_FILE_OFFSET));
}

static int open_source(struct apply *a, const char *path, struct file **filep)
{
	struct file *dir;
	const char *name;
	int err = place_find(a, path, &dir, &name);

	if (err)
		return err;
	err = cr_openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0, filep);
	place_put(a, dir);
	return err;
}

/* Shared where the file system can, else copied. */
int apply_clone(struct apply *a, const struct stream_cmd *cmd)
{
	struct copy_req req = {
		.pos_in = (int64_t)stream_number(cmd, STREAM_A_CLONE_OFFSET),
		.pos_out = (int64_t)stream_number(cmd, STREAM_A_FILE_OFFSET),
		.len = stream_number(cmd, STREAM_A_CLONE_LEN),
		.jobs = 1,
	};
	struct copy_result res;
	int err;

	if (memcmp(cmd->at[STREAM_A_CLONE_UUID].bytes.data, a->uuid, sizeof(a->uuid)) != 0) {
		a->reason = "a clone from another subvolume, which this version does not serve";
		return -EOPNOTSUPP;
	}
	err = place_open(a, stream_text(cmd, STREAM_A_PATH), &req.out);
	if (!err)
		err = open_source(a, stream_text(cmd, STREAM_A_CLONE_PATH), &req.in);
	if (err)
		return err;
	err = cr_copy_range(&req, &res);
	cr_close(req.in);
	if (!err && res.bytes != req.len) {
		a->reason = "what is to be cloned is not there in full";
		err = -EINVAL;
	}
	return err;
}

int apply_truncate(struct apply *a, const struct stream_cmd *cmd)
{
	struct file *file;
	int err = place_open(a, stream_text(cmd, STREAM_A_PATH), &file);

	return err ? err : cr_truncate(file, (off_t)stream_number(cmd, STREAM_A_SIZE));
}
