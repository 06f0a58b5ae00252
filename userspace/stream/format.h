/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * format.h - the send stream of btrfs: its commands, their attributes, and what
 * each of them may be.
 *
 * A stream is "btrfs-stream\0" and a version (17 bytes), then commands: length
 * of the payload (32 bits), command (16), CRC32C (32), payload.  The payload is a
 * row of attributes: type (16), length (16), value.  From version 2 on DATA has
 * no length, stands last and reaches to the end.  All integers little endian.
 * The checksum begins with 0, is not inverted, and covers header and payload
 * with its own field as 0.  The version is covered by nothing.
 *
 * Reference: Linux fs/btrfs/send.h, and what send of Linux 6.18 writes.
 */
#ifndef STREAM_FORMAT_H
#define STREAM_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define STREAM_MAGIC	   "btrfs-stream" /* with its NUL: 13 bytes */
#define STREAM_MAGIC_LEN   13u
#define STREAM_HEADER_LEN  17u
#define STREAM_CMD_LEN	   10u /* before each payload */
#define STREAM_VERSION_MAX 3u

/* Payload of one command.  Version 1 is the kernel's buffer; for 2 the kernel needs 144 KiB. */
#define STREAM_PAYLOAD_V1  65536u
#define STREAM_PAYLOAD_MAX (16u << 20)

#define STREAM_PATH_MAX 4095u /* PATH_MAX less its NUL */
#define STREAM_NAME_MAX 255u

enum stream_cmd_id {
	STREAM_C_SUBVOL = 1,
	STREAM_C_SNAPSHOT,
	STREAM_C_MKFILE,
	STREAM_C_MKDIR,
	STREAM_C_MKNOD,
	STREAM_C_MKFIFO,
	STREAM_C_MKSOCK,
	STREAM_C_SYMLINK,
	STREAM_C_RENAME,
	STREAM_C_LINK,
	STREAM_C_UNLINK,
	STREAM_C_RMDIR,
	STREAM_C_SET_XATTR,
	STREAM_C_REMOVE_XATTR,
	STREAM_C_WRITE,
	STREAM_C_CLONE,
	STREAM_C_TRUNCATE,
	STREAM_C_CHMOD,
	STREAM_C_CHOWN,
	STREAM_C_UTIMES,
	STREAM_C_END,
	STREAM_C_UPDATE_EXTENT,
	STREAM_C_FALLOCATE, /* version 2 from here */
	STREAM_C_FILEATTR,
	STREAM_C_ENCODED_WRITE,
	STREAM_C_ENABLE_VERITY, /* version 3 */
	STREAM_CMDS
};

enum stream_attr_id {
	STREAM_A_UUID = 1,
	STREAM_A_CTRANSID,
	STREAM_A_INO,
	STREAM_A_SIZE,
	STREAM_A_MODE,
	STREAM_A_UID,
	STREAM_A_GID,
	STREAM_A_RDEV,
	STREAM_A_CTIME,
	STREAM_A_MTIME,
	STREAM_A_ATIME,
	STREAM_A_OTIME,
	STREAM_A_XATTR_NAME,
	STREAM_A_XATTR_DATA,
	STREAM_A_PATH,
	STREAM_A_PATH_TO,
	STREAM_A_PATH_LINK,
	STREAM_A_FILE_OFFSET,
	STREAM_A_DATA,
	STREAM_A_CLONE_UUID,
	STREAM_A_CLONE_CTRANSID,
	STREAM_A_CLONE_PATH,
	STREAM_A_CLONE_OFFSET,
	STREAM_A_CLONE_LEN,
	STREAM_A_FALLOCATE_MODE, /* version 2 from here */
	STREAM_A_FILEATTR,
	STREAM_A_UNENCODED_FILE_LEN,
	STREAM_A_UNENCODED_LEN,
	STREAM_A_UNENCODED_OFFSET,
	STREAM_A_COMPRESSION,
	STREAM_A_ENCRYPTION,
	STREAM_A_VERITY_ALGORITHM, /* version 3 */
	STREAM_A_VERITY_BLOCK_SIZE,
	STREAM_A_VERITY_SALT_DATA,
	STREAM_A_VERITY_SIG_DATA,
	STREAM_ATTRS
};

/* A set of attributes: bits 1 << enum stream_attr_id. */
#define STREAM_BIT(attr) (UINT64_C(1) << (attr))

/* How a value is held in struct stream_value, and how long it is. */
enum stream_class {
	STREAM_NUMBER, /* max is the largest value, bytes its length */
	STREAM_TIME,   /* 64 bits of seconds, 32 of nanoseconds */
	STREAM_UUID,   /* 16 bytes */
	STREAM_PATH,   /* below the subvolume, see stream_path_wrong() */
	STREAM_STRING, /* any bytes but NUL, 1 to max of them */
	STREAM_BYTES,  /* any bytes, up to max */
	STREAM_DATA,   /* the same; without a length from version 2 on */
};

struct stream_attr_row {
	const char *name;
	enum stream_class class;
	unsigned bytes; /* of a number */
	uint64_t max;
};

struct stream_cmd_row {
	const char *name;
	unsigned version;   /* the first that has it */
	uint64_t must, may; /* attributes; what is in neither does not belong there */
	uint64_t no_root;   /* paths that cannot be the subvolume itself */
};

/** stream_cmd_row - the row of a command; NULL when there is none of this number */
const struct stream_cmd_row *stream_cmd_row(unsigned id);

/** stream_attr_row - the row of an attribute; NULL when there is none of this number */
const struct stream_attr_row *stream_attr_row(unsigned id);

struct stream_bytes {
	const uint8_t *data; /* one of class path or string ends with a NUL that len leaves out */
	size_t len;
};

struct stream_value {
	uint64_t number;
	struct timespec time;
	struct stream_bytes bytes;
};

/* One command with its attributes, each at its number where have has its bit. */
struct stream_cmd {
	enum stream_cmd_id id;
	uint64_t offset;      /* where it begins, in bytes from the beginning of the input */
	size_t len;	      /* bytes it takes there */
	const uint8_t *bytes; /* all of it, but for NULs that were put behind texts */
	uint64_t have;	      /* STREAM_BIT() of each attribute */
	struct stream_value at[STREAM_ATTRS];
};

static inline bool stream_has(const struct stream_cmd *cmd, enum stream_attr_id attr)
{
	return (cmd->have & STREAM_BIT(attr)) != 0;
}

/* 0 when it is not there. */
static inline uint64_t stream_number(const struct stream_cmd *cmd, enum stream_attr_id attr)
{
	return stream_has(cmd, attr) ? cmd->at[attr].number : 0;
}

/* A path or string; "" when it is not there. */
static inline const char *stream_text(const struct stream_cmd *cmd, enum stream_attr_id attr)
{
	return stream_has(cmd, attr) ? (const char *)cmd->at[attr].bytes.data : "";
}

/**
 * stream_path_wrong - why these bytes are no path below a subvolume
 *
 * Right is "" (the subvolume itself), or components of 1 to 255 bytes with
 * single slashes between, none of them "." or "..", 4095 bytes in all.  That
 * components are no symbolic links is for the receiver to see to.
 *
 * Return: a reason for people, NULL when all is well.
 */
const char *stream_path_wrong(const uint8_t *path, size_t len);

/**
 * stream_cmd_wrong - why a command with right attributes makes no sense
 *
 * Ranges that leave what a file can have, times with too many nanoseconds,
 * encoded extents whose lengths contradict each other.
 * Return: a reason for people, NULL when all is well.
 */
const char *stream_cmd_wrong(const struct stream_cmd *cmd);

/**
 * stream_escape - bytes as C would write them, with blanks escaped too
 * @to: room for @size bytes; gets what fits, and a NUL
 *
 * What btrfs receive --dump does to names.  Return: bytes the whole needs,
 * without the NUL.
 */
size_t stream_escape(char *to, size_t size, const uint8_t *bytes, size_t len);

#endif
