// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ocp-nfsd is killed, again and again, while clients create, write, rename, lock and
 * copy: nothing that was committed is lost, and nothing is done twice.
 *
 * Three threads go through our own client, which brings back by itself what a server
 * has lost; two clients made by hand hold locks and try to get them.  ROUNDS says how
 * often the server is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "selftests/nfs/lab.h"
#include "vfs.h"

#define ROUNDS	  12
#define WORKERS	  3
#define RECORD	  3000u
#define COPY_SIZE (16u << 20)
#define LOCK_LEN  10u

struct worker {
	struct shared *all;
	bool (*turn)(struct worker *w); /* one piece of work; false: it went wrong */
	struct file *dir;
	unsigned done; /* turns */
	char wrong[300];
	pthread_t thread;
};

struct shared {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool end;
	const char *path;
	struct worker worker[WORKERS];
};

/* Says what is not as it has to be. */
static bool wrong(struct worker *w, const char *what, const char *name, int err)
{
	snprintf(w->wrong, sizeof(w->wrong), "turn %u: %s %s: %s", w->done, what, name,
		 strerror(-err));
	return false;
}

static void pattern(uint8_t *buf, unsigned n)
{
	for (unsigned i = 0; i < RECORD; i++)
		buf[i] = (uint8_t)(n * 31 + i * 7 + (i >> 8));
}

/* Record @n of @name is on the disk: an error of sync says that it may not be, then it is written
 * again. */
static bool put_record(struct worker *w, const char *name, unsigned n, off_t pos)
{
	uint8_t buf[RECORD];
	struct file *file;
	ssize_t put;
	int err;

	pattern(buf, n);
	do {
		err = cr_openat(w->dir, name, O_RDWR, 0, &file);
		if (err)
			return wrong(w, "open", name, err);
		put = cr_write(file, buf, RECORD, pos);
		err = put == RECORD ? cr_sync(file, false) : put < 0 ? (int)put : -EIO;
		cr_close(file);
	} while (err == -EIO);
	return !err || wrong(w, "write", name, err);
}

static bool has_record(const char *dir, const char *name, unsigned n, off_t pos)
{
	uint8_t want[RECORD], got[RECORD];
	char path[600];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	len = fd < 0 ? -1 : pread(fd, got, RECORD, pos);
	close(fd);
	pattern(want, n);
	return len == RECORD && !memcmp(got, want, RECORD);
}

/* Each of these answers otherwise when it is done a second time. */
static bool change_names(struct worker *w)
{
	char new[40], set[40], more[40];
	struct file *file;
	int err;

	snprintf(new, sizeof(new), "new.%u", w->done);
	snprintf(set, sizeof(set), "set.%u", w->done);
	snprintf(more, sizeof(more), "more.%u", w->done);
	err = cr_openat(w->dir, new, O_CREAT | O_EXCL | O_RDWR, 0600, &file);
	if (err)
		return wrong(w, "create", new, err);
	cr_close(file);
	if (!put_record(w, new, w->done, 0))
		return false;
	if ((err = cr_rename(w->dir, new, set, 0)))
		return wrong(w, "rename", new, err);
	if ((err = cr_link(w->dir, set, w->dir, more)))
		return wrong(w, "link", more, err);
	if ((err = cr_unlink(w->dir, more, 0)))
		return wrong(w, "unlink", more, err);
	if ((err = cr_mkdir(w->dir, more, 0700)))
		return wrong(w, "mkdir", more, err);
	if ((err = cr_unlink(w->dir, more, AT_REMOVEDIR)))
		return wrong(w, "rmdir", more, err);
	return true;
}

/* The next record where the file ends, which has to be behind the last one. */
static bool append(struct worker *w)
{
	struct statx stx;
	int err = cr_getattr(w->dir, "log", &stx);

	if (err)
		return wrong(w, "stat", "log", err);
	if (stx.stx_size != (uint64_t)w->done * RECORD)
		return wrong(w, "the end of", "log", -ERANGE);
	return put_record(w, "log", w->done, (off_t)stx.stx_size);
}

static int copy_once(struct worker *w, const char *to)
{
	struct copy_req req = {.len = COPY_LEN_EOF,
			       .flags = COPY_RANGE_NO_CLONE | COPY_RANGE_NO_STREAM};
	struct copy_result res;
	int err = cr_openat(w->dir, "src", O_RDONLY, 0, &req.in);

	if (!err)
		err = cr_openat(w->dir, to, O_CREAT | O_RDWR | O_TRUNC, 0600, &req.out);
	if (!err)
		err = cr_copy_range(&req, &res);
	if (!err)
		err = cr_sync(req.out, false);
	cr_close(req.out);
	cr_close(req.in);
	return err;
}

/* A copy that went on, or was begun anew, behind its end would take the record away. */
static bool copy(struct worker *w)
{
	char before[40], name[40], cmd[1500];
	int err;

	snprintf(name, sizeof(name), "copy.%u", w->done);
	do
		err = copy_once(w, name);
	while (err == -EIO);
	if (err)
		return wrong(w, "copy", name, err);
	snprintf(cmd, sizeof(cmd), "cmp -s '%s/src' '%s/%s'", w->all->path, w->all->path, name);
	if (system(cmd)) /* NOLINT(cert-env33-c): our own names */
		return wrong(w, "content of", name, -EBADMSG);
	if (!put_record(w, name, w->done, 0))
		return false;
	if (!w->done)
		return true;
	snprintf(before, sizeof(before), "copy.%u", w->done - 1);
	if (!has_record(w->all->path, before, w->done - 1, 0))
		return wrong(w, "what was written after the copy to", before, -EBADMSG);
	err = cr_unlink(w->dir, before, 0);
	return !err || wrong(w, "unlink", before, err);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct shared *all = w->all;
	bool good, end = false;

	while (!end) {
		good = w->turn(w);
		pthread_mutex_lock(&all->lock);
		w->done += good;
		end = all->end || !good;
		pthread_cond_broadcast(&all->moved);
		pthread_mutex_unlock(&all->lock);
	}
	return NULL;
}

/* Until each has done one thing more, and then some more of them: false when one cannot. */
static bool let_them_work(struct shared *all)
{
	unsigned from[WORKERS], more = (unsigned)rand() % 8, sum = 0, target = 0;
	bool good = true;

	pthread_mutex_lock(&all->lock);
	for (unsigned i = 0; i < WORKERS; i++)
		target += from[i] = all->worker[i].done;
	for (bool all_did = false; good && (!all_did || sum < target + WORKERS + more);) {
		pthread_cond_wait(&all->moved, &all->lock);
		all_did = true;
		sum = 0;
		for (unsigned i = 0; i < WORKERS; i++) {
			good &= !all->worker[i].wrong[0];
			all_did &= all->worker[i].done > from[i];
			sum += all->worker[i].done;
		}
	}
	pthread_mutex_unlock(&all->lock);
	return good;
}

/* Locks -------------------------------------------------------------------------- */

struct locks {
	struct lab holder, other;
	struct nfs4_fh dir, fh;
	unsigned held; /* ranges, from the beginning of the file */
};

static uint32_t lock(struct lab *lab, const struct nfs4_fh *fh, const struct nfs4_stateid *open,
		     unsigned n, bool reclaim)
{
	struct nfs4_lock_args a = {.type = WRITE_LT,
				   .reclaim = reclaim,
				   .offset = (uint64_t)n * LOCK_LEN,
				   .length = LOCK_LEN,
				   .new_owner = true,
				   .open_stateid = *open,
				   .owner = {lab->clientid, xdr_str("locker")}};

	lab_sequence(lab, 0);
	LAB_OP(lab, OP_PUTFH, .putfh = {*fh});
	LAB_OP(lab, OP_LOCK, .lock = a);
	return lab_send(lab);
}

/* Waits for the end of the grace period. */
static uint32_t open_after_grace(struct lab *lab, struct locks *l, struct nfs4_open_res *open)
{
	struct nfs4_open_args a = lab_create("locked", "o", OPEN4_SHARE_ACCESS_BOTH, 0);
	uint32_t status;

	do
		status = lab_open(lab, &a, &l->dir, open, &l->fh);
	while (status == NFS4ERR_GRACE && !usleep(10000));
	return status;
}

static uint32_t reclaim(struct locks *l, struct nfs4_open_res *open)
{
	struct nfs4_open_args a = {.share_access = OPEN4_SHARE_ACCESS_BOTH,
				   .owner.owner = xdr_str("o"),
				   .claim = CLAIM_PREVIOUS};
	uint32_t status = lab_open(&l->holder, &a, &l->fh, open, NULL);

	for (unsigned n = 0; n < l->held && !status; n++)
		status = lock(&l->holder, &l->fh, &open->stateid, n, true);
	if (status)
		return status;
	lab_sequence(&l->holder, 0);
	LAB_OP(&l->holder, OP_RECLAIM_COMPLETE, .reclaim_complete = {false});
	return lab_send(&l->holder);
}

FIXTURE(kills)
{
	struct lab_server srv;
	struct locks locks;
	struct shared all;
	struct cr_ns *ns;
	struct file *dir;
	const char *path;
};

/* The holder claims what it had and takes one range more; the other one gets none of them. */
static void hold_locks(struct __test_metadata *const _metadata, FIXTURE_DATA(kills) * self,
		       bool first)
{
	struct locks *l = &self->locks;
	struct nfs4_open_res open, other;

	ASSERT_TRUE(lab_client(&l->holder, &self->srv, "holder", !first));
	if (first) {
		ASSERT_EQ(NFS4_OK, lab_fh(&l->holder, self->path, &l->dir));
		ASSERT_EQ(NFS4_OK, open_after_grace(&l->holder, l, &open));
	}
	ASSERT_TRUE(lab_client(&l->other, &self->srv, "other", false));
	if (!first) {
		struct nfs4_open_args a = lab_create("locked", "o", OPEN4_SHARE_ACCESS_BOTH, 0);

		EXPECT_EQ(NFS4ERR_GRACE, lab_open(&l->other, &a, &l->dir, &other, NULL));
		ASSERT_EQ(NFS4_OK, reclaim(l, &open));
	}
	ASSERT_EQ(NFS4_OK, open_after_grace(&l->other, l, &other));
	ASSERT_EQ(NFS4_OK, lock(&l->holder, &l->fh, &open.stateid, l->held, false));
	l->held++;
	for (unsigned n = 0; n < l->held; n++)
		ASSERT_EQ(NFS4ERR_DENIED, lock(&l->other, &l->fh, &other.stateid, n, false));
	ASSERT_EQ(NFS4_OK, lock(&l->other, &l->fh, &other.stateid, l->held + 1, false));
}

/* The test ----------------------------------------------------------------------- */

static bool fill(const char *dir, const char *name, size_t size)
{
	uint8_t *data = calloc(1, size);
	char path[600];
	bool good;
	int fd;

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i ^ i >> 8 ^ i >> 16);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	good = write(fd, data, size) == (ssize_t)size;
	close(fd);
	free(data);
	return good;
}

FIXTURE_SETUP(kills)
{
	self->path = fixture_dir();
	if (!self->path)
		SKIP(return, "%s", fixture_why());
	ASSERT_TRUE(lab_export(&self->srv, self->path));
	self->srv.copy_wait = "0";
	self->srv.lease = "60"; /* nobody's time runs out: who does not come back is seen */
	ASSERT_TRUE(fill(self->path, "src", COPY_SIZE) && fill(self->path, "log", 0));
	ASSERT_TRUE(lab_start(&self->srv))
	TH_LOG("%s", lab_why());
}

FIXTURE_TEARDOWN(kills)
{
	lab_end(&self->locks.holder);
	lab_end(&self->locks.other);
	cr_close(self->dir);
	cr_ns_free(self->ns);
	EXPECT_EQ(0, lab_stop(&self->srv));
}

static void start_workers(struct __test_metadata *const _metadata, FIXTURE_DATA(kills) * self)
{
	static bool (*const turns[WORKERS])(struct worker *) = {change_names, append, copy};
	struct shared *all = &self->all;
	char url[600];

	snprintf(url, sizeof(url), "nfs://%s%s", self->srv.port, self->path);
	self->ns = cr_ns_new();
	ASSERT_EQ(0, cr_open(self->ns, url, O_RDONLY | O_DIRECTORY, 0, &self->dir));
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->moved, NULL);
	all->path = self->path;
	for (unsigned i = 0; i < WORKERS; i++) {
		all->worker[i] = (struct worker){.all = all, .turn = turns[i], .dir = self->dir};
		ASSERT_EQ(0, pthread_create(&all->worker[i].thread, NULL, work, &all->worker[i]));
	}
}

static void end_workers(struct __test_metadata *const _metadata, struct shared *all)
{
	pthread_mutex_lock(&all->lock);
	all->end = true;
	pthread_mutex_unlock(&all->lock);
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(all->worker[i].thread, NULL);
		EXPECT_STREQ("", all->worker[i].wrong);
		TH_LOG("worker %u: %u turns", i, all->worker[i].done);
	}
}

TEST_F_TIMEOUT(kills, nothing_committed_is_lost_and_nothing_done_twice, 900)
{
	const char *often = getenv("ROUNDS");
	int rounds = often ? atoi(often) : ROUNDS;
	char name[40], cmd[700];
	bool good = true;

	hold_locks(_metadata, self, true);
	start_workers(_metadata, self);
	for (int i = 0; i < rounds && good; i++) {
		good = let_them_work(&self->all);
		lab_kill(&self->srv, SIGKILL);
		ASSERT_TRUE(lab_start(&self->srv))
		TH_LOG("%s", lab_why());
		hold_locks(_metadata, self, false);
	}
	end_workers(_metadata, &self->all);
	for (unsigned n = 0; n < self->all.worker[0].done; n++) {
		snprintf(name, sizeof(name), "set.%u", n);
		EXPECT_TRUE(has_record(self->path, name, n, 0));
	}
	for (unsigned n = 0; n < self->all.worker[1].done; n++)
		EXPECT_TRUE(has_record(self->path, "log", n, (off_t)n * RECORD));
	/* of all names that were there in between none is left */
	snprintf(cmd, sizeof(cmd), "! ls -A '%s' | grep -e new -e more -e '^[.]'", self->path);
	EXPECT_EQ(0, system(cmd)); /* NOLINT(cert-env33-c): our own names */
}

TEST_HARNESS_MAIN
