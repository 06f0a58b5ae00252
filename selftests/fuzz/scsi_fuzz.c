// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target for ocp-target.  The first byte says how the rest is taken:
 *
 *	0	lists, descriptors, sense, pages and text: by each decoder
 *	1	commands for the engine: CDB, two bytes of length, parameter list ...
 *	2	bytes of a connection that has not logged in
 *	3	bytes of one that has
 *
 *	make fuzz; build/selftests/fuzz/scsi_fuzz -max_total_time=60
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "scsi/proto/token.h"
#include "scsi/proto/vpd.h"
#include "scsi/target/iscsi.h"
#include "scsi/target/tpc.h"
#include "selftests/scsi/wire.h"

#define SIZE ((uint64_t)256 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* A copy that ends where it ends, so that a byte beyond is seen. */
static uint8_t *exactly(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	check(copy != NULL);
	if (size)
		memcpy(copy, data, size);
	return copy;
}

static void decode_text(const uint8_t *data, size_t size)
{
	char *text = (char *)exactly(data, size), *key, *value;
	uint8_t bytes[64];
	uint32_t n;
	size_t at = 0;

	while (iscsi_text_next(text, size, &at, &key, &value) > 0) {
		check(strlen(key) <= 63 && at <= size);
		check(iscsi_text_binary(value, bytes, sizeof(bytes)) <= (int)sizeof(bytes));
		iscsi_text_number(value, 0, ~0u, &n);
	}
	free(text);
}

static void decode_copies(const uint8_t *p, size_t size)
{
	struct xcopy_header head = {.lid4 = size % 2};
	int at = xcopy_header_decode(&head, p, size), n;
	struct segment seg;
	struct cscd cscd;

	if (at < 0)
		return;
	check((uint64_t)at + head.cscd_len + head.segment_len + head.inline_len <= size);
	for (size_t i = 0; i + CSCD_SIZE <= head.cscd_len; i += CSCD_SIZE)
		cscd_decode(&cscd, p + at + i);
	p += (size_t)at + head.cscd_len;
	for (size_t i = 0; i < head.segment_len; i += (size_t)n) {
		n = segment_decode(&seg, p + i, head.segment_len - i);
		if (n < 0)
			break;
		check(i + (size_t)n <= head.segment_len);
	}
}

static void decode_tokens(const uint8_t *p, size_t size)
{
	struct populate populate;
	struct redeem redeem;
	struct token_range r;
	struct rod_token rod;

	if (!populate_decode(&populate, p, size))
		for (unsigned i = 0; i < populate.ranges; i++)
			token_range_decode(&r, populate.range, i);
	if (redeem_decode(&redeem, p, size))
		return;
	rod_token_decode(&rod, redeem.token);
	for (unsigned i = 0; i < redeem.ranges; i++)
		token_range_decode(&r, redeem.range, i);
}

static void decode_answers(const uint8_t *p, size_t size)
{
	struct copy_limits_data limits;
	struct copy_status_lid1 one;
	struct copy_status_lid4 four;
	struct copy_failure failure;
	struct block_limits bl;
	struct provisioning prov;
	struct tpc_page tpc;
	struct inquiry_text inq;
	uint64_t blocks;
	bool hole;
	struct designator d;
	struct sense sense;
	size_t at = 0;
	int n;

	sense_decode(&sense, p, size);
	copy_limits_decode(&limits, p, size);
	copy_status_lid1_decode(&one, p, size);
	copy_failure_decode(&failure, p, size);
	n = copy_status_lid4_decode(&four, p, size);
	if (n > 0)
		token_info_decode(p + n, size - (size_t)n);
	vpd_block_limits_decode(&bl, p, size);
	vpd_provisioning_decode(&prov, p, size);
	vpd_tpc_decode(&tpc, p, size);
	check(tpc.codes <= COPY_LIMITS_CODES);
	if (!inquiry_decode(&inq, p, size))
		check(strlen(inq.vendor) <= 8 && strlen(inq.product) <= 16);
	if (!lba_status_decode(p, size, size, &blocks, &hole))
		check(blocks > 0);
	while (vpd_designator_next(p, size, &at, &d))
		check(at <= size);
}

static void decode(const uint8_t *data, size_t size)
{
	struct unmap_range range;
	uint8_t *p = exactly(data, size);
	int n = unmap_count(p, size);

	for (int i = 0; i < n; i++)
		unmap_range_decode(&range, p, (unsigned)i);
	decode_copies(p, size);
	decode_tokens(p, size);
	decode_answers(p, size);
	free(p);
	decode_text(data, size);
}

/* The engine ------------------------------------------------------------------------------ */

static struct server *server(void)
{
	static struct server *s;
	struct target *t;
	char why[256];

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	check(s && !engine_init(&s->engine, NULL, why, sizeof(why)));
	check(!target_add(&s->engine, WIRE_TARGET, &t));
	for (unsigned i = 0; i < 2; i++) {
		struct lun_spec spec = {.number = i, .file = i ? "mem:b" : "mem:a", .size = SIZE};

		check(!target_add_lun(t, &spec, why, sizeof(why)));
	}
	check(!server_init(s));
	return s;
}

static void commands(const uint8_t *data, size_t size)
{
	static const uint8_t isid[6];
	struct nexus *n = nexus_new(server()->engine.targets, "iqn.2026-11.test:fuzz", isid);

	check(n != NULL);
	for (unsigned i = 0; i < LUNS_MAX; i++)
		atomic_store(&n->attention[i], 0);
	while (size >= CDB_MAX + 3) {
		size_t len = get_be16(data + CDB_MAX + 1);
		struct scsi_task t = {.nexus = n};

		memcpy(t.cdb, data, CDB_MAX);
		lun_encode(t.lun_field, data[CDB_MAX] % 3);
		data += CDB_MAX + 3;
		size -= CDB_MAX + 3;
		len = len < size ? len : size;
		scsi_begin(&t);
		t.expected = t.want;
		if (!t.done && t.dir == DATA_OUT) {
			t.len = len < t.want ? (uint32_t)len : t.want;
			if (t.len)
				memcpy(t.data, data, t.len);
			data += len;
			size -= len;
		}
		if (!t.done)
			scsi_run(&t);
		check(t.dir != DATA_IN || t.len <= TRANSFER_MAX);
		scsi_end(&t);
	}
	nexus_lost(n);
	while (nexus_busy(n))
		usleep(100);
	nexus_put(n);
	tokens_drop_all(&server()->engine);
	check(!atomic_load(&server()->engine.memory));
}

/* The connection ----------------------------------------------------------------------------- */

static void drain(int fd)
{
	uint8_t buf[65536];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static void connection(const uint8_t *data, size_t size, bool logged_in)
{
	struct server *s = server();
	struct wire login;
	int fd[2];

	check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd));
	conn_new(s, fd[0]);
	wire_login(&login, NULL, 0);
	if (logged_in)
		check(send(fd[1], login.bytes, login.len, MSG_NOSIGNAL) == (ssize_t)login.len);
	if (size && send(fd[1], data, size, MSG_NOSIGNAL) < 0)
		size = 0;
	for (unsigned i = 0; i < 4; i++) {
		server_turn(s, 0);
		drain(fd[1]);
	}
	close(fd[1]);
	while (s->n_conns || s->sessions)
		server_turn(s, 1);
	check(!atomic_load(&s->engine.memory));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (data[0] % 4) {
	case 0:
		decode(data + 1, size - 1);
		break;
	case 1:
		commands(data + 1, size - 1);
		break;
	default:
		connection(data + 1, size - 1, data[0] % 4 == 3);
		break;
	}
	return 0;
}
