// SPDX-License-Identifier: GPL-2.0-or-later
/* What subvolumes an input holds.  Each is printed when all of it has been read. */
#include "receive.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void sum(const struct list *l, uint64_t *count, uint64_t *bytes)
{
	*count = *bytes = 0;
	for (unsigned id = 1; id < STREAM_CMDS; id++) {
		*count += l->count[id];
		*bytes += l->bytes[id];
	}
}

static void print_text(struct list *l)
{
	char uuid[UUID_TEXT];
	uint64_t count, bytes;

	put_escaped(l->out, (const uint8_t *)l->name, strlen(l->name));
	uuid_text(uuid, l->uuid);
	fprintf(l->out, "\n    kind             %s\n    uuid             %s\n",
		l->snapshot ? "incremental" : "full", uuid);
	fprintf(l->out, "    ctransid         %" PRIu64 "\n", l->ctransid);
	if (l->snapshot) {
		uuid_text(uuid, l->parent_uuid);
		fprintf(l->out, "    parent uuid      %s\n    parent ctransid  %" PRIu64 "\n", uuid,
			l->parent_ctransid);
	}
	sum(l, &count, &bytes);
	fprintf(l->out, "    stream version   %u\n", l->version);
	fprintf(l->out, "    commands         %" PRIu64 ", %" PRIu64 " bytes\n", count, bytes);
	for (unsigned id = 1; id < STREAM_CMDS; id++)
		if (l->count[id])
			fprintf(l->out, "      %-14s %" PRIu64 ", %" PRIu64 " bytes\n",
				stream_cmd_row(id)->name, l->count[id], l->bytes[id]);
	fprintf(l->out,
		"    plain data       %" PRIu64 " bytes\n"
		"    encoded data     %" PRIu64 " bytes for %" PRIu64 " bytes of files\n"
		"    cloned           %" PRIu64 " bytes\n",
		l->data, l->encoded, l->unencoded, l->cloned);
}

static void print_json_commands(struct list *l)
{
	json_begin(l->json, "commands", '{');
	for (unsigned id = 1; id < STREAM_CMDS; id++) {
		if (!l->count[id])
			continue;
		json_begin(l->json, stream_cmd_row(id)->name, '{');
		json_number(l->json, "count", l->count[id]);
		json_number(l->json, "bytes", l->bytes[id]);
		json_end(l->json, '}');
	}
	json_end(l->json, '}');
}

static void print_json(struct list *l)
{
	char uuid[UUID_TEXT];
	uint64_t count, bytes;

	json_begin(l->json, NULL, '{');
	json_path(l->json, "name", l->name);
	json_bool(l->json, "incremental", l->snapshot);
	uuid_text(uuid, l->uuid);
	json_string(l->json, "uuid", uuid);
	json_number(l->json, "ctransid", l->ctransid);
	if (l->snapshot) {
		uuid_text(uuid, l->parent_uuid);
		json_string(l->json, "parent_uuid", uuid);
		json_number(l->json, "parent_ctransid", l->parent_ctransid);
	}
	json_number(l->json, "stream_version", l->version);
	sum(l, &count, &bytes);
	json_number(l->json, "command_count", count);
	json_number(l->json, "stream_bytes", bytes);
	print_json_commands(l);
	json_number(l->json, "data_bytes", l->data);
	json_number(l->json, "encoded_bytes", l->encoded);
	json_number(l->json, "unencoded_bytes", l->unencoded);
	json_number(l->json, "cloned_bytes", l->cloned);
	json_end(l->json, '}');
}

static void print_one(struct list *l)
{
	if (l->open && l->json)
		print_json(l);
	else if (l->open)
		print_text(l);
	l->open = false;
	free(l->name);
	l->name = NULL;
}

static int open_one(struct list *l, const struct stream_cmd *cmd, unsigned version)
{
	print_one(l);
	*l = (struct list){.out = l->out, .json = l->json, .open = true, .version = version};
	l->snapshot = cmd->id == STREAM_C_SNAPSHOT;
	memcpy(l->uuid, cmd->at[STREAM_A_UUID].bytes.data, sizeof(l->uuid));
	l->ctransid = stream_number(cmd, STREAM_A_CTRANSID);
	if (l->snapshot)
		memcpy(l->parent_uuid, cmd->at[STREAM_A_CLONE_UUID].bytes.data,
		       sizeof(l->parent_uuid));
	l->parent_ctransid = stream_number(cmd, STREAM_A_CLONE_CTRANSID);
	l->name = strdup(stream_text(cmd, STREAM_A_PATH));
	if (l->name)
		return 0;
	l->open = false;
	return -ENOMEM;
}

int list_command(struct list *l, const struct stream_cmd *cmd, unsigned version)
{
	int err = 0;

	if (cmd->id == STREAM_C_SUBVOL || cmd->id == STREAM_C_SNAPSHOT)
		err = open_one(l, cmd, version);
	if (err)
		return err;
	l->count[cmd->id]++;
	l->bytes[cmd->id] += cmd->len;
	if (cmd->id == STREAM_C_WRITE)
		l->data += cmd->at[STREAM_A_DATA].bytes.len;
	if (cmd->id == STREAM_C_ENCODED_WRITE) {
		l->encoded += cmd->at[STREAM_A_DATA].bytes.len;
		l->unencoded += stream_number(cmd, STREAM_A_UNENCODED_FILE_LEN);
	}
	l->cloned += cmd->id == STREAM_C_CLONE ? stream_number(cmd, STREAM_A_CLONE_LEN) : 0;
	if (cmd->id == STREAM_C_END)
		print_one(l);
	return 0;
}

void list_end(struct list *l, bool whole)
{
	print_one(l);
	if (!l->json)
		return;
	json_end(l->json, ']');
	json_bool(l->json, "complete", whole);
	json_end(l->json, '}');
	fputc('\n', l->out);
}
