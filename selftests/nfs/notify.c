// SPDX-License-Identifier: GPL-2.0-or-later
/* ocp-nfsd: COPY_NOTIFY, and COPY from another server. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "selftests/nfs/lab.h"

#define SIZE (3u << 20)

/* Server a has the file "src"; client a opens it, client b is of the same server. */
FIXTURE(notify)
{
	struct lab_server srv, far;
	struct lab a, b, there;
	char path[300], far_path[300];
	struct nfs4_fh dir, far_dir, src, dst;
	struct nfs4_stateid open, far_open;
};

FIXTURE_SETUP(notify)
{
	struct nfs4_open_args src = lab_create("src", "o", OPEN4_SHARE_ACCESS_READ, 0);
	struct nfs4_open_args dst = lab_create("dst", "o", OPEN4_SHARE_ACCESS_BOTH, 0);
	struct nfs4_open_res open;

	snprintf(self->path, sizeof(self->path), "%s/a", fixture_dir());
	snprintf(self->far_path, sizeof(self->far_path), "%s/b", fixture_dir());
	mkdir(self->path, 0755);
	mkdir(self->far_path, 0755);
	lab_source(self->path, SIZE);
	self->srv.lease = "2";
	self->far.inter = "127.0.0.1";
	ASSERT_TRUE(lab_export(&self->srv, self->path));
	ASSERT_TRUE(lab_export(&self->far, self->far_path));
	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_TRUE(lab_start(&self->srv) && lab_start(&self->far))
	TH_LOG("%s", lab_why());
	ASSERT_TRUE(lab_client(&self->a, &self->srv, "client a", false));
	ASSERT_TRUE(lab_client(&self->b, &self->srv, "client b", false));
	ASSERT_TRUE(lab_client(&self->there, &self->far, "client a", false));
	ASSERT_EQ(NFS4_OK, lab_fh(&self->a, self->path, &self->dir));
	ASSERT_EQ(NFS4_OK, lab_fh(&self->there, self->far_path, &self->far_dir));
	ASSERT_EQ(NFS4_OK, lab_open(&self->a, &src, &self->dir, &open, &self->src));
	self->open = open.stateid;
	ASSERT_EQ(NFS4_OK, lab_open(&self->there, &dst, &self->far_dir, &open, &self->dst));
	self->far_open = open.stateid;
}

FIXTURE_TEARDOWN(notify)
{
	lab_end(&self->a);
	lab_end(&self->b);
	lab_end(&self->there);
	EXPECT_EQ(0, lab_stop(&self->srv));
	EXPECT_EQ(0, lab_stop(&self->far));
}

static uint32_t with_stateid(struct lab *lab, uint32_t op, const struct nfs4_fh *fh,
			     const struct nfs4_stateid *id)
{
	union nfs4_args a;

	memset(&a, 0, sizeof(a));
	switch (op) {
	case OP_READ:
		a.read = (struct nfs4_read_args){.stateid = *id, .count = 10};
		break;
	case OP_WRITE:
		a.write = (struct nfs4_write_args){.stateid = *id, .data = xdr_str("x")};
		break;
	default:
		a.stateid.stateid = *id;
	}
	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {*fh});
	lab_op(lab, op, &a, sizeof(a));
	return lab_send(lab);
}

static uint32_t grant(struct lab *lab, const struct nfs4_fh *fh, const struct nfs4_stateid *id,
		      union nfs4_res *res)
{
	struct nfs4_copy_notify_args a = {
		.src = *id, .dst = {NL4_NETADDR, xdr_str("tcp"), xdr_str("127.0.0.1.8.1")}};
	uint32_t status;

	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {*fh});
	LAB_OP(lab, OP_COPY_NOTIFY, .copy_notify = a);
	status = lab_send(lab);
	lab_res(lab, OP_PUTFH, NULL);
	lab_res(lab, OP_COPY_NOTIFY, res);
	return status;
}

TEST_F(notify, another_client_reads_until_it_is_taken_back)
{
	struct nfs4_stateid *id;
	union nfs4_res res, second;

	ASSERT_EQ(NFS4_OK, grant(&self->a, &self->src, &self->open, &res));
	EXPECT_EQ(2, res.copy_notify.lease.sec);
	ASSERT_EQ(1, res.copy_notify.source.n);
	EXPECT_EQ(NL4_NETADDR, res.copy_notify.source.loc[0].type);
	id = &res.copy_notify.stateid;
	EXPECT_EQ(NFS4_OK, with_stateid(&self->b, OP_READ, &self->src, id));
	EXPECT_EQ(NFS4ERR_OPENMODE, with_stateid(&self->b, OP_WRITE, &self->src, id));
	EXPECT_EQ(NFS4ERR_BAD_STATEID, with_stateid(&self->b, OP_READ, &self->dir, id));
	EXPECT_EQ(NFS4ERR_BAD_STATEID, with_stateid(&self->b, OP_FREE_STATEID, &self->src, id));
	EXPECT_EQ(NFS4ERR_BAD_STATEID, grant(&self->b, &self->src, id, &second));
	EXPECT_EQ(NFS4ERR_BAD_STATEID, with_stateid(&self->b, OP_OFFLOAD_CANCEL, &self->src, id));
	EXPECT_EQ(NFS4_OK, with_stateid(&self->b, OP_READ, &self->src, id));
	EXPECT_EQ(NFS4_OK, with_stateid(&self->a, OP_OFFLOAD_CANCEL, &self->src, id));
	EXPECT_EQ(NFS4ERR_PARTNER_NO_AUTH, with_stateid(&self->b, OP_READ, &self->src, id));
}

TEST_F(notify, what_nobody_uses_for_a_lease_is_void)
{
	union nfs4_res res;

	ASSERT_EQ(NFS4_OK, grant(&self->a, &self->src, &self->open, &res));
	usleep(2200000); /* the lease */
	EXPECT_EQ(NFS4ERR_PARTNER_NO_AUTH,
		  with_stateid(&self->b, OP_READ, &self->src, &res.copy_notify.stateid));
}

TEST_F(notify, a_restart_of_the_source_ends_it)
{
	union nfs4_res res;

	ASSERT_EQ(NFS4_OK, grant(&self->a, &self->src, &self->open, &res));
	lab_kill(&self->srv, SIGKILL);
	lab_disconnect(&self->b);
	ASSERT_TRUE(lab_start(&self->srv));
	ASSERT_TRUE(lab_client(&self->b, &self->srv, "client c", false));
	EXPECT_EQ(NFS4ERR_STALE_STATEID,
		  with_stateid(&self->b, OP_READ, &self->src, &res.copy_notify.stateid));
}

static uint32_t copy(struct lab *lab, const struct nfs4_fh fh[2], const struct nfs4_copy_args *a,
		     union nfs4_res *res)
{
	uint32_t status;

	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {fh[0]});
	LAB_OP(lab, OP_SAVEFH, .none = {0});
	LAB_OP(lab, OP_PUTFH, .putfh = {fh[1]});
	LAB_OP(lab, OP_COPY, .copy = *a);
	status = lab_send(lab);
	lab_res(lab, OP_PUTFH, NULL);
	lab_res(lab, OP_SAVEFH, NULL);
	lab_res(lab, OP_PUTFH, NULL);
	lab_res(lab, OP_COPY, res);
	return status;
}

/* What the client hands from one server to the other; texts are kept in @uaddr. */
static void from_far(const struct nfs4_copy_notify_res *res, const struct nfs4_stateid *dst,
		     struct nfs4_copy_args *a, char uaddr[64])
{
	*a = (struct nfs4_copy_args){
		.src = res->stateid, .dst = *dst, .consecutive = true, .synchronous = true};
	snprintf(uaddr, 64, "%.*s", (int)res->source.loc[0].uaddr.len,
		 (const char *)res->source.loc[0].uaddr.data);
	a->source.n = 1;
	a->source.loc[0] = (struct nfs4_netloc){NL4_NETADDR, xdr_str("tcp"), xdr_str(uaddr)};
}

TEST_F(notify, COPY_fetches_from_the_other_server_or_says_why_not)
{
	const struct nfs4_fh fh[2] = {self->src, self->dst};
	struct nfs4_copy_args a;
	union nfs4_res res, copied;
	char uaddr[64];

	ASSERT_EQ(NFS4_OK, grant(&self->a, &self->src, &self->open, &res));
	from_far(&res.copy_notify, &self->far_open, &a, uaddr);
	a.src_offset = a.dst_offset = 1000;
	a.count = 5000;
	ASSERT_EQ(NFS4_OK, copy(&self->there, fh, &a, &copied));
	EXPECT_EQ(5000, copied.copy.write.count);
	a.src_offset = a.dst_offset = a.count = 0; /* all of it */
	ASSERT_EQ(NFS4_OK, copy(&self->there, fh, &a, &copied));
	EXPECT_EQ(SIZE, copied.copy.write.count);
	EXPECT_EQ(0, fixture_run("cmp %s/src %s/dst", self->path, self->far_path));
	a.count = SIZE + 1;
	EXPECT_EQ(NFS4ERR_INVAL, copy(&self->there, fh, &a, &copied));
	a.count = 0;
	a.source.loc[0].uaddr = xdr_str("127.0.0.1.0.1");
	EXPECT_EQ(NFS4ERR_PARTNER_NOTSUPP, copy(&self->there, fh, &a, &copied));
	a.source.loc[0].uaddr = xdr_str("127.0.0.2.8.1");
	EXPECT_EQ(NFS4ERR_OFFLOAD_DENIED, copy(&self->there, fh, &a, &copied));
	a.source.loc[0] = (struct nfs4_netloc){.type = NL4_NAME, .name = xdr_str("localhost")};
	EXPECT_EQ(NFS4ERR_OFFLOAD_DENIED, copy(&self->there, fh, &a, &copied));
	from_far(&res.copy_notify, &self->far_open, &a, uaddr);
	ASSERT_EQ(NFS4_OK, with_stateid(&self->a, OP_OFFLOAD_CANCEL, &self->src, &a.src));
	EXPECT_EQ(NFS4ERR_PARTNER_NO_AUTH, copy(&self->there, fh, &a, &copied));
}

static uint32_t foreign(struct lab *lab, const struct nfs4_fh *src, uint32_t op)
{
	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {*src});
	LAB_OP(lab, OP_SAVEFH, .none = {0});
	lab_op(lab, op, &(union nfs4_args){.none = {0}}, sizeof(union nfs4_args));
	return lab_send(lab);
}

TEST_F(notify, a_handle_of_another_server_is_good_for_COPY_alone)
{
	const struct nfs4_fh fh[2] = {self->src, self->dst}, same[2] = {self->src, self->src};
	struct nfs4_copy_args a = {.src = self->open, .dst = self->far_open, .consecutive = true};
	union nfs4_res res;

	EXPECT_EQ(NFS4ERR_BADHANDLE, copy(&self->there, fh, &a, &res));
	a.source.n = 1;
	a.source.loc[0] =
		(struct nfs4_netloc){NL4_NETADDR, xdr_str("tcp"), xdr_str("127.0.0.1.0.1")};
	EXPECT_EQ(NFS4ERR_BADHANDLE, copy(&self->there, same, &a, &res));
	EXPECT_EQ(NFS4ERR_BADHANDLE, with_stateid(&self->there, OP_READ, &self->src, &self->open));
	EXPECT_EQ(NFS4ERR_BADHANDLE, foreign(&self->there, &self->src, OP_GETFH));
	EXPECT_EQ(NFS4ERR_BADHANDLE, foreign(&self->there, &self->src, OP_GETATTR));
	EXPECT_EQ(NFS4ERR_BADHANDLE, foreign(&self->there, &self->src, OP_CLONE));
	EXPECT_EQ(NFS4ERR_BADHANDLE, foreign(&self->there, &self->src, OP_RENAME));
	EXPECT_EQ(NFS4ERR_BADHANDLE, foreign(&self->there, &self->src, OP_LINK));
	EXPECT_EQ(NFS4_OK, foreign(&self->there, &self->src, OP_RESTOREFH));
}

/* Somebody who is silent for a lease keeps what nobody else asks for, and no more. */
TEST_F(notify, who_is_silent_for_a_lease_loses_what_others_want)
{
	struct nfs4_open_args deny =
		lab_create("f", "o1", OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_DENY_WRITE);
	struct nfs4_open_args write = lab_create("f", "o2", OPEN4_SHARE_ACCESS_WRITE, 0);
	struct nfs4_open_res res;
	uint32_t status;

	ASSERT_EQ(NFS4_OK, lab_open(&self->a, &deny, &self->dir, &res, NULL));
	EXPECT_EQ(NFS4ERR_SHARE_DENIED, lab_open(&self->b, &write, &self->dir, &res, NULL));
	for (int i = 0; i < 100; i++) {
		status = lab_open(&self->b, &write, &self->dir, &res, NULL);
		if (status != NFS4ERR_SHARE_DENIED)
			break;
		usleep(100000);
	}
	EXPECT_EQ(NFS4_OK, status);
	lab_sequence(&self->a, 0);
	EXPECT_EQ(NFS4ERR_BADSESSION, lab_send(&self->a));
}

TEST_HARNESS_MAIN
