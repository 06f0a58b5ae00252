// SPDX-License-Identifier: GPL-2.0-or-later
/* ocp-nfsd run by nobody: files are found by name, and handles hold all the same. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "selftests/nfs/lab.h"

#define NOBODY 65534
#define MOVES  2000

FIXTURE(nobody)
{
	struct lab_server srv;
	struct lab a, b;
	char path[300], sub[320];
	struct nfs4_fh dir, sub_fh, file;
};

static uint32_t make_dir(struct lab *lab, const struct nfs4_fh *dir, const char *name,
			 struct nfs4_fh *fh)
{
	struct nfs4_create_args a = {.type = NF4DIR, .name = xdr_str(name)};
	union nfs4_res res;
	uint32_t status;

	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {*dir});
	LAB_OP(lab, OP_CREATE, .create = a);
	LAB_OP(lab, OP_GETFH, .none = {0});
	status = lab_send(lab);
	lab_res(lab, OP_PUTFH, NULL);
	lab_res(lab, OP_CREATE, NULL);
	if (!status && !lab_res(lab, OP_GETFH, &res))
		*fh = res.getfh.fh;
	return status;
}

FIXTURE_SETUP(nobody)
{
	struct nfs4_open_args create = lab_create("f", "o", OPEN4_SHARE_ACCESS_BOTH, 0);
	struct nfs4_open_res open;

	snprintf(self->path, sizeof(self->path), "%s/export", fixture_dir());
	snprintf(self->sub, sizeof(self->sub), "%s/sub", self->path);
	if (geteuid())
		SKIP(return, "needs root, to become nobody");
	chmod(fixture_dir(), 0711);
	mkdir(self->path, 0755);
	ASSERT_EQ(0, chown(self->path, NOBODY, NOBODY));
	self->srv.uid = NOBODY;
	ASSERT_TRUE(lab_export(&self->srv, self->path));
	ASSERT_TRUE(lab_start(&self->srv))
	TH_LOG("%s", lab_why());
	ASSERT_TRUE(lab_client(&self->a, &self->srv, "client a", false));
	ASSERT_EQ(NFS4_OK, lab_fh(&self->a, self->path, &self->dir));
	ASSERT_EQ(NFS4_OK, make_dir(&self->a, &self->dir, "sub", &self->sub_fh));
	ASSERT_EQ(NFS4_OK, lab_open(&self->a, &create, &self->sub_fh, &open, &self->file));
}

FIXTURE_TEARDOWN(nobody)
{
	lab_end(&self->a);
	lab_end(&self->b);
	EXPECT_EQ(0, lab_stop(&self->srv));
}

static uint32_t still_there(struct lab *lab, const struct nfs4_fh *fh)
{
	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {*fh});
	LAB_OP(lab, OP_GETATTR, .getattr = {{.word = {1u << FATTR4_SIZE}}});
	return lab_send(lab);
}

static uint32_t rename_to(struct lab *lab, const struct nfs4_fh *from, const char *old,
			  const struct nfs4_fh *to, const char *name)
{
	struct nfs4_rename_args a = {xdr_str(old), xdr_str(name)};

	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {*from});
	LAB_OP(lab, OP_SAVEFH, .none = {0});
	LAB_OP(lab, OP_PUTFH, .putfh = {*to});
	LAB_OP(lab, OP_RENAME, .rename = a);
	return lab_send(lab);
}

static bool start_again(FIXTURE_DATA(nobody) * self)
{
	lab_kill(&self->srv, SIGKILL);
	lab_disconnect(&self->a);
	return lab_start(&self->srv) && lab_client(&self->a, &self->srv, "client a", false);
}

TEST_F(nobody, a_handle_holds_over_a_restart_and_renames)
{
	ASSERT_TRUE(start_again(self));
	EXPECT_EQ(NFS4_OK, still_there(&self->a, &self->file));
	EXPECT_EQ(NFS4_OK, rename_to(&self->a, &self->sub_fh, "f", &self->dir, "g"));
	EXPECT_EQ(NFS4_OK, still_there(&self->a, &self->file));
	EXPECT_EQ(NFS4_OK, rename_to(&self->a, &self->dir, "g", &self->sub_fh, "h"));
	EXPECT_EQ(NFS4_OK, rename_to(&self->a, &self->dir, "sub", &self->dir, "moved"));
	ASSERT_TRUE(start_again(self));
	EXPECT_EQ(NFS4_OK, still_there(&self->a, &self->file));
	EXPECT_EQ(NFS4_OK, still_there(&self->a, &self->sub_fh));
}

struct looks {
	struct lab *lab;
	const struct nfs4_fh *fh;
	atomic_bool ends;
	unsigned n;
	uint32_t status; /* by __atomic: the first that is not NFS4_OK */
};

static void *look_on(void *arg)
{
	struct looks *looks = arg;
	uint32_t status = NFS4_OK;

	while (!status && !atomic_load(&looks->ends)) {
		status = still_there(looks->lab, looks->fh);
		__atomic_store_n(&looks->status, status, __ATOMIC_RELAXED);
		looks->n++;
	}
	return NULL;
}

TEST_F(nobody, what_is_below_a_directory_is_found_while_that_is_moved)
{
	struct looks looks = {.lab = &self->b, .fh = &self->file};
	struct nfs4_fh other;
	pthread_t thread;

	ASSERT_EQ(NFS4_OK, make_dir(&self->a, &self->dir, "other", &other));
	ASSERT_TRUE(lab_client(&self->b, &self->srv, "client b", false));
	ASSERT_EQ(0, pthread_create(&thread, NULL, look_on, &looks));
	for (unsigned i = 0; i < MOVES && !__atomic_load_n(&looks.status, __ATOMIC_RELAXED); i++)
		EXPECT_EQ(NFS4_OK, i % 2 ? rename_to(&self->a, &other, "sub", &self->dir, "sub")
					 : rename_to(&self->a, &self->dir, "sub", &other, "sub"));
	atomic_store(&looks.ends, true);
	pthread_join(thread, NULL);
	EXPECT_LT(0, looks.n);
	EXPECT_EQ(NFS4_OK, looks.status);
}

TEST_F(nobody, what_others_rename_in_its_directory_is_found_there)
{
	EXPECT_EQ(0, fixture_run("mv %s/f %s/new", self->sub, self->sub));
	EXPECT_EQ(NFS4_OK, still_there(&self->a, &self->file));
	EXPECT_EQ(0, fixture_run("mv %s %s/moved", self->sub, self->path));
	EXPECT_EQ(NFS4_OK, still_there(&self->a, &self->file));
}

TEST_F(nobody, another_file_of_the_same_name_is_not_the_one)
{
	EXPECT_EQ(0,
		  fixture_run("mv %s/f %s/f; echo other >%s/f", self->sub, self->path, self->sub));
	EXPECT_EQ(NFS4ERR_STALE, still_there(&self->a, &self->file));
}

TEST_F(nobody, what_was_removed_is_stale_and_another_link_is_not)
{
	struct nfs4_name_args name = {xdr_str("f")};

	lab_sequence(&self->a, 0);
	LAB_OP(&self->a, OP_PUTFH, .putfh = {self->file});
	LAB_OP(&self->a, OP_SAVEFH, .none = {0});
	LAB_OP(&self->a, OP_PUTFH, .putfh = {self->dir});
	LAB_OP(&self->a, OP_LINK, .name = {xdr_str("link")});
	ASSERT_EQ(NFS4_OK, lab_send(&self->a));
	lab_sequence(&self->a, 0);
	LAB_OP(&self->a, OP_PUTFH, .putfh = {self->sub_fh});
	LAB_OP(&self->a, OP_REMOVE, .name = name);
	ASSERT_EQ(NFS4_OK, lab_send(&self->a));
	EXPECT_EQ(NFS4_OK, still_there(&self->a, &self->file));
	name.name = xdr_str("link");
	lab_sequence(&self->a, 0);
	LAB_OP(&self->a, OP_PUTFH, .putfh = {self->dir});
	LAB_OP(&self->a, OP_REMOVE, .name = name);
	ASSERT_EQ(NFS4_OK, lab_send(&self->a));
	EXPECT_EQ(NFS4ERR_STALE, still_there(&self->a, &self->file));
}

TEST_F(nobody, a_changed_handle_is_refused)
{
	for (uint32_t i = 0; i < self->file.len; i++) {
		struct nfs4_fh fh = self->file;

		fh.data[i] ^= 1;
		EXPECT_EQ(NFS4ERR_BADHANDLE, still_there(&self->a, &fh));
	}
}

/* The key that signs handles is nobody else's to read. */
TEST_F(nobody, the_databases_are_private)
{
	EXPECT_EQ(0, fixture_run("! find %s -type f -perm /077 | grep .", self->srv.state));
}

TEST_HARNESS_MAIN
