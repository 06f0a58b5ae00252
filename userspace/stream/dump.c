// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A line for each command, as btrfs receive --dump of btrfs-progs 6.2 prints it,
 * with two differences: names and values of extended attributes are escaped as
 * paths are, and a clone from another subvolume says which.
 */
#include "receive.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum kind { NONE, DECIMAL, OCTAL, HEX, UUID, TIME, TEXT, WHOLE_PATH, LENGTH };

#define FIELDS 8

struct field {
	const char *label;
	enum stream_attr_id attr;
	enum kind kind;
};

#define F(label, attr, kind)                                                                       \
	{                                                                                          \
		label, STREAM_A_##attr, kind                                                       \
	}

static const struct field fields[STREAM_CMDS][FIELDS] = {
	[STREAM_C_SUBVOL] = {F("uuid=", UUID, UUID), F(" transid=", CTRANSID, DECIMAL)},
	[STREAM_C_SNAPSHOT] = {F("uuid=", UUID, UUID), F(" transid=", CTRANSID, DECIMAL),
			       F(" parent_uuid=", CLONE_UUID, UUID),
			       F(" parent_transid=", CLONE_CTRANSID, DECIMAL)},
	[STREAM_C_MKNOD] = {F("mode=", MODE, OCTAL), F(" dev=", RDEV, HEX)},
	[STREAM_C_SYMLINK] = {F("dest=", PATH_LINK, TEXT)},
	[STREAM_C_RENAME] = {F("dest=", PATH_TO, WHOLE_PATH)},
	[STREAM_C_LINK] = {F("dest=", PATH_LINK, TEXT)},
	[STREAM_C_SET_XATTR] = {F("name=", XATTR_NAME, TEXT), F(" data=", XATTR_DATA, TEXT),
				F(" len=", XATTR_DATA, LENGTH)},
	[STREAM_C_REMOVE_XATTR] = {F("name=", XATTR_NAME, TEXT)},
	[STREAM_C_WRITE] = {F("offset=", FILE_OFFSET, DECIMAL), F(" len=", DATA, LENGTH)},
	[STREAM_C_CLONE] = {F("offset=", FILE_OFFSET, DECIMAL), F(" len=", CLONE_LEN, DECIMAL),
			    F(" from=", CLONE_PATH, WHOLE_PATH),
			    F(" clone_offset=", CLONE_OFFSET, DECIMAL)},
	[STREAM_C_TRUNCATE] = {F("size=", SIZE, DECIMAL)},
	[STREAM_C_CHMOD] = {F("mode=", MODE, OCTAL)},
	[STREAM_C_CHOWN] = {F("gid=", GID, DECIMAL), F(" uid=", UID, DECIMAL)},
	[STREAM_C_UTIMES] = {F("atime=", ATIME, TIME), F(" mtime=", MTIME, TIME),
			     F(" ctime=", CTIME, TIME)},
	[STREAM_C_UPDATE_EXTENT] = {F("offset=", FILE_OFFSET, DECIMAL), F(" len=", SIZE, DECIMAL)},
	[STREAM_C_FALLOCATE] = {F("mode=", FALLOCATE_MODE, DECIMAL),
				F(" offset=", FILE_OFFSET, DECIMAL), F(" len=", SIZE, DECIMAL)},
	[STREAM_C_FILEATTR] = {F("fileattr=", FILEATTR, HEX)},
	[STREAM_C_ENCODED_WRITE] = {F("offset=", FILE_OFFSET, DECIMAL), F(" len=", DATA, LENGTH),
				    F(", unencoded_file_len=", UNENCODED_FILE_LEN, DECIMAL),
				    F(", unencoded_len=", UNENCODED_LEN, DECIMAL),
				    F(", unencoded_offset=", UNENCODED_OFFSET, DECIMAL),
				    F(", compression=", COMPRESSION, DECIMAL),
				    F(", encryption=", ENCRYPTION, DECIMAL)},
	[STREAM_C_ENABLE_VERITY] = {F("algorithm=", VERITY_ALGORITHM, DECIMAL),
				    F(" block_size=", VERITY_BLOCK_SIZE, DECIMAL),
				    F(" salt_len=", VERITY_SALT_DATA, LENGTH),
				    F(" sig_len=", VERITY_SIG_DATA, LENGTH)},
};

void uuid_text(char text[UUID_TEXT], const uint8_t *u)
{
	snprintf(text, UUID_TEXT,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
		 u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
		 u[15]);
}

size_t put_escaped(FILE *out, const uint8_t *bytes, size_t len)
{
	char text[1024];
	size_t n, all = 0;

	/* No byte takes more than four. */
	for (; len; bytes += n, len -= n) {
		n = len < 250 ? len : 250;
		all += stream_escape(text, sizeof(text), bytes, n);
		fputs(text, out);
	}
	return all;
}

static size_t put_path(struct dump *d, const struct stream_bytes *path)
{
	size_t n = 3;

	fputs("./", d->out);
	n += put_escaped(d->out, (const uint8_t *)d->subvol, strlen(d->subvol));
	fputc('/', d->out);
	return n + put_escaped(d->out, path->data, path->len);
}

/* In the local zone; nanoseconds are left out. */
static void put_time(FILE *out, const struct timespec *time)
{
	char text[64] = "";
	struct tm tm;

	if (localtime_r(&time->tv_sec, &tm))
		strftime(text, sizeof(text), "%FT%T%z", &tm);
	if (*text)
		fputs(text, out);
	else
		fprintf(out, "%jd", (intmax_t)time->tv_sec);
}

static void put_field(struct dump *d, const struct field *f, const struct stream_cmd *cmd)
{
	const struct stream_value *v = &cmd->at[f->attr];
	uint64_t number = stream_number(cmd, f->attr);
	char uuid[UUID_TEXT];

	fputs(f->label, d->out);
	switch (f->kind) {
	case NONE:
		break;
	case DECIMAL:
		fprintf(d->out, "%" PRIu64, number);
		break;
	case OCTAL:
		fprintf(d->out, "%" PRIo64, number);
		break;
	case HEX:
		fprintf(d->out, "0x%" PRIx64, number);
		break;
	case UUID:
		uuid_text(uuid, v->bytes.data);
		fputs(uuid, d->out);
		break;
	case TIME:
		put_time(d->out, &v->time);
		break;
	case TEXT:
		put_escaped(d->out, v->bytes.data, v->bytes.len);
		break;
	case WHOLE_PATH:
		put_path(d, &v->bytes);
		break;
	case LENGTH:
		fprintf(d->out, "%zu", v->bytes.len);
		break;
	}
}

static int enter_subvol(struct dump *d, const struct stream_cmd *cmd)
{
	free(d->subvol);
	d->subvol = strdup(stream_text(cmd, STREAM_A_PATH));
	memcpy(d->uuid, cmd->at[STREAM_A_UUID].bytes.data, sizeof(d->uuid));
	return d->subvol ? 0 : -ENOMEM;
}

static size_t put_first_path(struct dump *d, const struct stream_cmd *cmd)
{
	if (cmd->id != STREAM_C_SUBVOL && cmd->id != STREAM_C_SNAPSHOT)
		return put_path(d, &cmd->at[STREAM_A_PATH].bytes);
	fputs("./", d->out);
	return 2 + put_escaped(d->out, (const uint8_t *)d->subvol, strlen(d->subvol));
}

int dump_command(struct dump *d, const struct stream_cmd *cmd)
{
	const struct field *f = fields[cmd->id];
	char uuid[UUID_TEXT];
	size_t width;

	if (cmd->id == STREAM_C_END)
		return 0;
	if (cmd->id == STREAM_C_SUBVOL || cmd->id == STREAM_C_SNAPSHOT) {
		int err = enter_subvol(d, cmd);

		if (err)
			return err;
	}
	fprintf(d->out, "%-16s", stream_cmd_row(cmd->id)->name);
	width = put_first_path(d, cmd);
	if (f->label)
		fprintf(d->out, "%*s", width < 32 ? (int)(32 - width) : 1, "");
	for (unsigned i = 0; i < FIELDS && f[i].label; i++)
		put_field(d, &f[i], cmd);
	if (cmd->id == STREAM_C_CLONE &&
	    memcmp(d->uuid, cmd->at[STREAM_A_CLONE_UUID].bytes.data, sizeof(d->uuid)) != 0) {
		uuid_text(uuid, cmd->at[STREAM_A_CLONE_UUID].bytes.data);
		fprintf(d->out, " clone_uuid=%s", uuid);
	}
	fputc('\n', d->out);
	return 0;
}

void dump_end(struct dump *d)
{
	free(d->subvol);
}
