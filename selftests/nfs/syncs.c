// SPDX-License-Identifier: GPL-2.0-or-later
/* ocp-nfsd on storage that fails: nobody is told that lost data was saved. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "selftests/nfs/lab.h"

#define ROUNDS 60
#define SIZE   32768u

/*
 * ext4 on a disk whose own blocks are a file of a tmpfs without room: what was not written
 * before is taken, and lost when it is to be saved.
 */
static const char disk[] =
	"cd '%s' && mkdir -p small fs && mount -t tmpfs -o size=48m none small && "
	"truncate -s 256M small/disk && "
	"mkfs.ext4 -q -O ^has_journal -E lazy_itable_init=0 small/disk && "
	"mount -o loop small/disk fs && fallocate -l 16M fs/file && sync -f fs && "
	"! dd if=/dev/zero of=small/rest bs=64k status=none 2>/dev/null";

FIXTURE(syncs)
{
	struct lab_server srv;
	struct lab lab[2];
	char path[300];
	struct nfs4_fh fh;
	struct nfs4_stateid id;
};

FIXTURE_SETUP(syncs)
{
	struct nfs4_open_args args = lab_create("file", "o", OPEN4_SHARE_ACCESS_BOTH, 0);
	struct nfs4_open_res open;
	struct nfs4_fh dir;
	char command[1200];

	if (geteuid() || !getenv("SELFTEST_NS"))
		SKIP(return, "needs root and mounts of its own");
	snprintf(command, sizeof(command), disk, fixture_dir());
	if (system(command))
		SKIP(return, "no ext4 on a loop device");
	snprintf(self->path, sizeof(self->path), "%s/fs", fixture_dir());
	ASSERT_TRUE(lab_export(&self->srv, self->path));
	ASSERT_TRUE(lab_start(&self->srv))
	TH_LOG("%s", lab_why());
	for (unsigned i = 0; i < 2; i++)
		ASSERT_TRUE(lab_client(&self->lab[i], &self->srv, i ? "b" : "a", false));
	ASSERT_EQ(NFS4_OK, lab_fh(&self->lab[0], self->path, &dir));
	ASSERT_EQ(NFS4_OK, lab_open(&self->lab[0], &args, &dir, &open, &self->fh));
	self->id = open.stateid;
}

FIXTURE_TEARDOWN(syncs)
{
	for (unsigned i = 0; i < 2; i++)
		lab_end(&self->lab[i]);
	EXPECT_EQ(0, lab_stop(&self->srv));
	umount2(self->path, MNT_DETACH);
}

static uint32_t write_at(FIXTURE_DATA(syncs) * self, uint64_t offset, uint32_t stable,
			 struct nfs4_write_res *r)
{
	static uint8_t data[SIZE];
	struct lab *lab = &self->lab[0];
	union nfs4_res res;
	uint32_t status;

	memset(data, (int)(offset / SIZE) + 1, sizeof(data));
	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh.fh = self->fh);
	LAB_OP(lab, OP_WRITE,
	       .write = {.stateid = self->id,
			 .offset = offset,
			 .stable = stable,
			 .data = {data, sizeof(data)}});
	status = lab_send(lab);
	if (!status)
		status = lab_res(lab, OP_PUTFH, &res);
	if (!status)
		status = lab_res(lab, OP_WRITE, &res);
	if (!status)
		*r = res.write;
	return status;
}

struct commit {
	struct lab *lab;
	struct nfs4_fh fh;
	pthread_barrier_t *start;
	uint32_t status;
	uint8_t verf[NFS4_VERIFIER_SIZE];
};

static void *commit(void *arg)
{
	struct commit *c = arg;
	union nfs4_res res;

	lab_sequence(c->lab, 0);
	LAB_OP(c->lab, OP_PUTFH, .putfh.fh = c->fh);
	LAB_OP(c->lab, OP_COMMIT, .commit = {.offset = 0, .count = 0});
	pthread_barrier_wait(c->start);
	c->status = lab_send(c->lab);
	if (!c->status)
		c->status = lab_res(c->lab, OP_PUTFH, &res);
	if (!c->status)
		c->status = lab_res(c->lab, OP_COMMIT, &res);
	memcpy(c->verf, res.commit.verf, sizeof(c->verf));
	return NULL;
}

/* One of them takes the error from the descriptor that both have. */
TEST_F(syncs, of_two_commits_neither_passes_over_a_loss)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct nfs4_write_res written;
		struct commit c[2];
		pthread_barrier_t start;
		pthread_t thread;

		ASSERT_EQ(NFS4_OK, write_at(self, i * SIZE, UNSTABLE4, &written));
		pthread_barrier_init(&start, NULL, 2);
		for (unsigned k = 0; k < 2; k++)
			c[k] = (struct commit){
				.lab = &self->lab[k], .fh = self->fh, .start = &start};
		pthread_create(&thread, NULL, commit, &c[0]);
		commit(&c[1]);
		pthread_join(thread, NULL);
		for (unsigned k = 0; k < 2; k++)
			if (c[k].status)
				failed++;
			else
				EXPECT_NE(0, memcmp(c[k].verf, written.verf, sizeof(c[k].verf)));
	}
	EXPECT_LT(0u, failed);
}

TEST_F(syncs, a_write_that_is_lost_is_not_durable)
{
	struct nfs4_write_res written;

	for (unsigned i = 0; i < 3; i++)
		EXPECT_NE(NFS4_OK, write_at(self, i * SIZE, FILE_SYNC4, &written));
}

TEST_HARNESS_MAIN
