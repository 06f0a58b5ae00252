// SPDX-License-Identifier: GPL-2.0-or-later
/* READ_PLUS of ocp-nfsd, and our client's: holes are holes, and every byte is what READ would say.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "selftests/nfs/lab.h"
#include "vfs.h"

#define SIZE  (768u << 10)
#define BLOCK 4096u

FIXTURE(read_plus)
{
	struct lab_server srv;
	struct lab a;
	struct nfs4_fh fh;
	struct nfs4_stateid id;
	char *dir;
	int fd; /* the file as it is on the server */
	uint8_t *want, *got;
};

FIXTURE_SETUP(read_plus)
{
	struct nfs4_open_args open_args = lab_create("f", "o", OPEN4_SHARE_ACCESS_READ, 0);
	const char *dir = fixture_fs("xfs", 300, NULL);
	struct nfs4_open_res open_res;
	struct nfs4_fh at;
	char path[600];

	if (!dir)
		SKIP(return, "%s", fixture_why());
	self->dir = strdup(dir);
	self->want = malloc(SIZE);
	self->got = malloc(SIZE);
	snprintf(path, sizeof(path), "%s/f", self->dir);
	self->fd = open(path, O_CREAT | O_RDWR, 0644);
	ASSERT_LE(0, self->fd);
	ASSERT_TRUE(lab_export(&self->srv, self->dir));
	ASSERT_TRUE(lab_start(&self->srv))
	TH_LOG("%s", lab_why());
	ASSERT_TRUE(lab_client(&self->a, &self->srv, "client a", false));
	ASSERT_EQ(NFS4_OK, lab_fh(&self->a, self->dir, &at));
	ASSERT_EQ(NFS4_OK, lab_open(&self->a, &open_args, &at, &open_res, &self->fh));
	self->id = open_res.stateid;
	self->a.uncached = true;
}

FIXTURE_TEARDOWN(read_plus)
{
	lab_end(&self->a);
	EXPECT_EQ(0, lab_stop(&self->srv));
	close(self->fd);
	free(self->want);
	free(self->got);
	free(self->dir);
}

/* The reply's length in *len. */
static uint32_t read_plus(FIXTURE_DATA(read_plus) * self, uint64_t offset, uint32_t count,
			  struct nfs4_read_plus_res *out, size_t *len)
{
	union nfs4_res res = {.none = {0}};
	uint32_t status;

	lab_sequence(&self->a, 0);
	LAB_OP(&self->a, OP_PUTFH, .putfh = {self->fh});
	LAB_OP(&self->a, OP_READ_PLUS, .read = {self->id, offset, count});
	status = lab_send(&self->a);
	lab_res(&self->a, OP_PUTFH, NULL);
	if (!status)
		status = lab_res(&self->a, OP_READ_PLUS, &res);
	*out = res.read_plus;
	*len = res.read_plus.contents.len;
	return status;
}

static bool put(int fd, uint64_t offset, size_t len)
{
	uint8_t data[BLOCK];
	bool good = true;

	for (size_t i = 0; i < BLOCK; i++)
		data[i] = (uint8_t)rand() | 1;
	for (; len && good; len -= BLOCK, offset += BLOCK)
		good = pwrite(fd, data, BLOCK, (off_t)offset) == BLOCK;
	return good;
}

TEST_F(read_plus, holes_and_data_are_told_apart)
{
	static const struct {
		uint32_t type, offset, length;
	} want[] = {
		{NFS4_CONTENT_DATA, 0, 64 << 10},
		{NFS4_CONTENT_HOLE, 64 << 10, 448 << 10},
		{NFS4_CONTENT_DATA, 512 << 10, BLOCK},
		{NFS4_CONTENT_HOLE, (512 << 10) + BLOCK, (256 << 10) - BLOCK},
	};
	struct nfs4_read_plus_res res;
	struct nfs4_content seg;
	struct xdr x;
	size_t len;

	ASSERT_EQ(0, ftruncate(self->fd, SIZE));
	ASSERT_TRUE(put(self->fd, 0, 64 << 10) && put(self->fd, 512 << 10, BLOCK));
	ASSERT_EQ(NFS4_OK, read_plus(self, 0, SIZE, &res, &len));
	EXPECT_TRUE(res.eof);
	ASSERT_EQ(4, res.segments);
	xdr_decode(&x, res.contents.data, res.contents.len);
	for (unsigned i = 0; i < 4; i++) {
		nfs4_content(&x, &seg);
		ASSERT_EQ(0, x.error);
		EXPECT_EQ(want[i].type, seg.type);
		EXPECT_EQ(want[i].offset, seg.offset);
		EXPECT_EQ(want[i].length, seg.length);
	}
}

TEST_F(read_plus, at_and_behind_the_end_there_is_nothing)
{
	struct nfs4_read_plus_res res;
	size_t len;

	ASSERT_EQ(0, ftruncate(self->fd, 10000));
	for (uint64_t offset = 10000; offset < 30000; offset += 10000) {
		ASSERT_EQ(NFS4_OK, read_plus(self, offset, 100, &res, &len));
		EXPECT_TRUE(res.eof);
		EXPECT_EQ(0, res.segments);
	}
	ASSERT_EQ(NFS4_OK, read_plus(self, 0, 0, &res, &len));
	EXPECT_FALSE(res.eof);
	ASSERT_EQ(NFS4_OK, read_plus(self, 9000, 5000, &res, &len));
	EXPECT_TRUE(res.eof);
	EXPECT_EQ(1, res.segments);
}

/* Runs of blocks and holes of all lengths, the shortest ones often. */
static bool scatter(int fd)
{
	uint64_t at = 0;
	bool good = !ftruncate(fd, 0) && !ftruncate(fd, SIZE - 1234);

	while (good && at < SIZE - 17 * BLOCK) {
		size_t len = (1u + (unsigned)rand() % (1u << rand() % 5)) * BLOCK;

		good = rand() % 2 || put(fd, at, len);
		at += len;
	}
	return good;
}

/* What the contents say, from @offset on: false when there is a gap. */
static bool assemble(const struct nfs4_read_plus_res *res, uint64_t offset, uint32_t count,
		     uint8_t *buf, uint32_t *done)
{
	struct nfs4_content seg;
	struct xdr x;

	*done = 0;
	xdr_decode(&x, res->contents.data, res->contents.len);
	for (uint32_t i = 0; i < res->segments; i++) {
		nfs4_content(&x, &seg);
		if (x.error || seg.offset != offset + *done || !seg.length ||
		    seg.length > count - *done)
			return false;
		if (seg.type == NFS4_CONTENT_HOLE)
			memset(buf + *done, 0, seg.length);
		else
			memcpy(buf + *done, seg.data.data, seg.data.len);
		*done += (uint32_t)seg.length;
	}
	return true;
}

TEST_F(read_plus, any_range_is_what_READ_says_and_no_longer)
{
	struct nfs4_read_plus_res res;
	uint32_t done, holes = 0;
	size_t len;

	srand(7);
	for (int i = 0; i < 400; i++) {
		uint64_t offset = (unsigned)rand() % SIZE;
		uint32_t count = 1 + (unsigned)rand() % (1u << rand() % 20);
		ssize_t n;

		count = count < SIZE ? count : SIZE;
		if (i % 50 == 0)
			ASSERT_TRUE(scatter(self->fd));
		if (i % 3 == 0)
			offset &= ~(uint64_t)(BLOCK - 1);
		ASSERT_EQ(NFS4_OK, read_plus(self, offset, count, &res, &len));
		ASSERT_TRUE(assemble(&res, offset, count, self->got, &done));
		n = pread(self->fd, self->want, count, (off_t)offset);
		ASSERT_EQ(n, (ssize_t)done);
		ASSERT_EQ(0, memcmp(self->want, self->got, done));
		EXPECT_EQ(offset + done >= SIZE - 1234, res.eof);
		EXPECT_GE(count + 32u, len);
		holes += len < done;
	}
	EXPECT_LT(20, holes);
}

TEST_F(read_plus, the_client_makes_of_it_what_is_in_the_file)
{
	struct cr_ns *ns = cr_ns_new();
	struct file *file;
	char url[700];

	srand(8);
	for (int i = 0; i < 200; i++) {
		off_t offset = rand() % SIZE;
		size_t count = (size_t)rand() % SIZE, n;

		if (i % 50 == 0) {
			ASSERT_TRUE(scatter(self->fd));
			snprintf(url, sizeof(url), "nfs://%s%s/f", self->srv.port, self->dir);
			ASSERT_EQ(0, cr_open(ns, url, O_RDONLY, 0, &file));
		}
		n = (size_t)pread(self->fd, self->want, count, offset);
		ASSERT_EQ((ssize_t)n, cr_read(file, self->got, count, offset));
		ASSERT_EQ(0, memcmp(self->want, self->got, n));
		if (i % 50 == 49)
			cr_close(file);
	}
	cr_ns_free(ns);
}

TEST_HARNESS_MAIN
