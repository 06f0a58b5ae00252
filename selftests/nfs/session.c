// SPDX-License-Identifier: GPL-2.0-or-later
/* ocp-nfsd: what it grants and refuses when a client and its sessions are made. */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "selftests/nfs/lab.h"

FIXTURE(session)
{
	struct lab_server srv;
	struct lab a;
};

FIXTURE_SETUP(session)
{
	const char *dir = fixture_dir();

	if (!dir)
		SKIP(return, "%s", fixture_why());
	ASSERT_TRUE(lab_export(&self->srv, dir));
	ASSERT_TRUE(lab_start(&self->srv))
	TH_LOG("%s", lab_why());
	ASSERT_TRUE(lab_client(&self->a, &self->srv, "client a", false))
	TH_LOG("%s", lab_why());
}

FIXTURE_TEARDOWN(session)
{
	lab_end(&self->a);
	EXPECT_EQ(0, lab_stop(&self->srv));
}

static uint32_t exchange_id(struct lab *lab, uint32_t flags, union nfs4_res *res)
{
	struct nfs4_exchange_id_args id = {
		.owner = xdr_str("another client"), .verf = "verifier", .flags = flags};

	lab_begin(lab);
	LAB_OP(lab, OP_EXCHANGE_ID, .exchange_id = id);
	lab_send(lab);
	return lab_res(lab, OP_EXCHANGE_ID, res);
}

TEST_F(session, flags_of_EXCHANGE_ID_that_are_not_for_clients_are_refused)
{
	static const uint32_t wrong[] = {EXCHGID4_FLAG_SUPP_FENCE_OPS, EXCHGID4_FLAG_CONFIRMED_R,
					 0x8u, 0x10000000u};
	union nfs4_res res;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		EXPECT_EQ(NFS4ERR_INVAL, exchange_id(&self->a, wrong[i], &res));
	EXPECT_EQ(NFS4_OK, exchange_id(&self->a, EXCHGID4_FLAG_USE_NON_PNFS, &res));
}

static uint32_t create_session(struct lab *lab, const union nfs4_res *id,
			       const struct nfs4_channel *fore, const struct nfs4_channel *back,
			       union nfs4_res *res)
{
	struct nfs4_create_session_args cs = {
		.clientid = id->exchange_id.clientid,
		.seqid = id->exchange_id.seqid,
		.fore = *fore,
		.back = *back,
		.cb_program = 0x40000000,
	};

	lab_begin(lab);
	LAB_OP(lab, OP_CREATE_SESSION, .create_session = cs);
	lab_send(lab);
	return lab_res(lab, OP_CREATE_SESSION, res);
}

static const struct nfs4_channel fore_good = {.maxrequest = 400,
					      .maxresponse = 400,
					      .maxresponse_cached = 400,
					      .maxops = 8,
					      .maxrequests = LAB_SLOTS};
static const struct nfs4_channel back_good = {
	.maxrequest = 4096, .maxresponse = 4096, .maxops = 2, .maxrequests = 1};

TEST_F(session, channels_that_nothing_fits_through_are_refused)
{
	struct nfs4_channel fore[2] = {fore_good, fore_good};
	struct nfs4_channel back[3] = {back_good, back_good, back_good};
	union nfs4_res id, res;

	fore[0].maxrequest = 20;
	fore[1].maxresponse = 20;
	back[0].maxrequest = 10;
	back[1].maxresponse = 10;
	back[2].maxops = 1;
	ASSERT_EQ(NFS4_OK, exchange_id(&self->a, 0, &id));
	for (unsigned i = 0; i < 2; i++)
		EXPECT_EQ(NFS4ERR_TOOSMALL,
			  create_session(&self->a, &id, &fore[i], &back_good, &res));
	for (unsigned i = 0; i < 3; i++)
		EXPECT_EQ(NFS4ERR_TOOSMALL,
			  create_session(&self->a, &id, &fore_good, &back[i], &res));
	/* what was refused has used up no sequence number */
	EXPECT_EQ(NFS4_OK, create_session(&self->a, &id, &fore_good, &back_good, &res));
}

static void getattr_all(struct lab *lab)
{
	struct nfs4_map_args a = {0};

	for (uint32_t bit = FATTR4_SUPPORTED_ATTRS; bit <= FATTR4_RDATTR_ERROR; bit++)
		nfs4_bit_set(&a.map, bit);
	LAB_OP(lab, OP_GETATTR, .getattr = a);
}

TEST_F(session, small_replies_are_enough_for_small_work_and_say_when_they_are_not)
{
	union nfs4_res id, res;

	ASSERT_EQ(NFS4_OK, exchange_id(&self->a, 0, &id));
	ASSERT_EQ(NFS4_OK, create_session(&self->a, &id, &fore_good, &back_good, &res));
	memcpy(self->a.session, res.create_session.sessionid, sizeof(self->a.session));
	memset(self->a.seq, 0, sizeof(self->a.seq));
	lab_sequence(&self->a, 0);
	LAB_OP(&self->a, OP_RECLAIM_COMPLETE, .reclaim_complete = {false});
	EXPECT_EQ(NFS4_OK, lab_send(&self->a));
	lab_sequence(&self->a, 0);
	LAB_OP(&self->a, OP_PUTROOTFH, .none = {0});
	for (int i = 0; i < 4; i++)
		getattr_all(&self->a);
	EXPECT_EQ(NFS4ERR_REP_TOO_BIG, lab_send(&self->a));
}

TEST_HARNESS_MAIN
