// SPDX-License-Identifier: GPL-2.0-or-later
/* ocp-nfsd: copies that go on after their reply, and what ends while they do. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "selftests/nfs/lab.h"

#define SIZE   (32u << 20)
#define ROUNDS 300

FIXTURE(copies)
{
	struct lab_server srv;
	struct lab a;
	char path[300];
	struct nfs4_fh dir, fh[2];
	struct nfs4_stateid id[2];
};

FIXTURE_SETUP(copies)
{
	struct nfs4_open_args src = lab_create("src", "o", OPEN4_SHARE_ACCESS_READ, 0);
	struct nfs4_open_args dst = lab_create("dst", "o", OPEN4_SHARE_ACCESS_BOTH, 0);
	struct nfs4_open_res open;

	if (geteuid())
		SKIP(return, "needs root");
	snprintf(self->path, sizeof(self->path), "%s/a", fixture_dir());
	mkdir(self->path, 0755);
	lab_source(self->path, SIZE);
	self->srv.lease = "2";
	self->srv.copy_wait = "0";
	ASSERT_TRUE(lab_export(&self->srv, self->path));
	ASSERT_TRUE(lab_start(&self->srv))
	TH_LOG("%s", lab_why());
	ASSERT_TRUE(lab_client(&self->a, &self->srv, "client a", false));
	ASSERT_EQ(NFS4_OK, lab_fh(&self->a, self->path, &self->dir));
	ASSERT_EQ(NFS4_OK, lab_open(&self->a, &src, &self->dir, &open, &self->fh[0]));
	self->id[0] = open.stateid;
	ASSERT_EQ(NFS4_OK, lab_open(&self->a, &dst, &self->dir, &open, &self->fh[1]));
	self->id[1] = open.stateid;
}

FIXTURE_TEARDOWN(copies)
{
	lab_end(&self->a);
	EXPECT_EQ(0, lab_stop(&self->srv));
}

/* Its status; *async: it goes on. */
static uint32_t copy(FIXTURE_DATA(copies) * self, uint64_t count, bool *async)
{
	struct nfs4_copy_args c = {
		.src = self->id[0], .dst = self->id[1], .count = count, .consecutive = true};
	struct lab *lab = &self->a;
	union nfs4_res res;
	uint32_t status;

	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {self->fh[0]});
	LAB_OP(lab, OP_SAVEFH, .none = {0});
	LAB_OP(lab, OP_PUTFH, .putfh = {self->fh[1]});
	LAB_OP(lab, OP_COPY, .copy = c);
	status = lab_send(lab);
	lab_res(lab, OP_PUTFH, NULL);
	lab_res(lab, OP_SAVEFH, NULL);
	lab_res(lab, OP_PUTFH, NULL);
	lab_res(lab, OP_COPY, &res);
	*async = !status && res.copy.write.async;
	return status;
}

static uint32_t close_file(FIXTURE_DATA(copies) * self, unsigned i)
{
	struct nfs4_close_args c = {.stateid = self->id[i]};

	lab_sequence(&self->a, 0);
	LAB_OP(&self->a, OP_PUTFH, .putfh = {self->fh[i]});
	LAB_OP(&self->a, OP_CLOSE, .close = c);
	return lab_send(&self->a);
}

static uint32_t destroy_session(FIXTURE_DATA(copies) * self)
{
	struct nfs4_sessionid_args s;

	memcpy(s.sessionid, self->a.session, sizeof(s.sessionid));
	lab_begin(&self->a);
	LAB_OP(&self->a, OP_DESTROY_SESSION, .sessionid = s);
	return lab_send(&self->a);
}

/* Whether the server has the file dst open. */
static bool holds_dst(const FIXTURE_DATA(copies) * self)
{
	char path[PATH_MAX], to[PATH_MAX];
	const struct dirent *e;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", self->srv.pid);
	dir = opendir(path);
	while (dir && !found && (e = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, to, sizeof(to) - 1);

		to[n > 0 ? n : 0] = '\0';
		found = n > 4 && !strcmp(to + n - 4, "/dst");
	}
	if (dir)
		closedir(dir);
	return found;
}

/* It has closed its files and its session, and hears of no end; when its lease is over, too, ... */
TEST_F(copies, of_a_client_that_is_gone_are_forgotten)
{
	bool async;

	self->a.deaf = true;
	ASSERT_EQ(NFS4_OK, copy(self, SIZE, &async));
	if (!async)
		SKIP(return, "the copy was done before it could be asynchronous");
	sem_wait(&self->a.called_back);
	EXPECT_EQ(NFS4_OK, close_file(self, 0));
	EXPECT_EQ(NFS4_OK, close_file(self, 1));
	EXPECT_EQ(NFS4_OK, destroy_session(self));
	EXPECT_TRUE(holds_dst(self));
	lab_disconnect(&self->a);
	for (unsigned i = 0; i < 200 && holds_dst(self); i++)
		usleep(100000);
	EXPECT_FALSE(holds_dst(self));
}

/* The end is told, and acknowledged, while the reply is on its way. */
TEST_F(copies, that_end_with_their_reply_are_told_once)
{
	bool async;

	for (unsigned i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(NFS4_OK, copy(self, 1 + i * 1000, &async));
		if (!async)
			continue;
		sem_wait(&self->a.called_back);
		EXPECT_EQ(NFS4_OK, self->a.cb_status);
		EXPECT_EQ(1 + i * 1000, self->a.cb_count);
	}
	EXPECT_NE(0, sem_trywait(&self->a.called_back));
}

TEST_HARNESS_MAIN
