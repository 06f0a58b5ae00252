// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads of ocp-nfsd that storage does not let go.
 *
 * The file system is frozen (FIFREEZE), so that write(2) waits and no signal ends that.  Who
 * thaws it is a process of its own: it does so when the test closes its pipe, or ends.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "selftests/nfs/lab.h"

/* More than there are loops, so that each of those has some of both; less than workers. */
#define STUCK 6u
#define LIVE  6u

struct writer {
	struct lab lab;
	pthread_t thread;
	struct nfs4_fh fh;
	struct nfs4_stateid id;
	uint32_t status;
};

FIXTURE(stuck)
{
	struct lab_server srv;
	char *frozen, *other;
	int thaw; /* closed: it thaws */
	pid_t thawer;
	struct writer w[STUCK];
	struct lab live[LIVE];
};

FIXTURE_SETUP(stuck)
{
	char name[16];
	const char *fs = fixture_fs("ext4", 64, NULL);

	self->thaw = -1;
	if (!fs)
		SKIP(return, "%s", fixture_why());
	self->frozen = strdup(fs);
	fs = fixture_fs("ext4", 64, NULL);
	if (!fs)
		SKIP(return, "%s", fixture_why());
	self->other = strdup(fs);
	ASSERT_TRUE(lab_export(&self->srv, self->frozen));
	ASSERT_TRUE(lab_export(&self->srv, self->other));
	ASSERT_TRUE(lab_start(&self->srv))
	TH_LOG("%s", lab_why());
	for (unsigned i = 0; i < STUCK; i++) {
		snprintf(name, sizeof(name), "writer %u", i);
		ASSERT_TRUE(lab_client(&self->w[i].lab, &self->srv, name, false));
	}
	for (unsigned i = 0; i < LIVE; i++) {
		snprintf(name, sizeof(name), "live %u", i);
		ASSERT_TRUE(lab_client(&self->live[i], &self->srv, name, false));
	}
}

static void thaw(FIXTURE_DATA(stuck) * self)
{
	if (self->thaw < 0)
		return;
	close(self->thaw);
	self->thaw = -1;
	if (self->thawer > 0)
		waitpid(self->thawer, NULL, 0);
}

FIXTURE_TEARDOWN(stuck)
{
	thaw(self);
	for (unsigned i = 0; i < STUCK; i++)
		if (self->w[i].thread)
			pthread_join(self->w[i].thread, NULL);
	for (unsigned i = 0; i < STUCK; i++)
		lab_end(&self->w[i].lab);
	for (unsigned i = 0; i < LIVE; i++)
		lab_end(&self->live[i]);
	EXPECT_EQ(0, lab_stop(&self->srv));
	free(self->frozen);
	free(self->other);
}

static bool freeze(FIXTURE_DATA(stuck) * self)
{
	int dir = open(self->frozen, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fds[2];
	char byte;
	pid_t thawer;

	if (dir < 0 || pipe2(fds, O_CLOEXEC))
		return false;
	thawer = fork(); /* no word of the fixture: the child shares that */
	if (!thawer) {
		setsid(); /* what is killed with the test is not this */
		close(fds[1]);
		while (read(fds[0], &byte, 1) > 0)
			;
		_exit(ioctl(dir, FITHAW, 0) != 0);
	}
	close(fds[0]);
	self->thaw = fds[1];
	self->thawer = thawer;
	if (thawer < 0 || ioctl(dir, FIFREEZE, 0)) {
		close(dir);
		return false;
	}
	close(dir);
	return true;
}

static void *write_once(void *arg)
{
	struct writer *w = arg;
	struct nfs4_write_args a = {
		.stateid = w->id, .stable = UNSTABLE4, .data = xdr_str("at last")};

	lab_sequence(&w->lab, 0);
	LAB_OP(&w->lab, OP_PUTFH, .putfh = {w->fh});
	LAB_OP(&w->lab, OP_WRITE, .write = a);
	w->status = lab_send(&w->lab);
	return NULL;
}

static bool open_file(FIXTURE_DATA(stuck) * self, struct writer *w)
{
	char name[16];
	struct nfs4_fh dir;
	struct nfs4_open_res res;
	struct nfs4_open_args a;

	snprintf(name, sizeof(name), "f%u", (unsigned)(w - self->w));
	a = lab_create(name, "o", OPEN4_SHARE_ACCESS_BOTH, 0);
	if (lab_fh(&w->lab, self->frozen, &dir) || lab_open(&w->lab, &a, &dir, &res, &w->fh))
		return false;
	w->id = res.stateid;
	return true;
}

/* Threads of the server that wait for what nothing interrupts. */
static unsigned waiting(pid_t pid)
{
	char cmd[100], line[400];
	unsigned n = 0;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "cat /proc/%d/task/*/stat", (int)pid);
	f = popen(cmd, "r"); /* NOLINT(cert-env33-c): a number of ours */
	while (f && fgets(line, sizeof(line), f)) {
		const char *end = strrchr(line, ')');

		n += end && end[1] == ' ' && end[2] == 'D';
	}
	if (f)
		pclose(f);
	return n;
}

/* Each loop has connections of both kinds: whose thread is stuck has left it to another. */
TEST_F(stuck, writes_that_hang_stop_no_other_connection)
{
	struct nfs4_fh fh;

	for (unsigned i = 0; i < STUCK; i++)
		ASSERT_TRUE(open_file(self, &self->w[i]));
	if (!freeze(self))
		SKIP(return, "ext4 cannot be frozen here");
	for (unsigned i = 0; i < STUCK; i++)
		ASSERT_EQ(0, pthread_create(&self->w[i].thread, NULL, write_once, &self->w[i]));
	while (waiting(self->srv.pid) < STUCK)
		usleep(20000);
	for (unsigned n = 0; n < 5; n++)
		for (unsigned i = 0; i < LIVE; i++)
			ASSERT_EQ(NFS4_OK, lab_fh(&self->live[i], self->other, &fh));
	EXPECT_EQ(STUCK, waiting(self->srv.pid)); /* until now */
	thaw(self);
	for (unsigned i = 0; i < STUCK; i++) {
		pthread_join(self->w[i].thread, NULL);
		self->w[i].thread = 0;
		EXPECT_EQ(NFS4_OK, self->w[i].status);
	}
}

TEST_HARNESS_MAIN
