// SPDX-License-Identifier: GPL-2.0-or-later
/* ocp-nfsd: sessions, opens, locks, restarts, copies, and calls that are no calls. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "selftests/nfs/lab.h"

FIXTURE(server)
{
	struct lab_server srv;
	struct lab a, b;
	struct nfs4_fh dir, far_dir;
	char *path, *far; /* XFS, ext4 */
	const char *src;  /* where open_two() takes src from */
};

FIXTURE_SETUP(server)
{
	const char *fs = fixture_fs("xfs", 300, NULL);

	if (!fs)
		SKIP(return, "%s", fixture_why());
	self->path = strdup(fs);
	self->src = self->path;
	fs = fixture_fs("ext4", 96, NULL);
	if (!fs)
		SKIP(return, "%s", fixture_why());
	self->far = strdup(fs);
	ASSERT_TRUE(lab_export(&self->srv, self->far));
	ASSERT_TRUE(lab_export(&self->srv, self->path));
	self->srv.copy_wait = "0";
	ASSERT_TRUE(lab_start(&self->srv))
	TH_LOG("%s", lab_why());
	ASSERT_TRUE(lab_client(&self->a, &self->srv, "client a", false))
	TH_LOG("%s", lab_why());
	ASSERT_EQ(NFS4_OK, lab_fh(&self->a, self->path, &self->dir));
	ASSERT_EQ(NFS4_OK, lab_fh(&self->a, self->far, &self->far_dir));
}

FIXTURE_TEARDOWN(server)
{
	lab_end(&self->a);
	lab_end(&self->b);
	EXPECT_EQ(0, lab_stop(&self->srv));
	free(self->path);
	free(self->far);
}

static void mkdir_call(struct lab *lab, const struct nfs4_fh *dir, const char *name)
{
	struct nfs4_create_args a = {.type = NF4DIR, .name = xdr_str(name)};

	LAB_OP(lab, OP_PUTFH, .putfh = {*dir});
	LAB_OP(lab, OP_CREATE, .create = a);
}

TEST_F(server, a_call_that_comes_again_gets_the_same_reply_and_is_not_done_twice)
{
	union nfs4_res first, again;
	char path[600];

	lab_sequence(&self->a, 3);
	mkdir_call(&self->a, &self->dir, "once");
	ASSERT_EQ(NFS4_OK, lab_send(&self->a));
	lab_res(&self->a, OP_PUTFH, NULL);
	ASSERT_EQ(NFS4_OK, lab_res(&self->a, OP_CREATE, &first));
	snprintf(path, sizeof(path), "%s/once", self->path);
	ASSERT_EQ(0, rmdir(path));
	/* over another connection, as after a partition */
	lab_disconnect(&self->a);
	ASSERT_TRUE(lab_connect(&self->a, &self->srv));
	self->a.seq[3]--;
	lab_sequence(&self->a, 3);
	mkdir_call(&self->a, &self->dir, "once");
	ASSERT_EQ(NFS4_OK, lab_send(&self->a));
	lab_res(&self->a, OP_PUTFH, NULL);
	ASSERT_EQ(NFS4_OK, lab_res(&self->a, OP_CREATE, &again));
	EXPECT_EQ(first.create.cinfo.after, again.create.cinfo.after);
	EXPECT_EQ(-1, access(path, F_OK));
}

TEST_F(server, slots_are_kept_in_order)
{
	lab_sequence(&self->a, 1);
	EXPECT_EQ(NFS4_OK, lab_send(&self->a));
	self->a.seq[1] += 5;
	lab_sequence(&self->a, 1);
	EXPECT_EQ(NFS4ERR_SEQ_MISORDERED, lab_send(&self->a));
	self->a.session[0] ^= 1;
	lab_sequence(&self->a, 2);
	EXPECT_EQ(NFS4ERR_BADSESSION, lab_send(&self->a));
	self->a.session[0] ^= 1;
	self->a.seq[2]--;
	lab_begin(&self->a);
	LAB_OP(&self->a, OP_PUTROOTFH, .none = {0});
	EXPECT_EQ(NFS4ERR_OP_NOT_IN_SESSION, lab_send(&self->a));
	lab_sequence(&self->a, 2);
	LAB_OP(&self->a, OP_SEQUENCE, .sequence = {.slot = 1});
	EXPECT_EQ(NFS4ERR_SEQUENCE_POS, lab_send(&self->a));
	lab_begin(&self->a);
	self->a.call.minor = 0;
	xdr_encode(&self->a.x, self->a.buf, sizeof(self->a.buf));
	rpc_call_begin(self->a.conn, &self->a.x,
		       &(struct rpc_target){NFS4_PROGRAM, 4, NFS4_PROC_COMPOUND, NULL});
	nfs4_call_begin(&self->a.x, &self->a.call);
	LAB_OP(&self->a, OP_PUTROOTFH, .none = {0});
	EXPECT_EQ(NFS4ERR_MINOR_VERS_MISMATCH, lab_send(&self->a));
}

static uint32_t with_stateid(struct lab *lab, uint32_t op, const struct nfs4_fh *fh,
			     const struct nfs4_stateid *id)
{
	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {*fh});
	if (op == OP_CLOSE)
		LAB_OP(lab, OP_CLOSE, .close = {0, *id});
	else
		LAB_OP(lab, op, .read = {*id, 0, 10});
	return lab_send(lab);
}

TEST_F(server, share_reservations_hold_between_clients)
{
	struct nfs4_open_args deny =
		lab_create("f", "o1", OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_DENY_WRITE);
	struct nfs4_open_args write = lab_create("f", "o2", OPEN4_SHARE_ACCESS_WRITE, 0);
	struct nfs4_open_res one, two;
	struct nfs4_fh fh;

	ASSERT_TRUE(lab_client(&self->b, &self->srv, "client b", false));
	ASSERT_EQ(NFS4_OK, lab_open(&self->a, &deny, &self->dir, &one, &fh));
	EXPECT_EQ(NFS4ERR_SHARE_DENIED, lab_open(&self->b, &write, &self->dir, &two, NULL));
	EXPECT_EQ(NFS4ERR_BAD_STATEID, with_stateid(&self->b, OP_READ, &fh, &one.stateid));
	EXPECT_EQ(NFS4_OK, with_stateid(&self->a, OP_READ, &fh, &one.stateid));
	EXPECT_EQ(NFS4_OK, with_stateid(&self->a, OP_CLOSE, &fh, &one.stateid));
	EXPECT_EQ(NFS4ERR_BAD_STATEID, with_stateid(&self->a, OP_READ, &fh, &one.stateid));
	EXPECT_EQ(NFS4_OK, lab_open(&self->b, &write, &self->dir, &two, NULL));
	two.stateid.seqid++;
	EXPECT_EQ(NFS4ERR_BAD_STATEID, with_stateid(&self->b, OP_CLOSE, &fh, &two.stateid));
}

static uint32_t lock(struct lab *lab, const struct nfs4_fh *fh, const struct nfs4_stateid *open,
		     uint64_t offset, union nfs4_res *res)
{
	struct nfs4_lock_args a = {.type = WRITE_LT,
				   .offset = offset,
				   .length = 10,
				   .new_owner = true,
				   .open_stateid = *open,
				   .owner = {lab->clientid, xdr_str("locker")}};
	uint32_t status;

	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {*fh});
	LAB_OP(lab, OP_LOCK, .lock = a);
	status = lab_send(lab);
	lab_res(lab, OP_PUTFH, NULL);
	return lab_res(lab, OP_LOCK, res) == status ? status : ~0u;
}

TEST_F(server, byte_ranges_are_locked_against_other_clients)
{
	struct nfs4_open_args open = lab_create("f", "o", OPEN4_SHARE_ACCESS_BOTH, 0);
	struct nfs4_open_res one, two;
	union nfs4_res res;
	struct nfs4_fh fh;

	ASSERT_TRUE(lab_client(&self->b, &self->srv, "client b", false));
	ASSERT_EQ(NFS4_OK, lab_open(&self->a, &open, &self->dir, &one, &fh));
	ASSERT_EQ(NFS4_OK, lab_open(&self->b, &open, &self->dir, &two, NULL));
	EXPECT_EQ(NFS4_OK, lock(&self->a, &fh, &one.stateid, 5, &res));
	EXPECT_EQ(NFS4ERR_DENIED, lock(&self->b, &fh, &two.stateid, 14, &res));
	EXPECT_EQ(5, res.lock.denied.offset);
	EXPECT_EQ(10, res.lock.denied.length);
	EXPECT_EQ(6, res.lock.denied.owner.owner.len);
	EXPECT_EQ(NFS4_OK, lock(&self->b, &fh, &two.stateid, 15, &res));
	EXPECT_EQ(NFS4ERR_LOCKS_HELD, with_stateid(&self->a, OP_CLOSE, &fh, &one.stateid));
}

TEST_F(server, a_forged_or_damaged_handle_opens_nothing)
{
	struct nfs4_fh fh;

	for (uint32_t i = 0; i < self->dir.len; i++) {
		fh = self->dir;
		fh.data[i] ^= 0x10;
		lab_sequence(&self->a, 0);
		LAB_OP(&self->a, OP_PUTFH, .putfh = {fh});
		EXPECT_EQ(NFS4ERR_BADHANDLE, lab_send(&self->a));
	}
}

static uint32_t write_at(struct lab *lab, const struct nfs4_fh *fh, const struct nfs4_stateid *id,
			 uint64_t offset, const char *text)
{
	struct nfs4_write_args w = {*id, offset, FILE_SYNC4, xdr_str(text)};

	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {*fh});
	LAB_OP(lab, OP_WRITE, .write = w);
	return lab_send(lab);
}

/* As a client does it that finds its server was started anew. */
TEST_F(server, after_kill_9_clients_reclaim_and_others_wait)
{
	struct nfs4_open_args create = lab_create("f", "o", OPEN4_SHARE_ACCESS_BOTH, 0);
	struct nfs4_open_args reclaim = {.share_access = OPEN4_SHARE_ACCESS_BOTH,
					 .owner.owner = xdr_str("o"),
					 .claim = CLAIM_PREVIOUS};
	struct nfs4_open_res open, again;
	struct nfs4_fh fh;

	ASSERT_EQ(NFS4_OK, lab_open(&self->a, &create, &self->dir, &open, &fh));
	ASSERT_EQ(NFS4_OK, write_at(&self->a, &fh, &open.stateid, 0, "before"));
	lab_kill(&self->srv, SIGKILL);
	ASSERT_TRUE(lab_start(&self->srv))
	TH_LOG("%s", lab_why());
	lab_connect(&self->a, &self->srv);
	lab_sequence(&self->a, 0);
	EXPECT_EQ(NFS4ERR_BADSESSION, lab_send(&self->a));

	/* a new client waits, and may not pretend */
	ASSERT_TRUE(lab_client(&self->b, &self->srv, "client b", false));
	EXPECT_EQ(NFS4ERR_GRACE, lab_open(&self->b, &create, &self->dir, &again, NULL));
	EXPECT_EQ(NFS4ERR_NO_GRACE, lab_open(&self->b, &reclaim, &fh, &again, NULL));

	ASSERT_TRUE(lab_client(&self->a, &self->srv, "client a", true));
	EXPECT_EQ(NFS4ERR_STALE_STATEID, write_at(&self->a, &fh, &open.stateid, 0, "x"));
	ASSERT_EQ(NFS4_OK, lab_open(&self->a, &reclaim, &fh, &again, NULL));
	EXPECT_EQ(NFS4_OK, write_at(&self->a, &fh, &again.stateid, 6, " after"));
	lab_sequence(&self->a, 0);
	LAB_OP(&self->a, OP_RECLAIM_COMPLETE, .reclaim_complete = {false});
	EXPECT_EQ(NFS4_OK, lab_send(&self->a));
	EXPECT_EQ(NFS4ERR_NO_GRACE, lab_open(&self->a, &reclaim, &fh, &again, NULL));
	/* all are back: nobody waits any longer */
	EXPECT_EQ(NFS4_OK, lab_open(&self->b, &create, &self->dir, &again, NULL));
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* It ends after two leases, or when nobody has reclaimed anything for a quarter of one. */
TEST_F(server, the_grace_period_lasts_while_clients_reclaim)
{
	struct nfs4_open_args create = lab_create("f", "o", OPEN4_SHARE_ACCESS_BOTH, 0);
	struct nfs4_open_args reclaim = {.share_access = OPEN4_SHARE_ACCESS_BOTH,
					 .owner.owner = xdr_str("o"),
					 .claim = CLAIM_PREVIOUS};
	uint64_t began, last, next;
	struct nfs4_open_res open;
	struct nfs4_fh fh;
	uint32_t status;

	ASSERT_EQ(NFS4_OK, lab_open(&self->a, &create, &self->dir, &open, &fh));
	ASSERT_TRUE(lab_client(&self->b, &self->srv, "does not come back", false));
	lab_kill(&self->srv, SIGKILL);
	self->srv.lease = "2";
	began = last = next = now_ms();
	ASSERT_TRUE(lab_start(&self->srv))
	TH_LOG("%s", lab_why());
	ASSERT_TRUE(lab_client(&self->a, &self->srv, "client a", true));
	do {
		last = next;
		next = now_ms();
		status = lab_open(&self->a, &reclaim, &fh, &open, NULL);
	} while (status == NFS4_OK);
	EXPECT_EQ(NFS4ERR_NO_GRACE, status);
	EXPECT_TRUE(now_ms() - began >= 4000 || now_ms() - last >= 500);
}

static void fill(const char *dir, const char *name, size_t size, unsigned seed)
{
	char path[700];
	uint8_t *data = malloc(size);
	int fd;

	srand(seed);
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)rand();
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
	if (write(fd, data, size) != (ssize_t)size)
		abort();
	fsync(fd);
	close(fd);
	free(data);
}

static bool equal(const char *from, const char *to)
{
	char cmd[1500];

	snprintf(cmd, sizeof(cmd), "cmp -s '%s/src' '%s/dst'", from, to);
	return system(cmd) == 0;
}

static uint32_t copy(struct lab *lab, const struct nfs4_fh fh[2], const struct nfs4_stateid id[2],
		     uint64_t count, union nfs4_res *res)
{
	struct nfs4_copy_args c = {.src = id[0], .dst = id[1], .count = count, .consecutive = true};
	uint32_t status;

	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {fh[0]});
	LAB_OP(lab, OP_SAVEFH, .none = {0});
	LAB_OP(lab, OP_PUTFH, .putfh = {fh[1]});
	LAB_OP(lab, OP_COPY, .copy = c);
	status = lab_send(lab);
	lab_res(lab, OP_PUTFH, NULL);
	lab_res(lab, OP_SAVEFH, NULL);
	lab_res(lab, OP_PUTFH, NULL);
	lab_res(lab, OP_COPY, res);
	return status;
}

static void open_two(struct __test_metadata *const _metadata, FIXTURE_DATA(server) * self,
		     struct nfs4_fh fh[2], struct nfs4_stateid id[2])
{
	struct nfs4_open_args src = lab_create("src", "o", OPEN4_SHARE_ACCESS_READ, 0);
	struct nfs4_open_args dst = lab_create("dst", "o", OPEN4_SHARE_ACCESS_BOTH, 0);
	struct nfs4_open_res open;

	ASSERT_EQ(NFS4_OK,
		  lab_open(&self->a, &src, self->src == self->far ? &self->far_dir : &self->dir,
			   &open, &fh[0]));
	id[0] = open.stateid;
	ASSERT_EQ(NFS4_OK, lab_open(&self->a, &dst, &self->dir, &open, &fh[1]));
	id[1] = open.stateid;
}

TEST_F(server, CLONE_shares_blocks_and_refuses_what_cannot_be_shared)
{
	struct nfs4_stateid id[2];
	struct nfs4_fh fh[2];
	struct nfs4_clone_args c;

	fill(self->path, "src", 1 << 20, 1);
	open_two(_metadata, self, fh, id);
	for (int i = 0; i < 2; i++) {
		c = (struct nfs4_clone_args){id[0], id[1], i ? 100 : 0, 0, i ? 4096 : 0};
		lab_sequence(&self->a, 0);
		LAB_OP(&self->a, OP_PUTFH, .putfh = {fh[0]});
		LAB_OP(&self->a, OP_SAVEFH, .none = {0});
		LAB_OP(&self->a, OP_PUTFH, .putfh = {fh[1]});
		LAB_OP(&self->a, OP_CLONE, .clone = c);
		EXPECT_EQ(i ? NFS4ERR_INVAL : NFS4_OK, lab_send(&self->a));
	}
	EXPECT_TRUE(equal(self->src, self->path));
}

TEST_F(server, COPY_refuses_the_same_file_and_ranges_beyond_the_end)
{
	struct nfs4_stateid id[2], same[2];
	struct nfs4_fh fh[2], one[2];
	union nfs4_res res;

	fill(self->path, "src", 10000, 1);
	open_two(_metadata, self, fh, id);
	one[0] = one[1] = fh[1];
	same[0] = same[1] = id[1];
	EXPECT_EQ(NFS4ERR_INVAL, copy(&self->a, one, same, 10, &res));
	EXPECT_EQ(NFS4ERR_INVAL, copy(&self->a, fh, id, 10001, &res));
}

/* Both just made by OPEN: they are two files all the same. */
TEST_F(server, COPY_between_two_new_files)
{
	struct nfs4_stateid id[2];
	struct nfs4_fh fh[2];
	union nfs4_res res;

	open_two(_metadata, self, fh, id);
	EXPECT_EQ(NFS4_OK, copy(&self->a, fh, id, 0, &res));
	EXPECT_EQ(0, res.copy.write.count);
}

/* The reply came before the end, or with it: both are right, the bytes decide. */
static void wait_for_copy(struct __test_metadata *const _metadata, struct lab *lab,
			  const union nfs4_res *res, uint64_t size)
{
	if (!res->copy.write.async) {
		ASSERT_EQ(size, res->copy.write.count);
		return;
	}
	EXPECT_NE(0, res->copy.write.callback.seqid);
	sem_wait(&lab->called_back);
	EXPECT_EQ(0, memcmp(&lab->cb_stateid, &res->copy.write.callback, 16));
	EXPECT_EQ(NFS4_OK, lab->cb_status);
	EXPECT_EQ(size, lab->cb_count);
}

TEST_F(server, COPY_copies_and_calls_back)
{
	struct nfs4_stateid id[2];
	struct nfs4_fh fh[2];
	union nfs4_res res;

	self->src = self->far; /* nothing is shared between two file systems */
	fill(self->src, "src", 20 << 20, 2);
	open_two(_metadata, self, fh, id);
	ASSERT_EQ(NFS4_OK, copy(&self->a, fh, id, 0, &res));
	wait_for_copy(_metadata, &self->a, &res, 20 << 20);
	EXPECT_TRUE(equal(self->src, self->path));
}

TEST_F(server, OFFLOAD_CANCEL_ends_a_copy_and_what_is_known_of_it)
{
	struct nfs4_stateid id[2];
	struct nfs4_fh fh[2];
	union nfs4_res res;

	self->src = self->far;
	fill(self->src, "src", 20 << 20, 3);
	open_two(_metadata, self, fh, id);
	self->a.deaf = true; /* however fast it is: it stays until its end is acknowledged */
	ASSERT_EQ(NFS4_OK, copy(&self->a, fh, id, 0, &res));
	if (!res.copy.write.async)
		SKIP(return, "the copy was done before it could be asynchronous");
	ASSERT_TRUE(lab_client(&self->b, &self->srv, "client b", false));
	EXPECT_EQ(NFS4ERR_BAD_STATEID,
		  with_stateid(&self->b, OP_OFFLOAD_CANCEL, &fh[1], &res.copy.write.callback));
	EXPECT_EQ(NFS4_OK,
		  with_stateid(&self->a, OP_OFFLOAD_CANCEL, &fh[1], &res.copy.write.callback));
	EXPECT_EQ(NFS4ERR_BAD_STATEID,
		  with_stateid(&self->a, OP_OFFLOAD_STATUS, &fh[1], &res.copy.write.callback));
}

TEST_F(server, a_lost_callback_comes_again_on_the_next_connection)
{
	struct nfs4_bind_conn bind = {.dir = CDFC4_FORE_OR_BOTH};
	struct nfs4_stateid id[2];
	struct nfs4_fh fh[2];
	union nfs4_res res, status;

	self->src = self->far; /* nothing is shared between two file systems */
	fill(self->src, "src", 20 << 20, 3);
	open_two(_metadata, self, fh, id);
	self->a.deaf = true;
	ASSERT_EQ(NFS4_OK, copy(&self->a, fh, id, 0, &res));
	if (!res.copy.write.async)
		SKIP(return, "the copy was done before it could be asynchronous");
	sem_wait(&self->a.called_back);
	/* the copy is not forgotten meanwhile */
	lab_sequence(&self->a, 0);
	LAB_OP(&self->a, OP_PUTFH, .putfh = {fh[1]});
	LAB_OP(&self->a, OP_OFFLOAD_STATUS, .stateid = {res.copy.write.callback});
	ASSERT_EQ(NFS4_OK, lab_send(&self->a));
	lab_res(&self->a, OP_PUTFH, NULL);
	lab_res(&self->a, OP_OFFLOAD_STATUS, &status);
	EXPECT_TRUE(status.offload_status.complete);
	EXPECT_EQ(NFS4_OK, status.offload_status.status);
	EXPECT_EQ(20u << 20, status.offload_status.count);

	lab_disconnect(&self->a);
	self->a.deaf = false;
	ASSERT_TRUE(lab_connect(&self->a, &self->srv));
	lab_begin(&self->a);
	memcpy(bind.sessionid, self->a.session, sizeof(bind.sessionid));
	LAB_OP(&self->a, OP_BIND_CONN_TO_SESSION, .bind_conn = bind);
	ASSERT_EQ(NFS4_OK, lab_send(&self->a));
	wait_for_copy(_metadata, &self->a, &res, 20 << 20);
}

/* Every cut and every changed byte of a good call: the server answers or hangs up, and lives. */
static uint8_t byte_at(uint64_t at)
{
	return (uint8_t)(at * 31 + at / 253);
}

/* Whether the next result is READ's of this range, of a file of @size bytes with byte_at(). */
static bool read_is_right(struct lab *lab, uint64_t from, uint32_t count, uint64_t size)
{
	uint64_t left = from < size ? size - from : 0, want = left < count ? left : count;
	union nfs4_res res;
	const uint8_t *data;

	if (lab_res(lab, OP_READ, &res) || res.read.data.len != want ||
	    res.read.eof != (from + want >= size))
		return false;
	data = res.read.data.data;
	for (uint64_t i = 0; i < want; i++)
		if (data[i] != byte_at(from + i))
			return false;
	return true;
}

/* As lab_sequence(), for a reply that is too long to be kept. */
static void sequence_uncached(struct lab *lab)
{
	struct nfs4_sequence_args seq = {.seqid = ++lab->seq[0]};

	memcpy(seq.sessionid, lab->session, sizeof(seq.sessionid));
	lab_begin(lab);
	LAB_OP(lab, OP_SEQUENCE, .sequence = seq);
}

TEST_F(server, READ_gives_what_the_file_has_at_any_place)
{
	static const struct {
		uint64_t from;
		uint32_t count;
	} reads[] = {{0, 4096},	     {0, 1 << 20},	{1, 1 << 20},	   {4095, 100000},
		     {65536, 65536}, {1500000, 70000},	{1500000, 500003}, {1990000, 20000},
		     {2000000, 3},   {2000003, 100000}, {3000000, 65536}};
	const uint64_t size = 2000003;
	char *path = NULL;
	struct nfs4_fh fh;
	FILE *f;

	ASSERT_LT(0, asprintf(&path, "%s/read", self->path));
	f = fopen(path, "we");
	for (uint64_t i = 0; i < size; i++)
		fputc(byte_at(i), f);
	ASSERT_EQ(0, fclose(f));
	ASSERT_EQ(NFS4_OK, lab_fh(&self->a, path, &fh));
	for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
		/* Twice, with something behind each: one reply has data from several places. */
		sequence_uncached(&self->a);
		LAB_OP(&self->a, OP_PUTFH, .putfh = {fh});
		LAB_OP(&self->a, OP_READ, .read = {{0}, reads[i].from, reads[i].count / 3});
		LAB_OP(&self->a, OP_READ, .read = {{0}, reads[i].from + 7, reads[i].count / 3});
		LAB_OP(&self->a, OP_GETFH, .none = {0});
		ASSERT_EQ(NFS4_OK, lab_send(&self->a));
		lab_res(&self->a, OP_PUTFH, NULL);
		EXPECT_TRUE(read_is_right(&self->a, reads[i].from, reads[i].count / 3, size));
		EXPECT_TRUE(read_is_right(&self->a, reads[i].from + 7, reads[i].count / 3, size));
		EXPECT_EQ(NFS4_OK, lab_res(&self->a, OP_GETFH, NULL));
		sequence_uncached(&self->a);
		LAB_OP(&self->a, OP_PUTFH, .putfh = {fh});
		LAB_OP(&self->a, OP_READ, .read = {{0}, reads[i].from, reads[i].count});
		if (lab_send(&self->a) == NFS4ERR_REP_TOO_BIG)
			continue; /* the session's replies have no room for 1 MiB and a head */
		lab_res(&self->a, OP_PUTFH, NULL);
		EXPECT_TRUE(read_is_right(&self->a, reads[i].from, reads[i].count, size));
	}
	free(path);
}

TEST_F(server, malformed_calls_do_no_harm)
{
	struct nfs4_open_args open = lab_create("f", "o", OPEN4_SHARE_ACCESS_BOTH, 0);
	static uint8_t call[LAB_ROOM];
	struct iovec iov[XDR_IOVS];
	struct nfs4_fh fh;
	size_t len;

	open.owner.clientid = self->a.clientid;
	lab_sequence(&self->a, 0);
	LAB_OP(&self->a, OP_PUTFH, .putfh = {self->dir});
	LAB_OP(&self->a, OP_OPEN, .open = open);
	nfs4_call_end(&self->a.x, &self->a.call);
	ASSERT_EQ(1, xdr_iov(&self->a.x, iov));
	len = iov[0].iov_len;
	memcpy(call, iov[0].iov_base, len);
	for (size_t i = 0; i < 2 * len; i++) {
		bool cut = i < len;
		size_t n = cut ? i : len;
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		uint8_t byte = call[i - (cut ? 0 : len)];
		struct xdr x;

		ASSERT_EQ(0, connect(fd, (struct sockaddr *)&self->srv.addr,
				     sizeof(struct sockaddr_in)));
		if (!cut)
			call[i - len] ^= 0xff;
		if (n >= 4 && (cut || i >= len + 4)) {
			xdr_encode(&x, call, 4);
			xdr_put_u32(&x, 0x80000000u | (uint32_t)(n - 4));
		}
		ASSERT_EQ((ssize_t)n, send(fd, call, n, MSG_NOSIGNAL));
		close(fd);
		if (!cut)
			call[i - len] = byte;
	}
	ASSERT_TRUE(lab_client(&self->b, &self->srv, "client b", false));
	EXPECT_EQ(NFS4_OK, lab_fh(&self->b, self->path, &fh));
}

TEST_HARNESS_MAIN
