// SPDX-License-Identifier: GPL-2.0-or-later
/* What the table cannot say about a command: paths, and numbers that must fit together. */
#include "format.h"

#include <string.h>

#include "encoded.h"

static const char *component_wrong(const uint8_t *name, size_t len)
{
	if (!len)
		return "empty component or slash too many";
	if (len > STREAM_NAME_MAX)
		return "component of more than 255 bytes";
	if (len <= 2 && !memcmp(name, "..", len))
		return len == 1 ? "component \".\"" : "component \"..\"";
	return NULL;
}

const char *stream_path_wrong(const uint8_t *path, size_t len)
{
	const uint8_t *slash;
	const char *wrong;
	size_t n;

	if (!len)
		return NULL;
	if (len > STREAM_PATH_MAX)
		return "longer than 4095 bytes";
	if (*path == '/')
		return "absolute path";
	if (memchr(path, 0, len))
		return "NUL in it";
	for (;;) {
		slash = memchr(path, '/', len);
		n = slash ? (size_t)(slash - path) : len;
		wrong = component_wrong(path, n);
		if (wrong || !slash)
			return wrong;
		path += n + 1;
		len -= n + 1;
	}
}

static const char *range_wrong(uint64_t pos, uint64_t len)
{
	/* Each alone is checked by the table: no overflow here. */
	return pos + len > INT64_MAX ? "range beyond the largest offset" : NULL;
}

/*
 * As btrfs takes it, except for what depends on the target (alignment, sector
 * size).  The inline extent of an old kernel has no compression attribute for
 * none, which can be written as data only.
 */
static const char *encoded_wrong(const struct stream_cmd *cmd)
{
	uint64_t file_len = cmd->at[STREAM_A_UNENCODED_FILE_LEN].number;
	uint64_t compression = stream_number(cmd, STREAM_A_COMPRESSION);

	if (cmd->at[STREAM_A_UNENCODED_OFFSET].number + file_len >
	    cmd->at[STREAM_A_UNENCODED_LEN].number)
		return "encoded extent: offset and length exceed what it decodes to";
	if (!file_len)
		return "encoded extent of no length";
	if (!cmd->at[STREAM_A_DATA].bytes.len || cmd->at[STREAM_A_DATA].bytes.len > ENCODED_MAX)
		return "encoded extent: not 1 to 131072 bytes of data";
	if (compression == ENCODED_NONE || compression >= ENCODED_COMPRESSION_TYPES)
		return "encoded extent: unknown compression";
	if (stream_number(cmd, STREAM_A_ENCRYPTION))
		return "encoded extent: encryption is not known";
	return range_wrong(cmd->at[STREAM_A_FILE_OFFSET].number, file_len);
}

static const char *clone_wrong(const struct stream_cmd *cmd)
{
	uint64_t len = cmd->at[STREAM_A_CLONE_LEN].number;
	const char *wrong = range_wrong(cmd->at[STREAM_A_FILE_OFFSET].number, len);

	return wrong ? wrong : range_wrong(cmd->at[STREAM_A_CLONE_OFFSET].number, len);
}

const char *stream_cmd_wrong(const struct stream_cmd *cmd)
{
	const struct stream_value *at = cmd->at;

	switch (cmd->id) {
	case STREAM_C_ENCODED_WRITE:
		return encoded_wrong(cmd);
	case STREAM_C_CLONE:
		return clone_wrong(cmd);
	case STREAM_C_WRITE:
		return range_wrong(at[STREAM_A_FILE_OFFSET].number, at[STREAM_A_DATA].bytes.len);
	case STREAM_C_FALLOCATE:
	case STREAM_C_UPDATE_EXTENT:
		return range_wrong(at[STREAM_A_FILE_OFFSET].number, at[STREAM_A_SIZE].number);
	case STREAM_C_LINK: /* a path below the subvolume here, any text in a symlink */
		return stream_path_wrong(at[STREAM_A_PATH_LINK].bytes.data,
					 at[STREAM_A_PATH_LINK].bytes.len);
	default:
		return NULL;
	}
}

size_t stream_escape(char *to, size_t size, const uint8_t *bytes, size_t len)
{
	static const char letters[] = "\aa\bb\033e\ff\nn\rr\tt\vv  \\\\";
	char piece[5];
	size_t all = 0, n;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = bytes[i];
		const char *l = NULL;

		for (const char *k = letters; *k && !l; k += 2)
			l = (uint8_t)*k == c ? k : NULL;
		piece[0] = '\\';
		if (l) {
			piece[1] = l[1];
			n = 2;
		} else if (c < 0x20 || c >= 0x7f) {
			piece[1] = (char)('0' + (c >> 6));
			piece[2] = (char)('0' + (c >> 3 & 7));
			piece[3] = (char)('0' + (c & 7));
			n = 4;
		} else {
			piece[0] = (char)c;
			n = 1;
		}
		if (all + n < size)
			memcpy(to + all, piece, n);
		else if (all < size) {
			to[all] = '\0';
			size = all; /* nothing more fits, not even something shorter */
		}
		all += n;
	}
	if (all < size)
		to[all] = '\0';
	return all;
}
