// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a server has lost: data, when it was killed before a COMMIT, which is known, an
 * error, and copied again by who copied it; and open files, when it had not heard of
 * their client for a lease and somebody else wanted them.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "kernel/core.h"
#include "kselftest_harness.h"
#include "selftests/nfs/lab.h"

#define SIZE  ((size_t)3 << 20)
#define SLOTS 64u /* of a session, at most */

FIXTURE(lost)
{
	char dir[300];
	struct lab_server srv;
	struct lab other;
	FILE *say, *hear; /* to and from the proxy between client and server */
	pid_t proxy;
	unsigned port; /* of it */
	struct cr_ns *ns;
	struct file *in, *out;
	uint8_t *data, *back;
};

/* The file @name of the export, as the server's storage has it; @zero: as that loses it. */
static bool stored(FIXTURE_DATA(lost) * self, const char *name, const uint8_t *data, size_t len)
{
	char path[400];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", self->dir, name);
	fd = open(path, O_RDWR | O_CREAT, 0644);
	if (fd < 0)
		return false;
	n = data ? pwrite(fd, data, len, 0) : pread(fd, self->back, SIZE, 0);
	close(fd);
	return n == (ssize_t)len;
}

static bool has(FIXTURE_DATA(lost) * self, const char *name, const uint8_t *data)
{
	return stored(self, name, NULL, SIZE) && !memcmp(self->back, data, SIZE);
}

static void run_proxy(const char *port, int in, int out)
{
	char path[PATH_MAX + 16], self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(path, sizeof(path), "%s/proxy", self);
	dup2(in, 0);
	dup2(out, 1);
	execl(path, "proxy", port, NULL);
	_exit(127);
}

static bool start_proxy(FIXTURE_DATA(lost) * self)
{
	char port[8], line[64];
	int in[2], out[2];

	snprintf(port, sizeof(port), "%u", rpc_addr_port(&self->srv.addr));
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return false;
	self->proxy = fork();
	if (!self->proxy)
		run_proxy(port, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	self->say = fdopen(in[1], "w");
	self->hear = fdopen(out[0], "r");
	if (!self->say || !self->hear || !fgets(line, sizeof(line), self->hear))
		return false;
	self->port = (unsigned)strtoul(line, NULL, 10);
	return true;
}

/* "hang": nothing passes any more; "go": it does again. */
static void partition(FIXTURE_DATA(lost) * self, const char *how)
{
	char line[64];

	fprintf(self->say, "%s\n", how);
	fflush(self->say);
	if (!fgets(line, sizeof(line), self->hear))
		abort();
}

static int open_url(FIXTURE_DATA(lost) * self, const char *name, int flags, struct file **file)
{
	char url[500];

	snprintf(url, sizeof(url), "nfs://127.0.0.1:%u%s/%s?timeout=20", self->port, self->dir,
		 name);
	return cr_open(self->ns, url, flags, 0644, file);
}

/* Killed and started again; of the file "out" nothing was stored. */
static bool crash(FIXTURE_DATA(lost) * self)
{
	uint8_t *zero = calloc(1, SIZE);
	bool good;

	lab_kill(&self->srv, SIGKILL);
	good = zero && stored(self, "out", zero, SIZE) && lab_start(&self->srv);
	free(zero);
	return good;
}

FIXTURE_SETUP(lost)
{
	FILE *random = fopen("/dev/urandom", "re");

	self->data = malloc(SIZE);
	self->back = malloc(SIZE);
	ASSERT_TRUE(random && self->data && self->back);
	ASSERT_EQ(1u, fread(self->data, SIZE, 1, random));
	fclose(random);
	snprintf(self->dir, sizeof(self->dir), "%s/export", fixture_dir());
	ASSERT_EQ(0, mkdir(self->dir, 0755));
	self->srv.lease = "2";
	ASSERT_TRUE(lab_export(&self->srv, self->dir));
	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_TRUE(lab_start(&self->srv))
	TH_LOG("%s", lab_why());
	ASSERT_TRUE(start_proxy(self));
	self->ns = cr_ns_new();
	ASSERT_NE(NULL, self->ns);
	ASSERT_TRUE(stored(self, "in", self->data, SIZE));
	ASSERT_EQ(0, open_url(self, "in", O_RDONLY, &self->in));
	ASSERT_EQ(0, open_url(self, "out", O_CREAT | O_EXCL | O_WRONLY, &self->out));
}

FIXTURE_TEARDOWN(lost)
{
	cr_close(self->in);
	cr_close(self->out);
	cr_ns_free(self->ns);
	fclose(self->say);
	fclose(self->hear);
	waitpid(self->proxy, NULL, 0);
	lab_stop(&self->srv);
	free(self->data);
	free(self->back);
}

static int write_all(FIXTURE_DATA(lost) * self)
{
	size_t done = 0;
	ssize_t n = 1;

	while (done < SIZE && n > 0) {
		n = cr_write(self->out, self->data + done, SIZE - done, (off_t)done);
		done += n > 0 ? (size_t)n : 0;
	}
	return n > 0 ? 0 : -EIO;
}

TEST_F(lost, writes_that_were_lost_are_an_error_until_they_are_written_again)
{
	struct file_range range = {.len = 0};

	ASSERT_EQ(0, write_all(self));
	ASSERT_TRUE(crash(self));
	EXPECT_EQ(-EIO, cr_flush(self->out));
	EXPECT_EQ(-EIO, cr_sync(self->out, true));
	ASSERT_EQ(0, op_settle(self->out, &range));
	EXPECT_EQ(0u, range.pos);
	EXPECT_EQ(SIZE, range.len);
	EXPECT_EQ(-EIO, cr_flush(self->out));
	ASSERT_EQ(0, write_all(self));
	ASSERT_EQ(0, op_settle(self->out, &range));
	EXPECT_EQ(0u, range.len);
	EXPECT_EQ(0, cr_flush(self->out));
	EXPECT_TRUE(has(self, "out", self->data));
}

TEST_F(lost, a_loss_while_it_is_written_again_is_one_more)
{
	struct file_range range = {.len = 0};

	ASSERT_EQ(0, write_all(self));
	ASSERT_TRUE(crash(self));
	ASSERT_EQ(0, op_settle(self->out, &range));
	ASSERT_EQ(SIZE, range.len);
	ASSERT_EQ(0, write_all(self));
	ASSERT_TRUE(crash(self));
	ASSERT_EQ(0, op_settle(self->out, &range));
	EXPECT_EQ(SIZE, range.len);
}

TEST_F(lost, a_copy_of_the_server_that_it_lost_is_made_again)
{
	struct copy_req req = {.in = self->in, .out = self->out, .len = SIZE};
	struct copy_result res = {0};
	struct file_range range = {.len = 0};

	ASSERT_EQ(0, op_copy_range(&req, &res));
	ASSERT_EQ(SIZE, res.bytes);
	ASSERT_TRUE(crash(self));
	ASSERT_EQ(0, op_settle(self->out, &range));
	ASSERT_EQ(SIZE, range.len);
	EXPECT_EQ(0, cr_copy_range(&req, &res));
	ASSERT_EQ(0, op_settle(self->out, &range));
	EXPECT_EQ(0, cr_flush(self->out));
	EXPECT_TRUE(has(self, "out", self->data));
}

TEST_F(lost, a_lost_truncation_is_no_success)
{
	struct file_range range = {.len = 0};

	ASSERT_EQ(0, write_all(self));
	ASSERT_EQ(0, op_settle(self->out, &range));
	ASSERT_EQ(0u, range.len);
	ASSERT_EQ(0, cr_truncate(self->out, 0));
	ASSERT_TRUE(crash(self));
	ASSERT_EQ(0, write_all(self));
	EXPECT_EQ(-EIO, cr_flush(self->out));
	ASSERT_EQ(0, op_settle(self->out, &range));
	EXPECT_GT(range.len, SIZE); /* more than any copy writes */
}

TEST_F(lost, a_short_new_file_is_stored_when_it_is_written)
{
	struct file_range range = {.len = 0};

	ASSERT_EQ(1000, cr_write(self->out, self->data, 1000, 0));
	lab_kill(&self->srv, SIGKILL);
	ASSERT_TRUE(lab_start(&self->srv));
	ASSERT_EQ(0, op_settle(self->out, &range));
	EXPECT_EQ(0u, range.len);
	EXPECT_EQ(0, cr_flush(self->out));
}

/* Another client has the file "out" for itself: as soon as the server has given up the first. */
static bool taken(FIXTURE_DATA(lost) * self, struct nfs4_open_res *open, struct nfs4_fh *fh)
{
	struct nfs4_open_args args =
		lab_create("out", "o", OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_DENY_BOTH);
	const struct timespec pause = {.tv_nsec = 100000000};
	struct nfs4_fh dir;
	uint32_t status;

	if (!lab_client(&self->other, &self->srv, "other", false) ||
	    lab_fh(&self->other, self->dir, &dir))
		return false;
	do {
		nanosleep(&pause, NULL);
		status = lab_open(&self->other, &args, &dir, open, fh);
	} while (status == NFS4ERR_SHARE_DENIED || status == NFS4ERR_DELAY ||
		 status == NFS4ERR_GRACE);
	return !status;
}

TEST_F(lost, a_client_whose_lease_was_over_opens_its_files_again)
{
	struct nfs4_open_res open;
	struct nfs4_fh fh;

	ASSERT_EQ(0, write_all(self));
	partition(self, "hang");
	ASSERT_TRUE(taken(self, &open, &fh));
	lab_sequence(&self->other, 0);
	LAB_OP(&self->other, OP_PUTFH, .putfh = {fh});
	LAB_OP(&self->other, OP_CLOSE, .close = {.stateid = open.stateid});
	ASSERT_EQ(NFS4_OK, lab_send(&self->other));
	lab_end(&self->other);
	partition(self, "go");
	EXPECT_EQ(1000, cr_write(self->out, self->data, 1000, 0));
	EXPECT_EQ(1000, cr_read(self->in, self->back, 1000, 0));
	EXPECT_EQ(0, memcmp(self->back, self->data, 1000));
	EXPECT_EQ(0, cr_flush(self->out));
	EXPECT_TRUE(has(self, "out", self->data));
}

TEST_F(lost, what_another_client_took_meanwhile_is_an_error)
{
	struct nfs4_open_res open;
	struct nfs4_fh fh;

	ASSERT_EQ(0, write_all(self));
	partition(self, "hang");
	ASSERT_TRUE(taken(self, &open, &fh));
	partition(self, "go");
	EXPECT_GT(0, cr_write(self->out, self->data, 1000, 0));
	lab_end(&self->other);
}

struct reader {
	pthread_t thread;
	struct file *file;
	ssize_t n;
};

static void *read_page(void *arg)
{
	struct reader *r = arg;
	uint8_t page[4096];

	r->n = cr_read(r->file, page, sizeof(page), 0);
	return NULL;
}

/* As many as the session has slots, whose replies nobody waits for any more. */
TEST_F(lost, after_calls_that_were_given_up_others_go_on)
{
	struct reader r[SLOTS] = {{.n = 0}}, one = {.n = 0};
	struct cr_ns *ns = cr_ns_new();
	char url[500];

	snprintf(url, sizeof(url), "nfs://127.0.0.1:%u%s/in?timeout=3", self->port, self->dir);
	ASSERT_EQ(0, cr_open(ns, url, O_RDONLY, 0, &one.file));
	partition(self, "hang");
	for (unsigned i = 0; i < SLOTS; i++) {
		r[i].file = one.file;
		ASSERT_EQ(0, pthread_create(&r[i].thread, NULL, read_page, &r[i]));
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		pthread_join(r[i].thread, NULL);
		EXPECT_GT(0, r[i].n);
	}
	partition(self, "go");
	for (unsigned i = 0; i < 5 && one.n <= 0; i++)
		read_page(&one);
	EXPECT_EQ(4096, one.n);
	cr_close(one.file);
	cr_ns_free(ns);
}

TEST_HARNESS_MAIN
