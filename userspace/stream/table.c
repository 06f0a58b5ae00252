// SPDX-License-Identifier: GPL-2.0-or-later
/* The commands and attributes of a send stream, a row for each. */
#include "format.h"

#include "encoded.h"

#define U8		.class = STREAM_NUMBER, .bytes = 1, .max = UINT8_MAX
#define U32		.class = STREAM_NUMBER, .bytes = 4, .max = UINT32_MAX
#define U64		.class = STREAM_NUMBER, .bytes = 8, .max = UINT64_MAX
#define U64_MAX(most)	.class = STREAM_NUMBER, .bytes = 8, .max = (most)
#define STRING(most)	.class = STREAM_STRING, .max = (most)
#define BYTES_MAX(most) .class = STREAM_BYTES, .max = (most)

/* (uid_t)-1 would be "leave it". */
#define ID_MAX UINT64_C(0xfffffffe)

static const struct stream_attr_row attrs[STREAM_ATTRS] = {
	[STREAM_A_UUID] = {"uuid", .class = STREAM_UUID},
	[STREAM_A_CTRANSID] = {"ctransid", U64},
	[STREAM_A_INO] = {"ino", U64},
	[STREAM_A_SIZE] = {"size", U64_MAX(INT64_MAX)},
	[STREAM_A_MODE] = {"mode", U64_MAX(0177777)},
	[STREAM_A_UID] = {"uid", U64_MAX(ID_MAX)},
	[STREAM_A_GID] = {"gid", U64_MAX(ID_MAX)},
	[STREAM_A_RDEV] = {"rdev", U64_MAX(UINT32_MAX)},
	[STREAM_A_CTIME] = {"ctime", .class = STREAM_TIME},
	[STREAM_A_MTIME] = {"mtime", .class = STREAM_TIME},
	[STREAM_A_ATIME] = {"atime", .class = STREAM_TIME},
	[STREAM_A_OTIME] = {"otime", .class = STREAM_TIME},
	[STREAM_A_XATTR_NAME] = {"xattr_name", STRING(STREAM_NAME_MAX)},
	[STREAM_A_XATTR_DATA] = {"xattr_data", BYTES_MAX(65536)},
	[STREAM_A_PATH] = {"path", .class = STREAM_PATH},
	[STREAM_A_PATH_TO] = {"path_to", .class = STREAM_PATH},
	[STREAM_A_PATH_LINK] = {"path_link", STRING(STREAM_PATH_MAX)},
	[STREAM_A_FILE_OFFSET] = {"file_offset", U64_MAX(INT64_MAX)},
	[STREAM_A_DATA] = {"data", .class = STREAM_DATA, .max = STREAM_PAYLOAD_MAX},
	[STREAM_A_CLONE_UUID] = {"clone_uuid", .class = STREAM_UUID},
	[STREAM_A_CLONE_CTRANSID] = {"clone_ctransid", U64},
	[STREAM_A_CLONE_PATH] = {"clone_path", .class = STREAM_PATH},
	[STREAM_A_CLONE_OFFSET] = {"clone_offset", U64_MAX(INT64_MAX)},
	[STREAM_A_CLONE_LEN] = {"clone_len", U64_MAX(INT64_MAX)},
	[STREAM_A_FALLOCATE_MODE] = {"fallocate_mode", U32},
	[STREAM_A_FILEATTR] = {"fileattr", U64},
	[STREAM_A_UNENCODED_FILE_LEN] = {"unencoded_file_len", U64_MAX(ENCODED_MAX)},
	[STREAM_A_UNENCODED_LEN] = {"unencoded_len", U64_MAX(ENCODED_MAX)},
	[STREAM_A_UNENCODED_OFFSET] = {"unencoded_offset", U64_MAX(ENCODED_MAX)},
	[STREAM_A_COMPRESSION] = {"compression", U32},
	[STREAM_A_ENCRYPTION] = {"encryption", U32},
	[STREAM_A_VERITY_ALGORITHM] = {"verity_algorithm", U8},
	[STREAM_A_VERITY_BLOCK_SIZE] = {"verity_block_size", U32},
	[STREAM_A_VERITY_SALT_DATA] = {"verity_salt_data", BYTES_MAX(65535)},
	[STREAM_A_VERITY_SIG_DATA] = {"verity_sig_data", BYTES_MAX(65535)},
};

#define A(attr) STREAM_BIT(STREAM_A_##attr)

/* What says where from in SNAPSHOT and CLONE, and what names are made with. */
#define ORIGIN (A(CLONE_UUID) | A(CLONE_CTRANSID))
#define MAKE   .may = A(INO), .no_root = A(PATH)

static const struct stream_cmd_row cmds[STREAM_CMDS] = {
	[STREAM_C_SUBVOL] = {"subvol", 1, A(PATH) | A(UUID) | A(CTRANSID), .no_root = A(PATH)},
	[STREAM_C_SNAPSHOT] = {"snapshot", 1, A(PATH) | A(UUID) | A(CTRANSID) | ORIGIN,
			       .no_root = A(PATH)},
	[STREAM_C_MKFILE] = {"mkfile", 1, A(PATH), MAKE},
	[STREAM_C_MKDIR] = {"mkdir", 1, A(PATH), MAKE},
	[STREAM_C_MKNOD] = {"mknod", 1, A(PATH) | A(MODE) | A(RDEV), MAKE},
	[STREAM_C_MKFIFO] = {"mkfifo", 1, A(PATH), .may = A(INO) | A(MODE) | A(RDEV),
			     .no_root = A(PATH)},
	[STREAM_C_MKSOCK] = {"mksock", 1, A(PATH), .may = A(INO) | A(MODE) | A(RDEV),
			     .no_root = A(PATH)},
	[STREAM_C_SYMLINK] = {"symlink", 1, A(PATH) | A(PATH_LINK), MAKE},
	[STREAM_C_RENAME] = {"rename", 1, A(PATH) | A(PATH_TO), .no_root = A(PATH) | A(PATH_TO)},
	[STREAM_C_LINK] = {"link", 1, A(PATH) | A(PATH_LINK), .no_root = A(PATH)},
	[STREAM_C_UNLINK] = {"unlink", 1, A(PATH), .no_root = A(PATH)},
	[STREAM_C_RMDIR] = {"rmdir", 1, A(PATH), .no_root = A(PATH)},
	[STREAM_C_SET_XATTR] = {"set_xattr", 1, A(PATH) | A(XATTR_NAME) | A(XATTR_DATA),
				.no_root = 0},
	[STREAM_C_REMOVE_XATTR] = {"remove_xattr", 1, A(PATH) | A(XATTR_NAME), .no_root = 0},
	[STREAM_C_WRITE] = {"write", 1, A(PATH) | A(FILE_OFFSET) | A(DATA), .no_root = A(PATH)},
	[STREAM_C_CLONE] = {"clone", 1,
			    A(PATH) | A(FILE_OFFSET) | A(CLONE_LEN) | A(CLONE_PATH) |
				    A(CLONE_OFFSET) | ORIGIN,
			    .no_root = A(PATH) | A(CLONE_PATH)},
	[STREAM_C_TRUNCATE] = {"truncate", 1, A(PATH) | A(SIZE), .no_root = A(PATH)},
	[STREAM_C_CHMOD] = {"chmod", 1, A(PATH) | A(MODE), .no_root = 0},
	[STREAM_C_CHOWN] = {"chown", 1, A(PATH) | A(UID) | A(GID), .no_root = 0},
	[STREAM_C_UTIMES] = {"utimes", 1, A(PATH) | A(ATIME) | A(MTIME) | A(CTIME),
			     .may = A(OTIME)},
	[STREAM_C_END] = {"end", 1, .must = 0},
	[STREAM_C_UPDATE_EXTENT] = {"update_extent", 1, A(PATH) | A(FILE_OFFSET) | A(SIZE),
				    .no_root = A(PATH)},
	[STREAM_C_FALLOCATE] = {"fallocate", 2,
				A(PATH) | A(FALLOCATE_MODE) | A(FILE_OFFSET) | A(SIZE),
				.no_root = A(PATH)},
	[STREAM_C_FILEATTR] = {"fileattr", 2, A(PATH) | A(FILEATTR), .no_root = 0},
	[STREAM_C_ENCODED_WRITE] = {"encoded_write", 2,
				    A(PATH) | A(FILE_OFFSET) | A(UNENCODED_FILE_LEN) |
					    A(UNENCODED_LEN) | A(UNENCODED_OFFSET) | A(DATA),
				    .may = A(COMPRESSION) | A(ENCRYPTION), .no_root = A(PATH)},
	[STREAM_C_ENABLE_VERITY] = {"enable_verity", 3,
				    A(PATH) | A(VERITY_ALGORITHM) | A(VERITY_BLOCK_SIZE) |
					    A(VERITY_SALT_DATA) | A(VERITY_SIG_DATA),
				    .no_root = A(PATH)},
};

const struct stream_cmd_row *stream_cmd_row(unsigned id)
{
	return id < STREAM_CMDS && cmds[id].name ? &cmds[id] : NULL;
}

const struct stream_attr_row *stream_attr_row(unsigned id)
{
	return id < STREAM_ATTRS && attrs[id].name ? &attrs[id] : NULL;
}
