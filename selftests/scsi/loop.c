// SPDX-License-Identifier: GPL-2.0-or-later
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/bytes.h"

static struct loop *the_loop;

static bool kind(const struct fault *f, const uint8_t *cdb)
{
	return f->count && f->opcode == cdb[0] && (f->sa == ANY_SA || f->sa == (cdb[1] & 0x1f));
}

static struct fault *fault_for(struct loop *loop, const uint8_t *cdb)
{
	for (unsigned i = 0; i < 4; i++) {
		struct fault *f = &loop->fault[i];

		if (!kind(f, cdb))
			continue;
		if (f->skip) {
			f->skip--;
			continue;
		}
		f->count--;
		return f;
	}
	return NULL;
}

/* What an EXTENDED COPY would do, for the test to look at. */
static void look(struct loop *loop, const struct scsi_cmd *cmd)
{
	struct xcopy_header head = {.lid4 = (cmd->cdb[1] & 0x1f) == SA_EXTENDED_COPY_LID4};
	const uint8_t *list = cmd->out;
	int at = xcopy_header_decode(&head, list, cmd->len), n;
	unsigned count = 0;

	loop->lid[head.lid4]++;
	loop->usage = head.usage;
	list += (size_t)at + head.cscd_len;
	for (size_t i = 0; at > 0 && i < head.segment_len; i += (size_t)n, count++) {
		struct segment s;

		n = segment_decode(&s, list + i, head.segment_len - i);
		if (n <= 0)
			break;
		if (loop->segments < SEGMENTS_SEEN)
			loop->seen[loop->segments++] = s;
	}
	if (count > loop->most)
		loop->most = count;
}

/* The engine has other data in what the last command wrote. */
static void garble(struct loop *loop, unsigned lun)
{
	const struct segment none = {.dst_lba = 0}, *s = &none;
	int fd = open(loop->lab.file[lun], O_WRONLY | O_CLOEXEC);

	if (loop->segments)
		s = &loop->seen[loop->segments - 1];
	if (fd < 0 || pwrite(fd, "garbage", 7, (off_t)s->dst_lba * BLOCK) != 7)
		abort();
	close(fd);
}

static void answer(struct scsi_cmd *cmd, const struct fault *f)
{
	cmd->err = f->err;
	cmd->status = f->status;
	cmd->sensed = f->status == STATUS_CHECK_CONDITION;
	cmd->sense = (struct sense){.key = f->key, .asc = f->asc};
}

static void run(struct loop *loop, struct scsi_cmd *cmd)
{
	struct lab *lab = &loop->lab;
	unsigned lun = loop->swapped && loop->session ? cmd->lu->lun ^ 1 : cmd->lu->lun;

	cmd->status =
		(uint8_t)lab_do(lab, &(struct lab_cmd){.nexus = loop->other[lun] ? lab->b : NULL,
						       .lun = lun,
						       .cdb = cmd->cdb,
						       .out = cmd->out,
						       .len = cmd->len,
						       .expect = cmd->len});
	cmd->sensed = cmd->status == STATUS_CHECK_CONDITION;
	cmd->sense = lab->why;
	cmd->got = lab->len < cmd->len ? lab->len : cmd->len;
	if (cmd->in && cmd->got)
		memcpy(cmd->in, lab->data, cmd->got);
}

/* Counts are replaced in answers about what has ended, and those are counted. */
static void run_to_end(struct loop *loop, struct scsi_cmd *cmd)
{
	bool asks = cmd->cdb[0] == OP_THIRD_PARTY_COPY_IN &&
		    (cmd->cdb[1] & 0x1f) == SA_ROD_TOKEN_INFORMATION;
	const uint8_t *answer = cmd->in;

	run(loop, cmd);
	while (asks && cmd->got > 5 && answer[5] >= COPY_RUNS && answer[5] < COPY_ABORTED) {
		usleep(1000);
		run(loop, cmd);
	}
}

/* How far a command is that hangs. */
static bool tell_of_hanging(struct loop *loop, struct scsi_cmd *cmd)
{
	struct copy_status_lid4 s = {.response_to = SA_EXTENDED_COPY_LID4,
				     .status = COPY_RUNS_FOREGROUND,
				     .units = COPY_UNIT_BYTES,
				     .count = loop->far};
	uint8_t data[COPY_STATUS_LID4_MAX];

	if (!loop->hangs || cmd->cdb[0] != OP_THIRD_PARTY_COPY_IN ||
	    (cmd->cdb[1] & 0x1f) != SA_COPY_STATUS_LID4)
		return false;
	cmd->got = (uint32_t)copy_status_lid4_encode(&s, 0, data);
	cmd->got = cmd->got < cmd->len ? cmd->got : cmd->len;
	memcpy(cmd->in, data, cmd->got);
	return true;
}

static void loop_start(struct scsi_cmd *cmd)
{
	struct loop *loop = cmd->lu->port;
	bool copy = cmd->cdb[0] == OP_THIRD_PARTY_COPY_OUT;
	struct scsi_cmd *ended[8] = {NULL};
	unsigned n = 0;
	struct fault *f;
	bool hangs;

	pthread_mutex_lock(&loop->lock);
	if (__atomic_load_n(&cmd->lu->session, __ATOMIC_SEQ_CST) != loop->session) {
		pthread_mutex_unlock(&loop->lock);
		cmd->err = -ECONNRESET;
		cmd->done(cmd);
		return;
	}
	loop->sent[cmd->cdb[0]]++;
	if (copy && (cmd->cdb[1] & 0x1f) <= SA_EXTENDED_COPY_LID4)
		look(loop, cmd);
	f = fault_for(loop, cmd->cdb);
	hangs = f && f->hang;
	if (hangs)
		loop->hanging[loop->hangs++ % 8] = cmd;
	else if (f && !f->shorter)
		answer(cmd, f);
	else if (tell_of_hanging(loop, cmd))
		;
	else
		run_to_end(loop, cmd);
	if (f && f->shorter)
		put_be64((uint8_t *)cmd->in + 16, get_be64((uint8_t *)cmd->in + 16) / 2);
	if (f && f->half)
		garble(loop, cmd->lu->lun);
	if (f && f->lost) {
		cmd->err = -ECONNRESET;
		loop->session++;
	}
	if (copy && (cmd->cdb[1] & 0x1f) == SA_COPY_OPERATION_ABORT) {
		loop->aborts++;
		n = loop->hangs;
		memcpy(ended, loop->hanging, sizeof(ended));
		loop->hangs = 0;
	}
	pthread_mutex_unlock(&loop->lock);
	for (unsigned i = 0; i < n; i++) {
		answer(ended[i],
		       &(struct fault){.status = STATUS_CHECK_CONDITION, .key = KEY_COPY_ABORTED});
		ended[i]->done(ended[i]);
	}
	if (!hangs)
		cmd->done(cmd);
}

static unsigned loop_session(struct scsi_lu *lu)
{
	struct loop *loop = lu->port;
	unsigned session;

	pthread_mutex_lock(&loop->lock);
	session = loop->session;
	pthread_mutex_unlock(&loop->lock);
	return session;
}

static const struct scsi_transport loop_transport = {
	.name = "loop",
	.start = loop_start,
	.session = loop_session,
};

void loop_begin(struct loop *loop, const char *dir, uint64_t size)
{
	memset(loop, 0, sizeof(*loop));
	lab_begin(&loop->lab, dir, size, NULL);
	pthread_mutex_init(&loop->lock, NULL);
	for (unsigned i = 0; i < LAB_LUNS; i++) {
		struct block_unit *unit = &loop->unit[i];

		unit->lu.transport = &loop_transport;
		unit->lu.port = loop;
		unit->lu.lun = i;
		unit->number = i + 1;
		if (block_unit_init(unit)) {
			printf("# loop: LUN %u does not say what it is\n", i);
			exit(1);
		}
	}
	the_loop = loop;
}

void loop_end(struct loop *loop)
{
	the_loop = NULL;
	for (unsigned i = 0; i < LAB_LUNS; i++) {
		scsi_lu_end(&loop->unit[i].lu);
		pthread_mutex_destroy(&loop->unit[i].tail);
		unlink(loop->lab.file[i]);
	}
	lab_end(&loop->lab);
	pthread_mutex_destroy(&loop->lock);
}

/* The room ------------------------------------------------------------------------- */

static int lab_open(struct file *child, const char *name, mode_t mode)
{
	unsigned lun = (unsigned)atoi(name);

	return the_loop && lun < LAB_LUNS ? block_adopt(child, &the_loop->unit[lun]) : -ENOENT;
}

static int lab_getattr(struct file *file, const char *name, struct statx *stx)
{
	block_stat(block_of(file)->unit, stx);
	return 0;
}

static const struct file_operations lab_file_operations = {
	BLOCK_FILE_METHODS,
	.getattr = lab_getattr,
};

static const struct fs_type lab_fs_type = {
	.name = "lab",
	.scheme = "lab:",
	.family = &lab_fs_type,
	.op = &lab_file_operations,
	.open = lab_open,
	.claim = block_claim,
};

extern const struct fs_type host_fs_type, mem_fs_type;
const struct fs_type *const cr_fs_types[] = {&host_fs_type, &mem_fs_type, &lab_fs_type, NULL};
