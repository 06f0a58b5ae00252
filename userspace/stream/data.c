// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an op does, in whichever thread.  Each may be done again after it was cut
 * off, and then has the same effect.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>

#include "apply.h"
#include "lib/codec.h"
#include "verify.h"

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

static int write_op(struct worker *w, struct op *op)
{
	int err = write_all(op->to.node->file, op->bytes.data, op->bytes.len, op->pos);

	if (!err)
		err = verify_range(w->a->verify, op->to.node, op->pos, op->bytes.data,
				   op->bytes.len);
	atomic_fetch_add(&w->a->counts.plain_bytes, op->bytes.len);
	return err;
}

static int damaged(struct worker *w, int err)
{
	w->reason = err == -EUCLEAN	 ? "the compressed data are damaged"
		    : err == -EOPNOTSUPP ? "no codec for this compression was built in"
		    : err == -EINVAL	 ? "no compressed extent of btrfs"
					 : NULL;
	return err;
}

static int decode_and_write(struct worker *w, struct op *op, const struct iovec *payload)
{
	struct iovec plain;
	int err = codec_extract(w->codec, &op->ev, payload, &plain);

	if (err)
		return damaged(w, err);
	err = write_all(op->to.node->file, plain.iov_base, plain.iov_len, op->pos);
	if (!err)
		err = verify_range(w->a->verify, op->to.node, op->pos, plain.iov_base,
				   plain.iov_len);
	atomic_fetch_add(&w->a->counts.decoded, 1);
	atomic_fetch_add(&w->a->counts.decoded_bytes, op->len);
	return err;
}

/* Refusals after which the decoded bytes are written; they are asked for no more than once. */
static bool refused(struct worker *w, struct op *op, int err)
{
	struct apply *a = w->a;

	switch (err) {
	case -EPERM:
	case -EOPNOTSUPP:
	case -ENOTTY:
		atomic_store(&a->no_encoded, true);
		return true;
	case -EINVAL: /* a sector size of lzo that is not ours; a file that is not compressed */
		if (op->ev.compression >= ENCODED_LZO_4K)
			atomic_fetch_or(&a->refused_encodings, 1u << op->ev.compression);
		else
			atomic_store(&op->to.node->plain, true);
		return true;
	case -ENOSPC: /* no free run as long as the payload: smaller pieces may fit */
		return true;
	default:
		return false;
	}
}

static bool may_plant(struct apply *a, const struct op *op)
{
	return !a->o.force_decompress && !atomic_load(&a->no_encoded) &&
	       !atomic_load(&op->to.node->plain) &&
	       !(atomic_load(&a->refused_encodings) & 1u << op->ev.compression);
}

/* What is planted is decoded before; -EINVAL: sound, but the kernel would not read it. */
int op_prepare(struct worker *w, struct op *op)
{
	const struct iovec payload = {(void *)(uintptr_t)op->bytes.data, op->bytes.len};
	int err;

	if (op->id != STREAM_C_ENCODED_WRITE || op->in_turn || !may_plant(w->a, op))
		return 0;
	err = codec_validate(w->codec, &op->ev, &payload);
	op->in_turn = !err;
	return err && err != -EINVAL ? damaged(w, err) : 0;
}

static int encoded_op(struct worker *w, struct op *op)
{
	struct iovec payload = {(void *)(uintptr_t)op->bytes.data, op->bytes.len}, plain;
	struct apply *a = w->a;
	ssize_t n;
	int err;

	if (!op->in_turn || !may_plant(a, op))
		return decode_and_write(w, op, &payload);
	n = cr_write_encoded(op->to.node->file, &op->ev, &payload, (off_t)op->pos, 0);
	if (n < 0)
		return refused(w, op, (int)n) ? decode_and_write(w, op, &payload) : (int)n;
	atomic_fetch_add(&a->counts.encoded, 1);
	atomic_fetch_add(&a->counts.encoded_bytes, op->len);
	if (!a->verify)
		return 0;
	err = codec_extract(w->codec, &op->ev, &payload, &plain);
	return err ? damaged(w, err)
		   : verify_range(a->verify, op->to.node, op->pos, plain.iov_base, plain.iov_len);
}

/* Shared where the file system can, else copied. */
static int clone_op(struct worker *w, struct op *op)
{
	struct copy_req req = {
		.in = op->source ? op->source : op->from.node->file,
		.out = op->to.node->file,
		.pos_in = (int64_t)op->from_pos,
		.pos_out = (int64_t)op->pos,
		.len = op->len,
		.jobs = 1,
	};
	struct copy_result res;
	int err = cr_copy_range(&req, &res);

	if (!err && res.bytes != op->len) {
		w->reason = "what is to be cloned is not there in full";
		err = -EINVAL;
	}
	if (err)
		return err;
	atomic_fetch_add(&w->a->counts.cloned_bytes, res.by[COPY_CLONE].bytes);
	atomic_fetch_add(&w->a->counts.copied_bytes, res.bytes - res.by[COPY_CLONE].bytes);
	return verify_clone(w->a->verify, op->to.node, &req);
}

static int truncate_op(struct worker *w, struct op *op)
{
	int err = cr_truncate(op->to.node->file, (off_t)op->len);

	verify_forget(w->a->verify, op->to.node, op->len, UINT64_MAX);
	return err;
}

/* Zeros in place of a hole, where holes cannot be made. */
static int write_zeros(struct op *op)
{
	static const uint8_t zeros[65536];
	struct statx stx;
	uint64_t pos = op->pos, end;
	int err = cr_getattr(op->to.node->file, NULL, &stx);

	end = op->pos + op->len < stx.stx_size ? op->pos + op->len : stx.stx_size;
	for (; !err && pos < end; pos += sizeof(zeros))
		err = write_all(op->to.node->file, zeros,
				end - pos < sizeof(zeros) ? end - pos : sizeof(zeros), pos);
	return err;
}

/* Space that cannot be reserved is not: it would be no part of the contents. */
static int fallocate_op(struct worker *w, struct op *op)
{
	const uint32_t known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
	bool zeros = op->number & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE);
	int err;

	if (op->number & ~known) {
		w->reason = "a mode of fallocate that no stream has";
		return -EOPNOTSUPP;
	}
	if (!op->len)
		return 0;
	err = cr_allocate(op->to.node->file, (int)op->number, (off_t)op->pos, (off_t)op->len);
	if (err == -EOPNOTSUPP && zeros)
		err = write_zeros(op);
	else if (err == -EOPNOTSUPP && (op->number & FALLOC_FL_KEEP_SIZE))
		err = 0;
	if (zeros)
		verify_forget(w->a->verify, op->to.node, op->pos, op->pos + op->len);
	return err;
}

static int xattr_op(struct worker *w, struct op *op)
{
	const struct xattr x = {.key = op->name, .value = op->bytes.data, .len = op->bytes.len};
	bool set = op->id == STREAM_C_SET_XATTR;
	struct file *file = op->to.node->file;
	int err = set ? cr_setxattr(file, NULL, &x) : cr_removexattr(file, NULL, x.key);

	if (err == -ENODATA && op->number)
		return 0;
	if (err != -EOPNOTSUPP || strncmp(x.key, "btrfs.", 6) != 0)
		return err;
	atomic_fetch_add(&w->a->counts.xattrs_left_out, 1);
	return 0;
}

int op_run(struct worker *w, struct op *op)
{
	switch (op->id) {
	case STREAM_C_WRITE:
		return write_op(w, op);
	case STREAM_C_ENCODED_WRITE:
		return encoded_op(w, op);
	case STREAM_C_CLONE:
		return clone_op(w, op);
	case STREAM_C_TRUNCATE:
		return truncate_op(w, op);
	case STREAM_C_FALLOCATE:
		return fallocate_op(w, op);
	case STREAM_C_SET_XATTR:
	case STREAM_C_REMOVE_XATTR:
		return xattr_op(w, op);
	default: /* chmod, chown, utimes */
		return cr_setattr(op->to.node->file, NULL, &op->attr);
	}
}
