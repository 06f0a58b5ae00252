// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands about the contents of files: what they touch, and where their bytes lie. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"

/* Only a regular file: opening a device or a fifo may do things. */
static int open_regular(struct apply *a, struct place *at, struct file **filep, bool *shared)
{
	struct statx stx;
	int err = cr_getattr(at->dir->file, at->name, &stx);

	if (err)
		return err;
	if (!S_ISREG(stx.stx_mode))
		return refuse(a, S_ISLNK(stx.stx_mode) ? -ELOOP : -EINVAL, "no regular file");
	err = cr_openat(at->dir->file, at->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0,
			filep);
	if (err)
		return err;
	*shared = stx.stx_nlink > 1;
	if (cr_file_id(*filep)->type == S_IFREG)
		return 0;
	cr_close(*filep);
	return refuse(a, -EINVAL, "no regular file");
}

int content_open(struct apply *a, struct place *at, struct node **node)
{
	struct file *file = NULL;
	bool shared = false;
	int err;

	if (!at->name)
		return -EISDIR;
	*node = at->node;
	if (at->node && at->node->kind == NODE_DIR)
		return -EISDIR;
	if (at->node && at->node->file)
		return 0;
	err = open_regular(a, at, &file, &shared);
	if (err)
		return err;
	if (!at->node && !tree_add(a->tree, at, NODE_FILE)) {
		cr_close(file);
		return -ENOMEM;
	}
	*node = at->node;
	at->node->kind = NODE_FILE;
	at->node->shared = shared;
	at->node->ino = cr_file_id(file)->ino;
	tree_opened(a->tree, at->node, file);
	return 0;
}

/*
 * Bytes that share a block with others are of one piece: 4 KiB, and where a range is
 * no multiple of that, as much as the largest block.
 */
static struct use range_of(struct node *node, uint64_t pos, uint64_t len, bool write)
{
	uint64_t block = (pos | len) & 4095 ? 65536 : 4096;

	return (struct use){
		.node = node,
		.begin = pos & ~(block - 1),
		.end = (pos + len + block - 1) & ~(block - 1),
		.write = write,
	};
}

static int clone_from(struct apply *a, const struct stream_cmd *cmd, struct op *op)
{
	struct place at;
	struct node *node;
	int err;

	op->from_pos = stream_number(cmd, STREAM_A_CLONE_OFFSET);
	if (memcmp(cmd->at[STREAM_A_CLONE_UUID].bytes.data, a->uuid, sizeof(a->uuid)) != 0)
		return source_open(a, cmd, &op->source);
	err = tree_find(a->tree, stream_text(cmd, STREAM_A_CLONE_PATH), true, &at);
	if (!err)
		err = content_open(a, &at, &node);
	if (err)
		return err;
	op->from = range_of(node, op->from_pos, op->len, false);
	if (node == op->to.node && op->from_pos < op->pos + op->len &&
	    op->pos < op->from_pos + op->len)
		return refuse(a, -EINVAL, "a clone onto itself");
	return 0;
}

static void encoded_of(const struct stream_cmd *cmd, struct op *op)
{
	op->len = stream_number(cmd, STREAM_A_UNENCODED_FILE_LEN);
	op->ev = (struct encoded_iov){
		.len = op->len,
		.unencoded_len = stream_number(cmd, STREAM_A_UNENCODED_LEN),
		.unencoded_offset = stream_number(cmd, STREAM_A_UNENCODED_OFFSET),
		.compression = (uint32_t)stream_number(cmd, STREAM_A_COMPRESSION),
	};
}

static int fill_op(struct apply *a, const struct stream_cmd *cmd, struct node *node, struct op *op)
{
	op->pos = stream_number(cmd, STREAM_A_FILE_OFFSET);
	op->to.node = node;
	op->bytes = stream_has(cmd, STREAM_A_DATA) ? cmd->at[STREAM_A_DATA].bytes
						   : (struct stream_bytes){NULL, 0};
	switch (cmd->id) {
	case STREAM_C_WRITE:
		op->len = op->bytes.len;
		op->in_turn = cr_file_fd(node->file) >= 0; /* a server takes them side by side */
		break;
	case STREAM_C_ENCODED_WRITE:
		encoded_of(cmd, op);
		op->in_turn = a->o.trust && !a->verify && !a->o.force_decompress;
		break;
	case STREAM_C_CLONE:
		op->len = stream_number(cmd, STREAM_A_CLONE_LEN);
		break;
	default: /* truncate, fallocate: the size is concerned */
		op->len = stream_number(cmd, STREAM_A_SIZE);
		op->number = (uint32_t)stream_number(cmd, STREAM_A_FALLOCATE_MODE);
		op->to = (struct use){.node = node, .end = UINT64_MAX, .write = true};
		return 0;
	}
	op->to = range_of(node, op->pos, op->len, true);
	return cmd->id == STREAM_C_CLONE ? clone_from(a, cmd, op) : 0;
}

static void op_drop(struct op *op)
{
	cr_close(op->source);
	free(op);
}

int content_op(struct apply *a, const struct stream_cmd *cmd)
{
	bool shared, here = cmd->id != STREAM_C_CLONE;
	struct place at;
	struct node *node;
	struct op *op;
	int err;

	if (a->skim)
		return 0;
	err = tree_find(a->tree, stream_text(cmd, STREAM_A_PATH), true, &at);
	if (!err)
		err = content_open(a, &at, &node);
	if (err)
		return err;
	op = calloc(1, sizeof(*op));
	if (!op)
		return -ENOMEM;
	op->id = cmd->id;
	op->command = a->count;
	op->offset = cmd->offset;
	err = fill_op(a, cmd, node, op);
	if (err) {
		op_drop(op);
		return err;
	}
	if (op->bytes.len)
		op->memory = stream_hold(a->reader);
	shared = node->shared || (op->from.node && op->from.node->shared);
	err = queue_add(a->queue, op, here);
	return err || !shared ? err : queue_wait(a->queue, NULL);
}
