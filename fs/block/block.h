/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block.h - what the files of fs/block share: logical units as files. */
#ifndef CR_BLOCK_H
#define CR_BLOCK_H

#include "fs.h"
#include "scsi/initiator/initiator.h"

#ifdef CONFIG_FS_BLOCK_ISCSI
/* url.c: what stands behind "iscsi://" */
struct block_url {
	struct iscsi_place place;
	int lun; /* -1: the URL ends at the target */
};
int block_url_parse(const char *text, struct block_url *url);
#endif

/* A unit of this namespace; the room keeps it, and so its session, until the end. */
struct block_unit {
	struct block_unit *next;
	struct block_session *session;
	struct scsi_lu lu;
	uint64_t ino;	      /* by its name: the same unit by another way is the same file */
	uint64_t number;      /* of its mount */
	pthread_mutex_t tail; /* around reading, changing and writing back a block */
};

/* An open file: a unit, or a target, in which units have their numbers as names. */
struct block_file {
	struct block_unit *unit; /* NULL: a target */
	struct block_session *session;
};

static inline struct block_file *block_of(const struct file *file)
{
	return file->private;
}

/**
 * block_unit_init - @unit, whose lu has its transport, port and lun, is asked what it is
 * Return: as scsi_probe(); on error @unit is as before.
 */
int block_unit_init(struct block_unit *unit);
/* Make @child a file of @unit, as child->oflags say. */
int block_adopt(struct file *child, struct block_unit *unit);
int block_release(struct file *file);
void block_stat(const struct block_unit *unit, struct statx *stx);
bool block_claim(struct file *file, struct mount *mnt);

/* data.c, copy.c: methods */
ssize_t block_read(struct file *file, void *buf, size_t len, off_t pos);
ssize_t block_write(struct file *file, const void *buf, size_t len, off_t pos);
off_t block_seek(struct file *file, off_t pos, int whence);
int block_allocate(struct file *file, int mode, off_t pos, off_t len);
int block_truncate(struct file *file, off_t size);
int block_sync(struct file *file, bool data_only);
int block_copy_range(const struct copy_req *req, struct copy_result *res);
int block_grant(const struct copy_req *req, struct copy_grant *grant, struct copy_result *res);
int block_redeem(const struct copy_req *req, const struct copy_grant *grant,
		 struct copy_result *res);
int block_describe(struct file *file, char *text, size_t size);
/* Of any unit that was probed; what does not fit is cut off. */
void lu_describe(const struct scsi_lu *lu, char *text, size_t size);

#define BLOCK_FILE_METHODS                                                                         \
	.release = block_release, .read = block_read, .write = block_write, .seek = block_seek,    \
	.allocate = block_allocate, .truncate = block_truncate, .sync = block_sync,                \
	.copy_range = block_copy_range, .grant = block_grant, .redeem = block_redeem,              \
	.describe = block_describe

#endif
