// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target for the reader of send streams: any bytes, and any payloads
 * in commands whose checksums are right.  What comes out must be what format.h
 * promises: the writer takes it, and dump and list can print it.
 *
 *	make fuzz; build/selftests/fuzz/stream_fuzz -max_total_time=60
 */
#include <stdlib.h>
#include <string.h>

#include "selftests/stream/lab.h"
#include "userspace/stream/receive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct talk {
	FILE *out;
	struct json json;
	struct dump dump;
	struct list list;
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int drop(void *arg, const void *buf, size_t len)
{
	return 0;
}

static void put_again(struct stream_writer *w, const struct stream_cmd *cmd, unsigned id)
{
	const struct stream_value *v = &cmd->at[id];

	switch (stream_attr_row(id)->class) {
	case STREAM_NUMBER:
		stream_put_number(w, id, v->number);
		break;
	case STREAM_TIME:
		stream_put_time(w, id, v->time);
		break;
	case STREAM_PATH:
	case STREAM_STRING:
		check(strlen((const char *)v->bytes.data) == v->bytes.len);
		stream_put_text(w, id, (const char *)v->bytes.data);
		break;
	default:
		stream_put_bytes(w, id, v->bytes.data, v->bytes.len);
		break;
	}
}

/* A command that was read can be written. */
static void again(const struct stream_cmd *cmd, unsigned version)
{
	struct stream_writer *w = stream_writer_new(drop, NULL, version);

	check(w != NULL);
	stream_begin(w, cmd->id);
	for (unsigned id = 1; id < STREAM_ATTRS; id++)
		if (id != STREAM_A_DATA && stream_has(cmd, id))
			put_again(w, cmd, id);
	if (stream_has(cmd, STREAM_A_DATA))
		put_again(w, cmd, STREAM_A_DATA);
	check(stream_end(w) == 0);
	check(!stream_cmd_wrong(cmd));
	stream_writer_free(w);
}

static void read_all(struct lab *lab)
{
	struct stream_reader *r = stream_reader_new(lab_read, lab);
	struct talk t = {.out = fopen("/dev/null", "w")};
	struct stream_cmd cmd;
	char text[400];
	int ret;

	check(r && t.out);
	t.json.out = t.dump.out = t.list.out = t.out;
	t.list.json = lab->len % 2 ? &t.json : NULL;
	while ((ret = stream_reader_next(r, &cmd)) > 0) {
		again(&cmd, stream_version(r));
		check(!dump_command(&t.dump, &cmd));
		check(!list_command(&t.list, &cmd, stream_version(r)));
	}
	if (ret < 0)
		stream_error_text(stream_error(r), text, sizeof(text));
	dump_end(&t.dump);
	list_end(&t.list, !ret);
	fclose(t.out);
	stream_reader_free(r);
}

/* Commands of a right stream: one byte says which, two how long. */
static void wrap(struct lab *lab, const uint8_t *data, size_t size, unsigned version)
{
	size_t len;

	lab_header(lab, version);
	lab_subvol(lab);
	while (size >= 3) {
		len = (size_t)data[1] | (size_t)data[2] << 8;
		lab_begin(lab, data[0] % (STREAM_CMDS + 1));
		data += 3;
		size -= 3;
		if (len > size)
			len = size;
		lab_append(lab, data, len);
		lab_end(lab);
		data += len;
		size -= len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab lab = {0};

	if (size < 2)
		return 0;
	lab.chunk = data[1];
	if (data[0] % 4)
		wrap(&lab, data + 2, size - 2, data[0] % 4);
	else
		lab_append(&lab, data + 2, size - 2);
	read_all(&lab);
	lab_free(&lab);
	return 0;
}
